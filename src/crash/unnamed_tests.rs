use super::*;
use crate::crash::exception::INVALID_HANDLE;
use crate::crash::locate::Located;
use crate::crash::waits::Waits;
use crate::dump::Cpu;
use crate::dump::exception::ExceptionRecord;
use crate::dump::peb::Peb;
use crate::dump::synth::Synth;
use crate::image::fixtures::PeBuilder;
use crate::image::flow::FlowCache;
use crate::image::images::Images;

const FREE: RawCriticalSection = RawCriticalSection {
    debug_info: 0x50_0000,
    lock_count: -1,
    recursion_count: 0,
    owning_thread: 0,
    lock_semaphore: 0x3C,
    spin_count: 0,
};

/// Whether a section explains the failed wait of an Enter.
fn explains_a_wait(encoding: LockCountEncoding, raw: Option<RawCriticalSection>) -> bool {
    let file = Synth::new(Cpu::Amd64).build();
    let dump = Dump::parse(&file).unwrap();
    let images = Images::new(&dump.memory, []);
    let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
    let candidate = Candidate { address: 0x40_0000, ways: Vec::new(), raw, gate: None };
    let waits = Waits::read(scene);
    let lock = LockFailure {
        operation: Some(Operation::Enter),
        source: OperationSource::CallerImport,
        failure: Failure::Wait(INVALID_HANDLE),
        caller: Some(1),
        located: Some(Located { candidate, argument: None, others: 0, waits }),
    };
    explains(scene, encoding, &lock)
}

#[test]
fn an_enter_whose_section_is_free_has_returned() {
    let flags = |lock_count| {
        let raw = RawCriticalSection { lock_count, ..FREE };
        explains_a_wait(LockCountEncoding::Flags, Some(raw))
    };
    assert!(!flags(-1), "free");
    assert!(!flags(-2), "locked, and nobody waits");
    assert!(flags(-6), "locked, and one waits");
    assert!(flags(-3), "one was woken");
    let counting = |lock_count, recursion_count| {
        let raw = RawCriticalSection { lock_count, recursion_count, ..FREE };
        explains_a_wait(LockCountEncoding::Counting, Some(raw))
    };
    assert!(!counting(-1, 0), "free");
    assert!(!counting(0, 1) && !counting(1, 2), "only the owner is counted");
    assert!(counting(1, 1) && counting(0, 0), "one waits");
    let without_handle = RawCriticalSection { lock_count: -6, lock_semaphore: 0, ..FREE };
    assert!(!explains_a_wait(LockCountEncoding::Flags, Some(without_handle)));
    let zeros = RawCriticalSection { debug_info: 0, lock_count: 0, ..without_handle };
    assert!(explains_a_wait(LockCountEncoding::Flags, Some(zeros)), "deleted since");
    assert!(explains_a_wait(LockCountEncoding::Flags, None), "not in the dump");
}

/// Whether a close has raised a handle's status, behind a call of `nearer`; each call was given a section with a LockSemaphore.
fn is_close(flags: u32, is_debugged: bool, nearer: &str, lock_semaphore: u32) -> bool {
    const PROGRAM: u64 = 0x10_0000;
    const NTDLL: u64 = 0x5000_0000;
    const SP: u64 = 0x20_0000;
    const SECTION: u32 = 0x30_0000;
    let mut pe = PeBuilder::x86();
    pe.imports("KERNEL32.dll", "DeleteCriticalSection");
    pe.put_u32(0x7000, 0x5000_1000);
    pe.put(0x1100, &[0x90; 0x100]);
    // push SECTION; call [107000h]
    pe.put(0x1200, &[0x68, 0, 0, 0x30, 0, 0xFF, 0x15, 0, 0x70, 0x10, 0]);
    let return_address: u32 = 0x10_120B;
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let stack: Vec<u8> = words(&[1, return_address, SECTION, 0, 0, return_address, SECTION, 0]);
    let section: Vec<u8> = words(&[u32::MAX, u32::MAX, 0, 0, lock_semaphore, 0]);
    let file = Synth::new(Cpu::X86)
        .module(PROGRAM, 0x10000, "C:\\app\\app.exe", [1, 0, 0, 0])
        .module(NTDLL, 0x10000, "C:\\Windows\\ntdll.dll", [6, 1, 0, 0])
        .memory(PROGRAM, pe.bytes())
        .memory(SP, stack)
        .memory(u64::from(SECTION), section)
        .build();
    let mut dump = Dump::parse(&file).unwrap();
    let (nt_global_flag, being_debugged) = (Some(flags), Some(is_debugged));
    dump.system.peb = Some(Peb { nt_global_flag, being_debugged, ..Peb::default() });
    let images = Images::new(&dump.memory, [(PROGRAM, PeBuilder::SIZE)]);
    let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
    let address = NTDLL + 0x2000;
    let mut registers = RegisterFile::new(dump.system.pointer_width, address, SP);
    registers.set(Register::Rsp, SP, Provenance::Context);
    let innermost = Frame {
        registers,
        ip_kind: IpKind::Exact,
        trust: Trust::Context,
        return_slot: None,
        module: Some(NTDLL),
        start: None,
        function: None,
    };
    let record = ExceptionRecord {
        code: INVALID_HANDLE,
        flags: 0,
        nested_record_address: 0,
        address,
        parameters: Vec::new(),
    };
    let exception = EffectiveException { record, nested_in: Vec::new(), context: None };
    let to = if nearer == "of_the_program" { PROGRAM } else { NTDLL };
    let call = |slot, name: &str, module| Call {
        slot,
        return_address: u64::from(return_address),
        name: name.to_owned(),
        target: Some(module + 0x1000),
    };
    let calls = [call(SP + 4, nearer, to), call(SP + 20, "CloseHandle", NTDLL)];
    a_close_raised(scene, &[innermost], &exception, LockCountEncoding::Flags, &calls)
}

#[test]
fn a_close_is_believed_behind_what_has_surely_returned() {
    let closes = FLG_ENABLE_CLOSE_EXCEPTIONS;
    for (flags, is_debugged) in [(closes, false), (0, true)] {
        let is_close = |nearer, semaphore| is_close(flags, is_debugged, nearer, semaphore);
        assert!(is_close("EnterCriticalSection", 0) && is_close("ResumeThread", 0));
        // No handle to close; one that is none; one of which the dump, without a handle stream, says nothing.
        assert!(is_close("DeleteCriticalSection", 0));
        assert!(!is_close("DeleteCriticalSection", 0xDEAD_BEEF));
        assert!(!is_close("DeleteCriticalSection", 0x3C));
        // Refused by the gate, for it has no event.
        assert!(is_close("LeaveCriticalSection", 0));
        assert!(!is_close("of_the_program", 0), "which may close what it likes");
    }
    // Nothing raises, or every use of a handle does.
    for flags in [0, FLG_APPLICATION_VERIFIER | closes, FLG_ENABLE_HANDLE_EXCEPTIONS | closes] {
        assert!(!is_close(flags, false, "ResumeThread", 0), "{flags:x}");
        assert!(is_close(flags, false, "NtClose", 0), "the nearest call");
    }
}
