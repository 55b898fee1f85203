//! A stop's code and parameters, looked for on the stack of the verifier's frames.
//!
//! On x64 the code is passed in a register that is gone by the time of the break, but the verifier keeps it beside
//! its parameters while it formats and logs the stop (critical-sections.md 7.3).

use super::codes::{self, Family};
use super::{Passed, Stop, StopSource, is_verifier, lock_call, plain_code};
use crate::crash::frame::Frame;
use crate::crash::is_ntdll;
use crate::crash::operation::is_handle_status;
use crate::crash::stack::Scene;
use crate::critsec::debug_info::{self, DebugInfoState, RawDebugInfo};
use crate::critsec::layout::RawCriticalSection;
use crate::dump::{Dump, ExceptionRecord};
use minidump::MinidumpContext;

/// Most bytes of stack searched for a code.
const MAX_BYTES: u64 = 0x2000;
/// Bytes searched when nothing tells where the verifier's frames end.
const UNBOUNDED: u64 = 0x1000;
/// Most bytes searched for the pointers that a vectored handler was given; the dispatcher keeps a CONTEXT.
const DISPATCHER: u64 = 0x3000;
/// Most words looked at as a code.
const MAX_CODES: usize = 256;
/// Places of the four parameters behind a code, in words: an array; arguments with a text before each but the first
/// (`VerifierStopMessage`); arguments behind one more.
const PLACES: [[usize; 4]; 3] = [ARRAY, [2, 4, 6, 8], [2, 3, 4, 5]];
/// The code with its parameters right behind it.
const ARRAY: [usize; 4] = [1, 2, 3, 4];

/// Looks for a code beside parameters that fit it.
///
/// - situation: small numbers lie on every stack; a buffer's size is as good a number as a stop code.
/// - example: 0x208 as the length of a path, beside a pointer to it.
/// - handling: the parameters must prove the code: the section is the one that the program passed or one by its debug
///   record, the block holds the section, the thread exists, the record is that of a handle status. Failing that,
///   parameters that merely have the stop's shape make a guess. Two codes that fit leave the stop unknown.
/// - test: `a_small_number_on_the_stack_is_no_stop_code`.
pub(super) fn read(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    end: usize,
    passed: &[Passed],
) -> Option<Stop> {
    let start = frames.first()?.registers.sp()?;
    let outside = frames.get(end).filter(|frame| frame.trust.is_exact());
    let outside = outside.and_then(|frame| frame.registers.sp());
    let length = outside.map_or(UNBOUNDED, |outside| outside.saturating_sub(start).min(MAX_BYTES));
    let words = words(scene.dump, start, length);
    match only(&words, &PLACES, |code, parameters| fits(scene.dump, code, parameters, passed)) {
        Fitting::One(code, parameters) => Some(stop(code, parameters, StopSource::StackScan)),
        Fitting::Several => None,
        Fitting::None => by_exception_pointers(scene, frames, end, start)
            .or_else(|| guess(scene.dump, &words, frames, end)),
    }
}

/// A code whose parameters merely have its shape; not where another function than one of sections led to the stop.
fn guess(dump: &Dump<'_>, words: &[u64], frames: &[Frame], end: usize) -> Option<Stop> {
    let call = lock_call(frames, end);
    call.is_none_or(|call| call.name.contains("CriticalSection")).then_some(())?;
    match only(words, &[ARRAY], |code, parameters| has_shape(dump, code, parameters)) {
        Fitting::One(code, parameters) => Some(stop(code, parameters, StopSource::StackGuess)),
        _ => None,
    }
}

fn stop(code: u32, parameters: [u64; 4], source: StopSource) -> Stop {
    Stop { code: Some(code), parameters, source }
}

/// The codes that fit.
enum Fitting {
    None,
    One(u32, [u64; 4]),
    Several,
}

/// The one code whose parameters pass a test.
fn only(words: &[u64], layouts: &[[usize; 4]], passes: impl Fn(u32, [u64; 4]) -> bool) -> Fitting {
    let mut found: Option<(u32, [u64; 4])> = None;
    let codes = words.iter().enumerate().filter_map(|(index, word)| {
        let code = plain_code(*word).filter(|code| codes::is_known(*code))?;
        Some((index, code))
    });
    for (index, code) in codes.take(MAX_CODES) {
        for places in layouts {
            let parameter = |place: usize| words.get(index.saturating_add(place)).copied();
            let Some(parameters) = all(places.map(parameter)) else { continue };
            if !passes(code, parameters) {
                continue;
            }
            match found {
                Some((other, _)) if other != code => return Fitting::Several,
                Some(_) => {}
                None => found = Some((code, parameters)),
            }
        }
    }
    found.map_or(Fitting::None, |(code, parameters)| Fitting::One(code, parameters))
}

fn all(values: [Option<u64>; 4]) -> Option<[u64; 4]> {
    let [first, second, third, fourth] = values;
    Some([first?, second?, third?, fourth?])
}

fn words(dump: &Dump<'_>, start: u64, length: u64) -> Vec<u64> {
    let width = dump.system.pointer_width;
    let Some(start) = start.checked_next_multiple_of(width.bytes()) else { return Vec::new() };
    (0..length.checked_div(width.bytes()).unwrap_or(0))
        .map_while(|index| {
            dump.memory.pointer(start.checked_add(index.checked_mul(width.bytes())?)?, width)
        })
        .collect()
}

/// The pointers that the system gave to the verifier's handler: EXCEPTION_POINTERS, whose record is that of a
/// handle status (critical-sections.md 7.2).
///
/// - situation: such pointers stay behind on the stack when an exception has been handled.
/// - example: a heap stop after a CloseHandle whose exception was swallowed.
/// - handling: a handler is called by ntdll, below the frames that raised: where it is sure who called the verifier it must
///   be ntdll, and the pointers must lie below the stack pointer of the exception.
/// - test: `pointers_of_a_handled_exception_are_no_stop`.
fn by_exception_pointers(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    end: usize,
    start: u64,
) -> Option<Stop> {
    let dump = scene.dump;
    let caller = frames.get(end).filter(|frame| frame.trust.is_exact());
    caller.is_none_or(|frame| is_ntdll(dump, frame.module)).then_some(())?;
    let words = words(dump, start, DISPATCHER);
    words.windows(2).find_map(|pair| {
        let [record, context] = pair else { return None };
        let (inner, registers) = handle_exception(dump, *record, *context)?;
        let sp = registers.get_stack_pointer();
        (start < *record && *record < sp && start < *context && *context < sp).then_some(())?;
        Some(Stop {
            code: Some(0x300),
            parameters: [inner.code.into(), *record, *context, 0],
            source: StopSource::StackScan,
        })
    })
}

/// The exception of a handle status whose record and context lie at the addresses.
pub(super) fn handle_exception(
    dump: &Dump<'_>,
    record: u64,
    context: u64,
) -> Option<(ExceptionRecord, MinidumpContext)> {
    if !debug_info::is_possible_pointer(record, dump.system.pointer_width) {
        return None;
    }
    let record = dump.exception_record_at(record).filter(|record| is_handle_status(record.code))?;
    let context = dump.context_at(context)?;
    let raised_in = dump.module_at(record.address)?.base;
    let runs_in = dump.module_at(context.get_instruction_pointer())?.base;
    let on_stack = dump.stack_owner(context.get_stack_pointer()).is_some();
    (raised_in == runs_in && on_stack).then_some((record, context))
}

/// Whether the parameters prove the code.
fn fits(dump: &Dump<'_>, code: u32, parameters: [u64; 4], passed: &[Passed]) -> bool {
    let [first, second, third, fourth] = parameters;
    let width = dump.system.pointer_width;
    let is_pointer = |address| debug_info::is_possible_pointer(address, width);
    match codes::family(code) {
        Family::ThreadEnds => {
            let is_thread = u32::try_from(first).is_ok_and(|id| dump.thread(id).is_some());
            is_thread && is_pointer(second) && is_section(dump, second, &[third, fourth])
        }
        Family::Unloaded => {
            let holds = dump.modules.iter().any(|module| {
                module.base == fourth && (module.base..module.end()).contains(&first)
            });
            holds && is_pointer(first) && is_pointer(second)
        }
        Family::Freed if code != 0x204 => {
            let end = third.checked_add(fourth);
            third >= 0x1_0000
                && is_pointer(first)
                && is_pointer(second)
                && end.is_some_and(|end| (third..end).contains(&first))
        }
        Family::InvalidHandle => {
            u32::try_from(first).is_ok_and(is_handle_status)
                && handle_exception(dump, second, third).is_some()
        }
        Family::Other => false,
        _ => {
            let is_passed = passed.iter().any(|passed| passed.address == first);
            is_pointer(first) && (is_passed || is_section(dump, first, &[second, third, fourth]))
        }
    }
}

/// Whether the parameters of a Locks stop have its shape: which are pointers, counts, or not used
/// (critical-sections.md 7.1).
fn has_shape(dump: &Dump<'_>, code: u32, parameters: [u64; 4]) -> bool {
    let [first, second, third, fourth] = parameters;
    let width = dump.system.pointer_width;
    let is_pointer = |address| debug_info::is_possible_pointer(address, width);
    let is_small = |value: u64| value < 0x100 || value > width.all_ones().saturating_sub(0x100);
    let is_thread =
        |value: u64| value == 0 || dump.threads.iter().any(|thread| u64::from(thread.id) == value);
    let rest = match code {
        0x203 => is_pointer(second) && is_pointer(third) && is_pointer(fourth),
        0x205 => second != third && is_pointer(third) && is_pointer(fourth),
        0x206 => is_thread(third) && third != 0 && is_pointer(fourth),
        0x207 | 0x209 => is_small(third) && is_pointer(fourth),
        0x208 => is_small(third) && third != 0 && is_thread(fourth),
        0x210 => (second == 0 || is_pointer(second)) && third == 0 && fourth == 0,
        0x211 => is_pointer(second) && is_pointer(third) && fourth == 0,
        0x214 => is_small(second) && third == 0 && fourth == 0,
        _ => false,
    };
    let module = dump.module_at(first).map(|module| module.base);
    rest && is_pointer(first) && !is_verifier(dump, module) && dump.stack_owner(first).is_none()
}

/// Whether a section lies there by a debug record: its own, or one of those given.
fn is_section(dump: &Dump<'_>, address: u64, records: &[u64]) -> bool {
    let width = dump.system.pointer_width;
    let named = records.iter().any(|record| {
        debug_info::is_possible_pointer(*record, width)
            && RawDebugInfo::read(&dump.memory, *record, width)
                .is_some_and(|record| record.critical_section == address && record.kind <= 1)
    });
    named
        || RawCriticalSection::read(&dump.memory, address, width).is_some_and(|raw| {
            let state = debug_info::state(&dump.memory, address, &raw, width);
            matches!(state, DebugInfoState::Own(_))
        })
}
