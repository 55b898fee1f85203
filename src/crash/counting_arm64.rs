//! The ARM64 instructions that lock functions count with, as [`super::unnamed`] looks for those of x86 and x64.

use super::frame::Frame;
use super::stack::Scene;
use crate::critsec::layout::Layout;
use crate::dump::memory::PointerWidth;
use crate::image::registers::Register;

/// Most instructions from a load to the store that puts the counted value back.
const MAX_DISTANCE: usize = 6;

/// A field that is counted: address of the structure, and offset of the field in it.
///
/// - situation: a lock function that faults has loaded the field first, as almost every function loads fields.
/// - example: Leave's `ldr w8, [x0, #0xC]`, `sub w8, w8, #1`, `str w8, [x0, #0xC]`; Enter's `ldaxr w9, [x8]` with the
///   section 8 below x8.
/// - handling: a load counts when one is added to it or taken away and it is stored again at the same place; an exclusive
///   or atomic access when another register holds the section below it.
/// - test: `a_field_is_counted_when_it_is_stored_again`.
#[must_use]
pub(super) fn counted_field(scene: Scene<'_, '_>, frame: &Frame) -> Option<(u64, u64)> {
    let bytes = scene.dump.memory.read_up_to(frame.registers.ip(), 4 * (MAX_DISTANCE + 1));
    let words: Vec<u32> =
        bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let (access, rest) = words.split_first()?;
    let base = frame.registers.get(Register::X(u8::try_from(access >> 5 & 31).ok()?))?;
    if is_atomic(*access) {
        let lock_count = Layout::of(PointerWidth::Eight).lock_count;
        let section = base.checked_sub(lock_count)?;
        let is_held = frame.registers.known().any(|(_, value, _)| value == section);
        return is_held.then_some((section, lock_count));
    }
    // ldr w, [x, #offset], and the str of the same place.
    (access & 0xFFC0_0000 == 0xB940_0000).then_some(())?;
    let place = access & 0x003F_FFE0;
    let store = rest.iter().position(|word| word & 0xFFFF_FFE0 == 0xB900_0000 | place)?;
    let is_changed = rest.iter().take(store).any(|word| is_step(*word, access & 31));
    is_changed.then_some((base, u64::from(access >> 10 & 0xFFF).wrapping_mul(4)))
}

/// Exclusive and ordered accesses of 4 bytes, compare and swap, atomic operations.
fn is_atomic(word: u32) -> bool {
    word & 0xFF00_0000 == 0x8800_0000 || word & 0xFF20_0C00 == 0xB820_0000
}

/// `add` or `sub`, with or without flags, of 1 to a 32-bit register.
fn is_step(word: u32, register: u32) -> bool {
    word & 0x9FFF_FC00 == 0x1100_0400 && word >> 5 & 31 == register
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

    fn field(code: &[u32]) -> Option<(u64, u64)> {
        let bytes: Vec<u8> = code.iter().flat_map(|word| word.to_le_bytes()).collect();
        let file = Synth::new(Cpu::Arm64).memory(0x40_0000, bytes).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, []);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut registers = RegisterFile::of(Machine::Arm64, 0x40_0000, 0x10_0000);
        registers.set(Register::X(0), 0x5000, Provenance::Context);
        registers.set(Register::X(8), 0x5008, Provenance::Context);
        registers.set(Register::X(9), 0x6008, Provenance::Context);
        counted_field(
            scene,
            &Frame {
                registers,
                ip_kind: IpKind::Exact,
                trust: Trust::Context,
                return_slot: None,
                module: None,
                start: None,
                function: None,
            },
        )
    }

    #[test]
    fn a_field_is_counted_when_it_is_stored_again() {
        // ldr w8, [x0, #0xC]; subs w8, w8, #1; str w8, [x0, #0xC]
        assert_eq!(field(&[0xB940_0C08, 0x7100_0508, 0xB900_0C08]), Some((0x5000, 0xC)));
        // add w9, w8, #1; a nop; str w9
        let count = [0xB940_0C08, 0x1100_0509, 0xD503_201F, 0xB900_0C09];
        assert_eq!(field(&count), Some((0x5000, 0xC)));
        assert_eq!(field(&[0xB940_0C08, 0x7100_0508, 0xB900_1008]), None, "stored elsewhere");
        assert_eq!(field(&[0xB940_0C08, 0x3500_0048, 0xB900_0C08]), None, "only looked at");
        assert_eq!(field(&[0xB940_0C08]), None, "only loaded");
        // ldaxr w9, [x8], with the section in x0; ldaxr w10, [x9] without; ldaddal w1, w2, [x8]
        assert_eq!(field(&[0x885F_FD09]), Some((0x5000, 8)));
        assert_eq!(field(&[0x885F_FD2A]), None);
        assert_eq!(field(&[0xB8E1_0102]), Some((0x5000, 8)));
        assert_eq!(field(&[]), None);
    }
}
