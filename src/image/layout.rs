//! Where the bytes of a module's PE file stand once the loader has laid it out.

use super::pe::{DirectoryKind, Image, Section};
use std::ops::Range;

/// Most bytes of a file that its headers may take: `SizeOfHeaders` of real files is 0x200 to 0x1000.
pub(super) const MAX_HEADERS: u32 = 1 << 16;
/// `PointerToRawData` counts in units of this; the loader rounds it down.
const FILE_UNIT: u32 = 0x200;

/// Bytes of the file that stand side by side in the module.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) base: u64,
    pub(super) range: Range<usize>,
    /// The bytes, where relocation has changed some.
    pub(super) patched: Option<Box<[u8]>>,
}

impl Part {
    pub(super) fn bytes<'f>(&'f self, file: &'f [u8]) -> &'f [u8] {
        let held = || file.get(self.range.clone()).unwrap_or_default();
        self.patched.as_deref().unwrap_or_else(held)
    }

    /// The first address behind it.
    pub(super) fn end(&self) -> u64 {
        self.base.saturating_add(self.range.len() as u64)
    }

    /// How much of it is a copy.
    pub(super) fn copied(&self) -> usize {
        self.patched.as_ref().map_or(0, |bytes| bytes.len())
    }

    /// What the file holds of it between two addresses; empty where they are outside.
    pub(super) fn between(&self, from: u64, until: u64) -> Self {
        let at = |address: u64| {
            let offset = usize::try_from(address.saturating_sub(self.base)).unwrap_or(usize::MAX);
            self.range.start.saturating_add(offset).min(self.range.end)
        };
        Self { base: from.max(self.base), range: at(from)..at(until), patched: None }
    }
}

/// The headers, and the sections that are constant, by address, without the import address table: a file has names there, the process
/// addresses.
pub(super) fn parts_of(file: &[u8], image: &Image) -> Vec<Part> {
    let slots = image.directory(DirectoryKind::ImportAddressTable).ok();
    let end = u32::try_from(image.size).unwrap_or(u32::MAX);
    // Where the next section begins, another ends.
    let room = |from: u32| {
        let next = image.sections.iter().map(|section| section.virtual_address);
        next.filter(|next| *next > from).min().unwrap_or(end).min(end).saturating_sub(from)
    };
    let headers = (image.base, clipped(file, 0, image.header_size.min(MAX_HEADERS).min(room(0))));
    let is_taken = |section: &&Section| is_constant(section, slots.is_some());
    let sections = image.sections.iter().filter(is_taken).filter_map(|section| {
        let bytes = raw_data(file, section, room(section.virtual_address));
        Some((image.address(section.virtual_address)?, bytes))
    });
    let slots = slots.and_then(|table| {
        let start = image.address(table.rva)?;
        Some((start, start.saturating_add(u64::from(table.size))))
    });
    let (start, end) = slots.unwrap_or((u64::MAX, u64::MAX));
    let around_slots = |(base, range): (u64, Range<usize>)| {
        let at = |address: u64| {
            let offset = usize::try_from(address.saturating_sub(base)).unwrap_or(usize::MAX);
            range.start.saturating_add(offset).min(range.end)
        };
        let (before, behind) = (at(start), at(end));
        let skipped = behind.saturating_sub(range.start) as u64;
        [(base, range.start..before), (base.saturating_add(skipped), behind..range.end)]
    };
    let all = std::iter::once(headers).chain(sections).flat_map(around_slots);
    let mut parts: Vec<Part> = all
        .filter(|(_, range)| !range.is_empty())
        .map(|(base, range)| Part { base, range, patched: None })
        .collect();
    parts.sort_by_key(|part| part.base);
    parts
}

/// How many bytes a file has that was not cut off: up to the end of its headers and of what it holds of every section.
pub(super) fn needed(image: &Image) -> u64 {
    let end = |section: &Section| match raw_size(section) {
        0 => 0,
        size => u64::from(raw_pointer(section)).saturating_add(size.into()),
    };
    let sections = image.sections.iter().map(end).max().unwrap_or(0);
    sections.max(image.header_size.into())
}

/// Whether a section holds the file's bytes as long as the module is loaded. `.idata` may be writable, for the sake of its slots, which can be left out
/// where the image says which they are.
fn is_constant(section: &Section, knows_slots: bool) -> bool {
    !section.is_writable() || section.name == ".idata" && knows_slots
}

/// Where the file holds the bytes of a section that has room for so many.
pub(super) fn raw_data(file: &[u8], section: &Section, room: u32) -> Range<usize> {
    clipped(file, raw_pointer(section), raw_size(section).min(room))
}

fn raw_pointer(section: &Section) -> u32 {
    section.raw_pointer & !FILE_UNIT.saturating_sub(1)
}

/// How much of a section is in the file, without what fills it up to a unit.
fn raw_size(section: &Section) -> u32 {
    match section.virtual_size {
        0 => section.raw_size,
        size => size.min(section.raw_size),
    }
}

/// Up to `len` bytes at an offset, as far as there are so many.
pub(super) fn clipped(bytes: &[u8], offset: u32, len: u32) -> Range<usize> {
    let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let (offset, len) = (u64::from(offset), u64::from(len));
    within(offset)..within(offset.saturating_add(len))
}
