//! Values that allocators and debuggers fill memory with (critical-sections.md 8).

use crate::dump::memory::PointerWidth;

/// What a fill pattern means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Memory handed out and not yet written.
    Allocated,
    /// Memory given back.
    Freed,
    /// One or the other, depending on the allocator.
    Either,
}

/// Patterns by the 32-bit word they repeat (critical-sections.md 8; who fills so stands in the third column).
pub const PATTERNS: &[(u32, Meaning, &str)] = &[
    (0xBAAD_F00D, Meaning::Allocated, "the Win32 heap under a debugger"),
    (0xABAB_ABAB, Meaning::Allocated, "PartitionAlloc, tcmalloc debug, or the Win32 heap's guard"),
    (0xE4E4_E4E4, Meaning::Allocated, "mozjemalloc"),
    (0xCCCC_CCCC, Meaning::Allocated, "MSVC run-time checks (stack)"),
    (0xE0E0_E0E0, Meaning::Allocated, "light page heap"),
    (0xC0C0_C0C0, Meaning::Allocated, "full page heap"),
    (0xD0D0_D0D0, Meaning::Allocated, "mimalloc debug or page heap's suffix"),
    (0xA5A5_A5A5, Meaning::Allocated, "jemalloc"),
    (0xBEBE_BEBE, Meaning::Allocated, "address sanitizer"),
    (0xFEEE_FEEE, Meaning::Freed, "the Win32 heap under a debugger"),
    (0xEFEF_EFEF, Meaning::Freed, "PartitionAlloc's quarantine"),
    (0xE5E5_E5E5, Meaning::Freed, "mozjemalloc"),
    (0xF0F0_F0F0, Meaning::Freed, "page heap"),
    (0xDFDF_DFDF, Meaning::Freed, "mimalloc debug"),
    (0x5A5A_5A5A, Meaning::Freed, "jemalloc"),
    (0x8080_8080, Meaning::Freed, "FastMM4"),
    (0xCDCD_CDCD, Meaning::Either, "MSVC debug (allocated) or PartitionAlloc and tcmalloc (freed)"),
    (0xDDDD_DDDD, Meaning::Either, "MSVC debug (freed) or CPython (freed)"),
    (0xDEAD_BEEF, Meaning::Either, "many programs"),
];

/// The pattern at a pointer's width.
#[must_use]
pub fn widened(word: u32, width: PointerWidth) -> u64 {
    let low = u64::from(word);
    match width {
        PointerWidth::Four => low,
        PointerWidth::Eight => low | (low << 32),
    }
}

/// Whether a value is a fill pattern at a pointer's width.
#[must_use]
pub fn is_pattern(value: u64, width: PointerWidth) -> bool {
    PATTERNS.iter().any(|(word, ..)| widened(*word, width) == value)
}
