//! Where the address is among other sections: in a row of them, at the head of a list of objects that have one, in memory that held several.

use super::container;
use super::{Case, Finding, FindingId, has};
use crate::crash::operation::Failure;
use crate::critsec::debug_info::{DebugInfoState, is_possible_pointer};
use crate::critsec::layout::Layout;
use crate::critsec::{CriticalSection, search};
use crate::dump::heap::{self, BlockState};
use crate::dump::modules::Module;
use std::collections::BTreeSet;

/// Bytes on either side in which sections without a record are looked for.
const REACH: u64 = 0x400;
/// Most bytes to the place in a row that a pool's link leads to.
const REACH_OF_LINK: u64 = 0x4000;
/// Most bytes from one section of a row to the next.
const MAX_STEP: u64 = 0x1000;
/// Sections that make a row, with the address where one would be next to them, or alone.
const LEAST: usize = 2;
const LEAST_ALONE: usize = 3;
/// The least odd factor of a step by which one address of so many is on the grid.
const LEAST_ODD: u64 = 5;
/// Bytes behind the address in which a list's head is looked for.
const MEMBER: u64 = 0x100;
/// Most entries of a list followed.
const MAX_ENTRIES: usize = 64;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    if has(findings, FindingId::ListKnowsSection) {
        row_stands(case, section, findings);
        return;
    }
    let is_one_of = |ids: &[FindingId]| ids.iter().any(|id| has(findings, *id));
    let is_other = is_one_of(&[FindingId::EveryFieldForeign, FindingId::HeadForeign]);
    let is_none = is_other || is_one_of(&FindingId::ZEROS) || is_one_of(&FindingId::FILLS);
    if section.raw.is_none() {
        far_on_row(case, section, findings);
    } else if is_none {
        beside_row(case, section, findings);
        container::collect(case, section, findings);
        if has(findings, FindingId::EveryFieldForeign) {
            list_head(case, section, findings);
        }
    }
}

/// The sections of the list that stand where it says, in the order of their addresses.
fn listed(case: Case<'_, '_>) -> BTreeSet<u64> {
    let stands = case
        .list
        .sections
        .iter()
        .filter(|one| one.raw.is_some_and(|raw| raw.debug_info == one.record));
    stands.map(|one| one.section).collect()
}

/// Where the address is in a row of sections.
///
/// - situation: objects of one size lie side by side, each with a section, and an index is out of range.
/// - example: six sections 0x28 bytes apart; the address is 0x28 bytes before the first: index -1.
/// - handling: two sections or more on one side, at one and two steps from the address; on the other side none, or one or more at the same step. Those
///   of the list, and what is a section in every field up to 1 KiB away; not steps of less than a section's size.
/// - test: `where_in_a_row_of_sections_it_is`.
fn beside_row(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let here = section.address;
    let Some(Row { before, behind, step }) = row_at(case, section) else { return };
    let (id, place) = match (before, behind) {
        // Zeros are no other variable by their looks: the row may begin with them.
        (0, _) if FindingId::ZEROS.iter().any(|id| has(findings, *id)) => return,
        (0, _) => (FindingId::BeforeRow, "one step before the first of them"),
        (_, 0) if is_other_static(case, section, findings) => {
            (FindingId::BehindStaticRow, "one step behind the last of them")
        }
        (_, 0) => (FindingId::BehindRow, "one step behind the last of them"),
        _ if has(findings, FindingId::EveryFieldForeign) && are_blocks(case, here, step) => {
            (FindingId::InRowOfBlocks, "in the place of one, each in a heap block of its own")
        }
        _ => (FindingId::InRow, "in the place of one of them"),
    };
    findings.push(Finding::new(
        id,
        format!(
            "{} sections stand at steps of {step:#x} bytes from {here:#x}, which is {place}.",
            before.saturating_add(behind)
        ),
        format!("memory around {here:#x}"),
    ));
}

/// The other members of the section's row are whole.
///
/// - situation: an array's memory is given back as a whole; what was written over one element leaves the others.
/// - example: accounts in a vector; the memo of the third is too long, the sections of the other three stand.
/// - handling: the list has a record for the section, and at equal steps from it stand others, in the same heap block or the data of one module. Not
///   for a cell of a pool, which goes back alone, nor where a fill pattern says so, nor where DebugInfo leads to another place of the row, as a pool's
///   link to a free cell does.
/// - test: `where_in_a_row_of_sections_it_is`.
fn row_stands(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let is_one_of = |ids: &[FindingId]| ids.iter().any(|id| has(findings, *id));
    let goes_alone =
        is_one_of(&[FindingId::PoolCell, FindingId::PoolLink]) || is_one_of(&FindingId::FILLS);
    let Some(row) = row_at(case, section).filter(|_| !goes_alone) else { return };
    let here = section.address;
    // A pool's link to a free cell: this one goes back alone, too.
    let link = section.raw.map_or(0, |raw| raw.debug_info);
    let distance = link.abs_diff(here);
    let is_link = distance != 0
        && distance <= REACH_OF_LINK
        && distance.is_multiple_of(row.step)
        && !listed(case).contains(&link);
    if is_link || !is_one_array(case, here, &row) {
        return;
    }
    findings.push(Finding::new(
        FindingId::RowStands,
        format!(
            "{} other sections of the list stand at steps of {:#x} bytes from {here:#x}, in the same memory, and name their records.",
            row.before.saturating_add(row.behind),
            row.step
        ),
        format!("memory around {here:#x}"),
    ));
}

/// Whether a row lies in one heap block, or in the data of one module.
fn is_one_array(case: Case<'_, '_>, here: u64, row: &Row) -> bool {
    let dump = case.scene.dump;
    let places = [
        here.checked_sub(row.step).filter(|_| row.before > 0),
        here.checked_add(row.step).filter(|_| row.behind > 0),
    ];
    let block = |at: u64| heap::block_at(dump, at).map(|block| block.start);
    let module = |at: u64| dump.module_at(at).map(|module| module.base);
    places.into_iter().flatten().all(|at| {
        block(here).is_some_and(|own| block(at) == Some(own))
            || module(here).is_some_and(|own| module(at) == Some(own))
    })
}

/// Whether what stands there is another variable of a module.
///
/// - situation: room that a row in static data has for more sections holds zeros, until something is made there.
/// - example: eight ports from 1 to 8 in a table of 8, counted from 0: the ninth is the counters behind the table.
/// - handling: every field is foreign, and the address lies in a module's data.
/// - test: `where_in_a_row_of_sections_it_is`.
fn is_other_static(case: Case<'_, '_>, section: &CriticalSection, findings: &[Finding]) -> bool {
    has(findings, FindingId::EveryFieldForeign)
        && case.scene.dump.module_at(section.address).is_some()
}

/// Whether the members of a row lie in heap blocks of their own.
///
/// - situation: an element of an array may have been left out when they were made; objects that are allocated one by one are each made.
/// - example: five connections 0x90 bytes apart; the block of the fourth is a request's.
/// - handling: every field is foreign; the section lies in a heap block in use, and the places of its two neighbours in other ones.
/// - test: `where_in_a_row_of_sections_it_is`.
fn are_blocks(case: Case<'_, '_>, here: u64, step: u64) -> bool {
    let block = |at: Option<u64>| heap::block_at(case.scene.dump, at?);
    let own = block(Some(here)).filter(|own| own.state == BlockState::Busy);
    let is_other = |at: Option<u64>| {
        let (own, other) = (own.as_ref(), block(at));
        own.zip(other.as_ref()).is_some_and(|(own, other)| own.start != other.start)
    };
    is_other(here.checked_sub(step)) && is_other(here.checked_add(step))
}

/// Sections at equal steps on both sides of an address.
struct Row {
    before: usize,
    behind: usize,
    step: u64,
}

/// The step of the row of sections that has one on both sides of the section.
pub(super) fn step_at(case: Case<'_, '_>, section: &CriticalSection) -> Option<u64> {
    let row = row_at(case, section)?;
    (row.before > 0 && row.behind > 0).then_some(row.step)
}

fn row_at(case: Case<'_, '_>, section: &CriticalSection) -> Option<Row> {
    let size = Layout::of(section.width).size;
    let here = section.address;
    let mut all = listed(case);
    let step = usize::try_from(section.width.bytes()).unwrap_or(8);
    let (low, high) = (here.saturating_sub(REACH), here.saturating_add(REACH));
    all.extend((low..high).step_by(step).filter(|at| {
        let other = search::genuine(case.scene.dump, *at, section.encoding);
        // -1 and zeros alone are no section.
        let is_made = |other: &CriticalSection| {
            matches!(other.debug_info, Some(DebugInfoState::Own(_)))
                || other.raw.is_some_and(|raw| raw.spin_count != 0)
        };
        at.abs_diff(here) >= size && other.as_ref().is_some_and(is_made)
    }));
    let count = |step: u64, is_up: bool| {
        let places = (1u64..).map_while(|index| {
            let distance = index.checked_mul(step)?;
            if is_up { here.checked_add(distance) } else { here.checked_sub(distance) }
        });
        places.take_while(|at| all.contains(at)).count()
    };
    let near = all.range(here.saturating_sub(MAX_STEP)..=here.saturating_add(MAX_STEP));
    let rows = near.filter(|at| at.abs_diff(here) >= size).map(|at| {
        let step = at.abs_diff(here);
        (count(step, false), count(step, true), step)
    });
    let rows = rows.filter(|(before, behind, _)| {
        let is_between = *before > 0 && *behind > 0;
        match is_between {
            true => before.saturating_add(*behind) >= LEAST_ALONE,
            false => *before >= LEAST || *behind >= LEAST,
        }
    });
    let (before, behind, step) =
        rows.max_by_key(|(before, behind, _)| before.saturating_add(*behind))?;
    Some(Row { before, behind, step })
}

/// An address without memory that is a whole number of steps from a row of sections.
///
/// - situation: an index that was not checked, or -1 as an unsigned number.
/// - example: twelve sections 0x38 bytes apart, and an address 0x37_FFFF_FFC8 bytes behind the first: index 0xFFFF_FFFF.
/// - handling: three sections of the list or more at equal steps, and a distance that is a multiple of the step, whose odd factor is 5 or more:
///   addresses of pages and blocks are multiples of powers of two. Not a row in a module of Windows, and not where the memory may only be missing
///   in the dump.
/// - test: `where_in_a_row_of_sections_it_is`.
fn far_on_row(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    const NULL_PAGE: u64 = 0x1_0000;
    let info = case.scene.dump.memory_info_at(section.address);
    let is_gone = case.lock.failure == Failure::SectionAccess
        || info.is_some_and(|info| !info.is_committed());
    if !is_gone || section.address < NULL_PAGE {
        return;
    }
    let all: Vec<u64> = listed(case).into_iter().collect();
    let size = Layout::of(section.width).size;
    let row = all.windows(LEAST_ALONE).find_map(|three| {
        let [first, second, third] = *three else { return None };
        let step = second.checked_sub(first)?;
        let is_row = third.checked_sub(second)? == step
            && (size..=MAX_STEP).contains(&step)
            && step.checked_shr(step.trailing_zeros()).is_some_and(|odd| odd >= LEAST_ODD)
            && case.scene.dump.module_at(first).is_none_or(Module::is_of_program);
        (is_row && section.address.abs_diff(first).is_multiple_of(step)).then_some((first, step))
    });
    if let Some((first, step)) = row {
        let index = section.address.abs_diff(first).checked_div(step).unwrap_or(0);
        let sign = if section.address < first { "-" } else { "" };
        findings.push(Finding::new(
            FindingId::FarOnRow,
            format!(
                "Sections stand in a row at {first:#x}, {step:#x} bytes apart; {:#x} would be the one at {sign}{index:#x} from there.",
                section.address
            ),
            "list of sections",
        ));
    }
}

/// The head of a list of objects, in front of which an object would be.
///
/// - situation: a list's head has no object around it, and is taken for an entry.
/// - example: at +0x30 the head of a list with one entry, and 0x30 bytes before that entry a section.
/// - handling: up to 0x100 bytes behind the address two links whose list comes back to them, and as far before each of its entries what is
///   a section in every field: heaps keep lists too. Not where only a part of the section is
///   foreign: a member of a ring that was written over looks so, too.
/// - test: `the_head_of_a_list_is_no_object`.
fn list_head(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let (memory, width) = (&case.scene.dump.memory, section.width);
    let next = |at: u64| memory.pointer(at, width).filter(|link| is_possible_pointer(*link, width));
    let has_section = |entry: u64, offset: u64| {
        let start = entry.checked_sub(offset);
        start.is_some_and(|start| {
            search::genuine(case.scene.dump, start, section.encoding).is_some()
        })
    };
    let steps = MEMBER.checked_div(width.bytes()).unwrap_or(0);
    let offsets = (0..steps).filter_map(|index| index.checked_mul(width.bytes()));
    let is_made = has(findings, FindingId::InitializationBehind);
    let found = offsets.into_iter().filter(|_| !is_made).find(|offset| {
        let Some(head) = section.address.checked_add(*offset) else { return false };
        let mut entries = Vec::new();
        let mut at = next(head);
        while let Some(entry) = at.filter(|entry| *entry != head && entries.len() < MAX_ENTRIES) {
            entries.push(entry);
            at = next(entry);
        }
        let last = memory.pointer(head.saturating_add(width.bytes()), width);
        at == Some(head)
            && last.is_some_and(|last| entries.last() == Some(&last))
            && !entries.is_empty()
            && entries.iter().all(|entry| has_section(*entry, *offset))
    });
    if let Some(offset) = found {
        findings.push(Finding::new(
            FindingId::ListHeadBehind,
            format!(
                "At +{offset:#x} lies the head of a list whose entries have a section {offset:#x} bytes before them: it may be the head, taken for an entry."
            ),
            format!("memory at {:#x}", section.address.saturating_add(offset)),
        ));
    }
}

/// Other sections of the list that were in the same memory.
///
/// - situation: memory with several sections was given back without deleting them, and holds something else now.
/// - example: an array of five objects has moved; its old block is a text, and the list still has five records for it.
/// - handling: records for other addresses in the same heap block, where its headers prove themselves, and something else than their section
///   there.
/// - test: `sections_that_went_together`.
pub(super) fn replaced_together(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.filter(|_| has(findings, FindingId::ListKnowsSection)) else {
        return;
    };
    let (dump, here) = (case.scene.dump, section.address);
    let block = heap::block_at(dump, here).filter(|block| block.state == BlockState::Busy);
    let Some(block) = block else { return };
    let is_beside = |at: u64| (block.start..block.end()).contains(&at);
    let others = case.list.sections.iter().filter(|other| {
        other.section != here
            && other.raw.is_some_and(|raw| raw.debug_info != other.record)
            && is_beside(other.section)
    });
    let count = others.count();
    if count > 0 {
        findings.push(Finding::new(
            FindingId::OthersReplaced,
            format!(
                "The process's list holds {count} more record(s) for sections in the same memory, where something else stands too."
            ),
            "list of sections",
        ));
    }
}
