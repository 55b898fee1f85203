//! Findings about what else the bytes, or the address, may be.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::PointsToSection),
        title: "The first word is the address of a section",
        means: "What DebugInfo leads to is in every field a section. A section never begins with the address of another one: this is a pointer to a section, or an object that begins with one.",
        arises: &[
            "A pointer to a section was passed by its own address: the address of a member that is a pointer already.",
            "An object that refers to a section lies where one was expected.",
        ],
        confirm: &[
            run("!cs -o RECORD", "The section that was meant."),
            run("ub CALLER", "Whether the caller takes an address where it should read a pointer."),
        ],
        fix: &["Pass the pointer itself. See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::FunctionTableInside),
        title: "An object with virtual functions begins here",
        means: "The first word leads into read-only data of a module, where at least two addresses of code stand side by side: a table of virtual functions. Sections have none.",
        arises: &[
            "The address of an object was passed for that of its member.",
            "A section was freed, and an object of a class was made in the same memory.",
        ],
        confirm: &[
            run("dps RECORD L6", "The functions of the table, and with symbols the class."),
            run("!heap -x SECTION", "Whether the block begins here."),
        ],
        fix: &[
            "With the class known, look at its section: is it at an offset that the caller forgot? Otherwise see memory-released.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::DebugInfoInModule),
        title: "DebugInfo leads into a module",
        means: "Debug records lie in ntdll and in the heap. This word leads into another module: it is the address of a table, a constant or a function, and the memory is no section now.",
        arises: &[
            "An object, or a part of one, was taken for a section.",
            "The memory of a section was used anew for an object.",
            "A section that was initialised by hand with a record of its own; rare.",
        ],
        confirm: &[
            run("ln RECORD", "What stands there, with symbols."),
            run("dps SECTION L6", "The other words."),
        ],
        fix: &["See bad-pointer and memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::StaticStorageWritten),
        title: "Static data that holds foreign bytes",
        means: "The section lies in the data of a loaded module. The loader filled it with zeros, or as the linker laid it out; so old bytes of another owner cannot be there, and something wrote these.",
        arises: &[
            "An overrun of the variable before it.",
            "The address is that of another variable.",
            "A static buffer that the program hands out in pieces.",
        ],
        confirm: &[
            run("ln SECTION", "With symbols: which variable it is."),
            run("db SECTION-80 L100", "What lies before."),
        ],
        fix: &["See corrupted; if the symbol is not a section, see bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::StaticStorageReplaced),
        title: "Static data with nothing of a section in it",
        means: "The section lies in the data of a loaded module, and none of its fields is as ntdll leaves it. The loader filled that data with zeros, or as the linker laid it out; something wrote all of this since.",
        arises: &[
            "The address is that of another variable.",
            "A static buffer that the program hands out in pieces, one of which holds another object now.",
            "An overrun of the variable before it that runs over all of the section.",
        ],
        confirm: &[
            run("ln SECTION", "With symbols: which variable it is."),
            run("db SECTION-80 L100", "What lies before, and whether it runs in."),
        ],
        fix: &[
            "If the symbol is not a section, see bad-pointer; if it is a buffer, see memory-released; else corrupted.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::TextGoesOn),
        title: "The text goes on behind the section",
        means: "A text runs through all of the section, and goes on for 32 bytes or more behind it. What overruns a buffer is what was meant to fit into it, and mostly ends in the section or soon behind it; a text that has the memory for its own goes on.",
        arises: &[
            "The memory was given back, and a text has it now.",
            "The memory held a text before, and the section was never initialised.",
            "A text that is far longer than the buffer before the section.",
        ],
        confirm: &[run("db SECTION-80 L100", "Where the text begins and ends, and whose it is.")],
        fix: &[
            "See memory-released; if the text begins in a buffer of the same object, see corrupted.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::TextGoesFarOn),
        title: "The text goes on far behind the section",
        means: "A text runs through all of the section, and goes on for 128 bytes or more behind it. What overruns a buffer is what was meant to fit into it, and mostly ends in the section or soon behind it; a text that has the memory for its own goes on.",
        arises: &[
            "The memory was given back, and a text has it now.",
            "The memory held a text before, and the section was never initialised.",
            "A text that is far longer than the buffer before the section.",
        ],
        confirm: &[run("db SECTION-80 L100", "Where the text begins and ends, and whose it is.")],
        fix: &[
            "See memory-released; if the text begins in a buffer of the same object, see corrupted.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::StaticNotNamed),
        title: "Static data that no code names",
        means: "Neither the code nor the constants of the module hold the section's address, or one a few bytes before it. The program came to it by a pointer that it computed: it lies in an array, or in a static buffer that the program hands out in pieces.",
        arises: &[
            "A pool or an arena in static data, whose pieces hold objects.",
            "A static array of objects that have sections.",
        ],
        confirm: &[
            run("ln SECTION", "With symbols: the array or the buffer that it lies in."),
            run("ub CALLER", "Where the caller has the address from."),
        ],
        fix: &["See memory-released, if the buffer's pieces are given back; else corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::PoolCell),
        title: "It lies in a cell of a pool",
        means: "Around the section lie cells of one size, and the free ones lead each to the next: the program hands them out and takes them back itself. Neither the heap nor the list of sections hears of it.",
        arises: &[
            "The object went back to its pool with its section in it, or is still used after it went back.",
            "A cell was taken for an object, and what initialises its section was not called.",
            "The object in the cell before was overrun.",
        ],
        confirm: &[
            run(
                "dps SECTION-80 L60",
                "The cells: where the section's begins, and what the others hold.",
            ),
            run("!locks -v", "Whether the process's list still has a record for the section."),
        ],
        fix: &[
            "Delete the section before its cell goes back, and let nobody keep the object's address. Memory that a pool marks on return, for instance with 0xDD, shows a late use at once.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::PoolLink),
        title: "Its cell of a pool begins with a link",
        means: "Around the section lie cells of one size, and the free ones lead each to the next. The section's own cell begins with the address of another cell: it is free, or its owner was linked since.",
        arises: &[
            "The object went back to its pool, and is used once more.",
            "A cell was taken for an object, and nothing was made in it.",
            "The cell's next owner is a message or a node that leads to the next one.",
        ],
        confirm: &[
            run(
                "dps SECTION-80 L60",
                "The cells: where the section's begins, and what the others hold.",
            ),
            run("!locks -v", "Whether the process's list still has a record for the section."),
        ],
        fix: &["See pool-cell."],
    },
    Explanation {
        subject: Finding(FindingId::PoolTookBack),
        title: "Its cell of a pool begins with a link, and holds data around zeros",
        means: "Around the section lie cells of one size, and the free ones lead each to the next. The section's own cell begins with the address of another cell, holds other data, and zeros where the section was.",
        arises: &[
            "The object deleted its section and went back to its pool; somebody still has its address.",
            "An object was begun in the cell, and neither its first field nor its section was made.",
        ],
        confirm: &[
            run(
                "dps SECTION-80 L60",
                "The cells: where the section's begins, and what the others hold.",
            ),
            look("Who gives such objects back to the pool, and who keeps their address."),
        ],
        fix: &["See deleted."],
    },
    Explanation {
        subject: Finding(FindingId::PointerByAddress),
        title: "A pointer's own address was taken for the object's",
        means: "A little before the address, on a stack, stands a pointer. What it leads to has a section as far behind its beginning as the address is behind the pointer.",
        arises: &[
            "A thread or a callback was given the address of a local pointer, and takes it for the object.",
        ],
        confirm: &[
            run("dps SECTION-80 L60", "The pointer, before the address."),
            look("What was passed to CreateThread, or registered with the callback."),
        ],
        fix: &["Pass the pointer itself. See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::OtherBase),
        title: "One base of an object was taken for another",
        means: "A little before the address stands the address of a table of virtual functions, and behind it another one, which say themselves that they are of one object. Its second base has a section, and the address that was passed is as far behind the first.",
        arises: &[
            "A pointer to an object with two bases went through an untyped pointer or an integer, and came back as a pointer to its second base.",
            "A C-style cast or reinterpret_cast between the two, where the compiler saw a declaration only.",
        ],
        confirm: &[
            run("dps SECTION-20 L20", "The two tables, with symbols the classes."),
            run("!cs -o SECTION", "That this is none."),
        ],
        fix: &[
            "Convert to the base before the pointer loses its type, and back to the same type. See bad-pointer.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::ContentsBeginInBlock),
        title: "A text begins exactly here, inside a heap block",
        means: "All of the section is text, and the text begins at the very address that was passed, which is not the beginning of its heap block. An overrun would begin before it, and the text of a new owner mostly at the block's beginning.",
        arises: &[
            "The address of a string that is a member of the object was passed.",
            "An object with a string in this place had the block before, and the section was not made since.",
            "A member of a union was written to, or a text was copied to this place.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, and where in it the address lies."),
            run("db SECTION-40 L80", "The text, and what lies before it."),
        ],
        fix: &["See bad-pointer and never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::ContentsBeginHere),
        title: "A text begins exactly here",
        means: "All of the section is text, and the text begins at the very address that was passed. An overrun would begin before it.",
        arises: &["The address of a string was passed.", "The block held, or now holds, a string."],
        confirm: &[
            run("da SECTION", "The text."),
            run("ub CALLER", "Where the caller has the address from."),
        ],
        fix: &["See bad-pointer, never-initialized and memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::ContentsBeginBefore),
        title: "A text that begins before runs through",
        means: "All of the section is text, and the text begins before the address.",
        arises: &[
            "A copy into a buffer that lies in front of the section, and is too small.",
            "The memory held a longer text before the section was made there, or holds one now.",
        ],
        confirm: &[
            run("db SECTION-80 L100", "Where the text begins, and where it ends."),
            run("!heap -x SECTION", "Whether it begins with the block."),
        ],
        fix: &["If it begins in a field of the same object, bound that copy. See corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::RepeatedByte),
        title: "One byte over and over",
        means: "At least two of DebugInfo, LockSemaphore and SpinCount are the same byte repeated, and no known allocator fills with it: the program does so itself, or one of its libraries.",
        arises: &[
            "A pool or arena that fills its blocks when it hands them out, or takes them back.",
            "memset over a table that is longer than it should be.",
        ],
        confirm: &[
            run("db SECTION-80 L100", "How far the fill goes on either side."),
            look("Which code of the program fills with this byte."),
        ],
        fix: &[
            "Find the fill in the source: before the first use it is never-initialized, behind the last memory-released.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::FillWithoutAllocator),
        title: "No allocator in sight fills so",
        means: "The pattern is one that some allocator leaves in freed memory, but no module of that allocator is loaded. It can be linked in without a module, or the program fills memory with the same byte.",
        arises: &["An allocator that is linked statically.", "A fill of the program's own."],
        confirm: &[
            run("lm", "Whether an allocator of that name is loaded."),
            look("Which allocators the program links."),
        ],
        fix: &["Do not rely on the pattern alone."],
    },
    Explanation {
        subject: Finding(FindingId::AddressIsText),
        title: "The address is four printable characters",
        means: "Each byte of the 32-bit address is a printable character. One address in fifty looks so by chance, addresses of DLLs more often.",
        arises: &["Text was read where a pointer should be.", "Chance."],
        confirm: &[
            run(".formats SECTION", "The characters."),
            run("!address SECTION", "What is, or was, there."),
        ],
        fix: &["See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::SectionNearBy),
        title: "A section begins a little behind",
        means: "What was passed is no section, but a few dozen bytes behind it begins one with a record of its own.",
        arises: &[
            "The address of the object was passed, or of its first member or base, for that of its section.",
        ],
        confirm: &[
            run("!cs -o SECTION", "That this is none."),
            run("dt MODULE!TYPE", "With symbols: the offset of the section."),
        ],
        fix: &["Pass the member. See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::UnloadedModuleReused),
        title: "Other data lies where a module was",
        means: "The list of unloaded modules names a module whose address range holds the section. The range was given out again, and other data is there, or another module.",
        arises: &["A static section of a DLL that was unloaded while code still used it."],
        confirm: &[
            run("lm u", "The unloaded modules."),
            run("!address SECTION", "What the memory is now."),
        ],
        fix: &[
            "Keep the DLL loaded, or leave its locks alone after it is gone. See memory-released.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::FarFromMemory),
        title: "Nothing of the process lies near",
        means: "By the map of the address space the nearest memory of the process is more than 1 GiB away (64 MiB in a 32-bit process). Memory that was given back mostly lay among other memory.",
        arises: &[
            "A wild pointer: an index that is far too large, an id or a number taken for a pointer.",
            "A large block or view that lay by itself.",
        ],
        confirm: &[
            run("!address SECTION", "The free range."),
            run("ub CALLER", "How the caller computed the address."),
        ],
        fix: &["See bad-pointer, and memory-released for what lay alone."],
    },
    Explanation {
        subject: Finding(FindingId::OnOwnStack),
        title: "On the stack of the thread that failed",
        means: "The section is a local variable of a function that is still running in the thread that failed.",
        arises: &["A lock that is a local variable, shared with other threads by its address."],
        confirm: &[
            run("k", "The frame that holds the address."),
            run("dps SECTION L6", "Its words."),
        ],
        fix: &[
            "The frame is live: its memory was not given back. Look at how the local was initialised.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::AddressIsHalf),
        title: "Half of a longer address",
        means: "The address is below 4 GiB and cannot be read, and the process holds a longer one with the same lower 32 bits: in its list of sections, on the stack or in a register.",
        arises: &[
            "A pointer went through an int, a long or a DWORD: a message's parameter, a window's or a timer's number, a field of a file or protocol.",
        ],
        confirm: &[
            run("!cs -o SECTION", "That there is none."),
            run(
                "ub CALLER",
                "How the caller came by the address: mov of a 32-bit register cuts a pointer.",
            ),
        ],
        fix: &["Carry pointers in LONG_PTR or DWORD_PTR. See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::BesideMemory),
        title: "Just beside other memory",
        means: "The address is free, and lies just before other memory, or behind memory that ends in the same 64 KiB. Windows begins allocations at multiples of 64 KiB, so that behind such memory nothing can have been by itself.",
        arises: &[
            "An index that is too large by a little, or -1; a table that is smaller than the code believes.",
            "The memory beside was allocated anew, with other bounds than before.",
        ],
        confirm: &[
            run("!address SECTION", "The free range, and what lies beside it."),
            run("ub CALLER", "How the caller computed the address."),
        ],
        fix: &["Check the index against the size of the table. See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::AddressIsTwoNumbers),
        title: "The address is two small numbers",
        means: "Both halves of the 64-bit address are below 65536. Memory seldom lies so near to a multiple of 4 GiB, unless a program chooses its addresses.",
        arises: &[
            "Two fields of 32 bits were read as one pointer: a wrong type, or an index out of a table of pointers.",
            "An arena at a chosen address, which was released.",
        ],
        confirm: &[
            run("!address SECTION", "What is, or was, there."),
            run("ub CALLER", "Where the caller has the address from."),
        ],
        fix: &["See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::PointersInside),
        title: "An address of the program where numbers should be",
        means: "OwningThread, LockSemaphore or SpinCount is an address in a module of the program. ntdll keeps the number of a thread, a handle and a count there: the bytes are another object's, with a pointer to a name, a table or a function.",
        arises: &[
            "The pointer leads to an object of another type.",
            "The object was freed, and another one lives in its memory.",
            "The memory was never initialised, and holds what its last owner left.",
        ],
        confirm: &[run("dps SECTION L6", "With symbols: what the pointers lead to.")],
        fix: &["See bad-pointer and memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::TextFillsBlock),
        title: "A text fills the heap block of the section",
        means: "The block that holds the section's address is a text from its first byte to its last. The headers on both sides are whole, so that nothing ran over them: the block is, or was, the text's own.",
        arises: &[
            "The object was freed while it was in use, and its block was given to a text of about its size.",
            "A block that had held a text was given to an object, and nothing in the object was initialised.",
            "Somebody copied a text of just this size over the object: a wrong pointer.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, its start and its size."),
            run("db SECTION", "The text, from the middle on."),
        ],
        fix: &["See memory-released, never-initialized and corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::TextBeginsWithBlock),
        title: "A text through the section begins with its heap block",
        means: "The text begins with the block that holds the section's address, or just behind the two links that a free block begins with, and ends before the block does.",
        arises: &[
            "The object was freed while it was in use, and its block was given to a text.",
            "A block that had held a text was given to an object, and the section was not initialised.",
            "The object begins with a buffer, which was overrun.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, its start and its size."),
            run(
                "db SECTION",
                "The text; what stands behind its end is the object's, or the text's owner's.",
            ),
        ],
        fix: &["See memory-released, never-initialized and corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::TextBeginsInsideBlock),
        title: "A text through the section begins inside its heap block",
        means: "The block that holds the section's address begins with other data; behind that begins a text, which runs through the section.",
        arises: &[
            "A buffer in the object, in front of the section, was overrun.",
            "The object was freed while it was in use, and its block was given to another one that has a text in it.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, its start and its size."),
            run("db SECTION", "The text, and the fields in front of it: are they the object's?"),
        ],
        fix: &["See corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::ContentsBeginWithMemory),
        title: "A text through the section begins with its allocation",
        means: "The text begins where memory that was allocated by itself does, outside of modules and stacks: the section would lie in the middle of somebody's buffer.",
        arises: &[
            "A mapping, a DLL or a large block with the section in it was given back, and the addresses were given out again.",
            "A large buffer was cut into objects, and the section was not initialised.",
        ],
        confirm: &[
            run("!address SECTION", "Where the memory begins, and whose it is."),
            run("lm", "Loaded and unloaded modules: which one was there?"),
        ],
        fix: &["See memory-released."],
    },
];
