//! Little-endian fields out of a byte slice, and one stream of the dump as such a slice.
//!
//! Every read is checked: what does not lie inside the slice is `None`.

/// The `N` bytes at `offset`.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset.checked_add(N)?)?.try_into().ok()
}

/// The 16-bit value at `offset` (bytes).
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    array_at(bytes, offset).map(u16::from_le_bytes)
}

/// The 32-bit value at `offset` (bytes).
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    array_at(bytes, offset).map(u32::from_le_bytes)
}

/// The 64-bit value at `offset` (bytes).
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    array_at(bytes, offset).map(u64::from_le_bytes)
}

/// `size` bytes of the file at `rva`, when all of them are there.
pub(crate) fn located(file: &[u8], rva: u64, size: u64) -> Option<&[u8]> {
    let start = usize::try_from(rva).ok()?;
    let end = usize::try_from(rva.checked_add(size)?).ok()?;
    file.get(start..end)
}

/// Up to `size` bytes of the file at `rva`: what a cut-off file still holds of them.
pub(crate) fn clipped(file: &[u8], rva: u64, size: u64) -> &[u8] {
    let length = file.len() as u64;
    let end = rva.saturating_add(size).min(length);
    located(file, rva.min(end), end.saturating_sub(rva)).unwrap_or_default()
}

/// One stream of the dump.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'a> {
    /// Its name in messages, as minidumpapiset.h spells it without the word "Stream".
    pub name: &'static str,
    /// Offset of its first byte in the file.
    pub rva: u64,
    /// Its size in bytes as the directory says; `bytes` is shorter where the file is cut off.
    pub declared_size: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// How a stream lays out its entries: `header` bytes, then entries of `entry` bytes each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) header: u64,
    pub(crate) entry: u64,
    /// Number of entries as the stream says.
    pub(crate) count: u64,
}

impl<'a> Stream<'a> {
    /// The 32-bit value at `offset` bytes from the stream's start.
    pub(crate) fn u32(&self, offset: usize) -> Option<u32> {
        u32_at(self.bytes, offset)
    }

    /// The 64-bit value at `offset` bytes from the stream's start.
    pub(crate) fn u64(&self, offset: usize) -> Option<u64> {
        u64_at(self.bytes, offset)
    }

    /// Number of entries that the stream holds in full, at most `cap`.
    pub(crate) fn held(&self, layout: Layout, cap: u64) -> u64 {
        let room = (self.bytes.len() as u64).saturating_sub(layout.header);
        layout.count.min(room.checked_div(layout.entry).unwrap_or(0)).min(cap)
    }

    /// The first `count` entries, each with its file offset.
    pub(crate) fn entries(
        self,
        layout: Layout,
        count: u64,
    ) -> impl Iterator<Item = (u64, &'a [u8])> {
        (0..count).map_while(move |index| {
            let offset = layout.header.checked_add(index.checked_mul(layout.entry)?)?;
            let entry = located(self.bytes, offset, layout.entry)?;
            Some((self.rva.saturating_add(offset), entry))
        })
    }

    /// Layout of the lists that start with a 32-bit count: threads, modules, memory.
    ///
    /// Situation: some writers align the first entry to 8 bytes.
    /// Example: a list of 2 threads (48 bytes each) whose stream has 104 bytes instead of 100.
    /// Handling: a stream of exactly 8 bytes plus its entries has 4 bytes of padding after the count.
    /// Test: `a_padded_list_is_read`.
    pub(crate) fn counted_list(&self, entry: u64) -> Option<Layout> {
        let count = u64::from(self.u32(0)?);
        let padded = count.checked_mul(entry).and_then(|size| size.checked_add(8));
        let header = if padded == Some(self.declared_size) { 8 } else { 4 };
        Some(Layout { header, entry, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_list_is_read() {
        let bytes = [2u8, 0, 0, 0, 9, 9, 9, 9, 1, 0, 0, 0, 2, 0, 0, 0];
        let stream = Stream { name: "test", rva: 100, declared_size: 16, bytes: &bytes };
        let layout = stream.counted_list(4).unwrap();
        let entries: Vec<_> = stream.entries(layout, stream.held(layout, 10)).collect();
        assert_eq!(entries, [(108, &[1u8, 0, 0, 0][..]), (112, &[2, 0, 0, 0][..])]);
    }

    #[test]
    fn absurd_counts_end_with_the_bytes() {
        let bytes = [0xffu8; 12];
        let stream = Stream { name: "test", rva: 0, declared_size: 12, bytes: &bytes };
        let layout = stream.counted_list(8).unwrap();
        assert_eq!(stream.held(layout, 10), 1);
        assert_eq!(stream.held(Layout { entry: 0, ..layout }, 10), 0);
        assert_eq!(clipped(&bytes, 10, u64::MAX), [0xff, 0xff]);
        assert!(clipped(&bytes, 13, 1).is_empty());
        assert_eq!(located(&bytes, u64::MAX, 2), None);
    }
}
