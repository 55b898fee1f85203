//! The Markdown rendering of a report, short enough to paste into an issue. GitHub-flavoured; everything from a dump
//! goes through [`escape::markdown`].

mod explain;

use std::fmt::{Display, Write};

pub use self::explain::{explanations, index};

use super::escape::markdown::{block, cell, code, sentence};
use super::escape::{MAX_CELL, MAX_NAME, name};
use super::model::{
    Contribution, CrashInfo, ErrorLine, FindingInfo, FrameInfo, Line, Outcome, Report, Verdict,
};
use super::wording;

/// What parts the reports of several dumps.
pub const RULE: &str = "\n---\n\n";

/// Causes in the table; the others are unlikely, and the JSON report has all.
const TOP_CAUSES: usize = 4;
/// Findings for and against the likeliest cause.
const TOP_EVIDENCE: usize = 8;
/// Findings in the list.
const MAX_FINDINGS: usize = 32;
/// Frames in the stack.
const TOP_FRAMES: usize = 12;
/// Items of the other lists.
const MAX_ITEMS: usize = 16;
/// Characters of a line of the stack.
const MAX_LINE: usize = 160;

/// `line` as Markdown; each line ends with `\n`.
#[must_use]
pub fn render(line: &Line) -> String {
    match line {
        Line::Report(report) => render_report(report),
        Line::Error(error) => render_error(error),
        // Summaries are a scan's, which has no Markdown.
        Line::Summary(_) => String::new(),
    }
}

/// A dump that could not be read.
fn render_error(error: &ErrorLine) -> String {
    let mut page = Page::default();
    page.line("## Dump not readable");
    page.blank();
    page.line(sentence(&wording::error_sentence(error)));
    page.0
}

/// `report` as Markdown; each line ends with `\n`.
fn render_report(report: &Report) -> String {
    let mut page = Page::default();
    page.line(format!("## {}", headline(report)));
    page.blank();
    if let Some(verdict) = &report.verdict {
        page.line(format!(
            "{} Confidence: {}.",
            sentence(&verdict.statement),
            word(&verdict.confidence)
        ));
        page.blank();
        causes(&mut page, verdict);
    } else {
        page.line(exception(report));
        page.blank();
    }
    facts(&mut page, report);
    let shown = report
        .verdict
        .as_ref()
        .map_or_else(Vec::new, |verdict| evidence(&mut page, report, verdict));
    let others: Vec<_> =
        report.findings.iter().filter(|found| !shown.contains(&found.id.as_str())).collect();
    let title = if shown.is_empty() { "Findings" } else { "Other findings" };
    page.list(title, others.into_iter().map(finding), MAX_FINDINGS);
    page.list(
        "Missing from the dump",
        report.missing.iter().map(|missing| {
            let consequence = missing.consequence.trim_end_matches('.');
            format!(
                "**{}**: {}. Capture it with {}",
                sentence(&missing.what),
                sentence(consequence),
                sentence(&missing.capture_with)
            )
        }),
        MAX_ITEMS,
    );
    stack(&mut page, report);
    page.list("Next", report.next_steps.iter().map(|step| sentence(step)), MAX_ITEMS);
    page.list("Warnings", report.warnings.iter().map(|warning| sentence(warning)), MAX_ITEMS);
    signature(&mut page, report);
    page.0
}

/// Markdown that grows downwards.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }

    fn blank(&mut self) {
        self.0.push('\n');
    }

    /// A heading and its bullets; nothing when there are none.
    fn list(&mut self, title: &str, items: impl ExactSizeIterator<Item = String>, max: usize) {
        let rest = items.len().saturating_sub(max);
        if items.len() == 0 {
            return;
        }
        self.line(format!("### {title}\n"));
        for item in items.take(max) {
            self.line(format!("- {item}"));
        }
        if rest > 0 {
            self.line(format!("- and {rest} more, in the JSON report"));
        }
        self.blank();
    }
}

/// A word of csdump's own, as plain text.
fn word(text: &str) -> String {
    sentence(&name(text))
}

/// The id of a finding, the fact, and where it was read.
fn finding(found: &FindingInfo) -> String {
    format!(
        "{}: {} (from {})",
        code(&found.id, MAX_NAME),
        sentence(found.statement.trim_end_matches('.')),
        sentence(&name(&found.source))
    )
}

fn headline(report: &Report) -> String {
    if report.outcome == Outcome::NotApplicable {
        return wording::no_failure(report).to_owned();
    }
    let operation = report.crash.as_ref().and_then(|crash| crash.operation.as_deref());
    let failed = word(operation.map_or("A critical-section call", wording::operation));
    let Some(verdict) = report.verdict.as_ref().filter(|verdict| !verdict.named.is_empty()) else {
        return format!("{failed} failed: cause open");
    };
    let share = verdict.causes.iter().take(verdict.named.len()).map(|cause| cause.probability);
    let share = percent(share.sum());
    let named = verdict.named.iter().take(2).map(|id| code(id, MAX_NAME));
    let named = named.collect::<Vec<_>>().join(" or ");
    let open = if report.outcome == Outcome::Inconclusive { "cause open, likeliest " } else { "" };
    format!("{failed} failed: {open}{named} ({share})")
}

fn exception(report: &Report) -> String {
    report.crash.as_ref().map_or_else(
        || "The dump holds no exception.".to_owned(),
        |crash| sentence(&format!("{}.", exception_of(crash))),
    )
}

fn exception_of(crash: &CrashInfo) -> String {
    format!("{} in thread {}", wording::exception(&crash.exception), name(&crash.thread_id))
}

fn causes(page: &mut Page, verdict: &Verdict) {
    page.line("| cause | probability | |");
    page.line("|---|---:|---|");
    for cause in verdict.causes.iter().take(TOP_CAUSES) {
        let (id, title) = (cell(&code(&cause.id, MAX_NAME)), cell(&sentence(&cause.title)));
        page.line(format!("| {id} | {} | {title} |", percent(cause.probability)));
    }
    page.blank();
}

/// A probability without the marks of HTML.
fn percent(probability: f64) -> String {
    wording::percent(probability).replace('>', "over ").replace('<', "under ")
}

/// A table of what is known of the crash, the section, the handle and the system.
fn facts(page: &mut Page, report: &Report) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(crash) = report.crash.as_ref().filter(|_| report.verdict.is_some()) {
        rows.push(("exception", exception_of(crash)));
        rows.extend(crash.caller.iter().map(|caller| ("called by", name(caller))));
        rows.extend(
            crash
                .mechanism
                .iter()
                .map(|id| ("mechanism", format!("{}: {}", name(id), wording::mechanism(id)))),
        );
    }
    section(&mut rows, report);
    if let Some(handle) = &report.handle {
        let value = name(handle.value.as_deref().unwrap_or("not recovered"));
        rows.push((
            "handle",
            format!("{value}, {}", wording::handle_state(&handle.state, handle.value.is_some())),
        ));
        let object = [&handle.type_name, &handle.name, &handle.granted_access];
        let object: Vec<_> = object.into_iter().flatten().map(|text| name(text)).collect();
        if !object.is_empty() {
            rows.push(("object", object.join(", ")));
        }
        rows.extend(handle.history.iter().take(MAX_ITEMS).map(|entry| ("history", entry.clone())));
    }
    rows.push(("process", wording::process(&report.dump.process)));
    rows.push(("system", wording::system(&report.dump)));
    rows.push(("dump", wording::dump(&report.dump)));
    rows.extend(wording::images(&report.dump).map(|text| ("images", text)));
    page.line("| | |");
    page.line("|---|---|");
    for (what, text) in rows {
        page.line(format!("| {what} | {} |", cell(&sentence(&text))));
    }
    page.blank();
}

fn section(rows: &mut Vec<(&str, String)>, report: &Report) {
    let Some(section) = &report.critical_section else { return };
    rows.push(("section", format!("{} at {}", name(&section.name), name(&section.address))));
    let Some(fields) = &section.fields else {
        rows.push(("fields", "its memory could not be read".to_owned()));
        return;
    };
    let record =
        section.debug_info.as_ref().map(|record| wording::debug_record_state(&record.state));
    let record = record.map_or_else(String::new, |state| format!(", {state}"));
    rows.push(("DebugInfo", format!("{}{record}", name(&fields.debug_info))));
    let decoded = section.decoded.as_ref();
    let waiting = decoded.map_or_else(String::new, |decoded| {
        let locked = if decoded.locked { "locked" } else { "free" };
        let before = decoded.waiters_before.map(|count| format!(", {count} before the call"));
        format!(", {locked}, {} waiting{}", decoded.waiters, before.unwrap_or_default())
    });
    rows.push(("LockCount", format!("{}{waiting}", fields.lock_count)));
    rows.push(("RecursionCount", fields.recursion_count.to_string()));
    rows.push(("OwningThread", name(&fields.owning_thread)));
    rows.push(("LockSemaphore", name(&fields.lock_semaphore)));
    rows.push(("SpinCount", name(&fields.spin_count)));
}

/// What speaks for and against the likeliest cause; gives the ids of the findings that it names.
fn evidence<'r>(page: &mut Page, report: &Report, verdict: &'r Verdict) -> Vec<&'r str> {
    let mut shown = Vec::new();
    let Some(top) = verdict.causes.first().filter(|_| !verdict.named.is_empty()) else {
        return shown;
    };
    for (title, side) in [("For", &top.supporting), ("Against", &top.contradicting)] {
        let mut side: Vec<_> = side.iter().collect();
        side.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
        side.truncate(TOP_EVIDENCE);
        shown.extend(side.iter().map(|found| found.finding.as_str()));
        let items = side.into_iter().map(|found| contribution(report, found));
        page.list(&format!("{title} {}", code(&top.id, MAX_NAME)), items, TOP_EVIDENCE);
    }
    shown
}

/// Hard constraints first, then by the size of the weight.
fn strength(found: &Contribution) -> f64 {
    found.weight.map_or(f64::INFINITY, f64::abs)
}

/// The weight and the finding behind it; the reason where there is no finding (a hard constraint).
fn contribution(report: &Report, found: &Contribution) -> String {
    let behind = report.findings.iter().find(|finding| finding.id == found.finding);
    let fact = behind.map_or_else(|| sentence(&found.reason), finding);
    found
        .weight
        .map_or_else(|| format!("excluded: {fact}"), |weight| format!("{weight:+.1} {fact}"))
}

fn stack(page: &mut Page, report: &Report) {
    let Some(crash) = report.crash.as_ref().filter(|crash| !crash.frames.is_empty()) else {
        return;
    };
    let frames = crash.frames.iter().take(TOP_FRAMES).enumerate();
    let mut lines: Vec<_> = frames.map(|(index, frame)| frame_line(index, frame)).collect();
    let rest = crash.frames.len().saturating_sub(TOP_FRAMES);
    if rest > 0 {
        lines.push(format!("    and {rest} more"));
    }
    page.line(format!("### Stack of thread {}\n", sentence(&name(&crash.thread_id))));
    page.line(block(&lines, MAX_LINE));
}

fn frame_line(index: usize, frame: &FrameInfo) -> String {
    format!("{index:>2}  {}  ({})", wording::place(frame), name(&frame.trust))
}

/// Keys to search the tracker for, and what wrote the report.
fn signature(page: &mut Page, report: &Report) {
    if let Some(signature) = &report.signature {
        page.line("### Signature\n");
        let keys = [&signature.cause, &signature.stack].into_iter();
        let keys: Vec<_> = keys.filter(|key| !key.is_empty()).cloned().collect();
        page.line(block(&keys, MAX_CELL));
    }
    let tool = &report.tool;
    page.line(format!(
        "{} {}, weights {}",
        word(&tool.name),
        word(&tool.version),
        tool.model_version
    ));
}

#[cfg(test)]
pub(super) mod parsed;
#[cfg(test)]
mod tests;
