//! The one place where the command line meets the analysis.

use std::io;

use csdump::dump::{DumpError, DumpFile, Limits};
use csdump::report::build::Origin;
use csdump::report::model::{ErrorLine, Line, Report};

use super::args::Source;

/// The result of one dump.
pub(super) fn analyze(source: &Source, hash: bool) -> Line {
    match report(source, hash) {
        Ok(report) => Line::Report(Box::new(report)),
        Err(error) => Line::Error(ErrorLine::of(source.name(), &error)),
    }
}

fn report(source: &Source, hash: bool) -> Result<Report, DumpError> {
    let limits = Limits::default();
    let file = match source {
        Source::Stdin => DumpFile::from_reader(io::stdin().lock(), &limits),
        Source::File(path) => DumpFile::open(path, &limits),
    }?;
    csdump::analyze_opened(&file, Origin { path: source.name(), hash, ..Origin::default() })
}
