//! fizzbuzz_wow64.dmp, a WoW64 process of Windows 7 by a 64-bit writer, and crashes grafted into its form.

use super::support;
use csdump::crash;
use csdump::crash::frame::Trust;
use csdump::crash::stack::Scene;
use csdump::critsec::debug_info::walk_list;
use csdump::critsec::layout::RawCriticalSection;
use csdump::dump::memory::AddressSpace;
use csdump::dump::synth::{Synth, SynthHandle, SynthThread, context};
use csdump::dump::wow64::ContextSource;
use csdump::dump::{Cpu, Dump, MemorySource, PointerWidth, Region, stream_type};
use csdump::image::flow::FlowCache;
use csdump::image::images::Images;
use csdump::report::build::Origin;
use csdump::report::model::{Outcome, Report};
use minidump::MinidumpRawContext;
use support::top;

const FIZZBUZZ: &str = "llvm-lldb/fizzbuzz_wow64.dmp";
const CLOSED: &str = "win7-code/closed-x86-full.dmp";

fn bytes(name: &str) -> Option<Vec<u8>> {
    support::shared(name).map(|path| std::fs::read(path).unwrap())
}

/// The sections on the list that begins at the loader lock; each must be free.
fn free_sections(dump: &Dump<'_>) -> usize {
    let width = dump.system.pointer_width;
    let lock = dump.system.peb.as_ref().unwrap().loader_lock.unwrap();
    let listed = walk_list(&dump.memory, dump.memory.pointer(lock, width).unwrap(), width);
    assert!(listed.closed);
    for section in &listed.sections {
        let raw = RawCriticalSection::read(&dump.memory, section.section, width).unwrap();
        let state = (raw.lock_count, raw.recursion_count, raw.owning_thread);
        assert_eq!(state, (-1, 0, 0), "{:#x}", section.section);
    }
    listed.sections.len()
}

/// What INDEX.md says of it.
#[test]
fn both_sides_are_there() {
    let Some(file) = bytes(FIZZBUZZ) else { return };
    let dump = Dump::parse(&file).unwrap();
    assert!(dump.side_of_exception().is_none(), "there is no exception");
    let side = dump.x86_side().expect("a 32-bit side");
    let facts = |dump: &Dump<'_>| {
        let peb = dump.system.peb.as_ref().unwrap();
        let ntdlls = dump.modules.iter().filter(|module| module.is_named("ntdll.dll"));
        let bases: Vec<u64> = ntdlls.map(|module| module.base).collect();
        (dump.system.cpu, peb.address, peb.loader_lock.unwrap(), bases, free_sections(dump))
    };
    let both = vec![0x77ae_0000, 0x77cc_0000];
    assert_eq!(facts(&dump), (Cpu::Amd64, 0x7efd_f000, 0x77c1_4490, both, 10));
    assert_eq!(facts(&side), (Cpu::X86, 0x7efd_e000, 0x77dc_20c0, vec![0x77cc_0000], 136));
    assert_eq!(side.modules.len(), 12);
    assert!(side.module_at(0x7554_2e09).is_none(), "wow64cpu.dll is 64-bit");
    assert!(side.module_at(0x70b2_0000).is_some(), "its path says System32, its header x86");
    let os = &side.system.os;
    assert_eq!((os.major, os.minor, os.build), (6, 1, 7601));
    assert!(side.system.wow64 && side.system.is_wow64_from_32_bit());
}

/// Where the 32-bit registers of a thread in a system call are.
#[test]
fn the_wow64_areas_of_windows_7() {
    let Some(file) = bytes(FIZZBUZZ) else { return };
    let dump = Dump::parse(&file).unwrap();
    let (memory, thread) = (&dump.memory, &dump.threads[0]);
    let (teb64, teb32) = (thread.teb, thread.teb + 0x2000);
    // TEB64: ExceptionList, StackBase, TlsSlots[1]. TEB32: Self, UniqueThread, GdiBatchCount.
    assert_eq!(memory.u64(teb64), Some(teb32));
    assert_eq!(memory.u32(teb32 + 0x18).map(u64::from), Some(teb32));
    assert_eq!(memory.u32(teb32 + 0x24), Some(thread.id));
    assert_eq!(memory.u32(teb32 + 0xF70).map(u64::from), Some(teb64));
    let area = memory.u64(teb64 + 0x1488).unwrap();
    assert_eq!(memory.u64(teb64 + 8), Some(area));
    let Some(MinidumpRawContext::Amd64(outer)) = thread.context.as_ref().map(|at| &at.raw) else {
        panic!("an x64 context");
    };
    assert_eq!((outer.cs, outer.r12, outer.r13), (0x33, teb64, area));

    let side = dump.x86_side().unwrap();
    let thread = &side.threads[0];
    assert_eq!((thread.teb, thread.stack), (teb32, (0x37_e000, 0x2000)));
    let Some(MinidumpRawContext::X86(inner)) = thread.context.as_ref().map(|at| &at.raw) else {
        panic!("an x86 context");
    };
    let control = (inner.context_flags, inner.cs, inner.eip, inner.esp, inner.ebp);
    assert_eq!(control, (0x1_002f, 0x23, 0x77ce_01fd, 0x37_f5b8, 0x37_f654));
    // Eip is behind `call fs:[0xc0]`, and at [Esp]; the 64-bit code left Ebp alone.
    assert_eq!(*memory.read_up_to(0x77ce_01f6, 7), [0x64, 0xff, 0x15, 0xc0, 0, 0, 0]);
    assert_eq!(memory.u32(inner.esp.into()), Some(inner.eip));
    assert_eq!(u64::from(inner.ebp), outer.rbp);
}

/// How the writer came by the registers of the exception.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Form {
    CodeSegment,
    CpuArea,
    Nowhere,
}

fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    bytes[offset..offset + value.len()].copy_from_slice(value);
}

/// The x86 context of a thread of the closed dump; in a system call Eip is the return address at \[Esp\].
fn x86_context(closed: &Dump<'_>, thread: &csdump::dump::Thread, in_call: bool) -> Vec<u8> {
    let Some(MinidumpRawContext::X86(raw)) = thread.context.as_ref().map(|at| &at.raw) else {
        panic!("an x86 context");
    };
    let eip = match closed.memory.u32(raw.esp.into()) {
        Some(at) if in_call => at,
        _ => raw.eip,
    };
    let registers = [
        ("edi", raw.edi),
        ("esi", raw.esi),
        ("ebx", raw.ebx),
        ("edx", raw.edx),
        ("ecx", raw.ecx),
        ("eax", raw.eax),
        ("ebp", raw.ebp),
        ("eip", eip),
        ("esp", raw.esp),
    ];
    let mut bytes = context(Cpu::X86, &registers.map(|(name, value)| (name, value.into())));
    put(&mut bytes, 0, &0x1_002f_u32.to_le_bytes());
    put(&mut bytes, 0xBC, &0x23_u32.to_le_bytes());
    bytes
}

/// The same registers as an x64 context of a thread in 32-bit code.
fn widened(x86: &[u8]) -> Vec<u8> {
    let at =
        |offset: usize| u64::from(u32::from_le_bytes(x86[offset..offset + 4].try_into().unwrap()));
    let names = ["rdi", "rsi", "rbx", "rdx", "rcx", "rax", "rbp", "rip"];
    let offsets = (0x9C..).step_by(4);
    let mut registers: Vec<_> =
        names.into_iter().zip(offsets).map(|(name, offset)| (name, at(offset))).collect();
    registers.push(("rsp", at(0xC4)));
    let mut bytes = context(Cpu::Amd64, &registers);
    put(&mut bytes, 0x38, &[0x23, 0, 0x2b, 0, 0x2b, 0, 0x53, 0, 0x2b, 0, 0x2b, 0]);
    bytes
}

/// The x86 dump of a failed Leave in the 64-bit form of the other: its 32-bit memory, exception, registers and handles
/// with that one's 64-bit memory and modules.
fn graft(fizzbuzz: &Dump<'_>, closed: &Dump<'_>, form: Form) -> Vec<u8> {
    let exception = closed.exception.as_ref().unwrap();
    let outer = {
        let registers = [("rip", 0x7554_2e09), ("rsp", 0x20_e518), ("rbp", 0x37_f654)];
        let mut bytes = context(Cpu::Amd64, &registers);
        put(&mut bytes, 0x38, &[0x33, 0, 0x2b, 0, 0x2b, 0, 0x53, 0, 0x2b, 0, 0x2b, 0]);
        bytes
    };
    let mut synth = Synth::new(Cpu::Amd64).full().flags(0x1826);
    for module in &fizzbuzz.modules[1..5] {
        let size = u32::try_from(module.size).unwrap();
        synth = synth.module(module.base, size, &module.name, module.version.unwrap());
    }
    for module in &closed.modules {
        let size = u32::try_from(module.size).unwrap();
        synth = synth.module(module.base, size, &module.name, module.version.unwrap_or_default());
    }
    let mut own = Vec::new();
    for (index, thread) in closed.threads.iter().enumerate() {
        let crashed = thread.id == exception.thread_id;
        let inner = x86_context(closed, thread, !crashed);
        let outer =
            if crashed && form == Form::CodeSegment { widened(&inner) } else { outer.clone() };
        let teb64 = thread.teb - 0x2000;
        synth = synth.thread(&SynthThread {
            id: thread.id,
            teb: teb64,
            context: &outer,
            ..SynthThread::default()
        });
        if crashed {
            let record = &exception.record;
            let parameters = &record.parameters;
            synth = synth.exception(thread.id, record.code, 0, record.address, parameters, &outer);
        }
        let area = 0x2100_0000 + index as u64 * 0x1_0000;
        let mut teb = csdump::dump::synth::teb(
            PointerWidth::Eight,
            teb64,
            0x7efd_f000,
            (7836, thread.id.into()),
            (area - 0x4000, area),
        );
        let slot = if crashed && form != Form::CpuArea { 0 } else { area };
        put(&mut teb, 0x1488, &slot.to_le_bytes());
        own.push((teb64, teb));
        own.push((area, [&[0; 4][..], &inner].concat()));
    }
    for handle in &closed.handles.as_ref().unwrap().handles {
        let type_name = handle.type_name.as_deref().unwrap_or_default();
        let granted_access = handle.granted_access;
        let handle = SynthHandle {
            value: handle.value,
            type_name,
            granted_access,
            ..SynthHandle::default()
        };
        synth = synth.handle(&handle);
    }
    let own = own.iter().map(|(base, bytes)| Region {
        base: *base,
        bytes,
        source: MemorySource::Memory64List,
    });
    let shared = closed.memory.regions().iter().chain(fizzbuzz.memory.regions()).copied();
    let space = AddressSpace::new(own.chain(shared));
    for region in space.regions() {
        synth = synth.memory(region.base, region.bytes);
    }
    synth.build()
}

fn grafted(form: Form) -> Option<(Option<ContextSource>, Report)> {
    let (fizzbuzz, closed) = (bytes(FIZZBUZZ)?, bytes(CLOSED)?);
    let (fizzbuzz, closed) = (Dump::parse(&fizzbuzz).unwrap(), Dump::parse(&closed).unwrap());
    let file = graft(&fizzbuzz, &closed, form);
    let dump = Dump::parse(&file).unwrap();
    assert!(dump.system.is_wow64_from_64_bit());
    let source = dump.side_of_exception().and_then(|side| side.wow64_context);
    Some((source, csdump::analyze(&dump, &Origin::default())))
}

#[test]
fn a_crash_of_the_32_bit_side_is_diagnosed() {
    for (form, expected) in [
        (Form::CodeSegment, ContextSource::ExceptionStream),
        (Form::CpuArea, ContextSource::CpuArea),
    ] {
        let Some((source, report)) = grafted(form) else { return };
        assert_eq!(source, Some(expected));
        assert_eq!(report.outcome, Outcome::Diagnosed, "{form:?}");
        assert_eq!((report.dump.cpu.as_str(), report.dump.wow64), ("x86", true));
        assert_eq!(top(&report).0, "handle-closed", "{form:?}");
        assert!(top(&report).1 >= 0.9, "{form:?}: {}", top(&report).1);
        assert_eq!(report.critical_section.as_ref().unwrap().address, "0x404054");
        let handle = report.handle.as_ref().unwrap();
        assert_eq!((handle.value.as_deref(), handle.state.as_str()), (Some("0x18"), "absent"));
        let chain = support::chain(&report);
        let expected = ["RtlRaiseStatus", "RtlpUnWaitCriticalSection", "RtlLeaveCriticalSection"];
        assert_eq!(chain.get(..3), Some(&expected[..]), "{chain:?}");
        assert!(!report.warnings.iter().any(|warning| warning.contains("64-bit side")));
    }
}

/// The same without the registers: no cause is named, and the reader is told why.
#[test]
fn without_the_registers_it_stays_open() {
    let Some((source, report)) = grafted(Form::Nowhere) else { return };
    assert_eq!(source, None);
    assert_eq!(report.outcome, Outcome::Inconclusive);
    assert_eq!((report.dump.cpu.as_str(), report.dump.wow64), ("x64", true));
    assert!(top(&report).1 < 0.9, "{:?}", top(&report));
    assert!(report.critical_section.is_none());
    assert!(report.warnings.iter().any(|warning| warning.contains("32-bit ntdll.dll")));
}

/// From the CPU area the 32-bit stack is walked to its end, through 32-bit modules only: the program has crashed, and its
/// unhandled-exception filter waits for the error reporting.
#[test]
fn the_32_bit_stack_is_walked() {
    let Some(file) = bytes(FIZZBUZZ) else { return };
    let side = Dump::parse(&file).unwrap().x86_side().unwrap();
    let images =
        Images::new(&side.memory, side.modules.iter().map(|module| (module.base, module.size)));
    let flows = FlowCache::default();
    let scene = Scene { dump: &side, images: &images, flows: &flows };
    let frames = crash::thread_stack(scene, &side.threads[0]);
    let names: Vec<_> = frames
        .iter()
        .map(|frame| frame.function.as_ref().map_or("?", |function| function.name.as_str()))
        .collect();
    let expected = [
        "NtWaitForMultipleObjects",
        "WaitForMultipleObjectsEx",
        "WaitForMultipleObjectsEx",
        "WaitForMultipleObjects",
    ];
    assert_eq!(names.get(..4), Some(&expected[..]));
    let last = frames.last().unwrap();
    assert_eq!(last.module, Some(0x77cc_0000), "the thread began in the 32-bit ntdll");
    assert!(frames.iter().all(|frame| frame.trust != Trust::Scan), "{frames:?}");
    let all = crash::all_stacks(scene).unwrap();
    assert_eq!(
        all.iter().map(|(id, frames)| (*id, frames.len())).collect::<Vec<_>>(),
        [(13456, 10)]
    );
}

/// The writer was given no exception, but the 32-bit dispatcher's record (0x37f904) and CONTEXT (0x37f954) are on the stack.
/// With that record in an exception stream, and the thread's 64-bit context, the registers are found there.
#[test]
fn a_dispatched_exception_is_found_on_the_stack() {
    const RECORD: u64 = 0x37_f904;
    const RAISED_AT: u32 = 0xe3_115a;
    let Some(mut file) = bytes(FIZZBUZZ) else { return };
    let dump = Dump::parse(&file).unwrap();
    let word = |offset| dump.memory.u32(RECORD + offset).unwrap();
    assert_eq!(
        (word(0), word(12), word(80), word(80 + 0xB8)),
        (0xC000_0005, RAISED_AT, 0x1_007f, RAISED_AT)
    );
    let unused = dump.directory.iter().position(|entry| entry.stream_type == 0).unwrap();
    let threads = dump.stream(stream_type::THREAD_LIST).unwrap();
    let context = &threads.bytes[4 + 40..4 + 48];
    let mut stream = vec![0; 168];
    put(&mut stream, 0, &dump.threads[0].id.to_le_bytes());
    put(&mut stream, 8, &word(0).to_le_bytes());
    put(&mut stream, 24, &RAISED_AT.to_le_bytes());
    put(&mut stream, 32, &[2]);
    put(&mut stream, 160, context);
    let entry = [6, 168, u32::try_from(file.len()).unwrap()].map(u32::to_le_bytes).concat();
    let directory = u32::from_le_bytes(file[12..16].try_into().unwrap()) as usize;
    put(&mut file, directory + unused * 12, &entry);
    file.extend(stream);

    let dump = Dump::parse(&file).unwrap();
    let side = dump.side_of_exception().expect("raised in 32-bit code");
    assert_eq!(side.wow64_context, Some(ContextSource::Stack));
    let report = csdump::analyze(&dump, &Origin::default());
    assert_eq!(report.outcome, Outcome::NotApplicable);
    assert_eq!((report.dump.cpu.as_str(), report.dump.wow64), ("x86", true));
    let crash = report.crash.as_ref().unwrap();
    let first = crash.frames.first().unwrap();
    assert_eq!(
        (first.module.as_deref(), first.module_offset.as_deref()),
        (Some("fizzbuzz.exe"), Some("0x115a"))
    );
    assert_eq!(crash.frames.last().unwrap().module.as_deref(), Some("ntdll.dll"));
    assert!(!report.warnings.iter().any(|warning| warning.contains("64-bit side")));
}
