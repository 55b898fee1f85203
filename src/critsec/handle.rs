//! The handle cross-check: `LockSemaphore`, or the handle really passed, against the dump's handle stream.

use crate::dump::Dump;
use crate::dump::handles::{Handle, HandleTable};

/// `GrantedAccess` of the event that ntdll creates for a section: SYNCHRONIZE | QUERY_STATE | MODIFY_STATE
/// (critical-sections.md 0.1, measured on Windows 7; 2.5).
pub const SECTION_EVENT_ACCESS: u32 = 0x0010_0003;

/// Largest value that a handle plausibly has: the kernel's table grows from 4 upwards in steps of 4
/// (critical-sections.md 4.3).
pub const LARGEST_HANDLE: u64 = 0x0400_0000;

/// What a handle value turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleState {
    /// The slot is empty.
    Absent,
    /// The slot holds an event.
    Event,
    /// The slot holds another object.
    OtherObject,
    /// The value cannot be a handle.
    NotAHandle,
    /// 0: never contended.
    None,
    /// -1: waiters use no event.
    WaitOnAddress,
    /// There is no handle stream, or an empty one.
    Unknown,
}

impl HandleState {
    /// The name as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Event => "event",
            Self::OtherObject => "other-object",
            Self::NotAHandle => "not-a-handle",
            Self::None => "none",
            Self::WaitOnAddress => "wait-on-address",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether a value can be one that the kernel handed out. The kernel ignores the low two bits, but ntdll
/// never stores a handle with one of them set (critical-sections.md 4.3).
///
/// - situation: LockSemaphore was overwritten with an address, which on x86 can be as small as a handle.
/// - example: 0x414A18, the address of a heap block.
/// - handling: no multiple of 4, more than [`LARGEST_HANDLE`], or, beyond the reach of the handle table, the address of
///   memory or of a module in the dump is no handle.
/// - test: `addresses_are_no_handles`.
#[must_use]
pub fn is_plausible(dump: &Dump<'_>, value: u64) -> bool {
    let in_table = dump.handles.as_ref().is_some_and(|table| value <= reach_of_table(table));
    let is_address = value >= 0x1_0000
        && !in_table
        && (dump.memory.region_at(value).is_some() || dump.module_at(value).is_some());
    value != 0 && value.is_multiple_of(4) && value <= LARGEST_HANDLE && !is_address
}

/// The largest value that the handle table may once have held: it does not shrink, so that after a peak many times
/// the highest handle that is open now is possible.
#[must_use]
pub fn reach_of_table(table: &HandleTable) -> u64 {
    let highest = table.handles.iter().map(|handle| handle.value).max().unwrap_or(0);
    highest.saturating_mul(4).max(0x1000)
}

/// Looks a value up in the dump's handle stream.
#[must_use]
pub fn check(dump: &Dump<'_>, value: u64) -> HandleState {
    if value == 0 {
        return HandleState::None;
    }
    if value == dump.system.pointer_width.all_ones() {
        return HandleState::WaitOnAddress;
    }
    let known = dump.handles.as_ref().filter(|table| !table.handles.is_empty());
    match known.and_then(|table| table.get(value)) {
        Some(handle) if handle.is_type("Event") => HandleState::Event,
        Some(_) => HandleState::OtherObject,
        None if !is_plausible(dump, value) => HandleState::NotAHandle,
        None if known.is_some_and(HandleTable::is_complete) => HandleState::Absent,
        None => HandleState::Unknown,
    }
}

/// Whether a handle is of the kind that ntdll creates for sections: an unnamed event with exactly
/// [`SECTION_EVENT_ACCESS`].
#[must_use]
pub fn is_section_event(handle: &Handle) -> bool {
    handle.is_type("Event")
        && handle.object_name.is_none()
        && handle.granted_access == SECTION_EVENT_ACCESS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Cpu;
    use crate::dump::synth::Synth;

    #[test]
    fn addresses_are_no_handles() {
        let file = Synth::new(Cpu::X86).memory(0x41_4000, vec![0; 0x1000]).build();
        let dump = Dump::parse(&file).unwrap();
        assert!(is_plausible(&dump, 0x164));
        assert!(is_plausible(&dump, 0x50_0000), "large, but no address of this process");
        for value in [0, 0x165, 0x41_4A18, 0x8000_0000] {
            assert!(!is_plausible(&dump, value), "{value:#x}");
        }
    }

    #[test]
    fn special_values_are_no_handles() {
        let file = Synth::new(Cpu::X86).build();
        let dump = Dump::parse(&file).unwrap();
        assert_eq!(check(&dump, 0), HandleState::None);
        assert_eq!(check(&dump, 0xFFFF_FFFF), HandleState::WaitOnAddress);
        assert_eq!(check(&dump, 0x164), HandleState::Unknown, "no handle stream");
    }
}
