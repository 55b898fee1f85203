//! Findings about the other threads.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::WaitersParked),
        title: "Threads wait here, as many as counted",
        means: "At least as many other threads have the section's address, or that of its LockCount, in their registers or at the top of their stacks as LockCount counted waiters before the call. The count is a count: the section worked up to now.",
        arises: &["A genuine, contended section."],
        confirm: &[
            run(
                "~*k",
                "Threads in RtlEnterCriticalSection, RtlpWaitOnCriticalSection or RtlpWaitForCriticalSection.",
            ),
            run("!cs -o SECTION", "LockCount as WinDbg decodes it."),
        ],
        fix: &[
            "Look for one event that spoilt a working section: a stray close, a single write, a deletion. The waiters will not wake: after this the process hangs if the exception is swallowed.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::WaitersMissing),
        title: "Counted waiters that nobody is",
        means: "LockCount counts waiters, the stacks of all threads are in the dump, and none refers to the section. The waiters wait elsewhere, or the number is no count.",
        arises: &[
            "The bytes are a copy: the waiters wait at the original.",
            "The section is shared: they are in another process.",
            "LockCount was overwritten, or never initialised.",
            "The waiters were killed (TerminateThread, process exit).",
        ],
        confirm: &[
            run("~*k", "No thread in RtlEnterCriticalSection for this section."),
            run("!cs -s -d RECORD", "Whether the record names another section."),
            run("!address SECTION", "Whether the memory is mapped."),
        ],
        fix: &["See copied, cross-process and corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::DeleteResidue),
        title: "Delete was called shortly before",
        means: "Near a stack pointer lies a return address behind a call to DeleteCriticalSection, in memory that later calls have not yet written over. It does not say for which section; it is looked for only when the section is zero.",
        arises: &["A destructor that has just run, in this thread or another."],
        confirm: &[
            run(
                "dps SLOT-20 L10",
                "SLOT is the stack address that the finding names: the caller of Delete, with symbols.",
            ),
            run("!avrf -cs -a SECTION", "Under Application Verifier: the deletion with its stack."),
        ],
        fix: &["See deleted: the function around the return address is the one that must wait."],
    },
    Explanation {
        subject: Finding(FindingId::FreeYetNobodyWoken),
        title: "Free, with waiters, and nobody woken",
        means: "LockCount says that nobody is inside and that threads wait, but not that one of them was woken. A thread that frees a section with waiters marks one as woken, in the same step or in the next, so that this state does not last.",
        arises: &[
            "Something counted LockCount up, or set its lowest bit: a counter of users or a flag, through a stale pointer.",
            "A thread was stopped between the two steps of its Leave; possible for an instant only.",
        ],
        confirm: &[
            run("!cs -s -o SECTION", "LockCount, and who waits."),
            run("~*k", "Whether a thread is inside RtlpUnWaitCriticalSection at this moment."),
        ],
        fix: &["See corrupted; do not look for a Leave too many first."],
    },
    Explanation {
        subject: Finding(FindingId::LeftTooOften),
        title: "Left more often than entered",
        means: "RecursionCount is below zero. Each Leave counts it down, and where that does not give 0 nothing else happens: a Leave without an Enter leaves this trace and no error.",
        arises: &[
            "A path that leaves without having entered: an early exit, a failed TryEnter, a guard destroyed twice.",
        ],
        confirm: &[
            run("!cs -s -o SECTION", "RecursionCount."),
            look(
                "Each path to the Leave: under Application Verifier with Locks, stop 0x209 breaks at the first one too many.",
            ),
        ],
        fix: &["Pair each Leave with its Enter by a scoped guard. See not-owner."],
    },
    Explanation {
        subject: Finding(FindingId::SleepersNotCounted),
        title: "More threads sleep than LockCount counts",
        means: "Threads wait for the section's event, or by address at its LockCount, and LockCount knows of fewer. Each of them counted itself before it slept.",
        arises: &["Something wrote over LockCount while threads slept: -1, 0, or another number."],
        confirm: &[
            run("!cs -s -o SECTION", "LockCount."),
            run("~*k", "The threads in NtWaitForSingleObject under RtlpWaitOnCriticalSection."),
        ],
        fix: &["See corrupted."],
    },
];
