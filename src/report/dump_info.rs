//! What a report says of the dump itself, from the whole dump or from a glance at it.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::build::Origin;
use super::model::{DumpInfo, OsInfo, ProcessInfo};
use crate::dump::header::stream_name;
use crate::dump::{Dump, Glance, Header, MemoryKind, OsSource, Process, StreamEntry, System};

/// What [`Dump`] and [`Glance`] have in common.
struct Facts<'a> {
    file: &'a [u8],
    header: &'a Header,
    directory: &'a [StreamEntry],
    system: &'a System,
    process: &'a Process,
    memory_kind: MemoryKind,
    writer_hint: Option<&'static str>,
}

/// The part of the report about a dump.
pub(super) fn of_dump(dump: &Dump<'_>, origin: &Origin) -> DumpInfo {
    let facts = Facts {
        file: dump.file(),
        header: &dump.header,
        directory: &dump.directory,
        system: &dump.system,
        process: &dump.process,
        memory_kind: dump.memory_kind,
        writer_hint: dump.writer_hint,
    };
    info(&facts, origin)
}

/// The same after a glance.
pub(super) fn of_glance(glance: &Glance<'_>, origin: &Origin) -> DumpInfo {
    let facts = Facts {
        file: glance.file(),
        header: &glance.header,
        directory: &glance.directory,
        system: &glance.system,
        process: &glance.process,
        memory_kind: glance.memory_kind,
        writer_hint: glance.writer_hint,
    };
    info(&facts, origin)
}

fn info(facts: &Facts<'_>, origin: &Origin) -> DumpInfo {
    let os = &facts.system.os;
    let time = facts.header.time_date_stamp;
    DumpInfo {
        path: origin.path.clone(),
        member: origin.member.clone(),
        size: facts.file.len() as u64,
        time: (time != 0).then(|| super::time::rfc3339(time)),
        identity: identity(time, facts.file.len(), facts.directory),
        sha256: origin.hash.then(|| sha256(facts.file)),
        writer_hint: facts.writer_hint.map(str::to_owned),
        memory_kind: facts.memory_kind.name().to_owned(),
        images: origin.images.clone(),
        streams: facts
            .directory
            .iter()
            .map(|entry| stream_name(entry.stream_type).to_owned())
            .collect(),
        os: (os.source != OsSource::Unknown).then(|| OsInfo {
            version: format!("{}.{}", os.major, os.minor),
            build: os.build,
            service_pack: os.service_pack.clone(),
            source: os_source(os.source).into(),
        }),
        cpu: facts.system.cpu.name().to_owned(),
        wow64: facts.system.wow64,
        process: ProcessInfo {
            name: facts.process.name.clone(),
            version: facts.process.version.map(version_text),
            id: facts.process.id,
            uptime_s: facts.process.uptime_s,
        },
    }
}

/// A file version as people write it.
pub(super) fn version_text(version: [u16; 4]) -> String {
    let [major, minor, build, revision] = version;
    format!("{major}.{minor}.{build}.{revision}")
}

fn os_source(source: OsSource) -> &'static str {
    match source {
        OsSource::Peb => "peb",
        OsSource::SystemInfo => "system-info",
        OsSource::NtdllVersion => "ntdll-version",
        OsSource::Unknown => "unknown",
    }
}

/// Header time, size and an FNV-1a checksum of the directory: enough to know a dump again, without reading it.
#[must_use]
pub fn identity(time_date_stamp: u32, size: usize, directory: &[StreamEntry]) -> String {
    let mut hash: u64 = 0xCBF2_9CE4_8422_2325;
    for entry in directory {
        for word in [entry.stream_type, entry.size, entry.rva] {
            for byte in word.to_le_bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
            }
        }
    }
    format!("{time_date_stamp:08x}-{size:x}-{hash:016x}")
}

fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
