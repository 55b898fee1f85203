//! Access violations in a lock function: what the faulting address says about the section.

use super::candidate::Candidate;
use super::exception::{ACCESS_VIOLATION, EffectiveException, IN_PAGE_ERROR};
use super::locate::Search;
use super::operation::{Failure, Operation};
use super::stack::Scene;
use crate::critsec::debug_info::{RawDebugInfo, is_user_address, record_size};
use crate::critsec::has_live_owner;
use crate::critsec::layout::{Layout, RawCriticalSection};
use crate::dump::memory::PointerWidth;

/// The faulting address of an access violation (`ExceptionInformation[1]`).
#[must_use]
pub fn fault_address(exception: &EffectiveException) -> Option<u64> {
    let record = &exception.record;
    matches!(record.code, ACCESS_VIOLATION | IN_PAGE_ERROR)
        .then(|| record.parameters.get(1).copied())?
}

/// Whether the processor did not tell the address.
///
/// - situation: an x64 access to a non-canonical address raises a general protection fault, which has no address.
/// - example: 0xCDCDCDCDCDCDCDCD + 0xC; the record says "reading 0xFFFFFFFFFFFFFFFF".
/// - handling: nothing is computed from such a fault; a section, or a debug record, at a non-canonical address explains it.
/// - test: `a_fault_without_an_address_is_explained_by_a_wild_pointer`.
#[must_use]
pub fn is_without_address(width: PointerWidth, fault: u64) -> bool {
    width == PointerWidth::Eight && fault == u64::MAX
}

/// How a field is touched: what an access violation on it says (`ExceptionInformation[0]`: 0 read, 1 write).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Only read.
    Read,
    /// Read and written: reported as a write by x86 and x64, as a read where an ARM64 loop reads first.
    Any,
}

impl Access {
    /// Whether a fault can be this access; one that does not say what it was can.
    fn fits(self, exception: &EffectiveException) -> bool {
        let is_write = exception.record.parameters.first() == Some(&1);
        self == Self::Any || !is_write
    }
}

/// The fields that an operation touches first (critical-sections.md 0.1, measured for Leave and Enter on
/// Windows 7); an Enter that looks at SpinCount first was seen in the old algorithm. Delete only reads.
pub(super) fn first_touched(layout: Layout, operation: Operation) -> &'static [(u64, Access)] {
    match (operation, layout.width) {
        (Operation::Leave, PointerWidth::Eight) => &[(0x0C, Access::Any)],
        (Operation::Leave, PointerWidth::Four) => &[(0x08, Access::Any)],
        (Operation::Enter | Operation::TryEnter, PointerWidth::Eight) => {
            &[(0x08, Access::Any), (0x20, Access::Read)]
        }
        (Operation::Enter | Operation::TryEnter, PointerWidth::Four) => {
            &[(0x04, Access::Any), (0x14, Access::Read)]
        }
        (Operation::Delete, PointerWidth::Eight) => &[(0x18, Access::Read), (0x00, Access::Read)],
        (Operation::Delete, PointerWidth::Four) => &[(0x10, Access::Read), (0x00, Access::Read)],
    }
}

/// The sections whose first-touched field a fault can have hit: address, and offset of the field.
///
/// - situation: a fault near NULL can be the section's, at NULL, or its record's, at NULL.
/// - example: a write to 0x14 in a 32-bit Enter is ContentionCount through a DebugInfo of 0; a read there may be the
///   SpinCount of a section at NULL.
/// - handling: each field goes with the access that its operation makes.
/// - test: `a_null_record_is_no_null_section` (tests/accuracy).
pub(super) fn sections_hit(
    exception: &EffectiveException,
    layout: Layout,
    operation: Operation,
) -> impl Iterator<Item = (u64, u64)> {
    let fault = fault_address(exception);
    let fitting =
        first_touched(layout, operation).iter().filter(|(_, access)| access.fits(exception));
    fitting.filter_map(move |(offset, _)| {
        Some((layout.width.truncate(fault?.wrapping_sub(*offset)), *offset))
    })
}

/// Whether an operation accesses the debug record at an offset: Enter the list entry and the counts when it
/// has to wait (critical-sections.md 4.4), Delete anything of a record that there is, Leave and TryEnter nothing.
pub(super) fn touches_record(
    operation: Option<Operation>,
    width: PointerWidth,
    record: u64,
    offset: u64,
) -> bool {
    match operation {
        Some(Operation::Enter) => match width {
            PointerWidth::Eight => [0x10, 0x18, 0x20, 0x24].contains(&offset),
            PointerWidth::Four => [0x08, 0x0C, 0x10, 0x14].contains(&offset),
        },
        Some(Operation::Delete) => record != 0 && offset < record_size(width),
        _ => false,
    }
}

/// The candidate that explains an access violation: the fault hit the section itself, or its debug record.
pub(super) fn choose<'c>(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    candidates: &'c [Candidate],
) -> (Failure, Option<&'c Candidate>) {
    let exact = candidates.iter().find(|candidate| candidate.is_exact());
    let Some(fault) = fault_address(search.exception) else { return (Failure::OtherAccess, exact) };
    let width = scene.dump.system.pointer_width;
    if is_without_address(width, fault) {
        return choose_wild(search, width, candidates, |record| wild_links(scene, record));
    }
    let operation = search.found.map(|found| found.operation);
    let layout = Layout::of(width);
    let hit: Vec<u64> = operation
        .into_iter()
        .flat_map(|operation| sections_hit(search.exception, layout, operation))
        .map(|(address, _)| address)
        .collect();
    let by_section = best(candidates, |candidate| {
        let is_first = hit.contains(&candidate.address);
        is_first || candidate.is_exact() && hits(fault, candidate.address, layout.size)
    });
    if let Some(candidate) = by_section.filter(|candidate| candidate.is_exact()) {
        return (Failure::SectionAccess, Some(candidate));
    }
    let by_record = best(candidates, |candidate| {
        is_credible(candidate) && goes_through_record(scene, search, candidate, fault)
    });
    if by_record.is_some() {
        return (Failure::DebugInfoAccess, by_record);
    }
    let unreadable = |candidate: &Candidate| {
        candidate.raw.is_none() && is_user_address(candidate.address, width)
    };
    if touches_record(operation, width, 0, fault) && exact.is_some_and(unreadable) {
        return (Failure::DebugInfoAccess, exact);
    }
    // A section that was surely passed, and that the fault did not hit, speaks against every other.
    match by_section.filter(|_| exact.is_none_or(|exact| exact.raw.is_none())) {
        Some(_) => (Failure::SectionAccess, by_section),
        None => (Failure::OtherAccess, exact),
    }
}

/// Whether a fault is one of an operation on this section that goes through its debug record.
fn goes_through_record(
    scene: Scene<'_, '_>,
    search: Search<'_>,
    candidate: &Candidate,
    fault: u64,
) -> bool {
    let operation = search.found.map(|found| found.operation);
    let width = scene.dump.system.pointer_width;
    let Some(raw) = candidate.raw else { return false };
    let is_record = raw.debug_info != 0
        || is_zeroed(&raw)
        || candidate.is_exact()
        || has_live_owner(scene.dump, &raw, search.encoding);
    let offset = fault.checked_sub(raw.debug_info);
    let in_record =
        offset.is_some_and(|offset| touches_record(operation, width, raw.debug_info, offset));
    in_record && is_record
        || operation == Some(Operation::Delete) && through_links(scene, raw.debug_info, fault)
}

/// Whether a fault is that of unlinking a record: Flink's Blink, or Blink's Flink, is written.
///
/// - situation: Delete takes the debug record off the list, and its links lead nowhere.
/// - example: the record was wiped by an earlier Delete (a copied section), so that the write goes to 0; or DebugInfo
///   points at another object.
/// - handling: the links in the record that DebugInfo names, plus the offset of the field that is written.
/// - test: `a_null_record_is_no_null_section` (tests/accuracy).
fn through_links(scene: Scene<'_, '_>, debug_info: u64, fault: u64) -> bool {
    let width = scene.dump.system.pointer_width;
    let record = RawDebugInfo::read(&scene.dump.memory, debug_info, width);
    record.is_some_and(|record| {
        let blink_of_next = width.truncate(record.flink.wrapping_add(width.bytes()));
        fault == blink_of_next || fault == record.blink
    })
}

/// The candidate for a fault without an address.
///
/// - situation: an access to an address without canonical form gives a record without the address (-1, or 0).
/// - example: `Enter(0xdddddddddddddddd)`; a section whose DebugInfo is 0xfeeefeeefeeefeee; a record whose Flink is a text.
/// - handling: what the faulting instruction's register names, else a record, its links (Delete alone follows them), one that a register
///   holds before any other, else a section where no memory can be.
/// - test: `a_fault_without_an_address_is_explained_by_a_wild_pointer`, `what_a_register_holds_now_is_no_earlier_argument` (tests/accuracy).
fn choose_wild<'c>(
    search: Search<'_>,
    width: PointerWidth,
    candidates: &'c [Candidate],
    wild_links: impl Fn(u64) -> Vec<u64>,
) -> (Failure, Option<&'c Candidate>) {
    let exact = candidates.iter().find(|candidate| candidate.is_exact());
    let is_wild = |candidate: &&Candidate| is_wild(candidate.address, width);
    // The same displacements lead through a record that a section names.
    let is_record = |address: u64| {
        candidates.iter().any(|other| {
            is_credible(other) && other.raw.is_some_and(|raw| raw.debug_info == address)
        })
    };
    let faulted = candidates
        .iter()
        .filter(is_wild)
        .find(|candidate| candidate.has_faulted() && !is_record(candidate.address));
    if let Some(candidate) = exact.filter(is_wild).or(faulted) {
        return (Failure::SectionAccess, Some(candidate));
    }
    let operation = search.found.map(|found| found.operation);
    let waits = matches!(operation, Some(Operation::Enter | Operation::Delete));
    let unlinks = operation == Some(Operation::Delete);
    let wild_pointers = |candidate: &Candidate| {
        let record = candidate.raw.map(|raw| raw.debug_info).filter(|_| is_credible(candidate));
        let links = record.filter(|_| unlinks).map(&wild_links).unwrap_or_default();
        record.filter(|record| self::is_wild(*record, width)).into_iter().chain(links)
    };
    let registers = search.frames.first().map(|frame| &frame.registers);
    // What faulted went through one.
    let is_held = |pointer: u64| {
        registers.is_some_and(|registers| registers.known().any(|(_, held, _)| held == pointer))
    };
    let by_record = best(candidates, |candidate| wild_pointers(candidate).any(is_held))
        .or_else(|| best(candidates, |candidate| wild_pointers(candidate).next().is_some()));
    if waits && by_record.is_some() {
        return (Failure::DebugInfoAccess, by_record);
    }
    let by_section = best(candidates, |candidate| is_credible(candidate) && is_wild(&candidate));
    match by_section {
        Some(_) => (Failure::SectionAccess, by_section),
        None => (Failure::OtherAccess, exact),
    }
}

/// Whether an address above the null page is outside user space.
fn is_wild(address: u64, width: PointerWidth) -> bool {
    address >= 0x1_0000 && !is_user_address(address, width)
}

/// A debug record's links that lead outside user space.
fn wild_links(scene: Scene<'_, '_>, debug_info: u64) -> Vec<u64> {
    let width = scene.dump.system.pointer_width;
    let record = RawDebugInfo::read(&scene.dump.memory, debug_info, width);
    let links = record.map(|record| [record.flink, record.blink]);
    links.into_iter().flatten().filter(|link| is_wild(*link, width)).collect()
}

/// Zero but for what an Enter that waits changes: LockCount and LockSemaphore.
fn is_zeroed(raw: &RawCriticalSection) -> bool {
    raw.debug_info == 0 && raw.recursion_count <= 0 && raw.owning_thread == 0 && raw.spin_count == 0
}

fn hits(fault: u64, start: u64, size: u64) -> bool {
    fault.checked_sub(start).is_some_and(|offset| offset < size)
}

/// More than a word of the stack leads there.
fn is_credible(candidate: &Candidate) -> bool {
    candidate.is_exact() || candidate.ways.iter().any(|way| way.score >= 2)
}

/// The candidate that fits best.
///
/// - situation: a register that the caller keeps for something else lies on the stack as often as functions in between have saved it.
/// - example: `mov rax, [rbp+10h]`, `add rax, 20h`, `call DeleteCriticalSection`, and rdi, saved five times, leads to other zeros.
/// - handling: what the caller's code gives comes before what only registers and the stack hold, however often.
/// - test: `what_the_call_gave_comes_before_what_the_stack_holds_often` (tests/accuracy).
fn best(candidates: &[Candidate], fits: impl Fn(&Candidate) -> bool) -> Option<&Candidate> {
    let fitting = candidates.iter().filter(|candidate| fits(candidate));
    fitting.max_by_key(|candidate| (candidate.is_exact(), candidate.is_given(), candidate.score()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::candidate::Way;
    use crate::critsec::lock_count::LockCountEncoding;

    fn candidate(address: u64, debug_info: Option<u64>, exact: bool) -> Candidate {
        let raw = debug_info.map(|debug_info| RawCriticalSection {
            debug_info,
            lock_count: 0,
            recursion_count: 0,
            owning_thread: 0,
            lock_semaphore: 0,
            spin_count: 0,
        });
        let ways = vec![Way { score: 3, exact, ..Way::default() }];
        Candidate { address, ways, raw, gate: None }
    }

    #[test]
    fn a_fault_without_an_address_is_explained_by_a_wild_pointer() {
        assert!(is_without_address(PointerWidth::Eight, u64::MAX));
        assert!(!is_without_address(PointerWidth::Four, 0xFFFF_FFFF));
        let exception = EffectiveException {
            record: crate::dump::ExceptionRecord {
                code: ACCESS_VIOLATION,
                flags: 0,
                nested_record_address: 0,
                address: 0,
                parameters: vec![0, u64::MAX],
            },
            nested_in: Vec::new(),
            context: None,
        };
        let search = |operation| Search {
            frames: &[],
            found: Some(crate::crash::operation::FoundOperation {
                operation,
                source: crate::crash::operation::OperationSource::Exports,
                frame: 0,
                caller: None,
            }),
            exception: &exception,
            failure: Failure::OtherAccess,
            encoding: LockCountEncoding::Flags,
        };
        let wild = [candidate(0xCDCD_CDCD_CDCD_CDCD, None, true)];
        assert_eq!(
            choose_wild(search(Operation::Leave), PointerWidth::Eight, &wild, |_| Vec::new()).0,
            Failure::SectionAccess
        );
        let record = [candidate(0x24_7000, Some(0xFEEE_FEEE_FEEE_FEEE), true)];
        assert_eq!(
            choose_wild(search(Operation::Enter), PointerWidth::Eight, &record, |_| Vec::new()).0,
            Failure::DebugInfoAccess
        );
        assert_eq!(
            choose_wild(search(Operation::Leave), PointerWidth::Eight, &record, |_| Vec::new()).0,
            Failure::OtherAccess
        );
    }

    #[test]
    fn delete_does_not_go_through_a_record_that_is_not_there() {
        assert!(!touches_record(Some(Operation::Delete), PointerWidth::Eight, 0, 0x18));
        assert!(touches_record(Some(Operation::Delete), PointerWidth::Eight, 0x5000, 0x18));
        assert!(touches_record(Some(Operation::Enter), PointerWidth::Four, 0, 0x14));
    }
}
