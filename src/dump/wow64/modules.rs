//! Which modules of a WoW64 process belong to its 32-bit side.

use super::FOUR_GIB;
use crate::dump::memory::AddressSpace;
use crate::dump::{Dump, Module, Peb};

/// IMAGE_FILE_MACHINE_I386 (winnt.h).
const MACHINE_I386: u16 = 0x14C;
/// Largest e_lfanew believed; the headers of an image are its first page.
const MAX_NT_HEADERS: u32 = 0x1000;
/// The modules that run 32-bit code on 64-bit Windows, themselves 64-bit; the last two since Windows 10.
const BRIDGE: [&str; 5] =
    ["wow64.dll", "wow64win.dll", "wow64cpu.dll", "wow64base.dll", "wow64con.dll"];

/// The 32-bit modules, in the dump's order.
///
/// - situation: both sides' modules stand in one list, two of them with the name ntdll.dll, and on Windows 7 all below 4 GiB.
/// - example: fizzbuzz_wow64.dmp: ntdll.dll at 0x77ae0000 (64-bit) and at 0x77cc0000 (32-bit); a 32-bit DLL whose path says System32.
/// - handling: the Machine field of the image's header decides; where that is not in the dump, the names of the WoW64
///   layer are 64-bit, and of several ntdll.dll the one that holds the 32-bit PEB's LoaderLock, or lies in SysWOW64, is 32-bit.
/// - test: `modules_are_told_apart` (dump::wow64).
pub(super) fn of_x86_side(dump: &Dump<'_>, peb: Option<&Peb>) -> Vec<Module> {
    let sides = Sides {
        memory: &dump.memory,
        loader_lock: peb.and_then(|peb| peb.loader_lock),
        other_loader_lock: dump.system.peb.as_ref().and_then(|peb| peb.loader_lock),
    };
    let known =
        |module: &&Module| module.is_named("ntdll.dll") && sides.ntdll(module) == Some(true);
    let has_ntdll = dump.modules.iter().any(|module| known(&module));
    let is_x86 = |module: &&Module| sides.is_x86(module, has_ntdll);
    dump.modules.iter().filter(is_x86).cloned().collect()
}

/// What tells the two sides apart.
struct Sides<'s, 'a> {
    memory: &'s AddressSpace<'a>,
    loader_lock: Option<u64>,
    other_loader_lock: Option<u64>,
}

impl Sides<'_, '_> {
    fn is_x86(&self, module: &Module, has_ntdll: bool) -> bool {
        if module.end() > FOUR_GIB {
            return false;
        }
        if let Some(machine) = machine(self.memory, module.base) {
            return machine == MACHINE_I386;
        }
        if module.is_named("ntdll.dll") {
            return self.ntdll(module).unwrap_or(!has_ntdll);
        }
        !BRIDGE.iter().any(|name| module.is_named(name))
    }

    /// Whether a module named ntdll.dll is the 32-bit one; `None` when nothing tells.
    fn ntdll(&self, module: &Module) -> Option<bool> {
        let holds = |address: Option<u64>| {
            address.is_some_and(|address| (module.base..module.end()).contains(&address))
        };
        if module.end() > FOUR_GIB {
            return Some(false);
        }
        if let Some(machine) = machine(self.memory, module.base) {
            return Some(machine == MACHINE_I386);
        }
        if holds(self.loader_lock) {
            return Some(true);
        }
        let is_other = holds(self.other_loader_lock);
        let in_syswow64 = module.name.to_ascii_lowercase().contains("\\syswow64\\");
        (is_other || in_syswow64).then_some(!is_other)
    }
}

/// IMAGE_FILE_HEADER.Machine of the image at `base`: e_magic `MZ` at +0, e_lfanew at +0x3C, there `PE\0\0`, then Machine.
fn machine(memory: &AddressSpace<'_>, base: u64) -> Option<u16> {
    let nt_headers = memory.u32(base.checked_add(0x3C)?)?;
    let at = base.checked_add(nt_headers.into())?;
    let is_image = memory.u16(base)? == u16::from_le_bytes(*b"MZ")
        && nt_headers <= MAX_NT_HEADERS
        && memory.u32(at)? == u32::from_le_bytes(*b"PE\0\0");
    memory.u16(at.checked_add(4)?).filter(|_| is_image)
}
