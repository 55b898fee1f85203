//! What goes to standard output and what to standard error.

use std::fs;
use std::io;
use std::process::Stdio;

use serde_json::Value;

use super::{csdump, ran, stderr, stdout};

#[test]
fn an_unreadable_file_is_2_with_one_sentence() {
    let output = ran(&["analyze", "/nonexistent/a.dmp"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    let text = stderr(&output);
    assert!(text.starts_with("csdump: /nonexistent/a.dmp: "), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn an_unreadable_file_is_a_valid_error_line_in_json() {
    let output = ran(&["analyze", "--format", "json", "/nonexistent/a.dmp", "/nonexistent/b.dmp"]);
    assert_eq!(output.status.code(), Some(2));
    let validator = jsonschema::validator_for(&csdump::report::json::schema()).unwrap();
    let lines: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for (line, path) in lines.iter().zip(["/nonexistent/a.dmp", "/nonexistent/b.dmp"]) {
        assert!(validator.is_valid(line), "{line}");
        assert_eq!((&line["type"], &line["path"]), (&"error".into(), &path.into()));
    }
}

#[test]
fn what_is_no_minidump_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.dmp");
    for content in ["", "MD", "this is no minidump at all"] {
        fs::write(&file, content).unwrap();
        let output = ran(&["analyze", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{content}");
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    }
}

#[test]
fn empty_standard_input_is_2_and_named_by_its_dash() {
    let output = csdump().args(["analyze", "-"]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).starts_with("csdump: -: "), "{}", stderr(&output));
}

#[test]
fn a_file_name_cannot_steer_the_terminal() {
    let output = ran(&["analyze", "--format", "json", "/nonexistent/\u{1b}[31m\u{202e}a.dmp"]);
    for text in [stdout(&output), stderr(&output)] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
    let line: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(line["path"], "/nonexistent/\u{1b}[31m\u{202e}a.dmp");
}

#[test]
fn a_closed_pipe_ends_quietly() {
    for args in [&["schema"][..], &["completions", "bash"], &["man"], &["--help"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = csdump().args(args).stdout(writer).output().unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_failed_output_is_2_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let output = ran(&["analyze", "/nonexistent/a.dmp", "-o", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("cannot write"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_error_says_its_place_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.dmp");
    fs::write(&file, "MDMP").unwrap();
    let output = ran(&["analyze", file.to_str().unwrap()]);
    let told = stderr(&output);
    assert!(told.ends_with("a.dmp: header at offset 0x0: expected 32 bytes, found 4\n"), "{told}");
}

#[test]
fn a_scan_of_standard_input_is_told_what_reads_it() {
    let output = ran(&["scan", "-"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains("csdump analyze - reads standard input"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn a_store_that_is_a_folder_is_one_sentence_that_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().to_str().unwrap();
    let output = ran(&["scan", "--resume", name, name]);
    assert_eq!(output.status.code(), Some(2));
    let told = stderr(&output);
    assert_eq!((told.matches("Is a directory").count(), told.lines().count()), (1, 1), "{told}");
    assert!(told.starts_with(&format!("csdump: cannot keep the results in {name}: ")), "{told}");
}
