//! The text of `csdump handles`.

use super::history::remark_of;
use super::page::Page;
use super::{Layout, counted, stack, wording};
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
        Some(0) => format!("{EMPTY}{}", traced(report)),
        Some(count) => format!("{}{}", counted(count as u64, "open handle"), traced(report)),
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

/// What is said of a stream of handles without any: every process has some, so that the dump's writer left them out.
const EMPTY: &str = "The dump's handle table (HandleDataStream) is empty";

/// Widths of all columns but the last, in characters.
const WIDTHS: [u16; 5] = [12, 22, 12, 9, 10];

fn traced(report: &HandlesReport) -> String {
    report.traced.map_or_else(
        || "; no history was recorded.".to_owned(),
        |count| match count {
            0 => "; no operation was recorded.".to_owned(),
            1 => "; 1 operation is recorded, csdump handles DUMP HANDLE shows it.".to_owned(),
            _ => {
                format!("; {count} operations are recorded, csdump handles DUMP HANDLE shows them.")
            }
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
    let mut rows = vec![("state", state(report, asked))];
    rows.extend(asked.slot.as_ref().map(|slot| {
        ("looked up", format!("{slot}: Windows ignores the two lowest bits of a handle"))
    }));
    if let Some(row) = report.handles.first() {
        rows.extend([
            ("type", row.type_name.clone().unwrap_or_default()),
            ("name", row.name.clone().unwrap_or_default()),
            ("access", row.granted_access.clone()),
            ("attributes", row.attributes.clone()),
            ("counts", counts(row)),
            ("event", row.event.clone().unwrap_or_default()),
        ]);
        rows.retain(|(_, value)| !value.is_empty());
    }
    page.pairs(&rows);
    if asked.operations.is_empty() {
        page.blank();
        page.paragraph(&match report.traced {
            None => "The dump has no handle trace (HandleOperationListStream): its history was not recorded.".to_owned(),
            Some(0) => "The dump's handle trace (HandleOperationListStream) is empty: no operation was recorded.".to_owned(),
            Some(1) => "The one recorded operation is not on it; older ones are not kept.".to_owned(),
            Some(count) => format!("None of the {count} recorded operations is on it; older ones are not kept."),
        });
        return;
    }
    let order = asked.history_order.as_deref();
    page.heading("HISTORY", &remark_of(order, asked.history.len(), asked.history_total));
    for (line, operation) in asked.history.iter().zip(&asked.operations) {
        page.blank();
        page.paragraph(line);
        page.one_line_rows(1, operation.frames.iter().map(stack::brief));
    }
}

fn state(report: &HandlesReport, asked: &AskedHandle) -> String {
    match (asked.state.as_str(), report.open) {
        ("unknown", Some(0)) => format!("unknown: {}", EMPTY.replacen("The", "the", 1)),
        (state, _) => wording::handle_state(state, true).to_owned(),
    }
}

fn counts(row: &HandleRow) -> String {
    let handles = counted(row.handle_count, "handle");
    format!("{handles}, {}", counted(row.pointer_count, "pointer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: u64, name: &str) -> HandleRow {
        HandleRow {
            value: format!("{value:#x}"),
            type_name: Some(name.to_owned()),
            name: Some(name.to_owned()),
            granted_access: "0x1".to_owned(),
            attributes: "0x0".to_owned(),
            handle_count: 1,
            pointer_count: 2,
            event: Some(name.to_owned()),
        }
    }

    fn report(handles: Vec<HandleRow>, asked: Option<AskedHandle>) -> HandlesReport {
        HandlesReport {
            kind: "handles",
            schema_version: 1,
            path: "a.dmp".to_owned(),
            open: Some(handles.len()),
            traced: None,
            handles,
            asked,
            warnings: vec!["bad\u{1b}]0;x\u{7}".to_owned()],
        }
    }

    #[test]
    fn every_handle_has_its_line_within_the_width() {
        for width in [40, 100, 160] {
            let rows = (1..3000).map(|index| row(index * 4, &"long ".repeat(40))).collect();
            let text = render(&report(rows, None), Layout { width, colour: false });
            for value in [4, 0x1000, 2999 * 4] {
                let row = format!("{value:#x} ");
                assert_eq!(text.lines().filter(|line| line.starts_with(&row)).count(), 1, "{row}");
            }
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= usize::from(width.max(73)), "{width}: {widest}");
        }
    }

    #[test]
    fn a_table_without_entries_is_said_to_be_empty() {
        let asked = AskedHandle {
            value: "0x1b".to_owned(),
            slot: Some("0x18".to_owned()),
            state: "unknown".to_owned(),
            history: Vec::new(),
            history_order: None,
            history_total: None,
            operations: Vec::new(),
        };
        for asked in [None, Some(asked)] {
            let text = render(&report(Vec::new(), asked), Layout::default());
            assert!(text.contains("he dump's handle table (HandleDataStream) is empty"), "{text}");
        }
        let text = render(&report(vec![row(4, "Event")], None), Layout::default());
        assert!(text.starts_with("1 open handle;"), "{text}");
    }

    #[test]
    fn names_cannot_steer_the_terminal() {
        let hostile = "a\u{1b}[2J\u{202e}\u{9b}31m\r\nb";
        let asked = AskedHandle {
            value: "0x4".to_owned(),
            slot: None,
            state: hostile.to_owned(),
            history: vec![hostile.to_owned()],
            history_order: Some(hostile.to_owned()),
            history_total: Some(9),
            operations: Vec::new(),
        };
        for asked in [None, Some(asked)] {
            let text = render(&report(vec![row(4, hostile)], asked), Layout::default());
            assert!(text.contains("0x4") && !text.contains('\r'), "{text}");
            let unsafe_ones = text.chars().filter(|c| *c != '\n' && escape::is_unsafe(*c));
            assert_eq!(unsafe_ones.count(), 0, "{text:?}");
        }
    }
}
