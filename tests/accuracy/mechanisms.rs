//! What csdump reads off code, lists and places, on crashes that show it.

use super::has;
use super::support::{Label, labels};
use csdump::report::model::{Outcome, Report};

/// The dump of that name, with its report.
pub(super) fn report(name: &str) -> (Label, Report) {
    let label = labels().into_iter().find(|label| label.name() == format!("{name}.dmp.zst"));
    let label = label.unwrap_or_else(|| panic!("no dump {name}"));
    let report = label.report();
    (label, report)
}

fn section(report: &Report) -> &str {
    report.critical_section.as_ref().map_or("", |section| section.address.as_str())
}

pub(super) fn assert_section(name: &str) {
    let (label, report) = report(name);
    assert_eq!(section(&report), label.text("section"), "{name}");
}

pub(super) fn assert_finding(name: &str, finding: &str, expected: bool) {
    assert_eq!(has(&report(name).1, finding), expected, "{finding} in {name}");
}

#[test]
fn a_saved_register_leads_to_the_section() {
    // In a register that ntdll saved; handed on by a function of the program; kept by ntdll itself.
    for name in ["v-ptr-string-x64-new-wer", "n-quiet-stray-x64-new-wer"] {
        assert_section(name);
    }
}

#[test]
fn the_faulting_instruction_names_a_wild_section() {
    assert_section("n-f-ptr-residue-x64-new-full");
    // The same displacement leads through the record of a section that is there.
    assert_section("n-f-raw-goto-cleanup-x64-new-full");
}

#[test]
fn a_tail_call_moves_its_argument() {
    assert_section("n-f-gone-trimmed-x64-new-full");
}

#[test]
fn a_delete_does_not_raise_by_itself() {
    for name in ["n-rehash-x64-new-wer", "n-spliced-x64-new-wer"] {
        let (_, report) = report(name);
        let operation = report.crash.as_ref().and_then(|crash| crash.operation.as_deref());
        assert_eq!(operation, Some("leave"), "{name}");
    }
}

#[test]
fn a_close_behind_a_call_that_returned() {
    // An Enter and a ResumeThread, which have returned, lie nearer; the process asks for exceptions of closes.
    let (_, report) = report("n-close-in-guard-x64-new-wer");
    assert_eq!(report.outcome, Outcome::NotApplicable);
}

#[test]
fn a_call_that_left_no_frame_has_returned() {
    // A call into another DLL lies nearer than the Enter that failed, and has returned.
    let (_, report) = report("v-ptr-to-pointer-x64-new-wer");
    let crash = report.crash.as_ref().unwrap();
    assert_eq!(crash.operation.as_deref(), Some("enter"));
    assert_eq!(crash.operation_source.as_deref(), Some("caller-imports"));
}

#[test]
fn what_a_register_holds_now_is_no_earlier_argument() {
    // A Leave that has returned was called with rsi, which holds what Delete has read now.
    let (label, report) = report("g-lscene-x64-woa-wer");
    let crash = report.crash.as_ref().unwrap();
    assert_eq!(crash.operation.as_deref(), Some("delete"));
    let section = report.critical_section.as_ref().unwrap();
    assert_eq!(section.address, label.text("section"), "the one whose DebugInfo is in a register");
}

#[test]
fn the_list_remembers_a_section_whose_memory_is_gone() {
    let name = "h-gone-bigheap-try-x64-new-full";
    let (_, report) = report(name);
    assert!(has(&report, "list-knows-section"), "{name}");
    let section = report.critical_section.as_ref().unwrap();
    assert!(section.decoded.is_none(), "its memory cannot be read");
}

#[test]
fn the_list_knows_every_section_of_windows_7() {
    assert_finding("n-f-raw-old-text-x64-new-procdump-ma", "list-lacks-section", true);
    // Windows 10 lists a section when it is first waited for.
    assert_finding("n-f-raw-old-text-x64-woa-procdump-ma", "list-lacks-section", false);
    assert_finding("closed-x64-new-full", "list-lacks-section", false);
    for name in ["n-f-over-writer-x64-new-full", "n-f-over-writer-x86-old-wer"] {
        assert_finding(name, "list-leads-to-record", true);
        assert_finding(name, "list-lacks-section", false);
    }
}

#[test]
fn the_order_of_steps_tells_zeros_apart() {
    for name in ["enter-deleted-x64-new-full", "enter-deleted-x86-old-full"] {
        assert_finding(name, "deletion-behind", true);
    }
    assert_finding("n-f-raw-double-checked-x86-new-full", "initialization-ahead", true);
    assert_finding("q-worker-first-x64-new-full", "initialization-ahead", true);
    for name in ["enter-zeroed-x64-new-full", "enter-zeroed-x86-new-full"] {
        assert_finding(name, "deletion-behind", false);
        assert_finding(name, "initialization-ahead", false);
    }
}

#[test]
fn the_owner_does_not_wait() {
    // The owner wrote the number that the section holds, and has it in a register.
    assert_finding("n-quiet-stray-x86-old-procdump-ma", "waiters-use-this-handle", false);
    assert_finding("n-quiet-stray-x86-old-procdump-ma", "never-contended-before", true);
    assert_finding("enter-closed-x86-new-full", "never-contended-before", false);
}

#[test]
fn half_a_pointer_leads_to_the_whole_one() {
    assert_finding("q-int-parameter-x64-new-wer", "address-is-half", true);
    assert_finding("memory-released-x64-new-full", "address-is-half", false);
}

#[test]
fn a_list_without_the_section_is_said_where_its_memory_is_gone() {
    assert_finding("q-index-x86-old-procdump-ma", "list-lacks-gone-section", true);
    assert_finding("memory-released-x86-old-full", "list-lacks-gone-section", false);
    assert_finding("memory-released-x86-old-full", "list-knows-section", true);
}

#[test]
fn a_count_that_was_written_over_is_told_from_a_leave_too_many() {
    assert_finding("q-users-x64-new-procdump-ma", "free-yet-nobody-woken", true);
    for name in ["not-owner-x64-new-full", "not-owner-x64-woa-full", "not-owner-x86-new-full"] {
        assert_finding(name, "free-yet-nobody-woken", false);
        assert_finding(name, "sleepers-not-counted", false);
    }
}

#[test]
fn what_follows_a_call_that_does_not_return_is_not_ahead() {
    assert_finding("w-cjournal-x64-new-procdump-ma", "initialization-ahead", false);
    assert_finding("w-dcolumn-x64-new-procdump-ma", "beside-memory", true);
    assert_finding("memory-released-x64-new-full", "beside-memory", false);
}

#[test]
fn what_no_code_deletes_was_not_deleted() {
    for name in ["enter-zeroed-x64-new-full", "enter-zeroed-x86-new-full"] {
        assert_finding(name, "nobody-deletes", true);
        assert_finding(name, "nobody-initializes", true);
    }
    // Deleted by a call, by a jump at the end of a function, by a function that is handed the section.
    for name in [
        "enter-deleted-x64-new-full",
        "enter-deleted-x86-old-full",
        "w-cbroker-x64-woa-events-procdump-ma",
    ] {
        assert_finding(name, "nobody-deletes", false);
        assert_finding(name, "nobody-initializes", false);
    }
}

#[test]
fn a_loop_passes_more_than_its_first() {
    // Deleted in a loop over a table, by a function that is handed each element.
    assert_finding("q-cleanup-x64-woa-events-procdump-ma", "nobody-deletes", false);
    // Initialised through a register that holds the import for two calls: no call names the slot.
    assert_finding("q-channel-x64-new-full", "nobody-initializes", false);
    // In the heap, and only sections of the runtime library are deleted.
    assert_finding("w-dspin-x86-old-procdump-ma", "nobody-deletes", true);
}

#[test]
fn the_lab_walks_the_heap_of_wine() {
    for name in ["closed-tail-x64-new-full", "closed-tail-x86-old-full"] {
        assert_finding(name, "heap-block-busy", true);
    }
    assert_finding("w-dtagged-x86-new-procdump-ma", "beyond-heap-block", true);
    assert_finding("w-cchunk-x64-woa-events-procdump-ma", "text-fills-block", true);
    // A WER dump has the two headers around the block, and no more of the heap.
    assert_finding("w-cjob-x86-old-wer", "text-fills-block", true);
    assert_finding("w-cjob-x86-old-wer", "heap-block-busy", false);
}

#[test]
fn the_frame_of_another_function() {
    assert_finding("q-returned-x64-new-full", "frame-of-another", true);
    assert_finding("n-gone-frame-x64-new-full", "frame-of-another", true);
    // Locals of functions that are still running.
    for name in [
        "closed-indirect-x64-new-full",
        "h-copied-stack-x64-new-full",
        "n-f-raw-stack-residue-x64-new-full",
        "q-token-x64-woa-events-full",
    ] {
        assert_finding(name, "frame-of-another", false);
    }
}

#[test]
fn the_argument_is_in_its_register_at_the_start_of_the_function() {
    let (_, report) = report("w-dnode-x64-new-full");
    let section = report.critical_section.as_ref().unwrap();
    assert_eq!(section.address, "0xfeeefeeefeeefeee");
}

#[test]
fn what_is_found_nowhere_is_in_no_order() {
    for name in ["n-raw-item-x64-new-wer", "v-rel-pointers-x64-new-wer"] {
        assert_finding(name, "section-not-located", true);
    }
    // What Leave has freed would show it.
    assert_finding("h-cross-process-x64-new-wer", "no-section-just-left", true);
    for name in ["closed-x64-new-full", "closed-x64-new-wer"] {
        assert_finding(name, "section-not-located", false);
    }
}

#[test]
fn what_live_functions_did_before() {
    // In the heap, with numbers, pointers or a text in it: main made it.
    for name in ["q-histogram-x64-woa-events-full", "x-gbasket-x64-new-full"] {
        assert_finding(name, "initialization-behind", true);
        assert_finding(name, "release-behind", false);
        assert_finding(name, "earlier-release-behind", false);
    }
    assert_finding("corrupted-stray-x86-new-full", "initialization-behind", true);
    // Nobody made it; its block was another's, freed by a function that has returned.
    for name in [
        "never-initialized-reused-x64-new-full",
        "never-initialized-reused-x86-new-full",
        "w-dmiranda-x86-old-full",
        "w-dtitle-x64-new-procdump-ma",
    ] {
        assert_finding(name, "initialization-behind", false);
        assert_finding(name, "release-behind", false);
        assert_finding(name, "earlier-release-behind", false);
    }
    // Pages and a view, which the same thread had initialised the section in; a view that is another file's now.
    for name in [
        "memory-released-x64-new-full",
        "memory-released-enter-x86-old-full",
        "w-cschedule-x86-new-full",
        // Given out again since, but not made anew: a block that is a tree's node now.
        "q-tree-node-x86-old-procdump-ma",
    ] {
        assert_finding(name, "release-behind", true);
        assert_finding(name, "earlier-release-behind", false);
    }
    // Nothing on the stack shows that it was made before: an unloaded DLL.
    assert_finding("unloaded-dll-x86-new-full", "earlier-release-behind", true);
    assert_finding("unloaded-dll-x86-new-full", "release-behind", false);
    // The block before the section's was freed, not the section's.
    for name in [
        "h-copied-idle-enter-x86-new-full",
        "h-copied-idle-enter-x64-new-full",
        "h-copied-idle-enter-x86-new-wer",
    ] {
        assert_finding(name, "release-behind", false);
        assert_finding(name, "earlier-release-behind", false);
    }
    // The register is changed between the store of the argument and the call.
    assert_finding("w-dtagged-x86-new-procdump-ma", "initialization-behind", false);
    // main has left its frame by a jump to the function that runs.
    assert_finding("x-gvoice-x64-woa-events-full", "initialization-behind", true);
}

#[test]
fn who_makes_none_by_pointers_did_not_make_it() {
    // In the heap, with old text or numbers in it.
    for name in [
        "never-initialized-reused-x64-new-full",
        "never-initialized-reused-x86-new-full",
        "w-dmiranda-x86-old-full",
        "w-dtitle-x64-new-procdump-ma",
    ] {
        assert_finding(name, "nobody-initializes", true);
    }
    // In the heap, made there, and written over; a pool's block with others that were made.
    for name in [
        "q-histogram-x64-woa-events-full",
        "x-gbasket-x64-new-full",
        "q-tree-node-x86-old-procdump-ma",
        "w-dpool-x64-woa-events-full",
    ] {
        assert_finding(name, "nobody-initializes", false);
    }
}

#[test]
fn what_functions_did_that_have_returned() {
    for name in ["corrupted-underrun-x86-new-full", "enter-deleted-x64-new-full"] {
        assert_finding(name, "initialization-behind", true);
    }
    assert_finding("enter-deleted-x64-new-full", "deletion-behind", true);
    // Another call's local at the same address; VirtualAlloc failed; the third of a loop's objects is left out.
    for name in [
        "m-f-raw-pattern-x64-new-full",
        "w-dspin-x86-old-procdump-ma",
        "n-f-raw-debug-allocator-x86-old-full",
    ] {
        assert_finding(name, "initialization-behind", false);
    }
}

#[test]
fn what_no_code_can_have_done() {
    // The initialisation stands behind a condition that the caller's constant decides; in a loop, of other blocks.
    for name in ["x-hcram-x64-woa-events-full", "n-f-raw-debug-allocator-x86-old-full"] {
        assert_finding(name, "no-initialization-behind", true);
    }
    assert_finding("w-dspin-x86-old-procdump-ma", "no-release-behind", true);
    assert_finding("enter-zeroed-x64-new-full", "no-deletion-behind", true);
    // Deleted; deleted by an exit handler; no code in the dump.
    for name in
        ["enter-deleted-x64-new-full", "h-deleted-exit-x64-new-full", "enter-deleted-x86-new-wer"]
    {
        assert_finding(name, "no-deletion-behind", false);
        assert_finding(name, "no-initialization-behind", false);
    }
    // On a way that the program can have come.
    assert_finding("m-f-gone-janitor-x64-woa-procdump-ma", "release-perhaps-behind", true);
}

#[test]
fn an_export_that_nobody_names_has_not_run() {
    // The program looks for another name than the start function's; the other library's exports are called.
    assert_finding("x-hplugin-x64-new-procdump-ma", "no-initialization-behind", true);
    let name = "x-fkeyboard-x64-woa-procdump-ma";
    assert_finding(name, "initialization-perhaps-behind", true);
}

#[test]
fn what_was_looked_up_is_called() {
    // The program has looked up the export that deletes the library's section, and called it.
    assert_finding("x-fkeyboard-x64-woa-procdump-ma", "deletion-behind", true);
}

#[test]
fn a_block_that_was_given_out_again_is_another() {
    // A section was made in the block that lay here before; others are made in blocks of their own.
    for name in
        ["never-initialized-reused-x64-new-full", "n-f-raw-optional-x64-woa-events-procdump-ma"]
    {
        assert_finding(name, "no-initialization-behind", true);
    }
    assert_finding("enter-closed-x64-new-full", "no-initialization-behind", false);
}

#[test]
fn what_no_code_names_was_placed_by_the_program() {
    assert_finding("w-cpooled-x64-new-procdump-ma", "static-not-named", true);
    for name in
        ["w-cweekdays-x86-new-procdump-ma", "n-pairs-x64-new-full", "q-user-x86-new-procdump-ma"]
    {
        assert_finding(name, "static-not-named", false);
    }
}

#[test]
fn a_variable_holds_what_it_was_given() {
    assert_finding("n-gone-text-x86-new-full", "release-behind", true);
    assert_finding("x-flocking-x86-new-procdump-ma", "deletion-behind", true);
}

#[test]
fn sections_are_made_at_another_place_of_the_block() {
    assert_finding("w-dplug-x64-new-full", "made-elsewhere-in-block", true);
    assert_finding("enter-closed-x64-new-full", "made-elsewhere-in-block", false);
}

#[test]
fn a_section_was_made_in_such_a_block() {
    assert_finding("x-gdigits-x86-old-full", "made-in-such-block", true);
    assert_finding("never-initialized-reused-x64-new-full", "made-in-such-block", false);
}

#[test]
fn what_stands_in_zeros_was_put_there() {
    assert_finding("w-dplug-x64-new-full", "block-began-as-zeros", true);
    assert_finding("q-sensor-x86-new-procdump-ma", "block-began-as-zeros", false);
}

#[test]
fn what_may_have_been_made_is_said() {
    for finding in ["initialization-open", "deletion-open"] {
        assert_finding("w-cimport-x86-old-full", finding, true);
        // Nothing made one there; the section of zeros may have been deleted by anything.
        assert_finding("q-old-block-x86-new-full", finding, false);
        assert_finding("enter-zeroed-x64-new-full", finding, false);
    }
}

#[test]
fn the_address_of_what_is_gone_is_kept() {
    assert_finding("memory-released-x64-new-full", "base-is-kept", true);
    // Beside memory, and at an address of two numbers.
    for name in ["w-dcolumn-x64-new-procdump-ma", "q-union-x86-old-full"] {
        assert_finding(name, "base-is-kept", false);
    }
}

#[test]
fn a_worker_has_what_it_was_started_with() {
    assert_finding("q-json-x64-new-procdump-ma", "initialization-behind", true);
    assert_finding("w-croom-x86-old-full", "deletion-behind", true);
}

#[test]
fn what_calls_itself_can_have_run() {
    // std::map gives its nodes back by a function that calls itself.
    assert_finding("n-f-gone-grown-x64-woa-procdump-ma", "no-deletion-behind", true);
}

#[test]
fn the_next_section_of_a_row_is_not_near_by() {
    for name in ["n-f-gone-pool-x64-new-full", "n-text-field-x64-new-full"] {
        assert_finding(name, "section-near-by", false);
    }
    assert_finding("q-sensor-x86-new-procdump-ma", "section-near-by", true);
}

#[test]
fn a_lock_semaphore_may_be_nothings_by_chance() {
    assert_finding("w-dtagged-x86-new-procdump-ma", "every-field-foreign", true);
    // Another value than 0 and -1 is not there by chance.
    assert_finding("w-drooms-x86-new-procdump-ma", "every-field-foreign", false);
}

#[test]
fn a_live_local_was_not_given_back() {
    assert_finding("x-ginbox-x64-woa-full", "live-local", true);
    // Another function's frame lies where it was.
    assert_finding("n-gone-frame-x64-new-full", "live-local", false);
}

#[test]
fn the_stacks_of_waiting_threads_are_whole_and_those_of_fibers_not() {
    assert_finding("corrupted-bitflip-x64-woa-full", "no-deletion-behind", true);
    assert_finding("n-f-gone-fiber-x64-new-full", "no-deletion-behind", false);
}

#[test]
fn what_a_thread_did_that_was_waited_for() {
    // The thread has freed the block, which was given out again as another's; the program has waited for it.
    assert_finding("w-ctrack-x64-woa-events-full", "release-behind", true);
    // Given out again, and sections made there whose addresses are not known: it may be one of them.
    assert_finding("n-f-gone-plugin-guard-x64-woa-events-procdump-ma", "release-behind", false);
}

#[test]
fn who_has_entered_is_in_it() {
    assert_finding("corrupted-underrun-x64-new-full", "entered-not-left", true);
    for name in ["not-owner-x64-new-full", "n-goto-done-x86-new-full"] {
        assert_finding(name, "entered-not-left", false);
    }
}

#[test]
fn who_leaves_has_entered() {
    // A count that was written over: by a stale counter, from a buffer in front of it, and in a function that leaves by a jump.
    for name in
        ["n-counted-x64-woa-procdump-ma", "h-hit-lock-count-x64-new-full", "j-ydscp-x64-new-full"]
    {
        assert_finding(name, "leaves-follow-enters", true);
    }
    // The thread has entered it, but one Leave of the code is of what is not known.
    assert_finding("q-users-x64-new-procdump-ma", "leaves-follow-enters", false);
    // A TryEnter that failed, an error path, a thread that has entered nothing.
    for name in
        ["n-failed-try-x64-new-procdump-ma", "n-goto-done-x86-new-full", "not-owner-x64-new-full"]
    {
        assert_finding(name, "leaves-follow-enters", false);
    }
}
