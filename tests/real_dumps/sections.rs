//! Sections of real dumps, free, owned and once contended, with the values of INDEX.md.

use super::support;
use csdump::critsec::debug_info::DebugInfoState;
use csdump::critsec::{CriticalSection, encoding_of, lock_count, search};
use csdump::dump::{Dump, DumpFile, Limits};

/// What INDEX.md says of one dump; counts are of sections.
struct Expected {
    name: &'static str,
    /// Locked, each without a waiter, entered once, by a thread of the dump.
    locked: usize,
    /// Free, with -1 in LockSemaphore: Windows 10 after contention.
    contended: usize,
    /// `ContentionCount` of the records of the contended ones, ascending.
    contentions: &'static [u32],
}

const DUMPS: [Expected; 4] = [
    Expected {
        name: "mozilla-minidump-stackwalk/windows-aarch64.dmp",
        locked: 2,
        contended: 8,
        contentions: &[1, 8, 193, 240],
    },
    Expected {
        name: "mozilla-minidump-stackwalk/windows-x86_64.dmp",
        locked: 1,
        contended: 1,
        contentions: &[],
    },
    Expected {
        name: "google-breakpad/write_av_non_canonical.dmp",
        locked: 1,
        contended: 0,
        contentions: &[],
    },
    Expected {
        name: "rust-minidump/invalid-parameter.dmp",
        locked: 1,
        contended: 0,
        contentions: &[],
    },
];

fn with(name: &str, check: impl FnOnce(&Dump<'_>, &[CriticalSection])) {
    let Some(path) = support::shared(name) else { return };
    let file = DumpFile::open(&path, &Limits::default()).unwrap();
    let dump = Dump::parse(file.bytes()).unwrap();
    let found = search::sections(&dump, encoding_of(&dump, false));
    assert!(found.complete, "{name}");
    check(&dump, &found.sections);
}

fn is_locked(section: &CriticalSection) -> bool {
    let raw = section.raw.unwrap();
    lock_count::decode(section.encoding, raw.lock_count, raw.recursion_count).locked
}

#[test]
fn contended_and_owned_sections_decode_as_the_index_says() {
    for expected in DUMPS {
        with(expected.name, |dump, sections| {
            let name = expected.name;
            let locked: Vec<_> = sections.iter().filter(|section| is_locked(section)).collect();
            assert_eq!(locked.len(), expected.locked, "{name}: {locked:?}");
            for section in locked {
                let raw = section.raw.unwrap();
                assert_eq!((raw.lock_count, raw.recursion_count), (-2, 1), "{name}");
                let owner =
                    dump.threads.iter().find(|thread| u64::from(thread.id) == raw.owning_thread);
                assert!(owner.is_some(), "{name}: {section:?}");
            }
            let contended: Vec<_> = sections
                .iter()
                .filter(|section| section.raw.unwrap().lock_semaphore == u64::MAX)
                .collect();
            assert_eq!(contended.len(), expected.contended, "{name}: {contended:?}");
            assert!(
                contended.iter().all(|section| section.raw.unwrap().lock_count == -1),
                "{name}"
            );
            let mut counts: Vec<u32> = contended
                .iter()
                .filter_map(|section| match section.debug_info {
                    Some(DebugInfoState::Own(record)) => Some(record.contention_count),
                    _ => None,
                })
                .collect();
            counts.sort_unstable();
            assert_eq!(counts, expected.contentions, "{name}");
        });
    }
}

/// The owner of the one locked section is the thread that crashed.
#[test]
fn the_crashing_thread_owns_the_locked_section() {
    with("google-breakpad/write_av_non_canonical.dmp", |dump, sections| {
        let crashed = dump.exception.as_ref().unwrap().thread_id;
        let owners: Vec<_> =
            sections.iter().map(|section| section.raw.unwrap().owning_thread).collect();
        assert_eq!(owners, [u64::from(crashed)]);
    });
}

/// All sections of a quiet Windows 7 process have records and are free.
#[test]
fn free_sections_of_windows_7() {
    with("llvm-lldb/fizzbuzz_wow64.dmp", |_, sections| {
        assert_eq!(sections.len(), 10);
        for section in sections {
            let raw = section.raw.unwrap();
            assert_eq!((raw.lock_count, raw.lock_semaphore), (-1, 0), "{section:?}");
            assert!(matches!(section.debug_info, Some(DebugInfoState::Own(_))), "{section:?}");
        }
    });
}
