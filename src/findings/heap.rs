//! The block of a heap that the section is in, and links of lists where its fields should be.

use super::{Case, Finding, FindingId, has, patterns};
use crate::critsec::CriticalSection;
use crate::critsec::debug_info::is_possible_pointer;
use crate::critsec::layout::Layout;
use crate::dump::heap::{self, BlockState, HeapBlock, HeapKind};

/// Most bytes of a block that can be filled by a text.
const MAX_TEXT: u64 = 0x1000;
/// Bytes on either side of zeros that tell whether an object was there.
const AROUND: u64 = 0x100;
/// Zeros at the end of a block that ends with a text: its terminator, and what its length was rounded up to.
const MAX_ZEROS: usize = 16;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.filter(|section| section.raw.is_some()) else { return };
    let dump = case.scene.dump;
    if dump.module_at(section.address).is_some() || dump.stack_owner(section.address).is_some() {
        return;
    }
    if let Some(block) = heap::block_at(dump, section.address) {
        block_state(case, section, block, findings);
        if block.state != BlockState::FrontEnd {
            beyond_block(section, block, findings);
            text_of_block(case, section, block, findings);
        }
    }
    list_links(case, section, findings);
}

/// Whether the heap counts the section's memory as in use (critical-sections.md 9, row 25).
///
/// - situation: a section in freed memory often still has its old bytes.
/// - example: HEAP_ENTRY without the busy bit before the section's object.
/// - handling: see [`heap::block_at`]; small blocks that do not prove themselves say nothing.
/// - test: `the_state_of_the_heap_block_is_said`.
fn block_state(
    case: Case<'_, '_>,
    section: &CriticalSection,
    block: HeapBlock,
    findings: &mut Vec<Finding>,
) {
    let is_zero = FindingId::ZEROS.iter().any(|id| has(findings, *id));
    let (id, word) = match block.state {
        BlockState::Free if is_zero && is_untouched(case, section, block) => return,
        BlockState::Free if is_zero => (FindingId::ZeroInFreeBlock, "free"),
        BlockState::Free => (FindingId::HeapBlockFree, "free"),
        BlockState::Busy => (FindingId::HeapBlockBusy, "in use"),
        BlockState::FrontEnd | BlockState::Unproven => return,
    };
    let heap = if block.kind == HeapKind::Page { "page heap" } else { "the heap's header" };
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

/// Whether what lies around zeros in a free block is zero too: memory that nobody has used, of which nothing can be said.
fn is_untouched(case: Case<'_, '_>, section: &CriticalSection, block: HeapBlock) -> bool {
    let memory = &case.scene.dump.memory;
    let size = Layout::of(section.width).size;
    let end = section.address.saturating_add(size);
    let first = section.address.saturating_sub(AROUND).max(block.start);
    let last = end.saturating_add(AROUND).min(block.end());
    let is_zero = |from: u64, to: u64| {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        memory.read_up_to(from, length).iter().all(|byte| *byte == 0)
    };
    is_zero(first, section.address) && is_zero(end, last)
}

/// The section would reach over the end of its block.
///
/// - situation: memory with a section was given back and cut anew; or the address is not that of a section.
/// - example: the last 9 bytes of a block of 0x20, whose section would need 0x18.
/// - handling: blocks whose headers prove themselves; what the program asked for is what counts.
/// - test: `a_section_over_the_end_of_its_block`.
fn beyond_block(section: &CriticalSection, block: HeapBlock, findings: &mut Vec<Finding>) {
    let end = section.address.saturating_add(Layout::of(section.width).size);
    if block.state == BlockState::Busy && end > block.end() {
        findings.push(Finding::new(
            FindingId::BeyondHeapBlock,
            format!(
                "The section would end {} byte(s) behind the heap block {:#x} ({:#x} bytes) in which it begins.",
                end.saturating_sub(block.end()),
                block.start,
                block.used
            ),
            format!("memory before {:#x}", block.start),
        ));
    }
}

/// A text fills the section's block from the first byte to the last.
///
/// - situation: text runs through the section; it came over a border, or has the memory for its own.
/// - example: a block of 0x38 bytes that holds 0x38 bytes of HTML, with the section at +8.
/// - handling: every byte that the program asked for is text, but for the fields that the call itself has written and for zeros
///   behind its end; the text begins with the block, and goes on behind the section.
/// - test: `a_text_from_the_first_to_the_last_byte_of_a_block`.
fn text_of_block(
    case: Case<'_, '_>,
    section: &CriticalSection,
    block: HeapBlock,
    findings: &mut Vec<Finding>,
) {
    if !has(findings, FindingId::EveryFieldForeign) || block.used > MAX_TEXT {
        return;
    }
    let layout = Layout::of(section.width);
    let length = usize::try_from(block.used).unwrap_or(0);
    let bytes = case.scene.dump.memory.read_up_to(block.start, length);
    let at = |offset: u64| {
        usize::try_from(section.address.saturating_add(offset).saturating_sub(block.start)).ok()
    };
    let parts = at(layout.lock_count).zip(at(layout.lock_semaphore)).zip(at(layout.size));
    let Some(((touched, kept), end)) = parts else { return };
    let (Some(front), Some(middle), Some(rest)) =
        (bytes.get(..touched), bytes.get(kept..end), bytes.get(end..))
    else {
        return;
    };
    let text = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    let is_whole = bytes.len() == length && rest.len().saturating_sub(text) < MAX_ZEROS;
    let parts = [front, middle, rest.get(..text).unwrap_or(rest)];
    let is_text = parts.concat().iter().all(patterns::is_text_or_break);
    if is_whole && is_text && text > 0 && !front.is_empty() {
        // Where the text begins and ends says more than where it begins.
        findings.retain(|other| other.id != FindingId::ContentsBeginBefore);
        findings.push(Finding::new(
            FindingId::TextFillsBlock,
            format!(
                "A text fills the heap block {:#x} ({:#x} bytes) from its first byte to its last; the section would lie at +{:#x} of it.",
                block.start,
                block.used,
                section.address.saturating_sub(block.start)
            ),
            format!("memory at {:#x}", block.start),
        ));
    }
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
