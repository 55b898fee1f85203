//! The judge: an answer against its label.

use super::support::{Label, is_failure, top};
use csdump::report::model::{Outcome, Report};

/// A dump's answer with what is wrong with it.
pub struct Answer {
    pub label: Label,
    pub report: Report,
    pub missed: Vec<String>,
}

impl Answer {
    pub fn of(label: Label) -> Self {
        let report = label.report();
        let missed = misses(&label, &report);
        Self { label, report, missed }
    }

    /// Whether the report calls it a lock failure and gives its top cause 0.9 or more.
    pub fn is_sure(&self) -> bool {
        is_failure(&self.report) && top(&self.report).1 >= 0.9
    }

    /// Whether the top cause is the label's.
    pub fn has_right_cause(&self) -> bool {
        is_failure(&self.report) && top(&self.report).0 == self.label.text("cause")
    }

    /// Whether the section's address is the label's; `None` when the label has none.
    pub fn has_right_section(&self) -> Option<bool> {
        let expected = self.label.text("section");
        let found = self.report.critical_section.as_ref().map(|section| section.address.as_str());
        (!expected.is_empty()).then(|| found == Some(expected))
    }

    /// Whether another cause leaves the same bytes (docs/accuracy.md).
    pub fn is_twin(&self) -> bool {
        !self.label.text("twin").is_empty()
    }
}

/// What was wrong with an answer.
pub fn misses(label: &Label, report: &Report) -> Vec<String> {
    if !label.is_lock() {
        // Raised in ntdll with nothing to name the function: nobody can tell it from a lock's.
        let undecidable = label.text("naming") == "none" && is_handle_code(label);
        let allowed = !is_failure(report) || undecidable && report.outcome == Outcome::Inconclusive;
        return if allowed { Vec::new() } else { vec!["called a lock failure".into()] };
    }
    if label.flag("evidence") {
        misses_with_evidence(label, report)
    } else {
        misses_without(label, report)
    }
}

fn misses_with_evidence(label: &Label, report: &Report) -> Vec<String> {
    let crash = report.crash.as_ref();
    let mut missed = Vec::new();
    let mut expect = |what: &str, expected: &str, found: &str| {
        if expected != found {
            missed.push(format!("{what}: expected {expected}, found {found}"));
        }
    };
    let of = |field: Option<&String>| field.cloned().unwrap_or_default();
    expect(
        "operation",
        label.text("operation"),
        &of(crash.and_then(|crash| crash.operation.as_ref())),
    );
    expect(
        "mechanism",
        label.text("mechanism"),
        &of(crash.and_then(|crash| crash.mechanism.as_ref())),
    );
    let section = report.critical_section.as_ref();
    if !label.text("section").is_empty() {
        expect("section", label.text("section"), &of(section.map(|section| &section.address)));
    }
    // A twin is a cause that the bytes cannot tell from the true one: either may lead, not with certainty.
    let is_twin = top(report).0 == label.text("twin") && top(report).1 < 0.9;
    if !is_twin {
        expect("cause", label.text("cause"), top(report).0);
    }
    let handle = report.handle.as_ref().and_then(|handle| handle.value.as_ref());
    if let Some(handle) = handle {
        let label_handle = label.text("handle");
        expect("handle", label_handle, handle);
    }
    if !is_failure(report) {
        missed.push("not-applicable".into());
    }
    missed
}

fn misses_without(label: &Label, report: &Report) -> Vec<String> {
    let (cause, probability) = top(report);
    match report.outcome {
        Outcome::NotApplicable if is_handle_code(label) => vec!["not-applicable".into()],
        Outcome::NotApplicable => vec!["a lock failure called not-applicable".into()],
        Outcome::Diagnosed if cause == label.text("twin") && probability < 0.9 => Vec::new(),
        Outcome::Diagnosed if cause != label.text("cause") => {
            vec![format!("expected {}, found {cause} at {probability:.2}", label.text("cause"))]
        }
        Outcome::Inconclusive if probability >= 0.9 => {
            vec![format!("inconclusive at {probability:.2}")]
        }
        _ => Vec::new(),
    }
}

/// Whether the exception is one of the handle's.
pub fn is_handle_code(label: &Label) -> bool {
    // A verifier stop that reports such an exception is one of the handle's too.
    let reported = label.text("inner_code");
    let code = if reported.is_empty() { label.text("code") } else { reported };
    matches!(code, "0xC0000008" | "0xC0000024" | "0xC0000022")
}
