//! The real dumps of ../shared/dumps; each test skips, with a printed reason, what is not on this machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    unreachable_pub
)]

mod support;

#[path = "real_dumps/handle_trace.rs"]
mod handle_trace;
#[path = "real_dumps/sections.rs"]
mod sections;

#[path = "real_dumps/stacks.rs"]
mod stacks;

#[path = "real_dumps/symbols.rs"]
mod symbols;

#[path = "real_dumps/windows_7.rs"]
mod windows_7;

#[path = "real_dumps/wow64.rs"]
mod wow64;

use csdump::dump::Limits;
use csdump::report::model::{Outcome, Report};
use std::process::Command;

/// A dump that is no lock failure: its file, and the version of Windows with its source, by INDEX.md. The PEB comes
/// first where it is in the dump.
struct Other {
    name: &'static str,
    version: &'static str,
    build: u32,
    source: &'static str,
}

const OTHERS: [Other; 12] = [
    other("llvm-lldb/fizzbuzz_wow64.dmp", "6.1", 7601, "peb"),
    other("llvm-lldb/sigsegv.dmp", "10.0", 16299, "peb"),
    other("llvm-lldb/fizzbuzz_no_heap.dmp", "6.1", 7601, "system-info"),
    other("mozilla-minidump-stackwalk/windows-x86_64.dmp", "10.0", 19041, "peb"),
    other("mozilla-minidump-stackwalk/windows-aarch64.dmp", "10.0", 19042, "peb"),
    other("google-breakpad/tiny-exe-with-cet-xsave.dmp", "10.0", 22000, "peb"),
    other("google-breakpad/minidump2.dmp", "5.1", 2600, "system-info"),
    other("google-breakpad/null_read_av.dmp", "6.1", 7600, "system-info"),
    other("google-breakpad/write_av_non_canonical.dmp", "10.0", 19042, "system-info"),
    other("rust-minidump/stability-report.dmp", "10.0", 22631, "peb"),
    other("rust-minidump/invalid-parameter.dmp", "10.0", 17134, "system-info"),
    other("node-minidump/windows.dmp", "10.0", 14393, "peb"),
];

const fn other(
    name: &'static str,
    version: &'static str,
    build: u32,
    source: &'static str,
) -> Other {
    Other { name, version, build, source }
}

/// The report of a shared dump, when it is on this machine.
fn report(name: &str) -> Option<Report> {
    let path = support::shared(name)?;
    Some(
        csdump::analyze_file(&path, &Limits::default())
            .unwrap_or_else(|error| panic!("{name}: {error}")),
    )
}

#[test]
fn all_but_the_windows_7_code_are_no_lock_failures() {
    for dump in OTHERS {
        let Some(report) = report(dump.name) else { continue };
        assert_eq!(report.outcome, Outcome::NotApplicable, "{}", dump.name);
        assert_eq!(report.verdict, None, "{}", dump.name);
        assert_eq!(report.critical_section, None, "{}", dump.name);
        let crash = report.crash.as_ref();
        assert_eq!(crash.and_then(|crash| crash.operation.as_ref()), None, "{}", dump.name);
    }
}

#[test]
fn the_version_of_windows_is_that_of_the_index() {
    for dump in OTHERS {
        let Some(report) = report(dump.name) else { continue };
        let os = report.dump.os.unwrap_or_else(|| panic!("{}: no version", dump.name));
        let found = (os.version.as_str(), os.build, os.source.as_str());
        assert_eq!(found, (dump.version, dump.build, dump.source), "{}", dump.name);
    }
}

#[test]
fn the_command_ends_with_1_on_each_and_on_all() {
    let paths: Vec<_> = OTHERS.iter().filter_map(|dump| support::shared(dump.name)).collect();
    let exit = |paths: &[std::path::PathBuf]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_csdump")).arg("analyze").args(paths).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for path in &paths {
        assert_eq!(exit(std::slice::from_ref(path)), (Some(1), String::new()), "{path:?}");
    }
    if !paths.is_empty() {
        assert_eq!(exit(&paths), (Some(1), String::new()));
    }
}
