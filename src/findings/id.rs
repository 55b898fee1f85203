//! Stable ids of findings. An id is never reused and never names a cause.

/// Declares the kinds of findings, each with the id under which reports have it.
macro_rules! finding_ids {
    ($($(#[$doc:meta])* $name:ident => $id:literal,)*) => {
        /// A kind of fact that csdump can observe.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum FindingId {
            $($(#[$doc])* $name,)*
        }

        impl FindingId {
            /// Every kind of fact.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The id as it stands in reports.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }
        }
    };
}

finding_ids! {
    /// The slot of the handle is empty in the handle stream.
    HandleSlotEmpty => "handle-slot-empty",
    /// The handle's value lies among the values of the open handles.
    HandleInLiveRange => "handle-in-live-range",
    /// The handle's value is far above every open handle.
    HandleBeyondLiveRange => "handle-beyond-live-range",
    /// The value cannot be a handle: low bits set, negative, text or an address.
    HandleImplausible => "handle-implausible",
    /// Without a handle stream: the value is a small multiple of 4.
    HandleSmallMultipleOfFour => "handle-small-multiple-of-four",
    /// The slot holds an unnamed event with exactly the access that ntdll asks for.
    SlotHoldsSectionEvent => "slot-holds-section-event",
    /// The slot holds an event that ntdll did not create for a section.
    SlotHoldsForeignEvent => "slot-holds-foreign-event",
    /// The slot holds an object of another type.
    SlotHoldsOtherObject => "slot-holds-other-object",
    /// The slot holds a file that the dump's writer may have opened itself.
    SlotHoldsWritersFile => "slot-holds-writers-file",
    /// `LockSemaphore` differs in one bit from an open event that no other section claims.
    OneBitFromOpenEvent => "one-bit-from-open-event",
    /// An open event of the kind ntdll creates is claimed by no section.
    UnclaimedEvent => "unclaimed-event",
    /// Every open event of the kind ntdll creates is claimed by another section.
    NoUnclaimedEvent => "no-unclaimed-event",
    /// Threads that wait at this section wait for another handle than `LockSemaphore`.
    WaitersUseOtherHandle => "waiters-use-other-handle",
    /// Threads that wait at this section wait for the handle in `LockSemaphore`.
    WaitersUseThisHandle => "waiters-use-this-handle",
    /// The kernel recorded the failing call's reference to the handle.
    HandleBadReferenceRecorded => "handle-bad-reference-recorded",
    /// The handle was opened by a lock function, as the event of a section.
    HandleOpenedForSection => "handle-opened-for-section",
    /// The handle was opened by other code, and never for a section as far as the trace goes.
    HandleOpenedByOtherCode => "handle-opened-by-other-code",
    /// The trace has no operation on the handle but its use.
    HandleNeverOpenedHere => "handle-never-opened-here",
    /// The handle was closed by code that is no lock function.
    HandleClosedByOtherCode => "handle-closed-by-other-code",
    /// The handle was closed by the deletion of a section.
    HandleClosedByDelete => "handle-closed-by-delete",
    /// The handle was closed by the deletion of a section, and this one is not deleted.
    HandleClosedByOtherDelete => "handle-closed-by-other-delete",
    /// The handle was closed by a function of ntdll that cannot be named, without CloseHandle.
    HandleClosedWithinNtdll => "handle-closed-within-ntdll",
    /// The handle was closed, and the trace does not tell by what.
    HandleClosedUnattributed => "handle-closed-unattributed",
    /// Windows 10 or later without the compatibility flag: ntdll never stores a handle.
    EventsImpossible => "events-impossible",
    /// Windows 10 or later, and the compatibility flag is not in the dump.
    EventsUnlikely => "events-unlikely",
    /// The code of the exception says that the slot was taken when the call failed.
    SlotWasTaken => "slot-was-taken",
    /// A waited-for section without debug record on a version that attaches one.
    ContendedWithoutRecord => "contended-without-record",
    /// `DebugInfo` leads to a record that points back.
    DebugRecordOwn => "debug-record-own",
    /// `DebugInfo` leads to a record of another section that looks like the original of this one.
    DebugRecordOfTwin => "debug-record-of-twin",
    /// `DebugInfo` leads to a record that now belongs to another section.
    DebugRecordForeign => "debug-record-foreign",
    /// `DebugInfo` leads to a record that was wiped.
    DebugRecordGone => "debug-record-gone",
    /// `DebugInfo` leads to memory that is no record.
    DebugRecordInvalid => "debug-record-invalid",
    /// `DebugInfo` is 0.
    DebugInfoNull => "debug-info-null",
    /// `DebugInfo` cannot be an address of a record.
    DebugInfoImpossible => "debug-info-impossible",
    /// `DebugInfo` is -1 although this version always makes a record.
    DebugInfoAbsentUnexpected => "debug-info-absent-unexpected",
    /// The process's list holds a record for this section although `DebugInfo` names another address.
    ListKnowsSection => "list-knows-section",
    /// The process's list holds a record for this section, which is zero.
    ZerosStillListed => "zeros-still-listed",
    /// `SpinCount` is one that initialisation leaves.
    SpinCountPlausible => "spin-count-plausible",
    /// `SpinCount` is not.
    SpinCountImplausible => "spin-count-implausible",
    /// `SpinCount` is possible, but not what initialisation leaves on this version and machine.
    SpinCountUnusual => "spin-count-unusual",
    /// Every byte of the section is zero.
    SectionAllZero => "section-all-zero",
    /// Zero but for what an Enter on zeros leaves.
    SectionZeroThenEntered => "section-zero-then-entered",
    /// Every byte of the section is zero, and the call still shows the handle that it passed.
    HandlePassedAlthoughZero => "handle-passed-although-zero",
    /// Only `LockSemaphore` is damaged.
    OnlyHandleDamaged => "only-handle-damaged",
    /// `LockSemaphore` and `SpinCount`, the last fields, are damaged; those before are intact.
    TailDamaged => "tail-damaged",
    /// `DebugInfo` or `LockCount`, the first fields, are damaged; those behind are intact.
    HeadDamaged => "head-damaged",
    /// No field can have been left by initialisation.
    EveryFieldForeign => "every-field-foreign",
    /// More waiters counted than there are threads.
    MoreWaitersThanThreads => "more-waiters-than-threads",
    /// The address is not a multiple of the pointer size.
    Misaligned => "misaligned",
    /// Text or a pattern runs from the bytes before the section into it.
    NeighbourRunsInFromBefore => "neighbour-runs-in-from-before",
    /// A pattern runs from the bytes behind the section into it.
    NeighbourRunsInFromBehind => "neighbour-runs-in-from-behind",
    /// The section's fields are a fill pattern of allocated memory.
    AllocationPattern => "allocation-pattern",
    /// The section's fields are a fill pattern of freed memory.
    FreePattern => "free-pattern",
    /// The section's fields are a fill pattern that means both, depending on the allocator.
    AmbiguousPattern => "ambiguous-pattern",
    /// The section's fields are a fill pattern of the space around blocks.
    GuardPattern => "guard-pattern",
    /// The section was not found, although the dump has what the stack refers to.
    SectionNotLocated => "section-not-located",
    /// Nothing that the stack leads to is a section whose Leave went on to signal.
    NoSectionJustLeft => "no-section-just-left",
    /// The address lies in the null page.
    AddressInNullPage => "address-in-null-page",
    /// The address is beyond user space, or text.
    AddressImpossible => "address-impossible",
    /// The address lies in code or read-only data.
    AddressInCode => "address-in-code",
    /// The address lies inside another section.
    PointsIntoSection => "points-into-section",
    /// The memory is there and cannot be written.
    SectionNotWritable => "section-not-writable",
    /// The section at the address that the caller passed is not as a Leave leaves it.
    ChangedSince => "changed-since",
    /// The memory is free or only reserved.
    MemoryFree => "memory-free",
    /// The address lies where a module was unloaded.
    InUnloadedModule => "in-unloaded-module",
    /// A dump of all memory has none at this address.
    AbsentFromFullMemory => "absent-from-full-memory",
    /// The memory is a mapped file or shared section.
    MemoryMapped => "memory-mapped",
    /// The section lies in shared data of a module.
    SharedModuleData => "shared-module-data",
    /// The section lies on the faulting thread's stack below its stack pointer.
    OnDeadStack => "on-dead-stack",
    /// The section lies on the live stack of another thread.
    OnOtherStack => "on-other-stack",
    /// The section lies in a heap block that is marked as free.
    HeapBlockFree => "heap-block-free",
    /// The section lies in a heap block that is marked as in use.
    HeapBlockBusy => "heap-block-busy",
    /// Links of a list stand where the section's fields should be.
    ListLinksInside => "list-links-inside",
    /// Threads are parked at this section, as many as `LockCount` counts.
    WaitersParked => "waiters-parked",
    /// No thread refers to the section although `LockCount` counts waiters.
    WaitersMissing => "waiters-missing",
    /// Wait blocks of threads name the section's `LockCount`.
    WaitersByAddress => "waiters-by-address",
    /// No wait block names it although `LockCount` counts waiters.
    NoWaiterByAddress => "no-waiter-by-address",
    /// The process is ending, and with it ended the waiters that `LockCount` counts.
    WaitersGoneAtExit => "waiters-gone-at-exit",
    /// The owner is a thread that has exited.
    OwnerExited => "owner-exited",
    /// The owner is no thread of the process.
    OwnerUnknown => "owner-unknown",
    /// A return address behind a call to `RtlDeleteCriticalSection` lies on a stack.
    DeleteResidue => "delete-residue",
    /// The process is running its exit handlers.
    ProcessExiting => "process-exiting",
    /// A library is being unloaded.
    LibraryUnloading => "library-unloading",
    /// The section is static data, and the process is ending.
    StaticSectionAtExit => "static-section-at-exit",
    /// Other sections of the process have lost their events too.
    OtherSectionsLostHandles => "other-sections-lost-handles",
    /// Sections near by are damaged in the same way.
    NeighboursDamagedAlike => "neighbours-damaged-alike",
    /// The address of the section was taken from a place that cannot be wrong, and is no section.
    ArgumentNotASection => "argument-not-a-section",
    /// Wine, not Windows.
    RunsUnderWine => "runs-under-wine",
    /// The kernel itself raised the exception (strict handle checks).
    RaisedByKernel => "raised-by-kernel",
    /// `NtGlobalFlag` has checks of handles on.
    HandleChecksOn => "handle-checks-on",
    /// The process is a clone of another.
    ClonedProcess => "cloned-process",
    /// The last failed call of the faulting thread failed for an invalid handle.
    LastErrorInvalidHandle => "last-error-invalid-handle",
    /// Sources disagree about the version of Windows, and one of them is known to lie so.
    VersionsDisagree => "versions-disagree",
    /// Sources disagree about the version of Windows.
    VersionUncertain => "version-uncertain",
    /// `LockCount` is encoded otherwise than the version has it.
    EncodingOverrulesVersion => "encoding-overrules-version",
    /// Application Verifier stopped the process.
    VerifierStop => "verifier-stop",
    /// Application Verifier knows no initialised section there.
    VerifierSaysNotInitialized => "verifier-says-not-initialized",
    /// Memory that holds an initialised section is being released.
    VerifierSaysFreed => "verifier-says-freed",
    /// A module that holds an initialised section is being unloaded.
    VerifierSaysUnloaded => "verifier-says-unloaded",
    /// An initialised section is initialised again.
    VerifierSaysInitializedTwice => "verifier-says-initialized-twice",
    /// `DebugInfo` is not the record that the list of sections has.
    VerifierSaysWrongRecord => "verifier-says-wrong-record",
    /// Owner or count are such as no thread and no lock function leaves.
    VerifierSaysWrongField => "verifier-says-wrong-field",
    /// A count is not the expected one, but can be a count.
    VerifierSaysWrongCount => "verifier-says-wrong-count",
    /// The owner is another thread than the one that leaves.
    VerifierSaysOtherOwner => "verifier-says-other-owner",
    /// The section is being deleted while a thread owns it.
    VerifierSaysInUse => "verifier-says-in-use",
    /// The section is left more often than it was entered.
    VerifierSaysOverReleased => "verifier-says-over-released",
    /// A thread ends while it owns the section.
    VerifierSaysThreadEnds => "verifier-says-thread-ends",
    /// The section is another module's own.
    VerifierSaysPrivate => "verifier-says-private",
    /// Every byte of the section is zero at a verifier stop.
    SectionZeroAtStop => "section-zero-at-stop",
    /// The links of the list of debug records do not agree.
    ListLinksDisagree => "list-links-disagree",
    /// The page of the section could not be read in.
    PageNotReadIn => "page-not-read-in",
    /// The first word is the address of a section.
    PointsToSection => "points-to-section",
    /// The first word is the address of a table of functions.
    FunctionTableInside => "function-table-inside",
    /// Static data of a module holds bytes that neither the loader nor ntdll put there.
    StaticStorageWritten => "static-storage-written",
    /// Row 11: static data in which no field of a section is left.
    StaticStorageReplaced => "static-storage-replaced",
    /// No code of the module names that static data.
    StaticNotNamed => "static-not-named",
    /// The text that fills the section goes on behind it.
    TextGoesOn => "text-goes-on",
    /// It goes on far behind it.
    TextGoesFarOn => "text-goes-far-on",
    /// A text begins exactly at the address and fills the section.
    ContentsBeginHere => "contents-begin-here",
    /// A text begins exactly at the section's address, inside a heap block.
    ContentsBeginInBlock => "contents-begin-in-block",
    /// A text that begins before the address fills the section.
    ContentsBeginBefore => "contents-begin-before",
    /// The text that fills the section begins with the memory that was allocated there.
    ContentsBeginWithMemory => "contents-begin-with-memory",
    /// A thread of the process is inside the section.
    OwnerInside => "owner-inside",
    /// The fields are one byte over and over that is no known fill pattern.
    RepeatedByte => "repeated-byte",
    /// `LockCount` counts a few more waiters than the process has threads.
    WaitersBeyondThreads => "waiters-beyond-threads",
    /// The record shows that nobody had waited before the wait that failed.
    NeverContendedBefore => "never-contended-before",
    /// `DebugInfo` leads into a module where no record lies.
    DebugInfoInModule => "debug-info-in-module",
    /// The section lies among the live frames of the faulting thread's own stack.
    OnOwnStack => "on-own-stack",
    /// The complete list of debug records does not name the section, on a version that lists every one.
    ListLacksSection => "list-lacks-section",
    /// The list of debug records leads to `DebugInfo`, where no record stands.
    ListLeadsToRecord => "list-leads-to-record",
    /// Only `DebugInfo` is damaged.
    OnlyRecordDamaged => "only-record-damaged",
    /// Only `DebugInfo` is damaged, and leads to other data.
    OnlyRecordRedirected => "only-record-redirected",
    /// Only `DebugInfo` is not ntdll's: it is 0.
    OnlyRecordNull => "only-record-null",
    /// The first fields are not ntdll's, and the last ones prove nothing.
    HeadForeign => "head-foreign",
    /// A live frame's function has deleted the section.
    DeletionBehind => "deletion-behind",
    /// A live function has initialised the section.
    InitializationBehind => "initialization-behind",
    /// A live function has given the section's memory back.
    ReleaseBehind => "release-behind",
    /// A live function has given the memory back, with this section in it or an earlier object.
    EarlierReleaseBehind => "earlier-release-behind",
    /// A live frame's function has yet to initialise the section.
    InitializationAhead => "initialization-ahead",
    /// The four bytes of a 32-bit address are printable characters.
    AddressIsText => "address-is-text",
    /// A section begins a little behind the address, in the same object as it may be.
    SectionNearBy => "section-near-by",
    /// Other data lies where a module was loaded before.
    UnloadedModuleReused => "unloaded-module-reused",
    /// Nothing of the process lies near the section's address.
    FarFromMemory => "far-from-memory",
    /// No module shows the allocator that a pattern of freed memory belongs to.
    FillWithoutAllocator => "fill-without-allocator",
    /// `LockCount` says free, with waiters, of whom none was woken.
    FreeYetNobodyWoken => "free-yet-nobody-woken",
    /// `RecursionCount` is below zero.
    LeftTooOften => "left-too-often",
    /// The address lies just behind or just before other memory, where hardly anything can have been allocated.
    BesideMemory => "beside-memory",
    /// A return address on the stack leads into a function that initialises the section further on.
    InitializationPerhapsAhead => "initialization-perhaps-ahead",
    /// The halves of the address are two small numbers.
    AddressIsTwoNumbers => "address-is-two-numbers",
    /// The complete list of debug records does not name a section whose memory is gone.
    ListLacksGoneSection => "list-lacks-gone-section",
    /// The section would reach over the end of its heap block.
    BeyondHeapBlock => "beyond-heap-block",
    /// A live frame keeps something else where the section would be.
    FrameOfAnother => "frame-of-another",
    /// The owner, the handle or the spin count is an address in a module of the program.
    PointersInside => "pointers-inside",
    /// The section is zero, and lies in a free heap block.
    ZeroInFreeBlock => "zero-in-free-block",
    /// The section is a local of a function that has not returned.
    LiveLocal => "live-local",
    /// The program makes sections at another place in blocks of this size.
    MadeElsewhereInBlock => "made-elsewhere-in-block",
    /// The program has initialised more sections at this place of blocks of this size than other such blocks have.
    MadeInSuchBlock => "made-in-such-block",
    /// Before the address lies the head of a tree whose elements have a section as far behind them.
    ContainerEnd => "container-end",
    /// Code that can have run initialises a section that may be this one.
    InitializationOpen => "initialization-open",
    /// Code that can have run deletes a section that may be this one.
    DeletionOpen => "deletion-open",
    /// The block that the foreign bytes are in began as zeros, and no code made a section there.
    BlockBeganAsZeros => "block-began-as-zeros",
    /// The address at which memory began that is gone now is still kept somewhere.
    BaseIsKept => "base-is-kept",
    /// The section is zero, its memory is given out and back, and the list still has its record.
    ClearedWhileListed => "cleared-while-listed",
    /// The section is zero static data, and so is what lies beside it.
    ZerosGoOn => "zeros-go-on",
    /// The section is zero static data amid data that is not.
    ZerosAmidData => "zeros-amid-data",
    /// The whole page of a section of zeros is zero.
    PageIsZero => "page-is-zero",
    /// A text fills the section's heap block from the first byte to the last.
    TextFillsBlock => "text-fills-block",
    /// A text through the section begins with the section's heap block.
    TextBeginsWithBlock => "text-begins-with-block",
    /// A text through the section begins behind other data of the section's heap block.
    TextBeginsInsideBlock => "text-begins-inside-block",
    /// The fill pattern covers the section's heap block, or its place in a row of sections.
    FillFillsPlace => "fill-fills-place",
    /// The fill pattern begins and ends inside the section's heap block.
    FillInsideBlock => "fill-inside-block",
    /// No code of the section's module deletes it.
    NobodyDeletes => "nobody-deletes",
    /// No code of the section's module initialises it.
    NobodyInitializes => "nobody-initializes",
    /// The faulting thread has entered the section and not left it.
    EnteredNotLeft => "entered-not-left",
    /// Each Leave of the section in the code that can have run follows an Enter.
    LeavesFollowEnters => "leaves-follow-enters",
    /// No code that can have run initialises the section.
    NoInitializationBehind => "no-initialization-behind",
    /// No code that can have run deletes the section.
    NoDeletionBehind => "no-deletion-behind",
    /// No code that can have run gives the section's memory back.
    NoReleaseBehind => "no-release-behind",
    /// Code that can have run initialises the section.
    InitializationPerhapsBehind => "initialization-perhaps-behind",
    /// Code that can have run deletes the section.
    DeletionPerhapsBehind => "deletion-perhaps-behind",
    /// The list lacks the section, and nothing can have deleted it.
    NeverListed => "never-listed",
    /// Code that can have run gives the section's memory back.
    ReleasePerhapsBehind => "release-perhaps-behind",
    /// More threads sleep at the section than `LockCount` counts.
    SleepersNotCounted => "sleepers-not-counted",
    /// One step before a row of sections.
    BeforeRow => "before-row",
    /// One step behind a row of sections.
    BehindRow => "behind-row",
    /// One step behind a row of sections in a module's data, where something else stands.
    BehindStaticRow => "behind-static-row",
    /// Between two sections of a row.
    InRow => "in-row",
    /// Between two sections of a row, each in a heap block of its own.
    InRowOfBlocks => "in-row-of-blocks",
    /// In a row with other sections, which are whole.
    RowStands => "row-stands",
    /// On the grid of a row of sections, far out of it.
    FarOnRow => "far-on-row",
    /// Behind the address lies the head of a list of objects with sections.
    ListHeadBehind => "list-head-behind",
    /// Other sections of the list lay in the same memory, and are replaced too.
    OthersReplaced => "others-replaced",
    /// In a cell of a pool whose free cells are linked.
    PoolCell => "pool-cell",
    /// In a cell of a pool, which begins with a link to another.
    PoolLink => "pool-link",
    /// In a cell of a pool, which begins with a link to another, and holds data around zeros.
    PoolTookBack => "pool-took-back",
    /// As far behind a pointer on a stack as a section is behind what it leads to.
    PointerByAddress => "pointer-by-address",
    /// As far behind one base of an object as a section is behind another.
    OtherBase => "other-base",
    /// The address is the lower half of a longer one that the process holds.
    AddressIsHalf => "address-is-half",
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
