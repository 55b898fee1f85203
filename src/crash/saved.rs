//! The argument of a small x64 dump's call, where no unwind data says which registers ntdll saved where.

use super::call_site::{self, Argument, Base, Entry};
use super::candidate::{Candidate, Way};
use super::fault::{Access, first_touched};
use super::frame::{Frame, Trust};
use super::instruction;
use super::locate::Search;
use super::operation::Failure;
use super::stack::Scene;
use super::tail_call::{Between, LockFunction, between};
use crate::critsec::debug_info::is_user_address;
use crate::critsec::gate::Gate;
use crate::critsec::handle::{self, HandleState};
use crate::critsec::has_live_owner;
use crate::critsec::layout::{Layout, RawCriticalSection};
use crate::critsec::lock_count::{self, LockCountEncoding};
use crate::dump::memory::PointerWidth;
use crate::image::registers::Register;
use std::collections::BTreeMap;

/// Most stack slots looked at.
const MAX_SLOTS: u64 = 2048;
/// Most functions that hand an argument on to each other.
const MAX_DEPTH: usize = 4;

/// A call on the stack: where it returns to, and the stack pointer after that.
#[derive(Debug, Clone, Copy)]
struct Call {
    return_address: u64,
    sp: u64,
}

/// The addresses that the lock function's argument can have had, where the caller's registers are lost.
///
/// - situation: a small x64 dump without unwind data: the caller passed a register that a function must give back, so
///   that ntdll left it alone or saved it, and nothing says in which slot.
/// - example: `lea rcx, [rbx+38h]`, `call [__imp_LeaveCriticalSection]`, and rbx is one of 180 words below the return address.
/// - handling: what the code itself gives, through functions that hand their own argument on; else the register of the
///   exception and every word between the stack pointer and the return address are tried, and what comes of them counts
///   only when it alone can be the section of this failure ([`only`]).
/// - test: `a_saved_register_leads_to_the_section` (tests/accuracy).
pub(super) fn addresses(scene: Scene<'_, '_>, search: Search<'_>) -> Vec<(u64, Way)> {
    let caller = search.found.and_then(|found| search.frames.get(found.caller?));
    let is_x64 = scene.dump.system.pointer_width == PointerWidth::Eight && !scene.is_arm64();
    let Some(caller) = caller.filter(|_| is_x64) else { return Vec::new() };
    let Some(sp) = caller.registers.sp() else { return Vec::new() };
    let mut call = Call { return_address: caller.registers.ip(), sp };
    let mut handed_on: Vec<Argument> = Vec::new();
    let Some(site) = scene.call_site(call.return_address) else { return Vec::new() };
    match LockFunction::of(search).map(|lock| between(scene, &site, &lock)) {
        Some(Between::Nothing) => {}
        Some(Between::Jump(argument)) if matches!(argument.base, Base::Own(_)) => {
            handed_on.push(argument);
        }
        _ => return kept_by_callee(scene, search),
    }
    for _ in 0..MAX_DEPTH {
        let Some(site) = scene.call_site(call.return_address) else { return Vec::new() };
        let at = (call.return_address, site.call_address);
        let plain = call_site::argument(scene, at.0, at.1);
        let is_known = plain.as_ref().is_some_and(|plain| {
            call.sp == sp && plain.evaluate(&scene.dump.memory, &caller.registers).is_some()
        });
        if is_known {
            return Vec::new();
        }
        let Some(deep) = call_site::deep_argument(scene, at.0, at.1) else {
            return by_words(scene, search, plain, &handed_on, call);
        };
        let value = match deep.base {
            Base::Constant(address) => Some(address),
            Base::Register(_) => Some(call.sp),
            Base::Own(entry) => {
                let Some(outer) = outer_call(scene, call, entry) else { break };
                call = outer;
                None
            }
        };
        let is_read = deep.displacements.len() > 1;
        handed_on.push(deep);
        if let Some(value) = value {
            let address = resolve(scene, &handed_on, value);
            let text = "call site, followed through the caller's code".to_owned();
            let way = Way { text, score: 6, exact: !is_read, ..Way::default() };
            return address.map(|address| (address, way)).into_iter().collect();
        }
    }
    kept_by_callee(scene, search)
}

/// The addresses that ntdll's own functions keep.
///
/// - situation: a lock function moves its argument into a register that the functions it calls save in turn.
/// - example: the section in rbx at the exception, and below the return address once more.
/// - handling: every register and word below the return address is tried; what a failed wait leaves behind is too little to
///   tell a section by, but for its owner, which is asked for then.
/// - test: `a_saved_register_leads_to_the_section` (tests/accuracy).
fn kept_by_callee(scene: Scene<'_, '_>, search: Search<'_>) -> Vec<(u64, Way)> {
    let is_wait = matches!(search.failure, Failure::Wait(_));
    if !is_wait && !matches!(search.failure, Failure::Signal(_)) {
        return Vec::new();
    }
    let Some(caller) = search.found.and_then(|found| search.frames.get(found.caller?)) else {
        return Vec::new();
    };
    let Some(sp) = caller.registers.sp() else { return Vec::new() };
    let call = Call { return_address: caller.registers.ip(), sp };
    let all: Vec<(u64, String)> =
        words(scene, search.frames.first(), Register::Rbx, call).collect();
    let mut count: BTreeMap<u64, usize> = BTreeMap::new();
    for (value, _) in &all {
        let count = count.entry(*value).or_default();
        *count = count.saturating_add(1);
    }
    let has_owner = |address: u64| {
        let raw = RawCriticalSection::read(&scene.dump.memory, address, PointerWidth::Eight);
        raw.is_some_and(|raw| has_live_owner(scene.dump, &raw, search.encoding))
    };
    let twice = all.into_iter().filter(|(value, _)| {
        count.get(value).is_some_and(|count| *count > 1) && (!is_wait || has_owner(*value))
    });
    let way = |from: String| Way {
        text: format!("kept by ntdll, {from}"),
        score: 1,
        is_saved: true,
        ..Way::default()
    };
    twice.map(|(value, from)| (value, way(from))).collect()
}

/// The call of the function that hands its argument on: its return address stands above its frame, and goes to it.
fn outer_call(scene: Scene<'_, '_>, call: Call, entry: Entry) -> Option<Call> {
    let slot = call.sp.checked_add(entry.frame)?;
    let return_address = scene.dump.memory.u64(slot)?;
    let site = scene.call_site(return_address)?;
    let is_its_own = scene.target(&site) == Some(entry.start);
    is_its_own.then_some(Call { return_address, sp: slot.checked_add(8)? })
}

/// The lock function's argument when the outermost base has a value.
fn resolve(scene: Scene<'_, '_>, handed_on: &[Argument], base: u64) -> Option<u64> {
    let with = |value: u64, argument: &Argument| {
        argument.with(&scene.dump.memory, PointerWidth::Eight, value)
    };
    handed_on.iter().rev().try_fold(base, with)
}

/// The addresses with each word that can be the register that the outermost of the calls passes.
fn by_words(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    plain: Option<Argument>,
    handed_on: &[Argument],
    call: Call,
) -> Vec<(u64, Way)> {
    let register = plain.as_ref().and_then(|plain| match plain.base {
        Base::Register(register) if !register.is_stack_pointer() => Some(register),
        _ => None,
    });
    let Some((register, plain)) = register.zip(plain) else { return Vec::new() };
    let all: Vec<Argument> = handed_on.iter().cloned().chain([plain]).collect();
    let name = register.name(PointerWidth::Eight);
    let candidates =
        words(scene, search.frames.first(), register, call).filter_map(|(value, from)| {
            let way = Way {
                text: format!("call site, with {name} {from}"),
                score: 1,
                is_saved: true,
                ..Way::default()
            };
            Some((resolve(scene, &all, value)?, way))
        });
    candidates.collect()
}

/// The register's value at the exception, and the words below the return address, each with where it stands.
fn words<'c>(
    scene: Scene<'c, '_>,
    innermost: Option<&'c Frame>,
    register: Register,
    call: Call,
) -> impl Iterator<Item = (u64, String)> {
    let own = innermost.and_then(|frame| frame.registers.get(register));
    let start = innermost.and_then(|frame| frame.registers.sp()?.checked_next_multiple_of(8));
    let end = call.sp.saturating_sub(8);
    let slots = (0..MAX_SLOTS)
        .map_while(move |index| start?.checked_add(index.checked_mul(8)?))
        .take_while(move |slot| *slot < end);
    let saved = slots.filter_map(move |slot| {
        Some((scene.dump.memory.u64(slot)?, format!("saved at {slot:#x}")))
    });
    own.map(|value| (value, "as at the exception".to_owned())).into_iter().chain(saved)
}

/// The one candidate of those by saved registers that can be the section of the failure.
///
/// - situation: many words below the return address are addresses, and any free section looks as if it had just been left.
/// - example: the section that failed, and another one that the caller keeps in a register.
/// - handling: the only one that the failure can have left so. Of several, the only one that shows its use: an owner that is a
///   thread, or as many waiters as there can be. Otherwise none.
/// - test: `a_saved_register_leads_to_the_section` (tests/accuracy).
pub(super) fn only<'c>(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    candidates: &'c [Candidate],
) -> Option<&'c Candidate> {
    let fitting: Vec<_> = candidates
        .iter()
        .filter(|candidate| {
            candidate.is_saved()
                && is_user_address(candidate.address, scene.dump.system.pointer_width)
                && !is_raisers(search, candidate.address)
                && can_be(scene, search, candidate)
        })
        .collect();
    let mut used = fitting.iter().filter(|candidate| shows_its_use(scene, search, candidate));
    match (used.next(), used.next(), fitting.as_slice()) {
        (Some(one), None, _) => Some(one),
        (None, _, [one]) => Some(one),
        _ => None,
    }
}

/// Whether an address lies on the stack below the lock function's caller: what lies there is ntdll's own.
fn is_raisers(search: Search<'_>, address: u64) -> bool {
    let sp = search.frames.first().and_then(|frame| frame.registers.sp());
    let caller = search.found.and_then(|found| search.frames.get(found.caller?));
    let end = caller.and_then(|caller| caller.registers.sp());
    sp.zip(end).is_some_and(|(sp, end)| (sp..end).contains(&address))
}

/// Whether the failure can have left what stands at a candidate.
///
/// - situation: a candidate that nothing but a saved word leads to must be the section by its own bytes.
/// - example: a signal fails with RecursionCount 0 and a bad handle; a wait with LockCount locked and a bad handle.
/// - handling: the fields that ntdll has just written, and the handle's state, must be those of the failed operation.
/// - test: `a_saved_register_leads_to_the_section` (tests/accuracy).
fn can_be(scene: Scene<'_, '_>, search: Search<'_>, candidate: &Candidate) -> bool {
    let Some(raw) = candidate.raw else { return false };
    let state = handle::check(scene.dump, raw.lock_semaphore);
    let is_bad =
        matches!(state, HandleState::Absent | HandleState::NotAHandle | HandleState::OtherObject);
    let free = raw.recursion_count == 0 && raw.owning_thread == 0;
    match search.failure {
        Failure::Signal(_) => candidate.gate == Some(Gate::AfterSignal) && is_bad,
        Failure::Wait(_) => is_bad && can_be_waited_for(search.encoding, &raw),
        Failure::NotOwner => free && raw.lock_count & 1 == 1,
        _ => false,
    }
}

/// An Enter that waits has found the section locked and counted itself.
fn can_be_waited_for(encoding: LockCountEncoding, raw: &RawCriticalSection) -> bool {
    match encoding {
        LockCountEncoding::Flags => raw.lock_count & 1 == 0 && raw.lock_count != -2,
        LockCountEncoding::Counting => raw.lock_count > 0,
    }
}

/// Whether threads of the process have left their traces in the section.
fn shows_its_use(scene: Scene<'_, '_>, search: Search<'_>, candidate: &Candidate) -> bool {
    let threads = &scene.dump.threads;
    let Some(raw) = candidate.raw else { return false };
    let state = lock_count::decode(search.encoding, raw.lock_count, raw.recursion_count);
    let few = usize::try_from(state.waiters).is_ok_and(|waiters| waiters <= threads.len());
    let owned = threads.iter().any(|thread| u64::from(thread.id) == raw.owning_thread);
    few && (owned && raw.recursion_count > 0 || raw.owning_thread == 0)
}

/// The section through the register of the instruction that faulted.
///
/// - situation: an access violation in a lock function whose address is not known, or whose argument is not.
/// - example: `lock btr [rcx+8], 0` with rcx 0xBAADF00DBAADF00D: the record says that -1 was read.
/// - handling: with the displacement of a field that the operation touches first, the register holds the section; the
///   access must be the one that faulted.
/// - test: `the_faulting_instruction_names_a_wild_section`.
pub(super) fn by_instruction(scene: Scene<'_, '_>, search: Search<'_>) -> Option<(u64, Way)> {
    let frame = search.frames.first().filter(|frame| frame.trust == Trust::Context)?;
    let operation = search.found?.operation;
    let fault = super::fault::fault_address(search.exception)?;
    let access = instruction::memory_access(scene, frame)?;
    let width = scene.dump.system.pointer_width;
    let is_its_own = super::fault::is_without_address(width, fault)
        && !is_user_address(access.address(width), width)
        || access.address(width) == fault;
    let mut touched = first_touched(Layout::of(width), operation).iter();
    let is_field = touched.any(|(offset, how): &(u64, Access)| {
        *offset == access.displacement && !(*how == Access::Read && access.is_store)
    });
    (is_its_own && is_field).then(|| {
        let text = format!("{} of the faulting instruction", access.register.name(width));
        // Right behind the function's start nothing else can be in the register.
        let is_innermost = search.found.is_some_and(|found| found.frame == 0);
        let exact =
            is_innermost && call_site::holds_argument(scene, frame.registers.ip(), access.register);
        // The same instruction may go through the record that a section names, which is at any address then.
        let is_of_record =
            super::fault::touches_record(Some(operation), width, 1, access.displacement);
        let names_section = is_innermost && !is_of_record;
        let way = Way { text, score: 4, is_fault: true, has_faulted: true, ..Way::default() };
        (access.base, Way { exact, names_section, ..way })
    })
}
