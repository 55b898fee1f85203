//! `csdump handles`.

use serde_json::Value;

use super::{ran, stderr, stdout};

fn dump(name: &str) -> String {
    format!("{}/testdata/dumps/{name}.dmp.zst", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_table_is_sorted_and_whole() {
    let file = dump("t-closed-x64-trace-code");
    let output = ran(&["handles", "--format", "json", &file]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    assert_eq!(stdout(&output).lines().count(), 1);
    let line: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(line["type"], "handles");
    let values: Vec<u64> = line["handles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| u64::from_str_radix(&row["value"].as_str().unwrap()[2..], 16).unwrap())
        .collect();
    assert!(values.windows(2).all(|pair| pair[0] < pair[1]), "{values:?}");
    assert_eq!(line["open"], values.len());
    let text = ran(&["handles", &file]);
    for value in values {
        let row = format!("{value:#x} ");
        assert!(stdout(&text).lines().any(|line| line.starts_with(&row)), "{row}");
    }
}

#[test]
fn one_handle_shows_its_history_with_stacks() {
    let file = dump("t-closed-plugin-x64-trace-code");
    let expected = [
        "HISTORY  oldest first",
        "plugin.dll!plugin_close+0x",
        "ntdll.dll!NtClose+0x",
        "BAD REFERENCE: RtlLeaveCriticalSection",
    ];
    let hexadecimal = ran(&["handles", &file, "0x3c"]);
    for part in expected {
        assert!(stdout(&hexadecimal).contains(part), "{part}\n{}", stdout(&hexadecimal));
    }
    let decimal = ran(&["handles", &file, "60"]);
    assert_eq!((decimal.status.code(), stdout(&decimal)), (Some(0), stdout(&hexadecimal)));
    let json = ran(&["handles", &file, "0x3c", "--format", "json"]);
    let line: Value = serde_json::from_str(stdout(&json)).unwrap();
    assert_eq!(line["asked"]["state"], "absent");
    assert_eq!(line["asked"]["history_order"], "oldest-first");
    let operations = line["asked"]["operations"].as_array().unwrap();
    assert_eq!(operations.len(), line["asked"]["history"].as_array().unwrap().len());
    assert!(operations.iter().all(|one| !one["frames"].as_array().unwrap().is_empty()));
}

#[test]
fn nothing_there_is_1_and_an_error_is_2() {
    let file = dump("t-closed-x64-trace-code");
    let absent = ran(&["handles", &file, "0x4444"]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(stdout(&absent).contains("None of the 7 recorded operations"), "{}", stdout(&absent));
    let bare = dump("closed-x64-new-normal");
    assert_eq!(ran(&["handles", &bare]).status.code(), Some(1));
    let untraced = ran(&["handles", &dump("closed-x64-new-full"), "0x3fffffc"]);
    assert!(stdout(&untraced).contains("history was not recorded"), "{}", stdout(&untraced));
    assert_eq!(untraced.status.code(), Some(1));
    for args in [&["handles"][..], &["handles", &file, "3c"], &["handles", "/nonexistent"]] {
        let output = ran(args);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{args:?}");
    }
    let error = ran(&["handles", "/nonexistent", "--format", "json"]);
    let line: Value = serde_json::from_str(stdout(&error)).unwrap();
    assert_eq!((error.status.code(), &line["type"]), (Some(2), &"error".into()));
}

#[test]
fn the_two_lowest_bits_are_ignored_and_that_is_said() {
    let file = dump("t-closed-plugin-x64-trace-code");
    let json = |handle: &str| -> Value {
        let output = ran(&["handles", &file, handle, "--format", "json"]);
        serde_json::from_str(stdout(&output)).unwrap()
    };
    let (exact, tagged) = (json("0x3c"), json("0x3f"));
    assert_eq!(tagged["asked"]["value"], "0x3f");
    assert_eq!((&tagged["asked"]["slot"], &exact["asked"]["slot"]), (&"0x3c".into(), &Value::Null));
    for field in ["state", "history", "operations"] {
        assert_eq!(tagged["asked"][field], exact["asked"][field], "{field}");
    }
    let text = ran(&["handles", &file, "0x3f"]);
    for part in ["its slot is empty", "0x3c: Windows ignores the two lowest bits", "HISTORY"] {
        assert!(stdout(&text).contains(part), "{part}\n{}", stdout(&text));
    }
    for none in ["0", "3"] {
        assert_eq!(json(none)["asked"]["state"], "not-a-handle", "{none}");
    }
}
