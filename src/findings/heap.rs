//! The block of a heap that the section is in, and links of lists where its fields should be.

use super::text::{self, Text};
use super::{Case, Finding, FindingId, has};
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

/// Where in the section's block the text begins that runs through the section.
///
/// - situation: text runs through the section; it came over a border, or has the memory for its own.
/// - example: a block of 0x38 bytes that holds 0x38 bytes of HTML, with the section at +8; a caption at +4 behind a handle.
/// - handling: a text that begins with the block's first byte, or behind the two links that a free block begins with; it fills the
///   block where nothing but zeros follows it and it goes on behind the section. The fields that the call itself has written do
///   not count.
/// - test: `a_text_from_the_first_to_the_last_byte_of_a_block`, `where_in_its_block_a_text_begins`.
fn text_of_block(
    case: Case<'_, '_>,
    section: &CriticalSection,
    block: HeapBlock,
    findings: &mut Vec<Finding>,
) {
    // Free blocks are put together: where one begins says nothing of what was there.
    let is_used = block.state != BlockState::Free && block.used <= MAX_TEXT;
    if !is_used || !has(findings, FindingId::EveryFieldForeign) {
        return;
    }
    let Some(text) = text::through(case, section, block.start..block.end()) else { return };
    let offset = text.start.saturating_sub(block.start);
    if section.address == text.start || section.address == block.start {
        return;
    }
    let begins = offset == 0 || is_behind_links(case, section, block, offset);
    let (id, what) = match begins {
        true if fills(case, section, block, &text) => {
            (FindingId::TextFillsBlock, "goes from the beginning to the end of")
        }
        true => (FindingId::TextBeginsWithBlock, "begins with"),
        false if text.is_cut || is_counted(case, block, &text) => return,
        false => (FindingId::TextBeginsInsideBlock, "begins in the middle of"),
    };
    // Where in the block the text begins says more than that it begins before.
    findings.retain(|other| other.id != FindingId::ContentsBeginBefore);
    findings.push(Finding::new(
        id,
        format!(
            "A text {what} the heap block {:#x} ({:#x} bytes), at +{offset:#x}; the section would lie at +{:#x} of it.",
            block.start,
            block.used,
            section.address.saturating_sub(block.start)
        ),
        format!("memory at {:#x}", block.start),
    ));
}

/// Whether a number before the text is its length: strings that know their length begin with it.
fn is_counted(case: Case<'_, '_>, block: HeapBlock, text: &Text) -> bool {
    let length = text.end.saturating_sub(text.start);
    let lengths = [length, length.checked_div(2).unwrap_or(0)];
    let header = text.start.saturating_sub(block.start);
    let words = header.checked_div(4).unwrap_or(0);
    let mut numbers = (0..words).filter_map(|index| {
        case.scene.dump.memory.u32(block.start.checked_add(index.checked_mul(4)?)?)
    });
    // With its terminator or without.
    numbers.any(|number| lengths.iter().any(|length| length.abs_diff(number.into()) <= 1))
}

/// Whether the text goes on to the end of the block, but for its terminator and what its length was rounded up to.
fn fills(case: Case<'_, '_>, section: &CriticalSection, block: HeapBlock, text: &Text) -> bool {
    let end = section.address.saturating_add(Layout::of(section.width).size);
    let last = text.end.min(block.end());
    let rest = usize::try_from(block.end().saturating_sub(last)).unwrap_or(usize::MAX);
    let zeros = case.scene.dump.memory.read_up_to(last, rest.min(MAX_ZEROS));
    text.end > end && rest < MAX_ZEROS && zeros.len() == rest && zeros.iter().all(|byte| *byte == 0)
}

/// Whether an offset is that behind two addresses at the beginning of a block: the links that it had while it was free.
fn is_behind_links(
    case: Case<'_, '_>,
    section: &CriticalSection,
    block: HeapBlock,
    offset: u64,
) -> bool {
    let width = section.width;
    let is_link = |at: u64| {
        let word = block.start.checked_add(at);
        let word = word.and_then(|at| case.scene.dump.memory.pointer(at, width));
        // What is in use has no such links to it.
        word.filter(|word| is_possible_pointer(*word, width)).is_some_and(|word| {
            heap::block_at(case.scene.dump, word)
                .is_none_or(|other| other.state != BlockState::Busy)
        })
    };
    Some(offset) == width.bytes().checked_mul(2) && is_link(0) && is_link(width.bytes())
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
