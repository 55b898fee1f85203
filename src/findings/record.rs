//! The debug record: what DebugInfo leads to, and what the process's list of records knows.

use super::{Case, Finding, FindingId, field_at};
use crate::crash::operation::Failure;
use crate::critsec::CriticalSection;
use crate::critsec::debug_info::{DebugInfoState, RawDebugInfo};
use crate::critsec::layout::RawCriticalSection;
use crate::critsec::{lock_count, spin_count};

/// What DebugInfo leads to (critical-sections.md 9, rows 13 to 15).
///
/// - situation: initialisation makes a record that points back; a copy keeps its original's; Delete wipes it.
/// - example: DebugInfo leads to a record whose back pointer is this section.
/// - handling: see [`crate::critsec::debug_info::state`]; a list that has another record for this address is said too.
/// - test: `a_record_is_put_down_to_its_section`, `the_lab_shows_the_findings_of_the_evidence_table` (tests/accuracy).
pub(super) fn collect(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    contended_before(case, section, raw, findings);
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
        // Zeros in a program's own data, or on a stack, are no record that was wiped.
        DebugInfoState::Wiped if is_no_place(case, raw.debug_info) => {
            findings.push(Finding::new(
                FindingId::DebugRecordInvalid,
                format!("DebugInfo {:#x} leads to zeros where no record lies: in a module's data, or on a stack.", raw.debug_info),
                at,
            ));
        }
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
    list_facts(case, section, raw, state, findings);
    if !matches!(state, DebugInfoState::Own(_)) {
        another_is_listed(case, section, raw, findings);
    }
}

/// What the process's list knows of a section of zeros.
///
/// - situation: Delete takes the record off the list before it clears the section; whoever else clears it does not.
/// - example: a block with a section was freed and given out again, zeroed; the list still has the record.
/// - handling: as for sections that are not zero. In static data it weighs less than there, and less than in memory that is given out and back:
///   the shared dumps of a zeroed section, which were made in an emulator, have such a record, and are to be called never initialised or
///   deleted.
/// - test: `a_cleared_section_is_still_listed`.
pub(super) fn listed(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    findings.extend(lacking(case, section.address));
    let mut sections = case.list.sections.iter();
    if let Some(listed) = sections.find(|other| other.section == section.address) {
        let is_static = case.scene.dump.module_at(section.address).is_some();
        let id = match is_static {
            true => FindingId::ZerosStillListed,
            false => FindingId::ClearedWhileListed,
        };
        findings.push(Finding::new(
            id,
            format!(
                "The process's list still holds the record {:#x} for this section, which Delete takes off it before it clears the section.",
                listed.record
            ),
            "list of sections",
        ));
    }
}

fn another_is_listed(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    let mut sections = case.list.sections.iter();
    let listed =
        sections.find(|other| other.section == section.address && other.record != raw.debug_info);
    if let Some(listed) = listed {
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

/// Whether an address lies where ntdll has no debug records: in another module, or on a stack.
fn is_no_place(case: Case<'_, '_>, address: u64) -> bool {
    let dump = case.scene.dump;
    let is_in_module =
        || dump.module_at(address).is_some_and(|module| !module.is_named("ntdll.dll"));
    is_in_module() || dump.stack_owner(address).is_some()
}

/// What the whole list of debug records says of the section (critical-sections.md 6.2: nearly all sections up to Windows 7
/// are on it).
///
/// - situation: a section that was initialised and then overwritten is still on the list; one that never was, or was
///   deleted, is not. A record that was overwritten is still linked to by its neighbours.
/// - example: 14 records in a closed ring, none of which names the address; a ring that leads to DebugInfo, where floats are.
/// - handling: only a walk that came back to its start, only up to Windows 7, and not for sections without a record (-1).
/// - test: `the_list_knows_every_section_of_windows_7` (tests/accuracy).
fn list_facts(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    state: DebugInfoState,
    findings: &mut Vec<Finding>,
) {
    if matches!(state, DebugInfoState::Own(_) | DebugInfoState::Absent) {
        return;
    }
    let list = case.list;
    if list.nodes.contains(&raw.debug_info) && !matches!(state, DebugInfoState::Foreign(_)) {
        findings.push(Finding::new(
            FindingId::ListLeadsToRecord,
            format!(
                "The process's list leads to DebugInfo {:#x}, where no record stands any more.",
                raw.debug_info
            ),
            "list of sections",
        ));
    }
    findings.extend(lacking(case, section.address));
}

/// What the list says by not naming a section; see [`list_facts`].
pub(super) fn lacking(case: Case<'_, '_>, section: u64) -> Option<Finding> {
    let list = case.list;
    let os = &case.scene.dump.system.os;
    let is_listed = list.sections.iter().any(|listed| listed.section == section);
    (lists_all(case) && !is_listed).then(|| {
        Finding::new(
            FindingId::ListLacksSection,
            format!(
                "None of the {} records on the process's list names this address; Windows {}.{} lists each section that is initialised with a record.",
                list.sections.len(),
                os.major,
                os.minor
            ),
            "list of sections",
        )
    })
}

/// Whether the list has each section that is initialised and not deleted.
pub(super) fn lists_all(case: Case<'_, '_>) -> bool {
    let os = &case.scene.dump.system.os;
    let lists_each = os.major == 5 || os.major == 6 && os.minor <= 1;
    case.list.closed && lists_each && !case.platform.is_wine
}

/// Whether anybody had waited before the wait that failed (critical-sections.md 0.1: each wait is counted in the record).
///
/// - situation: the event is made by the first wait; a value that stood in LockSemaphore before it is no event's.
/// - example: ContentionCount 1, and one waiter, the thread that failed: LockSemaphore 0x1C8 was written by other code.
/// - handling: a failed wait of a section with a record of its own, whose count and LockCount know of one waiter; not where
///   initialisation makes events (FLG_CRITSEC_EVENT_CREATION).
/// - test: `a_first_wait_has_no_earlier_event`.
fn contended_before(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    let Some(DebugInfoState::Own(record)) = section.debug_info else { return };
    let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
    let made_early = case
        .scene
        .dump
        .system
        .peb
        .as_ref()
        .is_none_or(|peb| peb.nt_global_flag.is_none_or(|flag| flag & EVENT_CREATION != 0));
    let is_first = record.contention_count == 1 && state.waiters == 1;
    if matches!(case.lock.failure, Failure::Wait(_)) && is_first && !made_early {
        findings.push(Finding::new(
            FindingId::NeverContendedBefore,
            "The record counts one wait, the one that failed: no event was made for the section before.",
            format!("memory at {:#x}", raw.debug_info),
        ));
    }
}

/// FLG_CRITSEC_EVENT_CREATION of NtGlobalFlag (critical-sections.md 2.4).
const EVENT_CREATION: u32 = 0x1000_0000;

/// Whether the process's list leads to the section by its own record.
fn is_listed(case: Case<'_, '_>, section: &CriticalSection, raw: &RawCriticalSection) -> bool {
    case.list
        .sections
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
