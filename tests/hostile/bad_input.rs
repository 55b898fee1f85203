//! What is no good dump, by the command line: one sentence on standard error, exit code 2, or a partial report.

use super::{lab, put};
use csdump::dump::synth::Synth;
use csdump::dump::{Cpu, Dump};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

fn run(path: &Path, format: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_csdump"))
        .args(["analyze", "--format", format])
        .arg(path)
        .env_remove("COLUMNS")
        .output()
        .unwrap()
}

/// Fails unless the file is refused with one sentence that has all `parts`; gives back the JSON error line.
fn refused(path: &Path, parts: &[&str]) -> serde_json::Value {
    let output = run(path, "json");
    let sentence = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}: {sentence}", path.display());
    assert_eq!(sentence.lines().count(), 1, "{sentence}");
    assert!(sentence.starts_with(&format!("csdump: {}: ", path.display())), "{sentence}");
    for part in parts {
        assert!(sentence.contains(part), "no {part:?} in: {sentence}");
    }
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["type"], "error");
    let text = run(path, "text");
    assert_eq!((text.status.code(), text.stdout.len()), (Some(2), 0));
    line
}

fn file(folder: &Path, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join("a.dmp");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn refused_bytes(bytes: &[u8], parts: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    refused(&file(folder.path(), bytes), parts)
}

/// The report and warnings of a dump that is analysed although something is missing.
fn partial(bytes: &[u8], parts: &[&str]) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&file(folder.path(), bytes), "json");
    assert!(output.status.code().is_some_and(|code| code < 2), "{output:?}");
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["type"], "report");
    let warnings = line["warnings"].to_string();
    let told = String::from_utf8(output.stderr).unwrap();
    for part in parts {
        assert!(warnings.contains(part), "no {part:?} in {warnings}");
        assert!(told.contains(part), "no {part:?} in {told}");
    }
    line
}

#[test]
fn what_is_no_file_to_read() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), &["folder"]);
    refused(&folder.path().join("missing.dmp"), &["cannot open it", "No such file"]);
    let below_a_file = file(folder.path(), b"MDMP").join("b.dmp");
    refused(&below_a_file, &["cannot open it", "Not a directory"]);
    // A regular file that says it has no bytes.
    #[cfg(target_os = "linux")]
    refused(Path::new("/proc/self/mem"), &["empty"]);
}

#[test]
fn what_is_no_minidump() {
    refused_bytes(b"", &["empty"]);
    let line =
        refused_bytes(b"this is not a dump", &["not a minidump", "offset 0x0", "74 68 69 73"]);
    assert_eq!((&line["stream"], &line["offset"]), (&"header".into(), &0.into()));
    for (bytes, part) in [
        (&b"PAGEDUMP12345678"[..], "32-bit kernel crash dump"),
        (b"PAGEDU6412345678", "64-bit kernel crash dump"),
        (b"\x7fELF\x02\x01\x01\0", "ELF"),
        (b"\xcf\xfa\xed\xfe\x07\0\0\x01", "Mach-O"),
        (b"PMDM\0\0\0\0", "big-endian"),
        (b"PK\x03\x04........", "zip"),
        (b"MZ\x90\0........", "Windows program"),
        (b"MDMP", "header"),
        (b"M", "not a minidump"),
    ] {
        refused_bytes(bytes, &[part]);
    }
}

/// Platform ids of Breakpad: minidump_common, PlatformId.
#[test]
fn minidumps_of_other_systems() {
    for (platform, name) in [(0x8201, "Linux"), (0x8101, "macOS"), (0x8203, "Android")] {
        let bytes = Synth::new(Cpu::Amd64).platform(platform).build();
        let line = refused_bytes(&bytes, &[name, "SystemInfo", "offset 0x"]);
        assert_eq!(line["stream"], "SystemInfo");
        assert!(line["offset"].as_u64().is_some_and(|offset| offset > 32), "{line}");
    }
}

#[test]
fn cut_off_files() {
    let whole = lab("closed-x64-new-wer");
    for end in [4, 8, 31] {
        let line = refused_bytes(&whole[..end], &["header", "offset 0x"]);
        assert_eq!(line["stream"], "header");
    }
    for end in [32, 43] {
        let line = refused_bytes(&whole[..end], &["directory", "offset 0x20"]);
        assert_eq!((&line["stream"], &line["offset"]), (&"directory".into(), &32.into()));
    }
    for end in [44, 100, 1000, whole.len() / 2, whole.len() - 1] {
        let line = partial(&whole[..end], &["offset 0x"]);
        assert_ne!(line["warnings"].as_array().unwrap().len(), 0);
    }
}

/// A dump without the stream: its type number in the directory is replaced by that of no stream.
fn without(name: &str, stream: u32) -> Vec<u8> {
    let mut file = lab(name);
    let dump = Dump::parse(&file).unwrap();
    let index = dump.directory.iter().position(|entry| entry.stream_type == stream).unwrap();
    let directory = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
    put(&mut file, directory + index * 12, &0x7777_u32.to_le_bytes());
    file
}

#[test]
fn missing_streams_give_a_partial_report() {
    let threads = partial(&without("closed-x64-new-full", 3), &["ThreadList"]);
    assert!(threads["crash"].is_object(), "{threads}");
    let system = partial(&without("closed-x64-new-full", 7), &["SystemInfo"]);
    assert_eq!(system["dump"]["cpu"], "x64");
    assert_ne!(system["outcome"], "not-applicable");
    let modules = partial(&without("closed-x64-new-full", 4), &["ModuleList"]);
    assert!(modules["crash"].is_object());
    let none = partial(&without("closed-x64-new-full", 6), &[]);
    assert_eq!(none["outcome"], "not-applicable");
    assert_eq!(none["crash"], serde_json::Value::Null);
}

#[test]
fn absurd_counts_are_warnings() {
    for (stream, name) in [(3, "ThreadList"), (4, "ModuleList"), (5, "MemoryList")] {
        let mut file = lab("closed-x86-old-normal");
        let at = Dump::parse(&file).unwrap().stream(stream).unwrap().rva as usize;
        put(&mut file, at, &u32::MAX.to_le_bytes());
        partial(&file, &[name, "4294967295"]);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zstd frame (RFC 8878) of `blocks` RLE blocks, each of 128 KiB from 4 bytes.
/// A zstd file of `start` and blocks of 128 KiB of one letter.
fn zstd_bomb(start: &[u8], blocks: usize) -> Vec<u8> {
    // Magic; no single segment, window of 1 MiB; then blocks: last, type 1 (RLE; 0: raw), size.
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50];
    bytes.extend(&((start.len() as u32) << 3).to_le_bytes()[..3]);
    bytes.extend(start);
    for index in 0..blocks {
        let header: u32 = (128 << 10) << 3 | 1 << 1 | u32::from(index + 1 == blocks);
        bytes.extend(&header.to_le_bytes()[..3]);
        bytes.push(b'M');
    }
    bytes
}

#[test]
fn compressed_bombs_hit_the_cap() {
    let mut zeros = vec![0_u8; 80 << 20];
    // What begins like no dump is refused before it grows.
    refused_bytes(&gzip(&zeros), &["the gzip file does not hold a minidump"]);
    refused_bytes(&zstd_bomb(b"zeros...", 700), &["the zstd file does not hold a minidump"]);
    zeros[..8].copy_from_slice(b"MDMP\x93\xa7\0\0");
    refused_bytes(&gzip(&zeros), &["decompresses to more than 512 times its size"]);
    refused_bytes(
        &zstd_bomb(b"MDMP\x93\xa7\0\0", 700),
        &["decompresses to more than 512 times its size"],
    );
}

#[test]
fn compressed_files_of_something_else() {
    refused_bytes(&gzip(b"this is not a dump"), &["gzip", "not a minidump"]);
    refused_bytes(&gzip(&gzip(&lab("closed-x86-old-normal"))), &["another compressed file"]);
    refused_bytes(&zstd_bomb(b"", 1), &["zstd", "not a minidump"]);
    let whole = gzip(&lab("closed-x86-old-normal"));
    partial(&whole[..whole.len() / 2], &["gzip", "damaged"]);
}
