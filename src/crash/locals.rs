//! What a live frame keeps at an address of its stack, as far as its function's code shows.

use super::backwards::{grows, ours};
use super::call_site;
use super::frame::Frame;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::registers::{Provenance, Register};
use iced_x86::{
    Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register as Iced, UsedMemory,
};

/// Most bytes from the beginning of an object on a stack to a section in it.
const OBJECT: u64 = 0x1000;

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
/// - handling: accesses of memory relative to the stack pointer behind the prologue, or to a frame pointer that the prologue sets. Nobody
///   reads the fields of a section himself, nor takes their addresses; stores may be those that clear an object. A section's own
///   address, or that of an object around it, is taken.
/// - test: `a_frames_own_variables_are_seen`.
#[must_use]
pub fn inside(scene: Scene<'_, '_>, frame: &Frame, start: u64, size: u64) -> Option<Local> {
    (!scene.is_arm64() && frame.trust.is_exact()).then_some(())?;
    let code = call_site::whole_function(scene, frame.registers.ip())?;
    let end = code.iter().position(is_end_of_prologue).map_or(0, |at| at.saturating_add(1));
    let (prologue, body) = code.split_at_checked(end)?;
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
    let own = uses.iter().find(|used| {
        let offset = used.local.address.checked_sub(start).filter(|offset| *offset < size);
        offset.is_some_and(|offset| match used.how {
            How::Read => true,
            How::Taken => offset > 0,
            How::Stored => false,
        })
    });
    own.or_else(|| array_over(&uses, start)).map(|used| used.local)
}

/// The array that reaches over an address: the nearest variable at or below it, when it is read by index and nothing below it has its
/// address taken.
fn array_over(uses: &[Use], address: u64) -> Option<&Use> {
    let below = || uses.iter().filter(|used| used.local.address <= address);
    let is_near = |used: &&Use| address.saturating_sub(used.local.address) < OBJECT;
    let nearest = below().max_by_key(|used| used.local.address)?;
    let has_taken = below().filter(is_near).any(|used| used.how == How::Taken);
    (nearest.is_indexed && !has_taken).then_some(nearest)
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

/// `sub rsp, n`, and on x86 also `mov ebp, esp`.
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
        // The array is the nearest variable below 0x1030, and nothing below has its address taken.
        assert_eq!(array_over(&found, 0x1030).map(|used| used.local.address), Some(0x1020));
        assert!(
            array_over(&found, 0x1044).is_none(),
            "what begins at 0x1040 has its address taken"
        );
        let with_object = uses(&[0x48, 0x8D, 0x4D, 0x90, 0x48, 0x8B, 0x54, 0xC5, 0xA0]);
        assert!(
            array_over(&with_object, 0x1030).is_none(),
            "an object around the array may have the section"
        );
    }
}
