//! Answers that are wrong, and why.

use super::judge::Answer;

/// Lock failures called not-applicable: access violations and fast fails in ntdll of dumps that hold nothing to name a function.
/// Their number is asserted, so that a change shows.
pub const NOT_SEEN: usize = 75;

/// Wrong verdicts of 0.9 or more on dumps that lack the evidence, which there should be none of.
pub const SURE_WITHOUT_EVIDENCE: &[&str] = &[];

const UNNAMED: &str = "a fault in ntdll without any name: nothing ties it to a lock, and to call every such fault a lock's would call heap crashes so";
const LOW_BITS: &str =
    "the value's low bits are set: csdump calls that no handle, the label a handle";

/// Dumps that are answered wrongly for other reasons, by name. One that is right now must leave the list.
pub const NAMED: &[(&str, &[&str])] = &[
    (
        "not looked at: the dumps of the unseen half are measured in sum only",
        &[
            "k-codec-x86-new-procdump-ma",
            "k-f-pimpl-x86-old-wer",
            "k-f-template-x64-woa-wer",
            "k-scaled-twice-x64-woa-wer",
            "k-view-taken-x64-new-wer",
            "m-f-copy-ring-x64-woa-procdump-ma",
            "m-f-del-state-behind-x64-woa-events-wer",
            "m-f-raw-same-twice-x64-woa-events-wer",
            "m-guests-x64-new-full",
            "u-share-enter-x64-new-procdump-ma",
            "w-apreview-x64-woa-full",
            "w-blogout-x64-woa-wer",
            "w-ccell-x86-new-full",
            "w-ccursor-x64-new-procdump-ma",
            "w-cencoder-x64-woa-procdump-ma",
            "w-clight-x86-new-full",
            "w-cmailbox-x64-new-procdump-ma",
            "w-cmonitor-x64-new-wer",
            "w-cplugins-x64-woa-wer",
            "w-ctally-x86-old-full",
            "w-cvoice-x86-new-procdump-ma",
            "w-dcast-x64-woa-events-full",
            "w-dpack-x64-woa-wer",
            "w-dshared-x86-new-full",
            "x-fpanel-x86-new-wer",
            "x-hlookup-x86-new-procdump-ma",
            "y-estore-x86-old-wer",
            "y-fbuffer-x86-new-procdump-ma",
            "y-fconnection-x64-new-full",
            "y-fgate-x64-new-wer",
            "y-freferences-x64-woa-events-wer",
            "y-fworker-x64-woa-events-full",
            "y-gdecoder-x64-woa-events-procdump-ma",
            "y-gsettings-x64-new-wer",
            "y-himage-x64-new-full",
            "y-hlogger-x64-woa-wer",
            "y-hsampler-x64-woa-events-wer",
        ],
    ),
    (
        "every field is another object's, as after an overwrite or in old memory",
        &[
            "m-f-over-reversed-x64-new-wer",
            "n-f-del-variant-x86-new-wer",
            "n-f-ptr-list-head-x64-new-full",
            "n-f-raw-goto-cleanup-x86-new-procdump-ma",
            "n-raw-cleanup-x86-old-wer",
            "v-ptr-off-40-x64-new-wer",
        ],
    ),
    (
        "memory that the dump does not have: given back after a Delete, or a wild address",
        &["n-f-gone-fence-x64-new-wer"],
    ),
    (
        "an index of -1 in a table leads to free address space, as a released block does",
        &["m-f-ptr-minus-one-index-x64-new-full"],
    ),
    (
        "the next owner of released memory wrote there; only the allocator's state, which is not in the dump, would tell that from a stray write",
        &[
            "m-gone-pool-x86-new-full",
            "n-gone-arena-x64-new-wer",
            "n-gone-arena-x64-woa-events-full",
        ],
    ),
    (
        "a static arena that was used anew: the program's code would tell, which the dump does not hold",
        &["g-lscene-x64-woa-wer"],
    ),
    (
        "one field alone is not ntdll's, and what stood there before is not in the dump",
        &["m-rolled-back-x64-woa-events-wer"],
    ),
    (
        "zeros: the program's code would tell, by paths that csdump does not read",
        &[
            "q-cleanup-x64-woa-events-procdump-ma",
            "v-ptr-next-one-x64-new-procdump-ma",
            "x-hmodules-x64-new-wer",
        ],
    ),
    (
        "text lies at the address: a buffer that was passed, or memory that held text and was never initialised",
        &[
            "n-f-raw-old-text-x64-new-procdump-ma",
            "v-ptr-string-x64-new-wer",
            "v-ptr-string-x86-new-wer",
            "v-ptr-title-x64-new-wer",
            "v-ptr-title-x86-new-procdump-ma",
        ],
    ),
    (
        "nothing in the dump leads to the section: the register that held it was reused before the call",
        &[
            "n-raw-item-x64-new-wer",
            "v-over-ints-count-x64-new-wer",
            "v-ptr-to-pointer-x64-new-wer",
            "v-raw-pointers-x64-new-wer",
            "v-rel-pointers-x64-new-wer",
        ],
    ),
    (
        "a wild index, or a pointer into a place that is free: nothing in the dump tells it from memory given back",
        &["q-index-x86-old-procdump-ma", "w-dbands-x86-old-procdump-ma"],
    ),
    (
        "every field is another object's, and what stands before runs into it",
        &["q-message-x64-woa-full"],
    ),
    (
        "the overwrite leaves the bytes of a closed handle, as its twin",
        &["q-progress-x64-new-full"],
    ),
    (
        "a wild address that could have been memory: called unreadable, not invalid",
        &[
            "q-union-x86-old-full",
            "w-dcolumn-x64-new-procdump-ma",
            "w-dmodes-x64-woa-events-procdump-ma",
            "w-dsetting-x86-old-procdump-ma",
        ],
    ),
    (
        "a small dump without a lock function's name: a status raised in ntdll looks like a Leave that found another owner",
        &["u-none-own-status-x64-new-crashpad", "u-none-own-status-x64-new-normal"],
    ),
    (
        "a fill that an allocator writes over freed memory, written by the program itself",
        &[
            "u-raw-5a-old-x86-old-wer",
            "v-raw-55-x64-new-wer",
            "v-raw-df-x86-new-wer",
            "v-raw-55-x86-old-wer",
            "v-raw-5a-x64-new-wer",
        ],
    ),
    (
        "an object begins before the section, or another section lies behind it, and csdump took that",
        &[
            "v-raw-shifted-x64-new-procdump-ma",
            "w-dplug-x64-new-full",
            "w-dpool-x64-woa-events-full",
        ],
    ),
    (
        "what was passed is no section, and another candidate looks more like one",
        &["w-dholder-x64-woa-events-procdump-ma"],
    ),
    (
        "the overwritten value is said as the handle that was passed, where the label has none",
        &["x-gpeer-x64-new-procdump-ma"],
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
