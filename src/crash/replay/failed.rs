//! The failed call: what holds where it was made, and which block its section lies in.

use super::block::Reached;
use super::run::Run;
use super::step::{RCX, RSP};
use super::value::{State, Value};
use super::{at_place, linked};
use crate::crash::frame::Frame;
use crate::dump::memory::PointerWidth;

/// The frame that made the failed call, in the stack of the faulting thread, with that call's first argument.
#[derive(Debug, Clone, Copy)]
pub struct Failed {
    /// Id of the thread.
    pub thread: u32,
    /// Index of the frame.
    pub frame: usize,
    /// The frame has called a function that went on to the lock function by a jump: the end of that ([`crate::crash::left_by_jump::to_lock`]).
    pub jump: Option<u64>,
    /// The section's address.
    pub section: u64,
}

/// What holds at the failed call, which the frame's function has made, or one that it has called and that is on no stack any more.
///
/// - situation: a function's last call is that of the lock function, and in optimised code a jump; what it has done before is in no frame's
///   function.
/// - example: `account` enters the section, counts, and leaves it by `jmp [__imp_LeaveCriticalSection]`; the stack shows who has called it.
/// - handling: the function is replayed up to its jump, which comes behind the return of all registers that it had to keep: those of the frame.
/// - test: `who_leaves_has_entered` (tests/accuracy).
pub(super) fn reached(
    run: &mut Run<'_, '_>,
    state: &State,
    frame: &Frame,
    failed: Failed,
) -> Option<State> {
    let Some(end) = failed.jump else { return Some(state.clone()) };
    let reached = linked(run, state.clone(), frame.registers.ip(), end)?;
    let Reached { state, noted } = at_place(run, reached, frame)?;
    run.put_ahead(noted);
    Some(state)
}

impl Run<'_, '_> {
    /// Notes which call gave out the block that the failed call's argument lies in.
    ///
    /// - situation: a block was given back and out again; what was done to the section at its address was done to an earlier one.
    /// - example: `delete dot; copy = line->clone();` gives the copy the block of the dot; nobody initialises the copy's lock.
    /// - handling: where the argument is what one call gave out, plus a number, what the thread did before that call is not counted, and
    ///   what other calls gave out is another block.
    /// - test: `a_block_that_was_given_out_again_is_another` (tests/accuracy).
    pub(super) fn note_block_of_failed(&mut self, root: usize, argument: Value) {
        if let Value::Symbol(symbol, _) = argument
            && !self.symbols.is_many(symbol)
            && let Some(order) = self.given_out_by.get(&symbol)
        {
            self.block_of_failed = Some((root, *order));
            self.is_block_zeroed = self.zeroed.contains(&symbol);
        }
    }

    /// The first argument of the call that a state was reached at.
    pub(super) fn first_argument(&self, state: &State) -> Value {
        match self.width {
            PointerWidth::Eight => state.register(RCX),
            PointerWidth::Four => {
                let spot = state.register(RSP).place();
                let held = spot.and_then(|spot| state.memory.get(&spot));
                held.map_or(Value::Unknown, |(value, _)| *value)
            }
        }
    }
}
