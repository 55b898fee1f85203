//! Names of the functions on a stack, without symbols.
//!
//! A frame's function is never the nearest export below its address (critical-sections.md 0.1). It is the
//! exported start of the function that the unwind data gives, or what the call instruction in the frame
//! above goes to, through an import where there is one.

use super::frame::{Frame, FunctionName, NameSource};
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::call_target::Callee;
use crate::image::runtime_functions;

/// Names every frame that can be named.
pub fn name_frames(scene: Scene<'_, '_>, frames: &mut [Frame]) {
    for index in 0..frames.len() {
        let caller = frames.get(index.saturating_add(1)).cloned();
        if let Some(frame) = frames.get_mut(index)
            && frame.function.is_none()
        {
            frame.function = name(scene, frame, caller.as_ref());
        }
    }
}

fn name(scene: Scene<'_, '_>, frame: &Frame, caller: Option<&Frame>) -> Option<FunctionName> {
    by_unwind_data(scene, frame)
        .or_else(|| by_proven_start(scene, frame))
        .or_else(|| by_caller(scene, frame, caller?))
}

/// x64: the primary part of the function, by unwind data, starts at an export.
fn by_unwind_data(scene: Scene<'_, '_>, frame: &Frame) -> Option<FunctionName> {
    let start = primary_start(scene, frame)?;
    Some(FunctionName {
        name: scene.export_at(start)?,
        source: NameSource::Export,
        start: Some(start),
    })
}

/// x86: the walker proved where the function starts.
fn by_proven_start(scene: Scene<'_, '_>, frame: &Frame) -> Option<FunctionName> {
    let start = frame.start?;
    Some(FunctionName {
        name: scene.export_at(start)?,
        source: NameSource::CallTarget,
        start: Some(start),
    })
}

/// Address of the start of the frame's function by unwind data.
fn primary_start(scene: Scene<'_, '_>, frame: &Frame) -> Option<u64> {
    let image = scene.images.image_at(frame.lookup_address())?;
    let rva = image.rva(frame.lookup_address())?;
    let primary = runtime_functions::primary_function(&scene.dump.memory, image, rva).ok()??;
    image.address(primary)
}

/// The call instruction in the caller names the callee.
fn by_caller(scene: Scene<'_, '_>, frame: &Frame, caller: &Frame) -> Option<FunctionName> {
    let site = scene.call_site(caller.registers.ip())?;
    let target = scene.target(&site);
    if target.is_some_and(|target| !leads_to(scene, frame, target)) {
        return None;
    }
    match scene.callee(&site)? {
        Callee::Export { name, .. } => {
            Some(FunctionName { name, source: NameSource::CallTarget, start: target })
        }
        import => Some(FunctionName {
            name: import.name()?.to_owned(),
            source: NameSource::Import,
            start: target,
        }),
    }
}

/// Whether a call to `target` can have led to the frame: its function is the frame's function, or nothing
/// is known of either. A tail call, or a stale return address, fails here.
fn leads_to(scene: Scene<'_, '_>, frame: &Frame, target: u64) -> bool {
    if scene.dump.module_at(target).map(|module| module.base) != frame.module {
        return false;
    }
    let code_is_there = scene.dump.memory.u8(target).is_some();
    match scene.dump.system.pointer_width {
        PointerWidth::Four => {
            !code_is_there
                || scene.flows.follow(&scene.dump.memory, target).reaches(frame.registers.ip())
        }
        PointerWidth::Eight => match primary_start(scene, frame) {
            Some(start) => start == target,
            // A leaf: system-call stubs and the like are at most a few instructions long.
            None => {
                !code_is_there
                    || (target..target.saturating_add(0x40)).contains(&frame.lookup_address())
            }
        },
    }
}
