//! A possible address of the section, and the ways that led to it.

use crate::critsec::gate::Gate;
use crate::critsec::layout::RawCriticalSection;

/// A way to the address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// In words.
    pub text: String,
    /// How much it weighs in a tie.
    pub score: u32,
    /// Whether the way cannot lead to a wrong address.
    pub exact: bool,
    /// Whether the caller's code gives the address, though the memory that it read it from may have changed since.
    pub is_given: bool,
    /// Whether the way is the fault itself, so that it says nothing about whose fault it is.
    pub is_fault: bool,
    /// Whether the way is the register of the instruction that faulted.
    pub has_faulted: bool,
    /// That instruction goes through the section, and through no record.
    pub names_section: bool,
    /// Whether the way is another thread's.
    pub is_waiter: bool,
    /// Whether the way is one of many that a register of the caller may have been saved by.
    pub is_saved: bool,
}

/// A possible address of the section.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The address.
    pub address: u64,
    /// The ways that led to it.
    pub ways: Vec<Way>,
    /// The section there, when it is in the dump.
    pub raw: Option<RawCriticalSection>,
    /// What the gate says, when it is.
    pub gate: Option<Gate>,
}

impl Candidate {
    /// The sum of the ways' scores.
    #[must_use]
    pub fn score(&self) -> u32 {
        self.ways.iter().map(|way| way.score).sum()
    }

    /// Whether the caller's code gives the address, though the memory that it read it from may have changed since.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.ways.iter().any(|way| way.is_given)
    }

    /// Whether nothing but a register, or a word of the stack, leads to the address: it may be what was read out of the section.
    #[must_use]
    pub fn is_one_value(&self) -> bool {
        self.ways.len() == 1 && self.is_of_values()
    }

    /// Whether nothing but registers, and words of the stack, lead to the address.
    #[must_use]
    pub fn is_of_values(&self) -> bool {
        self.ways.iter().all(|way| {
            !(way.exact || way.is_given || way.is_fault || way.has_faulted || way.names_section)
        })
    }

    /// Whether something besides the fault leads to the address.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.ways.iter().any(|way| !way.is_fault)
    }

    /// Whether the faulting instruction accessed it through a register.
    #[must_use]
    pub fn has_faulted(&self) -> bool {
        self.ways.iter().any(|way| way.has_faulted)
    }

    /// Whether its address is known for sure: by the call, or by the field that the faulting instruction accessed.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.is_exact() || self.ways.iter().any(|way| way.names_section)
    }

    /// Whether a register that the caller may have passed leads to the address.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.ways.iter().any(|way| way.is_saved)
    }

    /// Whether one of the ways cannot be wrong.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.ways.iter().any(|way| way.exact)
    }
}
