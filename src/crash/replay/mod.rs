//! What a thread has done, by its functions' code: they are replayed with symbols for what is not known, and what the registers and the
//! stack of the dump hold gives the symbols their values.

#[cfg(test)]
mod alone_tests;
mod alu;
mod balance;
#[cfg(test)]
mod balance_tests;
mod block;
mod call;
mod cases;
mod compare;
mod effects;
mod entries;
mod failed;
mod function;
mod handed_out;
pub(super) mod known;
mod links;
mod look_up;
mod reach;
mod run;
mod start;
mod step;
#[cfg(test)]
mod tests;
mod texts;
mod threads;
mod value;
mod values;
mod vector;
mod walk;
mod written;

pub use failed::Failed;
pub use known::gives_out;

use super::frame::Frame;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::IpKind;
use crate::image::pe::Image;
use crate::image::registers::Register;
use crate::image::runtime_functions;
use block::Reached;
use function::decode;
use iced_x86::FlowControl;
use run::{Called, Run};
use std::collections::BTreeSet;
use std::rc::Rc;
use step::{RCX, RSP};
use value::{Origin, State, Value};
use values::Values;

/// A call of a function that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Its place among all calls, in the order that they were come to.
    pub order: usize,
    /// The function's name; empty where what is called is not known.
    pub name: String,
    /// The address of the call, or of the jump.
    pub at: u64,
    /// The first four arguments, as far as they are known.
    pub arguments: [Given; 4],
    /// Another thread made it, which has ended.
    pub is_of_ended: bool,
    /// The failed call's thread made it before the block was given out that it found the section in: what lay there was another object.
    pub is_of_earlier: bool,
    /// The thread has made it, unless some memory that it asked for was not given out.
    pub is_likely: bool,
    /// It leaves a section that was not entered before, on some way to it; or it can do so, because the dump lacks what is called, or looks up a
    /// function that can be the one that leaves.
    pub is_unmatched: bool,
}

/// What is known of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Its value.
    Value(u64),
    /// What memory holds now where it was read from, or put.
    Perhaps(u64),
    /// It is so many bytes behind what a function of this kind of name gave back, `HeapAlloc` or `malloc`; with the size in bytes that it was
    /// asked for, where that is known.
    Behind(i64, Option<u64>),
    /// Nothing.
    Unknown,
}

/// The frames of a thread.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Id of the thread.
    pub thread: u32,
    /// Its frames, innermost first.
    pub frames: Vec<Frame>,
    /// Whether these are all frames of the program's functions.
    pub is_whole: bool,
}

/// The calls that a thread has made.
#[derive(Debug, Default)]
pub struct ThreadPast {
    /// Id of the thread.
    pub thread: u32,
    /// Those that it has surely made, oldest first.
    pub surely: Vec<Past>,
    /// Those that it can have made, as well.
    pub perhaps: Vec<Past>,
}

/// What the threads of a process have done, as far as their code tells.
#[derive(Debug, Default)]
pub struct Replay {
    /// What each thread has done before it came to where it is.
    pub threads: Vec<ThreadPast>,
    /// All calls that the threads, and what they have handed out as callbacks, can have made so far; `None` where that is not known.
    pub possible: Option<Vec<Past>>,
    /// Whether it is known which call gave out the block that the failed call found the section in: what others gave out is not that.
    pub knows_block: bool,
    /// Whether that block began as zeros.
    pub is_block_zeroed: bool,
    /// Whether the failed call's thread had entered what it was called with, and not left it since.
    pub is_held: bool,
}

/// Most instructions of an entry point before it jumps to the rest of the start-up code.
const MAX_BEFORE_JUMP: usize = 16;

/// Most functions that are replayed because their addresses were handed out.
const MAX_CALLBACKS: usize = 64;

/// Replays what the threads of a process have done before they came to where they are.
///
/// - situation: what was done to a section was done by functions that have returned, with pointers that no register holds any more.
/// - example: main: `object = create()`, which allocates, initialises the lock at +18h and returns; `use(object)`.
/// - handling: the program's functions on each stack, outermost first, each up to its call of the next, and those that they call and that
///   have come back, on all ways (x86 and x64). A call surely ran when every way makes it. Loops are gone through until nothing more changes;
///   what was made in one may be several things, of which nothing is said. Branches are decided where both sides are constants. Functions
///   whose addresses are stored or passed can have run too. What stores through unknown pointers do to frames, and what system functions do to
///   the program's memory, is not seen.
/// - test: `what_functions_did_that_have_returned` (tests/accuracy).
#[must_use]
pub fn replay(scene: Scene<'_, '_>, stacks: &[Stack], failed: Option<Failed>) -> Replay {
    if scene.is_arm64() {
        return Replay::default();
    }
    let mut run = Run::new(scene);
    let mut values = Values::default();
    let mut surely = Vec::new();
    let mut begun = Vec::new();
    let mut is_whole = true;
    for (root, stack) in stacks.iter().enumerate() {
        let failed = failed.filter(|failed| failed.thread == stack.thread);
        run.root = Some(root);
        let calls = thread_calls(&mut run, &mut values, root, &stack.frames, failed);
        begun.extend(links::begun(&mut run, root, &stack.frames));
        is_whole &= calls.is_some() && stack.is_whole;
        surely.push((stack.thread, calls.unwrap_or_default()));
    }
    run.root = None;
    entries::hand_out(&mut run);
    is_whole &= callbacks(&mut run).is_some();
    links::learn(&mut run, &mut values, &begun, is_whole);
    let likely: BTreeSet<usize> = surely.iter().flat_map(|(_, calls)| calls).copied().collect();
    let past = |(order, call): (usize, &Called)| Past {
        order,
        is_likely: likely.contains(&order),
        name: call.name.clone(),
        at: call.at,
        arguments: call.arguments.map(|value| values.given(&run, value)),
        is_of_ended: call.is_of_ended,
        is_unmatched: call.is_unmatched,
        is_of_earlier: run
            .block_of_failed
            .is_some_and(|(root, given_out)| call.root == Some(root) && order < given_out),
    };
    let is_sure = |call: &Called| {
        call.assumed.iter().all(|symbol| {
            let given = values.of(&run, Value::Symbol(*symbol, 0));
            given.map_or(run.roomy.contains(symbol), |at| at != 0)
        })
    };
    let of_thread = |(root, (thread, calls)): (usize, &(u32, Vec<usize>))| {
        let is_known = |at: &usize| run.calls.get(*at).is_some_and(is_sure);
        let known: Vec<usize> = calls.iter().copied().filter(is_known).collect();
        let is_other = |at: &usize| {
            let is_of_root = |call: &Called| call.root == Some(root) && !call.is_ahead;
            !known.contains(at) && run.calls.get(*at).is_some_and(is_of_root)
        };
        let others: Vec<usize> = (0..run.calls.len()).filter(is_other).collect();
        let all = |places: &[usize]| {
            places.iter().filter_map(|at| Some(past((*at, run.calls.get(*at)?)))).collect()
        };
        ThreadPast { thread: *thread, surely: all(&known), perhaps: all(&others) }
    };
    let so_far = || run.calls.iter().enumerate().filter(|(_, call)| !call.is_ahead);
    Replay {
        threads: surely.iter().enumerate().map(of_thread).collect(),
        possible: (is_whole && run.is_whole).then(|| so_far().map(past).collect()),
        knows_block: run.block_of_failed.is_some(),
        is_block_zeroed: run.is_block_zeroed,
        is_held: run.is_held,
    }
}

/// The calls that a thread has surely made, oldest first; `None` where what is found does not fit the dump, or nothing is.
fn thread_calls(
    run: &mut Run<'_, '_>,
    values: &mut Values,
    root: usize,
    frames: &[Frame],
    failed: Option<Failed>,
) -> Option<Vec<usize>> {
    let mut link: Option<(usize, State)> = None;
    let mut calls = Vec::new();
    let mut is_whole = true;
    for (index, frame) in frames.iter().enumerate().rev() {
        if !is_replayed(run.scene, frame) {
            let module = run.scene.dump.module_at(frame.lookup_address());
            let is_programs = module.is_some_and(|module| module.is_of_program());
            is_whole &= !is_programs || !frame.trust.is_exact();
            if is_programs {
                run.note_unknown_frame(key_of(root, index), frame);
            }
            link = None;
            continue;
        }
        let joined = link.take().filter(|(outer, _)| Some(*outer) == index.checked_add(1));
        let reached = joined
            .and_then(|(outer, state)| {
                let outer = frames.get(outer)?.registers.ip();
                let reached = linked(run, state, outer, frame.registers.ip())?;
                at_place(run, reached, frame)
            })
            .or_else(|| {
                let reached = fresh(run, frame, key_of(root, index), &calls)?;
                at_place(run, reached, frame)
            });
        let Some(Reached { state, noted }) = reached else {
            is_whole = false;
            run.note_unknown_frame(key_of(root, index), frame);
            continue;
        };
        run.put_ahead(noted);
        calls.clone_from(state.calls.as_ref());
        run.places.insert(frame.registers.ip());
        values.learn_registers(run, &state, frame);
        if let Some(failed) = failed.filter(|failed| failed.frame == index)
            && let Some(state) = failed::reached(run, &state, frame, failed)
        {
            let argument = run.first_argument(&state);
            values.is_possible(run, argument, failed.section).then_some(())?;
            run.failed_argument = Some(argument);
            run.is_held = state.held.contains_key(&argument);
            run.note_block_of_failed(root, argument);
            calls.clone_from(state.calls.as_ref());
        }
        values.learn_memory(run, &state);
        link = Some((index, state));
    }
    run.is_whole &= is_whole;
    Some(calls)
}

/// The key of what a frame begins with that follows no other.
fn key_of(root: usize, index: usize) -> u64 {
    u64::try_from(root.saturating_mul(MAX_ROOT).saturating_add(index)).unwrap_or(u64::MAX)
}

/// Replays the functions whose addresses were handed out, and those that they hand out.
fn callbacks(run: &mut Run<'_, '_>) -> Option<()> {
    let mut done = BTreeSet::new();
    while let Some(next) = run.handed_out.difference(&done).next().copied() {
        (done.len() < MAX_CALLBACKS).then_some(())?;
        done.insert(next);
        let (function, argument) = next;
        let key = CALLBACKS.checked_add(u64::try_from(done.len()).ok()?)?;
        let mut state = start_state(run, key, &[]);
        run.pass_argument(&mut state, argument);
        run.path = 0;
        run.enter(key);
        run.function_from(function, state, None)?;
    }
    Some(())
}

/// Keys of callbacks, behind those of frames.
const CALLBACKS: u64 = 1 << 32;

/// The way of the calls that have not come back.
const LIVE: u64 = u64::MAX / 2;

/// More than the frames of a stack.
const MAX_ROOT: usize = 1 << 16;

/// What holds at a frame's place: of the times that it may have been come to, those count whose constants are in the frame's registers.
fn at_place(run: &Run<'_, '_>, reached: Vec<Reached>, frame: &Frame) -> Option<Reached> {
    let fits = |reached: &Reached| {
        Register::ALL.into_iter().enumerate().all(|(number, register)| {
            let actual = || frame.registers.get(register);
            match reached.state.register(number) {
                Value::Constant(value) if register.is_nonvolatile(run.width) => {
                    actual().is_none_or(|actual| actual == value)
                }
                _ => true,
            }
        })
    };
    let mut places = reached.into_iter().filter(fits);
    let mut place = places.next()?;
    for other in places {
        place.state.join(&other.state);
        place.noted = place.noted.max(other.noted);
    }
    Some(place)
}

fn is_replayed(scene: Scene<'_, '_>, frame: &Frame) -> bool {
    let module = scene.dump.module_at(frame.lookup_address());
    frame.trust.is_exact()
        && frame.ip_kind == IpKind::ReturnAddress
        && module.is_some_and(|module| module.is_of_program())
}

/// Goes on from the outer frame's call.
fn linked(run: &mut Run<'_, '_>, mut state: State, outer: u64, place: u64) -> Option<Vec<Reached>> {
    let site = run.scene.call_site(outer)?;
    let call = decode(&run.scene.dump.memory, site.call_address, run.width)?;
    let start = run.scene.target(&site).or_else(|| run.start_of_call(&mut state, &call))?;
    run.push(&mut state, Value::Constant(outer));
    // The same call in an earlier round has come back.
    run.enter(LIVE);
    run.enter(site.call_address);
    state.compared = None;
    Some(run.function_from(start, state, Some(place))?.reached)
}

/// Begins with a function of which nothing is known but where it starts.
fn fresh(run: &mut Run<'_, '_>, frame: &Frame, key: u64, calls: &[usize]) -> Option<Vec<Reached>> {
    let start = start_of(run, frame)?;
    let beginning = run.beginning(frame, start);
    let start = beginning.unwrap_or(start);
    let mut state = start_state(run, key, calls);
    state.is_alone = beginning.is_some();
    let argument = run.symbol(Origin::Entry(key, RCX));
    run.pass_argument(&mut state, argument);
    run.path = 0;
    run.enter(key);
    Some(run.function_from(start, state, Some(frame.registers.ip()))?.reached)
}

/// The state at the start of a function of which nothing is known.
fn start_state(run: &mut Run<'_, '_>, key: u64, calls: &[usize]) -> State {
    let mut registers = [Value::Unknown; 16];
    for (number, register) in registers.iter_mut().enumerate() {
        *register = run.symbol(Origin::Entry(key, number));
    }
    let mut state = State { registers, calls: Rc::new(calls.to_vec()), ..State::default() };
    let top = run.new_stack(Origin::Entry(key, RSP));
    state.set(RSP, top);
    state
}

/// Where a frame's function starts: by the table of unwind data, by the call that led to it, or by what the code around it calls.
fn start_of(run: &mut Run<'_, '_>, frame: &Frame) -> Option<u64> {
    let scene = run.scene;
    if scene.dump.system.pointer_width == PointerWidth::Eight {
        let image = scene.images.image_at(frame.lookup_address())?;
        let rva = image.rva(frame.lookup_address())?;
        if let Ok(start) = runtime_functions::function_start(&scene.dump.memory, image, rva) {
            return image.address(start?);
        }
    }
    (!scene.is_arm64()).then_some(())?;
    frame.start.or_else(|| start::of_code(run, frame))
}

impl Run<'_, '_> {
    /// Notes that a frame's function has called what is not known, up to its call of the next.
    ///
    /// - situation: a function on the stack whose start, or code, is not known; what it has called may have left the section.
    /// - example: main has entered it, and a small dump lacks the code of the function between main and the one that failed.
    /// - handling: a call without a name, in the order of the stack, outermost first.
    /// - test: `small_dumps_are_walked_by_code` (tests/accuracy).
    fn note_unknown_frame(&mut self, key: u64, frame: &Frame) {
        self.path = 0;
        self.enter(key);
        self.note_lost(frame.registers.ip());
    }

    /// Where the program began, if that is a frame's function, or jumps to it; what begins as zeros is noted then.
    ///
    /// - situation: the entry point sets something up, and the rest of the start-up code is its last call.
    /// - example: `mov [mingw_app_type],0`, `jmp __tmainCRTStartup` (GCC); `call __security_init_cookie`, `jmp __scrt_common_main_seh` (MSVC).
    /// - handling: the code from the entry point up to its first jump, without branches, where that leads to the function.
    /// - test: `an_entry_point_may_jump_to_the_rest`.
    fn beginning(&mut self, frame: &Frame, start: u64) -> Option<u64> {
        let scene = self.scene;
        let module = scene.dump.module_at(frame.lookup_address())?;
        module.file_name().to_ascii_lowercase().ends_with(".exe").then_some(())?;
        let image = scene.images.image_at(frame.lookup_address())?;
        let entry = image.address(image.entry_point)?;
        (entry == start || self.jumps_to(entry, start)).then_some(())?;
        self.begin(image);
        Some(entry)
    }

    /// Whether code leads to a function by a jump, on its only way.
    fn jumps_to(&self, from: u64, start: u64) -> bool {
        let mut at = from;
        for _ in 0..MAX_BEFORE_JUMP {
            let Some(one) = decode(&self.scene.dump.memory, at, self.width) else { return false };
            match one.flow_control() {
                FlowControl::UnconditionalBranch => return one.near_branch_target() == start,
                FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => {}
                _ => return false,
            }
            at = one.next_ip();
        }
        false
    }

    /// Whether a thread that was replayed began at a program's entry point.
    fn has_begun(&mut self, image: &Image) -> bool {
        let entry = image.address(image.entry_point);
        let Some(function) = entry.and_then(|entry| self.function(entry)) else { return false };
        let mut behind = function.addresses_behind();
        behind.any(|place| self.places.contains(&place))
    }

    /// Puts the first argument of a function where that begins.
    fn pass_argument(&self, state: &mut State, argument: Value) {
        match (self.width, state.register(RSP).place()) {
            (_, _) if argument == Value::Unknown => {}
            (PointerWidth::Eight, _) => state.set(RCX, argument),
            (PointerWidth::Four, Some((base, top))) => {
                let spot = Some((base, top.saturating_add(4)));
                state.store(spot, 4, argument, |symbol| self.is_stack(symbol));
            }
            _ => {}
        }
    }
}
