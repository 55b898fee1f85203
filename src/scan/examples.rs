//! The full reports on the examples of groups, for renderings that show them.

use std::collections::BTreeMap;

use super::digest::signature_of;
use crate::report::model::{GroupInfo, Line, Report};

/// Most reports kept: the groups seen first have one. Memory must not grow with the number of dumps.
pub const MAX_EXAMPLES: usize = 500;

/// One report per group.
#[derive(Debug, Default)]
pub struct Examples(BTreeMap<(String, u32), Box<Report>>);

impl Examples {
    /// Keeps the report of `line`, which is the example of its group from now on.
    pub fn keep(&mut self, line: &Line) {
        let Line::Report(report) = line else { return };
        let key = signature_of(report);
        if self.0.len() < MAX_EXAMPLES || self.0.contains_key(&key) {
            self.0.insert(key, report.clone());
        }
    }

    /// The report on the example of `group`; `None` for a group beyond [`MAX_EXAMPLES`].
    #[must_use]
    pub fn of(&self, group: &GroupInfo) -> Option<&Report> {
        self.0.get(&(group.signature.clone(), group.signature_version)).map(Box::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::scan::summary::Summarizer;

    fn line(group: usize, path: &str) -> Line {
        let mut report = fixture::diagnosed();
        report.dump.path = path.into();
        if let Some(signature) = report.signature.as_mut() {
            signature.cause = format!("bug {group}");
        }
        Line::Report(Box::new(report))
    }

    #[test]
    fn every_group_has_the_report_on_its_example_up_to_the_limit() {
        let (mut sum, mut examples) = (Summarizer::default(), Examples::default());
        let lines = (0..MAX_EXAMPLES + 1).flat_map(|n| [line(n, "2.dmp"), line(n, "1.dmp")]);
        for line in lines {
            if sum.add(&line) {
                examples.keep(&line);
            }
        }
        let summary = sum.finish(false);
        let (with, without): (Vec<_>, Vec<_>) =
            summary.groups.iter().partition(|group| examples.of(group).is_some());
        assert_eq!((with.len(), without.len()), (MAX_EXAMPLES, 1));
        assert!(with.iter().all(|group| {
            examples.of(group).is_some_and(|report| report.dump.path == group.example)
        }));
    }
}
