//! Facts that no dump of the lab shows, on dumps made for them: a Windows 10 x64 process with two threads, and a
//! section at [`SECTION`] on which a call failed.

use super::*;
use crate::crash::exception;
use crate::crash::frame::{Frame, FunctionName, NameSource, Trust};
use crate::crash::locate::{self, Located};
use crate::crash::operation::{Operation, OperationSource};
use crate::crash::waits::Waits;
use crate::critsec::debug_info::ListedSection;
use crate::critsec::handle;
use crate::critsec::layout::RawCriticalSection;
use crate::critsec::lock_count::LockCountEncoding;
use crate::dump::memory::PointerWidth;
use crate::dump::synth::{Synth, SynthHandle, SynthThread, context, peb, teb};
use crate::dump::{Cpu, Dump};
use crate::image::IpKind;
use crate::image::flow::FlowCache;
use crate::image::images::Images;
use crate::image::registers::RegisterFile;

const WIDTH: PointerWidth = PointerWidth::Eight;
pub(super) const PAGE: u64 = 0x14_0000;
pub(super) const SECTION: u64 = PAGE + 0x400;
pub(super) const STACK: u64 = 0x20_0000;
const LDR: u64 = 0x7F_2000;
const INVALID: u32 = exception::INVALID_HANDLE;

/// The pieces of the process that a test changes.
pub(super) struct World {
    pub(super) page: Vec<u8>,
    pub(super) peb: Vec<u8>,
    pub(super) teb: Vec<u8>,
    pub(super) ldr: Vec<u8>,
    pub(super) stack: Vec<u8>,
    pub(super) version: (u32, u32, u16),
    pub(super) frames: &'static [&'static str],
    pub(super) failure: Failure,
    pub(super) encoding: LockCountEncoding,
    pub(super) passed: Option<u64>,
    /// The section's address.
    pub(super) at: u64,
    /// The process's list, which is closed: each record, and the section that it names.
    pub(super) records: Vec<(u64, u64)>,
    pub(super) more: fn(Synth) -> Synth,
}

impl World {
    /// Windows 10 with a section that a Leave has just released to one waiter, and no event.
    pub(super) fn new() -> Self {
        let version = (10, 0, 19041);
        let mut world = Self {
            page: vec![0; 0x1000],
            peb: peb(WIDTH, version, 0),
            teb: teb(WIDTH, 0x7E_0000, 0x7F_0000, (1, 7), (0x10_0000, 0x10_1000)),
            ldr: vec![0; 0x60],
            stack: vec![0; 0x400],
            version,
            frames: &["RtlRaiseStatus", "RtlLeaveCriticalSection"],
            failure: Failure::Signal(INVALID),
            encoding: LockCountEncoding::Flags,
            passed: None,
            at: SECTION,
            records: Vec::new(),
            more: |synth| synth,
        };
        put(&mut world.peb, 0x18, LDR);
        world.section(SECTION, (u64::MAX, -3, 0, 0, 0x1F0, 0x0200_07D0));
        world
    }

    /// DebugInfo, LockCount, RecursionCount, OwningThread, LockSemaphore, SpinCount.
    pub(super) fn section(&mut self, address: u64, fields: (u64, i32, i32, u64, u64, u64)) {
        let at = usize::try_from(address - PAGE).unwrap();
        put(&mut self.page, at, fields.0);
        self.page[at + 8..at + 12].copy_from_slice(&fields.1.to_le_bytes());
        self.page[at + 12..at + 16].copy_from_slice(&fields.2.to_le_bytes());
        for (index, value) in [fields.3, fields.4, fields.5].into_iter().enumerate() {
            put(&mut self.page, at + 16 + index * 8, value);
        }
    }

    pub(super) fn found(&self) -> Vec<Finding> {
        self.found_with_cuts().0
    }

    /// The findings, and the searches that ended at their bounds.
    fn found_with_cuts(&self) -> (Vec<Finding>, Vec<&'static str>) {
        let (major, minor, build) = self.version;
        let registers = context(Cpu::Amd64, &[("rsp", STACK)]);
        let faulting = SynthThread { id: 7, teb: 0x7E_0000, ..SynthThread::default() };
        let other = SynthThread {
            id: 8,
            context: &registers,
            stack_base: STACK,
            stack: &self.stack,
            ..SynthThread::default()
        };
        let synth = Synth::new(Cpu::Amd64)
            .version(Some((major, minor, build.into())))
            .thread(&faulting)
            .thread(&other)
            .memory(PAGE, self.page.clone())
            .memory(0x7E_0000, self.teb.clone())
            .memory(0x7F_0000, self.peb.clone())
            .memory(LDR, self.ldr.clone())
            .exception(7, INVALID, 0, 0, &[], &registers);
        let file = (self.more)(synth).build();
        let dump = Dump::parse(&file).unwrap();
        let modules = dump.modules.iter().map(|module| (module.base, module.size));
        let images = Images::new(&dump.memory, modules);
        let flows = FlowCache::default();
        let scene = Scene { dump: &dump, images: &images, flows: &flows };
        let candidate = locate::judge(scene, self.encoding, self.at, Vec::new());
        let waits = Waits::read(scene);
        let located = Located { candidate, argument: None, others: 0, waits };
        let crash = Crash {
            exception: exception::effective(&dump).unwrap(),
            thread_id: 7,
            stop: None,
            frames: self.frames.iter().map(|name| frame(name)).collect(),
            lock: None,
        };
        let lock = LockFailure {
            operation: Some(Operation::Leave),
            source: OperationSource::Exports,
            failure: self.failure,
            caller: None,
            located: Some(located),
        };
        let section = CriticalSection::read(&dump, self.at, self.encoding);
        let stored = section.raw.map(|raw| raw.lock_semaphore).filter(|value| *value != 0);
        let uses_handle =
            matches!(self.failure, Failure::Signal(_) | Failure::Wait(_) | Failure::DeleteClose(_));
        let value = self.passed.or(stored).filter(|_| uses_handle);
        let findings = collect(Case {
            scene,
            crash: &crash,
            lock: &lock,
            section: Some(&section),
            handle: value.map(|value| (value, handle::check(&dump, value))),
            history: None,
            list: &self.list(&dump),
            platform: Platform::of(scene),
        });
        (findings, flows.cuts())
    }

    fn list(&self, dump: &Dump<'_>) -> ListWalk {
        let listed = |&(record, section): &(u64, u64)| {
            let raw = RawCriticalSection::read(&dump.memory, section, WIDTH);
            ListedSection { record, section, raw }
        };
        ListWalk {
            sections: self.records.iter().map(listed).collect(),
            nodes: self.records.iter().map(|(record, _)| *record).collect(),
            closed: !self.records.is_empty(),
        }
    }

    pub(super) fn has(&self, id: FindingId) -> bool {
        has(&self.found(), id)
    }
}

pub(super) fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn frame(name: &str) -> Frame {
    let name = FunctionName { name: name.into(), source: NameSource::Export, start: None };
    Frame {
        registers: RegisterFile::new(WIDTH, 0x7000, STACK),
        ip_kind: IpKind::Exact,
        trust: Trust::UnwindData,
        return_slot: None,
        module: None,
        start: None,
        function: Some(name),
    }
}

#[test]
fn the_world_of_these_tests_is_quiet() {
    let ids: Vec<_> = World::new().found().iter().map(|finding| finding.id).collect();
    let expected = [
        FindingId::EventsImpossible,
        FindingId::HandleSmallMultipleOfFour,
        FindingId::ContendedWithoutRecord,
        FindingId::SpinCountPlausible,
        FindingId::OnlyHandleDamaged,
        FindingId::WaitersMissing,
        FindingId::NoWaiterByAddress,
    ];
    assert_eq!(ids, expected);
}

#[test]
fn wait_blocks_are_weighed_against_lock_count() {
    let mut world = World::new();
    let bucket = usize::try_from(((SECTION + 8) >> 5) & 127).unwrap();
    put(&mut world.peb, 0x3A0 + bucket * 8, STACK + 0x100);
    put(&mut world.stack, 0x100, SECTION + 8);
    put(&mut world.stack, 0x108, 8);
    let found = world.found();
    let by_address = found.iter().find(|found| found.id == FindingId::WaitersByAddress).unwrap();
    assert!(by_address.statement.contains("which counts 1: the first is 0x8"), "{by_address:?}");
    assert!(!has(&found, FindingId::NoWaiterByAddress));
    assert!(has(&found, FindingId::WaitersParked), "its stack refers to the section too");
    // Windows 7 has no such table: whatever stands at its place is something else.
    world.version = (6, 1, 7601);
    world.peb[0x118..0x11C].copy_from_slice(&6u32.to_le_bytes());
    world.peb[0x11C..0x120].copy_from_slice(&1u32.to_le_bytes());
    assert!(!world.has(FindingId::WaitersByAddress));
}

#[test]
fn an_owner_that_is_gone_is_named() {
    let mut world = World::new();
    world.failure = Failure::Wait(INVALID);
    world.section(SECTION, (u64::MAX, -6, 1, 8, 0x1F0, 0));
    assert!(!world.has(FindingId::OwnerUnknown), "thread 8 lives");
    world.section(SECTION, (u64::MAX, -6, 1, 0xA5C, 0x1F0, 0));
    let found = world.found();
    assert!(has(&found, FindingId::OwnerUnknown) && !has(&found, FindingId::OwnerExited));
    world.more = |synth| {
        let mut infos: Vec<u8> =
            [12u32, 64, 1, 0xA5C, 4].into_iter().flat_map(u32::to_le_bytes).collect();
        infos.resize(12 + 64, 0);
        synth.stream(17, infos)
    };
    let found = world.found();
    assert!(has(&found, FindingId::OwnerExited) && !has(&found, FindingId::OwnerUnknown));
}

#[test]
fn a_process_that_ends_is_seen() {
    let mut world = World::new();
    assert!(!world.has(FindingId::ProcessExiting));
    world.ldr[..4].copy_from_slice(&0x58u32.to_le_bytes());
    world.ldr[0x48] = 1;
    let found = world.found();
    assert!(has(&found, FindingId::ProcessExiting));
    assert!(has(&found, FindingId::WaitersGoneAtExit) && !has(&found, FindingId::WaitersMissing));
    assert!(!has(&found, FindingId::StaticSectionAtExit), "no module holds the section");
    world.more = |synth| synth.module(PAGE, 0x1000, "app.exe", [1, 0, 0, 0]);
    assert!(world.has(FindingId::StaticSectionAtExit));
    // The field is not there in a shorter structure.
    world.ldr[..4].copy_from_slice(&0x28u32.to_le_bytes());
    assert!(!world.has(FindingId::ProcessExiting));
    world.frames = &["RtlRaiseStatus", "RtlLeaveCriticalSection", "exit"];
    assert!(world.has(FindingId::ProcessExiting));
    world.frames = &["RtlRaiseStatus", "RtlLeaveCriticalSection", "FreeLibrary"];
    let found = world.found();
    assert!(has(&found, FindingId::LibraryUnloading) && !has(&found, FindingId::ProcessExiting));
}

#[test]
fn what_the_process_says_of_itself() {
    let of_process = [
        FindingId::ClonedProcess,
        FindingId::LastErrorInvalidHandle,
        FindingId::HandleChecksOn,
        FindingId::EncodingOverrulesVersion,
    ];
    let mut world = World::new();
    assert!(of_process.iter().all(|id| !world.has(*id)));
    world.teb[0x17EE] = 0x40;
    world.teb[0x68] = 6;
    world.peb[0xBC..0xC0].copy_from_slice(&0x100u32.to_le_bytes());
    world.encoding = LockCountEncoding::Counting;
    let found = world.found();
    assert!(of_process.iter().all(|id| has(&found, *id)), "{found:?}");
    world.teb[0x68] = 2;
    assert!(!world.has(FindingId::LastErrorInvalidHandle));
    world.teb[0x1250..0x1254].copy_from_slice(&INVALID.to_le_bytes());
    assert!(world.has(FindingId::LastErrorInvalidHandle));
}

#[test]
fn list_links_in_a_section_are_seen() {
    let mut world = World::new();
    // The section is a free block's first bytes: its neighbours' links lead to it.
    let (next, previous) = (PAGE + 0x100, PAGE + 0x200);
    world.section(SECTION, (next, 0, 0, 0, 0, 0));
    put(&mut world.page, 0x408, previous);
    put(&mut world.page, 0x108, SECTION);
    assert!(!world.has(FindingId::ListLinksInside), "only one neighbour points back");
    put(&mut world.page, 0x200, SECTION);
    assert!(world.has(FindingId::ListLinksInside));
    assert!(!World::new().has(FindingId::ListLinksInside));
}

#[test]
fn the_state_of_the_heap_block_is_said() {
    for (stamps, expected, other) in [
        ((0xABCD_AAA9u32, 0xDCBA_AAA9u32), FindingId::HeapBlockFree, FindingId::HeapBlockBusy),
        ((0xABCD_BBBB, 0xDCBA_BBBB), FindingId::HeapBlockBusy, FindingId::HeapBlockFree),
    ] {
        let mut world = World::new();
        world.page[0x3B0..0x3B4].copy_from_slice(&stamps.0.to_le_bytes());
        put(&mut world.page, 0x3C0, 0x40);
        world.page[0x3EC..0x3F0].copy_from_slice(&stamps.1.to_le_bytes());
        let found = world.found();
        assert!(has(&found, expected) && !has(&found, other), "{found:?}");
    }
    let found = World::new().found();
    assert!(!has(&found, FindingId::HeapBlockFree) && !has(&found, FindingId::HeapBlockBusy));
}

#[test]
fn siblings_with_the_same_damage_are_seen() {
    let text = u64::from_le_bytes(*b"Quarterl");
    let mut world = World::new();
    world.section(SECTION, (text, -3, 0, 0, u64::MAX - 15, 0x0200_07D0));
    assert!(!world.has(FindingId::NeighboursDamagedAlike));
    let mut world = World::new();
    world.section(SECTION, (u64::MAX, -3, 0, 0, text, 0x0200_07D0));
    world.section(SECTION + 0x80, (u64::MAX, -1, 0, 0, text, 0x0200_07D0));
    let found = world.found();
    let alike = found.iter().find(|found| found.id == FindingId::NeighboursDamagedAlike).unwrap();
    assert!(alike.statement.contains("0x80 bytes away"), "{alike:?}");
    // An intact section, and one whose lock state contradicts itself, are none.
    world.section(SECTION + 0x80, (u64::MAX, -1, 0, 0, u64::MAX, 0x0200_07D0));
    assert!(!world.has(FindingId::NeighboursDamagedAlike));
    world.section(SECTION + 0x80, (u64::MAX, -1, 1, 0, text, 0x0200_07D0));
    assert!(!world.has(FindingId::NeighboursDamagedAlike));
}

/// An image whose only section is writable, with a section of its own at +0x1100 that names the handle 0x1A4.
fn module_with_section(synth: Synth, handle: u64) -> Synth {
    let mut image = vec![0u8; 0x2000];
    image[..2].copy_from_slice(b"MZ");
    image[0x3C] = 0x80;
    image[0x80..0x84].copy_from_slice(b"PE\0\0");
    image[0x84..0x86].copy_from_slice(&0x8664u16.to_le_bytes());
    image[0x86] = 1;
    image[0x94] = 240;
    image[0x98..0x9A].copy_from_slice(&0x20Bu16.to_le_bytes());
    image[0xD0..0xD4].copy_from_slice(&0x20_3000u32.to_le_bytes());
    image[0x104] = 16;
    let header = 0x98 + 240;
    image[header..header + 5].copy_from_slice(b".data");
    for (offset, value) in [(8, 0x20_2000u32), (12, 0x1000), (36, 0xC000_0040)] {
        image[header + offset..header + offset + 4].copy_from_slice(&value.to_le_bytes());
    }
    put(&mut image, 0x1100, u64::MAX);
    image[0x1108..0x110C].copy_from_slice(&(-1i32).to_le_bytes());
    put(&mut image, 0x1118, handle);
    let event = |value| SynthHandle {
        value,
        type_name: "Event",
        granted_access: 0x10_0003,
        ..SynthHandle::default()
    };
    synth
        .module(0x6000_0000, 0x20_3000, "app.exe", [1, 0, 0, 0])
        .memory(0x6000_0000, image)
        .handle(&event(0x40))
        .handle(&event(0x44))
}

#[test]
fn static_sections_without_their_events_are_found() {
    let mut world = World::new();
    // AppCompatFlags 0x400000: this Windows uses events.
    put(&mut world.peb, 0x2C8, 0x40_0000);
    world.more = |synth| module_with_section(synth, 0x1A4);
    let found = world.found();
    let lost = found.iter().find(|found| found.id == FindingId::OtherSectionsLostHandles).unwrap();
    assert!(lost.statement.contains("the first at 0x60001100"), "{lost:?}");
    world.more = |synth| module_with_section(synth, 0x44);
    assert!(!world.has(FindingId::OtherSectionsLostHandles), "its event is open");
}

/// Data in which every word could begin a section without an event, in a process of many threads.
#[test]
fn a_search_that_ends_at_its_bound_says_so() {
    let mut world = World::new();
    put(&mut world.peb, 0x2C8, 0x40_0000);
    world.more = |synth| {
        let words = [u64::MAX, 0x1A4];
        let data: Vec<u8> =
            (0..0x4_0000).flat_map(|index| words[index % 2].to_le_bytes()).collect();
        let image = module_with_section(synth, 0x44);
        let threads = 10_000..12_000;
        threads.fold(image.memory(0x6000_2000, data), |synth, id| {
            synth.thread(&SynthThread { id, ..SynthThread::default() })
        })
    };
    let (_, cuts) = world.found_with_cuts();
    assert!(cuts.iter().any(|cut| cut.contains("512 threads")), "{cuts:?}");
    assert!(cuts.iter().any(|cut| cut.contains("8192 places")), "{cuts:?}");
    world.more = |synth| module_with_section(synth, 0x44);
    assert!(world.found_with_cuts().1.is_empty());
}

#[test]
fn a_handle_passed_by_a_zeroed_section() {
    let mut world = World::new();
    world.section(SECTION, (0, 0, 0, 0, 0, 0));
    assert!(!world.has(FindingId::HandlePassedAlthoughZero));
    world.passed = Some(0x1F0);
    let found = world.found();
    assert!(has(&found, FindingId::SectionAllZero));
    assert!(has(&found, FindingId::HandlePassedAlthoughZero));
}

#[test]
fn a_fill_pattern_is_one_fact() {
    let filled = |byte: u8| {
        let mut world = World::new();
        world.page[0x400..0x428].fill(byte);
        world.section(SECTION, {
            let word = u64::from_le_bytes([byte; 8]);
            (word, -3, 0, 0, word, word)
        });
        world.found()
    };
    for (byte, id) in [
        (0xFD, FindingId::GuardPattern),
        (0xCD, FindingId::AmbiguousPattern),
        (0xE5, FindingId::FreePattern),
        (0xE4, FindingId::AllocationPattern),
    ] {
        let found = filled(byte);
        assert!(has(&found, id), "{byte:#x}: {found:?}");
        assert!(!has(&found, FindingId::HandleImplausible) && !has(&found, FindingId::TailDamaged));
    }
}

/// The owner of a section that is a pattern is the pattern too: no second fact.
#[test]
fn the_owner_in_a_pattern_is_no_fact_of_its_own() {
    let mut world = World::new();
    world.failure = Failure::DebugInfoAccess;
    let word = u64::from_le_bytes([0x5A; 8]);
    world.section(SECTION, (word, 0x5A5A_5A5A, 0x5A5A_5A5A, word, word, word));
    let found = world.found();
    assert!(has(&found, FindingId::FreePattern) && !has(&found, FindingId::OwnerUnknown));
    world.section(SECTION, (u64::MAX, -6, 1, word, word, 0));
    assert!(world.has(FindingId::OwnerUnknown));
}

#[test]
fn a_spin_count_is_judged_by_the_version() {
    let mut world = World::new();
    world.section(SECTION, (u64::MAX, -3, 0, 0, 0x1F0, 0));
    assert!(world.has(FindingId::SpinCountUnusual), "eight processors");
    world.peb[0xB8] = 1;
    assert!(world.has(FindingId::SpinCountPlausible), "one processor");
}
