//! The process as a whole: whether it ends or unloads a library, is a clone, checks handles strictly, and what error
//! the faulting thread saw last.

use super::{Case, Finding, FindingId, has, place};
use crate::crash::exception::INVALID_HANDLE;
use crate::dump::memory::PointerWidth;
use crate::dump::{Dump, Teb};

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    exiting(case, findings);
    unloading(case, findings);
    static_at_exit(case, findings);
    let dump = case.scene.dump;
    handle_checks(dump, findings);
    if let Some(teb) = dump.thread(case.crash.thread_id).and_then(|thread| dump.teb(thread)) {
        cloned(&teb, findings);
        last_error(&teb, findings);
    }
}

/// Functions that run when a process ends.
const EXIT_FUNCTIONS: &[&str] = &[
    "LdrShutdownProcess",
    "RtlExitUserProcess",
    "ExitProcess",
    "exit",
    "_exit",
    "doexit",
    "_cexit",
    "_c_exit",
    "quick_exit",
];

/// Functions that run when a library is unloaded.
const UNLOAD_FUNCTIONS: &[&str] =
    &["LdrUnloadDll", "FreeLibrary", "FreeLibraryAndExitThread", "CoFreeLibrary"];

/// The frame of one of some functions.
fn frame_of(case: Case<'_, '_>, names: &[&str]) -> Option<usize> {
    case.crash.frames.iter().position(|frame| {
        let function = frame.function.as_ref();
        frame.trust.is_exact() && function.is_some_and(|name| names.contains(&name.name.as_str()))
    })
}

/// Whether the process is ending.
///
/// - situation: static objects are destroyed at exit, when all other threads were already ended.
/// - example: exit under LeaveCriticalSection; PEB.Ldr.ShutdownInProgress in a dump whose stack does not reach so far.
/// - handling: a function that ends the process on the faulting stack, or the loader's own flag.
/// - test: `a_process_that_ends_is_seen`.
fn exiting(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let source = match frame_of(case, EXIT_FUNCTIONS) {
        Some(index) => format!("frame {index}"),
        None if shutdown_in_progress(case.scene.dump) == Some(true) => {
            "PEB.Ldr.ShutdownInProgress".into()
        }
        None => return,
    };
    let statement = "The process is ending: its exit handlers run.";
    findings.push(Finding::new(FindingId::ProcessExiting, statement, source));
}

/// PEB_LDR_DATA.ShutdownInProgress (phnt), x86 +0x28, x64 +0x48, when Length says that the field is there: 0x30 and
/// 0x58 bytes since Vista.
fn shutdown_in_progress(dump: &Dump<'_>) -> Option<bool> {
    let (length, offset) = match dump.system.pointer_width {
        PointerWidth::Four => (0x30, 0x28),
        PointerWidth::Eight => (0x58, 0x48),
    };
    let ldr = dump.system.peb.as_ref()?.ldr?;
    (dump.memory.u32(ldr)? == length).then_some(())?;
    Some(dump.memory.u8(ldr.checked_add(offset)?)? == 1)
}

/// Whether a library is being unloaded.
///
/// - situation: its static objects, sections among them, are destroyed then.
/// - example: FreeLibrary under LeaveCriticalSection.
/// - handling: a function that unloads on the faulting stack, unless the process is ending.
/// - test: `a_process_that_ends_is_seen`.
fn unloading(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(index) = frame_of(case, UNLOAD_FUNCTIONS) else { return };
    if has(findings, FindingId::ProcessExiting) {
        return;
    }
    findings.push(Finding::new(
        FindingId::LibraryUnloading,
        "The faulting thread is unloading a library, whose static objects are being destroyed.",
        format!("frame {index}"),
    ));
}

/// A section in a module's data while the process ends: the module's destructors delete it.
///
/// - situation: static objects are destroyed in an order that few think of.
/// - example: exit on the stack, the section at app.exe+0x8040.
/// - handling: the address lies in a module, and the process is ending.
/// - test: `a_static_section_at_exit_is_seen` (tests/accuracy).
fn static_at_exit(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    let dump = case.scene.dump;
    if !has(findings, FindingId::ProcessExiting) || dump.module_at(section.address).is_none() {
        return;
    }
    findings.push(Finding::new(
        FindingId::StaticSectionAtExit,
        format!(
            "The section is static data, {}, and the process is ending.",
            place::describe(dump, section.address)
        ),
        "ModuleList",
    ));
}

/// TEB.SameTebFlags, ClonedThread (phnt).
const CLONED_THREAD: u16 = 0x40;

/// Whether the process is a clone (RtlCloneUserProcess): handles are not inherited by it, and ntdll repairs only its
/// own sections (critical-sections.md 9, row 36).
///
/// - situation: a clone has all sections of its original, and few of its handles.
/// - example: a fuzzer that forks; SameTebFlags 0x40 in the TEB of its only thread.
/// - handling: the flag of the faulting thread; a snapshot made for a dump (PSS) runs nothing, so that no exception of
///   its own can be in a dump.
/// - test: `what_the_process_says_of_itself`.
fn cloned(teb: &Teb, findings: &mut Vec<Finding>) {
    if teb.same_teb_flags.is_some_and(|flags| flags & CLONED_THREAD != 0) {
        findings.push(Finding::new(
            FindingId::ClonedProcess,
            "The process is a clone of another (ClonedThread): handles are not inherited by it.",
            "TEB.SameTebFlags",
        ));
    }
}

/// ERROR_INVALID_HANDLE (winerror.h).
const ERROR_INVALID_HANDLE: u32 = 6;

/// The raise itself leaves both values alone (critical-sections.md 6.1): they are an earlier call's.
///
/// - situation: code that misuses handles runs in this thread.
/// - example: LastErrorValue 6.
/// - handling: the faulting thread's TEB; a weak fact.
/// - test: `what_the_process_says_of_itself`.
fn last_error(teb: &Teb, findings: &mut Vec<Finding>) {
    let by_error = teb.last_error == Some(ERROR_INVALID_HANDLE);
    if !by_error && teb.last_status != Some(INVALID_HANDLE) {
        return;
    }
    let source = if by_error { "TEB.LastErrorValue" } else { "TEB.LastStatusValue" };
    findings.push(Finding::new(
        FindingId::LastErrorInvalidHandle,
        "The last call that failed in the faulting thread before this one failed for an invalid handle.",
        source,
    ));
}

/// Bits of NtGlobalFlag that make the kernel raise for bad handles (critical-sections.md 4.1, 6.1).
const HANDLE_FLAGS: [(u32, &str); 3] = [
    (0x100, "Application Verifier"),
    (0x40_0000, "close exceptions"),
    (0x4000_0000, "handle exceptions"),
];

/// Whether handles are checked strictly (critical-sections.md 9, row 34).
///
/// - situation: a verifier or a global flag makes the kernel raise for bad handles.
/// - example: NtGlobalFlag 0x40000000.
/// - handling: the PEB's flags; said without weight.
/// - test: `what_the_process_says_of_itself`.
fn handle_checks(dump: &Dump<'_>, findings: &mut Vec<Finding>) {
    let Some(flags) = dump.system.peb.as_ref().and_then(|peb| peb.nt_global_flag) else { return };
    let set: Vec<&str> =
        HANDLE_FLAGS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name).collect();
    if !set.is_empty() {
        findings.push(Finding::new(
            FindingId::HandleChecksOn,
            format!("NtGlobalFlag {flags:#x} has {} on.", set.join(" and ")),
            "PEB.NtGlobalFlag",
        ));
    }
}
