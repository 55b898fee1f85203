//! What else the bytes may be, on dumps made for it.

use super::tests::{PAGE, SECTION, STACK, World, put};
use super::*;
use crate::dump::synth::Synth;
use crate::image::fixtures::PeBuilder;

const NULL_RECORD: u64 = 0;

/// A section of which no field is ntdll's, with text in all of it.
pub(super) fn of_text(text: &[u8], at: usize) -> World {
    let mut world = World::new();
    world.failure = Failure::DebugInfoAccess;
    world.page[at..at + text.len()].copy_from_slice(text);
    world
}

pub(super) fn statement(world: &World, id: FindingId) -> Option<String> {
    world.found().into_iter().find(|found| found.id == id).map(|found| found.statement)
}

#[test]
fn a_pointer_to_a_section_is_told_from_a_section() {
    let other = PAGE + 0x800;
    let mut world = World::new();
    world.section(SECTION, (other, -3, 0, 0, 0x1F0, 0));
    assert!(!world.has(FindingId::PointsToSection), "there is no section at {other:#x}");
    world.section(other, (u64::MAX, -2, 1, 8, 0, 0x0200_07D0));
    assert!(world.has(FindingId::PointsToSection));
    // An Enter that waited has counted itself in the last field; the record names the section all the same.
    world.section(other, (u64::MAX, -1, 0, 0, 0, 0x1_0000_0001));
    assert!(!world.has(FindingId::PointsToSection));
    world.section(other, (PAGE + 0xA00, -1, 0, 0, 0, 0x1_0000_0001));
    put(&mut world.page, 0xA08, other);
    assert!(world.has(FindingId::PointsToSection));
}

#[test]
fn a_first_word_that_leads_to_no_record_is_not_in_order() {
    let bad_tail = |first: u64| {
        let mut world = World::new();
        world.section(SECTION, (first, -3, 0, 0, 0x40_4065, 0x41_4A08));
        world.page[0x800..0x830].fill(0x41);
        world.found()
    };
    assert!(has(&bad_tail(u64::MAX), FindingId::TailDamaged));
    assert!(has(&bad_tail(PAGE + 0x800), FindingId::EveryFieldForeign));
}

#[test]
fn a_table_of_functions_is_another_object() {
    const BASE: u64 = PeBuilder::BASE;
    let table = BASE + 0x4000;
    let world = |first: u64| {
        let mut world = World::new();
        world.section(SECTION, (first, -3, 0, 0, 0x1F0, 0));
        world.more = |synth| {
            let mut pe = PeBuilder::x64();
            for (at, address) in
                [(0x4000, BASE + 0x1200), (0x4008, BASE + 0x1240), (0x4020, BASE + 0x1200)]
            {
                pe.put(at, &u64::to_le_bytes(address));
            }
            synth.module(BASE, 0x10000, "app.exe", [1, 0, 0, 0]).memory(BASE, pe.bytes())
        };
        world
    };
    assert!(world(table).has(FindingId::FunctionTableInside));
    let found = world(table + 0x20).found();
    assert!(!has(&found, FindingId::FunctionTableInside), "one address of code is no table");
    assert!(has(&found, FindingId::DebugInfoInModule));
}

/// A program with two tables of two functions, at 4020h and 4120h of it, and these words of 4 bytes.
fn with_tables(synth: Synth, words: &[(usize, u32)]) -> Synth {
    const BASE: u64 = PeBuilder::BASE;
    let mut pe = PeBuilder::x64();
    for at in [0x4020, 0x4028, 0x4120, 0x4128] {
        pe.put(at, &u64::to_le_bytes(BASE + 0x1200));
    }
    // Both have a locator, at 4200h and 4300h.
    for (at, locator) in [(0x4018, BASE + 0x4200), (0x4118, BASE + 0x4300)] {
        pe.put(at, &u64::to_le_bytes(locator));
    }
    words.iter().for_each(|(at, word)| pe.put(*at, &word.to_le_bytes()));
    synth.module(BASE, 0x10000, "app.exe", [1, 0, 0, 0]).memory(BASE, pe.bytes())
}

#[test]
fn a_base_that_was_taken_for_another() {
    let (first, second) = (PeBuilder::BASE + 0x4020, PeBuilder::BASE + 0x4120);
    let (base, other) = (SECTION - 8, SECTION + 0x38);
    let is_one = |tables: [u64; 2], start: u64, more: fn(Synth) -> Synth| {
        let mut world = of_text(b"what somebody else has written here, to the end.", 0x400);
        for (at, table) in [base, other].into_iter().zip(tables) {
            put(&mut world.page, usize::try_from(at - PAGE).unwrap(), table);
        }
        world.section(start, (u64::MAX, -1, 0, 0, 0, 0x0200_07D0));
        world.more = more;
        world.has(FindingId::OtherBase)
    };
    let tables = [first, second];
    // The locators say where in the object the bases are, and name one type.
    let microsofts: fn(Synth) -> Synth =
        |synth| with_tables(synth, &[(0x4204, 0), (0x4304, 0x40), (0x420C, 7), (0x430C, 7)]);
    assert!(is_one(tables, other + 8, microsofts));
    assert!(!is_one(tables, other + 16, microsofts), "not as far behind it");
    assert!(!is_one([0x40, second], other + 8, microsofts), "no object begins there");
    assert!(!is_one([first, first], other + 8, microsofts), "the next of its class");
    let types: fn(Synth) -> Synth =
        |synth| with_tables(synth, &[(0x4304, 0x40), (0x420C, 7), (0x430C, 8)]);
    assert!(!is_one(tables, other + 8, types), "objects of two classes");
    // The distance to the object's beginning stands before the table, and the type's description is the same.
    let itanium: fn(Synth) -> Synth = |synth| {
        let back = [(0x4110, 0x40u32.wrapping_neg()), (0x4114, u32::MAX)];
        with_tables(synth, &[back[0], back[1], (0x4118, 0x4000_4200)])
    };
    assert!(is_one(tables, other + 8, itanium));
    let wrong: fn(Synth) -> Synth = |synth| {
        let back = [(0x4110, 0x48u32.wrapping_neg()), (0x4114, u32::MAX)];
        with_tables(synth, &[back[0], back[1], (0x4118, 0x4000_4200)])
    };
    assert!(!is_one(tables, other + 8, wrong), "another base of such objects");
}

#[test]
fn a_record_does_not_lie_in_a_program() {
    let leads_into = |name: &'static str| {
        let mut world = World::new();
        world.section(SECTION, (0x5000_1000, -3, 0, 0, 0x1F0, 0));
        world.more = match name {
            "app.exe" => |synth: Synth| synth.module(0x5000_0000, 0x2000, "app.exe", [1, 0, 0, 0]),
            _ => |synth: Synth| synth.module(0x5000_0000, 0x2000, "ntdll.dll", [10, 0, 0, 0]),
        };
        world.has(FindingId::DebugInfoInModule)
    };
    assert!(leads_into("app.exe"));
    assert!(!leads_into("ntdll.dll"), "ntdll has records of its own");
}

#[test]
fn static_storage_holds_no_old_bytes() {
    let mut world = of_text(b"what somebody else has written here, to the end.", 0x3F8);
    let ids = [FindingId::StaticStorageWritten, FindingId::StaticStorageReplaced];
    let among = |world: &World| {
        let found = world.found();
        ids.into_iter().filter(|id| has(&found, *id)).collect::<Vec<_>>()
    };
    assert_eq!(among(&world), [], "no module's");
    world.more = |synth| synth.module(PAGE, 0x1000, "app.exe", [1, 0, 0, 0]);
    assert_eq!(among(&world), [FindingId::StaticStorageReplaced]);
    // The tail is still a section's.
    world.section(SECTION, (0x6867_6972, 0x7974_7265, 0, 0, 0x1F0, 0x0200_07D0));
    assert_eq!(among(&world), [FindingId::StaticStorageWritten]);
    world.section(SECTION, (u64::MAX, -3, 0, 0, 0x1F0, 0x0200_07D0));
    assert_eq!(among(&world), [], "a section");
}

#[test]
fn a_text_that_goes_on_behind() {
    let among = |text: &[u8]| {
        let found = of_text(text, 0x3F8).found();
        let ids = [FindingId::TextGoesOn, FindingId::TextGoesFarOn];
        ids.into_iter().filter(|id| has(&found, *id)).collect::<Vec<_>>()
    };
    let text = b"what somebody else has written here. ".repeat(8);
    assert_eq!(among(&text[..0x40]), []);
    assert_eq!(among(&text[..0x60]), [FindingId::TextGoesOn]);
    assert_eq!(among(&text), [FindingId::TextGoesFarOn]);
}

#[test]
fn a_buffer_where_a_module_was() {
    let mut world = of_text(b"what somebody else has written here, to the end.", 0x3F8);
    assert!(!world.has(FindingId::UnloadedModuleReused));
    world.more = |synth| synth.unloaded(PAGE, 0x1000, "plugin.dll");
    let said = statement(&world, FindingId::UnloadedModuleReused).unwrap();
    assert!(said.contains("plugin.dll"), "{said}");
    let now = |name: &'static str| {
        let mut world = of_text(b"what somebody else has written here, to the end.", 0x3F8);
        world.more = match name {
            "other.dll" => |synth| {
                synth.unloaded(PAGE, 0x2000, "plugin.dll").module(
                    PAGE,
                    0x1000,
                    "other.dll",
                    [1, 0, 0, 0],
                )
            },
            _ => |synth| {
                synth.unloaded(PAGE, 0x1000, "plugin.dll").module(
                    PAGE,
                    0x1000,
                    "Plugin.dll",
                    [1, 0, 0, 0],
                )
            },
        };
        world.page[0x408..0x418].fill(0);
        world.has(FindingId::UnloadedModuleReused)
    };
    assert!(now("other.dll"));
    assert!(!now("Plugin.dll"), "the same module may be loaded again");
}

#[test]
fn where_a_text_begins_is_said() {
    let text = b"Content-Type: text/plain; charset=utf-8\r\nX-More: yes\r\n";
    let here = of_text(text, 0x400);
    assert!(here.has(FindingId::ContentsBeginHere) && !here.has(FindingId::ContentsBeginBefore));
    let before = of_text(text, 0x3F4);
    let said = statement(&before, FindingId::ContentsBeginBefore).unwrap();
    assert!(said.contains("begins 12 byte(s) before"), "{said}");
    assert!(!before.has(FindingId::ContentsBeginHere));
    let mut in_block = in_wine_heap(12, false, 8);
    in_block.failure = Failure::DebugInfoAccess;
    in_block.page[0x400..0x400 + text.len()].copy_from_slice(text);
    in_block.page[0x408..0x418].fill(0);
    let found = in_block.found();
    assert!(has(&found, FindingId::ContentsBeginInBlock), "{found:?}");
    assert!(!has(&found, FindingId::ContentsBeginHere));
}

#[test]
fn a_byte_of_a_programs_own_is_a_fill() {
    let mut world = World::new();
    let fill = 0x7F7F_7F7F_7F7F_7F7F;
    world.section(SECTION, (fill, 0x7F7F_7F81, 0, 0, fill, fill));
    let found = world.found();
    assert!(has(&found, FindingId::RepeatedByte));
    assert!(!has(&found, FindingId::HandleImplausible), "one fact, not one for each field");
    world.section(SECTION, (fill, 0x7F7F_7F81, 0, 0, 0x1F0, 0));
    assert!(!world.has(FindingId::RepeatedByte), "one field is not enough");
}

#[test]
fn a_thread_inside_is_seen() {
    let mut world = World::new();
    world.failure = Failure::DebugInfoAccess;
    world.section(SECTION, (0x5000, -6, 1, 8, 0x1F0, 0));
    assert!(world.has(FindingId::OwnerInside));
    world.section(SECTION, (0x5000, -1, 1, 8, 0x1F0, 0));
    assert!(!world.has(FindingId::OwnerInside), "LockCount says that it is free");
}

#[test]
fn a_huge_recursion_count_is_damage() {
    let mut world = World::new();
    world.failure = Failure::DebugInfoAccess;
    let of = |recursion| (0x50_0000, -2, recursion, 8, 0x6F63_203A, 0x736F_746E_6F63);
    world.section(SECTION, of(807_416_113));
    assert!(world.has(FindingId::EveryFieldForeign));
    world.section(SECTION, of(1));
    assert!(!world.has(FindingId::EveryFieldForeign));
}

#[test]
fn only_the_record_is_damaged() {
    let shape = |debug_info: u64, recursion: i32| {
        let mut world = World::new();
        world.failure = Failure::DebugInfoAccess;
        world.section(SECTION, (debug_info, -6, recursion, 8, 0x1F0, 0));
        let ids = [
            FindingId::OnlyRecordDamaged,
            FindingId::OnlyRecordRedirected,
            FindingId::OnlyRecordNull,
            FindingId::HeadForeign,
        ];
        let found = world.found();
        ids.into_iter().find(|id| has(&found, *id))
    };
    assert_eq!(shape(0x401, 1), Some(FindingId::OnlyRecordDamaged));
    assert_eq!(shape(PAGE + 0x600, 1), None, "zeros: a record that was wiped");
    assert_eq!(shape(PAGE + 0x3F8, 1), Some(FindingId::OnlyRecordRedirected));
    assert_eq!(shape(NULL_RECORD, 1), Some(FindingId::OnlyRecordNull));
    assert_eq!(shape(NULL_RECORD, 90_000), Some(FindingId::HeadForeign));
}

#[test]
fn a_few_waiters_more_can_be_another_processs() {
    let mut world = World::new();
    world.section(SECTION, (u64::MAX, -3 - 4 * 5, 0, 0, 0x1F0, 0));
    let found = world.found();
    assert!(has(&found, FindingId::WaitersBeyondThreads));
    assert!(!has(&found, FindingId::MoreWaitersThanThreads));
    world.section(SECTION, (u64::MAX, -3 - 4 * 5000, 0, 0, 0x1F0, 0));
    assert!(world.has(FindingId::MoreWaitersThanThreads));
}

#[test]
fn a_first_wait_has_no_earlier_event() {
    let record = PAGE + 0x800;
    let waits = |count: u32, lock_count: i32| {
        let mut world = World::new();
        world.failure = Failure::Wait(crate::crash::exception::INVALID_HANDLE);
        world.section(SECTION, (record, lock_count, 1, 8, 0x1F0, 0));
        put(&mut world.page, 0x808, SECTION);
        world.page[0x824..0x828].copy_from_slice(&count.to_le_bytes());
        world
    };
    assert!(waits(1, -6).has(FindingId::NeverContendedBefore));
    assert!(!waits(2, -6).has(FindingId::NeverContendedBefore), "somebody had waited");
    assert!(!waits(1, -10).has(FindingId::NeverContendedBefore), "another one waits");
    let mut early = waits(1, -6);
    early.peb[0xBC..0xC0].copy_from_slice(&0x1000_0000_u32.to_le_bytes());
    assert!(!early.has(FindingId::NeverContendedBefore), "events are made at initialisation");
}

#[test]
fn a_section_near_by_is_told_from_an_array() {
    let near = |distance: u64| {
        let mut world = of_text(b"what somebody else has written here, to the end.", 0x3F8);
        let record = PAGE + 0x800;
        world.section(SECTION + distance, (record, -1, 0, 0, 0, 0));
        put(&mut world.page, 0x808, SECTION + distance);
        world.has(FindingId::SectionNearBy)
    };
    assert!(near(0x38));
    assert!(!near(0x50), "the next but one of an array of sections");
    assert!(!near(0x100), "too far");
}

/// Puts the header of one of Wine's blocks into the page: its size in units of 16 bytes, whether it is free, and its unused bytes.
pub(super) fn wine_block(world: &mut World, at: usize, units: u16, is_free: bool, unused: u8) {
    let header = &mut world.page[at..at + 8];
    header[..2].copy_from_slice(&units.to_le_bytes());
    header[2] = is_free.into();
    header[3] = unused;
    header[6..].copy_from_slice(if is_free { b"FR" } else { b"US" });
}

/// A heap of Wine with the block of the section, which begins 16 bytes before it, and one behind.
pub(super) fn in_wine_heap(units: u16, is_free: bool, unused: u8) -> World {
    let mut world = World::new();
    world.page[0x10..0x14].copy_from_slice(&0xFFEE_FFEEu32.to_le_bytes());
    wine_block(&mut world, 0x208, 0x1E, false, 0);
    wine_block(&mut world, 0x3E8, units, is_free, unused);
    let next = 0x3E8 + usize::from(units) * 16;
    wine_block(&mut world, next, 4, false, 0);
    world.page[next + 2] = if is_free { 2 } else { 0 };
    world
}

#[test]
fn a_section_over_the_end_of_its_block() {
    assert!(!in_wine_heap(5, false, 8).has(FindingId::BeyondHeapBlock), "0x40 bytes");
    let world = in_wine_heap(5, false, 17);
    let said = statement(&world, FindingId::BeyondHeapBlock).unwrap();
    assert!(said.contains("1 byte(s) behind"), "{said}");
    assert!(
        !in_wine_heap(4, true, 0).has(FindingId::BeyondHeapBlock),
        "a free block has no object"
    );
}

#[test]
fn zeros_in_a_free_block_were_deleted_first() {
    let mut world = in_wine_heap(6, true, 0);
    assert!(world.has(FindingId::HeapBlockFree) && !world.has(FindingId::ZeroInFreeBlock));
    world.section(SECTION, (0, 0, 0, 0, 0, 0));
    let found = world.found();
    assert!(!has(&found, FindingId::ZeroInFreeBlock), "nobody has used this memory");
    assert!(!has(&found, FindingId::HeapBlockFree));
    world.page[0x430] = 7;
    assert!(world.has(FindingId::ZeroInFreeBlock) && !world.has(FindingId::HeapBlockFree));
}

#[test]
fn a_text_from_the_first_to_the_last_byte_of_a_block() {
    let filled = |from: usize, to: usize| {
        let mut world = in_wine_heap(6, false, 8);
        world.failure = Failure::DebugInfoAccess;
        let text = b"The quick brown fox jumps over the lazy dog and runs away from all of the hounds that follow it.";
        world.page[0x3F0 + from..0x3F0 + to].copy_from_slice(&text[from..to]);
        // LockCount, RecursionCount and OwningThread are what the call left.
        world.page[0x408..0x418].fill(0);
        world.found()
    };
    let whole = filled(0, 0x50);
    assert!(has(&whole, FindingId::TextFillsBlock), "{whole:?}");
    assert!(!has(&whole, FindingId::ContentsBeginBefore), "it says more");
    assert!(has(&filled(0, 0x4A), FindingId::TextFillsBlock), "a text ends in zeros");
    assert!(!has(&filled(0, 0x40), FindingId::TextFillsBlock), "it ends far before");
    let behind = filled(8, 0x50);
    assert!(!has(&behind, FindingId::TextFillsBlock), "it begins behind other data");
    assert!(has(&behind, FindingId::TextBeginsInsideBlock), "{behind:?}");
}

#[test]
fn an_object_with_pointers_is_no_section() {
    let holding = |path: &'static str, semaphore: u64| {
        let mut world = World::new();
        world.section(SECTION, (0x5D, -3, 0, 0, semaphore, 0));
        world.more = match path {
            "app.exe" => {
                |synth| synth.module(0x5000_0000, 0x2000, "C:\\app\\app.exe", [1, 0, 0, 0])
            }
            _ => |synth| {
                synth.module(0x5000_0000, 0x2000, "C:\\Windows\\System32\\a.dll", [1, 0, 0, 0])
            },
        };
        world.has(FindingId::PointersInside)
    };
    assert!(holding("app.exe", 0x5000_1012));
    assert!(!holding("app.exe", 0x6000_1012));
    assert!(!holding("a.dll", 0x5000_1012), "a module of Windows");
    // A spin count may lie where a module does.
    let mut world = World::new();
    world.section(SECTION, (0x5D, -3, 0, 0, 0x1F0, 0x0200_07D0));
    world.more = |synth| synth.module(0x0200_0000, 0x1_0000, "C:\\app\\a.dll", [1, 0, 0, 0]);
    assert!(!world.has(FindingId::PointersInside));
}

#[test]
fn a_record_on_the_list_is_the_sections_own() {
    let mut world = World::new();
    world.failure = Failure::DebugInfoAccess;
    world.section(SECTION, (0x4_0000_7530, -1, 0, 0, 0, 0x0200_07D0));
    assert!(!world.has(FindingId::OnlyRecordDamaged), "what lies there is not known");
    world.records = vec![(PAGE + 0x800, SECTION)];
    assert!(world.has(FindingId::OnlyRecordDamaged));
    world.records = vec![(0x4_0000_7530, SECTION)];
    assert!(!world.has(FindingId::OnlyRecordDamaged), "it is that record");
}

#[test]
fn a_link_on_a_stack_is_no_pointer_that_was_passed() {
    // On a stack, 18h bytes before where the section would be, a word that leads to an object with a section at +18h.
    let begins_with = |first: u64| {
        let mut world = World::new();
        (world.at, world.failure) = (STACK + 0x218, Failure::DebugInfoAccess);
        put(&mut world.stack, 0x200, PAGE + 0x800);
        world.stack[0x218..0x240].copy_from_slice(b"a text that lies in the frame by now, so");
        put(&mut world.page, 0x800, first);
        world.section(PAGE + 0x818, (u64::MAX, -1, 0, 0, 0, 0x0200_07D0));
        world.section(PAGE + 0x918, (u64::MAX, -1, 0, 0, 0, 0x0200_07D0));
        world.has(FindingId::PointerByAddress)
    };
    assert!(begins_with(0x6F6C_6C61), "a name");
    assert!(!begins_with(PAGE + 0x900), "a link to the next one");
    assert!(!begins_with(STACK + 0x200), "a link back");
    assert!(!begins_with(0), "the last one");
}
