//! Where the section lies: in a text, in a block, in a fill, in a row; and what the process's list knows of the place.

use super::contents_tests::{in_wine_heap, of_text, statement, wine_block};
use super::tests::{PAGE, SECTION, World, put};
use super::*;

const TEXT: &[u8] = b"The quick brown fox jumps over the lazy dog and runs away from all of the hounds that follow it.";
const NO_RECORD: u64 = u64::MAX;

/// The place of an address in the page.
fn place(address: u64) -> usize {
    usize::try_from(address - PAGE).unwrap()
}

/// A text at a place of the page, in which the call has cleared LockCount, RecursionCount and OwningThread.
fn of_left_text(text: &[u8], at: usize) -> World {
    let mut world = of_text(text, at);
    world.page[0x408..0x418].fill(0);
    world
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A section that nobody is in.
fn add_section(world: &mut World, address: u64) {
    world.section(address, (NO_RECORD, -1, 0, 0, 0, 0x0200_07D0));
}

/// What is no section in any field, at [`SECTION`].
fn of_strange_bytes() -> World {
    of_left_text(&TEXT[..0x28], 0x400)
}

fn of_zeros() -> World {
    let mut world = World::new();
    world.failure = Failure::DebugInfoAccess;
    world.section(SECTION, (0, 0, 0, 0, 0, 0));
    world
}

/// Which of these a world shows.
fn among(world: &World, ids: &[FindingId]) -> Vec<FindingId> {
    let found = world.found();
    ids.iter().copied().filter(|id| has(&found, *id)).collect()
}

#[test]
fn a_text_is_followed_through_the_section() {
    let begins = [FindingId::ContentsBeginHere, FindingId::ContentsBeginBefore];
    let before = |world: &World| statement(world, FindingId::ContentsBeginBefore).unwrap();
    let said = before(&of_left_text(TEXT, 0x3F0));
    assert!(said.contains("\"The quick brown fox jump...\""), "{said}");
    assert!(said.contains("begins 16 byte(s) before"), "{said}");
    for text in ["C:\\Users\\Public\\Documents", "Не удалось открыть файл"] {
        let said = before(&of_left_text(&wide(text), 0x3F6));
        assert!(said.contains("begins 10 byte(s) before"), "{said}");
    }
    // Four characters before what the call cleared are a text by those behind it only.
    let mut short = of_left_text(&wide("a text of 20 letters"), 0x400);
    assert_eq!(among(&short, &begins), [FindingId::ContentsBeginHere]);
    put(&mut short.page, 0x418, 0x0001_0002_0003_0004);
    assert_eq!(among(&short, &begins), []);
    assert!(short.has(FindingId::EveryFieldForeign), "and still no section");
    // One character over and over is a fill, also where something else follows.
    let mut fill = [b'x'; 0x38];
    fill[0x34..].copy_from_slice(b"ends");
    assert_eq!(among(&of_left_text(&fill, 0x3F8), &begins), []);
    let numbers: Vec<u8> = (33..65u16).flat_map(u16::to_le_bytes).collect();
    let numbers = of_left_text(&numbers, 0x3F8);
    assert_eq!(among(&numbers, &begins), []);
    assert!(numbers.has(FindingId::EveryFieldForeign));
}

#[test]
fn where_in_its_block_a_text_begins() {
    let of_block = [
        FindingId::TextFillsBlock,
        FindingId::TextBeginsWithBlock,
        FindingId::TextBeginsInsideBlock,
    ];
    // The block is from 0x3F0 to 0x440, and the text ends before it does.
    let found = |head: &[u64], from: usize, at: u64| {
        let mut world = in_wine_heap(6, false, 8);
        world.failure = Failure::DebugInfoAccess;
        world.at = at;
        world.page[0x3F0..from].fill(0);
        world.page[from..0x430].copy_from_slice(&TEXT[..0x430 - from]);
        for (index, word) in head.iter().enumerate() {
            put(&mut world.page, 0x3F0 + index * 8, *word);
        }
        assert!(world.has(FindingId::EveryFieldForeign));
        among(&world, &of_block)
    };
    let behind = SECTION + 8;
    assert_eq!(found(&[], 0x3F0, SECTION), [FindingId::TextBeginsWithBlock]);
    let links = [PAGE + 0x100, PAGE + 0x200];
    assert_eq!(found(&links, 0x400, behind), [FindingId::TextBeginsWithBlock]);
    assert_eq!(found(&[PAGE + 0x100, 7], 0x400, behind), [FindingId::TextBeginsInsideBlock]);
    assert_eq!(found(&links, 0x404, behind), [FindingId::TextBeginsInsideBlock]);
    assert_eq!(found(&[7], 0x3F8, SECTION), [FindingId::TextBeginsInsideBlock]);
    assert_eq!(found(&[0x38], 0x3F8, SECTION), [], "a string that knows its length");
    assert_eq!(found(&[u64::MAX], 0x3F8, SECTION), [], "the byte before may be a letter");
    assert_eq!(found(&[7], 0x400, SECTION), [], "it begins with the section");
}

#[test]
fn a_text_that_begins_with_allocated_memory() {
    let begins = [FindingId::ContentsBeginBefore, FindingId::ContentsBeginWithMemory];
    let text: Vec<u8> = TEXT.iter().copied().cycle().take(0x430).collect();
    let mut world = of_left_text(&text, 0);
    assert_eq!(PAGE % 0x1_0000, 0);
    assert_eq!(among(&world, &begins), [FindingId::ContentsBeginBefore], "no map says so");
    world.more = |synth| synth.memory_info(PAGE, 0x1000, 0x1000, 4, 0x2_0000);
    assert_eq!(among(&world, &begins), [FindingId::ContentsBeginWithMemory]);
    world.more = |synth| synth.memory_info(PAGE - 0x1_0000, 0x2_0000, 0x1000, 4, 0x2_0000);
    assert_eq!(among(&world, &begins), [FindingId::ContentsBeginBefore], "it began before");
    world.more = |synth| synth.module(PAGE, 0x1000, "app.exe", [1, 0, 0, 0]);
    assert_eq!(among(&world, &begins), [FindingId::ContentsBeginBefore], "a module's");
    world.more = |synth| synth;
    world.page[0] = 0;
    assert_eq!(among(&world, &begins), [FindingId::ContentsBeginBefore], "behind its first byte");
}

#[test]
fn where_in_a_row_of_sections_it_is() {
    let row = [
        FindingId::BeforeRow,
        FindingId::BehindRow,
        FindingId::BehindStaticRow,
        FindingId::InRow,
        FindingId::InRowOfBlocks,
        FindingId::RowStands,
        FindingId::FarOnRow,
    ];
    let found = |mut world: World, steps: &[i64]| {
        for step in steps {
            add_section(&mut world, SECTION.checked_add_signed(*step).unwrap());
        }
        among(&world, &row)
    };
    assert_eq!(found(of_strange_bytes(), &[0x40, 0x80]), [FindingId::BeforeRow]);
    assert_eq!(found(of_strange_bytes(), &[-0x40, -0x80]), [FindingId::BehindRow]);
    let in_module = |mut world: World| {
        world.more = |synth| synth.module(PAGE, 0x1000, "app.exe", [1, 0, 0, 0]);
        world
    };
    assert_eq!(found(in_module(of_strange_bytes()), &[-0x40, -0x80]), [FindingId::BehindStaticRow]);
    assert_eq!(found(in_module(of_zeros()), &[-0x40, -0x80]), [FindingId::BehindRow]);
    assert_eq!(found(of_strange_bytes(), &[-0x40, 0x40, 0x80]), [FindingId::InRow]);
    assert_eq!(
        found(of_strange_bytes(), &[-0x40, 0x40]),
        [],
        "two that are equally far are no row"
    );
    assert_eq!(found(of_strange_bytes(), &[0x40]), [], "one is no row");
    assert_eq!(found(of_strange_bytes(), &[0x40, 0x90]), [], "not at equal steps");
    assert_eq!(found(of_strange_bytes(), &[-0x40, 0x48]), []);
    assert_eq!(found(of_zeros(), &[0x40, 0x80]), [], "the row may begin with zeros");
    assert_eq!(found(of_zeros(), &[-0x80, -0x40, 0x40]), [FindingId::InRow]);
    let mut listed = of_strange_bytes();
    listed.records = vec![(PAGE + 0x800, SECTION)];
    assert_eq!(found(listed, &[0x40, 0x80]), [], "each may be an object of its own");
    let of_module = |first: Option<u64>| {
        let mut world = in_module(of_strange_bytes());
        first.into_iter().for_each(|to| put(&mut world.page, place(SECTION), to));
        world.records = vec![(PAGE + 0x800, SECTION)];
        [0x40, 0x80].iter().for_each(|step| add_section(&mut world, SECTION + step));
        world.has(FindingId::RowStands)
    };
    assert!(of_module(None), "the array is there still");
    assert!(!of_module(Some(SECTION + 0xC0)), "a pool's link to a free cell");
    assert!(of_module(Some(SECTION + 0xC8)));

    // Each in a block of 0x60 bytes, with the section at +10h of it.
    let mut blocks = in_wine_heap(6, false, 8);
    wine_block(&mut blocks, 0x208, 0x18, false, 0);
    [0x388, 0x3E8, 0x448, 0x4A8].iter().for_each(|at| wine_block(&mut blocks, *at, 6, false, 8));
    wine_block(&mut blocks, 0x508, 4, false, 0);
    blocks.failure = Failure::DebugInfoAccess;
    blocks.page[0x400..0x428].copy_from_slice(&TEXT[..0x28]);
    blocks.page[0x408..0x418].fill(0);
    assert_eq!(found(blocks, &[-0x60, 0x60, 0xC0]), [FindingId::InRowOfBlocks]);
    let mut array = in_wine_heap(0x20, false, 8);
    array.failure = Failure::DebugInfoAccess;
    array.page[0x400..0x428].copy_from_slice(&TEXT[..0x28]);
    array.page[0x408..0x418].fill(0);
    assert_eq!(found(array, &[-0x60, 0x60, 0xC0]), [FindingId::InRow], "two in one block");

    // Far from the row there is no memory.
    let far = |count: u64, step: u64, distance: u64| {
        let mut world = World::new();
        world.failure = Failure::SectionAccess;
        world.at = SECTION + distance;
        for section in (0..count).map(|index| SECTION + index * step) {
            let record = section + 0x800;
            world.section(section, (record, -1, 0, 0, 0, 0));
            world.records.push((record, section));
        }
        among(&world, &row)
    };
    let index = 0xFFFF_FFFF;
    assert_eq!(far(3, 0x38, index * 0x38), [FindingId::FarOnRow]);
    assert_eq!(far(3, 0x38, index * 0x38 + 8), [], "between two places");
    assert_eq!(far(2, 0x38, index * 0x38), []);
    assert_eq!(far(3, 0x40, index * 0x40), [], "what is aligned lies there anyway");
    assert_eq!(far(3, 0x30, index * 0x30), [], "one address in three does");
}

#[test]
fn the_head_of_a_list_is_no_object() {
    let (head, entry, other) = (SECTION + 0x30, PAGE + 0x630, PAGE + 0x830);
    let found = |mut world: World, links: &[(u64, u64)], objects: &[u64]| {
        for (from, to) in links {
            put(&mut world.page, place(*from), *to);
        }
        for object in objects {
            add_section(&mut world, *object);
        }
        world.has(FindingId::ListHeadBehind)
    };
    let ring = [(head, entry), (entry, other), (other, head)];
    let objects = [entry - 0x30, other - 0x30];
    let ring = [&ring[..], &[(head + 8, other)]].concat();
    assert!(found(of_strange_bytes(), &ring, &objects));
    assert!(!found(of_zeros(), &ring, &objects), "a lock beside a list may be zero");
    assert!(found(
        of_strange_bytes(),
        &[(head, entry), (entry, head), (head + 8, entry)],
        &objects[..1]
    ));
    assert!(!found(of_strange_bytes(), &ring[..3], &objects), "no link back");
    assert!(!found(of_strange_bytes(), &ring, &objects[..1]), "an entry without a section");
    let lost = [(head, entry), (entry, other), (other, entry), (head + 8, other)];
    assert!(!found(of_strange_bytes(), &lost, &objects), "it does not come back");
    assert!(
        !found(of_strange_bytes(), &[(head, head), (head + 8, head)], &objects),
        "an empty list says nothing"
    );
    let mut section = World::new();
    add_section(&mut section, SECTION);
    assert!(!found(section, &ring, &objects), "a section before the head");
}

#[test]
fn a_cell_of_a_pool() {
    let pool = [FindingId::PoolCell, FindingId::PoolLink, FindingId::PoolTookBack];
    // Free cells from `first` on, each of which leads `step` bytes further.
    let found = |mut world: World, first: u64, count: u64, step: u64| {
        for cell in (0..count).map(|index| first + index * step) {
            put(&mut world.page, place(cell), cell + step);
        }
        among(&world, &pool)
    };
    let cell = SECTION - 0x10;
    let behind = cell + 0x60;
    assert_eq!(found(of_strange_bytes(), behind, 4, 0x60), [FindingId::PoolCell]);
    assert_eq!(found(of_zeros(), behind, 4, 0x60), [FindingId::PoolCell]);
    assert_eq!(found(of_strange_bytes(), behind, 3, 0x60), [], "threads' blocks have three");
    assert_eq!(found(of_strange_bytes(), behind + 0x10, 4, 0x60), [FindingId::PoolCell]);
    assert_eq!(found(of_strange_bytes(), behind + 0x20, 4, 0x60), [], "across two cells");
    assert_eq!(found(of_strange_bytes(), behind, 4, 0x20), [], "too small for it");
    let before = SECTION - 0x10 - 4 * 0x60;
    assert_eq!(
        found(of_strange_bytes(), before, 4, 0x60),
        [FindingId::PoolCell],
        "free ones before"
    );
    let mut list = of_strange_bytes();
    (0..4).for_each(|index| add_section(&mut list, behind + 0x10 + index * 0x60));
    assert_eq!(found(list, behind, 4, 0x60), [], "a list of objects in use");
    let with_link = |to: u64| {
        let mut world = of_strange_bytes();
        put(&mut world.page, place(cell), to);
        world
    };
    assert_eq!(found(with_link(cell + 3 * 0x60), behind, 4, 0x60), [FindingId::PoolLink]);
    assert_eq!(found(with_link(cell), behind, 4, 0x60), [FindingId::PoolCell], "to itself");
    assert_eq!(found(with_link(cell + 0x68), behind, 4, 0x60), [FindingId::PoolCell]);
    let mut zeros = of_zeros();
    put(&mut zeros.page, place(cell), cell + 3 * 0x60);
    assert_eq!(found(zeros, behind, 4, 0x60), [FindingId::PoolLink], "nobody had it");
    let mut deleted = of_zeros();
    put(&mut deleted.page, place(cell), cell + 3 * 0x60);
    deleted.page[place(SECTION) + 0x30] = 7;
    assert_eq!(found(deleted, behind, 4, 0x60), [FindingId::PoolTookBack]);
    let mut sound = World::new();
    sound.section(SECTION, (u64::MAX, -2, 1, 0x24, 0x58, 0));
    assert_eq!(found(sound, behind, 4, 0x60), [], "it was made, and is one still");
}

#[test]
fn the_end_of_a_map_is_no_element() {
    let (head, root, left, right) = (SECTION - 0x20, PAGE + 0x600, PAGE + 0x700, PAGE + 0x800);
    // libstdc++: parent, left, right at 8, 10h, 18h; no child is 0.
    let gcc = [
        (head, 0),
        (root, 1),
        (head + 8, root),
        (head + 0x10, left),
        (head + 0x18, right),
        (root + 8, head),
        (root + 0x10, left),
        (root + 0x18, right),
    ];
    // Microsoft's: left, parent, right at 0, 8, 10h; no child is the head.
    let msvc = [
        (head + 0x18, 0x0101),
        (root + 0x18, 1),
        (head, left),
        (head + 8, root),
        (head + 0x10, right),
        (root, left),
        (root + 8, head),
        (root + 0x10, right),
        (left, head),
        (right + 0x10, head),
    ];
    let found = |words: &[(u64, u64)], at: u64| {
        let mut world = of_strange_bytes();
        words.iter().for_each(|(to, word)| put(&mut world.page, place(*to), *word));
        add_section(&mut world, at);
        world.has(FindingId::ContainerEnd)
    };
    assert!(found(&gcc, root + 0x20));
    assert!(found(&msvc, root + 0x20));
    assert!(!found(&gcc, root + 0x28), "its elements have their sections elsewhere");
    let with = |change: (u64, u64)| [&gcc[..], &[change]].concat();
    assert!(!found(&with((head, 1)), root + 0x20), "black: the root of a tree, seen from its head");
    assert!(!found(&with((root + 8, left)), root + 0x20), "no root");
    assert!(!found(&with((head + 0x10, root)), root + 0x20), "not the leftmost element");
    assert!(!found(&with((right + 0x18, right)), root + 0x20), "a way without an end");
}

#[test]
fn sections_that_went_together() {
    let record = PAGE + 0x900;
    // The block is from 0x3F0 to 0x4A0.
    let listed = |mut world: World, other: u64| {
        world.failure = Failure::DebugInfoAccess;
        world.page[0x400..0x428].copy_from_slice(&TEXT[..0x28]);
        world.records = vec![(record, SECTION), (record + 0x30, other)];
        world
    };
    let in_block = |other| listed(in_wine_heap(12, false, 8), other);
    let together = in_block(SECTION + 0x40);
    let said = statement(&together, FindingId::OthersReplaced).unwrap();
    assert!(said.contains("1 more record(s)"), "{said}");
    let mut stands = in_block(SECTION + 0x40);
    stands.section(SECTION + 0x40, (record + 0x30, -1, 0, 0, 0, 0));
    assert!(!stands.has(FindingId::OthersReplaced), "it is still there");
    assert!(!in_block(SECTION + 0x200).has(FindingId::OthersReplaced), "another block");
    let mut unlisted = in_block(SECTION + 0x40);
    unlisted.records.remove(0);
    assert!(!unlisted.has(FindingId::OthersReplaced), "this one is not on the list");

    let mut mapped = listed(World::new(), SECTION + 0x40);
    mapped.more = |synth| synth.memory_info(PAGE, 0x1000, 0x1000, 4, 0x2_0000);
    assert!(!mapped.has(FindingId::OthersReplaced), "one allocation may be a whole heap");
}

#[test]
fn how_far_a_fill_goes() {
    let ids = [FindingId::FillFillsPlace, FindingId::FillInsideBlock];
    let filled = |mut world: World, from: usize, to: usize| {
        world.failure = Failure::DebugInfoAccess;
        world.page[from..to].fill(0xA5);
        world.page[0x408..0x418].fill(0);
        assert!(world.has(FindingId::AllocationPattern));
        world
    };
    // The block is from 0x3F0 to 0x440.
    let in_block = |from, to, before: u8, behind: u8| {
        let mut world = in_wine_heap(6, false, 8);
        world.page[0x3F0] = before;
        world.page[0x43F] = behind;
        among(&filled(world, from, to), &ids)
    };
    assert_eq!(in_block(0x3F0, 0x440, 0, 0), [FindingId::FillFillsPlace]);
    assert_eq!(in_block(0x400, 0x430, 7, 7), [FindingId::FillFillsPlace], "links, and rounding");
    assert_eq!(in_block(0x3F4, 0x42F, 7, 7), [FindingId::FillInsideBlock]);
    assert_eq!(in_block(0x3F8, 0x42F, 7, 7), [], "a pointer of the allocator's, perhaps");
    assert_eq!(in_block(0x3F4, 0x42F, 0, 7), [], "zeros are no other data");
    assert_eq!(in_block(0x3F4, 0x42F, 7, 0), []);

    let in_row = |step: u64, to: usize| {
        let mut world = World::new();
        add_section(&mut world, SECTION - step);
        let mut world = filled(world, 0x400, to);
        add_section(&mut world, SECTION + step);
        add_section(&mut world, SECTION + 2 * step);
        among(&world, &ids)
    };
    assert_eq!(in_row(0x40, 0x440), [FindingId::FillFillsPlace]);
    assert_eq!(in_row(0x60, 0x440), [], "half of a place");
    assert_eq!(among(&filled(World::new(), 0x400, 0x440), &ids), [], "no place is known");
}

#[test]
fn a_cleared_section_is_still_listed() {
    let known =
        [FindingId::ZerosStillListed, FindingId::ClearedWhileListed, FindingId::ListLacksSection];
    let record = PAGE + 0x800;
    let mut entered = of_zeros();
    entered.section(SECTION, (0, -4, 0, 0, 0x40, 0));
    assert!(entered.has(FindingId::SectionZeroThenEntered));
    for mut world in [of_zeros(), entered] {
        assert_eq!(among(&world, &known), []);
        world.records = vec![(record, SECTION)];
        assert_eq!(among(&world, &known), [FindingId::ClearedWhileListed]);
        world.more = |synth| synth.module(PAGE, 0x1000, "app.exe", [1, 0, 0, 0]);
        assert_eq!(among(&world, &known), [FindingId::ZerosStillListed], "static data");
        world.more = |synth| synth;
        world.records = vec![(record, SECTION + 0x100)];
        assert_eq!(among(&world, &known), [], "Windows 10 lists few sections");
        // Windows 7 lists all.
        world.version = (6, 1, 7601);
        world.peb[0x118..0x11C].copy_from_slice(&6u32.to_le_bytes());
        world.peb[0x11C..0x120].copy_from_slice(&1u32.to_le_bytes());
        assert_eq!(among(&world, &known), [FindingId::ListLacksSection]);
    }
}

#[test]
fn a_page_of_zeros_had_no_object() {
    let world = |at: u64, allocation: u64| {
        let mut world = of_zeros();
        world.section(at, (0, 0, 0, 0, 0, 0));
        world.at = at;
        world.more = match allocation {
            PAGE => |synth| synth.memory_info(PAGE, 0x1000, 0x1000, 4, 0x2_0000),
            _ => |synth| synth.memory_info(PAGE - 0x1000, 0x2000, 0x1000, 4, 0x2_0000),
        };
        world
    };
    let has = |world: &World| world.has(FindingId::PageIsZero);
    assert!(has(&world(SECTION, PAGE)));
    assert!(!has(&world(SECTION, PAGE - 0x1000)), "not the first page");
    assert!(!has(&world(PAGE + 0x28 * 4, PAGE)), "it may be one of an array");
    let mut used = world(SECTION, PAGE);
    used.page[0xFFF] = 1;
    assert!(!has(&used), "something else is there");
    let mut part = world(SECTION, PAGE);
    part.page.truncate(0xF00);
    assert!(!has(&part), "the rest is not in the dump");
    let mut module = of_zeros();
    module.more = |synth| synth.module(PAGE, 0x1000, "app.exe", [1, 0, 0, 0]);
    assert!(!has(&module), "static data began as zeros");
}

#[test]
fn zeros_amid_zeros_or_data() {
    let known = [FindingId::ZerosGoOn, FindingId::ZerosAmidData];
    let beside = |before: u8, behind: u8| {
        let mut world = of_zeros();
        world.more = |synth| synth.module(PAGE, 0x1000, "app.exe", [1, 0, 0, 0]);
        world.page[0x3FF] = before;
        world.page[0x428] = behind;
        world
    };
    assert_eq!(among(&beside(0, 0), &known), [FindingId::ZerosGoOn]);
    assert_eq!(among(&beside(1, 0), &known), []);
    assert_eq!(among(&beside(1, 1), &known), [FindingId::ZerosAmidData]);
    let mut of_heap = beside(1, 1);
    of_heap.more = |synth| synth;
    assert_eq!(among(&of_heap, &known), [], "not in a module");
    let mut used = beside(1, 1);
    used.section(SECTION, (u64::MAX, -3, 0, 0, 0x1F0, 0x0200_07D0));
    assert_eq!(among(&used, &known), [], "not zero");
}
