//! The running of a block, and what a function gives back to its caller.

use super::function::Block;
use super::run::Run;
use super::step::RSP;
use super::value::{State, Value};
use crate::image::registers::Register;
use iced_x86::{FlowControl, InstructionInfoFactory};

/// Most calls that are kept in order.
const MAX_CALLS: usize = 1024;

/// What holds where a call that was looked for is come to.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) state: State,
    /// The calls noted so far: those behind them were come to afterwards only.
    pub(super) noted: usize,
}

/// How a replayed function ended.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What holds where it has returned, when it does.
    pub(super) returned: Option<State>,
    /// What holds at the call that was looked for, each time that it may have been come to.
    pub(super) reached: Vec<Reached>,
    /// Some way through it cannot be followed.
    pub(super) is_lost: bool,
    /// That way is one of a table of jumps, or its code is not in the dump.
    pub(super) is_dark: bool,
}

/// What a function's last call, a jump, does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Last {
    Returns,
    Ends,
    Unknown,
}

/// How a block ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// The next block follows.
    Falls,
    /// A branch, and whether it is taken where that is known.
    Branches(Option<bool>),
    /// A jump through a table, and the case that it leads to where that is known.
    Leads(Option<u64>),
    Stops,
}

/// Joins a state into what is known of a place.
pub(super) fn also(place: &mut Option<State>, state: &State) {
    match place {
        Some(known) => known.join(state),
        None => *place = Some(state.clone()),
    }
}

impl Run<'_, '_> {
    /// Runs a block's instructions.
    pub(super) fn block(
        &mut self,
        block: &Block,
        state: &mut State,
        stop: Option<u64>,
        is_in_loop: bool,
        outcome: &mut Outcome,
    ) -> Option<End> {
        let mut factory = InstructionInfoFactory::new();
        let mut last = None;
        if let Some(at) = block.missing {
            // What a small dump lacks may call whatever the program has.
            self.note_lost(at);
            (outcome.is_lost, outcome.is_dark) = (true, true);
            return Some(End::Stops);
        }
        for one in &block.instructions {
            (self.spend() && state.calls.len() <= MAX_CALLS).then_some(())?;
            match one.flow_control() {
                FlowControl::Call | FlowControl::IndirectCall => {
                    if stop == Some(one.next_ip()) {
                        let noted = self.calls.len();
                        outcome.reached.push(Reached { state: state.clone(), noted });
                        if !is_in_loop {
                            return Some(End::Stops);
                        }
                    }
                    if !self.call(state, one)? {
                        return Some(End::Stops);
                    }
                }
                FlowControl::Return => {
                    let bytes = one.try_immediate(0).unwrap_or(0);
                    // A function that has not returned keeps its locals, whatever another way through it would do.
                    if stop.is_none() {
                        self.forget_locals(state);
                    }
                    self.give_back(state, bytes);
                    also(&mut outcome.returned, state);
                    return Some(End::Stops);
                }
                FlowControl::IndirectBranch if !block.cases.is_empty() => {
                    return Some(End::Leads(match self.operand(state, one, 0) {
                        (Value::Constant(to), _) => Some(to),
                        _ => None,
                    }));
                }
                FlowControl::IndirectBranch if stop == Some(one.next_ip()) => {
                    let noted = self.calls.len();
                    outcome.reached.push(Reached { state: state.clone(), noted });
                    return Some(End::Stops);
                }
                FlowControl::IndirectBranch => {
                    match self.last_call(state, one, last)? {
                        Last::Returns => also(&mut outcome.returned, state),
                        Last::Ends => {}
                        Last::Unknown => (outcome.is_lost, outcome.is_dark) = (true, true),
                    }
                    return Some(End::Stops);
                }
                FlowControl::ConditionalBranch => {
                    return Some(End::Branches(self.decided(state, one)));
                }
                FlowControl::UnconditionalBranch => return Some(End::Branches(Some(true))),
                FlowControl::Interrupt | FlowControl::Exception => return Some(End::Stops),
                _ => self.step(state, one, &mut factory),
            }
            last = Some(one);
        }
        Some(End::Falls)
    }

    /// Forgets calls about what was in the frame of the function that is left.
    fn forget_locals(&mut self, state: &mut State) {
        let Some(Value::Symbol(stack, top)) = self.entries.last().and_then(|entry| entry.get(RSP))
        else {
            return;
        };
        let is_local = |value: &Value| matches!(value, Value::Symbol(symbol, offset) if symbol == stack && offset < top);
        for call in state.calls.iter() {
            if let Some(called) = self.calls.get_mut(*call) {
                for argument in called.arguments.iter_mut().filter(|one| is_local(one)) {
                    *argument = Value::Unknown;
                }
            }
        }
    }

    /// Whether a function returns with a frame that it has made for its caller.
    ///
    /// - situation: compilers call helpers to make a frame with an exception handler, or a large one.
    /// - example: `call __SEH_prolog4`, which returns with ebp set and esp lower; `_chkstk`.
    /// - handling: the stack pointer is elsewhere on the same stack, and there stands the return address that stood at the entry.
    /// - test: `a_helper_makes_its_callers_frame`.
    fn moves_frame(&self, state: &State, entry: &[Value; 16]) -> bool {
        let held = |top: Value| top.place().and_then(|spot| state.memory.get(&spot)).copied();
        let before = entry.get(RSP).copied().unwrap_or(Value::Unknown);
        let top = state.register(RSP);
        let is_address = |held: Option<(Value, u64)>| matches!(held, Some((Value::Constant(_), _)));
        top != before && is_address(held(top)) && held(top) == held(before)
    }

    /// Takes the return address off the stack, and so many bytes of arguments. A function gives back the registers that it must.
    pub(super) fn give_back(&self, state: &mut State, arguments: u64) {
        let Some(entry) = self.entries.last() else { return };
        let bytes = self.width.bytes().saturating_add(arguments);
        if self.moves_frame(state, entry) {
            state.set(RSP, state.register(RSP).plus(bytes.cast_signed(), self.width));
            return;
        }
        for (number, register) in Register::ALL.into_iter().enumerate() {
            let held = entry.get(number).copied().unwrap_or(Value::Unknown);
            if register.is_stack_pointer() {
                state.set(number, held.plus(bytes.cast_signed(), self.width));
            } else if register.is_nonvolatile(self.width) {
                state.set(number, held);
            }
        }
    }
}
