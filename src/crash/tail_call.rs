//! The argument of a lock function that the called function only jumped to.

use super::backwards::{Place, Walk};
use super::call_site::{self, Argument, Base, Entry};
use super::is_ntdll;
use super::locate::Search;
use super::operation::Operation;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::call_target::{CallKind, CallSite};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register as Iced};

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
        let kind = match instruction.flow_control() {
            FlowControl::IndirectBranch if instruction.op0_kind() == OpKind::Memory => {
                let slot = instruction.memory_displacement64();
                let is_fixed = instruction.is_ip_rel_memory_operand();
                let content = scene.dump.memory.u64(slot);
                is_fixed.then_some(CallKind::Slot { slot, content })
            }
            FlowControl::UnconditionalBranch => {
                Some(CallKind::Direct(instruction.near_branch_target()))
            }
            _ => None,
        };
        let leads_past = |one: &Instruction| {
            one.flow_control() == FlowControl::ConditionalBranch
                && one.near_branch_target() > instruction.ip()
        };
        let site = kind.map(|kind| CallSite {
            call_address: instruction.ip(),
            length: u8::try_from(instruction.len()).unwrap_or(0),
            kind,
        });
        if site.is_some_and(|site| is_lock(&site)) {
            // More than one way out: this jump need not be the one that was taken.
            if before.iter().any(leads_past) {
                return None;
            }
            before.reverse();
            let run = call_site::straight(&before, instruction.ip());
            let entry = (run.len() == before.len()).then_some(Entry { start: target, frame: 0 });
            let walk = Walk { width: PointerWidth::Eight, deep: true, entry };
            return walk.follow(run, Place::Register(Iced::RCX), vec![0]);
        }
        if instruction.is_invalid() || call_site::ends(&instruction) {
            return None;
        }
        before.push(instruction);
    }
    None
}
