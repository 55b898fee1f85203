//! Small heaps as Wine 8.0 lays them out.

use super::super::super::synth::Synth;
use super::super::super::{Cpu, Dump};
use super::super::block_at;
use super::*;

/// A heap at `base`: after its own fields, blocks of `sizes` in units of 16 bytes, with their flags and tails.
fn heap(blocks: &[(u16, u8, u8)]) -> Vec<u8> {
    let mut bytes = vec![0u8; 0x1000];
    bytes[0x10..0x14].copy_from_slice(&super::super::SEGMENT_SIGNATURE.to_le_bytes());
    // The heads of two lists of free blocks, which are no blocks.
    for list in [0xF8, 0x118] {
        bytes[list + 2] = 3;
        bytes[list + 6..list + 8].copy_from_slice(&FREE.to_le_bytes());
    }
    let mut at = 0x208;
    for (size, flags, tail) in blocks {
        bytes[at..at + 2].copy_from_slice(&size.to_le_bytes());
        bytes[at + 2] = *flags;
        bytes[at + 3] = *tail;
        let kind = if flags & FLAG_FREE != 0 { FREE } else { USED };
        bytes[at + 6..at + 8].copy_from_slice(&kind.to_le_bytes());
        at += usize::from(*size) * 16;
    }
    // The rest is free, to the end of the memory.
    let rest = u16::try_from((0x1008 - at) / 16).unwrap();
    bytes[at..at + 2].copy_from_slice(&rest.to_le_bytes());
    bytes[at + 2] = FLAG_FREE;
    bytes[at + 6..at + 8].copy_from_slice(&FREE.to_le_bytes());
    bytes
}

fn block(bytes: Vec<u8>, base: u64, offset: u64) -> Option<(u64, u64, BlockState)> {
    let file = Synth::new(Cpu::Amd64).memory(base, bytes).build();
    let dump = Dump::parse(&file).unwrap();
    let found = block_at(&dump, base + offset)?;
    assert_eq!(found.kind, HeapKind::Wine);
    Some((found.start - base, found.used, found.state))
}

const BASE: u64 = 0x24_0000;
const BLOCKS: [(u16, u8, u8); 4] = [(4, 0, 8), (6, 0, 0), (8, 1, 0), (2, 2, 0)];

#[test]
fn a_block_of_wine_is_found() {
    let at = |offset| block(heap(&BLOCKS), BASE, offset);
    assert_eq!(at(0x210), Some((0x210, 0x30, BlockState::Busy)));
    assert_eq!(at(0x260), Some((0x250, 0x58, BlockState::Busy)));
    assert_eq!(at(0x2C0), Some((0x2B0, 0x78, BlockState::Free)));
    assert_eq!(at(0x24C), None, "a header is no block");
    // The block behind the free one does not know that it is free.
    let mut blocks = BLOCKS;
    blocks[3].1 = 0;
    assert_eq!(block(heap(&BLOCKS), BASE, 0x330), Some((0x330, 0x18, BlockState::Busy)));
    assert_eq!(block(heap(&blocks), BASE, 0x330), Some((0x330, 0x18, BlockState::Unproven)));
    // A block that nothing follows, although there is memory.
    let mut cut = heap(&BLOCKS);
    cut[0x348..0x350].fill(0);
    assert_eq!(block(cut, BASE, 0x330), None);
}

#[test]
fn between_two_headers_of_wine() {
    // Only a part of the heap is in the dump: the header before, and the one behind.
    let part = |blocks: &[(u16, u8, u8)], from: usize, to: usize| heap(blocks)[from..to].to_vec();
    let at = |bytes: Vec<u8>, offset| block(bytes, BASE + 0x240, offset);
    assert_eq!(at(part(&BLOCKS, 0x240, 0x2C0), 0x20), Some((0x10, 0x58, BlockState::Busy)));
    assert_eq!(at(part(&BLOCKS, 0x240, 0x2A0), 0x20), None, "nothing behind it");
    // The header behind says that this one is free: it is left over.
    let mut told = BLOCKS;
    told[2].1 = FLAG_FREE | FLAG_PREVIOUS_FREE;
    assert_eq!(at(part(&told, 0x240, 0x2C0), 0x20), Some((0x10, 0x58, BlockState::Unproven)));
    // A free one, between two that say so.
    assert_eq!(at(part(&BLOCKS, 0x240, 0x340), 0x80), Some((0x70, 0x78, BlockState::Free)));
    told = BLOCKS;
    told[3].1 = 0;
    assert_eq!(at(part(&told, 0x240, 0x340), 0x80), None);
    // Left over in a block in use: the rest that it was cut from says the same, and its header lies inside.
    let mut cut = heap(&[(4, 0, 8), (6, 1, 0), (8, 3, 0), (2, 2, 0)]);
    cut[0x248..0x24A].copy_from_slice(&14u16.to_le_bytes());
    assert_eq!(block(cut[0x240..0x340].to_vec(), BASE + 0x240, 0x20), None);
    // In a free block lies a header from when it was two, which the one behind denies.
    let mut merged = heap(&[(4, 0, 8), (6, 1, 0), (8, 2, 0), (2, 0, 0)]);
    merged[0x248..0x24A].copy_from_slice(&14u16.to_le_bytes());
    merged[0x328 + 2] = FLAG_PREVIOUS_FREE;
    let found = block(merged[0x200..0x340].to_vec(), BASE + 0x200, 0xC0);
    assert_eq!(found, Some((0x50, 0xD8, BlockState::Free)));
    // The last free block goes on behind what the dump has, and what lies before leads to it.
    let end = heap(&BLOCKS)[0x320..0x380].to_vec();
    assert_eq!(block(end, BASE + 0x320, 0x50).map(|found| found.2), Some(BlockState::Free));
}
