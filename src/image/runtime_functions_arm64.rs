//! The ARM64 function table, `.pdata`: from an address to its record, its unwind codes and its start.
//!
//! Layout: "ARM64 exception handling", learn.microsoft.com/cpp/build/arm64-exception-handling. A record has 8 bytes: the
//! start's RVA, and packed unwind data or the RVA of an `.xdata` record, which gives the length.

use super::ImageError;
use super::pe::{DirectoryKind, Image};
use super::unwind_codes_arm64::{self as codes, Packed, UnwindCode};
use crate::dump::memory::AddressSpace;

/// Size of one record in bytes.
const ENTRY_SIZE: u32 = 8;

/// A record of `.pdata` with what is known of its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FunctionRecord {
    /// Offset 0, `Function Start RVA`.
    pub begin_address: u32,
    /// Length in bytes.
    pub length: u32,
    /// Offset 4: packed unwind data, or the RVA of the `.xdata` record.
    pub unwind_data: u32,
}

impl FunctionRecord {
    /// The record at `rva` of the table; its length is read from `.xdata` where it is not packed.
    fn read(space: &AddressSpace<'_>, image: &Image, rva: u32) -> Result<Self, ImageError> {
        let what = "RUNTIME_FUNCTION";
        let begin_address = image.u32_at(space, rva, what)?;
        let unwind_data = image.u32_at(space, rva.saturating_add(4), what)?;
        let length = match unwind_data & 3 {
            0 => Header::read(space, image, unwind_data)?.length,
            _ => Packed(unwind_data).length(),
        };
        Ok(Self { begin_address, length, unwind_data })
    }

    /// RVA behind the last instruction.
    #[must_use]
    pub fn end_address(&self) -> u32 {
        self.begin_address.saturating_add(self.length)
    }

    /// Whether `rva` lies in the function, or in this part of it.
    #[must_use]
    pub fn contains(&self, rva: u32) -> bool {
        (self.begin_address..self.end_address()).contains(&rva)
    }

    /// Whether the record describes a part of a function that begins elsewhere: packed `Flag` 2, or codes with a phantom
    /// prologue (`end_c`). Nothing in it leads to the function.
    ///
    /// # Errors
    /// When the codes are not in the dump or damaged.
    pub fn is_fragment(&self, space: &AddressSpace<'_>, image: &Image) -> Result<bool, ImageError> {
        if self.unwind_data & 3 != 0 {
            return Ok(Packed(self.unwind_data).is_fragment());
        }
        let codes = Header::read(space, image, self.unwind_data)?.codes(space, image, 0)?;
        Ok(codes.contains(&UnwindCode::EndOfFragment))
    }

    /// The codes that are still to be undone when the instruction at `offset` (bytes from the start) is next.
    ///
    /// # Errors
    /// When the unwind data is not in the dump or damaged.
    pub fn codes_at(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
        offset: u32,
    ) -> Result<(Vec<UnwindCode>, Region), ImageError> {
        match self.unwind_data & 3 {
            0 => self.full_codes_at(space, image, offset),
            _ => self.packed_codes_at(image, offset),
        }
    }

    fn packed_codes_at(
        &self,
        image: &Image,
        offset: u32,
    ) -> Result<(Vec<UnwindCode>, Region), ImageError> {
        let packed = Packed(self.unwind_data);
        let invalid = || ImageError::Invalid {
            what: "packed unwind data",
            address: image.base.saturating_add(u64::from(self.begin_address)),
            expected: "flag 1 or 2, and a frame that holds what is saved",
            found: u64::from(self.unwind_data),
        };
        if self.unwind_data & 3 == 3 {
            return Err(invalid());
        }
        let (prologue, epilogue) = packed.codes().ok_or_else(invalid)?;
        if packed.is_fragment() {
            return Ok((prologue, Region::Body));
        }
        Ok(in_prologue(&prologue, offset)
            .or_else(|| in_epilogue(&epilogue, self.last_epilogue(&epilogue), offset))
            .unwrap_or((prologue, Region::Body)))
    }

    fn full_codes_at(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
        offset: u32,
    ) -> Result<(Vec<UnwindCode>, Region), ImageError> {
        let header = Header::read(space, image, self.unwind_data)?;
        let prologue = header.codes(space, image, 0)?;
        if let Some(found) = in_prologue(&prologue, offset) {
            return Ok(found);
        }
        let found = match header.single_epilogue {
            Some(index) => {
                let epilogue = header.codes(space, image, index)?;
                in_epilogue(&epilogue, self.last_epilogue(&epilogue), offset)
            }
            None => match header.scope_before(space, image, offset)? {
                Some((start, index)) => {
                    in_epilogue(&header.codes(space, image, index)?, Some(start), offset)
                }
                None => None,
            },
        };
        Ok(found.unwrap_or((prologue, Region::Body)))
    }

    /// Offset of an epilogue at the function's end: its instructions and the return.
    fn last_epilogue(&self, epilogue: &[UnwindCode]) -> Option<u32> {
        let size = codes::instruction_count(epilogue).saturating_add(1).saturating_mul(4);
        self.length.checked_sub(size)
    }
}

/// Where an instruction of a function lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// Its prologue.
    Prologue,
    /// Neither: all codes count.
    Body,
    /// One of its epilogues.
    Epilogue,
}

fn in_prologue(codes: &[UnwindCode], offset: u32) -> Option<(Vec<UnwindCode>, Region)> {
    let run = offset.checked_div(4)?;
    let left = codes::instruction_count(codes).checked_sub(run).filter(|left| *left > 0)?;
    Some((codes::skip(codes, left).to_vec(), Region::Prologue))
}

fn in_epilogue(
    codes: &[UnwindCode],
    start: Option<u32>,
    offset: u32,
) -> Option<(Vec<UnwindCode>, Region)> {
    let run = offset.checked_sub(start?)?.checked_div(4)?;
    // The return behind them belongs to it.
    (run <= codes::instruction_count(codes)).then_some(())?;
    Some((codes::skip(codes, run).to_vec(), Region::Epilogue))
}

/// The head of an `.xdata` record.
struct Header {
    /// RVA of the record.
    rva: u32,
    /// `Function Length` in bytes.
    length: u32,
    /// With `E`: the index of the codes of the only epilogue, which ends the function.
    single_epilogue: Option<u32>,
    /// RVA and number of the epilogue scopes.
    scopes: (u32, u32),
    /// RVA and number of bytes of the codes.
    codes: (u32, u32),
}

impl Header {
    fn read(space: &AddressSpace<'_>, image: &Image, rva: u32) -> Result<Self, ImageError> {
        let what = ".xdata record";
        let word = image.u32_at(space, rva, what)?;
        if word >> 18 & 3 != 0 {
            return Err(ImageError::Invalid {
                what,
                address: image.base.saturating_add(u64::from(rva)),
                expected: "version 0",
                found: u64::from(word >> 18 & 3),
            });
        }
        let mut at = rva.saturating_add(4);
        let (mut epilogues, mut code_words) = (word >> 22 & 0x1F, word >> 27);
        if epilogues == 0 && code_words == 0 {
            let extension = image.u32_at(space, at, what)?;
            at = at.saturating_add(4);
            (epilogues, code_words) = (extension & 0xFFFF, extension >> 16 & 0xFF);
        }
        let single = word >> 21 & 1 == 1;
        let scopes = (at, if single { 0 } else { epilogues });
        let codes_at = at.saturating_add(scopes.1.saturating_mul(4));
        Ok(Self {
            rva,
            length: (word & 0x3_FFFF).saturating_mul(4),
            single_epilogue: single.then_some(epilogues),
            scopes,
            codes: (codes_at, code_words.saturating_mul(4)),
        })
    }

    /// The codes from an index on.
    fn codes(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
        index: u32,
    ) -> Result<Vec<UnwindCode>, ImageError> {
        let (at, size) = (self.codes.0.saturating_add(index), self.codes.1.saturating_sub(index));
        let what = "unwind codes";
        let wanted = usize::try_from(size).unwrap_or(usize::MAX);
        let bytes = image.bytes_at(space, at, wanted, what)?;
        if bytes.len() < wanted {
            let address = image.base.saturating_add(u64::from(at));
            return Err(ImageError::Missing { what, address, len: u64::from(size) });
        }
        codes::decode(&bytes, image.base.saturating_add(u64::from(self.rva)))
    }

    /// The last epilogue scope that begins at or before an offset: its offset and the index of its codes. Scopes are
    /// sorted by offset.
    fn scope_before(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
        offset: u32,
    ) -> Result<Option<(u32, u32)>, ImageError> {
        let (mut low, mut high) = (0, self.scopes.1);
        let mut found = None;
        while low < high {
            let middle = low.midpoint(high);
            let at = self.scopes.0.saturating_add(middle.saturating_mul(4));
            let scope = image.u32_at(space, at, "epilogue scope")?;
            let start = (scope & 0x3_FFFF).saturating_mul(4);
            if start <= offset {
                found = Some((start, scope >> 22));
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(found)
    }
}

/// The record of the function, or part of one, that holds `rva`; `None` when the table has none, as for a leaf function.
///
/// # Errors
/// When the image has no table, or what must be read of it is not in the dump.
pub fn lookup(
    space: &AddressSpace<'_>,
    image: &Image,
    rva: u32,
) -> Result<Option<FunctionRecord>, ImageError> {
    let table = image.directory(DirectoryKind::Exception)?;
    let room = image.size.saturating_sub(u64::from(table.rva));
    let size = u32::try_from(u64::from(table.size).min(room)).unwrap_or(u32::MAX);
    let at = |index: u32| table.rva.saturating_add(index.saturating_mul(ENTRY_SIZE));
    let mut low = 0_u32;
    let mut high = size.checked_div(ENTRY_SIZE).unwrap_or_default();
    let mut found = None;
    while low < high {
        let middle = low.midpoint(high);
        if image.u32_at(space, at(middle), "RUNTIME_FUNCTION")? <= rva {
            found = Some(middle);
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    let Some(index) = found else { return Ok(None) };
    let record = FunctionRecord::read(space, image, at(index))?;
    Ok(Some(record).filter(|record| record.contains(rva)))
}

/// RVA at which the function that `rva` belongs to begins; `None` for a leaf, and for a part of a function that begins
/// elsewhere: ARM64 records of parts do not say of which function.
///
/// # Errors
/// When the table or an unwind record is not in the dump or damaged.
pub fn function_start(
    space: &AddressSpace<'_>,
    image: &Image,
    rva: u32,
) -> Result<Option<u32>, ImageError> {
    let Some(record) = lookup(space, image, rva)? else { return Ok(None) };
    let is_fragment = record.is_fragment(space, image)?;
    Ok((!is_fragment).then_some(record.begin_address))
}
