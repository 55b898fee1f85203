//! What the code around an x86 frame's address says by itself: whose function it is, and where that keeps its return address.
//!
//! x86 has no unwind data. Where a module's exports and code are in the dump, an exported function is known by its control flow, whoever called it.

use super::frame::Frame;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::flow::{Flow, FrameStep, decode};
use crate::image::pe::Machine;
use crate::image::registers::Register;
use iced_x86::{Mnemonic, Register as Iced};
use std::ops::Range;
use std::sync::Arc;

/// Farthest a frame pointer may lie above the stack pointer, in bytes.
pub(super) const MAX_FRAME: u64 = 0x2_0000;

/// The exported function whose code leads to the frame: its start, and its control flow.
///
/// - situation: nothing says whom a call through a pointer has called.
/// - example: a program got NtClose from GetProcAddress; KiRaiseUserExceptionDispatcher raises, over the remains of a Leave.
/// - handling: the nearest export below the frame's address, but only when its control flow reaches that address, without a gap: the nearest export
///   alone proves nothing (critical-sections.md 0.1). It does not overrule a start that a call has proven, and zeros are data.
/// - test: `the_nearest_export_proves_nothing`, `a_delete_that_has_returned_is_no_caller` (tests/accuracy).
pub(super) fn exported_function(scene: Scene<'_, '_>, frame: &Frame) -> Option<(u64, Arc<Flow>)> {
    (frame.registers.machine() == Machine::X86).then_some(())?;
    let (ip, address) = (frame.registers.ip(), frame.lookup_address());
    let module = scene.images.module_at(address)?;
    let start = module.export_start_below(address)?;
    frame.start.is_none_or(|known| known == start).then_some(())?;
    (module.may_be_code(start) && scene.dump.memory.u16(start)? != 0).then_some(())?;
    let flow = scene.flows.follow(&scene.dump.memory, start, PointerWidth::Four);
    // Behind a call, or about to run.
    let is_inside = if scene.call_site(ip).is_some() { start < ip } else { flow.holds(ip) };
    (is_inside && flow.surely_reaches(start, ip)).then_some((start, flow))
}

/// The slot of the return address, where the code of the frame's function says where that lies.
///
/// - situation: a function's locals hold what earlier calls have left there, return addresses among them.
/// - example: DeleteCriticalSection has closed an event; then KiRaiseUserExceptionDispatcher raises out of CloseHandle, and the return address into
///   Delete, behind its call of NtClose, lies in a local that nobody has written to. The caller uses ebp for something else.
/// - handling: an exported function that begins with `push ebp; mov ebp, esp`, uses ebp for nothing else and has not restored it up to the call that
///   the frame is in has its return address at ebp + 4; one that never moves the stack pointer has it on top; whatever else lies nearer. Not where
///   the frame itself, and with it ebp, is a guess.
/// - test: `a_frame_pointer_is_the_functions_own`, `a_delete_that_has_returned_is_no_caller` (tests/accuracy).
pub(super) fn return_slot(scene: Scene<'_, '_>, frame: &Frame) -> Option<(u64, Arc<Flow>)> {
    frame.trust.is_exact().then_some(())?;
    let (start, flow) = exported_function(scene, frame)?;
    let ip = frame.registers.ip();
    if flow.complete && !flow.moves_stack {
        return Some((frame.registers.sp()?, flow));
    }
    scene.call_site(ip)?;
    let set = set_after_push(scene, start)?;
    keeps_frame(&flow, set, start..ip).then_some(())?;
    let ebp = frame_pointer(frame)?;
    Some((ebp.checked_add(4)?, flow))
}

/// What ebp holds, where it can be a frame pointer.
pub(super) fn frame_pointer(frame: &Frame) -> Option<u64> {
    let ebp = frame.registers.get(Register::Rbp)?;
    let sp = frame.registers.sp()?;
    let in_reach = (sp..sp.checked_add(MAX_FRAME)?).contains(&ebp) && ebp.is_multiple_of(4);
    in_reach.then_some(ebp)
}

/// Address of the `mov ebp, esp` behind the `push ebp` that a function begins with; `mov edi, edi` before them is room for a patch.
fn set_after_push(scene: Scene<'_, '_>, start: u64) -> Option<u64> {
    scene.flows.spend(2).then_some(())?;
    let at = |address| decode(&scene.dump.memory, address, PointerWidth::Four);
    let first = at(start)?;
    let is_patchable = first.mnemonic() == Mnemonic::Mov
        && first.op0_register() == Iced::EDI
        && first.op1_register() == Iced::EDI;
    let push = if is_patchable { at(first.next_ip())? } else { first };
    let is_push = push.mnemonic() == Mnemonic::Push && push.op0_register() == Iced::EBP;
    is_push.then(|| push.next_ip())
}

/// Whether a function that sets ebp at `set`, and nowhere else, holds its frame pointer there at the end of a range that begins where it does.
fn keeps_frame(flow: &Flow, set: u64, range: Range<u64>) -> bool {
    let mut others = flow.frame_steps(0..u64::MAX).filter(|(address, _)| *address != set);
    if others.any(|(_, step)| matches!(step, FrameStep::Set | FrameStep::Lost)) {
        return false;
    }
    let mut holds = false;
    for (address, step) in flow.frame_steps(range) {
        holds = match step {
            FrameStep::Set => address == set,
            FrameStep::Restored | FrameStep::Lost => false,
            // What follows is reached by a jump, from within the frame.
            FrameStep::Return => true,
            // A jump without the frame may lead out of the function: what follows may be another's.
            FrameStep::Jump if holds => true,
            FrameStep::Jump => return false,
        };
    }
    holds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::frame::Trust;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::IpKind;
    use crate::image::fixtures::PeBuilder;
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;
    use crate::image::registers::{Provenance, RegisterFile};

    const BASE: u64 = 0x10_0000;
    const SP: u64 = 0x20_0000;
    const EBP: u64 = SP + 0x40;

    /// A frame whose address lies behind `code`, which begins at +1200h of the module and goes on with `rest`. Exports begin at +1100h, +1200h and where
    /// `rest` does.
    #[derive(Clone)]
    struct Case<'c> {
        code: &'c [u8],
        rest: &'c [u8],
        ebp: u64,
        trust: Trust,
        ip_kind: IpKind,
        start: Option<u64>,
        exports_rest: bool,
        cpu: Cpu,
    }

    fn case<'c>(code: &'c [u8], rest: &'c [u8]) -> Case<'c> {
        let (trust, ip_kind) = (Trust::Context, IpKind::ReturnAddress);
        let (start, exports_rest, cpu) = (None, false, Cpu::X86);
        Case { code, rest, ebp: EBP, trust, ip_kind, start, exports_rest, cpu }
    }

    impl Case<'_> {
        /// The exported function, and the return slot.
        fn read(self) -> (Option<u64>, Option<u64>) {
            let behind = 0x1200 + self.code.len();
            let mut exports = vec![(0x1100, "Before"), (0x1200, "Known")];
            if self.exports_rest {
                exports.push((u32::try_from(behind).unwrap(), "Rest"));
            }
            let mut pe = PeBuilder::x86();
            pe.exports(&exports);
            pe.put(0x1100, &[0xC3]);
            pe.put(0x1200, self.code);
            pe.put(behind, self.rest);
            let file = Synth::new(self.cpu)
                .module(BASE, 0x10000, "ntdll.dll", [5, 1, 0, 0])
                .memory(BASE, pe.bytes())
                .build();
            let dump = Dump::parse(&file).unwrap();
            let images = Images::new(&dump.memory, [(BASE, PeBuilder::SIZE)]);
            let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
            let width = dump.system.pointer_width;
            let mut registers = RegisterFile::new(width, BASE + behind as u64, SP);
            registers.set(Register::Rsp, SP, Provenance::Computed);
            registers.set(Register::Rbp, self.ebp, Provenance::Context);
            let frame = Frame {
                registers,
                ip_kind: self.ip_kind,
                trust: self.trust,
                return_slot: None,
                module: Some(BASE),
                start: self.start,
                function: None,
            };
            let start = exported_function(scene, &frame).map(|(start, _)| start);
            (start, return_slot(scene, &frame).map(|(slot, _)| slot))
        }
    }

    const KNOWN: Option<u64> = Some(BASE + 0x1200);
    /// call somewhere else in the module
    const CALL: [u8; 5] = [0xE8, 0, 1, 0, 0];
    /// push ebp; mov ebp, esp
    const FRAME: [u8; 3] = [0x55, 0x8B, 0xEC];
    /// push esi; pop esi; leave; ret
    const REST: [u8; 4] = [0x56, 0x5E, 0xC9, 0xC3];

    #[test]
    fn a_frame_pointer_is_the_functions_own() {
        let framed = |code: &[&[u8]]| case(&code.concat(), &REST).read();
        let good = (KNOWN, Some(EBP + 4));
        assert_eq!(framed(&[&FRAME, &CALL]), good);
        assert_eq!(framed(&[&[0x8B, 0xFF], &FRAME, &CALL]), good, "mov edi, edi");
        // cmp ebp, eax; test ebp, ebp; push ebp
        for harmless in [&[0x39, 0xC5][..], &[0x85, 0xED], &[0x55]] {
            assert_eq!(framed(&[&FRAME, harmless, &CALL]), good, "{harmless:x?}");
        }
        // jne on; leave; ret; on: the way that undoes it has ended.
        assert_eq!(framed(&[&FRAME, &[0x75, 2, 0xC9, 0xC3], &CALL]), good);
        // push ecx between the two; mov ebp, eax instead.
        for other in [&[0x55, 0x51, 0x8B, 0xEC][..], &[0x55, 0x89, 0xC5]] {
            assert_eq!(framed(&[other, &CALL]), (KNOWN, None), "{other:x?}");
        }
        let code = [&FRAME[..], &CALL].concat();
        // Below the stack pointer, too far above it, and askew.
        for ebp in [SP - 4, SP + MAX_FRAME, EBP + 2] {
            assert_eq!(Case { ebp, ..case(&code, &REST) }.read(), (KNOWN, None), "{ebp:x}");
        }
        assert_eq!(framed(&[&FRAME, &[0x56]]), (KNOWN, None), "behind no call");
        let guessed = Case { trust: Trust::Scan, ..case(&code, &REST) };
        assert_eq!(guessed.read(), (KNOWN, None), "ebp is a guess, too");
    }

    #[test]
    fn ebp_is_for_nothing_else() {
        // mov ebp, eax; pop ebp; xor ebp, ebp; xchg eax, ebp; xadd eax, ebp; popad; enter: before the call.
        let others: [&[u8]; 7] = [
            &[0x8B, 0xE8],
            &[0x5D],
            &[0x31, 0xED],
            &[0x87, 0xE8],
            &[0x0F, 0xC1, 0xC5],
            &[0x61],
            &[0xC8, 0, 0, 0],
        ];
        for other in others {
            let code = [&FRAME[..], other, &CALL].concat();
            assert_eq!(case(&code, &REST).read(), (KNOWN, None), "{other:x?}");
        }
        // mov ebp, eax; jne on; pop ebp; ret; on: call
        let forgotten = [&FRAME[..], &[0x8B, 0xE8, 0x75, 2, 0x5D, 0xC3], &CALL].concat();
        assert_eq!(case(&forgotten, &REST).read(), (KNOWN, None));
        // Behind the call: mov ebp, eax; jmp to the call.
        let code = [&FRAME[..], &CALL].concat();
        assert_eq!(case(&code, &[0x8B, 0xE8, 0xEB, 0xF7]).read(), (KNOWN, None));
        // pop ebp; jmp on; on: call: a jump out of the frame may be one to another function.
        let tail = [&FRAME[..], &[0x5D, 0xEB, 0], &CALL].concat();
        assert_eq!(case(&tail, &[0xC3]).read(), (KNOWN, None));
    }

    #[test]
    fn a_stub_returns_through_the_top_of_the_stack() {
        // mov eax, 19h; mov edx, 7FFE0300h; call [edx]; ret 4
        let stub = [0xB8, 0x19, 0, 0, 0, 0xBA, 0, 3, 0xFE, 0x7F, 0xFF, 0x12];
        let read = |rest: &[u8]| case(&stub, rest).read();
        assert_eq!(read(&[0xC2, 4, 0]), (KNOWN, Some(SP)));
        // pop ecx; ret: something was on the stack. jmp eax: the rest is not known.
        assert_eq!(read(&[0x59, 0xC3]), (KNOWN, None));
        assert_eq!(read(&[0xFF, 0xE0]), (KNOWN, None));
        let x64 = Case { cpu: Cpu::Amd64, ..case(&stub, &[0xC3]) };
        assert_eq!(x64.read(), (None, None), "x64 has unwind data");
    }

    #[test]
    fn the_nearest_export_proves_nothing() {
        let read = |code: &[&[u8]]| case(&code.concat(), &REST).read();
        // ret; call: what follows is another function's.
        assert_eq!(read(&[&[0xC3], &CALL]), (None, None));
        // A call that is the last of its function, and padding.
        assert_eq!(read(&[&CALL, &[0x90, 0x90, 0x90], &FRAME, &CALL]), (None, None));
        assert_eq!(read(&[&[0; 16], &CALL]), (None, None), "zeros are data");
        let code = [&FRAME[..], &CALL].concat();
        // A call has proven another start.
        let proven = |start| Case { start: Some(BASE + start), ..case(&code, &REST) }.read();
        assert_eq!(proven(0x1200), (KNOWN, Some(EBP + 4)));
        assert_eq!(proven(0x1180), (None, None));
        // The last call of a function, and the next export: the address is still the function's. (Its code seems to set up two frames.)
        let last = Case { exports_rest: true, ..case(&code, &FRAME) };
        assert_eq!(last.read(), (KNOWN, None));
        // xor eax, eax; ret; and the first instruction of what follows, about to run.
        let next = Case { ip_kind: IpKind::Exact, ..case(&[0x31, 0xC0, 0xC3], &REST) };
        assert_eq!(next.read(), (None, None));
    }
}
