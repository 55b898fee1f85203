//! The stepper against records made by hand, and against a small machine that runs random prologues.
#![allow(clippy::arithmetic_side_effects)]

use super::fixtures::PeBuilder;
use super::registers::{Provenance, Register, RegisterFile};
use super::unwind_x64::{Step, StepTrust, UnwindError, step};
use super::{ImageError, IpKind};
use crate::dump::memory::{AddressSpace, MemorySource, PointerWidth, Region};
use proptest::prelude::*;

const STACK: u64 = 0x20_0000;
const CODE: u32 = 0x1000;

fn unwind(
    pe: &PeBuilder,
    stack: &[u64],
    rva: u32,
    kind: IpKind,
    set: &[(Register, u64)],
) -> Result<Step, UnwindError> {
    let bytes = pe.bytes();
    let stack: Vec<u8> = stack.iter().flat_map(|word| word.to_le_bytes()).collect();
    let stack = Region { base: STACK, bytes: &stack, source: MemorySource::ThreadStack };
    let space = AddressSpace::new([PeBuilder::region(&bytes), stack]);
    let ip = PeBuilder::BASE + u64::from(rva);
    let mut registers = RegisterFile::new(PointerWidth::Eight, ip, STACK);
    for (register, value) in set {
        registers.set(*register, *value, Provenance::Context);
    }
    step(&space, &PeBuilder::image(&bytes), &registers, kind)
}

#[test]
fn a_leaf_returns_by_the_top_of_the_stack_and_a_caller_is_no_leaf() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(0x1800, 0x1900, 0x5000)]);
    let frame = unwind(&pe, &[0x77], CODE, IpKind::Exact, &[]).unwrap();
    assert_eq!((frame.trust, frame.function), (StepTrust::Leaf, None));
    assert_eq!((frame.registers.ip(), frame.registers.sp()), (0x77, Some(STACK + 8)));
    let refused = unwind(&pe, &[0x77], CODE + 1, IpKind::ReturnAddress, &[]);
    assert!(matches!(refused, Err(UnwindError::NoUnwindData { .. })));
}

#[test]
fn a_return_address_behind_the_function_belongs_to_it() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(CODE, 0x1010, 0x5000), (0x1010, 0x1020, 0x5010)]);
    pe.put(0x5000, &[1, 4, 1, 0, 4, 0x02]);
    pe.put(0x5010, &[1, 0, 0, 0]);
    let frame = unwind(&pe, &[1, 0x77], 0x1010, IpKind::ReturnAddress, &[]).unwrap();
    assert_eq!((frame.registers.ip(), frame.function), (0x77, Some(CODE)));
    let frame = unwind(&pe, &[1, 0x77], 0x1010, IpKind::Exact, &[]).unwrap();
    assert_eq!((frame.registers.ip(), frame.function), (1, Some(0x1010)));
}

#[test]
fn a_split_off_part_undoes_its_own_codes_and_its_functions() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(CODE, 0x1010, 0x5000), (0x1800, 0x1900, 0x5010)]);
    // sub rsp,0x10 after push rdi; the part saves rbx in slot 8 of that.
    pe.put(0x5000, &[1, 5, 2, 0, 5, 0x12, 1, 0x70]);
    pe.put(0x5010, &[0x21, 0, 2, 0, 0, 0x34, 1, 0]);
    for (index, value) in [CODE, 0x1010, 0x5000].into_iter().enumerate() {
        pe.put_u32(0x5018 + index * 4, value);
    }
    let frame = unwind(&pe, &[0, 0xB, 0xD, 0x77], 0x1800, IpKind::Exact, &[]).unwrap();
    assert_eq!(frame.function, Some(CODE));
    assert_eq!(frame.registers.get(Register::Rbx), Some(0xB));
    let origin = Provenance::Restored { address: STACK + 8 };
    assert_eq!(frame.registers.provenance(Register::Rbx), origin);
    assert_eq!(frame.registers.get(Register::Rdi), Some(0xD));
    assert_eq!((frame.registers.ip(), frame.registers.sp()), (0x77, Some(STACK + 32)));
}

#[test]
fn a_machine_frame_gives_an_exact_ip_and_stack_pointer() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(CODE, 0x1010, 0x5000)]);
    pe.put(0x5000, &[1, 0, 1, 0, 0, 0x1A]);
    let stack = [0xEE, 0x77, 0x33, 0x246, STACK + 0x100];
    let frame = unwind(&pe, &stack, CODE, IpKind::Exact, &[(Register::Rbp, 9)]).unwrap();
    assert_eq!((frame.registers.ip(), frame.registers.sp()), (0x77, Some(STACK + 0x100)));
    assert_eq!(frame.ip_kind, IpKind::Exact);
    assert_eq!(frame.registers.provenance(Register::Rbp), Provenance::Unchanged);
}

#[test]
fn a_stack_that_goes_down_is_refused() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(CODE, 0x1010, 0x5000)]);
    pe.put(0x5000, &[1, 0, 1, 0, 0, 0x0A]);
    let refused = unwind(&pe, &[0x77, 0x33, 0x246, STACK], CODE, IpKind::Exact, &[]);
    assert_eq!(refused, Err(UnwindError::NotProgressing { from: STACK, to: STACK }));
}

#[test]
fn an_unreadable_stack_names_the_slot() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(CODE, 0x1010, 0x5000)]);
    pe.put(0x5000, &[1, 4, 1, 0, 4, 0x42]);
    let refused = unwind(&pe, &[1, 2], 0x1004, IpKind::Exact, &[]);
    assert_eq!(refused, Err(UnwindError::StackUnreadable { address: STACK + 0x28 }));
}

#[test]
fn a_chain_that_is_a_cycle_ends() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(CODE, 0x1010, 0x5000)]);
    pe.put(0x5000, &[0x21, 0, 0, 0]);
    for (index, value) in [CODE, 0x1010, 0x5000].into_iter().enumerate() {
        pe.put_u32(0x5004 + index * 4, value);
    }
    pe.put(CODE as usize, &[0x90; 16]);
    let refused = unwind(&pe, &[0x77], CODE, IpKind::Exact, &[]);
    let what = "UNWIND_INFO chain";
    assert!(
        matches!(refused, Err(UnwindError::Image(ImageError::Invalid { what: found, .. })) if found == what)
    );
}

#[test]
fn a_jump_inside_the_function_is_no_epilogue() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(CODE, 0x1010, 0x5000), (0x1800, 0x1900, 0x5010), (0x1A00, 0x1A10, 0x5030)]);
    pe.put(0x5000, &[1, 4, 1, 0, 4, 0x02]);
    pe.put(0x5010, &[0x21, 0, 0, 0]);
    for (index, value) in [CODE, 0x1010, 0x5000].into_iter().enumerate() {
        pe.put_u32(0x5014 + index * 4, value);
    }
    pe.put(0x5030, &[1, 0, 0, 0]);
    let jump = |from: u32, to: u32| {
        let mut bytes = vec![0xE9];
        bytes.extend(to.wrapping_sub(from + 5).to_le_bytes());
        bytes
    };
    // Back to the hot part: the frame of 8 bytes stands.
    pe.put(0x1800, &jump(0x1800, 0x1008));
    let frame = unwind(&pe, &[1, 0x77], 0x1800, IpKind::Exact, &[]).unwrap();
    assert_eq!((frame.registers.ip(), frame.trust), (0x77, StepTrust::UnwindInfo));
    // To another function: a tail call, nothing left on the stack but the return address.
    pe.put(0x1800, &jump(0x1800, 0x1A00));
    let frame = unwind(&pe, &[1, 0x77], 0x1800, IpKind::Exact, &[]).unwrap();
    assert_eq!((frame.registers.ip(), frame.trust), (1, StepTrust::Epilogue));
}

/// Version 2: pop rbx; ret, declared at the function's end.
#[test]
fn a_declared_epilogue_needs_its_instructions() {
    let mut pe = PeBuilder::x64();
    pe.pdata(&[(CODE, 0x1010, 0x5000)]);
    pe.put(0x5000, &[2, 1, 2, 0, 2, 0x16, 1, 0x30]);
    pe.put(0x100E, &[0x5B, 0xC3]);
    let frame = unwind(&pe, &[0xB, 0x77], 0x100E, IpKind::Exact, &[]).unwrap();
    assert_eq!((frame.trust, frame.registers.ip()), (StepTrust::Epilogue, 0x77));
    let frame = unwind(&pe, &[0x77], 0x100F, IpKind::Exact, &[]).unwrap();
    assert_eq!((frame.trust, frame.registers.ip()), (StepTrust::Epilogue, 0x77));

    let bytes = pe.bytes();
    let image = PeBuilder::image(&bytes);
    let tables = Region {
        base: PeBuilder::BASE + 0x4000,
        bytes: &bytes[0x4000..],
        source: MemorySource::MemoryList,
    };
    let space = AddressSpace::new([tables]);
    let ip = PeBuilder::BASE + 0x100F;
    let registers = RegisterFile::new(PointerWidth::Eight, ip, STACK);
    let refused = step(&space, &image, &registers, IpKind::Exact);
    assert_eq!(refused, Err(UnwindError::EpilogueUnreadable { ip }));
}

/// One instruction of a random prologue.
#[derive(Debug, Clone)]
enum Action {
    Push(Register),
    Allocate(u32),
    SetFrame(u8),
    Save(Register, u32),
}

/// A machine that runs a prologue, a body that destroys what was saved, and an epilogue, and writes down
/// where each instruction begins with the registers and the stack pointer at that moment.
struct Machine {
    code: Vec<u8>,
    codes: Vec<Vec<u8>>,
    values: [u64; 16],
    stack: Vec<u64>,
    moments: Vec<(u32, [u64; 16], Vec<u64>)>,
    pushed: Vec<Register>,
    frame: Option<u8>,
}

const WORDS: usize = 4096;
const TOP: usize = 4000;

impl Machine {
    fn new() -> Self {
        let mut values = [0; 16];
        for (index, value) in values.iter_mut().enumerate() {
            *value = 0xAAAA_0000 + index as u64;
        }
        values[4] = STACK + TOP as u64 * 8;
        let mut stack = vec![0x1111; WORDS];
        stack[TOP] = 0x7777;
        Self {
            code: Vec::new(),
            codes: Vec::new(),
            values,
            stack,
            moments: Vec::new(),
            pushed: Vec::new(),
            frame: None,
        }
    }

    fn word(&mut self, address: u64) -> &mut u64 {
        &mut self.stack[usize::try_from((address - STACK) / 8).unwrap()]
    }

    fn moment(&mut self) {
        self.moments.push((self.code.len() as u32, self.values, self.stack.clone()));
    }

    fn emit(&mut self, bytes: &[u8]) {
        self.code.extend_from_slice(bytes);
    }

    fn code_at_end(&mut self, operation: u8, info: u8, operands: &[u8]) {
        let mut code = vec![self.code.len() as u8, info << 4 | operation];
        code.extend_from_slice(operands);
        self.codes.insert(0, code);
    }

    fn act(&mut self, action: &Action) {
        self.moment();
        match action {
            Action::Push(register) => {
                let number = register.slot() as u8;
                if number >= 8 {
                    self.emit(&[0x41]);
                }
                self.emit(&[0x50 | number & 7]);
                self.values[4] -= 8;
                let value = self.values[usize::from(number)];
                *self.word(self.values[4]) = value;
                self.pushed.push(*register);
                self.code_at_end(0, number, &[]);
            }
            Action::Allocate(bytes) => {
                self.emit(&[0x48, 0x81, 0xEC]);
                self.emit(&bytes.to_le_bytes());
                self.values[4] -= u64::from(*bytes);
                match bytes {
                    8..=128 => self.code_at_end(2, (bytes / 8 - 1) as u8, &[]),
                    _ if bytes % 16 == 0 => {
                        self.code_at_end(1, 0, &((bytes / 8) as u16).to_le_bytes());
                    }
                    _ => self.code_at_end(1, 1, &bytes.to_le_bytes()),
                }
            }
            Action::SetFrame(scaled) => {
                self.emit(&[0x48, 0x8D, 0xAC, 0x24]);
                self.emit(&(u32::from(*scaled) * 16).to_le_bytes());
                self.values[5] = self.values[4] + u64::from(*scaled) * 16;
                self.frame = Some(*scaled);
                self.code_at_end(3, 0, &[]);
            }
            Action::Save(register, offset) => {
                let number = register.slot() as u8;
                self.emit(&[0x48 | (number >> 3) << 2, 0x89, 0x84 | (number & 7) << 3, 0x24]);
                self.emit(&offset.to_le_bytes());
                let value = self.values[usize::from(number)];
                *self.word(self.values[4] + u64::from(*offset)) = value;
                if offset % 16 == 0 {
                    self.code_at_end(4, number, &((offset / 8) as u16).to_le_bytes());
                } else {
                    self.code_at_end(5, number, &offset.to_le_bytes());
                }
            }
        }
    }

    fn body(&mut self, saved: &[Register]) {
        for register in saved.iter().filter(|r| self.frame.is_none() || **r != Register::Rbp) {
            self.values[register.slot()] = 0xDEAD;
        }
        self.values[0] = 0xDEAD;
        // With a frame register the body may move the stack pointer (alloca).
        if self.frame.is_some() {
            self.values[4] -= 0x40;
        }
        self.moment();
        self.emit(&[0x90]);
        self.moment();
        self.emit(&[0x90]);
    }

    fn epilogue(&mut self, allocated: u32, saves: &[(Register, u32)]) {
        let base = match self.frame {
            Some(scaled) => self.values[5] - u64::from(scaled) * 16,
            None => self.values[4],
        };
        for (register, offset) in saves {
            self.values[register.slot()] = *self.word(base + u64::from(*offset));
        }
        self.moment();
        match self.frame {
            Some(scaled) => {
                let displacement = allocated.wrapping_sub(u32::from(scaled) * 16);
                self.emit(&[0x48, 0x8D, 0xA5]);
                self.emit(&displacement.to_le_bytes());
            }
            None => {
                self.emit(&[0x48, 0x81, 0xC4]);
                self.emit(&allocated.to_le_bytes());
            }
        }
        self.values[4] = base + u64::from(allocated);
        for register in self.pushed.clone().into_iter().rev() {
            self.moment();
            let number = register.slot() as u8;
            if number >= 8 {
                self.emit(&[0x41]);
            }
            self.emit(&[0x58 | number & 7]);
            self.values[usize::from(number)] = *self.word(self.values[4]);
            self.values[4] += 8;
        }
        self.moment();
        self.emit(&[0xC3]);
    }
}

fn prologue() -> impl Strategy<Value = (Vec<Register>, u32, Option<u8>, Vec<Register>)> {
    let nonvolatile = [
        Register::Rbx,
        Register::Rbp,
        Register::Rsi,
        Register::Rdi,
        Register::R12,
        Register::R13,
        Register::R14,
        Register::R15,
    ];
    let order = Just(nonvolatile.to_vec()).prop_shuffle();
    let sizes =
        prop_oneof![1u32..17, 17u32..200, Just(0x2001)].prop_map(|words| words.min(1900) * 8);
    (order, 0usize..9, sizes, prop::option::of(0u8..16), 0usize..9).prop_map(
        |(order, pushes, size, frame, saves)| {
            let mut pushed: Vec<Register> = order.iter().take(pushes).copied().collect();
            if frame.is_some() && !pushed.contains(&Register::Rbp) {
                pushed.push(Register::Rbp);
            }
            let saved = order.iter().filter(|r| !pushed.contains(r)).take(saves).copied().collect();
            (pushed, size, frame, saved)
        },
    )
}

proptest! {
    /// From any instruction of a function the caller's registers come back as they were.
    #[test]
    fn unwinds_from_every_instruction((pushed, size, frame, saved) in prologue()) {
        let frame = frame.filter(|scaled| u32::from(*scaled) * 16 <= size);
        let slots: Vec<(Register, u32)> = saved.iter().copied().zip((0..size).step_by(8)).collect();
        let mut machine = Machine::new();
        let entry = machine.values;
        for register in &pushed {
            machine.act(&Action::Push(*register));
        }
        machine.act(&Action::Allocate(size));
        if let Some(scaled) = frame {
            machine.act(&Action::SetFrame(scaled));
        }
        for (register, offset) in &slots {
            machine.act(&Action::Save(*register, *offset));
        }
        let prologue_size = machine.code.len() as u8;
        let kept: Vec<Register> = pushed.iter().copied().chain(slots.iter().map(|s| s.0)).collect();
        machine.body(&kept);
        machine.epilogue(size, &slots);

        let mut pe = PeBuilder::x64();
        pe.pdata(&[(CODE, CODE + machine.code.len() as u32, 0x5000)]);
        pe.put(CODE as usize, &machine.code);
        let codes = machine.codes.concat();
        let register = frame.map_or(0, |scaled| scaled << 4 | 5);
        pe.put(0x5000, &[1, prologue_size, (codes.len() / 2) as u8, register]);
        pe.put(0x5004, &codes);

        for (offset, values, stack) in &machine.moments {
            let set: Vec<(Register, u64)> = Register::ALL.into_iter().zip(*values).collect();
            let found = unwind(&pe, stack, CODE + offset, IpKind::Exact, &set).unwrap();
            prop_assert_eq!(found.registers.ip(), 0x7777, "at {:#x}", offset);
            prop_assert_eq!(found.function, Some(CODE));
            for register in Register::ALL {
                let expected = match register {
                    Register::Rsp => Some(entry[4] + 8),
                    _ if register.is_nonvolatile(PointerWidth::Eight) => Some(entry[register.slot()]),
                    _ => None,
                };
                prop_assert_eq!(found.registers.get(register), expected, "{:?} at {:#x}", register, offset);
            }
        }
    }

    /// Any bytes as unwind record and as code end in an answer.
    #[test]
    fn random_records_never_panic(record in prop::collection::vec(any::<u8>(), 64), code in prop::collection::vec(any::<u8>(), 32)) {
        let mut pe = PeBuilder::x64();
        pe.pdata(&[(CODE, 0x1020, 0x5000)]);
        pe.put(0x5000, &record);
        pe.put(CODE as usize, &code);
        for offset in 0..32 {
            let _ = unwind(&pe, &[0; 64], CODE + offset, IpKind::Exact, &[(Register::Rbp, STACK)]);
        }
    }
}
