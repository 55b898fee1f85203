//! A module's PE file of the host, laid out as the loader laid out the module: what a small dump does not hold.
//!
//! Only what the program cannot change is taken from a file: the headers, and sections that are not writable. Offsets are those of "PE
//! Format" (learn.microsoft.com/windows/win32/debug/pe-format).

use super::ImageError;
use super::layout::{MAX_HEADERS, Part, clipped, needed, parts_of};
use super::pe::{DirectoryKind, Image};
use super::relocation::relocated;
use crate::dump::memory::{AddressSpace, MemorySource, Region};
use crate::dump::modules::{MAX_CODEVIEW, Module, read_codeview};

/// Size of `IMAGE_DEBUG_DIRECTORY` in bytes, and of the largest table of them that is read; real ones have up to six entries.
const DEBUG_ENTRY: u32 = 28;
const MAX_DEBUG: u32 = 16 * DEBUG_ENTRY;
/// `IMAGE_DEBUG_DIRECTORY.Type` of a CodeView record (winnt.h).
const IMAGE_DEBUG_TYPE_CODEVIEW: u32 = 2;
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
    /// As [`Self::NotMovable`], of a file that lacks its end, where the relocations are.
    #[error(
        "it is {cut_off}, and without its relocations it cannot be moved from {linked:#x} to {loaded:#x}"
    )]
    NoRelocations {
        /// What is lacking.
        cut_off: CutOff,
        /// The module's address.
        loaded: u64,
        /// `ImageBase` of the file.
        linked: u64,
    },
    /// Pointers in so many of its pages are to be changed that their copies would not be small.
    #[error(
        "moving it from {linked:#x} to {loaded:#x} would take more than the {room} bytes that are left for copies"
    )]
    TooManyCopies {
        /// The module's address.
        loaded: u64,
        /// `ImageBase` of the file.
        linked: u64,
        /// Bytes that may be copied.
        room: usize,
    },
}

/// A file that ends before its sections do: a copy that did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cut off: its sections need {needed} bytes, it has {held}")]
pub struct CutOff {
    /// Bytes up to the end of its headers and sections.
    pub needed: u64,
    /// Its size in bytes.
    pub held: u64,
}

/// What a file holds of a module, by address.
#[derive(Debug)]
pub struct ImageFile<B> {
    bytes: B,
    parts: Vec<Part>,
    cut_off: Option<CutOff>,
}

impl<B: AsRef<[u8]>> ImageFile<B> {
    /// Lays a file out at the address of a module.
    ///
    /// - situation: a small dump has no code; who debugs has the program's files, as a debugger's image path wants them.
    /// - example: `app.exe` of the same build, loaded at 0x7FF7A0000000 instead of 0x140000000.
    /// - handling: only a file with the module's TimeDateStamp, SizeOfImage and, where both have one, CodeView id and CheckSum, which stands in for a
    ///   time stamp of 0;
    ///   headers and sections that cannot be written, and `.idata`, without the import address table, which the loader fills; relocated to
    ///   the module's address, which may copy `room` bytes.
    /// - test: `a_file_is_laid_out_as_the_loader_does`.
    ///
    /// # Errors
    /// When it is no PE file, another build, cannot have been loaded there, or only with more copies than `room`.
    pub fn of(bytes: B, module: &Module, room: usize) -> Result<Self, FileError> {
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
        let parts = parts_of(file, &image);
        let held = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.range.len()));
        (held <= file.len()).then_some(()).ok_or(FileError::Overlapping)?;
        let cut_off = cut_off(file, &image);
        let parts = relocated(file, parts, &image, module.base, room)
            .map_err(|error| error.of_cut_off(cut_off))?;
        let laid_out = Self { bytes, parts, cut_off };
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

    /// Whether the file lacks something at its end. What it has is used all the same.
    pub fn cut_off(&self) -> Option<CutOff> {
        self.cut_off
    }

    /// How many bytes are copied, because they differ from the file's.
    pub fn copied(&self) -> usize {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.copied()))
    }
}

impl FileError {
    /// The reason, of a file that was cut off.
    fn of_cut_off(self, cut_off: Option<CutOff>) -> Self {
        match (self, cut_off) {
            (Self::NotMovable { loaded, linked }, Some(cut_off)) => {
                Self::NoRelocations { cut_off, loaded, linked }
            }
            (error, _) => error,
        }
    }
}

fn cut_off(file: &[u8], image: &Image) -> Option<CutOff> {
    let (needed, held) = (needed(image), file.len() as u64);
    (needed > held).then_some(CutOff { needed, held })
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
        read_codeview(&space.read_up_to(image.address(field(20)?)?, size))
    });
    entries.map(|(id, _)| id).next()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::super::fixtures::PeBuilder;
    use super::super::relocation::MAX_COPIED;
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
        let file = ImageFile::of(builder().file(LINKED, STAMP), &module(), MAX_COPIED).unwrap();
        let space = space(&file);
        let at = |rva: u64| PeBuilder::BASE + rva;
        assert_eq!(space.u16(at(0)), Some(0x5A4D));
        assert_eq!(space.u8(at(0x400)), None, "behind the headers");
        assert_eq!(space.u16(at(0x1000)), Some(0xC3CC));
        assert_eq!(space.u64(at(0x7200)), Some(at(0x1000)), "relocated");
        assert_eq!(space.u64(at(0x7000)), None, "the loader fills the slots");
        assert_eq!((space.u64(at(0x6FF8)), space.u64(at(0x7010))), (Some(0), Some(0)));
        assert_eq!(space.u32(at(0x8008)), Some(0xA200), "behind them");
        let at_home =
            ImageFile::of(builder().file(PeBuilder::BASE, STAMP), &module(), MAX_COPIED).unwrap();
        assert_eq!(self::space(&at_home).u64(at(0x7200)), Some(LINKED + 0x1000));
    }

    #[test]
    fn what_can_be_written_is_not_taken_from_a_file() {
        let mut pe = builder();
        // The characteristics of .rdata.
        pe.put_u32(0x80 + 24 + 240 + 40 + 36, 0xC000_0040);
        let file = ImageFile::of(pe.file(PeBuilder::BASE, STAMP), &module(), MAX_COPIED).unwrap();
        assert_eq!(space(&file).u16(PeBuilder::BASE + 0x1000), Some(0xC3CC));
        assert_eq!(space(&file).u64(PeBuilder::BASE + 0x7200), None);
        pe.put(0x80 + 24 + 240 + 40, b".idata");
        let file = ImageFile::of(pe.file(PeBuilder::BASE, STAMP), &module(), MAX_COPIED).unwrap();
        assert_eq!(space(&file).u64(PeBuilder::BASE + 0x7200), Some(LINKED + 0x1000));
    }

    #[test]
    fn a_file_that_cannot_be_the_modules_is_refused() {
        let of = |bytes: Vec<u8>| ImageFile::of(bytes, &module(), MAX_COPIED).map(|_| ());
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
        assert_eq!(
            of(short).unwrap_err().to_string(),
            "it is cut off: its sections need 62464 bytes, it has 29704, and without its relocations it cannot be moved from 0x180000000 to \
             0x140000000"
        );
        let mut overlapping = builder().file(PeBuilder::BASE, STAMP);
        // Both sections from the beginning of the file on.
        for header in [0x188, 0x188 + 40] {
            overlapping[header + 16..header + 24].copy_from_slice(&[0, 0, 1, 0, 0, 0, 0, 0]);
        }
        overlapping.truncate(0x8000);
        assert_eq!(of(overlapping), Err(FileError::Overlapping));
    }

    #[test]
    fn what_a_file_that_was_cut_off_still_holds_is_used() {
        let of = |len: usize| {
            let mut bytes = builder().file(PeBuilder::BASE, STAMP);
            assert_eq!(bytes.len(), 0xF400);
            bytes.truncate(len);
            ImageFile::of(bytes, &module(), MAX_COPIED).unwrap()
        };
        assert_eq!(of(0xF400).cut_off(), None);
        let cut = of(0x1000);
        assert_eq!(cut.cut_off(), Some(CutOff { needed: 0xF400, held: 0x1000 }));
        assert_eq!(space(&cut).u16(PeBuilder::BASE + 0x1000), Some(0xC3CC));
        // A section behind the end of the file.
        let mut bytes = builder().file(PeBuilder::BASE, STAMP);
        bytes[0x188 + 60..0x188 + 64].copy_from_slice(&0x10_0000_u32.to_le_bytes());
        let beyond = ImageFile::of(bytes, &module(), MAX_COPIED).unwrap();
        assert_eq!(beyond.cut_off(), Some(CutOff { needed: 0x10_D000, held: 0xF400 }));
    }

    #[test]
    fn a_checksum_tells_builds_of_one_time_stamp_apart() {
        let of = |check_sum: u32, module_has: u32, stamp: u32| {
            let mut pe = builder();
            pe.put_u32(0x80 + 24 + 64, check_sum);
            let module = Module { check_sum: module_has, ..PeBuilder::module("app.exe", stamp) };
            ImageFile::of(pe.file(PeBuilder::BASE, stamp), &module, MAX_COPIED).map(|_| ())
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
            ImageFile::of(pe.file(LINKED, STAMP), &module, MAX_COPIED).map(|_| ())
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
            let file = ImageFile::of(pe.file(0x40_0000, STAMP), &module, MAX_COPIED).unwrap();
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
        let file = ImageFile::of(bytes, &module(), MAX_COPIED).unwrap();
        let ends: Vec<u64> = file.regions().map(|region| region.end() - PeBuilder::BASE).collect();
        assert_eq!(ends, [0x1000, 0x3000, 0x7000, 0x1_0000]);
    }

    proptest! {
        /// A damaged file, or one that is cut off, is laid out or refused, and never panics; no part is larger than the file, and none
        /// overlaps another.
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
            if let Ok(file) = ImageFile::of(&bytes, &module(), MAX_COPIED) {
                prop_assert!(file.regions().all(|region| region.bytes.len() <= len));
                let regions: Vec<_> = file.regions().collect();
                prop_assert!(regions.windows(2).all(|pair| pair[0].end() <= pair[1].base));
            }
        }
    }
}
