//! What the code of live frames does with sections: a deletion behind it, an initialisation ahead of it.
//!
//! Zeros do not tell a section that was never initialised from one that was deleted; the program's order of steps does.

use super::left;
use super::possible;
use super::stacks;
use super::steps::{self, Step, Taken};
use super::{Case, Finding, FindingId, has};
use crate::crash::frame::Frame;
use crate::crash::operation::Failure;
use crate::crash::uses::{self, Passed};
use crate::dump::modules::Module;
use std::collections::HashSet;

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
    let is_one_of = |ids: &[FindingId]| ids.iter().any(|id| has(findings, *id));
    let is_zero = is_one_of(&FindingId::ZEROS);
    let is_foreign = is_one_of(FindingId::FOREIGN) || is_one_of(&FindingId::FILLS);
    let is_damaged = is_one_of(DAMAGES);
    if is_zero || is_foreign {
        never_done(case, is_zero, findings);
    }
    let is_gone = case.section.is_some_and(|section| section.raw.is_none());
    let is_unowned = case.lock.failure == Failure::NotOwner;
    // Of a section in order, with its handle closed, the rest says enough.
    if !(is_zero || is_foreign || is_gone || is_unowned || is_damaged) {
        return;
    }
    let stacks = stacks::of_threads(case);
    let (places, replay) = (steps::places(case, &stacks), stacks::replay(case, &stacks));
    behind(case, &steps::taken(case, &places, &replay), is_zero, findings);
    live_local(findings);
    possible::in_such_block(case, &replay, findings);
    possible::collect(case, &replay, findings);
    possible::began_as_zeros(&replay, findings);
    possible::entered(case, &replay, findings);
    left::balanced(case, &replay, findings);
    for (thread, frame) in places.iter().filter(|_| is_zero) {
        push(case, Some(*thread), ahead(case, frame, findings), findings);
    }
}

/// Findings by which a section is not in order, besides those of its being zero or foreign.
const DAMAGES: &[FindingId] = &[
    FindingId::HeadForeign,
    FindingId::HeadDamaged,
    FindingId::TailDamaged,
    FindingId::OnlyRecordDamaged,
    FindingId::OnlyRecordRedirected,
    FindingId::OnlyRecordNull,
    FindingId::MoreWaitersThanThreads,
    FindingId::OwnerInside,
    FindingId::PointersInside,
    FindingId::FreeYetNobodyWoken,
    FindingId::LeftTooOften,
    FindingId::SleepersNotCounted,
];

/// A step that a thread has taken, or has yet to take; no id where the thread has ended.
fn push(
    case: Case<'_, '_>,
    thread: Option<u32>,
    found: Option<(FindingId, &'static str, u64)>,
    findings: &mut Vec<Finding>,
) {
    let Some((id, what, at)) = found.filter(|(id, ..)| !has(findings, *id)) else { return };
    let (who, stack) = match thread {
        Some(thread) => (format!("Thread {thread:#x}"), format!(", stack of thread {thread:#x}")),
        None => ("A thread that has ended".to_owned(), String::new()),
    };
    findings.push(Finding::new(
        id,
        format!("{who} {what}, at {}.", named(case, at)),
        format!("code at {at:#x}{stack}"),
    ));
}

/// What functions on the stacks have done to the section before they came to where they are.
///
/// - situation: a section whose bytes are not ntdll's, and a function on the stack whose earlier steps say what it was.
/// - example: `InitializeCriticalSection(&lock)` in main, text in the lock now; `delete node; leave(&node->lock)`.
/// - handling: what surely ran before the frame's place, in the program's own functions; an argument that a register holds counts where
///   nothing changes that register since. What was initialised anew was not deleted or given back since. Where nothing shows that
///   the same thread initialised the section before it gave the memory back, or where it had memory given out since and initialised what may
///   be this section again, it may be another object's.
/// - test: `a_register_keeps_what_nothing_writes`, `what_live_functions_did_before` (tests/accuracy).
fn behind(case: Case<'_, '_>, taken: &[Taken], is_zero: bool, findings: &mut Vec<Finding>) {
    for (index, one) in taken.iter().enumerate() {
        let (newer, older) = taken.split_at(index);
        let has_step = |of: &[Taken], step: Step| {
            of.iter().any(|other| other.thread == one.thread && other.step == step)
        };
        let is_made_anew = has_step(newer, Step::Initialisation);
        // The memory may have been given back and out again.
        let is_given_out = has_step(newer, Step::Allocation);
        let is_other = is_given_out && has_step(newer, Step::Release);
        let (id, what) = match one.step {
            Step::Initialisation if one.is_exact && !is_other => {
                (FindingId::InitializationBehind, "has initialised it")
            }
            // Zeros in a block that was given back and out again may be the new owner's.
            Step::Deletion if is_zero && has_step(newer, Step::Release) && is_given_out => continue,
            Step::Deletion if is_zero && !is_made_anew => {
                (FindingId::DeletionBehind, deleted(one.is_exact))
            }
            Step::Release if one.is_exact && !is_made_anew => {
                let is_perhaps_made = is_given_out && (is_zero || has_step(newer, Step::Making));
                if has_step(older, Step::Initialisation) && !is_perhaps_made {
                    (FindingId::ReleaseBehind, "has given its memory back")
                } else {
                    (FindingId::EarlierReleaseBehind, "has, or had, given its memory back")
                }
            }
            _ => continue,
        };
        let thread = (!one.is_of_ended).then_some(one.thread);
        push(case, thread, Some((id, what, one.at)), findings);
    }
}

/// What the code of the section's own module never does to it, or, where it lies in none, the code of the module that made the call.
fn never_done(case: Case<'_, '_>, is_zero: bool, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.map(|section| section.address) else { return };
    match case.scene.dump.module_at(section) {
        Some(module) => static_never_done(case, section, module, is_zero, findings),
        None => never_done_by_caller(case, is_zero, findings),
    }
}

/// The section is a local of a function that has not returned.
///
/// - situation: bytes that are not a section's, on the crashed thread's stack.
/// - example: a saved game is read into the fields before the lock of `play`'s own world, and over it.
/// - handling: it lies among the live frames, and a function that is on the stack, or that has come back to one, has surely initialised it: a
///   function that has returned takes its locals with it, and they are not counted.
/// - test: `a_live_local_was_not_given_back`.
fn live_local(findings: &mut Vec<Finding>) {
    if has(findings, FindingId::OnOwnStack) && has(findings, FindingId::InitializationBehind) {
        findings.push(Finding::new(
            FindingId::LiveLocal,
            "The section is a local of a function that has not returned.",
            "stack and code of its thread",
        ));
    }
}

/// What the code of a static section's module never does to it; see [`uses::of`].
fn static_never_done(
    case: Case<'_, '_>,
    section: u64,
    module: &Module,
    is_zero: bool,
    findings: &mut Vec<Finding>,
) {
    let Some(image) = case.scene.images.module_at(module.base) else { return };
    let name = module.file_name();
    let lacks = |functions: &[&str]| matches!(uses::of(case.scene, image, functions), Some(Passed::Constants(all)) if !all.contains(&section));
    for (id, functions, what) in [
        (FindingId::NobodyDeletes, uses::DELETES, "deletes"),
        (FindingId::NobodyInitializes, uses::INITIALISES, "initialises"),
    ] {
        // What was deleted is zero.
        if (is_zero || id != FindingId::NobodyDeletes) && lacks(functions) {
            findings.push(Finding::new(
                id,
                format!("No code of {name}, whose static data the section is, {what} it."),
                format!("code of {name}"),
            ));
        }
    }
}

/// What the code of the module that made the call never does to sections whose addresses do not stand in it.
///
/// - situation: a section in the heap is made and deleted by whoever has its address.
/// - example: `open` has failed and left an object zeroed; the only DeleteCriticalSection of the program is that of its runtime library, for
///   a section of its own.
/// - handling: not where the module lies in the folder of Windows. That it deletes none is said where it makes some by pointers: what another
///   module made for it that one deletes. That it makes none by pointers is said as it is: what lies in the heap or on a
///   stack another module then made, or nobody.
/// - test: `a_loop_passes_more_than_its_first`, `who_makes_none_by_pointers_did_not_make_it` (tests/accuracy).
fn never_done_by_caller(case: Case<'_, '_>, is_zero: bool, findings: &mut Vec<Finding>) {
    let caller = case.lock.caller.and_then(|index| case.crash.frames.get(index));
    let module = caller
        .filter(|frame| frame.trust.is_exact())
        .and_then(|frame| case.scene.dump.module_at(frame.lookup_address()))
        .filter(|module| module.is_of_program());
    let Some(module) = module else { return };
    let name = module.file_name();
    let passed = |module: &Module, functions: &[&str]| {
        uses::of(case.scene, case.scene.images.module_at(module.base)?, functions)
    };
    let deletes = passed(module, uses::DELETES);
    let (id, what) = match (passed(module, uses::INITIALISES), deletes) {
        (Some(Passed::Other), Some(Passed::Constants(_))) if is_zero => (
            FindingId::NobodyDeletes,
            "initialises sections by pointers, and deletes none so: only ones whose addresses stand in its code",
        ),
        (Some(Passed::Constants(all)), _) if !all.is_empty() && !is_in(case, &all) => (
            FindingId::NobodyInitializes,
            "initialises no sections by pointers, only ones whose addresses stand in its code",
        ),
        _ => return,
    };
    findings.push(Finding::new(
        id,
        format!("{name}, which made the call, {what}."),
        format!("code of {name}"),
    ));
}

fn is_in(case: Case<'_, '_>, addresses: &HashSet<u64>) -> bool {
    case.section.is_some_and(|section| addresses.contains(&section.address))
}

fn deleted(is_exact: bool) -> &'static str {
    if is_exact {
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
    let at = steps::initialisation_ahead(case, frame)?;
    Some(if frame.trust.is_exact() {
        (FindingId::InitializationAhead, "is in a function that has yet to initialise it", at)
    } else {
        (
            FindingId::InitializationPerhapsAhead,
            "is, or was, in a function that has yet to initialise it",
            at,
        )
    })
}

fn named(case: Case<'_, '_>, address: u64) -> String {
    super::place::describe(case.scene.dump, address)
}
