//! Blocks of Wine's heap.
//!
//! Layout: dlls/ntdll/heap.c of Wine 8.0 (`struct block`, `SUBHEAP`), and observed in the lab's dumps of Wine 8.0, x64 and x86. Later
//! versions have another header and a front end, and do not pass.

use super::super::Dump;
use super::super::memory::{AddressSpace, PointerWidth};
use super::{ALLOCATION, BlockState, HeapBlock, HeapKind, MAX_BLOCKS, MAX_PROBES};

/// `block_type` of a block in use: "US".
const USED: u16 = 0x5355;
/// Of a free one: "FR".
const FREE: u16 = 0x5246;
/// `block_flags`: the block is free.
const FLAG_FREE: u8 = 1;
/// The block before is free.
const FLAG_PREVIOUS_FREE: u8 = 2;
/// Those two, and what a program may ask for (HEAP_ADD_USER_INFO and its like).
const KNOWN_FLAGS: u8 = FLAG_FREE | FLAG_PREVIOUS_FREE | 0xF0;
/// Bytes of a header; the program's bytes begin behind it.
const HEADER: u64 = 8;
/// Most bytes below an address searched for a header without a walk.
const MAX_NEAR: u64 = 0x400;
/// Most bytes from a heap's start to its first block.
const MAX_HEAD: u64 = 0x1000;

/// One header: `block_size` at 0 (2 bytes, in units), `block_flags` at 2, `tail_size` at 3 (bytes not asked for; of a free
/// block the upper bits of its size), `base_offset` at 4, `block_type` at 6 (2 bytes).
#[derive(Debug, Clone, Copy)]
struct Header {
    /// Bytes, with the header.
    size: u64,
    is_free: bool,
    follows_free: bool,
    /// Bytes at its end that nobody asked for.
    tail: u64,
}

/// The block that holds an address.
///
/// - situation: a section in a crash under Wine; whether its memory is free, and where its block begins.
/// - example: `04 00 00 08 00 00 55 53` before an object of 0x30 bytes.
/// - handling: from the first header of the heap's region on, each block leads to the next, and each says rightly whether the
///   one before it is free; else nothing is said.
/// - test: `a_block_of_wine_is_found`, `the_lab_walks_the_heap_of_wine` (tests/accuracy).
pub(super) fn block_at(dump: &Dump<'_>, address: u64) -> Option<HeapBlock> {
    proven(dump, address).or_else(|| near(&dump.memory, dump.system.pointer_width, address))
}

/// The nearest header below an address that leads to another one above it: where a small dump has no more of the heap.
///
/// - situation: a WER dump has a kilobyte around what the stack points to.
/// - example: the headers right before and right behind an object, in the middle of nothing.
/// - handling: such a block has bounds, but no state: a header may be left over from before two free blocks became one.
/// - test: `between_two_headers_of_wine`.
fn near(memory: &AddressSpace<'_>, width: PointerWidth, address: u64) -> Option<HeapBlock> {
    let unit = unit(width);
    let highest = address.checked_sub(address.checked_rem(unit)?)?.checked_sub(HEADER)?;
    let at = (0..MAX_NEAR.checked_div(unit)?)
        .map_while(|index| highest.checked_sub(index.checked_mul(unit)?))
        .take_while(|at| memory.u8(*at).is_some())
        .find(|at| header(memory, width, *at).is_some())?;
    let block = leads_on(memory, width, at).then(|| walk(memory, width, at).next())??;
    (block.state == BlockState::Busy && block.contains(address))
        .then_some(HeapBlock { state: BlockState::Unproven, ..block })
}

fn proven(dump: &Dump<'_>, address: u64) -> Option<HeapBlock> {
    let (memory, width) = (&dump.memory, dump.system.pointer_width);
    let allocation = dump.memory_info_at(address).map(|info| info.allocation_base);
    let highest = address.checked_sub(address.checked_rem(ALLOCATION)?)?;
    let mut regions = (0..MAX_PROBES)
        .map_while(|index| highest.checked_sub(index.checked_mul(ALLOCATION)?))
        .take_while(|region| allocation.is_none_or(|base| *region >= base))
        .take_while(|region| memory.u8(*region).is_some());
    let first = regions.find_map(|region| first_block(memory, width, region))?;
    let block = walk(memory, width, first).find(|block| block.contains(address))?;
    let next = block.start.checked_add(block.size)?;
    // A header that leads nowhere proves nothing; the last block ends where the heap's memory does.
    let is_followed = header(memory, width, next).is_some() || memory.u8(next).is_none();
    is_followed.then_some(block)
}

/// The first header of the region that begins at an address: behind `struct heap`, whose length varies, or `SUBHEAP`.
fn first_block(memory: &AddressSpace<'_>, width: PointerWidth, region: u64) -> Option<u64> {
    let signature = match width {
        PointerWidth::Four => 0x08,
        PointerWidth::Eight => 0x10,
    };
    let unit = unit(width);
    let subheap = unit.checked_mul(4)?.checked_sub(HEADER)?;
    let is_heap = memory.u32(region.checked_add(signature)?)? == super::SEGMENT_SIGNATURE;
    let first = if is_heap { signature } else { subheap };
    let last = if is_heap { MAX_HEAD } else { subheap };
    (first..=last)
        .filter(|offset| offset.checked_add(HEADER).is_some_and(|at| at.is_multiple_of(unit)))
        .filter_map(|offset| region.checked_add(offset))
        .find(|at| leads_on(memory, width, *at))
}

/// Whether a block begins here that another one follows.
fn leads_on(memory: &AddressSpace<'_>, width: PointerWidth, at: u64) -> bool {
    let next = header(memory, width, at).and_then(|found| at.checked_add(found.size));
    next.is_some_and(|next| header(memory, width, next).is_some())
}

fn unit(width: PointerWidth) -> u64 {
    width.bytes().saturating_mul(2)
}

fn header(memory: &AddressSpace<'_>, width: PointerWidth, at: u64) -> Option<Header> {
    let mut bytes = [0; 8];
    memory.read(at, &mut bytes)?;
    let [low, high, flags, tail, _, _, type_low, type_high] = bytes;
    (flags & !KNOWN_FLAGS == 0).then_some(())?;
    let is_free = flags & FLAG_FREE != 0;
    let wanted = if is_free { FREE } else { USED };
    let above = if is_free { u64::from(tail) << 16 } else { 0 };
    let units = u64::from(u16::from_le_bytes([low, high])) | above;
    (u16::from_le_bytes([type_low, type_high]) == wanted && units > 0).then_some(())?;
    let size = units.checked_mul(unit(width))?;
    Some(Header {
        size,
        is_free,
        follows_free: flags & FLAG_PREVIOUS_FREE != 0,
        tail: if is_free { 0 } else { tail.into() },
    })
}

/// The blocks from a header on, up to the first that does not prove itself.
fn walk<'w>(
    memory: &'w AddressSpace<'_>,
    width: PointerWidth,
    first: u64,
) -> impl Iterator<Item = HeapBlock> + use<'w> {
    let mut next = Some(first);
    let mut follows_free = None;
    std::iter::from_fn(move || {
        let at = next?;
        let found = header(memory, width, at)?;
        follows_free.is_none_or(|free| free == found.follows_free).then_some(())?;
        follows_free = Some(found.is_free);
        next = at.checked_add(found.size);
        let size = found.size.checked_sub(HEADER)?;
        let state = if found.is_free { BlockState::Free } else { BlockState::Busy };
        Some(HeapBlock {
            start: at.checked_add(HEADER)?,
            size,
            used: size.saturating_sub(found.tail),
            state,
            kind: HeapKind::Wine,
        })
    })
    .take(MAX_BLOCKS)
}

#[cfg(test)]
#[path = "wine_tests.rs"]
mod tests;
