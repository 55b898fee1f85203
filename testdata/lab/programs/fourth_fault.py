"""The fourth batch, unseen: lock calls that fail by an access violation, and crashes near them that are none. Written as a sample of what goes
wrong in the field, without knowledge of the analyzer. A twin stands only where a full dump with handles, memory map and all stacks leaves it open."""
from . import unseen

FAULTS = {}


def add(name, source, sets, defines, mechanism, cause, operation, **more):
    if operation and operation != "enter":
        defines += " CALL=" + unseen.CALLS[operation]
    unseen.add("fourth", "k-f-" + source, sets, defines, mechanism, cause, operation, **more)
    FAULTS["k-f-" + name] = unseen.UNSEEN.pop("u-fourth")


def pointer(name, sets, defines, operation="enter", mechanism="pointer-invalid", **more):
    more.setdefault("state", "gone" if mechanism == "pointer-invalid" else None)
    add(name, "ptr", sets, defines, mechanism, "bad-pointer", operation, **more)


# ---- no section: a bad pointer -------------------------------------------------------------------------------------------
pointer("no-window", "XO", "NO_WINDOW=20", note="a member of NULL")
pointer("no-window-big", "N", "NO_WINDOW=6000", operation="try-enter", flags="-O1", note="a member of NULL, 12 KB in")
pointer("not-started", "X", "NOT_STARTED", state="null", flags="-Os", note="a NULL pointer to a lock")
pointer("not-started-leave", "W", "NOT_STARTED", operation="leave", state="null", flags="-O0")
pointer("unset", "X", "UNSET", flags="-O0", note="a local pointer that was not set; what a function before left there")
pointer("window-long", "XW", "WINDOW_LONG", flags="-O1", note="32 bits of a pointer")
pointer("freed-link", "X", "FREED_LINK=0xDD", note="a pointer out of a freed node")
pointer("freed-link-fe", "N", "FREED_LINK=0xFE CROWD=30", flags="-O1")
pointer("below-table", "X", "BELOW_TABLE", operation="leave", note="table[-1] is a text")
pointer("tag", "NX", "TAG=0x1A4", operation="try-enter", flags="-O1", note="a message's small parameter")
pointer("pimpl", "XO", "PIMPL_OVERRUN", flags="-O0", note="text over the pointer to the object that has the lock")
pointer("interface", "XN", "WRONG_INTERFACE", state=None, note="a table of functions: read-only storage")
pointer("half-made", "X", "HALF_MADE", operation="delete", flags="-O1", note="the member of a NULL")
pointer("past-end", "E", "PAST_END CROWD=40", flags="-O0", note="behind a table")
pointer("object-start", "X", "OBJECT_START", mechanism="debug-info-invalid", note="the object instead of its member: DebugInfo is its table of functions")


def gone(name, sets, defines, operation="enter", mechanism="section-unreadable", **more):
    more.setdefault("state", "gone" if mechanism == "section-unreadable" else None)
    add(name, "gone", sets, defines, mechanism, "memory-released", operation, **more)


PLUGIN = dict(plugin="k-plugin.c", unloaded="plugin.dll")
# ---- memory that was given back ------------------------------------------------------------------------------------------
gone("codec", "XO", "CODEC_UNLOADED", note="in an unloaded DLL", **PLUGIN)
gone("codec-delete", "N", "CODEC_UNLOADED CROWD=20", operation="delete", flags="-Os", **PLUGIN)
gone("codec-worker", "XE", "CODEC_WORKER", other_thread=True, flags="-O1", note="in an unloaded DLL, another thread comes", **PLUGIN)
gone("session", "XN", "SESSION_CLOSED", operation="leave", note="VirtualFree under the object's own guard")
gone("cache-view", "X", "CACHE_VIEW NO_DEBUG", operation="try-enter", other_thread=True, note="an unmapped view")
gone("big-image", "N", "BIG_IMAGE", flags="-O0", note="a large heap block")
gone("script-heap", "X", "PRIVATE_HEAP SPIN=4000", operation="delete", flags="-O1", note="HeapDestroy")
gone("pool-shrinks", "XO", "POOL_SHRINKS=40", operation="leave", flags="-Os", note="decommitted")
gone("thread-ended", "N", "THREAD_ENDED", note="on an ended thread's stack")
gone("grown", "W", "GROWN_LIST", operation="leave", flags="-O0", note="a vector's old block")
gone("block-text", "XN", "BLOCK_REUSED", mechanism="debug-info-invalid", twin="corrupted", note="the heap block was used anew, for text")
gone("sprite", "X", "OBJECT_REUSED", mechanism="debug-info-invalid", flags="-O1", note="the heap block was used anew, by another class")
gone("free-fill", "N", "FREE_FILL=0xFEEEFEEE", mechanism="debug-info-invalid", note="a fill for freed memory")
gone("free-fill-woa", "W", "FREE_FILL=0x5A5A5A5A CROWD=25", mechanism="debug-info-invalid", twin="corrupted", note="an allocator's own fill, on a system that keeps no record")
gone("frame-arena", "XE", "FRAME_ARENA", mechanism="debug-info-invalid", flags="-O1", twin="corrupted", note="an arena was reset")
gone("scope-ended", "X", "SCOPE_ENDED", mechanism="debug-info-invalid", flags="-O0", note="in another function's live frame")


def deleted(name, sets, defines, **more):
    add(name, "del", sets, defines, "section-zeroed", "deleted", "enter", **more)


NEVER = dict(twin="never-initialized")
# ---- deleted ---------------------------------------------------------------------------------------------------------------
deleted("statics", "X", "STATICS_AT_EXIT", other_thread=True, note="exit handlers in the wrong order", **NEVER)
deleted("singleton", "XO", "SINGLETON_GONE", flags="-O1", **NEVER)
deleted("worker-outlives", "N", "WORKER_OUTLIVES CROWD=30", other_thread=True, note="not joined", **NEVER)
deleted("late-timer", "E", "LATE_TIMER", other_thread=True, flags="-Os", **NEVER)
deleted("base", "X", "BASE_DESTRUCTOR", flags="-O1", note="the base's destructor; the derived one's frame, which deleted, is live")
deleted("released", "XN", "RELEASED", note="the last reference goes in the object's own method", **NEVER)
deleted("evicted", "W", "EVICTED", flags="-O0", note="an entry of a batch", **NEVER)
deleted("error-path", "X", "ERROR_PATH NO_DEBUG", **NEVER)
deleted("restarted", "O", "RESTARTED", flags="-O1", **NEVER)
deleted("deleter-waits", "X", "DELETER_WAITS CROWD=20", other_thread=True, note="the thread that deleted waits for this one")


def raw(name, sets, defines, mechanism="section-zeroed", operation="enter", **more):
    add(name, "raw", sets, defines, mechanism, "never-initialized", operation, **more)


DELETED = dict(twin="deleted")
# ---- never initialised -------------------------------------------------------------------------------------------------------
raw("constructors", "X", "BEFORE_CONSTRUCTION", note="static; made by the next in a table of constructors", **DELETED)
raw("init-failed", "XO", "INIT_FAILED", flags="-O1", note="zeroed heap", **DELETED)
raw("first-one", "N", "LAST_ONE INDEX=0", note="static, the first of a table", **DELETED)
raw("flag-first", "X", "FLAG_FIRST", other_thread=True, flags="-O1", note="static; another thread is about to make it")
raw("copy-constructor", "XN", "COPY_CONSTRUCTOR", "debug-info-invalid", note="old text in a heap block")
raw("local-fill", "X", "LOCAL_FILL=0xCC", "debug-info-invalid", flags="-O0", note="a local, filled with CC")
raw("local-residue", "N", "LOCAL_RESIDUE", "debug-info-invalid", flags="-O0", note="a local, with what was on the stack")
raw("heap-fill", "W", "HEAP_FILL=0xC0C0C0C0 CROWD=20", "debug-info-invalid", twin="corrupted", note="a fill for new blocks (C0), on a system that keeps no record")
raw("heap-fill-old", "O", "HEAP_FILL=0xBAADF00D", "debug-info-invalid", flags="-Os", note="a fill for new blocks (BAADF00D)")
raw("clean-up", "X", "CLEAN_UP", "debug-info-invalid", "delete", flags="-O1", note="old text, deleted on an error path")
raw("foreign-thread", "X", "PER_THREAD", other_thread=True, note="thread-local, zero", **DELETED)
raw("fresh-pages", "E", "RESERVED_PAGES CROWD=15", note="fresh pages", **DELETED)


def over(name, sets, defines, operation="enter", mechanism="debug-info-invalid", **more):
    if "OWNED" in defines.split():
        more["other_thread"] = True
    add(name, "over", sets, defines, mechanism, "corrupted", operation, **more)


# ---- written over --------------------------------------------------------------------------------------------------------
over("host", "XN", "HOST_NAME=22 OWNED WAITERS=2", note="text over DebugInfo; it begins in its own buffer")
over("host-delete", "X", "HOST_NAME=30", operation="delete", flags="-O1")
over("file-name", "X", "WIDE_FILE", flags="-O1", note="16-bit text over DebugInfo and the counts")
over("pixels", "N", "PIXELS=1 OWNED WAITERS=0", flags="-Os", note="a pixel over DebugInfo")
over("matrix", "E", "MATRIX=1 OWNED WAITERS=1", note="a double over DebugInfo")
over("next-block", "XO", "NEXT_BLOCK", operation="delete", note="the block in front is overrun: integers over DebugInfo and the counts")
over("stale-link", "XW", "STALE_LINK OWNED WAITERS=3", flags="-O0", note="a pointer to a read-only node over DebugInfo")
over("cleared", "XN", "CLEARED", mechanism="section-zeroed", flags="-O1", twin="memory-released", note="memset of the whole object, to its last byte; a debug record for it is still in the list")
over("template", "W", "TEMPLATE_COPY", mechanism="section-zeroed", twin="never-initialized", note="a template's bytes; this system keeps no record")
over("bit", "X", "BIT=40 OWNED WAITERS=0 IN_STATIC CROWD=20", note="bit 40 of DebugInfo")
over("record", "N", "RECORD IN_MAPPED", operation="delete", record_hit=True, flags="-O1", note="not the section but its debug record, by text")
over("classes", "O", "COUNTS", note="integers over DebugInfo and LockCount")
over("result", "E", "LOW_HALF=0x80070005 OWNED WAITERS=2 IN_STATIC_ARRAY", flags="-Os", note="an error code over half of DebugInfo")

# ---- copied --------------------------------------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (("both-destroyed", "XO", "BOTH_DESTROYED", dict(of_original=True, flags="-O1", note="a parameter and the original")),
                                      ("reallocated", "N", "REALLOCATED", dict(note="the old place was deleted, and now the new one"))):
    unseen.add("fourth", "k-copy", _sets, _defines, "debug-info-invalid", "copied", "delete", **_more)
    FAULTS["k-f-" + _name] = unseen.UNSEEN.pop("u-fourth")


def none(name, sets, defines, **more):
    unseen.add("fourth", "k-f-none", sets, defines, "unknown", "none", None, code=unseen.ACCESS, direct_import=True, **more)
    FAULTS["k-f-" + name] = unseen.UNSEEN.pop("u-fourth")


# ---- no lock failure -----------------------------------------------------------------------------------------------------
none("none-free", "XN", "FREED_UNDER_LOCK WAITERS=2", note="RtlFreeHeap, under a lock")
none("none-walk", "X", "LIST_WALK WAITERS=0", flags="-O1")
none("none-object", "X", "OBJECT_GONE WAITERS=0", note="beside a lock whose memory is gone")
none("none-spinlock", "W", "OWN_SPINLOCK WAITERS=0", flags="-O0", note="a lock of the program's own, at NULL")
none("none-virtual", "N", "VIRTUAL_UNDER_LOCK WAITERS=0 CROWD=30")
none("none-deleted", "X", "DELETED_NEARBY WAITERS=0", flags="-O1", note="after a Delete")
none("none-monitor", "X", "READ_DEBUG_INFO WAITERS=0", note="the program itself reads at an offset of the debug record")
none("none-owner", "E", "OTHER_THREAD WAITERS=0", other_thread=True)
none("none-callback", "O", "STACK_SMASHED WAITERS=0")
none("none-broken", "X", "BROKEN_NEARBY WAITERS=0", flags="-O0", note="a lock is text, but nobody has wanted it")
