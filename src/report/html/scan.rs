//! What the page of a scan shows, as ready strings.

use askama::Template;

use super::bars::Chart;
use super::days::Days;
use super::report::{ReportView, sentence};
use crate::report::escape;
use crate::report::model::{Count, GroupInfo, Report, Summary};
use crate::report::scan_table;

/// Most groups on the page, largest first; the JSON summary has more.
const MAX_GROUPS: usize = 1_000;
/// Most names listed of a group.
const MAX_NAMES: usize = 10;
/// Longest signature or path, in characters.
const MAX_LONG: usize = 400;

/// The page of a scan.
#[derive(Template)]
#[template(path = "scan.html")]
pub(super) struct ScanPage {
    title: String,
    script: Option<&'static str>,
    contents: Vec<String>,
    headline: String,
    interrupted: bool,
    failures: u64,
    seen: Option<String>,
    numbers: Vec<Number>,
    charts: Vec<Chart>,
    days: Option<Days>,
    groups: Vec<Group>,
    more: usize,
    ungrouped: u64,
    tool: String,
}

/// One number of the overview.
struct Number {
    name: &'static str,
    count: u64,
}

/// One group.
struct Group {
    number: usize,
    count: u64,
    diagnosed: u64,
    /// The parts of the signature.
    signature: Vec<String>,
    statement: String,
    causes: String,
    programs: String,
    seen: String,
    example: String,
    report: Option<ReportView>,
}

impl ScanPage {
    /// The page of `summary`.
    pub(super) fn of<'r>(
        summary: &Summary,
        example: impl Fn(&GroupInfo) -> Option<&'r Report>,
    ) -> Self {
        let groups = (1..).zip(summary.groups.iter().take(MAX_GROUPS));
        let groups = groups.map(|(number, group)| Group::of(number, group, example(group)));
        let failures = summary.failures;
        let seen = (&summary.first_seen, &summary.last_seen);
        Self {
            title: "csdump: critical-section failures".into(),
            script: Some(super::SCRIPT_HASH),
            contents: Vec::new(),
            headline: scan_table::headline(summary),
            interrupted: summary.interrupted,
            failures,
            seen: (failures > 0).then(|| between(seen.0.as_deref(), seen.1.as_deref())),
            numbers: numbers(summary),
            charts: charts(summary),
            days: Days::of(&summary.days),
            groups: groups.collect(),
            more: summary.groups.len().saturating_sub(MAX_GROUPS),
            ungrouped: summary.ungrouped,
            tool: super::tool(),
        }
    }
}

fn numbers(summary: &Summary) -> Vec<Number> {
    let all = [
        ("dumps read", summary.dumps),
        ("lock failures", summary.failures),
        ("diagnosed", summary.diagnosed),
        ("inconclusive", summary.inconclusive),
        ("other crashes", summary.not_applicable),
        ("not readable", summary.errors),
    ];
    all.into_iter().map(|(name, count)| Number { name, count }).collect()
}

fn charts(summary: &Summary) -> Vec<Chart> {
    let kinds = [
        ("causes", "Cause", &summary.causes),
        ("mechanisms", "Mechanism", &summary.mechanisms),
        ("programs", "Program", &summary.programs),
        ("modules", "Calling module", &summary.modules),
        ("systems", "System", &summary.systems),
    ];
    let known = kinds.into_iter().filter(|(_, _, counts)| !counts.is_empty());
    known.map(|(id, title, counts)| Chart::of(id, title, counts, summary.failures)).collect()
}

impl Group {
    fn of(number: usize, group: &GroupInfo, report: Option<&Report>) -> Self {
        let signature = escape::one_line(&group.signature, MAX_LONG);
        Self {
            number,
            count: group.count,
            diagnosed: group.diagnosed,
            signature: signature.split('|').map(|part| part.trim().to_owned()).collect(),
            statement: sentence(&group.statement),
            causes: list(&group.causes),
            programs: list(&group.programs),
            seen: between(group.first_seen.as_deref(), group.last_seen.as_deref()),
            example: escape::one_line(&group.example, MAX_LONG),
            report: report.map(|report| ReportView::of(report, 4)),
        }
    }
}

fn list(counts: &[Count]) -> String {
    let shown = counts.iter().take(MAX_NAMES);
    let mut names: Vec<String> =
        shown.map(|count| format!("{} ({})", escape::name(&count.name), count.count)).collect();
    if let Some(more) = counts.len().checked_sub(MAX_NAMES).filter(|more| *more > 0) {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// A time span to the minute.
fn between(first: Option<&str>, last: Option<&str>) -> String {
    let short = |time: &str| {
        let minutes = time.get(..16).map(|minutes| format!("{} UTC", minutes.replace('T', " ")));
        escape::one_line(&minutes.unwrap_or_else(|| time.to_owned()), 32)
    };
    match (first, last) {
        (Some(first), Some(last)) if first != last => {
            format!("{} to {}", short(first), short(last))
        }
        (Some(first), _) => short(first),
        _ => "at no known time".into(),
    }
}
