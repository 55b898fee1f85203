//! What the dump does not hold and how to capture it, and what to do next.

use super::Diagnosis;
use super::cause::Cause;
use crate::crash::operation::{Failure, OperationSource};
use crate::critsec::handle::HandleState;
use crate::findings::{Case, EventMode, event_mode, is_wine};

/// Something that is missing from the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: &'static str,
    /// What could not be decided for want of it.
    pub consequence: &'static str,
    /// How to capture it.
    pub capture_with: &'static str,
}

/// How to capture everything that a diagnosis can need.
pub const CAPTURE_ALL: &str = "procdump -ma -e 1 -f C0000008 PROGRAM, or WER LocalDumps with DumpType=2; from code: MiniDumpWithFullMemory | MiniDumpWithHandleData";

const CAPTURE_HANDLES: &str = "MiniDumpWithHandleData (0x4): procdump -ma or -mm, WER LocalDumps with DumpType=2; .dump /mh in WinDbg";

/// What is missing that would have helped.
#[must_use]
pub fn missing(case: Case<'_, '_>) -> Vec<Missing> {
    let mut missing = Vec::new();
    let needs_handle = matches!(
        case.lock.failure,
        Failure::Signal(_) | Failure::Wait(_) | Failure::DeleteClose(_)
    );
    if case.lock.source == OperationSource::Inferred {
        missing.push(Missing {
            what: "ntdll's code and export table",
            consequence: "the failing function is inferred, not named",
            capture_with: CAPTURE_ALL,
        });
    }
    let gone = case.lock.failure == Failure::SectionAccess;
    match case.section {
        None => missing.push(Missing {
            what: "the section's address",
            consequence: "nothing in registers, stack or call site leads to the section",
            capture_with: CAPTURE_ALL,
        }),
        Some(section) if section.raw.is_none() && !gone => missing.push(Missing {
            what: "the section's memory",
            consequence: "its fields cannot be read: corruption, deletion and a closed handle look alike",
            capture_with: CAPTURE_ALL,
        }),
        _ => {}
    }
    if needs_handle && case.scene.dump.handles.as_ref().is_none_or(|table| table.handles.is_empty())
    {
        missing.push(Missing {
            what: "the handle stream",
            consequence: "whether the handle's slot is empty, and what it holds, is unknown",
            capture_with: CAPTURE_HANDLES,
        });
    }
    if gone && case.scene.dump.memory_info.is_none() {
        missing.push(Missing {
            what: "the memory map",
            consequence: "whether the section's memory was freed or never existed is unknown",
            capture_with: "MiniDumpWithFullMemoryInfo (0x800): procdump -ma, WER LocalDumps with DumpType=2",
        });
    }
    let dump = case.scene.dump;
    if needs_handle && event_mode(dump, is_wine(dump, case.scene.images)) == EventMode::Unknown {
        missing.push(Missing {
            what: "PEB.AppCompatFlags",
            consequence: "whether this Windows uses event handles for sections at all is unknown",
            capture_with: "MiniDumpWithProcessThreadData (0x100): any procdump or WER dump but the smallest",
        });
    }
    missing
}

/// What to do next, most useful first.
#[must_use]
pub fn next_steps(case: Case<'_, '_>, diagnosis: &Diagnosis) -> Vec<String> {
    let mut steps = Vec::new();
    if !diagnosis.decided {
        steps.push(format!("Capture the next crash with everything in it: {CAPTURE_ALL}."));
    }
    for cause in &diagnosis.named {
        steps.extend(for_cause(*cause).iter().map(|step| (*step).to_owned()));
    }
    if let Some(section) = case.section {
        steps.push(format!(
            "In WinDbg: !cs -s -o {:#x}; dx @$curprocess.Io.Handles.",
            section.address
        ));
    }
    if let Some((value, HandleState::Event | HandleState::OtherObject | HandleState::Absent)) =
        case.handle
    {
        steps.push(format!("In WinDbg: !handle {value:#x} f; with handle tracing on, !htrace {value:#x} names who closed it."));
    }
    steps
}

fn for_cause(cause: Cause) -> &'static [&'static str] {
    match cause {
        Cause::HandleClosed => &[
            "Find the code that closes a handle it does not own: run under Application Verifier with Handles, or !htrace -enable; stop 0x300 breaks at the stray CloseHandle.",
            "Look for a handle that is closed twice, and for handle variables that are not set on every path before CloseHandle.",
        ],
        Cause::Corrupted => &[
            "Find the writer: run under page heap (gflags /p /enable PROGRAM /full) or Application Verifier with Heaps and Locks.",
            "Look at the objects beside the section for a buffer that is too small; ba w4 on LockSemaphore catches the write in a debugger.",
        ],
        Cause::NeverInitialized => &[
            "Make sure that InitializeCriticalSection runs before the first use: static initialisation order, error paths that skip a constructor.",
            "Run under Application Verifier with Locks: stop 0x210 breaks at the first use.",
        ],
        Cause::Deleted => &[
            "Find who destroys the section: a destructor that runs while another thread is still inside its last LeaveCriticalSection, or a static destroyed at exit.",
            "Join or signal the other threads before DeleteCriticalSection; Application Verifier with Locks breaks at stop 0x208 or 0x210.",
        ],
        Cause::MemoryReleased => &[
            "Find who released the memory: an object freed, a DLL unloaded or a stack frame left while the lock was in use.",
            "Run under Application Verifier with Locks (stops 0x201, 0x202, 0x204, 0x212, 0x213) and page heap.",
        ],
        Cause::Copied => &[
            "Find the copy: memcpy, realloc, a container that moves its elements, or a default copy constructor of the class that holds the section.",
            "Delete the class's copy operations, or hold the section behind a pointer.",
        ],
        Cause::BadPointer => &[
            "Follow the pointer that the caller passed: see the caller's frame and its call site.",
            "Check for a NULL or stale this pointer in the calling function.",
        ],
        Cause::CrossProcess => &[
            "Use a named mutex for memory that several processes share; a critical section works in one process only.",
        ],
        Cause::NotOwner => &[
            "Pair every LeaveCriticalSection with an EnterCriticalSection of the same thread; run under Application Verifier with Locks (stops 0x209, 0x214).",
        ],
    }
}
