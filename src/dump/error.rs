//! Why a file cannot be read as a Windows minidump.

use thiserror::Error;

/// A file that gives no [`Dump`](super::Dump). Everything less than that is a [`Warning`].
///
/// The sentence never holds the path: the caller knows it.
#[derive(Debug, Error)]
pub enum DumpError {
    /// The operating system refused.
    #[error("cannot {action} it: {source}")]
    Io {
        /// What was tried: `open`, `read`, `map`, `spool`.
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The path names a folder.
    #[error("it is a folder, not a dump file")]
    Folder,
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The file is something else.
    #[error(
        "not a minidump: expected the signature {expected} at offset {offset:#x}, found {found}"
    )]
    NotMinidump {
        /// Offset in bytes.
        offset: u64,
        /// The signature of a minidump.
        expected: &'static str,
        /// What stands there, named where it is known.
        found: String,
    },
    /// A dump of the kernel.
    #[error("it is a {bits}-bit kernel crash dump ({signature}): csdump reads user-mode minidumps")]
    KernelDump {
        /// The file's signature.
        signature: &'static str,
        /// 32 or 64.
        bits: u8,
    },
    /// A core file of another system.
    #[error("it is {format}, not a Windows minidump")]
    CoreFile {
        /// `an ELF file`, `a Mach-O file`.
        format: &'static str,
    },
    /// A minidump of a process that did not run on Windows.
    #[error(
        "{stream} at offset {offset:#x}: expected a Windows platform, found {found} (platform id {platform_id:#x})"
    )]
    ForeignPlatform {
        /// The stream that says so.
        stream: &'static str,
        /// Offset of the platform id in the file, in bytes.
        offset: u64,
        /// Name of the platform.
        found: &'static str,
        /// MINIDUMP_SYSTEM_INFO.PlatformId.
        platform_id: u32,
    },
    /// The header or the directory does not hold what it must.
    #[error("{stream} at offset {offset:#x}: expected {expected}, found {found}")]
    Malformed {
        /// `header` or `directory`.
        stream: &'static str,
        /// Offset in the file, in bytes.
        offset: u64,
        /// What must stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A compressed file that cannot be decompressed.
    #[error("the {format} data is damaged after {produced} bytes: {reason}")]
    Damaged {
        /// `gzip`, `zstd`, `xz`, `zip` or `cab`.
        format: &'static str,
        /// Bytes decompressed before.
        produced: u64,
        /// The decompressor's sentence.
        reason: String,
    },
    /// A compressed file that holds no minidump.
    #[error("the {format} file does not hold a minidump: {source}")]
    CompressedOther {
        /// `gzip`, `zstd`, `xz`, `zip` or `cab`.
        format: &'static str,
        /// What is wrong with the content.
        source: Box<DumpError>,
    },
    /// More bytes than the limit allows.
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// `the decompressed file` or `the input`.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// An archive that cannot be read.
    #[error("the {format} archive is damaged: {reason}")]
    Archive {
        /// `zip` or `cab`.
        format: &'static str,
        /// What its reader said, or which limit it passes.
        reason: String,
    },
    /// An archive without a minidump in it.
    #[error("the {format} archive holds no minidump")]
    NoMember {
        /// `zip` or `cab`.
        format: &'static str,
    },
    /// A compressed file that grows too much.
    #[error("the {format} file of {size} bytes decompresses to more than {ratio} times its size")]
    Ratio {
        /// `gzip`, `zstd`, `xz`, `zip` or `cab`.
        format: &'static str,
        /// Size of the compressed file in bytes.
        size: u64,
        /// The limit.
        ratio: u64,
    },
}

impl DumpError {
    /// Whether the file is readable and of another kind: in a folder of all sorts of files, no news.
    #[must_use]
    pub fn is_something_else(&self) -> bool {
        match self {
            Self::NotMinidump { .. }
            | Self::CoreFile { .. }
            | Self::NoMember { .. }
            | Self::Empty => true,
            Self::CompressedOther { source, .. } => source.is_something_else(),
            _ => false,
        }
    }

    /// The stream the error stands in, for the machine-readable error line.
    #[must_use]
    pub fn stream(&self) -> Option<&'static str> {
        match self {
            Self::NotMinidump { .. } => Some("header"),
            Self::ForeignPlatform { stream, .. } | Self::Malformed { stream, .. } => Some(stream),
            Self::CompressedOther { source, .. } => source.stream(),
            _ => None,
        }
    }

    /// The offset of the error in the (decompressed) file, in bytes.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::NotMinidump { offset, .. }
            | Self::ForeignPlatform { offset, .. }
            | Self::Malformed { offset, .. } => Some(*offset),
            Self::CompressedOther { source, .. } => source.offset(),
            _ => None,
        }
    }
}

/// Something missing or malformed that leaves the rest of the dump usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The stream.
    pub stream: &'static str,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// What was expected and found, as a sentence without the place.
    pub text: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} at offset {:#x}: {}", self.stream, self.offset, self.text)
    }
}

/// Most warnings kept of one dump: a bad stream could otherwise give one per entry.
pub const MAX_WARNINGS: usize = 64;

/// The warnings of one dump, in the order they came up.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    kept: Vec<Warning>,
    dropped: usize,
}

impl Warnings {
    /// Notes one; counts it only when there are [`MAX_WARNINGS`] already.
    pub(crate) fn push(&mut self, stream: &'static str, offset: u64, text: impl Into<String>) {
        if self.kept.len() < MAX_WARNINGS {
            self.kept.push(Warning { stream, offset, text: text.into() });
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// All of them; the last one says how many more there were.
    pub(crate) fn finish(mut self) -> Vec<Warning> {
        if self.dropped > 0 {
            let text = format!("{} more warnings were left out", self.dropped);
            self.kept.push(Warning { stream: "dump", offset: 0, text });
        }
        self.kept
    }
}
