//! One base of an object that was taken for another, or a pointer for what it leads to.

use super::contents::is_table_of_functions;
use super::{Case, Finding, FindingId, has};
use crate::critsec::debug_info::DebugInfoState;
use crate::critsec::{CriticalSection, search};
use crate::dump::memory::PointerWidth;

/// Most bytes from the beginning of a base to its section.
const MEMBER: u64 = 0x20;
/// Most bytes from one base to the other.
const OBJECT: u64 = 0x100;

/// The address is as far behind one base of an object as a section is behind another.
///
/// - situation: an object with two bases goes through a `void *`, or a C-style cast, and its beginning is taken for its second base.
/// - example: the address of a table of functions 8 bytes before the address; 20 bytes behind it another, and 8 bytes behind that a section.
/// - handling: up to 0x20 bytes before the address the address of a table of functions, and up to 0x100 bytes from there another one that has, at the
///   same distance, what is a section in every field; the tables say themselves that they are one object's. The address itself has no record of its
///   own, and no DebugInfo of 0 or -1.
/// - test: `a_base_that_was_taken_for_another`.
pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.filter(|section| section.raw.is_some()) else { return };
    let is_made = matches!(
        section.debug_info,
        Some(DebugInfoState::Own(_) | DebugInfoState::Absent | DebugInfoState::Null)
    );
    if is_made || has(findings, FindingId::ListKnowsSection) {
        return;
    }
    pointer_by_address(case, section, findings);
    if let Some((base, other, offset)) = bases(case, section) {
        findings.push(Finding::new(
            FindingId::OtherBase,
            format!(
                "At {base:#x} and {other:#x} stand the addresses of the tables of functions of one object's bases. The second has a section {offset:#x} bytes behind its beginning, the address is as far behind the first."
            ),
            format!("memory at {base:#x}"),
        ));
    }
}

/// The address is as far behind a pointer on a stack as a section is behind what the pointer leads to.
///
/// - situation: `&object` was passed where `object` is a pointer already: the thread, or the callback, takes the variable for the object.
/// - example: `CreateThread(..., download, &job.download, ...)`; the object's section is at +18h of it, and 18h behind the variable lies a text.
/// - handling: up to 0x100 bytes before the address a word on a stack that leads elsewhere, and as far behind there what is a section in every field.
///   Not in other memory: the first word of an object is often the link to the next one of a list. So it is on a stack where a record registers itself:
///   not where what the word leads to begins with 0, with such a link itself, or with one back to the word.
/// - test: `the_address_of_a_pointer_on_a_stack` (tests/accuracy), `a_link_on_a_stack_is_no_pointer_that_was_passed`.
fn pointer_by_address(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let (dump, width) = (case.scene.dump, section.width);
    let Some(owner) = dump.stack_owner(section.address).map(|thread| thread.id) else { return };
    let is_there = |at: u64| dump.stack_owner(at).is_some_and(|thread| thread.id == owner);
    let mut offsets = (1u64..)
        .map_while(|count| count.checked_mul(width.bytes()))
        .take_while(|offset| *offset <= OBJECT);
    let found = offsets.find_map(|offset| {
        let variable = section.address.checked_sub(offset).filter(|at| is_there(*at))?;
        let object = dump.memory.pointer(variable, width).filter(|object| !is_there(*object))?;
        let meant = object.checked_add(offset)?;
        let has_section = |start: u64| {
            let at = start.checked_add(offset);
            at.is_some_and(|at| search::genuine(dump, at, section.encoding).is_some())
        };
        let next = dump.memory.pointer(object, width)?;
        let is_listed = next == 0 || next == variable || has_section(next);
        (has_section(object) && !is_listed).then_some((variable, offset, meant))
    });
    if let Some((variable, offset, meant)) = found {
        findings.push(Finding::new(
            FindingId::PointerByAddress,
            format!(
                "The address is {offset:#x} bytes behind {variable:#x}, a pointer on the stack; as far behind what that leads to a section stands, at {meant:#x}."
            ),
            format!("memory at {variable:#x}"),
        ));
    }
}

/// The beginnings of the two bases, and the bytes from there to the address and to the section.
fn bases(case: Case<'_, '_>, section: &CriticalSection) -> Option<(u64, u64, u64)> {
    let (dump, width) = (case.scene.dump, section.width);
    let words = |most: u64| {
        (1u64..)
            .map_while(move |count| count.checked_mul(width.bytes()))
            .take_while(move |bytes| *bytes <= most)
    };
    let table_at = |at: u64| {
        let table = dump.memory.pointer(at, width);
        table.filter(|table| is_table_of_functions(case, width, *table))
    };
    words(MEMBER).find_map(|offset| {
        let base = section.address.checked_sub(offset)?;
        let table = table_at(base)?;
        words(OBJECT).find_map(|distance| {
            let other = base.checked_add(distance)?;
            let start = other.checked_add(offset)?;
            is_of_object(case, width, [table, table_at(other)?], distance).then_some(())?;
            search::genuine(dump, start, section.encoding).map(|_| (base, other, offset))
        })
    })
}

/// Whether two tables of functions are those of two bases that lie so far apart in one object.
///
/// The Itanium C++ ABI (section 2.5.2) puts two words before a table: the distance from the base to the object's beginning, and the address of the
/// type's description. Microsoft's compiler puts one there, the address of a locator (`_RTTICompleteObjectLocator` of rttidata.h): at +4 the base's
/// offset in the object, at +0xC its type, in 4 bytes each.
fn is_of_object(case: Case<'_, '_>, width: PointerWidth, tables: [u64; 2], distance: u64) -> bool {
    let memory = &case.scene.dump.memory;
    let word = |table: u64, back: u64| {
        let at = table.checked_sub(back.checked_mul(width.bytes())?)?;
        memory.pointer(at, width)
    };
    let locator = |table: u64, at: u64| memory.u32(word(table, 1)?.checked_add(at)?);
    let [first, second] = tables;
    let is_itanium = || {
        let back = word(first, 2)?.wrapping_sub(word(second, 2)?);
        Some(width.truncate(back) == distance && word(first, 1)? == word(second, 1)?)
    };
    let is_microsofts = || {
        let apart = locator(second, 4)?.wrapping_sub(locator(first, 4)?);
        Some(u64::from(apart) == distance && locator(first, 0xC)? == locator(second, 0xC)?)
    };
    is_itanium() == Some(true) || is_microsofts() == Some(true)
}
