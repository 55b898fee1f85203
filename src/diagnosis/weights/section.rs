//! What the section's own bytes say: debug record, spin count, shape of the damage, fill patterns.

use super::super::cause::Cause::{
    BadPointer, Copied, Corrupted, CrossProcess, Deleted, HandleClosed, MemoryReleased,
    NeverInitialized,
};
use super::{Group, Row, row, w};
use crate::findings::FindingId;

pub(super) const ROWS: &[Row] = &[
    row(
        FindingId::DebugRecordOwn,
        Group::DebugRecord,
        &[
            w(HandleClosed, 1.0, "the section was initialised and not deleted"),
            w(Corrupted, 0.8, "a single stray write leaves the record intact"),
            w(NeverInitialized, -3.0, "initialisation made this record"),
            w(Deleted, -3.0, "Delete would have wiped the record"),
            w(
                MemoryReleased,
                -1.5,
                "the record outlives its memory only when Delete was forgotten",
            ),
            w(Copied, -5.0, "a copy's record names the original"),
            w(BadPointer, -6.0, "only a section has such a record"),
            w(CrossProcess, -2.0, "another process's record is not in this one's memory"),
        ],
    ),
    row(
        FindingId::DebugRecordOfTwin,
        Group::DebugRecord,
        &[
            w(Copied, 5.0, "the record names the original, which still looks like this one"),
            w(HandleClosed, -3.0, "a healthy section's record names it"),
            w(Corrupted, -1.0, "a stray write seldom leaves a twin"),
            w(NeverInitialized, 0.5, "recycled memory can hold an old copy"),
            w(
                CrossProcess,
                2.0,
                "processes of one program have ntdll's records at the same addresses",
            ),
        ],
    ),
    row(
        FindingId::DebugRecordForeign,
        Group::DebugRecord,
        &[
            w(Copied, 3.0, "the record names another address"),
            w(HandleClosed, -3.0, "a healthy section's record names it"),
            w(Corrupted, 0.3, "DebugInfo may have been overwritten with a record's address"),
            w(NeverInitialized, 1.0, "old memory can hold an old section's bytes"),
            w(Deleted, 0.5, "a freed record is used again by another section"),
        ],
    ),
    row(
        FindingId::DebugRecordGone,
        Group::DebugRecord,
        &[
            w(
                Copied,
                3.5,
                "Delete of the original wiped and freed the record that the copy still names",
            ),
            w(HandleClosed, -3.0, "a healthy section's record is intact"),
            w(NeverInitialized, 1.0, "old memory can hold an old section's bytes"),
            w(Corrupted, 0.3, "DebugInfo may have been overwritten with some address"),
            w(Deleted, -1.0, "Delete wipes the section's bytes too: these are another's"),
        ],
    ),
    row(
        FindingId::DebugRecordInvalid,
        Group::DebugRecord,
        &[
            w(Corrupted, 1.2, "DebugInfo may have been overwritten with some address"),
            w(NeverInitialized, 1.2, "old memory can hold any address"),
            w(HandleClosed, -3.0, "a healthy section's record is intact"),
            w(MemoryReleased, 0.8, "reused memory can hold any address"),
            w(BadPointer, 0.8, "what is no section can hold any bytes"),
            w(CrossProcess, 1.5, "the record is in another process"),
        ],
    ),
    row(
        FindingId::DebugInfoNull,
        Group::DebugRecord,
        &[
            w(NeverInitialized, 2.0, "initialisation never leaves 0"),
            w(Deleted, 1.9, "Delete leaves 0"),
            w(Corrupted, 1.0, "zeros may have been written over it"),
            w(HandleClosed, -4.0, "a healthy section has a record or -1"),
            w(Copied, -2.0, "a copy of a live section has a record or -1"),
            w(CrossProcess, -2.0, "another process's section has a record or -1"),
        ],
    ),
    row(
        FindingId::DebugInfoImpossible,
        Group::DebugRecord,
        &[
            w(Corrupted, 1.5, "ntdll never stores such an address"),
            w(NeverInitialized, 1.5, "old memory can hold anything"),
            w(MemoryReleased, 1.0, "reused memory can hold anything"),
            w(BadPointer, 1.0, "what is no section can hold any bytes"),
            w(HandleClosed, -5.0, "a healthy section has a record or -1"),
            w(Copied, -3.0, "a copy of a live section has a record or -1"),
            w(CrossProcess, -2.5, "another process's section has a record or -1"),
        ],
    ),
    row(
        FindingId::DebugInfoAbsentUnexpected,
        Group::DebugRecord,
        &[
            w(Corrupted, 1.0, "this version makes a record for every section"),
            w(NeverInitialized, 1.0, "this version makes a record for every section"),
            w(HandleClosed, -1.0, "this version makes a record for every section"),
        ],
    ),
    row(
        FindingId::ListKnowsSection,
        Group::DebugRecord,
        &[
            w(Corrupted, 3.5, "the process's list still has the record that DebugInfo lost"),
            w(
                MemoryReleased,
                3.5,
                "released without Delete, the section stays on the list, and another object lives there",
            ),
            w(BadPointer, -2.0, "there is, or was, a section at just this address"),
            w(NeverInitialized, -3.0, "the section was initialised"),
            w(Deleted, -3.0, "Delete takes the record off the list"),
            w(HandleClosed, -3.0, "a healthy section names its own record"),
            w(Copied, -2.0, "a copy has no record of its own"),
        ],
    ),
    row(
        FindingId::SpinCountPlausible,
        Group::SpinCount,
        &[
            w(HandleClosed, 0.3, "as initialisation leaves it"),
            w(Copied, 0.3, "a copy of a live section has its spin count"),
            w(Corrupted, 0.2, "a single stray write leaves it intact"),
            w(NeverInitialized, -1.0, "old memory seldom holds a valid spin count"),
        ],
    ),
    row(
        FindingId::SpinCountImplausible,
        Group::SpinCount,
        &[
            w(
                Corrupted,
                1.5,
                "initialisation never leaves such a value, and nothing changes it later",
            ),
            w(NeverInitialized, 2.0, "old memory can hold anything"),
            w(MemoryReleased, 1.0, "another object may live there now, with any bytes"),
            w(BadPointer, 1.2, "what is no section can hold any bytes"),
            w(HandleClosed, -4.0, "a healthy section has a valid spin count"),
            w(Copied, -2.5, "a copy of a live section has a valid spin count"),
        ],
    ),
    row(
        FindingId::SectionAllZero,
        Group::Shape,
        &[
            w(MemoryReleased, 2.0, "released memory may be zeroed or reused"),
            w(
                Deleted,
                5.0,
                "Delete zeroes the section; zeros there before would not have reached the signal",
            ),
            w(Corrupted, 0.0, "zeros written over it at that very moment are possible"),
            w(NeverInitialized, -4.0, "a Leave on zeros returns silently"),
            w(HandleClosed, -5.0, "a healthy section is not zero"),
            w(Copied, -3.0, "a copy of a live section is not zero"),
            w(CrossProcess, -3.0, "another process's section is not zero"),
        ],
    ),
    row(
        FindingId::SectionZeroThenEntered,
        Group::Shape,
        &[
            w(
                NeverInitialized,
                2.0,
                "zeroed storage looks just so, but fails at its first Enter: seldom in the field",
            ),
            w(
                Deleted,
                2.2,
                "a deleted section looks just so, and is met by chance: often in the field",
            ),
            w(Corrupted, -0.5, "zeros written over exactly the section are possible"),
            w(Copied, -2.0, "a copy of a live section is not zero"),
            w(CrossProcess, -2.0, "another process's section is not zero"),
            w(MemoryReleased, -0.5, "freed and zeroed memory is possible"),
            w(BadPointer, -1.0, "zeros elsewhere are possible"),
        ],
    ),
    row(
        FindingId::OnlyHandleDamaged,
        Group::Shape,
        &[
            w(Corrupted, 2.0, "everything but LockSemaphore is in order: one write hit it"),
            w(NeverInitialized, -2.5, "old memory would not be right everywhere else"),
            w(MemoryReleased, -2.0, "reused memory would not be right everywhere else"),
        ],
    ),
    row(
        FindingId::TailDamaged,
        Group::Shape,
        &[
            w(Corrupted, 3.0, "the object behind wrote backwards into the last fields"),
            w(NeverInitialized, -2.0, "old memory would not be right in the first fields"),
        ],
    ),
    row(
        FindingId::HeadDamaged,
        Group::Shape,
        &[
            w(Corrupted, 2.2, "the object before ran over into the first fields"),
            w(
                MemoryReleased,
                0.3,
                "the links of a free list lie in the first words of a freed block",
            ),
            w(BadPointer, -0.5, "what is no section would not be right in the last fields"),
            w(NeverInitialized, -1.5, "old memory would not be right in the last fields"),
        ],
    ),
    row(
        FindingId::EveryFieldForeign,
        Group::Shape,
        &[
            w(NeverInitialized, 2.5, "nothing in it was made by initialisation"),
            w(MemoryReleased, 2.5, "another object may live there now"),
            w(Corrupted, 2.3, "a large overwrite can hit every field"),
            w(BadPointer, 2.3, "it may be no section at all"),
            w(Deleted, -1.5, "Delete leaves zeros"),
        ],
    ),
    row(
        FindingId::AllocationPattern,
        Group::Pattern,
        &[
            w(HandleClosed, -6.0, "the kernel never hands out such a value"),
            w(Copied, -3.0, "a copy of a live section is no pattern"),
            w(NeverInitialized, 4.0, "allocated memory that nobody wrote to"),
            w(Corrupted, -0.5, "an overwrite with exactly this pattern is rare"),
            w(Deleted, -2.0, "this is not a pattern of freed memory"),
            w(MemoryReleased, -1.0, "this is not a pattern of freed memory"),
            w(BadPointer, 0.5, "the pointer may lead into an unused buffer"),
        ],
    ),
    row(
        FindingId::FreePattern,
        Group::Pattern,
        &[
            w(HandleClosed, -6.0, "the kernel never hands out such a value"),
            w(Copied, -3.0, "a copy of a live section is no pattern"),
            w(MemoryReleased, 4.0, "the allocator fills freed memory so"),
            w(Deleted, 1.5, "freed memory was usually deleted first"),
            w(NeverInitialized, -1.0, "this is not a pattern of fresh memory"),
            w(Corrupted, -0.5, "an overwrite with exactly this pattern is rare"),
        ],
    ),
    row(
        FindingId::AmbiguousPattern,
        Group::Pattern,
        &[
            w(HandleClosed, -6.0, "the kernel never hands out such a value"),
            w(Copied, -3.0, "a copy of a live section is no pattern"),
            w(NeverInitialized, 2.5, "with some allocators this is fresh memory"),
            w(MemoryReleased, 2.0, "with others it is freed memory"),
            w(Corrupted, 0.0, "it may also be a guard area that ran over"),
        ],
    ),
    row(
        FindingId::ArgumentNotASection,
        Group::Shape,
        &[
            w(BadPointer, 3.0, "what the caller passed does not look like a section at all"),
            w(Corrupted, 0.5, "it may have been one before it was overwritten"),
            w(MemoryReleased, 0.5, "it may have been one before its memory was reused"),
        ],
    ),
    row(
        FindingId::SpinCountUnusual,
        Group::SpinCount,
        &[
            w(
                NeverInitialized,
                0.3,
                "initialisation on this version and machine stores another value",
            ),
            w(Corrupted, 0.2, "initialisation on this version and machine stores another value"),
            w(HandleClosed, -0.2, "a static initialiser can store it"),
        ],
    ),
    row(
        FindingId::HandlePassedAlthoughZero,
        Group::EndOfLife,
        &[
            w(Deleted, 2.0, "Leave read the handle before Delete zeroed the section"),
            w(MemoryReleased, 0.5, "the same where the memory was released and zeroed"),
            w(NeverInitialized, -3.0, "a section that was never initialised has no handle to pass"),
        ],
    ),
    row(
        FindingId::GuardPattern,
        Group::Pattern,
        &[
            w(HandleClosed, -6.0, "the kernel never hands out such a value"),
            w(Copied, -3.0, "a copy of a live section is no pattern"),
            w(Corrupted, 1.0, "the guard area of another block may have been written over it"),
            w(MemoryReleased, 1.0, "the memory may have been released and laid out anew"),
            w(BadPointer, 1.0, "the pointer may lead behind the end of a block"),
            w(NeverInitialized, -0.5, "this is not a pattern of fresh memory"),
        ],
    ),
];
