//! `csdump explain`.

use super::{ran, stderr, stdout};

#[test]
fn without_an_id_all_are_listed_by_family() {
    for format in ["text", "markdown"] {
        let output = ran(&["explain", "--format", format]);
        assert_eq!(output.status.code(), Some(0));
        for explanation in csdump::explain::all() {
            assert!(stdout(&output).contains(explanation.id()), "{}", explanation.id());
            assert!(stdout(&output).contains(explanation.title), "{}", explanation.id());
        }
    }
}

#[test]
fn a_cause_and_a_finding_have_pages() {
    let cause = ran(&["explain", "copied"]);
    assert_eq!(cause.status.code(), Some(0));
    for part in ["copied (cause)", "HOW IT ARISES", "!cs -s -d RECORD", "WHAT TO DO", "0x203"] {
        assert!(stdout(&cause).contains(part), "{part}");
    }
    let finding = ran(&["explain", "--format", "markdown", "handle-in-live-range"]);
    for part in ["# handle-in-live-range\n", "### How to confirm it", "| handle-closed | +2.0 |"] {
        assert!(stdout(&finding).contains(part), "{part}");
    }
    assert_eq!(stderr(&finding), "");
}

#[test]
fn an_unknown_id_is_2_with_what_is_near() {
    let output = ran(&["explain", "handle-close"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    assert!(stderr(&output).contains("handle-closed"), "{}", stderr(&output));
    let output = ran(&["explain", "zzz\u{1b}[31m"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("csdump explain lists all"), "{}", stderr(&output));
    assert!(!stderr(&output).contains('\u{1b}'));
}

#[test]
fn colour_is_written_on_demand() {
    assert!(stdout(&ran(&["explain", "copied", "--color", "always"])).contains('\u{1b}'));
    assert!(!stdout(&ran(&["explain", "copied"])).contains('\u{1b}'));
}
