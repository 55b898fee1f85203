//! Which sections the code of a module deletes, or initialises, as far as its calls show.

use super::call_site::{self, Argument};
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::images::ModuleImage;
use std::collections::HashSet;

/// Most bytes of a module's code searched.
const MAX_CODE: usize = 1 << 20;
/// Most references to the functions looked at.
const MAX_USES: usize = 256;

/// Functions that delete a section.
pub const DELETES: &[&str] = &["DeleteCriticalSection", "RtlDeleteCriticalSection"];
/// Functions that initialise one.
pub const INITIALISES: &[&str] = &[
    "InitializeCriticalSection",
    "InitializeCriticalSectionAndSpinCount",
    "InitializeCriticalSectionEx",
    "RtlInitializeCriticalSection",
    "RtlInitializeCriticalSectionAndSpinCount",
    "RtlInitializeCriticalSectionEx",
];

/// The constant addresses that a module's code passes to some imported functions; `None` unless all of the code is in the dump and each
/// reference to the functions is a call with a constant.
///
/// - situation: whether anything deletes a static section at all is in the code of its module.
/// - example: a table of four sections, three of which are initialised by name; nothing deletes any of them.
/// - handling: x86 and x64: every place in the code that names an import slot of the functions, calls a jump through one, or ends in such a
///   jump. A reference that is none of these, or whose argument is not a constant, may be anything's. Not seen: what is looked up
///   at run time or imported late, and other modules.
/// - test: `what_no_code_deletes_was_not_deleted` (tests/accuracy).
#[must_use]
pub fn constants(
    scene: Scene<'_, '_>,
    module: &ModuleImage<'_, '_>,
    functions: &[&str],
) -> Option<HashSet<u64>> {
    (!scene.is_arm64()).then_some(())?;
    let (image, imports) = (module.image().ok()?, module.imports().ok()?);
    (imports.is_complete() && image.sections_complete).then_some(())?;
    let memory = &scene.dump.memory;
    let slots: Vec<u64> =
        functions.iter().flat_map(|name| imports.slots_named(memory, image, name)).collect();
    let mut left = MAX_CODE;
    let mut code = Vec::new();
    for part in image.sections.iter().filter(|part| part.is_executable()) {
        let start = image.address(part.virtual_address)?;
        let size = usize::try_from(part.virtual_size).ok()?;
        left = left.checked_sub(size)?;
        let bytes = memory.read_up_to(start, size);
        (bytes.len() == size && scene.flows.spend(size.checked_div(64)?)).then_some(())?;
        code.push((start, bytes));
    }
    let search = Search { scene, width: image.width };
    let mut found = HashSet::new();
    let mut thunks = Vec::new();
    for (start, bytes) in &code {
        search.slots(*start, bytes, &slots, &mut thunks, &mut found)?;
    }
    for (start, bytes) in &code {
        search.thunks(*start, bytes, &thunks, &mut found)?;
    }
    Some(found)
}

struct Search<'s, 'd> {
    scene: Scene<'s, 'd>,
    width: PointerWidth,
}

impl Search<'_, '_> {
    /// The places that name a slot: calls through it, and jumps (thunks), whose addresses are kept.
    fn slots(
        &self,
        start: u64,
        code: &[u8],
        slots: &[u64],
        thunks: &mut Vec<u64>,
        found: &mut HashSet<u64>,
    ) -> Option<()> {
        for (index, window) in code.windows(6).enumerate() {
            let [first, second, rest @ ..] = window else { continue };
            let operand = u32::from_le_bytes(*rest.first_chunk()?);
            let at = start.checked_add(u64::try_from(index).ok()?)?;
            let end = at.checked_add(6)?;
            let target = match self.width {
                PointerWidth::Four => u64::from(operand),
                PointerWidth::Eight => end.wrapping_add_signed(operand.cast_signed().into()),
            };
            if !slots.contains(&target) {
                continue;
            }
            match (first, second) {
                (0xFF, 0x15) => self.keep(at, end, found)?,
                (0xFF, 0x25) if is_thunk(code, index) => thunks.push(at),
                (0xFF, 0x25) => self.keep(at, end, found)?,
                _ => return None,
            }
        }
        (thunks.len() <= MAX_USES).then_some(())
    }

    /// The calls of jumps through a slot.
    fn thunks(
        &self,
        start: u64,
        code: &[u8],
        thunks: &[u64],
        found: &mut HashSet<u64>,
    ) -> Option<()> {
        for (index, window) in code.windows(5).enumerate() {
            let [first, rest @ ..] = window else { continue };
            let at = start.checked_add(u64::try_from(index).ok()?)?;
            let end = at.checked_add(5)?;
            let offset = i32::from_le_bytes(*rest.first_chunk()?);
            match first {
                0xE8 if thunks.contains(&end.wrapping_add_signed(offset.into())) => {
                    self.keep(at, end, found)?;
                }
                0xE9 if thunks.contains(&end.wrapping_add_signed(offset.into())) => return None,
                _ => {}
            }
        }
        Some(())
    }

    /// Notes the constant that a call passes.
    fn keep(&self, call: u64, end: u64, found: &mut HashSet<u64>) -> Option<()> {
        let argument = call_site::argument(self.scene, end, call)?;
        argument.is_constant().then_some(())?;
        let Argument { displacements, .. } = &argument;
        let value = argument.with(&self.scene.dump.memory, self.width, constant(&argument)?)?;
        (displacements.len() == 1 && found.len() < MAX_USES).then_some(())?;
        found.insert(value);
        Some(())
    }
}

/// Whether a jump through a slot stands by itself, between padding or other such jumps, and not at the end of a function.
fn is_thunk(code: &[u8], index: usize) -> bool {
    let before = |bytes: usize| code.get(index.checked_sub(bytes)?..index);
    let follows_another = matches!(before(6), Some([0xFF, 0x25, ..]));
    let padding = matches!(before(2), Some([0x90, 0x90] | [0xCC, 0xCC] | [0, 0]));
    index == 0 || follows_another || padding
}

fn constant(argument: &Argument) -> Option<u64> {
    match argument.base {
        call_site::Base::Constant(address) => Some(address),
        _ => None,
    }
}
