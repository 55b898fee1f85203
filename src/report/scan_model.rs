//! The part of the report model that only a scan fills in: the file, what lay beside it, and the summary.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::Tool;

/// The file as the file system has it: by path, size and time a resumed scan knows it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileInfo {
    /// Size in bytes; of the archive or compressed file, where the dump is in one.
    pub size: u64,
    /// When it was last written, RFC 3339 in UTC with nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// Number of lines that the scan writes for this file: more than one for an archive.
    pub lines: u32,
}

/// What the collector of a dump left beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Collected {
    /// `wer` (a Windows Error Reporting folder) or `crashpad` (a Crashpad database).
    pub kind: String,
    /// The collector's id of the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_id: Option<String>,
    /// State in a Crashpad database: `new`, `pending`, `completed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Windows Error Reporting's event type, such as `APPCRASH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// When the event happened, RFC 3339 in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// Path of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_path: Option<String>,
    /// Problem parameters by their names in English: `application`, `application_version`, `fault_module`,
    /// `fault_module_version`, `exception_code`, `exception_offset`; `parameter_N` where the event type is not known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub parameters: BTreeMap<String, String>,
}

/// What all dumps of a scan come to. It holds nothing that depends on how the scan was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Version of this format.
    pub schema_version: u32,
    /// What wrote the summary.
    pub tool: Tool,
    /// Dumps read.
    pub dumps: u64,
    /// Critical-section failures: `diagnosed` and `inconclusive`.
    pub failures: u64,
    /// Failures whose cause is decided.
    pub diagnosed: u64,
    /// Failures whose dump does not hold enough.
    pub inconclusive: u64,
    /// Dumps that are no critical-section failure.
    pub not_applicable: u64,
    /// Files and members that could not be read.
    pub errors: u64,
    /// Files in folders that are neither dumps nor archives.
    pub other_files: u64,
    /// Whether the scan was broken off.
    pub interrupted: bool,
    /// Time of the first failure's dump, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// Time of the last failure's dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// Failures by named cause; `undecided` where none is.
    pub causes: Vec<Count>,
    /// Failures by mechanism.
    pub mechanisms: Vec<Count>,
    /// Failures by program.
    pub programs: Vec<Count>,
    /// Failures by the module that called the lock function.
    pub modules: Vec<Count>,
    /// Failures by version of Windows and processor.
    pub systems: Vec<Count>,
    /// Failures by day, as `2026-11-24`, oldest first.
    pub days: Vec<Count>,
    /// Groups of failures with the same `signature.cause`, largest first.
    pub groups: Vec<GroupInfo>,
    /// Failures in groups beyond the largest that are kept.
    pub ungrouped: u64,
}

/// How often something occurred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// What.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// Failures that are, by their signature, one bug.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupInfo {
    /// `signature.cause` of its dumps; of those that joined it, the signature leaves open what their dump does not hold.
    pub signature: String,
    /// Version of the signature's recipe.
    pub signature_version: u32,
    /// Number of failures.
    pub count: u64,
    /// Number of them with a partial signature that fits this group alone.
    pub joined: u64,
    /// Number of them whose cause is decided.
    pub diagnosed: u64,
    /// Named causes in the group, most frequent first; two that are named together count as one entry.
    pub causes: Vec<Count>,
    /// Time of the first dump, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
    /// Time of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// The programs.
    pub programs: Vec<Count>,
    /// Stack signatures, most frequent first.
    pub stacks: Vec<Count>,
    /// The dump to read first: decided if any is, then the surest, then the first by name.
    pub example: String,
    /// Its verdict.
    pub statement: String,
}
