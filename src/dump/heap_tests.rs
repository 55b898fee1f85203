//! Heaps of a real Windows 7 dump, and small ones made for the purpose.

use super::super::synth::Synth;
use super::super::{Cpu, Dump};
use super::*;

/// A segment of an x64 heap with encoded headers: `sizes` in granules with their flags.
fn heap(base: u64, blocks: &[(u16, u8)], encoding: [u8; 8]) -> Vec<u8> {
    let mut bytes = vec![0u8; 0x2000];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0x10, &SEGMENT_SIGNATURE.to_le_bytes());
    put(0x28, &base.to_le_bytes());
    put(0x30, &base.to_le_bytes());
    put(0x40, &(base + 0x1000).to_le_bytes());
    put(0x48, &(base + 0x2000).to_le_bytes());
    put(0x7C, &0x10_0000u32.to_le_bytes());
    put(0x88, &encoding);
    let (mut at, mut previous) = (0x1000, 0u16);
    for (size, flags) in blocks {
        let [low, high] = size.to_le_bytes();
        let [before, above] = previous.to_le_bytes();
        let plain = [low, high, *flags, low ^ high ^ flags, before, above, 0, 0];
        let coded: Vec<u8> = plain.iter().zip(encoding).map(|(byte, key)| byte ^ key).collect();
        put(at + 8, &coded);
        at += usize::from(*size) * 16;
        previous = *size;
    }
    bytes
}

const KEY: [u8; 8] = [0x31, 0x14, 0xBF, 0x2C, 0x70, 0x5F, 0, 0];

#[test]
fn a_free_block_is_free() {
    let base = 0x50_0000;
    let blocks = [(4, 1), (6, 0), (8, 1)];
    let file = Synth::new(Cpu::Amd64).memory(base, heap(base, &blocks, KEY)).build();
    let dump = Dump::parse(&file).unwrap();
    let at = |offset| block_at(&dump, base + offset).map(|block| (block.start - base, block.state));
    assert_eq!(at(0x1010), Some((0x1010, BlockState::Busy)));
    assert_eq!(at(0x1060), Some((0x1050, BlockState::Free)));
    assert_eq!(at(0x1048), None, "a header is no block");
    assert_eq!(at(0x10A8), None, "nor is the next one");
    assert_eq!(at(0x10B0), Some((0x10B0, BlockState::Busy)));
}

/// `new CRITICAL_SECTION`: 0x28 bytes of a block of 0x30 with its header.
#[test]
fn a_block_reaches_into_the_header_of_the_next() {
    let base = 0x50_0000;
    let file = Synth::new(Cpu::Amd64).memory(base, heap(base, &[(3, 1), (6, 1)], KEY)).build();
    let block = block_at(&Dump::parse(&file).unwrap(), base + 0x1010).unwrap();
    assert_eq!((block.start, block.used), (base + 0x1010, 0x28));
}

#[test]
fn a_header_that_does_not_prove_itself_ends_the_walk() {
    let base = 0x50_0000;
    let mut bytes = heap(base, &[(4, 1), (6, 0)], KEY);
    bytes[0x1048] ^= 0x10;
    let file = Synth::new(Cpu::Amd64).memory(base, bytes).build();
    let dump = Dump::parse(&file).unwrap();
    assert!(block_at(&dump, base + 0x1010).is_some());
    assert!(block_at(&dump, base + 0x1060).is_none());
    let mut foreign = heap(base, &[(4, 1), (6, 0)], KEY);
    foreign[0x10] = 0;
    let file = Synth::new(Cpu::Amd64).memory(base, foreign).build();
    assert!(block_at(&Dump::parse(&file).unwrap(), base + 0x1010).is_none());
}

#[test]
fn page_heap_stamps_tell_free_from_busy() {
    for (cpu, header, requested) in [(Cpu::X86, 0x20, 0x08), (Cpu::Amd64, 0x40, 0x10)] {
        for (first, last, state) in STAMPS {
            let mut bytes = vec![0u8; 0x200];
            bytes[0x100 - header..0x104 - header].copy_from_slice(&first.to_le_bytes());
            bytes[0x100 - header + requested] = 0x40;
            bytes[0xFC..0x100].copy_from_slice(&last.to_le_bytes());
            let file = Synth::new(cpu).memory(0x30_0000, bytes).build();
            let dump = Dump::parse(&file).unwrap();
            let block = block_at(&dump, 0x30_0120).unwrap();
            assert_eq!((block.start, block.size, block.state), (0x30_0100, 0x40, state));
            assert!(block_at(&dump, 0x30_0140).is_none(), "behind RequestedSize");
        }
    }
}

#[test]
fn a_small_block_is_told_free_from_busy() {
    let (base, subsegment) = (0x50_0000, 0x50_0200u64);
    let small = |unused: [u8; 4], depth: u16| {
        let mut bytes = heap(base, &[(4, 1), (0x12, 1)], KEY);
        // The second block: a header of 0x20 bytes, then four small blocks of 0x30 bytes each.
        bytes[0x1050..0x1058].copy_from_slice(&subsegment.to_le_bytes());
        bytes[0x1068..0x106C].copy_from_slice(&USERDATA_SIGNATURE.to_le_bytes());
        bytes[0x208..0x210].copy_from_slice(&(base + 0x1050).to_le_bytes());
        bytes[0x210..0x212].copy_from_slice(&depth.to_le_bytes());
        bytes[0x218] = 3;
        bytes[0x21C] = 4;
        for (index, unused) in unused.into_iter().enumerate() {
            bytes[0x1070 + index * 0x30 + 15] = unused;
        }
        let file = Synth::new(Cpu::Amd64).memory(base, bytes).build();
        let dump = Dump::parse(&file).unwrap();
        let states = [0x1088, 0x10B8, 0x10E8].map(|at| block_at(&dump, base + at).unwrap().state);
        assert_eq!(block_at(&dump, base + 0x1010).unwrap().state, Busy);
        states
    };
    use BlockState::{Busy, Free, FrontEnd};
    assert_eq!(small([0x88, 0x80, 0x8F, 0x80], 2), [Busy, Free, Busy]);
    assert_eq!(small([0x88, 0x80, 0x8F, 0x80], 3), [FrontEnd; 3], "Depth counts another number");
    assert_eq!(small([0x88, 0x80, 0x0F, 0x80], 2), [FrontEnd; 3], "no block of the front end");
}

/// All heaps of both sides of a WoW64 process, and their free blocks: each is linked from both its neighbours.
#[test]
fn walks_the_heaps_of_windows_7() {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = "shared/dumps/llvm-lldb/fizzbuzz_wow64.dmp";
    let mut places = package.ancestors().map(|at| at.join(name));
    let Some(path) = places.find(|path| path.is_file()) else {
        println!("skipped: {name} is not on this machine");
        return;
    };
    let file = std::fs::read(path).unwrap();
    let dump = Dump::parse(&file).unwrap();
    let memory = &dump.memory;
    let counts = |width, segment| {
        let blocks: Vec<_> = walk(memory, width, segment).collect();
        for block in blocks.iter().filter(|block| block.state == BlockState::Free) {
            let link = |at| memory.pointer(at, width).unwrap();
            assert_eq!(link(link(block.start) + width.bytes()), block.start);
            assert_eq!(link(link(block.start + width.bytes())), block.start);
        }
        let free = blocks.iter().filter(|block| block.state == BlockState::Free).count();
        let cut = blocks.iter().filter(|block| block.state == BlockState::FrontEnd).count();
        (blocks.len(), free, cut)
    };
    assert_eq!(counts(PointerWidth::Eight, 0x50_0000), (28, 3, 0));
    assert_eq!(counts(PointerWidth::Eight, 0x2_0000), (2, 1, 0));
    assert_eq!(counts(PointerWidth::Four, 0x70_0000), (165, 4, 5));
    assert_eq!(counts(PointerWidth::Four, 0x46_0000), (11, 2, 0));
    let block = block_at(&dump, 0x50_0A98).unwrap();
    assert_eq!(block.state, BlockState::Busy);
}

/// The 32-bit process heap of the same dump: five blocks that the front end has cut, each with as many free small
/// blocks as its subsegment says.
#[test]
fn small_blocks_of_windows_7_add_up() {
    let package = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = "shared/dumps/llvm-lldb/fizzbuzz_wow64.dmp";
    let mut places = package.ancestors().map(|at| at.join(name));
    let Some(path) = places.find(|path| path.is_file()) else {
        println!("skipped: {name} is not on this machine");
        return;
    };
    let file = std::fs::read(path).unwrap();
    let dump = Dump::parse(&file).unwrap();
    let width = PointerWidth::Four;
    let state = |userdata, address| {
        front_end_block(&dump.memory, width, userdata, address).map(|block| block.state)
    };
    let cut: Vec<_> = walk(&dump.memory, width, 0x70_0000)
        .filter(|block| block.state == BlockState::FrontEnd)
        .map(|block| block.start)
        .collect();
    assert_eq!(cut.len(), 5);
    // Of 63 blocks of 0x20 bytes only the first is in use; of 50 blocks of 0x28 bytes all are.
    assert_eq!(state(0x71_29B8, 0x71_29D8), Some(BlockState::Busy));
    assert_eq!(state(0x71_29B8, 0x71_29F8), Some(BlockState::Free));
    assert_eq!(state(0x70_CE60, 0x70_CE80), Some(BlockState::Busy));
    for userdata in cut {
        assert!(state(userdata, userdata + 0x20).is_some(), "{userdata:#x}");
    }
}
