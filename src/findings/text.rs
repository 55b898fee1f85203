//! Texts that the section is part of: of bytes, or of 16-bit characters.

use super::Case;
use crate::critsec::CriticalSection;
use crate::critsec::layout::Layout;
use crate::dump::memory::AddressSpace;
use std::ops::Range;

/// Characters that make a text.
const LEAST: usize = 8;
/// Most characters of a text shown.
pub(super) const MAX_SHOWN: usize = 40;

/// A text that the section's first field is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// Its first address, or the first that was looked at.
    pub start: u64,
    /// The address behind its last character, or behind the last that was looked at.
    pub end: u64,
    /// Whether it may begin before: there is no more of it in the dump, or within what was looked at.
    pub is_cut: bool,
    /// What it is, in words.
    pub shown: String,
}

/// How a text's characters are stored.
#[derive(Debug, Clone, Copy)]
enum Coding {
    Bytes,
    Wide,
}

impl Coding {
    /// Bytes of a character.
    fn size(self) -> u64 {
        match self {
            Self::Bytes => 1,
            Self::Wide => 2,
        }
    }

    fn read(self, memory: &AddressSpace<'_>, address: u64) -> Option<char> {
        let unit = match self {
            Self::Bytes => memory.u8(address).map(u32::from)?,
            Self::Wide => memory.u16(address).map(u32::from)?,
        };
        char::from_u32(unit).filter(|unit| match self {
            Self::Bytes => u8::try_from(*unit).is_ok_and(|byte| is_text_or_break(&byte)),
            Self::Wide => is_wide_text(*unit),
        })
    }

    /// Numbers of 16 bits are characters by chance more often than those of 8 bits in a row: most must be letters.
    fn makes_a_text(self, characters: &[char]) -> bool {
        let letters = characters.iter().filter(|one| one.is_alphabetic() || **one == ' ').count();
        let most = match self {
            Self::Bytes => true,
            Self::Wide => {
                letters.saturating_mul(3) >= characters.len().saturating_mul(2)
                    && is_one_script(characters)
            }
        };
        // One character over and over is a fill, whatever a call has made of a few of them.
        let same = characters.iter().filter(|one| Some(*one) == characters.first()).count();
        let varies = same.saturating_mul(4) <= characters.len().saturating_mul(3);
        characters.len() >= LEAST && varies && most
    }
}

pub(super) fn is_text(byte: &u8) -> bool {
    byte.is_ascii_graphic() || *byte == b' '
}

pub(super) fn is_text_or_break(byte: &u8) -> bool {
    is_text(byte) || matches!(byte, b'\r' | b'\n' | b'\t')
}

/// Of the scripts below U+0700, European ones and those of the Near East, with their punctuation: the others have so many characters that
/// numbers look like them.
fn is_wide_text(unit: char) -> bool {
    let is_low = u8::try_from(unit).is_ok_and(|byte| is_text_or_break(&byte));
    let is_letter = ('\u{C0}'..'\u{700}').contains(&unit) && unit.is_alphanumeric();
    let is_mark = matches!(unit, '\u{A0}'..='\u{BF}' | '\u{2010}'..='\u{203A}' | '€' | '№' | '™');
    is_low || is_letter || is_mark
}

/// Whether the letters are those of one script, beside ASCII: numbers have their values from several, or few in ASCII.
fn is_one_script(characters: &[char]) -> bool {
    let script = |one: &char| match *one {
        '\u{370}'..'\u{400}' => 1,
        '\u{400}'..'\u{530}' => 2,
        '\u{590}'..'\u{600}' => 3,
        '\u{600}'..'\u{700}' => 4,
        _ => 0,
    };
    let letters = || characters.iter().filter(|one| one.is_alphabetic() && !one.is_ascii());
    let plain = characters.iter().filter(|one| one.is_ascii_alphabetic()).count();
    let others = letters().count();
    match letters().next().map(script) {
        None => true,
        Some(0) => letters().all(|one| script(one) == 0) && plain >= others,
        Some(first) => letters().all(|one| script(one) == first),
    }
}

/// The text that the section's first field is part of, as far as it lies in `bounds`.
///
/// - situation: a text lies where the section should; the call that failed has written some fields of it.
/// - example: "C:\Users\Public\..." in 16-bit characters, with a hole of zeros where Leave cleared RecursionCount and OwningThread.
/// - handling: all of DebugInfo is text, which is followed back; from LockSemaphore it is followed on, past the fields that calls
///   write; 8 characters or more, in 16 bits two thirds of them letters or spaces.
/// - test: `a_text_is_followed_through_the_section`.
pub(super) fn through(
    case: Case<'_, '_>,
    section: &CriticalSection,
    bounds: Range<u64>,
) -> Option<Text> {
    [Coding::Bytes, Coding::Wide]
        .into_iter()
        .find_map(|coding| run(&case.scene.dump.memory, section, &bounds, coding))
}

fn run(
    memory: &AddressSpace<'_>,
    section: &CriticalSection,
    bounds: &Range<u64>,
    coding: Coding,
) -> Option<Text> {
    let layout = Layout::of(section.width);
    let unit = coding.size();
    let forwards = |from: u64| {
        let places = (0u64..).map_while(move |index| from.checked_add(index.checked_mul(unit)?));
        let inside = places.take_while(|at| *at < bounds.end);
        inside.map_while(|at| Some((at, coding.read(memory, at)?)))
    };
    let touched = section.address.checked_add(layout.lock_count)?;
    let head: Vec<_> = forwards(section.address).take_while(|(at, _)| *at < touched).collect();
    (u64::try_from(head.len()).ok()?.checked_mul(unit)? == layout.lock_count).then_some(())?;
    let mut front: Vec<_> = (1u64..)
        .map_while(|index| section.address.checked_sub(index.checked_mul(unit)?))
        .take_while(|at| *at >= bounds.start)
        .map_while(|at| Some((at, coding.read(memory, at)?)))
        .collect();
    let first = front.last().map_or(section.address, |(at, _)| *at);
    let is_cut = is_cut(memory, first, bounds.start, coding);
    front.reverse();
    front.extend(head);
    let rest: Vec<_> = forwards(section.address.checked_add(layout.lock_semaphore)?).collect();
    let end = rest.last().or(front.last()).and_then(|(at, _)| at.checked_add(unit))?;
    let start = front.first().map(|(at, _)| *at)?;
    let shown = shown(&front, rest.len() >= LEAST);
    let characters: Vec<char> = front.into_iter().chain(rest).map(|(_, one)| one).collect();
    coding.makes_a_text(&characters).then_some(Text { start, end, is_cut, shown })
}

/// Whether a text may begin before its first character: there is no more of it in the dump, or what stands there may be a character too.
fn is_cut(memory: &AddressSpace<'_>, first: u64, lowest: u64, coding: Coding) -> bool {
    let before = first.checked_sub(coding.size()).filter(|at| *at >= lowest);
    match before.and_then(|at| memory.u8(at)) {
        None => first != lowest,
        Some(byte) if matches!(coding, Coding::Bytes) => byte >= 0x80,
        // Of a script with so many characters that they are not told from numbers.
        Some(_) => before.and_then(|at| memory.u16(at)).is_some_and(|unit| unit >= 0x700),
    }
}

/// The beginning of the text, up to where calls write.
fn shown(front: &[(u64, char)], goes_on: bool) -> String {
    let text: String = front.iter().take(MAX_SHOWN).map(|(_, one)| *one).collect();
    let more = if goes_on || front.len() > MAX_SHOWN { "..." } else { "" };
    format!("The text \"{}{more}\"", text.escape_debug())
}
