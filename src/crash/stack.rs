//! Walking the faulting thread's stack.
//!
//! [`walk`] applies one pure step after another: registers and memory in, the caller's registers out, each
//! register with its origin. x64 and ARM64 go by unwind data read out of the dump's memory, x64 else by the code that is left to run; x86 by the call
//! instructions, frame pointers and, last, a scan.

use super::called;
use super::frame::{Frame, Trust};
use super::{call_site_arm64, stack_arm64, stack_code, stack_x86};
use crate::dump::memory::PointerWidth;
use crate::dump::{Cpu, Dump};
use crate::image::call_target::{self, CallKind, CallSite, Callee, Resolution};
use crate::image::flow::FlowCache;
use crate::image::guard::Guard;
use crate::image::images::Images;
use crate::image::pe::Machine;
use crate::image::registers::{Provenance, Register, RegisterFile};
use crate::image::{IpKind, call_target_arm64, unwind_x64};

/// Most frames of one stack.
pub const MAX_FRAMES: usize = 1024;
/// Slots searched for a return address above the innermost frame; RtlRaiseStatus alone takes about 200.
const SCAN_FIRST: u64 = 256;
/// No code lies below: a return address of less ends a stack.
const LOWEST_CODE: u64 = 0x1000;
/// Slots searched for a return address above any other frame.
const SCAN_LATER: u64 = 40;

/// What the walker reads.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'s, 'd> {
    /// The dump.
    pub dump: &'s Dump<'d>,
    /// The images in its memory.
    pub images: &'s Images<'s, 'd>,
    /// Control flow of functions followed so far.
    pub flows: &'s FlowCache,
}

impl Scene<'_, '_> {
    /// Whether the code is ARM64's.
    #[must_use]
    pub fn is_arm64(self) -> bool {
        self.dump.system.cpu == Cpu::Arm64
    }

    /// The call instruction that ends at a return address. A call through a register that was loaded from an
    /// import slot is given as a call through that slot; one under Control Flow Guard as what it is without.
    #[must_use]
    pub fn call_site(self, return_address: u64) -> Option<CallSite> {
        let width = self.dump.system.pointer_width;
        let mut site = match self.is_arm64() {
            true => call_target_arm64::call_site(self.images, return_address)?,
            false => call_target::call_site(self.images, return_address, width)?,
        };
        let is_guarded = |slot| self.guard_at(slot) == Some(Guard::Dispatch);
        let called = match site.kind {
            CallKind::Slot { slot, .. } if is_guarded(slot) => {
                site.kind = CallKind::Memory;
                Some(Register::Rax)
            }
            CallKind::Register(register) => Some(register),
            _ => None,
        };
        if let Some(register) = called
            && let Some(slot) = self.called_slot(return_address, site.call_address, register)
        {
            site.kind = CallKind::Slot { slot, content: self.dump.memory.pointer(slot, width) };
        }
        Some(site)
    }

    /// What the pointer at an address is of those of Control Flow Guard.
    pub(super) fn guard_at(self, slot: u64) -> Option<Guard> {
        self.images.module_at(slot)?.guard_at(slot)
    }

    fn called_slot(self, return_address: u64, call: u64, register: Register) -> Option<u64> {
        if self.is_arm64() {
            call_site_arm64::called_slot(self, call, register)
        } else {
            called::called_slot(self, return_address, call, register)
        }
    }

    /// Where the jumps that begin at a call's target lead.
    fn resolve(&self, target: u64) -> Resolution {
        if self.is_arm64() {
            call_target_arm64::resolve(self.images, target)
        } else {
            call_target::resolve(self.images, target, self.dump.system.pointer_width)
        }
    }

    /// Where a call goes, behind import slots and jump thunks.
    #[must_use]
    pub fn target(&self, site: &CallSite) -> Option<u64> {
        let first = match site.kind {
            CallKind::Direct(target) => target,
            CallKind::Slot { content, .. } => content?,
            CallKind::Register(_) | CallKind::Memory => return None,
        };
        let resolution = self.resolve(first);
        match resolution.open_slot {
            None => resolution.trail.last().copied(),
            Some(_) => None,
        }
    }

    /// The name of what a call goes to.
    #[must_use]
    pub fn callee(&self, site: &CallSite) -> Option<Callee> {
        let (target, slot) = match site.kind {
            CallKind::Direct(target) => (Some(target), None),
            CallKind::Slot { slot, content } => (content, Some(slot)),
            CallKind::Register(_) | CallKind::Memory => return None,
        };
        call_target::named(self.images, target.map(|target| self.resolve(target)), slot)
    }

    /// The export that starts at an address.
    #[must_use]
    pub fn export_at(&self, address: u64) -> Option<String> {
        self.images.module_at(address)?.export_at(address)
    }
}

/// A step's result: the caller.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Its registers.
    pub registers: RegisterFile,
    /// What its instruction pointer is.
    pub ip_kind: IpKind,
    /// How it was found.
    pub trust: Trust,
    /// The slot of the return address.
    pub return_slot: Option<u64>,
    /// Address of the start of the function that was left, where a call target proves it.
    pub callee_start: Option<u64>,
}

/// Walks from a register file to the end of the stack. Frames are not yet named.
#[must_use]
pub fn walk(scene: Scene<'_, '_>, start: RegisterFile) -> Vec<Frame> {
    walk_from(scene, start, IpKind::Exact, Trust::Context, None)
}

/// Walks from any frame to the end of the stack.
#[must_use]
pub fn walk_from(
    scene: Scene<'_, '_>,
    start: RegisterFile,
    ip_kind: IpKind,
    trust: Trust,
    return_slot: Option<u64>,
) -> Vec<Frame> {
    let mut frames = vec![frame(scene, start, ip_kind, trust, return_slot)];
    loop {
        if frames.len() >= MAX_FRAMES {
            scene.flows.cut("the walk of the faulting stack (1024 frames)");
            break;
        }
        let is_first = frames.len() == 1;
        let Some(innermost) = frames.last_mut() else { break };
        let Some(caller) = step(scene, innermost, is_first) else { break };
        innermost.start = caller.callee_start;
        if caller.registers.ip() < LOWEST_CODE {
            break;
        }
        frames.push(frame(
            scene,
            caller.registers,
            caller.ip_kind,
            caller.trust,
            caller.return_slot,
        ));
    }
    frames
}

fn frame(
    scene: Scene<'_, '_>,
    registers: RegisterFile,
    ip_kind: IpKind,
    trust: Trust,
    return_slot: Option<u64>,
) -> Frame {
    let module =
        scene.dump.module_at(ip_kind.lookup_address(registers.ip())).map(|module| module.base);
    Frame { registers, ip_kind, trust, return_slot, module, start: None, function: None }
}

/// The caller of a frame; `None` at the end of the stack, and where the stack pointer would not rise.
fn step(scene: Scene<'_, '_>, frame: &Frame, is_first: bool) -> Option<Caller> {
    let slots = if is_first { SCAN_FIRST } else { SCAN_LATER };
    let caller = match frame.registers.machine() {
        Machine::X86 => stack_x86::step(scene, frame, slots),
        Machine::Arm64 => stack_arm64::step(scene, frame, slots),
        _ => step_x64(scene, frame, slots),
    }?;
    rises(frame, &caller).then_some(caller)
}

/// Whether a step leads up the stack. An ARM64 leaf need not touch it: the return address is in lr.
fn rises(frame: &Frame, caller: &Caller) -> bool {
    let may_stay = frame.registers.machine() == Machine::Arm64
        && frame.ip_kind == IpKind::Exact
        && caller.ip_kind == IpKind::ReturnAddress;
    match (frame.registers.sp(), caller.registers.sp()) {
        (Some(from), Some(to)) => to > from || may_stay && to == from,
        _ => false,
    }
}

fn step_x64(scene: Scene<'_, '_>, frame: &Frame, slots: u64) -> Option<Caller> {
    by_unwind_data(scene, frame)
        .or_else(|| by_call_to_nowhere(scene, frame))
        .or_else(|| stack_code::step(scene, frame))
        .or_else(|| by_frame_pointer(scene, frame))
        .or_else(|| by_scan(scene, frame, slots))
}

/// A step that nothing is guessed in: by unwind data, by the code that is left to run, or proven by the call target.
#[must_use]
pub fn certain_step(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    let caller = match frame.registers.machine() {
        Machine::X86 => stack_x86::proven_step(scene, frame),
        Machine::Arm64 => stack_arm64::by_unwind_data(scene, frame),
        _ => by_unwind_data(scene, frame).or_else(|| stack_code::step(scene, frame)),
    }?;
    rises(frame, &caller).then_some(caller)
}

/// The frames from a register file outwards as far as none is a scan's, `most` at most.
#[must_use]
pub fn exact_frames(scene: Scene<'_, '_>, start: RegisterFile, most: usize) -> Vec<Frame> {
    exact_frames_from(scene, frame(scene, start, IpKind::Exact, Trust::Context, None), most)
}

/// A frame, and those outwards from it as far as none is a scan's, `most` at most.
#[must_use]
pub fn exact_frames_from(scene: Scene<'_, '_>, first: Frame, most: usize) -> Vec<Frame> {
    let mut frames = vec![first];
    while frames.len() < most
        && let Some(last) = frames.last()
        && let Some(caller) = step(scene, last, false).filter(|caller| caller.trust.is_exact())
        && caller.registers.ip() >= LOWEST_CODE
    {
        let Caller { registers, ip_kind, trust, return_slot, .. } = caller;
        frames.push(frame(scene, registers, ip_kind, trust, return_slot));
    }
    frames
}

/// The caller of an innermost ARM64 frame by lr: a guess, of what no table in the dump describes.
#[must_use]
pub fn guessed_leaf_step(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    let is_arm64 = frame.registers.machine() == Machine::Arm64;
    is_arm64.then(|| stack_arm64::by_link_register(scene, frame)).flatten()
}

fn by_unwind_data(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    let image = scene.images.image_at(frame.lookup_address())?;
    let step = unwind_x64::step(&scene.dump.memory, image, &frame.registers, frame.ip_kind).ok()?;
    let trust = match step.trust {
        unwind_x64::StepTrust::Leaf => Trust::Leaf,
        _ => Trust::UnwindData,
    };
    Some(Caller {
        registers: step.registers,
        ip_kind: step.ip_kind,
        trust,
        return_slot: step.return_slot,
        callee_start: None,
    })
}

/// A call to an address without code leaves its return address on top of the stack.
fn by_call_to_nowhere(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    if frame.trust != Trust::Context || frame.module.is_some() {
        return None;
    }
    let step = unwind_x64::step_leaf(&scene.dump.memory, &frame.registers).ok()?;
    is_return_address(scene, step.registers.ip()).then_some(())?;
    Some(Caller {
        registers: step.registers,
        ip_kind: step.ip_kind,
        trust: Trust::Leaf,
        return_slot: step.return_slot,
        callee_start: None,
    })
}

/// Without unwind data: rbp may be a frame pointer.
fn by_frame_pointer(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    let rbp = frame.registers.get(Register::Rbp)?;
    let sp = frame.registers.sp()?;
    let above = sp.checked_add(0x2_0000)?;
    if !(sp..above).contains(&rbp) || !rbp.is_multiple_of(8) {
        return None;
    }
    let saved = scene.dump.memory.u64(rbp)?;
    let return_slot = rbp.checked_add(8)?;
    let ip = scene.dump.memory.u64(return_slot)?;
    (saved > rbp && is_return_address(scene, ip)).then_some(())?;
    let mut registers = RegisterFile::new(PointerWidth::Eight, ip, return_slot.checked_add(8)?);
    registers.set(Register::Rsp, return_slot.checked_add(8)?, Provenance::Computed);
    registers.set(Register::Rbp, saved, Provenance::Restored { address: rbp });
    Some(Caller {
        registers,
        ip_kind: IpKind::ReturnAddress,
        trust: Trust::FramePointer,
        return_slot: Some(return_slot),
        callee_start: None,
    })
}

fn by_scan(scene: Scene<'_, '_>, frame: &Frame, slots: u64) -> Option<Caller> {
    let start = frame.registers.sp()?.checked_next_multiple_of(8)?;
    for slot in (0..slots).filter_map(|index| start.checked_add(index.checked_mul(8)?)) {
        let ip = scene.dump.memory.u64(slot)?;
        // A raiser keeps the CONTEXT on its own stack, and with it its own instruction pointer.
        if ip != frame.registers.ip() && is_return_address(scene, ip) {
            let mut registers = RegisterFile::new(PointerWidth::Eight, ip, slot.checked_add(8)?);
            registers.set(Register::Rsp, slot.checked_add(8)?, Provenance::Computed);
            return Some(Caller {
                registers,
                ip_kind: IpKind::ReturnAddress,
                trust: Trust::Scan,
                return_slot: Some(slot),
                callee_start: None,
            });
        }
    }
    None
}

/// Whether a stack word can be a return address.
///
/// - situation: without unwind data every word that points into a module may be one.
/// - example: a function pointer in a local variable points into a module too.
/// - handling: where the code is in the dump a call instruction must end at the address; where it is not, being
///   inside a module has to do.
/// - test: `scan_skips_what_no_call_precedes`.
#[must_use]
pub fn is_return_address(scene: Scene<'_, '_>, ip: u64) -> bool {
    if scene.dump.module_at(ip.saturating_sub(1)).is_none() {
        return false;
    }
    let memory = &scene.dump.memory;
    let code_is_there = ip.checked_sub(1).and_then(|before| memory.u8(before)).is_some();
    !code_is_there || scene.call_site(ip).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Cpu;
    use crate::dump::synth::Synth;
    use crate::image::fixtures::PeBuilder;

    #[test]
    fn scan_skips_what_no_call_precedes() {
        let mut code = vec![0x90; 0x100];
        // call +0 at 0x40_0050: the address behind it is a return address.
        code[0x50..0x55].copy_from_slice(&[0xE8, 0, 0, 0, 0]);
        let mut stack = Vec::new();
        for word in [0x40_0020_u64, 0x40_0055] {
            stack.extend_from_slice(&word.to_le_bytes());
        }
        let file = Synth::new(Cpu::Amd64)
            .module(0x40_0000, 0x1000, "app.exe", [1, 0, 0, 0])
            .memory(0x40_0000, code)
            .memory(0x10_0000, stack)
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(0x40_0000, 0x1000)]);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let start = RegisterFile::new(PointerWidth::Eight, 0x40_0010, 0x10_0000);
        let frames = walk(scene, start);
        assert_eq!(frames[1].registers.ip(), 0x40_0055);
        assert_eq!(frames[1].trust, Trust::Scan);
        assert_eq!(frames[1].return_slot, Some(0x10_0008));
    }

    #[test]
    fn a_guarded_call_is_what_it_is_without_the_guard() {
        let mut pe = PeBuilder::x64();
        pe.guard(0x118);
        // call [__guard_dispatch_icall_fptr]: whatever is in rax
        pe.put(0x1000, &[0xFF, 0x15, 0x02, 0x61, 0, 0]);
        // mov rax,[0x7000]; call [__guard_dispatch_icall_fptr]
        pe.put(0x1010, &[0x48, 0x8B, 0x05, 0xE9, 0x5F, 0, 0, 0xFF, 0x15, 0xEB, 0x60, 0, 0]);
        let (base, size) = (PeBuilder::BASE, PeBuilder::SIZE);
        let file = Synth::new(Cpu::Amd64)
            .module(base, 0x1_0000, "app.exe", [1, 0, 0, 0])
            .memory(base, pe.bytes())
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(base, size)]);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let kind = |rva: u64| scene.call_site(base + rva).map(|site| site.kind);
        assert_eq!(kind(0x1006), Some(CallKind::Memory));
        let slot = base + 0x7000;
        assert_eq!(kind(0x101D), Some(CallKind::Slot { slot, content: Some(0) }));
    }
}
