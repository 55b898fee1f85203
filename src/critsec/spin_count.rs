//! `SpinCount`: flags in the top byte of its low 32 bits, the count below (critical-sections.md 1.3).

/// `RTL_CRITICAL_SECTION_FLAG_NO_DEBUG_INFO` (winnt.h).
pub const NO_DEBUG_INFO: u64 = 0x0100_0000;
/// `RTL_CRITICAL_SECTION_FLAG_DYNAMIC_SPIN` (winnt.h).
pub const DYNAMIC_SPIN: u64 = 0x0200_0000;
/// `RTL_CRITICAL_SECTION_FLAG_STATIC_INIT` (winnt.h).
pub const STATIC_INIT: u64 = 0x0400_0000;
/// `RTL_CRITICAL_SECTION_FLAG_RESOURCE_TYPE` (winnt.h).
pub const RESOURCE_TYPE: u64 = 0x0800_0000;
/// `RTL_CRITICAL_SECTION_FLAG_FORCE_DEBUG_INFO` (winnt.h): an argument, never stored.
pub const FORCE_DEBUG_INFO: u64 = 0x1000_0000;

const COUNT_MASK: u64 = 0x00FF_FFFF;
const STORED_FLAGS: u64 = NO_DEBUG_INFO | DYNAMIC_SPIN | STATIC_INIT | RESOURCE_TYPE;
/// The range in which a dynamic spin count moves (critical-sections.md 1.3).
const DYNAMIC_RANGE: std::ops::RangeInclusive<u64> = 0x64..=0x7D0;
/// A spin count that programs choose; more than 16 bits is unheard of (observed: 0 to 0x1388).
const SANE_COUNT: u64 = 0xFFFF;

/// The names of the flags that are set, in ascending order.
#[must_use]
pub fn flags(spin_count: u64) -> Vec<&'static str> {
    [
        (NO_DEBUG_INFO, "no-debug-info"),
        (DYNAMIC_SPIN, "dynamic-spin"),
        (STATIC_INIT, "static-init"),
        (RESOURCE_TYPE, "resource-type"),
        (FORCE_DEBUG_INFO, "force-debug-info"),
    ]
    .into_iter()
    .filter(|(bit, _)| spin_count & bit != 0)
    .map(|(_, name)| name)
    .collect()
}

/// Whether initialisation, and contention after it, can have left this value.
///
/// - situation: a section's last field shows damage that the others hide.
/// - example: `0x020007D0` (Windows 8 and later), `0xFA0` (4000 asked for), 0 (Windows 7); never `0x41414141`.
/// - handling: upper half zero, stored flags only, a dynamic count inside 0x64..=0x7D0, others below 65,536.
/// - test: `plausible_values`.
#[must_use]
pub fn is_plausible(spin_count: u64) -> bool {
    let count = spin_count & COUNT_MASK;
    let known_bits = spin_count & !(COUNT_MASK | STORED_FLAGS) == 0;
    let dynamic = spin_count & DYNAMIC_SPIN != 0;
    known_bits
        && if dynamic { count == 0 || DYNAMIC_RANGE.contains(&count) } else { count <= SANE_COUNT }
}

/// Whether a value shows by itself that initialisation stored it.
///
/// - situation: 0 and small numbers stand everywhere, so that a field which holds one proves nothing.
/// - example: 0x020007D0, 4000 and 0x400 are told from other data; 0 and 379 are not.
/// - handling: plausible, with a stored flag, or a count of at least 100 that people choose: a multiple of 100, a power of 2.
/// - test: `telling_values`.
#[must_use]
pub fn is_telling(spin_count: u64) -> bool {
    let count = spin_count & COUNT_MASK;
    let chosen = count >= 100 && (count.is_multiple_of(100) || count.is_power_of_two());
    is_plausible(spin_count) && (spin_count & STORED_FLAGS != 0 || chosen)
}

/// What a version of Windows can have left in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpinCountState {
    /// What its initialisation stores.
    Plausible,
    /// Possible, but not what its initialisation stores; why, in words.
    Unusual(&'static str),
    /// Impossible.
    Implausible,
}

/// Judges a value by the version (major and minor; `None` where unknown or not Windows) and the number of processors
/// (critical-sections.md 0.1, 1.3).
///
/// - situation: what initialisation stores depends on version and processors.
/// - example: 0 is what Windows 7 stores, and what Windows 10 stores on one processor only; flags came with Vista.
/// - handling: [`is_plausible`], and beyond it: no flags before Vista; 0 from Windows 8 on needs one processor, or a
///   static initialiser; a dynamic count of 0 needs one processor.
/// - test: `versions_store_different_values`.
#[must_use]
pub fn judge(
    spin_count: u64,
    version: Option<(u32, u32)>,
    processors: Option<u32>,
) -> SpinCountState {
    if !is_plausible(spin_count) {
        return SpinCountState::Implausible;
    }
    let several = processors.is_some_and(|count| count > 1);
    let has_flags = spin_count & STORED_FLAGS != 0;
    let count = spin_count & COUNT_MASK;
    match version {
        Some((4 | 5, _)) if has_flags => {
            SpinCountState::Unusual("has flags, which Windows knows since Vista")
        }
        Some((6, 2..) | (10, _)) if spin_count == 0 && several => {
            SpinCountState::Unusual("is not what this Windows stores on several processors")
        }
        Some(_) if several && spin_count & DYNAMIC_SPIN != 0 && count == 0 => {
            SpinCountState::Unusual("spins dynamically, but not at all, on several processors")
        }
        _ => SpinCountState::Plausible,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_values() {
        for value in [0x0200_07D0, 0x0100_0FA0, 4000, 0x400, 1500] {
            assert!(is_telling(value), "{value:#x}");
        }
        for value in [0, 4, 379, 0x11C3, 0x4141_4141] {
            assert!(!is_telling(value), "{value:#x}");
        }
    }

    #[test]
    fn versions_store_different_values() {
        let of = |value, version, processors| judge(value, Some(version), Some(processors));
        let is_unusual = |state| matches!(state, SpinCountState::Unusual(_));
        assert_eq!(of(0, (6, 1), 4), SpinCountState::Plausible);
        assert_eq!(of(0x0200_07D0, (10, 0), 4), SpinCountState::Plausible);
        assert_eq!(of(0x0200_0000, (10, 0), 1), SpinCountState::Plausible);
        assert_eq!(of(0, (10, 0), 1), SpinCountState::Plausible);
        assert_eq!(of(0xFA0, (5, 1), 4), SpinCountState::Plausible);
        assert!(is_unusual(of(0, (10, 0), 4)));
        assert!(is_unusual(of(0x0200_07D0, (5, 1), 4)));
        assert!(is_unusual(of(0x0200_0000, (6, 1), 4)));
        assert_eq!(of(0x4141_4141, (10, 0), 4), SpinCountState::Implausible);
        assert_eq!(judge(0, None, Some(4)), SpinCountState::Plausible, "not Windows");
    }

    #[test]
    fn plausible_values() {
        // Values read from the dumps of dumps/INDEX.md, fact 8.
        for value in [
            0,
            0x0200_07D0,
            0x0200_07CF,
            0x0400_0FA0,
            0x0600_0000,
            0x0400_0000,
            0x0100_05DC,
            0xFA0,
            0x1388,
            0x64,
        ] {
            assert!(is_plausible(value), "{value:#x}");
        }
        for value in [
            0x4141_4141,
            0xFFFF_FFFF,
            0x0200_0001,
            0x1_0000_0000,
            0xABAB_ABAB_ABAB_ABAB,
            0x00FE_DCBA,
        ] {
            assert!(!is_plausible(value), "{value:#x}");
        }
    }

    #[test]
    fn names_flags() {
        assert_eq!(flags(0x0600_0000), ["dynamic-spin", "static-init"]);
        assert!(flags(0xFA0).is_empty());
    }
}
