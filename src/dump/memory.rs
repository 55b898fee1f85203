//! The dump's memory as one address space.
//!
//! A dump holds memory in several places: `Memory64List`, `MemoryList` and the stack of each thread
//! record. They overlap and touch. [`AddressSpace`] merges them once, so that a read neither cares which
//! stream a byte came from nor stops at the border of two neighbouring regions.

use std::borrow::Cow;

use super::ranges::{Piece, first_wins};

/// Width of a pointer of the dumped process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PointerWidth {
    /// 4-byte pointers: x86, and the 32-bit side of a WoW64 process.
    Four,
    /// 8-byte pointers: x64 and ARM64.
    Eight,
}

impl PointerWidth {
    /// Size of a pointer in bytes.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// The part of a 64-bit field that a pointer of this width holds.
    #[must_use]
    pub fn truncate(self, value: u64) -> u64 {
        value & self.all_ones()
    }

    /// The value of a pointer whose bits are all set (`-1`).
    #[must_use]
    pub fn all_ones(self) -> u64 {
        match self {
            Self::Four => u64::from(u32::MAX),
            Self::Eight => u64::MAX,
        }
    }
}

/// Where the bytes of a region stand in the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemorySource {
    /// `Memory64List`, stream 9.
    Memory64List,
    /// `MemoryList`, stream 5.
    MemoryList,
    /// The stack descriptor of a thread record, stream 3.
    ThreadStack,
    /// No stream: a module's file, which the dump's user has at hand.
    ImageFile,
}

/// A run of bytes of the dumped process.
#[derive(Debug, Clone, Copy)]
pub struct Region<'a> {
    /// Address of the first byte.
    pub base: u64,
    /// The bytes, borrowed from the dump or from a module's file.
    pub bytes: &'a [u8],
    /// Where they come from.
    pub source: MemorySource,
}

impl Region<'_> {
    /// First address behind the region; saturates at the end of the address space.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base.saturating_add(self.bytes.len() as u64)
    }
}

/// All memory of a dump: regions sorted by address, none overlapping another.
#[derive(Debug, Clone, Default)]
pub struct AddressSpace<'a> {
    regions: Vec<Region<'a>>,
    /// What module files hold where the dump has nothing.
    files: Vec<Region<'a>>,
}

impl<'a> AddressSpace<'a> {
    /// Merges regions into one address space. Where two overlap, the one given first keeps its bytes and
    /// the later one fills only what the earlier left open; empty regions vanish.
    #[must_use]
    pub fn new(regions: impl IntoIterator<Item = Region<'a>>) -> Self {
        let mut ranked: Vec<(usize, Region<'a>)> =
            regions.into_iter().filter(|region| !region.bytes.is_empty()).enumerate().collect();
        ranked.sort_by_key(|(rank, region)| (region.base, *rank));
        if is_disjoint(&ranked) {
            let regions = ranked.into_iter().map(|(_, region)| region).collect();
            return Self { regions, files: Vec::new() };
        }
        Self { regions: resolve_overlaps(ranked), files: Vec::new() }
    }

    /// Adds what module files hold. The dump's own bytes stay: a file fills only what they leave open.
    pub fn add_files(&mut self, files: impl IntoIterator<Item = Region<'a>>) {
        let own = self.regions.iter().chain(&self.files).copied();
        let all = Self::new(own.chain(files));
        let is_file = |region: &Region<'_>| region.source == MemorySource::ImageFile;
        self.files = all.regions.into_iter().filter(is_file).collect();
    }

    /// The dump's own regions in ascending order of address.
    #[must_use]
    pub fn regions(&self) -> &[Region<'a>] {
        &self.regions
    }

    /// The regions that have bytes from `start` on and before `end`, the dump's own and those of files.
    pub fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = &Region<'a>> {
        let part = move |sorted: &'_ [Region<'a>]| {
            let first = sorted.partition_point(|region| region.end() <= start);
            let last = sorted.partition_point(|region| region.base < end);
            first..last.max(first)
        };
        let own = self.regions.get(part(&self.regions)).unwrap_or_default();
        own.iter().chain(self.files.get(part(&self.files)).unwrap_or_default())
    }

    /// The region that holds `address`: the dump's, or one of a module's file.
    #[must_use]
    pub fn region_at(&self, address: u64) -> Option<&Region<'a>> {
        holding(&self.regions, address).or_else(|| holding(&self.files, address))
    }

    /// The bytes from `address` to the end of the region that holds it; never empty.
    #[must_use]
    pub fn tail(&self, address: u64) -> Option<&'a [u8]> {
        let region = self.region_at(address)?;
        let offset = usize::try_from(address.checked_sub(region.base)?).ok()?;
        region.bytes.get(offset..)
    }

    /// `len` bytes at `address` without a copy, when they stand in one region.
    #[must_use]
    pub fn slice(&self, address: u64, len: usize) -> Option<&'a [u8]> {
        self.tail(address)?.get(..len)
    }

    /// Fills `buffer` from `address`, across regions that touch. `None` when any byte is missing.
    #[must_use]
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> Option<()> {
        let mut address = address;
        let mut rest = buffer;
        while !rest.is_empty() {
            let tail = self.tail(address)?;
            let step = tail.len().min(rest.len());
            let (head, open) = rest.split_at_mut_checked(step)?;
            head.copy_from_slice(tail.get(..step)?);
            rest = open;
            address = address.checked_add(step as u64)?;
        }
        Some(())
    }

    /// Up to `len` bytes at `address`, across touching regions, ending where memory ends. Copied only when they
    /// cross a border: instructions and names are read by the thousand.
    #[must_use]
    pub fn read_up_to(&self, address: u64, len: usize) -> Cow<'a, [u8]> {
        let tail = self.tail(address).unwrap_or_default();
        if let Some(bytes) = tail.get(..len) {
            return Cow::Borrowed(bytes);
        }
        let mut found = tail.to_vec();
        while found.len() < len {
            let Some(next) = address.checked_add(found.len() as u64) else { break };
            let Some(tail) = self.tail(next) else { break };
            let step = tail.len().min(len.saturating_sub(found.len()));
            found.extend_from_slice(tail.get(..step).unwrap_or_default());
        }
        Cow::Owned(found)
    }

    fn array<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let mut buffer = [0; N];
        self.read(address, &mut buffer)?;
        Some(buffer)
    }

    /// The byte at `address`.
    #[must_use]
    pub fn u8(&self, address: u64) -> Option<u8> {
        self.array::<1>(address).map(u8::from_le_bytes)
    }

    /// The little-endian 16-bit value at `address`.
    #[must_use]
    pub fn u16(&self, address: u64) -> Option<u16> {
        self.array(address).map(u16::from_le_bytes)
    }

    /// The little-endian 32-bit value at `address`.
    #[must_use]
    pub fn u32(&self, address: u64) -> Option<u32> {
        self.array(address).map(u32::from_le_bytes)
    }

    /// The little-endian 64-bit value at `address`.
    #[must_use]
    pub fn u64(&self, address: u64) -> Option<u64> {
        self.array(address).map(u64::from_le_bytes)
    }

    /// The pointer at `address`, zero-extended to 64 bits.
    #[must_use]
    pub fn pointer(&self, address: u64, width: PointerWidth) -> Option<u64> {
        match width {
            PointerWidth::Four => self.u32(address).map(u64::from),
            PointerWidth::Eight => self.u64(address),
        }
    }
}

/// The region of a sorted list that holds `address`.
fn holding<'r, 'a>(sorted: &'r [Region<'a>], address: u64) -> Option<&'r Region<'a>> {
    let after = sorted.partition_point(|region| region.base <= address);
    let region = sorted.get(after.checked_sub(1)?)?;
    (address < region.end()).then_some(region)
}

fn is_disjoint(sorted: &[(usize, Region<'_>)]) -> bool {
    sorted.iter().zip(sorted.iter().skip(1)).all(|((_, left), (_, right))| left.end() <= right.base)
}

/// Cuts overlapping regions into pieces; each address goes to the region given first.
fn resolve_overlaps(mut ranked: Vec<(usize, Region<'_>)>) -> Vec<Region<'_>> {
    ranked.sort_unstable_by_key(|(rank, _)| *rank);
    let pieces = first_wins(ranked.iter().map(|(_, region)| (region.base, region.end())));
    let resolve = |piece: Piece| {
        let (_, region) = ranked.get(piece.index)?;
        cut(region, piece.start, piece.end)
    };
    pieces.into_iter().filter_map(resolve).collect()
}

/// The part of `region` between two addresses inside it.
fn cut<'a>(region: &Region<'a>, from: u64, until: u64) -> Option<Region<'a>> {
    let start = usize::try_from(from.checked_sub(region.base)?).ok()?;
    let stop = usize::try_from(until.checked_sub(region.base)?).ok()?;
    let bytes = region.bytes.get(start..stop)?;
    (!bytes.is_empty()).then_some(Region { base: from, bytes, source: region.source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn region(base: u64, bytes: &[u8]) -> Region<'_> {
        Region { base, bytes, source: MemorySource::MemoryList }
    }

    #[test]
    fn reads_across_a_border() {
        let space =
            AddressSpace::new([region(0x1004, &[5, 6, 7, 8]), region(0x1000, &[1, 2, 3, 4])]);
        assert_eq!(space.u32(0x1002), Some(0x0605_0403));
        assert_eq!(space.u64(0x1001), None);
        assert_eq!(*space.read_up_to(0x1006, 16), [7, 8]);
        assert!(matches!(space.read_up_to(0x1004, 4), Cow::Borrowed([5, 6, 7, 8])));
        assert_eq!(*space.read_up_to(0x1002, 4), [3, 4, 5, 6]);
    }

    #[test]
    fn a_region_at_the_end_of_the_address_space_ends_there() {
        let space = AddressSpace::new([region(u64::MAX - 1, &[1, 2, 3, 4])]);
        assert_eq!(space.u8(u64::MAX - 1), Some(1));
        assert_eq!(space.u16(u64::MAX), None);
    }

    #[test]
    fn a_module_file_fills_what_the_dump_leaves_open() {
        let mut space = AddressSpace::new([region(0x1004, &[5, 6])]);
        let file = |base, bytes| Region { base, bytes, source: MemorySource::ImageFile };
        space.add_files([file(0x1000, &[10, 11, 12, 13, 14, 15, 16, 17])]);
        space.add_files([file(0x1006, &[26, 27, 28])]);
        assert_eq!(*space.read_up_to(0x1000, 16), [10, 11, 12, 13, 5, 6, 16, 17, 28]);
        assert_eq!(space.regions().len(), 1, "the dump's own");
        let source = |address| space.region_at(address).map(|region| region.source);
        assert_eq!(source(0x1004), Some(MemorySource::MemoryList));
        assert_eq!(source(0x1008), Some(MemorySource::ImageFile));
        assert_eq!(source(0x1009), None);
    }

    proptest! {
        /// Merging is a byte map in which the first region to name an address wins.
        #[test]
        fn merges_like_a_byte_map(parts in prop::collection::vec((0u64..64, prop::collection::vec(any::<u8>(), 0..24)), 0..12)) {
            let mut map = std::collections::BTreeMap::new();
            for (base, bytes) in &parts {
                for (at, byte) in (*base..).zip(bytes) {
                    map.entry(at).or_insert(*byte);
                }
            }
            let space = AddressSpace::new(parts.iter().map(|(base, bytes)| region(*base, bytes)));
            for at in 0..100 {
                prop_assert_eq!(space.u8(at), map.get(&at).copied());
            }
            for pair in space.regions().windows(2) {
                prop_assert!(pair[0].end() <= pair[1].base);
            }
        }
    }
}
