//! Unwinding ARM64 by the images in the dump, against the registers that an emulator saw at each call.

use crate::support::{Label, labels};
use crate::{number, walked};
use csdump::crash::frame::{Frame, Trust};
use csdump::crash::stack::Scene;
use csdump::dump::{Dump, DumpFile, Limits};
use csdump::image::flow::FlowCache;
use csdump::image::images::Images;
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

/// The argument is followed from the call into a global, a saved register, the stack, and memory behind it.
#[test]
fn the_call_site_gives_the_section() {
    let programs = [
        "a64-closed",
        "a64-closed-member",
        "a64-closed-o0",
        "a64-registers",
        "a64-recycled",
        "a64-never-initialized",
        "a64-enter-deleted",
    ];
    for label in arm64("full").iter().filter(|label| programs.contains(&label.text("program"))) {
        let report = label.report();
        let section = report.critical_section.unwrap();
        assert_eq!(section.address, label.text("section"), "{}", label.name());
        let found = section.recovered_from.iter().any(|way| way == "call site");
        assert!(found, "{}: {:?}", label.name(), section.recovered_from);
    }
}

/// Without unwind data frame records, and lr where it counts, still lead out of ntdll to the code that called it.
#[test]
fn a_waiting_thread_is_walked_by_lr_and_frame_records() {
    for label in arm64("normal") {
        let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
        let dump = Dump::parse(file.bytes()).unwrap();
        let frames = walked(&dump);
        let truths = truths(&label);
        let program = truths.iter().find(|truth| truth["module"] != "ntdll.dll").unwrap();
        let found = frames.iter().find(|frame| frame.registers.ip() == number(&program["pc"]));
        let found = found.unwrap_or_else(|| panic!("{}: {program:?} is missing", label.name()));
        // The stack pointer that goes with a frame record is only known to lie above it.
        assert!(found.registers.sp() <= Some(number(&program["sp"])), "{}", label.name());
        if found.trust == Trust::FramePointer {
            assert_eq!(found.registers.provenance(Register::Sp), Provenance::AtLeast);
        }
        // Other threads wait in a service's stub, a leaf, which lr leads out of.
        let scene_frames = waiting(&dump, label.text("thread"));
        for ips in scene_frames {
            assert!(ips.len() > 2, "{}: {ips:x?}", label.name());
        }
    }
}

/// The instruction pointers of all stacks but that of one thread.
fn waiting(dump: &Dump<'_>, but: &str) -> Vec<Vec<u64>> {
    let modules = dump.modules.iter().map(|module| (module.base, module.size));
    let images = Images::new(&dump.memory, modules);
    let flows = FlowCache::default();
    let scene = Scene { dump, images: &images, flows: &flows };
    let others = dump.threads.iter().filter(|thread| u64::from(thread.id) != number(but));
    others
        .map(|thread| csdump::crash::thread_stack(scene, thread))
        .map(|frames| frames.iter().map(|frame| frame.registers.ip()).collect())
        .collect()
}
