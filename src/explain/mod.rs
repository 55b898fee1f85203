//! What each id of a report means: one short page for every cause, finding and mechanism. Data only; the
//! pages are laid out by [`crate::report`].
//!
//! One file per family, one block per id. What stands in capitals in a command is one of [`PLACEHOLDERS`].
//!
//! Facts about Windows are those of critical-sections.md, which says for each where it is from; the commands are
//! those of the public pages of WinDbg (`!cs`, `!locks`, `!handle`, `!htrace`, `!avrf`, `!heap`, `!address`), `GFlags`
//! and Application Verifier (stop codes: critical-sections.md 7). What stands there as unverified is called so here.

mod causes;
mod contents;
mod environment;
mod evidence;
mod handle;
mod history;
mod integrity;
mod mechanisms;
mod memory;
mod patterns;
mod steps;
mod threads;
mod verifier;

use crate::diagnosis::advice::{self, CauseSteps};
use crate::diagnosis::cause::Cause;
use crate::diagnosis::mechanism::Mechanism;
use crate::diagnosis::weights::{self, Row};
use crate::findings::FindingId;

/// What an explanation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Why a call failed: `verdict.causes[].id`.
    Cause(Cause),
    /// A fact: `findings[].id`.
    Finding(FindingId),
    /// What happened: `crash.mechanism`.
    Mechanism(Mechanism),
}

impl Subject {
    /// The id as it stands in reports. A mechanism may share it with a finding or a cause.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Cause(cause) => cause.as_str(),
            Self::Finding(finding) => finding.as_str(),
            Self::Mechanism(mechanism) => mechanism.as_str(),
        }
    }

    /// `cause`, `finding` or `mechanism`.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cause(_) => "cause",
            Self::Finding(_) => "finding",
            Self::Mechanism(_) => "mechanism",
        }
    }
}

/// A step of a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What to type, in WinDbg unless it says otherwise; `None` when there is nothing to type.
    pub command: Option<&'static str>,
    /// What it shows, or what to look at.
    pub shows: &'static str,
}

/// What stands in capitals in a command, and what to type for it.
pub const PLACEHOLDERS: &[(&str, &str)] = &[
    ("SECTION", "the address of the section"),
    ("HANDLE", "the value that was passed as handle, or LockSemaphore"),
    ("RECORD", "the value of DebugInfo, the section's first field"),
    ("CALLER", "the return address in the code that called the lock function"),
    ("OBJECT", "the address of the object that held the pointer"),
    ("SLOT", "the stack address that the finding names"),
    ("MODULE!TYPE", "the structure that the section is a member of"),
    ("PROGRAM", "the file name of the program"),
];

const fn run(command: &'static str, shows: &'static str) -> Step {
    Step { command: Some(command), shows }
}

const fn look(shows: &'static str) -> Step {
    Step { command: None, shows }
}

/// The page of one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What it is about.
    pub subject: Subject,
    /// A few words.
    pub title: &'static str,
    /// What it means.
    pub means: &'static str,
    /// How it comes about, likeliest first.
    pub arises: &'static [&'static str],
    /// How to confirm it.
    pub confirm: &'static [Step],
    /// What to do about it.
    pub fix: &'static [&'static str],
}

impl Explanation {
    /// The id as it stands in reports.
    #[must_use]
    pub fn id(&self) -> &'static str {
        self.subject.id()
    }

    /// The placeholders that its commands use.
    pub fn placeholders(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let commands = self.confirm.iter().filter_map(|step| step.command);
        let used = commands.collect::<Vec<_>>().join(" ");
        PLACEHOLDERS.iter().copied().filter(move |(name, _)| used.contains(name))
    }

    /// For a finding: its row in the table of weights.
    #[must_use]
    pub fn weights(&self) -> Option<&'static Row> {
        match self.subject {
            Subject::Finding(finding) => weights::row_of(finding),
            _ => None,
        }
    }

    /// For a cause: what a report gives under its next steps.
    #[must_use]
    pub fn steps(&self) -> Option<CauseSteps> {
        match self.subject {
            Subject::Cause(cause) => Some(advice::cause_steps(cause)),
            _ => None,
        }
    }
}

/// Explanations of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// What they have in common.
    pub title: &'static str,
    /// In the order of the pages.
    pub explanations: &'static [Explanation],
}

/// All families: causes first, then the findings by what they look at, then the mechanisms.
pub const FAMILIES: &[Family] = &[
    Family { title: "Causes", explanations: causes::ALL },
    Family { title: "Findings: the handle", explanations: handle::ALL },
    Family { title: "Findings: the handle's history", explanations: history::ALL },
    Family { title: "Findings: the section's own fields", explanations: integrity::ALL },
    Family { title: "Findings: patterns and neighbours", explanations: patterns::ALL },
    Family { title: "Findings: where the address points", explanations: memory::ALL },
    Family { title: "Findings: what else it may be", explanations: contents::ALL },
    Family { title: "Findings: lists, single fields and steps", explanations: steps::ALL },
    Family { title: "Findings: other threads", explanations: threads::ALL },
    Family { title: "Findings: the environment", explanations: environment::ALL },
    Family { title: "Findings: more of the evidence table", explanations: evidence::ALL },
    Family { title: "Findings: Application Verifier and fast fails", explanations: verifier::ALL },
    Family { title: "Mechanisms", explanations: mechanisms::ALL },
];

/// All explanations, family by family.
pub fn all() -> impl Iterator<Item = &'static Explanation> {
    FAMILIES.iter().flat_map(|family| family.explanations)
}

/// All explanations of an id: none when there is no such id, two when a mechanism shares it.
#[must_use]
pub fn of(id: &str) -> Vec<&'static Explanation> {
    all().filter(|explanation| explanation.id() == id).collect()
}

/// Most ids that [`nearest`] gives.
const MAX_NEAREST: usize = 5;

/// The least likeness, between 0 and 1, of what is worth suggesting.
const ALIKE: f64 = 0.8;

/// The ids that look like `typed`, most alike first.
#[must_use]
pub fn nearest(typed: &str) -> Vec<&'static str> {
    let typed: String = typed.chars().take(64).collect::<String>().to_lowercase().replace('_', "-");
    let likeness = |id: &str| {
        let contained = typed.len() >= 3 && id.contains(&typed);
        if contained { 1.0 } else { strsim::jaro_winkler(id, &typed) }
    };
    let mut found: Vec<_> = all()
        .map(|explanation| (likeness(explanation.id()), explanation.id()))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    found.dedup_by_key(|(_, id)| *id);
    found.into_iter().take(MAX_NEAREST).map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests;
