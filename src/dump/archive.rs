//! Archives: zip and cabinet files, member by member.

use std::fs::File;
use std::io::{Cursor, Read};
use std::ops::ControlFlow;
use std::path::Path;

use super::container::{ArchiveKind, Content, DumpFile, Format, Limits, Sink, map, recognise};
use super::error::DumpError;
use super::text;

/// Decompressed bytes of a whole archive per byte of it; see [`Limits::max_ratio`].
const GRACE: u64 = super::container::RATIO_GRACE;

/// One dump of a file: the file itself, or a member of an archive.
#[derive(Debug)]
pub struct Member {
    /// Its name in the archive, sanitised; `None` for the file itself.
    pub name: Option<String>,
    /// The dump, or why there is none.
    pub dump: Result<DumpFile, DumpError>,
}

/// Opens a file and shows `visit` every dump in it, until it breaks off: the file itself, or the members of an archive
/// that are minidumps, compressed once more or not. Members that are something else are passed over.
///
/// # Errors
/// The file cannot be read, is neither a dump nor an archive, or is an archive that is damaged or holds no dump.
pub fn for_each(
    path: &Path,
    limits: &Limits,
    mut visit: impl FnMut(Member) -> ControlFlow<()>,
) -> Result<(), DumpError> {
    let file = File::open(path).map_err(|source| DumpError::Io { action: "open", source })?;
    let kind = file.metadata().map_err(|source| DumpError::Io { action: "read", source })?;
    if kind.is_dir() {
        return Err(DumpError::Folder);
    }
    if !kind.is_file() {
        let _ = visit(Member { name: None, dump: Ok(DumpFile::open(path, limits)?) });
        return Ok(());
    }
    let bytes = map(&file, limits)?;
    match recognise(&bytes)? {
        Content::Archive(ArchiveKind::Zip) => zip_members(path, &bytes, limits, &mut visit),
        Content::Archive(ArchiveKind::Cab) => cab_members(path, &bytes, limits, &mut visit),
        Content::Minidump | Content::Compressed(_) => {
            let dump = DumpFile::from_map(bytes, path.to_owned(), None, limits)?;
            let _ = visit(Member { name: None, dump: Ok(dump) });
            Ok(())
        }
    }
}

type Visit<'v> = &'v mut dyn FnMut(Member) -> ControlFlow<()>;

fn zip_members(
    path: &Path,
    bytes: &[u8],
    limits: &Limits,
    visit: Visit<'_>,
) -> Result<(), DumpError> {
    let bad = |reason: &dyn std::fmt::Display| DumpError::Archive {
        format: "zip",
        reason: text::sanitise(&reason.to_string()),
    };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| bad(&error))?;
    check_count(archive.len(), limits).map_err(|reason| bad(&reason))?;
    let mut budget = Budget::of(bytes, limits);
    let mut found = false;
    for index in 0..archive.len() {
        let mut member = match archive.by_index(index) {
            Ok(member) if member.is_file() => member,
            Ok(_) => continue,
            // The rest may still be readable.
            Err(error) => {
                found = true;
                let name = Some(format!("member {index}"));
                if visit(Member { name, dump: Err(bad(&error)) }).is_break() {
                    break;
                }
                continue;
            }
        };
        let name =
            member.name().map_or_else(|_| format!("member {index}"), |name| text::sanitise(&name));
        let packed = member.compressed_size();
        let Some(dump) = unpack(path, &name, packed, Format::Zip, limits, &mut budget, &mut member)
        else {
            continue;
        };
        found = true;
        if visit(Member { name: Some(name), dump }).is_break() {
            break;
        }
    }
    if found { Ok(()) } else { Err(DumpError::NoMember { format: "zip" }) }
}

fn cab_members(
    path: &Path,
    bytes: &[u8],
    limits: &Limits,
    visit: Visit<'_>,
) -> Result<(), DumpError> {
    let bad = |reason: &dyn std::fmt::Display| DumpError::Archive {
        format: "cab",
        reason: text::sanitise(&reason.to_string()),
    };
    let mut cabinet = cab::Cabinet::new(Cursor::new(bytes)).map_err(|error| bad(&error))?;
    let names: Vec<String> = cabinet
        .folder_entries()
        .flat_map(|folder| folder.file_entries().map(|file| file.name().to_owned()))
        .collect();
    check_count(names.len(), limits).map_err(|reason| bad(&reason))?;
    let mut budget = Budget::of(bytes, limits);
    let mut found = false;
    let mut before: u64 = 0;
    for name in names {
        let size = cabinet.get_file_entry(&name).map_or(0, |file| file.uncompressed_size());
        // A cabinet's reader decompresses a folder from its start to the member.
        before = before.saturating_add(size.into());
        if let Err(error) = budget.take(before) {
            return Err(bad(&error));
        }
        let shown = text::sanitise(&name);
        let packed = bytes.len() as u64;
        let dump = match cabinet.read_file(&name) {
            Ok(mut reader) => {
                unpack(path, &shown, packed, Format::Cab, limits, &mut budget, &mut reader)
            }
            Err(error) => Some(Err(bad(&error))),
        };
        let Some(dump) = dump else { continue };
        found = true;
        if visit(Member { name: Some(shown), dump }).is_break() {
            break;
        }
    }
    if found { Ok(()) } else { Err(DumpError::NoMember { format: "cab" }) }
}

fn check_count(count: usize, limits: &Limits) -> Result<(), String> {
    if count <= limits.max_members {
        return Ok(());
    }
    Err(format!("{count} members, more than the limit of {}", limits.max_members))
}

/// What all members of an archive together may decompress to.
struct Budget {
    left: u64,
    all: u64,
}

impl Budget {
    fn of(bytes: &[u8], limits: &Limits) -> Self {
        let all = GRACE.max((bytes.len() as u64).saturating_mul(limits.max_ratio));
        Self { left: all, all }
    }

    fn take(&mut self, bytes: u64) -> Result<(), String> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            format!("its members decompress to more than {} bytes together", self.all)
        })?;
        Ok(())
    }
}

/// A member as a dump; `None` when it is something else.
fn unpack(
    path: &Path,
    name: &str,
    packed: u64,
    format: Format,
    limits: &Limits,
    budget: &mut Budget,
    reader: &mut dyn Read,
) -> Option<Result<DumpFile, DumpError>> {
    let unpacked = Sink::new(packed, format, *limits).and_then(|mut sink| {
        let result = sink.drain(reader);
        budget
            .take(sink.produced())
            .map_err(|reason| DumpError::Archive { format: format.name(), reason })?;
        sink.finish(result)
    });
    match unpacked {
        Ok((map, damage)) => Some(
            DumpFile::from_map(map, path.to_owned(), Some(name.to_owned()), limits)
                .map(|dump| dump.with_damage(damage)),
        ),
        Err(error) if error.is_something_else() && !is_dump_name(name) => None,
        Err(error) => Some(Err(error)),
    }
}

/// Whether a file's name promises a minidump: what such a file holds instead is worth a report.
#[must_use]
pub fn is_dump_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let plain = [".gz", ".zst", ".xz"].iter().find_map(|end| lower.strip_suffix(end));
    let plain = plain.unwrap_or(&lower);
    [".dmp", ".mdmp", ".hdmp", ".minidump"].iter().any(|end| plain.ends_with(end))
}
