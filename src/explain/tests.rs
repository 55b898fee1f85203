//! Every id has a page, no page is without its id, and no page is empty.

use std::collections::HashSet;

use super::*;
use crate::report::escape;

#[test]
fn every_id_has_exactly_one_explanation() {
    let expected: HashSet<Subject> = Cause::ALL
        .into_iter()
        .map(Subject::Cause)
        .chain(FindingId::ALL.iter().copied().map(Subject::Finding))
        .chain(Mechanism::ALL.into_iter().map(Subject::Mechanism))
        .collect();
    let found: Vec<Subject> = all().map(|explanation| explanation.subject).collect();
    let unique: HashSet<Subject> = found.iter().copied().collect();
    let missing: Vec<_> = expected.difference(&unique).map(|subject| subject.id()).collect();
    assert!(missing.is_empty(), "without an explanation in src/explain: {missing:?}");
    assert!(unique.is_subset(&expected), "an explanation of what no report can hold");
    assert_eq!(found.len(), unique.len(), "explained twice");
}

#[test]
fn a_finding_shares_no_id_with_a_cause() {
    let ids: Vec<_> = all()
        .filter(|explanation| !matches!(explanation.subject, Subject::Mechanism(_)))
        .map(Explanation::id)
        .collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
}

/// All texts of a page.
fn texts(explanation: &Explanation) -> Vec<&'static str> {
    let steps = explanation.confirm.iter().flat_map(|step| [Some(step.shows), step.command]);
    [explanation.title, explanation.means]
        .into_iter()
        .chain(explanation.arises.iter().copied())
        .chain(steps.flatten())
        .chain(explanation.fix.iter().copied())
        .collect()
}

#[test]
fn no_page_has_an_empty_part_or_one_that_the_text_would_cut() {
    for explanation in all() {
        let id = explanation.id();
        assert!(!explanation.arises.is_empty(), "{id}: arises");
        assert!(!explanation.confirm.is_empty(), "{id}: confirm");
        assert!(!explanation.fix.is_empty(), "{id}: fix");
        for text in texts(explanation) {
            assert!(!text.trim().is_empty() && text.trim() == text, "{id}: {text:?}");
            assert!(!text.contains("  "), "{id}: two spaces in {text:?}");
            assert!(text.chars().count() <= escape::MAX_CELL, "{id}: too long: {text}");
        }
    }
}

#[test]
fn sentences_end_and_titles_and_commands_do_not() {
    let sentence = |text: &str| text.ends_with(['.', ')', '?']);
    for explanation in all() {
        let id = explanation.id();
        assert!(!sentence(explanation.title), "{id}: {}", explanation.title);
        assert!(sentence(explanation.means), "{id}: {}", explanation.means);
        for text in explanation.arises.iter().chain(explanation.fix) {
            assert!(sentence(text), "{id}: {text}");
        }
        for step in explanation.confirm {
            assert!(sentence(step.shows), "{id}: {}", step.shows);
            assert!(step.command.is_none_or(|command| !command.ends_with('.')), "{id}");
        }
    }
}

#[test]
fn what_was_mistyped_is_suggested() {
    assert_eq!(nearest("handle-close").first(), Some(&"handle-closed"));
    assert_eq!(nearest("Never_Initialised").first(), Some(&"never-initialized"));
    assert_eq!(nearest("corrupt").first(), Some(&"corrupted"));
    assert!(nearest("pattern").contains(&"free-pattern"));
    assert!(nearest("handle").len() <= MAX_NEAREST);
    assert!(nearest("").is_empty());
    assert!(nearest("qqqq\u{1b}[31m").is_empty());
    assert!(nearest(&"x".repeat(1 << 20)).is_empty());
}

#[test]
fn a_shared_id_gives_both() {
    let kinds: Vec<_> =
        of("not-owner").iter().map(|explanation| explanation.subject.kind()).collect();
    assert_eq!(kinds, ["cause", "mechanism"]);
    assert!(of("no-such-id").is_empty());
}

#[test]
fn what_stands_in_capitals_in_a_command_is_explained() {
    let known = |word: &str| PLACEHOLDERS.iter().any(|(name, _)| word.contains(name));
    // Names of Windows and of checks, and counts of lines.
    let fixed = ["L6", "L20", "L60", "L80", "L100", "L10", "PEB", "AppCompatFlags"];
    for step in all().flat_map(|explanation| explanation.confirm) {
        for word in step.command.unwrap_or_default().split([' ', '+', '-', '_']) {
            let capitals = word.len() > 1
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'!');
            let number = word.bytes().all(|byte| byte.is_ascii_digit());
            assert!(
                !capitals || number || known(word) || fixed.contains(&word),
                "{word} in {:?}",
                step.command
            );
        }
    }
}

/// The Markdown rendering writes the texts as they are, and commands as code.
#[test]
fn no_text_has_markup_in_it() {
    for explanation in all() {
        let commands: Vec<_> = explanation.confirm.iter().filter_map(|step| step.command).collect();
        for text in texts(explanation).into_iter().filter(|text| !commands.contains(text)) {
            assert!(!text.contains(['<', '>', '|', '*', '`', '[', '@', '$']), "{text}");
        }
        assert!(commands.iter().all(|command| !command.contains(['`', '|'])), "{commands:?}");
    }
}
