//! `RTL_CRITICAL_SECTION` as it stands in memory: the same fields from NT4 to Windows 11
//! (winnt.h; critical-sections.md 1.1).

use crate::dump::memory::{AddressSpace, PointerWidth};

/// Offsets in bytes of the fields of `RTL_CRITICAL_SECTION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Width of a pointer.
    pub width: PointerWidth,
    /// `LockCount`: 0x04 / 0x08.
    pub lock_count: u64,
    /// `RecursionCount`: 0x08 / 0x0C.
    pub recursion_count: u64,
    /// `OwningThread`: 0x0C / 0x10.
    pub owning_thread: u64,
    /// `LockSemaphore`: 0x10 / 0x18.
    pub lock_semaphore: u64,
    /// `SpinCount`: 0x14 / 0x20.
    pub spin_count: u64,
    /// Size of the structure: 0x18 / 0x28.
    pub size: u64,
}

impl Layout {
    /// The layout for a pointer width (winnt.h).
    #[must_use]
    pub fn of(width: PointerWidth) -> Self {
        match width {
            PointerWidth::Four => Self {
                width,
                lock_count: 0x04,
                recursion_count: 0x08,
                owning_thread: 0x0C,
                lock_semaphore: 0x10,
                spin_count: 0x14,
                size: 0x18,
            },
            PointerWidth::Eight => Self {
                width,
                lock_count: 0x08,
                recursion_count: 0x0C,
                owning_thread: 0x10,
                lock_semaphore: 0x18,
                spin_count: 0x20,
                size: 0x28,
            },
        }
    }

    /// The fields in order, with offset and size in bytes.
    #[must_use]
    pub fn fields(&self) -> [(&'static str, u64, u64); 6] {
        let pointer = self.width.bytes();
        [
            ("DebugInfo", 0, pointer),
            ("LockCount", self.lock_count, 4),
            ("RecursionCount", self.recursion_count, 4),
            ("OwningThread", self.owning_thread, pointer),
            ("LockSemaphore", self.lock_semaphore, pointer),
            ("SpinCount", self.spin_count, pointer),
        ]
    }
}

/// The values of an `RTL_CRITICAL_SECTION`, pointers and handles zero-extended to 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawCriticalSection {
    /// `DebugInfo`: address of the debug record, -1 for none.
    pub debug_info: u64,
    /// `LockCount`.
    pub lock_count: i32,
    /// `RecursionCount`: how often the owner entered.
    pub recursion_count: i32,
    /// `OwningThread`: a thread id.
    pub owning_thread: u64,
    /// `LockSemaphore`: handle of the event that waiters wait for; 0 never contended, -1 no event.
    pub lock_semaphore: u64,
    /// `SpinCount`, flags included.
    pub spin_count: u64,
}

impl RawCriticalSection {
    /// Reads the section at `address`; `None` when any byte of it is missing from the dump.
    #[must_use]
    pub fn read(memory: &AddressSpace<'_>, address: u64, width: PointerWidth) -> Option<Self> {
        let layout = Layout::of(width);
        let at = |offset: u64| address.checked_add(offset);
        Some(Self {
            debug_info: memory.pointer(address, width)?,
            lock_count: memory.u32(at(layout.lock_count)?)?.cast_signed(),
            recursion_count: memory.u32(at(layout.recursion_count)?)?.cast_signed(),
            owning_thread: memory.pointer(at(layout.owning_thread)?, width)?,
            lock_semaphore: memory.pointer(at(layout.lock_semaphore)?, width)?,
            spin_count: memory.pointer(at(layout.spin_count)?, width)?,
        })
    }

    /// Whether every byte is zero: what Delete leaves, and what zeroed storage holds before initialisation.
    #[must_use]
    pub fn is_all_zero(&self) -> bool {
        *self
            == Self {
                debug_info: 0,
                lock_count: 0,
                recursion_count: 0,
                owning_thread: 0,
                lock_semaphore: 0,
                spin_count: 0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::memory::{MemorySource, Region};
    use proptest::prelude::*;

    #[test]
    fn fields_cover_the_structure() {
        for (width, size) in [(PointerWidth::Four, 0x18), (PointerWidth::Eight, 0x28)] {
            let layout = Layout::of(width);
            let mut at = 0;
            for (name, offset, bytes) in layout.fields() {
                assert_eq!(offset, at, "{name}");
                at += bytes;
            }
            assert_eq!((at, layout.size), (size, size));
        }
    }

    proptest! {
        #[test]
        fn reads_what_was_written(values: (u32, i32, i32, u32, u32, u32)) {
            let (debug_info, lock_count, recursion_count, owner, semaphore, spin) = values;
            let mut bytes = Vec::new();
            for word in [debug_info, lock_count.cast_unsigned(), recursion_count.cast_unsigned(), owner, semaphore, spin] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            let region = Region { base: 0x1000, bytes: &bytes, source: MemorySource::MemoryList };
            let raw = RawCriticalSection::read(&AddressSpace::new([region]), 0x1000, PointerWidth::Four);
            prop_assert_eq!(raw, Some(RawCriticalSection {
                debug_info: debug_info.into(), lock_count, recursion_count,
                owning_thread: owner.into(), lock_semaphore: semaphore.into(), spin_count: spin.into(),
            }));
        }
    }
}
