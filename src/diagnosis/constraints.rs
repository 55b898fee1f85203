//! Hard constraints: causes that the mechanism of the failure excludes before any weight is looked at.

use super::cause::Cause;
use super::verifier;
use crate::crash::operation::Failure;
use crate::findings::{Finding, FindingId};

/// What the dump lets one see at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The section's bytes are in the dump.
    pub section: bool,
    /// The map of the address space is in the dump.
    pub memory_map: bool,
    /// The section lies in a loaded module, where no other was unloaded.
    pub in_module: bool,
}

/// A cause that cannot be, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exclusion {
    /// The cause.
    pub cause: Cause,
    /// Why it is impossible.
    pub reason: &'static str,
}

/// What the kind of failure and the version exclude.
#[must_use]
pub fn exclusions(failure: Failure, findings: &[Finding], known: Known) -> Vec<Exclusion> {
    let has = |id| findings.iter().any(|finding| finding.id == id);
    let mut excluded: Vec<Exclusion> = by_failure(failure)
        .iter()
        .map(|(cause, reason)| Exclusion { cause: *cause, reason })
        .collect();
    // A filled place is a pool's, wherever the pool lies; one where another object begins, or that no code names, may be an arena's.
    let is_pool = has_any(findings, &FindingId::FILLS) || has_any(findings, OTHER_OBJECT);
    let is_pool = is_pool || has_any(findings, POOLS);
    // A stop can come while the module is on its way out.
    if known.in_module && !is_pool && !matches!(failure, Failure::VerifierStop(_)) {
        excluded.push(Exclusion { cause: Cause::MemoryReleased, reason: IN_MODULE });
    }
    if has(FindingId::ChangedSince) {
        for cause in [Cause::HandleClosed, Cause::NeverInitialized, Cause::Copied] {
            // What the kernel recorded does not rest on the section's bytes.
            let recorded = cause == Cause::HandleClosed && has(FindingId::HandleClosedByOtherCode);
            if !recorded {
                excluded.push(Exclusion { cause, reason: CHANGED });
            }
        }
    }
    if has(FindingId::OnDeadStack) {
        // Below a live stack pointer every later call writes: the bytes accuse nobody.
        for cause in [Cause::Corrupted, Cause::NeverInitialized] {
            excluded.push(Exclusion { cause, reason: DEAD_STACK });
        }
    }
    if matches!(failure, Failure::Signal(_) | Failure::Wait(_) | Failure::DeleteClose(_)) {
        // An event that is recorded to have been made was possible, whatever the flags say now.
        if has(FindingId::EventsImpossible) && !has(FindingId::HandleOpenedForSection) {
            excluded.push(Exclusion {
                cause: Cause::HandleClosed,
                reason: "on this Windows, with this compatibility setting, ntdll creates no event that could be closed",
            });
        }
        let shared =
            [FindingId::MemoryMapped, FindingId::SharedModuleData, FindingId::ClonedProcess]
                .into_iter()
                .any(has);
        if known.section && known.memory_map && !shared {
            excluded.push(Exclusion {
                cause: Cause::CrossProcess,
                reason: "the memory map shows that the memory is private to the process",
            });
        }
    }
    excluded
}

const CHANGED: &str = "the section was written to after Leave had released it";
const IN_MODULE: &str =
    "the section lies in a loaded module's data, which goes only with the module";
const DEAD_STACK: &str =
    "the frame that held the section has returned; what later calls wrote there is theirs";

/// Findings that say that the program hands the memory out itself.
const POOLS: &[FindingId] =
    &[FindingId::StaticNotNamed, FindingId::PoolCell, FindingId::PoolLink, FindingId::PoolTookBack];

/// Findings that say that another object may begin where the section was.
const OTHER_OBJECT: &[FindingId] = &[
    FindingId::EveryFieldForeign,
    FindingId::HeadForeign,
    FindingId::FunctionTableInside,
    FindingId::DebugInfoInModule,
];

fn has_any(findings: &[Finding], ids: &[FindingId]) -> bool {
    findings.iter().any(|finding| ids.contains(&finding.id))
}

fn by_failure(failure: Failure) -> &'static [(Cause, &'static str)] {
    match failure {
        Failure::Signal(_) => SIGNAL,
        Failure::Wait(_) => WAIT,
        Failure::SectionAccess => SECTION_ACCESS,
        Failure::DebugInfoAccess => DEBUG_INFO_ACCESS,
        Failure::NotOwner => NOT_OWNER,
        Failure::DeleteClose(_) => DELETE_CLOSE,
        Failure::ListCorrupted => LIST_CORRUPTED,
        Failure::VerifierStop(code) => verifier::exclusions(code),
        Failure::PossibleDeadlock | Failure::OtherAccess => NO_HANDLE,
    }
}

/// Leave signals only after it has read and changed the section, with a recursion count of exactly 1
/// (critical-sections.md 3.1).
const SIGNAL: &[(Cause, &str)] = &[(
    Cause::NotOwner,
    "Leave signals only when the recursion count was 1; an unmatched Leave returns silently",
)];

/// Enter waits only on a section that it found locked.
const WAIT: &[(Cause, &str)] =
    &[(Cause::NotOwner, "an unmatched Leave does not make the wait fail")];

/// An access violation on the section itself: its bytes could not be read, so what they were cannot matter.
const SECTION_ACCESS: &[(Cause, &str)] = &[
    (Cause::HandleClosed, "the section itself could not be accessed; its handle was never used"),
    (
        Cause::Corrupted,
        "the section itself could not be accessed; its contents cannot be the reason",
    ),
    (
        Cause::NeverInitialized,
        "the section itself could not be accessed; its contents cannot be the reason",
    ),
    (Cause::Copied, "the section itself could not be accessed; its contents cannot be the reason"),
    (Cause::NotOwner, "the section itself could not be accessed; its owner was never looked at"),
];

/// An access violation through `DebugInfo`: the section was there, its record was not.
const DEBUG_INFO_ACCESS: &[(Cause, &str)] = &[
    (Cause::HandleClosed, "the failure came from DebugInfo, not from the handle"),
    (Cause::NotOwner, "the failure came from DebugInfo, not from the owner"),
];

/// Failures in which no handle was used.
const NO_HANDLE: &[(Cause, &str)] =
    &[(Cause::HandleClosed, "the failure did not come from the handle")];

const NOT_OWNER: &[(Cause, &str)] = &[
    (Cause::HandleClosed, "the failure came from the owner, not from the handle"),
    (Cause::BadPointer, "Leave read and changed the section before it raised"),
];

/// The list of debug records could not be changed.
const LIST_CORRUPTED: &[(Cause, &str)] = &[
    (Cause::HandleClosed, "the failure came from the list of debug records, not from the handle"),
    (Cause::NotOwner, "neither Delete nor initialisation looks at the owner"),
];

const DELETE_CLOSE: &[(Cause, &str)] = &[(Cause::NotOwner, "Delete does not look at the owner")];
