//! Layout of the text report: headings, paragraphs and borderless tables within a width.

use std::fmt::Write;

use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{Column, ColumnConstraint, ContentArrangement, Row, Table, Width};

use super::{Layout, MAX_WIDTH, MIN_WIDTH, places};
use crate::report::escape;

/// Most rows that a table shows; what is beyond is counted in its last line. Enough for a deep stack, and
/// few enough that a dump cannot fill the screen for ever.
pub(in crate::report) const MAX_ROWS: usize = 48;

/// Rows of a long table that are laid out together.
const ROWS_AT_ONCE: usize = 1024;
/// Columns before each cell of a table.
const PADDING: u16 = 2;
/// Stands for a space at which no line ends, as long as lines are made; what is written is a space.
const NO_BREAK: char = '\u{a0}';
/// Least width of a long table's last column.
const MIN_LAST: u16 = 8;

/// Text that grows downwards. All text given to it is escaped here, so that no block can forget to.
pub(in crate::report) struct Page {
    text: String,
    layout: Layout,
}

impl Page {
    pub(in crate::report) fn new(layout: Layout) -> Self {
        let width = layout.width.clamp(MIN_WIDTH, MAX_WIDTH);
        Self { text: String::new(), layout: Layout { width, ..layout } }
    }

    pub(in crate::report) fn finish(self) -> String {
        self.text
    }

    /// An empty line, then `title` and, when there is one, a remark beside it.
    pub(in crate::report) fn heading(&mut self, title: &str, remark: &str) {
        self.blank();
        let line = if remark.is_empty() { title.to_owned() } else { format!("{title}  {remark}") };
        self.styled_paragraph(&line, Style::new().bold());
    }

    /// An empty line, except at the start.
    pub(in crate::report) fn blank(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// `text` over the full width.
    pub(in crate::report) fn paragraph(&mut self, text: &str) {
        self.styled_paragraph(text, Style::new());
    }

    /// `text` over the full width, each line in `style`.
    pub(in crate::report) fn styled_paragraph(&mut self, text: &str, style: Style) {
        let mut table = self.new_table();
        table.add_row([cell(text)]);
        set_padding(&mut table, (0, 0));
        for line in table.lines() {
            self.line(&line, style);
        }
    }

    /// Names on the left, what they are on the right.
    pub(in crate::report) fn pairs(&mut self, rows: &[(&str, String)]) {
        self.rows(rows.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]));
    }

    /// `items`, each behind `mark`.
    pub(in crate::report) fn list(&mut self, mark: &str, items: impl IntoIterator<Item = String>) {
        self.rows(items.into_iter().map(|item| vec![mark.to_owned(), item]));
    }

    /// A command on a line of its own, which does not wrap: it is there to be copied.
    pub(super) fn command(&mut self, command: &str) {
        self.line(&format!("  {}", escape::cell(command)), Style::new().bold());
    }

    /// A table whose cells wrap.
    pub(in crate::report) fn rows(&mut self, rows: impl IntoIterator<Item = Vec<String>>) {
        let mut table = self.new_table();
        let rest = fill(&mut table, rows, |row| row);
        set_padding(&mut table, (PADDING, 0));
        if table.row_count() > 0 {
            table.lines().for_each(|line| self.line(&line, Style::new()));
        }
        self.rest(rest);
    }

    /// A table of one line per row: what is too long is cut. Each row has its style, and one column has the places of code, which are cut
    /// before their offsets: those are what tells two places of one function apart.
    pub(super) fn one_line_rows(
        &mut self,
        places: usize,
        rows: impl IntoIterator<Item = (Vec<String>, Style)>,
    ) {
        let mut table = self.new_table();
        let (mut rows, styles): (Vec<_>, Vec<_>) =
            rows.into_iter().take(MAX_ROWS.saturating_add(1)).unzip();
        places::fit(&mut rows, places, self.layout.width.into(), PADDING.into());
        let rest = fill(&mut table, rows, |mut row| {
            row.max_height(1);
            row
        });
        set_padding(&mut table, (PADDING, 0));
        for (line, style) in table.lines().zip(styles) {
            self.line(&line, style);
        }
        self.rest(rest);
    }

    /// A table of any length, one line per row: `widths` are those of all columns but the last, which takes the rest.
    /// It is laid out piece by piece, so that its cost grows with its length alone.
    pub(super) fn long_table(&mut self, widths: &[u16], rows: impl Iterator<Item = Vec<String>>) {
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let mut table = self.new_table();
            for row in rows.by_ref().take(ROWS_AT_ONCE) {
                let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
                let mut row = Row::from(cells);
                row.max_height(1);
                table.add_row(row);
            }
            set_padding(&mut table, (0, 1));
            let rest = self.layout.width.saturating_sub(widths.iter().sum());
            let all = widths.iter().copied().chain([rest.max(MIN_LAST)]);
            for (column, width) in table.column_iter_mut().zip(all) {
                column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            }
            table.lines().for_each(|line| self.line(&line, Style::new()));
        }
    }

    fn rest(&mut self, rest: bool) {
        if rest {
            self.line("  … and more, in the JSON report", Style::new());
        }
    }

    fn new_table(&self) -> Table {
        let mut table = Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.layout.width)
            .set_truncation_indicator("…");
        table
    }

    fn line(&mut self, line: &str, style: Style) {
        let line = line.trim_end().replace(NO_BREAK, " ");
        // Writing to a String cannot fail.
        let _ = if self.layout.colour && !style.is_plain() {
            writeln!(self.text, "{style}{line}{style:#}")
        } else {
            writeln!(self.text, "{line}")
        };
    }
}

/// Adds `rows` to `table`, escaped; says whether there were more than [`MAX_ROWS`].
fn fill(
    table: &mut Table,
    rows: impl IntoIterator<Item = Vec<String>>,
    shape: impl Fn(Row) -> Row,
) -> bool {
    let mut rows = rows.into_iter();
    for row in rows.by_ref().take(MAX_ROWS) {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        table.add_row(shape(Row::from(cells)));
    }
    rows.next().is_some()
}

/// `text` for a cell. A number and its percent sign stay on one line.
fn cell(text: &str) -> String {
    escape::cell(text).replace(" %", &format!("{NO_BREAK}%"))
}

fn set_padding(table: &mut Table, padding: (u16, u16)) {
    table.discover_columns();
    table.column_iter_mut().for_each(|column: &mut Column| {
        column.set_padding(padding);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: u16) -> Page {
        Page::new(Layout { width, colour: false })
    }

    #[test]
    fn text_wraps_at_the_width() {
        let mut page = page(40);
        page.paragraph(&"word ".repeat(30));
        page.list("-", ["another sentence ".repeat(10)]);
        let text = page.finish();
        assert!(text.lines().count() > 6, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn rows_of_one_line_stay_one_line() {
        let mut page = page(60);
        let row = vec!["0".to_owned(), "long name ".repeat(20), "0x1000".to_owned()];
        page.one_line_rows(1, [(row.clone(), Style::new()), (row, Style::new())]);
        let text = page.finish();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn a_number_and_its_percent_sign_stay_on_one_line() {
        for width in 40..60 {
            let mut page = page(width);
            page.paragraph("Right in this group of cases: handle-closed with >99 % and no other.");
            let text = page.finish();
            assert!(text.contains(">99 %") && !text.contains(NO_BREAK), "{text}");
        }
    }

    #[test]
    fn a_table_is_cut_and_says_so() {
        let mut page = page(60);
        page.list("-", (0..1000).map(|n| n.to_string()));
        let text = page.finish();
        assert_eq!(text.lines().count(), MAX_ROWS + 1);
        assert!(text.ends_with("… and more, in the JSON report\n"), "{text}");
    }

    #[test]
    fn a_table_without_rows_is_nothing() {
        let mut page = page(60);
        page.pairs(&[]);
        assert_eq!(page.finish(), "");
    }

    #[test]
    fn colour_is_written_only_when_asked_for() {
        for (colour, escapes) in [(true, true), (false, false)] {
            let mut page = Page::new(Layout { width: 60, colour });
            page.styled_paragraph("x", Style::new().bold());
            assert_eq!(page.finish().contains('\u{1b}'), escapes);
        }
    }
}
