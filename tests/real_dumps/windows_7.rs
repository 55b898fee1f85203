//! The dumps in which Windows 7's own ntdll fails (INDEX.md, win7-code).

use super::{report, support};
use csdump::report::model::{Outcome, Report};
use support::{chain, is_failure, top};

/// Section and handle of the `closed` dumps, by INDEX.md.
const SECTION_X64: &str = "0x140005098";
const SECTION_X86: &str = "0x404054";
const HANDLE: &str = "0x18";

fn section(report: &Report) -> Option<&str> {
    report.critical_section.as_ref().map(|section| section.address.as_str())
}

fn handle(report: &Report) -> Option<(&str, &str)> {
    let handle = report.handle.as_ref()?;
    Some((handle.value.as_deref()?, handle.state.as_str()))
}

fn assert_closed(name: &str, expected_section: &str) -> Option<Report> {
    let report = report(name)?;
    assert_eq!(report.outcome, Outcome::Diagnosed, "{name}");
    assert_eq!(top(&report).0, "handle-closed", "{name}");
    assert!(top(&report).1 >= 0.9, "{name}: {}", top(&report).1);
    assert_eq!(section(&report), Some(expected_section), "{name}");
    assert_eq!(handle(&report), Some((HANDLE, "absent")), "{name}");
    let crash = report.crash.as_ref().unwrap();
    assert_eq!(crash.operation.as_deref(), Some("leave"), "{name}");
    assert_eq!(crash.mechanism.as_deref(), Some("handle-slot-empty"), "{name}");
    Some(report)
}

/// The chain begins with these functions and goes on in the program, at the caller that the report names.
fn assert_chain(report: &Report, functions: &[&str]) {
    let names = chain(report);
    assert_eq!(names.get(..functions.len()), Some(functions), "{names:?}");
    let crash = report.crash.as_ref().unwrap();
    let inside = crash.frames.get(..functions.len()).unwrap();
    for frame in inside {
        assert_eq!(frame.module.as_deref(), Some("ntdll.dll"), "{frame:?}");
        assert_ne!(frame.trust, "scan", "{frame:?}");
    }
    let caller = crash.frames.get(functions.len()).expect("the program's frame");
    assert_eq!(caller.module.as_deref(), Some("agent.exe"), "{caller:?}");
    assert_ne!(caller.trust, "scan", "{caller:?}");
    let place = format!("agent.exe+{}", caller.module_offset.as_deref().unwrap());
    assert_eq!(crash.caller.as_deref(), Some(place.as_str()));
}

#[test]
fn windows_7_x64_chain() {
    let Some(report) = assert_closed("win7-code/closed-x64-full.dmp", SECTION_X64) else { return };
    assert_chain(&report, &["RtlRaiseStatus", "RtlLeaveCriticalSection"]);
}

#[test]
fn windows_7_x86_chain() {
    let Some(report) = assert_closed("win7-code/closed-x86-full.dmp", SECTION_X86) else { return };
    assert_chain(
        &report,
        &["RtlRaiseStatus", "RtlpUnWaitCriticalSection", "RtlLeaveCriticalSection"],
    );
}

#[test]
fn a_zeroed_section_fails_in_enter() {
    for name in ["win7-code/zeroed-enter-x64-full.dmp", "win7-code/zeroed-enter-x86-full.dmp"] {
        let Some(report) = report(name) else { continue };
        assert!(is_failure(&report), "{name}");
        let crash = report.crash.as_ref().unwrap();
        assert_eq!(crash.operation.as_deref(), Some("enter"), "{name}");
        assert_eq!(crash.mechanism.as_deref(), Some("section-zeroed"), "{name}");
        let verdict = report.verdict.as_ref().unwrap();
        let mut first: Vec<&str> =
            verdict.causes.iter().take(2).map(|cause| cause.id.as_str()).collect();
        first.sort_unstable();
        assert_eq!(first, ["deleted", "never-initialized"], "{name}");
        let statement = verdict.statement.to_lowercase();
        for part in ["initiali", "deleted"] {
            assert!(statement.contains(part), "{name}: {statement}");
        }
        assert!(
            chain(&report).contains(&"RtlEnterCriticalSection"),
            "{name}: {:?}",
            chain(&report)
        );
    }
}

/// Less memory: the answer is right, or it is inconclusive without a confident cause.
#[test]
fn smaller_dumps_are_right_or_inconclusive() {
    for (name, expected_section) in [
        ("win7-code/closed-x64-wer.dmp", SECTION_X64),
        ("win7-code/closed-x64-normal.dmp", SECTION_X64),
        ("win7-code/closed-x86-wer.dmp", SECTION_X86),
        ("win7-code/closed-x86-normal.dmp", SECTION_X86),
    ] {
        let Some(report) = report(name) else { continue };
        let (cause, probability) = top(&report);
        match report.outcome {
            Outcome::Diagnosed => assert_eq!(cause, "handle-closed", "{name}"),
            Outcome::Inconclusive => assert!(probability < 0.9, "{name}: {cause} {probability}"),
            Outcome::NotApplicable => panic!("{name}: not-applicable"),
        }
        if let Some(found) = section(&report) {
            assert_eq!(found, expected_section, "{name}");
        }
        if let Some((value, _)) = handle(&report) {
            assert_eq!(value, HANDLE, "{name}");
        }
    }
}
