//! A module's PE file of the host, laid out as the loader laid out the module: what a small dump does not hold.
//!
//! Only what the program cannot change is taken from a file: the headers, and sections that are not writable. Offsets are those of "PE
//! Format" (learn.microsoft.com/windows/win32/debug/pe-format).

use super::ImageError;
use super::pe::{DirectoryKind, Image, Section};
use crate::dump::bytes::{u16_at, u32_at};
use crate::dump::memory::{AddressSpace, MemorySource, PointerWidth, Region};
use crate::dump::modules::{MAX_CODEVIEW, Module, read_codeview};
use std::ops::Range;

/// Most bytes of a file that its headers may take: `SizeOfHeaders` of real files is 0x200 to 0x1000.
const MAX_HEADERS: u32 = 1 << 16;
/// `PointerToRawData` counts in units of this; the loader rounds it down.
const FILE_UNIT: u32 = 0x200;
/// Size of `IMAGE_BASE_RELOCATION` in bytes: page RVA and size of the block.
const BLOCK_HEADER: usize = 8;
/// Size of `IMAGE_DEBUG_DIRECTORY` in bytes, and of the largest table of them that is read; real ones have up to six entries.
const DEBUG_ENTRY: u32 = 28;
const MAX_DEBUG: u32 = 16 * DEBUG_ENTRY;
/// `IMAGE_DEBUG_DIRECTORY.Type` of a CodeView record (winnt.h).
const IMAGE_DEBUG_TYPE_CODEVIEW: u32 = 2;
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
    /// The checksums differ, or nothing but the size says that it is the same build.
    #[error(
        "its checksum is {found:#x}, the module's {expected:#x}, and its time stamp is {time_date_stamp:#x}"
    )]
    OtherContent {
        /// CheckSum of the module.
        expected: u32,
        /// That of the file.
        found: u32,
        /// TimeDateStamp of both.
        time_date_stamp: u32,
    },
    /// The same time stamp, but built with other debug information.
    #[error("its debug information is {found}, the module's {expected}")]
    OtherDebugInfo {
        /// GUID or time stamp, and age, of the module's CodeView record.
        expected: String,
        /// Those of the file's.
        found: String,
    },
    /// Its sections are more than the file holds.
    #[error("its sections overlap in the file")]
    Overlapping,
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
    /// - handling: only a file with the module's TimeDateStamp, SizeOfImage and, where both have one, CodeView id and CheckSum, which stands in for a
    ///   time stamp of 0;
    ///   headers and sections that cannot be written, and `.idata`, without the import address table, which the loader fills; relocated to
    ///   the module's address.
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
        let differs = image.check_sum != module.check_sum;
        let is_known = image.check_sum != 0 && module.check_sum != 0;
        if is_known && differs || !is_known && image.time_date_stamp == 0 {
            return Err(FileError::OtherContent {
                expected: module.check_sum,
                found: image.check_sum,
                time_date_stamp: image.time_date_stamp,
            });
        }
        let mut parts = parts_of(file, &image);
        let held = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.range.len()));
        (held <= file.len()).then_some(()).ok_or(FileError::Overlapping)?;
        relocate(file, &mut parts, &image, module.base)?;
        let laid_out = Self { bytes, parts };
        let found = debug_id(&AddressSpace::new(laid_out.regions()), &image);
        match (found, module.debug_id.clone()) {
            (Some(found), Some(expected)) if found != expected => {
                Err(FileError::OtherDebugInfo { expected, found })
            }
            _ => Ok(laid_out),
        }
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
        (end <= self.range.len()).then_some(())?;
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
    let held = file.get(raw_data(file, section, u32::MAX)).unwrap_or_default();
    let offset = table.rva.saturating_sub(section.virtual_address);
    let mut rest = held.get(clipped(held, offset, table.size)).unwrap_or_default();
    // A file that was cut off keeps pointers as they were linked.
    let is_whole = usize::try_from(table.size).is_ok_and(|size| rest.len() == size);
    is_whole.then_some(()).ok_or_else(not_movable)?;
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
    rest.iter().all(|byte| *byte == 0).then_some(()).ok_or_else(not_movable)
}

/// The id of an image's CodeView record, as Breakpad writes it: `IMAGE_DEBUG_DIRECTORY` has the kind at +12, the record's size at +16 and its RVA
/// at +20.
fn debug_id(space: &AddressSpace<'_>, image: &Image) -> Option<String> {
    let table = image.directory(DirectoryKind::Debug).ok()?;
    let entries = (0..table.size.min(MAX_DEBUG) / DEBUG_ENTRY).filter_map(|index| {
        let entry = image.address(table.rva.checked_add(index.checked_mul(DEBUG_ENTRY)?)?)?;
        let field = |offset: u64| space.u32(entry.checked_add(offset)?);
        (field(12)? == IMAGE_DEBUG_TYPE_CODEVIEW).then_some(())?;
        let size = usize::try_from(u64::from(field(16)?).min(MAX_CODEVIEW)).ok()?;
        read_codeview(space.slice(image.address(field(20)?)?, size)?)
    });
    entries.map(|(id, _)| id).next()
}

/// Whether a section holds the file's bytes as long as the module is loaded. `.idata` may be writable, for the sake of its slots, which can be left out
/// where the image says which they are.
fn is_constant(section: &Section, knows_slots: bool) -> bool {
    !section.is_writable() || section.name == ".idata" && knows_slots
}

/// Where the file holds the bytes of a section that has room for so many.
fn raw_data(file: &[u8], section: &Section, room: u32) -> Range<usize> {
    let pointer = section.raw_pointer & !(FILE_UNIT.saturating_sub(1));
    let size = match section.virtual_size {
        0 => section.raw_size,
        size => size.min(section.raw_size),
    };
    clipped(file, pointer, size.min(room))
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
        // Cut off before the relocations, which stand at 0x7400 of the file.
        let mut short = builder().file(LINKED, STAMP);
        short.truncate(0x7408);
        assert!(matches!(of(short), Err(FileError::NotMovable { .. })));
        let mut overlapping = builder().file(PeBuilder::BASE, STAMP);
        // Both sections from the beginning of the file on.
        for header in [0x188, 0x188 + 40] {
            overlapping[header + 16..header + 24].copy_from_slice(&[0, 0, 1, 0, 0, 0, 0, 0]);
        }
        overlapping.truncate(0x8000);
        assert_eq!(of(overlapping), Err(FileError::Overlapping));
    }

    #[test]
    fn a_checksum_tells_builds_of_one_time_stamp_apart() {
        let of = |check_sum: u32, module_has: u32, stamp: u32| {
            let mut pe = builder();
            pe.put_u32(0x80 + 24 + 64, check_sum);
            let module = Module { check_sum: module_has, ..PeBuilder::module("app.exe", stamp) };
            ImageFile::of(pe.file(PeBuilder::BASE, stamp), &module).map(|_| ())
        };
        assert_eq!(of(0x1234, 0x1234, STAMP), Ok(()));
        assert_eq!(of(0, 0x1234, STAMP), Ok(()), "the linker wrote none");
        assert!(matches!(of(0x1235, 0x1234, STAMP), Err(FileError::OtherContent { .. })));
        assert_eq!(of(0x1234, 0x1234, 0), Ok(()));
        assert!(matches!(of(0, 0, 0), Err(FileError::OtherContent { .. })), "nothing says which");
    }

    #[test]
    fn the_id_of_the_debug_information_tells_builds_apart() {
        let of = |module_has: Option<&str>, kind: u32| {
            let mut pe = builder();
            pe.directory(DirectoryKind::Debug, 0x7300, 28);
            for (offset, value) in [(12, kind), (16, 32), (20, 0x7340)] {
                pe.put_u32(0x7300 + offset, value);
            }
            pe.put(0x7340, b"RSDS\x01\x02\x03\x04\x05\x06\x07\x08ABCDEFGH\x02\0\0\0app.pdb");
            let module = Module { debug_id: module_has.map(str::to_owned), ..module() };
            ImageFile::of(pe.file(LINKED, STAMP), &module).map(|_| ())
        };
        let same = "040302010605080741424344454647482";
        assert_eq!(of(Some(same), 2), Ok(()));
        assert_eq!(of(None, 2), Ok(()), "the dump's writer kept none");
        assert_eq!(of(Some("other"), 13), Ok(()), "the file has none");
        let refused = of(Some("040302010605080741424344454647483"), 2).unwrap_err();
        assert!(matches!(&refused, FileError::OtherDebugInfo { found, .. } if found == same));
    }

    #[test]
    fn pointers_of_32_bits_are_moved_too() {
        let mut pe = PeBuilder::x86();
        pe.put_u32(0x7200, 0x40_1000);
        for (offset, word) in [(0, 0x7000), (4, 12), (8, 0x3200)] {
            pe.put_u32(0x8000 + offset, word);
        }
        pe.directory(DirectoryKind::BaseRelocation, 0x8000, 12);
        let at = |base: u64| {
            let module = Module { base, ..module() };
            let file = ImageFile::of(pe.file(0x40_0000, STAMP), &module).unwrap();
            space(&file).u32(base + 0x7200)
        };
        assert_eq!(at(0x7530_0000), Some(0x7530_1000));
        assert_eq!(at(0x20_0000), Some(0x20_1000), "below the address that it was linked for");
    }

    #[test]
    fn a_part_ends_where_the_next_begins() {
        let mut pe = builder();
        // SizeOfHeaders, and the size of .text, reach into what follows.
        pe.put_u32(0x80 + 24 + 240 + 8, 0x5000);
        let mut bytes = pe.file(PeBuilder::BASE, STAMP);
        bytes[0x80 + 24 + 60..0x80 + 24 + 64].copy_from_slice(&0x3000_u32.to_le_bytes());
        bytes[0x188 + 16..0x188 + 20].copy_from_slice(&0x5000_u32.to_le_bytes());
        bytes.extend([0; 0x4000]);
        let file = ImageFile::of(bytes, &module()).unwrap();
        let ends: Vec<u64> = file.regions().map(|region| region.end() - PeBuilder::BASE).collect();
        assert_eq!(ends, [0x1000, 0x3000, 0x7000, 0x1_0000]);
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
