//! Handle traces of every shape.

use proptest::prelude::*;

use crate::dump::handle_trace::{MAX_DEPTH, MAX_OPERATIONS, OperationKind};
use crate::dump::synth::{Synth, operation, operations};
use crate::dump::{Cpu, Dump, stream_type};

fn with_stream(cpu: Cpu, stream: Vec<u8>) -> Vec<u8> {
    Synth::new(cpu).stream(stream_type::HANDLE_OPERATION_LIST, stream).build()
}

#[test]
fn every_field_of_an_operation_is_read() {
    let entries = [
        operation(0x164, 77, 7, 1, &[0x7700_1000, 0x1_4000_2000]),
        operation(0x165, 78, 8, 2, &[0xFFFF_F800_0000_1000]),
        operation(0, 0, 0, 0, &[1]),
        operation(0x168, 77, 9, 3, &[]),
        operation(0x16c, 77, 9, 9, &[5]),
    ];
    for (header, size) in [(16, 288), (24, 288), (16, 320)] {
        let file = with_stream(Cpu::Amd64, operations(header, size, 5, &entries));
        let dump = Dump::parse(&file).unwrap();
        let trace = dump.handle_trace.unwrap();
        assert_eq!((trace.len(), trace.entry_size, trace.is_complete()), (5, size, true));
        let found: Vec<_> = trace.operations().collect();
        assert_eq!(found.len(), 4, "the unused entry is left out");
        let ids = |at: usize| {
            let one = &found[at];
            (one.index, one.handle, one.process_id, one.thread_id, one.kind)
        };
        assert_eq!(ids(0), (0, 0x164, 77, 7, OperationKind::Open));
        assert_eq!(ids(1), (1, 0x165, 78, 8, OperationKind::Close));
        assert_eq!(ids(2), (3, 0x168, 77, 9, OperationKind::BadReference));
        assert_eq!(ids(3), (4, 0x16c, 77, 9, OperationKind::Other(9)));
        assert_eq!(found[0].return_addresses().collect::<Vec<_>>(), [0x7700_1000, 0x1_4000_2000]);
        assert_eq!(found[2].return_addresses().count(), 0);
    }
}

#[test]
fn an_address_of_32_bit_code_may_be_sign_extended() {
    let entries =
        [operation(4, 1, 1, 2, &[0xFFFF_FFFF_8000_1000, 0xFFFF_F800_0000_1000, 0x40_1000])];
    let file = with_stream(Cpu::X86, operations(16, 288, 1, &entries));
    let dump = Dump::parse(&file).unwrap();
    let addresses: Vec<u64> = dump
        .handle_trace
        .unwrap()
        .operations()
        .flat_map(|one| one.return_addresses().collect::<Vec<_>>())
        .collect();
    assert_eq!(addresses, [0x8000_1000, 0xFFFF_F800_0000_1000, 0x40_1000]);
}

#[test]
fn a_depth_beyond_the_entry_is_cut_and_said() {
    let mut entry = operation(4, 1, 1, 2, &[7; MAX_DEPTH]);
    entry[0x18..0x1c].copy_from_slice(&u32::MAX.to_le_bytes());
    let file = with_stream(Cpu::Amd64, operations(16, 288, 2, &[entry.clone(), entry]));
    let dump = Dump::parse(&file).unwrap();
    let trace = dump.handle_trace.unwrap();
    assert!(trace.operations().all(|one| one.return_addresses().count() == MAX_DEPTH));
    let said = dump.warnings.iter().filter(|warning| warning.stream == "HandleOperationList");
    assert_eq!(said.count(), 1, "once, not per entry");
}

#[test]
fn what_is_announced_and_not_there_is_said() {
    let entries = [operation(4, 1, 1, 1, &[7]), operation(4, 1, 1, 2, &[7])];
    let mut stream = operations(16, 288, u32::MAX, &entries);
    stream.truncate(16 + 288 + 100);
    let file = with_stream(Cpu::Amd64, stream);
    let dump = Dump::parse(&file).unwrap();
    let trace = dump.handle_trace.unwrap();
    assert_eq!((trace.len(), trace.is_complete(), trace.operations().count()), (1, false, 1));
    assert!(dump.warnings.iter().any(|warning| warning.text.contains("1 read")));
    for (header, size) in [(0, 288), (16, 0), (16, 287), (15, 288)] {
        let file = with_stream(Cpu::Amd64, operations(header, size, 2, &entries));
        let dump = Dump::parse(&file).unwrap();
        assert!(dump.handle_trace.is_none(), "{header} {size}");
        assert!(dump.warnings.iter().any(|warning| warning.stream == "HandleOperationList"));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_trace_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..1200), header in 0u32..40, size in 280u32..300, count: u32) {
        let mut stream = bytes;
        for (word, value) in [header, size, count].into_iter().enumerate() {
            if let Some(place) = stream.get_mut(word * 4..word * 4 + 4) {
                place.copy_from_slice(&value.to_le_bytes());
            }
        }
        let length = stream.len() as u64;
        for cpu in [Cpu::X86, Cpu::Amd64] {
            let file = with_stream(cpu, stream.clone());
            let dump = Dump::parse(&file).unwrap();
            let Some(trace) = dump.handle_trace else { continue };
            prop_assert!(trace.len() <= MAX_OPERATIONS && trace.len() * 288 <= length);
            let mut before = None;
            for one in trace.operations() {
                prop_assert!(before < Some(one.index) && one.index < trace.len());
                before = Some(one.index);
                prop_assert!(one.return_addresses().count() <= MAX_DEPTH);
                prop_assert!(one.return_addresses().all(|address| address != 0));
            }
        }
    }
}
