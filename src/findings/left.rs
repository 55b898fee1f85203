//! What the counts of a section say that was left by somebody who may not have owned it (0xC0000264).

use super::handle::{SMALLEST_TELLING, words_of_wait};
use super::possible;
use super::threads::{has_wait_blocks, parked_threads};
use super::{Case, EventMode, Finding, FindingId, field_at, has};
use crate::crash::operation::{Failure, Operation};
use crate::crash::replay::{Given, Past, Replay};
use crate::critsec::layout::Layout;
use crate::critsec::{lock_count, wait_blocks};

/// Functions by which a thread pool leaves a section when a callback comes back (learn.microsoft.com,
/// "LeaveCriticalSectionWhenCallbackReturns"; the other is ntdll's, which kernel32 forwards it to).
const LATE: [&str; 2] =
    ["LeaveCriticalSectionWhenCallbackReturns", "TpCallbackLeaveCriticalSectionOnCompletion"];
/// Counts beyond this are damage ([`super::integrity`]).
const LARGEST: i32 = 65536;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    if case.lock.failure == Failure::NotOwner {
        free_yet_nobody_woken(case, findings);
        left_too_often(case, findings);
        sleepers_not_counted(case, findings);
    }
}

/// `LockCount` says that the section is free, that threads wait, and that none was woken.
///
/// - situation: whoever frees a section that others wait for marks one of them as woken, in the same step or (Vista) in the next
///   (critical-sections.md 2.2); a count that was moved by other code lacks the mark.
/// - example: LockCount -14 (locked, three waiters) counted up to -13 by a stale counter.
/// - handling: bits 0 and 1 set, with one waiter or more and no more than the process has threads: any other number is no count.
/// - test: `a_free_section_wakes_its_waiters`.
fn free_yet_nobody_woken(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    let Some(raw) = section.raw else { return };
    let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
    let threads = case.scene.dump.threads.len();
    let is_count =
        usize::try_from(state.waiters).is_ok_and(|waiters| (1..=threads).contains(&waiters));
    if !state.locked && state.waiter_woken == Some(false) && is_count {
        findings.push(Finding::new(
            FindingId::FreeYetNobodyWoken,
            format!(
                "LockCount {} says that the section is free, that {} thread(s) wait, and that none of them was woken.",
                raw.lock_count, state.waiters
            ),
            field_at(section, Layout::of(section.width).lock_count),
        ));
    }
}

/// `RecursionCount` is below zero.
///
/// - situation: each Leave counts RecursionCount down, and returns silently where that does not give 0; a Leave without an Enter
///   takes it below zero.
/// - example: RecursionCount -7, where a loop has left a section that it had not entered.
/// - handling: down to -65536, below which it is no count; not where the bytes are a fill. The Leave that failed took it to 0: others
///   have left since, or an earlier one had.
/// - test: `a_count_below_zero_was_left_too_often`.
fn left_too_often(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    if FindingId::FILLS.iter().any(|id| has(findings, *id)) {
        return;
    }
    if let Some(raw) = section.raw.filter(|raw| (-LARGEST..0).contains(&raw.recursion_count)) {
        findings.push(Finding::new(
            FindingId::LeftTooOften,
            format!(
                "RecursionCount is {}: it was left more often than entered.",
                raw.recursion_count
            ),
            field_at(section, Layout::of(section.width).recursion_count),
        ));
    }
}

/// More threads sleep at the section than `LockCount` counts.
///
/// - situation: every thread that goes to sleep counts itself first; a count that other code has written knows nothing of them.
/// - example: LockCount -1, free and without waiters, while two threads wait for its event.
/// - handling: threads whose wait shows the section's address and the event in LockSemaphore (old words can look so), or whose wait
///   blocks name LockCount;
///   one who was woken is no longer counted.
/// - test: `sleepers_are_counted`.
fn sleepers_not_counted(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    let Some(raw) = section.raw else { return };
    let event = raw.lock_semaphore;
    let is_event = event >= SMALLEST_TELLING
        && event != section.width.all_ones()
        && case.platform.events != EventMode::Impossible;
    let parked = parked_threads(case);
    let waits = parked.iter().filter(|held| words_of_wait(case, held).contains(&event));
    let by_event = if is_event { waits.count() } else { 0 };
    let by_address = Some(section.address).filter(|_| has_wait_blocks(case));
    let by_address = by_address
        .and_then(|address| wait_blocks::waiters(case.scene.dump, address))
        .unwrap_or_default();
    let sleeping = by_event.max(by_address.len());
    let state = lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count);
    let woken = u32::from(state.waiter_woken == Some(true));
    let counted = usize::try_from(state.waiters.saturating_add(woken)).unwrap_or(usize::MAX);
    if sleeping > counted {
        findings.push(Finding::new(
            FindingId::SleepersNotCounted,
            format!(
                "{sleeping} thread(s) sleep at the section, of whom LockCount {} knows {counted}.",
                raw.lock_count
            ),
            "registers and stacks of the other threads",
        ));
    }
}

/// Whether a call of this name can be a Leave of its first argument.
fn may_be(name: &str) -> bool {
    name.is_empty() || Operation::of_function(name) == Some(Operation::Leave)
}

/// Whoever can have left the section had entered it before.
///
/// - situation: Leave finds a section free that its thread is in when another thread leaves it at the same time, without having entered it, or
///   when its counts were written over; either thread may be the one that fails. The first takes code that leaves what it has not entered.
/// - example: `EnterCriticalSection(&m->lock); …; m->by_class[class]++; LeaveCriticalSection(&m->lock);`, in all threads alike.
/// - handling: all code that can have run was followed; on each way to each Leave that can be this section's, the failed one too, an Enter of
///   the same value comes before, which no other Leave has undone. A TryEnter counts for nothing, what it gave back may not have been looked at;
///   what the dump lacks, and a function whose name is looked up and not known, may leave it, and so may a thread pool that leaves sections for its
///   callbacks.
/// - test: `who_leaves_has_entered` (tests/accuracy).
pub(super) fn balanced(case: Case<'_, '_>, replay: &Replay, findings: &mut Vec<Finding>) {
    let is_asked = case.lock.failure == Failure::NotOwner && !possible::has_lost_code(case);
    let calls = replay.possible.as_ref().filter(|_| is_asked);
    let (Some(calls), Some(section)) = (calls, case.section) else { return };
    let is_other = |call: &Past| matches!(call.arguments.first(), Some(Given::Value(value)) if *value != section.address);
    let is_bad = |call: &Past| {
        LATE.contains(&call.name.as_str())
            || call.is_unmatched && !(is_other(call) && may_be(&call.name))
    };
    if replay.is_held && !calls.iter().any(is_bad) {
        findings.push(Finding::new(
            FindingId::LeavesFollowEnters,
            "Each Leave of it in the code that can have run follows an Enter of it.",
            "code of the program's modules, as far as the dump holds it",
        ));
    }
}
