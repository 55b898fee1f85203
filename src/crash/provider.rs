//! The stacks of the other threads, walked by minidump-unwind with csdump's unwinder as its provider.
//!
//! The provider sets or clears *every* nonvolatile register, because the crate forwards those that a
//! provider leaves alone as if they were known to be unchanged. What the crate finds without the provider
//! (frame pointers, scans) keeps the trust that the crate gives it. An ARM64 leaf whose tables are not in the dump is
//! left by lr: the crate itself would skip its caller.

use super::frame::{Frame, Trust};
use super::names;
use super::stack::{self, Scene};
use crate::dump::memory::PointerWidth;
use crate::dump::{Cpu, Dump, Thread, stream_type};
use crate::image::IpKind;
use crate::image::pe::Machine;
use crate::image::registers::{Provenance, Register, RegisterFile};
use async_trait::async_trait;
use minidump::format::{MINIDUMP_LOCATION_DESCRIPTOR, MINIDUMP_MEMORY_DESCRIPTOR};
use minidump::{
    MinidumpContext, MinidumpMemory, MinidumpModule, MinidumpModuleList, Module, UnifiedMemory,
};
use minidump_unwind::{
    CallStack, FileError, FileKind, FillSymbolError, FrameSymbolizer, FrameTrust, FrameWalker,
    StackFrame, SymbolProvider, SystemInfo, walk_stack,
};
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

/// Most bytes of a stack given to the crate: each of its frames costs 2.7 KB and may be 16 bytes long.
const MAX_STACK: u64 = 512 << 10;

/// csdump's unwinder as a provider of call-frame information.
struct ImageProvider<'s, 'd> {
    scene: Scene<'s, 'd>,
    machine: Machine,
    /// Frames that the crate has asked about.
    frames: AtomicUsize,
    /// Most frames that it may ask about.
    limit: usize,
}

#[async_trait]
impl SymbolProvider for ImageProvider<'_, '_> {
    async fn fill_symbol(
        &self,
        _module: &(dyn Module + Sync),
        _frame: &mut (dyn FrameSymbolizer + Send),
    ) -> Result<(), FillSymbolError> {
        // The crate has no limit of its own; a future that is never ready stops it (see `walk`).
        if self.frames.fetch_add(1, Ordering::Relaxed) >= self.limit {
            std::future::pending::<()>().await;
        }
        Err(FillSymbolError {})
    }

    async fn walk_frame(
        &self,
        _module: &(dyn Module + Sync),
        walker: &mut (dyn FrameWalker + Send),
    ) -> Option<()> {
        let callee = self.callee(walker)?;
        let caller = stack::certain_step(self.scene, &callee)
            .or_else(|| stack::guessed_leaf_step(self.scene, &callee))?;
        walker.set_cfa(caller.registers.sp()?)?;
        walker.set_ra(caller.registers.ip())?;
        let width = caller.registers.width();
        for register in Register::of(self.machine) {
            // lr is no nonvolatile register, and the crate would forward none of the others.
            if register.is_stack_pointer() || !register.is_nonvolatile(width) {
                continue;
            }
            let name = register.name(width);
            match caller.registers.get(register) {
                Some(value) => {
                    let _ = walker.set_caller_register(name, value);
                }
                None => walker.clear_caller_register(name),
            }
        }
        Some(())
    }

    async fn get_file_path(
        &self,
        _module: &(dyn Module + Sync),
        _kind: FileKind,
    ) -> Result<PathBuf, FileError> {
        Err(FileError::NotFound)
    }
}

impl ImageProvider<'_, '_> {
    /// The frame that the crate wants to leave. It hands out the address inside the call, one before the
    /// return address and on ARM64 four, for every frame but the innermost.
    fn callee(&self, walker: &mut (dyn FrameWalker + Send)) -> Option<Frame> {
        let (ip, ip_kind) = if walker.has_grand_callee() {
            let back = if self.machine == Machine::Arm64 { 4 } else { 1 };
            (walker.get_instruction().checked_add(back)?, IpKind::ReturnAddress)
        } else {
            (walker.get_instruction(), IpKind::Exact)
        };
        let stack_pointer = Register::stack_pointer(self.machine);
        let width = self.scene.dump.system.pointer_width;
        let sp = walker.get_callee_register(stack_pointer.name(width))?;
        let mut registers = RegisterFile::of(self.machine, ip, sp);
        // The innermost frame of ARM64 may have its return address in lr.
        let is_needed =
            |register: Register| register.is_nonvolatile(width) || register == Register::LR;
        for register in Register::of(self.machine).filter(|register| is_needed(*register)) {
            if let Some(value) = walker.get_callee_register(register.name(width)) {
                registers.set(register, value, Provenance::Unchanged);
            }
        }
        let module =
            self.scene.dump.module_at(ip_kind.lookup_address(ip)).map(|module| module.base);
        Some(Frame {
            registers,
            ip_kind,
            trust: match ip_kind {
                IpKind::Exact => Trust::Context,
                IpKind::ReturnAddress => Trust::UnwindData,
            },
            return_slot: None,
            module,
            start: None,
            function: None,
        })
    }
}

/// Walks the stack that begins at a context, and names its frames.
#[must_use]
pub fn walk(scene: Scene<'_, '_>, context: &MinidumpContext) -> Vec<Frame> {
    let modules = crate_modules(scene.dump);
    let mut call_stack = CallStack::with_context(context.clone());
    let memory = stack_memory(scene, context.get_stack_pointer());
    let machine = machine(scene);
    let provider =
        ImageProvider { scene, machine, frames: AtomicUsize::new(0), limit: stack::MAX_FRAMES };
    let system = system_info(scene);
    let memory = memory.as_ref().map(UnifiedMemory::Memory);
    {
        let walking =
            pin!(walk_stack(0, (), &mut call_stack, memory, &modules, &system, &provider));
        // Nothing in it waits: one poll ends it, or stops it at the last frame allowed.
        let _ = walking.poll(&mut Context::from_waker(Waker::noop()));
    }
    let mut frames: Vec<Frame> = call_stack
        .frames
        .iter()
        .take(stack::MAX_FRAMES)
        .enumerate()
        .map(|(index, frame)| converted(scene, frame, index == 0))
        .collect();
    mark_guess(scene, &mut frames);
    names::name_frames(scene, &mut frames);
    frames
}

/// The modules in the crate's form. The streams of a WoW64 process list both sides' modules; its 32-bit side has
/// its own.
fn crate_modules(dump: &Dump<'_>) -> MinidumpModuleList {
    if !dump.system.is_wow64_from_32_bit() {
        return dump.minidump.get_stream().unwrap_or_default();
    }
    let converted = dump.modules.iter().filter_map(|module| {
        let size = u32::try_from(module.size).ok()?;
        Some(MinidumpModule::new(module.base, size, &module.name))
    });
    MinidumpModuleList::from_modules(converted.collect())
}

/// The stacks of all threads by minidump-processor, with csdump's unwinder as its provider: thread ids and
/// frames, in the dump's order. `None` when the dump lacks what the processor insists on (SystemInfo, ThreadList),
/// when it has more frames than are allowed, and when its handle stream is one that csdump's own reader
/// complained about: the processor reads that stream by itself, and can loop in it for ever.
#[must_use]
pub fn walk_all(scene: Scene<'_, '_>) -> Option<Vec<(u32, Vec<Frame>)>> {
    let dump = scene.dump;
    if dump.system.is_wow64_from_32_bit() {
        // The processor knows only the streams, which are the 64-bit side's.
        let of = |context: &MinidumpContext| walk(scene, context);
        let stack =
            |thread: &Thread| (thread.id, thread.context.as_ref().map(of).unwrap_or_default());
        return Some(dump.threads.iter().map(stack).collect());
    }
    let complained = dump.warnings.iter().any(|warning| warning.stream == HANDLE_DATA);
    let has_stream = dump.stream(stream_type::HANDLE_DATA).is_some();
    if has_stream && (dump.handles.is_none() || complained) {
        return None;
    }
    let limit = stack::MAX_FRAMES.checked_mul(dump.threads.len())?;
    let machine = machine(scene);
    let provider = ImageProvider { scene, machine, frames: AtomicUsize::new(0), limit };
    let mut processing = pin!(minidump_processor::process_minidump(&dump.minidump, &provider));
    // Nothing in it waits, but many threads are taken in turns.
    let mut turns = 0..=dump.threads.len();
    let state = turns.find_map(|_| {
        match processing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    })?;
    let stacks = state.ok()?.threads.into_iter().map(|call_stack| {
        let frames = call_stack.frames.iter().enumerate();
        let mut frames: Vec<Frame> =
            frames.map(|(index, frame)| converted(scene, frame, index == 0)).collect();
        mark_guess(scene, &mut frames);
        names::name_frames(scene, &mut frames);
        (call_stack.thread_id, frames)
    });
    Some(stacks.collect())
}

/// The crate takes for certain what the provider gives it: the one guess among that gets its trust back.
fn mark_guess(scene: Scene<'_, '_>, frames: &mut [Frame]) {
    let [innermost, caller, ..] = frames else { return };
    if caller.trust == Trust::UnwindData
        && stack::certain_step(scene, innermost).is_none()
        && let Some(guess) = stack::guessed_leaf_step(scene, innermost)
    {
        caller.trust = guess.trust;
    }
}

/// The handle stream's name in warnings.
const HANDLE_DATA: &str = "HandleData";

/// The region that holds the stack, in the crate's form, up to [`MAX_STACK`] bytes above the stack pointer.
fn stack_memory<'d>(scene: Scene<'_, 'd>, sp: u64) -> Option<MinidumpMemory<'d>> {
    let region = scene.dump.memory.region_at(sp)?;
    let end = usize::try_from(sp.checked_sub(region.base)?.saturating_add(MAX_STACK)).ok()?;
    let bytes = region.bytes.get(..end).unwrap_or(region.bytes);
    Some(MinidumpMemory {
        desc: MINIDUMP_MEMORY_DESCRIPTOR {
            start_of_memory_range: region.base,
            memory: MINIDUMP_LOCATION_DESCRIPTOR { data_size: 0, rva: 0 },
        },
        base_address: region.base,
        size: bytes.len() as u64,
        bytes,
        endian: minidump::Endian::Little,
    })
}

/// The machine whose registers the threads have.
fn machine(scene: Scene<'_, '_>) -> Machine {
    match (scene.dump.system.cpu, scene.dump.system.pointer_width) {
        (Cpu::Arm64, _) => Machine::Arm64,
        (_, PointerWidth::Four) => Machine::X86,
        (_, PointerWidth::Eight) => Machine::Amd64,
    }
}

fn system_info(scene: Scene<'_, '_>) -> SystemInfo {
    use minidump::system_info as crates;
    SystemInfo {
        os: crates::Os::Windows,
        os_version: None,
        os_build: None,
        cpu: match scene.dump.system.cpu {
            Cpu::X86 => crates::Cpu::X86,
            Cpu::Amd64 => crates::Cpu::X86_64,
            Cpu::Arm64 => crates::Cpu::Arm64,
            Cpu::Other(number) => crates::Cpu::Unknown(number),
        },
        cpu_info: None,
        cpu_microcode_version: None,
        cpu_count: 0,
    }
}

fn converted(scene: Scene<'_, '_>, frame: &StackFrame, is_first: bool) -> Frame {
    let width = scene.dump.system.pointer_width;
    let ip_kind = if is_first { IpKind::Exact } else { IpKind::ReturnAddress };
    let registers = RegisterFile::from_context(&frame.context).unwrap_or_else(|| {
        let ip = if is_first { frame.instruction } else { frame.resume_address };
        RegisterFile::of(machine(scene), ip, frame.context.get_stack_pointer())
    });
    let module =
        scene.dump.module_at(ip_kind.lookup_address(registers.ip())).map(|module| module.base);
    let trust = match frame.trust {
        FrameTrust::Context => Trust::Context,
        FrameTrust::CallFrameInfo => match width {
            PointerWidth::Eight => Trust::UnwindData,
            PointerWidth::Four => Trust::CallTarget,
        },
        FrameTrust::FramePointer => Trust::FramePointer,
        _ => Trust::Scan,
    };
    // On ARM64 the return address need not lie below the caller's stack pointer.
    let is_below = !is_first && registers.machine() != Machine::Arm64;
    let return_slot = registers.sp().and_then(|sp| sp.checked_sub(width.bytes()));
    let return_slot = return_slot.filter(|_| is_below);
    Frame { registers, ip_kind, trust, return_slot, module, start: None, function: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::synth::{Synth, SynthHandle, SynthThread, context};
    use crate::image::flow::FlowCache;
    use crate::image::images::Images;

    fn stacks(build: impl Fn(Synth) -> Synth) -> Option<Vec<(u32, Vec<Frame>)>> {
        let registers = context(Cpu::Amd64, &[("rip", 0x40_0010), ("rsp", 0x10_0000)]);
        let thread = |id| SynthThread {
            id,
            context: &registers,
            stack_base: 0x10_0000,
            stack: &[0; 64],
            ..SynthThread::default()
        };
        let dump = Synth::new(Cpu::Amd64).module(0x40_0000, 0x1000, "app.exe", [1, 0, 0, 0]);
        let file = build(dump.thread(&thread(7)).thread(&thread(8))).build();
        let dump = Dump::parse(&file).unwrap();
        let images = Images::new(&dump.memory, [(0x40_0000, 0x1000)]);
        walk_all(Scene { dump: &dump, images: &images, flows: &FlowCache::default() })
    }

    #[test]
    fn the_processor_walks_all_threads() {
        let found = stacks(|dump| dump).unwrap();
        let ids: Vec<_> = found.iter().map(|(id, frames)| (*id, frames.len())).collect();
        assert_eq!(ids, [(7, 1), (8, 1)]);
        assert_eq!(found[0].1[0].registers.ip(), 0x40_0010);
    }

    #[test]
    fn the_processor_never_sees_a_handle_stream_that_was_refused() {
        let good = SynthHandle { value: 4, type_name: "Event", ..SynthHandle::default() };
        assert!(stacks(|dump| dump.handle(&good)).is_some());
        // SizeOfDescriptor 1: refused.
        let bad = [16_u32, 1, 1, 0, 0, 0, 0, 0].map(u32::to_le_bytes).concat();
        assert!(stacks(|dump| dump.stream(stream_type::HANDLE_DATA, bad.clone())).is_none());
    }
}
