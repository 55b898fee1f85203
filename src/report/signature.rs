//! Signatures: keys by which dumps of one bug are found together. The recipe has a version and stands in
//! docs/signatures.md; nothing in it is an opinion on the cause, and no address of a run is in it.

use super::model::Signature;
use super::names::{self, PRIVATE, module_of, place};
use crate::analysis::LockAnalysis;
use crate::crash::Crash;
use crate::crash::frame::{Frame, Trust};
use crate::crash::operation::{Failure, Operation};
use crate::dump::Dump;

/// Version of the recipe.
pub const VERSION: u32 = 2;
/// Between the parts of a signature.
const SEPARATOR: &str = " | ";
/// Stands for a section that the dump does not lead to.
const NO_SECTION: &str = "unknown section";
/// Stands, with the program's name, for a caller that the dump does not lead to.
const NO_CALLER: &str = "unknown caller in";
/// Frames after the lock function that make up the stack signature.
const STACK_FRAMES: usize = 6;

/// Frames that say nothing of the bug: where threads and programs begin, and what delivers calls.
const IRRELEVANT: &[&str] = &[
    "BaseThreadInitThunk",
    "BaseProcessStart",
    "BaseThreadStart",
    "RtlUserThreadStart",
    "KiUserApcDispatcher",
    "KiUserCallbackDispatcher",
    "KiUserExceptionDispatcher",
    "TppWorkerThread",
    "RtlDispatchException",
    "RtlpExecuteHandlerForException",
];

/// Frames that are kept and do not count: the lock functions under all their names, and who wraps them.
const PREFIXES: &[&str] = &["CriticalSection", "Srw", "Mutex", "mutex", "lock", "Lock"];

/// The signatures of a failure.
#[must_use]
pub fn of(dump: &Dump<'_>, crash: &Crash, lock: &LockAnalysis) -> Signature {
    Signature { cause: cause(dump, crash, lock), stack: stack(dump, crash), version: VERSION }
}

/// Operation, mechanism, section and caller.
fn cause(dump: &Dump<'_>, crash: &Crash, lock: &LockAnalysis) -> String {
    let failed = crash.lock.as_ref();
    let operation = failed.and_then(|failed| failed.operation);
    let mechanism =
        failed.map_or(lock.mechanism, |failed| lock.mechanism.for_signature(failed.failure));
    let section = lock
        .section
        .as_ref()
        .map(|section| names::section_name(dump, crash, section.address).stable);
    // A frame that a scan of the stack guessed is another one in another dump of the same bug.
    let caller = failed
        .and_then(|failed| crash.frames.get(failed.caller?))
        .filter(|frame| is_certain(frame));
    let program = dump.process.name.as_deref().unwrap_or("an unknown program");
    let parts = [
        of_operation(failed.map(|failed| failed.failure), operation).to_owned(),
        mechanism.as_str().to_owned(),
        section.unwrap_or_else(|| NO_SECTION.into()),
        caller.filter(|frame| frame.module.is_some()).map_or_else(
            || format!("{NO_CALLER} {program}"),
            |frame| place(dump, frame.registers.ip()),
        ),
    ];
    parts.join(SEPARATOR)
}

/// Whether another dump of the bug has the same frame. A frame found by the frame pointer alone may be the next but one:
/// lock functions need not keep one, and then it is the caller's.
fn is_certain(frame: &Frame) -> bool {
    frame.trust.is_exact() && frame.trust != Trust::FramePointer
}

/// A failed signal is a Leave's and a failed wait an Enter's, whether or not the dump names the function.
fn of_operation(failure: Option<Failure>, operation: Option<Operation>) -> &'static str {
    match (failure, operation) {
        (Some(Failure::Signal(_)), _) => Operation::Leave.as_str(),
        (Some(Failure::Wait(_)), _) => Operation::Enter.as_str(),
        (_, Some(operation)) => operation.as_str(),
        (_, None) => "lock",
    }
}

/// The lock function, then the frames outside ntdll. Frames that are not certain are left out, because they differ
/// from dump to dump of one bug.
fn stack(dump: &Dump<'_>, crash: &Crash) -> String {
    let operation = crash.lock.as_ref().and_then(|lock| lock.operation);
    let mut parts: Vec<String> =
        operation.iter().map(|operation| operation.function().to_owned()).collect();
    let mut counted = 0usize;
    for frame in crash.frames.iter().filter(|frame| is_certain(frame)) {
        let name = frame.function.as_ref().map(|function| function.name.as_str());
        if counted == STACK_FRAMES || name.is_some_and(|name| IRRELEVANT.contains(&name)) {
            continue;
        }
        if let Some(text) = frame_text(dump, frame) {
            let is_prefix =
                name.is_some_and(|name| PREFIXES.iter().any(|word| name.contains(word)));
            counted = counted.saturating_add(usize::from(!is_prefix));
            parts.push(text);
        }
    }
    parts.join(SEPARATOR)
}

/// `module!function` or `module+0xoffset`; nothing inside ntdll, which varies with the version of Windows.
fn frame_text(dump: &Dump<'_>, frame: &Frame) -> Option<String> {
    let module = module_of(dump, frame).filter(|module| !module.is_named("ntdll.dll"))?;
    let offset = frame.registers.ip().saturating_sub(module.base);
    Some(match &frame.function {
        Some(function) => format!("{}!{}", module.file_name(), function.name),
        None => format!("{}+{offset:#x}", module.file_name()),
    })
}

/// What two signatures of one program say of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts<'s> {
    operation: &'s str,
    mechanism: &'s str,
    section: &'s str,
    caller: &'s str,
}

fn parts(signature: &str) -> Option<Parts<'_>> {
    let mut parts = signature.split(SEPARATOR);
    let (Some(operation), Some(mechanism), Some(section), Some(caller), None) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    Some(Parts { operation, mechanism, section, caller })
}

/// Whether a signature leaves something open that a richer dump of the same bug would have told.
#[must_use]
pub fn is_partial(signature: &str) -> bool {
    parts(signature).is_some_and(|parts| {
        parts.section == NO_SECTION
            || parts.section == PRIVATE
            || parts.caller.starts_with(NO_CALLER)
    })
}

/// Whether a partial signature can be that of a fuller one, of the same program.
///
/// - situation: a small dump and a full dump of one bug; the small one does not lead to the section, or not to the
///   caller, or not to the section's offset in its object.
/// - example: `leave | handle-slot-empty | unknown section | agent.exe+0x1113` and the same with `agent.exe+0x4054`.
/// - handling: operation and mechanism must be the same, and of section and caller all that both know. What fits
///   several fuller ones joins none.
/// - test: `dumps_of_one_bug_group_together` (tests/scan).
#[must_use]
pub fn may_be(partial: &str, fuller: &str) -> bool {
    let (Some(one), Some(other)) = (parts(partial), parts(fuller)) else { return false };
    let operation = one.operation == other.operation || one.operation == "lock";
    let section = one.section == other.section
        || one.section == NO_SECTION
        || one.section == PRIVATE && other.section.starts_with(PRIVATE);
    let caller = one.caller == other.caller || one.caller.starts_with(NO_CALLER);
    operation && one.mechanism == other.mechanism && section && caller && partial != fuller
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_signatures_fit_fuller_ones() {
        let full = "leave | handle-slot-empty | agent.exe+0x4054 | agent.exe+0x1113";
        for partial in [
            "leave | handle-slot-empty | unknown section | agent.exe+0x1113",
            "leave | handle-slot-empty | agent.exe+0x4054 | unknown caller in agent.exe",
            "leave | handle-slot-empty | unknown section | unknown caller in agent.exe",
        ] {
            assert!(is_partial(partial) && may_be(partial, full), "{partial}");
            assert!(!may_be(full, partial), "{partial}");
        }
        assert!(!is_partial(full) && !may_be(full, full));
        let other = "leave | handle-wrong-type | unknown section | agent.exe+0x1113";
        assert!(!may_be(other, full));
        let elsewhere = "leave | handle-slot-empty | unknown section | agent.exe+0x2000";
        assert!(!may_be(elsewhere, full));
    }

    #[test]
    fn an_offset_in_an_object_is_more_than_none() {
        let full = "leave | handle-slot-empty | private memory+0x38 | agent.exe+0x1113";
        assert!(may_be("leave | handle-slot-empty | private memory | agent.exe+0x1113", full));
        assert!(!may_be("leave | handle-slot-empty | stack | agent.exe+0x1113", full));
    }
}
