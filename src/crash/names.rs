//! Names of the functions on a stack, without symbols.
//!
//! A frame's function is not the nearest export below its address (critical-sections.md 0.1). It is the
//! exported start of the function that the unwind data gives, or what the call instruction in the frame
//! above goes to, through an import where there is one; on x86 also the nearest export whose code leads there.

use super::frame::{Frame, FunctionName, NameSource};
use super::own_code_x86;
use super::stack::Scene;
use crate::dump::memory::PointerWidth;
use crate::image::call_target::Callee;
use crate::image::call_target_arm64;
use crate::image::instruction_arm64::Instruction;
use crate::image::pe::Machine;
use crate::image::{runtime_functions, runtime_functions_arm64};

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
        .or_else(|| by_call_or_code(scene, frame, caller))
}

/// The name of what the caller calls, but when it does not say where that lies, rather that of the function whose code leads to the frame.
fn by_call_or_code(
    scene: Scene<'_, '_>,
    frame: &Frame,
    caller: Option<&Frame>,
) -> Option<FunctionName> {
    let called = caller.and_then(|caller| by_caller(scene, frame, caller));
    if called.as_ref().is_some_and(|name| name.start.is_some()) {
        return called;
    }
    by_own_code(scene, frame).or(called)
}

/// x86: the function's own code leads to the frame from an exported start.
fn by_own_code(scene: Scene<'_, '_>, frame: &Frame) -> Option<FunctionName> {
    let (start, _) = own_code_x86::exported_function(scene, frame)?;
    let name = scene.export_at(start)?;
    Some(FunctionName { name, source: NameSource::Export, start: Some(start) })
}

/// x64 and ARM64: the function, by unwind data, starts at an export.
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
    let primary = runtime_functions::function_start(&scene.dump.memory, image, rva).ok()??;
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
                || scene
                    .flows
                    .follow(&scene.dump.memory, target, PointerWidth::Four)
                    .reaches(frame.registers.ip())
        }
        PointerWidth::Eight => match primary_start(scene, frame) {
            Some(start) => start == target,
            None if scene.is_arm64() && is_part(scene, frame) => jumps_to(scene, frame, target),
            // A leaf: system-call stubs and the like are at most a few instructions long.
            None => {
                !code_is_there
                    || (target..target.saturating_add(0x40)).contains(&frame.lookup_address())
            }
        },
    }
}

/// Whether the frame is in a part of a function that begins elsewhere, by its ARM64 record.
fn is_part(scene: Scene<'_, '_>, frame: &Frame) -> bool {
    part(scene, frame.lookup_address()).is_some_and(|(_, is_fragment)| is_fragment)
}

/// Start and end of the function, or of the part of one, that holds an address, and whether it is a part.
fn part(scene: Scene<'_, '_>, address: u64) -> Option<(std::ops::Range<u64>, bool)> {
    let image = scene.images.image_at(address).filter(|image| image.machine == Machine::Arm64)?;
    let memory = &scene.dump.memory;
    let record = runtime_functions_arm64::lookup(memory, image, image.rva(address)?).ok()??;
    let range = image.address(record.begin_address)?..image.address(record.end_address())?;
    Some((range, record.is_fragment(memory, image).ok()?))
}

/// Whether the function at `target` jumps into the part that the frame is in.
///
/// - situation: an optimiser moves rare code away from its function, and ARM64 records do not say whose it is.
/// - example: the wait in RtlEnterCriticalSection lies far behind it, reached by one conditional branch.
/// - handling: a branch from the function that was called into the frame's part proves whose part it is.
/// - test: `a_part_of_a_function_is_named_by_the_branch_to_it`.
fn jumps_to(scene: Scene<'_, '_>, frame: &Frame, target: u64) -> bool {
    let Some((from, _)) = part(scene, target) else { return false };
    let Some((part, _)) = part(scene, frame.lookup_address()) else { return false };
    let addresses = from.step_by(4).take(MAX_INSTRUCTIONS).take_while(|_| scene.flows.spend(1));
    let mut instructions =
        addresses.map_while(|address| call_target_arm64::instruction_at(scene.images, address));
    instructions.any(|instruction| match instruction {
        Instruction::Branch(to) | Instruction::ConditionalBranch(to) => part.contains(&to),
        _ => false,
    })
}

/// Most instructions of a function searched for a branch.
const MAX_INSTRUCTIONS: usize = 0x4000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::frame::Trust;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::IpKind;
    use crate::image::fixtures::PeBuilder;
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;
    use crate::image::pe::DirectoryKind;
    use crate::image::registers::RegisterFile;

    const BASE: u64 = PeBuilder::BASE;

    /// The name of the frame in the part at 0x1800, when the function at 0x1200 has `code`.
    fn name_of_part(code: u32) -> Option<String> {
        let mut pe = PeBuilder::arm64();
        pe.exports(&[(0x1200, "RtlEnterCriticalSection")]);
        // 0x1100: bl 0x1200
        pe.put_u32(0x1100, 0x9400_0040);
        // sub sp, sp, #0x10
        pe.put_u32(0x1200, 0xD100_43FF);
        pe.put_u32(0x1204, code);
        // Functions at 0x1100 and 0x1200, and a part at 0x1800: packed, flags 1, 1 and 2.
        let word = |flag: u32| flag | (0x100 / 4) << 2 | 3 << 21 | 4 << 23;
        for (index, (begin, flag)) in [(0x1100, 1), (0x1200, 1), (0x1800, 2)].iter().enumerate() {
            pe.put_u32(0x4000 + index * 8, *begin);
            pe.put_u32(0x4004 + index * 8, word(*flag));
        }
        pe.directory(DirectoryKind::Exception, 0x4000, 24);
        let file = Synth::new(Cpu::Arm64)
            .module(BASE, 0x10000, "ntdll.dll", [10, 0, 0, 0])
            .memory(BASE, pe.bytes())
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(BASE, PeBuilder::SIZE)]);
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let frame = |ip, ip_kind| Frame {
            registers: RegisterFile::of(Machine::Arm64, BASE + ip, 0x1000),
            ip_kind,
            trust: Trust::UnwindData,
            return_slot: None,
            module: Some(BASE),
            start: None,
            function: None,
        };
        let mut frames = [frame(0x1810, IpKind::Exact), frame(0x1104, IpKind::ReturnAddress)];
        name_frames(scene, &mut frames);
        frames[0].function.take().map(|function| function.name)
    }

    #[test]
    fn a_part_of_a_function_is_named_by_the_branch_to_it() {
        // cbz x8, 0x1808; b 0x180C; then a branch elsewhere, and none.
        assert_eq!(name_of_part(0xB400_3028).as_deref(), Some("RtlEnterCriticalSection"));
        assert_eq!(name_of_part(0x1400_0182).as_deref(), Some("RtlEnterCriticalSection"));
        assert_eq!(name_of_part(0x1400_0100), None);
        assert_eq!(name_of_part(0xD503_201F), None);
    }
}
