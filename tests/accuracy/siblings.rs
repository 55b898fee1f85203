//! The sibling failures: stops of Application Verifier, fast fails, heap locks, the kernel's own raise, in-page errors.

use super::support::{Label, chain, labels, labels_of, top};
use super::{has, reports, source};
use csdump::dump::{Dump, DumpFile, Limits};
use csdump::report::build::Origin;
use csdump::report::model::{Outcome, Report};

fn mechanism(report: &Report) -> &str {
    report.crash.as_ref().and_then(|crash| crash.mechanism.as_deref()).unwrap_or_default()
}

fn section(report: &Report) -> &str {
    report.critical_section.as_ref().map_or("", |section| section.address.as_str())
}

/// The report of a dump after its bytes were changed.
fn changed(label: &Label, change: impl Fn(&mut [u8])) -> Report {
    let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
    let mut bytes = file.bytes().to_vec();
    change(&mut bytes);
    let dump = Dump::parse(&bytes).unwrap();
    csdump::analyze(&dump, &Origin::default())
}

fn the_dump(program: &str, kind: &str) -> Label {
    labels_of(program).into_iter().find(|label| label.text("kind") == kind).unwrap()
}

#[test]
fn a_delete_that_has_returned_is_no_caller() {
    // Its return address lies in a local of the raiser's, behind a call of NtClose.
    let report = the_dump("j-zteardown", "full").report();
    assert_eq!(report.outcome, Outcome::NotApplicable);
    let crash = report.crash.as_ref().unwrap();
    assert_eq!(chain(&report)[..2], ["NtClose", "CloseHandle"]);
    // Called through a pointer: its own code names it.
    assert_eq!(crash.frames[1].function_source.as_deref(), Some("export"));
}

#[test]
fn a_stop_names_its_section() {
    let stops = labels().into_iter().filter(|label| label.text("mechanism") == "verifier-stop");
    let mut count = 0;
    for label in stops {
        let report = label.report();
        assert_eq!(mechanism(&report), "verifier-stop", "{}", label.name());
        assert_eq!(section(&report), label.text("section"), "{}", label.name());
        let stop = report.findings.iter().find(|found| found.id == "verifier-stop").unwrap();
        let exact = stop.source.starts_with("stack arguments");
        assert!(exact || top(&report).1 < 0.9, "{}", label.name());
        let guessed = stop.source.starts_with("guessed");
        assert!(!guessed || report.outcome == Outcome::Inconclusive, "{}", label.name());
        count += 1;
    }
    assert!(count >= 40);
}

#[test]
fn breakpoints_and_other_stops_are_not_applicable() {
    for program in ["verifier-break", "verifier-heap", "verifier-null-handle"] {
        for label in labels_of(program) {
            let report = label.report();
            assert_eq!(report.outcome, Outcome::NotApplicable, "{}", label.name());
            assert!(report.critical_section.is_none(), "{}", label.name());
        }
    }
}

#[test]
fn stop_300_is_followed_to_what_it_reports() {
    for (label, report) in reports("verifier-handle", "full") {
        let crash = report.crash.as_ref().unwrap();
        assert_eq!(crash.exception.code, "0xC0000008", "{}", label.name());
        assert_eq!(crash.exception.nested[0].code, "0x80000003", "{}", label.name());
        assert_eq!(top(&report).0, "handle-closed", "{}", label.name());
        assert_eq!(report.outcome, Outcome::Diagnosed, "{}", label.name());
        assert!(has(&report, "verifier-stop") && has(&report, "raised-by-kernel"));
        let caller = crash.caller.as_deref().unwrap_or_default();
        assert!(caller.starts_with("verifier-handle.exe"), "{caller}");
    }
    let closed = labels_of("verifier-close");
    for label in closed.iter().filter(|label| label.text("naming") != "none") {
        assert_eq!(label.report().outcome, Outcome::NotApplicable, "{}", label.name());
    }
}

#[test]
fn the_kernels_own_raise_in_leave_is_diagnosed() {
    for (label, report) in reports("leave-strict", "full") {
        assert!(has(&report, "raised-by-kernel"), "{}", label.name());
        assert_eq!(report.outcome, Outcome::Diagnosed, "{}", label.name());
        assert_eq!(top(&report).0, "handle-closed", "{}", label.name());
        let handle = report.handle.as_ref().unwrap();
        assert_eq!(handle.value.as_deref(), Some(label.text("handle")), "{}", label.name());
    }
}

#[test]
fn a_fast_fail_in_delete_is_the_lists() {
    for (label, report) in reports("fast-fail", "full") {
        assert_eq!(mechanism(&report), "debug-info-invalid", "{}", label.name());
        assert!(has(&report, "list-links-disagree"), "{}", label.name());
        // The damaged record may be a neighbour's.
        assert!(top(&report).1 < 0.9, "{}", label.name());
        let causes = &report.verdict.as_ref().unwrap().causes;
        for excluded in ["handle-closed", "not-owner"] {
            let cause = causes.iter().find(|cause| cause.id == excluded).unwrap();
            assert_eq!(cause.contradicting[0].finding, "excluded", "{}", label.name());
        }
    }
    // Any other fast fail is none of ours.
    let label = the_dump("fast-fail", "full");
    let other = changed(&label, |bytes| {
        let at = exception_at(bytes);
        bytes[at + 40] = 2;
    });
    assert_eq!(other.outcome, Outcome::NotApplicable);
}

#[test]
fn a_fast_fail_without_names_needs_the_nearest_call() {
    let (label, report) = reports("fast-fail", "wer").pop().unwrap();
    assert_eq!(label.text("naming"), "caller-imports");
    assert_eq!((report.outcome, source(&report)), (Outcome::Inconclusive, "inferred"));
    for (_, report) in reports("fast-fail", "normal") {
        assert_eq!(report.outcome, Outcome::NotApplicable);
    }
}

#[test]
fn a_heap_lock_is_its_heaps() {
    for (label, report) in reports("heap-lock", "full") {
        assert_eq!(source(&report), "ntdll-exports", "{}", label.name());
        assert_eq!(report.outcome, Outcome::Diagnosed, "{}", label.name());
        let section = report.critical_section.as_ref().unwrap();
        assert!(section.name.starts_with("lock of the heap at 0x"), "{}", section.name);
        let signature = &report.signature.as_ref().unwrap().cause;
        assert!(signature.contains("private memory"), "{signature}");
        let caller = report.crash.as_ref().unwrap().caller.as_deref();
        assert!(caller.is_some_and(|caller| !caller.starts_with("ntdll")), "{caller:?}");
    }
}

/// Where the record of the exception stream lies: ThreadId and padding, then MINIDUMP_EXCEPTION.
fn exception_at(bytes: &[u8]) -> usize {
    let dump = Dump::parse(bytes).unwrap();
    dump.directory.iter().find(|entry| entry.stream_type == 6).unwrap().rva as usize
}

#[test]
fn a_page_that_could_not_be_read_in_is_no_released_memory() {
    let label = the_dump("memory-released", "full");
    assert_eq!(top(&label.report()).0, "memory-released");
    let report = changed(&label, |bytes| {
        let at = exception_at(bytes);
        bytes[at + 8..at + 12].copy_from_slice(&0xC000_0006u32.to_le_bytes());
        bytes[at + 32] = 3;
        bytes[at + 56..at + 64].copy_from_slice(&0xC000_009Cu64.to_le_bytes());
    });
    assert!(has(&report, "page-not-read-in"));
    assert_eq!(report.outcome, Outcome::Inconclusive);
    assert!(top(&report).1 < 0.9);
}

/// The x86 stop 0x205 as another one: its code and first two parameters, wherever they stand together.
fn restated(code: u32, parameters: Option<[u32; 2]>) -> Report {
    let label = the_dump("verifier-corrupted", "full");
    let section = u32::from_str_radix(label.text("section").trim_start_matches("0x"), 16).unwrap();
    let old = [0x205u32.to_le_bytes(), section.to_le_bytes()].concat();
    changed(&label, |bytes| {
        let words = [Some(code), parameters.map(|[one, _]| one), parameters.map(|[_, two]| two)];
        let new: Vec<u8> = words.iter().flatten().flat_map(|word| word.to_le_bytes()).collect();
        let mut count = 0;
        for at in 0..bytes.len().saturating_sub(12) {
            let Some(place) = bytes.get_mut(at..at + 12).filter(|place| place.starts_with(&old))
            else {
                continue;
            };
            place.iter_mut().zip(&new).for_each(|(byte, new)| *byte = *new);
            count += 1;
        }
        assert!(count > 0);
    })
}

#[test]
fn a_stop_that_is_none_of_the_causes_says_so() {
    let label = the_dump("verifier-corrupted", "full");
    let number = |text: &str| u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let (thread, address) = (number(label.text("thread")), number(label.text("section")));
    let ends = restated(0x200, Some([thread, address]));
    for (report, words, finding) in [
        (ends, "a thread ended while it owned", "verifier-says-thread-ends"),
        (restated(0x203, None), "was initialised again", "verifier-says-initialized-twice"),
        (restated(0x211, None), "was initialised again", "verifier-says-initialized-twice"),
        (restated(0x215, None), "of another module", "verifier-says-private"),
    ] {
        assert_eq!(report.outcome, Outcome::Inconclusive, "{words}");
        assert_eq!(section(&report), label.text("section"), "{words}");
        let verdict = report.verdict.as_ref().unwrap();
        assert!(verdict.statement.contains(words), "{}", verdict.statement);
        assert!(verdict.named.is_empty() && has(&report, finding), "{words}");
    }
    assert_eq!(restated(0x303, None).outcome, Outcome::NotApplicable);
}
