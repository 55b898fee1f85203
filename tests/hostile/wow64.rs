//! WoW64 dumps whose contexts, TEBs and CPU areas point anywhere, and ones made to cost much.

use super::{Random, analyse, lab, put, watched};
use csdump::dump::Dump;
use csdump::dump::synth::{Synth, SynthThread, context, peb};
use csdump::dump::{Cpu, PointerWidth, stream_type};
use std::ops::Range;

/// Offsets in the file of what leads to the 32-bit side.
fn leads(file: &[u8]) -> Vec<Range<usize>> {
    let dump = Dump::parse(file).unwrap();
    let crashed = dump.exception.as_ref().unwrap().thread_id;
    let teb = dump.thread(crashed).unwrap().teb;
    let area = dump.memory.u64(teb + 0x1488).unwrap();
    let peb32 = u64::from(dump.memory.u32(teb + 0x2030).unwrap());
    let place = |address: u64, size: usize| {
        let at = dump.memory.tail(address).unwrap().as_ptr() as usize - file.as_ptr() as usize;
        at..at + size
    };
    let exception = dump.stream(stream_type::EXCEPTION).unwrap();
    let word = |at: usize| u32::from_le_bytes(exception.bytes[at..at + 4].try_into().unwrap());
    let context = word(164) as usize;
    let record = exception.rva as usize;
    vec![
        record..record + 0x20,
        context + 0x30..context + 0x50,
        context + 0x78..context + 0x100,
        place(teb, 0x18),
        place(teb + 0x30, 8),
        place(teb + 0x1480, 0x10),
        place(teb + 0x2000, 0x34),
        place(area, 8),
        place(area + 4 + 0x8C, 0x40),
        place(peb32 + 0xA0, 0x10),
    ]
}

/// Every word that leads to the 32-bit side in turn, with values that point at one another, at nothing, at the ends.
#[test]
fn contexts_that_point_anywhere() {
    watched(Box::new(|next| {
        for name in ["closed-wow64-cs23-wer", "recycled-wow64-cpu-area-wer"] {
            let mut file = lab(name);
            let places = leads(&file);
            let values: Vec<u64> = {
                let dump = Dump::parse(&file).unwrap();
                let thread = &dump.threads[0];
                let area = dump.memory.u64(thread.teb + 0x1488).unwrap();
                let crashed = dump.exception.as_ref().unwrap().record.address;
                vec![0, 0x23, thread.teb, area, area + 4, crashed, u64::MAX - 3]
            };
            for at in places.iter().cloned().flat_map(|range| range.step_by(4)) {
                for value in &values {
                    next(format!("{name}: {value:#x} at {at:#x}"));
                    let old = file[at..at + 8].to_vec();
                    put(&mut file, at, &value.to_le_bytes()[..4]);
                    let _ = analyse(&file);
                    put(&mut file, at, &value.to_le_bytes());
                    let _ = analyse(&file);
                    put(&mut file, at, &old);
                }
            }
        }
    }));
}

/// The code segment of 32-bit code over garbage.
#[test]
fn a_code_segment_with_garbage() {
    watched(Box::new(|next| {
        let mut file = lab("closed-wow64-cs23-wer");
        let registers = leads(&file)[2].clone();
        let mut random = Random(0x23);
        for case in 0..300 {
            next(format!("case {case}"));
            for at in registers.clone().step_by(8) {
                let bits = random.below(65);
                let value = random.next().checked_shr(bits as u32).unwrap_or(0);
                put(&mut file, at, &value.to_le_bytes());
            }
            let _ = analyse(&file);
        }
    }));
}

/// As many threads as are read, all with one CPU area, and a stack on which the exception's address is every word.
#[test]
fn many_threads_and_a_stack_of_addresses() {
    const STACK: u64 = 0x1000_0000;
    const SIZE: u64 = 1 << 20;
    const RAISED_AT: u64 = 0x40_0010;
    const AREA: u64 = 0x2000_0000;
    const PEB: u64 = 0x2100_0000;
    watched(Box::new(|next| {
        for threads in [4096_u64, 4097] {
            next(format!("{threads} threads"));
            let outer = context(Cpu::Amd64, &[("rip", 0x50_0010), ("rsp", AREA)]);
            let mut inner = context(Cpu::X86, &[("eip", 0x40_0020), ("esp", STACK)]);
            put(&mut inner, 0xBC, &[0x23]);
            let mut synth = Synth::new(Cpu::Amd64)
                .module(0x50_0000, 0x1000, "wow64.dll", [0; 4])
                .exception(5, 0xC000_0008, 0, RAISED_AT, &[], &outer)
                .memory(PEB, peb(PointerWidth::Four, (6, 1, 7601), 0))
                .memory(AREA, [&[0; 4][..], &inner].concat())
                .memory(STACK, (RAISED_AT as u32).to_le_bytes().repeat((SIZE / 4) as usize));
            for index in 0..2000 {
                synth = synth.module(0x40_0000 + index * 16, 0x1000, "ntdll.dll", [0; 4]);
            }
            for index in 0..threads {
                let teb = 0x4000_0000 + index * 0x4000;
                let mut teb32 = [0; 0x38];
                let fields = [
                    (4, STACK + SIZE),
                    (8, STACK),
                    (0x18, teb + 0x2000),
                    (0x24, index),
                    (0x30, PEB),
                ];
                for (offset, value) in fields {
                    put(&mut teb32, offset, &(value as u32).to_le_bytes());
                }
                synth = synth
                    .thread(&SynthThread {
                        id: index as u32,
                        teb,
                        context: &outer,
                        ..SynthThread::default()
                    })
                    .memory(teb + 0x1488, AREA.to_le_bytes())
                    .memory(teb + 0x2000, teb32);
            }
            let file = synth.build();
            next(format!("{threads} threads, {} bytes", file.len()));
            let side = Dump::parse(&file).unwrap().x86_side();
            assert_eq!(side.is_some(), threads <= 4096, "{threads}");
            let of_threads =
                side.map(|side| side.threads.iter().filter(|at| at.context.is_some()).count());
            assert_eq!(of_threads.unwrap_or(0), if threads <= 4096 { 4096 } else { 0 });
            assert!(analyse(&file).is_some());
        }
    }));
}
