//! Headers of a PE image as it stands in the process's memory.
//!
//! Offsets are those of "PE Format" (learn.microsoft.com/windows/win32/debug/pe-format). Only the headers
//! are read here; each table behind a data directory is read by its own module when it is asked for.

use std::borrow::Cow;

use super::ImageError;
use crate::dump::memory::{AddressSpace, PointerWidth};

/// Most sections an image may have: the Windows loader refuses more than 96 (PE Format, COFF header).
const MAX_SECTIONS: u16 = 96;
/// Longest name of an export, an import or a DLL that is read, in bytes.
pub(crate) const MAX_NAME: usize = 512;

const DOS_MAGIC: u16 = 0x5A4D;
const NT_SIGNATURE: u32 = 0x0000_4550;
const SECTION_HEADER_SIZE: u64 = 40;

/// `IMAGE_FILE_HEADER.Machine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Machine {
    /// 0x14C.
    X86,
    /// 0x8664.
    Amd64,
    /// 0xAA64.
    Arm64,
    /// Any other value.
    Other(u16),
}

impl From<u16> for Machine {
    fn from(raw: u16) -> Self {
        match raw {
            0x14C => Self::X86,
            0x8664 => Self::Amd64,
            0xAA64 => Self::Arm64,
            other => Self::Other(other),
        }
    }
}

/// One `IMAGE_SECTION_HEADER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `Name`, up to 8 printable bytes.
    pub name: String,
    /// `VirtualAddress`: RVA of the first byte.
    pub virtual_address: u32,
    /// `VirtualSize` in bytes.
    pub virtual_size: u32,
    /// `SizeOfRawData`: bytes that the file holds; the loader makes those beyond them zero.
    pub raw_size: u32,
    /// `PointerToRawData`: where they stand in the file.
    pub raw_pointer: u32,
    /// `Characteristics`.
    pub characteristics: u32,
}

impl Section {
    /// Whether the section holds code: `IMAGE_SCN_MEM_EXECUTE`, 0x20000000.
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.characteristics & 0x2000_0000 != 0
    }

    /// Whether the section can be written: `IMAGE_SCN_MEM_WRITE`, 0x80000000.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.characteristics & 0x8000_0000 != 0
    }

    /// Whether all processes that load the module have the same memory there: `IMAGE_SCN_MEM_SHARED`, 0x10000000.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.characteristics & 0x1000_0000 != 0
    }

    fn holds(&self, rva: u32) -> bool {
        rva.checked_sub(self.virtual_address).is_some_and(|offset| offset < self.virtual_size)
    }
}

/// One `IMAGE_DATA_DIRECTORY`; size 0 when the image has no such table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Directory {
    /// RVA of the table.
    pub rva: u32,
    /// Size in bytes.
    pub size: u32,
}

/// The data directories that are used, with their index in the optional header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryKind {
    /// `IMAGE_DIRECTORY_ENTRY_EXPORT`.
    Export = 0,
    /// `IMAGE_DIRECTORY_ENTRY_IMPORT`.
    Import = 1,
    /// `IMAGE_DIRECTORY_ENTRY_EXCEPTION`: `.pdata`.
    Exception = 3,
    /// `IMAGE_DIRECTORY_ENTRY_BASERELOC`: `.reloc`.
    BaseRelocation = 5,
    /// `IMAGE_DIRECTORY_ENTRY_DEBUG`: what kinds of debug information there are, and where.
    Debug = 6,
    /// `IMAGE_DIRECTORY_ENTRY_LOAD_CONFIG`.
    LoadConfig = 10,
    /// `IMAGE_DIRECTORY_ENTRY_IAT`.
    ImportAddressTable = 12,
}

impl DirectoryKind {
    fn label(self) -> &'static str {
        match self {
            Self::Export => "export directory",
            Self::Import => "import directory",
            Self::Exception => "exception directory",
            Self::BaseRelocation => "base relocation table",
            Self::Debug => "debug directory",
            Self::LoadConfig => "load configuration",
            Self::ImportAddressTable => "import address table",
        }
    }
}

/// The headers of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Address the image is loaded at.
    pub base: u64,
    /// Bytes from the base that belong to the image: `SizeOfImage`, never more than the module's size.
    pub size: u64,
    /// `ImageBase`: in a file the address that it was linked for, in memory the one that it is loaded at.
    pub image_base: u64,
    /// `SizeOfHeaders` in bytes.
    pub header_size: u32,
    /// `CheckSum`; 0 where the linker wrote none.
    pub check_sum: u32,
    /// `IMAGE_FILE_HEADER.Machine`.
    pub machine: Machine,
    /// Pointer width, from the optional header's magic.
    pub width: PointerWidth,
    /// `IMAGE_FILE_HEADER.TimeDateStamp`.
    pub time_date_stamp: u32,
    /// `IMAGE_FILE_LARGE_ADDRESS_AWARE` (0x20, winnt.h) in `IMAGE_FILE_HEADER.Characteristics`.
    pub is_large_address_aware: bool,
    /// `AddressOfEntryPoint`: RVA, 0 for none.
    pub entry_point: u32,
    /// Section headers, in the file's order. Empty or cut short when their bytes are not in the dump.
    pub sections: Vec<Section>,
    /// Whether every section header was in the dump.
    pub sections_complete: bool,
    export: Directory,
    import: Directory,
    exception: Directory,
    base_relocation: Directory,
    debug: Directory,
    load_config: Directory,
    import_address_table: Directory,
}

impl Image {
    /// Reads the headers of the image at `base`. `size` is the module's size in bytes as the module list
    /// gives it; 0 when it is not known.
    ///
    /// # Errors
    /// When the headers up to the data directories are not in the dump or are no PE headers.
    pub fn parse(space: &AddressSpace<'_>, base: u64, size: u64) -> Result<Self, ImageError> {
        let header = Header { space, base };
        let magic = header.u16(0, "IMAGE_DOS_HEADER.e_magic")?;
        header.expect(0, "IMAGE_DOS_HEADER.e_magic", "0x5a4d", magic, magic == DOS_MAGIC)?;
        let lfanew = u64::from(header.u32(0x3C, "IMAGE_DOS_HEADER.e_lfanew")?);
        let in_module = size == 0 || lfanew < size;
        header.expect(0x3C, "IMAGE_DOS_HEADER.e_lfanew", "inside the module", lfanew, in_module)?;
        let nt = Header { space, base: base.saturating_add(lfanew) };
        let signature = nt.u32(0, "IMAGE_NT_HEADERS.Signature")?;
        let is_nt = signature == NT_SIGNATURE;
        nt.expect(0, "IMAGE_NT_HEADERS.Signature", "0x4550", signature, is_nt)?;
        let (width, directory_count_at) = match nt.u16(24, "IMAGE_OPTIONAL_HEADER.Magic")? {
            0x10B => (PointerWidth::Four, 24 + 92),
            0x20B => (PointerWidth::Eight, 24 + 108),
            found => {
                return Err(nt.invalid(24, "IMAGE_OPTIONAL_HEADER.Magic", "0x10b or 0x20b", found));
            }
        };
        let size_of_image = u64::from(nt.u32(24 + 56, "IMAGE_OPTIONAL_HEADER.SizeOfImage")?);
        let mut image = Self {
            base,
            size: if size == 0 { size_of_image } else { size_of_image.min(size) },
            image_base: nt.image_base(width)?,
            header_size: nt.u32(24 + 60, "IMAGE_OPTIONAL_HEADER.SizeOfHeaders")?,
            check_sum: nt.u32(24 + 64, "IMAGE_OPTIONAL_HEADER.CheckSum")?,
            machine: nt.u16(4, "IMAGE_FILE_HEADER.Machine")?.into(),
            width,
            time_date_stamp: nt.u32(8, "IMAGE_FILE_HEADER.TimeDateStamp")?,
            is_large_address_aware: nt.u16(22, "IMAGE_FILE_HEADER.Characteristics")? & 0x20 != 0,
            entry_point: nt.u32(24 + 16, "IMAGE_OPTIONAL_HEADER.AddressOfEntryPoint")?,
            sections: Vec::new(),
            sections_complete: false,
            export: nt.directory(directory_count_at, DirectoryKind::Export)?,
            import: nt.directory(directory_count_at, DirectoryKind::Import)?,
            exception: nt.directory(directory_count_at, DirectoryKind::Exception)?,
            base_relocation: nt.directory(directory_count_at, DirectoryKind::BaseRelocation)?,
            debug: nt.directory(directory_count_at, DirectoryKind::Debug)?,
            load_config: nt.directory(directory_count_at, DirectoryKind::LoadConfig)?,
            import_address_table: nt
                .directory(directory_count_at, DirectoryKind::ImportAddressTable)?,
        };
        image.read_sections(&nt)?;
        Ok(image)
    }

    fn read_sections(&mut self, nt: &Header<'_, '_>) -> Result<(), ImageError> {
        let what = "IMAGE_FILE_HEADER.NumberOfSections";
        let count = nt.u16(6, what)?;
        nt.expect(6, what, "at most 96", count, count <= MAX_SECTIONS)?;
        let optional_size = nt.u16(20, "IMAGE_FILE_HEADER.SizeOfOptionalHeader")?;
        let mut at = u64::from(optional_size).saturating_add(24);
        for _ in 0..count {
            let Ok(section) = nt.section(at) else { return Ok(()) };
            self.sections.push(section);
            at = at.saturating_add(SECTION_HEADER_SIZE);
        }
        self.sections_complete = true;
        Ok(())
    }

    /// The data directory `kind`, when the image has it and it begins inside the image.
    ///
    /// # Errors
    /// [`ImageError::Absent`] when it is empty, [`ImageError::Invalid`] when it begins outside.
    pub fn directory(&self, kind: DirectoryKind) -> Result<Directory, ImageError> {
        let found = match kind {
            DirectoryKind::Export => self.export,
            DirectoryKind::Import => self.import,
            DirectoryKind::Exception => self.exception,
            DirectoryKind::BaseRelocation => self.base_relocation,
            DirectoryKind::Debug => self.debug,
            DirectoryKind::LoadConfig => self.load_config,
            DirectoryKind::ImportAddressTable => self.import_address_table,
        };
        if found.rva == 0 || found.size == 0 {
            return Err(ImageError::Absent { what: kind.label(), base: self.base });
        }
        if u64::from(found.rva) >= self.size {
            let address = self.base.saturating_add(u64::from(found.rva));
            let expected = "an RVA inside the image";
            let found = u64::from(found.rva);
            return Err(ImageError::Invalid { what: kind.label(), address, expected, found });
        }
        Ok(found)
    }

    /// The address of `rva`, when it lies in the image.
    #[must_use]
    pub fn address(&self, rva: u32) -> Option<u64> {
        let offset = u64::from(rva);
        (offset < self.size).then(|| self.base.checked_add(offset)).flatten()
    }

    /// The RVA of `address`, when it lies in the image.
    #[must_use]
    pub fn rva(&self, address: u64) -> Option<u32> {
        let offset = address.checked_sub(self.base)?;
        (offset < self.size).then(|| u32::try_from(offset).ok()).flatten()
    }

    /// The section that holds `rva`.
    #[must_use]
    pub fn section_at(&self, rva: u32) -> Option<&Section> {
        self.sections.iter().find(|section| section.holds(rva))
    }

    /// Whether `rva` can be code: in an executable section, or in an image whose section headers the
    /// dump does not hold.
    #[must_use]
    pub fn may_be_code(&self, rva: u32) -> bool {
        match self.section_at(rva) {
            Some(section) => section.is_executable(),
            None => !self.sections_complete && u64::from(rva) < self.size,
        }
    }

    /// The 32-bit value at `rva`; `what` names it in the error.
    pub(crate) fn u32_at(
        &self,
        space: &AddressSpace<'_>,
        rva: u32,
        what: &'static str,
    ) -> Result<u32, ImageError> {
        let address = self.address_or_error(rva, what)?;
        space.u32(address).ok_or(ImageError::Missing { what, address, len: 4 })
    }

    /// The bytes at `rva`, as many of `len` as the image and the dump hold. The copy is never larger than
    /// what the dump holds.
    pub(crate) fn bytes_at<'a>(
        &self,
        space: &AddressSpace<'a>,
        rva: u32,
        len: usize,
        what: &'static str,
    ) -> Result<Cow<'a, [u8]>, ImageError> {
        let address = self.address_or_error(rva, what)?;
        let inside = self.size.saturating_sub(u64::from(rva));
        let wanted = len.min(usize::try_from(inside).unwrap_or(usize::MAX));
        let bytes = space.read_up_to(address, wanted);
        if bytes.is_empty() && len > 0 {
            return Err(ImageError::Missing { what, address, len: len as u64 });
        }
        Ok(bytes)
    }

    /// The zero-terminated name at `rva`, made printable: at most 512 bytes, every byte that is not
    /// printable ASCII replaced by `?`, so that no name carries an escape sequence to a terminal.
    #[must_use]
    pub fn name_at(&self, space: &AddressSpace<'_>, rva: u32) -> Option<String> {
        let bytes = self.bytes_at(space, rva, MAX_NAME, "name").ok()?;
        let name = printable(&bytes);
        (!name.is_empty()).then_some(name)
    }

    fn address_or_error(&self, rva: u32, what: &'static str) -> Result<u64, ImageError> {
        self.address(rva).ok_or(ImageError::Invalid {
            what,
            address: self.base.saturating_add(u64::from(rva)),
            expected: "an RVA inside the image",
            found: u64::from(rva),
        })
    }
}

/// The bytes before the first zero, printable ASCII kept and everything else replaced by `?`.
fn printable(bytes: &[u8]) -> String {
    let printable = |byte: &u8| {
        if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '?' }
    };
    bytes.iter().take_while(|byte| **byte != 0).map(printable).collect()
}

/// Fields at offsets from one header's address.
struct Header<'s, 'a> {
    space: &'s AddressSpace<'a>,
    base: u64,
}

impl Header<'_, '_> {
    fn u16(&self, offset: u64, what: &'static str) -> Result<u16, ImageError> {
        let address = self.base.saturating_add(offset);
        self.space.u16(address).ok_or(ImageError::Missing { what, address, len: 2 })
    }

    fn u32(&self, offset: u64, what: &'static str) -> Result<u32, ImageError> {
        let address = self.base.saturating_add(offset);
        self.space.u32(address).ok_or(ImageError::Missing { what, address, len: 4 })
    }

    /// `ImageBase`: 4 bytes at 28 of a 32-bit optional header, 8 at 24 of a 64-bit one.
    fn image_base(&self, width: PointerWidth) -> Result<u64, ImageError> {
        let what = "IMAGE_OPTIONAL_HEADER.ImageBase";
        let offset = match width {
            PointerWidth::Four => 24 + 28,
            PointerWidth::Eight => 24 + 24,
        };
        let address = self.base.saturating_add(offset);
        let found = self.space.pointer(address, width);
        found.ok_or(ImageError::Missing { what, address, len: width.bytes() })
    }

    fn invalid(
        &self,
        offset: u64,
        what: &'static str,
        expected: &'static str,
        found: impl Into<u64>,
    ) -> ImageError {
        let address = self.base.saturating_add(offset);
        ImageError::Invalid { what, address, expected, found: found.into() }
    }

    fn expect(
        &self,
        offset: u64,
        what: &'static str,
        expected: &'static str,
        found: impl Into<u64>,
        holds: bool,
    ) -> Result<(), ImageError> {
        if holds { Ok(()) } else { Err(self.invalid(offset, what, expected, found)) }
    }

    /// A directory: 8 bytes each, behind `NumberOfRvaAndSizes`.
    fn directory(&self, count_at: u64, kind: DirectoryKind) -> Result<Directory, ImageError> {
        let count = self.u32(count_at, "IMAGE_OPTIONAL_HEADER.NumberOfRvaAndSizes")?;
        let index = kind as u32;
        if index >= count {
            return Ok(Directory::default());
        }
        let at = count_at.saturating_add(4).saturating_add(u64::from(index).saturating_mul(8));
        Ok(Directory {
            rva: self.u32(at, kind.label())?,
            size: self.u32(at.saturating_add(4), kind.label())?,
        })
    }

    fn section(&self, at: u64) -> Result<Section, ImageError> {
        let what = "IMAGE_SECTION_HEADER";
        let address = self.base.saturating_add(at);
        let mut name = [0; 8];
        self.space.read(address, &mut name).ok_or(ImageError::Missing {
            what,
            address,
            len: SECTION_HEADER_SIZE,
        })?;
        Ok(Section {
            name: printable(&name),
            virtual_size: self.u32(at.saturating_add(8), what)?,
            virtual_address: self.u32(at.saturating_add(12), what)?,
            raw_size: self.u32(at.saturating_add(16), what)?,
            raw_pointer: self.u32(at.saturating_add(20), what)?,
            characteristics: self.u32(at.saturating_add(36), what)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures::PeBuilder;

    #[test]
    fn reads_headers_and_caps_the_size_by_the_module() {
        let mut pe = PeBuilder::x64();
        pe.directory(DirectoryKind::Exception, 0x3000, 24);
        let bytes = pe.bytes();
        let space = PeBuilder::space(&bytes);
        let image = Image::parse(&space, PeBuilder::BASE, 0x2000).unwrap();
        assert_eq!((image.size, image.machine), (0x2000, Machine::Amd64));
        assert_eq!(image.width, PointerWidth::Eight);
        assert_eq!(image.address(0x1FFF), Some(PeBuilder::BASE + 0x1FFF));
        assert_eq!(image.address(0x2000), None);
        assert_eq!(image.rva(PeBuilder::BASE - 1), None);
        assert!(image.may_be_code(0x1000));
        assert!(!image.may_be_code(0x3000));
        // The table begins behind the module's end.
        assert!(matches!(
            image.directory(DirectoryKind::Exception),
            Err(ImageError::Invalid { found: 0x3000, .. })
        ));
    }

    #[test]
    fn reads_a_32_bit_image() {
        let mut pe = PeBuilder::x86();
        pe.directory(DirectoryKind::Import, 0x6000, 40);
        let image = PeBuilder::image(&pe.bytes());
        assert_eq!((image.machine, image.width), (Machine::X86, PointerWidth::Four));
        let table = Directory { rva: 0x6000, size: 40 };
        assert_eq!(image.directory(DirectoryKind::Import), Ok(table));
        assert!(matches!(
            image.directory(DirectoryKind::Export),
            Err(ImageError::Absent { what: "export directory", .. })
        ));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let mut pe = PeBuilder::x64();
        pe.put(0x80, b"XX");
        let bytes = pe.bytes();
        let space = PeBuilder::space(&bytes);
        let error = Image::parse(&space, PeBuilder::BASE, 0x10000).unwrap_err();
        assert_eq!(
            error.to_string(),
            "IMAGE_NT_HEADERS.Signature at 0x140000080: expected 0x4550, found 0x5858"
        );
        assert!(matches!(
            Image::parse(&space, 0x1000, 0x10000),
            Err(ImageError::Missing { address: 0x1000, len: 2, .. })
        ));
    }

    #[test]
    fn missing_section_headers_are_no_refusal() {
        let bytes = PeBuilder::x64().bytes();
        let space = PeBuilder::space(&bytes[..0x1A0]);
        let image = Image::parse(&space, PeBuilder::BASE, 0x10000).unwrap();
        assert!(!image.sections_complete);
        assert!(image.may_be_code(0x3000));
    }

    #[test]
    fn names_cannot_carry_escapes() {
        assert_eq!(printable(b"a\x1b[2J\xff\0tail"), "a?[2J?");
    }
}
