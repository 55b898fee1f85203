//! Unwinding ARM64 by the images in the dump, against the registers that an emulator saw at each call.

use crate::support::{Label, labels};
use crate::{number, walked};
use csdump::crash::frame::{Frame, Trust};
use csdump::dump::{Dump, DumpFile, Limits};
use csdump::image::registers::{Provenance, Register};
use std::collections::BTreeMap;
use std::path::Path;

/// A frame of the oracle (testdata/lab/README.md, `truth`): registers by name.
type Truth = BTreeMap<String, String>;

fn difference(dump: &Dump<'_>, frame: &Frame, truth: &Truth) -> Option<String> {
    if frame.registers.ip() != number(&truth["pc"]) {
        return Some(format!("pc is {:#x}, not {}", frame.registers.ip(), truth["pc"]));
    }
    if !matches!(frame.trust, Trust::Context | Trust::UnwindData | Trust::Leaf) {
        return Some(format!("found by {}", frame.trust.as_str()));
    }
    let names = (19..=28).map(|number| (format!("x{number}"), Register::X(number)));
    let named = names.chain([("fp".into(), Register::FP), ("sp".into(), Register::Sp)]);
    named.into_iter().find_map(|(name, register)| {
        let (found, value) = (frame.registers.get(register), number(&truth[&name]));
        // The origin must be true as well: the slot holds the value.
        let origin = frame.registers.provenance(register);
        let is_there = match origin {
            Provenance::Restored { address } => dump.memory.u64(address) == Some(value),
            origin => origin != Provenance::Unknown,
        };
        (found != Some(value) || !is_there)
            .then(|| format!("{name} is {found:x?} ({origin:?}), not {value:#x}"))
    })
}

fn truths(label: &Label) -> Vec<Truth> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let text = std::fs::read_to_string(root.join(label.text("truth"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn arm64(kind: &str) -> Vec<Label> {
    let of_kind = |label: &Label| label.text("arch") == "arm64" && label.text("kind") == kind;
    let found: Vec<_> = labels().into_iter().filter(of_kind).collect();
    assert!(found.len() >= 15, "only {} dumps", found.len());
    found
}

fn misses(label: &Label) -> Option<String> {
    let truths = truths(label);
    let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
    let dump = Dump::parse(file.bytes()).unwrap();
    let frames = walked(&dump);
    assert!(truths.len() >= 4, "{}: the oracle is empty", label.name());
    for (depth, truth) in truths.iter().enumerate() {
        let Some(frame) = frames.get(depth) else {
            return Some(format!("ends after {depth} frames, before {truth:?}"));
        };
        if let Some(text) = difference(&dump, frame, truth) {
            return Some(format!("frame {depth} ({}): {text}", truth["module"]));
        }
    }
    (frames.len() != truths.len())
        .then(|| format!("has {} frames, not {}", frames.len(), truths.len()))
}

#[test]
fn every_frame_of_a_full_arm64_dump_is_that_of_the_oracle() {
    let all = arm64("full");
    let wrong: Vec<_> = all
        .iter()
        .filter_map(|label| misses(label).map(|text| format!("{}: {text}", label.name())))
        .collect();
    println!("{} dumps compared", all.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// Without unwind data the chain of frame records, and lr where it counts, still lead to every caller that has a record.
#[test]
fn a_waiting_thread_is_walked_by_lr_and_frame_records() {
    for label in arm64("normal") {
        let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
        let dump = Dump::parse(file.bytes()).unwrap();
        let frames = walked(&dump);
        let found: Vec<_> = frames.iter().map(|frame| frame.registers.ip()).collect();
        let main_returns_to = number(label.text("main_returns_to"));
        let has_records = !matches!(
            label.text("program"),
            "a64-registers"
                | "a64-closed-local"
                | "a64-closed-o0"
                | "a64-corrupted-stray"
                | "a64-enter-deleted"
                | "a64-av-elsewhere"
                | "a64-close-strict"
        );
        let reaches = main_returns_to == 0 || found.contains(&main_returns_to);
        assert!(reaches || !has_records, "{}: {found:x?}, not {main_returns_to:x}", label.name());
        assert!(frames.len() > 2, "{}: {found:x?}", label.name());
    }
}
