//! Export tables met again: many dumps have the same ntdll.dll.
//!
//! A table is known again by its content, never by a module's name, version or time stamp: those are what a dump says of
//! itself, and one hostile dump must not name the functions of another. x64 and ARM64 unwind records need no cache: they are
//! searched where they stand, and nothing of them is parsed beforehand.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use super::ImageError;
use super::exports::{Exports, Tables};
use super::pe::Image;
use crate::dump::memory::AddressSpace;

/// Most functions and names kept, over all tables; beyond it all are forgotten, so that memory stays flat.
const MAX_KEPT: usize = 1 << 20;

/// Sorted export tables by their content. Any number of threads may share it.
#[derive(Debug, Default)]
pub struct ExportCache {
    hashers: [RandomState; 2],
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    tables: HashMap<[u64; 2], Arc<Exports>>,
    len: usize,
}

impl ExportCache {
    /// The exports of an image, sorted before or now.
    ///
    /// # Errors
    /// As [`Exports::read`].
    pub fn read(
        &self,
        space: &AddressSpace<'_>,
        image: &Image,
    ) -> Result<Arc<Exports>, ImageError> {
        let tables = Tables::read(space, image)?;
        // 128 bits under keys that no dump can know: two tables with one key do not occur.
        let key = self.hashers.each_ref().map(|hasher| hasher.hash_one(&tables));
        if let Some(known) = self.lock().tables.get(&key) {
            return Ok(Arc::clone(known));
        }
        let exports = Arc::new(Exports::of(&tables));
        let mut kept = self.lock();
        kept.len = kept.len.saturating_add(tables.len());
        if kept.len > MAX_KEPT {
            *kept = Kept { len: tables.len(), ..Kept::default() };
        }
        kept.tables.insert(key, Arc::clone(&exports));
        Ok(exports)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::fixtures::PeBuilder;

    fn image_with(exports: &[(u32, &str)]) -> Vec<u8> {
        let mut pe = PeBuilder::x64();
        pe.exports(exports);
        pe.bytes()
    }

    #[test]
    fn the_same_table_is_sorted_once_and_another_is_not_mistaken_for_it() {
        let cache = ExportCache::default();
        let read =
            |bytes: &[u8]| cache.read(&PeBuilder::space(bytes), &PeBuilder::image(bytes)).unwrap();
        let (one, other) = (image_with(&[(0x1200, "Leave")]), image_with(&[(0x1300, "Leave")]));
        assert!(Arc::ptr_eq(&read(&one), &read(&one.clone())));
        assert!(!Arc::ptr_eq(&read(&one), &read(&other)));
        assert_ne!(read(&one), read(&other));
    }
}
