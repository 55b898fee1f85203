//! Threads that a function starts, and whose ends it waits for.

use super::run::{Run, started_by};
use super::start_state;
use super::value::{State, Value};
use super::written::Written;
use iced_x86::Instruction;
use std::rc::Rc;

/// INFINITE (WaitForSingleObject, Windows API reference).
const INFINITE: u64 = 0xffff_ffff;
/// As many threads that run are not counted any more.
const MANY: u8 = 4;
/// Keys of threads that were waited for, behind those of frames and callbacks.
const ENDED: u64 = 1 << 40;

/// Keys of threads whose functions are looked at when they are started.
const QUIET: u64 = 1 << 48;

/// A thread that was started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    start: u64,
    argument: Value,
    /// It is one of those that may write to anything.
    is_counted: bool,
}

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
        if let Some((function, passed)) = started_by(name) {
            let start = match argument(function) {
                Value::Constant(start) if self.is_code(start) => Some(start),
                _ => None,
            };
            let quiet = match start {
                Some(start) if state.is_alone => self.written_by(start, argument(passed))?,
                _ => None,
            };
            let is_counted = quiet.is_none();
            match quiet {
                Some(written) => Rc::make_mut(&mut state.raced).join(&written),
                None => state.running = state.running.saturating_add(1).min(MANY),
            }
            if let (Some(start), Value::Symbol(thread, 0)) = (start, state.register(0)) {
                let argument = argument(passed);
                self.started.insert(thread, Started { start, argument, is_counted });
            }
        }
        let is_wait = matches!(name, "WaitForSingleObject" | "WaitForSingleObjectEx");
        let is_forever =
            matches!(argument(1), Value::Constant(time) if time & INFINITE == INFINITE);
        if let (true, true, Value::Symbol(thread, 0)) = (is_wait, is_forever, argument(0))
            && !self.symbols.is_many(thread)
            && let Some(started) = self.started.get(&thread).copied()
        {
            self.ended(state, started, one)?;
        }
        Some(())
    }

    /// What the function of a thread writes to, when that is known: the outer `None` where it costs too much.
    ///
    /// - situation: most threads wait for something or work on their own; what they cannot write to is known on.
    /// - example: `hold(lock)`: `EnterCriticalSection(lock); count++; LeaveCriticalSection(lock);`.
    /// - handling: it is replayed with the argument that it is given, and nothing known of memory. It counts when it is followed to its end, starts
    ///   nothing, and stores through no pointer that it has read.
    /// - test: `a_thread_that_writes_elsewhere_is_no_race`.
    fn written_by(&mut self, start: u64, argument: Value) -> Option<Option<Rc<Written>>> {
        if let Some(known) = self.written_by.get(&(start, argument)) {
            return Some(known.clone());
        }
        let is_local = matches!(argument, Value::Symbol(symbol, _) if self.is_stack(symbol));
        if is_local || !self.can_enter(start) {
            return Some(None);
        }
        let (outer, root) = (self.path, self.root.take());
        let key = QUIET.checked_add(u64::try_from(self.written_by.len()).ok()?)?;
        self.path = 0;
        self.enter(key);
        let mut entry = start_state(self, key, &[]);
        (entry.is_alone, entry.running) = (true, 1);
        self.pass_argument(&mut entry, argument);
        let outcome = self.function_from(start, entry, None);
        (self.path, self.root) = (outer, root);
        let outcome = outcome?;
        let is_quiet =
            |state: &State| state.is_alone && state.running == 1 && !state.written.is_all();
        let returned = outcome.returned.filter(|state| !outcome.is_lost && is_quiet(state));
        let written = returned.map(|state| state.written);
        self.written_by.insert((start, argument), written.clone());
        Some(written)
    }

    /// Whether it is known what the program's functions write to that a function of the system is given: it may call them any time from then on.
    ///
    /// - situation: a sort, an enumeration or a timer calls a function of the program.
    /// - example: `qsort(entries, count, sizeof entries[0], by_name)`, and `by_name` only compares.
    /// - handling: as for a thread, with arguments of which nothing is known.
    /// - test: `a_function_that_is_called_back_may_only_read`.
    pub(super) fn calls_back_quietly(&mut self, state: &mut State, arguments: [Value; 4]) -> bool {
        arguments.into_iter().all(|argument| {
            let Value::Constant(at) = argument else { return true };
            if !self.is_function(at) || self.is_librarys(at) {
                return true;
            }
            let written = self.written_by(at, Value::Unknown).flatten();
            written.is_some_and(|written| {
                Rc::make_mut(&mut state.raced).join(&written);
                true
            })
        })
    }

    fn ended(
        &mut self,
        state: &mut State,
        Started { start, argument, is_counted }: Started,
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
        entry.raced = Rc::clone(&state.raced);
        if is_counted && entry.running < MANY {
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
                state.raced = returned.raced;
            }
            None => {
                state.clobber(None, 0, |symbol| self.is_stack(symbol));
                state.is_alone = false;
            }
        }
        Some(())
    }
}
