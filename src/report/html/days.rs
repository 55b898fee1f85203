//! Failures over time, as columns of equal numbers of days.

use super::bars::scaled;
use crate::report::escape;
use crate::report::model::Count;
use crate::report::time;

/// Most columns; a longer time gets columns of several days.
const MAX_COLUMNS: u32 = 90;
/// Fewest days: a few alone would be blocks.
const MIN_DAYS: u32 = 28;
/// Height of the highest column.
pub(super) const HEIGHT: u64 = 100;
/// Width of a column with the space around it.
const STEP: u32 = 10;

/// The chart over time.
pub(super) struct Days {
    pub(super) columns: Vec<Column>,
    pub(super) width: u32,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) description: String,
}

/// One column.
pub(super) struct Column {
    pub(super) x: u32,
    pub(super) y: u64,
    pub(super) height: u64,
    pub(super) label: String,
}

impl Days {
    /// The chart of `days`, whose names are dates; `None` when there is none. What is no date is left out.
    pub(super) fn of(days: &[Count]) -> Option<Self> {
        let dated =
            || days.iter().filter_map(|day| Some((time::day_number(&day.name)?, day.count)));
        let first = dated().map(|(day, _)| day).min()?;
        let last = dated().map(|(day, _)| day).max()?;
        let first = first.min(last.saturating_sub(MIN_DAYS.saturating_sub(1)));
        let span = last.saturating_sub(first).saturating_add(1);
        let each = span.div_ceil(MAX_COLUMNS).max(1);
        let mut counts = vec![0u64; usize::try_from(span.div_ceil(each)).ok()?];
        for (day, count) in dated() {
            let column = day.saturating_sub(first).checked_div(each)?;
            if let Some(sum) = counts.get_mut(usize::try_from(column).ok()?) {
                *sum = sum.saturating_add(count);
            }
        }
        let highest = counts.iter().copied().max().unwrap_or(0);
        let columns = (0..).zip(&counts).filter(|(_, count)| **count > 0);
        let columns = columns.map(|(index, count)| column(index, *count, highest, first, each));
        let (first, last) = (date(first), date(last));
        let unit = if each == 1 { "day".to_owned() } else { format!("{each} days") };
        Some(Self {
            columns: columns.collect(),
            width: u32::try_from(counts.len()).ok()?.saturating_mul(STEP),
            description: format!(
                "One column per {unit}, {first} to {last}; the highest has {highest}."
            ),
            first,
            last,
        })
    }
}

fn column(index: u32, count: u64, highest: u64, first: u32, each: u32) -> Column {
    let height = scaled(count, highest, HEIGHT).max(2);
    let from = first.saturating_add(index.saturating_mul(each));
    let to = from.saturating_add(each.saturating_sub(1));
    let days = if each == 1 { date(from) } else { format!("{} to {}", date(from), date(to)) };
    Column {
        x: index.saturating_mul(STEP).saturating_add(1),
        y: HEIGHT.saturating_sub(height),
        height,
        label: format!("{days}: {count}"),
    }
}

/// `2026-11-24` of a day's number.
fn date(day: u32) -> String {
    let time = time::rfc3339(day.saturating_mul(86_400));
    escape::one_line(time.get(..10).unwrap_or(&time), 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(days: &[(&str, u64)]) -> Option<Days> {
        let count = |(name, count): &(&str, u64)| Count { name: (*name).into(), count: *count };
        Days::of(&days.iter().map(count).collect::<Vec<_>>())
    }

    #[test]
    fn days_without_failures_keep_their_place() {
        let days = of(&[("2026-11-01", 3), ("2026-11-04", 6), ("no date", 9)]).unwrap();
        let columns: Vec<_> =
            days.columns.iter().map(|c| (c.x, c.height, c.label.as_str())).collect();
        assert_eq!(columns, [(241, 50, "2026-11-01: 3"), (271, 100, "2026-11-04: 6")]);
        assert_eq!((days.width, days.first.as_str()), (280, "2026-10-08"));
    }

    #[test]
    fn a_long_time_is_shown_in_few_columns() {
        let days = of(&[("1970-01-01", 1), ("2026-11-24", 1), ("2106-02-07", 1)]).unwrap();
        assert!(days.width <= MAX_COLUMNS * STEP, "{}", days.width);
        assert_eq!(days.columns.len(), 3);
        assert!(days.columns[0].label.starts_with("1970-01-01 to "), "{}", days.columns[0].label);
        assert!(of(&[("no date", 9)]).is_none());
    }
}
