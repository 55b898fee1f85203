//! Stacks against those of minidump-stackwalk 0.27, recorded in tests/fixtures/stackwalk by its script.
//!
//! Frame by frame from the innermost: the same place, not less trusted. Left out before are frames of theirs that the
//! code in the dump disproves (scanned words that no call precedes), and in both stacks scanned frames that repeat the
//! frame below. Where the two still part, the stacks above are not comparable any more, and ours must be the better
//! founded one there.

use super::{OTHERS, support};
use csdump::crash::frame::{Frame, Trust};
use csdump::crash::stack::{Scene, is_return_address};
use csdump::crash::{self};
use csdump::critsec::lock_count::LockCountEncoding;
use csdump::dump::{Dump, DumpFile, Limits, Thread};
use csdump::image::flow::FlowCache;
use csdump::image::images::Images;
use csdump::image::registers::{Register, RegisterFile};
use serde::Deserialize;
use std::path::Path;

/// Module, offset as text, trust.
type Row = (Option<String>, String, String);

#[derive(Deserialize)]
struct Recorded {
    by: String,
    faulting: Option<Vec<Row>>,
    threads: Vec<(u32, usize, Vec<Row>)>,
}

const WINDOWS_7: [&str; 8] = [
    "win7-code/closed-x64-full.dmp",
    "win7-code/closed-x64-wer.dmp",
    "win7-code/closed-x64-normal.dmp",
    "win7-code/closed-x86-full.dmp",
    "win7-code/closed-x86-wer.dmp",
    "win7-code/closed-x86-normal.dmp",
    "win7-code/zeroed-enter-x64-full.dmp",
    "win7-code/zeroed-enter-x86-full.dmp",
];

/// Stacks known to be worse, and the frame where they are: behind the emulator's own frames both walkers scan words
/// of a stack whose code is not in the dump.
const KNOWN: [(&str, &str); 1] = [("win7-code/closed-x86-normal.dmp", "frame 13 is ")];

/// How well a frame is founded, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Founded {
    /// An address where no code can be: below 64 KiB nothing is ever mapped.
    Nowhere,
    /// Scanned, and the code is in the dump: no call ends there.
    Disproved,
    /// Scanned; the code is not in the dump.
    Module,
    /// Scanned, behind a call instruction.
    Call,
    FramePointer,
    Proven,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    module: Option<String>,
    offset: u64,
    founded: Founded,
}

impl Place {
    fn at(&self) -> (Option<&str>, u64) {
        (self.module.as_deref(), self.offset)
    }
}

fn ours(scene: Scene<'_, '_>, frame: &Frame) -> Place {
    let ip = frame.registers.ip();
    let module =
        frame.module.and_then(|base| scene.dump.modules.iter().find(|module| module.base == base));
    Place {
        module: module.map(|module| module.file_name().to_owned()),
        offset: ip.wrapping_sub(module.map_or(0, |module| module.base)),
        founded: match frame.trust {
            Trust::Scan => scanned(scene, ip),
            Trust::FramePointer => Founded::FramePointer,
            _ => Founded::Proven,
        },
    }
}

/// What the code says of a scanned return address.
fn scanned(scene: Scene<'_, '_>, ip: u64) -> Founded {
    let code = ip.checked_sub(1).and_then(|before| scene.dump.memory.u8(before));
    match (code, is_return_address(scene, ip)) {
        (None, _) => Founded::Module,
        (Some(_), true) => Founded::Call,
        (Some(_), false) => Founded::Disproved,
    }
}

fn theirs(scene: Scene<'_, '_>, (module, offset, trust): &Row) -> Place {
    let offset = u64::from_str_radix(offset.trim_start_matches("0x"), 16).unwrap();
    let loaded = module
        .as_deref()
        .and_then(|name| scene.dump.modules.iter().find(|module| module.is_named(name)));
    let ip = offset.wrapping_add(loaded.map_or(0, |module| module.base));
    Place {
        module: module.clone(),
        offset,
        founded: match trust.as_str() {
            _ if ip < 0x1_0000 => Founded::Nowhere,
            "scan" => scanned(scene, ip),
            "frame_pointer" => Founded::FramePointer,
            "context" => Founded::Proven,
            other => panic!("{other}: minidump-stackwalk has no symbols to find that by"),
        },
    }
}

/// The frames to compare.
fn standing(places: &[Place]) -> Vec<&Place> {
    let mut standing: Vec<&Place> = Vec::new();
    for place in places {
        let repeats = standing.last().is_some_and(|last| last.at() == place.at());
        let scanned = place.founded < Founded::FramePointer;
        if place.founded != Founded::Disproved && !(repeats && scanned) {
            standing.push(place);
        }
    }
    standing
}

/// What is worse in our stack than in theirs, at the first place where the two differ.
fn worse(ours: &[Place], theirs: &[Place]) -> Option<String> {
    let ours = standing(ours);
    for (depth, their) in standing(theirs).into_iter().enumerate() {
        let Some(our) = ours.get(depth) else {
            return Some(format!("ends after {depth} frames, before {their:x?}"));
        };
        let same = our.at() == their.at();
        if same && our.founded < their.founded {
            return Some(format!("frame {depth} is less trusted: {our:x?}, not {their:x?}"));
        }
        if !same {
            let better = our.founded == Founded::Proven || our.founded > their.founded;
            return (!better).then(|| format!("frame {depth} is {our:x?}, not {their:x?}"));
        }
    }
    None
}

/// Runs `check` on a dump, its scene and what minidump-stackwalk found.
fn with(name: &str, check: impl FnOnce(Scene<'_, '_>, &Recorded)) {
    let Some(path) = support::shared(name) else { return };
    let file = DumpFile::open(&path, &Limits::default()).unwrap();
    let dump = Dump::parse(file.bytes()).unwrap();
    let modules = dump.modules.iter().map(|module| (module.base, module.size));
    let images = Images::new(&dump.memory, modules);
    let flows = FlowCache::default();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/stackwalk")
        .join(path.file_stem().unwrap())
        .with_extension("json");
    let recorded: Recorded = serde_json::from_slice(&std::fs::read(&fixture).unwrap()).unwrap();
    assert_eq!(recorded.by, "minidump-stackwalk 0.27.0");
    check(Scene { dump: &dump, images: &images, flows: &flows }, &recorded);
}

fn places(scene: Scene<'_, '_>, frames: &[Frame]) -> Vec<Place> {
    // A raiser whose frame is gone is ours alone.
    let own = frames.iter().filter(|frame| frame.trust != Trust::RaisedBy);
    own.map(|frame| ours(scene, frame)).collect()
}

/// The stack without the caller that lr gives, where minidump-stackwalk has skipped it: without symbols it takes no function
/// for a leaf. With symbols it has that frame (`symbols`).
fn without_lr(
    scene: Scene<'_, '_>,
    thread: &Thread,
    ours: Vec<Place>,
    theirs: &[Place],
) -> Vec<Place> {
    let registers = thread.context.as_ref().and_then(RegisterFile::from_context);
    let lr = registers.and_then(|registers| registers.get(Register::LR));
    let module = lr.and_then(|lr| scene.dump.module_at(lr));
    let at = lr.zip(module).map(|(lr, module)| (Some(module.file_name()), lr - module.base));
    let by_lr = ours.get(1).map(Place::at);
    let is_extra = by_lr.is_some() && by_lr == at && theirs.get(1).map(Place::at) != by_lr;
    let kept = ours.into_iter().enumerate().filter(|(index, _)| !is_extra || *index != 1);
    kept.map(|(_, place)| place).collect()
}

fn recorded_places(scene: Scene<'_, '_>, rows: &[Row]) -> Vec<Place> {
    rows.iter().map(|row| theirs(scene, row)).collect()
}

#[test]
fn stacks_of_the_faulting_thread_are_at_least_those_of_minidump_stackwalk() {
    let mut failures = Vec::new();
    let mut compared = 0;
    let names = OTHERS.iter().map(|dump| dump.name).chain(WINDOWS_7);
    for name in names {
        with(name, |scene, recorded| {
            let crash = crash::analyze(scene, LockCountEncoding::Flags);
            assert_eq!(crash.is_some(), recorded.faulting.is_some(), "{name}");
            let (Some(crash), Some(rows)) = (crash, &recorded.faulting) else { return };
            let (our, their) = (places(scene, &crash.frames), recorded_places(scene, rows));
            compared += 1;
            let found = worse(&our, &their).unwrap_or_default();
            let known = KNOWN.iter().find(|(dump, _)| *dump == name).map_or("", |(_, text)| text);
            // A known one that is better now must leave the list.
            if !found.starts_with(known) || known.is_empty() != found.is_empty() {
                failures.push(format!("{name}: {found}\n  ours   {our:x?}\n  theirs {their:x?}"));
            }
        });
    }
    println!("{compared} stacks compared");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn stacks_of_all_threads_are_at_least_those_of_minidump_stackwalk() {
    let mut failures = Vec::new();
    let mut compared = 0;
    for dump in OTHERS {
        with(dump.name, |scene, recorded| {
            for (id, _, rows) in &recorded.threads {
                let faulting = scene.dump.exception.as_ref().map(|exception| exception.thread_id);
                let thread = scene.dump.thread(*id).unwrap_or_else(|| panic!("thread {id}"));
                if Some(*id) == faulting {
                    continue;
                }
                let their = recorded_places(scene, rows);
                let our = places(scene, &crash::thread_stack(scene, thread));
                let our = without_lr(scene, thread, our, &their);
                compared += 1;
                if let Some(text) = worse(&our, &their) {
                    failures.push(format!("{} thread {id:#x}: {text}", dump.name));
                }
            }
        });
    }
    println!("{compared} stacks compared");
    assert!(failures.is_empty(), "{} of {compared}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_processor_walks_the_threads_as_one_by_one() {
    for dump in OTHERS {
        with(dump.name, |scene, _| {
            let all = crash::all_stacks(scene).unwrap_or_else(|| panic!("{}", dump.name));
            assert_eq!(all.len(), scene.dump.threads.len(), "{}", dump.name);
            let one_by_one =
                scene.dump.threads.iter().map(|thread| crash::thread_stack(scene, thread));
            let faulting = scene.dump.exception.as_ref().map(|exception| exception.thread_id);
            for ((id, frames), alone) in all.iter().zip(one_by_one) {
                // The processor starts the faulting thread at the exception, and leaves out the one that wrote the dump.
                if Some(*id) != faulting && !frames.is_empty() {
                    let ips = |frames: &[Frame]| -> Vec<u64> {
                        frames.iter().take(8).map(|frame| frame.registers.ip()).collect()
                    };
                    assert_eq!(ips(frames), ips(&alone), "{} thread {id:#x}", dump.name);
                }
            }
        });
    }
}

#[test]
fn the_comparison_can_fail() {
    use Founded::{Call, Disproved, FramePointer, Module, Nowhere, Proven};
    let place = |offset, founded| Place { module: None, offset, founded };
    let theirs = [place(1, Proven), place(2, FramePointer), place(3, Module)];
    assert_eq!(worse(&theirs, &theirs), None);
    let with_second = |second| worse(&[place(1, Proven), second, place(3, Module)], &theirs);
    assert_eq!(with_second(place(9, Proven)), None, "proven");
    assert!(with_second(place(2, Call)).is_some(), "less trusted");
    assert!(with_second(place(9, FramePointer)).is_some(), "another, no better founded");
    assert!(with_second(place(9, Call)).is_some(), "a trusted frame is missing");
    assert!(worse(&theirs[..2], &theirs).is_some(), "ends early");
    let nowhere = [place(1, Proven), place(0x2C0C, Nowhere), place(3, Module)];
    assert_eq!(worse(&[place(1, Proven), place(7, Module)], &nowhere), None, "any place is better");
    assert!(worse(&[place(1, Proven)], &nowhere).is_some(), "ends early");
    let disproved = [place(1, Proven), place(5, Disproved), place(2, FramePointer)];
    assert_eq!(worse(&theirs, &disproved), None);
}
