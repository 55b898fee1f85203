//! Where things are in a dump file, so that damage can be aimed.

use csdump::crash::stack::{self, Scene};
use csdump::dump::Dump;
use csdump::image::flow::FlowCache;
use csdump::image::images::Images;
use csdump::image::registers::RegisterFile;
use std::ops::Range;

/// Most bytes of one stream that count as its beginning.
const STREAM_HEAD: usize = 256;

/// Offset in the file of an address of the process.
pub fn offset_of(dump: &Dump<'_>, address: u64) -> Option<usize> {
    let bytes = dump.memory.tail(address)?;
    Some(bytes.as_ptr() as usize - dump.file().as_ptr() as usize)
}

/// File ranges of what the analysis trusts most: header, directory, streams, contexts, PE headers and function
/// tables, the section, code and stack of the frames.
pub fn targets(file: &[u8]) -> Vec<Range<usize>> {
    let dump = Dump::parse(file).unwrap();
    let mut ranges = Vec::new();
    ranges.push(0..32);
    let directory = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
    ranges.push(directory..directory + dump.directory.len() * 12);
    for entry in &dump.directory {
        let stream = dump.stream(entry.stream_type).unwrap();
        let at = stream.rva as usize;
        ranges.push(at..at + stream.bytes.len().min(STREAM_HEAD));
        ranges.push(at..at + stream.bytes.len());
    }
    for located in [(6, 160), (3, 4 + 40)] {
        ranges.extend(located_range(&dump, located));
    }
    ranges.extend(in_memory(&dump));
    ranges.retain(|range| !range.is_empty() && range.end <= file.len());
    ranges
}

/// What a location descriptor {size, rva} in a stream points to.
fn located_range(dump: &Dump<'_>, (stream, offset): (u32, usize)) -> Option<Range<usize>> {
    let bytes = dump.stream(stream)?.bytes;
    let word =
        |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    let (size, rva) = (word(offset)?, word(offset + 4)?);
    Some(rva..rva + size)
}

fn in_memory(dump: &Dump<'_>) -> Vec<Range<usize>> {
    let around = |address: u64, before: u64, bytes: usize| {
        let start = offset_of(dump, address.checked_sub(before)?)?;
        Some(start..start + bytes)
    };
    let modules = || dump.modules.iter().map(|module| (module.base, module.size));
    let images = Images::new(&dump.memory, modules());
    let flows = FlowCache::default();
    let scene = Scene { dump, images: &images, flows: &flows };
    let mut found: Vec<Option<Range<usize>>> =
        modules().map(|(base, _)| around(base, 0, 0x400)).collect();
    let context = dump.exception.as_ref().and_then(|exception| exception.context.as_ref());
    if let Some(registers) = context.and_then(RegisterFile::from_context) {
        found.push(registers.sp().and_then(|sp| around(sp, 0, 0x800)));
        for frame in stack::walk(scene, registers) {
            let ip = frame.registers.ip();
            found.push(around(ip, 16, 32));
            found.push(frame.registers.sp().and_then(|sp| around(sp, 16, 64)));
            found.extend(tables(scene, ip).into_iter().map(|at| around(at, 0, 0x40)));
        }
    }
    for thread in &dump.threads {
        found.push(around(thread.teb, 0, 0x80));
    }
    found.into_iter().flatten().collect()
}

/// Addresses of the function table entry and the unwind record of the function at `ip`.
pub fn tables(scene: Scene<'_, '_>, ip: u64) -> Vec<u64> {
    use csdump::image::{runtime_functions, runtime_functions_arm64};
    let found = || {
        let image = scene.images.image_at(ip)?;
        let (memory, rva) = (&scene.dump.memory, image.rva(ip.checked_sub(1)?)?);
        let unwind_data = match image.machine {
            csdump::image::pe::Machine::Arm64 => {
                runtime_functions_arm64::lookup(memory, image, rva).ok()??.unwind_data
            }
            _ => runtime_functions::lookup(memory, image, rva).ok()??.unwind_data,
        };
        let table = csdump::image::pe::DirectoryKind::Exception;
        let table = image.address(image.directory(table).ok()?.rva)?;
        // Packed unwind data of ARM64 is no address.
        Some([Some(table), image.address(unwind_data)].into_iter().flatten().collect())
    };
    found().unwrap_or_default()
}
