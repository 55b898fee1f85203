//! Where the address comes from that a call through a register, or through memory, goes to.

use super::backwards::{Place, memory_operand, ours, theirs, written};
use super::call_site::{is_frames, moves_stack};
use super::function_code::{before, instruction_at};
use super::stack::Scene;
use crate::image::call_target::{CallKind, CallSite};
use crate::image::registers::Register;
use iced_x86::{InstructionInfoFactory, Mnemonic, OpKind};

/// The import slot that a call through a register goes through.
///
/// - situation: the caller loads an import into a register and calls that.
/// - example: `mov eax, [__imp__LeaveCriticalSection]`, `call eax`; at -O2 the load may stand far before the call.
/// - handling: the nearest load of the register before the call counts, when it reads a fixed address.
/// - test: `a_call_through_a_register_is_named` (tests/accuracy).
#[must_use]
pub(super) fn called_slot(
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

/// x86: the local that holds the address of what is called, as a register of the caller's frame and the distance from there.
///
/// - situation: a function that has too few registers keeps an import's address in its frame.
/// - example: `mov eax, [esp+18h]`, `call eax`; `call [ebp-8]`.
/// - handling: the nearest load of the register that is called, when it reads a place of the frame and the stack pointer stays where it was; or the
///   call's own operand.
/// - test: `a_call_of_a_local_is_proven` (tests/accuracy).
#[must_use]
pub(super) fn called_local(
    scene: Scene<'_, '_>,
    return_address: u64,
    call: &CallSite,
) -> Option<(Register, i64)> {
    let width = scene.dump.system.pointer_width;
    let place = match call.kind {
        CallKind::Register(register) => {
            let instructions = before(scene, call.call_address, return_address)?;
            let mut factory = InstructionInfoFactory::new();
            let mut is_load = |one| written(&mut factory, one).contains(&theirs(register));
            let load = instructions.iter().position(&mut is_load)?;
            let mut since = instructions.get(..load)?.iter();
            since.all(|one| !moves_stack(one)).then_some(())?;
            let load = instructions.get(load)?;
            let is_read = load.mnemonic() == Mnemonic::Mov && load.op1_kind() == OpKind::Memory;
            memory_operand(is_read.then_some(load)?, width)
        }
        CallKind::Memory => {
            let call = instruction_at(scene, call.call_address, return_address)?;
            memory_operand(&call, width)
        }
        CallKind::Direct(_) | CallKind::Slot { .. } => None,
    };
    match place? {
        (Place::Register(base), distance) => {
            let base = ours(base).filter(|base| is_frames(*base))?;
            Some((base, distance))
        }
        (Place::Constant(_), _) => None,
    }
}
