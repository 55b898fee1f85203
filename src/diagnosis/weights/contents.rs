//! What else the bytes may be, and whether the place can hold old bytes.

use super::super::cause::Cause::{
    BadPointer, Copied, Corrupted, CrossProcess, Deleted, HandleClosed, MemoryReleased,
    NeverInitialized, NotOwner,
};
use super::{Group, Row, row, w};
use crate::findings::FindingId;

pub(super) const ROWS: &[Row] = &[
    row(
        FindingId::PointsToSection,
        Group::Contents,
        &[
            w(BadPointer, 5.0, "the pointer to a section was passed by its own address"),
            w(MemoryReleased, 0.5, "another object that refers to a section may live there now"),
            w(NeverInitialized, -0.5, "old memory may hold a pointer to a section"),
            w(Corrupted, -2.0, "a stray write seldom leaves the address of a section"),
            w(HandleClosed, -5.0, "a section's first word is no section's address"),
            w(Copied, -4.0, "a copy's first word is no section's address"),
        ],
    ),
    row(
        FindingId::FunctionTableInside,
        Group::Contents,
        &[
            w(BadPointer, 3.0, "the object's address was passed for that of its section"),
            w(MemoryReleased, 2.5, "another object lives there now"),
            w(NeverInitialized, 1.0, "old memory may hold an object of its last owner"),
            w(Corrupted, -2.0, "a stray write seldom leaves the address of a table of functions"),
            w(HandleClosed, -5.0, "a healthy section has a record or -1"),
            w(Copied, -4.0, "a copy of a live section has a record or -1"),
            w(Deleted, -2.0, "Delete leaves zeros"),
        ],
    ),
    row(
        FindingId::StaticStorageWritten,
        Group::Storage,
        &[
            w(
                NeverInitialized,
                -1.1,
                "static data begins as zeros; old bytes need a buffer there that is used for objects",
            ),
            w(Corrupted, 0.5, "something wrote there since the module was loaded"),
            w(BadPointer, 0.5, "it may be another variable"),
            w(MemoryReleased, -1.8, "few programs make objects with locks in a static arena"),
        ],
    ),
    row(
        FindingId::StaticStorageReplaced,
        Group::Storage,
        &[
            w(
                NeverInitialized,
                -1.1,
                "static data begins as zeros; old bytes need a buffer there that is used for objects",
            ),
            w(BadPointer, 0.5, "it may be another variable"),
            w(
                Corrupted,
                -0.4,
                "an overrun that leaves no field comes from a neighbour, and mostly shows there",
            ),
            w(
                MemoryReleased,
                -1.3,
                "few programs make objects with locks in a static arena, but there its pieces are used anew as a whole",
            ),
        ],
    ),
    row(
        FindingId::StaticNotNamed,
        Group::StaticPlace,
        &[
            w(MemoryReleased, 1.8, "the program has placed it in an arena of its own"),
            w(NeverInitialized, 0.5, "it may be an element of an array that is used anew"),
            w(Corrupted, -0.5, "a static section is mostly named by its code"),
        ],
    ),
    row(
        FindingId::PoolCell,
        Group::StaticPlace,
        &[
            w(
                MemoryReleased,
                1.8,
                "a cell goes from owner to owner, and the list of sections does not hear of it",
            ),
            w(NeverInitialized, 1.3, "a cell comes from the pool as its last owner left it"),
        ],
    ),
    row(
        FindingId::PoolLink,
        Group::StaticPlace,
        &[
            w(MemoryReleased, 3.0, "the pool has the cell again, or its next owner has linked it"),
            w(
                NeverInitialized,
                2.5,
                "the link is the pool's own: nothing was made in the cell since",
            ),
            w(Deleted, 1.0, "the cell went back after its section was deleted"),
            w(Corrupted, -1.0, "a stray write seldom leaves the address of another cell"),
        ],
    ),
    row(
        FindingId::PoolTookBack,
        Group::Contents,
        &[
            w(Deleted, 2.0, "the object went back to its pool after its section was deleted"),
            w(MemoryReleased, 1.5, "the pool has the cell again, and clears a part of it"),
            w(
                NeverInitialized,
                1.7,
                "an object was begun in the cell, and its first field not set",
            ),
            w(Corrupted, -1.0, "a stray write seldom leaves the address of another cell"),
        ],
    ),
    row(
        FindingId::PointerByAddress,
        Group::Beginning,
        &[
            w(BadPointer, 4.0, "the pointer's own address was taken for the object's"),
            w(Corrupted, -2.0, "the object's section is whole, and elsewhere"),
            w(MemoryReleased, -1.5, "the object is whole, and elsewhere"),
            w(NeverInitialized, -1.5, "the object's section was made, and is elsewhere"),
        ],
    ),
    row(
        FindingId::OtherBase,
        Group::Beginning,
        &[
            w(
                BadPointer,
                4.0,
                "the object's first base was taken for the one that has the section",
            ),
            w(Corrupted, -2.0, "the section of this object is whole, and elsewhere"),
            w(MemoryReleased, -1.0, "the object is whole"),
            w(NeverInitialized, -1.0, "the object is whole, and its section was made"),
        ],
    ),
    row(
        FindingId::ContentsBeginInBlock,
        Group::Contents,
        &[
            w(BadPointer, 0.7, "a text that is a field of the object has just this address"),
            w(NeverInitialized, 0.7, "an object that had a text here was there before"),
            w(MemoryReleased, -0.5, "a text that was given the block would begin with it"),
            w(Corrupted, -1.0, "an overrun comes from before the section"),
        ],
    ),
    row(
        FindingId::ContentsBeginHere,
        Group::Contents,
        &[
            w(BadPointer, 0.7, "a text has just this address"),
            w(NeverInitialized, 0.7, "a block that held a text before begins here"),
            w(MemoryReleased, 0.7, "a block that holds a text now begins here"),
            w(Corrupted, -1.5, "an overrun comes from before the section"),
        ],
    ),
    row(
        FindingId::TextGoesOn,
        Group::TextExtent,
        &[w(Corrupted, -1.2, "an overrun mostly ends in the section, or soon behind it")],
    ),
    row(
        FindingId::TextGoesFarOn,
        Group::TextExtent,
        &[w(Corrupted, -2.3, "an overrun seldom writes so much more than its buffer holds")],
    ),
    row(
        FindingId::ContentsBeginBefore,
        Group::Contents,
        &[w(BadPointer, -1.5, "a pointer seldom leads into the middle of a text")],
    ),
    row(
        FindingId::FillWithoutAllocator,
        Group::Allocator,
        &[
            w(NeverInitialized, 2.0, "a program's own fill of fresh memory looks the same"),
            w(Corrupted, 1.5, "a program's own fill that went too far looks the same"),
            w(MemoryReleased, -0.7, "a program's own allocator picks its own pattern"),
            w(BadPointer, 1.0, "the pointer may lead into a filled buffer"),
        ],
    ),
    row(
        FindingId::RepeatedByte,
        Group::Pattern,
        &[
            w(NeverInitialized, 3.0, "a program's own fill of fresh memory"),
            w(MemoryReleased, 3.0, "a program's own fill of memory that it gave back"),
            w(Corrupted, 2.3, "a fill that went too far"),
            w(BadPointer, 2.0, "the pointer may lead into a filled buffer"),
            w(HandleClosed, -6.0, "the kernel never hands out such a value"),
            w(Copied, -3.0, "a copy of a live section is no pattern"),
        ],
    ),
    row(
        FindingId::DebugInfoInModule,
        Group::Contents,
        &[
            w(BadPointer, 2.0, "objects begin with the address of a table or of a constant"),
            w(MemoryReleased, 1.5, "another object lives there now"),
            w(NeverInitialized, 1.0, "old memory may hold an object of its last owner"),
            w(HandleClosed, -3.0, "records lie in ntdll and in the heap"),
            w(Copied, -2.0, "records lie in ntdll and in the heap"),
            w(Corrupted, -1.2, "an overrun seldom writes the address of a module's data just here"),
        ],
    ),
    row(
        FindingId::ListLacksSection,
        Group::DebugRecord,
        &[
            w(NeverInitialized, 0.5, "a section that nobody initialised is on no list"),
            w(BadPointer, 0.7, "what is no section is on no list"),
            w(Copied, 0.5, "the original's record is listed for the original"),
            w(Deleted, 0.5, "Delete takes the record off the list"),
            w(CrossProcess, 0.5, "the section is on the other process's list"),
            w(MemoryReleased, -0.7, "released without Delete it would still be listed"),
            w(
                Corrupted,
                -2.3,
                "an overwritten section is still on the list, if it was made with a record",
            ),
            w(HandleClosed, -1.7, "a healthy section is on the list, if it was made with a record"),
        ],
    ),
    row(
        FindingId::ListLeadsToRecord,
        Group::DebugRecord,
        &[
            w(Corrupted, 3.5, "the record was overwritten where it stands"),
            w(Copied, -2.0, "the original's deletion would have taken the record off the list"),
            w(NeverInitialized, -2.0, "the record was linked by an initialisation"),
            w(Deleted, -2.0, "Delete takes the record off the list"),
            w(BadPointer, -2.0, "the first word leads to a linked record"),
        ],
    ),
    row(
        FindingId::OnlyRecordDamaged,
        Group::Shape,
        &[
            w(Corrupted, 2.5, "everything but DebugInfo is in order: one write hit it"),
            w(
                NeverInitialized,
                -1.0,
                "only an initialiser written by hand leaves the rest in order",
            ),
            w(MemoryReleased, 0.5, "heaps write into the first words of a freed block"),
            w(BadPointer, -1.5, "what is no section would not be right everywhere else"),
            w(Deleted, -1.5, "Delete zeroes the counts too"),
        ],
    ),
    row(
        FindingId::OnlyRecordRedirected,
        Group::Shape,
        &[
            w(Corrupted, 2.3, "everything but DebugInfo is in order: one write hit it"),
            w(MemoryReleased, 1.5, "a free block's first word is the link to the next one"),
            w(Copied, 0.5, "the original's record was given back, and its memory used anew"),
            w(NeverInitialized, -1.0, "old memory would not be right everywhere else"),
            w(BadPointer, -1.5, "what is no section would not be right everywhere else"),
            w(Deleted, -1.5, "Delete zeroes the counts too"),
        ],
    ),
    row(
        FindingId::OnlyRecordNull,
        Group::Shape,
        &[
            w(Corrupted, 1.8, "one write of zero hit DebugInfo"),
            w(
                NeverInitialized,
                1.8,
                "an initialiser written by hand leaves DebugInfo 0 and the rest in order",
            ),
            w(MemoryReleased, 0.8, "the last block of a free list has a link of 0"),
            w(BadPointer, -1.5, "what is no section would not be right everywhere else"),
            w(Deleted, -1.5, "Delete zeroes the counts too"),
        ],
    ),
    row(
        FindingId::HeadForeign,
        Group::Shape,
        &[
            w(Corrupted, 1.5, "the object before may have run over into the first fields"),
            w(
                MemoryReleased,
                1.3,
                "another object, or the links of a free list, may lie there now",
            ),
            w(BadPointer, 1.3, "it may be no section at all"),
            w(NeverInitialized, 1.0, "old memory may be zero in places"),
        ],
    ),
    row(
        FindingId::AddressIsText,
        Group::Contents,
        &[w(
            BadPointer,
            2.5,
            "text was taken for a pointer; one address in fifty looks so by chance",
        )],
    ),
    row(
        FindingId::SectionNearBy,
        Group::Neighbours,
        &[
            w(BadPointer, 1.3, "the address of the object was passed for that of its section"),
            w(Corrupted, -0.5, "the section of this object lies elsewhere"),
        ],
    ),
    row(
        FindingId::UnloadedModuleReused,
        Group::Memory,
        &[w(
            MemoryReleased,
            1.5,
            "the section was static data of a module that is gone; ranges are given out again",
        )],
    ),
    row(
        FindingId::FarFromMemory,
        Group::Neighbours,
        &[
            w(BadPointer, 1.2, "a wild address can lie anywhere"),
            w(MemoryReleased, -0.3, "memory that was given back mostly lay among other memory"),
        ],
    ),
    row(
        FindingId::FreeYetNobodyWoken,
        Group::Waiters,
        &[
            w(
                Corrupted,
                4.0,
                "the count was moved by other code: a Leave marks the waiter it wakes",
            ),
            w(
                NotOwner,
                -2.5,
                "the owner's Leave would have woken a waiter; only between two steps it has not yet",
            ),
            w(MemoryReleased, 1.0, "another object may live there now, with any bytes"),
        ],
    ),
    row(
        FindingId::BesideMemory,
        Group::Neighbours,
        &[
            w(BadPointer, 2.0, "an index that leads out of a table: the table is there"),
            w(
                MemoryReleased,
                -0.5,
                "what was given back seldom lay so close to what is still there",
            ),
        ],
    ),
    row(
        FindingId::AddressIsTwoNumbers,
        Group::Contents,
        &[
            w(BadPointer, 1.5, "two fields were read as one pointer"),
            w(
                MemoryReleased,
                -0.5,
                "memory seldom lies within 64 KiB of a multiple of 4 GiB, unless the program wants it there",
            ),
        ],
    ),
    row(
        FindingId::ListLacksGoneSection,
        Group::DebugRecord,
        &[
            w(Deleted, 0.5, "a destructor deletes, then the memory goes"),
            w(BadPointer, 0.7, "what is no section is on no list"),
            w(
                MemoryReleased,
                -0.6,
                "released without Delete it would still be listed; destructors delete first",
            ),
        ],
    ),
    row(
        FindingId::BeyondHeapBlock,
        Group::Contents,
        &[
            w(BadPointer, 2.5, "no object with a section there fits into the block"),
            w(MemoryReleased, 2.0, "the memory was cut anew since"),
            w(
                Corrupted,
                -3.0,
                "what is written over a section does not move the borders of its block",
            ),
            w(NeverInitialized, -3.0, "the object would not fit into its block"),
            w(HandleClosed, -3.0, "a live section lies inside one block"),
            w(NotOwner, -3.0, "a live section lies inside one block"),
            w(Copied, -2.0, "a copy needs as much room"),
            w(
                Deleted,
                -2.0,
                "a section that was deleted lies inside one block, unless that was freed too",
            ),
        ],
    ),
    row(
        FindingId::ZeroInFreeBlock,
        Group::Memory,
        &[
            w(Deleted, 2.0, "a destructor deletes the section, then the object is freed"),
            w(MemoryReleased, 2.0, "the heap counts the memory as free"),
            w(HandleClosed, -1.5, "a section in use is not in a free block"),
            w(NeverInitialized, -1.0, "a section in use is not in a free block"),
        ],
    ),
    row(
        FindingId::FrameOfAnother,
        Group::Memory,
        &[
            w(MemoryReleased, 3.0, "the function that had the section on its stack has returned"),
            w(BadPointer, 1.0, "it may be another variable"),
            w(Corrupted, -2.0, "no section is there to be overwritten"),
            w(NeverInitialized, -2.0, "no section is there to be initialised"),
            w(HandleClosed, -3.0, "no section is there"),
            w(Deleted, -1.0, "a local is deleted before its function returns"),
        ],
    ),
    row(
        FindingId::PointersInside,
        Group::Contents,
        &[
            w(BadPointer, 1.5, "another object has just this address"),
            w(MemoryReleased, 1.2, "another object lives there now"),
            w(NeverInitialized, 0.8, "old memory may hold an object of its last owner"),
            w(Corrupted, -1.5, "an overrun seldom writes the address of a module's data just here"),
            w(HandleClosed, -2.0, "a section holds no addresses of the program there"),
        ],
    ),
    row(
        FindingId::ZerosStillListed,
        Group::DebugRecord,
        &[
            w(Corrupted, 1.3, "somebody else than Delete has cleared the section"),
            w(
                MemoryReleased,
                1.3,
                "released without Delete, the section stays on the list, and the memory was cleared since",
            ),
            w(Deleted, -0.3, "Delete takes the record off the list"),
            w(NeverInitialized, -0.3, "the section was initialised"),
        ],
    ),
    row(
        FindingId::ClearedWhileListed,
        Group::DebugRecord,
        &[
            w(
                MemoryReleased,
                2.0,
                "released without Delete, the section stays on the list, and the memory was cleared for its next owner",
            ),
            w(Corrupted, 1.0, "somebody else than Delete has cleared the section"),
            w(Deleted, -2.5, "Delete takes the record off the list before it clears the section"),
            w(NeverInitialized, -1.7, "the section was initialised, or one that lay here before"),
        ],
    ),
    row(
        FindingId::ZerosGoOn,
        Group::Contents,
        &[
            w(NeverInitialized, 0.4, "what was never made is often zero as a whole"),
            w(Deleted, -0.3, "what was made and used mostly has data around its section"),
        ],
    ),
    row(
        FindingId::PageIsZero,
        Group::Contents,
        &[
            w(MemoryReleased, 1.4, "pages that were given back come again as zeros"),
            w(NeverInitialized, 0.5, "fresh pages are zero"),
            w(Deleted, -1.5, "Delete leaves the object's other fields"),
        ],
    ),
    row(
        FindingId::ZerosAmidData,
        Group::Contents,
        &[
            w(Deleted, 0.4, "what was made and used has data around its section"),
            w(
                NeverInitialized,
                -0.6,
                "the object around it is in use, and a section in use was made",
            ),
        ],
    ),
    row(
        FindingId::SleepersNotCounted,
        Group::Waiters,
        &[
            w(Corrupted, 2.0, "whoever sleeps has counted itself: the count was written over"),
            w(NotOwner, -1.0, "a Leave too many takes no sleeper out of the count"),
        ],
    ),
    row(
        FindingId::LeftTooOften,
        Group::Owner,
        &[
            w(NotOwner, 2.5, "each Leave without an Enter counts it down"),
            w(Corrupted, -0.5, "a stray write can leave any number, but seldom just below zero"),
        ],
    ),
    row(
        FindingId::AddressIsHalf,
        Group::Memory,
        &[
            w(BadPointer, 6.0, "a pointer was cut to 32 bits; the process still has all of it"),
            w(MemoryReleased, -2.0, "what was meant is the longer address"),
            w(Deleted, -2.0, "what was meant is the longer address"),
        ],
    ),
];
