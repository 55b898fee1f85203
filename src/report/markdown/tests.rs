//! Snapshots of the Markdown, and what must hold for any report.

use super::*;
use crate::report::{escape, fixture};

fn plain(report: Report) -> String {
    render(&Line::Report(Box::new(report)))
}

#[test]
fn diagnosed() {
    insta::assert_snapshot!(plain(fixture::diagnosed()));
}

#[test]
fn inconclusive() {
    insta::assert_snapshot!(plain(fixture::inconclusive()));
}

#[test]
fn not_applicable() {
    insta::assert_snapshot!(plain(fixture::not_applicable()));
}

#[test]
fn an_error_says_where() {
    let lines = fixture::lines();
    let error = lines.iter().find(|line| matches!(line, Line::Error(_))).unwrap();
    insta::assert_snapshot!(render(error));
}

#[test]
fn a_dump_without_exception_says_so() {
    let mut report = fixture::not_applicable();
    report.crash = None;
    let text = plain(report);
    assert!(text.contains("The dump holds no exception."), "{text}");
    assert!(!text.contains("Stack"), "{text}");
}

/// What a dump could try: markup, HTML, table cells, mentions, references, links, control and bidi characters.
const HOSTILE: &[&str] = &[
    "`",
    "``",
    "```\n# head",
    "````",
    "|",
    "\\|",
    "\\",
    "|x|\n|---|---|\n",
    "<img src=x onerror=alert(1)>",
    "<!-- c -->",
    "</details>",
    "<details>",
    "\n\n- item\n\n# head\n",
    "\n---\n",
    "\n===\n",
    "[a](http://e.com)",
    "![i](http://e.com/i.png)",
    "[a]: http://e.com",
    "[^1]",
    "@team",
    " @team/all",
    " #123",
    " GH-1",
    " o/r#1",
    " TICKET-12",
    " www.e.com",
    " http://e.com",
    "(www.e.com)",
    " a@b.c",
    "*b*",
    "**b**",
    "_u_",
    "~~s~~",
    "&lt;b&gt;",
    "$x$",
    ":tada:",
    "\u{1b}[31m",
    "\u{9b}2J",
    "\u{202e}exe",
    "\u{2028}# x",
    "\r\n> quote",
    "1. x",
    "- [ ] task",
    "{#id .class}",
    "\u{0}",
    "\t\tcode",
    "    code",
    "711c72d1aa",
];

#[test]
fn no_markup_of_a_dump_is_rendered() {
    let harmless: Vec<_> = fixture::with_hostile("x", fixture::lines)
        .iter()
        .map(|line| parsed::of(&render(line)).tags)
        .collect();
    for hostile in HOSTILE {
        for (line, tags) in fixture::with_hostile(hostile, fixture::lines).iter().zip(&harmless) {
            let text = render(line);
            let parsed = parsed::of(&text);
            assert_eq!(&parsed.tags, tags, "{hostile:?} changed the elements of\n{text}");
            assert_eq!(parsed.unsafe_text(), "", "{hostile:?} in\n{text}");
            assert!(
                !text.chars().any(|c| c != '\n' && escape::is_unsafe(c)),
                "{hostile:?}\n{text}"
            );
        }
    }
}

#[test]
fn a_report_has_no_html_and_no_links() {
    for line in fixture::lines() {
        let tags = parsed::of(&render(&line)).tags;
        let bad = |tag: &&String| {
            ["Html", "Link", "Image", "Footnote"].iter().any(|bad| tag.contains(bad))
        };
        assert_eq!(tags.iter().find(bad), None);
    }
}

#[test]
fn very_long_text_is_cut() {
    let long: &'static str = "漢字 `long` ".repeat(2_000).leak();
    let mut report = fixture::with_hostile(long, fixture::diagnosed);
    report.warnings = vec![long.to_owned(); 500];
    let frame = report.crash.as_ref().unwrap().frames.first().cloned().unwrap();
    report.crash.as_mut().unwrap().frames = vec![frame; 10_000];
    let text = plain(report);
    assert!(text.len() < 100_000, "{}", text.len());
    assert!(text.contains("and 9988 more") && text.contains("and 484 more"), "{text}");
}
