//! Where an x86 function starts that no frame above it has called by its address.

use super::run::Run;
use crate::crash::frame::Frame;
use crate::image::pe::Image;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Bytes before a place in which its function's start is looked for.
const REACH: u64 = 0x2000;
/// Most bytes of code searched.
const MAX_CODE: usize = 1 << 20;

/// The start of a frame's function: the module's entry point, or the nearest address before its place that its module's code calls or names,
/// from which the code leads to the place.
///
/// - situation: the system has called a program's function, and nothing on the stack says where that starts.
/// - example: `push offset worker`, `call CreateThread`; the thread's outermost frame lies 40h bytes behind `worker`.
/// - handling: every 4 bytes of the code that are such an address, or lead to it behind an E8 or E9; not one in the middle of code, unless it is
///   called. The entry point first, then the nearest.
/// - test: `what_functions_did_that_have_returned` (tests/accuracy).
pub(super) fn of_x86(run: &mut Run<'_, '_>, frame: &Frame) -> Option<u64> {
    let scene = run.scene;
    let place = frame.registers.ip();
    let module = scene.images.module_at(frame.lookup_address())?;
    let image = module.image().ok()?;
    let starts = match run.starts.get(&module.base) {
        Some(known) => Rc::clone(known),
        None => {
            let found = Rc::new(starts(run, image).unwrap_or_default());
            run.starts.insert(module.base, Rc::clone(&found));
            found
        }
    };
    let memory = &scene.dump.memory;
    let entry = image.address(image.entry_point);
    let leads_there = |start: &u64| scene.flows.follow(memory, *start).reaches(place);
    let near = starts.range(place.saturating_sub(REACH)..place).rev().copied();
    entry.into_iter().chain(near).find(leads_there)
}

/// The addresses in a module's code that its code calls, or names where a function may start.
fn starts(run: &Run<'_, '_>, image: &Image) -> Option<BTreeSet<u64>> {
    let (scene, memory) = (run.scene, &run.scene.dump.memory);
    let mut found = BTreeSet::new();
    for part in image.sections.iter().filter(|part| part.is_executable()) {
        let start = image.address(part.virtual_address)?;
        let size = usize::try_from(part.virtual_size).ok()?.min(MAX_CODE);
        scene.flows.spend(size.checked_div(64)?).then_some(())?;
        let bytes = memory.read_up_to(start, size);
        let index_of = |at: u64| usize::try_from(at.checked_sub(start)?).ok();
        let is_start = |at: u64| {
            let before = || bytes.get(index_of(at)?.checked_sub(1)?).copied();
            let is_inside = index_of(at).is_some_and(|index| index < bytes.len());
            is_inside
                && (at.is_multiple_of(16)
                    || matches!(before(), None | Some(0xCC | 0x90 | 0xC3 | 0)))
        };
        for (index, window) in bytes.windows(5).enumerate() {
            let [first, operand @ ..] = window else { continue };
            let Some(operand) = operand.first_chunk::<4>() else { continue };
            let end = start.checked_add(u64::try_from(index).ok()?)?.checked_add(5)?;
            let led = end.wrapping_add_signed(i32::from_le_bytes(*operand).into());
            let led = led & u64::from(u32::MAX);
            let is_called = *first == 0xE8 && index_of(led).is_some_and(|at| at < bytes.len());
            found.extend(Some(led).filter(|at| is_called || *first == 0xE9 && is_start(*at)));
            let named = u64::from(u32::from_le_bytes(*operand));
            found.extend(Some(named).filter(|at| is_start(*at)));
        }
    }
    Some(found)
}
