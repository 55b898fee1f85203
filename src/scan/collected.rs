//! What collectors of dumps leave beside them: Windows Error Reporting's `Report.wer`, and Crashpad's database.

mod crashpad;
mod wer;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::report::model::Collected;

/// Folders remembered; beyond it all are forgotten, so that memory stays flat.
const MAX_FOLDERS: usize = 1024;
/// Most bytes of a metadata file that are read.
const MAX_BYTES: u64 = 1 << 20;

/// Looks beside dumps, once for each folder.
#[derive(Debug, Default)]
pub struct Collector {
    folders: Mutex<HashMap<PathBuf, Option<Collected>>>,
}

impl Collector {
    /// What lies beside the dump at `path`; `None` when no collector is recognised.
    #[must_use]
    pub fn beside(&self, path: &Path) -> Option<Collected> {
        crashpad::of(path).or_else(|| self.wer(path.parent()?))
    }

    fn wer(&self, folder: &Path) -> Option<Collected> {
        if let Some(known) = self.lock().get(folder) {
            return known.clone();
        }
        let report = read(&folder.join("Report.wer")).and_then(|bytes| wer::parse(&bytes));
        let mut folders = self.lock();
        if folders.len() >= MAX_FOLDERS {
            folders.clear();
        }
        folders.insert(folder.to_owned(), report.clone());
        report
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Option<Collected>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The beginning of a regular file.
fn read(path: &Path) -> Option<Vec<u8>> {
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
