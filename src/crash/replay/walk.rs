//! The ways through a function: what holds at each block, round by round of its loops.

use super::block::{End, Outcome, also};
use super::function::{Block, Function};
use super::run::Run;
use super::step::RSP;
use super::value::{Origin, State, Value};
use crate::dump::memory::PointerWidth;
use iced_x86::Instruction;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Rounds of a function's loops that are told apart, where each is known to be gone.
const ROUNDS: usize = 48;
/// Most times that the blocks of all further rounds are gone through.
const MAX_PASSES: usize = 24;

/// A block in a round.
type Node = (usize, usize);
/// What holds on the way to a block, from another.
type Ways = BTreeMap<(Node, Node), State>;

impl Run<'_, '_> {
    /// Replays a function up to its ends, or up to the call that ends at `stop`. `None` where it costs too much.
    ///
    /// - situation: objects are made in a loop, and one of them is the section's.
    /// - example: `for (i = 0; i < 3; i++) { table[i] = HeapAlloc(…); InitializeCriticalSection(table[i] + 8); }`.
    /// - handling: each jump back begins a round of its own, as long as every branch out of the loop was decided by constants; else, and
    ///   behind the last round, all that may follow is one round, gone through until nothing changes.
    /// - test: `rounds_that_are_counted_are_told_apart`.
    pub(super) fn function_from(
        &mut self,
        start: u64,
        mut entry: State,
        stop: Option<u64>,
    ) -> Option<Outcome> {
        entry.is_open = false;
        let function = self.function(start)?;
        self.depth.push(start);
        self.entries.push(entry.registers);
        let (outer_loop, outer_path) = (self.is_in_loop, self.path);
        let calls = Rc::clone(&entry.calls);
        let noted = self.calls.len();
        let is_wide = self.width == PointerWidth::Eight;
        let mut is_shown = is_wide && self.handlers(start, &function);
        let mut outcome = self.rounds(&function, entry, stop, outer_loop);
        if let Some(outcome) = outcome.as_mut().filter(|outcome| outcome.is_lost) {
            // What cannot be followed may lead to the place as well.
            is_shown = is_shown || outcome.is_dark && !is_wide && self.handlers(start, &function);
            self.is_whole &= !outcome.is_dark || is_shown;
            self.doubt_leaves(noted);
            for reached in &mut outcome.reached {
                reached.state.calls = Rc::clone(&calls);
                reached.state.held = Rc::default();
                reached.noted = usize::MAX;
            }
        }
        (self.is_in_loop, self.path) = (outer_loop, outer_path);
        self.depth.pop();
        self.entries.pop();
        outcome
    }

    fn rounds(
        &mut self,
        function: &Function,
        entry: State,
        stop: Option<u64>,
        outer_loop: bool,
    ) -> Option<Outcome> {
        let path = self.path;
        let mut ways = Ways::from([(((0, 0), (0, usize::MAX)), entry)]);
        let mut outcome = Outcome::default();
        for round in 0..ROUNDS {
            if !ways.keys().any(|((to, _), _)| *to == round) {
                break;
            }
            self.path = path;
            self.is_in_loop = outer_loop;
            self.pass(function, round, stop, &mut ways, &mut outcome)?;
            ways = ways.split_off(&((round.saturating_add(1), 0), (0, 0)));
        }
        if ways.is_empty() {
            return Some(outcome);
        }
        self.path = path;
        let mut last = Outcome::default();
        let mut is_settled = false;
        for _ in 0..MAX_PASSES {
            last = Outcome::default();
            self.is_in_loop = outer_loop;
            is_settled = !self.pass(function, ROUNDS, stop, &mut ways, &mut last)?;
            if is_settled {
                break;
            }
        }
        outcome.is_lost |= last.is_lost || !is_settled;
        outcome.is_dark |= last.is_dark || !is_settled;
        outcome.reached.extend(last.reached);
        last.returned.iter().for_each(|state| also(&mut outcome.returned, state));
        Some(outcome)
    }

    /// Goes through all blocks of a round once; false when nothing has changed.
    fn pass(
        &mut self,
        function: &Function,
        round: usize,
        stop: Option<u64>,
        ways: &mut Ways,
        outcome: &mut Outcome,
    ) -> Option<bool> {
        let mut has_changed = false;
        let outer_loop = self.is_in_loop;
        let path = self.path;
        if round > 0 {
            self.enter(u64::MAX.wrapping_sub(round as u64));
        }
        let path_of_round = self.path;
        for (at, block) in function.blocks.iter().enumerate() {
            let here = (round, at);
            let Some(mut state) = joined(ways, here) else { continue };
            // What is in no loop runs once, however often those before it did.
            self.path = if block.is_in_loop { path_of_round } else { path };
            if !matches!(state.register(RSP), Value::Symbol(..)) {
                // Ways meet that have counted the stack pointer differently: it is somewhere.
                let first = block.instructions.first().map_or(0, Instruction::ip);
                let top = self.new_stack(Origin::Rounded(self.path, first));
                state.set(RSP, top);
            }
            let is_last = round == ROUNDS;
            self.is_in_loop = outer_loop || is_last && block.is_in_loop;
            let goes_on = block.is_in_loop;
            let end = self.block(block, &mut state, stop, goes_on, outcome)?;
            outcome.is_lost |= leads_elsewhere(end, block);
            for (to, way) in ways_of(block) {
                let is_taken = takes(end, way);
                let Some(to) = to else {
                    outcome.is_lost |= is_taken;
                    continue;
                };
                let is_open = state.is_open
                    || matches!(end, End::Branches(None) | End::Leads(None))
                        && block.leaves_loop
                        && !function.leaves(at, to);
                let next = match to > at {
                    true => round,
                    false if is_open => ROUNDS,
                    false => round.saturating_add(1).min(ROUNDS),
                };
                let way = ((next, to), here);
                if is_taken {
                    let state = State { is_open: is_open && to > at, ..state.clone() };
                    has_changed |= ways.get(&way) != Some(&state);
                    ways.insert(way, state);
                } else {
                    has_changed |= ways.remove(&way).is_some();
                }
            }
        }
        (self.is_in_loop, self.path) = (outer_loop, path);
        Some(has_changed)
    }
}

/// A way out of a block.
#[derive(Debug, Clone, Copy)]
enum Way {
    Next,
    Branch,
    /// The case of a table that begins at an address.
    Case(u64),
}

/// The ways out of a block, and the blocks that they lead to.
fn ways_of(block: &Block) -> impl Iterator<Item = (Option<usize>, Way)> + '_ {
    let cases = block.cases.iter().map(|(address, to)| (Some(*to), Way::Case(*address)));
    [(block.next, Way::Next), (block.branch, Way::Branch)].into_iter().chain(cases)
}

/// Whether a way may be taken where a block ends like this.
fn takes(end: End, way: Way) -> bool {
    match (end, way) {
        (End::Falls, Way::Next) => true,
        (End::Branches(taken), Way::Next) => taken != Some(true),
        (End::Branches(taken), Way::Branch) => taken != Some(false),
        (End::Leads(to), Way::Case(address)) => to.is_none_or(|to| to == address),
        _ => false,
    }
}

/// Whether a jump through a table leads to none of its cases.
fn leads_elsewhere(end: End, block: &Block) -> bool {
    matches!(end, End::Leads(Some(to)) if !block.cases.iter().any(|(case, _)| *case == to))
}

/// What holds at a block, whichever way it was come to.
fn joined(ways: &Ways, here: Node) -> Option<State> {
    let first = (here, (0, 0));
    let last = (here, (usize::MAX, usize::MAX));
    let mut states = ways.range(first..=last).map(|(_, state)| state);
    let mut state = states.next()?.clone();
    for other in states {
        state.join(other);
    }
    Some(state)
}
