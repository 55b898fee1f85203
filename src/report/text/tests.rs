//! Snapshots of the text, and what must hold for any report.

use serde_json::Value;

use super::*;
use crate::report::fixture;

fn plain(report: &Report) -> String {
    render_report(report, Layout::default())
}

#[test]
fn diagnosed() {
    insta::assert_snapshot!(plain(&fixture::diagnosed()));
}

#[test]
fn inconclusive() {
    insta::assert_snapshot!(plain(&fixture::inconclusive()));
}

#[test]
fn not_applicable() {
    insta::assert_snapshot!(plain(&fixture::not_applicable()));
}

#[test]
fn the_first_screen_holds_failure_cause_and_reason() {
    let text = plain(&fixture::diagnosed());
    let screen: String = text.lines().take(24).collect::<Vec<_>>().join("\n");
    for part in [
        "LeaveCriticalSection",
        "agent.exe+0x1a2b",
        "STATUS_INVALID_HANDLE (0xc0000008)",
        "handle-closed (96 %)",
        "Confidence: high",
        "is not among the 14 handles",
    ] {
        assert!(screen.contains(part), "{part}\n{screen}");
    }
}

#[test]
fn the_side_of_a_wow64_process_is_named() {
    let page = |cpu: &str| {
        let mut report = fixture::diagnosed();
        (report.dump.cpu, report.dump.wow64) = (cpu.into(), true);
        plain(&report)
    };
    assert!(page("x86").contains("x86 on 64-bit Windows,"));
    assert!(page("x64").contains("x64 side of a 32-bit process,"));
}

#[test]
fn a_dump_without_exception_says_so() {
    let mut report = fixture::not_applicable();
    report.crash = None;
    let text = plain(&report);
    assert!(text.contains("The dump holds no exception."), "{text}");
    assert!(!text.contains("STACK"), "{text}");
}

#[test]
fn every_width_is_kept() {
    for width in [0, MIN_WIDTH, 60, 100, u16::MAX] {
        for line in fixture::lines() {
            let text = render(&line, Layout { width, colour: false });
            let limit = usize::from(width.clamp(MIN_WIDTH, MAX_WIDTH));
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= limit, "{width}: {widest}\n{text}");
        }
    }
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let report = fixture::diagnosed();
    let coloured = render_report(&report, Layout { colour: true, ..Layout::default() });
    assert_ne!(coloured, plain(&report));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain(&report));
}

/// A report with `hostile` at the end of every text that the model has.
fn poisoned(hostile: &'static str) -> Report {
    let report = fixture::with_hostile(hostile, fixture::diagnosed);
    let mut texts = Vec::new();
    strings(&serde_json::to_value(&report).unwrap(), &mut texts);
    texts.retain(|text| text != "diagnosed");
    assert!(texts.len() > 100 && texts.iter().all(|text| text.ends_with(hostile)));
    report
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|item| strings(item, found)),
        _ => {}
    }
}

#[test]
fn hostile_text_never_reaches_the_output_raw() {
    let hostile = "\u{1b}]0;owned\u{7}\u{9b}2J\r\n\u{202e}exe.\u{2066}\u{200b}\u{7f}\u{0}\u{2028}";
    for outcome in [Outcome::Diagnosed, Outcome::Inconclusive, Outcome::NotApplicable] {
        let mut report = poisoned(hostile);
        report.outcome = outcome;
        let text = plain(&report);
        let bad: Vec<char> = text.chars().filter(|c| *c != '\n' && escape::is_unsafe(*c)).collect();
        assert_eq!(bad, Vec::<char>::new());
        let harmless = fixture::with_hostile("x", fixture::diagnosed);
        let lines = plain(&Report { outcome, ..harmless }).lines().count();
        assert!(text.lines().count() <= lines * 2, "a line end of the dump made lines:\n{text}");
    }
}

#[test]
fn very_long_text_is_cut() {
    let long: &'static str = "漢字 long ".repeat(2_000).leak();
    let mut report = poisoned(long);
    report.warnings = vec![long.to_owned(); 500];
    let text = plain(&report);
    assert!(text.len() < 300_000, "{}", text.len());
}

#[test]
fn an_explanation() {
    let found = crate::explain::of("events-impossible");
    insta::assert_snapshot!(explanations(&found, Layout::default()));
}

#[test]
fn pages_keep_the_width_but_for_commands_which_are_there_to_be_copied() {
    let commands: Vec<_> = crate::explain::all()
        .flat_map(|page| page.confirm)
        .filter_map(|step| step.command)
        .collect();
    for width in [0, 60, 100, u16::MAX] {
        let layout = Layout { width, colour: false };
        let limit = usize::from(width.clamp(MIN_WIDTH, MAX_WIDTH));
        let pages = crate::explain::all().map(|page| explanations(&[page], layout));
        for page in pages.chain([index(layout)]) {
            let long = page
                .lines()
                .find(|line| line.chars().count() > limit && !commands.contains(&line.trim()));
            assert_eq!(long, None, "{width}");
            assert!(!page.contains('…'), "cut: {page}");
        }
    }
}
