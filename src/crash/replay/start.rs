//! Where a function starts that no table of unwind data describes, and no frame above it has called by its address.

use super::run::Run;
use crate::crash::frame::Frame;
use crate::dump::memory::{AddressSpace, PointerWidth};
use crate::image::pe::Image;
use std::collections::BTreeSet;
use std::ops::Range;
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
/// - handling: every 4 bytes of the code that are such an address (x86) or lead to it behind an E8, an E9 or, on x64, a `lea`; not one in the middle of
///   code, unless it is called. The entry point first, then the nearest; on x64, where what a function calls last is known, the nearest first. Of a small
///   dump, what it has of the code.
/// - test: `what_functions_did_that_have_returned` (tests/accuracy).
pub(super) fn of_code(run: &mut Run<'_, '_>, frame: &Frame) -> Option<u64> {
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
    let (memory, width) = (&scene.dump.memory, run.width);
    let entry = image.address(image.entry_point);
    let near = starts.range(place.saturating_sub(REACH)..place).rev().copied();
    if width == PointerWidth::Four {
        let leads_there = |start: &u64| scene.flows.follow(memory, *start, width).reaches(place);
        return entry.into_iter().chain(near).find(leads_there);
    }
    // What lies behind a call that does not come back is another function's.
    near.chain(entry).find(|start| {
        run.function(*start)
            .is_some_and(|function| function.addresses_behind().any(|at| at == place))
    })
}

/// The addresses in a module's code that its code calls, or names where a function may start.
fn starts(run: &Run<'_, '_>, image: &Image) -> Option<BTreeSet<u64>> {
    let (scene, memory) = (run.scene, &run.scene.dump.memory);
    let mut found = BTreeSet::new();
    for part in image.sections.iter().filter(|part| part.is_executable()) {
        let start = image.address(part.virtual_address)?;
        let end = start.checked_add(u64::from(part.virtual_size))?;
        let mut left = MAX_CODE;
        for region in memory.overlapping(start, end) {
            let first = region.base.max(start);
            let size = usize::try_from(region.end().min(end).saturating_sub(first)).ok()?;
            let size = size.min(left);
            left = left.saturating_sub(size);
            scene.flows.spend(size.checked_div(64)?).then_some(())?;
            let bytes = memory.read_up_to(first, size);
            named_in(memory, first, &bytes, run.width, start..end, &mut found)?;
        }
    }
    Some(found)
}

/// What a part of the code calls, or names where a function may start.
fn named_in(
    memory: &AddressSpace<'_>,
    start: u64,
    bytes: &[u8],
    width: PointerWidth,
    section: Range<u64>,
    found: &mut BTreeSet<u64>,
) -> Option<()> {
    let is_inside = |at: u64| section.contains(&at) && memory.u8(at).is_some();
    let is_start = |at: u64| {
        let before = || at.checked_sub(1).and_then(|before| memory.u8(before));
        is_inside(at)
            && (at.is_multiple_of(16) || matches!(before(), None | Some(0xCC | 0x90 | 0xC3 | 0)))
    };
    for (index, window) in bytes.windows(5).enumerate() {
        let [first, operand @ ..] = window else { continue };
        let Some(operand) = operand.first_chunk::<4>() else { continue };
        let end = start.checked_add(u64::try_from(index).ok()?)?.checked_add(5)?;
        let led = end.wrapping_add_signed(i32::from_le_bytes(*operand).into());
        let led = width.truncate(led);
        let is_called = *first == 0xE8 && is_inside(led);
        // lea register, [rip + d]: the byte before the distance has mod 00 and rm 101.
        let is_taken = width == PointerWidth::Eight && first & 0xC7 == 5;
        let is_led = (*first == 0xE9 || is_taken) && is_start(led);
        found.extend(Some(led).filter(|_| is_called || is_led));
        let named = u64::from(u32::from_le_bytes(*operand));
        found.extend(Some(named).filter(|at| width == PointerWidth::Four && is_start(*at)));
    }
    Some(())
}
