"""The unseen half: crash programs written from what real code does, without knowledge of the analyzer's code or of what it can
tell. Eleven sources, one macro per variant; verify.py holds every run against the reporter's record before a dump is kept."""

ACCESS, INVALID, WRONG_TYPE, DENIED, NOT_OWNED = 0xC0000005, 0xC0000008, 0xC0000024, 0xC0000022, 0xC0000264
SETS = dict(X="x64-new", N="x86-new", O="x86-old", W="x64-woa", E="x64-woa-events")

# Which dumps a crash is kept as: the group is picked by the name. Crashpad and WER's heap dump do not exist on XP.
KIND_GROUPS = {
    "new": [("full", "crashpad"), ("procdump-ma", "breakpad"), ("wer-heap", "crashpad", "normal"), ("wer", "breakpad"),
            ("wer-heap", "wer"), ("crashpad", "normal"), ("normal", "wer-heap"), ("wer", "crashpad", "breakpad")],
    "old": [("full", "breakpad"), ("procdump-ma", "wer"), ("normal", "wer"), ("wer", "breakpad", "normal")],
}

CALLS = {"leave": "LeaveCriticalSection", "enter": "EnterCriticalSection", "try-enter": "TryEnterCriticalSection", "delete": "DeleteCriticalSection"}
UNSEEN = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", flags="-O2", **more):
    code = {"handle-slot-empty": INVALID, "handle-implausible": INVALID, "handle-wrong-type": WRONG_TYPE, "handle-access-denied": DENIED, "not-owner": NOT_OWNED}.get(mechanism, ACCESS)
    entry = dict(sets=[SETS[s] for s in sets], mechanism=mechanism, cause=cause, code=code, source=source, verified=True, always_handles=True,
                 flags=flags.split() + ["-static"], defines=["-D" + d for d in defines.split()] + more.pop("options", "").split())
    if operation:
        entry["operation"] = operation
    if code == INVALID and operation == "leave" and cause != "none":
        entry["state"] = "signal"
    if code == INVALID and cause != "none":
        entry["absent"] = True
    if code == ACCESS:
        entry["handle_unknown"] = True
    if mechanism == "not-owner":
        entry.update(state="free", handle_unknown=True)
    entry.update(more)
    UNSEEN["u-" + name] = entry


def close(name, sets, defines, mechanism="handle-slot-empty", **more):
    add("close-" + name, "u-close", sets, defines, mechanism, "handle-closed", **more)


def over(name, sets, defines, mechanism, **more):
    add("over-" + name, "u-over", sets, defines, mechanism, "corrupted", **more)


def raw(name, sets, defines, mechanism, operation="enter", **more):
    add("raw-" + name, "u-raw", sets, defines, mechanism, "never-initialized", operation, **more)


def gone(name, sets, defines, mechanism="section-unreadable", operation="enter", **more):
    more.setdefault("state", "gone" if mechanism == "section-unreadable" else None)
    add("rel-" + name, "u-rel", sets, defines + " CALL=" + CALLS[operation], mechanism, "memory-released", operation, **more)


def pointer(name, sets, defines, operation="enter", mechanism="pointer-invalid", **more):
    more.setdefault("state", "gone" if mechanism == "pointer-invalid" else None)
    add("ptr-" + name, "u-ptr", sets, defines + " CALL=" + CALLS[operation], mechanism, "bad-pointer", operation, **more)


def none(name, sets, defines, code=ACCESS, **more):
    add("none-" + name, "u-none", sets, defines, "unknown", "none", None, code=code, direct_import=True, **more)


# ---- closed by other code ------------------------------------------------------------------------------------------------
close("uninit", "XO", "UNINIT_MEMBER WAITERS=1 IN_STATIC_ARRAY", flags="-O1", note="a handle member that was never assigned held an old value")
close("copied-owner", "N", "COPIED_OWNER IN_MAPPED BY_VIRTUAL WAITERS=3 CROWD=60")
close("from", "E", "CLOSE_FROM IN_STATIC WAITERS=2", flags="-Os", note="a loop closes every handle from a number on")
close("index", "XN", "WRONG_INDEX BY_LAMBDA WAITERS=5 SPIN=1500 CROWD=180")
close("erased-tail", "X", "ERASED_TAIL IN_DLL BY_CALLBACK WAITERS=2", plugin="plugin.c")
close("cleanup-twice", "X", "CLEANUP_TWICE BY_GUARD WAITERS=2 RECURSE", options="-fexceptions -frtti", flags="-O1")
close("thread", "NE", "BY_THREAD IN_STATIC_ARRAY WAITERS=6 NO_DEBUG", flags="-O0")
close("regkey", "O", "REGISTRY BY_GUARD WAITERS=2")
close("duplicate", "X", "DUPLICATE_SOURCE IN_MAPPED BY_GUARD WAITERS=1", flags="-O0")
close("enumeration", "N", "IN_ENUMERATION IN_STATIC WAITERS=4 RECURSE", flags="-Os")
close("own-field", "O", "OWN_FIELD WAITERS=1", flags="-O0")
close("destructors", "XE", "DESTRUCTORS BY_VIRTUAL WAITERS=3 NO_DEBUG", flags="-Os")
close("enter", "XO", "WRONG_INDEX CONTENDED_ENTER=1 WAITERS=1 IN_STATIC_ARRAY", operation="enter", other_thread=True)
close("enter-spin", "N", "BY_THREAD CONTENDED_ENTER=3 WAITERS=2 SPIN=4000 CROWD=90", operation="enter", other_thread=True, flags="-O1")
close("stack", "XO", "DUPLICATE_SOURCE IN_STACK BY_LAMBDA WAITERS=2", flags="-O1", note="the section is a local of main's callee")
close("tls", "NE", "REGISTRY IN_TLS BY_GUARD WAITERS=3", note="the section is thread-local storage, shared by its address")
close("delete", "XN", "WRONG_INDEX DELETE_STRICT WAITERS=1", operation="delete", os=dict(global_flag=0x400000), state=None,
      note="the event was closed before; with FLG_ENABLE_CLOSE_EXCEPTIONS DeleteCriticalSection's own NtClose raises")
close("taken-key", "X", "WRONG_INDEX TAKE_KEY WAITERS=2", "handle-wrong-type", slot_type="Key")
close("taken-pipe", "N", "COPIED_OWNER TAKE_PIPE IN_STATIC BY_GUARD WAITERS=3 CROWD=120", "handle-wrong-type", slot_type="File", flags="-O1")
close("taken-mutex", "O", "DESTRUCTORS TAKE_MUTEX BY_LAMBDA WAITERS=2", "handle-wrong-type", slot_type="Mutant")
close("taken-mapping", "E", "REGISTRY TAKE_MAPPING BY_CALLBACK WAITERS=1", "handle-wrong-type", slot_type="Section")

# ---- written over ----------------------------------------------------------------------------------------------------------
over("strcpy", "XN", "BEFORE_ENTER CROWD=140", "handle-implausible", twin="never-initialized", flags="-O1")
over("wide", "X", "BEFORE_ENTER WIDE_TEXT BY_GUARD", "handle-implausible", twin="never-initialized")
over("format", "N", "BEFORE_ENTER FORMATTED BY_VIRTUAL", "handle-implausible", twin="never-initialized", flags="-Os")
over("ring", "XW", "SEMAPHORE RING WAITERS=3 CROWD=100", "handle-implausible")
over("length", "XO", "SEMAPHORE LENGTH=0x5C8 WAITERS=2 CROWD=240", "handle-slot-empty", twin="handle-closed", flags="-O0")
over("length-woa", "W", "SEMAPHORE LENGTH=0x1A4 WAITERS=2 BY_LAMBDA", "handle-implausible", note="LockSemaphore was -1; only its low half is written")
over("flag", "N", "SEMAPHORE FLAG=0x800 WAITERS=1 BY_GUARD NO_DEBUG CROWD=150", "handle-slot-empty", twin="handle-closed")
over("reference", "XN", "SEMAPHORE REFERENCES=1 TAKE_NEIGHBOUR WAITERS=2", "handle-wrong-type", slot_type="Semaphore", twin="handle-closed",
     note="one too little: the number before the event's, whose low bits do not count, is a semaphore")
over("references", "O", "SEMAPHORE REFERENCES=4 TAKE_NEIGHBOUR WAITERS=1", "handle-wrong-type", slot_type="Semaphore", twin="handle-closed", flags="-O1")
over("unlink", "NE", "SEMAPHORE UNLINK WAITERS=4 RECURSE", "handle-implausible")
over("port", "X", "SEMAPHORE PORT=0x1F90 WAITERS=2 BY_VIRTUAL SPIN=500 CROWD=75", "handle-slot-empty", twin="handle-closed", note="8080, as two bytes")
over("short", "N", "SEMAPHORE SHORT_INDEX WAITERS=2", "handle-slot-empty", flags="-O0")
over("erase", "XN", "SEMAPHORE ERASE WAITERS=2 BY_CALLBACK", "handle-implausible", flags="-Os")
over("cast", "O", "SEMAPHORE BAD_CAST WAITERS=3", "handle-implausible")
over("floats", "W", "SEMAPHORE COPY_SHORT WAITERS=1 NO_DEBUG", "handle-implausible", flags="-O1")
over("wait", "XO", "SEMAPHORE LOGIN IN_WAITER WAITERS=1", "handle-implausible", operation="enter", other_thread=True)
over("table-null", "NW", "TABLE_END=NULL", "debug-info-invalid", operation="enter", other_thread=True, flags="-O0")
over("table-value", "O", "TABLE_END=((void*)0x1F4)", "debug-info-invalid", operation="enter", other_thread=True)
over("memset", "XO", "MEMSET_OBJECT", "section-zeroed", operation="enter", twin="deleted", note="the whole object was cleared, its section with it")
over("delete", "XN", "DELETE_MEETS_TEXT", "debug-info-invalid", operation="delete", flags="-O1")
over("record", "NO", "RECORD_HIT", "debug-info-invalid", operation="delete", record_hit=True, note="not the section but its debug record was written over")
over("count", "XN", "COUNT_HIT=1", "not-owner", twin="not-owner", note="LockCount counted up once while the section was owned")
over("count-ff", "W", "COUNT_HIT=2 BY_GUARD", "not-owner", twin="not-owner", flags="-Os")

# ---- never initialised ---------------------------------------------------------------------------------------------------------
raw("error-path", "XOW", "ERROR_PATH CROWD=80", "section-zeroed", twin="deleted")
raw("thread-first", "N", "THREAD_FIRST", "section-zeroed", twin="deleted", other_thread=True, flags="-O0")
raw("per-thread", "X", "PER_THREAD", "section-zeroed", twin="deleted", other_thread=True, flags="-O1")
raw("df", "XN", "FILLED_WITH=0xDFDFDFDF", "handle-implausible", "leave", twin="memory-released")
raw("bb-try", "X", "FILLED_WITH=0xBBBBBBBB BY_TRY", "handle-implausible", "leave", flags="-O0", twin="corrupted")
raw("a0", "N", "FILLED_WITH=0xA0A0A0A0", "debug-info-invalid", flags="-Os")
raw("5a-old", "O", "FILLED_WITH=0x5A5A5A5A", "debug-info-invalid")
raw("tear-down", "XO", "FILLED_WITH=0x2E2E2E2E TEAR_DOWN", "debug-info-invalid", "delete", note="the destructor deletes what the constructor did not make")
raw("last-one", "W", "LAST_ONE=0xEBEBEBEB", "handle-implausible", "leave", twin="corrupted")
raw("old-section", "XN", "OLD_SECTION CROWD=130", "handle-slot-empty", twin="copied", other_thread=True, old_bytes=True,
    note="the block still holds another object's section, whose event was closed")
raw("stack", "X", "ON_STACK", "handle-implausible", "leave", flags="-O0", twin="corrupted")
raw("cleanup", "NX", "CLEANUP_ONLY", "handle-implausible", "leave", twin="corrupted", flags="-O1", note="never entered either; a table's numbers pass the gate")

# ---- deleted ---------------------------------------------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (
        ("callback", "XO", "LATE_CALLBACK", dict(other_thread=True)), ("captured", "NW", "CAPTURED", dict(flags="-Os")),
        ("at-exit", "X", "AT_EXIT", dict(other_thread=True, flags="-O1")), ("error", "XN", "CLEANUP_IN_ERROR", dict(flags="-O0"))):
    add("del-" + _name, "u-del", _sets, _defines, "section-zeroed", "deleted", "enter", twin="never-initialized", **_more)
add("del-variant", "u-del", "XN", "OTHER_MEMBER", "debug-info-invalid", "deleted", "enter", twin="corrupted", note="another member of a variant lies there now")
add("del-race", "u-del", "XOE", "RACE_LEAVE LAST_REFERENCE WAITERS=2 CROWD=70", "section-zeroed", "deleted", code=INVALID, handle_unknown=True, state="zero")
add("del-race-zeroed", "u-del", "N", "RACE_LEAVE ZEROED_ANEW WAITERS=1", "section-zeroed", "deleted", code=INVALID, handle_unknown=True, flags="-O1",
    note="the block was freed and given out again, zeroed")
add("del-race-next", "u-del", "X", "RACE_LEAVE NEXT_OWNER WAITERS=3", "handle-slot-empty", "deleted", handle_unknown=True, state=None, absent=False,
    note="the block has a new object with a new section")
add("del-race-enter", "u-del", "XNO", "RACE_ENTER", "section-zeroed", "deleted", "enter", code=INVALID, handle_unknown=True, other_thread=True, state="zero")

# ---- memory released ---------------------------------------------------------------------------------------------------------------
gone("unmapped-try", "XO", "UNMAPPED", operation="try-enter")
gone("released-delete", "NW", "RELEASED", operation="delete", flags="-O1")
gone("decommitted", "X", "DECOMMITTED", flags="-Os")
gone("decommitted-leave", "O", "DECOMMITTED", operation="leave")
gone("no-access", "N", "NO_ACCESS", operation="leave", flags="-O0", note="the page is there, but may not be touched")
gone("thread-stack", "XN", "THREAD_STACK")
gone("block-zeroed", "XO", "BLOCK_GETS=0 PADDING_INTS=10", "section-zeroed", twin="never-initialized", other_thread=True)
gone("block-text", "N", "BLOCK_GETS=1 PADDING_INTS=14", "handle-implausible", "leave", twin="corrupted", other_thread=True)
gone("block-df", "X", "FREED_FILL=0xDF PADDING_INTS=3 CROWD=50", "handle-implausible", "leave", twin="never-initialized", other_thread=True, flags="-O1")
gone("vector", "XN", "VECTOR_GROWS WAITERS=2 CROWD=110", "handle-slot-empty", "leave", twin="copied", note="a reference into the vector's old block")
gone("vector-big", "E", "VECTOR_GROWS WAITERS=1 PADDING_INTS=400000", operation="leave", flags="-Os")
gone("plugin-delete", "N", "PLUGIN", operation="delete", plugin="plugin.c", unloaded="plugin.dll")
gone("plugin-try", "X", "PLUGIN", operation="try-enter", plugin="plugin.c", unloaded="plugin.dll", flags="-O0")
gone("anew", "NW", "MAPPED_ANEW", "section-zeroed", twin="never-initialized")
gone("dead-frame", "X", "DEAD_FRAME", "section-zeroed", twin="never-initialized", other_thread=True, flags="-O0")

# ---- copied ------------------------------------------------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (
        ("push-back", "XNE", "PUSH_BACK WAITERS=2 CROWD=200", {}), ("by-value", "XO", "BY_VALUE WAITERS=1 CROWD=45", dict(twin="handle-closed", of_original=True)),
        ("lambda", "N", "LAMBDA WAITERS=3 NO_DEBUG", dict(twin="handle-closed", of_original=True)),
        ("sliced", "X", "SLICED WAITERS=2 SPIN=2000", dict(twin="handle-closed", of_original=True, flags="-O0")),
        ("swapped", "XO", "SWAPPED WAITERS=2", dict(flags="-O1")),
        ("rolled-back", "N", "ROLLED_BACK WAITERS=1", dict(twin="corrupted", of_original=True, rolled_back=True)),
        ("moved-block", "XE", "MOVED_BLOCK WAITERS=5", dict(flags="-Os"))):
    add("copy-" + _name, "u-copy", _sets, _defines, "handle-slot-empty", "copied", **_more)
add("copy-deleted-twice", "u-copy", "NX", "DELETED_TWICE", "debug-info-invalid", "copied", "delete", twin="corrupted")
add("copy-returned", "u-copy", "XO", "RETURNED", "handle-slot-empty", "copied", "enter", other_thread=True, options="-fno-elide-constructors")

# ---- no section at all -----------------------------------------------------------------------------------------------------------------
pointer("object", "XN", "WHOLE_OBJECT", mechanism="debug-info-invalid", flags="-O1", twin="corrupted", note="the object's address instead of its member's")
pointer("handle", "XO", "HANDLE_INSTEAD")
pointer("truncated", "W", "TRUNCATED", "leave")
pointer("shifted", "XN", "SHIFTED", mechanism="debug-info-invalid", twin="corrupted", note="one field before the section")
pointer("text", "XO", "TEXT_POINTER", "leave", flags="-Os")
pointer("constant", "XN", "CONSTANT", state=None, note="a section in read-only storage")
pointer("kernel", "X", "VALUE=0xFFFFF80012345678ull", "try-enter")
pointer("baadf00d", "NX", "VALUE=0xBAADF00DBAADF00Dull", "try-enter", flags="-O0")
pointer("null-try", "N", "VALUE=0", "try-enter", state="null")
pointer("null-delete", "O", "VALUE=0", "delete", state="null")
pointer("element", "XO", "ELEMENT_OF_NULL=3", "delete", flags="-O1")
pointer("function", "NW", "FUNCTION", "leave", state=None)
pointer("past-end", "X", "PAST_THE_END CROWD=55", "enter", flags="-Os")

# ---- two processes -----------------------------------------------------------------------------------------------------------------------
add("share-enter", "u-share", "XO", 'STATE_NAME="2"', "handle-slot-empty", "cross-process", "enter", twin="handle-closed")
add("share-taken", "u-share", "N", 'STATE_NAME="3" TAKEN_NUMBERS', "handle-access-denied", "cross-process", "enter", twin="handle-closed", slot_type="Section")
add("share-leave", "u-share", "E", 'STATE_NAME="4" OTHER_WAITS', "handle-slot-empty", "cross-process", twin="handle-closed", flags="-O0")
add("share-leave-taken", "u-share", "NO", 'STATE_NAME="5" OTHER_WAITS TAKEN_NUMBERS', "handle-wrong-type", "cross-process", twin="handle-closed", slot_type="Section")
add("share-file", "u-share", "XN", "IN_FILE", "handle-slot-empty", "cross-process", "enter", twin="handle-closed", other_thread=True,
    note="the file that is mapped was written by a process that has ended")
add("share-record", "u-share", "XN", 'STATE_NAME="6" FAR_RECORD', "debug-info-invalid", "cross-process", "enter", twin="corrupted")

# ---- left by a thread that does not own it ----------------------------------------------------------------------------------------------
add("own-thread", "u-own", "XN", "IN_THREAD", "not-owner", "not-owner", other_thread=True)
add("own-twice", "u-own", "XN", "LEAVES_TWICE BY_GUARD CROWD=95", "not-owner", "not-owner", flags="-O1", twin="corrupted")
add("own-try", "u-own", "W", "IGNORED_TRY", "not-owner", "not-owner", flags="-O0", twin="corrupted")
add("own-waiters", "u-own", "X", "LEAVES_TWICE WAITING=2 BY_VIRTUAL", "not-owner", "not-owner")
add("own-callback", "u-own", "N", "IN_THREAD BY_CALLBACK NO_DEBUG", "not-owner", "not-owner", other_thread=True, flags="-Os")

# ---- no lock failure ------------------------------------------------------------------------------------------------------------------
none("strict-ntclose", "XN", "STRICT_NTCLOSE", INVALID, os=dict(global_flag=0x400000), twin="handle-closed", note="NtClose, called directly, raises")
none("strict-destructor", "XO", "STRICT_IN_DESTRUCTOR CROWD=160", INVALID, os=dict(global_flag=0x400000), flags="-O1", twin="handle-closed")
none("strict-waited", "W", "STRICT_WAITED_FOR", INVALID, os=dict(global_flag=0x400000))
none("heap-header", "N", "HEAP_HEADER", flags="-O0")
none("heap-near", "XW", "HEAP_NEAR_LEAVE CROWD=85", twin="memory-released", note="the fault is in RtlFreeHeap, over the frame of a Leave that has just returned")
none("thrown", "X", "THROWN", 0xE06D7363)
none("asserted", "N", "ASSERTED", 0x80000003, flags="-Os")
none("vtable", "XO", "FREED_VTABLE", flags="-O1")
none("compare", "N", "IN_COMPARE")
none("near", "X", "NEAR_THE_SECTION", flags="-O0")
none("own-status", "X", "OWN_STATUS=0xC0000264", NOT_OWNED, note="the program raises STATUS_RESOURCE_NOT_OWNED by itself")
none("own-status-type", "N", "OWN_STATUS=0xC0000024", WRONG_TYPE)
none("setevent", "XN", "FAILED_SETEVENT", INVALID, flags="-O1")
none("broken-nearby", "E", "BROKEN_SECTION_NEARBY", note="a section's event is closed, but the crash is another")

# ---- the same in C ------------------------------------------------------------------------------------------------------------------------
add("plain-cleared", "u-plain", "XO", "CLEARED_STRUCT WAITERS=4", "handle-slot-empty", "handle-closed", flags="-O1")
add("plain-counters", "u-plain", "X", "COUNTERS", "handle-implausible", "corrupted", twin="never-initialized")
add("plain-grown", "u-plain", "NW", "GROWN", "section-unreadable", "memory-released", state="gone", flags="-Os")
add("plain-from-one", "u-plain", "XN", "FROM_ONE", "section-zeroed", "never-initialized", "enter", twin="deleted", flags="-O0")
add("plain-freed-entry", "u-plain", "XO", "FREED_ENTRY", "section-zeroed", "deleted", "enter", twin="never-initialized")
add("plain-assigned", "u-plain", "NE", "ASSIGNED WAITERS=1", "handle-slot-empty", "copied", flags="-O1")
add("plain-not-found", "u-plain", "XO", "NOT_FOUND", "pointer-invalid", "bad-pointer", state="gone")
add("plain-walk", "u-plain", "N", "BY_CALLBACK", "unknown", "none", None, flags="-O0")
