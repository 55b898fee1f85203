//! The instructions of a function around a call: those before it, those that surely ran, the calls on either side.

use super::ran_before::ran_before;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::runtime_functions;
use crate::image::unwind_info::UnwindInfo;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};
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
