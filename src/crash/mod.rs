//! Steps 2 and 3, crash and locate: the effective exception, the faulting thread's stack, the lock operation
//! that failed, and the address of the section it failed on.

pub mod call_site;
mod call_site_arm64;
mod counting_arm64;
pub mod exception;
pub mod fault;
pub mod frame;
pub mod locate;
pub mod names;
pub mod operation;
pub mod provider;
pub mod stack;
mod stack_arm64;
mod stack_x86;
mod unnamed;

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
    let exception = exception::effective(scene.dump)?;
    let thread_id = scene.dump.exception.as_ref()?.thread_id;
    let mut frames = faulting_stack(scene, &exception);
    let lock = lock_failure(scene, &mut frames, &exception, encoding);
    Some(Crash { exception, thread_id, frames, lock })
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

fn lock_failure(
    scene: Scene<'_, '_>,
    frames: &mut Vec<Frame>,
    exception: &EffectiveException,
    encoding: LockCountEncoding,
) -> Option<LockFailure> {
    match operation::read_frames(
        frames,
        |frame| is_ntdll(scene.dump, frame.module),
        |frame| is_system(scene.dump, frame.module),
    ) {
        Reading::Lock(found) => named(scene, frames, exception, encoding, found),
        Reading::Other(index) => heap_lock(scene, frames, exception, encoding, index),
        Reading::Unnamed => unnamed::read(scene, frames, exception, encoding),
    }
}

/// Heap functions of Windows 10 leave the heap's lock with code of their own: no RtlLeaveCriticalSection frame
/// (critical-sections.md 4.2).
///
/// - situation: a handle status raised by RtlRaiseStatus out of a heap function of ntdll.
/// - example: RtlRaiseStatus under RtlFreeHeap, the heap's lock damaged.
/// - handling: a failed Leave, marked as inferred; the section is the one that passes the gate, if any.
/// - test: `a_heap_lock_is_inferred`.
fn heap_lock(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    index: usize,
) -> Option<LockFailure> {
    let name = |index: usize| Some(frames.get(index)?.function.as_ref()?.name.as_str());
    let code = exception.record.code;
    let is_heap = is_ntdll(scene.dump, frames.get(index)?.module) && is_heap_function(name(index)?);
    if !operation::is_handle_status(code) || name(0) != Some("RtlRaiseStatus") || !is_heap {
        return None;
    }
    let failure = Failure::Signal(code);
    let search = Search { frames, found: None, exception, failure, encoding };
    let (failure, located) = locate::locate(scene, search);
    Some(LockFailure {
        operation: Some(Operation::Leave),
        source: OperationSource::Inferred,
        failure,
        caller: Some(index),
        located,
    })
}

fn is_heap_function(name: &str) -> bool {
    name.starts_with("Rtl") && name.contains("Heap")
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

#[cfg(test)]
mod tests {
    use super::is_heap_function;

    #[test]
    fn a_heap_lock_is_inferred() {
        assert!(is_heap_function("RtlFreeHeap") && is_heap_function("RtlpAllocateHeap"));
        assert!(!is_heap_function("RtlLeaveCriticalSection") && !is_heap_function("HeapFree"));
    }
}
