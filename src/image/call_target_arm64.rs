//! The ARM64 call before a return address, and where it leads: as [`super::call_target`] for x86 and x64.

use super::call_target::{CallKind, CallSite, MAX_HOPS, Resolution};
use super::images::Images;
use super::instruction_arm64::{Instruction, decode};
use super::registers::Register;

/// Most instructions of a thunk.
const MAX_THUNK: u64 = 4;

/// The instruction at an address; `None` when it is not in the dump, or not where an instruction can be.
#[must_use]
pub fn instruction_at(images: &Images<'_, '_>, address: u64) -> Option<Instruction> {
    let word = images.space().u32(address).filter(|_| address.is_multiple_of(4))?;
    Some(decode(word, address))
}

/// The call that ends at `return_address`: `bl` or `blr`.
#[must_use]
pub fn call_site(images: &Images<'_, '_>, return_address: u64) -> Option<CallSite> {
    let call_address = return_address.checked_sub(4)?;
    let kind = match instruction_at(images, call_address)? {
        Instruction::Call(target) => CallKind::Direct(target),
        Instruction::CallRegister(number) => CallKind::Register(Register::X(number)),
        _ => return None,
    };
    Some(CallSite { call_address, length: 4, kind })
}

/// Follows the jumps that begin at `target`: a branch, or a thunk that computes an address in one register and branches
/// there (`adrp`, `ldr` or `add`, `br`).
#[must_use]
pub fn resolve(images: &Images<'_, '_>, target: u64) -> Resolution {
    let (mut trail, mut first_slot) = (vec![target], None);
    let mut at = target;
    for _ in 0..MAX_HOPS {
        match thunk(images, at) {
            Some(Jump::To(next)) => {
                trail.push(next);
                at = next;
            }
            Some(Jump::Through(slot)) => {
                first_slot = first_slot.or(Some(slot));
                let Some(next) = images.space().u64(slot) else {
                    return Resolution { trail, open_slot: Some(slot), first_slot };
                };
                trail.push(next);
                at = next;
            }
            None => break,
        }
    }
    Resolution { trail, open_slot: None, first_slot }
}

/// What a thunk jumps to: an address, or the content of a slot.
enum Jump {
    To(u64),
    Through(u64),
}

fn thunk(images: &Images<'_, '_>, start: u64) -> Option<Jump> {
    let mut value: Option<(u8, Jump)> = None;
    for index in 0..MAX_THUNK {
        let address = start.checked_add(index.checked_mul(4)?)?;
        value = match (instruction_at(images, address)?, value) {
            (Instruction::Branch(next), None) => return Some(Jump::To(next)),
            (Instruction::Hint, value) => value,
            (Instruction::Constant(rd, constant), None) => Some((rd, Jump::To(constant))),
            (Instruction::LoadLiteral(rd, slot), None) => Some((rd, Jump::Through(slot))),
            (Instruction::Add(rd, rn, more), Some((of, Jump::To(base))))
                if rd == of && rn == of =>
            {
                Some((rd, Jump::To(base.wrapping_add_signed(more))))
            }
            (Instruction::Load(rd, rn, offset), Some((of, Jump::To(base)))) if rn == of => {
                Some((rd, Jump::Through(base.wrapping_add_signed(offset))))
            }
            (Instruction::BranchRegister(rn), Some((of, jump))) if rn == of => return Some(jump),
            _ => return None,
        };
    }
    None
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::image::call_target::{Callee, named};
    use crate::image::fixtures::PeBuilder;

    const BASE: u64 = PeBuilder::BASE;

    fn put(pe: &mut PeBuilder, rva: usize, words: &[u32]) {
        for (index, word) in words.iter().enumerate() {
            pe.put_u32(rva + index * 4, *word);
        }
    }

    #[test]
    fn a_call_is_named_through_thunks() {
        let mut pe = PeBuilder::arm64();
        pe.exports(&[(0x1300, "RtlLeaveCriticalSection")]);
        pe.imports("kernel32.dll", "LeaveCriticalSection");
        // bl 0x1200; blr x8
        put(&mut pe, 0x1100, &[0x9400_0040, 0xD63F_0100, 0xD503_201F]);
        // 0x1200: adrp x16, +6 pages; ldr x16, [x16]; br x16, through the slot at 0x7000
        put(&mut pe, 0x1200, &[0xD000_0030, 0xF940_0210, 0xD61F_0200]);
        // 0x1280: adrp x16, 0; add x16, x16, #0x300; br x16. 0x12C0: b 0x1280
        put(&mut pe, 0x1280, &[0x9000_0010, 0x910C_0210, 0xD61F_0200]);
        put(&mut pe, 0x12C0, &[0x17FF_FFF0]);
        // adrp x16, 6 pages: immlo 2, immhi 1.
        pe.put_u32(0x1200, 0x9000_0010 | 2 << 29 | 1 << 5);
        let bytes = pe.bytes();
        let space = PeBuilder::space(&bytes);
        let images = Images::new(&space, [(BASE, PeBuilder::SIZE)]);
        let direct = call_site(&images, BASE + 0x1104).unwrap();
        assert_eq!((direct.kind, direct.length), (CallKind::Direct(BASE + 0x1200), 4));
        assert_eq!(
            call_site(&images, BASE + 0x1108).unwrap().kind,
            CallKind::Register(Register::X(8))
        );
        assert_eq!(call_site(&images, BASE + 0x110C), None);
        assert_eq!(call_site(&images, BASE + 0x1106), None, "no instruction begins there");
        assert_eq!(
            resolve(&images, BASE + 0x12C0).trail,
            [BASE + 0x12C0, BASE + 0x1280, BASE + 0x1300]
        );
        let found = named(&images, Some(resolve(&images, BASE + 0x12C0)), None).unwrap();
        assert!(matches!(found, Callee::Export { address, .. } if address == BASE + 0x1300));
        // The slot is not in the dump: the import table names it.
        let bytes = &bytes[..0x7000];
        let space = PeBuilder::space(bytes);
        let images = Images::new(&space, [(BASE, PeBuilder::SIZE)]);
        let resolution = resolve(&images, BASE + 0x1200);
        assert_eq!(resolution.open_slot, Some(BASE + 0x7000));
        let found = named(&images, Some(resolution), None).unwrap();
        assert_eq!(found.name(), Some("LeaveCriticalSection"));
    }
}
