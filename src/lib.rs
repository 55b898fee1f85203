//! Reads a Windows minidump and says why a critical-section call crashed.
#![deny(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used
    )
)]

pub mod analysis;
pub mod crash;
pub mod critsec;
pub mod diagnosis;
pub mod dump;
pub mod explain;
pub mod findings;
pub mod image;
pub mod report;
pub mod scan;

use dump::{Dump, DumpError, DumpFile, Limits};
use image::export_cache::ExportCache;
use report::build::Origin;
use report::model::Report;
use std::path::Path;

/// Analyses a parsed dump; of a WoW64 process the side that raised the exception.
#[must_use]
pub fn analyze(dump: &Dump<'_>, origin: &Origin) -> Report {
    analyze_cached(dump, origin, None)
}

fn analyze_cached(dump: &Dump<'_>, origin: &Origin, exports: Option<&ExportCache>) -> Report {
    let x86_side = dump.side_of_exception();
    let dump = x86_side.as_ref().unwrap_or(dump);
    report::build::report(dump, &analysis::analyze_cached(dump, exports), origin)
}

/// Opens, unpacks and analyses a file.
///
/// # Errors
/// When the file cannot be read or is no Windows minidump.
pub fn analyze_file(path: &Path, limits: &Limits) -> Result<Report, DumpError> {
    let file = DumpFile::open(path, limits)?;
    analyze_opened(&file, Origin { path: path.to_string_lossy().into_owned(), ..Origin::default() })
}

/// Analyses an opened file, reported as being of `origin`; the file itself says which member it is.
///
/// # Errors
/// When it is no Windows minidump.
pub fn analyze_opened(file: &DumpFile, origin: Origin) -> Result<Report, DumpError> {
    analyze_opened_cached(file, origin, None)
}

/// Analyses an opened file, with export tables that other files may have had too.
///
/// # Errors
/// When it is no Windows minidump.
pub fn analyze_opened_cached(
    file: &DumpFile,
    origin: Origin,
    exports: Option<&ExportCache>,
) -> Result<Report, DumpError> {
    let dump = Dump::parse(file.bytes())?;
    let member = file.member().map(str::to_owned);
    let mut report = analyze_cached(&dump, &Origin { member, ..origin }, exports);
    note_damage(file, &mut report);
    Ok(report)
}

/// Says in the report that the file ends early.
fn note_damage(file: &DumpFile, report: &mut Report) {
    if let Some(damage) = file.damage() {
        report.warnings.insert(0, format!("{damage}; what stands before is analysed"));
    }
}
