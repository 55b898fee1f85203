//! Files of every kind: plain, compressed, spooled, foreign.

use std::io::Write;

use super::synth;
use crate::dump::{Dump, DumpError, DumpFile, Limits};

fn read(bytes: &[u8]) -> Result<DumpFile, DumpError> {
    DumpFile::from_reader(bytes, &Limits::default())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new()
        .filename("crash.dmp")
        .write(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn plain_gzip_and_zstd_give_the_same_bytes() {
    let bytes = synth().build();
    assert_eq!(read(&bytes).unwrap().bytes(), bytes);
    let packed = read(&gzip(&bytes)).unwrap();
    assert_eq!((packed.bytes(), packed.member()), (&bytes[..], Some("crash.dmp")));
    assert_eq!(read(&zstd(&bytes)).unwrap().bytes(), bytes);
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let frames = [&skippable[..], &zstd(head), &skippable, &zstd(tail)].concat();
    assert_eq!(read(&frames).unwrap().bytes(), bytes);
}

#[test]
fn files_of_other_kinds_are_named() {
    let sentence = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(sentence(b""), "the file is empty");
    assert!(sentence(b"PAGEDU64 and more").contains("64-bit kernel crash dump"));
    assert!(sentence(b"PAGEDUMP and more").contains("32-bit kernel crash dump"));
    assert!(sentence(b"\x7fELF....").contains("ELF"));
    assert!(sentence(&[0xcf, 0xfa, 0xed, 0xfe]).contains("Mach-O"));
    assert!(sentence(b"PMDM").contains("big-endian"));
    assert!(sentence(b"hello").contains("68 65 6c 6c 6f"));
    assert!(sentence(&gzip(b"hello")).contains("gzip file does not hold a minidump"));
    assert!(sentence(&gzip(&gzip(b"hello"))).contains("another compressed file"));
    assert!(sentence(&zstd(b"")).contains("the file is empty"));
}

#[test]
fn damage_and_limits_are_errors() {
    let bytes = synth().build();
    for (format, packed) in [("gzip", gzip(&bytes)), ("zstd", zstd(&bytes))] {
        assert!(read(&packed).unwrap().damage().is_none());
        let cut = read(&packed[..20]).unwrap_err();
        assert!(
            matches!(cut, DumpError::Damaged { format: found, .. } if found == format),
            "{cut}"
        );
    }
    let small = Limits { max_output: 1000, ..Limits::default() };
    let large = DumpFile::from_reader(&gzip(&bytes)[..], &small).unwrap_err();
    assert!(matches!(large, DumpError::TooLarge { .. }), "{large}");
    let bomb = gzip(&[&b"MDMP"[..], &vec![0; (65 << 20) + 1]].concat());
    let error = read(&bomb).unwrap_err();
    assert!(matches!(error, DumpError::Ratio { ratio: 512, .. }), "{error}");
    // What begins like no dump is not even decompressed that far.
    let other = read(&gzip(&vec![0; (65 << 20) + 1])).unwrap_err();
    assert!(matches!(other, DumpError::CompressedOther { .. }), "{other}");
}

/// What cannot be compressed, so that a cut-off file still gives its beginning.
#[test]
fn a_cut_off_compressed_file_gives_its_beginning() {
    let mut seed = 1u32;
    let noise: Vec<u8> = (0..1_000_000)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_be_bytes()[0]
        })
        .collect();
    let bytes = synth().memory(0x5000_0000, noise).build();
    for packed in [gzip(&bytes), zstd(&bytes)] {
        let file = read(&packed[..packed.len() / 2]).unwrap();
        assert!(matches!(file.damage(), Some(DumpError::Damaged { .. })));
        assert!(file.bytes().len() > 100_000 && bytes.starts_with(file.bytes()));
        let dump = Dump::parse(file.bytes()).unwrap();
        assert!(!dump.warnings.is_empty());
    }
}

#[test]
fn folders_and_absent_files_are_errors() {
    let folder = DumpFile::open(env!("CARGO_MANIFEST_DIR"), &Limits::default()).unwrap_err();
    assert!(matches!(folder, DumpError::Folder));
    let absent = DumpFile::open("/nonexistent.dmp", &Limits::default()).unwrap_err();
    assert!(matches!(absent, DumpError::Io { action: "open", .. }));
}

/// A stream that does not end.
struct Endless<'s>(&'s [u8], u64);

impl std::io::Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(3);
        for byte in &mut buffer[..count] {
            *byte = self.0[self.1 as usize % self.0.len()];
            self.1 += 1;
        }
        Ok(count)
    }
}

#[test]
fn a_stream_that_is_no_dump_is_read_no_further() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.dmp");
    for begun in
        [&b"hello, world"[..], b"PK\x03\x04....", b"MSCF....", b"PAGEDU64", b"\x7fELF....", &[0]]
    {
        let mut stream = Endless(begun, 0);
        let error = DumpFile::from_reader(&mut stream, &Limits::default()).unwrap_err();
        assert_eq!(stream.1, 8, "bytes read of {begun:?}");
        std::fs::write(&file, begun.repeat(8)).unwrap();
        let of_file = DumpFile::open(&file, &Limits::default()).unwrap_err();
        assert_eq!(error.to_string(), of_file.to_string());
    }
    let small = Limits { max_output: 1000, ..Limits::default() };
    let error = DumpFile::from_reader(&mut Endless(b"MDMP", 0), &small).unwrap_err();
    assert!(matches!(error, DumpError::TooLarge { .. }), "{error}");
}
