//! Any bytes as a dump, through the whole analysis and all renderings.
#![no_main]

use csdump::dump::Dump;
use csdump::report::build::Origin;
use csdump::report::model::Line;
use csdump::report::{json, markdown, text};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(dump) = Dump::parse(bytes) else { return };
    let report = csdump::analyze(&dump, &Origin { path: "fuzz.dmp".into(), ..Origin::default() });
    let page = text::render_report(&report, text::Layout::default());
    assert!(!page.contains('\u{1b}'), "an escape sequence");
    let line = Line::Report(Box::new(report));
    assert!(!markdown::render(&line).contains('\u{1b}'), "an escape sequence");
    let line = json::render(&line, false).unwrap();
    assert_eq!(line.lines().count(), 1);
});
