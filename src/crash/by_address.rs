//! Names of called functions by their addresses, where the call names nothing.

use super::backwards::{Place, Walk, memory_operand, theirs};
use super::call_site::{Argument, Base};
use super::frame::Frame;
use super::function_code::{before, instruction_at};
use super::stack::Scene;
use crate::image::call_target::{CallKind, CallSite};
use std::collections::HashMap;

/// What is known by address: the lock functions, and what closes handles.
const NAMES: [&str; 10] = [
    "LeaveCriticalSection",
    "EnterCriticalSection",
    "TryEnterCriticalSection",
    "DeleteCriticalSection",
    "RtlLeaveCriticalSection",
    "RtlEnterCriticalSection",
    "RtlTryEnterCriticalSection",
    "RtlDeleteCriticalSection",
    "CloseHandle",
    "NtClose",
];
/// Most modules whose imports are read.
const MAX_MODULES: usize = 256;
/// Most words below a return address that can be a register that the called function saved.
const SAVED_WORDS: u64 = 64;

/// The addresses that import slots hold for some functions.
#[derive(Debug, Default)]
pub(super) struct Addresses(HashMap<u64, &'static str>);

impl Addresses {
    /// Those of the modules whose import tables are in the dump.
    pub(super) fn read(scene: Scene<'_, '_>) -> Self {
        let memory = &scene.dump.memory;
        let mut found = HashMap::new();
        for module in scene.images.modules().iter().take(MAX_MODULES) {
            let (Ok(image), Ok(imports)) = (module.image(), module.imports()) else { continue };
            let slots = imports.slots_named_any(memory, image, &NAMES);
            found.extend(
                slots
                    .into_iter()
                    .filter_map(|(slot, name)| Some((memory.pointer(slot, image.width)?, name))),
            );
        }
        Self(found)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn name(&self, address: u64) -> Option<(u64, &'static str)> {
        self.0.get(&address).map(|name| (address, *name))
    }
}

/// Address and name of what a call goes to that names nothing itself.
///
/// - situation: a program calls a lock function by a pointer, and the dump lacks ntdll's exports.
/// - example: `mov eax, [delete_lock]; call eax`, where `delete_lock` was filled by GetProcAddress, and holds what the import slot of
///   DeleteCriticalSection does.
/// - handling: the address that the call goes to, by the code before it, is looked up among those in import slots. A register that functions
///   give back may have its value still, or have been saved by the called one: then one address alone may come of it.
/// - test: `a_call_by_a_pointer_is_named_by_its_address`.
pub(super) fn named(
    scene: Scene<'_, '_>,
    known: &Addresses,
    innermost: &Frame,
    slot: u64,
    (return_address, site): (u64, &CallSite),
) -> Option<(u64, &'static str)> {
    if known.is_empty() || scene.is_arm64() {
        return None;
    }
    if let CallKind::Slot { content, .. } = site.kind {
        return known.name(content?);
    }
    let target = target(scene, return_address, site)?;
    let (memory, width) = (&scene.dump.memory, scene.dump.system.pointer_width);
    let with = |base| known.name(target.with(memory, width, base)?);
    match target.base {
        Base::Constant(address) => with(address),
        Base::Register(register) if register.is_stack_pointer() => {
            with(slot.checked_add(width.bytes())?)
        }
        Base::Register(register) => {
            let start = innermost.registers.sp()?;
            let saved = (0..SAVED_WORDS)
                .filter_map(|index| start.checked_add(index.checked_mul(width.bytes())?))
                .take_while(|address| *address < slot)
                .filter_map(|address| memory.pointer(address, width));
            let values = innermost.registers.get(register).into_iter().chain(saved);
            let mut found: Vec<_> = values.filter_map(with).collect();
            found.sort_unstable();
            found.dedup();
            found.first().copied().filter(|_| found.len() == 1)
        }
        Base::Own(_) => None,
    }
}

/// Where the address comes from that a call through a register or through memory goes to.
fn target(scene: Scene<'_, '_>, return_address: u64, site: &CallSite) -> Option<Argument> {
    scene.flows.spend(8).then_some(())?;
    let width = scene.dump.system.pointer_width;
    let run = before(scene, site.call_address, return_address)?;
    match site.kind {
        CallKind::Register(register) => {
            let place = Place::Register(theirs(register));
            Walk::plain(width).follow(&run, place, vec![0])
        }
        CallKind::Memory => {
            let call = instruction_at(scene, site.call_address, return_address)?;
            let (place, displacement) = memory_operand(&call, width)?;
            Walk::plain(width).follow(&run, place, vec![displacement, 0])
        }
        CallKind::Direct(_) | CallKind::Slot { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::frame::Trust;
    use crate::dump::memory::PointerWidth;
    use crate::dump::synth::Synth;
    use crate::dump::{Cpu, Dump};
    use crate::image::IpKind;
    use crate::image::fixtures::PeBuilder;
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;
    use crate::image::registers::{Provenance, Register, RegisterFile};

    const PROGRAM: u64 = 0x10_0000;
    const LIBRARY: u64 = 0x30_0000;
    const SP: u64 = 0x20_0000;
    /// The addresses of Delete and Enter, in an ntdll of which the dump has nothing.
    const DELETE: u32 = 0x5000_1000;
    const ENTER: u32 = 0x5000_2000;
    /// A pointer variable, and a table whose third entry is the function.
    const VARIABLE: u32 = 0x10_7100;
    const TABLE: u32 = 0x10_7200;

    /// What the call at the end of `code` goes to, when ebx and esi of the innermost frame, and the words that it saved, have these values.
    fn name(code: &[u8], registers: [u32; 2], saved: &[u32]) -> Option<&'static str> {
        name_on(Cpu::X86, code, registers, saved, &[])
    }

    /// The same on either processor, with words that stand above the return address.
    fn name_on(
        cpu: Cpu,
        code: &[u8],
        [ebx, esi]: [u32; 2],
        saved: &[u32],
        above: &[u32],
    ) -> Option<&'static str> {
        let (mut pe, width) = match cpu {
            Cpu::X86 => (PeBuilder::x86(), PointerWidth::Four),
            _ => (PeBuilder::x64(), PointerWidth::Eight),
        };
        pe.imports("KERNEL32.dll", "DeleteCriticalSection");
        pe.put_u32(0x7000, DELETE);
        pe.put_u32(0x7100, DELETE);
        pe.put_u32(0x7208, DELETE);
        pe.put(0x1100, &[0x90; 0x100]);
        pe.put(0x1200, code);
        let mut library = PeBuilder::x86();
        library.imports("KERNEL32.dll", "EnterCriticalSection");
        library.put_u32(0x7000, ENTER);
        let words = saved.iter().chain(&[1]).chain(above);
        let size = usize::try_from(width.bytes()).unwrap();
        let bytes = words.flat_map(|word| u64::from(*word).to_le_bytes().into_iter().take(size));
        let stack: Vec<u8> = bytes.collect();
        let slot = SP + width.bytes() * saved.len() as u64;
        let file = Synth::new(cpu)
            .module(PROGRAM, 0x10000, "app.exe", [1, 0, 0, 0])
            .module(LIBRARY, 0x10000, "library.dll", [1, 0, 0, 0])
            .memory(PROGRAM, pe.bytes())
            .memory(LIBRARY, library.bytes())
            .memory(SP, stack)
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [PROGRAM, LIBRARY].map(|at| (at, PeBuilder::SIZE)));
        let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
        let mut registers = RegisterFile::new(width, u64::from(DELETE) + 8, SP);
        registers.set(Register::Rsp, SP, Provenance::Context);
        registers.set(Register::Rbx, u64::from(ebx), Provenance::Context);
        registers.set(Register::Rsi, u64::from(esi), Provenance::Context);
        let innermost = Frame {
            registers,
            ip_kind: IpKind::Exact,
            trust: Trust::Context,
            return_slot: None,
            module: None,
            start: None,
            function: None,
        };
        let behind = PROGRAM + 0x1200 + code.len() as u64;
        let site = scene.call_site(behind).unwrap();
        let known = Addresses::read(scene);
        named(scene, &known, &innermost, slot, (behind, &site)).map(|(_, name)| name)
    }

    #[test]
    fn a_call_by_a_pointer_is_named_by_its_address() {
        let delete = Some("DeleteCriticalSection");
        let variable = VARIABLE.to_le_bytes();
        // call [VARIABLE]; mov eax, [VARIABLE], call eax
        assert_eq!(name(&[&[0xFF, 0x15], &variable[..]].concat(), [0; 2], &[]), delete);
        assert_eq!(name(&[&[0xA1], &variable[..], &[0xFF, 0xD0]].concat(), [0; 2], &[]), delete);
        // call [ebx+8]: a table that the register leads to, still or as it was saved.
        let by_table = [0x90, 0x90, 0xFF, 0x53, 8];
        assert_eq!(name(&by_table, [TABLE, 0], &[]), delete);
        assert_eq!(name(&by_table, [0; 2], &[1, TABLE]), delete);
        assert_eq!(name(&by_table, [0; 2], &[1]), None);
        // call esi: two functions that it may have been are none.
        let by_register = [0x90, 0x90, 0xFF, 0xD6];
        assert_eq!(name(&by_register, [0, DELETE], &[]), delete);
        assert_eq!(name(&by_register, [0, 1], &[ENTER, 5]), Some("EnterCriticalSection"));
        assert_eq!(name(&by_register, [0, DELETE], &[ENTER]), None);
        assert_eq!(name(&by_register, [0, DELETE + 4], &[]), None, "in the midst of it");
        // call [rsp+8]: a local; on x86 pushes may have moved it.
        let by_local = [0x90, 0x90, 0xFF, 0x54, 0x24, 8];
        assert_eq!(name_on(Cpu::Amd64, &by_local, [0; 2], &[], &[ENTER, DELETE]), delete);
        assert_eq!(name_on(Cpu::Amd64, &by_local, [0; 2], &[], &[DELETE]), None);
        assert_eq!(name_on(Cpu::X86, &by_local, [0; 2], &[], &[0, 0, DELETE]), None);
        // mov eax, [ebx+8] is not of this call where a call lies between: eax is the called one's.
        let lost = [0x8B, 0x43, 8, 0xE8, 0, 0, 0, 0, 0xFF, 0xD0];
        assert_eq!(name(&lost, [TABLE, 0], &[]), None);
    }
}
