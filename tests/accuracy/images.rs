//! Small dumps with the files of their modules at hand (`--images`): what that adds, and that it makes nothing sure and wrong.
//!
//! The files are made of the full dump of the same crash: what a file has of a module, without what the program could have changed.

use super::support::{Label, is_failure, labels, top};
use super::tables;
use csdump::dump::memory::{MemorySource, Region};
use csdump::dump::{Dump, DumpFile, Limits, Module};
use csdump::image::images::Images;
use csdump::image::pe::Image;
use csdump::report::build::Origin;
use csdump::report::model::{Outcome, Report};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Least percent of right ones among the verdicts at 0.9 or more (docs/accuracy.md).
const SURE: f64 = 98.0;

/// What a row of the table counts.
#[derive(Default)]
struct Row {
    dumps: usize,
    without: Counts,
    with: Counts,
}

/// Of the reports without the files, or with them.
#[derive(Default)]
struct Counts {
    right: usize,
    sure: usize,
    sure_and_right: usize,
}

impl Counts {
    fn add(&mut self, label: &Label, report: &Report) {
        let (cause, probability) = top(report);
        let is_right = is_failure(report) && cause == label.text("cause");
        let is_sure = is_failure(report) && probability >= 0.9;
        self.right += usize::from(is_right);
        self.sure += usize::from(is_sure);
        self.sure_and_right += usize::from(is_sure && is_right);
    }
}

/// The name of the crash that a dump is of.
fn crash(label: &Label) -> Option<String> {
    let kind = format!("-{}.dmp.zst", label.text("kind"));
    label.name().strip_suffix(&kind).map(str::to_owned)
}

/// Small dumps, with the full dump of the same crash.
fn pairs() -> Vec<(Label, PathBuf)> {
    let mut full: BTreeMap<String, Vec<Label>> = BTreeMap::new();
    let mut small = Vec::new();
    for label in labels() {
        let Some(crash) = crash(&label) else { continue };
        match label.text("kind") {
            "full" | "procdump-ma" => full.entry(crash).or_default().push(label),
            "code" => {}
            _ => small.push((crash, label)),
        }
    }
    let full_of = |crash: &str| full.get(crash)?.first().map(|label| label.path.clone());
    small.into_iter().filter_map(|(crash, label)| Some((label, full_of(&crash)?))).collect()
}

/// What a file would hold of a module, read from a full dump.
fn of_module<'a>(dump: &Dump<'a>, image: &Image, module: &Module) -> Vec<Region<'a>> {
    let first = image.sections.iter().map(|section| section.virtual_address).min().unwrap_or(0);
    let headers = (module.base, module.base + u64::from(first));
    let constant =
        image.sections.iter().filter(|section| !section.is_writable() || section.name == ".idata");
    let sections = constant.map(|section| {
        let start = module.base + u64::from(section.virtual_address);
        (start, start + u64::from(section.virtual_size))
    });
    let mut found = Vec::new();
    for (start, end) in std::iter::once(headers).chain(sections) {
        for region in dump.memory.regions() {
            let (from, to) = (region.base.max(start), region.end().min(end));
            if from < to {
                let len = usize::try_from(to - from).unwrap();
                let bytes = dump.memory.slice(from, len).unwrap();
                found.push(Region { base: from, bytes, source: MemorySource::ImageFile });
            }
        }
    }
    found
}

/// The analysis of a small dump, with what the files of its modules hold.
fn report_with_files(small: &Label, full: &Path) -> Report {
    let open = |path: &Path| DumpFile::open(path, &Limits::default()).unwrap();
    let (small_file, full_file) = (open(&small.path), open(full));
    let (mut dump, full) =
        (Dump::parse(small_file.bytes()).unwrap(), Dump::parse(full_file.bytes()).unwrap());
    let images =
        Images::new(&full.memory, full.modules.iter().map(|module| (module.base, module.size)));
    let known = |module: &&Module| full.modules.contains(module);
    let of_each = |module: &Module| Some(of_module(&full, images.image_at(module.base)?, module));
    let files: Vec<_> = dump.modules.iter().filter(known).filter_map(of_each).flatten().collect();
    dump.memory.add_files(files);
    csdump::analyze(&dump, &Origin { path: small.name(), ..Origin::default() })
}

/// In a dump of the stacks alone the section is elsewhere than the fault, unless the instruction or the call says so.
#[test]
fn a_fault_alone_names_no_section_in_a_dump_of_stacks() {
    let report_of = |name: &str| {
        let mut pairs = pairs().into_iter();
        let (label, full) = pairs.find(|(label, _)| label.name().starts_with(name)).unwrap();
        report_with_files(&label, &full)
    };
    // Enter went through DebugInfo; of the section nothing is in the dump.
    for name in ["n-f-gone-pool-x64-new-normal", "x-fjob-x86-old-normal"] {
        let report = report_of(name);
        assert_eq!(report.outcome, Outcome::Inconclusive, "{name}");
        assert!(top(&report).1 < 0.9, "{name}");
    }
    let report = report_of("null-pointer-x64-new-normal");
    assert_eq!((report.outcome, top(&report).0), (Outcome::Diagnosed, "bad-pointer"));
}

#[test]
fn images() {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (label, full) in pairs() {
        let with_files = report_with_files(&label, &full);
        if !label.is_lock() {
            let is_sure = is_failure(&with_files) && top(&with_files).1 >= 0.9;
            assert!(!is_sure, "{}: called a lock failure", label.name());
            continue;
        }
        let kind = format!("{}, {}", label.split(), label.text("kind"));
        let row = rows.entry(kind).or_default();
        row.dumps += 1;
        row.without.add(&label, &label.report());
        row.with.add(&label, &with_files);
    }
    let mut page = String::new();
    let head = "half, kind | dumps | top cause right | with files | verdict at 0.9 or more, of them right | with files";
    writeln!(page, "\n| {head} |\n|---|---|---|---|---|---|").unwrap();
    for (kind, Row { dumps, without, with }) in &rows {
        let sure = |counts: &Counts| format!("{}, {}", counts.sure, counts.sure_and_right);
        let (right, right_with) = (without.right, with.right);
        let (sure, sure_with) = (sure(without), sure(with));
        writeln!(page, "| {kind} | {dumps} | {right} | {right_with} | {sure} | {sure_with} |")
            .unwrap();
    }
    println!("{page}");
    let sum = |of: fn(&Row) -> usize| rows.values().map(of).sum::<usize>();
    let (sure, right) = (sum(|row| row.with.sure), sum(|row| row.with.sure_and_right));
    assert!(
        right as f64 * 100.0 >= SURE * sure as f64,
        "{right} of {sure} sure verdicts are right"
    );
    assert!(sum(|row| row.with.right) > sum(|row| row.without.right), "the files help");
    tables::check_page("images", page.trim_end());
}
