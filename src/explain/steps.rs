//! Findings about the list of records, single damaged fields, and the order of the program's steps.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::OwnerInside),
        title: "A thread is inside",
        means: "OwningThread is a thread of the process, RecursionCount counts its entries, and LockCount says locked with no more waiters than there are threads. The section itself works.",
        arises: &[
            "Another thread holds the lock.",
            "A section that was freed while it was held: the bytes stay.",
        ],
        confirm: &[run("~*k", "What the owner does."), run("!cs -o SECTION", "The same fields.")],
        fix: &["Look at the handle, or at DebugInfo, rather than at the whole section."],
    },
    Explanation {
        subject: Finding(FindingId::WaitersBeyondThreads),
        title: "A few more waiters than threads",
        means: "LockCount counts waiters whom the process does not have, but not so many that the number is nonsense: another process can have them.",
        arises: &["A section in shared memory.", "A small number was written over LockCount."],
        confirm: &[
            run("!address SECTION", "Whether the memory is mapped."),
            run("~", "The threads."),
        ],
        fix: &["See cross-process."],
    },
    Explanation {
        subject: Finding(FindingId::NeverContendedBefore),
        title: "Nobody had waited before",
        means: "The record counts one wait, the one that failed, and LockCount one waiter. The event is made by the first wait: what stood in LockSemaphore before it was not put there by ntdll.",
        arises: &["A stray write left a number in LockSemaphore."],
        confirm: &[
            run("!cs -s -o SECTION", "ContentionCount."),
            run("ba w4 SECTION+10", "In a live process: who writes LockSemaphore (+18 on x64)."),
        ],
        fix: &["See corrupted: the handle was not closed, there never was one."],
    },
    Explanation {
        subject: Finding(FindingId::ListLacksSection),
        title: "The list does not know the section",
        means: "Up to Windows 7 each section that is initialised with a record is on the process's list. The list is complete in the dump, and names this address nowhere.",
        arises: &[
            "Nobody initialised a section here.",
            "It was deleted, which takes it off the list.",
            "It was made without a record (RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO).",
        ],
        confirm: &[
            run("!locks -v", "All sections of the list."),
            run("ln SECTION", "With symbols: the variable at the address."),
        ],
        fix: &[
            "See never-initialized and bad-pointer; an overwritten section would be on the list.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::ListLeadsToRecord),
        title: "The record was overwritten",
        means: "The links of the list lead to DebugInfo, and no record stands there any more: the section is in order, its record is not.",
        arises: &[
            "An overrun in the heap: records are small blocks.",
            "A write through a pointer to memory that was freed before the record was made there.",
        ],
        confirm: &[
            run("db RECORD-40 L80", "What lies over the record, and where it comes from."),
            run("!heap -x RECORD", "The block."),
        ],
        fix: &["Run under page heap. See corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::OnlyRecordDamaged),
        title: "Only DebugInfo is wrong",
        means: "DebugInfo cannot be the address of a record, while LockCount, RecursionCount and OwningThread agree with each other.",
        arises: &[
            "A text or a table in front of the section is one element too long.",
            "A single stray write.",
        ],
        confirm: &[
            run("db SECTION-80 L100", "Whether the bytes before end in DebugInfo."),
            run("ba w4 SECTION", "In a live process: who writes it."),
        ],
        fix: &["Bound the write into the object before. See corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::OnlyRecordRedirected),
        title: "DebugInfo leads to other data",
        means: "DebugInfo leads to memory that is no record, while LockCount, RecursionCount and OwningThread agree with each other.",
        arises: &[
            "A pointer of other code was written over DebugInfo.",
            "The block was freed: the first word of a free block is a link.",
            "The record was freed with the original of a copy, and its memory used anew.",
        ],
        confirm: &[
            run("dps RECORD L6", "What it leads to."),
            run("!heap -x SECTION", "Whether the block is free."),
        ],
        fix: &["See corrupted and memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::OnlyRecordNull),
        title: "Only DebugInfo is 0",
        means: "DebugInfo is 0, which initialisation never leaves, while LockCount, RecursionCount and OwningThread agree with each other.",
        arises: &[
            "A structure filled in by hand: 0, -1, and the rest.",
            "A write of zero over DebugInfo.",
        ],
        confirm: &[
            run("ln SECTION", "With symbols: the variable, and its initialiser."),
            run("ba w4 SECTION", "In a live process: who writes it."),
        ],
        fix: &["Initialise with InitializeCriticalSection. Otherwise see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::HeadForeign),
        title: "The first fields are not ntdll's",
        means: "DebugInfo or LockCount cannot have been left by ntdll. The last fields are zeros or small numbers, which stand in any memory and prove nothing.",
        arises: &[
            "An overrun from the object before.",
            "Another object, or a list's links, in memory that was used anew.",
            "An address that is none of a section.",
        ],
        confirm: &[
            run("db SECTION-80 L100", "What lies before and behind."),
            run("!heap -x SECTION", "The block."),
        ],
        fix: &["See corrupted, memory-released and bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::DeletionBehind),
        title: "The program has just deleted it",
        means: "A thread has surely called DeleteCriticalSection for it before it came to where it stands: in a function on its stack, or in one that has returned. It is looked for only when the section is zero.",
        arises: &[
            "A thread deletes the lock and then waits for the threads that use it.",
            "A destructor deletes the lock first and the rest of the object after.",
        ],
        confirm: &[
            run("~*k", "The thread that the finding names."),
            run("ub CALLER", "CALLER is the place that the finding names."),
        ],
        fix: &["First stop or wait for all users, then delete. See deleted."],
    },
    Explanation {
        subject: Finding(FindingId::InitializationBehind),
        title: "The program has initialised it",
        means: "A thread has surely called InitializeCriticalSection for it before it came to where it stands: in a function on its stack, or in one that has returned. It is looked for where something is wrong with the section itself.",
        arises: &["The section was made in time; what is wrong with it came later."],
        confirm: &[
            run("~*k", "The thread that the finding names."),
            run("ub CALLER", "CALLER is the place that the finding names."),
        ],
        fix: &["See corrupted, deleted and memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::ReleaseBehind),
        title: "The program has given its memory back",
        means: "A thread has surely freed the block, the pages or the module that the section is in before it came to where it stands: in a function on its stack, or in one that has returned. It is looked for where something is wrong with the section itself.",
        arises: &[
            "An object is deleted, and then used once more in the same function.",
            "A callback is called after its module was freed.",
        ],
        confirm: &[
            run("~*k", "The thread that the finding names."),
            run("ub CALLER", "CALLER is the place that the finding names."),
        ],
        fix: &["First stop using it, then give it back. See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::EarlierReleaseBehind),
        title: "The program has, or had, given the memory back",
        means: "A function that is still running has freed the block, the pages or the module at this address before the place where it stands; nothing shows that it had initialised this section first, so that it may have been an earlier object's memory.",
        arises: &[
            "An object is deleted, and then used once more in the same function.",
            "The block of an object that was freed became this one's.",
        ],
        confirm: &[
            run("~*k", "The thread that the finding names."),
            run("ub CALLER", "CALLER is the place that the finding names."),
        ],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::InitializationAhead),
        title: "The program has yet to initialise it",
        means: "A function that is still running calls InitializeCriticalSection further on, or calls a function that does. It is looked for only when the section is zero.",
        arises: &[
            "A thread is started before the lock is made.",
            "An object is published before its constructor has finished.",
        ],
        confirm: &[
            run("~*k", "The thread that the finding names."),
            run("u CALLER", "CALLER is the place that the finding names."),
        ],
        fix: &["First initialise, then publish. See never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::InitializationPerhapsAhead),
        title: "The program may have yet to initialise it",
        means: "A return address on the stack of the thread that failed leads into a function that initialises this section further on. Nothing proves that the function is still running: the address may be left over from an earlier call. It is looked for only when the section is zero.",
        arises: &[
            "A module, a plugin or a constructor uses the lock before the code that makes it has come to it.",
            "The function ran long ago, and the section was deleted since.",
        ],
        confirm: &[
            run("k", "With symbols: whether the function is on the stack."),
            run("u CALLER", "CALLER is the place that the finding names."),
        ],
        fix: &["First initialise, then use. See never-initialized and deleted."],
    },
    Explanation {
        subject: Finding(FindingId::EnteredNotLeft),
        title: "The thread has entered it and not left it",
        means: "By the code of the functions on its stack, and of those that they called, the thread that failed has surely entered this section more often than it has left it since it was initialised, and no call of LeaveCriticalSection on another way can have been for it.",
        arises: &[
            "The section's fields were written over while the thread was in it.",
            "The section was deleted, or its event closed, while the thread was in it.",
        ],
        confirm: &[run("k", "The functions on the stack."), run("ub CALLER", "The calls before.")],
        fix: &["See corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::LeavesFollowEnters),
        title: "Each Leave follows an Enter",
        means: "The code of the program's functions that can have run so far was followed on all ways. On each way to each call of LeaveCriticalSection that can have been for this section, the one that failed too, a call of EnterCriticalSection with the same pointer comes before, and no other Leave between. It is said where LeaveCriticalSection found the section not owned.",
        arises: &[
            "The section's counts were written over while a thread was in it.",
            "Code whose calls the dump does not show left it: another module of the system's, or what was unloaded.",
        ],
        confirm: &[
            run("!cs -s SECTION", "LockCount, RecursionCount and OwningThread."),
            look(
                "What lies before the section in its object, and who writes there while a thread is in it.",
            ),
        ],
        fix: &["See corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::NoInitializationBehind),
        title: "Nothing that has run can have initialised it",
        means: "The code of the program's functions that can have run so far was followed on all ways, from each thread's first function to where it stands, with those functions whose addresses were handed out. No call of InitializeCriticalSection in it can have been for this section. It is looked for where something is wrong with the section itself, and said only where all of the code that the dump holds could be followed.",
        arises: &[
            "The initialisation is missing, stands behind a condition, or comes later.",
            "The address is that of something else.",
            "Another program module, whose code the dump lacks, or a library of the system made it.",
        ],
        confirm: &[
            run("x MODULE!*", "With symbols: which variable it is."),
            look("Every use of the variable in the source."),
        ],
        fix: &["See never-initialized and bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::LiveLocal),
        title: "The section is a local of a live function",
        means: "The section lies among the live frames of the crashed thread's stack, and code that has not returned has initialised it. Its memory cannot have been given back: what changed it has written over it.",
        arises: &[
            "A buffer of the same function, or a structure that is read from a file, is too small.",
            "Another thread, or a request that is still pending, writes through an old address of a local.",
        ],
        confirm: &[
            run("k", "The frame that the address lies in."),
            run("ba w4 SECTION", "In a new run, set where the function begins: who writes there."),
        ],
        fix: &["See corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::BaseIsKept),
        title: "The address of what is gone is still kept",
        means: "The address lies in free memory, and the multiple of 64 KiB before it, at which pages or a view can have begun, is still kept somewhere in the process.",
        arises: &[
            "Pages, a view or a large block were given back while a pointer to their beginning stayed in use.",
        ],
        confirm: &[
            run("!address SECTION", "That nothing lies there."),
            run(
                "ub CALLER",
                "Where the caller has the address from: the pointer that stayed in use.",
            ),
        ],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::BlockBeganAsZeros),
        title: "The block began as zeros",
        means: "The block was given out as zeros (calloc, HEAP_ZERO_MEMORY), no code made a section at this place of it, and what stands there now is not zero: the program has put it there as something else.",
        arises: &[
            "The address leads past the last section of a table, or into another member.",
            "A slot of the block was another object before, and its section was never made.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, its start and its size."),
            run(
                "u CALLER",
                "How the call's argument is made: what it adds to the block's address.",
            ),
        ],
        fix: &["See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::InitializationOpen),
        title: "It may have been initialised",
        means: "Every field is foreign, and some code that can have run initialises a section of which it is not known which it is. Where a section was never initialised, the code mostly shows that nothing initialised it.",
        arises: &[
            "The object was initialised, and its memory is another object's now.",
            "Another object of the class was initialised: the call names no address any more.",
        ],
        confirm: &[run(
            "u CALLER",
            "Where the program initialises such sections, and for which objects.",
        )],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::DeletionOpen),
        title: "It may have been deleted",
        means: "Every field is foreign, and some code that can have run deletes a section of which it is not known which it is.",
        arises: &[
            "The object was deleted, and its memory is another object's now.",
            "Another object of the class was deleted: the call names no address any more.",
        ],
        confirm: &[run(
            "u CALLER",
            "Where the program deletes such sections, and for which objects.",
        )],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::MadeInSuchBlock),
        title: "A section was made at this place of such a block",
        means: "A thread has initialised a section at just this offset of a block of just this size, and the other blocks of that size that have a section there account for fewer such calls: what lies here was most likely that section.",
        arises: &[
            "The object was given back, and another one of the same size class has its block.",
            "The section was written over, or deleted.",
            "Another object of the class, which has its block back or out again, was initialised, and this one was forgotten.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, its start and its size."),
            run("u CALLER", "CALLER is the place that the finding names: whose section it makes."),
        ],
        fix: &["See the likeliest cause."],
    },
    Explanation {
        subject: Finding(FindingId::MadeElsewhereInBlock),
        title: "Such blocks have their sections elsewhere",
        means: "The program gives out blocks of just this size, and initialises a section at another offset of each. The call was given an address in such a block where it never makes one.",
        arises: &[
            "The address of one member was passed for that of another, or a base class was mistaken for another.",
            "Another class is as large, and has its section here.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, its start and its size."),
            run(
                "u CALLER",
                "CALLER is the place that the finding names: what it adds to the object's address.",
            ),
        ],
        fix: &["See bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::InitializationPerhapsBehind),
        title: "Code that can have run initialises it",
        means: "A function that can have run so far, on some way or in some thread, calls InitializeCriticalSection for this section.",
        arises: &["The section was made, or its initialisation was passed by."],
        confirm: &[run("u CALLER", "CALLER is the place that the finding names.")],
        fix: &["See never-initialized, corrupted and deleted."],
    },
    Explanation {
        subject: Finding(FindingId::NoDeletionBehind),
        title: "Nothing that has run can have deleted it",
        means: "The code of the program's functions that can have run so far was followed on all ways. No call of DeleteCriticalSection in it can have been for this section.",
        arises: &[
            "It was never deleted: its bytes are those it began with, or were written over it.",
            "Another program module, whose code the dump lacks, or a library of the system deleted it.",
        ],
        confirm: &[look("Every use of the variable in the source.")],
        fix: &["See never-initialized and corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::NeverListed),
        title: "No section with a record was ever here",
        means: "The process's list, read as a whole, has no record for the address, and no code that can have run so far deletes a section there. What is initialised with a record stays on the list until it is deleted.",
        arises: &[
            "The section was not initialised, or the address is that of something else.",
            "It was initialised without a record by code that could not be followed: a library, or an initialiser written by hand.",
        ],
        confirm: &[
            run("!locks -v", "The sections of the process, where it lists them."),
            look("Every use of the variable in the source."),
        ],
        fix: &["See never-initialized and bad-pointer."],
    },
    Explanation {
        subject: Finding(FindingId::DeletionPerhapsBehind),
        title: "Code that can have run deletes it",
        means: "A function that can have run so far, on some way or in some thread, calls DeleteCriticalSection for this section.",
        arises: &["The section was deleted, or its deletion was passed by."],
        confirm: &[run("u CALLER", "CALLER is the place that the finding names.")],
        fix: &["See deleted."],
    },
    Explanation {
        subject: Finding(FindingId::NoReleaseBehind),
        title: "Nothing that has run can have freed its memory",
        means: "The section lies in a heap block that is in use. The code of the program's functions that can have run so far was followed on all ways, and no call in it can have freed this block.",
        arises: &[
            "The block is still the one that the section was made in.",
            "Another program module, whose code the dump lacks, freed it.",
        ],
        confirm: &[run("!heap -x SECTION", "The block.")],
        fix: &["See corrupted and never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::ReleasePerhapsBehind),
        title: "Code that can have run frees its memory",
        means: "A function that can have run so far, on some way or in some thread, gives back the block, the pages or the module that the section is in.",
        arises: &["The memory was given back, or its release was passed by."],
        confirm: &[run("u CALLER", "CALLER is the place that the finding names.")],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::NobodyDeletes),
        title: "No code of its module deletes it",
        means: "The section is static data of a module, all code of which is in the dump. Each of its calls to DeleteCriticalSection passes the constant address of another section, or there is none. Where the section is in no module, it is the module that used it whose calls all pass constants, although it initialises sections that are none. It is looked for only when the section is zero.",
        arises: &[
            "The program never deletes this section: its zeros are those it began with, or were written over it.",
            "Another module was given its address, and deletes it; or the function is looked up at run time, or imported late.",
        ],
        confirm: &[
            run("x MODULE!*", "With symbols: which variable it is."),
            look("Every use of the variable in the source."),
        ],
        fix: &["See never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::NobodyInitializes),
        title: "No code of its module initialises it",
        means: "The section is static data of a module, all code of which is in the dump. Each of its calls to InitializeCriticalSection and its like passes the constant address of another section, or there is none. It is looked for only when the section is zero.",
        arises: &[
            "The initialisation is missing, or is done for another variable.",
            "Another module was given its address, and initialises it; or the function is looked up at run time, or imported late.",
        ],
        confirm: &[
            run("x MODULE!*", "With symbols: which variable it is."),
            look("Every use of the variable in the source."),
        ],
        fix: &["Initialise it once, before its first use. See never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::ListLacksGoneSection),
        title: "The list does not know the section whose memory is gone",
        means: "Up to Windows 7 each section that is initialised with a record is on the process's list until it is deleted. The list is complete in the dump, and does not name this address, where no memory is.",
        arises: &[
            "The section was deleted, then its memory was given back, as destructors do.",
            "There never was a section.",
            "It was made without a record (RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO).",
        ],
        confirm: &[
            run("!locks -v", "All sections of the list."),
            run("!address SECTION", "What is there."),
        ],
        fix: &["See memory-released, deleted and bad-pointer."],
    },
];
