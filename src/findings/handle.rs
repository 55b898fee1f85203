//! The handle: what its value looks like, what stands in its slot, and where the section's real event is.

use super::claims;
use super::environment::EventMode;
use super::siblings::static_sections_without_events;
use super::threads::parked_threads;
use super::{Case, Finding, FindingId};
use crate::crash::exception::{ACCESS_DENIED, INVALID_HANDLE, OBJECT_TYPE_MISMATCH};
use crate::crash::waits::Held;
use crate::critsec::handle::{
    HandleState, LARGEST_HANDLE, is_plausible, is_section_event, reach_of_table,
};
use crate::critsec::lock_count;
use crate::dump::handles::{Handle, HandleTable};
use std::collections::HashSet;

/// How far above the highest open handle a closed one is expected: a few dozen slots.
const REACH: u64 = 0x100;
/// Without a handle stream: values up to here are common for handles.
const SMALL: u64 = 0x1_0000;
/// Words at the top of a waiting stack in which the wait keeps its handle and the section's address.
const WAIT_WORDS: usize = 96;
/// Smaller values stand on every stack for other reasons.
pub(super) const SMALLEST_TELLING: u64 = 0x20;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some((value, state)) = case.handle else { return };
    if matches!(state, HandleState::None | HandleState::WaitOnAddress) {
        return;
    }
    let table = case.scene.dump.handles.as_ref().filter(|table| !table.handles.is_empty());
    value_findings(case, value, state, table, findings);
    slot_findings(case, value, state, table, findings);
    slot_at_failure(case, value, findings);
    if case.platform.events != EventMode::Impossible {
        let mut unclaimed = Vec::new();
        if let Some(table) = table {
            unclaimed = real_event(case, value, table, findings);
            other_sections(case, table, findings);
        }
        waiters_handles(case, value, &unclaimed, findings);
    }
}

/// What the value looks like (critical-sections.md 9, rows 2 and 6).
///
/// - situation: a closed handle was one that the kernel handed out; a stray write leaves anything.
/// - example: 0x1F0 with open handles up to 0x2A0; 0x736F746E, which is text.
/// - handling: no multiple of 4, too large or an address cannot be a handle; others are compared with the open ones' range.
/// - test: `the_lab_shows_the_findings_of_the_evidence_table` (tests/accuracy).
fn value_findings(
    case: Case<'_, '_>,
    value: u64,
    state: HandleState,
    table: Option<&HandleTable>,
    findings: &mut Vec<Finding>,
) {
    let source = "LockSemaphore";
    if !is_plausible(case.scene.dump, value) {
        findings.push(Finding::new(
            FindingId::HandleImplausible,
            format!("{value:#x} is no handle that ntdll stores: {}.", why_implausible(value)),
            source,
        ));
        return;
    }
    let Some(table) = table else {
        if value <= SMALL {
            findings.push(Finding::new(
                FindingId::HandleSmallMultipleOfFour,
                format!("{value:#x} looks like a handle; the dump has no handle stream to look it up in."),
                source,
            ));
        }
        return;
    };
    let highest = table.handles.iter().map(|handle| handle.value).max().unwrap_or(0);
    if value > reach_of_table(table) {
        findings.push(Finding::new(
            FindingId::HandleBeyondLiveRange,
            format!("{value:#x} is far above the highest open handle, {highest:#x}."),
            "HandleDataStream",
        ));
    } else if state == HandleState::Absent && value <= highest.saturating_add(REACH) {
        findings.push(Finding::new(
            FindingId::HandleInLiveRange,
            format!("{value:#x} is a value that the kernel hands out (highest open handle {highest:#x})."),
            "HandleDataStream",
        ));
    }
}

fn why_implausible(value: u64) -> &'static str {
    if !value.is_multiple_of(4) {
        "those that the system gives out are multiples of 4"
    } else if value > LARGEST_HANDLE {
        "handle tables do not grow that far"
    } else {
        "it is the address of memory of this process"
    }
}

/// What stands in the slot (critical-sections.md 9, rows 28 to 30).
///
/// - situation: a slot that was closed is handed out again.
/// - example: an event with access 0x1F0003 where ntdll asks for 0x100003.
/// - handling: type, name and access in the handle stream.
/// - test: `what_stands_in_the_slot_is_told_apart`.
fn slot_findings(
    case: Case<'_, '_>,
    value: u64,
    state: HandleState,
    table: Option<&HandleTable>,
    findings: &mut Vec<Finding>,
) {
    let Some(table) = table else { return };
    let source = "HandleDataStream";
    match (state, table.get(value)) {
        (HandleState::Absent, _) => findings.push(Finding::new(
            FindingId::HandleSlotEmpty,
            format!("{value:#x} is not among the {} open handles.", table.handles.len()),
            source,
        )),
        (HandleState::Event, Some(handle)) if is_section_event(handle) => {
            findings.push(Finding::new(
                FindingId::SlotHoldsSectionEvent,
                format!(
                    "{value:#x} is open now: an unnamed event with the access that ntdll asks for."
                ),
                source,
            ))
        }
        (HandleState::Event, Some(handle)) => findings.push(Finding::new(
            FindingId::SlotHoldsForeignEvent,
            format!(
                "{value:#x} is an event that ntdll did not create for a section: access {:#x}{}.",
                handle.granted_access,
                named(handle)
            ),
            source,
        )),
        (HandleState::OtherObject, Some(handle)) => {
            let (id, remark) = if may_be_writers_file(case.crash.exception.record.code, handle) {
                (
                    FindingId::SlotHoldsWritersFile,
                    "; the slot was empty at the exception, and a dump's writer opens files",
                )
            } else {
                (FindingId::SlotHoldsOtherObject, "")
            };
            let type_name = handle.type_name.as_deref().unwrap_or("object of unknown type");
            findings.push(Finding::new(
                id,
                format!("{value:#x} is a {type_name}{}{remark}.", named(handle)),
                source,
            ));
        }
        _ => {}
    }
}

/// What the exception says of the slot at that instant, whatever it holds now (critical-sections.md 4.3).
///
/// - situation: the code itself is evidence: 0xC0000008 is an empty slot, 0xC0000024 an object of another type,
///   0xC0000022 an event that may not be set.
/// - example: 0xC0000024 in a dump without a handle stream.
/// - handling: only where no implausible value explains the failure better.
/// - test: `the_code_says_what_the_slot_held` (tests/accuracy).
fn slot_at_failure(case: Case<'_, '_>, value: u64, findings: &mut Vec<Finding>) {
    let code = case.crash.exception.record.code;
    let what = match code {
        OBJECT_TYPE_MISMATCH => "held an object that is no event",
        ACCESS_DENIED => "held an object without the access that the call needs",
        _ => return,
    };
    if is_plausible(case.scene.dump, value) {
        findings.push(Finding::new(
            FindingId::SlotWasTaken,
            format!("{code:#X} says that the slot of {value:#x} {what} when the call failed."),
            "exception code",
        ));
    }
}

fn named(handle: &Handle) -> String {
    handle.object_name.as_deref().map_or_else(String::new, |name| format!(" named {name}"))
}

/// A File in a slot that the exception says was empty can have been opened while the dump was written.
///
/// - situation: 0xC0000008 says that the slot was empty at that instant, yet the dump shows an object there.
/// - example: an in-process writer opens the .dmp, which takes the lowest free slot.
/// - handling: with 0xC0000008 a File in the slot is the writer's as far as anyone can tell; with 0xC0000024 it was
///   there before.
/// - test: `a_file_in_an_empty_slot_is_the_writers`.
fn may_be_writers_file(code: u32, handle: &Handle) -> bool {
    code == INVALID_HANDLE && handle.is_type("File")
}

/// Where the section's own event is: open under another value, or nowhere. Returns the open events of ntdll's
/// kind that belong to no section.
///
/// - situation: by its value alone a stray small number in LockSemaphore is no different from a closed handle.
/// - example: LockSemaphore 0x1F0 is not open, and 0x40 is an open event of ntdll's kind that belongs to no section.
/// - handling: an event counts as claimed when a section on the process's list, or found in memory, holds it; that
///   nobody claims it is said only of dumps that hold all memory.
/// - test: `an_event_of_another_section_is_claimed` (tests/accuracy).
fn real_event(
    case: Case<'_, '_>,
    value: u64,
    table: &HandleTable,
    findings: &mut Vec<Finding>,
) -> Vec<u64> {
    let own = case.section.map(|section| section.address);
    let others = case.list.sections.iter().filter(|other| Some(other.section) != own);
    let listed: HashSet<u64> = others.filter_map(|other| Some(other.raw?.lock_semaphore)).collect();
    let open =
        table.handles.iter().filter(|handle| is_section_event(handle) && handle.value != value);
    let mut unclaimed: Vec<&Handle> =
        open.filter(|handle| !listed.contains(&handle.value)).collect();
    let values: Vec<u64> = unclaimed.iter().map(|handle| handle.value).collect();
    let is_none_open = !table.handles.iter().any(is_section_event);
    let (found, is_complete) = claims::sections_holding(case, &values);
    unclaimed.retain(|handle| !found.contains(&handle.value));
    let source = "HandleDataStream and the sections of the process";
    let near = unclaimed.iter().find(|handle| (handle.value ^ value).is_power_of_two());
    if let Some(near) = near.filter(|_| is_complete) {
        findings.push(Finding::new(
            FindingId::OneBitFromOpenEvent,
            format!(
                "{value:#x} differs in one bit from {:#x}, an open event of ntdll's kind that no section claims.",
                near.value
            ),
            source,
        ));
    }
    match unclaimed.first() {
        Some(handle) if is_complete => findings.push(Finding::new(
            FindingId::UnclaimedEvent,
            format!("{:#x} is an open event of ntdll's kind that no section claims.", handle.value),
            source,
        )),
        None if table.is_complete() && may_have_an_event(case) => findings.push(Finding::new(
            FindingId::NoUnclaimedEvent,
            match is_none_open {
                true => "No event of the kind that ntdll creates for sections is open: this section's is not, either.",
                false => "Every open event of the kind that ntdll creates belongs to another section: this section's is not open.",
            },
            source,
        )),
        _ => {}
    }
    unclaimed.iter().map(|handle| handle.value).collect()
}

/// Whether LockCount can be the count of a section that threads wait for: of bytes that are no section's nothing says that
/// it ever had an event.
fn may_have_an_event(case: Case<'_, '_>) -> bool {
    let Some(raw) = case.section.and_then(|section| section.raw.zip(Some(section.encoding))) else {
        return true;
    };
    let state = lock_count::decode(raw.1, raw.0.lock_count, raw.0.recursion_count);
    usize::try_from(state.waiters).is_ok_and(|waiters| waiters <= case.scene.dump.threads.len())
}

/// Other sections whose events are not open either (critical-sections.md 9, row 32).
///
/// - situation: one bug that closes strangers' handles hits several sections.
/// - example: a listed section whose LockSemaphore 0x1A4 is not open.
/// - handling: the process's list, and the data of modules where the handle stream is complete.
/// - test: `static_sections_without_their_events_are_found`.
fn other_sections(case: Case<'_, '_>, table: &HandleTable, findings: &mut Vec<Finding>) {
    let own = case.section.map(|section| section.address);
    let mut lost: Vec<u64> = case
        .list
        .sections
        .iter()
        .filter(|other| Some(other.section) != own)
        .filter_map(|other| Some((other.section, other.raw?.lock_semaphore)))
        .filter(|(_, handle)| {
            is_plausible(case.scene.dump, *handle) && table.get(*handle).is_none()
        })
        .map(|(section, _)| section)
        .collect();
    if table.is_complete() {
        let found = static_sections_without_events(case, table);
        lost.extend(found.into_iter().filter(|address| Some(*address) != own));
        lost.sort_unstable();
        lost.dedup();
    }
    if let Some(first) = lost.first() {
        findings.push(Finding::new(
            FindingId::OtherSectionsLostHandles,
            format!(
                "{} other section(s) have lost their events too, the first at {first:#x}.",
                lost.len()
            ),
            "list of sections, data of modules, and HandleDataStream",
        ));
    }
}

/// The handle that threads parked at the section wait for, where their registers or stacks still show it.
///
/// - situation: a stray write puts a small unused multiple of 4 into LockSemaphore: by its value alone it is no
///   different from a closed handle.
/// - example: waiters wait for 0x40 while LockSemaphore says 0x1F0.
/// - handling: look for LockSemaphore's value, and for events that belong to no section, in the waiters' registers and
///   between their stack pointer and the word that holds the section's address; only one of the two may be there.
/// - test: `waiters_tell_a_stray_write_from_a_closed_handle` (tests/accuracy).
fn waiters_handles(case: Case<'_, '_>, value: u64, unclaimed: &[u64], findings: &mut Vec<Finding>) {
    for thread in parked_threads(case) {
        let words = words_of_wait(case, thread);
        let own = value >= SMALLEST_TELLING && words.contains(&value);
        let other =
            unclaimed.iter().find(|event| **event >= SMALLEST_TELLING && words.contains(event));
        let (id, text) = match (own, other) {
            (true, None) => {
                (FindingId::WaitersUseThisHandle, format!("waits for {value:#x} itself"))
            }
            (false, Some(other)) => {
                (FindingId::WaitersUseOtherHandle, format!("waits for {other:#x}, which is open"))
            }
            _ => continue,
        };
        findings.push(Finding::new(
            id,
            format!("Thread {:#x}, parked at the section, {text}.", thread.thread_id),
            format!("registers and stack of thread {:#x}", thread.thread_id),
        ));
        return;
    }
}

/// A parked thread's registers, and its stack up to the word that holds the section's address.
pub(super) fn words_of_wait(case: Case<'_, '_>, thread: &Held) -> Vec<u64> {
    let section = case.section.map_or(0, |section| section.address);
    let stack = thread.stack.iter().copied().take(WAIT_WORDS);
    let stack = stack.take_while(|word| *word != section);
    thread.registers.iter().copied().chain(stack).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::exception::OBJECT_TYPE_MISMATCH;

    #[test]
    fn a_file_in_an_empty_slot_is_the_writers() {
        let file = Handle {
            value: 0x40,
            type_name: Some("File".into()),
            object_name: None,
            attributes: 0,
            granted_access: 0x12_0089,
            handle_count: 1,
            pointer_count: 1,
            object_infos: Vec::new(),
        };
        assert!(may_be_writers_file(INVALID_HANDLE, &file));
        assert!(!may_be_writers_file(OBJECT_TYPE_MISMATCH, &file));
        assert!(!may_be_writers_file(
            INVALID_HANDLE,
            &Handle { type_name: Some("Key".into()), ..file }
        ));
    }
}
