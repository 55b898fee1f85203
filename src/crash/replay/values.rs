//! What the symbols of a replay are, by the registers and the memory of the dump.

use super::Given;
use super::run::Run;
use super::step::RSP;
use super::value::{State, Symbol, Value};
use crate::crash::frame::Frame;
use crate::dump::heap::{self, BlockState};
use crate::dump::memory::PointerWidth;
use crate::image::registers::{Provenance, Register};
use std::collections::{HashMap, HashSet};

/// Bytes above the stack pointer that belong to the function that is called (x64 calling convention, "home space").
const HOME: i64 = 0x20;

/// The values of symbols.
#[derive(Debug, Default)]
pub(super) struct Values {
    /// By registers and by the failed call.
    known: HashMap<Symbol, u64>,
    /// By what memory holds now, which may have been written to since.
    held: HashMap<Symbol, u64>,
    /// Those of them that were found on a stack.
    on_stack: HashSet<Symbol>,
}

impl Values {
    /// What a value is.
    pub(super) fn of(&self, run: &Run<'_, '_>, value: Value) -> Option<u64> {
        match value {
            Value::Constant(value) => Some(value),
            Value::Symbol(symbol, offset) if !run.symbols.is_many(symbol) => {
                let start = self.known.get(&symbol).or_else(|| self.held.get(&symbol))?;
                Some(run.width.truncate(start.wrapping_add_signed(offset)))
            }
            _ => None,
        }
    }

    /// Whether nothing can have changed what a value was found by.
    fn is_sure(&self, value: Value) -> bool {
        match value {
            Value::Symbol(symbol, _) => {
                self.known.contains_key(&symbol) || self.on_stack.contains(&symbol)
            }
            _ => true,
        }
    }

    /// Whether registers or the failed call tell what a value is.
    fn is_known(&self, value: Value) -> bool {
        matches!(value, Value::Symbol(symbol, _) if self.known.contains_key(&symbol))
    }

    /// Notes that two values are one, where one of them is known.
    pub(super) fn equate(&mut self, run: &Run<'_, '_>, one: Value, other: Value, is_sure: bool) {
        for (from, to) in [(one, other), (other, one)] {
            if let Some(actual) = self.of(run, from) {
                let is_sure = is_sure && self.is_sure(from);
                self.note(run, to, actual, is_sure);
            }
        }
    }

    /// What is known of an argument.
    pub(super) fn given(&self, run: &Run<'_, '_>, value: Value) -> Given {
        let is_given_out = |value: Value| matches!(value, Value::Symbol(symbol, _) if run.allocated.contains(&symbol));
        // What was given out is memory that is there; anything else was put into that place since.
        let is_there = |at: &u64| run.scene.dump.memory.u8(*at).is_some();
        match (
            self.of(run, value)
                .filter(|at| !is_given_out(value) || self.is_known(value) || is_there(at)),
            value,
        ) {
            (Some(at), _) if self.is_sure(value) => Given::Value(at),
            (Some(at), _) => Given::Perhaps(at),
            (None, Value::Symbol(symbol, offset)) if run.allocated.contains(&symbol) => {
                Given::Behind(offset, run.sizes.get(&symbol).copied())
            }
            _ => Given::Unknown,
        }
    }

    /// Notes that a value is this one, as far as nothing else is known.
    fn note(&mut self, run: &Run<'_, '_>, value: Value, actual: u64, is_sure: bool) {
        if let Value::Symbol(symbol, offset) = value {
            let start = run.width.truncate(actual.wrapping_add_signed(offset.wrapping_neg()));
            let values = match is_sure {
                true => &mut self.known,
                false => &mut self.held,
            };
            values.entry(symbol).or_insert(start);
        }
    }

    /// Learns from what a frame's registers hold.
    pub(super) fn learn_registers(&mut self, run: &Run<'_, '_>, state: &State, frame: &Frame) {
        // What was taken off the stack is counted, not known: the stack pointer comes last.
        let (top, rest): (Vec<_>, Vec<_>) =
            Register::ALL.into_iter().enumerate().partition(|(number, _)| *number == RSP);
        for (number, register) in rest.into_iter().chain(top) {
            let is_kept = register.is_nonvolatile(run.width)
                && frame.registers.provenance(register) != Provenance::AtLeast;
            if let Some(actual) = frame.registers.get(register).filter(|_| is_kept) {
                self.note(run, state.register(number), actual, true);
            }
        }
    }

    /// Learns from the stack, then from other memory, as far as nothing seen has written to it since.
    pub(super) fn learn_memory(&mut self, run: &Run<'_, '_>, state: &State) {
        for stacks_only in [true, false, false] {
            for ((base, offset), (value, size)) in state.memory.iter() {
                let is_stack = base.is_some_and(|base| run.is_stack(base));
                // Below the stack pointer others have written since, and into the room that is theirs above it.
                let room = if run.width == PointerWidth::Eight { HOME } else { 0 };
                let is_gone = || match state.register(RSP) {
                    Value::Symbol(top, at) => {
                        *base != Some(top) || *offset < at.saturating_add(room)
                    }
                    _ => true,
                };
                let is_left_out = stacks_only && !is_stack || is_stack && is_gone();
                if *size != run.width.bytes() || is_left_out {
                    continue;
                }
                let place = base.map_or(Value::Constant(0), |base| Value::Symbol(base, 0));
                let address = self.of(run, place.plus(*offset, run.width));
                let actual = address.and_then(|at| run.scene.dump.memory.pointer(at, run.width));
                if let Some(actual) = actual {
                    if let (true, Value::Symbol(symbol, _)) = (is_stack, value)
                        && !self.held.contains_key(symbol)
                    {
                        self.on_stack.insert(*symbol);
                    }
                    let is_sure = base.is_none() && Self::is_block(run, *value, actual);
                    self.note(run, *value, actual, is_sure);
                }
            }
        }
    }

    /// Whether a variable that was given the address of a block still holds what is one's.
    ///
    /// - situation: a static variable tells other threads of an object; a heap's memory may be another's since, a variable is written by its program.
    /// - example: `request.tab = tab`, by main, which gives the tab back; a thread of the program takes it from there, and fails.
    /// - handling: what a function that gives out memory gave back, or a place in it; the address in the variable now is that far behind
    ///   the start of a heap block in use, or in a free one, and nothing that was seen has written to the variable since.
    /// - test: `a_variable_holds_what_it_was_given` (tests/accuracy).
    fn is_block(run: &Run<'_, '_>, value: Value, actual: u64) -> bool {
        let Value::Symbol(symbol, offset) = value else { return false };
        let start = actual.wrapping_sub(offset.cast_unsigned());
        let block = heap::block_at(run.scene.dump, start);
        run.allocated.contains(&symbol)
            && block.is_some_and(|block| match block.state {
                BlockState::Busy => block.start == start,
                BlockState::Free => true,
                BlockState::FrontEnd | BlockState::Unproven => false,
            })
    }

    /// Whether a value can be this one; where nothing else is known, it is.
    pub(super) fn is_possible(&mut self, run: &Run<'_, '_>, value: Value, actual: u64) -> bool {
        self.note(run, value, actual, true);
        self.of(run, value).is_none_or(|known| known == actual)
    }
}
