//! What may leave csdump towards a terminal.
//!
//! Text of a dump is sanitised when it is read. The renderers do not rely on that: all that they write
//! passes through here once more, at the place where it is laid out.

pub mod markdown;

/// Longest name (module, function, thread, object) that the text report shows, in characters.
pub const MAX_NAME: usize = 72;

/// Longest sentence or table cell that the text report shows, in characters.
pub const MAX_CELL: usize = 600;

/// Stands for what was cut.
pub const ELLIPSIS: char = '…';

/// Whether a terminal, or a reader, can be misled by `c`: control characters (C0 with ESC, DEL, C1), line
/// and paragraph separators, and the invisible format characters of Unicode, among them the bidi controls
/// (Unicode Standard Annex 9, table 4) with which a name can be made to read as another.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// `text` on one line, without unsafe characters, cut to `max` characters with [`ELLIPSIS`] as the last.
///
/// Tabs and line ends become a space, so that words do not grow together.
#[must_use]
pub fn one_line(text: &str, max: usize) -> String {
    let mut safe = text.chars().filter_map(visible);
    let mut line: String = safe.by_ref().take(max).collect();
    if safe.next().is_some() {
        line.pop();
        line.push(ELLIPSIS);
    }
    line
}

/// `text` as a name: one line of at most [`MAX_NAME`] characters.
#[must_use]
pub fn name(text: &str) -> String {
    one_line(text, MAX_NAME)
}

/// `text` as a sentence or cell: one line of at most [`MAX_CELL`] characters.
#[must_use]
pub fn cell(text: &str) -> String {
    one_line(text, MAX_CELL)
}

fn visible(c: char) -> Option<char> {
    match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => Some(' '),
        c if is_unsafe(c) => None,
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_and_bidi_controls_are_dropped() {
        assert_eq!(one_line("a\u{1b}[31mb\u{9b}c\u{202e}d\u{0}e\u{7f}f", 99), "a[31mbcdef");
    }

    #[test]
    fn line_ends_become_spaces() {
        assert_eq!(one_line("a\r\nb\tc\u{2028}d", 99), "a  b c d");
    }

    #[test]
    fn a_cut_shows_itself_and_counts_in_the_limit() {
        assert_eq!(one_line("abcdef", 6), "abcdef");
        assert_eq!(one_line("abcdefg", 6), "abcde…");
    }

    #[test]
    fn what_is_dropped_does_not_count() {
        assert_eq!(one_line("\u{200b}\u{200b}\u{200b}abc\u{200b}", 3), "abc");
    }

    proptest! {
        #[test]
        fn no_unsafe_character_passes(text in "\\PC*|[\\x00-\\x{ff}\\x{2000}-\\x{2070}]*", max in 1usize..80) {
            let line = one_line(&text, max);
            prop_assert!(!line.chars().any(is_unsafe));
            prop_assert!(line.chars().count() <= max);
        }
    }
}
