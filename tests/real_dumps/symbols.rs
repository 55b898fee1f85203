//! ARM64 stacks against those of minidump-unwind with ntdll's symbols.
//!
//! The dump holds neither ntdll's code nor its function table, and the symbols no call-frame information: both walkers
//! have lr and frame records only. The symbols' names say where lr must count: in the stub of a service, a leaf.

use super::support;
use csdump::crash;
use csdump::crash::stack::Scene;
use csdump::dump::{Dump, DumpFile, Limits, Thread};
use csdump::image::flow::FlowCache;
use csdump::image::images::Images;
use csdump::image::registers::{Register, RegisterFile};
use minidump::{MinidumpMemory, MinidumpModuleList, Module, UnifiedMemory};
use minidump_unwind::{
    CallStack, FrameTrust, Symbolizer, SystemInfo, string_symbol_supplier, walk_stack,
};
use std::collections::{BTreeMap, HashMap};

const DUMP: &str = "mozilla-minidump-stackwalk/windows-aarch64.dmp";
const SYMBOLS: &str = "mozilla-minidump-stackwalk/symbols/ntdll-10.0.19041.662-arm64.sym";

/// The return addresses that minidump-unwind finds without scanning, innermost first.
fn with_symbols(dump: &Dump<'_>, thread: &Thread, symbols: &Symbolizer) -> Vec<u64> {
    let context = thread.context.clone().unwrap();
    let modules: MinidumpModuleList = dump.minidump.get_stream().unwrap();
    let region = dump.memory.region_at(context.get_stack_pointer()).unwrap();
    let memory = MinidumpMemory {
        desc: minidump::format::MINIDUMP_MEMORY_DESCRIPTOR::default(),
        base_address: region.base,
        size: region.bytes.len() as u64,
        bytes: region.bytes,
        endian: minidump::Endian::Little,
    };
    let system = SystemInfo {
        os: minidump::system_info::Os::Windows,
        os_version: None,
        os_build: None,
        cpu: minidump::system_info::Cpu::Arm64,
        cpu_info: None,
        cpu_microcode_version: None,
        cpu_count: 0,
    };
    let mut stack = CallStack::with_context(context);
    let memory = Some(UnifiedMemory::Memory(&memory));
    pollster::block_on(walk_stack(0, (), &mut stack, memory, &modules, &system, symbols));
    let trusted = stack.frames.iter().take_while(|frame| frame.trust != FrameTrust::Scan);
    trusted.map(|frame| frame.resume_address).collect()
}

/// Names of ntdll's functions by offset.
fn names(symbols: &str) -> BTreeMap<u64, &str> {
    symbols
        .lines()
        .filter(|line| line.starts_with("PUBLIC ") || line.starts_with("FUNC "))
        .filter_map(|line| {
            let address = u64::from_str_radix(line.split(' ').nth(1)?, 16).ok()?;
            Some((address, line.rsplit(' ').next()?))
        })
        .collect()
}

#[test]
fn arm64_stacks_are_those_that_symbols_give() {
    let (Some(path), Some(symbols)) = (support::shared(DUMP), support::shared(SYMBOLS)) else {
        return;
    };
    let file = DumpFile::open(&path, &Limits::default()).unwrap();
    let dump = Dump::parse(file.bytes()).unwrap();
    let modules: MinidumpModuleList = dump.minidump.get_stream().unwrap();
    let ntdll = modules.iter().find(|module| module.code_file().ends_with("ntdll.dll")).unwrap();
    let text = std::fs::read_to_string(symbols).unwrap();
    let names = names(&text);
    let files = HashMap::from([(ntdll.code_file().into_owned(), text.clone())]);
    let symbols = Symbolizer::new(string_symbol_supplier(files));
    let images =
        Images::new(&dump.memory, dump.modules.iter().map(|module| (module.base, module.size)));
    let scene = Scene { dump: &dump, images: &images, flows: &FlowCache::default() };
    let (mut compared, mut leaves, mut frames, mut wrong) = (0, 0, 0, Vec::new());
    for thread in dump.threads.iter().filter(|thread| thread.context.is_some()) {
        let mut theirs = with_symbols(&dump, thread, &symbols);
        let offset = theirs[0].checked_sub(ntdll.base_address()).filter(|at| *at < ntdll.size());
        let function = offset.and_then(|at| names.range(..=at).next_back()).map(|(_, name)| *name);
        let is_service =
            function.is_some_and(|name| name.starts_with("Nt") || name.starts_with("Zw"));
        // win32u.dll has nothing but services.
        let module = dump.module_at(theirs[0]);
        if is_service || module.is_some_and(|module| module.is_named("win32u.dll")) {
            // minidump-unwind skips the caller.
            let registers = thread.context.as_ref().and_then(RegisterFile::from_context).unwrap();
            theirs.insert(1, registers.get(Register::LR).unwrap());
            leaves += 1;
        }
        let ours: Vec<u64> =
            crash::thread_stack(scene, thread).iter().map(|frame| frame.registers.ip()).collect();
        compared += 1;
        frames += theirs.len();
        if !ours.starts_with(&theirs) {
            wrong
                .push(format!("thread {:#x}\n  ours   {ours:x?}\n  theirs {theirs:x?}", thread.id));
        }
    }
    println!("{compared} stacks, {leaves} of them in a service, {frames} frames compared");
    assert!(
        compared >= 100 && leaves == compared && frames > 400,
        "{compared}, {leaves}, {frames}"
    );
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}
