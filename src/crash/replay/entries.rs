//! Where the program's libraries can have been entered: their entry points, and the exports that the program has names or addresses of.

use super::run::Run;
use super::value::Value;
use crate::crash::stack::Scene;
use crate::dump::modules::Module;
use crate::image::images::ModuleImage;
use crate::image::pe::{Image, Section};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Most bytes of the program's data that are searched for exports.
const MAX_DATA: u64 = 8 << 20;
/// IMAGE_SCN_MEM_DISCARDABLE (PE Format, "Section Flags").
const DISCARDABLE: u32 = 0x0200_0000;
/// Longest name of an export that is searched for, in bytes.
const MAX_NAME: usize = 256;

/// The program's libraries are entered by the system where they begin, and at exports by whoever has looked one up.
///
/// - situation: a library has an export that initialises its section, and its user never calls that.
/// - example: `codec_startup` in plugin.dll; the program looks up `codec_open` alone.
/// - handling: an export can have been entered when its name stands in another module of the program, as imports and constants for
///   `GetProcAddress` do, or its address does. Nothing is left out where another module names none of the library's exports: then it is not by
///   such names that they are found; nor where the process is a program of Windows, which looks for names of its own.
/// - test: `an_export_that_nobody_names_has_not_run` (tests/accuracy).
pub(super) fn hand_out(run: &mut Run<'_, '_>) {
    let scene = run.scene;
    let named = Named::of(scene);
    for listed in scene.dump.modules.iter().filter(|one| one.is_of_program()) {
        let is_program = listed.file_name().to_ascii_lowercase().ends_with(".exe");
        let Some(module) = scene.images.module_at(listed.base) else { continue };
        let Ok(image) = module.image() else { continue };
        // The program's own entry point is where its first thread began.
        let entry = Some(image.entry_point).filter(|_| !is_program || !run.has_begun(image));
        let entry = entry.and_then(|rva| image.address(rva));
        for start in named.exports(scene, module, image).into_iter().chain(entry) {
            run.hand_out(Value::Constant(start));
        }
    }
}

/// What the data of the program's modules names.
struct Named {
    /// Of each name and each address of an export, the modules that hold it, by their bases. `None` where there is too much data, or
    /// others than the program's modules look exports up.
    found: Option<BTreeMap<Sought, BTreeSet<u64>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Sought {
    Name(Vec<u8>),
    Address(u64),
}

impl Named {
    fn of(scene: Scene<'_, '_>) -> Self {
        let programs = || scene.dump.modules.iter().filter(|one| one.is_of_program());
        let is_windows_own = !scene.dump.modules.first().is_some_and(Module::is_of_program);
        let mut sought = HashSet::new();
        for listed in programs() {
            let Some(module) = scene.images.module_at(listed.base) else { continue };
            let Ok(image) = module.image() else { continue };
            for (address, names) in exports(scene, module, image) {
                sought.insert(Sought::Address(address));
                sought.extend(names.into_iter().map(|name| Sought::Name(name.into_bytes())));
            }
        }
        let mut found = BTreeMap::new();
        let mut rest = MAX_DATA;
        let is_all = programs().all(|listed| {
            let module = scene.images.module_at(listed.base);
            module.is_some_and(|module| search(scene, module, &sought, &mut found, &mut rest))
        });
        Self { found: (is_all && !is_windows_own).then_some(found) }
    }

    /// The addresses of a module's exports that can have been entered.
    fn exports(
        &self,
        scene: Scene<'_, '_>,
        module: &ModuleImage<'_, '_>,
        image: &Image,
    ) -> Vec<u64> {
        let all: Vec<_> = exports(scene, module, image).collect();
        let is_held = |sought: Sought| {
            let holders = self.found.as_ref().and_then(|found| found.get(&sought));
            holders.is_some_and(|bases| bases.iter().any(|base| *base != image.base))
        };
        let is_named = |(address, names): &(u64, Vec<String>)| {
            // Windows looks these up by itself: DllGetClassObject and its like.
            let is_sought = |name: &String| {
                name.starts_with("Dll") || is_held(Sought::Name(name.clone().into_bytes()))
            };
            names.iter().any(is_sought) || is_held(Sought::Address(*address))
        };
        let named: Vec<u64> =
            all.iter().filter(|one| is_named(one)).map(|(address, _)| *address).collect();
        match named.is_empty() || self.found.is_none() {
            true => all.into_iter().map(|(address, _)| address).collect(),
            false => named,
        }
    }
}

/// The exports of a module that are no forwarders: their addresses and all their names.
fn exports<'i>(
    scene: Scene<'i, '_>,
    module: &'i ModuleImage<'_, '_>,
    image: &'i Image,
) -> impl Iterator<Item = (u64, Vec<String>)> + 'i {
    let all = module.exports().into_iter().flat_map(|exports| exports.rvas());
    all.filter_map(move |rva| {
        let address = image.address(rva)?;
        let names = module.exports().ok()?.names_at(&scene.dump.memory, image, rva);
        Some((address, names))
    })
}

/// Notes which of the sought names and addresses a module's data holds. False where there is too much of it, or the dump lacks some.
fn search(
    scene: Scene<'_, '_>,
    module: &ModuleImage<'_, '_>,
    sought: &HashSet<Sought>,
    found: &mut BTreeMap<Sought, BTreeSet<u64>>,
    rest: &mut u64,
) -> bool {
    let Ok(image) = module.image() else { return false };
    let is_held = |part: &Section| {
        let first = image.address(part.virtual_address);
        first.is_some_and(|first| scene.dump.memory.u8(first).is_some())
    };
    // Code that the dump does not hold is left out of the replay as well.
    if !image.sections.iter().any(is_held) {
        return true;
    }
    let word = usize::try_from(image.width.bytes()).unwrap_or(8);
    for part in image.sections.iter().filter(|part| !part.is_executable()) {
        let size = u64::from(part.virtual_size);
        let Some(left) = rest.checked_sub(size) else { return false };
        *rest = left;
        let Some(start) = image.address(part.virtual_address) else { return false };
        let bytes = scene.dump.memory.read_up_to(start, usize::try_from(size).unwrap_or(0));
        // Relocations and the like are given back once an image is loaded.
        let is_whole = u64::try_from(bytes.len()) == Ok(size);
        if !is_whole && part.characteristics & DISCARDABLE == 0 {
            return false;
        }
        let words = bytes.chunks_exact(word).map(|bytes| {
            let mut whole = [0; 8];
            whole.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            Sought::Address(u64::from_le_bytes(whole))
        });
        let texts = bytes.split(|byte| *byte == 0).filter(|text| text.len() <= MAX_NAME);
        // What stands before a name, the hint of an import, can be no zero.
        let names = texts.flat_map(|text| {
            let ends = (0..text.len().min(3)).filter_map(|skipped| text.get(skipped..));
            ends.map(|end| Sought::Name(end.to_vec()))
        });
        for one in words.chain(names).filter(|one| sought.contains(one)) {
            found.entry(one).or_default().insert(image.base);
        }
    }
    true
}
