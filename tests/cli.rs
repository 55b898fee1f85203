//! The `csdump` command as a shell sees it.
#![allow(clippy::unwrap_used)]

#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/handles.rs"]
mod handles;

#[path = "cli/images.rs"]
mod images;

#[path = "cli/outputs.rs"]
mod outputs;

#[path = "cli/usage.rs"]
mod usage;

#[path = "cli/streams.rs"]
mod streams;

use std::process::{Command, Output};

/// The program, free of the caller's colour settings.
fn csdump() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_csdump"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

fn ran(args: &[&str]) -> Output {
    csdump().args(args).output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[test]
fn hash_is_given_when_asked_for() {
    let dump = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/dumps/closed-x64-new-normal.dmp.zst");
    let line = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_csdump")).args(arguments).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let hash = line(&["analyze", "--format", "json", "--hash", dump])["dump"]["sha256"].clone();
    assert_eq!(hash.as_str().map(str::len), Some(64));
    assert!(line(&["analyze", "--format", "json", dump])["dump"].get("sha256").is_none());
}
