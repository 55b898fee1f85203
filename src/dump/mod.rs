//! Step 1, dump: the file opened, the minidump parsed, and what every later step reads from it.

pub mod archive;
pub(crate) mod bytes;
pub mod container;
mod context;
pub mod error;
pub mod exception;
pub mod glance;
pub mod handle_trace;
pub mod handles;
pub mod header;
pub mod heap;
pub mod kind;
pub mod memory;
pub mod memory_info;
mod memory_list;
pub mod modules;
pub mod peb;
pub mod process;
mod ranges;
#[cfg(any(test, feature = "synth"))]
#[doc(hidden)]
pub mod synth;
#[cfg(any(test, feature = "synth"))]
mod synth_state;
pub mod system;
pub mod teb;
pub mod text;
pub mod threads;
pub mod unloaded;
pub mod wow64;

use minidump::{Minidump, MinidumpContext};

pub use bytes::Stream;
pub use container::{DumpFile, Limits};
pub use error::{DumpError, Warning};
pub use exception::{ExceptionRecord, ExceptionStream};
pub use glance::Glance;
pub use handle_trace::{HandleOperation, HandleTrace, OperationKind};
pub use handles::{EventInfo, Handle, HandleTable, ObjectInfo};
pub use header::{Header, StreamEntry, stream_type};
pub use kind::MemoryKind;
pub use memory::{AddressSpace, MemorySource, PointerWidth, Region};
pub use memory_info::MemoryInfo;
pub use modules::Module;
pub use peb::Peb;
pub use process::Process;
pub use system::{Cpu, OsSource, OsVersion, System, SystemInfo};
pub use teb::Teb;
pub use threads::{Thread, ThreadInfo};
pub use unloaded::UnloadedModule;

use context::ContextReader;
use error::Warnings;
use header::Directory;
use ranges::{Piece, first_wins, piece_at};

/// A minidump of a Windows process.
#[derive(Debug)]
pub struct Dump<'a> {
    /// The same file in the minidump crate, for the stack walker; without streams where the crate must not
    /// read the directory (see `crate_view`). Never ask it for a `MinidumpHandleDataStream`: that can loop for ever.
    pub minidump: Minidump<'a, &'a [u8]>,
    /// The header.
    pub header: Header,
    /// The streams, in the file's order.
    pub directory: Vec<StreamEntry>,
    /// CPU and version of Windows.
    pub system: System,
    /// All memory of the process that the dump holds.
    pub memory: AddressSpace<'a>,
    /// The loaded modules, in the dump's order; the first is the program.
    pub modules: Vec<Module>,
    /// Modules that were unloaded before; several can have held one address.
    pub unloaded: Vec<UnloadedModule>,
    /// The threads, in the dump's order.
    pub threads: Vec<Thread>,
    /// Ids of threads that have exited, by the ThreadInfoList stream.
    pub exited_threads: Vec<u32>,
    /// The exception, when there was one.
    pub exception: Option<ExceptionStream>,
    /// Where the exception's registers were found, in the 32-bit side of a WoW64 process.
    pub wow64_context: Option<wow64::ContextSource>,
    /// The open handles; `None` without a usable handle stream.
    pub handles: Option<HandleTable>,
    /// What the kernel recorded of handles being opened and closed; `None` without that stream.
    pub handle_trace: Option<HandleTrace<'a>>,
    /// The regions of the address space, sorted by address; `None` without that stream.
    pub memory_info: Option<Vec<MemoryInfo>>,
    /// How much memory the dump holds.
    pub memory_kind: MemoryKind,
    /// Name of the program that wrote the dump, where its streams tell.
    pub writer_hint: Option<&'static str>,
    /// Texts of the comment streams, sanitised.
    pub comments: Vec<String>,
    /// The process.
    pub process: Process,
    /// What was missing or malformed.
    pub warnings: Vec<Warning>,
    streams: Directory<'a>,
    module_ranges: Vec<Piece>,
    contexts: ContextReader,
}

impl<'a> Dump<'a> {
    /// Reads a dump. Memory is borrowed from `bytes`, never copied.
    ///
    /// # Errors
    /// No header, no directory, or a process that did not run on Windows. Anything else missing or malformed
    /// is a warning and a partial result.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DumpError> {
        let mut warnings = Warnings::default();
        let (header, streams) = header::read(bytes, &mut warnings)?;
        let info = match streams.stream(stream_type::SYSTEM_INFO) {
            Some(stream) => system::read_system_info(bytes, stream, &mut warnings)?,
            None => None,
        };
        let cpu = decide_cpu(&streams, info.as_ref(), &mut warnings);
        let contexts = ContextReader::new(cpu);
        let modules = read_modules(&streams, cpu, &mut warnings);
        let (threads, exited_threads) = read_threads(&streams, cpu, &contexts, &mut warnings);
        let memory = read_memory(&streams, cpu, &threads, &mut warnings);
        let width = cpu.pointer_width();
        let tebs = || threads.iter().filter_map(|thread| Teb::read(&memory, thread.teb, width));
        let peb = tebs().find_map(|teb| Peb::read(&memory, teb.peb?, width));
        let peb = peb.filter(|peb| is_trusted(peb, &mut warnings));
        let teb_process = tebs().find_map(|teb| teb.unique_process);
        let misc = streams.stream(stream_type::MISC_INFO);
        let exception = streams
            .stream(stream_type::EXCEPTION)
            .and_then(|stream| exception::read(bytes, stream, width, &contexts, &mut warnings));
        let comments = kind::comments(&streams);
        Ok(Self {
            unloaded: read_unloaded(&streams, cpu, &mut warnings),
            handles: streams
                .stream(stream_type::HANDLE_DATA)
                .and_then(|stream| handles::read(bytes, stream, &mut warnings)),
            handle_trace: streams
                .stream(stream_type::HANDLE_OPERATION_LIST)
                .and_then(|stream| handle_trace::read(stream, width, &mut warnings)),
            memory_info: streams
                .stream(stream_type::MEMORY_INFO_LIST)
                .and_then(|stream| memory_info::read(stream, &mut warnings)),
            memory_kind: kind::memory_kind(header.flags, &streams, &memory, &threads),
            writer_hint: kind::writer_hint(&streams, &comments),
            comments,
            minidump: crate_view(bytes, &streams)?,
            process: process::read(misc, teb_process, header.time_date_stamp, &modules),
            system: System::new(info, cpu, peb, &modules),
            directory: streams.entries.clone(),
            module_ranges: first_wins(modules.iter().map(|module| (module.base, module.end()))),
            header,
            memory,
            modules,
            threads,
            exited_threads,
            exception,
            wow64_context: None,
            warnings: warnings.finish(),
            streams,
            contexts,
        })
    }

    /// The whole file.
    #[must_use]
    pub fn file(&self) -> &'a [u8] {
        self.streams.file
    }

    /// The bytes of a stream by its number; see [`stream_type`].
    #[must_use]
    pub fn stream(&self, stream_type: u32) -> Option<Stream<'a>> {
        self.streams.stream(stream_type)
    }

    /// The module that holds `address`; where two overlap, the first in the list.
    #[must_use]
    pub fn module_at(&self, address: u64) -> Option<&Module> {
        self.modules.get(piece_at(&self.module_ranges, address)?.index)
    }

    /// The region of [`Dump::memory_info`] that holds `address`.
    #[must_use]
    pub fn memory_info_at(&self, address: u64) -> Option<&MemoryInfo> {
        memory_info::info_at(self.memory_info.as_ref()?, address)
    }

    /// Every unloaded module that once held `address`.
    pub fn unloaded_at(&self, address: u64) -> impl Iterator<Item = &UnloadedModule> {
        self.unloaded.iter().filter(move |module| module.contains(address))
    }

    /// The thread with that id; the first where a bad dump has two.
    #[must_use]
    pub fn thread(&self, id: u32) -> Option<&Thread> {
        self.threads.iter().find(|thread| thread.id == id)
    }

    /// The thread whose stack holds `address`: by its TEB's limits, else by the thread record.
    #[must_use]
    pub fn stack_owner(&self, address: u64) -> Option<&Thread> {
        self.threads.iter().find(|thread| {
            let teb = self.teb(thread);
            let (start, len) = thread.stack;
            let base =
                teb.and_then(|teb| teb.stack_base).unwrap_or_else(|| start.saturating_add(len));
            let limit = teb.and_then(|teb| teb.stack_limit).unwrap_or(start);
            (limit..base).contains(&address)
        })
    }

    /// The thread's TEB, when it is in the dump and its Self pointer confirms it.
    #[must_use]
    pub fn teb(&self, thread: &Thread) -> Option<Teb> {
        Teb::read(&self.memory, thread.teb, self.system.pointer_width)
    }

    /// The EXCEPTION_RECORD at an address of the process, in the dump's pointer width.
    #[must_use]
    pub fn exception_record_at(&self, address: u64) -> Option<ExceptionRecord> {
        ExceptionRecord::read(&self.memory, address, self.system.pointer_width)
    }

    /// The CONTEXT at an address of the process, of the dump's CPU.
    #[must_use]
    pub fn context_at(&self, address: u64) -> Option<MinidumpContext> {
        self.contexts.in_memory(&self.memory, address)
    }
}

/// A PEB that holds an impossible version is another thing or overwritten: none of its fields is used then.
fn is_trusted(peb: &Peb, warnings: &mut Warnings) -> bool {
    let (Some(major), Some(minor), Some(build)) =
        (peb.os_major_version, peb.os_minor_version, peb.os_build_number)
    else {
        return true;
    };
    let trusted = peb.os_version().is_some();
    if !trusted {
        let text = format!(
            "the PEB at {:#x} says Windows {major}.{minor}.{build}, which cannot be; it is not used",
            peb.address
        );
        warnings.push("memory", 0, text);
    }
    trusted
}

fn decide_cpu(streams: &Directory<'_>, info: Option<&SystemInfo>, warnings: &mut Warnings) -> Cpu {
    let guess = || {
        let threads = streams.stream(stream_type::THREAD_LIST);
        context::guess_cpu(threads, streams.stream(stream_type::EXCEPTION))
    };
    let cpu = match info {
        Some(info) => info.cpu(),
        None => {
            let guessed = guess().unwrap_or(Cpu::Other(u16::MAX));
            let text = format!("missing; the size of the contexts suggests {}", guessed.name());
            warnings.push("SystemInfo", 0, text);
            guessed
        }
    };
    if let (Cpu::Other(number), true) = (cpu, info.is_some()) {
        let text = format!("processor architecture {number} is not known; contexts are not read");
        warnings.push("SystemInfo", 0, text);
    }
    cpu
}

fn read_modules(streams: &Directory<'_>, cpu: Cpu, warnings: &mut Warnings) -> Vec<Module> {
    let Some(stream) = streams.stream(stream_type::MODULE_LIST) else {
        warnings.push("ModuleList", 0, "the dump has no such stream");
        return Vec::new();
    };
    let mut modules = modules::read(streams.file, stream, warnings);
    for module in &mut modules {
        module.base = cpu.pointer_width().truncate(module.base);
    }
    modules
}

fn read_unloaded(
    streams: &Directory<'_>,
    cpu: Cpu,
    warnings: &mut Warnings,
) -> Vec<UnloadedModule> {
    let stream = streams.stream(stream_type::UNLOADED_MODULE_LIST);
    let read = |stream| unloaded::read(streams.file, stream, cpu.pointer_width(), warnings);
    stream.map(read).unwrap_or_default()
}

fn read_threads(
    streams: &Directory<'_>,
    cpu: Cpu,
    contexts: &ContextReader,
    warnings: &mut Warnings,
) -> (Vec<Thread>, Vec<u32>) {
    let Some(stream) = streams.stream(stream_type::THREAD_LIST) else {
        warnings.push("ThreadList", 0, "the dump has no such stream");
        return (Vec::new(), Vec::new());
    };
    let width = cpu.pointer_width();
    let mut threads = threads::read(streams.file, stream, width, contexts, warnings);
    if let Some(stream) = streams.stream(stream_type::THREAD_NAMES) {
        threads::add_names(streams.file, stream, &mut threads, warnings);
    }
    let infos = streams.stream(stream_type::THREAD_INFO_LIST);
    let exited = infos.map(|stream| threads::add_infos(stream, &mut threads, warnings));
    (threads, exited.unwrap_or_default())
}

fn read_memory<'a>(
    streams: &Directory<'a>,
    cpu: Cpu,
    threads: &[Thread],
    warnings: &mut Warnings,
) -> AddressSpace<'a> {
    let mut regions = Vec::new();
    if let Some(stream) = streams.stream(stream_type::MEMORY64_LIST) {
        regions = memory_list::read_memory64(streams.file, stream, warnings);
    }
    if let Some(stream) = streams.stream(stream_type::MEMORY_LIST) {
        regions.extend(memory_list::read_memory(streams.file, stream, warnings));
    }
    for region in &mut regions {
        region.base = cpu.pointer_width().truncate(region.base);
    }
    memory_list::add_stacks(streams.file, threads, &mut regions);
    AddressSpace::new(regions)
}

/// A minidump of no streams, for the crate when the real one would cost it too much.
const NO_STREAMS: &[u8] = b"MDMP\x93\xa7\0\0\0\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Longest CSDVersion, in bytes, that the crate is allowed to copy.
const MAX_CRATE_CSD: usize = 4096;

/// The file in the minidump crate. The crate reads any number of directory entries and a CSDVersion of any length
/// into memory, and refuses a cut-off directory: in those cases it gets a minidump without streams.
fn crate_view<'a>(
    bytes: &'a [u8],
    streams: &Directory<'a>,
) -> Result<Minidump<'a, &'a [u8]>, DumpError> {
    let csd_bytes = streams.stream(stream_type::SYSTEM_INFO).and_then(|stream| {
        let rva = u64::from(stream.u32(24)?);
        let length = bytes::u32_at(bytes, usize::try_from(rva).ok()?)?;
        bytes::located(bytes, rva.checked_add(4)?, length.into())
    });
    let affordable = streams.complete && csd_bytes.is_none_or(|text| text.len() <= MAX_CRATE_CSD);
    let read = |bytes| Minidump::read(bytes).ok();
    let view = if affordable { read(bytes) } else { None };
    view.or_else(|| read(NO_STREAMS)).ok_or_else(|| DumpError::Malformed {
        stream: "header",
        offset: 0,
        expected: "a header that the minidump crate accepts".into(),
        found: "another".into(),
    })
}

#[cfg(test)]
mod real_dumps;
#[cfg(test)]
mod tests;
