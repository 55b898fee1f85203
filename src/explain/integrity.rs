//! Findings about the section's own fields: which are as ntdll leaves them.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::DebugRecordOwn),
        title: "The debug record points back",
        means: "DebugInfo leads to a record whose CriticalSection field is this address: initialisation made it, and Delete has not run. It is the single best sign of a genuine section.",
        arises: &[
            "InitializeCriticalSection up to Windows 7.",
            "The first wait, on Windows 10 and later.",
        ],
        confirm: &[
            run(
                "!cs -s -o SECTION",
                "Prints the record and, with gflags +ust, who initialised the section.",
            ),
            run("dps RECORD L6", "The back pointer at +8 (x64) or +4 (x86)."),
        ],
        fix: &[
            "Look elsewhere than at the section's life: at its handle, or at a single stray write.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::DebugRecordOfTwin),
        title: "The record belongs to a section that looks like the original",
        means: "The record points back to another address, and there stands a section with the same DebugInfo and the same LockSemaphore or SpinCount. These bytes are a copy of that section.",
        arises: &["memcpy, realloc, a growing container, a default copy constructor."],
        confirm: &[
            run("!cs -s -d RECORD", "Prints the original."),
            run("!heap -x SECTION", "The block that holds the copy, and so its type."),
        ],
        fix: &["See copied: give the copy a section of its own."],
    },
    Explanation {
        subject: Finding(FindingId::DebugRecordForeign),
        title: "The record belongs to another section",
        means: "DebugInfo leads to a valid record that points back to another address, where nothing looks like the original any more.",
        arises: &[
            "A copy whose original moved on, or whose record was given to another section.",
            "Old bytes of a section in memory that is used again without initialisation.",
            "DebugInfo was overwritten with the address of a record; rare.",
        ],
        confirm: &[
            run("!cs -s -d RECORD", "The section to which the record belongs now."),
            run("!heap -x SECTION", "The block that holds these bytes."),
        ],
        fix: &["See copied and never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::DebugRecordGone),
        title: "The record was wiped",
        means: "DebugInfo leads to memory of the size of a record that is all zero. Delete wipes a record before it frees it; it zeroes the section too, so that a section which still names the record is not the one that was deleted.",
        arises: &[
            "A copy whose original was deleted.",
            "Old bytes of a section in memory that was used again.",
        ],
        confirm: &[
            run("dps RECORD L6", "Zeros."),
            run("!heap -x RECORD", "Whether the block is free."),
        ],
        fix: &["See copied; if nothing copies this class, see never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::DebugRecordInvalid),
        title: "DebugInfo leads to memory that is no record",
        means: "The address is readable, but what stands there has neither the type nor the links nor the back pointer of a record.",
        arises: &[
            "DebugInfo was overwritten with a pointer to something else.",
            "The memory was never initialised, or belongs to another object now.",
        ],
        confirm: &[
            run("dps RECORD L6", "What DebugInfo leads to; symbols may name it."),
            run(
                "dps SECTION-40 L20",
                "Whether an overrun comes from before: DebugInfo is the first field.",
            ),
        ],
        fix: &["If only DebugInfo is wrong, look at the object before the section: see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::DebugInfoNull),
        title: "DebugInfo is 0",
        means: "Initialisation leaves a pointer (up to Windows 7) or -1 (from Windows 8), never 0. A deleted section has 0, and so has zeroed storage.",
        arises: &[
            "DeleteCriticalSection ran.",
            "InitializeCriticalSection did not.",
            "Zeros were written over the first field.",
        ],
        confirm: &[
            run("dps SECTION L6", "Whether the rest is zero too."),
            run("!avrf -cs -a SECTION", "Under Application Verifier: whether it was deleted."),
        ],
        fix: &["See deleted and never-initialized: the dump cannot always tell which."],
    },
    Explanation {
        subject: Finding(FindingId::DebugInfoImpossible),
        title: "DebugInfo cannot be the address of a record",
        means: "It is misaligned, outside user space, or text: ntdll never stores such a value.",
        arises: &[
            "An overrun of the object before the section: DebugInfo is the first field that it hits.",
            "Memory that was never initialised, or is something else by now.",
        ],
        confirm: &[
            run("db SECTION-40 L80", "Text or a pattern that runs into the section."),
            run("!heap -x SECTION", "The block, and what lies before it."),
        ],
        fix: &["Find the buffer before the section; see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::DebugInfoAbsentUnexpected),
        title: "DebugInfo is -1 on a Windows that always makes a record",
        means: "Up to Vista every section gets a record unless, on Vista, RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO was asked for. From Windows 8 on -1 is normal. Windows 7 SP1 makes a record by default (measured); older notes about 7 disagree, so it is not held against a section there.",
        arises: &[
            "The first field was overwritten with ones.",
            "The bytes were made on another Windows, or by other code than ntdll.",
            "The version in the dump is not the true one (a compatibility mode).",
        ],
        confirm: &[
            run("vertarget", "The version as WinDbg sees it."),
            run("lmvm ntdll", "The file version of ntdll, which is harder to fool."),
        ],
        fix: &["See corrupted and never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::ListKnowsSection),
        title: "The process's list has another record for this section",
        means: "A record on ntdll's list of sections points to this address, but DebugInfo says something else. The section was initialised and not deleted: DebugInfo was changed afterwards.",
        arises: &["An overrun of the object before, or a stray write, hit DebugInfo."],
        confirm: &[
            run("!locks -v", "Lists the section by its record."),
            look(
                "Application Verifier, Locks: stop 0x205 is this very check; its third parameter is the record on the list.",
            ),
        ],
        fix: &[
            "See corrupted: set ba w4 on SECTION after the initialisation, for DebugInfo is at +0.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::ContendedWithoutRecord),
        title: "Waited for, and without a record",
        means: "Windows 10 and later attach a debug record at the first contended wait, unless the section has the NO_DEBUG_INFO bit. LockCount says that threads waited, and DebugInfo is still -1.",
        arises: &[
            "LockCount or DebugInfo was overwritten.",
            "The fields were never made by this ntdll.",
            "A short window: the waiter is counted before the record is attached, and an allocation can fail.",
        ],
        confirm: &[
            run("dps SECTION L6", "DebugInfo -1, and SpinCount without bit 0x01000000."),
            run("~*k", "Whether any thread waits at the section."),
        ],
        fix: &["See corrupted; a count without waiters is no count."],
    },
    Explanation {
        subject: Finding(FindingId::SpinCountPlausible),
        title: "SpinCount is one that initialisation leaves",
        means: "0 up to Windows 7; 0x020007D0 from Windows 8 on machines with several processors, its low part between 0x64 and 0x7D0 after waits; or the count that was asked for, at most 0xFFFFFF, with known flag bits. On x64 the upper half is 0.",
        arises: &["The section was initialised, and nothing reached its last field."],
        confirm: &[run("dps SECTION L6", "The last pointer-sized field.")],
        fix: &[
            "Nothing to do: it speaks against an underrun from behind and against memory that was never initialised.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::SpinCountImplausible),
        title: "SpinCount is not one that initialisation leaves",
        means: "Too large, with unknown flag bits, or with a dynamic count out of its range. Apart from the dynamic count nothing changes the field after the initialisation.",
        arises: &[
            "The object behind was written below its start: SpinCount is the last field and is hit first.",
            "The memory was never initialised, or is something else by now.",
        ],
        confirm: &[
            run("db SECTION L60", "What runs from behind into the section."),
            run("!heap -x SECTION", "The block, and what lies behind it."),
        ],
        fix: &[
            "Look at the object behind the section for writes with a negative index; see corrupted. gflags /p /enable PROGRAM /full /backwards finds them in heap blocks.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::SectionAllZero),
        title: "Every byte is zero",
        means: "Delete leaves zeros (measured on Windows 7 and seen on 10 and later). A Leave on zeros returns silently, so that zeros in a Leave which failed were written after it had begun.",
        arises: &[
            "DeleteCriticalSection ran while Leave was under way.",
            "The object was zeroed, or freed and its memory zeroed.",
            "In an Enter: deleted before, or never initialised.",
        ],
        confirm: &[
            run("dps SECTION L6", "The zeros."),
            run("~*k", "Which thread is in, or behind, the destructor."),
            run("!avrf -cs -a SECTION", "Under Application Verifier: the deletion with its stack."),
        ],
        fix: &["See deleted: let the destruction wait until the last Leave has returned."],
    },
    Explanation {
        subject: Finding(FindingId::SectionZeroThenEntered),
        title: "Zero but for what an Enter leaves",
        means: "Enter takes LockCount 0 for a section that is locked: it makes an event, counts itself and faults through DebugInfo 0. What is left is LockCount -4 (Server 2003 SP1 and later, measured on Windows 7) or 1 (older), a handle in LockSemaphore or -1, and zeros.",
        arises: &["The section was deleted before.", "Zeroed storage was never initialised."],
        confirm: &[
            run(".exr -1", "A write to address 0x24 (x64) or 0x14 (x86)."),
            run("!avrf -cs -a SECTION", "Under Application Verifier: an entry means deleted."),
        ],
        fix: &[
            "See deleted and never-initialized; without a trace of the deletion no dump tells them apart.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::OnlyHandleDamaged),
        title: "Only LockSemaphore is damaged",
        means: "DebugInfo, the counts and SpinCount are as ntdll leaves them; LockSemaphore holds what ntdll does not store on this Windows. One write of a pointer's size, or less, hit this one field.",
        arises: &[
            "A write through a stale pointer to an object that lived here before and had a field at this offset.",
        ],
        confirm: &[
            run(".formats HANDLE", "What the value is."),
            run("ba w4 SECTION+18", "Stops at the write (x64; +10 on x86)."),
            run("!heap -p -a SECTION", "Under page heap: the history of the block."),
        ],
        fix: &[
            "Search for a class with a field at the same offset as LockSemaphore in the block; its users outlive it. See corrupted.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::TailDamaged),
        title: "The last fields are damaged",
        means: "SpinCount, and often LockSemaphore before it, do not fit; DebugInfo and the counts do. A write came from behind and stopped part of the way.",
        arises: &[
            "The object behind was written below its start: a negative index, a backwards copy, a header in front of a buffer.",
        ],
        confirm: &[
            run("db SECTION L60", "The same bytes behind the section and in its last fields."),
            run(
                "gflags /p /enable PROGRAM /full /backwards",
                "At a command prompt: page heap that faults at writes before a heap block.",
            ),
        ],
        fix: &["Look at the code that writes the object behind the section; see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::HeadDamaged),
        title: "The first fields are damaged",
        means: "DebugInfo or LockCount do not fit; LockSemaphore and SpinCount do. A write came from before and stopped part of the way.",
        arises: &[
            "The buffer before the section was written past its end.",
            "A stray write to the start of the object.",
        ],
        confirm: &[
            run("db SECTION-40 L60", "The same bytes before the section and in its first fields."),
            run(
                "gflags /p /enable PROGRAM /full",
                "At a command prompt: page heap that faults at writes past a heap block.",
            ),
        ],
        fix: &["Look at the code that fills the buffer before the section; see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::EveryFieldForeign),
        title: "No field can have been left by initialisation",
        means: "DebugInfo, LockSemaphore and SpinCount are all impossible. Either nothing ever made this a section, or the whole of it was written over, or another object lives here now.",
        arises: &[
            "Memory that was never initialised.",
            "Memory that was freed and reused.",
            "A large overwrite.",
            "A pointer to something else.",
        ],
        confirm: &[
            run("dps SECTION L6", "What the words are: pointers with symbols, text, a pattern."),
            run("!heap -p -a SECTION", "Under page heap: who allocated or freed the block."),
        ],
        fix: &["Find out what lives at the address: its owner tells which of the causes it is."],
    },
    Explanation {
        subject: Finding(FindingId::MoreWaitersThanThreads),
        title: "More waiters than threads",
        means: "LockCount, decoded as this Windows counts, says that more threads wait than the process has. It is not a count.",
        arises: &[
            "LockCount was overwritten.",
            "The memory was never initialised; zeros decode as a thousand million waiters.",
        ],
        confirm: &[run("!cs SECTION", "LockCount as WinDbg decodes it."), run("~", "The threads.")],
        fix: &["See corrupted and never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::ChangedSince),
        title: "The section was written to since the failure",
        means: "The caller passed this address, and its bytes are not as a failing Leave leaves them (RecursionCount 0, OwningThread 0, LockCount & 3 == 1, or 0 or more in the old encoding). They were written after Leave had released the lock: they accuse nobody, and the verdict stays open.",
        arises: &[
            "The section was deleted, and perhaps initialised anew, while Leave was under way.",
            "Its memory was freed and reused in the meantime.",
            "The dump was written long after the exception.",
        ],
        confirm: &[
            run("~*k", "Who was active in the owner of the section."),
            run("!avrf -cs -a SECTION", "Under Application Verifier: deletions at this address."),
        ],
        fix: &[
            "Write the dump first-chance (procdump -e 1 -f C0000008); see deleted and memory-released.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::ArgumentNotASection),
        title: "What the caller passed is no section",
        means: "The address comes from a place that cannot be wrong, and what stands there has no field of a section.",
        arises: &[
            "The caller's object is not what it takes it for: freed, wrongly cast, or never made.",
            "A section that was written over from end to end.",
        ],
        confirm: &[
            run("dps SECTION L6", "What stands there instead."),
            run("ub CALLER", "From where the caller took the address."),
        ],
        fix: &["See bad-pointer: follow the pointer back to where it was stored."],
    },
    Explanation {
        subject: Finding(FindingId::ZerosStillListed),
        title: "The list still knows the section that is zero",
        means: "The section is zero, and the process's list still has its record. DeleteCriticalSection takes the record off the list before it clears the section; what was never initialised is on no list.",
        arises: &[
            "The program has cleared a structure with a section in it.",
            "Memory with a section in it was given back, and cleared for its next owner.",
        ],
        confirm: &[
            run("!locks -v", "The sections of the process."),
            run("ba w4 SECTION", "In a new run: who clears it."),
        ],
        fix: &["See corrupted and memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::ClearedWhileListed),
        title: "The list knows the section, and its memory was cleared",
        means: "The section is zero and lies in memory that is given out and back, and the process's list still has its record. DeleteCriticalSection takes the record off the list before it clears the section; what was never initialised is on no list.",
        arises: &[
            "Memory with a live section was given back, and cleared for its next owner.",
            "A structure with a section in it was cleared.",
        ],
        confirm: &[
            run("!locks -v", "The sections of the process."),
            run(
                "!heap -x SECTION",
                "The block that the address lies in: does it begin where the object did?",
            ),
        ],
        fix: &["See memory-released, and corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::PageIsZero),
        title: "The allocation begins with zeros",
        means: "The section lies in the first page of an allocation, behind its beginning, and all of that page is zero, but for what the call wrote. Delete clears the section alone; an object around it would mostly still have its other fields.",
        arises: &[
            "The pages were given back, and asked for again.",
            "The memory is fresh, and nothing was made in it yet.",
        ],
        confirm: &[
            run("!address SECTION", "Where the allocation begins, and how large it is."),
            run("db SECTION-40 L80", "What lies around it."),
        ],
        fix: &["See memory-released."],
    },
    Explanation {
        subject: Finding(FindingId::ZerosGoOn),
        title: "What lies beside the zeros is zero too",
        means: "Static data begins as zeros, and on both sides of the section it still is so: the object around it may never have been made.",
        arises: &[
            "The section is used before its object is set up, or its set-up was forgotten.",
            "The object is a section and little else, and was deleted.",
        ],
        confirm: &[
            run("db SECTION-40 L80", "What lies around it."),
            run(
                "ln SECTION",
                "With symbols: the variable, and what its initialisation does besides.",
            ),
        ],
        fix: &["See never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::ZerosAmidData),
        title: "The zeros lie amid data",
        means: "Static data begins as zeros; around the section it has been written to. The object is, or was, in use: its section was more likely deleted than never made.",
        arises: &[
            "The object was shut down, and its other fields kept their values.",
            "The fields around it are set by other code than the one that should make the section.",
        ],
        confirm: &[
            run("db SECTION-40 L80", "What lies around it."),
            run("ln SECTION", "With symbols: the variable, and who uses its other fields."),
        ],
        fix: &["See deleted; if nothing shuts the object down, never-initialized."],
    },
];
