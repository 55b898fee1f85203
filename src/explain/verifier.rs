//! Findings of Application Verifier's stops (critical-sections.md 7), of fast fails and of in-page errors.

use super::Subject::Finding;
use super::{Explanation, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::VerifierStop),
        title: "Application Verifier stopped the process",
        means: "The process ran under Application Verifier, which broke into it with a stop code. The source says how well the code is known: read from the exception or from stack arguments, inferred from words that prove each other, or guessed from words that nothing confirms. It carries no weight; what the stop says is a finding of its own.",
        arises: &[
            "A mistake that one of the enabled layers looks for: Locks, Handles, Heaps and others.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("k", "The frames of vrfcore or verifier, and what called them."),
        ],
        fix: &[
            "Read the stop code in the table of Application Verifier: stops 0x200 to 0x215 are about sections.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysNotInitialized),
        title: "Application Verifier knows no section there",
        means: "Stop 0x210: a lock function was given an address at which no initialised section is known. One stop stands for a section that was never initialised and for one that was deleted, so that the two are named together.",
        arises: &[
            "InitializeCriticalSection has not run yet, or its failure was ignored.",
            "DeleteCriticalSection ran before.",
            "The address is that of a copy, or no section at all.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
            run("!avrf -cs -a SECTION", "With symbols: the log of deleted sections."),
        ],
        fix: &["Order initialisation and deletion around every use."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysFreed),
        title: "Memory of a live section is being released",
        means: "Stops 0x202, 0x204, 0x212 and 0x213: memory is freed or unmapped while it holds a section that was initialised and not deleted. The thread that releases it is the one that stopped.",
        arises: &[
            "An object is destroyed without deleting its lock.",
            "An object is destroyed while other code still uses it.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("k", "Who releases the memory."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
        ],
        fix: &["Delete the section before its memory goes; join its users first."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysUnloaded),
        title: "A module with a live section is being unloaded",
        means: "Stop 0x201: FreeLibrary unloads a module whose static data hold a section that was initialised and not deleted.",
        arises: &[
            "DllMain does not delete what it initialised.",
            "The module is unloaded while its threads still run.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("k", "Who unloads it."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
        ],
        fix: &[
            "Delete the section on DLL_PROCESS_DETACH of an explicit unload, after the last use.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysInitializedTwice),
        title: "An initialised section is initialised again",
        means: "Stops 0x203 and 0x211: initialisation met a section that is already on the list. None of the ranked causes says that; the section is reset while it may be in use.",
        arises: &[
            "Two threads run the same one-time initialisation.",
            "The memory held a section before that nobody deleted.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
            run("k", "The second initialisation."),
        ],
        fix: &["Initialise once (INIT_ONCE), and delete before the memory is used again."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysWrongRecord),
        title: "DebugInfo is not the record of the list",
        means: "Stop 0x205: the list of sections has a record for this address, and DebugInfo names another one. Initialisation wrote the true one: it was overwritten since.",
        arises: &[
            "An overrun of the object before the section.",
            "The bytes of another section were copied over it.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
            run("ba w4 SECTION", "In a new run: who writes over DebugInfo."),
        ],
        fix: &["Find the writer; see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysWrongField),
        title: "A field holds what no lock function leaves",
        means: "Stops 0x206 to 0x208 with an owner that is no thread, or a count far beyond any use.",
        arises: &[
            "The section was overwritten.",
            "Its memory was released without Delete and is another object now.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
            run("db SECTION-40 L80", "What lies around it: text or a pattern that runs in."),
        ],
        fix: &["Find the writer; see corrupted."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysWrongCount),
        title: "A count is not the expected one",
        means: "Stops 0x207 and 0x208 with a small count: one too many or too few. It fits a Leave too many as well as a small number written over the count.",
        arises: &["A Leave without its Enter.", "Zeroed memory that is used as a section."],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
        ],
        fix: &["Pair Enter and Leave; a guard object does it by itself."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysOtherOwner),
        title: "Another thread owns the section",
        means: "Stop 0x206: OwningThread is a thread of the process, or 0, and not the one that leaves.",
        arises: &["A thread leaves what another one entered."],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("~*k", "What each thread does, the owner among them."),
        ],
        fix: &["Leave on the thread that entered; hand work over, not locks."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysInUse),
        title: "The section is deleted while a thread owns it",
        means: "Stop 0x208: DeleteCriticalSection met a LockCount that is not that of a free section, with a live thread as owner. The owner will leave a deleted section.",
        arises: &[
            "An object is destroyed while another thread is inside its lock.",
            "A thread deletes a lock that it holds itself.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("!cs -o SECTION", "The owner and its stack."),
        ],
        fix: &["Wait for the users of the object before it is destroyed."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysOverReleased),
        title: "The section is left more often than entered",
        means: "Stops 0x209 and 0x214: Application Verifier counts the Enters and Leaves of each thread, and this Leave has no Enter of its own.",
        arises: &[
            "A Leave on an error path that the normal path repeats.",
            "A Leave on another thread than the Enter.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("k", "The Leave that is too many."),
        ],
        fix: &["Pair Enter and Leave; a guard object does it by itself."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysThreadEnds),
        title: "A thread ends while it owns the section",
        means: "Stop 0x200: the section stays locked for ever, and every later Enter waits. None of the ranked causes says that.",
        arises: &[
            "An early return from the thread function, or ExitThread, inside a lock.",
            "TerminateThread.",
        ],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("!cs -s SECTION", "The section, and the stack that initialised it."),
        ],
        fix: &["Leave before the thread ends; never use TerminateThread."],
    },
    Explanation {
        subject: Finding(FindingId::VerifierSaysPrivate),
        title: "The section belongs to another module",
        means: "Stop 0x215: code uses a section that another module keeps for itself. None of the ranked causes says that.",
        arises: &["A pointer taken from a structure of the system."],
        confirm: &[
            run("!avrf", "The current stop and its parameters."),
            run("ln SECTION", "Whose it is."),
        ],
        fix: &["Use a section of your own."],
    },
    Explanation {
        subject: Finding(FindingId::SectionZeroAtStop),
        title: "Every byte is zero at the stop",
        means: "As section-all-zero, but no Leave had got as far as to signal: zeros are what Delete leaves and what storage holds before initialisation, and nothing tells one from the other.",
        arises: &["Static storage that was never initialised.", "A section that was deleted."],
        confirm: &[
            run("dp SECTION L6", "The bytes."),
            run("!avrf", "The current stop and its parameters."),
        ],
        fix: &["Look for both: a missing initialisation, and an early Delete."],
    },
    Explanation {
        subject: Finding(FindingId::ListLinksDisagree),
        title: "The list of debug records is damaged",
        means: "Fast fail 3: the links of two neighbours on the list of sections do not agree, and ntdll refused to change it. The damaged record may be a neighbour of this one, so that this section can be sound.",
        arises: &[
            "A debug record in the heap was overwritten.",
            "Two copies of one section were both deleted.",
        ],
        confirm: &[
            run(
                "dp RECORD L6",
                "ProcessLocksList: does Flink lead to an entry whose Blink leads back?",
            ),
            run("!cs -l", "Where a walk of the list ends."),
        ],
        fix: &["Find the writer: page heap shows overruns of heap blocks."],
    },
    Explanation {
        subject: Finding(FindingId::PageNotReadIn),
        title: "The page could not be read in",
        means: "STATUS_IN_PAGE_ERROR: the memory is there, but its page could not be read from the file behind it. It says nothing of the section.",
        arises: &[
            "A program or a mapped file on a network share or a removed drive.",
            "A failing disk.",
        ],
        confirm: &[
            run("!address SECTION", "The file behind the memory."),
            run(".exr -1", "The third parameter is the status of the read."),
        ],
        fix: &["Run from a local disk; check the disk and the connection."],
    },
];
