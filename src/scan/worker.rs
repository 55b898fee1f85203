//! One file into lines: a report or an error for each dump in it.

use std::any::Any;
use std::collections::HashSet;
use std::fs;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use super::Options;
use super::collected::Collector;
use super::walk::Found;
use crate::crash::screen;
use crate::dump::archive::{self, Member};
use crate::dump::{DumpError, DumpFile, Glance};
use crate::image::export_cache::ExportCache;
use crate::image::folders::Folders;
use crate::report::build::Origin;
use crate::report::model::{ErrorLine, FileInfo, Line, Report};
use crate::report::{passed_over, time};

/// What all workers share.
#[derive(Debug, Default)]
pub struct Shared {
    /// How to scan.
    pub options: Options,
    /// What lies beside the dumps.
    pub collector: Collector,
    /// Export tables of the dumps so far.
    pub exports: ExportCache,
    /// Folders with the files of the dumps' modules.
    pub images: Option<Folders>,
    /// Files whose results are known already.
    pub seen: HashSet<PathBuf>,
}

/// What one file came to.
#[derive(Debug, Default)]
pub struct FileResult {
    /// A line for each dump; none for a file that is something else.
    pub lines: Vec<Line>,
    /// It is a file of another kind in a folder.
    pub other: bool,
    /// Its results are known already.
    pub seen: bool,
}

/// Examines what the walk found, within the time that a file may take.
#[must_use]
pub fn examine(found: Found, shared: &Arc<Shared>) -> FileResult {
    if shared.seen.contains(found.path()) {
        return FileResult { seen: true, ..FileResult::default() };
    }
    let (path, named) = match found {
        Found::File(file) => (file.path, file.named),
        Found::Problem { path, reason } => return failed(&path, None, reason),
    };
    match shared.options.timeout {
        None => guarded(&path, named, shared),
        Some(timeout) => in_time(path, named, shared, timeout),
    }
}

/// Examines a file on a thread of its own, which is left to itself when the time is over: a read from a share that
/// does not answer cannot be broken off.
fn in_time(path: PathBuf, named: bool, shared: &Arc<Shared>, timeout: Duration) -> FileResult {
    let (sender, receiver) = mpsc::sync_channel(1);
    let worker = {
        let (path, shared) = (path.clone(), Arc::clone(shared));
        // Nobody listens when the time is over.
        move || drop(sender.send(guarded(&path, named, &shared)))
    };
    let spawned = thread::Builder::new().name("csdump-file".into()).spawn(worker);
    if let Err(error) = spawned {
        return failed(&path, None, format!("cannot start a thread for it: {error}"));
    }
    receiver.recv_timeout(timeout).unwrap_or_else(|_| {
        let seconds = timeout.as_secs_f64();
        failed(&path, None, format!("not done within the time limit of {seconds} seconds"))
    })
}

/// A panic in one file must not take the others with it.
fn guarded(path: &Path, named: bool, shared: &Shared) -> FileResult {
    panic::catch_unwind(AssertUnwindSafe(|| examine_file(path, named, shared))).unwrap_or_else(
        |payload| failed(path, None, format!("bug in csdump: {}", panic_text(payload.as_ref()))),
    )
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    crate::report::escape::cell(text.unwrap_or("no message"))
}

fn failed(path: &Path, file: Option<FileInfo>, error: String) -> FileResult {
    let line = ErrorLine {
        path: path.to_string_lossy().into_owned(),
        error,
        stream: None,
        offset: None,
        member: None,
        file: Some(file.unwrap_or(FileInfo { size: 0, modified: None, lines: 1 })),
    };
    FileResult { lines: vec![Line::Error(line)], ..FileResult::default() }
}

/// Size and time of a file, as a resumed scan compares them.
///
/// # Errors
/// When the file system refuses.
pub fn file_info(path: &Path) -> std::io::Result<FileInfo> {
    let found = fs::metadata(path)?;
    let since_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).ok();
    let modified = found.modified().ok().and_then(since_1970);
    Ok(FileInfo { size: found.len(), modified: modified.map(time::rfc3339_nanos), lines: 1 })
}

fn examine_file(path: &Path, named: bool, shared: &Shared) -> FileResult {
    let file = match file_info(path) {
        Ok(file) => file,
        Err(error) => return failed(path, None, format!("cannot read it: {error}")),
    };
    let mut lines = Vec::new();
    let result = archive::for_each(path, &shared.options.limits, |member| {
        lines.push(line_of(path, member, shared));
        ControlFlow::Continue(())
    });
    if let Err(error) = result {
        let promised = named || archive::is_dump_name(&path.to_string_lossy());
        if !promised && error.is_something_else() {
            return FileResult { other: true, ..FileResult::default() };
        }
        lines.push(Line::Error(ErrorLine::of(path.to_string_lossy().into_owned(), &error)));
    }
    let file = FileInfo { lines: u32::try_from(lines.len()).unwrap_or(u32::MAX), ..file };
    for line in &mut lines {
        match line {
            Line::Report(report) => report.file = Some(file.clone()),
            Line::Error(error) => error.file = Some(file.clone()),
            Line::Summary(_) => {}
        }
    }
    FileResult { lines, ..FileResult::default() }
}

fn line_of(path: &Path, member: Member, shared: &Shared) -> Line {
    let name = path.to_string_lossy().into_owned();
    match member.dump.and_then(|dump| report_of(&dump, &name, path, shared)) {
        Ok(report) => Line::Report(Box::new(report)),
        Err(error) => Line::Error(ErrorLine { member: member.name, ..ErrorLine::of(name, &error) }),
    }
}

/// The report of a dump: the full analysis only where a glance is not enough.
fn report_of(
    file: &DumpFile,
    name: &str,
    path: &Path,
    shared: &Shared,
) -> Result<Report, DumpError> {
    let origin = Origin {
        path: name.to_owned(),
        member: file.member().map(str::to_owned),
        hash: shared.options.hash,
        file: None,
        collected: shared.collector.beside(path),
        images: Vec::new(),
    };
    let glance = Glance::read(file.bytes())?;
    if screen::needs_analysis(&glance) {
        drop(glance);
        let shared =
            crate::Shared { exports: Some(&shared.exports), images: shared.images.as_ref() };
        return crate::analyze_opened_with(file, origin, shared);
    }
    let mut report = passed_over::report(&glance, &origin);
    crate::note_damage(file, &mut report);
    Ok(report)
}
