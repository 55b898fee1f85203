//! `Report.wer`: lines of `key=value`, in UTF-16 with a byte order mark.
//!
//! Names of problem parameters (`Sig[0].Name`) are in the language of that Windows; their meaning goes by event type
//! and index (werapi.h, WER_REPORT_PARAMETER; observed on APPCRASH, BEX, MoAppCrash and AppHangB1 reports).

use std::collections::BTreeMap;

use crate::dump::text;
use crate::report::model::Collected;
use crate::report::time;

/// Most problem parameters kept.
const MAX_PARAMETERS: usize = 32;
/// Longest value kept, in characters.
const MAX_VALUE: usize = 512;

/// Reads the file's content; `None` when it names no event type.
pub(super) fn parse(bytes: &[u8]) -> Option<Collected> {
    let text = decode(bytes);
    let mut keys = BTreeMap::new();
    for line in text.lines() {
        if let Some((key, value)) = line.split_once('=') {
            keys.entry(key.trim().to_ascii_lowercase()).or_insert_with(|| clean(value));
        }
    }
    let event_type = keys.get("eventtype").filter(|value| !value.is_empty())?.clone();
    Some(Collected {
        kind: "wer".into(),
        report_id: keys.get("reportidentifier").cloned(),
        state: None,
        event_time: keys.get("eventtime").and_then(|value| file_time(value)),
        application_path: keys.get("apppath").cloned(),
        parameters: parameters(&event_type, &keys),
        event_type: Some(event_type),
    })
}

/// UTF-16 in either order by its mark, else UTF-8.
fn decode(bytes: &[u8]) -> String {
    let units = |from: fn([u8; 2]) -> u16| {
        let pairs = bytes.chunks_exact(2).skip(1);
        let units: Vec<u16> = pairs.map(|pair| pair.try_into().map_or(0xFFFD, from)).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn clean(value: &str) -> String {
    text::sanitise(value.trim()).chars().take(MAX_VALUE).collect()
}

/// 100-nanosecond intervals since 1601 (FILETIME, minwinbase.h).
fn file_time(value: &str) -> Option<String> {
    const SECONDS_FROM_1601_TO_1970: u64 = 11_644_473_600;
    let seconds = value.parse::<u64>().ok()?.checked_div(10_000_000)?;
    let unix = seconds.checked_sub(SECONDS_FROM_1601_TO_1970)?;
    Some(time::rfc3339(u32::try_from(unix).ok()?))
}

/// What the parameters of an event type mean, by index.
fn names(event_type: &str) -> &'static [&'static str] {
    match event_type.to_ascii_lowercase().as_str() {
        "appcrash" => &[
            "application",
            "application_version",
            "application_timestamp",
            "fault_module",
            "fault_module_version",
            "fault_module_timestamp",
            "exception_code",
            "exception_offset",
        ],
        "bex" | "bex64" => &[
            "application",
            "application_version",
            "application_timestamp",
            "fault_module",
            "fault_module_version",
            "fault_module_timestamp",
            "exception_offset",
            "exception_code",
            "exception_data",
        ],
        "moappcrash" => &[
            "package",
            "application",
            "application_version",
            "application_timestamp",
            "fault_module",
            "fault_module_version",
            "fault_module_timestamp",
            "exception_code",
            "exception_offset",
        ],
        "apphangb1" => &[
            "application",
            "application_version",
            "application_timestamp",
            "hang_signature",
            "hang_type",
        ],
        _ => &[],
    }
}

fn parameters(event_type: &str, keys: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let names = names(event_type);
    let value = |index: usize| keys.get(&format!("sig[{index}].value"));
    let named = |index: usize| {
        let name = names
            .get(index)
            .map_or_else(|| format!("parameter_{index}"), |name| (*name).to_owned());
        Some((name, value(index)?.clone()))
    };
    (0..MAX_PARAMETERS).filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A German report, as Windows writes it.
    const REPORT: &str = "Version=1\r\nEventType=APPCRASH\r\nEventTime=133766166000000000\r\n\
        ReportIdentifier=11223344-0000-0000-0000-000000000001\r\nSig[0].Name=Anwendungsname\r\nSig[0].Value=agent.exe\r\n\
        Sig[3].Name=Fehlermodulname\r\nSig[3].Value=ntdll.dll\r\nSig[6].Name=Ausnahmecode\r\nSig[6].Value=c0000008\r\n\
        AppPath=C:\\Tools\\agent.exe\r\n";

    fn utf16(text: &str) -> Vec<u8> {
        let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
        units.flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn parameters_go_by_index_not_by_their_localised_names() {
        let report = parse(&utf16(REPORT)).unwrap();
        assert_eq!(report.event_type.as_deref(), Some("APPCRASH"));
        assert_eq!(report.event_time.as_deref(), Some("2024-11-20T22:50:00Z"));
        assert_eq!(report.application_path.as_deref(), Some("C:\\Tools\\agent.exe"));
        let parameter = |name: &str| report.parameters.get(name).map(String::as_str);
        assert_eq!(parameter("application"), Some("agent.exe"));
        assert_eq!(parameter("fault_module"), Some("ntdll.dll"));
        assert_eq!(parameter("exception_code"), Some("c0000008"));
        assert_eq!(report.parameters.len(), 3);
    }

    #[test]
    fn other_events_keep_numbers_and_other_files_are_none() {
        let report = parse(b"EventType=Odd\nSig[1].Value=x\x1b[31my\n").unwrap();
        assert_eq!(
            report.parameters.get("parameter_1").map(String::as_str),
            Some("x\u{fffd}[31my")
        );
        assert!(parse(b"just text").is_none() && parse(&[0xff, 0xfe, 0x41]).is_none());
    }
}
