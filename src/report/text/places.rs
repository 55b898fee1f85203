//! Places of code, `module!function+offset`, in a column that has no room for them.

use crate::report::escape::ELLIPSIS;

/// Least room for places, in characters: that of an offset, and some of the name before it.
const MIN_ROOM: usize = 16;

/// Shortens what stands in the column `places`, so that all columns fit `width`.
pub(super) fn fit(rows: &mut [Vec<String>], places: usize, width: usize, padding: usize) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|cells| cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let others = (0..columns).filter(|column| *column != places).map(widest);
    let taken = others.fold(columns.saturating_mul(padding), usize::saturating_add);
    let room = width.saturating_sub(taken).max(MIN_ROOM);
    for cells in rows {
        if let Some(place) = cells.get_mut(places) {
            *place = shortened(place, room);
        }
    }
}

/// A place in so many characters. What is left out stands before its offset.
fn shortened(place: &str, room: usize) -> String {
    let len = place.chars().count();
    if len <= room {
        return place.to_owned();
    }
    let offset = place.rfind('+').and_then(|at| place.get(at..)).unwrap_or_default();
    let head = room.saturating_sub(offset.chars().count()).saturating_sub(1);
    let head: String = place.chars().take(head).collect();
    format!("{}{ELLIPSIS}{offset}", head.trim_end_matches(ELLIPSIS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_stays() {
        let place = "ntdll.dll!RtlLeaveCriticalSection+0x12c";
        assert_eq!(shortened(place, 39), place);
        assert_eq!(shortened(place, 38), "ntdll.dll!RtlLeaveCriticalSecti…+0x12c");
        assert_eq!(shortened(place, 20), "ntdll.dll!Rtl…+0x12c");
        assert_eq!(shortened("a.dll!operator++0x1f (3 times)", 26), "a.dll!oper…+0x1f (3 times)");
        assert_eq!(shortened("a_very_long_name.dll", 10), "a_very_lo…");
        assert_eq!(shortened("a.dll!cut already…+0x1", 21), "a.dll!cut alread…+0x1");
    }

    #[test]
    fn all_columns_fit_the_width() {
        let row = |place: &str| vec!["0".to_owned(), place.to_owned(), "0x1000".to_owned()];
        let mut rows = [row(&"long".repeat(20)), row("a.dll+0x1")];
        fit(&mut rows, 1, 60, 2);
        let lens = rows.map(|cells| cells[1].chars().count());
        assert_eq!(lens, [60 - 3 * 2 - 1 - 6, 9]);
    }
}
