//! The bars that the corpus must clear, on either half (docs/accuracy.md).

use super::judge::Answer;
use super::known;
use super::support::{Label, labels};
use super::tables;
use std::fmt::Write as _;

/// Percent of right causes, exact sections and verdicts at 0.9 or more that a half must have.
const BARS: (f64, f64, f64) = (97.0, 98.0, 70.0);
/// What the halves have reached, never to fall again: the batches left out, then the percent of right causes of the seen half and of the
/// unseen one. The bars for sections and sure verdicts hold for each.
const REACHED: [(&[&str], f64, f64); 4] = [
    (&["w-", "x-", "y-"], 97.0, 98.3),
    (&["x-", "y-"], 97.0, 97.1),
    (&["y-"], 97.0, 97.1),
    (&[], 97.0, 97.2),
];

/// Which part of the answers, in percent; 100 of none.
fn share(part: usize, all: usize) -> f64 {
    if all == 0 { 100.0 } else { part as f64 * 100.0 / all as f64 }
}

/// One half of the corpus: programs seen while the weights were chosen, or not.
struct Half<'a> {
    name: &'static str,
    programs: usize,
    all: usize,
    /// Answers to dumps that hold the evidence and have no twin.
    decidable: Vec<&'a Answer>,
}

impl<'a> Half<'a> {
    /// The half without some batches, by how their programs' names begin.
    fn without(batches: &[&str], name: &'static str, answers: &'a [Answer]) -> Self {
        let is_mine = |answer: &&Answer| {
            let program = answer.label.text("program");
            answer.label.split() == name && !batches.iter().any(|batch| program.starts_with(batch))
        };
        let mine = || answers.iter().filter(is_mine);
        let mut programs: Vec<_> = mine().map(|answer| answer.label.text("program")).collect();
        programs.sort_unstable();
        programs.dedup();
        let decidable =
            mine().filter(|answer| answer.label.flag("evidence") && !answer.is_twin()).collect();
        Self { name, programs: programs.len(), all: mine().count(), decidable }
    }

    fn right_causes(&self) -> f64 {
        let right = self.decidable.iter().filter(|answer| answer.has_right_cause()).count();
        share(right, self.decidable.len())
    }

    fn right_sections(&self) -> f64 {
        let known: Vec<bool> =
            self.decidable.iter().filter_map(|answer| answer.has_right_section()).collect();
        share(known.iter().filter(|right| **right).count(), known.len())
    }

    fn assert_at_least(&self, (causes, sections, sure): (f64, f64, f64)) {
        assert!(self.right_causes() >= causes, "{}: causes", self.name);
        assert!(self.right_sections() >= sections, "{}: sections", self.name);
        assert!(self.sure() >= sure, "{}: sure verdicts", self.name);
    }

    fn sure(&self) -> f64 {
        let sure = self.decidable.iter().filter(|answer| answer.is_sure()).count();
        share(sure, self.decidable.len())
    }
}

/// The verdicts of 0.9 or more, twins and dumps without the evidence included: how many, and how many are right.
fn sure_verdicts(answers: &[Answer]) -> (usize, usize) {
    let sure: Vec<_> = answers.iter().filter(|answer| answer.is_sure()).collect();
    (sure.len(), sure.iter().filter(|answer| answer.has_right_cause()).count())
}

fn print_halves(out: &mut String, answers: &[Answer]) {
    out.push_str(
        "\n| half | programs | dumps | hold the evidence, no twin | top cause right | section exact | verdict at 0.9 or more |\n|---|---|---|---|---|---|---|\n",
    );
    let lines = REACHED.iter().rev().flat_map(|(batches, ..)| {
        ["seen", "unseen"].map(|name| (Half::without(batches, name, answers), batches))
    });
    for (half, batches) in lines {
        let left_out: Vec<String> = batches.iter().map(|batch| format!("`{batch}*`")).collect();
        let note = match left_out.as_slice() {
            [] => String::new(),
            left_out => format!(", without {}", left_out.join(" and ")),
        };
        writeln!(
            out,
            "| {}{note} | {} | {} | {} | {:.1} % | {:.1} % | {:.1} % |",
            half.name,
            half.programs,
            half.all,
            half.decidable.len(),
            half.right_causes(),
            half.right_sections(),
            half.sure()
        )
        .unwrap();
    }
    let (causes, sections, sure) = BARS;
    writeln!(out, "| bar | | | | {causes:.0} % | {sections:.0} % | {sure:.0} % |").unwrap();
}

/// Every answer that is not known to be wrong is right.
fn assert_no_new_miss(answers: &[Answer]) {
    let wrong = || answers.iter().filter(|answer| !answer.missed.is_empty());
    let new: Vec<_> = wrong()
        .filter(|answer| known::reason(answer).is_none())
        .map(|answer| format!("{}: {}", answer.label.name(), answer.missed.join("; ")))
        .collect();
    assert!(new.is_empty(), "{} wrong:\n{}", new.len(), new.join("\n"));
    let names: Vec<String> = wrong().map(|answer| answer.label.name()).collect();
    let listed = known::NAMED.iter().flat_map(|(_, names)| names.iter());
    let right_now: Vec<_> =
        listed.filter(|known| !names.contains(&format!("{known}.dmp.zst"))).collect();
    assert!(right_now.is_empty(), "right now, take off the list: {right_now:?}");
    let not_seen = wrong().filter(|answer| known::is_not_seen(answer)).count();
    assert_eq!(not_seen, known::NOT_SEEN, "lock failures not seen");
    let sure_and_wrong: Vec<_> = wrong()
        .filter(|answer| answer.is_sure() && !answer.label.flag("evidence"))
        .map(|answer| answer.label.name())
        .collect();
    assert_eq!(
        sure_and_wrong,
        known::SURE_WITHOUT_EVIDENCE,
        "sure, wrong and without the evidence"
    );
}

#[test]
fn table() {
    let answers: Vec<Answer> = labels().into_iter().map(Answer::of).collect();
    let halves = ["seen", "unseen"].map(|name| Half::without(&[], name, &answers));
    let mut page = String::new();
    print_halves(&mut page, &answers);
    let (sure, right) = sure_verdicts(&answers);
    writeln!(page, "\nVerdicts at 0.9 or more, over all dumps: {sure}, of which {right} right.")
        .unwrap();
    tables::print_all(&mut page, &answers);
    tables::print_misses(&mut page, &answers);
    println!("{page}");
    let (_, sections, sure_share) = BARS;
    for (batches, of_seen, of_unseen) in REACHED {
        for (half, causes) in [("seen", of_seen), ("unseen", of_unseen)] {
            Half::without(batches, half, &answers).assert_at_least((causes, sections, sure_share));
        }
    }
    assert!(share(right, sure) >= 98.0, "{right} of {sure} sure verdicts are right");
    assert_no_new_miss(&answers);
    tables::check_page("table", &page);
    assert_readme(answers.len(), right, sure, &halves);
}

/// The README says what the tables say.
fn assert_readme(dumps: usize, right: usize, sure: usize, [seen, unseen]: &[Half<'_>; 2]) {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let words = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    let thousands = format!("{},{:03}", dumps / 1000, dumps % 1000);
    for claim in [
        format!(
            "On the {thousands} labelled dumps of this repository {right} of the {sure} verdicts"
        ),
        format!("right in {:.1} % of the crashes that csdump was made with", seen.right_causes()),
        format!("in {:.1} % of those that nobody had looked at", unseen.right_causes()),
    ] {
        assert!(words.contains(&claim), "not in README.md: {claim}");
    }
}

/// The corpus is as large and as mixed as docs/accuracy.md says.
#[test]
fn the_corpus_is_large_and_mixed() {
    let labels = labels();
    let distinct = |of: &dyn Fn(&Label) -> String| {
        labels.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert!(labels.len() >= 300);
    assert!(distinct(&|label| label.text("program").to_owned()) >= 60);
    assert!(labels.iter().filter(|label| !label.text("twin").is_empty()).count() >= 10);
    let of_split = |split: &str| {
        let programs: std::collections::BTreeSet<_> = labels
            .iter()
            .filter(|label| label.split() == split)
            .map(|label| label.text("program").to_owned())
            .collect();
        programs
    };
    let (seen, unseen) = (of_split("seen"), of_split("unseen"));
    assert!(seen.is_disjoint(&unseen), "a program is in one half");
    assert!(unseen.len() >= seen.len(), "half of the programs were never looked at");
}
