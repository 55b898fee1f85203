//! What the handle trace says of the handle: who opened it, who closed it, who used it when it was closed.

use super::operations::{FailedCall, HandleHistory, Operation, Purpose};
use super::{Case, Finding, FindingId, changed_since};
use crate::crash::Crash;
use crate::crash::exception::INVALID_HANDLE;
use crate::critsec::debug_info::DebugInfoState;
use crate::dump::handle_trace::OperationKind;

/// The call whose failure a bad reference may record: the kernel records those to empty slots.
#[must_use]
pub fn failed_call(crash: &Crash) -> Option<FailedCall> {
    let lock = crash.lock.as_ref()?;
    (crash.exception.record.code == INVALID_HANDLE).then(|| FailedCall {
        thread_id: crash.thread_id,
        caller: lock.caller.and_then(|at| Some(crash.frames.get(at)?.registers.ip())),
    })
}

/// The closing of the section's event, as far as the trace tells which operation that was.
#[derive(Debug, Clone)]
pub enum Closing<'h> {
    /// By a lock function that deleted a section.
    Deleted(&'h Operation),
    /// By other code; where several operations come into question, all are at the same place.
    ByOtherCode(&'h Operation),
    /// By other code, at one of these places.
    ByOneOf(Vec<&'h Operation>),
    /// By a function of ntdll that cannot be named, which code outside the system called.
    WithinNtdll(&'h Operation),
    /// It was closed; by what kind of code is not known.
    Unattributed(Vec<&'h Operation>),
}

/// Who closed the section's event.
///
/// - situation: a handle value is used again and again; of its closings one is the section's, the others are those of
///   handles that their owners opened and closed as they should.
/// - example: `OPEN by agent.exe, CLOSE by agent.exe, OPEN in Enter, CLOSE by plugin.dll, BADREF in Leave`; or only the
///   first two, and a stray write that put the value into LockSemaphore.
/// - handling: in order, the first closing behind the last opening in a lock function; without such an opening, the last
///   closing, unless other code had opened what it closed. Without order, the closings beside an opening in a lock function;
///   without such an opening all, unless other code opened the value at all.
/// - test: `the_closing_of_another_owners_handle_accuses_nobody` (tests/history).
#[must_use]
pub fn closing(history: &HandleHistory) -> Option<Closing<'_>> {
    let closings = if history.is_ordered { in_order(history)? } else { without_order(history) };
    let purpose = |wanted| closings.iter().all(|one| one.purpose == wanted);
    match closings.as_slice() {
        [] => None,
        [first, ..] if purpose(Purpose::SectionDeleted) => Some(Closing::Deleted(first)),
        [only] if only.purpose == Purpose::WithinNtdll => Some(Closing::WithinNtdll(only)),
        [first, rest @ ..] if purpose(Purpose::OtherCode) => {
            let same = first.place.is_some() && rest.iter().all(|one| one.place == first.place);
            let named = same || rest.is_empty();
            Some(if named { Closing::ByOtherCode(first) } else { Closing::ByOneOf(closings) })
        }
        _ => Some(Closing::Unattributed(closings)),
    }
}

fn in_order(history: &HandleHistory) -> Option<Vec<&Operation>> {
    let end = history.operations.iter().position(|one| one.is_failure);
    let before = history.operations.get(..end.unwrap_or(history.operations.len()))?;
    let is_close = |one: &&Operation| one.kind == OperationKind::Close;
    if let Some(made) = before.iter().rposition(is_section_event) {
        return Some(before.iter().skip(made).find(is_close).into_iter().collect());
    }
    let at = before.iter().rposition(|one| one.kind == OperationKind::Close)?;
    let opened = at.checked_sub(1).and_then(|at| before.get(at));
    let is_anothers = opened
        .is_some_and(|one| one.kind == OperationKind::Open && one.purpose == Purpose::OtherCode);
    Some(before.get(at).filter(|_| !is_anothers).into_iter().collect())
}

fn without_order(history: &HandleHistory) -> Vec<&Operation> {
    let all = &history.operations;
    let close_at = |at: Option<usize>| {
        at.and_then(|at| all.get(at)).filter(|one| one.kind == OperationKind::Close)
    };
    let made = all.iter().enumerate().filter(|(_, one)| is_section_event(one));
    let mut beside: Vec<&Operation> = made
        .flat_map(|(at, _)| [close_at(at.checked_sub(1)), close_at(at.checked_add(1))])
        .flatten()
        .collect();
    beside.dedup_by_key(|one| one.index);
    let is_anothers = |one: &Operation| one.kind == OperationKind::Open;
    if !beside.is_empty() || all.iter().any(is_anothers) {
        return beside;
    }
    all.iter().filter(|one| one.kind == OperationKind::Close).collect()
}

fn is_section_event(one: &Operation) -> bool {
    one.kind == OperationKind::Open && one.purpose == Purpose::SectionEvent
}

/// `CloseHandle called from agent.exe+0x1629 by thread 0x24`.
#[must_use]
pub fn by_whom(operation: &Operation) -> String {
    let by = format!("thread {:#x}", operation.thread_id);
    match (&operation.through, &operation.place) {
        (Some(through), Some(place)) => format!("{through} called from {place} by {by}"),
        (None, Some(place)) => format!("a call at {place} by {by}"),
        (Some(through), None) => format!("{through}, called by {by}"),
        (None, None) => format!("code of {by} whose stack was not recorded"),
    }
}

fn source(operations: &[&Operation]) -> String {
    let entries: Vec<String> = operations.iter().take(4).map(|one| one.index.to_string()).collect();
    let word = if entries.len() == 1 { "entry" } else { "entries" };
    format!("HandleOperationList, {word} {}", entries.join(", "))
}

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(history) = case.history else { return };
    let value = history.value;
    bad_reference(history, findings);
    opened(history, findings);
    let only_used = history.operations.iter().all(|one| one.kind == OperationKind::BadReference);
    if only_used && history.is_complete && history.traced > 0 {
        // A ring forgets its oldest entries: that there is none means little.
        findings.push(Finding::new(
            FindingId::HandleNeverOpenedHere,
            format!(
                "Among {} recorded operations none opens or closes {value:#x}; older ones are not kept.",
                history.traced
            ),
            "HandleOperationList",
        ));
    }
    let Some(closing) = closing(history) else { return };
    let (id, text, of) = match &closing {
        Closing::Deleted(one) if is_intact(case) => (
            FindingId::HandleClosedByOtherDelete,
            format!(
                "{value:#x} was closed by the deletion of a section, {}, yet this section is not deleted.",
                by_whom(one)
            ),
            vec![*one],
        ),
        Closing::Deleted(one) => (
            FindingId::HandleClosedByDelete,
            format!("{value:#x} was closed by the deletion of a section: {}.", by_whom(one)),
            vec![*one],
        ),
        Closing::ByOtherCode(one) => (
            FindingId::HandleClosedByOtherCode,
            format!("{value:#x} was closed by code that is no lock function: {}.", by_whom(one)),
            vec![*one],
        ),
        Closing::ByOneOf(all) => (
            FindingId::HandleClosedByOtherCode,
            format!(
                "{value:#x} was closed by code that is no lock function, one of: {}.",
                list(all)
            ),
            all.clone(),
        ),
        Closing::WithinNtdll(one) => (
            FindingId::HandleClosedWithinNtdll,
            format!(
                "{value:#x} was closed within ntdll, not through CloseHandle: {}.",
                by_whom(one)
            ),
            vec![*one],
        ),
        Closing::Unattributed(all) => (
            FindingId::HandleClosedUnattributed,
            format!(
                "{value:#x} was closed; whether by deletion or by other code is not to be seen: {}.",
                list(all)
            ),
            all.clone(),
        ),
    };
    findings.push(Finding::new(id, text, source(&of)));
}

fn list(operations: &[&Operation]) -> String {
    operations.iter().take(4).map(|one| by_whom(one)).collect::<Vec<_>>().join("; ")
}

/// The section that failed was not itself deleted: Delete would have zeroed it (critical-sections.md 3).
///
/// - situation: the handle was closed by a Delete, and the section still shows all its fields.
/// - example: a byte copy whose original was deleted; a second Delete on reused memory that held the same value.
/// - handling: a section whose bytes are there, not zero and not written to since was not the one deleted.
/// - test: `the_deletion_of_the_original_is_no_deletion_of_the_copy` (tests/history).
fn is_intact(case: Case<'_, '_>) -> bool {
    let Some(section) = case.section else { return false };
    let gone = matches!(section.debug_info, Some(DebugInfoState::Null));
    section.raw.is_some_and(|raw| !raw.is_all_zero()) && !gone && !changed_since(case)
}

fn bad_reference(history: &HandleHistory, findings: &mut Vec<Finding>) {
    let Some(failure) = history.operations.iter().find(|one| one.is_failure) else { return };
    findings.push(Finding::new(
        FindingId::HandleBadReferenceRecorded,
        format!(
            "The kernel recorded that thread {:#x} used {:#x} in vain.",
            failure.thread_id, history.value
        ),
        source(&[failure]),
    ));
}

/// Who opened the handle: a lock function, for a section, or only other code.
///
/// - situation: the value in LockSemaphore may be one that other code opened and closed, or the slot's new owner may have
///   opened it after the section's event was closed.
/// - example: `OPEN by CreateFileA` alone, in a dump of 0xC0000024: that is who holds the slot now.
/// - handling: openings by other code count only when each was closed again.
/// - test: `the_new_owner_of_the_slot_is_no_evidence` (tests/history).
fn opened(history: &HandleHistory, findings: &mut Vec<Finding>) {
    let value = history.value;
    let of_kind = |kind| history.operations.iter().filter(move |one| one.kind == kind);
    let opens: Vec<&Operation> = of_kind(OperationKind::Open).collect();
    let all_closed = opens.len() <= of_kind(OperationKind::Close).count();
    let by_others = opens.iter().all(|one| one.purpose == Purpose::OtherCode);
    if let Some(made) = opens.iter().rev().find(|one| is_section_event(one)) {
        findings.push(Finding::new(
            FindingId::HandleOpenedForSection,
            format!("{value:#x} was opened as the event of a section: {}.", by_whom(made)),
            source(&[made]),
        ));
    } else if !opens.is_empty() && by_others && all_closed {
        findings.push(Finding::new(
            FindingId::HandleOpenedByOtherCode,
            format!(
                "{value:#x} was opened by code that is no lock function: {}; the trace has no opening for a section.",
                list(&opens)
            ),
            source(&opens),
        ));
    }
}
