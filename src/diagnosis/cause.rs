//! The causes that csdump ranks: stable ids, titles and the sentence that explains each.

/// Why a critical-section call failed. The order is that of the contract (design, causes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// The section is healthy, its event handle was closed by other code.
    HandleClosed,
    /// The section's memory was overwritten.
    Corrupted,
    /// It was used without initialisation.
    NeverInitialized,
    /// `DeleteCriticalSection` ran while it was in use, or before.
    Deleted,
    /// The memory itself is gone.
    MemoryReleased,
    /// A byte copy of a section is being used.
    Copied,
    /// The argument is no section at all.
    BadPointer,
    /// Section in shared memory or in a cloned process.
    CrossProcess,
    /// Left more often than entered, or by a thread that does not own it.
    NotOwner,
}

impl Cause {
    /// All causes.
    pub const ALL: [Self; 9] = [
        Self::HandleClosed,
        Self::Corrupted,
        Self::NeverInitialized,
        Self::Deleted,
        Self::MemoryReleased,
        Self::Copied,
        Self::BadPointer,
        Self::CrossProcess,
        Self::NotOwner,
    ];

    /// The id as it stands in reports; never reused.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HandleClosed => "handle-closed",
            Self::Corrupted => "corrupted",
            Self::NeverInitialized => "never-initialized",
            Self::Deleted => "deleted",
            Self::MemoryReleased => "memory-released",
            Self::Copied => "copied",
            Self::BadPointer => "bad-pointer",
            Self::CrossProcess => "cross-process",
            Self::NotOwner => "not-owner",
        }
    }

    /// A title for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::HandleClosed => "Event handle closed by other code",
            Self::Corrupted => "Section memory overwritten",
            Self::NeverInitialized => "Section never initialised",
            Self::Deleted => "Section already deleted",
            Self::MemoryReleased => "Memory of the section released",
            Self::Copied => "Byte copy of a section used",
            Self::BadPointer => "Argument is not a section",
            Self::CrossProcess => "Section of another process",
            Self::NotOwner => "Left by a thread that does not own it",
        }
    }

    /// What the cause says, as the main clause of the verdict.
    #[must_use]
    pub fn clause(self) -> &'static str {
        match self {
            Self::HandleClosed => "other code closed the event handle of a healthy section",
            Self::Corrupted => "the section's memory was overwritten",
            Self::NeverInitialized => "the section was used without being initialised",
            Self::Deleted => "the section was deleted while, or before, it was used",
            Self::MemoryReleased => "the memory that held the section was released",
            Self::Copied => "a byte copy of a section was used in place of the section",
            Self::BadPointer => "the argument is not the address of a section",
            Self::CrossProcess => "the section lies in memory shared with another process",
            Self::NotOwner => "the section was left by a thread that did not own it",
        }
    }

    /// What the cause means and how it arises.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::HandleClosed => {
                "The section itself is in order, but the event that its waiters wait for was closed by code \
                 that does not own it: an uninitialised handle variable passed to CloseHandle, or a second \
                 CloseHandle on a value that had been reused for the section's event."
            }
            Self::Corrupted => {
                "Something wrote over the section: an overrun of the object before it, an underrun of the \
                 one behind it, a stray pointer or a flipped bit."
            }
            Self::NeverInitialized => {
                "InitializeCriticalSection was not called, or not yet: the section's bytes are whatever the \
                 memory held before."
            }
            Self::Deleted => {
                "DeleteCriticalSection ran first or at the same time: an object destroyed by one thread while \
                 another was still leaving its lock, or a static destroyed at exit."
            }
            Self::MemoryReleased => {
                "The block, view, module or stack frame that contained the section is gone while code still \
                 uses its address."
            }
            Self::Copied => {
                "A section must stay where it was initialised. This one is the bytes of another, copied or \
                 moved by memcpy, realloc or a default copy constructor."
            }
            Self::BadPointer => {
                "The pointer handed to the lock function never was the address of a section: NULL plus an \
                 offset, a misaligned address, code, or a wild value."
            }
            Self::CrossProcess => {
                "A critical section works inside one process only; its handle and owner mean nothing in \
                 another one that maps the same memory, or in a clone of the process."
            }
            Self::NotOwner => {
                "LeaveCriticalSection was called without a matching EnterCriticalSection by this thread."
            }
        }
    }

    /// The Application Verifier stops that would have shown the cause (Microsoft's stop code pages).
    #[must_use]
    pub fn verifier_stops(self) -> &'static str {
        match self {
            Self::HandleClosed => "Handles: 0x300, 0x305",
            Self::Corrupted => "Locks: 0x203, 0x205 to 0x208",
            Self::NeverInitialized => "Locks: 0x210",
            Self::Deleted => "Locks: 0x208, 0x210",
            Self::MemoryReleased => "Locks: 0x201, 0x202, 0x204, 0x212, 0x213",
            Self::Copied => "Locks: 0x203",
            Self::BadPointer | Self::CrossProcess => "none",
            Self::NotOwner => "Locks: 0x209, 0x214",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_kebab_case() {
        let mut ids: Vec<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
        assert!(
            ids.iter().all(|id| id.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()))
        );
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Cause::ALL.len());
    }
}
