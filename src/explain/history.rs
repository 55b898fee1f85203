//! Findings about the handle's recorded history (critical-sections.md 7.4).

use super::Subject::Finding;
use super::{Explanation, Step, look, run};
use crate::findings::FindingId;

const TRACE: Step =
    run("!htrace HANDLE", "The recorded operations with their stacks, newest first.");

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::HandleBadReferenceRecorded),
        title: "The failing use of the handle was recorded",
        means: "The handle trace has a reference to a handle that was not open, by the faulting thread. It is the crash itself, and gives the handle that was really passed, also where the section has been wiped or written to since.",
        arises: &["The kernel found the slot empty when the lock function used the handle."],
        confirm: &[TRACE],
        fix: &["Go by the value that was passed; LockSemaphore may show another one by now."],
    },
    Explanation {
        subject: Finding(FindingId::HandleOpenedForSection),
        title: "The handle was opened as the event of a section",
        means: "The handle trace shows that a lock function of ntdll created it. The value was the handle of a section's event at that time.",
        arises: &[
            "The first thread that had to wait for the section made ntdll create its event.",
            "It was the event of another section, which had the value before.",
        ],
        confirm: &[TRACE],
        fix: &["LockSemaphore was not a wild value: look at who closed the handle after that."],
    },
    Explanation {
        subject: Finding(FindingId::HandleOpenedByOtherCode),
        title: "The handle was opened by other code",
        means: "As far as the handle trace goes back, the value belonged to code that is no lock function, and never to a section.",
        arises: &[
            "LockSemaphore was overwritten with a number that is or was somebody's handle.",
            "The section's own opening and closing are older than the oldest entry: the trace is a ring.",
        ],
        confirm: &[TRACE],
        fix: &[
            "See whose handle it was; code that stores that handle may have stored it in the wrong place.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::HandleNeverOpenedHere),
        title: "The trace has nothing but the failing use",
        means: "No opening and no closing of the value was recorded. The trace is a ring that forgets its oldest entries, so that this is a weak sign that the value never was a handle.",
        arises: &[
            "LockSemaphore holds a number that never was a handle.",
            "The handle's history is older than the trace.",
        ],
        confirm: &[
            TRACE,
            look(
                "How far the trace goes back: with few handles in use, hours; in a server, seconds.",
            ),
        ],
        fix: &["Treat it as a hint only; a dump taken soon after tracing began decides more."],
    },
    Explanation {
        subject: Finding(FindingId::HandleClosedByOtherCode),
        title: "Code that is no lock function closed the handle",
        means: "The handle trace has a closing of the value, and the stack of that closing does not lead through DeleteCriticalSection. The code that called CloseHandle is named in the finding.",
        arises: &[
            "A handle closed twice, whose value had been given to the section's event in between.",
            "An uninitialised or stale variable passed to CloseHandle.",
        ],
        confirm: &[
            TRACE,
            look(
                "Whether the code that closed it had opened that handle itself, and closed it before.",
            ),
        ],
        fix: &["Mend the code that is named: it must close each handle once, and only its own."],
    },
    Explanation {
        subject: Finding(FindingId::HandleClosedByDelete),
        title: "DeleteCriticalSection closed the handle",
        means: "The stack of the recorded closing leads through DeleteCriticalSection: the section was deleted, rightly or not, while another thread was still using it.",
        arises: &[
            "One thread deletes the section while another is inside its last Leave.",
            "The original of a copied section was deleted.",
        ],
        confirm: &[
            TRACE,
            look("What the deleting thread knows of the others that use the section."),
        ],
        fix: &["Let the deletion wait for every user: join the threads, or count references."],
    },
    Explanation {
        subject: Finding(FindingId::HandleClosedByOtherDelete),
        title: "The deletion of another section closed the handle",
        means: "DeleteCriticalSection closed the value, and the section that failed is not deleted: its fields are still there. Two sections had the same handle.",
        arises: &[
            "A section was copied byte by byte, the original deleted, and the copy used on.",
            "A section in reused memory was deleted, and held this value by chance.",
        ],
        confirm: &[
            TRACE,
            run("!cs -s -o SECTION", "Whether the debug record names another address."),
        ],
        fix: &["Do not copy sections; initialise one in each object, and delete each once."],
    },
    Explanation {
        subject: Finding(FindingId::HandleClosedWithinNtdll),
        title: "ntdll closed the handle by itself",
        means: "The closing was called from within ntdll, not through CloseHandle, and the function cannot be named. DeleteCriticalSection does that; few other functions of ntdll close an application's handle.",
        arises: &["DeleteCriticalSection, in a dump without ntdll's exports."],
        confirm: &[run("!htrace HANDLE", "With symbols for ntdll, the function's name.")],
        fix: &["Name the function with symbols first; then see handle-closed-by-delete."],
    },
    Explanation {
        subject: Finding(FindingId::HandleClosedUnattributed),
        title: "The handle was closed; by what is not known",
        means: "The handle trace has a closing of the value, but neither its stack nor its place in the order of operations tells which code did it.",
        arises: &[
            "The stack of the closing leads through modules whose code is not in the dump.",
            "There are several closings, and the order of the stream could not be proven.",
        ],
        confirm: &[TRACE],
        fix: &["Look at each closing that is listed; full memory in the dump names more of them."],
    },
];
