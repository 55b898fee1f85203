//! The tables of docs/accuracy.md.

use super::judge::Answer;
use super::known;
use super::support::{is_failure, top};
use csdump::report::model::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Counts of one row of a table.
#[derive(Default)]
struct Row {
    count: u32,
    right: u32,
    inconclusive: u32,
    not_seen: u32,
    sure: u32,
    sure_and_right: u32,
}

impl Row {
    fn add(&mut self, answer: &Answer) {
        self.not_seen += u32::from(answer.label.is_lock() && !is_failure(&answer.report));
        self.count += 1;
        self.right += u32::from(answer.missed.is_empty());
        self.inconclusive += u32::from(answer.report.outcome == Outcome::Inconclusive);
        self.sure += u32::from(answer.is_sure());
        self.sure_and_right += u32::from(answer.is_sure() && answer.has_right_cause());
    }
}

fn print_rows(out: &mut String, title: &str, rows: &BTreeMap<String, Row>) {
    let head = "dumps | right | inconclusive | lock failures not seen | verdicts at 0.9 or more | of them right |";
    writeln!(out, "\n| {title} | {head}\n|---|---|---|---|---|---|---|").unwrap();
    for (name, row) in rows {
        let Row { count, right, inconclusive, not_seen, sure, sure_and_right } = row;
        writeln!(
            out,
            "| {name} | {count} | {right} | {inconclusive} | {not_seen} | {sure} | {sure_and_right} |"
        )
        .unwrap();
    }
}

/// Answers counted by a key; those without a key are left out.
fn grouped(answers: &[Answer], key: impl Fn(&Answer) -> Option<String>) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for answer in answers {
        if let Some(key) = key(answer) {
            rows.entry(key).or_default().add(answer);
        }
    }
    rows
}

/// All tables but that of the halves.
pub fn print_all(out: &mut String, answers: &[Answer]) {
    let group = |answer: &Answer| match (answer.label.is_lock(), answer.label.flag("evidence")) {
        (false, _) => "no lock failure",
        (true, true) => "holds the evidence",
        (true, false) => "lacks evidence",
    };
    let by_kind = grouped(answers, |answer| {
        Some(format!("{}, {}", group(answer), answer.label.text("kind")))
    });
    print_rows(out, "dumps, kind", &by_kind);
    let by_machine = grouped(answers, |answer| {
        let label = &answer.label;
        label.flag("evidence").then(|| format!("{}, {}", label.text("arch"), label.text("os")))
    });
    print_rows(out, "processor, Windows (dumps that hold the evidence)", &by_machine);
    let by_cause = grouped(answers, |answer| {
        let label = &answer.label;
        label.flag("evidence").then(|| label.text("cause").to_owned())
    });
    print_rows(out, "true cause (dumps that hold the evidence)", &by_cause);
    let twins = grouped(answers, |answer| {
        let label = &answer.label;
        let pair = || format!("{}, like {}", label.text("cause"), label.text("twin"));
        (answer.is_twin() && label.flag("evidence")).then(pair)
    });
    print_rows(out, "twins (dumps that hold the evidence)", &twins);
    print_confusion(out, answers);
    print_calibration(out, answers);
}

/// What was answered instead of what: true causes down, answers across.
fn print_confusion(out: &mut String, answers: &[Answer]) {
    let mut cells: BTreeMap<(String, String), u32> = BTreeMap::new();
    for answer in answers {
        let said = match answer.report.outcome {
            Outcome::NotApplicable => "not-applicable",
            Outcome::Inconclusive => "inconclusive",
            Outcome::Diagnosed => top(&answer.report).0,
        };
        let truth = answer.label.text("cause").to_owned();
        *cells.entry((truth, said.to_owned())).or_default() += 1;
    }
    let truths: BTreeSet<_> = cells.keys().map(|(truth, _)| truth.clone()).collect();
    let said: BTreeSet<_> = cells.keys().map(|(_, said)| said.clone()).collect();
    let across: Vec<_> = said.iter().map(String::as_str).collect();
    writeln!(out, "\n| truth \\ answer | {} |", across.join(" | ")).unwrap();
    writeln!(out, "|---|{}", "---|".repeat(across.len())).unwrap();
    for truth in truths {
        let counts: Vec<_> = said
            .iter()
            .map(|said| cells.get(&(truth.clone(), said.clone())))
            .map(|count| count.map_or_else(String::new, u32::to_string))
            .collect();
        writeln!(out, "| {truth} | {} |", counts.join(" | ")).unwrap();
    }
}

/// Lower edges of the bins of the predicted probability.
const BINS: [f64; 7] = [0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99];

/// Predicted probability of the top cause against how often it was the true one.
fn print_calibration(out: &mut String, answers: &[Answer]) {
    out.push_str(
        "\n| probability of the top cause | dumps | mean predicted | of them right | without twins | of them right |\n|---|---|---|---|---|---|\n",
    );
    let lock =
        || answers.iter().filter(|answer| answer.label.is_lock() && is_failure(&answer.report));
    for (index, from) in BINS.iter().enumerate() {
        let to = BINS.get(index + 1).copied().unwrap_or(f64::INFINITY);
        let inside: Vec<&Answer> =
            lock().filter(|answer| (*from..to).contains(&top(&answer.report).1)).collect();
        if inside.is_empty() {
            continue;
        }
        let mean =
            inside.iter().map(|answer| top(&answer.report).1).sum::<f64>() / inside.len() as f64;
        let hits = |among: &[&Answer]| {
            let hits = among.iter().filter(|answer| answer.has_right_cause()).count();
            if among.is_empty() {
                "–".into()
            } else {
                format!("{:.1} %", hits as f64 * 100.0 / among.len() as f64)
            }
        };
        let plain: Vec<&Answer> =
            inside.iter().copied().filter(|answer| !answer.is_twin()).collect();
        let name = if to.is_finite() {
            format!("{from:.2} to {to:.2}")
        } else {
            format!("{from:.2} to 1")
        };
        writeln!(
            out,
            "| {name} | {} | {:.1} % | {} | {} | {} |",
            inside.len(),
            mean * 100.0,
            hits(&inside),
            plain.len(),
            hits(&plain)
        )
        .unwrap();
    }
}

/// Every wrong answer, with the reason where it is known.
pub fn print_misses(out: &mut String, answers: &[Answer]) {
    out.push_str("\n| wrong answer | half | what is wrong | why |\n|---|---|---|---|\n");
    for answer in answers.iter().filter(|answer| !answer.missed.is_empty()) {
        let name = answer.label.name();
        let name = name.trim_end_matches(".dmp.zst");
        let why = known::reason(answer).unwrap_or_default();
        writeln!(
            out,
            "| {name} | {} | {} | {why} |",
            answer.label.split(),
            answer.missed.join("; ")
        )
        .unwrap();
    }
}

/// Compares a part of docs/accuracy.md with what it should be, or writes it there.
pub fn check_page(part: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/accuracy.md");
    let _guard = PAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let page = std::fs::read_to_string(&path).unwrap();
    let (open, close) = (format!("<!-- {part} -->"), format!("<!-- /{part} -->"));
    let (before, rest) = page.split_once(&open).unwrap();
    let (_, after) = rest.split_once(&close).unwrap();
    let expected = format!("{before}{open}{expected}\n{close}{after}");
    if std::env::var_os("CSDUMP_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(
            page == expected,
            "docs/accuracy.md is out of date: CSDUMP_WRITE_DOCS=1 cargo test --test accuracy"
        );
    }
}

/// Two tests write parts of one page.
static PAGE: std::sync::Mutex<()> = std::sync::Mutex::new(());
