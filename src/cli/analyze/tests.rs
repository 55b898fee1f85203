//! Runs over made-up dumps, whose results an engine of the test gives.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use csdump::report::model::{self, Outcome};

use super::super::args::{Cli, Command};
use super::*;

#[allow(dead_code)]
#[path = "../../report/fixture.rs"]
mod fixture;

/// The result of a dump named after it.
fn engine(source: &Source, _reading: &Reading) -> Line {
    let mut report = match source.name().as_str() {
        "found" => fixture::diagnosed(),
        "open" => fixture::inconclusive(),
        "other" => fixture::not_applicable(),
        "bug" => panic!("a \u{1b}[31mtext of the dump"),
        name => {
            let error = "cut off".to_owned();
            return Line::Error(ErrorLine {
                path: name.to_owned(),
                error,
                stream: None,
                offset: None,
                member: None,
                file: None,
            });
        }
    };
    report.dump.path = source.name();
    Line::Report(Box::new(report))
}

fn parsed(args: &[&str]) -> AnalyzeArgs {
    let cli = Cli::try_parse_from(["csdump", "analyze"].iter().chain(args)).unwrap();
    let Command::Analyze(args) = cli.command else { panic!("not analyze") };
    args
}

/// Runs with the output in a file, and gives back how it ended and what was written.
fn ran(args: &[&str]) -> (Exit, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("result");
    let mut args = args.to_vec();
    args.extend(["--output", file.to_str().unwrap()]);
    let exit = run(&parsed(&args), engine).unwrap();
    let is_written = usize::from(file.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), is_written, "a temporary file stayed");
    (exit, fs::read_to_string(file).unwrap_or_default())
}

#[test]
fn exit_codes_are_those_of_the_contract() {
    for (dumps, exit) in [
        (vec!["found"], Exit::Success),
        (vec!["open"], Exit::Success),
        (vec!["other", "found"], Exit::Success),
        (vec!["other"], Exit::NoneFound),
        (vec!["other", "other"], Exit::NoneFound),
        (vec!["broken"], Exit::Error),
        (vec!["broken", "found"], Exit::Error),
        (vec!["found", "bug", "other"], Exit::Error),
    ] {
        assert_eq!(ran(&dumps).0, exit, "{dumps:?}");
    }
}

#[test]
fn json_is_one_line_per_dump_in_their_order_and_goes_on_after_an_error() {
    let (_, text) = ran(&["--format", "json", "broken", "found", "bug", "other"]);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["error", "report", "error", "report"]);
    assert_eq!(lines[0]["path"], "broken");
    assert_eq!(lines[1]["dump"]["path"], "found");
    assert_eq!(lines[2]["error"], "bug in csdump: a [31mtext of the dump");
    assert_eq!(lines[3]["outcome"], "not-applicable");
}

#[test]
fn pretty_json_is_indented() {
    let (_, text) = ran(&["--format", "json", "--pretty", "found"]);
    assert!(text.starts_with("{\n  \"type\": \"report\",\n"), "{text}");
}

#[test]
fn text_names_each_of_several_dumps_and_leaves_errors_to_standard_error() {
    let (_, one) = ran(&["found"]);
    assert!(one.starts_with("LeaveCriticalSection FAILED"), "{one}");
    let (_, several) = ran(&["found", "broken", "other"]);
    assert!(several.starts_with("=== found ===\n\nLeaveCriticalSection FAILED"), "{several}");
    assert!(several.contains("\n\n=== other ===\n\nNOT A CRITICAL"), "{several}");
    assert!(!several.contains("broken"), "{several}");
}

#[test]
fn markdown_parts_the_dumps_by_a_rule_and_has_the_errors_too() {
    let (exit, text) = ran(&["--format", "markdown", "found", "broken", "other"]);
    assert_eq!(exit, Exit::Error);
    let parts: Vec<_> = text.split(markdown::RULE).collect();
    assert_eq!(parts.len(), 3, "{text}");
    assert!(parts[0].starts_with("## LeaveCriticalSection failed: `handle-closed`"), "{text}");
    assert!(parts[1].starts_with("## Dump not readable\n\nbroken: cut off\n"), "{text}");
    assert!(parts[2].starts_with("## Not a critical-section failure"), "{text}");
    assert!(!ran(&["--format", "markdown", "--color", "always", "found"]).1.contains('\u{1b}'));
}

#[test]
fn a_file_gets_colour_only_on_demand() {
    assert!(!ran(&["found"]).1.contains('\u{1b}'));
    assert!(ran(&["found", "--color", "always"]).1.contains('\u{1b}'));
}

#[test]
fn an_output_that_is_a_dump_is_refused_and_the_dump_stays() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("a.dmp");
    fs::write(&dump, "evidence").unwrap();
    let other_name = folder.path().join(".").join("a.dmp");
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    let error = run(&parsed(&[&name(&dump), "-o", &name(&other_name)]), engine).unwrap_err();
    assert!(error.to_string().contains("would replace this dump"), "{error}");
    assert_eq!(fs::read_to_string(&dump).unwrap(), "evidence");
}

#[test]
fn standard_input_is_read_only_once() {
    let error = run(&parsed(&["-", "-"]), engine).unwrap_err();
    assert!(error.to_string().contains("only once"), "{error}");
}

#[test]
fn an_output_in_no_folder_is_an_error_before_any_work() {
    let args = parsed(&["bug", "-o", "/nonexistent/folder/result"]);
    let error = run(&args, |_, _| unreachable!("no work must be done")).unwrap_err();
    assert!(format!("{error:#}").contains("/nonexistent/folder/result"), "{error:#}");
}

#[test]
fn an_existing_file_is_replaced_only_when_all_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("result");
    fs::write(&file, "old").unwrap();
    let mut args = parsed(&["found"]);
    args.output = Some(file.clone());
    let mut output = Output::open(args.output_file(), ColorChoice::Never).unwrap();
    output.write("new").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    output.finish().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
}

#[cfg(unix)]
#[test]
fn a_device_is_written_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    assert_eq!(run(&parsed(&["found", "-o", "/dev/null"]), engine).unwrap(), Exit::Success);
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[cfg(unix)]
#[test]
fn through_a_link_the_file_changes_not_the_link() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    run(&parsed(&["found", "-o", link.to_str().unwrap()]), engine).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
    assert!(fs::read_to_string(&file).unwrap().starts_with("Leave"));
}

#[test]
fn an_open_cause_is_a_failure_that_was_found() {
    let report = fixture::inconclusive();
    assert_eq!(report.outcome, Outcome::Inconclusive);
    let mut tally = Tally::default();
    tally.count(&Line::Report(Box::new(report)));
    assert_eq!(tally.exit(), Exit::Success);
}
