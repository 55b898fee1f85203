//! The one report model. Text and JSON are renderings of it; the field names are the JSON contract
//! (docs/json.md), to which fields are only ever added.
//!
//! Addresses, handles and codes are strings of the form `0x…`; what is not known is absent.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::scan_model::{Collected, Count, FileInfo, GroupInfo, Summary};

/// Version of the JSON contract.
pub const SCHEMA_VERSION: u32 = 1;

/// One line of output: a report, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Line {
    /// The diagnosis of one dump.
    Report(Box<Report>),
    /// A dump that could not be read.
    Error(ErrorLine),
    /// The end of a scan: what all its dumps come to.
    Summary(Box<Summary>),
}

/// A dump that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorLine {
    /// The file as it was named.
    pub path: String,
    /// One sentence: what is wrong.
    pub error: String,
    /// The minidump stream concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Where in the file, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// The name inside an archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The file as the file system has it; only in a scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileInfo>,
}

impl ErrorLine {
    /// The line of a file that cannot be read.
    #[must_use]
    pub fn of(path: String, error: &crate::dump::DumpError) -> Self {
        Self {
            path,
            stream: error.stream().map(str::to_owned),
            offset: error.offset(),
            error: error.to_string(),
            member: None,
            file: None,
        }
    }
}

/// Whether the dump is a critical-section failure, and whether its cause could be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A critical-section failure whose cause the evidence decides.
    Diagnosed,
    /// A critical-section failure, but the dump does not hold enough to name a cause.
    Inconclusive,
    /// No critical-section failure.
    NotApplicable,
}

/// The diagnosis of one dump.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Version of this format.
    pub schema_version: u32,
    /// What wrote the report.
    pub tool: Tool,
    /// The outcome.
    pub outcome: Outcome,
    /// The dump.
    pub dump: DumpInfo,
    /// The file as the file system has it; only in a scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileInfo>,
    /// What the collector of the dump left beside it: Windows Error Reporting, or a Crashpad database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collected: Option<Collected>,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crash: Option<CrashInfo>,
    /// The section it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_section: Option<SectionInfo>,
    /// The handle that was, or would be, signalled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<HandleInfo>,
    /// Why it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The facts that the verdict rests on.
    pub findings: Vec<FindingInfo>,
    /// What the dump does not hold.
    pub missing: Vec<MissingInfo>,
    /// What to do next.
    pub next_steps: Vec<String>,
    /// Keys to group reports by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What was wrong with the dump but did not stop the analysis.
    pub warnings: Vec<String>,
}

/// What wrote the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `csdump`.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Version of the table of weights.
    pub model_version: u32,
}

/// The dump itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DumpInfo {
    /// The file as it was named; `-` for standard input.
    pub path: String,
    /// The name inside a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Size in bytes of the minidump (unpacked).
    pub size: u64,
    /// When it was written, RFC 3339 in UTC, from the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// A cheap identity: header time, size and a checksum of the directory.
    pub identity: String,
    /// SHA-256 of the minidump (unpacked), in hexadecimal; only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What seems to have written it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer_hint: Option<String>,
    /// How much memory it holds.
    pub memory_kind: String,
    /// Module files that were read with it (`--images`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageInfo>,
    /// The streams it has.
    pub streams: Vec<String>,
    /// The Windows version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<OsInfo>,
    /// The processor architecture of the side of the process that was analysed: `x86`, `x64`, `arm64`.
    pub cpu: String,
    /// Whether it is a 32-bit process on 64-bit Windows, as far as the dump shows; with `cpu` `x86` its 32-bit side was
    /// analysed, else only the 64-bit side.
    pub wow64: bool,
    /// The process.
    pub process: ProcessInfo,
}

/// A module's file that was read with the dump, because it holds what the dump does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageInfo {
    /// File name of the module, as the dump has it.
    pub module: String,
    /// The file.
    pub path: String,
}

/// The Windows version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OsInfo {
    /// `major.minor`.
    pub version: String,
    /// The build number.
    pub build: u32,
    /// The service pack as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_pack: Option<String>,
    /// Where the version was read: `peb`, `system-info`, `ntdll-version`.
    pub source: String,
}

/// The process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessInfo {
    /// File name of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// File version of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Seconds from the start of the process to the dump.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u64>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CrashInfo {
    /// The lock operation that failed: `leave`, `enter`, `try-enter`, `delete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// How the operation is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_source: Option<String>,
    /// What happened, nearly certain, before any opinion on why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// The exception.
    pub exception: ExceptionInfo,
    /// Id of the faulting thread.
    pub thread_id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_name: Option<String>,
    /// The code that called the lock function, as `module+offset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The stack of the faulting thread, innermost frame first.
    pub frames: Vec<FrameInfo>,
}

/// An exception record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExceptionInfo {
    /// The code.
    pub code: String,
    /// Its name, where it has one here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Address of the exception.
    pub address: String,
    /// `ExceptionFlags`.
    pub flags: String,
    /// `ExceptionInformation`.
    pub parameters: Vec<String>,
    /// The records that led to this one, outermost first, when the dump's own record is not the cause.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub nested: Vec<ExceptionInfo>,
}

/// A stack frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrameInfo {
    /// File name of the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// File version of the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_version: Option<String>,
    /// Offset in bytes from the module's base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_offset: Option<String>,
    /// Debug identifier (GUID and age) of the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug_id: Option<String>,
    /// `TimeDateStamp` of the module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// How the function is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_source: Option<String>,
    /// Offset in bytes from the function's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_offset: Option<String>,
    /// Instruction address.
    pub address: String,
    /// How the frame was found.
    pub trust: String,
}

/// The section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SectionInfo {
    /// Its address.
    pub address: String,
    /// What it is called without symbols.
    pub name: String,
    /// The ways that led to the address.
    pub recovered_from: Vec<String>,
    /// How `LockCount` was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_count_encoding: Option<String>,
    /// The fields as they stand in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<FieldsInfo>,
    /// What the fields mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoded: Option<DecodedInfo>,
    /// The debug record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug_info: Option<DebugRecordInfo>,
    /// The section's bytes, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
}

/// The fields as they stand in memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldsInfo {
    /// `DebugInfo`.
    pub debug_info: String,
    /// `LockCount`.
    pub lock_count: i32,
    /// `RecursionCount`.
    pub recursion_count: i32,
    /// `OwningThread`.
    pub owning_thread: String,
    /// `LockSemaphore`.
    pub lock_semaphore: String,
    /// `SpinCount`.
    pub spin_count: String,
}

/// What the fields mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecodedInfo {
    /// A thread is inside.
    pub locked: bool,
    /// A waiter was woken; absent in the old encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiter_woken: Option<bool>,
    /// Threads counted as waiting when the dump was written.
    pub waiters: u32,
    /// Threads that waited before the failing Leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiters_before: Option<u32>,
    /// Id of the owning thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Flags in `SpinCount`.
    pub flags: Vec<String>,
}

/// The debug record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DebugRecordInfo {
    /// `own`, `foreign`, `wiped`, `absent`, `null`, `not-a-record`, `impossible`, `not-captured`.
    pub state: String,
    /// `CriticalSection`: the back pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_section: Option<String>,
    /// `EntryCount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_count: Option<u32>,
    /// `ContentionCount`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contention_count: Option<u32>,
}

/// The handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandleInfo {
    /// Its value; absent when it cannot be recovered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Where the value was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `absent`, `event`, `other-object`, `not-a-handle`, `none`, `wait-on-address`, `unknown`.
    pub state: String,
    /// Type of the object in the slot.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// Name of the object in the slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `GrantedAccess` of the slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_access: Option<String>,
    /// A remark on the state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Recorded operations on the value, one line each; see `history_order`.
    pub history: Vec<String>,
    /// `oldest-first`, or `unknown`: then the operations are as the stream has them, which says nothing of their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_order: Option<String>,
    /// Number of recorded operations on the value, where `history` has not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_total: Option<usize>,
    /// The operations behind `history`, in the same order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub operations: Vec<OperationInfo>,
}

/// A recorded operation on a handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationInfo {
    /// `open`, `close`, `bad-reference`, `other`.
    pub operation: String,
    /// What it was for: `section-event`, `section-deleted`, `other-code`, `within-ntdll`, `unknown`.
    pub purpose: String,
    /// Id of the thread that did it.
    pub thread_id: String,
    /// Id of that thread's process.
    pub process_id: u32,
    /// The code behind the system's modules that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The system function that this code called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// It is the very call that failed.
    pub failing: bool,
    /// The recorded stack, innermost frame first.
    pub frames: Vec<FrameInfo>,
}

/// Why it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// `high`, `medium`, `low`.
    pub confidence: String,
    /// One sentence.
    pub statement: String,
    /// Ids of the causes that the statement names: one, two that cannot be told apart, or none that stands out.
    pub named: Vec<String>,
    /// All causes, likeliest first; probabilities sum to 1.
    pub causes: Vec<CauseInfo>,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CauseInfo {
    /// Stable id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Probability, 0 to 1.
    pub probability: f64,
    /// What it would mean here.
    pub summary: String,
    /// What speaks for it.
    pub supporting: Vec<Contribution>,
    /// What speaks against it, or excludes it.
    pub contradicting: Vec<Contribution>,
}

/// What one finding adds to one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Contribution {
    /// Id of the finding; `excluded` for a hard constraint.
    pub finding: String,
    /// Log-likelihood ratio (natural logarithm); absent for a hard constraint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Why.
    pub reason: String,
}

/// A fact with its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingInfo {
    /// Stable id.
    pub id: String,
    /// The fact, in one sentence.
    pub statement: String,
    /// Where it was read.
    pub source: String,
}

/// Something that the dump does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingInfo {
    /// What is missing.
    pub what: String,
    /// What could not be decided for want of it.
    pub consequence: String,
    /// How to capture it.
    pub capture_with: String,
}

/// Keys to group reports by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signature {
    /// Operation, mechanism, section and caller; never the inferred cause.
    pub cause: String,
    /// The frames.
    pub stack: String,
    /// Version of the recipe.
    pub version: u32,
}
