//! Seeded damage, and cutting off.

use super::{Random, analyse, lab, layouts, put, watched};

/// Dumps small enough for thousands of runs, of every kind.
const SMALL: [&str; 7] = [
    "closed-x64-new-normal",
    "closed-x64-new-wer",
    "closed-x86-old-normal",
    "closed-x86-old-wer",
    "nested-x64-new-wer",
    "unloaded-dll-x86-new-wer",
    "recycled-wow64-cpu-area-wer",
];
/// Dumps with images: unwinding, exports, imports.
const FULL: [&str; 2] = ["closed-x64-new-full", "recycled-x86-new-full"];
/// The same for ARM64, packed and full unwind data; small ones are walked by frame records.
const ARM64: [&str; 4] = [
    "a64-registers-arm64-woa-events-full",
    "a64-closed-member-arm64-woa-events-full",
    "a64-enter-deleted-arm64-woa-wer",
    "a64-memory-released-arm64-woa-normal",
];

/// A value as an attacker or bad luck would write it.
fn value(random: &mut Random, file: &[u8]) -> u64 {
    match random.below(10) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => 0x7fff_ffff_7fff_ffff,
        4 => 0x8000_0000_8000_0000,
        5 => file.len() as u64,
        6 => random.next() & 0xff,
        7 => random.next() & 0xffff_fff8,
        8 => {
            // What stands elsewhere: pointers and sizes that are right in another place.
            let at = random.below(file.len().saturating_sub(8)) & !3;
            u64::from_le_bytes(file[at..at + 8].try_into().unwrap())
        }
        _ => random.next(),
    }
}

/// Applies one to six changes; gives back what stood there, last first.
fn damage(
    random: &mut Random,
    file: &mut [u8],
    targets: &[std::ops::Range<usize>],
) -> Vec<(usize, Vec<u8>)> {
    let mut undo = Vec::new();
    for _ in 0..=random.below(6) {
        let range = targets[random.below(targets.len())].clone();
        let width = [1, 2, 4, 4, 4, 8][random.below(6)];
        let at = range.start + random.below(range.len());
        let at = if random.below(4) > 0 { at & !3 } else { at };
        let Some(old) = file.get(at..at + width).map(<[u8]>::to_vec) else { continue };
        let new = if random.below(5) == 0 {
            let mut new = old.clone();
            new[random.below(width)] ^= 1 << random.below(8);
            new
        } else {
            value(random, file).to_le_bytes()[..width].to_vec()
        };
        put(file, at, &new);
        undo.insert(0, (at, old));
    }
    undo
}

fn mutate(names: &'static [&'static str], per_dump: u64) {
    watched(Box::new(move |next| {
        for name in names {
            next(format!("{name}: laying out"));
            let mut file = lab(name);
            let targets = layouts::targets(&file);
            let original = file.clone();
            for seed in 0..per_dump {
                next(format!("{name} seed {seed}"));
                let mut random = Random(seed.wrapping_mul(0x517c_c1b7_2722_0a95));
                let undo = damage(&mut random, &mut file, &targets);
                let _ = analyse(&file);
                undo.iter().for_each(|(at, old)| put(&mut file, *at, old));
            }
            assert!(file == original, "the damage was undone");
        }
    }));
}

#[test]
fn small_dumps_with_random_damage() {
    mutate(&SMALL, 350);
}

#[test]
fn full_dumps_with_random_damage() {
    mutate(&FULL, 150);
}

#[test]
fn arm64_dumps_with_random_damage() {
    mutate(&ARM64, 150);
}

/// Cut off anywhere: what is left is analysed, or refused with an error.
#[test]
fn cut_off_at_every_place() {
    watched(Box::new(|next| {
        for (name, step) in [("closed-x86-old-normal", 29), ("closed-x64-new-wer", 131)] {
            let file = lab(name);
            for end in (0..file.len()).step_by(step).chain(0..64) {
                next(format!("{name} cut at {end}"));
                let report = analyse(&file[..end]);
                // Header and one directory entry.
                assert_eq!(report.is_some(), end >= 32 + 12, "{name} cut at {end}");
                if let Some(report) = report {
                    assert!(!report.warnings.is_empty(), "{name} cut at {end}");
                }
            }
        }
    }));
}

/// Every aligned word of headers and streams in turn, with the values that break arithmetic.
#[test]
fn every_word_of_the_streams() {
    const VALUES: [u64; 5] = [0, 1, 0x7fff_ffff, 0x8000_0000, u64::MAX];
    watched(Box::new(|next| {
        let mut file = super::structures::with_every_stream();
        let whole = analyse(&file).unwrap();
        assert!(whole.warnings.is_empty(), "{:?}", whole.warnings);
        let is_empty = |at: usize, file: &[u8]| {
            file.iter().skip(at.saturating_sub(32)).take(64).all(|byte| *byte == 0)
        };
        let words: Vec<usize> =
            (0..file.len()).step_by(4).filter(|at| !is_empty(*at, &file)).collect();
        for at in words {
            for value in VALUES {
                next(format!("{value:#x} at {at:#x}"));
                let width = if value == u64::MAX { 8 } else { 4 };
                let end = (at + width).min(file.len());
                let old = file[at..end].to_vec();
                put(&mut file, at, &value.to_le_bytes()[..width]);
                let _ = analyse(&file);
                put(&mut file, at, &old);
            }
        }
    }));
}

/// All ones in every address at once, and in each range as a whole.
#[test]
fn all_ones_everywhere() {
    watched(Box::new(|next| {
        for name in ["closed-x64-new-wer", "closed-x86-old-wer"] {
            let file = lab(name);
            for range in layouts::targets(&file) {
                for byte in [0xff, 0x00, 0x41] {
                    next(format!("{name} {range:x?} {byte:#x}"));
                    let mut file = file.clone();
                    file[range.clone()].fill(byte);
                    let _ = analyse(&file);
                }
            }
        }
    }));
}
