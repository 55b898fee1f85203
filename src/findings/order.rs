//! In which direction a handle's operations run through the stream, where that can be proven.

use crate::dump::handle_trace::{HandleOperation, OperationKind};

/// Which end of the stream's order is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newest {
    First,
    Last,
}

/// What the handle stream says of the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// No handle is open there.
    Empty,
    /// One is, and functions that make such objects stand on the stack of the first, or last, operation.
    Open { made_by_first: bool, made_by_last: bool },
    /// It does not say.
    Unknown,
}

/// Which end is the newest; `failure` is the place of the bad reference that is the failure itself.
///
/// - situation: the order of the stream is not documented (critical-sections.md 7.4, 10), and who closed the handle last hangs
///   on it.
/// - example: `OPEN CLOSE OPEN CLOSE BADREF`: read the other way round a handle would be closed that is not open.
/// - handling: a handle is opened and closed in turn, and a bad reference finds it closed: with the failing bad reference at
///   its place, one direction only may make sense. Without one, the newest operation must agree with the slot in the handle
///   stream. Otherwise nothing is assumed.
/// - test: `the_order_is_proven_or_unknown`.
pub(super) fn newest(
    operations: &[HandleOperation<'_>],
    failure: Option<usize>,
    slot: impl FnOnce() -> Slot,
) -> Option<Newest> {
    let kinds: Vec<OperationKind> = operations.iter().map(|one| one.kind).collect();
    match failure {
        Some(_) if kinds.len() == 1 => Some(Newest::Last),
        Some(_) => by_turns(&kinds),
        None if kinds.len() > 1 => by_slot(&kinds, slot()),
        None => Some(Newest::Last),
    }
}

fn by_turns(kinds: &[OperationKind]) -> Option<Newest> {
    match (is_possible(kinds.iter()), is_possible(kinds.iter().rev())) {
        (true, false) => Some(Newest::Last),
        (false, true) => Some(Newest::First),
        _ => None,
    }
}

/// Whether operations can have happened in this order, oldest first.
fn is_possible<'k>(kinds: impl Iterator<Item = &'k OperationKind>) -> bool {
    let mut is_open = None;
    for kind in kinds {
        is_open = match (kind, is_open) {
            (OperationKind::Open, Some(true))
            | (OperationKind::Close, Some(false))
            | (OperationKind::BadReference, Some(true)) => return false,
            (OperationKind::Open, _) => Some(true),
            (OperationKind::Close | OperationKind::BadReference, _) => Some(false),
            (OperationKind::Other(_), before) => before,
        };
    }
    true
}

fn by_slot(kinds: &[OperationKind], slot: Slot) -> Option<Newest> {
    let (first, last) = (kinds.first()?, kinds.last()?);
    if !is_possible(kinds.iter()) || !is_possible(kinds.iter().rev()) {
        return None;
    }
    let opens = [*first == OperationKind::Open, *last == OperationKind::Open];
    match (slot, opens) {
        (Slot::Empty, [false, true]) | (Slot::Open { .. }, [true, false]) => Some(Newest::First),
        (Slot::Empty, [true, false]) | (Slot::Open { .. }, [false, true]) => Some(Newest::Last),
        (Slot::Open { made_by_first: true, made_by_last: false }, [true, true]) => {
            Some(Newest::First)
        }
        (Slot::Open { made_by_first: false, made_by_last: true }, [true, true]) => {
            Some(Newest::Last)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OperationKind::{BadReference as B, Close as C, Open as O};
    use proptest::prelude::*;

    #[test]
    fn the_order_is_proven_or_unknown() {
        assert_eq!(by_turns(&[O, C, O, C, B]), Some(Newest::Last));
        assert_eq!(by_turns(&[B, C, O, C, O]), Some(Newest::First));
        assert_eq!(by_turns(&[C, B]), Some(Newest::Last));
        assert_eq!(
            by_turns(&[O, B, C]),
            Some(Newest::First),
            "the slot was taken again after the failure"
        );
        assert_eq!(by_turns(&[B, B]), None);
        assert_eq!(by_turns(&[C, C, B]), None, "impossible either way");
        assert_eq!(by_turns(&[O, B, O]), None, "impossible either way");
        let open = |first, last| Slot::Open { made_by_first: first, made_by_last: last };
        assert_eq!(by_slot(&[O, C], Slot::Empty), Some(Newest::Last));
        assert_eq!(by_slot(&[O, C], open(false, false)), Some(Newest::First));
        assert_eq!(by_slot(&[O, C], Slot::Unknown), None);
        assert_eq!(by_slot(&[C, O, C], Slot::Empty), None, "the same both ways");
        assert_eq!(by_slot(&[O, C, O], open(true, false)), Some(Newest::First));
        assert_eq!(by_slot(&[O, C, O], open(true, true)), None);
    }

    proptest! {
        #[test]
        fn reading_the_stream_the_other_way_turns_the_answer(kinds in prop::collection::vec(prop::sample::select(vec![O, C, B, OperationKind::Other(7)]), 2..12), first: bool, last: bool) {
            let turned: Vec<OperationKind> = kinds.iter().rev().copied().collect();
            let turn = |newest| match newest {
                Newest::First => Newest::Last,
                Newest::Last => Newest::First,
            };
            prop_assert_eq!(by_turns(&kinds), by_turns(&turned).map(turn));
            prop_assert_eq!(by_slot(&kinds, Slot::Empty), by_slot(&turned, Slot::Empty).map(turn));
            let slot = |first, last| Slot::Open { made_by_first: first, made_by_last: last };
            prop_assert_eq!(by_slot(&kinds, slot(first, last)), by_slot(&turned, slot(last, first)).map(turn));
        }
    }
}
