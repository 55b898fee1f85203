//! Images for tests: a PE built by hand, and the real dumps of `../shared/dumps`.
#![allow(clippy::arithmetic_side_effects)]

use super::pe::{DirectoryKind, Image};
use crate::dump::memory::{AddressSpace, MemorySource, Region};
use crate::dump::modules::Module as LoadedModule;
use minidump::{Minidump, MinidumpMemory64List, MinidumpModuleList, MinidumpThreadList, Module};

/// A 64 KiB image with `.text` at 0x1000 and `.rdata` at 0x3000.
pub(crate) struct PeBuilder {
    bytes: Vec<u8>,
    directories_at: usize,
}

impl PeBuilder {
    pub(crate) const BASE: u64 = 0x1_4000_0000;
    pub(crate) const SIZE: u64 = 0x10000;

    pub(crate) fn x64() -> Self {
        Self::new(0x8664, 0x20B, 240, 108)
    }

    pub(crate) fn arm64() -> Self {
        Self::new(0xAA64, 0x20B, 240, 108)
    }

    pub(crate) fn x86() -> Self {
        Self::new(0x14C, 0x10B, 224, 92)
    }

    fn new(machine: u16, magic: u16, optional_size: u16, count_at: usize) -> Self {
        let nt = 0x80;
        let mut pe = Self { bytes: vec![0; 0x10000], directories_at: nt + 24 + count_at + 4 };
        pe.put(0, b"MZ");
        pe.put_u32(0x3C, 0x80);
        pe.put(nt, b"PE\0\0");
        pe.put(nt + 4, &machine.to_le_bytes());
        pe.put(nt + 6, &2u16.to_le_bytes());
        pe.put(nt + 20, &optional_size.to_le_bytes());
        pe.put(nt + 24, &magic.to_le_bytes());
        pe.put_u32(nt + 24 + 56, 0x10000);
        pe.put_u32(nt + 24 + count_at, 16);
        let sections = nt + 24 + usize::from(optional_size);
        pe.section(sections, b".text", 0x1000, 0x2000, 0x6000_0020);
        pe.section(sections + 40, b".rdata", 0x3000, 0xD000, 0x4000_0040);
        pe
    }

    fn section(&mut self, at: usize, name: &[u8], rva: u32, size: u32, characteristics: u32) {
        self.put(at, name);
        self.put_u32(at + 8, size);
        self.put_u32(at + 12, rva);
        self.put_u32(at + 36, characteristics);
    }

    pub(crate) fn put(&mut self, rva: usize, bytes: &[u8]) {
        self.bytes[rva..rva + bytes.len()].copy_from_slice(bytes);
    }

    pub(crate) fn put_u32(&mut self, rva: usize, value: u32) {
        self.put(rva, &value.to_le_bytes());
    }

    pub(crate) fn directory(&mut self, kind: DirectoryKind, rva: u32, size: u32) {
        let at = self.directories_at + kind as usize * 8;
        self.put_u32(at, rva);
        self.put_u32(at + 4, size);
    }

    /// Writes `.pdata` at 0x4000: (begin, end, unwind data) each.
    pub(crate) fn pdata(&mut self, entries: &[(u32, u32, u32)]) {
        for (index, (begin, end, unwind_data)) in entries.iter().enumerate() {
            self.put_u32(0x4000 + index * 12, *begin);
            self.put_u32(0x4004 + index * 12, *end);
            self.put_u32(0x4008 + index * 12, *unwind_data);
        }
        let size = u32::try_from(entries.len() * 12).unwrap();
        self.directory(DirectoryKind::Exception, 0x4000, size);
    }

    /// Writes an export table at 0x6000 with ordinals from 1; up to 16 names, 15 bytes each.
    pub(crate) fn exports(&mut self, functions: &[(u32, &str)]) {
        self.directory(DirectoryKind::Export, 0x6000, 0x100);
        let count = u32::try_from(functions.len()).unwrap();
        let fields = [(16, 1), (20, count), (24, count), (28, 0x6040), (32, 0x6080), (36, 0x60C0)];
        for (offset, value) in fields {
            self.put_u32(0x6000 + offset, value);
        }
        let mut name_rva = 0x6100_u32;
        for (index, (rva, name)) in functions.iter().enumerate() {
            self.put_u32(0x6040 + index * 4, *rva);
            self.put_u32(0x6080 + index * 4, name_rva);
            self.put(0x60C0 + index * 2, &[u8::try_from(index).unwrap(), 0]);
            self.put(name_rva as usize, name.as_bytes());
            name_rva += 16;
        }
    }

    /// Writes an import table of a 64-bit image at 0x5800: one name of one DLL, its slot at 0x7000.
    pub(crate) fn imports(&mut self, dll: &str, name: &str) {
        self.directory(DirectoryKind::Import, 0x5800, 40);
        self.put_u32(0x5800, 0x5840);
        self.put_u32(0x580C, 0x5880);
        self.put_u32(0x5810, 0x7000);
        self.put_u32(0x5840, 0x58C0);
        self.put(0x5880, dll.as_bytes());
        self.put(0x58C2, name.as_bytes());
    }

    /// Writes a load configuration of a 64-bit image at 0x5900, so many bytes long, with the pointers of Control Flow Guard at 0x7100.
    pub(crate) fn guard(&mut self, size: u32) {
        self.directory(DirectoryKind::LoadConfig, 0x5900, size);
        self.put_u32(0x5900, size);
        self.put(0x5970, &(Self::BASE + 0x7100).to_le_bytes());
        self.put(0x5978, &(Self::BASE + 0x7108).to_le_bytes());
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// The image as a file: its sections behind one another at 0x400, linked for an address, with a time stamp.
    pub(crate) fn file(&self, linked: u64, time_date_stamp: u32) -> Vec<u8> {
        let mut pe = Self { bytes: self.bytes.clone(), directories_at: self.directories_at };
        pe.put_u32(0x88, time_date_stamp);
        pe.put_u32(0x80 + 24 + 60, 0x400);
        match u16::from_le_bytes([pe.bytes[0x98], pe.bytes[0x99]]) {
            0x10B => pe.put_u32(0x80 + 24 + 28, u32::try_from(linked).unwrap()),
            _ => pe.put(0x80 + 24 + 24, &linked.to_le_bytes()),
        }
        let sections = self.directories_at + 16 * 8;
        let raw = [
            (sections, 0x1000_usize, 0x2000_u32, 0x400_u32),
            (sections + 40, 0x3000, 0xD000, 0x2400),
        ];
        let mut file = Vec::new();
        for (header, _, size, pointer) in raw {
            pe.put_u32(header + 16, size);
            pe.put_u32(header + 20, pointer);
        }
        file.extend_from_slice(&pe.bytes[..0x400]);
        for (_, rva, size, _) in raw {
            file.extend_from_slice(&pe.bytes[rva..rva + size as usize]);
        }
        file
    }

    /// The module of such a file, loaded at [`Self::BASE`].
    pub(crate) fn module(name: &str, time_date_stamp: u32) -> LoadedModule {
        LoadedModule {
            base: Self::BASE,
            size: Self::SIZE,
            name: name.into(),
            version: None,
            time_date_stamp,
            check_sum: 0,
            debug_id: None,
            debug_file: None,
            code_id: format!("{time_date_stamp:08X}{:x}", Self::SIZE),
        }
    }

    pub(crate) fn region(bytes: &[u8]) -> Region<'_> {
        Region { base: Self::BASE, bytes, source: MemorySource::MemoryList }
    }

    pub(crate) fn space(bytes: &[u8]) -> AddressSpace<'_> {
        AddressSpace::new([Self::region(bytes)])
    }

    pub(crate) fn image(bytes: &[u8]) -> Image {
        Image::parse(&Self::space(bytes), Self::BASE, Self::SIZE).unwrap()
    }
}

/// A dump of `../shared/dumps`; `None`, with the reason printed, when the folder is not there.
pub(crate) fn real_dump(name: &str) -> Option<Minidump<'static, Vec<u8>>> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/dumps").join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    Some(Minidump::read(bytes).unwrap())
}

/// The regions of a dump with full memory.
pub(crate) fn memory(list: &MinidumpMemory64List<'_>) -> Vec<(u64, Vec<u8>)> {
    list.iter().map(|part| (part.base_address, part.bytes.to_vec())).collect()
}

pub(crate) fn space_of(parts: &[(u64, Vec<u8>)]) -> AddressSpace<'_> {
    AddressSpace::new(parts.iter().map(|(base, bytes)| Region {
        base: *base,
        bytes,
        source: MemorySource::Memory64List,
    }))
}

/// (base, size, file name) of every module.
pub(crate) fn modules(dump: &Minidump<'static, Vec<u8>>) -> Vec<(u64, u64, String)> {
    let list = dump.get_stream::<MinidumpModuleList>().unwrap();
    list.iter()
        .map(|module| (module.base_address(), module.size(), module.code_file().into_owned()))
        .collect()
}

pub(crate) fn threads<'d>(dump: &'d Minidump<'static, Vec<u8>>) -> MinidumpThreadList<'d> {
    dump.get_stream::<MinidumpThreadList<'_>>().unwrap()
}
