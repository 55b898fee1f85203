//! The stack of the faulting thread.

use anstyle::Style;

use super::page::Page;
use super::wording;
use crate::report::escape;
use crate::report::model::{CrashInfo, FrameInfo, Report};

/// Writes the nested exceptions, when there are any, and the frames.
pub(super) fn write(page: &mut Page, report: &Report) {
    let Some(crash) = &report.crash else { return };
    nested(page, crash);
    if crash.frames.is_empty() {
        return;
    }
    page.heading("STACK", &format!("of thread {}", escape::name(&crash.thread_id)));
    page.one_line_rows(crash.frames.iter().enumerate().map(|(index, frame)| {
        let cells = vec![
            format!("{index:>2}"),
            escape::name(&frame.trust),
            wording::place(frame),
            frame.function_source.as_deref().map_or_else(String::new, escape::name),
            escape::name(&frame.address),
        ];
        (cells, style(frame))
    }));
}

fn nested(page: &mut Page, crash: &CrashInfo) {
    if crash.exception.nested.is_empty() {
        return;
    }
    page.heading("EXCEPTIONS BEFORE", "outermost first");
    page.list("-", crash.exception.nested.iter().map(wording::exception));
}

/// A frame by its place and address alone.
pub(super) fn brief(frame: &FrameInfo) -> (Vec<String>, Style) {
    let cells = vec![String::new(), wording::place(frame), escape::name(&frame.address)];
    (cells, Style::new())
}

/// A frame that was only guessed.
pub(in crate::report) fn guessed(frame: &FrameInfo) -> bool {
    frame.trust.contains("scan") || frame.trust == "none"
}

/// What was guessed stands back.
fn style(frame: &FrameInfo) -> Style {
    if guessed(frame) { Style::new().dimmed() } else { Style::new() }
}
