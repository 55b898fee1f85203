//! What a stop of Application Verifier excludes, and how a verdict about one begins.

use super::cause::Cause;
use crate::crash::operation::{Failure, Operation, OperationSource};
use crate::crash::verifier::StopSource;
use crate::crash::verifier::codes::{self, Family};
use crate::findings::Case;

/// Stops that come from looking at the section, or at what is done to its memory.
const ANY: &[(Cause, &str)] =
    &[(Cause::HandleClosed, "Application Verifier stopped before the section's handle was used")];

const KNOWN: &str = "Application Verifier knows the section as initialised and not deleted";

/// The memory of a section that is on the verifier's list is taken away.
const RELEASED: &[(Cause, &str)] = &[
    (Cause::HandleClosed, KNOWN),
    (Cause::NeverInitialized, KNOWN),
    (Cause::Deleted, KNOWN),
    (Cause::Copied, KNOWN),
    (Cause::BadPointer, KNOWN),
    (Cause::NotOwner, "the stop came from the release of the memory, not from a Leave"),
];

/// The section is on the verifier's list, and a field of it is wrong.
const LISTED: &[(Cause, &str)] = &[
    (Cause::HandleClosed, "Application Verifier stopped before the section's handle was used"),
    (Cause::BadPointer, "the section is on Application Verifier's list"),
];

/// No section is on the verifier's list.
const UNLISTED: &[(Cause, &str)] = &[
    (Cause::HandleClosed, "Application Verifier stopped before the section's handle was used"),
    (Cause::NotOwner, "Application Verifier stopped before it looked at the owner"),
];

/// What a stop excludes.
pub(super) fn exclusions(code: Option<u32>) -> &'static [(Cause, &'static str)] {
    match code.map(codes::family) {
        Some(Family::Freed | Family::Unloaded) => RELEASED,
        Some(Family::NotInitialized) => UNLISTED,
        Some(
            Family::WrongRecord
            | Family::WrongOwner
            | Family::WrongRecursion
            | Family::WrongLockCount
            | Family::OverReleased,
        ) => LISTED,
        _ => ANY,
    }
}

/// What a stop says that is none of the causes.
pub(super) fn other_reason(failure: Failure) -> Option<&'static str> {
    let Failure::VerifierStop(code) = failure else { return None };
    Some(match codes::family(code?) {
        Family::ThreadEnds => "a thread ended while it owned a critical section",
        Family::InitializedTwice => "an initialised critical section was initialised again",
        Family::Private => "a private critical section of another module was used",
        _ => return None,
    })
}

/// Whether no cause may be called sure: the stop's code was inferred, or the list of debug records is damaged, perhaps
/// at another section's record.
pub(super) fn is_unsure(case: Case<'_, '_>) -> bool {
    let read = [StopSource::ExceptionParameters, StopSource::StackArguments];
    match case.lock.failure {
        Failure::VerifierStop(_) => case.crash.stop.is_none_or(|stop| !read.contains(&stop.source)),
        failure => failure == Failure::ListCorrupted,
    }
}

/// Whether the stop is not known well enough to rest a verdict on.
pub(super) fn is_guessed(case: Case<'_, '_>) -> bool {
    let unsure = [StopSource::StackGuess, StopSource::Unknown];
    matches!(case.lock.failure, Failure::VerifierStop(_))
        && case.crash.stop.is_none_or(|stop| unsure.contains(&stop.source))
}

/// The main clause of the verdict.
pub(super) fn happened(
    failure: Failure,
    operation: Option<Operation>,
    source: OperationSource,
) -> String {
    match (failure, operation) {
        (Failure::VerifierStop(_), Some(operation)) => {
            format!("Application Verifier stopped {}", operation.function())
        }
        (Failure::VerifierStop(_), None) => "Application Verifier stopped the process".into(),
        (_, Some(operation)) => format!("{} failed", operation.function()),
        (Failure::ListCorrupted, None) => "A list of critical sections could not be changed".into(),
        // Only the status, or the access, speaks of a lock.
        (_, None) if source == OperationSource::Inferred => {
            "A critical-section call may have failed (nothing names the function)".into()
        }
        (_, None) => "A critical-section call failed".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stop_excludes_what_it_says() {
        let excludes = |code: u32, cause: Cause| {
            exclusions(Some(code)).iter().any(|(excluded, _)| *excluded == cause)
        };
        for code in [0x201, 0x202, 0x204, 0x212, 0x213] {
            assert!(!excludes(code, Cause::MemoryReleased), "{code:#x}");
            assert!(excludes(code, Cause::Deleted), "{code:#x}");
        }
        assert!(!excludes(0x210, Cause::NeverInitialized) && !excludes(0x210, Cause::Deleted));
        assert!(!excludes(0x214, Cause::NotOwner) && !excludes(0x209, Cause::Corrupted));
        assert!(!excludes(0x208, Cause::Deleted) && !excludes(0x205, Cause::Corrupted));
        assert_eq!(other_reason(Failure::VerifierStop(Some(0x210))), None);
        assert!(other_reason(Failure::VerifierStop(Some(0x200))).is_some());
    }
}
