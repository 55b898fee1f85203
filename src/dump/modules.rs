//! Loaded modules: ModuleList (4).

use super::bytes::{Stream, array_at, clipped, u16_at, u32_at, u64_at};
use super::context::Location;
use super::error::Warnings;
use super::text;

/// Size of MINIDUMP_MODULE in bytes (minidumpapiset.h).
const ENTRY_SIZE: u64 = 108;
/// Most modules read; the largest real processes have about 1,000.
pub const MAX_MODULES: u64 = 16_384;
/// VS_FIXEDFILEINFO.dwSignature (verrsrc.h).
const VERSION_SIGNATURE: u32 = 0xfeef_04bd;
/// Most bytes read of a CodeView record: 24 and a path.
pub(crate) const MAX_CODEVIEW: u64 = 4096;

/// MINIDUMP_MODULE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// +0 BaseOfImage.
    pub base: u64,
    /// +8 SizeOfImage in bytes.
    pub size: u64,
    /// +20 ModuleNameRva: the path as in the dump, sanitised.
    pub name: String,
    /// +24 VersionInfo: dwFileVersionMS and LS as four words.
    pub version: Option<[u16; 4]>,
    /// +16 TimeDateStamp of the image.
    pub time_date_stamp: u32,
    /// +12 CheckSum of the image.
    pub check_sum: u32,
    /// GUID and age of the CodeView record, as Breakpad writes them.
    pub debug_id: Option<String>,
    /// Path of the PDB in the CodeView record, sanitised.
    pub debug_file: Option<String>,
    /// TimeDateStamp and SizeOfImage, as symbol servers index images.
    pub code_id: String,
}

impl Module {
    /// The name behind the last separator.
    #[must_use]
    pub fn file_name(&self) -> &str {
        file_name(&self.name)
    }

    /// First address behind the image; saturates.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.base.saturating_add(self.size)
    }

    /// Whether the file is the program's own, by its path: it has one, and that does not lead through the folder of Windows, where the
    /// system and the runtime libraries that come with it lie.
    #[must_use]
    pub fn is_of_program(&self) -> bool {
        is_of_program(&self.name)
    }

    /// The file name is `name`, without regard to case.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.file_name().eq_ignore_ascii_case(name)
    }
}

fn is_of_program(path: &str) -> bool {
    path.contains(['\\', '/']) && !is_of_windows(path)
}

/// Whether a path leads through the folder of Windows.
pub(crate) fn is_of_windows(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.rsplit(['\\', '/']).skip(1).any(|folder| matches!(folder, "windows" | "winnt"))
}

/// The part of a Windows path behind its last separator.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['\\', '/']).next().unwrap_or(path)
}

/// Reads the module list entry by entry: a bad name or CodeView record costs only itself. The crate's reader
/// gives up the list for one bad entry and copies names of any length.
pub(crate) fn read(file: &[u8], stream: Stream<'_>, warnings: &mut Warnings) -> Vec<Module> {
    let Some(layout) = stream.counted_list(ENTRY_SIZE) else {
        warnings.push(stream.name, stream.rva, "expected a count of modules, found no bytes");
        return Vec::new();
    };
    let held = stream.held(layout, MAX_MODULES);
    if held < layout.count {
        let text = format!("{} modules announced, {held} read", layout.count);
        warnings.push(stream.name, stream.rva, text);
    }
    let mut modules = Vec::new();
    for (offset, entry) in stream.entries(layout, held) {
        let Some(module) = read_module(file, entry) else { continue };
        if module.name.is_empty() {
            warnings.push(stream.name, offset, "expected a module's name, found none in the file");
        }
        modules.push(module);
    }
    modules
}

/// The modules that a glance needs: the first, the one that holds `address`, and those of certain file names. The others
/// cost only a look at the end of their names.
pub(crate) fn read_some(
    file: &[u8],
    stream: Stream<'_>,
    address: Option<u64>,
    names: &[&str],
) -> Vec<Module> {
    let Some(layout) = stream.counted_list(ENTRY_SIZE) else { return Vec::new() };
    let held = stream.held(layout, MAX_MODULES);
    let mut modules = Vec::new();
    for (index, (_, entry)) in stream.entries(layout, held).enumerate() {
        let holds = || {
            let offset = address?.checked_sub(u64_at(entry, 0)?)?;
            Some(offset < u64::from(u32_at(entry, 8)?))
        };
        let is_named = || {
            let rva = u32_at(entry, 20).map(u64::from);
            rva.is_some_and(|rva| names.iter().any(|name| is_file_name(file, rva, name)))
        };
        if index == 0 || holds() == Some(true) || is_named() {
            modules.extend(read_module(file, entry));
        }
    }
    modules
}

/// Whether a MINIDUMP_STRING is a path of that file name (ASCII), without regard to case.
fn is_file_name(file: &[u8], rva: u64, name: &str) -> bool {
    let unit = |at: usize| {
        let offset = usize::try_from(rva).ok()?.checked_add(4)?.checked_add(at.checked_mul(2)?)?;
        u16_at(file, offset)
    };
    let bytes = usize::try_from(rva).ok().and_then(|rva| u32_at(file, rva));
    let units = bytes.and_then(|bytes| usize::try_from(bytes / 2).ok());
    let Some(start) = units.and_then(|units| units.checked_sub(name.len())) else { return false };
    let is_same = |(index, byte): (usize, u8)| {
        let found =
            start.checked_add(index).and_then(unit).and_then(|unit| u8::try_from(unit).ok());
        found.is_some_and(|found| found.eq_ignore_ascii_case(&byte))
    };
    let before = start.checked_sub(1).map(unit);
    let parts =
        before.is_none_or(|unit| unit == Some(u16::from(b'\\')) || unit == Some(u16::from(b'/')));
    parts && name.bytes().enumerate().all(is_same)
}

fn read_module(file: &[u8], entry: &[u8]) -> Option<Module> {
    let (size, time_date_stamp) = (u32_at(entry, 8)?, u32_at(entry, 16)?);
    let name = text::minidump_string(file, u32_at(entry, 20)?.into()).unwrap_or_default();
    let location = Location::read(entry, 76)?;
    let codeview =
        clipped(file, u64::from(location.rva), u64::from(location.size).min(MAX_CODEVIEW));
    let (debug_id, debug_file) = read_codeview(codeview).unzip();
    Some(Module {
        base: u64_at(entry, 0)?,
        size: size.into(),
        name,
        version: read_version(entry.get(24..76)?),
        time_date_stamp,
        check_sum: u32_at(entry, 12)?,
        debug_id,
        debug_file,
        code_id: format!("{time_date_stamp:08X}{size:x}"),
    })
}

/// VS_FIXEDFILEINFO: +0 dwSignature, +8 dwFileVersionMS, +12 dwFileVersionLS.
fn read_version(raw: &[u8]) -> Option<[u16; 4]> {
    if u32_at(raw, 0)? != VERSION_SIGNATURE {
        return None;
    }
    let version = [u16_at(raw, 10)?, u16_at(raw, 8)?, u16_at(raw, 14)?, u16_at(raw, 12)?];
    (version != [0; 4]).then_some(version)
}

/// Breakpad's debug id and the PDB's path. `RSDS`: +4 GUID, +20 u32 age, +24 path.
/// `NB10`: +8 u32 time stamp, +12 u32 age, +16 path.
pub(crate) fn read_codeview(raw: &[u8]) -> Option<(String, String)> {
    match array_at(raw, 0)? {
        [b'R', b'S', b'D', b'S'] => {
            let (first, second, third) = (u32_at(raw, 4)?, u16_at(raw, 8)?, u16_at(raw, 10)?);
            let last = u64::from_be_bytes(array_at(raw, 12)?);
            let age = u32_at(raw, 20)?;
            let id = format!("{first:08X}{second:04X}{third:04X}{last:016X}{age:x}");
            Some((id, text::utf8(raw.get(24..)?)))
        }
        [b'N', b'B', b'1', b'0'] => {
            let (stamp, age) = (u32_at(raw, 8)?, u32_at(raw, 12)?);
            Some((format!("{stamp:08X}{age:x}"), text::utf8(raw.get(16..)?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_of_program, is_of_windows};

    #[test]
    fn the_programs_own_modules_lie_outside_windows() {
        assert!(is_of_program("C:\\Program Files\\Contoso\\app.exe"));
        for path in [
            "C:\\Windows\\System32\\a.dll",
            "\\\\?\\C:\\WINDOWS\\WinSxS\\x86\\a.dll",
            "\\Device\\HarddiskVolume1\\Windows\\a.dll",
            "a.dll",
            "",
        ] {
            assert!(!is_of_program(path), "{path}");
        }
        // A name without a folder does not tell whose the module is.
        assert!(is_of_windows("C:\\WINNT\\a.dll") && !is_of_windows("a.dll"));
        assert!(!is_of_windows("C:\\Program Files\\windows"), "a file of that name");
    }
}
