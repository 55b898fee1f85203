//! The file as bytes: mapped, spooled or decompressed.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::error::DumpError;
use super::header::not_minidump;
use super::text;

/// Bounds on what a file may be and grow to.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most bytes of the file itself.
    pub max_file: u64,
    /// Most bytes of a decompressed or spooled file.
    pub max_output: u64,
    /// Most decompressed bytes per compressed byte; judged only beyond [`RATIO_GRACE`].
    pub max_ratio: u64,
    /// Most files of an archive that are looked at.
    pub max_members: usize,
}

/// Default of [`Limits::max_output`]: the largest minidump that 32-bit RVAs describe in practice, twice.
pub const DEFAULT_MAX_OUTPUT: u64 = 16 << 30;
/// Default of [`Limits::max_ratio`]: gzip's own end is 1032; dumps reach 5 to 50.
pub const DEFAULT_MAX_RATIO: u64 = 512;
/// Default of [`Limits::max_members`].
pub const DEFAULT_MAX_MEMBERS: usize = 4096;
/// Most memory in KiB for an xz dictionary: `xz -9` needs 64 MiB.
const MAX_XZ_MEMORY: u32 = 256 << 10;
/// Decompressed bytes below which the ratio does not matter.
pub const RATIO_GRACE: u64 = 64 << 20;
/// Bytes of the longest signature; as many are shown of what is none.
const SIGNATURE: usize = 8;
/// Bytes copied at a time.
const CHUNK: usize = 1 << 16;

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file: u64::MAX,
            max_output: DEFAULT_MAX_OUTPUT,
            max_ratio: DEFAULT_MAX_RATIO,
            max_members: DEFAULT_MAX_MEMBERS,
        }
    }
}

/// A dump file, readable as one slice.
#[derive(Debug)]
pub struct DumpFile {
    map: Mmap,
    path: PathBuf,
    member: Option<String>,
    damage: Option<DumpError>,
}

impl DumpFile {
    /// Maps the file; decompresses it first when it is gzip, zstd or xz. What is no regular file (a pipe) is spooled.
    ///
    /// # Errors
    /// The file cannot be read, is a folder, is empty, is an archive, or holds no minidump.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, DumpError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|source| DumpError::Io { action: "open", source })?;
        let kind =
            file.metadata().map_err(|source| DumpError::Io { action: "read", source })?.file_type();
        if kind.is_dir() {
            return Err(DumpError::Folder);
        }
        let file = if kind.is_file() { file } else { spool(file, limits)? };
        Self::from_file(&file, path, limits)
    }

    /// Spools a stream (standard input) to an unlinked temporary file and maps that.
    ///
    /// # Errors
    /// As for [`DumpFile::open`].
    pub fn from_reader(reader: impl Read, limits: &Limits) -> Result<Self, DumpError> {
        let file = spool(reader, limits)?;
        Self::from_file(&file, Path::new("-"), limits)
    }

    fn from_file(file: &File, path: &Path, limits: &Limits) -> Result<Self, DumpError> {
        Self::from_map(map(file, limits)?, path.to_owned(), None, limits)
    }

    /// A dump from bytes that may be compressed once; `member` is their name in an archive.
    pub(super) fn from_map(
        map: Mmap,
        path: PathBuf,
        member: Option<String>,
        limits: &Limits,
    ) -> Result<Self, DumpError> {
        let Some(format) = packing(&map)? else {
            return Ok(Self { map, path, member, damage: None });
        };
        let inner = || (format == Format::Gzip).then(|| gzip_member(&map)).flatten();
        let member = member.or_else(inner);
        let (map, damage) = decompress(&map, format, limits)?;
        Ok(Self { map, path, member, damage })
    }

    /// The minidump's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Name of the file inside a compressed one, where gzip recorded it; sanitised.
    #[must_use]
    pub fn member(&self) -> Option<&str> {
        self.member.as_deref()
    }

    /// Why the compressed file ends early, when only its beginning could be decompressed: the bytes are that beginning.
    #[must_use]
    pub fn damage(&self) -> Option<&DumpError> {
        self.damage.as_ref()
    }

    /// The same, ended early by `damage`.
    pub(super) fn with_damage(mut self, damage: Option<DumpError>) -> Self {
        self.damage = self.damage.or(damage);
        self
    }

    /// The path as given; `-` for standard input.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A compression recognised by its magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Gzip,
    Zstd,
    Xz,
    /// A member of a zip archive, decompressed by its reader.
    Zip,
    /// A member of a cabinet.
    Cab,
}

impl Format {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Zip => "zip",
            Self::Cab => "cab",
        }
    }
}

/// An archive recognised by its magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ArchiveKind {
    Zip,
    Cab,
}

impl ArchiveKind {
    fn described(self) -> &'static str {
        match self {
            Self::Zip => "a zip archive (PK), whose members csdump scan reads",
            Self::Cab => "a cabinet file (MSCF), whose members csdump scan reads",
        }
    }
}

/// What a file's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Minidump,
    Compressed(Format),
    Archive(ArchiveKind),
}

/// Tells a minidump and the compressed files from everything else by the first bytes.
pub(crate) fn recognise(bytes: &[u8]) -> Result<Content, DumpError> {
    match bytes {
        [] => Err(DumpError::Empty),
        [b'M', b'D', b'M', b'P', ..] => Ok(Content::Minidump),
        [0x1f, 0x8b, ..] => Ok(Content::Compressed(Format::Gzip)),
        // The .xz file format 1.2.1, 2.1.1.1.
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Content::Compressed(Format::Xz)),
        // RFC 8878: a frame 0xFD2FB528, or a skippable frame 0x184D2A50..5F before it.
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Ok(Content::Compressed(Format::Zstd))
        }
        [b'P', b'A', b'G', b'E', b'D', b'U', b'M', b'P', ..] => {
            Err(DumpError::KernelDump { signature: "PAGEDUMP", bits: 32 })
        }
        [b'P', b'A', b'G', b'E', b'D', b'U', b'6', b'4', ..] => {
            Err(DumpError::KernelDump { signature: "PAGEDU64", bits: 64 })
        }
        [0x7f, b'E', b'L', b'F', ..] => Err(DumpError::CoreFile { format: "an ELF file" }),
        [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] | [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] => {
            Err(DumpError::CoreFile { format: "a Mach-O file" })
        }
        [b'P', b'M', b'D', b'M', ..] => Err(not_minidump("a big-endian minidump (PMDM)")),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Ok(Content::Archive(ArchiveKind::Zip)),
        [b'M', b'S', b'C', b'F', ..] => Ok(Content::Archive(ArchiveKind::Cab)),
        [b'M', b'Z', ..] => Err(not_minidump("a Windows program (MZ)")),
        _ => Err(not_minidump(hex(bytes))),
    }
}

/// How the one dump that these bytes are is compressed; `None` for a plain one.
fn packing(bytes: &[u8]) -> Result<Option<Format>, DumpError> {
    match recognise(bytes)? {
        Content::Minidump => Ok(None),
        Content::Compressed(format) => Ok(Some(format)),
        Content::Archive(kind) => Err(not_minidump(kind.described())),
    }
}

/// The first eight bytes, as a person can compare them.
fn hex(bytes: &[u8]) -> String {
    let shown: Vec<String> =
        bytes.iter().take(SIGNATURE).map(|byte| format!("{byte:02x}")).collect();
    shown.join(" ")
}

/// Whether a file begins as a dump of any system does, or as what may hold one: nothing should write over it. What
/// cannot be read is taken for something else.
#[must_use]
pub fn is_evidence(path: &Path) -> bool {
    let begun = File::open(path).and_then(|file| head(&mut &file));
    begun.is_ok_and(|bytes| {
        matches!(
            recognise(&bytes),
            Ok(_) | Err(DumpError::KernelDump { .. } | DumpError::CoreFile { .. })
        )
    })
}

/// The first bytes: as many as [`recognise`] needs, fewer only where there are no more.
fn head(reader: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(SIGNATURE);
    reader.take(SIGNATURE as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Maps a regular file read-only.
pub(crate) fn map_file(path: &Path, limits: &Limits) -> Result<Mmap, DumpError> {
    let file = File::open(path).map_err(|source| DumpError::Io { action: "open", source })?;
    let kind = file.metadata().map_err(|source| DumpError::Io { action: "read", source })?;
    match kind.is_file() {
        true => map(&file, limits),
        false => Err(DumpError::Folder),
    }
}

/// Maps a file read-only.
#[allow(unsafe_code)]
pub(super) fn map(file: &File, limits: &Limits) -> Result<Mmap, DumpError> {
    let length = file.metadata().map_err(|source| DumpError::Io { action: "read", source })?.len();
    if length == 0 {
        return Err(DumpError::Empty);
    }
    if length > limits.max_file {
        return Err(DumpError::TooLarge { what: "the file", limit: limits.max_file });
    }
    // SAFETY: the map is read-only and private to this value. Another process that shortens the file can
    // end this one by SIGBUS, and one that writes it can change bytes between two reads: no length or offset
    // is trusted after it was read once, every access is bounds-checked, and no `str` borrows from the map.
    unsafe { Mmap::map(file) }.map_err(|source| DumpError::Io { action: "map", source })
}

/// Copies a stream to a temporary file that has no name any more. What begins like no dump is not read to its end: a
/// device has none.
fn spool(mut reader: impl Read, limits: &Limits) -> Result<File, DumpError> {
    let failed = |source| DumpError::Io { action: "spool", source };
    let begun = head(&mut reader).map_err(failed)?;
    packing(&begun)?;
    let mut file = tempfile::tempfile().map_err(failed)?;
    let mut bounded = begun.chain(reader).take(limits.max_output.saturating_add(1));
    let copied = std::io::copy(&mut bounded, &mut file).map_err(failed)?;
    if copied > limits.max_output {
        return Err(DumpError::TooLarge { what: "the input", limit: limits.max_output });
    }
    Ok(file)
}

/// The decompressed bytes. Damaged data gives what stands before the damage, and the damage, as long as that is
/// the beginning of a minidump; a limit that was passed gives nothing.
fn decompress(
    packed: &[u8],
    format: Format,
    limits: &Limits,
) -> Result<(Mmap, Option<DumpError>), DumpError> {
    let mut sink = Sink::new(packed.len() as u64, format, *limits)?;
    let result = match format {
        Format::Gzip => sink.drain(&mut flate2::read::MultiGzDecoder::new(packed)),
        Format::Zstd => unpack_zstd(packed, &mut sink),
        Format::Xz => {
            sink.drain(&mut lzma_rust2::XzReader::new_mem_limit(packed, true, MAX_XZ_MEMORY))
        }
        Format::Zip | Format::Cab => Err(not_minidump("a member of an archive")),
    };
    sink.finish(result)
}

/// Decompresses frame after frame; a file may hold several, and skippable ones between them.
fn unpack_zstd(packed: &[u8], sink: &mut Sink) -> Result<(), DumpError> {
    use ruzstd::decoding::StreamingDecoder;
    use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
    let mut rest = packed;
    // Each turn takes at least a frame's magic from `rest`, so the loop ends with it.
    while !rest.is_empty() {
        match StreamingDecoder::new(&mut rest) {
            Ok(mut decoder) => sink.drain(&mut decoder)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                rest = rest.get(length..).unwrap_or_default();
            }
            Err(error) => return Err(sink.damaged(&error)),
        }
    }
    Ok(())
}

/// Where decompressed bytes go, with the limits on them.
pub(super) struct Sink {
    file: File,
    produced: u64,
    packed: u64,
    format: Format,
    limits: Limits,
}

impl Sink {
    pub(super) fn new(packed: u64, format: Format, limits: Limits) -> Result<Self, DumpError> {
        let file =
            tempfile::tempfile().map_err(|source| DumpError::Io { action: "spool", source })?;
        Ok(Self { file, produced: 0, packed, format, limits })
    }

    /// Bytes decompressed so far.
    pub(super) fn produced(&self) -> u64 {
        self.produced
    }

    pub(super) fn drain(&mut self, decoder: &mut dyn Read) -> Result<(), DumpError> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = match decoder.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.damaged(&error)),
            };
            self.produced = self.produced.saturating_add(count as u64);
            self.check()?;
            let chunk = buffer.get(..count).unwrap_or_default();
            if self.produced == count as u64 {
                self.check_magic(chunk)?;
            }
            self.file
                .write_all(chunk)
                .map_err(|source| DumpError::Io { action: "spool", source })?;
        }
    }

    fn check(&self) -> Result<(), DumpError> {
        let limit = self.limits.max_output;
        if self.produced > limit {
            return Err(DumpError::TooLarge { what: "the decompressed file", limit });
        }
        let ratio = self.limits.max_ratio;
        if self.produced > RATIO_GRACE.max(self.packed.saturating_mul(ratio)) {
            let (format, size) = (self.format.name(), self.packed);
            return Err(DumpError::Ratio { format, size, ratio });
        }
        Ok(())
    }

    /// What begins like nothing that could be a dump is not decompressed to its end.
    fn check_magic(&self, first: &[u8]) -> Result<(), DumpError> {
        // A reader may hand out a few bytes at a time.
        if first.len() < SIGNATURE || recognise(first).is_ok() {
            return Ok(());
        }
        recognise(first).map(drop).map_err(|source| self.other(source))
    }

    fn other(&self, source: DumpError) -> DumpError {
        DumpError::CompressedOther { format: self.format.name(), source: Box::new(source) }
    }

    /// The bytes that came out, mapped, with the damage that ended them. A limit that was passed gives nothing, and so
    /// does damage before the beginning of a minidump. A member of an archive may be compressed once more.
    pub(super) fn finish(
        self,
        result: Result<(), DumpError>,
    ) -> Result<(Mmap, Option<DumpError>), DumpError> {
        let damage = match result {
            Ok(()) => None,
            Err(error @ DumpError::Damaged { produced: 1.., .. }) => Some(error),
            Err(error) => return Err(error),
        };
        let is_member = matches!(self.format, Format::Zip | Format::Cab);
        let content = map(&self.file, &self.limits).and_then(|map| match recognise(&map)? {
            Content::Minidump => Ok(map),
            Content::Compressed(_) if is_member => Ok(map),
            Content::Compressed(_) => Err(not_minidump("another compressed file")),
            Content::Archive(_) => Err(not_minidump("an archive")),
        });
        match (content, damage) {
            (Ok(map), damage) => Ok((map, damage)),
            (Err(_), Some(damage)) => Err(damage),
            (Err(source), None) => Err(self.other(source)),
        }
    }

    pub(super) fn damaged(&self, error: &dyn std::fmt::Display) -> DumpError {
        let (format, produced) = (self.format.name(), self.produced);
        DumpError::Damaged { format, produced, reason: text::sanitise(&error.to_string()) }
    }
}

/// The file name in a gzip header (RFC 1952 FNAME).
fn gzip_member(packed: &[u8]) -> Option<String> {
    let mut decoder = flate2::read::GzDecoder::new(packed);
    // The header is complete only once the first byte was asked for.
    let _ = decoder.read(&mut [0; 1]);
    let name = decoder.header()?.filename()?;
    Some(text::utf8(name)).filter(|name| !name.is_empty())
}
