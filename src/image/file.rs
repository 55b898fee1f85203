//! A module's PE file of the host, laid out as the loader laid out the module: what a small dump does not hold.
//!
//! Only what the program cannot change is taken from a file: the headers, and sections that are not writable. Offsets are those of "PE
//! Format" (learn.microsoft.com/windows/win32/debug/pe-format).

use super::ImageError;
use super::pe::{DirectoryKind, Image, Section};
use crate::dump::bytes::{u16_at, u32_at};
use crate::dump::memory::{AddressSpace, MemorySource, PointerWidth, Region};
use crate::dump::modules::Module;
use std::ops::Range;

/// Most bytes of a file that its headers may take: `SizeOfHeaders` of real files is 0x200 to 0x1000.
const MAX_HEADERS: u32 = 1 << 16;
/// `PointerToRawData` counts in units of this; the loader rounds it down.
const FILE_UNIT: u32 = 0x200;
/// Size of `IMAGE_BASE_RELOCATION` in bytes: page RVA and size of the block.
const BLOCK_HEADER: usize = 8;
/// Kinds of relocation: none, 32 bits, 64 bits. Those of other processors are not known here.
const IMAGE_REL_BASED_ABSOLUTE: u16 = 0;
const IMAGE_REL_BASED_HIGHLOW: u16 = 3;
const IMAGE_REL_BASED_DIR64: u16 = 10;

/// Why a file is not used for a module.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// It is no PE file, or a damaged one.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It is another build of the module.
    #[error("it is another build: time stamp and size {found}, the dump's module has {expected}")]
    OtherBuild {
        /// TimeDateStamp and SizeOfImage of the module, as symbol servers write them.
        expected: String,
        /// Those of the file.
        found: String,
    },
    /// The module was loaded elsewhere than the file says, and the file does not say how.
    #[error("the module lies at {loaded:#x}, the file is for {linked:#x} and cannot be moved")]
    NotMovable {
        /// The module's address.
        loaded: u64,
        /// `ImageBase` of the file.
        linked: u64,
    },
}

/// What a file holds of a module, by address.
#[derive(Debug)]
pub struct ImageFile<B> {
    bytes: B,
    parts: Vec<Part>,
}

/// Bytes of the file that stand side by side in the module.
#[derive(Debug, Clone)]
struct Part {
    base: u64,
    range: Range<usize>,
    /// The bytes, where relocation has changed some.
    relocated: Option<Vec<u8>>,
}

impl<B: AsRef<[u8]>> ImageFile<B> {
    /// Lays a file out at the address of a module.
    ///
    /// - situation: a small dump has no code; who debugs has the program's files, as a debugger's image path wants them.
    /// - example: `app.exe` of the same build, loaded at 0x7FF7A0000000 instead of 0x140000000.
    /// - handling: only a file with the module's TimeDateStamp and SizeOfImage; headers and sections that cannot be written, and `.idata`,
    ///   without the import address table, which the loader fills; relocated to the module's address.
    /// - test: `a_file_is_laid_out_as_the_loader_does`.
    ///
    /// # Errors
    /// When it is no PE file, another build, or cannot have been loaded there.
    pub fn of(bytes: B, module: &Module) -> Result<Self, FileError> {
        let file = bytes.as_ref();
        let headers = clipped(file, 0, MAX_HEADERS);
        let held = file.get(headers).unwrap_or_default();
        let region = Region { base: module.base, bytes: held, source: MemorySource::ImageFile };
        let image = Image::parse(&AddressSpace::new([region]), module.base, 0)?;
        let found = format!("{:08X}{:x}", image.time_date_stamp, image.size);
        if found != module.code_id {
            return Err(FileError::OtherBuild { expected: module.code_id.clone(), found });
        }
        let mut parts = parts_of(file, &image);
        relocate(file, &mut parts, &image, module.base)?;
        Ok(Self { bytes, parts })
    }

    /// What it holds.
    pub fn regions(&self) -> impl Iterator<Item = Region<'_>> {
        self.parts.iter().map(|part| Region {
            base: part.base,
            bytes: part.bytes(self.bytes.as_ref()),
            source: MemorySource::ImageFile,
        })
    }
}

impl Part {
    fn bytes<'f>(&'f self, file: &'f [u8]) -> &'f [u8] {
        let held = || file.get(self.range.clone()).unwrap_or_default();
        self.relocated.as_deref().unwrap_or_else(held)
    }

    /// Adds a distance to the pointer at an address.
    fn add(&mut self, file: &[u8], address: u64, width: PointerWidth, distance: u64) -> Option<()> {
        let start = usize::try_from(address.checked_sub(self.base)?).ok()?;
        let end = start.checked_add(usize::try_from(width.bytes()).ok()?)?;
        let held = || file.get(self.range.clone()).unwrap_or_default().to_vec();
        let field = self.relocated.get_or_insert_with(held).get_mut(start..end)?;
        let mut value = [0; 8];
        value.get_mut(..field.len())?.copy_from_slice(field);
        let value = u64::from_le_bytes(value).wrapping_add(distance).to_le_bytes();
        field.copy_from_slice(value.get(..field.len())?);
        Some(())
    }
}

/// The headers, and the sections that are constant, by address, without the import address table: a file has names there, the process
/// addresses.
fn parts_of(file: &[u8], image: &Image) -> Vec<Part> {
    let headers = (image.base, clipped(file, 0, image.header_size));
    let sections =
        image.sections.iter().filter(|section| is_constant(section)).filter_map(|section| {
            Some((image.address(section.virtual_address)?, raw_data(file, section)))
        });
    let slots = image.directory(DirectoryKind::ImportAddressTable).ok();
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
        .map(|(base, range)| Part { base, range, relocated: None })
        .collect();
    parts.sort_by_key(|part| part.base);
    parts
}

/// Adds the distance between the two addresses to what the relocation table names.
fn relocate(file: &[u8], parts: &mut [Part], image: &Image, loaded: u64) -> Result<(), FileError> {
    let distance = image.width.truncate(loaded.wrapping_sub(image.image_base));
    if distance == 0 {
        return Ok(());
    }
    let not_movable = || FileError::NotMovable { loaded, linked: image.image_base };
    let table = image.directory(DirectoryKind::BaseRelocation).map_err(|_| not_movable())?;
    let section = image.section_at(table.rva).ok_or_else(not_movable)?;
    let held = file.get(raw_data(file, section)).unwrap_or_default();
    let offset = table.rva.saturating_sub(section.virtual_address);
    let mut rest = held.get(clipped(held, offset, table.size)).unwrap_or_default();
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
            let after = parts.partition_point(|part| part.base <= address);
            let part = after.checked_sub(1).and_then(|at| parts.get_mut(at));
            // What lies in none of the parts can be written, and is not taken from the file.
            part.and_then(|part| part.add(file, address, width, distance));
        }
        rest = behind;
    }
    Ok(())
}

/// Whether a section holds the file's bytes as long as the module is loaded. `.idata` may be writable, for the sake of its slots.
fn is_constant(section: &Section) -> bool {
    !section.is_writable() || section.name == ".idata"
}

/// Where the file holds the bytes of a section.
fn raw_data(file: &[u8], section: &Section) -> Range<usize> {
    let pointer = section.raw_pointer & !(FILE_UNIT.saturating_sub(1));
    let size = match section.virtual_size {
        0 => section.raw_size,
        size => size.min(section.raw_size),
    };
    clipped(file, pointer, size)
}

/// Up to `len` bytes at an offset, as far as there are so many.
fn clipped(bytes: &[u8], offset: u32, len: u32) -> Range<usize> {
    let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    let (offset, len) = (u64::from(offset), u64::from(len));
    within(offset)..within(offset.saturating_add(len))
}

/// `IMAGE_BASE_RELOCATION`: the RVA of its page, its entries of 2 bytes, and what stands behind it.
fn block(table: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let page = u32_at(table, 0)?;
    let size = usize::try_from(u32_at(table, 4)?).ok().filter(|size| *size >= BLOCK_HEADER)?;
    Some((page, table.get(BLOCK_HEADER..size)?, table.get(size..)?))
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::super::fixtures::PeBuilder;
    use super::*;
    use proptest::prelude::*;

    const STAMP: u32 = 0x5F3B_0C1A;
    const LINKED: u64 = 0x1_8000_0000;

    /// An image with a pointer at 0x7200 and its relocation at 0x8000, and import slots at 0x7000.
    fn builder() -> PeBuilder {
        let mut pe = PeBuilder::x64();
        pe.put(0x1000, &[0xCC, 0xC3]);
        pe.put(0x7000, &[0xAA; 16]);
        pe.directory(DirectoryKind::ImportAddressTable, 0x7000, 16);
        pe.put(0x7200, &(LINKED + 0x1000).to_le_bytes());
        // A block with one entry and one of padding, and one whose field lies in no section.
        for (offset, word) in [(0, 0x7000), (4, 12), (8, 0xA200), (12, 0), (16, 12), (20, 0xA800)] {
            pe.put_u32(0x8000 + offset, word);
        }
        pe.directory(DirectoryKind::BaseRelocation, 0x8000, 24);
        pe
    }

    fn module() -> Module {
        PeBuilder::module("app.exe", STAMP)
    }

    fn space<B: AsRef<[u8]>>(file: &ImageFile<B>) -> AddressSpace<'_> {
        AddressSpace::new(file.regions())
    }

    #[test]
    fn a_file_is_laid_out_as_the_loader_does() {
        let file = ImageFile::of(builder().file(LINKED, STAMP), &module()).unwrap();
        let space = space(&file);
        let at = |rva: u64| PeBuilder::BASE + rva;
        assert_eq!(space.u16(at(0)), Some(0x5A4D));
        assert_eq!(space.u8(at(0x400)), None, "behind the headers");
        assert_eq!(space.u16(at(0x1000)), Some(0xC3CC));
        assert_eq!(space.u64(at(0x7200)), Some(at(0x1000)), "relocated");
        assert_eq!(space.u64(at(0x7000)), None, "the loader fills the slots");
        assert_eq!((space.u64(at(0x6FF8)), space.u64(at(0x7010))), (Some(0), Some(0)));
        assert_eq!(space.u32(at(0x8008)), Some(0xA200), "behind them");
        let at_home = ImageFile::of(builder().file(PeBuilder::BASE, STAMP), &module()).unwrap();
        assert_eq!(self::space(&at_home).u64(at(0x7200)), Some(LINKED + 0x1000));
    }

    #[test]
    fn what_can_be_written_is_not_taken_from_a_file() {
        let mut pe = builder();
        // The characteristics of .rdata.
        pe.put_u32(0x80 + 24 + 240 + 40 + 36, 0xC000_0040);
        let file = ImageFile::of(pe.file(PeBuilder::BASE, STAMP), &module()).unwrap();
        assert_eq!(space(&file).u16(PeBuilder::BASE + 0x1000), Some(0xC3CC));
        assert_eq!(space(&file).u64(PeBuilder::BASE + 0x7200), None);
        pe.put(0x80 + 24 + 240 + 40, b".idata");
        let file = ImageFile::of(pe.file(PeBuilder::BASE, STAMP), &module()).unwrap();
        assert_eq!(space(&file).u64(PeBuilder::BASE + 0x7200), Some(LINKED + 0x1000));
    }

    #[test]
    fn a_file_that_cannot_be_the_modules_is_refused() {
        let of = |bytes: Vec<u8>| ImageFile::of(bytes, &module()).map(|_| ());
        let other = of(builder().file(LINKED, STAMP + 1)).unwrap_err();
        assert_eq!(
            other.to_string(),
            "it is another build: time stamp and size 5F3B0C1B10000, the dump's module has 5F3B0C1A10000"
        );
        let mut fixed = builder();
        fixed.directory(DirectoryKind::BaseRelocation, 0, 0);
        assert!(matches!(of(fixed.file(LINKED, STAMP)), Err(FileError::NotMovable { .. })));
        assert_eq!(of(fixed.file(PeBuilder::BASE, STAMP)), Ok(()));
        let mut strange = builder();
        strange.put_u32(0x8008, 0x5200);
        assert!(matches!(of(strange.file(LINKED, STAMP)), Err(FileError::NotMovable { .. })));
        assert!(matches!(of(b"MZ".to_vec()), Err(FileError::Image(_))));
    }

    proptest! {
        /// A damaged file, or one that is cut off, is laid out or refused, and never panics; no part is larger than the file.
        #[test]
        fn damage_is_survived(
            damage in prop::collection::vec((0_usize..0x400, any::<u32>()), 0..8),
            table in prop::collection::vec((0x8000_usize..0x8018, any::<u32>()), 0..4),
            len in 0_usize..0xF400,
        ) {
            let mut pe = builder();
            for (offset, value) in table {
                pe.put_u32(offset, value);
            }
            let mut bytes = pe.file(LINKED, STAMP);
            for (offset, value) in damage.into_iter().filter(|(at, _)| !(0x88..0x8C).contains(at)) {
                bytes[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
            }
            bytes.truncate(len);
            if let Ok(file) = ImageFile::of(&bytes, &module()) {
                prop_assert!(file.regions().all(|region| region.bytes.len() <= len));
            }
        }
    }
}
