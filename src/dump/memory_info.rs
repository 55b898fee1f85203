//! What the process's address space looked like: MemoryInfoList (16).

use super::bytes::{Layout, Stream, u32_at, u64_at};
use super::error::Warnings;

/// Size of MINIDUMP_MEMORY_INFO in bytes (critical-sections.md 7.6).
const ENTRY_SIZE: u32 = 48;
/// Size of the header in bytes: u32 SizeOfHeader, u32 SizeOfEntry, u64 NumberOfEntries.
const HEADER_SIZE: u32 = 16;
/// Most entries read; a large process has about 100,000.
const MAX_ENTRIES: u64 = 262_144;

/// MINIDUMP_MEMORY_INFO: pages of one state and protection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryInfo {
    /// +0 BaseAddress.
    pub base: u64,
    /// +8 AllocationBase: what VirtualAlloc or MapViewOfFile returned.
    pub allocation_base: u64,
    /// +16 AllocationProtect.
    pub allocation_protect: u32,
    /// +24 RegionSize in bytes.
    pub size: u64,
    /// +32 State: MEM_COMMIT 0x1000, MEM_RESERVE 0x2000, MEM_FREE 0x10000.
    pub state: u32,
    /// +36 Protect: PAGE_*.
    pub protect: u32,
    /// +40 Type: MEM_IMAGE 0x1000000, MEM_MAPPED 0x40000, MEM_PRIVATE 0x20000.
    pub memory_type: u32,
}

impl MemoryInfo {
    /// The region holds `address`.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        address.checked_sub(self.base).is_some_and(|offset| offset < self.size)
    }

    /// State is MEM_COMMIT.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        self.state == 0x1000
    }

    /// State is MEM_FREE.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.state == 0x1_0000
    }
}

/// Reads the list, sorted by address.
pub(crate) fn read(stream: Stream<'_>, warnings: &mut Warnings) -> Option<Vec<MemoryInfo>> {
    let first = super::unloaded::sized_list(stream, HEADER_SIZE, ENTRY_SIZE, warnings)?;
    let layout = Layout { count: stream.u64(8)?, ..first };
    let held = stream.held(layout, MAX_ENTRIES);
    if held < layout.count {
        let text = format!("{} regions announced, {held} read", layout.count);
        warnings.push(stream.name, stream.rva, text);
    }
    let mut infos: Vec<MemoryInfo> =
        stream.entries(layout, held).filter_map(|(_, entry)| decode(entry)).collect();
    infos.sort_by_key(|info| info.base);
    Some(infos)
}

fn decode(entry: &[u8]) -> Option<MemoryInfo> {
    Some(MemoryInfo {
        base: u64_at(entry, 0)?,
        allocation_base: u64_at(entry, 8)?,
        allocation_protect: u32_at(entry, 16)?,
        size: u64_at(entry, 24)?,
        state: u32_at(entry, 32)?,
        protect: u32_at(entry, 36)?,
        memory_type: u32_at(entry, 40)?,
    })
}

/// The region that holds `address`, in a list sorted by address.
pub(crate) fn info_at(infos: &[MemoryInfo], address: u64) -> Option<&MemoryInfo> {
    let after = infos.partition_point(|info| info.base <= address);
    infos.get(after.checked_sub(1)?).filter(|info| info.contains(address))
}
