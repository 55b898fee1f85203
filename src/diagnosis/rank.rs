//! Ranking: priors, exclusions and weights to probabilities, with every contribution kept for the reader.

use super::cause::Cause;
use super::constraints::Exclusion;
use super::weights::{Group, group_of, row_of};
use crate::findings::{Finding, FindingId};
use std::collections::BTreeMap;

/// What one finding added to one cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Contribution {
    /// The finding.
    pub finding: FindingId,
    /// Log-likelihood ratio.
    pub llr: f64,
    /// Why.
    pub reason: &'static str,
}

/// A cause with its probability and what led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedCause {
    /// The cause.
    pub cause: Cause,
    /// Probability, 0 to 1.
    pub probability: f64,
    /// What counted, strongest first.
    pub contributions: Vec<Contribution>,
    /// Why the cause is impossible here.
    pub excluded: Option<&'static str>,
}

/// Ranks all causes, likeliest first. When exclusions leave none, nothing is known and all are equal.
#[must_use]
pub fn rank(
    findings: &[Finding],
    exclusions: &[Exclusion],
    prior: impl Fn(Cause) -> f64,
) -> Vec<RankedCause> {
    let mut ranked: Vec<RankedCause> = Cause::ALL
        .into_iter()
        .map(|cause| {
            let contributions = strongest_per_group(findings, cause);
            let excluded = exclusions.iter().find(|exclusion| exclusion.cause == cause);
            let score = prior(cause).ln() + contributions.iter().map(|part| part.llr).sum::<f64>();
            RankedCause {
                cause,
                probability: if excluded.is_some() { 0.0 } else { score.exp() },
                contributions,
                excluded: excluded.map(|exclusion| exclusion.reason),
            }
        })
        .collect();
    normalise(&mut ranked);
    ranked.sort_by(|left, right| right.probability.total_cmp(&left.probability));
    ranked
}

/// Findings of one group say the same thing in other words: per cause the strongest for and the strongest
/// against count, whatever the order they were found in.
fn strongest_per_group(findings: &[Finding], cause: Cause) -> Vec<Contribution> {
    let mut strongest: BTreeMap<(Group, bool), Contribution> = BTreeMap::new();
    for finding in findings {
        let Some(row) = row_of(finding.id) else { continue };
        let Some(group) = group_of(row, findings) else { continue };
        for weight in row.weights.iter().filter(|weight| weight.cause == cause && weight.llr != 0.0)
        {
            let part = Contribution { finding: finding.id, llr: weight.llr, reason: weight.reason };
            let key = (group, weight.llr > 0.0);
            match strongest.get(&key) {
                Some(held) if (held.llr.abs(), held.finding) >= (part.llr.abs(), part.finding) => {}
                _ => {
                    strongest.insert(key, part);
                }
            }
        }
    }
    let mut contributions: Vec<_> = strongest.into_values().collect();
    contributions.sort_by(|left, right| right.llr.abs().total_cmp(&left.llr.abs()));
    contributions
}

fn normalise(ranked: &mut [RankedCause]) {
    let sum: f64 = ranked.iter().map(|entry| entry.probability).sum();
    let count = ranked.len().max(1) as f64;
    for entry in ranked {
        entry.probability = if sum > 0.0 { entry.probability / sum } else { 1.0 / count };
    }
}

/// Flattens a ranking so that no cause reaches `ceiling`, keeping the order and the sum of 1: what an
/// undecided report may claim at most.
pub fn temper(ranked: &mut [RankedCause], ceiling: f64) {
    let top = ranked.iter().map(|entry| entry.probability).fold(0.0, f64::max);
    let possible = ranked.iter().filter(|entry| entry.excluded.is_none()).count();
    if top <= ceiling || possible < 2 {
        return;
    }
    let share = 1.0 / possible as f64;
    let blend = (ceiling - share) / (top - share);
    for entry in ranked.iter_mut().filter(|entry| entry.excluded.is_none()) {
        entry.probability = blend.mul_add(entry.probability, (1.0 - blend) * share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(id: FindingId) -> Finding {
        Finding::new(id, "", "")
    }

    fn flat(_: Cause) -> f64 {
        1.0
    }

    #[test]
    fn correlated_findings_count_once() {
        let one = rank(&[found(FindingId::DebugRecordForeign)], &[], flat);
        let two = rank(
            &[found(FindingId::DebugRecordForeign), found(FindingId::DebugRecordGone)],
            &[],
            flat,
        );
        let copied = |ranked: &[RankedCause]| {
            ranked
                .iter()
                .find(|entry| entry.cause == Cause::Copied)
                .map(|entry| entry.contributions.len())
        };
        assert_eq!(copied(&one), Some(1));
        assert_eq!(copied(&two), Some(1));
    }

    #[test]
    fn foreign_fields_count_once() {
        let parts = [FindingId::HandleImplausible, FindingId::SpinCountImplausible];
        let score = |ids: &[FindingId]| -> f64 {
            let findings: Vec<_> = ids.iter().copied().map(found).collect();
            strongest_per_group(&findings, Cause::NeverInitialized)
                .iter()
                .map(|part| part.llr)
                .sum()
        };
        let of_parts = score(&parts);
        let whole = score(&[FindingId::EveryFieldForeign]);
        assert!(of_parts > whole, "by themselves each counts");
        let all = [FindingId::EveryFieldForeign, parts[0], parts[1]];
        assert!((score(&all) - whole).abs() < 1e-9, "together they are one fact");
    }

    #[test]
    fn an_excluded_cause_has_no_probability_whatever_speaks_for_it() {
        let exclusion = Exclusion { cause: Cause::Deleted, reason: "impossible" };
        let ranked = rank(&[found(FindingId::SectionAllZero)], &[exclusion], flat);
        let deleted = ranked.iter().find(|entry| entry.cause == Cause::Deleted).unwrap();
        assert_eq!(deleted.probability, 0.0);
        assert_eq!(deleted.excluded, Some("impossible"));
    }

    #[test]
    fn tempering_keeps_the_order() {
        let mut ranked = rank(&[found(FindingId::SectionAllZero)], &[], flat);
        assert!(ranked[0].probability > 0.9);
        temper(&mut ranked, 0.85);
        assert!((ranked[0].probability - 0.85).abs() < 1e-9);
        assert!(ranked.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
    }

    proptest! {
        #[test]
        fn the_order_of_findings_does_not_matter(picks in prop::collection::vec(0..super::super::weights::rows().count(), 0..20)) {
            let mut findings: Vec<_> = picks.iter().map(|at| found(super::super::weights::rows().nth(*at).unwrap().finding)).collect();
            let one = rank(&findings, &[], flat);
            findings.reverse();
            let other = rank(&findings, &[], flat);
            for entry in &one {
                let twin = other.iter().find(|twin| twin.cause == entry.cause).unwrap();
                prop_assert!((entry.probability - twin.probability).abs() < 1e-12);
            }
        }

        #[test]
        fn probabilities_sum_to_one(picks in prop::collection::vec(0..super::super::weights::rows().count(), 0..20), ceiling in 0.5f64..1.0) {
            let findings: Vec<_> = picks.iter().map(|at| found(super::super::weights::rows().nth(*at).unwrap().finding)).collect();
            let mut ranked = rank(&findings, &[], flat);
            temper(&mut ranked, ceiling);
            let sum: f64 = ranked.iter().map(|entry| entry.probability).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9);
        }
    }
}
