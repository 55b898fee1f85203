//! Fill patterns, and neighbours that run into the section (critical-sections.md 8, and 9 rows 7 and 12).

use super::{Case, Finding, FindingId, field_at, has};
use crate::critsec::CriticalSection;
use crate::critsec::debug_info::DebugInfoState;
use crate::critsec::fill::{self, Meaning};
use crate::critsec::layout::{Layout, RawCriticalSection};
use crate::critsec::spin_count;

/// Modules whose debug heap fills allocated memory with CD and freed memory with DD.
const MSVC_DEBUG: &[&str] = &[
    "ucrtbased.dll",
    "msvcrtd.dll",
    "msvcr120d.dll",
    "msvcr110d.dll",
    "msvcr100d.dll",
    "vcruntime140d.dll",
];

/// Bytes of a neighbour that must be like the damaged field.
const NEIGHBOUR: u64 = 8;

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
];

/// A section that is a fill pattern is one fact, not one for each field.
pub(super) fn replace_parts(findings: &mut Vec<Finding>) {
    let patterns =
        [FindingId::AllocationPattern, FindingId::FreePattern, FindingId::AmbiguousPattern];
    if patterns.iter().any(|pattern| has(findings, *pattern)) {
        findings.retain(|finding| !PARTS.contains(&finding.id));
    }
}

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
    let Some((word, meaning, by)) = found else { return false };
    let id = match decided(case, *word, *meaning) {
        Meaning::Allocated => FindingId::AllocationPattern,
        Meaning::Freed => FindingId::FreePattern,
        Meaning::Either => FindingId::AmbiguousPattern,
    };
    findings.push(Finding::new(
        id,
        format!("The section's fields are the fill pattern {word:#X} ({by})."),
        field_at(section, 0),
    ));
    true
}

/// The same byte means opposite things to different allocators; the modules present decide.
fn decided(case: Case<'_, '_>, word: u32, meaning: Meaning) -> Meaning {
    let modules = &case.scene.dump.modules;
    let is_msvc_debug =
        modules.iter().any(|module| MSVC_DEBUG.iter().any(|name| module.is_named(name)));
    match (word, is_msvc_debug) {
        (0xCDCD_CDCD, true) => Meaning::Allocated,
        (0xDDDD_DDDD, true) => Meaning::Freed,
        _ => meaning,
    }
}

/// Damage that goes on in the memory beside the section shows where it came from.
///
/// - situation: a buffer before or behind the section was written past its end.
/// - example: text that ends in DebugInfo; 0x5A bytes from behind up to LockSemaphore.
/// - handling: the damaged field and the 8 bytes beside the section must be text both, or repeat one byte both.
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
    if head_damaged && tail_damaged {
        // Old contents of recycled memory run through it just so: no direction to name.
        return;
    }
    if head_damaged
        && let Some(before) = read(section.address.checked_sub(NEIGHBOUR))
        && let Some(head) = field(Some(section.address))
        && let Some(what) = alike(&before, &head)
    {
        findings.push(Finding::new(
            FindingId::NeighbourRunsInFromBefore,
            format!(
                "The {NEIGHBOUR} bytes before the section are {what}, and it goes on in DebugInfo."
            ),
            format!("memory at {:#x}", section.address.saturating_sub(NEIGHBOUR)),
        ));
    }
    let end = section.address.checked_add(layout.size);
    if tail_damaged
        && let Some(behind) = read(end)
        && let Some(tail) = field(section.address.checked_add(layout.spin_count))
        && let Some(what) = alike(&behind, &tail)
    {
        findings.push(Finding::new(
            FindingId::NeighbourRunsInFromBehind,
            format!(
                "The {NEIGHBOUR} bytes behind the section are {what}, and it goes on in SpinCount."
            ),
            format!("memory at {:#x}", end.unwrap_or_default()),
        ));
    }
}

/// What two runs of bytes have in common: text, or one repeated word.
fn alike(left: &[u8], right: &[u8]) -> Option<&'static str> {
    let all = || left.iter().chain(right);
    let is_text = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    if all().all(is_text) {
        return Some("text");
    }
    let first = left.first()?;
    if *first != 0 && all().all(|byte| byte == first) {
        return Some("one repeated byte");
    }
    let word = left.get(..4)?;
    let repeats = left.chunks(4).chain(right.chunks(4)).all(|chunk| chunk == word);
    (repeats && word.iter().any(|byte| *byte != 0)).then_some("one repeated word")
}
