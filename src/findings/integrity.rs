//! The section's own fields: which are as ntdll leaves them, and which are not.

use super::environment::EventMode;
use super::{Case, Finding, FindingId, around, field_at, record};
use crate::crash::operation::Failure;
use crate::critsec::debug_info::DebugInfoState;
use crate::critsec::handle::{HandleState, is_plausible};
use crate::critsec::layout::{Layout, RawCriticalSection};
use crate::critsec::lock_count::{self, LockCountEncoding};
use crate::critsec::spin_count::{self, SpinCountState};
use crate::critsec::{CriticalSection, has_live_owner};

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    let Some(raw) = section.raw else { return };
    if raw.is_all_zero() {
        // No Leave got as far as to signal: zeros are no sign of a race.
        let stopped = matches!(case.lock.failure, Failure::VerifierStop(_));
        let id = if stopped { FindingId::SectionZeroAtStop } else { FindingId::SectionAllZero };
        findings.push(Finding::new(id, "Every byte of the section is zero.", field_at(section, 0)));
        if !stopped {
            passed_although_zero(case, findings);
        }
        record::listed(case, section, findings);
        around::collect(case, section, findings);
        return;
    }
    if zero_then_entered(case, section, &raw) {
        findings.push(Finding::new(
            FindingId::SectionZeroThenEntered,
            "The section is zero but for what an Enter on zeros leaves: LockCount, LockSemaphore.",
            field_at(section, 0),
        ));
        record::listed(case, section, findings);
        around::collect(case, section, findings);
        return;
    }
    record::collect(case, section, &raw, findings);
    spin(case, section, &raw, findings);
    shape(case, section, &raw, findings);
    counted_waiters(case, section, &raw, findings);
}

/// A section of zeros has no handle: the one that the call still shows was read before it was zeroed
/// (critical-sections.md 9, row 8).
///
/// - situation: Delete zeroed the section while Leave was about to signal.
/// - example: zeros, and 0x1F0 as the argument of NtSetEvent on an x86 stack.
/// - handling: only where the system service's argument still stands on the stack.
/// - test: `a_handle_passed_by_a_zeroed_section`.
fn passed_although_zero(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some((value, _)) = case.handle.filter(|(value, _)| *value != 0) else { return };
    findings.push(Finding::new(
        FindingId::HandlePassedAlthoughZero,
        format!("The call passed {value:#x}, which the section no longer holds: it was zeroed meanwhile."),
        "argument of the system service",
    ));
}

/// Enter on a zero-filled section creates an event and counts itself before it faults: LockCount -4 (flags
/// encoding), LockSemaphore a handle or -1, everything else 0 (critical-sections.md 0.1, measured). In the
/// counting encoding LockCount is 1.
///
/// - situation: zeroed storage that nobody initialised, or a deleted section, is entered.
/// - example: LockCount -4, LockSemaphore 0x40, all else 0.
/// - handling: every field as that Enter leaves it; which of the two it was is not decided here.
/// - test: `the_lab_shows_the_findings_of_the_evidence_table` (tests/accuracy).
fn zero_then_entered(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
) -> bool {
    let untouched = raw.debug_info == 0
        && raw.recursion_count <= 0
        && raw.owning_thread == 0
        && raw.spin_count == 0;
    let counted = match section.encoding {
        LockCountEncoding::Flags => (-64..=0).contains(&raw.lock_count),
        LockCountEncoding::Counting => (0..=16).contains(&raw.lock_count),
    };
    let handle = raw.lock_semaphore == 0
        || raw.lock_semaphore == section.width.all_ones()
        || is_plausible(case.scene.dump, raw.lock_semaphore);
    untouched && counted && handle
}

fn spin(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    let offset = Layout::of(section.width).spin_count;
    let system = &case.scene.dump.system;
    let version = (!case.platform.is_wine).then_some((system.os.major, system.os.minor));
    let (id, verdict) = match spin_count::judge(raw.spin_count, version, system.processors) {
        SpinCountState::Plausible => {
            (FindingId::SpinCountPlausible, "is one that initialisation leaves")
        }
        SpinCountState::Unusual(why) => (FindingId::SpinCountUnusual, why),
        SpinCountState::Implausible => {
            (FindingId::SpinCountImplausible, "is not one that initialisation leaves")
        }
    };
    findings.push(Finding::new(
        id,
        format!("SpinCount {:#x} {verdict}.", raw.spin_count),
        field_at(section, offset),
    ));
}

/// Which fields cannot have been left by ntdll.
#[derive(Debug, Clone, Copy)]
struct Damage {
    head: bool,
    handle: bool,
    spin: bool,
}

fn damage(case: Case<'_, '_>, section: &CriticalSection, raw: &RawCriticalSection) -> Damage {
    let head =
        matches!(section.debug_info, Some(DebugInfoState::Impossible | DebugInfoState::Null))
            || counts_too_many(case, section, raw)
            || entered_too_often(raw);
    let dump = case.scene.dump;
    let no_events = case.platform.events == EventMode::Impossible;
    let handle = match case.handle {
        Some((_, HandleState::None | HandleState::WaitOnAddress)) => false,
        Some((value, _)) => no_events || !is_plausible(dump, value),
        // No handle was used: the field is there all the same.
        None => {
            ![0, section.width.all_ones()].contains(&raw.lock_semaphore)
                && !is_plausible(dump, raw.lock_semaphore)
        }
    };
    Damage { head, handle, spin: !spin_count::is_plausible(raw.spin_count) }
}

/// Which fields are damaged together (critical-sections.md 9, rows 10 and 11).
///
/// - situation: an overrun from before hits the first fields, one from behind the last, a stray write one.
/// - example: DebugInfo and LockCount in order, LockSemaphore and SpinCount 0x5A5A5A5A.
/// - handling: each part is damaged or in order by what ntdll can leave there; a SpinCount that could be any number is
///   taken with the fields before it. DebugInfo is not in order where it leads to what is no record. LockSemaphore between
///   damaged fields says nothing: 0 stands anywhere, and an Enter that waits makes it -1.
/// - test: `the_lab_shows_the_findings_of_the_evidence_table` (tests/accuracy).
fn shape(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    let damage = damage(case, section, raw);
    let intact_record =
        matches!(section.debug_info, Some(DebugInfoState::Own(_) | DebugInfoState::Absent));
    let bad_record = only_record_damaged(case, section, raw);
    // A spin count that may be anything does not vouch for the fields before it.
    let tail = damage.spin || !spin_count::is_telling(raw.spin_count);
    // Where the last fields are not ntdll's, a first one that leads to no record is no redirected pointer.
    let leads_nowhere =
        damage.handle && damage.spin && section.debug_info == Some(DebugInfoState::NotARecord);
    let is_nothings = [0, section.width.all_ones()].contains(&raw.lock_semaphore);
    let (id, text) = match (damage.head || leads_nowhere, damage.handle, damage.spin) {
        (true, true, true) => (
            FindingId::EveryFieldForeign,
            "Neither DebugInfo nor LockSemaphore nor SpinCount is one that ntdll leaves.",
        ),
        (true, false, true) if is_nothings => (
            FindingId::EveryFieldForeign,
            "Neither the first fields nor SpinCount are as ntdll leaves them; LockSemaphore may be by chance.",
        ),
        (true, true, false) if tail => (
            FindingId::EveryFieldForeign,
            "Neither the first fields nor LockSemaphore are as ntdll leaves them; SpinCount may be by chance.",
        ),
        (true, true, false) => (
            FindingId::HeadDamaged,
            "The fields up to LockSemaphore are damaged; SpinCount is in order.",
        ),
        (_, false, false) if bad_record.is_some() => (
            bad_record.unwrap_or(FindingId::OnlyRecordDamaged),
            "Only DebugInfo is not in order; the counts and the owner agree with each other.",
        ),
        (true, false, false) if tail => (
            FindingId::HeadForeign,
            "The first fields are not as ntdll leaves them; what stands in the last ones stands in any memory.",
        ),
        (true, false, false) => (
            FindingId::HeadDamaged,
            "The first fields are damaged; LockSemaphore and SpinCount are in order.",
        ),
        (false, _, true) => {
            (FindingId::TailDamaged, "The last fields are damaged; those before are in order.")
        }
        (false, true, false) if intact_record => (
            FindingId::OnlyHandleDamaged,
            "Only LockSemaphore is damaged; every other field is in order.",
        ),
        _ => return,
    };
    findings.push(Finding::new(id, text, field_at(section, 0)));
}

/// Whether DebugInfo alone is wrong: the finding that says so, by where it leads.
///
/// - situation: a stray write hit the first field; a section never made, or another object, has other fields foreign too.
/// - example: DebugInfo 0x6cb804, LockCount -1, nobody inside; or an owner that is a thread.
/// - handling: LockCount, RecursionCount and OwningThread must be those of a free section or of one owned by a live thread. NULL
///   counts only in the encoding whose Delete does not leave it so; what is not in the dump where the list has the section's record.
/// - test: `the_lab_shows_the_findings_of_the_evidence_table` (tests/accuracy).
fn only_record_damaged(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
) -> Option<FindingId> {
    let id = match section.debug_info? {
        DebugInfoState::Impossible => FindingId::OnlyRecordDamaged,
        DebugInfoState::NotARecord => FindingId::OnlyRecordRedirected,
        // Its record is on the list, and is another.
        DebugInfoState::NotCaptured if is_listed(case, section) => FindingId::OnlyRecordDamaged,
        // The counting encoding's Delete may leave -1 and 0 (critical-sections.md 10, point 4).
        DebugInfoState::Null if section.encoding == LockCountEncoding::Flags => {
            FindingId::OnlyRecordNull
        }
        _ => return None,
    };
    let is_free = raw.owning_thread == 0 && raw.recursion_count == 0 && raw.lock_count == -1;
    let is_owned =
        has_live_owner(case.scene.dump, raw, section.encoding) && !entered_too_often(raw);
    let agrees = is_free || is_owned;
    agrees.then_some(id)
}

/// Whether a record on the list names the section, and is not the one that DebugInfo leads to.
fn is_listed(case: Case<'_, '_>, section: &CriticalSection) -> bool {
    let debug_info = section.raw.map(|raw| raw.debug_info);
    let mut listed = case.list.sections.iter();
    listed.any(|one| one.section == section.address && Some(one.record) != debug_info)
}

/// Whether LockCount counts far more waiters than there are threads.
///
/// - situation: LockCount is no count of anything; or threads of another process wait at a section in shared memory.
/// - example: 353703189 waiters in a process of 3 threads; 2 in one with a single thread.
/// - handling: decoded for the encoding, against the thread list; up to [`MANY`] more may be another process's, which is a
///   finding of its own.
/// - test: `the_lab_shows_the_findings_of_the_evidence_table` (tests/accuracy).
fn counts_too_many(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
) -> bool {
    let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
    let threads = case.scene.dump.threads.len();
    let most = threads.saturating_add(MANY);
    threads > 0 && usize::try_from(state.waiters).is_ok_and(|waiters| waiters > most)
}

/// Whether RecursionCount counts more than anybody enters, or leaves, a section.
///
/// - situation: in the counting encoding a huge RecursionCount makes LockCount decode as no waiters at all.
/// - example: RecursionCount 807416113, which is text.
/// - handling: beyond 65,536 to either side.
/// - test: `a_huge_recursion_count_is_damage`.
fn entered_too_often(raw: &RawCriticalSection) -> bool {
    raw.recursion_count.unsigned_abs() > 0x1_0000
}

/// What LockCount may count beyond the threads of the process, and still be a count of threads: of another one's. A
/// number that is no count is seldom so small.
const MANY: usize = 64;

fn counted_waiters(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
    let threads = case.scene.dump.threads.len();
    let beyond = usize::try_from(state.waiters).is_ok_and(|waiters| waiters > threads);
    if counts_too_many(case, section, raw) {
        findings.push(Finding::new(
            FindingId::MoreWaitersThanThreads,
            format!(
                "LockCount {} counts {} waiters, but the process has {} threads.",
                raw.lock_count, state.waiters, threads
            ),
            field_at(section, Layout::of(section.width).lock_count),
        ));
    } else if beyond && threads > 0 {
        findings.push(Finding::new(
            FindingId::WaitersBeyondThreads,
            format!(
                "LockCount {} counts {} waiters, more than the {threads} threads of the process.",
                raw.lock_count, state.waiters
            ),
            field_at(section, Layout::of(section.width).lock_count),
        ));
    }
}
