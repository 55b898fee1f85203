//! Any bytes as an image with headers, function table and code, and any as a stack: one walk, and every look-up.
#![no_main]

use csdump::dump::memory::{AddressSpace, MemorySource, PointerWidth, Region};
use csdump::image::call_target::{call_site, callee, resolve};
use csdump::image::call_target_arm64;
use csdump::image::images::Images;
use csdump::image::registers::{Provenance, Register, RegisterFile};
use csdump::image::pe::Machine;
use csdump::image::{IpKind, flow, unwind_arm64, unwind_x64};
use libfuzzer_sys::fuzz_target;

const BASE: u64 = 0x1_4000_0000;
const STACK: u64 = 0x10_0000;
/// Most frames of a walk.
const FRAMES: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let Some((start, rest)) = bytes.split_at_checked(4) else { return };
    let start = u32::from_le_bytes([start[0], start[1], start[2], start[3]]);
    let (image, stack) = rest.split_at(rest.len() / 4 * 3);
    let space = AddressSpace::new([
        Region { base: BASE, bytes: image, source: MemorySource::MemoryList },
        Region { base: STACK, bytes: stack, source: MemorySource::MemoryList },
    ]);
    let images = Images::new(&space, [(BASE, image.len() as u64)]);
    let ip = BASE + u64::from(start) % (image.len() as u64 + 1);
    for width in [PointerWidth::Four, PointerWidth::Eight] {
        let _ = resolve(&images, ip, width);
        let _ = call_site(&images, ip, width).map(|site| callee(&images, &site, width));
    }
    let _ = (call_target_arm64::resolve(&images, ip), call_target_arm64::call_site(&images, ip));
    let _ = flow::follow_x86(&space, ip);
    if let Some(module) = images.module_at(ip) {
        let _ = (module.function_at(ip), module.export_at(ip), module.import_at(ip));
    }
    walk(&space, &images, ip);
    walk_arm64(&space, &images, ip);
});

fn walk(space: &AddressSpace<'_>, images: &Images<'_, '_>, ip: u64) {
    let mut registers = RegisterFile::new(PointerWidth::Eight, ip, STACK);
    registers.set(Register::Rbp, STACK + 0x40, Provenance::Context);
    let mut kind = IpKind::Exact;
    for _ in 0..FRAMES {
        let Some(image) = images.image_at(registers.ip()) else { return };
        let Ok(step) = unwind_x64::step(space, image, &registers, kind) else { return };
        (registers, kind) = (step.registers, step.ip_kind);
    }
}

fn walk_arm64(space: &AddressSpace<'_>, images: &Images<'_, '_>, ip: u64) {
    let mut registers = RegisterFile::of(Machine::Arm64, ip, STACK);
    registers.set(Register::FP, STACK + 0x40, Provenance::Context);
    registers.set(Register::LR, ip, Provenance::Context);
    let mut kind = IpKind::Exact;
    for _ in 0..FRAMES {
        let Some(image) = images.image_at(registers.ip()) else { return };
        let Ok(step) = unwind_arm64::step(space, image, &registers, kind) else { return };
        (registers, kind) = (step.registers, step.ip_kind);
    }
}
