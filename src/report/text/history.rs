//! The history of the handle: what the kernel recorded.

use super::page::Page;
use crate::report::model::{HandleInfo, Report};

/// Writes one line per operation.
pub(super) fn write(page: &mut Page, report: &Report) {
    let Some(handle) = &report.handle else { return };
    if handle.history.is_empty() {
        return;
    }
    page.heading("HANDLE HISTORY", &remark(handle));
    page.list("-", handle.history.iter().cloned());
}

fn remark(handle: &HandleInfo) -> String {
    remark_of(handle.history_order.as_deref(), handle.history.len(), handle.history_total)
}

/// The order, and how many of how many.
pub(super) fn remark_of(order: Option<&str>, shown: usize, total: Option<usize>) -> String {
    let order = match order {
        Some("oldest-first") => "oldest first",
        _ => "in the dump's order, which need not be that of time",
    };
    total.map_or_else(|| order.to_owned(), |total| format!("{shown} of {total}, {order}"))
}
