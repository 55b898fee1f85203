//! Lock failures in dumps that do not hold ntdll's image: no frame of ntdll has a name.
//!
//! The call into ntdll still names its target where the caller's code and import table are in the dump.
//! Where they are not, exception, fault address and a section behind a register or a stack word must agree,
//! and the operation is marked as inferred.

use super::counting_arm64;
use super::exception::{
    ACCESS_VIOLATION, EffectiveException, IN_PAGE_ERROR, POSSIBLE_DEADLOCK, RESOURCE_NOT_OWNED,
};
use super::fault;
use super::frame::{Frame, FunctionName, NameSource, Trust};
use super::instruction;
use super::locate::{self, Candidate, Located, Search};
use super::operation::{self, Failure, FoundOperation, Operation, OperationSource};
use super::stack::{self, Scene};
use super::{LockFailure, is_ntdll, named};
use crate::critsec::debug_info::{contention_count_offset, entry_count_offset};
use crate::critsec::fill;
use crate::critsec::handle::{self, HandleState};
use crate::critsec::layout::Layout;
use crate::critsec::lock_count::LockCountEncoding;
use crate::dump::memory::PointerWidth;
use crate::image::IpKind;
use crate::image::call_target::CallKind;
use crate::image::registers::{Provenance, Register, RegisterFile};
use iced_x86::{Mnemonic, OpKind};
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
    // The kernel's own raise can be continued, RtlRaiseStatus's cannot (critical-sections.md 4.1).
    let by_kernel = exception.record.flags & NONCONTINUABLE == 0;
    let is_lock = |call: &Call| Operation::of_function(&call.name).is_some();
    let nearest = calls.first();
    if let Some(call) = nearest.filter(|call| is_lock(call) && !by_kernel)
        && let Some(lock) =
            by_import(scene, frames, exception, encoding, call, Explanation::NotNeeded)
    {
        return Some(lock);
    }
    let closes = nearest.is_some_and(|call| operation::is_close(&call.name))
        && (by_kernel || !calls.iter().any(is_lock));
    // Lock functions are forwarded and have no frame in kernel32: a frame there is another function's.
    let through_kernel32 = frames.get(1).is_some_and(|frame| {
        let in_ntdll = is_ntdll(scene.dump, frame.module);
        frame.trust.is_exact() && super::is_system(scene.dump, frame.module) && !in_ntdll
    });
    if closes || by_kernel && through_kernel32 {
        None
    } else {
        infer(scene, frames, exception, encoding)
    }
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
    let lock_calls = calls.iter().filter(|call| Operation::of_function(&call.name).is_some());
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
    let mut modules_below = BTreeSet::new();
    let mut calls = Vec::new();
    for index in 0..slots {
        let slot = start.and_then(|start| start.checked_add(index.checked_mul(width.bytes())?));
        let Some((slot, word)) =
            slot.zip(slot.and_then(|slot| scene.dump.memory.pointer(slot, width)))
        else {
            continue;
        };
        let Some(module) = scene.dump.module_at(word.saturating_sub(1)) else { continue };
        calls.extend(named_call(scene, slot, word, &modules_below));
        modules_below.insert(module.base);
    }
    calls
}

/// The call that a word of the stack returns from, when its callee has a name and can be what led further.
fn named_call(
    scene: Scene<'_, '_>,
    slot: u64,
    return_address: u64,
    modules_below: &BTreeSet<u64>,
) -> Option<Call> {
    let site = scene.call_site(return_address)?;
    let name = scene.callee(&site)?.name()?.to_owned();
    let target = match site.kind {
        CallKind::Slot { content, .. } => content.and_then(|target| scene.dump.module_at(target)),
        _ => None,
    };
    let led_further = target.is_none_or(|module| {
        is_ntdll(scene.dump, Some(module.base)) || modules_below.contains(&module.base)
    });
    led_further.then_some(Call { slot, return_address, name })
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
    let is_explained = explains(scene, &lock);
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
fn explains(scene: Scene<'_, '_>, lock: &LockFailure) -> bool {
    let candidate = lock.located.as_ref().map(|located| &located.candidate);
    match lock.failure {
        // A call that returned is as likely as the one that failed: any list of ntdll's may be damaged.
        Failure::OtherAccess | Failure::ListCorrupted => false,
        Failure::Signal(_) => candidate.is_some_and(|candidate| match candidate.gate {
            Some(gate) => gate.passes(),
            None => candidate.is_exact(),
        }),
        Failure::Wait(_) => candidate.is_some(),
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

/// Nothing on the stack names a callee.
fn infer(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
    encoding: LockCountEncoding,
) -> Option<LockFailure> {
    let code = exception.record.code;
    let caller = frames.iter().position(|frame| !is_ntdll(scene.dump, frame.module));
    let caller = caller.filter(|index| {
        frames.iter().take(index.saturating_add(1)).all(|frame| frame.trust.is_exact())
    });
    let inferred = |operation, failure, located| LockFailure {
        operation,
        source: OperationSource::Inferred,
        failure,
        caller,
        located,
    };
    match code {
        _ if operation::is_handle_status(code) => {
            let failure = Failure::Signal(code);
            let search = Search { frames, found: None, exception, failure, encoding };
            let (failure, located) = locate::locate(scene, search);
            Some(inferred(located.as_ref().map(|_| Operation::Leave), failure, located))
        }
        // SRW locks raise it too.
        RESOURCE_NOT_OWNED => Some(inferred(None, Failure::NotOwner, None)),
        POSSIBLE_DEADLOCK => {
            let failure = Failure::PossibleDeadlock;
            let search = Search { frames, found: None, exception, failure, encoding };
            Some(inferred(Some(Operation::Enter), failure, locate::locate(scene, search).1))
        }
        ACCESS_VIOLATION | IN_PAGE_ERROR => {
            let (operation, failure, candidate) = access(scene, frames, exception, encoding)?;
            let waits = super::waits::Waits::read(scene);
            let located =
                candidate.map(|candidate| Located { candidate, argument: None, others: 0, waits });
            Some(inferred(operation, failure, located))
        }
        _ => None,
    }
}

/// An access violation in ntdll that fits a lock operation by its address.
///
/// - situation: Leave first writes RecursionCount, Enter LockCount (before Server 2003 SP1 it reads SpinCount), and
///   an Enter that has to wait counts itself in the record behind DebugInfo (critical-sections.md 0.1, 4.4).
/// - example: writing 0x24 on x64 through a DebugInfo of 0, or the content of rbx plus 0xC.
/// - handling: the fault must lie at such an offset from NULL, from a value in a register of the innermost
///   frame, or from a fill pattern; the verdict stays inconclusive.
/// - test: `an_access_violation_without_names_stays_inconclusive` (tests/accuracy).
fn access(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
    encoding: LockCountEncoding,
) -> Option<(Option<Operation>, Failure, Option<Candidate>)> {
    let fault = fault::fault_address(exception)?;
    let is_write = exception.record.parameters.first() == Some(&WRITE);
    match counting_instruction(scene, frames.first()?) {
        Some(counting) => return by_instruction(scene, frames.first()?, fault, encoding, counting),
        None if is_write && code_is_there(scene, frames.first()?) => return None,
        None => {}
    }
    let values: Vec<u64> = register_values(frames.first()?);
    if is_write && let Some((failure, candidate)) = through_record(scene, &values, fault, encoding)
    {
        return Some((Some(Operation::Enter), failure, candidate));
    }
    let width = scene.dump.system.pointer_width;
    let touched = first_touches(width, encoding);
    touched.into_iter().filter(|(.., write)| *write == is_write).find_map(
        |(operation, offset, _)| {
            let address = width.truncate(fault.wrapping_sub(offset));
            let known = address == 0 || values.contains(&address);
            let candidate =
                candidate(scene, encoding, address, format!("fault address minus {offset:#x}"));
            (known && candidate.raw.is_none()).then_some((
                operation,
                Failure::SectionAccess,
                Some(candidate),
            ))
        },
    )
}

/// An instruction that changes a 32-bit field in place, as lock functions count: lock btr, sub, inc, xadd. A
/// list being unlinked, whose Blink has the offset of LockCount, merely stores.
#[derive(Debug, Clone, Copy)]
struct Counting {
    base: u64,
    displacement: u64,
}

/// The instruction at the frame's address, when it is one.
fn counting_instruction(scene: Scene<'_, '_>, frame: &Frame) -> Option<Counting> {
    if scene.is_arm64() {
        let (base, displacement) = counting_arm64::counted_field(scene, frame)?;
        return Some(Counting { base, displacement });
    }
    let instruction = instruction::decoded(scene, frame);
    let counts = matches!(
        instruction.mnemonic(),
        Mnemonic::Btr
            | Mnemonic::Sub
            | Mnemonic::Add
            | Mnemonic::Inc
            | Mnemonic::Dec
            | Mnemonic::Xadd
            | Mnemonic::Cmpxchg
            | Mnemonic::And
    );
    let is_dword = instruction.op_count() > 0
        && instruction.op0_kind() == OpKind::Memory
        && instruction.memory_size().size() == 4;
    (counts && is_dword).then_some(())?;
    let access = instruction::of(&instruction, frame)?;
    Some(Counting { base: access.base, displacement: access.displacement })
}

fn code_is_there(scene: Scene<'_, '_>, frame: &Frame) -> bool {
    scene.dump.memory.u8(frame.registers.ip()).is_some()
}

/// The lock operation that counts at that offset, when the fault is that of the instruction.
fn by_instruction(
    scene: Scene<'_, '_>,
    frame: &Frame,
    fault: u64,
    encoding: LockCountEncoding,
    counting: Counting,
) -> Option<(Option<Operation>, Failure, Option<Candidate>)> {
    let width = frame.registers.width();
    let layout = Layout::of(width);
    let Counting { base, displacement } = counting;
    let is_its_fault = fault::is_without_address(width, fault)
        || width.truncate(base.wrapping_add(displacement)) == fault;
    is_its_fault.then_some(())?;
    let section =
        || Some(candidate(scene, encoding, base, "base of the faulting instruction".into()));
    let record = match encoding {
        LockCountEncoding::Flags => contention_count_offset(width),
        LockCountEncoding::Counting => entry_count_offset(width),
    };
    match displacement {
        offset if offset == layout.recursion_count => {
            Some((Some(Operation::Leave), Failure::SectionAccess, section()))
        }
        // TryEnter touches the same field.
        offset if offset == layout.lock_count => Some((None, Failure::SectionAccess, section())),
        offset if offset == record => {
            Some((Some(Operation::Enter), Failure::DebugInfoAccess, None))
        }
        _ => None,
    }
}

/// `ExceptionInformation[0]` of a write.
const WRITE: u64 = 1;

/// What each operation touches first, and whether it writes there.
fn first_touches(
    width: PointerWidth,
    encoding: LockCountEncoding,
) -> [(Option<Operation>, u64, bool); 2] {
    let leave = (Some(Operation::Leave), Layout::of(width).recursion_count, true);
    match encoding {
        // TryEnter touches the same field.
        LockCountEncoding::Flags => [leave, (None, Layout::of(width).lock_count, true)],
        LockCountEncoding::Counting => {
            [leave, (Some(Operation::Enter), Layout::of(width).spin_count, false)]
        }
    }
}

/// The registers of an access violation are the processor's own, so that the volatile ones, which still hold the
/// argument, count too.
fn register_values(frame: &Frame) -> Vec<u64> {
    let known = frame.registers.known();
    known.filter(|(register, ..)| !register.is_stack_pointer()).map(|(_, value, _)| value).collect()
}

/// Enter counting itself in the debug record of a section that is zero, a fill pattern, or in a register.
fn through_record(
    scene: Scene<'_, '_>,
    values: &[u64],
    fault: u64,
    encoding: LockCountEncoding,
) -> Option<(Failure, Option<Candidate>)> {
    let width = scene.dump.system.pointer_width;
    let record = fault.checked_sub(match encoding {
        LockCountEncoding::Flags => contention_count_offset(width),
        LockCountEncoding::Counting => entry_count_offset(width),
    })?;
    let holder =
        values.iter().find(|value| scene.dump.memory.pointer(**value, width) == Some(record));
    if holder.is_none() && record != 0 && !fill::is_pattern(record, width) {
        return None;
    }
    let candidate =
        holder.map(|address| candidate(scene, encoding, *address, "register of frame 0".into()));
    Some((Failure::DebugInfoAccess, candidate))
}

fn candidate(
    scene: Scene<'_, '_>,
    encoding: LockCountEncoding,
    address: u64,
    text: String,
) -> Candidate {
    locate::judge(
        scene,
        encoding,
        address,
        vec![locate::Way { text, score: 3, is_fault: true, ..locate::Way::default() }],
    )
}
