//! `csdump scan`, by its command line and by the library.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    unreachable_pub
)]

mod support;

#[path = "scan/bad_input.rs"]
mod bad_input;

#[path = "scan/containers.rs"]
mod containers;

#[path = "scan/grouping.rs"]
mod grouping;

#[path = "scan/interrupted.rs"]
mod interrupted;

#[path = "scan/screening.rs"]
mod screening;

#[path = "scan/selection.rs"]
mod selection;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs `csdump scan`.
fn scan<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_csdump")).arg("scan").args(arguments).output().unwrap()
}

/// The JSON lines of a run: all but the summary, and the summary.
fn lines(output: &Output) -> (Vec<Value>, Value) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let mut lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().expect("a summary");
    assert_eq!(summary["type"], "summary");
    (lines, summary)
}

/// The path in a line.
fn path(line: &Value) -> &str {
    line["path"].as_str().or_else(|| line["dump"]["path"].as_str()).unwrap()
}

/// A dump of the lab, unpacked.
fn unpacked(name: &str) -> Vec<u8> {
    let path = lab().join(name);
    let file = csdump::dump::DumpFile::open(path, &csdump::dump::Limits::default()).unwrap();
    file.bytes().to_vec()
}

fn lab() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dumps")
}

/// A small failure and a small dump that is none.
const FAILURE: &str = "recycled-x64-new-wer.dmp.zst";
const OTHER: &str = "av-elsewhere-x64-new-normal.dmp.zst";
