//! A 32-bit process on 64-bit Windows, written by a 64-bit writer: its 32-bit side as a dump of its own.
//!
//! Such a process has two of everything: two PEBs, two TEBs and two stacks per thread, two modules named ntdll.dll. The
//! dump's own streams describe the 64-bit side; the code of the program, and its critical sections, belong to the other.
//! [`Dump::x86_side`] puts that other side together, so that every later step works on it as on any x86 dump.
//!
//! Where things are was read from the bytes of a real dump (llvm-lldb/fizzbuzz_wow64.dmp: Windows 7 SP1, all memory;
//! test `the_wow64_areas_of_windows_7`), and agrees with Microsoft's page on `WOW64_CONTEXT`.

mod contexts;
mod modules;

pub use contexts::ContextSource;

use super::context::ContextReader;
use super::error::Warnings;
use super::memory::{AddressSpace, PointerWidth};
use super::system::{Cpu, System};
use super::threads::Thread;
use super::{Dump, ExceptionRecord, ExceptionStream, Module, NO_STREAMS, Peb, Teb};
use super::{first_wins, is_trusted};
use PointerWidth::Four;
use contexts::Searched;
use minidump::Minidump;
use std::collections::BTreeMap;

/// First address that 32-bit code cannot reach.
const FOUR_GIB: u64 = 1 << 32;
/// First 64-bit address that is a sign-extended 32-bit one.
const SIGN_EXTENDED: u64 = 0xFFFF_FFFF_8000_0000;
/// Most threads of a process whose 32-bit side is read. Their stacks share 4 GiB; each costs about 2 KB once more.
const MAX_THREADS: usize = 4096;

impl<'a> Dump<'a> {
    /// The 32-bit side of a WoW64 process, when the exception was raised in 32-bit code and its registers are found.
    /// `None` for every other dump: then the analysis is about this one.
    #[must_use]
    pub fn side_of_exception(&self) -> Option<Dump<'a>> {
        self.exception.as_ref()?;
        self.x86_side().filter(|side| side.exception.is_some())
    }

    /// The 32-bit side of a WoW64 process that a 64-bit x64 writer dumped: processor x86, the 32-bit PEB, TEBs, stacks,
    /// contexts and modules; memory, handles and memory map are shared. Its exception is there only when it was raised in
    /// 32-bit code and the registers are found ([`ContextSource`] says how); a thread whose 32-bit registers are not in
    /// the dump has no context. `None` for any other process, and when the dump holds neither a 32-bit PEB nor the
    /// exception's 32-bit registers.
    #[must_use]
    pub fn x86_side(&self) -> Option<Dump<'a>> {
        let is_candidate =
            self.system.wow64 && self.system.cpu == Cpu::Amd64 && self.threads.len() <= MAX_THREADS;
        if !is_candidate {
            return None;
        }
        let tebs = tebs(self);
        let mut warnings = Warnings::default();
        let peb = peb32(self, &tebs).filter(|peb| is_trusted(peb, &mut warnings));
        let own_modules = modules::of_x86_side(self, peb.as_ref());
        let contexts = ContextReader::new(Cpu::X86);
        let ranges = first_wins(own_modules.iter().map(|module| (module.base, module.end())));
        let searched = Searched { dump: self, modules: &ranges, tebs: &tebs, contexts: &contexts };
        let (exception, source) = exception(searched).unzip();
        if peb.is_none() && exception.is_none() {
            return None;
        }
        let threads = self.threads.iter().map(|thread| side_of_thread(searched, thread));
        let mut threads: Vec<Thread> = threads.collect();
        if let Some(exception) = &exception
            && let Some(crashed) = threads.iter_mut().find(|at| at.id == exception.thread_id)
        {
            crashed.context.clone_from(&exception.context);
        }
        let mut system = System::new(self.system.system_info.clone(), Cpu::X86, peb, &own_modules);
        system.wow64 = true;
        let mut all_warnings = self.warnings.clone();
        all_warnings.extend(warnings.finish());
        Some(Dump {
            system,
            modules: own_modules,
            module_ranges: ranges,
            threads,
            exception,
            wow64_context: source,
            contexts,
            warnings: all_warnings,
            ..self.shared()?
        })
    }

    /// The 32-bit module that raised the exception of a dump whose other side this is; `None` where it was raised in
    /// 64-bit code.
    #[must_use]
    pub fn x86_module_of_exception(&self) -> Option<&Module> {
        let exception = self.exception.as_ref().filter(|_| self.system.is_wow64_from_64_bit())?;
        let raised_at = address32(exception.record.address)?;
        let peb = peb32(self, &tebs(self));
        let of_x86_side = modules::of_x86_side(self, peb.as_ref());
        let holds = |module: &&Module| (module.base..module.end()).contains(&raised_at);
        let found = of_x86_side.iter().find(holds)?;
        self.modules.iter().find(|module| *module == found)
    }

    /// What both sides share; the rest is empty. The crate gets a file without streams, because those describe the
    /// 64-bit side.
    fn shared(&self) -> Option<Dump<'a>> {
        let low = self.unloaded.iter().filter(|module| module.base < FOUR_GIB);
        Some(Dump {
            minidump: Minidump::read(NO_STREAMS).ok()?,
            header: self.header,
            directory: self.directory.clone(),
            system: System::new(None, Cpu::X86, None, &[]),
            memory: self.memory.clone(),
            modules: Vec::new(),
            unloaded: low.cloned().collect(),
            threads: Vec::new(),
            exited_threads: self.exited_threads.clone(),
            exception: None,
            wow64_context: None,
            handles: self.handles.clone(),
            handle_trace: self.handle_trace,
            memory_info: self.memory_info.clone(),
            memory_kind: self.memory_kind,
            writer_hint: self.writer_hint,
            comments: self.comments.clone(),
            process: self.process.clone(),
            warnings: Vec::new(),
            streams: self.streams.clone(),
            module_ranges: Vec::new(),
            contexts: ContextReader::new(Cpu::X86),
        })
    }
}

/// The 32-bit TEB of each thread that has one, by the thread's id.
fn tebs(dump: &Dump<'_>) -> BTreeMap<u32, Teb> {
    let found = |thread: &Thread| Some((thread.id, teb32(&dump.memory, thread)?));
    dump.threads.iter().filter_map(found).collect()
}

/// The 32-bit TEB of a thread.
///
/// - situation: a WoW64 thread has two TEBs, and the thread record names the 64-bit one.
/// - example: Windows 7, fizzbuzz_wow64.dmp: TEB64 0x7efdb000, its first field (Microsoft's "Thread Environment Block (Debugging
///   Notes)", Vista to 8.1) and +0x2000 both say 0x7efdd000; Windows 10 has the distance in WowTebOffset (+0x180C by public
///   type information; not seen in a dump).
/// - handling: each of the three is tried; the Self pointer at +0x18 and the thread's id at +0x24 must confirm it.
/// - test: `a_teb32_is_confirmed` (dump::wow64).
fn teb32(memory: &AddressSpace<'_>, thread: &Thread) -> Option<Teb> {
    let by_offset = || {
        let offset = memory.u32(thread.teb.checked_add(0x180C)?)?.cast_signed();
        thread.teb.checked_add_signed(offset.into())
    };
    let places = [thread.teb.checked_add(0x2000), memory.u64(thread.teb), by_offset()];
    let read = |address: u64| Teb::read(memory, address, Four);
    places
        .into_iter()
        .flatten()
        .filter(|address| *address < FOUR_GIB && thread.teb != 0)
        .filter_map(read)
        .find(|teb| teb.unique_thread == Some(thread.id.into()))
}

/// The 32-bit PEB, which every 32-bit TEB names.
fn peb32(dump: &Dump<'_>, tebs: &BTreeMap<u32, Teb>) -> Option<Peb> {
    tebs.values().find_map(|teb| Peb::read(&dump.memory, teb.peb?, Four))
}

/// An address of 32-bit code; above 4 GiB it is 64-bit code, unless the writer extended the sign.
fn address32(address: u64) -> Option<u64> {
    let is_low = !(FOUR_GIB..SIGN_EXTENDED).contains(&address);
    is_low.then(|| Four.truncate(address))
}

/// The thread as its 32-bit code sees it.
fn side_of_thread(searched: Searched<'_, '_>, thread: &Thread) -> Thread {
    let teb = searched.tebs.get(&thread.id);
    let stack = teb.and_then(|teb| {
        let (base, limit) = (teb.stack_base?, teb.stack_limit?);
        Some((limit, base.checked_sub(limit)?))
    });
    Thread {
        teb: teb.map_or(0, |teb| teb.address),
        stack: stack.unwrap_or((0, 0)),
        context: contexts::of_thread(searched, thread),
        name: thread.name.clone(),
        stack_rva: 0,
        ..*thread
    }
}

/// The exception as 32-bit code sees it; `None` when it was not raised there, or its registers are not found.
fn exception(searched: Searched<'_, '_>) -> Option<(ExceptionStream, ContextSource)> {
    let stream = searched.dump.exception.as_ref()?;
    let record = &stream.record;
    let record = ExceptionRecord {
        nested_record_address: Four.truncate(record.nested_record_address),
        address: address32(record.address)?,
        parameters: record.parameters.iter().map(|value| Four.truncate(*value)).collect(),
        ..*record
    };
    let (context, source) = contexts::of_exception(searched, stream.thread_id, &record)?;
    let context = Some(context);
    Some((ExceptionStream { thread_id: stream.thread_id, record, context }, source))
}

#[cfg(test)]
mod tests;
