//! Which instructions of a function surely ran before a place in it.

use iced_x86::{FlowControl, Instruction};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// A jump inside one function: to an instruction's address, from another's.
type Edge = (u64, u64);

/// The instructions that surely ran before the one at `place`, nearest first, of a function given whole in the order of
/// its addresses.
///
/// - situation: between a Delete and the wait behind it lie branches: one thread or several are joined.
/// - example: `DeleteCriticalSection(&lock); for (t : threads) WaitForSingleObject(t, INFINITE);`.
/// - handling: the range from which the place is reached by jumps is widened until nothing jumps into it from outside, so that
///   what falls into it has run; then the same from there. A jump out of the function, or one whose target is not known, may
///   come back anywhere behind it.
/// - test: `what_every_way_passes_has_run`, `nothing_that_can_be_passed_by_has_run`, `the_order_of_steps_tells_zeros_apart` (tests/accuracy).
pub(super) fn ran_before(function: &[Instruction], place: u64) -> Vec<&Instruction> {
    let edges = edges(function, place);
    let mut found = Vec::new();
    let mut range = place..=place;
    widen(&mut range, place..=place, &edges);
    for instruction in function.iter().rev() {
        if instruction.ip() >= *range.start() {
            continue;
        }
        if instruction.next_ip() != *range.start() || super::function_code::ends(instruction) {
            break;
        }
        found.push(instruction);
        let last = range.start().saturating_sub(1);
        range = instruction.ip()..=*range.end();
        widen(&mut range, instruction.ip()..=last, &edges);
    }
    found
}

/// The jumps of a function. What leaves it, or goes where a register says, counts as coming back at `place`.
fn edges(function: &[Instruction], place: u64) -> BTreeSet<Edge> {
    let inside = function.first().map(Instruction::ip)..function.last().map(Instruction::next_ip);
    function
        .iter()
        .filter_map(|one| {
            let target = match one.flow_control() {
                FlowControl::ConditionalBranch
                | FlowControl::UnconditionalBranch
                | FlowControl::XbeginXabortXend => Some(one.near_branch_target()),
                FlowControl::IndirectBranch => None,
                _ => return None,
            };
            let target = target.filter(|target| inside.contains(&Some(*target)));
            Some((target.unwrap_or(place), one.ip()))
        })
        .collect()
}

/// Widens a range until no jump from outside leads into it; `fresh` is what was just added to it. Every jump is looked at once.
fn widen(range: &mut RangeInclusive<u64>, fresh: RangeInclusive<u64>, edges: &BTreeSet<Edge>) {
    let mut parts = vec![fresh];
    while let Some(part) = parts.pop() {
        for (_, source) in edges.range((*part.start(), 0)..=(*part.end(), u64::MAX)) {
            let (start, end) = (*range.start(), *range.end());
            if *source < start {
                parts.push(*source..=start.saturating_sub(1));
                *range = *source..=end;
            } else if *source > end {
                parts.push(end.saturating_add(1)..=*source);
                *range = start..=*source;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};
    use proptest::prelude::*;

    /// Which of the nops of `code` (at 0x1000) surely ran before the int3, by their distance from its start.
    fn nops_before(code: &[u8]) -> Vec<u64> {
        let function: Vec<_> =
            Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE).iter().collect();
        let place = function.iter().find(|one| one.code() == iced_x86::Code::Int3).unwrap().ip();
        ran_before(&function, place)
            .iter()
            .filter(|one| one.mnemonic() == iced_x86::Mnemonic::Nop)
            .map(|one| one.ip() - 0x1000)
            .collect()
    }

    #[test]
    fn what_every_way_passes_has_run() {
        // nop; nop; int3
        assert_eq!(nops_before(&[0x90, 0x90, 0xCC]), [1, 0]);
        // nop; jz over; nop; over: nop; int3: the second runs on one way only.
        assert_eq!(nops_before(&[0x90, 0x74, 1, 0x90, 0x90, 0xCC]), [4, 0]);
        // nop; head: nop; int3; jnz head: a loop begins behind what falls into it.
        assert_eq!(nops_before(&[0x90, 0x90, 0xCC, 0x75, 0xFC]), [1, 0]);
        // jz head; nop; head: int3; jnz head: the loop is reached around the nop.
        assert!(nops_before(&[0x74, 1, 0x90, 0xCC, 0x75, 0xFD]).is_empty());
        // nop; jmp test; head: nop; int3; test: jnz head: the loop's test comes first, and the nop in it runs before.
        assert_eq!(nops_before(&[0x90, 0xEB, 2, 0x90, 0xCC, 0x75, 0xFC]), [3, 0]);
        // nop; jz end; nop; head: int3; end: jnz head: a jump behind the place comes back.
        assert_eq!(nops_before(&[0x90, 0x74, 2, 0x90, 0xCC, 0x75, 0xFD]), [0]);
        // nop; jz out of the function; nop; int3: what is out there may come back behind the nop.
        assert_eq!(nops_before(&[0x90, 0x74, 0x70, 0x90, 0xCC]), [0]);
        // nop; ret; nop; int3; jz back to the second nop: nothing falls over a return.
        assert_eq!(nops_before(&[0x90, 0xC3, 0x90, 0xCC, 0x74, 0xFC]), [2]);
    }

    /// Whether the place can be reached from the start without passing `avoided`; a jump out of the function may come back
    /// anywhere.
    fn is_reached_around(kinds: &[Kind], place: usize, avoided: usize) -> bool {
        let (mut seen, mut next) = (vec![false; kinds.len()], vec![0]);
        while let Some(at) = next.pop() {
            if at >= kinds.len() || at == avoided || std::mem::replace(&mut seen[at], true) {
                continue;
            }
            if at == place {
                return true;
            }
            match kinds[at] {
                Kind::Plain => next.push(at + 1),
                Kind::Return => {}
                Kind::Jump(to) | Kind::Branch(to) if to >= kinds.len() => {
                    next.extend(0..kinds.len())
                }
                Kind::Jump(to) => next.push(to),
                Kind::Branch(to) => next.extend([to, at + 1]),
            }
        }
        false
    }

    #[derive(Debug, Clone, Copy)]
    enum Kind {
        Plain,
        Return,
        Jump(usize),
        Branch(usize),
    }

    /// Two bytes for each.
    fn assembled(kinds: &[Kind]) -> Vec<u8> {
        let distance = |at: usize, to: usize| (to as i64 * 2 - (at as i64 + 1) * 2) as i8 as u8;
        let bytes = kinds.iter().enumerate().map(|(at, kind)| match *kind {
            Kind::Plain => [0x66, 0x90],
            Kind::Return => [0xF3, 0xC3],
            Kind::Jump(to) => [0xEB, distance(at, to)],
            Kind::Branch(to) => [0x74, distance(at, to)],
        });
        bytes.flatten().collect()
    }

    proptest! {
        #[test]
        fn nothing_that_can_be_passed_by_has_run(
            kinds in prop::collection::vec(
                prop_oneof![
                    4 => Just(Kind::Plain),
                    1 => Just(Kind::Return),
                    2 => (0..20usize).prop_map(Kind::Jump),
                    4 => (0..20usize).prop_map(Kind::Branch),
                ],
                16,
            ),
            place in 0..16usize,
        ) {
            let code = assembled(&kinds);
            let function: Vec<_> =
                Decoder::with_ip(64, &code, 0x1000, DecoderOptions::NONE).iter().collect();
            for one in ran_before(&function, 0x1000 + place as u64 * 2) {
                let at = (one.ip() - 0x1000) as usize / 2;
                prop_assert!(!is_reached_around(&kinds, place, at), "{at} of {kinds:?}");
            }
        }
    }
}
