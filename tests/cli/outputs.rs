//! Where the result goes, and what it must not replace.

use std::fs;
use std::path::Path;

use super::{ran, stderr};

/// A file that begins as a dump does, which is all that a glance at it can see.
fn dump_in(folder: &Path) -> String {
    let path = folder.join("r.dmp");
    fs::write(&path, "MDMP and the evidence").unwrap();
    path.to_str().unwrap().to_owned()
}

const DUMP_STAYS: &str = "the output would replace this dump";

/// Runs and fails unless it is refused with that sentence.
fn refused(args: &[&str], sentence: &str) {
    let output = ran(args);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {told}");
    assert!(told.contains(sentence) && told.lines().count() == 1, "{args:?}: {told}");
}

#[test]
fn a_scan_does_not_replace_the_dump_it_scans() {
    let folder = tempfile::tempdir().unwrap();
    let dump = dump_in(folder.path());
    let list = folder.path().join("list");
    fs::write(&list, format!("{dump}\n")).unwrap();
    let (root, list) = (folder.path().to_str().unwrap(), list.to_str().unwrap());
    for how in [&["--brief"][..], &["--format", "jsonl"], &["--format", "table"]] {
        for what in [&[dump.as_str()][..], &[root], &["--files-from", list]] {
            refused(&[&["scan", "-o", &dump], how, what].concat(), DUMP_STAYS);
        }
    }
    for format in ["csv", "html"] {
        refused(&["scan", "-o", &dump, "--format", format, &dump], DUMP_STAYS);
    }
    assert_eq!(fs::read_to_string(&dump).unwrap(), "MDMP and the evidence");
    refused(&["scan", "-o", list, "--files-from", list], "the list that --files-from reads");
    assert_eq!(fs::read_to_string(list).unwrap(), format!("{dump}\n"));
}

#[test]
fn a_named_file_that_is_no_dump_is_not_replaced_either() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r.dmp");
    fs::write(&file, "damaged at its beginning").unwrap();
    let name = file.to_str().unwrap();
    refused(&["scan", "-o", name, name], DUMP_STAYS);
    assert_eq!(fs::read_to_string(&file).unwrap(), "damaged at its beginning");
}

#[test]
fn analyze_replaces_no_dump_that_it_was_not_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let dump = dump_in(folder.path());
    refused(&["analyze", "-o", &dump, "/nonexistent/a.dmp"], DUMP_STAYS);
}

#[test]
fn a_scan_does_not_replace_the_results_it_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_str().unwrap();
    let store = folder.path().join("results.jsonl");
    let name = store.to_str().unwrap();
    let otherwise = folder.path().join(".").join("results.jsonl");
    for content in [None, Some("{\"type\":\"summary\"}\n")] {
        if let Some(content) = content {
            fs::write(&store, content).unwrap();
        }
        for output in [name, otherwise.to_str().unwrap()] {
            for format in ["jsonl", "csv"] {
                let args = ["scan", "--resume", name, "-o", output, "--format", format, root];
                refused(&args, "the output would replace the results that --resume keeps in it");
            }
        }
        assert_eq!(fs::read_to_string(&store).ok().as_deref(), content);
    }
}

#[test]
fn a_store_that_is_a_dump_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let dump = dump_in(folder.path());
    refused(&["scan", "--resume", &dump, &dump], "expected a result of csdump scan");
    assert_eq!(fs::read_to_string(&dump).unwrap(), "MDMP and the evidence");
}

#[test]
fn text_of_no_dump_leaves_the_file_alone_and_json_has_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k.txt");
    let name = file.to_str().unwrap();
    let run = |format| ran(&["analyze", "--format", format, "-o", name, "/nonexistent/a.dmp"]);
    assert_eq!(run("text").status.code(), Some(2));
    assert!(!file.exists());
    fs::write(&file, "the last good report").unwrap();
    assert_eq!(run("text").status.code(), Some(2));
    assert_eq!(fs::read_to_string(&file).unwrap(), "the last good report");
    assert_eq!(run("json").status.code(), Some(2));
    assert!(fs::read_to_string(&file).unwrap().starts_with("{\"type\":\"error\""));
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_about_the_file_asked_for() {
    let target = "/nonexistent/folder/k.txt";
    for args in [&["analyze", "a.dmp"][..], &["scan", "--format", "csv", "."]] {
        let output = ran(&[args, &["-o", target]].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let told = stderr(&output);
        assert!(told.starts_with(&format!("csdump: cannot write {target}: ")), "{told}");
        assert!(!told.contains(".csdump-"), "{told}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_is_replaced_keeps_its_rights() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k.json");
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    let run = || {
        ran(&["analyze", "--format", "json", "-o", file.to_str().unwrap(), "/nonexistent/a.dmp"])
    };
    run();
    assert_eq!(mode() & 0o600, 0o600);
    for kept in [0o600, 0o640, 0o604] {
        fs::set_permissions(&file, fs::Permissions::from_mode(kept)).unwrap();
        run();
        assert_eq!(mode(), kept);
    }
}
