//! Scans that are killed, stopped and resumed.

use super::{lab, scan};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A folder with some of the lab's dumps, bad files and an archive in it.
fn corpus() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut names: Vec<PathBuf> = fs::read_dir(lab())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("-normal.dmp.zst"))
        .collect();
    names.sort();
    for path in names.iter().step_by(3) {
        fs::copy(path, folder.path().join(path.file_name().unwrap())).unwrap();
    }
    let members: Vec<(String, Vec<u8>)> =
        (0..5).map(|index| (format!("{index}.dmp"), super::unpacked(super::OTHER))).collect();
    let members: Vec<(&str, &[u8])> =
        members.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    fs::write(folder.path().join("many.zip"), super::containers::zip(&members)).unwrap();
    fs::write(folder.path().join("bad.dmp"), "bad").unwrap();
    folder
}

fn start(folder: &Path, store: &Path) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_csdump"))
        .args(["scan", "--quiet", "--resume"])
        .args([store, folder])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The lines of a store as a set; fails when one is there twice.
fn set(store: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(store).unwrap();
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let set: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(set.len(), lines.len(), "a line is there twice");
    set
}

/// 50 kills at random moments, in ten scans; each scan, resumed, ends as one that nobody disturbed.
#[test]
fn a_killed_scan_goes_on_where_it_was() {
    let folder = corpus();
    let stores = tempfile::tempdir().unwrap();
    let undisturbed = stores.path().join("undisturbed.jsonl");
    let begun = Instant::now();
    let status = start(folder.path(), &undisturbed).wait().unwrap();
    assert_eq!(status.code(), Some(2), "a bad file is in it");
    let whole = begun.elapsed();
    let expected = set(&undisturbed);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut kills_at_work = 0;
    for round in 0..10 {
        let store = stores.path().join(format!("{round}.jsonl"));
        for _ in 0..5 {
            let mut child = start(folder.path(), &store);
            thread::sleep(whole.mul_f64(random() * 0.6));
            kills_at_work += usize::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        start(folder.path(), &store).wait().unwrap();
        assert_eq!(set(&store), expected, "round {round}");
    }
    assert!(kills_at_work >= 10, "only {kills_at_work} of 50 hit a scan at work");
}

/// A first Ctrl-C: the files in work are finished, the summary says so, exit code 2.
#[cfg(unix)]
#[test]
fn an_interrupted_scan_sums_up() {
    let folder = corpus();
    let store = tempfile::tempdir().unwrap();
    let store = store.path().join("results.jsonl");
    let mut child = start(folder.path(), &store);
    // As soon as something is written, it is under way.
    while fs::metadata(&store).map_or(0, |found| found.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before anything was written");
        thread::sleep(Duration::from_millis(1));
    }
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let text = fs::read_to_string(&store).unwrap();
    let summary: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["type"], "summary");
    let lines = text.lines().count() - 1;
    let all = summary["dumps"].as_u64().unwrap() + summary["errors"].as_u64().unwrap();
    assert_eq!(lines as u64, all, "the summary is that of the lines");
    // Whether it was fast enough to end by itself is a matter of luck; what it says must be true.
    let files = fs::read_dir(folder.path()).unwrap().count() as u64 + 4;
    assert_eq!(summary["interrupted"].as_bool().unwrap(), all < files, "{summary}");
}

#[test]
fn a_resumed_scan_examines_only_what_is_new_or_changed() {
    let folder = tempfile::tempdir().unwrap();
    let dump = super::unpacked(super::FAILURE);
    for name in ["a.dmp", "b.dmp"] {
        fs::write(folder.path().join(name), &dump).unwrap();
    }
    let store = folder.path().join("results.jsonl");
    let resume = |more: &[&str]| {
        let arguments = [
            "--format",
            "csv",
            "--resume",
            store.to_str().unwrap(),
            folder.path().to_str().unwrap(),
        ];
        scan([&arguments[..], more].concat())
    };
    let exclude = ["--exclude", "*.jsonl"];
    assert_eq!(resume(&exclude).status.code(), Some(0));
    let first = fs::read_to_string(&store).unwrap();
    assert_eq!(first.lines().count(), 3);
    // Nothing new: the store and the answer stay.
    let again = resume(&exclude);
    assert_eq!(String::from_utf8(again.stdout).unwrap().lines().count(), 3, "a head and two rows");
    assert_eq!(fs::read_to_string(&store).unwrap(), first);
    // One changed, one new: the stale line goes, no line is there twice.
    fs::write(folder.path().join("b.dmp"), super::unpacked(super::OTHER)).unwrap();
    fs::write(folder.path().join("c.dmp"), &dump).unwrap();
    resume(&exclude);
    let text = fs::read_to_string(&store).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert_eq!(text.matches("\"outcome\":\"not-applicable\"").count(), 1);
    assert_eq!(text.matches("b.dmp").count(), 1, "{text}");
    // Forced: the same again.
    let before = set(&store);
    resume(&[&exclude[..], &["--rescan"]].concat());
    assert_eq!(set(&store), before);
}

/// Resuming a store takes no more memory for many lines than for few.
#[cfg(target_os = "linux")]
#[test]
fn a_long_store_is_summed_up_line_by_line() {
    const LINES: usize = 6000;
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("a.dmp");
    fs::write(&dump, super::unpacked(super::FAILURE)).unwrap();
    let output = scan([dump.as_os_str()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().next().unwrap().to_owned() + "\n";
    let store = folder.path().join("results.jsonl");
    fs::write(&store, line.repeat(LINES)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_csdump"))
        .args(["scan", "--jobs", "1", "--format", "jsonl", "--files-from", "/dev/null", "--resume"])
        .arg(&store)
        .spawn()
        .unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(resident_peak(&status));
        thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    let text = fs::read_to_string(&store).unwrap();
    let summary: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(summary["failures"], LINES);
    // All lines together would be several times that.
    let allowed = 24 << 20;
    assert!(peak > 0 && peak < allowed, "{peak} bytes for a store of {} bytes", text.len());
}

/// `VmHWM` of /proc/PID/status (proc_pid_status(5)), in bytes; 0 when the process has just ended.
#[cfg(target_os = "linux")]
fn resident_peak(status: &Path) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
