//! Where the address points: the null page, code, a stack, memory that is gone.

use super::space::{edge_of_memory, is_above_user_space, is_far_from_memory};
use super::{Case, Finding, FindingId, frames, half, has, record};
use crate::crash::operation::Failure;
use crate::critsec::CriticalSection;
use crate::critsec::debug_info::is_user_address;
use crate::critsec::fill;
use crate::dump::Dump;
use crate::dump::kind::MemoryKind;
use crate::dump::memory::PointerWidth;

/// MEM_MAPPED (winnt.h).
const MEM_MAPPED: u32 = 0x4_0000;
/// MEM_IMAGE (winnt.h).
const MEM_IMAGE: u32 = 0x100_0000;
/// PAGE_READONLY, PAGE_EXECUTE and PAGE_EXECUTE_READ (winnt.h): protections of memory that holds no section.
const NOT_WRITABLE: u32 = 0x02 | 0x10 | 0x20;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return not_located(case, findings) };
    let address = section.address;
    let source = format!("address {address:#x}");
    if address < 0x1_0000 {
        findings.push(Finding::new(
            FindingId::AddressInNullPage,
            format!("The section's address {address:#x} lies in the null page."),
            source,
        ));
        return;
    }
    let is_of_module = case.scene.dump.unloaded_at(address).next().is_some()
        || case.scene.dump.module_at(address).is_some();
    match what_else(address, section.width).filter(|_| section.raw.is_none() && !is_of_module) {
        Some(Else::Text) if section.width == PointerWidth::Four => findings.push(Finding::new(
            FindingId::AddressIsText,
            format!(
                "The four bytes of the section's address {address:#x} are printable characters."
            ),
            source.clone(),
        )),
        Some(other) => {
            findings.push(Finding::new(
                FindingId::AddressImpossible,
                format!("The section's address {address:#x} is {}.", other.in_words()),
                source,
            ));
            return;
        }
        None => {}
    }
    if !is_user_address(address, section.width)
        || section.raw.is_none() && is_above_user_space(case.scene, address)
    {
        findings.push(Finding::new(
            FindingId::AddressImpossible,
            format!("The section's address {address:#x} is outside user space."),
            source,
        ));
        return;
    }
    if !address.is_multiple_of(section.width.bytes()) {
        findings.push(Finding::new(
            FindingId::Misaligned,
            format!(
                "The section's address {address:#x} is not a multiple of {}.",
                section.width.bytes()
            ),
            source,
        ));
    }
    region(case, section, findings);
    shared_module_data(case, address, findings);
    if section.raw.is_none() {
        still_listed(case, section, findings);
        if is_gone(case, address) {
            not_an_address(case, section, findings);
        }
        if is_far_from_memory(case.scene.dump, address) {
            findings.push(Finding::new(
                FindingId::FarFromMemory,
                format!("Nothing of the process lies near {address:#x}."),
                "MemoryInfoList",
            ));
        }
    }
    stacks(case, section, findings);
}

/// The section lies in a part of a module that all its processes have in common.
///
/// - situation: `#pragma data_seg(".shared")` with `/section:.shared,rws`, for a count or a name, and a lock beside it.
/// - example: the second instance enters a section whose debug record the first one made: it lies in the first one's heap.
/// - handling: the flag `IMAGE_SCN_MEM_SHARED` (learn.microsoft.com, "PE Format", section flags) of the image section that holds the address; some linkers set
///   it for constants too.
/// - test: `a_section_that_the_processes_of_a_module_share` (tests/accuracy).
fn shared_module_data(case: Case<'_, '_>, address: u64, findings: &mut Vec<Finding>) {
    let part = case.scene.images.image_at(address).and_then(|image| {
        let part = image.section_at(image.rva(address)?)?;
        (part.is_shared() && part.is_writable()).then_some(part)
    });
    let Some(part) = part else { return };
    findings.push(Finding::new(
        FindingId::SharedModuleData,
        format!(
            "The section lies in {} of its module, which is linked as shared: all processes that load it have the same memory there.",
            part.name
        ),
        "section headers of the module",
    ));
}

/// Nothing on the stack of the thread that failed is a section in use.
///
/// - situation: a section that is in order but for its event is found by its own fields; one that was deleted, or is gone, is not.
/// - example: Leave could not signal its event, and no word of the stack leads to a section that was just left.
/// - handling: a failed signal or wait of a call that has a name, where the dump has what stacks refer to. A Leave that signals has just written the
///   section's counts: where no section has these, it was cleared since, or its memory is not in the dump; before an Enter that waits nothing need be in order.
/// - test: `what_is_found_nowhere_is_in_no_order` (tests/accuracy).
fn not_located(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let is_signal = matches!(case.lock.failure, Failure::Signal(_) | Failure::Wait(_));
    let has_memory =
        !matches!(case.scene.dump.memory_kind, MemoryKind::StacksOnly | MemoryKind::None);
    if is_signal && has_memory && case.lock.operation.is_some() {
        let is_left = matches!(case.lock.failure, Failure::Signal(_));
        findings.push(Finding::new(
            if is_left { FindingId::NoSectionJustLeft } else { FindingId::SectionNotLocated },
            "Nothing that the stack of the failed call leads to is a section as this call leaves it.",
            "stack",
        ));
    }
}

/// Whether the list of debug records still names a section whose memory is gone.
///
/// - situation: memory with a section in it was given back without DeleteCriticalSection.
/// - example: VirtualFree of a heap object: Enter faults at a free address, which the list still has.
/// - handling: a record of the process's list whose back pointer is this very address; or none of them, on a version that lists
///   each section: it was deleted before its memory went, or there never was one.
/// - test: `the_list_remembers_a_section_whose_memory_is_gone`, `a_list_without_the_section_is_said_where_its_memory_is_gone`
///   (tests/accuracy).
fn still_listed(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let listed = case.list.sections.iter().find(|other| other.section == section.address);
    if let Some(listed) = listed {
        findings.push(Finding::new(
            FindingId::ListKnowsSection,
            format!(
                "The process's list holds the record {:#x} for a section at {:#x}, which was not deleted.",
                listed.record, section.address
            ),
            "list of sections",
        ));
    } else {
        let lacking =
            record::lacking(case, section.address).filter(|_| is_gone(case, section.address));
        findings
            .extend(lacking.map(|found| Finding { id: FindingId::ListLacksGoneSection, ..found }));
    }
}

/// Whether an address itself could not be accessed. That a dump lacks the memory does not say so: a small one holds little.
fn is_gone(case: Case<'_, '_>, address: u64) -> bool {
    let by_map = case.scene.dump.memory_info_at(address).is_some_and(|info| !info.is_committed());
    case.lock.failure == Failure::SectionAccess || by_map
}

/// What a pointer that leads nowhere may be instead of an address that was one.
fn not_an_address(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let address = section.address;
    if has(findings, FindingId::ListKnowsSection) || has(findings, FindingId::InUnloadedModule) {
        return;
    }
    half::collect(case, section, findings);
    if let Some(edge) = edge_of_memory(case.scene.dump, address) {
        findings.push(Finding::new(
            FindingId::BesideMemory,
            format!("{address:#x} is free, and lies {}.", edge.in_words()),
            "MemoryInfoList",
        ));
    }
    if is_two_numbers(address, section.width) {
        findings.push(Finding::new(
            FindingId::AddressIsTwoNumbers,
            format!("The halves of the section's address {address:#x} are two small numbers."),
            format!("address {address:#x}"),
        ));
    }
}

/// Whether an address is two numbers side by side.
///
/// - situation: two 32-bit fields were read as one pointer.
/// - example: 0x2D000000508: the width 720 and the height 1280, and 8.
/// - handling: 64-bit, both halves below 0x10000, and the upper one no power of two: those are bases that programs choose
///   for their arenas.
/// - test: `two_numbers_are_no_address`.
fn is_two_numbers(address: u64, width: PointerWidth) -> bool {
    let (upper, lower) = (address >> 32, address & u64::from(u32::MAX));
    width == PointerWidth::Eight
        && (1..SMALL).contains(&upper)
        && !upper.is_power_of_two()
        && lower < SMALL
}

/// What the bytes of an address are, if they are not an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Else {
    Text,
    Pattern,
    RepeatedByte,
}

impl Else {
    fn in_words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Pattern => "a fill pattern",
            Self::RepeatedByte => "one byte over and over, plus the offset of a member",
        }
    }
}

/// Most bytes from the beginning of an object to a section in it.
const MEMBER: u64 = 0x200;
/// Numbers below this are counts, sizes and indices.
const SMALL: u64 = 0x1_0000;

/// What an address is that is none.
///
/// - situation: the pointer to the object was read from memory that holds something else.
/// - example: 0x20646C6F68206F74, which is text; 0xF5F5F5F9, a pool's fill plus 4.
/// - handling: printable characters, a known pattern, or one byte repeated plus the offset of a member. Four printable
///   characters are weak: one in fifty 32-bit addresses has them.
/// - test: `an_address_that_is_something_else`.
fn what_else(address: u64, width: PointerWidth) -> Option<Else> {
    let bytes = address.to_le_bytes();
    let used = bytes.get(..usize::try_from(width.bytes()).unwrap_or(8)).unwrap_or_default();
    let repeats = |offset: u64| {
        let object = address.checked_sub(offset)?;
        let byte = object & 0xFF;
        let full = width.truncate(byte.wrapping_mul(0x0101_0101_0101_0101));
        (full == object && byte != 0).then_some(())
    };
    if used.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        Some(Else::Text)
    } else if fill::is_pattern(address, width) {
        Some(Else::Pattern)
    } else {
        let mut offsets = (0..MEMBER).step_by(4);
        offsets.find_map(repeats).map(|()| Else::RepeatedByte)
    }
}

/// What the map of the address space says of the place (critical-sections.md 9, rows 21 and 22).
///
/// - situation: memory was given back, a module unloaded, or the memory is shared.
/// - example: MEM_FREE at the section's address.
/// - handling: MemoryInfoList first; the list of unloaded modules only where nothing took the place; a full dump without the memory.
/// - test: `where_the_section_is_counts`.
fn region(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let dump = case.scene.dump;
    let address = section.address;
    let info = dump.memory_info_at(address);
    let unloaded = dump.unloaded.iter().find(|module| module.contains(address));
    let reused = dump.module_at(address).is_some() || info.is_some_and(|info| info.is_committed());
    if let Some(module) = unloaded.filter(|_| !reused && section.raw.is_none()) {
        findings.push(Finding::new(
            FindingId::InUnloadedModule,
            format!(
                "{address:#x} lies where {} was loaded before it was unloaded.",
                module.file_name()
            ),
            "UnloadedModuleList",
        ));
    }
    match info {
        Some(info) if !info.is_committed() => findings.push(Finding::new(
            FindingId::MemoryFree,
            format!(
                "The memory at {address:#x} is {}.",
                if info.is_free() { "free" } else { "only reserved" }
            ),
            "MemoryInfoList",
        )),
        Some(info) if info.memory_type == MEM_MAPPED => findings.push(Finding::new(
            FindingId::MemoryMapped,
            format!("The memory at {address:#x} is a mapped view."),
            "MemoryInfoList",
        )),
        Some(info) if info.memory_type == MEM_IMAGE && info.protect & 0xFF & !NOT_WRITABLE == 0 => {
            findings.push(Finding::new(
                FindingId::AddressInCode,
                format!("The memory at {address:#x} is code or read-only data of a module."),
                "MemoryInfoList",
            ));
        }
        None if section.raw.is_none() && dump.memory_kind == MemoryKind::Full => {
            findings.push(Finding::new(
                FindingId::AbsentFromFullMemory,
                format!("The dump holds all memory of the process, but none at {address:#x}."),
                "Memory64List",
            ))
        }
        None if dump.module_at(address).is_some()
            && (case.lock.failure == Failure::SectionAccess || is_read_only(case, address)) =>
        {
            findings.push(Finding::new(
                FindingId::AddressInCode,
                format!("{address:#x} lies in a loaded module, which cannot be written there."),
                "ModuleList",
            ));
        }
        Some(info) if info.is_committed() && case.lock.failure == Failure::SectionAccess => {
            findings.push(Finding::new(
                FindingId::SectionNotWritable,
                format!(
                    "The memory at {address:#x} is there, but not writable (protection {:#x}).",
                    info.protect
                ),
                "MemoryInfoList",
            ));
        }
        _ => {}
    }
}

/// A section on a stack lives no longer than the frame it is in.
///
/// - situation: an object with a lock was a local variable, and a pointer to it outlived the function.
/// - example: the section's address is below the stack pointer of the frame that called Leave.
/// - handling: below the caller's stack pointer on its own thread is a dead frame; another thread's live stack is
///   merely suspicious, its dead part is a dead frame too.
/// - test: `dead_stack_is_released_memory`.
fn stacks(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let address = section.address;
    let caller = case.lock.caller.and_then(|index| case.crash.frames.get(index));
    let caller_sp =
        caller.filter(|frame| frame.trust.is_exact()).and_then(|frame| frame.registers.sp());
    let (id, thread, remark) =
        match stack_of(case.scene.dump, address, case.crash.thread_id, caller_sp) {
            Some((thread, Stack::Dead)) => {
                (FindingId::OnDeadStack, thread, "below its live frames")
            }
            Some((thread, Stack::LiveOfAnother)) => {
                (FindingId::OnOtherStack, thread, "among its live frames")
            }
            Some((thread, Stack::Live)) => (FindingId::OnOwnStack, thread, "among its live frames"),
            None => return,
        };
    let statement = format!("{address:#x} lies on the stack of thread {thread:#x}, {remark}.");
    findings.push(Finding::new(id, statement, "stack pointers"));
    if id != FindingId::OnDeadStack {
        frames::collect(case, section, thread, findings);
    }
}

/// What part of a stack an address is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    Dead,
    Live,
    LiveOfAnother,
}

/// The thread whose stack holds `address`, and the part. The faulting thread's live frames begin at the
/// stack pointer of the frame that called the lock function.
fn stack_of(
    dump: &Dump<'_>,
    address: u64,
    faulting: u32,
    caller_sp: Option<u64>,
) -> Option<(u32, Stack)> {
    let thread = dump.stack_owner(address)?;
    let own = thread.id == faulting;
    let context_sp = thread.context.as_ref().map(minidump::MinidumpContext::get_stack_pointer);
    let sp = if own { caller_sp } else { context_sp }?;
    let part = match (address < sp, own) {
        (true, _) => Stack::Dead,
        (false, true) => Stack::Live,
        (false, false) => Stack::LiveOfAnother,
    };
    Some((thread.id, part))
}

/// Whether an address lies in a part of a module's image that cannot be written, by the image's own headers.
fn is_read_only(case: Case<'_, '_>, address: u64) -> bool {
    let image = case.scene.images.image_at(address);
    let part = image.and_then(|image| image.section_at(image.rva(address)?));
    part.is_some_and(|part| !part.is_writable())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Cpu;
    use crate::dump::synth::{Synth, SynthThread, context};

    #[test]
    fn an_address_that_is_something_else() {
        let x86 = |address| what_else(address, PointerWidth::Four);
        let x64 = |address| what_else(address, PointerWidth::Eight);
        assert_eq!(x86(0x6E5C_702C), Some(Else::Text));
        assert_eq!(x64(0x2064_6C6F_6820_6F74), Some(Else::Text));
        assert_eq!(x64(0xBAAD_F00D_BAAD_F00D), Some(Else::Pattern));
        assert_eq!(x86(0xF5F5_F5F9), Some(Else::RepeatedByte));
        assert_eq!(x64(0x1234_5678_1234_5678), None);
        assert_eq!(x86(0x0041_4A18), None);
        assert_eq!(x64(0x38), None, "zeros plus an offset are the null page's");
    }

    #[test]
    fn two_numbers_are_no_address() {
        let x64 = |address| is_two_numbers(address, PointerWidth::Eight);
        assert!(x64(0x0000_02D0_0000_0508));
        assert!(!x64(0x0000_0200_0000_0120), "an arena at a round address");
        assert!(!x64(0x1_4000_8120), "a module's data");
        assert!(!x64(0x508), "one number is the null page's");
        assert!(!is_two_numbers(0x0780_0438, PointerWidth::Four));
    }

    #[test]
    fn dead_stack_is_released_memory() {
        let registers = context(Cpu::Amd64, &[("rsp", 0x20_0400)]);
        let thread = |id, stack_base| SynthThread {
            id,
            context: &registers,
            stack_base,
            stack: &[0; 0x1000],
            ..SynthThread::default()
        };
        let file = Synth::new(Cpu::Amd64)
            .thread(&thread(1, 0x10_0000))
            .thread(&thread(2, 0x20_0000))
            .build();
        let dump = Dump::parse(&file).unwrap();
        let part = |address| stack_of(&dump, address, 1, Some(0x10_0800));
        assert_eq!(part(0x10_0700), Some((1, Stack::Dead)));
        assert_eq!(part(0x10_0900), Some((1, Stack::Live)));
        assert_eq!(part(0x20_0300), Some((2, Stack::Dead)));
        assert_eq!(part(0x20_0500), Some((2, Stack::LiveOfAnother)));
        assert_eq!(part(0x30_0000), None);
    }
}
