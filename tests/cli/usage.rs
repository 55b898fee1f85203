//! Help, bad usage, and the commands that describe the program itself.

use super::{ran, stderr, stdout};

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let output = ran(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for part in ["analyze", "explain", "handles", "schema", "completions", "man", "Exit codes:"] {
        assert!(stdout(&output).contains(part), "{part}");
    }
    assert_eq!(stderr(&output), "");
}

#[test]
fn version_is_the_package_version() {
    let output = ran(&["--version"]);
    assert_eq!(stdout(&output), format!("csdump {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn bad_usage_is_2_with_nothing_on_standard_output() {
    for args in [
        &[][..],
        &["analyze"],
        &["analyse", "a.dmp"],
        &["analyze", "--format", "xml", "a.dmp"],
        &["analyze", "--color", "pink", "a.dmp"],
        &["analyze", "-", "-"],
        &["explain", "no-such-id"],
        &["explain", "copied", "--format", "json"],
        &["completions"],
        &["man", "nothing"],
    ] {
        let output = ran(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert_eq!(stdout(&output), "", "{args:?}");
        assert_ne!(stderr(&output), "", "{args:?}");
    }
}

#[test]
fn the_schema_is_a_valid_schema() {
    let output = ran(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let schema = serde_json::from_str(stdout(&output)).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    assert_eq!(schema, csdump::report::json::schema());
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = ran(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("analyze"), "{shell}");
    }
}

#[test]
fn the_manual_pages_are_roff() {
    for (args, part) in [(&["man"][..], "csdump"), (&["man", "analyze"], "pretty")] {
        let output = ran(args);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains(".TH"), "{args:?}");
        assert!(stdout(&output).contains(part), "{args:?}");
    }
}
