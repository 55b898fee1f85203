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

    /// What the file holds of it before and behind a hole; one of them is empty, and the other all of it, where the hole lies elsewhere.
    fn without(&self, hole: &Range<u64>) -> [Self; 2] {
        [self.between(self.base, hole.start), self.between(hole.end, self.end())]
    }
}

/// The headers, and the sections that are constant, by address, without the import address table: a file has names there, the process
/// addresses.
pub(super) fn parts_of(file: &[u8], image: &Image) -> Vec<Part> {
    let slots = import_slots(image);
    let is_taken = |section: &&Section| is_constant(section, slots.is_some());
    let sections = image.sections.iter().filter(is_taken);
    let sections = sections.filter_map(|section| section_of(file, image, section));
    let whole = std::iter::once(headers_of(file, image)).chain(sections);
    let mut parts: Vec<Part> = match &slots {
        Some(slots) => whole.flat_map(|part| part.without(slots)).collect(),
        None => whole.collect(),
    };
    parts.retain(|part| !part.range.is_empty());
    parts.sort_by_key(|part| part.base);
    // Of two sections at one address, which only a damaged file has, one is enough.
    parts.dedup_by_key(|part| part.base);
    parts
}

fn headers_of(file: &[u8], image: &Image) -> Part {
    let size = image.header_size.min(MAX_HEADERS).min(room_at(image, 0));
    Part { base: image.base, range: clipped(file, 0, size), patched: None }
}

fn section_of(file: &[u8], image: &Image, section: &Section) -> Option<Part> {
    let range = raw_data(file, section, room_at(image, section.virtual_address));
    Some(Part { base: image.address(section.virtual_address)?, range, patched: None })
}

/// How many bytes there are from an RVA to the next section, or to the end: where the next begins, another ends.
fn room_at(image: &Image, rva: u32) -> u32 {
    let end = u32::try_from(image.size).unwrap_or(u32::MAX);
    let next = image.sections.iter().map(|section| section.virtual_address);
    next.filter(|next| *next > rva).min().unwrap_or(end).min(end).saturating_sub(rva)
}

/// The addresses of the import address table, where the image says which they are.
fn import_slots(image: &Image) -> Option<Range<u64>> {
    let table = image.directory(DirectoryKind::ImportAddressTable).ok()?;
    let start = image.address(table.rva)?;
    Some(start..start.saturating_add(table.size.into()))
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

/// Whether a section holds the file's bytes as long as the module is loaded. `.idata` may be writable, for the sake of its slots, which can
/// be left out where the image says which they are.
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
