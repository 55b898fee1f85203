//! Small dumps made to cost much: what is quadratic, or unbounded, in an attacker's counts shows here.

use super::{analyse, watched};
use csdump::dump::Cpu;
use csdump::dump::synth::{Synth, SynthHandle, SynthThread, context};

const STACK: u64 = 0x1000_0000;
const BASE: u64 = 0x40_0000;
const CODE: u64 = BASE + 0x1000;
/// Where the walk starts: in the module, at no instruction of a function below.
const START: u64 = BASE + 0x10;

/// A crash whose stack and code are these.
fn crash(cpu: Cpu, code: Vec<u8>, stack: Vec<u8>) -> Vec<u8> {
    let names = match cpu {
        Cpu::X86 => ["eip", "esp", "ebp"],
        Cpu::Arm64 => ["pc", "sp", "fp"],
        _ => ["rip", "rsp", "rbp"],
    };
    let values = [START, STACK, STACK];
    let registers: Vec<(&str, u64)> = names.into_iter().zip(values).collect();
    let registers = context(cpu, &registers);
    Synth::new(cpu)
        .module(BASE, 0x40_0000, "ntdll.dll", [6, 1, 7601, 1])
        .thread(&SynthThread {
            id: 7,
            teb: 0,
            stack_base: STACK,
            stack: &[0; 8],
            context: &registers,
            name: None,
        })
        .exception(7, 0xC000_0008, 0, START, &[], &registers)
        .memory(CODE, code)
        .memory(STACK, stack)
        .build()
}

/// 32-bit words of a stack with a chain of frame pointers, `step` words apart, and `word(index)` between.
fn chained_stack(words: usize, step: usize, word: impl Fn(usize) -> u32) -> Vec<u8> {
    let value = |index: usize| {
        if index.is_multiple_of(step) {
            u32::try_from(STACK).unwrap() + u32::try_from((index + step) * 4).unwrap()
        } else {
            word(index)
        }
    };
    (0..words).flat_map(|index| value(index).to_le_bytes()).collect()
}

/// x86: every word of the stack follows another call, each to a function of 4096 instructions.
#[test]
fn every_word_of_the_stack_calls_a_long_function() {
    watched(Box::new(|next| {
        next("long functions".into());
        let sites = 60_000_u32;
        let sled = sites * 5;
        let mut code = Vec::new();
        for index in 0..sites {
            // call: the target is relative to the instruction's end.
            let target = sled + index - (index + 1) * 5;
            code.push(0xE8);
            code.extend(target.to_le_bytes());
        }
        code.resize(code.len() + 70_000, 0x90);
        let behind = |index: usize| {
            u32::try_from(CODE).unwrap() + (u32::try_from(index).unwrap() % sites + 1) * 5
        };
        let file = crash(Cpu::X86, code, chained_stack(1 << 17, 512, behind));
        let report = analyse(&file).unwrap();
        // What was not looked at is said.
        let bound = |text: &String| text.contains("decoding") && text.contains("its bound");
        assert!(report.warnings.iter().any(bound), "{:?}", report.warnings);
    }));
}

/// x86: every word of the stack follows a call through a register, before which no code can be decoded.
#[test]
fn every_word_of_the_stack_calls_through_a_register() {
    watched(Box::new(|next| {
        next("register calls".into());
        let mut code = vec![0x90; 1024];
        code.extend([0xFE, 0xFF, 0xFF, 0xD0]);
        let behind = u32::try_from(CODE + code.len() as u64).unwrap();
        code.extend([0x90; 64]);
        let file = crash(Cpu::X86, code, chained_stack(1 << 17, 512, |_| behind));
        assert!(analyse(&file).is_some());
    }));
}

/// ARM64: every word of the stack follows a call through a register, and nothing before it says where that was loaded.
#[test]
fn every_word_of_an_arm64_stack_calls_through_a_register() {
    watched(Box::new(|next| {
        next("register calls".into());
        // blr x8, all along.
        let code: Vec<u8> =
            std::iter::repeat_n(0xD63F_0100_u32.to_le_bytes(), 1 << 16).flatten().collect();
        let word = |index: u64| match index % 2 {
            // Frame records, one behind the other.
            0 => STACK + (index + 2) * 8,
            _ => CODE + 0x1000 + index % 0x8000 * 4,
        };
        let stack: Vec<u8> = (0..1_u64 << 17).flat_map(|index| word(index).to_le_bytes()).collect();
        let report = analyse(&crash(Cpu::Arm64, code, stack)).unwrap();
        assert_eq!(report.crash.unwrap().frames.len(), 1024);
    }));
}

/// A stack of many megabytes in which every word may be a return address.
#[test]
fn a_huge_stack_of_return_addresses() {
    watched(Box::new(|next| {
        for cpu in [Cpu::Arm64, Cpu::Amd64, Cpu::X86] {
            next(format!("{cpu:?}"));
            let stack: Vec<u8> = (0..1_u64 << 19)
                .flat_map(|index| (CODE + 0x2000 + index % 512 * 4).to_le_bytes())
                .collect();
            let file = crash(cpu, vec![0; 16], stack);
            let report = analyse(&file).unwrap();
            assert!(report.crash.unwrap().frames.len() <= 1024);
        }
    }));
}

/// As many threads, handles, modules and unloaded modules as are read.
#[test]
fn many_of_everything() {
    watched(Box::new(|next| {
        next("building".into());
        let registers = context(Cpu::Amd64, &[("rip", START), ("rsp", STACK)]);
        let mut synth = Synth::new(Cpu::Amd64)
            .exception(7, 0xC000_0008, 0, START, &[], &registers)
            .memory(STACK, vec![0x40; 1 << 16]);
        for index in 0..5000 {
            let id = u32::try_from(index).unwrap();
            synth = synth
                .thread(&SynthThread {
                    id,
                    teb: 0,
                    stack_base: STACK,
                    stack: &[],
                    context: &registers,
                    name: Some("t"),
                })
                .module(BASE + index * 16, 0x40_0000, "ntdll.dll", [0; 4])
                .unloaded(BASE + index, 0x1000, "u.dll")
                .handle(&SynthHandle {
                    value: index % 7,
                    type_name: "Event",
                    ..Default::default()
                });
        }
        let file = synth.build();
        next(format!("{} bytes", file.len()));
        assert!(analyse(&file).is_some());
    }));
}
