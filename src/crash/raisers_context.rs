//! The CONTEXT that a function which raises an exception has on its own stack.

use super::frame::Frame;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use std::ops::Range;

/// Bytes above the stack pointer in which the record is looked for.
const WINDOW: u64 = 0x1000;

/// Offsets in bytes of CONTEXT's fields (winnt.h), and its size.
struct Fields {
    context_flags: u64,
    /// CONTEXT_i386 or CONTEXT_AMD64.
    architecture: u32,
    stack_pointer: u64,
    instruction_pointer: u64,
    size: u64,
    alignment: u64,
}

const X86: Fields = Fields {
    context_flags: 0,
    architecture: 0x0001_0000,
    stack_pointer: 0xC4,
    instruction_pointer: 0xB8,
    size: 0x2CC,
    alignment: 4,
};
const X64: Fields = Fields {
    context_flags: 0x30,
    architecture: 0x0010_0000,
    stack_pointer: 0x98,
    instruction_pointer: 0xF8,
    size: 0x4D0,
    alignment: 16,
};

/// Where the record with the frame's own registers lies above its stack pointer.
///
/// - situation: a function that raises keeps a CONTEXT in its locals, and fills only part of it: the rest is what earlier calls have left there, return
///   addresses among them.
/// - example: KiRaiseUserExceptionDispatcher raises out of CloseHandle; in its record, where the upper halves of vector registers would be, lies the return
///   address of an Enter, nearer than CloseHandle's own.
/// - handling: a place with CONTEXT's flags and the frame's instruction and stack pointers is that record, and no word of it a return address.
/// - test: `the_raisers_record_is_found`, `a_close_behind_a_call_that_returned` (tests/accuracy).
pub(super) fn of(scene: Scene<'_, '_>, innermost: &Frame) -> Option<Range<u64>> {
    let width = scene.dump.system.pointer_width;
    let fields = match width {
        _ if scene.is_arm64() => return None,
        PointerWidth::Four => X86,
        PointerWidth::Eight => X64,
    };
    let (ip, sp) = (innermost.registers.ip(), innermost.registers.sp()?);
    let memory = &scene.dump.memory;
    let is_record = |start: &u64| {
        let at = |offset| start.checked_add(offset);
        let pointer = |offset| memory.pointer(at(offset)?, width);
        pointer(fields.instruction_pointer) == Some(ip)
            && pointer(fields.stack_pointer) == Some(sp)
            && at(fields.context_flags)
                .and_then(|address| memory.u32(address))
                .is_some_and(|flags| flags & fields.architecture != 0)
    };
    let first = sp.checked_next_multiple_of(fields.alignment)?;
    let places = (0..WINDOW.checked_div(fields.alignment)?)
        .filter_map(|index| first.checked_add(index.checked_mul(fields.alignment)?));
    let start = places.into_iter().find(is_record)?;
    Some(start..start.checked_add(fields.size)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::frame::Trust;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::IpKind;
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;
    use crate::image::registers::{Provenance, Register, RegisterFile};

    const IP: u64 = 0x7000_1000;
    const SP: u64 = 0x20_0000;

    /// The record of a frame at IP and SP, when a CONTEXT with these flags, instruction and stack pointer lies at SP + 40h.
    fn found(cpu: Cpu, flags: u32, [ip, sp]: [u64; 2]) -> Option<Range<u64>> {
        let (fields, width, bytes) = match cpu {
            Cpu::X86 => (X86, PointerWidth::Four, 4),
            _ => (X64, PointerWidth::Eight, 8),
        };
        let mut stack = vec![0x5A; 0x800];
        let mut put = |offset: u64, value: u64, size: usize| {
            let at = 0x40 + usize::try_from(offset).unwrap();
            stack[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        };
        put(fields.context_flags, u64::from(flags), 4);
        put(fields.instruction_pointer, ip, bytes);
        put(fields.stack_pointer, sp, bytes);
        let file = Synth::new(cpu).memory(SP, stack).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut registers = RegisterFile::new(width, IP, SP);
        registers.set(Register::Rsp, SP, Provenance::Context);
        let innermost = Frame {
            registers,
            ip_kind: IpKind::Exact,
            trust: Trust::Context,
            return_slot: None,
            module: None,
            start: None,
            function: None,
        };
        of(scene, &innermost)
    }

    #[test]
    fn the_raisers_record_is_found() {
        let record = |size| Some(SP + 0x40..SP + 0x40 + size);
        assert_eq!(found(Cpu::Amd64, 0x10_000B, [IP, SP]), record(0x4D0));
        assert_eq!(found(Cpu::X86, 0x1_0007, [IP, SP]), record(0x2CC));
        // Another processor's flags, another exception's registers.
        assert_eq!(found(Cpu::Amd64, 0x1_0007, [IP, SP]), None);
        assert_eq!(found(Cpu::Amd64, 0x10_000B, [IP + 1, SP]), None);
        assert_eq!(found(Cpu::Amd64, 0x10_000B, [IP, SP + 8]), None);
    }
}
