//! Folders of the host in which module files are looked for.
//!
//! Names from a dump never become paths: they are only compared with what a folder holds.

use super::file::{CutOff, ImageFile};
use super::relocation::MAX_COPIED;
use crate::dump::container::map_file;
use crate::dump::memory::Region;
use crate::dump::modules::Module;
use crate::dump::{Dump, Limits};
use memmap2::Mmap;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Largest module file that is read, in bytes: browsers have libraries of a quarter of it.
const MAX_FILE: u64 = 1 << 30;

/// Folders with module files: flat, as a build leaves them, or as a symbol server does (`app.exe/5F3B0C1A2d000/app.exe`).
#[derive(Debug, Default)]
pub struct Folders {
    /// What each folder holds, by names in lower case.
    entries: Vec<Entries>,
}

/// A module file that is used for a dump.
#[derive(Debug)]
pub struct FoundFile {
    /// File name of the module, as the dump has it.
    pub module: String,
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub image: ImageFile<Mmap>,
}

/// The module files for one dump.
#[derive(Debug, Default)]
pub struct Found {
    /// Those that are used.
    pub files: Vec<FoundFile>,
    /// Those that are not, and why; and what those that are used lack: one sentence each.
    pub warnings: Vec<String>,
}

impl Folders {
    /// Reads what the folders hold.
    ///
    /// # Errors
    /// When one cannot be read; with its path.
    pub fn read(paths: &[PathBuf]) -> Result<Self, (PathBuf, io::Error)> {
        let read = |path: &PathBuf| entries(path).map_err(|error| (path.clone(), error));
        Ok(Self { entries: paths.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// The files of a dump's modules.
    #[must_use]
    pub fn files_of(&self, dump: &Dump<'_>) -> Found {
        let mut found = Found::default();
        for module in &dump.modules {
            self.look_for(module, &mut found);
        }
        found
    }

    /// Takes the first file that is the module's. Where there are only others, says so.
    fn look_for(&self, module: &Module, found: &mut Found) {
        let mut refused = Vec::new();
        // A dump can name one module a thousand times; a process loads a file once.
        let is_used = |path: &PathBuf| found.files.iter().any(|file| file.path == *path);
        let candidates = self.candidates(module).into_iter().filter(|path| !is_used(path));
        for path in candidates.collect::<Vec<_>>() {
            if !path.is_file() {
                refused.push(format!("{}: not used: it is no file", path.display()));
                continue;
            }
            match opened(&path, module, MAX_COPIED.saturating_sub(found.copied())) {
                Ok(image) => {
                    let lacking = |cut_off: CutOff| format!("{}: {cut_off}", path.display());
                    found.warnings.extend(image.cut_off().map(lacking));
                    let name = module.file_name().to_owned();
                    return found.files.push(FoundFile { module: name, path, image });
                }
                Err(reason) => refused.push(format!("{}: not used: {reason}", path.display())),
            }
        }
        for warning in refused {
            if !found.warnings.contains(&warning) {
                found.warnings.push(warning);
            }
        }
    }

    /// What has the module's name: files, and what only looks like one.
    fn candidates(&self, module: &Module) -> Vec<PathBuf> {
        let name = module.file_name().to_ascii_lowercase();
        let named = |held: &Entries| held.get(&name).cloned().unwrap_or_default();
        let in_store = |folder: &PathBuf| {
            let builds = entries(folder).unwrap_or_default();
            let builds = builds.get(&module.code_id.to_ascii_lowercase()).cloned();
            let build = builds.unwrap_or_default().into_iter();
            build.flat_map(|build| named(&entries(&build).unwrap_or_default())).collect::<Vec<_>>()
        };
        let all = self.entries.iter().flat_map(named);
        all.flat_map(|path| if is_store(&path) { in_store(&path) } else { vec![path] }).collect()
    }
}

impl Found {
    /// What the files hold.
    pub fn regions(&self) -> impl Iterator<Item = Region<'_>> {
        self.files.iter().flat_map(|file| file.image.regions())
    }

    /// How many bytes of the files are copied.
    fn copied(&self) -> usize {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.image.copied()))
    }
}

/// What a folder holds, by names in lower case: two names may differ in case alone.
type Entries = HashMap<String, Vec<PathBuf>>;

fn entries(folder: &Path) -> io::Result<Entries> {
    let mut found = Entries::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        found.entry(name).or_default().push(entry.path());
    }
    found.values_mut().for_each(|paths| paths.sort());
    Ok(found)
}

/// Whether a folder is one of a symbol store: it holds builds, by time stamp and size, or nothing.
fn is_store(path: &Path) -> bool {
    let is_build = |name: &String| {
        (9..=16).contains(&name.len()) && name.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    path.is_dir() && entries(path).is_ok_and(|held| held.is_empty() || held.keys().any(is_build))
}

/// Opens a file, if it is the module's, and moving it copies no more than `room` bytes.
fn opened(path: &Path, module: &Module, room: usize) -> Result<ImageFile<Mmap>, String> {
    let limits = Limits { max_file: MAX_FILE, ..Limits::default() };
    let map = map_file(path, &limits).map_err(|error| error.to_string())?;
    ImageFile::of(map, module, room).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::PeBuilder;
    use super::*;

    const STAMP: u32 = 0x5F3B_0C1A;

    fn file(stamp: u32) -> Vec<u8> {
        PeBuilder::x64().file(PeBuilder::BASE, stamp)
    }

    fn looked_for(folder: &Path) -> Found {
        let mut found = Found::default();
        let folders = Folders::read(&[folder.to_owned()]).unwrap();
        folders.look_for(&PeBuilder::module("C:\\Program Files\\App.exe", STAMP), &mut found);
        found
    }

    #[test]
    fn a_module_is_found_in_a_build_folder_and_in_a_symbol_store() {
        let flat = tempfile::tempdir().unwrap();
        fs::write(flat.path().join("APP.EXE"), file(STAMP)).unwrap();
        let found = looked_for(flat.path());
        assert_eq!(found.files.first().map(|file| file.module.as_str()), Some("App.exe"));
        assert_eq!((found.warnings.len(), found.regions().count()), (0, 3));
        let store = tempfile::tempdir().unwrap();
        let build = store.path().join("app.exe").join("5F3B0C1A10000");
        fs::create_dir_all(&build).unwrap();
        fs::write(build.join("app.exe"), file(STAMP)).unwrap();
        assert_eq!(looked_for(store.path()).files.len(), 1);
    }

    #[test]
    fn a_file_is_used_once_and_of_two_names_the_one_that_fits() {
        let flat = tempfile::tempdir().unwrap();
        fs::write(flat.path().join("APP.exe"), file(STAMP + 1)).unwrap();
        fs::write(flat.path().join("app.exe"), file(STAMP)).unwrap();
        let folders = Folders::read(&[flat.path().to_owned()]).unwrap();
        let mut found = Found::default();
        for _ in 0..3 {
            folders.look_for(&PeBuilder::module("app.exe", STAMP), &mut found);
        }
        assert_eq!(found.files.len(), 1, "modules without end would take memory without end");
    }

    #[test]
    fn another_build_is_said_and_not_used() {
        let flat = tempfile::tempdir().unwrap();
        fs::write(flat.path().join("app.exe"), file(STAMP - 1)).unwrap();
        let found = looked_for(flat.path());
        assert!(found.files.is_empty());
        let warning = found.warnings.first().unwrap();
        assert!(warning.contains("app.exe: not used: it is another build"), "{warning}");
        fs::write(flat.path().join("app.exe"), b"").unwrap();
        assert_eq!(looked_for(flat.path()).warnings.len(), 1, "an empty file");
    }

    #[test]
    fn a_file_that_was_cut_off_is_used_and_that_is_said() {
        let flat = tempfile::tempdir().unwrap();
        fs::write(flat.path().join("app.exe"), &file(STAMP)[..3000]).unwrap();
        let found = looked_for(flat.path());
        assert_eq!(found.files.len(), 1);
        let warning = found.warnings.first().unwrap();
        let end = "app.exe: cut off: its sections need 62464 bytes, it has 3000";
        assert!(warning.ends_with(end), "{warning}");
    }

    #[test]
    fn what_is_no_file_is_skipped_and_that_is_said() {
        let flat = tempfile::tempdir().unwrap();
        let named = flat.path().join("app.exe");
        fs::create_dir(&named).unwrap();
        assert_eq!(looked_for(flat.path()).warnings, Vec::<String>::new(), "an empty store");
        fs::create_dir(named.join("5F3B0C1B10000")).unwrap();
        assert_eq!(looked_for(flat.path()).warnings, Vec::<String>::new(), "of another build");
        let build = named.join("5F3B0C1A10000").join("app.exe");
        fs::create_dir_all(&build).unwrap();
        let said = |found: &Found| {
            found.files.is_empty()
                && found.warnings.len() == 1
                && found.warnings.iter().all(|warning| warning.ends_with("not used: it is no file"))
        };
        assert!(said(&looked_for(flat.path())), "a folder in the store's place of a file");
        let other = tempfile::tempdir().unwrap();
        fs::create_dir_all(other.path().join("app.exe").join("src")).unwrap();
        assert!(said(&looked_for(other.path())), "a folder of something else");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_that_leads_back_is_skipped() {
        let flat = tempfile::tempdir().unwrap();
        let named = flat.path().join("app.exe");
        std::os::unix::fs::symlink(&named, &named).unwrap();
        assert_eq!(looked_for(flat.path()).warnings.len(), 1);
        fs::remove_file(&named).unwrap();
        std::os::unix::fs::symlink(flat.path(), &named).unwrap();
        assert_eq!(looked_for(flat.path()).warnings.len(), 1);
    }

    #[test]
    fn a_name_of_the_dump_leads_out_of_no_folder() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(outer.path().join("app.exe"), file(STAMP)).unwrap();
        let folders = Folders::read(&[inner]).unwrap();
        for name in ["../app.exe", "..\\app.exe", "..", ".", ""] {
            let mut found = Found::default();
            folders.look_for(&PeBuilder::module(name, STAMP), &mut found);
            assert!(found.files.is_empty(), "{name}");
        }
        assert!(Folders::read(&[outer.path().join("none")]).is_err());
    }
}
