//! More of the facts that no dump of the lab shows: slots, records, places.

use super::tests::{PAGE, SECTION, STACK, World, put};
use super::*;
use crate::dump::Cpu;
use crate::dump::synth::{Synth, SynthHandle, SynthThread, context};
use crate::image::fixtures::PeBuilder;

fn with_slot(synth: Synth, type_name: &str, granted_access: u32) -> Synth {
    let handle = |value, type_name, granted_access| SynthHandle {
        value,
        type_name,
        granted_access,
        ..SynthHandle::default()
    };
    synth.handle(&handle(0x1F0, type_name, granted_access)).handle(&handle(0x200, "Key", 1))
}

#[test]
fn what_stands_in_the_slot_is_told_apart() {
    type Slot = (fn(Synth) -> Synth, FindingId);
    let cases: [Slot; 4] = [
        (|synth| with_slot(synth, "Event", 0x10_0003), FindingId::SlotHoldsSectionEvent),
        (|synth| with_slot(synth, "Event", 0x1F_0003), FindingId::SlotHoldsForeignEvent),
        (|synth| with_slot(synth, "File", 0x12_0089), FindingId::SlotHoldsWritersFile),
        (|synth| with_slot(synth, "Thread", 0x1F_FFFF), FindingId::SlotHoldsOtherObject),
    ];
    for (more, expected) in cases {
        let mut world = World::new();
        world.more = more;
        let found = world.found();
        for (_, id) in cases {
            assert_eq!(has(&found, id), id == expected, "{id:?} for {expected:?}");
        }
    }
}

#[test]
fn whether_events_are_possible_is_said() {
    let mut world = World::new();
    assert!(world.has(FindingId::EventsImpossible));
    put(&mut world.peb, 0x2C8, 0x40_0000);
    let found = world.found();
    assert!(!has(&found, FindingId::EventsImpossible) && !has(&found, FindingId::EventsUnlikely));
    world.peb.truncate(0x200);
    assert!(world.has(FindingId::EventsUnlikely), "the flags are not in the dump");
}

#[test]
fn a_record_is_put_down_to_its_section() {
    let record = PAGE + 0x800;
    let with_record = |of: u64| {
        let mut world = World::new();
        world.section(SECTION, (record, -3, 0, 0, 0x1F0, 0x0200_07D0));
        put(&mut world.page, 0x808, of);
        put(&mut world.page, 0x810, record + 0x10);
        put(&mut world.page, 0x818, record + 0x10);
        world
    };
    assert!(with_record(SECTION).has(FindingId::DebugRecordOwn));
    assert!(with_record(0x5555_0000).has(FindingId::DebugRecordForeign));
    let mut twin = with_record(PAGE + 0xC00);
    twin.section(PAGE + 0xC00, (record, -1, 0, 0, 0x1F0, 0x0200_07D0));
    let found = twin.found();
    assert!(has(&found, FindingId::DebugRecordOfTwin));
    assert!(!has(&found, FindingId::DebugRecordForeign));
}

#[test]
fn a_record_that_should_be_there_is_missed() {
    let mut world = World::new();
    assert!(world.has(FindingId::ContendedWithoutRecord));
    world.section(SECTION, (u64::MAX, -3, 0, 0, 0x1F0, 0x0100_07D0));
    assert!(!world.has(FindingId::ContendedWithoutRecord), "initialised without a record");
    world.section(SECTION, (0, -3, 0, 0, 0x1F0, 0x0200_07D0));
    assert!(world.has(FindingId::DebugInfoNull));
    let mut old = World::new();
    old.version = (5, 2, 3790);
    old.peb[0x118..0x11C].copy_from_slice(&5u32.to_le_bytes());
    old.peb[0x11C..0x120].copy_from_slice(&2u32.to_le_bytes());
    old.peb[0x120..0x122].copy_from_slice(&3790u16.to_le_bytes());
    let found = old.found();
    assert!(has(&found, FindingId::DebugInfoAbsentUnexpected));
    assert!(has(&found, FindingId::SpinCountUnusual), "flags before Vista");
}

#[test]
fn where_the_section_is_counts() {
    let mut world = World::new();
    world.failure = Failure::SectionAccess;
    world.more = |synth| synth.memory_info(PAGE, 0x1000, 0x1000, 0x02, 0x2_0000);
    assert!(world.has(FindingId::SectionNotWritable));
    world.more = |synth| synth.memory_info(PAGE, 0x1000, 0x1000, 0x04, 0x4_0000);
    assert!(world.has(FindingId::MemoryMapped));
    world.more = |synth| synth.memory_info(PAGE, 0x1000, 0x2000, 0, 0x2_0000);
    assert!(world.has(FindingId::MemoryFree));
    world.page.truncate(0x100);
    world.more = |synth| synth.full().flags(2);
    assert!(world.has(FindingId::AbsentFromFullMemory));
}

#[test]
fn a_section_on_a_stack_is_put_down_to_its_thread() {
    fn on_a_stack(synth: Synth, sp: u64) -> Synth {
        let registers = context(Cpu::Amd64, &[("rsp", sp)]);
        let thread = SynthThread {
            id: 9,
            context: &registers,
            stack_base: PAGE,
            stack: &[0; 0x1000],
            ..SynthThread::default()
        };
        synth.thread(&thread)
    }
    let mut world = World::new();
    world.more = |synth| on_a_stack(synth, PAGE + 0x100);
    let found = world.found();
    assert!(has(&found, FindingId::OnOtherStack) && !has(&found, FindingId::OnDeadStack));
    world.more = |synth| on_a_stack(synth, PAGE + 0x800);
    let found = world.found();
    assert!(has(&found, FindingId::OnDeadStack) && !has(&found, FindingId::OnOtherStack));
    assert_ne!(STACK, PAGE);
}

/// Zeros are what Delete leaves of a record, and what a stack is full of.
#[test]
fn zeros_on_a_stack_are_no_wiped_record() {
    let mut world = World::new();
    world.section(SECTION, (PAGE + 0x800, -3, 0, 0, 0x1F0, 0x0200_07D0));
    let found = world.found();
    assert!(has(&found, FindingId::DebugRecordGone) && !has(&found, FindingId::DebugRecordInvalid));
    world.more = |synth| {
        let registers = context(Cpu::Amd64, &[("rsp", PAGE + 0x100)]);
        let thread = SynthThread {
            id: 9,
            context: &registers,
            stack_base: PAGE,
            stack: &[0; 0x1000],
            ..SynthThread::default()
        };
        synth.thread(&thread)
    };
    let found = world.found();
    assert!(has(&found, FindingId::DebugRecordInvalid) && !has(&found, FindingId::DebugRecordGone));
}

#[test]
fn the_platform_is_said() {
    let mut world = World::new();
    world.frames = &["KiRaiseUserExceptionDispatcher", "RtlLeaveCriticalSection"];
    let found = world.found();
    assert!(has(&found, FindingId::RaisedByKernel) && !has(&found, FindingId::RunsUnderWine));
    world.more = |synth| synth.module(0x6800_0000, 0x1000, "winex11.drv", [0; 4]);
    let found = world.found();
    assert!(has(&found, FindingId::RunsUnderWine));
    assert!(!has(&found, FindingId::EventsImpossible), "Wine has events");
    assert!(!has(&found, FindingId::NoWaiterByAddress), "and no such table");
}

/// A return address behind a call to DeleteCriticalSection, left on a stack.
#[test]
fn what_a_delete_left_on_a_stack_is_seen() {
    let mut world = World::new();
    world.section(SECTION, (0, 0, 0, 0, 0, 0));
    world.more = |synth| {
        let mut image = PeBuilder::x64();
        image.exports(&[(0x1100, "RtlDeleteCriticalSection")]);
        // call +0xFB: from 0x1005 to 0x1100.
        image.put(0x1000, &[0xE8, 0xFB, 0, 0, 0]);
        let size = u32::try_from(PeBuilder::SIZE).unwrap();
        synth
            .module(PeBuilder::BASE, size, "ntdll.dll", [10, 0, 19041, 1])
            .memory(PeBuilder::BASE, image.bytes())
    };
    assert!(!world.has(FindingId::DeleteResidue));
    put(&mut world.stack, 0x40, PeBuilder::BASE + 0x1005);
    assert!(world.has(FindingId::DeleteResidue));
    put(&mut world.stack, 0x40, PeBuilder::BASE + 0x1006);
    assert!(!world.has(FindingId::DeleteResidue), "no call ends there");
}

/// A section that a Leave found free: its counts, and what a second thread keeps at the top of its stack.
fn left(lock_count: i32, recursion_count: i32) -> World {
    let mut world = World::new();
    world.failure = Failure::NotOwner;
    world.section(SECTION, (u64::MAX, lock_count, recursion_count, 0, 0x1F0, 0x0200_07D0));
    world
}

#[test]
fn memory_that_the_dump_lacks_is_not_gone() {
    // Leave has used the section, so that its address was one, wherever it lies.
    let mut world = World::new();
    world.at = 0xA3C1_0008;
    put(&mut world.stack, 0x20, 0x5_A3C1_0008);
    let wrong = [FindingId::AddressIsHalf, FindingId::AddressIsTwoNumbers, FindingId::BesideMemory];
    let found = world.found();
    assert!(!wrong.iter().any(|id| has(&found, *id)));
    world.at = 0x2D0_0000_0508;
    assert!(!world.has(FindingId::AddressIsTwoNumbers));
    world.failure = Failure::SectionAccess;
    assert!(world.has(FindingId::AddressIsTwoNumbers));
    world.at = 0x200_0000_0508;
    assert!(!world.has(FindingId::AddressIsTwoNumbers), "a base that programs choose");
}

#[test]
fn two_numbers_on_the_stack_are_no_longer_address() {
    let mut world = World::new();
    world.failure = Failure::SectionAccess;
    world.at = 0xA3C1_0008;
    put(&mut world.stack, 0x20, 0x5_A3C1_0000);
    assert!(!world.has(FindingId::AddressIsHalf), "nothing lies there");
    world.more = |synth| synth.memory(0x5_A3C1_0000, vec![0; 0x40]);
    assert!(world.has(FindingId::AddressIsHalf));
}

#[test]
fn a_free_section_wakes_its_waiters() {
    let cases =
        [(-9, true), (-5, true), (-1, false), (-15, false), (-14, false), (7, false), (-13, false)];
    for (lock_count, expected) in cases {
        let found = left(lock_count, 0).has(FindingId::FreeYetNobodyWoken);
        assert_eq!(found, expected, "{lock_count}");
    }
    // 7 and -13 count more waiters than the process has threads: they are no counts.
    let mut signal = left(-9, 0);
    signal.failure = Failure::Signal(0xC000_0008);
    assert!(!signal.has(FindingId::FreeYetNobodyWoken), "a signal marks the one it wakes");
}

#[test]
fn a_count_below_zero_was_left_too_often() {
    assert!(left(-1, -7).has(FindingId::LeftTooOften));
    assert!(!left(-1, 0).has(FindingId::LeftTooOften));
    assert!(!left(-1, 0xDDDD_DDDD_u32.cast_signed()).has(FindingId::LeftTooOften), "a fill");
}

#[test]
fn sleepers_are_counted() {
    let mut world = left(-1, 0);
    put(&mut world.stack, 0x20, 0x1F0);
    put(&mut world.stack, 0x40, SECTION);
    assert!(!world.has(FindingId::SleepersNotCounted), "this Windows makes no event");
    put(&mut world.peb, 0x2C8, 0x40_0000);
    put(&mut world.stack, 0x40, 0);
    assert!(!world.has(FindingId::SleepersNotCounted), "nobody refers to the section");
    put(&mut world.stack, 0x40, SECTION);
    assert!(world.has(FindingId::SleepersNotCounted));
    world.section(SECTION, (u64::MAX, -5, 0, 0, 0x1F0, 0x0200_07D0));
    assert!(!world.has(FindingId::SleepersNotCounted), "LockCount counts the one");
    world.section(SECTION, (u64::MAX, -3, 0, 0, 0x1F0, 0x0200_07D0));
    assert!(!world.has(FindingId::SleepersNotCounted), "it was woken");
    world.section(SECTION, (u64::MAX, -1, 0, 0, u64::MAX, 0x0200_07D0));
    assert!(!world.has(FindingId::SleepersNotCounted), "-1 is no event");
}
