//! Recognises an x64 epilogue by its instructions.
//!
//! "x64 prolog and epilog" (learn.microsoft.com/cpp/build): an epilogue is an optional `add rsp, n` or
//! `lea rsp, [frame register + d]`, then pops, then `ret` or a jump out of the function. Unwind codes
//! describe the state before it, so an address inside must be unwound by what is left of it.

use super::pe::Image;
use super::registers::Register;
use super::runtime_functions::{RuntimeFunction, primary_function};
use super::unwind_x64::Undo;
use crate::dump::memory::AddressSpace;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind};

/// Most instructions of an epilogue: one that moves the stack pointer, one pop for each of the 16
/// registers, the return.
const MAX_INSTRUCTIONS: usize = 18;
/// Most bytes read for them; instructions of an epilogue have at most 8 bytes.
const MAX_BYTES: usize = 144;

/// What is left to undo when `ip` is in an epilogue of the function at `entry`, without the return
/// itself; `None` when it is not, or when its code is not in the dump.
pub(crate) fn decode(
    space: &AddressSpace<'_>,
    image: &Image,
    ip: u64,
    frame: Option<(Register, u32)>,
    entry: RuntimeFunction,
) -> Option<Vec<Undo>> {
    let code = space.read_up_to(ip, MAX_BYTES);
    let mut decoder = Decoder::with_ip(64, &code, ip, DecoderOptions::NONE);
    let mut undo = Vec::new();
    for index in 0..MAX_INSTRUCTIONS {
        if !decoder.can_decode() {
            return None;
        }
        let instruction = decoder.decode();
        match instruction.mnemonic() {
            Mnemonic::Ret => return Some(undo),
            Mnemonic::Jmp => {
                let leaves = leaves_function(space, image, &instruction, entry, index > 0);
                return leaves.then_some(undo);
            }
            Mnemonic::Pop => match pop(&instruction) {
                Some(step) => undo.push(step),
                None => return None,
            },
            Mnemonic::Add | Mnemonic::Lea if index == 0 => match release(&instruction, frame) {
                Some(step) => undo.push(step),
                None => return None,
            },
            _ => return None,
        }
    }
    None
}

fn pop(instruction: &Instruction) -> Option<Undo> {
    (instruction.op0_kind() == OpKind::Register)
        .then(|| general(instruction.op0_register()))
        .flatten()
        .map(Undo::Pop)
}

/// `add rsp, n` or `lea rsp, [frame register + d]`.
fn release(instruction: &Instruction, frame: Option<(Register, u32)>) -> Option<Undo> {
    if instruction.op0_kind() != OpKind::Register
        || instruction.op0_register() != iced_x86::Register::RSP
    {
        return None;
    }
    if instruction.mnemonic() == Mnemonic::Add {
        let is_immediate =
            matches!(instruction.op1_kind(), OpKind::Immediate8to64 | OpKind::Immediate32to64);
        return is_immediate.then(|| Undo::Release(instruction.immediate(1)));
    }
    let base = general(instruction.memory_base())?;
    let is_frame = frame.is_some_and(|(register, _)| register == base);
    let is_plain = instruction.memory_index() == iced_x86::Register::None;
    let displacement = instruction.memory_displacement64().cast_signed();
    (is_frame && is_plain).then_some(Undo::StackFromRegister(base, displacement))
}

/// Whether a jump ends the function.
///
/// Situation: a jump is a tail call or a branch inside the function, whose parts may lie far apart.
/// Example: the cold part of RtlLeaveCriticalSection jumps back to the hot part with its frame standing.
/// Handling: a direct target with the same primary entry is a branch unless it is that entry itself; an
///   indirect jump counts as a tail call through memory, or through a register after a pop or release;
///   where the table is not in the dump, a jump counts only after a pop or release.
/// Test: `a_jump_inside_the_function_is_no_epilogue`.
fn leaves_function(
    space: &AddressSpace<'_>,
    image: &Image,
    jump: &Instruction,
    entry: RuntimeFunction,
    is_after_release: bool,
) -> bool {
    match jump.flow_control() {
        FlowControl::UnconditionalBranch => {
            let Some(target) = image.rva(jump.near_branch_target()) else { return true };
            let own = primary_function(space, image, entry.begin_address);
            let other = primary_function(space, image, target);
            match (own, other) {
                (Ok(own), Ok(other)) => own != other || own == Some(target),
                _ => is_after_release,
            }
        }
        FlowControl::IndirectBranch => {
            let is_slot = jump.op0_kind() == OpKind::Memory
                && matches!(jump.memory_base(), iced_x86::Register::RIP | iced_x86::Register::None)
                && jump.memory_index() == iced_x86::Register::None;
            is_slot || is_after_release
        }
        _ => false,
    }
}

/// The 64-bit general-purpose register of the decoder's name for it.
pub(crate) fn general(register: iced_x86::Register) -> Option<Register> {
    if !register.is_gpr64() {
        return None;
    }
    u8::try_from(register.number()).ok().and_then(Register::from_number)
}
