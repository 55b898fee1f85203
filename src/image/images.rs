//! All images of a process, each parsed once and only when something asks for it.

use super::export_cache::ExportCache;
use super::exports::{Exports, NearestExport};
use super::guard::{self, Guard};
use super::imports::{Import, Imports};
use super::pe::{Image, Machine};
use super::runtime_functions::function_start;
use super::{ImageError, IpKind};
use crate::dump::memory::AddressSpace;
use std::sync::{Arc, OnceLock};

/// A module of the process with its image.
#[derive(Debug)]
pub struct ModuleImage<'s, 'a> {
    /// Address the module is loaded at.
    pub base: u64,
    /// Its size in bytes as the module list gives it.
    pub size: u64,
    space: &'s AddressSpace<'a>,
    image: OnceLock<Result<Image, ImageError>>,
    cache: Option<&'s ExportCache>,
    exports: OnceLock<Result<Arc<Exports>, ImageError>>,
    imports: OnceLock<Result<Imports, ImageError>>,
}

/// The function that an address belongs to, as far as the image tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Base address of the module.
    pub module_base: u64,
    /// Address where the function begins; known from unwind data (x64, ARM64), or because an export begins
    /// exactly there.
    pub start: Option<u64>,
    /// Name of the export that begins at `start`: a proof.
    pub exported: Option<String>,
    /// The export nearest below the address: a label, no proof (critical-sections.md 0.1).
    pub nearest: Option<NearestExport>,
}

impl ModuleImage<'_, '_> {
    /// The headers.
    ///
    /// # Errors
    /// As [`Image::parse`].
    pub fn image(&self) -> Result<&Image, ImageError> {
        let parsed = self.image.get_or_init(|| Image::parse(self.space, self.base, self.size));
        parsed.as_ref().map_err(Clone::clone)
    }

    /// The exports.
    ///
    /// # Errors
    /// As [`Image::parse`] and [`Exports::read`].
    pub fn exports(&self) -> Result<&Exports, ImageError> {
        let read = self.exports.get_or_init(|| match self.cache {
            Some(cache) => cache.read(self.space, self.image()?),
            None => Exports::read(self.space, self.image()?).map(Arc::new),
        });
        read.as_ref().map(AsRef::as_ref).map_err(Clone::clone)
    }

    /// The imports.
    ///
    /// # Errors
    /// As [`Image::parse`] and [`Imports::read`].
    pub fn imports(&self) -> Result<&Imports, ImageError> {
        let read = self.imports.get_or_init(|| Imports::read(self.space, self.image()?));
        read.as_ref().map_err(Clone::clone)
    }

    /// Whether `address` lies in the module.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        address.checked_sub(self.base).is_some_and(|offset| offset < self.size)
    }

    /// Whether `address` can be code of this module; a module whose headers are not in the dump is
    /// given the benefit of the doubt.
    #[must_use]
    pub fn may_be_code(&self, address: u64) -> bool {
        match self.image() {
            Ok(image) => image.rva(address).is_some_and(|rva| image.may_be_code(rva)),
            Err(_) => self.contains(address),
        }
    }

    /// Name of the export that begins exactly at `address`.
    #[must_use]
    pub fn export_at(&self, address: u64) -> Option<String> {
        let image = self.image().ok()?;
        self.exports().ok()?.name_at(self.space, image, image.rva(address)?)
    }

    /// Where the export at or nearest below `address` begins.
    #[must_use]
    pub fn export_start_below(&self, address: u64) -> Option<u64> {
        let image = self.image().ok()?;
        image.address(self.exports().ok()?.start_below(image.rva(address)?)?)
    }

    /// What the pointer at `address` is of those of Control Flow Guard.
    #[must_use]
    pub fn guard_at(&self, address: u64) -> Option<Guard> {
        guard::guard_at(self.space, self.image().ok()?, address)
    }

    /// What the import slot at `address` stands for.
    #[must_use]
    pub fn import_at(&self, address: u64) -> Option<Import> {
        self.imports().ok()?.import_at(self.space, self.image().ok()?, address)
    }

    /// The function that `address` belongs to; use [`IpKind::lookup_address`] for a return address.
    #[must_use]
    pub fn function_at(&self, address: u64) -> Option<Function> {
        let image = self.image().ok()?;
        let rva = image.rva(address)?;
        let exports = self.exports().ok();
        let name_at = |rva| exports?.name_at(self.space, image, rva);
        let primary = match image.machine {
            Machine::Amd64 | Machine::Arm64 => {
                function_start(self.space, image, rva).ok().flatten()
            }
            _ => None,
        };
        let start = primary.or_else(|| name_at(rva).map(|_| rva));
        Some(Function {
            module_base: self.base,
            start: start.and_then(|rva| image.address(rva)),
            exported: start.and_then(name_at),
            nearest: exports.and_then(|exports| exports.nearest_below(self.space, image, rva)),
        })
    }
}

/// The images of a process by address.
#[derive(Debug)]
pub struct Images<'s, 'a> {
    space: &'s AddressSpace<'a>,
    modules: Vec<ModuleImage<'s, 'a>>,
}

impl<'s, 'a> Images<'s, 'a> {
    /// Takes (base address, size in bytes) of each module. Nothing is read yet. Of two modules with one
    /// base the first counts.
    #[must_use]
    pub fn new(space: &'s AddressSpace<'a>, modules: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self::cached(space, modules, None)
    }

    /// The same, with export tables that other dumps may have had too.
    #[must_use]
    pub fn cached(
        space: &'s AddressSpace<'a>,
        modules: impl IntoIterator<Item = (u64, u64)>,
        cache: Option<&'s ExportCache>,
    ) -> Self {
        let mut modules: Vec<_> = modules
            .into_iter()
            .map(|(base, size)| ModuleImage {
                base,
                size,
                space,
                image: OnceLock::new(),
                cache,
                exports: OnceLock::new(),
                imports: OnceLock::new(),
            })
            .collect();
        modules.sort_by_key(|module| module.base);
        modules.dedup_by_key(|module| module.base);
        Self { space, modules }
    }

    /// The memory the images are read from.
    #[must_use]
    pub fn space(&self) -> &'s AddressSpace<'a> {
        self.space
    }

    /// The modules in ascending order of address.
    #[must_use]
    pub fn modules(&self) -> &[ModuleImage<'s, 'a>] {
        &self.modules
    }

    /// The module that holds `address`.
    #[must_use]
    pub fn module_at(&self, address: u64) -> Option<&ModuleImage<'s, 'a>> {
        let after = self.modules.partition_point(|module| module.base <= address);
        let module = self.modules.get(after.checked_sub(1)?)?;
        module.contains(address).then_some(module)
    }

    /// The headers of the image that holds `address`; `None` also when they cannot be read.
    #[must_use]
    pub fn image_at(&self, address: u64) -> Option<&Image> {
        self.module_at(address)?.image().ok()
    }

    /// Whether `address` can be code of a module.
    #[must_use]
    pub fn may_be_code(&self, address: u64) -> bool {
        self.module_at(address).is_some_and(|module| module.may_be_code(address))
    }

    /// The function of a frame with this instruction pointer.
    #[must_use]
    pub fn function_of_frame(&self, ip: u64, kind: IpKind) -> Option<Function> {
        let address = kind.lookup_address(ip);
        self.module_at(address)?.function_at(address)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use crate::dump::memory::PointerWidth;
    use crate::image::call_target::{call_site, callee, resolve};
    use crate::image::fixtures::PeBuilder;
    use crate::image::registers::RegisterFile;
    use crate::image::unwind_x64::step;
    use proptest::prelude::*;

    proptest! {
        /// An image with damaged headers and tables, or cut off, answers something and never panics.
        #[test]
        fn damage_is_survived(
            damage in prop::collection::vec((damaged_offset(), damaged_value()), 1..12),
            len in 0x80_usize..0x10000,
        ) {
            let mut pe = PeBuilder::x64();
            pe.exports(&[(0x1200, "NtX"), (0x1300, "Real")]);
            pe.imports("a.dll", "Leave");
            pe.pdata(&[(0x1000, 0x1100, 0x5000), (0x1200, 0x1300, 0x5010), (0x1300, 0x1400, 0x5000)]);
            pe.put(0x5000, &[1, 4, 1, 0, 4, 0x02]);
            pe.put(0x5010, &[0x21, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x11, 0, 0, 0, 0x50]);
            for (offset, value) in damage {
                pe.put_u32(offset, value);
            }
            let bytes = pe.bytes();
            let space = PeBuilder::space(&bytes[..len]);
            let images = Images::new(&space, [(PeBuilder::BASE, PeBuilder::SIZE)]);
            let module = images.module_at(PeBuilder::BASE).unwrap();
            for rva in [0, 0x1000, 0x1080, 0x1200, 0x1280, 0x13FF, 0x7000, 0x7008] {
                let address = PeBuilder::BASE + rva;
                let _ = module.function_at(address);
                let _ = module.import_at(address);
                let _ = resolve(&images, address, PointerWidth::Eight);
                let site = call_site(&images, address, PointerWidth::Eight);
                site.and_then(|site| callee(&images, &site, PointerWidth::Eight));
                if let Some(image) = images.image_at(address) {
                    let registers = RegisterFile::new(PointerWidth::Eight, address, address);
                    let _ = step(&space, image, &registers, IpKind::Exact);
                }
            }
            if let (Ok(image), Ok(exports), Ok(imports)) =
                (module.image(), module.exports(), module.imports())
            {
                let _ = exports.find(&space, image, "Real");
                let _ = imports.slots_named(&space, image, "Leave");
            }
        }
    }

    fn damaged_offset() -> impl Strategy<Value = usize> {
        prop_oneof![
            0x3C_usize..0x200,
            0x4000_usize..0x4030,
            0x5000_usize..0x5040,
            0x5800_usize..0x5900,
            0x6000_usize..0x6140,
        ]
    }

    fn damaged_value() -> impl Strategy<Value = u32> {
        prop_oneof![any::<u32>(), 0_u32..0x40, 0x4000_u32..0x7000, Just(0xFFFF), Just(0x1_0000)]
    }

    #[test]
    fn finds_modules_and_remembers_what_it_could_not_read() {
        let bytes = PeBuilder::x64().bytes();
        let space = PeBuilder::space(&bytes);
        let images = Images::new(&space, [(0x9000, 0x1000), (PeBuilder::BASE, 0x8000)]);
        assert_eq!(images.modules().len(), 2);
        assert!(images.module_at(0x8FFF).is_none() && images.module_at(0xA000).is_none());
        assert!(images.image_at(0x9000).is_none());
        assert!(images.may_be_code(0x9000), "nothing is known against it");
        let image = images.image_at(PeBuilder::BASE + 0x7FFF).unwrap();
        assert_eq!(image.size, 0x8000);
        assert!(!images.may_be_code(PeBuilder::BASE + 0x3000));
        let error = images.module_at(0x9000).unwrap().exports().unwrap_err();
        assert!(matches!(error, ImageError::Missing { address: 0x9000, .. }));
    }

    #[test]
    fn threads_may_share_the_cache() {
        fn is_sync<T: Sync>(_: &T) {}
        let space = AddressSpace::default();
        is_sync(&Images::new(&space, []));
    }
}
