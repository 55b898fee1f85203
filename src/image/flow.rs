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
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Most instructions followed in one function.
const MAX_INSTRUCTIONS: usize = 4096;
/// Most instructions of a prologue.
const MAX_PROLOGUE: usize = 32;
/// Most instructions decoded for one dump.
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

/// What an instruction means for the frame pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameStep {
    /// `mov ebp, esp`.
    Set,
    /// `leave`, `pop ebp`: the caller's is back.
    Restored,
    /// ebp is something else.
    Lost,
    /// A return.
    Return,
    /// A jump.
    Jump,
}

/// What following a function's control flow found.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    instructions: BTreeMap<u64, u64>,
    written: HashSet<Iced>,
    /// Places behind calls at which the function may have ended.
    doubtful: BTreeSet<u64>,
    /// What happens to ebp, and where the code does not go on, by the instruction's address.
    frame_steps: BTreeMap<u64, FrameStep>,
    /// Whether an instruction but a call or a return changes the stack pointer.
    pub moves_stack: bool,
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

    /// Whether an instruction of the function begins at an address.
    #[must_use]
    pub fn holds(&self, address: u64) -> bool {
        self.instructions.contains_key(&address)
    }

    /// What happens to the frame pointer in a range of addresses, in their order.
    pub fn frame_steps(&self, range: Range<u64>) -> impl Iterator<Item = (u64, FrameStep)> + '_ {
        self.frame_steps.range(range).map(|(address, step)| (*address, *step))
    }

    /// Whether the function that starts at `start` runs through `ip`, and that is certainly no other function's part.
    ///
    /// - situation: behind a call that does not come back, the next function begins, perhaps after padding; a function may end by a jump to another.
    /// - example: `call RtlRaiseStatus`, five `nop`, and a function that is not exported; `pop ebp; jmp helper`.
    /// - handling: what lies behind a call, and then padding or what functions begin with, may be another function's; so may what lies behind bytes
    ///   that the function does not run through.
    /// - test: `what_lies_behind_a_last_call_may_be_the_next_functions`, `what_lies_behind_a_gap_may_be_another_functions`.
    #[must_use]
    pub fn surely_reaches(&self, start: u64, ip: u64) -> bool {
        if !self.reaches(ip) || start > ip || self.doubtful.range(start..ip).next().is_some() {
            return false;
        }
        let mut end = start;
        let mut way = self.instructions.range(start..ip);
        let is_whole = way.all(|(address, next)| {
            let follows = *address <= end;
            end = end.max(*next);
            follows
        });
        is_whole && end >= ip
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
            if may_be_last(&mut reader, &instruction) {
                flow.doubtful.insert(instruction.next_ip());
            }
            note_writes(&mut flow, &mut factory, &instruction);
            flow.frame_steps.extend(ends(&instruction).map(|step| (address, step)));
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

/// Where compilers begin functions, but for code that is to be small.
const FUNCTION_ALIGNMENT: u64 = 16;

/// Whether an instruction is a call behind which the next function may begin.
fn may_be_last(reader: &mut Reader<'_, '_>, instruction: &Instruction) -> bool {
    let is_call =
        matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
    let behind = instruction.next_ip();
    is_call
        && (behind.is_multiple_of(FUNCTION_ALIGNMENT)
            || reader.at(behind).is_none_or(|next| is_padding(&next) || begins(&next)))
}

/// Whether functions with a frame pointer begin so.
fn begins(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Push && instruction.op0_register() == Iced::EBP
}

/// Whether an instruction does nothing: `nop`, `lea esi, [esi+0]`, `mov edi, edi`, `add eax, 0`.
fn is_padding(instruction: &Instruction) -> bool {
    match instruction.mnemonic() {
        Mnemonic::Nop => true,
        Mnemonic::Lea => {
            instruction.memory_base() == instruction.op0_register()
                && instruction.memory_index() == Iced::None
                && instruction.memory_displacement64() == 0
        }
        Mnemonic::Add => {
            instruction.op1_kind() == OpKind::Immediate32 && instruction.immediate32() == 0
        }
        Mnemonic::Mov | Mnemonic::Xchg => {
            instruction.op1_kind() == OpKind::Register
                && instruction.op0_kind() == OpKind::Register
                && instruction.op0_register() == instruction.op1_register()
        }
        _ => false,
    }
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
        if !matches!(
            used.access(),
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        ) {
            continue;
        }
        let register = used.register().full_register32();
        flow.written.insert(register);
        flow.moves_stack |= register == Iced::ESP && !calls_or_returns(instruction);
        if register == Iced::EBP {
            flow.frame_steps.insert(instruction.ip(), changed(instruction));
        }
    }
}

fn calls_or_returns(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::Call | FlowControl::IndirectCall | FlowControl::Return
    )
}

/// What an instruction that writes to ebp makes of it.
fn changed(instruction: &Instruction) -> FrameStep {
    match instruction.mnemonic() {
        Mnemonic::Leave | Mnemonic::Pop => FrameStep::Restored,
        Mnemonic::Mov if instruction.op1_register() == Iced::ESP => FrameStep::Set,
        _ => FrameStep::Lost,
    }
}

/// Whether an instruction ends a way, as far as addresses in their order go.
fn ends(instruction: &Instruction) -> Option<FrameStep> {
    match instruction.flow_control() {
        FlowControl::Return => Some(FrameStep::Return),
        FlowControl::UnconditionalBranch | FlowControl::IndirectBranch => Some(FrameStep::Jump),
        _ => None,
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
#[path = "flow_tests.rs"]
mod tests;
