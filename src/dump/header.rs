//! The header, the directory of streams, and how a stream is found.

use super::bytes::{Stream, clipped, u32_at, u64_at};
use super::container::{Content, recognise};
use super::error::{DumpError, Warnings};

/// Size of MINIDUMP_HEADER in bytes (minidumpapiset.h).
pub(crate) const HEADER_SIZE: usize = 32;
/// Size of MINIDUMP_DIRECTORY in bytes: u32 StreamType, u32 DataSize, u32 Rva.
const ENTRY_SIZE: u64 = 12;
/// Low word of the header's version (MINIDUMP_VERSION).
const MINIDUMP_VERSION: u32 = 0xa793;
/// Most streams read. Windows writes about 20, the largest known writers 40.
pub const MAX_STREAMS: u64 = 1024;

/// Numbers of the streams read here (minidumpapiset.h; the last four are vendors').
pub mod stream_type {
    #![allow(missing_docs)]
    pub const UNUSED: u32 = 0;
    pub const THREAD_LIST: u32 = 3;
    pub const MODULE_LIST: u32 = 4;
    pub const MEMORY_LIST: u32 = 5;
    pub const EXCEPTION: u32 = 6;
    pub const SYSTEM_INFO: u32 = 7;
    pub const MEMORY64_LIST: u32 = 9;
    pub const COMMENT_A: u32 = 10;
    pub const COMMENT_W: u32 = 11;
    pub const HANDLE_DATA: u32 = 12;
    pub const UNLOADED_MODULE_LIST: u32 = 14;
    pub const MISC_INFO: u32 = 15;
    pub const MEMORY_INFO_LIST: u32 = 16;
    pub const THREAD_INFO_LIST: u32 = 17;
    pub const HANDLE_OPERATION_LIST: u32 = 18;
    pub const THREAD_NAMES: u32 = 24;
    pub const WINE_ELF_MODULES: u32 = 0xfff0;
    pub const CRASHPAD_INFO: u32 = 0x4350_0001;
    pub const BREAKPAD_INFO: u32 = 0x4767_0001;
    pub const BREAKPAD_ASSERTION: u32 = 0x4767_0002;
}

/// Name of a stream in messages: minidumpapiset.h's without the word "Stream".
#[must_use]
pub fn stream_name(number: u32) -> &'static str {
    use stream_type as of;
    match number {
        of::UNUSED => "Unused",
        of::THREAD_LIST => "ThreadList",
        of::MODULE_LIST => "ModuleList",
        of::MEMORY_LIST => "MemoryList",
        of::EXCEPTION => "Exception",
        of::SYSTEM_INFO => "SystemInfo",
        8 => "ThreadExList",
        of::MEMORY64_LIST => "Memory64List",
        of::COMMENT_A => "CommentA",
        of::COMMENT_W => "CommentW",
        of::HANDLE_DATA => "HandleData",
        13 => "FunctionTable",
        of::UNLOADED_MODULE_LIST => "UnloadedModuleList",
        of::MISC_INFO => "MiscInfo",
        of::MEMORY_INFO_LIST => "MemoryInfoList",
        of::THREAD_INFO_LIST => "ThreadInfoList",
        of::HANDLE_OPERATION_LIST => "HandleOperationList",
        19 => "Token",
        20 => "JavaScriptData",
        21 => "SystemMemoryInfo",
        22 => "ProcessVmCounters",
        23 => "IptTrace",
        of::THREAD_NAMES => "ThreadNames",
        of::WINE_ELF_MODULES => "WineElfModules",
        of::CRASHPAD_INFO => "CrashpadInfo",
        of::BREAKPAD_INFO => "BreakpadInfo",
        of::BREAKPAD_ASSERTION => "BreakpadAssertion",
        _ => "unknown stream",
    }
}

/// MINIDUMP_HEADER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// +4 Version: low word 0xa793, high word the writer's own.
    pub version: u32,
    /// +16 CheckSum; 0 in nearly all dumps.
    pub check_sum: u32,
    /// +20 TimeDateStamp: when the dump was written, seconds since 1970.
    pub time_date_stamp: u32,
    /// +24 Flags: the MINIDUMP_TYPE bits asked for.
    pub flags: u64,
}

/// MINIDUMP_DIRECTORY: one stream of the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamEntry {
    /// StreamType.
    pub stream_type: u32,
    /// Size in bytes.
    pub size: u32,
    /// Offset in the file, in bytes.
    pub rva: u32,
}

/// The directory and the file it points into.
#[derive(Debug, Clone)]
pub(crate) struct Directory<'a> {
    pub(crate) file: &'a [u8],
    pub(crate) entries: Vec<StreamEntry>,
    /// Every entry the header announced was read.
    pub(crate) complete: bool,
}

/// Reads header and directory. The only step whose failure is an error.
pub(crate) fn read<'a>(
    file: &'a [u8],
    warnings: &mut Warnings,
) -> Result<(Header, Directory<'a>), DumpError> {
    if recognise(file)? != Content::Minidump {
        return Err(not_minidump("a compressed file or an archive"));
    }
    let (Some(version), Some(count), Some(rva), Some(check_sum), Some(time), Some(flags)) = (
        u32_at(file, 4),
        u32_at(file, 8),
        u32_at(file, 12),
        u32_at(file, 16),
        u32_at(file, 20),
        u64_at(file, 24),
    ) else {
        return Err(malformed("header", 0, format!("{HEADER_SIZE} bytes"), file.len().to_string()));
    };
    if version & 0xffff != MINIDUMP_VERSION {
        let found = format!("{:#06x}", version & 0xffff);
        return Err(malformed("header", 4, format!("version {MINIDUMP_VERSION:#06x}"), found));
    }
    let header = Header { version, check_sum, time_date_stamp: time, flags };
    Ok((header, read_directory(file, rva, count, warnings)?))
}

/// The error for bytes that are no minidump.
pub(crate) fn not_minidump(found: impl Into<String>) -> DumpError {
    DumpError::NotMinidump { offset: 0, expected: "MDMP", found: found.into() }
}

fn malformed(stream: &'static str, offset: u64, expected: String, found: String) -> DumpError {
    DumpError::Malformed { stream, offset, expected, found }
}

fn read_directory<'a>(
    file: &'a [u8],
    rva: u32,
    count: u32,
    warnings: &mut Warnings,
) -> Result<Directory<'a>, DumpError> {
    let (offset, count) = (u64::from(rva), u64::from(count));
    let bytes = clipped(file, offset, count.saturating_mul(ENTRY_SIZE));
    let held = (bytes.len() as u64).checked_div(ENTRY_SIZE).unwrap_or(0);
    if held == 0 {
        let found = format!("{count} announced, none inside the file of {} bytes", file.len());
        return Err(malformed("directory", offset, "at least one stream".into(), found));
    }
    if held < count {
        warnings.push(
            "directory",
            offset,
            format!("{count} streams announced, {held} in the file"),
        );
    } else if count > MAX_STREAMS {
        warnings.push("directory", offset, format!("{count} streams, only {MAX_STREAMS} are read"));
    }
    let mut entries = Vec::new();
    for raw in bytes.chunks_exact(12).take(usize::try_from(MAX_STREAMS).unwrap_or(0)) {
        let (Some(stream_type), Some(size), Some(rva)) =
            (u32_at(raw, 0), u32_at(raw, 4), u32_at(raw, 8))
        else {
            break;
        };
        entries.push(StreamEntry { stream_type, size, rva });
    }
    let directory = Directory { file, entries, complete: held == count && count <= MAX_STREAMS };
    directory.check(warnings);
    Ok(directory)
}

impl<'a> Directory<'a> {
    /// Warns about streams that leave the file and about types that occur twice.
    fn check(&self, warnings: &mut Warnings) {
        let mut seen = std::collections::BTreeSet::new();
        for entry in self.entries.iter().filter(|entry| entry.stream_type != stream_type::UNUSED) {
            let (name, rva) = (stream_name(entry.stream_type), u64::from(entry.rva));
            let held = clipped(self.file, rva, u64::from(entry.size)).len();
            if (held as u64) < u64::from(entry.size) {
                let text = format!("{} bytes announced, {held} in the file", entry.size);
                warnings.push(name, rva, text);
            }
            if !seen.insert(entry.stream_type) {
                let text =
                    format!("a second stream of type {:#x}; the last is read", entry.stream_type);
                warnings.push(name, rva, text);
            }
        }
    }

    /// The stream of that type; the last one where there are several, as the minidump crate does.
    pub(crate) fn stream(&self, number: u32) -> Option<Stream<'a>> {
        let entry = self.entries.iter().rev().find(|entry| entry.stream_type == number)?;
        let (rva, declared_size) = (u64::from(entry.rva), u64::from(entry.size));
        let bytes = clipped(self.file, rva, declared_size);
        Some(Stream { name: stream_name(number), rva, declared_size, bytes })
    }
}
