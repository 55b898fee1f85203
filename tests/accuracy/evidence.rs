//! The evidence table (critical-sections.md, section 9) on the lab's dumps: what each program was written to show is
//! found in each of its full dumps, and not where its opposite is true.

use super::{has, reports};
use std::collections::{BTreeMap, BTreeSet};

/// A finding, the programs whose full dumps all show it, and one whose dumps never do.
const SHOWN: &[(&str, &[&str], &str)] = &[
    ("handle-slot-empty", &["closed", "copied", "h-closed-busy"], "recycled"),
    ("handle-in-live-range", &["closed", "enter-closed", "h-closed-array"], "corrupted-underrun"),
    ("handle-beyond-live-range", &["h-bad-flip12"], "closed"),
    ("handle-implausible", &["corrupted-underrun", "h-bad-pointer", "h-wait-text"], "closed"),
    ("no-unclaimed-event", &["closed", "h-closed-guard"], "h-bad-pointer"),
    ("unclaimed-event", &["h-bad-pointer", "h-bad-underrun-value"], "closed"),
    ("waiters-use-this-handle", &["closed", "h-closed-thunk"], "h-bad-pointer"),
    ("waiters-use-other-handle", &["h-bad-pointer", "h-bad-flip48"], "closed"),
    ("debug-record-own", &["closed", "corrupted-stray"], "copied"),
    ("debug-record-gone", &["copied", "h-copied-stack"], "closed"),
    ("debug-record-invalid", &["h-copied-idle-enter"], "closed"),
    ("debug-info-impossible", &["h-hit-debug", "never-initialized-reused"], "closed"),
    ("list-knows-section", &["h-bad-near-all", "h-hit-lock-count"], "copied"),
    ("spin-count-plausible", &["closed", "h-bad-pointer"], "corrupted-underrun"),
    ("spin-count-implausible", &["corrupted-underrun", "never-initialized-reused"], "closed"),
    ("section-all-zero", &["deleted-race"], "closed"),
    ("section-zero-then-entered", &["enter-deleted", "enter-zeroed"], "deleted-race"),
    ("only-handle-damaged", &["corrupted-stray", "h-bad-pointer"], "corrupted-underrun"),
    ("tail-damaged", &["corrupted-underrun"], "h-hit-debug"),
    ("head-foreign", &["h-hit-lock-count"], "corrupted-underrun"),
    ("only-record-damaged", &["h-hit-debug"], "closed"),
    ("owner-inside", &["enter-closed", "h-hit-debug"], "closed"),
    ("static-storage-written", &["h-hit-debug"], "closed"),
    ("text-goes-on", &["w-cdocument"], "closed"),
    ("text-goes-far-on", &["w-cprogress"], "n-text-field"),
    ("static-storage-replaced", &["v-over-ints"], "h-hit-debug"),
    ("every-field-foreign", &["never-initialized-reused"], "h-bad-pointer"),
    ("more-waiters-than-threads", &["never-initialized-reused", "h-hit-lock-count"], "closed"),
    ("waiters-missing", &["copied", "h-cross-process"], "closed"),
    ("allocation-pattern", &["never-initialized", "h-raw-cc"], "h-raw-ef"),
    ("free-pattern", &["h-raw-ef", "h-raw-fe"], "never-initialized"),
    ("ambiguous-pattern", &["h-raw-deadbeef"], "never-initialized"),
    ("in-unloaded-module", &["unloaded-dll", "h-gone-dll-enter"], "memory-released"),
    ("memory-mapped", &["h-cross-process"], "closed"),
    ("on-dead-stack", &["h-dead-frame"], "closed"),
    ("other-sections-lost-handles", &["h-swallowed-corrupted"], "h-closed-thunk"),
];

#[test]
fn the_lab_shows_the_findings_of_the_evidence_table() {
    let programs = || SHOWN.iter().flat_map(|(_, programs, other)| programs.iter().chain([other]));
    let analysed: BTreeMap<&str, _> = programs()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|program| (program, reports(program, "full")))
        .collect();
    for (finding, programs, other) in SHOWN {
        for (label, report) in programs.iter().flat_map(|program| &analysed[program]) {
            assert!(has(report, finding), "{finding} is missing in {}", label.name());
        }
        for (label, report) in &analysed[other] {
            assert!(!has(report, finding), "{finding} is wrong in {}", label.name());
        }
    }
}
