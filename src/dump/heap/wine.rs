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
/// Most headers around one address that are asked.
const MAX_AROUND: usize = 4;
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

impl Header {
    /// Its block, when it lies at an address.
    fn block(&self, at: u64) -> Option<HeapBlock> {
        let size = self.size.checked_sub(HEADER)?;
        Some(HeapBlock {
            start: at.checked_add(HEADER)?,
            size,
            used: size.saturating_sub(self.tail),
            state: if self.is_free { BlockState::Free } else { BlockState::Busy },
            kind: HeapKind::Wine,
        })
    }
}

/// The block that holds an address.
///
/// - situation: a section in a crash under Wine; whether its memory is free, and where its block begins.
/// - example: `04 00 00 08 00 00 55 53` before an object of 0x30 bytes.
/// - handling: from the first header of the heap's region on, each block leads to the next, and each says rightly whether the
///   one before it is free. Where that does not hold, its nearest headers bound it, without a state; where the dump has no beginning of a
///   heap, see [`near`].
/// - test: `a_block_of_wine_is_found`, `the_lab_walks_the_heap_of_wine` (tests/accuracy).
pub(super) fn block_at(dump: &Dump<'_>, address: u64) -> Option<HeapBlock> {
    let (memory, width) = (&dump.memory, dump.system.pointer_width);
    let Some(first) = heap_of(dump, address) else { return near(memory, width, address) };
    proven(memory, width, first, address).or_else(|| {
        let (at, own) = headers_below(memory, width, address).next()?;
        let block = own.block(at).filter(|block| block.contains(address))?;
        let is_bound = !own.is_free && leads_on(memory, width, at);
        is_bound.then_some(HeapBlock { state: BlockState::Unproven, ..block })
    })
}

/// The block between two headers: where a small dump has no more of the heap.
///
/// - situation: a WER dump has a kilobyte around what the stack points to.
/// - example: the headers right before and right behind an object, in the middle of nothing.
/// - handling: the header behind must say of the block what the block's own says, and so must the one before, where the dump has it. One that is
///   left over from before two free blocks became one does not: the block behind it was told that its predecessor is free. Where several
///   that fit lie around the address, they have to say the same; else the nearest has bounds, and no state.
/// - test: `between_two_headers_of_wine`.
fn near(memory: &AddressSpace<'_>, width: PointerWidth, address: u64) -> Option<HeapBlock> {
    let around = headers_below(memory, width, address).filter_map(|(at, own)| {
        let block = own.block(at).filter(|block| block.contains(address))?;
        Some((block, fits(memory, width, at, own)))
    });
    let mut around = around.take(MAX_AROUND);
    let (nearest, fit) = around.next()?;
    let mut states = around.filter(|(_, fit)| *fit == Fit::Said).map(|(block, _)| block);
    let block = if fit == Fit::Said { nearest } else { states.next().unwrap_or(nearest) };
    let is_said = fit == Fit::Said || block != nearest;
    let is_bound = block.state == BlockState::Free || is_only_end(memory, width, address, &block);
    match is_said && is_bound && states.all(|other| other.state == block.state) {
        true => Some(block),
        false if fit == Fit::Unfollowed || nearest.state == BlockState::Free => None,
        false => Some(HeapBlock { state: BlockState::Unproven, ..nearest }),
    }
}

/// Whether no other header around an address leads to the end of its block: one of the two is left over.
fn is_only_end(
    memory: &AddressSpace<'_>,
    width: PointerWidth,
    address: u64,
    block: &HeapBlock,
) -> bool {
    let end = block.start.checked_add(block.size);
    let same = headers_below(memory, width, address)
        .filter(|(at, own)| at.checked_add(own.size) == end)
        .take(2);
    same.count() < 2
}

/// What the headers around say of a block's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// The same.
    Said,
    /// Another thing, or two things.
    Denied,
    /// There is none behind it.
    Unfollowed,
}

fn fits(memory: &AddressSpace<'_>, width: PointerWidth, at: u64, own: Header) -> Fit {
    let Some(end) = at.checked_add(own.size) else { return Fit::Unfollowed };
    let leads_to =
        |(from, found): &(u64, Header), to: u64| from.checked_add(found.size) == Some(to);
    let before = headers_below(memory, width, at).find(|header| leads_to(header, at));
    let is_told = before.is_none_or(|(_, before)| before.is_free == own.follows_free);
    // A free block's rest may be what is left of a larger one that was cut: its header lies inside, and leads to the same end.
    let near = at.saturating_add(MAX_NEAR.saturating_mul(2)).min(end);
    let nearer = at.saturating_add(MAX_NEAR).min(end);
    let inside = |from: u64| headers_below(memory, width, from).take_while(|(from, _)| *from > at);
    let is_known = |from: &(u64, Header)| {
        let to = from.0.checked_add(from.1.size);
        to == Some(end) || to.is_some_and(|to| to > near && memory.u8(to).is_none())
    };
    let Some(next) = header(memory, width, end) else {
        // The last free block of a heap is larger than what a small dump has of it.
        let is_last = own.is_free
            && memory.u8(end).is_none()
            && before.is_some()
            && is_told
            && !inside(near).chain(inside(nearer)).any(|found| found.1.is_free && is_known(&found));
        return if is_last { Fit::Said } else { Fit::Unfollowed };
    };
    let is_same_end =
        |found: (u64, Header)| leads_to(&found, end) && found.1.is_free == next.follows_free;
    let is_cut = inside(end).chain(inside(near)).chain(inside(nearer)).any(is_same_end);
    let is_placed = !own.is_free || before.is_some();
    let is_same = next.follows_free == own.is_free && !is_cut && is_told && is_placed;
    if is_same { Fit::Said } else { Fit::Denied }
}

/// The headers that end at an address or below it, the nearest first.
fn headers_below<'m>(
    memory: &'m AddressSpace<'_>,
    width: PointerWidth,
    address: u64,
) -> impl Iterator<Item = (u64, Header)> + use<'m> {
    let unit = unit(width);
    let highest =
        address.checked_rem(unit).and_then(|rest| address.checked_sub(rest)?.checked_sub(HEADER));
    let places = (0..MAX_NEAR.checked_div(unit).unwrap_or(0))
        .map_while(move |index| highest?.checked_sub(index.checked_mul(unit)?));
    places
        .take_while(|at| memory.u8(*at).is_some())
        .filter_map(move |at| Some((at, header(memory, width, at)?)))
}

/// The first header of the heap's region that an address is in, when the dump has the region's beginning.
fn heap_of(dump: &Dump<'_>, address: u64) -> Option<u64> {
    let (memory, width) = (&dump.memory, dump.system.pointer_width);
    let allocation = dump.memory_info_at(address).map(|info| info.allocation_base);
    let highest = address.checked_sub(address.checked_rem(ALLOCATION)?)?;
    let mut regions = (0..MAX_PROBES)
        .map_while(|index| highest.checked_sub(index.checked_mul(ALLOCATION)?))
        .take_while(|region| allocation.is_none_or(|base| *region >= base))
        .take_while(|region| memory.u8(*region).is_some());
    regions.find_map(|region| first_block(memory, width, region))
}

fn proven(
    memory: &AddressSpace<'_>,
    width: PointerWidth,
    first: u64,
    address: u64,
) -> Option<HeapBlock> {
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
        found.block(at)
    })
    .take(MAX_BLOCKS)
}

#[cfg(test)]
#[path = "wine_tests.rs"]
mod tests;
