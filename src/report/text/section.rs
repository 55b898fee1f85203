//! The section and its handle: raw values beside what they mean.

use super::page::Page;
use super::wording;
use crate::report::escape;
use crate::report::model::{
    DebugRecordInfo, DecodedInfo, FieldsInfo, HandleInfo, Report, SectionInfo,
};

/// Most hexadecimal digits of the section's bytes: 0x28 bytes, the size of `RTL_CRITICAL_SECTION` with
/// 8-byte pointers (critical-sections.md 1.1).
const MAX_HEX: usize = 80;

/// No process has so many threads: what is beyond is not a count of those that wait.
const MOST_THREADS: u32 = 1 << 16;

/// Writes the section's fields with their meaning.
pub(super) fn section(page: &mut Page, report: &Report) {
    let Some(section) = &report.critical_section else { return };
    page.heading("SECTION", &format!("{} at {}", escape::name(&section.name), section.address));
    if let Some(fields) = &section.fields {
        page.rows(rows(fields, section, report.handle.as_ref()));
    } else {
        page.paragraph("Its memory could not be read.");
    }
    let mut about = Vec::new();
    if !section.recovered_from.is_empty() {
        about.push(("found by", joined(&section.recovered_from)));
    }
    about.extend(section.bytes.iter().map(|hex| ("bytes", escape::one_line(hex, MAX_HEX))));
    page.pairs(&about);
}

/// Writes the handle, and what the handle table says about it.
pub(super) fn handle(page: &mut Page, report: &Report) {
    let Some(handle) = &report.handle else { return };
    page.heading("HANDLE", &escape::name(handle.value.as_deref().unwrap_or("not recovered")));
    let mut rows =
        vec![("state", wording::handle_state(&handle.state, handle.value.is_some()).to_owned())];
    let details = [
        ("read from", &handle.source),
        ("type", &handle.type_name),
        ("name", &handle.name),
        ("access", &handle.granted_access),
        ("note", &handle.note),
    ];
    rows.extend(details.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    page.pairs(&rows);
}

/// The fields: name, raw value, meaning.
pub(in crate::report) fn rows(
    fields: &FieldsInfo,
    section: &SectionInfo,
    handle: Option<&HandleInfo>,
) -> Vec<Vec<String>> {
    let decoded = section.decoded.as_ref();
    let row =
        |name: &str, raw: &str, meaning: String| vec![name.to_owned(), escape::name(raw), meaning];
    let encoding = section.lock_count_encoding.as_deref();
    vec![
        row("DebugInfo", &fields.debug_info, debug_record(section.debug_info.as_ref())),
        row("LockCount", &fields.lock_count.to_string(), lock_count(decoded, encoding)),
        row("RecursionCount", &fields.recursion_count.to_string(), recursion_count(fields)),
        row("OwningThread", &fields.owning_thread, owner(decoded)),
        row("LockSemaphore", &fields.lock_semaphore, semaphore(fields, handle)),
        row("SpinCount", &fields.spin_count, flags(decoded)),
    ]
}

fn debug_record(record: Option<&DebugRecordInfo>) -> String {
    let Some(record) = record else { return String::new() };
    let mut text = wording::debug_record_state(&record.state).to_owned();
    if record.state == "foreign" {
        text.extend(
            record.critical_section.iter().map(|address| format!(", {}", escape::name(address))),
        );
    }
    text.extend(record.contention_count.map(|count| match count {
        1 => ", contended once".to_owned(),
        count => format!(", contended {count} times"),
    }));
    text
}

fn lock_count(decoded: Option<&DecodedInfo>, encoding: Option<&str>) -> String {
    let Some(decoded) = decoded else { return "not decoded".to_owned() };
    let mut text = if decoded.locked { "locked" } else { "free" }.to_owned();
    text.push_str(match decoded.waiter_woken {
        Some(true) => ", a waiter was woken",
        Some(false) => ", no waiter was woken",
        None => "",
    });
    text.push_str(&format!(", {} waiting", decoded.waiters));
    if decoded.waiters > MOST_THREADS {
        text.push_str(", which is no count of threads");
    }
    text.extend(decoded.waiters_before.map(|count| format!(" ({count} before the call)")));
    text.extend(encoding.map(|encoding| format!("; encoding {}", escape::name(encoding))));
    text
}

fn recursion_count(fields: &FieldsInfo) -> String {
    match fields.recursion_count {
        0 => "nobody is inside".to_owned(),
        1 => "entered once".to_owned(),
        count if count > 1 => format!("entered {count} times"),
        _ => "left more often than entered".to_owned(),
    }
}

fn owner(decoded: Option<&DecodedInfo>) -> String {
    let Some(decoded) = decoded else { return String::new() };
    decoded.owner.as_deref().map_or_else(
        || "nobody".to_owned(),
        |owner| format!("owned by thread {}", escape::name(owner)),
    )
}

/// The state of the handle describes `LockSemaphore` only when it is the very value.
fn semaphore(fields: &FieldsInfo, handle: Option<&HandleInfo>) -> String {
    handle
        .filter(|handle| handle.value.as_ref() == Some(&fields.lock_semaphore))
        .map_or_else(String::new, |handle| {
            wording::handle_state(&handle.state, handle.value.is_some()).to_owned()
        })
}

fn flags(decoded: Option<&DecodedInfo>) -> String {
    decoded.map_or_else(String::new, |decoded| joined(&decoded.flags))
}

fn joined(names: &[String]) -> String {
    names.iter().take(16).map(|name| escape::name(name)).collect::<Vec<_>>().join(", ")
}
