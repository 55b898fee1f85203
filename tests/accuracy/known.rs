//! Answers that are wrong, and why.

use super::judge::Answer;

/// Lock failures called not-applicable: access violations and fast fails in ntdll of dumps that hold nothing to name a function.
/// Their number is asserted, so that a change shows.
pub const NOT_SEEN: usize = 56;

const UNNAMED: &str = "a fault in ntdll without any name: nothing ties it to a lock, and to call every such fault a lock's would call heap crashes so";
const LOW_BITS: &str =
    "the value's low bits are set: csdump calls that no handle, the label a handle";

/// Dumps that are answered wrongly for other reasons, by name. One that is right now must leave the list.
pub const NAMED: &[(&str, &[&str])] = &[
    (
        "not looked at: the dumps of the unseen half are measured in sum only",
        &[
            "k-counted-x64-new-procdump-ma",
            "k-f-base-x64-new-full",
            "k-f-cleared-x64-new-full",
            "k-f-cleared-x86-new-procdump-ma",
            "k-f-deleter-waits-x64-new-full",
            "k-f-local-residue-x86-new-wer",
            "k-f-pimpl-x86-old-wer",
            "k-f-scope-ended-x64-new-full",
            "k-none-close-after-x64-new-wer",
            "k-returned-local-x64-new-procdump-ma",
            "k-scaled-twice-x64-woa-wer",
            "k-view-taken-x64-new-wer",
            "m-cancelled-x64-new-procdump-ma",
            "m-cancelled-x64-woa-procdump-ma",
            "m-f-copy-ring-x64-woa-procdump-ma",
            "m-f-del-state-behind-x64-woa-events-wer",
            "m-f-gone-listener-x86-old-full",
            "m-guests-x64-new-full",
            "m-raw-file-x64-new-procdump-ma",
            "u-ptr-shifted-x86-new-procdump-ma",
            "u-share-enter-x64-new-procdump-ma",
            "q-board-owned-x86-new-full",
            "q-cleanup-x64-woa-events-procdump-ma",
            "q-exit-log-x64-new-wer",
            "q-frame-ring-x86-new-wer",
            "q-index-x86-old-procdump-ma",
            "q-int-parameter-x64-new-wer",
            "q-message-x64-woa-full",
            "q-observer-x64-new-wer",
            "q-progress-x64-new-full",
            "q-reset-x64-woa-procdump-ma",
            "q-union-x86-old-full",
            "q-users-x64-new-procdump-ma",
        ],
    ),
    (
        "zeros, and the program's order of steps cannot be read: on x86 without frame pointers the argument is not followed into the functions called",
        &["m-f-del-member-first-x86-new-wer", "n-f-del-late-join-x86-new-full"],
    ),
    (
        "every field is another object's, as after an overwrite or in old memory",
        &[
            "m-f-over-reversed-x64-new-wer",
            "m-f-over-reversed-x86-new-full",
            "m-f-ptr-other-lock-x86-new-wer",
            "m-raw-object-woa-x64-woa-full",
            "n-f-del-variant-x86-new-wer",
            "n-f-ptr-cross-cast-x86-new-procdump-ma",
            "n-f-ptr-list-head-x64-new-full",
            "n-f-raw-goto-cleanup-x86-new-procdump-ma",
            "n-raw-cleanup-x86-old-wer",
            "n-wrong-class-x64-new-wer",
        ],
    ),
    (
        "an index of -1 in a table leads to free address space, as a released block does",
        &["m-f-ptr-minus-one-index-x64-new-full"],
    ),
    (
        "the next owner of released memory wrote there; only the allocator's state, which is not in the dump, would tell that from a stray write",
        &[
            "m-gone-dll-x64-new-wer",
            "m-gone-pool-x86-new-full",
            "n-gone-arena-x64-new-wer",
            "n-gone-arena-x64-woa-events-full",
        ],
    ),
    (
        "nothing in the dump leads to the section: the register that held it was reused before the call",
        &[
            "m-reaped-seeking-x64-woa-events-wer",
            "n-raw-item-x64-new-wer",
            "v-over-ints-count-x64-new-wer",
            "v-ptr-to-pointer-x64-new-wer",
            "v-raw-pointers-x64-new-wer",
            "v-rel-pointers-x64-new-wer",
        ],
    ),
    (
        "one field alone is not ntdll's, and what stood there before is not in the dump",
        &["m-rolled-back-x64-woa-events-wer", "v-raw-half-made-x86-new-procdump-ma"],
    ),
    (
        "the overwrite is one byte over and over, like a program's own fill of fresh memory",
        &["m-run-length-x64-woa-procdump-ma"],
    ),
    (
        "a close of a bad handle under a debugger raises in ntdll like a Leave, under a guard of the program's",
        &["n-close-in-guard-x64-new-wer"],
    ),
    (
        "text lies at the address: a buffer that was passed, or memory that held text and was never initialised",
        &[
            "n-f-raw-old-text-x64-new-procdump-ma",
            "n-f-raw-old-text-x64-woa-procdump-ma",
            "v-ptr-string-x64-new-wer",
            "v-ptr-string-x86-new-wer",
            "v-ptr-title-x64-new-wer",
            "v-ptr-title-x86-new-procdump-ma",
        ],
    ),
    (
        "a small dump without a lock function's name: a status raised in ntdll looks like a Leave that found another owner",
        &["u-none-own-status-x64-new-crashpad", "u-none-own-status-x64-new-normal"],
    ),
    (
        "zeroed from end to end, or nearly: the bytes are those of a section never initialised, or deleted",
        &[
            "u-over-memset-x64-new-wer",
            "u-over-memset-x86-old-full",
            "v-over-cleared-x64-new-wer",
            "v-over-cleared-x86-old-wer",
        ],
    ),
    (
        "a fill that an allocator writes over freed memory, written by the program itself",
        &[
            "u-raw-5a-old-x86-old-procdump-ma",
            "u-raw-5a-old-x86-old-wer",
            "v-raw-55-x64-new-wer",
            "v-raw-55-x86-old-wer",
            "v-raw-5a-x64-new-wer",
        ],
    ),
];

/// Why an answer is wrong; `None` when nobody has looked.
pub fn reason(answer: &Answer) -> Option<&'static str> {
    let label = &answer.label;
    if is_not_seen(answer) {
        return Some(UNNAMED);
    }
    let handle = label.text("handle").strip_prefix("0x");
    let value = handle.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let only_mechanism =
        matches!(answer.missed.as_slice(), [miss] if miss.starts_with("mechanism"));
    if only_mechanism && value.is_some_and(|value| value & 3 != 0) {
        return Some(LOW_BITS);
    }
    let name = label.name();
    let name = name.trim_end_matches(".dmp.zst");
    let found = NAMED.iter().find(|(_, names)| names.contains(&name));
    found.map(|(reason, _)| *reason)
}

/// Whether a lock failure is called none in a dump without a name for ntdll's functions.
pub fn is_not_seen(answer: &Answer) -> bool {
    answer.label.text("naming") == "none"
        && answer.missed == ["a lock failure called not-applicable"]
}
