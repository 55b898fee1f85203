//! Scans past one machine: the example on Ray (`examples/ray`), by its own tests in Python, and `examples/scan-shard.sh`.
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

/// A shard's file is there when csdump came to its end, whatever it found, and else nothing is.
#[test]
fn a_shard_is_there_as_a_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let csdump = env!("CARGO_BIN_EXE_csdump");
    let shard = |csdump: &str, paths: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/scan-shard.sh");
        let list = folder.path().join("list");
        std::fs::write(&list, paths).unwrap();
        let out = folder.path().join("out");
        let _ = std::fs::remove_dir_all(&out);
        std::fs::create_dir(&out).unwrap();
        let mut command = Command::new(script);
        command.arg(out.join("1")).env("CSDUMP", csdump).stdin(std::fs::File::open(list).unwrap());
        let done = command.status().unwrap().success();
        let names = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name());
        (done, names.map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>())
    };
    let whole = (true, vec!["1.jsonl".to_owned()]);
    let dump = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/dumps/closed-x64-new-wer.dmp.zst\n");
    for paths in [dump, "", "/nowhere.dmp\n"] {
        assert_eq!(shard(csdump, paths), whole, "{paths}");
    }
    let fake = folder.path().join("fake");
    let interrupted = r#"echo '{"type":"summary","dumps":1,"interrupted":true}'"#;
    for script in ["kill -9 $$", r#"echo '{"type":"report"}'"#, interrupted] {
        std::fs::write(&fake, format!("#!/bin/sh\n{script}\n")).unwrap();
        Command::new("chmod").arg("+x").arg(&fake).status().unwrap();
        assert_eq!(shard(fake.to_str().unwrap(), dump), (false, vec![]), "{script}");
    }
}

fn has_python() -> bool {
    let ask = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    let answer = Command::new("python3").args(["-c", ask]).output();
    answer.is_ok_and(|answer| answer.status.success())
}
