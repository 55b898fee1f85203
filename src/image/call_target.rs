//! The call before a return address, and what it calls.
//!
//! Without unwind records (x86) this is what names a frame's callee exactly, and on x64 it is the
//! cross-check (critical-sections.md 0.1 and 5, step 4).

use super::images::Images;
use super::imports::{Import, ImportSymbol};
use super::registers::Register;
use crate::dump::memory::PointerWidth;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind};

/// Most jumps that are followed from a call's target.
pub(crate) const MAX_HOPS: usize = 4;
/// Longest instruction in bytes.
const MAX_INSTRUCTION: usize = 15;

/// A call instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSite {
    /// Address of its first byte.
    pub call_address: u64,
    /// Its length in bytes.
    pub length: u8,
    /// What it calls.
    pub kind: CallKind,
}

/// What a call instruction calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallKind {
    /// `E8`: the target's address.
    Direct(u64),
    /// `FF 15`: through a pointer at a fixed address.
    Slot {
        /// Address of the pointer.
        slot: u64,
        /// The pointer, when the dump holds it.
        content: Option<u64>,
    },
    /// `FF D0` to `FF D7`, with a prefix for r8 to r15: the address in a register.
    Register(Register),
    /// Any other: a pointer that is found through registers, as in a table of virtual functions.
    Memory,
}

/// Where a call ends up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The target, and each address a jump there leads to; never empty.
    pub trail: Vec<u64>,
    /// The slot of the last jump, when the dump does not hold its content.
    pub open_slot: Option<u64>,
    /// The slot of the first jump through one.
    pub first_slot: Option<u64>,
}

/// The name of what a call calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callee {
    /// An export begins exactly at the target or at the end of a jump from there.
    Export {
        /// The export's name.
        name: String,
        /// Where it begins.
        address: u64,
        /// Base address of its module.
        module_base: u64,
    },
    /// The caller's import table names the slot.
    Import(Import),
}

impl Callee {
    /// The function's name, when there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Export { name, .. } => Some(name),
            Self::Import(Import { symbol: ImportSymbol::Name(name), .. }) => Some(name),
            Self::Import(_) => None,
        }
    }
}

/// The call that ends exactly at `return_address`; `None` when no bytes there form one.
///
/// Situation: instructions cannot be decoded backwards; several lengths may form a call.
/// Example: `41 FF D0` is `call r8` and its last two bytes are `call rax`.
/// Handling: all lengths from 2 to 8 are tried. A call through a slot inside an image wins, then a direct
///   one to code of an image, then through a register, then through memory, then the rest; within one
///   kind the longest wins.
/// Test: `prefers_what_the_images_confirm`.
#[must_use]
pub fn call_site(
    images: &Images<'_, '_>,
    return_address: u64,
    width: PointerWidth,
) -> Option<CallSite> {
    let candidates =
        (2..=8).rev().filter_map(|length| candidate(images, return_address, length, width));
    candidates.min_by_key(|found| rank(images, found.kind))
}

fn rank(images: &Images<'_, '_>, kind: CallKind) -> u8 {
    match kind {
        CallKind::Slot { slot, .. } if images.module_at(slot).is_some() => 0,
        CallKind::Direct(target) if images.may_be_code(target) => 1,
        CallKind::Register(_) => 2,
        CallKind::Memory => 3,
        CallKind::Slot { .. } | CallKind::Direct(_) => 4,
    }
}

fn candidate(
    images: &Images<'_, '_>,
    return_address: u64,
    length: u8,
    width: PointerWidth,
) -> Option<CallSite> {
    let call_address = return_address.checked_sub(u64::from(length))?;
    let code = images.space().read_up_to(call_address, usize::from(length));
    if !begins_like_a_call(&code, width) {
        return None;
    }
    let instruction = decode(&code, call_address, width)?;
    if instruction.len() != usize::from(length) {
        return None;
    }
    let kind = match instruction.flow_control() {
        FlowControl::Call if instruction.op0_kind() != OpKind::FarBranch32 => {
            CallKind::Direct(instruction.near_branch_target())
        }
        FlowControl::IndirectCall => indirect(images, &instruction, width)?,
        _ => return None,
    };
    Some(CallSite { call_address, length, kind })
}

/// Situation: a byte before a call can be its prefix or the end of the instruction before it.
/// Example: `64 FF 50 18`, where 64 is the end of a displacement and no `fs:`.
/// Handling: only what compilers emit counts, `E8`, or `FF` with at most one REX prefix.
/// Test: `knows_the_forms_of_a_call`.
fn begins_like_a_call(code: &[u8], width: PointerWidth) -> bool {
    match code {
        [0xE8 | 0xFF, ..] => true,
        [0x40..=0x4F, 0xFF, ..] => width == PointerWidth::Eight,
        _ => false,
    }
}

fn indirect(
    images: &Images<'_, '_>,
    instruction: &Instruction,
    width: PointerWidth,
) -> Option<CallKind> {
    if instruction.is_call_far_indirect() {
        return None;
    }
    match instruction.op0_kind() {
        OpKind::Register => register(instruction.op0_register(), width).map(CallKind::Register),
        OpKind::Memory => Some(match slot(instruction) {
            Some(slot) => CallKind::Slot { slot, content: images.space().pointer(slot, width) },
            None => CallKind::Memory,
        }),
        _ => None,
    }
}

/// The fixed address that a memory operand names: `[rip+d]` on x64, `[d]` on x86.
fn slot(instruction: &Instruction) -> Option<u64> {
    use iced_x86::Register as R;
    let is_fixed = matches!(instruction.memory_base(), R::RIP | R::None)
        && instruction.memory_index() == R::None
        && matches!(instruction.segment_prefix(), R::None);
    is_fixed.then(|| instruction.memory_displacement64())
}

fn register(found: iced_x86::Register, width: PointerWidth) -> Option<Register> {
    let fits = match width {
        PointerWidth::Four => found.is_gpr32(),
        PointerWidth::Eight => found.is_gpr64(),
    };
    fits.then(|| u8::try_from(found.number()).ok().and_then(Register::from_number)).flatten()
}

fn decode(code: &[u8], ip: u64, width: PointerWidth) -> Option<Instruction> {
    let bitness = if width == PointerWidth::Four { 32 } else { 64 };
    let mut decoder = Decoder::with_ip(bitness, code, ip, DecoderOptions::NONE);
    decoder.can_decode().then(|| decoder.decode()).filter(|instruction| !instruction.is_invalid())
}

/// Follows the jumps that begin at `target`: import thunks (`FF 25`) and linker thunks (`E9`, `EB`).
#[must_use]
pub fn resolve(images: &Images<'_, '_>, target: u64, width: PointerWidth) -> Resolution {
    let (mut trail, mut first_slot) = (vec![target], None);
    let mut at = target;
    for _ in 0..MAX_HOPS {
        let code = images.space().read_up_to(at, MAX_INSTRUCTION);
        let Some(jump) = decode(&code, at, width) else { break };
        let next = match jump.flow_control() {
            FlowControl::UnconditionalBranch if jump.op0_kind() != OpKind::FarBranch32 => {
                jump.near_branch_target()
            }
            FlowControl::IndirectBranch if jump.op0_kind() == OpKind::Memory => {
                let Some(slot) = slot(&jump) else { break };
                first_slot = first_slot.or(Some(slot));
                match images.space().pointer(slot, width) {
                    Some(content) => content,
                    None => return Resolution { trail, open_slot: Some(slot), first_slot },
                }
            }
            _ => break,
        };
        trail.push(next);
        at = next;
    }
    Resolution { trail, open_slot: None, first_slot }
}

/// Names what `call` calls: by an export that begins exactly where it leads, else by the import table of
/// the module that holds the slot. `None` for a call through a register or memory, and for a function
/// that is not exported.
///
/// Situation: a call passes thunks, some of them exported under a name of their own, and may end in a hook.
/// Example: `E8` to an import thunk, its slot to kernel32, from there a jump to ntdll.
/// Handling: the last address of the trail that is an export's start names the callee.
/// Test: `the_last_export_of_the_trail_names_the_callee`.
#[must_use]
pub fn callee(images: &Images<'_, '_>, call: &CallSite, width: PointerWidth) -> Option<Callee> {
    let (target, slot) = match call.kind {
        CallKind::Direct(target) => (Some(target), None),
        CallKind::Slot { slot, content } => (content, Some(slot)),
        CallKind::Register(_) | CallKind::Memory => return None,
    };
    named(images, target.map(|target| resolve(images, target, width)), slot)
}

/// Names a call by where it leads, and by the slot it goes through.
pub(crate) fn named(
    images: &Images<'_, '_>,
    resolution: Option<Resolution>,
    slot: Option<u64>,
) -> Option<Callee> {
    let export = resolution.iter().flat_map(|found| found.trail.iter().rev()).find_map(|address| {
        let module = images.module_at(*address)?;
        let name = module.export_at(*address)?;
        Some(Callee::Export { name, address: *address, module_base: module.base })
    });
    export.or_else(|| {
        let (open, first) =
            resolution.map_or((None, None), |found| (found.open_slot, found.first_slot));
        let slot = open.or(slot).or(first)?;
        images.module_at(slot)?.import_at(slot).map(Callee::Import)
    })
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::image::fixtures::PeBuilder;
    use proptest::prelude::*;

    const BASE: u64 = PeBuilder::BASE;
    const RETURN: usize = 0x1100;

    fn site(before: &[u8]) -> Option<CallSite> {
        let mut pe = PeBuilder::x64();
        pe.put(RETURN - before.len(), before);
        let bytes = pe.bytes();
        let space = PeBuilder::space(&bytes);
        let images = Images::new(&space, [(BASE, PeBuilder::SIZE)]);
        call_site(&images, BASE + RETURN as u64, PointerWidth::Eight)
    }

    fn kind(before: &[u8]) -> Option<CallKind> {
        site(before).map(|found| found.kind)
    }

    #[test]
    fn knows_the_forms_of_a_call() {
        assert_eq!(kind(&[0xE8, 0, 1, 0, 0]), Some(CallKind::Direct(BASE + 0x1200)));
        let slot = CallKind::Slot { slot: BASE + 0x3100, content: Some(0) };
        assert_eq!(kind(&[0xFF, 0x15, 0, 0x20, 0, 0]), Some(slot));
        assert_eq!(kind(&[0xFF, 0xD6]), Some(CallKind::Register(Register::Rsi)));
        assert_eq!(kind(&[0x41, 0xFF, 0xD4]), Some(CallKind::Register(Register::R12)));
        assert_eq!(kind(&[0xFF, 0x50, 0x18]), Some(CallKind::Memory));
        assert_eq!(kind(&[0x41, 0xFF, 0x94, 0x24, 0, 1, 0, 0]), Some(CallKind::Memory));
        assert_eq!(site(&[0x64, 0xFF, 0x50, 0x18]).map(|found| found.length), Some(3));
        assert_eq!(kind(&[0xFF, 0xE0]), None, "a jump");
        assert_eq!(kind(&[0x90, 0x90]), None);
    }

    #[test]
    fn prefers_what_the_images_confirm() {
        // The displacement ends in the bytes of `call rax`, and its target is outside every image.
        let found = site(&[0xE8, 0, 0, 0xFF, 0xD0]).unwrap();
        assert_eq!(found.kind, CallKind::Register(Register::Rax));
        // A slot in the image beats both.
        let found = site(&[0xFF, 0x15, 0xE8, 0x1E, 0, 0]).unwrap();
        assert!(matches!(found.kind, CallKind::Slot { .. }));
        assert_eq!((found.length, found.call_address), (6, BASE + 0x10FA));
    }

    #[test]
    fn a_32_bit_slot_is_absolute() {
        let mut pe = PeBuilder::x86();
        let slot = (BASE as u32).to_le_bytes();
        pe.put(RETURN - 6, &[0xFF, 0x15, slot[0], slot[1], slot[2], slot[3]]);
        let bytes = pe.bytes();
        let space = PeBuilder::space(&bytes);
        let images = Images::new(&space, [(BASE, PeBuilder::SIZE)]);
        let found = call_site(&images, BASE + RETURN as u64, PointerWidth::Four).unwrap();
        let expected = CallKind::Slot { slot: 0x4000_0000, content: None };
        assert_eq!(found.kind, expected);
    }

    #[test]
    fn follows_thunks_and_stops_at_a_slot_outside_the_dump() {
        let mut pe = PeBuilder::x64();
        pe.put(0x1200, &[0xE9, 0xFB, 0, 0, 0]);
        pe.put(0x1300, &[0xFF, 0x25, 0, 0xFF, 0, 0]);
        pe.put(0x1400, &[0xEB, 0xFE]);
        let bytes = pe.bytes();
        let space = PeBuilder::space(&bytes);
        let images = Images::new(&space, [(BASE, PeBuilder::SIZE)]);
        let found = resolve(&images, BASE + 0x1200, PointerWidth::Eight);
        assert_eq!(found.trail, [BASE + 0x1200, BASE + 0x1300]);
        assert_eq!(found.open_slot, Some(BASE + 0x1_1206));
        let endless = resolve(&images, BASE + 0x1400, PointerWidth::Eight);
        assert_eq!(endless.trail.len(), 1 + MAX_HOPS);
    }

    #[test]
    fn the_last_export_of_the_trail_names_the_callee() {
        let mut pe = PeBuilder::x64();
        pe.exports(&[(0x1200, "Thunk"), (0x1300, "Real")]);
        pe.put(0x1200, &[0xE9, 0xFB, 0, 0, 0]);
        pe.put(0x1300, &[0xE9, 0xFB, 0, 0, 0]);
        pe.put(0x1400, &[0xC3]);
        pe.put(0x1600, &[0xFF, 0x25, 0xFA, 0x59, 0, 0]);
        pe.imports("a.dll", "Leave");
        let bytes = pe.bytes();
        let width = PointerWidth::Eight;
        let name = |kind, bytes: &[u8]| {
            let space = PeBuilder::space(bytes);
            let images = Images::new(&space, [(BASE, PeBuilder::SIZE)]);
            let call = CallSite { call_address: BASE, length: 5, kind };
            callee(&images, &call, width).and_then(|found| found.name().map(str::to_owned))
        };
        let direct = |rva| CallKind::Direct(BASE + rva);
        assert_eq!(name(direct(0x1200), &bytes).as_deref(), Some("Real"));
        assert_eq!(name(direct(0x1400), &bytes), None);
        assert_eq!(name(CallKind::Memory, &bytes), None);
        // The slot at 0x7000 holds 0, then is not in the dump at all: its lookup entry names it.
        let slot = CallKind::Slot { slot: BASE + 0x7000, content: Some(0) };
        assert_eq!(name(slot, &bytes).as_deref(), Some("Leave"));
        assert_eq!(name(direct(0x1600), &bytes[..0x7000]).as_deref(), Some("Leave"));
        // The same thunk, its slot filled with the address of a module whose exports are not in the dump.
        let mut bytes = bytes;
        bytes[0x7000..0x7008].copy_from_slice(&0x7FFB_5A2E_1000_u64.to_le_bytes());
        assert_eq!(name(direct(0x1600), &bytes).as_deref(), Some("Leave"));
    }

    proptest! {
        /// Whatever stands before a return address, a call found there ends exactly at it.
        #[test]
        fn a_call_ends_at_the_return_address(before in prop::collection::vec(any::<u8>(), 8)) {
            if let Some(found) = site(&before) {
                prop_assert_eq!(found.call_address + u64::from(found.length), BASE + RETURN as u64);
            }
        }
    }
}
