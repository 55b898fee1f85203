//! Steps 2 and 3, crash and locate: the effective exception, the faulting thread's stack, the lock operation
//! that failed, and the address of the section it failed on.

pub mod back_trace;
mod backwards;
mod by_address;
pub mod call_site;
mod call_site_arm64;
mod called;
pub mod candidate;
mod counting_arm64;
pub mod exception;
pub mod fault;
pub mod frame;
pub mod function_code;
pub mod heap_lock;
mod inferred;
pub mod instruction;
pub mod left_by_jump;
pub mod locals;
pub mod locate;
pub mod named;
pub mod names;
pub mod operation;
mod own_code_x86;
pub mod provider;
mod raisers_context;
mod ran_before;
pub mod replay;
mod saved;
pub mod screen;
pub mod stack;
mod stack_arm64;
mod stack_code;
mod stack_x86;
pub(crate) mod tail_call;
mod unnamed;
pub mod uses;
pub mod verifier;
pub mod waiting;
pub mod waits;

use crate::critsec::lock_count::LockCountEncoding;
use crate::dump::{Dump, Thread};
use crate::image::IpKind;
use crate::image::registers::{self, RegisterFile};
use exception::EffectiveException;
use frame::{Frame, FunctionName, NameSource, Trust};
use locate::{Located, Search};
use operation::{Failure, FoundOperation, Operation, OperationSource, Reading};
use stack::Scene;

/// What happened, as far as exception, stack and section address go.
#[derive(Debug)]
pub struct Crash {
    /// The exception.
    pub exception: EffectiveException,
    /// Id of the faulting thread.
    pub thread_id: u32,
    /// Its stack, innermost frame first.
    pub frames: Vec<Frame>,
    /// The lock failure, when it is one.
    pub lock: Option<LockFailure>,
    /// The stop of Application Verifier that reported it, if one did.
    pub stop: Option<verifier::Stop>,
}

/// A failed lock call.
#[derive(Debug)]
pub struct LockFailure {
    /// The operation; `None` when nothing in the dump names it.
    pub operation: Option<Operation>,
    /// How the operation is known.
    pub source: OperationSource,
    /// The kind of failure.
    pub failure: Failure,
    /// Index of the frame that called the lock function.
    pub caller: Option<usize>,
    /// The section.
    pub located: Option<Located>,
}

/// Analyses the exception of a dump; `None` when it has none.
#[must_use]
pub fn analyze(scene: Scene<'_, '_>, encoding: LockCountEncoding) -> Option<Crash> {
    let mut exception = exception::effective(scene.dump)?;
    let thread_id = scene.dump.exception.as_ref()?.thread_id;
    let mut frames = faulting_stack(scene, &exception);
    let mut stopped = verifier::read(scene, &frames, &exception);
    let stop = stopped.map(|stopped| stopped.stop);
    if let Some((record, context)) = stopped.and_then(|stopped| verifier::inner(scene, &stopped)) {
        exception = exception.replaced_by(record, context);
        frames = faulting_stack(scene, &exception);
        stopped = None;
    }
    let lock = match stopped {
        Some(stopped) => verifier::failure(scene, &frames, encoding, &stopped),
        None => lock_failure(scene, &mut frames, &exception, encoding),
    };
    Some(Crash { exception, thread_id, frames, lock, stop })
}

/// The frames of the exception's registers, named; empty without registers csdump can unwind.
fn faulting_stack(scene: Scene<'_, '_>, exception: &EffectiveException) -> Vec<Frame> {
    let Some(context) = &exception.context else { return Vec::new() };
    let Some(start) = RegisterFile::from_context(context) else {
        return provider::walk(scene, context);
    };
    let kind = registers::ip_kind(context);
    let mut frames = stack::walk_from(scene, start, kind, Trust::Context, None);
    mark_raise(scene, exception, &mut frames);
    names::name_frames(scene, &mut frames);
    frames
}

/// The stack of any thread, named.
#[must_use]
pub fn thread_stack(scene: Scene<'_, '_>, thread: &Thread) -> Vec<Frame> {
    thread.context.as_ref().map_or_else(Vec::new, |context| provider::walk(scene, context))
}

/// The stacks of all threads, named; see [`provider::walk_all`] for when there are none.
#[must_use]
pub fn all_stacks(scene: Scene<'_, '_>) -> Option<Vec<(u32, Vec<Frame>)>> {
    provider::walk_all(scene)
}

/// Puts back the frame of a function that raised the exception and whose frame is gone.
///
/// - situation: RtlRaiseStatus on x86 records its caller's registers, so the stack begins at the address behind
///   the call, which may even be past the function's end.
/// - example: Windows 7 x86, exception address behind `call RtlRaiseStatus` in RtlpUnWaitCriticalSection.
/// - handling: when the instruction before the exception address is a call to an exported raiser, the callee becomes
///   frame 0 and the address is read as a return address.
/// - test: `windows_7_x86_chain` (tests/real_dumps).
fn mark_raise(scene: Scene<'_, '_>, exception: &EffectiveException, frames: &mut Vec<Frame>) {
    let Some(first) = frames.first_mut() else { return };
    let ip = first.registers.ip();
    if exception.record.address != ip {
        return;
    }
    let Some(site) = scene.call_site(ip) else { return };
    let Some(target) = scene.target(&site) else { return };
    let Some(name) = scene.export_at(target).filter(|name| name.starts_with("RtlRaise")) else {
        return;
    };
    first.ip_kind = IpKind::ReturnAddress;
    let mut registers = first.registers.clone();
    registers.set_ip(target);
    let raiser = Frame {
        registers,
        ip_kind: IpKind::Exact,
        trust: Trust::RaisedBy,
        return_slot: None,
        module: scene.dump.module_at(target).map(|module| module.base),
        start: Some(target),
        function: Some(FunctionName { name, source: NameSource::CallTarget, start: Some(target) }),
    };
    frames.insert(0, raiser);
}

/// Whether a module is ntdll by its file name.
#[must_use]
pub fn is_ntdll(dump: &Dump<'_>, base: Option<u64>) -> bool {
    let module = base.and_then(|base| dump.modules.iter().find(|module| module.base == base));
    module.is_some_and(|module| module.is_named("ntdll.dll"))
}

/// Whether a module is one that exports the lock functions.
fn is_system(dump: &Dump<'_>, base: Option<u64>) -> bool {
    let module = base.and_then(|base| dump.modules.iter().find(|module| module.base == base));
    module.is_some_and(|module| {
        ["ntdll.dll", "kernel32.dll", "kernelbase.dll"].iter().any(|name| module.is_named(name))
    })
}

/// The failed lock call that the frames show.
///
/// - situation: Application Verifier's substitutes for the lock functions read the section before ntdll does.
/// - example: Leave(0x18) faults in vfbasics.dll, in a function without a name.
/// - handling: a frame of the verifier's modules is read as one of ntdll's: named by the program's import it is the lock
///   function, nameless it is passed over.
/// - test: `a_fault_in_the_verifiers_substitute_is_a_lock_failure`.
fn lock_failure(
    scene: Scene<'_, '_>,
    frames: &mut Vec<Frame>,
    exception: &EffectiveException,
    encoding: LockCountEncoding,
) -> Option<LockFailure> {
    if let Some(lock) = wow64_ntdll(scene.dump, exception) {
        return Some(lock);
    }
    let substitutes = |frame: &Frame| verifier::is_verifier(scene.dump, frame.module);
    match operation::read_frames(
        frames,
        |frame| is_ntdll(scene.dump, frame.module) || substitutes(frame),
        |frame| is_system(scene.dump, frame.module) || substitutes(frame),
    ) {
        Reading::Lock(found) => {
            let found = behind_verifier(scene, frames, found);
            named(scene, frames, exception, encoding, found)
        }
        Reading::Other(index) => heap_lock::failure(scene, frames, exception, encoding, index)
            .or_else(|| initialisation(scene, frames, exception, encoding, index)),
        Reading::Unnamed => unnamed::read(scene, frames, exception, encoding),
    }
}

/// The program is the caller, not the substitute that Application Verifier puts between it and ntdll.
fn behind_verifier(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    found: FoundOperation,
) -> FoundOperation {
    let is_outside = |index: &usize| {
        frames.get(*index).is_none_or(|frame| !verifier::is_verifier(scene.dump, frame.module))
    };
    let caller = found.caller.and_then(|caller| (caller..=frames.len()).find(is_outside));
    FoundOperation { caller: caller.filter(|index| *index < frames.len()), ..found }
}

/// A WoW64 process whose 32-bit registers are not in the dump: what is walked then is the 64-bit side's stack.
///
/// - situation: a handle status raised in the 32-bit ntdll, of which the dump has the record and no registers.
/// - example: a small dump by a 64-bit writer that lacks the CPU areas.
/// - handling: it may be a failed signal: a lock failure without operation and section, marked as inferred, which stays
///   inconclusive; nothing is read from the 64-bit stack.
/// - test: `wow64_without_registers_stays_open` (tests/accuracy).
fn wow64_ntdll(dump: &Dump<'_>, exception: &EffectiveException) -> Option<LockFailure> {
    let code = exception.record.code;
    let raised = operation::is_handle_status(code).then(|| dump.x86_module_of_exception());
    raised.flatten().filter(|module| module.is_named("ntdll.dll"))?;
    Some(LockFailure {
        operation: None,
        source: OperationSource::Inferred,
        failure: Failure::Signal(code),
        caller: None,
        located: None,
    })
}

/// A fast fail while an initialisation links its debug record into the list (critical-sections.md 4.4).
///
/// - situation: the list's links do not agree, so that ntdll refuses to change it.
/// - example: `__fastfail(3)` in RtlInitializeCriticalSectionEx, or in RtlDeleteCriticalSection.
/// - handling: no operation, since none of the four failed; it counts only in ntdll functions that initialise
///   sections, and other fast fails are not looked at.
/// - test: `a_fast_fail_counts_only_where_records_are_linked`.
fn initialisation(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    index: usize,
) -> Option<LockFailure> {
    let frame = frames.get(index)?;
    let function = frame.function.as_ref()?;
    let is_ours = is_ntdll(scene.dump, frame.module) && operation::initialises(&function.name);
    (is_ours && operation::is_corrupt_list(exception)).then_some(())?;
    let failure = Failure::ListCorrupted;
    let search = Search { frames, found: None, exception, failure, encoding };
    let (failure, located) = locate::locate(scene, search);
    let source = match function.source {
        NameSource::Import => OperationSource::CallerImport,
        _ => OperationSource::Exports,
    };
    let caller = index.checked_add(1).filter(|caller| *caller < frames.len());
    Some(LockFailure { operation: None, source, failure, caller, located })
}

fn named(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    found: FoundOperation,
) -> Option<LockFailure> {
    let failure = operation::failure(found.operation, exception)?;
    let search = Search { frames, found: Some(found), exception, failure, encoding };
    let (failure, located) = locate::locate(scene, search);
    Some(LockFailure {
        operation: Some(found.operation),
        source: found.source,
        failure,
        caller: found.caller,
        located,
    })
}
