//! Dumps of one bug group together, whatever the run, the load addresses and the kind of dump.

use super::{lab, lines, scan};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Programs run twice (testdata/lab/rerun.py), the second time loaded at another address.
const PROGRAMS: [&str; 6] =
    ["closed", "recycled", "corrupted-stray", "corrupted-underrun", "memory-released", "copied"];

#[test]
fn dumps_of_one_bug_group_together() {
    for set in ["x64-new", "x86-new"] {
        let dumps: Vec<PathBuf> = PROGRAMS
            .iter()
            .flat_map(|program| {
                ["full", "wer", "normal"].map(|kind| format!("{program}-{set}-{kind}.dmp.zst"))
            })
            .flat_map(|name| [lab().join(&name), lab().join("rerun").join(&name)])
            .collect();
        let output = scan(["--format".into(), "jsonl".into()].into_iter().chain(dumps.clone()));
        let (lines, summary) = lines(&output);
        assert_eq!(lines.len(), dumps.len());
        let groups: BTreeMap<String, (u64, u64)> = summary["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| {
                let programs = group["programs"].as_array().unwrap();
                let names: Vec<_> =
                    programs.iter().map(|one| one["name"].as_str().unwrap()).collect();
                let signature =
                    format!("{} ({})", group["signature"].as_str().unwrap(), names.join(", "));
                (signature, (group["count"].as_u64().unwrap(), group["joined"].as_u64().unwrap()))
            })
            .collect();
        println!("{groups:#?}");
        assert_eq!(groups.len(), PROGRAMS.len(), "{set}: {groups:#?}");
        assert!(groups.values().all(|(count, _)| *count == 6), "{set}: {groups:#?}");
    }
}

/// The signatures of two runs are the same to the letter where the dumps hold the same.
#[test]
fn two_runs_have_one_signature() {
    for program in PROGRAMS {
        for set in ["x64-new", "x86-new"] {
            for kind in ["full", "wer", "normal"] {
                let name = format!("{program}-{set}-{kind}.dmp.zst");
                let signature = |path: PathBuf| {
                    let report =
                        csdump::analyze_file(&path, &csdump::dump::Limits::default()).unwrap();
                    let signature = report.signature.unwrap();
                    (signature.cause, signature.stack, signature.version)
                };
                assert_eq!(
                    signature(lab().join(&name)),
                    signature(lab().join("rerun").join(&name)),
                    "{name}"
                );
            }
        }
    }
}
