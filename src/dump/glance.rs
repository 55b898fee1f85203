//! What a dump says without its memory: header, directory, SystemInfo, module list and exception.
//!
//! That is enough to pass over most dumps that are no critical-section failure (`crash::screen`), at a fraction of the
//! cost of [`Dump::parse`](super::Dump::parse).

use super::bytes::{Stream, u32_at, u64_at};
use super::context::ContextReader;
use super::error::{DumpError, Warning, Warnings};
use super::exception::{self, ExceptionStream};
use super::header::{self, Directory, Header, StreamEntry, stream_type};
use super::kind::{self, MemoryKind};
use super::modules::{self, Module};
use super::process::{self, Process};
use super::system::{self, Cpu, System};

/// A dump at first glance. Fields are as those of [`Dump`](super::Dump), but for the version of Windows, which
/// is not read from the PEB.
#[derive(Debug)]
pub struct Glance<'a> {
    /// The header.
    pub header: Header,
    /// The streams, in the file's order.
    pub directory: Vec<StreamEntry>,
    /// CPU and version of Windows, without the PEB.
    pub system: System,
    /// Of the loaded modules, in the dump's order: the first, which is the program, the one that holds the exception's
    /// address, and those of Windows that matter ([`NAMES`]).
    pub modules: Vec<Module>,
    /// The exception, when there was one.
    pub exception: Option<ExceptionStream>,
    /// The process.
    pub process: Process,
    /// How much memory the dump holds, by what its lists announce.
    pub memory_kind: MemoryKind,
    /// Name of the program that wrote the dump, where its streams tell.
    pub writer_hint: Option<&'static str>,
    /// What was missing or malformed in what was read.
    pub warnings: Vec<Warning>,
    streams: Directory<'a>,
}

impl<'a> Glance<'a> {
    /// Reads a dump without its memory.
    ///
    /// # Errors
    /// As [`Dump::parse`](super::Dump::parse).
    pub fn read(bytes: &'a [u8]) -> Result<Self, DumpError> {
        let mut warnings = Warnings::default();
        let (header, streams) = header::read(bytes, &mut warnings)?;
        let info = match streams.stream(stream_type::SYSTEM_INFO) {
            Some(stream) => system::read_system_info(bytes, stream, &mut warnings)?,
            None => None,
        };
        let cpu = super::decide_cpu(&streams, info.as_ref(), &mut warnings);
        let exception = streams.stream(stream_type::EXCEPTION).and_then(|stream| {
            let contexts = ContextReader::new(cpu);
            exception::read(bytes, stream, cpu.pointer_width(), &contexts, &mut warnings)
        });
        let address = exception.as_ref().map(|exception| exception.record.address);
        let modules = some_modules(&streams, cpu, address);
        let misc = streams.stream(stream_type::MISC_INFO);
        let comments = kind::comments(&streams);
        Ok(Self {
            memory_kind: announced_kind(header.flags, &streams),
            writer_hint: kind::writer_hint(&streams, &comments),
            process: process::read(misc, None, header.time_date_stamp, &modules),
            system: System::new(info, cpu, None, &modules),
            directory: streams.entries.clone(),
            header,
            modules,
            exception,
            warnings: warnings.finish(),
            streams,
        })
    }

    /// The whole file.
    #[must_use]
    pub fn file(&self) -> &'a [u8] {
        self.streams.file
    }

    /// The module that holds the exception's address; where two overlap, the first in the list.
    #[must_use]
    pub fn module_at(&self, address: u64) -> Option<&Module> {
        self.modules.iter().find(|module| (module.base..module.end()).contains(&address))
    }
}

/// File names of the modules that are always read: they tell the version of Windows, the side of a WoW64 process, and
/// whether Application Verifier is there.
pub const NAMES: &[&str] =
    &["ntdll.dll", "wow64.dll", "verifier.dll", "vrfcore.dll", "vfbasics.dll"];

fn some_modules(streams: &Directory<'_>, cpu: Cpu, address: Option<u64>) -> Vec<Module> {
    let stream = streams.stream(stream_type::MODULE_LIST);
    let read = |stream| modules::read_some(streams.file, stream, address, NAMES);
    let mut modules = stream.map(read).unwrap_or_default();
    for module in &mut modules {
        module.base = cpu.pointer_width().truncate(module.base);
    }
    modules
}

/// The kind of memory by the sizes in the lists, whose bytes are not touched.
fn announced_kind(flags: u64, streams: &Directory<'_>) -> MemoryKind {
    let all = streams.stream(stream_type::MEMORY64_LIST);
    let some = streams.stream(stream_type::MEMORY_LIST);
    let sizes64 =
        all.into_iter().flat_map(|stream| sizes(stream, 16, 16, |entry| u64_at(entry, 8)));
    let sizes32 = some
        .into_iter()
        .flat_map(|stream| sizes(stream, 4, 16, |entry| u32_at(entry, 8).map(u64::from)));
    let total = sizes64.chain(sizes32).fold(0, u64::saturating_add);
    let threads = streams.stream(stream_type::THREAD_LIST);
    // MINIDUMP_THREAD +32: Stack.Memory.DataSize.
    let stacks: Vec<u64> = threads
        .into_iter()
        .flat_map(|stream| sizes(stream, 4, 48, |entry| u32_at(entry, 32).map(u64::from)))
        .collect();
    kind::by_totals(flags, all.is_some(), total, &stacks)
}

/// One size out of each entry behind a header, as many as the stream holds.
fn sizes<'s>(
    stream: Stream<'s>,
    header: usize,
    entry: usize,
    size: impl Fn(&[u8]) -> Option<u64> + 's,
) -> impl Iterator<Item = u64> + 's {
    let entries = stream.bytes.get(header..).unwrap_or_default();
    entries.chunks_exact(entry).map_while(size)
}
