//! Sections that no pointer leads to: a bounded search of memory for what is in every field a section.
//!
//! Windows 8 and later keep no list of sections (critical-sections.md 6.2); back pointers and the narrow range of
//! every field still tell one from other data.

use super::debug_info::DebugInfoState;
use super::layout::Layout;
use super::lock_count::{self, LockCountEncoding};
use super::{CriticalSection, spin_count};
use crate::dump::Dump;

/// Most bytes of memory searched.
const BUDGET: usize = 64 << 20;
/// Most sections returned.
const MAX_FOUND: usize = 65_536;

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// The sections, by address.
    pub sections: Vec<CriticalSection>,
    /// Whether all memory of the dump was searched.
    pub complete: bool,
}

/// Sections in a dump's memory, at pointer-aligned addresses.
#[must_use]
pub fn sections(dump: &Dump<'_>, encoding: LockCountEncoding) -> Found {
    let layout = Layout::of(dump.system.pointer_width);
    let mut found = Found { sections: Vec::new(), complete: true };
    let mut left = BUDGET;
    for region in dump.memory.regions() {
        if left == 0 || found.sections.len() >= MAX_FOUND {
            found.complete = false;
            break;
        }
        let len = region.bytes.len().min(left);
        left = left.saturating_sub(len);
        found.complete &= len == region.bytes.len();
        let Some(first) = region.base.checked_next_multiple_of(layout.width.bytes()) else { break };
        let end = region.base.saturating_add(len as u64);
        let mut at = first;
        while at < end {
            let section = may_start_at(dump, at).then(|| genuine(dump, at, encoding)).flatten();
            let size = if section.is_some() { layout.size } else { layout.width.bytes() };
            found.sections.extend(section);
            at = at.saturating_add(size);
        }
    }
    found
}

/// A quick look at one word: `DebugInfo` is -1 or the address of a record, so that most of memory is passed over.
fn may_start_at(dump: &Dump<'_>, address: u64) -> bool {
    let width = dump.system.pointer_width;
    let word = dump.memory.pointer(address, width);
    word.is_some_and(|word| {
        word == width.all_ones() || super::debug_info::is_possible_pointer(word, width)
    })
}

/// The section at an address, when every field is one that ntdll leaves.
///
/// - situation: words of -1 and 0 that are no section lie all over memory.
/// - example: a table of -1 and zeros in a heap block; the head of ntdll's own list (dumps/INDEX.md, fact 4).
/// - handling: a record that names the section, or -1; as many waiters as there are threads at most; owner, lock state
///   and recursion agree; a plausible spin count; without a record of its own, not zero throughout.
/// - test: `contended_and_owned_sections_decode_as_the_index_says` (tests/real_dumps).
#[must_use]
pub fn genuine(
    dump: &Dump<'_>,
    address: u64,
    encoding: LockCountEncoding,
) -> Option<CriticalSection> {
    let section = CriticalSection::read(dump, address, encoding);
    let raw = section.raw?;
    let has_record = matches!(section.debug_info?, DebugInfoState::Own(record) if record.kind <= 1);
    let without_record = section.debug_info? == DebugInfoState::Absent;
    let state = lock_count::decode(encoding, raw.lock_count, raw.recursion_count);
    let owned = dump.threads.iter().any(|thread| u64::from(thread.id) == raw.owning_thread);
    let agrees = match (raw.owning_thread, raw.recursion_count) {
        (0, 0) => true,
        (_, 1..) => owned && state.locked,
        _ => false,
    };
    let few = usize::try_from(state.waiters).is_ok_and(|waiters| waiters <= dump.threads.len());
    let is_section = (has_record || without_record)
        && agrees
        && few
        && is_lock_semaphore(raw.lock_semaphore, dump)
        && spin_count::is_plausible(raw.spin_count);
    is_section.then_some(section)
}

/// 0, -1, or a value that the kernel could have handed out.
fn is_lock_semaphore(value: u64, dump: &Dump<'_>) -> bool {
    let width = dump.system.pointer_width;
    value == 0 || value == width.all_ones() || super::handle::is_plausible(dump, value)
}
