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
use image::folders::{Folders, Found};
use report::build::Origin;
use report::model::{ImageInfo, Report};
use std::cell::OnceCell;
use std::path::Path;

/// What several analyses may share.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shared<'s> {
    /// Export tables that other dumps may have had too.
    pub exports: Option<&'s ExportCache>,
    /// Folders with the files of the dumps' modules.
    pub images: Option<&'s Folders>,
}

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
    analyze_opened_with(file, origin, Shared::default())
}

/// Analyses an opened file, with what it may share with others.
///
/// # Errors
/// When it is no Windows minidump.
pub fn analyze_opened_with(
    file: &DumpFile,
    origin: Origin,
    shared: Shared<'_>,
) -> Result<Report, DumpError> {
    read_opened(file, shared.images, |dump, found| {
        let member = file.member().map(str::to_owned);
        let origin = Origin { member, images: images_of(found), ..origin };
        let mut report = analyze_cached(dump, &origin, shared.exports);
        report.warnings.extend_from_slice(&found.warnings);
        note_damage(file, &mut report);
        report
    })
}

/// Parses an opened file, puts the files of its modules under its memory, and hands both to `read`.
///
/// # Errors
/// When it is no Windows minidump.
pub fn read_opened<T>(
    file: &DumpFile,
    images: Option<&Folders>,
    read: impl FnOnce(&Dump<'_>, &Found) -> T,
) -> Result<T, DumpError> {
    // Before the dump, which borrows from it.
    let found = OnceCell::new();
    let mut dump = Dump::parse(file.bytes())?;
    let files_of = || images.map(|images| images.files_of(&dump)).unwrap_or_default();
    let found = found.get_or_init(files_of);
    if !found.files.is_empty() {
        dump.memory.add_files(found.regions());
    }
    Ok(read(&dump, found))
}

/// The module files that are used.
fn images_of(found: &Found) -> Vec<ImageInfo> {
    let info = |file: &image::folders::FoundFile| ImageInfo {
        module: file.module.clone(),
        path: file.path.to_string_lossy().into_owned(),
    };
    found.files.iter().map(info).collect()
}

/// Says in the report that the file ends early.
fn note_damage(file: &DumpFile, report: &mut Report) {
    if let Some(damage) = file.damage() {
        report.warnings.insert(0, format!("{damage}; what stands before is analysed"));
    }
}
