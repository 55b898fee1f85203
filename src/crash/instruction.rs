//! The memory that the instruction at a frame's address accesses: which register it goes through, and how far.

use super::frame::Frame;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::instruction_arm64::{self, Instruction as Arm64};
use crate::image::registers::Register;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register as Iced};

/// An access through a register and a displacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryAccess {
    /// The register.
    pub register: Register,
    /// Its value.
    pub base: u64,
    /// What is added to it, modulo 2^64.
    pub displacement: u64,
    /// Whether it only stores there.
    pub is_store: bool,
}

impl MemoryAccess {
    /// The address, at the pointer's width.
    #[must_use]
    pub fn address(self, width: PointerWidth) -> u64 {
        width.truncate(self.base.wrapping_add(self.displacement))
    }
}

/// The access of the instruction at the frame's address; `None` when its code is not in the dump, and for every form but
/// register plus displacement.
#[must_use]
pub fn memory_access(scene: Scene<'_, '_>, frame: &Frame) -> Option<MemoryAccess> {
    if scene.is_arm64() { arm64(scene, frame) } else { of(&decoded(scene, frame), frame) }
}

/// The x86 or x64 instruction at the frame's address; an invalid one when its code is not in the dump.
pub(super) fn decoded(scene: Scene<'_, '_>, frame: &Frame) -> Instruction {
    let bytes = scene.dump.memory.read_up_to(frame.registers.ip(), 15);
    let bits = match frame.registers.width() {
        PointerWidth::Four => 32,
        PointerWidth::Eight => 64,
    };
    Decoder::new(bits, &bytes, DecoderOptions::NONE).decode()
}

/// The access of a decoded instruction of the frame.
pub(super) fn of(instruction: &Instruction, frame: &Frame) -> Option<MemoryAccess> {
    let has_memory =
        (0..instruction.op_count()).any(|index| instruction.op_kind(index) == OpKind::Memory);
    let base = instruction.memory_base();
    (has_memory && base.is_gpr() && instruction.memory_index() == Iced::None).then_some(())?;
    let register = Register::from_number(u8::try_from(base.full_register().number()).ok()?)?;
    Some(MemoryAccess {
        register,
        base: frame.registers.get(register)?,
        displacement: instruction.memory_displacement64(),
        is_store: instruction.mnemonic() == Mnemonic::Mov
            && instruction.op0_kind() == OpKind::Memory,
    })
}

fn arm64(scene: Scene<'_, '_>, frame: &Frame) -> Option<MemoryAccess> {
    let ip = frame.registers.ip();
    let (number, offset) = match instruction_arm64::decode(scene.dump.memory.u32(ip)?, ip) {
        Arm64::Load(_, base, offset) | Arm64::Access32(base, offset) => (base, offset),
        _ => return None,
    };
    let register = if number == instruction_arm64::SP { Register::Sp } else { Register::X(number) };
    Some(MemoryAccess {
        register,
        base: frame.registers.get(register)?,
        displacement: offset.cast_unsigned(),
        is_store: false,
    })
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
    use crate::image::pe::Machine;
    use crate::image::registers::{Provenance, RegisterFile};

    /// Register, base and displacement of the access by `code`, with `base` in rcx and x8.
    fn access(cpu: Cpu, machine: Machine, code: &[u8], base: u64) -> Option<(Register, u64, u64)> {
        let file = Synth::new(cpu).memory(0x40_0000, code.to_vec()).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut registers = RegisterFile::of(machine, 0x40_0000, 0x10_0000);
        registers.set(Register::Rcx, base, Provenance::Context);
        registers.set(Register::X(8), base, Provenance::Context);
        let frame = Frame {
            registers,
            ip_kind: IpKind::Exact,
            trust: Trust::Context,
            return_slot: None,
            module: None,
            start: None,
            function: None,
        };
        let found = memory_access(scene, &frame)?;
        Some((found.register, found.base, found.displacement))
    }

    #[test]
    fn an_access_is_a_register_and_a_displacement() {
        let x64 = |code: &[u8]| access(Cpu::Amd64, Machine::Amd64, code, 0xCDCD_CDCD_CDCD_CDCD);
        // lock btr dword ptr [rcx+8], 0
        let found = x64(&[0xF0, 0x0F, 0xBA, 0x71, 8, 0]);
        assert_eq!(found, Some((Register::Rcx, 0xCDCD_CDCD_CDCD_CDCD, 8)));
        // mov eax, [rcx+rdx]; mov rax, rcx; mov rax, [rip]; mov eax, [rdx], which is not known.
        for other in [&[0x8B, 0x04, 0x11][..], &[0x48, 0x89, 0xC8], &[0x48, 0x8B, 5], &[0x8B, 2]] {
            assert_eq!(x64(other), None, "{other:x?}");
        }
        // dec dword ptr [ecx+8]
        let x86 = access(Cpu::X86, Machine::X86, &[0xFF, 0x49, 8], 0x5000);
        assert_eq!(x86, Some((Register::Rcx, 0x5000, 8)));
        // ldr w9, [x8, #0xC]
        let arm64 = access(Cpu::Arm64, Machine::Arm64, &0xB940_0D09_u32.to_le_bytes(), 0x5000);
        assert_eq!(arm64, Some((Register::X(8), 0x5000, 0xC)));
    }
}
