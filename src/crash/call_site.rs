//! How the caller formed the lock function's argument: the section's address, and a name for it.
//!
//! The instructions before the call are followed backwards from the argument's register (or push) to
//! something whose value is known at the call: a constant, a nonvolatile register, the stack pointer
//! (critical-sections.md 5, point 4).

use super::backwards::{Place, Walk, grows, memory_operand, theirs, written};
use super::call_site_arm64;
use super::function_code::{
    MAX_STEPS, before, behind_loops, ends, function_start, is_branch, is_call, straight,
    whole_function,
};
use super::stack::Scene;
use crate::dump::memory::{AddressSpace, PointerWidth};
use crate::image::registers::{Provenance, Register, RegisterFile};
use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register as Iced,
};

/// Where an argument's value starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// An address in the code itself: a global.
    Constant(u64),
    /// A register of the caller.
    Register(Register),
    /// The caller's own first argument, which it passes on.
    Own(Entry),
}

/// A function whose beginning the instructions before a call reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its address.
    pub start: u64,
    /// Bytes that it has put on the stack up to the call, its return address not counted.
    pub frame: u64,
}

/// An argument as the caller computed it: the base, then displacements with a memory read between each two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Where it starts.
    pub base: Base,
    /// `[d0]` is base + d0; `[d0, d1]` is *(base + d0) + d1, and so on.
    pub displacements: Vec<i64>,
}

impl Argument {
    /// The argument's value with the caller's registers.
    #[must_use]
    pub fn evaluate(&self, memory: &AddressSpace<'_>, registers: &RegisterFile) -> Option<u64> {
        let value = match self.base {
            Base::Constant(address) => address,
            // Nothing can be counted from a stack pointer that is not known exactly.
            Base::Register(register) => registers
                .get(register)
                .filter(|_| registers.provenance(register) != Provenance::AtLeast)?,
            Base::Own(_) => return None,
        };
        self.with(memory, registers.width(), value)
    }

    /// The argument's value when its base has this one.
    #[must_use]
    pub fn with(&self, memory: &AddressSpace<'_>, width: PointerWidth, base: u64) -> Option<u64> {
        let mut value = base;
        for (index, displacement) in self.displacements.iter().enumerate() {
            if index > 0 {
                value = memory.pointer(value, width)?;
            }
            value = width.truncate(value.wrapping_add_signed(*displacement));
        }
        Some(value)
    }

    /// The displacement of the section inside the object that holds it, when the caller shows one.
    #[must_use]
    pub fn member_offset(&self) -> Option<u64> {
        let last = self.displacements.last().copied()?;
        let of_object = self.displacements.len() > 1
            || matches!(self.base, Base::Register(register) if !is_frames(register));
        (of_object && last > 0).then(|| last.unsigned_abs())
    }

    /// Whether the value rests on nothing but the code: no register and no memory can have changed it.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self.base, Base::Constant(_)) && self.displacements.len() <= 1
    }
}

/// Whether a register leads into the frame: the stack pointer or the frame pointer.
pub(super) fn is_frames(register: Register) -> bool {
    register.is_stack_pointer() || register == Register::Rbp || register == Register::FP
}

/// Reads how the first argument of the call that ends at `return_address` was formed.
#[must_use]
pub fn argument(scene: Scene<'_, '_>, return_address: u64, call_address: u64) -> Option<Argument> {
    nth_argument(scene, return_address, call_address, Which::First)
}

/// Which argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The first.
    First,
    /// The third.
    Third,
}

impl Which {
    /// The x64 register that it is passed in.
    fn register(self) -> Iced {
        match self {
            Self::First => Iced::RCX,
            Self::Third => Iced::R8,
        }
    }

    /// The arguments before it.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Third => 2,
        }
    }

    /// The words on the x86 stack before it.
    fn words(self) -> u64 {
        match self {
            Self::First => 0,
            Self::Third => 2,
        }
    }
}

/// The same for one of the call's arguments; on ARM64 for the first alone.
#[must_use]
pub fn nth_argument(
    scene: Scene<'_, '_>,
    return_address: u64,
    call_address: u64,
    which: Which,
) -> Option<Argument> {
    if scene.is_arm64() {
        return (which == Which::First)
            .then(|| call_site_arm64::argument(scene, call_address))
            .flatten();
    }
    let width = scene.dump.system.pointer_width;
    let instructions = before(scene, call_address, return_address)?;
    let run = straight(&instructions, call_address);
    match width {
        PointerWidth::Eight => trace(run, which.register(), width),
        PointerWidth::Four => pushed(run, which),
    }
}

/// The same on x64, without the registers that a function gives back: what they hold is followed to where it was put there.
///
/// - situation: nothing in the dump says what a saved register of the caller held.
/// - example: `lea rbp, [rsp+80h]`, and later `mov rcx, [rbp+200h]`; or a function that is handed the section and
///   passes it on: `sub rsp, 28h`, `call [__imp_LeaveCriticalSection]`.
/// - handling: as in [`argument`], past calls too, to a constant, the stack pointer, or the function's own first argument; of a loop
///   around the call only where unwind data gives the function.
/// - test: `an_argument_is_followed_to_the_functions_own`.
#[must_use]
pub fn deep_argument(
    scene: Scene<'_, '_>,
    return_address: u64,
    call_address: u64,
) -> Option<Argument> {
    nth_deep_argument(scene, return_address, call_address, Which::First)
}

/// The same for one of the call's arguments.
#[must_use]
pub fn nth_deep_argument(
    scene: Scene<'_, '_>,
    return_address: u64,
    call_address: u64,
    which: Which,
) -> Option<Argument> {
    let instructions = behind_loops(scene, return_address, call_address)
        .or_else(|| before(scene, call_address, return_address))?;
    deep(&instructions, call_address, function_start(scene, return_address), which)
}

/// The constant that a call passes in each of its rounds.
#[must_use]
pub fn constant(scene: Scene<'_, '_>, return_address: u64, call_address: u64) -> Option<Argument> {
    let instructions = behind_loops(scene, return_address, call_address)?;
    let run = straight(&instructions, call_address);
    let found = match scene.dump.system.pointer_width {
        PointerWidth::Eight => trace(run, Iced::RCX, PointerWidth::Eight),
        PointerWidth::Four => pushed(run, Which::First),
    };
    found.filter(Argument::is_constant)
}

/// Whether a register of the instruction at `ip` still holds the first argument of its function (x64): nothing but moves leads from the
/// function's start to it, and no branch leads back there.
#[must_use]
pub(super) fn holds_argument(scene: Scene<'_, '_>, ip: u64, register: Register) -> bool {
    let held = || {
        (scene.dump.system.pointer_width == PointerWidth::Eight && !scene.is_arm64())
            .then_some(())?;
        let function = whole_function(scene, ip.checked_add(1)?)?;
        let start = function.first()?.ip();
        let place = function.iter().position(|one| one.ip() == ip)?;
        let comes_back =
            |one: &Instruction| is_branch(one) && (start..=ip).contains(&one.near_branch_target());
        let mut run = function.get(..place)?.to_vec();
        run.reverse();
        let is_straight = !run.iter().any(|one| is_branch(one) || is_call(one) || ends(one));
        (run.len() <= MAX_STEPS && is_straight && !function.iter().any(comes_back)).then_some(())?;
        let entry = Some(Entry { start, frame: 0 });
        let walk = Walk { width: PointerWidth::Eight, deep: true, entry };
        let argument = walk.follow(&run, Place::Register(theirs(register)), vec![0])?;
        Some(matches!(argument.base, Base::Own(_)) && argument.displacements == [0])
    };
    held() == Some(true)
}

fn deep(
    instructions: &[Instruction],
    call_address: u64,
    function: Option<u64>,
    which: Which,
) -> Option<Argument> {
    let run = straight(instructions, call_address);
    let entry = entry(instructions, run, function);
    let walk = Walk { width: PointerWidth::Eight, deep: true, entry };
    walk.follow(run, Place::Register(which.register()), vec![0])
}

/// The function that begins where the instructions before a call do.
///
/// - situation: the argument is the function's own, and which function that is matters.
/// - example: `ret`, `push rbx`, `sub rsp, 20h`; or the start that unwind data gives.
/// - handling: what stands behind the end of other code and begins as functions do, or where unwind data says so.
/// - test: `an_argument_is_followed_to_the_functions_own`.
fn entry(
    instructions: &[Instruction],
    run: &[Instruction],
    function: Option<u64>,
) -> Option<Entry> {
    let is_known = function.is_some() && run.last().map(Instruction::ip) == function;
    let is_behind_end = || instructions.get(run.len()).is_some_and(ends);
    (is_known || is_behind_end()).then_some(())?;
    let is_padding = |instruction: &&Instruction| instruction.mnemonic() == Mnemonic::Nop;
    let padding = run.iter().rev().take_while(is_padding).count();
    let body = run.get(..run.len().checked_sub(padding)?)?;
    // Prologues may begin with stores of registers into the caller's home space.
    let is_store = |one: &&Instruction| {
        one.mnemonic() == Mnemonic::Mov
            && one.op0_kind() == OpKind::Memory
            && one.memory_base() == Iced::RSP
    };
    let first = body.last()?;
    let mut after_stores = body.iter().rev().skip_while(is_store);
    after_stores.next().filter(|one| grows(one).is_some_and(|bytes| bytes > 0))?;
    let bytes = body.iter().try_fold(0u64, |sum, one| sum.checked_add(grows(one)?))?;
    Some(Entry { start: first.ip(), frame: bytes })
}

/// x86: the last word put on top of the stack before the call, or into a place further down.
fn pushed(instructions: &[Instruction], which: Which) -> Option<Argument> {
    let mut words = which.words();
    for (index, instruction) in instructions.iter().enumerate() {
        let rest = instructions.get(index.checked_add(1)?..)?;
        let found = match instruction.mnemonic() {
            Mnemonic::Push if words == 0 => operand(instruction, 0, rest),
            Mnemonic::Push => {
                words = words.checked_sub(1)?;
                continue;
            }
            Mnemonic::Mov if is_on_stack(instruction, words) => operand(instruction, 1, rest),
            _ if instruction.flow_control() != FlowControl::Next || moves_stack(instruction) => {
                return None;
            }
            _ => continue,
        };
        let since = instructions.get(..index)?;
        return found.filter(|argument| !is_written(argument, since));
    }
    None
}

/// Whether the register that an argument was taken from is written by later instructions: it holds something else at the call.
fn is_written(argument: &Argument, later: &[Instruction]) -> bool {
    let Base::Register(register) = argument.base else { return false };
    let mut factory = InstructionInfoFactory::new();
    later.iter().any(|one| written(&mut factory, one).contains(&theirs(register)))
}

/// Whether an instruction takes words off the stack, or moves its pointer.
pub(super) fn moves_stack(instruction: &Instruction) -> bool {
    grows(instruction) != Some(0)
}

fn is_on_stack(instruction: &Instruction, words: u64) -> bool {
    instruction.op0_kind() == OpKind::Memory
        && instruction.memory_base() == Iced::ESP
        && instruction.memory_index() == Iced::None
        && Some(instruction.memory_displacement64()) == words.checked_mul(4)
}

/// The value of an operand that was pushed or stored.
fn operand(instruction: &Instruction, index: u32, before: &[Instruction]) -> Option<Argument> {
    match instruction.op_kind(index) {
        OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate8to32 => Some(Argument {
            base: Base::Constant(instruction.immediate(index) & u64::from(u32::MAX)),
            displacements: vec![0],
        }),
        OpKind::Register => trace(before, instruction.op_register(index), PointerWidth::Four),
        OpKind::Memory => {
            let (base, displacement) = memory_operand(instruction, PointerWidth::Four)?;
            Walk::plain(PointerWidth::Four).follow(before, base, vec![displacement, 0])
        }
        _ => None,
    }
}

fn trace(before: &[Instruction], register: Iced, width: PointerWidth) -> Option<Argument> {
    Walk::plain(width).follow(before, Place::Register(register), vec![0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;
    use iced_x86::{Decoder, DecoderOptions};

    /// The argument of a call that follows `code` at 0x1000.
    fn argument_of(code: &[u8]) -> Option<Argument> {
        let mut decoder = Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE);
        let mut run: Vec<Instruction> = decoder.iter().collect();
        run.reverse();
        let call = 0x1000 + code.len() as u64;
        trace(straight(&run, call), Iced::RCX, PointerWidth::Eight)
    }

    const LEA_RCX: [u8; 7] = [0x48, 0x8d, 0x0d, 0x09, 0, 0, 0];

    #[test]
    fn an_argument_does_not_come_from_another_function() {
        let constant =
            |address| Some(Argument { base: Base::Constant(address), displacements: vec![0] });
        assert_eq!(argument_of(&LEA_RCX), constant(0x1010));
        // jmp, ret and int3 end the function before.
        for end in [&[0xeb, 0x10][..], &[0xc3], &[0xcc]] {
            assert_eq!(argument_of(&[&LEA_RCX, end, &[0x90; 4]].concat()), None, "{end:x?}");
        }
        // je over the lea: the call can be reached without it.
        assert_eq!(argument_of(&[&[0x74, 7][..], &LEA_RCX].concat()), None);
        // je to the lea: it is on every way.
        assert_eq!(argument_of(&[&[0x74, 1, 0x90][..], &LEA_RCX].concat()), constant(0x1013));
    }

    /// The same, followed through registers that are given back.
    fn deep_argument_of(code: &[u8], function: Option<u64>) -> Option<Argument> {
        let mut decoder = Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE);
        let mut run: Vec<Instruction> = decoder.iter().collect();
        run.reverse();
        deep(&run, 0x1000 + code.len() as u64, function, Which::First)
    }

    #[test]
    fn half_a_register_is_not_what_was_stored() {
        // ret; push rbp; mov rbp, rsp; sub rsp, 20h; mov [rbp+10h], rcx; ...; mov rcx, [rbp+10h]
        let head = [0xC3, 0x55, 0x48, 0x89, 0xE5, 0x48, 0x83, 0xEC, 0x20, 0x48, 0x89, 0x4D, 0x10];
        let argument_behind = |between: &[u8]| {
            let code = [&head[..], between, &[0x48, 0x8B, 0x4D, 0x10]].concat();
            deep_argument_of(&code, None).map(|argument| argument.base)
        };
        let own = Base::Own(Entry { start: 0x1001, frame: 0x28 });
        assert_eq!(argument_behind(&[]), Some(own));
        // mov [rbp+10h], edx; inc qword ptr [rbp+10h]: read from memory, for no register has it.
        for between in [&[0x89, 0x55, 0x10][..], &[0x48, 0xFF, 0x45, 0x10]] {
            assert_ne!(argument_behind(between), Some(own), "{between:x?}");
        }
        // mov [rbp+18h], edx
        assert_eq!(argument_behind(&[0x89, 0x55, 0x18]), Some(own));
    }

    #[test]
    fn an_argument_is_followed_to_the_functions_own() {
        let argument = |base, displacements: &[i64]| {
            Some(Argument { base, displacements: displacements.to_vec() })
        };
        let own = |start, frame| Base::Own(Entry { start, frame });
        // ret; push rbx; sub rsp, 20h; mov rbx, rcx; call rax; lea rcx, [rbx+18h]
        let head = [0xC3, 0x53, 0x48, 0x83, 0xEC, 0x20, 0x48, 0x89, 0xCB, 0xFF, 0xD0];
        let code = [&head[..], &[0x48, 0x8D, 0x4B, 0x18]].concat();
        assert_eq!(deep_argument_of(&code, None), argument(own(0x1001, 0x28), &[0x18]));
        // Nothing shows where the function begins.
        assert_eq!(deep_argument_of(&code[1..], None), None);
        // But unwind data does.
        assert_eq!(
            deep_argument_of(&code[1..], Some(0x1000)),
            argument(own(0x1000, 0x28), &[0x18])
        );
        // ret; push rbp; mov rbp, rsp; sub rsp, 20h; mov rax, [rbp+10h]; mov rcx, rax; mov rax, [rip]
        let frame = [0xC3, 0x55, 0x48, 0x89, 0xE5, 0x48, 0x83, 0xEC, 0x20, 0x48, 0x8B, 0x45, 0x10];
        let code = [&frame[..], &[0x48, 0x89, 0xC1, 0x48, 0x8B, 5, 0, 0, 0, 0]].concat();
        let rsp = Base::Register(Register::Rsp);
        assert_eq!(deep_argument_of(&code, None), argument(rsp, &[0x30, 0]));
        // The same with mov [rbp+10h], rcx behind the prologue: what is read is what was stored.
        let code =
            [&frame[..9], &[0x48, 0x89, 0x4D, 0x10], &frame[9..], &[0x48, 0x89, 0xC1]].concat();
        assert_eq!(deep_argument_of(&code, None), argument(own(0x1001, 0x28), &[0]));
        // The register that the section was taken from is used for something else before the call.
        let plain = [0x48, 0x89, 0xD9, 0x48, 0x89, 0xC3];
        assert_eq!(argument_of(&plain), None, "mov rcx, rbx; mov rbx, rax");
        assert!(argument_of(&plain[..3]).is_some());
    }

    /// The first and the third argument of the call of 2 bytes that `code` at 0x40_0000 ends in.
    fn first_and_third(cpu: Cpu, code: &[u8]) -> [Option<Base>; 2] {
        let file = Synth::new(cpu).memory(0x40_0000, code).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let end = 0x40_0000 + code.len() as u64;
        let base = |which| Some(nth_argument(scene, end, end - 2, which)?.base);
        [base(Which::First), base(Which::Third)]
    }

    const CALL: [u8; 2] = [0xFF, 0xD6];

    #[test]
    fn the_third_argument_is_its_own() {
        let [rdi, rbx] = [Register::Rdi, Register::Rbx].map(|one| Some(Base::Register(one)));
        let x64 = |code: &[&[u8]]| first_and_third(Cpu::Amd64, &[code, &[&CALL]].concat().concat());
        // mov r8, rbx; xor edx, edx; mov rcx, rdi
        let (third, first) = ([0x49, 0x89, 0xD8, 0x31, 0xD2], [0x48, 0x89, 0xF9]);
        assert_eq!(x64(&[&third, &first]), [rdi, rbx]);
        // A call in between leaves nothing in r8.
        assert_eq!(x64(&[&third, &[0xFF, 0xD0], &first]), [rdi, None]);
        let x86 = |code: &[&[u8]]| first_and_third(Cpu::X86, &[code, &[&CALL]].concat().concat());
        // push ebx; push 0; push edi
        assert_eq!(x86(&[&[0x53, 0x6A, 0, 0x57]]), [rdi, rbx]);
        // mov [esp+8], ebx; mov dword ptr [esp+4], 0; mov [esp], edi
        let stored = [0x89, 0x5C, 0x24, 8, 0xC7, 0x44, 0x24, 4, 0, 0, 0, 0, 0x89, 0x3C, 0x24];
        assert_eq!(x86(&[&stored]), [rdi, rbx]);
        // mov [esp], ebx; push 0; push edi: two words further down at the call.
        assert_eq!(x86(&[&[0x89, 0x1C, 0x24, 0x6A, 0, 0x57]]), [rdi, rbx]);
        // push ebx; push edi: two words make no third argument.
        assert_eq!(x86(&[&[0x90, 0x53, 0x57]]), [rdi, None]);
        // push ebx; push 0; call eax; push eax; push edi: a call in between took what was pushed, as far as is known.
        assert_eq!(x86(&[&[0x53, 0x6A, 0, 0xFF, 0xD0, 0x50, 0x57]]), [rdi, None]);
    }
}
