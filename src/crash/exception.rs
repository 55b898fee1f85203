//! The effective exception: the record that says what went wrong, found behind the ones that only report it.

use crate::dump::{Dump, ExceptionRecord, Thread};
use minidump::MinidumpContext;

/// `STATUS_INVALID_HANDLE` (ntstatus.h).
pub const INVALID_HANDLE: u32 = 0xC000_0008;
/// `STATUS_ACCESS_VIOLATION` (ntstatus.h).
pub const ACCESS_VIOLATION: u32 = 0xC000_0005;
/// `STATUS_ACCESS_DENIED` (ntstatus.h).
pub const ACCESS_DENIED: u32 = 0xC000_0022;
/// `STATUS_OBJECT_TYPE_MISMATCH` (ntstatus.h).
pub const OBJECT_TYPE_MISMATCH: u32 = 0xC000_0024;
/// `STATUS_NONCONTINUABLE_EXCEPTION` (ntstatus.h): a handler returned from an exception that must not be
/// continued; the record of that one is nested.
pub const NONCONTINUABLE_EXCEPTION: u32 = 0xC000_0025;
/// `STATUS_INVALID_DISPOSITION` (ntstatus.h): nests like [`NONCONTINUABLE_EXCEPTION`].
pub const INVALID_DISPOSITION: u32 = 0xC000_0026;
/// `STATUS_POSSIBLE_DEADLOCK` (ntstatus.h); its parameter is the section.
pub const POSSIBLE_DEADLOCK: u32 = 0xC000_0194;
/// `STATUS_RESOURCE_NOT_OWNED` (ntstatus.h).
pub const RESOURCE_NOT_OWNED: u32 = 0xC000_0264;
/// `STATUS_IN_PAGE_ERROR` (ntstatus.h).
pub const IN_PAGE_ERROR: u32 = 0xC000_0006;
/// `STATUS_BREAKPOINT` (ntstatus.h).
pub const BREAKPOINT: u32 = 0x8000_0003;
/// `STATUS_WX86_BREAKPOINT` (ntstatus.h): a breakpoint of 32-bit code on 64-bit Windows.
pub const WX86_BREAKPOINT: u32 = 0x4000_001F;
/// `STATUS_VERIFIER_STOP` (ntstatus.h).
pub const VERIFIER_STOP: u32 = 0xC000_0421;
/// `STATUS_STACK_BUFFER_OVERRUN` (ntstatus.h): every fast fail; its first parameter says which.
pub const FAST_FAIL: u32 = 0xC000_0409;
/// `FAST_FAIL_CORRUPT_LIST_ENTRY` (winnt.h): the links of a list do not agree.
pub const CORRUPT_LIST_ENTRY: u64 = 3;

/// Most nested records followed.
const MAX_NESTED: usize = 16;
/// Most bytes of a stack searched for the context of a nested exception.
const MAX_STACK_SEARCH: u64 = 0x10_0000;

/// The exception that the analysis is about.
#[derive(Debug, Clone)]
pub struct EffectiveException {
    /// Its record.
    pub record: ExceptionRecord,
    /// The records that led to it, the dump's own first; empty when that one is it.
    pub nested_in: Vec<ExceptionRecord>,
    /// The registers at the exception.
    pub context: Option<MinidumpContext>,
}

/// The symbolic name of a code that matters here.
#[must_use]
pub fn name(code: u32) -> Option<&'static str> {
    Some(match code {
        INVALID_HANDLE => "STATUS_INVALID_HANDLE",
        ACCESS_VIOLATION => "STATUS_ACCESS_VIOLATION",
        ACCESS_DENIED => "STATUS_ACCESS_DENIED",
        OBJECT_TYPE_MISMATCH => "STATUS_OBJECT_TYPE_MISMATCH",
        NONCONTINUABLE_EXCEPTION => "STATUS_NONCONTINUABLE_EXCEPTION",
        INVALID_DISPOSITION => "STATUS_INVALID_DISPOSITION",
        POSSIBLE_DEADLOCK => "STATUS_POSSIBLE_DEADLOCK",
        RESOURCE_NOT_OWNED => "STATUS_RESOURCE_NOT_OWNED",
        IN_PAGE_ERROR => "STATUS_IN_PAGE_ERROR",
        0x4000_001E => "STATUS_WX86_SINGLE_STEP",
        BREAKPOINT => "STATUS_BREAKPOINT",
        WX86_BREAKPOINT => "STATUS_WX86_BREAKPOINT",
        0x8000_0004 => "STATUS_SINGLE_STEP",
        0xC000_000D => "STATUS_INVALID_PARAMETER",
        0xC000_004B => "STATUS_THREAD_IS_TERMINATING",
        0xC000_001D => "STATUS_ILLEGAL_INSTRUCTION",
        0xC000_0094 => "STATUS_INTEGER_DIVIDE_BY_ZERO",
        0xC000_00FD => "STATUS_STACK_OVERFLOW",
        0xC000_0374 => "STATUS_HEAP_CORRUPTION",
        FAST_FAIL => "STATUS_STACK_BUFFER_OVERRUN",
        0xC000_0417 => "STATUS_INVALID_CRUNTIME_PARAMETER",
        VERIFIER_STOP => "STATUS_VERIFIER_STOP",
        0xE06D_7363 => "C++ exception",
        0xE043_4352 => "CLR exception",
        _ => return None,
    })
}

/// The effective exception of a dump; `None` without an exception stream.
#[must_use]
pub fn effective(dump: &Dump<'_>) -> Option<EffectiveException> {
    let stream = dump.exception.as_ref()?;
    let thread = dump.thread(stream.thread_id);
    let mut nested_in = Vec::new();
    let mut record = stream.record.clone();
    while is_wrapper(record.code) && nested_in.len() < MAX_NESTED {
        let Some(inner) = dump.exception_record_at(record.nested_record_address) else { break };
        if record.nested_record_address == 0 || inner.code == 0 {
            break;
        }
        nested_in.push(std::mem::replace(&mut record, inner));
    }
    let own = || stream.context.clone().or_else(|| thread?.context.clone());
    let context = if nested_in.is_empty() {
        own()
    } else {
        thread.and_then(|thread| context_of(dump, thread, &record)).or_else(own)
    };
    Some(EffectiveException { record, nested_in, context })
}

impl EffectiveException {
    /// Another exception that this one only reports.
    #[must_use]
    pub fn replaced_by(self, record: ExceptionRecord, context: MinidumpContext) -> Self {
        let mut nested_in = self.nested_in;
        nested_in.push(self.record);
        Self { record, nested_in, context: Some(context) }
    }
}

/// Codes that say only that handling another exception went wrong.
fn is_wrapper(code: u32) -> bool {
    matches!(code, NONCONTINUABLE_EXCEPTION | INVALID_DISPOSITION)
}

/// The context of a nested exception, searched on the thread's stack.
///
/// - situation: the dump's own context is that of the outer exception, raised while the inner was handled.
/// - example: an unhandled-exception filter that sees 0xC0000025 with 0xC0000008 nested.
/// - handling: dispatching copies the inner CONTEXT to the stack; it is the one whose instruction pointer is
///   the record's address and whose stack pointer lies on the same stack.
/// - test: `nested_exception_is_followed` (tests/accuracy).
fn context_of(
    dump: &Dump<'_>,
    thread: &Thread,
    record: &ExceptionRecord,
) -> Option<MinidumpContext> {
    let step = dump.system.pointer_width.bytes();
    let base = thread.context.as_ref()?.get_stack_pointer().checked_next_multiple_of(step)?;
    let stack_base = dump.teb(thread).and_then(|teb| teb.stack_base);
    let end = stack_base.unwrap_or_else(|| thread.stack.0.saturating_add(thread.stack.1));
    let end = end.min(base.checked_add(MAX_STACK_SEARCH)?);
    let offset = instruction_pointer_offset(dump);
    let mut at = base;
    while at < end {
        if dump.memory.pointer(at, dump.system.pointer_width) == Some(record.address)
            && let Some(context) = at.checked_sub(offset).and_then(|start| dump.context_at(start))
            && context.get_instruction_pointer() == record.address
            && (base..end).contains(&context.get_stack_pointer())
        {
            return Some(context);
        }
        at = at.checked_add(step)?;
    }
    None
}

/// Offset in bytes of the instruction pointer in CONTEXT (winnt.h): Eip 0xB8, Rip 0xF8, Pc 0x108.
fn instruction_pointer_offset(dump: &Dump<'_>) -> u64 {
    use crate::dump::Cpu;
    match dump.system.cpu {
        Cpu::X86 => 0xB8,
        Cpu::Arm64 => 0x108,
        _ => 0xF8,
    }
}
