//! Stops in dumps built by hand: frames are given, memory and modules are the dump's.

use super::*;
use crate::dump::Cpu;
use crate::dump::synth::{Synth, SynthThread, context};
use crate::image::IpKind;
use crate::image::flow::FlowCache;
use crate::image::images::Images;
use crate::image::registers::{Register, RegisterFile};

use crate::crash::frame::{FunctionName, Trust};
use crate::image::registers::Provenance;

const CORE: u64 = 0x5D7D_0000;
const BASICS: u64 = 0x5D7C_0000;
const APP: u64 = 0x40_0000;
const NTDLL: u64 = 0x7700_0000;
const STACK: u64 = 0x10_0000;
const SECTION: u64 = 0x24_0000;

fn synth(cpu: Cpu, stack: &[u8]) -> Synth {
    let registers = match cpu {
        Cpu::X86 => context(cpu, &[("esp", STACK), ("eip", CORE + 0x57B)]),
        _ => context(cpu, &[("rsp", STACK), ("rip", CORE + 0x57B)]),
    };
    let thread = SynthThread {
        id: 0x44,
        stack_base: STACK,
        stack,
        context: &registers,
        ..SynthThread::default()
    };
    Synth::new(cpu)
        .module(APP, 0x1_0000, "app.exe", [1, 0, 0, 0])
        .module(CORE, 0x1_0000, "vrfcore.dll", [10, 0, 0, 0])
        .module(BASICS, 0x1_0000, "vfbasics.dll", [10, 0, 0, 0])
        .module(NTDLL, 0x1_0000, "ntdll.dll", [10, 0, 0, 0])
        .thread(&thread)
        .memory(STACK, stack)
}

fn words(width: PointerWidth, values: &[u64]) -> Vec<u8> {
    let size = width.bytes() as usize;
    values.iter().flat_map(|value| value.to_le_bytes()[..size].to_vec()).collect()
}

struct F(u64, u64, &'static str, Option<u64>, Trust);

fn frames(width: PointerWidth, list: &[F]) -> Vec<Frame> {
    list.iter()
        .map(|F(ip, sp, name, return_slot, trust)| {
            let mut registers = RegisterFile::new(width, *ip, *sp);
            registers.set(Register::Rsp, *sp, Provenance::Computed);
            Frame {
                registers,
                ip_kind: IpKind::Exact,
                trust: *trust,
                return_slot: *return_slot,
                module: Some(*ip & !0xFFFF),
                start: None,
                function: (!name.is_empty()).then(|| FunctionName {
                    name: (*name).into(),
                    source: NameSource::Import,
                    start: None,
                }),
            }
        })
        .collect()
}

fn breakpoint(code: u32, parameters: &[u64]) -> EffectiveException {
    EffectiveException {
        record: ExceptionRecord {
            code,
            flags: 0,
            nested_record_address: 0,
            address: CORE + 0x57B,
            parameters: parameters.to_vec(),
        },
        nested_in: Vec::new(),
        context: None,
    }
}

fn with_scene<T>(file: &[u8], f: impl FnOnce(Scene<'_, '_>) -> T) -> T {
    let dump = Dump::parse(file).unwrap();
    let images = Images::new(&dump.memory, dump.modules.iter().map(|one| (one.base, one.size)));
    let flows = FlowCache::default();
    f(Scene { dump: &dump, images: &images, flows: &flows })
}

fn failed(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
) -> Option<(Stop, Option<LockFailure>)> {
    let stopped = read(scene, frames, exception)?;
    let lock = failure(scene, frames, LockCountEncoding::Flags, &stopped);
    Some((stopped.stop, lock))
}

/// A stack as VerifierStopMessageEx(layer, code, p1, p2, p3, p4) leaves it on x86; returns the failure.
fn x86_stop(code: u64, parameters: [u64; 4]) -> (Stop, Option<LockFailure>) {
    let width = PointerWidth::Four;
    let [p1, p2, p3, p4] = parameters;
    let stack =
        words(width, &[0, BASICS + 0x85, 0x5D7D_0C28, code, p1, p2, p3, p4, 0, 0, APP + 0x100, p1]);
    let file = synth(Cpu::X86, &stack).build();
    let list = [
        F(CORE + 0x57B, STACK, "VerifierStopMessageEx", None, Trust::Context),
        F(BASICS + 0x85, STACK + 8, "LeaveCriticalSection", Some(STACK + 4), Trust::FramePointer),
        F(APP + 0x100, STACK + 0x2C, "", Some(STACK + 0x28), Trust::FramePointer),
    ];
    with_scene(&file, |scene| {
        failed(scene, &frames(width, &list), &breakpoint(0x8000_0003, &[])).unwrap()
    })
}

#[test]
fn an_x86_stop_is_read_by_position() {
    let (stop, lock) = x86_stop(0x1000_0214, [SECTION, 1, 0, 0]);
    assert_eq!(stop.code, Some(0x214));
    assert_eq!(stop.parameters, [SECTION, 1, 0, 0]);
    assert_eq!(stop.source, StopSource::StackArguments);
    let lock = lock.unwrap();
    assert_eq!(lock.operation, Some(Operation::Leave));
    assert_eq!(lock.failure, Failure::VerifierStop(Some(0x214)));
    assert_eq!(lock.caller, Some(2));
    assert_eq!(lock.located.unwrap().candidate.address, SECTION);
}

#[test]
fn an_argument_between_code_and_parameters_is_passed_over() {
    let (stop, _) = x86_stop(0x210, [1, SECTION, 0x30_0000, 0]);
    assert_eq!(stop.parameters, [SECTION, 0x30_0000, 0, 0]);
    assert_eq!(x86_stop(0x303, [0, SECTION, 0, 0]).0.parameters, [0, SECTION, 0, 0]);
}

#[test]
fn a_stop_about_something_else_is_not_applicable() {
    for code in [0xF, 0x13, 0x301, 0x302, 0x303, 0x304, 0x305, 0x650] {
        let (stop, lock) = x86_stop(code, [SECTION, 0, 0, 0]);
        assert_eq!(stop.code, Some(code as u32));
        assert!(lock.is_none(), "{code:#x}");
    }
}

#[test]
fn a_breakpoint_elsewhere_is_no_stop() {
    let width = PointerWidth::Eight;
    let file = synth(Cpu::Amd64, &words(width, &[0x210, SECTION, 0, 0, 0, 0])).build();
    let in_app = [
        F(APP + 0x10, STACK, "", None, Trust::Context),
        F(
            BASICS + 0x85,
            STACK + 0x20,
            "LeaveCriticalSection",
            Some(STACK + 0x18),
            Trust::UnwindData,
        ),
    ];
    let in_function = [
        F(NTDLL + 0x10, STACK, "RtlFreeHeap", None, Trust::Context),
        F(CORE + 0x85, STACK + 0x20, "", Some(STACK + 0x18), Trust::UnwindData),
    ];
    let guessed = [
        F(NTDLL + 0x10, STACK, "DbgBreakPoint", None, Trust::Context),
        F(CORE + 0x85, STACK + 0x20, "", Some(STACK + 0x18), Trust::Scan),
    ];
    let called = [
        F(NTDLL + 0x10, STACK, "DbgBreakPoint", None, Trust::Context),
        F(CORE + 0x85, STACK + 0x20, "", Some(STACK + 0x18), Trust::UnwindData),
    ];
    with_scene(&file, |scene| {
        let is_stop =
            |list: &[F], code| read(scene, &frames(width, list), &breakpoint(code, &[])).is_some();
        assert!(!is_stop(&in_app, 0x8000_0003));
        assert!(!is_stop(&in_function, 0x8000_0003));
        assert!(!is_stop(&guessed, 0x8000_0003));
        assert!(is_stop(&called, 0x8000_0003) && is_stop(&called, 0x4000_001F));
        assert!(is_stop(&called, 0xC000_0421));
        assert!(!is_stop(&called, 0xC000_0005));
    });
}

/// The stop that words on an x64 stack give, for a program that passed nothing known.
fn scanned(stack: &[u64], memory: Option<(u64, Vec<u8>)>) -> Stop {
    let width = PointerWidth::Eight;
    let mut stack = stack.to_vec();
    stack.resize(0x40, 0);
    let mut synth = synth(Cpu::Amd64, &words(width, &stack));
    if let Some((base, bytes)) = memory {
        synth = synth.memory(base, bytes);
    }
    let list = [
        F(CORE + 0x610, STACK, "", None, Trust::Context),
        F(BASICS + 0x85, STACK + 0x100, "", Some(STACK + 0xF8), Trust::UnwindData),
        F(APP + 0x100, STACK + 0x180, "", Some(STACK + 0x178), Trust::UnwindData),
    ];
    with_scene(&synth.build(), |scene| {
        read(scene, &frames(width, &list), &breakpoint(0x8000_0003, &[])).unwrap().stop
    })
}

/// A section at [`SECTION`] with a debug record of its own behind it.
fn genuine() -> Option<(u64, Vec<u8>)> {
    let own = [
        SECTION + 0x40,
        0xFFFF_FFFF,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        SECTION,
        SECTION + 0x50,
        SECTION + 0x50,
        0,
        0,
    ];
    Some((SECTION, words(PointerWidth::Eight, &own)))
}

#[test]
fn a_small_number_on_the_stack_is_no_stop_code() {
    // A length beside a pointer to a text, and a code without parameters.
    assert_eq!(scanned(&[1, 0x208, 0x30_0000, 0, 0, 0, 0x210], None).code, None);
    // The same beside a section: its record proves it.
    let stop = scanned(&[1, 2, 0x209, SECTION, u64::MAX, 1, SECTION + 0x40], genuine());
    assert_eq!((stop.code, stop.source), (Some(0x209), StopSource::StackScan));
    assert_eq!(stop.parameters, [SECTION, u64::MAX, 1, SECTION + 0x40]);
    // With a text between each two, as VerifierStopMessage has them.
    let spaced = [1, 0x210, APP, SECTION, APP, SECTION + 0x40, APP, 0, APP, 0, APP];
    assert_eq!(scanned(&spaced, genuine()).parameters, [SECTION, SECTION + 0x40, 0, 0]);
    // A block that holds the section, and one that does not.
    let freed = |block, size| scanned(&[9, 0x202, SECTION + 0x38, 0x50_0000, block, size], None);
    assert_eq!(freed(SECTION, 0x100).section(), Some(SECTION + 0x38));
    assert_eq!(freed(SECTION, 0x20).code, None);
    // A module that holds it.
    let unloaded = scanned(&[0x201, APP + 0x80, 0x50_0000, 0x50_1000, APP], None);
    assert_eq!(unloaded.code, Some(0x201));
    // A thread that there is, and one that there is not.
    let ends = |thread| scanned(&[0x200, thread, SECTION, SECTION + 0x40, 0x50_0000], genuine());
    assert_eq!(ends(0x44).section(), Some(SECTION));
    assert_eq!(ends(0x45).code, None);
    // Two codes that fit decide nothing.
    let both = [0x209, SECTION, 0, 0, 0, 0x210, SECTION, 0, 0, 0];
    assert_eq!(scanned(&both, genuine()).code, None);
}

#[test]
fn a_stop_in_the_exception_record_is_read_there() {
    let width = PointerWidth::Eight;
    let file = synth(Cpu::Amd64, &words(width, &[0; 8])).build();
    let list = [F(CORE + 0x610, STACK, "", None, Trust::Context)];
    with_scene(&file, |scene| {
        let stop = |parameters: &[u64]| {
            let exception = breakpoint(0xC000_0421, parameters);
            failed(scene, &frames(width, &list), &exception).unwrap()
        };
        let (known, lock) = stop(&[0x202, SECTION, 0x50_0000, SECTION - 0x10, 0x80]);
        assert_eq!(known.source, StopSource::ExceptionParameters);
        let lock = lock.unwrap();
        assert_eq!((lock.operation, lock.source), (None, OperationSource::VerifierStop));
        assert!(lock.located.unwrap().candidate.is_exact());
        // Nothing shows the code, and no lock function led there.
        let (unknown, lock) = stop(&[]);
        assert_eq!((unknown.code, lock.is_none()), (None, true));
    });
}

#[test]
fn parameters_without_confirmation_are_a_guess() {
    // A section in a module's data, not in the dump.
    let guess = scanned(&[7, 0x210, APP + 0x8060, 0, 0, 0], None);
    assert_eq!((guess.code, guess.source), (Some(0x210), StopSource::StackGuess));
    // A pointer to the stack itself, a number that is no count, and a code that has no shape of its own.
    assert_eq!(scanned(&[7, 0x210, STACK + 0x40, 0, 0, 0], None).code, None);
    assert_eq!(scanned(&[7, 0x214, APP + 0x8060, 0x30_0000, 0, 0], None).code, None);
    assert_eq!(scanned(&[7, 0x210, BASICS + 0x8060, 0, 0, 0], None).code, None);
    assert_eq!(scanned(&[7, 0x303, APP + 0x8060, 0, 0, 0], None).code, None);
    let two = [0x210, APP + 0x8060, 0, 0, 0, 0x214, APP + 0x8060, 1, 0, 0];
    assert_eq!(scanned(&two, None).code, None);
}

/// A stack with the pointers that a handler got, the record and the context behind them, and the exception's own frame;
/// `caller` is who called the verifier.
fn reported(caller: F, sp: u64) -> Option<u32> {
    let width = PointerWidth::Eight;
    let mut stack = words(width, &[0, 0, STACK + 0x100, STACK + 0x200]);
    stack.resize(0x1000, 0);
    let record = words(width, &[0xC000_0008, 0, NTDLL + 0x80, 0]);
    stack[0x100..0x120].copy_from_slice(&record);
    let registers = context(Cpu::Amd64, &[("rip", NTDLL + 0x80), ("rsp", sp)]);
    stack[0x200..0x200 + registers.len()].copy_from_slice(&registers);
    let file = synth(Cpu::Amd64, &stack).build();
    let list = [F(CORE + 0x610, STACK, "", None, Trust::Context), caller];
    with_scene(&file, |scene| {
        let found = read(scene, &frames(width, &list), &breakpoint(0x8000_0003, &[])).unwrap();
        let inner = inner(scene, &found);
        assert_eq!(inner.is_some(), found.stop.code == Some(0x300));
        found.stop.code
    })
}

#[test]
fn pointers_of_a_handled_exception_are_no_stop() {
    let from = |ip, trust| F(ip, STACK + 0x18, "", Some(STACK + 0x10), trust);
    assert_eq!(reported(from(NTDLL + 0x400, Trust::UnwindData), STACK + 0xE00), Some(0x300));
    assert_eq!(reported(from(APP + 0x400, Trust::Scan), STACK + 0xE00), Some(0x300));
    assert_eq!(reported(from(APP + 0x400, Trust::UnwindData), STACK + 0xE00), None);
    assert_eq!(reported(from(NTDLL + 0x400, Trust::UnwindData), STACK + 0x180), None);
}

#[test]
fn a_fault_in_the_verifiers_substitute_is_a_lock_failure() {
    let width = PointerWidth::Four;
    let stack = words(width, &[0, BASICS + 0x85, 0, APP + 0x100, 0x18]);
    let file = synth(Cpu::X86, &stack).build();
    let substitute = |name| {
        [
            F(BASICS + 0x300, STACK, "", None, Trust::Context),
            F(BASICS + 0x85, STACK + 8, name, Some(STACK + 4), Trust::FramePointer),
            F(APP + 0x100, STACK + 0x10, "", Some(STACK + 0xC), Trust::FramePointer),
        ]
    };
    let mut fault = breakpoint(0xC000_0005, &[0, 0x18]);
    fault.record.address = BASICS + 0x300;
    with_scene(&file, |scene| {
        let failure = |name| {
            let mut frames = frames(width, &substitute(name));
            super::super::lock_failure(scene, &mut frames, &fault, LockCountEncoding::Flags)
        };
        let leave = failure("LeaveCriticalSection").unwrap();
        assert_eq!((leave.operation, leave.caller), (Some(Operation::Leave), Some(2)));
        assert_eq!(leave.failure, Failure::SectionAccess);
        assert_eq!(leave.located.unwrap().candidate.address, 0x18);
        assert!(failure("HeapFree").is_none() && failure("").is_none());
    });
}
