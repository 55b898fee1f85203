//! The dumps of ../shared/dumps, with the facts of its INDEX.md; skipped where that folder is absent.

use std::path::PathBuf;

use super::{Cpu, Dump, DumpFile, Limits, MemoryKind, OsSource};

/// The folder, looked for beside every ancestor of the package: a worktree lies deeper than a clone.
fn folder() -> Option<PathBuf> {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let found = package
        .ancestors()
        .map(|at| at.join("shared/dumps"))
        .find(|at| at.join("INDEX.md").is_file());
    if found.is_none() {
        println!("skipped: no shared/dumps beside {}", package.display());
    }
    found
}

fn with(name: &str, check: impl FnOnce(&Dump<'_>)) {
    let Some(folder) = folder() else { return };
    let file = DumpFile::open(folder.join(name), &Limits::default()).unwrap();
    check(&Dump::parse(file.bytes()).unwrap());
}

/// Facts of one dump.
struct Facts {
    name: &'static str,
    cpu: Cpu,
    version: (u32, u32, u32),
    /// `Peb` where the index says that the PEB is in the dump.
    source: OsSource,
    threads: usize,
    wow64: bool,
    exception: Option<u32>,
}

const fn facts(
    name: &'static str,
    cpu: Cpu,
    version: (u32, u32, u32),
    source: OsSource,
    threads: usize,
    exception: Option<u32>,
) -> Facts {
    Facts { name, cpu, version, source, threads, wow64: false, exception }
}

const AV: Option<u32> = Some(0xc000_0005);
const INVALID_HANDLE: Option<u32> = Some(0xc000_0008);
const BREAKPOINT: Option<u32> = Some(0x8000_0003);
const SEVEN: (u32, u32, u32) = (6, 1, 7601);

fn all_facts() -> Vec<Facts> {
    use Cpu::{Amd64, Arm64, X86};
    use OsSource::{Peb, SystemInfo};
    vec![
        Facts { wow64: true, ..facts("llvm-lldb/fizzbuzz_wow64.dmp", Amd64, SEVEN, Peb, 1, None) },
        facts("llvm-lldb/sigsegv.dmp", Amd64, (10, 0, 16299), Peb, 1, AV),
        facts("llvm-lldb/fizzbuzz_no_heap.dmp", X86, SEVEN, SystemInfo, 1, AV),
        facts(
            "mozilla-minidump-stackwalk/windows-x86_64.dmp",
            Amd64,
            (10, 0, 19041),
            SystemInfo,
            103,
            BREAKPOINT,
        ),
        facts(
            "mozilla-minidump-stackwalk/windows-aarch64.dmp",
            Arm64,
            (10, 0, 19042),
            SystemInfo,
            104,
            BREAKPOINT,
        ),
        facts("google-breakpad/tiny-exe-with-cet-xsave.dmp", Amd64, (10, 0, 22000), Peb, 1, None),
        facts("google-breakpad/minidump2.dmp", X86, (5, 1, 2600), SystemInfo, 2, AV),
        facts("google-breakpad/null_read_av.dmp", X86, (6, 1, 7600), SystemInfo, 2, AV),
        facts(
            "google-breakpad/write_av_non_canonical.dmp",
            Amd64,
            (10, 0, 19042),
            SystemInfo,
            2,
            AV,
        ),
        facts("rust-minidump/stability-report.dmp", Amd64, (10, 0, 22631), Peb, 19, AV),
        facts(
            "rust-minidump/invalid-parameter.dmp",
            Amd64,
            (10, 0, 17134),
            SystemInfo,
            6,
            Some(0xc000_000d),
        ),
        facts("node-minidump/windows.dmp", Amd64, (10, 0, 14393), SystemInfo, 14, AV),
        facts("win7-code/closed-x64-full.dmp", Amd64, SEVEN, Peb, 2, INVALID_HANDLE),
        facts("win7-code/closed-x64-normal.dmp", Amd64, SEVEN, SystemInfo, 2, INVALID_HANDLE),
        facts("win7-code/closed-x64-wer.dmp", Amd64, SEVEN, Peb, 2, INVALID_HANDLE),
        facts("win7-code/closed-x86-full.dmp", X86, SEVEN, Peb, 2, INVALID_HANDLE),
        facts("win7-code/zeroed-enter-x64-full.dmp", Amd64, SEVEN, Peb, 1, AV),
        facts("win7-code/zeroed-enter-x86-full.dmp", X86, SEVEN, Peb, 1, AV),
    ]
}

#[test]
fn real_dumps_parse_with_the_facts_of_their_index() {
    for facts in all_facts() {
        with(facts.name, |dump| {
            let os = &dump.system.os;
            println!("{}: {:?} {:?} {:?}", facts.name, os, dump.system.disagreement, dump.warnings);
            assert_eq!(dump.system.cpu, facts.cpu, "{}", facts.name);
            assert_eq!((os.major, os.minor, os.build), facts.version, "{}", facts.name);
            assert!(facts.source != OsSource::Peb || os.source == facts.source, "{}", facts.name);
            assert_eq!(dump.threads.len(), facts.threads, "{}", facts.name);
            assert_eq!(dump.system.wow64, facts.wow64, "{}", facts.name);
            let code = dump.exception.as_ref().map(|exception| exception.record.code);
            assert_eq!(code, facts.exception, "{}", facts.name);
            assert!(dump.threads.iter().all(|thread| thread.context.is_some()), "{}", facts.name);
        });
    }
}

#[test]
fn breakpad_identifiers_match_the_symbol_files() {
    // The MODULE line of symbols/ntdll-10.0.19041.662-x64.sym.
    let Some(folder) = folder() else { return };
    let symbols = folder.join("mozilla-minidump-stackwalk/symbols/ntdll-10.0.19041.662-x64.sym");
    let text = std::fs::read_to_string(symbols).unwrap();
    let id = text.lines().next().unwrap().split(' ').nth(3).unwrap().to_owned();
    with("mozilla-minidump-stackwalk/windows-x86_64.dmp", |dump| {
        let ntdll = dump.modules.iter().find(|module| module.is_named("ntdll.dll")).unwrap();
        assert_eq!(ntdll.debug_id.as_deref(), Some(id.as_str()));
        assert_eq!(dump.module_at(ntdll.base + 1).map(|module| module.base), Some(ntdll.base));
        assert!(dump.threads.iter().any(|thread| thread.name.is_some()));
    });
}

#[test]
fn handle_streams_are_read_with_the_counts_of_the_index() {
    for (name, count, size) in [
        ("llvm-lldb/fizzbuzz_wow64.dmp", 0, 40),
        ("google-breakpad/tiny-exe-with-cet-xsave.dmp", 147, 32),
        ("rust-minidump/stability-report.dmp", 302, 32),
        ("win7-code/closed-x64-full.dmp", 5, 40),
    ] {
        with(name, |dump| {
            let table = dump.handles.as_ref().unwrap();
            assert_eq!((table.handles.len(), table.descriptor_size), (count, size), "{name}");
            assert!(
                table.is_complete()
                    && (count == 0 || table.handles.iter().any(|handle| handle.is_type("Event")))
            );
            let first = table.handles.first().map(|handle| handle.value);
            assert_eq!(first.and_then(|value| table.get(value)).map(|handle| handle.value), first);
        });
    }
}

#[test]
fn kinds_and_writers_of_real_dumps() {
    for (name, kind, writer) in [
        ("llvm-lldb/fizzbuzz_wow64.dmp", MemoryKind::Full, None),
        ("llvm-lldb/fizzbuzz_no_heap.dmp", MemoryKind::StacksOnly, None),
        ("google-breakpad/minidump2.dmp", MemoryKind::StacksOnly, Some("Breakpad")),
        ("google-breakpad/null_read_av.dmp", MemoryKind::StacksOnly, Some("Breakpad")),
        ("rust-minidump/stability-report.dmp", MemoryKind::StacksOnly, Some("Crashpad")),
        (
            "mozilla-minidump-stackwalk/windows-x86_64.dmp",
            MemoryKind::StacksAndReferenced,
            Some("Breakpad"),
        ),
        ("llvm-lldb/sigsegv.dmp", MemoryKind::StacksAndReferenced, None),
        ("win7-code/closed-x64-wer.dmp", MemoryKind::StacksAndReferenced, None),
        ("win7-code/closed-x64-full.dmp", MemoryKind::Full, None),
        ("win7-code/closed-x64-normal.dmp", MemoryKind::StacksOnly, None),
    ] {
        with(name, |dump| {
            assert_eq!((dump.memory_kind, dump.writer_hint), (kind, writer), "{name}");
        });
    }
}

#[test]
fn real_dumps_cut_off_give_partial_results() {
    let Some(folder) = folder() else { return };
    for name in ["google-breakpad/minidump2.dmp", "win7-code/closed-x64-wer.dmp"] {
        let file = DumpFile::open(folder.join(name), &Limits::default()).unwrap();
        let whole = Dump::parse(file.bytes()).unwrap();
        assert_eq!(whole.warnings, [], "{name}");
        for end in (256..file.bytes().len()).step_by(61) {
            let dump = Dump::parse(&file.bytes()[..end]).unwrap();
            assert!(!dump.warnings.is_empty(), "{name} cut at {end}");
            assert!(dump.threads.len() <= whole.threads.len());
        }
    }
}

/// A scan hands dumps from thread to thread.
#[test]
fn dumps_can_be_sent() {
    fn sendable<T: Send + Sync>() {}
    sendable::<Dump<'static>>();
    sendable::<DumpFile>();
}
