//! An address that is the lower half of a longer one.

use super::{Case, Finding, FindingId};
use crate::crash::waits::WAIT_DEPTH;
use crate::critsec::CriticalSection;
use crate::dump::memory::PointerWidth;

/// Most bytes from the beginning of an object to a section in it.
const MEMBER: u64 = 0x1000;
/// Where the upper half of a 64-bit address begins.
const HALF: u32 = 32;
/// The largest upper half of an address in user space ("Virtual Address Spaces", learn.microsoft.com: 128 TiB).
const LARGEST_UPPER: u64 = 0x7FFF;

/// The process holds an address whose lower 32 bits are those of the section's.
///
/// - situation: a pointer went through a variable, a parameter or a message of 32 bits.
/// - example: 0xA3C10008, and the list of sections has one at 0x5A3C10008.
/// - handling: x64 and ARM64, an address below 4 GiB that could not be accessed; an entry of the process's list of sections with that
///   lower half; or a word in the registers of the faulting thread's frames or in the top 0x400 bytes of its stack with that lower half,
///   or with one up to 0x1000 bytes below it (the object that holds the section), and an upper half of user space, where the
///   process has memory.
/// - test: `half_an_address_is_seen`, `half_a_pointer_leads_to_the_whole_one` (tests/accuracy).
pub(super) fn collect(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    if section.width != PointerWidth::Eight || section.address >> HALF != 0 {
        return;
    }
    let mut listed = case.list.sections.iter().map(|listed| listed.section);
    let whole = listed.find(|whole| distance(*whole, section.address) == Some(0));
    let found = match whole {
        Some(whole) => Some((whole, "the list of sections")),
        None => held(case, section.address).map(|whole| (whole, "the stack or the registers")),
    };
    if let Some((whole, holder)) = found {
        findings.push(Finding::new(
            FindingId::AddressIsHalf,
            format!(
                "The section's address {:#x} has the lower 32 bits of {whole:#x}, which stands in {holder}.",
                section.address
            ),
            holder.trim_start_matches("the "),
        ));
    }
}

/// How far the address lies behind the lower half of a longer one.
fn distance(whole: u64, address: u64) -> Option<u64> {
    let upper = whole >> HALF;
    let is_longer = (1..=LARGEST_UPPER).contains(&upper);
    let lower = whole & u64::from(u32::MAX);
    address.checked_sub(lower).filter(|distance| is_longer && *distance <= MEMBER)
}

/// A longer address in the faulting thread's registers or near the top of its stack.
fn held(case: Case<'_, '_>, address: u64) -> Option<u64> {
    let frames = &case.crash.frames;
    let registers = frames
        .iter()
        .flat_map(|frame| frame.registers.known().map(|(_, value, _)| value).collect::<Vec<_>>());
    let sp = frames.first().and_then(|frame| frame.registers.sp());
    let width = PointerWidth::Eight;
    let slots = (0..WAIT_DEPTH).step_by(8).map_while(move |offset| sp?.checked_add(offset));
    let stack = slots.filter_map(|slot| case.scene.dump.memory.pointer(slot, width));
    let dump = case.scene.dump;
    let is_there = |word: u64| {
        dump.memory_info_at(word).is_some_and(|info| info.is_committed())
            || dump.memory.pointer(word, width).is_some()
    };
    // Two numbers side by side lead nowhere.
    registers.chain(stack).find(|word| distance(*word, address).is_some() && is_there(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_an_address_is_seen() {
        assert_eq!(distance(0x5_A3C1_0008, 0xA3C1_0008), Some(0));
        assert_eq!(distance(0x5_A3C1_0000, 0xA3C1_0008), Some(8), "the object that holds it");
        assert_eq!(distance(0xA3C1_0008, 0xA3C1_0008), None, "it is no longer");
        assert_eq!(distance(0x5_A3C1_0010, 0xA3C1_0008), None, "it lies behind");
        assert_eq!(distance(0x5_A3C0_0000, 0xA3C1_0008), None, "too far for one object");
        assert_eq!(distance(0xFFFF_8005_A3C1_0008, 0xA3C1_0008), None, "not in user space");
    }
}
