//! Which lock operation failed, and what kind of failure it was.

use super::exception::{
    ACCESS_DENIED, ACCESS_VIOLATION, CORRUPT_LIST_ENTRY, EffectiveException, FAST_FAIL,
    IN_PAGE_ERROR, INVALID_HANDLE, OBJECT_TYPE_MISMATCH, POSSIBLE_DEADLOCK, RESOURCE_NOT_OWNED,
};
use super::frame::{Frame, NameSource};
use crate::dump::memory::{AddressSpace, PointerWidth};

/// A critical-section call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `LeaveCriticalSection`.
    Leave,
    /// `EnterCriticalSection`.
    Enter,
    /// `TryEnterCriticalSection`.
    TryEnter,
    /// `DeleteCriticalSection`.
    Delete,
}

impl Operation {
    /// The name as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Enter => "enter",
            Self::TryEnter => "try-enter",
            Self::Delete => "delete",
        }
    }

    /// The Win32 function.
    #[must_use]
    pub fn function(self) -> &'static str {
        match self {
            Self::Leave => "LeaveCriticalSection",
            Self::Enter => "EnterCriticalSection",
            Self::TryEnter => "TryEnterCriticalSection",
            Self::Delete => "DeleteCriticalSection",
        }
    }

    /// The operation of an exported function: ntdll's own, or the kernel32 and kernelbase names that
    /// forward to it.
    #[must_use]
    pub fn of_function(name: &str) -> Option<Self> {
        match name.strip_prefix("Rtl").unwrap_or(name) {
            "LeaveCriticalSection" => Some(Self::Leave),
            "EnterCriticalSection" => Some(Self::Enter),
            "TryEnterCriticalSection" => Some(Self::TryEnter),
            "DeleteCriticalSection" => Some(Self::Delete),
            _ => None,
        }
    }
}

/// What kind of failure it was. Decides which causes are possible at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Leave could not signal the event; the status.
    Signal(u32),
    /// Enter could not wait for the event; the status.
    Wait(u32),
    /// The section itself could not be read or written.
    SectionAccess,
    /// The debug record behind the section could not be read or written.
    DebugInfoAccess,
    /// Leave found the section not locked.
    NotOwner,
    /// Enter gave up waiting.
    PossibleDeadlock,
    /// Delete could not close the event; the status.
    DeleteClose(u32),
    /// The list of debug records is damaged: a fast fail while a record was linked in or out.
    ListCorrupted,
    /// Application Verifier stopped the process; the stop's code, when it is known.
    VerifierStop(Option<u32>),
    /// Something else went wrong inside a lock function.
    OtherAccess,
}

/// How sure the operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationSource {
    /// The frame is named by an export, through unwind data or the call instruction.
    Exports,
    /// The frame is named by the caller's import.
    CallerImport,
    /// No lock function failed: a stop of Application Verifier names the section.
    VerifierStop,
    /// No frame is named; exception, modules and a section on the stack agree.
    Inferred,
}

impl OperationSource {
    /// The name as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exports => "ntdll-exports",
            Self::CallerImport => "caller-imports",
            Self::VerifierStop => "verifier-stop",
            Self::Inferred => "inferred",
        }
    }
}

/// A lock operation found on the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundOperation {
    /// The operation.
    pub operation: Operation,
    /// How it is known.
    pub source: OperationSource,
    /// Index of the lock function's frame.
    pub frame: usize,
    /// Index of the frame that called it, when there is one.
    pub caller: Option<usize>,
}

/// What the frames say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// A lock function failed.
    Lock(FoundOperation),
    /// Another function failed: its frame.
    Other(usize),
    /// No frame near the exception has a name.
    Unnamed,
}

/// Functions that only raise an exception somebody else asked for.
const RAISERS: &[&str] = &[
    "RtlRaiseStatus",
    "RtlRaiseException",
    "KiRaiseUserExceptionDispatcher",
    "NtRaiseException",
    "ZwRaiseException",
    "KiUserExceptionDispatcher",
];

/// Whether a name is one of a function of ntdll that raises what its caller asks for. RaiseException is none: it has a frame
/// in kernel32 or kernelbase, and C++ leaves calls of it on every stack.
#[must_use]
pub fn is_raiser(name: &str) -> bool {
    RAISERS.contains(&name)
}

/// Services that Leave, Enter and Delete call for the event.
const SERVICES: &[&str] = &[
    "NtSetEvent",
    "ZwSetEvent",
    "NtSetEventEx",
    "ZwSetEventEx",
    "NtSetEventBoostPriority",
    "ZwSetEventBoostPriority",
    "NtReleaseSemaphore",
    "ZwReleaseSemaphore",
    "NtReleaseKeyedEvent",
    "ZwReleaseKeyedEvent",
    "NtWaitForSingleObject",
    "ZwWaitForSingleObject",
    "NtWaitForKeyedEvent",
    "ZwWaitForKeyedEvent",
    "NtCreateEvent",
    "ZwCreateEvent",
    "NtClose",
    "ZwClose",
];

/// The handle that a service on an x86 stack was called with: its first argument stands behind its return
/// address. On x64 it was in a register that the system call destroys (critical-sections.md 5.5).
///
/// - situation: the place of an argument is the callee's, which may keep something else there once it has used it.
/// - example: a compiler makes NtClose jump to the raiser and puts the status, its argument, where the handle was.
/// - handling: the status that was raised is no handle that was passed.
/// - test: `the_argument_of_the_service_is_the_handle`.
#[must_use]
pub fn passed_handle(memory: &AddressSpace<'_>, frames: &[Frame], status: u32) -> Option<u64> {
    let service = frames.iter().position(|frame| {
        frame.function.as_ref().is_some_and(|function| SERVICES.contains(&function.name.as_str()))
    })?;
    let caller = frames.get(service.checked_add(1)?).filter(|caller| caller.trust.is_exact())?;
    if caller.registers.width() != PointerWidth::Four {
        return None;
    }
    let argument = memory.pointer(caller.return_slot?.checked_add(4)?, PointerWidth::Four);
    argument.filter(|value| *value != u64::from(status))
}

/// Parts of the lock functions that have names of their own (critical-sections.md 4.2).
const PARTS: &[&str] = &[
    "RtlpUnWaitCriticalSection",
    "RtlpWaitOnCriticalSection",
    "RtlpWaitForCriticalSection",
    "RtlpEnterCriticalSectionContended",
    "RtlpNotOwnerCriticalSection",
    "RtlpAddDebugInfoToCriticalSection",
    "RtlpCreateCriticalSectionSem",
    "RtlpFreeDebugInfo",
];

/// Reads the operation off the frames, innermost first.
///
/// - situation: an old return address into a lock function lies on the stack of an unrelated crash.
/// - example: an access violation in RtlFreeHeap above the remains of a LeaveCriticalSection that returned.
/// - handling: from the exception outwards only raisers, services, parts of lock functions and nameless frames of
///   ntdll may come first, and every frame must be exact; any other name ends the search.
/// - test: `stale_leave_is_not_a_lock_failure` (tests/accuracy).
#[must_use]
pub fn read_frames(
    frames: &[Frame],
    is_ntdll: impl Fn(&Frame) -> bool,
    is_system: impl Fn(&Frame) -> bool,
) -> Reading {
    for (index, frame) in frames.iter().enumerate() {
        if !frame.trust.is_exact() {
            return Reading::Unnamed;
        }
        let Some(function) = &frame.function else {
            if is_ntdll(frame) {
                continue;
            }
            // A program that calls a raiser or a service by itself.
            let all_named = frames.iter().take(index).all(|frame| frame.function.is_some());
            return if all_named { Reading::Other(index) } else { Reading::Unnamed };
        };
        // A name won through a word of the stack that nothing proves to be the return address.
        let is_guessed = function.source == NameSource::Import
            && frames.get(index.saturating_add(1)).is_some_and(|caller| !caller.trust.is_exact());
        if is_guessed {
            return Reading::Unnamed;
        }
        let name = function.name.as_str();
        // Portability layers export functions of the same names.
        if let Some(operation) = Operation::of_function(name).filter(|_| is_system(frame)) {
            let caller =
                outermost_lock_frame(frames, index).checked_add(1).filter(|at| *at < frames.len());
            let source = match function.source {
                NameSource::Import => OperationSource::CallerImport,
                _ => OperationSource::Exports,
            };
            return Reading::Lock(FoundOperation { operation, source, frame: index, caller });
        }
        if !RAISERS.contains(&name) && !SERVICES.contains(&name) && !PARTS.contains(&name) {
            return Reading::Other(index);
        }
    }
    Reading::Unnamed
}

/// kernel32 and kernelbase may have a frame of their own above ntdll's.
fn outermost_lock_frame(frames: &[Frame], innermost: usize) -> usize {
    let is_lock = |frame: &Frame| {
        frame
            .function
            .as_ref()
            .is_some_and(|function| Operation::of_function(&function.name).is_some())
    };
    let more =
        frames.iter().skip(innermost.saturating_add(1)).take_while(|frame| is_lock(frame)).count();
    innermost.saturating_add(more)
}

/// The kind of failure, from the exception's code and the operation. `None` when such an exception in such
/// a call is no failure of the lock.
#[must_use]
pub fn failure(operation: Operation, exception: &EffectiveException) -> Option<Failure> {
    let code = exception.record.code;
    match (code, operation) {
        (INVALID_HANDLE | OBJECT_TYPE_MISMATCH | ACCESS_DENIED, Operation::Leave) => {
            Some(Failure::Signal(code))
        }
        (
            INVALID_HANDLE | OBJECT_TYPE_MISMATCH | ACCESS_DENIED,
            Operation::Enter | Operation::TryEnter,
        ) => Some(Failure::Wait(code)),
        (INVALID_HANDLE | OBJECT_TYPE_MISMATCH | ACCESS_DENIED, Operation::Delete) => {
            Some(Failure::DeleteClose(code))
        }
        (ACCESS_VIOLATION | IN_PAGE_ERROR, _) => Some(Failure::OtherAccess),
        (RESOURCE_NOT_OWNED, Operation::Leave) => Some(Failure::NotOwner),
        (POSSIBLE_DEADLOCK, Operation::Enter) => Some(Failure::PossibleDeadlock),
        // Delete takes its record off the list, an Enter that waits links one in (Windows 10).
        (FAST_FAIL, Operation::Delete | Operation::Enter) if is_corrupt_list(exception) => {
            Some(Failure::ListCorrupted)
        }
        _ => None,
    }
}

/// Whether the exception is the fast fail of a list whose links do not agree (critical-sections.md 4.4).
#[must_use]
pub fn is_corrupt_list(exception: &EffectiveException) -> bool {
    exception.record.code == FAST_FAIL
        && exception.record.parameters.first() == Some(&CORRUPT_LIST_ENTRY)
}

/// Whether a function of ntdll links a debug record into the list on behalf of an initialisation.
#[must_use]
pub fn initialises(name: &str) -> bool {
    name.starts_with("RtlInitializeCriticalSection")
        || name.starts_with("RtlpInitializeCriticalSection")
        || name == "RtlpAddDebugInfoToCriticalSection"
}

/// Whether a code is one that a failed signal or wait raises.
#[must_use]
pub fn is_handle_status(code: u32) -> bool {
    matches!(code, INVALID_HANDLE | OBJECT_TYPE_MISMATCH | ACCESS_DENIED)
}

/// Whether a name is one of a function that closes handles: its exception is about the handle passed to it.
#[must_use]
pub fn is_close(name: &str) -> bool {
    matches!(name, "CloseHandle" | "NtClose" | "ZwClose")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::frame::{FunctionName, Trust};
    use crate::dump::memory::{MemorySource, Region};
    use crate::image::IpKind;
    use crate::image::registers::RegisterFile;

    fn frame(name: &str, return_slot: Option<u64>) -> Frame {
        Frame {
            registers: RegisterFile::new(PointerWidth::Four, 0x1000, 0x2000),
            ip_kind: IpKind::ReturnAddress,
            trust: Trust::CallTarget,
            return_slot,
            module: None,
            start: None,
            function: Some(FunctionName {
                name: name.into(),
                source: NameSource::Export,
                start: None,
            }),
        }
    }

    #[test]
    fn the_argument_of_the_service_is_the_handle() {
        let bytes = [0x10, 0, 0, 0, 0x64, 1, 0, 0];
        let memory = AddressSpace::new([Region {
            base: 0x2000,
            bytes: &bytes,
            source: MemorySource::MemoryList,
        }]);
        let leave = frame("RtlLeaveCriticalSection", Some(0x2000));
        let by_kernel = [
            frame("KiRaiseUserExceptionDispatcher", None),
            frame("NtSetEvent", None),
            leave.clone(),
        ];
        assert_eq!(passed_handle(&memory, &by_kernel, INVALID_HANDLE), Some(0x164));
        assert_eq!(passed_handle(&memory, &by_kernel, 0x164), None);
        let by_program = [frame("RtlRaiseStatus", None), leave];
        assert_eq!(passed_handle(&memory, &by_program, INVALID_HANDLE), None);
    }

    fn fast_fail(parameters: &[u64]) -> EffectiveException {
        EffectiveException {
            record: crate::dump::ExceptionRecord {
                code: FAST_FAIL,
                flags: 1,
                nested_record_address: 0,
                address: 0x1000,
                parameters: parameters.to_vec(),
            },
            nested_in: Vec::new(),
            context: None,
        }
    }

    #[test]
    fn a_fast_fail_counts_only_where_records_are_linked() {
        let of = |operation, parameters: &[u64]| failure(operation, &fast_fail(parameters));
        assert_eq!(of(Operation::Delete, &[3]), Some(Failure::ListCorrupted));
        assert_eq!(of(Operation::Enter, &[3]), Some(Failure::ListCorrupted));
        assert_eq!(of(Operation::Leave, &[3]), None);
        assert_eq!(of(Operation::Delete, &[2]), None);
        assert_eq!(of(Operation::Delete, &[]), None);
        assert!(initialises("RtlInitializeCriticalSectionAndSpinCount"));
        assert!(initialises("RtlpAddDebugInfoToCriticalSection"));
        assert!(!initialises("RtlInitializeSListHead") && !initialises("RtlLeaveCriticalSection"));
    }
}
