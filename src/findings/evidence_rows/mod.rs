//! The evidence table of critical-sections.md, section 9, row by row: which finding says it, how it is looked for, and
//! where it is not a finding, what else has it or why no dump can show it. The rows M1 to M4 are its additions from
//! measurement. docs/findings.md is generated from it.

mod first;
mod later;

use super::FindingId;

/// One row of the evidence table.
#[derive(Debug)]
pub struct EvidenceRow {
    /// Number in the table.
    pub row: &'static str,
    /// What is observed, in words of our own.
    pub evidence: &'static str,
    /// Where it comes from.
    pub situation: &'static str,
    /// What it looks like.
    pub example: &'static str,
    /// How it is looked for.
    pub handling: &'static str,
    /// A test that fails when that goes wrong; empty where another part of csdump has the row.
    pub test: &'static str,
    /// The findings that say it.
    pub findings: &'static [FindingId],
    /// A hard constraint that goes with it, or why it is no finding or cannot be decided.
    pub remark: &'static str,
}

/// The rows in the table's order.
pub fn rows() -> impl Iterator<Item = &'static EvidenceRow> {
    first::ROWS.iter().chain(later::ROWS)
}
