//! `--images`: the files of a dump's modules.

use super::{ran, stderr, stdout};
use std::fs;
use std::path::Path;

const DUMP: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/dumps/h-oecho-x64-new-wer.dmp.zst");
const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/images");

fn report(args: &[&str]) -> serde_json::Value {
    let output = ran(&[&["analyze", "--format", "json", DUMP], args].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_programs_file_decides_what_a_small_dump_leaves_open() {
    let without = report(&[]);
    assert_eq!(without["outcome"], "inconclusive");
    assert!(without["dump"].get("images").is_none());
    let step = without["next_steps"][1].as_str().unwrap();
    assert!(step.contains("--images DIR"), "{step}");
    let with = report(&["--images", IMAGES]);
    assert_eq!(
        (&with["outcome"], &with["verdict"]["confidence"]),
        (&"diagnosed".into(), &"high".into())
    );
    assert_eq!(with["verdict"]["causes"][0]["id"], "corrupted");
    assert_eq!(with["crash"]["operation_source"], "caller-imports");
    assert_eq!(with["dump"]["images"][0]["module"], "h-oecho.exe");
    let text = ran(&["analyze", "--images", IMAGES, DUMP]);
    assert!(stdout(&text).contains("images     files of h-oecho.exe"));
}

#[test]
fn a_scan_reads_them_too() {
    let output = ran(&["scan", "--format", "jsonl", "--images", IMAGES, DUMP]);
    let line = stdout(&output).lines().next().unwrap();
    let report: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(report["outcome"], "diagnosed");
}

#[test]
fn another_build_is_a_warning_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(Path::new(IMAGES).join("h-oecho.exe")).unwrap();
    let stamp =
        usize::try_from(u32::from_le_bytes(bytes[0x3C..0x40].try_into().unwrap())).unwrap() + 8;
    bytes[stamp] ^= 1;
    fs::write(folder.path().join("h-oecho.exe"), bytes).unwrap();
    let other = report(&["--images", folder.path().to_str().unwrap()]);
    let warnings = other["warnings"].as_array().unwrap();
    assert!(
        warnings.iter().any(|text| text.as_str().unwrap().contains("another build")),
        "{warnings:?}"
    );
    assert_eq!(other["verdict"], report(&[])["verdict"]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    for command in ["analyze", "scan", "handles"] {
        let output = ran(&[command, "--images", "no-such-folder", DUMP]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(stderr(&output).contains("--images no-such-folder: "), "{}", stderr(&output));
    }
}
