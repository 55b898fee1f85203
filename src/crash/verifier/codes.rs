//! Stop codes of Application Verifier's Locks and Handles layers (Microsoft's stop code pages;
//! critical-sections.md 7.1, 7.2).

/// What a stop code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// 0x200: a thread ended while it owned the section.
    ThreadEnds,
    /// 0x201: the DLL that holds an initialised section is unloaded.
    Unloaded,
    /// 0x202, 0x204, 0x212, 0x213: memory that holds an initialised section is released.
    Freed,
    /// 0x203, 0x211: an initialised section is initialised again.
    InitializedTwice,
    /// 0x205: DebugInfo is not the record that the list of sections has.
    WrongRecord,
    /// 0x206: OwningThread is not the expected one.
    WrongOwner,
    /// 0x207: RecursionCount is not the expected one.
    WrongRecursion,
    /// 0x208: LockCount is not that of a free section when it is deleted.
    WrongLockCount,
    /// 0x209, 0x214: left more often than entered, or by a thread that does not own it.
    OverReleased,
    /// 0x210: no initialised section is known at the address.
    NotInitialized,
    /// 0x215: the section is another module's own.
    Private,
    /// 0x300: the kernel refused a handle; an exception record and a context are parameters.
    InvalidHandle,
    /// Any other stop: about no critical section.
    Other,
}

/// A stop.
struct Row {
    code: u32,
    family: Family,
    name: &'static str,
    /// Index of the parameter that is the section.
    section: Option<usize>,
    /// Index of the parameter that is the stack trace of the section's initialisation.
    trace: Option<usize>,
}

const fn stop(
    code: u32,
    family: Family,
    name: &'static str,
    section: Option<usize>,
    trace: Option<usize>,
) -> Row {
    Row { code, family, name, section, trace }
}

const STOPS: &[Row] = &[
    stop(0x200, Family::ThreadEnds, "EXIT_THREAD_OWNS_LOCK", Some(1), Some(3)),
    stop(0x201, Family::Unloaded, "LOCK_IN_UNLOADED_DLL", Some(0), Some(1)),
    stop(0x202, Family::Freed, "LOCK_IN_FREED_HEAP", Some(0), Some(1)),
    stop(0x203, Family::InitializedTwice, "LOCK_DOUBLE_INITIALIZE", Some(0), Some(2)),
    stop(0x204, Family::Freed, "LOCK_IN_FREED_MEMORY", Some(0), Some(2)),
    stop(0x205, Family::WrongRecord, "LOCK_CORRUPTED", Some(0), Some(3)),
    stop(0x206, Family::WrongOwner, "LOCK_INVALID_OWNER", Some(0), None),
    stop(0x207, Family::WrongRecursion, "LOCK_INVALID_RECURSION_COUNT", Some(0), None),
    stop(0x208, Family::WrongLockCount, "LOCK_INVALID_LOCK_COUNT", Some(0), None),
    stop(0x209, Family::OverReleased, "LOCK_OVER_RELEASED", Some(0), None),
    stop(0x210, Family::NotInitialized, "LOCK_NOT_INITIALIZED", Some(0), None),
    stop(0x211, Family::InitializedTwice, "LOCK_ALREADY_INITIALIZED", Some(0), Some(2)),
    stop(0x212, Family::Freed, "LOCK_IN_FREED_VMEM", Some(0), Some(1)),
    stop(0x213, Family::Freed, "LOCK_IN_UNMAPPED_MEM", Some(0), Some(1)),
    stop(0x214, Family::OverReleased, "THREAD_NOT_LOCK_OWNER", Some(0), None),
    stop(0x215, Family::Private, "LOCK_PRIVATE", Some(0), None),
    stop(0x300, Family::InvalidHandle, "INVALID_HANDLE", None, None),
    stop(0x301, Family::Other, "INVALID_TLS_VALUE", None, None),
    stop(0x302, Family::Other, "INCORRECT_WAIT_CALL", None, None),
    stop(0x303, Family::Other, "NULL_HANDLE", None, None),
    stop(0x304, Family::Other, "WAIT_IN_DLLMAIN", None, None),
    stop(0x305, Family::Other, "INCORRECT_OBJECT_TYPE", None, None),
];

fn row(code: u32) -> Option<&'static Row> {
    STOPS.iter().find(|row| row.code == code)
}

/// Whether a code is one of the stops that csdump knows.
#[must_use]
pub fn is_known(code: u32) -> bool {
    row(code).is_some()
}

/// What a code says.
#[must_use]
pub fn family(code: u32) -> Family {
    row(code).map_or(Family::Other, |row| row.family)
}

/// The id of a stop as Microsoft's pages have it.
#[must_use]
pub fn name(code: u32) -> Option<&'static str> {
    row(code).map(|row| row.name)
}

/// Which of the four parameters is the section's address.
#[must_use]
pub fn section_parameter(code: u32) -> Option<usize> {
    row(code)?.section
}

/// Which of the four parameters is the stack trace of the section's initialisation.
#[must_use]
pub fn trace_parameter(code: u32) -> Option<usize> {
    row(code)?.trace
}
