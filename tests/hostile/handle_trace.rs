//! Handle traces that lie: sizes, counts, depths, and traces that are cut off or filled to the brim.

use super::{analyse, lab, peak_of, put, watched};
use csdump::dump::{Dump, stream_type};
use csdump::report::handles;

const NAME: &str = "t-closed-x64-trace-code";
const ENTRY: usize = 288;

/// The dump with another trace behind its end.
fn with_trace(file: &[u8], stream: &[u8], declared: u32) -> Vec<u8> {
    let mut file = file.to_vec();
    let entries = Dump::parse(&file).unwrap().directory;
    let wanted = stream_type::HANDLE_OPERATION_LIST;
    let index = entries.iter().position(|entry| entry.stream_type == wanted).unwrap();
    let rva = file.len() as u32;
    put(&mut file, 32 + index * 12 + 4, &declared.to_le_bytes());
    put(&mut file, 32 + index * 12 + 8, &rva.to_le_bytes());
    file.extend_from_slice(stream);
    file
}

fn trace_of(file: &[u8]) -> Vec<u8> {
    let dump = Dump::parse(file).unwrap();
    dump.stream(stream_type::HANDLE_OPERATION_LIST).unwrap().bytes.to_vec()
}

fn header(sizes: [u32; 4]) -> Vec<u8> {
    sizes.map(u32::to_le_bytes).concat()
}

/// The analysis, and the history of every value around the section's handle.
fn all_of(file: &[u8]) {
    assert!(analyse(file).is_some());
    let (_, peak) = peak_of(|| {
        let dump = Dump::parse(file).unwrap();
        for value in [0, 1, 0x3c, 0x3f, u64::MAX] {
            let report = handles::report(&dump, "hostile.dmp".into(), Some(value));
            let operations = report.asked.unwrap().operations;
            assert!(operations.len() <= 32, "{}", operations.len());
            assert!(operations.iter().all(|one| one.frames.len() <= 32));
        }
    });
    assert!(peak <= (48 << 20) + 8 * file.len(), "{peak} bytes");
}

#[test]
fn sizes_and_counts_that_lie() {
    watched(Box::new(|next| {
        let file = lab(NAME);
        let entries = trace_of(&file)[16..].to_vec();
        for size in [0, 1, 16, 287, 288, 289, 4096, u32::MAX] {
            for head in [0, 15, 16, 17, u32::MAX] {
                for count in [0, 1, 7, u32::MAX] {
                    next(format!("header {head}, entry {size}, count {count}"));
                    let stream = [header([head, size, count, 0]), entries.clone()].concat();
                    all_of(&with_trace(&file, &stream, stream.len() as u32));
                }
            }
        }
    }));
}

#[test]
fn depths_that_lie_and_addresses_of_nothing() {
    watched(Box::new(|next| {
        let file = lab(NAME);
        for depth in [0, 32, 33, 0x7fff_ffff, u32::MAX] {
            for address in [0, 1, 0x1_4000_1629, 0x7fff_ffff_ffff_ffff, u64::MAX] {
                next(format!("depth {depth:#x}, address {address:#x}"));
                let mut stream = trace_of(&file);
                for entry in stream[16..].chunks_mut(ENTRY) {
                    put(entry, 0x18, &depth.to_le_bytes());
                    for slot in (0x20..ENTRY).step_by(8) {
                        put(entry, slot, &address.to_le_bytes());
                    }
                }
                all_of(&with_trace(&file, &stream, stream.len() as u32));
            }
        }
    }));
}

#[test]
fn a_trace_cut_off_anywhere() {
    watched(Box::new(|next| {
        let file = lab(NAME);
        let stream = trace_of(&file);
        for length in (0..stream.len()).step_by(37) {
            next(format!("{length} bytes"));
            all_of(&with_trace(&file, &stream[..length], stream.len() as u32));
            all_of(&with_trace(&file, &stream[..length], u32::MAX));
        }
    }));
}

/// As many entries as are read at all, each of the same handle and thread, with full stacks.
#[test]
fn a_trace_filled_to_the_brim() {
    watched(Box::new(|next| {
        let file = lab(NAME);
        let entries = trace_of(&file)[16..].to_vec();
        for kinds in [[1, 2, 3], [3, 3, 3], [2, 2, 2], [9, 9, 9]] {
            next(format!("{kinds:?}"));
            let mut full = entries.repeat(70_000 / (entries.len() / ENTRY));
            for (index, entry) in full.chunks_mut(ENTRY).enumerate() {
                put(entry, 0x10, &u32::to_le_bytes(kinds[index % 3]));
                put(entry, 0x18, &32_u32.to_le_bytes());
            }
            let count = (full.len() / ENTRY) as u32;
            let stream = [header([16, 288, count, 0]), full].concat();
            all_of(&with_trace(&file, &stream, stream.len() as u32));
        }
    }));
}
