//! The example on Ray (`examples/ray`), by its own tests in Python.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

/// Two Ray nodes on this machine scan the lab's dumps, lose a worker and a node, and come to the lines of one csdump.
/// Without Python or, in it, without Ray, what needs them is skipped, with the reason printed.
#[test]
fn a_scan_on_ray_is_a_scan_on_one_machine() {
    let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ray/test_scan_on_ray.py");
    if !has_python() {
        println!(
            "skipped: there is no python3 of version 3.10 or later, with venv, on this machine"
        );
        return;
    }
    let run = Command::new("python3")
        .arg("-B")
        .arg(test)
        .env("CSDUMP", env!("CARGO_BIN_EXE_csdump"))
        .env("CSDUMP_RAY_CACHE", env!("CARGO_TARGET_TMPDIR"))
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    println!("{out}{err}");
    assert!(run.status.success(), "{}", run.status);
    // Skipping takes the cluster's test away, never those of the shards.
    assert!(err.contains("test_merged_shards_are_one_scan"), "the tests were not run");
}

fn has_python() -> bool {
    let ask = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    let answer = Command::new("python3").args(["-c", ask]).output();
    answer.is_ok_and(|answer| answer.status.success())
}
