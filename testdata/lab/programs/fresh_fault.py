"""The second unseen batch, first part (n-f-*): lock calls that fail by an access violation, and crashes that are none of a lock. Written
from what real code does, without knowledge of the analyzer's code or answers. Nine sources, one macro per variant.

A twin stands only where a full dump cannot decide. It can where a frame that is still live shows what was done or not done yet, where the list
of debug records has (or has not) the section, or where the other object that owns the memory is there to be seen."""
from . import unseen

FAULTS = {}


def add(name, source, sets, defines, mechanism, cause, operation, **more):
    unseen.add("fresh", source, sets, defines, mechanism, cause, operation, **more)
    FAULTS["n-f-" + name] = unseen.UNSEEN.pop("u-fresh")


# ---- no section: a bad pointer ------------------------------------------------------------------------------------------
def pointer(name, sets, defines, mechanism="pointer-invalid", operation="enter", **more):
    more.setdefault("state", "gone" if mechanism == "pointer-invalid" else None)
    add("ptr-" + name, "n-f-ptr", sets, defines, mechanism, "bad-pointer", operation, **more)


pointer("null-pool", "XO", "NULL_POOL CROWD=40", flags="-O1", note="a member of NULL")
pointer("moved-guard", "W", "MOVED_GUARD", operation="leave", state="null", note="NULL out of a guard that was moved from")
pointer("cookie", "X", "COOKIE", operation="try-enter", flags="-Os", note="a cookie where an interface pointer belongs; misaligned")
pointer("poisoned-node", "XN", "POISONED_NODE=0xF5", operation="leave", note="the pointer was read from a freed node that a pool had filled")
pointer("counted-head", "X", "COUNTED_HEAD CROWD=90", note="a counter in the upper 16 bits was not stripped")
pointer("cross-cast", "XN", "CROSS_CAST", "debug-info-invalid", flags="-O1", note="the second base by a cast through void *: eight bytes in, over text and the true section")
pointer("swapped", "X", "SWAPPED_ARGUMENTS", state=None, note="a function's address")
pointer("handle", "O", "HANDLE_CONTEXT", other_thread=True, note="a member of a handle")
pointer("timer-id", "X", "TIMER_ID=0x29AB40000ull", note="truncated to 32 bits and sign-extended")
pointer("address-of", "N", "ADDRESS_OF_POINTER", "debug-info-invalid", "delete", note="the address of the pointer: DebugInfo is a good section")
pointer("old-stride", "N", "OLD_STRIDE CROWD=60", "debug-info-invalid", flags="-Os", note="walked with an older structure's size: inside an element, over its section")
pointer("residue", "X", "RESIDUE", flags="-O0", note="an unassigned variable: half of a double")
pointer("wrong-member", "XO", "WRONG_MEMBER", operation="delete", note="a time in a union, taken for a pointer")
pointer("list-head", "X", "LIST_HEAD", "debug-info-invalid", note="the record around the head of an empty list")

# ---- memory that was given back ------------------------------------------------------------------------------------------
def gone(name, sets, defines, operation="enter", source="n-f-gone", mechanism="section-unreadable", **more):
    more.setdefault("state", "gone" if mechanism == "section-unreadable" else None)
    add("gone-" + name, source, sets, defines, mechanism, "memory-released", operation, **more)


PLUGIN = dict(plugin="plugin.c", unloaded="plugin.dll")
gone("trimmed", "X", "TRIMMED CROWD=25 SPIN=4000", "delete", note="decommitted before its objects were destroyed")
gone("observer", "N", "OBSERVER", "try-enter", flags="-O1", note="VirtualFree")
gone("reloaded", "XO", "RELOADED QUEUED=2", "leave", note="an unmapped view")
gone("timer", "XW", "TIMER", other_thread=True, note="in an unloaded DLL; a timer's thread comes", **PLUGIN)
gone("plugin-guard", "NE", "PLUGIN_GUARD CROWD=35 QUEUED=1", "leave", flags="-Os", note="in an unloaded DLL", **PLUGIN)
gone("fiber", "X", "FIBER", note="on a deleted fiber's stack")
gone("fence", "X", "FENCE NO_DEBUG", "try-enter", flags="-O0", note="a page that may not be touched")
gone("big-block", "N", "BIG_BLOCK", note="a large heap block")
gone("own-heap", "XO", "OWN_HEAP CROWD=15 SPIN=1000", flags="-O1", note="HeapDestroy")
gone("grown", "W", "GROWN QUEUED=3", "leave", note="the old pages of a table that grew")
gone("last-release", "X", "LAST_RELEASE", "leave", note="the object went with its last reference, under its own guard")
REUSE = dict(source="n-f-reuse", mechanism="debug-info-invalid")
gone("heap-block", "XN", "HEAP_BLOCK", twin="corrupted", note="the heap block was used anew, for integers", **REUSE)
gone("other-class", "X", "OTHER_CLASS", note="the heap block was used anew: an object of another class, with its table and links", **REUSE)
gone("pool", "NX", "POOL=0x5C", flags="-O1", note="a pool's chunk, marked as free and filled", **REUSE)
gone("dead-frame", "X", "DEAD_FRAME", other_thread=True, flags="-O1", note="in a frame that is gone; another function's live frame lies there", **REUSE)
gone("block-text", "O", "BLOCK_TEXT", "delete", twin="corrupted", note="the heap block was used anew, for text", **REUSE)


# ---- never initialised ---------------------------------------------------------------------------------------------------
def raw(name, sets, defines, mechanism="section-zeroed", operation="enter", source="n-f-raw", **more):
    add("raw-" + name, source, sets, defines, mechanism, "never-initialized", operation, **more)


raw("double-checked", "XN", "DOUBLE_CHECKED=2500", other_thread=True, flags="-O1", note="zeroed heap; the thread that makes the object is still in its constructor")
raw("arena", "X", "NO_CONSTRUCTOR=0xC0C0C0C0", "debug-info-invalid", note="a fill for new memory (C0)")
raw("arena-be", "W", "NO_CONSTRUCTOR=0xBEBEBEBE CROWD=50", "debug-info-invalid", twin="corrupted", note="a fill (BE); Windows 10 keeps no record of a section without waiters")
raw("stack-fill", "N", "STACK_FILL=0xCC", "debug-info-invalid", flags="-O0", note="a local, filled with CC")
raw("stack-residue", "X", "STACK_RESIDUE", "debug-info-invalid", flags="-O0", note="a local, with what a function before had there")
raw("early-plugin", "XN", "EARLY_PLUGIN", plugin="n-f-plugin.cpp", note="static; a plugin's constructor comes before the host's initialisation, which follows in main")
raw("optional", "E", "UNSHARED", twin="deleted", note="zeroed heap; the constructor makes the lock for shared objects only")
raw("per-thread", "N", "PER_THREAD CROWD=20", other_thread=True, twin="deleted", flags="-Os", note="zeroed heap, a thread's context")
raw("old-text", "XW", "OLD_TEXT", "debug-info-invalid", note="static, a recycled block with old text", in_set={"x64-woa": dict(twin="corrupted")})
raw("by-hand", "X", "BY_HAND=0", "debug-info-invalid", other_thread=True, note="{ NULL, -1 } as an initialiser: the first contended Enter")
raw("stopped-early", "O", "STOPPED_EARLY", source="n-f-plain", twin="deleted", note="zeroed heap, behind the last element that was made")
raw("goto-cleanup", "NX", "GOTO_CLEANUP", "debug-info-invalid", "delete", source="n-f-plain", flags="-O1", note="the error path deletes what was not made; old text")
raw("debug-allocator", "O", "DEBUG_ALLOCATOR", "debug-info-invalid", source="n-f-plain", note="a fill for new memory (BAADF00D)")


# ---- deleted -------------------------------------------------------------------------------------------------------------
def gone_by_delete(name, sets, defines, mechanism="section-zeroed", operation="enter", source="n-f-del", **more):
    add("del-" + name, source, sets, defines, mechanism, "deleted", operation, **more)


NEVER = dict(twin="never-initialized")
gone_by_delete("statics", "X", "STATICS", other_thread=True, note="destructors at exit, in the wrong order", **NEVER)
gone_by_delete("base", "XW", "BASE_FLUSHES", flags="-O1", note="the base's destructor flushes; the derived one's frame, which deleted, is live")
gone_by_delete("late-join", "N", "LATE_JOIN CROWD=30", other_thread=True, note="the thread that deleted is still in the function that did it")
gone_by_delete("spinning", "XO", "SPINNING=0xF00000", other_thread=True, flags="-O1", note="deleted while this thread was spinning for it; the one that deleted waits for it")
gone_by_delete("variant", "N", "TAGGED", "debug-info-invalid", "delete", note="deleted twice; a string lies there by now", **NEVER)
gone_by_delete("timer", "E", "TIMER", other_thread=True, flags="-Os", note="a timer fires after the shutdown", **NEVER)
gone_by_delete("observers", "N", "OBSERVERS CROWD=45", flags="-O0", **NEVER)
gone_by_delete("by-value", "OX", "BY_VALUE", note="initialised and deleted by the same function that uses it: a parameter's destructor")
gone_by_delete("reload", "W", "RELOAD", other_thread=True, note="a reader kept the old configuration", **NEVER)
gone_by_delete("twice", "X", "SHUT_DOWN_TWICE", source="n-f-plain", flags="-O0", **NEVER)


# ---- written over --------------------------------------------------------------------------------------------------------
def over(name, sets, defines, operation="enter", **more):
    add("over-" + name, "n-f-over", sets, defines, "debug-info-invalid", "corrupted", operation, **more)


over("receive", "XN", "RECEIVE QUEUED=2", other_thread=True, note="text over DebugInfo, while it is owned")
over("wide-path", "W", "WIDE_PATH", flags="-O1", note="wide text over DebugInfo, its end over LockCount")
over("matrix", "N", "MATRIX CROWD=55 DEEP=3", other_thread=True, flags="-O1", note="a double over DebugInfo")
over("upper-half", "X", "UPPER_HALF=10000 QUEUED=1 SPIN=600", other_thread=True, note="four bytes of DebugInfo")
over("writer", "XO", "DANGLING_WRITER", "delete", record_hit=True, note="not the section but its debug record, by floats")
over("int-table", "N", "INT_TABLE SPIN=4000", flags="-Os", note="integers over DebugInfo and LockCount")
over("list-link", "NE", "LIST_LINK CROWD=20", "delete", note="DebugInfo points to a list's node")
over("cleared", "O", "CLEARED_FRONT DEEP=2 SPIN=250", other_thread=True, note="DebugInfo and LockCount cleared, while it is owned")
over("file-time", "X", "FILE_TIME NO_DEBUG QUEUED=3", other_thread=True, flags="-O0", note="a time over the first eight bytes, while it is owned")
over("guid", "X", "GUID_COPY", note="a GUID over the first sixteen bytes")
over("handles", "E", "HANDLE_TABLE", note="handles over DebugInfo and LockCount")
over("bit", "X", "FLIPPED=44 SPIN=2000 DEEP=2", other_thread=True, note="bit 44 of DebugInfo")
over("chunk", "NX", "CHUNK_HEADER CROWD=30", flags="-O1", note="an allocator's header over DebugInfo, LockCount and RecursionCount")

# ---- copied --------------------------------------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (
        ("by-value", "XO", "BY_VALUE", dict(of_original=True, flags="-O1", note="the copy was deleted, and now the original")),
        ("erased", "W", "ERASED CROWD=40", dict(note="moved within an array, the original's place deleted")),
        ("undo", "N", "UNDO SPIN=3000", dict(of_original=True, note="saved bytes were put back after the Delete"))):
    add("copy-" + _name, "n-f-copy", _sets, _defines, "debug-info-invalid", "copied", "delete", **_more)


# ---- no lock failure -----------------------------------------------------------------------------------------------------
def none(name, sets, defines, code=unseen.ACCESS, **more):
    add("none-" + name, "n-f-none", sets, defines, "unknown", "none", None, code=code, direct_import=True, **more)


none("eviction", "XN", "EVICTION", flags="-O1", note="RtlFreeHeap, under two locks")
none("copy-loop", "X", "COPY_LOOP NO_DEBUG", note="while others wait")
none("after-leave", "XW", "AFTER_LEAVE", note="a member of the NULL that a function with a finished Leave returned")
none("null-callback", "N", "NULL_CALLBACK", flags="-O0", note="a NULL function, called under a lock")
none("third-thread", "X", "THIRD_THREAD CROWD=20", other_thread=True, note="another lock's owner crashes, while others wait")
none("null-this", "X", "NULL_THIS", note="before the Enter of the same method")
none("catch", "X", "CATCH_HANDLER", options="-fexceptions -frtti", flags="-O1", note="in the handler of a C++ exception that a guard was unwound by")
none("checked", "N", "CHECKED", 0x80000003, flags="-Os")
none("bad-method", "W", "BAD_METHOD", note="data is executed; the lock is the argument")
none("is-mine", "XO", "OWNED_BY_ME", note="the program itself reads from a section whose memory is gone")
none("unloaded", "X", "UNLOADED_CODE", plugin="n-f-plugin.cpp", unloaded="plugin.dll", note="unloaded code, called under a lock")
none("raised", "N", "RAISED_AGAIN", note="RaiseException with the code of an access violation and a section's field as its address")
none("compared", "E", "COMPARED", note="in a comparison, under a lock")
none("freed-text", "X", "FREED_TWICE", flags="-O1", note="RtlFreeHeap, after a Delete")

# ---- in C ------------------------------------------------------------------------------------------------------------------
add("ptr-defaults", "n-f-plain", "O", "DEFAULTS", "pointer-invalid", "bad-pointer", "enter", flags="-O1", state=None, note="a constant: read-only storage")
