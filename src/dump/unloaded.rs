//! Unloaded modules: UnloadedModuleList (14).

use super::bytes::{Layout, Stream, u32_at, u64_at};
use super::error::Warnings;
use super::memory::PointerWidth;
use super::modules::file_name;
use super::text;

/// Size of MINIDUMP_UNLOADED_MODULE in bytes (critical-sections.md 7.6).
const ENTRY_SIZE: u32 = 24;
/// Size of the stream's header in bytes: u32 SizeOfHeader, SizeOfEntry, NumberOfEntries.
const HEADER_SIZE: u32 = 12;
/// Most entries read; ntdll's ring has 64.
const MAX_UNLOADED: u64 = 4096;

/// MINIDUMP_UNLOADED_MODULE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnloadedModule {
    /// +0 BaseOfImage.
    pub base: u64,
    /// +8 SizeOfImage in bytes.
    pub size: u64,
    /// +12 CheckSum.
    pub check_sum: u32,
    /// +16 TimeDateStamp.
    pub time_date_stamp: u32,
    /// +20 ModuleNameRva: its name, sanitised; empty when it is not in the file.
    pub name: String,
}

impl UnloadedModule {
    /// The name behind the last separator.
    #[must_use]
    pub fn file_name(&self) -> &str {
        file_name(&self.name)
    }

    /// The image held `address`.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        address.checked_sub(self.base).is_some_and(|offset| offset < self.size)
    }
}

/// Reads the list.
pub(crate) fn read(
    file: &[u8],
    stream: Stream<'_>,
    width: PointerWidth,
    warnings: &mut Warnings,
) -> Vec<UnloadedModule> {
    let Some(layout) = sized_list(stream, HEADER_SIZE, ENTRY_SIZE, warnings) else {
        return Vec::new();
    };
    let held = stream.held(layout, MAX_UNLOADED);
    if held < layout.count {
        let text = format!("{} modules announced, {held} read", layout.count);
        warnings.push(stream.name, stream.rva, text);
    }
    let decode = |(_, entry): (u64, &[u8])| {
        Some(UnloadedModule {
            base: width.truncate(u64_at(entry, 0)?),
            size: u32_at(entry, 8)?.into(),
            check_sum: u32_at(entry, 12)?,
            time_date_stamp: u32_at(entry, 16)?,
            name: text::minidump_string(file, u32_at(entry, 20)?.into()).unwrap_or_default(),
        })
    };
    stream.entries(layout, held).filter_map(decode).collect()
}

/// Layout of the streams that start with {u32 SizeOfHeader, u32 SizeOfEntry, u32 NumberOfEntries}; sizes larger than
/// the ones known are honoured, smaller ones refused with a warning.
pub(crate) fn sized_list(
    stream: Stream<'_>,
    least_header: u32,
    least_entry: u32,
    warnings: &mut Warnings,
) -> Option<Layout> {
    let (Some(header), Some(entry), Some(count)) = (stream.u32(0), stream.u32(4), stream.u32(8))
    else {
        let text =
            format!("expected a header of {least_header} bytes, found {}", stream.bytes.len());
        warnings.push(stream.name, stream.rva, text);
        return None;
    };
    if header < least_header {
        let text = format!("expected a header of {least_header} bytes or more, found {header}");
        warnings.push(stream.name, stream.rva, text);
        return None;
    }
    if entry < least_entry {
        let text = format!("expected entries of {least_entry} bytes or more, found {entry}");
        warnings.push(stream.name, stream.rva.saturating_add(4), text);
        return None;
    }
    Some(Layout { header: header.into(), entry: entry.into(), count: count.into() })
}
