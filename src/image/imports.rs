//! The import table: which DLL and which name a slot of the import address table stands for.
//!
//! `IMAGE_IMPORT_DESCRIPTOR`, 20 bytes: PE Format, "The .idata section". The name comes from the lookup
//! table (`OriginalFirstThunk`), which the loader leaves alone, so it is found even where the slot's own
//! page is not in the dump. Delay imports are not read.

use super::ImageError;
use super::pe::{DirectoryKind, Image};
use crate::dump::memory::AddressSpace;
use std::sync::OnceLock;

const DESCRIPTOR_SIZE: u32 = 20;
/// Most DLLs of one image.
const MAX_DLLS: usize = 1024;
/// Most slots of one DLL that are looked through.
const MAX_SLOTS: u32 = 65_536;
/// Most slots [`Imports::slots_named`] returns.
const MAX_FOUND: usize = 64;

/// One `IMAGE_IMPORT_DESCRIPTOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Descriptor {
    /// Offset 0, `OriginalFirstThunk`: RVA of the lookup table; 0 when the linker wrote none.
    original_first_thunk: u32,
    /// Offset 12, `Name`: RVA.
    name: u32,
    /// Offset 16, `FirstThunk`: RVA of the slots.
    first_thunk: u32,
}

/// What is imported.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ImportSymbol {
    /// By name.
    Name(String),
    /// By ordinal.
    Ordinal(u16),
    /// The image has no lookup table for the DLL, or the dump does not hold it.
    Unknown,
}

/// What a slot stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Import {
    /// Name of the DLL as the image spells it.
    pub dll: String,
    /// The function or variable.
    pub symbol: ImportSymbol,
}

/// The imports of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imports {
    /// Sorted by `first_thunk`.
    descriptors: Vec<Descriptor>,
    /// The lookup table of each descriptor, measured when first asked for: a stack can ask once per word.
    lookups: Vec<OnceLock<Lookup>>,
    complete: bool,
}

/// How far a lookup table goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lookup {
    /// Entries before the first zero, or before the end of what the dump holds.
    entries: u32,
    /// Whether a zero ends it.
    ended: bool,
}

impl Imports {
    /// Reads the import descriptors.
    ///
    /// # Errors
    /// When the image has none, or the first is not in the dump.
    pub fn read(space: &AddressSpace<'_>, image: &Image) -> Result<Self, ImageError> {
        let directory = image.directory(DirectoryKind::Import)?;
        let mut imports = Self::default();
        let mut rva = directory.rva;
        while imports.descriptors.len() < MAX_DLLS {
            match descriptor(space, image, rva) {
                Ok(Some(found)) => imports.descriptors.push(found),
                Ok(None) => {
                    imports.complete = true;
                    break;
                }
                Err(error) if imports.descriptors.is_empty() => return Err(error),
                Err(_) => break,
            }
            rva = rva.saturating_add(DESCRIPTOR_SIZE);
        }
        imports.descriptors.sort_by_key(|descriptor| descriptor.first_thunk);
        imports.lookups = vec![OnceLock::new(); imports.descriptors.len()];
        Ok(imports)
    }

    /// Whether the list of DLLs was read to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What the slot at `slot`, an address, stands for; `None` when it is no slot of this table.
    #[must_use]
    pub fn import_at(&self, space: &AddressSpace<'_>, image: &Image, slot: u64) -> Option<Import> {
        let rva = image.rva(slot)?;
        let after = self.descriptors.partition_point(|found| found.first_thunk <= rva);
        let at = after.checked_sub(1)?;
        let descriptor = self.descriptors.get(at)?;
        let width = u32::try_from(image.width.bytes()).ok()?;
        let offset = rva.checked_sub(descriptor.first_thunk)?;
        let index = offset.checked_div(width)?;
        if offset.checked_rem(width)? != 0 || index >= MAX_SLOTS {
            return None;
        }
        let dll = image.name_at(space, descriptor.name).unwrap_or_else(|| "?".into());
        if descriptor.original_first_thunk == 0 {
            return Some(Import { dll, symbol: ImportSymbol::Unknown });
        }
        let lookup = *self.lookups.get(at)?.get_or_init(|| measure(space, image, *descriptor));
        let symbol = if index < lookup.entries {
            let rva = descriptor.original_first_thunk.checked_add(index.checked_mul(width)?)?;
            let entry = space.pointer(image.address(rva)?, image.width)?;
            symbol(space, image, entry)
        } else if lookup.ended {
            // A zero before the slot ends the DLL's slots: the address is behind them.
            return None;
        } else {
            ImportSymbol::Unknown
        };
        Some(Import { dll, symbol })
    }

    /// Addresses of the slots that import `name` from any DLL, at most 64.
    #[must_use]
    pub fn slots_named(&self, space: &AddressSpace<'_>, image: &Image, name: &str) -> Vec<u64> {
        let mut found = Vec::new();
        self.each_slot(space, image, |slot, symbol| {
            let is_it = matches!(symbol, ImportSymbol::Name(found) if found == name);
            found.extend(slot.filter(|_| is_it));
            found.len() < MAX_FOUND
        });
        found
    }

    /// Addresses of all slots, at most 65,536, each with that one of `names` that it imports.
    #[must_use]
    pub fn slots_with_names<'n>(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
        names: &[&'n str],
    ) -> Vec<(u64, Option<&'n str>)> {
        let mut found = Vec::new();
        self.each_slot(space, image, |slot, symbol| {
            let name = match symbol {
                ImportSymbol::Name(symbol) => names.iter().find(|name| **name == symbol).copied(),
                _ => None,
            };
            found.extend(slot.map(|slot| (slot, name)));
            true
        });
        found
    }

    /// Visits the slots until `visit` says that it has seen enough.
    fn each_slot(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
        mut visit: impl FnMut(Option<u64>, ImportSymbol) -> bool,
    ) {
        let width = u32::try_from(image.width.bytes()).unwrap_or(8);
        let mut budget = MAX_SLOTS;
        for descriptor in &self.descriptors {
            let table = lookup_table(space, image, *descriptor, budget);
            let mut rva = descriptor.first_thunk;
            for entry in table.into_iter().take_while(|entry| *entry != 0) {
                budget = budget.saturating_sub(1);
                if !visit(image.address(rva), symbol(space, image, entry)) {
                    return;
                }
                rva = rva.saturating_add(width);
            }
            if budget == 0 {
                return;
            }
        }
    }
}

fn descriptor(
    space: &AddressSpace<'_>,
    image: &Image,
    rva: u32,
) -> Result<Option<Descriptor>, ImageError> {
    let field =
        |offset: u32| image.u32_at(space, rva.saturating_add(offset), "IMAGE_IMPORT_DESCRIPTOR");
    let found =
        Descriptor { original_first_thunk: field(0)?, name: field(12)?, first_thunk: field(16)? };
    Ok((found.name != 0 && found.first_thunk != 0).then_some(found))
}

fn measure(space: &AddressSpace<'_>, image: &Image, descriptor: Descriptor) -> Lookup {
    let table = lookup_table(space, image, descriptor, MAX_SLOTS);
    let ended = table.last() == Some(&0);
    let entries = table.len().saturating_sub(usize::from(ended));
    Lookup { entries: u32::try_from(entries).unwrap_or(MAX_SLOTS), ended }
}

/// Up to `count` entries of a lookup table, cut where it ends: at the first zero, which is kept, or
/// where the dump ends. Read in steps, so that a short table costs little.
fn lookup_table(
    space: &AddressSpace<'_>,
    image: &Image,
    descriptor: Descriptor,
    count: u32,
) -> Vec<u64> {
    const STEP: usize = 128;
    let width = usize::try_from(image.width.bytes()).unwrap_or(8);
    let wanted = count as usize;
    let mut table = Vec::new();
    let mut rva = descriptor.original_first_thunk;
    while rva != 0 && table.len() < wanted {
        let entries = STEP.min(wanted.saturating_sub(table.len()));
        let len = entries.saturating_mul(width);
        let Ok(bytes) = image.bytes_at(space, rva, len, "import lookup table") else { break };
        for entry in bytes.chunks_exact(width) {
            let mut word = [0; 8];
            word.iter_mut().zip(entry).for_each(|(to, from)| *to = *from);
            table.push(u64::from_le_bytes(word));
            if word == [0; 8] {
                return table;
            }
        }
        if bytes.len() < len {
            break;
        }
        rva = rva.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
    }
    table
}

/// A lookup entry: the top bit says ordinal, else the RVA of a 2-byte hint and the name.
fn symbol(space: &AddressSpace<'_>, image: &Image, entry: u64) -> ImportSymbol {
    let by_ordinal = image.width.all_ones().wrapping_shr(1) < entry;
    if by_ordinal {
        let [low, high, ..] = entry.to_le_bytes();
        return ImportSymbol::Ordinal(u16::from_le_bytes([low, high]));
    }
    let name = u32::try_from(entry).ok().and_then(|rva| rva.checked_add(2));
    name.and_then(|rva| image.name_at(space, rva)).map_or(ImportSymbol::Unknown, ImportSymbol::Name)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::image::fixtures::PeBuilder;

    /// a.dll: slots at 0x7000 (Leave, #7); b.dll without lookup table: slots at 0x7100.
    fn sample(mut pe: PeBuilder, width: usize) -> PeBuilder {
        pe.directory(DirectoryKind::Import, 0x6000, 60);
        for (at, lookup, name, slots) in
            [(0x6000, 0, 0x6110, 0x7100), (0x6014, 0x6080, 0x6100, 0x7000)]
        {
            pe.put_u32(at, lookup);
            pe.put_u32(at + 12, name);
            pe.put_u32(at + 16, slots);
        }
        pe.put_u32(0x6080, 0x6120);
        pe.put_u32(0x6080 + width, 7);
        pe.put(0x6080 + 2 * width - 1, &[0x80]);
        pe.put(0x6100, b"a.dll\0");
        pe.put(0x6110, b"b\x1b.dll\0");
        pe.put(0x6120, b"\x01\x02Leave\0");
        pe
    }

    fn import(bytes: &[u8], rva: u64) -> Option<Import> {
        let (space, image) = (PeBuilder::space(bytes), PeBuilder::image(bytes));
        let imports = Imports::read(&space, &image).unwrap();
        assert!(imports.is_complete());
        imports.import_at(&space, &image, PeBuilder::BASE + rva)
    }

    #[test]
    fn names_a_slot_by_the_lookup_table() {
        for (pe, width) in [(PeBuilder::x64(), 8), (PeBuilder::x86(), 4)] {
            let bytes = sample(pe, width).bytes();
            let width = width as u64;
            let symbol = |rva| import(&bytes, rva).map(|found| (found.dll, found.symbol));
            let leave = ImportSymbol::Name("Leave".into());
            assert_eq!(symbol(0x7000), Some(("a.dll".into(), leave)));
            assert_eq!(symbol(0x7000 + width), Some(("a.dll".into(), ImportSymbol::Ordinal(7))));
            assert_eq!(symbol(0x7000 + 2 * width), None, "behind the end");
            assert_eq!(symbol(0x7001), None, "inside a slot");
            assert_eq!(symbol(0x6FF8), None);
            assert_eq!(symbol(0x7100), Some(("b?.dll".into(), ImportSymbol::Unknown)));
        }
    }

    #[test]
    fn finds_slots_by_name() {
        let bytes = sample(PeBuilder::x64(), 8).bytes();
        let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
        let imports = Imports::read(&space, &image).unwrap();
        assert_eq!(imports.slots_named(&space, &image, "Leave"), [PeBuilder::BASE + 0x7000]);
        assert!(imports.slots_named(&space, &image, "Enter").is_empty());
    }

    #[test]
    fn a_lookup_table_outside_the_dump_leaves_the_dll() {
        let mut pe = sample(PeBuilder::x64(), 8);
        pe.put_u32(0x6014, 0xF000);
        let bytes = pe.bytes();
        let (space, image) = (PeBuilder::space(&bytes[..0x8000]), PeBuilder::image(&bytes));
        let imports = Imports::read(&space, &image).unwrap();
        let found = imports.import_at(&space, &image, PeBuilder::BASE + 0x7000).unwrap();
        assert_eq!(found, Import { dll: "a.dll".into(), symbol: ImportSymbol::Unknown });
    }
}
