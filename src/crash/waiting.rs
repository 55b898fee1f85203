//! The program's frames on the stack of a thread that waits in code which the dump lacks.

use super::frame::{Frame, Trust};
use super::stack::{self, Scene};
use crate::image::IpKind;
use crate::image::registers::{Provenance, Register, RegisterFile};

/// Words above the stack pointer in which the call is looked for.
const MAX_WORDS: u64 = 256;
/// Functions that return when something has happened, or time has passed (learn.microsoft.com, Synchronization Functions; and of ntdll what they call).
const WAITS: &[&str] = &[
    "AcquireSRWLockExclusive",
    "AcquireSRWLockShared",
    "EnterCriticalSection",
    "GetMessageA",
    "GetMessageW",
    "GetQueuedCompletionStatus",
    "MsgWaitForMultipleObjects",
    "MsgWaitForMultipleObjectsEx",
    "NtDelayExecution",
    "NtWaitForMultipleObjects",
    "NtWaitForSingleObject",
    "RtlEnterCriticalSection",
    "SignalObjectAndWait",
    "Sleep",
    "SleepConditionVariableCS",
    "SleepConditionVariableSRW",
    "SleepEx",
    "WaitForMultipleObjects",
    "WaitForMultipleObjectsEx",
    "WaitForSingleObject",
    "WaitForSingleObjectEx",
    "WaitOnAddress",
];

/// The thread's own frame, and behind it the program's from its call of a function that waits on.
///
/// - situation: a small dump lacks the code of ntdll; above the stack pointer lie return addresses of calls that have come back, too.
/// - example: `mov ecx, eax`, `call [WaitForSingleObject]` in main, 0x130 bytes above the stack pointer of a thread in ntdll.
/// - handling: the thread is in code that the dump lacks. The nearest word that is behind a call of the program's to a function that has a name, and whose
///   caller the code proves; it is taken when that function waits, else nothing is. A call of the same kind that has come back may be taken for it, when
///   what it left is not written over.
/// - test: `a_thread_that_waits_is_found_in_its_call`.
#[must_use]
pub fn frames(scene: Scene<'_, '_>, innermost: &Frame, most: usize) -> Vec<Frame> {
    let found = || {
        let (sp, width) = (innermost.registers.sp()?, scene.dump.system.pointer_width);
        let is_elsewhere = scene.dump.memory.u8(innermost.registers.ip()).is_none()
            && scene
                .dump
                .module_at(innermost.registers.ip())
                .is_some_and(|module| !module.is_of_program());
        is_elsewhere.then_some(())?;
        let first = sp.checked_next_multiple_of(width.bytes())?;
        let (name, frames) = (0..MAX_WORDS).find_map(|index| {
            let slot = first.checked_add(index.checked_mul(width.bytes())?)?;
            called_from(scene, innermost, slot, most)
        })?;
        WAITS.contains(&name.as_str()).then_some(frames)
    };
    found().unwrap_or_default()
}

/// What the call before a return address goes to, and the frames from there on, where a caller of the program's is proven.
fn called_from(
    scene: Scene<'_, '_>,
    innermost: &Frame,
    slot: u64,
    most: usize,
) -> Option<(String, Vec<Frame>)> {
    let width = scene.dump.system.pointer_width;
    let ip = scene.dump.memory.pointer(slot, width)?;
    let module =
        scene.dump.module_at(ip.checked_sub(1)?).filter(|module| module.is_of_program())?;
    let name = scene.callee(&scene.call_site(ip)?)?.name()?.to_owned();
    let sp = slot.checked_add(width.bytes())?;
    let machine = innermost.registers.machine();
    let mut registers = RegisterFile::of(machine, ip, sp);
    registers.set(Register::stack_pointer(machine), sp, Provenance::Computed);
    let waiting = Frame {
        registers,
        ip_kind: IpKind::ReturnAddress,
        trust: Trust::Waiting,
        return_slot: Some(slot),
        module: Some(module.base),
        start: None,
        function: None,
    };
    let outer = stack::exact_frames_from(scene, waiting, most);
    let caller = outer.get(1).and_then(|frame| scene.dump.module_at(frame.lookup_address()));
    caller.filter(|module| module.is_of_program())?;
    Some((name, std::iter::once(innermost.clone()).chain(outer).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::fixtures::PeBuilder;
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;

    const STACK: u64 = 0x10_0000;
    const SYSTEM: u64 = 0x7000_0000;

    /// The addresses that a thread in ntdll is found in, which imports a function of this name and has called it at +1006h.
    fn found(import: &str, words: &[u64]) -> Vec<u64> {
        let mut pe = PeBuilder::x64();
        // call [import]; add rsp,28h; ret
        pe.put(0x1000, &[0xFF, 0x15, 0, 0x40, 0, 0, 0x48, 0x83, 0xC4, 0x28, 0xC3, 0xCC]);
        // call +1000h
        pe.put(0x1100, &[0xE8, 0xFB, 0xFE, 0xFF, 0xFF, 0xC3, 0xCC]);
        pe.imports("KERNEL32.dll", import);
        pe.put_u32(0x1002, 0x7000 - 0x1006);
        let stack: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let file = Synth::new(Cpu::Amd64)
            .module(PeBuilder::BASE, 0x1_0000, "C:\\Program Files\\Contoso\\app.exe", [1, 0, 0, 0])
            .module(SYSTEM, 0x1_0000, "C:\\Windows\\System32\\ntdll.dll", [10, 0, 0, 0])
            .memory(PeBuilder::BASE, pe.bytes())
            .memory(STACK, stack)
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(PeBuilder::BASE, PeBuilder::SIZE)]);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut registers =
            RegisterFile::of(crate::image::pe::Machine::Amd64, SYSTEM + 0x100, STACK);
        registers.set(Register::Rsp, STACK, Provenance::Context);
        let innermost = Frame {
            registers,
            ip_kind: IpKind::Exact,
            trust: Trust::Context,
            return_slot: None,
            module: Some(SYSTEM),
            start: None,
            function: None,
        };
        frames(scene, &innermost, 8).iter().map(|frame| frame.registers.ip()).collect()
    }

    #[test]
    fn a_thread_that_waits_is_found_in_its_call() {
        let (inner, outer) = (PeBuilder::BASE + 0x1006, PeBuilder::BASE + 0x1105);
        let words = [7, outer, 0, inner, 0, 0, 0, 0, 0, outer, 0, 0];
        assert_eq!(found("WaitForSingleObject", &words), [SYSTEM + 0x100, inner, outer]);
        assert!(found("CloseHandle", &words).is_empty(), "what comes back at once");
        let unproven = [7, 0, 0, inner, 0, 0, outer, 0, 0, 0, 0, 0];
        assert!(found("WaitForSingleObject", &unproven).is_empty(), "no caller");
    }
}
