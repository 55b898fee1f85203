//! Handle streams of every shape.

use super::{event, synth};
use crate::dump::synth::{Synth, SynthHandle};
use crate::dump::{Cpu, Dump, stream_type};

#[test]
fn handles_of_all_descriptor_sizes_are_read() {
    for (size, has_event) in [(32, false), (40, true), (56, true)] {
        let infos = event();
        let handle = SynthHandle {
            value: 0x18,
            type_name: "Event",
            infos: &infos,
            ..SynthHandle::default()
        };
        let bytes = Synth::new(Cpu::X86).descriptor_size(size).handle(&handle).build();
        let dump = Dump::parse(&bytes).unwrap();
        let table = dump.handles.as_ref().unwrap();
        assert!(table.is_complete());
        assert_eq!(table.descriptor_size, size);
        let found = table.get(0x1b).unwrap();
        assert!(found.is_type("event"));
        assert_eq!(found.event().is_some(), has_event, "{size}");
        assert_eq!(table.get(0x1c), None);
    }
}

#[test]
fn both_readings_of_size_of_info_give_the_event() {
    let synth = Synth::new(Cpu::X86).descriptor_size(40);
    let long = [event()[0].1.clone(), vec![0; 12]].concat();
    for payload in [event()[0].1.clone(), long] {
        let infos = [(6, payload)];
        let handle =
            SynthHandle { value: 4, type_name: "Event", infos: &infos, ..SynthHandle::default() };
        let bytes = synth.clone().handle(&handle).build();
        let dump = Dump::parse(&bytes).unwrap();
        let event = dump.handles.unwrap().get(4).unwrap().event().unwrap();
        assert_eq!((event.event_type, event.event_state), (1, 1));
    }
}

#[test]
fn a_closed_chain_of_object_informations_ends() {
    let infos = event();
    let handle =
        SynthHandle { value: 4, type_name: "Event", infos: &infos, ..SynthHandle::default() };
    let mut bytes = Synth::new(Cpu::X86).handle(&handle).build();
    let stream =
        Dump::parse(&bytes).unwrap().stream(stream_type::HANDLE_DATA).unwrap().rva as usize;
    let info = bytes[stream + 48..stream + 52].to_vec();
    let rva = u32::from_le_bytes(info.clone().try_into().unwrap()) as usize;
    bytes[rva..rva + 4].copy_from_slice(&info);
    let dump = Dump::parse(&bytes).unwrap();
    assert_eq!(dump.handles.unwrap().handles[0].object_infos.len(), 1);
    assert!(dump.warnings.iter().any(|warning| warning.text.contains("repeat")));
}

#[test]
fn a_short_handle_stream_is_not_complete() {
    let mut bytes = synth().build();
    let stream =
        Dump::parse(&bytes).unwrap().stream(stream_type::HANDLE_DATA).unwrap().rva as usize;
    bytes[stream + 8..stream + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let dump = Dump::parse(&bytes).unwrap();
    let table = dump.handles.unwrap();
    assert_eq!((table.handles.len(), table.is_complete()), (2, false));
    assert!(dump.warnings.iter().any(|warning| warning.stream == "HandleData"));
}

#[test]
fn one_long_name_for_many_handles_is_read_within_bounds() {
    let long = "x".repeat(1000);
    let handle = SynthHandle { value: 4, type_name: &long, ..SynthHandle::default() };
    let mut bytes = Synth::new(Cpu::X86).handle(&handle).build();
    let stream = Dump::parse(&bytes).unwrap().stream(stream_type::HANDLE_DATA).unwrap();
    let entry = stream.bytes[16..56].to_vec();
    let count = 9_000u32;
    let rva = bytes.len() as u32;
    let mut table = [16, 40, count, 0].map(u32::to_le_bytes).concat();
    (0..count).for_each(|_| table.extend_from_slice(&entry));
    let at = directory_entry(&bytes, stream_type::HANDLE_DATA);
    bytes[at + 4..at + 8].copy_from_slice(&(table.len() as u32).to_le_bytes());
    bytes[at + 8..at + 12].copy_from_slice(&rva.to_le_bytes());
    bytes.extend_from_slice(&table);
    let dump = Dump::parse(&bytes).unwrap();
    let table = dump.handles.unwrap();
    assert!(table.is_complete());
    let named = table.handles.iter().filter(|handle| handle.type_name.is_some()).count();
    assert!(named < 9_000, "{named}");
    assert!(dump.warnings.iter().any(|warning| warning.text.contains("the rest is left out")));
}

/// Offset of a stream's MINIDUMP_DIRECTORY.
fn directory_entry(bytes: &[u8], number: u32) -> usize {
    let entries = Dump::parse(bytes).unwrap().directory;
    32 + 12 * entries.iter().position(|entry| entry.stream_type == number).unwrap()
}
