//! Stable ids of findings. An id is never reused and never names a cause.

/// A kind of fact that csdump can observe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingId {
    /// The slot of the handle is empty in the handle stream.
    HandleSlotEmpty,
    /// The handle's value lies among the values of the open handles.
    HandleInLiveRange,
    /// The handle's value is far above every open handle.
    HandleBeyondLiveRange,
    /// The value cannot be a handle: low bits set, negative, text or an address.
    HandleImplausible,
    /// Without a handle stream: the value is a small multiple of 4.
    HandleSmallMultipleOfFour,
    /// The slot holds an unnamed event with exactly the access that ntdll asks for.
    SlotHoldsSectionEvent,
    /// The slot holds an event that ntdll did not create for a section.
    SlotHoldsForeignEvent,
    /// The slot holds an object of another type.
    SlotHoldsOtherObject,
    /// The slot holds a file that the dump's writer may have opened itself.
    SlotHoldsWritersFile,
    /// `LockSemaphore` differs in one bit from an open event that no other section claims.
    OneBitFromOpenEvent,
    /// An open event of the kind ntdll creates is claimed by no section.
    UnclaimedEvent,
    /// Every open event of the kind ntdll creates is claimed by another section.
    NoUnclaimedEvent,
    /// Threads that wait at this section wait for another handle than `LockSemaphore`.
    WaitersUseOtherHandle,
    /// Threads that wait at this section wait for the handle in `LockSemaphore`.
    WaitersUseThisHandle,
    /// The kernel recorded the failing call's reference to the handle.
    HandleBadReferenceRecorded,
    /// The handle was opened by a lock function, as the event of a section.
    HandleOpenedForSection,
    /// The handle was opened by other code, and never for a section as far as the trace goes.
    HandleOpenedByOtherCode,
    /// The trace has no operation on the handle but its use.
    HandleNeverOpenedHere,
    /// The handle was closed by code that is no lock function.
    HandleClosedByOtherCode,
    /// The handle was closed by the deletion of a section.
    HandleClosedByDelete,
    /// The handle was closed by the deletion of a section, and this one is not deleted.
    HandleClosedByOtherDelete,
    /// The handle was closed by a function of ntdll that cannot be named, without CloseHandle.
    HandleClosedWithinNtdll,
    /// The handle was closed, and the trace does not tell by what.
    HandleClosedUnattributed,
    /// Windows 10 or later without the compatibility flag: ntdll never stores a handle.
    EventsImpossible,
    /// Windows 10 or later, and the compatibility flag is not in the dump.
    EventsUnlikely,
    /// The code of the exception says that the slot was taken when the call failed.
    SlotWasTaken,
    /// A waited-for section without debug record on a version that attaches one.
    ContendedWithoutRecord,
    /// `DebugInfo` leads to a record that points back.
    DebugRecordOwn,
    /// `DebugInfo` leads to a record of another section that looks like the original of this one.
    DebugRecordOfTwin,
    /// `DebugInfo` leads to a record that now belongs to another section.
    DebugRecordForeign,
    /// `DebugInfo` leads to a record that was wiped.
    DebugRecordGone,
    /// `DebugInfo` leads to memory that is no record.
    DebugRecordInvalid,
    /// `DebugInfo` is 0.
    DebugInfoNull,
    /// `DebugInfo` cannot be an address of a record.
    DebugInfoImpossible,
    /// `DebugInfo` is -1 although this version always makes a record.
    DebugInfoAbsentUnexpected,
    /// The process's list holds a record for this section although `DebugInfo` names another address.
    ListKnowsSection,
    /// The process's list holds a record for this section, which is zero.
    ZerosStillListed,
    /// `SpinCount` is one that initialisation leaves.
    SpinCountPlausible,
    /// `SpinCount` is not.
    SpinCountImplausible,
    /// `SpinCount` is possible, but not what initialisation leaves on this version and machine.
    SpinCountUnusual,
    /// Every byte of the section is zero.
    SectionAllZero,
    /// Zero but for what an Enter on zeros leaves.
    SectionZeroThenEntered,
    /// Every byte of the section is zero, and the call still shows the handle that it passed.
    HandlePassedAlthoughZero,
    /// Only `LockSemaphore` is damaged.
    OnlyHandleDamaged,
    /// `LockSemaphore` and `SpinCount`, the last fields, are damaged; those before are intact.
    TailDamaged,
    /// `DebugInfo` or `LockCount`, the first fields, are damaged; those behind are intact.
    HeadDamaged,
    /// No field can have been left by initialisation.
    EveryFieldForeign,
    /// More waiters counted than there are threads.
    MoreWaitersThanThreads,
    /// The address is not a multiple of the pointer size.
    Misaligned,
    /// Text or a pattern runs from the bytes before the section into it.
    NeighbourRunsInFromBefore,
    /// A pattern runs from the bytes behind the section into it.
    NeighbourRunsInFromBehind,
    /// The section's fields are a fill pattern of allocated memory.
    AllocationPattern,
    /// The section's fields are a fill pattern of freed memory.
    FreePattern,
    /// The section's fields are a fill pattern that means both, depending on the allocator.
    AmbiguousPattern,
    /// The section's fields are a fill pattern of the space around blocks.
    GuardPattern,
    /// The section was not found, although the dump has what the stack refers to.
    SectionNotLocated,
    /// The address lies in the null page.
    AddressInNullPage,
    /// The address is beyond user space, or text.
    AddressImpossible,
    /// The address lies in code or read-only data.
    AddressInCode,
    /// The address lies inside another section.
    PointsIntoSection,
    /// The memory is there and cannot be written.
    SectionNotWritable,
    /// The section at the address that the caller passed is not as a Leave leaves it.
    ChangedSince,
    /// The memory is free or only reserved.
    MemoryFree,
    /// The address lies where a module was unloaded.
    InUnloadedModule,
    /// A dump of all memory has none at this address.
    AbsentFromFullMemory,
    /// The memory is a mapped file or shared section.
    MemoryMapped,
    /// The section lies on the faulting thread's stack below its stack pointer.
    OnDeadStack,
    /// The section lies on the live stack of another thread.
    OnOtherStack,
    /// The section lies in a heap block that is marked as free.
    HeapBlockFree,
    /// The section lies in a heap block that is marked as in use.
    HeapBlockBusy,
    /// Links of a list stand where the section's fields should be.
    ListLinksInside,
    /// Threads are parked at this section, as many as `LockCount` counts.
    WaitersParked,
    /// No thread refers to the section although `LockCount` counts waiters.
    WaitersMissing,
    /// Wait blocks of threads name the section's `LockCount`.
    WaitersByAddress,
    /// No wait block names it although `LockCount` counts waiters.
    NoWaiterByAddress,
    /// The process is ending, and with it ended the waiters that `LockCount` counts.
    WaitersGoneAtExit,
    /// The owner is a thread that has exited.
    OwnerExited,
    /// The owner is no thread of the process.
    OwnerUnknown,
    /// A return address behind a call to `RtlDeleteCriticalSection` lies on a stack.
    DeleteResidue,
    /// The process is running its exit handlers.
    ProcessExiting,
    /// A library is being unloaded.
    LibraryUnloading,
    /// The section is static data, and the process is ending.
    StaticSectionAtExit,
    /// Other sections of the process have lost their events too.
    OtherSectionsLostHandles,
    /// Sections near by are damaged in the same way.
    NeighboursDamagedAlike,
    /// The address of the section was taken from a place that cannot be wrong, and is no section.
    ArgumentNotASection,
    /// Wine, not Windows.
    RunsUnderWine,
    /// The kernel itself raised the exception (strict handle checks).
    RaisedByKernel,
    /// `NtGlobalFlag` has checks of handles on.
    HandleChecksOn,
    /// The process is a clone of another.
    ClonedProcess,
    /// The last failed call of the faulting thread failed for an invalid handle.
    LastErrorInvalidHandle,
    /// Sources disagree about the version of Windows, and one of them is known to lie so.
    VersionsDisagree,
    /// Sources disagree about the version of Windows.
    VersionUncertain,
    /// `LockCount` is encoded otherwise than the version has it.
    EncodingOverrulesVersion,
    /// Application Verifier stopped the process.
    VerifierStop,
    /// Application Verifier knows no initialised section there.
    VerifierSaysNotInitialized,
    /// Memory that holds an initialised section is being released.
    VerifierSaysFreed,
    /// A module that holds an initialised section is being unloaded.
    VerifierSaysUnloaded,
    /// An initialised section is initialised again.
    VerifierSaysInitializedTwice,
    /// `DebugInfo` is not the record that the list of sections has.
    VerifierSaysWrongRecord,
    /// Owner or count are such as no thread and no lock function leaves.
    VerifierSaysWrongField,
    /// A count is not the expected one, but can be a count.
    VerifierSaysWrongCount,
    /// The owner is another thread than the one that leaves.
    VerifierSaysOtherOwner,
    /// The section is being deleted while a thread owns it.
    VerifierSaysInUse,
    /// The section is left more often than it was entered.
    VerifierSaysOverReleased,
    /// A thread ends while it owns the section.
    VerifierSaysThreadEnds,
    /// The section is another module's own.
    VerifierSaysPrivate,
    /// Every byte of the section is zero at a verifier stop.
    SectionZeroAtStop,
    /// The links of the list of debug records do not agree.
    ListLinksDisagree,
    /// The page of the section could not be read in.
    PageNotReadIn,
    /// The first word is the address of a section.
    PointsToSection,
    /// The first word is the address of a table of functions.
    FunctionTableInside,
    /// Static data of a module holds bytes that neither the loader nor ntdll put there.
    StaticStorageWritten,
    /// No code of the module names that static data.
    StaticNotNamed,
    /// A text begins exactly at the address and fills the section.
    ContentsBeginHere,
    /// A text that begins before the address fills the section.
    ContentsBeginBefore,
    /// The text that fills the section begins with the memory that was allocated there.
    ContentsBeginWithMemory,
    /// A thread of the process is inside the section.
    OwnerInside,
    /// The fields are one byte over and over that is no known fill pattern.
    RepeatedByte,
    /// `LockCount` counts a few more waiters than the process has threads.
    WaitersBeyondThreads,
    /// The record shows that nobody had waited before the wait that failed.
    NeverContendedBefore,
    /// `DebugInfo` leads into a module where no record lies.
    DebugInfoInModule,
    /// The section lies among the live frames of the faulting thread's own stack.
    OnOwnStack,
    /// The complete list of debug records does not name the section, on a version that lists every one.
    ListLacksSection,
    /// The list of debug records leads to `DebugInfo`, where no record stands.
    ListLeadsToRecord,
    /// Only `DebugInfo` is damaged.
    OnlyRecordDamaged,
    /// Only `DebugInfo` is damaged, and leads to other data.
    OnlyRecordRedirected,
    /// Only `DebugInfo` is not ntdll's: it is 0.
    OnlyRecordNull,
    /// The first fields are not ntdll's, and the last ones prove nothing.
    HeadForeign,
    /// A live frame's function has deleted the section.
    DeletionBehind,
    /// A live function has initialised the section.
    InitializationBehind,
    /// A live function has given the section's memory back.
    ReleaseBehind,
    /// A live function has given the memory back, with this section in it or an earlier object.
    EarlierReleaseBehind,
    /// A live frame's function has yet to initialise the section.
    InitializationAhead,
    /// The four bytes of a 32-bit address are printable characters.
    AddressIsText,
    /// A section begins a little behind the address, in the same object as it may be.
    SectionNearBy,
    /// Other data lies where a module was loaded before.
    UnloadedModuleReused,
    /// Nothing of the process lies near the section's address.
    FarFromMemory,
    /// No module shows the allocator that a pattern of freed memory belongs to.
    FillWithoutAllocator,
    /// `LockCount` says free, with waiters, of whom none was woken.
    FreeYetNobodyWoken,
    /// `RecursionCount` is below zero.
    LeftTooOften,
    /// The address lies just behind or just before other memory, where hardly anything can have been allocated.
    BesideMemory,
    /// A return address on the stack leads into a function that initialises the section further on.
    InitializationPerhapsAhead,
    /// The halves of the address are two small numbers.
    AddressIsTwoNumbers,
    /// The complete list of debug records does not name a section whose memory is gone.
    ListLacksGoneSection,
    /// The section would reach over the end of its heap block.
    BeyondHeapBlock,
    /// A live frame keeps something else where the section would be.
    FrameOfAnother,
    /// The owner, the handle or the spin count is an address in a module of the program.
    PointersInside,
    /// The section is zero, and lies in a free heap block.
    ZeroInFreeBlock,
    /// The section is a local of a function that has not returned.
    LiveLocal,
    /// The program makes sections at another place in blocks of this size.
    MadeElsewhereInBlock,
    /// The program has initialised more sections at this place of blocks of this size than other such blocks have.
    MadeInSuchBlock,
    /// Before the address lies the head of a tree whose elements have a section as far behind them.
    ContainerEnd,
    /// Code that can have run initialises a section that may be this one.
    InitializationOpen,
    /// Code that can have run deletes a section that may be this one.
    DeletionOpen,
    /// The block that the foreign bytes are in began as zeros, and no code made a section there.
    BlockBeganAsZeros,
    /// The address at which memory began that is gone now is still kept somewhere.
    BaseIsKept,
    /// The section is zero, its memory is given out and back, and the list still has its record.
    ClearedWhileListed,
    /// The section is zero static data, and so is what lies beside it.
    ZerosGoOn,
    /// The section is zero static data amid data that is not.
    ZerosAmidData,
    /// A text fills the section's heap block from the first byte to the last.
    TextFillsBlock,
    /// A text through the section begins with the section's heap block.
    TextBeginsWithBlock,
    /// A text through the section begins behind other data of the section's heap block.
    TextBeginsInsideBlock,
    /// The fill pattern covers the section's heap block, or its place in a row of sections.
    FillFillsPlace,
    /// The fill pattern begins and ends inside the section's heap block.
    FillInsideBlock,
    /// No code of the section's module deletes it.
    NobodyDeletes,
    /// No code of the section's module initialises it.
    NobodyInitializes,
    /// The faulting thread has entered the section and not left it.
    EnteredNotLeft,
    /// No code that can have run initialises the section.
    NoInitializationBehind,
    /// No code that can have run deletes the section.
    NoDeletionBehind,
    /// No code that can have run gives the section's memory back.
    NoReleaseBehind,
    /// Code that can have run initialises the section.
    InitializationPerhapsBehind,
    /// Code that can have run deletes the section.
    DeletionPerhapsBehind,
    /// Code that can have run gives the section's memory back.
    ReleasePerhapsBehind,
    /// More threads sleep at the section than `LockCount` counts.
    SleepersNotCounted,
    /// One step before a row of sections.
    BeforeRow,
    /// One step behind a row of sections.
    BehindRow,
    /// One step behind a row of sections in a module's data, where something else stands.
    BehindStaticRow,
    /// Between two sections of a row.
    InRow,
    /// On the grid of a row of sections, far out of it.
    FarOnRow,
    /// Behind the address lies the head of a list of objects with sections.
    ListHeadBehind,
    /// Other sections of the list lay in the same memory, and are replaced too.
    OthersReplaced,
    /// The address is the lower half of a longer one that the process holds.
    AddressIsHalf,
}

impl FindingId {
    /// A field of the section was not made by ntdll.
    pub const FOREIGN: &[Self] = &[
        Self::EveryFieldForeign,
        Self::HandleImplausible,
        Self::SpinCountImplausible,
        Self::DebugInfoImpossible,
        Self::DebugRecordInvalid,
        Self::DebugInfoInModule,
    ];
    /// The section is zero, or was before an Enter.
    pub const ZEROS: [Self; 3] =
        [Self::SectionAllZero, Self::SectionZeroThenEntered, Self::SectionZeroAtStop];

    /// The section's bytes are a fill: what allocators, or programs by themselves, write into memory.
    pub const FILLS: [Self; 5] = [
        Self::AllocationPattern,
        Self::FreePattern,
        Self::GuardPattern,
        Self::AmbiguousPattern,
        Self::RepeatedByte,
    ];

    /// The id as it stands in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandleSlotEmpty => "handle-slot-empty",
            Self::HandleInLiveRange => "handle-in-live-range",
            Self::HandleBeyondLiveRange => "handle-beyond-live-range",
            Self::HandleImplausible => "handle-implausible",
            Self::HandleSmallMultipleOfFour => "handle-small-multiple-of-four",
            Self::SlotHoldsSectionEvent => "slot-holds-section-event",
            Self::SlotHoldsForeignEvent => "slot-holds-foreign-event",
            Self::SlotHoldsOtherObject => "slot-holds-other-object",
            Self::SlotHoldsWritersFile => "slot-holds-writers-file",
            Self::OneBitFromOpenEvent => "one-bit-from-open-event",
            Self::UnclaimedEvent => "unclaimed-event",
            Self::NoUnclaimedEvent => "no-unclaimed-event",
            Self::WaitersUseOtherHandle => "waiters-use-other-handle",
            Self::WaitersUseThisHandle => "waiters-use-this-handle",
            Self::HandleBadReferenceRecorded => "handle-bad-reference-recorded",
            Self::HandleOpenedForSection => "handle-opened-for-section",
            Self::HandleOpenedByOtherCode => "handle-opened-by-other-code",
            Self::HandleNeverOpenedHere => "handle-never-opened-here",
            Self::HandleClosedByOtherCode => "handle-closed-by-other-code",
            Self::HandleClosedByDelete => "handle-closed-by-delete",
            Self::HandleClosedByOtherDelete => "handle-closed-by-other-delete",
            Self::HandleClosedWithinNtdll => "handle-closed-within-ntdll",
            Self::HandleClosedUnattributed => "handle-closed-unattributed",
            Self::EventsImpossible => "events-impossible",
            Self::EventsUnlikely => "events-unlikely",
            Self::SlotWasTaken => "slot-was-taken",
            Self::ContendedWithoutRecord => "contended-without-record",
            Self::DebugRecordOwn => "debug-record-own",
            Self::DebugRecordOfTwin => "debug-record-of-twin",
            Self::DebugRecordForeign => "debug-record-foreign",
            Self::DebugRecordGone => "debug-record-gone",
            Self::DebugRecordInvalid => "debug-record-invalid",
            Self::DebugInfoNull => "debug-info-null",
            Self::DebugInfoImpossible => "debug-info-impossible",
            Self::DebugInfoAbsentUnexpected => "debug-info-absent-unexpected",
            Self::ListKnowsSection => "list-knows-section",
            Self::ZerosStillListed => "zeros-still-listed",
            Self::SpinCountPlausible => "spin-count-plausible",
            Self::SpinCountImplausible => "spin-count-implausible",
            Self::SpinCountUnusual => "spin-count-unusual",
            Self::SectionAllZero => "section-all-zero",
            Self::SectionZeroThenEntered => "section-zero-then-entered",
            Self::HandlePassedAlthoughZero => "handle-passed-although-zero",
            Self::OnlyHandleDamaged => "only-handle-damaged",
            Self::TailDamaged => "tail-damaged",
            Self::HeadDamaged => "head-damaged",
            Self::EveryFieldForeign => "every-field-foreign",
            Self::MoreWaitersThanThreads => "more-waiters-than-threads",
            Self::Misaligned => "misaligned",
            Self::NeighbourRunsInFromBefore => "neighbour-runs-in-from-before",
            Self::NeighbourRunsInFromBehind => "neighbour-runs-in-from-behind",
            Self::AllocationPattern => "allocation-pattern",
            Self::FreePattern => "free-pattern",
            Self::AmbiguousPattern => "ambiguous-pattern",
            Self::GuardPattern => "guard-pattern",
            Self::SectionNotLocated => "section-not-located",
            Self::AddressInNullPage => "address-in-null-page",
            Self::AddressImpossible => "address-impossible",
            Self::AddressInCode => "address-in-code",
            Self::PointsIntoSection => "points-into-section",
            Self::SectionNotWritable => "section-not-writable",
            Self::ChangedSince => "changed-since",
            Self::MemoryFree => "memory-free",
            Self::InUnloadedModule => "in-unloaded-module",
            Self::AbsentFromFullMemory => "absent-from-full-memory",
            Self::MemoryMapped => "memory-mapped",
            Self::OnDeadStack => "on-dead-stack",
            Self::OnOtherStack => "on-other-stack",
            Self::HeapBlockFree => "heap-block-free",
            Self::HeapBlockBusy => "heap-block-busy",
            Self::ListLinksInside => "list-links-inside",
            Self::WaitersParked => "waiters-parked",
            Self::WaitersMissing => "waiters-missing",
            Self::WaitersByAddress => "waiters-by-address",
            Self::NoWaiterByAddress => "no-waiter-by-address",
            Self::WaitersGoneAtExit => "waiters-gone-at-exit",
            Self::OwnerExited => "owner-exited",
            Self::OwnerUnknown => "owner-unknown",
            Self::DeleteResidue => "delete-residue",
            Self::ProcessExiting => "process-exiting",
            Self::LibraryUnloading => "library-unloading",
            Self::StaticSectionAtExit => "static-section-at-exit",
            Self::OtherSectionsLostHandles => "other-sections-lost-handles",
            Self::NeighboursDamagedAlike => "neighbours-damaged-alike",
            Self::ArgumentNotASection => "argument-not-a-section",
            Self::RunsUnderWine => "runs-under-wine",
            Self::RaisedByKernel => "raised-by-kernel",
            Self::HandleChecksOn => "handle-checks-on",
            Self::ClonedProcess => "cloned-process",
            Self::LastErrorInvalidHandle => "last-error-invalid-handle",
            Self::VersionsDisagree => "versions-disagree",
            Self::VersionUncertain => "version-uncertain",
            Self::EncodingOverrulesVersion => "encoding-overrules-version",
            Self::VerifierStop => "verifier-stop",
            Self::VerifierSaysNotInitialized => "verifier-says-not-initialized",
            Self::VerifierSaysFreed => "verifier-says-freed",
            Self::VerifierSaysUnloaded => "verifier-says-unloaded",
            Self::VerifierSaysInitializedTwice => "verifier-says-initialized-twice",
            Self::VerifierSaysWrongRecord => "verifier-says-wrong-record",
            Self::VerifierSaysWrongField => "verifier-says-wrong-field",
            Self::VerifierSaysWrongCount => "verifier-says-wrong-count",
            Self::VerifierSaysOtherOwner => "verifier-says-other-owner",
            Self::VerifierSaysInUse => "verifier-says-in-use",
            Self::VerifierSaysOverReleased => "verifier-says-over-released",
            Self::VerifierSaysThreadEnds => "verifier-says-thread-ends",
            Self::VerifierSaysPrivate => "verifier-says-private",
            Self::SectionZeroAtStop => "section-zero-at-stop",
            Self::ListLinksDisagree => "list-links-disagree",
            Self::PageNotReadIn => "page-not-read-in",
            Self::PointsToSection => "points-to-section",
            Self::FunctionTableInside => "function-table-inside",
            Self::StaticStorageWritten => "static-storage-written",
            Self::StaticNotNamed => "static-not-named",
            Self::ContentsBeginHere => "contents-begin-here",
            Self::ContentsBeginBefore => "contents-begin-before",
            Self::ContentsBeginWithMemory => "contents-begin-with-memory",
            Self::RepeatedByte => "repeated-byte",
            Self::WaitersBeyondThreads => "waiters-beyond-threads",
            Self::NeverContendedBefore => "never-contended-before",
            Self::DebugInfoInModule => "debug-info-in-module",
            Self::OnOwnStack => "on-own-stack",
            Self::ListLacksSection => "list-lacks-section",
            Self::ListLeadsToRecord => "list-leads-to-record",
            Self::OnlyRecordDamaged => "only-record-damaged",
            Self::OnlyRecordRedirected => "only-record-redirected",
            Self::OnlyRecordNull => "only-record-null",
            Self::HeadForeign => "head-foreign",
            Self::DeletionBehind => "deletion-behind",
            Self::InitializationBehind => "initialization-behind",
            Self::ReleaseBehind => "release-behind",
            Self::EarlierReleaseBehind => "earlier-release-behind",
            Self::InitializationAhead => "initialization-ahead",
            Self::AddressIsText => "address-is-text",
            Self::SectionNearBy => "section-near-by",
            Self::UnloadedModuleReused => "unloaded-module-reused",
            Self::FarFromMemory => "far-from-memory",
            Self::OwnerInside => "owner-inside",
            Self::FillWithoutAllocator => "fill-without-allocator",
            Self::FreeYetNobodyWoken => "free-yet-nobody-woken",
            Self::LeftTooOften => "left-too-often",
            Self::SleepersNotCounted => "sleepers-not-counted",
            Self::BesideMemory => "beside-memory",
            Self::InitializationPerhapsAhead => "initialization-perhaps-ahead",
            Self::AddressIsTwoNumbers => "address-is-two-numbers",
            Self::ListLacksGoneSection => "list-lacks-gone-section",
            Self::BeyondHeapBlock => "beyond-heap-block",
            Self::FrameOfAnother => "frame-of-another",
            Self::PointersInside => "pointers-inside",
            Self::ZeroInFreeBlock => "zero-in-free-block",
            Self::LiveLocal => "live-local",
            Self::MadeElsewhereInBlock => "made-elsewhere-in-block",
            Self::MadeInSuchBlock => "made-in-such-block",
            Self::ContainerEnd => "container-end",
            Self::InitializationOpen => "initialization-open",
            Self::DeletionOpen => "deletion-open",
            Self::BlockBeganAsZeros => "block-began-as-zeros",
            Self::BaseIsKept => "base-is-kept",
            Self::ClearedWhileListed => "cleared-while-listed",
            Self::ZerosGoOn => "zeros-go-on",
            Self::ZerosAmidData => "zeros-amid-data",
            Self::TextFillsBlock => "text-fills-block",
            Self::TextBeginsWithBlock => "text-begins-with-block",
            Self::TextBeginsInsideBlock => "text-begins-inside-block",
            Self::FillFillsPlace => "fill-fills-place",
            Self::FillInsideBlock => "fill-inside-block",
            Self::NobodyDeletes => "nobody-deletes",
            Self::NobodyInitializes => "nobody-initializes",
            Self::EnteredNotLeft => "entered-not-left",
            Self::NoInitializationBehind => "no-initialization-behind",
            Self::NoDeletionBehind => "no-deletion-behind",
            Self::NoReleaseBehind => "no-release-behind",
            Self::InitializationPerhapsBehind => "initialization-perhaps-behind",
            Self::DeletionPerhapsBehind => "deletion-perhaps-behind",
            Self::ReleasePerhapsBehind => "release-perhaps-behind",
            Self::BeforeRow => "before-row",
            Self::BehindRow => "behind-row",
            Self::BehindStaticRow => "behind-static-row",
            Self::InRow => "in-row",
            Self::FarOnRow => "far-on-row",
            Self::ListHeadBehind => "list-head-behind",
            Self::OthersReplaced => "others-replaced",
            Self::AddressIsHalf => "address-is-half",
        }
    }
}

/// A fact observed in a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of fact.
    pub id: FindingId,
    /// The fact in one sentence, with its numbers.
    pub statement: String,
    /// Where it was read: stream, address or register.
    pub source: String,
}

impl Finding {
    /// A finding from its parts.
    #[must_use]
    pub fn new(id: FindingId, statement: impl Into<String>, source: impl Into<String>) -> Self {
        Self { id, statement: statement.into(), source: source.into() }
    }
}
