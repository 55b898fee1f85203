//! Which events belong to sections that no list leads to: a bounded search of memory for sections that
//! hold them.

use super::Case;
use crate::critsec::layout::Layout;
use crate::critsec::search;
use crate::dump::kind::MemoryKind;
use std::collections::HashSet;

/// Most bytes of memory searched; more leaves it open whether an event belongs to a section.
const BUDGET: usize = 16 << 20;
/// Most events looked for.
const MAX_EVENTS: usize = 256;

/// Of `events`, those that a section somewhere in memory holds in its LockSemaphore, and whether all memory of the
/// process was searched.
pub(super) fn sections_holding(case: Case<'_, '_>, events: &[u64]) -> (HashSet<u64>, bool) {
    let wanted: HashSet<u64> = events.iter().take(MAX_EVENTS).copied().collect();
    if events.len() > MAX_EVENTS {
        case.scene.flows.cut("the search for sections that claim events (256 events)");
    }
    let mut found = HashSet::new();
    let mut left = BUDGET;
    let all_memory = matches!(case.scene.dump.memory_kind, MemoryKind::Full | MemoryKind::Private);
    if wanted.is_empty() {
        return (found, all_memory);
    }
    for region in case.scene.dump.memory.regions() {
        let len = region.bytes.len().min(left);
        left = left.saturating_sub(len);
        for (address, value) in
            words(case, region.base, region.bytes.get(..len).unwrap_or_default())
        {
            if wanted.contains(&value)
                && !found.contains(&value)
                && is_semaphore_of_section(case, address)
            {
                found.insert(value);
            }
        }
        if left == 0 {
            case.scene.flows.cut("the search of memory for sections that claim events (16 MiB)");
        }
        if left == 0 || found.len() == wanted.len() {
            break;
        }
    }
    (found, all_memory && left > 0 && events.len() <= MAX_EVENTS)
}

/// The aligned pointer-sized words of a region with their addresses.
pub(super) fn words<'b>(
    case: Case<'_, '_>,
    base: u64,
    bytes: &'b [u8],
) -> impl Iterator<Item = (u64, u64)> + use<'b> {
    let size = case.scene.dump.system.pointer_width.bytes();
    let step = usize::try_from(size).unwrap_or(8);
    let skip = base
        .checked_next_multiple_of(size)
        .and_then(|first| usize::try_from(first.checked_sub(base)?).ok());
    let skip = skip.unwrap_or(0);
    let aligned = bytes.get(skip..).unwrap_or_default();
    aligned.chunks_exact(step).enumerate().filter_map(move |(index, word)| {
        let address =
            base.checked_add(skip as u64)?.checked_add((index as u64).checked_mul(size)?)?;
        let value = match word {
            [a, b, c, d] => u64::from(u32::from_le_bytes([*a, *b, *c, *d])),
            _ => u64::from_le_bytes(word.try_into().ok()?),
        };
        Some((address, value))
    })
}

/// Whether the word at `address` is the LockSemaphore of something that is in every field a section, and
/// not the failed one.
fn is_semaphore_of_section(case: Case<'_, '_>, address: u64) -> bool {
    let dump = case.scene.dump;
    let width = dump.system.pointer_width;
    let Some(start) = address.checked_sub(Layout::of(width).lock_semaphore) else { return false };
    case.section.is_some_and(|section| {
        section.address != start && search::genuine(dump, start, section.encoding).is_some()
    })
}
