//! Names of called functions by their addresses, where the call names nothing.

use super::backwards::{Place, Walk, memory_operand, ours, theirs};
use super::call_site::{Argument, Base};
use super::frame::Frame;
use super::function_code::{before, instruction_at, straight};
use super::operation::Operation;
use super::stack::Scene;
use crate::image::call_target::{CallKind, CallSite};
use iced_x86::OpKind;
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
/// Import slots whose reading costs about as much as decoding an instruction.
const SLOTS_PER_INSTRUCTION: usize = 8;

/// The addresses that import slots hold, and the names of some.
#[derive(Debug, Default)]
pub(super) struct Addresses(HashMap<u64, Option<&'static str>>);

impl Addresses {
    /// Those of the modules whose import tables are in the dump.
    ///
    /// - situation: a slot that is not bound yet holds a name's place in its own module; a hook may have given several functions one address.
    /// - example: the slots of Enter and of CloseHandle both lead to a tracer's stub.
    /// - handling: an address counts when a module lies there, and has a name when all slots that hold it say the same operation.
    /// - test: `what_a_slot_holds_is_a_functions_address`.
    pub(super) fn read(scene: Scene<'_, '_>) -> Self {
        let memory = &scene.dump.memory;
        let mut found: HashMap<u64, Option<&'static str>> = HashMap::new();
        for module in scene.images.modules().iter().take(MAX_MODULES) {
            let (Ok(image), Ok(imports)) = (module.image(), module.imports()) else { continue };
            let slots = imports.slots_with_names(memory, image, &NAMES);
            if !scene.flows.spend(slots.len().div_ceil(SLOTS_PER_INSTRUCTION)) {
                break;
            }
            for (slot, name) in slots {
                let Some(address) = memory.pointer(slot, image.width) else { continue };
                let is_elsewhere = !module.contains(address);
                if is_elsewhere && scene.dump.module_at(address).is_some() {
                    let known = found.entry(address).or_insert(name);
                    *known = known.filter(|known| name.is_some_and(|name| are_one(known, name)));
                }
            }
        }
        Self(found)
    }

    fn name(&self, address: u64) -> Option<(u64, &'static str)> {
        Some((address, (*self.0.get(&address)?)?))
    }
}

/// Whether two names are of one function: kernel32's are forwarded to ntdll's.
fn are_one(one: &str, other: &str) -> bool {
    let operation = Operation::of_function(one);
    one == other || operation.is_some() && operation == Operation::of_function(other)
}

/// Address and name of what a call goes to that names nothing itself.
///
/// - situation: a program calls a lock function by a pointer, and the dump lacks ntdll's exports.
/// - example: `mov eax, [delete_lock]; call eax`, where `delete_lock` was filled by GetProcAddress, and holds what the import slot of
///   DeleteCriticalSection does.
/// - handling: the address that the call goes to, by the code that surely runs before it, is looked up among those in import slots. A register
///   that functions give back has the value that the innermost frame knows, or none.
/// - test: `a_call_by_a_pointer_is_named_by_its_address`.
pub(super) fn named(
    scene: Scene<'_, '_>,
    known: &Addresses,
    innermost: &Frame,
    slot: u64,
    (return_address, site): (u64, &CallSite),
) -> Option<(u64, &'static str)> {
    let call = instruction_at(scene, site.call_address, return_address)?;
    let by_register = || ours(call.op0_register()).filter(|_| call.op0_kind() == OpKind::Register);
    // A load that lies far before may be of another way.
    let target = match (site.kind, by_register()) {
        (CallKind::Slot { content, .. }, None) => return known.name(content?),
        (_, Some(register)) => target(
            scene,
            return_address,
            site.call_address,
            Place::Register(theirs(register)),
            None,
        ),
        (CallKind::Memory, None) => {
            let (place, displacement) = memory_operand(&call, scene.dump.system.pointer_width)?;
            target(scene, return_address, site.call_address, place, Some(displacement))
        }
        _ => None,
    }?;
    let (memory, width) = (&scene.dump.memory, scene.dump.system.pointer_width);
    let base = match target.base {
        Base::Constant(address) => address,
        Base::Register(register) if register.is_stack_pointer() => {
            slot.checked_add(width.bytes())?
        }
        Base::Register(register) => innermost.registers.get(register)?,
        Base::Own(_) => return None,
    };
    known.name(target.with(memory, width, base)?)
}

/// What a place held at a call, or what was read from there with a displacement.
fn target(
    scene: Scene<'_, '_>,
    return_address: u64,
    call_address: u64,
    place: Place,
    displacement: Option<i64>,
) -> Option<Argument> {
    scene.flows.spend(8).then_some(())?;
    let run = before(scene, call_address, return_address)?;
    let displacements = displacement.map_or_else(|| vec![0], |displacement| vec![displacement, 0]);
    let walk = Walk::plain(scene.dump.system.pointer_width);
    walk.follow(straight(&run, call_address), place, displacements)
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
    const NTDLL: u64 = 0x5000_0000;
    const SP: u64 = 0x20_0000;
    /// The address of Delete, in an ntdll of which the dump has nothing.
    const DELETE: u32 = 0x5000_1000;
    /// A pointer variable, and a table whose third entry is the function.
    const VARIABLE: u32 = 0x10_7100;
    const TABLE: u32 = 0x10_7200;

    /// What the call at the end of `code` goes to, when ebx and esi of the innermost frame have these values.
    fn name(code: &[u8], registers: [u32; 2]) -> Option<&'static str> {
        name_on(Cpu::X86, code, registers, &[])
    }

    /// The same on either processor, with words that stand above the return address.
    fn name_on(cpu: Cpu, code: &[u8], [ebx, esi]: [u32; 2], above: &[u32]) -> Option<&'static str> {
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
        let words = [1].iter().chain(above);
        let size = usize::try_from(width.bytes()).unwrap();
        let bytes = words.flat_map(|word| u64::from(*word).to_le_bytes().into_iter().take(size));
        let stack: Vec<u8> = bytes.collect();
        let file = Synth::new(cpu)
            .module(PROGRAM, 0x10000, "app.exe", [1, 0, 0, 0])
            .module(NTDLL, 0x10000, "ntdll.dll", [6, 1, 0, 0])
            .memory(PROGRAM, pe.bytes())
            .memory(SP, stack)
            .build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(PROGRAM, PeBuilder::SIZE)]);
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
        named(scene, &known, &innermost, SP, (behind, &site)).map(|(_, name)| name)
    }

    const NAME: Option<&str> = Some("DeleteCriticalSection");

    #[test]
    fn a_call_by_a_pointer_is_named_by_its_address() {
        let variable = VARIABLE.to_le_bytes();
        // call [VARIABLE]; mov eax, [VARIABLE], call eax
        assert_eq!(name(&[&[0xFF, 0x15], &variable[..]].concat(), [0; 2]), NAME);
        assert_eq!(name(&[&[0xA1], &variable[..], &[0xFF, 0xD0]].concat(), [0; 2]), NAME);
        // call [ebx+8]: a table that the register leads to.
        let by_table = [0x90, 0x90, 0xFF, 0x53, 8];
        assert_eq!(name(&by_table, [TABLE, 0]), NAME);
        assert_eq!(name(&by_table, [TABLE + 4, 0]), None);
        // call esi
        let by_register = [0x90, 0x90, 0xFF, 0xD6];
        assert_eq!(name(&by_register, [0, DELETE]), NAME);
        assert_eq!(name(&by_register, [0, DELETE + 4]), None, "in the midst of it");
        // call [rsp+8]: a local; on x86 pushes may have moved it.
        let by_local = [0x90, 0x90, 0xFF, 0x54, 0x24, 8];
        assert_eq!(name_on(Cpu::Amd64, &by_local, [0; 2], &[0, DELETE]), NAME);
        assert_eq!(name_on(Cpu::Amd64, &by_local, [0; 2], &[DELETE]), None);
        assert_eq!(name_on(Cpu::X86, &by_local, [0; 2], &[0, 0, DELETE]), None);
        // mov eax, [ebx+8] is not of this call where a call lies between: eax is the called one's.
        let lost = [0x8B, 0x43, 8, 0xE8, 0, 0, 0, 0, 0xFF, 0xD0];
        assert_eq!(name(&lost, [TABLE, 0]), None);
    }

    #[test]
    fn what_did_not_surely_run_names_nothing() {
        let [variable, table] = [VARIABLE, TABLE].map(u32::to_le_bytes);
        let name = |code: &[&[u8]]| name(&code.concat(), [0; 2]);
        // mov eax, TABLE; call [eax+8]
        assert_eq!(name(&[&[0xB8], &table, &[0xFF, 0x50, 8]]), NAME);
        // ret; int3 before the call: the load is another function's.
        assert_eq!(name(&[&[0xB8], &table, &[0xC3, 0xCC, 0xFF, 0x50, 8]]), None);
        assert_eq!(name(&[&[0xA1], &variable, &[0xC3, 0xCC, 0xFF, 0xD0]]), None);
        // mov eax, ecx; je over the load
        assert_eq!(name(&[&[0x89, 0xC8, 0x74, 5, 0xB8], &table, &[0xFF, 0x50, 8]]), None);
        assert_eq!(name(&[&[0x89, 0xC8, 0x74, 5, 0xA1], &variable, &[0xFF, 0xD0]]), None);
    }

    /// The addresses in the import slots of modules, each with one.
    fn addresses(slots: &[(&str, u32)]) -> Addresses {
        let mut synth = Synth::new(Cpu::X86).module(NTDLL, 0x10000, "ntdll.dll", [6, 1, 0, 0]);
        let mut modules = Vec::new();
        for (index, (name, content)) in slots.iter().enumerate() {
            let base = 0x100_0000 + 0x10_0000 * index as u64;
            let mut pe = PeBuilder::x86();
            pe.imports("KERNEL32.dll", name);
            pe.put_u32(0x7000, *content);
            synth =
                synth.module(base, 0x10000, "library.dll", [1, 0, 0, 0]).memory(base, pe.bytes());
            modules.push((base, PeBuilder::SIZE));
        }
        let file = synth.build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, modules);
        Addresses::read(Scene { dump: &dump, images: &images, flows: &FlowCache::default() })
    }

    #[test]
    fn what_a_slot_holds_is_a_functions_address() {
        let name =
            |slots: &[(&str, u32)]| addresses(slots).name(u64::from(DELETE)).map(|(_, name)| name);
        let delete = ("DeleteCriticalSection", DELETE);
        assert_eq!(name(&[delete]), NAME);
        assert!(name(&[delete, ("RtlDeleteCriticalSection", DELETE)]).is_some(), "forwarded");
        // A hook's: two operations, or anything else, at one address, whichever is read first.
        for other in ["EnterCriticalSection", "CloseHandle", "SomethingElse"] {
            assert_eq!(name(&[delete, (other, DELETE)]), None, "{other}");
            assert_eq!(name(&[(other, DELETE), delete]), None, "{other}");
        }
        // Zero, and what the linker has left: the place of the name in the module.
        for content in [0, 0x58C0, 0x100_58C0] {
            let known = addresses(&[("EnterCriticalSection", content)]);
            assert_eq!(known.name(u64::from(content)), None, "{content:x}");
        }
    }
}
