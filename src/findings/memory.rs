//! Where the address points: the null page, code, a stack, memory that is gone.

use super::{Case, Finding, FindingId};
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
    let Some(section) = case.section else { return };
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
    if section.raw.is_none() && is_text_or_pattern(address, section.width) {
        findings.push(Finding::new(
            FindingId::AddressImpossible,
            format!("The section's address {address:#x} is text or a fill pattern."),
            source,
        ));
        return;
    }
    if !is_user_address(address, section.width) {
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
    stacks(case, section, findings);
}

/// Whether every byte of an address is a printable character, or the address is a fill pattern.
fn is_text_or_pattern(address: u64, width: PointerWidth) -> bool {
    let bytes = address.to_le_bytes();
    let used = bytes.get(..usize::try_from(width.bytes()).unwrap_or(8)).unwrap_or_default();
    used.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
        || fill::is_pattern(address, width)
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
            _ => return,
        };
    let statement = format!("{address:#x} lies on the stack of thread {thread:#x}, {remark}.");
    findings.push(Finding::new(id, statement, "stack pointers"));
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
