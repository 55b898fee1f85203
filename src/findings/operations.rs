//! The history of one handle value: the operations of the handle trace on it, in order where the order can be proven,
//! each with its stack and with what it was for.

use super::order::{self, Newest};
use crate::crash::back_trace;
use crate::crash::frame::Frame;
use crate::crash::stack::Scene;
use crate::critsec::handle::{self, HandleState};
use crate::dump::Dump;
use crate::dump::handle_trace::{HandleOperation, OperationKind};
use std::ops::Range;

/// Most operations that get a stack: the last ones before the failure.
pub const MAX_SHOWN: usize = 32;
/// Most of them after the failure.
const MAX_AFTER: usize = 8;

/// The call that failed, in whose history a reader is interested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedCall {
    /// Id of the faulting thread.
    pub thread_id: u32,
    /// The return address into the code that called the lock function.
    pub caller: Option<u64>,
}

/// What an operation was for, as far as its stack tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Within Enter or Leave: the event of a critical section.
    SectionEvent,
    /// Within `RtlDeleteCriticalSection`.
    SectionDeleted,
    /// Code that is no lock function.
    OtherCode,
    /// Some function of ntdll, which code outside the system called directly.
    WithinNtdll,
    /// The functions of the stack cannot be named.
    Unknown,
}

/// One operation on the handle.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its place in the stream, from 0.
    pub index: u64,
    /// What was done.
    pub kind: OperationKind,
    /// Id of the thread that did it.
    pub thread_id: u32,
    /// Id of that thread's process.
    pub process_id: u32,
    /// The recorded stack, innermost first.
    pub frames: Vec<Frame>,
    /// What it was for.
    pub purpose: Purpose,
    /// The code behind the system's modules, as `module+0xoffset` or `module!export+0xoffset`.
    pub place: Option<String>,
    /// The system function that this code called.
    pub through: Option<String>,
    /// It is the very call that failed.
    pub is_failure: bool,
}

/// What the trace holds of one handle value.
#[derive(Debug, Clone)]
pub struct HandleHistory {
    /// The value, its two lowest bits cleared.
    pub value: u64,
    /// Number of operations on it by this process.
    pub total: usize,
    /// Number of operations in the whole trace.
    pub traced: u64,
    /// All operations that the trace announced were read.
    pub is_complete: bool,
    /// The operations are oldest first; otherwise in the stream's order, which says nothing.
    pub is_ordered: bool,
    /// At most [`MAX_SHOWN`] operations: those that lead to the failure, or of both ends where the order is unknown.
    pub operations: Vec<Operation>,
}

impl HandleHistory {
    /// Some operations were left out.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.operations.len() < self.total
    }
}

/// The history of a handle value; `None` without a handle trace.
#[must_use]
pub fn read(scene: Scene<'_, '_>, value: u64, failed: Option<FailedCall>) -> Option<HandleHistory> {
    let dump = scene.dump;
    let trace = dump.handle_trace?;
    let slot = value & !3;
    let mut found: Vec<HandleOperation<'_>> = trace
        .operations()
        .filter(|one| one.handle & !3 == slot && is_of_process(dump, one.process_id))
        .collect();
    let total = found.len();
    let mut failure = failed.and_then(|failed| failing_reference(&found, failed));
    let direction = order::newest(&found, failure, || slot_now(scene, slot, &found));
    if direction == Some(Newest::First) {
        found.reverse();
        let mirrored = |at: usize| total.checked_sub(at)?.checked_sub(1);
        failure = failure.and_then(mirrored);
    }
    let is_ordered = direction.is_some();
    let keep = window(total, failure, is_ordered);
    let shown =
        found.iter().enumerate().filter(|(at, _)| keep.iter().any(|range| range.contains(at)));
    let operations = shown.map(|(at, one)| operation(scene, one, failure == Some(at))).collect();
    Some(HandleHistory {
        value: slot,
        total,
        traced: trace.len(),
        is_complete: trace.is_complete(),
        is_ordered,
        operations,
    })
}

/// The handle that the faulting thread used in vain, by the bad reference that the kernel recorded (critical-sections.md
/// 5.5).
///
/// - situation: the handle was in a register that is gone, and LockSemaphore is zeroed or was written to since.
/// - example: deleted while Leave was under way: the section is zero, the trace has a bad reference to 0x38.
/// - handling: the bad reference of the faulting thread whose stack holds the return address into the caller (any of the
///   thread's where the caller is not known); where several values come into question, the one in LockSemaphore, else none.
/// - test: `the_bad_reference_gives_the_handle_that_a_deleted_section_lost` (tests/history).
#[must_use]
pub fn bad_reference(
    dump: &Dump<'_>,
    failed: FailedCall,
    lock_semaphore: Option<u64>,
) -> Option<u64> {
    let trace = dump.handle_trace?;
    let of_thread = || {
        trace.operations().filter(|one| {
            one.kind == OperationKind::BadReference
                && one.thread_id == failed.thread_id
                && is_of_process(dump, one.process_id)
        })
    };
    let values = |exact: bool| {
        let mut values: Vec<u64> = Vec::new();
        for one in of_thread().filter(|one| !exact || passes_through(one, failed.caller)) {
            if !values.contains(&one.handle) && values.len() < MAX_SHOWN {
                values.push(one.handle);
            }
        }
        values
    };
    match values(failed.caller.is_some()).as_slice() {
        [] => None,
        [only] => Some(*only),
        several => several
            .iter()
            .copied()
            .find(|value| lock_semaphore.is_some_and(|stored| stored & !3 == value & !3)),
    }
}

fn passes_through(one: &HandleOperation<'_>, caller: Option<u64>) -> bool {
    caller.is_some_and(|caller| one.return_addresses().any(|address| address == caller))
}

/// The trace of one process can hold operations of others (critical-sections.md 7.4).
fn is_of_process(dump: &Dump<'_>, process_id: u32) -> bool {
    dump.process.id.is_none_or(|id| id == process_id)
}

/// The bad reference that is the failure itself; none where several come into question.
fn failing_reference(found: &[HandleOperation<'_>], failed: FailedCall) -> Option<usize> {
    let is_it = |one: &HandleOperation<'_>| {
        one.kind == OperationKind::BadReference
            && one.thread_id == failed.thread_id
            && (failed.caller.is_none() || passes_through(one, failed.caller))
    };
    let mut places = found.iter().enumerate().filter(|(_, one)| is_it(one)).map(|(at, _)| at);
    let first = places.next()?;
    places.next().is_none().then_some(first)
}

/// What the handle stream says of the slot when the dump was written.
fn slot_now(scene: Scene<'_, '_>, slot: u64, found: &[HandleOperation<'_>]) -> order::Slot {
    let table = scene.dump.handles.as_ref();
    let name = table.and_then(|table| table.get(slot)?.type_name.clone());
    let makes_it = |one: Option<&HandleOperation<'_>>| {
        let (Some(name), Some(one)) = (name.as_deref(), one) else { return false };
        let made = |frame: &Frame| {
            let function = frame.function.as_ref();
            function.is_some_and(|function| function.name.contains(name))
        };
        back_trace::frames(scene, one.return_addresses().take(6)).iter().any(made)
    };
    match handle::check(scene.dump, slot) {
        HandleState::Absent => order::Slot::Empty,
        HandleState::Event | HandleState::OtherObject => order::Slot::Open {
            made_by_first: makes_it(found.first()),
            made_by_last: makes_it(found.last()),
        },
        _ => order::Slot::Unknown,
    }
}

/// Which operations are shown: ranges of their places, the second often empty.
fn window(total: usize, failure: Option<usize>, is_ordered: bool) -> [Range<usize>; 2] {
    let half = MAX_SHOWN.div_euclid(2);
    let last = |end: usize| [end.saturating_sub(MAX_SHOWN)..end, 0..0];
    match failure.filter(|_| is_ordered) {
        _ if total <= MAX_SHOWN => [0..total, 0..0],
        Some(at) => last(at.saturating_add(1).saturating_add(MAX_AFTER).min(total)),
        None if is_ordered => last(total),
        None => [0..half, total.saturating_sub(half)..total],
    }
}

fn operation(scene: Scene<'_, '_>, one: &HandleOperation<'_>, is_failure: bool) -> Operation {
    let frames = back_trace::frames(scene, one.return_addresses());
    let outside = frames.iter().position(|frame| is_outside(scene.dump, frame));
    let called =
        outside.and_then(|at| back_trace::called_from(scene, frames.get(at)?.registers.ip()));
    let inside = frames.get(..outside.unwrap_or(frames.len())).unwrap_or_default();
    let name_of = |frame: &Frame| frame.function.as_ref().map(|function| function.name.clone());
    Operation {
        index: one.index,
        kind: one.kind,
        thread_id: one.thread_id,
        process_id: one.process_id,
        purpose: purpose(scene, one.kind, inside, called.as_deref()),
        place: outside.and_then(|at| frames.get(at)).map(|frame| place(scene.dump, frame)),
        through: inside.last().and_then(name_of).or(called),
        is_failure,
        frames,
    }
}

/// Modules whose functions close and open handles on behalf of their callers.
const SYSTEM: &[&str] = &["ntdll.dll", "kernel32.dll", "kernelbase.dll"];
/// Application Verifier's, which stand between the caller and the system, and those of 64-bit Windows between 32-bit code
/// and the kernel.
const BETWEEN: &[&str] = &[
    "verifier.dll",
    "vrfcore.dll",
    "vfbasics.dll",
    "vfcompat.dll",
    "vfnws.dll",
    "wow64.dll",
    "wow64cpu.dll",
    "wow64win.dll",
];

fn is_in(dump: &Dump<'_>, frame: &Frame, names: &[&str]) -> bool {
    let module = frame.module.and_then(|base| dump.modules.iter().find(|one| one.base == base));
    module.is_some_and(|module| names.iter().any(|name| module.is_named(name)))
}

/// Addresses in no module are the kernel's, or another process's.
fn is_outside(dump: &Dump<'_>, frame: &Frame) -> bool {
    frame.module.is_some() && !is_in(dump, frame, SYSTEM) && !is_in(dump, frame, BETWEEN)
}

fn place(dump: &Dump<'_>, frame: &Frame) -> String {
    let ip = frame.registers.ip();
    let Some(module) = dump.module_at(frame.lookup_address()) else { return format!("{ip:#x}") };
    let start =
        frame.function.as_ref().and_then(|function| Some((&function.name, function.start?)));
    match start {
        Some((name, start)) => {
            format!("{}!{name}+{:#x}", module.file_name(), ip.saturating_sub(start))
        }
        None => format!("{}+{:#x}", module.file_name(), ip.saturating_sub(module.base)),
    }
}

/// Functions within which the event of a section is made or used, without their prefix `Rtl` or `Rtlp`.
const OF_SECTION: &[&str] = &[
    "EnterCriticalSection",
    "LeaveCriticalSection",
    "WaitOnCriticalSection",
    "WaitForCriticalSection",
    "UnWaitCriticalSection",
    "EnterCriticalSectionContended",
    "CreateCriticalSectionSem",
];

fn bare(name: &str) -> &str {
    name.strip_prefix("Rtlp").or_else(|| name.strip_prefix("Rtl")).unwrap_or(name)
}

/// What an operation was for, by the functions between the service and the first code outside the system.
///
/// - situation: whether a CLOSE comes from DeleteCriticalSection or from CloseHandle decides between two causes, and not every
///   dump holds what names ntdll's functions.
/// - example: `ntdll+0x130b < ntdll+0x16ba < agent.exe+0x1629`: the second can be any function.
/// - handling: a lock function named on the way, or called by the code outside, decides. That it was none is believed only when
///   that call is named, when every function of ntdll on the way is, or when a single one, the service itself, was called
///   by kernel32 or kernelbase, through which no lock function goes.
/// - test: `an_unnamed_way_through_ntdll_accuses_nobody` (tests/history).
fn purpose(
    scene: Scene<'_, '_>,
    kind: OperationKind,
    inside: &[Frame],
    called: Option<&str>,
) -> Purpose {
    let dump = scene.dump;
    let named = inside.iter().filter_map(|frame| Some(frame.function.as_ref()?.name.as_str()));
    // A walk by frame pointers can miss the function that a frame called.
    let calls = |frame: &Frame| back_trace::called_from(scene, frame.registers.ip());
    let missed: Vec<String> = inside.iter().filter_map(calls).collect();
    let names: Vec<&str> =
        named.chain(called).chain(missed.iter().map(String::as_str)).map(bare).collect();
    if names.contains(&"DeleteCriticalSection") {
        return Purpose::SectionDeleted;
    }
    if names.iter().any(|name| OF_SECTION.contains(name)) {
        // Enter and Leave close only an event of their own that they made in vain.
        return Purpose::SectionEvent;
    }
    let of_system: Vec<&Frame> = inside.iter().filter(|frame| is_in(dump, frame, SYSTEM)).collect();
    let is_ntdll = |frame: &&Frame| is_in(dump, frame, &["ntdll.dll"]);
    let first = of_system.iter().take_while(|frame| is_ntdll(frame)).count();
    let is_within = first > 1 && first == of_system.len() && first == inside.len();
    let through_kernel32 =
        first <= 1 && of_system.len() > first && kind != OperationKind::BadReference;
    let all_named = !inside.is_empty()
        && first > 1
        && of_system.iter().all(|frame| !is_ntdll(frame) || frame.function.is_some());
    if called.is_some() || through_kernel32 || all_named {
        Purpose::OtherCode
    } else if is_within {
        Purpose::WithinNtdll
    } else {
        Purpose::Unknown
    }
}
