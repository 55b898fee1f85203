//! Text out of a dump, made safe once, when it is read.

use super::bytes::{located, u32_at};
use super::header::HEADER_SIZE;

/// Longest text kept, in characters; Windows paths end at 32767, names worth showing long before.
pub const MAX_TEXT: usize = 1024;

/// Replaces what could steer a terminal or reorder a line by U+FFFD, and cuts at [`MAX_TEXT`]
/// characters (marked by `…`). A trailing NUL ends the text.
#[must_use]
pub fn sanitise(text: &str) -> String {
    let text = text.trim_end_matches('\0');
    let mut clean: String = text.chars().take(MAX_TEXT).map(safe).collect();
    if text.chars().nth(MAX_TEXT).is_some() {
        clean.push('…');
    }
    clean
}

/// The character itself, or U+FFFD for controls, line separators, bidi controls and zero-width joiners.
fn safe(character: char) -> char {
    let steers = character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}');
    if steers { char::REPLACEMENT_CHARACTER } else { character }
}

/// Sanitised text of UTF-16LE bytes; lone surrogates become U+FFFD.
#[must_use]
pub fn utf16(bytes: &[u8]) -> String {
    let most = MAX_TEXT.saturating_add(1);
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok());
    let decoded: String = char::decode_utf16(units.map(u16::from_le_bytes))
        .take(most)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    sanitise(&decoded)
}

/// Sanitised text of UTF-8 (or older 8-bit) bytes up to the first NUL.
#[must_use]
pub fn utf8(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let most = MAX_TEXT.saturating_mul(4).saturating_add(4);
    sanitise(&String::from_utf8_lossy(text.get(..most).unwrap_or(text)))
}

/// The MINIDUMP_STRING at `rva` (minidumpapiset.h): +0 u32 Length in bytes, +4 UTF-16 text.
/// `None` when it does not lie in the file; an rva inside the file's header (0 above all) means that there is none.
#[must_use]
pub fn minidump_string(file: &[u8], rva: u64) -> Option<String> {
    let start = usize::try_from(rva).ok().filter(|start| *start >= HEADER_SIZE)?;
    let length = u64::from(u32_at(file, start)?);
    located(file, rva.checked_add(4)?, length).map(utf16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        assert_eq!(
            sanitise("a\u{1b}[31mb\u{202e}c\r\n\0"),
            "a\u{fffd}[31mb\u{fffd}c\u{fffd}\u{fffd}"
        );
        assert_eq!(sanitise("Ünïcode.dll"), "Ünïcode.dll");
        assert_eq!(sanitise(&"x".repeat(2000)).chars().count(), MAX_TEXT + 1);
    }

    #[test]
    fn a_string_beyond_the_file_is_none() {
        let file = |length| [&[4; HEADER_SIZE][..], &[length, 0, 0, 0, b'a', 0, b'b', 0]].concat();
        assert_eq!(minidump_string(&file(4), 32).as_deref(), Some("ab"));
        assert_eq!(minidump_string(&file(6), 32), None);
        assert_eq!(minidump_string(&file(4), 0), None);
        assert_eq!(minidump_string(&file(4), u64::MAX), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_clean_text(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
            for text in [utf16(&bytes), utf8(&bytes)] {
                prop_assert!(text.chars().count() <= MAX_TEXT + 1);
                prop_assert!(!text.chars().any(char::is_control));
            }
        }
    }
}
