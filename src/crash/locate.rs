//! The section's address: every way to it, and the choice among them (critical-sections.md 5).
//!
//! For a failed signal the gate chooses ([`crate::critsec::gate`]); the score only ranks what passes. Three
//! exceptions are named, not scored: a section that is all zero, one that another thread has entered since,
//! and an address given exactly although its memory is not readable. For an access violation the address
//! that explains the fault is chosen.

use super::call_site::Argument;
use super::candidate::{Candidate, Way};
use super::exception::{EffectiveException, POSSIBLE_DEADLOCK};
use super::fault;
use super::frame::Frame;
use super::operation::{Failure, FoundOperation, OperationSource};
use super::saved;
use super::stack::Scene;
use super::tail_call;
use super::waits::Waits;
use crate::critsec::debug_info::{self, DebugInfoState};
use crate::critsec::gate::{self, Gate};
use crate::critsec::layout::{Layout, RawCriticalSection};
use crate::critsec::lock_count::{LockCountEncoding, waiters_before_signal};
use crate::critsec::{handle, spin_count};
use crate::dump::memory::PointerWidth;
use crate::image::registers::Provenance;
use std::collections::BTreeMap;

/// Below it nothing is ever mapped.
const NULL_PAGE: u64 = 0x1_0000;
/// Bytes of stack above the caller's stack pointer that are searched too.
const BEYOND_CALLER: u64 = 0x100;
/// Most stack slots searched.
const MAX_SLOTS: u64 = 2048;

/// The section that was found.
#[derive(Debug, Clone)]
pub struct Located {
    /// The chosen candidate.
    pub candidate: Candidate,
    /// How the caller formed the argument.
    pub argument: Option<Argument>,
    /// How many other candidates were considered.
    pub others: usize,
    /// What the other threads hold.
    pub waits: Waits,
}

/// What the search starts from.
#[derive(Debug, Clone, Copy)]
pub struct Search<'c> {
    /// The frames, named.
    pub frames: &'c [Frame],
    /// The operation, when it is named.
    pub found: Option<FoundOperation>,
    /// The exception.
    pub exception: &'c EffectiveException,
    /// The kind of failure.
    pub failure: Failure,
    /// How `LockCount` is encoded.
    pub encoding: LockCountEncoding,
}

/// Finds the section, and says more exactly what failed where an access violation is explained by it.
#[must_use]
pub fn locate(scene: Scene<'_, '_>, search: Search<'_>) -> (Failure, Option<Located>) {
    let argument = tail_call::argument(scene, search);
    let mut ways = collect(scene, search, argument.as_ref());
    let waits = Waits::read(scene);
    from_waiters(scene, &waits, &mut ways);
    let candidates = judged(scene, search, ways);
    let (failure, chosen) = match search.failure {
        Failure::OtherAccess => fault::choose(scene, search, &candidates),
        other => (other, choose_by_gate(scene, search, &candidates)),
    };
    let others = candidates.len().saturating_sub(1);
    let candidate = chosen.cloned();
    (failure, candidate.map(|candidate| Located { candidate, argument, others, waits }))
}

/// The frames of interest: the raiser's down to the caller of the lock function.
fn caller_index(search: Search<'_>) -> usize {
    match search.found {
        Some(found) => found.caller.unwrap_or(found.frame),
        None => search.frames.iter().take_while(|frame| frame.trust.is_exact()).count().clamp(1, 4),
    }
}

struct Collector {
    ways: BTreeMap<u64, Vec<Way>>,
}

impl Collector {
    fn add(
        &mut self,
        address: Option<u64>,
        score: u32,
        exact: bool,
        text: impl FnOnce() -> String,
    ) {
        let Some(address) = address else { return };
        let ways = self.ways.entry(address).or_default();
        // Zeros and small numbers are everywhere: that several registers hold one says no more than one.
        let is_small = address < NULL_PAGE && !exact;
        if is_small && (score < 2 || ways.iter().any(|way| !way.is_fault)) {
            return;
        }
        ways.push(Way { text: text(), score, exact, ..Way::default() });
    }
}

fn collect(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    argument: Option<&Argument>,
) -> BTreeMap<u64, Vec<Way>> {
    let mut collector = Collector { ways: BTreeMap::new() };
    from_exception(scene, search, &mut collector);
    from_call(scene, search, argument, &mut collector);
    from_registers(scene, search, &mut collector);
    from_stack(scene, search, &mut collector);
    let by_instruction = saved::by_instruction(scene, search);
    for (address, way) in saved::addresses(scene, search).into_iter().chain(by_instruction) {
        let ways = collector.ways.entry(address).or_default();
        let is_known = way.is_saved && ways.iter().any(|other| other.is_saved);
        if !is_known && (address >= NULL_PAGE || !way.is_saved) {
            ways.push(way);
        }
    }
    collector.ways
}

fn from_exception(scene: Scene<'_, '_>, search: Search<'_>, collector: &mut Collector) {
    let record = &search.exception.record;
    if record.code == POSSIBLE_DEADLOCK {
        collector
            .add(record.parameters.first().copied(), 10, true, || "exception parameter".into());
    }
    let Some(operation) = search.found.map(|found| found.operation) else { return };
    let Some(fault) = fault::fault_address(search.exception) else { return };
    let layout = Layout::of(scene.dump.system.pointer_width);
    if fault::is_without_address(layout.width, fault) {
        return;
    }
    for (address, offset) in fault::sections_hit(search.exception, layout, operation) {
        let text = format!("fault address minus {offset:#x}");
        let way = Way { text, score: 3, is_fault: true, ..Way::default() };
        collector.ways.entry(address).or_default().push(way);
    }
}

fn from_call(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    argument: Option<&Argument>,
    collector: &mut Collector,
) {
    let Some(caller) = search.found.and_then(|found| search.frames.get(found.caller?)) else {
        return;
    };
    if let Some(argument) = argument {
        let value = argument.evaluate(&scene.dump.memory, &caller.registers);
        let is_read = argument.displacements.len() > 1;
        collector.add(value, 6, !is_read, || "call site".into());
        let added = value.and_then(|value| collector.ways.get_mut(&value)?.last_mut());
        if let Some(way) = added {
            way.is_given = true;
        }
    }
    if scene.dump.system.pointer_width == PointerWidth::Four {
        let slot = caller.return_slot.and_then(|slot| slot.checked_add(4));
        let value = slot.and_then(|slot| scene.dump.memory.pointer(slot, PointerWidth::Four));
        collector.add(value, 6, caller.trust.is_exact(), || "stack argument".into());
    }
}

fn from_registers(scene: Scene<'_, '_>, search: Search<'_>, collector: &mut Collector) {
    let width = scene.dump.system.pointer_width;
    let last = caller_index(search);
    for (index, frame) in search.frames.iter().enumerate().take(last.saturating_add(1)) {
        for (register, value, provenance) in frame.registers.known() {
            // A register that no function in between changed says nothing new.
            let is_new = index == 0 || provenance != Provenance::Unchanged;
            // At a fault the registers are the processor's own; of the volatile ones only what nothing else explains counts.
            let is_wild = index == 0
                && search.failure == Failure::OtherAccess
                && scene.dump.memory.u8(value).is_none();
            let counts = register.is_nonvolatile(width) || is_wild;
            if register.is_stack_pointer() || !counts || !is_new {
                continue;
            }
            // Only a frame that is the lock function's own; behind a guessed caller the innermost is the raiser's.
            let in_lock = search.found.is_some_and(|found| {
                found.source == OperationSource::Exports && (found.frame..last).contains(&index)
            });
            let score = if in_lock { 3 } else { 2 };
            collector.add(Some(value), score, false, || {
                format!("{} of frame {index} ({})", register.name(width), provenance.as_str())
            });
        }
    }
}

fn from_stack(scene: Scene<'_, '_>, search: Search<'_>, collector: &mut Collector) {
    let width = scene.dump.system.pointer_width;
    let Some(start) = search.frames.first().and_then(|frame| frame.registers.sp()) else { return };
    let caller = search.frames.get(caller_index(search)).and_then(|frame| frame.registers.sp());
    let end = caller.unwrap_or(start).saturating_add(BEYOND_CALLER);
    let mut slot = start;
    for count in 0.. {
        if slot >= end {
            break;
        }
        if count == MAX_SLOTS {
            scene.flows.cut("the search of the faulting stack (2048 words)");
            break;
        }
        let value = scene.dump.memory.pointer(slot, width);
        collector.add(value, 1, false, || format!("stack at {slot:#x}"));
        let Some(next) = slot.checked_add(width.bytes()) else { break };
        slot = next;
    }
}

/// A candidate with its section read and put through the gate.
#[must_use]
pub fn judge(
    scene: Scene<'_, '_>,
    encoding: LockCountEncoding,
    address: u64,
    ways: Vec<Way>,
) -> Candidate {
    let width = scene.dump.system.pointer_width;
    // The leaving thread itself cannot have entered since.
    let faulting = scene.dump.exception.as_ref().map(|stream| u64::from(stream.thread_id));
    let is_live = |id: u64| {
        Some(id) != faulting && scene.dump.threads.iter().any(|thread| u64::from(thread.id) == id)
    };
    let raw = RawCriticalSection::read(&scene.dump.memory, address, width);
    let gate = raw.map(|raw| gate::judge(&raw, encoding, width, is_live));
    Candidate { address, ways, raw, gate }
}

/// Candidates that other threads hold where a wait keeps its section: in a register or at the top of the
/// stack, as the section's address or that of its LockCount (critical-sections.md 5, point 5).
fn from_waiters(scene: Scene<'_, '_>, waits: &Waits, ways: &mut BTreeMap<u64, Vec<Way>>) {
    let offset = Layout::of(scene.dump.system.pointer_width).lock_count;
    for thread in &waits.threads {
        for word in thread.words() {
            for address in [Some(word), word.checked_sub(offset)].into_iter().flatten() {
                let Some(ways) = ways.get_mut(&address).filter(|_| address >= 0x1_0000) else {
                    continue;
                };
                if ways.iter().any(|way| way.is_waiter) {
                    continue;
                }
                let text = format!("thread {:#x} refers to it", thread.thread_id);
                ways.push(Way { text, score: 2, is_waiter: true, ..Way::default() });
            }
        }
    }
}

fn judged(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    ways: BTreeMap<u64, Vec<Way>>,
) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = ways
        .into_iter()
        .map(|(address, ways)| judge(scene, search.encoding, address, ways))
        .collect();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.score()));
    candidates
}

/// The candidate for a failed signal or wait.
fn choose_by_gate<'c>(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    all: &'c [Candidate],
) -> Option<&'c Candidate> {
    let fits = |candidate: &Candidate| match search.failure {
        Failure::Signal(_) => candidate.gate.is_some_and(Gate::passes),
        Failure::Wait(_) => candidate.raw.is_some_and(|raw| {
            is_waited_for(&raw) || raw.is_all_zero() && is_well_known(candidate)
        }),
        _ => candidate.raw.is_some(),
    };
    // A signal or a wait has used the section's memory: no address where none can be.
    let width = scene.dump.system.pointer_width;
    let used =
        matches!(search.failure, Failure::Signal(_) | Failure::Wait(_) | Failure::DeleteClose(_));
    let possible =
        |candidate: &&Candidate| !used || debug_info::is_user_address(candidate.address, width);
    let candidates = || all.iter().filter(possible);
    let exact = |candidate: &&Candidate| candidate.is_exact();
    let given =
        candidates().filter(exact).find(|candidate| candidate.raw.is_none() || fits(candidate));
    let refused = candidates().find(exact);
    let found = candidates()
        .filter(|candidate| candidate.ways.iter().any(|way| !way.is_saved))
        .filter(|candidate| fits(candidate) && is_credible(scene, search, candidate))
        // Zeros and entered sections are everywhere: none of them beats an address that the caller gives.
        .filter(|candidate| refused.is_none() || gate_class(candidate) == 0)
        .min_by_key(|candidate| (gate_class(candidate), std::cmp::Reverse(candidate.score())));
    let agreed = || {
        let all: Vec<_> =
            candidates().filter(|candidate| is_agreed(scene, search, candidate)).collect();
        let first = all.first()?;
        // Lock functions keep the address of LockCount too.
        let section = first.address.checked_sub(Layout::of(width).lock_count);
        Some(*all.iter().find(|candidate| Some(candidate.address) == section).unwrap_or(first))
    };
    let deleted = || deleted_under_waiters(scene, search, candidates());
    let only = || saved::only(scene, search, all);
    given.or(found).or_else(only).or(refused).or_else(agreed).or_else(deleted)
}

/// The score of an address that the caller's code gives: a section of zeros, deleted while a thread waited, is believed from
/// there only.
const GIVEN: u32 = 6;
/// Whether one way alone is as good as the call site's.
fn is_well_known(candidate: &Candidate) -> bool {
    candidate.ways.iter().any(|way| way.score >= GIVEN)
}

/// The least score of an address that several ways agree on.
const AGREED: u32 = 6;

/// The one section of zeros for which the failed wait and other threads stand.
///
/// - situation: a section was deleted while threads waited at it; the event is closed, and one wait fails.
/// - example: two threads sleep with the address of zeros, and of zeros 8 bytes on, at the tops of their stacks; so does the thread that failed.
/// - handling: zeros, and both addresses, that of the section and that of LockCount, on the faulting stack and with another thread; not on a
///   stack, where zeros are everywhere; only where there is one such address.
/// - test: `a_section_deleted_under_its_waiters_is_found`.
fn deleted_under_waiters<'c>(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    candidates: impl Iterator<Item = &'c Candidate>,
) -> Option<&'c Candidate> {
    matches!(search.failure, Failure::Wait(_)).then_some(())?;
    let width = scene.dump.system.pointer_width;
    let is_waited_at = |candidate: &&Candidate| {
        candidate.ways.iter().any(|way| way.is_waiter)
            && debug_info::is_possible_pointer(candidate.address, width)
            && scene.dump.stack_owner(candidate.address).is_none()
    };
    let all: Vec<&Candidate> = candidates.filter(is_waited_at).collect();
    let counted = |section: u64| section.checked_add(Layout::of(width).lock_count);
    let mut found = all.iter().filter(|candidate| {
        let is_zero = candidate.raw.is_some_and(|raw| raw.is_all_zero());
        is_zero && all.iter().any(|other| Some(other.address) == counted(candidate.address))
    });
    found.next().filter(|_| found.next().is_none()).copied()
}

/// Whether a candidate is a section by its own debug record, at which another thread waits.
fn is_genuine(scene: Scene<'_, '_>, candidate: &Candidate) -> bool {
    let width = scene.dump.system.pointer_width;
    let has_record = candidate.raw.is_some_and(|raw| {
        let state = debug_info::state(&scene.dump.memory, candidate.address, &raw, width);
        matches!(state, DebugInfoState::Own(_))
    });
    has_record && candidate.ways.iter().any(|way| way.is_waiter)
}

/// Whether several ways agree on an address although the gate refuses it, or its memory is gone: the section of a
/// failed signal that was written to since. What lies on the stack below the caller is the raiser's own.
fn is_agreed(scene: Scene<'_, '_>, search: Search<'_>, candidate: &Candidate) -> bool {
    let width = scene.dump.system.pointer_width;
    let sp = search.frames.first().and_then(|frame| frame.registers.sp()).unwrap_or(0);
    let caller = search.frames.get(caller_index(search)).and_then(|frame| frame.registers.sp());
    let on_raisers_stack = (sp..caller.unwrap_or(sp)).contains(&candidate.address);
    matches!(search.failure, Failure::Signal(_))
        && search.found.is_some()
        && (is_genuine(scene, candidate)
            || candidate.score() >= AGREED && candidate.ways.iter().any(|way| way.score >= 3))
        && debug_info::is_possible_pointer(candidate.address, width)
        && scene.dump.module_at(candidate.address).is_none_or(|_| candidate.raw.is_some())
        && !on_raisers_stack
}

/// The state of a section just left before the states that only may be one.
fn gate_class(candidate: &Candidate) -> u8 {
    match candidate.gate {
        Some(Gate::AfterSignal) => 0,
        Some(Gate::BargedIn) => 1,
        _ => 2,
    }
}

/// Whether a candidate that passes the gate, but was not given exactly, can be believed.
///
/// - situation: zeros, entered sections and garbage that passes by chance are everywhere in memory.
/// - example: a stack word that points into an image, where LockCount would be 31073.
/// - handling: zeros and entered sections need a register of a lock function's frame; a candidate known from the stack
///   alone must not count more waiters than there are threads.
/// - test: `garbage_on_the_stack_is_no_section` (tests/accuracy).
fn is_credible(scene: Scene<'_, '_>, search: Search<'_>, candidate: &Candidate) -> bool {
    let strong = candidate.ways.iter().any(|way| way.score >= 3);
    match candidate.gate {
        Some(Gate::AllZero | Gate::BargedIn) => strong && search.found.is_some(),
        _ => {
            let threads = scene.dump.threads.len() as u64;
            let waiters = candidate
                .raw
                .map_or(0, |raw| u64::from(waiters_before_signal(search.encoding, raw.lock_count)));
            let known = strong && search.found.is_some();
            candidate.address != 0 && (known || waiters <= threads && looks_made(scene, candidate))
        }
    }
}

/// Whether initialisation shows: a record that points back, none at all, or a valid spin count beside a
/// possible handle.
fn looks_made(scene: Scene<'_, '_>, candidate: &Candidate) -> bool {
    let width = scene.dump.system.pointer_width;
    candidate.raw.is_some_and(|raw| {
        match debug_info::state(&scene.dump.memory, candidate.address, &raw, width) {
            DebugInfoState::Own(_) | DebugInfoState::Absent => true,
            _ => {
                spin_count::is_plausible(raw.spin_count)
                    && handle::is_plausible(scene.dump, raw.lock_semaphore)
            }
        }
    })
}

/// What a section looks like to an Enter whose wait failed: an owner is inside, or a waiter was woken, and
/// there is a handle to wait for (critical-sections.md 0.1).
pub(super) fn is_waited_for(raw: &RawCriticalSection) -> bool {
    let none = [0, u64::MAX, u64::from(u32::MAX)];
    !none.contains(&raw.lock_semaphore) && raw.lock_count != -1 && raw.lock_count != -2
}

#[cfg(test)]
#[path = "locate_tests.rs"]
mod tests;
