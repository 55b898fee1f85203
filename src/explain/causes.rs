//! The nine causes. The page begins with the cause's own summary and ends with its next steps.

use super::Subject::Cause;
use super::{Explanation, look, run};
use crate::diagnosis::cause::Cause::{
    BadPointer, Copied, Corrupted, CrossProcess, Deleted, HandleClosed, MemoryReleased,
    NeverInitialized, NotOwner,
};

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Cause(HandleClosed),
        title: HandleClosed.title(),
        means: "Leave had a waiter to wake and passed the handle in LockSemaphore to NtSetEvent, which found nothing there (0xC0000008), another kind of object (0xC0000024) or no right to signal it (0xC0000022). The section is the victim: its other fields are in order, and the fault is in code that may have nothing to do with it. Up to Windows 7 every waited-for section has such an event. Windows 10 and later create one only with bit 0x400000 in PEB.AppCompatFlags; Windows 8 and 8.1 are unverified.",
        arises: &[
            "A double close: code closes its own handle twice. Between the two calls the value is given to the event of a section that is waited for the first time, and the second close hits that.",
            "A handle variable that is not set on every path holds an old value when CloseHandle gets it.",
            "DeleteCriticalSection on memory that is no section, or no longer one, closes whatever stands where LockSemaphore would be.",
            "A loop that closes ranges of handles, or a handle that is owned by two objects after a shallow copy.",
        ],
        confirm: &[
            run(
                "!cs -s -o SECTION",
                "The fields are sane: DebugInfo is valid, the owner is 0 after the failed Leave, LockCount & 3 is 1 (Server 2003 SP1 and later).",
            ),
            run(
                "!handle HANDLE f",
                "The slot is empty, or holds an object that is no unnamed event with access 0x100003, which is what ntdll creates.",
            ),
            run(
                "dt ntdll!_PEB @$peb AppCompatFlags",
                "On Windows 10 and later: without bit 0x400000 there was no event to close, and this is not the cause.",
            ),
            run(
                "appverif -enable Handles -for PROGRAM",
                "At a command prompt. Turns on handle tracing; stop 0x300 breaks at the first use of an invalid handle, 0x305 at the use of one of the wrong type. The stray close of a value that was valid just then is no stop: the trace has to name it.",
            ),
            run(
                "!htrace HANDLE",
                "In a live session, or in a dump with the handle operations (stream 18): the newest CLOSE of the value, with its stack. It is innocent only if RtlDeleteCriticalSection is in it.",
            ),
        ],
        fix: &[
            "Give each handle one owner: a wrapper that closes in its destructor and resets itself on move, and that cannot be copied.",
            "Set handle variables to NULL where they are declared and after each CloseHandle, and check what CloseHandle returns: a failing one is the same bug seen earlier.",
            "Replacing this section by an SRWLOCK only moves the damage: the stray close will hit another object.",
        ],
    },
    Explanation {
        subject: Cause(Corrupted),
        title: Corrupted.title(),
        means: "At least one field holds what ntdll never stores there. Enter itself repairs OwningThread, RecursionCount and one bit of LockCount, so that damage done before an Enter shows in DebugInfo, LockSemaphore or SpinCount. Which fields are hit tells the direction: the last ones first means a write that came from the object behind, the first ones an overrun of the object before, one field alone a stray write.",
        arises: &[
            "The object behind the section is written below its start: SpinCount goes first, then LockSemaphore.",
            "The buffer before the section is written past its end: DebugInfo goes first. To reach LockSemaphore while the section is owned it must also have written RecursionCount, and Leave signals only when that is exactly 1.",
            "A stray write through a stale pointer to an object that lived at this address before.",
            "A flipped bit in memory; rare, and one bit only.",
        ],
        confirm: &[
            run(
                "!cs -s -o SECTION",
                "WinDbg says which fields do not fit; !cs needs full symbols for ntdll.",
            ),
            run(
                "dps SECTION-40 L20",
                "What stands around the section: text, a pattern, pointers with symbols that name the neighbour.",
            ),
            run(
                "!heap -x SECTION",
                "The heap block that holds the section; its neighbours are the suspects.",
            ),
            run("!heap -p -a SECTION", "Under page heap: who allocated the block."),
            run(
                "gflags /p /enable PROGRAM /full",
                "At a command prompt. An overrun of a heap block then faults at the write; add /backwards for underruns. It finds writes that leave the block, not those inside one object.",
            ),
            run(
                "ba w4 SECTION+18",
                "Stops at the write: +18 is LockSemaphore on x64, +10 on x86. For a section that was initialised a moment ago.",
            ),
            look(
                "Application Verifier, Locks: stop 0x205 when DebugInfo was overwritten, 0x206 to 0x208 for owner, recursion count and lock count.",
            ),
        ],
        fix: &[
            "Correct the length or the index in the code that the watchpoint or page heap stops at.",
            "Moving the section to another place hides the bug and hands the damage to the next object.",
        ],
    },
    Explanation {
        subject: Cause(NeverInitialized),
        title: NeverInitialized.title(),
        means: "Zeros: an Enter takes LockCount 0 for locked, makes ready to wait, and faults writing through DebugInfo 0 (address 0x24 on x64, 0x14 on x86, Windows 7 and later). Old bytes or a fill pattern: what happens depends on the low two bits of LockCount. With Server 2003 SP1 and later 3 lets Enter in and makes Leave signal a handle that never was one; 1 lets both pass silently; 0 and 2 fault in Enter. On Windows XP it shows in Enter.",
        arises: &[
            "A global object whose constructor has not run yet is used by another global's constructor, or by a thread started from one.",
            "An error path, a failed allocation or an early return skips the initialisation, and the clean-up path uses the lock.",
            "An object is made without its constructor: malloc, a cast of raw memory, a plain memset.",
            "Two threads race to initialise lazily, and one is inside before the other is done.",
        ],
        confirm: &[
            run(
                "dps SECTION L6",
                "All zero, a repeated fill pattern, or bytes of something else. Initialisation never leaves DebugInfo 0.",
            ),
            run(
                "!cs -s SECTION",
                "No initialisation stack. It is recorded only with gflags /i PROGRAM +ust.",
            ),
            run(
                "appverif -enable Locks -for PROGRAM",
                "At a command prompt. Stop 0x210 at the first use. The same stop stands for a section that was deleted.",
            ),
            run(
                "!avrf -cs -a SECTION",
                "Under Application Verifier: the log of deletions. An entry for this address means deleted, not never initialised.",
            ),
        ],
        fix: &[
            "Initialise in the constructor of the class that holds the section, and let nothing make the object otherwise.",
            "For lazy initialisation use InitOnceExecuteOnce, a function-local static, or an SRWLOCK, which zeros initialise.",
        ],
    },
    Explanation {
        subject: Cause(Deleted),
        title: Deleted.title(),
        means: "DeleteCriticalSection closes the event, frees the debug record and zeroes the section; it checks neither owner nor waiters (measured on Windows 7; 2003 SP1 and Vista unverified). A Leave on the zeros returns silently, an Enter faults through DebugInfo 0. Leave itself raises only in a race: it has released the lock and not yet signalled when another thread enters, leaves and deletes.",
        arises: &[
            "The last user of an object frees it as soon as it gets the lock, while the thread that let it in is still inside LeaveCriticalSection.",
            "A worker thread outlives the object that owns the lock, because nobody waits for the worker.",
            "Static objects are destroyed at process exit, or when a DLL is unloaded, while threads still run.",
            "The section is deleted twice, or an owner is destroyed through two pointers.",
        ],
        confirm: &[
            run(
                "dps SECTION L6",
                "All zero, while the call that failed had a handle: deleted during Leave.",
            ),
            run(
                "~*k",
                "A thread in, or just behind, DeleteCriticalSection or the destructor of the owner.",
            ),
            run(
                "appverif -enable Locks -for PROGRAM",
                "At a command prompt. Stop 0x208 at a Delete of a section that is owned, 0x210 at a use after it.",
            ),
            run(
                "!avrf -cs -a SECTION",
                "Under Application Verifier: who deleted it, with the stack.",
            ),
            run(
                "!htrace HANDLE",
                "With handle tracing: a CLOSE whose stack holds RtlDeleteCriticalSection.",
            ),
        ],
        fix: &[
            "Make the destruction wait: join the threads, or count references and let the last one delete after it has left the section.",
            "Never free an object from inside the lock that lives in it.",
            "Leave sections of static lifetime undeleted when the process ends.",
        ],
    },
    Explanation {
        subject: Cause(MemoryReleased),
        title: MemoryReleased.title(),
        means: "The address was good once. Where the memory is unmapped, Leave faults at section+0xC (x64) or +8 (x86), Enter at +8 or +4 (measured on Windows 7). Where it was given to something else, the section's fields are that object's, and anything can follow.",
        arises: &[
            "An object is freed while a thread holds, or waits for, the lock inside it.",
            "A DLL is unloaded while its threads or callbacks still run; its static sections go with it.",
            "The section is a local variable, and a thread still uses it after the function has returned.",
            "A view is unmapped, or VirtualFree is called on the block.",
        ],
        confirm: &[
            run(
                "!address SECTION",
                "MEM_FREE or MEM_RESERVE: the memory is gone. An image or heap region: see what lives there now.",
            ),
            run(
                "lm",
                "The unloaded modules stand at the end: does one of their ranges hold the address? Windows remembers only the last ones (16, since Vista 64; unverified).",
            ),
            run("!heap -p -a SECTION", "Under page heap: the stack that freed the block."),
            run(
                "appverif -enable Locks Heaps -for PROGRAM",
                "At a command prompt. Stops when a section's memory goes without a Delete: 0x201 DLL, 0x202 heap, 0x204 other memory, 0x212 VirtualFree, 0x213 unmapped view.",
            ),
        ],
        fix: &[
            "Keep the owner alive as long as anyone can reach the lock: a reference held by each thread, a join before the free.",
            "For DLLs: pin the module, or FreeLibraryAndExitThread in its threads, and cancel callbacks before the unload.",
        ],
    },
    Explanation {
        subject: Cause(Copied),
        title: Copied.title(),
        means: "Copying or moving a section is documented as not allowed. The copy starts with the state of its original, and its DebugInfo names a record that points back to the original. Two objects then believe in one event: when the original is deleted, its event is closed and its record wiped, and the copy holds a dead handle.",
        arises: &[
            "A class that holds a section has the compiler's copy constructor or assignment.",
            "realloc, memcpy or a container of its own moves objects bytewise.",
            "A structure with a section is passed or returned by value.",
        ],
        confirm: &[
            run("dps SECTION L6", "The first word is DebugInfo, call it RECORD."),
            run(
                "!cs -s -d RECORD",
                "Prints the section to which the record belongs: another address than SECTION says copied.",
            ),
            run("dps RECORD L6", "Without symbols: the back pointer at +8 (x64) or +4 (x86)."),
            look(
                "Application Verifier, Locks: stop 0x210 at the copy, because its address was never initialised; 0x203 when the copy is initialised on top. Which of them comes first is not verified.",
            ),
        ],
        fix: &[
            "A moved object needs a lock of its own: initialise a new section in the copy, never take over the old bytes.",
        ],
    },
    Explanation {
        subject: Cause(BadPointer),
        title: BadPointer.title(),
        means: "The call faulted at its first access, at an address that no section can have, or on memory that shows no trace of one. The offset tells the operation: Leave touches RecursionCount first (+0xC on x64, +8 on x86), Enter LockCount (+8, +4), as measured on Windows 7; so a fault at 0x1C in Leave on x64 is NULL plus 0x10.",
        arises: &[
            "A member function is called on a NULL object: the section is a member, its offset is the address.",
            "The object was freed and its pointer field now holds other data.",
            "The pointer variable itself was overwritten, or never set.",
            "A wrong cast, or a handle passed where an address belongs.",
        ],
        confirm: &[
            run("k", "The frame above ntdll is the caller."),
            run(
                "ub CALLER",
                "The instructions before the return address CALLER: from where rcx was loaded, or what was pushed on x86.",
            ),
            run("!address SECTION", "Free, code, or read-only memory: no section lives there."),
            run("dps SECTION L6", "Where it is readable: nothing in it looks like a section."),
        ],
        fix: &[
            "Check the object before the lock is used, and find out why it is gone: a NULL check alone hides a lifetime bug.",
        ],
    },
    Explanation {
        subject: Cause(CrossProcess),
        title: CrossProcess.title(),
        means: "OwningThread is a thread id and LockSemaphore a handle of one process, DebugInfo an address in it. In another process that maps the same memory the numbers name other things or nothing. In a cloned process handles are not inherited; ntdll repairs only its own locks there.",
        arises: &[
            "A structure with a section was put into a named file mapping, or into a writable shared data segment of a DLL.",
            "Memory of one process was restored into another: a saved heap, a process clone, a snapshot.",
        ],
        confirm: &[
            run("!address SECTION", "Type MEM_MAPPED: a view that others may have mapped too."),
            run(
                "!cs SECTION",
                "The owner is no thread of this process, or waiters are counted that nobody here is.",
            ),
            run("~", "The ids of the threads that this process has."),
        ],
        fix: &[
            "Use a named mutex, or an interlocked word with a named event, in shared memory; keep a private section per process beside it.",
        ],
    },
    Explanation {
        subject: Cause(NotOwner),
        title: NotOwner.title(),
        means: "Since Server 2003 SP1 most unmatched calls stay silent: Leave decrements RecursionCount, and only when it was exactly 1 looks further; when the section is then not locked it raises 0xC0000264 (verified on Windows 10; Vista and later by report). In the older algorithm LockCount goes below -1 and a later Enter hangs.",
        arises: &[
            "An error path leaves although the Enter was skipped, or leaves twice.",
            "One thread enters, another leaves: sections belong to threads, not to tasks.",
            "TryEnterCriticalSection failed, and its result was ignored.",
            "The section was re-initialised while it was owned.",
        ],
        confirm: &[
            run(
                "!cs -s -o SECTION",
                "RecursionCount negative, or an owner that is not the thread that left.",
            ),
            run(
                "appverif -enable Locks -for PROGRAM",
                "At a command prompt. Stop 0x209 when it is left more often than entered, 0x214 when the thread does not own it.",
            ),
            run("!avrf", "Prints the current stop with its parameters; the first is the section."),
        ],
        fix: &[
            "Use a scope guard (std::lock_guard over a wrapper, CComCritSecLock, or one of your own) so that each Enter has its Leave on every path.",
            "Check what TryEnterCriticalSection returns.",
        ],
    },
];
