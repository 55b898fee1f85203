"""The sixth batch: see sixth.py. Locks that were never made, pointers that are no lock's, and access violations that are neither."""
from . import sixth, unseen


def raw(name, source, sets, defines, mechanism="section-zeroed", operation="enter", **more):
    sixth.add("d" + name, "unmade-" + source, sets, defines, mechanism, "never-initialized", operation, **more)


PLUGIN = dict(plugin="w-unmade-plugin.c")
DELETED = dict(twin="deleted")  # in a dump without code
# ---- never made: zeros, an access violation in Enter -------------------------------------------------------------------------
raw("mime", "zero", "X", "LIBRARY", note="static; the function that makes it is never called", **DELETED)
raw("signals", "plain", "W", "EMBEDDED", flags="-O1", note="static, in C; made by a function that this host does not call")
raw("fabric", "zero", "E", "STATIC_ZEROS CROWD=15", other_thread=True, flags="-Os", note="static, with an initialiser of zeros", **DELETED)
raw("cram", "plain", "X", "WITHOUT_THREADS", note="zeroed heap, in C; made with an option")
raw("asserts", "zero", "X", "INIT_ORDER", flags="-O1", note="static; its constructor comes later")
raw("threadpool", "zero", "N", "POOL_FIRST", other_thread=True, note="static; its constructor waits for the thread that wants it", **DELETED)
raw("game", "zero", "W", "SUBSYSTEMS", flags="-O0", note="static, beside three that are made")
raw("once", "zero", "E", "ONCE", other_thread=True, note="static; the thread that will make it is on its way")
raw("singleton", "zero", "X", "PUBLISHED CROWD=30", other_thread=True, flags="-Os", note="zeroed heap; its constructor runs", **DELETED)
raw("config", "zero", "N", "MEMBER_ORDER", flags="-O0", note="static object; a member behind the one that wants it", **DELETED)
raw("spin", "zero", "O", "OPEN_FAILED", flags="-O1", note="zeroed heap; open() has failed")
raw("slots", "zero", "X", "ONE_TOO_FEW CROWD=20", note="the last of a table in the heap", **DELETED)
raw("plugin", "zero", "E", "NOT_OPENED", note="static, in a DLL that was not opened", **PLUGIN)
raw("logger", "zero", "N", "FLAG_FIRST SPIN=400", note="thread-local; its flag says that it is ready")

# ---- never made: old contents, an access violation -----------------------------------------------------------------------------
raw("miranda", "dirty", "O", "OLD_TEXT", "debug-info-invalid", note="old text in the heap, the fields around are right")
raw("title", "dirty", "X", "OLD_POINTS", "debug-info-invalid", note="old doubles in the heap, the fields around are right")
raw("meets", "dirty", "N", "NEW_FILL", "debug-info-invalid", other_thread=True, note="a fill for new blocks, which passes until two threads meet")
raw("local", "dirty", "X", "LOCAL_FILL", "debug-info-invalid", "delete", flags="-O1", note="a fill for new blocks; the destructor")
raw("job", "dirty", "W", "STACK_REST CROWD=20", "debug-info-invalid", flags="-O0", note="a local, with what was on the stack")
raw("rooms", "dirty", "N", "GROWN", "debug-info-invalid", flags="-O1", note="the last of a grown table, with old text")
raw("half", "dirty", "N", "HALF_BUILT CROWD=25", "debug-info-invalid", "delete", note="the second of two locks, with old 16-bit text; the first one is made")
raw("pool", "dirty", "E", "POOL_LINK", "debug-info-invalid", "delete", flags="-Os", note="a pool's link to its next free block")

# ---- never made: a status ------------------------------------------------------------------------------------------------------
raw("inifile", "passes", "N", "INI_TEXT", "handle-implausible", "leave", note="old text in the heap; entered by TryEnter")
raw("frame", "passes", "X", "OLD_VERTICES CROWD=35", "handle-implausible", "leave", flags="-O1", note="old vertices in a frame's memory")
raw("session", "passes", "E", "PREVIOUS_OBJECT", "handle-implausible", "leave", flags="-Os", note="another class's fields in the heap; virtual calls")
raw("grid", "passes", "W", "OLD_SIZES", "handle-slot-empty", "leave", flags="-O1", note="old integers in the heap")
raw("ticket", "passes", "N", "CLEANS_UP", "not-owner", "leave", flags="-O0", note="left by an error path, neither made nor entered")
raw("queue", "plain", "O", "OLD_NODE", "handle-implausible", note="a list's node, in C; its next is a good pointer")


def pointer(name, source, sets, defines, operation="enter", mechanism="pointer-invalid", **more):
    more.setdefault("state", "gone" if mechanism == "pointer-invalid" else None)
    sixth.add("d" + name, "unmade-" + source, sets, defines, mechanism, "bad-pointer", operation, **more)


# ---- no section: nothing there ---------------------------------------------------------------------------------------------------
pointer("crypt", "nowhere", "X", "NEVER_ALLOCATED", state="null", note="NULL; the lock is allocated later")
pointer("modsec", "nowhere", "N", "GUARD_OF_NULL", "leave", flags="-O0", note="a member of NULL, in a guard")
pointer("metrics", "nowhere", "W", "AFTER_SHUTDOWN", other_thread=True, note="a member of NULL, after a shutdown")
pointer("scan", "nowhere", "N", "SWAPPED CROWD=20", "try-enter", flags="-O1", note="a small number, two arguments are swapped")
pointer("item", "nowhere", "X", "SIGNED_ITEM", flags="-Os", note="32 bits of a pointer, with sign")
pointer("com", "nowhere", "N", "RESULT_CODE", note="a member of a result code")
pointer("map", "nowhere", "E", "FAILED_MAP", "delete", flags="-O1", note="a member of -1")
pointer("port", "nowhere", "X", "MUTEX_HANDLE CROWD=40", "leave", note="a mutex's handle")
pointer("find", "nowhere", "W", "UNSET_LOCAL", flags="-O0", note="an unset local, with a double")
pointer("bands", "nowhere", "O", "PAST_END", note="the element behind the last, at the end of a page")
pointer("column", "nowhere", "X", "NOT_FOUND_INDEX", "try-enter", flags="-O1", note="the element before the first")
pointer("owner", "nowhere", "N", "FREED_OWNER FILL=0xDDDDDDDD CALL=LeaveCriticalSection", "leave", flags="-O1", note="a fill out of a freed owner; virtual call")
pointer("node", "nowhere", "X", "FREED_OWNER FILL=0xFEEEFEEE CALL=DeleteCriticalSection", "delete", flags="-O0", note="a fill out of a freed owner")
pointer("setting", "nowhere", "O", "TEXT_SETTING SETTING_CHAR=char CALL=EnterCriticalSection", flags="-O0", note="a text as pointer")
pointer("player", "nowhere", "W", "TEXT_SETTING SETTING_CHAR=wchar_t CALL=LeaveCriticalSection CROWD=15", "leave", note="a 16-bit text as pointer")
pointer("channels", "plain", "N", "NO_TABLE", "delete", flags="-Os", note="an element of NULL, in C")
pointer("window", "nowhere", "O", "BEFORE_CREATE", flags="-O1", note="a member of NULL, in a window function")
pointer("shared", "plain", "N", "OTHERS_POINTER", "leave", note="another process's pointer, in C")
pointer("modes", "nowhere", "E", "END_OF_TABLE CROWD=10", note="two numbers behind a table of pointers")
pointer("trace", "nowhere", "E", "LITERAL", state=None, flags="-O1", note="a constant text, two arguments are swapped")
pointer("hook", "nowhere", "O", "CODE", "leave", state=None, note="a function")

# ---- no section: something else there -----------------------------------------------------------------------------------------------
pointer("global", "beside", "X", "ADDRESS_OF_POINTER", "delete", "debug-info-invalid", flags="-O1", note="the pointer's address")
pointer("tagged", "beside", "N", "TAGGED", "delete", "debug-info-invalid", note="a mark in the pointer's lowest bit")
pointer("plug", "beside", "X", "OLD_LAYOUT", mechanism="section-zeroed", note="an older layout in a DLL: other members, before a good lock", **PLUGIN)
pointer("cast", "beside", "E", "SIBLING", mechanism="debug-info-invalid", flags="-O1", note="a member of another class")
pointer("sentinel", "plain", "X", "LIST_HEAD", mechanism="debug-info-invalid", flags="-O1", note="what lies before a list's head, in C")
pointer("holder", "beside", "E", "ADDRESS_OF_LOCAL", mechanism="handle-implausible", flags="-O0", note="a local pointer's address; waits for what lies behind it")
pointer("pack", "beside", "W", "PACKED_HEADER", mechanism="handle-implausible", flags="-Os", note="four bytes too far; waits for the spin count")


def none(name, source, sets, defines, code=unseen.ACCESS, **more):
    sixth.add("d" + name, "unmade-" + source, sets, defines if "WAITERS=" in defines else defines + " WAITERS=0", "unknown", "none", None, code=code, **more)


# ---- no lock failure --------------------------------------------------------------------------------------------------------------
none("reader", "fine", "X", "UNMAPPED_READ WAITERS=2", flags="-O1", note="a read from an unmapped view, under a lock that others want")
none("sprite", "fine", "N", "AFTER_LEAVE", flags="-O0", note="a member of NULL, after a Leave")
none("freeing", "fine", "E", "FREE_UNDER_LOCK WAITERS=3 CROWD=20", note="RtlFreeHeap, under a lock that others want")
none("timer", "fine", "W", "TIMER", other_thread=True, note="a call into released memory, main waits in Enter")
none("print", "plain", "O", "NULL_FORMAT", flags="-O1", note="strcat of NULL, under a lock")
none("woken", "fine", "X", "WOKEN", other_thread=True, note="a member of NULL, after an Enter that waited")
none("cache", "fine", "N", "SEALED_PAGE RECURSE SPIN=1000", note="a write to a read-only page, under a lock entered twice")
none("halfmade", "fine", "E", "HALF_MADE CROWD=15", flags="-Os", note="a virtual call without a table, under a guard")
none("release", "fine", "W", "FREED_BY_DESTRUCTOR", flags="-O1", note="RtlFreeHeap, after a Leave")
none("lookup", "fine", "X", "REFUSED CROWD=25", note="a member of NULL, after a TryEnter that was refused")
