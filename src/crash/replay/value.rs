//! What the registers and the memory of a function hold while it is replayed: constants, and symbols for what is not known.

use super::written::Written;
use crate::dump::memory::PointerWidth;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

/// A value as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) enum Value {
    /// A number or an address.
    Constant(u64),
    /// Something that has a name of its own, plus an offset in bytes.
    Symbol(Symbol, i64),
    /// An address somewhere in what has a name, or in static data.
    Within(Option<Symbol>),
    /// Nothing is known.
    #[default]
    Unknown,
}

/// The name of something that is not known, by its place in [`Symbols`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Symbol(usize);

/// Where a symbol comes from. Two symbols of one origin are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// A register, by its number, at the start of the first function, or behind a gap in the stack.
    Entry(u64, usize),
    /// What the call at an address gave back, within a call path.
    Result(usize, u64),
    /// What the instruction at an address read, within a call path.
    Read(usize, u64),
    /// The stack pointer that the instruction at an address rounded, within a call path.
    Rounded(usize, u64),
}

/// The least address that a module's data is taken to have.
const LEAST_STATIC: u64 = 0x40_0000;
/// Most bytes between two addresses in one variable of a module.
const MAX_STATIC: u64 = 0x1_0000;

impl Value {
    /// The value plus a number of bytes.
    pub(super) fn plus(self, bytes: i64, width: PointerWidth) -> Self {
        match self {
            Self::Constant(value) => {
                Self::Constant(width.truncate(value.wrapping_add_signed(bytes)))
            }
            Self::Symbol(symbol, offset) => {
                let offset = offset.wrapping_add(bytes);
                Self::Symbol(symbol, width.truncate(offset.cast_unsigned()).cast_signed())
                    .wrapped(width)
            }
            Self::Within(_) | Self::Unknown => self,
        }
    }

    /// Offsets of 32-bit code are 32 bits long, with a sign.
    fn wrapped(self, width: PointerWidth) -> Self {
        match (self, width) {
            (Self::Symbol(symbol, offset), PointerWidth::Four) => {
                let half = i64::from(u32::MAX) / 2;
                let size = i64::from(u32::MAX).saturating_add(1);
                let offset = if offset > half { offset.saturating_sub(size) } else { offset };
                Self::Symbol(symbol, offset)
            }
            _ => self,
        }
    }

    /// What is known of it where two ways meet.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            _ if self == other => self,
            (Self::Symbol(mine, _), Self::Symbol(theirs, _)) if mine == theirs => {
                Self::Within(Some(mine))
            }
            (Self::Within(Some(mine)), Self::Symbol(theirs, _))
            | (Self::Symbol(theirs, _), Self::Within(Some(mine)))
                if mine == theirs =>
            {
                Self::Within(Some(mine))
            }
            // A pointer that goes through static data, as far as anybody knows.
            (Self::Constant(mine), Self::Constant(theirs))
                if mine.min(theirs) >= LEAST_STATIC && mine.abs_diff(theirs) < MAX_STATIC =>
            {
                Self::Within(None)
            }
            (Self::Within(None), Self::Constant(address))
            | (Self::Constant(address), Self::Within(None))
                if address >= LEAST_STATIC =>
            {
                Self::Within(None)
            }
            _ => Self::Unknown,
        }
    }

    /// What it starts from, and the offset from there: a place in memory. Addresses start from nothing.
    pub(super) fn place(self) -> Option<Spot> {
        match self {
            Self::Constant(address) => Some((None, address.cast_signed())),
            Self::Symbol(symbol, offset) => Some((Some(symbol), offset)),
            Self::Within(_) | Self::Unknown => None,
        }
    }
}

/// A place in memory: an offset from a symbol, or an address.
pub(super) type Spot = (Option<Symbol>, i64);

/// The names given so far.
#[derive(Debug, Default)]
pub(super) struct Symbols {
    known: HashMap<Origin, Symbol>,
    /// Of each symbol, whether it may stand for several things: it was given in a loop.
    many: Vec<bool>,
    /// Of each symbol, whether it may be the address of anything.
    wild: Vec<bool>,
}

impl Symbols {
    /// The symbol of an origin.
    pub(super) fn of(&mut self, origin: Origin, is_in_loop: bool) -> Symbol {
        let next = Symbol(self.many.len());
        let symbol = *self.known.entry(origin).or_insert(next);
        if symbol == next {
            self.many.push(false);
            self.wild.push(matches!(origin, Origin::Read(..) | Origin::Entry(..)));
        }
        if let Some(many) = self.many.get_mut(symbol.0) {
            *many |= is_in_loop;
        }
        symbol
    }

    /// Whether a symbol may be the address of anything: it was read, or given back by who knows what.
    pub(super) fn is_wild(&self, symbol: Symbol) -> bool {
        self.wild.get(symbol.0).copied().unwrap_or(true)
    }

    /// Notes that a symbol may be the address of anything.
    pub(super) fn make_wild(&mut self, symbol: Symbol) {
        if let Some(wild) = self.wild.get_mut(symbol.0) {
            *wild = true;
        }
    }

    /// Whether a symbol may stand for several things.
    pub(super) fn is_many(&self, symbol: Symbol) -> bool {
        self.many.get(symbol.0).copied().unwrap_or(true)
    }
}

/// What the flags tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `cmp`.
    Compare,
    /// `test`.
    Test,
    /// The result of a sum, on both sides: of carry and overflow nothing is known.
    Result,
}

/// A comparison that a branch may go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) kind: Kind,
    pub(super) left: Value,
    pub(super) right: Value,
    /// Bytes compared.
    pub(super) size: usize,
}

/// Registers and memory at one point, and what has surely been called before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) registers: [Value; 16],
    /// Known values in memory, with their sizes in bytes.
    pub(super) memory: Rc<BTreeMap<Spot, (Value, u64)>>,
    pub(super) compared: Option<Compared>,
    /// The calls that surely ran, oldest first, by their places in [`super::run::Run::calls`].
    pub(super) calls: Rc<Vec<usize>>,
    /// What was given out, and is taken not to be 0.
    pub(super) assumed: Rc<BTreeSet<Symbol>>,
    /// A loop can have been left since its round began.
    pub(super) is_open: bool,
    /// The words of xmm0 to xmm15: two on x64, four on x86.
    pub(super) vectors: Rc<[[Value; 4]; 16]>,
    /// No thread but this one has run the program's code since it began, and those in [`Self::running`].
    pub(super) is_alone: bool,
    /// Threads that were started and whose ends were not waited for.
    pub(super) running: u8,
    /// What other threads may write to, besides those in [`Self::running`].
    pub(super) raced: Rc<Written>,
    /// What of the memory that began as zeros has been written to.
    pub(super) written: Rc<Written>,
    /// Places of x86 arguments that a call has had, and that were not written to since.
    pub(super) passed: Rc<BTreeSet<Spot>>,
    /// The sections that were entered and not left since, with how often at least.
    pub(super) held: Rc<BTreeMap<Value, u32>>,
}

/// Most values in memory that are kept.
const MAX_MEMORY: usize = 1024;

impl State {
    pub(super) fn register(&self, number: usize) -> Value {
        self.registers.get(number).copied().unwrap_or(Value::Unknown)
    }

    pub(super) fn set(&mut self, number: usize, value: Value) {
        if let Some(register) = self.registers.get_mut(number) {
            *register = value;
        }
    }

    /// Takes in another way to the same point.
    pub(super) fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.registers.iter_mut().zip(&other.registers) {
            *mine = mine.or(*theirs);
        }
        if self.memory != other.memory {
            let memory = Rc::make_mut(&mut self.memory);
            memory.retain(|spot, held| other.memory.get(spot) == Some(held));
        }
        if self.compared != other.compared {
            self.compared = None;
        }
        if self.calls != other.calls {
            let theirs: HashSet<usize> = other.calls.iter().copied().collect();
            Rc::make_mut(&mut self.calls).retain(|call| theirs.contains(call));
        }
        if self.assumed != other.assumed {
            Rc::make_mut(&mut self.assumed).extend(other.assumed.iter());
        }
        self.is_open |= other.is_open;
        if self.vectors != other.vectors {
            let vectors = Rc::make_mut(&mut self.vectors).iter_mut().flatten();
            for (mine, theirs) in vectors.zip(other.vectors.iter().flatten()) {
                *mine = mine.or(*theirs);
            }
        }
        self.is_alone &= other.is_alone;
        self.running = self.running.max(other.running);
        if self.raced != other.raced {
            Rc::make_mut(&mut self.raced).join(&other.raced);
        }
        if self.written != other.written {
            Rc::make_mut(&mut self.written).join(&other.written);
        }
        if self.passed != other.passed {
            Rc::make_mut(&mut self.passed).extend(other.passed.iter());
        }
        if self.held != other.held {
            Rc::make_mut(&mut self.held).retain(|section, times| {
                let theirs = other.held.get(section);
                *times = theirs.map_or(0, |theirs| *theirs.min(times));
                *times > 0
            });
        }
    }

    /// Whether no other thread of the program runs.
    pub(super) fn is_single(&self) -> bool {
        self.is_alone && self.running == 0
    }

    /// Forgets what a store of `size` bytes may change. Where it goes is not known: everything outside of the frames is forgotten.
    pub(super) fn clobber(
        &mut self,
        place: Option<Spot>,
        size: u64,
        stack: impl Fn(Symbol) -> bool,
    ) {
        let Some((base, offset)) = place else {
            Rc::make_mut(&mut self.memory).retain(|(base, _), _| base.is_some_and(&stack));
            Rc::make_mut(&mut self.written).all();
            return;
        };
        let end = offset.saturating_add_unsigned(size);
        if !base.is_some_and(&stack) {
            self.mark((base, offset), size);
        }
        // What is kept is at most 8 bytes long.
        let touched: Vec<Spot> = self
            .memory
            .range((base, offset.saturating_sub(7))..(base, end))
            .filter(|((_, at), (_, size))| at.saturating_add_unsigned(*size) > offset)
            .map(|(spot, _)| *spot)
            .collect();
        for spot in touched {
            Rc::make_mut(&mut self.memory).remove(&spot);
        }
    }

    /// Forgets all that is known of what has a name, or of static data.
    pub(super) fn clobber_within(&mut self, base: Option<Symbol>) {
        if self.memory.keys().any(|(held, _)| *held == base) {
            Rc::make_mut(&mut self.memory).retain(|(held, _), _| *held != base);
        }
        self.mark((base, i64::MIN), u64::MAX);
    }

    /// Notes that so many bytes of a place have been written to.
    pub(super) fn mark(&mut self, place: Spot, size: u64) {
        if !self.written.is_all() && !self.written.covers(place, size) {
            Rc::make_mut(&mut self.written).mark(place, size);
        }
    }

    /// Stores a value.
    pub(super) fn store(
        &mut self,
        place: Option<Spot>,
        size: u64,
        value: Value,
        stack: impl Fn(Symbol) -> bool,
    ) {
        self.clobber(place, size, stack);
        if let Some(spot) = place.filter(|spot| self.passed.contains(spot)) {
            Rc::make_mut(&mut self.passed).remove(&spot);
        }
        if let Some(spot) = place.filter(|_| size <= 8 && self.memory.len() < MAX_MEMORY) {
            Rc::make_mut(&mut self.memory).insert(spot, (value, size));
        }
    }
}
