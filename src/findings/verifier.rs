//! What Application Verifier said when it stopped the process, as facts (critical-sections.md 7.1), and what a
//! damaged list of debug records shows.

use super::{Case, Finding, FindingId};
use crate::crash::exception::IN_PAGE_ERROR;
use crate::crash::operation::Failure;
use crate::crash::verifier::codes::{self, Family};
use crate::crash::verifier::{Stop, StopSource};
use crate::critsec::debug_info::is_possible_pointer;

/// The largest count that a RecursionCount or LockCount of use can differ by from a free section's.
const MAX_COUNT: i32 = 0x1_0000;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    if case.lock.failure == Failure::ListCorrupted {
        findings.push(Finding::new(
            FindingId::ListLinksDisagree,
            "The links of the process's list of debug records do not agree, at this record or at a neighbour.",
            "exception parameter 3 of a fast fail",
        ));
    }
    if case.crash.exception.record.code == IN_PAGE_ERROR {
        let status = case.crash.exception.record.parameters.get(2).copied().unwrap_or(0);
        findings.push(Finding::new(
            FindingId::PageNotReadIn,
            format!("The page could not be read in from its file (status {status:#x}): it is not gone, but could not be had."),
            "exception parameters",
        ));
    }
    let Some(stop) = case.crash.stop else { return };
    findings.push(announce(&stop));
    if matches!(case.lock.failure, Failure::VerifierStop(_))
        && let Some((id, statement)) = said(case, &stop)
    {
        findings.push(Finding::new(id, statement, stop.source.as_str()));
    }
}

/// The stop itself.
fn announce(stop: &Stop) -> Finding {
    let text = match (stop.code, stop.code.and_then(codes::name)) {
        (Some(code), Some(name)) => format!("stop {code:#x}, {name}"),
        (Some(code), None) => format!("stop {code:#x}"),
        (None, _) => "the dump does not show with which stop".into(),
    };
    Finding::new(
        FindingId::VerifierStop,
        format!("Application Verifier stopped the process: {text}."),
        stop.source.as_str(),
    )
}

/// What the stop says of the section.
fn said(case: Case<'_, '_>, stop: &Stop) -> Option<(FindingId, String)> {
    let [_, second, third, fourth] = stop.parameters;
    let threads = &case.scene.dump.threads;
    let is_thread = |id: u64| threads.iter().any(|thread| u64::from(thread.id) == id);
    let section = stop.section().map_or_else(|| "the section".into(), |at| format!("{at:#x}"));
    Some(match stop.family()? {
        Family::NotInitialized => (
            FindingId::VerifierSaysNotInitialized,
            format!("Application Verifier knows no initialised section at {section}."),
        ),
        Family::Freed => (
            FindingId::VerifierSaysFreed,
            format!("The memory of {section}, initialised and not deleted, is being released."),
        ),
        Family::Unloaded => (
            FindingId::VerifierSaysUnloaded,
            format!(
                "The module at {fourth:#x} is being unloaded; it holds {section}, initialised and not deleted."
            ),
        ),
        Family::InitializedTwice => (
            FindingId::VerifierSaysInitializedTwice,
            format!("{section} is initialised although it is on the list of initialised sections."),
        ),
        Family::WrongRecord => (
            FindingId::VerifierSaysWrongRecord,
            format!(
                "DebugInfo of {section} is {second:#x}; the list of sections has {third:#x} for it."
            ),
        ),
        Family::WrongOwner => owner(&section, second, third, is_thread),
        Family::WrongRecursion => count(&section, "RecursionCount", second),
        Family::WrongLockCount => lock_count(&section, second, fourth, is_thread),
        Family::OverReleased => (
            FindingId::VerifierSaysOverReleased,
            format!("{section} is left by a thread that has not entered it as often."),
        ),
        Family::ThreadEnds => (
            FindingId::VerifierSaysThreadEnds,
            format!("A thread ends, or is ended, while it owns {section}."),
        ),
        Family::Private => (
            FindingId::VerifierSaysPrivate,
            format!("{section} is a private section of another module."),
        ),
        Family::InvalidHandle | Family::Other => return None,
    })
}

/// OwningThread is another one than expected: a thread's id, or no id at all.
///
/// - situation: stop 0x206 means a thread that leaves another's section, or an OwningThread that was written over.
/// - example: owner 0x1a2c, a thread of the process; or owner 0x41414141.
/// - handling: 0 and the ids of threads in the dump are owners; anything else is a wrong count.
/// - test: `an_owner_is_a_thread`.
fn owner(
    section: &str,
    owner: u64,
    expected: u64,
    is_thread: impl Fn(u64) -> bool,
) -> (FindingId, String) {
    let id = if owner == 0 || is_thread(owner) {
        FindingId::VerifierSaysOtherOwner
    } else {
        FindingId::VerifierSaysWrongField
    };
    (id, format!("OwningThread of {section} is {owner:#x}, expected was {expected:#x}."))
}

/// A count as Application Verifier passes it: its 32 bits, sign-extended or not.
fn as_count(value: u64) -> Option<i32> {
    let low = u32::try_from(value & u64::from(u32::MAX)).ok()?.cast_signed();
    let fits = value >> 32 == 0 || value == i64::from(low).cast_unsigned();
    fits.then_some(low)
}

fn is_sane(value: u64) -> bool {
    as_count(value).is_some_and(|count| (-MAX_COUNT..=MAX_COUNT).contains(&count))
}

fn count(section: &str, field: &str, value: u64) -> (FindingId, String) {
    let id = if is_sane(value) {
        FindingId::VerifierSaysWrongCount
    } else {
        FindingId::VerifierSaysWrongField
    };
    let shown = as_count(value).map_or_else(|| format!("{value:#x}"), |count| count.to_string());
    (id, format!("{field} of {section} is {shown}, which no use of a section leaves."))
}

/// LockCount of a section that is being deleted.
///
/// - situation: stop 0x208 comes for a section that is in use, and for one whose LockCount was written over.
/// - example: LockCount -2, owner 0x1a2c; or LockCount 0x41414141.
/// - handling: a small count with a live thread as owner is a section in use; a small one without is a wrong count.
/// - test: `a_section_deleted_in_use_has_an_owner`.
fn lock_count(
    section: &str,
    value: u64,
    owner: u64,
    is_thread: impl Fn(u64) -> bool,
) -> (FindingId, String) {
    if owner != 0 && is_thread(owner) && is_sane(value) {
        let text = format!("{section} is being deleted while thread {owner:#x} owns it.");
        return (FindingId::VerifierSaysInUse, text);
    }
    count(section, "LockCount", value)
}

/// Where the initialisation's stack trace lies, for a debugger.
#[must_use]
pub fn initialisation_trace(case: Case<'_, '_>) -> Option<u64> {
    let stop = case.crash.stop.filter(|stop| stop.source != StopSource::Unknown)?;
    let width = case.scene.dump.system.pointer_width;
    stop.initialisation_trace().filter(|address| is_possible_pointer(*address, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_has_32_bits() {
        assert_eq!(as_count(0xFFFF_FFFE), Some(-2));
        assert_eq!(as_count(u64::MAX - 1), Some(-2));
        assert_eq!(as_count(0x4141_4141_4141_4141), None);
        assert!(is_sane(0xFFFF_FFFA) && !is_sane(0x4141_4141));
        assert_eq!(count("it", "RecursionCount", 0x4141_4141).0, FindingId::VerifierSaysWrongField);
        assert_eq!(count("it", "RecursionCount", 0xFFFF_FFFF).0, FindingId::VerifierSaysWrongCount);
    }

    fn is_thread(id: u64) -> bool {
        id == 0x1A2C
    }

    #[test]
    fn an_owner_is_a_thread() {
        for id in [0, 0x1A2C] {
            assert_eq!(owner("it", id, 8, is_thread).0, FindingId::VerifierSaysOtherOwner);
        }
        assert_eq!(owner("it", 0x4141_4141, 8, is_thread).0, FindingId::VerifierSaysWrongField);
    }

    #[test]
    fn a_section_deleted_in_use_has_an_owner() {
        let said = |value, owner| lock_count("it", value, owner, is_thread).0;
        assert_eq!(said(0xFFFF_FFFE, 0x1A2C), FindingId::VerifierSaysInUse);
        assert_eq!(said(0xFFFF_FFFE, 0), FindingId::VerifierSaysWrongCount);
        assert_eq!(said(0x4141_4141, 0x1A2C), FindingId::VerifierSaysWrongField);
    }
}
