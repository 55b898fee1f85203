//! What lies around the section says: memory, neighbours, threads, the end of its life, other sections.

use super::super::cause::Cause::{
    BadPointer, Copied, Corrupted, CrossProcess, Deleted, HandleClosed, MemoryReleased,
    NeverInitialized,
};
use super::{Group, Row, row, w};
use crate::findings::FindingId;

pub(super) const ROWS: &[Row] = &[
    row(
        FindingId::MoreWaitersThanThreads,
        Group::Waiters,
        &[
            w(Corrupted, 2.0, "LockCount is not a count of threads"),
            w(NeverInitialized, 2.0, "LockCount is not a count of threads"),
            w(MemoryReleased, 1.4, "another object may live there now, with any bytes"),
            w(BadPointer, 1.4, "what is no section can hold any bytes"),
            w(HandleClosed, -3.0, "a healthy section counts real threads"),
            w(Copied, -1.5, "a copy of a live section counts real threads"),
        ],
    ),
    row(
        FindingId::WaitersBeyondThreads,
        Group::Waiters,
        &[
            w(CrossProcess, 2.0, "threads of another process wait there too"),
            w(Corrupted, 1.0, "a small number may have been written over it"),
            w(NeverInitialized, 0.5, "old memory may hold a section of more threads"),
            w(HandleClosed, -2.0, "a healthy section counts threads of this process"),
        ],
    ),
    row(
        FindingId::NeverContendedBefore,
        Group::RealEvent,
        &[
            w(Corrupted, 3.0, "no event was made before: something else put the value there"),
            w(HandleClosed, -3.0, "there was no event that could be closed"),
            w(Copied, -0.5, "a copy of a section that nobody waited for has no handle"),
        ],
    ),
    row(
        FindingId::OnOwnStack,
        Group::Memory,
        &[
            w(
                NeverInitialized,
                0.0,
                "locals begin with what earlier calls left, as other memory does",
            ),
            w(CrossProcess, -2.0, "a stack is no shared memory"),
            w(
                Corrupted,
                -0.7,
                "an overrun on a stack mostly goes on to the return address, and the crash is there",
            ),
        ],
    ),
    row(
        FindingId::Misaligned,
        Group::Memory,
        &[
            w(BadPointer, 3.0, "compilers align sections; only packed structures do not"),
            w(MemoryReleased, -2.0, "a section that was there before was aligned too"),
        ],
    ),
    row(
        FindingId::NeighbourRunsInFromBefore,
        Group::Neighbours,
        &[
            w(Corrupted, 3.0, "the overrun comes from the object before"),
            w(
                NeverInitialized,
                -1.0,
                "the text would have to continue from the neighbour by chance",
            ),
            w(HandleClosed, -2.0, "the section was overwritten"),
        ],
    ),
    row(
        FindingId::NeighbourRunsInFromBehind,
        Group::Neighbours,
        &[
            w(Corrupted, 3.0, "the underrun comes from the object behind"),
            w(
                NeverInitialized,
                -1.0,
                "the pattern would have to continue into the neighbour by chance",
            ),
            w(HandleClosed, -2.0, "the section was overwritten"),
        ],
    ),
    row(
        FindingId::AddressInNullPage,
        Group::Memory,
        &[
            w(BadPointer, 6.0, "a NULL pointer plus an offset"),
            w(MemoryReleased, -6.0, "nothing is ever allocated there"),
        ],
    ),
    row(
        FindingId::AddressImpossible,
        Group::Memory,
        &[
            w(BadPointer, 5.0, "no object can have this address"),
            w(MemoryReleased, -4.0, "nothing was ever allocated there"),
        ],
    ),
    row(
        FindingId::AddressInCode,
        Group::Memory,
        &[
            w(BadPointer, 4.0, "sections live in writable memory"),
            w(MemoryReleased, -2.0, "the memory is there and belongs to a module"),
        ],
    ),
    row(
        FindingId::PointsIntoSection,
        Group::Memory,
        &[
            w(BadPointer, 4.3, "a section does not begin inside another"),
            w(Corrupted, -1.5, "the fields are those of another section, and in order there"),
            w(NeverInitialized, 0.0, "old memory may hold a section's bytes a few words off"),
            w(MemoryReleased, -1.0, "a section lives there"),
        ],
    ),
    row(
        FindingId::SectionNotWritable,
        Group::Memory,
        &[
            w(BadPointer, 2.0, "sections live in writable memory"),
            w(MemoryReleased, -2.0, "the memory is there"),
            w(Deleted, -2.0, "deletion does not change the protection of memory"),
        ],
    ),
    row(
        FindingId::ChangedSince,
        Group::EndOfLife,
        &[
            w(Deleted, 2.0, "deleted, and perhaps made anew, while Leave was under way"),
            w(MemoryReleased, 1.5, "released and reused while Leave was under way"),
            w(Corrupted, 0.5, "written over while Leave was under way"),
        ],
    ),
    row(
        FindingId::MemoryFree,
        Group::Memory,
        &[
            w(MemoryReleased, 2.5, "an aligned address in user space whose memory was given back"),
            w(BadPointer, 1.0, "a wild pointer can hit free address space too"),
            w(Deleted, 1.0, "freed memory was usually deleted first"),
        ],
    ),
    row(
        FindingId::InUnloadedModule,
        Group::Memory,
        &[
            w(MemoryReleased, 6.0, "the section was static data of a module that is gone"),
            w(Deleted, 0.5, "its destructor may have run first"),
        ],
    ),
    row(
        FindingId::AbsentFromFullMemory,
        Group::Memory,
        &[
            w(MemoryReleased, 2.0, "a full dump has all memory that the process had"),
            w(BadPointer, 1.0, "a wild pointer hits nothing either"),
        ],
    ),
    row(
        FindingId::MemoryMapped,
        Group::Memory,
        &[
            w(CrossProcess, 4.0, "a mapped view may be shared with another process"),
            w(HandleClosed, -2.0, "the handle may be another process's"),
            w(NeverInitialized, -1.0, "another process may have initialised it"),
        ],
    ),
    row(
        FindingId::SharedModuleData,
        Group::Memory,
        &[
            w(CrossProcess, 4.0, "the linker was told to share it with other processes"),
            w(HandleClosed, -2.0, "the handle may be another process's"),
            w(NeverInitialized, -1.0, "another process may have initialised it"),
        ],
    ),
    row(
        FindingId::OnDeadStack,
        Group::Memory,
        &[
            w(MemoryReleased, 4.0, "the frame that held the section has returned"),
            w(NeverInitialized, 1.0, "stack memory holds old values"),
        ],
    ),
    row(
        FindingId::OnOtherStack,
        Group::Memory,
        &[w(MemoryReleased, 1.7, "the owning frame may return while this thread still uses it")],
    ),
    row(
        FindingId::WaitersParked,
        Group::Waiters,
        &[
            w(CrossProcess, -1.0, "the waiters are of this process"),
            w(HandleClosed, 1.5, "real threads wait here, as many as counted"),
            w(Corrupted, 1.2, "the section worked up to the damage"),
            w(NeverInitialized, -2.0, "the section worked before"),
            w(Deleted, -0.5, "Delete zeroes the count"),
            w(Copied, 1.0, "threads can wait at a copy too"),
            w(BadPointer, -3.0, "threads wait at this address"),
        ],
    ),
    row(
        FindingId::WaitersMissing,
        Group::Waiters,
        &[
            w(CrossProcess, 2.5, "the counted waiters are in another process"),
            w(Corrupted, 1.5, "the counted waiters do not exist"),
            w(NeverInitialized, 1.5, "the counted waiters do not exist"),
            w(Copied, 2.0, "the counted waiters wait at the original"),
            w(HandleClosed, -2.0, "a signal is due only when a thread waits"),
        ],
    ),
    row(
        FindingId::DeleteResidue,
        Group::EndOfLife,
        &[
            w(Deleted, 1.5, "Delete was called shortly before"),
            w(MemoryReleased, 0.5, "Delete often precedes the release"),
        ],
    ),
    row(
        FindingId::ProcessExiting,
        Group::EndOfLife,
        &[
            w(Deleted, 1.5, "static objects are destroyed at exit"),
            w(MemoryReleased, 0.5, "modules are unloaded at exit"),
        ],
    ),
    row(
        FindingId::OtherSectionsLostHandles,
        Group::OtherSections,
        &[
            w(HandleClosed, 2.0, "one bug that closes strangers' handles hits several sections"),
            w(Corrupted, -0.5, "a stray write hits one"),
        ],
    ),
    row(FindingId::RunsUnderWine, Group::Environment, &[]),
    row(FindingId::RaisedByKernel, Group::Environment, &[]),
    row(
        FindingId::HeapBlockFree,
        Group::Memory,
        &[
            w(MemoryReleased, 4.0, "the heap counts the memory as free"),
            w(Deleted, 1.0, "freed memory was usually deleted first"),
            w(Copied, 0.7, "a container that grew has copied it, and freed its old block"),
            w(HandleClosed, -1.5, "a section in use is not in a free block"),
            w(NeverInitialized, -1.0, "a section in use is not in a free block"),
        ],
    ),
    row(
        FindingId::HeapBlockBusy,
        Group::Memory,
        &[
            w(
                MemoryReleased,
                -0.7,
                "the heap counts the memory as in use, if only by another object",
            ),
            w(CrossProcess, -2.0, "a block of a heap is no shared memory"),
        ],
    ),
    row(
        FindingId::ListLinksInside,
        Group::Memory,
        &[
            w(
                MemoryReleased,
                3.0,
                "heaps keep free blocks on such lists, and other objects have links too",
            ),
            w(Deleted, 1.0, "freed memory was usually deleted first"),
            w(BadPointer, 1.0, "it may be another object altogether"),
            w(
                NeverInitialized,
                0.3,
                "fresh memory keeps old links, whose neighbours seldom still point back",
            ),
            w(HandleClosed, -5.0, "a healthy section has no links"),
            w(Copied, -3.0, "a copy of a live section has no links"),
        ],
    ),
    row(
        FindingId::WaitersByAddress,
        Group::Waiters,
        &[
            w(
                Corrupted,
                3.0,
                "the section worked without an event, until LockSemaphore was written over",
            ),
            w(HandleClosed, -3.0, "threads that wait by address use no event that could be closed"),
            w(NeverInitialized, -3.0, "the section worked before"),
            w(Copied, -2.0, "the threads wait at this very address"),
            w(CrossProcess, -1.0, "the waiters are of this process"),
            w(Deleted, -1.0, "Delete zeroes the count"),
            w(MemoryReleased, -1.0, "the section worked while the threads came"),
            w(BadPointer, -4.0, "threads wait at this address"),
        ],
    ),
    row(
        FindingId::NoWaiterByAddress,
        Group::Waiters,
        &[
            w(CrossProcess, 1.0, "the counted waiters are in another process"),
            w(Corrupted, 1.0, "the counted waiters do not exist"),
            w(NeverInitialized, 1.0, "the counted waiters do not exist"),
            w(Copied, 1.5, "the counted waiters wait at the original"),
            w(HandleClosed, -1.0, "a signal is due only when a thread waits"),
        ],
    ),
    row(
        FindingId::WaitersGoneAtExit,
        Group::Waiters,
        &[
            w(Deleted, 0.3, "static objects are destroyed when their waiters have ended"),
            w(NeverInitialized, -0.3, "threads have waited here"),
        ],
    ),
    row(
        FindingId::OwnerExited,
        Group::Owner,
        &[
            w(NeverInitialized, -1.0, "a thread of this process has entered the section"),
            w(BadPointer, -1.0, "a thread of this process has entered the section"),
            w(Deleted, 0.3, "its user ended without leaving it"),
            w(MemoryReleased, 0.3, "its user ended without leaving it"),
            w(Corrupted, 0.1, "an id can be hit by chance"),
        ],
    ),
    row(
        FindingId::OwnerUnknown,
        Group::Owner,
        &[
            w(CrossProcess, 1.5, "the owner may be a thread of another process"),
            w(Corrupted, 0.7, "ntdll stores ids of threads only"),
            w(NeverInitialized, 0.5, "old memory can hold any number"),
            w(MemoryReleased, 0.5, "reused memory can hold any number"),
            w(BadPointer, 0.5, "what is no section can hold any bytes"),
            w(HandleClosed, -0.5, "a healthy section is owned by a thread of the process"),
            w(Copied, -0.5, "a copy's owner was a thread of the process too"),
        ],
    ),
    row(
        FindingId::OwnerInside,
        Group::Owner,
        &[
            w(HandleClosed, 0.3, "the section itself works"),
            w(Copied, 0.3, "a copy of a live section works too"),
            w(
                NeverInitialized,
                -1.0,
                "old memory seldom names a live thread and counts that agree",
            ),
            w(Deleted, -2.5, "Delete would have zeroed it"),
            w(BadPointer, -3.0, "only a section has an owner"),
        ],
    ),
    row(
        FindingId::LibraryUnloading,
        Group::EndOfLife,
        &[
            w(Deleted, 0.7, "a library's static objects are destroyed when it is unloaded"),
            w(MemoryReleased, 0.4, "the library's data goes with it"),
        ],
    ),
    row(
        FindingId::StaticSectionAtExit,
        Group::EndOfLife,
        &[
            w(Deleted, 2.0, "static objects are destroyed at exit, in an order that few think of"),
            w(MemoryReleased, 0.5, "modules are unloaded at exit"),
            w(Corrupted, -0.5, "the end of the process explains the failure better"),
            w(HandleClosed, -0.5, "the end of the process explains the failure better"),
        ],
    ),
    row(
        FindingId::NeighboursDamagedAlike,
        Group::OtherSections,
        &[
            w(Corrupted, 1.5, "one overrun in a class damages each of its objects"),
            w(NeverInitialized, 0.2, "objects that nobody initialised lie side by side too"),
            w(HandleClosed, -1.0, "the sections were overwritten"),
        ],
    ),
    row(
        FindingId::ClonedProcess,
        Group::Process,
        &[
            w(
                CrossProcess,
                3.0,
                "handles are not inherited by a clone, and its sections still name them",
            ),
            w(HandleClosed, -0.7, "nobody in the clone closed them"),
            w(NeverInitialized, -0.7, "the original initialised it"),
        ],
    ),
    row(
        FindingId::LastErrorInvalidHandle,
        Group::LastError,
        &[w(HandleClosed, 0.2, "code that misuses handles ran in this thread")],
    ),
    row(FindingId::HandleChecksOn, Group::Environment, &[]),
    row(FindingId::VersionsDisagree, Group::Environment, &[]),
    row(FindingId::VersionUncertain, Group::Environment, &[]),
    row(FindingId::EncodingOverrulesVersion, Group::Environment, &[]),
];
