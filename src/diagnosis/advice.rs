//! What the dump does not hold and how to capture it, and what to do next.

use super::Diagnosis;
use super::cause::Cause;
use crate::crash::exception::{
    BREAKPOINT, POSSIBLE_DEADLOCK, RESOURCE_NOT_OWNED, VERIFIER_STOP, WX86_BREAKPOINT,
};
use crate::crash::operation::{Failure, OperationSource, is_handle_status};
use crate::critsec::handle::{HandleState, is_plausible};
use crate::dump::kind::MemoryKind;
use crate::findings::history::{self, Closing};
use crate::findings::{Case, EventMode, initialisation_trace};

/// Something that is missing from the dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: &'static str,
    /// What could not be decided for want of it.
    pub consequence: &'static str,
    /// How to capture it.
    pub capture_with: String,
}

/// How to capture everything that a diagnosis can need, at an exception of this code: one that the program may handle is caught when it is raised, a
/// breakpoint of Application Verifier has an option of its own (learn.microsoft.com/sysinternals/downloads/procdump: -e, -f, -b).
fn capture_all(code: u32) -> String {
    let options = match code {
        BREAKPOINT | WX86_BREAKPOINT | VERIFIER_STOP => "-ma -e -b".to_owned(),
        code if is_handle_status(code)
            || matches!(code, RESOURCE_NOT_OWNED | POSSIBLE_DEADLOCK) =>
        {
            format!("-ma -e 1 -f {code:08X}")
        }
        _ => "-ma -e".to_owned(),
    };
    format!(
        "procdump {options} PROGRAM, or WER LocalDumps with DumpType=2; from code: MiniDumpWithFullMemory | MiniDumpWithHandleData"
    )
}

/// How to capture who closes a handle (critical-sections.md 7.4; learn.microsoft.com, `-htrace`).
const CAPTURE_TRACE: &str = "handle tracing on before the crash: Application Verifier with Handles, or !htrace -enable in WinDbg; then procdump -ma, or .dump /ma in WinDbg";

const CAPTURE_HANDLES: &str = "MiniDumpWithHandleData (0x4): procdump -ma or -mm, WER LocalDumps with DumpType=2; .dump /mh in WinDbg";

const CAPTURE_32_BIT: &str = "a 32-bit writer: procdump -ma without -64, WER; a 64-bit writer with all memory, taken at the exception";

/// What helps without another crash.
const GIVE_IMAGES: &str = "Or run csdump again with the program's own files, of the same build, and that Windows's ntdll.dll: --images DIR. The dump does not hold their code.";

/// What decides where the dump lacks nothing.
const STOP_AT_MISTAKE: &str = "The dump holds what a dump can hold: another one will say no more. Run the program so that it stops at the mistake: Application Verifier with Handles, Heaps and Locks, or a debugger's ba w4 on the section from its initialisation on.";

/// Whether the dump does not hold a module of the program's.
fn lacks_code(case: Case<'_, '_>) -> bool {
    let scene = case.scene;
    let mut own = scene.dump.modules.iter().filter(|module| module.is_of_program());
    own.any(|module| scene.images.image_at(module.base).is_none())
}

/// What is missing where the function of ntdll that failed has no name.
#[must_use]
pub fn missing_name(code: u32) -> Missing {
    Missing {
        what: "ntdll's code and export table",
        consequence: "the function of ntdll that failed has no name, and may be a lock function",
        capture_with: format!("{}; or run csdump again with --images DIR", capture_all(code)),
    }
}

/// What is missing that would have helped.
#[must_use]
pub fn missing(case: Case<'_, '_>) -> Vec<Missing> {
    let mut missing = Vec::new();
    let everything = || capture_all(case.crash.exception.record.code);
    let needs_handle = matches!(
        case.lock.failure,
        Failure::Signal(_) | Failure::Wait(_) | Failure::DeleteClose(_)
    );
    if case.scene.dump.x86_module_of_exception().is_some() {
        missing.push(Missing {
            what: "the 32-bit registers of the exception",
            consequence: "only the 64-bit side of the 32-bit process is seen: the failing call is not on it",
            capture_with: CAPTURE_32_BIT.into(),
        });
    } else if case.lock.source == OperationSource::Inferred {
        missing.push(Missing {
            what: "ntdll's code and export table",
            consequence: "the failing function is inferred, not named",
            capture_with: everything(),
        });
    }
    let gone = case.lock.failure == Failure::SectionAccess;
    match case.section {
        None => missing.push(Missing {
            what: "the section's address",
            consequence: "no call site, register or stack word leads to a section whose bytes the dump holds",
            capture_with: everything(),
        }),
        Some(section) if section.raw.is_none() && !gone => missing.push(Missing {
            what: "the section's memory",
            consequence: "its fields cannot be read: corruption, deletion and a closed handle look alike",
            capture_with: everything(),
        }),
        _ => {}
    }
    if needs_handle && case.scene.dump.handles.as_ref().is_none_or(|table| table.handles.is_empty())
    {
        missing.push(Missing {
            what: "the handle stream",
            consequence: "whether the handle's slot is empty, and what it holds, is unknown",
            capture_with: CAPTURE_HANDLES.into(),
        });
    }
    let is_handle = |(value, _): (u64, _)| is_plausible(case.scene.dump, value);
    if needs_handle && case.scene.dump.handle_trace.is_none() && case.handle.is_none_or(is_handle) {
        missing.push(Missing {
            what: "the handle trace (stream 18)",
            consequence: "who opened and who closed the handle was not recorded",
            capture_with: CAPTURE_TRACE.into(),
        });
    }
    if gone && case.scene.dump.memory_info.is_none() {
        missing.push(Missing {
            what: "the memory map",
            consequence: "whether the section's memory was freed or never existed is unknown",
            capture_with:
                "MiniDumpWithFullMemoryInfo (0x800): procdump -ma, WER LocalDumps with DumpType=2"
                    .into(),
        });
    }
    if case.lock.failure == Failure::VerifierStop(None) {
        missing.push(Missing {
            what: "the code of the verifier stop",
            consequence: "what Application Verifier objected to is unknown",
            capture_with: "a dump with all memory, in which WinDbg's !avrf shows the current stop; or the program's debug output, which has VERIFIER STOP and the code".into(),
        });
    }
    if needs_handle && case.platform.events == EventMode::Unknown {
        missing.push(Missing {
            what: "PEB.AppCompatFlags",
            consequence: "whether this Windows uses event handles for sections at all is unknown",
            capture_with:
                "MiniDumpWithProcessThreadData (0x100): any procdump or WER dump but the smallest"
                    .into(),
        });
    }
    missing
}

/// What to do next, most useful first.
#[must_use]
pub fn next_steps(case: Case<'_, '_>, diagnosis: &Diagnosis) -> Vec<String> {
    let mut steps = Vec::new();
    if !diagnosis.decided {
        let is_full = case.scene.dump.memory_kind == MemoryKind::Full;
        if is_full && missing(case).is_empty() {
            steps.push(STOP_AT_MISTAKE.into());
        } else {
            let everything = capture_all(case.crash.exception.record.code);
            steps.push(format!("Capture the next crash with everything in it: {everything}."));
        }
        if lacks_code(case) {
            steps.push(GIVE_IMAGES.into());
        }
    }
    if let Some(Closing::ByOtherCode(one)) = case.history.and_then(history::closing)
        && let Some(place) =
            one.place.as_deref().filter(|_| diagnosis.named.contains(&Cause::HandleClosed))
    {
        steps.push(format!(
            "Look at the code before {place}: it closes a handle that it no longer owns, or never owned."
        ));
    }
    for cause in &diagnosis.named {
        let CauseSteps { find, mend } = cause_steps(*cause);
        steps.extend([find, mend].map(str::to_owned));
    }
    if let Some(section) = case.section.filter(|section| section.raw.is_some()) {
        steps.push(format!(
            "In WinDbg: !cs -s -o {:#x}; dx @$curprocess.Io.Handles.",
            section.address
        ));
    }
    if let Some(trace) = initialisation_trace(case) {
        steps.push(format!("In WinDbg: !avrf; dps {trace:#x} shows who initialised the section."));
    }
    if let Some((value, HandleState::Event | HandleState::OtherObject | HandleState::Absent)) =
        case.handle
    {
        let traced = case.history.is_some_and(|history| !history.operations.is_empty());
        let htrace = if traced { "csdump handles DUMP" } else { "with handle tracing on, !htrace" };
        steps.push(format!(
            "In WinDbg: !handle {value:#x} f; {htrace} {value:#x} names who closed it."
        ));
    }
    steps
}

/// What to do about a cause: one sentence on how to find it in the code, one on how to mend it. The pages of
/// `csdump explain` go on from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CauseSteps {
    /// How to find it.
    pub find: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

/// The steps for a cause.
#[must_use]
pub fn cause_steps(cause: Cause) -> CauseSteps {
    let (find, mend) = match cause {
        Cause::HandleClosed => (
            "Find the code that closes a handle it does not own: with Application Verifier's Handles check, or after !htrace -enable, !htrace names every closer.",
            "Look for a handle that is closed twice, and for handle variables that are not set on every path before CloseHandle.",
        ),
        Cause::Corrupted => (
            "Find the writer: run under page heap (gflags /p /enable PROGRAM /full) or Application Verifier with Heaps and Locks; a debugger's ba w4 on the damaged field stops at the write.",
            "Look at the objects beside the section for a buffer that is too small.",
        ),
        Cause::NeverInitialized => (
            "Run under Application Verifier with Locks: stop 0x210 breaks at the first use.",
            "Make sure that InitializeCriticalSection runs before the first use: static initialisation order, error paths that skip a constructor.",
        ),
        Cause::Deleted => (
            "Find who destroys the section: a destructor that runs while another thread is still inside its last LeaveCriticalSection, or a static destroyed at exit.",
            "Join or signal the other threads before DeleteCriticalSection; Application Verifier with Locks breaks at stop 0x208 or 0x210.",
        ),
        Cause::MemoryReleased => (
            "Run under Application Verifier with Locks (stops 0x201, 0x202, 0x204, 0x212, 0x213) and page heap.",
            "Find who released the memory: an object freed, a DLL unloaded or a stack frame left while the lock was in use.",
        ),
        Cause::Copied => (
            "Find the copy: memcpy, realloc, a container that moves its elements, or a default copy constructor of the class that holds the section.",
            "Delete the class's copy operations, or hold the section behind a pointer.",
        ),
        Cause::BadPointer => (
            "Follow the pointer that the caller passed: see the caller's frame and its call site.",
            "Check for a NULL or stale this pointer in the calling function.",
        ),
        Cause::CrossProcess => (
            "Find who shares the memory: !address on the section shows a mapped view; look for the CreateFileMapping or MapViewOfFile behind it.",
            "Use a named mutex for memory that several processes share; a critical section works in one process only.",
        ),
        Cause::NotOwner => (
            "Run under Application Verifier with Locks: stops 0x209 and 0x214 break at the unmatched LeaveCriticalSection.",
            "Pair every LeaveCriticalSection with an EnterCriticalSection of the same thread.",
        ),
    };
    CauseSteps { find, mend }
}
