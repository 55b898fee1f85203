//! What of the memory that began as zeros has been written to.

use super::value::{Spot, Symbol};
use std::collections::BTreeMap;

/// Most separate ranges that are kept.
const MAX_RANGES: usize = 512;

/// The parts of memory that have been written to, by their first bytes, each with the end. They neither meet nor overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Written {
    ranges: BTreeMap<Spot, i64>,
    is_all: bool,
}

impl Written {
    /// Anything may have been written to.
    pub(super) fn all(&mut self) {
        self.ranges.clear();
        self.is_all = true;
    }

    pub(super) fn is_all(&self) -> bool {
        self.is_all
    }

    /// Notes so many bytes from a place on.
    pub(super) fn mark(&mut self, (base, start): Spot, size: u64) {
        if self.is_all {
            return;
        }
        let (mut first, mut end) = (start, start.saturating_add_unsigned(size));
        // Those that it meets or overlaps become one with it.
        while let Some((at, theirs)) = self.last_before(base, end.saturating_add(1))
            && theirs >= first
        {
            self.ranges.remove(&(base, at));
            (first, end) = (first.min(at), end.max(theirs));
        }
        self.ranges.insert((base, first), end);
        if self.ranges.len() > MAX_RANGES {
            self.all();
        }
    }

    /// The last range that begins before an offset, with its end.
    fn last_before(&self, base: Option<Symbol>, end: i64) -> Option<(i64, i64)> {
        let mut before = self.ranges.range((base, i64::MIN)..(base, end));
        before.next_back().map(|((_, at), end)| (*at, *end))
    }

    /// Whether all of so many bytes are noted.
    pub(super) fn covers(&self, (base, start): Spot, size: u64) -> bool {
        let end = start.saturating_add_unsigned(size);
        let last = self.last_before(base, start.saturating_add(1));
        self.is_all || last.is_some_and(|(_, theirs)| theirs >= end)
    }

    /// Whether any of so many bytes may have been written to.
    pub(super) fn touches(&self, (base, start): Spot, size: u64) -> bool {
        let last = self.last_before(base, start.saturating_add_unsigned(size));
        self.is_all || last.is_some_and(|(_, theirs)| theirs > start)
    }

    /// Takes in what another way has written to.
    pub(super) fn join(&mut self, other: &Self) {
        if other.is_all {
            self.all();
        }
        for ((base, start), end) in &other.ranges {
            let size = end.saturating_sub(*start).cast_unsigned();
            self.mark((*base, *start), size);
        }
    }
}
