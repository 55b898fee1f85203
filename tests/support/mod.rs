//! What the test binaries share: the labelled corpus and the real dumps of the shared folder.
#![allow(dead_code, unreachable_pub)]

use csdump::dump::Limits;
use csdump::report::model::{Outcome, Report};
use std::path::{Path, PathBuf};

/// A dump of the lab with its truth.
pub struct Label {
    pub path: PathBuf,
    table: toml::Table,
}

impl Label {
    /// A text field; empty when absent.
    pub fn text(&self, key: &str) -> &str {
        self.table.get(key).and_then(toml::Value::as_str).unwrap_or_default()
    }

    /// A truth value.
    pub fn flag(&self, key: &str) -> bool {
        self.table.get(key).and_then(toml::Value::as_bool).unwrap_or_default()
    }

    /// The file name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Whether the crash is a lock failure at all.
    pub fn is_lock(&self) -> bool {
        self.text("cause") != "none"
    }

    /// The half of the corpus: `seen` while the weights were chosen, or `unseen`.
    pub fn split(&self) -> &str {
        match self.text("split") {
            "" => "seen",
            split => split,
        }
    }

    /// The analysis of the dump.
    pub fn report(&self) -> Report {
        csdump::analyze_file(&self.path, &Limits::default())
            .unwrap_or_else(|error| panic!("{}: {error}", self.name()))
    }
}

/// All labelled dumps but those whose label was withdrawn.
pub fn labels() -> Vec<Label> {
    all_labels().into_iter().filter(|label| label.text("withdrawn").is_empty()).collect()
}

/// The dumps whose run contradicts their label (testdata/lab/README.md): they measure nothing.
pub fn withdrawn() -> Vec<Label> {
    all_labels().into_iter().filter(|label| !label.text("withdrawn").is_empty()).collect()
}

fn all_labels() -> Vec<Label> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let text = std::fs::read_to_string(root.join("labels.toml")).expect("testdata/labels.toml");
    let table: toml::Table = text.parse().expect("labels.toml is TOML");
    let dumps = table.get("dump").and_then(toml::Value::as_array).expect("labels.toml lists dumps");
    dumps
        .iter()
        .map(|dump| {
            let table = dump.as_table().expect("a dump is a table").clone();
            let path = root
                .join(table.get("file").and_then(toml::Value::as_str).expect("a dump has a file"));
            Label { path, table }
        })
        .collect()
}

/// The labelled dumps of one program.
pub fn labels_of(program: &str) -> Vec<Label> {
    let found: Vec<_> =
        labels().into_iter().filter(|label| label.text("program") == program).collect();
    assert!(!found.is_empty(), "no dump of {program}");
    found
}

/// A real dump of the shared folder; `None`, with a printed reason, where that folder is absent.
pub fn shared(name: &str) -> Option<PathBuf> {
    // Beside every ancestor of the package: a worktree lies deeper than a clone.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut places = package.ancestors().map(|at| at.join("shared/dumps").join(name));
    let found = places.find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: ../shared/dumps/{name} is not on this machine");
    }
    found
}

/// The top cause and its probability.
pub fn top(report: &Report) -> (&str, f64) {
    let first = report.verdict.as_ref().and_then(|verdict| verdict.causes.first());
    first.map_or(("", 0.0), |cause| (cause.id.as_str(), cause.probability))
}

/// The function names of the stack, `?` where there is none.
pub fn chain(report: &Report) -> Vec<&str> {
    let frames = report.crash.as_ref().map_or(&[][..], |crash| &crash.frames);
    frames.iter().map(|frame| frame.function.as_deref().unwrap_or("?")).collect()
}

/// Whether the outcome says that it is a lock failure.
pub fn is_failure(report: &Report) -> bool {
    report.outcome != Outcome::NotApplicable
}
