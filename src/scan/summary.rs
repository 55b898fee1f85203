//! All lines of a scan added up. The sum does not depend on their order, and its memory not on their number.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::digest::{Digest, Failure};
use crate::report::model::{Count, GroupInfo, Line, SCHEMA_VERSION, Summary};
use crate::report::{build, signature};

/// Most groups kept.
const MAX_GROUPS: usize = 10_000;
/// Most different names counted of one kind; what is beyond is counted as `others`.
const MAX_NAMES: usize = 1_000;
/// Most stack signatures kept of a group.
const MAX_STACKS: usize = 16;
/// What is counted together beyond the limits.
const OTHERS: &str = "others";

/// Adds lines up.
#[derive(Debug, Default)]
pub struct Summarizer {
    dumps: u64,
    diagnosed: u64,
    inconclusive: u64,
    not_applicable: u64,
    errors: u64,
    other_files: u64,
    span: Span,
    causes: Counter,
    mechanisms: Counter,
    programs: Counter,
    modules: Counter,
    systems: Counter,
    days: Counter,
    groups: BTreeMap<Key, Group>,
    ungrouped: u64,
}

/// First and last time.
#[derive(Debug, Clone, Default)]
struct Span {
    first: Option<String>,
    last: Option<String>,
}

impl Span {
    fn add(&mut self, time: &str) {
        if self.first.as_deref().is_none_or(|first| time < first) {
            self.first = Some(time.to_owned());
        }
        if self.last.as_deref().is_none_or(|last| time > last) {
            self.last = Some(time.to_owned());
        }
    }
}

/// Counts names.
#[derive(Debug, Clone, Default)]
struct Counter(BTreeMap<String, u64>);

impl Counter {
    fn add(&mut self, name: &str, limit: usize) {
        let known = self.0.contains_key(name) || self.0.len() < limit;
        let name = if known { name } else { OTHERS };
        let count = self.0.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    fn absorb(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
    }

    /// In the order of the names.
    fn by_name(&self) -> Vec<Count> {
        self.0.iter().map(|(name, count)| Count { name: name.clone(), count: *count }).collect()
    }

    /// Most frequent first.
    fn by_count(&self) -> Vec<Count> {
        let mut counts = self.by_name();
        counts.sort_by_key(|count| Reverse(count.count));
        counts
    }
}

/// `signature.cause` and the version of its recipe.
type Key = (String, u32);

#[derive(Debug, Clone)]
struct Group {
    count: u64,
    joined: u64,
    diagnosed: u64,
    causes: Counter,
    programs: Counter,
    stacks: Counter,
    span: Span,
    example: Failure,
}

impl Summarizer {
    /// Adds a line; says whether its dump is now the example of its group.
    pub fn add(&mut self, line: &Line) -> bool {
        let Some(digest) = Digest::of(line) else { return false };
        let count = |of: &mut u64| *of = of.saturating_add(1);
        match digest {
            Digest::Error => count(&mut self.errors),
            Digest::NotApplicable => {
                count(&mut self.dumps);
                count(&mut self.not_applicable);
            }
            Digest::Failure(failure) => {
                count(&mut self.dumps);
                count(if failure.decided { &mut self.diagnosed } else { &mut self.inconclusive });
                return self.add_failure(*failure);
            }
        }
        false
    }

    /// Counts a file that is neither dump nor archive.
    pub fn add_other_file(&mut self) {
        self.other_files = self.other_files.saturating_add(1);
    }

    fn add_failure(&mut self, failure: Failure) -> bool {
        if let Some(time) = &failure.time {
            self.span.add(time);
            // RFC 3339 begins with the day.
            self.days.add(time.get(..10).unwrap_or(time), MAX_NAMES.saturating_mul(10));
        }
        self.causes.add(&failure.cause, MAX_NAMES);
        self.mechanisms.add(&failure.mechanism, MAX_NAMES);
        self.programs.add(&failure.program, MAX_NAMES);
        self.modules.add(&failure.module, MAX_NAMES);
        self.systems.add(&failure.system, MAX_NAMES);
        let room = self.groups.len() < MAX_GROUPS;
        match self.groups.get_mut(&failure.signature) {
            Some(group) => group.add(failure),
            None if room => {
                let key = failure.signature.clone();
                let mut group = Group::of(failure.clone());
                group.add(failure);
                self.groups.insert(key, group);
                true
            }
            None => {
                self.ungrouped = self.ungrouped.saturating_add(1);
                false
            }
        }
    }

    /// Critical-section failures so far.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.diagnosed.saturating_add(self.inconclusive)
    }

    /// Errors so far.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// The sum.
    #[must_use]
    pub fn finish(&self, interrupted: bool) -> Summary {
        let mut groups = self.joined_groups();
        groups.sort_by_key(|group| Reverse(group.count));
        Summary {
            schema_version: SCHEMA_VERSION,
            tool: build::tool(),
            dumps: self.dumps,
            failures: self.failures(),
            diagnosed: self.diagnosed,
            inconclusive: self.inconclusive,
            not_applicable: self.not_applicable,
            errors: self.errors,
            other_files: self.other_files,
            interrupted,
            first_seen: self.span.first.clone(),
            last_seen: self.span.last.clone(),
            causes: self.causes.by_count(),
            mechanisms: self.mechanisms.by_count(),
            programs: self.programs.by_count(),
            modules: self.modules.by_count(),
            systems: self.systems.by_count(),
            days: self.days.by_name(),
            groups,
            ungrouped: self.ungrouped,
        }
    }
}

impl Summarizer {
    /// The groups, small dumps of a bug with its richer ones.
    fn joined_groups(&self) -> Vec<GroupInfo> {
        let mut joined: BTreeMap<&Key, Group> = BTreeMap::new();
        let homes: BTreeMap<&Key, &Key> =
            self.groups.keys().filter_map(|key| Some((key, self.home_of(key)?))).collect();
        for (key, group) in self.groups.iter().filter(|(key, _)| !homes.contains_key(key)) {
            joined.insert(key, group.clone());
        }
        for (key, home) in &homes {
            if let (Some(group), Some(into)) = (self.groups.get(*key), joined.get_mut(*home)) {
                into.absorb(group);
            }
        }
        joined.into_iter().map(group_info).collect()
    }

    /// The one fuller group that a partial one can belong to: of the same recipe and the same programs.
    fn home_of(&self, key: &Key) -> Option<&Key> {
        let (signature, version) = key;
        if !signature::is_partial(signature) {
            return None;
        }
        let programs = &self.groups.get(key)?.programs;
        let fuller: Vec<&Key> = self
            .groups
            .iter()
            .filter(|((other, other_version), group)| {
                other_version == version
                    && signature::may_be(signature, other)
                    && group.programs.0.keys().eq(programs.0.keys())
            })
            .map(|(key, _)| key)
            .collect();
        // Those that no other of them tells more than.
        let mut fullest = fuller
            .iter()
            .filter(|one| !fuller.iter().any(|other| signature::may_be(&one.0, &other.0)));
        match (fullest.next(), fullest.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        }
    }
}

impl Group {
    /// Takes another group in; the dump to read first stays one that holds more.
    fn absorb(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.joined = self.joined.saturating_add(other.count);
        self.diagnosed = self.diagnosed.saturating_add(other.diagnosed);
        self.causes.absorb(&other.causes);
        self.programs.absorb(&other.programs);
        self.stacks.absorb(&other.stacks);
        [&other.span.first, &other.span.last]
            .into_iter()
            .flatten()
            .for_each(|time| self.span.add(time));
    }

    fn of(example: Failure) -> Self {
        Self {
            count: 0,
            joined: 0,
            diagnosed: 0,
            causes: Counter::default(),
            programs: Counter::default(),
            stacks: Counter::default(),
            span: Span::default(),
            example,
        }
    }

    fn add(&mut self, failure: Failure) -> bool {
        self.count = self.count.saturating_add(1);
        self.diagnosed = self.diagnosed.saturating_add(u64::from(failure.decided));
        self.causes.add(&failure.cause, MAX_NAMES);
        self.programs.add(&failure.program, MAX_NAMES);
        self.stacks.add(&failure.stack, MAX_STACKS);
        if let Some(time) = &failure.time {
            self.span.add(time);
        }
        let is_better = is_better(&failure, &self.example);
        if is_better {
            self.example = failure;
        }
        is_better
    }
}

/// Whether one dump is worth reading before another: decided, surer, then the first by name.
fn is_better(one: &Failure, other: &Failure) -> bool {
    let rank = |failure: &Failure| (failure.decided, failure.probability);
    let ((decided, probability), (other_decided, other_probability)) = (rank(one), rank(other));
    decided
        .cmp(&other_decided)
        .then(probability.total_cmp(&other_probability))
        .then(other.place.cmp(&one.place))
        .is_gt()
}

fn group_info(((signature, version), group): (&Key, Group)) -> GroupInfo {
    GroupInfo {
        signature: signature.clone(),
        signature_version: *version,
        count: group.count,
        joined: group.joined,
        diagnosed: group.diagnosed,
        causes: group.causes.by_count(),
        first_seen: group.span.first.clone(),
        last_seen: group.span.last.clone(),
        programs: group.programs.by_count(),
        stacks: group.stacks.by_count(),
        example: group.example.place.clone(),
        statement: group.example.statement.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::report::model::Report;
    use proptest::prelude::*;

    fn line(path: usize, change: impl Fn(&mut Report)) -> Line {
        let mut report = fixture::diagnosed();
        report.dump.path = format!("{path}.dmp");
        change(&mut report);
        Line::Report(Box::new(report))
    }

    #[test]
    fn failures_group_by_their_signature_and_the_surest_is_the_example() {
        let mut sum = Summarizer::default();
        let probability = |report: &mut Report, value| {
            if let Some(cause) = report.verdict.as_mut().and_then(|v| v.causes.first_mut()) {
                cause.probability = value;
            }
        };
        assert!(sum.add(&line(1, |report| probability(report, 0.8))));
        assert!(sum.add(&line(3, |report| probability(report, 0.95))));
        assert!(!sum.add(&line(4, |report| probability(report, 0.95))));
        assert!(sum.add(&line(2, |report| probability(report, 0.95))));
        let other = |report: &mut Report| {
            if let Some(signature) = report.signature.as_mut() {
                signature.cause.push_str("+1");
            }
        };
        sum.add(&line(5, other));
        sum.add_other_file();
        let summary = sum.finish(false);
        assert_eq!((summary.dumps, summary.failures, summary.other_files), (5, 5, 1));
        let groups: Vec<_> =
            summary.groups.iter().map(|group| (group.count, group.example.as_str())).collect();
        assert_eq!(groups, [(4, "2.dmp"), (1, "5.dmp")]);
    }

    #[test]
    fn a_pair_of_causes_is_one_entry_whichever_comes_first() {
        let mut sum = Summarizer::default();
        for (path, named) in
            [["zeroed", "not-initialized"], ["not-initialized", "zeroed"]].iter().enumerate()
        {
            sum.add(&line(path, |report| {
                if let Some(verdict) = report.verdict.as_mut() {
                    verdict.named = named.map(str::to_owned).to_vec();
                }
            }));
        }
        let summary = sum.finish(false);
        let pair = [Count { name: "not-initialized or zeroed".into(), count: 2 }];
        assert_eq!(summary.causes, pair);
        assert_eq!(summary.groups[0].causes, pair);
    }

    #[test]
    fn a_small_dump_joins_its_bug_and_leaves_the_example() {
        let mut sum = Summarizer::default();
        let signed = |signature: &'static str| {
            move |report: &mut Report| {
                if let Some(own) = report.signature.as_mut() {
                    own.cause = signature.into();
                }
            }
        };
        sum.add(&line(1, signed("leave | handle-slot-empty | unknown section | a.exe+0x1")));
        sum.add(&line(2, signed("leave | handle-slot-empty | a.exe+0x8 | a.exe+0x1")));
        sum.add(&line(3, signed("leave | handle-slot-empty | unknown section | a.exe+0x2")));
        let summary = sum.finish(false);
        let groups: Vec<_> = summary
            .groups
            .iter()
            .map(|group| (group.count, group.joined, group.example.as_str()))
            .collect();
        assert_eq!(groups, [(2, 1, "2.dmp"), (1, 0, "3.dmp")]);
    }

    proptest! {
        /// The sum is that of the set, however the lines came in.
        #[test]
        fn the_order_does_not_matter(order in Just((0..40).collect::<Vec<usize>>()).prop_shuffle()) {
            let lines: Vec<Line> = (0..40)
                .map(|n| line(n, |report| {
                    report.dump.time = Some(format!("2026-11-{:02}T00:00:00Z", n % 28 + 1));
                    if let Some(signature) = report.signature.as_mut() {
                        signature.cause = format!("bug {}", n % 7);
                    }
                }))
                .collect();
            let sum = |order: &mut dyn Iterator<Item = usize>| {
                let mut sum = Summarizer::default();
                for n in order {
                    sum.add(&lines[n]);
                }
                sum.finish(false)
            };
            prop_assert_eq!(sum(&mut order.into_iter()), sum(&mut (0..40)));
        }
    }
}
