//! The stacks of all threads, and whether they show all that is on them.

use super::Case;
use crate::crash::frame::{Frame, Trust};
use crate::crash::operation::Operation;
use crate::crash::replay::{self, Failed, Replay, Stack};
use crate::crash::{left_by_jump, stack, waiting};
use crate::dump::memory::Region;
use crate::dump::modules::Module;
use crate::image::registers::RegisterFile;

/// Most threads whose stacks are walked.
const MAX_THREADS: usize = 64;
/// Most frames of one stack looked at.
const MAX_FRAMES: usize = 32;
/// Functions that end the process.
const EXITS: &[&str] =
    &["exit", "_exit", "_cexit", "ExitProcess", "RtlExitUserProcess", "LdrShutdownProcess"];
/// Most bytes of a stack searched for calls of the program's code.
const MAX_STACK: usize = 1 << 20;

/// The frames of each thread, innermost first; the faulting one's first. Of the faulting thread those that only a scan found, or that lie behind
/// such a one, are marked as a scan's.
pub(super) fn of_threads(case: Case<'_, '_>) -> Vec<(u32, Vec<Frame>)> {
    let id = case.crash.thread_id;
    let mut frames: Vec<Frame> = case.crash.frames.iter().take(MAX_FRAMES).cloned().collect();
    let exact = frames.iter().take_while(|frame| frame.trust.is_exact()).count();
    frames.iter_mut().skip(exact).for_each(|frame| frame.trust = Trust::Scan);
    let mut found = vec![(id, frames)];
    let threads = case.scene.dump.threads.iter();
    found.extend(threads.filter(|other| other.id != id).take(MAX_THREADS).map(|thread| {
        let registers = thread.context.as_ref().and_then(RegisterFile::from_context);
        let frames = registers.map(|start| stack::exact_frames(case.scene, start, MAX_FRAMES));
        let frames = frames.unwrap_or_default();
        let waiting = match frames.as_slice() {
            [innermost] => waiting::frames(case.scene, innermost, MAX_FRAMES),
            _ => Vec::new(),
        };
        (thread.id, if waiting.is_empty() { frames } else { waiting })
    }));
    found
}

/// What the threads have done, by their code.
pub(super) fn replay(case: Case<'_, '_>, stacks: &[(u32, Vec<Frame>)]) -> Replay {
    let is_few = case.scene.dump.threads.len() <= MAX_THREADS;
    let stack = |(thread, frames): &(u32, Vec<Frame>)| {
        let is_faulting = *thread == case.crash.thread_id;
        let is_whole = is_few
            && shows_all(case, *thread, frames)
            && (!is_faulting || frames.iter().any(|frame| is_programs(case, frame)))
            && !frames.iter().any(ends_process);
        Stack { thread: *thread, frames: frames.clone(), is_whole }
    };
    let stacks: Vec<Stack> = stacks.iter().map(stack).collect();
    replay::replay(case.scene, &stacks, failed_call(case))
}

/// Whether a frame's function ends the process: what runs then is on lists that the runtime library keeps.
fn ends_process(frame: &Frame) -> bool {
    let function = frame.function.as_ref();
    function.is_some_and(|function| EXITS.contains(&function.name.as_str()))
}

/// The frame that made the failed call, where that goes to the lock function itself, or to a function that jumps there, and the section.
fn failed_call(case: Case<'_, '_>) -> Option<Failed> {
    let (caller, operation) = (case.lock.caller?, case.lock.operation?);
    let frame = case.crash.frames.get(caller)?;
    let site = case.scene.call_site(frame.registers.ip())?;
    let callee = case.scene.callee(&site);
    let name = callee.as_ref().and_then(|callee| callee.name());
    let jump = if name.and_then(Operation::of_function) == Some(operation) {
        None
    } else {
        Some(left_by_jump::to_lock(case.scene, frame, operation)?)
    };
    let (thread, section) = (case.crash.thread_id, case.section?.address);
    Some(Failed { thread, frame: caller, jump, section })
}

/// Whether the frames are all of the program's functions on a thread's stack.
///
/// - situation: a walk ends where a frame is not exact, and what lies behind is not known.
/// - example: an x86 function without a frame pointer; main and all that it has done lies behind it.
/// - handling: no word of the stack above the outermost exact frame of the program's functions may be another return address into the
///   program's code. What is found once more is an old word. A fiber's other stacks are not looked for.
/// - test: `what_no_code_can_have_done` (tests/accuracy).
fn shows_all(case: Case<'_, '_>, thread: u32, frames: &[Frame]) -> bool {
    let (scene, width) = (case.scene, case.scene.dump.system.pointer_width);
    let Some(thread) = scene.dump.threads.iter().find(|one| one.id == thread) else { return false };
    let (start, size) = thread.stack;
    let exact = exact_places(frames);
    let own = frames.iter().filter(|frame| frame.trust.is_exact() && is_programs(case, frame));
    let top = frames.first().and_then(|frame| frame.registers.sp());
    // What lies before a frame that was searched for may be another's.
    let is_searched = frames.iter().any(|frame| frame.trust == Trust::Waiting);
    let outermost = own.filter_map(|frame| frame.registers.sp()).max().filter(|_| !is_searched);
    let first = outermost.or(top).unwrap_or(start);
    let end = start.checked_add(size).filter(|end| (start..=*end).contains(&first));
    // The dump gives a WoW64 thread's 64-bit stack.
    let of_region = || scene.dump.memory.region_at(first).map(Region::end);
    let rest = end.or_else(of_region).and_then(|end| end.checked_sub(first));
    let Some(bytes) = rest.and_then(|rest| usize::try_from(rest).ok()).filter(|_| size > 0) else {
        return false;
    };
    let words = scene.dump.memory.read_up_to(first, bytes.min(MAX_STACK));
    let word = usize::try_from(width.bytes()).unwrap_or(8);
    let is_another = |word: &[u8]| {
        let mut whole = [0; 8];
        let Some(part) = whole.get_mut(..word.len()) else { return true };
        part.copy_from_slice(word);
        let place = u64::from_le_bytes(whole);
        let module = scene.dump.module_at(place.saturating_sub(1));
        module.is_some_and(Module::is_of_program)
            && !exact.contains(&place)
            && (!scene.flows.spend(1) || stack::is_return_address(scene, place))
    };
    // A stack that begins nowhere is none that the system has made.
    let is_known = |frame: &Frame| frame.module.is_some() || !frame.trust.is_exact();
    let is_fiber = scene.dump.teb(thread).is_some_and(|teb| teb.has_fiber_data());
    frames.len() < MAX_FRAMES
        && !is_fiber
        && frames.iter().all(is_known)
        && words.len() == bytes
        && !words.chunks_exact(word).any(is_another)
}

fn exact_places(frames: &[Frame]) -> Vec<u64> {
    let exact = frames.iter().filter(|frame| frame.trust.is_exact());
    exact.map(|frame| frame.registers.ip()).collect()
}

fn is_programs(case: Case<'_, '_>, frame: &Frame) -> bool {
    let module = case.scene.dump.module_at(frame.lookup_address());
    module.is_some_and(Module::is_of_program)
}
