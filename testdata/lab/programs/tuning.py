"""The tuning batch (v-*): crashes whose look invites a wrong cause. Written without knowledge of the analyzer's code or answers,
as the unseen half was, but of the seen half: it may be tuned on. Four sources, one macro per variant."""
from . import unseen

TUNING = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", **more):
    unseen.add("tuning", source, sets, defines, mechanism, cause, operation, **more)
    entry = unseen.UNSEEN.pop("u-tuning")
    kinds = entry.pop("keep", "w")
    entry["kinds"] = [dict(p="procdump-ma", f="full", w="wer", n="normal")[k] for k in kinds]
    TUNING["v-" + name] = entry


def copy(name, sets, defines, mechanism="handle-slot-empty", operation="leave", **more):
    add("copy-" + name, "v-copy", sets, defines, mechanism, "copied", operation, **more)


# ---- copied ------------------------------------------------------------------------------------------------------------
ORIGINAL = dict(of_original=True, twin="handle-closed")
copy("grown", "NX", "GROWN=2 WAITERS=2", keep="pw")
copy("grown-raw", "X", "GROWN=1 WAITERS=1 NO_DEBUG", twin="handle-closed", keep="w")
copy("grown-events", "E", "GROWN=3 WAITERS=3", keep="w")
copy("pages-gone", "XN", "OLD_PAGES=0 WAITERS=2 BY_GUARD", keep="w", note="the original's pages were given back")
copy("pages-text", "X", "OLD_PAGES=1 WAITERS=1 CROWD=60", keep="w", flags="-O1", note="the original's memory holds text")
copy("pages-other", "NX", "OLD_PAGES=2 WAITERS=2", keep="w", note="an object with a section of its own lies over the original")
copy("pages-anew", "XN", "OLD_PAGES=3 WAITERS=1", keep="wn", note="the original was made again at its place and is entered")
copy("pages-taken", "XO", "OLD_PAGES=4 WAITERS=2", "handle-wrong-type", slot_type="Semaphore", twin="handle-closed", keep="w", flags="-Os",
     note="the event's number was given out again")
copy("rotated", "NO", "ROTATED WAITERS=2 BY_VIRTUAL", keep="w")
copy("popped", "XN", "POPPED", operation="enter", other_thread=True, keep="w", note="idle when it was copied")
copy("restored", "XO", "RESTORED", operation="enter", other_thread=True, keep="pw", flags="-O1", note="saved to a file and read back")
copy("deleted-copy", "NX", "COPY_DELETED=0 WAITERS=2 CROWD=40", keep="pw", **ORIGINAL)
copy("deleted-copy-raw", "N", "COPY_DELETED=0 WAITERS=1 NO_DEBUG", keep="w", **ORIGINAL)
copy("deleted-copy-enter", "XO", "COPY_DELETED=1", operation="enter", other_thread=True, keep="w", **ORIGINAL)
copy("struck-out", "NX", "STRUCK_OUT WAITERS=3 BY_LAMBDA", keep="w")
copy("strict", "XN", "BOTH_DELETED=1 STRICT", operation="delete", code=unseen.INVALID, os=dict(global_flag=0x400000), state=None, keep="w", twin="handle-closed",
     note="the original was deleted; with FLG_ENABLE_CLOSE_EXCEPTIONS the copy's Delete raises")
copy("deleted-idle", "XO", "BOTH_DELETED=0", "debug-info-invalid", "delete", keep="w", twin="corrupted")
copy("deleted-woa", "W", "BOTH_DELETED=2", "debug-info-invalid", "delete", keep="w", twin="corrupted")
copy("on-stack", "XE", "ON_STACK WAITERS=2", keep="w", flags="-O0")


# ---- written over --------------------------------------------------------------------------------------------------------
def over(name, sets, when, what, mechanism, operation="leave", **more):
    defines = when.split() + ["%s=%s" % (k, v) if v else k for k, v in what]
    options = ["-D" + d for d in defines]
    add("over-" + name, "v-over", sets, "", mechanism, "corrupted", operation, **more)
    TUNING["v-over-" + name]["defines"] = options


def before(type_name, value, last):
    return [("BEFORE", ""), ("TYPE", type_name), ("VALUE(i)", value), ("LAST", last)]


def behind(type_name, value, last):
    return [("BEHIND", ""), ("TYPE", type_name), ("VALUE(i)", value), ("LAST", last)]


def stray(type_name, what, at):
    return [("TYPE", type_name), ("STRAY", what), ("LAST", at)]


END, SPIN, SEM, OWNER, RECURSION, COUNT = "sizeof(Section)", "offsetof(Section,SpinCount)", "offsetof(Section,LockSemaphore)", "offsetof(Section,OwningThread)", "offsetof(Section,RecursionCount)", "offsetof(Section,LockCount)"
RAW, CLOSED = dict(twin="never-initialized"), dict(twin="handle-closed")
over("ints", "X", "WHEN_IDLE", before("int", "1985+(i)", END), "handle-implausible", keep="pw", note="a table 0..n from in front, over the whole section", **RAW)
over("ints-x86", "N", "WHEN_IDLE", before("int", "1986+(i)", END), "handle-slot-empty", keep="pw", note="a table 0..n; what lies in LockSemaphore could be a handle", **RAW)
over("ints-half", "X", "WHEN_IDLE", before("int", "1601+(i)", SEM + "+4"), "handle-slot-empty", keep="pw", note="the table stops in the middle of LockSemaphore", **RAW)
over("ints-count", "XN", "WHEN_OWNED WAITERS=2", before("int", "(i)+(sizeof(void*)==8?1:2)", RECURSION), "not-owner", keep="w", note="the table stops behind LockCount", twin="not-owner")
over("ones", "NX", "WHEN_OWNED WAITERS=1 CROWD=60", behind("int", "1", RECURSION), "handle-implausible", keep="pw", note="a table of ones, filled from its end, stops in RecursionCount",
     in_set={"x86-new": dict(mechanism="handle-slot-empty")})
over("doubles", "X", "WHEN_OWNED WAITERS=2", behind("double", "0.1*(i)+1", SEM), "handle-implausible", keep="w")
over("doubles-x86", "NO", "WHEN_OWNED WAITERS=1 RECURSE", behind("double", "0.1*(i)+0.03", SEM), "handle-implausible", keep="w", flags="-O0")
over("pointers", "NX", "WHEN_OWNED WAITERS=3 BY_GUARD", behind("void*", "HeapAlloc(GetProcessHeap(),0,24)", SEM), "handle-implausible", keep="fw", note="a table of pointers, filled from its end")
over("pointers-owner", "XO", "WHEN_OWNED WAITERS=1", behind("const volatile void*", "(&panels[2].before[(i)&3])", OWNER), "handle-implausible", keep="w")
over("minus-half", "X", "WHEN_OWNED WAITERS=2", behind("int", "-1", SEM + "+4"), "handle-implausible", keep="w", note="-1s, filled from the end, half of LockSemaphore")
over("times", "N", "WHEN_OWNED WAITERS=2 BY_CALLBACK", behind("unsigned", "(0x69245A10u+61u*(i))", SEM), "handle-implausible", keep="pn", note="time_t values")
over("ticks", "N", "WHEN_OWNED WAITERS=1", behind("unsigned", "(0x001C8AF4u-0x40u*(i))", SEM), "handle-slot-empty", keep="w", note="tick counts, which could be handles", **CLOSED)
over("handles", "XO", "WHEN_OWNED WAITERS=2", [("HANDLES", "2")], "handle-wrong-type", slot_type="Semaphore", keep="w", note="a table of handles, filled from its end", **CLOSED)
over("id", "XNW", "VISITED=1", before("int", "(i)%4==3?0:4100+(i)", "4"), "debug-info-invalid", "enter", other_thread=True, keep="w", note="four bytes of DebugInfo")
over("wide", "XO", "VISITED=1", before("WCHAR", "L\"\\\\contoso\\\\jobs\\\\\"[(i)%14]", RECURSION), "debug-info-invalid", "enter", other_thread=True, keep="w", note="a wide string stops behind LockCount")
over("items", "XN", "VISITED=1", before("Item", "Item{700+2*(i),(i)&1}", OWNER), "debug-info-invalid", "enter", other_thread=True, keep="w", note="pairs of small numbers stop behind RecursionCount (x86: OwningThread)")
over("items-owner", "XO", "VISITED=1", before("Item", "Item{900+4*(i),(i)&2}", SEM), "debug-info-invalid", "enter", other_thread=True, keep="w", note="pairs of small numbers stop behind OwningThread")
over("zeros", "NX", "VISITED=2", before("ULONG_PTR", "0", "sizeof(void*)"), "debug-info-invalid", "enter", other_thread=True, keep="pw", twin="never-initialized", note="a NULL too many: DebugInfo")
over("null-count", "N", "VISITED=1 SPIN=300", before("ULONG_PTR", "0", RECURSION), "debug-info-invalid", "enter", other_thread=True, keep="w", note="NULLs over DebugInfo and LockCount")
over("flip-debug", "XN", "VISITED=1", stray("ULONG_PTR", "^=1u<<29", "0"), "debug-info-invalid", "enter", other_thread=True, keep="w")
over("byte", "N", "WHEN_OWNED WAITERS=2 CROWD=30", stray("BYTE", "='A'", SEM + "+1"), "handle-slot-empty", keep="pw", note="one byte of LockSemaphore", **CLOSED)
over("word", "O", "WHEN_OWNED WAITERS=1", stray("WORD", "=640", SEM), "handle-slot-empty", keep="w", note="640, as two bytes", **CLOSED)
over("dword", "X", "WHEN_OWNED WAITERS=1 BY_LAMBDA", stray("DWORD", "=0x0003A9C0", SEM), "handle-slot-empty", keep="w", note="a file size, as four bytes", **CLOSED)
over("qword", "X", "WHEN_OWNED WAITERS=2 NO_DEBUG", stray("unsigned long long", "=5ull<<32|0x44", SEM), "handle-implausible", keep="w", note="a pair of ints, as eight bytes")
over("flip-count", "X", "WHEN_OWNED WAITERS=2", stray("LONG", "^=1", COUNT), "not-owner", keep="pw", note="bit 0 of LockCount, while it is owned and waited for", twin="not-owner")
over("byte-count", "N", "WHEN_OWNED WAITERS=1", stray("BYTE", "=1", COUNT), "not-owner", keep="w", note="a bool set to true: the low byte of LockCount", twin="not-owner")
over("flip-handle", "O", "WHEN_OWNED WAITERS=1 CROWD=25", stray("ULONG_PTR", "^=1u<<13", SEM), "handle-slot-empty", keep="w", **CLOSED)
over("network", "XN", "WHEN_OWNED WAITERS=2", [("SWAP_BYTES", "1")], "handle-implausible", keep="w", note="LockSemaphore and SpinCount in the other byte order")
over("exchanged", "XN", "WHEN_OWNED WAITERS=1", [("SWAP_FIELDS", "1")], "handle-wrong-type", keep="w", note="OwningThread and LockSemaphore exchanged", **CLOSED)
over("cleared", "XO", "ENTERED WAITERS=2", [("CLEAR", "sizeof(Panel)")], "section-zeroed", "enter", keep="w", twin="deleted", note="cleared while it was owned and waited for")
over("record-object", "XN", "DELETED=1", [], "debug-info-invalid", "delete", keep="w", twin="memory-released", note="DebugInfo points to another object")
over("record-other", "NX", "DELETED=2", [], "debug-info-invalid", "delete", keep="pw", twin="copied", note="DebugInfo is that of a section deleted before")
over("delete-ints", "W", "DELETED=0", before("int", "70000+(i)", "sizeof(void*)"), "debug-info-invalid", "delete", keep="w")


# ---- not the section -------------------------------------------------------------------------------------------------------
def pointer(name, sets, defines, mechanism, operation="enter", **more):
    more.setdefault("state", None)
    add("ptr-" + name, "v-ptr", sets, defines + " CALL=" + unseen.CALLS[operation], mechanism, "bad-pointer", operation, **more)


pointer("off-8", "XW", "OFF_BY=8", "debug-info-invalid", keep="w", note="eight bytes too far")
pointer("off-4", "N", "OFF_BY=4 SPIN=4000 HANDLE_READ=4000", "handle-slot-empty", handle_unknown=False, keep="pw", twin="handle-closed", note="four bytes too far: the spin count stands where LockSemaphore would", absent=False)
pointer("off-16", "XN", "OFF_BY=16 ONCE_CONTENDED", "debug-info-invalid", keep="w", twin="corrupted", note="sixteen bytes too far")
pointer("off-40", "X", "OFF_BY=40", "debug-info-invalid", keep="w", twin="corrupted", note="forty bytes: just behind the section")
pointer("next-one", "XO", "NEXT_ONE=5", "section-zeroed", keep="pw", twin="never-initialized", note="the element behind the last that was made")
pointer("one-before", "N", "ONE_BEFORE", "handle-slot-empty", "leave", keep="w", twin="corrupted")
pointer("one-before-x64", "X", "ONE_BEFORE", "handle-implausible", "leave", keep="w", twin="corrupted")
pointer("to-pointer", "NX", "POINTER_TO_POINTER=2", "handle-slot-empty", keep="pw", twin="corrupted", note="the address of the pointer")
pointer("to-pointer-leave", "XN", "POINTER_TO_POINTER=6", "handle-slot-empty", "leave", keep="w", twin="corrupted", note="the address of the pointer")
pointer("string", "XN", "STRING_OBJECT", "handle-implausible", "leave", keep="w", twin="corrupted", note="an object of another type")
pointer("title", "NX", "TEXT_ADDRESS", "handle-implausible", "leave", keep="pn", twin="corrupted", note="the address of a text")
pointer("residue", "XN", "RESIDUE", "pointer-invalid", flags="-O0", keep="w", note="an unassigned variable, which holds the address of a constant text")
pointer("index", "WO", "VALUE=17", "pointer-invalid", keep="w", state="gone", note="an index")
pointer("dd", "N", "VALUE=0xDDDDDDDDDDDDDDDDull", "pointer-invalid", "leave", keep="w", state="gone", note="the variable lay in freed memory that was filled")
pointer("code", "XN", "FUNCTION", "debug-info-invalid", "delete", keep="w", twin="corrupted", note="the address of a function")


# ---- never made, given back, and others -----------------------------------------------------------------------------------------
def raw(name, sets, defines, mechanism, cause="never-initialized", operation="enter", **more):
    more.setdefault("state", None)
    add(name, "v-raw", sets, defines + " CALL=" + unseen.CALLS[operation or "enter"], mechanism, cause, operation, **more)


for _byte, _sets, _how, _mechanism, _operation, _more in (
        ("cd", "XN", " SECOND", "debug-info-invalid", "enter", dict(other_thread=True)), ("a5", "N", " SECOND", "debug-info-invalid", "enter", dict(other_thread=True, flags="-O0")),
        ("be", "X", "", "debug-info-invalid", "enter", {}), ("fe", "NX", "", "debug-info-invalid", "enter", dict(twin="memory-released")),
        ("55", "XO", "", "debug-info-invalid", "delete", {}), ("ab", "NX", " BOTH", "handle-implausible", "leave", dict(twin="memory-released")),
        ("5a", "X", "", "debug-info-invalid", "enter", {}), ("df", "N", " BOTH", "handle-implausible", "leave", dict(twin="memory-released")),
        ("ef", "W", " BOTH", "handle-implausible", "leave", dict(twin="memory-released"))):
    raw("raw-" + _byte, _sets, "FILLED=0x" + 4 * _byte + _how, _mechanism, operation=_operation, keep="w", **dict(dict(twin="corrupted"), **_more))
raw("raw-text", "NX", "OLD=TEXT", "handle-implausible", operation="leave", keep="pw", twin="corrupted", note="old contents: text")
raw("raw-wide", "XN", "OLD=WIDE", "handle-implausible", operation="leave", keep="w", twin="corrupted", note="old contents: wide text")
raw("raw-pointers", "XN", "OLD=POINTERS", "handle-implausible", operation="enter", keep="w", code=unseen.INVALID, twin="corrupted", note="old contents: pointers to live blocks")
raw("raw-integers", "XN", "OLD=INTEGERS", "handle-implausible", operation="leave", keep="w", twin="corrupted", note="old contents: integers", in_set={"x86-new": dict(mechanism="handle-slot-empty")})
raw("raw-shifted", "X", "OLD_SHIFTED=-16", "debug-info-invalid", keep="pw", twin="bad-pointer", note="old contents: a section, sixteen bytes lower")
raw("raw-half-made", "NX", "HALF_MADE=4000", "debug-info-invalid", other_thread=True, keep="pw", twin="corrupted", note="zeroed; LockCount and SpinCount were set by hand")
raw("raw-stack", "X", "ON_STACK", "handle-implausible", operation="leave", flags="-O0", keep="w", twin="corrupted", note="a table's rows on the stack")
raw("rel-pointers", "NX", "REUSED=POINTERS", "handle-implausible", "memory-released", keep="pw", code=unseen.INVALID, twin="corrupted", note="used anew: pointers")
raw("rel-integers", "NX", "REUSED=INTEGERS BOTH", "handle-slot-empty", "memory-released", "leave", keep="w", twin="corrupted", note="used anew: integers", in_set={"x64-new": dict(mechanism="handle-implausible")})
raw("rel-doubles", "XO", "REUSED=DOUBLES", "debug-info-invalid", "memory-released", keep="w", twin="corrupted", note="used anew: doubles")
raw("rel-list-end", "NX", "FREE_LIST=1", "debug-info-invalid", "memory-released", keep="pw", other_thread=True, twin="corrupted", note="freed and intact but for the free list's link, NULL")
raw("rel-list", "XN", "FREE_LIST=2", "debug-info-invalid", "memory-released", "delete", keep="w", twin="corrupted", note="freed and intact but for the free list's link")
raw("rel-frame", "XN", "DEAD_FRAME", "debug-info-invalid", "memory-released", flags="-O0", keep="w", other_thread=True, twin="corrupted", note="a frame that is gone, overwritten by doubles")
raw("rel-view", "NX", "OTHER_VIEW=TEXT", "handle-implausible", "memory-released", "leave", keep="f", twin="corrupted", note="another view at the same address")
for _name, _sets, _n in (("wrapper", "XN", 1), ("overrun", "XN", 2), ("heap", "NX", 3)):
    raw("none-" + _name, _sets, "NONE=%d" % _n, "unknown", "none", None, direct_import=True, keep="w")
