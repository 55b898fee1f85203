//! Threads: ThreadList (3), ThreadInfoList (17), ThreadNames (24).

use std::collections::BTreeMap;

use minidump::MinidumpContext;

use super::bytes::{Layout, Stream, u32_at, u64_at};
use super::context::{ContextReader, Location};
use super::error::Warnings;
use super::memory::PointerWidth;
use super::text;
use super::unloaded::sized_list;

/// Size of MINIDUMP_THREAD in bytes (minidumpapiset.h).
pub(crate) const ENTRY_SIZE: u64 = 48;
/// Size of MINIDUMP_THREAD_INFO in bytes; smaller entries lack what is read here.
const INFO_SIZE: u32 = 64;
/// Size of the header of ThreadInfoList in bytes.
const INFO_HEADER_SIZE: u32 = 12;
/// Size of MINIDUMP_THREAD_NAME in bytes (packed to 4).
const NAME_SIZE: u64 = 12;
/// Most threads read; each costs about 2 KB.
pub const MAX_THREADS: u64 = 16_384;

/// One thread of the process: MINIDUMP_THREAD with what other streams say of it.
#[derive(Debug, Clone)]
pub struct Thread {
    /// +0 ThreadId.
    pub id: u32,
    /// +4 SuspendCount.
    pub suspend_count: u32,
    /// +16 Teb: its address; 0 where the writer did not know it.
    pub teb: u64,
    /// +24 Stack: address of the lowest saved byte, and number of bytes.
    pub stack: (u64, u64),
    /// +40 ThreadContext, decoded.
    pub context: Option<MinidumpContext>,
    /// Its name from the ThreadNames stream, sanitised.
    pub name: Option<String>,
    /// Its entry in the ThreadInfoList stream.
    pub info: Option<ThreadInfo>,
    /// File offset of the saved stack.
    pub(crate) stack_rva: u32,
}

/// MINIDUMP_THREAD_INFO (minidumpapiset.h; critical-sections.md 7.6). Times count 100 ns; the first two since 1601.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadInfo {
    /// +4 DumpFlags; see [`ThreadInfo::exited`].
    pub dump_flags: u32,
    /// +8 DumpError: HRESULT of the writer.
    pub dump_error: u32,
    /// +12 ExitStatus; 259 while it runs.
    pub exit_status: u32,
    /// +16 CreateTime.
    pub create_time: u64,
    /// +24 ExitTime; 0 while it runs.
    pub exit_time: u64,
    /// +32 KernelTime.
    pub kernel_time: u64,
    /// +40 UserTime.
    pub user_time: u64,
    /// +48 StartAddress.
    pub start_address: u64,
    /// +56 Affinity.
    pub affinity: u64,
}

impl ThreadInfo {
    /// DumpFlags 4, MINIDUMP_THREAD_INFO_EXITED_THREAD.
    #[must_use]
    pub fn exited(&self) -> bool {
        self.dump_flags & 4 != 0
    }
}

/// Reads the thread list without names and infos.
pub(crate) fn read(
    file: &[u8],
    stream: Stream<'_>,
    width: PointerWidth,
    contexts: &ContextReader,
    warnings: &mut Warnings,
) -> Vec<Thread> {
    let Some(layout) = stream.counted_list(ENTRY_SIZE) else {
        warnings.push(stream.name, stream.rva, "expected a count of threads, found no bytes");
        return Vec::new();
    };
    let held = stream.held(layout, MAX_THREADS);
    if held < layout.count {
        let text = format!("{} threads announced, {held} read", layout.count);
        warnings.push(stream.name, stream.rva, text);
    }
    let threads: Vec<Thread> = stream
        .entries(layout, held)
        .filter_map(|(_, entry)| read_thread(file, entry, width, contexts))
        .collect();
    let blind = threads.iter().filter(|thread| thread.context.is_none()).count();
    if blind > 0 {
        let text = format!("{blind} of {} threads have no readable context", threads.len());
        warnings.push(stream.name, stream.rva, text);
    }
    threads
}

fn read_thread(
    file: &[u8],
    entry: &[u8],
    width: PointerWidth,
    contexts: &ContextReader,
) -> Option<Thread> {
    let stack = Location::read(entry, 32)?;
    Some(Thread {
        id: u32_at(entry, 0)?,
        suspend_count: u32_at(entry, 4)?,
        teb: width.truncate(u64_at(entry, 16)?),
        stack: (width.truncate(u64_at(entry, 24)?), u64::from(stack.size)),
        context: contexts.at(file, Location::read(entry, 40)?),
        name: None,
        info: None,
        stack_rva: stack.rva,
    })
}

/// Adds the ThreadNames stream: u32 count, then {u32 ThreadId, u64 RvaOfThreadName}.
pub(crate) fn add_names(
    file: &[u8],
    stream: Stream<'_>,
    threads: &mut [Thread],
    warnings: &mut Warnings,
) {
    let count = u64::from(stream.u32(0).unwrap_or(0));
    let layout = Layout { header: 4, entry: NAME_SIZE, count };
    let held = stream.held(layout, MAX_THREADS);
    if held < count {
        let text = format!("{count} names announced, {held} read");
        warnings.push(stream.name, stream.rva, text);
    }
    let index = by_id(threads);
    for (offset, entry) in stream.entries(layout, held) {
        let (Some(id), Some(rva)) = (u32_at(entry, 0), u64_at(entry, 4)) else { continue };
        let name = text::minidump_string(file, rva);
        if name.is_none() {
            let text = format!("the name of thread {id} at {rva:#x} is not inside the file");
            warnings.push(stream.name, offset, text);
        }
        if let Some(thread) = index.get(&id).and_then(|at| threads.get_mut(*at)) {
            thread.name = name.filter(|name| !name.is_empty());
        }
    }
}

/// Adds the ThreadInfoList stream: {u32 SizeOfHeader, SizeOfEntry, NumberOfEntries}, then entries. Returns the ids of
/// threads that have exited, which are in no thread list.
pub(crate) fn add_infos(
    stream: Stream<'_>,
    threads: &mut [Thread],
    warnings: &mut Warnings,
) -> Vec<u32> {
    let mut exited = Vec::new();
    let Some(layout) = sized_list(stream, INFO_HEADER_SIZE, INFO_SIZE, warnings) else {
        return exited;
    };
    let held = stream.held(layout, MAX_THREADS);
    if held < layout.count {
        let text = format!("{} entries announced, {held} read", layout.count);
        warnings.push(stream.name, stream.rva, text);
    }
    let index = by_id(threads);
    for (_, raw) in stream.entries(layout, held) {
        let (Some(id), info) = (u32_at(raw, 0), read_info(raw)) else { continue };
        if info.is_some_and(|info| info.exited()) {
            exited.push(id);
        }
        if let Some(thread) = index.get(&id).and_then(|at| threads.get_mut(*at)) {
            thread.info = info;
        }
    }
    exited
}

fn read_info(raw: &[u8]) -> Option<ThreadInfo> {
    Some(ThreadInfo {
        dump_flags: u32_at(raw, 4)?,
        dump_error: u32_at(raw, 8)?,
        exit_status: u32_at(raw, 12)?,
        create_time: u64_at(raw, 16)?,
        exit_time: u64_at(raw, 24)?,
        kernel_time: u64_at(raw, 32)?,
        user_time: u64_at(raw, 40)?,
        start_address: u64_at(raw, 48)?,
        affinity: u64_at(raw, 56)?,
    })
}

fn by_id(threads: &[Thread]) -> BTreeMap<u32, usize> {
    threads.iter().enumerate().map(|(at, thread)| (thread.id, at)).collect()
}
