//! The blocks of a function, in an order in which each comes behind those that lead to it, loops aside.

use crate::dump::memory::{AddressSpace, PointerWidth};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Most instructions of a function.
const MAX_INSTRUCTIONS: usize = 4096;
/// Longest instruction in bytes.
const MAX_LENGTH: usize = 15;
/// Most blocks that are gone through for all loops of a function.
const MAX_LOOPED: usize = 1 << 18;

/// Decoded instructions, by their addresses.
pub(super) type Code = BTreeMap<u64, Instruction>;

/// Instructions that run one after another.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) instructions: Vec<Instruction>,
    /// The blocks that follow: where no branch is taken, then where one is.
    pub(super) next: Option<usize>,
    pub(super) branch: Option<usize>,
    /// Those that its last instruction, a jump through a table, may lead to, by their addresses.
    pub(super) cases: Vec<(u64, usize)>,
    /// Where its code would be, which is not in the dump.
    pub(super) missing: Option<u64>,
    /// Whether a loop goes through it.
    pub(super) is_in_loop: bool,
    /// Whether a way from it leads out of a loop.
    pub(super) leaves_loop: bool,
}

/// What a loop is made of.
#[derive(Debug)]
enum Loop {
    Blocks(BTreeSet<usize>),
    /// All from one block to another.
    Between(usize, usize),
}

impl Loop {
    fn contains(&self, block: usize) -> bool {
        match self {
            Self::Blocks(blocks) => blocks.contains(&block),
            Self::Between(first, last) => (*first..=*last).contains(&block),
        }
    }
}

/// Where a function's code ends, but for returns.
struct Ends {
    /// The calls that do not come back.
    last: HashSet<u64>,
    /// What is not in the dump.
    missing: HashSet<u64>,
    /// Where jumps through tables may lead.
    tables: HashMap<u64, BTreeSet<u64>>,
}

/// A function's blocks, the one it begins with first.
#[derive(Debug, Default)]
pub(super) struct Function {
    pub(super) blocks: Vec<Block>,
    loops: Vec<Loop>,
}

pub(super) fn decode(
    space: &AddressSpace<'_>,
    address: u64,
    width: PointerWidth,
) -> Option<Instruction> {
    let bits = if width == PointerWidth::Eight { 64 } else { 32 };
    let bytes = space.read_up_to(address, MAX_LENGTH);
    let one = Decoder::with_ip(bits, &bytes, address, DecoderOptions::NONE).decode();
    (!one.is_invalid()).then_some(one)
}

/// What follows an instruction: the next one, and the target of a jump.
fn successors(one: &Instruction) -> (Option<u64>, Option<u64>) {
    match one.flow_control() {
        FlowControl::ConditionalBranch | FlowControl::XbeginXabortXend => {
            (Some(one.next_ip()), Some(one.near_branch_target()))
        }
        FlowControl::UnconditionalBranch => (None, Some(one.near_branch_target())),
        FlowControl::Return
        | FlowControl::IndirectBranch
        | FlowControl::Interrupt
        | FlowControl::Exception => (None, None),
        _ => (Some(one.next_ip()), None),
    }
}

impl Function {
    /// Follows the function that starts at an address; jumps to other functions are followed as its own, nothing is behind a call that does
    /// not come back. `is_missing` tells whether the dump may lack code that has run, `cases` where a jump through a pointer may lead. `None` where it is too long.
    pub(super) fn read(
        space: &AddressSpace<'_>,
        start: u64,
        width: PointerWidth,
        mut spend: impl FnMut() -> bool,
        is_missing: impl Fn(u64) -> bool,
        comes_back: impl Fn(&Instruction) -> bool,
        mut cases: impl FnMut(&Code, &Instruction) -> BTreeSet<u64>,
    ) -> Option<Self> {
        let mut code = Code::new();
        let mut tables: HashMap<u64, BTreeSet<u64>> = HashMap::new();
        let (mut last, mut missing) = (HashSet::new(), HashSet::new());
        let is_call = |one: &Instruction| {
            matches!(one.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
        };
        let mut heads = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            if code.contains_key(&at) {
                continue;
            }
            let Some(one) = decode(space, at, width) else {
                missing.extend(Some(at).filter(|at| is_missing(*at)));
                continue;
            };
            (code.len() < MAX_INSTRUCTIONS && spend()).then_some(())?;
            let (mut next, target) = successors(&one);
            if is_call(&one) && !comes_back(&one) {
                next = None;
                last.insert(at);
            }
            if target.is_some() || next.is_none() {
                heads.extend(target);
                heads.extend(next);
            }
            if one.flow_control() == FlowControl::IndirectBranch {
                let found = cases(&code, &one);
                heads.extend(&found);
                open.extend(&found);
                tables.insert(at, found);
            }
            open.extend(target);
            open.extend(next);
            code.insert(at, one);
        }
        heads.extend(&missing);
        Some(Self::of(&code, &heads, &Ends { last, missing, tables }, start))
    }

    fn of(code: &Code, heads: &BTreeSet<u64>, known: &Ends, start: u64) -> Self {
        let Ends { last, missing, tables } = known;
        let follows = |one: &Instruction| match last.contains(&one.ip()) {
            true => (None, None),
            false => successors(one),
        };
        let runs: HashMap<u64, Vec<Instruction>> =
            heads.iter().map(|head| (*head, run(code, heads, *head, follows))).collect();
        let ends = |head: u64| {
            let last = runs.get(&head).and_then(|run| run.last());
            last.map_or((None, None), follows)
        };
        let cases = |head: u64| {
            let last = runs.get(&head).and_then(|run| run.last());
            let table = last.and_then(|last| tables.get(&last.ip()));
            // Backwards: of those that follow, the first comes last.
            table.into_iter().flat_map(|table| table.iter().rev()).copied()
        };
        let successors = |head: u64| {
            let (next, branch) = ends(head);
            branch.into_iter().chain(next).chain(cases(head)).collect()
        };
        let order = order(start, successors);
        let places: HashMap<u64, usize> =
            order.iter().enumerate().map(|(at, head)| (*head, at)).collect();
        let mut function = Self::default();
        for head in &order {
            let (next, branch) = ends(*head);
            let place = |of: Option<u64>| of.and_then(|of| places.get(&of).copied());
            function.blocks.push(Block {
                instructions: runs.get(head).cloned().unwrap_or_default(),
                next: place(next),
                branch: place(branch),
                cases: cases(*head).filter_map(|to| Some((to, place(Some(to))?))).collect(),
                missing: missing.get(head).copied(),
                is_in_loop: false,
                leaves_loop: false,
            });
        }
        function.mark_loops();
        function
    }

    /// A jump back to a block makes a loop of that and all from which the jump is come to without passing it. Where the function's start is
    /// among these, the loop has several entries: it is what lies between; so where there are too many loops to look at each.
    fn mark_loops(&mut self) {
        let ways = |at: usize, block: &Block| {
            let cases = block.cases.iter().map(|(_, to)| *to);
            let all: Vec<_> = block.next.into_iter().chain(block.branch).chain(cases).collect();
            all.into_iter().map(move |to| (to, at))
        };
        let all: Vec<(usize, usize)> =
            self.blocks.iter().enumerate().flat_map(|(at, block)| ways(at, block)).collect();
        let mut before: HashMap<usize, Vec<usize>> = HashMap::new();
        for (to, at) in &all {
            before.entry(*to).or_default().push(*at);
        }
        let backs = all.iter().filter(|(to, at)| to <= at).count();
        let is_cheap = backs.saturating_mul(self.blocks.len()) <= MAX_LOOPED;
        let loop_of = |(first, last): (usize, usize)| {
            let mut found = BTreeSet::from([first, last]);
            let mut open = vec![last];
            while let Some(at) = open.pop().filter(|_| first != last && is_cheap) {
                let others = before.get(&at).into_iter().flatten().copied();
                open.extend(others.filter(|other| *other != first && found.insert(*other)));
            }
            match !is_cheap || first != 0 && found.contains(&0) {
                true => Loop::Between(first, last),
                false => Loop::Blocks(found),
            }
        };
        self.loops = all.iter().copied().filter(|(to, at)| to <= at).map(loop_of).collect();
        for (at, block) in self.blocks.iter_mut().enumerate() {
            block.is_in_loop = self.loops.iter().any(|one| one.contains(at));
        }
        let leaving: Vec<bool> = (self.blocks.iter().enumerate())
            .map(|(at, block)| ways(at, block).any(|(to, at)| self.leaves(at, to)))
            .collect();
        for (block, leaves) in self.blocks.iter_mut().zip(leaving) {
            block.leaves_loop = leaves;
        }
    }

    /// The addresses of its instructions.
    pub(super) fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        self.blocks.iter().flat_map(|block| block.instructions.iter().map(Instruction::ip))
    }

    /// The addresses behind its instructions.
    pub(super) fn addresses_behind(&self) -> impl Iterator<Item = u64> + '_ {
        self.blocks.iter().flat_map(|block| block.instructions.iter().map(Instruction::next_ip))
    }

    /// Whether the way from one block to another leads out of a loop.
    pub(super) fn leaves(&self, at: usize, to: usize) -> bool {
        self.loops.iter().any(|one| one.contains(at) && !one.contains(to))
    }
}

/// The instructions from a head up to the next one.
fn run(
    code: &Code,
    heads: &BTreeSet<u64>,
    head: u64,
    follows: impl Fn(&Instruction) -> (Option<u64>, Option<u64>),
) -> Vec<Instruction> {
    let mut found = Vec::new();
    let mut at = head;
    while let Some(one) = code.get(&at) {
        found.push(*one);
        let (next, target) = follows(one);
        at = one.next_ip();
        if next.is_none() || target.is_some() || heads.contains(&at) {
            break;
        }
    }
    found
}

/// The heads that can be reached, each behind those that lead to it.
fn order(start: u64, successors: impl Fn(u64) -> Vec<u64>) -> Vec<u64> {
    let mut done = Vec::new();
    let mut seen = HashSet::from([start]);
    let mut open = vec![(start, successors(start).into_iter())];
    while let Some((head, rest)) = open.last_mut() {
        match rest.next() {
            Some(child) if seen.insert(child) => open.push((child, successors(child).into_iter())),
            Some(_) => {}
            None => {
                done.push(*head);
                open.pop();
            }
        }
    }
    done.reverse();
    done
}
