//! Where the address space of the process ends.

use crate::crash::stack::Scene;
use crate::dump::memory_info::MemoryInfo;
use crate::dump::{Cpu, Dump};

/// Where user space ends for a 32-bit process that is not large-address aware, and on a 32-bit Windows without /3GB
/// ("Memory Limits for Windows and Windows Server Releases", learn.microsoft.com).
const TWO_GIB: u64 = 0x8000_0000;

/// Whether an address lies above all that a 32-bit process can have had.
///
/// - situation: a 32-bit address from 0x80000000 on belongs to user space only in a process with more than 2 GiB of it.
/// - example: 0xF2A4C3F0, half of a time, in a process whose memory ends at 0x7FFE1000.
/// - handling: above 2 GiB, when nothing of the process lies there, and the map of the address space, or the program's own
///   header (IMAGE_FILE_LARGE_ADDRESS_AWARE), says that nothing can.
/// - test: `what_lies_above_user_space`.
#[must_use]
pub fn is_above_user_space(scene: Scene<'_, '_>, address: u64) -> bool {
    let dump = scene.dump;
    if dump.system.cpu != Cpu::X86 || address < TWO_GIB {
        return false;
    }
    let is_used = dump.memory.regions().iter().any(|region| region.base >= TWO_GIB)
        || dump.modules.iter().any(|module| module.base >= TWO_GIB);
    let by_map = dump
        .memory_info
        .as_ref()
        .map(|regions| !regions.iter().any(|region| region.base >= TWO_GIB && !region.is_free()));
    let program = dump.modules.first().and_then(|module| scene.images.image_at(module.base));
    let by_header = program.map(|image| !image.is_large_address_aware);
    !is_used && by_map.or(by_header).unwrap_or(false)
}

/// Distance in bytes beyond which nothing of a process's memory counts as near: a cluster of heaps, stacks or modules is
/// smaller.
fn reach(dump: &Dump<'_>) -> u64 {
    if dump.system.cpu == Cpu::X86 { 64 << 20 } else { 1 << 30 }
}

/// Whether an address lies far from everything that the process has, by the map of its address space.
///
/// - situation: memory that was given back lay among other memory; a wild address can lie anywhere.
/// - example: 0x3940008010, an array's address plus 0xFFFFFFFF elements, 200 GiB from the nearest region.
/// - handling: only with MemoryInfoList; farther than 1 GiB (64 MiB on x86) from each region that is not free.
/// - test: `what_is_far_from_all_memory`.
#[must_use]
pub fn is_far_from_memory(dump: &Dump<'_>, address: u64) -> bool {
    let reach = reach(dump);
    let Some(regions) = &dump.memory_info else { return false };
    let mut used = regions.iter().filter(|region| !region.is_free()).peekable();
    used.peek().is_some()
        && used.all(|region| {
            let end = region.base.saturating_add(region.size);
            region.base.saturating_sub(address) > reach || address.saturating_sub(end) > reach
        })
}

/// Allocations begin at multiples of this ("VirtualAlloc function", learn.microsoft.com: the allocation granularity, 64 KiB).
const GRANULARITY: u64 = 0x1_0000;

/// MEM_PRIVATE (winnt.h).
const MEM_PRIVATE: u32 = 0x2_0000;
/// PAGE_READWRITE (winnt.h).
const PAGE_READWRITE: u32 = 4;
/// Bytes before memory that count as just before it: an element of a table.
const ELEMENT: u64 = 0x200;

/// Other memory that a free address lies beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Behind memory that ends here, in the same 64 KiB.
    Behind(u64),
    /// Just before memory that begins here.
    Before(u64),
}

impl Edge {
    /// For a sentence that has named the address.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Behind(end) => {
                format!(
                    "behind memory that ends at {end:#x}: no allocation begins in the same 64 KiB"
                )
            }
            Self::Before(start) => format!("just before memory that begins at {start:#x}"),
        }
    }
}

/// The memory that a free address lies beside, so that it is hardly an address of its own.
///
/// - situation: an index that is one too large leads behind the last page of a table; -1 leads before its first.
/// - example: a table of 0x2000 bytes at 0x1040000; its elements at 0x1042008 and 0x103FFD8.
/// - handling: the address is free (what was decommitted is reserved, not free), and between it and the end of the memory before it
///   lies no multiple of 64 KiB; or an allocation begins 0x200 bytes behind it, or nearer. The memory is private and can be written. A
///   hole that was filled anew by a smaller allocation looks the same.
/// - test: `what_lies_beside_memory`.
#[must_use]
pub fn edge_of_memory(dump: &Dump<'_>, address: u64) -> Option<Edge> {
    let regions = dump.memory_info.as_ref()?;
    // No allocation begins in between, so that a reservation that seems to is none (Wine's map has such).
    let is_free = |region: &MemoryInfo| {
        region.is_free()
            || !region.is_committed() && !region.allocation_base.is_multiple_of(GRANULARITY)
    };
    dump.memory_info_at(address).is_some_and(is_free).then_some(())?;
    let used = || regions.iter().filter(|region| !is_free(region));
    // A table is private memory that can be written: views and images come and go without it.
    let is_table = |region: &&MemoryInfo| {
        region.is_committed()
            && region.memory_type == MEM_PRIVATE
            && region.protect & 0xFF == PAGE_READWRITE
    };
    let last = used().filter(|region| region.base <= address).max_by_key(|region| region.base);
    let end = last.filter(is_table).map(|region| region.base.saturating_add(region.size));
    let behind = end.filter(|end| {
        let next = end.checked_next_multiple_of(GRANULARITY);
        *end <= address && next.is_some_and(|next| address < next)
    });
    let mut after = used().filter(|region| region.base == region.allocation_base).filter(is_table);
    let start = || {
        let near =
            |base: u64| base.checked_sub(address).is_some_and(|distance| distance <= ELEMENT);
        after.find(|region| near(region.base)).map(|region| Edge::Before(region.base))
    };
    behind.map(Edge::Behind).or_else(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::synth::Synth;
    use crate::image::fixtures::PeBuilder;
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;

    #[test]
    fn what_lies_above_user_space() {
        let above = |file: Synth, address| {
            let file = file.build();
            let dump = Dump::parse(&file).unwrap();
            let modules = dump.modules.iter().map(|module| (module.base, module.size));
            let images = Images::new(&dump.memory, modules);
            let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
            is_above_user_space(scene, address)
        };
        let small = || Synth::new(Cpu::X86).memory(0x1_0000, vec![0; 0x1000]);
        let mapped = || small().memory_info(0x1_0000, 0x1000, 0x1000, 4, 0x2_0000);
        assert!(above(mapped(), 0xF2A4_C3F0));
        assert!(!above(mapped(), 0x7F00_0000));
        assert!(!above(small(), 0xF2A4_C3F0), "nothing says where user space ends");
        let large = mapped().memory(0x9000_0000, vec![0; 0x1000]);
        assert!(!above(large, 0xF2A4_C3F0), "a large-address aware process");
        let program = |characteristics: u16| {
            let mut pe = PeBuilder::x86();
            let header = u32::from_le_bytes(pe.bytes()[0x3C..0x40].try_into().unwrap());
            pe.put(header as usize + 22, &characteristics.to_le_bytes());
            small()
                .module(0x40_0000, 0x10000, "app.exe", [1, 0, 0, 0])
                .memory(0x40_0000, pe.bytes())
        };
        assert!(above(program(0x102), 0xF2A4_C3F0));
        assert!(!above(program(0x122), 0xF2A4_C3F0), "the program says that it can use more");
        assert!(!above(Synth::new(Cpu::Amd64), 0xF2A4_C3F0));
    }

    #[test]
    fn what_is_far_from_all_memory() {
        let used = |synth: Synth| synth.memory_info(0x10_0000, 0x1000, 0x1000, 4, 0x2_0000);
        let far = |synth: Synth, address| {
            let file = synth.build();
            is_far_from_memory(&Dump::parse(&file).unwrap(), address)
        };
        assert!(far(used(Synth::new(Cpu::Amd64)), 0x39_4000_8010));
        assert!(!far(used(Synth::new(Cpu::Amd64)), 0x1800_0000));
        assert!(far(used(Synth::new(Cpu::X86)), 0x1800_0000), "32-bit clusters are smaller");
        assert!(!far(Synth::new(Cpu::Amd64), 0x39_4000_8010), "no map");
    }

    #[test]
    fn what_lies_beside_memory() {
        let edge = |synth: Synth, address| {
            let used = |synth: Synth, base| synth.memory_info(base, 0x2000, 0x1000, 4, 0x2_0000);
            let free = |synth: Synth, base, size| synth.memory_info(base, size, 0x1_0000, 1, 0);
            let synth = free(free(synth, 0x104_2000, 0x1B_E000), 0x300_1000, 0xF_F000);
            let file = used(used(synth, 0x104_0000), 0x120_0000).build();
            edge_of_memory(&Dump::parse(&file).unwrap(), address)
        };
        let beside = |address| edge(Synth::new(Cpu::Amd64), address);
        assert_eq!(beside(0x104_2008), Some(Edge::Behind(0x104_2000)));
        assert_eq!(beside(0x104_1008), None, "it is inside");
        assert_eq!(beside(0x105_0008), None, "an allocation may have begun at 0x1050000");
        assert_eq!(beside(0x11F_FFD8), Some(Edge::Before(0x120_0000)));
        assert_eq!(beside(0x11F_FD00), None, "too far for one element");
        let view = Synth::new(Cpu::Amd64).memory_info(0x300_0000, 0x1000, 0x1000, 4, 0x4_0000);
        assert_eq!(edge(view, 0x300_1008), None, "a view that came later");
        let no_map = Synth::new(Cpu::Amd64).build();
        assert_eq!(edge_of_memory(&Dump::parse(&no_map).unwrap(), 0x104_2008), None);
    }
}
