//! Unwinding x64 by the images in the dump, against what Wine's RtlVirtualUnwind said in the crashing process; ARM64
//! against what an emulator saw.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    unreachable_pub
)]

#[path = "unwind/arm64.rs"]
mod arm64;
mod support;

use csdump::crash::frame::{Frame, Trust};
use csdump::crash::stack::{self, Scene};
use csdump::dump::{Dump, DumpFile, Limits};
use csdump::image::flow::FlowCache;
use csdump::image::images::Images;
use csdump::image::registers::{Register, RegisterFile};
use serde::Deserialize;
use std::path::Path;
use support::{Label, labels, withdrawn};

/// A frame of the oracle (testdata/lab/README.md, `truth`): addresses and registers as hexadecimal text.
#[derive(Debug, Deserialize)]
struct Truth {
    module: Option<String>,
    rip: String,
    rsp: String,
    rbx: String,
    rbp: String,
    rsi: String,
    rdi: String,
    r12: String,
    r13: String,
    r14: String,
    r15: String,
}

impl Truth {
    fn registers(&self) -> [(Register, u64); 9] {
        [
            (Register::Rsp, number(&self.rsp)),
            (Register::Rbx, number(&self.rbx)),
            (Register::Rbp, number(&self.rbp)),
            (Register::Rsi, number(&self.rsi)),
            (Register::Rdi, number(&self.rdi)),
            (Register::R12, number(&self.r12)),
            (Register::R13, number(&self.r13)),
            (Register::R14, number(&self.r14)),
            (Register::R15, number(&self.r15)),
        ]
    }
}

fn number(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The frames of the dump's own exception, by our walker.
fn walked(dump: &Dump<'_>) -> Vec<Frame> {
    let modules = dump.modules.iter().map(|module| (module.base, module.size));
    let images = Images::new(&dump.memory, modules);
    let flows = FlowCache::default();
    let scene = Scene { dump, images: &images, flows: &flows };
    let context = dump.exception.as_ref().and_then(|exception| exception.context.as_ref());
    stack::walk(scene, RegisterFile::from_context(context.unwrap()).unwrap())
}

/// The first difference between a frame and the oracle's.
fn difference(frame: &Frame, truth: &Truth) -> Option<String> {
    if frame.registers.ip() != number(&truth.rip) {
        return Some(format!("rip is {:#x}, not {}", frame.registers.ip(), truth.rip));
    }
    if !matches!(frame.trust, Trust::Context | Trust::UnwindData | Trust::Leaf) {
        return Some(format!("found by {}", frame.trust.as_str()));
    }
    truth.registers().into_iter().find_map(|(register, value)| {
        // What is said to be unknown is not right.
        let found = frame.registers.get(register);
        (found != Some(value)).then(|| format!("{register:?} is {found:x?}, not {value:#x}"))
    })
}

/// What is wrong with the walk of one dump.
fn misses(label: &Label) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let text = std::fs::read_to_string(root.join(label.text("truth"))).unwrap();
    let truths: Vec<Truth> = serde_json::from_str(&text).unwrap();
    let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
    let dump = Dump::parse(file.bytes()).unwrap();
    let frames = walked(&dump);
    assert!(truths.len() >= 3, "{}: the oracle is empty", label.name());
    for (depth, truth) in truths.iter().enumerate() {
        let Some(frame) = frames.get(depth) else {
            return Some(format!("ends after {depth} frames, before {truth:?}"));
        };
        if let Some(text) = difference(frame, truth) {
            return Some(format!("frame {depth} ({:?}): {text}", truth.module));
        }
    }
    // Some crash in a second thread, or after main has returned: there the oracle does not show main either.
    let main_returns_to = number(label.text("main_returns_to"));
    let reaches_main = truths.iter().any(|truth| number(&truth.rip) == main_returns_to);
    if reaches_main && !frames.iter().any(|frame| frame.registers.ip() == main_returns_to) {
        return Some(format!("does not reach main, which returns to {main_returns_to:#x}"));
    }
    (frames.len() != truths.len())
        .then(|| format!("has {} frames, not {}", frames.len(), truths.len()))
}

#[test]
fn every_frame_of_a_full_x64_dump_is_that_of_the_oracle() {
    let all = labels();
    let full =
        all.iter().filter(|label| label.text("arch") == "x64" && label.text("kind") == "full");
    let (mut compared, mut wrong) = (0, Vec::new());
    // A call through NULL leaves Wine's unwinder without a function to start from.
    for label in full.filter(|label| !label.text("truth").is_empty()) {
        compared += 1;
        wrong.extend(misses(label).map(|text| format!("{}: {text}", label.name())));
    }
    println!("{compared} dumps compared");
    assert!(compared >= 20, "only {compared} dumps");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}

/// A label is withdrawn only where its dump contradicts it: by the instruction pointer alone, without a frame of csdump's.
#[test]
fn a_withdrawn_label_is_contradicted_by_its_dump() {
    let all = withdrawn();
    let programs: Vec<_> = all.iter().map(|label| label.text("program")).collect();
    assert_eq!(programs, ["w-aplugin-thread"; 2], "two dumps of one run");
    for label in all.iter().filter(|label| label.text("kind") == "full") {
        let file = DumpFile::open(&label.path, &Limits::default()).unwrap();
        let dump = Dump::parse(file.bytes()).unwrap();
        let modules = dump.modules.iter().map(|module| (module.base, module.size));
        let images = Images::new(&dump.memory, modules);
        let behind = dump.exception.as_ref().unwrap().record.address;
        let module = images.module_at(behind - 1).unwrap();
        let function = module.function_at(behind - 1).unwrap();
        assert_eq!(label.text("operation"), "", "{}", label.name());
        assert_eq!(function.nearest.unwrap().name, "RtlpUnWaitCriticalSection", "{}", label.name());
    }
}
