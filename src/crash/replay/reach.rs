//! What a function may do at most, and whether it comes back, by its code and that of the functions it calls.

use super::block::Outcome;
use super::call::Target;
use super::function::Block;
use super::known;
use super::run::{Run, started_by};
use super::value::{State, Value};
use iced_x86::{FlowControl, Instruction, OpKind, Register};
use std::collections::BTreeSet;
use std::rc::Rc;

/// Most functions that are looked at for one.
const MAX_FUNCTIONS: usize = 256;
/// Functions deep in which is looked for a way back.
const MAX_DEPTH: usize = 24;
/// Most blocks in which is looked for one.
const MAX_BLOCKS: usize = 4096;
/// A function may take one part in so many of the steps that are left, and at least so many.
const PART: usize = 4;
const LEAST_STEPS: usize = 3_000;

impl Run<'_, '_> {
    /// Replays a function up to its ends with a part of the steps that are left. The outer `None` where all costs too much, the inner one where
    /// this function does, or has done before.
    pub(super) fn within_limit(&mut self, start: u64, entry: State) -> Option<Option<Outcome>> {
        if self.dear.contains(&start) {
            return Some(None);
        }
        let outer = self.limit;
        let rest = outer.saturating_sub(self.steps);
        let part = rest.checked_div(PART).unwrap_or(0).max(LEAST_STEPS);
        self.limit = outer.min(self.steps.saturating_add(part));
        let outcome = self.function_from(start, entry, None);
        self.limit = outer;
        if outcome.is_none() && self.steps <= outer && self.scene.flows.spend(1) {
            self.dear.insert(start);
            return Some(None);
        }
        outcome.map(Some)
    }

    /// Whether some way through a function leads back to its caller.
    ///
    /// - situation: what throws an exception leads into the runtime library's unwinder, which costs more than the rest of the program.
    /// - example: `if (at == end) throw std::out_of_range("key");`, linked statically: `__cxa_throw` calls the unwinder, and then `abort`.
    /// - handling: a block is come to, without a call that does not come back, that ends in a return or in what is not known. Where a call
    ///   leads is known by its code; what is not known, or costs too much, comes back.
    /// - test: `what_does_not_come_back_is_not_replayed`.
    pub(super) fn comes_back(&mut self, start: u64) -> bool {
        let mut search = WayBack { open: Vec::new(), rest: MAX_BLOCKS };
        self.has_way_back(start, &mut search)
    }

    fn has_way_back(&mut self, start: u64, search: &mut WayBack) -> bool {
        if let Some(known) = self.come_back.get(&start) {
            return *known;
        }
        // Another way must lead back: not the one through itself.
        if search.open.contains(&start) {
            return false;
        }
        let function = match self.function(start) {
            Some(function) if search.open.len() < MAX_DEPTH && !function.blocks.is_empty() => {
                function
            }
            _ => return true,
        };
        search.open.push(start);
        let mut seen = BTreeSet::from([0]);
        let mut blocks = vec![0];
        let mut found = false;
        while let Some(block) = blocks.pop().and_then(|at| function.blocks.get(at)) {
            search.rest = search.rest.saturating_sub(1);
            if search.rest == 0 || !self.scene.flows.spend(1) {
                found = true;
                break;
            }
            let is_passed = block
                .instructions
                .iter()
                .filter(|one| is_call(one))
                .all(|one| self.passes(one, search));
            if !is_passed {
                continue;
            }
            if returns(block) || block.missing.is_some() {
                found = true;
                break;
            }
            let cases = block.cases.iter().map(|(_, to)| *to);
            let next = block.next.into_iter().chain(block.branch).chain(cases);
            blocks.extend(next.filter(|to| seen.insert(*to)));
        }
        search.open.pop();
        // What rests on a function that is looked at still is not known for itself.
        if found || search.open.is_empty() {
            self.come_back.insert(start, found);
        }
        found
    }

    /// Whether a call comes back.
    fn passes(&mut self, one: &Instruction, search: &mut WayBack) -> bool {
        match self.target(&mut State::default(), one) {
            Target::Code(start) => self.has_way_back(start, search),
            Target::Named(name, _) => !known::ends(&name),
            Target::Guard | Target::Unknown => true,
        }
    }

    /// Notes what a function may have called that is not replayed, without arguments; whether it can have started no thread, and where all
    /// its calls lead is known. One that does not come back has run at most up to what it has thrown: of that, the calls that have names
    /// are enough.
    ///
    /// - situation: a function of the runtime library costs as much as all the rest.
    /// - example: `snprintf` of a library that is linked statically, with its conversions of floating point numbers.
    /// - handling: all calls in its code and in that of the functions it calls can have run; they are looked for once for each thread.
    /// - test: `what_is_too_dear_can_have_run`.
    pub(super) fn note_reach(&mut self, start: u64, comes_back: bool) -> bool {
        let key = (self.root, start, comes_back);
        let noted = match self.reached.get(&key) {
            Some(known) => Rc::clone(known),
            None => {
                let found = Rc::new(self.reach(start, comes_back));
                self.reached.insert(key, Rc::clone(&found));
                found
            }
        };
        for place in &noted.calls {
            if let Some(call) = self.calls.get_mut(*place) {
                call.is_ahead = false;
            }
        }
        noted.is_quiet
    }

    fn reach(&mut self, start: u64, comes_back: bool) -> Reach {
        let mut noted = Vec::new();
        let mut seen = BTreeSet::from([start]);
        let mut open = vec![start];
        let mut is_quiet = true;
        while let Some(function) = open.pop() {
            let Some(function) = self.function(function).filter(|_| seen.len() < MAX_FUNCTIONS)
            else {
                self.is_whole &= !comes_back;
                return Reach { calls: noted, is_quiet: false };
            };
            for at in function.blocks.iter().filter_map(|block| block.missing) {
                (is_quiet, self.is_whole) = (false, self.is_whole && !comes_back);
                noted.push(self.note_lost(at));
            }
            let calls = function.blocks.iter().flat_map(|block| &block.instructions);
            for one in calls.filter(|one| is_call(one) || is_last_jump(one)) {
                match self.target(&mut State::default(), one) {
                    Target::Code(to) => open.extend(Some(to).filter(|to| seen.insert(*to))),
                    Target::Named(name, _) => {
                        is_quiet &= started_by(&name).is_none();
                        let state = &mut State::default();
                        noted.push(self.note(state, &name, one.ip(), [Value::Unknown; 4]));
                    }
                    Target::Unknown if comes_back => {
                        is_quiet = false;
                        self.hand_out_tables();
                        let state = &mut State::default();
                        noted.push(self.note(state, "", one.ip(), [Value::Unknown; 4]));
                    }
                    Target::Guard | Target::Unknown => {}
                }
            }
        }
        Reach { calls: noted, is_quiet }
    }
}

/// A search for a way back to a caller.
struct WayBack {
    /// The functions that are looked at.
    open: Vec<u64>,
    /// Blocks that may be looked at still.
    rest: usize,
}

/// What a function may do at most that is not replayed.
#[derive(Debug)]
pub(super) struct Reach {
    /// Its calls, by their places in [`Run::calls`].
    calls: Vec<usize>,
    is_quiet: bool,
}

fn is_call(one: &Instruction) -> bool {
    matches!(one.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
}

/// Whether an instruction is a jump through one place in memory, as a function's last call is: through an import slot, or a pointer of an object.
fn is_last_jump(one: &Instruction) -> bool {
    one.flow_control() == FlowControl::IndirectBranch
        && one.op0_kind() == OpKind::Memory
        && one.memory_index() == Register::None
}

/// Whether a block ends in a return, in a jump that is not known, or where the dump does not hold the code.
fn returns(block: &Block) -> bool {
    block.instructions.last().is_none_or(|last| match last.flow_control() {
        FlowControl::Return => true,
        FlowControl::IndirectBranch => block.cases.is_empty(),
        FlowControl::UnconditionalBranch => block.branch.is_none(),
        FlowControl::ConditionalBranch => block.branch.is_none() || block.next.is_none(),
        FlowControl::Interrupt | FlowControl::Exception => false,
        _ => block.next.is_none(),
    })
}
