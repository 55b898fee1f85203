//! How far the fill pattern that is where the section should be goes.

use super::{Case, Finding, FindingId, has, rows};
use crate::critsec::CriticalSection;
use crate::critsec::fill;
use crate::critsec::layout::Layout;
use crate::dump::heap::{self, BlockState};

/// Most bytes followed on either side.
const MAX_RUN: u64 = 0x1000;
/// Bytes behind the end of what was asked for that a fill may leave out, or go over, when it covers a block.
const ROUNDING: u64 = 16;

/// Whether a fill covers the section's place from end to end, or a part of its block.
///
/// - situation: what gives memory out or back fills all of it; a fill that went too far begins with a buffer and ends anywhere.
/// - example: 0x80 from +4 to +0x64 of a block of 0x80 bytes, with a rate before and a name behind it.
/// - handling: the byte or word is followed on both sides, past the fields that calls write. The place is the heap block, where its headers prove
///   themselves, but for the two words at its beginning that heaps and allocators use, and what its length was rounded up to; or the step of a row
///   of sections. Inside is a fill that leaves bytes other than 0 on both sides, and is no
///   pattern of an allocator that a module shows to be there.
/// - test: `how_far_a_fill_goes`.
pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.filter(|section| section.raw.is_some()) else { return };
    if !FindingId::FILLS.iter().any(|id| has(findings, *id)) {
        return;
    }
    let Some((start, end)) = extent(case, section) else { return };
    let found = of_block(case, section, start, end).or_else(|| of_row(case, section, start, end));
    // An allocator that is in the process may put headers and guards of its own around what it fills.
    let is_allocators = || {
        let word = case.scene.dump.memory.u32(section.address).unwrap_or(0);
        fill::is_of_loaded_allocator(word, &case.scene.dump.modules)
    };
    let Some((id, what)) =
        found.filter(|(id, _)| *id != FindingId::FillInsideBlock || !is_allocators())
    else {
        return;
    };
    findings.push(Finding::new(
        id,
        format!("The pattern goes from {start:#x} to {end:#x}: {what}."),
        format!("memory at {start:#x}"),
    ));
}

/// The first address and the end of a fill.
fn extent(case: Case<'_, '_>, section: &CriticalSection) -> Option<(u64, u64)> {
    let memory = &case.scene.dump.memory;
    let layout = Layout::of(section.width);
    let word = memory.u32(section.address)?.to_le_bytes();
    let is_fill = |at: u64| {
        let index = usize::try_from(at.wrapping_sub(section.address) & 3).ok();
        index.is_some_and(|index| memory.u8(at).as_ref() == word.get(index))
    };
    let before = (1..=MAX_RUN).map_while(|back| section.address.checked_sub(back));
    let start = before.take_while(|at| is_fill(*at)).last().unwrap_or(section.address);
    let kept = section.address.checked_add(layout.lock_semaphore)?;
    let behind = (0..MAX_RUN).map_while(|on| kept.checked_add(on));
    let end = behind.take_while(|at| is_fill(*at)).last()?.checked_add(1)?;
    let is_whole = section.address.abs_diff(start) < MAX_RUN && kept.abs_diff(end) < MAX_RUN;
    is_whole.then_some((start, end))
}

fn of_block(
    case: Case<'_, '_>,
    section: &CriticalSection,
    start: u64,
    end: u64,
) -> Option<(FindingId, &'static str)> {
    let block = heap::block_at(case.scene.dump, section.address)
        .filter(|block| block.state == BlockState::Busy)?;
    let words = section.width.bytes().checked_mul(2)?;
    // Heaps keep two links there, and one allocator a pointer.
    let from_start = start <= block.start
        || start.abs_diff(block.start) == section.width.bytes()
        || start.abs_diff(block.start) == words;
    let to_end = end.abs_diff(block.end()) <= ROUNDING;
    let memory = &case.scene.dump.memory;
    let is_set = |from: u64, to: u64| {
        let length = usize::try_from(to.saturating_sub(from).min(MAX_RUN)).unwrap_or(0);
        memory.read_up_to(from, length).iter().any(|byte| *byte != 0)
    };
    if from_start && to_end {
        Some((FindingId::FillFillsPlace, "all of the heap block"))
    } else if !from_start && is_set(block.start, start) && is_set(end, block.end()) {
        Some((
            FindingId::FillInsideBlock,
            "a part of the heap block, with other data on both sides",
        ))
    } else {
        None
    }
}

fn of_row(
    case: Case<'_, '_>,
    section: &CriticalSection,
    start: u64,
    end: u64,
) -> Option<(FindingId, &'static str)> {
    let step = rows::step_at(case, section)?;
    let length = end.checked_sub(start)?;
    (length.checked_add(ROUNDING)? >= step && length <= step)
        .then_some((FindingId::FillFillsPlace, "one place of a row of sections"))
}
