//! The other threads: who really waits at the section, and what their stacks remember.

use super::{Case, Finding, FindingId, field_at, has};
use crate::crash::operation::{Failure, Operation};
use crate::crash::waits::{Held, MAX_THREADS};
use crate::critsec::layout::RawCriticalSection;
use crate::critsec::{CriticalSection, has_live_owner, lock_count, wait_blocks};
use crate::dump::Dump;

/// Bytes around a stack pointer searched for the remains of a call.
const RESIDUE: u64 = 0x1000;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    waiters(case, findings);
    owner(case, findings);
    delete_residue(case, findings);
}

/// Threads parked at the section.
///
/// - situation: LockCount counts waiters; whether they exist shows whether it is a count at all.
/// - example: a thread in NtWaitForSingleObject under RtlpWaitOnCriticalSection, with the section's address in its
///   frames.
/// - handling: a thread other than the faulting one counts when the address of the section or of its LockCount
///   stands in its registers or in the top 0x400 bytes of its stack; the owner, who is inside, does not wait.
/// - test: `waiters_are_counted` (tests/accuracy).
pub(super) fn parked_threads<'c>(case: Case<'c, '_>) -> Vec<&'c Held> {
    let (Some(section), Some(located)) = (case.section, case.lock.located.as_ref()) else {
        return Vec::new();
    };
    let owner = section.raw.filter(|raw| raw.recursion_count > 0).map(|raw| raw.owning_thread);
    let waits = located.waits.at(section.address, section.width);
    waits.filter(|held| Some(u64::from(held.thread_id)) != owner).collect()
}

/// The pointer-sized words of memory from `start` on, with their addresses; where the dump has none (most hold nothing
/// below a stack pointer), they are left out.
fn words<'c>(
    case: Case<'c, '_>,
    start: u64,
    bytes: u64,
) -> impl Iterator<Item = (u64, u64)> + use<'c> {
    let memory = &case.scene.dump.memory;
    let width = case.scene.dump.system.pointer_width;
    let step = width.bytes();
    (0..bytes.checked_div(step).unwrap_or(0)).filter_map(move |index| {
        let address = start.checked_add(index.checked_mul(step)?)?;
        Some((address, memory.pointer(address, width)?))
    })
}

fn waiters(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    let Some(raw) = section.raw.filter(|raw| !raw.is_all_zero()) else { return };
    let counted = match case.lock.failure {
        Failure::Signal(_) => lock_count::waiters_before_signal(section.encoding, raw.lock_count),
        _ => return,
    };
    let parked = parked_threads(case).len();
    let source = "registers and stacks of the other threads";
    let counted_threads = usize::try_from(counted).unwrap_or(usize::MAX);
    let complete = case.lock.located.as_ref().is_some_and(|located| located.waits.complete);
    let missing = parked == 0 && counted > 0 && complete;
    if parked > 0 && parked >= counted_threads {
        findings.push(Finding::new(
            FindingId::WaitersParked,
            format!("{parked} other thread(s) refer to the section at the top of their stacks; LockCount counts {counted} waiter(s) before the call."),
            source,
        ));
    } else if missing && !has(findings, FindingId::ProcessExiting) {
        findings.push(Finding::new(
            FindingId::WaitersMissing,
            format!(
                "LockCount counts {counted} waiter(s), but no other thread refers to the section."
            ),
            source,
        ));
    } else if missing {
        findings.push(Finding::new(
            FindingId::WaitersGoneAtExit,
            format!("LockCount counts {counted} waiter(s), whom the end of the process has ended."),
            source,
        ));
    }
    by_address(case, counted_threads, missing, findings);
}

/// Whether this Windows lists in the PEB who waits by address: since Windows 8.
pub(super) fn has_wait_blocks(case: Case<'_, '_>) -> bool {
    let os = &case.scene.dump.system.os;
    !case.platform.is_wine && (os.major > 6 || os.major == 6 && os.minor >= 2)
}

/// What the wait blocks say of the waiters that LockCount counts; see [`wait_blocks::waiters`].
fn by_address(case: Case<'_, '_>, counted: usize, missing: bool, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    if !has_wait_blocks(case) {
        return;
    }
    let Some(waiting) = wait_blocks::waiters(case.scene.dump, section.address) else { return };
    let source = "PEB.WaitOnAddressHashTable and wait blocks";
    if !waiting.is_empty() {
        findings.push(Finding::new(
            FindingId::WaitersByAddress,
            format!(
                "{} thread(s) wait by address at LockCount, which counts {counted}: the first is {:#x}.",
                waiting.len(),
                waiting.first().copied().unwrap_or_default()
            ),
            source,
        ));
    } else if missing && !has(findings, FindingId::ProcessExiting) {
        findings.push(Finding::new(
            FindingId::NoWaiterByAddress,
            format!("LockCount counts {counted} waiter(s), but no thread waits by address there."),
            source,
        ));
    }
}

/// The owner, where it is no thread of the process.
///
/// - situation: a thread ended while it was inside; or OwningThread is not what ntdll wrote.
/// - example: RecursionCount 1, OwningThread 0xA5C, which the thread list does not have.
/// - handling: with RecursionCount of 1 or more, an id that ThreadInfoList marks as exited, or that no list has; not
///   where the dump lists no threads.
/// - test: `an_owner_that_is_gone_is_named`.
fn owner(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section else { return };
    let dump = case.scene.dump;
    let Some(raw) = section.raw.filter(|raw| raw.recursion_count >= 1 && raw.owning_thread != 0)
    else {
        return;
    };
    let is = |id: u32| u64::from(id) == raw.owning_thread;
    let exited = dump.exited_threads.iter().any(|id| is(*id));
    if dump.threads.is_empty() {
        return;
    }
    if !exited && dump.threads.iter().any(|thread| is(thread.id)) {
        inside(section, &raw, dump, findings);
        return;
    }
    let (id, text, source) = if exited {
        (FindingId::OwnerExited, "a thread that has exited", "ThreadInfoList")
    } else {
        (FindingId::OwnerUnknown, "no thread of the process", "ThreadList")
    };
    findings.push(Finding::new(
        id,
        format!(
            "RecursionCount is {}, and the owner {:#x} is {text}.",
            raw.recursion_count, raw.owning_thread
        ),
        source,
    ));
}

/// A thread of the process is inside, and the counts agree with it.
///
/// - situation: whatever made the call fail, the section itself works: a thread has entered it and is still there.
/// - example: RecursionCount 1, OwningThread 0x24 of the thread list, LockCount -6.
/// - handling: LockCount says locked, with no more waiters than threads.
/// - test: `a_thread_inside_is_seen`.
fn inside(
    section: &CriticalSection,
    raw: &RawCriticalSection,
    dump: &Dump<'_>,
    findings: &mut Vec<Finding>,
) {
    if has_live_owner(dump, raw, section.encoding) {
        findings.push(Finding::new(
            FindingId::OwnerInside,
            format!(
                "Thread {:#x} is inside: OwningThread, RecursionCount and LockCount agree.",
                raw.owning_thread
            ),
            field_at(section, 0),
        ));
    }
}

/// A return address behind a call to RtlDeleteCriticalSection near a stack pointer: Delete was called there
/// shortly before. Looked for only where the section is zero.
///
/// - situation: below a stack pointer lie the remains of earlier calls.
/// - example: the address behind `call [DeleteCriticalSection]` on the stack of thread 8.
/// - handling: each word near each stack pointer behind which a call to Delete ends, by the call's target.
/// - test: `what_a_delete_left_on_a_stack_is_seen`.
fn delete_residue(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    if !has(findings, FindingId::SectionAllZero)
        && !has(findings, FindingId::SectionZeroThenEntered)
    {
        return;
    }
    for thread in case.scene.dump.threads.iter().take(MAX_THREADS) {
        let Some(context) = &thread.context else { continue };
        let start = context.get_stack_pointer().saturating_sub(RESIDUE);
        let step = case.scene.dump.system.pointer_width.bytes();
        let start = start.checked_next_multiple_of(step).unwrap_or(start);
        let all = words(case, start, RESIDUE.saturating_mul(2));
        if let Some((slot, _)) = all.into_iter().find(|(_, value)| is_after_delete(case, *value)) {
            findings.push(Finding::new(
                FindingId::DeleteResidue,
                format!("A return address behind a call to DeleteCriticalSection is left on the stack of thread {:#x}.", thread.id),
                format!("stack at {slot:#x}"),
            ));
            return;
        }
    }
}

fn is_after_delete(case: Case<'_, '_>, value: u64) -> bool {
    if case.scene.dump.module_at(value).is_none() {
        return false;
    }
    let callee = case.scene.call_site(value).and_then(|site| case.scene.callee(&site));
    let name = callee.as_ref().and_then(|callee| callee.name());
    name.and_then(Operation::of_function) == Some(Operation::Delete)
}
