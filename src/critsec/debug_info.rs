//! `RTL_CRITICAL_SECTION_DEBUG`: the record behind `DebugInfo`, its back pointer, and the process's list
//! of sections that it is linked into (critical-sections.md 1.2 and 6.2).

use super::layout::RawCriticalSection;
use crate::dump::memory::{AddressSpace, PointerWidth};
use std::collections::HashSet;

/// Most records read off the list in one dump; a large process has a few thousand.
pub const MAX_LIST: usize = 4096;

/// Offsets in bytes of the fields of `RTL_CRITICAL_SECTION_DEBUG`.
#[derive(Debug, Clone, Copy)]
struct DebugLayout {
    critical_section: u64,
    process_locks_list: u64,
    entry_count: u64,
    contention_count: u64,
    flags: u64,
}

impl DebugLayout {
    fn of(width: PointerWidth) -> Self {
        match width {
            PointerWidth::Four => Self {
                critical_section: 0x04,
                process_locks_list: 0x08,
                entry_count: 0x10,
                contention_count: 0x14,
                flags: 0x18,
            },
            PointerWidth::Eight => Self {
                critical_section: 0x08,
                process_locks_list: 0x10,
                entry_count: 0x20,
                contention_count: 0x24,
                flags: 0x28,
            },
        }
    }
}

/// Size in bytes of the record: 0x20 on x86, 0x30 on x64 and ARM64.
#[must_use]
pub fn record_size(width: PointerWidth) -> u64 {
    match width {
        PointerWidth::Four => 0x20,
        PointerWidth::Eight => 0x30,
    }
}

/// Offset in bytes of `ContentionCount`, which Enter increments when it has to wait: the address of the
/// access violation when `DebugInfo` is 0 (critical-sections.md 0.1, measured).
#[must_use]
pub fn contention_count_offset(width: PointerWidth) -> u64 {
    DebugLayout::of(width).contention_count
}

/// Offset in bytes of `EntryCount`, which Enter increments first before Server 2003 SP1: the address of the
/// access violation when `DebugInfo` is 0 (critical-sections.md 4.4).
#[must_use]
pub fn entry_count_offset(width: PointerWidth) -> u64 {
    DebugLayout::of(width).entry_count
}

/// A record as it stands in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawDebugInfo {
    /// `Type`: 0 critical section, 1 resource.
    pub kind: u16,
    /// `CriticalSection`: the section that owns the record.
    pub critical_section: u64,
    /// `ProcessLocksList.Flink`: address of the next record's list entry.
    pub flink: u64,
    /// `ProcessLocksList.Blink`.
    pub blink: u64,
    /// `EntryCount`.
    pub entry_count: u32,
    /// `ContentionCount`: contended entries so far.
    pub contention_count: u32,
    /// `Flags` (Vista and later) or `Spare[0]`.
    pub flags: u32,
}

impl RawDebugInfo {
    /// Reads the record at `address`.
    #[must_use]
    pub fn read(memory: &AddressSpace<'_>, address: u64, width: PointerWidth) -> Option<Self> {
        let layout = DebugLayout::of(width);
        let at = |offset: u64| address.checked_add(offset);
        let list = at(layout.process_locks_list)?;
        Some(Self {
            kind: memory.u16(address)?,
            critical_section: memory.pointer(at(layout.critical_section)?, width)?,
            flink: memory.pointer(list, width)?,
            blink: memory.pointer(list.checked_add(width.bytes())?, width)?,
            entry_count: memory.u32(at(layout.entry_count)?)?,
            contention_count: memory.u32(at(layout.contention_count)?)?,
            flags: memory.u32(at(layout.flags)?)?,
        })
    }

    /// Whether the record was wiped: what Delete leaves (critical-sections.md 0.1).
    ///
    /// - situation: Delete zeroes the record and frees it; the heap then puts its free-list links into the first
    ///   two pointers.
    /// - example: a copy of a deleted section still names such a record.
    /// - handling: links, counts and flags are zero; `Type` and the back pointer may hold anything.
    /// - test: `judges_the_record`.
    #[must_use]
    pub fn is_wiped(&self) -> bool {
        self.flink == 0
            && self.blink == 0
            && self.entry_count == 0
            && self.contention_count == 0
            && self.flags == 0
    }
}

/// What `DebugInfo` of a section at a known address turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DebugInfoState {
    /// -1: initialised without a record.
    Absent,
    /// 0: initialisation never leaves that.
    Null,
    /// A record whose back pointer names this section.
    Own(RawDebugInfo),
    /// A record whose back pointer names another section.
    Foreign(RawDebugInfo),
    /// A record that Delete has wiped.
    Wiped,
    /// Readable memory that is no such record.
    NotARecord,
    /// An address that cannot hold a record: misaligned, in the null page, or beyond user space.
    Impossible,
    /// A possible address whose memory is not in the dump.
    NotCaptured,
}

/// Reads and judges the record of the section at `section`.
#[must_use]
pub fn state(
    memory: &AddressSpace<'_>,
    section: u64,
    raw: &RawCriticalSection,
    width: PointerWidth,
) -> DebugInfoState {
    let address = raw.debug_info;
    if address == width.all_ones() {
        return DebugInfoState::Absent;
    }
    if address == 0 {
        return DebugInfoState::Null;
    }
    if !is_possible_pointer(address, width) {
        return DebugInfoState::Impossible;
    }
    match RawDebugInfo::read(memory, address, width) {
        None => DebugInfoState::NotCaptured,
        Some(record) if record.critical_section == section => DebugInfoState::Own(record),
        Some(record) if record.is_wiped() => DebugInfoState::Wiped,
        Some(record) if is_record_like(&record, width) && counts_waits(&record) => {
            DebugInfoState::Foreign(record)
        }
        Some(_) => DebugInfoState::NotARecord,
    }
}

/// Whether a value can be the address of a pointer-aligned object in user space.
#[must_use]
pub fn is_possible_pointer(address: u64, width: PointerWidth) -> bool {
    let aligned = address.is_multiple_of(width.bytes());
    aligned && is_user_address(address, width)
}

/// Whether a value lies between the null page and the end of user space.
#[must_use]
pub fn is_user_address(address: u64, width: PointerWidth) -> bool {
    let limit = match width {
        PointerWidth::Four => 0xFFFF_0000,
        PointerWidth::Eight => 0x0000_8000_0000_0000,
    };
    (0x1_0000..limit).contains(&address)
}

/// Whether the counts of a record that names another section are such as waits leave.
///
/// - situation: floats and text read as a record whose back pointer leads somewhere else.
/// - example: ContentionCount 0x42020000, which is 32.5.
/// - handling: neither count above 0x10000000; a record of this section, or of the list, is not asked.
/// - test: `judges_the_record`.
fn counts_waits(record: &RawDebugInfo) -> bool {
    const MOST: u32 = 0x1000_0000;
    record.contention_count <= MOST && record.entry_count <= MOST
}

fn is_record_like(record: &RawDebugInfo, width: PointerWidth) -> bool {
    let linked = |link: u64| link == 0 || is_possible_pointer(link, width);
    record.kind <= 1
        && is_possible_pointer(record.critical_section, width)
        && linked(record.flink)
        && linked(record.blink)
}

/// A section found on the process's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedSection {
    /// Address of the debug record.
    pub record: u64,
    /// Address that its back pointer names.
    pub section: u64,
    /// The section there, when it is in the dump.
    pub raw: Option<RawCriticalSection>,
}

/// What a walk of the list of debug records met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListWalk {
    /// The sections of the records.
    pub sections: Vec<ListedSection>,
    /// Addresses of everything that a link led to, as records: also the list's head, and what is no record any more.
    pub nodes: Vec<u64>,
    /// Whether the walk came back to where it began.
    pub closed: bool,
}

/// Walks the list of debug records forwards and backwards from one record, up to [`MAX_LIST`] records.
///
/// - situation: the list's head lies among the records and reads as one by chance.
/// - example: Windows 7 x86, where head-8 passes a back-pointer test (dumps/INDEX.md, fact 4).
/// - handling: a node counts only with `Type` 0 or 1, a possible section address and links that are not its own. The links alone lead on: the head is no
///   more than two links, and what would be a record around them may begin before ntdll's data, which is all that a small dump has of it.
/// - test: `walks_a_list_past_its_head`, `a_head_at_the_beginning_of_what_the_dump_has`.
#[must_use]
pub fn walk_list(memory: &AddressSpace<'_>, start: u64, width: PointerWidth) -> ListWalk {
    let layout = DebugLayout::of(width);
    let mut seen = HashSet::new();
    let mut walk = ListWalk::default();
    let (mut unread, mut heads) = (HashSet::new(), HashSet::new());
    for forwards in [true, false] {
        let mut address = start;
        while walk.nodes.len() < MAX_LIST.saturating_mul(2)
            && (seen.insert(address) || address == start)
        {
            walk.nodes.push(address);
            let record = RawDebugInfo::read(memory, address, width);
            match record.as_ref().map(|record| is_record_like(record, width)) {
                None => unread.insert(address),
                Some(false) => heads.insert(address),
                Some(true) => false,
            };
            let of_section =
                record.filter(|record| is_record_like(record, width) && record.flink != 0);
            if let Some(record) = of_section.filter(|_| forwards || address != start) {
                let raw = RawCriticalSection::read(memory, record.critical_section, width);
                walk.sections.push(ListedSection {
                    record: address,
                    section: record.critical_section,
                    raw,
                });
            }
            let links = address.checked_add(layout.process_locks_list);
            let at =
                if forwards { links } else { links.and_then(|at| at.checked_add(width.bytes())) };
            let Some(link) = at.and_then(|at| memory.pointer(at, width)) else { break };
            let Some(next) = link.checked_sub(layout.process_locks_list) else { break };
            if next == start {
                walk.closed = true;
                break;
            }
            address = next;
        }
    }
    // Of what is no record only the head may be unread: any other may be one that the dump has a part of.
    let is_head = unread.is_empty() || unread.len() == 1 && heads.is_empty();
    walk.closed &= is_head;
    walk
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::memory::{MemorySource, Region};

    const WIDTH: PointerWidth = PointerWidth::Eight;

    fn put(bytes: &mut [u8], at: usize, value: u64) {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    /// Three nodes in a ring: records at 0x1_0000 and 0x1_0040, the head at 0x1_0080.
    fn ring() -> Vec<u8> {
        let mut bytes = vec![0; 0x100];
        for (at, section, next, previous) in [
            (0, 0x2_0000, 0x1_0050, 0x1_0090),
            (0x40, 0x2_0040, 0x1_0090, 0x1_0010),
            (0x80, 0, 0x1_0010, 0x1_0050),
        ] {
            put(&mut bytes, at + 8, section);
            put(&mut bytes, at + 0x10, next);
            put(&mut bytes, at + 0x18, previous);
        }
        bytes
    }

    fn space(bytes: &[u8]) -> AddressSpace<'_> {
        AddressSpace::new([Region { base: 0x1_0000, bytes, source: MemorySource::MemoryList }])
    }

    #[test]
    fn walks_a_list_past_its_head() {
        let bytes = ring();
        let walk = walk_list(&space(&bytes), 0x1_0040, WIDTH);
        let sections: Vec<u64> = walk.sections.iter().map(|entry| entry.section).collect();
        assert_eq!(sections, [0x2_0040, 0x2_0000]);
        assert!(walk.closed && walk.nodes.contains(&0x1_0080), "the head is a node too");
    }

    #[test]
    fn a_head_at_the_beginning_of_what_the_dump_has() {
        // The record that would be around the head begins 0x10 bytes before it.
        let bytes = ring();
        let region = |base: u64, bytes| Region { base, bytes, source: MemorySource::MemoryList };
        let space = AddressSpace::new([
            region(0x1_0000, &bytes[..0x80]),
            region(0x1_0090, &bytes[0x90..0xA0]),
        ]);
        let walk = walk_list(&space, 0x1_0000, WIDTH);
        assert!(walk.closed);
        assert_eq!(walk.sections.len(), 2);
        // A record of which the dump has the links alone may be the section's.
        let space = AddressSpace::new([
            region(0x1_0000, &bytes[..0x40]),
            region(0x1_0050, &bytes[0x50..0xA0]),
        ]);
        assert!(!walk_list(&space, 0x1_0000, WIDTH).closed);
        // Without it nothing comes back.
        let space = AddressSpace::new([region(0x1_0000, &bytes[..0x80])]);
        assert!(!walk_list(&space, 0x1_0000, WIDTH).closed);
    }

    #[test]
    fn a_list_that_bites_its_tail_ends() {
        let mut bytes = ring();
        put(&mut bytes, 0x50, 0x1_0050);
        let walk = walk_list(&space(&bytes), 0x1_0000, WIDTH);
        assert_eq!((walk.sections.len(), walk.closed), (2, false));
    }

    #[test]
    fn judges_the_record() {
        let bytes = ring();
        let raw = |debug_info| RawCriticalSection {
            debug_info,
            lock_count: -1,
            recursion_count: 0,
            owning_thread: 0,
            lock_semaphore: 0,
            spin_count: 0,
        };
        let judge = |debug_info, section| state(&space(&bytes), section, &raw(debug_info), WIDTH);
        assert!(matches!(judge(0x1_0000, 0x2_0000), DebugInfoState::Own(_)));
        assert!(matches!(judge(0x1_0000, 0x3_0000), DebugInfoState::Foreign(_)));
        assert_eq!(judge(u64::MAX, 0x3_0000), DebugInfoState::Absent);
        assert_eq!(judge(0, 0x3_0000), DebugInfoState::Null);
        assert_eq!(judge(0x1_00C0, 0x3_0000), DebugInfoState::Wiped);
        assert_eq!(judge(0x4141_4141_4141_4141, 0x3_0000), DebugInfoState::Impossible);
        assert_eq!(judge(0x5_0000, 0x3_0000), DebugInfoState::NotCaptured);
    }
}
