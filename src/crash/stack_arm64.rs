//! Steps up an ARM64 stack: by unwind data read out of the dump's memory, and where that is missing by lr, the chain of
//! frame records, and last a scan.

use super::frame::{Frame, Trust};
use super::stack::{Caller, Scene, is_return_address};
use crate::image::IpKind;
use crate::image::pe::Machine;
use crate::image::registers::{Provenance, Register, RegisterFile};
use crate::image::unwind_arm64::{self, strip};
use crate::image::unwind_x64::{Step, StepTrust};

/// Where lr is this near, it is behind a call of the function itself: larger functions are rare.
const NEAR: u64 = 0x400;
/// Most bytes between a stack pointer and the next frame record.
const MAX_FRAME: u64 = 0x2_0000;

/// The caller of a frame.
pub(super) fn step(scene: Scene<'_, '_>, frame: &Frame, slots: u64) -> Option<Caller> {
    by_unwind_data(scene, frame)
        .or_else(|| by_link_register(scene, frame))
        .or_else(|| by_frame_record(scene, frame))
        .or_else(|| by_scan(scene, frame, slots))
}

/// A step that nothing is guessed in.
pub(super) fn by_unwind_data(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    let image = scene.images.image_at(frame.lookup_address())?;
    let memory = &scene.dump.memory;
    let step = unwind_arm64::step(memory, image, &frame.registers, frame.ip_kind).ok()?;
    let trust = match step.trust {
        StepTrust::Leaf => Trust::Leaf,
        _ => Trust::UnwindData,
    };
    // A leaf is known only by what the table does not have: lr may hold anything.
    let is_caller = trust != Trust::Leaf || is_return_address(scene, step.registers.ip());
    is_caller.then(|| caller(step, trust))
}

fn caller(step: Step, trust: Trust) -> Caller {
    Caller {
        registers: step.registers,
        ip_kind: step.ip_kind,
        trust,
        return_slot: step.return_slot,
        callee_start: None,
    }
}

/// The innermost frame of a function without unwind data in the dump: lr holds the return address of a leaf.
///
/// - situation: small dumps do not hold ntdll's tables, and a waiting thread stands in a system call's stub, a leaf.
/// - example: `NtWaitForSingleObject`, `svc`, `ret`, with lr behind a call in KERNELBASE.
/// - handling: lr counts when it can be a return address and lies far from the frame's own address, as behind a call of
///   its own it does not; as a guess where a module holds the address, and as the call that led to nowhere where none does.
/// - test: `a_waiting_thread_is_walked_by_lr_and_frame_records`.
pub(super) fn by_link_register(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    (frame.trust == Trust::Context && frame.ip_kind == IpKind::Exact).then_some(())?;
    let step = unwind_arm64::step_leaf(&frame.registers).ok()?;
    let ip = step.registers.ip();
    let is_own = ip.abs_diff(frame.registers.ip()) < NEAR;
    (!is_own && is_return_address(scene, ip)).then_some(())?;
    let trust = if frame.module.is_none() { Trust::Leaf } else { Trust::Scan };
    Some(caller(step, trust))
}

/// fp may lead to a frame record: the caller's fp, then the return address ("Overview of ARM64 ABI conventions").
fn by_frame_record(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    let fp = frame.registers.get(Register::FP)?;
    let sp = frame.registers.sp()?;
    let is_near = (sp..sp.checked_add(MAX_FRAME)?).contains(&fp) && fp.is_multiple_of(8);
    let saved = scene.dump.memory.u64(fp).filter(|_| is_near)?;
    let return_slot = fp.checked_add(8)?;
    let ip = strip(scene.dump.memory.u64(return_slot)?);
    // The outermost record leads nowhere.
    ((saved > fp || saved == 0) && is_return_address(scene, ip)).then_some(())?;
    let sp = return_slot.checked_add(8)?;
    let mut registers = RegisterFile::of(Machine::Arm64, ip, sp);
    registers.set(Register::Sp, sp, Provenance::AtLeast);
    registers.set(Register::FP, saved, Provenance::Restored { address: fp });
    Some(guessed(registers, Trust::FramePointer, return_slot))
}

fn by_scan(scene: Scene<'_, '_>, frame: &Frame, slots: u64) -> Option<Caller> {
    let start = frame.registers.sp()?.checked_next_multiple_of(8)?;
    for slot in (0..slots).filter_map(|index| start.checked_add(index.checked_mul(8)?)) {
        let ip = strip(scene.dump.memory.u64(slot)?);
        if ip != frame.registers.ip() && is_return_address(scene, ip) {
            let sp = slot.checked_add(8)?;
            let mut registers = RegisterFile::of(Machine::Arm64, ip, sp);
            registers.set(Register::Sp, sp, Provenance::AtLeast);
            // A return address is stored behind the caller's fp.
            let below = slot.checked_sub(8)?;
            if let Some(fp) = scene.dump.memory.u64(below).filter(|fp| *fp > slot) {
                registers.set(Register::FP, fp, Provenance::Restored { address: below });
            }
            return Some(guessed(registers, Trust::Scan, slot));
        }
    }
    None
}

fn guessed(registers: RegisterFile, trust: Trust, return_slot: u64) -> Caller {
    Caller {
        registers,
        ip_kind: IpKind::ReturnAddress,
        trust,
        return_slot: Some(return_slot),
        callee_start: None,
    }
}
