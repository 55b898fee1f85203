//! `UNWIND_INFO` of x64 images, versions 1 and 2, decoded into operations.
//!
//! Layout: "x64 exception handling", learn.microsoft.com/cpp/build/exception-handling-x64. Version 2 adds
//! `UWOP_EPILOG`, described in the public sources of LLVM (`X86WinEHUnwindV2.cpp`): one slot each, before
//! all other codes; the first gives the size of every epilogue (from its first pop) and, by bit 0 of its
//! info, that one stands at the function's end; each further one gives the distance of an epilogue's start
//! from the function's end in 12 bits, 0 for padding.

use super::ImageError;
use super::pe::Image;
use super::registers::Register;
use super::runtime_functions::RuntimeFunction;
use crate::dump::memory::AddressSpace;

const FLAG_CHAIN: u8 = 4;

/// What a prologue instruction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnwindOperation {
    /// `UWOP_PUSH_NONVOL`.
    Push(Register),
    /// `UWOP_ALLOC_SMALL`, `UWOP_ALLOC_LARGE`: bytes taken from the stack.
    Allocate(u32),
    /// `UWOP_SET_FPREG`: the frame register was set to the stack pointer plus the frame offset.
    SetFrameRegister,
    /// `UWOP_SAVE_NONVOL`, `UWOP_SAVE_NONVOL_FAR`.
    Save {
        /// The register saved.
        register: Register,
        /// Bytes from the frame's base to the slot.
        offset: u32,
    },
    /// `UWOP_SAVE_XMM128`, `UWOP_SAVE_XMM128_FAR`: consumed, xmm registers are not followed.
    SaveXmm,
    /// `UWOP_PUSH_MACHFRAME`.
    MachineFrame {
        /// Whether an error code lies below the saved instruction pointer.
        error_code: bool,
    },
}

/// An operation with its place in the prologue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnwindCode {
    /// `CodeOffset`: bytes from the function's start to the end of the instruction.
    pub code_offset: u8,
    /// What the instruction did.
    pub operation: UnwindOperation,
}

/// The epilogues that a version 2 record declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Epilogues {
    /// Size of each in bytes.
    pub size: u32,
    /// Where each begins, in bytes before the function's end.
    pub starts_before_end: Vec<u32>,
}

impl Epilogues {
    /// Whether `rva` lies in one of them; `end` is `RUNTIME_FUNCTION.EndAddress`.
    #[must_use]
    pub fn hold(&self, rva: u32, end: u32) -> bool {
        self.starts_before_end
            .iter()
            .filter_map(|distance| end.checked_sub(*distance))
            .any(|start| rva.checked_sub(start).is_some_and(|offset| offset < self.size))
    }
}

/// One decoded `UNWIND_INFO`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwindInfo {
    /// `Version`, 1 or 2.
    pub version: u8,
    /// `SizeOfProlog` in bytes.
    pub size_of_prolog: u8,
    /// `FrameRegister` and `FrameOffset`, the latter in bytes.
    pub frame: Option<(Register, u32)>,
    /// The unwind codes in the record's order: last instruction first.
    pub codes: Vec<UnwindCode>,
    /// Declared epilogues, version 2 only.
    pub epilogues: Epilogues,
    /// The record this one continues: `UNW_FLAG_CHAININFO`, 4.
    pub chained: Option<RuntimeFunction>,
}

impl UnwindInfo {
    /// Decodes the record at `rva`.
    ///
    /// # Errors
    /// When its bytes are not in the dump, or are no record of version 1 or 2.
    pub fn read(space: &AddressSpace<'_>, image: &Image, rva: u32) -> Result<Self, ImageError> {
        let what = "UNWIND_INFO";
        let head = image.u32_at(space, rva, what)?;
        let [version_flags, size_of_prolog, count, frame] = head.to_le_bytes();
        let address = image.base.saturating_add(u64::from(rva));
        let version = version_flags & 7;
        if !(1..=2).contains(&version) {
            let expected = "version 1 or 2";
            let found = u64::from(version);
            return Err(ImageError::Invalid { what, address, expected, found });
        }
        let codes_at = rva.saturating_add(4);
        let size = usize::from(count).saturating_mul(2);
        let bytes = image.bytes_at(space, codes_at, size, "UNWIND_CODE")?;
        if bytes.len() < size {
            let address = address.saturating_add(4);
            return Err(ImageError::Missing { what: "UNWIND_CODE", address, len: size as u64 });
        }
        let mut decoder = Decoder { slots: slots(&bytes), at: 0, address, version };
        let (codes, epilogues) = decoder.run()?;
        let chained = if (version_flags >> 3) & FLAG_CHAIN != 0 {
            // The array is padded to an even number of slots.
            let padded = u32::from(count).saturating_add(1) & !1;
            let at = codes_at.saturating_add(padded.saturating_mul(2));
            Some(RuntimeFunction::read(space, image, at)?)
        } else {
            None
        };
        let frame = Register::from_number(frame & 15)
            .filter(|register| *register != Register::Rax)
            .map(|register| (register, u32::from(frame >> 4).saturating_mul(16)));
        Ok(Self { version, size_of_prolog, frame, codes, epilogues, chained })
    }
}

fn slots(bytes: &[u8]) -> Vec<[u8; 2]> {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.to_vec()
}

struct Decoder {
    slots: Vec<[u8; 2]>,
    at: usize,
    address: u64,
    version: u8,
}

impl Decoder {
    fn run(&mut self) -> Result<(Vec<UnwindCode>, Epilogues), ImageError> {
        let mut codes = Vec::new();
        let mut epilogues = Epilogues::default();
        let mut seen_epilogue = false;
        while let Some([code_offset, packed]) = self.next() {
            let (opcode, info) = (packed & 15, packed >> 4);
            if opcode == 6 && self.version == 2 {
                add_epilogue(&mut epilogues, !seen_epilogue, code_offset, info);
                seen_epilogue = true;
                continue;
            }
            let operation = self.operation(opcode, info)?;
            codes.push(UnwindCode { code_offset, operation });
        }
        Ok((codes, epilogues))
    }

    fn operation(&mut self, opcode: u8, info: u8) -> Result<UnwindOperation, ImageError> {
        Ok(match opcode {
            0 => UnwindOperation::Push(self.register(info)?),
            1 if info == 0 => UnwindOperation::Allocate(self.u16()?.saturating_mul(8)),
            1 if info == 1 => UnwindOperation::Allocate(self.u32()?),
            2 => UnwindOperation::Allocate(u32::from(info).saturating_mul(8).saturating_add(8)),
            3 => UnwindOperation::SetFrameRegister,
            4 => {
                let offset = self.u16()?.saturating_mul(8);
                UnwindOperation::Save { register: self.register(info)?, offset }
            }
            5 => {
                let offset = self.u32()?;
                UnwindOperation::Save { register: self.register(info)?, offset }
            }
            8 => {
                self.u16()?;
                UnwindOperation::SaveXmm
            }
            9 => {
                self.u32()?;
                UnwindOperation::SaveXmm
            }
            10 if info < 2 => UnwindOperation::MachineFrame { error_code: info == 1 },
            other => return Err(self.invalid("an opcode of UNWIND_CODE", other)),
        })
    }

    fn next(&mut self) -> Option<[u8; 2]> {
        let slot = self.slots.get(self.at).copied()?;
        self.at = self.at.saturating_add(1);
        Some(slot)
    }

    fn u16(&mut self) -> Result<u32, ImageError> {
        let slot = self.next().ok_or_else(|| self.invalid("an operand slot", 0))?;
        Ok(u32::from(u16::from_le_bytes(slot)))
    }

    fn u32(&mut self) -> Result<u32, ImageError> {
        let low = self.u16()?;
        Ok(low | self.u16()? << 16)
    }

    fn register(&self, number: u8) -> Result<Register, ImageError> {
        Register::from_number(number).ok_or_else(|| self.invalid("a register number", number))
    }

    fn invalid(&self, expected: &'static str, found: u8) -> ImageError {
        // `at` is past the slot that was read; slots begin 4 bytes into the record.
        let slot = self.at.saturating_sub(1) as u64;
        let address = self.address.saturating_add(4).saturating_add(slot.saturating_mul(2));
        ImageError::Invalid { what: "UNWIND_CODE", address, expected, found: u64::from(found) }
    }
}

fn add_epilogue(epilogues: &mut Epilogues, is_first: bool, code_offset: u8, info: u8) {
    if is_first {
        epilogues.size = u32::from(code_offset);
        if info & 1 != 0 {
            epilogues.starts_before_end.push(u32::from(code_offset));
        }
        return;
    }
    let distance = u32::from(code_offset) | u32::from(info) << 8;
    if distance != 0 {
        epilogues.starts_before_end.push(distance);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures::PeBuilder;

    fn decode(record: &[u8]) -> Result<UnwindInfo, ImageError> {
        let mut pe = PeBuilder::x64();
        pe.put(0x5000, record);
        let bytes = pe.bytes();
        UnwindInfo::read(&PeBuilder::space(&bytes), &PeBuilder::image(&bytes), 0x5000)
    }

    fn operations(info: &UnwindInfo) -> Vec<(u8, UnwindOperation)> {
        info.codes.iter().map(|code| (code.code_offset, code.operation)).collect()
    }

    #[test]
    fn decodes_every_opcode_of_version_1() {
        use UnwindOperation::*;
        let record = [
            0x01, 40, 18, 0x25, // version 1, prologue 40, 18 slots, rbp + 0x20
            40, 0x68, 0x03, 0x00, // SAVE_XMM128 xmm6
            36, 0x79, 0x00, 0x00, 0x01, 0x00, // SAVE_XMM128_FAR xmm7
            30, 0x34, 0x06, 0x00, // SAVE_NONVOL rbx at 0x30
            26, 0xC5, 0x00, 0x00, 0x02, 0x00, // SAVE_NONVOL_FAR r12 at 0x20000
            20, 0x03, // SET_FPREG
            16, 0x42, // ALLOC_SMALL 0x28
            12, 0x01, 0x20, 0x00, // ALLOC_LARGE 0x100
            8, 0x11, 0x10, 0x00, 0x01, 0x00, // ALLOC_LARGE 0x10010
            1, 0x70, // PUSH_NONVOL rdi
        ];
        // 2+3+2+3+1+1+2+3+1 = 18 slots; the machine frame follows in its own test.
        let info = decode(&record).unwrap();
        assert_eq!(info.frame, Some((Register::Rbp, 0x20)));
        assert_eq!(
            operations(&info),
            [
                (40, SaveXmm),
                (36, SaveXmm),
                (30, Save { register: Register::Rbx, offset: 0x30 }),
                (26, Save { register: Register::R12, offset: 0x2_0000 }),
                (20, SetFrameRegister),
                (16, Allocate(0x28)),
                (12, Allocate(0x100)),
                (8, Allocate(0x1_0010)),
                (1, Push(Register::Rdi)),
            ]
        );
    }

    #[test]
    fn decodes_machine_frames() {
        let info = decode(&[1, 0, 1, 0, 0, 0x1A]).unwrap();
        assert_eq!(operations(&info), [(0, UnwindOperation::MachineFrame { error_code: true })]);
    }

    #[test]
    fn decodes_the_epilogues_of_version_2() {
        // Size 6, one at the end; one at 0x123 before the end; padding; push rbx.
        let info = decode(&[2, 1, 4, 0, 6, 0x16, 0x23, 0x16, 0, 0x06, 1, 0x30]).unwrap();
        assert_eq!(info.epilogues.starts_before_end, [6, 0x123]);
        assert_eq!(operations(&info), [(1, UnwindOperation::Push(Register::Rbx))]);
        assert!(info.epilogues.hold(0x1FFA, 0x2000) && info.epilogues.hold(0x1FFF, 0x2000));
        assert!(!info.epilogues.hold(0x1FF9, 0x2000));
        assert!(info.epilogues.hold(0x1EDD, 0x2000) && !info.epilogues.hold(0x1EE3, 0x2000));
    }

    #[test]
    fn a_chained_record_stands_behind_the_padded_array() {
        let record = [0x21, 0, 1, 0, 0, 0x30, 0xFF, 0xFF, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0];
        let info = decode(&record).unwrap();
        let chained = RuntimeFunction { begin_address: 1, end_address: 2, unwind_data: 3 };
        assert_eq!(info.chained, Some(chained));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        assert!(matches!(decode(&[3, 0, 0, 0]), Err(ImageError::Invalid { found: 3, .. })));
        let unknown = decode(&[1, 0, 1, 0, 0, 0x07]).unwrap_err();
        let address = PeBuilder::BASE + 0x5004;
        assert!(
            matches!(unknown, ImageError::Invalid { address: at, found: 7, .. } if at == address)
        );
        assert!(decode(&[1, 0, 1, 0, 0, 0x01]).is_err(), "operand cut off");
    }
}
