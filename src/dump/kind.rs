//! What kind of dump it is, and who wrote it.

use super::header::{Directory, stream_type};
use super::memory::AddressSpace;
use super::text;
use super::threads::Thread;

/// How much memory the dump holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MemoryKind {
    /// All readable memory.
    Full,
    /// All private writable memory.
    Private,
    /// Stacks and what they refer to, or data segments.
    StacksAndReferenced,
    /// Stacks, and small pieces around them.
    StacksOnly,
    /// No memory at all.
    None,
}

impl MemoryKind {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Private => "private",
            Self::StacksAndReferenced => "stacks and referenced memory",
            Self::StacksOnly => "stacks only",
            Self::None => "none",
        }
    }
}

/// MINIDUMP_TYPE MiniDumpWithFullMemory.
const WITH_FULL_MEMORY: u64 = 0x2;
/// MINIDUMP_TYPE MiniDumpWithPrivateReadWriteMemory.
const WITH_PRIVATE_MEMORY: u64 = 0x200;
/// MINIDUMP_TYPE MiniDumpWithDataSegs and MiniDumpWithIndirectlyReferencedMemory.
const WITH_REFERENCED_MEMORY: u64 = 0x41;
/// Bytes beside each stack that even a stacks-only dump has: code at the instruction pointer.
const AT_INSTRUCTION_POINTER: u64 = 0x400;
/// Bytes for each thread where the writer adds the TEB (two pages) and what stands beside it.
const THREAD_DATA: u64 = 0x4000;
/// Bytes for the process where the writer adds PEB, parameters, environment and locks.
const PROCESS_DATA: u64 = 0x8000;

/// Guesses the kind from the header's flags and from the memory that is really there.
///
/// Situation: the flags say what was asked for; Crashpad and Breakpad leave them 0, and a cut-off file holds less.
/// Example: flags 0 with 2 MB of referenced memory beside 40 KB of stacks.
/// Handling: full needs a Memory64List; the flags of private and referenced memory count when more than 1 KB per thread
/// stands beside the stacks; without flags more than 32 KB and 16 KB per thread is referenced memory.
/// Test: `the_kind_of_memory_is_guessed`.
pub(crate) fn memory_kind(
    flags: u64,
    streams: &Directory<'_>,
    memory: &AddressSpace<'_>,
    threads: &[Thread],
) -> MemoryKind {
    let total: u64 = memory.regions().iter().fold(0, |sum, region| {
        let length = region.bytes.len() as u64;
        sum.saturating_add(length)
    });
    let stacks: Vec<u64> = threads.iter().map(|thread| thread.stack.1).collect();
    by_totals(flags, streams.stream(stream_type::MEMORY64_LIST).is_some(), total, &stacks)
}

/// The kind by the header's flags, whether there is a Memory64List, all bytes of memory, and those of each stack.
pub(crate) fn by_totals(flags: u64, all: bool, total: u64, stacks: &[u64]) -> MemoryKind {
    let count = stacks.len() as u64;
    let in_stacks = stacks.iter().fold(0u64, |sum, stack| sum.saturating_add(*stack));
    let beside = total.saturating_sub(in_stacks);
    let some = beside > count.saturating_mul(AT_INSTRUCTION_POINTER);
    let much = beside > count.saturating_mul(THREAD_DATA).saturating_add(PROCESS_DATA);
    match total {
        0 => MemoryKind::None,
        _ if all && flags & WITH_FULL_MEMORY != 0 => MemoryKind::Full,
        _ if some && flags & WITH_PRIVATE_MEMORY != 0 => MemoryKind::Private,
        _ if some && flags & WITH_REFERENCED_MEMORY != 0 => MemoryKind::StacksAndReferenced,
        _ if much => MemoryKind::StacksAndReferenced,
        _ => MemoryKind::StacksOnly,
    }
}

/// Texts of the comment streams (10: 8-bit, 11: UTF-16), sanitised; ProcDump writes its command line there.
pub(crate) fn comments(streams: &Directory<'_>) -> Vec<String> {
    let narrow = streams.stream(stream_type::COMMENT_A).map(|stream| text::utf8(stream.bytes));
    let wide = streams.stream(stream_type::COMMENT_W).map(|stream| text::utf16(stream.bytes));
    narrow.into_iter().chain(wide).filter(|comment| !comment.is_empty()).collect()
}

/// Who wrote the dump, as far as its streams tell.
///
/// Situation: writers differ in what they leave out, and no field names them.
/// Example: a stream 0x43500001 is Crashpad's, 0x47670001 Breakpad's, 0xfff0 Wine's; ProcDump's comment says `procdump`.
/// Handling: the first of these that is there; none is no hint.
/// Test: `the_writer_is_recognised_by_its_streams`.
pub(crate) fn writer_hint(streams: &Directory<'_>, comments: &[String]) -> Option<&'static str> {
    let has = |number| streams.stream(number).is_some();
    let says = |word: &str| comments.iter().any(|text| text.to_ascii_lowercase().contains(word));
    if has(stream_type::CRASHPAD_INFO) {
        Some("Crashpad")
    } else if has(stream_type::BREAKPAD_INFO) {
        Some("Breakpad")
    } else if has(stream_type::WINE_ELF_MODULES) {
        Some("Wine")
    } else if says("procdump") {
        Some("ProcDump")
    } else {
        None
    }
}
