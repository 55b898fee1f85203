//! Functions that are on no stack any more, because the last thing they did was to jump to the one that runs.

use super::call_site::{self, Base, Which};
use super::frame::Frame;
use super::function_code::{function_start, whole_function};
use super::operation::Operation;
use super::ran_before::ran_before;
use super::stack::Scene;
use super::tail_call::{gives_back, jump_of};
use crate::dump::memory::PointerWidth;
use crate::image::call_target::CallSite;
use crate::image::registers::{Provenance, Register, RegisterFile};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};

/// Most bytes of an instruction.
const LONGEST: usize = 15;

/// A function between two frames that has left its own by a jump.
#[derive(Debug)]
pub struct Left {
    /// The ends of the calls that surely ran in it, nearest to the jump first.
    pub calls: Vec<u64>,
    /// Where it begins to give its registers back: they hold until there what [`Left::registers`] says.
    pub epilogue: u64,
    /// What is known of its registers.
    pub registers: RegisterFile,
}

/// The function that the outer frame has called, when that is not the inner frame's but one that ends in a jump to it (x64).
///
/// - situation: `return use(&object->lock);` at the end of a function is a jump in optimised code, and that function's frame is gone.
/// - example: main has initialised the lock, `lea rcx, [rbx+38h]`, `pop rbx`, `jmp use`; the stack shows main's caller, then use.
/// - handling: the call before the outer frame's place has one fixed target, whose code is there whole, and has one jump to the inner frame's
///   function, or to the lock function. Registers are known where the argument of the jump, `passed`, tells them.
/// - test: `what_live_functions_did_before` (tests/accuracy).
#[must_use]
pub fn between(
    scene: Scene<'_, '_>,
    inner: &Frame,
    outer: &Frame,
    operation: Option<Operation>,
    passed: Option<u64>,
) -> Option<Left> {
    let is_x64 = scene.dump.system.pointer_width == PointerWidth::Eight && !scene.is_arm64();
    (is_x64 && inner.trust.is_exact() && outer.trust.is_exact()).then_some(())?;
    let site = scene.call_site(outer.registers.ip())?;
    let target = scene.target(&site)?;
    let code = whole_function(scene, target.checked_add(1)?)?;
    (code.first()?.ip() == target).then_some(())?;
    let running = function_start(scene, inner.registers.ip());
    (running != Some(target)).then_some(())?;
    let leads_there = |one: &&Instruction| match one.flow_control() {
        FlowControl::UnconditionalBranch => Some(one.near_branch_target()) == running,
        FlowControl::IndirectBranch => {
            jump_of(scene, one).is_some_and(|jump| is_lock(scene, &jump, operation))
        }
        _ => false,
    };
    let mut jumps = code.iter().filter(leads_there);
    let jump = jumps.next().filter(|_| jumps.next().is_none())?.ip();
    let before = code.iter().rev().skip_while(|one| one.ip() >= jump);
    let epilogue = before.take_while(|one| gives_back(one)).last().map_or(jump, Instruction::ip);
    let is_call = |one: &&Instruction| {
        matches!(one.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
    };
    let calls = ran_before(&code, epilogue).into_iter().filter(is_call).map(Instruction::next_ip);
    let registers = registers(scene, epilogue, jump, passed);
    Some(Left { calls: calls.collect(), epilogue, registers })
}

/// The end of the jump by which the function that a frame has called goes on to the lock function (x64): the only one in its code that leads
/// there. Through a thunk it is the thunk's.
#[must_use]
pub fn to_lock(scene: Scene<'_, '_>, caller: &Frame, operation: Operation) -> Option<u64> {
    let is_x64 = scene.dump.system.pointer_width == PointerWidth::Eight && !scene.is_arm64();
    (is_x64 && caller.trust.is_exact()).then_some(())?;
    let target = scene.target(&scene.call_site(caller.registers.ip())?)?;
    let code = whole_function(scene, target.checked_add(1)?)?;
    (code.first()?.ip() == target).then_some(())?;
    let leads_there = |one: &&Instruction| {
        let is_jump = matches!(
            one.flow_control(),
            FlowControl::UnconditionalBranch | FlowControl::IndirectBranch
        );
        is_jump && jump_of(scene, one).is_some_and(|jump| is_lock(scene, &jump, Some(operation)))
    };
    let mut jumps = code.iter().filter(leads_there);
    let jump = jumps.next().filter(|_| jumps.next().is_none())?;
    match jump.flow_control() {
        FlowControl::UnconditionalBranch => {
            let bytes = scene.dump.memory.read_up_to(jump.near_branch_target(), LONGEST);
            let thunk =
                Decoder::with_ip(64, &bytes, jump.near_branch_target(), DecoderOptions::NONE)
                    .decode();
            (thunk.flow_control() == FlowControl::IndirectBranch).then(|| thunk.next_ip())
        }
        _ => Some(jump.next_ip()),
    }
}

fn is_lock(scene: Scene<'_, '_>, jump: &CallSite, operation: Option<Operation>) -> bool {
    let callee = scene.callee(jump);
    let name = callee.as_ref().and_then(|callee| callee.name());
    operation.is_some() && name.and_then(Operation::of_function) == operation
}

/// The register that the argument of the jump was formed from.
fn registers(scene: Scene<'_, '_>, epilogue: u64, jump: u64, passed: Option<u64>) -> RegisterFile {
    let mut registers = RegisterFile::new(PointerWidth::Eight, jump, 0);
    // Its frame is gone.
    registers.set(Register::Rsp, 0, Provenance::AtLeast);
    let known = || {
        let end = epilogue.checked_add(1)?;
        let argument = call_site::nth_argument(scene, end, epilogue, Which::First)?;
        let ([displacement], Base::Register(register)) =
            (argument.displacements.as_slice(), argument.base)
        else {
            return None;
        };
        Some((register, passed?.wrapping_sub(displacement.cast_unsigned())))
    };
    if let Some((register, value)) = known().filter(|(register, _)| !register.is_stack_pointer()) {
        registers.set(register, value, Provenance::Context);
    }
    registers
}
