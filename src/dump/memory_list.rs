//! Memory of the process: Memory64List (9), MemoryList (5) and the stacks of the threads.

use std::collections::HashMap;

use super::bytes::{Layout, Stream, clipped, u64_at};
use super::context::Location;
use super::error::Warnings;
use super::memory::{MemorySource, Region};
use super::threads::Thread;

/// Size of MINIDUMP_MEMORY_DESCRIPTOR in bytes: u64 StartOfMemoryRange, u32 DataSize, u32 Rva.
const ENTRY_SIZE: u64 = 16;
/// Size of the header of Memory64List in bytes: u64 NumberOfMemoryRanges, u64 BaseRva.
const HEADER64_SIZE: u64 = 16;
/// Most ranges read; a full dump of a large process has about 100,000.
const MAX_MEMORY_RANGES: u64 = 262_144;

/// Reads Memory64List: entries of u64 StartOfMemoryRange and u64 DataSize, their bytes one after another from BaseRva.
pub(crate) fn read_memory64<'a>(
    file: &'a [u8],
    stream: Stream<'a>,
    warnings: &mut Warnings,
) -> Vec<Region<'a>> {
    let (Some(count), Some(base_rva)) = (stream.u64(0), stream.u64(8)) else {
        warnings.push(stream.name, stream.rva, "expected a header of 16 bytes, found less");
        return Vec::new();
    };
    let layout = Layout { header: HEADER64_SIZE, entry: 16, count };
    let held = held(stream, layout, warnings);
    let mut missing = Missing::default();
    let mut rva = base_rva;
    let mut regions = Vec::new();
    for (offset, entry) in stream.entries(layout, held) {
        let (Some(base), Some(size)) = (u64_at(entry, 0), u64_at(entry, 8)) else { break };
        let bytes = clipped(file, rva, size);
        missing.note(offset, size, bytes);
        regions.push(Region { base, bytes, source: MemorySource::Memory64List });
        rva = rva.saturating_add(size);
    }
    missing.warn(stream, warnings);
    regions
}

/// Reads MemoryList: u32 NumberOfMemoryRanges, then descriptors.
pub(crate) fn read_memory<'a>(
    file: &'a [u8],
    stream: Stream<'a>,
    warnings: &mut Warnings,
) -> Vec<Region<'a>> {
    let Some(layout) = stream.counted_list(ENTRY_SIZE) else {
        warnings.push(stream.name, stream.rva, "expected a count of ranges, found no bytes");
        return Vec::new();
    };
    let held = held(stream, layout, warnings);
    let mut missing = Missing::default();
    let mut regions = Vec::new();
    for (offset, entry) in stream.entries(layout, held) {
        let (Some(base), Some(location)) = (u64_at(entry, 0), Location::read(entry, 8)) else {
            break;
        };
        let bytes = clipped(file, location.rva.into(), location.size.into());
        missing.note(offset, location.size.into(), bytes);
        regions.push(Region { base, bytes, source: MemorySource::MemoryList });
    }
    missing.warn(stream, warnings);
    regions
}

/// Adds the stacks that no list holds already: nearly all dumps name them in both places.
pub(crate) fn add_stacks<'a>(file: &'a [u8], threads: &[Thread], regions: &mut Vec<Region<'a>>) {
    let known: HashMap<u64, usize> =
        regions.iter().map(|region| (region.base, region.bytes.len())).collect();
    for thread in threads {
        let (base, size) = thread.stack;
        let bytes = clipped(file, thread.stack_rva.into(), size);
        // An Rva of 0 means that the bytes stand in Memory64List (minidumpapiset.h: full-memory dumps).
        let listed = known.get(&base).is_some_and(|length| *length >= bytes.len());
        if thread.stack_rva != 0 && !listed && !bytes.is_empty() {
            regions.push(Region { base, bytes, source: MemorySource::ThreadStack });
        }
    }
}

fn held(stream: Stream<'_>, layout: Layout, warnings: &mut Warnings) -> u64 {
    let held = stream.held(layout, MAX_MEMORY_RANGES);
    if held < layout.count {
        let text = format!("{} ranges announced, {held} read", layout.count);
        warnings.push(stream.name, stream.rva, text);
    }
    held
}

/// Memory that the list names and the file does not hold: one warning for all of it.
#[derive(Default)]
struct Missing {
    first_offset: Option<u64>,
    ranges: u64,
    bytes: u64,
}

impl Missing {
    fn note(&mut self, offset: u64, size: u64, found: &[u8]) {
        let short = size.saturating_sub(found.len() as u64);
        if short > 0 {
            self.first_offset.get_or_insert(offset);
            self.ranges = self.ranges.saturating_add(1);
            self.bytes = self.bytes.saturating_add(short);
        }
    }

    fn warn(&self, stream: Stream<'_>, warnings: &mut Warnings) {
        if let Some(offset) = self.first_offset {
            let (bytes, ranges) = (self.bytes, self.ranges);
            let text = format!("{bytes} bytes in {ranges} ranges are not in the file");
            warnings.push(stream.name, offset, text);
        }
    }
}
