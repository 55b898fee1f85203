//! Passing over dumps that cannot be a critical-section failure, before anything expensive is read.

use super::exception::{
    ACCESS_DENIED, ACCESS_VIOLATION, BREAKPOINT, CORRUPT_LIST_ENTRY, FAST_FAIL, IN_PAGE_ERROR,
    INVALID_DISPOSITION, INVALID_HANDLE, NONCONTINUABLE_EXCEPTION, OBJECT_TYPE_MISMATCH,
    POSSIBLE_DEADLOCK, RESOURCE_NOT_OWNED, VERIFIER_STOP, WX86_BREAKPOINT,
};
use super::verifier;
use crate::dump::Glance;

/// Whether only the full analysis can say that a dump is no critical-section failure.
///
/// - situation: a folder of crashes, nearly all of which have nothing to do with locks.
/// - example: an access violation in the program's own code; a C++ exception.
/// - handling: an exception code that no lock failure has; an access violation whose instruction lies neither in ntdll
///   nor in Application Verifier; a breakpoint in a process without it; a fast fail of another kind. When the module list
///   is missing, nothing is passed over but by its code.
/// - test: `screening_never_hides_a_failure` (tests/scan).
#[must_use]
pub fn needs_analysis(glance: &Glance<'_>) -> bool {
    let Some(exception) = &glance.exception else { return false };
    if glance.system.wow64 {
        // Which side raised it is for the analysis to say.
        return true;
    }
    match exception.record.code {
        INVALID_HANDLE
        | OBJECT_TYPE_MISMATCH
        | ACCESS_DENIED
        | NONCONTINUABLE_EXCEPTION
        | INVALID_DISPOSITION
        | POSSIBLE_DEADLOCK
        | RESOURCE_NOT_OWNED
        | VERIFIER_STOP => true,
        ACCESS_VIOLATION | IN_PAGE_ERROR => {
            glance.modules.is_empty() || in_lock_code(glance, exception.record.address)
        }
        BREAKPOINT | WX86_BREAKPOINT => glance.modules.iter().any(verifier::is_part),
        FAST_FAIL => exception.record.parameters.first() == Some(&CORRUPT_LIST_ENTRY),
        _ => false,
    }
}

/// Whether an address lies in a module whose code takes part in a lock call.
fn in_lock_code(glance: &Glance<'_>, address: u64) -> bool {
    let module = glance.module_at(address);
    module.is_some_and(|module| module.is_named("ntdll.dll") || verifier::is_part(module))
}
