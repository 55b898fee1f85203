//! Unwind codes of ARM64 images, and the codes that packed unwind data stands for.
//!
//! Layout: "ARM64 exception handling", learn.microsoft.com/cpp/build/arm64-exception-handling. `save_any_reg`, which that
//! page calls reserved, and the sequences of packed data with homed parameters only: the public sources of LLVM
//! (`ARMWinEHPrinter.cpp`).

use super::ImageError;

/// Number of fp.
const FP: u8 = 29;
/// Number of lr.
const LR: u8 = 30;
/// Most bytes that one `sub sp, sp` of packed data allocates.
const MAX_ALLOCATION: u32 = 4080;

/// What one instruction of a prologue did, or of an epilogue undoes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnwindCode {
    /// `alloc_s`, `alloc_m`, `alloc_l`: bytes taken from the stack.
    Allocate(u32),
    /// All forms of `save_…`.
    Save(Save),
    /// `save_next`: the pair behind the one that the next code saves.
    SaveNext,
    /// `set_fp`, `add_fp`: fp was set to sp plus so many bytes.
    SetFp(u32),
    /// `pac_sign_lr`: lr was signed.
    SignLr,
    /// `nop`, and what touches no register that is followed.
    Nop,
    /// `end_c`: what follows is the prologue of the function that this fragment is a part of.
    EndOfFragment,
    /// `MSFT_OP_MACHINE_FRAME`: sp and pc lie on the stack. No instruction belongs to it.
    MachineFrame,
    /// `MSFT_OP_CONTEXT`: a CONTEXT lies on the stack. No instruction belongs to it.
    Context,
    /// `MSFT_OP_CLEAR_UNWOUND_TO_CALL`: the caller was not left by a call. No instruction belongs to it.
    ClearUnwoundToCall,
}

/// Registers stored at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Save {
    /// Numbers of the one or two x registers; `None` also for a floating-point register, which is not followed.
    pub registers: [Option<u8>; 2],
    /// Bytes from sp to the slot of the first, after the instruction.
    pub offset: u32,
    /// Bytes that the instruction took from the stack (`[sp, #-n]!`).
    pub release: u32,
}

impl UnwindCode {
    /// Whether an instruction of the prologue or epilogue belongs to the code.
    #[must_use]
    pub fn is_instruction(self) -> bool {
        !matches!(self, Self::MachineFrame | Self::Context | Self::ClearUnwoundToCall)
    }
}

/// The instructions of a prologue or epilogue: codes up to `end` or the first `end_c`.
#[must_use]
pub fn instruction_count(codes: &[UnwindCode]) -> u32 {
    let own = codes.iter().take_while(|code| **code != UnwindCode::EndOfFragment);
    u32::try_from(own.filter(|code| code.is_instruction()).count()).unwrap_or(u32::MAX)
}

/// The codes that are left when the first `count` instructions are taken away; what stands behind `end_c` always is.
#[must_use]
pub fn skip(codes: &[UnwindCode], count: u32) -> &[UnwindCode] {
    let mut left = count;
    let skipped = codes.iter().take_while(|code| {
        let skips = left > 0 && **code != UnwindCode::EndOfFragment;
        left = left.saturating_sub(u32::from(code.is_instruction()));
        skips
    });
    codes.get(skipped.count()..).unwrap_or_default()
}

/// Decodes the codes that begin at `bytes` up to `end`, or to the end of the bytes. `address` is that of the record.
///
/// # Errors
/// When a code is reserved, cut off, or of a kind that only kernels have.
pub fn decode(bytes: &[u8], address: u64) -> Result<Vec<UnwindCode>, ImageError> {
    let mut decoder = Decoder { bytes, at: 0, address };
    let mut codes = Vec::new();
    while let Some(first) = decoder.next() {
        if first == 0xE4 {
            break;
        }
        codes.push(decoder.code(first)?);
    }
    Ok(codes)
}

struct Decoder<'b> {
    bytes: &'b [u8],
    at: usize,
    address: u64,
}

impl Decoder<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at = self.at.saturating_add(1);
        Some(byte)
    }

    fn code(&mut self, first: u8) -> Result<UnwindCode, ImageError> {
        let low = |mask: u8| u32::from(first & mask);
        Ok(match first {
            0x00..=0x1F => UnwindCode::Allocate(low(0x1F).saturating_mul(16)),
            0x20..=0x3F => pushed([Some(19), Some(20)], low(0x1F).saturating_mul(8)),
            0x40..=0x7F => stored([Some(FP), Some(LR)], low(0x3F).saturating_mul(8)),
            0x80..=0xBF => pushed([Some(FP), Some(LR)], eights(low(0x3F))),
            0xC0..=0xDE => self.two_bytes(first)?,
            0xE0 => {
                let [high, middle, last] = [self.operand()?, self.operand()?, self.operand()?];
                UnwindCode::Allocate((high << 16 | middle << 8 | last).saturating_mul(16))
            }
            0xE1 => UnwindCode::SetFp(0),
            0xE2 => UnwindCode::SetFp(self.operand()?.saturating_mul(8)),
            0xE3 => UnwindCode::Nop,
            0xE5 => UnwindCode::EndOfFragment,
            0xE6 => UnwindCode::SaveNext,
            0xE7 => self.any_register()?,
            0xE9 => UnwindCode::MachineFrame,
            0xEA => UnwindCode::Context,
            0xEC => UnwindCode::ClearUnwoundToCall,
            0xFC => UnwindCode::SignLr,
            _ => return Err(self.invalid(first)),
        })
    }

    fn two_bytes(&mut self, first: u8) -> Result<UnwindCode, ImageError> {
        let operand = u32::from(first & 7) << 8 | self.operand()?;
        let (number, offset) = (number(operand >> 6), operand & 0x3F);
        let plain = offset.saturating_mul(8);
        let one = |number: u8| [number.checked_add(19), None];
        let pair = |number: u8| [number.checked_add(19), number.checked_add(20)];
        let code = match first {
            0xC0..=0xC7 => UnwindCode::Allocate(operand.saturating_mul(16)),
            0xC8..=0xCB => stored(pair(number & 15), plain),
            0xCC..=0xCF => pushed(pair(number & 15), eights(offset)),
            0xD0..=0xD3 => stored(one(number & 15), plain),
            0xD4 | 0xD5 => pushed(one(self::number(operand >> 5) & 15), eights(operand & 0x1F)),
            0xD6 | 0xD7 => stored(
                [(number & 7).checked_mul(2).and_then(|n| n.checked_add(19)), Some(LR)],
                plain,
            ),
            0xD8 | 0xD9 | 0xDC | 0xDD => {
                UnwindCode::Save(Save { registers: [None; 2], offset: 0, release: 0 })
            }
            0xDA | 0xDB => pushed([None; 2], eights(offset)),
            _ => pushed([None; 2], eights(operand & 0x1F)),
        };
        match code {
            UnwindCode::Save(save)
                if save.registers.iter().flatten().any(|number| *number > LR) =>
            {
                Err(self.invalid(first))
            }
            code => Ok(code),
        }
    }

    /// `save_any_reg`: 0pxrrrrr kkoooooo; p a pair, x pre-indexed, k the kind (0 is an x register), o the offset
    /// in 16 bytes, in 8 where it is neither a pair nor pre-indexed nor a whole vector register.
    fn any_register(&mut self) -> Result<UnwindCode, ImageError> {
        let [first, second] = [self.operand()?, self.operand()?];
        if first & 0x80 != 0 {
            return Err(self.invalid(0xE7));
        }
        let (is_pair, is_pushed) = (first & 0x40 != 0, first & 0x20 != 0);
        let (kind, offset) = (second >> 6, second & 0x3F);
        let number = Some(number(first & 0x1F)).filter(|number| kind == 0 && *number <= LR);
        let next = number.and_then(|number| number.checked_add(1)).filter(|next| *next <= LR);
        let registers = [number, next.filter(|_| is_pair)];
        Ok(match (is_pushed, is_pair || kind == 2) {
            (true, _) => pushed(registers, offset.saturating_add(1).saturating_mul(16)),
            (false, true) => stored(registers, offset.saturating_mul(16)),
            (false, false) => stored(registers, offset.saturating_mul(8)),
        })
    }

    fn operand(&mut self) -> Result<u32, ImageError> {
        self.next().map(u32::from).ok_or_else(|| self.invalid(0))
    }

    fn invalid(&self, found: u8) -> ImageError {
        ImageError::Invalid {
            what: "unwind code",
            address: self.address,
            expected: "a code of user-mode ARM64",
            found: u64::from(found),
        }
    }
}

/// The low byte; the numbers of registers have at most five bits.
fn number(bits: u32) -> u8 {
    u8::try_from(bits & 0xFF).unwrap_or(u8::MAX)
}

/// Pre-indexed offsets count from 1.
fn eights(offset: u32) -> u32 {
    offset.saturating_add(1).saturating_mul(8)
}

fn stored(registers: [Option<u8>; 2], offset: u32) -> UnwindCode {
    UnwindCode::Save(Save { registers, offset, release: 0 })
}

fn pushed(registers: [Option<u8>; 2], release: u32) -> UnwindCode {
    UnwindCode::Save(Save { registers, offset: 0, release })
}

/// Packed unwind data: the second word of a `.pdata` record whose two lowest bits are 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packed(pub u32);

impl Packed {
    /// `Flag` 2: a part of a function, without prologue and epilogue.
    #[must_use]
    pub fn is_fragment(self) -> bool {
        self.0 & 3 == 2
    }

    /// `Function Length` in bytes.
    #[must_use]
    pub fn length(self) -> u32 {
        self.field(2, 11).saturating_mul(4)
    }

    fn field(self, shift: u32, bits: u32) -> u32 {
        let mask = 1_u32.checked_shl(bits).unwrap_or(0).wrapping_sub(1);
        self.0.checked_shr(shift).unwrap_or(0) & mask
    }

    /// The codes of the canonical prologue and epilogue that the data stands for; `None` when its fields contradict
    /// each other.
    ///
    /// - situation: a canonical function keeps sp where fp points, so that nothing has to be taken from fp.
    /// - example: `stp fp, lr, [sp, #-0x40]!`, `mov fp, sp`, and a body that has already put something else into fp.
    /// - handling: the instruction that sets fp counts as an instruction and restores nothing.
    /// - test: `packed_data_stands_for_the_canonical_prologue`.
    #[must_use]
    pub fn codes(self) -> Option<(Vec<UnwindCode>, Vec<UnwindCode>)> {
        let mut prologue = self.saved_registers()?;
        let has_saved = !prologue.iter().all(|code| *code == UnwindCode::SignLr);
        let saved = self.saved_size();
        let mut is_homed = Vec::new();
        if self.homes_parameters() {
            let first = if has_saved { UnwindCode::Nop } else { UnwindCode::Allocate(saved) };
            is_homed = vec![first, UnwindCode::Nop, UnwindCode::Nop, UnwindCode::Nop];
        }
        prologue.append(&mut is_homed);
        prologue.extend(self.locals(saved)?);
        prologue.reverse();
        // The epilogue has no counterpart of what sets fp and of the stores of parameters.
        let epilogue = prologue.iter().copied().filter(|code| *code != UnwindCode::Nop).collect();
        Some((prologue, epilogue))
    }

    fn is_chained(self) -> bool {
        self.return_kind() >= 2
    }

    /// `CR`: 0 lr is not saved, 1 lr is saved alone, 2 and 3 with fp, 2 signed.
    fn return_kind(self) -> u32 {
        self.field(21, 2)
    }

    /// `H`.
    fn homes_parameters(self) -> bool {
        self.field(20, 1) == 1
    }

    /// `RegI`, at most 10.
    fn general_registers(self) -> u32 {
        self.field(16, 4)
    }

    /// `RegF`: 0 for none, else one less than the number of registers.
    fn float_registers(self) -> u32 {
        match self.field(13, 3) {
            0 => 0,
            more => more.saturating_add(1),
        }
    }

    /// Bytes of the area for x registers, lr among them where it is saved alone.
    fn general_size(self) -> u32 {
        let lr = u32::from(self.return_kind() == 1);
        self.general_registers().saturating_add(lr).saturating_mul(8)
    }

    /// Bytes of the save area.
    fn saved_size(self) -> u32 {
        let homed = if self.homes_parameters() { 64 } else { 0 };
        let floats = self.float_registers().saturating_mul(8);
        let size = self.general_size().saturating_add(floats).saturating_add(homed);
        size.saturating_add(15) & !15
    }

    /// The stores of registers, in the order of the prologue. The first takes the whole area from the stack.
    fn saved_registers(self) -> Option<Vec<UnwindCode>> {
        let count = self.general_registers();
        let saves_lr = self.return_kind() == 1;
        (count <= 10).then_some(())?;
        let mut numbers: Vec<Option<u8>> =
            (19_u8..).take(usize::try_from(count).ok()?).map(Some).collect();
        if saves_lr {
            numbers.push(Some(LR));
        }
        // Where the number is even without lr, lr has a store of its own: chunks of two give it one.
        let mut stores: Vec<(u32, [Option<u8>; 2])> = Vec::new();
        for (index, pair) in (0_u32..).zip(numbers.chunks(2)) {
            let registers = [pair.first().copied().flatten(), pair.get(1).copied().flatten()];
            stores.push((index.saturating_mul(16), registers));
        }
        for index in 0..self.float_registers().div_ceil(2) {
            let offset = self.general_size().saturating_add(index.saturating_mul(16));
            stores.push((offset, [None; 2]));
        }
        let mut codes = Vec::new();
        if self.return_kind() == 2 {
            codes.push(UnwindCode::SignLr);
        }
        for (index, (offset, registers)) in stores.into_iter().enumerate() {
            match (index, registers) {
                // A pair with lr cannot be pre-indexed: the area is taken by an instruction of its own.
                (0, [Some(19), Some(LR)]) => {
                    codes.push(UnwindCode::Allocate(self.saved_size()));
                    codes.push(stored(registers, 0));
                }
                (0, _) => codes.push(pushed(registers, self.saved_size())),
                _ => codes.push(stored(registers, offset)),
            }
        }
        Some(codes)
    }

    /// What takes the rest of the frame, in the order of the prologue.
    fn locals(self, saved: u32) -> Option<Vec<UnwindCode>> {
        let size = self.field(23, 9).saturating_mul(16).checked_sub(saved)?;
        let mut codes = Vec::new();
        if self.is_chained() && size <= 512 {
            codes.push(pushed([Some(FP), Some(LR)], size));
            codes.push(UnwindCode::Nop);
            return Some(codes);
        }
        let first = size.min(MAX_ALLOCATION);
        let parts = [first, size.saturating_sub(first)];
        codes.extend(parts.into_iter().filter(|part| *part > 0).map(UnwindCode::Allocate));
        if self.is_chained() {
            codes.push(stored([Some(FP), Some(LR)], 0));
            codes.push(UnwindCode::Nop);
        }
        Some(codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use UnwindCode::{Allocate, Nop, SetFp, SignLr};

    fn codes(bytes: &[u8]) -> Vec<UnwindCode> {
        decode(bytes, 0).unwrap()
    }

    #[test]
    fn every_code_is_decoded() {
        // The examples of Microsoft's page, and one of each other form.
        assert_eq!(
            codes(&[0xE1, 0x91, 0x22, 0xE4, 0xFF]),
            [SetFp(0), pushed([Some(29), Some(30)], 0x90), pushed([Some(19), Some(20)], 0x10),]
        );
        assert_eq!(
            codes(&[0xD6, 0x00, 0x05, 0xE4]),
            [stored([Some(19), Some(30)], 0), Allocate(0x50)]
        );
        assert_eq!(
            codes(&[0xC0, 0x81, 0xE0, 0x01, 0x00, 0x02]),
            [Allocate(0x810), Allocate(0x10_0020)]
        );
        assert_eq!(codes(&[0x42, 0xE2, 0x03]), [stored([Some(29), Some(30)], 0x10), SetFp(0x18)]);
        assert_eq!(codes(&[0xC8, 0x82]), [stored([Some(21), Some(22)], 0x10)]);
        assert_eq!(codes(&[0xCC, 0x43]), [pushed([Some(20), Some(21)], 0x20)]);
        assert_eq!(codes(&[0xD2, 0x45]), [stored([Some(28), None], 0x28)]);
        assert_eq!(codes(&[0xD4, 0x21]), [pushed([Some(20), None], 0x10)]);
        assert_eq!(codes(&[0xD6, 0x41]), [stored([Some(21), Some(30)], 8)]);
        assert_eq!(
            codes(&[0xDA, 0x03, 0xD8, 0x02, 0xDE, 0x21]),
            [pushed([None; 2], 0x20), stored([None; 2], 0), pushed([None; 2], 0x10),]
        );
        assert_eq!(codes(&[0xE7, 0x13, 0x02]), [stored([Some(19), None], 0x10)]);
        assert_eq!(codes(&[0xE7, 0x73, 0x01]), [pushed([Some(19), Some(20)], 0x20)]);
        assert_eq!(codes(&[0xE7, 0x48, 0x82]), [stored([None; 2], 0x20)], "a pair of q registers");
        for reserved in [0xDF, 0xE8, 0xEB, 0xED, 0xF0, 0xFB, 0xFF] {
            assert!(decode(&[reserved, 0, 0, 0, 0], 0).is_err(), "{reserved:#x}");
        }
        assert!(decode(&[0xE0, 0, 0], 0).is_err(), "cut off");
    }

    #[test]
    fn skipping_counts_instructions_and_stops_at_the_phantom_prologue() {
        let all = codes(&[0xC8, 0x9C, 0xE5, 0xE1, 0xC8, 0x1E, 0x9F, 0xE4]);
        assert_eq!(instruction_count(&all), 1);
        assert_eq!(skip(&all, 1).len(), 4);
        assert_eq!(skip(&all, 9).len(), 4);
        assert_eq!(instruction_count(&codes(&[0xEA, 0xE4])), 0, "no instruction belongs to it");
    }

    fn packed(flag: u32, reg_f: u32, reg_i: u32, h: u32, cr: u32, frame_size: u32) -> Packed {
        let fields =
            [(flag, 0), (100, 2), (reg_f, 13), (reg_i, 16), (h, 20), (cr, 21), (frame_size, 23)];
        Packed(fields.iter().fold(0, |word, (value, shift)| word | value << shift))
    }

    #[test]
    fn packed_data_stands_for_the_canonical_prologue() {
        // Example 1 of Microsoft's page: 0x416101ED.
        let example = Packed(0x4161_01ED);
        assert_eq!((example.length(), example.is_fragment()), (492, false));
        let (prologue, epilogue) = example.codes().unwrap();
        let fp = stored([Some(29), Some(30)], 0);
        assert_eq!(prologue, [Nop, fp, Allocate(0x810), pushed([Some(19), None], 0x10)]);
        assert_eq!(epilogue, prologue[1..]);
        // lr beside an odd register, and alone.
        let (prologue, _) = packed(1, 0, 3, 0, 1, 4).codes().unwrap();
        assert_eq!(
            prologue,
            [
                Allocate(0x20),
                stored([Some(21), Some(30)], 0x10),
                pushed([Some(19), Some(20)], 0x20),
            ]
        );
        let (prologue, _) = packed(1, 0, 2, 0, 1, 2).codes().unwrap();
        assert_eq!(prologue, [stored([Some(30), None], 0x10), pushed([Some(19), Some(20)], 0x20)]);
        let (prologue, _) = packed(1, 0, 0, 0, 1, 1).codes().unwrap();
        assert_eq!(prologue, [pushed([Some(30), None], 0x10)]);
        let (prologue, _) = packed(1, 0, 1, 0, 1, 1).codes().unwrap();
        assert_eq!(prologue, [stored([Some(19), Some(30)], 0), Allocate(0x10)]);
        // Signed, floats first, a small frame chained.
        let (prologue, epilogue) = packed(1, 2, 0, 0, 2, 4).codes().unwrap();
        let chain = pushed([Some(29), Some(30)], 0x20);
        let floats = [stored([None; 2], 0x10), pushed([None; 2], 0x20)];
        assert_eq!(prologue, [Nop, chain, floats[0], floats[1], SignLr]);
        assert_eq!(epilogue, [chain, floats[0], floats[1], SignLr]);
        // Homed parameters and nothing else: the first store takes the area.
        let (prologue, epilogue) = packed(1, 0, 0, 1, 3, 5).codes().unwrap();
        let chain = pushed([Some(29), Some(30)], 0x10);
        assert_eq!(prologue, [Nop, chain, Nop, Nop, Nop, Allocate(0x40)]);
        assert_eq!(epilogue, [chain, Allocate(0x40)]);
        // Two instructions for a frame above 4080 bytes.
        let (prologue, _) = packed(1, 0, 0, 0, 0, 257).codes().unwrap();
        assert_eq!(prologue, [Allocate(32), Allocate(4080)]);
        assert_eq!(
            packed(1, 0, 10, 0, 0, 1).codes(),
            None,
            "the frame is smaller than what it holds"
        );
        assert_eq!(packed(1, 0, 11, 0, 0, 100).codes(), None);
    }
}
