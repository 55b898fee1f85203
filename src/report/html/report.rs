//! What the block of one report shows, as ready strings.

use crate::report::escape;
use crate::report::model::{CauseInfo, Contribution, Outcome, Report};
use crate::report::text::{causes, section, stack, summary};
use crate::report::wording;

/// Most frames, findings and other entries of one list; the JSON report has all.
const MAX_ROWS: usize = 64;
/// Most contributions of one side of a cause.
const MAX_CONTRIBUTIONS: usize = 12;
/// Longest signature, in characters.
const MAX_SIGNATURE: usize = 400;
/// Below this probability a cause stands back.
const UNLIKELY: f64 = 0.005;

/// A list that may have been cut.
pub(super) struct Cut<T> {
    pub(super) rows: Vec<T>,
    pub(super) more: usize,
}

impl<T> Cut<T> {
    pub(super) fn of<S>(all: &[S], max: usize, view: impl Fn(&S) -> T) -> Self {
        Self { rows: all.iter().take(max).map(view).collect(), more: all.len().saturating_sub(max) }
    }
}

/// The block of one report.
pub(super) struct ReportView {
    /// Level of its heading, 2 to 5, and of the headings in it.
    pub(super) level: u8,
    pub(super) below: u8,
    pub(super) outcome: &'static str,
    pub(super) headline: String,
    pub(super) statement: Option<String>,
    pub(super) confidence: Option<String>,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) why: Option<Why>,
    pub(super) findings: Cut<Fact>,
    pub(super) section: Option<SectionView>,
    pub(super) handle: Option<Pairs>,
    pub(super) causes: Vec<CauseView>,
    pub(super) exceptions: Cut<String>,
    pub(super) thread: String,
    pub(super) frames: Cut<FrameView>,
    pub(super) missing: Cut<MissingView>,
    pub(super) next: Cut<String>,
    pub(super) warnings: Cut<String>,
    pub(super) signature: Option<[(&'static str, String); 2]>,
}

/// Why: what counts for the likeliest cause, and against it.
pub(super) struct Why {
    pub(super) title: String,
    pub(super) summary: Option<String>,
    pub(super) supporting: Vec<Fact>,
    pub(super) contradicting: Vec<Fact>,
}

/// A finding, with its weight where it is shown for one cause.
pub(super) struct Fact {
    pub(super) statement: String,
    pub(super) source: String,
    pub(super) id: String,
    pub(super) weight: String,
}

/// A heading and names with values.
pub(super) struct Pairs {
    pub(super) title: String,
    pub(super) rows: Vec<(&'static str, String)>,
}

/// The section.
pub(super) struct SectionView {
    pub(super) about: Pairs,
    /// Name, raw value, meaning.
    pub(super) fields: Vec<Vec<String>>,
}

/// One cause.
pub(super) struct CauseView {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) percent: String,
    /// Length of the bar, 0 to 100.
    pub(super) width: u8,
    pub(super) unlikely: bool,
    pub(super) excluded: Option<String>,
    pub(super) contributions: Vec<Fact>,
}

/// One frame.
pub(super) struct FrameView {
    pub(super) place: String,
    pub(super) trust: String,
    pub(super) source: String,
    pub(super) address: String,
    pub(super) guessed: bool,
}

/// Something that is missing.
pub(super) struct MissingView {
    pub(super) what: String,
    pub(super) consequence: String,
    pub(super) capture_with: String,
}

impl ReportView {
    /// The block of `report` whose heading has the level `level`.
    pub(super) fn of(report: &Report, level: u8) -> Self {
        let lock = report.outcome != Outcome::NotApplicable;
        let crash = report.crash.as_ref();
        let verdict = report.verdict.as_ref().filter(|_| lock);
        let frames = crash.map_or(&[][..], |crash| &crash.frames);
        let nested = crash.map_or(&[][..], |crash| &crash.exception.nested);
        Self {
            level,
            below: level.saturating_add(1),
            outcome: outcome(report.outcome),
            headline: headline(report),
            statement: verdict.map(|verdict| sentence(&verdict.statement)),
            confidence: verdict.map(|verdict| escape::name(&verdict.confidence)),
            facts: facts(report),
            why: why(report),
            findings: Cut::of(&report.findings, MAX_ROWS, |finding| Fact {
                statement: escape::cell(&finding.statement),
                source: escape::name(&finding.source),
                id: escape::name(&finding.id),
                weight: String::new(),
            }),
            section: section_view(report),
            handle: handle(report),
            causes: verdict
                .map(|verdict| verdict.causes.iter().take(MAX_ROWS).map(cause).collect())
                .unwrap_or_default(),
            exceptions: Cut::of(nested, MAX_ROWS, |exception| {
                escape::cell(&wording::exception(exception))
            }),
            thread: crash.map_or_else(String::new, |crash| escape::cell(&summary::thread(crash))),
            frames: Cut::of(frames, MAX_ROWS, |frame| FrameView {
                place: wording::place(frame),
                trust: escape::name(&frame.trust),
                source: frame.function_source.as_deref().map_or_else(String::new, escape::name),
                address: escape::name(&frame.address),
                guessed: stack::guessed(frame),
            }),
            missing: Cut::of(&report.missing, MAX_ROWS, |missing| MissingView {
                what: escape::cell(&missing.what),
                consequence: escape::cell(&missing.consequence),
                capture_with: escape::cell(&missing.capture_with),
            }),
            next: Cut::of(&report.next_steps, MAX_ROWS, |step| escape::cell(step)),
            warnings: Cut::of(&report.warnings, MAX_ROWS, |warning| escape::cell(warning)),
            signature: report.signature.as_ref().map(|signature| {
                [
                    ("cause", escape::one_line(&signature.cause, MAX_SIGNATURE)),
                    ("stack", escape::one_line(&signature.stack, MAX_SIGNATURE)),
                ]
            }),
        }
    }
}

/// A sentence in which a number keeps its per cent sign.
pub(super) fn sentence(text: &str) -> String {
    escape::cell(text).replace(" %", "\u{a0}%")
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Diagnosed => "diagnosed",
        Outcome::Inconclusive => "inconclusive",
        Outcome::NotApplicable => "not-applicable",
    }
}

fn headline(report: &Report) -> String {
    match report.outcome {
        Outcome::NotApplicable => wording::no_failure(report).into(),
        _ => sentence(&summary::headline(report).replacen(" FAILED: ", " failed: ", 1)),
    }
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = match (report.outcome, &report.crash) {
        (Outcome::NotApplicable, None) => {
            vec![("exception", "the dump holds none".to_owned())]
        }
        (Outcome::NotApplicable, Some(crash)) => {
            vec![("exception", wording::exception(&crash.exception))]
        }
        _ => summary::failure(report),
    };
    facts.extend(summary::origin(report));
    facts.into_iter().map(|(name, value)| (name, escape::cell(&value))).collect()
}

fn why(report: &Report) -> Option<Why> {
    let verdict = report.verdict.as_ref().filter(|verdict| !verdict.named.is_empty())?;
    let top = verdict.causes.first()?;
    let decided = report.outcome == Outcome::Diagnosed;
    let heading = if decided { "Why" } else { "Likeliest" };
    let side = |found: &[Contribution]| -> Vec<Fact> {
        let strongest = causes::strongest(found).into_iter().take(MAX_CONTRIBUTIONS);
        strongest.map(|found| fact(report, found)).collect()
    };
    // Of an open cause the summary would read as if it were known.
    let summary = (decided && !top.summary.is_empty()).then(|| escape::cell(&top.summary));
    let (supporting, contradicting) = (side(&top.supporting), side(&top.contradicting));
    if summary.is_none() && supporting.is_empty() && contradicting.is_empty() {
        return None;
    }
    Some(Why {
        title: escape::cell(&format!("{heading} {}: {}", top.id, top.title)),
        summary,
        supporting,
        contradicting,
    })
}

/// The finding behind a contribution; its reason when it is no finding (a hard constraint).
fn fact(report: &Report, found: &Contribution) -> Fact {
    let finding = report.findings.iter().find(|finding| finding.id == found.finding);
    let statement = finding.map_or(&found.reason, |finding| &finding.statement);
    Fact {
        statement: escape::cell(statement),
        source: finding.map_or_else(String::new, |finding| escape::name(&finding.source)),
        id: escape::name(&found.finding),
        weight: weight(found),
    }
}

fn weight(found: &Contribution) -> String {
    found.weight.map_or_else(String::new, |weight| format!("{weight:+.1}"))
}

fn section_view(report: &Report) -> Option<SectionView> {
    let info = report.critical_section.as_ref()?;
    let found_by = info.recovered_from.iter().take(16).map(|way| escape::name(way));
    let mut rows = vec![("found by", found_by.collect::<Vec<_>>().join(", "))];
    rows.extend(info.bytes.iter().map(|hex| ("bytes", escape::one_line(hex, 80))));
    rows.retain(|(_, value)| !value.is_empty());
    let title = format!("Section {} at {}", escape::name(&info.name), escape::name(&info.address));
    let fields = info.fields.as_ref().map(|fields| {
        let rows = section::rows(fields, info, report.handle.as_ref());
        let safe = |row: Vec<String>| row.iter().map(|cell| escape::cell(cell)).collect();
        rows.into_iter().map(safe).collect()
    });
    Some(SectionView { about: Pairs { title, rows }, fields: fields.unwrap_or_default() })
}

fn handle(report: &Report) -> Option<Pairs> {
    let handle = report.handle.as_ref()?;
    let value = escape::name(handle.value.as_deref().unwrap_or("not recovered"));
    let mut rows =
        vec![("state", escape::cell(wording::handle_state(&handle.state, handle.value.is_some())))];
    let details = [
        ("read from", &handle.source),
        ("type", &handle.type_name),
        ("name", &handle.name),
        ("access", &handle.granted_access),
        ("note", &handle.note),
    ];
    let known = |(name, value): (_, &Option<String>)| Some((name, escape::cell(value.as_ref()?)));
    rows.extend(details.into_iter().filter_map(known));
    let history = handle.history.iter().take(MAX_ROWS);
    rows.extend(history.map(|entry| ("history", escape::cell(entry))));
    Some(Pairs { title: format!("Handle {value}"), rows })
}

fn cause(cause: &CauseInfo) -> CauseView {
    let excluded = cause.contradicting.iter().find(|found| found.weight.is_none());
    let sides = [&cause.supporting, &cause.contradicting].into_iter();
    let contributions = sides.flat_map(|side| {
        let weighed = causes::strongest(side).into_iter().filter(|found| found.weight.is_some());
        weighed.take(MAX_CONTRIBUTIONS).map(|found| Fact {
            statement: escape::cell(&found.reason),
            source: String::new(),
            id: escape::name(&found.finding),
            weight: weight(found),
        })
    });
    CauseView {
        id: escape::name(&cause.id),
        title: escape::name(&cause.title),
        percent: wording::percent(cause.probability),
        // A float cast saturates and turns NaN into 0.
        width: ((cause.probability * 100.0).round() as u8).min(100),
        unlikely: cause.probability < UNLIKELY,
        excluded: excluded.map(|found| escape::cell(&found.reason)),
        contributions: contributions.collect(),
    }
}
