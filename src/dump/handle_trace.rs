//! The handle trace: HandleOperationList (18), what the kernel recorded of handles being opened, closed and misused.
//!
//! MINIDUMP_HANDLE_OPERATION_LIST of minidumpapiset.h, AVRF_HANDLE_OPERATION of avrfsdk.h (critical-sections.md 7.4).
//! Entries are decoded when they are asked for: a trace of 10,000 entries costs nothing until then.

use super::bytes::{Layout, Stream, u32_at, u64_at};
use super::error::Warnings;
use super::memory::PointerWidth;
use super::unloaded::sized_list;

/// Size of AVRF_HANDLE_OPERATION in bytes.
const ENTRY_SIZE: u32 = 288;
const ENTRY_BYTES: usize = 288;
/// Size of the header in bytes: u32 SizeOfHeader, SizeOfEntry, NumberOfEntries, Reserved.
const HEADER_SIZE: u32 = 16;
/// Most entries read. The kernel's ring holds some thousands, `!htrace -enable` sets how many.
pub const MAX_OPERATIONS: u64 = 65_536;
/// AVRF_MAX_TRACES, the return addresses of one entry.
pub const MAX_DEPTH: usize = 32;
/// Offset in bytes of AVRF_BACKTRACE_INFORMATION in an entry, and of its return addresses.
const BACK_TRACE: usize = 0x18;
const RETURN_ADDRESSES: usize = 0x20;

/// eHANDLE_TRACE_OPERATIONS (avrfsdk.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// 1, OperationDbOPEN: the handle was made.
    Open,
    /// 2, OperationDbCLOSE: it was closed.
    Close,
    /// 3, OperationDbBADREF: the value was used while no such handle was open.
    BadReference,
    /// Any other number; 0 is OperationDbUnused.
    Other(u32),
}

impl OperationKind {
    fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Open,
            2 => Self::Close,
            3 => Self::BadReference,
            other => Self::Other(other),
        }
    }

    /// The name as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
            Self::BadReference => "bad-reference",
            Self::Other(_) => "other",
        }
    }
}

/// One entry of the trace: AVRF_HANDLE_OPERATION.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandleOperation<'a> {
    /// Its place in the stream, from 0. Whether the first is the newest or the oldest is not documented.
    pub index: u64,
    /// +0 Handle.
    pub handle: u64,
    /// +8 ProcessId.
    pub process_id: u32,
    /// +0xC ThreadId.
    pub thread_id: u32,
    /// +0x10 OperationType.
    pub kind: OperationKind,
    /// +0x18 BackTrace.Depth as it stands: the number of return addresses.
    pub depth: u32,
    addresses: &'a [u8],
    width: PointerWidth,
}

impl HandleOperation<'_> {
    /// +0x20 BackTrace.ReturnAddresses, innermost first: as many as the depth says, at most [`MAX_DEPTH`], up to the
    /// first 0. Some are the kernel's or another process's.
    pub fn return_addresses(&self) -> impl Iterator<Item = u64> + '_ {
        let depth = usize::try_from(self.depth).unwrap_or(MAX_DEPTH).min(MAX_DEPTH);
        (0..depth)
            .map_while(|index| u64_at(self.addresses, index.checked_mul(8)?))
            .map(|address| of_width(address, self.width))
            .take_while(|address| *address != 0)
    }
}

/// The operations on handles that the kernel recorded, a ring: what is older than its oldest entry is gone.
#[derive(Debug, Clone, Copy)]
pub struct HandleTrace<'a> {
    /// NumberOfEntries as the stream says.
    pub declared: u32,
    /// SizeOfEntry in bytes.
    pub entry_size: u32,
    stream: Stream<'a>,
    layout: Layout,
    held: u64,
    width: PointerWidth,
}

impl<'a> HandleTrace<'a> {
    /// Number of entries that can be read.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.held
    }

    /// There is no entry that can be read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// All entries the stream announced are there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.held == u64::from(self.declared)
    }

    /// The entries in the stream's order, without the unused ones.
    pub fn operations(&self) -> impl Iterator<Item = HandleOperation<'a>> + use<'a> {
        let width = self.width;
        let entries = self.stream.entries(self.layout, self.held);
        entries
            .zip(0..)
            .filter_map(move |((_, entry), index)| decode(entry, index, width))
            .filter(|operation| operation.kind != OperationKind::Other(0))
    }
}

/// A 32-bit address may be sign-extended; one with any other upper half is not of 32-bit code.
fn of_width(address: u64, width: PointerWidth) -> u64 {
    match address >> 32 {
        0xFFFF_FFFF => width.truncate(address),
        _ => address,
    }
}

fn decode(entry: &[u8], index: u64, width: PointerWidth) -> Option<HandleOperation<'_>> {
    Some(HandleOperation {
        index,
        handle: width.truncate(u64_at(entry, 0)?),
        process_id: u32_at(entry, 8)?,
        thread_id: u32_at(entry, 0xC)?,
        kind: OperationKind::from_number(u32_at(entry, 0x10)?),
        depth: u32_at(entry, BACK_TRACE)?,
        addresses: entry.get(RETURN_ADDRESSES..ENTRY_BYTES)?,
        width,
    })
}

/// Reads the stream's header; `None` when it says nothing usable.
pub(crate) fn read<'a>(
    stream: Stream<'a>,
    width: PointerWidth,
    warnings: &mut Warnings,
) -> Option<HandleTrace<'a>> {
    let layout = sized_list(stream, HEADER_SIZE, ENTRY_SIZE, warnings)?;
    let held = stream.held(layout, MAX_OPERATIONS);
    if held < layout.count {
        let text = format!("{} handle operations announced, {held} read", layout.count);
        warnings.push(stream.name, stream.rva, text);
    }
    let trace = HandleTrace {
        declared: stream.u32(8)?,
        entry_size: stream.u32(4)?,
        stream,
        layout,
        held,
        width,
    };
    let too_deep = |operation: &HandleOperation<'_>| {
        usize::try_from(operation.depth).is_ok_and(|depth| depth > MAX_DEPTH)
    };
    if let Some(first) = trace.operations().find(too_deep) {
        let text = format!(
            "entry {} claims {} return addresses, of {MAX_DEPTH} possible",
            first.index, first.depth
        );
        warnings.push(stream.name, stream.rva, text);
    }
    Some(trace)
}
