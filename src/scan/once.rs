//! Each file once, though several roots lead to it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::walk::Found;

/// The files met so far, however they were spelled.
///
/// A file is known by its canonical path. Inode numbers would also join hard links, and some network shares give the
/// same number to many files.
#[derive(Debug, Default)]
pub struct Once {
    /// Below a single root nothing is met twice.
    is_needed: bool,
    /// Hashes of paths: a list may name millions of files.
    met: HashSet<[u8; 16]>,
    /// Files that somebody named; they count as named also where the walk of a folder comes to them first.
    named: HashSet<[u8; 16]>,
}

impl Once {
    /// For a scan of `roots`; `more` come after them.
    #[must_use]
    pub fn new(roots: &[PathBuf], more: bool) -> Self {
        let named = roots.iter().filter(|root| !root.is_dir()).map(|root| key(&canonical(root)));
        let is_needed = more || roots.len() > 1;
        Self { is_needed, met: HashSet::new(), named: named.collect() }
    }

    /// What was found, when it is met for the first time.
    pub fn first(&mut self, mut found: Found) -> Option<Found> {
        if !self.is_needed {
            return Some(found);
        }
        let key = key(&match &found {
            Found::File(file) => canonical(&file.path),
            // A link that leads back is the problem, not what it leads to.
            Found::Problem { path, .. } => beside(path),
        });
        if let Found::File(file) = &mut found {
            file.named |= self.named.contains(&key);
        }
        self.met.insert(key).then_some(found)
    }
}

/// The path without links, or as it is where that cannot be had.
fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| beside(path))
}

/// The path in its canonical folder.
fn beside(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok();
    folder.zip(path.file_name()).map_or_else(|| path.to_owned(), |(folder, name)| folder.join(name))
}

fn key(path: &Path) -> [u8; 16] {
    let hash = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let mut key = [0; 16];
    key.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::walk::{Filter, walk};

    /// What a scan of `roots` meets: names, with `!` where somebody named the file.
    fn met(roots: &[PathBuf]) -> Vec<String> {
        let filter = Filter::default();
        let mut once = Once::new(roots, false);
        walk(roots.iter().cloned(), &filter)
            .filter_map(|found| once.first(found))
            .map(|found| {
                let name = found.path().file_name().unwrap().to_string_lossy().into_owned();
                match found {
                    Found::File(file) if file.named => format!("!{name}"),
                    _ => name,
                }
            })
            .collect()
    }

    #[test]
    fn overlapping_roots_give_each_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        fs::create_dir(root.join("in")).unwrap();
        for name in ["a.dmp", "in/b.dmp"] {
            fs::write(root.join(name), "x").unwrap();
        }
        assert_eq!(met(&[root.clone(), root.clone()]), ["a.dmp", "b.dmp"]);
        assert_eq!(met(&[root.join("in"), root.clone()]), ["b.dmp", "a.dmp"]);
        assert_eq!(met(&[root.clone(), root.join("in/../in")]), ["a.dmp", "b.dmp"]);
        let file = root.join("in/b.dmp");
        assert_eq!(met(&[file.clone(), file.clone()]), ["!b.dmp"]);
        assert_eq!(met(&[root.clone(), file]), ["a.dmp", "!b.dmp"]);
        let gone = root.join("gone.dmp");
        assert_eq!(met(&[gone.clone(), gone]), ["!gone.dmp"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_problem_is_told_once_too() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        for name in ["one", "two"] {
            std::os::unix::fs::symlink(&root, root.join(name)).unwrap();
        }
        assert_eq!(met(&[root.clone(), root.join(".")]), ["one", "two"]);
    }
}
