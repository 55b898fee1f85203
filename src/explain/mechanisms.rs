//! The mechanisms: what happened inside the call, before any opinion on why.

use super::Subject::Mechanism;
use super::{Explanation, look, run};
use crate::diagnosis::mechanism::Mechanism::{
    DebugInfoInvalid, HandleAccessDenied, HandleImplausible, HandleSlotEmpty, HandleWrongType,
    NotOwner, PointerInvalid, PossibleDeadlock, SectionUnreadable, SectionZeroed, Unknown,
    VerifierStop,
};

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Mechanism(HandleSlotEmpty),
        title: "The system call found no object under the handle",
        means: "NtSetEvent (in Leave), NtWaitForSingleObject (in Enter) or NtClose (in Delete) answered 0xC0000008, and the value could have been a handle. The code itself says that the slot was empty at that instant, whatever the handle stream shows later.",
        arises: &[
            "Other code closed the event (handle-closed), or Delete did while the call was under way (deleted).",
            "The section is a copy, and its original was deleted (copied).",
            "A stray write left a small multiple of 4 (corrupted).",
        ],
        confirm: &[
            run("!handle HANDLE f", "The slot as it is in the dump."),
            run("!htrace HANDLE", "With handle tracing: who closed the value."),
        ],
        fix: &[
            "See the causes that the report ranks; the mechanism alone does not choose among them.",
        ],
    },
    Explanation {
        subject: Mechanism(HandleWrongType),
        title: "The handle belongs to another kind of object",
        means: "The system call answered 0xC0000024, STATUS_OBJECT_TYPE_MISMATCH: at that instant the slot held a live object that is no event. The same bugs as for an empty slot, a little later: the value has been handed out again.",
        arises: &[
            "The section's event was closed and its value went to a file, key or thread.",
            "A pseudo handle or a wild value that happens to name an object.",
        ],
        confirm: &[
            run(
                "!handle HANDLE f",
                "Type and name of the object: its owner is often the code that closed the event.",
            ),
            look(
                "Application Verifier, Handles: stop 0x305 names the actual and the expected type.",
            ),
        ],
        fix: &["As for handle-closed: find the close that was one too many."],
    },
    Explanation {
        subject: Mechanism(HandleAccessDenied),
        title: "The handle lacks the right to signal",
        means: "The system call answered 0xC0000022, STATUS_ACCESS_DENIED: the slot held an event without EVENT_MODIFY_STATE (0x2). ntdll creates its events with 0x100003, which has it, so that this is somebody else's event.",
        arises: &[
            "The section's event was closed, and its value went to an event that was opened for waiting only.",
        ],
        confirm: &[run("!handle HANDLE f", "GrantedAccess without bit 0x2, and perhaps a name.")],
        fix: &["As for handle-closed: find the close that was one too many."],
    },
    Explanation {
        subject: Mechanism(HandleImplausible),
        title: "The value passed as handle cannot be one",
        means: "The system call answered 0xC0000008, and the value has low bits set, is too large, or is an address: the kernel never hands out such a value, and ntdll never stores one.",
        arises: &[
            "LockSemaphore was overwritten (corrupted).",
            "The memory was never initialised, or is something else by now (never-initialized, memory-released).",
        ],
        confirm: &[
            run("dps SECTION L6", "Which fields are wrong, and what the bytes look like."),
            run(".formats HANDLE", "The value as characters: text names the writer."),
        ],
        fix: &["As for corrupted and never-initialized."],
    },
    Explanation {
        subject: Mechanism(SectionZeroed),
        title: "The section was zero",
        means: "All bytes are zero, or zero but for what an Enter on zeros leaves. In Leave this means that the section was wiped while the call was under way; in Enter, that it was deleted before or never initialised.",
        arises: &[
            "DeleteCriticalSection zeroes a section.",
            "Zeroed storage that nobody initialised.",
            "A memset over the object.",
        ],
        confirm: &[
            run(
                "dps SECTION L6",
                "The zeros; after a failed Enter LockCount is -4 or so, and LockSemaphore may be a fresh handle.",
            ),
            run(
                "!avrf -cs -a SECTION",
                "Under Application Verifier: whether, and by whom, it was deleted.",
            ),
        ],
        fix: &["As for deleted and never-initialized; a dump alone often cannot tell them apart."],
    },
    Explanation {
        subject: Mechanism(SectionUnreadable),
        title: "The section's memory could not be accessed",
        means: "An access violation on the section itself, at an address that could have held one. What its bytes were cannot be the reason: they were never seen.",
        arises: &[
            "The memory was freed, unmapped or unloaded (memory-released).",
            "A wild pointer that looks like a good one (bad-pointer).",
        ],
        confirm: &[
            run(".exr -1", "Read or write, and the address: section plus the offset of the field."),
            run("!address SECTION", "What the memory is now."),
        ],
        fix: &["As for memory-released and bad-pointer."],
    },
    Explanation {
        subject: Mechanism(DebugInfoInvalid),
        title: "The debug record could not be accessed",
        means: "An access violation through DebugInfo: a contended Enter counts in the record, at +0x24 on x64 and +0x14 on x86 (Windows 7 and later; NT4 to XP at +0x10 on x86). The section was there, its DebugInfo was no record.",
        arises: &[
            "DebugInfo was overwritten: it is the first field, and an overrun of the object before hits it first (corrupted).",
            "The memory was never initialised, or reused.",
        ],
        confirm: &[
            run(".exr -1", "The address: DebugInfo plus the offset."),
            run("dps SECTION L6", "DebugInfo, and whether the other fields are in order."),
            run("!address RECORD", "Whether DebugInfo leads anywhere."),
        ],
        fix: &["As for corrupted and never-initialized."],
    },
    Explanation {
        subject: Mechanism(PointerInvalid),
        title: "The argument is not the address of a section",
        means: "An access violation on an address that no section can have: in the null page, outside user space, misaligned, in code, or the lower half of a longer address.",
        arises: &[
            "A NULL object whose member the section is.",
            "A pointer that was overwritten, freed or never set.",
        ],
        confirm: &[
            run("k", "The caller."),
            run("ub CALLER", "From where the argument was loaded."),
        ],
        fix: &["As for bad-pointer."],
    },
    Explanation {
        subject: Mechanism(NotOwner),
        title: "The section was not locked",
        means: "Leave found the section unlocked and raised 0xC0000264, STATUS_RESOURCE_NOT_OWNED (verified on Windows 10). It gets that far only when RecursionCount was exactly 1; a plain extra Leave returns silently.",
        arises: &[
            "Left by a thread that does not own it, or left twice (not-owner).",
            "The section was re-initialised or overwritten while it was owned.",
        ],
        confirm: &[
            run("!cs -s -o SECTION", "Owner, RecursionCount, and who initialised it."),
            look("Application Verifier, Locks: stops 0x209 and 0x214."),
        ],
        fix: &["As for not-owner."],
    },
    Explanation {
        subject: Mechanism(PossibleDeadlock),
        title: "A wait took longer than allowed",
        means: "Enter raised 0xC0000194, EXCEPTION_POSSIBLE_DEADLOCK; its one parameter is the section. It comes only when CriticalSectionTimeout of the Session Manager key was set short: a time-out of more than an hour turns it off, and the default is 30 days (unverified).",
        arises: &[
            "Two threads each hold what the other wants.",
            "The owner hangs in something else, or ended without leaving.",
            "A signal was lost: an earlier Leave failed, and its exception was swallowed.",
        ],
        confirm: &[
            run(
                "!locks -v",
                "All sections that have a debug record; those with DebugInfo -1 are not listed.",
            ),
            run("!cs -l -o", "The locked ones, with the owners' stacks."),
            run("~*k", "Who waits for whom."),
        ],
        fix: &["Take locks in one order everywhere, and hold none across calls that wait."],
    },
    Explanation {
        subject: Mechanism(VerifierStop),
        title: "Application Verifier stopped the process",
        means: "The process did not fail by itself: Application Verifier found a mistake with a section and broke into it. The findings say what the stop was about.",
        arises: &["One of the Locks checks, stops 0x200 to 0x215."],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
        ],
        fix: &["Follow the finding of the stop."],
    },
    Explanation {
        subject: Mechanism(Unknown),
        title: "The dump does not show what went wrong",
        means: "A lock function faulted, or may have, in a way that none of the known ones explains.",
        arises: &[
            "The dump lacks the section, the stack or ntdll.",
            "A fault of another kind inside ntdll.",
        ],
        confirm: &[
            run("!analyze -v", "With symbols: what WinDbg makes of it."),
            look("A dump with full memory and handles: procdump -ma."),
        ],
        fix: &["Capture the next crash as the report says under MISSING."],
    },
];
