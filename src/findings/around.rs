//! What lies around a section of zeros.

use super::{Case, Finding, FindingId, has};
use crate::critsec::CriticalSection;
use crate::critsec::layout::Layout;

/// Bytes of a page.
const PAGE: u64 = 0x1000;
/// Bytes looked at on each side.
const BESIDE: u64 = 16;

/// Whether the variables beside a static section of zeros are zero as well.
///
/// - situation: static data begins as zeros. What a program has made and used has data around its section; what it has not come to, or has
///   forgotten, is often zero as a whole.
/// - example: `static struct { char name[24]; CRITICAL_SECTION lock; int count; } cache;` with a name and a count, or without.
/// - handling: the 16 bytes before and the 16 behind it, where the dump holds both and they lie in the same module. Of heap memory it says
///   nothing: in the lab's dumps zeros there are amid data as often in either case; nor where only one side is zero. What the process's list knows was
///   made: there it is not looked at.
/// - test: `zeros_amid_zeros_or_data`.
pub(super) fn collect(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let dump = case.scene.dump;
    if has(findings, FindingId::ZerosStillListed) {
        return;
    }
    let Some(module) = dump.module_at(section.address) else {
        return page_is_zero(case, section, findings);
    };
    let end = section.address.saturating_add(Layout::of(section.width).size);
    let first = section.address.saturating_sub(BESIDE);
    let is_zero = |from: u64| {
        let mut bytes = [0; BESIDE as usize];
        let is_inside = from >= module.base && from.saturating_add(BESIDE) <= module.end();
        is_inside.then(|| dump.memory.read(from, &mut bytes)).flatten()?;
        Some(bytes.iter().all(|byte| *byte == 0))
    };
    let (Some(before), Some(behind)) = (is_zero(first), is_zero(end)) else { return };
    let (id, text) = match (before, behind) {
        (true, true) => {
            (FindingId::ZerosGoOn, "The zeros go on before and behind the section, in static data.")
        }
        (false, false) => (
            FindingId::ZerosAmidData,
            "The section is zero amid static data that has been written to, before and behind it.",
        ),
        _ => return,
    };
    findings.push(Finding::new(id, text, format!("memory at {first:#x}")));
}

/// Whether the first page of an allocation is zero, with the object's beginning.
///
/// - situation: pages that were given back and asked for again are zero throughout; a section that was deleted lies in an object that still has its
///   other fields.
/// - example: a space of a heap at the beginning of its pages, with a name and a count; the pages are a bitmap now, of zeros.
/// - handling: all of the page of 4 KiB is in the dump, begins an allocation, and is zero but for the section; an object begins before the section, so
///   that it is none of an array of sections. Not in a module, whose data begins as zeros, nor on a stack.
/// - test: `a_page_of_zeros_had_no_object`.
fn page_is_zero(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let dump = case.scene.dump;
    let page = section.address & !(PAGE.saturating_sub(1));
    let size = Layout::of(section.width).size;
    let is_first = dump.memory_info_at(page).is_some_and(|info| info.allocation_base == page);
    let offset = section.address.saturating_sub(page);
    if !is_first || offset.is_multiple_of(size) || dump.stack_owner(section.address).is_some() {
        return;
    }
    let bytes = dump.memory.read_up_to(page, usize::try_from(PAGE).unwrap_or(0));
    let is_of_section = |at: u64| at.checked_sub(offset).is_some_and(|behind| behind < size);
    let is_whole = u64::try_from(bytes.len()) == Ok(PAGE);
    if is_whole && (0u64..).zip(bytes.iter()).all(|(at, byte)| *byte == 0 || is_of_section(at)) {
        findings.push(Finding::new(
            FindingId::PageIsZero,
            "The section lies in the first page of an allocation, which is zero throughout but for what the call wrote.",
            format!("memory at {page:#x}"),
        ));
    }
}
