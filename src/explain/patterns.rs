//! Findings about fill patterns, and about neighbours that run into the section.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::NeighbourRunsInFromBefore),
        title: "The memory before runs into the section",
        means: "The 8 bytes before the section and its DebugInfo are text both, or one repeated value both: the write began in the object before and did not stop at its end.",
        arises: &[
            "A string or buffer before the section that is too small for what is copied into it.",
            "A loop with one element too many.",
        ],
        confirm: &[
            run("db SECTION-80 L100", "Where the text begins: that is the buffer."),
            run(
                "!heap -x SECTION",
                "Whether both lie in one heap block: then page heap cannot see the overrun, and ba w4 SECTION must.",
            ),
        ],
        fix: &["Bound the copy into the buffer that the text starts in."],
    },
    Explanation {
        subject: Finding(FindingId::NeighbourRunsInFromBehind),
        title: "The memory behind runs into the section",
        means: "The 8 bytes behind the section and its SpinCount are text both, or one repeated value both: the write came from the object behind, towards lower addresses.",
        arises: &[
            "A negative index or offset into the object behind.",
            "A copy that starts too early, or a header that is written in front of a buffer.",
        ],
        confirm: &[
            run(
                "db SECTION L100",
                "How far the text goes: where it ends is the object that was meant.",
            ),
            run(
                "gflags /p /enable PROGRAM /full /backwards",
                "At a command prompt: page heap that faults at writes before a heap block.",
            ),
        ],
        fix: &["Check the offsets in the code that writes the object behind."],
    },
    Explanation {
        subject: Finding(FindingId::AllocationPattern),
        title: "A fill pattern of fresh memory",
        means: "At least two of DebugInfo, LockSemaphore and SpinCount hold the pattern with which an allocator fills memory that it hands out: BAADF00D from a heap under a debugger, C0 and E0 from page heap, CD where the debug CRT of Visual C++ is loaded, CC on the stack with run-time checks, AB from PartitionAlloc and tcmalloc, BE from AddressSanitizer. Nobody has initialised the section since.",
        arises: &[
            "InitializeCriticalSection was not called, or its object's constructor did not run.",
            "A pointer into a fresh buffer.",
            "AB only: the guard behind a block of the Windows heap under a debugger, which ran over or was taken for the object.",
        ],
        confirm: &[
            run(
                "dps SECTION L6",
                "The pattern, and how far it goes: a section only, or the whole object.",
            ),
            run(
                "!heap -p -a SECTION",
                "Under page heap: who allocated the block, and when in the program.",
            ),
            look("Application Verifier, Locks: stop 0x210 at the first use."),
        ],
        fix: &[
            "See never-initialized: let the constructor initialise, and let nothing make the object without it.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::FreePattern),
        title: "A fill pattern of freed memory",
        means: "At least two fields hold the pattern with which an allocator fills memory that it takes back: FEEEFEEE from a heap under a debugger, F0 from page heap, DD where the debug CRT of Visual C++ is loaded, EF in PartitionAlloc's quarantine, E5 in Firefox's allocator. The section's memory is gone.",
        arises: &["The object was freed while somebody held, or waited for, the lock in it."],
        confirm: &[
            run("!heap -p -a SECTION", "Under page heap: the stack that freed the block."),
            run("~*k", "Other threads in the same object."),
            look(
                "Application Verifier, Locks and Heaps: stop 0x202 at the free of a block that holds a section which was not deleted.",
            ),
        ],
        fix: &["See memory-released: keep the object until its last user is done."],
    },
    Explanation {
        subject: Finding(FindingId::AmbiguousPattern),
        title: "A fill pattern that can mean both",
        means: "The same byte means opposite things to different allocators: CD is fresh with Visual C++'s debug CRT and freed with PartitionAlloc and tcmalloc; DD is freed with Visual C++'s, and CPython uses both bytes; DEADBEEF stands for either in many programs. The modules in the dump do not settle whose it is.",
        arises: &[
            "Memory that was never initialised.",
            "Memory that was freed.",
            "A guard area that ran over, or was taken for the object.",
        ],
        confirm: &[
            run(
                "lm",
                "Which allocators are loaded: ucrtbased.dll for Visual C++'s debug CRT, chrome or electron for PartitionAlloc, mozglue for Firefox's.",
            ),
            run(
                "!heap -x SECTION",
                "Whether the Windows heap knows the block, and whether it is free.",
            ),
        ],
        fix: &[
            "Find out which allocator owns the address; then see never-initialized or memory-released.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::FillFillsPlace),
        title: "The pattern covers its place from end to end",
        means: "The fill pattern begins and ends with the heap block that holds the section's address, or is as long as the step of the row of sections in which it lies.",
        arises: &[
            "An allocator, or a pool of the program, filled the place when it was given back.",
            "It was filled when it was given out, and nothing of the object was initialised.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, its start and its size."),
            run("db SECTION L80", "Where the pattern ends."),
        ],
        fix: &["See memory-released and never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::FillInsideBlock),
        title: "The pattern covers a part of the heap block",
        means: "The block that holds the section's address has other data in front of the fill pattern and behind it. What gives a block out or back fills all of it.",
        arises: &[
            "A buffer of the object in front of the section was filled, and too much of it.",
            "Some fields of the object were set after the block was filled, and the section was not initialised.",
        ],
        confirm: &[
            run("!heap -x SECTION", "The block, its start and its size."),
            run("db SECTION L80", "What stands before and behind the pattern."),
        ],
        fix: &["See corrupted and never-initialized."],
    },
];
