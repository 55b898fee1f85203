//! Back traces that the kernel recorded: return addresses without registers or stack, named as frames are.

use super::frame::{Frame, Trust};
use super::names;
use super::stack::Scene;
use crate::image::IpKind;
use crate::image::registers::RegisterFile;

/// Frames of recorded return addresses, innermost first, named.
#[must_use]
pub fn frames(scene: Scene<'_, '_>, addresses: impl Iterator<Item = u64>) -> Vec<Frame> {
    let mut frames: Vec<Frame> = addresses.map(|address| frame(scene, address)).collect();
    names::name_frames(scene, &mut frames);
    frames
}

fn frame(scene: Scene<'_, '_>, address: u64) -> Frame {
    let lookup = IpKind::ReturnAddress.lookup_address(address);
    Frame {
        registers: RegisterFile::new(scene.dump.system.pointer_width, address, 0),
        ip_kind: IpKind::ReturnAddress,
        trust: Trust::Recorded,
        return_slot: None,
        module: scene.dump.module_at(lookup).map(|module| module.base),
        start: None,
        function: None,
    }
}

/// The name of what the call before a return address calls.
#[must_use]
pub fn called_from(scene: Scene<'_, '_>, return_address: u64) -> Option<String> {
    let site = scene.call_site(return_address)?;
    Some(scene.callee(&site)?.name()?.to_owned())
}
