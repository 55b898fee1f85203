//! What may leave csdump towards Markdown that an issue tracker renders.
//!
//! A backslash stops markup, but not the mentions (`@name`), references (`#1`, `GH-1`, commit ids) and links that
//! trackers find in the rendered text. None of these is looked for inside code (GitHub Flavored Markdown Spec 6.3;
//! GitHub Docs, "Autolinked references and URLs"). So a word that is not plainly a word becomes a code span; what
//! cannot be in one, a line end, or in a table the `|`, is replaced.

use super::{MAX_CELL, one_line};

/// Stands for `|`, which ends a table's cell even inside code.
const BAR: char = '¦';

/// `text`, of at most [`MAX_CELL`] characters, as a sentence; in a table it is to go through [`cell`].
///
/// - situation: text of a dump stands in sentences that a tracker renders.
/// - example: a module named `@team|<img src=x>#1.dll`.
/// - handling: words of letters and digits stay; all others, and runs of them, become code spans.
/// - test: `no_markup_of_a_dump_is_rendered`.
#[must_use]
pub fn sentence(text: &str) -> String {
    let text = one_line(text, MAX_CELL);
    let mut out = String::new();
    let mut code: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let begins = out.is_empty() && code.is_empty();
        if is_plain(word) && !(begins && is_list_mark(word)) {
            flush(&mut out, &mut code);
            space(&mut out);
            out.push_str(word);
        } else {
            code.push(word);
            if word.ends_with(SENTENCE_MARKS) {
                flush(&mut out, &mut code);
            }
        }
    }
    flush(&mut out, &mut code);
    out
}

/// What [`sentence`] or [`code`] wrote, as the cell of a table.
#[must_use]
pub fn cell(inline: &str) -> String {
    inline.chars().map(|c| if c == '|' { BAR } else { c }).collect()
}

/// `text`, of at most `max` characters, as one code span; nothing for nothing.
#[must_use]
pub fn code(text: &str, max: usize) -> String {
    let text = one_line(text, max);
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(text).saturating_add(1));
    // A space that stands at both ends is not part of the code.
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// `lines` as a fenced code block, each cut to `max` characters.
#[must_use]
pub fn block(lines: &[String], max: usize) -> String {
    let lines: Vec<_> = lines.iter().map(|line| one_line(line, max)).collect();
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.saturating_add(1).max(3));
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

/// Ends the run of words that are code. The marks of the sentence behind it are no part of it.
fn flush(out: &mut String, words: &mut Vec<&str>) {
    let text = words.join(" ");
    words.clear();
    let inner = text.trim_end_matches(SENTENCE_MARKS);
    let (inner, marks) = text.split_at_checked(inner.len()).unwrap_or((&text, ""));
    let (inner, marks) = if inner.is_empty() { (marks, "") } else { (inner, marks) };
    let span = code(inner, MAX_CELL);
    if !span.is_empty() {
        space(out);
        out.push_str(&span);
        out.push_str(marks);
    }
}

fn space(out: &mut String) {
    if !out.is_empty() {
        out.push(' ');
    }
}

/// What may stand behind a word, and behind a code span, without being part of it.
const SENTENCE_MARKS: &[char] = &['.', ',', ';', ':', ')'];

/// Whether no renderer makes anything of a word: letters and digits, with points, commas, apostrophes, hyphens and
/// parentheses between them, and the marks of a sentence around them.
fn is_plain(word: &str) -> bool {
    // Alone, they are the marks of a probability.
    if matches!(word, "%" | "%)" | "%).") {
        return true;
    }
    let core = word.trim_start_matches(['(', '"']);
    // Within a parenthesis it cannot begin a line, where it would be a quotation.
    let core = if word.starts_with("(>") { core.trim_start_matches('>') } else { core };
    let core = core.trim_end_matches(SENTENCE_MARKS).trim_end_matches(['"', '?', '…', '(']);
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '.' | ',' | '\'' | '-' | '(' | ')');
    core.starts_with(char::is_alphanumeric)
        && core.ends_with(char::is_alphanumeric)
        && core.chars().all(inner)
        && !core.split(['(', ')', ',']).any(is_linked)
}

/// `www.` addresses, `GH-1` and `TICKET-1`, commit ids: what trackers link although it is letters and digits.
fn is_linked(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let parts = lower.split('-').skip(1);
    let ticket = { parts }.any(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    let commit = word.len() >= 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    lower.starts_with("www.") || ticket || commit && !word.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1.` and `1)` begin a list where they begin a line.
fn is_list_mark(word: &str) -> bool {
    word.strip_suffix(['.', ')'])
        .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::markdown::parsed;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_sentence_is_markup(text in "\\PC*|[ -~\\x00-\\x20]*|([#@|`~*_<>!\\[\\]()&$:\\\\.-] ?[a-z0-9]{0,3}){0,12}") {
            let written = sentence(&text);
            prop_assert!(!written.contains('\n') && !written.chars().any(super::super::is_unsafe));
            let parsed = parsed::of(&written);
            prop_assert_eq!(&parsed.unsafe_text(), "", "{}", &written);
            prop_assert!(parsed.tags.iter().all(|tag| tag.contains("Paragraph")), "{}: {:?}", &written, &parsed.tags);
        }
    }

    #[test]
    fn words_stay_and_all_else_is_code() {
        for (text, expected) in [
            ("The slot is empty.", "The slot is empty."),
            ("0x164 (of 14, highest 0x1f0)", "0x164 (of 14, highest 0x1f0)"),
            ("!a -b, !c -d", "`!a -b`, `!c -d`"),
            ("see agent.exe+0x1a2b now", "see `agent.exe+0x1a2b` now"),
            ("@team #1 <b>x</b>", "`@team #1 <b>x</b>`"),
            ("[a](http://b) www.b.c GH-1 a-1", "`[a](http://b`) `www.b.c GH-1 a-1`"),
            ("fixed in 711c72d1", "fixed in `711c72d1`"),
            ("A | B a|b", "A `|` B `a|b`"),
            ("x`y", "``x`y``"),
            ("`y", "`` `y ``"),
            ("1. one", "`1`. one"),
            ("one 1. (stream 18)", "one 1. (stream 18)"),
            ("--- # ok", "`--- #` ok"),
            ("1 other thread(s).", "1 other thread(s)."),
            ("why (>99 %).", "why (>99 %)."),
            (">99 %", "`>99` %"),
            ("x(www.b.c) (GH-1)", "`x(www.b.c`) `(GH-1`)"),
            ("in a.exe+0x1, or b_c.", "in `a.exe+0x1`, or `b_c`."),
            (",", "`,`"),
            ("a\nb\u{1b}c", "a bc"),
            ("", ""),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }

    #[test]
    fn a_fence_is_longer_than_any_run_in_it() {
        let text = block(&["a ``` b".to_owned(), "````\n# x".to_owned()], 80);
        assert_eq!(text, "`````text\na ``` b\n```` # x\n`````\n");
        assert_eq!(code(" | ", 9), "`|`");
        assert_eq!(cell("`a|b`"), "`a¦b`");
        assert_eq!(code(" \u{202e} ", 9), "");
    }
}
