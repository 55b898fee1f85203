//! Whole folders of dumps: found, examined in parallel, one result per dump, and a summary.
//!
//! [`walk`] finds files, [`once`] knows those that were met before, [`worker`] turns one file into lines, [`run`] does that on all cores, [`store`] remembers what
//! an earlier scan did, [`summary`] adds it all up. What a result looks like is `report`'s matter.

pub mod collected;
pub mod digest;
pub mod examples;
pub mod once;
pub mod run;
pub mod store;
pub mod summary;
pub mod walk;
pub mod worker;

use crate::dump::Limits;
use std::time::Duration;

/// Most files examined at a time: more threads only wait for each other, and some thousands cannot be had.
pub const MAX_JOBS: usize = 256;

/// How to scan.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bounds on one file.
    pub limits: Limits,
    /// Longest time for one file; `None` is no limit.
    pub timeout: Option<Duration>,
    /// Files examined at a time, at most [`MAX_JOBS`]; 0 is one per core.
    pub jobs: usize,
    /// Hand results over in the order of the input, not as they finish.
    pub sort: bool,
    /// Add the SHA-256 of each dump.
    pub hash: bool,
}
