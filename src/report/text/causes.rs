//! Why: the findings that decide, and the ranking of the causes.

use super::page::Page;
use super::wording;
use crate::report::escape;
use crate::report::model::{CauseInfo, Contribution, Outcome, Report};

/// Contributions shown for each side of a cause in the ranking; the JSON report has all.
const TOP_CONTRIBUTIONS: usize = 3;

/// Columns of the probability bar.
const BAR_WIDTH: usize = 20;

/// Causes below this probability are named on one line.
const UNLIKELY: f64 = 0.005;

/// Writes the findings that speak for the likeliest cause, and those against it.
pub(super) fn why(page: &mut Page, report: &Report) {
    let Some(top) = report.verdict.as_ref().and_then(|verdict| verdict.causes.first()) else {
        return;
    };
    let decided = report.outcome == Outcome::Diagnosed;
    if report.verdict.as_ref().is_some_and(|verdict| verdict.named.is_empty()) {
        return;
    }
    page.heading(if decided { "WHY" } else { "LIKELIEST" }, &format!("{}: {}", top.id, top.title));
    // Of an open cause the summary would read as if it were known.
    if decided && !top.summary.is_empty() {
        page.paragraph(&top.summary);
    }
    let rows = side("+", &top.supporting).chain(side("-", &top.contradicting));
    let rows: Vec<_> =
        rows.map(|(mark, found)| vec![mark.to_owned(), fact(report, found)]).collect();
    if rows.is_empty() {
        page.list(
            "o",
            report.findings.iter().map(|found| sourced(&found.statement, &found.source)),
        );
    } else {
        page.rows(rows);
    }
}

/// Writes all causes, likeliest first.
pub(super) fn ranking(page: &mut Page, report: &Report) {
    let Some(verdict) = &report.verdict else { return };
    page.heading("CAUSES", "weights are natural log-likelihood ratios");
    let (likely, unlikely): (Vec<_>, Vec<_>) =
        verdict.causes.iter().partition(|cause| cause.probability >= UNLIKELY);
    for cause in likely {
        let share =
            format!("{:>5} {}", wording::percent(cause.probability), bar(cause.probability));
        page.rows([vec![share, format!("{}: {}", cause.id, cause.title)]]);
        page.rows(contributions(cause));
    }
    page.rows(names(&unlikely));
}

fn side<'a>(
    mark: &'static str,
    found: &'a [Contribution],
) -> impl Iterator<Item = (&'static str, &'a Contribution)> {
    strongest(found).into_iter().map(move |found| (mark, found))
}

/// Hard constraints first, then by the size of the weight.
pub(in crate::report) fn strongest(found: &[Contribution]) -> Vec<&Contribution> {
    let size = |found: &Contribution| found.weight.map_or(f64::INFINITY, f64::abs);
    let mut sorted: Vec<_> = found.iter().collect();
    sorted.sort_by(|a, b| size(b).total_cmp(&size(a)));
    sorted
}

/// The finding behind a contribution; its reason when it is no finding (a hard constraint).
fn fact(report: &Report, contribution: &Contribution) -> String {
    report.findings.iter().find(|finding| finding.id == contribution.finding).map_or_else(
        || contribution.reason.clone(),
        |finding| sourced(&finding.statement, &finding.source),
    )
}

fn sourced(statement: &str, source: &str) -> String {
    format!("{} [{}]", escape::cell(statement.trim_end_matches('.')), escape::name(source))
}

fn contributions(cause: &CauseInfo) -> impl Iterator<Item = Vec<String>> {
    [&cause.supporting, &cause.contradicting].into_iter().flat_map(|side| {
        strongest(side).into_iter().take(TOP_CONTRIBUTIONS).map(|found| {
            let weight = found.weight.map_or_else(String::new, |weight| format!("{weight:+.1}"));
            vec![String::new(), weight, escape::name(&found.finding), found.reason.clone()]
        })
    })
}

/// The unlikely causes: all that are possible in one row, and each that is excluded in a row of its own, with the reason.
fn names(causes: &[&CauseInfo]) -> Vec<Vec<String>> {
    let reason = |cause: &CauseInfo| {
        let excluded = cause.contradicting.iter().find(|found| found.weight.is_none());
        excluded.map(|found| found.reason.clone())
    };
    let possible = causes.iter().filter(|cause| reason(cause).is_none());
    let possible: Vec<_> = possible.map(|cause| escape::name(&cause.id)).collect();
    let possible = (!possible.is_empty()).then(|| possible.join(", "));
    let excluded = causes.iter().filter_map(|cause| {
        let reason = reason(cause)?;
        Some(format!("{} (excluded: {reason})", escape::name(&cause.id)))
    });
    let rows = possible.into_iter().chain(excluded).enumerate();
    let share = |index: usize| if index == 0 { "<1 %" } else { "" };
    rows.map(|(index, text)| vec![share(index).to_owned(), text]).collect()
}

fn bar(probability: f64) -> String {
    // A float cast saturates and turns NaN into 0, so that no probability can make a longer bar.
    let filled = ((probability * 20.0).round() as usize).min(BAR_WIDTH);
    format!("{}{}", "#".repeat(filled), ".".repeat(BAR_WIDTH.saturating_sub(filled)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_keeps_its_width() {
        for probability in [0.0, 0.5, 1.0, 7.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(bar(probability).chars().count(), BAR_WIDTH);
        }
        assert_eq!(bar(0.5), "##########..........");
    }

    #[test]
    fn reasons_of_exclusions_are_not_cut() {
        let cause = |id: &str, reason: Option<&str>| CauseInfo {
            id: id.to_owned(),
            contradicting: reason
                .map(|reason| Contribution {
                    finding: String::new(),
                    weight: None,
                    reason: reason.to_owned(),
                })
                .into_iter()
                .collect(),
            ..crate::report::fixture::diagnosed().verdict.unwrap().causes[0].clone()
        };
        let long = "an unmatched Leave raises nothing by itself, ".repeat(4);
        let all = [cause("a", None), cause("b", Some(&long)), cause("c", None)];
        let rows = names(&all.iter().collect::<Vec<_>>());
        let excluded = format!("b (excluded: {long})");
        assert_eq!(
            rows,
            [vec!["<1 %".to_owned(), "a, c".to_owned()], vec![String::new(), excluded]]
        );
        assert!(names(&[]).is_empty());
    }

    #[test]
    fn the_strongest_comes_first_and_a_constraint_before_it() {
        let found = |weight| Contribution { finding: String::new(), weight, reason: String::new() };
        let all = [found(Some(0.5)), found(Some(-3.0)), found(None)];
        let weights: Vec<_> = strongest(&all).iter().map(|found| found.weight).collect();
        assert_eq!(weights, [None, Some(-3.0), Some(0.5)]);
    }
}
