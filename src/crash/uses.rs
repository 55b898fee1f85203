//! Which sections the code of a module deletes, or initialises, as far as its calls show.

use super::call_site::{self, Base};
use super::called;
use super::function_code;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::images::ModuleImage;
use crate::image::registers::Register;
use std::borrow::Cow;
use std::collections::HashSet;

/// Most bytes of a module searched.
const MAX_CODE: usize = 1 << 20;
/// Bytes behind the load of a slot in which calls of the register are looked for.
const MAX_BEHIND: usize = 0x400;
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

/// What a module's code passes to some functions.
#[derive(Debug)]
pub enum Passed {
    /// Constant addresses only.
    Constants(HashSet<u64>),
    /// Somewhere what is no constant, as far as it can be followed.
    Other,
}

/// Why nothing more is known.
enum Stop {
    /// An argument that is no constant, as far as it can be followed.
    NotConstant,
    /// A reference, or a part of the code, that is not understood.
    Unseen,
}

/// What a module's code passes to some imported functions; `None` unless all of the code is in the dump and each reference to the
/// functions is a call, up to the first with an argument that is no constant.
///
/// - situation: whether anything deletes a static section at all is in the code of its module.
/// - example: a table of four sections, three of which are initialised by name; nothing deletes any of them.
/// - handling: x86 and x64: every place in the code that names an import slot of the functions, calls a jump through one, or ends in such a
///   jump. Where a function passes its own argument on (x64), each call of it counts, if nothing but calls names it. A reference that is
///   none of these, or an argument that cannot be followed, may be anything's. Not seen: what is looked up at run time or imported late,
///   and other modules.
/// - test: `what_no_code_deletes_was_not_deleted` (tests/accuracy).
#[must_use]
pub fn of(
    scene: Scene<'_, '_>,
    module: &ModuleImage<'_, '_>,
    functions: &[&str],
) -> Option<Passed> {
    let (search, slots) = Search::read(scene, module, functions)?;
    match search.all(&slots) {
        Ok(found) => Some(Passed::Constants(found)),
        Err(Stop::NotConstant) => Some(Passed::Other),
        Err(Stop::Unseen) => None,
    }
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

impl<'s, 'd> Search<'s, 'd> {
    /// All of a module's code, and the import slots of the functions.
    fn read(
        scene: Scene<'s, 'd>,
        module: &'s ModuleImage<'s, 'd>,
        functions: &[&str],
    ) -> Option<(Self, HashSet<u64>)> {
        (!scene.is_arm64()).then_some(())?;
        let (image, imports) = (module.image().ok()?, module.imports().ok()?);
        (imports.is_complete() && image.sections_complete).then_some(())?;
        let memory = &scene.dump.memory;
        let slots =
            functions.iter().flat_map(|name| imports.slots_named(memory, image, name)).collect();
        let (code, data) = (Vec::new(), Some(Vec::new()));
        let mut search = Self { scene, module, width: image.width, code, data };
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
                (false, true) => {
                    search.data.iter_mut().for_each(|parts| parts.push(bytes.clone()));
                }
                (false, false) => search.data = None,
            }
            left = rest.unwrap_or(left);
        }
        Some((search, slots))
    }
}

/// The 4 bytes of code at an index, as an offset, with the address behind them.
fn operand(start: u64, code: &[u8], index: usize) -> Option<(u64, [u8; 4])> {
    let bytes = *code.get(index..)?.first_chunk::<4>()?;
    let end = start.checked_add(u64::try_from(index).ok()?)?.checked_add(4)?;
    Some((end, bytes))
}

impl Search<'_, '_> {
    fn all(&self, slots: &HashSet<u64>) -> Result<HashSet<u64>, Stop> {
        let mut found = HashSet::new();
        let mut thunks = Vec::new();
        for (start, code) in &self.code {
            for index in 2..code.len() {
                let Some((end, _)) = operand(*start, code, index) else { break };
                if self.slot_at(end, code, index).is_some_and(|target| slots.contains(&target)) {
                    self.slot(code, index, end, &mut thunks, &mut found)?;
                }
            }
        }
        for thunk in thunks {
            self.calls_of(thunk, 0, DEPTH, &mut found)?;
        }
        Ok(found)
    }

    /// A place that names a slot: a call through it, or a jump; the address of one that stands by itself is kept.
    fn slot(
        &self,
        code: &[u8],
        index: usize,
        end: u64,
        thunks: &mut Vec<u64>,
        found: &mut HashSet<u64>,
    ) -> Result<(), Stop> {
        let at = end.checked_sub(6).ok_or(Stop::Unseen)?;
        let opcode = index.checked_sub(2).and_then(|first| code.get(first..index));
        match opcode {
            Some([0xFF, 0x15]) => self.keep(at, end, 0, DEPTH, found),
            Some([0xFF, 0x25]) if is_thunk(code, index.saturating_sub(2)) => {
                thunks.push(at);
                (thunks.len() <= MAX_USES).then_some(()).ok_or(Stop::Unseen)
            }
            Some([0xFF, 0x25]) => self.keep(at, end, 0, DEPTH, found),
            Some([0x8B, mode]) if mode & 0xC7 == 5 => self.loaded(code, index, end, *mode, found),
            _ => Err(Stop::Unseen),
        }
    }

    /// The slot was loaded into a register. Not all of its calls may be seen, but one whose argument is no constant is enough.
    fn loaded(
        &self,
        code: &[u8],
        index: usize,
        end: u64,
        mode: u8,
        found: &mut HashSet<u64>,
    ) -> Result<(), Stop> {
        let upper = index.checked_sub(3).and_then(|at| code.get(at)) == Some(&0x4C);
        let number = mode >> 3 & 7;
        let number = if upper && self.width == PointerWidth::Eight { number | 8 } else { number };
        let register = Register::from_number(number).ok_or(Stop::Unseen)?;
        let behind = code.get(index.saturating_add(4)..).unwrap_or_default();
        let slot = self.slot_at(end, code, index).ok_or(Stop::Unseen)?;
        for (distance, window) in behind.windows(2).take(MAX_BEHIND).enumerate() {
            let at = u64::try_from(distance).ok().and_then(|distance| end.checked_add(distance));
            let (Some(at), [0xFF, second]) = (at, window) else { continue };
            let (true, Some(after)) = (*second == 0xD0 | number & 7, at.checked_add(2)) else {
                continue;
            };
            let call = if number > 7 { at.saturating_sub(1) } else { at };
            if called::called_slot(self.scene, after, call, register) == Some(slot) {
                self.keep(call, after, 0, DEPTH, found)?;
            }
        }
        Err(Stop::Unseen)
    }

    /// The address that the 4 bytes of code at an index lead to.
    fn slot_at(&self, end: u64, code: &[u8], index: usize) -> Option<u64> {
        let bytes = *code.get(index..)?.first_chunk::<4>()?;
        Some(match self.width {
            PointerWidth::Four => u64::from(u32::from_le_bytes(bytes)),
            PointerWidth::Eight => end.wrapping_add_signed(i32::from_le_bytes(bytes).into()),
        })
    }

    /// The calls of a jump through a slot, or of a function of the module that passes its argument on, plus `offset`. Nothing is known
    /// where anything else names it, or where nothing calls such a function: then it is reached in a way that is not seen.
    fn calls_of(
        &self,
        function: u64,
        offset: i64,
        depth: u32,
        found: &mut HashSet<u64>,
    ) -> Result<(), Stop> {
        let mut calls = 0usize;
        for (start, code) in &self.code {
            let is_affordable =
                code.len().checked_div(64).is_some_and(|cost| self.scene.flows.spend(cost));
            is_affordable.then_some(()).ok_or(Stop::Unseen)?;
            for index in 1..code.len() {
                let branch = short_branch(*start, code, index, function);
                if branch.is_some_and(|at| self.is_instruction(at)) {
                    return Err(Stop::Unseen);
                }
                let Some((end, bytes)) = operand(*start, code, index) else { continue };
                if end.wrapping_add_signed(i32::from_le_bytes(bytes).into()) == function {
                    match code.get(index.saturating_sub(2)..index) {
                        // A jump is a function's last call.
                        Some([.., 0xE8 | 0xE9]) => {
                            calls = calls.saturating_add(1);
                            let at = end.checked_sub(5).filter(|_| calls <= MAX_USES);
                            self.keep(at.ok_or(Stop::Unseen)?, end, offset, depth, found)?;
                        }
                        // A branch on a condition; an operand relative to rip: its address is taken, or read.
                        Some([0x0F, 0x80..=0x8F]) => return Err(Stop::Unseen),
                        Some([_, mode]) if mode & 0xC7 == 5 => return Err(Stop::Unseen),
                        // No instruction has such an operand.
                        _ => {}
                    }
                }
            }
        }
        // A jump through a slot may be there for nothing.
        let is_reached = calls > 0 || depth == DEPTH;
        (is_reached && !self.is_named(function)).then_some(()).ok_or(Stop::Unseen)
    }

    /// Whether an instruction may begin at an address: not where its function, by unwind data, has none there.
    fn is_instruction(&self, at: u64) -> bool {
        let function = at
            .checked_add(2)
            .and_then(|behind| function_code::whole_function(self.scene, behind))
            .filter(|_| self.width == PointerWidth::Eight);
        function.is_none_or(|function| function.iter().any(|one| one.ip() == at))
    }

    /// Whether the address of a function may stand in the module: in a table of virtual functions, as a callback.
    fn is_named(&self, function: u64) -> bool {
        let bytes = function.to_le_bytes();
        let width = usize::try_from(self.width.bytes()).unwrap_or(8);
        let wanted = bytes.get(..width).unwrap_or(&bytes);
        let Some(data) = &self.data else { return true };
        let parts = data.iter().chain(self.code.iter().map(|(_, code)| code));
        parts.into_iter().any(|part| {
            let cost = part.len().checked_div(64).unwrap_or(0);
            !self.scene.flows.spend(cost) || part.windows(width).any(|word| word == wanted)
        })
    }

    /// Notes the constant that a call passes, or those that the calls of its function do.
    fn keep(
        &self,
        call: u64,
        end: u64,
        offset: i64,
        depth: u32,
        found: &mut HashSet<u64>,
    ) -> Result<(), Stop> {
        let is_wide =
            self.width == PointerWidth::Eight && function_code::knows_loops(self.scene, end);
        let deep = || is_wide.then(|| call_site::deep_argument(self.scene, end, call)).flatten();
        let known = call_site::constant(self.scene, end, call).or_else(deep);
        // What is computed, or read from a register or from memory at the call, is no constant of the code.
        let plain = || call_site::argument(self.scene, end, call);
        let argument = known.or_else(|| plain().filter(|one| !one.is_constant()));
        let argument = argument.ok_or(Stop::NotConstant)?;
        let [displacement] = *argument.displacements.as_slice() else {
            return Err(Stop::NotConstant);
        };
        let offset = offset.checked_add(displacement).ok_or(Stop::Unseen)?;
        match argument.base {
            Base::Constant(address) => {
                found.insert(self.width.truncate(address.wrapping_add_signed(offset)));
                (found.len() <= MAX_USES).then_some(()).ok_or(Stop::Unseen)
            }
            Base::Own(entry) => {
                let depth = depth.checked_sub(1);
                let depth = depth.filter(|_| self.module.export_at(entry.start).is_none());
                self.calls_of(entry.start, offset, depth.ok_or(Stop::Unseen)?, found)
            }
            Base::Register(_) => Err(Stop::NotConstant),
        }
    }
}

/// The address of a short jump, EB or 70 to 7F, whose last byte is at an index and that leads to a function.
fn short_branch(start: u64, code: &[u8], index: usize, function: u64) -> Option<u64> {
    let first = *code.get(index.checked_sub(1)?)?;
    let offset = i8::from_le_bytes([*code.get(index)?]);
    let end = start.checked_add(u64::try_from(index).ok()?)?.checked_add(1)?;
    let is_branch = first == 0xEB || (0x70..=0x7F).contains(&first);
    (is_branch && end.wrapping_add_signed(offset.into()) == function)
        .then(|| end.checked_sub(2))
        .flatten()
}

/// Whether a jump through a slot stands by itself, between padding or other such jumps, and not at the end of a function.
fn is_thunk(code: &[u8], index: usize) -> bool {
    let before = |bytes: usize| code.get(index.checked_sub(bytes)?..index);
    let follows_another = matches!(before(6), Some([0xFF, 0x25, ..]));
    let padding = matches!(before(2), Some([0x90, 0x90] | [0xCC, 0xCC] | [0, 0]));
    index == 0 || follows_another || padding
}
