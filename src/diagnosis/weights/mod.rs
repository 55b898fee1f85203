//! The table of weights: what each finding says about each cause.
//!
//! A number is a log-likelihood ratio (natural logarithm): how much likelier the finding is when the cause
//! is true than when it is not. A cause that a row leaves out gets 0. Findings of one [`Group`] say the same
//! thing in different words, so that per cause only the strongest of a group counts. What is impossible is
//! not weighed here but excluded in [`super::constraints`].
//!
//! The numbers follow critical-sections.md section 9; frequencies in the lab are not used.

mod contents;
mod handle;
mod history;
mod section;
mod steps;
mod surroundings;
mod verifier;

use super::cause::Cause;
use crate::findings::{Finding, FindingId};

/// Version of this table; it changes with every number.
pub const MODEL_VERSION: u32 = 14;

/// Findings that say the same thing twice share a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// What the value of the handle looks like.
    HandleValue,
    /// What stands in the handle's slot.
    HandleSlot,
    /// Where the section's real event is.
    RealEvent,
    /// Whether ntdll can have stored a handle at all.
    EventMode,
    /// The debug record.
    DebugRecord,
    /// `SpinCount`.
    SpinCount,
    /// Which fields are damaged.
    Shape,
    /// What lies around the section.
    Neighbours,
    /// Fill patterns.
    Pattern,
    /// Whose the fill pattern is.
    Allocator,
    /// How far the fill pattern goes.
    FillExtent,
    /// How far a text goes on behind the section.
    TextExtent,
    /// What else the bytes may be.
    Contents,
    /// What kind of storage it is.
    Storage,
    /// Who hands the storage out: code that names it, or a pool.
    StaticPlace,
    /// Where the address points.
    Memory,
    /// Threads at the section.
    Waiters,
    /// How the section began.
    Beginning,
    /// How the section ended.
    EndOfLife,
    /// How often the thread has entered and left.
    Balance,
    /// Whether the memory was given back.
    Release,
    /// What other sections show.
    OtherSections,
    /// Where in a row of sections it is.
    Row,
    /// What Application Verifier said.
    Verifier,
    /// Who closed the handle, by the handle trace.
    Closing,
    /// Who opened the handle, by the handle trace.
    Opening,
    /// The kind of environment; carries no weight.
    Environment,
    /// Who owns the section.
    Owner,
    /// What the process is.
    Process,
    /// Whether code of its module makes or deletes it.
    Deletion,
    /// What failed before.
    LastError,
}

/// The group that a finding counts in, beside the other findings of a dump; `None` when it says nothing new.
///
/// - situation: a section of which no field is ntdll's has each field wrong, which is one fact and not four.
/// - example: text from end to end: no handle, no spin count, no record, no count of threads.
/// - handling: where every field is foreign, what is said of single fields counts in the same group; where all is one fill
///   pattern, it does not count.
/// - test: `foreign_fields_count_once`.
#[must_use]
pub fn group_of(row: &Row, findings: &[Finding]) -> Option<Group> {
    let has = |ids: &[FindingId]| findings.iter().any(|finding| ids.contains(&finding.id));
    let is_part = PARTS.contains(&row.finding);
    let is_foreign = has(SHAPES);
    // Beside foreign fields a spin count that could be any number vouches for nothing.
    let is_chance = row.finding == FindingId::SpinCountPlausible
        && has(&[FindingId::EveryFieldForeign, FindingId::HeadForeign]);
    // Nor does a block in use, where the bytes are another object's.
    let is_others = row.finding == FindingId::HeapBlockBusy && has(OTHERS);
    let is_chance = is_chance || is_others;
    if is_part && has(&FindingId::FILLS) || is_chance {
        None
    } else if is_part && is_foreign {
        Some(Group::Shape)
    } else {
        Some(row.group)
    }
}

/// Findings that sum up what is said of single fields.
const SHAPES: &[FindingId] = &[
    FindingId::EveryFieldForeign,
    FindingId::HeadForeign,
    FindingId::HeadDamaged,
    FindingId::OnlyRecordDamaged,
    FindingId::OnlyRecordRedirected,
    FindingId::OnlyRecordNull,
];

/// Findings by which the bytes are those of another object, or of none.
const OTHERS: &[FindingId] = &[
    FindingId::EveryFieldForeign,
    FindingId::HeadForeign,
    FindingId::AllocationPattern,
    FindingId::FreePattern,
    FindingId::GuardPattern,
    FindingId::AmbiguousPattern,
    FindingId::RepeatedByte,
    FindingId::FunctionTableInside,
    FindingId::PointsToSection,
    FindingId::DebugInfoImpossible,
    FindingId::DebugInfoInModule,
    FindingId::DebugRecordInvalid,
    FindingId::MoreWaitersThanThreads,
];

/// What is said of single fields.
const PARTS: &[FindingId] = &[
    FindingId::HandleImplausible,
    FindingId::HandleBeyondLiveRange,
    FindingId::SpinCountImplausible,
    FindingId::DebugInfoImpossible,
    FindingId::DebugInfoNull,
    FindingId::DebugRecordInvalid,
    FindingId::DebugRecordGone,
    FindingId::DebugInfoInModule,
    FindingId::MoreWaitersThanThreads,
    FindingId::WaitersMissing,
    FindingId::NoWaiterByAddress,
    FindingId::OwnerUnknown,
    FindingId::EventsImpossible,
    FindingId::EventsUnlikely,
];

/// What one finding says of one cause.
#[derive(Debug, Clone, Copy)]
pub struct Weight {
    /// The cause.
    pub cause: Cause,
    /// Log-likelihood ratio.
    pub llr: f64,
    /// Why this number.
    pub reason: &'static str,
}

/// The row of one finding.
#[derive(Debug)]
pub struct Row {
    /// The finding.
    pub finding: FindingId,
    /// Its group.
    pub group: Group,
    /// What it says, cause by cause.
    pub weights: &'static [Weight],
}

const fn w(cause: Cause, llr: f64, reason: &'static str) -> Weight {
    Weight { cause, llr, reason }
}

const fn row(finding: FindingId, group: Group, weights: &'static [Weight]) -> Row {
    Row { finding, group, weights }
}

/// The row of a finding; every finding has one.
#[must_use]
pub fn row_of(finding: FindingId) -> Option<&'static Row> {
    rows().find(|row| row.finding == finding)
}

/// All rows.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    let rows = handle::ROWS.iter().chain(history::ROWS).chain(section::ROWS);
    rows.chain(surroundings::ROWS).chain(verifier::ROWS).chain(contents::ROWS).chain(steps::ROWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_one_row_and_each_row_names_a_cause_once() {
        let mut seen = std::collections::HashSet::new();
        for row in rows() {
            assert!(seen.insert(row.finding.as_str()), "{:?} twice", row.finding);
            let causes: std::collections::HashSet<_> =
                row.weights.iter().map(|weight| weight.cause).collect();
            assert_eq!(causes.len(), row.weights.len(), "{:?}", row.finding);
            assert!(
                row.weights
                    .iter()
                    .all(|weight| weight.llr.abs() <= 6.0 && !weight.reason.is_empty())
            );
        }
    }
}
