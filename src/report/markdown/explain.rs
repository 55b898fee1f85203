//! The pages of `csdump explain` as Markdown. Their texts are csdump's own and have no markup
//! (`no_text_has_markup_in_it`), so that only commands are set as code.

use super::Page;
use crate::diagnosis::weights::Row;
use crate::explain::{Explanation, FAMILIES, Subject};

/// All ids with their titles, by family; `link` makes the target of an id.
#[must_use]
pub fn index(link: impl Fn(&str) -> Option<String>) -> String {
    let mut page = Page::default();
    for family in FAMILIES {
        page.line(format!("## {}\n\n| id | says |\n|---|---|", family.title));
        for found in family.explanations {
            let id = format!("`{}`", found.id());
            let id = link(found.id()).map_or(id.clone(), |target| format!("[{id}]({target})"));
            page.line(format!("| {id} | {} |", found.title));
        }
        page.blank();
    }
    page.0.trim_end().to_owned() + "\n"
}

/// The explanations of one id, one below the other.
#[must_use]
pub fn explanations(found: &[&Explanation]) -> String {
    let mut page = Page::default();
    if let Some(first) = found.first() {
        page.line(format!("# {}", first.id()));
    }
    for explanation in found {
        write(&mut page, explanation);
    }
    page.0.trim_end().to_owned() + "\n"
}

fn write(page: &mut Page, explanation: &Explanation) {
    let kind = explanation.subject.kind();
    page.line(format!("\n## The {kind}: {}\n", explanation.title));
    if let Subject::Cause(cause) = explanation.subject {
        page.line(format!("{}\n", cause.summary()));
    }
    page.line(format!("{}\n", explanation.means));
    page.list(
        "How it arises",
        explanation.arises.iter().map(|text| (*text).to_owned()),
        usize::MAX,
    );
    confirm(page, explanation);
    let steps = explanation.steps();
    let first = steps.iter().flat_map(|steps| [steps.find, steps.mend]);
    let fix: Vec<_> = first.chain(explanation.fix.iter().copied()).map(str::to_owned).collect();
    page.list("What to do", fix.into_iter(), usize::MAX);
    if let Subject::Cause(cause) = explanation.subject {
        page.line(format!(
            "Application Verifier would have stopped with: {}.\n",
            cause.verifier_stops()
        ));
    }
    if let Some(row) = explanation.weights() {
        weights(page, row);
    }
}

fn confirm(page: &mut Page, explanation: &Explanation) {
    let steps = explanation.confirm.iter().map(|step| match step.command {
        Some(command) => format!("`{command}`: {}", step.shows),
        None => step.shows.to_owned(),
    });
    page.list("How to confirm it", steps, usize::MAX);
    let used: Vec<_> =
        explanation.placeholders().map(|(name, what)| format!("{name} is {what}")).collect();
    if !used.is_empty() {
        page.line(format!(
            "Commands are WinDbg's, unless it says otherwise. {}.\n",
            used.join("; ")
        ));
    }
}

fn weights(page: &mut Page, row: &Row) {
    page.line("### Weight\n");
    if row.weights.is_empty() {
        page.line("None: it is said for the reader.");
        return;
    }
    page.line(
        "Natural log-likelihood ratios; of a group only the strongest counts for each cause.\n",
    );
    page.line("| cause | weight | why |\n|---|---:|---|");
    for weight in row.weights {
        page.line(format!(
            "| {} | {:+.1} | {} |",
            weight.cause.as_str(),
            weight.llr,
            weight.reason
        ));
    }
    page.line(format!("\nGroup: {:?}. A cause that is not listed gets 0.", row.group));
}
