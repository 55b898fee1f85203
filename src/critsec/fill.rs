//! Values that allocators and debuggers fill memory with (critical-sections.md 8).

use crate::dump::Module;
use crate::dump::memory::PointerWidth;

/// What a fill pattern means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Memory handed out and not yet written.
    Allocated,
    /// Memory given back.
    Freed,
    /// The space around blocks.
    Guard,
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
    (0xA5A5_A5A5, Meaning::Allocated, "jemalloc"),
    (0xBEBE_BEBE, Meaning::Allocated, "address sanitizer"),
    (0xAAAA_AAAA, Meaning::Allocated, "Clang's automatic initialisation (stack)"),
    (0xFEFE_FEFE, Meaning::Allocated, "Clang's automatic initialisation (stack)"),
    (0xE2E2_E2E2, Meaning::Allocated, "MSVC's automatic initialisation (stack)"),
    (0xCECE_CECE, Meaning::Allocated, "ChakraCore (stack)"),
    (0xFEEE_FEEE, Meaning::Freed, "the Win32 heap under a debugger"),
    (0xEFEF_EFEF, Meaning::Freed, "PartitionAlloc's quarantine"),
    (0xE5E5_E5E5, Meaning::Freed, "mozjemalloc"),
    (0xF0F0_F0F0, Meaning::Freed, "page heap"),
    (0xDFDF_DFDF, Meaning::Freed, "mimalloc debug"),
    (0x5A5A_5A5A, Meaning::Freed, "jemalloc"),
    (0x5555_5555, Meaning::Freed, "address sanitizer"),
    (0x8080_8080, Meaning::Freed, "FastMM4"),
    (0xFDFD_FDFD, Meaning::Guard, "MSVC debug or CPython"),
    (0xBDBD_BDBD, Meaning::Guard, "MSVC debug, aligned blocks"),
    (0xA0A0_A0A0, Meaning::Guard, "light page heap"),
    (0xDEDE_DEDE, Meaning::Guard, "mimalloc debug"),
    (0xD0D0_D0D0, Meaning::Either, "mimalloc debug (allocated) or full page heap's suffix"),
    (0xCDCD_CDCD, Meaning::Either, "MSVC debug (allocated) or PartitionAlloc and tcmalloc (freed)"),
    (0xDDDD_DDDD, Meaning::Either, "MSVC debug (freed) or CPython (freed)"),
    (0xDEAD_BEEF, Meaning::Either, "many programs"),
];

/// An allocator that a module shows to be in the process, and what it fills memory with.
struct Allocator {
    /// File names in lower case; `*` stands for any characters.
    modules: &'static [&'static str],
    name: &'static str,
    fills: &'static [(u32, Meaning)],
}

const ALLOCATORS: &[Allocator] = &[
    Allocator {
        modules: &["ucrtbased.dll", "msvcrtd.dll", "msvcr*d.dll", "vcruntime*d.dll"],
        name: "MSVC debug",
        fills: &[
            (0xCDCD_CDCD, Meaning::Allocated),
            (0xDDDD_DDDD, Meaning::Freed),
            (0xFDFD_FDFD, Meaning::Guard),
            (0xBDBD_BDBD, Meaning::Guard),
        ],
    },
    Allocator {
        modules: &["python3*.dll"],
        name: "CPython",
        fills: &[
            (0xCDCD_CDCD, Meaning::Allocated),
            (0xDDDD_DDDD, Meaning::Freed),
            (0xFDFD_FDFD, Meaning::Guard),
        ],
    },
    Allocator {
        modules: &["chrome.dll", "msedge.dll", "electron.exe", "libcef.dll"],
        name: "PartitionAlloc",
        fills: &[
            (0xABAB_ABAB, Meaning::Allocated),
            (0xCDCD_CDCD, Meaning::Freed),
            (0xEFEF_EFEF, Meaning::Freed),
        ],
    },
    Allocator {
        modules: &["libtcmalloc*.dll", "tcmalloc*.dll"],
        name: "tcmalloc debug",
        fills: &[(0xABAB_ABAB, Meaning::Allocated), (0xCDCD_CDCD, Meaning::Freed)],
    },
    Allocator {
        modules: &["mozglue.dll", "xul.dll"],
        name: "mozjemalloc",
        fills: &[(0xE4E4_E4E4, Meaning::Allocated), (0xE5E5_E5E5, Meaning::Freed)],
    },
    Allocator {
        modules: &["jemalloc*.dll"],
        name: "jemalloc",
        fills: &[(0xA5A5_A5A5, Meaning::Allocated), (0x5A5A_5A5A, Meaning::Freed)],
    },
    Allocator {
        modules: &["mimalloc*.dll"],
        name: "mimalloc debug",
        fills: &[
            (0xD0D0_D0D0, Meaning::Allocated),
            (0xDFDF_DFDF, Meaning::Freed),
            (0xDEDE_DEDE, Meaning::Guard),
        ],
    },
    Allocator {
        modules: &["clang_rt.asan*.dll"],
        name: "address sanitizer",
        fills: &[(0xBEBE_BEBE, Meaning::Allocated), (0x5555_5555, Meaning::Freed)],
    },
    Allocator {
        modules: &["verifier.dll"],
        name: "page heap",
        fills: &[
            (0xC0C0_C0C0, Meaning::Allocated),
            (0xE0E0_E0E0, Meaning::Allocated),
            (0xF0F0_F0F0, Meaning::Freed),
            (0xD0D0_D0D0, Meaning::Guard),
            (0xA0A0_A0A0, Meaning::Guard),
        ],
    },
];

impl Allocator {
    fn is_present(&self, modules: &[Module]) -> bool {
        let matches = |name: &str, pattern: &str| match pattern.split_once('*') {
            None => name == pattern,
            Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| rest.ends_with(tail)),
        };
        modules.iter().any(|module| {
            let name = module.file_name().to_ascii_lowercase();
            self.modules.iter().any(|pattern| matches(&name, pattern))
        })
    }
}

/// What a pattern means in a process with these modules, and who fills so.
///
/// - situation: one byte means opposite things to different allocators.
/// - example: 0xCD is fresh memory to MSVC's debug heap, and freed memory to PartitionAlloc.
/// - handling: an allocator whose module is loaded decides; where two that are loaded disagree, or none is, the
///   meaning stays what the table says.
/// - test: `the_allocator_in_the_process_decides`.
#[must_use]
pub fn meaning(word: u32, modules: &[Module]) -> Option<(Meaning, &'static str)> {
    let (_, by_default, by) = PATTERNS.iter().find(|(pattern, ..)| *pattern == word)?;
    let mut present = ALLOCATORS
        .iter()
        .filter(|allocator| allocator.is_present(modules))
        .filter_map(|allocator| {
            let (_, meaning) = allocator.fills.iter().find(|(fill, _)| *fill == word)?;
            Some((*meaning, allocator.name))
        });
    let Some(first) = present.next() else { return Some((*by_default, by)) };
    let agree = present.all(|(meaning, _)| meaning == first.0);
    Some(if agree { first } else { (Meaning::Either, by) })
}

/// Whether a pattern is one that an allocator of this process fills memory with: its module is loaded, or it is Windows'
/// own heap, which every process has.
///
/// - situation: a program can fill its memory with any byte, and an allocator can be linked in without a module.
/// - example: 0x5A5A5A5A in a process without jemalloc.
/// - handling: FEEEFEEE is the heap's; the others need a module of their allocator.
/// - test: `a_fill_needs_its_allocator`.
#[must_use]
pub fn is_of_loaded_allocator(word: u32, modules: &[Module]) -> bool {
    const OF_THE_HEAP: u32 = 0xFEEE_FEEE;
    word == OF_THE_HEAP
        || ALLOCATORS.iter().any(|allocator| {
            allocator.fills.iter().any(|(fill, _)| *fill == word) && allocator.is_present(modules)
        })
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};

    fn with(modules: &[&str], word: u32) -> Option<(Meaning, &'static str)> {
        let base = |index: usize| 0x1000_0000 * (index as u64 + 1);
        let file =
            modules.iter().enumerate().fold(Synth::new(Cpu::Amd64), |file, (index, name)| {
                file.module(base(index), 0x1000, name, [1, 0, 0, 0])
            });
        let file = file.build();
        meaning(word, &Dump::parse(&file).unwrap().modules)
    }

    #[test]
    fn the_allocator_in_the_process_decides() {
        let cd = |modules: &[&str]| with(modules, 0xCDCD_CDCD).unwrap().0;
        assert_eq!(cd(&["app.exe"]), Meaning::Either);
        assert_eq!(cd(&["app.exe", "C:\\Windows\\MSVCR120D.dll"]), Meaning::Allocated);
        assert_eq!(cd(&["msvcr120.dll"]), Meaning::Either, "the release library");
        assert_eq!(cd(&["chrome.dll"]), Meaning::Freed);
        assert_eq!(cd(&["chrome.dll", "ucrtbased.dll"]), Meaning::Either, "they disagree");
        assert_eq!(cd(&["python312_d.dll", "ucrtbased.dll"]), Meaning::Allocated, "they agree");
        assert_eq!(with(&["xul.dll"], 0xE5E5_E5E5), Some((Meaning::Freed, "mozjemalloc")));
        assert_eq!(with(&["verifier.dll"], 0xD0D0_D0D0).unwrap().0, Meaning::Guard);
        assert_eq!(with(&["mimalloc.dll"], 0xD0D0_D0D0).unwrap().0, Meaning::Allocated);
        assert_eq!(with(&[], 0x1234_5678), None);
    }

    #[test]
    fn a_fill_needs_its_allocator() {
        let loaded = |modules: &[&str], word| {
            let file = modules.iter().fold(Synth::new(Cpu::Amd64), |file, name| {
                file.module(0x1000_0000, 0x1000, name, [1, 0, 0, 0])
            });
            let file = file.build();
            is_of_loaded_allocator(word, &Dump::parse(&file).unwrap().modules)
        };
        assert!(loaded(&["app.exe"], 0xFEEE_FEEE));
        assert!(!loaded(&["app.exe"], 0x5A5A_5A5A));
        assert!(loaded(&["jemalloc.dll"], 0x5A5A_5A5A));
        assert!(!loaded(&["jemalloc.dll"], 0xE5E5_E5E5), "another allocator's");
    }

    #[test]
    fn each_fill_of_an_allocator_is_a_pattern() {
        for allocator in ALLOCATORS {
            for (word, _) in allocator.fills {
                assert!(PATTERNS.iter().any(|(pattern, ..)| pattern == word), "{word:#x}");
            }
        }
    }
}
