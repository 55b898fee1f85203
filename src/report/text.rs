//! The text rendering of a report, for eyes: the verdict first, then what it rests on.
//!
//! One file per block. Every block writes through [`page::Page`], which escapes all that it lays out.

mod advice;
pub(super) mod causes;
mod explain;
mod handles;
mod history;
mod page;
mod places;
pub(super) mod section;
pub(super) mod stack;
pub(super) mod summary;

pub use self::explain::{explanations, index};

pub(super) use self::page::Page;
use super::model::{ErrorLine, Line, Outcome, Report};
use super::{escape, wording};

/// Width of the text in columns, when nothing says another.
pub const DEFAULT_WIDTH: u16 = 100;

/// Narrowest text, in columns; below it tables fall apart.
pub const MIN_WIDTH: u16 = 40;

/// Widest text, in columns; longer lines are hard to read.
pub const MAX_WIDTH: u16 = 160;

/// How to lay the text out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Width in columns, held between [`MIN_WIDTH`] and [`MAX_WIDTH`].
    pub width: u16,
    /// Whether to write ANSI colour sequences.
    pub colour: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Self { width: DEFAULT_WIDTH, colour: false }
    }
}

/// `line` as text; each line ends with `\n`.
#[must_use]
pub fn render(line: &Line, layout: Layout) -> String {
    match line {
        Line::Report(report) => render_report(report, layout),
        Line::Error(error) => {
            let mut page = Page::new(layout);
            page.paragraph(&error_sentence(error));
            page.finish()
        }
        Line::Summary(summary) => super::scan_table::render(summary, layout),
    }
}

/// A number of things, in the singular where it is one.
fn counted(count: impl Into<u64>, thing: &str) -> String {
    let count = count.into();
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// One line, safe for a terminal: which dump could not be read, why, and where in it.
#[must_use]
pub fn error_sentence(error: &ErrorLine) -> String {
    escape::cell(&wording::error_sentence(error))
}

/// `report` as text; each line ends with `\n`.
#[must_use]
pub fn render_report(report: &Report, layout: Layout) -> String {
    let mut page = Page::new(layout);
    if report.outcome == Outcome::NotApplicable {
        summary::not_applicable(&mut page, report);
        stack::write(&mut page, report);
    } else {
        summary::verdict(&mut page, report);
        causes::why(&mut page, report);
        section::section(&mut page, report);
        section::handle(&mut page, report);
        history::write(&mut page, report);
        causes::ranking(&mut page, report);
        stack::write(&mut page, report);
    }
    advice::write(&mut page, report);
    page.finish()
}

pub use handles::render as render_handles;

#[cfg(test)]
mod tests;
