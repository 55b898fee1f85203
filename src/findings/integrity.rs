//! The section's own fields: which are as ntdll leaves them, and which are not.

use super::environment::EventMode;
use super::{Case, Finding, FindingId, field_at};
use crate::crash::operation::Failure;
use crate::critsec::CriticalSection;
use crate::critsec::debug_info::{DebugInfoState, RawDebugInfo};
use crate::critsec::handle::{HandleState, is_plausible};
use crate::critsec::layout::{Layout, RawCriticalSection};
use crate::critsec::lock_count::{self, LockCountEncoding};
use crate::critsec::spin_count::{self, SpinCountState};

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
        return;
    }
    if zero_then_entered(case, section, &raw) {
        findings.push(Finding::new(
            FindingId::SectionZeroThenEntered,
            "The section is zero but for what an Enter on zeros leaves: LockCount, LockSemaphore.",
            field_at(section, 0),
        ));
        return;
    }
    record(case, section, &raw, findings);
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

/// What DebugInfo leads to (critical-sections.md 9, rows 13 to 15).
///
/// - situation: initialisation makes a record that points back; a copy keeps its original's; Delete wipes it.
/// - example: DebugInfo leads to a record whose back pointer is this section.
/// - handling: see [`crate::critsec::debug_info::state`]; a list that has another record for this address is said too.
/// - test: `a_record_is_put_down_to_its_section`, `the_lab_shows_the_findings_of_the_evidence_table` (tests/accuracy).
fn record(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    let Some(state) = section.debug_info else { return };
    let at = format!("memory at {:#x}", raw.debug_info);
    let own_field = field_at(section, 0);
    match state {
        DebugInfoState::Own(record) => findings.push(Finding::new(
            FindingId::DebugRecordOwn,
            format!(
                "DebugInfo {:#x} points back to the section ({} contended entries{}).",
                raw.debug_info,
                record.contention_count,
                if is_listed(case, section, raw) { "; on the process's list" } else { "" }
            ),
            at,
        )),
        DebugInfoState::Foreign(record) => foreign(case, section, raw, &record, findings),
        DebugInfoState::Wiped => findings.push(Finding::new(
            FindingId::DebugRecordGone,
            format!("DebugInfo {:#x} leads to a debug record that was wiped.", raw.debug_info),
            at,
        )),
        DebugInfoState::NotARecord => findings.push(Finding::new(
            FindingId::DebugRecordInvalid,
            format!("DebugInfo {:#x} leads to memory that is no debug record.", raw.debug_info),
            at,
        )),
        DebugInfoState::Null => findings.push(Finding::new(
            FindingId::DebugInfoNull,
            "DebugInfo is 0, which initialisation never leaves.",
            own_field,
        )),
        DebugInfoState::Impossible => findings.push(Finding::new(
            FindingId::DebugInfoImpossible,
            format!("DebugInfo {:#x} cannot be the address of a debug record.", raw.debug_info),
            own_field,
        )),
        DebugInfoState::Absent => absent(case, section, raw, findings),
        DebugInfoState::NotCaptured => {}
    }
    let listed = case
        .others
        .iter()
        .find(|other| other.section == section.address && other.record != raw.debug_info);
    if let Some(listed) = listed.filter(|_| !matches!(state, DebugInfoState::Own(_))) {
        findings.push(Finding::new(
            FindingId::ListKnowsSection,
            format!(
                "The process's list holds the record {:#x} for this section; DebugInfo says {:#x}.",
                listed.record, raw.debug_info
            ),
            "list of sections",
        ));
    }
}

/// Whether the process's list leads to the section by its own record.
fn is_listed(case: Case<'_, '_>, section: &CriticalSection, raw: &RawCriticalSection) -> bool {
    case.others
        .iter()
        .any(|other| other.section == section.address && other.record == raw.debug_info)
}

/// The record names another address: an original that this section is a copy of, or a stranger.
///
/// - situation: memcpy or realloc of an object with a section.
/// - example: the record names an address where a section with the same event stands.
/// - handling: what stands at the named address must have the same record and the same event or spin count.
/// - test: `a_record_is_put_down_to_its_section`.
fn foreign(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    record: &RawDebugInfo,
    findings: &mut Vec<Finding>,
) {
    let twin =
        RawCriticalSection::read(&case.scene.dump.memory, record.critical_section, section.width);
    let looks_like_original = twin.is_some_and(|twin| {
        twin.debug_info == raw.debug_info
            && (twin.lock_semaphore == raw.lock_semaphore || twin.spin_count == raw.spin_count)
    });
    let (id, remark) = if looks_like_original {
        (FindingId::DebugRecordOfTwin, ", where a section with the same record stands")
    } else {
        (FindingId::DebugRecordForeign, "")
    };
    findings.push(Finding::new(
        id,
        format!(
            "DebugInfo {:#x} belongs to the section at {:#x}{remark}.",
            raw.debug_info, record.critical_section
        ),
        format!("memory at {:#x}", raw.debug_info),
    ));
}

/// -1 is normal from Windows 8 on; before Vista it does not occur, and on Vista and 7 only when asked for
/// (critical-sections.md 0.1, 2.4).
///
/// - situation: the first wait attaches a record on Windows 10; before Vista every section has one.
/// - example: LockCount -3 and DebugInfo -1 on Windows 10, without NO_DEBUG_INFO.
/// - handling: by version, not on Wine; the second only for a failed signal or wait.
/// - test: `a_record_that_should_be_there_is_missed`.
fn absent(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    let dump = case.scene.dump;
    let os = &dump.system.os;
    let wine = case.platform.is_wine;
    let asked_for = raw.spin_count & spin_count::NO_DEBUG_INFO != 0;
    let always = os.major > 0 && (os.major < 6 || os.major == 6 && os.minor == 0 && !asked_for);
    if always && !wine {
        findings.push(Finding::new(
            FindingId::DebugInfoAbsentUnexpected,
            format!(
                "DebugInfo is -1, but Windows {}.{} makes a record for every section.",
                os.major, os.minor
            ),
            field_at(section, 0),
        ));
    }
    let waited_for = matches!(case.lock.failure, Failure::Signal(_) | Failure::Wait(_));
    if os.major >= 10 && !wine && waited_for && !asked_for {
        findings.push(Finding::new(
            FindingId::ContendedWithoutRecord,
            "LockCount says that threads waited, but no debug record is attached; Windows 10 attaches one at the first wait.",
            field_at(section, 0),
        ));
    }
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
            || counts_too_many(case, section, raw);
    let dump = case.scene.dump;
    let no_events = case.platform.events == EventMode::Impossible;
    let handle = match case.handle {
        Some((_, HandleState::None | HandleState::WaitOnAddress)) | None => false,
        Some((value, _)) => no_events || !is_plausible(dump, value),
    };
    Damage { head, handle, spin: !spin_count::is_plausible(raw.spin_count) }
}

/// Which fields are damaged together (critical-sections.md 9, rows 10 and 11).
///
/// - situation: an overrun from before hits the first fields, one from behind the last, a stray write one.
/// - example: DebugInfo and LockCount in order, LockSemaphore and SpinCount 0x5A5A5A5A.
/// - handling: each part is damaged or in order by what ntdll can leave there.
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
    let (id, text) = match (damage.head, damage.handle, damage.spin) {
        (true, true, true) => (
            FindingId::EveryFieldForeign,
            "Neither DebugInfo nor LockSemaphore nor SpinCount is one that ntdll leaves.",
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

/// Whether LockCount counts more waiters than there are threads.
///
/// - situation: LockCount is no count of anything.
/// - example: 353703189 waiters in a process of 3 threads.
/// - handling: decoded for the encoding, against the thread list.
/// - test: `the_lab_shows_the_findings_of_the_evidence_table` (tests/accuracy).
fn counts_too_many(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
) -> bool {
    let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
    let threads = case.scene.dump.threads.len();
    threads > 0 && usize::try_from(state.waiters).is_ok_and(|waiters| waiters > threads)
}

fn counted_waiters(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    if counts_too_many(case, section, raw) {
        let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
        findings.push(Finding::new(
            FindingId::MoreWaitersThanThreads,
            format!(
                "LockCount {} counts {} waiters, but the process has {} threads.",
                raw.lock_count,
                state.waiters,
                case.scene.dump.threads.len()
            ),
            field_at(section, Layout::of(section.width).lock_count),
        ));
    }
}
