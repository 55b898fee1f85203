//! `LockCount`: two encodings, and what each says.
//!
//! NT4 to Server 2003 without a service pack count threads up from -1; Server 2003 SP1 and later pack two
//! flags and a complemented count into the same word (critical-sections.md 2.1, 2.2; Microsoft's
//! "Displaying a critical section").

/// How `LockCount` is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockCountEncoding {
    /// -1 free; every Enter adds one. NT4, 2000, XP, Server 2003 RTM; Wine and ReactOS always.
    Counting,
    /// Bit 0 clear: locked; bit 1 clear: a waiter was woken; the rest: complemented count of waiters.
    Flags,
}

impl LockCountEncoding {
    /// Stable name for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counting => "counting (before Server 2003 SP1)",
            Self::Flags => "flags (Server 2003 SP1 and later)",
        }
    }

    /// The encoding of a Windows version, and `None` for 5.2 x86 without a known service pack, where only
    /// the data can tell (critical-sections.md 2.3).
    #[must_use]
    pub fn of_version(
        major: u32,
        minor: u32,
        is_x64: bool,
        service_pack: Option<bool>,
    ) -> Option<Self> {
        match (major, minor) {
            (0..=4, _) | (5, 0 | 1) => Some(Self::Counting),
            (5, 2) if is_x64 => Some(Self::Flags),
            (5, 2) => service_pack.map(|has| if has { Self::Flags } else { Self::Counting }),
            _ => Some(Self::Flags),
        }
    }
}

/// What a `LockCount` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockState {
    /// A thread is inside the section.
    pub locked: bool,
    /// A waiter was woken and is on its way; `None` in the counting encoding, which has no such flag.
    pub waiter_woken: Option<bool>,
    /// Threads counted as waiting.
    pub waiters: u32,
}

/// Decodes `LockCount`. `recursion_count` matters in the counting encoding only, where the owner's own
/// recursive entries are counted with the waiters.
#[must_use]
pub fn decode(encoding: LockCountEncoding, lock_count: i32, recursion_count: i32) -> LockState {
    match encoding {
        LockCountEncoding::Counting => decode_counting(lock_count, recursion_count),
        LockCountEncoding::Flags => LockState {
            locked: lock_count & 1 == 0,
            waiter_woken: Some(lock_count & 2 == 0),
            waiters: (lock_count.cast_unsigned() ^ u32::MAX) >> 2,
        },
    }
}

fn decode_counting(lock_count: i32, recursion_count: i32) -> LockState {
    let entries = lock_count.saturating_add(1).max(0).cast_unsigned();
    let own = recursion_count.max(0).cast_unsigned();
    LockState {
        locked: recursion_count > 0,
        waiter_woken: None,
        waiters: entries.saturating_sub(own),
    }
}

/// The number of waiters before a Leave whose signal failed, read from the `LockCount` it left behind:
/// Leave has already released the section and, in the flags encoding, taken the waiter to be woken out
/// of the count (critical-sections.md 2.2, "key for csdump").
#[must_use]
pub fn waiters_before_signal(encoding: LockCountEncoding, lock_count: i32) -> u32 {
    let after = decode(encoding, lock_count, 0).waiters;
    match encoding {
        LockCountEncoding::Counting => after,
        LockCountEncoding::Flags => after.saturating_add(1),
    }
}

/// Whether `LockCount` is one that a Leave leaves behind when it signals a waiter: 0 or more in the counting
/// encoding; free and woken (`& 3 == 1`) in the flags encoding (critical-sections.md 2.2 and 3.1).
#[must_use]
pub fn is_after_signal(encoding: LockCountEncoding, lock_count: i32) -> bool {
    match encoding {
        LockCountEncoding::Counting => lock_count >= 0,
        LockCountEncoding::Flags => lock_count & 3 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LockCountEncoding::{Counting, Flags};
    use proptest::prelude::*;

    #[test]
    fn microsofts_example_says_locked_and_five_waiters() {
        let state = decode(Flags, -22, 1);
        assert_eq!(state, LockState { locked: true, waiter_woken: Some(false), waiters: 5 });
        assert_eq!(decode(Counting, 5, 1).waiters, 5);
    }

    #[test]
    fn windows_7_throw_values_give_back_the_waiters() {
        for (lock_count, waiters) in [(-3, 1), (-7, 2), (-11, 3)] {
            assert!(is_after_signal(Flags, lock_count));
            assert_eq!(waiters_before_signal(Flags, lock_count), waiters);
        }
        assert_eq!(waiters_before_signal(Counting, 0), 1);
    }

    #[test]
    fn the_version_rule() {
        let rule = LockCountEncoding::of_version;
        assert_eq!(rule(5, 1, false, Some(true)), Some(Counting));
        assert_eq!(rule(5, 2, false, Some(false)), Some(Counting));
        assert_eq!(rule(5, 2, false, Some(true)), Some(Flags));
        assert_eq!(rule(5, 2, false, None), None);
        assert_eq!(rule(5, 2, true, None), Some(Flags));
        assert_eq!(rule(10, 0, false, None), Some(Flags));
    }

    proptest! {
        #[test]
        fn flags_round_trip(locked: bool, woken: bool, waiters in 0u32..(1 << 30)) {
            let packed = ((waiters << 2) ^ u32::MAX) & !3 | u32::from(!locked) | (u32::from(!woken) << 1);
            let state = decode(Flags, packed.cast_signed(), 0);
            prop_assert_eq!(state, LockState { locked, waiter_woken: Some(woken), waiters });
        }

        #[test]
        fn counting_round_trip(recursion in 0i32..1000, waiters in 0i32..1000) {
            let state = decode(Counting, recursion + waiters - 1, recursion);
            prop_assert_eq!(state.waiters, waiters.cast_unsigned());
            prop_assert_eq!(state.locked, recursion > 0);
        }
    }
}
