//! Calls in the functions of live frames that do something to the section: those that surely ran before a frame's place, and those that
//! follow.

use super::Case;
use crate::crash::call_site::{self, Argument, Base, Which};
use crate::crash::frame::Frame;
use crate::crash::function_code;
use crate::crash::left_by_jump;
use crate::crash::operation::{self, Operation};
use crate::crash::replay::{self, Given, Past, Replay};
use crate::crash::tail_call;
use crate::dump::heap::{self, BlockState};
use crate::dump::memory::PointerWidth;
use crate::image::call_target::CallSite;

/// Most places of a program looked at.
const MAX_PLACES: usize = 64;
/// MEM_PRIVATE: what VirtualAlloc gives out (MEMORY_BASIC_INFORMATION, Type).
const MEM_PRIVATE: u32 = 0x2_0000;
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
    /// A section was initialised, which may be this one.
    Making,
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
    /// Names: HeapFree, HeapReAlloc, VirtualFree, UnmapViewOfFile, FreeLibrary, GlobalFree, LocalFree, CoTaskMemFree as in the Windows API
    /// reference; `free`, `realloc` and the decorated names of `operator delete` (MSVC x86 and x64, GCC) as the runtime libraries export them.
    pub(super) fn argument_of(self, name: &str) -> Option<(Which, Object)> {
        const BLOCKS: [&str; 24] = [
            "realloc",
            "_aligned_realloc",
            "_free_dbg",
            "??_V@YAXPEAX_K@Z",
            "??_V@YAXPAXI@Z",
            "_ZdaPvj",
            "_ZdaPvm",
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
            Self::Allocation | Self::Making => None,
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

/// The live frames of the program's own functions, each with its thread, those that are certain first.
pub(super) fn places(case: Case<'_, '_>, stacks: &[(u32, Vec<Frame>)]) -> Vec<(u32, Frame)> {
    let of_stack = |(thread, frames): &(u32, Vec<Frame>)| {
        let thread = *thread;
        frames.iter().skip(1).map(|frame| (thread, frame.clone())).collect::<Vec<_>>()
    };
    let mut found: Vec<(u32, Frame)> = stacks.iter().flat_map(of_stack).collect();
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
    /// Another thread took it, whose end this one has waited for.
    pub is_of_ended: bool,
}

/// The steps that the replayed functions of a thread's stack have surely taken, newest first; see [`replay::replay`].
fn replayed(case: Case<'_, '_>, thread: u32, past: &[Past]) -> Vec<Taken> {
    let step_of = |call: &Past| {
        if replay::gives_out(&call.name) {
            return Some(Step::Allocation);
        }
        let given = |which: Which| call.arguments.get(which.index());
        let known = Step::ALL.into_iter().find(|step| {
            let Some((which, object)) = step.argument_of(&call.name) else { return false };
            matches!(given(which), Some(Given::Value(value)) if object.is_of_section(case, *value))
        });
        let is_making = || {
            let (which, _) = Step::Initialisation.argument_of(&call.name)?;
            (!matches!(given(which), Some(Given::Value(_)))).then_some(Step::Making)
        };
        known.or_else(is_making)
    };
    let taken = |call: &Past| {
        let step = step_of(call)?;
        Some(Taken { step, thread, at: call.at, is_exact: true, is_of_ended: call.is_of_ended })
    };
    past.iter().rev().filter(|call| !call.is_of_earlier).filter_map(taken).collect()
}

/// The steps that surely ran before the places of frames, those of one thread newest first: what an outer function did before is older
/// than what an inner one has done since. Where the replay of a thread finds none, what the code next to the places shows counts: small
/// dumps hold no more.
pub(super) fn taken(case: Case<'_, '_>, places: &[(u32, Frame)], replay: &Replay) -> Vec<Taken> {
    let of_frame = |(thread, frame): &(u32, Frame)| {
        let (thread, is_exact) = (*thread, frame.trust.is_exact());
        let found = behind_jump(case, thread, frame).into_iter().chain(behind(case, frame));
        found
            .map(|(step, at)| Taken { step, thread, at, is_exact, is_of_ended: false })
            .collect::<Vec<_>>()
    };
    let by_frames: Vec<Taken> = places.iter().flat_map(of_frame).take(MAX_TAKEN).collect();
    let mut all = Vec::new();
    for past in &replay.threads {
        let replayed = replayed(case, past.thread, &past.surely);
        let of_thread = by_frames.iter().copied().filter(|one| one.thread == past.thread);
        if replayed.iter().any(|one| !matches!(one.step, Step::Allocation | Step::Making)) {
            all.extend(replayed);
        } else {
            all.extend(of_thread);
        }
    }
    all.truncate(MAX_TAKEN);
    all
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
