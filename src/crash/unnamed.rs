//! Lock failures in dumps that do not hold ntdll's image: no frame of ntdll has a name.
//!
//! The call into ntdll still names its target where the caller's code and import table are in the dump.
//! Where they are not, the operation is inferred ([`inferred`]).

use super::by_address::{self, Addresses};
use super::candidate::Candidate;
use super::exception::EffectiveException;
use super::fault;
use super::frame::{Frame, FunctionName, NameSource, Trust};
use super::inferred;
use super::locate;
use super::operation::{self, Failure, FoundOperation, Operation, OperationSource};
use super::raisers_context;
use super::stack::{self, Scene};
use super::{LockFailure, is_ntdll, named};
use crate::critsec::handle::{self, HandleState};
use crate::critsec::layout::RawCriticalSection;
use crate::critsec::lock_count::{self, LockCountEncoding};
use crate::dump::Dump;
use crate::image::IpKind;
use crate::image::call_target::{CallKind, CallSite};
use crate::image::registers::{Provenance, Register, RegisterFile};
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// Bytes above the innermost stack pointer searched for a call into ntdll. RtlRaiseStatus alone keeps a
/// CONTEXT (0x4D0 bytes on x64) and a record there.
const CALL_WINDOW: u64 = 0x1000;

/// Reads a crash in ntdll whose frames have no names.
///
/// - situation: a small dump without ntdll's image; calls that are seen to go through an import lie on the stack, of
///   which only one led to the crash, and nothing proves which.
/// - example: a CloseHandle that returned before the LeaveCriticalSection that failed.
/// - handling: a lock call counts when the section it was given explains the failure: it passes the gate, or the fault
///   hits it. Failing that, a handle status is a lock's unless only calls that close handles are seen.
/// - test: `small_dumps_are_never_not_applicable` (tests/accuracy).
pub(super) fn read(
    scene: Scene<'_, '_>,
    frames: &mut Vec<Frame>,
    exception: &EffectiveException,
    encoding: LockCountEncoding,
) -> Option<LockFailure> {
    if !is_ntdll(scene.dump, frames.first()?.module) {
        return None;
    }
    let calls = named_calls(scene, frames.first()?);
    // What the program itself raises is no failure of ntdll's; a call of a raiser does not return.
    let is_programs = |call: &Call| {
        let module = scene.dump.module_at(call.return_address.saturating_sub(1));
        !super::is_system(scene.dump, module.map(|module| module.base))
    };
    if calls.iter().any(|call| operation::is_raiser(&call.name) && is_programs(call)) {
        return None;
    }
    if let Some(lock) = by_lock_call(scene, frames, exception, encoding, &calls) {
        return Some(lock);
    }
    if operation::is_corrupt_list(exception) {
        return list_corrupted(scene, frames, exception, encoding, calls.first()?);
    }
    let by_kernel = is_raised_by_kernel(exception);
    let nearest = calls.first();
    if let Some(call) = nearest.filter(|call| call.is_lock() && !by_kernel)
        && let Some(lock) =
            by_import(scene, frames, exception, encoding, call, Explanation::NotNeeded)
    {
        return Some(lock);
    }
    let closes = operation::is_handle_status(exception.record.code)
        && a_close_raised(scene, frames, exception, encoding, &calls);
    // Lock functions are forwarded and have no frame in kernel32: a frame there is another function's.
    let through_kernel32 = frames.get(1).is_some_and(|frame| {
        let in_ntdll = is_ntdll(scene.dump, frame.module);
        frame.trust.is_exact() && super::is_system(scene.dump, frame.module) && !in_ntdll
    });
    if closes || by_kernel && through_kernel32 {
        None
    } else {
        inferred::infer(scene, frames, exception, encoding)
    }
}

/// The kernel's own raise can be continued, RtlRaiseStatus's cannot (critical-sections.md 4.1).
fn is_raised_by_kernel(exception: &EffectiveException) -> bool {
    exception.record.flags & NONCONTINUABLE == 0
}

/// Whether a call that closes a handle has raised the handle's status.
///
/// - situation: a call that has returned lies nearer on the stack than the CloseHandle that raised.
/// - example: under a debugger, a handle is closed that is not open, inside a guard, whose Enter has returned.
/// - handling: the nearest call, when the kernel raised, or when no lock call is seen. Where the kernel raises for closes, also one behind other calls: of
///   these a Delete closes a handle, and a Leave sets an event, so that each must have been given a section which is in the dump and does
///   not explain the failure; and what a library of the program does is not known.
/// - test: `a_close_behind_a_call_that_returned` (tests/accuracy).
fn a_close_raised(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    calls: &[Call],
) -> bool {
    let is_close = |call: &Call| operation::is_close(&call.name);
    let Some(close) = calls.iter().position(is_close) else { return false };
    if !is_raised_by_kernel(exception) {
        return close == 0 && !calls.iter().any(Call::is_lock);
    }
    let mut nearer = calls.iter().take(close);
    let has_returned = |call: &Call| match Operation::of_function(&call.name) {
        Some(Operation::Delete | Operation::Leave) => {
            is_refuted(scene, frames, exception, encoding, call)
        }
        Some(Operation::Enter | Operation::TryEnter) => true,
        None => !call.leads_to_program(scene.dump),
    };
    close == 0 || only_closes_raise(scene.dump) && nearer.all(has_returned)
}

/// Whether the kernel raises an exception for a bad handle that is closed, or set, and for no wait: under a debugger ("CloseHandle",
/// learn.microsoft.com/windows/win32/api/handleapi) or with `FLG_ENABLE_CLOSE_EXCEPTIONS` ("Enable close exception", learn.microsoft.com/windows-hardware/drivers/debugger;
/// critical-sections.md 4.1). Application Verifier, handle tracing and `FLG_ENABLE_HANDLE_EXCEPTIONS` make it raise for all.
fn only_closes_raise(dump: &Dump<'_>) -> bool {
    let Some(peb) = dump.system.peb.as_ref() else { return false };
    let flags = peb.nt_global_flag.unwrap_or(0);
    let raises = flags & FLG_ENABLE_CLOSE_EXCEPTIONS != 0 || peb.being_debugged == Some(true);
    let raises_for_all = flags & (FLG_APPLICATION_VERIFIER | FLG_ENABLE_HANDLE_EXCEPTIONS) != 0
        || dump.handle_trace.is_some();
    raises && !raises_for_all
}

/// `NtGlobalFlag`s ("Global Flag Reference", learn.microsoft.com/windows-hardware/drivers/debugger).
const FLG_APPLICATION_VERIFIER: u32 = 0x0000_0100;
const FLG_ENABLE_CLOSE_EXCEPTIONS: u32 = 0x0040_0000;
const FLG_ENABLE_HANDLE_EXCEPTIONS: u32 = 0x4000_0000;

/// Whether the section that a lock call was given is known, and does not explain the failure.
fn is_refuted(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    call: &Call,
) -> bool {
    let refuted = || {
        let operation = Operation::of_function(&call.name)?;
        let anew = lay_frames(scene, frames, call)?;
        let source = OperationSource::CallerImport;
        let found = FoundOperation { operation, source, frame: 0, caller: Some(1) };
        let lock = named(scene, &anew, exception, encoding, found)?;
        let candidate = &lock.located.as_ref()?.candidate;
        let raw = candidate.raw?;
        let is_known = candidate.is_given() || candidate.is_exact();
        let is_checked = handle::check(scene.dump, raw.lock_semaphore) != HandleState::Unknown
            || !matches!(lock.failure, Failure::DeleteClose(_));
        Some(is_known && is_checked && !explains(scene, encoding, &lock))
    };
    refuted() == Some(true)
}

/// The failure as that of the nearest lock call whose section explains it.
///
/// - situation: the processor does not say where an access to an impossible address went, so that any register that holds one
///   explains it as the section's; ntdll keeps what it has read in registers too.
/// - example: Delete faults on a DebugInfo of 0x41ED0000408E0000, which is in rsi; a Leave that has returned was called with rsi.
/// - handling: a section that cannot be accessed counts, where the exception has no address, only when no other call's section explains
///   the failure.
/// - test: `what_a_register_holds_now_is_no_earlier_argument` (tests/accuracy).
fn by_lock_call(
    scene: Scene<'_, '_>,
    frames: &mut Vec<Frame>,
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    calls: &[Call],
) -> Option<LockFailure> {
    let width = scene.dump.system.pointer_width;
    let has_address = fault::fault_address(exception)
        .is_some_and(|address| !fault::is_without_address(width, address));
    let mut doubtful = None;
    let lock_calls = calls.iter().filter(|call| call.is_lock());
    for call in lock_calls.take(MAX_LOCK_CALLS) {
        let mut anew = frames.clone();
        let needed = Explanation::Needed;
        let Some(lock) = by_import(scene, &mut anew, exception, encoding, call, needed) else {
            continue;
        };
        if has_address || lock.failure != Failure::SectionAccess {
            *frames = anew;
            return Some(lock);
        }
        doubtful.get_or_insert((anew, lock));
    }
    let (anew, lock) = doubtful?;
    *frames = anew;
    Some(lock)
}

/// A fast fail of a list in ntdll.
///
/// - situation: ntdll keeps many lists, and nothing names the function that failed.
/// - example: a small dump of a fast fail in RtlDeleteCriticalSection; in the loader it looks the same.
/// - handling: it is Delete's when that is the nearest call that has a name, and counts as inferred.
/// - test: `a_fast_fail_without_names_needs_the_nearest_call` (tests/accuracy).
fn list_corrupted(
    scene: Scene<'_, '_>,
    frames: &mut Vec<Frame>,
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    nearest: &Call,
) -> Option<LockFailure> {
    (Operation::of_function(&nearest.name) == Some(Operation::Delete)).then_some(())?;
    let anew = lay_frames(scene, frames, nearest)?;
    let source = OperationSource::Inferred;
    let found = FoundOperation { operation: Operation::Delete, source, frame: 0, caller: Some(1) };
    let lock = named(scene, &anew, exception, encoding, found)?;
    *frames = anew;
    Some(lock)
}

/// Whether the section that a call was given must account for the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Explanation {
    Needed,
    /// The nearest call goes to a lock function, and RtlRaiseStatus raised a handle status.
    NotNeeded,
}

/// EXCEPTION_NONCONTINUABLE in `ExceptionFlags` (winnt.h).
const NONCONTINUABLE: u32 = 1;
/// Most calls of lock functions looked at.
const MAX_LOCK_CALLS: usize = 8;

/// A call out of a module whose code is in the dump.
pub(super) struct Call {
    pub slot: u64,
    pub return_address: u64,
    pub name: String,
    /// Where it goes, when the import slot or a pointer tells.
    target: Option<u64>,
}

impl Call {
    fn is_lock(&self) -> bool {
        Operation::of_function(&self.name).is_some()
    }

    /// Whether it may go to the program's own code.
    fn leads_to_program(&self, dump: &Dump<'_>) -> bool {
        let module = self.target.and_then(|target| dump.module_at(target));
        module.is_none_or(|module| module.is_of_program())
    }
}

/// The calls on the stack whose callee has a name, nearest first.
///
/// - situation: a call that returned leaves its return address behind, nearer than that of the call that failed.
/// - example: a call into a DLL of the program, just before the EnterCriticalSection that failed.
/// - handling: a call into another module than ntdll, by the content of its import slot, has led to the exception only
///   when a word below its return address points into that module.
/// - test: `a_call_that_left_no_frame_has_returned`.
pub(super) fn named_calls(scene: Scene<'_, '_>, innermost: &Frame) -> Vec<Call> {
    let width = scene.dump.system.pointer_width;
    let start = innermost.registers.sp().and_then(|sp| sp.checked_next_multiple_of(width.bytes()));
    let slots = CALL_WINDOW.checked_div(width.bytes()).unwrap_or(0);
    let record = raisers_context::of(scene, innermost);
    let mut modules_below = BTreeSet::new();
    let mut calls = Vec::new();
    let known = OnceCell::new();
    let by_address = |slot, call: (u64, &CallSite)| {
        let known = known.get_or_init(|| Addresses::read(scene));
        by_address::named(scene, known, innermost, slot, call)
    };
    for index in 0..slots {
        let slot = start.and_then(|start| start.checked_add(index.checked_mul(width.bytes())?));
        let Some((slot, word)) =
            slot.zip(slot.and_then(|slot| scene.dump.memory.pointer(slot, width)))
        else {
            continue;
        };
        if record.as_ref().is_some_and(|record| record.contains(&slot)) {
            continue;
        }
        let Some(module) = scene.dump.module_at(word.saturating_sub(1)) else { continue };
        calls.extend(named_call(scene, slot, word, by_address, &modules_below));
        modules_below.insert(module.base);
    }
    calls
}

/// The call that a word of the stack returns from, when its callee has a name and can be what led further.
fn named_call(
    scene: Scene<'_, '_>,
    slot: u64,
    return_address: u64,
    by_address: impl Fn(u64, (u64, &CallSite)) -> Option<(u64, &'static str)>,
    modules_below: &BTreeSet<u64>,
) -> Option<Call> {
    let site = scene.call_site(return_address)?;
    let callee = scene.callee(&site);
    let (name, target) = match callee.as_ref().and_then(|callee| callee.name()) {
        Some(name) => {
            let target = match site.kind {
                CallKind::Slot { content, .. } => content,
                _ => None,
            };
            (name.to_owned(), target)
        }
        None if scene.is_arm64() => return None,
        None => {
            let (target, name) = by_address(slot, (return_address, &site))?;
            (name.to_owned(), Some(target))
        }
    };
    let led_further = has_led_further(scene, target, modules_below);
    led_further.then_some(Call { slot, return_address, name, target })
}

/// Whether a call of `target` can have led into ntdll.
fn has_led_further(
    scene: Scene<'_, '_>,
    target: Option<u64>,
    modules_below: &BTreeSet<u64>,
) -> bool {
    let module = target.and_then(|target| scene.dump.module_at(target));
    module.is_none_or(|module| {
        is_ntdll(scene.dump, Some(module.base)) || modules_below.contains(&module.base)
    })
}

/// The failure as one of the lock function that `call` goes to; the frames are laid anew from there. `None`
/// when the section that the call was given does not explain it.
fn by_import(
    scene: Scene<'_, '_>,
    frames: &mut Vec<Frame>,
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    call: &Call,
    explanation: Explanation,
) -> Option<LockFailure> {
    let operation = Operation::of_function(&call.name)?;
    if operation == Operation::Delete && is_raised_status(exception) {
        return None;
    }
    let mut anew = lay_frames(scene, frames, call)?;
    let found = FoundOperation {
        operation,
        source: OperationSource::CallerImport,
        frame: 0,
        caller: Some(1),
    };
    let lock = named(scene, &anew, exception, encoding, found)?;
    let is_explained = explains(scene, encoding, &lock);
    let status = operation::is_handle_status(exception.record.code);
    (is_explained || explanation == Explanation::NotNeeded && status).then_some(())?;
    if let Some(innermost) = anew.first_mut() {
        innermost.function =
            Some(FunctionName { name: call.name.clone(), source: NameSource::Import, start: None });
    }
    if let Some(caller) = anew.get_mut(1).filter(|_| is_explained) {
        // The section that this call was given explains the failure.
        caller.trust = Trust::CallTarget;
    }
    *frames = anew;
    Some(lock)
}

/// Whether RtlRaiseStatus raised a handle status, which a Delete does not.
///
/// - situation: a Delete that returned lies nearer on the stack than the Leave that failed, and its section has no open
///   event either.
/// - example: a container moved its objects and deleted the old sections, then left a new one.
/// - handling: Delete only closes the event, and a failed close is raised by the kernel, which can be continued
///   (critical-sections.md 3 and 4.1); RtlRaiseStatus's exception cannot.
/// - test: `a_delete_does_not_raise_by_itself` (tests/accuracy).
fn is_raised_status(exception: &EffectiveException) -> bool {
    operation::is_handle_status(exception.record.code)
        && exception.record.flags & NONCONTINUABLE != 0
}

/// Whether the section that was found accounts for the failure.
///
/// - situation: any Enter that has returned has a section too.
/// - example: CloseHandle raises over the remains of an Enter, whose section is free.
/// - handling: a thread that waits has counted itself in LockCount (critical-sections.md 0.1): where nobody is inside and none was woken, where
///   only the owner is counted, or where there is no handle to wait for, no wait failed, unless the section was deleted since.
/// - test: `an_enter_whose_section_is_free_has_returned`.
fn explains(scene: Scene<'_, '_>, encoding: LockCountEncoding, lock: &LockFailure) -> bool {
    let candidate = lock.located.as_ref().map(|located| &located.candidate);
    let has_waiter = |raw: RawCriticalSection| {
        // A negative count is none of the counting encoding's: something else stands there now.
        let is_counted = encoding == LockCountEncoding::Flags
            || raw.lock_count < 0
            || lock_count::decode(encoding, raw.lock_count, raw.recursion_count).waiters > 0;
        locate::is_waited_for(&raw) && is_counted || raw.is_all_zero()
    };
    match lock.failure {
        // A call that returned is as likely as the one that failed: any list of ntdll's may be damaged.
        Failure::OtherAccess | Failure::ListCorrupted => false,
        Failure::Signal(_) => candidate.is_some_and(|candidate| match candidate.gate {
            Some(gate) => gate.passes(),
            None => candidate.is_exact(),
        }),
        Failure::Wait(_) => candidate.is_some_and(|candidate| candidate.raw.is_none_or(has_waiter)),
        Failure::DeleteClose(_) => {
            candidate.and_then(|candidate| candidate.raw).is_some_and(|raw| {
                let state = handle::check(scene.dump, raw.lock_semaphore);
                matches!(state, HandleState::Absent | HandleState::NotAHandle)
            })
        }
        Failure::SectionAccess => candidate.is_some_and(Candidate::is_confirmed),
        _ => true,
    }
}

fn lay_frames(scene: Scene<'_, '_>, frames: &[Frame], call: &Call) -> Option<Vec<Frame>> {
    let width = scene.dump.system.pointer_width;
    let sp = call.slot.checked_add(width.bytes())?;
    let innermost = frames.first()?;
    let known = frames.iter().find(|frame| {
        frame.registers.ip() == call.return_address && frame.registers.sp() == Some(sp)
    });
    let registers = known.map_or_else(
        || {
            let machine = innermost.registers.machine();
            let mut registers = RegisterFile::of(machine, call.return_address, sp);
            registers.set(Register::stack_pointer(machine), sp, Provenance::Computed);
            registers
        },
        |frame| frame.registers.clone(),
    );
    let mut anew = vec![innermost.clone()];
    let mut outer =
        stack::walk_from(scene, registers, IpKind::ReturnAddress, Trust::Scan, Some(call.slot));
    super::names::name_frames(scene, &mut outer);
    anew.append(&mut outer);
    Some(anew)
}

#[cfg(test)]
#[path = "unnamed_tests.rs"]
mod tests;
