//! Other sections of the process: those beside the failed one that are damaged in the same way, and those in the data
//! of modules whose events are gone too.

use super::rows;
use super::{Case, Finding, FindingId, has};
use crate::critsec::debug_info::{DebugInfoState, is_possible_pointer};
use crate::critsec::handle::{is_plausible, reach_of_table};
use crate::critsec::layout::Layout;
use crate::critsec::lock_count::{self, is_after_signal};
use crate::critsec::{CriticalSection, search, spin_count};
use crate::dump::handles::HandleTable;

/// Bytes on either side of the section in which others are looked for.
const REACH: u64 = 0x400;
/// Most bytes of modules' data searched.
const BUDGET: usize = 4 << 20;
/// Most sections whose events are gone that are counted.
const MAX_LOST: usize = 256;
/// Most places looked at closely.
const MAX_TRIED: usize = 8192;
/// What is said when one of the three is reached.
const BOUND: &str = "the search of modules' data for sections (4 MiB, 8192 places, 256 sections)";

/// Which part of a section is damaged, while the others are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damaged {
    Head,
    Handle,
    Tail,
}

/// The section that the address is in the middle of, or that begins in the middle of what was passed.
///
/// - situation: the pointer that was passed is off by a few bytes, or belongs to the field behind or before.
/// - example: `&lock.LockCount` for `&lock`: DebugInfo reads 0xFFFFFFFF, because that is the LockCount of a free section.
/// - handling: some words before or behind the address stands a section whose debug record points back to it, or that has none (-1)
///   and the LockCount and RecursionCount of a free one.
/// - test: `a_pointer_into_a_section_is_seen` (tests/accuracy).
pub(super) fn points_into_section(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.filter(|section| section.raw.is_some()) else { return };
    if matches!(section.debug_info, Some(DebugInfoState::Own(_))) {
        return;
    }
    let size = Layout::of(section.width).size;
    let width = section.width.bytes();
    let offsets = |step: u64| {
        (1u64..).map_while(move |count| count.checked_mul(step)).take_while(move |at| *at < size)
    };
    let before = offsets(4).filter_map(|offset| section.address.checked_sub(offset));
    // Behind, the section's own -1s read as those of another one: only a record proves it.
    let behind = offsets(width).filter_map(|offset| section.address.checked_add(offset));
    let start = before.chain(behind).find(|start| {
        let other = CriticalSection::read(case.scene.dump, *start, section.encoding);
        let free = other.raw.is_some_and(|raw| raw.lock_count == -1 && raw.recursion_count == 0);
        match other.debug_info {
            Some(DebugInfoState::Own(record)) => record.kind <= 1,
            Some(DebugInfoState::Absent) => free && *start < section.address,
            _ => false,
        }
    });
    let Some(start) = start else {
        near_by(case, section, findings);
        return;
    };
    let offset = section.address.abs_diff(start);
    let (side, how) = match start < section.address {
        true => ("before", "the address points into it"),
        false => ("behind", "it overlaps what was passed"),
    };
    findings.push(Finding::new(
        FindingId::PointsIntoSection,
        format!("A section begins {offset} bytes {side} {:#x}: {how}.", section.address),
        format!("memory at {start:#x}"),
    ));
}

/// How far behind the beginning of an object its section is looked for.
const OBJECT: u64 = 0x60;

/// A section that begins a little behind what was passed.
///
/// - situation: the address of an object, or of its first base, was passed for that of its section.
/// - example: a name of 20 bytes, a table's address, then the section; the name's address was passed.
/// - handling: up to 0x60 bytes behind the end of what was passed, a section with a record of its own; not at a multiple of
///   its size, as in an array of sections, nor where sections stand in a row, with the address in the place of one.
/// - test: `a_section_near_by_is_told_from_an_array`.
fn near_by(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let foreign = [FindingId::EveryFieldForeign, FindingId::HeadForeign];
    if !foreign.iter().any(|id| has(findings, *id)) {
        return;
    }
    let size = Layout::of(section.width).size;
    let width = section.width.bytes();
    let step = rows::step_at(case, section);
    let is_next = |offset: u64| step.is_some_and(|step| offset.is_multiple_of(step));
    let mut offsets = (1u64..)
        .map_while(|count| size.checked_add(count.checked_mul(width)?))
        .take_while(|offset| *offset <= size.saturating_add(OBJECT))
        .filter(|offset| !offset.is_multiple_of(size) && !is_next(*offset));
    let found = offsets.find_map(|offset| {
        let start = section.address.checked_add(offset)?;
        let other = CriticalSection::read(case.scene.dump, start, section.encoding);
        matches!(other.debug_info, Some(DebugInfoState::Own(record)) if record.kind <= 1)
            .then_some((offset, start))
    });
    if let Some((offset, start)) = found {
        findings.push(Finding::new(
            FindingId::SectionNearBy,
            format!("What was passed is no section, and one begins {offset} bytes behind it, at {start:#x}."),
            format!("memory at {start:#x}"),
        ));
    }
}

/// Sections beside the failed one that are damaged just as it is.
///
/// - situation: objects of one size lie side by side, each with a section and a buffer that is too small.
/// - example: DebugInfo is text here, and in another section 0x80 bytes on.
/// - handling: at distances up to 1 KiB on both sides, a section of which the same part is damaged and all other
///   parts are in order, with a lock state that agrees in itself.
/// - test: `siblings_with_the_same_damage_are_seen`.
pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let damaged = match findings {
        _ if has(findings, FindingId::HeadDamaged) => Damaged::Head,
        _ if has(findings, FindingId::OnlyHandleDamaged) => Damaged::Handle,
        _ if has(findings, FindingId::TailDamaged) => Damaged::Tail,
        _ => return,
    };
    let Some(section) = case.section else { return };
    let layout = Layout::of(section.width);
    let steps = REACH.checked_div(section.width.bytes()).unwrap_or(0);
    let distances = (1..=steps).filter_map(|step| step.checked_mul(section.width.bytes()));
    let mut alike = Vec::new();
    for distance in distances.filter(|distance| *distance >= layout.size) {
        let places = [section.address.checked_sub(distance), section.address.checked_add(distance)];
        for address in places.into_iter().flatten() {
            let other = CriticalSection::read(case.scene.dump, address, section.encoding);
            if damage_of(case, &other) == Some(damaged) {
                alike.push((distance, address));
            }
        }
    }
    let Some((stride, first)) = alike.first() else { return };
    findings.push(Finding::new(
        FindingId::NeighboursDamagedAlike,
        format!(
            "{} section(s) near by are damaged in the same way, the nearest {stride:#x} bytes away at {first:#x}.",
            alike.len()
        ),
        format!("memory at {first:#x}"),
    ));
}

/// The damaged part of what is otherwise a section.
fn damage_of(case: Case<'_, '_>, section: &CriticalSection) -> Option<Damaged> {
    let dump = case.scene.dump;
    let raw = section.raw?;
    let owned = dump.threads.iter().any(|thread| u64::from(thread.id) == raw.owning_thread);
    let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
    let agrees = match (raw.owning_thread, raw.recursion_count) {
        (0, 0) => raw.lock_count == -1 || is_after_signal(section.encoding, raw.lock_count),
        (_, 1..) => owned && state.locked,
        _ => false,
    };
    let few = usize::try_from(state.waiters).is_ok_and(|waiters| waiters <= dump.threads.len());
    if !agrees || !few {
        return None;
    }
    let value = raw.lock_semaphore;
    let handle = value == 0 || value == section.width.all_ones() || is_plausible(dump, value);
    let spin = spin_count::is_plausible(raw.spin_count);
    let head = matches!(section.debug_info?, DebugInfoState::Own(_) | DebugInfoState::Absent);
    match (section.debug_info?, head, handle, spin) {
        (DebugInfoState::Impossible, _, true, true) => Some(Damaged::Head),
        (_, true, false, true) => Some(Damaged::Handle),
        (_, true, _, false) => Some(Damaged::Tail),
        _ => None,
    }
}

/// Sections in the data of modules whose LockSemaphore is no open handle.
///
/// - situation: one bug that closes strangers' handles hits several sections; Windows 8 and later list hardly any.
/// - example: a static section whose DebugInfo is -1 and whose LockSemaphore 0x1A4 is not open either.
/// - handling: a word in a writable part of a module that could be a handle and is not open, where all fields around
///   it make a section; [`BUDGET`] bytes at most.
/// - test: `static_sections_without_their_events_are_found`.
pub(super) fn static_sections_without_events(case: Case<'_, '_>, table: &HandleTable) -> Vec<u64> {
    let Some(section) = case.section else { return Vec::new() };
    let width = section.width;
    let offset = Layout::of(width).lock_semaphore;
    let reach = reach_of_table(table);
    let mut left = BUDGET;
    let mut lost = Vec::new();
    let mut tried = 0usize;
    for module in case.scene.images.modules() {
        let Ok(image) = module.image() else { continue };
        for part in image.sections.iter().filter(|part| part.is_writable()) {
            let Some(start) = image.address(part.virtual_address) else { continue };
            let size = usize::try_from(part.virtual_size).unwrap_or(0).min(left);
            if left == 0 || lost.len() >= MAX_LOST {
                case.scene.flows.cut(BOUND);
                return lost;
            }
            let bytes = case.scene.dump.memory.read_up_to(start, size);
            left = left.saturating_sub(bytes.len());
            for (at, value) in super::claims::words(case, start, &bytes) {
                let is_gone = value != 0
                    && value.is_multiple_of(4)
                    && value <= reach
                    && table.get(value).is_none();
                let Some(address) = at.checked_sub(offset).filter(|_| is_gone) else { continue };
                let record = case.scene.dump.memory.pointer(address, width);
                if !record.is_some_and(|record| {
                    record == width.all_ones() || is_possible_pointer(record, width)
                }) {
                    continue;
                }
                tried = tried.saturating_add(1);
                if tried > MAX_TRIED {
                    case.scene.flows.cut(BOUND);
                    return lost;
                }
                if address != section.address
                    && search::genuine(case.scene.dump, address, section.encoding).is_some()
                {
                    lost.push(address);
                }
            }
        }
    }
    lost
}
