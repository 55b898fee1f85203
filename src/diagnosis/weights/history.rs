//! What the handle trace says: who opened the handle, and who closed it (critical-sections.md 9, rows 4 and 5).
//! It is a record, not an inference, and outweighs what bytes suggest: most of all when it shows the event both made for
//! a section and closed. A closing alone may, now and then, be that of another handle that had the same value before.

use super::super::cause::Cause::{
    Copied, Corrupted, CrossProcess, Deleted, HandleClosed, MemoryReleased, NeverInitialized,
};
use super::{Group, Row, row, w};
use crate::findings::FindingId;

pub(super) const ROWS: &[Row] = &[
    row(FindingId::HandleBadReferenceRecorded, Group::Opening, &[]),
    row(
        FindingId::HandleOpenedForSection,
        Group::Opening,
        &[
            w(HandleClosed, 1.5, "the value was the event of a section, as a closed handle's was"),
            w(Copied, 1.0, "the original's event was made by a lock function"),
            w(Deleted, 1.0, "Delete closes a section's event"),
            w(Corrupted, -4.0, "a stray write would have to hit on the value of a section's event"),
            w(
                NeverInitialized,
                -4.0,
                "old memory would have to hold the value of a section's event",
            ),
            w(CrossProcess, -2.0, "the event was made in this process"),
        ],
    ),
    row(
        FindingId::HandleOpenedByOtherCode,
        Group::Opening,
        &[
            w(Corrupted, 1.0, "the value in LockSemaphore is that of a handle of other code"),
            w(NeverInitialized, 0.7, "old memory may hold the handle of other code"),
            w(
                HandleClosed,
                -1.0,
                "the section's own opening and closing would have to be older than the trace",
            ),
            w(Copied, -0.7, "the original's opening would have to be older than the trace"),
        ],
    ),
    row(
        FindingId::HandleNeverOpenedHere,
        Group::Opening,
        &[
            w(Corrupted, 0.7, "a wild value was never opened; but the trace is a ring and forgets"),
            w(NeverInitialized, 0.5, "a value of old memory was never opened; but a ring forgets"),
            w(HandleClosed, -0.7, "the closing would be the newest part of the handle's history"),
            w(Copied, -0.5, "the original's deletion would have closed it"),
        ],
    ),
    row(
        FindingId::HandleClosedByOtherCode,
        Group::Closing,
        &[
            w(HandleClosed, 2.5, "the kernel recorded who closed it, and it was no lock function"),
            w(Corrupted, -1.0, "a wild value may by chance be that of a handle that was closed"),
            w(
                NeverInitialized,
                -1.0,
                "a value of old memory may be that of a handle that was closed",
            ),
            w(Deleted, -3.0, "Delete did not close it"),
            w(Copied, -2.0, "the original's deletion did not close it"),
        ],
    ),
    row(
        FindingId::HandleClosedByDelete,
        Group::Closing,
        &[
            w(Deleted, 5.0, "the kernel recorded that Delete closed it"),
            w(MemoryReleased, 1.5, "Delete often precedes the release"),
            w(Copied, 4.0, "the deletion may be that of the original"),
            w(HandleClosed, -5.0, "Delete closed it, not other code"),
            w(Corrupted, -2.0, "the handle was open and was closed by Delete"),
            w(NeverInitialized, -4.0, "the handle was the event of a section"),
        ],
    ),
    row(
        FindingId::HandleClosedByOtherDelete,
        Group::Closing,
        &[
            w(Copied, 3.5, "the original was deleted, and the copy is used on"),
            w(
                HandleClosed,
                0.5,
                "a Delete of reused memory closes whatever handle the memory holds",
            ),
            w(Deleted, -1.0, "the section that failed was not the one deleted"),
            w(Corrupted, -2.0, "the handle was open and was closed by Delete"),
            w(NeverInitialized, -2.0, "the handle was the event of a section"),
        ],
    ),
    row(
        FindingId::HandleClosedWithinNtdll,
        Group::Closing,
        &[
            w(
                Deleted,
                2.0,
                "Delete closes the event by itself; few other functions of ntdll close handles for an application",
            ),
            w(Copied, 1.5, "the deletion may be that of the original"),
            w(HandleClosed, -0.5, "CloseHandle goes through kernel32 or kernelbase"),
            w(Corrupted, -1.0, "the value was that of a handle of this process"),
            w(NeverInitialized, -1.0, "the value was that of a handle of this process"),
        ],
    ),
    row(
        FindingId::HandleClosedUnattributed,
        Group::Closing,
        &[
            w(HandleClosed, 0.7, "the handle was open and was closed"),
            w(Deleted, 0.7, "Delete may have closed it"),
            w(Copied, 0.7, "the original's deletion may have closed it"),
            w(Corrupted, -1.0, "the value was that of a handle of this process"),
            w(NeverInitialized, -1.0, "the value was that of a handle of this process"),
        ],
    ),
];
