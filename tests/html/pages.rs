//! What `--format html` writes, and where.

use super::{DUMPS, dumps, html};
use std::process::Command;

fn count(page: &str, part: &str) -> usize {
    page.matches(part).count()
}

#[test]
fn analyze_writes_one_section_per_dump_and_errors_too() {
    let output = html("analyze", &[concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    assert_eq!(output.status.code(), Some(2));
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{page}");
    assert_eq!(count(&page, "<article class=\"card dump\""), DUMPS.len() + 1);
    assert_eq!(count(&page, "class=\"badge error\""), 1);
    for part in ["handle-closed", "corrupted", "not-owner", "Not a critical-section failure"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn scan_writes_groups_each_with_the_report_on_its_example() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    let output = html("scan", &["--output", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.is_empty());
    let page = std::fs::read_to_string(file).unwrap();
    let groups = count(&page, "<article class=\"card group\"");
    assert!(groups >= 3, "{groups}");
    assert_eq!(count(&page, "<details class=\"full\">"), groups);
    assert_eq!(count(&page, "<h4 class=\"verdict\">"), groups);
    assert!(page.contains("5 dumps read, 4 critical-section failures"), "{page}");
}

/// A resumed scan examines nothing again, and its page has the same groups and reports.
#[test]
fn a_resumed_scan_gives_the_same_page() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.jsonl");
    let run = || {
        let mut csdump = Command::new(env!("CARGO_BIN_EXE_csdump"));
        csdump.args(["scan", "--quiet", "--format", "html", "--resume"]).arg(&store);
        String::from_utf8(csdump.args(dumps()).output().unwrap().stdout).unwrap()
    };
    let (first, second) = (run(), run());
    assert!(first.contains("<details class=\"full\">"));
    assert_eq!(first, second);
}
