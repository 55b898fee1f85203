//! The argument of a lock function that the called function only jumped to.

use super::backwards::{Place, Walk};
use super::call_site::{self, Argument, Base, Entry};
use super::function_code;
use super::is_ntdll;
use super::locate::Search;
use super::operation::Operation;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::call_target::{CallKind, CallSite};
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register as Iced,
};

/// Most bytes of a function looked at for its jump.
const WINDOW: usize = 0x200;

/// What lies between a call and the lock function that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Between {
    /// Nothing, as far as anyone can tell.
    Nothing,
    /// A function that jumped to the lock function, with this argument.
    Jump(Argument),
    /// Something else: the call's argument is not the lock function's.
    Unknown,
}

/// What lies between the call of a frame and the lock function.
///
/// - situation: the function that was called has jumped to the lock function, so that it has no frame and its argument is
///   not the lock function's.
/// - example: `call Connection::~Connection`, which ends in `lea rcx, [rcx+8]`, `jmp [__imp_DeleteCriticalSection]`.
/// - handling: a call to another function than the one that failed gives an argument only through the code up to that
///   function's jump (x64).
/// - test: `a_tail_call_moves_its_argument`.
pub(super) fn between(scene: Scene<'_, '_>, site: &CallSite, lock: &LockFunction) -> Between {
    let is_lock = |site: &CallSite| names(scene, site, lock.operation);
    let in_ntdll =
        |target: u64| is_ntdll(scene.dump, scene.dump.module_at(target).map(|module| module.base));
    match scene.target(site) {
        // A virtual function may be anything, and often is a wrapper of the lock function.
        None if matches!(site.kind, CallKind::Memory) => Between::Unknown,
        Some(target) if Some(target) != lock.start && !in_ntdll(target) && !is_lock(site) => {
            jump(scene, target, is_lock).map_or(Between::Unknown, Between::Jump)
        }
        _ => Between::Nothing,
    }
}

/// The lock function that failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct LockFunction {
    pub operation: Operation,
    /// Where it begins, when that is known.
    pub start: Option<u64>,
}

impl LockFunction {
    /// The one that a search is about.
    pub(super) fn of(search: Search<'_>) -> Option<Self> {
        let found = search.found?;
        let function = search.frames.get(found.frame).and_then(|frame| frame.function.as_ref());
        let start = function.and_then(|function| function.start);
        Some(Self { operation: found.operation, start })
    }
}

/// The argument with which the function at `target` jumps to DeleteCriticalSection, when it does.
pub(crate) fn of_delete(scene: Scene<'_, '_>, target: u64) -> Option<Argument> {
    jump(scene, target, |site| names(scene, site, Operation::Delete))
}

/// Whether a call goes to the lock function of an operation.
fn names(scene: Scene<'_, '_>, site: &CallSite, operation: Operation) -> bool {
    let callee = scene.callee(site);
    let name = callee.as_ref().and_then(|callee| callee.name());
    name.and_then(Operation::of_function) == Some(operation)
}

/// The lock function's argument, by the call that led to it.
pub(super) fn argument(scene: Scene<'_, '_>, search: Search<'_>) -> Option<Argument> {
    let caller = search.frames.get(search.found?.caller?)?;
    let return_address = caller.registers.ip();
    let site = scene.call_site(return_address)?;
    let plain = || call_site::argument(scene, return_address, site.call_address);
    match between(scene, &site, &LockFunction::of(search)?) {
        Between::Nothing => plain(),
        Between::Jump(handed_on) => match handed_on.base {
            Base::Own(_) => Some(composed(plain()?, &handed_on)),
            Base::Constant(_) => Some(handed_on),
            Base::Register(_) => None,
        },
        Between::Unknown => None,
    }
}

/// One argument with another one, which starts from its value.
fn composed(outer: Argument, inner: &Argument) -> Argument {
    let mut displacements = outer.displacements;
    let mut more = inner.displacements.iter().copied();
    if let (Some(last), Some(first)) = (displacements.last_mut(), more.next()) {
        *last = last.wrapping_add(first);
    }
    displacements.extend(more);
    Argument { base: outer.base, displacements }
}

/// A jump that is a function's last call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastCall {
    /// The jump as a call.
    pub(crate) site: CallSite,
    /// Where the function begins to give back its registers; its arguments are in place there.
    pub(crate) epilogue: u64,
}

/// The jump that the code at a place ends in, as a call of what it jumps to (x64).
///
/// - situation: the last call of a function is made by a jump.
/// - example: a constructor that has started its thread, and has `lea rcx, [rdi+18h]`, `pop rdi`, `jmp
///   [__imp_InitializeCriticalSection]` before it.
/// - handling: the first instruction behind the place that ends the code, at most `window` bytes on, when it is a jump to a fixed
///   target.
/// - test: `the_order_of_steps_tells_zeros_apart` (tests/accuracy).
pub(crate) fn ahead(scene: Scene<'_, '_>, place: u64, window: u64) -> Option<LastCall> {
    let is_x64 = scene.dump.system.pointer_width == PointerWidth::Eight && !scene.is_arm64();
    let window = function_code::rest_of_function(scene, place, window);
    let bytes = scene.dump.memory.read_up_to(place, if is_x64 { window } else { 0 });
    let mut decoder = Decoder::with_ip(64, &bytes, place, DecoderOptions::NONE);
    let mut epilogue = None;
    while decoder.can_decode() && scene.flows.spend(1) {
        let instruction = decoder.decode();
        if instruction.is_invalid() || function_code::ends(&instruction) {
            let site = jump_of(scene, &instruction)?;
            // A loop jumps back inside the function; that is no call.
            let inside = place.checked_sub(WINDOW as u64)?..place.checked_add(bytes.len() as u64)?;
            let stays = matches!(site.kind, CallKind::Direct(target) if inside.contains(&target));
            if stays {
                return None;
            }
            return Some(LastCall { site, epilogue: epilogue.unwrap_or(site.call_address) });
        }
        epilogue = gives_back(&instruction).then(|| epilogue.unwrap_or(instruction.ip()));
    }
    None
}

/// Whether an instruction may belong to an epilogue: it pops a register, or moves the stack pointer.
pub(super) fn gives_back(instruction: &Instruction) -> bool {
    let moves_stack = matches!(instruction.mnemonic(), Mnemonic::Add | Mnemonic::Lea)
        && instruction.op0_kind() == OpKind::Register
        && instruction.op0_register() == Iced::RSP;
    moves_stack || instruction.mnemonic() == Mnemonic::Pop
}

/// An unconditional jump to a fixed target, or through a fixed slot, as a call.
pub(super) fn jump_of(scene: Scene<'_, '_>, instruction: &Instruction) -> Option<CallSite> {
    let kind = match instruction.flow_control() {
        FlowControl::IndirectBranch if instruction.op0_kind() == OpKind::Memory => {
            instruction.is_ip_rel_memory_operand().then_some(())?;
            let slot = instruction.memory_displacement64();
            CallKind::Slot { slot, content: scene.dump.memory.u64(slot) }
        }
        FlowControl::UnconditionalBranch => CallKind::Direct(instruction.near_branch_target()),
        _ => return None,
    };
    let length = u8::try_from(instruction.len()).unwrap_or(0);
    Some(CallSite { call_address: instruction.ip(), length, kind })
}

/// The first argument of the jump to a lock function that a function ends in.
fn jump(
    scene: Scene<'_, '_>,
    target: u64,
    is_lock: impl Fn(&CallSite) -> bool,
) -> Option<Argument> {
    let is_x64 = scene.dump.system.pointer_width == PointerWidth::Eight && !scene.is_arm64();
    let bytes = scene.dump.memory.read_up_to(target, if is_x64 { WINDOW } else { 0 });
    let mut decoder = Decoder::with_ip(64, &bytes, target, DecoderOptions::NONE);
    let mut before: Vec<Instruction> = Vec::new();
    while decoder.can_decode() && scene.flows.spend(1) {
        let instruction = decoder.decode();
        let leads_past = |one: &Instruction| {
            one.flow_control() == FlowControl::ConditionalBranch
                && one.near_branch_target() > instruction.ip()
        };
        let site = jump_of(scene, &instruction);
        if site.is_some_and(|site| is_lock(&site)) {
            // More than one way out: this jump need not be the one that was taken.
            if before.iter().any(leads_past) {
                return None;
            }
            before.reverse();
            let run = function_code::straight(&before, instruction.ip());
            let entry = (run.len() == before.len()).then_some(Entry { start: target, frame: 0 });
            let walk = Walk { width: PointerWidth::Eight, deep: true, entry };
            return walk.follow(run, Place::Register(Iced::RCX), vec![0]);
        }
        if instruction.is_invalid() || function_code::ends(&instruction) {
            return None;
        }
        before.push(instruction);
    }
    None
}
