//! Findings about where the address points.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::Misaligned),
        title: "The address is not a multiple of the pointer size",
        means: "Compilers align a section to 8 bytes on x64 and 4 on x86. Only packed structures do not.",
        arises: &["A wrong or damaged pointer.", "A section in a structure under #pragma pack."],
        confirm: &[
            run("dps SECTION L6", "Whether it is a section all the same."),
            run("dt MODULE!TYPE", "With symbols: the offset of the section in its structure."),
        ],
        fix: &[
            "If the structure is packed, take the section out of it; otherwise see bad-pointer.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::AddressInNullPage),
        title: "The address lies in the null page",
        means: "Below 0x10000 nothing is ever allocated. The address is the offset of the section in an object whose pointer was NULL.",
        arises: &[
            "A member function called on a NULL pointer.",
            "An object that is gone: its pointer was cleared, and a late callback still came.",
        ],
        confirm: &[
            run("k", "The caller, and its caller: where does the NULL come from?"),
            run("dt MODULE!TYPE", "With symbols: the type that has a section at this offset."),
        ],
        fix: &["Find out why the object is missing there; see bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::AddressImpossible),
        title: "No object can have this address",
        means: "It is outside user space, or its bytes are text or a fill pattern: what should be a pointer is something else.",
        arises: &[
            "The pointer, or the object that holds it, was overwritten with text.",
            "The object that holds the pointer was freed, or never initialised: the address is a fill pattern plus an offset.",
        ],
        confirm: &[
            run(".formats SECTION", "The address as characters."),
            run("ub CALLER", "From which register or field the caller loaded it."),
            run(
                "!heap -p -a OBJECT",
                "Under page heap: what became of the object that held the pointer.",
            ),
        ],
        fix: &[
            "The lock is not the patient: look at the object that holds the pointer. See bad-pointer.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::AddressInCode),
        title: "The address lies in code or read-only data",
        means: "The memory belongs to a loaded module and cannot be written. Enter and Leave write to a section, so that none lives there.",
        arises: &[
            "A pointer to a function or to a constant was taken for one to an object.",
            "A virtual table pointer was read as a member: an object of the wrong type.",
        ],
        confirm: &[
            run("ln SECTION", "What stands at the address."),
            run("!address SECTION", "Its protection."),
            run("ub CALLER", "From where the caller loaded it."),
        ],
        fix: &["See bad-pointer: check the cast, and the type of the object."],
    },
    Explanation {
        subject: Finding(FindingId::PointsIntoSection),
        title: "The address points into another section",
        means: "A few bytes before the address begins what is a section by its own debug record, or by the first fields of a free one. The address that was passed is not that of a section, but of one of its fields.",
        arises: &[
            "A pointer was moved by a cast, an index or an offset that is wrong.",
            "The address of a field was passed for that of the section.",
            "Two modules disagree about the layout of the structure that holds the section.",
        ],
        confirm: &[
            run(
                "!cs SECTION",
                "Nonsense; then the same for the address that the finding names, which is in order.",
            ),
            run("ub CALLER", "How the caller formed the address."),
        ],
        fix: &[
            "Correct the pointer in the calling code; compare the structure's layout in all modules that use it.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::SectionNotWritable),
        title: "The memory is there and cannot be written",
        means: "The region is committed, but its protection forbids writing. Neither a free nor a Delete changes a protection.",
        arises: &[
            "A pointer to something else.",
            "VirtualProtect on the page: a guard page, memory sealed on purpose, copy-on-write shared data.",
        ],
        confirm: &[
            run("!address SECTION", "Protection now, and at allocation."),
            run("!vprot SECTION", "The same for the page."),
        ],
        fix: &[
            "If the section really lives there, move it out of the memory that is protected; otherwise see bad-pointer.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::MemoryFree),
        title: "The memory is free or only reserved",
        means: "The memory map of the dump has nothing committed at the address. The object's memory was given back to the system, or never was any.",
        arises: &[
            "VirtualFree, or a heap that gave a large block back.",
            "An unmapped view or an unloaded module.",
            "A wild pointer that hit free address space.",
        ],
        confirm: &[
            run("!address SECTION", "State MEM_FREE or MEM_RESERVE."),
            run(
                "!avrf -vs -a SECTION",
                "Under Application Verifier: the log of operations on this virtual address.",
            ),
            look(
                "Application Verifier, Locks: stops 0x212 (VirtualFree) and 0x213 (unmapped view).",
            ),
        ],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::InUnloadedModule),
        title: "A module was unloaded here",
        means: "The list of unloaded modules has one whose range holds the address, and nothing is there now. The section was static data of that module.",
        arises: &[
            "FreeLibrary while threads, timers or callbacks of the module were still to run.",
            "A plug-in whose object outlived it in the host.",
        ],
        confirm: &[
            run("lm", "The unloaded modules stand at the end, with their ranges."),
            run("!avrf -dlls", "Under Application Verifier: the log of loads and unloads."),
            look("Application Verifier, Locks: stop 0x201 names the DLL at the unload."),
        ],
        fix: &[
            "Stop the module's threads and callbacks before FreeLibrary, or pin it with GetModuleHandleEx and GET_MODULE_HANDLE_EX_FLAG_PIN.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::AbsentFromFullMemory),
        title: "A dump of all memory has none here",
        means: "The dump holds all memory that the process had, and nothing at this address: it was not committed when the dump was written.",
        arises: &["The memory was released.", "A wild pointer."],
        confirm: &[
            run(
                "!address SECTION",
                "State MEM_FREE or MEM_RESERVE, where the dump has a memory map.",
            ),
            run("lm", "Unloaded modules near the address."),
        ],
        fix: &[
            "See memory-released and bad-pointer; with MiniDumpWithFullMemoryInfo (0x800) the next dump says more.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::MemoryMapped),
        title: "The memory is a mapped view",
        means: "The region is of type MEM_MAPPED: a file or a shared section object, which another process may have mapped too. Handles, thread ids and addresses in a section mean something in one process only.",
        arises: &[
            "A structure with a section in a named file mapping.",
            "A private mapping that nobody shares: then it is harmless.",
        ],
        confirm: &[
            run("!address SECTION", "Type MEM_MAPPED, and the file where there is one."),
            run(
                "!handle 0 f Section",
                "The section objects that the process has open, with their names.",
            ),
        ],
        fix: &["If the memory is shared, use a named mutex: see cross-process."],
    },
    Explanation {
        subject: Finding(FindingId::SharedModuleData),
        title: "The section lies in shared data of a module",
        means: "The part of the module that holds the section has the flag IMAGE_SCN_MEM_SHARED: all processes that load the module have the same memory there. Handles, thread ids and addresses in a section mean something in one process only.",
        arises: &[
            "A lock in a data segment that was linked with /section:NAME,rws (or SHARED in a .def file).",
        ],
        confirm: &[
            run("lm a SECTION", "The module; !dh with its name shows the part's flags: Shared."),
            look("#pragma data_seg, allocate and SECTIONS in the source and the .def file."),
        ],
        fix: &[
            "Move the lock out of the shared segment, and use a named mutex there: see cross-process.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::OnDeadStack),
        title: "The section lies below the live frames of a stack",
        means: "The function whose local variable the section was has returned. Every later call writes over it, so that its bytes accuse nobody.",
        arises: &[
            "A pointer or reference to a local object was given to a thread, a callback or a container that outlived the function.",
            "A lambda that captures by reference and runs later.",
        ],
        confirm: &[
            run("!address SECTION", "Whose stack it is."),
            run("r", "The stack pointer of the thread: the section lies below it."),
            look(
                "AddressSanitizer with detect_stack_use_after_return, or moving the object to the heap under page heap, shows the first late use.",
            ),
        ],
        fix: &[
            "Let the object live on the heap with shared ownership, or wait for its users before the function returns; see memory-released.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::OnOtherStack),
        title: "The section lies on another thread's live stack",
        means: "It is a local variable of a function that still runs in another thread. That is legal as long as the function outlives the use, and fragile.",
        arises: &[
            "A helper thread uses an object on its starter's stack.",
            "The function that held the object has returned, and another frame lies there now.",
        ],
        confirm: &[run(
            "~*k",
            "The frame of the other thread that holds the address: does it wait for this thread?",
        )],
        fix: &["Make the function wait for the thread on every path, exceptions included."],
    },
    Explanation {
        subject: Finding(FindingId::FrameOfAnother),
        title: "A live frame keeps something else there",
        means: "The section's address lies in the frame of a function that is still running, and that frame has something of its own there: a return address, a variable that the function reads, or an array that it reads by index. No section is there now.",
        arises: &[
            "The section was a local of a function that has returned, or of a block that has ended, and a pointer to it lived on.",
            "The pointer never led to a section.",
        ],
        confirm: &[
            run("k", "Which frame holds the address."),
            run(
                "u CALLER",
                "CALLER is the place that the finding names: what the function does with those bytes.",
            ),
        ],
        fix: &["See memory-released and bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::BeyondHeapBlock),
        title: "The section would reach over the end of its heap block",
        means: "The headers of the heap prove where the block ends that holds the address, and a section that began there would end behind it. No live object has its section there.",
        arises: &[
            "The object was freed, and the heap has cut its memory anew.",
            "The pointer leads into another object: a wrong type, a wrong offset, an index too large.",
        ],
        confirm: &[run("!heap -x SECTION", "The block, its start and its size.")],
        fix: &["See memory-released and bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::ZeroInFreeBlock),
        title: "The section is zero, and its heap block is free",
        means: "DeleteCriticalSection leaves zeros, and a destructor that deletes the section mostly ends with freeing the object. Code still uses it.",
        arises: &[
            "The object was destroyed while another thread held, or waited for, its lock.",
            "A stale pointer to an object that is gone.",
        ],
        confirm: &[run("!heap -x SECTION", "The block and its state.")],
        fix: &[
            "See deleted and memory-released: keep the object alive until its last user has left.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::BeforeRow),
        title: "It would be before the first section of a row",
        means: "Sections stand at equal steps behind the address, and none before it: the address is one step before the first. What stands there is no section.",
        arises: &["The index of an array is -1: not found, or counted down too far."],
        confirm: &[
            run("!locks -v", "The sections of the process, where it lists them."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &["See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::BehindRow),
        title: "It would be behind the last section of a row",
        means: "Sections stand at equal steps before the address, and none behind it: the address is one step behind the last.",
        arises: &[
            "The index of an array is one too many.",
            "The array has more elements than were initialised.",
        ],
        confirm: &[
            run("!locks -v", "The sections of the process, where it lists them."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &["See bad-pointer and never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::BehindStaticRow),
        title: "It is another variable behind the last section of a row",
        means: "Sections stand in a module's data at equal steps before the address, and none behind it. No field there is a section's; room of the row that was never used would be zero.",
        arises: &["The index of an array is one too many, as where elements are counted from 1."],
        confirm: &[
            run("ln SECTION", "The variable that stands there, with the program's symbols."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &["See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::InRow),
        title: "It stands in a row of sections",
        means: "Sections stand on both sides of the address, at the same distance: it is the place of one.",
        arises: &[
            "One element of an array was not initialised, was written over, or was released.",
        ],
        confirm: &[
            run("!locks -v", "The sections of the process, where it lists them."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &["See the cause that is named."],
    },
    Explanation {
        subject: Finding(FindingId::InRowOfBlocks),
        title: "It stands in a row of objects that have sections",
        means: "Sections stand on both sides of the address, at the same distance, and each in a heap block of its own: objects of one size, perhaps of one class. The block at the address is in use, and holds no section.",
        arises: &[
            "The object was freed, and its block was given to another one.",
            "What makes such objects has failed for this one.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, and its size."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::RowStands),
        title: "The other sections of its row stand",
        means: "The process's list still has a record for the section, and at equal distances from it stand other sections that it lists, in the same heap block or the data of the same module: elements of one array, whose memory would go back as a whole.",
        arises: &[
            "Something was written over one element of an array.",
            "The program gives back the elements of an array one by one, as a pool does.",
        ],
        confirm: &[
            run("!locks -v", "The sections of the process, where it lists them."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &[
            "See corrupted: begin with the fields before the section, and with the element before its own.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::FarOnRow),
        title: "It would be a far element of a row of sections",
        means: "No memory is at the address, and its distance from a row of sections is a whole number of their steps, whose odd factor is 5 or more, so that few addresses are on their grid.",
        arises: &["An index that was not checked, or -1 as an unsigned number."],
        confirm: &[
            run("!locks -v", "The sections of the process, where it lists them."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &["See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::ListHeadBehind),
        title: "A list's head was taken for an entry",
        means: "Behind the address lies the head of a linked list. Each of its entries has a section as far before it as the head lies behind the address: they are members of objects, and the head is no member of one.",
        arises: &["The loop over a list does not stop at its head."],
        confirm: &[
            run("!locks -v", "The sections of the process, where it lists them."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &["Compare with the head before the entry is used. See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::ContainerEnd),
        title: "The end of a container was taken for an element",
        means: "Before the address lies the head of a std::map or std::set. Its elements have a section as far behind their beginnings as the address is behind the head: it is what end() leads to.",
        arises: &[
            "find() gave back end(), and the iterator was used without comparing.",
            "A loop went one element too far.",
        ],
        confirm: &[
            run(
                "dps SECTION-40 L20",
                "The head: the root, the leftmost and the rightmost element.",
            ),
            run("u CALLER", "The search before the call, and what follows it."),
        ],
        fix: &["Compare with end() before the element is used. See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::OthersReplaced),
        title: "More sections in the same memory are gone",
        means: "The process's list still has records for other sections in the same heap block, and something else stands there too.",
        arises: &[
            "Memory with several sections was given back without deleting them: an array that has grown, an arena.",
        ],
        confirm: &[
            run("!locks -v", "The sections of the process, where it lists them."),
            run("dps SECTION-80 L60", "What stands around the address."),
        ],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::SectionNotLocated),
        title: "The section was not found",
        means: "The call has failed to signal, or to wait for, the section's event, and nothing that its stack leads to is a section in the state in which such a call leaves it.",
        arises: &[
            "The section was deleted, cleared or written over while the call was under way.",
            "The call's stack has already been used for other calls.",
        ],
        confirm: &[look(
            "Whether the section is known from elsewhere, and what its bytes are now: !cs SECTION.",
        )],
        fix: &["See deleted and memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::NoSectionJustLeft),
        title: "No section that was just left",
        means: "LeaveCriticalSection frees the section before it signals the event, and what it writes then stays: a RecursionCount of 0, no owner, a LockCount with a woken waiter. Nothing that the stack of the failed call leads to looks so.",
        arises: &[
            "The section was deleted or cleared while the call was under way.",
            "It lies in memory that the dump does not have: shared with another process, or given back.",
        ],
        confirm: &[look(
            "Whether the section is known from elsewhere, and what its bytes are now: !cs SECTION.",
        )],
        fix: &["See deleted and memory-released."],
    },
];
