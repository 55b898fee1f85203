//! Times as text.

use std::time::Duration;

/// A Unix time in seconds as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(seconds: u32) -> String {
    let days = i64::from(seconds / 86_400);
    let rest = seconds % 86_400;
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// A time since 1970 as RFC 3339 in UTC with nanoseconds; times beyond 32-bit seconds become the last one.
#[must_use]
pub fn rfc3339_nanos(since_1970: Duration) -> String {
    let seconds = u32::try_from(since_1970.as_secs()).unwrap_or(u32::MAX);
    let whole = rfc3339(seconds);
    format!("{}.{:09}Z", whole.trim_end_matches('Z'), since_1970.subsec_nanos())
}

/// The date of a day counted from 1970-01-01 (the days-from-civil algorithm of the proleptic Gregorian
/// calendar, run backwards). 32-bit seconds keep every intermediate small.
#[allow(clippy::arithmetic_side_effects)]
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Number of the day since 1970-01-01 of a date as `2026-11-24`; `None` for what is no date, and beyond what
/// 32-bit seconds reach.
#[must_use]
pub fn day_number(date: &str) -> Option<u32> {
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<u32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=2106).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Near enough below the day, then on to it: no second calendar to keep right.
    let below = year.checked_sub(1970)?.checked_mul(365)?;
    let below = below.checked_add(month.checked_sub(1)?.checked_mul(28)?)?;
    (below..below.saturating_add(128)).find(|number| {
        let time = number.checked_mul(86_400).map(rfc3339);
        time.is_some_and(|time| time.get(..10) == Some(date))
    })
}

#[cfg(test)]
mod tests {
    use super::{day_number, rfc3339, rfc3339_nanos};
    use std::time::Duration;

    #[test]
    fn every_day_has_its_number() {
        for number in 0..=u32::MAX / 86_400 {
            assert_eq!(day_number(&rfc3339(number * 86_400)[..10]), Some(number));
        }
        for bad in ["", "2026", "2026-02-30", "2026-13-01", "1969-12-31", "2106-02-08", "x-1-1"] {
            assert_eq!(day_number(bad), None, "{bad}");
        }
    }

    #[test]
    fn known_times() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_165_842_000), "2006-12-11T13:00:00Z");
        assert_eq!(rfc3339(u32::MAX), "2106-02-07T06:28:15Z");
        let fraction = Duration::new(1_165_842_000, 5_000);
        assert_eq!(rfc3339_nanos(fraction), "2006-12-11T13:00:00.000005000Z");
    }
}
