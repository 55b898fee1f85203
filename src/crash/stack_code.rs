//! One step up an x64 stack by the code that is left to run.
//!
//! Small dumps have the program's code around what the stack points to, and often not the table of its unwind data. What a function still does
//! before its `ret` says where its return address lies, and which registers it gives back ("x64 calling convention" and "x64 prolog and epilog",
//! learn.microsoft.com/cpp/build).

use super::frame::{Frame, Trust};
use super::function_code;
use super::replay::known::ends;
use super::stack::{Caller, Scene, is_return_address};
use crate::dump::memory::PointerWidth;
use crate::image::IpKind;
use crate::image::epilogue::general;
use crate::image::flow::decode;
use crate::image::registers::{Provenance, Register, RegisterFile};
use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
    Register as Iced,
};
use std::collections::{HashMap, HashSet};

/// Most instructions followed from one frame, over all ways.
const MAX_INSTRUCTIONS: usize = 256;
/// Bytes that a caller leaves above the stack pointer for what it calls ("x64 stack usage", learn.microsoft.com/cpp/build).
const HOME: u64 = 0x20;
/// Most bytes of a frame.
const MAX_FRAME: u64 = 0x2_0000;
const WIDTH: PointerWidth = PointerWidth::Eight;

/// The caller of a frame, by following its function to a return.
///
/// - situation: a small dump without the table of unwind data; a scan takes any old word behind a call for the caller.
/// - example: `add rsp, 48h; pop rbx; pop rsi; ret` behind the call that failed: the return address is 0x58 bytes above the stack pointer.
/// - handling: where the dump lacks the table: every way from the frame's address on, calls left out, until one returns to a place behind a call, or in
///   another module than the program's whose code is not in the dump. Where that call's target is known, its function has to lead to the frame's address. The
///   return address lies above the room that the frame has left for what it calls, 8 bytes before a multiple of 16. A way ends at what is not in the dump, at a
///   call that does not come back, at an indirect jump, and where the stack pointer is not known.
/// - test: `a_function_is_left_by_its_own_code`, `small_dumps_are_walked_by_code` (tests/accuracy).
pub(super) fn step(scene: Scene<'_, '_>, frame: &Frame) -> Option<Caller> {
    // In front of its prologue's end, a function has not saved all that it will restore.
    (frame.ip_kind == IpKind::ReturnAddress).then_some(())?;
    let is_described = function_code::has_table(scene, frame.lookup_address());
    (!is_described && !is_last_call(scene, frame.registers.ip())).then_some(())?;
    let start = Way {
        ip: frame.registers.ip(),
        sp: frame.registers.sp()?,
        registers: frame.registers.clone(),
        stored: HashMap::new(),
    };
    let mut run = Run {
        scene,
        bottom: start.sp,
        left: MAX_INSTRUCTIONS,
        seen: HashSet::new(),
        open: vec![start],
        factory: InstructionInfoFactory::new(),
    };
    while let Some(way) = run.open.pop() {
        if let Some(caller) = run.follow(way).and_then(|way| caller(scene, frame, &way)) {
            return Some(caller);
        }
    }
    None
}

/// A place in the function, and what the machine holds there.
#[derive(Debug, Clone)]
struct Way {
    ip: u64,
    sp: u64,
    registers: RegisterFile,
    /// What the way has written to the stack, by the address; `None` is not known.
    stored: HashMap<u64, Option<(u64, Provenance)>>,
}

struct Run<'s, 'd> {
    scene: Scene<'s, 'd>,
    /// The frame's stack pointer: what it holds lies above.
    bottom: u64,
    left: usize,
    seen: HashSet<u64>,
    open: Vec<Way>,
    factory: InstructionInfoFactory,
}

impl Run<'_, '_> {
    /// The state at the first `ret` on a way; of a branch, the other side is left open.
    fn follow(&mut self, mut way: Way) -> Option<Way> {
        while self.seen.insert(way.ip) {
            self.left = self.left.checked_sub(1)?;
            self.scene.flows.spend(1).then_some(())?;
            let instruction = decode(&self.scene.dump.memory, way.ip, WIDTH)?;
            let next = instruction.next_ip();
            match instruction.flow_control() {
                FlowControl::Return => {
                    return (instruction.code() == Code::Retnq).then_some(way);
                }
                FlowControl::ConditionalBranch => {
                    let target = instruction.near_branch_target();
                    self.open.push(Way { ip: target, ..way.clone() });
                    way.ip = next;
                }
                FlowControl::UnconditionalBranch => way.ip = instruction.near_branch_target(),
                FlowControl::Call | FlowControl::IndirectCall => {
                    (!is_last_call(self.scene, next)).then_some(())?;
                    way.forget_volatile();
                    way.ip = next;
                }
                FlowControl::Next => {
                    self.apply(&mut way, &instruction)?;
                    way.ip = next;
                }
                _ => return None,
            }
        }
        None
    }

    /// What a plain instruction does to the stack, its pointer, and the registers.
    fn apply(&mut self, way: &mut Way, instruction: &Instruction) -> Option<()> {
        match instruction.mnemonic() {
            Mnemonic::Pop => {
                let register = register_of(instruction, 0)?;
                self.load(way, register, way.sp);
                way.sp = way.sp.checked_add(8)?;
            }
            Mnemonic::Push => {
                way.sp = way.sp.checked_sub(8)?;
                way.store(way.sp, register_of(instruction, 0));
            }
            Mnemonic::Leave => {
                let base = way.registers.get(Register::Rbp)?;
                self.load(way, Register::Rbp, base);
                way.sp = base.checked_add(8)?;
            }
            _ if writes(instruction, Iced::RSP) => way.sp = moved(way, instruction)?,
            Mnemonic::Mov if loaded(way, instruction).is_some() => {
                let (register, at) = loaded(way, instruction)?;
                self.load(way, register, at);
            }
            Mnemonic::Mov | Mnemonic::Lea if register_of(instruction, 0).is_some() => {
                let value = moved(way, instruction);
                let known = value.map_or(Provenance::Unknown, |_| Provenance::Computed);
                way.registers.set(register_of(instruction, 0)?, value.unwrap_or(0), known);
            }
            _ => self.forget(way, instruction)?,
        }
        // A frame lies above the stack pointer, but for what is pushed for a call.
        let reach = self.bottom.checked_add(MAX_FRAME)?;
        (self.bottom.saturating_sub(MAX_FRAME)..reach).contains(&way.sp).then_some(())
    }

    fn load(&self, way: &mut Way, register: Register, address: u64) {
        // Below the frame lies what calls have left there.
        let in_dump = || {
            let value = self.scene.dump.memory.u64(address).filter(|_| address >= self.bottom)?;
            Some((value, Provenance::Restored { address }))
        };
        let known = way.stored.get(&address).copied().unwrap_or_else(in_dump);
        let (value, provenance) = known.unwrap_or((0, Provenance::Unknown));
        way.registers.set(register, value, provenance);
    }

    /// What an instruction of another kind writes to is not known any more; `None` where that is the stack pointer.
    fn forget(&mut self, way: &mut Way, instruction: &Instruction) -> Option<()> {
        let info = self.factory.info(instruction);
        for used in info.used_registers() {
            let is_read = matches!(used.access(), OpAccess::Read | OpAccess::CondRead);
            let register = general(used.register().full_register()).filter(|_| !is_read);
            (register != Some(Register::Rsp)).then_some(())?;
            if let Some(register) = register {
                way.registers.set(register, 0, Provenance::Unknown);
            }
        }
        let is_store = instruction.op_count() > 0
            && instruction.op0_kind() == OpKind::Memory
            && info.used_memory().iter().any(|used| {
                !matches!(
                    used.access(),
                    OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
                )
            });
        if let Some(at) = address(way, instruction).filter(|_| is_store) {
            let is_whole = instruction.mnemonic() == Mnemonic::Mov && at.is_multiple_of(8);
            way.store(at & !7, register_of(instruction, 1).filter(|_| is_whole));
            // Up to 64 bytes are written at once.
            let more = instruction.memory_size().size() > 8 || !at.is_multiple_of(8);
            (1..=8u64).filter(|_| more).for_each(|index| {
                way.store((at & !7).wrapping_add(index.wrapping_mul(8)), None);
            });
        }
        Some(())
    }
}

impl Way {
    fn store(&mut self, address: u64, register: Option<Register>) {
        let value = register.and_then(|register| {
            Some((self.registers.get(register)?, self.registers.provenance(register)))
        });
        self.stored.insert(address, value);
    }

    fn forget_volatile(&mut self) {
        for register in Register::ALL.into_iter().filter(|one| !one.is_nonvolatile(WIDTH)) {
            self.registers.set(register, 0, Provenance::Unknown);
        }
    }
}

/// Whether the call that ends at an address does not come back.
fn is_last_call(scene: Scene<'_, '_>, return_address: u64) -> bool {
    let callee = scene.call_site(return_address).and_then(|site| scene.callee(&site));
    callee.as_ref().and_then(|callee| callee.name()).is_some_and(ends)
}

/// The caller, at a `ret`.
fn caller(scene: Scene<'_, '_>, frame: &Frame, way: &Way) -> Option<Caller> {
    let slot = way.sp;
    let least = frame.registers.sp()?.checked_add(HOME)?;
    (slot >= least && slot.checked_add(8)?.is_multiple_of(16)).then_some(())?;
    let ip = scene.dump.memory.u64(slot)?;
    is_return_address(scene, ip).then_some(())?;
    let module = scene.dump.module_at(ip.checked_sub(1)?)?;
    let is_seen = scene.dump.memory.u8(ip.checked_sub(1)?).is_some();
    (is_seen || !module.is_of_program()).then_some(())?;
    let site = scene.call_site(ip);
    let target = site.and_then(|site| scene.target(&site));
    let flow = target.map(|target| scene.flows.follow(&scene.dump.memory, target, WIDTH));
    let is_own = flow.as_ref().map(|flow| flow.reaches(frame.registers.ip()));
    // What goes on behind a call that does not come back may be the next function.
    let is_complete = flow.is_some_and(|flow| flow.complete);
    let trust = match is_own {
        Some(true) => Trust::CallTarget,
        Some(false) => return None,
        None => Trust::Code,
    };
    let sp = slot.checked_add(8)?;
    let mut registers = RegisterFile::new(WIDTH, ip, sp);
    registers.set(Register::Rsp, sp, Provenance::Computed);
    let kept = Register::ALL.into_iter().filter(|one| one.is_nonvolatile(WIDTH));
    for register in kept.filter(|one| !one.is_stack_pointer()) {
        if let Some(value) = way.registers.get(register) {
            let provenance = match way.registers.provenance(register) {
                Provenance::Context => Provenance::Unchanged,
                other => other,
            };
            registers.set(register, value, provenance);
        }
    }
    Some(Caller {
        registers,
        ip_kind: IpKind::ReturnAddress,
        trust,
        return_slot: Some(slot),
        callee_start: target.filter(|_| is_complete),
    })
}

fn register_of(instruction: &Instruction, operand: u32) -> Option<Register> {
    let is_register = instruction.op_kind(operand) == OpKind::Register;
    is_register.then(|| general(instruction.op_register(operand))).flatten()
}

fn writes(instruction: &Instruction, register: Iced) -> bool {
    instruction.op_count() > 0
        && instruction.op0_kind() == OpKind::Register
        && instruction.op0_register().full_register() == register
        && !matches!(instruction.mnemonic(), Mnemonic::Cmp | Mnemonic::Test)
}

/// What an instruction sets its first operand to: the stack pointer by an addition or a subtraction; another register, or an address.
fn moved(way: &Way, instruction: &Instruction) -> Option<u64> {
    let is_immediate =
        matches!(instruction.op1_kind(), OpKind::Immediate8to64 | OpKind::Immediate32to64);
    match instruction.mnemonic() {
        Mnemonic::Add if is_immediate => Some(way.sp.wrapping_add(instruction.immediate(1))),
        Mnemonic::Sub if is_immediate => Some(way.sp.wrapping_sub(instruction.immediate(1))),
        Mnemonic::Mov => match register_of(instruction, 1)? {
            Register::Rsp => Some(way.sp),
            other => way.registers.get(other),
        },
        Mnemonic::Lea => address(way, instruction),
        _ => None,
    }
}

/// The register and the slot of a load of 8 bytes from the frame.
fn loaded(way: &Way, instruction: &Instruction) -> Option<(Register, u64)> {
    let register = register_of(instruction, 0)?;
    (instruction.op1_kind() == OpKind::Memory)
        .then(|| address(way, instruction))
        .flatten()
        .map(|at| (register, at))
}

/// The address that a memory operand without an index names, when its base is the stack pointer or known.
fn address(way: &Way, instruction: &Instruction) -> Option<u64> {
    (instruction.memory_index() == Iced::None).then_some(())?;
    let base = match instruction.memory_base() {
        Iced::RSP => way.sp,
        other => way.registers.get(general(other)?)?,
    };
    Some(base.wrapping_add(instruction.memory_displacement64()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::frame::Frame;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;

    const BASE: u64 = 0x40_0000;
    const STACK: u64 = 0x10_0000;

    /// The caller of a frame at +100h whose code is there; `call` ends at +50h, and the stack has these words.
    fn caller_of(code: &[u8], call: &[u8], words: &[u64]) -> Option<Caller> {
        let mut image = vec![0xCC; 0x400];
        image[0x50 - call.len()..0x50].copy_from_slice(call);
        image[0x100..0x100 + code.len()].copy_from_slice(code);
        let stack: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let file = Synth::new(Cpu::Amd64)
            .module(BASE, 0x1000, "app.exe", [1, 0, 0, 0])
            .memory(BASE, image)
            .memory(STACK, stack)
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(BASE, 0x1000)]);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut registers = RegisterFile::new(WIDTH, BASE + 0x100, STACK);
        registers.set(Register::Rsp, STACK, Provenance::Computed);
        registers.set(Register::Rbx, 0xB, Provenance::Context);
        let frame = Frame {
            registers,
            ip_kind: IpKind::ReturnAddress,
            trust: Trust::CallTarget,
            return_slot: None,
            module: Some(BASE),
            start: None,
            function: None,
        };
        step(scene, &frame)
    }

    /// A call of +100h itself, and one through a register.
    const DIRECT: [u8; 5] = [0xE8, 0xB0, 0, 0, 0];
    const INDIRECT: [u8; 2] = [0xFF, 0xD0];

    /// Home space of four words, one that was pushed, and the return address.
    const WORDS: [u64; 8] = [0, 0, 0, 0, 0x51, BASE + 0x50, 0, 0];
    /// add rsp,20h; pop rsi; ret
    const PLAIN: [u8; 6] = [0x48, 0x83, 0xC4, 0x20, 0x5E, 0xC3];

    #[test]
    fn a_function_is_left_by_its_own_code() {
        let caller = caller_of(&PLAIN, &DIRECT, &WORDS).unwrap();
        assert_eq!((caller.trust, caller.return_slot), (Trust::CallTarget, Some(STACK + 0x28)));
        assert_eq!(caller.callee_start, Some(BASE + 0x100));
        let held =
            |register| (caller.registers.get(register), caller.registers.provenance(register));
        assert_eq!(
            held(Register::Rsi),
            (Some(0x51), Provenance::Restored { address: STACK + 0x20 })
        );
        assert_eq!(held(Register::Rbx), (Some(0xB), Provenance::Unchanged));
        assert_eq!(caller.registers.sp(), Some(STACK + 0x30));
        // Through a register: nothing says whom it called.
        let caller = caller_of(&PLAIN, &INDIRECT, &WORDS).unwrap();
        assert_eq!((caller.trust, caller.callee_start), (Trust::Code, None));
        // lea r11,[rsp+20h]; mov rsp,r11; pop rsi; ret
        let msvc = [0x4C, 0x8D, 0x5C, 0x24, 0x20, 0x49, 0x8B, 0xE3, 0x5E, 0xC3];
        assert_eq!(caller_of(&msvc, &DIRECT, &WORDS).unwrap().return_slot, Some(STACK + 0x28));
    }

    #[test]
    fn what_the_code_writes_is_what_it_reads() {
        // add rsp,28h; push rbx; mov ebx,1; pop rbx; ret: as a tail call leaves the frame and begins another.
        let tail = [0x48, 0x83, 0xC4, 0x28, 0x53, 0xBB, 1, 0, 0, 0, 0x5B, 0xC3];
        let caller = caller_of(&tail, &DIRECT, &WORDS).unwrap();
        assert_eq!(caller.registers.get(Register::Rbx), Some(0xB));
        // mov [rsp+20h],rbx; mov ebx,1; mov rbx,[rsp+20h]; add rsp,28h; ret
        let saved = [
            &[0x48, 0x89, 0x5C, 0x24, 0x20, 0xBB, 1, 0, 0, 0][..],
            &[0x48, 0x8B, 0x5C, 0x24, 0x20, 0x48, 0x83, 0xC4, 0x28, 0xC3],
        ];
        let caller = caller_of(&saved.concat(), &DIRECT, &WORDS).unwrap();
        assert_eq!(caller.registers.get(Register::Rbx), Some(0xB));
        // pushfq; pop rax; add rsp,28h; ret
        let flags = [0x9C, 0x58, 0x48, 0x83, 0xC4, 0x28, 0xC3];
        assert!(caller_of(&flags, &DIRECT, &WORDS).is_none());
    }

    #[test]
    fn a_way_that_leads_nowhere_is_no_way() {
        // jne on; int3; on: mov ebx,1; add rsp,20h; pop rsi; ret
        let code = [&[0x75, 1, 0xCC, 0xBB, 1, 0, 0, 0][..], &PLAIN].concat();
        let caller = caller_of(&code, &DIRECT, &WORDS).unwrap();
        assert_eq!(caller.return_slot, Some(STACK + 0x28));
        assert_eq!(caller.registers.get(Register::Rbx), None, "written to since");
        // The slot holds no return address; it lies in the home space, or askew; the call leads to another function.
        assert!(caller_of(&[0xC3], &DIRECT, &WORDS).is_none());
        let home = [0, BASE + 0x50, 0, 0, 0, 0];
        assert!(caller_of(&[0x5E, 0xC3], &DIRECT, &home).is_none());
        let askew = [0, 0, 0, 0, BASE + 0x50, 0];
        assert!(caller_of(&[0x48, 0x83, 0xC4, 0x20, 0xC3], &DIRECT, &askew).is_none());
        assert!(caller_of(&PLAIN, &[0xE8, 0, 2, 0, 0], &WORDS).is_none());
        assert!(caller_of(&[0xFF, 0xE0], &DIRECT, &WORDS).is_none(), "an indirect jump");
        // jmp itself: a loop without an end.
        assert!(caller_of(&[0xEB, 0xFE], &DIRECT, &WORDS).is_none());
    }
}
