//! The locks of heaps: critical sections inside the heaps' own headers, which heap functions leave with code of
//! their own (critical-sections.md 4.2).

use super::candidate::Way;
use super::exception::EffectiveException;
use super::frame::Frame;
use super::locate::{self, Located, Search};
use super::operation::{self, Failure, Operation, OperationSource};
use super::stack::Scene;
use super::waits::Waits;
use super::{LockFailure, is_ntdll};
use crate::critsec::debug_info::{self, DebugInfoState};
use crate::critsec::gate::Gate;
use crate::critsec::layout::{Layout, RawCriticalSection};
use crate::critsec::lock_count::LockCountEncoding;
use crate::critsec::spin_count;
use crate::dump::Dump;

/// Most heaps looked at.
const MAX_HEAPS: u32 = 256;
/// Bytes of a heap's header that its lock lies in: at 0x138 to 0x2C0 in those seen (dumps/INDEX.md, fact 11).
const HEADER: u64 = 0x1000;

/// A heap and its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeapLock {
    /// Address of the heap.
    pub heap: u64,
    /// Address of its section.
    pub section: u64,
}

/// The locks of the process's heaps, as far as PEB and heap headers are in the dump.
#[must_use]
pub fn all(dump: &Dump<'_>) -> Vec<HeapLock> {
    heaps(dump).filter_map(|heap| lock_of(dump, heap)).collect()
}

/// The heap whose lock the section at an address is.
#[must_use]
pub fn heap_of(dump: &Dump<'_>, section: u64) -> Option<u64> {
    heaps(dump)
        .filter(|heap| section.checked_sub(*heap).is_some_and(|offset| offset < HEADER))
        .find(|heap| lock_of(dump, *heap).is_some_and(|lock| lock.section == section))
}

/// The heaps' addresses: PEB.ProcessHeaps.
fn heaps<'d>(dump: &'d Dump<'_>) -> impl Iterator<Item = u64> + use<'d> {
    let width = dump.system.pointer_width;
    let peb = dump.system.peb.as_ref();
    let array = peb.and_then(|peb| peb.process_heaps);
    let count = peb.and_then(|peb| peb.number_of_heaps).unwrap_or(0).min(MAX_HEAPS);
    let listed = (0..u64::from(count)).map_while(move |index| {
        dump.memory.pointer(array?.checked_add(index.checked_mul(width.bytes())?)?, width)
    });
    listed.filter(move |heap| debug_info::is_possible_pointer(*heap, width))
}

/// The lock in a heap's header.
///
/// - situation: the header's layout changes from version to version, but LockVariable is a pointer in it to a section
///   in it.
/// - example: 0x138 in Windows 7 x86, 0x2A0 in Windows 10 16299 x64.
/// - handling: a section with a debug record of its own counts by itself; one without, or one that is damaged, when a
///   word of the header points to it and it was initialised by its spin count.
/// - test: `a_heaps_lock_is_found_without_offsets`.
fn lock_of(dump: &Dump<'_>, heap: u64) -> Option<HeapLock> {
    let width = dump.system.pointer_width;
    let size = Layout::of(width).size;
    let words = HEADER.checked_div(width.bytes())?;
    let last = HEADER.saturating_sub(size);
    let inside = |address: u64| {
        address.checked_sub(heap).is_some_and(|offset| (0x40..=last).contains(&offset))
    };
    let own = |address: u64| {
        let raw = RawCriticalSection::read(&dump.memory, address, width)?;
        Some((raw, debug_info::state(&dump.memory, address, &raw, width)))
    };
    let places =
        || (8..words).filter_map(|index| heap.checked_add(index.checked_mul(width.bytes())?));
    let by_record = places().filter(|address| inside(*address)).find(|address| {
        matches!(own(*address), Some((_, DebugInfoState::Own(record))) if record.kind <= 1)
    });
    let by_pointer = || {
        places().filter_map(|place| dump.memory.pointer(place, width)).find(|target| {
            let is_made = |(raw, state): (RawCriticalSection, DebugInfoState)| {
                spin_count::is_plausible(raw.spin_count)
                    && raw.spin_count != 0
                    && !matches!(state, DebugInfoState::Impossible | DebugInfoState::Null)
            };
            inside(*target)
                && target.is_multiple_of(width.bytes())
                && own(*target).is_some_and(is_made)
        })
    };
    let section = by_record.or_else(by_pointer)?;
    Some(HeapLock { heap, section })
}

/// Heap functions of Windows 10 leave the heap's lock with code of their own: no RtlLeaveCriticalSection frame
/// (critical-sections.md 4.2).
///
/// - situation: a handle status raised by RtlRaiseStatus out of a heap function of ntdll.
/// - example: RtlRaiseStatus under RtlFreeHeap, the heap's lock damaged.
/// - handling: a failed Leave. The section is the one heap lock that passes the gate; where no heap lock is known
///   it is any section that does, and the operation counts as inferred.
/// - test: `a_heap_lock_is_named_by_its_heap`.
pub(super) fn failure(
    scene: Scene<'_, '_>,
    frames: &[Frame],
    exception: &EffectiveException,
    encoding: LockCountEncoding,
    index: usize,
) -> Option<LockFailure> {
    let name = |index: usize| Some(frames.get(index)?.function.as_ref()?.name.as_str());
    let code = exception.record.code;
    let is_heap = is_ntdll(scene.dump, frames.get(index)?.module) && is_heap_function(name(index)?);
    if !operation::is_handle_status(code) || name(0) != Some("RtlRaiseStatus") || !is_heap {
        return None;
    }
    let failure = Failure::Signal(code);
    let own = the_one_left(scene, encoding);
    let (source, located) = match own {
        Some(located) => (OperationSource::Exports, Some(located)),
        None => {
            let search = Search { frames, found: None, exception, failure, encoding };
            (OperationSource::Inferred, locate::locate(scene, search).1)
        }
    };
    Some(LockFailure {
        operation: Some(Operation::Leave),
        source,
        failure,
        caller: frames
            .iter()
            .skip(index)
            .position(|frame| !is_ntdll(scene.dump, frame.module))
            .and_then(|more| index.checked_add(more)),
        located,
    })
}

/// The only heap lock that looks as a Leave leaves it when its signal fails.
fn the_one_left(scene: Scene<'_, '_>, encoding: LockCountEncoding) -> Option<Located> {
    let candidate = |lock: HeapLock| {
        let text = format!("lock of the heap at {:#x}", lock.heap);
        let way = Way { text, score: 4, ..Way::default() };
        locate::judge(scene, encoding, lock.section, vec![way])
    };
    let locks = all(scene.dump);
    let mut left = locks
        .iter()
        .map(|lock| candidate(*lock))
        .filter(|candidate| candidate.gate == Some(Gate::AfterSignal));
    let first = left.next()?;
    let others = locks.len().saturating_sub(1);
    left.next().is_none().then(|| Located {
        candidate: first,
        argument: None,
        others,
        waits: Waits::read(scene),
    })
}

fn is_heap_function(name: &str) -> bool {
    name.starts_with("Rtl") && name.contains("Heap")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::Cpu;
    use crate::dump::memory::PointerWidth;
    use crate::dump::synth::{Synth, SynthThread, context, peb, teb};

    const HEAP: u64 = 0x25_0000;

    /// A dump with a PEB that lists one heap, and the heap's header.
    fn dump_with(header: &[u8]) -> Vec<u8> {
        let width = PointerWidth::Eight;
        let mut block = peb(width, (10, 0, 19045), 0x40_0000);
        block[0xE8..0xEC].copy_from_slice(&1u32.to_le_bytes());
        block[0xF0..0xF8].copy_from_slice(&0x7_2000_u64.to_le_bytes());
        let registers = context(Cpu::Amd64, &[("rsp", 0x10_0800)]);
        let thread = SynthThread {
            id: 1,
            teb: 0x7_0000,
            stack_base: 0x10_0000,
            stack: &[0; 0x1000],
            context: &registers,
            ..SynthThread::default()
        };
        Synth::new(Cpu::Amd64)
            .thread(&thread)
            .memory(0x7_0000, teb(width, 0x7_0000, 0x7_4000, (8, 1), (0x10_0000, 0x10_1000)))
            .memory(0x7_2000, HEAP.to_le_bytes())
            .memory(0x7_4000, block)
            .memory(HEAP, header)
            .build()
    }

    fn put(bytes: &mut [u8], at: usize, value: u64) {
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }

    fn section(header: &mut [u8], at: usize, debug_info: u64, spin_count: u64) {
        put(header, at, debug_info);
        put(header, at + 8, 0xFFFF_FFFD);
        put(header, at + 0x18, 0x64);
        put(header, at + 0x20, spin_count);
    }

    fn found(header: &[u8]) -> Option<u64> {
        let file = dump_with(header);
        let dump = Dump::parse(&file).unwrap();
        all(&dump).first().map(|lock| lock.section - HEAP)
    }

    #[test]
    fn a_heaps_lock_is_found_without_offsets() {
        // Without a record: LockVariable points to it.
        let mut header = vec![0; 0x1000];
        section(&mut header, 0x2A0, u64::MAX, 0xFA0);
        assert_eq!(found(&header), None);
        put(&mut header, 0x168, HEAP + 0x2A0);
        assert_eq!(found(&header), Some(0x2A0));
        // A list's head in the header points into the header too, and is no section.
        let mut header = vec![0; 0x1000];
        put(&mut header, 0x120, HEAP + 0x120);
        put(&mut header, 0x128, HEAP + 0x120);
        assert_eq!(found(&header), None);
        // By its own record, wherever it lies.
        let mut header = vec![0; 0x1000];
        section(&mut header, 0x208, HEAP + 0x800, 0xFA0);
        put(&mut header, 0x808, HEAP + 0x208);
        assert_eq!(found(&header), Some(0x208));
    }

    #[test]
    fn a_heap_lock_is_named_by_its_heap() {
        assert!(is_heap_function("RtlFreeHeap") && is_heap_function("RtlpAllocateHeap"));
        assert!(!is_heap_function("RtlLeaveCriticalSection") && !is_heap_function("HeapFree"));
        let mut header = vec![0; 0x1000];
        section(&mut header, 0x2A0, u64::MAX, 0xFA0);
        put(&mut header, 0x168, HEAP + 0x2A0);
        let file = dump_with(&header);
        let dump = Dump::parse(&file).unwrap();
        assert_eq!(heap_of(&dump, HEAP + 0x2A0), Some(HEAP));
        assert_eq!(heap_of(&dump, HEAP + 0x2A8), None);
        let images = crate::image::images::Images::new(&dump.memory, []);
        let flows = crate::image::flow::FlowCache::default();
        let scene = Scene { dump: &dump, images: &images, flows: &flows };
        let located = the_one_left(scene, LockCountEncoding::Flags).unwrap();
        assert_eq!(located.candidate.address, HEAP + 0x2A0);
        assert_eq!(located.candidate.ways[0].text, "lock of the heap at 0x250000");
    }
}
