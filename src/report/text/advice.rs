//! What the dump lacks, what to do next, and what was wrong with the dump.

use super::page::Page;
use crate::report::escape;
use crate::report::model::{MissingInfo, Report};

/// Writes the three lists; an empty one is left out.
pub(super) fn write(page: &mut Page, report: &Report) {
    if !report.missing.is_empty() {
        page.heading("MISSING", "from the dump");
        page.list("-", report.missing.iter().map(missing));
    }
    if !report.next_steps.is_empty() {
        page.heading("NEXT", "");
        let steps = report.next_steps.iter().enumerate();
        page.rows(
            steps.map(|(index, step)| vec![format!("{}.", index.saturating_add(1)), step.clone()]),
        );
    }
    if !report.warnings.is_empty() {
        page.heading("WARNINGS", "");
        page.list("!", report.warnings.iter().cloned());
    }
    page.blank();
    let tool = &report.tool;
    page.paragraph(&format!(
        "{} {}, weights {}; --format json has every contribution.",
        escape::name(&tool.name),
        escape::name(&tool.version),
        tool.model_version
    ));
}

fn missing(missing: &MissingInfo) -> String {
    format!(
        "{}: {}. Capture it with: {}",
        escape::name(&missing.what),
        escape::one_line(missing.consequence.trim_end_matches('.'), 200),
        escape::one_line(&missing.capture_with, 200)
    )
}
