//! Following a value backwards through the x86 and x64 instructions that made it.

use super::call_site::{Argument, Base, Entry};
use crate::dump::memory::PointerWidth;
use crate::image::registers::Register;
use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, InstructionInfoOptions, Mnemonic, OpAccess,
    OpKind, Register as Iced,
};
use std::collections::HashSet;
use std::iter;

/// Where a value is.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Constant(u64),
    Register(Iced),
}

/// How a value is followed.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    pub(super) width: PointerWidth,
    /// Also through registers that a function gives back.
    pub(super) deep: bool,
    /// The function that the instructions begin with.
    pub(super) entry: Option<Entry>,
}

impl Walk {
    pub(super) fn plain(width: PointerWidth) -> Self {
        Self { width, deep: false, entry: None }
    }

    /// Follows a value backwards through the instructions that made it.
    pub(super) fn follow(
        self,
        before: &[Instruction],
        place: Place,
        mut displacements: Vec<i64>,
    ) -> Option<Argument> {
        let mut place = place;
        let mut later_writes: HashSet<Iced> = HashSet::new();
        let mut factory = InstructionInfoFactory::new();
        // What the stack has grown by between an instruction and the call.
        let mut grown = Some(0u64);
        let mut rest = before.iter();
        while let Some(instruction) = rest.next() {
            let Place::Register(wanted) = place else { break };
            if self.is_stable(wanted) {
                break;
            }
            let writes = written(&mut factory, instruction);
            if writes.contains(&full(wanted)) {
                let (source, displacement, is_read) = source_of(instruction, wanted, self.width)?;
                let stored =
                    is_read.then(|| self.stored(source, displacement, rest.as_slice())).flatten();
                if let Some((store, register)) = stored {
                    let passed = iter::once(instruction).chain(rest.as_slice().get(..=store)?);
                    grown = passed.fold(grown, |sum, one| sum?.checked_add(grows(one)?));
                    rest.nth(store);
                    place = Place::Register(register);
                    continue;
                }
                merge(&mut displacements, displacement, is_read)?;
                place = source;
                if is_stack_pointer(source) && self.width == PointerWidth::Eight {
                    merge(&mut displacements, i64::try_from(grown?).ok()?, false)?;
                }
            }
            later_writes.extend(writes.into_iter().filter(|register| *register != Iced::RSP));
            grown = grown.zip(grows(instruction)).and_then(|(sum, more)| sum.checked_add(more));
        }
        let base = match place {
            Place::Constant(address) => Base::Constant(address),
            Place::Register(register) if self.is_stable(register) => {
                // What the register holds at the call may no longer be what was taken from it.
                (!later_writes.contains(&full(register))).then_some(())?;
                Base::Register(ours(register)?)
            }
            Place::Register(Iced::RCX) => Base::Own(self.entry?),
            Place::Register(_) => return None,
        };
        Some(Argument { base, displacements })
    }

    /// The store of a register where a value was read from: which of the instructions before, and the register.
    ///
    /// - situation: unoptimised code keeps every value in its frame, its own arguments too.
    /// - example: `mov [rbp+10h], rcx`, and later `mov rax, [rbp+10h]`.
    /// - handling: the nearest write to the same place, when it is a whole register's and nothing in between changes the
    ///   register that leads there.
    /// - test: `an_argument_is_followed_to_the_functions_own`, `half_a_register_is_not_what_was_stored`.
    fn stored(
        self,
        source: Place,
        displacement: i64,
        before: &[Instruction],
    ) -> Option<(usize, Iced)> {
        let Place::Register(base) = source else { return None };
        (self.deep && full(base) != Iced::RSP).then_some(())?;
        let store = before.iter().position(|one| is_at(one, base, displacement))?;
        let mut factory = InstructionInfoFactory::new();
        let mut between = before.get(..store)?.iter();
        let is_kept = between.all(|one| !written(&mut factory, one).contains(&full(base)));
        let store_of = before.get(store).filter(|one| {
            one.mnemonic() == Mnemonic::Mov && one.op1_kind() == OpKind::Register && is_kept
        })?;
        let register = store_of.op1_register();
        (register == full(register)).then_some((store, register))
    }

    /// Whether a register keeps its value over the call, so that the frame's own value can be used. Not esp:
    /// pushes move it between the instruction that reads it and the call.
    fn is_stable(self, register: Iced) -> bool {
        let given_back = !self.deep
            && full(register) != full(Iced::ESP)
            && ours(register).is_some_and(|register| register.is_nonvolatile(self.width));
        given_back || self.width == PointerWidth::Eight && full(register) == Iced::RSP
    }
}

/// Whether an instruction's first operand, which it may write, is the memory at a place.
fn is_at(instruction: &Instruction, base: Iced, displacement: i64) -> bool {
    instruction.op0_kind() == OpKind::Memory
        && full(instruction.memory_base()) == full(base)
        && instruction.memory_index() == Iced::None
        && instruction.memory_displacement64().cast_signed() == displacement
}

fn is_stack_pointer(place: Place) -> bool {
    matches!(place, Place::Register(register) if full(register) == Iced::RSP)
}

/// Puts a displacement before those found so far, with a read of memory behind it or without.
pub(super) fn merge(displacements: &mut Vec<i64>, displacement: i64, is_read: bool) -> Option<()> {
    if is_read {
        displacements.insert(0, displacement);
    } else {
        let first = displacements.first_mut()?;
        *first = first.wrapping_add(displacement);
    }
    Some(())
}

/// What an instruction that writes `wanted` puts there: a place, a displacement, and whether it is read
/// from memory.
fn source_of(
    instruction: &Instruction,
    wanted: Iced,
    width: PointerWidth,
) -> Option<(Place, i64, bool)> {
    let into_wanted = instruction.op0_kind() == OpKind::Register
        && full(instruction.op0_register()) == full(wanted);
    into_wanted.then_some(())?;
    match (instruction.mnemonic(), instruction.op1_kind()) {
        (Mnemonic::Lea, OpKind::Memory) => {
            let (place, displacement) = memory_operand(instruction, width)?;
            Some((place, displacement, false))
        }
        (Mnemonic::Mov, OpKind::Register) => {
            Some((Place::Register(instruction.op1_register()), 0, false))
        }
        (Mnemonic::Mov, OpKind::Memory) => {
            let (place, displacement) = memory_operand(instruction, width)?;
            Some((place, displacement, true))
        }
        (Mnemonic::Mov, _) => Some((Place::Constant(instruction.immediate(1)), 0, false)),
        (Mnemonic::Add, kind) if kind != OpKind::Register && kind != OpKind::Memory => {
            Some((Place::Register(wanted), instruction.immediate(1).cast_signed(), false))
        }
        (Mnemonic::Sub, kind) if kind != OpKind::Register && kind != OpKind::Memory => Some((
            Place::Register(wanted),
            instruction.immediate(1).cast_signed().wrapping_neg(),
            false,
        )),
        _ => None,
    }
}

pub(super) fn memory_operand(
    instruction: &Instruction,
    width: PointerWidth,
) -> Option<(Place, i64)> {
    // fs and gs lead into the TEB.
    let is_plain = !matches!(instruction.memory_segment(), Iced::FS | Iced::GS);
    if instruction.memory_index() != Iced::None || !is_plain {
        return None;
    }
    let displacement = instruction.memory_displacement64();
    if instruction.is_ip_rel_memory_operand() || instruction.memory_base() == Iced::None {
        return Some((Place::Constant(width.truncate(displacement)), 0));
    }
    let signed = match width {
        PointerWidth::Four => i64::from(instruction.memory_displacement32().cast_signed()),
        PointerWidth::Eight => displacement.cast_signed(),
    };
    Some((Place::Register(instruction.memory_base()), signed))
}

/// The full registers that an instruction writes. A call writes the volatile ones, and moves no other.
pub(super) fn written(
    factory: &mut InstructionInfoFactory,
    instruction: &Instruction,
) -> Vec<Iced> {
    if instruction.flow_control() == FlowControl::Call
        || instruction.flow_control() == FlowControl::IndirectCall
    {
        return vec![Iced::RAX, Iced::RCX, Iced::RDX, Iced::R8, Iced::R9, Iced::R10, Iced::R11];
    }
    factory
        .info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE)
        .used_registers()
        .iter()
        .filter(|used| {
            !matches!(used.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess)
        })
        .map(|used| full(used.register()))
        .collect()
}

fn full(register: Iced) -> Iced {
    register.full_register()
}

pub(super) fn ours(register: Iced) -> Option<Register> {
    let number = u8::try_from(full(register).number()).ok()?;
    full(register).is_gpr().then(|| Register::from_number(number))?
}

/// The 64-bit register of this name.
pub(super) fn theirs(register: Register) -> Iced {
    let all =
        [Iced::RAX, Iced::RCX, Iced::RDX, Iced::RBX, Iced::RSP, Iced::RBP, Iced::RSI, Iced::RDI];
    let upper =
        [Iced::R8, Iced::R9, Iced::R10, Iced::R11, Iced::R12, Iced::R13, Iced::R14, Iced::R15];
    let mut named = all.into_iter().chain(upper);
    named.find(|one| ours(*one) == Some(register)).unwrap_or(Iced::None)
}

/// By how many bytes an instruction grows the stack; `None` when that is not known.
pub(super) fn grows(instruction: &Instruction) -> Option<u64> {
    let of_rsp =
        instruction.op0_kind() == OpKind::Register && full(instruction.op0_register()) == Iced::RSP;
    match instruction.mnemonic() {
        Mnemonic::Push => Some(8),
        Mnemonic::Sub if of_rsp && instruction.op1_kind() != OpKind::Register => {
            Some(instruction.immediate(1))
        }
        Mnemonic::Pop | Mnemonic::Enter | Mnemonic::Leave => None,
        _ if of_rsp && instruction.mnemonic() != Mnemonic::Cmp => None,
        _ => Some(0),
    }
}
