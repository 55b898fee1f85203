//! The image code on Windows 7's own ntdll, out of real dumps.
#![allow(clippy::arithmetic_side_effects)]

use super::IpKind;
use super::call_target::{call_site, callee};
use super::exports::{ExportTarget, Exports};
use super::fixtures::{memory, modules, real_dump, space_of, threads};
use super::images::Images;
use super::imports::ImportSymbol;
use super::pe::Image;
use super::registers::{Provenance, Register, RegisterFile};
use super::runtime_functions::primary_function;
use super::unwind_x64::{StepTrust, step};
use crate::dump::memory::PointerWidth;
use minidump::{MinidumpException, MinidumpMemory64List, MinidumpSystemInfo};

/// LeaveCriticalSection raising 0xC0000008 on x64: RtlRaiseStatus, called by a split-off part of
/// RtlLeaveCriticalSection, called by the application (critical-sections.md 0.1).
#[test]
fn unwinds_the_throw_to_the_application() {
    let Some(dump) = real_dump("win7-code/closed-x64-full.dmp") else { return };
    let parts = memory(&dump.get_stream::<MinidumpMemory64List<'_>>().unwrap());
    let space = space_of(&parts);
    let modules = modules(&dump);
    let system = dump.get_stream::<MinidumpSystemInfo>().unwrap();
    let exception = dump.get_stream::<MinidumpException<'_>>().unwrap();
    let context = exception.context(&system, None).unwrap();
    let registers = RegisterFile::from_context(&context).unwrap();
    assert_ne!(registers.get(Register::Rbx), Some(0x1_4000_5098));

    let module_at = |ip: u64| modules.iter().find(|(base, size, _)| ip.wrapping_sub(*base) < *size);
    let (base, size, _) = module_at(registers.ip()).unwrap();
    let ntdll = Image::parse(&space, *base, *size).unwrap();
    let exports = Exports::read(&space, &ntdll).unwrap();
    assert!(exports.is_complete() && exports.len() > 1500);
    let name = |rva: Option<u32>| exports.name_at(&space, &ntdll, rva.unwrap()).unwrap();

    let leave = step(&space, &ntdll, &registers, IpKind::Exact).unwrap();
    assert_eq!(name(leave.function), "RtlRaiseStatus");
    assert_eq!(leave.trust, StepTrust::UnwindInfo);
    assert_eq!(leave.registers.get(Register::Rbx), Some(0x1_4000_5098));
    assert!(matches!(leave.registers.provenance(Register::Rbx), Provenance::Restored { .. }));
    assert_eq!(leave.registers.get(Register::Rax), None);

    let rva = ntdll.rva(leave.registers.ip() - 1).unwrap();
    let entry = primary_function(&space, &ntdll, rva).unwrap();
    assert_eq!(name(entry), "RtlLeaveCriticalSection");
    let below = exports.nearest_below(&space, &ntdll, rva).unwrap();
    assert_ne!(below.name, "RtlLeaveCriticalSection", "the naive answer is wrong here");

    let application = step(&space, &ntdll, &leave.registers, leave.ip_kind).unwrap();
    assert_eq!(application.function, entry);
    let (base, size, _) = module_at(application.registers.ip()).unwrap();
    assert_eq!(*base, 0x1_4000_0000);
    Image::parse(&space, *base, *size).unwrap();
}

/// Every function table entry of the 64-bit images leads to a primary function.
#[test]
fn every_record_of_a_real_ntdll_decodes() {
    let Some(dump) = real_dump("llvm-lldb/fizzbuzz_wow64.dmp") else { return };
    let parts = memory(&dump.get_stream::<MinidumpMemory64List<'_>>().unwrap());
    let space = space_of(&parts);
    let mut seen = 0;
    for (base, size, _) in modules(&dump) {
        let image = Image::parse(&space, base, size).unwrap();
        let Ok(table) = image.directory(super::pe::DirectoryKind::Exception) else { continue };
        if image.machine != super::pe::Machine::Amd64 {
            continue;
        }
        for index in 0..table.size / 12 {
            let begin = space.u32(base + u64::from(table.rva + index * 12)).unwrap();
            let primary = primary_function(&space, &image, begin);
            assert!(matches!(primary, Ok(Some(_))), "{base:#x}+{begin:#x}: {primary:?}");
            seen += 1;
        }
    }
    assert!(seen > 4000, "{seen}");
}

#[test]
fn kernel32_forwards_to_ntdll() {
    let Some(dump) = real_dump("llvm-lldb/fizzbuzz_wow64.dmp") else { return };
    let parts = memory(&dump.get_stream::<MinidumpMemory64List<'_>>().unwrap());
    let space = space_of(&parts);
    let modules = modules(&dump);
    let is_kernel32 = |name: &str| name.to_ascii_lowercase().ends_with("kernel32.dll");
    let (base, size, _) = modules.iter().find(|(_, _, name)| is_kernel32(name)).unwrap();
    let image = Image::parse(&space, *base, *size).unwrap();
    let exports = Exports::read(&space, &image).unwrap();
    assert_eq!(
        exports.find(&space, &image, "LeaveCriticalSection"),
        Some(ExportTarget::Forwarder("NTDLL.RtlLeaveCriticalSection".into()))
    );
}

/// On x86 the call before each return address names the callee: eip of the throw stands behind the call
/// of RtlRaiseStatus, in a part of ntdll whose nearest export is another function.
#[test]
fn names_the_x86_callee_by_the_call() {
    let Some(dump) = real_dump("win7-code/closed-x86-full.dmp") else { return };
    let parts = memory(&dump.get_stream::<MinidumpMemory64List<'_>>().unwrap());
    let space = space_of(&parts);
    let modules = modules(&dump);
    let images = Images::new(&space, modules.iter().map(|(base, size, _)| (*base, *size)));
    let system = dump.get_stream::<MinidumpSystemInfo>().unwrap();
    let exception = dump.get_stream::<MinidumpException<'_>>().unwrap();
    let context = exception.context(&system, None).unwrap();
    let registers = RegisterFile::from_context(&context).unwrap();
    assert_eq!(registers.get(Register::Rsi), Some(0x40_4054));

    let width = PointerWidth::Four;
    let name = |return_address: u64| {
        let site = call_site(&images, return_address, width)?;
        callee(&images, &site, width)?.name().map(str::to_owned)
    };
    assert_eq!(name(registers.ip()).as_deref(), Some("RtlRaiseStatus"));
    let function = images.function_of_frame(registers.ip(), IpKind::Exact).unwrap();
    assert_eq!((function.start, function.exported), (None, None));
    assert!(function.nearest.unwrap().distance > 0x1000);

    let sp = registers.sp().unwrap();
    let words: Vec<u64> =
        (0..64).filter_map(|slot| space.u32(sp + slot * 4)).map(u64::from).collect();
    let found: Vec<String> = words
        .iter()
        .filter(|word| images.may_be_code(**word))
        .filter_map(|word| name(*word))
        .collect();
    assert!(found.iter().any(|name| name == "RtlLeaveCriticalSection"), "{found:?}");
}

/// The call sites of the x64 throw agree with what the unwind data says.
#[test]
fn names_the_x64_callees_by_the_calls() {
    let Some(dump) = real_dump("win7-code/closed-x64-full.dmp") else { return };
    let parts = memory(&dump.get_stream::<MinidumpMemory64List<'_>>().unwrap());
    let space = space_of(&parts);
    let modules = modules(&dump);
    let images = Images::new(&space, modules.iter().map(|(base, size, _)| (*base, *size)));
    let system = dump.get_stream::<MinidumpSystemInfo>().unwrap();
    let exception = dump.get_stream::<MinidumpException<'_>>().unwrap();
    let context = exception.context(&system, None).unwrap();
    let mut registers = RegisterFile::from_context(&context).unwrap();
    let mut kind = IpKind::Exact;
    for expected in ["RtlRaiseStatus", "RtlLeaveCriticalSection"] {
        let function = images.function_of_frame(registers.ip(), kind).unwrap();
        assert_eq!(function.exported.as_deref(), Some(expected));
        let image = images.image_at(kind.lookup_address(registers.ip())).unwrap();
        let caller = step(&space, image, &registers, kind).unwrap();
        let width = PointerWidth::Eight;
        let site = call_site(&images, caller.registers.ip(), width).unwrap();
        match callee(&images, &site, width) {
            Some(callee) => assert_eq!(callee.name(), Some(expected), "{site:x?}"),
            None => panic!("{site:x?} has no name"),
        }
        (registers, kind) = (caller.registers, caller.ip_kind);
    }
}

/// Each bound slot of a real process leads to the export that the lookup table names, but for forwarders
/// and aliases.
#[test]
fn import_names_agree_with_what_the_slots_hold() {
    let Some(dump) = real_dump("llvm-lldb/fizzbuzz_wow64.dmp") else { return };
    let parts = memory(&dump.get_stream::<MinidumpMemory64List<'_>>().unwrap());
    let space = space_of(&parts);
    let modules = modules(&dump);
    let images = Images::new(&space, modules.iter().map(|(base, size, _)| (*base, *size)));
    let (mut same, mut other, mut nameless) = (0, Vec::new(), 0);
    for module in images.modules() {
        let image = module.image().unwrap();
        let table = image.directory(super::pe::DirectoryKind::ImportAddressTable);
        let Ok(table) = table else { continue };
        let width = image.width.bytes();
        for index in 0..u64::from(table.size) / width {
            let slot = image.base + u64::from(table.rva) + index * width;
            let Some(import) = module.import_at(slot) else { continue };
            let ImportSymbol::Name(name) = import.symbol else { continue };
            let target = space.pointer(slot, image.width).unwrap();
            let Some(target_module) = images.module_at(target) else {
                nameless += 1;
                continue;
            };
            let target_image = target_module.image().unwrap();
            let rva = target_image.rva(target).unwrap();
            let names = target_module.exports().unwrap().names_at(&space, target_image, rva);
            if names.contains(&name) { same += 1 } else { other.push((name, names)) }
        }
    }
    assert!(same > 3000 && other.len() < 100 && nameless == 0, "{same} {nameless} {other:?}");
    assert!(other.iter().all(|(_, names)| !names.is_empty()), "{other:?}");
}

/// Every 64-bit thread of a real process unwinds to the function that threads begin in, whose caller is
/// address 0.
#[test]
fn walks_real_threads_to_their_start() {
    let Some(dump) = real_dump("llvm-lldb/fizzbuzz_wow64.dmp") else { return };
    let parts = memory(&dump.get_stream::<MinidumpMemory64List<'_>>().unwrap());
    let space = space_of(&parts);
    let images =
        Images::new(&space, modules(&dump).into_iter().map(|(base, size, _)| (base, size)));
    let system = dump.get_stream::<MinidumpSystemInfo>().unwrap();
    for thread in &threads(&dump).threads {
        let context = thread.context(&system, None).unwrap();
        let mut registers = RegisterFile::from_context(&context).unwrap();
        let mut kind = IpKind::Exact;
        let mut names = Vec::new();
        while registers.ip() != 0 && names.len() < 64 {
            let image = images.image_at(kind.lookup_address(registers.ip())).unwrap();
            let function = images.function_of_frame(registers.ip(), kind).unwrap();
            names.push(function.exported.unwrap_or_else(|| format!("{:x?}", function.start)));
            let caller = step(&space, image, &registers, kind).unwrap();
            (registers, kind) = (caller.registers, caller.ip_kind);
        }
        assert_eq!(registers.ip(), 0, "{names:?}");
    }
}
