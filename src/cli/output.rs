//! Where the result goes: standard output, or a file that appears only when it is complete.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use anyhow::Context;
use tempfile::NamedTempFile;

use csdump::report::text;

use super::args::Color;

/// Where the result goes.
pub(super) enum Output {
    /// Standard output, locked and buffered.
    Stdout(BufWriter<AutoStream<StdoutLock<'static>>>),
    /// A device or pipe, which must not be replaced by a file.
    Device(BufWriter<File>),
    /// A file beside `target` that takes its name in [`Output::finish`].
    Atomic {
        /// The file under its temporary name, which goes away when this is dropped.
        file: BufWriter<NamedTempFile>,
        /// The name asked for.
        target: PathBuf,
    },
}

impl Output {
    /// Standard output without colour.
    pub(super) fn stdout() -> Self {
        Self::stdout_with(ColorChoice::Never)
    }

    /// A file, or standard output in colour as `choice` says.
    pub(super) fn open(path: Option<&Path>, choice: ColorChoice) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::stdout_with(choice)) };
        Self::open_file(path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// A file that grows as it is written, so that a broken-off scan leaves what it has; or standard output.
    pub(super) fn growing(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::stdout()) };
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self::Device(BufWriter::new(file)))
    }

    /// Standard output with the colour that `choice` allows.
    pub(super) fn stdout_with(choice: ColorChoice) -> Self {
        // What is written without colour has no escape sequence to strip; stripping would only cost time.
        let choice = if choice == ColorChoice::Never { ColorChoice::AlwaysAnsi } else { choice };
        Self::Stdout(BufWriter::new(AutoStream::new(io::stdout().lock(), choice)))
    }

    fn open_file(path: &Path) -> io::Result<Self> {
        let target = match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                return Ok(Self::Device(BufWriter::new(File::options().write(true).open(path)?)));
            }
            // Through a link the file changes, not the link.
            Ok(_) => fs::canonicalize(path)?,
            Err(_) => path.to_owned(),
        };
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = temporary(folder.unwrap_or(Path::new(".")))?;
        #[cfg(unix)]
        keep_mode(file.as_file(), &target)?;
        Ok(Self::Atomic { file: BufWriter::new(file), target })
    }

    /// Writes `text` and passes it on, so that a reader sees each dump when it is done.
    pub(super) fn write(&mut self, text: &str) -> anyhow::Result<()> {
        let writer: &mut dyn Write = match self {
            Self::Stdout(writer) => writer,
            Self::Device(writer) => writer,
            Self::Atomic { file, .. } => file,
        };
        writer
            .write_all(text.as_bytes())
            .and_then(|()| writer.flush())
            .context("cannot write the result")
    }

    /// Gives the file its name.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        let Self::Atomic { file, target } = self else { return Ok(()) };
        let named = || format!("cannot write {}", target.display());
        let file = file.into_inner().map_err(io::IntoInnerError::into_error).with_context(named)?;
        file.as_file().sync_all().with_context(named)?;
        file.persist(&target).map(drop).map_err(|error| error.error).with_context(named)
    }
}

/// Whether and how text is coloured that goes to a file, or to standard output.
pub(super) fn choice(color: Color, to_file: bool) -> ColorChoice {
    match color {
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
        Color::Auto if to_file => ColorChoice::Never,
        Color::Auto => AutoStream::choice(&io::stdout()),
    }
}

/// How wide text is laid out, and whether in colour.
pub(super) fn layout(color: Color, to_file: bool) -> text::Layout {
    text::Layout {
        width: columns().filter(|_| !to_file).unwrap_or(text::DEFAULT_WIDTH),
        colour: choice(color, to_file) != ColorChoice::Never,
    }
}

/// Columns of standard output: what COLUMNS says, else the terminal itself; shells seldom export COLUMNS.
pub(super) fn columns() -> Option<u16> {
    let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    said.or_else(|| terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0))
}

/// A new file in `folder` with the rights that any new file has there. It is opened here, not by the crate, whose
/// errors show a name that nobody asked for.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let open = |path: &Path| File::options().read(true).write(true).create_new(true).open(path);
    tempfile::Builder::new().prefix(".csdump-").make_in(folder, open)
}

/// Gives `file` the rights of the file that it will replace: who made a result private wants it so again.
#[cfg(unix)]
fn keep_mode(file: &File, replaced: &Path) -> io::Result<()> {
    match fs::metadata(replaced) {
        Ok(found) => file.set_permissions(found.permissions()),
        Err(_) => Ok(()),
    }
}
