//! A folder with every bad input: the scan comes to its end, and reports each once.

use super::containers::{cab, zip};
use super::{FAILURE, OTHER, lines, path, scan, unpacked};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bad files by name.
fn bad_files(folder: &Path, dump: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut add = |name: &str, bytes: &[u8]| {
        File::create(folder.join(name)).unwrap().write_all(bytes).unwrap();
        names.push(name.to_owned());
    };
    let zeros = vec![0; 70 << 20];
    let bomb = [&b"MDMP"[..], &zeros].concat();
    add("empty.dmp", b"");
    add("text.dmp", b"this is no dump");
    add("header-only.dmp", &dump[..20]);
    add("kernel.dmp", b"PAGEDU64............");
    add("foreign-version.dmp", &[&dump[..4], &[0; 28]].concat());
    add("bomb.dmp.gz", &gzip(&bomb));
    add("gzip-that-lies.dmp.gz", &[&gzip(dump)[..10], &[0x55; 200]].concat());
    add("zstd-that-lies.dmp.zst", &[0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    add("xz-that-lies.dmp.xz", b"\xfd7zXZ\0garbage and more garbage");
    add("zip-that-lies.zip", &zip(&[("a.dmp", dump)])[..200]);
    add("zip-of-a-bomb.zip", &zip(&[("bomb.dmp", &bomb)]));
    add("cab-that-lies.cab", b"MSCF\0\0\0\0garbage, no cabinet at all");
    add("cab-of-text.cab", &cab(&[("text.dmp", b"this is no dump")]));
    names
}

#[cfg(unix)]
fn odd_files(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    fs::create_dir(folder.join("below")).unwrap();
    symlink(folder, folder.join("below/loop")).unwrap();
    symlink(folder.join("gone"), folder.join("dangling.dmp")).unwrap();
    // The socket's file stays when its owner is gone.
    drop(UnixListener::bind(folder.join("socket")).unwrap());
    ["loop", "dangling.dmp", "socket"].map(str::to_owned).to_vec()
}

#[cfg(unix)]
#[test]
fn each_bad_input_is_reported_once_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let failure = unpacked(FAILURE);
    let mut bad = bad_files(folder.path(), &failure);
    bad.extend(odd_files(folder.path()));
    File::create(folder.path().join("good.dmp")).unwrap().write_all(&failure).unwrap();
    File::create(folder.path().join("none.dmp")).unwrap().write_all(&unpacked(OTHER)).unwrap();
    // A cut-off dump still has an answer, with warnings.
    File::create(folder.path().join("cut-off.dmp"))
        .unwrap()
        .write_all(&failure[..failure.len() / 2])
        .unwrap();
    let gone = folder.path().join("vanished.dmp");
    let arguments = ["--format", "jsonl", folder.path().to_str().unwrap(), gone.to_str().unwrap()];
    let output = scan(arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let (lines, summary) = lines(&output);
    let mut errors: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["type"] == "error") {
        let name = Path::new(path(line)).file_name().unwrap().to_string_lossy().into_owned();
        *errors.entry(name).or_default() += 1;
    }
    bad.push("vanished.dmp".into());
    bad.sort();
    let expected: BTreeMap<String, usize> = bad.into_iter().map(|name| (name, 1)).collect();
    assert_eq!(errors, expected);
    assert_eq!(summary["errors"].as_u64(), Some(expected.len() as u64));
    assert_eq!(summary["dumps"], 3);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.lines().count(), expected.len(), "{told}");
}

/// Dumps with random damage, by a seed: each gives one line, whatever it says, and none stops the scan.
#[test]
fn damaged_dumps_give_one_line_each() {
    const COUNT: u64 = 60;
    let folder = tempfile::tempdir().unwrap();
    let dumps = [unpacked(FAILURE), unpacked("closed-x86-old-normal.dmp.zst")];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for index in 0..COUNT {
        let mut bytes = dumps[index as usize % dumps.len()].clone();
        for _ in 0..20 {
            // Headers and directories stand at the beginning: half of the damage goes there.
            let reach = if random(2) == 0 { 0x400 } else { bytes.len() };
            let at = random(reach.min(bytes.len()));
            bytes[at] = random(256) as u8;
        }
        bytes[..4].copy_from_slice(b"MDMP");
        fs::write(folder.path().join(format!("{index:03}.dmp")), bytes).unwrap();
    }
    let output = scan(["--quiet", "--format", "jsonl", folder.path().to_str().unwrap()]);
    assert!(output.status.code().is_some(), "{output:?}");
    let (lines, summary) = lines(&output);
    let names: std::collections::BTreeSet<&str> = lines.iter().map(path).collect();
    assert_eq!((lines.len() as u64, names.len() as u64), (COUNT, COUNT));
    assert_eq!(summary["dumps"].as_u64().unwrap() + summary["errors"].as_u64().unwrap(), COUNT);
}

#[cfg(unix)]
#[test]
fn what_must_not_be_read_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (file, closed) = (folder.path().join("a.dmp"), folder.path().join("closed"));
    fs::write(&file, unpacked(FAILURE)).unwrap();
    fs::create_dir(&closed).unwrap();
    for path in [&file, &closed] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
    }
    if File::open(&file).is_ok() {
        println!("skipped: this user may read everything");
        return;
    }
    let output = scan(["--format", "jsonl", folder.path().to_str().unwrap()]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let (lines, summary) = lines(&output);
    assert_eq!((lines.len(), summary["errors"].as_u64()), (2, Some(2)), "{lines:?}");
    assert_eq!(output.status.code(), Some(2));
}

/// A pipe that nobody writes to would keep the scan for ever.
#[cfg(unix)]
#[test]
fn a_file_that_takes_too_long_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: no mkfifo");
        return;
    }
    let good = folder.path().join("good.dmp");
    fs::write(&good, unpacked(FAILURE)).unwrap();
    let files = [pipe.to_str().unwrap(), good.to_str().unwrap()];
    let output = scan(
        [&["--format", "jsonl", "--timeout", "2", "--sort", "--jobs", "1"][..], &files].concat(),
    );
    assert_eq!(output.status.code(), Some(2));
    let (lines, _) = lines(&output);
    assert!(lines[0]["error"].as_str().unwrap().contains("time limit of 2 seconds"), "{lines:?}");
    assert_eq!(lines[1]["outcome"], "diagnosed");
}

#[test]
fn a_file_that_is_too_large_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let dump = unpacked(FAILURE);
    fs::write(folder.path().join("large.dmp"), &dump).unwrap();
    fs::write(folder.path().join("large.dmp.gz"), gzip(&dump)).unwrap();
    let limit = (dump.len() - 1).to_string();
    let output = scan(["--format", "jsonl", "--max-size", &limit, folder.path().to_str().unwrap()]);
    let (lines, summary) = lines(&output);
    assert_eq!(summary["errors"], 2);
    for line in lines {
        assert!(
            line["error"].as_str().unwrap().contains(&format!("limit of {limit} bytes")),
            "{line}"
        );
    }
}
