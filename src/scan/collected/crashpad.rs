//! Crashpad's databases. On Windows: `reports/UUID.dmp` beside a file `metadata`; elsewhere: `new/`, `pending/` and
//! `completed/` (client/crash_report_database.h).

use std::path::Path;

use crate::report::model::Collected;
use crate::report::time;

/// `CPAD` as a number, at the start of `metadata` (client/crash_report_database_win.cc); then version, number of
/// records and padding, 4 bytes each.
const MAGIC: u32 = 0x4350_4144;
/// Bytes of the header of `metadata`.
const HEADER: usize = 16;
/// Bytes of a record: 16 of the UUID, u32 index of the file's name in the string table, u32 index of the server's id,
/// i64 creation time, i64 time of the last upload, i32 attempts, i32 state, 8 of attributes and padding.
const RECORD: usize = 56;
/// Most records looked at.
const MAX_RECORDS: usize = 16_384;

/// What a database says of the dump at `path`; `None` when that is in none.
pub(super) fn of(path: &Path) -> Option<Collected> {
    let id = path.file_stem()?.to_str().filter(|stem| is_uuid(stem))?.to_ascii_lowercase();
    let folder = path.parent()?;
    let database = folder.parent()?;
    let recognised = |state: &str| Collected {
        kind: "crashpad".into(),
        report_id: Some(id.clone()),
        state: Some(state.to_owned()),
        ..Collected::default()
    };
    match folder.file_name()?.to_str()? {
        "reports" => {
            let metadata = super::read(&database.join("metadata"))?;
            let (state, event_time) =
                record_of(&metadata, path.file_name()?.to_str()?).unwrap_or(("unknown", None));
            Some(Collected { event_time, ..recognised(state) })
        }
        state @ ("new" | "pending" | "completed") => {
            database.join("settings.dat").is_file().then(|| recognised(state))
        }
        _ => None,
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// State and creation time of the report with that file name.
fn record_of(metadata: &[u8], file_name: &str) -> Option<(&'static str, Option<String>)> {
    let u32_at = |offset: usize| -> Option<u32> {
        Some(u32::from_le_bytes(metadata.get(offset..offset.checked_add(4)?)?.try_into().ok()?))
    };
    if u32_at(0)? != MAGIC || u32_at(4)? != 1 {
        return None;
    }
    let count = usize::try_from(u32_at(8)?).ok()?;
    let strings = metadata.get(HEADER.checked_add(count.checked_mul(RECORD)?)?..)?;
    let is_it = |index: u32| {
        let name = usize::try_from(index).ok().and_then(|index| strings.get(index..));
        let name = name.and_then(|text| text.split(|byte| *byte == 0).next());
        name.is_some_and(|name| name.eq_ignore_ascii_case(file_name.as_bytes()))
    };
    let start = (0..count.min(MAX_RECORDS))
        .filter_map(|index| HEADER.checked_add(index.checked_mul(RECORD)?))
        .find(|start| start.checked_add(16).and_then(u32_at).is_some_and(is_it))?;
    // A time_t of 64 bits; its upper half is 0 until 2106.
    let created = u32_at(start.checked_add(24)?)?;
    let state = match u32_at(start.checked_add(44)?)? {
        0 => "pending",
        1 => "uploading",
        2 => "completed",
        _ => "unknown",
    };
    Some((state, (created != 0).then(|| time::rfc3339(created))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const NAME: &str = "3f2a1b00-1111-2222-3333-444455556666.dmp";

    fn metadata(state: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [MAGIC, 1, 1, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend([0; 16]);
        for word in [2, 0, 1_165_842_000, 0, 0, 0, 0, state, 0, 0] {
            bytes.extend(u32::to_le_bytes(word));
        }
        bytes.extend(b"x\0");
        bytes.extend(NAME.as_bytes());
        bytes.push(0);
        bytes
    }

    #[test]
    fn windows_databases_have_their_state_in_metadata() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("reports")).unwrap();
        let dump = folder.path().join("reports").join(NAME);
        assert_eq!(of(&dump), None, "no metadata, no database");
        fs::write(folder.path().join("metadata"), metadata(2)).unwrap();
        let found = of(&dump).unwrap();
        assert_eq!(found.state.as_deref(), Some("completed"));
        assert_eq!(found.report_id.as_deref(), NAME.strip_suffix(".dmp"));
        assert_eq!(found.event_time.as_deref(), Some("2006-12-11T13:00:00Z"));
        fs::write(folder.path().join("metadata"), &metadata(2)[..40]).unwrap();
        assert_eq!(of(&dump).unwrap().state.as_deref(), Some("unknown"));
    }

    #[test]
    fn other_databases_have_their_state_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pending")).unwrap();
        let dump = folder.path().join("pending").join(NAME);
        assert_eq!(of(&dump), None);
        fs::write(folder.path().join("settings.dat"), "").unwrap();
        assert_eq!(of(&dump).unwrap().state.as_deref(), Some("pending"));
        assert_eq!(of(&folder.path().join("pending/notes.dmp")), None);
    }
}
