//! The results of an earlier scan, as JSON lines, to which this one appends.
//!
//! The lines of one file are written at once and name their number, so that after a kill at any moment what is
//! incomplete at the end of the store is known, and taken off.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::worker::file_info;
use crate::dump::{DumpError, Glance};
use crate::report::dump_info::identity;
use crate::report::model::{FileInfo, Line};

/// A store that cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot keep the results in {path}")]
    Io {
        /// The store.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another scan writes to it.
    #[error("{path}: another scan is writing to it")]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// It holds something that no scan wrote; it is left alone.
    #[error("{path}, line {line}: expected a result of csdump scan, found {found}")]
    Foreign {
        /// The store.
        path: PathBuf,
        /// Which line, counted from 1.
        line: u64,
        /// What the line is instead.
        found: String,
    },
}

/// How every line of a store begins.
const LINE_BEGINS: &[u8] = b"{\"type\":\"";

/// The results of earlier scans.
#[derive(Debug)]
pub struct Store {
    file: File,
    path: PathBuf,
    seen: HashSet<PathBuf>,
}

/// What becomes of a file's earlier results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// This scan is not about the file: they stay.
    Stay,
    /// They stay, and the file need not be examined again.
    Current,
    /// The file is examined again: they go.
    Stale,
}

/// A file's earlier results.
#[derive(Debug)]
pub struct Earlier<'l> {
    /// Its path, as it was found.
    pub path: &'l Path,
    /// Size and time.
    pub info: &'l FileInfo,
    /// The dump's cheap identity, when the file is a plain minidump.
    pub identity: Option<&'l str>,
}

impl Earlier<'_> {
    /// Whether the file is still the same: by size and time, and a plain minidump by its identity too.
    #[must_use]
    pub fn is_current(&self) -> bool {
        // What could not be read at all is remembered with a size of 0 and no time.
        let now = file_info(self.path).unwrap_or(FileInfo { size: 0, modified: None, lines: 1 });
        let same = (now.size, &now.modified) == (self.info.size, &self.info.modified);
        let identical =
            |expected: &str| identity_of(self.path).is_ok_and(|found| found == expected);
        same && self.identity.is_none_or(identical)
    }
}

/// What is needed of a line to know its file again.
#[derive(Deserialize)]
struct Brief {
    r#type: String,
    path: Option<String>,
    dump: Option<BriefDump>,
    file: Option<FileInfo>,
}

#[derive(Deserialize)]
struct BriefDump {
    path: String,
    identity: String,
    size: u64,
}

impl Store {
    /// Opens or creates the store, takes off what a killed scan left incomplete, what summed an earlier scan up and
    /// what `judge` calls stale, and shows every line that stays to `each`.
    ///
    /// # Errors
    /// When it cannot be read or written, is in use, or is no store.
    pub fn open(
        path: &Path,
        judge: impl Fn(&Earlier<'_>) -> Fate,
        mut each: impl FnMut(Line),
    ) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { path: path.to_owned() });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(io(source)),
        }
        let mut store = Self { file, path: path.to_owned(), seen: HashSet::new() };
        let kept = store.read(&judge, &mut each)?;
        store.keep(&kept).map_err(io)?;
        Ok(store)
    }

    /// Reads the lines; returns the byte ranges that stay.
    fn read(
        &mut self,
        judge: &impl Fn(&Earlier<'_>) -> Fate,
        each: &mut impl FnMut(Line),
    ) -> Result<Ranges, StoreError> {
        let path = self.path.clone();
        let io = |source| StoreError::Io { path: path.clone(), source };
        let mut reader = BufReader::new(self.file.try_clone().map_err(io)?);
        let mut ranges = Ranges::default();
        let mut group = Group::default();
        let (mut offset, mut number) = (0u64, 0u64);
        let mut text = Vec::new();
        loop {
            text.clear();
            let length = reader.read_until(b'\n', &mut text).map_err(io)? as u64;
            let end = offset.saturating_add(length);
            number = number.saturating_add(1);
            if length == 0 {
                break;
            }
            if text.last() != Some(&b'\n') {
                if number == 1 && !is_torn(&text) {
                    return Err(self.foreign(number, &"a file of another kind"));
                }
                break;
            }
            let brief: Brief =
                serde_json::from_slice(&text).map_err(|error| self.foreign(number, &error))?;
            if brief.r#type == "summary" {
                group = Group::default();
            } else if group.add(brief, offset, end, &text) {
                let done = std::mem::take(&mut group);
                if self.stays(&done, judge) {
                    ranges.push(done.start, done.end);
                    let lines =
                        done.texts.iter().filter_map(|text| serde_json::from_slice(text).ok());
                    lines.for_each(&mut *each);
                }
            }
            offset = end;
        }
        Ok(ranges)
    }

    fn foreign(&self, line: u64, found: &dyn std::fmt::Display) -> StoreError {
        StoreError::Foreign { path: self.path.clone(), line, found: found.to_string() }
    }

    /// Whether a file's results stay; those of an earlier line for the same file do not count twice.
    fn stays(&mut self, group: &Group, judge: &impl Fn(&Earlier<'_>) -> Fate) -> bool {
        let Some(info) = &group.info else { return true };
        let path = Path::new(&group.path);
        if self.seen.contains(path) {
            return false;
        }
        let fate = judge(&Earlier { path, info, identity: group.identity.as_deref() });
        if fate == Fate::Current {
            self.seen.insert(path.to_owned());
        }
        fate != Fate::Stale
    }

    /// Leaves in the file what stays: the end is cut off, and where something in the middle goes, the rest moves up.
    fn keep(&mut self, kept: &Ranges) -> io::Result<()> {
        let mut end = 0u64;
        let mut buffer = vec![0; 1 << 16];
        for (from, to) in &kept.0 {
            if *from != end {
                self.move_up(*from, *to, end, &mut buffer)?;
            }
            end = end.saturating_add(to.saturating_sub(*from));
        }
        self.file.set_len(end)?;
        self.file.seek(SeekFrom::Start(end))?;
        Ok(())
    }

    fn move_up(&mut self, from: u64, to: u64, target: u64, buffer: &mut [u8]) -> io::Result<()> {
        use std::io::Read as _;
        let (mut from, mut target) = (from, target);
        while from < to {
            let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
            let length = length.min(buffer.len());
            let chunk = buffer.get_mut(..length).unwrap_or_default();
            self.file.seek(SeekFrom::Start(from))?;
            self.file.read_exact(chunk)?;
            self.file.seek(SeekFrom::Start(target))?;
            self.file.write_all(chunk)?;
            from = from.saturating_add(length as u64);
            target = target.saturating_add(length as u64);
        }
        Ok(())
    }

    /// The files that need not be examined again.
    pub fn take_seen(&mut self) -> HashSet<PathBuf> {
        std::mem::take(&mut self.seen)
    }

    /// Appends the lines of one file, at once.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn append(&mut self, lines: &str) -> io::Result<()> {
        self.file.write_all(lines.as_bytes())
    }
}

/// Whether a line without its end can be the beginning of one that a scan wrote; a dump without a line end in it is
/// none, and must not be cut off.
fn is_torn(text: &[u8]) -> bool {
    text.iter().zip(LINE_BEGINS).all(|(found, expected)| found == expected)
}

fn identity_of(path: &Path) -> Result<String, DumpError> {
    let file = crate::dump::DumpFile::open(path, &crate::dump::Limits::default())?;
    let glance = Glance::read(file.bytes())?;
    Ok(identity(glance.header.time_date_stamp, file.bytes().len(), &glance.directory))
}

/// Parts of a file, ascending, none touching the next.
#[derive(Debug, Default)]
struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    fn push(&mut self, from: u64, to: u64) {
        match self.0.last_mut() {
            Some(last) if last.1 == from => last.1 = to,
            _ => self.0.push((from, to)),
        }
    }
}

/// The lines of one file, as far as they were read.
#[derive(Default)]
struct Group {
    path: String,
    info: Option<FileInfo>,
    identity: Option<String>,
    start: u64,
    end: u64,
    texts: Vec<Vec<u8>>,
}

impl Group {
    /// Adds a line; says whether the file's lines are complete. Lines of another file drop those before.
    fn add(&mut self, brief: Brief, start: u64, end: u64, text: &[u8]) -> bool {
        let path =
            brief.path.or_else(|| Some(brief.dump.as_ref()?.path.clone())).unwrap_or_default();
        if self.texts.is_empty() || path != self.path || brief.file != self.info {
            *self = Self { path, info: brief.file, start, ..Self::default() };
        }
        // The identity is that of the file itself only when the dump is all of it.
        let size = self.info.as_ref().map(|info| info.size);
        let plain = brief.dump.filter(|dump| Some(dump.size) == size);
        self.identity = plain.map(|dump| dump.identity);
        self.end = end;
        self.texts.push(text.to_owned());
        let expected = self.info.as_ref().map_or(1, |info| info.lines);
        self.texts.len() as u64 >= u64::from(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(path: &str, lines: u32, size: u64) -> String {
        format!(
            "{{\"type\":\"error\",\"path\":\"{path}\",\"error\":\"x\",\"file\":{{\"size\":{size},\"lines\":{lines}}}}}\n"
        )
    }

    fn opened(content: &str) -> (String, Result<usize, StoreError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        std::fs::write(&path, content).unwrap();
        let mut count = 0usize;
        let store = Store::open(&path, |_| Fate::Stay, |_| count += 1).map(|_| ());
        (std::fs::read_to_string(&path).unwrap(), store.map(|()| count))
    }

    #[test]
    fn what_a_kill_leaves_is_taken_off() {
        let whole = line("a", 1, 1) + &line("b", 2, 2) + &line("b", 2, 2);
        let (left, count) = opened("{\"ty");
        assert_eq!((left.as_str(), count.unwrap()), ("", 0), "killed at once");
        for torn in ["", "{\"type\":\"err", "{\"type\":\"error\",\"path\":\"c\"}"] {
            let (left, count) = opened(&(whole.clone() + torn));
            assert_eq!((left.as_str(), count.unwrap()), (whole.as_str(), 3));
        }
        let (left, count) = opened(&(whole.clone() + &line("d", 2, 4)));
        assert_eq!((left.as_str(), count.unwrap()), (whole.as_str(), 3), "half an archive");
    }

    #[test]
    fn summaries_and_torn_groups_in_the_middle_go_too() {
        let summary = "{\"type\":\"summary\"}\n";
        let (left, count) =
            opened(&(line("a", 1, 1) + summary + &line("b", 2, 2) + &line("c", 1, 3) + summary));
        assert_eq!((left, count.unwrap()), (line("a", 1, 1) + &line("c", 1, 3), 2));
    }

    #[test]
    fn a_foreign_file_is_refused_and_left_alone() {
        for content in ["first line\nsecond\n", "MDMP and no line end", "{\"name\":\"json\"}"] {
            let (left, result) = opened(content);
            assert_eq!(left, content);
            let error = result.unwrap_err().to_string();
            assert!(error.contains("line 1: expected a result of csdump scan"), "{error}");
        }
    }

    #[test]
    fn two_scans_do_not_share_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.jsonl");
        let first = Store::open(&path, |_| Fate::Stay, |_| ()).unwrap();
        assert!(matches!(
            Store::open(&path, |_| Fate::Stay, |_| ()),
            Err(StoreError::InUse { .. })
        ));
        drop(first);
        assert!(Store::open(&path, |_| Fate::Stay, |_| ()).is_ok());
    }

    #[test]
    fn a_file_is_current_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (path, dump) = (folder.path().join("results.jsonl"), folder.path().join("a.dmp"));
        std::fs::write(&dump, "no dump").unwrap();
        let info = serde_json::to_string(&file_info(&dump).unwrap()).unwrap();
        let name = dump.display();
        let line =
            format!("{{\"type\":\"error\",\"path\":\"{name}\",\"error\":\"x\",\"file\":{info}}}\n");
        std::fs::write(&path, &line).unwrap();
        let judge = |earlier: &Earlier<'_>| {
            if earlier.is_current() { Fate::Current } else { Fate::Stale }
        };
        let seen = || Store::open(&path, judge, |_| ()).unwrap().take_seen();
        assert_eq!(seen(), HashSet::from([dump.clone()]));
        std::fs::write(&dump, "longer than before").unwrap();
        assert!(seen().is_empty());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "", "the stale line is gone");
    }
}
