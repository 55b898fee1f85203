//! The one place where the command line meets the analysis.

use std::io;

use csdump::dump::{Dump, DumpError, DumpFile, Limits};
use csdump::report::build::Origin;
use csdump::report::handles::{self, HandlesReport};
use csdump::report::model::{ErrorLine, Line, Report};

use super::args::Source;

/// The result of one dump.
pub(super) fn analyze(source: &Source, hash: bool) -> Line {
    match report(source, hash) {
        Ok(report) => Line::Report(Box::new(report)),
        Err(error) => Line::Error(ErrorLine::of(source.name(), &error)),
    }
}

/// The handles of one dump, or one of them.
pub(super) fn handles(
    source: &Source,
    asked: Option<u64>,
) -> Result<HandlesReport, Box<ErrorLine>> {
    let read = || {
        let file = open(source)?;
        let dump = Dump::parse(file.bytes())?;
        let mut report = handles::report(&dump, source.name(), asked);
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

fn report(source: &Source, hash: bool) -> Result<Report, DumpError> {
    let file = open(source)?;
    csdump::analyze_opened(&file, Origin { path: source.name(), hash, ..Origin::default() })
}
