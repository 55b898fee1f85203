//! Back traces through Windows 7's own ntdll, whose functions are cut into parts: made of real return addresses, because no
//! real dump with a handle trace was found.

use super::support;
use csdump::crash::back_trace;
use csdump::crash::stack::Scene;
use csdump::dump::{Dump, DumpFile, Limits, Module};
use csdump::image::flow::FlowCache;
use csdump::image::images::Images;

const X64: &str = "win7-code/closed-x64-full.dmp";
const X86: &str = "win7-code/closed-x86-full.dmp";

/// Looks at a dump's scene and its ntdll, when the dump is on this machine.
fn with_scene(name: &str, look: impl FnOnce(Scene<'_, '_>, &Module)) {
    let Some(path) = support::shared(name) else { return };
    let file = DumpFile::open(&path, &Limits::default()).unwrap();
    let dump = Dump::parse(file.bytes()).unwrap();
    let images =
        Images::new(&dump.memory, dump.modules.iter().map(|module| (module.base, module.size)));
    let flows = FlowCache::default();
    let scene = Scene { dump: &dump, images: &images, flows: &flows };
    look(scene, dump.modules.iter().find(|module| module.is_named("ntdll.dll")).unwrap());
}

/// Address of an export of ntdll.
fn export(scene: Scene<'_, '_>, ntdll: &Module, name: &str) -> u64 {
    let at = (ntdll.base..ntdll.base + ntdll.size)
        .find(|address| scene.export_at(*address).as_deref() == Some(name));
    at.unwrap_or_else(|| panic!("ntdll has no {name}"))
}

/// Return addresses behind the direct calls (E8) of ntdll to `target`.
fn calls(scene: Scene<'_, '_>, ntdll: &Module, target: u64) -> Vec<u64> {
    let width = scene.dump.system.pointer_width;
    let byte = |address| scene.dump.memory.u8(address);
    let word = |address: u64| {
        let bytes = [byte(address)?, byte(address + 1)?, byte(address + 2)?, byte(address + 3)?];
        Some(i64::from(i32::from_le_bytes(bytes)))
    };
    (ntdll.base..ntdll.base + ntdll.size)
        .filter(|address| byte(*address) == Some(0xE8))
        .map(|address| address + 5)
        .filter(|end| {
            word(end - 4).is_some_and(|far| width.truncate(end.wrapping_add_signed(far)) == target)
        })
        .collect()
}

fn names(scene: Scene<'_, '_>, addresses: &[u64]) -> Vec<String> {
    let frames = back_trace::frames(scene, addresses.iter().copied());
    let name = |frame: &csdump::crash::frame::Frame| {
        frame.function.as_ref().map_or_else(|| "?".to_owned(), |function| function.name.clone())
    };
    frames.iter().map(name).collect()
}

fn is_close(name: &str) -> bool {
    matches!(name, "NtClose" | "ZwClose")
}

#[test]
fn a_close_within_delete_is_named_by_unwind_data() {
    with_scene(X64, |scene, ntdll| {
        let close = export(scene, ntdll, "NtClose");
        let sites = calls(scene, ntdll, close);
        assert!(sites.len() > 50, "{}", sites.len());
        let named: Vec<Vec<String>> =
            sites.iter().map(|site| names(scene, &[close + 0xA, *site])).collect();
        // One call in Delete itself: for the event.
        let of_delete = named.iter().filter(|names| names[1] == "RtlDeleteCriticalSection");
        assert_eq!(of_delete.count(), 1);
        let of_service = named.iter().filter(|names| is_close(&names[0])).count();
        assert!(of_service * 10 >= named.len() * 9, "{of_service} of {}", named.len());
    });
}

#[test]
fn a_close_within_delete_is_named_by_the_call_to_delete() {
    with_scene(X86, |scene, ntdll| {
        let close = export(scene, ntdll, "NtClose");
        let delete = export(scene, ntdll, "RtlDeleteCriticalSection");
        let callers = calls(scene, ntdll, delete);
        assert!(!callers.is_empty());
        let sites = calls(scene, ntdll, close);
        let caller = callers[0];
        let of_delete: Vec<u64> = sites
            .iter()
            .copied()
            .filter(|site| {
                names(scene, &[close + 0x12, *site, caller])[1] == "RtlDeleteCriticalSection"
            })
            .collect();
        assert_eq!(of_delete.len(), 1, "{of_delete:x?}");
        // A walk that misses the return address into Delete still has the call to it.
        let called = back_trace::called_from(scene, caller);
        assert_eq!(called.as_deref(), Some("RtlDeleteCriticalSection"));
    });
}
