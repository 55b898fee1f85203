//! How the caller formed the lock function's argument: the section's address, and a name for it.
//!
//! The instructions before the call are followed backwards from the argument's register (or push) to
//! something whose value is known at the call: a constant, a nonvolatile register, the stack pointer
//! (critical-sections.md 5, point 4).

use super::call_site_arm64;
use super::stack::Scene;
use crate::dump::memory::{AddressSpace, PointerWidth};
use crate::image::registers::{Provenance, Register, RegisterFile};
use crate::image::runtime_functions;
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory,
    InstructionInfoOptions, Mnemonic, OpAccess, OpKind, Register as Iced,
};
use std::collections::HashSet;

/// Most bytes of code looked at before a call.
const WINDOW: u64 = 256;
/// Most instructions followed backwards.
const MAX_STEPS: usize = 96;

/// Where an argument's value starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// An address in the code itself: a global.
    Constant(u64),
    /// A register of the caller.
    Register(Register),
}

/// An argument as the caller computed it: the base, then displacements with a memory read between each two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Where it starts.
    pub base: Base,
    /// `[d0]` is base + d0; `[d0, d1]` is *(base + d0) + d1, and so on.
    pub displacements: Vec<i64>,
}

impl Argument {
    /// The argument's value with the caller's registers.
    #[must_use]
    pub fn evaluate(&self, memory: &AddressSpace<'_>, registers: &RegisterFile) -> Option<u64> {
        let width = registers.width();
        let mut value = match self.base {
            Base::Constant(address) => address,
            // Nothing can be counted from a stack pointer that is not known exactly.
            Base::Register(register) => registers
                .get(register)
                .filter(|_| registers.provenance(register) != Provenance::AtLeast)?,
        };
        for (index, displacement) in self.displacements.iter().enumerate() {
            if index > 0 {
                value = memory.pointer(value, width)?;
            }
            value = width.truncate(value.wrapping_add_signed(*displacement));
        }
        Some(value)
    }

    /// The displacement of the section inside the object that holds it, when the caller shows one.
    #[must_use]
    pub fn member_offset(&self) -> Option<u64> {
        let last = self.displacements.last().copied()?;
        let of_object = self.displacements.len() > 1
            || matches!(self.base, Base::Register(register) if !is_frames(register));
        (of_object && last > 0).then(|| last.unsigned_abs())
    }

    /// Whether the value rests on nothing but the code: no register and no memory can have changed it.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self.base, Base::Constant(_)) && self.displacements.len() <= 1
    }
}

/// Whether a register leads into the frame: the stack pointer or the frame pointer.
fn is_frames(register: Register) -> bool {
    register.is_stack_pointer() || register == Register::Rbp || register == Register::FP
}

/// Reads how the argument of the call that ends at `return_address` was formed.
#[must_use]
pub fn argument(scene: Scene<'_, '_>, return_address: u64, call_address: u64) -> Option<Argument> {
    if scene.is_arm64() {
        return call_site_arm64::argument(scene, call_address);
    }
    let width = scene.dump.system.pointer_width;
    let instructions = before(scene, call_address, return_address)?;
    let run = straight(&instructions, call_address);
    match width {
        PointerWidth::Eight => trace(run, Iced::RCX, width),
        PointerWidth::Four => pushed(run),
    }
}

/// Of the instructions before a call, last first, those that surely ran before it.
///
/// - situation: the instruction that seems to load the argument belongs to another way to the call, or to another
///   function: without unwind data nothing says where this one begins.
/// - example: a function that passes its own argument on; the function before it ends in `lea rcx, …`, `jmp`.
/// - handling: nothing before a return, a jump or a trap, and nothing before the target of a branch, is followed.
/// - test: `an_argument_does_not_come_from_another_function`.
fn straight(instructions: &[Instruction], call: u64) -> &[Instruction] {
    let targets: HashSet<u64> = instructions
        .iter()
        .filter(|instruction| is_branch(instruction))
        .map(Instruction::near_branch_target)
        .collect();
    if targets.contains(&call) {
        return &[];
    }
    let ends = |instruction: &Instruction| {
        matches!(
            instruction.flow_control(),
            FlowControl::Return
                | FlowControl::UnconditionalBranch
                | FlowControl::IndirectBranch
                | FlowControl::Interrupt
                | FlowControl::Exception
        )
    };
    let mut len = 0usize;
    for instruction in instructions.iter().take_while(|instruction| !ends(instruction)) {
        len = len.saturating_add(1);
        if targets.contains(&instruction.ip()) {
            break;
        }
    }
    instructions.get(..len).unwrap_or_default()
}

fn is_branch(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
    )
}

/// The import slot that a call through a register goes through.
///
/// - situation: the caller loads an import into a register and calls that.
/// - example: `mov eax, [__imp__LeaveCriticalSection]`, `call eax`; at -O2 the load may stand far before the call.
/// - handling: the nearest load of the register before the call counts, when it reads a fixed address.
/// - test: `a_call_through_a_register_is_named` (tests/accuracy).
#[must_use]
pub fn called_slot(
    scene: Scene<'_, '_>,
    return_address: u64,
    call_address: u64,
    register: Register,
) -> Option<u64> {
    let instructions = before(scene, call_address, return_address)?;
    let mut factory = InstructionInfoFactory::new();
    let load = instructions.iter().find(|instruction| {
        written(&mut factory, instruction).iter().any(|written| ours(*written) == Some(register))
    })?;
    let is_load = load.mnemonic() == Mnemonic::Mov && load.op1_kind() == OpKind::Memory;
    is_load.then_some(())?;
    match memory_operand(load, scene.dump.system.pointer_width)? {
        (Place::Constant(slot), 0) => Some(slot),
        _ => None,
    }
}

/// The instructions that run up to the call, last first. The function's start (x64) or the earliest start
/// from which decoding meets the call (x86: code falls into step after a few instructions) fixes them.
fn before(scene: Scene<'_, '_>, call: u64, return_address: u64) -> Option<Vec<Instruction>> {
    let from_function = function_start(scene, return_address)
        .filter(|start| call.checked_sub(*start).is_some_and(|distance| distance <= 0x1_0000))
        .and_then(|start| decode_run(scene, start.max(call.saturating_sub(0x4000)), call));
    from_function.or_else(|| {
        let earliest = call.saturating_sub(WINDOW);
        let mut starts = (earliest..call).take_while(|_| scene.flows.spend(1));
        starts.find_map(|start| decode_run(scene, start, call))
    })
}

fn function_start(scene: Scene<'_, '_>, return_address: u64) -> Option<u64> {
    let image = scene.images.image_at(return_address.checked_sub(1)?)?;
    let rva = image.rva(return_address.checked_sub(1)?)?;
    let entry = runtime_functions::lookup(&scene.dump.memory, image, rva).ok()??;
    image.address(entry.begin_address)
}

fn decode_run(scene: Scene<'_, '_>, start: u64, call: u64) -> Option<Vec<Instruction>> {
    let len = usize::try_from(call.checked_sub(start)?).ok()?;
    let bytes = scene.dump.memory.read_up_to(start, len);
    (bytes.len() == len).then_some(())?;
    let bits = match scene.dump.system.pointer_width {
        PointerWidth::Four => 32,
        PointerWidth::Eight => 64,
    };
    let mut decoder = Decoder::with_ip(bits, &bytes, start, DecoderOptions::NONE);
    let mut run = Vec::new();
    while decoder.ip() < call {
        let instruction = decoder.decode();
        if instruction.is_invalid() || !scene.flows.spend(1) {
            return None;
        }
        run.push(instruction);
    }
    run.reverse();
    run.truncate(MAX_STEPS);
    Some(run)
}

/// x86: the last word put on top of the stack before the call.
fn pushed(instructions: &[Instruction]) -> Option<Argument> {
    for (index, instruction) in instructions.iter().enumerate() {
        let rest = instructions.get(index.checked_add(1)?..)?;
        match instruction.mnemonic() {
            Mnemonic::Push => return operand(instruction, 0, rest),
            Mnemonic::Mov if is_top_of_stack(instruction) => return operand(instruction, 1, rest),
            _ if instruction.flow_control() != FlowControl::Next => return None,
            _ => {}
        }
    }
    None
}

fn is_top_of_stack(instruction: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Memory
        && instruction.memory_base() == Iced::ESP
        && instruction.memory_index() == Iced::None
        && instruction.memory_displacement64() == 0
}

/// The value of an operand that was pushed or stored.
fn operand(instruction: &Instruction, index: u32, before: &[Instruction]) -> Option<Argument> {
    match instruction.op_kind(index) {
        OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate8to32 => Some(Argument {
            base: Base::Constant(instruction.immediate(index) & u64::from(u32::MAX)),
            displacements: vec![0],
        }),
        OpKind::Register => trace(before, instruction.op_register(index), PointerWidth::Four),
        OpKind::Memory => {
            let (base, displacement) = memory_operand(instruction, PointerWidth::Four)?;
            follow(before, base, vec![displacement, 0], PointerWidth::Four)
        }
        _ => None,
    }
}

fn trace(before: &[Instruction], register: Iced, width: PointerWidth) -> Option<Argument> {
    follow(before, Place::Register(register), vec![0], width)
}

#[derive(Clone, Copy)]
enum Place {
    Constant(u64),
    Register(Iced),
}

/// Follows a value backwards through the instructions that made it.
fn follow(
    before: &[Instruction],
    place: Place,
    mut displacements: Vec<i64>,
    width: PointerWidth,
) -> Option<Argument> {
    let mut place = place;
    let mut later_writes: HashSet<Iced> = HashSet::new();
    let mut factory = InstructionInfoFactory::new();
    for instruction in before {
        let Place::Register(wanted) = place else { break };
        if is_stable(wanted, width) {
            break;
        }
        let writes = written(&mut factory, instruction);
        if writes.contains(&full(wanted)) {
            let (source, displacement, is_read) = source_of(instruction, wanted, width)?;
            merge(&mut displacements, displacement, is_read)?;
            if let Place::Register(register) = source
                && later_writes.contains(&full(register))
            {
                return None;
            }
            place = source;
        }
        later_writes.extend(writes);
    }
    let base = match place {
        Place::Constant(address) => Base::Constant(address),
        Place::Register(register) if is_stable(register, width) => Base::Register(ours(register)?),
        Place::Register(_) => return None,
    };
    Some(Argument { base, displacements })
}

/// Puts a displacement before those found so far, with a read of memory behind it or without.
pub(super) fn merge(displacements: &mut Vec<i64>, displacement: i64, is_read: bool) -> Option<()> {
    if is_read {
        displacements.insert(0, displacement);
    } else {
        let first = displacements.first_mut()?;
        *first = first.wrapping_add(displacement);
    }
    Some(())
}

/// What an instruction that writes `wanted` puts there: a place, a displacement, and whether it is read
/// from memory.
fn source_of(
    instruction: &Instruction,
    wanted: Iced,
    width: PointerWidth,
) -> Option<(Place, i64, bool)> {
    let into_wanted = instruction.op0_kind() == OpKind::Register
        && full(instruction.op0_register()) == full(wanted);
    into_wanted.then_some(())?;
    match (instruction.mnemonic(), instruction.op1_kind()) {
        (Mnemonic::Lea, OpKind::Memory) => {
            let (place, displacement) = memory_operand(instruction, width)?;
            Some((place, displacement, false))
        }
        (Mnemonic::Mov, OpKind::Register) => {
            Some((Place::Register(instruction.op1_register()), 0, false))
        }
        (Mnemonic::Mov, OpKind::Memory) => {
            let (place, displacement) = memory_operand(instruction, width)?;
            Some((place, displacement, true))
        }
        (Mnemonic::Mov, _) => Some((Place::Constant(instruction.immediate(1)), 0, false)),
        (Mnemonic::Add, kind) if kind != OpKind::Register && kind != OpKind::Memory => {
            Some((Place::Register(wanted), instruction.immediate(1).cast_signed(), false))
        }
        (Mnemonic::Sub, kind) if kind != OpKind::Register && kind != OpKind::Memory => Some((
            Place::Register(wanted),
            instruction.immediate(1).cast_signed().wrapping_neg(),
            false,
        )),
        _ => None,
    }
}

fn memory_operand(instruction: &Instruction, width: PointerWidth) -> Option<(Place, i64)> {
    if instruction.memory_index() != Iced::None {
        return None;
    }
    let displacement = instruction.memory_displacement64();
    if instruction.is_ip_rel_memory_operand() || instruction.memory_base() == Iced::None {
        return Some((Place::Constant(width.truncate(displacement)), 0));
    }
    let signed = match width {
        PointerWidth::Four => i64::from(instruction.memory_displacement32().cast_signed()),
        PointerWidth::Eight => displacement.cast_signed(),
    };
    Some((Place::Register(instruction.memory_base()), signed))
}

/// The full registers that an instruction writes. A call writes the volatile ones, and moves no other.
fn written(factory: &mut InstructionInfoFactory, instruction: &Instruction) -> Vec<Iced> {
    if instruction.flow_control() == FlowControl::Call
        || instruction.flow_control() == FlowControl::IndirectCall
    {
        return vec![Iced::RAX, Iced::RCX, Iced::RDX, Iced::R8, Iced::R9, Iced::R10, Iced::R11];
    }
    factory
        .info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE)
        .used_registers()
        .iter()
        .filter(|used| {
            !matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess)
        })
        .map(|used| full(used.register()))
        .collect()
}

fn full(register: Iced) -> Iced {
    register.full_register()
}

/// Whether a register keeps its value over the call, so that the frame's own value can be used. Not esp:
/// pushes move it between the instruction that reads it and the call.
fn is_stable(register: Iced, width: PointerWidth) -> bool {
    full(register) != full(Iced::ESP)
        && ours(register).is_some_and(|register| register.is_nonvolatile(width))
        || width == PointerWidth::Eight && full(register) == Iced::RSP
}

fn ours(register: Iced) -> Option<Register> {
    let number = u8::try_from(full(register).number()).ok()?;
    full(register).is_gpr().then(|| Register::from_number(number))?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The argument of a call that follows `code` at 0x1000.
    fn argument_of(code: &[u8]) -> Option<Argument> {
        let mut decoder = Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE);
        let mut run: Vec<Instruction> = decoder.iter().collect();
        run.reverse();
        let call = 0x1000 + code.len() as u64;
        trace(straight(&run, call), Iced::RCX, PointerWidth::Eight)
    }

    const LEA_RCX: [u8; 7] = [0x48, 0x8d, 0x0d, 0x09, 0, 0, 0];

    #[test]
    fn an_argument_does_not_come_from_another_function() {
        let constant =
            |address| Some(Argument { base: Base::Constant(address), displacements: vec![0] });
        assert_eq!(argument_of(&LEA_RCX), constant(0x1010));
        // jmp, ret and int3 end the function before.
        for end in [&[0xeb, 0x10][..], &[0xc3], &[0xcc]] {
            assert_eq!(argument_of(&[&LEA_RCX, end, &[0x90; 4]].concat()), None, "{end:x?}");
        }
        // je over the lea: the call can be reached without it.
        assert_eq!(argument_of(&[&[0x74, 7][..], &LEA_RCX].concat()), None);
        // je to the lea: it is on every way.
        assert_eq!(argument_of(&[&[0x74, 1, 0x90][..], &LEA_RCX].concat()), constant(0x1013));
    }
}
