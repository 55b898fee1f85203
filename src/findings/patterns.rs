//! Fill patterns, and neighbours that run into the section (critical-sections.md 8, and 9 rows 7 and 12).

use super::text::{MAX_SHOWN, is_text};
use super::{Case, Finding, FindingId, field_at, has, place};
use crate::critsec::CriticalSection;
use crate::critsec::debug_info::DebugInfoState;
use crate::critsec::fill::{self, Meaning};
use crate::critsec::layout::{Layout, RawCriticalSection};
use crate::critsec::spin_count;

/// Bytes of a neighbour that must be like the damaged field.
const NEIGHBOUR: u64 = 8;
/// Most bytes followed on either side of the border.
const MAX_RUN: u64 = 256;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    let Some(raw) = section.raw else { return };
    if !fill_pattern(case, section, &raw, findings) {
        neighbours(case, section, &raw, findings);
    }
}

/// What a fill pattern makes of each field by itself.
const PARTS: &[FindingId] = &[
    FindingId::HandleImplausible,
    FindingId::HandleBeyondLiveRange,
    FindingId::SpinCountImplausible,
    FindingId::DebugInfoImpossible,
    FindingId::EveryFieldForeign,
    FindingId::HeadDamaged,
    FindingId::TailDamaged,
    FindingId::OnlyHandleDamaged,
    FindingId::MoreWaitersThanThreads,
    FindingId::WaitersMissing,
    FindingId::NoWaiterByAddress,
    FindingId::OwnerUnknown,
];

/// A section that is a fill pattern is one fact, not one for each field.
pub(super) fn replace_parts(findings: &mut Vec<Finding>) {
    if FindingId::FILLS.iter().any(|fill| has(findings, *fill)) {
        findings.retain(|finding| !PARTS.contains(&finding.id));
    }
}

/// The section is a fill pattern (critical-sections.md 8, and 9 row 7).
///
/// - situation: allocators fill fresh memory, freed memory and the space between blocks.
/// - example: ABABABAB in DebugInfo and LockSemaphore.
/// - handling: two of the three fields that Enter does not write must be one pattern; its meaning is [`fill::meaning`]'s.
/// - test: `a_fill_pattern_is_one_fact`.
fn fill_pattern(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) -> bool {
    let fields = [raw.debug_info, raw.lock_semaphore, raw.spin_count];
    let found = fill::PATTERNS.iter().find(|(word, ..)| {
        let full = fill::widened(*word, section.width);
        fields.iter().filter(|field| **field == full).count() >= 2
    });
    let modules = &case.scene.dump.modules;
    let Some((word, (meaning, by))) =
        found.and_then(|(word, ..)| Some((*word, fill::meaning(*word, modules)?)))
    else {
        return repeated_byte(section, &fields, findings);
    };
    let (id, what) = match meaning {
        Meaning::Allocated => (FindingId::AllocationPattern, "allocated, not yet written"),
        Meaning::Freed => (FindingId::FreePattern, "freed"),
        Meaning::Guard => (FindingId::GuardPattern, "the space around blocks"),
        Meaning::Either => (FindingId::AmbiguousPattern, "its meaning depends on the allocator"),
    };
    findings.push(Finding::new(
        id,
        format!("The section's fields are the fill pattern {word:#X} ({by}: {what})."),
        field_at(section, 0),
    ));
    if meaning == Meaning::Freed && !fill::is_of_loaded_allocator(word, modules) {
        findings.push(Finding::new(
            FindingId::FillWithoutAllocator,
            format!("No module of the process is known to fill freed memory with {word:#X}."),
            "ModuleList",
        ));
    }
    true
}

/// One byte repeated that no known allocator fills with.
///
/// - situation: programs fill memory by themselves, and any of them picks its own byte.
/// - example: 0x7F7F7F7F7F7F7F7F in DebugInfo, LockSemaphore and SpinCount.
/// - handling: DebugInfo and one of the other two fields that Enter does not write are one byte over and over, neither 0
///   nor 0xFF.
/// - test: `a_byte_of_a_programs_own_is_a_fill`.
fn repeated_byte(
    section: &CriticalSection,
    fields: &[u64; 3],
    findings: &mut Vec<Finding>,
) -> bool {
    let byte_of = |field: u64| {
        let byte = field & 0xFF;
        let full = section.width.truncate(byte.wrapping_mul(0x0101_0101_0101_0101));
        (full == field && byte != 0 && byte != 0xFF).then_some(byte)
    };
    let bytes = fields.map(byte_of);
    let repeated = bytes
        .into_iter()
        .flatten()
        .find(|byte| bytes.iter().filter(|other| **other == Some(*byte)).count() >= 2);
    // The last fields alone are an underrun's.
    let Some(byte) = repeated.filter(|byte| bytes.first() == Some(&Some(*byte))) else {
        return false;
    };
    findings.push(Finding::new(
        FindingId::RepeatedByte,
        format!("The section's fields are the byte {byte:#04x} over and over, which no known allocator fills with."),
        field_at(section, 0),
    ));
    true
}

/// Damage that goes on in the memory beside the section shows where it came from.
///
/// - situation: a buffer before or behind the section was written past its end.
/// - example: text that ends in DebugInfo; 0x5A bytes from behind up to LockSemaphore.
/// - handling: the damaged field and the 8 bytes beside the section must be text both, or repeat one word both; the
///   text, where it begins and how far it goes are named.
/// - test: `neighbours_name_the_direction` (tests/accuracy).
fn neighbours(
    case: Case<'_, '_>,
    section: &CriticalSection,
    raw: &RawCriticalSection,
    findings: &mut Vec<Finding>,
) {
    let memory = &case.scene.dump.memory;
    let layout = Layout::of(section.width);
    let read = |address: Option<u64>| {
        let bytes = memory.read_up_to(address?, usize::try_from(NEIGHBOUR).ok()?);
        (bytes.len() as u64 == NEIGHBOUR).then_some(bytes)
    };
    let field = |address: Option<u64>| {
        let len = usize::try_from(section.width.bytes()).ok()?;
        let bytes = memory.read_up_to(address?, len);
        (bytes.len() == len).then_some(bytes)
    };
    let head_damaged = matches!(section.debug_info, Some(DebugInfoState::Impossible));
    let tail_damaged = !spin_count::is_plausible(raw.spin_count);
    let is_foreign = has(findings, FindingId::EveryFieldForeign);
    if tail_damaged && (head_damaged || is_foreign) {
        // Old contents of recycled memory run through it just so: no direction to name.
        return;
    }
    if head_damaged
        && let Some(before) = read(section.address.checked_sub(NEIGHBOUR))
        && let Some(head) = field(Some(section.address))
        && let Some(alike) =
            alike(&before, &head).filter(|alike| *alike == Alike::Text || !is_foreign)
    {
        let (start, end) = extent(case, section.address, &alike);
        let into = end.saturating_sub(section.address);
        let from = place::describe(case.scene.dump, start);
        let what = alike.shown(case, start, end, true);
        findings.push(Finding::new(
            FindingId::NeighbourRunsInFromBefore,
            format!("{what} that begins at {from} runs {into} byte(s) into the section."),
            format!("memory at {start:#x}"),
        ));
    }
    let end = section.address.checked_add(layout.size);
    if tail_damaged
        && let Some(end) = end
        && let Some(behind) = read(Some(end))
        && let Some(tail) = field(section.address.checked_add(layout.spin_count))
        && let Some(alike) = alike(&behind, &tail)
    {
        let (start, stop) = extent(case, end, &alike);
        let into = end.saturating_sub(start);
        let from = place::describe(case.scene.dump, end);
        let what = alike.shown(case, start, stop, false);
        findings.push(Finding::new(
            FindingId::NeighbourRunsInFromBehind,
            format!("{what} that fills the bytes behind the section, at {from}, covers its last {into} byte(s)."),
            format!("memory at {end:#x}"),
        ));
    }
}

/// The first and the end address of what runs over the border at `border`.
fn extent(case: Case<'_, '_>, border: u64, alike: &Alike) -> (u64, u64) {
    let memory = &case.scene.dump.memory;
    let belongs = |address: &u64| {
        memory.u8(*address).is_some_and(|byte| alike.has(address.wrapping_sub(border), byte))
    };
    let before = (1..=MAX_RUN).map_while(|back| border.checked_sub(back)).take_while(belongs);
    let behind = (0..MAX_RUN).map_while(|on| border.checked_add(on)).take_while(belongs);
    let start = before.last().unwrap_or(border);
    (start, behind.last().map_or(border, |last| last.saturating_add(1)))
}

/// What two runs of bytes have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alike {
    Text,
    /// A word that is repeated at multiples of 4 from the border.
    Word([u8; 4]),
}

impl Alike {
    /// Whether the byte at a distance from the border, modulo 2^64, can be part of it.
    fn has(&self, distance: u64, byte: u8) -> bool {
        match self {
            Self::Text => is_text(&byte),
            Self::Word(word) => {
                let index = usize::try_from(distance & 3).unwrap_or(0);
                word.get(index) == Some(&byte)
            }
        }
    }

    /// In words: the repeated word, or the text, shortened to its end or its beginning.
    fn shown(&self, case: Case<'_, '_>, start: u64, end: u64, to_its_end: bool) -> String {
        match self {
            Self::Word(word) => format!("The value {:#010X}", u32::from_le_bytes(*word)),
            Self::Text => {
                let length = usize::try_from(end.saturating_sub(start)).unwrap_or(0);
                let bytes = case.scene.dump.memory.read_up_to(start, length);
                let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                let skipped = text.len().saturating_sub(MAX_SHOWN);
                let shown = if to_its_end { text.get(skipped..) } else { text.get(..MAX_SHOWN) };
                let shown = shown.unwrap_or(&text).escape_default();
                match (skipped > 0, to_its_end) {
                    (false, _) => format!("The text \"{shown}\""),
                    (true, true) => format!("The text \"...{shown}\""),
                    (true, false) => format!("The text \"{shown}...\""),
                }
            }
        }
    }
}

/// Both runs are text, or repeat one word other than 0.
fn alike(left: &[u8], right: &[u8]) -> Option<Alike> {
    if left.iter().chain(right).all(is_text) {
        return Some(Alike::Text);
    }
    let word: [u8; 4] = left.get(..4)?.try_into().ok()?;
    let repeats = left.chunks(4).chain(right.chunks(4)).all(|chunk| chunk == word);
    (repeats && word != [0; 4]).then_some(Alike::Word(word))
}
