//! The summary of a scan as text, and one line per dump.

use super::model::{Count, GroupInfo, Line, Outcome, Report, Summary, Verdict};
use super::text::{Layout, Page};
use super::{escape, names, wording};

/// Groups shown; the JSON summary has more.
const TOP_GROUPS: usize = 20;
/// Names shown of each kind.
const TOP_NAMES: usize = 10;
/// Columns of the longest bar.
const BAR_WIDTH: u64 = 30;

/// `summary` as text; each line ends with `\n`.
#[must_use]
pub fn render(summary: &Summary, layout: Layout) -> String {
    let mut page = Page::new(layout);
    page.paragraph(&headline(summary));
    if summary.interrupted {
        page.paragraph("The scan was broken off: there are dumps it did not see.");
    }
    if summary.failures == 0 {
        return page.finish();
    }
    if let (Some(first), Some(last)) = (&summary.first_seen, &summary.last_seen) {
        page.paragraph(&format!("Failures from {first} to {last}."));
    }
    counts(&mut page, "CAUSES", &summary.causes);
    counts(&mut page, "PROGRAMS", &summary.programs);
    counts(&mut page, "CALLING MODULES", &summary.modules);
    counts(&mut page, "SYSTEMS", &summary.systems);
    groups(&mut page, summary);
    page.finish()
}

/// One sentence on everything.
#[must_use]
pub fn headline(summary: &Summary) -> String {
    let Summary { dumps, failures, diagnosed, inconclusive, errors, .. } = summary;
    let (groups, beyond) = (summary.groups.len(), summary.ungrouped);
    let errors = match errors {
        0 => String::new(),
        1 => "; 1 file could not be read".to_owned(),
        errors => format!("; {errors} files could not be read"),
    };
    let bugs = match (groups, beyond) {
        (0, _) => String::new(),
        (groups, 0) => format!(" in {groups} group{}", plural(groups as u64)),
        (groups, _) => format!(" in more than {groups} groups"),
    };
    format!(
        "{dumps} dump{} read, {failures} critical-section failure{}{bugs} ({diagnosed} diagnosed, {inconclusive} inconclusive){errors}.",
        plural(*dumps),
        plural(*failures),
    )
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn counts(page: &mut Page, title: &str, counts: &[Count]) {
    let most = counts.iter().map(|count| count.count).max().unwrap_or(0);
    if most == 0 {
        return;
    }
    page.heading(title, "");
    page.rows(counts.iter().take(TOP_NAMES).map(|count| {
        vec![format!("{:>6}", count.count), escape::name(&count.name), bar(count.count, most)]
    }));
    more(page, counts.len(), TOP_NAMES);
}

fn bar(count: u64, most: u64) -> String {
    let length = count.saturating_mul(BAR_WIDTH).div_ceil(most.max(1)).min(BAR_WIDTH);
    "#".repeat(usize::try_from(length).unwrap_or(0))
}

fn more(page: &mut Page, all: usize, shown: usize) {
    if let Some(rest) = all.checked_sub(shown).filter(|rest| *rest > 0) {
        page.paragraph(&format!("  … and {rest} more, in the JSON summary"));
    }
}

fn groups(page: &mut Page, summary: &Summary) {
    page.heading("GROUPS", "failures that are one bug by their signature; read the example first");
    for group in summary.groups.iter().take(TOP_GROUPS) {
        page.blank();
        let joined = match group.joined {
            0 => String::new(),
            joined => format!("  ({joined} of them small dumps that fit no other group)"),
        };
        page.paragraph(&format!("{} x  {}{joined}", group.count, group.signature));
        page.pairs(&pairs(group));
    }
    more(page, summary.groups.len(), TOP_GROUPS);
}

fn pairs(group: &GroupInfo) -> Vec<(&'static str, String)> {
    let list = |counts: &[Count]| {
        let shown = counts.iter().take(TOP_NAMES);
        shown
            .map(|count| format!("{} ({})", escape::name(&count.name), count.count))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let seen = match (&group.first_seen, &group.last_seen) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(first), _) => first.clone(),
        _ => "at no known time".into(),
    };
    vec![
        ("causes", list(&group.causes)),
        ("programs", list(&group.programs)),
        ("seen", seen),
        ("example", group.example.clone()),
        ("verdict", group.statement.clone()),
    ]
}

/// One line on one dump, with a line end: outcome, cause, place, signature. Empty for a summary.
#[must_use]
pub fn brief(line: &Line) -> String {
    match line {
        Line::Report(report) => brief_report(report),
        Line::Error(error) => format!("error           {}\n", super::text::error_sentence(error)),
        Line::Summary(_) => String::new(),
    }
}

/// The named causes and their share, in the words of the report's statement.
fn named(verdict: &Verdict) -> String {
    let share = wording::percent(names::share(verdict));
    match verdict.named.as_slice() {
        [] => "undecided".into(),
        [one] => format!("{one} {share}"),
        several => format!("{} {share} together", several.join(" or ")),
    }
}

fn brief_report(report: &Report) -> String {
    let place = names::dump_place(&report.dump.path, report.dump.member.as_deref());
    let code = report.crash.as_ref().map(|crash| crash.exception.code.as_str());
    let what = match (report.outcome, &report.verdict) {
        (Outcome::NotApplicable, _) | (_, None) => {
            code.map_or_else(|| "no exception".into(), |code| format!("exception {code}"))
        }
        (_, Some(verdict)) => {
            let signature = report.signature.as_ref().map_or("", |signature| &signature.cause);
            format!("{}  [{signature}]", named(verdict))
        }
    };
    let outcome = match report.outcome {
        Outcome::Diagnosed => "diagnosed",
        Outcome::Inconclusive => "inconclusive",
        Outcome::NotApplicable => "not-applicable",
    };
    format!("{outcome:<15} {}: {}\n", escape::cell(&place), escape::cell(&what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// A dump whose verdict names the likeliest causes, with these probabilities.
    fn brief_of(probabilities: &[f64]) -> String {
        let mut report = fixture::diagnosed();
        if let Some(verdict) = &mut report.verdict {
            let causes = verdict.causes.iter_mut().zip(probabilities);
            verdict.named = causes
                .map(|(cause, probability)| {
                    cause.probability = *probability;
                    cause.id.clone()
                })
                .collect();
        }
        brief(&Line::Report(Box::new(report)))
    }

    #[test]
    fn a_brief_line_is_never_certain_and_adds_up_what_it_names() {
        assert!(brief_of(&[0.9999]).contains(" >99 %  ["), "{}", brief_of(&[0.9999]));
        assert!(brief_of(&[0.87]).contains(" 87 %  ["), "{}", brief_of(&[0.87]));
        let pair = brief_of(&[0.43, 0.4]);
        assert!(pair.contains(" or ") && pair.contains(" 83 % together  ["), "{pair}");
        assert!(brief_of(&[]).contains(": undecided  ["), "{}", brief_of(&[]));
    }
}
