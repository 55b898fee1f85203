//! Passing over dumps that cannot be a critical-section failure, before anything expensive is read.

use super::exception::{
    ACCESS_DENIED, ACCESS_VIOLATION, IN_PAGE_ERROR, INVALID_DISPOSITION, INVALID_HANDLE,
    NONCONTINUABLE_EXCEPTION, OBJECT_TYPE_MISMATCH, POSSIBLE_DEADLOCK, RESOURCE_NOT_OWNED,
};
use crate::dump::Glance;

/// Whether only the full analysis can say that a dump is no critical-section failure.
///
/// - situation: a folder of crashes, nearly all of which have nothing to do with locks.
/// - example: an access violation in the program's own code; a C++ exception.
/// - handling: an exception code that no lock failure has, or an access violation whose instruction lies in a module
///   that is not ntdll. When the module list is missing, nothing is passed over but by its code.
/// - test: `screening_never_hides_a_failure` (tests/scan).
#[must_use]
pub fn needs_analysis(glance: &Glance<'_>) -> bool {
    let Some(exception) = &glance.exception else { return false };
    match exception.record.code {
        INVALID_HANDLE
        | OBJECT_TYPE_MISMATCH
        | ACCESS_DENIED
        | NONCONTINUABLE_EXCEPTION
        | INVALID_DISPOSITION
        | POSSIBLE_DEADLOCK
        | RESOURCE_NOT_OWNED => true,
        ACCESS_VIOLATION | IN_PAGE_ERROR => {
            glance.modules.is_empty() || in_lock_code(glance, exception.record.address)
        }
        _ => false,
    }
}

/// Modules whose code takes part in a lock call.
const LOCK_MODULES: [&str; 1] = ["ntdll.dll"];

fn in_lock_code(glance: &Glance<'_>, address: u64) -> bool {
    let module = glance.module_at(address);
    module.is_some_and(|module| LOCK_MODULES.iter().any(|name| module.is_named(name)))
}
