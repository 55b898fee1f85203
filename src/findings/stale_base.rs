//! Memory that is gone, and what still leads to where it began.

use super::claims::words;
use super::{Case, Finding, FindingId, has};

/// Allocations begin at multiples of this ("VirtualAlloc function", learn.microsoft.com: the allocation granularity, 64 KiB).
const GRANULARITY: u64 = 0x1_0000;
/// The least multiple that counts.
const LEAST: u64 = 16 << 20;
/// Most bytes of memory searched.
const BUDGET: usize = 16 << 20;

/// Somewhere the address is kept at which the memory began that is free now.
///
/// - situation: pages or a view were given back; who had them still has the pointer to their beginning, which no wild pointer has.
/// - example: the section was at 0x1060010; `statistics.header` is still 0x1060000, where nothing lies any more.
/// - handling: a free address, whose multiple of 64 KiB is free too; a word of memory that holds just that multiple. The address itself is no
///   such multiple: the call's own argument would be found. Not below 16 MiB, nor a power of two: sizes, flags and pairs of characters are such words.
/// - test: `the_address_of_what_is_gone_is_kept` (tests/accuracy).
pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let gone = [FindingId::MemoryFree, FindingId::AbsentFromFullMemory];
    let Some(section) = case.section.filter(|_| gone.iter().any(|id| has(findings, *id))) else {
        return;
    };
    let base = section.address & !(GRANULARITY.saturating_sub(1));
    let is_free = case.scene.dump.memory_info_at(base).is_none_or(|info| info.is_free());
    if base < LEAST || base.is_power_of_two() || base == section.address || !is_free {
        return;
    }
    let mut left = BUDGET;
    for region in case.scene.dump.memory.regions() {
        let len = region.bytes.len().min(left);
        left = left.saturating_sub(len);
        let bytes = region.bytes.get(..len).unwrap_or_default();
        if let Some((at, _)) = words(case, region.base, bytes).find(|(_, word)| *word == base) {
            findings.push(Finding::new(
                FindingId::BaseIsKept,
                format!("{base:#x}, where memory can have begun that had the section at +{:#x}, is still kept at {}; nothing lies there now.", section.address.wrapping_sub(base), super::place::describe(case.scene.dump, at)),
                format!("memory at {at:#x}"),
            ));
            return;
        }
        if left == 0 {
            case.scene.flows.cut("the search of memory for what leads to released memory (16 MiB)");
            return;
        }
    }
}
