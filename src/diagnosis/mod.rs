//! Step 6, diagnosis: causes ranked from the findings, what was missing, what to do next.

pub mod advice;
pub mod cause;
pub mod constraints;
pub mod mechanism;
pub mod rank;
mod verifier;
pub mod weights;

use crate::crash::candidate::Candidate;
use crate::crash::exception::IN_PAGE_ERROR;
use crate::crash::operation::{Failure, Operation, OperationSource};
use crate::critsec::gate::Gate;
use crate::dump::MemoryKind;
use crate::findings::history::{self, Closing};
use crate::findings::{Case, EventMode, Finding, FindingId, has};
use cause::Cause;
use rank::RankedCause;

/// From here on a verdict is called high.
const HIGH: f64 = 0.9;
/// From here on a cause counts as named.
const NAMED: f64 = 0.7;
/// An undecided report names a cause only when it leads by this much.
const LEAD: f64 = 0.1;
/// An undecided report claims no cause with more than this.
pub const CEILING: f64 = 0.85;

/// Why it happened.
#[derive(Debug, Clone)]
pub struct Diagnosis {
    /// All causes, likeliest first.
    pub ranked: Vec<RankedCause>,
    /// Whether the evidence decides.
    pub decided: bool,
    /// How sure the verdict is.
    pub confidence: &'static str,
    /// One sentence.
    pub statement: String,
    /// The causes that the statement names: one, two that cannot be told apart, or none that stands out.
    pub named: Vec<Cause>,
}

/// Ranks the causes of a case.
#[must_use]
pub fn diagnose(case: Case<'_, '_>, findings: &[Finding]) -> Diagnosis {
    diagnose_weighing(case, findings, findings)
}

/// Ranks the causes of a case as if the weights of one finding were zero. What it excludes, it still excludes.
#[must_use]
pub fn diagnose_without(case: Case<'_, '_>, findings: &[Finding], without: FindingId) -> Diagnosis {
    let weighed: Vec<Finding> =
        findings.iter().filter(|finding| finding.id != without).cloned().collect();
    diagnose_weighing(case, findings, &weighed)
}

fn diagnose_weighing(case: Case<'_, '_>, findings: &[Finding], weighed: &[Finding]) -> Diagnosis {
    let readable = case.section.is_some_and(|section| section.raw.is_some());
    let exclusions = constraints::exclusions(
        case.lock.failure,
        findings,
        constraints::Known {
            section: readable,
            memory_map: case.scene.dump.memory_info.is_some(),
            in_module: case.section.is_some_and(|section| is_in_module(case, section.address)),
        },
    );
    let mut ranked = rank::rank(weighed, &exclusions, |cause| {
        prior(case.lock.failure, case.lock.operation, cause)
    });
    let decided = is_decided(case, &ranked, findings, readable);
    if !decided || verifier::is_unsure(case) {
        rank::temper(&mut ranked, CEILING);
    }
    let named = match verifier::other_reason(case.lock.failure) {
        Some(_) => Vec::new(),
        None => named(&ranked, decided),
    };
    let top = ranked.first().map_or(0.0, |entry| entry.probability);
    // Where data and version contradict each other, nothing that rests on the version is sure.
    let doubted = [FindingId::VersionUncertain, FindingId::EncodingOverrulesVersion];
    let doubted = doubted.into_iter().any(|id| has(findings, id));
    let confidence = match (decided, named.len()) {
        (false, _) => "low",
        (true, 2) => "medium",
        (true, _) if top >= HIGH && !doubted => "high",
        (true, _) => "medium",
    };
    let statement = statement(case, &ranked, &named, decided);
    Diagnosis { ranked, decided, confidence, statement, named }
}

/// Whether an address lies in the data of a loaded module, and no module was unloaded there before.
fn is_in_module(case: Case<'_, '_>, address: u64) -> bool {
    let dump = case.scene.dump;
    dump.module_at(address).is_some() && dump.unloaded_at(address).next().is_none()
}

/// The causes worth naming.
fn named(ranked: &[RankedCause], decided: bool) -> Vec<Cause> {
    if let Some((one, other)) = pair(ranked).filter(|_| decided) {
        return vec![one, other];
    }
    let [first, second, ..] = ranked else { return Vec::new() };
    let stands_out = decided || first.probability - second.probability >= LEAD;
    if stands_out { vec![first.cause] } else { Vec::new() }
}

/// How likely a cause is before any finding. Flat, but for these reasons:
/// an address that callers pass and that cannot be accessed was more often valid once than never, and deletion
/// by itself leaves the memory in place; a failed wait or signal needs the section's memory to have worked up to that moment, so that its memory
/// being gone is rarer; a wrong pointer would have failed in the Enter before the Leave, and a copy fails on its handle only
/// when the original was waited for before and deleted after; Leave finds a section unlocked chiefly because it was left too often; and sharing a
/// section between processes is documented as impossible and seldom tried.
fn prior(failure: Failure, operation: Option<Operation>, cause: Cause) -> f64 {
    match (failure, cause) {
        (_, Cause::CrossProcess) => 0.2,
        (Failure::Signal(_) | Failure::Wait(_), Cause::MemoryReleased) => 0.3,
        (Failure::Signal(_) | Failure::Wait(_) | Failure::DeleteClose(_), Cause::BadPointer) => 0.2,
        (Failure::DebugInfoAccess, Cause::BadPointer) => 0.4,
        (Failure::Signal(_), Cause::Copied) => 0.25,
        (Failure::SectionAccess, Cause::BadPointer) if operation == Some(Operation::Leave) => 0.4,
        (Failure::SectionAccess, Cause::MemoryReleased) => 2.0,
        (Failure::SectionAccess, Cause::Deleted) => 0.5,
        (Failure::NotOwner, Cause::NotOwner) => 8.0,
        // The verifier looks at every Leave.
        (Failure::VerifierStop(_), Cause::NotOwner) => 1.0,
        (_, Cause::NotOwner) => 0.3,
        _ => 1.0,
    }
}

/// Two causes that no dump can tell apart, named together when only their sum is sure: zeroed storage that
/// was never initialised looks like a deleted section (critical-sections.md 9, row 9), a section written over from
/// end to end looks like old memory that was never initialised, and like memory that another object has now.
fn pair(ranked: &[RankedCause]) -> Option<(Cause, Cause)> {
    let [first, second, ..] = ranked else { return None };
    let sum = first.probability + second.probability;
    let undecidable = matches!(
        (first.cause, second.cause),
        (Cause::Corrupted, Cause::MemoryReleased)
            | (Cause::MemoryReleased, Cause::Corrupted)
            | (Cause::NeverInitialized, Cause::Deleted | Cause::Corrupted)
            | (Cause::Deleted | Cause::Corrupted, Cause::NeverInitialized)
    );
    (undecidable && first.probability < NAMED && sum >= 0.8).then_some((first.cause, second.cause))
}

/// What keeps a verdict open whatever the weights say: a section that the gate refused, or that holds another handle, an access violation that
/// nothing explains, a closed handle where Windows may have no handles at all (and none is recorded to have been made),
/// a 32-bit process seen from its 64-bit side.
fn is_doubtful(case: Case<'_, '_>, ranked: &[RankedCause], findings: &[Finding]) -> bool {
    let dump = case.scene.dump;
    let refused = case.lock.located.as_ref().is_some_and(|located| {
        matches!(case.lock.failure, Failure::Signal(_))
            && matches!(located.candidate.gate, Some(Gate::Refused(_)))
    });
    let no_events = case.platform.events == EventMode::Unknown
        && !has(findings, FindingId::HandleOpenedForSection)
        && ranked
            .first()
            .is_some_and(|top| matches!(top.cause, Cause::HandleClosed | Cause::Copied));
    // A page that its file could not give is there, and says nothing of who owns it.
    let not_read_in = case.crash.exception.record.code == IN_PAGE_ERROR;
    let no_cause =
        verifier::other_reason(case.lock.failure).is_some() || verifier::is_guessed(case);
    let unexplained = case.lock.failure == Failure::OtherAccess || not_read_in || no_cause;
    refused
        || no_events
        || is_of_another_handle(case)
        || unexplained
        || dump.system.is_wow64_from_64_bit()
}

/// The kernel recorded that another handle was passed than the section holds: it was written to since, or it is not the
/// section that failed.
fn is_of_another_handle(case: Case<'_, '_>) -> bool {
    let recorded =
        case.history.filter(|history| history.operations.iter().any(|one| one.is_failure));
    let raw = case.section.and_then(|section| section.raw).filter(|raw| !raw.is_all_zero());
    recorded.zip(raw).is_some_and(|(history, raw)| history.value != raw.lock_semaphore & !3)
}

/// Without a handle stream nothing says that the slot is empty, or that the section's event is not open under
/// another value: that its handle was closed cannot be decided, unless a waiter is seen to wait for it, or the handle trace
/// shows the closing. A waiter sleeps on a copy's handle too.
fn needs_handle_stream(case: Case<'_, '_>, ranked: &[RankedCause], findings: &[Finding]) -> bool {
    let of_handle =
        ranked.first().is_some_and(|top| matches!(top.cause, Cause::HandleClosed | Cause::Copied));
    let by_trace = [FindingId::HandleClosedByOtherCode, FindingId::HandleClosedByOtherDelete];
    let by_waiters = ranked.first().is_some_and(|top| top.cause == Cause::HandleClosed)
        && has(findings, FindingId::WaitersUseThisHandle);
    of_handle && !has_handles(case) && !by_waiters && !by_trace.iter().any(|id| has(findings, *id))
}

/// Whether the section may be another one, of which the dump holds nothing.
///
/// - situation: a dump of the stacks alone holds hardly any section, and the address that a fault or a word of the stack leads to is tried in
///   its place.
/// - example: Enter writes to 0x5C5C5C5C + 10h through the damaged DebugInfo of a section in the heap: with 4h for the field, 0x5C5C5C68 would be a
///   section that never was.
/// - handling: in such a dump only the call site, the passed argument and a field of the section that the faulting instruction accesses tell which it is.
///   In any dump an address without memory that one register alone holds may be what was read out of the section: 0xFF808270FF808270, from pixels.
///   So may memory that registers and words of the stack alone lead a failed wait to, when what a section begins with is not there: those of an earlier call lie there, too.
/// - test: `a_fault_alone_names_no_section_in_a_dump_of_stacks`, `a_wild_value_in_one_register_is_not_surely_the_section`,
///   `small_dumps_are_never_not_applicable` (tests/accuracy).
fn may_be_another(case: Case<'_, '_>, findings: &[Finding]) -> bool {
    let is_of_stacks =
        matches!(case.scene.dump.memory_kind, MemoryKind::StacksOnly | MemoryKind::None);
    let candidate = case.lock.located.as_ref().map(|located| &located.candidate);
    let is_loose =
        candidate.is_some_and(|candidate| candidate.raw.is_none() && candidate.is_one_value());
    let is_of_values = matches!(case.lock.failure, Failure::Wait(_))
        && has(findings, FindingId::HeadForeign)
        && candidate.is_some_and(Candidate::is_of_values);
    is_loose || is_of_values || is_of_stacks && !candidate.is_some_and(Candidate::is_proved)
}

/// Whether the dump holds enough to name a cause: the call is named, the section is found and its bytes are
/// there (or their absence is the failure), and one cause, or an undecidable pair, stands out.
fn is_decided(
    case: Case<'_, '_>,
    ranked: &[RankedCause],
    findings: &[Finding],
    readable: bool,
) -> bool {
    if needs_handle_stream(case, ranked, findings)
        || is_doubtful(case, ranked, findings)
        || may_be_another(case, findings)
    {
        return false;
    }
    let named = case.lock.source != OperationSource::Inferred;
    let speaks =
        matches!(case.lock.failure, Failure::SectionAccess | Failure::VerifierStop(Some(_)));
    let located = case.section.is_some() && (readable || speaks);
    let top = ranked.first().map_or(0.0, |entry| entry.probability);
    // Half of the evidence is missing: what is not sure without it stays open (design.md, diagnosis model).
    let stands_out = match has_handles(case) {
        true => top >= NAMED || pair(ranked).is_some(),
        false => top >= HIGH || pair(ranked).is_some() && pair_share(ranked) >= HIGH,
    };
    named && located && case.lock.failure != Failure::PossibleDeadlock && stands_out
}

/// The probability of the first two causes together.
fn pair_share(ranked: &[RankedCause]) -> f64 {
    ranked.iter().take(2).map(|entry| entry.probability).sum()
}

fn has_handles(case: Case<'_, '_>) -> bool {
    case.scene.dump.handles.as_ref().is_some_and(|table| !table.handles.is_empty())
}

fn statement(case: Case<'_, '_>, ranked: &[RankedCause], named: &[Cause], decided: bool) -> String {
    let what = verifier::happened(case.lock.failure, case.lock.operation, case.lock.source);
    if let Some(reason) = verifier::other_reason(case.lock.failure) {
        return format!("{what} because {reason}, which is none of the causes that csdump ranks.");
    }
    let share = |count| percent(ranked.iter().take(count).map(|entry| entry.probability).sum());
    match (named, decided) {
        ([one, other], _) => format!(
            "{what} because either {} or {} ({} together; the dump cannot tell which).",
            clause(case, *one),
            clause(case, *other),
            share(2)
        ),
        ([cause, ..], true) => format!("{what} because {} ({}).", clause(case, *cause), share(1)),
        ([cause, ..], false) => format!(
            "{what}, but the dump does not hold enough to say why; likeliest, at {}, is that {}.",
            share(1),
            clause(case, *cause)
        ),
        ([], _) => {
            format!("{what}, but the dump does not hold enough to say why; no cause stands out.")
        }
    }
}

/// What the cause says, and by whom, where the handle trace names the code that did it.
fn clause(case: Case<'_, '_>, cause: Cause) -> String {
    let closing =
        case.history.and_then(|history| Some((history.value, history::closing(history)?)));
    match (cause, closing) {
        (Cause::HandleClosed, Some((value, Closing::ByOtherCode(one)))) => format!(
            "its event handle {value:#x} was closed by other code: {}",
            history::by_whom(one)
        ),
        (Cause::Deleted, Some((_, Closing::Deleted(one)))) => {
            format!("{}: {}", cause.clause(), history::by_whom(one))
        }
        (Cause::Copied, Some((_, Closing::Deleted(one)))) => {
            format!("{}; the original was deleted: {}", cause.clause(), history::by_whom(one))
        }
        _ => cause.clause().to_owned(),
    }
}

/// Nothing read from a dump is certain.
fn percent(probability: f64) -> String {
    if probability >= 0.995 { ">99 %".into() } else { format!("{:.0} %", probability * 100.0) }
}
