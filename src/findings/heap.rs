//! The block of a heap that the section is in, and links of lists where its fields should be.

use super::{Case, Finding, FindingId};
use crate::critsec::CriticalSection;
use crate::critsec::debug_info::is_possible_pointer;
use crate::critsec::layout::Layout;
use crate::dump::heap::{self, BlockState, HeapBlock};

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.filter(|section| section.raw.is_some()) else { return };
    let dump = case.scene.dump;
    if dump.module_at(section.address).is_some() || dump.stack_owner(section.address).is_some() {
        return;
    }
    if let Some(block) = heap::block_at(dump, section.address) {
        block_state(section, block, findings);
    }
    list_links(case, section, findings);
}

/// Whether the heap counts the section's memory as in use (critical-sections.md 9, row 25).
///
/// - situation: a section in freed memory often still has its old bytes.
/// - example: HEAP_ENTRY without the busy bit before the section's object.
/// - handling: see [`heap::block_at`]; small blocks that do not prove themselves say nothing.
/// - test: `the_state_of_the_heap_block_is_said`.
fn block_state(section: &CriticalSection, block: HeapBlock, findings: &mut Vec<Finding>) {
    let (id, word) = match block.state {
        BlockState::Free => (FindingId::HeapBlockFree, "free"),
        BlockState::Busy => (FindingId::HeapBlockBusy, "in use"),
        BlockState::FrontEnd => return,
    };
    let heap = if block.page_heap { "page heap" } else { "the heap's header" };
    findings.push(Finding::new(
        id,
        format!(
            "The section lies at +{:#x} of the heap block {:#x} ({:#x} bytes), which {heap} marks as {word}.",
            section.address.saturating_sub(block.start),
            block.start,
            block.size
        ),
        format!("memory before {:#x}", block.start),
    ));
}

/// Links of a doubly linked list in place of the section's fields: the memory is something else now.
///
/// - situation: heaps keep free blocks on lists whose links take the place of the block's first bytes.
/// - example: DebugInfo and the 8 bytes behind it are Flink and Blink, and the entries they lead to point back.
/// - handling: two neighbouring words inside the section, both possible pointers, whose targets both point back to the
///   first of them; nothing that ntdll stores in a section does that.
/// - test: `list_links_in_a_section_are_seen`.
fn list_links(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let memory = &case.scene.dump.memory;
    let width = section.width;
    let word = |address: Option<u64>| memory.pointer(address?, width);
    let is_linked = |at: u64| {
        let (flink, blink) = (word(Some(at)), word(at.checked_add(width.bytes())));
        let (Some(flink), Some(blink)) = (flink, blink) else { return false };
        [flink, blink].iter().all(|link| is_possible_pointer(*link, width))
            && word(flink.checked_add(width.bytes())) == Some(at)
            && word(Some(blink)) == Some(at)
    };
    let words = Layout::of(width).size.checked_div(width.bytes()).unwrap_or(0);
    let mut places = (0..words.saturating_sub(1))
        .filter_map(|index| section.address.checked_add(index.checked_mul(width.bytes())?));
    if let Some(at) = places.find(|at| is_linked(*at)) {
        findings.push(Finding::new(
            FindingId::ListLinksInside,
            format!(
                "At +{:#x} of the section are links of a list, whose neighbours point back to it.",
                at.saturating_sub(section.address)
            ),
            format!("memory at {at:#x}"),
        ));
    }
}
