//! What else the bytes may be, when they are not those of a section: another object, a pointer to a section, a text; and
//! whether the place can hold old bytes at all.

use super::text::{self, Text};
use super::{Case, Finding, FindingId, field_at, has};
use crate::crash::named;
use crate::critsec::debug_info::DebugInfoState;
use crate::critsec::layout::Layout;
use crate::critsec::{CriticalSection, search, spin_count};
use crate::dump::heap::{self, BlockState};
use crate::dump::memory::PointerWidth;
use crate::dump::modules::Module;
use crate::dump::unloaded::UnloadedModule;

/// Pointers to code, side by side, that make a table of functions.
const TABLE: u64 = 2;
/// Most bytes of a text followed on either side.
const MAX_RUN: u64 = 0x1_0000;
/// Bytes of a text behind a section that are more than an overrun's end, and many more.
const BEHIND: u64 = 32;
const FAR_BEHIND: u64 = 128;

pub(super) fn collect(case: Case<'_, '_>, findings: &mut Vec<Finding>) {
    let Some(section) = case.section.filter(|section| section.raw.is_some()) else { return };
    if matches!(section.debug_info, Some(DebugInfoState::Own(_) | DebugInfoState::Absent)) {
        return;
    }
    pointer_to_section(case, section, findings);
    table_of_functions(case, section, findings);
    other_pointers(case, section, findings);
    static_storage(case, section, findings);
    unloaded_before(case, section, findings);
    if has(findings, FindingId::EveryFieldForeign) {
        text_begins(case, section, findings);
    }
}

/// The first word is the address of a section.
///
/// - situation: the address of a pointer was passed for the pointer.
/// - example: `LeaveCriticalSection((CRITICAL_SECTION *)&object->lock)`, where lock is a pointer already.
/// - handling: what the first word leads to is in every field a section, or has a record that names it: an Enter that waits counts itself in what
///   it takes for the record, which is the section's last fields.
/// - test: `a_pointer_to_a_section_is_told_from_a_section`.
fn pointer_to_section(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let Some(first) = section.raw.map(|raw| raw.debug_info) else { return };
    let dump = case.scene.dump;
    let there = CriticalSection::read(dump, first, section.encoding).debug_info;
    let has_record = matches!(there, Some(DebugInfoState::Own(record)) if record.kind <= 1);
    if has_record || search::genuine(dump, first, section.encoding).is_some() {
        findings.push(Finding::new(
            FindingId::PointsToSection,
            format!("The first word, {first:#x}, is the address of a section."),
            format!("memory at {first:#x}"),
        ));
    }
}

/// The first word is the address of a table of functions.
///
/// - situation: an object with virtual functions begins where a section should.
/// - example: the address of the object was passed for that of its member; or another object was made where a freed one lay.
/// - handling: the word leads into a part of a module that cannot be written, where at least two words side by side are
///   addresses of code.
/// - test: `a_table_of_functions_is_another_object`.
fn table_of_functions(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let Some(table) = section.raw.map(|raw| raw.debug_info) else { return };
    if !is_table_of_functions(case, section.width, table) {
        in_module(case, section, table, findings);
    } else {
        findings.push(Finding::new(
            FindingId::FunctionTableInside,
            format!("The first word, {table:#x}, is the address of a table of functions: an object with virtual functions begins here."),
            format!("memory at {table:#x}"),
        ));
    }
}

/// Whether addresses of code stand side by side at `table`, in memory of a module that cannot be written.
pub(super) fn is_table_of_functions(case: Case<'_, '_>, width: PointerWidth, table: u64) -> bool {
    let images = case.scene.images;
    let part = images.image_at(table).and_then(|image| image.section_at(image.rva(table)?));
    let leads_to_code = |index: u64| {
        let slot = index.checked_mul(width.bytes()).and_then(|at| table.checked_add(at));
        let word = slot.and_then(|slot| case.scene.dump.memory.pointer(slot, width));
        let image = word.and_then(|word| Some((images.image_at(word)?, word)));
        image.is_some_and(|(image, word)| {
            let part = image.rva(word).and_then(|rva| image.section_at(rva));
            part.is_some_and(|part| part.is_executable())
        })
    };
    part.is_some_and(|part| !part.is_writable()) && (0..TABLE).all(leads_to_code)
}

/// The first word leads into a module that is not ntdll.
///
/// - situation: objects begin with the address of a table or of a constant of their module; debug records lie in ntdll and in
///   the heap (critical-sections.md 1.2).
/// - example: DebugInfo 0x140004520, in the program's own image, of which the dump has nothing there.
/// - handling: any loaded module but ntdll, unless what lies there is a record (a static initialiser can bring its own).
/// - test: `a_record_does_not_lie_in_a_program`.
fn in_module(
    case: Case<'_, '_>,
    section: &CriticalSection,
    word: u64,
    findings: &mut Vec<Finding>,
) {
    let is_record = matches!(section.debug_info, Some(DebugInfoState::Foreign(_)));
    // A static initialiser brings a record of its own module, which a small dump need not hold.
    let own = case.scene.dump.module_at(section.address).map(|module| module.base);
    let is_foreign = [FindingId::EveryFieldForeign, FindingId::HeadForeign];
    let may_be_own = section.debug_info == Some(DebugInfoState::NotCaptured)
        && !is_foreign.iter().any(|id| has(findings, *id));
    let module = case
        .scene
        .dump
        .module_at(word)
        .filter(|module| !(is_record || may_be_own && own == Some(module.base)));
    let module = module.filter(|module| !module.is_named("ntdll.dll"));
    if let Some(module) = module {
        findings.push(Finding::new(
            FindingId::DebugInfoInModule,
            format!(
                "DebugInfo {word:#x} leads into {}, where no debug record lies.",
                module.file_name()
            ),
            "ModuleList",
        ));
    }
}

/// The owner, the handle or the spin count is an address in a module of the program.
///
/// - situation: objects hold pointers to names and tables; the fields of a section behind the first hold numbers.
/// - example: LockSemaphore 0x140004012, in the constants of the program, behind a DebugInfo that leads there too.
/// - handling: modules of the program, by their paths; not a spin count that may be one, at whatever address a module lies; only where more of the section is not ntdll's.
/// - test: `an_object_with_pointers_is_no_section`.
fn other_pointers(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let Some(raw) = section.raw.filter(|_| FindingId::FOREIGN.iter().any(|id| has(findings, *id)))
    else {
        return;
    };
    let fields = [
        ("OwningThread", raw.owning_thread),
        ("LockSemaphore", raw.lock_semaphore),
        ("SpinCount", raw.spin_count),
    ];
    let modules = &case.scene.dump;
    let is_spin = |name: &str, value: u64| name == "SpinCount" && spin_count::is_plausible(value);
    let found = fields.into_iter().find_map(|(name, value)| {
        (!is_spin(name, value)).then_some(())?;
        let module = modules.module_at(value).filter(|module| module.is_of_program())?;
        Some((name, value, module))
    });
    if let Some((name, value, module)) = found {
        findings.push(Finding::new(
            FindingId::PointersInside,
            format!(
                "{name} {value:#x} is an address in {}: a field of another object.",
                module.file_name()
            ),
            "ModuleList",
        ));
    }
}

/// Static storage holds no old bytes.
///
/// - situation: memory that was never initialised keeps what its last owner left, but a module's data has no last owner.
/// - example: text in a static section: the loader put zeros there, so that something wrote it since.
/// - handling: the section lies in a writable part of a loaded module, and a field is not as ntdll leaves it. Where no field is, it may as well be a
///   piece of a buffer that holds another object now.
/// - test: `static_storage_holds_no_old_bytes`.
fn static_storage(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let dump = case.scene.dump;
    let Some(module) = dump.module_at(section.address) else { return };
    let is_filled = FindingId::FILLS.iter().any(|id| has(findings, *id));
    let is_foreign = FindingId::FOREIGN.iter().any(|id| has(findings, *id));
    if dump.unloaded_at(section.address).next().is_some() || is_filled || !is_foreign {
        return;
    }
    let is_other = has(findings, FindingId::EveryFieldForeign);
    findings.push(Finding::new(
        if is_other { FindingId::StaticStorageReplaced } else { FindingId::StaticStorageWritten },
        format!(
            "The section is static data of {}, which began as zeros or as the linker laid it out; something wrote there since.",
            module.file_name()
        ),
        "ModuleList",
    ));
    not_named(case, section.address, module, findings);
}

/// No code names the static data that the section lies in; see [`named::is_named`].
fn not_named(case: Case<'_, '_>, section: u64, module: &Module, findings: &mut Vec<Finding>) {
    let image = case.scene.images.module_at(module.base);
    if image.and_then(|image| named::is_named(case.scene, image, section)) == Some(false) {
        findings.push(Finding::new(
            FindingId::StaticNotNamed,
            format!(
                "No code or constant of {} names this place, or the {:#x} bytes before it: the program comes to it by a pointer.",
                module.file_name(),
                named::REACH
            ),
            format!("code and constants of {}", module.file_name()),
        ));
    }
}

/// Other memory lies where a module was.
///
/// - situation: a DLL with a static section was unloaded, and its address range given out again.
/// - example: a buffer at the address of a section of plugin.dll, which the list of unloaded modules still has.
/// - handling: the list of unloaded modules, where no module is now, and a field is not ntdll's; or another module is, by its time stamp or its size and
///   by the 31 characters of its name that Windows keeps, and no field is ntdll's. The same one may be loaded again.
/// - test: `a_buffer_where_a_module_was`.
fn unloaded_before(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let dump = case.scene.dump;
    let is_foreign =
        FindingId::FOREIGN.iter().chain(&FindingId::FILLS).any(|id| has(findings, *id));
    let now = dump.module_at(section.address);
    let whole = [FindingId::EveryFieldForeign, FindingId::HeadForeign];
    let is_foreign = is_foreign && (now.is_none() || whole.iter().any(|id| has(findings, *id)));
    let mut gone = dump.unloaded_at(section.address).filter(|_| is_foreign);
    if let Some(module) = gone.find(|gone| now.is_none_or(|now| !is_same(now, gone))) {
        let owner = now.map_or("other data", Module::file_name);
        findings.push(Finding::new(
            FindingId::UnloadedModuleReused,
            format!(
                "{:#x} lies where {} was loaded before it was unloaded; {owner} is there now.",
                section.address,
                module.file_name()
            ),
            "UnloadedModuleList",
        ));
    }
}

/// Whether a module may be the one that was unloaded.
fn is_same(now: &Module, gone: &UnloadedModule) -> bool {
    const KEPT: usize = 31;
    let start = |name: &str| name.chars().take(KEPT).collect::<String>().to_ascii_lowercase();
    let is_build = now.time_date_stamp == gone.time_date_stamp && now.size == gone.size;
    is_build && now.time_date_stamp != 0 || start(now.file_name()) == start(gone.file_name())
}

/// Where the text that fills a section begins.
///
/// - situation: text runs through the whole section, so that it shows no damaged border.
/// - example: "Content-Type: text/plain" with the section at its C, against "...the quick brown fox" with it in the middle.
/// - handling: a text that begins exactly at the address is an object of its own there; one that begins before came over
///   the section from there, or was there first. Inside a heap block in use it is a field
///   of the object there, or was one: a new owner's text would mostly begin with the block.
/// - test: `where_a_text_begins_is_said`, `a_text_that_begins_with_allocated_memory`.
fn text_begins(case: Case<'_, '_>, section: &CriticalSection, findings: &mut Vec<Finding>) {
    let here = section.address;
    let block = heap::block_at(case.scene.dump, here);
    let block = block.filter(|block| block.state != BlockState::FrontEnd);
    // The header before a block may end in what looks like text.
    let bounds = match block {
        Some(block) => {
            block.start.max(here.saturating_sub(MAX_RUN))
                ..block.end().min(here.saturating_add(MAX_RUN))
        }
        None => here.saturating_sub(MAX_RUN)..here.saturating_add(MAX_RUN),
    };
    let Some(text) = text::through(case, section, bounds) else { return };
    // A table of texts may lie behind an overrun.
    let behind = case.scene.dump.memory.u8(text.end);
    if block.is_some() || behind.is_none_or(|byte| byte == 0) {
        text_goes_on(section, &text, findings);
    }
    let is_region = is_start_of_memory(case, text.start);
    let Text { start, shown, is_cut, .. } = text;
    let before = section.address.saturating_sub(start);
    let is_cut = is_cut || before >= MAX_RUN;
    let least = if is_cut { "at least " } else { "" };
    let (id, what) = match before {
        0 if is_cut && !is_region => return,
        0 if block.is_some_and(|block| block.state == BlockState::Busy && block.start < here) => (
            FindingId::ContentsBeginInBlock,
            "begins exactly here, inside a block of the heap".to_owned(),
        ),
        0 => (FindingId::ContentsBeginHere, "begins exactly here".to_owned()),
        // The map of the address space says so: there is nothing before it.
        _ if is_region => (
            FindingId::ContentsBeginWithMemory,
            format!("begins {before} byte(s) before, with the memory that was allocated there"),
        ),
        _ => (FindingId::ContentsBeginBefore, format!("begins {least}{before} byte(s) before")),
    };
    findings.push(Finding::new(
        id,
        format!("{shown} stands where the section should, and {what}."),
        field_at(section, 0),
    ));
}

/// How far the text that fills a section goes on behind it.
///
/// - situation: an overrun writes what was to fit into a buffer, and mostly ends in the section or soon behind it; a text that has the memory for its
///   own has all of it.
/// - example: 580 bytes of names behind the section, and 544 before it.
/// - handling: 32 bytes or more, or 128; counted up to the end of its heap block, or where that is not known up to a zero, or the
///   end of what the dump has.
/// - test: `a_text_that_goes_on_behind`.
fn text_goes_on(section: &CriticalSection, text: &Text, findings: &mut Vec<Finding>) {
    let end = section.address.saturating_add(Layout::of(section.width).size);
    let rest = text.end.saturating_sub(end);
    let id = match rest {
        FAR_BEHIND.. => FindingId::TextGoesFarOn,
        BEHIND.. => FindingId::TextGoesOn,
        _ => return,
    };
    findings.push(Finding::new(
        id,
        format!("The text goes on for {rest} bytes behind the section."),
        format!("memory at {end:#x}"),
    ));
}

/// Whether memory that was allocated by itself begins at an address: no module's, no stack's, at a multiple of 64 KiB.
fn is_start_of_memory(case: Case<'_, '_>, address: u64) -> bool {
    const GRANULARITY: u64 = 0x1_0000;
    let dump = case.scene.dump;
    let base = dump.memory_info_at(address).map(|info| info.allocation_base);
    address.is_multiple_of(GRANULARITY)
        && base == Some(address)
        && dump.module_at(address).is_none()
        && dump.stack_owner(address).is_none()
}
