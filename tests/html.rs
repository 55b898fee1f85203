//! The pages for a browser: by the command line, and in a real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

#[path = "html/browser.rs"]
mod browser;

#[path = "html/pages.rs"]
mod pages;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Dumps of three groups, one of which has two dumps, and one that is no lock failure.
const DUMPS: [&str; 5] = [
    "closed-x64-new-full.dmp.zst",
    "closed-x64-new-normal.dmp.zst",
    "corrupted-underrun-x64-new-full.dmp.zst",
    "not-owner-x64-new-full.dmp.zst",
    "av-elsewhere-x64-new-full.dmp.zst",
];

fn dumps() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dumps");
    DUMPS.iter().map(|name| folder.join(name)).collect()
}

/// Runs a subcommand with `--format html` on the dumps.
fn html(command: &str, more: &[&str]) -> Output {
    let mut csdump = Command::new(env!("CARGO_BIN_EXE_csdump"));
    csdump.args([command, "--format", "html"]).args(more).args(dumps()).output().unwrap()
}
