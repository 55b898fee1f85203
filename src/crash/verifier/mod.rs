//! Application Verifier stops: a breakpoint, or STATUS_VERIFIER_STOP, raised in the verifier's own modules.
//!
//! What the stop says is in its code and four parameters. The exception record has them at best; on x86 they are
//! stack arguments of a known function; otherwise they are looked for on the stack of the verifier's frames
//! (critical-sections.md 7).

pub mod codes;
mod scan;

use super::call_site::{self, Argument};
use super::candidate::Way;
use super::exception::{self, EffectiveException};
use super::frame::{Frame, NameSource};
use super::locate::{self, Located};
use super::operation::{Failure, Operation, OperationSource};
use super::stack::Scene;
use super::waits::Waits;
use super::{LockFailure, is_system, unnamed};
use crate::critsec::lock_count::LockCountEncoding;
use crate::dump::memory::PointerWidth;
use crate::dump::{Dump, ExceptionRecord, Module};
use crate::image::registers::RegisterFile;
use codes::Family;
use minidump::MinidumpContext;

/// Modules of Application Verifier that stop (critical-sections.md 7.3).
const MODULES: &[&str] = &["verifier.dll", "vrfcore.dll", "vfbasics.dll"];

/// Functions of ntdll and kernelbase that raise or break for another.
const RAISERS: &[&str] = &[
    "DbgBreakPoint",
    "DbgUserBreakPoint",
    "DebugBreak",
    "RtlReportException",
    "RtlReportExceptionEx",
    "RtlRaiseException",
    "RaiseException",
    "NtRaiseException",
    "ZwRaiseException",
];

/// Bits above a stop code: how the stop behaves (avrfsdk.h: internal error and warning, no break, continuable).
const BEHAVIOUR: u64 = 0xF000_0000;

/// Where the code and the parameters were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSource {
    /// The exception record.
    ExceptionParameters,
    /// Arguments of a verifier function on an x86 stack.
    StackArguments,
    /// Words on the stack of the verifier's frames that fit together.
    StackScan,
    /// The same, but nothing else in the dump confirms them.
    StackGuess,
    /// Nowhere.
    Unknown,
}

impl StopSource {
    /// In words, as a finding's source.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExceptionParameters => "exception parameters",
            Self::StackArguments => "stack arguments of Application Verifier's function",
            Self::StackScan => "inferred from the stack of Application Verifier's frames",
            Self::StackGuess => "guessed from the stack of Application Verifier's frames",
            Self::Unknown => "exception and modules",
        }
    }
}

/// A stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Its code without the bits that say how it behaves; `None` when nothing shows it.
    pub code: Option<u32>,
    /// Its four parameters; 0 when unknown.
    pub parameters: [u64; 4],
    /// Where they were read.
    pub source: StopSource,
}

impl Stop {
    /// What it says.
    #[must_use]
    pub fn family(&self) -> Option<Family> {
        self.code.map(codes::family)
    }

    /// The section's address, where the code has one. The verifier has read the section: it is not in the null page.
    #[must_use]
    pub fn section(&self) -> Option<u64> {
        let index = codes::section_parameter(self.code?)?;
        self.parameters.get(index).copied().filter(|address| *address >= 0x1_0000)
    }

    /// Where the stack trace of the section's initialisation lies.
    #[must_use]
    pub fn initialisation_trace(&self) -> Option<u64> {
        let index = codes::trace_parameter(self.code?)?;
        self.parameters.get(index).copied().filter(|address| *address != 0)
    }
}

/// A stop and the frames it was found in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopped {
    pub stop: Stop,
    /// Index of the first frame outside the verifier's modules.
    end: usize,
}

/// Whether a module is one of Application Verifier's.
#[must_use]
pub fn is_verifier(dump: &Dump<'_>, base: Option<u64>) -> bool {
    let module = base.and_then(|base| dump.modules.iter().find(|module| module.base == base));
    module.is_some_and(is_part)
}

/// The same of a module at hand.
#[must_use]
pub fn is_part(module: &Module) -> bool {
    MODULES.iter().any(|name| module.is_named(name))
}

/// Reads the stop that an exception is.
///
/// - situation: a breakpoint is a stop only when the verifier itself hit it.
/// - example: DebugBreak in a program that runs under Application Verifier, whose modules are loaded all the time.
/// - handling: the innermost frame outside the functions that raise for others must lie in a verifier module, and
///   every frame up to it must be exact.
/// - test: `a_breakpoint_elsewhere_is_no_stop`.
pub(super) fn read(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
) -> Option<Stopped> {
    let code = exception.record.code;
    let stops = [exception::BREAKPOINT, exception::WX86_BREAKPOINT, exception::VERIFIER_STOP];
    if !stops.contains(&code) {
        return None;
    }
    let end = first_outside(scene, frames)?;
    let stop = by_parameters(&exception.record)
        .or_else(|| by_arguments(scene, frames.get(..end)?, frames))
        .or_else(|| scan::read(scene, frames, end, &passed(scene, frames, end)))
        .unwrap_or(Stop { code: None, parameters: [0; 4], source: StopSource::Unknown });
    Some(Stopped { stop, end })
}

/// Index of the first frame outside the verifier's modules, when the stack begins inside.
fn first_outside(scene: Scene<'_, '_>, frames: &[Frame]) -> Option<usize> {
    let is_inside = |frame: &Frame| is_verifier(scene.dump, frame.module);
    let first = frames.iter().position(is_inside)?;
    let raises = |frame: &Frame| {
        let named = frame.function.as_ref();
        frame.trust.is_exact()
            && is_system(scene.dump, frame.module)
            && named.is_none_or(|function| RAISERS.contains(&function.name.as_str()))
    };
    let is_exact = frames.get(first).is_some_and(|frame| frame.trust.is_exact());
    (is_exact && frames.iter().take(first).all(raises)).then_some(())?;
    let inside = frames.iter().skip(first).take_while(|frame| is_inside(frame)).count();
    first.checked_add(inside)
}

/// STATUS_VERIFIER_STOP with the code and its parameters in the record. A layout that no page documents: only a
/// known code is believed.
fn by_parameters(record: &ExceptionRecord) -> Option<Stop> {
    (record.code == exception::VERIFIER_STOP).then_some(())?;
    let code = plain_code(*record.parameters.first()?).filter(|code| codes::is_known(*code))?;
    let mut parameters = [0; 4];
    for (place, value) in parameters.iter_mut().zip(record.parameters.iter().skip(1)) {
        *place = *value;
    }
    Some(Stop { code: Some(code), parameters, source: StopSource::ExceptionParameters })
}

/// A stop code without the bits that say how the stop behaves; `None` for what can be none.
fn plain_code(value: u64) -> Option<u32> {
    let code = u32::try_from(value & !BEHAVIOUR).ok()?;
    (1..=0xFFFF).contains(&code).then_some(code)
}

/// Verifier functions that take the code as a stack argument on x86: the index of the code and those of the
/// parameters (public stacks, critical-sections.md 7.3: winafl 95, Blackbone 1).
const FUNCTIONS: &[(&str, u64, [u64; 4])] = &[
    ("VerifierStopMessageEx", 1, [2, 3, 4, 5]),
    ("VerifierStopMessage", 0, [2, 4, 6, 8]),
    ("VerifierCaptureContextAndReportStop", 0, [1, 2, 3, 4]),
];

/// The arguments of a named verifier function on an x86 stack.
///
/// - situation: the function that stops gets the code and its parameters as arguments.
/// - example: `VerifierStopMessageEx(layer, 0x210, section, debug_info, 0, 0)`.
/// - handling: read at their places above the return address of an exact frame; a code that csdump does not know
///   counts too, as a stop about something else. Where the section's place holds no pointer, the parameters stand one
///   place on: whether an argument lies between code and parameters is not public.
/// - test: `an_x86_stop_is_read_by_position`.
fn by_arguments(scene: Scene<'_, '_>, inside: &[Frame], frames: &[Frame]) -> Option<Stop> {
    (scene.dump.system.pointer_width == PointerWidth::Four).then_some(())?;
    inside.iter().enumerate().find_map(|(index, frame)| {
        let name = frame.function.as_ref()?.name.as_str();
        let (_, at, places) = FUNCTIONS.iter().find(|(function, ..)| *function == name)?;
        let caller = frames.get(index.checked_add(1)?)?;
        let slot = caller.return_slot.filter(|_| caller.trust.is_exact())?;
        let argument = |place: u64| {
            let address = slot.checked_add(place.checked_add(1)?.checked_mul(4)?)?;
            scene.dump.memory.pointer(address, PointerWidth::Four)
        };
        let code = plain_code(argument(*at)?)?;
        let with = |shift: u64| Stop {
            code: Some(code),
            parameters: places.map(|place| argument(place.saturating_add(shift)).unwrap_or(0)),
            source: StopSource::StackArguments,
        };
        let shifted = Some(with(1)).filter(|stop| stop.section().is_some());
        match (codes::section_parameter(code), with(0)) {
            (Some(_), plain) if plain.section().is_none() => shifted.or(Some(plain)),
            (_, plain) => Some(plain),
        }
    })
}

/// The exception that the verifier's handler saw: stop 0x300 has its record and context as parameters.
pub(super) fn inner(
    scene: Scene<'_, '_>,
    stopped: &Stopped,
) -> Option<(ExceptionRecord, MinidumpContext)> {
    (stopped.stop.family() == Some(Family::InvalidHandle)).then_some(())?;
    let [_, record, context, _] = stopped.stop.parameters;
    scan::handle_exception(scene.dump, record, context)
}

/// A call of a lock function that led into the verifier.
struct Call<'f> {
    name: &'f str,
    source: OperationSource,
}

/// The lock function that the program called: the verifier's substitute, named by itself or by the caller's import.
fn lock_call<'f>(frames: &'f [Frame], end: usize) -> Option<Call<'f>> {
    let substitute = frames.get(end.checked_sub(1)?)?.function.as_ref()?;
    let name = substitute.name.strip_prefix("AVrfp").unwrap_or(&substitute.name);
    let caller = frames.get(end)?;
    let source = match substitute.source {
        _ if !caller.trust.is_exact() => OperationSource::Inferred,
        NameSource::Import => OperationSource::CallerImport,
        _ => OperationSource::Exports,
    };
    Some(Call { name, source })
}

/// What the program passed to the lock function that led into the verifier; in dumps without the verifier's code,
/// where no frame is sure, what any call of a lock function on the stack was given.
fn passed(scene: Scene<'_, '_>, frames: &[Frame], end: usize) -> Vec<Passed> {
    if let Some(passed) = passed_by_caller(scene, frames, end) {
        return vec![passed];
    }
    let calls = frames.first().map_or_else(Vec::new, |frame| unnamed::named_calls(scene, frame));
    calls.iter().filter_map(|call| passed_by_call(scene, call)).take(MAX_CALLS).collect()
}

fn passed_by_caller(scene: Scene<'_, '_>, frames: &[Frame], end: usize) -> Option<Passed> {
    let call = lock_call(frames, end)?;
    call.name.contains("CriticalSection").then_some(())?;
    let caller = frames.get(end)?;
    let site = scene.call_site(caller.registers.ip())?;
    let argument = call_site::argument(scene, caller.registers.ip(), site.call_address);
    let by_site = argument
        .as_ref()
        .and_then(|argument| argument.evaluate(&scene.dump.memory, &caller.registers));
    let on_stack = || {
        let slot = caller.return_slot.filter(|_| caller.trust.is_exact())?;
        scene.dump.memory.pointer(slot.checked_add(4)?, PointerWidth::Four)
    };
    let address = match scene.dump.system.pointer_width {
        PointerWidth::Four => on_stack().or(by_site),
        PointerWidth::Eight => by_site,
    }?;
    let (operation, source) = (Operation::of_function(call.name), call.source);
    Some(Passed { address, argument, operation, source })
}

/// What a call on the stack was given: on x86 the word behind its return address, on x64 an address in the code.
fn passed_by_call(scene: Scene<'_, '_>, call: &unnamed::Call) -> Option<Passed> {
    call.name.contains("CriticalSection").then_some(())?;
    let site = scene.call_site(call.return_address)?;
    let argument = call_site::argument(scene, call.return_address, site.call_address);
    let width = scene.dump.system.pointer_width;
    let address = match width {
        PointerWidth::Four => scene.dump.memory.pointer(call.slot.checked_add(4)?, width),
        PointerWidth::Eight => {
            let nothing_known = RegisterFile::new(width, call.return_address, 0);
            let constant = argument.as_ref().filter(|argument| argument.is_constant())?;
            constant.evaluate(&scene.dump.memory, &nothing_known)
        }
    }?;
    let operation = Operation::of_function(&call.name);
    Some(Passed { address, argument, operation, source: OperationSource::Inferred })
}

/// Most calls of lock functions on the stack that are looked at.
const MAX_CALLS: usize = 8;

/// An address passed to a lock function.
struct Passed {
    address: u64,
    argument: Option<Argument>,
    operation: Option<Operation>,
    source: OperationSource,
}

/// The stop as a failed lock call; `None` when it is about no section.
///
/// - situation: most stops are about handles, heaps or threads.
/// - example: stop 0x303, NULL_HANDLE; or a stop whose code nothing shows.
/// - handling: only the Locks stops count; a stop of unknown code counts when a lock function led to it, and says
///   nothing of the cause.
/// - test: `a_stop_about_something_else_is_not_applicable`.
pub(super) fn failure(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    encoding: LockCountEncoding,
    stopped: &Stopped,
) -> Option<LockFailure> {
    let Stopped { stop, end } = *stopped;
    if matches!(stop.family(), Some(Family::Other | Family::InvalidHandle)) {
        return None;
    }
    let passed = passed(scene, frames, end);
    let address = stop.section().or_else(|| Some(sure(&passed)?.address));
    let passed = passed.into_iter().find(|passed| Some(passed.address) == address);
    let (operation, source) = match (lock_call(frames, end), &passed) {
        (Some(call), _) => (Operation::of_function(call.name), call.source),
        (None, Some(passed)) => (passed.operation, passed.source),
        (None, None) => (None, OperationSource::VerifierStop),
    };
    let source = if operation.is_some() { source } else { OperationSource::VerifierStop };
    (stop.code.is_some() || operation.is_some()).then_some(())?;
    Some(LockFailure {
        operation,
        source,
        failure: Failure::VerifierStop(stop.code),
        caller: frames.get(end).map(|_| end),
        located: located(scene, encoding, &stop, address, passed),
    })
}

/// What the caller passed, when the caller is sure.
fn sure(passed: &[Passed]) -> Option<&Passed> {
    passed.iter().find(|passed| passed.source != OperationSource::Inferred)
}

/// The section: the stop's parameter, confirmed by what the program passed where that is known.
fn located(
    scene: Scene<'_, '_>,
    encoding: LockCountEncoding,
    stop: &Stop,
    address: Option<u64>,
    passed: Option<Passed>,
) -> Option<Located> {
    let address = address?;
    let way = |text: &str, exact| Way { text: text.into(), score: 6, exact, ..Way::default() };
    let mut ways = Vec::new();
    if stop.section() == Some(address) {
        let is_read =
            matches!(stop.source, StopSource::ExceptionParameters | StopSource::StackArguments);
        ways.push(way("parameter of the verifier stop", is_read));
    }
    if let Some(passed) = &passed {
        let is_sure = passed.source != OperationSource::Inferred;
        ways.push(way("argument of the program's call", is_sure));
    }
    let candidate = locate::judge(scene, encoding, address, ways);
    let argument = passed.and_then(|passed| passed.argument);
    Some(Located { candidate, argument, others: 0, waits: Waits::read(scene) })
}

#[cfg(test)]
mod tests;
