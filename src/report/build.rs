//! From the results of the analysis to the report model.

use super::dump_info::{self, version_text};
use super::history;
use super::model::{
    CauseInfo, Collected, Contribution, CrashInfo, DebugRecordInfo, DecodedInfo, ExceptionInfo,
    FieldsInfo, FileInfo, FindingInfo, FrameInfo, HandleInfo, ImageInfo, MissingInfo, Outcome,
    Report, SCHEMA_VERSION, SectionInfo, Tool, Verdict,
};
use super::names::{self, module_of, place};
use super::signature;
use crate::analysis::{Analysis, LockAnalysis};
use crate::crash::frame::{Frame, Trust};
use crate::crash::locate::Located;
use crate::crash::operation::Failure;
use crate::crash::{Crash, LockFailure, exception};
use crate::critsec::debug_info::DebugInfoState;
use crate::critsec::handle::HandleState;
use crate::critsec::layout::Layout;
use crate::critsec::{CriticalSection, lock_count, spin_count};
use crate::diagnosis::advice::{self, Missing};
use crate::diagnosis::rank::RankedCause;
use crate::diagnosis::weights::MODEL_VERSION;
use crate::dump::modules::is_of_windows;
use crate::dump::{Dump, ExceptionRecord};
use std::fmt::Write as _;

/// Ways to the address that are listed.
const MAX_WAYS: usize = 12;

/// What is said of a dump that records no exception.
pub(super) const NO_EXCEPTION: &str = "The dump records no exception, and analyze explains crashes. Which sections are held, by whom, and who waits for them, WinDbg shows with !locks or !cs -l.";

/// Where a dump came from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The file as it was named.
    pub path: String,
    /// The name inside a container.
    pub member: Option<String>,
    /// Whether to hash the content, which reads all of it.
    pub hash: bool,
    /// The file as the file system has it; only a scan says so.
    pub file: Option<FileInfo>,
    /// What was found beside the dump.
    pub collected: Option<Collected>,
    /// Module files that are read with the dump.
    pub images: Vec<ImageInfo>,
}

/// Builds the report.
#[must_use]
pub fn report(dump: &Dump<'_>, analysis: &Analysis, origin: &Origin) -> Report {
    let lock = analysis.lock.as_ref();
    let failed = analysis.crash.as_ref().and_then(|crash| crash.lock.as_ref());
    Report {
        schema_version: SCHEMA_VERSION,
        tool: tool(),
        outcome: outcome(lock),
        dump: dump_info::of_dump(dump, origin),
        file: origin.file.clone(),
        collected: origin.collected.clone(),
        crash: analysis.crash.as_ref().map(|crash| crash_info(dump, crash, lock)),
        critical_section: lock
            .zip(analysis.crash.as_ref())
            .and_then(|(lock, crash)| section(dump, crash, lock)),
        handle: lock.zip(failed).and_then(|(lock, failed)| handle(dump, lock, failed)),
        verdict: lock.map(verdict),
        findings: lock.map_or_else(Vec::new, findings),
        missing: lock.map_or_else(|| missing_name(dump, analysis), missing),
        next_steps: lock
            .map_or_else(|| steps_without_failure(analysis), |lock| lock.next_steps.clone()),
        signature: lock
            .zip(analysis.crash.as_ref())
            .map(|(lock, crash)| signature::of(dump, crash, lock)),
        warnings: warnings(dump, analysis),
    }
}

/// What wrote the report.
pub(crate) fn tool() -> Tool {
    Tool {
        name: "csdump".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        model_version: MODEL_VERSION,
    }
}

fn outcome(lock: Option<&LockAnalysis>) -> Outcome {
    match lock {
        None => Outcome::NotApplicable,
        Some(lock) if lock.diagnosis.decided => Outcome::Diagnosed,
        Some(_) => Outcome::Inconclusive,
    }
}

fn steps_without_failure(analysis: &Analysis) -> Vec<String> {
    match analysis.crash {
        Some(_) => Vec::new(),
        None => vec![NO_EXCEPTION.into()],
    }
}

fn hex(value: u64) -> String {
    format!("{value:#x}")
}

fn crash_info(dump: &Dump<'_>, crash: &Crash, analysis: Option<&LockAnalysis>) -> CrashInfo {
    let lock = crash.lock.as_ref();
    let caller = lock.and_then(|lock| {
        crash.frames.get(lock.caller?).filter(|frame| may_be_caller(dump, lock, frame))
    });
    let mut exception = exception_info(&crash.exception.record);
    exception.nested = crash.exception.nested_in.iter().map(exception_info).collect();
    CrashInfo {
        operation: lock.and_then(|lock| lock.operation).map(|operation| operation.as_str().into()),
        operation_source: lock.map(|lock| lock.source.as_str().into()),
        mechanism: analysis.map(|analysis| analysis.mechanism.as_str().into()),
        exception,
        thread_id: hex(crash.thread_id.into()),
        thread_name: dump.thread(crash.thread_id).and_then(|thread| thread.name.clone()),
        caller: caller.map(|frame| place(dump, frame.registers.ip())),
        frames: crash.frames.iter().map(|frame| frame_info(dump, frame)).collect(),
    }
}

/// Whether a frame can be named as the caller.
///
/// - situation: a scan of the stack, or a frame pointer, takes an old return address of the system for the caller's.
/// - example: "called by kernbs32.dll+0xdb74" below a section's event; a stop of Application Verifier and the section's own address.
/// - handling: a guessed frame of the system is no caller, and neither is one of a stop.
/// - test: `a_guessed_frame_of_the_system_is_no_caller` (tests/accuracy).
fn may_be_caller(dump: &Dump<'_>, lock: &LockFailure, frame: &Frame) -> bool {
    let is_guessed = !frame.trust.is_exact() || frame.trust == Trust::FramePointer;
    let module = module_of(dump, frame);
    let is_programs = module.is_some_and(|module| !is_of_windows(&module.name));
    !is_guessed || is_programs && !matches!(lock.failure, Failure::VerifierStop(_))
}

pub(super) fn exception_info(record: &ExceptionRecord) -> ExceptionInfo {
    ExceptionInfo {
        code: format!("0x{:08X}", record.code),
        name: exception::name(record.code).map(str::to_owned),
        address: hex(record.address),
        flags: hex(record.flags.into()),
        parameters: record.parameters.iter().map(|value| hex(*value)).collect(),
        nested: Vec::new(),
    }
}

pub(super) fn frame_info(dump: &Dump<'_>, frame: &Frame) -> FrameInfo {
    let module = module_of(dump, frame);
    let ip = frame.registers.ip();
    let function = frame.function.as_ref();
    let offset = function.and_then(|function| ip.checked_sub(function.start?));
    FrameInfo {
        module: module.map(|module| module.file_name().to_owned()),
        module_version: module.and_then(|module| module.version).map(version_text),
        module_offset: module.map(|module| hex(ip.saturating_sub(module.base))),
        debug_id: module.and_then(|module| module.debug_id.clone()),
        timestamp: module.map(|module| format!("0x{:08x}", module.time_date_stamp)),
        function: function.map(|function| function.name.clone()),
        function_source: function.map(|function| function.source.as_str().into()),
        function_offset: offset.map(hex),
        address: hex(ip),
        trust: frame.trust.as_str().into(),
    }
}

fn section(dump: &Dump<'_>, crash: &Crash, lock: &LockAnalysis) -> Option<SectionInfo> {
    let section = lock.section.as_ref()?;
    let failed = crash.lock.as_ref()?;
    Some(SectionInfo {
        address: hex(section.address),
        name: names::section_name(dump, crash, section.address).full,
        recovered_from: failed.located.as_ref().map_or_else(Vec::new, recovered_from),
        lock_count_encoding: section.raw.map(|_| section.encoding.name().into()),
        fields: section.raw.map(|raw| FieldsInfo {
            debug_info: hex(raw.debug_info),
            lock_count: raw.lock_count,
            recursion_count: raw.recursion_count,
            owning_thread: hex(raw.owning_thread),
            lock_semaphore: hex(raw.lock_semaphore),
            spin_count: hex(raw.spin_count),
        }),
        decoded: decoded(section, failed),
        debug_info: section.debug_info.map(debug_record),
        bytes: bytes(dump, section),
    })
}

/// The ways to the address, strongest first.
fn recovered_from(located: &Located) -> Vec<String> {
    let mut ways = located.candidate.ways.clone();
    ways.sort_by_key(|way| std::cmp::Reverse(way.score));
    ways.into_iter().take(MAX_WAYS).map(|way| way.text).collect()
}

fn decoded(section: &CriticalSection, failed: &LockFailure) -> Option<DecodedInfo> {
    let raw = section.raw.filter(|raw| !raw.is_all_zero())?;
    let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
    let after_signal = matches!(failed.failure, Failure::Signal(_))
        && lock_count::is_after_signal(section.encoding, raw.lock_count);
    Some(DecodedInfo {
        locked: state.locked,
        waiter_woken: state.waiter_woken,
        waiters: state.waiters,
        waiters_before: after_signal
            .then(|| lock_count::waiters_before_signal(section.encoding, raw.lock_count)),
        owner: (raw.owning_thread != 0).then(|| hex(raw.owning_thread)),
        // The bits of a damaged field mean nothing.
        flags: spin_count::flags(raw.spin_count)
            .into_iter()
            .filter(|_| spin_count::is_plausible(raw.spin_count))
            .map(str::to_owned)
            .collect(),
    })
}

fn debug_record(state: DebugInfoState) -> DebugRecordInfo {
    let (name, record) = match state {
        DebugInfoState::Own(record) => ("own", Some(record)),
        DebugInfoState::Foreign(record) => ("foreign", Some(record)),
        DebugInfoState::Wiped => ("wiped", None),
        DebugInfoState::Absent => ("absent", None),
        DebugInfoState::Null => ("null", None),
        DebugInfoState::NotARecord => ("not-a-record", None),
        DebugInfoState::Impossible => ("impossible", None),
        DebugInfoState::NotCaptured => ("not-captured", None),
    };
    DebugRecordInfo {
        state: name.into(),
        critical_section: record.map(|record| hex(record.critical_section)),
        entry_count: record.map(|record| record.entry_count),
        contention_count: record.map(|record| record.contention_count),
    }
}

fn bytes(dump: &Dump<'_>, section: &CriticalSection) -> Option<String> {
    section.raw?;
    let size = usize::try_from(Layout::of(section.width).size).ok()?;
    let mut text = String::new();
    for byte in dump.memory.read_up_to(section.address, size).iter() {
        let _ = write!(text, "{byte:02x}");
    }
    Some(text)
}

fn handle(dump: &Dump<'_>, lock: &LockAnalysis, failed: &LockFailure) -> Option<HandleInfo> {
    let empty = HandleInfo {
        value: None,
        source: None,
        state: HandleState::Unknown.as_str().into(),
        type_name: None,
        name: None,
        granted_access: None,
        note: None,
        history: Vec::new(),
        history_order: None,
        history_total: None,
        operations: Vec::new(),
    };
    let Some((value, state)) = lock.handle else {
        return matches!(
            failed.failure,
            Failure::Signal(_) | Failure::Wait(_) | Failure::DeleteClose(_)
        )
        .then(|| HandleInfo {
            note: Some("the handle that was passed is not in the dump any more".into()),
            ..empty
        });
    };
    let slot = dump.handles.as_ref().and_then(|table| table.get(value));
    let slot = slot.filter(|_| matches!(state, HandleState::Event | HandleState::OtherObject));
    let writers = lock
        .findings
        .iter()
        .find(|finding| finding.id == crate::findings::FindingId::SlotHoldsWritersFile);
    Some(HandleInfo {
        value: Some(hex(value)),
        source: Some(lock.handle_source.into()),
        state: state.as_str().into(),
        type_name: slot.and_then(|handle| handle.type_name.as_deref()).map(str::to_owned),
        name: slot.and_then(|handle| handle.object_name.as_deref()).map(str::to_owned),
        granted_access: slot.map(|handle| hex(handle.granted_access.into())),
        note: writers.map(|_| "may be the dump writer's own file".into()),
        history: lock.history.as_ref().map_or_else(Vec::new, history::lines),
        history_order: lock.history.as_ref().and_then(history::order),
        history_total: lock.history.as_ref().and_then(history::total),
        operations: lock.history.as_ref().map_or_else(Vec::new, |of| history::operations(dump, of)),
    })
}

fn verdict(lock: &LockAnalysis) -> Verdict {
    Verdict {
        confidence: lock.diagnosis.confidence.into(),
        statement: lock.diagnosis.statement.clone(),
        named: lock.diagnosis.named.iter().map(|cause| cause.as_str().into()).collect(),
        causes: lock.diagnosis.ranked.iter().map(cause_info).collect(),
    }
}

fn cause_info(ranked: &RankedCause) -> CauseInfo {
    let part = |contribution: &crate::diagnosis::rank::Contribution| Contribution {
        finding: contribution.finding.as_str().into(),
        weight: Some(contribution.llr),
        reason: contribution.reason.into(),
    };
    let (supporting, against): (Vec<_>, Vec<_>) =
        ranked.contributions.iter().partition(|part| part.llr > 0.0);
    let excluded = ranked.excluded.map(|reason| Contribution {
        finding: "excluded".into(),
        weight: None,
        reason: reason.into(),
    });
    CauseInfo {
        id: ranked.cause.as_str().into(),
        title: ranked.cause.title().into(),
        probability: ranked.probability,
        summary: ranked.cause.summary().into(),
        supporting: supporting.into_iter().map(part).collect(),
        contradicting: excluded.into_iter().chain(against.into_iter().map(part)).collect(),
    }
}

fn findings(lock: &LockAnalysis) -> Vec<FindingInfo> {
    let info = |finding: &crate::findings::Finding| FindingInfo {
        id: finding.id.as_str().into(),
        statement: finding.statement.clone(),
        source: finding.source.clone(),
    };
    lock.findings.iter().map(info).collect()
}

fn missing(lock: &LockAnalysis) -> Vec<MissingInfo> {
    lock.missing.iter().map(missing_info).collect()
}

fn missing_info(missing: &Missing) -> MissingInfo {
    MissingInfo {
        what: missing.what.into(),
        consequence: missing.consequence.into(),
        capture_with: missing.capture_with.clone(),
    }
}

/// What is missing where nothing says that a lock call failed, and nothing says what did.
///
/// - situation: an access violation in ntdll, whose code the dump does not hold: heap functions fail there, and lock functions.
/// - example: a small dump of an Enter on a freed section, with no code and no import table.
/// - handling: no lock failure, as nearly all such crashes are; but the report says that it could be one.
/// - test: `an_unnamed_function_of_ntdll_is_said` (tests/accuracy).
fn missing_name(dump: &Dump<'_>, analysis: &Analysis) -> Vec<MissingInfo> {
    let module = |frame: &&Frame| module_of(dump, frame);
    let is_systems = |frame: &&Frame| module(frame).is_some_and(|one| is_of_windows(&one.name));
    let is_unnamed = |crash: &&Crash| {
        let mut above = crash.frames.iter().take_while(is_systems).peekable();
        let begins = above.peek().and_then(module).is_some_and(|one| one.is_named("ntdll.dll"));
        begins && above.all(|frame| frame.function.is_none())
    };
    let crash = analysis.crash.as_ref().filter(is_unnamed);
    crash
        .map(|crash| missing_info(&advice::missing_name(crash.exception.record.code)))
        .into_iter()
        .collect()
}

fn warnings(dump: &Dump<'_>, analysis: &Analysis) -> Vec<String> {
    let of_dump = dump.warnings.iter().map(ToString::to_string);
    of_dump
        .chain(dump.system.disagreement.clone())
        .chain(analysis.warnings.iter().cloned())
        .collect()
}
