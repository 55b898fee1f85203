//! What the handle says: its value, its slot, and where the section's real event is.

use super::super::cause::Cause::{
    BadPointer, Copied, Corrupted, CrossProcess, Deleted, HandleClosed, MemoryReleased,
    NeverInitialized,
};
use super::{Group, Row, row, w};
use crate::findings::FindingId;

pub(super) const ROWS: &[Row] = &[
    row(
        FindingId::HandleSlotEmpty,
        Group::HandleSlot,
        &[
            w(HandleClosed, 0.5, "a closed handle leaves an empty slot; so does a wild value"),
            w(Copied, 0.5, "so does the original's deletion"),
        ],
    ),
    row(
        FindingId::HandleInLiveRange,
        Group::HandleValue,
        &[
            w(CrossProcess, 1.0, "another process has handles of the same size"),
            w(HandleClosed, 2.0, "the value is one that the kernel hands out"),
            w(Copied, 2.0, "a copy keeps the handle of its original"),
            w(Deleted, 1.0, "Delete closes a real handle"),
            w(Corrupted, -0.8, "a stray write seldom leaves an unused small multiple of 4"),
            w(NeverInitialized, -1.0, "old memory seldom holds a small multiple of 4 just here"),
        ],
    ),
    row(
        FindingId::HandleSmallMultipleOfFour,
        Group::HandleValue,
        &[
            w(
                HandleClosed,
                1.2,
                "the value could be a handle; no handle stream says whether it is open",
            ),
            w(Copied, 1.2, "a copy keeps the handle of its original"),
            w(Corrupted, -0.6, "a stray write seldom leaves a small multiple of 4"),
            w(NeverInitialized, -0.6, "old memory seldom holds a small multiple of 4 just here"),
        ],
    ),
    row(
        FindingId::HandleBeyondLiveRange,
        Group::HandleValue,
        &[
            w(
                Corrupted,
                2.5,
                "the kernel hands out low values first; this one is far above all open ones",
            ),
            w(NeverInitialized, 1.0, "old memory can hold any number"),
            w(MemoryReleased, 0.9, "reused memory can hold any number"),
            w(BadPointer, 0.9, "what is no section can hold any bytes"),
            w(HandleClosed, -2.0, "the handle table would once have had to be far larger"),
            w(Copied, -1.5, "the original's handle would have come from the same table"),
        ],
    ),
    row(
        FindingId::HandleImplausible,
        Group::HandleValue,
        &[
            w(Corrupted, 2.0, "ntdll never stores such a value"),
            w(NeverInitialized, 2.0, "old memory can hold any number"),
            w(MemoryReleased, 1.4, "reused memory can hold any number"),
            w(BadPointer, 1.4, "what is no section can hold any bytes"),
            w(HandleClosed, -6.0, "the kernel never hands out such a value"),
            w(Copied, -3.0, "the original's handle would have been a real one"),
        ],
    ),
    row(
        FindingId::SlotHoldsSectionEvent,
        Group::HandleSlot,
        &[
            w(HandleClosed, 0.5, "the slot was filled again after the failure"),
            w(NeverInitialized, -1.0, "old memory seldom names a live event"),
        ],
    ),
    row(
        FindingId::SlotHoldsForeignEvent,
        Group::HandleSlot,
        &[
            w(
                HandleClosed,
                2.5,
                "the slot went to a stranger after the section's event was closed",
            ),
            w(Copied, 1.0, "the same after the original was deleted"),
            w(NeverInitialized, -1.0, "old memory seldom names a live handle"),
        ],
    ),
    row(
        FindingId::SlotHoldsOtherObject,
        Group::HandleSlot,
        &[
            w(
                HandleClosed,
                2.5,
                "the slot went to another object after the section's event was closed",
            ),
            w(Copied, 1.5, "the same after the original was deleted"),
            w(Deleted, 0.5, "the same after a Delete that raced with Leave"),
            w(Corrupted, 0.3, "a stray small number can name a live handle by chance"),
            w(NeverInitialized, -1.0, "old memory seldom names a live handle"),
        ],
    ),
    row(
        FindingId::SlotHoldsWritersFile,
        Group::HandleSlot,
        &[w(
            HandleClosed,
            0.5,
            "the slot was free at the failure: the writer's file took it afterwards",
        )],
    ),
    row(
        FindingId::OneBitFromOpenEvent,
        Group::RealEvent,
        &[
            w(Corrupted, 3.0, "the section's own event is open under a value one bit away"),
            w(HandleClosed, -2.0, "the event of a closed handle is not open"),
            w(Copied, -2.5, "the original's event would have been closed"),
            w(Deleted, -2.5, "Delete would have closed the event"),
            w(NeverInitialized, -1.5, "old memory would not be one bit from an open event"),
        ],
    ),
    row(
        FindingId::UnclaimedEvent,
        Group::RealEvent,
        &[
            w(
                Corrupted,
                2.0,
                "an open event of ntdll's kind without a section is likely this section's own",
            ),
            w(HandleClosed, -1.5, "the event of a closed handle is not open"),
            w(
                Copied,
                -1.0,
                "the original's event would have been closed, or claimed by the original",
            ),
        ],
    ),
    row(
        FindingId::NoUnclaimedEvent,
        Group::RealEvent,
        &[
            w(CrossProcess, 1.0, "the event is open in another process"),
            w(HandleClosed, 1.5, "the section's own event is open nowhere: it was closed"),
            w(Deleted, 0.5, "Delete closes the event too"),
            w(Copied, 1.0, "the original's event was closed with it"),
            w(Corrupted, -1.5, "after a stray write the real event would still be open"),
        ],
    ),
    row(
        FindingId::WaitersUseOtherHandle,
        Group::RealEvent,
        &[
            w(
                Corrupted,
                3.5,
                "the waiters hold the handle that LockSemaphore had before it was overwritten",
            ),
            w(
                MemoryReleased,
                3.0,
                "the waiters hold the handle that stood there before the memory was used anew",
            ),
            w(HandleClosed, -3.5, "nobody closed the handle that the waiters use"),
            w(Copied, -1.0, "a copy has the handle of its original"),
            w(NeverInitialized, -3.0, "the waiters entered a working section"),
            w(Deleted, -3.0, "Delete closes the handle that the waiters use"),
        ],
    ),
    row(
        FindingId::WaitersUseThisHandle,
        Group::RealEvent,
        &[
            w(HandleClosed, 3.0, "the waiters went to sleep on this very handle when it was valid"),
            w(Corrupted, -4.0, "LockSemaphore still holds what the waiters use"),
            w(NeverInitialized, -4.0, "a handle that threads sleep on was once real"),
            w(
                Copied,
                3.0,
                "waiters of a copy went to sleep on its original's handle, when that was valid",
            ),
        ],
    ),
    row(
        FindingId::EventsImpossible,
        Group::EventMode,
        &[
            w(Corrupted, 2.5, "this Windows stores 0 or -1 there, never a handle"),
            w(NeverInitialized, 2.5, "old memory can hold anything"),
            w(CrossProcess, 1.0, "another process may have been in event mode"),
            w(Deleted, 0.5, "reused memory can hold anything"),
        ],
    ),
    row(
        FindingId::EventsUnlikely,
        Group::EventMode,
        &[
            w(
                HandleClosed,
                -3.0,
                "this Windows creates events only with a rare compatibility setting",
            ),
            w(Corrupted, 0.5, "this Windows nearly always stores 0 or -1 there"),
            w(NeverInitialized, 0.5, "old memory can hold anything"),
        ],
    ),
    row(
        FindingId::ContendedWithoutRecord,
        Group::EventMode,
        &[
            w(Corrupted, 1.5, "a wait would have attached a debug record"),
            w(NeverInitialized, 1.0, "the fields were not made by this ntdll"),
            w(HandleClosed, -2.0, "a healthy waited-for section has a record"),
        ],
    ),
    row(
        FindingId::SlotWasTaken,
        Group::HandleSlot,
        &[
            w(
                HandleClosed,
                1.5,
                "the slot was handed out again after the section's event was closed",
            ),
            w(Copied, 1.0, "the same after the original was deleted"),
            w(Deleted, 0.3, "the same after a Delete that raced with Leave"),
            w(Corrupted, 0.2, "a stray small number can name a live handle by chance"),
            w(NeverInitialized, -0.5, "old memory seldom names a live handle"),
        ],
    ),
];
