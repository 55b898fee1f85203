//! The whole dump, built and read back.
#![allow(clippy::arithmetic_side_effects)]

mod container;
mod handle_trace;
mod handles;

use proptest::prelude::*;

use super::error::MAX_WARNINGS;
use super::kind::MemoryKind;
use super::synth::{Synth, SynthHandle, SynthThread, context, peb, teb};
use super::*;

const TEB: u64 = 0x7f_0000_0000;
const PEB: u64 = 0x7f_0001_0000;
const STACK: u64 = 0x10_0000;
const WIDTH: PointerWidth = PointerWidth::Eight;

fn event() -> Vec<(u32, Vec<u8>)> {
    vec![(6, vec![1, 0, 0, 0, 1, 0, 0, 0])]
}

/// An x64 dump with one of everything.
fn synth() -> Synth {
    let registers = [("rip", 0x1_4000_1000), ("rsp", STACK), ("rbx", 0x55)];
    let state = context(Cpu::Amd64, &registers);
    let thread = SynthThread {
        id: 420,
        teb: TEB,
        stack_base: STACK,
        stack: &[0x11; 64],
        context: &state,
        name: Some("worker\u{1b}"),
    };
    let infos = event();
    let handle = SynthHandle {
        value: 0x18,
        type_name: "Event",
        object_name: "",
        granted_access: 0x0010_0003,
        infos: &infos,
    };
    let file = SynthHandle { value: 0x14, type_name: "File", object_name: "\\x", ..handle.clone() };
    Synth::new(Cpu::Amd64)
        .module(0x1_4000_0000, 0x1_0000, "C:\\app\\agent.exe", [1, 2, 3, 4])
        .module(0x7ff8_0000_0000, 0x20_0000, "C:\\Windows\\System32\\ntdll.dll", [6, 1, 7601, 1])
        .thread(&thread)
        .thread(&SynthThread { id: 421, context: &state, ..SynthThread::default() })
        .memory(TEB, teb(WIDTH, TEB, PEB, (77, 420), (STACK, STACK + 64)))
        .memory(PEB, peb(WIDTH, (10, 0, 19045), 0x9_0000))
        .memory(0x2000, vec![0x22; 32])
        .exception(420, 0xc000_0008, 0, 0x7ff8_0000_1000, &[1, 2], &state)
        .handle(&handle)
        .handle(&file)
        .memory_info(0x2000, 0x1000, 0x1000, 4, 0x2_0000)
        .memory_info(0x1000, 0x1000, 0x1_0000, 1, 0)
        .unloaded(0x6000_0000, 0x1000, "plugin.dll")
        .stream(
            stream_type::MISC_INFO,
            [24, 3, 77, 0x5fff_ff00, 0, 0].map(u32::to_le_bytes).concat(),
        )
        .stream(stream_type::COMMENT_A, *b"*** procdump -ma\n\0")
}

#[test]
fn everything_built_is_read() {
    let bytes = synth().build();
    let dump = Dump::parse(&bytes).unwrap();
    assert_eq!(dump.warnings, []);
    assert_eq!((dump.system.os.major, dump.system.os.build), (10, 19045));
    assert_eq!(dump.system.os.source, OsSource::Peb);
    assert!(dump.system.disagreement.as_deref().unwrap().contains("6.1.7601"));
    assert_eq!(dump.system.processors, Some(8));
    assert_eq!(dump.system.peb.as_ref().unwrap().app_compat_flags, Some(0x9_0000));
    let thread = dump.thread(420).unwrap();
    assert_eq!(thread.name.as_deref(), Some("worker\u{fffd}"));
    let state = thread.context.as_ref().unwrap();
    assert_eq!(state.get_instruction_pointer(), 0x1_4000_1000);
    assert_eq!(state.get_register("rbx"), Some(0x55));
    let teb = dump.teb(thread).unwrap();
    assert_eq!((teb.unique_process, teb.stack_limit), (Some(77), Some(STACK)));
    assert_eq!(dump.teb(dump.thread(421).unwrap()), None);
    assert_eq!(dump.memory.u32(STACK + 60), Some(0x1111_1111));
    let exception = dump.exception.as_ref().unwrap();
    assert_eq!((exception.thread_id, exception.record.code), (420, 0xc000_0008));
    assert_eq!(exception.record.parameters, [1, 2]);
    assert!(exception.context.is_some());
    let module = dump.module_at(0x1_4000_ffff).unwrap();
    assert_eq!((module.file_name(), module.version), ("agent.exe", Some([1, 2, 3, 4])));
    assert_eq!(module.debug_id.as_deref(), Some("070707070707070707070707070707071"));
    assert_eq!(dump.module_at(0x1_4001_0000), None);
    assert_eq!(dump.unloaded[0].file_name(), "plugin.dll");
    assert_eq!(dump.memory_info_at(0x2fff).unwrap().base, 0x2000);
    assert_eq!(dump.memory_info_at(0x3000), None);
    assert_eq!((dump.process.id, dump.process.uptime_s), (Some(77), Some(256)));
    assert_eq!(dump.process.name.as_deref(), Some("agent.exe"));
    assert_eq!(dump.writer_hint, Some("ProcDump"));
    assert_eq!(dump.minidump.header.stream_count as usize, dump.directory.len());
}

#[test]
fn thread_infos_of_larger_entries_are_read() {
    let state = context(Cpu::Amd64, &[]);
    let thread = SynthThread { id: 7, context: &state, ..SynthThread::default() };
    let mut stream = [12u32, 72, 1].map(u32::to_le_bytes).concat();
    stream.extend([7u32, 4, 0, 259].map(u32::to_le_bytes).concat());
    stream.extend([1u64, 2, 3, 4, 0x7000, 15, 99].map(u64::to_le_bytes).concat());
    let synth = Synth::new(Cpu::Amd64).thread(&thread);
    let bytes = synth.stream(stream_type::THREAD_INFO_LIST, stream).build();
    let dump = Dump::parse(&bytes).unwrap();
    let info = dump.threads[0].info.unwrap();
    assert!(info.exited());
    assert_eq!((info.exit_status, info.create_time, info.affinity), (259, 1, 15));
    assert_eq!(info.start_address, 0x7000);
}

#[test]
fn entries_smaller_than_known_are_refused_with_their_place() {
    let sizes = [
        (stream_type::HANDLE_DATA, 31),
        (stream_type::MEMORY_INFO_LIST, 47),
        (stream_type::UNLOADED_MODULE_LIST, 23),
        (stream_type::THREAD_INFO_LIST, 63),
    ];
    for (number, entry) in sizes {
        let header = [16u32, entry, 1, 0].map(u32::to_le_bytes).concat();
        let bytes = Synth::new(Cpu::X86).stream(number, header).build();
        let dump = Dump::parse(&bytes).unwrap();
        let stream = dump.stream(number).unwrap();
        let warning = dump.warnings.iter().find(|warning| warning.stream == stream.name).unwrap();
        assert_eq!(warning.offset, stream.rva + 4);
        assert!(warning.text.contains(&format!("found {entry}")), "{warning}");
    }
}

#[test]
fn of_overlapping_modules_the_first_wins() {
    let bytes = Synth::new(Cpu::X86)
        .module(0x1000, 0x1000, "first.dll", [0; 4])
        .module(0x800, 0x2000, "second.dll", [0; 4])
        .build();
    let dump = Dump::parse(&bytes).unwrap();
    let name = |address| dump.module_at(address).map(Module::file_name);
    assert_eq!(name(0x7ff), None);
    assert_eq!(name(0x800), Some("second.dll"));
    assert_eq!(name(0x1fff), Some("first.dll"));
    assert_eq!(name(0x2000), Some("second.dll"));
}

#[test]
fn full_memory_is_clipped_to_the_file() {
    let bytes =
        Synth::new(Cpu::Amd64).full().memory(0x1000, [1; 16]).memory(0x9000, [2; 16]).build();
    let dump = Dump::parse(&bytes).unwrap();
    assert_eq!((dump.memory.u8(0x100f), dump.memory.u8(0x900f)), (Some(1), Some(2)));
    let mut cut = bytes.clone();
    let list = dump.stream(stream_type::MEMORY64_LIST).unwrap().rva as usize;
    cut[list + 40..list + 48].copy_from_slice(&u64::MAX.to_le_bytes());
    let dump = Dump::parse(&cut).unwrap();
    assert_eq!(dump.memory.u8(0x900f), Some(2));
    assert!(
        dump.warnings
            .iter()
            .any(|warning| warning.text.contains("in 1 ranges are not in the file"))
    );
}

#[test]
fn an_implausible_peb_is_not_trusted() {
    for version in [(0x6c6c_6548, 0, 7601), (10, 1, 19045), (6, 1, 5)] {
        let state = context(Cpu::Amd64, &[]);
        let thread = SynthThread { id: 1, teb: TEB, context: &state, ..SynthThread::default() };
        let bytes = Synth::new(Cpu::Amd64)
            .thread(&thread)
            .memory(TEB, teb(WIDTH, TEB, PEB, (1, 1), (0, 0)))
            .memory(PEB, peb(WIDTH, version, 0))
            .build();
        let dump = Dump::parse(&bytes).unwrap();
        assert_eq!(dump.system.os.source, OsSource::SystemInfo);
        assert_eq!((dump.system.os.build, dump.system.peb), (7601, None));
        assert!(dump.warnings.iter().any(|warning| warning.text.contains("cannot be")));
    }
}

#[test]
fn the_version_comes_from_ntdll_when_system_info_lies() {
    let os = |stream, ntdll| {
        let synth =
            Synth::new(Cpu::X86).version(stream).module(0x7700_0000, 0x1000, "ntdll.dll", ntdll);
        let bytes = synth.build();
        let os = Dump::parse(&bytes).unwrap().system.os;
        (os.major, os.minor, os.build, os.source)
    };
    let ntdll = OsSource::NtdllVersion;
    assert_eq!(os(Some((6, 2, 9200)), [6, 2, 18362, 1171]), (10, 0, 18362, ntdll));
    assert_eq!(os(Some((6, 2, 9200)), [6, 2, 9200, 1]), (6, 2, 9200, OsSource::SystemInfo));
    assert_eq!(os(Some((10, 0, 19041)), [6, 2, 19041, 1]), (10, 0, 19041, OsSource::SystemInfo));
    assert_eq!(os(None, [6, 2, 9600, 1]), (6, 3, 9600, ntdll));
}

#[test]
fn wow64_is_flagged() {
    let synth = Synth::new(Cpu::Amd64).module(0x1_0000, 0x1000, "ntdll.dll", [0; 4]);
    let flagged = |synth: Synth| Dump::parse(&synth.build()).unwrap().system.wow64;
    assert!(!flagged(synth.clone()));
    assert!(flagged(synth.clone().module(0x2_0000, 0x1000, "ntdll.dll", [0; 4])));
    assert!(flagged(synth.module(0x2_0000, 0x1000, "wow64.dll", [0; 4])));
}

#[test]
fn the_cpu_is_guessed_from_the_contexts() {
    for cpu in [Cpu::X86, Cpu::Amd64, Cpu::Arm64] {
        let state = context(cpu, &[]);
        let thread = SynthThread { id: 1, context: &state, ..SynthThread::default() };
        let bytes = Synth::new(cpu).version(None).thread(&thread).build();
        let dump = Dump::parse(&bytes).unwrap();
        assert_eq!(dump.system.cpu, cpu);
        assert!(dump.threads[0].context.is_some());
        assert!(dump.warnings.iter().any(|warning| warning.stream == "SystemInfo"));
    }
}

#[test]
fn sign_extended_addresses_are_cut() {
    let state = context(Cpu::X86, &[("eip", 0x8000_1000)]);
    let bytes = Synth::new(Cpu::X86)
        .exception(1, 5, 0xffff_ffff_9000_0000, 0xffff_ffff_8000_1000, &[u64::MAX], &state)
        .build();
    let record = Dump::parse(&bytes).unwrap().exception.unwrap().record;
    assert_eq!((record.address, record.nested_record_address), (0x8000_1000, 0x9000_0000));
    assert_eq!(record.parameters, [0xffff_ffff]);
}

#[test]
fn records_and_contexts_are_read_out_of_memory() {
    let mut record = vec![0u8; 80];
    record[..4].copy_from_slice(&0xc000_0008_u32.to_le_bytes());
    record[12..16].copy_from_slice(&0x77_u32.to_le_bytes());
    record[16] = 1;
    record[20] = 9;
    let state = context(Cpu::X86, &[("esi", 0x404_054)]);
    let bytes = Synth::new(Cpu::X86).memory(0x1000, record).memory(0x2000, state).build();
    let dump = Dump::parse(&bytes).unwrap();
    let found = dump.exception_record_at(0x1000).unwrap();
    assert_eq!((found.code, found.address, found.parameters), (0xc000_0008, 0x77, vec![9]));
    assert_eq!(dump.context_at(0x2000).unwrap().get_register("esi"), Some(0x404_054));
    assert!(dump.context_at(0x1000).is_none());
}

#[test]
fn the_kind_of_memory_is_guessed() {
    let kind = |synth: Synth| Dump::parse(&synth.build()).unwrap().memory_kind;
    let state = context(Cpu::X86, &[]);
    let thread = SynthThread {
        id: 1,
        stack_base: 0x1000,
        stack: &[0; 512],
        context: &state,
        ..SynthThread::default()
    };
    let stacks = Synth::new(Cpu::X86).thread(&thread);
    let more = stacks.clone().memory(0x10_0000, vec![0; 0x1_0000]);
    assert_eq!(kind(Synth::new(Cpu::X86)), MemoryKind::None);
    assert_eq!(kind(stacks), MemoryKind::StacksOnly);
    assert_eq!(kind(more.clone()), MemoryKind::StacksAndReferenced);
    assert_eq!(kind(more.clone().flags(0x200)), MemoryKind::Private);
    assert_eq!(kind(more.full().flags(2)), MemoryKind::Full);
}

#[test]
fn the_writer_is_recognised_by_its_streams() {
    let hint = |number| {
        Dump::parse(&Synth::new(Cpu::X86).stream(number, [0; 4]).build()).unwrap().writer_hint
    };
    assert_eq!(hint(stream_type::CRASHPAD_INFO), Some("Crashpad"));
    assert_eq!(hint(stream_type::BREAKPAD_INFO), Some("Breakpad"));
    assert_eq!(hint(stream_type::WINE_ELF_MODULES), Some("Wine"));
    assert_eq!(hint(0x1234), None);
}

#[test]
fn a_directory_of_too_many_streams_is_kept_from_the_crate() {
    let mut bytes = synth().build();
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let dump = Dump::parse(&bytes).unwrap();
    assert_eq!(dump.minidump.header.stream_count, 0);
    assert_eq!(dump.threads.len(), 2);
    assert!(dump.warnings.len() <= MAX_WARNINGS + 1);
}

#[test]
fn other_platforms_are_named() {
    let bytes = Synth::new(Cpu::Amd64).platform(0x8201).build();
    let error = Dump::parse(&bytes).unwrap_err();
    assert_eq!((error.stream(), error.offset().is_some()), (Some("SystemInfo"), true));
    assert!(error.to_string().contains("Linux"), "{error}");
}

/// Every prefix: an error before the directory, a partial dump behind it.
#[test]
fn a_dump_cut_off_anywhere_does_not_panic() {
    let bytes = synth().build();
    for end in 0..bytes.len() {
        match Dump::parse(&bytes[..end]) {
            Ok(dump) => assert!(end >= 44 && !dump.warnings.is_empty(), "{end}"),
            Err(_) => assert!(end < 44, "{end}"),
        }
    }
    let full = synth().full().build();
    assert!((0..full.len()).step_by(7).all(|end| end < 44 || Dump::parse(&full[..end]).is_ok()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Any few words of the file replaced: no panic, bounded warnings.
    #[test]
    fn damaged_dumps_do_not_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![any::<u32>(), Just(u32::MAX), Just(0)]), 1..24)
    ) {
        let mut bytes = synth().build();
        for (at, value) in damage {
            let at = at.index(bytes.len() - 4).max(4);
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        if let Ok(dump) = Dump::parse(&bytes) {
            prop_assert!(dump.warnings.len() <= MAX_WARNINGS + 1);
        }
    }

    #[test]
    fn arbitrary_bytes_behind_the_magic_do_not_panic(tail in prop::collection::vec(any::<u8>(), 0..512)) {
        let bytes = [&b"MDMP\x93\xa7\0\0"[..], &tail].concat();
        let _ = Dump::parse(&bytes);
    }
}
