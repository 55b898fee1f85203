//! Lock failures that nothing on the stack names: exception, fault address and a section behind a register or a stack word must agree.

use super::LockFailure;
use super::candidate::{Candidate, Way};
use super::counting_arm64;
use super::exception::{
    ACCESS_VIOLATION, EffectiveException, IN_PAGE_ERROR, POSSIBLE_DEADLOCK, RESOURCE_NOT_OWNED,
};
use super::fault;
use super::frame::Frame;
use super::instruction;
use super::is_ntdll;
use super::locate::{self, Located, Search};
use super::operation::{self, Failure, Operation, OperationSource};
use super::stack::Scene;
use crate::critsec::debug_info::{contention_count_offset, entry_count_offset};
use crate::critsec::fill;
use crate::critsec::layout::Layout;
use crate::critsec::lock_count::LockCountEncoding;
use crate::dump::memory::PointerWidth;
use iced_x86::{Mnemonic, OpKind};

/// Nothing on the stack names a callee.
pub(super) fn infer(
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
        vec![Way { text, score: 3, is_fault: true, ..Way::default() }],
    )
}
