//! The labelled corpus: is the answer right, and does it know when it cannot be?
//!
//! `cargo test --test accuracy -- --nocapture table` prints the tables of docs/accuracy.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    unreachable_pub
)]

mod support;

#[path = "accuracy/ablation.rs"]
mod ablation;

#[path = "accuracy/bars.rs"]
mod bars;

#[path = "accuracy/evidence.rs"]
mod evidence;

#[path = "accuracy/images.rs"]
mod images;

#[path = "accuracy/judge.rs"]
mod judge;

#[path = "accuracy/known.rs"]
mod known;

#[path = "accuracy/mechanisms.rs"]
mod mechanisms;

#[path = "accuracy/places.rs"]
mod places;

#[path = "accuracy/siblings.rs"]
mod siblings;

#[path = "accuracy/tables.rs"]
mod tables;

use csdump::report::model::{Outcome, Report};
use judge::is_handle_code;
use support::{Label, chain, is_failure, labels, labels_of, top};

/// The reports of a program's dumps of one kind.
fn reports(program: &str, kind: &str) -> Vec<(Label, Report)> {
    let of_kind = labels_of(program).into_iter().filter(|label| label.text("kind") == kind);
    of_kind
        .map(|label| {
            let report = label.report();
            (label, report)
        })
        .collect()
}

fn has(report: &Report, finding: &str) -> bool {
    report.findings.iter().any(|found| found.id == finding)
}

fn source(report: &Report) -> &str {
    report.crash.as_ref().and_then(|crash| crash.operation_source.as_deref()).unwrap_or_default()
}

#[test]
fn nested_exception_is_followed() {
    for (label, report) in reports("nested", "full") {
        let exception = &report.crash.as_ref().unwrap().exception;
        assert_eq!(exception.code, "0xC0000008", "{}", label.name());
        let outer: Vec<_> = exception.nested.iter().map(|nested| nested.code.as_str()).collect();
        assert_eq!(outer, ["0xC0000025"], "{}", label.name());
        assert!(
            chain(&report).starts_with(&["RtlRaiseStatus"]),
            "{}: {:?}",
            label.name(),
            chain(&report)
        );
    }
}

#[test]
fn stale_leave_is_not_a_lock_failure() {
    for program in ["av-elsewhere", "av-in-ntdll"] {
        for label in labels_of(program) {
            let report = label.report();
            assert_eq!(report.outcome, Outcome::NotApplicable, "{}", label.name());
            assert!(
                report.verdict.is_none() && report.critical_section.is_none(),
                "{}",
                label.name()
            );
        }
    }
}

#[test]
fn a_close_that_raises_is_not_a_lock_failure() {
    for (label, report) in reports("close-strict", "full") {
        assert_eq!(report.outcome, Outcome::NotApplicable, "{}", label.name());
        assert!(
            chain(&report).iter().take(3).any(|name| *name == "CloseHandle"),
            "{}",
            label.name()
        );
    }
}

#[test]
fn small_dumps_are_never_not_applicable() {
    let small =
        labels().into_iter().filter(|label| label.text("kind") != "full" && label.is_lock());
    for label in small.filter(is_handle_code) {
        assert!(is_failure(&label.report()), "{}", label.name());
    }
}

/// Where nothing but the status speaks of a lock, the text does not say that one failed.
#[test]
fn what_nothing_names_is_only_said_to_be_possible() {
    let mut unnamed = 0;
    for (label, report) in
        reports("close-strict", "normal").into_iter().chain(reports("closed", "normal"))
    {
        let crash = report.crash.as_ref().unwrap();
        let is_unnamed = crash.operation.is_none() && source(&report) == "inferred";
        unnamed += u32::from(is_unnamed);
        // What is known to be no lock failure has no verdict.
        let Some(verdict) = &report.verdict else { continue };
        assert_eq!(verdict.statement.contains("may have failed"), is_unnamed, "{}", label.name());
    }
    assert!(unnamed > 2, "{unnamed}");
}

#[test]
fn an_access_violation_without_names_stays_inconclusive() {
    for program in
        ["null-pointer", "memory-released", "memory-released-enter", "unloaded-dll", "enter-zeroed"]
    {
        for (label, report) in reports(program, "normal") {
            assert_eq!(report.outcome, Outcome::Inconclusive, "{}", label.name());
            assert_eq!(source(&report), "inferred", "{}", label.name());
            assert!(top(&report).1 < 0.9, "{}", label.name());
        }
    }
}

#[test]
fn waiters_tell_a_stray_write_from_a_closed_handle() {
    let x86 = |label: &Label| label.text("arch") == "x86";
    let stray = reports("corrupted-stray", "full");
    assert!(
        stray
            .iter()
            .filter(|(label, _)| x86(label))
            .all(|(_, report)| has(report, "waiters-use-other-handle"))
    );
    let closed = reports("closed", "full");
    assert!(
        closed
            .iter()
            .filter(|(label, _)| x86(label))
            .all(|(_, report)| has(report, "waiters-use-this-handle"))
    );
}

#[test]
fn waiters_are_counted() {
    for (label, report) in reports("closed", "full") {
        let decoded = report.critical_section.as_ref().unwrap().decoded.as_ref().unwrap();
        let counted = decoded.waiters_before.unwrap();
        assert!(counted >= 1, "{}", label.name());
        let statement =
            &report.findings.iter().find(|found| found.id == "waiters-parked").unwrap().statement;
        assert!(
            statement.starts_with(&format!("{counted} other thread")),
            "{}: {statement}",
            label.name()
        );
    }
}

#[test]
fn neighbours_name_the_direction() {
    for (label, report) in reports("corrupted-underrun", "full") {
        assert!(has(&report, "neighbour-runs-in-from-behind"), "{}", label.name());
        assert!(!has(&report, "neighbour-runs-in-from-before"), "{}", label.name());
    }
    for (label, report) in reports("closed", "full") {
        assert!(!has(&report, "neighbour-runs-in-from-behind"), "{}", label.name());
    }
}

#[test]
fn a_call_through_a_register_is_proven() {
    for program in ["corrupted-stray", "closed-indirect"] {
        for (label, report) in
            reports(program, "full").into_iter().filter(|(label, _)| label.text("arch") == "x86")
        {
            let frames = &report.crash.as_ref().unwrap().frames;
            let leave = frames
                .iter()
                .position(|frame| frame.function.as_deref() == Some("RtlLeaveCriticalSection"));
            let caller = leave.and_then(|index| frames.get(index + 1)).unwrap();
            assert_eq!(caller.trust, "call-target", "{}", label.name());
        }
    }
}

#[test]
fn the_advice_is_for_the_exception_at_hand() {
    for (label, report) in reports("memory-released", "wer") {
        let captures: Vec<String> =
            report.missing.iter().map(|missing| missing.capture_with.clone()).collect();
        let all = [captures, report.next_steps].concat().join("\n");
        assert!(!all.contains("-f C0000008"), "{}: {all}", label.name());
    }
    let any = |program: &str, kind: &str, begin: &str| {
        let mut found = reports(program, kind).into_iter();
        found.any(|(_, report)| report.next_steps.iter().any(|step| step.starts_with(begin)))
    };
    let capture = "Capture the next crash with everything in it: procdump -ma -e 1 -f C0000008";
    assert!(any("closed", "normal", capture));
    // It has all that a dump can have.
    assert!(any("not-owner", "full", "The dump holds what a dump can hold"));
}

#[test]
fn a_guessed_frame_of_the_system_is_no_caller() {
    let caller = |program: &str, kind: &str| -> Vec<Option<String>> {
        let found = reports(program, kind).into_iter();
        found.map(|(_, report)| report.crash.unwrap().caller).collect()
    };
    assert!(caller("verifier-corrupted", "normal").iter().all(Option::is_none));
    let guessed = caller("enter-closed", "wer");
    assert!(guessed.iter().flatten().all(|caller| caller.starts_with("enter-closed.exe")));
}

#[test]
fn an_unnamed_function_of_ntdll_is_said() {
    let missing = |program: &str, kind: &str| {
        let mut found = reports(program, kind).into_iter().map(|(_, report)| report);
        let report = found.find(|report| report.outcome == Outcome::NotApplicable).unwrap();
        report.missing.first().map(|missing| missing.what.clone())
    };
    let unnamed = Some("ntdll's code and export table".to_owned());
    assert_eq!(missing("h-raw-fe", "wer"), unnamed);
    // Here the function, or one that calls it, has a name.
    assert_eq!(missing("av-elsewhere", "full"), None);
    assert_eq!(missing("a64-close-strict", "wer"), None);
}

#[test]
fn a_call_of_a_local_is_proven() {
    let (_, report) = reports("i-ovoice", "full").pop().unwrap();
    let frames = &report.crash.as_ref().unwrap().frames;
    assert_eq!(frames[1].function.as_deref(), Some("RtlEnterCriticalSection"));
    assert_eq!(frames[2].trust, "call-target");
}

/// Modules are ended by a table of functions in memory that can be written to.
#[test]
fn what_a_table_of_functions_names_can_have_run() {
    let (_, report) = reports("i-lplugin", "full").pop().unwrap();
    assert!(has(&report, "deletion-perhaps-behind"));
    assert!(!has(&report, "no-deletion-behind"));
}

#[test]
fn a_call_through_a_register_is_named() {
    let named = |(label, report): &(Label, Report)| {
        label.text("naming") != "none" && source(report) == "caller-imports"
    };
    assert!(reports("corrupted-stray", "wer").iter().any(named));
}

#[test]
fn garbage_on_the_stack_is_no_section() {
    for kind in ["wer", "normal"] {
        for (label, report) in reports("close-strict", kind) {
            assert!(report.critical_section.is_none(), "{}", label.name());
        }
    }
}

/// A dump of the old algorithm that claims to be Windows 7: the values still say what they are.
#[test]
fn the_data_overrules_the_version() {
    let label = labels_of("closed")
        .into_iter()
        .find(|label| label.text("set") == "x86-old" && label.text("kind") == "full");
    let label = label.unwrap();
    let file = csdump::dump::DumpFile::open(&label.path, &csdump::dump::Limits::default()).unwrap();
    let mut bytes = file.bytes().to_vec();
    let places: Vec<(usize, [u8; 8])> = {
        let dump = csdump::dump::Dump::parse(&bytes).unwrap();
        let version = |major: u32, minor: u32| {
            let mut both = [0; 8];
            both[..4].copy_from_slice(&major.to_le_bytes());
            both[4..].copy_from_slice(&minor.to_le_bytes());
            both
        };
        let info = dump.directory.iter().find(|entry| entry.stream_type == 7).unwrap();
        // SystemInfo.MajorVersion at +8; PEB.OSMajorVersion at +0xA4.
        let peb = dump.memory.tail(dump.system.peb.as_ref().unwrap().address + 0xA4).unwrap();
        let offset = peb.as_ptr() as usize - bytes.as_ptr() as usize;
        vec![(info.rva as usize + 8, version(6, 1)), (offset, version(6, 1))]
    };
    for (at, value) in places {
        bytes[at..at + 8].copy_from_slice(&value);
    }
    let dump = csdump::dump::Dump::parse(&bytes).unwrap();
    let report = csdump::analyze(&dump, &csdump::report::build::Origin::default());
    assert_eq!(report.dump.os.as_ref().unwrap().version, "6.1");
    let section = report.critical_section.as_ref().unwrap();
    assert_eq!(section.address, label.text("section"));
    assert!(section.lock_count_encoding.as_deref().unwrap().starts_with("counting"));
    assert!(
        report.warnings.iter().any(|warning| warning.contains("does not fit the reported version"))
    );
    assert!(has(&report, "encoding-overrules-version"));
    assert_ne!(report.verdict.as_ref().unwrap().confidence, "high");
}

#[test]
fn a_section_changed_since_is_no_evidence() {
    for (label, report) in reports("h-race-anew", "full") {
        assert!(has(&report, "changed-since"), "{}", label.name());
        assert!(report.handle.as_ref().unwrap().value.is_none(), "{}", label.name());
        assert_eq!(report.outcome, Outcome::Inconclusive, "{}", label.name());
        assert_eq!(top(&report).0, "deleted", "{}", label.name());
    }
}

#[test]
fn the_code_says_what_the_slot_held() {
    for program in ["recycled-noaccess", "h-recycled-thread"] {
        for (label, report) in reports(program, "full") {
            assert!(has(&report, "slot-was-taken"), "{}", label.name());
        }
    }
    for (label, report) in reports("closed", "full") {
        assert!(!has(&report, "slot-was-taken"), "{}", label.name());
    }
}

#[test]
fn a_neighbour_is_shown_and_placed() {
    let shown = |program: &str, id: &str, expected: &str| {
        let mut count = 0;
        for (label, report) in reports(program, "full") {
            let Some(found) = report.findings.iter().find(|found| found.id == id) else { continue };
            count += 1;
            assert!(found.statement.contains(expected), "{}: {}", label.name(), found.statement);
            assert!(found.statement.contains(".exe+0x"), "{}: {}", label.name(), found.statement);
        }
        assert!(count > 0, "{program}");
    };
    shown("h-hit-debug", "neighbour-runs-in-from-before", "Quarterly report 2026");
    shown("corrupted-underrun", "neighbour-runs-in-from-behind", "contoso/agents");
}

#[test]
fn a_static_section_at_exit_is_seen() {
    for (label, report) in reports("h-deleted-exit", "full") {
        assert!(has(&report, "process-exiting"), "{}", label.name());
        assert!(has(&report, "static-section-at-exit"), "{}", label.name());
    }
    for (label, report) in reports("closed", "full") {
        assert!(!has(&report, "static-section-at-exit"), "{}", label.name());
    }
}

#[test]
fn an_event_of_another_section_is_claimed() {
    for (label, report) in reports("h-closed-busy", "full") {
        assert!(!has(&report, "unclaimed-event"), "{}", label.name());
        assert_eq!(top(&report).0, "handle-closed", "{}", label.name());
    }
}

/// The dumps of a 64-bit writer give what the x86 dumps of the same crashes give.
#[test]
fn wow64_forms_agree_with_x86() {
    let all = labels();
    let forms: Vec<_> = all.iter().filter(|label| label.flag("wow64")).collect();
    assert!(forms.len() >= 14, "{} dumps", forms.len());
    for label in forms {
        let source = all.iter().find(|source| {
            let same = |key| source.text(key) == label.text(key);
            same("program") && same("kind") && source.text("set") == "x86-new"
        });
        let (expected, report) = (source.unwrap().report(), label.report());
        assert_eq!(
            (report.dump.cpu.as_str(), report.dump.wow64),
            ("x86", true),
            "{}",
            label.name()
        );
        assert_eq!(report.outcome, expected.outcome, "{}", label.name());
        assert_eq!(report.warnings, expected.warnings, "{}", label.name());
        assert_eq!(report.verdict, expected.verdict, "{}", label.name());
        assert_eq!(report.handle, expected.handle, "{}", label.name());
        assert_eq!(chain(&report), chain(&expected), "{}", label.name());
        let address = |report: &Report| {
            report.critical_section.as_ref().map(|section| section.address.clone())
        };
        assert_eq!(address(&report), address(&expected), "{}", label.name());
    }
}

/// A WoW64 dump without the CPU areas: no cause is named, and the reader is told why.
#[test]
fn wow64_without_registers_stays_open() {
    let small =
        |label: &Label| label.text("set") == "wow64-cpu-area" && label.text("kind") == "wer";
    let label = labels_of("recycled").into_iter().find(small).unwrap();
    let file = csdump::dump::DumpFile::open(&label.path, &csdump::dump::Limits::default()).unwrap();
    let mut bytes = file.bytes().to_vec();
    let places: Vec<usize> = {
        let dump = csdump::dump::Dump::parse(&bytes).unwrap();
        let slot = |teb: u64| dump.memory.tail(teb + 0x1488).unwrap().as_ptr() as usize;
        dump.threads.iter().map(|thread| slot(thread.teb) - bytes.as_ptr() as usize).collect()
    };
    for at in places {
        bytes[at..at + 8].copy_from_slice(&[0; 8]);
    }
    let dump = csdump::dump::Dump::parse(&bytes).unwrap();
    let report = csdump::analyze(&dump, &csdump::report::build::Origin::default());
    assert_eq!((report.dump.cpu.as_str(), report.dump.wow64), ("x64", true));
    assert_eq!(report.outcome, Outcome::Inconclusive);
    assert!(report.critical_section.is_none() && top(&report).1 < 0.9, "{:?}", top(&report));
    let told = |warning: &String| warning.contains("raised in the 32-bit ntdll.dll");
    assert!(report.warnings.iter().any(told), "{:?}", report.warnings);
    let missing: Vec<_> = report.missing.iter().map(|missing| missing.what.as_str()).collect();
    assert!(missing.contains(&"the 32-bit registers of the exception"), "{missing:?}");
}

#[test]
fn a_null_record_is_no_null_section() {
    for (program, kind) in
        [("v-over-zeros", "procdump-ma"), ("v-copy-deleted-idle", "wer"), ("v-rel-list", "wer")]
    {
        for (label, report) in reports(program, kind) {
            let section = report.critical_section.as_ref().map(|section| &section.address);
            assert_eq!(
                section.map(String::as_str),
                Some(label.text("section")),
                "{}",
                label.name()
            );
            let mechanism = report.crash.as_ref().and_then(|crash| crash.mechanism.as_deref());
            assert_eq!(mechanism, Some("debug-info-invalid"), "{}", label.name());
        }
    }
}

#[test]
fn a_pointer_into_a_section_is_seen() {
    for (label, report) in reports("v-ptr-off-8", "wer") {
        assert!(has(&report, "points-into-section"), "{}", label.name());
        assert_eq!(top(&report).0, "bad-pointer", "{}", label.name());
    }
    for (label, report) in reports("closed", "full") {
        assert!(!has(&report, "points-into-section"), "{}", label.name());
    }
}
