//! How the caller formed the lock function's argument: the section's address, and a name for it.
//!
//! The instructions before the call are followed backwards from the argument's register (or push) to
//! something whose value is known at the call: a constant, a nonvolatile register, the stack pointer
//! (critical-sections.md 5, point 4).

use super::backwards::{Place, Walk, grows, memory_operand, ours, theirs, written};
use super::call_site_arm64;
use super::ran_before::ran_before;
use super::stack::Scene;
use crate::dump::memory::{AddressSpace, PointerWidth};
use crate::image::registers::{Provenance, Register, RegisterFile};
use crate::image::runtime_functions;
use crate::image::unwind_info::UnwindInfo;
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpKind,
    Register as Iced,
};
use std::borrow::Cow;
use std::collections::HashSet;

/// Most bytes of code looked at before a call.
const WINDOW: u64 = 256;
/// Most bytes of code looked at behind a call on x86, where no unwind data says how far its function goes.
const WINDOW_BEHIND: u64 = 0x400;
/// Most bytes of a function that is looked at whole.
const MAX_FUNCTION: u64 = 0x4000;
/// Most instructions followed backwards.
const MAX_STEPS: usize = 96;

/// Where an argument's value starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// An address in the code itself: a global.
    Constant(u64),
    /// A register of the caller.
    Register(Register),
    /// The caller's own first argument, which it passes on.
    Own(Entry),
}

/// A function whose beginning the instructions before a call reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its address.
    pub start: u64,
    /// Bytes that it has put on the stack up to the call, its return address not counted.
    pub frame: u64,
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
        let value = match self.base {
            Base::Constant(address) => address,
            // Nothing can be counted from a stack pointer that is not known exactly.
            Base::Register(register) => registers
                .get(register)
                .filter(|_| registers.provenance(register) != Provenance::AtLeast)?,
            Base::Own(_) => return None,
        };
        self.with(memory, registers.width(), value)
    }

    /// The argument's value when its base has this one.
    #[must_use]
    pub fn with(&self, memory: &AddressSpace<'_>, width: PointerWidth, base: u64) -> Option<u64> {
        let mut value = base;
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

/// The same on x64, without the registers that a function gives back: what they hold is followed to where it was put there.
///
/// - situation: nothing in the dump says what a saved register of the caller held.
/// - example: `lea rbp, [rsp+80h]`, and later `mov rcx, [rbp+200h]`; or a function that is handed the section and
///   passes it on: `sub rsp, 28h`, `call [__imp_LeaveCriticalSection]`.
/// - handling: as in [`argument`], past calls too, to a constant, the stack pointer, or the function's own first argument; of a loop
///   around the call only where unwind data gives the function.
/// - test: `an_argument_is_followed_to_the_functions_own`.
#[must_use]
pub fn deep_argument(
    scene: Scene<'_, '_>,
    return_address: u64,
    call_address: u64,
) -> Option<Argument> {
    let instructions = behind_loops(scene, return_address, call_address)
        .or_else(|| before(scene, call_address, return_address))?;
    deep(&instructions, call_address, function_start(scene, return_address))
}

/// Whether [`deep_argument`] minds the loops around a call.
#[must_use]
pub fn knows_loops(scene: Scene<'_, '_>, return_address: u64) -> bool {
    whole_function(scene, return_address).is_some()
}

/// The constant that a call passes in each of its rounds.
#[must_use]
pub fn constant(scene: Scene<'_, '_>, return_address: u64, call_address: u64) -> Option<Argument> {
    let instructions = behind_loops(scene, return_address, call_address)?;
    let run = straight(&instructions, call_address);
    let found = match scene.dump.system.pointer_width {
        PointerWidth::Eight => trace(run, Iced::RCX, PointerWidth::Eight),
        PointerWidth::Four => pushed(run),
    };
    found.filter(Argument::is_constant)
}

/// The instructions before a call, last first, that run again in each round of a loop around it.
///
/// - situation: a register or a local is set before a loop and stepped in it.
/// - example: `lea rbx, table`, `again: mov rcx, rbx`, `call close`, `add rbx, 28h`, `jne again`.
/// - handling: the branches behind the call lead back to where a loop begins; what stands before ran for the first round only. The
///   function is known by unwind data, else nothing is said (x64); on x86 the branches of a window behind the call count, of whichever
///   function.
/// - test: `a_loop_passes_more_than_its_first` (tests/accuracy).
fn behind_loops(
    scene: Scene<'_, '_>,
    return_address: u64,
    call_address: u64,
) -> Option<Vec<Instruction>> {
    let mut instructions = before(scene, call_address, return_address)?;
    let behind = match scene.dump.system.pointer_width {
        PointerWidth::Eight => whole_function(scene, return_address)?,
        PointerWidth::Four => decode_up_to(scene, return_address, WINDOW_BEHIND),
    };
    let heads: HashSet<u64> = behind
        .iter()
        .filter(|one| one.ip() > call_address && is_branch(one))
        .map(Instruction::near_branch_target)
        .filter(|target| *target <= call_address)
        .collect();
    let reached = instructions.iter().position(|one| heads.contains(&one.ip()));
    instructions.truncate(reached.map_or(instructions.len(), |head| head.saturating_add(1)));
    Some(instructions)
}

/// The instructions of at most `window` bytes, up to one that is none.
fn decode_up_to(scene: Scene<'_, '_>, start: u64, window: u64) -> Vec<Instruction> {
    let bytes = scene.dump.memory.read_up_to(start, usize::try_from(window).unwrap_or(0));
    let mut decoder = Decoder::with_ip(32, &bytes, start, DecoderOptions::NONE);
    let mut found = Vec::new();
    while decoder.can_decode() && scene.flows.spend(1) {
        let one = decoder.decode();
        if one.is_invalid() {
            break;
        }
        found.push(one);
    }
    found
}

/// Whether a register of the instruction at `ip` still holds the first argument of its function (x64): nothing but moves leads from the
/// function's start to it, and no branch leads back there.
#[must_use]
pub(super) fn holds_argument(scene: Scene<'_, '_>, ip: u64, register: Register) -> bool {
    let held = || {
        (scene.dump.system.pointer_width == PointerWidth::Eight && !scene.is_arm64())
            .then_some(())?;
        let function = whole_function(scene, ip.checked_add(1)?)?;
        let start = function.first()?.ip();
        let place = function.iter().position(|one| one.ip() == ip)?;
        let comes_back =
            |one: &Instruction| is_branch(one) && (start..=ip).contains(&one.near_branch_target());
        let mut run = function.get(..place)?.to_vec();
        run.reverse();
        let is_straight = !run.iter().any(|one| is_branch(one) || is_call(one) || ends(one));
        (run.len() <= MAX_STEPS && is_straight && !function.iter().any(comes_back)).then_some(())?;
        let entry = Some(Entry { start, frame: 0 });
        let walk = Walk { width: PointerWidth::Eight, deep: true, entry };
        let argument = walk.follow(&run, Place::Register(theirs(register)), vec![0])?;
        Some(matches!(argument.base, Base::Own(_)) && argument.displacements == [0])
    };
    held() == Some(true)
}

fn deep(
    instructions: &[Instruction],
    call_address: u64,
    function: Option<u64>,
) -> Option<Argument> {
    let run = straight(instructions, call_address);
    let entry = entry(instructions, run, function);
    let walk = Walk { width: PointerWidth::Eight, deep: true, entry };
    walk.follow(run, Place::Register(Iced::RCX), vec![0])
}

/// The function that begins where the instructions before a call do.
///
/// - situation: the argument is the function's own, and which function that is matters.
/// - example: `ret`, `push rbx`, `sub rsp, 20h`; or the start that unwind data gives.
/// - handling: what stands behind the end of other code and begins as functions do, or where unwind data says so.
/// - test: `an_argument_is_followed_to_the_functions_own`.
fn entry(
    instructions: &[Instruction],
    run: &[Instruction],
    function: Option<u64>,
) -> Option<Entry> {
    let is_known = function.is_some() && run.last().map(Instruction::ip) == function;
    let is_behind_end = || instructions.get(run.len()).is_some_and(ends);
    (is_known || is_behind_end()).then_some(())?;
    let is_padding = |instruction: &&Instruction| instruction.mnemonic() == Mnemonic::Nop;
    let padding = run.iter().rev().take_while(is_padding).count();
    let body = run.get(..run.len().checked_sub(padding)?)?;
    // Prologues may begin with stores of registers into the caller's home space.
    let is_store = |one: &&Instruction| {
        one.mnemonic() == Mnemonic::Mov
            && one.op0_kind() == OpKind::Memory
            && one.memory_base() == Iced::RSP
    };
    let first = body.last()?;
    let mut after_stores = body.iter().rev().skip_while(is_store);
    after_stores.next().filter(|one| grows(one).is_some_and(|bytes| bytes > 0))?;
    let bytes = body.iter().try_fold(0u64, |sum, one| sum.checked_add(grows(one)?))?;
    Some(Entry { start: first.ip(), frame: bytes })
}

/// Of the instructions before a call, last first, those that surely ran before it.
///
/// - situation: the instruction that seems to load the argument belongs to another way to the call, or to another
///   function: without unwind data nothing says where this one begins.
/// - example: a function that passes its own argument on; the function before it ends in `lea rcx, …`, `jmp`.
/// - handling: nothing before a return, a jump or a trap, and nothing before the target of a branch, is followed.
/// - test: `an_argument_does_not_come_from_another_function`.
pub(super) fn straight(instructions: &[Instruction], call: u64) -> &[Instruction] {
    let targets: HashSet<u64> = instructions
        .iter()
        .filter(|instruction| is_branch(instruction))
        .map(Instruction::near_branch_target)
        .collect();
    if targets.contains(&call) {
        return &[];
    }
    let mut len = 0usize;
    for instruction in instructions.iter().take_while(|instruction| !ends(instruction)) {
        len = len.saturating_add(1);
        if targets.contains(&instruction.ip()) {
            break;
        }
    }
    instructions.get(..len).unwrap_or_default()
}

/// Whether the code behind an instruction is not reached through it.
pub(super) fn ends(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Return
            | FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::Interrupt
            | FlowControl::Exception
    )
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

/// The ends of the calls that surely ran in the same function before the one at `call_address`, nearest first. None on ARM64.
#[must_use]
pub fn calls_before(scene: Scene<'_, '_>, return_address: u64, call_address: u64) -> Vec<u64> {
    if scene.is_arm64() {
        return Vec::new();
    }
    let function = whole_function(scene, return_address).unwrap_or_default();
    let instructions = before(scene, call_address, return_address).unwrap_or_default();
    let ran = match function.as_slice() {
        [] => straight(&instructions, call_address).iter().collect(),
        function => ran_before(function, call_address),
    };
    ran.into_iter().filter(|one| is_call(one)).map(Instruction::next_ip).collect()
}

/// The ends of the calls that follow in the same function up to its end, or up to its first branch, `window` bytes on at
/// most. None on ARM64.
#[must_use]
pub fn calls_behind(
    scene: Scene<'_, '_>,
    return_address: u64,
    window: u64,
    is_straight: bool,
) -> Vec<u64> {
    let bytes = if scene.is_arm64() {
        Cow::default()
    } else {
        scene
            .dump
            .memory
            .read_up_to(return_address, rest_of_function(scene, return_address, window))
    };
    let bits = match scene.dump.system.pointer_width {
        PointerWidth::Four => 32,
        PointerWidth::Eight => 64,
    };
    let mut decoder = Decoder::with_ip(bits, &bytes, return_address, DecoderOptions::NONE);
    let mut found = Vec::new();
    while decoder.can_decode() && scene.flows.spend(1) {
        let instruction = decoder.decode();
        let branches = is_straight && is_branch(&instruction);
        if instruction.is_invalid() || ends(&instruction) || branches {
            break;
        }
        if is_call(&instruction) {
            found.push(instruction.next_ip());
        }
    }
    found
}

/// Bytes from a return address to the end of its function, or of the part of it that one entry of .pdata describes, `window` at most.
///
/// - situation: a call that does not return is a function's last instruction; the next function follows.
/// - example: main ends in `call exit`; what the next function initialises is not ahead of it.
/// - handling: the end of the entry in .pdata; without one (x86), all of the window.
/// - test: `what_follows_a_call_that_does_not_return_is_not_ahead` (tests/accuracy).
pub(super) fn rest_of_function(scene: Scene<'_, '_>, return_address: u64, window: u64) -> usize {
    let end = || {
        let inside = return_address.checked_sub(1)?;
        let image = scene.images.image_at(inside)?;
        let entry =
            runtime_functions::lookup(&scene.dump.memory, image, image.rva(inside)?).ok()??;
        Some(image.address(entry.end_address)?.saturating_sub(return_address))
    };
    usize::try_from(end().map_or(window, |rest| rest.min(window))).unwrap_or(0)
}

fn is_call(instruction: &Instruction) -> bool {
    matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
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

/// The function around a return address, where unwind data says that it lies in one part.
pub(super) fn whole_function(
    scene: Scene<'_, '_>,
    return_address: u64,
) -> Option<Vec<Instruction>> {
    let memory = &scene.dump.memory;
    let image = scene.images.image_at(return_address.checked_sub(1)?)?;
    let rva = image.rva(return_address.checked_sub(1)?)?;
    let entry = runtime_functions::lookup(memory, image, rva).ok()??;
    let is_part = UnwindInfo::read(memory, image, entry.unwind_data).ok()?.chained.is_some();
    let start = image.address(entry.begin_address)?;
    let end = image.address(entry.end_address)?;
    (!is_part && end.checked_sub(start)? <= MAX_FUNCTION).then_some(())?;
    decode(scene, start, end)
}

/// The last instructions from `start` up to a call, last first.
fn decode_run(scene: Scene<'_, '_>, start: u64, call: u64) -> Option<Vec<Instruction>> {
    let mut run = decode(scene, start, call)?;
    run.reverse();
    run.truncate(MAX_STEPS);
    Some(run)
}

fn decode(scene: Scene<'_, '_>, start: u64, end: u64) -> Option<Vec<Instruction>> {
    let len = usize::try_from(end.checked_sub(start)?).ok()?;
    let bytes = scene.dump.memory.read_up_to(start, len);
    (bytes.len() == len).then_some(())?;
    let bits = match scene.dump.system.pointer_width {
        PointerWidth::Four => 32,
        PointerWidth::Eight => 64,
    };
    let mut decoder = Decoder::with_ip(bits, &bytes, start, DecoderOptions::NONE);
    let mut run = Vec::new();
    while decoder.ip() < end {
        let instruction = decoder.decode();
        if instruction.is_invalid() || !scene.flows.spend(1) {
            return None;
        }
        run.push(instruction);
    }
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
            Walk::plain(PointerWidth::Four).follow(before, base, vec![displacement, 0])
        }
        _ => None,
    }
}

fn trace(before: &[Instruction], register: Iced, width: PointerWidth) -> Option<Argument> {
    Walk::plain(width).follow(before, Place::Register(register), vec![0])
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

    /// The same, followed through registers that are given back.
    fn deep_argument_of(code: &[u8], function: Option<u64>) -> Option<Argument> {
        let mut decoder = Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE);
        let mut run: Vec<Instruction> = decoder.iter().collect();
        run.reverse();
        deep(&run, 0x1000 + code.len() as u64, function)
    }

    #[test]
    fn half_a_register_is_not_what_was_stored() {
        // ret; push rbp; mov rbp, rsp; sub rsp, 20h; mov [rbp+10h], rcx; ...; mov rcx, [rbp+10h]
        let head = [0xC3, 0x55, 0x48, 0x89, 0xE5, 0x48, 0x83, 0xEC, 0x20, 0x48, 0x89, 0x4D, 0x10];
        let argument_behind = |between: &[u8]| {
            let code = [&head[..], between, &[0x48, 0x8B, 0x4D, 0x10]].concat();
            deep_argument_of(&code, None).map(|argument| argument.base)
        };
        let own = Base::Own(Entry { start: 0x1001, frame: 0x28 });
        assert_eq!(argument_behind(&[]), Some(own));
        // mov [rbp+10h], edx; inc qword ptr [rbp+10h]: read from memory, for no register has it.
        for between in [&[0x89, 0x55, 0x10][..], &[0x48, 0xFF, 0x45, 0x10]] {
            assert_ne!(argument_behind(between), Some(own), "{between:x?}");
        }
        // mov [rbp+18h], edx
        assert_eq!(argument_behind(&[0x89, 0x55, 0x18]), Some(own));
    }

    #[test]
    fn an_argument_is_followed_to_the_functions_own() {
        let argument = |base, displacements: &[i64]| {
            Some(Argument { base, displacements: displacements.to_vec() })
        };
        let own = |start, frame| Base::Own(Entry { start, frame });
        // ret; push rbx; sub rsp, 20h; mov rbx, rcx; call rax; lea rcx, [rbx+18h]
        let head = [0xC3, 0x53, 0x48, 0x83, 0xEC, 0x20, 0x48, 0x89, 0xCB, 0xFF, 0xD0];
        let code = [&head[..], &[0x48, 0x8D, 0x4B, 0x18]].concat();
        assert_eq!(deep_argument_of(&code, None), argument(own(0x1001, 0x28), &[0x18]));
        // Nothing shows where the function begins.
        assert_eq!(deep_argument_of(&code[1..], None), None);
        // But unwind data does.
        assert_eq!(
            deep_argument_of(&code[1..], Some(0x1000)),
            argument(own(0x1000, 0x28), &[0x18])
        );
        // ret; push rbp; mov rbp, rsp; sub rsp, 20h; mov rax, [rbp+10h]; mov rcx, rax; mov rax, [rip]
        let frame = [0xC3, 0x55, 0x48, 0x89, 0xE5, 0x48, 0x83, 0xEC, 0x20, 0x48, 0x8B, 0x45, 0x10];
        let code = [&frame[..], &[0x48, 0x89, 0xC1, 0x48, 0x8B, 5, 0, 0, 0, 0]].concat();
        let rsp = Base::Register(Register::Rsp);
        assert_eq!(deep_argument_of(&code, None), argument(rsp, &[0x30, 0]));
        // The same with mov [rbp+10h], rcx behind the prologue: what is read is what was stored.
        let code =
            [&frame[..9], &[0x48, 0x89, 0x4D, 0x10], &frame[9..], &[0x48, 0x89, 0xC1]].concat();
        assert_eq!(deep_argument_of(&code, None), argument(own(0x1001, 0x28), &[0]));
        // The register that the section was taken from is used for something else before the call.
        let plain = [0x48, 0x89, 0xD9, 0x48, 0x89, 0xC3];
        assert_eq!(argument_of(&plain), None, "mov rcx, rbx; mov rbx, rax");
        assert!(argument_of(&plain[..3]).is_some());
    }
}
