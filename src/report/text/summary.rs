//! The first screen: what failed, why, and how sure that is.

use anstyle::{AnsiColor, Style};

use super::page::Page;
use super::wording;
use crate::diagnosis::CEILING;
use crate::report::escape;
use crate::report::model::{CrashInfo, Outcome, Report, Verdict};
use crate::report::names;

/// Writes the verdict and the facts of the failure.
pub(super) fn verdict(page: &mut Page, report: &Report) {
    page.styled_paragraph(&headline(report), headline_style(report.outcome));
    if let Some(verdict) = &report.verdict {
        page.paragraph(&verdict.statement);
        confidence(page, verdict);
    }
    page.blank();
    let mut rows = failure(report);
    rows.extend(origin(report));
    page.pairs(&rows);
}

/// Writes what the exception is, and that it is no critical-section failure.
pub(super) fn not_applicable(page: &mut Page, report: &Report) {
    let headline = wording::no_failure(report).to_uppercase();
    page.styled_paragraph(&headline, headline_style(report.outcome));
    let exception = report.crash.as_ref().map_or_else(
        || "The dump holds no exception.".to_owned(),
        |crash| format!("{} in thread {}.", wording::exception(&crash.exception), thread(crash)),
    );
    page.paragraph(&exception);
    page.blank();
    page.pairs(&origin(report));
}

/// What failed and the cause in a word.
pub(in crate::report) fn headline(report: &Report) -> String {
    let crash = report.crash.as_ref();
    let operation = crash.and_then(|crash| crash.operation.as_deref());
    let is_inferred = crash.and_then(|crash| crash.operation_source.as_deref()) == Some("inferred");
    let failed = match operation {
        Some(operation) => format!("{} FAILED", escape::name(wording::operation(operation))),
        None if is_inferred => "CRITICAL SECTION MAY HAVE FAILED".to_owned(),
        None => "CRITICAL SECTION FAILED".to_owned(),
    };
    let Some(verdict) = &report.verdict else { return format!("{failed}: cause open") };
    let share = wording::percent(names::share(verdict));
    let named = verdict.named.join(" or ");
    match (verdict.named.is_empty(), report.outcome) {
        (true, _) => format!("{failed}: cause open"),
        (false, Outcome::Inconclusive) => {
            format!("{failed}: cause open, likeliest {named} ({share})")
        }
        (false, _) => format!("{failed}: {named} ({share})"),
    }
}

fn headline_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Diagnosed => AnsiColor::Red.on_default().bold(),
        Outcome::Inconclusive => AnsiColor::Yellow.on_default().bold(),
        Outcome::NotApplicable => Style::new().bold(),
    }
}

fn confidence(page: &mut Page, verdict: &Verdict) {
    let colour = match verdict.confidence.as_str() {
        "high" => AnsiColor::Green,
        "medium" => AnsiColor::Yellow,
        _ => AnsiColor::Red,
    };
    let top = verdict.causes.first().map_or(0.0, |cause| cause.probability);
    let remark = match verdict.confidence.as_str() {
        "low" if top > CEILING - 0.001 => {
            format!(" ({} is the most that an undecided report gives)", wording::percent(top))
        }
        _ => String::new(),
    };
    let text = format!("Confidence: {}{remark}.", verdict.confidence);
    page.styled_paragraph(&text, colour.on_default());
}

/// What happened, name by name.
pub(in crate::report) fn failure(report: &Report) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(crash) = &report.crash {
        rows.push(("failed", call(crash)));
        rows.push(("exception", wording::exception(&crash.exception)));
        rows.extend(
            crash.mechanism.iter().map(|id| {
                ("mechanism", format!("{}: {}", escape::name(id), wording::mechanism(id)))
            }),
        );
    }
    if let Some(section) = &report.critical_section {
        rows.push(("section", format!("{} at {}", escape::name(&section.name), section.address)));
    }
    if let Some(handle) = &report.handle {
        let value = handle.value.as_deref().unwrap_or("not recovered");
        rows.push((
            "handle",
            format!(
                "{}, {}",
                escape::name(value),
                wording::handle_state(&handle.state, handle.value.is_some())
            ),
        ));
    }
    rows
}

fn call(crash: &CrashInfo) -> String {
    let unnamed = match crash.operation_source.as_deref() {
        Some("inferred") => "perhaps a lock function",
        _ => "a lock function",
    };
    let operation = crash.operation.as_deref().map_or(unnamed, wording::operation);
    let mut text = escape::name(operation);
    if let Some(caller) = &crash.caller {
        text = format!("{text}, called by {}", escape::name(caller));
    }
    text = format!("{text}, in thread {}", thread(crash));
    match &crash.operation_source {
        Some(source) => format!("{text} (known from: {source})"),
        None => text,
    }
}

/// Id and name of the thread.
pub(in crate::report) fn thread(crash: &CrashInfo) -> String {
    match &crash.thread_name {
        Some(name) => format!("{} \"{}\"", crash.thread_id, escape::name(name)),
        None => crash.thread_id.clone(),
    }
}

/// Where it happened, name by name.
pub(in crate::report) fn origin(report: &Report) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("process", wording::process(&report.dump.process)),
        ("system", wording::system(&report.dump)),
        ("dump", wording::dump(&report.dump)),
    ];
    rows.extend(wording::images(&report.dump).map(|text| ("images", text)));
    rows
}
