//! Findings about the environment: which Windows, how the exception was raised, what the process was doing.

use super::Subject::Finding;
use super::{Explanation, look, run};
use crate::findings::FindingId;

pub(super) const ALL: &[Explanation] = &[
    Explanation {
        subject: Finding(FindingId::EventsImpossible),
        title: "This Windows stores no event handle in a section",
        means: "Windows 10 and later create an event for a section only when bit 0x400000 of PEB.AppCompatFlags is set; otherwise LockSemaphore is 0 or -1 and waiters wait on the address of LockCount. The bit is clear here, and LockSemaphore is neither: ntdll did not write it. So nobody can have closed the section's event.",
        arises: &[
            "LockSemaphore was overwritten, or never initialised.",
            "The bytes come from another process, or from another object.",
        ],
        confirm: &[
            run(
                "dt ntdll!_PEB @$peb AppCompatFlags",
                "Bit 0x400000, the shim AllocDebugInfoForCritSections.",
            ),
            run("!cs SECTION", "LockSemaphore."),
        ],
        fix: &["Do not search for a stray CloseHandle; see corrupted and never-initialized."],
    },
    Explanation {
        subject: Finding(FindingId::EventsUnlikely),
        title: "This Windows seldom stores an event handle in a section",
        means: "As events-impossible, but PEB.AppCompatFlags is not in the dump, so that the rare compatibility setting cannot be excluded.",
        arises: &["A dump without the PEB: the smallest kinds."],
        confirm: &[
            run("dt ntdll!_PEB @$peb AppCompatFlags", "In a better dump: bit 0x400000."),
            look(
                "Capture with MiniDumpWithProcessThreadData (0x100): any procdump or WER dump but the smallest.",
            ),
        ],
        fix: &[
            "Capture again; until then corrupted and never-initialized are likelier than handle-closed.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::RunsUnderWine),
        title: "The process ran under Wine",
        means: "Wine's sections count LockCount up from -1, as Windows XP did, and wait on events, whatever version it reports. csdump reads them so. It carries no weight.",
        arises: &["A program run under Wine or Proton."],
        confirm: &[
            run("lm", "winex11.drv, ntdll.so or winevulkan.dll."),
            run("x ntdll!wine_get_version", "An export that only Wine's ntdll has."),
        ],
        fix: &[
            "Check on Windows whether the bug is there too: a wrong lock is wrong on both, but shows in other ways.",
        ],
    },
    Explanation {
        subject: Finding(FindingId::RaisedByKernel),
        title: "The kernel raised the exception itself",
        means: "The exception comes from KiRaiseUserExceptionDispatcher: handle checks are strict in this process, and the system call itself raises at a bad handle. Without them ntdll sees the status and raises. It carries no weight, and it is good news: the trace that came with the checks may name the closer.",
        arises: &[
            "Application Verifier with Handles, or handle tracing.",
            "GFlags bhd (0x40000000) or ece (0x400000), set for the whole system.",
            "The process mitigation StrictHandleChecks (Windows 8 and later).",
        ],
        confirm: &[
            run("!gflag", "The global flags of the process."),
            run("!avrf", "Which checks of Application Verifier are on, and its current stop."),
            run("!htrace HANDLE", "The recorded history of the value."),
        ],
        fix: &[
            "Read the history before the dump is set aside; capture with MiniDumpWithHandleData so that it is kept (stream 18).",
        ],
    },
    Explanation {
        subject: Finding(FindingId::ProcessExiting),
        title: "The process is running its exit handlers",
        means: "The faulting thread is inside exit, ExitProcess or LdrShutdownProcess. Static objects are being destroyed, in the reverse order of their making and module by module; inside LdrShutdownProcess the other threads are already dead, wherever they were.",
        arises: &[
            "A static destructor, or DLL_PROCESS_DETACH, that uses a lock which another static destructor has deleted.",
            "A thread that was killed inside the lock, or that waited for it and is still counted.",
        ],
        confirm: &[
            run("k", "Whose destructor or detach routine it is."),
            run("~", "Which threads are left."),
            look("Application Verifier, Locks: stop 0x210 at a use after the deletion."),
        ],
        fix: &[
            "Do nothing with locks at process exit: let such objects live for ever, or stop everything in an orderly way before main returns. See deleted.",
        ],
    },
];
