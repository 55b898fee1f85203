//! What a live frame keeps at an address of its stack, as far as its function's code shows.

use super::backwards::{grows, ours};
use super::frame::Frame;
use super::function_code;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::registers::{Provenance, Register};
use iced_x86::{
    Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register as Iced, UsedMemory,
};
use std::collections::BTreeSet;

/// Most bytes from the beginning of an array, or of an object, on a stack to a section in it.
const OBJECT: u64 = 0x1000;

/// Bytes of the widest read that copies are made with.
const WIDEST: u64 = 16;

/// A variable of a frame's function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Its address, or that of the array's element that it is counted from.
    pub address: u64,
    /// The instruction that shows it.
    pub instruction: u64,
}

/// A variable of the frame's function where a section of `size` bytes at `start` would be.
///
/// - situation: a section was a local of a function that has returned, or of a block that has ended; what lies there now is another's.
/// - example: `movsd xmm0, [rsp+48h]` in the function whose frame the address lies in, where rsp+48h is the section's +8; an array that is
///   read by index, below the section, and nothing in between whose address is taken.
/// - handling: x64: accesses of memory relative to the stack pointer behind the prologue, or to a frame pointer that the prologue sets;
///   nothing where the stack pointer is kept in another register too. Reads, and addresses taken, of what lies in the section: stores
///   may be those that clear an object, and an index may be counted from somewhere else. Where the function takes the section's own address, a
///   section may be there; where it takes that of an object that may be around it, too, if the object is copied, or if there is only an array.
/// - test: `a_frames_own_variables_are_seen`.
#[must_use]
pub fn inside(scene: Scene<'_, '_>, frame: &Frame, start: u64, size: u64) -> Option<Local> {
    (!scene.is_arm64() && frame.trust.is_exact()).then_some(())?;
    let code = function_code::whole_function(scene, frame.registers.ip())?;
    let end = code.iter().position(is_end_of_prologue)?.checked_add(1)?;
    let (prologue, body) = code.split_at_checked(end)?;
    (!code.iter().any(copies_stack_pointer)).then_some(())?;
    let has_frame_pointer =
        prologue.iter().any(sets_frame_pointer) || body.first().is_some_and(sets_frame_pointer);
    let registers = &frame.registers;
    let bases = Bases {
        sp: registers.sp().filter(|_| scene.dump.system.pointer_width == PointerWidth::Eight),
        fp: registers
            .get(Register::Rbp)
            .filter(|_| has_frame_pointer)
            .filter(|_| registers.provenance(Register::Rbp) != Provenance::AtLeast),
    };
    let mut factory = InstructionInfoFactory::new();
    let uses: Vec<Use> =
        body.iter().skip(1).filter_map(|one| bases.used(&mut factory, one)).collect();
    own(&uses, start, size).or_else(|| array_over(&uses, start)).map(|used| used.local)
}

/// The variable that is read, or whose address is taken, inside the section: not where the function takes the section's own address too,
/// nor where it reads all of an object that may have the section in it, which is copying it.
fn own(uses: &[Use], start: u64, size: u64) -> Option<&Use> {
    let is_taken = |used: &Use| used.how == How::Taken && used.local.address == start;
    (!uses.iter().any(is_taken)).then_some(())?;
    let inside = uses.iter().filter(|used| {
        let offset = used.local.address.checked_sub(start).filter(|offset| *offset < size);
        !used.is_indexed && used.how != How::Stored && offset.is_some()
    });
    let places: BTreeSet<u64> = inside.clone().map(|used| used.local.address).collect();
    let is_copied = may_be_object(uses, start) && covers(&places, start, size);
    inside.min_by_key(|used| used.local.instruction).filter(|_| !is_copied)
}

/// Whether reads of at most 16 bytes each at these places may read the whole section.
fn covers(places: &BTreeSet<u64>, start: u64, size: u64) -> bool {
    let ends = [start, start.saturating_add(size)];
    let mut marks: Vec<u64> = places.iter().copied().chain(ends).collect();
    marks.sort_unstable();
    marks.windows(2).all(|pair| matches!(pair, [left, right] if right.abs_diff(*left) <= WIDEST))
}

/// The array that reaches over an address: the nearest variable at or below it, when it is read by index and nothing below has its
/// address taken.
fn array_over(uses: &[Use], address: u64) -> Option<&Use> {
    let below = uses.iter().filter(|used| used.local.address <= address);
    let nearest = below.clone().map(|used| used.local.address).max()?;
    let is_near = address.saturating_sub(nearest) < OBJECT;
    let mut there = below.filter(|used| used.local.address == nearest);
    there
        .find(|used| used.is_indexed && used.how == How::Read)
        .filter(|_| is_near && !may_be_object(uses, address))
}

/// Whether the function takes the address of what begins here or not far below, in which a section may be.
fn may_be_object(uses: &[Use], start: u64) -> bool {
    let is_near =
        |used: &Use| start.checked_sub(used.local.address).is_some_and(|far| far < OBJECT);
    uses.iter().any(|used| used.how == How::Taken && is_near(used))
}

/// A place in the code that uses a variable of the frame.
#[derive(Debug, Clone, Copy)]
struct Use {
    local: Local,
    how: How,
    is_indexed: bool,
}

/// What is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Read,
    Stored,
    Taken,
}

/// What the stack pointer and the frame pointer are in the body of a function.
struct Bases {
    sp: Option<u64>,
    fp: Option<u64>,
}

impl Bases {
    /// The variable of the frame that an instruction uses.
    fn used(&self, factory: &mut InstructionInfoFactory, one: &Instruction) -> Option<Use> {
        let has_memory = (0..one.op_count()).any(|index| one.op_kind(index) == OpKind::Memory);
        has_memory.then_some(())?;
        let is_read = |used: &UsedMemory| {
            matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite)
        };
        let base = match ours(one.memory_base())? {
            Register::Rsp => self.sp?,
            Register::Rbp => self.fp?,
            _ => return None,
        };
        let address = base.wrapping_add(one.memory_displacement64());
        let how = if one.mnemonic() == Mnemonic::Lea {
            How::Taken
        } else if factory.info(one).used_memory().iter().any(is_read) {
            How::Read
        } else {
            How::Stored
        };
        let is_indexed = one.memory_index() != Iced::None;
        Some(Use { local: Local { address, instruction: one.ip() }, how, is_indexed })
    }
}

/// Another register than the frame pointer gets the stack pointer: `mov r11, rsp`.
fn copies_stack_pointer(one: &Instruction) -> bool {
    one.mnemonic() == Mnemonic::Mov
        && one.op0_kind() == OpKind::Register
        && one.op1_kind() == OpKind::Register
        && ours(one.op1_register()) == Some(Register::Rsp)
        && ours(one.op0_register()) != Some(Register::Rbp)
}

/// `sub rsp, n`.
fn is_end_of_prologue(one: &Instruction) -> bool {
    let of_stack =
        one.op0_kind() == OpKind::Register && ours(one.op0_register()) == Some(Register::Rsp);
    one.mnemonic() == Mnemonic::Sub && of_stack && grows(one).is_some()
}

/// `mov rbp, rsp`, `lea rbp, [rsp+n]`.
fn sets_frame_pointer(one: &Instruction) -> bool {
    let into =
        one.op0_kind() == OpKind::Register && ours(one.op0_register()) == Some(Register::Rbp);
    let from = match one.mnemonic() {
        Mnemonic::Mov if one.op1_kind() == OpKind::Register => one.op1_register(),
        Mnemonic::Lea => one.memory_base(),
        _ => Iced::None,
    };
    into && ours(from) == Some(Register::Rsp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    /// What the instructions use in a frame whose stack pointer is 0x1000, and whose frame pointer is 0x1080.
    fn uses(code: &[u8]) -> Vec<Use> {
        let bases = Bases { sp: Some(0x1000), fp: Some(0x1080) };
        let mut factory = InstructionInfoFactory::new();
        let code = Decoder::with_ip(64, code, 0x4000, DecoderOptions::NONE);
        code.into_iter().filter_map(|one| bases.used(&mut factory, &one)).collect()
    }

    #[test]
    fn a_frames_own_variables_are_seen() {
        // mov eax, [rsp+48h]; mov [rsp+50h], eax; lea rcx, [rbp-40h]; mov rdx, [rbp+rax*8-60h]; mov rax, [rbx+8]
        let found = uses(&[
            0x8B, 0x44, 0x24, 0x48, 0x89, 0x44, 0x24, 0x50, 0x48, 0x8D, 0x4D, 0xC0, 0x48, 0x8B,
            0x54, 0xC5, 0xA0, 0x48, 0x8B, 0x43, 0x08,
        ]);
        let seen: Vec<_> =
            found.iter().map(|used| (used.local.address, used.how, used.is_indexed)).collect();
        let expected = [
            (0x1048, How::Read, false),
            (0x1050, How::Stored, false),
            (0x1040, How::Taken, false),
            (0x1020, How::Read, true),
        ];
        assert_eq!(seen, expected);
        // An address is taken at 0x1040, so that from there on a section may be; below, the array reaches over 0x1030.
        assert_eq!(array_over(&found, 0x1030).map(|used| used.local.address), Some(0x1020));
        assert!(array_over(&found, 0x1044).is_none());
        assert!(own(&found, 0x1040, 0x28).is_none(), "its address is taken");
        // lea rcx, [rbp-70h]; mov rax, [rsp+40h]; mov rdx, [rsp+48h]; mov rsi, [rsp+58h]: an object may be copied.
        let copy =
            [0x48, 0x8D, 0x4D, 0x90, 0x48, 0x8B, 0x44, 0x24, 0x40, 0x48, 0x8B, 0x54, 0x24, 0x48];
        assert!(own(&uses(&copy), 0x1040, 0x28).is_some(), "two fields");
        let third = [0x48, 0x8B, 0x74, 0x24, 0x58];
        assert!(own(&uses(&[&copy[..], &third].concat()), 0x1040, 0x28).is_none());
        assert!(own(&uses(&[&copy[4..], &third].concat()), 0x1040, 0x28).is_some(), "no object");
        assert!(array_over(&found, 0x1020 + OBJECT).is_none(), "too far");
        // mov eax, [rsp+48h]: inside a section at 0x1038, and at 0x1048 itself.
        let read = uses(&[0x8B, 0x44, 0x24, 0x48]);
        let address = |start| own(&read, start, 0x28).map(|used| used.local.address);
        assert_eq!([0x1038, 0x1048, 0x1049].map(address), [Some(0x1048), Some(0x1048), None]);
        // The same by index may be counted from behind it; a store may clear it.
        assert!(own(&uses(&[0x8B, 0x44, 0x8C, 0x48]), 0x1038, 0x28).is_none());
        assert!(own(&uses(&[0x89, 0x44, 0x24, 0x48]), 0x1038, 0x28).is_none());
        let with_object = uses(&[0x48, 0x8D, 0x4D, 0x90, 0x48, 0x8B, 0x54, 0xC5, 0xA0]);
        assert!(array_over(&with_object, 0x1030).is_none(), "an object around the array");
        let store = uses(&[0x48, 0x89, 0x54, 0xC5, 0xA0]);
        assert!(array_over(&store, 0x1030).is_none(), "only stored to");
    }
}
