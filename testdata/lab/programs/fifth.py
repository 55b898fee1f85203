"""The fifth batch, unseen: a sample of what goes wrong in the field, each crash in one set, written without knowledge of the analyzer.
A twin stands only where a full dump with handles, memory map and all stacks leaves it open."""
from . import unseen

PROGRAMS = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", **more):
    if source.startswith("f-") and operation in ("leave", "try-enter", "delete"):
        defines += " CALL=" + unseen.CALLS[operation]
    unseen.add("fifth", "q-" + source, sets, defines, mechanism, cause, operation, **more)
    PROGRAMS["q-" + name] = unseen.UNSEEN.pop("u-fifth")


LATE = dict(operation="enter", other_thread=True)
HANDLE_CLOSED, CORRUPTED, NEVER, DELETED = (dict(twin=t) for t in ("handle-closed", "corrupted", "never-initialized", "deleted"))


def closed(name, sets, defines, mechanism="handle-slot-empty", **more):
    add(name, "close", sets, defines, mechanism, "handle-closed", **more)


# ---- closed by other code --------------------------------------------------------------------------------------------------
closed("session", "X", "BOTH_ENDS WAITERS=3", flags="-O1", note="two loops end one session")
closed("session-late", "E", "BOTH_ENDS LATE WAITERS=2 CROWD=30", **LATE, note="the next thread's wait fails")
closed("redirect", "N", "STD_REDIRECT WAITERS=1 RECURSE", note="restored twice")
closed("redirect-file", "X", "STD_REDIRECT TAKE_FILE WAITERS=2", "handle-wrong-type", slot_type="File", flags="-O0")
closed("token", "E", "TOKEN_REVERT IN_STACK WAITERS=2", flags="-Os", note="a token is closed by revert() and by a guard")
closed("child", "X", "CHILD_INFO WAITERS=5 SPIN=2000 CROWD=45", note="a child's thread handle is closed at once and with the rest")
closed("quit-thread", "N", "PORT_WORKERS TAKE_THREAD WAITERS=1", "handle-wrong-type", slot_type="Thread", flags="-O0")
closed("mapped", "E", "MAPPED_FILE WAITERS=1 NO_DEBUG", note="close() and the destructor")
closed("link", "X", "RETRY WAITERS=6", flags="-Os", note="a failed attempt and giving up")
closed("link-key", "E", "RETRY TAKE_KEY WAITERS=2 CROWD=20", "handle-wrong-type", slot_type="Key", flags="-O0")
closed("quit", "N", "PORT_WORKERS WAITERS=2 CROWD=70", note="two workers quit, each closes the queue")
closed("watches", "X", "SWAP_REMOVE IN_MAPPED WAITERS=2 BY_GUARD", note="a removed entry is removed again")
closed("finalizer", "X", "FINALIZER IN_DLL WAITERS=1 BY_LAMBDA", plugin="k-plugin.c", note="disposed of and finalized")
closed("snapshot", "O", "SNAPSHOT LATE WAITERS=1", flags="-O0", **LATE, note="options by value")
closed("timeout", "E", "TIMEOUT IN_TLS WAITERS=3 BY_CALLBACK", flags="-O1", note="an early and a late close")
closed("instance", "N", "INSTANCE IN_STACK TAKE_SYNCHRONIZE_ONLY WAITERS=2", "handle-access-denied", slot_type="Event")
closed("instance-delete", "X", "INSTANCE IN_STATIC IDLE STRICT_DELETE WAITERS=1", operation="delete", twin="corrupted", state=None, os=dict(global_flag=0x400000),
       note="Delete, under FLG_ENABLE_CLOSE_EXCEPTIONS")


def over(name, sets, defines, mechanism, source="over", operation="leave", **more):
    add(name, source, sets, defines, mechanism, "corrupted", operation, **more)


# ---- written over: a status --------------------------------------------------------------------------------------------------
over("done", "N", "DONE_FLAG WAITERS=1 SPIN=1000", "handle-slot-empty", flags="-O1", note="TRUE")
over("lower", "E", "LOWER_CASE WAITERS=2 RECURSE", "handle-slot-empty", flags="-O0", note="bit 5 of the second byte")
over("alpha", "O", "ALPHA WAITERS=2", "handle-implausible", note="one byte is FF")
over("thread-handle", "X", "OTHER_HANDLE WAITERS=2 NO_DEBUG", "handle-wrong-type", slot_type="Thread", flags="-Os", note="another open handle's value")
over("decrypt", "E", "DECRYPT WAITERS=4 IN_PLACE IN_STATIC", "handle-implausible", note="all bytes are exclusive-ored")
over("echo", "W", "SAMPLES WAITERS=1 CROWD=20", "handle-implausible", flags="-O1", note="16-bit samples, SpinCount too")
over("dirty", "N", "DIRTY_BIT WAITERS=2 BY_GUARD", "handle-implausible", note="one bit is set")
over("progress", "X", "PROGRESS=820 BEFORE_ANYBODY WAITERS=2", "handle-slot-empty", note="a small number, before anybody waited", **LATE, **HANDLE_CLOSED)
over("mean", "O", "RATIO BEFORE_ANYBODY WAITERS=1 IN_PLACE IN_TLS", "handle-implausible", flags="-O1", note="a double, before anybody waited", **LATE)
over("users", "X", "USERS WAITERS=3", "not-owner", note="LockCount is one too high, others sleep")
over("cell", "N", "CSV_LINE", "handle-implausible", source="over2", note="text, from its own buffer")
over("histogram", "E", "HISTOGRAM CROWD=15", "handle-implausible", source="over2", flags="-O1", twin="memory-released", note="integers, from the block's first byte to the section's last")
over("slice", "W", "OBJECT_COPY", "handle-implausible", source="over2", twin="memory-released", note="another class's fields; its pointers point here")


def hit(name, sets, defines, operation="enter", mechanism="debug-info-invalid", **more):
    if "OWNED" in defines.split():
        more["other_thread"] = True
    over(name, sets, defines, mechanism, source="f-over", operation=operation, **more)


# ---- written over: an access violation -------------------------------------------------------------------------------------------
hit("json", "X", "JSON=8 OWNED WAITERS=0", note="text over DebugInfo; it begins in its own field")
hit("json-delete", "N", "JSON=20 CROWD=30", operation="delete", flags="-O1", note="text; Delete at the end")
hit("months", "O", "SCORES=2", flags="-O0", note="integers over DebugInfo and LockCount")
hit("class-id", "E", "CLASS_ID", note="a GUID over DebugInfo and LockCount")
hit("corner", "X", "VERTICES", operation="delete", flags="-Os", twin="memory-released", note="floats from the block's first byte, over DebugInfo")
hit("reset", "W", "RESET", mechanism="section-zeroed", twin="deleted", note="the whole object is cleared; this system keeps no record")
hit("detached", "X", "FIRST_FIELD_NULL OWNED WAITERS=2", flags="-O0", note="DebugInfo is NULL, others sleep")
hit("letter", "W", "SMASHED_LOCAL", operation="delete", note="a local beside a text")
hit("stamp", "E", "ID_STAMP=0x4D544844 OWNED WAITERS=1 IN_STATIC_ARRAY", flags="-O1", note="half of DebugInfo")
hit("label", "O", "CONST_NAME OWNED WAITERS=1 IN_MAPPED", note="a pointer to a constant")


def deleted(name, sets, defines, mechanism="section-zeroed", operation="leave", **more):
    more.setdefault("state", "zero" if mechanism == "section-zeroed" else None)
    add(name, "del", sets, defines, mechanism, "deleted", operation, **dict(dict(code=unseen.INVALID, handle_unknown=True, absent=False), **more))


# ---- deleted meanwhile: a status -------------------------------------------------------------------------------------------------
deleted("channel", "X", "IN_TABLE WAITERS=2", flags="-O1", note="a Delete overtakes a Leave")
deleted("channel-next", "N", "IN_TABLE REUSED_ENTRY WAITERS=1", "handle-slot-empty", note="the table's entry is another's at once")
deleted("channel-freed", "E", "LAST_REFERENCE WAITERS=3 CROWD=20", "handle-slot-empty", flags="-Os", note="the block is a text now")
deleted("channel-enter", "O", "IN_TABLE SUBSCRIBING WAITERS=1", operation="enter", other_thread=True, note="a Delete overtakes an Enter")


def late(name, sets, defines, **more):
    add(name, "f-del", sets, defines, "section-zeroed", "deleted", "enter", **more)


# ---- deleted: an access violation ----------------------------------------------------------------------------------------------
late("observer", "X", "OBSERVER", flags="-O1", note="the destructor's frame is live, it calls back")
late("refresh", "W", "REFRESH_THREAD CROWD=15", other_thread=True, note="a thread that was not waited for", **NEVER)
late("reopen", "N", "REOPEN", flags="-O0", **NEVER)
late("detached-library", "X", "DLL_DETACH", plugin="k-plugin.c", note="static, in a DLL", **NEVER)
late("moved-from", "O", "MOVED_FROM", flags="-O1", note="the object's other fields are set", **NEVER)
late("cleanup", "E", "CLEANUP_LOOP", flags="-Os", note="in a loop that closes all, in the wrong order; some of the table are locks yet", **NEVER)
late("exit-log", "X", "EXIT_LOG", other_thread=True, note="the thread that deleted is still in the exit handler")
late("weak-cache", "N", "WEAK_CACHE CROWD=40", **NEVER)
late("failed-open", "W", "FAILED_OPEN", flags="-O0", **NEVER)


def raw(name, sets, defines, mechanism="section-zeroed", operation="enter", **more):
    add(name, "f-raw", sets, defines, mechanism, "never-initialized", operation, **more)


# ---- never made: an access violation -------------------------------------------------------------------------------------------
raw("library", "X", "STATIC_LIBRARY", note="static", **DELETED)
raw("once", "W", "ONCE_SKIPPED", flags="-Os", note="static; the flag says that it was made", **DELETED)
raw("second-constructor", "O", "VALUE_INITIALIZED", flags="-O1", note="zeroed heap", **DELETED)
raw("last", "N", "LAST_OF_TABLE CROWD=25", note="static, the last of a table", **DELETED)
raw("worker-first", "X", "WORKER_FIRST", other_thread=True, note="zeroed heap; the thread that will make it is on its way")
raw("old-block", "N", "OLD_BLOCK", "debug-info-invalid", flags="-O1", note="old text, and right fields around")
raw("local-object", "X", "LOCAL_OBJECT", "debug-info-invalid", flags="-O0", note="a local, with doubles")
raw("debug-fill", "N", "DEBUG_FILL=0xC0C0C0C0", "debug-info-invalid", note="a fill for new blocks")
raw("destroy-unmade", "X", "DESTROY_UNMADE", "debug-info-invalid", "delete", flags="-Os", note="old 16-bit text")


def status(name, sets, defines, cause, mechanism="handle-implausible", **more):
    add(name, "raw", sets, defines, mechanism, cause, **more)


# ---- never made, no longer, another object: a status ---------------------------------------------------------------------------------
status("report", "X", "UNSET_MEMBER=0xABABABAB", "never-initialized", flags="-O1", note="a fill for new blocks; the other fields are right")
status("report-woa", "W", "UNSET_MEMBER=0xBBBBBBBB CROWD=20", "never-initialized", twin="corrupted", note="an allocator's own fill, on a system that keeps no record")
status("log", "N", "OLD_TEXT", "never-initialized", note="old text; the other fields are right")
status("transfer", "X", "LOCAL_NUMBERS", "never-initialized", flags="-O0", note="a local, with what was on the stack")
status("ports", "N", "FREED_STRUCT", "memory-released", twin="corrupted", flags="-Os", note="the block is a table of ports")
status("callback", "N", "SCRATCH_RESET CROWD=25", "memory-released", twin="corrupted", other_thread=True, note="an arena was reset")
status("texture", "W", "FREED_FILL=0xEFEFEFEF", "memory-released", flags="-O1", twin="never-initialized", note="a fill for freed blocks")
status("message", "W", "WRONG_CAST", "bad-pointer", flags="-O0", twin="never-initialized", note="a window's description")


def gone(name, sets, defines, operation="enter", mechanism="section-unreadable", **more):
    more.setdefault("state", "gone" if mechanism == "section-unreadable" else None)
    add(name, "f-gone", sets, defines, mechanism, "memory-released", operation, **more)


UNLOADED = dict(plugin="k-plugin.c", unloaded="plugin.dll")
# ---- memory that was given back: an access violation ---------------------------------------------------------------------------------
gone("library-leave", "X", "HELPER_LIBRARY", operation="leave", flags="-O1", note="in an unloaded DLL", **UNLOADED)
gone("library-thread", "W", "HELPER_LIBRARY BY_THREAD CROWD=15", other_thread=True, note="in an unloaded DLL, another thread comes", **UNLOADED)
gone("renewed-view", "O", "UNMAP_UNDER_GUARD", operation="leave", note="an unmapped view, under its own guard")
gone("guard-pages", "O", "GUARD_PAGES", operation="try-enter", flags="-O0", note="the page may not be touched any more")
gone("script-heap", "O", "HEAP_OF_PLUGIN", other_thread=True, flags="-Os", note="HeapDestroy")
gone("big-buffer", "N", "BIG_BUFFER", operation="delete", note="a large heap block")
gone("fiber", "O", "FIBER_STACK", flags="-O1", note="a coroutine's stack")
gone("trimmed", "N", "TRIMMED", operation="leave", flags="-O0", note="decommitted")
gone("query", "X", "TEXT_BLOCK", mechanism="debug-info-invalid", twin="corrupted", note="the heap block is a text")
gone("tree-node", "O", "TREE_NODE CROWD=20", mechanism="debug-info-invalid", flags="-O1", twin="corrupted", note="the heap block is a tree's node")
gone("quarantine", "N", "QUARANTINE=0xFEEEFEEE", mechanism="debug-info-invalid", note="a fill for freed memory")
gone("frame-ring", "N", "RING_REUSED", mechanism="debug-info-invalid", flags="-Os", twin="corrupted", note="a frame allocator began again")
gone("returned", "X", "CALLER_RETURNED", mechanism="debug-info-invalid", flags="-O0", note="a local of a function that has returned, in another's live frame")


def pointer(name, sets, defines, operation="enter", mechanism="pointer-invalid", **more):
    more.setdefault("state", "gone" if mechanism == "pointer-invalid" else None)
    add(name, "f-ptr", sets, defines if "PAD=" in defines else defines + " PAD=8", mechanism, "bad-pointer", operation, **more)


# ---- no section: an access violation -----------------------------------------------------------------------------------------------------
pointer("not-found", "W", "NOT_FOUND PAD=40", flags="-O1", note="a member of NULL")
pointer("no-context", "X", "NO_CONTEXT", operation="leave", state="null", note="NULL")
pointer("thread-slot", "N", "THREAD_SLOT PAD=120", other_thread=True, flags="-O0", note="a member of a thread's NULL")
pointer("int-parameter", "X", "INT_PARAMETER CROWD=20", operation="try-enter", note="32 bits of a pointer")
pointer("status-pointer", "N", "ERROR_AS_POINTER=0xC0000034", operation="delete", flags="-Os", note="a member of a status")
pointer("union", "O", "NAME_IN_POINTER", flags="-O0", note="a text as pointer")
pointer("printer", "X", "OVERRUN_TABLE", operation="try-enter", flags="-O1", note="16-bit text over the pointer")
pointer("default", "N", "CONSTANT_OBJECT", state=None, note="a section in read-only storage")
pointer("freed-owner", "O", "FREED_MEMBER=0xDD", operation="delete", note="a fill out of a freed owner")
pointer("index", "O", "INDEX_TOO_LARGE=0x4000", operation="leave", flags="-O1", note="an index without a check")
pointer("sensor", "N", "POINTER_TO_FIRST", mechanism="debug-info-invalid", flags="-Os", note="the object instead of its member: DebugInfo is its table of functions")


def copied(name, sets, defines, mechanism="handle-slot-empty", operation="leave", **more):
    if operation == "delete":
        defines += " CALL=DeleteCriticalSection"
    add(name, "copy", sets, defines, mechanism, "copied", operation, **more)


ORIGINAL = dict(of_original=True)
# ---- copied --------------------------------------------------------------------------------------------------------------------------
copied("accounts", "X", "REALLOC WAITERS=2", flags="-O1", note="an array grows, the old elements are destroyed")
copied("accounts-file", "N", "REALLOC TAKE_FILE WAITERS=1 CROWD=25", "handle-wrong-type", slot_type="File")
copied("sorted", "O", "SORTED WAITERS=3", note="sorted as bytes, the spare one is destroyed")
copied("printed", "X", "PASSED_BY_VALUE WAITERS=2", flags="-O0", note="a parameter is destroyed", **ORIGINAL)
copied("printed-bare", "N", "PASSED_BY_VALUE NO_DEBUG WAITERS=4", twin="handle-closed", note="as q-printed, without a debug record that the Delete could have spoilt", **ORIGINAL)
copied("factory", "O", "RETURNED WAITERS=1", operation="enter", other_thread=True, note="a local is returned and destroyed")
copied("undo-step", "N", "SAVED WAITERS=1", flags="-Os", note="a saved copy is thrown away", **ORIGINAL)
copied("assigned", "X", "BOTH_CLOSED", "debug-info-invalid", "delete", note="both are closed")

# ---- two processes -------------------------------------------------------------------------------------------------------------------
add("board", "share", "X", "WAITERS=1", "handle-slot-empty", "cross-process", note="threads of the other instance wait")
add("board-owned", "share", "N", "MADE_THERE WAITERS=1 CROWD=10", "handle-slot-empty", "cross-process", "enter", flags="-O1", note="the other instance has it")

# ---- left by another than the owner --------------------------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (("watchdog", "X", "WATCHDOG", dict(flags="-O1")), ("resumed", "E", "RESUMED_ELSEWHERE CROWD=20", {}),
                                      ("single-thread", "W", "SKIPPED", dict(flags="-O0"))):
    add(_name, "own", _sets, _defines, "not-owner", "not-owner", other_thread=True, **dict(_more, state=None))


def none(name, sets, defines, code=unseen.ACCESS, **more):
    add(name, "none", sets, defines if "WAITERS=" in defines else defines + " WAITERS=0", "unknown", "none", None, code=code, direct_import=True, **more)


CLOSE_RAISES = dict(os=dict(global_flag=0x400000))
# ---- no lock failure -----------------------------------------------------------------------------------------------------------------
none("none-owners", "E", "TWO_OWNERS WAITERS=2", unseen.INVALID, flags="-O1", note="CloseHandle raises, the lock is held and wanted", **CLOSE_RAISES)
none("none-worker", "X", "WORKER_CLOSES CROWD=20", unseen.INVALID, other_thread=True, note="a worker's CloseHandle raises, main sleeps in Enter", **CLOSE_RAISES)
none("none-checked-type", "W", "CHECKED_CALL=CreateMutexA(NULL,0,NULL) CROWD=15", unseen.WRONG_TYPE, flags="-O1", note="the program's own check raises")
none("none-status", "X", "OWN_STATUS=0xC0000008 WAITERS=3", unseen.INVALID, flags="-Os", note="a class of the program's own raises it")
none("none-release", "W", "OWN_STATUS=0xC0000264", unseen.NOT_OWNED, note="the program's own check of ReleaseMutex")
none("none-null", "N", "NULL_UNDER_LOCK WAITERS=2", note="a member of NULL")
none("none-iterator", "O", "ITERATOR", flags="-O0", note="a list's page is gone")
none("none-compare", "N", "IN_COMPARE_CALLBACK CROWD=30", note="in a comparison, after a Leave")
none("none-function", "O", "NULL_FUNCTION", flags="-O1", note="a call to NULL, under a guard")
none("none-free", "X", "FREE_AFTER_LEAVE", note="RtlFreeHeap, after a Leave")
none("none-record", "W", "OWN_RECORD", flags="-O0", note="a counter of the program's own, at NULL")
none("none-constant", "O", "CONSTANT_TEXT WAITERS=2", note="read-only storage, under a lock")
none("none-unmade", "X", "UNINITIALIZED_NEARBY", note="a lock that was never made, which nobody has entered")


def plain(name, sets, defines, mechanism, cause, operation="leave", **more):
    if operation in ("leave", "try-enter", "delete") and cause != "handle-closed":
        defines += " CALL=" + unseen.CALLS[operation]
    add(name, "plain", sets, defines, mechanism, cause, operation, **more)


# ---- in C ----------------------------------------------------------------------------------------------------------------------------
plain("goto", "O", "GOTO_FAIL WAITERS=3", "handle-slot-empty", "handle-closed", flags="-O1", note="an early close, and the one at the end")
plain("count", "O", "WRONG_COUNT WAITERS=1", "handle-slot-empty", "handle-closed", note="the last file is counted still")
plain("user", "N", "STRCPY", "debug-info-invalid", "corrupted", "delete", flags="-O0", note="text, from its own field")
plain("list-end", "O", "CONTAINER_OF_NULL", "pointer-invalid", "bad-pointer", "try-enter", state="gone", note="the element that NULL is the link of: just below zero")
plain("kept", "X", "KEPT_POINTER", "section-unreadable", "memory-released", state="gone", flags="-Os", note="a table has moved")
plain("defaults", "N", "MEMSET_FIRST", "section-zeroed", "corrupted", "enter", flags="-O1", twin="never-initialized",
      note="the whole object is cleared after its lock was made; a debug record for it is in the list")
plain("no-text", "N", "NULL_TEXT WAITERS=2", "unknown", "none", None, code=unseen.ACCESS, direct_import=True, note="a NULL text, under a lock")
