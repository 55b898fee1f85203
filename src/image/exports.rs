//! The export table: which function begins at an RVA, and where a named function begins.
//!
//! `IMAGE_EXPORT_DIRECTORY`: PE Format, "The .edata section". Only RVAs are kept; a name is read when it is
//! asked for, so that a table whose names all overlap costs no more than its size in the dump.

use std::cmp::Ordering::{self, Equal, Greater, Less};

use super::ImageError;
use super::pe::{Directory, DirectoryKind, Image};
use crate::dump::memory::AddressSpace;

/// Most functions and most names a table may have: name ordinals are 16-bit indices.
const MAX_EXPORTS: u32 = 65_536;
/// Most names of one RVA that are looked at.
const MAX_NAMES_AT_ONE_RVA: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    rva: u32,
    /// 0 for a function that has only an ordinal.
    name_rva: u32,
    ordinal: u32,
}

/// What an export name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportTarget {
    /// Code or data of this image, by RVA.
    Rva(u32),
    /// Another image's export, as `NTDLL.RtlLeaveCriticalSection`.
    Forwarder(String),
}

/// The export at or below an address. A label for people: code in between may belong to a function that
/// is not exported (critical-sections.md 0.1), so it must not decide anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearestExport {
    /// The export's name.
    pub name: String,
    /// Its RVA.
    pub rva: u32,
    /// Bytes from there to the address.
    pub distance: u32,
}

/// The exports of one image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exports {
    /// Sorted.
    entries: Vec<Entry>,
    /// Sorted.
    forwarders: Vec<Entry>,
    /// The functions that have a name, in the order of the name table: by name (PE Format, "Export Name
    /// Pointer Table"), unless the table lies.
    by_name: Vec<Entry>,
    complete: bool,
}

impl Exports {
    /// Reads the export table.
    ///
    /// # Errors
    /// When the image has none, or the directory or the function addresses are not in the dump.
    pub fn read(space: &AddressSpace<'_>, image: &Image) -> Result<Self, ImageError> {
        Ok(Self::of(&Tables::read(space, image)?))
    }

    /// Sorts what the tables hold.
    pub(super) fn of(tables: &Tables) -> Self {
        let mut exports = Self { complete: tables.complete, ..Self::default() };
        exports.fill(
            tables.directory,
            tables.ordinal_base,
            &tables.functions,
            &tables.name_rvas,
            &tables.indices,
        );
        exports
    }
}

/// The export table as it stands in an image, not yet sorted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Tables {
    directory: Directory,
    ordinal_base: u32,
    functions: Vec<u32>,
    name_rvas: Vec<u32>,
    indices: Vec<u16>,
    complete: bool,
}

impl Tables {
    pub(super) fn read(space: &AddressSpace<'_>, image: &Image) -> Result<Self, ImageError> {
        let directory = image.directory(DirectoryKind::Export)?;
        let field =
            |offset: u32, what| image.u32_at(space, directory.rva.saturating_add(offset), what);
        let ordinal_base = field(16, "IMAGE_EXPORT_DIRECTORY.Base")?;
        let functions = count(image, directory, 20, field(20, FUNCTION_COUNT)?, FUNCTION_COUNT)?;
        let names = count(image, directory, 24, field(24, NAME_COUNT)?, NAME_COUNT)?;
        let function_rva = field(28, "IMAGE_EXPORT_DIRECTORY.AddressOfFunctions")?;
        let name_rva = field(32, "IMAGE_EXPORT_DIRECTORY.AddressOfNames")?;
        let ordinal_rva = field(36, "IMAGE_EXPORT_DIRECTORY.AddressOfNameOrdinals")?;

        let what = "export address table";
        let bytes = image.bytes_at(space, function_rva, functions.saturating_mul(4), what)?;
        let functions_found = words(&bytes);
        let name_table =
            |rva, len| image.bytes_at(space, rva, len, "export name table").unwrap_or_default();
        let name_rvas = words(&name_table(name_rva, names.saturating_mul(4)));
        let indices = halves(&name_table(ordinal_rva, names.saturating_mul(2)));
        let complete = functions_found.len() == functions
            && name_rvas.len() == names
            && indices.len() == names;
        let functions = functions_found;
        Ok(Self { directory, ordinal_base, functions, name_rvas, indices, complete })
    }

    /// Number of functions and names.
    pub(super) fn len(&self) -> usize {
        self.functions.len().saturating_add(self.name_rvas.len())
    }
}

impl Exports {
    fn fill(
        &mut self,
        directory: Directory,
        ordinal_base: u32,
        functions: &[u32],
        name_rvas: &[u32],
        indices: &[u16],
    ) {
        let is_forwarder =
            |rva: u32| rva.checked_sub(directory.rva).is_some_and(|offset| offset < directory.size);
        let mut named = vec![false; functions.len()];
        let mut add = |index: usize, name_rva: u32| {
            let rva = functions.get(index).copied().filter(|rva| *rva != 0)?;
            let ordinal = ordinal_base.saturating_add(u32::try_from(index).unwrap_or(u32::MAX));
            let entry = Entry { rva, name_rva, ordinal };
            let list = if is_forwarder(rva) { &mut self.forwarders } else { &mut self.entries };
            list.push(entry);
            Some(entry)
        };
        for (name_rva, index) in name_rvas.iter().zip(indices) {
            let index = usize::from(*index);
            self.by_name.extend(add(index, *name_rva));
            if let Some(named) = named.get_mut(index) {
                *named = true;
            }
        }
        for (index, _) in named.iter().enumerate().filter(|(_, named)| !**named) {
            add(index, 0);
        }
        self.entries.sort_unstable();
        self.forwarders.sort_unstable();
    }

    /// Where the exports begin, as offsets from the image's base.
    pub fn rvas(&self) -> impl Iterator<Item = u32> + '_ {
        self.entries.iter().map(|entry| entry.rva)
    }

    /// Number of exports that are no forwarders, aliases counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the whole table was in the dump. When not, an RVA without a name may still be exported.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The name of the export that begins exactly at `rva`: the first of [`Exports::names_at`].
    #[must_use]
    pub fn name_at(&self, space: &AddressSpace<'_>, image: &Image, rva: u32) -> Option<String> {
        self.names_at(space, image, rva).into_iter().next()
    }

    /// All names of the export that begins exactly at `rva`, at most 16. Order: `Nt…` first, then the
    /// others, `Zw…` behind them, each group by name; `#ordinal` for a function without a name.
    #[must_use]
    pub fn names_at(&self, space: &AddressSpace<'_>, image: &Image, rva: u32) -> Vec<String> {
        let first = self.entries.partition_point(|entry| entry.rva < rva);
        let same = self.entries.iter().skip(first).take_while(|entry| entry.rva == rva);
        let mut names: Vec<String> =
            same.take(MAX_NAMES_AT_ONE_RVA).map(|entry| entry_name(space, image, entry)).collect();
        names.sort_by_cached_key(|name| (name_rank(name), name.clone()));
        names
    }

    /// The export that begins at `rva` or nearest below it.
    #[must_use]
    pub fn nearest_below(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
        rva: u32,
    ) -> Option<NearestExport> {
        let found = self.start_below(rva)?;
        let name = self.name_at(space, image, found)?;
        Some(NearestExport { name, rva: found, distance: rva.checked_sub(found)? })
    }

    /// Where the export that begins at `rva`, or nearest below it, begins.
    #[must_use]
    pub fn start_below(&self, rva: u32) -> Option<u32> {
        let after = self.entries.partition_point(|entry| entry.rva <= rva);
        Some(self.entries.get(after.checked_sub(1)?)?.rva)
    }

    /// What the export `name` stands for, found as the loader finds it: by halving the name table. One by one only
    /// where the dump does not hold every name that needs.
    #[must_use]
    pub fn find(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
        name: &str,
    ) -> Option<ExportTarget> {
        let is_it = |entry: &&Entry| compare(space, image, entry.name_rva, name) == Some(Equal);
        let entry = match self.halve(space, image, name) {
            Some(found) => found?,
            None => self.by_name.iter().find(is_it)?,
        };
        if self.forwarders.binary_search(entry).is_err() {
            return Some(ExportTarget::Rva(entry.rva));
        }
        image.name_at(space, entry.rva).map(ExportTarget::Forwarder)
    }

    /// The entry of that name, when there is one; `None` when a name on the way is not in the dump.
    fn halve(&self, space: &AddressSpace<'_>, image: &Image, name: &str) -> Option<Option<&Entry>> {
        let mut rest = self.by_name.as_slice();
        while let Some((below, [entry, above @ ..])) = rest.split_at_checked(rest.len() / 2) {
            rest = match compare(space, image, entry.name_rva, name)? {
                Equal => return Some(Some(entry)),
                Less => above,
                Greater => below,
            };
        }
        Some(None)
    }
}

const FUNCTION_COUNT: &str = "IMAGE_EXPORT_DIRECTORY.NumberOfFunctions";
const NAME_COUNT: &str = "IMAGE_EXPORT_DIRECTORY.NumberOfNames";

fn count(
    image: &Image,
    directory: Directory,
    offset: u32,
    found: u32,
    what: &'static str,
) -> Result<usize, ImageError> {
    if found <= MAX_EXPORTS {
        return Ok(found as usize);
    }
    let address = image.base.saturating_add(u64::from(directory.rva.saturating_add(offset)));
    Err(ImageError::Invalid { what, address, expected: "at most 65536", found: u64::from(found) })
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn halves(bytes: &[u8]) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|half| u16::from_le_bytes(*half)).collect()
}

/// How the zero-terminated name at `rva` compares with `name`; reads no more than `name`'s length, and is `None`
/// when the dump ends before that decides.
fn compare(space: &AddressSpace<'_>, image: &Image, rva: u32, name: &str) -> Option<Ordering> {
    let wanted = name.len().saturating_add(1);
    let bytes = image.bytes_at(space, rva, wanted, "export name").ok()?;
    let end = bytes.iter().position(|byte| *byte == 0);
    if end.is_none() && bytes.len() < wanted {
        return None;
    }
    bytes.get(..end.unwrap_or(wanted)).map(|found| found.cmp(name.as_bytes()))
}

fn entry_name(space: &AddressSpace<'_>, image: &Image, entry: &Entry) -> String {
    let name = if entry.name_rva == 0 { None } else { image.name_at(space, entry.name_rva) };
    name.unwrap_or_else(|| format!("#{}", entry.ordinal))
}

/// Situation: ntdll exports each system service under two names at one address.
/// Example: NtSetEvent and ZwSetEvent.
/// Handling: the documented `Nt` name wins, a bare ordinal comes last.
/// Test: `prefers_nt_to_zw_and_names_to_ordinals`.
fn name_rank(name: &str) -> u8 {
    match name.as_bytes() {
        [b'N', b't', ..] => 0,
        [b'Z', b'w', ..] => 2,
        [b'#', ..] => 3,
        _ => 1,
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::image::fixtures::PeBuilder;

    /// Functions: 0 -> 0x1000 (NtX, ZwX), 1 -> 0x1010 (ordinal 6 only), 2 -> forwarder (Leave), 3 unused.
    fn sample() -> PeBuilder {
        let mut pe = PeBuilder::x64();
        pe.directory(DirectoryKind::Export, 0x6000, 0x200);
        let fields = [(16, 5), (20, 4), (24, 3), (28, 0x6040), (32, 0x6060), (36, 0x6080)];
        for (offset, value) in fields {
            pe.put_u32(0x6000 + offset, value);
        }
        for (index, value) in [0x1000, 0x1010, 0x6120, 0].into_iter().enumerate() {
            pe.put_u32(0x6040 + index * 4, value);
        }
        for (index, value) in [0x6130, 0x6100, 0x6110].into_iter().enumerate() {
            pe.put_u32(0x6060 + index * 4, value);
        }
        pe.put(0x6080, &[2, 0, 0, 0, 0, 0]);
        pe.put(0x6100, b"ZwX\0");
        pe.put(0x6110, b"NtX\0");
        pe.put(0x6120, b"NTDLL.RtlY\0");
        pe.put(0x6130, b"Leave\0");
        pe
    }

    #[test]
    fn prefers_nt_to_zw_and_names_to_ordinals() {
        let bytes = sample().bytes();
        let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
        let exports = Exports::read(&space, &image).unwrap();
        assert!(exports.is_complete());
        assert_eq!(exports.names_at(&space, &image, 0x1000), ["NtX", "ZwX"]);
        assert_eq!(exports.name_at(&space, &image, 0x1010).as_deref(), Some("#6"));
        assert_eq!(exports.name_at(&space, &image, 0x1001), None);
        let near = exports.nearest_below(&space, &image, 0x100F).unwrap();
        assert_eq!((near.name.as_str(), near.rva, near.distance), ("NtX", 0x1000, 15));
        assert_eq!(exports.nearest_below(&space, &image, 0xFFF), None);
    }

    #[test]
    fn forwarders_stand_apart() {
        let bytes = sample().bytes();
        let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
        let exports = Exports::read(&space, &image).unwrap();
        let find = |name| exports.find(&space, &image, name);
        assert_eq!(find("ZwX"), Some(ExportTarget::Rva(0x1000)));
        assert_eq!(find("Leave"), Some(ExportTarget::Forwarder("NTDLL.RtlY".into())));
        assert_eq!(find("Lea"), None);
        assert_eq!(find("Leaves"), None);
        assert_eq!(exports.name_at(&space, &image, 0x6120), None);
    }

    #[test]
    fn a_name_is_found_past_one_that_is_not_in_the_dump() {
        let mut pe = sample();
        // The middle name, the first that halving looks at.
        pe.put_u32(0x6064, 0x00F0_0000);
        let bytes = pe.bytes();
        let (space, image) = (PeBuilder::space(&bytes), PeBuilder::image(&bytes));
        let exports = Exports::read(&space, &image).unwrap();
        assert_eq!(exports.find(&space, &image, "NtX"), Some(ExportTarget::Rva(0x1000)));
        assert_eq!(exports.find(&space, &image, "ZwX"), None);
    }

    #[test]
    fn a_table_cut_off_by_the_dump_keeps_what_is_there() {
        let bytes = sample().bytes();
        let image = PeBuilder::image(&bytes);
        let space = PeBuilder::space(&bytes[..0x6068]);
        let exports = Exports::read(&space, &image).unwrap();
        assert!(!exports.is_complete());
        assert_eq!(exports.name_at(&space, &image, 0x1000).as_deref(), Some("#5"));
    }

    #[test]
    fn an_absurd_count_is_refused() {
        let mut pe = sample();
        pe.put_u32(0x6018, 0x1_0001);
        let bytes = pe.bytes();
        let error =
            Exports::read(&PeBuilder::space(&bytes), &PeBuilder::image(&bytes)).unwrap_err();
        assert!(matches!(error, ImageError::Invalid { found: 0x1_0001, .. }));
    }
}
