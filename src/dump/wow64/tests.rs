//! Both sides of a small WoW64 process, built and taken apart.
#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::dump::synth::{Synth, SynthThread, context, peb, teb};
use minidump::MinidumpRawContext;
use proptest::prelude::*;

const TEB64: u64 = 0x7efd_b000;
const TEB32: u64 = TEB64 + 0x2000;
const PEB32: u64 = 0x7efd_e000;
const PEB64: u64 = 0x7efd_f000;
const STACK: u64 = 0x37_e000;
const STACK_SIZE: usize = 0x2000;
const AREA: u64 = 0x20_f000;
const NTDLL32: u64 = 0x77cc_0000;
const NTDLL64: u64 = 0x77ae_0000;
/// Where the exception was raised, in the 32-bit ntdll; and where the thread last made a system call.
const RAISED_AT: u64 = NTDLL32 + 0x100;
const CALLED_AT: u64 = NTDLL32 + 0x40;
const ESP: u64 = STACK + 0x1000;

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

/// The first bytes of an image of a machine.
fn image(machine: u16) -> Vec<u8> {
    let mut bytes = vec![0; 0x200];
    put(&mut bytes, 0, b"MZ");
    put(&mut bytes, 0x3C, &[0x80]);
    put(&mut bytes, 0x80, b"PE\0\0");
    put(&mut bytes, 0x84, &machine.to_le_bytes());
    bytes
}

/// An x86 context with the code segment of 32-bit code.
fn x86(eip: u64, esp: u64) -> Vec<u8> {
    let mut bytes = context(Cpu::X86, &[("eip", eip), ("esp", esp), ("ebx", 0x5555)]);
    put(&mut bytes, 0xBC, &[0x23]);
    bytes
}

/// An x64 context.
fn x64(cs: u8, rip: u64, rsp: u64) -> Vec<u8> {
    let mut bytes = context(Cpu::Amd64, &[("rip", rip), ("rsp", rsp), ("rbx", 0x1_0000_6666)]);
    put(&mut bytes, 0x38, &[cs]);
    bytes
}

/// What a test changes.
#[derive(Clone)]
struct Made {
    /// The exception's context.
    outer: Vec<u8>,
    raised_at: u64,
    /// The context in the CPU area.
    area: Vec<u8>,
    slot: u64,
    /// A context on the stack, and where.
    on_stack: Option<(usize, Vec<u8>)>,
    headers: bool,
    teb32_id: u64,
    loader_lock: u64,
    /// Offset from the 64-bit TEB to the 32-bit one, and what names it.
    teb32: u64,
    exception_list: u64,
    wow_teb_offset: i32,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            outer: x64(0x33, NTDLL64 + 0x10, 0x20_e000),
            raised_at: RAISED_AT,
            area: x86(CALLED_AT, ESP - 0x100),
            slot: AREA,
            on_stack: None,
            headers: true,
            teb32_id: 7,
            loader_lock: 0,
            teb32: TEB32,
            exception_list: 0,
            wow_teb_offset: 0,
        }
    }
}

impl Made {
    fn file(&self) -> Vec<u8> {
        let stack_bounds = (STACK, STACK + STACK_SIZE as u64);
        let mut stack = vec![0; STACK_SIZE];
        if let Some((offset, bytes)) = &self.on_stack {
            put(&mut stack, *offset, bytes);
        }
        let mut teb64 = teb(PointerWidth::Eight, TEB64, PEB64, (9, 7), (AREA - 0x1000, AREA));
        put(&mut teb64, 0, &self.exception_list.to_le_bytes());
        put(&mut teb64, 0x1488, &self.slot.to_le_bytes());
        teb64.resize(0x1810, 0);
        put(&mut teb64, 0x180C, &self.wow_teb_offset.to_le_bytes());
        let mut teb32 = teb(Four, self.teb32, PEB32, (9, self.teb32_id), stack_bounds);
        teb32.truncate(0x1000);
        let mut peb32 = peb(Four, (6, 1, 7601), 0x55);
        put(&mut peb32, 0xA0, &self.loader_lock.to_le_bytes()[..4]);
        let thread =
            SynthThread { id: 7, teb: TEB64, context: &self.outer, ..SynthThread::default() };
        let mut synth = Synth::new(Cpu::Amd64)
            .module(0x40_0000, 0x1000, "C:\\app\\app.exe", [1, 0, 0, 0])
            .module(NTDLL64, 0x1000, "C:\\Windows\\System32\\ntdll.dll", [6, 1, 7601, 1])
            .module(0x755b_0000, 0x1000, "C:\\Windows\\System32\\wow64.dll", [6, 1, 7601, 1])
            .module(NTDLL32, 0x1000, "C:\\Windows\\System32\\ntdll.dll", [6, 1, 7601, 1])
            .module(0x7ff8_0000_0000, 0x1000, "C:\\Windows\\System32\\far.dll", [6, 1, 7601, 1])
            .thread(&thread)
            .exception(7, 0xC000_0008, 0, self.raised_at, &[], &self.outer)
            .memory(TEB64, teb64)
            .memory(self.teb32, teb32)
            .memory(PEB32, peb32)
            .memory(PEB64, peb(PointerWidth::Eight, (6, 1, 7601), 0))
            .memory(STACK, stack)
            .memory(AREA, [&[0; 4][..], &self.area].concat());
        if self.headers {
            synth = synth
                .memory(0x40_0000, image(0x14C))
                .memory(NTDLL64, image(0x8664))
                .memory(NTDLL32, image(0x14C));
        }
        synth.build()
    }

    /// How the exception's registers were found, and eip, esp and ebx.
    fn found(&self) -> Option<(ContextSource, [u32; 3])> {
        let file = self.file();
        let side = Dump::parse(&file).unwrap().side_of_exception()?;
        let registers = x86_registers(side.exception.as_ref()?.context.as_ref()?);
        assert_eq!(side.threads[0].context.as_ref().map(x86_registers), Some(registers));
        Some((side.wow64_context?, registers))
    }

    /// The registers of the thread in the 32-bit side.
    fn of_thread(&self) -> Option<[u32; 3]> {
        let file = self.file();
        let side = Dump::parse(&file).unwrap().x86_side()?;
        side.threads[0].context.as_ref().map(x86_registers)
    }

    fn modules(&self) -> Vec<u64> {
        let file = self.file();
        let side = Dump::parse(&file).unwrap().x86_side().unwrap();
        side.modules.iter().map(|module| module.base).collect()
    }
}

fn x86_registers(context: &minidump::MinidumpContext) -> [u32; 3] {
    let MinidumpRawContext::X86(raw) = &context.raw else { panic!("not an x86 context") };
    [raw.eip, raw.esp, raw.ebx]
}

const RAISED: [u32; 3] = [RAISED_AT as u32, ESP as u32, 0x5555];

#[test]
fn the_exceptions_registers_are_found() {
    let default = Made::default();
    assert_eq!(default.found(), None, "the CPU area is of the last system call");
    let in_code = Made { outer: x64(0x23, RAISED_AT, ESP), ..default.clone() };
    let narrowed = [RAISED_AT as u32, ESP as u32, 0x6666];
    assert_eq!(in_code.found(), Some((ContextSource::ExceptionStream, narrowed)));
    let of_x86 = Made { outer: x86(RAISED_AT, ESP), ..default.clone() };
    assert_eq!(of_x86.found(), Some((ContextSource::ExceptionStream, RAISED)));
    let in_area = Made { area: x86(RAISED_AT, ESP), ..default.clone() };
    assert_eq!(in_area.found(), Some((ContextSource::CpuArea, RAISED)));
    // Above the system call's stack pointer; what lies below it is older.
    let on_stack =
        |offset| Made { on_stack: Some((offset, x86(RAISED_AT, ESP))), ..default.clone() };
    assert_eq!(on_stack(0xF80).found(), Some((ContextSource::Stack, RAISED)));
    assert_eq!(on_stack(0xB00).found(), None);
    // A context of 32-bit code that is not of the exception is better than none, a better one is taken.
    let later = Made { outer: x64(0x23, RAISED_AT + 1, ESP), ..default.clone() };
    assert_eq!(later.found().map(|found| found.0), Some(ContextSource::ExceptionStream));
    let both = Made { area: x86(RAISED_AT, ESP), ..later };
    assert_eq!(both.found(), Some((ContextSource::CpuArea, RAISED)));
}

#[test]
fn an_exception_of_64_bit_code_is_of_the_64_bit_side() {
    for raised_at in [NTDLL64 + 0x10, 0x7ff8_0000_0010, 0x7_77cc_0100] {
        for outer in [x64(0x33, raised_at, 0x20_e000), x64(0x23, RAISED_AT, ESP)] {
            let made = Made { outer, raised_at, area: x86(RAISED_AT, ESP), ..Made::default() };
            assert_eq!(made.found(), None, "{raised_at:#x}");
            assert!(made.of_thread().is_some(), "the other side is still there");
            let file = made.file();
            assert_eq!(Dump::parse(&file).unwrap().x86_module_of_exception(), None);
        }
    }
    // In no module: a call to nowhere, of the code that the registers are of.
    let nowhere = Made { outer: x64(0x23, 0x1234, ESP), raised_at: 0x1234, ..Made::default() };
    assert!(nowhere.found().is_some());
    let extended = Made {
        outer: x64(0x23, 0x8000_1000, ESP),
        raised_at: 0xffff_ffff_8000_1000,
        ..Made::default()
    };
    assert!(extended.found().is_some(), "a sign-extended address");
}

#[test]
fn a_code_segment_alone_is_not_believed() {
    for outer in [
        x64(0x23, RAISED_AT, 0xdead_0000),
        x64(0x23, RAISED_AT, ESP + (1 << 32)),
        x64(0x23, RAISED_AT + (1 << 32), ESP),
        x64(0x2B, RAISED_AT, ESP),
    ] {
        let made = Made { outer, ..Made::default() };
        assert_eq!(made.found(), None);
        assert_eq!(made.of_thread(), Some([CALLED_AT as u32, ESP as u32 - 0x100, 0x5555]));
    }
}

#[test]
fn the_cpu_area_is_validated() {
    assert!(Made::default().of_thread().is_some());
    let with = |change: fn(&mut Vec<u8>)| {
        let mut made = Made::default();
        change(&mut made.area);
        made.of_thread()
    };
    assert_eq!(with(|area| put(area, 0, &0x1_0001_u32.to_le_bytes())), None, "no integers");
    assert_eq!(with(|area| put(area, 0, &0x10_000F_u32.to_le_bytes())), None, "x64 flags");
    assert_eq!(with(|area| put(area, 0, &0x3_003F_u32.to_le_bytes())), None, "unknown flags");
    assert!(with(|area| put(area, 0, &0x8801_007F_u32.to_le_bytes())).is_some());
    assert_eq!(with(|area| put(area, 0xBC, &[0x33])), None, "64-bit code");
    assert_eq!(with(|area| put(area, 0xB8, &0x1234_u32.to_le_bytes())), None, "Eip in no module");
    let elsewhere = |area: &mut Vec<u8>| put(area, 0xC4, &(PEB32 as u32).to_le_bytes());
    assert_eq!(with(elsewhere), None, "Esp not on the stack");
    for slot in [0, AREA + 0x10, 0x666_0000, u64::MAX, TEB64] {
        assert_eq!(Made { slot, ..Made::default() }.of_thread(), None, "{slot:#x}");
    }
}

#[test]
fn a_teb32_is_confirmed() {
    let moved = TEB64 + 0x5000;
    let at = |exception_list, wow_teb_offset| {
        let made = Made { teb32: moved, exception_list, wow_teb_offset, ..Made::default() };
        made.of_thread().is_some()
    };
    assert!(!at(0, 0) && at(moved, 0) && at(0, 0x5000));
    assert!(!at(moved + 4, -0x5000), "no Self pointer there");
    assert!(Made { teb32_id: 8, ..Made::default() }.of_thread().is_none(), "another thread's");
}

#[test]
fn modules_are_told_apart() {
    let x86_side = vec![0x40_0000, NTDLL32];
    assert_eq!(Made::default().modules(), x86_side);
    let loader_lock = NTDLL32 + 0x800;
    assert_eq!(Made { headers: false, loader_lock, ..Made::default() }.modules(), x86_side);
    // Nothing tells the two ntdll.dll apart: neither is left out.
    let unknown = Made { headers: false, ..Made::default() }.modules();
    assert_eq!(unknown, [0x40_0000, NTDLL64, NTDLL32]);
}

#[test]
fn the_side_is_that_of_an_x86_dump() {
    let made = Made { area: x86(RAISED_AT, ESP), ..Made::default() };
    let file = made.file();
    let dump = Dump::parse(&file).unwrap();
    assert!(dump.system.is_wow64_from_64_bit());
    assert_eq!(dump.x86_module_of_exception().map(|module| module.base), Some(NTDLL32));
    let side = dump.x86_side().unwrap();
    assert!(side.system.is_wow64_from_32_bit() && side.x86_side().is_none());
    assert_eq!((side.system.cpu, side.system.pointer_width), (Cpu::X86, Four));
    assert_eq!(side.system.peb.as_ref().unwrap().app_compat_flags, Some(0x55));
    let thread = &side.threads[0];
    assert_eq!((thread.teb, thread.stack), (TEB32, (STACK, STACK_SIZE as u64)));
    assert_eq!(side.stack_owner(ESP).map(|thread| thread.id), Some(7));
    assert_eq!(side.module_at(RAISED_AT).map(|module| module.base), Some(NTDLL32));
    assert!(side.module_at(NTDLL64).is_none());
    // A dump of 64-bit code has no other side.
    let plain = Synth::new(Cpu::Amd64).module(NTDLL64, 0x1000, "ntdll.dll", [0; 4]).build();
    assert!(Dump::parse(&plain).unwrap().x86_side().is_none());
}

proptest! {
    /// Contexts, slots and TEBs that point anywhere: some answer, no panic, and never a context off the stack.
    #[test]
    fn anything_may_stand_there(
        cs in prop_oneof![Just(0x23_u8), Just(0x33), any::<u8>()],
        places in prop::array::uniform5(prop_oneof![
            any::<u64>(), Just(TEB64), Just(TEB32), Just(AREA), Just(ESP), Just(RAISED_AT), Just(u64::MAX - 3),
        ]),
        flags in any::<u32>(),
        offset in any::<i32>(),
    ) {
        let [rip, rsp, slot, raised_at, list] = places;
        let mut area = x86(rip, rsp);
        put(&mut area, 0, &flags.to_le_bytes());
        let made = Made {
            outer: x64(cs, rip, rsp), slot, raised_at, area, exception_list: list, wow_teb_offset: offset,
            on_stack: Some((0xF80, x86(raised_at, rsp))), ..Made::default()
        };
        let file = made.file();
        let dump = Dump::parse(&file).unwrap();
        if let Some(side) = dump.side_of_exception() {
            let [_, esp, _] = x86_registers(side.exception.unwrap().context.as_ref().unwrap());
            prop_assert!(dump.memory.u32(esp.into()).is_some());
        }
    }
}
