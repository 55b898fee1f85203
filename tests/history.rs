//! Dumps of the lab with a handle trace: who opened, closed and misused the handle, and when nobody may be accused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout
)]

mod support;

use csdump::dump::{Dump, DumpFile, Limits};
use csdump::report::build::Origin;
use csdump::report::model::{Outcome, Report};
use support::{Label, labels, labels_of, top};

/// AVRF_HANDLE_OPERATION and its stream's header, in bytes.
const ENTRY: usize = 288;
const HEADER: usize = 16;
/// Offsets in an entry.
const PROCESS: usize = 8;
const KIND: usize = 0x10;
const DEPTH: usize = 0x18;
const ADDRESSES: usize = 0x20;
/// Stream types.
const HANDLE_DATA: u32 = 12;
const TRACE: u32 = 18;

fn traced() -> Vec<Label> {
    labels().into_iter().filter(|label| label.text("set").ends_with("-trace")).collect()
}

fn is_kind(label: &Label, kind: &str) -> bool {
    label.text("kind") == kind
}

fn of_kind(program: &str, kind: &str) -> Vec<Label> {
    let found: Vec<Label> =
        labels_of(program).into_iter().filter(|label| is_kind(label, kind)).collect();
    assert!(!found.is_empty(), "no {kind} dump of {program}");
    found
}

fn statement(report: &Report) -> &str {
    report.verdict.as_ref().map_or("", |verdict| verdict.statement.as_str())
}

fn finding<'r>(report: &'r Report, id: &str) -> Option<&'r str> {
    report.findings.iter().find(|found| found.id == id).map(|found| found.statement.as_str())
}

fn accuses(report: &Report) -> bool {
    finding(report, "handle-closed-by-other-code").is_some()
}

fn history(report: &Report) -> &[String] {
    report.handle.as_ref().map_or(&[], |handle| handle.history.as_slice())
}

/// The report of a dump whose entries of the trace were changed.
fn with_entries(label: &Label, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Report {
    with_file(label, |file, at, count| {
        let mut entries: Vec<Vec<u8>> =
            file[at..at + count * ENTRY].chunks(ENTRY).map(<[u8]>::to_vec).collect();
        change(&mut entries);
        assert_eq!(entries.len(), count);
        file[at..at + count * ENTRY].copy_from_slice(&entries.concat());
    })
}

/// The report of a dump changed by `change(file, offset of the first entry, number of entries)`.
fn with_file(label: &Label, change: impl FnOnce(&mut [u8], usize, usize)) -> Report {
    let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
    let mut bytes = file.bytes().to_vec();
    let stream = Dump::parse(&bytes).unwrap().stream(TRACE).unwrap();
    let (at, count) = (stream.rva as usize + HEADER, (stream.bytes.len() - HEADER) / ENTRY);
    change(&mut bytes, at, count);
    csdump::analyze(&Dump::parse(&bytes).unwrap(), &Origin::default())
}

fn set(entry: &mut [u8], offset: usize, value: u32) {
    entry[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
}

fn kind_of(entry: &[u8]) -> u8 {
    entry[KIND]
}

/// Renames a stream to one that nobody reads.
fn hide(file: &mut [u8], stream: u32) {
    for entry in file[32..32 + 16 * 12].chunks_mut(12) {
        if entry[..4] == stream.to_le_bytes() {
            entry[..4].copy_from_slice(&0_u32.to_le_bytes());
        }
    }
}

#[test]
fn the_closer_is_named_down_to_the_call() {
    let mut seen = 0;
    for label in traced() {
        let named = label.text("naming") != "none" || is_kind(&label, "code");
        if label.text("cause") != "handle-closed" || !named {
            continue;
        }
        let report = label.report();
        let closer = label.text("closer");
        let text = finding(&report, "handle-closed-by-other-code").unwrap();
        let places = report.handle.as_ref().unwrap().operations.iter();
        let addresses: Vec<String> = places
            .filter(|one| text.contains(one.place.as_deref().unwrap()) && one.operation == "close")
            .flat_map(|one| &one.frames)
            .filter_map(|frame| {
                Some(format!("{}+{}", frame.module.as_ref()?, frame.module_offset.as_ref()?))
            })
            .collect();
        assert!(addresses.iter().any(|address| address == closer), "{}: {text}", label.name());
        assert_eq!(report.outcome, Outcome::Diagnosed, "{}", label.name());
        let said = statement(&report);
        let module = closer.split('+').next().unwrap();
        let handle = label.text("handle");
        assert!(
            said.contains(&format!("its event handle {handle} was closed by other code")),
            "{said}"
        );
        assert!(said.contains(&format!("CloseHandle called from {module}")), "{said}");
        seen += 1;
    }
    assert!(seen >= 9, "{seen}");
}

#[test]
fn the_closing_of_another_owners_handle_accuses_nobody() {
    for label in of_kind("t-stale", "code") {
        let report = label.report();
        assert!(!accuses(&report), "{}: {}", label.name(), statement(&report));
        assert!(finding(&report, "handle-opened-by-other-code").is_some(), "{}", label.name());
        assert_eq!(top(&report).0, "corrupted", "{}", label.name());
        assert!(history(&report).iter().any(|line| line.starts_with("CLOSE: CloseHandle")));
    }
}

#[test]
fn a_value_without_a_history_is_no_closed_handle() {
    for label in of_kind("t-wild", "code") {
        let report = label.report();
        assert!(!accuses(&report), "{}", label.name());
        assert!(finding(&report, "handle-never-opened-here").is_some(), "{}", label.name());
        assert_eq!(top(&report).0, "corrupted", "{}", label.name());
    }
}

#[test]
fn the_bad_reference_gives_the_handle_that_a_deleted_section_lost() {
    for label in labels_of("t-deleted") {
        let report = label.report();
        let handle = report.handle.as_ref().unwrap();
        assert_eq!(handle.value.as_deref(), Some(label.text("handle")), "{}", label.name());
        assert!(handle.source.as_deref().unwrap().contains("handle trace"), "{}", label.name());
        assert!(!accuses(&report), "{}", label.name());
        let silent = with_entries(&label, |entries| {
            entries.iter_mut().filter(|one| kind_of(one) == 3).for_each(|one| set(one, KIND, 0));
        });
        let lost = silent.handle.as_ref().unwrap();
        // A register or the stack of an x86 dump can still show it.
        assert!(lost.source.as_deref().is_none_or(|source| !source.contains("trace")));
    }
    for label in of_kind("t-deleted", "code") {
        let report = label.report();
        assert!(finding(&report, "handle-closed-by-delete").is_some(), "{}", label.name());
        assert_eq!((top(&report).0, report.outcome), ("deleted", Outcome::Diagnosed));
        assert!(statement(&report).contains("RtlDeleteCriticalSection called from"));
    }
}

#[test]
fn the_deletion_of_the_original_is_no_deletion_of_the_copy() {
    for label in of_kind("t-copied", "code") {
        let report = label.report();
        assert!(finding(&report, "handle-closed-by-other-delete").is_some(), "{}", label.name());
        assert!(finding(&report, "handle-closed-by-delete").is_none(), "{}", label.name());
        assert_eq!(top(&report).0, "copied", "{}", label.name());
        assert!(statement(&report).contains("the original was deleted"), "{}", statement(&report));
    }
}

/// Which end of the stream is the newest is not documented: both must give the same.
#[test]
fn the_direction_of_the_stream_does_not_matter() {
    for label in traced() {
        let (one, other) = (label.report(), with_entries(&label, |entries| entries.reverse()));
        assert_eq!(history(&one), history(&other), "{}", label.name());
        assert_eq!(statement(&one), statement(&other), "{}", label.name());
        let order = |report: &Report| report.handle.as_ref().unwrap().history_order.clone();
        assert_eq!(order(&one).as_deref(), Some("oldest-first"), "{}", label.name());
    }
}

/// Nothing left that proves the order: every closing that may be the section's is said, none is picked.
#[test]
fn without_an_order_no_closer_is_picked() {
    for label in of_kind("t-closed", "code") {
        let report = with_file(&label, |file, at, count| {
            for entry in file[at..at + count * ENTRY].chunks_mut(ENTRY) {
                if kind_of(entry) == 3 {
                    set(entry, KIND, 0);
                }
            }
            hide(file, HANDLE_DATA);
        });
        let order = report.handle.as_ref().unwrap().history_order.as_deref();
        assert_eq!(order, Some("unknown"), "{}", label.name());
        let text = finding(&report, "handle-closed-by-other-code").unwrap();
        assert_eq!(text.matches("CloseHandle called from").count(), 2, "{text}");
        assert!(!statement(&report).contains("CloseHandle"), "{}", statement(&report));
    }
}

/// The stacks in the small x64 dump without code cannot be named.
#[test]
fn an_unnamed_way_through_ntdll_accuses_nobody() {
    let unnamed = |label: &Label| label.text("naming") == "none" || label.text("arch") == "x64";
    let mut seen = 0;
    for label in of_kind("t-deleted", "wer").into_iter().filter(unnamed) {
        let report = label.report();
        assert!(!accuses(&report) && top(&report).1 < 0.9, "{}", label.name());
        assert!(finding(&report, "handle-closed-within-ntdll").is_some(), "{}", label.name());
        seen += 1;
    }
    assert!(seen > 0);
    // The same way with ntdll's part cut to one function: the service, or a Delete whose service was missed?
    for label in of_kind("t-deleted", "wer").into_iter().filter(unnamed) {
        let report = with_entries(&label, |entries| {
            for entry in entries.iter_mut().filter(|one| kind_of(one) == 2) {
                entry.copy_within(ADDRESSES + 8..ENTRY, ADDRESSES);
                let depth = u32::from(entry[DEPTH]) - 1;
                set(entry, DEPTH, depth);
            }
        });
        assert!(!accuses(&report), "{}: {}", label.name(), statement(&report));
        assert!(finding(&report, "handle-closed-unattributed").is_some(), "{}", label.name());
    }
}

#[test]
fn operations_of_another_process_are_not_ours() {
    for label in of_kind("t-closed", "code") {
        let report = with_entries(&label, |entries| {
            for entry in entries.iter_mut() {
                set(entry, PROCESS, 0x7777);
            }
        });
        assert!(history(&report).is_empty(), "{:?}", history(&report));
        assert!(!accuses(&report));
    }
}

#[test]
fn the_two_lowest_bits_do_not_matter() {
    for label in of_kind("t-closed-plugin", "code") {
        let one = label.report();
        let tagged = with_entries(&label, |entries| entries.iter_mut().for_each(|one| one[0] |= 3));
        assert_eq!(statement(&one), statement(&tagged));
        assert_eq!(history(&one), history(&tagged));
    }
}

/// 0xC0000024, and the trace has forgotten all but the file that took the slot.
#[test]
fn the_new_owner_of_the_slot_is_no_evidence() {
    for label in of_kind("t-recycled", "code") {
        let whole = label.report();
        let operations = whole.handle.unwrap().operations;
        assert_eq!(operations.last().unwrap().function.as_deref(), Some("CreateFileA"));
        let address = operations.last().unwrap().frames[0].address.clone();
        let address = u64::from_str_radix(&address[2..], 16).unwrap().to_le_bytes();
        let report = with_entries(&label, |entries| {
            let others = entries.iter_mut().filter(|one| one[ADDRESSES..ADDRESSES + 8] != address);
            others.for_each(|one| set(one, KIND, 0));
        });
        assert_eq!(history(&report).len(), 1, "{:?}", history(&report));
        assert!(history(&report)[0].contains("CreateFileA"), "{:?}", history(&report));
        assert!(finding(&report, "handle-opened-by-other-code").is_none(), "{}", label.name());
        assert_eq!(top(&report).0, "handle-closed", "{}", label.name());
    }
}

/// Should Windows record a reference to an object of the wrong type too, it must not turn the order round.
#[test]
fn a_reference_to_an_open_slot_does_not_turn_the_order() {
    for label in of_kind("t-recycled", "code") {
        let whole = label.report();
        let newest = &whole.handle.as_ref().unwrap().operations.last().unwrap().frames[0].address;
        let newest = u64::from_str_radix(&newest[2..], 16).unwrap().to_le_bytes();
        let report = with_entries(&label, |entries| {
            let newest_first = entries[0][ADDRESSES..ADDRESSES + 8] == newest;
            if newest_first {
                entries.reverse();
            }
            let mut reference = entries.last().unwrap().clone();
            set(&mut reference, KIND, 3);
            entries.remove(0);
            entries.push(reference);
            if newest_first {
                entries.reverse();
            }
        });
        let order = report.handle.as_ref().unwrap().history_order.as_deref();
        assert_eq!(order, Some("unknown"), "{}", label.name());
        assert!(!statement(&report).contains("CloseHandle"), "{}", statement(&report));
    }
}

/// LockSemaphore holds another handle than the one that the kernel saw: it changed since, or it is another section.
#[test]
fn another_handle_than_the_one_passed_leaves_the_verdict_open() {
    for label in of_kind("t-closed-plugin", "code") {
        let report = with_file(&label, |file, at, count| {
            for entry in file[at..at + count * ENTRY].chunks_mut(ENTRY) {
                set(entry, 0, 0x20);
            }
        });
        let handle = report.handle.as_ref().unwrap();
        assert_eq!(handle.value.as_deref(), Some("0x20"), "{}", label.name());
        assert_eq!(report.outcome, Outcome::Inconclusive, "{}", statement(&report));
    }
}

/// A slot that was used again and again: the operations that lead to the failure are kept.
#[test]
fn a_long_history_keeps_its_end() {
    for label in of_kind("t-closed-plugin", "code") {
        let short = label.report();
        let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
        let mut bytes = file.bytes().to_vec();
        let stream = Dump::parse(&bytes).unwrap().stream(TRACE).unwrap().bytes.to_vec();
        let mut entries: Vec<Vec<u8>> =
            stream[HEADER..].chunks(ENTRY).map(<[u8]>::to_vec).collect();
        if kind_of(&entries[0]) == 3 {
            entries.reverse();
        }
        let turn = [entries[0].clone(), entries[1].clone()].concat();
        let whole = [turn.repeat(500), entries.concat()].concat();
        let (rva, count) = (bytes.len() as u32, (whole.len() / ENTRY) as u32);
        bytes.extend([16, 288, count, 0].map(u32::to_le_bytes).concat());
        bytes.extend(&whole);
        let at = (32..).step_by(12).find(|at| bytes[*at..*at + 4] == TRACE.to_le_bytes()).unwrap();
        bytes[at + 4..at + 8].copy_from_slice(&(16 + whole.len() as u32).to_le_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&rva.to_le_bytes());
        let long = csdump::analyze(&Dump::parse(&bytes).unwrap(), &Origin::default());
        let handle = long.handle.as_ref().unwrap();
        assert_eq!(handle.history_total, Some(1000 + history(&short).len()));
        assert!(handle.history.len() <= 32 && handle.history.len() == handle.operations.len());
        assert_eq!(handle.history.last(), history(&short).last());
        assert_eq!(statement(&long), statement(&short));
    }
}
