//! Which files are scanned, and in which order they come out.

use super::{FAILURE, OTHER, lab, lines, path, scan, unpacked};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

#[test]
fn sorted_output_does_not_depend_on_the_number_of_jobs() {
    let run = |jobs: &str| {
        let pattern = ["--include", "closed*", "--include", "av-*"];
        let lab = lab();
        let output = scan(
            [&["--sort", "--format", "jsonl", "--jobs", jobs, lab.to_str().unwrap()][..], &pattern]
                .concat(),
        );
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let one = run("1");
    assert_eq!(one, run("4"));
    let names: Vec<_> =
        one.lines().filter(|line| line.starts_with("{\"type\":\"report\"")).collect();
    assert!(names.len() > 20, "{}", names.len());
}

#[test]
fn lists_name_files_in_lines_or_with_nul() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("two\nlines.dmp");
    fs::write(&odd, unpacked(FAILURE)).unwrap();
    let run = |arguments: &[&str], list: &[u8]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_csdump"))
            .args(["scan", "--format", "jsonl", "--files-from", "-"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(list).unwrap();
        child.wait_with_output().unwrap()
    };
    let plain = lab().join(OTHER);
    let output = run(&[], format!("{}\r\n", plain.display()).as_bytes());
    assert_eq!(output.status.code(), Some(1), "no failure in it");
    assert_eq!(path(&lines(&output).0[0]), plain.to_str().unwrap());
    let output = run(&["-0"], format!("{}\0{}\0", odd.display(), plain.display()).as_bytes());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(lines(&output).0.len(), 2);
}

#[test]
fn the_same_answer_as_analyze() {
    let names = [
        "closed-x64-new-full.dmp.zst",
        "av-in-ntdll-x64-new-full.dmp.zst",
        "h-race-page-x64-new-full.dmp.zst",
    ];
    let paths: Vec<_> = names.iter().map(|name| lab().join(name)).collect();
    let arguments = paths.iter().map(|path| path.to_str().unwrap());
    let (scanned, _) =
        lines(&scan(["--sort", "--format", "jsonl"].into_iter().chain(arguments.clone())));
    let output = Command::new(env!("CARGO_BIN_EXE_csdump"))
        .args(["analyze", "--quiet", "--format", "json"])
        .args(arguments)
        .output()
        .unwrap();
    let analyzed = String::from_utf8(output.stdout).unwrap();
    for (mut scanned, analyzed) in scanned.into_iter().zip(analyzed.lines()) {
        let analyzed: serde_json::Value = serde_json::from_str(analyzed).unwrap();
        scanned.as_object_mut().unwrap().remove("file");
        assert_eq!(scanned, analyzed);
    }
}

#[test]
fn the_table_and_the_brief_lines_name_the_failure() {
    let path = lab().join(FAILURE);
    let path = path.to_str().unwrap();
    let text =
        |arguments: &[&str]| String::from_utf8(scan([arguments, &[path]].concat()).stdout).unwrap();
    let table = text(&["--format", "table"]);
    assert!(
        table.starts_with("1 dump read, 1 critical-section failure in 1 group (1 diagnosed"),
        "{table}"
    );
    assert!(table.contains("handle-closed") && table.contains("GROUPS"), "{table}");
    let brief = text(&["--brief"]);
    assert!(brief.starts_with("diagnosed") && brief.lines().count() == 1, "{brief}");
    let csv = text(&["--format", "csv"]);
    assert_eq!(csv.lines().count(), 2, "{csv}");
}

#[test]
fn a_huge_number_of_jobs_is_held_back() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..300 {
        fs::write(folder.path().join(format!("{index}.dmp")), "no dump").unwrap();
    }
    let jobs = usize::MAX.to_string();
    let output =
        scan(["--quiet", "--format", "jsonl", "--jobs", &jobs, folder.path().to_str().unwrap()]);
    assert_eq!(lines(&output).0.len(), 300, "{output:?}");
}

#[test]
fn a_file_counts_once_however_many_roots_lead_to_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    let file = folder.path().join("in/a.dmp");
    fs::write(&file, unpacked(FAILURE)).unwrap();
    let list = folder.path().join("list.txt");
    fs::write(&list, format!("{0}\n{0}\n", file.display())).unwrap();
    let (root, list) = (folder.path().to_str().unwrap(), list.to_str().unwrap());
    let inner = folder.path().join("in");
    let (inner, file) = (inner.to_str().unwrap(), file.to_str().unwrap());
    for roots in [&[root, root][..], &[root, inner], &[inner, root, file], &["--files-from", list]]
    {
        let output = scan([&["--format", "jsonl"][..], roots].concat());
        let (lines, summary) = lines(&output);
        assert_eq!((lines.len(), &summary["dumps"]), (1, &1.into()), "{roots:?}");
    }
}
