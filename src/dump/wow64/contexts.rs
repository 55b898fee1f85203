//! The 32-bit registers of a WoW64 thread, where a 64-bit writer left them.

use super::FOUR_GIB;
use crate::dump::bytes::clipped;
use crate::dump::context::{ContextReader, Location};
use crate::dump::ranges::{Piece, piece_at};
use crate::dump::{Dump, ExceptionRecord, Teb, Thread, stream_type};
use minidump::{MinidumpContext, MinidumpRawContext};
use std::collections::BTreeMap;

/// SegCs of 32-bit code on 64-bit Windows; 64-bit code has 0x33 (both seen in fizzbuzz_wow64.dmp).
const CODE_32: u32 = 0x23;
/// TlsSlots[1] in the 64-bit TEB: address of the CPU area. TlsSlots begins at +0x1480 (critical-sections.md 6.1).
const CPU_AREA_SLOT: u64 = 0x1488;
/// Offset in bytes of the 32-bit CONTEXT in the CPU area (Microsoft's page on WOW64_CONTEXT, Vista to 8.1; fizzbuzz_wow64.dmp).
/// Later versions were not seen: what stands there is validated in any case.
const CONTEXT_IN_CPU_AREA: u64 = 4;
/// Offset of Eip in the x86 CONTEXT (winnt.h).
const EIP: u64 = 0xB8;
/// In the highest byte of ContextFlags: what is going on with the thread, not what is filled in (CONTEXT_EXCEPTION_* and
/// CONTEXT_SERVICE_ACTIVE, winnt.h).
const STATE_FLAGS: u8 = 0xD8;
/// CONTEXT_i386, and all its parts: control, integer, segments, floating point, debug, extended, XSTATE (winnt.h).
const X86_FLAGS: u32 = 0x1_007F;
/// CONTEXT_i386 with control and integer registers: the least that is of use.
const NEEDED_FLAGS: u32 = 0x1_0003;
/// Size in bytes of the x86 CONTEXT (winnt.h).
const CONTEXT_SIZE: usize = 716;
/// Most bytes of a stack searched for a context.
const MAX_STACK_SEARCH: u64 = 0x10_0000;
/// Most places of a stack tried: the exception's address stands there once or twice, or an attacker filled it.
const MAX_TRIES: usize = 1024;

/// Where the 32-bit registers of the exception were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContextSource {
    /// The exception stream: an x86 context, or an x64 one of a thread that ran 32-bit code.
    ExceptionStream,
    /// The CONTEXT in the CPU area, which WoW64 keeps while the thread is in 64-bit code.
    CpuArea,
    /// A CONTEXT on the thread's 32-bit stack, put there by raising or dispatching the exception.
    Stack,
}

/// What the registers are searched in.
#[derive(Clone, Copy)]
pub(super) struct Searched<'s, 'a> {
    pub(super) dump: &'s Dump<'a>,
    /// The addresses of the 32-bit modules.
    pub(super) modules: &'s [Piece],
    /// The confirmed 32-bit TEBs, by thread id.
    pub(super) tebs: &'s BTreeMap<u32, Teb>,
    /// Decodes x86 contexts.
    pub(super) contexts: &'s ContextReader,
}

/// The registers that matter for telling a context from other bytes.
struct Control {
    flags: u32,
    cs: u32,
    eip: u64,
    esp: u64,
}

impl Control {
    fn of(context: &MinidumpContext) -> Option<Self> {
        let MinidumpRawContext::X86(raw) = &context.raw else { return None };
        Some(Self {
            flags: raw.context_flags,
            cs: raw.cs,
            eip: raw.eip.into(),
            esp: raw.esp.into(),
        })
    }
}

/// The 32-bit registers of the exception.
///
/// - situation: a 64-bit writer has the registers of the 64-bit side, which are those of 32-bit code only when the thread
///   was in it; an exception that software raised is reported from 64-bit code.
/// - example: an access violation with cs 0x23 in the x64 context; STATUS_INVALID_HANDLE whose address lies in the 32-bit
///   ntdll and whose context is in wow64cpu.dll; fizzbuzz_wow64.dmp: the record at 0x37f904 on the 32-bit stack, its CONTEXT
///   behind it at 0x37f954, both addresses before it.
/// - handling: the exception stream when it shows 32-bit code; else, for an address in a 32-bit module, the CPU area and then
///   the contexts on the 32-bit stack, of which only one with the exception's own address counts: an older one in the CPU
///   area is of the last system call. None of these: not raised in 32-bit code, or not in the dump.
/// - test: `the_exceptions_registers_are_found` (dump::wow64), `wow64_forms_agree_with_x86` (tests/accuracy).
pub(super) fn of_exception(
    searched: Searched<'_, '_>,
    thread_id: u32,
    record: &ExceptionRecord,
) -> Option<(MinidumpContext, ContextSource)> {
    let at = |context: &MinidumpContext| {
        Control::of(context).is_some_and(|control| control.eip == record.address)
    };
    let own = of_exception_stream(searched);
    let own = own.map(|context| (context, ContextSource::ExceptionStream));
    if own.as_ref().is_some_and(|(context, _)| at(context)) {
        return own;
    }
    if !module_at(searched, record.address) {
        // In a module of the other side, or in none: only the registers can say that it was 32-bit code.
        return own.filter(|_| searched.dump.module_at(record.address).is_none());
    }
    let thread = searched.dump.thread(thread_id)?;
    let in_area = || {
        let context = cpu_area(searched, thread).filter(|context| at(context));
        context.map(|context| (context, ContextSource::CpuArea))
    };
    let on_stack = || {
        let context = on_stack(searched, thread_id, record.address);
        context.map(|context| (context, ContextSource::Stack))
    };
    in_area().or_else(on_stack).or(own)
}

/// The 32-bit registers of a thread: its context when it ran 32-bit code, else what WoW64 kept when it left that.
pub(super) fn of_thread(searched: Searched<'_, '_>, thread: &Thread) -> Option<MinidumpContext> {
    match thread.context.as_ref().and_then(|context| narrowed(searched, context)) {
        Some(context) => Some(context),
        None => cpu_area(searched, thread),
    }
}

/// The exception stream's context, when it is of 32-bit code: an x86 context, or an x64 one with cs 0x23.
fn of_exception_stream(searched: Searched<'_, '_>) -> Option<MinidumpContext> {
    let stream = searched.dump.exception.as_ref()?;
    if let Some(context) = &stream.context
        && let Some(context) = narrowed(searched, context)
    {
        return Some(context);
    }
    let raw = searched.dump.stream(stream_type::EXCEPTION)?;
    let location = Location::read(raw.bytes, 160)?;
    let bytes = clipped(searched.dump.file(), location.rva.into(), location.size.into());
    let context = searched.contexts.decode(bytes.get(..CONTEXT_SIZE)?)?;
    let control = Control::of(&context)?;
    is_context(&control).then_some(context).filter(|_| has_stack(searched, control.esp))
}

/// The low halves of an x64 context's registers, which are the 32-bit registers of a thread that ran 32-bit code.
///
/// - situation: the kernel keeps one set of registers per thread; in 32-bit code the upper halves are unused.
/// - example: cs 0x23, rip 0x77cdf9b0, rsp 0x37f5b8 at an access violation in the 32-bit ntdll.
/// - handling: only with cs 0x23, rip and rsp below 4 GiB, and a stack pointer whose memory is in the dump.
/// - test: `a_code_segment_alone_is_not_believed` (dump::wow64).
fn narrowed(searched: Searched<'_, '_>, context: &MinidumpContext) -> Option<MinidumpContext> {
    let MinidumpRawContext::Amd64(raw) = &context.raw else { return None };
    let fits = u32::from(raw.cs) == CODE_32
        && raw.rip < FOUR_GIB
        && raw.rsp < FOUR_GIB
        && has_stack(searched, raw.rsp);
    if !fits {
        return None;
    }
    // CONTEXT up to SegSs: ContextFlags, then from +0x8C the segments and the integer and control registers.
    let registers = [raw.rdi, raw.rsi, raw.rbx, raw.rdx, raw.rcx, raw.rax, raw.rbp, raw.rip];
    let segments = [raw.gs, raw.fs, raw.es, raw.ds].map(u64::from);
    let control = [u64::from(raw.cs), u64::from(raw.eflags), raw.rsp, u64::from(raw.ss)];
    let behind = segments.into_iter().chain(registers).chain(control);
    let mut bytes = 0x1_0007_u32.to_le_bytes().to_vec();
    bytes.resize(0x8C, 0);
    bytes.extend(behind.flat_map(|value| low_half(value).to_le_bytes()));
    bytes.resize(CONTEXT_SIZE, 0);
    searched.contexts.decode(&bytes)
}

fn low_half(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The CONTEXT that WoW64 keeps of a thread while it is in 64-bit code.
///
/// - situation: a thread in a system call has 64-bit registers; its 32-bit ones are in the CPU area, if that is in the dump.
/// - example: fizzbuzz_wow64.dmp: TlsSlots[1] of TEB64 0x7efdb000 is 0x20fd20, at +4 ContextFlags 0x1002f, SegCs 0x23, Esp
///   0x37f5b8 on the 32-bit stack, Eip 0x77ce01fd, which is behind `call fs:[0xc0]` in the 32-bit ntdll and also at \[Esp\].
/// - handling: believed only with flags of an x86 context, cs 0x23, Eip in a 32-bit module, and Esp within the 32-bit TEB's
///   stack and in the dump.
/// - test: `the_cpu_area_is_validated` (dump::wow64).
fn cpu_area(searched: Searched<'_, '_>, thread: &Thread) -> Option<MinidumpContext> {
    let memory = &searched.dump.memory;
    let area = memory.u64(thread.teb.checked_add(CPU_AREA_SLOT)?)?;
    context_at(searched, thread.id, area.checked_add(CONTEXT_IN_CPU_AREA)?)
}

/// The CONTEXT of an exception on the 32-bit stack: an argument of the system call that raised it, or the copy that
/// the 32-bit ntdll's dispatcher is given. Of several the lowest is the youngest.
fn on_stack(searched: Searched<'_, '_>, thread_id: u32, raised_at: u64) -> Option<MinidumpContext> {
    let teb = searched.tebs.get(&thread_id)?;
    let (limit, base) = (teb.stack_limit?.checked_next_multiple_of(4)?, teb.stack_base?);
    let thread = searched.dump.thread(thread_id)?;
    let control = cpu_area(searched, thread).and_then(|context| Control::of(&context));
    let start = control.map_or(limit, |control| control.esp & !3);
    let end = base.min(start.checked_add(MAX_STACK_SEARCH)?);
    let memory = &searched.dump.memory;
    let places = (start..end).step_by(4);
    places
        .filter(|at| memory.u32(*at).map(u64::from) == Some(raised_at))
        .take(MAX_TRIES)
        .find_map(|at| context_at(searched, thread_id, at.checked_sub(EIP)?))
}

/// The x86 CONTEXT at an address, when it can be one of that thread.
fn context_at(searched: Searched<'_, '_>, thread_id: u32, address: u64) -> Option<MinidumpContext> {
    let mut bytes = searched.dump.memory.read_up_to(address, CONTEXT_SIZE).into_owned();
    // The crate knows no flags of state.
    let highest = bytes.get_mut(3)?;
    *highest &= !STATE_FLAGS;
    let context = searched.contexts.decode(&bytes)?;
    let control = Control::of(&context)?;
    let teb = searched.tebs.get(&thread_id)?;
    let on_stack = (teb.stack_limit?..teb.stack_base?).contains(&control.esp);
    let fits = is_context(&control)
        && on_stack
        && has_stack(searched, control.esp)
        && module_at(searched, control.eip);
    fits.then_some(context)
}

fn is_context(control: &Control) -> bool {
    let flags = control.flags;
    flags & NEEDED_FLAGS == NEEDED_FLAGS && flags & !X86_FLAGS == 0 && control.cs == CODE_32
}

/// Whether the dump holds what a stack pointer points to.
fn has_stack(searched: Searched<'_, '_>, esp: u64) -> bool {
    searched.dump.memory.u32(esp).is_some()
}

fn module_at(searched: Searched<'_, '_>, address: u64) -> bool {
    piece_at(searched.modules, address).is_some()
}
