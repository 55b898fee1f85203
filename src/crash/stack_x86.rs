//! One step up an x86 stack.
//!
//! x86 has no unwind data, and Windows' own code often has no frame pointer. What tells a true return
//! address from a stale one is the function's own code ([`own_code_x86`]), or the call before it: its target must be
//! a function whose control flow reaches the address below ([`crate::image::flow`]).

use super::called;
use super::frame::{Frame, Trust};
use super::own_code_x86;
use super::stack::{Caller, Scene, is_return_address};
use crate::dump::memory::PointerWidth;
use crate::image::IpKind;
use crate::image::call_target::{CallKind, CallSite};
use crate::image::flow::Flow;
use crate::image::registers::{Provenance, Register, RegisterFile};

/// Words above the stack pointer that can hold registers the callee saved.
const SAVED_WORDS: u64 = 64;
/// Slots looked at for a return address that the call target proves.
const PROVEN_SLOTS: u64 = 512;

const NONVOLATILE: [Register; 4] = [Register::Rbx, Register::Rbp, Register::Rsi, Register::Rdi];

/// The caller of an x86 frame.
///
/// - situation: stale return addresses lie between the stack pointer and the true one, and frame pointers skip
///   functions that keep none.
/// - example: Windows 7's RtlLeaveCriticalSection, cut into parts, above RtlpUnWaitCriticalSection.
/// - handling: where the function's own code keeps it, then a frame pointer proven by the call target, then the nearest proven slot, then an unproven frame
///   pointer, then the nearest slot behind any call.
/// - test: `windows_7_x86_chain` (tests/real_dumps).
pub(super) fn step(scene: Scene<'_, '_>, frame: &Frame, slots: u64) -> Option<Caller> {
    if let Some(proven) = proven_step(scene, frame) {
        return Some(proven);
    }
    let frame_pointer = frame_pointer_slot(scene, frame);
    let skips = frame_pointer.is_some_and(|slot| is_disproved(scene, frame, slot));
    if skips && let Some(slot) = unknown_call_below(scene, frame, frame_pointer?) {
        return unproven(scene, frame, slot, Trust::Scan);
    }
    if let Some(slot) = frame_pointer {
        return unproven(scene, frame, slot, Trust::FramePointer);
    }
    let slot = slots_above(frame, slots).find(|slot| holds_return_address(scene, *slot))?;
    unproven(scene, frame, slot, Trust::Scan)
}

/// The caller, when the function's own code or a call target proves it.
pub(super) fn proven_step(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    if let Some((slot, flow)) = own_code_x86::return_slot(scene, frame)
        && let Some(caller) =
            prove(scene, frame, slot).or_else(|| by_own_code(scene, frame, slot, &flow))
    {
        return Some(caller);
    }
    frame_pointer_slot(scene, frame)
        .and_then(|slot| prove(scene, frame, slot))
        .or_else(|| slots_above(frame, PROVEN_SLOTS).find_map(|slot| prove(scene, frame, slot)))
}

fn slots_above(frame: &Frame, count: u64) -> impl Iterator<Item = u64> + use<> {
    let start = frame.registers.sp().and_then(|sp| sp.checked_next_multiple_of(4));
    (0..count).filter_map(move |index| start?.checked_add(index.checked_mul(4)?))
}

fn holds_return_address(scene: Scene<'_, '_>, slot: u64) -> bool {
    word(scene, slot).is_some_and(|ip| is_return_address(scene, ip))
}

fn word(scene: Scene<'_, '_>, address: u64) -> Option<u64> {
    scene.dump.memory.pointer(address, PointerWidth::Four)
}

/// Whether the call at a frame pointer's return address goes to another function than the frame's: then the
/// frame pointer belongs to a frame farther out, and one or more frames lie between.
fn is_disproved(scene: Scene<'_, '_>, frame: &Frame, slot: u64) -> bool {
    let target = word(scene, slot).and_then(|ip| scene.target(&scene.call_site(ip)?));
    target.is_some_and(|target| {
        let flow = scene.flows.follow(&scene.dump.memory, target, PointerWidth::Four);
        flow.complete && !flow.reaches(frame.registers.ip())
    })
}

/// The nearest slot below `end` whose return address follows a call to somewhere unknown.
fn unknown_call_below(scene: Scene<'_, '_>, frame: &Frame, end: u64) -> Option<u64> {
    let is_unknown = |slot: &u64| {
        let site = word(scene, *slot).and_then(|ip| {
            scene.dump.module_at(ip.saturating_sub(1))?;
            scene.call_site(ip)
        });
        site.is_some_and(|site| scene.target(&site).is_none())
    };
    slots_above(frame, PROVEN_SLOTS).take_while(|slot| *slot < end).find(is_unknown)
}

/// The slot of the return address above ebp, when ebp can be a frame pointer.
fn frame_pointer_slot(scene: Scene<'_, '_>, frame: &Frame) -> Option<u64> {
    let ebp = own_code_x86::frame_pointer(frame)?;
    let slot = ebp.checked_add(4)?;
    // 0 ends the chain: the outermost function was entered without one.
    let saved = word(scene, ebp)?;
    ((saved == 0 || saved > ebp) && holds_return_address(scene, slot)).then_some(slot)
}

/// The caller through `slot`, when the call before the return address goes to the frame's function.
fn prove(scene: Scene<'_, '_>, frame: &Frame, slot: u64) -> Option<Caller> {
    let ip = word(scene, slot)?;
    scene.dump.module_at(ip.saturating_sub(1))?;
    let site = scene.call_site(ip)?;
    match site.kind {
        CallKind::Register(register) => prove_register_call(scene, frame, slot, register)
            .or_else(|| prove_call_of_local(scene, frame, slot, &site)),
        CallKind::Memory => prove_call_of_local(scene, frame, slot, &site),
        CallKind::Direct(_) | CallKind::Slot { .. } => {
            prove_target(scene, frame, slot, scene.target(&site)?)
        }
    }
}

fn prove_target(scene: Scene<'_, '_>, frame: &Frame, slot: u64, target: u64) -> Option<Caller> {
    let flow = scene.flows.follow(&scene.dump.memory, target, PointerWidth::Four);
    if !flow.reaches(frame.registers.ip()) {
        return None;
    }
    Some(Caller {
        registers: caller_registers(scene, frame, slot, &flow)?,
        ip_kind: IpKind::ReturnAddress,
        trust: Trust::CallTarget,
        return_slot: Some(slot),
        callee_start: Some(target),
    })
}

/// A call through a register.
///
/// - situation: the caller keeps an import in a register, so that its call instruction names no target.
/// - example: `mov ebx, [__imp__LeaveCriticalSection]` and later `call ebx`.
/// - handling: the register still has its value in the callee, or the callee saved it between its stack pointer
///   and the return address; a value counts when its control flow reaches the callee's address and unwinding by
///   it gives the caller's register that same value.
/// - test: `a_call_through_a_register_is_proven` (tests/accuracy).
fn prove_register_call(
    scene: Scene<'_, '_>,
    frame: &Frame,
    slot: u64,
    register: Register,
) -> Option<Caller> {
    let sp = frame.registers.sp()?;
    // Reading the words costs about as much as decoding a few instructions.
    scene.flows.spend(8).then_some(())?;
    let saved = (0..SAVED_WORDS)
        .filter_map(|index| sp.checked_add(index.checked_mul(4)?))
        .take_while(|address| *address < slot)
        .filter_map(|address| word(scene, address));
    let mut targets: Vec<u64> = frame.registers.get(register).into_iter().chain(saved).collect();
    targets
        .retain(|target| scene.dump.module_at(*target).map(|module| module.base) == frame.module);
    targets.sort_unstable();
    targets.dedup();
    targets.into_iter().find_map(|target| {
        let caller = prove_target(scene, frame, slot, target)?;
        (caller.registers.get(register) == Some(target)).then_some(caller)
    })
}

/// A call of what the caller keeps in its own frame; see [`called::called_local`]. The frame's base is the stack pointer behind the return
/// address, or ebp as it is now or as the callee saved it first. The caller that is found must have that base.
fn prove_call_of_local(
    scene: Scene<'_, '_>,
    frame: &Frame,
    slot: u64,
    site: &CallSite,
) -> Option<Caller> {
    scene.flows.spend(8).then_some(())?;
    let (base, distance) = called::called_local(scene, word(scene, slot)?, site)?;
    let saved = slot.checked_sub(4).and_then(|address| word(scene, address));
    let bases = match base {
        Register::Rsp => [slot.checked_add(4), None],
        _ => [frame.registers.get(base), saved],
    };
    bases.into_iter().flatten().find_map(|address| {
        let target = word(scene, address.checked_add_signed(distance)?)?;
        let is_of_frame = scene.dump.module_at(target).map(|module| module.base) == frame.module;
        let caller = is_of_frame.then(|| prove_target(scene, frame, slot, target))??;
        (caller.registers.get(base) == Some(address)).then_some(caller)
    })
}

/// The caller through the slot that the function's own code gives, whoever called it.
fn by_own_code(scene: Scene<'_, '_>, frame: &Frame, slot: u64, flow: &Flow) -> Option<Caller> {
    holds_return_address(scene, slot).then_some(())?;
    Some(Caller {
        registers: caller_registers(scene, frame, slot, flow)?,
        ip_kind: IpKind::ReturnAddress,
        trust: Trust::Code,
        return_slot: Some(slot),
        callee_start: None,
    })
}

/// The caller's registers, by what the function's prologue saves and its code leaves alone.
fn caller_registers(
    scene: Scene<'_, '_>,
    frame: &Frame,
    slot: u64,
    flow: &Flow,
) -> Option<RegisterFile> {
    let mut registers = bare(scene, slot)?;
    for register in NONVOLATILE {
        let saved = flow.saved.iter().find(|saved| saved.register == register);
        if let Some(address) = saved.and_then(|saved| slot.checked_sub(saved.below_return)) {
            if address >= frame.registers.sp()?
                && let Some(value) = word(scene, address)
            {
                registers.set(register, value, Provenance::Restored { address });
            }
        } else if flow.leaves_alone(register)
            && let Some(value) = frame.registers.get(register)
        {
            registers.set(register, value, unchanged(frame.registers.provenance(register)));
        }
    }
    Some(registers)
}

fn unchanged(provenance: Provenance) -> Provenance {
    match provenance {
        Provenance::Context => Provenance::Unchanged,
        other => other,
    }
}

/// Nothing but the instruction and stack pointers.
fn bare(scene: Scene<'_, '_>, slot: u64) -> Option<RegisterFile> {
    let sp = slot.checked_add(4)?;
    let mut registers = RegisterFile::new(PointerWidth::Four, word(scene, slot)?, sp);
    registers.set(Register::Rsp, sp, Provenance::Computed);
    Some(registers)
}

fn unproven(scene: Scene<'_, '_>, frame: &Frame, slot: u64, trust: Trust) -> Option<Caller> {
    let mut registers = bare(scene, slot)?;
    match trust {
        Trust::FramePointer => {
            let address = slot.checked_sub(4)?;
            registers.set(Register::Rbp, word(scene, address)?, Provenance::Restored { address });
        }
        // A frame pointer above the slot belongs to a frame farther out.
        _ => {
            if let Some(ebp) = frame.registers.get(Register::Rbp).filter(|ebp| *ebp > slot) {
                registers.set(
                    Register::Rbp,
                    ebp,
                    unchanged(frame.registers.provenance(Register::Rbp)),
                );
            }
        }
    }
    Some(Caller {
        registers,
        ip_kind: IpKind::ReturnAddress,
        trust,
        return_slot: Some(slot),
        callee_start: None,
    })
}
