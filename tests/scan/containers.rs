//! Compressed files, archives and the folders of collectors.

use super::{FAILURE, OTHER, lines, path, scan, unpacked};
use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::Path;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zip archive of (name, content).
pub fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    for (name, content) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A cabinet of (name, content).
pub fn cab(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = cab::CabinetBuilder::new();
    let folder = builder.add_folder(cab::CompressionType::MsZip);
    for (name, _) in members {
        folder.add_file(*name);
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    let mut contents = members.iter();
    while let Some(mut file) = writer.next_file().unwrap() {
        file.write_all(contents.next().unwrap().1).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    File::create(folder.join(name)).unwrap().write_all(bytes).unwrap();
}

#[test]
fn every_container_gives_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (failure, other) = (unpacked(FAILURE), unpacked(OTHER));
    write(folder.path(), "plain.dmp", &failure);
    write(folder.path(), "one.dmp.gz", &gzip(&failure));
    write(folder.path(), "one.dmp.xz", &xz(&failure));
    write(folder.path(), "without-a-telling-name", &failure);
    let members: [(&str, &[u8]); 4] = [
        ("a/one.dmp", &failure),
        ("two.dmp", &other),
        ("note.txt", b"hi"),
        ("three.dmp.gz", &gzip(&failure)),
    ];
    write(folder.path(), "many.zip", &zip(&members));
    write(folder.path(), "many.cab", &cab(&members));
    write(folder.path(), "empty.zip", &zip(&[("note.txt", b"hi")]));
    write(folder.path(), "note.txt", b"no dump");
    let output = scan(["--sort", "--format", "jsonl", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (lines, summary) = lines(&output);
    let answers: Vec<_> = lines
        .iter()
        .map(|line| {
            let name = Path::new(path(line)).file_name().unwrap().to_str().unwrap().to_owned();
            let member = line["dump"]["member"].as_str().unwrap_or_default().to_owned();
            (name, member, line["outcome"].as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [
        ("many.cab", "a/one.dmp", "diagnosed"),
        ("many.cab", "two.dmp", "not-applicable"),
        ("many.cab", "three.dmp.gz", "diagnosed"),
        ("many.zip", "a/one.dmp", "diagnosed"),
        ("many.zip", "two.dmp", "not-applicable"),
        ("many.zip", "three.dmp.gz", "diagnosed"),
        ("one.dmp.gz", "", "diagnosed"),
        ("one.dmp.xz", "", "diagnosed"),
        ("plain.dmp", "", "diagnosed"),
        ("without-a-telling-name", "", "diagnosed"),
    ];
    let owned = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(answers, owned);
    assert_eq!((summary["other_files"].as_u64(), summary["failures"].as_u64()), (Some(2), Some(8)));
    assert_eq!(summary["groups"].as_array().unwrap().len(), 1, "one bug, one group");
}

#[test]
fn an_archive_that_is_named_must_hold_a_dump() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "empty.zip", &zip(&[("note.txt", b"hi")]));
    let output = scan(["--format", "jsonl", folder.path().join("empty.zip").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let (lines, _) = lines(&output);
    assert_eq!(lines[0]["error"], "the zip archive holds no minidump");
}

#[test]
fn what_collectors_leave_is_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let failure = unpacked(FAILURE);
    let wer = folder.path().join("AppCrash_agent.exe_1");
    fs::create_dir(&wer).unwrap();
    write(&wer, "minidump.mdmp", &failure);
    let text = "EventType=APPCRASH\r\nReportIdentifier=42\r\nSig[0].Name=Nom de l'application\r\nSig[0].Value=agent.exe\r\n";
    let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
    write(&wer, "Report.wer", &units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    let crashpad = folder.path().join("database");
    fs::create_dir_all(crashpad.join("completed")).unwrap();
    write(&crashpad, "settings.dat", b"");
    let id = "3f2a1b00-1111-2222-3333-444455556666";
    write(&crashpad.join("completed"), &format!("{id}.dmp"), &failure);
    let output = scan(["--sort", "--format", "jsonl", folder.path().to_str().unwrap()]);
    let (lines, summary) = lines(&output);
    assert_eq!(lines[0]["collected"]["kind"], "wer");
    assert_eq!(lines[0]["collected"]["parameters"]["application"], "agent.exe");
    assert_eq!(lines[1]["collected"]["kind"], "crashpad");
    assert_eq!(lines[1]["collected"]["report_id"], id);
    assert_eq!(lines[1]["collected"]["state"], "completed");
    assert_eq!(summary["errors"], 0);
}
