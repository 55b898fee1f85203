//! The documentation says what the program does: generated pages are regenerated and compared.
//!
//! `CSDUMP_WRITE_DOCS=1 cargo test --test docs` rewrites them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use csdump::diagnosis::cause::Cause;
use csdump::diagnosis::weights;
use csdump::explain;
use csdump::findings::evidence_rows;
use csdump::report::markdown;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// Compares a page with what it should be, or writes it.
fn check(name: &str, expected: &str) {
    let path = root().join(name);
    if std::env::var_os("CSDUMP_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{name} is out of date: CSDUMP_WRITE_DOCS=1 cargo test --test docs");
}

fn csdump(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_csdump"))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_schema_page_is_the_schema() {
    check("docs/report.schema.json", &csdump(&["schema"]));
}

#[test]
fn the_readme_shows_the_true_output() {
    let path = root().join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("-- analyze ").expect("the README has the command");
    let (dump, rest) = rest.split_once('\n').unwrap();
    let (_, after) = rest.split_once("```").unwrap();
    let expected = format!("{before}-- analyze {dump}\n{}```{after}", csdump(&["analyze", dump]));
    check("README.md", &expected);
}

#[test]
fn the_guide_shows_true_markdown() {
    const COMMAND: &str = "$ csdump analyze --format markdown ";
    let text = std::fs::read_to_string(root().join("docs/using.md")).unwrap();
    let (before, rest) = text.split_once(COMMAND).expect("the guide has the command");
    let (dump, rest) = rest.split_once('\n').unwrap();
    let (_, after) = rest.split_once("````").unwrap();
    let output = csdump(&["analyze", "--format", "markdown", dump]);
    check("docs/using.md", &format!("{before}{COMMAND}{dump}\n{output}````{after}"));
}

#[test]
fn the_findings_page_is_the_table_of_weights() {
    let mut page = format!(
        "# Findings and weights\n\n\
         Generated from the table in `src/diagnosis/weights`, model version {}; `CSDUMP_WRITE_DOCS=1 cargo test --test docs` writes it.\n\n\
         A finding is a fact with its source. Each number is a log-likelihood ratio (natural logarithm): how much likelier the\n\
         fact is if the cause is true. A cause without a number gets 0. Of the findings of one group only the strongest counts\n\
         for each cause. A cause that the kind of failure excludes takes no part.\n",
        weights::MODEL_VERSION
    );
    for row in weights::rows() {
        let id = row.finding.as_str();
        write!(page, "\n## {id}\n\n[What it means](explain/{id}.md). Group: {:?}.\n", row.group)
            .unwrap();
        if row.weights.is_empty() {
            page.push_str("Said for the reader; it carries no weight.\n");
            continue;
        }
        page.push_str("\n| cause | weight | why |\n|---|---|---|\n");
        for weight in row.weights {
            writeln!(
                page,
                "| {} | {:+.1} | {} |",
                weight.cause.as_str(),
                weight.llr,
                weight.reason
            )
            .unwrap();
        }
    }
    page.push_str(&evidence_table());
    check("docs/findings.md", &page);
}

/// The rows of the evidence table with what says them.
fn evidence_table() -> String {
    let mut page = String::from(
        "\n# The evidence table, row by row\n\n\
         From `src/findings/evidence_rows/`. The numbers are those of the evidence table that the findings started from;\n\
         M1 to M4 are its additions from measurement. The name of the test that fails when a row goes wrong stands last.\n\n\
         | row | evidence | situation | for instance | how | findings | constraint, or why none | test |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in evidence_rows::rows() {
        let ids: Vec<_> = row.findings.iter().map(|id| format!("`{}`", id.as_str())).collect();
        let test = if row.test.is_empty() { String::new() } else { format!("`{}`", row.test) };
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} | {test} |",
            row.row,
            row.evidence,
            row.situation,
            row.example,
            row.handling,
            ids.join(", "),
            row.remark
        )
        .unwrap();
    }
    page
}

#[test]
fn every_row_of_the_evidence_table_is_answered() {
    let mut sources = String::new();
    let mut folders = vec![root().join("src"), root().join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let expected: Vec<String> =
        (1..=40).map(|row| row.to_string()).chain((1..=4).map(|row| format!("M{row}"))).collect();
    let found: Vec<&str> = evidence_rows::rows().map(|row| row.row).collect();
    assert_eq!(found, expected);
    let weighed = |id| weights::row_of(id).is_some();
    for row in evidence_rows::rows() {
        assert!(!row.findings.is_empty() || !row.remark.is_empty(), "row {}", row.row);
        assert!(row.findings.iter().all(|id| weighed(*id)), "row {}", row.row);
        let elsewhere = row.remark.starts_with("Said by ");
        assert!(elsewhere || sources.contains(&format!("fn {}()", row.test)), "row {}", row.row);
    }
}

#[test]
fn the_causes_page_is_the_list_of_causes() {
    let mut page = String::from(
        "# Causes\n\n\
         Generated from `src/diagnosis/cause.rs`; `CSDUMP_WRITE_DOCS=1 cargo test --test docs` writes it. The ids are stable.\n",
    );
    for cause in Cause::ALL {
        write!(
            page,
            "\n## {}\n\n**{}.** {}\n\nApplication Verifier would have stopped with: {}.\n[How to confirm and fix it](explain/{}.md).\n",
            cause.as_str(),
            cause.title(),
            cause.summary(),
            cause.verifier_stops(),
            cause.as_str()
        )
        .unwrap();
    }
    page.push_str(HIERARCHY);
    check("docs/causes.md", &page);
}

#[test]
fn every_id_has_a_page_and_no_page_is_left_over() {
    let ids: BTreeSet<&str> = explain::all().map(|explanation| explanation.id()).collect();
    for id in &ids {
        check(&format!("docs/explain/{id}.md"), &markdown::explanations(&explain::of(id)));
    }
    let head = "# What the ids mean\n\n\
        Generated from `src/explain`; `CSDUMP_WRITE_DOCS=1 cargo test --test docs` writes it. `csdump explain ID` prints the same pages.\n\
        Application Verifier, GFlags and WinDbg come with the Windows SDK. What Windows does is said with the version it was seen on; what is\n\
        called unverified is not confirmed by any source.\n\n";
    let index = markdown::index(|id| Some(format!("{id}.md")));
    check("docs/explain/README.md", &format!("{head}{index}"));
    for entry in std::fs::read_dir(root().join("docs/explain")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let known =
            name == "README.md" || name.strip_suffix(".md").is_some_and(|id| ids.contains(id));
        if !known && std::env::var_os("CSDUMP_WRITE_DOCS").is_some() {
            std::fs::remove_file(path).unwrap();
        } else {
            assert!(known, "docs/explain/{name} belongs to no id");
        }
    }
}

const HIERARCHY: &str = "
## Where causes overlap

* A section that was deleted and whose memory was then released is `memory-released` once the memory is gone, `deleted` while
  its zeros are still there.
* A copy whose original was deleted has a closed handle too; it is `copied` when the debug record shows that the bytes
  belong elsewhere, `handle-closed` when nothing does.
* Zeroed storage that was never initialised and a deleted section look alike; so do old memory that was never initialised and
  a section written over from end to end. csdump names both and says that it cannot tell.
";
