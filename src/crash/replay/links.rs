//! What the functions of threads were given, by those that started them.

use super::run::{Run, started_by};
use super::step::RCX;
use super::value::{Origin, Value};
use super::values::Values;
use super::{is_replayed, key_of, start_of};
use crate::crash::frame::Frame;

/// A thread's outermost function of the program: where it starts, and its first argument.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    start: u64,
    argument: Value,
}

/// What a thread began with, as far as its stack tells.
pub(super) fn begun(run: &mut Run<'_, '_>, root: usize, frames: &[Frame]) -> Option<Begun> {
    let mut outermost = frames.iter().enumerate().rev();
    let (index, frame) = outermost.find(|(_, frame)| is_replayed(run.scene, frame))?;
    let start = start_of(run, frame)?;
    let argument = run.symbol(Origin::Entry(key_of(root, index), RCX));
    Some(Begun { start, argument })
}

/// Learns that what a thread was started with is its function's argument.
///
/// - situation: a worker fails with an object that main has made: what main did to it is known behind what it was given out, not by its address.
/// - example: `broker = make_broker(); CreateThread(…, work, broker, …)`; in `work` its address is in rbx.
/// - handling: one thread of that function, and one call that starts it, with a value that is one thing, and not another than the thread has.
///   Where all code was followed, and hands the function out in no other way, both are sure.
/// - test: `a_worker_has_what_it_was_started_with` (tests/accuracy).
pub(super) fn learn(run: &mut Run<'_, '_>, values: &mut Values, begun: &[Begun], is_whole: bool) {
    let is_whole = is_whole && run.is_whole;
    for one in begun {
        let Some((given, root)) = given_to(run, begun, one.start) else { continue };
        let both = values.of(run, one.argument).zip(values.of(run, given));
        if both.is_some_and(|(has, given)| has != given) {
            continue;
        }
        let starts = (one.start, Value::Constant(0))..=(one.start, Value::Unknown);
        let is_whole =
            is_whole && run.handed_out.range(starts).all(|(_, argument)| *argument == given);
        values.equate(run, one.argument, given, is_whole);
        let (Value::Symbol(entry, _), Some(Value::Symbol(failed, at))) =
            (one.argument, run.failed_argument)
        else {
            continue;
        };
        if let Some(root) = root.filter(|_| entry == failed && is_whole) {
            run.note_block_of_failed(root, given.plus(at, run.width));
        }
    }
}

/// What the one call that starts a function gives to the one thread that runs it, and the thread that made the call.
fn given_to(run: &Run<'_, '_>, begun: &[Begun], start: u64) -> Option<(Value, Option<usize>)> {
    let is_one = begun.iter().filter(|other| other.start == start).count() == 1;
    let starts = run.calls.iter().filter(|call| !call.is_ahead).filter_map(|call| {
        let (function, passed) = started_by(&call.name)?;
        let is_it = call.arguments.get(function) == Some(&Value::Constant(start));
        is_it.then(|| Some((*call.arguments.get(passed)?, call.root)))?
    });
    let starts: Vec<_> = starts.collect();
    match starts.as_slice() {
        [only] if is_one => Some(*only),
        _ => None,
    }
}
