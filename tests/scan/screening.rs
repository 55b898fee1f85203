//! A dump that is passed over at a glance is one that the whole analysis calls no failure.

use super::support::{labels, shared};
use csdump::crash::screen;
use csdump::dump::{DumpFile, Glance, Limits};
use csdump::report::build::Origin;
use csdump::report::model::{Outcome, Report};
use csdump::report::passed_over;
use std::path::PathBuf;

fn dumps() -> Vec<PathBuf> {
    let mut dumps: Vec<PathBuf> = labels().into_iter().map(|label| label.path).collect();
    if let Some(one) = shared("llvm-lldb/sigsegv.dmp") {
        let root = one.ancestors().nth(2).unwrap();
        let files = walkdir::WalkDir::new(root).into_iter().map(|entry| entry.unwrap().into_path());
        dumps.extend(files.filter(|path| path.extension().is_some_and(|name| name == "dmp")));
    }
    dumps
}

#[test]
fn screening_never_hides_a_failure() {
    let mut passed_over = 0;
    for path in dumps() {
        let file = DumpFile::open(&path, &Limits::default()).unwrap();
        let glance = Glance::read(file.bytes()).unwrap();
        if screen::needs_analysis(&glance) {
            continue;
        }
        passed_over += 1;
        let whole = csdump::analyze_file(&path, &Limits::default()).unwrap();
        assert_eq!(whole.outcome, Outcome::NotApplicable, "{}", path.display());
        let origin = Origin { path: path.to_string_lossy().into_owned(), ..Origin::default() };
        assert_same(&passed_over::report(&glance, &origin), &whole, &path);
    }
    assert!(passed_over >= 10, "{passed_over}");
}

/// What a glance says is what the analysis says.
fn assert_same(glance: &Report, whole: &Report, path: &std::path::Path) {
    let path = path.display();
    let (a, b) = (&glance.dump, &whole.dump);
    assert_eq!((a.size, &a.time, &a.identity), (b.size, &b.time, &b.identity), "{path}");
    assert_eq!(
        (&a.memory_kind, &a.streams, &a.cpu),
        (&b.memory_kind, &b.streams, &b.cpu),
        "{path}"
    );
    assert_eq!((&a.process.name, a.wow64), (&b.process.name, b.wow64), "{path}");
    let (a, b) = (glance.crash.as_ref(), whole.crash.as_ref());
    assert_eq!(a.map(|crash| &crash.exception), b.map(|crash| &crash.exception), "{path}");
    assert_eq!(a.map(|crash| &crash.thread_id), b.map(|crash| &crash.thread_id), "{path}");
    assert_eq!(glance.next_steps, whole.next_steps, "{path}");
}
