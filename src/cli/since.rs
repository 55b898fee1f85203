//! Times, durations and sizes as people type them.

use std::time::{Duration, SystemTime};

/// A point in time: a date, an RFC 3339 time in UTC, or an age (`30m`, `36h`, `7d`, `2w`) counted back from now.
pub(super) fn parse(text: &str) -> Result<SystemTime, String> {
    let back = age(text).and_then(|age| SystemTime::now().checked_sub(age));
    back.or_else(|| date(text)).ok_or_else(|| {
        "expected a date (2026-11-24), a time in UTC (2026-11-24T09:30:00Z) or an age (36h, 7d)"
            .into()
    })
}

fn age(text: &str) -> Option<Duration> {
    let (number, seconds) = [('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

fn date(text: &str) -> Option<SystemTime> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range || !(1970..=9999).contains(&year) {
        return None;
    }
    let days: u64 = (1970..year)
        .map(|year| (1..=12).map(|month| days_of(year, month)).sum::<u64>())
        .chain((1..month).map(|month| days_of(year, month)))
        .sum::<u64>()
        .checked_add(day.checked_sub(1)?)?;
    let seconds = days
        .checked_mul(86_400)?
        .checked_add(hour.checked_mul(3600)?)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let parts: Option<Vec<u64>> = text.split(separator).map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

fn days_of(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A number of seconds, with fractions.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|seconds| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds greater than 0".into())
}

/// A number of bytes, with K, M, G or T for powers of 1024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let (number, shift) = [('K', 10), ('M', 20), ('G', 30), ('T', 40)]
        .into_iter()
        .find_map(|(unit, shift)| Some((upper.strip_suffix(unit)?, shift)))
        .unwrap_or((&upper, 0));
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "expected a number of bytes, as 4096, 64K or 2G".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> Option<u64> {
        let time = parse(text).ok()?;
        Some(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(unix("1970-01-02"), Some(86_400));
        assert_eq!(unix("2000-02-29"), Some(951_782_400));
        assert_eq!(unix("2006-12-11T13:00:00Z"), Some(1_165_842_000));
        for bad in ["2001-02-29", "2026-13-01", "24.11.2026", "2026-11-24T25:00:00Z", "yesterday"] {
            assert_eq!(unix(bad), None, "{bad}");
        }
    }

    #[test]
    fn ages_count_back() {
        let day_ago = SystemTime::now() - Duration::from_secs(86_400);
        let parsed = parse("24h").unwrap();
        assert!(parsed.duration_since(day_ago).unwrap() < Duration::from_secs(60));
        assert!(parse("h").is_err() && parse("99999999999999999w").is_err());
    }

    #[test]
    fn sizes_and_seconds() {
        assert_eq!(size("64K"), Ok(65_536));
        assert_eq!(size("2g"), Ok(2 << 30));
        assert!(size("-1").is_err() && size("x").is_err() && size("99999999999T").is_err());
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("0").is_err() && seconds("1e999").is_err());
    }
}
