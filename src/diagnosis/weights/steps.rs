//! What the program's code did, or never does, and where in its place the section is.

use super::super::cause::Cause::{
    BadPointer, Copied, Corrupted, CrossProcess, Deleted, HandleClosed, MemoryReleased,
    NeverInitialized, NotOwner,
};
use super::{Group, Row, row, w};
use crate::findings::FindingId;

pub(super) const ROWS: &[Row] = &[
    row(
        FindingId::DeletionBehind,
        Group::EndOfLife,
        &[
            w(Deleted, 2.5, "the program has just deleted it, or one like it"),
            w(NeverInitialized, -1.0, "what is deleted was made before"),
        ],
    ),
    row(
        FindingId::InitializationBehind,
        Group::Beginning,
        &[
            w(NeverInitialized, -3.5, "the program has initialised it"),
            w(BadPointer, -3.0, "the program has initialised a section at just this address"),
            w(Corrupted, 0.5, "a section was there to be written over"),
        ],
    ),
    row(
        FindingId::ReleaseBehind,
        Group::EndOfLife,
        &[
            w(MemoryReleased, 3.0, "the program has given back the memory that it is in"),
            w(Deleted, 1.0, "what is given back was mostly deleted before"),
            w(Corrupted, -1.0, "what is given back is the heap's, or a new owner's, to write to"),
        ],
    ),
    row(
        FindingId::EarlierReleaseBehind,
        Group::EndOfLife,
        &[
            w(MemoryReleased, 1.0, "the program has given back the memory that it is in"),
            w(Deleted, 0.5, "what is given back was mostly deleted before"),
            w(NeverInitialized, 0.5, "the memory was another object's before"),
        ],
    ),
    row(
        FindingId::InitializationAhead,
        Group::EndOfLife,
        &[
            w(NeverInitialized, 3.0, "the program has yet to come to the initialisation"),
            w(Deleted, -1.0, "what is yet to be made is not deleted"),
        ],
    ),
    row(
        FindingId::InitializationPerhapsAhead,
        Group::EndOfLife,
        &[w(
            NeverInitialized,
            1.0,
            "it was used before its time, unless the return address is an old one",
        )],
    ),
    row(
        FindingId::EnteredNotLeft,
        Group::Balance,
        &[
            w(
                NotOwner,
                -0.7,
                "of two threads that leave it at once, the one that owns it may fail",
            ),
            w(BadPointer, -1.0, "it could be entered"),
            w(Corrupted, 0.5, "what says otherwise was written over it"),
        ],
    ),
    row(
        FindingId::LeavesFollowEnters,
        Group::Balance,
        &[
            w(NotOwner, -3.5, "no code that has run leaves what it has not entered"),
            w(Copied, -1.5, "a copy that was entered is left like the original"),
        ],
    ),
    row(
        FindingId::NoInitializationBehind,
        Group::Beginning,
        &[
            w(NeverInitialized, 1.0, "nothing has come to its initialisation, if there is one"),
            w(BadPointer, 1.0, "nothing has ever made a section there"),
            w(Corrupted, -3.0, "there was no section that could be written over"),
            w(Deleted, -3.0, "what was never made is not deleted"),
            w(MemoryReleased, -1.0, "the memory that was given back held a section"),
        ],
    ),
    row(
        FindingId::NeverListed,
        Group::DebugRecord,
        &[w(
            MemoryReleased,
            -1.6,
            "memory that held a section would have had it on the list, or deleted from there",
        )],
    ),
    row(
        FindingId::LiveLocal,
        Group::Release,
        &[w(MemoryReleased, -2.5, "the memory of a live function's locals is not given back")],
    ),
    row(
        FindingId::MadeElsewhereInBlock,
        Group::Beginning,
        &[
            w(BadPointer, 2.0, "the section of such an object is elsewhere in it"),
            w(NeverInitialized, -0.7, "another class may be as large, and forget its section"),
            w(Corrupted, -1.5, "no section was made here to be written over"),
        ],
    ),
    row(
        FindingId::BaseIsKept,
        Group::Release,
        &[w(BadPointer, -1.0, "who had the memory still has the pointer to it")],
    ),
    row(
        FindingId::BlockBeganAsZeros,
        Group::Beginning,
        &[w(NeverInitialized, -2.0, "no earlier owner has left anything there")],
    ),
    row(
        FindingId::InitializationOpen,
        Group::Beginning,
        &[w(
            MemoryReleased,
            1.3,
            "of what was never made, it is mostly known that nothing made it",
        )],
    ),
    row(
        FindingId::DeletionOpen,
        Group::EndOfLife,
        &[w(MemoryReleased, 0.7, "what is given back was mostly deleted before")],
    ),
    row(
        FindingId::MadeInSuchBlock,
        Group::Beginning,
        &[
            w(
                NeverInitialized,
                -2.0,
                "a section was made here, unless the program forgot another of the class",
            ),
            w(BadPointer, -1.5, "a section was made at just this place of such a block"),
        ],
    ),
    row(
        FindingId::InitializationPerhapsBehind,
        Group::Beginning,
        &[w(BadPointer, -1.5, "code initialises a section at just this address")],
    ),
    row(
        FindingId::NoDeletionBehind,
        Group::EndOfLife,
        &[w(Deleted, -3.5, "nothing that deletes it has run")],
    ),
    row(
        FindingId::DeletionPerhapsBehind,
        Group::EndOfLife,
        &[
            w(Deleted, 1.5, "code that deletes it can have run"),
            w(MemoryReleased, 0.7, "what is given back was mostly deleted before"),
        ],
    ),
    row(
        FindingId::NoReleaseBehind,
        Group::Release,
        &[w(MemoryReleased, -2.0, "nothing that gives its memory back has run")],
    ),
    row(
        FindingId::ReleasePerhapsBehind,
        Group::Release,
        &[
            w(MemoryReleased, 1.0, "code that gives its memory back can have run"),
            w(NeverInitialized, 0.5, "the memory was another object's before"),
        ],
    ),
    row(
        FindingId::NobodyDeletes,
        Group::Deletion,
        &[w(Deleted, -2.5, "only another module that has its address could have deleted it")],
    ),
    row(
        FindingId::NobodyInitializes,
        Group::Deletion,
        &[
            w(NeverInitialized, 1.0, "only another module that has its address could have made it"),
            w(BadPointer, 0.5, "what was never made may be no section at all"),
            w(Deleted, -0.7, "what was never made is not deleted"),
            w(Corrupted, -2.0, "what was never made is no section that could be written over"),
            w(
                MemoryReleased,
                -1.0,
                "what was never made has not lain in memory that was given back",
            ),
        ],
    ),
    row(
        FindingId::BeforeRow,
        Group::Row,
        &[
            w(BadPointer, 2.0, "the index is -1"),
            w(NeverInitialized, 0.5, "the row may begin here, and its first section was left out"),
            w(Corrupted, -0.5, "it would have to be the row's first section that was hit"),
        ],
    ),
    row(
        FindingId::BehindRow,
        Group::Row,
        &[
            w(BadPointer, 0.7, "the index is one too many"),
            w(NeverInitialized, 1.0, "the row may have room for more sections than were made"),
            w(Corrupted, -0.5, "it would have to be the row's last section that was hit"),
            w(MemoryReleased, -0.5, "the memory of a row mostly goes back as a whole"),
            w(Deleted, 0.3, "arrays are destroyed from their end"),
        ],
    ),
    row(
        FindingId::BehindStaticRow,
        Group::Row,
        &[
            w(
                BadPointer,
                2.0,
                "the index is one too many, and finds the variable behind the table",
            ),
            w(Corrupted, -0.5, "it would have to be the row's last section that was hit"),
        ],
    ),
    row(
        FindingId::InRow,
        Group::Row,
        &[
            w(BadPointer, -1.5, "the address is that of a member of the row"),
            w(NeverInitialized, -0.5, "the row's other members were made"),
            w(MemoryReleased, 0.3, "a member of the row was given back, and its place used anew"),
        ],
    ),
    row(
        FindingId::InRowOfBlocks,
        Group::Row,
        &[
            w(BadPointer, -0.4, "the address is that of such an object's section"),
            w(NeverInitialized, -0.8, "objects that are made one by one are made by the same code"),
            w(MemoryReleased, 0.3, "one object of the row was freed, and another has its block"),
        ],
    ),
    row(
        FindingId::RowStands,
        Group::Row,
        &[
            w(MemoryReleased, -1.5, "an array's memory goes back as a whole"),
            w(Corrupted, 0.3, "a stray write hits one element and leaves the others"),
        ],
    ),
    row(
        FindingId::FarOnRow,
        Group::Row,
        &[w(
            BadPointer,
            1.5,
            "the index is far out of range; of such a row one address in five, or fewer, is on its grid by chance",
        )],
    ),
    row(
        FindingId::ContainerEnd,
        Group::Contents,
        &[
            w(BadPointer, 3.5, "end() of a container was taken for an element"),
            w(NeverInitialized, -1.0, "no element was ever there"),
        ],
    ),
    row(
        FindingId::ListHeadBehind,
        Group::Contents,
        &[
            w(BadPointer, 2.5, "the list's head was taken for one of its members"),
            w(
                Corrupted,
                -1.0,
                "a stray write over a whole section seldom stops before the link of a list",
            ),
            w(NeverInitialized, -1.0, "old bytes are no list of live objects"),
        ],
    ),
    row(
        FindingId::OthersReplaced,
        Group::OtherSections,
        &[w(MemoryReleased, 1.5, "several sections went with the memory that they were in")],
    ),
    row(
        FindingId::SectionNotLocated,
        Group::Memory,
        &[
            w(HandleClosed, -1.5, "a section in order is found by its fields"),
            w(Copied, -1.0, "a copy of a live section is found by its fields"),
            w(Corrupted, -0.5, "a section of which one field was hit is found by the others"),
        ],
    ),
    row(
        FindingId::NoSectionJustLeft,
        Group::Memory,
        &[
            w(HandleClosed, -1.5, "a section in order is found by its fields"),
            w(Copied, -1.0, "a copy of a live section is found by its fields"),
            w(
                Corrupted,
                -0.7,
                "what Leave has signalled keeps the counts that it wrote, and is found by them",
            ),
            w(
                NeverInitialized,
                -0.7,
                "what Leave has signalled keeps the counts that it wrote, and is found by them",
            ),
            w(
                BadPointer,
                -0.7,
                "what Leave has signalled keeps the counts that it wrote, and is found by them",
            ),
            w(CrossProcess, 0.3, "shared memory is mapped, and seldom in a small dump"),
        ],
    ),
    row(
        FindingId::FillFillsPlace,
        Group::FillExtent,
        &[
            w(MemoryReleased, 0.7, "what gives memory back fills all of it"),
            w(NeverInitialized, 0.3, "what gives memory out fills all of it"),
            w(Corrupted, -1.0, "an overrun seldom ends where the place does"),
        ],
    ),
    row(
        FindingId::FillInsideBlock,
        Group::FillExtent,
        &[
            w(MemoryReleased, -2.0, "what gives memory back fills all of it"),
            w(Corrupted, 0.7, "a fill of a buffer before the section went too far"),
            w(NeverInitialized, 0.3, "the object's other fields may have been set since"),
        ],
    ),
    row(
        FindingId::TextBeginsWithBlock,
        Group::Contents,
        &[
            w(MemoryReleased, 1.2, "the block belongs to the text now"),
            w(
                NeverInitialized,
                -0.2,
                "the block held this text before, but then nothing of the object was written since",
            ),
            w(
                Corrupted,
                -0.2,
                "an overrun begins here only if the buffer is the object's first member",
            ),
            w(BadPointer, -1.5, "a pointer seldom leads into the middle of a text"),
        ],
    ),
    row(
        FindingId::TextBeginsInsideBlock,
        Group::Contents,
        &[
            w(Corrupted, 0.7, "a buffer of the object before the section was overrun"),
            w(MemoryReleased, -0.2, "another object with a text in it may live there now"),
            w(NeverInitialized, -0.2, "the fields before it were set since"),
            w(BadPointer, -1.5, "a pointer seldom leads into the middle of a text"),
        ],
    ),
    row(
        FindingId::TextFillsBlock,
        Group::Contents,
        &[
            w(MemoryReleased, 1.2, "the block belongs to the text now"),
            w(
                NeverInitialized,
                0.8,
                "the block held just this text before, and nothing of an object was made there since",
            ),
            w(Corrupted, -0.7, "an overrun seldom begins and ends with the object's own block"),
        ],
    ),
    row(
        FindingId::ContentsBeginWithMemory,
        Group::Contents,
        &[
            w(MemoryReleased, 1.5, "the memory was given out anew, for the text"),
            w(NeverInitialized, 0.5, "a buffer held this text before"),
            w(Corrupted, -0.7, "an overrun comes from an object before the section"),
            w(BadPointer, -1.5, "a pointer seldom leads into the middle of a text"),
        ],
    ),
];
