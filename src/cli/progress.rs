//! Progress of a scan, on standard error, only where that is a terminal.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use csdump::scan::once::Once;
use csdump::scan::walk::{self, Filter};
use indicatif::{ProgressBar, ProgressStyle};

/// A line that tells how far the scan is.
pub(super) struct Progress {
    bar: ProgressBar,
    stop_counting: Arc<AtomicBool>,
}

impl Progress {
    /// Shown on a terminal, unless `quiet`.
    pub(super) fn new(quiet: bool) -> Self {
        let stop_counting = Arc::new(AtomicBool::new(false));
        if quiet || !io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), stop_counting };
        }
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template(NO_TOTAL) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, stop_counting }
    }

    /// Counts the files on a thread of its own, so that the time left can be told.
    pub(super) fn count(&self, roots: Vec<PathBuf>, filter: Filter) {
        if self.bar.is_hidden() {
            return;
        }
        let (bar, stop) = (self.bar.clone(), Arc::clone(&self.stop_counting));
        thread::spawn(move || {
            let mut once = Once::new(&roots, false);
            let files =
                walk::walk(roots.into_iter(), &filter).filter_map(|found| once.first(found));
            let count = files.take_while(|_| !stop.load(Ordering::Relaxed)).count() as u64;
            if let (false, Ok(style)) =
                (stop.load(Ordering::Relaxed), ProgressStyle::with_template(WITH_TOTAL))
            {
                bar.set_length(count);
                bar.set_style(style);
            }
        });
    }

    /// One file more is done.
    pub(super) fn step(&self, failures: u64, errors: u64) {
        self.bar.inc(1);
        if !self.bar.is_hidden() {
            self.bar.set_message(format!("{failures} lock failures, {errors} errors"));
        }
    }

    /// Writes a line to standard error without tearing the progress.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.stop_counting.store(true, Ordering::Relaxed);
        self.bar.finish_and_clear();
    }
}

const NO_TOTAL: &str = "{spinner} {human_pos} files, {msg}, {per_sec}";
const WITH_TOTAL: &str =
    "{wide_bar} {human_pos} of {human_len} files, {msg}, {per_sec}, {eta} left";
