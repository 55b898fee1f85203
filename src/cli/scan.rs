//! `csdump scan`: whole folders of dumps.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::ColorChoice;
use anyhow::{Context, bail};
use csdump::dump::Limits;
use csdump::report::model::Line;
use csdump::report::{html, json, scan_csv, scan_table, text};
use csdump::scan::examples::Examples;
use csdump::scan::once::Once;
use csdump::scan::store::{Earlier, Fate, Store};
use csdump::scan::summary::Summarizer;
use csdump::scan::walk::{self, Filter};
use csdump::scan::worker::{FileResult, Shared};
use csdump::scan::{Options, run};

use super::args::{ScanArgs, ScanFormat, Source};
use super::engine;
use super::exit::Exit;
use super::message;
use super::output::{self, Output};
use super::progress::Progress;
use super::protect;

/// Scans, writes as it goes, and sums up.
pub(super) fn run(args: &ScanArgs) -> anyhow::Result<Exit> {
    let filter = Filter::new(&args.include, &args.exclude, args.since)
        .context("--include and --exclude take globs")?;
    check(args)?;
    let stop = stop_on_signal();
    let listed = args.files_from.as_ref().map(open_list).transpose()?;
    let mut scan = Scan::new(args)?;
    let null = args.null;
    let unreadable = |error: io::Error| message::write(&format!("--files-from: {error}"));
    let mut roots: Box<dyn Iterator<Item = PathBuf> + Send> =
        Box::new(args.paths.clone().into_iter());
    if let Some(list) = listed {
        roots = Box::new(roots.chain(walk::listed(list, null, unreadable)));
    }
    if let Some(path) = &args.resume {
        // What the store has is judged by what is to be scanned: the whole list is needed.
        let all: Vec<PathBuf> = roots.collect();
        scan.resume(path, &Plan::new(&all, &filter, args.rescan))?;
        roots = Box::new(all.into_iter());
    } else if args.files_from.is_none() {
        scan.progress.count(args.paths.clone(), filter.clone());
    }
    let shared = Arc::new(scan.shared(args)?);
    let mut once = Once::new(&args.paths, args.files_from.is_some());
    let found = walk::walk(roots, &filter).filter_map(|found| once.first(found));
    run::run(found, &shared, &stop, |result| scan.take(result))?;
    scan.finish(stop.load(Ordering::Relaxed))
}

/// Refuses what would lose something, before anything is written.
fn check(args: &ScanArgs) -> anyhow::Result<()> {
    if args.paths.iter().any(|path| path == Path::new("-")) {
        bail!("scan reads files and folders; csdump analyze - reads standard input");
    }
    let output = args.output_file();
    protect::dumps(output, args.paths.iter().map(PathBuf::as_path))?;
    let list = args.files_from.as_ref().and_then(Source::path);
    protect::kept(output, list, "the list that --files-from reads")?;
    let store = args.resume.as_deref();
    protect::kept(output, store, "the results that --resume keeps in it")
}

/// Set by the first Ctrl-C or request to end; the second ends at once.
fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(2);
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        message::write(&format!("an interruption will not be summed up: {error}"));
    }
    stop
}

/// Files examined at a time: no more than there are, where that is known.
fn jobs(args: &ScanArgs) -> usize {
    let is_known = args.files_from.is_none() && !args.paths.iter().any(|path| path.is_dir());
    if is_known { args.jobs.min(args.paths.len()) } else { args.jobs }
}

fn open_list(source: &Source) -> anyhow::Result<Box<dyn io::BufRead + Send>> {
    Ok(match source {
        Source::Stdin => Box::new(BufReader::new(io::stdin())),
        Source::File(path) => {
            let file =
                File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            Box::new(BufReader::new(file))
        }
    })
}

/// What this scan is about.
struct Plan<'p> {
    folders: Vec<&'p Path>,
    files: HashSet<&'p Path>,
    filter: &'p Filter,
    rescan: bool,
}

impl<'p> Plan<'p> {
    fn new(roots: &'p [PathBuf], filter: &'p Filter, rescan: bool) -> Self {
        let (folders, files): (Vec<&Path>, Vec<&Path>) =
            roots.iter().map(PathBuf::as_path).partition(|root| root.is_dir());
        Self { folders, files: files.into_iter().collect(), filter, rescan }
    }

    fn fate(&self, earlier: &Earlier<'_>) -> Fate {
        let path = earlier.path;
        let within = || self.folders.iter().any(|folder| path.starts_with(folder));
        let covered = (self.files.contains(path) || within()) && self.filter.takes(path);
        match covered {
            false => Fate::Stay,
            true if self.rescan || !earlier.is_current() => Fate::Stale,
            true => Fate::Current,
        }
    }
}

/// How the lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Table,
    Brief,
    Jsonl,
    Csv,
    Html,
}

impl Style {
    fn of(args: &ScanArgs) -> Self {
        let unasked = || {
            let table =
                args.resume.is_some() || io::stdout().is_terminal() && args.output.is_none();
            if table { ScanFormat::Table } else { ScanFormat::Jsonl }
        };
        match args.format.unwrap_or_else(unasked) {
            _ if args.brief => Self::Brief,
            ScanFormat::Table => Self::Table,
            ScanFormat::Jsonl => Self::Jsonl,
            ScanFormat::Csv => Self::Csv,
            ScanFormat::Html => Self::Html,
        }
    }
}

/// A scan under way.
struct Scan {
    style: Style,
    layout: text::Layout,
    output: Option<Output>,
    store: Option<Store>,
    summary: Summarizer,
    /// Reports for the page; other styles need none.
    examples: Option<Examples>,
    progress: Progress,
    quiet: bool,
}

impl Scan {
    fn new(args: &ScanArgs) -> anyhow::Result<Self> {
        let style = Style::of(args);
        let file = args.output_file();
        let output = match style {
            // The store has the lines.
            Style::Jsonl if args.resume.is_some() && args.output.is_none() => None,
            Style::Jsonl => Some(Output::growing(file)?),
            Style::Csv | Style::Html => Some(Output::open(file, ColorChoice::Never)?),
            Style::Table | Style::Brief => {
                Some(Output::open(file, output::choice(args.color, file.is_some()))?)
            }
        };
        let mut scan = Self {
            style,
            layout: output::layout(args.color, file.is_some()),
            output,
            store: None,
            summary: Summarizer::default(),
            examples: (style == Style::Html).then(Examples::default),
            progress: Progress::new(args.quiet),
            quiet: args.quiet,
        };
        if style == Style::Csv {
            scan.write(scan_csv::HEADER)?;
        }
        Ok(scan)
    }

    /// Takes over what the store has, line by line: there may be millions.
    fn resume(&mut self, path: &Path, plan: &Plan<'_>) -> anyhow::Result<()> {
        let mut taken = Ok(());
        let store = Store::open(
            path,
            |file| plan.fate(file),
            |line| {
                if taken.is_ok() {
                    taken = self.take_over(&line);
                }
            },
        )?;
        self.store = Some(store);
        taken
    }

    /// Takes a line of the store in.
    fn take_over(&mut self, line: &Line) -> anyhow::Result<()> {
        self.count(line);
        if self.style == Style::Jsonl { Ok(()) } else { self.write_line(line) }
    }

    fn shared(&mut self, args: &ScanArgs) -> anyhow::Result<Shared> {
        let limits = Limits::default();
        let max_size = args.max_size.unwrap_or(u64::MAX);
        let options = Options {
            limits: Limits {
                max_file: max_size,
                max_output: limits.max_output.min(max_size),
                ..limits
            },
            timeout: args.timeout,
            jobs: jobs(args),
            sort: args.sort,
            hash: args.hash,
        };
        let seen = self.store.as_mut().map(Store::take_seen).unwrap_or_default();
        let images = engine::folders(&args.images)?;
        Ok(Shared { options, seen, images, ..Shared::default() })
    }

    /// Takes one file's result in: counts it, writes it, stores it.
    fn take(&mut self, result: FileResult) -> anyhow::Result<()> {
        if result.other {
            self.summary.add_other_file();
        }
        if let Some(store) = self.store.as_mut().filter(|_| !result.lines.is_empty()) {
            let lines: Result<Vec<String>, _> =
                result.lines.iter().map(|line| json::render(line, false)).collect();
            store.append(&lines?.concat()).context("cannot write the store")?;
        }
        for line in &result.lines {
            self.count(line);
            self.write_line(line)?;
            if let Line::Error(error) = line
                && !self.quiet
            {
                self.progress.suspend(|| message::write(&text::error_sentence(error)));
            }
        }
        self.progress.step(self.summary.failures(), self.summary.errors());
        Ok(())
    }

    fn count(&mut self, line: &Line) {
        let is_example = self.summary.add(line);
        if let Some(examples) = self.examples.as_mut().filter(|_| is_example) {
            examples.keep(line);
        }
    }

    fn write_line(&mut self, line: &Line) -> anyhow::Result<()> {
        let text = match self.style {
            Style::Table | Style::Html => return Ok(()),
            Style::Brief => scan_table::brief(line),
            Style::Jsonl => json::render(line, false)?,
            Style::Csv => scan_csv::row(line),
        };
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> anyhow::Result<()> {
        match &mut self.output {
            Some(output) if !text.is_empty() => output.write(text),
            _ => Ok(()),
        }
    }

    /// Sums up.
    fn finish(mut self, interrupted: bool) -> anyhow::Result<Exit> {
        let summary = self.summary.finish(interrupted);
        let line = Line::Summary(Box::new(summary.clone()));
        if let Some(store) = &mut self.store {
            store.append(&json::render(&line, false)?).context("cannot write the store")?;
        }
        match self.style {
            Style::Table => self.write(&scan_table::render(&summary, self.layout))?,
            Style::Jsonl => self.write_line(&line)?,
            Style::Html => {
                let examples = self.examples.take().unwrap_or_default();
                self.write(&html::scan(&summary, |group| examples.of(group))?)?;
            }
            Style::Brief | Style::Csv => {}
        }
        if let Some(output) = self.output.take() {
            output.finish()?;
        }
        if interrupted && !matches!(self.style, Style::Table | Style::Html) {
            message::write("the scan was broken off");
        }
        Ok(match (interrupted || summary.errors > 0, summary.failures > 0) {
            (true, _) => Exit::Error,
            (false, true) => Exit::Success,
            (false, false) => Exit::NoneFound,
        })
    }
}
