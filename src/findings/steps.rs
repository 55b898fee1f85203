//! Calls in the functions of live frames that do something to the section: those that surely ran before a frame's place, and those that
//! follow.

use super::Case;
use crate::crash::call_site::{self, Argument, Base, Which};
use crate::crash::frame::{Frame, Trust};
use crate::crash::function_code;
use crate::crash::left_by_jump;
use crate::crash::operation::{self, Operation};
use crate::crash::replay::{self, Failed, Past, Replay, Stack};
use crate::crash::stack;
use crate::crash::tail_call;
use crate::dump::Thread;
use crate::dump::heap::{self, BlockState};
use crate::dump::memory::{PointerWidth, Region};
use crate::dump::modules::Module;
use crate::image::call_target::CallSite;
use crate::image::registers::RegisterFile;

/// Most threads whose stacks are walked.
const MAX_THREADS: usize = 64;
/// Most frames of one stack looked at.
const MAX_FRAMES: usize = 32;
/// Most places of a program looked at.
const MAX_PLACES: usize = 64;
/// MEM_PRIVATE: what VirtualAlloc gives out (MEMORY_BASIC_INFORMATION, Type).
const MEM_PRIVATE: u32 = 0x2_0000;
/// Functions that end the process.
const EXITS: &[&str] =
    &["exit", "_exit", "_cexit", "ExitProcess", "RtlExitUserProcess", "LdrShutdownProcess"];
/// Most bytes of a stack searched for calls of the program's code.
const MAX_STACK: usize = 1 << 20;
/// Most steps of a program that are put in order.
const MAX_TAKEN: usize = 256;
/// Bytes of code looked at on each side of a return address.
const WINDOW: u64 = 0x180;
/// Functions deep that a call of interest may lie: a destructor that destroys a member that destroys its lock.
const DEPTH: u32 = 2;

/// What is done to a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Deletion,
    Initialisation,
    Release,
    /// Some memory was given out, which may be the same as was given back before.
    Allocation,
}

/// What a function's argument is the address of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    Section,
    Block,
    Pages,
    View,
    Module,
}

impl Step {
    /// The steps that a call's argument tells; of two that one call takes, the later one first.
    const ALL: [Self; 3] = [Self::Release, Self::Deletion, Self::Initialisation];

    /// Which argument of a function of this name tells what the step is taken with; `None` for functions that do something else.
    ///
    /// Names: HeapFree, VirtualFree, UnmapViewOfFile, FreeLibrary, GlobalFree, LocalFree, CoTaskMemFree as in the Windows API reference; `free`
    /// and the decorated names of `operator delete` (MSVC x86 and x64, GCC) as the runtime libraries export them.
    pub(super) fn argument_of(self, name: &str) -> Option<(Which, Object)> {
        const BLOCKS: [&str; 25] = [
            "realloc",
            "_aligned_realloc",
            "_free_dbg",
            "??_V@YAXPEAX_K@Z",
            "??_V@YAXPAXI@Z",
            "_ZdaPvj",
            "_ZdaPvm",
            "??3@YAXPEAXI@Z",
            "free",
            "_aligned_free",
            "??3@YAXPAX@Z",
            "??3@YAXPEAX@Z",
            "??_V@YAXPAX@Z",
            "??_V@YAXPEAX@Z",
            "??3@YAXPAXI@Z",
            "??3@YAXPEAX_K@Z",
            "_ZdlPv",
            "_ZdaPv",
            "_ZdlPvj",
            "_ZdlPvm",
            "_ZdlPvy",
            "_ZdaPvy",
            "GlobalFree",
            "LocalFree",
            "CoTaskMemFree",
        ];
        match self {
            Self::Deletion => (Operation::of_function(name) == Some(Operation::Delete))
                .then_some((Which::First, Object::Section)),
            Self::Initialisation => (operation::initialises(name)
                || name.starts_with("InitializeCriticalSection"))
            .then_some((Which::First, Object::Section)),
            Self::Release => match name {
                "HeapFree" | "RtlFreeHeap" | "HeapReAlloc" | "RtlReAllocateHeap" => {
                    Some((Which::Third, Object::Block))
                }
                "VirtualFree" => Some((Which::First, Object::Pages)),
                "UnmapViewOfFile" | "UnmapViewOfFileEx" => Some((Which::First, Object::View)),
                "FreeLibrary" => Some((Which::First, Object::Module)),
                _ if BLOCKS.contains(&name) => Some((Which::First, Object::Block)),
                _ => None,
            },
            Self::Allocation => None,
        }
    }
}

impl Object {
    /// Whether the section is, or was, what an argument of this value leads to.
    pub(super) fn is_of_section(self, case: Case<'_, '_>, value: u64) -> bool {
        let Some(section) = case.section.map(|section| section.address) else { return false };
        let dump = case.scene.dump;
        match self {
            Self::Section => value == section,
            // A free block may be several that were freed one after another.
            Self::Block => heap::block_at(dump, section).is_some_and(|block| match block.state {
                BlockState::Busy => block.start == value,
                BlockState::Free => (block.start..=section).contains(&value),
                BlockState::FrontEnd | BlockState::Unproven => false,
            }),
            // VirtualFree can give back a part of an allocation: what is there now has to be gone, or of another type.
            Self::Pages | Self::View => dump.memory_info_at(section).is_some_and(|info| {
                let is_gone = !info.is_committed() && (info.base..=section).contains(&value);
                let is_whole = self == Self::View || info.memory_type != MEM_PRIVATE;
                is_gone || info.allocation_base == value && is_whole
            }),
            Self::Module => {
                dump.module_at(value).is_none()
                    && dump.unloaded_at(section).any(|module| module.base == value)
            }
        }
    }
}

/// The live frames of the program's own functions, each with its thread; those of the faulting thread that only a scan found, or
/// that lie behind such a one, are marked as a scan's.
pub(super) fn places(case: Case<'_, '_>) -> Vec<(u32, Frame)> {
    let id = case.crash.thread_id;
    let of_fault = case.crash.frames.iter().skip(1);
    let mut found: Vec<(u32, Frame)> =
        of_fault.take(MAX_FRAMES).map(|frame| (id, frame.clone())).collect();
    let exact = case.crash.frames.iter().skip(1).take_while(|frame| frame.trust.is_exact()).count();
    for (_, frame) in found.iter_mut().skip(exact) {
        frame.trust = Trust::Scan;
    }
    for thread in case.scene.dump.threads.iter().filter(|other| other.id != id).take(MAX_THREADS) {
        let registers = thread.context.as_ref().and_then(RegisterFile::from_context);
        let frames = registers.map(|start| stack::exact_frames(case.scene, start, MAX_FRAMES));
        let callers = frames.into_iter().flatten().skip(1);
        found.extend(callers.map(|frame| (thread.id, frame)));
    }
    found.retain(|(_, frame)| is_programs_own(case, frame));
    found.sort_by_key(|(_, frame)| !frame.trust.is_exact());
    found.truncate(MAX_PLACES);
    found
}

/// Whether a frame's return address leads into a module that is not one of the system's.
fn is_programs_own(case: Case<'_, '_>, frame: &Frame) -> bool {
    const SYSTEM: [&str; 3] = ["ntdll.dll", "kernel32.dll", "kernelbase.dll"];
    let module = case.scene.dump.module_at(frame.lookup_address());
    module.is_some_and(|module| !SYSTEM.iter().any(|name| module.is_named(name)))
        && case.scene.call_site(frame.registers.ip()).is_some()
}

/// A step that a thread has surely taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    /// What was done.
    pub step: Step,
    /// The thread.
    pub thread: u32,
    /// The address of the call.
    pub at: u64,
    /// Whether the frame is exact.
    pub is_exact: bool,
    /// Whether the function has left its frame by a jump.
    pub has_left: bool,
}

/// The steps that the replayed functions of a thread's stack have surely taken, newest first; see [`replay::replay`].
fn replayed(case: Case<'_, '_>, thread: u32, past: &[Past]) -> Vec<Taken> {
    let step_of = |call: &Past| {
        if replay::gives_out(&call.name) {
            return Some(Step::Allocation);
        }
        Step::ALL.into_iter().find(|step| {
            let Some((which, object)) = step.argument_of(&call.name) else { return false };
            let value = call.arguments.get(which.index()).and_then(|given| given.value());
            value.is_some_and(|value| object.is_of_section(case, value))
        })
    };
    let taken = |call: &Past| {
        let step = step_of(call)?;
        Some(Taken { step, thread, at: call.at, is_exact: true, has_left: false })
    };
    past.iter().rev().filter_map(taken).collect()
}

/// The frame that made the failed call, where that goes to the lock function itself, and the section.
fn failed_call(case: Case<'_, '_>) -> Option<Failed> {
    let caller = case.lock.caller?;
    let frame = case.crash.frames.get(caller)?;
    let site = case.scene.call_site(frame.registers.ip())?;
    let callee = case.scene.callee(&site)?;
    let is_lock = callee.name().and_then(Operation::of_function) == case.lock.operation;
    (is_lock && case.lock.operation.is_some()).then_some(())?;
    Some(Failed { thread: case.crash.thread_id, frame: caller, section: case.section?.address })
}

/// The steps that surely ran before the places of frames, those of one thread newest first: what an outer function did before is older
/// than what an inner one has done since.
pub(super) fn taken(case: Case<'_, '_>, places: &[(u32, Frame)], replay: &Replay) -> Vec<Taken> {
    let of_frame = |(thread, frame): &(u32, Frame)| {
        let (thread, is_exact) = (*thread, frame.trust.is_exact());
        let left = behind_jump(case, thread, frame).into_iter().map(|found| (found, true));
        let found = left.chain(behind(case, frame).into_iter().map(|found| (found, false)));
        let taken = |((step, at), has_left)| Taken { step, thread, at, is_exact, has_left };
        found.map(taken).collect::<Vec<_>>()
    };
    let by_frames: Vec<Taken> = places.iter().flat_map(of_frame).take(MAX_TAKEN).collect();
    let mut all = Vec::new();
    for past in &replay.threads {
        let replayed = replayed(case, past.thread, &past.surely);
        let of_thread = by_frames.iter().copied().filter(|one| one.thread == past.thread);
        if replayed.iter().any(|one| one.step != Step::Allocation) {
            all.extend(replayed);
        } else {
            all.extend(of_thread);
        }
    }
    all.truncate(MAX_TAKEN);
    all
}

/// What the threads have done, by their code.
pub(super) fn replay(case: Case<'_, '_>) -> Replay {
    replay::replay(case.scene, &stacks(case), failed_call(case))
}

/// The stacks of the threads, the faulting one's first.
fn stacks(case: Case<'_, '_>) -> Vec<Stack> {
    let id = case.crash.thread_id;
    let threads = &case.scene.dump.threads;
    let mut frames: Vec<Frame> = case.crash.frames.iter().take(MAX_FRAMES).cloned().collect();
    // What lies behind a scan's frame is not certain either.
    let exact = frames.iter().take_while(|frame| frame.trust.is_exact()).count();
    frames.iter_mut().skip(exact).for_each(|frame| frame.trust = Trust::Scan);
    // What runs at the end of the process is on lists that the runtime library keeps.
    let leaves = |frame: &Frame| {
        let function = frame.function.as_ref();
        function.is_some_and(|function| EXITS.contains(&function.name.as_str()))
    };
    let faulting = threads.iter().find(|thread| thread.id == id);
    let is_whole = threads.len() <= MAX_THREADS
        && frames.iter().any(|frame| is_programs(case, frame))
        && !frames.iter().any(leaves)
        && faulting.is_some_and(|thread| shows_all(case, thread, &frames));
    let mut found = vec![Stack { thread: id, frames, is_whole }];
    for thread in threads.iter().filter(|other| other.id != id).take(MAX_THREADS) {
        let registers = thread.context.as_ref().and_then(RegisterFile::from_context);
        let frames = registers.map(|start| stack::exact_frames(case.scene, start, MAX_FRAMES));
        let frames = frames.unwrap_or_default();
        let is_whole = shows_all(case, thread, &frames);
        found.push(Stack { thread: thread.id, frames, is_whole });
    }
    found
}

/// Whether the frames are all of the program's functions on a thread's stack.
///
/// - situation: a walk ends where a frame is not exact, and what lies behind is not known.
/// - example: an x86 function without a frame pointer; main and all that it has done lies behind it.
/// - handling: no word of the stack above the outermost exact frame of the program's functions may be another return address into the
///   program's code. What is found once more is an old word.
/// - test: `what_no_code_can_have_done` (tests/accuracy).
fn shows_all(case: Case<'_, '_>, thread: &Thread, frames: &[Frame]) -> bool {
    let (scene, width) = (case.scene, case.scene.dump.system.pointer_width);
    let (start, size) = thread.stack;
    let exact = exact_places(frames);
    let own = frames.iter().filter(|frame| frame.trust.is_exact() && is_programs(case, frame));
    let top = frames.first().and_then(|frame| frame.registers.sp());
    let first = own.filter_map(|frame| frame.registers.sp()).max().or(top).unwrap_or(start);
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
    frames.len() < MAX_FRAMES
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

/// The calls that surely ran in a frame's function before the frame's place and did something to the section, newest first.
fn behind(case: Case<'_, '_>, frame: &Frame) -> Vec<(Step, u64)> {
    let place = frame.registers.ip();
    let Some(site) = case.scene.call_site(place) else { return Vec::new() };
    let ends = function_code::calls_before(case.scene, place, site.call_address);
    steps_of(case, &ends, frame, site.call_address)
}

/// The same for the function that has called the one of a frame of the faulting thread, and is gone by a jump.
fn behind_jump(case: Case<'_, '_>, thread: u32, frame: &Frame) -> Vec<(Step, u64)> {
    let frames = &case.crash.frames;
    let is_it = |other: &Frame| {
        other.registers.sp() == frame.registers.sp() && other.registers.ip() == frame.registers.ip()
    };
    let left = || {
        let outer = frames.iter().position(is_it).filter(|_| thread == case.crash.thread_id)?;
        let inner = outer.checked_sub(1)?;
        let inner_frame = frames.get(inner)?;
        let caller = case.lock.caller?;
        let passed = if inner.checked_add(1) == Some(caller) {
            // The jump went to the lock function itself.
            case.section.map(|section| section.address)
        } else {
            passed_to(case, inner_frame).filter(|_| inner == caller)
        };
        (inner.checked_add(1)? >= caller).then_some(())?;
        left_by_jump::between(
            case.scene,
            inner_frame,
            frames.get(outer)?,
            case.lock.operation,
            passed,
        )
    };
    let Some(left) = left() else { return Vec::new() };
    let gone = Frame { registers: left.registers, ..frame.clone() };
    steps_of(case, &left.calls, &gone, left.epilogue)
}

/// The first argument of the function that made the lock call, when it passed that on.
fn passed_to(case: Case<'_, '_>, frame: &Frame) -> Option<u64> {
    let place = frame.registers.ip();
    let site = case.scene.call_site(place)?;
    let argument = call_site::deep_argument(case.scene, place, site.call_address)?;
    match (argument.base, argument.displacements.as_slice()) {
        (Base::Own(_), [displacement]) => {
            case.section?.address.checked_add_signed(displacement.checked_neg()?)
        }
        _ => None,
    }
}

/// Of calls that ran in a function, newest first, those that did something to the section; up to `place` the frame's registers are known.
fn steps_of(case: Case<'_, '_>, ends: &[u64], frame: &Frame, place: u64) -> Vec<(Step, u64)> {
    let steps_of_call = |end: u64| {
        let Some(call) = case.scene.call_site(end) else { return Vec::new() };
        if allocates(case, &call) {
            return vec![(Step::Allocation, call.call_address)];
        }
        let is_kept =
            |argument: &Argument| !function_code::may_change(case.scene, argument, end, place);
        let is_it =
            |step: &Step| does(case, frame, &call, call.call_address, *step, is_kept).is_some();
        let found: Vec<_> = Step::ALL.into_iter().filter(is_it).collect();
        // What makes it too has done so before or after the rest.
        let is_clear = found.len() == 1 || !found.contains(&Step::Initialisation);
        found.into_iter().filter(|_| is_clear).map(|step| (step, call.call_address)).collect()
    };
    ends.iter().flat_map(|end| steps_of_call(*end)).collect()
}

/// The call that follows in a frame's function, and initialises the section: its address.
pub(super) fn initialisation_ahead(case: Case<'_, '_>, frame: &Frame) -> Option<u64> {
    let place = frame.registers.ip();
    let ends = function_code::calls_behind(case.scene, place, WINDOW, false);
    let jump = tail_call::ahead(case.scene, place, WINDOW);
    let calls = ends.into_iter().filter_map(|end| Some((case.scene.call_site(end)?, None)));
    let last = jump.map(|jump| (jump.site, Some(jump.epilogue)));
    calls.chain(last).find_map(|(call, epilogue)| {
        let at = epilogue.unwrap_or(call.call_address);
        does(case, frame, &call, at, Step::Initialisation, |_| true)
    })
}

/// The address of a call in a frame's function, whose arguments stand before `at`, when it does this to the section.
fn does(
    case: Case<'_, '_>,
    frame: &Frame,
    call: &CallSite,
    at: u64,
    step: Step,
    is_kept: impl Fn(&Argument) -> bool,
) -> Option<u64> {
    let value_of = |which: Which| {
        call_site::nth_argument(case.scene, at.checked_add(1)?, at, which)
            .filter(|argument| frame.trust.is_exact() || argument.is_constant())
            .filter(&is_kept)?
            .evaluate(&case.scene.dump.memory, &frame.registers)
    };
    let is_direct = || {
        let (which, object) = wanted(case, call, step)?;
        object.is_of_section(case, value_of(which)?).then_some(())
    };
    let is_inner = || {
        let value = value_of(Which::First)?;
        does_it(case, call, value, step, DEPTH).then_some(())
    };
    is_direct().or_else(is_inner).map(|()| call.call_address)
}

/// Whether the function that a call goes to does this to the section in its own straight code or in that of the functions it calls, given
/// the value of its first argument (x64).
fn does_it(case: Case<'_, '_>, site: &CallSite, value: u64, step: Step, depth: u32) -> bool {
    let scene = case.scene;
    let module = |address: u64| scene.dump.module_at(address).map(|module| module.base);
    let target = scene.target(site).filter(|target| module(*target) == module(site.call_address));
    let Some(target) = target.filter(|_| scene.dump.system.pointer_width == PointerWidth::Eight)
    else {
        return false;
    };
    let section = case.section.map(|section| section.address);
    let value_of = |argument: &Argument| {
        let start = match argument.base {
            Base::Own(entry) if entry.start == target => value,
            Base::Constant(address) => address,
            _ => return None,
        };
        // What stands in memory now need not have stood there then.
        (argument.displacements.len() == 1).then_some(())?;
        argument.with(&scene.dump.memory, PointerWidth::Eight, start)
    };
    let by_jump = step == Step::Deletion
        && tail_call::of_delete(scene, target)
            .is_some_and(|argument| value_of(&argument) == section);
    let inner_does = |end: u64| {
        let inner = scene.call_site(end)?;
        if let Some((which, object)) = wanted(case, &inner, step) {
            let argument = call_site::nth_deep_argument(scene, end, inner.call_address, which)?;
            return Some(object.is_of_section(case, value_of(&argument)?));
        }
        let argument = call_site::deep_argument(scene, end, inner.call_address)?;
        let rest = depth.checked_sub(1)?;
        Some(does_it(case, &inner, value_of(&argument)?, step, rest))
    };
    let calls = || function_code::calls_behind(scene, target, WINDOW, true);
    by_jump || calls().into_iter().any(|end| inner_does(end) == Some(true))
}

/// Whether a call gives out memory, by the name of what it calls.
fn allocates(case: Case<'_, '_>, call: &CallSite) -> bool {
    let callee = case.scene.callee(call);
    callee.as_ref().and_then(|callee| callee.name()).is_some_and(replay::gives_out)
}

/// What a call's argument tells, when the function that it goes to takes this step.
fn wanted(case: Case<'_, '_>, site: &CallSite, step: Step) -> Option<(Which, Object)> {
    step.argument_of(case.scene.callee(site)?.name()?)
}
