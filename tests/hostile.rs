//! Damaged and malicious dumps through the whole analysis: no panic, no hang, no memory beyond the file's size.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    unreachable_pub,
    // The counting allocator below.
    unsafe_code
)]

mod support;

#[path = "hostile/bad_input.rs"]
mod bad_input;
#[path = "hostile/expensive.rs"]
mod expensive;
#[path = "hostile/handle_trace.rs"]
mod handle_trace;
#[path = "hostile/layouts.rs"]
mod layouts;
#[path = "hostile/mutations.rs"]
mod mutations;
#[path = "hostile/structures.rs"]
mod structures;
#[path = "hostile/wow64.rs"]
mod wow64;

use csdump::dump::{Dump, DumpFile, Limits};
use csdump::report::build::Origin;
use csdump::report::model::{Line, Report};
use csdump::report::{json, markdown, text};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// Longest time for one dump, in a debug build: of the processor where /proc tells it, so that a busy machine fails
/// no test; else by the clock.
const LIMIT: Duration = Duration::from_secs(20);
/// How often the watchdog looks.
const LOOK: Duration = Duration::from_secs(1);
/// Most bytes that the analysis of a dump may hold at once, beside a multiple of the file's size.
const MEMORY: usize = 48 << 20;
/// The multiple.
const MEMORY_PER_BYTE: usize = 8;

thread_local! {
    static HELD: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Counts the bytes that a thread holds, and the most that it ever held.
struct Counting;

fn count(change: impl FnOnce(usize) -> usize) {
    let _ = HELD.try_with(|held| {
        let (now, peak) = held.get();
        let now = change(now);
        held.set((now, peak.max(now)));
    });
}

// SAFETY: every call goes to the system's allocator with its arguments unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(|held| held.saturating_add(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(|held| held.saturating_sub(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most bytes held at once while `work` ran.
fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(|held| {
        let (now, _) = held.get();
        held.set((now, now));
        now
    });
    let result = work();
    (result, HELD.with(Cell::get).1.saturating_sub(before))
}

/// Reads, analyses and renders a dump; `None` when it is refused.
fn analyse(bytes: &[u8]) -> Option<Report> {
    let (report, peak) = peak_of(|| {
        let dump = Dump::parse(bytes).ok()?;
        let origin = Origin { path: "hostile.dmp".into(), ..Origin::default() };
        let report = csdump::analyze(&dump, &origin);
        let page = text::render_report(&report, text::Layout::default());
        assert!(!page.contains('\u{1b}'), "an escape sequence");
        let line = Line::Report(Box::new(report.clone()));
        assert!(!markdown::render(&line).contains('\u{1b}'), "an escape sequence");
        let line = json::render(&line, false).unwrap();
        assert_eq!(line.lines().count(), 1);
        Some(report)
    });
    let allowed = MEMORY + MEMORY_PER_BYTE * bytes.len();
    assert!(peak <= allowed, "held {peak} bytes for a file of {}", bytes.len());
    report
}

/// Something that runs case after case and says which one is next.
type Cases = Box<dyn FnOnce(&mut dyn FnMut(String)) + Send>;

/// Processor time of a thread by its folder in /proc (proc(5), stat: utime and stime, in 1/100 s).
fn processor_time(task: Option<&Path>) -> Option<Duration> {
    let stat = std::fs::read_to_string(Path::new("/proc").join(task?).join("stat")).ok()?;
    let behind_name = stat.rsplit_once(')')?.1;
    let mut fields = behind_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis((ticks()? + ticks()?) * 10))
}

/// Runs cases in a thread; fails with the name of the case that panics or takes longer than [`LIMIT`].
fn watched(cases: Cases) {
    let (sender, receiver) = mpsc::channel();
    let (tell_task, task) = mpsc::channel();
    let worker = thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            tell_task.send(std::fs::read_link("/proc/thread-self").ok()).unwrap();
            cases(&mut |name| sender.send(name).unwrap());
        })
        .unwrap();
    let task = task.recv().unwrap();
    let (start, clock) = (Instant::now(), || processor_time(task.as_deref()));
    let now = || clock().unwrap_or_else(|| start.elapsed());
    let (mut current, mut began, mut count) = ("before the first case".to_owned(), now(), 0_u32);
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(name) => (current, began, count) = (name, now(), count + 1),
            Err(RecvTimeoutError::Timeout) => {
                let taken = now().saturating_sub(began);
                assert!(taken <= LIMIT, "{current}: took longer than {LIMIT:?}");
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    assert!(worker.join().is_ok(), "{current}: panicked");
    println!("{count} cases in {:?}", start.elapsed());
}

/// The bytes of a dump of the lab.
fn lab(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/dumps");
    let path = folder.join(format!("{name}.dmp.zst"));
    let file = DumpFile::open(&path, &Limits::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    file.bytes().to_vec()
}

/// Pseudo-random numbers (splitmix64): the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Writes little-endian bytes into a file as far as it reaches.
fn put(file: &mut [u8], offset: usize, value: &[u8]) {
    for (to, from) in file.iter_mut().skip(offset).zip(value) {
        *to = *from;
    }
}

#[test]
fn the_watchdog_bites() {
    let panics = thread::spawn(|| {
        watched(Box::new(|next| {
            next("one".into());
            assert!(std::env::args().count() > 1000, "on purpose");
        }));
    });
    assert!(panics.join().is_err());
    let (_, peak) = peak_of(|| vec![0_u8; 1 << 20]);
    assert!(peak >= 1 << 20);
}
