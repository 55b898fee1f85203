//! What each finding's weights carry: the corpus judged again without them.

use super::support::{Label, labels, top};
use super::tables::check_page;
use csdump::diagnosis::{Diagnosis, weights};
use csdump::dump::{Dump, DumpFile, Limits};
use csdump::findings::FindingId;
use csdump::report::model::Outcome;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Most dumps named in a cell of the page; all are printed.
const NAMED: usize = 3;

/// What changes without one finding's weights.
#[derive(Default)]
struct Change {
    dumps: u32,
    /// Dumps whose top cause is another one.
    cause: Vec<String>,
    /// Of them, those whose top cause was right.
    spoilt: u32,
    /// Of them, those whose top cause was wrong and is right.
    mended: u32,
    /// Dumps that lose or gain a verdict of 0.9 or more, or a named cause.
    sureness: Vec<String>,
    /// Largest change of the top cause's probability, and its dump.
    shift: (f64, String),
}

impl Change {
    fn add(&mut self, label: &Label, whole: (&str, f64, bool), without: &Diagnosis) {
        self.dumps += 1;
        let Some(first) = without.ranked.first() else { return };
        let name = || label.name().trim_end_matches(".dmp.zst").to_owned();
        let truth = label.text("cause");
        let of_top = without.ranked.iter().find(|entry| entry.cause.as_str() == whole.0);
        let shift = of_top.map_or(0.0, |entry| entry.probability - whole.1);
        if shift.abs() > self.shift.0.abs() {
            self.shift = (shift, name());
        }
        if first.cause.as_str() != whole.0 {
            self.cause.push(name());
            self.spoilt += u32::from(whole.0 == truth);
            self.mended += u32::from(first.cause.as_str() == truth);
        } else if (first.probability >= 0.9) != (whole.1 >= 0.9) || without.decided != whole.2 {
            self.sureness.push(name());
        }
    }
}

fn named(dumps: &[String]) -> String {
    let first: Vec<_> = dumps.iter().take(NAMED).map(String::as_str).collect();
    match dumps.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{}, {more} more", first.join(", ")),
    }
}

fn shift((shift, dump): &(f64, String)) -> String {
    if shift.abs() < 0.0005 { String::new() } else { format!("{shift:+.3} ({dump})") }
}

fn changes() -> BTreeMap<FindingId, Change> {
    let mut changes: BTreeMap<FindingId, Change> = BTreeMap::new();
    for label in labels().into_iter().filter(Label::is_lock) {
        let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
        let dump = Dump::parse(file.bytes()).unwrap();
        let report = csdump::analyze(&dump, &csdump::report::build::Origin::default());
        let (cause, probability) = top(&report);
        let whole = (cause, probability, report.outcome == Outcome::Diagnosed);
        for (id, without) in csdump::analysis::ablations(&dump) {
            changes.entry(id).or_default().add(&label, whole, &without);
        }
    }
    changes
}

/// For each finding that carries weight: the dumps whose answer changes without it.
#[test]
fn ablation() {
    let changes = changes();
    let mut page = String::from(
        "\n| without the weights of | dumps with it | top cause changes | right before | right after | only sureness changes | for instance | the top cause's probability moves by at most |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in weights::rows().filter(|row| !row.weights.is_empty()) {
        let none = Change::default();
        let change = changes.get(&row.finding).unwrap_or(&none);
        let id = row.finding.as_str();
        let changed: Vec<String> = change.cause.iter().chain(&change.sureness).cloned().collect();
        println!("{id}: {}", changed.join(" "));
        writeln!(
            page,
            "| {id} | {} | {} | {} | {} | {} | {} | {} |",
            change.dumps,
            change.cause.len(),
            change.spoilt,
            change.mended,
            change.sureness.len(),
            named(&changed),
            shift(&change.shift)
        )
        .unwrap();
    }
    check_page("ablation", &page);
}
