//! Any bytes as a handle stream, and as a handle trace, at the end of an otherwise sound dump.
#![no_main]

use csdump::dump::Dump;
use libfuzzer_sys::fuzz_target;

/// HandleDataStream (minidumpapiset.h).
const HANDLE_DATA: u32 = 12;
/// HandleOperationListStream.
const HANDLE_OPERATION_LIST: u32 = 18;
/// Bytes of the header and two directory entries.
const START: u32 = 32 + 2 * 12;

fuzz_target!(|stream: &[u8]| {
    let Ok(size) = u32::try_from(stream.len()) else { return };
    let mut file = b"MDMP\x93\xa7\0\0".to_vec();
    let streams = [HANDLE_DATA, size, START, HANDLE_OPERATION_LIST, size, START];
    for word in [2, 32, 0, 0, 0, 0].into_iter().chain(streams) {
        file.extend(u32::to_le_bytes(word));
    }
    file.extend(stream);
    let Ok(dump) = Dump::parse(&file) else { return };
    for one in dump.handle_trace.iter().flat_map(|trace| trace.operations()) {
        assert!(one.return_addresses().count() <= 32);
    }
    let Some(table) = dump.handles else { return };
    for handle in &table.handles {
        assert_eq!(table.get(handle.value).map(|found| found.value), Some(handle.value));
    }
});
