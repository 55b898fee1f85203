//! Structures that lead in circles, contradict each other, or name what does not exist.

use super::{analyse, lab, layouts, put, watched};
use csdump::crash::stack::{self, Scene};
use csdump::dump::synth::{Synth, SynthHandle, SynthThread, context, peb, teb};
use csdump::dump::{Cpu, Dump};
use csdump::image::flow::FlowCache;
use csdump::image::images::Images;
use csdump::image::registers::RegisterFile;

const TEB: u64 = 0x7f_0000;
const PEB: u64 = 0x7e_0000;
const STACK: u64 = 0x10_0000;
const CODE: u64 = 0x40_0000;

/// STATUS_NONCONTINUABLE_EXCEPTION, which has the real record nested.
const NONCONTINUABLE: u32 = 0xC000_0025;
const INVALID_HANDLE: u32 = 0xC000_0008;

/// A small dump with every stream that is read.
pub fn with_every_stream() -> Vec<u8> {
    let registers = context(Cpu::Amd64, &[("rip", CODE + 0x10), ("rsp", STACK + 0x40)]);
    let stack: Vec<u8> =
        (0..64_u64).flat_map(|index| (CODE + 0x20 + index * 8).to_le_bytes()).collect();
    Synth::new(Cpu::Amd64)
        .module(CODE, 0x1000, "C:\\a.exe", [1, 2, 3, 4])
        .module(0x7700_0000, 0x1000, "C:\\Windows\\System32\\ntdll.dll", [6, 1, 7601, 1])
        .thread(&SynthThread {
            id: 7,
            teb: TEB,
            stack_base: STACK,
            stack: &stack,
            context: &registers,
            name: Some("main"),
        })
        .memory(TEB, teb(Cpu::Amd64.pointer_width(), TEB, PEB, (77, 7), (STACK + 0x200, STACK)))
        .memory(PEB, peb(Cpu::Amd64.pointer_width(), (6, 1, 7601), 0))
        .memory(CODE, vec![0xE8; 0x100])
        .exception(7, INVALID_HANDLE, 0, 0x7700_0010, &[1, 2], &registers)
        .handle(&SynthHandle {
            value: 4,
            type_name: "Event",
            object_name: "\\BaseNamedObjects\\x",
            granted_access: 0x1f_0003,
            infos: &[(6, vec![0; 8])],
        })
        .memory_info(CODE, 0x1000, 0x1000, 0x20, 0x100_0000)
        .unloaded(0x50_0000, 0x1000, "b.dll")
        .build()
}

/// A dump with an exception of this code at `ip` in thread 7, with `stack` at [`STACK`].
fn crashed(cpu: Cpu, code: u32, nested: u64, stack: &[u8]) -> Synth {
    let names = if cpu == Cpu::X86 { ["eip", "esp", "ebp"] } else { ["rip", "rsp", "rbp"] };
    let values = [CODE + 0x10, STACK, STACK + 0x10];
    let registers: Vec<(&str, u64)> = names.into_iter().zip(values).collect();
    let registers = context(cpu, &registers);
    Synth::new(cpu)
        .module(CODE, 0x1000, "ntdll.dll", [6, 1, 7601, 1])
        .thread(&SynthThread {
            id: 7,
            teb: TEB,
            stack_base: STACK,
            stack,
            context: &registers,
            name: None,
        })
        .exception(7, code, nested, CODE + 0x10, &[0; 2], &registers)
}

/// EXCEPTION_RECORD of the CPU (winnt.h): code, flags, nested record, address, number of parameters.
fn record(cpu: Cpu, code: u32, nested: u64, parameters: u32) -> Vec<u8> {
    let mut bytes = [code.to_le_bytes(), [0; 4]].concat();
    let mut pointer = |value: u64| bytes.extend(&value.to_le_bytes()[..width(cpu)]);
    pointer(nested);
    pointer(CODE);
    bytes.extend(parameters.to_le_bytes());
    bytes.resize(160, 0xff);
    bytes
}

fn width(cpu: Cpu) -> usize {
    if cpu == Cpu::X86 { 4 } else { 8 }
}

#[test]
fn nested_records_in_a_circle() {
    watched(Box::new(|next| {
        for cpu in [Cpu::X86, Cpu::Amd64, Cpu::Arm64] {
            for length in 1..40_u64 {
                next(format!("{cpu:?} circle of {length}"));
                let stack: Vec<u8> = (0..length)
                    .flat_map(|index| {
                        let after = STACK + (index + 1) % length * 160;
                        record(cpu, NONCONTINUABLE, after, 15)
                    })
                    .collect();
                let file = crashed(cpu, NONCONTINUABLE, STACK, &stack)
                    .memory(STACK, stack.clone())
                    .build();
                let report = analyse(&file).unwrap();
                let crash = report.crash.unwrap();
                assert!(crash.exception.nested.len() <= 16, "{}", crash.exception.nested.len());
            }
        }
    }));
}

#[test]
fn more_parameters_than_a_record_holds() {
    watched(Box::new(|next| {
        for count in [15, 16, 17, 0x7fff_ffff, u32::MAX] {
            next(format!("{count} parameters"));
            let mut file = lab("closed-x64-new-normal");
            let dump = Dump::parse(&file).unwrap();
            let at = dump.stream(6).unwrap().rva as usize + 32;
            put(&mut file, at, &count.to_le_bytes());
            let crash = analyse(&file).unwrap().crash.unwrap();
            assert!(crash.exception.parameters.len() <= 15);
            let nested = record(Cpu::Amd64, INVALID_HANDLE, 0, count);
            let file = crashed(Cpu::Amd64, NONCONTINUABLE, STACK, &nested)
                .memory(STACK, nested.clone())
                .build();
            let crash = analyse(&file).unwrap().crash.unwrap();
            assert!(crash.exception.parameters.len() <= 15);
        }
    }));
}

#[test]
fn a_faulting_thread_that_is_not_in_the_list() {
    watched(Box::new(|next| {
        for id in [0, 1, u32::MAX] {
            next(format!("thread {id:#x}"));
            let mut file = lab("nested-x64-new-wer");
            let at = Dump::parse(&file).unwrap().stream(6).unwrap().rva as usize;
            put(&mut file, at, &id.to_le_bytes());
            let report = analyse(&file).unwrap();
            assert_eq!(report.crash.unwrap().thread_id, format!("{id:#x}"));
        }
    }));
}

/// A dump of the lab with its frames' function tables bent by `bend(file, table entry, unwind record)`.
fn with_bent_tables(name: &str, bend: impl Fn(&mut [u8], usize, usize, u32)) -> Vec<u8> {
    let mut file = lab(name);
    let places: Vec<(usize, usize, u32)> = {
        let dump = Dump::parse(&file).unwrap();
        let modules = dump.modules.iter().map(|module| (module.base, module.size));
        let images = Images::new(&dump.memory, modules);
        let flows = FlowCache::default();
        let scene = Scene { dump: &dump, images: &images, flows: &flows };
        let context = dump.exception.as_ref().unwrap().context.as_ref().unwrap();
        let frames = stack::walk(scene, RegisterFile::from_context(context).unwrap());
        let tables = frames.iter().filter_map(|frame| {
            let ip = frame.registers.ip();
            let [table, unwind] = layouts::tables(scene, ip)[..] else { return None };
            let rva = unwind - scene.images.image_at(ip)?.base;
            let at = |address| layouts::offset_of(&dump, address);
            Some((at(table)?, at(unwind)?, u32::try_from(rva).ok()?))
        });
        tables.collect()
    };
    assert!(places.len() >= 3, "{} functions", places.len());
    places.into_iter().for_each(|(table, unwind, rva)| bend(&mut file, table, unwind, rva));
    file
}

/// UNWIND_INFO that is chained to itself, and RUNTIME_FUNCTION entries that lead to themselves.
#[test]
fn unwind_records_in_a_circle() {
    watched(Box::new(|next| {
        next("chained to itself".into());
        let file = with_bent_tables("closed-x64-new-full", |file, _, unwind, rva| {
            put(file, unwind, &[0x21, 0, 0, 0]);
            put(file, unwind + 4, &0_u32.to_le_bytes());
            put(file, unwind + 8, &u32::MAX.to_le_bytes());
            put(file, unwind + 12, &rva.to_le_bytes());
        });
        assert!(analyse(&file).is_some());
        next("indirect to itself".into());
        let file = with_bent_tables("closed-x64-new-full", |file, _, unwind, rva| {
            put(file, unwind, &[0x21, 0, 0, 0]);
            put(file, unwind + 12, &((rva + 4) | 1).to_le_bytes());
        });
        assert!(analyse(&file).is_some());
        next("255 codes, of frames without size".into());
        let file = with_bent_tables("closed-x64-new-full", |file, _, unwind, _| {
            put(file, unwind, &[0x01, 0xff, 0xff, 0x05]);
        });
        assert!(analyse(&file).is_some());
    }));
}

/// The links of a debug record lead to itself, to each other, or nowhere.
#[test]
fn debug_lists_in_a_circle() {
    watched(Box::new(|next| {
        for (name, size) in [("closed-x64-new-full", 8), ("closed-x86-old-full", 4)] {
            let file = lab(name);
            let report = analyse(&file).unwrap();
            let section = report.critical_section.unwrap();
            let pointer = section.fields.unwrap().debug_info;
            let record = u64::from_str_radix(pointer.trim_start_matches("0x"), 16).unwrap();
            let links = record + 2 * size;
            let at = layouts::offset_of(&Dump::parse(&file).unwrap(), links).unwrap();
            for target in [links, links + size, links + 1, record, 0, 8, u64::MAX] {
                next(format!("{name}: links to {target:#x}"));
                let mut file = file.clone();
                let bytes = &target.to_le_bytes()[..size as usize];
                put(&mut file, at, &[bytes, bytes].concat());
                assert!(analyse(&file).is_some());
            }
        }
    }));
}

/// Every function that a frame is in, and every export of ntdll, is a jump to itself.
#[test]
fn jumps_in_a_circle() {
    watched(Box::new(|next| {
        for name in ["closed-x64-new-full", "closed-x86-old-full", "closed-x86-new-full"] {
            for code in [&[0xEB, 0xFE][..], &[0xE9, 0xFB, 0xFF, 0xFF, 0xFF], &[0xE8, 0, 0, 0, 0]] {
                next(format!("{name}: {code:x?}"));
                let mut file = lab(name);
                let spans: Vec<(usize, usize)> = {
                    let dump = Dump::parse(&file).unwrap();
                    let text = dump.modules.iter().filter_map(|module| {
                        let start = layouts::offset_of(&dump, module.base + 0x1000)?;
                        let bytes = dump.memory.tail(module.base + 0x1000)?.len();
                        Some((start, bytes.min(0x2000)))
                    });
                    text.collect()
                };
                for (start, bytes) in spans {
                    for at in (start..start + bytes).step_by(code.len()) {
                        put(&mut file, at, code);
                    }
                }
                assert!(analyse(&file).is_some());
            }
        }
    }));
}

/// Memory that overlaps itself, ends behind the address space, and is listed twice.
#[test]
fn overlapping_memory() {
    watched(Box::new(|next| {
        for cpu in [Cpu::X86, Cpu::Amd64] {
            for full in [false, true] {
                next(format!("{cpu:?} full: {full}"));
                let mut synth = crashed(cpu, INVALID_HANDLE, 0, &[0x10; 256]);
                for index in 0..200_u64 {
                    let base = [STACK + index * 3, u64::MAX - index, u64::MAX << 12, CODE];
                    synth = synth.memory(base[index as usize % 4], vec![index as u8; 64]);
                }
                let synth = if full { synth.full() } else { synth };
                assert!(analyse(&synth.build()).is_some());
            }
        }
    }));
}

#[test]
fn modules_that_overlap_and_wrap() {
    watched(Box::new(|next| {
        for cpu in [Cpu::X86, Cpu::Amd64] {
            next(format!("{cpu:?}"));
            let mut synth = crashed(cpu, INVALID_HANDLE, 0, &[0x40; 256]);
            for index in 0..200_u64 {
                synth = synth.module(CODE + index, u32::MAX, "\u{1b}[31mntdll.dll", [0; 4]);
                synth = synth.module(u64::MAX - index, u32::MAX, "..\\..\\ntdll.dll", [0; 4]);
            }
            assert!(analyse(&synth.build()).is_some());
        }
    }));
}
