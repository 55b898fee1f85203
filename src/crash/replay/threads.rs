//! Threads that a function starts, and whose ends it waits for.

use super::run::{Run, started_by};
use super::start_state;
use super::value::{State, Value};
use iced_x86::Instruction;
use std::rc::Rc;

/// INFINITE (WaitForSingleObject, Windows API reference).
const INFINITE: u64 = 0xffff_ffff;
/// As many threads that run are not counted any more.
const MANY: u8 = 4;
/// Keys of threads that were waited for, behind those of frames and callbacks.
const ENDED: u64 = 1 << 40;

impl Run<'_, '_> {
    /// Notes a thread that was started; one whose end was waited for has done by then what its function does. `None` where it costs too much.
    ///
    /// - situation: another thread has freed the object, and has ended.
    /// - example: `t = CreateThread(…, close_album, track, …); WaitForSingleObject(t, INFINITE); track->play();`.
    /// - handling: the thread's function is replayed where the wait is, with the argument that it was given. What the two did at the same time is put
    ///   in that order. A function that ends its thread by a call is left to what can have run.
    /// - test: `what_a_thread_did_that_was_waited_for` (tests/accuracy).
    pub(super) fn threads(
        &mut self,
        state: &mut State,
        name: &str,
        arguments: [Value; 4],
        one: &Instruction,
    ) -> Option<()> {
        let argument = |at: usize| arguments.get(at).copied().unwrap_or(Value::Unknown);
        if let (Some((function, passed)), Value::Symbol(thread, 0)) =
            (started_by(name), state.register(0))
            && let Value::Constant(start) = argument(function)
            && self.is_code(start)
        {
            self.started.insert(thread, (start, argument(passed)));
        }
        if started_by(name).is_some() {
            state.running = state.running.saturating_add(1).min(MANY);
        }
        let is_wait = matches!(name, "WaitForSingleObject" | "WaitForSingleObjectEx");
        let is_forever =
            matches!(argument(1), Value::Constant(time) if time & INFINITE == INFINITE);
        if let (true, true, Value::Symbol(thread, 0)) = (is_wait, is_forever, argument(0))
            && !self.symbols.is_many(thread)
            && let Some((start, passed)) = self.started.get(&thread).copied()
        {
            self.ended(state, start, passed, one)?;
        }
        Some(())
    }

    fn ended(
        &mut self,
        state: &mut State,
        start: u64,
        argument: Value,
        one: &Instruction,
    ) -> Option<()> {
        if !self.can_enter(start) {
            return Some(());
        }
        let outer = self.enter(one.ip());
        let key = ENDED.checked_add(u64::try_from(self.path).ok()?)?;
        let mut entry = start_state(self, key, &state.calls);
        entry.memory = Rc::clone(&state.memory);
        entry.assumed = Rc::clone(&state.assumed);
        entry.written = Rc::clone(&state.written);
        entry.is_alone = state.is_alone;
        entry.running = state.running;
        if entry.running < MANY {
            entry.running = entry.running.saturating_sub(1);
        }
        self.pass_argument(&mut entry, argument);
        let was_of_ended = std::mem::replace(&mut self.is_of_ended, true);
        let outcome = self.function_from(start, entry, None);
        (self.is_of_ended, self.path) = (was_of_ended, outer);
        let outcome = outcome?;
        match outcome.returned.filter(|_| !outcome.is_lost) {
            Some(returned) => {
                state.memory = returned.memory;
                state.calls = returned.calls;
                state.assumed = returned.assumed;
                state.written = returned.written;
                state.is_alone &= returned.is_alone;
                state.running = returned.running;
            }
            None => {
                state.clobber(None, 0, |symbol| self.is_stack(symbol));
                state.is_alone = false;
            }
        }
        Some(())
    }
}
