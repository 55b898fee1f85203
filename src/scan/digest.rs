//! What a summary needs of one line.

use crate::report::model::{Line, Outcome, Report};
use crate::report::names::dump_place;

/// One line, cut to what a summary counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Digest {
    /// A critical-section failure.
    Failure(Box<Failure>),
    /// A dump that is none.
    NotApplicable,
    /// Something that could not be read.
    Error,
}

/// A critical-section failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Path, and the member's name in an archive.
    pub place: String,
    /// The evidence decides.
    pub decided: bool,
    /// Probability of the likeliest cause.
    pub probability: f64,
    /// The causes that a decided verdict names; `undecided` else.
    pub cause: String,
    /// What happened.
    pub mechanism: String,
    /// Name of the program.
    pub program: String,
    /// The module that called the lock function.
    pub module: String,
    /// Windows and processor.
    pub system: String,
    /// When the dump was written, RFC 3339.
    pub time: Option<String>,
    /// `signature.cause`, with its version.
    pub signature: (String, u32),
    /// `signature.stack`.
    pub stack: String,
    /// The verdict.
    pub statement: String,
}

/// What stands where something is not known.
const UNKNOWN: &str = "unknown";

impl Digest {
    /// The digest of a line; `None` for a summary.
    #[must_use]
    pub fn of(line: &Line) -> Option<Self> {
        match line {
            Line::Report(report) if report.outcome == Outcome::NotApplicable => {
                Some(Self::NotApplicable)
            }
            Line::Report(report) => Some(Self::Failure(Box::new(Failure::of(report)))),
            Line::Error(_) => Some(Self::Error),
            Line::Summary(_) => None,
        }
    }
}

impl Failure {
    fn of(report: &Report) -> Self {
        let dump = &report.dump;
        let crash = report.crash.as_ref();
        let known = |text: Option<&String>| text.map_or(UNKNOWN, String::as_str).to_owned();
        let caller = crash.and_then(|crash| crash.caller.as_deref());
        let module = caller.and_then(|caller| caller.rsplit_once("+0x")).map(|(module, _)| module);
        let verdict = report.verdict.as_ref();
        let decided = report.outcome == Outcome::Diagnosed;
        let named = verdict.filter(|_| decided).map(|verdict| together(&verdict.named));
        let system = dump
            .os
            .as_ref()
            .map_or(UNKNOWN.to_owned(), |os| format!("Windows {}.{}", os.version, os.build));
        Self {
            place: dump_place(&dump.path, dump.member.as_deref()),
            decided,
            probability: verdict
                .and_then(|verdict| verdict.causes.first())
                .map_or(0.0, |cause| cause.probability),
            cause: named.filter(|named| !named.is_empty()).unwrap_or_else(|| "undecided".into()),
            mechanism: known(crash.and_then(|crash| crash.mechanism.as_ref())),
            program: known(dump.process.name.as_ref()),
            module: module.unwrap_or(UNKNOWN).to_owned(),
            system: format!("{system} {}", dump.cpu),
            time: dump.time.clone(),
            signature: signature_of(report),
            stack: report
                .signature
                .as_ref()
                .map_or(UNKNOWN, |signature| &signature.stack)
                .to_owned(),
            statement: verdict.map_or(String::new(), |verdict| verdict.statement.clone()),
        }
    }
}

/// Causes that are named together, in the order of their names: two are the same pair whichever is likelier.
fn together(named: &[String]) -> String {
    let mut named: Vec<&str> = named.iter().map(String::as_str).collect();
    named.sort_unstable();
    named.join(" or ")
}

/// `signature.cause`, with its version: what groups reports.
#[must_use]
pub fn signature_of(report: &Report) -> (String, u32) {
    report
        .signature
        .as_ref()
        .map_or((UNKNOWN.to_owned(), 0), |signature| (signature.cause.clone(), signature.version))
}
