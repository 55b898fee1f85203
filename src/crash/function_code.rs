//! The instructions of a function around a call: those before it, those that surely ran, the calls on either side.

use super::backwards::{Place, memory_operand, theirs, written};
use super::call_site::{Argument, Base};
use super::ran_before::ran_before;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
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
pub(super) const MAX_STEPS: usize = 96;

/// Whether [`deep_argument`] minds the loops around a call.
#[must_use]
pub fn knows_loops(scene: Scene<'_, '_>, return_address: u64) -> bool {
    whole_function(scene, return_address).is_some()
}

/// The instructions before a call, last first, that run again in each round of a loop around it.
///
/// - situation: a register or a local is set before a loop and stepped in it.
/// - example: `lea rbx, table`, `again: mov rcx, rbx`, `call close`, `add rbx, 28h`, `jne again`.
/// - handling: the branches behind the call lead back to where a loop begins; what stands before ran for the first round only. The
///   function is known by unwind data, else nothing is said (x64); on x86 the branches of a window behind the call count, of whichever
///   function.
/// - test: `a_loop_passes_more_than_its_first` (tests/accuracy).
pub(super) fn behind_loops(
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

fn bits_of(scene: Scene<'_, '_>) -> u32 {
    match scene.dump.system.pointer_width {
        PointerWidth::Four => 32,
        PointerWidth::Eight => 64,
    }
}

/// The instructions of at most `window` bytes, up to one that is none.
pub(super) fn decode_up_to(scene: Scene<'_, '_>, start: u64, window: u64) -> Vec<Instruction> {
    let bytes = scene.dump.memory.read_up_to(start, usize::try_from(window).unwrap_or(0));
    let mut decoder = Decoder::with_ip(bits_of(scene), &bytes, start, DecoderOptions::NONE);
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

pub(super) fn is_branch(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
    )
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
    let mut decoder =
        Decoder::with_ip(bits_of(scene), &bytes, return_address, DecoderOptions::NONE);
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

pub(super) fn is_call(instruction: &Instruction) -> bool {
    matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
}

/// The instructions that run up to the call, last first. The function's start (x64) or the earliest start
/// from which decoding meets the call (x86: code falls into step after a few instructions) fixes them.
pub(super) fn before(
    scene: Scene<'_, '_>,
    call: u64,
    return_address: u64,
) -> Option<Vec<Instruction>> {
    let from_function = function_start(scene, return_address)
        .filter(|start| call.checked_sub(*start).is_some_and(|distance| distance <= 0x1_0000))
        .and_then(|start| decode_run(scene, start.max(call.saturating_sub(0x4000)), call));
    from_function.or_else(|| {
        let earliest = call.saturating_sub(WINDOW);
        let mut starts = (earliest..call).take_while(|_| scene.flows.spend(1));
        starts.find_map(|start| decode_run(scene, start, call))
    })
}

/// Whether the dump has the table of unwind data that a function on x64 would be in.
pub(super) fn has_table(scene: Scene<'_, '_>, start: u64) -> bool {
    let image = scene.images.image_at(start);
    let rva = image.and_then(|image| Some((image, image.rva(start)?)));
    rva.is_some_and(|(image, rva)| {
        runtime_functions::lookup(&scene.dump.memory, image, rva).is_ok()
    })
}

pub(super) fn function_start(scene: Scene<'_, '_>, return_address: u64) -> Option<u64> {
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

/// The instruction from one address to another.
pub(super) fn instruction_at(scene: Scene<'_, '_>, start: u64, end: u64) -> Option<Instruction> {
    let mut found = decode(scene, start, end)?;
    found.pop().filter(|_| found.is_empty())
}

fn decode(scene: Scene<'_, '_>, start: u64, end: u64) -> Option<Vec<Instruction>> {
    let len = usize::try_from(end.checked_sub(start)?).ok()?;
    let bytes = scene.dump.memory.read_up_to(start, len);
    (bytes.len() == len).then_some(())?;
    let mut decoder = Decoder::with_ip(bits_of(scene), &bytes, start, DecoderOptions::NONE);
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

/// Whether an argument, as it was computed for a call that ends at `start`, may be another one by the time that the place `end` of the same
/// function is reached. So it may be where the code cannot be decoded, and where it was read from more than one place in memory. Not of ARM64.
///
/// - situation: a register, a local or a global held another object at the time of an earlier call.
/// - example: `delete node; node = next; leave(&node->lock)`.
/// - handling: nothing that may run between the two writes the register, or stores to the local or global: what lies between them, and,
///   where a branch leads back from behind the place, what lies before that branch. What functions that are called store is not seen.
/// - test: `a_register_keeps_what_nothing_writes`, `a_local_keeps_what_nothing_stores`.
#[must_use]
pub fn may_change(scene: Scene<'_, '_>, argument: &Argument, start: u64, end: u64) -> bool {
    let read = match argument.displacements.as_slice() {
        [_] => None,
        [first, _] => Some(*first),
        _ => return true,
    };
    let register = match argument.base {
        Base::Register(register) => Some(theirs(register)),
        Base::Constant(_) => None,
        Base::Own(_) => return true,
    };
    let width = scene.dump.system.pointer_width;
    let mut factory = InstructionInfoFactory::new();
    may_run_between(scene, start, end).is_none_or(|between| {
        between.iter().any(|one| {
            let writes = || register.filter(|register| *register != Iced::RSP);
            writes().is_some_and(|register| written(&mut factory, one).contains(&register))
                || read.is_some_and(|offset| stores_to(one, argument.base, offset, width))
        })
    })
}

/// Whether an instruction may store to the memory at a base plus an offset.
fn stores_to(one: &Instruction, base: Base, offset: i64, width: PointerWidth) -> bool {
    if one.is_string_instruction() {
        return true;
    }
    let is_compared = matches!(one.mnemonic(), Mnemonic::Cmp | Mnemonic::Test);
    if one.op0_kind() != OpKind::Memory || is_compared {
        return false;
    }
    let size = u64::try_from(one.memory_size().size()).unwrap_or(0);
    // Both reach over some bytes.
    let overlaps = |store: u64, read: u64| {
        store.wrapping_sub(read) < width.bytes() || read.wrapping_sub(store) < size
    };
    let is_of = |of: Iced| matches!(base, Base::Register(register) if of.full_register() == theirs(register));
    match (memory_operand(one, width), base) {
        (Some((Place::Register(of), displacement)), _) if is_of(of) => {
            overlaps(displacement.cast_unsigned(), offset.cast_unsigned())
        }
        (Some((Place::Constant(address), _)), Base::Constant(constant)) => {
            overlaps(address, width.truncate(constant.wrapping_add_signed(offset)))
        }
        // By index, or in a segment of its own.
        (None, _) => is_of(one.memory_base()) || matches!(base, Base::Constant(_)),
        _ => false,
    }
}

/// The instructions of a function that may run between two of its addresses.
fn may_run_between(scene: Scene<'_, '_>, start: u64, end: u64) -> Option<Vec<Instruction>> {
    let mut between = decode(scene, start, end)?;
    let behind = match whole_function(scene, end.checked_add(1)?) {
        Some(function) => function.into_iter().filter(|one| one.ip() >= end).collect(),
        None => decode_up_to(scene, end, WINDOW_BEHIND),
    };
    let lowest = start.saturating_sub(WINDOW_BEHIND);
    let comes_back =
        |one: &Instruction| is_branch(one) && (lowest..=end).contains(&one.near_branch_target());
    let last = behind.iter().rposition(comes_back);
    between.extend(behind.into_iter().take(last.map_or(0, |last| last.saturating_add(1))));
    Some(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;
    use crate::image::registers::Register;

    /// Whether `code` may change an argument, between its start and `behind` bytes behind its end.
    fn changes_argument(cpu: Cpu, code: &[u8], behind: u64, argument: &Argument) -> bool {
        let file = Synth::new(cpu).memory(0x40_0000, code).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        may_change(scene, argument, 0x40_0000, 0x40_0000 + code.len() as u64 + behind)
    }

    /// The same for what a register holds.
    fn changes(cpu: Cpu, code: &[u8], behind: u64, register: Register) -> bool {
        let argument = Argument { base: Base::Register(register), displacements: vec![8] };
        changes_argument(cpu, code, behind, &argument)
    }

    #[test]
    fn a_local_keeps_what_nothing_stores() {
        let of = |base, displacements: &[i64], code: &[u8]| {
            let argument = Argument { base, displacements: displacements.to_vec() };
            changes_argument(Cpu::Amd64, code, 0, &argument)
        };
        let local = |code: &[u8]| of(Base::Register(Register::Rbp), &[-8, 0x10], code);
        // mov rax, [rbp-8]; mov [rbp-10h], rax; cmp [rbp-8], rax
        for code in
            [&[0x48, 0x8B, 0x45, 0xF8][..], &[0x48, 0x89, 0x45, 0xF0], &[0x48, 0x39, 0x45, 0xF8]]
        {
            assert!(!local(code), "{code:x?}");
        }
        assert!(local(&[0x48, 0x89, 0x45, 0xF8]), "mov [rbp-8], rax");
        assert!(local(&[0x48, 0x89, 0xC5]), "mov rbp, rax");
        assert!(local(&[0x0F, 0x11, 0x45, 0xF0]), "movups [rbp-10h], xmm0");
        assert!(local(&[0xF3, 0x48, 0xAB]), "rep stosq");
        assert!(local(&[0x48, 0x89, 0x44, 0xC5, 0xC0]), "mov [rbp+rax*8-40h], rax");
        // mov [rip+10h], rax: at 0x400017.
        let global =
            |address| of(Base::Constant(address), &[0, 0], &[0x48, 0x89, 5, 0x10, 0, 0, 0]);
        assert!(global(0x40_0017) && !global(0x40_0020));
        assert!(of(Base::Constant(0x40_0020), &[0, 8, 0], &[0x90]), "read twice");
    }

    #[test]
    fn a_loop_around_the_place_may_change_it() {
        // nop; place: nop; add rbx, 28h; jne place
        let code = [0x90, 0x90, 0x48, 0x83, 0xC3, 0x28, 0x75, 0xF9];
        let file = Synth::new(Cpu::Amd64).memory(0x40_0000, code).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let of = |register| Argument { base: Base::Register(register), displacements: vec![0] };
        assert!(may_change(scene, &of(Register::Rbx), 0x40_0000, 0x40_0001));
        assert!(!may_change(scene, &of(Register::Rsi), 0x40_0000, 0x40_0001));
    }

    #[test]
    fn a_register_keeps_what_nothing_writes() {
        let rbx = |code: &[u8]| changes(Cpu::Amd64, code, 0, Register::Rbx);
        // Nothing; mov eax, ebx; cmp rbx, 0; mov [rbx], rax; push rbx; call rax: a callee gives rbx back.
        let kept: [&[u8]; 6] =
            [&[], &[0x89, 0xD8], &[0x48, 0x83, 0xFB, 0], &[0x48, 0x89, 3], &[0x53], &[0xFF, 0xD0]];
        for code in kept {
            assert!(!rbx(code), "{code:x?}");
        }
        // mov rbx, rax; mov bl, 1; add rbx, 28h; cmovne rbx, rax; pop rbx; je over mov ebx, eax
        let changed: [&[u8]; 6] = [
            &[0x48, 0x89, 0xC3],
            &[0xB3, 1],
            &[0x48, 0x83, 0xC3, 0x28],
            &[0x48, 0x0F, 0x45, 0xD8],
            &[0x5B],
            &[0x74, 2, 0x89, 0xC3],
        ];
        for code in changed {
            assert!(rbx(code), "{code:x?}");
            assert!(!changes(Cpu::Amd64, code, 0, Register::R12), "{code:x?}");
        }
        // mov r12, rax
        assert!(changes(Cpu::Amd64, &[0x49, 0x89, 0xC4], 0, Register::R12));
        assert!(changes(Cpu::Amd64, &[0xFF, 0xD0], 0, Register::Rcx), "a callee may write rcx");
        // mov esi, eax
        assert!(changes(Cpu::X86, &[0x89, 0xC6], 0, Register::Rsi));
        assert!(!changes(Cpu::X86, &[0x89, 0xC6], 0, Register::Rbx));
    }

    #[test]
    fn what_cannot_be_decoded_may_change_anything() {
        assert!(changes(Cpu::Amd64, &[0x90], 1, Register::Rbx), "a byte is not in the dump");
        assert!(changes(Cpu::Amd64, &[0x90, 6], 0, Register::Rbx), "06 is no instruction of x64");
    }
}
