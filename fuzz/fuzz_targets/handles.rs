//! Any bytes as a handle stream at the end of an otherwise sound dump.
#![no_main]

use csdump::dump::Dump;
use libfuzzer_sys::fuzz_target;

/// HandleDataStream (minidumpapiset.h).
const HANDLE_DATA: u32 = 12;
/// Bytes of the header and one directory entry.
const START: u32 = 32 + 12;

fuzz_target!(|stream: &[u8]| {
    let Ok(size) = u32::try_from(stream.len()) else { return };
    let mut file = b"MDMP\x93\xa7\0\0".to_vec();
    for word in [1, 32, 0, 0, 0, 0, HANDLE_DATA, size, START] {
        file.extend(u32::to_le_bytes(word));
    }
    file.extend(stream);
    let Ok(dump) = Dump::parse(&file) else { return };
    let Some(table) = dump.handles else { return };
    for handle in &table.handles {
        assert_eq!(table.get(handle.value).map(|found| found.value), Some(handle.value));
    }
});
