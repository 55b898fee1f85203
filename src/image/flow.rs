//! Where the control flow of an x86 or x64 function goes: which instructions belong to it, and, on x86, which
//! registers it saves.
//!
//! x86 has no unwind data, and Microsoft's compilers cut functions into parts placed far apart, so that
//! neither the nearest export below an address nor its distance says which function an address is in
//! (critical-sections.md 0.1). Following the jumps from the function's start does.

use super::registers::Register;
use crate::dump::memory::{AddressSpace, PointerWidth};
use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory,
    InstructionInfoOptions, Mnemonic, OpAccess, OpKind, Register as Iced,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most instructions followed in one function.
const MAX_INSTRUCTIONS: usize = 4096;
/// Most instructions of a prologue.
const MAX_PROLOGUE: usize = 32;
/// Most instructions decoded for one dump; the dumps of the lab need up to 7,100.
const MAX_WORK: u64 = 1_000_000;
/// Most functions kept followed.
const MAX_CACHED: usize = 1024;
/// Most instructions in the functions kept; each costs about 30 bytes.
const MAX_KEPT: usize = 1 << 18;
/// Longest x86 instruction in bytes.
const MAX_LENGTH: usize = 15;

/// A nonvolatile register that the prologue pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedRegister {
    /// The register.
    pub register: Register,
    /// Distance in bytes of its slot below the slot of the return address.
    pub below_return: u64,
}

/// What following a function's control flow found.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    instructions: BTreeMap<u64, u64>,
    written: HashSet<Iced>,
    /// Registers that the prologue saves.
    pub saved: Vec<SavedRegister>,
    /// Whether every path was followed to its end: no unreadable code, no indirect jump, no limit hit.
    pub complete: bool,
}

impl Flow {
    /// Whether the function runs through `ip`: as the instruction about to run, or as the one behind a
    /// call (which may be the last of its part).
    #[must_use]
    pub fn reaches(&self, ip: u64) -> bool {
        let before = self.instructions.range(..ip).next_back();
        self.instructions.contains_key(&ip) || before.is_some_and(|(_, end)| *end == ip)
    }

    /// Whether the function is known to leave a register alone.
    #[must_use]
    pub fn leaves_alone(&self, register: Register) -> bool {
        self.complete && to_iced(register).is_some_and(|register| !self.written.contains(&register))
    }
}

/// Functions already followed, by their start, and how much of the work allowed for one dump is done.
#[derive(Debug, Default)]
pub struct FlowCache {
    flows: Mutex<Kept>,
    spent: AtomicU64,
    cut: Mutex<BTreeSet<&'static str>>,
}

#[derive(Debug, Default)]
struct Kept {
    flows: HashMap<u64, Arc<Flow>>,
    /// Instructions in them.
    instructions: usize,
}

impl FlowCache {
    /// Notes `instructions` as decoded, or as much other work; false when [`MAX_WORK`] is reached.
    ///
    /// - situation: walking an x86 stack decodes code for every word that may be a return address.
    /// - example: a stack of 2 MB in which every word follows a call to another function of 4096 instructions.
    /// - handling: all decoding for one dump has one limit; beyond it nothing more is proven, and the rest of the
    ///   stack is what frame pointers and scanning give.
    /// - test: `every_word_of_the_stack_calls_a_long_function` (tests/hostile).
    pub fn spend(&self, instructions: usize) -> bool {
        let before = self.spent.fetch_add(instructions as u64, Ordering::Relaxed);
        if before >= MAX_WORK {
            self.cut("decoding of code (1,000,000 instructions)");
        }
        before < MAX_WORK
    }

    /// Notes that a bounded search ended at its bound; `what` names the search and the bound.
    pub fn cut(&self, what: &'static str) {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
    }

    /// The searches that ended at their bounds: what was not looked at may hold more.
    #[must_use]
    pub fn cuts(&self) -> Vec<&'static str> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// What was spent so far, in instructions.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// Follows the function that starts at `start`, once.
    #[must_use]
    pub fn follow(&self, space: &AddressSpace<'_>, start: u64, width: PointerWidth) -> Arc<Flow> {
        let mut kept = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flow) = kept.flows.get(&start) {
            return Arc::clone(flow);
        }
        if kept.flows.len() >= MAX_CACHED || kept.instructions >= MAX_KEPT {
            *kept = Kept::default();
        }
        let allowed = self.spend(0);
        let flow = if allowed { follow(space, start, width) } else { Flow::default() };
        let flow = Arc::new(flow);
        self.spend(flow.instructions.len());
        kept.instructions = kept.instructions.saturating_add(flow.instructions.len());
        kept.flows.insert(start, Arc::clone(&flow));
        flow
    }
}

/// Decodes one instruction.
#[must_use]
pub fn decode(space: &AddressSpace<'_>, address: u64, width: PointerWidth) -> Option<Instruction> {
    let bytes = space.read_up_to(address, MAX_LENGTH);
    let instruction = Decoder::with_ip(bits(width), &bytes, address, DecoderOptions::NONE).decode();
    (!instruction.is_invalid()).then_some(instruction)
}

/// Decodes instruction after instruction: straight code by one decoder, as a new one for each costs more than the
/// decoding.
struct Reader<'s, 'a> {
    space: &'s AddressSpace<'a>,
    width: PointerWidth,
    decoder: Option<Decoder<'a>>,
}

impl Reader<'_, '_> {
    fn at(&mut self, address: u64) -> Option<Instruction> {
        let follows = |decoder: &Decoder<'_>| decoder.ip() == address && has_room(decoder);
        if !self.decoder.as_ref().is_some_and(follows) {
            let tail = self.space.tail(address)?;
            let decoder = Decoder::with_ip(bits(self.width), tail, address, DecoderOptions::NONE);
            self.decoder = Some(decoder).filter(has_room);
        }
        let Some(decoder) = &mut self.decoder else {
            return decode(self.space, address, self.width);
        };
        let instruction = decoder.decode();
        (!instruction.is_invalid()).then_some(instruction)
    }
}

fn bits(width: PointerWidth) -> u32 {
    match width {
        PointerWidth::Four => 32,
        PointerWidth::Eight => 64,
    }
}

/// Whether the longest instruction fits before the decoder's bytes end; else it may go on in the next region.
fn has_room(decoder: &Decoder<'_>) -> bool {
    decoder.max_position().saturating_sub(decoder.position()) >= MAX_LENGTH
}

/// Follows the function that starts at `start`.
#[must_use]
pub fn follow(space: &AddressSpace<'_>, start: u64, width: PointerWidth) -> Flow {
    let saved = match width {
        PointerWidth::Four => prologue_saves(space, start),
        PointerWidth::Eight => Vec::new(),
    };
    let mut flow = Flow { complete: true, saved, ..Flow::default() };
    let mut factory = InstructionInfoFactory::new();
    let mut reader = Reader { space, width, decoder: None };
    let mut open = vec![start];
    while let Some(mut address) = open.pop() {
        while !flow.instructions.contains_key(&address) {
            if flow.instructions.len() >= MAX_INSTRUCTIONS {
                flow.complete = false;
                return flow;
            }
            let Some(instruction) = reader.at(address) else {
                flow.complete = false;
                break;
            };
            flow.instructions.insert(address, instruction.next_ip());
            note_writes(&mut flow, &mut factory, &instruction);
            match next(&instruction, &mut open) {
                Next::At(following) => address = following,
                Next::End => break,
                Next::Unknown => {
                    flow.complete = false;
                    break;
                }
            }
        }
    }
    flow
}

enum Next {
    At(u64),
    End,
    Unknown,
}

fn next(instruction: &Instruction, open: &mut Vec<u64>) -> Next {
    match instruction.flow_control() {
        FlowControl::ConditionalBranch => {
            open.push(instruction.near_branch_target());
            Next::At(instruction.next_ip())
        }
        FlowControl::UnconditionalBranch => Next::At(instruction.near_branch_target()),
        FlowControl::Return | FlowControl::Exception => Next::End,
        FlowControl::Interrupt if instruction.code() == Code::Int3 => Next::End,
        FlowControl::IndirectBranch => Next::Unknown,
        _ => Next::At(instruction.next_ip()),
    }
}

fn note_writes(flow: &mut Flow, factory: &mut InstructionInfoFactory, instruction: &Instruction) {
    let info = factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
    for used in info.used_registers() {
        if matches!(
            used.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        ) {
            flow.written.insert(used.register().full_register32());
        }
    }
}

/// The nonvolatile registers pushed before the first branch or call. A register that was not yet written
/// still has the caller's value, so that its slot does too, whatever the push was for.
fn prologue_saves(space: &AddressSpace<'_>, start: u64) -> Vec<SavedRegister> {
    let mut saved: Vec<SavedRegister> = Vec::new();
    let mut written = HashSet::new();
    let mut factory = InstructionInfoFactory::new();
    let mut depth: u64 = 0;
    let mut address = start;
    for _ in 0..MAX_PROLOGUE {
        let Some(instruction) = decode(space, address, PointerWidth::Four) else { break };
        if instruction.flow_control() != FlowControl::Next {
            break;
        }
        match stack_effect(&instruction) {
            Some(bytes) => depth = depth.saturating_add(bytes),
            None => break,
        }
        if let Some(register) = pushed(&instruction).filter(|register| !written.contains(register))
        {
            let known = saved.iter().any(|slot| slot.register == register);
            if !known {
                saved.push(SavedRegister { register, below_return: depth });
            }
        }
        for used in factory
            .info_options(&instruction, InstructionInfoOptions::NO_MEMORY_USAGE)
            .used_registers()
        {
            if matches!(used.access(), OpAccess::Write | OpAccess::ReadWrite | OpAccess::CondWrite)
            {
                written.extend(from_iced(used.register().full_register32()));
            }
        }
        address = instruction.next_ip();
    }
    saved
}

/// By how many bytes an instruction lowers the stack pointer; `None` when that is not plain.
fn stack_effect(instruction: &Instruction) -> Option<u64> {
    let on_esp = instruction.op_count() > 0
        && instruction.op0_kind() == OpKind::Register
        && instruction.op0_register() == Iced::ESP;
    match instruction.mnemonic() {
        Mnemonic::Push => Some(4),
        Mnemonic::Sub if on_esp && instruction.op1_kind() != OpKind::Register => {
            Some(instruction.immediate(1))
        }
        Mnemonic::Pop | Mnemonic::Leave | Mnemonic::Enter | Mnemonic::Pushad | Mnemonic::Pushfd => {
            None
        }
        _ if on_esp => None,
        _ => Some(0),
    }
}

fn pushed(instruction: &Instruction) -> Option<Register> {
    if instruction.mnemonic() != Mnemonic::Push || instruction.op0_kind() != OpKind::Register {
        return None;
    }
    from_iced(instruction.op0_register()).filter(|register| {
        matches!(register, Register::Rbx | Register::Rbp | Register::Rsi | Register::Rdi)
    })
}

fn from_iced(register: Iced) -> Option<Register> {
    Register::ALL.into_iter().find(|ours| to_iced(*ours) == Some(register))
}

fn to_iced(register: Register) -> Option<Iced> {
    match register {
        Register::Rax => Some(Iced::EAX),
        Register::Rcx => Some(Iced::ECX),
        Register::Rdx => Some(Iced::EDX),
        Register::Rbx => Some(Iced::EBX),
        Register::Rsp => Some(Iced::ESP),
        Register::Rbp => Some(Iced::EBP),
        Register::Rsi => Some(Iced::ESI),
        Register::Rdi => Some(Iced::EDI),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::memory::{MemorySource, Region};

    fn space(bytes: &[u8]) -> AddressSpace<'_> {
        AddressSpace::new([Region { base: 0x1000, bytes, source: MemorySource::MemoryList }])
    }

    #[test]
    fn follows_a_function_into_its_far_part() {
        let mut code = vec![0xCC; 0x100];
        // push ebp; mov ebp,esp; push esi; test eax,eax; jz 0x1080; pop esi; pop ebp; ret
        code[..11]
            .copy_from_slice(&[0x55, 0x8B, 0xEC, 0x56, 0x85, 0xC0, 0x74, 0x78, 0x5E, 0x5D, 0xC3]);
        // the far part: call 0x1090 and nothing behind it
        code[0x80..0x85].copy_from_slice(&[0xE8, 0x0B, 0x00, 0x00, 0x00]);
        let flow = follow(&space(&code), 0x1000, PointerWidth::Four);
        assert!(flow.reaches(0x1085), "the address behind the last call");
        assert!(flow.reaches(0x1008));
        assert!(!flow.reaches(0x1090), "a callee is another function");
        assert_eq!(
            flow.saved,
            [
                SavedRegister { register: Register::Rbp, below_return: 4 },
                SavedRegister { register: Register::Rsi, below_return: 8 },
            ]
        );
        assert!(
            flow.complete && flow.leaves_alone(Register::Rdi) && !flow.leaves_alone(Register::Rsi)
        );
    }

    #[test]
    fn follows_over_the_border_of_two_regions() {
        // mov eax,0x01020304; ret, cut in the mov; and enough behind it for one decoder.
        let mut code = vec![0xB8, 4, 3, 2, 1, 0xC3];
        code.resize(32, 0xCC);
        let (head, tail) = code.split_at(3);
        let region = |base, bytes| Region { base, bytes, source: MemorySource::MemoryList };
        let space = AddressSpace::new([region(0x1000, head), region(0x1003, tail)]);
        let flow = follow(&space, 0x1000, PointerWidth::Four);
        assert!(flow.complete && flow.reaches(0x1005) && !flow.reaches(0x1003));
    }

    #[test]
    fn code_that_cannot_be_read_leaves_the_flow_incomplete() {
        let flow = follow(&space(&[0x55, 0x8B, 0xEC]), 0x1000, PointerWidth::Four);
        assert!(!flow.complete && !flow.leaves_alone(Register::Rdi));
    }
}
