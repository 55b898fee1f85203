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
    page.one_line_rows(
        2,
        folded(&crash.frames).map(|(index, frame, times)| {
            let place = wording::place(frame);
            let cells = vec![
                format!("{index:>2}"),
                escape::name(&frame.trust),
                if times > 1 { format!("{place} ({times} times)") } else { place },
                frame.function_source.as_deref().map_or_else(String::new, escape::name),
                escape::name(&frame.address),
            ];
            (cells, style(frame))
        }),
    );
}

/// The frames with their numbers, and how often each stands there one after another. Only what was guessed is folded: a scan finds old
/// return addresses, while frames that are certain are calls, and as many as there are.
fn folded(frames: &[FrameInfo]) -> impl Iterator<Item = (usize, &FrameInfo, usize)> {
    let is_same = |left: &FrameInfo, right: &FrameInfo| {
        guessed(left) && left.address == right.address && left.trust == right.trust
    };
    let mut index = 0_usize;
    frames.chunk_by(is_same).filter_map(move |same| {
        let first = index;
        index = index.saturating_add(same.len());
        Some((first, same.first()?, same.len()))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn repeated_guesses_are_folded_and_calls_are_not() {
        let crash = fixture::diagnosed().crash.unwrap();
        let frame = |trust: &str, address: &str| FrameInfo {
            trust: trust.to_owned(),
            address: address.to_owned(),
            ..crash.frames[0].clone()
        };
        let frames = [
            frame("cfi", "0x1"),
            frame("cfi", "0x1"),
            frame("scan", "0x2"),
            frame("scan", "0x2"),
            frame("scan", "0x2"),
            frame("scan", "0x3"),
            frame("scan", "0x2"),
        ];
        let found: Vec<_> = folded(&frames).map(|(index, _, times)| (index, times)).collect();
        assert_eq!(found, [(0, 1), (1, 1), (2, 3), (5, 1), (6, 1)]);
    }

    #[test]
    fn no_offset_is_cut_at_80_columns() {
        let mut report = fixture::diagnosed();
        let crash = report.crash.as_mut().unwrap();
        for frame in &mut crash.frames {
            frame.function = Some("RtlpAnUnusuallyLongNameOfAFunctionOfNtdll".to_owned());
            frame.function_offset = Some("0x12c".to_owned());
        }
        let count = crash.frames.iter().filter(|frame| frame.module.is_some()).count();
        let layout = super::super::Layout { width: 80, colour: false };
        let mut page = Page::new(layout);
        write(&mut page, &report);
        let text = page.finish();
        assert_eq!(text.matches("…+0x12c ").count(), count, "{text}");
    }
}
