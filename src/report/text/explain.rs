//! The pages of `csdump explain` as text.

use anstyle::Style;

use super::Layout;
use super::page::Page;
use crate::diagnosis::weights::Row;
use crate::explain::{Explanation, FAMILIES, Subject};

/// All ids with their titles, by family.
#[must_use]
pub fn index(layout: Layout) -> String {
    let mut page = Page::new(layout);
    page.paragraph("csdump explain ID says what an id of a report means, how it arises, how to confirm it and what to do.");
    for family in FAMILIES {
        page.heading(family.title, "");
        page.rows(
            family
                .explanations
                .iter()
                .map(|found| vec![found.id().to_owned(), found.title.to_owned()]),
        );
    }
    page.finish()
}

/// The explanations of one id, one below the other.
#[must_use]
pub fn explanations(found: &[&Explanation], layout: Layout) -> String {
    let mut page = Page::new(layout);
    for explanation in found {
        page.blank();
        write(&mut page, explanation);
    }
    page.finish()
}

fn write(page: &mut Page, explanation: &Explanation) {
    let (id, kind) = (explanation.id(), explanation.subject.kind());
    page.styled_paragraph(&format!("{id} ({kind}): {}", explanation.title), Style::new().bold());
    page.blank();
    if let Subject::Cause(cause) = explanation.subject {
        page.paragraph(cause.summary());
    }
    page.paragraph(explanation.means);
    page.heading("HOW IT ARISES", "");
    page.list("-", explanation.arises.iter().map(|text| (*text).to_owned()));
    confirm(page, explanation);
    page.heading("WHAT TO DO", "");
    let steps = explanation.steps();
    let first = steps.iter().flat_map(|steps| [steps.find, steps.mend]);
    page.list("-", first.chain(explanation.fix.iter().copied()).map(str::to_owned));
    if let Subject::Cause(cause) = explanation.subject {
        page.blank();
        let stops = cause.verifier_stops();
        page.paragraph(&format!("Application Verifier would have stopped with: {stops}."));
    }
    if let Some(row) = explanation.weights() {
        weights(page, row);
    }
}

fn confirm(page: &mut Page, explanation: &Explanation) {
    page.heading("HOW TO CONFIRM IT", "in WinDbg, unless it says otherwise");
    for step in explanation.confirm {
        if let Some(command) = step.command {
            page.command(command);
            page.rows([vec![String::new(), step.shows.to_owned()]]);
        } else {
            page.list("-", [step.shows.to_owned()]);
        }
    }
    let used: Vec<_> =
        explanation.placeholders().map(|(name, what)| format!("{name} is {what}")).collect();
    if !used.is_empty() {
        page.blank();
        page.paragraph(&format!("{}.", used.join("; ")));
    }
}

fn weights(page: &mut Page, row: &Row) {
    page.heading(
        "WEIGHT",
        "natural log-likelihood ratios; of a group only the strongest counts for each cause",
    );
    if row.weights.is_empty() {
        page.paragraph("None: it is said for the reader.");
        return;
    }
    page.rows(row.weights.iter().map(|weight| {
        vec![
            weight.cause.as_str().to_owned(),
            format!("{:+.1}", weight.llr),
            weight.reason.to_owned(),
        ]
    }));
    page.paragraph(&format!("Group: {:?}. A cause that is not listed gets 0.", row.group));
}
