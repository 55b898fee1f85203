//! Findings of the evidence table that came after the first ones.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::SlotWasTaken),
        title: "The slot was taken when the call failed",
        means: "The code of the exception says what the handle's slot held at that instant: 0xC0000024 an object that is no event, 0xC0000022 one that may not be set.",
        arises: &[
            "The section's event was closed, and its slot was handed out again.",
            "A stray number in LockSemaphore names another handle by chance.",
        ],
        confirm: &[run("!handle HANDLE f", "What the slot holds now.")],
        fix: &["See handle-closed: find who closes a handle that is not theirs."],
    },
    Explanation {
        subject: Finding(FindingId::SpinCountUnusual),
        title: "A spin count that this machine does not store",
        means: "The value is a possible spin count, but initialisation on this version of Windows and with this number of processors stores another.",
        arises: &[
            "A static initialiser wrote the fields.",
            "Zeroed storage was entered without initialisation.",
        ],
        confirm: &[run(
            "!cs -s -o SECTION",
            "The fields, and who initialised the section where stack traces are on.",
        )],
        fix: &["Make sure that InitializeCriticalSection runs for this section."],
    },
    Explanation {
        subject: Finding(FindingId::HandlePassedAlthoughZero),
        title: "A handle passed by a section that is zero now",
        means: "The argument of the system service still stands on the stack, but the section is zero: it was zeroed after Leave had read the handle.",
        arises: &[
            "DeleteCriticalSection ran in another thread during the last Leave.",
            "The object's memory was freed and zeroed meanwhile.",
        ],
        confirm: &[run("~*k", "A thread that destroys the object, or has just done so.")],
        fix: &["Let the owner of the object wait until the last user has left the section."],
    },
    Explanation {
        subject: Finding(FindingId::GuardPattern),
        title: "The pattern of the space around blocks",
        means: "The section's fields are what an allocator fills the space around its blocks with.",
        arises: &[
            "The pointer leads behind the end of a block.",
            "The memory was released and laid out anew.",
            "The guard of another block was copied over the section.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block that the address belongs to."),
            run("dq SECTION-40 L20", "Where the pattern begins and ends."),
        ],
        fix: &["Compare the pointer with the object's allocation; run with page heap."],
    },
    Explanation {
        subject: Finding(FindingId::HeapBlockFree),
        title: "The section is in a free heap block",
        means: "The headers of the heap, which prove themselves by their checksums, mark the block that holds the section as free.",
        arises: &["The object was freed while its lock was still in use."],
        confirm: &[
            run("!heap -x SECTION", "The block and its state."),
            run("!heap -p -a SECTION", "With page heap: who freed it."),
        ],
        fix: &["Keep the object alive until its last user has left the section."],
    },
    Explanation {
        subject: Finding(FindingId::HeapBlockBusy),
        title: "The section is in a heap block in use",
        means: "The headers of the heap mark the block that holds the section as in use. It may have been freed and handed out again.",
        arises: &["The usual state of a section in a live object."],
        confirm: &[run("!heap -x SECTION", "The block, its size and its state.")],
        fix: &["Nothing by itself: see the other findings."],
    },
    Explanation {
        subject: Finding(FindingId::ListLinksInside),
        title: "Links of a list in place of the fields",
        means: "Two neighbouring words inside the section lead to places that point back to them: the memory is an entry of a doubly linked list now.",
        arises: &[
            "A heap keeps the freed block on its list of free blocks.",
            "Another object was allocated in the same memory.",
        ],
        confirm: &[
            run("dps SECTION L6", "The two links."),
            run("!heap -x SECTION", "Whether the block is free."),
        ],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::WaitersByAddress),
        title: "Threads wait by address here",
        means: "Wait blocks on the stacks of threads name the section's LockCount: the section is genuine and uses no event, as is the rule since Windows 10.",
        arises: &["A contended section whose LockSemaphore was written over later."],
        confirm: &[
            run("~*k", "Threads in RtlpWaitOnAddress under RtlEnterCriticalSection."),
            run("!cs -o SECTION", "The number of waiters."),
        ],
        fix: &["See corrupted: nothing but a stray write puts a handle into this section."],
    },
    Explanation {
        subject: Finding(FindingId::NoWaiterByAddress),
        title: "No thread waits by address here",
        means: "LockCount counts waiters, but neither the stacks nor the table of waits by address knows one.",
        arises: &[
            "The bytes are a copy, or the section is shared with another process.",
            "LockCount was overwritten or never initialised.",
        ],
        confirm: &[run("~*k", "No thread in RtlEnterCriticalSection for this section.")],
        fix: &["See copied, cross-process and corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::WaitersGoneAtExit),
        title: "The end of the process has ended the waiters",
        means: "LockCount counts waiters whom nobody sees, and the process is ending: they were ended with all other threads.",
        arises: &["Threads were still running when the process exited."],
        confirm: &[run("~*k", "Only the thread that ends the process is left.")],
        fix: &["Stop and join threads before main returns."],
    },
    Explanation {
        subject: Finding(FindingId::OwnerExited),
        title: "The owner has exited",
        means: "The section is entered, and the thread that entered it has exited: nobody will ever leave it.",
        arises: &["A thread returned or was ended while it was inside."],
        confirm: &[run("!cs -o SECTION", "The owner."), run("~", "Which threads are left.")],
        fix: &["Leave the section on every path; never end threads from outside."],
    },
    Explanation {
        subject: Finding(FindingId::OwnerUnknown),
        title: "The owner is no thread of the process",
        means: "The section is entered, and OwningThread is the id of no thread in the dump.",
        arises: &[
            "OwningThread was overwritten.",
            "The section is shared, and a thread of another process owns it.",
            "The owner exited before the dump.",
        ],
        confirm: &[
            run("~", "The ids of all threads."),
            run("!address SECTION", "Whether the memory is mapped."),
        ],
        fix: &["See corrupted and cross-process."],
    },
    Explanation {
        subject: Finding(FindingId::LibraryUnloading),
        title: "A library is being unloaded",
        means: "The faulting thread is unloading a library, whose static objects are being destroyed.",
        arises: &["FreeLibrary was called while other threads still use the library."],
        confirm: &[
            run("k", "FreeLibrary or LdrUnloadDll on the stack."),
            run("lm", "The unloaded modules at the end of the list."),
        ],
        fix: &["Stop the library's threads before it is unloaded."],
    },
    Explanation {
        subject: Finding(FindingId::StaticSectionAtExit),
        title: "A static section while the process ends",
        means: "The section is static data of a module, and the process is ending: the module's destructors delete it, in an order that few think of.",
        arises: &[
            "Another static object uses the lock after it was destroyed.",
            "A thread still runs while main returns.",
        ],
        confirm: &[
            run("k", "The exit handlers on the stack."),
            run("ln SECTION", "The name of the static."),
        ],
        fix: &["Do not destroy locks at exit, or stop all users first."],
    },
    Explanation {
        subject: Finding(FindingId::NeighboursDamagedAlike),
        title: "Sections near by are damaged alike",
        means: "Within 1 KiB there are other sections of which the same part is damaged, while the rest is in order.",
        arises: &[
            "Each object of an array has a buffer that is too small.",
            "One loop wrote past a table's end.",
        ],
        confirm: &[run("dq SECTION-80 L60", "The neighbours, and what was written over them.")],
        fix: &["Look at the structure that holds the section for a buffer beside it."],
    },
    Explanation {
        subject: Finding(FindingId::HandleChecksOn),
        title: "Handles are checked strictly",
        means: "NtGlobalFlag has checks on that make the kernel raise an exception for a bad handle. It says nothing of the cause.",
        arises: &["Application Verifier, or gflags."],
        confirm: &[run("!gflag", "The flags by name.")],
        fix: &["Leave it on: with it the first bad close breaks at its place."],
    },
    Explanation {
        subject: Finding(FindingId::ClonedProcess),
        title: "The process is a clone",
        means: "The faulting thread was made by RtlCloneUserProcess: a clone has all sections of its original, and few of its handles.",
        arises: &["A program that forks, such as a fuzzer."],
        confirm: &[look("Who made the process: it has the memory of another.")],
        fix: &["Initialise sections anew in the clone, or use none that were contended before."],
    },
    Explanation {
        subject: Finding(FindingId::LastErrorInvalidHandle),
        title: "An earlier call failed for an invalid handle",
        means: "The last call that failed in the faulting thread before this one failed for an invalid handle, too. A weak fact.",
        arises: &["Code that misuses handles runs in this thread."],
        confirm: &[run("!gle", "Last error and last status.")],
        fix: &["Look at the handles that this thread closes."],
    },
    Explanation {
        subject: Finding(FindingId::VersionsDisagree),
        title: "SystemInfo names another version",
        means: "The stream SystemInfo says another version of Windows than the process itself. The process is believed.",
        arises: &["The dump's writer has no manifest, and Windows told it 6.2.9200."],
        confirm: &[run("lmvm ntdll", "The version of the file.")],
        fix: &["Nothing: the version is known."],
    },
    Explanation {
        subject: Finding(FindingId::VersionUncertain),
        title: "The version of Windows is uncertain",
        means: "What the process says of its version and the version of its ntdll.dll contradict each other. What rests on the version is less sure, and so is the verdict.",
        arises: &[
            "The dump was put together from several sources.",
            "The memory that holds the version was overwritten.",
        ],
        confirm: &[run("lmvm ntdll", "The version of the file.")],
        fix: &["Capture another dump on the machine itself."],
    },
    Explanation {
        subject: Finding(FindingId::EncodingOverrulesVersion),
        title: "LockCount is encoded otherwise than the version has it",
        means: "The section fits only the other way of counting waiters. The data was believed, and the confidence was lowered.",
        arises: &[
            "The version is reported wrongly.",
            "The process ran under something that is not Windows.",
        ],
        confirm: &[run("!cs -o SECTION", "LockCount as it stands in memory.")],
        fix: &["Check where the dump comes from."],
    },
];
