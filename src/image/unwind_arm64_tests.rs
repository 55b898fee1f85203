//! Tests of the ARM64 unwinder: prologues and epilogues are executed by a model of the machine, instruction by
//! instruction, and unwound from every one of them.
#![allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]

use super::IpKind;
use super::fixtures::PeBuilder;
use super::images::Images;
use super::pe::{DirectoryKind, Machine};
use super::registers::{Provenance, Register, RegisterFile};
use super::runtime_functions::function_start;
use super::unwind_arm64::{step, strip};
use super::unwind_codes_arm64::{Packed, Save, UnwindCode};
use super::unwind_x64::{Step, StepTrust, UnwindError};
use crate::dump::memory::{AddressSpace, MemorySource, Region};
use proptest::prelude::*;

const BASE: u64 = PeBuilder::BASE;
/// RVA of the function under test.
const FUNCTION: u32 = 0x1000;
/// Its length in bytes.
const LENGTH: u32 = 0x200;
/// The address it returns to.
const RETURN: u64 = BASE + 0x2004;
/// Lowest address of the stack, and the stack pointer at the function's entry.
const STACK: u64 = 0x20_0000;
const ENTRY: u64 = STACK + 0x8000;

/// An image with records of `.pdata` at 0x4000 and `.xdata` at 0x5000.
fn image(records: &[(u32, u32)], xdata: &[u8]) -> Vec<u8> {
    let mut pe = PeBuilder::arm64();
    for (index, (begin, unwind_data)) in records.iter().enumerate() {
        pe.put_u32(0x4000 + index * 8, *begin);
        pe.put_u32(0x4004 + index * 8, *unwind_data);
    }
    pe.directory(DirectoryKind::Exception, 0x4000, records.len() as u32 * 8);
    pe.put(0x5000, xdata);
    pe.bytes()
}

/// An `.xdata` record: epilogue scopes as (offset, index), then the codes.
fn xdata(length: u32, scopes: &[(u32, u32)], codes: &[u8]) -> Vec<u8> {
    let words = codes.len().div_ceil(4) as u32;
    let mut record = Vec::new();
    let count = scopes.len() as u32;
    if count < 32 && (1..32).contains(&words) {
        record.extend(((length / 4) | (count << 22) | (words << 27)).to_le_bytes());
    } else {
        record.extend((length / 4).to_le_bytes());
        record.extend((count | (words << 16)).to_le_bytes());
    }
    for (offset, index) in scopes {
        record.extend(((offset / 4) | (index << 22)).to_le_bytes());
    }
    record.extend(codes);
    record.resize(record.len().next_multiple_of(4), 0xE3);
    record
}

/// A register's value at the function's entry.
fn entry_value(number: u8) -> u64 {
    match number {
        29 => ENTRY + 0x40,
        30 => RETURN,
        _ => 0xAA00_0000 + u64::from(number),
    }
}

/// The machine: registers by number, 31 is sp, and the stack.
#[derive(Clone)]
struct Model {
    values: [u64; 32],
    stack: Vec<u8>,
}

impl Model {
    fn new() -> Self {
        let mut values = [0; 32];
        for number in 0..31 {
            values[usize::from(number)] = entry_value(number);
        }
        values[31] = ENTRY;
        Self { values, stack: vec![0; 0x10000] }
    }

    fn word(&mut self, address: u64) -> &mut [u8] {
        let at = (address - STACK) as usize;
        &mut self.stack[at..at + 8]
    }

    /// Executes the prologue instruction that the code stands for. `more` counts the `save_next` before it in the
    /// prologue that continue a pair.
    fn execute(&mut self, code: UnwindCode) {
        match code {
            UnwindCode::Allocate(bytes) => self.values[31] -= u64::from(bytes),
            UnwindCode::Save(Save { registers, offset, release }) => {
                self.values[31] -= u64::from(release);
                let mut slot = self.values[31] + u64::from(offset);
                for number in registers.into_iter().flatten() {
                    let value = self.values[usize::from(number)];
                    self.word(slot).copy_from_slice(&value.to_le_bytes());
                    slot += 8;
                }
            }
            UnwindCode::SetFp(offset) => self.values[29] = self.values[31] + u64::from(offset),
            UnwindCode::SignLr => self.values[30] |= 0x0055_0000_0000_0000,
            _ => {}
        }
    }

    /// What the body does: every saved register gets another value, and so does lr, by a call.
    fn run_body(&mut self, codes: &[UnwindCode]) {
        for code in codes {
            if let UnwindCode::Save(save) = code {
                for number in save.registers.into_iter().flatten().filter(|number| *number != 29) {
                    self.values[usize::from(number)] = 0xDEAD;
                }
            }
        }
    }

    /// Executes the epilogue instruction that the code stands for.
    fn undo(&mut self, code: UnwindCode) {
        match code {
            UnwindCode::Allocate(bytes) => self.values[31] += u64::from(bytes),
            UnwindCode::Save(Save { registers, offset, release }) => {
                let mut slot = self.values[31] + u64::from(offset);
                for number in registers.into_iter().flatten() {
                    let bytes: [u8; 8] = self.word(slot)[..8].try_into().unwrap();
                    self.values[usize::from(number)] = u64::from_le_bytes(bytes);
                    slot += 8;
                }
                self.values[31] += u64::from(release);
            }
            UnwindCode::SetFp(offset) => self.values[31] = self.values[29] - u64::from(offset),
            UnwindCode::SignLr => self.values[30] = strip(self.values[30]),
            _ => {}
        }
    }

    fn step_at(&self, image_bytes: &[u8], offset: u32, kind: IpKind) -> Result<Step, UnwindError> {
        let space = AddressSpace::new([
            PeBuilder::region(image_bytes),
            Region { base: STACK, bytes: &self.stack, source: MemorySource::MemoryList },
        ]);
        let image = PeBuilder::image(image_bytes);
        let ip = BASE + u64::from(FUNCTION + offset);
        let mut registers = RegisterFile::of(Machine::Arm64, ip, self.values[31]);
        for number in 0..31 {
            let value = self.values[usize::from(number)];
            registers.set(Register::X(number), value, Provenance::Context);
        }
        step(&space, &image, &registers, kind)
    }

    /// Unwinds from `offset` and compares with the entry of the function.
    fn check(&self, image_bytes: &[u8], offset: u32, kind: IpKind) -> Result<(), String> {
        let found = self.step_at(image_bytes, offset, kind);
        let found = found.map_err(|error| format!("at {offset:#x}: {error}"))?;
        let registers = &found.registers;
        if (registers.ip(), registers.sp()) != (RETURN, Some(ENTRY)) {
            let (ip, sp) = (registers.ip(), registers.sp());
            return Err(format!("at {offset:#x}: returns to {ip:#x} with sp {sp:x?}"));
        }
        for number in 19..=29 {
            let value = registers.get(Register::X(number));
            if value != Some(entry_value(number)) {
                return Err(format!("at {offset:#x}: x{number} is {value:x?}"));
            }
        }
        Ok(())
    }
}

/// Runs a function with this prologue (in its order) and epilogue, and unwinds from every instruction of it.
fn run(
    bytes: &[u8],
    prologue: &[UnwindCode],
    epilogue: &[UnwindCode],
    epilogue_at: Option<u32>,
) -> Result<(), String> {
    let mut model = Model::new();
    let mut offset = 0;
    for code in prologue {
        model.check(bytes, offset, IpKind::Exact)?;
        model.execute(*code);
        offset += 4;
    }
    model.run_body(prologue);
    let saves_lr = prologue
        .iter()
        .any(|code| matches!(code, UnwindCode::Save(save) if save.registers.contains(&Some(30))));
    model.check(bytes, offset, IpKind::Exact)?;
    model.check(bytes, offset + 0x20, IpKind::Exact)?;
    if saves_lr {
        // Behind a call lr is lost.
        model.values[30] = 0;
        model.check(bytes, offset + 0x20, IpKind::ReturnAddress)?;
    }
    let Some(mut at) = epilogue_at else { return Ok(()) };
    for code in epilogue {
        model.check(bytes, at, IpKind::Exact)?;
        model.undo(*code);
        at += 4;
    }
    // The return itself.
    model.check(bytes, at, IpKind::Exact)
}

/// A packed record whose frame holds what is saved.
fn packed() -> impl Strategy<Value = Packed> {
    (0_u32..=7, 0_u32..=10, 0_u32..=1, 0_u32..=3, 0_u32..0x120).prop_filter_map(
        "the frame holds what is saved",
        |(reg_f, reg_i, homed, kind, more)| {
            let word = 1 | (LENGTH / 4) << 2 | reg_f << 13 | reg_i << 16 | homed << 20 | kind << 21;
            let smallest = (0..0x40).find(|size| Packed(word | size << 23).codes().is_some())?;
            // A chained frame has at least the record of fp and lr.
            let frame = smallest + more + u32::from(kind >= 2);
            Some(Packed(word | frame << 23))
        },
    )
}

/// The bytes of codes in the order of unwinding, and the codes.
fn full() -> impl Strategy<Value = (Vec<u8>, Vec<UnwindCode>)> {
    let save = |registers, offset, release| UnwindCode::Save(Save { registers, offset, release });
    let chain = prop_oneof![
        // sub sp, sp, #0x800; stp fp, lr, [sp, #0x10]; add fp, sp, #0x10
        Just((
            vec![0xE2, 2, 0x42, 0xC0, 0x80],
            vec![
                UnwindCode::SetFp(0x10),
                save([Some(29), Some(30)], 0x10, 0),
                UnwindCode::Allocate(0x800),
            ],
        )),
        // stp fp, lr, [sp, #-0x40]!; mov fp, sp
        Just((vec![0xE1, 0x87], vec![UnwindCode::SetFp(0), save([Some(29), Some(30)], 0, 0x40)],)),
        // stp x25, lr, [sp, #0x50], in the area of the pairs.
        Just((vec![0xD6, 0xCA], vec![save([Some(25), Some(30)], 0x50, 0)])),
    ];
    let middle = prop_oneof![
        Just((vec![], vec![])),
        Just((vec![0xE3, 0xE3], vec![UnwindCode::Nop, UnwindCode::Nop])),
        // str x27, [sp, #0x40]; stp d8, d9, [sp, #0x30]
        Just((
            vec![0xD2, 0x08, 0xD8, 0x06],
            vec![save([Some(27), None], 0x40, 0), save([None; 2], 0x30, 0)],
        )),
        // save_any_reg: str x28, [sp, #0x48]
        Just((vec![0xE7, 0x1C, 0x09], vec![save([Some(28), None], 0x48, 0)])),
    ];
    let first = prop_oneof![
        // stp x19, x20, [sp, #-0x60]!, stp x21, x22 and x23, x24 behind: by save_regp, or by save_next.
        Just((
            vec![0xC9, 0x04, 0xC8, 0x82, 0x2C],
            vec![
                save([Some(23), Some(24)], 0x20, 0),
                save([Some(21), Some(22)], 0x10, 0),
                save([Some(19), Some(20)], 0, 0x60),
            ],
        )),
        Just((
            vec![0xE6, 0xE6, 0xCC, 0x0B],
            vec![
                save([Some(23), Some(24)], 0x20, 0),
                save([Some(21), Some(22)], 0x10, 0),
                save([Some(19), Some(20)], 0, 0x60),
            ],
        )),
    ];
    let sign = prop_oneof![Just((vec![], vec![])), Just((vec![0xFC], vec![UnwindCode::SignLr])),];
    (chain, middle, first, sign).prop_map(|parts| {
        let all = [parts.0, parts.1, parts.2, parts.3];
        let (bytes, codes): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        let mut bytes = bytes.concat();
        bytes.push(0xE4);
        (bytes, codes.concat())
    })
}

proptest! {
    /// Every canonical function is unwound from every instruction.
    #[test]
    fn packed_functions_are_unwound_from_every_instruction(packed in packed()) {
        let (codes, epilogue) = packed.codes().unwrap();
        let prologue: Vec<_> = codes.iter().rev().copied().collect();
        let bytes = image(&[(FUNCTION, packed.0)], &[]);
        // CR 0 and a body that makes calls do not go together.
        let at = LENGTH - (epilogue.len() as u32 + 1) * 4;
        // Packed codes restore no stack pointer from fp, and set it by an instruction that is a nop to them.
        prop_assert_eq!(run(&bytes, &prologue, &epilogue, Some(at)), Ok(()));
    }

    /// Functions with codes are unwound from every instruction, with the epilogue anywhere, sharing their codes.
    #[test]
    fn functions_with_codes_are_unwound_from_every_instruction(
        (bytes, codes) in full(),
        is_last in any::<bool>(),
        padding in 0_usize..100,
    ) {
        let prologue: Vec<_> = codes.iter().rev().copied().collect();
        let size = (codes.len() as u32 + 1) * 4;
        let at = if is_last { LENGTH - size } else { 0x100 };
        let mut all = bytes.clone();
        all.resize(bytes.len() + padding, 0xE3);
        let record = xdata(LENGTH, &[(0x80, bytes.len() as u32 - 1), (at, 0)], &all);
        let image = image(&[(FUNCTION, 0x5000)], &record);
        prop_assert_eq!(run(&image, &prologue, &codes, Some(at)), Ok(()));
    }

    /// Whatever stands in `.pdata`, `.xdata` and on the stack, a step ends, and never goes down.
    #[test]
    fn any_record_ends(
        unwind_data in prop_oneof![Just(0x5000_u32), any::<u32>()],
        xdata in prop::collection::vec(any::<u8>(), 0..64),
        offset in 0_u32..0x400,
        stack in prop::collection::vec(any::<u8>(), 0x400),
    ) {
        let bytes = image(&[(FUNCTION, unwind_data)], &xdata);
        let mut model = Model::new();
        model.stack[0x7E00..0x8200].copy_from_slice(&stack);
        for kind in [IpKind::Exact, IpKind::ReturnAddress] {
            if let Ok(found) = model.step_at(&bytes, offset, kind) {
                prop_assert!(found.registers.sp() >= Some(ENTRY));
            }
        }
    }
}

#[test]
fn one_epilogue_may_be_packed_into_the_header() {
    // E: the only epilogue ends the function, its codes begin at index 1.
    let codes = [0xE1, 0x87, 0xE4, 0];
    let mut record = ((LENGTH / 4) | (1 << 21) | (1 << 22) | (1 << 27)).to_le_bytes().to_vec();
    record.extend(codes);
    let bytes = image(&[(FUNCTION, 0x5000)], &record);
    let chain =
        UnwindCode::Save(Save { registers: [Some(29), Some(30)], offset: 0, release: 0x40 });
    let prologue = [chain, UnwindCode::SetFp(0)];
    assert_eq!(run(&bytes, &prologue, &[chain], Some(LENGTH - 8)), Ok(()));
}

#[test]
fn a_leaf_returns_to_lr_and_cannot_have_made_a_call() {
    let bytes = image(&[(0x1400, 0x5000)], &xdata(0x40, &[], &[0xE4]));
    let model = Model::new();
    let found = model.step_at(&bytes, 0, IpKind::Exact).unwrap();
    assert_eq!(found.trust, StepTrust::Leaf);
    assert_eq!((found.registers.ip(), found.registers.sp()), (RETURN, Some(ENTRY)));
    assert_eq!(found.registers.provenance(Register::X(19)), Provenance::Unchanged);
    let failed = model.step_at(&bytes, 0, IpKind::ReturnAddress);
    assert!(matches!(failed, Err(UnwindError::NoUnwindData { .. })));
    // A function that made a call and did not save lr cannot be.
    let bytes = image(&[(FUNCTION, 0x5000)], &xdata(LENGTH, &[], &[0x02, 0xE4]));
    let failed = model.step_at(&bytes, 0x40, IpKind::ReturnAddress);
    assert_eq!(failed, Err(UnwindError::RegisterUnknown { register: Register::LR }));
}

#[test]
fn a_signed_return_address_is_stripped() {
    assert_eq!(strip(0x0055_7FF6_1234_5678), 0x7FF6_1234_5678);
    assert_eq!(strip(0xFF80_F801_1234_5678), 0xFFFF_F801_1234_5678);
    assert_eq!(strip(RETURN), RETURN);
}

#[test]
fn a_part_is_unwound_by_its_phantom_prologue_and_has_no_start() {
    // Region 2 of Microsoft's page: its own pair, then end_c and the prologue of the function.
    let codes = [0xC8, 0x84, 0xE5, 0xE1, 0x87, 0xE4];
    let bytes = image(&[(FUNCTION, 0x5000), (0x1800, 0x5000)], &xdata(LENGTH, &[], &codes));
    let mut model = Model::new();
    let save = |registers, offset, release| UnwindCode::Save(Save { registers, offset, release });
    model.execute(save([Some(29), Some(30)], 0, 0x40));
    model.execute(UnwindCode::SetFp(0));
    // At its first instruction the pair is not saved yet.
    model.check(&bytes, 0, IpKind::Exact).unwrap();
    model.execute(save([Some(21), Some(22)], 0x20, 0));
    model.values[21] = 0;
    model.check(&bytes, 4, IpKind::Exact).unwrap();
    assert_eq!(model.step_at(&bytes, 4, IpKind::Exact).unwrap().function, None);
    let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
    assert_eq!(function_start(&space, &image, 0x1010), Ok(None));
    let images = Images::new(&space, [(BASE, PeBuilder::SIZE)]);
    assert_eq!(images.function_of_frame(BASE + 0x1010, IpKind::Exact).unwrap().start, None);
    // Packed, flag 2: neither prologue nor epilogue, so everything is undone from the first instruction on.
    let word = 2 | (LENGTH / 4) << 2 | 3 << 21 | 4 << 23;
    let packed = self::image(&[(FUNCTION, word)], &[]);
    let mut model = Model::new();
    model.execute(save([Some(29), Some(30)], 0, 0x40));
    model.execute(UnwindCode::SetFp(0));
    model.check(&packed, 0, IpKind::Exact).unwrap();
    model.check(&packed, LENGTH - 4, IpKind::Exact).unwrap();
}

#[test]
fn a_context_on_the_stack_is_the_callers() {
    // KiUserExceptionDispatcher: a CONTEXT above sp, and below it what the dispatcher allocated.
    let bytes = image(&[(FUNCTION, 0x5000)], &xdata(LENGTH, &[], &[0x02, 0xEA, 0xE4]));
    let mut model = Model::new();
    model.values[31] = ENTRY - 0x420;
    let at = ENTRY - 0x400;
    let mut put = |offset: u64, value: u64| {
        model.word(at + offset).copy_from_slice(&value.to_le_bytes());
    };
    put(0, 0x40_0007);
    for number in 0..=30_u8 {
        put(8 + u64::from(number) * 8, 0xC000 + u64::from(number));
    }
    put(0x100, ENTRY);
    put(0x108, BASE + 0x2222);
    let found = model.step_at(&bytes, 0x40, IpKind::ReturnAddress).unwrap();
    assert_eq!((found.ip_kind, found.registers.ip()), (IpKind::Exact, BASE + 0x2222));
    assert_eq!(found.registers.sp(), Some(ENTRY));
    assert_eq!(found.registers.get(Register::X(0)), Some(0xC000));
    let address = at + 8 + 19 * 8;
    assert_eq!(found.registers.provenance(Register::X(19)), Provenance::Restored { address });
    assert_eq!(found.registers.get(Register::LR), Some(0xC01E), "the next step may need it");
}

#[test]
fn what_is_missing_is_typed() {
    let bytes = image(&[(FUNCTION, 0x5000)], &xdata(LENGTH, &[], &[0xE1, 0x87, 0xE4]));
    let mut model = Model::new();
    model.values[31] = 0x9000;
    model.values[29] = 0x9000;
    let failed = model.step_at(&bytes, 0x40, IpKind::ReturnAddress);
    assert_eq!(failed, Err(UnwindError::StackUnreadable { address: 0x9000 }));
    let failed = model.step_at(&bytes, 0x4000, IpKind::Exact).map(|step| step.trust);
    assert_eq!(failed, Ok(StepTrust::Leaf), "behind the last function");
    // Version 1 of the record.
    let mut wrong = xdata(LENGTH, &[], &[0xE4]);
    wrong[2] |= 4;
    let bytes = image(&[(FUNCTION, 0x5000)], &wrong);
    assert!(matches!(model.step_at(&bytes, 0x40, IpKind::Exact), Err(UnwindError::Image(_))));
}
