//! What the lab's dumps show of the place that the section lies in.

use super::mechanisms::{assert_finding, assert_section, report};
use csdump::report::model::Outcome;

#[test]
fn a_pool_is_known_by_its_free_cells() {
    assert_finding("w-cpooled-x64-new-procdump-ma", "pool-cell", true);
    assert_finding("w-dpool-x64-woa-events-full", "pool-link", true);
    // A slot that went back after its section was deleted: its name is still there.
    assert_finding("j-lpool-x86-old-full", "pool-took-back", true);
    assert_finding("n-stripes-x64-new-procdump-ma", "pool-cell", false);
}

#[test]
fn a_row_whose_other_members_are_whole() {
    assert_finding("n-text-field-x64-new-full", "row-stands", true);
    // A pool fills what comes back, cell by cell.
    assert_finding("n-f-gone-pool-x64-new-full", "row-stands", false);
    assert_finding("h-lkeepalive-x64-new-full", "in-row-of-blocks", true);
    assert_finding("m-f-raw-old-numbers-x64-new-wer", "in-row-of-blocks", true);
    // Elements of one array, of which one was not made.
    assert_finding("w-dgame-x64-woa-full", "in-row-of-blocks", false);
}

#[test]
fn one_base_taken_for_another() {
    assert_finding("n-f-ptr-cross-cast-x64-new-full", "other-base", true);
    assert_finding("n-f-ptr-cross-cast-x86-new-procdump-ma", "other-base", true);
    // Objects of two classes in blocks side by side.
    assert_finding("h-lkeepalive-x64-new-full", "other-base", false);
}

#[test]
fn another_module_where_one_was() {
    assert_finding("j-lcodec-x64-new-full", "unloaded-module-reused", true);
}

#[test]
fn pages_that_come_again_as_zeros() {
    assert_finding("j-lpages-x64-woa-full", "page-is-zero", true);
    assert_finding("enter-deleted-x64-new-full", "page-is-zero", false);
}

#[test]
fn a_section_that_the_processes_of_a_module_share() {
    assert_finding("j-xcensus-x86-new-full", "shared-module-data", true);
    assert_finding("closed-x64-new-full", "shared-module-data", false);
}

#[test]
fn what_is_not_listed_and_was_not_deleted_was_never_made() {
    assert_finding("q-old-block-x86-new-full", "never-listed", true);
    // Its sections are made without a record.
    assert_finding("w-csocket-x64-new-procdump-ma", "never-listed", false);
}

#[test]
fn what_the_call_gave_comes_before_what_the_stack_holds_often() {
    assert_section("j-xproto-x64-woa-full");
}

#[test]
fn a_wild_value_in_one_register_is_not_surely_the_section() {
    // It was read out of the section, of which the dump holds nothing.
    assert_eq!(report("j-lview-x64-woa-wer").1.outcome, Outcome::Inconclusive);
}

#[test]
fn the_address_of_a_pointer_on_a_stack() {
    assert_finding("j-yspawn-x86-new-full", "pointer-by-address", true);
    // A local of a function that has returned.
    assert_finding("n-gone-frame-x64-new-full", "pointer-by-address", false);
}

#[test]
fn small_dumps_are_walked_by_code() {
    // No table of unwind data: main, which waits, has deleted it; a thread that waits has yet to initialise it.
    assert_finding("q-observer-x64-new-wer", "deletion-behind", true);
    assert_finding("q-observer-x64-new-wer", "initialization-behind", true);
    assert_finding("n-f-raw-double-checked-x64-new-wer", "initialization-ahead", true);
    // What the dump lacks of the code may have done anything.
    assert_finding("n-f-raw-double-checked-x64-new-wer", "no-deletion-behind", false);
    assert_finding("m-f-del-member-first-x86-new-wer", "no-deletion-behind", false);
    // Landing pads leave it, too, for all that is known.
    assert_finding("m-options-x64-new-wer", "entered-not-left", false);
}

#[test]
fn the_head_of_the_list_is_all_that_a_small_dump_needs() {
    assert_finding("x-hmodules-x64-new-wer", "list-lacks-section", true);
    assert_finding("w-cjob-x86-old-wer", "list-knows-section", true);
}
