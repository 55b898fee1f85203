//! Names without symbols: of sections, callers and signatures.

use crate::crash::Crash;
use crate::crash::frame::Frame;
use crate::crash::heap_lock;
use crate::dump::{Dump, Module};
use crate::report::model::Verdict;

/// The section in a signature when it is neither in a module nor on a stack. Its offset in the object follows where the
/// dump holds the code that passed it (docs/signatures.md).
pub(crate) const PRIVATE: &str = "private memory";

/// `module+0xoffset` of an address, or the address.
#[must_use]
pub fn place(dump: &Dump<'_>, address: u64) -> String {
    match dump.module_at(address) {
        Some(module) => {
            format!("{}+{:#x}", module.file_name(), address.saturating_sub(module.base))
        }
        None => format!("{address:#x}"),
    }
}

/// A dump's file, and the member in it.
#[must_use]
pub fn dump_place(path: &str, member: Option<&str>) -> String {
    member.map_or_else(|| path.to_owned(), |member| format!("{path}:{member}"))
}

/// The share of the causes that a verdict names, together; of the likeliest where it names none.
pub(super) fn share(verdict: &Verdict) -> f64 {
    let named = verdict.named.len().max(1);
    verdict.causes.iter().take(named).map(|cause| cause.probability).sum()
}

/// What a section is called: for a reader, and for a signature, which must not hold addresses that change
/// from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionName {
    /// `agent.exe+0xf0c0`, `heap block 0x1234+0x38`, `lock of the heap at 0x1000`, `stack of thread 0x44`.
    pub full: String,
    /// `agent.exe+0xf0c0`, `stack`, `private memory+0x38`, `private memory`.
    pub stable: String,
}

/// Names the section at an address.
#[must_use]
pub fn section_name(dump: &Dump<'_>, crash: &Crash, address: u64) -> SectionName {
    let same = |name: String| SectionName { full: name.clone(), stable: name };
    if dump.module_at(address).is_some() {
        return same(place(dump, address));
    }
    if address < 0x1_0000 {
        return same(format!("NULL+{address:#x}"));
    }
    if let Some(heap) = heap_lock::heap_of(dump, address) {
        let full = format!("lock of the heap at {heap:#x}");
        return SectionName { full, stable: PRIVATE.into() };
    }
    let unloaded = dump.unloaded_at(address).next();
    if let Some(module) = unloaded.filter(|_| dump.memory.u8(address).is_none()) {
        let offset = address.saturating_sub(module.base);
        let full = format!("unloaded {}+{offset:#x}", module.file_name());
        return SectionName { full, stable: PRIVATE.into() };
    }
    if let Some(thread) = dump.stack_owner(address) {
        return SectionName {
            full: format!("stack of thread {:#x}", thread.id),
            stable: "stack".into(),
        };
    }
    let member = crash
        .lock
        .as_ref()
        .and_then(|lock| lock.located.as_ref()?.argument.as_ref()?.member_offset())
        .filter(|offset| *offset < 0x1_0000);
    match member {
        Some(offset) => SectionName {
            full: format!("heap block {:#x}+{offset:#x}", address.saturating_sub(offset)),
            stable: format!("{PRIVATE}+{offset:#x}"),
        },
        None => SectionName {
            full: format!("{} {address:#x}", memory_word(dump, address)),
            stable: PRIVATE.into(),
        },
    }
}

fn memory_word(dump: &Dump<'_>, address: u64) -> &'static str {
    /// MEM_MAPPED (winnt.h).
    const MEM_MAPPED: u32 = 0x4_0000;
    match dump.memory_info_at(address) {
        Some(info) if info.memory_type == MEM_MAPPED => "mapped view",
        _ => PRIVATE,
    }
}

/// The module of a frame.
#[must_use]
pub fn module_of<'d>(dump: &'d Dump<'_>, frame: &Frame) -> Option<&'d Module> {
    let base = frame.module?;
    dump.modules.iter().find(|module| module.base == base)
}
