//! Counts as bars.

use crate::report::escape;
use crate::report::model::Count;

/// Bars of one chart; the JSON summary has all.
const MAX_BARS: usize = 10;

/// A chart with one horizontal bar per name.
pub(super) struct Chart {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) bars: Vec<Bar>,
    pub(super) more: usize,
}

/// One bar.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) count: u64,
    pub(super) share: String,
    /// Length, 1 to 1000: the longest of the chart has 1000.
    pub(super) width: u64,
}

impl Chart {
    /// The most frequent of `counts`, which has `of` failures in all.
    pub(super) fn of(id: &'static str, title: &'static str, counts: &[Count], of: u64) -> Self {
        let longest = counts.iter().map(|count| count.count).max().unwrap_or(0).max(1);
        let bar = |count: &Count| Bar {
            name: escape::name(&count.name),
            count: count.count,
            share: share(count.count, of),
            width: scaled(count.count, longest, 1000),
        };
        Self {
            id,
            title,
            bars: counts.iter().take(MAX_BARS).map(bar).collect(),
            more: counts.len().saturating_sub(MAX_BARS),
        }
    }
}

/// `count` on a scale on which `longest` is `length`; at least 1, so that it shows.
pub(super) fn scaled(count: u64, longest: u64, length: u64) -> u64 {
    let scaled = u128::from(count).saturating_mul(length.into()).checked_div(longest.into());
    u64::try_from(scaled.unwrap_or(0)).unwrap_or(length).clamp(1, length)
}

/// A part of all for eyes; what is not all is never 100 %.
fn share(count: u64, of: u64) -> String {
    let percent = u128::from(count).saturating_mul(100).checked_div(of.into()).unwrap_or(0);
    if percent == 0 && count > 0 { "<1 %".into() } else { format!("{percent} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_longer_than_its_chart_nor_invisible() {
        for count in [0, 1, 5, u64::MAX] {
            assert!((1..=1000).contains(&scaled(count, 5, 1000)));
        }
        assert_eq!(scaled(2, 4, 1000), 500);
    }

    #[test]
    fn shares_round_down() {
        assert_eq!(share(999, 1000), "99 %");
        assert_eq!(share(1, 1000), "<1 %");
        assert_eq!(share(5, 5), "100 %");
        assert_eq!(share(1, 0), "<1 %");
    }
}
