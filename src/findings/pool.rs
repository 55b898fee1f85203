//! A cell of a pool: blocks of one size that the program itself hands out and takes back.

use super::claims::words;
use super::{Case, Finding, FindingId, has};
use crate::critsec::debug_info::DebugInfoState;
use crate::critsec::layout::Layout;
use crate::critsec::{CriticalSection, search};
use crate::dump::heap;
use std::collections::BTreeMap;

/// Bytes on either side of the section in which the free cells are looked for.
const REACH: u64 = 0x4000;
/// Largest cell, in bytes.
const MAX_CELL: u64 = 0x1000;
/// Most rows of links looked at, the longest first.
const MOST_ROWS: usize = 8;
/// Links at equal steps that make a list of free cells; threads' blocks of the system stand in rows of three.
const LEAST: usize = 4;

/// The section lies in a cell of a pool whose free cells still hang together.
///
/// - situation: objects and messages come from one pool; a cell has gone back to it with its section in it, or came from it without one.
/// - example: 32 cells of 0x60 bytes, of which 25 lead each to the next one; the section's own begins with a link to another cell.
/// - handling: within 16 KiB of the section and in the memory that it lies in, four words or more of which each leads as far on as the one before
///   and to the next of them, at least a section's size; on their grid the section is whole in a cell. Not where one of them has a section in that
///   place: a list of objects in use; nor where they are blocks of the heap's own, nor on a stack. Not for a section with its own record,
///   that of another one, or none (or one that the dump lacks, unless every field is foreign): it was made, and is one still.
/// - test: `a_cell_of_a_pool`.
pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.filter(|section| section.raw.is_some()) else { return };
    if case.scene.dump.stack_owner(section.address).is_some()
        || has(findings, FindingId::DebugRecordOfTwin)
    {
        return;
    }
    let is_made = matches!(
        section.debug_info,
        Some(DebugInfoState::Own(_) | DebugInfoState::Absent | DebugInfoState::NotCaptured)
    );
    if is_made && !has(findings, FindingId::EveryFieldForeign) {
        return;
    }
    let Some(pool) = pool_at(case, section) else { return };
    let cell = section.address.saturating_sub(pool.offset);
    let link = case.scene.dump.memory.pointer(cell, section.width);
    let is_linked = link.is_some_and(|link| {
        let distance = link.abs_diff(cell);
        distance != 0 && distance <= REACH && distance.is_multiple_of(pool.step)
    });
    let (id, begins) = match link.filter(|_| is_linked) {
        Some(link) if is_zero_amid_data(case, section, cell, &pool, findings) => (
            FindingId::PoolTookBack,
            format!(
                " It begins with a link to the cell at {link:#x}, and holds data around the section."
            ),
        ),
        Some(link) => {
            (FindingId::PoolLink, format!(" It begins with a link to the cell at {link:#x}."))
        }
        None => (FindingId::PoolCell, String::new()),
    };
    findings.push(Finding::new(
        id,
        format!(
            "The section is at +{:#x} of a cell of {:#x} bytes; {} such cells from {:#x} on lead each to the next, as a pool links its free ones.{begins}",
            pool.offset, pool.step, pool.links, pool.first
        ),
        format!("memory at {:#x}", pool.first),
    ));
}

/// Whether a cell that begins with a link holds data besides, and zeros where its section was.
///
/// - situation: an object goes back to its pool after its section was deleted, and keeps its other fields; a cell that nobody had is zero.
/// - example: a target's cell with a link, zeros, and its name and period.
/// - handling: the section is zero, and a byte of the cell behind its first word is not.
/// - test: `a_cell_of_a_pool`.
fn is_zero_amid_data(
    case: Case<'_, '_>,
    section: &CriticalSection,
    cell: u64,
    pool: &Pool,
    findings: &[Finding],
) -> bool {
    let size = Layout::of(section.width).size;
    let (first, end) = (cell.saturating_add(section.width.bytes()), cell.saturating_add(pool.step));
    let behind = section.address.saturating_add(size);
    let has_data = |from: u64, until: u64| {
        let len = usize::try_from(until.saturating_sub(from)).unwrap_or(0);
        case.scene.dump.memory.read_up_to(from, len).iter().any(|byte| *byte != 0)
    };
    FindingId::ZEROS.iter().any(|id| has(findings, *id))
        && (has_data(first, section.address) || has_data(behind, end))
}

/// The cells of a pool, as far as its free ones tell.
struct Pool {
    /// Address of the first free cell of the longest row of them.
    first: u64,
    /// How many lead each to the next.
    links: usize,
    /// Bytes from one cell to the next.
    step: u64,
    /// Bytes from the cell's beginning to the section.
    offset: u64,
}

fn pool_at(case: Case<'_, '_>, section: &CriticalSection) -> Option<Pool> {
    let region = case.scene.dump.memory.region_at(section.address)?;
    let low = section.address.saturating_sub(REACH).max(region.base);
    let high = section.address.saturating_add(REACH).min(region.end());
    let from = usize::try_from(low.checked_sub(region.base)?).ok()?;
    let until = usize::try_from(high.checked_sub(region.base)?).ok()?;
    let bytes = region.bytes.get(from..until)?;
    let size = Layout::of(section.width).size;
    let links: BTreeMap<u64, u64> = words(case, low, bytes)
        .filter(|(at, to)| {
            (low..high).contains(to) && (size..=MAX_CELL).contains(&to.abs_diff(*at))
        })
        .collect();
    let rows = links.iter().filter_map(|(first, to)| {
        let step = to.wrapping_sub(*first);
        let is_head = links.get(&first.wrapping_sub(step)) != Some(first);
        let offset = offset_in_cell(section.address, *first, to.abs_diff(*first))?;
        let is_inside = offset.checked_add(size)? <= to.abs_diff(*first);
        let links = if is_head && is_inside { row_from(&links, *first) } else { 0 };
        let pool = Pool { first: *first, links, step: to.abs_diff(*first), offset };
        (links >= LEAST).then_some((pool, step))
    });
    let mut rows: Vec<(Pool, u64)> = rows.collect();
    rows.sort_by_key(|(pool, _)| std::cmp::Reverse(pool.links));
    rows.into_iter()
        .take(MOST_ROWS)
        .find_map(|(pool, step)| are_free(case, section, &pool, step).then_some(pool))
}

/// Whether the cells are a pool's, and hold no section in the place of this one.
fn are_free(case: Case<'_, '_>, section: &CriticalSection, pool: &Pool, step: u64) -> bool {
    const MOST: usize = 64;
    let cells = std::iter::successors(Some(pool.first), |at| Some(at.wrapping_add(step)));
    let is_used = |cell: u64| {
        let at = cell.wrapping_add(pool.offset);
        at != section.address && search::genuine(case.scene.dump, at, section.encoding).is_some()
    };
    let own = heap::block_at(case.scene.dump, section.address);
    let is_of_heap = own.is_some_and(|block| {
        let is_inside = |at: u64| (block.start..block.end()).contains(&at);
        !is_inside(pool.first) || !is_inside(pool.first.wrapping_add(step))
    });
    !is_of_heap && !cells.take(pool.links.min(MOST)).any(is_used)
}

/// How many words, this one first, lead each as far on as this one does, and to the next.
fn row_from(links: &BTreeMap<u64, u64>, first: u64) -> usize {
    let mut count = 0usize;
    let mut at = first;
    let Some(step) = links.get(&first).map(|to| to.wrapping_sub(first)) else { return 0 };
    while links.get(&at).is_some_and(|to| to.wrapping_sub(at) == step) {
        at = at.wrapping_add(step);
        count = count.saturating_add(1);
    }
    count
}

/// Bytes from the beginning of the cell that holds `address`, on the grid of cells with one at `first`.
fn offset_in_cell(address: u64, first: u64, step: u64) -> Option<u64> {
    match address.checked_sub(first) {
        Some(distance) => distance.checked_rem(step),
        None => {
            let short = first.checked_sub(address)?.checked_rem(step)?;
            step.checked_sub(short)?.checked_rem(step)
        }
    }
}
