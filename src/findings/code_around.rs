//! What the code of live frames does with sections: a deletion behind it, an initialisation ahead of it.
//!
//! Zeros do not tell a section that was never initialised from one that was deleted; the program's order of steps does.

use super::{Case, Finding, FindingId, has};
use crate::crash::call_site::{self, Argument, Base};
use crate::crash::frame::{Frame, Trust};
use crate::crash::function_code;
use crate::crash::operation::{self, Operation};
use crate::crash::stack;
use crate::crash::tail_call;
use crate::crash::uses::{self, Passed};
use crate::dump::memory::PointerWidth;
use crate::dump::modules::Module;
use crate::image::call_target::CallSite;
use crate::image::registers::RegisterFile;

/// Most threads whose stacks are walked.
const MAX_THREADS: usize = 64;
/// Most frames of one stack looked at.
const MAX_FRAMES: usize = 32;
/// Most places of a program looked at.
const MAX_PLACES: usize = 64;
/// Bytes of code looked at on each side of a return address.
const WINDOW: u64 = 0x180;
/// Functions deep that a call of interest may lie: a destructor that destroys a member that destroys its lock.
const DEPTH: u32 = 2;

/// Which way from a frame's place in its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Behind,
    Ahead,
}

/// A frame's function deletes the section before the frame's place, or initialises it after.
///
/// - situation: a zeroed section, and another thread that waits just behind DeleteCriticalSection, or has not come to
///   InitializeCriticalSection yet.
/// - example: `DeleteCriticalSection(&lock); WaitForSingleObject(worker, INFINITE);` in main, while the worker enters.
/// - handling: for the frames of the program's own functions: what surely ran before, and
///   what follows up to the function's end. Only a call whose argument is this section counts, or one of a function that
///   hands its argument on to it; where the frame is a scan's, only an argument that is a constant.
/// - test: `the_order_of_steps_tells_zeros_apart` (tests/accuracy).
pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    if !FindingId::ZEROS.iter().any(|id| has(findings, *id)) {
        return;
    }
    never_done(case, findings);
    for (thread, frame) in places(case) {
        let found = step(case, &frame, Direction::Behind)
            .map(|at| (FindingId::DeletionBehind, deleted(&frame), at))
            .or_else(|| ahead(case, &frame, findings));
        let Some((id, what, at)) = found.filter(|(id, ..)| !has(findings, *id)) else { continue };
        findings.push(Finding::new(
            id,
            format!("Thread {thread:#x} is in a function that {what}, at {}.", named(case, at)),
            format!("code at {at:#x}, stack of thread {thread:#x}"),
        ));
    }
}

/// What the code of the section's own module never does to it, or, where it lies in none, the code of the module that made the call.
fn never_done(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.map(|section| section.address) else { return };
    match case.scene.dump.module_at(section) {
        Some(module) => static_never_done(case, section, module, findings),
        None => never_deleted_by_caller(case, findings),
    }
}

/// What the code of a static section's module never does to it; see [`uses::of`].
fn static_never_done(
    case: Case<'_, '_>,
    section: u64,
    module: &Module,
    findings: &mut Vec<Finding>,
) {
    let Some(image) = case.scene.images.module_at(module.base) else { return };
    let name = module.file_name();
    let lacks = |functions: &[&str]| matches!(uses::of(case.scene, image, functions), Some(Passed::Constants(all)) if !all.contains(&section));
    for (id, functions, what) in [
        (FindingId::NobodyDeletes, uses::DELETES, "deletes"),
        (FindingId::NobodyInitializes, uses::INITIALISES, "initialises"),
    ] {
        if lacks(functions) {
            findings.push(Finding::new(
                id,
                format!("No code of {name}, whose static data the section is, {what} it."),
                format!("code of {name}"),
            ));
        }
    }
}

/// The module that made the call initialises sections whose addresses do not stand in its code, and deletes none such.
///
/// - situation: a section in the heap is made and deleted by whoever has its address.
/// - example: `open` has failed and left an object zeroed; the only DeleteCriticalSection of the program is that of its runtime library, for
///   a section of its own.
/// - handling: not where the module lies in the folder of Windows, nor where it makes only static sections, or none: what another
///   module made for it that one deletes.
/// - test: `a_loop_passes_more_than_its_first` (tests/accuracy).
fn never_deleted_by_caller(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let caller = case.lock.caller.and_then(|index| case.crash.frames.get(index));
    let module = caller
        .filter(|frame| frame.trust.is_exact())
        .and_then(|frame| case.scene.dump.module_at(frame.lookup_address()))
        .filter(|module| module.is_of_program());
    let Some(module) = module else { return };
    let Some(image) = case.scene.images.module_at(module.base) else { return };
    let passed = |functions: &[&str]| uses::of(case.scene, image, functions);
    if matches!(passed(uses::DELETES), Some(Passed::Constants(_)))
        && matches!(passed(uses::INITIALISES), Some(Passed::Other))
    {
        let name = module.file_name();
        findings.push(Finding::new(
            FindingId::NobodyDeletes,
            format!("{name}, which made the call, initialises sections by pointers, and deletes none so: only ones whose addresses stand in its code."),
            format!("code of {name}"),
        ));
    }
}

fn deleted(frame: &Frame) -> &'static str {
    if frame.trust.is_exact() {
        "has called DeleteCriticalSection for it"
    } else {
        "has, or had, called DeleteCriticalSection for it"
    }
}

/// What follows in a frame's function. A frame that is only a return address on the stack may be left over from an earlier call, and
/// has then gone on since; not so with a deletion behind one, which remains.
fn ahead(
    case: Case<'_, '_>,
    frame: &Frame,
    findings: &[Finding],
) -> Option<(FindingId, &'static str, u64)> {
    // What comes after the end of the process does not come.
    (!has(findings, FindingId::ProcessExiting)).then_some(())?;
    let at = step(case, frame, Direction::Ahead)?;
    Some(if frame.trust.is_exact() {
        (FindingId::InitializationAhead, "has yet to initialise it", at)
    } else {
        (FindingId::InitializationPerhapsAhead, "has, or had, yet to initialise it", at)
    })
}

fn named(case: Case<'_, '_>, address: u64) -> String {
    super::place::describe(case.scene.dump, address)
}

/// The live frames of the program's own functions, each with its thread; those of the faulting thread that only a scan found, or
/// that lie behind such a one, are marked as a scan's.
fn places(case: Case<'_, '_>) -> Vec<(u32, Frame)> {
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

/// The call of interest in the function around a frame's place: its address.
fn step(case: Case<'_, '_>, frame: &Frame, direction: Direction) -> Option<u64> {
    let place = frame.registers.ip();
    let is_certain = frame.trust.is_exact();
    let ends: Vec<u64> = match direction {
        Direction::Behind => {
            let site = case.scene.call_site(place)?;
            function_code::calls_before(case.scene, place, site.call_address)
        }
        Direction::Ahead => function_code::calls_behind(case.scene, place, WINDOW, false),
    };
    let jump = match direction {
        Direction::Behind => None,
        Direction::Ahead => tail_call::ahead(case.scene, place, WINDOW),
    };
    let calls = ends.into_iter().filter_map(|end| Some((case.scene.call_site(end)?, None)));
    let last = jump.map(|jump| (jump.site, Some(jump.epilogue)));
    calls.chain(last).find_map(|(site, epilogue)| {
        let at = epilogue.unwrap_or(site.call_address);
        let value = call_site::argument(case.scene, at.checked_add(1)?, at)
            .filter(|argument| is_certain || argument.is_constant())
            .and_then(|argument| argument.evaluate(&case.scene.dump.memory, &frame.registers));
        let section = case.section?.address;
        let is_direct = is_wanted(case, &site, direction) && value == Some(section);
        let is_inner = || value.is_some_and(|value| does_it(case, &site, value, direction, DEPTH));
        (is_direct || is_inner()).then_some(site.call_address)
    })
}

/// Whether the function that a call goes to deletes, or initialises, the section in its own straight code or in that of
/// the functions it calls, given the value of its first argument (x64).
fn does_it(
    case: Case<'_, '_>,
    site: &CallSite,
    value: u64,
    direction: Direction,
    depth: u32,
) -> bool {
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
        argument.with(&scene.dump.memory, PointerWidth::Eight, start)
    };
    let by_jump = direction == Direction::Behind
        && tail_call::of_delete(scene, target)
            .is_some_and(|argument| value_of(&argument) == section);
    let inner_does = |end: u64| {
        let inner = scene.call_site(end)?;
        let argument = call_site::deep_argument(scene, end, inner.call_address)?;
        let value = value_of(&argument)?;
        let is_it = is_wanted(case, &inner, direction) && Some(value) == section;
        let rest = depth.checked_sub(1);
        Some(is_it || rest.is_some_and(|rest| does_it(case, &inner, value, direction, rest)))
    };
    let calls = || function_code::calls_behind(scene, target, WINDOW, true);
    by_jump || calls().into_iter().any(|end| inner_does(end) == Some(true))
}

fn is_wanted(case: Case<'_, '_>, site: &CallSite, direction: Direction) -> bool {
    let callee = case.scene.callee(site);
    let Some(name) = callee.as_ref().and_then(|callee| callee.name()) else { return false };
    match direction {
        Direction::Behind => Operation::of_function(name) == Some(Operation::Delete),
        Direction::Ahead => {
            operation::initialises(name) || name.starts_with("InitializeCriticalSection")
        }
    }
}
