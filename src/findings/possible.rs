//! What the program can have done to the section by now, in all code that can have run.

use super::record;
use super::steps::{Object, Step};
use super::{Case, Finding, FindingId, has};
use crate::crash::operation::Operation;
use crate::crash::replay::{Given, Past, Replay, ThreadPast};
use crate::critsec::debug_info::ListedSection;
use crate::dump::heap::{self, BlockState};
use crate::dump::modules;
use std::collections::HashSet;

/// Whether any call can have taken a step with the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Chance {
    /// None can: each is about something else.
    None,
    /// One whose argument is not known.
    Unknown,
    /// One whose argument is the section's.
    Known(u64),
}

/// Bytes of a heap block that is one object; a larger one may be a pool of many.
const MAX_OBJECT: u64 = 0x400;

/// Steps that no code can have taken, or that some code can have.
///
/// - situation: an initialisation, a deletion or a release that never ran, on any way that the program can have come, did not happen.
/// - example: `if (flags & SHARED) InitializeCriticalSection(&lock)` in a function that was called with 0; nothing else initialises it.
/// - handling: all calls that the replayed code can have made so far (see [`crate::crash::replay::replay`]); a call whose argument lies in memory that
///   was given out is about another object where the section is static data, or lies at another offset and no block was given back, behind
///   which a heap may cut its memory anew. That nothing gives the memory back
///   is said of heap blocks in use only, of at most 400h bytes: pools hand out their memory without a call, and fill what
///   comes back. Nothing is said where some code could not be followed.
/// - test: `what_no_code_can_have_done` (tests/accuracy).
pub(super) fn collect(case: Case<'_, '_>, replay: &Replay, findings: &mut Vec<Finding>) {
    let Some(calls) = replay.possible.as_ref().filter(|_| !has_lost_code(case)) else { return };
    elsewhere_in_block(case, calls, findings);
    let facts = Place::of(case);
    let is_filled = FindingId::FILLS.iter().any(|id| has(findings, *id));
    let is_foreign = has(findings, FindingId::EveryFieldForeign);
    for (step, surely, none, some, does) in [
        (
            Step::Initialisation,
            FindingId::InitializationBehind,
            FindingId::NoInitializationBehind,
            FindingId::InitializationPerhapsBehind,
            "initialises it",
        ),
        (
            Step::Deletion,
            FindingId::DeletionBehind,
            FindingId::NoDeletionBehind,
            FindingId::DeletionPerhapsBehind,
            "deletes it",
        ),
        (
            Step::Release,
            FindingId::ReleaseBehind,
            FindingId::NoReleaseBehind,
            FindingId::ReleasePerhapsBehind,
            "gives its memory back",
        ),
    ] {
        let finding = match facts.chance(case, replay, calls, step) {
            Chance::None
                if step != Step::Release
                    || facts.is_own_block && !is_filled && !makes_again(replay) =>
            {
                Finding::new(
                    none,
                    format!("No code of the program that can have run so far {does}."),
                    "code of the program's modules, as far as the dump holds it",
                )
            }
            Chance::Known(at) if !has(findings, surely) => Finding::new(
                some,
                format!(
                    "Code of the program that can have run {does}, at {}.",
                    super::place::describe(case.scene.dump, at)
                ),
                format!("code at {at:#x}"),
            ),
            Chance::Unknown if is_foreign && !has(findings, surely) => match open(step) {
                Some(finding) => finding,
                None => continue,
            },
            _ => continue,
        };
        findings.push(finding);
    }
    if let Some(finding) = never_listed(calls, findings) {
        findings.push(finding);
    }
}

/// No section with a record was ever made at the address.
///
/// - situation: what is made goes on the process's list; only Delete takes it off again.
/// - example: foreign bytes in a heap block, no record for the address, and none of the three calls that delete can have been for it: the block was
///   not a section's before.
/// - handling: the whole list was read and lacks it, no code that can have run deletes it, not for an earlier object in the block either, and none
///   initialises a section without a record.
/// - test: `what_is_not_listed_and_was_not_deleted_was_never_made` (tests/accuracy).
fn never_listed(calls: &[Past], findings: &[Finding]) -> Option<Finding> {
    let is_so = has(findings, FindingId::ListLacksSection)
        && has(findings, FindingId::NoDeletionBehind)
        && !calls.iter().any(|call| makes_without_record(call) || deletes_earlier(call));
    is_so.then(|| {
        Finding::new(
            FindingId::NeverListed,
            "The process's list has no record for the section, and nothing that has run can have deleted it: none was made here with a record.",
            "list of sections, code of the program's modules",
        )
    })
}

/// Whether a call has deleted a section of an object that the block may have held before.
fn deletes_earlier(call: &Past) -> bool {
    call.is_of_earlier && Step::Deletion.argument_of(&call.name).is_some()
}

/// Whether a call may initialise a section without a record: `InitializeCriticalSectionEx` with `CRITICAL_SECTION_NO_DEBUG_INFO`
/// (learn.microsoft.com, "InitializeCriticalSectionEx function"; its value is from the SDK's winbase.h), or with flags that are not known.
fn makes_without_record(call: &Past) -> bool {
    const NO_DEBUG_INFO: u64 = 0x0100_0000;
    call.name.ends_with("InitializeCriticalSectionEx")
        && !matches!(call.arguments.get(2), Some(Given::Value(flags)) if flags & NO_DEBUG_INFO == 0)
}

/// Code that takes a step with a section, of which it is not known which it is.
///
/// - situation: what was never made is known not to have been made, most of the time; of what was, and is another object now, it is not known.
/// - example: sessions are initialised in a pool's cells; the cell that holds a packet now may be one of theirs.
/// - handling: where every field is foreign, all code was followed, and the argument of one call at least is not known.
/// - test: `what_may_have_been_made_is_said` (tests/accuracy).
fn open(step: Step) -> Option<Finding> {
    let (id, does) = match step {
        Step::Initialisation => (FindingId::InitializationOpen, "initialises"),
        Step::Deletion => (FindingId::DeletionOpen, "deletes"),
        _ => return None,
    };
    let statement =
        format!("Code of the program that can have run {does} a section that may be this one.");
    Some(Finding::new(id, statement, "code of the program's modules"))
}

/// Whether a thread has surely initialised two sections at one address: the program gives out places again, without a call that gives memory back.
///
/// - situation: a pool keeps what comes back for the next object.
/// - example: `open("feed")`, `close(feed)`, `open("feed2")`: the second socket, with its lock, is where the first was.
/// - handling: any address of a section, here or elsewhere.
/// - test: `who_makes_again_gives_out_again`.
fn makes_again(replay: &Replay) -> bool {
    let made = |call: &Past| {
        let (which, _) = Step::Initialisation.argument_of(&call.name)?;
        match call.arguments.get(which.index()) {
            Some(Given::Value(at)) => Some(*at),
            _ => None,
        }
    };
    replay.threads.iter().any(|thread| {
        let mut seen = HashSet::new();
        thread.surely.iter().filter_map(made).any(|at| !seen.insert(at))
    })
}

/// The program makes sections in blocks of this size, each at another place in them.
///
/// - situation: the address of one member was passed for that of another, or an index or a base is wrong.
/// - example: all of three voices are 68h bytes with a section at +38h; the call was given +28h of a voice.
/// - handling: blocks in use, of just the size that was asked for where a section is initialised in what was given out; each such initialisation
///   is at another offset, the same one, and none is of what is not known.
/// - test: `sections_are_made_at_another_place_of_the_block` (tests/accuracy).
fn elsewhere_in_block(case: Case<'_, '_>, calls: &[Past], findings: &mut Vec<Finding>) {
    let Some(section) = case.section.map(|section| section.address) else { return };
    let Some(block) = heap::block_at(case.scene.dump, section) else { return };
    let offset = section.wrapping_sub(block.start);
    let mut others = Vec::new();
    for call in calls {
        let Some((which, _)) = Step::Initialisation.argument_of(&call.name) else { continue };
        match call.arguments.get(which.index()) {
            Some(Given::Behind(at, Some(size))) if *size == block.used => {
                others.push((at.cast_unsigned(), call.at));
            }
            Some(Given::Value(at) | Given::Perhaps(at)) => {
                let other = heap::block_at(case.scene.dump, *at);
                let other = other.filter(|other| other.used == block.used);
                others.extend(other.map(|other| (at.wrapping_sub(other.start), call.at)));
            }
            Some(Given::Behind(_, Some(_))) => {}
            _ => return,
        }
    }
    // Sections at several offsets are an array's: this may be one more of them.
    let is_one = others.iter().all(|(at, _)| Some(*at) == others.first().map(|(at, _)| *at));
    let is_here = others.iter().any(|(at, _)| *at == offset);
    let is_elsewhere = is_one && !is_here && block.state == BlockState::Busy;
    let Some((at, code)) = others.first().filter(|_| is_elsewhere) else {
        return;
    };
    findings.push(Finding::new(
        FindingId::MadeElsewhereInBlock,
        format!(
            "In blocks of {:#x} bytes, as this one, the program initialises sections at +{at:#x}, at {}; this would be one at +{offset:#x}.",
            block.used,
            super::place::describe(case.scene.dump, *code)
        ),
        format!("code at {code:#x}"),
    ));
}

/// The program has initialised sections at this very place of blocks of this very size, more than other such blocks have.
///
/// - situation: memory was given back and out again, or is written over; the pointer that led to it is lost, so that the call that initialised
///   the section names no address.
/// - example: a vector's block of 160h bytes had its second account's section at +70h; a text of 160h bytes has the block now.
/// - handling: calls that a thread has made if it was given the memory that it asked for; blocks in use, of just the size that was asked for. The
///   sections of the process's list in other such blocks account for as many calls; only on versions that list each section.
/// - test: `a_section_was_made_in_such_a_block` (tests/accuracy).
pub(super) fn in_such_block<'r>(
    case: Case<'_, '_>,
    replay: &'r Replay,
    findings: &mut Vec<Finding>,
) {
    let Some(section) = case.section.map(|section| section.address) else { return };
    let Some(block) = heap::block_at(case.scene.dump, section) else { return };
    let offset = section.wrapping_sub(block.start);
    let is_such = |call: &&Past| {
        let which = Step::Initialisation.argument_of(&call.name).map(|(which, _)| which);
        let given = which.and_then(|which| call.arguments.get(which.index()));
        !call.is_of_earlier
            && matches!(given, Some(Given::Behind(at, Some(size)))
                if at.cast_unsigned() == offset && *size == block.used)
    };
    let is_likely = |call: &&Past| call.is_likely && is_such(call);
    let all = |thread: &'r ThreadPast| thread.surely.iter().chain(&thread.perhaps);
    let made = || replay.threads.iter().flat_map(all).filter(is_likely);
    let is_other = |listed: &&ListedSection| {
        let other = heap::block_at(case.scene.dump, listed.section);
        let is_such = |other: &heap::HeapBlock| {
            other.used == block.used && listed.section.wrapping_sub(other.start) == offset
        };
        listed.section != section && other.as_ref().is_some_and(is_such)
    };
    let others = case.list.sections.iter().filter(is_other).count();
    let Some(call) = made().nth(others) else { return };
    let is_here = block.state == BlockState::Busy
        && record::lists_all(case)
        && !replay.knows_block
        && !has(findings, FindingId::InitializationBehind);
    if is_here {
        findings.push(Finding::new(
            FindingId::MadeInSuchBlock,
            format!(
                "The program has initialised a section at +{offset:#x} of a block of {:#x} bytes, as this one is, at {}; other such blocks account for fewer.",
                block.used,
                super::place::describe(case.scene.dump, call.at)
            ),
            format!("code at {:#x}", call.at),
        ));
    }
}

/// What stands in a block that began as zeros was put there.
///
/// - situation: memory that was never initialised holds what an earlier owner left; of a block that was given out as zeros that is not so.
/// - example: `calloc(1, sizeof *broker)`: behind the last of its five sections stand the counters of its topics, which the sixth would be.
/// - handling: the block that the failed call's argument lies in is known by the call that gave it out; no code has made a section there.
/// - test: `what_stands_in_zeros_was_put_there` (tests/accuracy).
pub(super) fn began_as_zeros(replay: &Replay, findings: &mut Vec<Finding>) {
    let foreign = [FindingId::EveryFieldForeign, FindingId::HeadForeign];
    let is_foreign = foreign.iter().any(|id| has(findings, *id));
    let is_unmade = has(findings, FindingId::NoInitializationBehind);
    if replay.is_block_zeroed && is_foreign && is_unmade {
        findings.push(Finding::new(
            FindingId::BlockBeganAsZeros,
            "The block that it lies in began as zeros: what stands there was put there as something else.",
            "code of the program's functions",
        ));
    }
}

/// Whether a library of the program, or what may be one, was unloaded: its code has run, and is gone. Windows notes unloaded modules by
/// their file names (RTL_UNLOAD_EVENT_TRACE.ImageName), which do not tell whose they were.
pub(super) fn has_lost_code(case: Case<'_, '_>) -> bool {
    let unloaded = case.scene.dump.unloaded.iter();
    unloaded.into_iter().any(|module| !modules::is_of_windows(&module.name))
}

/// The faulting thread has entered the section, and not left it since.
///
/// - situation: Leave found the section not owned, or Enter waited for it, although the thread is in it.
/// - example: `EnterCriticalSection(&lock); counts[n]++; LeaveCriticalSection(&lock)`, where the count is the section's `LockCount`.
/// - handling: of the calls that the thread has surely made with this section since it was initialised, more are of Enter than of Leave; and it
///   can have made no other call of Leave with it, or with what is not known, and called nothing since that is not known. A Leave in a callback of a
///   system function is not seen.
/// - test: `who_has_entered_is_in_it` (tests/accuracy).
pub(super) fn entered(case: Case<'_, '_>, replay: &Replay, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.map(|section| section.address) else { return };
    let thread = case.crash.thread_id;
    let Some(past) = replay.threads.iter().find(|past| past.thread == thread) else { return };
    let is_of = |call: &Past, operation| {
        !call.is_of_ended && Operation::of_function(&call.name) == Some(operation)
    };
    let first = |call: &Past| call.arguments.first().copied().unwrap_or(Given::Unknown);
    let is_its_own = |call: &Past| first(call) == Given::Value(section);
    let can_be_its_own = |call: &Past| match first(call) {
        Given::Value(value) => value == section,
        _ => true,
    };
    let can_leave = |call: &Past| is_of(call, Operation::Leave) && can_be_its_own(call);
    if past.perhaps.iter().any(can_leave) {
        return;
    }
    let enters = |call: &Past| is_of(call, Operation::Enter) && is_its_own(call);
    let entered = past.surely.iter().rev().find(|call| enters(call));
    let Some(entered) = entered.map(|call| call.order) else { return };
    // What is not known may leave it.
    let all = past.surely.iter().chain(&past.perhaps);
    if all.into_iter().any(|call| call.name.is_empty() && call.order > entered) {
        return;
    }
    let mut inside = 0u32;
    for call in &past.surely {
        if enters(call) {
            inside = inside.saturating_add(1);
        } else if can_leave(call) {
            inside = inside.saturating_sub(1);
        } else if Step::Initialisation.argument_of(&call.name).is_some() && is_its_own(call) {
            inside = 0;
        }
    }
    if inside > 0 {
        findings.push(Finding::new(
            FindingId::EnteredNotLeft,
            format!("Thread {thread:#x} has entered the section and not left it since."),
            format!("code of thread {thread:#x}'s functions"),
        ));
    }
}

/// Where the section is, as far as calls are concerned.
struct Place {
    /// In a module.
    is_static: bool,
    /// Where a module was.
    was_module: bool,
    /// Bytes from the start of its heap block.
    offset: Option<u64>,
    /// Its heap block is no larger than an object is.
    is_own_block: bool,
}

impl Place {
    fn of(case: Case<'_, '_>) -> Self {
        let dump = case.scene.dump;
        let section = case.section.map(|section| section.address);
        let block = section.and_then(|section| heap::block_at(dump, section));
        Self {
            is_static: section.is_some_and(|at| dump.module_at(at).is_some()),
            was_module: section.is_some_and(|at| dump.unloaded_at(at).next().is_some()),
            is_own_block: block.is_some_and(|block| block.used <= MAX_OBJECT),
            offset: section.zip(block).map(|(at, block)| at.wrapping_sub(block.start)),
        }
    }

    /// The best chance that any of the calls has taken a step.
    fn chance(&self, case: Case<'_, '_>, replay: &Replay, calls: &[Past], step: Step) -> Chance {
        let is_other = |call: &&Past| {
            let (which, _) = step.argument_of(&call.name)?;
            let given = call.arguments.get(which.index())?;
            let is_behind = matches!(given, Given::Behind(..));
            Some(call.is_of_earlier || replay.knows_block && is_behind)
        };
        let is_release = |call: &Past| {
            matches!(Step::Release.argument_of(&call.name), Some((_, Object::Block)))
                || matches!(call.name.as_str(), "HeapDestroy" | "RtlDestroyHeap")
        };
        let is_cut = !replay.knows_block && calls.iter().any(is_release);
        let calls = calls.iter().filter(|call| is_other(call) != Some(true));
        let chances = calls.map(|call| self.chance_of(case, call, step, is_cut));
        chances.max().unwrap_or(Chance::None)
    }

    fn chance_of(&self, case: Case<'_, '_>, call: &Past, step: Step, is_cut: bool) -> Chance {
        let destroys = matches!(call.name.as_str(), "HeapDestroy" | "RtlDestroyHeap");
        let Some((which, object)) = step.argument_of(&call.name) else {
            let is_chance = destroys && step == Step::Release && !self.is_static;
            return if is_chance { Chance::Unknown } else { Chance::None };
        };
        let can_be = match object {
            Object::Section => true,
            Object::Module => self.was_module,
            Object::Block | Object::Pages | Object::View => !self.is_static,
        };
        match call.arguments.get(which.index()) {
            Some(Given::Value(value) | Given::Perhaps(value))
                if object.is_of_section(case, *value) =>
            {
                Chance::Known(call.at)
            }
            Some(Given::Value(_)) => Chance::None,
            Some(Given::Behind(bytes, _))
                if self.is_static || !is_cut && !self.fits(object, *bytes) =>
            {
                Chance::None
            }
            _ if can_be => Chance::Unknown,
            _ => Chance::None,
        }
    }

    /// Whether so many bytes behind the start of what was given out can be the section, or the start.
    fn fits(&self, object: Object, bytes: i64) -> bool {
        match object {
            Object::Section => self.offset.is_none_or(|offset| offset == bytes.cast_unsigned()),
            _ => bytes == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::makes_again;
    use crate::crash::replay::{Given, Past, Replay, ThreadPast};

    #[test]
    fn who_makes_again_gives_out_again() {
        let made = |given: Given| Past {
            order: 0,
            name: "InitializeCriticalSection".into(),
            at: 0x40_1000,
            arguments: [given, Given::Unknown, Given::Unknown, Given::Unknown],
            is_of_ended: false,
            is_of_earlier: false,
            is_likely: true,
            is_unmatched: false,
        };
        let makes = |first: Given, second: Given| {
            let surely = vec![made(first), made(second)];
            let thread = ThreadPast { thread: 1, surely, perhaps: Vec::new() };
            makes_again(&Replay { threads: vec![thread], ..Replay::default() })
        };
        assert!(makes(Given::Value(0x2000), Given::Value(0x2000)));
        assert!(!makes(Given::Value(0x2000), Given::Value(0x2040)), "two sections");
        assert!(!makes(Given::Unknown, Given::Unknown), "they may be two");
    }
}
