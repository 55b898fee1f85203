//! The choice of the section, on dumps made by hand.

use super::*;
use crate::dump::exception::ExceptionRecord;
use crate::dump::synth::{Synth, SynthThread, context};
use crate::dump::{Cpu, Dump};
use crate::image::flow::FlowCache;
use crate::image::images::Images;
use crate::image::registers::RegisterFile;

const HEAP: u64 = 0x24_0000;
const STACKS: [u64; 2] = [0x10_0000, 0x20_0000];

fn words(all: &[u64]) -> Vec<u8> {
    let mut bytes: Vec<u8> = all.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(0x100, 0);
    bytes
}

/// The section that is found where a wait fails, by the words at the tops of the faulting thread's stack and of another one's, and by what
/// the heap, else zeros, holds.
fn found(failure: Failure, faulting: &[u64], other: &[u64], heap: &[(usize, u8)]) -> Option<u64> {
    let registers = STACKS.map(|stack| context(Cpu::Amd64, &[("rip", 0x40_0010), ("rsp", stack)]));
    let stacks = [words(faulting), words(other)];
    let thread = |index: usize| SynthThread {
        id: 7 + u32::try_from(index).unwrap(),
        context: &registers[index],
        stack_base: STACKS[index],
        stack: &stacks[index],
        ..SynthThread::default()
    };
    let mut bytes = vec![0; 0x1000];
    for (at, byte) in heap {
        bytes[*at] = *byte;
    }
    let record = ExceptionRecord {
        code: 0xC000_0008,
        flags: 0,
        nested_record_address: 0,
        address: 0x40_0010,
        parameters: Vec::new(),
    };
    let synth = Synth::new(Cpu::Amd64).thread(&thread(0)).thread(&thread(1));
    let synth = synth.exception(7, record.code, 0, record.address, &[], &registers[0]);
    let file = synth.memory(HEAP, bytes).build();
    let dump = Dump::parse(&file).unwrap();
    let images = Images::new(&dump.memory, []);
    let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
    let start = RegisterFile::from_context(dump.threads[0].context.as_ref().unwrap()).unwrap();
    let frames = crate::crash::stack::walk(scene, start);
    let exception = EffectiveException { record, nested_in: Vec::new(), context: None };
    let encoding = LockCountEncoding::Flags;
    let search = Search { frames: &frames, found: None, exception: &exception, failure, encoding };
    locate(scene, search).1.map(|located| located.candidate.address)
}

#[test]
fn a_section_deleted_under_its_waiters_is_found() {
    let wait = Failure::Wait(0xC000_0008);
    let section = |at: u64| [HEAP + at, HEAP + at + 8];
    let both = section(0x100);
    assert_eq!(found(wait, &both, &both, &[]), Some(HEAP + 0x100));
    // A failed signal has no waiters that a Delete let down.
    assert_eq!(found(Failure::Signal(0xC000_0008), &both, &both, &[]), None);
    // The other thread does not stand for it, or for its LockCount.
    assert_eq!(found(wait, &both, &[], &[]), None);
    assert_eq!(found(wait, &both, &[HEAP + 0x100], &[]), None);
    assert_eq!(found(wait, &[HEAP + 0x100], &both, &[]), None);
    // Two such sections.
    let two = [section(0x100), section(0x200)].concat();
    assert_eq!(found(wait, &two, &two, &[]), None);
    // Of two, one that is no zeros.
    assert_eq!(found(wait, &two, &two, &[(0x104, 1)]), Some(HEAP + 0x200));
    // On a stack, where zeros are everywhere.
    let local = [STACKS[1] + 0x80, STACKS[1] + 0x88];
    assert_eq!(found(wait, &local, &local, &[]), None);
}
