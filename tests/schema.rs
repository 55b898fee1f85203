//! What csdump emits over the whole corpus, against its own schema and the contract of design.md 4.3.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    unreachable_pub
)]

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The verdict stands above this line of the text.
const FIRST_SCREEN: usize = 24;
/// Probability from which a cause counts as named.
const CONFIDENT: f64 = 0.9;
/// Of so many dumps the handles of one are validated: each takes a process of its own.
const HANDLES_STEP: usize = 40;

/// All labelled dumps, and the real ones where they are on this machine.
fn dumps() -> Vec<PathBuf> {
    let mut dumps: Vec<PathBuf> = support::labels().into_iter().map(|label| label.path).collect();
    if let Some(one) = support::shared("llvm-lldb/sigsegv.dmp") {
        let root = one.ancestors().nth(2).unwrap();
        let folders = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        for folder in folders.filter(|path| path.is_dir()) {
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            dumps.extend(files.filter(|path| path.extension().is_some_and(|name| name == "dmp")));
        }
    }
    dumps
}

fn csdump(args: &[&str], dumps: &[PathBuf]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_csdump"));
    let output = command.args(args).args(dumps).env("COLUMNS", "100").output().unwrap();
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// One line per dump, with the dump.
fn lines() -> &'static [(PathBuf, Value)] {
    static LINES: OnceLock<Vec<(PathBuf, Value)>> = OnceLock::new();
    LINES.get_or_init(|| {
        let dumps = dumps();
        let text = csdump(&["analyze", "--quiet", "--format", "json"], &dumps);
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), dumps.len(), "one line per dump");
        dumps.into_iter().zip(lines).collect()
    })
}

/// Fails with every complaint about a line.
fn check(complaints: impl Fn(&Value) -> Vec<String>) {
    let mut all = Vec::new();
    for (path, line) in lines() {
        all.extend(complaints(line).into_iter().map(|text| format!("{}: {text}", path.display())));
    }
    assert!(all.is_empty(), "{} of {} lines:\n{}", all.len(), lines().len(), all.join("\n"));
}

fn causes(line: &Value) -> &[Value] {
    line["verdict"]["causes"].as_array().map_or(&[], Vec::as_slice)
}

fn probability(cause: &Value) -> f64 {
    cause["probability"].as_f64().unwrap()
}

#[test]
fn every_line_is_valid_by_the_schema_that_csdump_prints() {
    let schema: Value = serde_json::from_str(&csdump(&["schema"], &[])).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let complaints = |line: &Value| {
        validator
            .iter_errors(line)
            .map(|error| format!("{error} at {}", error.instance_path()))
            .collect()
    };
    check(complaints);
    // A line without its outcome, or with a number for an address, would not be.
    let mut bad = lines()[0].1.clone();
    bad.as_object_mut().unwrap().remove("outcome");
    assert!(!validator.is_valid(&bad));
}

#[test]
fn the_handles_of_every_dump_are_valid_by_it_too() {
    let schema: Value = serde_json::from_str(&csdump(&["schema"], &[])).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let labels = support::labels().into_iter().filter(|label| label.text("split") != "unseen");
    let paths: Vec<PathBuf> = labels.map(|label| label.path).collect();
    let is_traced = |path: &&PathBuf| path.to_string_lossy().contains("-trace");
    let traced = paths.iter().filter(is_traced).take(4);
    let mut histories = 0;
    for dump in paths.iter().step_by(HANDLES_STEP).chain(traced) {
        let name = dump.to_str().unwrap();
        for asked in [&["0x3c"][..], &["0x3d"], &[]] {
            let args = [&["handles", "--format", "json", name], asked].concat();
            let line: Value = serde_json::from_str(&csdump(&args, &[])).unwrap();
            let errors: Vec<_> = validator.iter_errors(&line).map(|e| e.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{name} {asked:?}");
            histories += usize::from(line["asked"]["operations"][0].is_object());
        }
    }
    assert!(histories > 0, "no history was validated");
}

#[test]
fn every_line_names_its_dump_and_the_version() {
    for (path, line) in lines() {
        assert_eq!(line["type"], "report");
        assert_eq!(line["schema_version"], 1);
        assert_eq!(line["dump"]["path"].as_str(), path.to_str());
    }
}

#[test]
fn probabilities_sum_to_1_over_all_causes_and_fall() {
    check(|line| {
        let all: Vec<f64> = causes(line).iter().map(probability).collect();
        let mut complaints = Vec::new();
        let applies = line["outcome"] != "not-applicable";
        if applies == all.is_empty() {
            complaints.push(format!("{} with {} causes", line["outcome"], all.len()));
        }
        if applies && (all.iter().sum::<f64>() - 1.0).abs() > 1e-6 {
            complaints.push(format!("sum {}", all.iter().sum::<f64>()));
        }
        if !all.is_sorted_by(|a, b| a >= b) || all.iter().any(|one| !(0.0..=1.0).contains(one)) {
            complaints.push(format!("order or range: {all:?}"));
        }
        let mut ids: Vec<&str> =
            causes(line).iter().map(|cause| cause["id"].as_str().unwrap()).collect();
        ids.sort_unstable();
        if applies && ids != CAUSES {
            complaints.push(format!("causes {ids:?}"));
        }
        complaints
    });
}

/// The ids of design.md 4.2, sorted.
const CAUSES: [&str; 9] = [
    "bad-pointer",
    "copied",
    "corrupted",
    "cross-process",
    "deleted",
    "handle-closed",
    "memory-released",
    "never-initialized",
    "not-owner",
];

#[test]
fn inconclusive_has_no_confident_cause() {
    check(|line| {
        let confident = causes(line).iter().find(|cause| probability(cause) >= CONFIDENT);
        let confident = confident.filter(|_| line["outcome"] == "inconclusive");
        confident
            .map(|cause| format!("{} {}", cause["id"], probability(cause)))
            .into_iter()
            .collect()
    });
}

#[test]
fn every_contribution_names_a_finding_of_the_report() {
    check(|line| {
        let known: Vec<&Value> =
            line["findings"].as_array().unwrap().iter().map(|finding| &finding["id"]).collect();
        let both = causes(line).iter().flat_map(|cause| {
            ["supporting", "contradicting"]
                .into_iter()
                .flat_map(|side| cause[side].as_array().unwrap())
        });
        let unknown =
            both.filter(|one| one["finding"] != "excluded" && !known.contains(&&one["finding"]));
        unknown.map(|one| format!("no finding {}", one["finding"])).collect()
    });
}

/// Words without their line breaks.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_verdict_stands_on_the_first_screen() {
    let paths: Vec<PathBuf> = lines().iter().map(|(path, _)| path.clone()).collect();
    let text = csdump(&["analyze", "--quiet", "--color", "never"], &paths);
    let mut pages = text.split("=== ").skip(1);
    for (path, line) in lines() {
        let page = pages.next().unwrap();
        // Behind the title, which holds the path, and its empty line.
        let screen: Vec<&str> = page.lines().skip(2).take(FIRST_SCREEN).collect();
        let screen = words(&screen.join("\n"));
        let expected = match line["verdict"]["statement"].as_str() {
            Some(statement) => words(statement),
            None if line["missing"].as_array().is_none_or(Vec::is_empty) => {
                "NOT A CRITICAL-SECTION FAILURE".to_owned()
            }
            None => "NO CRITICAL-SECTION FAILURE RECOGNISED".to_owned(),
        };
        assert!(screen.contains(&expected), "{}: no {expected:?} in\n{screen}", path.display());
        if line["outcome"] != "not-applicable" {
            assert!(screen.contains("Confidence:"), "{}:\n{screen}", path.display());
        }
    }
    assert_eq!(pages.next(), None, "a page per dump");
}

/// The tests above check nothing when the corpus is empty.
#[test]
fn the_corpus_is_there() {
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/labels.toml").is_file());
    assert!(support::labels().len() >= 200, "{}", support::labels().len());
}
