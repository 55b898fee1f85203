//! The few ARM64 instructions that calls, thunks and arguments are made of, and what any other may write.
//!
//! Encodings: Arm Architecture Reference Manual for A-profile, chapter C4 ("A64 instruction set encoding"). A decoder
//! of its own, because nothing else is needed and each instruction is one word.

/// Number that means sp or the zero register, by the instruction.
pub const SP: u8 = 31;

/// An instruction, as far as following values needs it. Registers are numbers, 31 is sp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instruction {
    /// `b`: its target.
    Branch(u64),
    /// `bl`: its target.
    Call(u64),
    /// `b.cond`, `cbz`, `cbnz`, `tbz`, `tbnz`: the target.
    ConditionalBranch(u64),
    /// `br`.
    BranchRegister(u8),
    /// `blr`, and its authenticating forms.
    CallRegister(u8),
    /// `ret`.
    Return,
    /// `adr`, `adrp`, and a move of a constant: register and value.
    Constant(u8, u64),
    /// `mov`, `add`, `sub` with an immediate: destination, source, what is added.
    Add(u8, u8, i64),
    /// `ldr` of 8 bytes: destination, base, offset.
    Load(u8, u8, i64),
    /// `ldr` of 8 bytes from beside the code: destination, address.
    LoadLiteral(u8, u64),
    /// `ldr`, `str` and the like of 4 bytes: base, offset.
    Access32(u8, i64),
    /// A hint: `nop`, `bti`, `pacibsp` and the like.
    Hint,
    /// Any other.
    Other,
}

/// Decodes the instruction `word` at `address`.
#[must_use]
pub fn decode(word: u32, address: u64) -> Instruction {
    branch(word, address)
        .or_else(|| arithmetic(word, address))
        .or_else(|| access(word, address))
        .unwrap_or(Instruction::Other)
}

fn branch(word: u32, address: u64) -> Option<Instruction> {
    let near = |shift: u32, bits: u32| address.wrapping_add_signed(signed(word, shift, bits) << 2);
    let register = field(word, 5, 5);
    Some(match word {
        _ if word >> 26 == 0b00_0101 => Instruction::Branch(near(0, 26)),
        _ if word >> 26 == 0b10_0101 => Instruction::Call(near(0, 26)),
        _ if word >> 24 == 0x54 || word >> 25 & 0x3F == 0b01_1010 => {
            Instruction::ConditionalBranch(near(5, 19))
        }
        _ if word >> 25 & 0x3F == 0b01_1011 => Instruction::ConditionalBranch(near(5, 14)),
        _ if word & 0xFFFF_FC1F == 0xD61F_0000 => Instruction::BranchRegister(register),
        _ if word & 0xFFFF_FC1F == 0xD63F_0000 => Instruction::CallRegister(register),
        // blraaz, blrabz; blraa, blrab.
        _ if word & 0xFEFF_F800 == 0xD63F_0800 => Instruction::CallRegister(register),
        _ if word & 0xFFFF_FC1F == 0xD65F_0000 || word | 0x400 == 0xD65F_0FFF => {
            Instruction::Return
        }
        _ if word & 0xFFFF_F01F == 0xD503_201F => Instruction::Hint,
        _ => return None,
    })
}

fn arithmetic(word: u32, address: u64) -> Option<Instruction> {
    let (rd, rn) = (field(word, 0, 5), field(word, 5, 5));
    Some(match word {
        _ if word & 0x1F00_0000 == 0x1000_0000 => {
            let offset = signed(word, 5, 19) << 2 | i64::from(field(word, 29, 2));
            let value = match word >> 31 {
                0 => address.wrapping_add_signed(offset),
                _ => (address & !0xFFF).wrapping_add_signed(offset << 12),
            };
            Instruction::Constant(rd, value)
        }
        // add, sub (immediate) of 64 bits that leave the flags alone.
        _ if word & 0xBF80_0000 == 0x9100_0000 => {
            let shift = if word >> 22 & 1 == 1 { 12 } else { 0 };
            let value = i64::from(word >> 10 & 0xFFF) << shift;
            Instruction::Add(rd, rn, if word >> 30 & 1 == 1 { value.wrapping_neg() } else { value })
        }
        // mov xd, xm
        _ if word & 0xFFE0_FFE0 == 0xAA00_03E0 => match field(word, 16, 5) {
            SP => Instruction::Constant(rd, 0),
            source => Instruction::Add(rd, source, 0),
        },
        // movz of 32 or 64 bits, movn of 64.
        _ if word & 0x7F80_0000 == 0x5280_0000 => Instruction::Constant(rd, moved(word)),
        _ if word & 0xFF80_0000 == 0x9280_0000 => Instruction::Constant(rd, !moved(word)),
        _ => return None,
    })
}

/// The 16 bits of a wide move in their place.
fn moved(word: u32) -> u64 {
    u64::from(word >> 5 & 0xFFFF) << (u32::from(field(word, 21, 2)) << 4)
}

fn access(word: u32, address: u64) -> Option<Instruction> {
    let (rt, rn) = (field(word, 0, 5), field(word, 5, 5));
    let scaled = |size: u32| i64::from(word >> 10 & 0xFFF) << size;
    Some(match word {
        _ if word & 0xFFC0_0000 == 0xF940_0000 => Instruction::Load(rt, rn, scaled(3)),
        _ if word & 0xFFE0_0C00 == 0xF840_0000 => Instruction::Load(rt, rn, signed(word, 12, 9)),
        _ if word & 0xFF00_0000 == 0x5800_0000 => {
            Instruction::LoadLiteral(rt, address.wrapping_add_signed(signed(word, 5, 19) << 2))
        }
        // ldr, ldrsw, str with an unsigned offset; the unscaled forms.
        _ if word & 0xFF00_0000 == 0xB900_0000 => Instruction::Access32(rn, scaled(2)),
        _ if word & 0xFF20_0C00 == 0xB800_0000 => Instruction::Access32(rn, signed(word, 12, 9)),
        // Exclusive and ordered accesses, compare and swap, other atomics.
        _ if word & 0xFF00_0000 == 0x8800_0000 || word & 0xFF20_0C00 == 0xB820_0000 => {
            Instruction::Access32(rn, 0)
        }
        _ => return None,
    })
}

/// The registers that an instruction may write, bit n for xn, bit 31 for sp; `u32::MAX` for one of a group that is not
/// known. Where a field may be a destination it counts as one.
#[must_use]
pub fn written(word: u32) -> u32 {
    /// x0 to x18 and lr: what a call may change.
    const VOLATILE: u32 = 0x4007_FFFF;
    let bit = |shift: u32| 1_u32.checked_shl(u32::from(field(word, shift, 5))).unwrap_or(0);
    match decode(word, 0) {
        Instruction::Call(_) | Instruction::CallRegister(_) => return VOLATILE,
        Instruction::Branch(_)
        | Instruction::ConditionalBranch(_)
        | Instruction::BranchRegister(_)
        | Instruction::Return
        | Instruction::Hint => return 0,
        _ => {}
    }
    match word >> 25 & 0xF {
        // Immediates, registers, floating point.
        0b1000 | 0b1001 | 0b0101 | 0b1101 | 0b0111 | 0b1111 => bit(0),
        // System: mrs, and what writes nothing.
        0b1010 | 0b1011 => bit(0),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => stored_or_loaded(word, bit),
        _ => u32::MAX,
    }
}

fn stored_or_loaded(word: u32, bit: impl Fn(u32) -> u32) -> u32 {
    let is_vector = word >> 26 & 1 == 1;
    let general = |mask: u32| if is_vector { 0 } else { mask };
    match word >> 27 & 7 {
        // Pairs: bit 22 loads, bit 23 writes the base back.
        0b101 => {
            let loads = if word >> 22 & 1 == 1 { general(bit(0) | bit(10)) } else { 0 };
            loads | if word >> 23 & 1 == 1 { bit(5) } else { 0 }
        }
        // One register.
        0b111 if word >> 24 & 1 == 1 => {
            if word >> 22 & 3 == 0 {
                0
            } else {
                general(bit(0))
            }
        }
        0b111 if word >> 21 & 1 == 1 => general(bit(0)),
        0b111 => {
            let loads = if word >> 22 & 3 == 0 { 0 } else { general(bit(0)) };
            loads | if word >> 10 & 1 == 1 { bit(5) } else { 0 }
        }
        0b011 => general(bit(0)),
        // Exclusive accesses; vectors in structures.
        _ if is_vector => bit(5),
        _ => bit(0) | bit(10) | bit(16),
    }
}

/// Up to five bits.
fn field(word: u32, shift: u32, bits: u32) -> u8 {
    let mask = 1_u32.checked_shl(bits).unwrap_or(0).wrapping_sub(1) & 0x1F;
    u8::try_from(word.checked_shr(shift).unwrap_or(0) & mask).unwrap_or(0)
}

/// A field of so many bits, extended by its sign.
fn signed(word: u32, shift: u32, bits: u32) -> i64 {
    let left = 32_u32.saturating_sub(bits).saturating_sub(shift);
    let high = word.checked_shl(left).unwrap_or(0).cast_signed();
    i64::from(high.checked_shr(32_u32.saturating_sub(bits)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Instruction as I;
    use proptest::prelude::*;

    /// Words as the assembler of LLVM 14 makes them, at 0x1_4000_1000.
    #[test]
    fn decodes_what_calls_and_arguments_are_made_of() {
        let at = |word| decode(word, 0x1_4000_1000);
        assert_eq!(at(0x9400_0010), I::Call(0x1_4000_1040), "bl +0x40");
        assert_eq!(at(0x97FF_FFFF), I::Call(0x1_4000_0FFC), "bl -4");
        assert_eq!(at(0x1400_0002), I::Branch(0x1_4000_1008), "b +8");
        assert_eq!(at(0x54FF_FFE0), I::ConditionalBranch(0x1_4000_0FFC), "b.eq -4");
        assert_eq!(at(0xB400_0048), I::ConditionalBranch(0x1_4000_1008), "cbz x8, +8");
        assert_eq!(at(0x3607_FFE8), I::ConditionalBranch(0x1_4000_0FFC), "tbz w8, #0, -4");
        assert_eq!(at(0xD63F_0100), I::CallRegister(8), "blr x8");
        assert_eq!(at(0xD61F_0200), I::BranchRegister(16), "br x16");
        assert_eq!(at(0xD65F_03C0), I::Return);
        assert_eq!(at(0xD503_237F), I::Hint, "pacibsp");
        assert_eq!(at(0xB000_0008), I::Constant(8, 0x1_4000_2000), "adrp x8, +1 page");
        assert_eq!(at(0xF0FF_FFE8), I::Constant(8, 0x1_4000_0000), "adrp x8, -1 page");
        assert_eq!(at(0x1000_0040), I::Constant(0, 0x1_4000_1008), "adr x0, +8");
        assert_eq!(at(0x9100_C260), I::Add(0, 19, 0x30), "add x0, x19, #0x30");
        assert_eq!(at(0xD100_83A0), I::Add(0, 29, -0x20), "sub x0, x29, #0x20");
        assert_eq!(at(0x9100_03FD), I::Add(29, SP, 0), "mov x29, sp");
        assert_eq!(at(0x9140_0660), I::Add(0, 19, 0x1000), "add x0, x19, #1, lsl #12");
        assert_eq!(at(0xAA13_03E0), I::Add(0, 19, 0), "mov x0, x19");
        assert_eq!(at(0xAA1F_03E0), I::Constant(0, 0), "mov x0, xzr");
        assert_eq!(at(0xD2A0_0020), I::Constant(0, 0x1_0000), "mov x0, #0x10000");
        assert_eq!(at(0x9280_0000), I::Constant(0, u64::MAX), "mov x0, #-1");
        assert_eq!(at(0xF940_0A60), I::Load(0, 19, 0x10), "ldr x0, [x19, #0x10]");
        assert_eq!(at(0xF85F_83A0), I::Load(0, 29, -8), "ldur x0, [x29, #-8]");
        assert_eq!(at(0x5800_0050), I::LoadLiteral(16, 0x1_4000_1008), "ldr x16, +8");
        assert_eq!(at(0xB940_0C08), I::Access32(0, 0xC), "ldr w8, [x0, #0xC]");
        assert_eq!(at(0x885F_FD09), I::Access32(8, 0), "ldaxr w9, [x8]");
        assert_eq!(at(0xB8E8_0109), I::Access32(8, 0), "ldaddal w8, w9, [x8]");
    }

    #[test]
    fn knows_what_is_written() {
        assert_eq!(written(0xAA13_03E0), 1, "mov x0, x19");
        assert_eq!(written(0xA943_53F3), 1 << 19 | 1 << 20, "ldp x19, x20, [sp, #0x30]");
        assert_eq!(written(0xA8C2_7BFD), 1 << 29 | 1 << 30 | 1 << 31, "ldp fp, lr, [sp], #0x20");
        assert_eq!(written(0xA903_53F3), 0, "stp x19, x20, [sp, #0x30]");
        assert_eq!(written(0xF900_0008), 0, "str x8, [x0]");
        assert_eq!(written(0xF800_8C08), 1, "str x8, [x0, #8]!");
        assert_eq!(written(0xB940_0C08), 1 << 8, "ldr w8, [x0, #0xC]");
        assert_eq!(written(0xFD40_0008), 0, "ldr d8, [x0]");
        assert_eq!(written(0x8809_FD0A) & (1 << 9), 1 << 9, "stlxr w9, w10, [x8]");
        assert_eq!(written(0x9400_0010) & (1 << 19 | 1), 1, "bl");
        assert_eq!(written(0x0000_0000), u32::MAX, "udf");
    }

    proptest! {
        #[test]
        fn any_word_is_something(word in any::<u32>(), address in any::<u64>()) {
            let _ = (decode(word, address), written(word));
        }
    }
}
