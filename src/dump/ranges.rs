//! Ranges of addresses that overlap, cut so that the first one given wins each address.

use std::collections::BTreeSet;

/// A piece of one of the given ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// First address.
    pub(crate) start: u64,
    /// First address behind it.
    pub(crate) end: u64,
    /// Which of the given ranges it belongs to.
    pub(crate) index: usize,
}

/// Disjoint pieces in ascending order, at most two per range; `n log n` whatever the overlaps, because
/// an attacker chooses them.
pub(crate) fn first_wins(ranges: impl IntoIterator<Item = (u64, u64)>) -> Vec<Piece> {
    let mut edges: Vec<(u64, bool, usize)> = Vec::new();
    for (index, (start, end)) in ranges.into_iter().enumerate() {
        if start < end {
            edges.push((start, true, index));
            edges.push((end, false, index));
        }
    }
    edges.sort_unstable();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut open: BTreeSet<usize> = BTreeSet::new();
    let mut from = 0;
    for (at, opens, index) in edges {
        if let Some(winner) = open.first().filter(|_| from < at) {
            append(&mut pieces, Piece { start: from, end: at, index: *winner });
        }
        from = at;
        if opens {
            open.insert(index);
        } else {
            open.remove(&index);
        }
    }
    pieces
}

/// Adds a piece, joined to the last one where that belongs to the same range and touches it.
fn append(pieces: &mut Vec<Piece>, piece: Piece) {
    match pieces.last_mut() {
        Some(last) if last.index == piece.index && last.end == piece.start => last.end = piece.end,
        _ => pieces.push(piece),
    }
}

/// The piece that holds `address`.
pub(crate) fn piece_at(pieces: &[Piece], address: u64) -> Option<&Piece> {
    let after = pieces.partition_point(|piece| piece.start <= address);
    pieces.get(after.checked_sub(1)?).filter(|piece| address < piece.end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_search_through_the_list(
            ranges in prop::collection::vec((0u64..64, 0u64..64), 0..16)
        ) {
            let pieces = first_wins(ranges.iter().copied());
            for at in 0..64 {
                let first = ranges.iter().position(|(start, end)| (*start..*end).contains(&at));
                prop_assert_eq!(piece_at(&pieces, at).map(|piece| piece.index), first);
            }
            for pair in pieces.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
        }
    }
}
