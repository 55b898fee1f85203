"""The sets (operating systems) and the crash programs with their true causes."""

XP = dict(major=5, minor=1, build=2600, service_pack=3, revision=5512, cpus=2)
SEVEN = dict(major=6, minor=1, build=7601, service_pack=1, revision=17514, cpus=2)
TEN = dict(major=10, minor=0, build=19045, service_pack=0, revision=3803, cpus=2)
SETS = {
    "x86-old": dict(arch="x86", algorithm="old", os=XP),
    "x86-new": dict(arch="x86", algorithm="new", os=SEVEN),
    "x64-new": dict(arch="x64", algorithm="new", os=SEVEN),
    "x64-woa": dict(arch="x64", algorithm="woa", os=TEN),
    # Windows 7 under !htrace -enable: the dumps have stream 18
    "x86-trace": dict(arch="x86", algorithm="new", os=SEVEN, trace=True),
    "x64-trace": dict(arch="x64", algorithm="new", os=SEVEN, trace=True),
    # Windows 10 with the shim that makes critical sections use events
    "x64-woa-events": dict(arch="x64", algorithm="woa", os=dict(TEN, compat=0x400000)),
}
ALL = ["x64-new", "x86-new", "x86-old"]
NEW = ["x64-new", "x86-new"]
WOA = ["x64-woa"]
INVALID, WRONG_TYPE, ACCESS, NOT_OWNED, NESTED = 0xC0000008, 0xC0000024, 0xC0000005, 0xC0000264, 0xC0000025


def leave(mechanism, cause, sets=None, **more):
    return dict(dict(sets=sets or ALL, operation="leave", mechanism=mechanism, cause=cause, code=INVALID, state="signal"), **more)


def enter(mechanism, cause, sets=None, **more):
    return dict(dict(sets=sets or ALL, operation="enter", mechanism=mechanism, cause=cause, code=ACCESS), **more)


def other(sets=None, **more):
    return dict(dict(sets=sets or ALL, mechanism="unknown", cause="none"), **more)


# flags: compiler options; in_set: fields that differ in one set; state: which invariant check.py asserts of the section;
# twin: the cause that the bytes cannot tell from the true one.
# absent: the handle is in no slot of the handle stream; slot_type: what the slot holds.
PROGRAMS = {
    "closed": leave("handle-slot-empty", "handle-closed", ALL + ["x64-woa-events"], absent=True, always_handles=True),
    "closed-tail": leave("handle-slot-empty", "handle-closed", absent=True, always_handles=True, note="Leave is reached by a tail call"),
    "closed-indirect": leave("handle-slot-empty", "handle-closed", absent=True, always_handles=True, flags=["-O0"],
                             naming={"full": "ntdll-exports", "wer": "none"}, note="the program does not import Leave: it calls through a pointer from GetProcAddress; section on main's stack"),
    "recycled": leave("handle-wrong-type", "handle-closed", ALL + ["x64-woa-events"], code=WRONG_TYPE, slot_type="File", direct_import=True),
    "recycled-noaccess": leave("handle-access-denied", "handle-closed", NEW, source="recycled", defines=["-DNO_ACCESS"], code=0xC0000022, slot_type="Event", direct_import=True),
    "corrupted-stray": leave("handle-implausible", "corrupted", ALL + WOA, flags=["-O0"], absent=True),
    "corrupted-underrun": leave("handle-implausible", "corrupted", ALL + WOA, absent=True),
    "corrupted-bitflip": leave("handle-slot-empty", "corrupted", ALL + WOA, absent=True, direct_import=True, always_handles=True,
                               in_set={"x64-woa": dict(mechanism="handle-implausible", note="LockSemaphore was -1 (no event): with one bit flipped it is a negative number")}),
    "overwritten-before-enter": leave("handle-implausible", "corrupted", ALL + WOA, twin="never-initialized", in_set={
        "x86-old": dict(operation="enter", state=None, other_thread=True, twin=None, note="the old algorithm cannot enter such bytes: LockSemaphore alone was overwritten, the waiter raises in Enter")}),
    "never-initialized": leave("handle-implausible", "never-initialized", ALL + WOA, in_set={
        "x86-old": dict(operation="enter", mechanism="debug-info-invalid", code=ACCESS, state=None, handle_unknown=True,
                        note="with the old algorithm the pattern fails in Enter, on the debug record")}),
    "never-initialized-reused": leave("handle-implausible", "never-initialized", NEW + WOA, absent=True, twin="corrupted",
                                      note="old text in a reused heap block: the bytes cannot tell this from corrupted"),
    "deleted-race": leave("section-zeroed", "deleted", state="zero", handle_unknown=True),
    "copied": leave("handle-slot-empty", "copied", absent=True, always_handles=True),
    "memory-released": leave("section-unreadable", "memory-released", ALL + WOA, code=ACCESS, state="gone"),
    "memory-released-enter": enter("section-unreadable", "memory-released", source="memory-released", defines=["-DENTER"], flags=["-O1"], state="gone"),
    "unloaded-dll": leave("section-unreadable", "memory-released", code=ACCESS, state="gone", plugin="plugin.c", unloaded="plugin.dll"),
    "null-pointer": leave("pointer-invalid", "bad-pointer", ALL + WOA, code=ACCESS, state="null", note="the argument is NULL"),
    "nested": leave("handle-slot-empty", "handle-closed", code=NESTED, absent=True,
                    note="the outer exception is 0xC0000025, the 0xC0000008 record is chained to it"),
    "enter-zeroed": enter("section-zeroed", "never-initialized", ALL + WOA, twin="deleted",
                          note="the bytes cannot tell a section that was never initialised from a deleted one"),
    "enter-deleted": enter("section-zeroed", "deleted", ALL + WOA, twin="never-initialized", source="enter-zeroed", defines=["-DDELETED"], flags=["-O0"],
                           note="the bytes cannot tell a deleted section from one that was never initialised"),
    "enter-closed": enter("handle-slot-empty", "handle-closed", code=INVALID, absent=True, other_thread=True, always_handles=True),
    "not-owner": leave("not-owner", "not-owner", NEW + WOA, code=NOT_OWNED, state="free", other_thread=True),
    "av-elsewhere": other(ALL + WOA, code=ACCESS, note="a stale return address into RtlLeaveCriticalSection lies on the stack"),
    "av-in-ntdll": other(code=ACCESS, source="av-elsewhere", defines=["-DHEAP"], note="fault in RtlFreeHeap; a stale return address into RtlLeaveCriticalSection lies on the stack"),
    "close-strict": other(code=INVALID, os=dict(global_flag=0x400000), note="CloseHandle with FLG_ENABLE_CLOSE_EXCEPTIONS, no lock failure"),
    "registers": leave("handle-slot-empty", "handle-closed", ["x64-new"], absent=True, extra="registers-levels.S", always_handles=True),
}

# ---- held-out variants: written after the analyzer, to see what it answers to crashes nobody tuned it on ---------------


def signal(defines, mechanism="handle-slot-empty", cause="handle-closed", sets=None, flags="-O2", **more):
    more.setdefault("always_handles", True)
    return leave(mechanism, cause, sets or ["x64-new", "x86-new"], source="held-signal", defines=["-D" + d for d in defines.split()],
                 flags=flags.split() + ["-static"], **more)


def fault(defines, mechanism, cause, operation="enter", sets=None, call=None, flags="-O2", **more):
    names = {"leave": "LeaveCriticalSection", "enter": "EnterCriticalSection", "try-enter": "TryEnterCriticalSection", "delete": "DeleteCriticalSection"}
    return dict(dict(sets=sets or ["x64-new", "x86-new"], operation=operation, mechanism=mechanism, cause=cause, source="held-fault", code=ACCESS, handle_unknown=True,
                     defines=["-D" + d for d in defines.split()] + ["-DCALL=" + names[call or operation]], flags=flags.split() + ["-static"]), **more)


def no_lock(defines, code=ACCESS, sets=None, flags="-O2", **more):
    return other(sets or ["x64-new", "x86-new"], source="held-none", code=code, defines=["-D" + d for d in defines.split()], flags=flags.split() + ["-static"],
                 direct_import=True, **more)


X64, X86 = ["x64-new"], ["x86-new"]
PROGRAMS.update({
    # closed by other code
    "h-closed-guard": signal("BY_GUARD WAITERS=3 RECURSE", sets=ALL),
    "h-closed-array": signal("IN_GLOBAL_ARRAY BY_STDCALL SPIN=4000 WAITERS=4", sets=ALL, flags="-O2 -fomit-frame-pointer"),
    "h-closed-thunk": signal("BY_THUNK NO_DEBUG", flags="-O1"),
    "h-closed-packed": signal("IN_PACKED", note="the section lies at an odd multiple of 2 (packed structure), as compilers allow"),
    "h-closed-idle-nodebug": signal("IDLE_OTHERS=4 OTHERS_NO_DEBUG", note="events of idle sections without debug info are open"),
    "h-closed-busy": signal("BUSY_OTHER WAITERS=1", sets=ALL),
    "h-closed-busy-nodebug": signal("BUSY_OTHER OTHERS_NO_DEBUG NO_DEBUG WAITERS=2"),
    "h-closed-busy-events": signal("BUSY_OTHER OTHERS_NO_DEBUG WAITERS=2", sets=["x64-woa-events"]),
    "h-closed-snapshot": signal("COPY_HEALTHY_CLOSED", note="an unused byte copy lies in the heap; the section that crashed is the original"),
    # recycled
    "h-recycled-thread": signal("TAKE_THREAD WAITERS=4", "handle-wrong-type", code=WRONG_TYPE, slot_type="Thread"),
    # corrupted
    "h-bad-small": signal("BUG_SMALL", "handle-slot-empty", "corrupted"),
    "h-bad-small-busy": signal("BUG_SMALL_LOW BUSY_OTHER LAST_SLOT", "handle-slot-empty", "corrupted"),
    "h-bad-small-old": signal("BUG_SMALL", "handle-slot-empty", "corrupted", sets=["x86-old"]),
    "h-bad-other-handle": signal("BUG_OTHER_HANDLE", "handle-wrong-type", "corrupted", code=WRONG_TYPE, sets=ALL),
    "h-bad-pointer": signal("BUG_POINTER IN_GLOBAL_ARRAY", "handle-implausible", "corrupted"),
    "h-bad-flip12": signal("BUG_FLIP=12 NO_DEBUG", "handle-slot-empty", "corrupted"),
    "h-bad-flip48": signal("BUG_FLIP=48", "handle-implausible", "corrupted", sets=X64),
    "h-bad-underrun-5a": signal("BUG_UNDERRUN_5A", "handle-implausible", "corrupted"),
    "h-bad-underrun-value": signal("BUG_UNDERRUN_VALUE", "handle-slot-empty", "corrupted"),
    "h-bad-near-all": signal("BUG_NEAR_ALL", "handle-implausible", "corrupted", twin="never-initialized"),
    "h-bad-small-woa": signal("BUG_SMALL", "handle-slot-empty", "corrupted", sets=WOA),
    # copied
    "h-copied-stack": signal("COPY_STACK WAITERS=1", cause="copied", flags="-O0"),
    "h-copied-static-nodebug": signal("COPY_STATIC NO_DEBUG", cause="copied", twin="handle-closed"),
    "h-copied-reinit": signal("COPY_REINIT IN_GLOBAL_ARRAY", cause="copied"),
    "h-copied-idle-enter": fault("COPIED_IDLE", "handle-slot-empty", "copied", code=INVALID, other_thread=True, handle_unknown=False, absent=True),
    # never initialised
    "h-raw-ef": fault("FILL_WITH=0xEFEFEFEF ENTER_FIRST", "handle-implausible", "never-initialized", "leave", code=INVALID, handle_unknown=False, twin="memory-released"),
    "h-raw-deadbeef": fault("FILL_WITH=0xDEADBEEF ENTER_FIRST", "handle-implausible", "never-initialized", "leave", code=INVALID, handle_unknown=False, twin="corrupted"),
    "h-raw-cc": fault("FILL_WITH=0xCCCCCCCC", "debug-info-invalid", "never-initialized", flags="-O0"),
    "h-raw-fe": fault("FILL_WITH=0xFEEEFEEE", "debug-info-invalid", "memory-released", twin="never-initialized"),
    # deleted
    "h-deleted-exit": fault("STATIC_EXIT", "section-zeroed", "deleted", twin="never-initialized", other_thread=True),
    # memory released
    "h-gone-bigheap-try": fault("BIG_HEAP", "section-unreadable", "memory-released", "try-enter", state="gone"),
    "h-gone-dll-enter": fault("DLL_GONE", "section-unreadable", "memory-released", state="gone", plugin="plugin.c", unloaded="plugin.dll", sets=ALL),
    "h-dead-frame": fault("DEAD_FRAME", "handle-implausible", "memory-released", "leave", code=INVALID, handle_unknown=False),
    "h-hit-debug": fault("DEBUG_INFO_HIT", "debug-info-invalid", "corrupted", other_thread=True, sets=ALL + WOA),
    # bad pointer
    "h-null-enter": fault("H_POINTER=0", "pointer-invalid", "bad-pointer", state="null", sets=ALL + WOA),
    "h-null-delete": fault("H_POINTER=0", "pointer-invalid", "bad-pointer", "delete", state="null"),
    "h-null-member-leave": fault("MEMBER_OF_NULL", "pointer-invalid", "bad-pointer", "leave", state="gone", sets=ALL),
    "h-ptr-cd": fault("H_POINTER=0xCDCDCDCDCDCDCDCDull", "pointer-invalid", "bad-pointer", "leave", state="gone"),
    "h-ptr-fe-enter": fault("H_POINTER=0xFEEEFEEEFEEEFEEEull", "pointer-invalid", "bad-pointer", state="gone"),
    "h-ptr-minus1": fault("H_POINTER=-1", "pointer-invalid", "bad-pointer", "leave", state="gone"),
    "h-ptr-code-enter": fault("CODE_ADDRESS", "pointer-invalid", "bad-pointer"),
    # no lock failure
    "h-none-shallow": no_lock("AV_SHALLOW", flags="-O1"),
    "h-none-guard": no_lock("AV_GUARD", flags="-O0"),
    "h-none-raise-status": no_lock("RAISE_STATUS", code=INVALID),
    "h-none-raise-exception": no_lock("RAISE_EXCEPTION", code=INVALID),
    "h-none-close-busy": no_lock("CLOSE_BUSY", code=INVALID, os=dict(global_flag=0x400000)),
    "h-none-close-event": no_lock("CLOSE_OF_EVENT", code=INVALID, os=dict(global_flag=0x400000), note="the second CloseHandle raises; a section is broken by the first one, but has not failed yet"),
    "h-none-call-null": no_lock("CALL_NULL", sets=ALL + WOA),
    "h-none-heap": no_lock("AV_IN_HEAP_WITH_ARG", sets=ALL),
})


def race(defines, mechanism, cause="deleted", **more):
    return leave(mechanism, cause, ["x64-new", "x86-new"], source="held-race", defines=["-D" + d for d in defines.split()], handle_unknown=True, **dict(more, state=more.get("state")))


def more(defines, *rest, **fields):
    fields.setdefault("always_handles", True)
    kind = enter if fields.pop("kind", "leave") == "enter" else leave
    return kind(*rest, ["x64-new", "x86-new"], source="held-more", defines=["-D" + d for d in defines.split()], **fields)


PROGRAMS.update({
    "h-race-reused": race("REUSED", "handle-slot-empty", note="the section's bytes are another object's text now", twin="memory-released"),
    "h-race-page": race("PAGE_GONE", "handle-slot-empty", state="gone", twin="memory-released"),
    "h-race-anew": race("MADE_ANEW", "handle-slot-empty", note="deleted and initialised again while a Leave was under way"),
    "h-cross-process": more("CROSS_PROCESS", "handle-slot-empty", "cross-process", twin="handle-closed"),
    "h-hit-lock-count": more("LOCK_COUNT_HIT", "not-owner", "corrupted", code=NOT_OWNED, state="free", handle_unknown=True),
    "h-wait-text": more("WAITER_TEXT", "handle-implausible", "corrupted", kind="enter", code=INVALID, other_thread=True),
    "h-wait-small": more("WAITER_SMALL", "handle-slot-empty", "corrupted", kind="enter", code=INVALID, other_thread=True),
})
PROGRAMS.update({
    "h-barge-small": signal("BARGE BUG_SMALL WAITERS=2", "handle-slot-empty", "corrupted", sets=ALL[:2], state=None),
})
PROGRAMS.update({
    "h-swallowed": signal("SWALLOWED=0x5F1", note="another section had failed before, corrupted, and its exception was swallowed: it passes the gate too"),
    "h-swallowed-corrupted": signal("SWALLOWED=0x940 BUG_TEXT BY_STDCALL", "handle-implausible", "corrupted", note="as h-swallowed; both are corrupted"),
})

TRACED = ["x64-trace", "x86-trace"]


def traced(defines, mechanism="handle-slot-empty", cause="handle-closed", sets=None, **more):
    return leave(mechanism, cause, sets or TRACED, **dict(dict(source="traced", defines=["-D" + d for d in defines.split()], kinds=("code",)), **more))


# The handle's history is in stream 18. closer: the module of the CloseHandle that did it.
PROGRAMS.update({
    "t-closed": traced("CLOSED BUSY", absent=True, kinds=("code", "wer")),
    "t-closed-plugin": traced("CLOSED PLUGIN", absent=True, plugin="traced-plugin.c", kinds=("code", "wer")),
    "t-recycled": traced("RECYCLED", "handle-wrong-type", code=WRONG_TYPE, slot_type="File"),
    "t-wild": traced("WILD", cause="corrupted", absent=True),
    "t-stale": traced("STALE", cause="corrupted", absent=True, note="LockSemaphore holds the value of a handle that its owner opened and closed: its CLOSE is no evidence against anybody"),
    "t-deleted": traced("", "section-zeroed", "deleted", source="deleted-race", state="zero", kinds=("code", "wer"), note="the bad reference in the trace gives the handle that the zeroed section no longer holds"),
    "t-copied": traced("", cause="copied", source="copied", absent=True, sets=X64),
    "t-enter-closed": dict(enter("handle-slot-empty", "handle-closed", X86, code=INVALID, absent=True, other_thread=True), source="enter-closed", kinds=("code",)),
})
for traced_name in ("t-copied", "t-enter-closed"):
    PROGRAMS[traced_name]["sets"] = [s.replace("-new", "-trace") for s in PROGRAMS[traced_name]["sets"]]

# What is kept of them: one set each where a second says nothing new.
HELD_SETS = {
    "x64-new": """
        h-swallowed h-swallowed-corrupted
        h-race-page h-cross-process h-closed-packed h-closed-idle-nodebug h-closed-snapshot h-recycled-thread h-bad-pointer h-bad-flip12
        h-bad-flip48 h-bad-underrun-5a h-copied-stack h-copied-static-nodebug h-raw-ef h-raw-deadbeef h-raw-cc h-deleted-exit h-gone-bigheap-try
        h-gone-dll-enter h-hit-lock-count h-null-member-leave h-ptr-fe-enter h-ptr-code-enter h-none-shallow h-none-guard h-none-raise-exception
        h-wait-text h-wait-small""",
    "x64-new x86-old": """
        h-bad-other-handle""",
    "x64-new x64-woa": """
        h-hit-debug""",
    "x64-new x86-new": """
        h-closed-busy-nodebug h-bad-small h-bad-small-busy h-bad-underrun-value h-copied-reinit h-copied-idle-enter h-raw-fe h-race-reused
        h-race-anew h-dead-frame h-ptr-cd h-ptr-minus1 h-null-delete h-none-raise-status h-none-close-event h-barge-small""",
    "x86-new": """
        h-closed-array h-closed-guard h-bad-near-all h-closed-thunk h-none-close-busy""",
    "x86-old": """
        h-bad-small-old h-closed-busy h-none-heap""",
    "x64-woa": """
        h-bad-small-woa h-null-enter h-none-call-null""",
    "x64-woa-events": """
        h-closed-busy-events""",
}
for held_sets, held_names in HELD_SETS.items():
    for held_name in held_names.split():
        PROGRAMS[held_name]["sets"] = held_sets.split()

# ---- under Application Verifier (look-alikes in verifier/), and other siblings of the same mistakes ---------------------


def stop(define, cause, operation=None, full=(), **more):
    return dict(dict(sets=NEW, operation=operation, mechanism="verifier-stop", cause=cause, code=BREAKPOINT, source="verifier", verifier=True, defines=["-D" + define],
                     handle_unknown=True, always_handles=True, full_in=list(full), os=dict(global_flag=0x100)), **more)


def no_stop(define, **more):
    return dict(stop(define, "none", mechanism="unknown"), **more)


BREAKPOINT, FAST_FAIL = 0x80000003, 0xC0000409
PROGRAMS.update({
    "verifier-not-initialized": stop("NOT_INITIALIZED", "never-initialized", "enter", X64, twin="deleted", note="stop 0x210"),
    "verifier-deleted": stop("DELETED", "deleted", "leave", twin="never-initialized", note="stop 0x210; the bytes are those of verifier-not-initialized"),
    "verifier-freed": stop("FREED", "memory-released", note="stop 0x202: HeapFree of a block that holds a live section"),
    "verifier-vfree": stop("VFREE", "memory-released", sets=X64, note="stop 0x212"),
    "verifier-unmapped": stop("UNMAPPED", "memory-released", sets=X86, note="stop 0x213"),
    "verifier-unloaded": stop("UNLOADED", "memory-released", plugin="plugin.c", note="stop 0x201"),
    "verifier-corrupted": stop("CORRUPTED", "corrupted", "enter", X86, note="stop 0x205: DebugInfo overwritten"),
    "verifier-recursion": stop("RECURSION", "corrupted", "leave", sets=X86, note="stop 0x207: RecursionCount overwritten"),
    "verifier-over-released": stop("OVER_RELEASED", "not-owner", "leave", note="stop 0x209"),
    "verifier-other-thread": stop("OTHER_THREAD", "not-owner", "leave", note="stop 0x214"),
    "verifier-in-use": stop("IN_USE", "deleted", "delete", note="stop 0x208: deleted while entered"),
    "verifier-handle": stop("HANDLE_IN_LEAVE", "handle-closed", "leave", X64, mechanism="handle-slot-empty", inner=INVALID, strict=True, absent=True, handle_unknown=False,
                            state="signal", note="stop 0x300: the exception of the Leave is its second parameter"),
    "verifier-close": no_stop("HANDLE_IN_CLOSE", inner=INVALID, note="stop 0x300 out of CloseHandle"),
    "verifier-null-handle": no_stop("NULL_HANDLE", sets=X86, note="stop 0x303"),
    "verifier-heap": no_stop("HEAP_SUFFIX", note="stop 0xF out of HeapFree, by verifier.dll"),
    "verifier-break": no_stop("BREAKPOINT", note="the program's own breakpoint; Application Verifier is loaded"),
    "leave-strict": leave("handle-slot-empty", "handle-closed", NEW, source="verifier", defines=["-DSTRICT_LEAVE"], strict=True, absent=True, always_handles=True,
                          full_in=X86, note="the kernel raises by itself: KiRaiseUserExceptionDispatcher under NtSetEvent"),
    "fast-fail": dict(sets=["x64-woa-events"], operation="delete", mechanism="debug-info-invalid", cause="corrupted", code=FAST_FAIL, handle_unknown=True,
                      always_handles=True, note="FAST_FAIL_CORRUPT_LIST_ENTRY in DeleteCriticalSection"),
    "heap-lock": leave("handle-slot-empty", "handle-closed", ["x64-woa-events", "x86-new"], absent=True, always_handles=True, full_in=["x64-woa-events"],
                       note="HeapFree leaves the heap's lock with code of its own: no frame of RtlLeaveCriticalSection"),
})

# ---- the unseen half (u-*): written by somebody who knew nothing of the analyzer's code ---------------------------------

from .unseen import KIND_GROUPS, UNSEEN  # noqa: E402

PROGRAMS.update(UNSEEN)

# ---- the tuning batch (v-*) -------------------------------------------------------------------------------------------------

from .tuning import TUNING  # noqa: E402

PROGRAMS.update(TUNING)

# ---- the second and third batches (n-*, m-*): by more authors who knew nothing of the analyzer's code ----------------------------

from .fresh_fault import FAULTS  # noqa: E402
from .fresh_signal import SIGNALS  # noqa: E402
from .fifth import PROGRAMS as FIFTH  # noqa: E402
from .fourth_fault import FAULTS as FOURTH_FAULTS  # noqa: E402
from .fourth_signal import SIGNALS as FOURTH_SIGNALS  # noqa: E402
from .seventh import PROGRAMS as SEVENTH  # noqa: E402
from .eighth import PROGRAMS as EIGHTH  # noqa: E402
from .sixth import PROGRAMS as SIXTH  # noqa: E402
from .tenth import PROGRAMS as TENTH  # noqa: E402
from .eleventh import PROGRAMS as ELEVENTH  # noqa: E402
from .twelfth import PROGRAMS as TWELFTH  # noqa: E402
from .thirteenth import PROGRAMS as THIRTEENTH  # noqa: E402
from .third_fault import FAULTS as THIRD_FAULTS  # noqa: E402
from .third_signal import SIGNALS as THIRD_SIGNALS  # noqa: E402

PROGRAMS.update(SIGNALS)
PROGRAMS.update(FAULTS)
PROGRAMS.update(THIRD_SIGNALS)
PROGRAMS.update(THIRD_FAULTS)
PROGRAMS.update(FOURTH_SIGNALS)
PROGRAMS.update(FOURTH_FAULTS)
PROGRAMS.update(FIFTH)
PROGRAMS.update(SIXTH)
PROGRAMS.update(SEVENTH)
PROGRAMS.update(EIGHTH)
PROGRAMS.update(TENTH)
PROGRAMS.update(ELEVENTH)
PROGRAMS.update(TWELFTH)
PROGRAMS.update(THIRTEENTH)

# Labels that the run contradicts (check.py, check_operation): the dumps are kept for everybody to see, and measure nothing.
WITHDRAWN = {
    "w-aplugin-thread": "the label says that no lock failed; the exception was raised by RtlpUnWaitCriticalSection, under RtlLeaveCriticalSection",
}
for name, reason in WITHDRAWN.items():
    PROGRAMS[name]["withdrawn"] = reason


def split_of(name):
    """n-*, q-*, and every second of m-*, w-c*, w-d* and x-*, by their names, were unseen when first measured; then they were looked at."""
    looked_at = name.startswith(("m-", "w-c", "w-d", "x-")) and sum(map(ord, name)) % 2 == 0
    return "unseen" if name.startswith(("u-", "m-", "k-", "w-", "x-", "y-")) and not looked_at else "seen"


def kinds_of(name, set_name):
    """Seen crashes are kept as all three kinds, unseen ones as two or three of the seven, the tuning batch as its table says."""
    if "kinds" in PROGRAMS[name]:
        big = [k for k in PROGRAMS[name]["kinds"] if k != "wer"] if set_name == PROGRAMS[name]["sets"][0] else []
        return tuple(big or ("wer",))
    if name.startswith(("n-", "m-", "k-", "q-", "w-", "x-", "y-")):
        return fresh_kinds(name, set_name)
    if split_of(name) == "seen":
        return PROGRAMS[name].get("kinds", ("full", "wer", "normal"))
    groups = KIND_GROUPS["old" if set_name == "x86-old" else "new"]
    return groups[sum(map(ord, name + set_name)) % len(groups)]


def fresh_kinds(name, set_name):
    """The second unseen batch is there to measure sureness: each crash is kept as one kind that holds the evidence, every third as a small one too."""
    turn = sum(map(ord, name + set_name))
    rich = ("full", "procdump-ma", "wer")[turn % 3]
    small = ("normal", "breakpad") if set_name == "x86-old" else ("crashpad", "normal", "wer-heap", "breakpad")
    return (rich,) if turn % 3 else (rich, small[turn // 3 % len(small)])
