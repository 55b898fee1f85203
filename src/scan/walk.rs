//! The files to examine: those that are named, and those in named folders.

use std::ffi::OsStr;
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::WalkDir;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a scan meets on its way.
#[derive(Debug)]
pub enum Found {
    /// A file to examine.
    File(Candidate),
    /// Something that cannot be examined, with the reason.
    Problem {
        /// What.
        path: PathBuf,
        /// One sentence.
        reason: String,
    },
}

impl Found {
    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File(file) => &file.path,
            Self::Problem { path, .. } => path,
        }
    }
}

/// A file to examine.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its path, as found.
    pub path: PathBuf,
    /// Somebody named it, so that it must be a dump; else it lay in a folder.
    pub named: bool,
}

/// Which files count.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    include: Option<GlobSet>,
    exclude: GlobSet,
    since: Option<SystemTime>,
}

impl Filter {
    /// A filter of globs, which are matched against the file's name and against its path, and of the time of the last
    /// change.
    ///
    /// # Errors
    /// When a glob is none; the message names it.
    pub fn new(
        include: &[String],
        exclude: &[String],
        since: Option<SystemTime>,
    ) -> Result<Self, globset::Error> {
        let include = if include.is_empty() { None } else { Some(globs(include)?) };
        Ok(Self { include, exclude: globs(exclude)?, since })
    }

    fn excludes(&self, path: &Path) -> bool {
        matches(&self.exclude, path)
    }

    /// Whether a file counts.
    #[must_use]
    pub fn takes(&self, path: &Path) -> bool {
        self.include.as_ref().is_none_or(|globs| matches(globs, path))
            && !self.excludes(path)
            && self.since.is_none_or(|since| changed_since(path, since))
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

fn matches(globs: &GlobSet, path: &Path) -> bool {
    globs.is_match(path) || path.file_name().is_some_and(|name| globs.is_match(Path::new(name)))
}

/// A file whose time cannot be read counts, so that its error is reported.
fn changed_since(path: &Path, since: SystemTime) -> bool {
    let modified = fs::metadata(path).and_then(|found| found.modified());
    modified.map_or(true, |modified| modified >= since)
}

/// All files under `roots`, lazily, each folder in the order of its names. A symbolic link is followed; one that leads
/// back to a folder above it is a problem, once.
pub fn walk<'f>(
    roots: impl Iterator<Item = PathBuf> + Send + 'f,
    filter: &'f Filter,
) -> impl Iterator<Item = Found> + Send + 'f {
    roots.flat_map(move |root| under(root, filter))
}

fn under<'f>(root: PathBuf, filter: &'f Filter) -> Box<dyn Iterator<Item = Found> + Send + 'f> {
    let is_folder = fs::metadata(&root).is_ok_and(|found| found.is_dir());
    if !is_folder {
        let taken = filter.takes(&root);
        let named = Found::File(Candidate { path: root, named: true });
        return Box::new(taken.then_some(named).into_iter());
    }
    let entries = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    let entries = entries.filter_entry(|entry| {
        entry.depth() == 0 || !entry.file_type().is_dir() || !filter.excludes(entry.path())
    });
    Box::new(entries.filter_map(|entry| found(entry, filter)))
}

fn found(entry: walkdir::Result<walkdir::DirEntry>, filter: &Filter) -> Option<Found> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => return Some(problem(&error)),
    };
    let path = entry.path();
    if entry.file_type().is_dir() || !filter.takes(path) {
        return None;
    }
    if entry.file_type().is_file() {
        return Some(Found::File(Candidate { path: entry.into_path(), named: false }));
    }
    // Reading a pipe or a device would wait for ever.
    let reason = "it is neither a file nor a folder (a socket, pipe or device)".to_owned();
    Some(Found::Problem { path: entry.into_path(), reason })
}

fn problem(error: &walkdir::Error) -> Found {
    let path = error.path().unwrap_or_else(|| Path::new("")).to_owned();
    let reason = match (error.loop_ancestor(), error.io_error()) {
        (Some(above), _) => {
            format!("the symbolic link leads back to {}, which holds it", above.display())
        }
        (None, Some(source)) => format!("cannot read it: {source}"),
        (None, None) => error.to_string(),
    };
    Found::Problem { path, reason }
}

/// The paths of a list, as they come in: lines, or texts that end in NUL. An empty one is passed over, and so are a
/// line end's `\r` and a byte order mark before the first, which editors on Windows write. The list ends where it cannot be read any further; `failed` gets the reason.
pub fn listed<R: BufRead + Send>(
    list: R,
    null: bool,
    failed: impl Fn(std::io::Error) + Send,
) -> impl Iterator<Item = PathBuf> + Send {
    let separator = if null { 0 } else { b'\n' };
    let read = move |text: std::io::Result<Vec<u8>>| text.map_err(&failed).ok();
    let mut is_first = true;
    list.split(separator).map_while(read).filter_map(move |mut text| {
        if std::mem::take(&mut is_first) && text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len());
        }
        if !null && text.last() == Some(&b'\r') {
            text.pop();
        }
        (!text.is_empty()).then(|| path_of(&text))
    })
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    let text: &str = &String::from_utf8_lossy(bytes);
    OsStr::new(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path, filter: &Filter) -> Vec<String> {
        let name = |found| match found {
            Found::File(file) => file.path.file_name().unwrap().to_string_lossy().into_owned(),
            Found::Problem { reason, .. } => format!("! {reason}"),
        };
        walk([root.to_owned()].into_iter(), filter).map(name).collect()
    }

    #[test]
    fn folders_are_walked_in_order_and_filtered() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.dmp", "a.dmp", "note.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join("cache")).unwrap();
        fs::write(folder.path().join("cache/c.dmp"), "x").unwrap();
        let filter = |include: &[&str], exclude: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
            Filter::new(&owned(include), &owned(exclude), None).unwrap()
        };
        assert_eq!(
            names(folder.path(), &filter(&[], &[])),
            ["a.dmp", "b.dmp", "c.dmp", "note.txt"]
        );
        assert_eq!(names(folder.path(), &filter(&["*.dmp"], &["cache"])), ["a.dmp", "b.dmp"]);
        assert_eq!(names(folder.path(), &filter(&["**/cache/*"], &[])), ["c.dmp"]);
        let later = SystemTime::now() + std::time::Duration::from_secs(3600);
        let recent = Filter::new(&[], &[], Some(later)).unwrap();
        assert!(names(folder.path(), &recent).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_loop_of_links_is_one_problem() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("in/a.dmp"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("in/loop")).unwrap();
        let found = names(folder.path(), &Filter::default());
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].starts_with("! the symbolic link leads back to "), "{found:?}");
    }

    #[test]
    fn lists_end_in_line_ends_or_nul() {
        let paths = |list: &[u8], null| -> Vec<PathBuf> {
            listed(std::io::Cursor::new(list.to_vec()), null, |_| ()).collect()
        };
        assert_eq!(paths(b"a\r\n\nb c", false), [PathBuf::from("a"), PathBuf::from("b c")]);
        assert_eq!(paths(b"\xef\xbb\xbfa\r\n\xef\xbb\xbfb", false)[0], PathBuf::from("a"));
        assert_eq!(paths(b"a\nb\0c\r\0", true), [PathBuf::from("a\nb"), PathBuf::from("c\r")]);
    }
}
