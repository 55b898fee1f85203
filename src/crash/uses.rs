//! Which sections the code of a module deletes, or initialises, as far as its calls show.

use super::call_site::{self, Argument, Base};
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::images::ModuleImage;
use std::borrow::Cow;
use std::collections::HashSet;

/// Most bytes of a module searched.
const MAX_CODE: usize = 1 << 20;
/// Functions deep that an argument may be passed on.
const DEPTH: u32 = 3;
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
///   jump. Where a function passes its own argument on (x64), each call of it counts, if nothing but calls names it. A reference that is
///   none of these, or whose argument is not a constant, may be anything's. Not seen: what is looked up at run time or imported late,
///   and other modules.
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
    let (code, data) = (Vec::new(), Some(Vec::new()));
    let mut search = Search { scene, module, width: image.width, code, data };
    let mut left = MAX_CODE;
    for part in &image.sections {
        let start = image.address(part.virtual_address)?;
        let size = usize::try_from(part.virtual_size).ok()?;
        let rest = left.checked_sub(size);
        let bytes = memory.read_up_to(start, if rest.is_some() { size } else { 0 });
        let is_whole = bytes.len() == size && scene.flows.spend(size.checked_div(64)?);
        match (part.is_executable(), is_whole) {
            (true, true) => search.code.push((start, bytes)),
            (true, false) => return None,
            (false, true) => search.data.iter_mut().for_each(|parts| parts.push(bytes.clone())),
            (false, false) => search.data = None,
        }
        left = rest.unwrap_or(left);
    }
    let mut found = HashSet::new();
    let mut thunks = Vec::new();
    for (start, bytes) in &search.code {
        search.slots(*start, bytes, &slots, &mut thunks, &mut found)?;
    }
    search.thunks(&thunks, &mut found)?;
    Some(found)
}

struct Search<'s, 'd> {
    scene: Scene<'s, 'd>,
    module: &'s ModuleImage<'s, 'd>,
    width: PointerWidth,
    /// The parts that hold code, each with its address.
    code: Vec<(u64, Cow<'s, [u8]>)>,
    /// The other parts; `None` where the dump lacks one.
    data: Option<Vec<Cow<'s, [u8]>>>,
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
                (0xFF, 0x15) => self.keep(at, end, 0, DEPTH, found)?,
                (0xFF, 0x25) if is_thunk(code, index) => thunks.push(at),
                (0xFF, 0x25) => self.keep(at, end, 0, DEPTH, found)?,
                _ => return None,
            }
        }
        (thunks.len() <= MAX_USES).then_some(())
    }

    /// The calls of a function of the module that passes its argument on, plus `offset`; `None` where anything else names it, or
    /// nothing does: then it is reached in a way that is not seen.
    fn calls_of(
        &self,
        function: u64,
        offset: i64,
        depth: u32,
        found: &mut HashSet<u64>,
    ) -> Option<()> {
        let mut calls = 0usize;
        for (start, code) in &self.code {
            self.scene.flows.spend(code.len().checked_div(64)?).then_some(())?;
            for (index, window) in code.windows(5).enumerate() {
                let [first, rest @ ..] = window else { continue };
                let at = start.checked_add(u64::try_from(index).ok()?)?;
                let end = at.checked_add(5)?;
                let operand = i32::from_le_bytes(*rest.first_chunk()?);
                if end.wrapping_add_signed(operand.into()) == function {
                    (*first == 0xE8).then_some(())?;
                    calls = calls.checked_add(1).filter(|calls| *calls <= MAX_USES)?;
                    self.keep(at, end, offset, depth, found)?;
                }
            }
        }
        (calls > 0 && self.is_missing_from_data(function)?).then_some(())
    }

    /// The calls of jumps through a slot.
    fn thunks(&self, thunks: &[u64], found: &mut HashSet<u64>) -> Option<()> {
        for (start, code) in &self.code {
            for (index, window) in code.windows(5).enumerate() {
                let [first, rest @ ..] = window else { continue };
                let at = start.checked_add(u64::try_from(index).ok()?)?;
                let end = at.checked_add(5)?;
                let offset = i32::from_le_bytes(*rest.first_chunk()?);
                match first {
                    0xE8 if thunks.contains(&end.wrapping_add_signed(offset.into())) => {
                        self.keep(at, end, 0, DEPTH, found)?;
                    }
                    0xE9 if thunks.contains(&end.wrapping_add_signed(offset.into())) => {
                        return None;
                    }
                    _ => {}
                }
            }
        }
        Some(())
    }

    /// Whether the address of a function stands nowhere in the module's data: in no table of virtual functions, as no callback.
    fn is_missing_from_data(&self, function: u64) -> Option<bool> {
        let step = usize::try_from(self.width.bytes()).ok()?;
        let bytes = function.to_le_bytes();
        let wanted = bytes.get(..step)?;
        let has = |part: &Cow<'_, [u8]>| part.chunks_exact(step).any(|word| word == wanted);
        Some(!self.data.as_ref()?.iter().any(has))
    }

    /// Notes the constant that a call passes, or those that the calls of its function do.
    fn keep(
        &self,
        call: u64,
        end: u64,
        offset: i64,
        depth: u32,
        found: &mut HashSet<u64>,
    ) -> Option<()> {
        let plain = call_site::argument(self.scene, end, call).filter(Argument::is_constant);
        let is_wide = self.width == PointerWidth::Eight;
        let argument = match plain {
            Some(argument) => argument,
            None if is_wide => call_site::deep_argument(self.scene, end, call)?,
            None => return None,
        };
        let [displacement] = *argument.displacements.as_slice() else { return None };
        let offset = offset.checked_add(displacement)?;
        match argument.base {
            Base::Constant(address) => {
                (found.len() < MAX_USES).then_some(())?;
                found.insert(self.width.truncate(address.wrapping_add_signed(offset)));
                Some(())
            }
            Base::Own(entry) if self.module.export_at(entry.start).is_none() => {
                self.calls_of(entry.start, offset, depth.checked_sub(1)?, found)
            }
            Base::Own(_) | Base::Register(_) => None,
        }
    }
}

/// Whether a jump through a slot stands by itself, between padding or other such jumps, and not at the end of a function.
fn is_thunk(code: &[u8], index: usize) -> bool {
    let before = |bytes: usize| code.get(index.checked_sub(bytes)?..index);
    let follows_another = matches!(before(6), Some([0xFF, 0x25, ..]));
    let padding = matches!(before(2), Some([0x90, 0x90] | [0xCC, 0xCC] | [0, 0]));
    index == 0 || follows_another || padding
}
