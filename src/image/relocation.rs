//! The pointers of a module's file, for the address that the module was loaded at.
//!
//! Only the pages with such pointers are copied: the rest of a file stays where it is, however large it is.

use super::file::FileError;
use super::layout::{Part, clipped, raw_data};
use super::pe::{DirectoryKind, Image};
use crate::dump::bytes::{u16_at, u32_at};
use crate::dump::memory::PointerWidth;
use std::collections::BTreeMap;

/// Most bytes that are copied for the files of one dump: half of the memory that csdump may take for it.
pub(super) const MAX_COPIED: usize = 32 << 20;
/// What is copied at once, in bytes: a page, as relocation tables have it.
const PAGE: u64 = 1 << 12;
/// Size of `IMAGE_BASE_RELOCATION` in bytes: page RVA and size of the block.
const BLOCK_HEADER: usize = 8;
/// Kinds of relocation: none, 32 bits, 64 bits. Those of other processors are not known here.
const IMAGE_REL_BASED_ABSOLUTE: u16 = 0;
const IMAGE_REL_BASED_HIGHLOW: u16 = 3;
const IMAGE_REL_BASED_DIR64: u16 = 10;

/// Adds the distance between the two addresses to what the relocation table names. Parts are split at the pages where it does.
///
/// # Errors
/// When the file does not say how it is moved, or `room` bytes are not enough for the pages.
pub(super) fn relocated(
    file: &[u8],
    parts: Vec<Part>,
    image: &Image,
    loaded: u64,
    room: usize,
) -> Result<Vec<Part>, FileError> {
    let distance = image.width.truncate(loaded.wrapping_sub(image.image_base));
    if distance == 0 {
        return Ok(parts);
    }
    let linked = image.image_base;
    let not_movable = || FileError::NotMovable { loaded, linked };
    let mut rest = table_of(file, image).ok_or_else(not_movable)?;
    let mut pages = Pages { file, parts, room, copies: BTreeMap::new() };
    while let Some((page, entries, behind)) = block(rest) {
        for entry in entries.chunks_exact(2) {
            let entry = u16_at(entry, 0).unwrap_or(0);
            let width = match entry >> 12 {
                IMAGE_REL_BASED_ABSOLUTE => continue,
                IMAGE_REL_BASED_HIGHLOW => PointerWidth::Four,
                IMAGE_REL_BASED_DIR64 => PointerWidth::Eight,
                _ => return Err(not_movable()),
            };
            let rva = page.wrapping_add(u32::from(entry & 0xFFF));
            let Some(address) = image.address(rva) else { continue };
            let added = pages.add(address, width, distance);
            added.ok_or(FileError::TooManyCopies { loaded, linked, room })?;
        }
        rest = behind;
    }
    let is_whole = rest.iter().all(|byte| *byte == 0);
    is_whole.then(|| pages.split()).ok_or_else(not_movable)
}

/// The relocation table. A file that was cut off in it would keep pointers as they were linked.
fn table_of<'f>(file: &'f [u8], image: &Image) -> Option<&'f [u8]> {
    let table = image.directory(DirectoryKind::BaseRelocation).ok()?;
    let section = image.section_at(table.rva)?;
    let held = file.get(raw_data(file, section, u32::MAX))?;
    let offset = table.rva.saturating_sub(section.virtual_address);
    let bytes = held.get(clipped(held, offset, table.size))?;
    usize::try_from(table.size).is_ok_and(|size| bytes.len() == size).then_some(bytes)
}

/// `IMAGE_BASE_RELOCATION`: the RVA of its page, its entries of 2 bytes, and what stands behind it.
fn block(table: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let page = u32_at(table, 0)?;
    let size = usize::try_from(u32_at(table, 4)?).ok().filter(|size| *size >= BLOCK_HEADER)?;
    Some((page, table.get(BLOCK_HEADER..size)?, table.get(size..)?))
}

/// The pages with pointers that were changed.
struct Pages<'f> {
    file: &'f [u8],
    parts: Vec<Part>,
    /// How many bytes may still be copied.
    room: usize,
    /// Copies by address. Each ends with its page, or with the part that it is of.
    copies: BTreeMap<u64, Vec<u8>>,
}

impl Pages<'_> {
    /// Adds a distance to the pointer at an address. What lies in none of the parts can be written, and is not taken from the file.
    /// `None` when there is no room for one more copy.
    fn add(&mut self, address: u64, width: PointerWidth, distance: u64) -> Option<()> {
        let end = address.saturating_add(width.bytes());
        let after = self.parts.partition_point(|part| part.base <= address);
        let part = after
            .checked_sub(1)
            .filter(|at| self.parts.get(*at).is_some_and(|part| end <= part.end()));
        let Some(part) = part else { return Some(()) };
        self.copy(part, address)?;
        self.copy(part, end.saturating_sub(1))?;
        if let Some(field) = self.copied(address, width.bytes()) {
            add_to(field, distance);
            return Some(());
        }
        // The border of two pages is inside the pointer.
        let bytes = (address..end).map(|at| self.copied(at, 1)?.first().copied());
        let mut field: Vec<u8> = bytes.collect::<Option<_>>()?;
        add_to(&mut field, distance);
        for (at, byte) in (address..end).zip(field) {
            self.copied(at, 1)?.fill(byte);
        }
        Some(())
    }

    /// Copies the page that an address of a part is in, as far as it is the part's, once.
    fn copy(&mut self, part: usize, address: u64) -> Option<()> {
        let page = address & !PAGE.saturating_sub(1);
        let page = self.parts.get(part)?.between(page, page.saturating_add(PAGE));
        if !self.copies.contains_key(&page.base) {
            self.room = self.room.checked_sub(page.range.len())?;
            self.copies.insert(page.base, page.bytes(self.file).to_vec());
        }
        Some(())
    }

    /// Bytes of one copy.
    fn copied(&mut self, address: u64, len: u64) -> Option<&mut [u8]> {
        let (base, copy) = self.copies.range_mut(..=address).next_back()?;
        let start = usize::try_from(address.checked_sub(*base)?).ok()?;
        copy.get_mut(start..start.checked_add(usize::try_from(len).ok()?)?)
    }

    /// The parts, with the copies as parts of their own, in order.
    fn split(self) -> Vec<Part> {
        let mut copies = self.copies.into_iter().peekable();
        let mut all = Vec::new();
        for part in self.parts {
            let mut from = part.base;
            while let Some((base, copy)) = copies.next_if(|(base, _)| *base < part.end()) {
                let until = base.saturating_add(copy.len() as u64);
                all.push(part.between(from, base));
                all.push(Part { patched: Some(copy.into()), ..part.between(base, until) });
                from = until;
            }
            all.push(part.between(from, part.end()));
        }
        all.retain(|part| !part.range.is_empty());
        all
    }
}

/// Adds a distance to a little-endian number of up to 8 bytes.
fn add_to(field: &mut [u8], distance: u64) {
    let mut value = [0; 8];
    value.iter_mut().zip(&*field).for_each(|(byte, held)| *byte = *held);
    let sum = u64::from_le_bytes(value).wrapping_add(distance).to_le_bytes();
    field.iter_mut().zip(sum).for_each(|(byte, sum)| *byte = sum);
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::super::file::ImageFile;
    use super::super::fixtures::PeBuilder;
    use super::*;
    use crate::dump::memory::AddressSpace;

    const STAMP: u32 = 0x5F3B_0C1A;
    const LINKED: u64 = 0x1_8000_0000;

    /// An image for another address than it is loaded at, with pointers of 64 bits at offsets of its page 0x7000.
    fn moved(pointers: &[u32], room: usize) -> Result<ImageFile<Vec<u8>>, FileError> {
        let mut pe = PeBuilder::x64();
        let size = 8 + 4 * pointers.len();
        pe.put_u32(0x9000, 0x7000);
        pe.put_u32(0x9004, u32::try_from(size).unwrap());
        for (index, offset) in pointers.iter().enumerate() {
            pe.put(0x7000 + *offset as usize, &(LINKED + 0x1000).to_le_bytes());
            pe.put_u32(0x9008 + 4 * index, 0xA000 | offset);
        }
        pe.directory(DirectoryKind::BaseRelocation, 0x9000, u32::try_from(size).unwrap());
        ImageFile::of(pe.file(LINKED, STAMP), &PeBuilder::module("app.exe", STAMP), room)
    }

    #[test]
    fn only_the_pages_with_pointers_are_copied() {
        let file = moved(&[0x200, 0x208], MAX_COPIED).unwrap();
        assert_eq!(file.copied(), 0x1000);
        let regions: Vec<_> = file.regions().collect();
        let ends: Vec<u64> = regions.iter().map(|one| one.end() - PeBuilder::BASE).collect();
        assert_eq!(ends, [0x400, 0x3000, 0x7000, 0x8000, 0x1_0000]);
        assert!(regions.windows(2).all(|pair| pair[0].end() <= pair[1].base));
        let space = AddressSpace::new(regions);
        for rva in [0x7200, 0x7208] {
            assert_eq!(space.u64(PeBuilder::BASE + rva), Some(PeBuilder::BASE + 0x1000));
        }
    }

    #[test]
    fn a_pointer_across_two_pages_is_moved_in_both() {
        let file = moved(&[0xFFD], MAX_COPIED).unwrap();
        assert_eq!(file.copied(), 0x2000);
        let space = AddressSpace::new(file.regions());
        assert_eq!(space.u64(PeBuilder::BASE + 0x7FFD), Some(PeBuilder::BASE + 0x1000));
        assert_eq!(space.u64(PeBuilder::BASE + 0x9000), Some(0xC_0000_7000), "the table behind");
    }

    #[test]
    fn copies_have_a_bound() {
        assert_eq!(moved(&[0x200], 0x1000).unwrap().copied(), 0x1000);
        let refused = moved(&[0x200, 0xFFD], 0x1FFF).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "moving it from 0x180000000 to 0x140000000 would take more than the 8191 bytes that are left for copies"
        );
    }
}
