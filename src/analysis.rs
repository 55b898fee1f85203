//! The way of the data, end to end: from a parsed dump to the report.

use crate::crash::operation::{self, Failure};
use crate::crash::stack::Scene;
use crate::crash::{self, Crash};
use crate::critsec::CriticalSection;
use crate::critsec::gate::Gate;
use crate::critsec::handle::{self, HandleState};
use crate::critsec::lock_count::{LockCountEncoding, waiters_before_signal};
use crate::diagnosis::advice::{self, Missing};
use crate::diagnosis::mechanism::{Mechanism, mechanism};
use crate::diagnosis::{self, Diagnosis};
use crate::dump::Dump;
use crate::findings::operations::{self, HandleHistory};
use crate::findings::{self, Case, Finding, FindingId, Platform, history};
use crate::image::export_cache::ExportCache;
use crate::image::flow::FlowCache;
use crate::image::images::Images;

/// All that is known about a dump after the analysis.
#[derive(Debug)]
pub struct Analysis {
    /// The exception and the stack; `None` without an exception.
    pub crash: Option<Crash>,
    /// The diagnosis of a failed lock call.
    pub lock: Option<LockAnalysis>,
    /// What was odd.
    pub warnings: Vec<String>,
}

/// The diagnosis of a failed lock call.
#[derive(Debug)]
pub struct LockAnalysis {
    /// The section; `None` when nothing leads to it.
    pub section: Option<CriticalSection>,
    /// The handle's value and state.
    pub handle: Option<(u64, HandleState)>,
    /// Where the handle's value was read.
    pub handle_source: &'static str,
    /// What the handle trace holds of it.
    pub history: Option<HandleHistory>,
    /// What happened.
    pub mechanism: Mechanism,
    /// The facts.
    pub findings: Vec<Finding>,
    /// Why.
    pub diagnosis: Diagnosis,
    /// What the dump does not hold.
    pub missing: Vec<Missing>,
    /// What to do next.
    pub next_steps: Vec<String>,
}

/// Analyses a dump.
#[must_use]
pub fn analyze(dump: &Dump<'_>) -> Analysis {
    analyze_cached(dump, None)
}

/// The same, with export tables that other dumps may have had too.
#[must_use]
pub fn analyze_cached(dump: &Dump<'_>, exports: Option<&ExportCache>) -> Analysis {
    let modules = dump.modules.iter().map(|module| (module.base, module.size));
    let images = Images::cached(&dump.memory, modules, exports);
    let flows = FlowCache::default();
    let scene = Scene { dump, images: &images, flows: &flows };
    let mut warnings = Vec::new();
    let platform = Platform::of(scene);
    let (crash, encoding) = crash_with_encoding(scene, platform, &mut warnings);
    if dump.system.is_wow64_from_64_bit() {
        warnings.extend(wow64_warning(dump, crash.as_ref()));
    }
    let lock = crash
        .as_ref()
        .and_then(|crash| analyze_lock(scene, crash, platform, encoding, &mut warnings));
    warnings.extend(
        flows
            .cuts()
            .into_iter()
            .map(|what| format!("{what} ended at its bound; what was not looked at may hold more")),
    );
    Analysis { crash, lock, warnings }
}

/// What the diagnosis would be if the weights of one finding were zero, for each finding of the dump: which of them
/// carry the verdict. Empty when no lock call failed.
#[must_use]
pub fn ablations(dump: &Dump<'_>) -> Vec<(FindingId, Diagnosis)> {
    let x86_side = dump.side_of_exception();
    let dump = x86_side.as_ref().unwrap_or(dump);
    let images =
        Images::new(&dump.memory, dump.modules.iter().map(|module| (module.base, module.size)));
    let flows = FlowCache::default();
    let scene = Scene { dump, images: &images, flows: &flows };
    let platform = Platform::of(scene);
    let (crash, encoding) = crash_with_encoding(scene, platform, &mut Vec::new());
    let Some(crash) = crash else { return Vec::new() };
    with_case(scene, &crash, platform, encoding, |case, findings, _| {
        let without =
            |found: &Finding| (found.id, diagnosis::diagnose_without(case, &findings, found.id));
        let mut each: Vec<_> = findings.iter().map(without).collect();
        each.dedup_by_key(|(id, _)| *id);
        each
    })
    .unwrap_or_default()
}

/// What the 64-bit side of a WoW64 process cannot tell.
fn wow64_warning(dump: &Dump<'_>, crash: Option<&Crash>) -> Option<String> {
    const SIDE: &str = "a 32-bit process seen from its 64-bit side";
    if let Some(module) = dump.x86_module_of_exception() {
        return Some(format!(
            "{SIDE}: the exception was raised in the 32-bit {}, and the registers of that moment are not in the dump",
            module.file_name()
        ));
    }
    let failed = crash.is_some_and(|crash| crash.lock.is_some());
    failed.then(|| format!("{SIDE}: sections of its own code are not decoded"))
}

/// What the handle trace of a dump holds of a handle; `None` without a trace.
#[must_use]
pub fn handle_history(dump: &Dump<'_>, value: u64) -> Option<HandleHistory> {
    dump.handle_trace?;
    let images =
        Images::new(&dump.memory, dump.modules.iter().map(|module| (module.base, module.size)));
    let flows = FlowCache::default();
    let scene = Scene { dump, images: &images, flows: &flows };
    let (crash, _) = crash_with_encoding(scene, Platform::of(scene), &mut Vec::new());
    operations::read(scene, value, crash.as_ref().and_then(history::failed_call))
}

/// The crash, read with the `LockCount` encoding of the version, or with the other where only that fits.
///
/// - situation: the version is missing or wrong, or the platform is one that keeps the old encoding.
/// - example: Wine reporting Windows 10 in a dump whose module list hides it.
/// - handling: when the section that the caller passed fits the other encoding and not the version's, the data decides,
///   and a warning says so.
/// - test: `the_data_overrules_the_version` (tests/accuracy).
fn crash_with_encoding(
    scene: Scene<'_, '_>,
    platform: Platform,
    warnings: &mut Vec<String>,
) -> (Option<Crash>, LockCountEncoding) {
    let by_version = platform.encoding;
    let crash = crash::analyze(scene, by_version);
    if !crash.as_ref().is_some_and(|crash| needs_other_encoding(scene, crash, by_version)) {
        return (crash, by_version);
    }
    let other = match by_version {
        LockCountEncoding::Counting => LockCountEncoding::Flags,
        LockCountEncoding::Flags => LockCountEncoding::Counting,
    };
    let again = crash::analyze(scene, other);
    let given = |crash: &Crash| {
        let located = crash.lock.as_ref().and_then(|lock| lock.located.as_ref());
        located.is_some_and(|located| located.candidate.is_exact())
    };
    if !again.as_ref().is_some_and(|crash| given(crash) && fits(scene, crash, other)) {
        return (crash, by_version);
    }
    warnings.push(format!(
        "the section is encoded as {}, which does not fit the reported version; the data was believed",
        other.name()
    ));
    (again, other)
}

fn gate_of(crash: &Crash) -> Option<Gate> {
    crash.lock.as_ref()?.located.as_ref()?.candidate.gate
}

fn needs_other_encoding(scene: Scene<'_, '_>, crash: &Crash, encoding: LockCountEncoding) -> bool {
    let Some(lock) = &crash.lock else { return false };
    let unreadable = lock.located.as_ref().is_some_and(|located| located.candidate.raw.is_none());
    matches!(lock.failure, Failure::Signal(_)) && !unreadable && !fits(scene, crash, encoding)
}

/// Whether the section looks like one just left under an encoding, with no more waiters than threads.
fn fits(scene: Scene<'_, '_>, crash: &Crash, encoding: LockCountEncoding) -> bool {
    let candidate = crash.lock.as_ref().and_then(|lock| Some(&lock.located.as_ref()?.candidate));
    candidate.is_some_and(|candidate| match (candidate.gate, candidate.raw) {
        (Some(Gate::AfterSignal), Some(raw)) => {
            let waiters = waiters_before_signal(encoding, raw.lock_count);
            usize::try_from(waiters).is_ok_and(|waiters| waiters <= scene.dump.threads.len())
        }
        (Some(gate), _) => gate.passes(),
        _ => false,
    })
}

fn analyze_lock(
    scene: Scene<'_, '_>,
    crash: &Crash,
    platform: Platform,
    encoding: LockCountEncoding,
    warnings: &mut Vec<String>,
) -> Option<LockAnalysis> {
    let lock = crash.lock.as_ref()?;
    if let Some(Gate::Refused(reason)) =
        gate_of(crash).filter(|_| matches!(lock.failure, Failure::Signal(_)))
    {
        warnings.push(format!("the section does not look like one just left: {reason}"));
    }
    with_case(scene, crash, platform, encoding, |case, findings, handle_source| {
        let diagnosis = diagnosis::diagnose(case, &findings);
        LockAnalysis {
            section: case.section.cloned(),
            handle: case.handle,
            handle_source,
            history: case.history.cloned(),
            mechanism: mechanism(case, &findings),
            missing: advice::missing(case),
            next_steps: advice::next_steps(case, &diagnosis),
            findings,
            diagnosis,
        }
    })
}

/// Reads section and handle of a failed call, collects the findings, and hands them with the handle's source to
/// `judge`. `None` when no lock call failed.
fn with_case<T>(
    scene: Scene<'_, '_>,
    crash: &Crash,
    platform: Platform,
    encoding: LockCountEncoding,
    judge: impl FnOnce(Case<'_, '_>, Vec<Finding>, &'static str) -> T,
) -> Option<T> {
    let lock = crash.lock.as_ref()?;
    let section = lock
        .located
        .as_ref()
        .map(|located| CriticalSection::read(scene.dump, located.candidate.address, encoding));
    let (handle, handle_source) = handle_of(scene, crash, lock.failure, section.as_ref());
    let list = findings::listed_sections(scene, section.as_ref());
    let history = handle.and_then(|(value, _)| {
        operations::read(scene, value, history::failed_call(crash)).filter(|_| value != 0)
    });
    let case = Case {
        scene,
        crash,
        lock,
        section: section.as_ref(),
        handle,
        history: history.as_ref(),
        list: &list,
        platform,
    };
    // The handle that was passed is not the one that stands there now.
    let handle = handle.filter(|_| handle_source != FROM_MEMORY || !findings::changed_since(case));
    let case = Case { handle, history: case.history.filter(|_| handle.is_some()), ..case };
    let findings = findings::collect(case);
    Some(judge(case, findings, handle_source))
}

/// The handle: the one that was passed where the stack or the handle trace still shows it, else `LockSemaphore` from
/// memory, unless the section is zero, which says that the handle is lost (critical-sections.md 5.5). Failures that do not
/// involve the handle have none.
fn handle_of(
    scene: Scene<'_, '_>,
    crash: &Crash,
    failure: Failure,
    section: Option<&CriticalSection>,
) -> (Option<(u64, HandleState)>, &'static str) {
    if !matches!(failure, Failure::Signal(_) | Failure::Wait(_) | Failure::DeleteClose(_)) {
        return (None, FROM_MEMORY);
    }
    let looked_up = |value| (value, handle::check(scene.dump, value));
    let status = crash.exception.record.code;
    if let Some(value) = operation::passed_handle(&scene.dump.memory, &crash.frames, status) {
        return (Some(looked_up(value)), FROM_STACK);
    }
    let raw = section.and_then(|section| section.raw).filter(|raw| !raw.is_all_zero());
    let stored = raw.map(|raw| raw.lock_semaphore);
    let recorded = history::failed_call(crash)
        .and_then(|failed| operations::bad_reference(scene.dump, failed, stored));
    match (recorded, stored) {
        (Some(value), Some(stored)) if value & !3 == stored & !3 => {
            (Some(looked_up(stored)), FROM_BOTH)
        }
        (Some(value), _) => (Some(looked_up(value)), FROM_TRACE),
        (None, stored) => (stored.map(looked_up), FROM_MEMORY),
    }
}

const FROM_MEMORY: &str = "LockSemaphore in memory";
const FROM_TRACE: &str = "bad reference of the faulting thread in the handle trace";
const FROM_BOTH: &str =
    "LockSemaphore in memory, confirmed by the bad reference in the handle trace";
const FROM_STACK: &str = "argument of the system service on the stack";
