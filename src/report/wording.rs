//! Words for the ids of the model.

use crate::report::escape;
use crate::report::model::{DumpInfo, ErrorLine, ExceptionInfo, FrameInfo, ProcessInfo, Report};

/// The Windows function behind `crash.operation`; an unknown id stands for itself.
pub(super) fn operation(id: &str) -> &str {
    match id {
        "leave" => "LeaveCriticalSection",
        "enter" => "EnterCriticalSection",
        "try-enter" => "TryEnterCriticalSection",
        "delete" => "DeleteCriticalSection",
        other => other,
    }
}

/// What a `crash.mechanism` (design.md 4.3) says.
pub(super) fn mechanism(id: &str) -> &'static str {
    match id {
        "handle-slot-empty" => "the handle that was passed was not open when the call used it",
        "handle-wrong-type" => "the handle belongs to another kind of object",
        "handle-access-denied" => "the handle lacks the right to signal its object",
        "handle-implausible" => "the value passed as handle is none that ntdll stores",
        "section-zeroed" => "the section is zero, but for what the call wrote",
        "section-unreadable" => "the section's memory cannot be read",
        "debug-info-invalid" => "what the section's DebugInfo leads to is not in order",
        "pointer-invalid" => "the argument is not the address of a section",
        "not-owner" => "the section was left by a thread that does not own it",
        "possible-deadlock" => "a thread waited for the section longer than allowed",
        "verifier-stop" => "Application Verifier stopped the process",
        _ => "the dump does not show what went wrong inside the call",
    }
}

/// The headline of a report on no lock failure. What the dump does not show is not denied.
pub(super) fn no_failure(report: &Report) -> &'static str {
    match report.missing.is_empty() {
        true => "Not a critical-section failure",
        false => "No critical-section failure recognised",
    }
}

/// What a `handle.state` (design.md 4.3) says; a handle that was not recovered could not be looked up.
pub(super) fn handle_state(id: &str, is_recovered: bool) -> &str {
    match id {
        "unknown" if !is_recovered => "unknown: there is no value to look up",
        "absent" => "not in the handle table: its slot is empty",
        "event" => "in the handle table, an event",
        "other-object" => "in the handle table, but not an event",
        "not-a-handle" => "no value that a handle can have",
        "none" => "none: no event was made yet",
        "wait-on-address" => "-1: waiters wait on the address, without an event",
        "unknown" => "unknown: the dump has no complete handle table",
        other => other,
    }
}

/// What a `debug_info.state` says.
pub(super) fn debug_record_state(id: &str) -> &str {
    match id {
        "own" => "a debug record that points back at this section",
        "foreign" => "a debug record of another section",
        "wiped" => "a debug record that was wiped",
        "absent" => "-1: made without a debug record",
        "null" => "null: never made, or deleted",
        "not-a-record" => "memory that is no debug record",
        "impossible" => "an address that cannot be",
        "not-captured" => "its memory is not in the dump",
        other => other,
    }
}

/// `STATUS_ACCESS_VIOLATION (0xC0000005) writing 0x24 at 0x77b2a604`: name, code, what was accessed, and the instruction.
pub(super) fn exception(exception: &ExceptionInfo) -> String {
    let name = match &exception.name {
        Some(name) => format!("{} ({})", escape::name(name), exception.code),
        None => exception.code.clone(),
    };
    let accessed = accessed(exception).map_or_else(String::new, |text| format!(" {text}"));
    format!("{name}{accessed} at {}", escape::name(&exception.address))
}

/// What an exception's parameters say of an access, or of a fast fail (EXCEPTION_RECORD, learn.microsoft.com/windows/win32/api/winnt; the codes of
/// `__fastfail` are those of winnt.h).
fn accessed(exception: &ExceptionInfo) -> Option<String> {
    let parameter = |index: usize| exception.parameters.get(index).map(String::as_str);
    let of_address = |what: &str| Some(format!("{what} {}", escape::name(parameter(1)?)));
    match (exception.code.as_str(), parameter(0)?) {
        ("0xC0000005" | "0xC0000006", "0x0") => of_address("reading"),
        ("0xC0000005" | "0xC0000006", "0x1") => of_address("writing"),
        ("0xC0000005" | "0xC0000006", "0x8") => of_address("executing"),
        ("0xC0000409", code) => Some(format!("fast fail {}", escape::name(code))),
        _ => None,
    }
}

/// A probability for eyes. Never 0 or 100 %: a ranking is not a proof.
pub(super) fn percent(probability: f64) -> String {
    if probability.is_nan() {
        "? %".to_owned()
    } else if probability < 0.005 {
        "<1 %".to_owned()
    } else if probability >= 0.995 {
        ">99 %".to_owned()
    } else {
        format!("{:.0} %", probability * 100.0)
    }
}

/// Name and version of the program, its id and how long it ran.
pub(super) fn process(process: &ProcessInfo) -> String {
    let mut text = process.name.as_deref().map_or_else(|| "unknown".to_owned(), escape::name);
    if let Some(version) = &process.version {
        text = format!("{text} {}", escape::name(version));
    }
    if let Some(id) = process.id {
        text = format!("{text}, process {id}");
    }
    if let Some(seconds) = process.uptime_s {
        text = format!("{text}, up {}", duration(seconds));
    }
    text
}

/// Processor and Windows version.
pub(super) fn system(dump: &DumpInfo) -> String {
    let cpu = match (dump.wow64, dump.cpu.as_str()) {
        (true, "x86") => "x86 on 64-bit Windows".to_owned(),
        (true, cpu) => format!("{cpu} side of a 32-bit process"),
        (false, cpu) => cpu.to_owned(),
    };
    let Some(os) = &dump.os else { return cpu };
    let pack = os.service_pack.as_deref().map(|pack| format!(" {}", escape::name(pack)));
    format!("{cpu}, Windows {} build {}{}", os.version, os.build, pack.unwrap_or_default())
}

/// The file, its size, time and kind.
pub(super) fn dump(dump: &DumpInfo) -> String {
    let member = dump.member.as_deref().map(|name| format!(" ({})", escape::name(name)));
    let time = dump.time.as_deref().map(|time| format!(", written {}", escape::name(time)));
    format!(
        "{}{}, {}, {}{}",
        escape::one_line(&dump.path, 200),
        member.unwrap_or_default(),
        bytes(dump.size),
        dump.memory_kind,
        time.unwrap_or_default()
    )
}

/// The module files that were read with the dump; `None` without any.
pub(super) fn images(dump: &DumpInfo) -> Option<String> {
    let names: Vec<String> = dump.images.iter().map(|image| escape::name(&image.module)).collect();
    (!names.is_empty()).then(|| format!("files of {}", names.join(", ")))
}

/// One sentence for a dump that could not be read, with the place in it, which most errors name themselves.
pub(super) fn error_sentence(error: &ErrorLine) -> String {
    let mut text = format!("{}: {}", escape::one_line(&error.path, 200), error.error);
    let says = |offset| error.error.contains(&format!("at offset {offset:#x}"));
    if error.offset.is_some_and(says) {
        return text;
    }
    if let Some(stream) = &error.stream {
        text = format!("{text}; stream {}", escape::name(stream));
    }
    if let Some(offset) = error.offset {
        text = format!("{text}; at byte {offset} of the file");
    }
    text
}

/// `module!function+offset`, `module+offset`, or that no module is there.
pub(super) fn place(frame: &FrameInfo) -> String {
    let Some(module) = frame.module.as_deref().map(escape::name) else {
        return "(no module)".to_owned();
    };
    let offset = |value: &Option<String>| {
        value.as_deref().map_or_else(String::new, |offset| format!("+{}", escape::name(offset)))
    };
    match &frame.function {
        Some(function) => {
            format!("{module}!{}{}", escape::one_line(function, 48), offset(&frame.function_offset))
        }
        None => format!("{module}{}", offset(&frame.module_offset)),
    }
}

fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    UNITS
        .iter()
        .find(|(size, _)| count >= *size)
        .and_then(|(size, unit)| Some(format!("{} {unit}", count.checked_div(*size)?)))
        .unwrap_or_else(|| format!("{count} bytes"))
}

fn duration(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "min")];
    UNITS
        .iter()
        .find(|(size, _)| seconds >= *size)
        .and_then(|(size, unit)| Some(format!("{} {unit}", seconds.checked_div(*size)?)))
        .unwrap_or_else(|| format!("{seconds} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probability_is_never_certain() {
        let cases = [
            (0.0, "<1 %"),
            (0.004, "<1 %"),
            (0.5, "50 %"),
            (0.994, "99 %"),
            (0.999, ">99 %"),
            (1.0, ">99 %"),
        ];
        for (probability, text) in cases {
            assert_eq!(percent(probability), text);
        }
        assert_eq!(percent(f64::NAN), "? %");
    }

    #[test]
    fn an_exception_says_what_was_accessed() {
        let said = |code: &str, parameters: &[&str]| {
            exception(&ExceptionInfo {
                code: code.to_owned(),
                name: None,
                address: "0x77b2a604".to_owned(),
                flags: "0x0".to_owned(),
                parameters: parameters.iter().map(|text| (*text).to_owned()).collect(),
                nested: Vec::new(),
            })
        };
        assert_eq!(said("0xC0000005", &["0x1", "0x24"]), "0xC0000005 writing 0x24 at 0x77b2a604");
        assert_eq!(said("0xC0000006", &["0x0", "0x8"]), "0xC0000006 reading 0x8 at 0x77b2a604");
        assert_eq!(said("0xC0000409", &["0x3"]), "0xC0000409 fast fail 0x3 at 0x77b2a604");
        assert_eq!(said("0xC0000005", &["0x1"]), "0xC0000005 at 0x77b2a604");
        assert_eq!(said("0xC0000008", &[]), "0xC0000008 at 0x77b2a604");
    }

    #[test]
    fn sizes_and_durations_use_the_largest_unit() {
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1_482_752), "1 MiB");
        assert_eq!(bytes(u64::MAX), "17179869183 GiB");
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(12_060), "3 h");
        assert_eq!(duration(200_000), "2 d");
    }

    #[test]
    fn an_error_says_where() {
        let error = ErrorLine {
            path: "a.dmp".to_owned(),
            error: "cut off".to_owned(),
            stream: Some("ThreadList".to_owned()),
            offset: Some(8),
            member: None,
            file: None,
        };
        assert_eq!(
            error_sentence(&error),
            "a.dmp: cut off; stream ThreadList; at byte 8 of the file"
        );
        let itself = ErrorLine { error: "header at offset 0x8: cut off".to_owned(), ..error };
        assert_eq!(error_sentence(&itself), "a.dmp: header at offset 0x8: cut off");
    }
}
