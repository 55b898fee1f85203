//! All cores over all files.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;

use rayon::iter::{ParallelBridge, ParallelIterator};

use super::MAX_JOBS;
use super::walk::Found;
use super::worker::{FileResult, Shared, examine};

/// Files whose results may wait for one before them.
const WINDOW: u64 = 4096;
/// Results that may wait to be written, per worker.
const QUEUE: usize = 8;

/// Examines every file of `found`, and hands each result to `each`, on the calling thread, as it is done or in order.
/// When `stop` is set, or `each` breaks off, the files in work are finished and the others left.
///
/// # Errors
/// What `each` broke off with, or the failure to start the threads.
pub fn run<E: From<rayon::ThreadPoolBuildError>>(
    found: impl Iterator<Item = Found> + Send,
    shared: &Arc<Shared>,
    stop: &AtomicBool,
    each: impl FnMut(FileResult) -> Result<(), E>,
) -> Result<(), E> {
    let jobs = shared.options.jobs.min(MAX_JOBS);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    let (sender, receiver) = mpsc::sync_channel(pool.current_num_threads().saturating_mul(QUEUE));
    let order = Order::default();
    let found = found.take_while(|_| !stop.load(Ordering::Relaxed));
    let work = || {
        let numbered = (0u64..).zip(found).par_bridge();
        numbered.for_each_with(sender, |sender, (number, found)| {
            order.wait_for(number);
            // The receiver is gone only when the scan is over.
            let _ = sender.send((number, examine(found, shared)));
        });
    };
    thread::scope(|scope| {
        scope.spawn(|| pool.install(work));
        let mut outlet = Outlet { each, stop, order: &order, failure: None };
        if shared.options.sort {
            outlet.drain_sorted(&receiver);
        } else {
            outlet.drain(&receiver);
        }
        outlet.failure.map_or(Ok(()), Err)
    })
}

/// How far the results have been handed over: nobody runs ahead too far.
#[derive(Default)]
struct Order {
    done: Mutex<u64>,
    moved: Condvar,
}

impl Order {
    fn wait_for(&self, number: u64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        while number.saturating_sub(*done) >= WINDOW {
            done = self.moved.wait(done).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn advance(&self) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done = done.saturating_add(1);
        self.moved.notify_all();
    }
}

/// Hands results over until that fails; then they are only counted, so that the workers come to an end.
struct Outlet<'r, E, F> {
    each: F,
    stop: &'r AtomicBool,
    order: &'r Order,
    failure: Option<E>,
}

impl<E, F: FnMut(FileResult) -> Result<(), E>> Outlet<'_, E, F> {
    fn drain(&mut self, results: &mpsc::Receiver<(u64, FileResult)>) {
        for (_, result) in results {
            self.hand_over(result);
        }
    }

    fn drain_sorted(&mut self, results: &mpsc::Receiver<(u64, FileResult)>) {
        let mut waiting = BTreeMap::new();
        let mut next = 0u64;
        for (number, result) in results {
            waiting.insert(number, result);
            while let Some(result) = waiting.remove(&next) {
                self.hand_over(result);
                next = next.saturating_add(1);
            }
        }
    }

    fn hand_over(&mut self, result: FileResult) {
        self.order.advance();
        if self.failure.is_some() {
            return;
        }
        if let Err(error) = (self.each)(result) {
            self.stop.store(true, Ordering::Relaxed);
            self.failure = Some(error);
        }
    }
}
