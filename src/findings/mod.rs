//! Step 5, findings: facts observed in the dump, each with its source. A finding never names a cause.

mod around;
mod claims;
mod code_around;
mod container;
mod contents;
mod environment;
pub mod evidence_rows;
mod fills;
mod frames;
mod half;
mod handle;
mod heap;
pub mod history;
mod id;
mod integrity;
mod left;
mod memory;
pub mod operations;
mod order;
mod other_base;
mod patterns;
mod place;
mod pool;
mod possible;
mod process;
mod record;
mod rows;
mod siblings;
pub mod space;
mod stacks;
mod stale_base;
mod steps;
mod text;
mod threads;
mod verifier;
mod versions;

pub use environment::{EventMode, Platform, event_mode, is_wine};
pub use id::{Finding, FindingId};
pub use verifier::initialisation_trace;

use crate::crash::Crash;
use crate::crash::LockFailure;
use crate::crash::operation::Failure;
use crate::crash::stack::Scene;
use crate::critsec::CriticalSection;
use crate::critsec::debug_info::{self, DebugInfoState, ListWalk};
use crate::critsec::gate::Gate;
use crate::critsec::handle::HandleState;

/// What the findings are looked for in: the results of all earlier steps.
#[derive(Debug, Clone, Copy)]
pub struct Case<'c, 'd> {
    /// The dump and its images.
    pub scene: Scene<'c, 'd>,
    /// The exception and the stack.
    pub crash: &'c Crash,
    /// The failed call.
    pub lock: &'c LockFailure,
    /// The section.
    pub section: Option<&'c CriticalSection>,
    /// The handle's value and state.
    pub handle: Option<(u64, HandleState)>,
    /// What the handle trace holds of the handle.
    pub history: Option<&'c operations::HandleHistory>,
    /// The sections of the process, from the list of debug records.
    pub list: &'c ListWalk,
    /// The kind of Windows.
    pub platform: Platform,
}

/// Sections of the process that the list of debug records leads to, starting at the section's own record
/// and at those of the PEB's locks (critical-sections.md 6.2).
#[must_use]
pub fn listed_sections(scene: Scene<'_, '_>, section: Option<&CriticalSection>) -> ListWalk {
    let memory = &scene.dump.memory;
    let width = scene.dump.system.pointer_width;
    let own = section.and_then(|section| match section.debug_info? {
        DebugInfoState::Own(_) | DebugInfoState::Foreign(_) => Some(section.raw?.debug_info),
        _ => None,
    });
    let peb = scene.dump.system.peb.as_ref();
    let of_lock = |address: Option<u64>| memory.pointer(address?, width);
    let starts = [
        own,
        of_lock(peb.and_then(|peb| peb.loader_lock)),
        of_lock(peb.and_then(|peb| peb.fast_peb_lock)),
    ];
    for start in
        starts.into_iter().flatten().filter(|start| debug_info::is_possible_pointer(*start, width))
    {
        let mut walk = debug_info::walk_list(memory, start, width);
        // A ring without one of the PEB's locks may be anything's.
        walk.closed &= starts.iter().skip(1).flatten().any(|record| walk.nodes.contains(record));
        if walk.nodes.len() >= debug_info::MAX_LIST {
            scene.flows.cut("the walk of the list of sections (4096 records)");
        }
        if walk.sections.len() > 1 {
            return walk;
        }
    }
    ListWalk::default()
}

/// Collects all findings of a case.
#[must_use]
pub fn collect(case: Case<'_, '_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    environment::collect(case, &mut findings);
    versions::collect(case, &mut findings);
    process::collect(case, &mut findings);
    verifier::collect(case, &mut findings);
    if changed_since(case) {
        // What the bytes look like now says nothing of what they were.
        findings.push(changed(case));
    } else {
        handle::collect(case, &mut findings);
        integrity::collect(case, &mut findings);
        patterns::collect(case, &mut findings);
        contents::collect(case, &mut findings);
        siblings::points_into_section(case, &mut findings);
        siblings::collect(case, &mut findings);
    }
    history::collect(case, &mut findings);
    memory::collect(case, &mut findings);
    stale_base::collect(case, &mut findings);
    heap::collect(case, &mut findings);
    if !changed_since(case) {
        threads::collect(case, &mut findings);
        left::collect(case, &mut findings);
        code_around::collect(case, &mut findings);
        pool::collect(case, &mut findings);
        other_base::collect(case, &mut findings);
        rows::collect(case, &mut findings);
        fills::collect(case, &mut findings);
        rows::replaced_together(case, &mut findings);
    }
    patterns::replace_parts(&mut findings);
    findings
}

/// Whether the section that the caller passed was written to after the Leave that failed.
///
/// - situation: Leave has just cleared RecursionCount and OwningThread and read a LockSemaphore; the section now shows
///   something else, and no thread has entered it.
/// - example: deleted and initialised again, or its memory reused, while Leave was under way.
/// - handling: only for an address that the caller gives or several ways agree on; its bytes are no evidence, and the
///   passed handle is unknown.
/// - test: `a_section_changed_since_is_no_evidence` (tests/accuracy).
#[must_use]
pub fn changed_since(case: Case<'_, '_>) -> bool {
    let located = case.lock.located.as_ref();
    matches!(case.lock.failure, Failure::Signal(_))
        && located.is_some_and(|located| matches!(located.candidate.gate, Some(Gate::Refused(_))))
}

fn changed(case: Case<'_, '_>) -> Finding {
    let gate = case.lock.located.as_ref().and_then(|located| located.candidate.gate);
    let reason = match gate {
        Some(Gate::Refused(reason)) => reason,
        _ => "it does not look like a section just left",
    };
    let address = case.section.map_or(0, |section| section.address);
    Finding::new(
        FindingId::ChangedSince,
        format!("The section that was passed has been written to since: {reason}."),
        format!("memory at {address:#x}"),
    )
}

/// Whether a kind of finding is among them.
#[must_use]
pub fn has(findings: &[Finding], id: FindingId) -> bool {
    findings.iter().any(|finding| finding.id == id)
}

/// The address of a field, as a finding's source.
fn field_at(section: &CriticalSection, offset: u64) -> String {
    format!("memory at {:#x}", section.address.saturating_add(offset))
}

#[cfg(test)]
mod contents_tests;
#[cfg(test)]
mod field_tests;
#[cfg(test)]
mod place_tests;
#[cfg(test)]
mod tests;
