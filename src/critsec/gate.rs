//! The gate: what a section must look like right after a Leave whose signal failed.
//!
//! Leave has by then set `RecursionCount` and `OwningThread` to 0 and released `LockCount`, and it signals
//! only a `LockSemaphore` other than 0 and -1 (critical-sections.md 2.2 and 3.1). Memory that does not look
//! so cannot be the section of a failed signal, with the exceptions named in [`Gate`].

use super::layout::RawCriticalSection;
use super::lock_count::{LockCountEncoding, is_after_signal};
use crate::dump::memory::PointerWidth;

/// What the gate says of a readable candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// The state that a Leave leaves at the moment it signals.
    AfterSignal,
    /// Every byte is zero: deleted while Leave was about to signal.
    AllZero,
    /// The state after the signal, and another live thread has entered since.
    BargedIn,
    /// No Leave that signals leaves this behind; the reason in words.
    Refused(&'static str),
}

impl Gate {
    /// Whether a failed signal can have left the section so.
    #[must_use]
    pub fn passes(self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// Puts a section through the gate. `is_live_thread` answers whether a value is the id of a thread in the
/// dump other than the one that left the section.
#[must_use]
pub fn judge(
    raw: &RawCriticalSection,
    encoding: LockCountEncoding,
    width: PointerWidth,
    is_live_thread: impl Fn(u64) -> bool,
) -> Gate {
    if raw.is_all_zero() {
        return Gate::AllZero;
    }
    if raw.lock_semaphore == 0 {
        return Gate::Refused("LockSemaphore is 0: there was no handle to signal");
    }
    if raw.lock_semaphore == width.all_ones() {
        return Gate::Refused("LockSemaphore is -1: waiters use no handle");
    }
    if raw.recursion_count == 0 && raw.owning_thread == 0 {
        return if is_after_signal(encoding, raw.lock_count) {
            Gate::AfterSignal
        } else {
            Gate::Refused("LockCount is not that of a section just released to a waiter")
        };
    }
    if has_barged_in(raw, encoding) && is_live_thread(raw.owning_thread) {
        return Gate::BargedIn;
    }
    Gate::Refused("RecursionCount and OwningThread are not cleared")
}

/// In the flags encoding a released section is open to any thread before the woken waiter takes it
/// (critical-sections.md 2.2); in the counting encoding nobody can get in.
fn has_barged_in(raw: &RawCriticalSection, encoding: LockCountEncoding) -> bool {
    encoding == LockCountEncoding::Flags
        && raw.lock_count & 1 == 0
        && raw.lock_count < -2
        && raw.recursion_count >= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_throw() -> RawCriticalSection {
        RawCriticalSection {
            debug_info: u64::MAX,
            lock_count: -3,
            recursion_count: 0,
            owning_thread: 0,
            lock_semaphore: 0x18,
            spin_count: 0,
        }
    }

    fn flags(raw: &RawCriticalSection) -> Gate {
        judge(raw, LockCountEncoding::Flags, PointerWidth::Eight, |id| id == 0x44)
    }

    #[test]
    fn the_state_at_the_throw_passes() {
        for lock_count in [-3, -7, -11] {
            assert_eq!(flags(&RawCriticalSection { lock_count, ..at_throw() }), Gate::AfterSignal);
        }
        let counting = RawCriticalSection { lock_count: 0, ..at_throw() };
        let gate = judge(&counting, LockCountEncoding::Counting, PointerWidth::Four, |_| false);
        assert_eq!(gate, Gate::AfterSignal);
    }

    #[test]
    fn healthy_neighbours_do_not_pass() {
        let free = RawCriticalSection { lock_count: -1, ..at_throw() };
        let locked = RawCriticalSection {
            lock_count: -2,
            recursion_count: 1,
            owning_thread: 0x44,
            ..at_throw()
        };
        let no_event = RawCriticalSection { lock_semaphore: 0, ..at_throw() };
        let wait_on_address = RawCriticalSection { lock_semaphore: u64::MAX, ..at_throw() };
        for raw in [free, locked, no_event, wait_on_address] {
            assert!(!flags(&raw).passes(), "{raw:?}");
        }
    }

    #[test]
    fn the_named_exceptions_pass() {
        let zero = RawCriticalSection {
            debug_info: 0,
            lock_count: 0,
            recursion_count: 0,
            owning_thread: 0,
            lock_semaphore: 0,
            spin_count: 0,
        };
        assert_eq!(flags(&zero), Gate::AllZero);
        let barged = RawCriticalSection {
            lock_count: -4,
            recursion_count: 1,
            owning_thread: 0x44,
            ..at_throw()
        };
        assert_eq!(flags(&barged), Gate::BargedIn);
        assert!(!flags(&RawCriticalSection { owning_thread: 0x45, ..barged }).passes());
    }
}
