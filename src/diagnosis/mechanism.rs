//! The mechanism: what happened, nearly certain, before any opinion on why. Bots bucket on it.

use crate::crash::exception::{ACCESS_DENIED, OBJECT_TYPE_MISMATCH};
use crate::crash::fault::fault_address;
use crate::crash::operation::Failure;
use crate::critsec::debug_info::{is_user_address, record_size};
use crate::critsec::handle::is_plausible;
use crate::findings::space::is_above_user_space;
use crate::findings::{Case, Finding, FindingId, has};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// The handle's slot was empty.
    HandleSlotEmpty,
    /// The handle's slot held an object of another type.
    HandleWrongType,
    /// The handle lacked the right to signal.
    HandleAccessDenied,
    /// The value was no handle at all.
    HandleImplausible,
    /// The section was zero.
    SectionZeroed,
    /// The section's memory could not be accessed.
    SectionUnreadable,
    /// The debug record could not be accessed.
    DebugInfoInvalid,
    /// The address was none of a section.
    PointerInvalid,
    /// The section was not locked.
    NotOwner,
    /// The wait took too long.
    PossibleDeadlock,
    /// Application Verifier stopped the process.
    VerifierStop,
    /// Nothing more is known.
    Unknown,
}

impl Mechanism {
    /// All mechanisms.
    pub const ALL: [Self; 12] = [
        Self::HandleSlotEmpty,
        Self::HandleWrongType,
        Self::HandleAccessDenied,
        Self::HandleImplausible,
        Self::SectionZeroed,
        Self::SectionUnreadable,
        Self::DebugInfoInvalid,
        Self::PointerInvalid,
        Self::NotOwner,
        Self::PossibleDeadlock,
        Self::VerifierStop,
        Self::Unknown,
    ];

    /// The id as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandleSlotEmpty => "handle-slot-empty",
            Self::HandleWrongType => "handle-wrong-type",
            Self::HandleAccessDenied => "handle-access-denied",
            Self::HandleImplausible => "handle-implausible",
            Self::SectionZeroed => "section-zeroed",
            Self::SectionUnreadable => "section-unreadable",
            Self::DebugInfoInvalid => "debug-info-invalid",
            Self::PointerInvalid => "pointer-invalid",
            Self::NotOwner => "not-owner",
            Self::PossibleDeadlock => "possible-deadlock",
            Self::VerifierStop => "verifier-stop",
            Self::Unknown => "unknown",
        }
    }

    /// The mechanism for the signature, which a richer dump of the same crash must not change: whether the
    /// value in an empty slot was plausible, or the section zero, shows only where its bytes are in the dump.
    #[must_use]
    pub fn for_signature(self, failure: Failure) -> Self {
        match failure {
            Failure::Signal(status) | Failure::Wait(status) | Failure::DeleteClose(status) => {
                of_status(status)
            }
            Failure::SectionAccess => Self::SectionUnreadable,
            Failure::DebugInfoAccess => Self::DebugInfoInvalid,
            _ => self,
        }
    }
}

/// The mechanism of a case.
#[must_use]
pub fn mechanism(case: Case<'_, '_>, findings: &[Finding]) -> Mechanism {
    match case.lock.failure {
        Failure::Signal(status) | Failure::Wait(status) | Failure::DeleteClose(status) => {
            if has(findings, FindingId::SectionAllZero) {
                return Mechanism::SectionZeroed;
            }
            let implausible = case
                .handle
                .is_some_and(|(value, _)| value != 0 && !is_plausible(case.scene.dump, value));
            match of_status(status) {
                Mechanism::HandleSlotEmpty if implausible => Mechanism::HandleImplausible,
                other => other,
            }
        }
        Failure::SectionAccess => of_address(case, findings),
        Failure::DebugInfoAccess => of_record(case, findings),
        Failure::NotOwner => Mechanism::NotOwner,
        Failure::PossibleDeadlock => Mechanism::PossibleDeadlock,
        Failure::ListCorrupted => Mechanism::DebugInfoInvalid,
        Failure::VerifierStop(_) => Mechanism::VerifierStop,
        Failure::OtherAccess => Mechanism::Unknown,
    }
}

/// The status says what the slot held at that instant (critical-sections.md 4.3).
fn of_status(status: u32) -> Mechanism {
    match status {
        OBJECT_TYPE_MISMATCH => Mechanism::HandleWrongType,
        ACCESS_DENIED => Mechanism::HandleAccessDenied,
        _ => Mechanism::HandleSlotEmpty,
    }
}

/// Findings that say that no section can be, or have been, at the address.
const NO_ADDRESS: [FindingId; 3] =
    [FindingId::AddressInCode, FindingId::AddressImpossible, FindingId::AddressIsHalf];

fn of_address(case: Case<'_, '_>, findings: &[Finding]) -> Mechanism {
    let Some(section) = case.section else { return Mechanism::SectionUnreadable };
    let above = section.raw.is_none() && is_above_user_space(case.scene, section.address);
    let possible = is_user_address(section.address, section.width)
        && !above
        && section.address.is_multiple_of(section.width.bytes())
        && !NO_ADDRESS.iter().any(|id| has(findings, *id));
    if possible { Mechanism::SectionUnreadable } else { Mechanism::PointerInvalid }
}

/// A fault just above 0 went through a DebugInfo of 0, which only zeroed memory has.
fn of_record(case: Case<'_, '_>, findings: &[Finding]) -> Mechanism {
    let width = case.scene.dump.system.pointer_width;
    let through_null =
        fault_address(&case.crash.exception).is_some_and(|fault| fault < record_size(width));
    let known = case.section.is_some_and(|section| section.raw.is_some());
    let zeroed = has(findings, FindingId::SectionZeroThenEntered)
        || has(findings, FindingId::SectionAllZero);
    if zeroed || through_null && !known {
        Mechanism::SectionZeroed
    } else {
        Mechanism::DebugInfoInvalid
    }
}
