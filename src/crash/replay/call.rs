//! What a call does: a function of the program is replayed too, one of the system is noted.

use super::block::Last;
use super::function::decode;
use super::known::{JUMPS, arity, bytes_taken_by, ends, gives_block, gives_out, is_of_runtime};
use super::run::{MAX_DEPTH, Run};
use super::step::RSP;
use super::value::{Origin, Spot, State, Value};
use crate::dump::memory::PointerWidth;
use crate::image::call_target::{CallKind, CallSite};
use crate::image::guard::Guard;
use iced_x86::{FlowControl, Instruction, Mnemonic, OpKind, Register};
use std::rc::Rc;

/// Number of rax.
const RAX: usize = 0;
/// Registers that a call does not keep: rax, rcx, rdx, r8 to r11.
const VOLATILE: [usize; 7] = [0, 1, 2, 8, 9, 10, 11];
/// Bytes of further arguments.
const FURTHER: i64 = 0x30;
/// Bytes of a local in which functions may be handed out.
const SHOWN: i64 = 0x100;
/// Bytes of a local that a function may write to which its address is passed.
const LOCAL: u64 = 0x40;
/// Most instructions looked at for the end of a function.
const MAX_LENGTH: usize = 600;
/// Most entries of a table of functions that the runtime library calls.
const MAX_ENTRIES: u64 = 64;

/// What a call goes to.
pub(super) enum Target {
    /// A function that has a name, and its address where that is known.
    Named(String, Option<u64>),
    /// Code of the program.
    Code(u64),
    /// The check of Control Flow Guard, which does nothing to the program.
    Guard,
    Unknown,
}

impl Run<'_, '_> {
    /// Does a call. False when it does not come back; `None` where it costs too much.
    pub(super) fn call(&mut self, state: &mut State, one: &Instruction) -> Option<bool> {
        match self.target(state, one) {
            Target::Named(name, address) => {
                let arguments = self.arguments_of(state, &name, 0, one.ip());
                let place = self.note(state, &name, one.ip(), arguments);
                self.doubt(place, name.is_empty() && address.is_none() && self.is_part());
                self.further_arguments(state);
                self.is_whole &= !JUMPS.contains(&name.as_str());
                if ends(&name) {
                    return Some(false);
                }
                if matches!(name.as_str(), "_initterm" | "_initterm_e") {
                    self.table(state, arguments, one)?;
                }
                let found = self.found_in_text(state, &name, arguments);
                let is_exact = self.effects(state, &name, arguments);
                self.destroy_heap(state, &name, arguments, one.ip());
                let taken = self.taken(&name, address);
                if !is_exact {
                    self.clobber_locals(state, arguments);
                }
                self.returns(state, taken, one);
                self.threads(state, &name, arguments, one)?;
                self.note_zeros(&name, arguments, state.register(0));
                self.note_heap(&name, arguments, state.register(0));
                self.look_up(state, &name, arguments);
                if let Value::Symbol(symbol, _) = state.register(0)
                    && !gives_out(&name)
                    && !is_of_runtime(&name)
                {
                    self.symbols.make_wild(symbol);
                }
                if let Value::Symbol(symbol, _) = state.register(0)
                    && gives_block(&name, || self.has_debug_runtime())
                {
                    self.allocated.insert(symbol);
                    self.given_out_by.insert(symbol, place);
                    self.note_room(&name, arguments, symbol);
                    self.note_heap_of(&name, arguments, symbol);
                }
                if let Some(found) = found {
                    state.set(RAX, found);
                }
                Some(true)
            }
            Target::Guard => {
                VOLATILE.into_iter().for_each(|number| state.set(number, Value::Unknown));
                Some(true)
            }
            Target::Code(start) if self.can_enter(start) => self.inner(state, start, one),
            Target::Code(start) => {
                self.again(state, start, one);
                Some(true)
            }
            Target::Unknown => {
                self.unknown(state, None, one);
                Some(true)
            }
        }
    }

    /// The program's function that a call goes to.
    pub(super) fn start_of_call(&mut self, state: &mut State, one: &Instruction) -> Option<u64> {
        match self.target(state, one) {
            Target::Code(start) => Some(start),
            _ => None,
        }
    }

    pub(super) fn can_enter(&self, start: u64) -> bool {
        self.depth.len() < MAX_DEPTH && !self.depth.contains(&start)
    }

    /// Replays a function of the program.
    fn inner(&mut self, state: &mut State, start: u64, one: &Instruction) -> Option<bool> {
        if !self.comes_back(start) {
            self.note_reach(start, false);
            return Some(false);
        }
        let before = state.clone();
        self.push(state, Value::Constant(one.next_ip()));
        state.compared = None;
        let outer = self.enter(one.ip());
        let outcome = self.within_limit(start, state.clone());
        self.path = outer;
        let Some(outcome) = outcome? else {
            *state = before;
            self.outlined(state, start, one);
            return Some(true);
        };
        let unknown = outcome.is_lost.then(|| {
            let mut unknown = before.clone();
            self.unknown(&mut unknown, Some(start), one);
            unknown
        });
        let Some(mut returned) = outcome.returned.or_else(|| unknown.clone()) else {
            return Some(false);
        };
        unknown.iter().for_each(|unknown| returned.join(unknown));
        *state = returned;
        (state.compared, state.is_open) = (None, before.is_open);
        Some(true)
    }

    /// A function that is replayed already, or lies too deep, is called.
    ///
    /// - situation: a function calls itself, with what is not known any more.
    /// - example: `std::map` gives its nodes back from the root on: `erase(node->right)` is `erase` again.
    /// - handling: what it may call can have run, as for a function that is too dear.
    /// - test: `what_calls_itself_can_have_run` (tests/accuracy).
    fn again(&mut self, state: &mut State, start: u64, one: &Instruction) {
        match self.is_programs(start) {
            true => self.outlined(state, start, one),
            false => self.unknown(state, Some(start), one),
        }
    }

    /// A function of the program of which only its calls are known has come back.
    fn outlined(&mut self, state: &mut State, start: u64, one: &Instruction) {
        let is_quiet = self.note_reach(start, true);
        let was_alone = state.is_alone;
        self.unknown(state, Some(start), one);
        state.is_alone = was_alone && is_quiet;
    }

    /// The functions of a table that the runtime library calls one after another (`_initterm`, learn.microsoft.com/cpp/c-runtime-library).
    fn table(&mut self, state: &mut State, arguments: [Value; 4], one: &Instruction) -> Option<()> {
        let [Value::Constant(start), Value::Constant(end), ..] = arguments else {
            self.is_whole = false;
            return Some(());
        };
        let word = self.width.bytes();
        let entries = end.saturating_sub(start).checked_div(word)?;
        self.is_whole &= entries <= MAX_ENTRIES;
        for index in 0..entries.min(MAX_ENTRIES) {
            let slot = start.checked_add(index.checked_mul(word)?)?;
            let function = self.scene.dump.memory.pointer(slot, self.width).filter(|at| *at != 0);
            let Some(function) = function.filter(|at| self.is_programs(*at)) else { continue };
            if self.can_enter(function) {
                let outer = self.enter(slot);
                let alive = self.inner(state, function, one);
                self.path = outer;
                alive?.then_some(())?;
            }
        }
        Some(())
    }

    /// A jump through a pointer: a function's last call, or one of a table of jumps. `None` where it costs too much.
    ///
    /// - situation: `switch` compiles to a jump through a table, and a call at a function's end to a jump as well.
    /// - example: `mov eax,[rdx+rcx*4]`, `add rax,rdx`, `jmp rax`; `jmp [rax+8]` behind `pop rbx`.
    /// - handling: a call where the stack pointer is as at the entry, and the target is neither read by index nor added up.
    /// - test: `a_function_gives_back_what_it_must`.
    pub(super) fn last_call(
        &mut self,
        state: &mut State,
        one: &Instruction,
        before: Option<&Instruction>,
    ) -> Option<Last> {
        let is_indexed = one.op0_kind() == OpKind::Memory && one.memory_index() != Register::None;
        let is_sum = one.op0_kind() == OpKind::Register
            && before.is_some_and(|before| {
                before.mnemonic() == Mnemonic::Add && before.op0_register() == one.op0_register()
            });
        let has_left = before.is_some_and(leaves_frame);
        let is_call = (self.is_at_entry(state) || has_left) && !is_indexed && !is_sum;
        let (name, address) = match self.target(state, one) {
            Target::Named(name, address) => (name, address),
            Target::Code(start) if self.can_enter(start) && is_call => {
                let outer = self.enter(one.ip());
                let outcome = self.function_from(start, state.clone(), None);
                self.path = outer;
                let outcome = outcome?;
                let Some(returned) = outcome.returned.filter(|_| !outcome.is_lost) else {
                    return Some(if outcome.is_lost { Last::Unknown } else { Last::Ends });
                };
                *state = returned;
                return Some(Last::Returns);
            }
            Target::Code(_) | Target::Unknown if is_call => {
                self.unknown(state, None, one);
                self.give_back(state, 0);
                if self.width == PointerWidth::Four {
                    // How much it takes off the stack is not known.
                    let top = self.new_stack(Origin::Rounded(self.path, one.ip()));
                    state.set(RSP, top);
                }
                return Some(Last::Returns);
            }
            _ => return Some(Last::Unknown),
        };
        let arguments = self.arguments_of(state, &name, self.width.bytes(), one.ip());
        let place = self.note(state, &name, one.ip(), arguments);
        self.doubt(place, name.is_empty() && address.is_none() && self.is_part());
        self.effects(state, &name, arguments);
        self.clobber_locals(state, arguments);
        self.returns(state, None, one);
        let taken = self.taken(&name, address).unwrap_or(0);
        self.give_back(state, if self.width == PointerWidth::Four { taken } else { 0 });
        Some(if ends(&name) { Last::Ends } else { Last::Returns })
    }

    /// Whether the stack pointer is where it was when the function was entered, so that a jump is its last call.
    fn is_at_entry(&self, state: &State) -> bool {
        let entry = self.entries.last().and_then(|entry| entry.get(RSP));
        entry == Some(&state.register(RSP))
    }

    /// The first four arguments of a function that has a name.
    fn arguments_of(&mut self, state: &mut State, name: &str, above: u64, ip: u64) -> [Value; 4] {
        let mut found = self.arguments(state, above, ip);
        let behind = arity(name).and_then(|count| found.get_mut(count..));
        behind.into_iter().for_each(|behind| behind.fill(Value::Unknown));
        found
    }

    /// The first four arguments, `above` bytes above the stack pointer on x86.
    fn arguments(&mut self, state: &mut State, above: u64, ip: u64) -> [Value; 4] {
        match self.width {
            PointerWidth::Eight => [1, 2, 8, 9].map(|number| state.register(number)),
            PointerWidth::Four => [0u64, 4, 8, 12].map(|offset| {
                let offset = offset.saturating_add(above).cast_signed();
                let place = state.register(RSP).plus(offset, self.width).place();
                self.load_argument(state, place, ip)
            }),
        }
    }

    /// Functions may be handed out in the arguments behind the first four.
    fn further_arguments(&mut self, state: &State) {
        if let Some((base, top)) = state.register(RSP).place() {
            let first = top.saturating_add(if self.width == PointerWidth::Four { 16 } else { 32 });
            self.hand_out_held(state, (base, first), FURTHER);
        }
    }

    /// An argument on the stack; what an earlier call had there is none.
    pub(super) fn load_argument(
        &mut self,
        state: &mut State,
        place: Option<Spot>,
        ip: u64,
    ) -> Value {
        let Some(spot) = place else { return Value::Unknown };
        let is_held = state.memory.contains_key(&spot) && !state.passed.contains(&spot);
        if is_held { self.load(state, place, 4, ip) } else { Value::Unknown }
    }

    /// A function has had so many bytes of arguments, which it may write to: its caller stores those of the next call anew (Microsoft, "Argument
    /// passing and naming conventions").
    pub(super) fn mark_passed(state: &mut State, bytes: u64) {
        let Some((base, top)) = state.register(RSP).place() else { return };
        let words = (0..bytes.min(LOCAL)).step_by(4);
        let spots = words.map(|offset| (base, top.saturating_add_unsigned(offset)));
        Rc::make_mut(&mut state.passed).extend(spots);
    }

    /// A function of the system has come back.
    fn returns(&mut self, state: &mut State, taken: Option<u64>, one: &Instruction) {
        for number in VOLATILE {
            state.set(number, Value::Unknown);
        }
        let result = self.symbol(Origin::Result(self.path, one.ip()));
        state.set(0, result);
        state.compared = None;
        self.take_arguments(state, taken, one);
    }

    /// What is called may do anything to what is not in a frame.
    fn unknown(&mut self, state: &mut State, at: Option<u64>, one: &Instruction) {
        self.hand_out_tables();
        if one.op0_kind() == OpKind::Memory {
            // A variable that holds a function's address, or a table of them by index.
            self.hand_out(Value::Constant(one.memory_displacement64()));
        }
        let arguments = self.arguments(state, 0, one.ip());
        self.note(state, "", one.ip(), arguments);
        arguments.into_iter().for_each(|argument| self.hand_out(argument));
        if self.is_librarys(one.ip()) {
            self.effects(state, "", arguments);
        } else {
            state.clobber(None, 0, |symbol| self.is_stack(symbol));
            // It may start threads.
            state.is_alone = false;
        }
        let taken = at.and_then(|at| self.bytes_taken(at));
        self.clobber_locals(state, arguments);
        self.returns(state, taken, one);
    }

    /// Locals whose addresses were passed may have been read and written to.
    fn clobber_locals(&mut self, state: &mut State, arguments: [Value; 4]) {
        for argument in arguments {
            if let Value::Symbol(symbol, offset) = argument
                && self.is_stack(symbol)
            {
                self.hand_out_held(state, (Some(symbol), offset), SHOWN);
                state.clobber(Some((Some(symbol), offset)), LOCAL, |_| true);
            }
        }
    }

    /// x86: a function may take its arguments off the stack. Where its code is not known, the caller's shows it when that makes the room anew
    /// (GCC); else the stack pointer is not known: arguments are found from wherever it is.
    fn take_arguments(&mut self, state: &mut State, taken: Option<u64>, one: &Instruction) {
        if self.width == PointerWidth::Eight {
            return;
        }
        let makes_room = || {
            let next = decode(&self.scene.dump.memory, one.next_ip(), self.width)?;
            let is_sub = next.mnemonic() == Mnemonic::Sub
                && next.op0_register() == Register::ESP
                && next.op1_kind() != OpKind::Register;
            next.try_immediate(1).ok().filter(|bytes| is_sub && *bytes <= LOCAL)
        };
        Self::mark_passed(state, taken.unwrap_or(0));
        let shown = makes_room();
        let top = match taken.or(shown) {
            Some(bytes) => state.register(RSP).plus(bytes.cast_signed(), self.width),
            None => self.new_stack(Origin::Rounded(self.path, one.ip())),
        };
        state.set(RSP, top);
    }

    /// The bytes of arguments that a function with a name takes off the stack, by its code or by its name.
    fn taken(&mut self, name: &str, address: Option<u64>) -> Option<u64> {
        address.and_then(|at| self.bytes_taken(at)).or_else(|| bytes_taken_by(name))
    }

    /// The bytes of arguments that a function takes off the stack: those of its first return.
    fn bytes_taken(&mut self, start: u64) -> Option<u64> {
        if let Some(known) = self.popped.get(&start) {
            return *known;
        }
        let mut at = start;
        let mut found = None;
        for _ in 0..MAX_LENGTH {
            if !self.scene.flows.spend(1) {
                break;
            }
            let Some(one) = decode(&self.scene.dump.memory, at, self.width) else { break };
            match one.flow_control() {
                FlowControl::Return => {
                    found = Some(one.try_immediate(0).unwrap_or(0));
                    break;
                }
                FlowControl::UnconditionalBranch => at = one.near_branch_target(),
                FlowControl::IndirectBranch => {
                    let slot = Some(one.memory_displacement64())
                        .filter(|_| one.op0_kind() == OpKind::Memory);
                    match slot.and_then(|slot| self.scene.dump.memory.pointer(slot, self.width)) {
                        Some(target) => at = target,
                        None => break,
                    }
                }
                _ => at = one.next_ip(),
            }
        }
        self.popped.insert(start, found);
        found
    }

    /// What a call or a jump goes to.
    pub(super) fn target(&mut self, state: &mut State, one: &Instruction) -> Target {
        let width = self.width;
        let guard = match self.address(state, one) {
            Value::Constant(slot) if one.op0_kind() == OpKind::Memory => self.scene.guard_at(slot),
            _ => None,
        };
        if guard == Some(Guard::Check) {
            return Target::Guard;
        }
        let kind = match one.op0_kind() {
            OpKind::Memory if guard.is_none() => match self.address(state, one) {
                Value::Constant(slot) if self.fixed(slot, width.bytes()).is_some() => {
                    let content = self.scene.dump.memory.pointer(slot, width);
                    Some(CallKind::Slot { slot, content })
                }
                Value::Constant(slot) if self.is_lost_import(slot) => {
                    return Target::Named(String::new(), None);
                }
                _ => direct(self.called(state, one, guard)),
            },
            _ => direct(self.called(state, one, guard)),
        };
        let Some(kind) = kind else {
            return match self.called(state, one, guard) {
                Value::Symbol(symbol, 0) if self.lost_imports.contains(&symbol) => {
                    Target::Named(String::new(), None)
                }
                Value::Symbol(symbol, 0) => self.looked_up_target(symbol),
                _ => Target::Unknown,
            };
        };
        let length = u8::try_from(one.len()).unwrap_or(0);
        let site = CallSite { call_address: one.ip(), length, kind };
        let target = self.scene.target(&site);
        if let Some(target) = target.filter(|target| self.is_programs(*target)) {
            return Target::Code(target);
        }
        let callee = self.scene.callee(&site);
        match callee.as_ref().and_then(|callee| callee.name()) {
            Some(name) => Target::Named(name.to_owned(), target),
            None if target.is_some_and(|target| self.is_elsewhere(target, one.ip())) => {
                Target::Named(String::new(), target)
            }
            None => Target::Unknown,
        }
    }

    /// What a call or a jump calls; under Control Flow Guard that is in rax.
    fn called(&mut self, state: &mut State, one: &Instruction, guard: Option<Guard>) -> Value {
        match guard {
            Some(_) => state.register(RAX),
            None => self.operand(state, one, 0).0,
        }
    }
}

fn direct(called: Value) -> Option<CallKind> {
    match called {
        Value::Constant(target) => Some(CallKind::Direct(target)),
        _ => None,
    }
}

/// Whether an instruction is the last of those by which a function leaves its frame.
fn leaves_frame(one: &Instruction) -> bool {
    let is_of_top = one.op0_register().full_register() == Register::RSP;
    match one.mnemonic() {
        Mnemonic::Pop => one.op0_kind() == OpKind::Register,
        Mnemonic::Leave => true,
        Mnemonic::Add => is_of_top && one.op1_kind() != OpKind::Register,
        _ => false,
    }
}
