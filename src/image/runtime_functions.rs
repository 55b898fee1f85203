//! The x64 function table, `.pdata`: from an address to its `RUNTIME_FUNCTION`, and from a split-off part
//! of a function to the function.

use super::ImageError;
use super::pe::{DirectoryKind, Image, Machine};
use super::runtime_functions_arm64;
use super::unwind_info::UnwindInfo;
use crate::dump::memory::AddressSpace;

/// Size of one entry in bytes.
const ENTRY_SIZE: u32 = 12;
/// Most records that are followed from a part to its function; longer chains are damage or a cycle.
pub(crate) const MAX_CHAIN: usize = 32;

/// `RUNTIME_FUNCTION`, 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuntimeFunction {
    /// Offset 0, `BeginAddress`: RVA of the first instruction.
    pub begin_address: u32,
    /// Offset 4, `EndAddress`: RVA behind the last instruction.
    pub end_address: u32,
    /// Offset 8, `UnwindData`: RVA of the `UNWIND_INFO`; with bit 0 set, of another entry plus 1.
    pub unwind_data: u32,
}

impl RuntimeFunction {
    /// The entry at `rva`.
    ///
    /// # Errors
    /// When its bytes are not in the dump.
    pub fn read(space: &AddressSpace<'_>, image: &Image, rva: u32) -> Result<Self, ImageError> {
        let what = "RUNTIME_FUNCTION";
        Ok(Self {
            begin_address: image.u32_at(space, rva, what)?,
            end_address: image.u32_at(space, rva.saturating_add(4), what)?,
            unwind_data: image.u32_at(space, rva.saturating_add(8), what)?,
        })
    }

    /// Whether `rva` lies in this part.
    #[must_use]
    pub fn contains(&self, rva: u32) -> bool {
        (self.begin_address..self.end_address).contains(&rva)
    }
}

/// The entry of the part that holds `rva`; `None` when the table has none, as for a leaf function.
///
/// # Errors
/// When the image has no table, or the part of it that must be read is not in the dump.
pub fn lookup(
    space: &AddressSpace<'_>,
    image: &Image,
    rva: u32,
) -> Result<Option<RuntimeFunction>, ImageError> {
    let table = image.directory(DirectoryKind::Exception)?;
    let room = image.size.saturating_sub(u64::from(table.rva));
    let size = u32::try_from(u64::from(table.size).min(room)).unwrap_or(u32::MAX);
    let entry_at = |index: u32| {
        let rva = table.rva.saturating_add(index.saturating_mul(ENTRY_SIZE));
        RuntimeFunction::read(space, image, rva)
    };
    let mut low = 0_u32;
    let mut high = size.checked_div(ENTRY_SIZE).unwrap_or_default();
    while low < high {
        let middle = low.midpoint(high);
        let entry = entry_at(middle)?;
        if rva < entry.begin_address {
            high = middle;
        } else if rva >= entry.end_address {
            low = middle.saturating_add(1);
        } else {
            return resolve_indirect(space, image, entry).map(Some);
        }
    }
    Ok(None)
}

/// Follows `RUNTIME_FUNCTION_INDIRECT` (bit 0 of `UnwindData`) to the entry that has the unwind data.
pub(crate) fn resolve_indirect(
    space: &AddressSpace<'_>,
    image: &Image,
    entry: RuntimeFunction,
) -> Result<RuntimeFunction, ImageError> {
    let mut entry = entry;
    for _ in 0..MAX_CHAIN {
        if entry.unwind_data & 1 == 0 {
            return Ok(entry);
        }
        entry = RuntimeFunction::read(space, image, entry.unwind_data & !1)?;
    }
    Err(chain_too_long(image, entry))
}

/// RVA at which the function that `rva` belongs to begins: chained unwind records are followed to the
/// primary one. An optimiser cuts functions into parts far from their entry, so this start, not the
/// export below `rva`, is what names a frame (critical-sections.md 0.1). `None` when the table has no
/// entry for `rva`.
///
/// # Errors
/// When the table or an unwind record is not in the dump or damaged.
pub fn primary_function(
    space: &AddressSpace<'_>,
    image: &Image,
    rva: u32,
) -> Result<Option<u32>, ImageError> {
    let Some(mut entry) = lookup(space, image, rva)? else { return Ok(None) };
    for _ in 0..MAX_CHAIN {
        match UnwindInfo::read(space, image, entry.unwind_data)?.chained {
            Some(next) => entry = resolve_indirect(space, image, next)?,
            None => return Ok(Some(entry.begin_address)),
        }
    }
    Err(chain_too_long(image, entry))
}

/// RVA at which the function that `rva` belongs to begins, by the table of the image's machine, x64 or ARM64: as
/// [`primary_function`] and [`runtime_functions_arm64::function_start`].
///
/// # Errors
/// When the table or an unwind record is not in the dump or damaged.
pub fn function_start(
    space: &AddressSpace<'_>,
    image: &Image,
    rva: u32,
) -> Result<Option<u32>, ImageError> {
    match image.machine {
        Machine::Arm64 => runtime_functions_arm64::function_start(space, image, rva),
        _ => primary_function(space, image, rva),
    }
}

pub(crate) fn chain_too_long(image: &Image, entry: RuntimeFunction) -> ImageError {
    ImageError::Invalid {
        what: "UNWIND_INFO chain",
        address: image.base.saturating_add(u64::from(entry.begin_address)),
        expected: "at most 32 records",
        found: u64::from(entry.unwind_data),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures::PeBuilder;

    fn chained(to: (u32, u32, u32)) -> Vec<u8> {
        let fields = [0x21, to.0, to.1, to.2];
        fields.iter().flat_map(|field| field.to_le_bytes()).collect()
    }

    fn sample() -> Vec<u8> {
        let mut pe = PeBuilder::x64();
        let primary = (0x1000, 0x1100, 0x5000);
        pe.pdata(&[
            primary,
            (0x1100, 0x1180, 0x4001),
            (0x1200, 0x1300, 0x5010),
            (0x1400, 0x1500, 0x5030),
        ]);
        pe.put(0x5000, &[1, 0, 0, 0]);
        pe.put(0x5010, &chained(primary));
        pe.put(0x5030, &chained((0x1400, 0x1500, 0x5030)));
        pe.bytes()
    }

    #[test]
    fn finds_entries_by_half_open_range() {
        let bytes = sample();
        let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
        let begin = |rva| lookup(&space, &image, rva).unwrap().map(|entry| entry.begin_address);
        assert_eq!(begin(0xFFF), None);
        assert_eq!(begin(0x1000), Some(0x1000));
        assert_eq!(begin(0x10FF), Some(0x1000));
        assert_eq!(begin(0x1100), Some(0x1000), "indirect entry");
        assert_eq!(begin(0x1180), None, "gap");
        assert_eq!(begin(0x14FF), Some(0x1400));
        assert_eq!(begin(0x1500), None);
    }

    #[test]
    fn names_a_part_by_its_primary_entry_and_ends_on_a_cycle() {
        let bytes = sample();
        let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
        assert_eq!(primary_function(&space, &image, 0x1280), Ok(Some(0x1000)));
        assert_eq!(primary_function(&space, &image, 0x1190), Ok(None));
        assert!(matches!(
            primary_function(&space, &image, 0x1400),
            Err(ImageError::Invalid { what: "UNWIND_INFO chain", .. })
        ));
    }

    #[test]
    fn a_table_outside_the_dump_is_typed() {
        let bytes = sample();
        let image = PeBuilder::image(&bytes);
        let space = PeBuilder::space(&bytes[..0x2000]);
        assert!(matches!(lookup(&space, &image, 0x1000), Err(ImageError::Missing { len: 4, .. })));
    }
}
