//! Blocks of the heaps, as far as their own headers prove themselves: the NT heap's encoded headers (Vista and later), the
//! stamps of page heap, and the headers of Wine's heap.
//!
//! Offsets of `_HEAP`, `_HEAP_SEGMENT` and `_HEAP_ENTRY`: public symbols as listed by ntdiff/headers (10 20H1 x64), and
//! checked by walking all five heaps of a full Windows 7 dump, x64 and x86. Nothing is assumed from the version: a
//! segment must name itself, and every header up to the block must have its checksum and its predecessor's size.
//! The segment heap of Windows 10 has other headers; its blocks are unknown.

mod wine;

use super::Dump;
use super::memory::{AddressSpace, PointerWidth};

/// SegmentSignature of an NT heap.
const SEGMENT_SIGNATURE: u32 = 0xFFEE_FFEE;
/// Signature behind which the front end (LFH) cuts a block into smaller ones.
const USERDATA_SIGNATURE: u32 = 0xF0E0_D0C0;
/// HEAP_ENTRY.Flags: the block is in use.
const BUSY: u8 = 1;
/// HEAP_ENTRY.UnusedBytes of the front end: set in each of its blocks, and alone in a free one.
const FRONT_END: u8 = 0x80;
/// Most small blocks in one block of the front end that are read.
const MAX_SMALL_BLOCKS: u64 = 4096;
/// What VirtualAlloc aligns to, in bytes.
const ALLOCATION: u64 = 0x1_0000;
/// Most possible starts of a segment looked at: 32 MiB.
const MAX_PROBES: u64 = 512;
/// Most blocks of one segment walked.
const MAX_BLOCKS: usize = 65_536;
/// Bytes below an address searched for the header of its page-heap block.
const PAGE_HEAP_REACH: u64 = 0x1000;

/// Who marks a block, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockState {
    /// In use.
    Busy,
    /// Free.
    Free,
    /// Cut into small blocks by the front end, whose headers do not prove themselves.
    FrontEnd,
    /// Between two headers that fit, while the dump lacks those before.
    Unproven,
}

/// Whose headers say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeapKind {
    /// The NT heap.
    Nt,
    /// Page heap.
    Page,
    /// Wine's heap.
    Wine,
}

/// A heap block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeapBlock {
    /// First byte that the program may use.
    pub start: u64,
    /// Bytes from there to the next block's header.
    pub size: u64,
    /// Bytes from there that the program can have asked for.
    pub used: u64,
    /// Its state.
    pub state: BlockState,
    /// Who says so.
    pub kind: HeapKind,
}

impl HeapBlock {
    fn contains(&self, address: u64) -> bool {
        address.checked_sub(self.start).is_some_and(|offset| offset < self.size)
    }

    /// The first address behind what the program has asked for.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.used)
    }
}

/// Offsets in bytes.
struct HeapLayout {
    signature: u64,
    heap: u64,
    base_address: u64,
    first_entry: u64,
    last_valid_entry: u64,
    encode_flag_mask: u64,
    /// The 8 encoded bytes of `Encoding`.
    encoding: u64,
    /// Unit of sizes, and distance from a header to the block's bytes.
    granule: u64,
    /// Of the 8 encoded bytes in a header.
    code: u64,
    /// Of [`USERDATA_SIGNATURE`] in a block.
    userdata: u64,
}

impl HeapLayout {
    fn of(width: PointerWidth) -> Self {
        match width {
            PointerWidth::Four => Self {
                signature: 0x08,
                heap: 0x18,
                base_address: 0x1C,
                first_entry: 0x24,
                last_valid_entry: 0x28,
                encode_flag_mask: 0x4C,
                encoding: 0x50,
                granule: 8,
                code: 0,
                userdata: 0x0C,
            },
            PointerWidth::Eight => Self {
                signature: 0x10,
                heap: 0x28,
                base_address: 0x30,
                first_entry: 0x40,
                last_valid_entry: 0x48,
                encode_flag_mask: 0x7C,
                encoding: 0x88,
                granule: 16,
                code: 8,
                userdata: 0x18,
            },
        }
    }
}

/// The block that holds an address, when its heap's headers are in the dump and prove themselves.
///
/// - situation: a section in freed memory often still has its old bytes.
/// - example: HEAP_ENTRY.Flags 0 in the decoded header before the section's object.
/// - handling: find the segment at a multiple of 64 KiB that names itself, and walk its blocks; each header's checksum
///   byte and each block's note of its predecessor's size must be right, else nothing is said.
/// - test: `walks_the_heaps_of_windows_7`, `a_free_block_is_free`.
#[must_use]
pub fn block_at(dump: &Dump<'_>, address: u64) -> Option<HeapBlock> {
    let (memory, width) = (&dump.memory, dump.system.pointer_width);
    page_heap_block(memory, width, address)
        .or_else(|| nt_block(dump, address))
        .or_else(|| wine::block_at(dump, address))
}

fn nt_block(dump: &Dump<'_>, address: u64) -> Option<HeapBlock> {
    let (memory, width) = (&dump.memory, dump.system.pointer_width);
    let segment = segment_of(dump, address)?;
    let block = walk(memory, width, segment).find(|block| block.contains(address))?;
    match block.state {
        BlockState::FrontEnd => {
            Some(front_end_block(memory, width, block.start, address).unwrap_or(block))
        }
        _ => Some(block),
    }
}

/// The small block that holds an address in a block that the front end (LFH) of Windows 7 has cut into small ones.
///
/// - situation: blocks of common sizes come from the front end, whose headers are encoded otherwise.
/// - example: UnusedBytes 0x80 in a small block's header: free; 0x88: in use.
/// - handling: the block's first word leads to a `_HEAP_SUBSEGMENT` that points back; the headers that are marked free
///   are as many as the subsegment's Depth says, and all carry the front end's bit 0x80. Windows 8 and later lay all
///   this out anew and do not pass.
/// - test: `small_blocks_of_windows_7_add_up`, `a_small_block_is_told_free_from_busy`.
fn front_end_block(
    memory: &AddressSpace<'_>,
    width: PointerWidth,
    userdata: u64,
    address: u64,
) -> Option<HeapBlock> {
    let granule = HeapLayout::of(width).granule;
    // _HEAP_SUBSEGMENT: UserBlocks, AggregateExchg.Depth, BlockSize in granules, BlockCount; then the size of
    // _HEAP_USERDATA_HEADER.
    let (user_blocks, depth, block_size, block_count, first) = match width {
        PointerWidth::Four => (0x04, 0x08, 0x10, 0x14, 0x10),
        PointerWidth::Eight => (0x08, 0x10, 0x18, 0x1C, 0x20),
    };
    let subsegment = memory.pointer(userdata, width)?;
    let word = |offset: u64| memory.u16(subsegment.checked_add(offset)?).map(u64::from);
    let back = memory.pointer(subsegment.checked_add(user_blocks)?, width)?;
    let stride = word(block_size)?.checked_mul(granule)?;
    let count = word(block_count)?;
    if back != userdata || stride <= granule || count == 0 || count > MAX_SMALL_BLOCKS {
        return None;
    }
    let start = |index: u64| userdata.checked_add(first)?.checked_add(index.checked_mul(stride)?);
    let mut free = 0;
    let mut found = None;
    for index in 0..count {
        let header = start(index)?;
        let unused = memory.u8(header.checked_add(granule)?.checked_sub(1)?)?;
        if unused & FRONT_END == 0 {
            return None;
        }
        let state = if unused == FRONT_END { BlockState::Free } else { BlockState::Busy };
        free = u64::from(state == BlockState::Free).checked_add(free)?;
        let (start, size) = (header.checked_add(granule)?, stride.checked_sub(granule)?);
        let block = HeapBlock { start, size, used: size, state, kind: HeapKind::Nt };
        found = found.or_else(|| block.contains(address).then_some(block));
    }
    found.filter(|_| word(depth) == Some(free))
}

/// The segment that an address is in.
fn segment_of(dump: &Dump<'_>, address: u64) -> Option<u64> {
    let (memory, width) = (&dump.memory, dump.system.pointer_width);
    let allocation = dump.memory_info_at(address).map(|info| info.allocation_base);
    let highest = address.checked_sub(address.checked_rem(ALLOCATION)?)?;
    let probes = (0..MAX_PROBES)
        .map_while(|index| highest.checked_sub(index.checked_mul(ALLOCATION)?))
        .take_while(|probe| allocation.is_none_or(|base| *probe >= base));
    probes.into_iter().find(|probe| is_segment(memory, width, *probe))
}

fn is_segment(memory: &AddressSpace<'_>, width: PointerWidth, at: u64) -> bool {
    let layout = HeapLayout::of(width);
    let signed = |at: u64| {
        at.checked_add(layout.signature).and_then(|at| memory.u32(at)) == Some(SEGMENT_SIGNATURE)
    };
    let pointer = |offset: u64| memory.pointer(at.checked_add(offset)?, width);
    signed(at)
        && pointer(layout.base_address) == Some(at)
        && pointer(layout.heap).is_some_and(signed)
}

/// One decoded header: sizes in granules.
#[derive(Debug, Clone, Copy)]
struct Header {
    size: u16,
    flags: u8,
    previous_size: u16,
}

/// Reads the header at `at`; `None` when its checksum is wrong.
fn header(
    memory: &AddressSpace<'_>,
    layout: &HeapLayout,
    at: u64,
    encoding: [u8; 8],
) -> Option<Header> {
    let mut bytes = [0; 8];
    memory.read(at.checked_add(layout.code)?, &mut bytes)?;
    for (byte, key) in bytes.iter_mut().zip(encoding) {
        *byte ^= key;
    }
    let [size_low, size_high, flags, checksum, previous_low, previous_high, ..] = bytes;
    (checksum == size_low ^ size_high ^ flags).then_some(Header {
        size: u16::from_le_bytes([size_low, size_high]),
        flags,
        previous_size: u16::from_le_bytes([previous_low, previous_high]),
    })
}

/// The blocks of a segment, up to the first header that does not prove itself.
fn walk<'w>(
    memory: &'w AddressSpace<'_>,
    width: PointerWidth,
    segment: u64,
) -> impl Iterator<Item = HeapBlock> + use<'w> {
    let layout = HeapLayout::of(width);
    let pointer = |offset: u64| memory.pointer(segment.checked_add(offset)?, width);
    let heap = pointer(layout.heap).unwrap_or(0);
    let in_heap = |offset: u64| heap.checked_add(offset);
    let mask = in_heap(layout.encode_flag_mask).and_then(|at| memory.u32(at)).unwrap_or(0);
    let mut encoding = [0; 8];
    let known = in_heap(layout.encoding).and_then(|at| memory.read(at, &mut encoding)).is_some();
    if mask == 0 {
        encoding = [0; 8];
    }
    let mut next = pointer(layout.first_entry).filter(|first| known && *first > segment);
    let end = pointer(layout.last_valid_entry).unwrap_or(0);
    let mut previous = None;
    std::iter::from_fn(move || {
        let at = next.filter(|at| *at < end)?;
        let found = header(memory, &layout, at, encoding)?;
        let follows = previous.is_none_or(|size| size == found.previous_size);
        (follows && found.size > 0).then_some(())?;
        previous = Some(found.size);
        let bytes = u64::from(found.size).checked_mul(layout.granule)?;
        next = at.checked_add(bytes);
        let start = at.checked_add(layout.granule)?;
        let is_cut = start.checked_add(layout.userdata).and_then(|at| memory.u32(at))
            == Some(USERDATA_SIGNATURE);
        let state = match (found.flags & BUSY != 0, is_cut) {
            (false, _) => BlockState::Free,
            (true, true) => BlockState::FrontEnd,
            (true, false) => BlockState::Busy,
        };
        let size = bytes.saturating_sub(layout.granule);
        // The last bytes of an x64 block may lie before the code in the next one's header.
        let used = if state == BlockState::Busy { size.saturating_add(layout.code) } else { size };
        Some(HeapBlock { start, size, used, state, kind: HeapKind::Nt })
    })
    .take(MAX_BLOCKS)
}

/// Start stamp, end stamp and state of page heap's headers (windows-driver-docs, heap.md; critical-sections.md 8).
const STAMPS: [(u32, u32, BlockState); 4] = [
    (0xABCD_AAAA, 0xDCBA_AAAA, BlockState::Busy),
    (0xABCD_BBBB, 0xDCBA_BBBB, BlockState::Busy),
    (0xABCD_AAA9, 0xDCBA_AAA9, BlockState::Free),
    (0xABCD_BBBA, 0xDCBA_BBBA, BlockState::Free),
];

/// The page-heap block that holds an address: its header ends with a stamp right before the block, and begins
/// with another.
///
/// - situation: page heap marks its blocks in a header of its own.
/// - example: 0xABCDAAA9 ... 0xDCBAAAA9 before the section's object: light page heap's freed block.
/// - handling: both stamps at the header's two ends, and the address inside RequestedSize.
/// - test: `page_heap_stamps_tell_free_from_busy`.
fn page_heap_block(
    memory: &AddressSpace<'_>,
    width: PointerWidth,
    address: u64,
) -> Option<HeapBlock> {
    // DPH_BLOCK_INFORMATION: its size, and the offset of RequestedSize.
    let (header, requested) = match width {
        PointerWidth::Four => (0x20, 0x08),
        PointerWidth::Eight => (0x40, 0x10),
    };
    let top = address.checked_sub(address.checked_rem(8)?)?;
    let starts =
        (0..PAGE_HEAP_REACH / 8).map_while(|index| top.checked_sub(index.saturating_mul(8)));
    starts.into_iter().find_map(|start| {
        let last = memory.u32(start.checked_sub(4)?)?;
        let (first, _, state) = STAMPS.into_iter().find(|(_, end, _)| *end == last)?;
        let begin = start.checked_sub(header)?;
        (memory.u32(begin)? == first).then_some(())?;
        let size = memory.pointer(begin.checked_add(requested)?, width)?;
        let block = HeapBlock { start, size, used: size, state, kind: HeapKind::Page };
        block.contains(address).then_some(block)
    })
}

#[cfg(test)]
#[path = "heap_tests.rs"]
mod tests;
