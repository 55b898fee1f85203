//! The text of `csdump handles`.

use super::history::remark_of;
use super::page::Page;
use super::{Layout, stack, wording};
use crate::report::escape;
use crate::report::handles::{AskedHandle, HandleRow, HandlesReport};

/// `report` as text; each line ends with `\n`.
#[must_use]
pub fn render(report: &HandlesReport, layout: Layout) -> String {
    let mut page = Page::new(layout);
    match &report.asked {
        Some(asked) => one(&mut page, report, asked),
        None => all(&mut page, report),
    }
    if !report.warnings.is_empty() {
        page.heading("WARNINGS", "");
        page.list("!", report.warnings.iter().cloned());
    }
    page.finish()
}

fn all(page: &mut Page, report: &HandlesReport) {
    page.paragraph(&match report.open {
        None => "The dump has no handle table (HandleDataStream).".to_owned(),
        Some(count) => format!("{count} open handles{}", traced(report)),
    });
    if report.handles.is_empty() {
        return;
    }
    page.blank();
    let head = ["handle", "type", "access", "handles", "pointers", "name"].map(str::to_owned);
    page.long_table(
        &WIDTHS,
        std::iter::once(head.to_vec()).chain(report.handles.iter().map(cells)),
    );
}

/// Widths of all columns but the last, in characters.
const WIDTHS: [u16; 5] = [12, 22, 12, 9, 10];

fn traced(report: &HandlesReport) -> String {
    report.traced.map_or_else(
        || "; no history was recorded.".to_owned(),
        |count| {
            format!("; {count} operations are recorded, csdump handles DUMP HANDLE shows them.")
        },
    )
}

fn cells(row: &HandleRow) -> Vec<String> {
    let name = row.name.clone().or_else(|| row.event.clone().map(|event| format!("({event})")));
    vec![
        row.value.clone(),
        escape::name(row.type_name.as_deref().unwrap_or("?")),
        row.granted_access.clone(),
        row.handle_count.to_string(),
        row.pointer_count.to_string(),
        escape::one_line(&name.unwrap_or_default(), 200),
    ]
}

fn one(page: &mut Page, report: &HandlesReport, asked: &AskedHandle) {
    page.heading("HANDLE", &asked.value);
    let mut rows = vec![("state", wording::handle_state(&asked.state).to_owned())];
    if let Some(row) = report.handles.first() {
        rows.extend([
            ("type", row.type_name.clone().unwrap_or_default()),
            ("name", row.name.clone().unwrap_or_default()),
            ("access", row.granted_access.clone()),
            ("attributes", row.attributes.clone()),
            ("counts", format!("{} handles, {} pointers", row.handle_count, row.pointer_count)),
            ("event", row.event.clone().unwrap_or_default()),
        ]);
        rows.retain(|(_, value)| !value.is_empty());
    }
    page.pairs(&rows);
    if asked.operations.is_empty() {
        page.blank();
        page.paragraph(&match report.traced {
            None => "The dump has no handle trace (HandleOperationListStream): its history was not recorded.".to_owned(),
            Some(count) => format!("None of the {count} recorded operations is on it; older ones are not kept."),
        });
        return;
    }
    let order = asked.history_order.as_deref();
    page.heading("HISTORY", &remark_of(order, asked.history.len(), asked.history_total));
    for (line, operation) in asked.history.iter().zip(&asked.operations) {
        page.blank();
        page.paragraph(line);
        page.one_line_rows(operation.frames.iter().map(stack::brief));
    }
}
