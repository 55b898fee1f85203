//! The one place where the command line meets the analysis.

use std::io;
use std::path::PathBuf;

use anyhow::anyhow;

use csdump::Shared;
use csdump::dump::{DumpError, DumpFile, Limits};
use csdump::image::folders::Folders;
use csdump::report::build::Origin;
use csdump::report::handles::{self, HandlesReport};
use csdump::report::model::{ErrorLine, Line, Report};

use super::args::Source;

/// How dumps are read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Whether to hash them.
    pub(super) hash: bool,
    /// Folders with module files.
    pub(super) images: Option<Folders>,
}

/// The folders of `--images`; `None` where there are none.
pub(super) fn folders(paths: &[PathBuf]) -> anyhow::Result<Option<Folders>> {
    if paths.is_empty() {
        return Ok(None);
    }
    let failed =
        |(path, error): (PathBuf, io::Error)| anyhow!("--images {}: {error}", path.display());
    Folders::read(paths).map(Some).map_err(failed)
}

/// The result of one dump.
pub(super) fn analyze(source: &Source, reading: &Reading) -> Line {
    match report(source, reading) {
        Ok(report) => Line::Report(Box::new(report)),
        Err(error) => Line::Error(ErrorLine::of(source.name(), &error)),
    }
}

/// The handles of one dump, or one of them.
pub(super) fn handles(
    source: &Source,
    asked: Option<u64>,
    images: Option<&Folders>,
) -> Result<HandlesReport, Box<ErrorLine>> {
    let read = || {
        let file = open(source)?;
        let mut report = csdump::read_opened(&file, images, |dump, found| {
            let mut report = handles::report(dump, source.name(), asked);
            report.warnings.extend_from_slice(&found.warnings);
            report
        })?;
        if let Some(damage) = file.damage() {
            report.warnings.insert(0, format!("{damage}; what stands before is read"));
        }
        Ok(report)
    };
    read().map_err(|error: DumpError| Box::new(ErrorLine::of(source.name(), &error)))
}

fn open(source: &Source) -> Result<DumpFile, DumpError> {
    let limits = Limits::default();
    match source {
        Source::Stdin => DumpFile::from_reader(io::stdin().lock(), &limits),
        Source::File(path) => DumpFile::open(path, &limits),
    }
}

fn report(source: &Source, reading: &Reading) -> Result<Report, DumpError> {
    let file = open(source)?;
    let origin = Origin { path: source.name(), hash: reading.hash, ..Origin::default() };
    let shared = Shared { images: reading.images.as_ref(), ..Shared::default() };
    csdump::analyze_opened_with(&file, origin, shared)
}
