//! Which sections are entered, and whether what is left was.

use super::run::Run;
use super::value::{Spot, State, Value};
use crate::crash::operation::{self, Operation};
use crate::dump::kind::MemoryKind;
use std::rc::Rc;

/// An Enter more often than this at one time is not counted.
const MOST: u32 = 8;
/// Bytes of a static object in which a section is taken for its member.
const LARGEST: i64 = 0x1000;

/// Functions that look up others by their names, which are their second arguments.
const LOOK_UPS: [&str; 3] =
    ["GetProcAddress", "LdrGetProcedureAddress", "LdrGetProcedureAddressForCaller"];

fn leaves(name: &str) -> bool {
    Operation::of_function(name) == Some(Operation::Leave)
}

/// Whether a function of this name makes a section.
fn makes(name: &str) -> bool {
    operation::initialises(name) || name.starts_with("InitializeCriticalSection")
}

impl Run<'_, '_> {
    /// Counts the calls of Enter against those of Leave.
    ///
    /// - situation: of two threads that leave a section at once, one has not entered it; whose Leave that was, the code of both shows.
    /// - example: `if (!TryEnterCriticalSection(&lock)) log("busy"); …; LeaveCriticalSection(&lock);`.
    /// - handling: by the arguments' values while they are replayed; where ways join, what was entered on each of them counts, as often as on
    ///   all. What TryEnter has done is not known, nor which of an array's sections is meant. A section that is made or deleted is not entered.
    /// - test: `who_leaves_has_entered`, `on_every_way`.
    pub(super) fn balance(
        &mut self,
        state: &mut State,
        name: &str,
        arguments: [Value; 4],
        place: usize,
    ) {
        let [section, sought, ..] = arguments;
        if LOOK_UPS.contains(&name) {
            let found = match sought {
                Value::Constant(text) => self.text(text),
                _ => None,
            };
            let is_other = found.is_some_and(|found| !leaves(&found));
            return self.doubt(place, !is_other);
        }
        match Operation::of_function(name) {
            Some(Operation::Enter) if section.place().is_some() => {
                let times = Rc::make_mut(&mut state.held).entry(section).or_default();
                *times = times.saturating_add(1).min(MOST);
            }
            Some(Operation::Leave) => {
                let held = Rc::make_mut(&mut state.held);
                let is_held = held.contains_key(&section);
                held.entry(section).and_modify(|times| *times = times.saturating_sub(1));
                held.retain(|_, times| *times > 0);
                self.doubt(place, !is_held);
            }
            operation if operation == Some(Operation::Delete) || makes(name) => {
                Rc::make_mut(&mut state.held).remove(&section);
            }
            _ => {}
        }
    }

    /// Notes that a call may leave what was not entered.
    pub(super) fn doubt(&mut self, place: usize, is_unmatched: bool) {
        if let Some(call) = self.calls.get_mut(place) {
            call.is_unmatched |= is_unmatched;
        }
    }

    /// Whether the dump was made without a part of the process's memory. What a full one lacks could not be read, nor have been called.
    pub(super) fn is_part(&self) -> bool {
        self.scene.dump.memory_kind != MemoryKind::Full
    }

    /// Notes a call of what is not known because the dump lacks it: it may leave anything. What is called through a pointer is one of the
    /// program's functions, which are replayed for themselves, or one that was looked up by its name.
    pub(super) fn note_lost(&mut self, at: u64) -> usize {
        let place = self.note(&mut State::default(), "", at, [Value::Unknown; 4]);
        self.doubt(place, true);
        place
    }

    /// A pointer was read once more that others may have changed since: what was entered by it may be another section.
    pub(super) fn forget_held(&self, state: &mut State, spot: Spot, pointer: Value) {
        if state.held.is_empty() || !self.is_others(spot) || self.is_kept(state, spot) {
            return;
        }
        let Some((base, start)) = pointer.place() else { return };
        let end = start.saturating_add(LARGEST);
        let is_by_it = |section: &Value| {
            section.place().is_some_and(|(other, at)| {
                other == base && (base.is_some() || (start..end).contains(&at))
            })
        };
        Rc::make_mut(&mut state.held).retain(|section, _| !is_by_it(section));
    }

    /// A way cannot be followed, and may lead to any of the calls that were noted since `noted`.
    pub(super) fn doubt_leaves(&mut self, noted: usize) {
        for call in self.calls.iter_mut().skip(noted) {
            call.is_unmatched |= leaves(&call.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::Run;
    use super::super::value::{State, Value};
    use crate::crash::stack::Scene;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;

    /// Whether the last of some calls, each with what it is called with, leaves what was not entered on the way `state`.
    fn is_unmatched(run: &mut Run<'_, '_>, state: &mut State, calls: &[(&str, Value)]) -> bool {
        let note = |(name, section): &(&str, Value)| {
            let at = 0x40_1000 + run.calls.len() as u64;
            let arguments = [*section, Value::Unknown, Value::Unknown, Value::Unknown];
            let place = run.note(state, name, at, arguments);
            run.calls[place].is_unmatched
        };
        calls.iter().map(note).last().unwrap()
    }

    #[test]
    fn who_leaves_has_entered() {
        let file = Synth::new(Cpu::Amd64).memory(0x40_1000, [0xC3]).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut run = Run::new(scene);
        let (one, other) = (Value::Constant(0x40_5000), Value::Constant(0x40_5028));
        let (enter, leave) = ("RtlEnterCriticalSection", "LeaveCriticalSection");
        let mut is_bad =
            |calls: &[(&str, Value)]| is_unmatched(&mut run, &mut State::default(), calls);
        assert!(!is_bad(&[(enter, one), (leave, one)]));
        assert!(!is_bad(&[(enter, one), (enter, one), (leave, one), (leave, one)]), "twice");
        assert!(is_bad(&[(leave, one)]));
        assert!(is_bad(&[(enter, one), (leave, one), (leave, one)]), "once too often");
        assert!(is_bad(&[(enter, one), (leave, other)]), "another one");
        assert!(is_bad(&[("TryEnterCriticalSection", one), (leave, one)]), "it may be busy");
        assert!(is_bad(&[(enter, Value::Unknown), (leave, Value::Unknown)]), "nobody knows");
        let within = Value::Within(None);
        assert!(is_bad(&[(enter, within), (leave, within)]), "any of an array");
        for name in [
            "RtlInitializeCriticalSection",
            "InitializeCriticalSection",
            "InitializeCriticalSectionEx",
            "DeleteCriticalSection",
        ] {
            assert!(is_bad(&[(enter, one), (name, one), (leave, one)]), "a new one: {name}");
        }
    }

    #[test]
    fn on_every_way() {
        let file = Synth::new(Cpu::Amd64).memory(0x40_1000, [0xC3]).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut run = Run::new(scene);
        let one = Value::Constant(0x40_5000);
        let (enter, leave) = (("EnterCriticalSection", one), ("LeaveCriticalSection", one));
        let (mut inside, mut outside) = (State::default(), State::default());
        is_unmatched(&mut run, &mut inside, &[enter]);
        is_unmatched(&mut run, &mut outside, &[enter, leave]);
        let mut both = inside.clone();
        both.join(&inside);
        assert!(!is_unmatched(&mut run, &mut both.clone(), &[leave]));
        // `if (failed) LeaveCriticalSection(&lock);`, and left once more behind it.
        both.join(&outside);
        assert!(is_unmatched(&mut run, &mut both, &[leave]));
    }
}
