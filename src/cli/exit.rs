//! Exit codes, as grep's (design.md 4.1).

use std::process::ExitCode;

use csdump::report::model::{Line, Outcome};

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: a critical-section failure was found, or the command did what it was asked.
    Success,
    /// 1: every dump was read well, and none is a critical-section failure.
    NoneFound,
    /// 2: an unreadable file, bad usage, or a failure to write.
    Error,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::NoneFound => 1,
            Exit::Error => 2,
        })
    }
}

/// What the dumps so far come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    found: bool,
    failed: bool,
    read: bool,
}

impl Tally {
    /// Counts the result of one dump.
    pub(super) fn count(&mut self, line: &Line) {
        match line {
            Line::Report(report) => {
                self.read = true;
                self.found |= report.outcome != Outcome::NotApplicable;
            }
            Line::Error(_) => self.failed = true,
            Line::Summary(_) => {}
        }
    }

    /// Whether there is a report on any dump.
    pub(super) fn is_any_read(&self) -> bool {
        self.read
    }

    /// Errors win over what was found.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self { failed: true, .. } => Exit::Error,
            Self { found: true, .. } => Exit::Success,
            Self { .. } => Exit::NoneFound,
        }
    }
}
