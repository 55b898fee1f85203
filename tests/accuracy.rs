//! The labelled corpus: is the answer right, and does it know when it cannot be?
//!
//! `cargo test --test accuracy -- --nocapture table` prints the tables of docs/accuracy.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects
)]

mod support;

use csdump::report::model::{Outcome, Report};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use support::{Label, chain, is_failure, labels, labels_of, top};

/// What was wrong with an answer.
fn misses(label: &Label, report: &Report) -> Vec<String> {
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

fn is_handle_code(label: &Label) -> bool {
    matches!(label.text("code"), "0xC0000008" | "0xC0000024" | "0xC0000022")
}

/// Dumps that are answered wrongly, none with a cause at 0.9 or more, and why. One that is right now must leave the list.
const KNOWN: [(&str, &str); 7] = [
    (
        "a64-null-arm64-woa-wer",
        "an ARM64 Leave reads the field that it counts down: in ntdll without names or code it is like any read near NULL",
    ),
    (
        "h-null-delete-x64-new-normal",
        "a Delete of NULL only reads: in ntdll without names it is like any read near NULL",
    ),
    ("h-null-delete-x64-new-wer", "the same"),
    ("h-null-delete-x86-new-normal", "the same"),
    ("h-null-delete-x86-new-wer", "the same"),
    ("h-raw-cc-x64-new-wer", "a fault without an address, in ntdll without names or code"),
    ("h-raw-fe-x64-new-wer", "the same"),
];

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
    fn add(&mut self, label: &Label, report: &Report, is_right: bool) {
        let (cause, probability) = top(report);
        self.not_seen += u32::from(label.is_lock() && !is_failure(report));
        let sure = is_failure(report) && probability >= 0.9;
        self.count += 1;
        self.right += u32::from(is_right);
        self.inconclusive += u32::from(report.outcome == Outcome::Inconclusive);
        self.sure += u32::from(sure);
        self.sure_and_right += u32::from(sure && cause == label.text("cause"));
    }
}

fn print(out: &mut String, title: &str, rows: &BTreeMap<String, Row>) {
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

/// Compares the tables with those of docs/accuracy.md, or writes them there.
fn check_page(tables: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/accuracy.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- table -->").unwrap();
    let (_, after) = rest.split_once("<!-- /table -->").unwrap();
    let expected = format!("{before}<!-- table -->{tables}\n<!-- /table -->{after}");
    if std::env::var_os("CSDUMP_WRITE_DOCS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    } else {
        assert!(
            page == expected,
            "docs/accuracy.md is out of date: CSDUMP_WRITE_DOCS=1 cargo test --test accuracy table"
        );
    }
}

#[test]
fn table() {
    let mut by_kind: BTreeMap<String, Row> = BTreeMap::new();
    let mut by_cause: BTreeMap<String, Row> = BTreeMap::new();
    let mut wrong = Vec::new();
    for label in labels() {
        let report = label.report();
        let missed = misses(&label, &report);
        let group = match (label.is_lock(), label.flag("evidence")) {
            (false, _) => "no lock failure",
            (true, true) => "holds the evidence",
            (true, false) => "lacks evidence",
        };
        let kind = format!("{group}, {}", label.text("kind"));
        by_kind.entry(kind).or_default().add(&label, &report, missed.is_empty());
        if label.flag("evidence") {
            let cause = label.text("cause").to_owned();
            by_cause.entry(cause).or_default().add(&label, &report, missed.is_empty());
        }
        if !missed.is_empty() {
            wrong
                .push((label.name(), format!("{} [{group}]: {}", label.name(), missed.join("; "))));
        }
        let sure = is_failure(&report) && top(&report).1 >= 0.9;
        assert!(
            missed.is_empty() || !sure || label.flag("evidence"),
            "{}: sure and wrong",
            label.name()
        );
    }
    let mut tables = String::new();
    print(&mut tables, "dumps, kind", &by_kind);
    print(&mut tables, "true cause (dumps that hold the evidence)", &by_cause);
    println!("{tables}");
    let is_known = |name: &str| KNOWN.iter().any(|(known, _)| name.starts_with(known));
    let new: Vec<_> =
        wrong.iter().filter(|(name, _)| !is_known(name)).map(|(_, text)| text.as_str()).collect();
    assert!(new.is_empty(), "{} wrong:\n{}", new.len(), new.join("\n"));
    assert_eq!(wrong.len(), KNOWN.len(), "a known wrong answer is right now: take it off the list");
    check_page(&tables);
}

/// The reports of a program's dumps of one kind.
fn reports(program: &str, kind: &str) -> Vec<(Label, Report)> {
    let of_kind = labels_of(program).into_iter().filter(|label| label.text("kind") == kind);
    of_kind
        .map(|label| {
            let report = label.report();
            (label, report)
        })
        .collect()
}

fn has(report: &Report, finding: &str) -> bool {
    report.findings.iter().any(|found| found.id == finding)
}

fn source(report: &Report) -> &str {
    report.crash.as_ref().and_then(|crash| crash.operation_source.as_deref()).unwrap_or_default()
}

#[test]
fn nested_exception_is_followed() {
    for (label, report) in reports("nested", "full") {
        let exception = &report.crash.as_ref().unwrap().exception;
        assert_eq!(exception.code, "0xC0000008", "{}", label.name());
        let outer: Vec<_> = exception.nested.iter().map(|nested| nested.code.as_str()).collect();
        assert_eq!(outer, ["0xC0000025"], "{}", label.name());
        assert!(
            chain(&report).starts_with(&["RtlRaiseStatus"]),
            "{}: {:?}",
            label.name(),
            chain(&report)
        );
    }
}

#[test]
fn stale_leave_is_not_a_lock_failure() {
    for program in ["av-elsewhere", "av-in-ntdll"] {
        for label in labels_of(program) {
            let report = label.report();
            assert_eq!(report.outcome, Outcome::NotApplicable, "{}", label.name());
            assert!(
                report.verdict.is_none() && report.critical_section.is_none(),
                "{}",
                label.name()
            );
        }
    }
}

#[test]
fn a_close_that_raises_is_not_a_lock_failure() {
    for (label, report) in reports("close-strict", "full") {
        assert_eq!(report.outcome, Outcome::NotApplicable, "{}", label.name());
        assert!(
            chain(&report).iter().take(3).any(|name| *name == "CloseHandle"),
            "{}",
            label.name()
        );
    }
}

#[test]
fn small_dumps_are_never_not_applicable() {
    let small =
        labels().into_iter().filter(|label| label.text("kind") != "full" && label.is_lock());
    for label in small.filter(is_handle_code) {
        assert!(is_failure(&label.report()), "{}", label.name());
    }
}

#[test]
fn an_access_violation_without_names_stays_inconclusive() {
    for program in
        ["null-pointer", "memory-released", "memory-released-enter", "unloaded-dll", "enter-zeroed"]
    {
        for (label, report) in reports(program, "normal") {
            assert_eq!(report.outcome, Outcome::Inconclusive, "{}", label.name());
            assert_eq!(source(&report), "inferred", "{}", label.name());
            assert!(top(&report).1 < 0.9, "{}", label.name());
        }
    }
}

#[test]
fn waiters_tell_a_stray_write_from_a_closed_handle() {
    let x86 = |label: &Label| label.text("arch") == "x86";
    let stray = reports("corrupted-stray", "full");
    assert!(
        stray
            .iter()
            .filter(|(label, _)| x86(label))
            .all(|(_, report)| has(report, "waiters-use-other-handle"))
    );
    let closed = reports("closed", "full");
    assert!(
        closed
            .iter()
            .filter(|(label, _)| x86(label))
            .all(|(_, report)| has(report, "waiters-use-this-handle"))
    );
}

#[test]
fn waiters_are_counted() {
    for (label, report) in reports("closed", "full") {
        let decoded = report.critical_section.as_ref().unwrap().decoded.as_ref().unwrap();
        let counted = decoded.waiters_before.unwrap();
        assert!(counted >= 1, "{}", label.name());
        let statement =
            &report.findings.iter().find(|found| found.id == "waiters-parked").unwrap().statement;
        assert!(
            statement.starts_with(&format!("{counted} other thread")),
            "{}: {statement}",
            label.name()
        );
    }
}

#[test]
fn neighbours_name_the_direction() {
    for (label, report) in reports("corrupted-underrun", "full") {
        assert!(has(&report, "neighbour-runs-in-from-behind"), "{}", label.name());
        assert!(!has(&report, "neighbour-runs-in-from-before"), "{}", label.name());
    }
    for (label, report) in reports("closed", "full") {
        assert!(!has(&report, "neighbour-runs-in-from-behind"), "{}", label.name());
    }
}

#[test]
fn a_call_through_a_register_is_proven() {
    for program in ["corrupted-stray", "closed-indirect"] {
        for (label, report) in
            reports(program, "full").into_iter().filter(|(label, _)| label.text("arch") == "x86")
        {
            let frames = &report.crash.as_ref().unwrap().frames;
            let leave = frames
                .iter()
                .position(|frame| frame.function.as_deref() == Some("RtlLeaveCriticalSection"));
            let caller = leave.and_then(|index| frames.get(index + 1)).unwrap();
            assert_eq!(caller.trust, "call-target", "{}", label.name());
        }
    }
}

#[test]
fn a_call_through_a_register_is_named() {
    let named = |(label, report): &(Label, Report)| {
        label.text("naming") != "none" && source(report) == "caller-imports"
    };
    assert!(reports("corrupted-stray", "wer").iter().any(named));
}

#[test]
fn garbage_on_the_stack_is_no_section() {
    for kind in ["wer", "normal"] {
        for (label, report) in reports("close-strict", kind) {
            assert!(report.critical_section.is_none(), "{}", label.name());
        }
    }
}

/// A dump of the old algorithm that claims to be Windows 7: the values still say what they are.
#[test]
fn the_data_overrules_the_version() {
    let label = labels_of("closed")
        .into_iter()
        .find(|label| label.text("set") == "x86-old" && label.text("kind") == "full");
    let label = label.unwrap();
    let file = csdump::dump::DumpFile::open(&label.path, &csdump::dump::Limits::default()).unwrap();
    let mut bytes = file.bytes().to_vec();
    let places: Vec<(usize, [u8; 8])> = {
        let dump = csdump::dump::Dump::parse(&bytes).unwrap();
        let version = |major: u32, minor: u32| {
            let mut both = [0; 8];
            both[..4].copy_from_slice(&major.to_le_bytes());
            both[4..].copy_from_slice(&minor.to_le_bytes());
            both
        };
        let info = dump.directory.iter().find(|entry| entry.stream_type == 7).unwrap();
        // SystemInfo.MajorVersion at +8; PEB.OSMajorVersion at +0xA4.
        let peb = dump.memory.tail(dump.system.peb.as_ref().unwrap().address + 0xA4).unwrap();
        let offset = peb.as_ptr() as usize - bytes.as_ptr() as usize;
        vec![(info.rva as usize + 8, version(6, 1)), (offset, version(6, 1))]
    };
    for (at, value) in places {
        bytes[at..at + 8].copy_from_slice(&value);
    }
    let dump = csdump::dump::Dump::parse(&bytes).unwrap();
    let report = csdump::analyze(&dump, &csdump::report::build::Origin::default());
    assert_eq!(report.dump.os.as_ref().unwrap().version, "6.1");
    let section = report.critical_section.as_ref().unwrap();
    assert_eq!(section.address, label.text("section"));
    assert!(section.lock_count_encoding.as_deref().unwrap().starts_with("counting"));
    assert!(
        report.warnings.iter().any(|warning| warning.contains("does not fit the reported version"))
    );
}

#[test]
fn a_section_changed_since_is_no_evidence() {
    for (label, report) in reports("h-race-anew", "full") {
        assert!(has(&report, "changed-since"), "{}", label.name());
        assert!(report.handle.as_ref().unwrap().value.is_none(), "{}", label.name());
        assert_eq!(report.outcome, Outcome::Inconclusive, "{}", label.name());
        assert_eq!(top(&report).0, "deleted", "{}", label.name());
    }
}

#[test]
fn an_event_of_another_section_is_claimed() {
    for (label, report) in reports("h-closed-busy", "full") {
        assert!(!has(&report, "unclaimed-event"), "{}", label.name());
        assert_eq!(top(&report).0, "handle-closed", "{}", label.name());
    }
}
