//! What Application Verifier's stops say, and a damaged list of debug records.

use super::super::cause::Cause::{
    BadPointer, Copied, Corrupted, CrossProcess, Deleted, MemoryReleased, NeverInitialized,
    NotOwner,
};
use super::{Group, Row, row, w};
use crate::findings::FindingId;

pub(super) const ROWS: &[Row] = &[
    row(FindingId::VerifierStop, Group::Environment, &[]),
    row(
        FindingId::VerifierSaysNotInitialized,
        Group::Verifier,
        &[
            w(
                NeverInitialized,
                2.5,
                "one stop for a section never initialised and for a deleted one",
            ),
            w(Deleted, 2.5, "one stop for a section never initialised and for a deleted one"),
            w(Copied, 1.0, "a copy lies where nothing was initialised"),
            w(CrossProcess, 1.0, "another process initialised it"),
            w(BadPointer, 0.5, "nothing was initialised at a wrong address either"),
            w(MemoryReleased, 0.3, "released memory was usually deleted first, or stopped earlier"),
            w(Corrupted, -2.0, "an overwritten section is still known by its address"),
        ],
    ),
    row(
        FindingId::VerifierSaysFreed,
        Group::Verifier,
        &[
            w(MemoryReleased, 6.0, "the verifier watched the release of a live section's memory"),
            w(Corrupted, -1.0, "the section is found by its address, not by its bytes"),
        ],
    ),
    row(
        FindingId::VerifierSaysUnloaded,
        Group::Verifier,
        &[
            w(MemoryReleased, 6.0, "the verifier watched the unloading of a live section's module"),
            w(Corrupted, -1.0, "the section is found by its address, not by its bytes"),
        ],
    ),
    row(
        FindingId::VerifierSaysWrongRecord,
        Group::Verifier,
        &[
            w(
                Corrupted,
                4.0,
                "DebugInfo was overwritten: the list still knows the section's record",
            ),
            w(Copied, 1.0, "another section's bytes were copied over this one"),
            w(
                MemoryReleased,
                0.5,
                "released without Delete, and the memory used for another object",
            ),
            w(NeverInitialized, -2.0, "the list knows the section"),
            w(Deleted, -3.0, "Delete takes the record off the list"),
        ],
    ),
    row(
        FindingId::VerifierSaysWrongField,
        Group::Verifier,
        &[
            w(Corrupted, 3.5, "no thread and no lock function leaves such a value"),
            w(
                MemoryReleased,
                0.5,
                "released without Delete, and the memory used for another object",
            ),
            w(NotOwner, -2.0, "a wrong Leave leaves a small count and a thread's id"),
        ],
    ),
    row(
        FindingId::VerifierSaysWrongCount,
        Group::Verifier,
        &[
            w(NotOwner, 1.5, "a Leave too many leaves a count below that of a free section"),
            w(Corrupted, 1.0, "a small number can have been written over it"),
            w(NeverInitialized, 0.5, "zeroed memory has a count that a free section has not"),
            w(Deleted, 0.5, "a deleted section has a count that a free section has not"),
        ],
    ),
    row(
        FindingId::VerifierSaysOtherOwner,
        Group::Verifier,
        &[
            w(NotOwner, 4.0, "a thread leaves what another owns"),
            w(Corrupted, -0.5, "a stray write seldom leaves the id of a thread"),
        ],
    ),
    row(
        FindingId::VerifierSaysInUse,
        Group::Verifier,
        &[
            w(Deleted, 6.0, "Delete was called while a thread was inside"),
            w(Corrupted, -2.0, "owner and count fit each other"),
            w(NeverInitialized, -3.0, "a thread has entered it"),
        ],
    ),
    row(
        FindingId::VerifierSaysOverReleased,
        Group::Verifier,
        &[
            w(NotOwner, 5.0, "the verifier counts each thread's enters and leaves"),
            w(Corrupted, 1.0, "the counts in the section may have been overwritten"),
        ],
    ),
    row(FindingId::VerifierSaysInitializedTwice, Group::Verifier, &[]),
    row(FindingId::VerifierSaysThreadEnds, Group::Verifier, &[]),
    row(FindingId::VerifierSaysPrivate, Group::Verifier, &[]),
    row(
        FindingId::SectionZeroAtStop,
        Group::Shape,
        &[
            w(NeverInitialized, 1.5, "zeroed storage that nothing has initialised"),
            w(Deleted, 1.5, "Delete leaves zeros"),
            w(Corrupted, -0.5, "a stray write seldom clears every byte"),
            w(Copied, -2.0, "a copy has its original's bytes"),
        ],
    ),
    row(
        FindingId::ListLinksDisagree,
        Group::DebugRecord,
        &[
            w(Corrupted, 1.5, "a record, or one beside it in the list, was written over"),
            w(Copied, 0.8, "two sections that share one record take it off the list twice"),
            w(Deleted, 0.5, "a record that was taken off and is taken off again"),
            w(NeverInitialized, 0.3, "old memory can name a record that is in use by another"),
            w(BadPointer, -1.0, "DebugInfo led to something with links"),
        ],
    ),
    row(FindingId::PageNotReadIn, Group::Environment, &[]),
];
