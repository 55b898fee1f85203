//! Findings about the handle: its value, its slot, and where the section's real event is.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::HandleSlotEmpty),
        title: "The handle's slot is empty",
        means: "The handle stream lists every open handle of the process at the moment of the dump, and this value is not among them. The low two bits are ignored, as the kernel ignores them.",
        arises: &[
            "The handle was open once and has been closed.",
            "The value never was a handle: nearly every number has an empty slot.",
        ],
        confirm: &[
            run("!handle HANDLE f", "Says that the handle is not valid."),
            run(
                "!htrace HANDLE",
                "With handle tracing: whether the value was ever opened, and who closed it.",
            ),
        ],
        fix: &[
            "By itself it decides little; look at the value (handle-in-live-range, handle-implausible) and at the waiters.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::HandleInLiveRange),
        title: "The value is one that the kernel hands out",
        means: "A multiple of 4 no higher than a little above the highest open handle, in an empty slot. The kernel hands out low values first and gives freed ones again, so that handles of one process lie close together.",
        arises: &[
            "A handle that was closed.",
            "A stray write of a small number that happens to be a free multiple of 4.",
        ],
        confirm: &[
            run("!handle 0 0", "How many handles are open, and up to which value."),
            run("!htrace HANDLE", "With handle tracing: the history of the value."),
        ],
        fix: &[
            "If the events of sections can exist on this Windows, look for the close that was one too many; see handle-closed.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::HandleBeyondLiveRange),
        title: "The value is far above every open handle",
        means: "It could be a handle by its form, but the table would once have had to be far larger than it is: the kernel hands out low values first.",
        arises: &[
            "LockSemaphore was overwritten with a number that is a multiple of 4.",
            "The memory holds old bytes.",
            "A process that had very many handles and closed most of them; rare.",
        ],
        confirm: &[
            run("!handle 0 0", "The number of open handles now."),
            run("dps SECTION L6", "Whether other fields are odd too."),
        ],
        fix: &["Treat it as a number that somebody wrote: see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::HandleImplausible),
        title: "The value is no handle that ntdll stores",
        means: "The handles that the system gives out are multiples of 4 and small; this value has low bits set, is larger than handle tables grow, or is an address of this process's memory. ntdll stores 0, -1 or what NtCreateEvent gave it, and none of these is such a value.",
        arises: &[
            "LockSemaphore was overwritten: text, a pointer, a length.",
            "The memory was never initialised and holds old bytes.",
        ],
        confirm: &[
            run(
                ".formats HANDLE",
                "The value as characters, time and number: text is easy to recognise.",
            ),
            run(
                "dps SECTION-40 L20",
                "Whether the same stuff goes on before or behind the section.",
            ),
            run("ln HANDLE", "Whether it is the address of something with a name."),
        ],
        fix: &[
            "Search the code for what the value is: a string, an enumeration, a pointer to a known object. Its writer is the culprit.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::HandleSmallMultipleOfFour),
        title: "The value looks like a handle, and no stream says more",
        means: "The dump has no handle stream, or an empty one, so that nobody can say whether the value is open. Its form fits.",
        arises: &[
            "The dump was written without MiniDumpWithHandleData (0x4).",
            "The writer could not read the handles.",
        ],
        confirm: &[look(
            "Capture with handles: procdump -ma or -mm, WER LocalDumps with DumpType=2, .dump /mh in WinDbg.",
        )],
        fix: &[
            "Capture again: with the stream this becomes handle-slot-empty or one of the slot-holds findings.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::SlotHoldsSectionEvent),
        title: "The slot holds an event of ntdll's kind",
        means: "An unnamed event with access 0x100003, which is what ntdll asks for, is open under the value now. It cannot have been there at the throw when the code is 0xC0000008: that code says that the slot was empty at that instant.",
        arises: &[
            "The slot was filled again between the exception and the dump, by the event of another section or of this one.",
            "The dump is not of the moment of the exception.",
        ],
        confirm: &[
            run("!handle HANDLE f", "Type Event, no name, GrantedAccess 0x100003."),
            run("!locks -v", "Which other section holds the same value in LockSemaphore."),
        ],
        fix: &[
            "Write the dump first-chance (procdump -e 1 -f C0000008), before other threads go on.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::SlotHoldsForeignEvent),
        title: "The slot holds somebody else's event",
        means: "An event is open under the value, but ntdll did not create it for a section: it has a name, or another access than 0x100003; CreateEvent gives 0x1F0003. The value has been handed out again.",
        arises: &[
            "The section's event was closed, and the next CreateEvent of the program got its value.",
            "A stray write that names a live handle by chance; rare.",
        ],
        confirm: &[
            run("!handle HANDLE f", "Name and access: they tell whose event it is."),
            run(
                "!htrace HANDLE",
                "With handle tracing: the close of the section's event, and the open that followed.",
            ),
        ],
        fix: &[
            "Find the close that was one too many; see handle-closed.",
            "Until then that event is signalled by lock traffic: threads that wait for it wake without reason, and waiters of the section may sleep for ever.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::SlotHoldsOtherObject),
        title: "The slot holds an object that is no event",
        means: "A file, key, thread or the like is open under the value. With 0xC0000024 it was there when the call failed; with 0xC0000008 the slot was still empty then and was filled before the dump was written.",
        arises: &[
            "The section's event was closed, and its value was handed out again.",
            "A stray small number that names a live handle by chance.",
        ],
        confirm: &[
            run(
                "!handle HANDLE f",
                "Type and name of the object: its owner is a suspect for the stray close.",
            ),
            run("!htrace HANDLE", "With handle tracing: the stacks of the last close and open."),
        ],
        fix: &[
            "Look at the code that owns the object: often it closed its previous handle twice. See handle-closed.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::SlotHoldsWritersFile),
        title: "The slot holds a file, perhaps the dump writer's own",
        means: "The exception says that the slot was empty, and a writer inside the process opens the .dmp afterwards, which takes a free slot. So the file says nothing about who had the value before.",
        arises: &[
            "MiniDumpWriteDump called by the crashing process itself.",
            "Any file opened between the exception and the dump.",
        ],
        confirm: &[run(
            "!handle HANDLE f",
            "The name: the .dmp itself, or a log of the crash handler.",
        )],
        fix: &[
            "Let another process write the dump (procdump, WER): then the handle table is as it was.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::OneBitFromOpenEvent),
        title: "One bit away from an open event that no section claims",
        means: "Flip one bit of LockSemaphore and it names an open event of ntdll's kind that belongs to no section found. That event is in all likelihood this section's own: it was not closed, the field was changed.",
        arises: &[
            "A flag set or cleared through a stale pointer: an or or and on somebody else's word.",
            "A bit flipped in memory by the hardware.",
        ],
        confirm: &[
            run(
                "!handle 0 f Event",
                "The open events with their access; look for the neighbour value.",
            ),
            run("ba w4 SECTION+18", "Stops at the write (x64; +10 on x86)."),
        ],
        fix: &[
            "Crashes of the same kind on many machines: software, look for the flag. On one machine only, in many places: test its memory.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::UnclaimedEvent),
        title: "An open event of ntdll's kind belongs to no section",
        means: "An unnamed event with access 0x100003 is open, and no section, on the list or in memory, holds it. Said only of dumps that hold all memory. It is likely this section's own event, which would then not have been closed.",
        arises: &[
            "LockSemaphore was overwritten and the real event stayed open.",
            "A section was re-initialised or released without Delete and leaked its event.",
            "Other code asked for an event with the same access.",
        ],
        confirm: &[
            run("!handle 0 f Event", "The events with access 0x100003."),
            run("!locks -v", "The LockSemaphore of every section that has a debug record."),
        ],
        fix: &["See corrupted: search for what wrote to LockSemaphore."],
    },
    Explanation {
        subject: Finding(FindingId::NoUnclaimedEvent),
        title: "No open event of ntdll's kind is left for this section",
        means: "The handle stream is complete, and no unnamed event with access 0x100003 is in it, or each is held by another section. This section's event is open nowhere: had LockSemaphore only been overwritten, it would still be.",
        arises: &[
            "The event was closed.",
            "There never was one: the section was not waited for, or not initialised.",
            "The event lives in another process.",
        ],
        confirm: &[
            run("!handle 0 f Event", "The events with access 0x100003."),
            run("!locks -v", "Which section holds which."),
        ],
        fix: &[
            "See handle-closed; if the other fields are damaged too, see corrupted and never-initialized.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::WaitersUseOtherHandle),
        title: "The waiters wait for another handle",
        means: "A thread parked at this section waits, by its registers or stack, for an open event that no section claims, and not for what LockSemaphore says now. It read LockSemaphore when it went to sleep, so that the field was changed afterwards.",
        arises: &["LockSemaphore was overwritten while threads waited."],
        confirm: &[
            run(
                "~*kv",
                "The first argument of NtWaitForSingleObject in the waiting threads (dependable on x86 only).",
            ),
            run(
                "!handle 0 f Event",
                "The event that they wait for, open and with access 0x100003.",
            ),
        ],
        fix: &["Nobody closed that handle. Search for the writer: see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::WaitersUseThisHandle),
        title: "The waiters wait for this very handle",
        means: "A thread parked at this section waits, by its registers or stack, for the value that LockSemaphore holds. It was a valid event when the thread went to sleep; a wait holds a reference to the object, so that the thread stays asleep after the close.",
        arises: &["The handle was closed while threads waited: the textbook case."],
        confirm: &[
            run(
                "~*kv",
                "The first argument of NtWaitForSingleObject in the waiting threads (dependable on x86 only).",
            ),
            run("!htrace HANDLE", "With handle tracing: who closed it."),
        ],
        fix: &["Find the close that was one too many; see handle-closed."],
    },
    Explanation {
        subject: Finding(FindingId::OtherSectionsLostHandles),
        title: "Other sections have lost their events too",
        means: "Further sections on the process's list hold plausible handles whose slots are empty. One bug that closes strangers' handles hits several; a stray write hits one.",
        arises: &[
            "A double close that runs often.",
            "A loop that closes ranges of handles, for instance before starting a child process.",
        ],
        confirm: &[
            run("!locks -v", "The LockSemaphore of each section with a debug record."),
            run("!htrace 0", "With handle tracing: the recent closes; one stack will stand out."),
        ],
        fix: &[
            "Search for code that closes in bulk, or that closes on every pass of a loop; see handle-closed.",
        ],
    },
];
