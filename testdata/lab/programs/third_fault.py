"""The third batch, first part (m-f-*): lock calls that fail by an access violation, and crashes that are none of a lock. Written from what
real code does, without knowledge of the analyzer's code or answers, in other shapes than the batches before. One macro per variant.

A twin stands only where a full dump with handles, memory map and all stacks cannot decide: the list of debug records, a live frame, threads
that sleep, or the object around the section often can."""
from . import unseen

FAULTS = {}


def add(name, source, sets, defines, mechanism, cause, operation, **more):
    unseen.add("third", source, sets, defines, mechanism, cause, operation, **more)
    FAULTS["m-f-" + name] = unseen.UNSEEN.pop("u-third")


# ---- no section: a bad pointer ------------------------------------------------------------------------------------------
def pointer(name, sets, defines, operation="enter", mechanism="pointer-invalid", source="m-f-ptr", **more):
    more.setdefault("state", "gone" if mechanism == "pointer-invalid" else None)
    add("ptr-" + name, source, sets, defines, mechanism, "bad-pointer", operation, **more)


pointer("slot-id", "X", "SLOT_ID=0x5A3E CROWD=30", "try-enter", flags="-O1", note="an id (generation and slot) taken for the object")
pointer("encoded", "X", "ENCODED SPIN=900", note="EncodePointer without DecodePointer")
pointer("minus-one-index", "X", "MINUS_ONE_INDEX", "leave", flags="-Os", note="an index of -1 in an unsigned: far behind the array")
pointer("text", "N", "TEXT_OVER_POINTER", "try-enter", note="wide text lies over the pointer to a good section")
pointer("argument", "N", "WRONG_ARGUMENT CROWD=15", "leave", flags="-O0", note="half of a double out of variable arguments")
pointer("record-of-null", "XO", "RECORD_OF_NULL", flags="-O1", note="the record around NULL begins before zero")
pointer("error-code", "WO", "ERROR_CODE=0x80070057", "delete", note="an error code in place of a pointer")
pointer("tombstone", "E", "TOMBSTONE=1 CROWD=50", "try-enter", flags="-O1", note="the mark of a removed entry")
pointer("behind-table", "X", "BEHIND_TABLE=8", "leave", note="two counts taken for a pointer")
pointer("other-lock", "N", "OTHER_LOCK", "enter", "debug-info-invalid", twin="never-initialized", flags="-O1", note="a lock of another kind")


# ---- memory that was given back ------------------------------------------------------------------------------------------
def gone(name, sets, defines, operation="enter", mechanism="section-unreadable", source="m-f-gone", **more):
    more.setdefault("state", "gone" if mechanism == "section-unreadable" else None)
    add("gone-" + name, source, sets, defines, mechanism, "memory-released", operation, **more)


PLUGIN = dict(plugin="plugin.c", unloaded="plugin.dll")
gone("janitor", "W", "JANITOR CROWD=20", "leave", flags="-O1", note="decommitted by another thread")
gone("window", "XN", "WINDOW SPIN=1500", "try-enter", note="an unmapped view")
gone("freed-too-often", "XO", "FREED_TOO_OFTEN", note="in a DLL whose count was lowered once too often", **PLUGIN)
gone("freed-too-often-try", "N", "FREED_TOO_OFTEN BY_TRY CROWD=70", "try-enter", flags="-O0", note="in a DLL whose count was lowered once too often", **PLUGIN)
gone("worker-stack", "X", "WORKER_STACK", "leave", flags="-Os", note="on the stack of a thread that has ended")
gone("member-order", "ON", "MEMBER_ORDER", "delete", flags="-O1", note="HeapDestroy before the lock's destructor")
gone("second-view", "E", "SECOND_VIEW NO_DEBUG", note="the second of two views of the same memory")
gone("pages-anew", "X", "PAGES_ANEW", mechanism="debug-info-invalid", twin="corrupted", note="the pages were released and serve a picture now")
gone("listener", "XO", "LISTENER", mechanism="debug-info-invalid", flags="-O1", note="in a frame that is gone; a live frame's array lies there")
gone("table-moves", "E", "TABLE_MOVES", "try-enter", source="m-f-plain", flags="-Os", note="a large heap block that HeapReAlloc moved")


# ---- never initialised ---------------------------------------------------------------------------------------------------
def raw(name, sets, defines, operation="enter", mechanism="section-zeroed", source="m-f-raw", **more):
    add("raw-" + name, source, sets, defines, mechanism, "never-initialized", operation, **more)


raw("saved-flag", "XN", "SAVED_FLAG CROWD=40", twin="deleted", note="static; the flag that says it is made came out of a file")
raw("old-numbers", "X", "OLD_NUMBERS", mechanism="debug-info-invalid", flags="-O1", note="a recycled heap block of doubles, in a live object")
raw("base-not-called", "O", "BASE_NOT_CALLED", twin="deleted", note="zeroed heap; an override that does not call its base")
raw("pattern", "X", "VAR_PATTERN=0xAA", mechanism="debug-info-invalid", flags="-O0", note="a local with the pattern of a compiler's option (AA)")
raw("pattern-fe", "N", "VAR_PATTERN=0xFE CROWD=10", mechanism="debug-info-invalid", flags="-O1", note="a local with the pattern of a compiler's option (FE)")
raw("to-capacity", "X", "TO_CAPACITY", "delete", "debug-info-invalid", note="behind the last element that was made; the block had held pointers")
raw("same-twice", "E", "SAME_TWICE", flags="-Os", note="another one was initialised twice instead: it has two debug records")
raw("refused-plugin", "N", "REFUSED_PLUGIN", twin="deleted", other_thread=True, plugin="plugin.c", note="a plugin's static, whose start was refused")
raw("switch", "O", "SKIPPED_BY_SWITCH", source="m-f-plain", twin="deleted", flags="-O0", note="zeroed heap; a case of a switch was passed over")


# ---- deleted -------------------------------------------------------------------------------------------------------------
def gone_by_delete(name, sets, defines, operation="enter", mechanism="section-zeroed", **more):
    add("del-" + name, "m-f-del", sets, defines, mechanism, "deleted", operation, **more)


gone_by_delete("missing-reference", "N", "MISSING_REFERENCE CROWD=25", twin="never-initialized", note="released once too early; the block is kept for the next one")
gone_by_delete("under-callback", "X", "UNDER_CALLBACK", flags="-O1", note="the outer call, which is live, had entered it")
gone_by_delete("member-first", "WN", "MEMBER_GOES_FIRST", flags="-O0", note="the owner's destructor is live")
gone_by_delete("state-behind", "E", "STATE_BEHIND", "delete", "debug-info-invalid", twin="never-initialized", note="deleted twice; statistics lie there by now")
gone_by_delete("others-asleep", "W", "OTHERS_ASLEEP", note="two threads sleep for it")


# ---- written over --------------------------------------------------------------------------------------------------------
def over(name, sets, defines, operation="enter", source="m-f-over", **more):
    add("over-" + name, source, sets, defines, "debug-info-invalid", "corrupted", operation, **more)


over("hex", "X", "HEX_DIGITS CROWD=35", flags="-O1", note="hexadecimal text over DebugInfo and a part of LockCount, idle")
over("pixel", "X", "PIXEL=0x6CB804 ASLEEP=1", other_thread=True, note="a local; three bytes of DebugInfo, while it is owned and waited for")
over("reversed", "XN", "REVERSED=8 NO_DEBUG", flags="-Os", note="fields exchanged with what lies before them")
over("stale-blink", "NE", "STALE_BLINK=0x5F5E100", "delete", record_hit=True, note="one link of the debug record is a number")
over("nulled", "X", "NULLED ASLEEP=2", other_thread=True, flags="-O1", note="DebugInfo := NULL, while it is owned and waited for")
over("position", "WX", "POSITION=0x7FF0000000 AGAIN", other_thread=True, note="a large number was added to DebugInfo (Windows 10: to -1)")
over("samples", "O", "SAMPLES=4 ASLEEP=1 SPIN=300", other_thread=True, flags="-O1", note="sixteen-bit samples over DebugInfo and LockCount, while it is owned and waited for")
over("share-name", "X", "SHARE_NAME", "delete", note="wide text over DebugInfo, idle")
over("end-mark", "X", "END_MARK", other_thread=True, flags="-O0", note="thread-local; -1 in one half of DebugInfo, while it is owned")
over("dates", "N", "DATES CROWD=20", twin="memory-released", note="dates over the whole section, from behind; its debug record is still listed")
over("longer-structure", "N", "LONGER_STRUCTURE", source="m-f-plain", note="two addresses of IPv6 over the section's front")

# ---- copied --------------------------------------------------------------------------------------------------------------
add("copy-pipe", "m-f-copy", "X", "THROUGH_PIPE", "debug-info-invalid", "copied", "delete", of_original=True, note="sent through a pipe by value; the copy was deleted, and now the original")
add("copy-ring", "m-f-copy", "W", "RING_GROWS CROWD=30", "debug-info-invalid", "copied", "delete", flags="-O1", note="moved to a larger block as bytes, the originals deleted")
add("copy-template", "m-f-plain", "XO", "TEMPLATE", "debug-info-invalid", "copied", "delete", flags="-Os", note="assigned from a template that was destroyed")
add("ptr-poison", "m-f-plain", "E", "LEFT_THROUGH_STALE=0xDEAD10CCDEAD10CCull", "pointer-invalid", "bad-pointer", "leave", flags="-O1", state="gone", note="a poisoned pointer in a live frame")


# ---- no lock failure -----------------------------------------------------------------------------------------------------
def none(name, sets, defines, code=unseen.ACCESS, **more):
    add("none-" + name, "m-f-none", sets, defines, "unknown", "none", None, code=code, direct_import=True, **more)


none("clears-null", "X", "CLEARS_NULL", note="in the C library, under a lock that others sleep for")
none("field-of-null", "XN", "FIELD_OF_NULL", flags="-O1", note="the address is that of a failed Enter's write, the instruction the program's")
none("literal", "O", "LITERAL CROWD=20", note="a write to a constant, under a lock")
none("heap-fill", "W", "HEAP_FILL=0xCE", flags="-O1", note="RtlFreeHeap, after a Delete")
none("own-statistics", "WX", "OWN_STATISTICS NO_DEBUG", note="the program reads from a section's DebugInfo of -1")
none("unset-in-thread", "N", "UNSET_IN_THREAD", other_thread=True, flags="-Os", note="a member of NULL in a worker, under a lock that one sleeps for")
none("thread-function", "X", "NO_THREAD_FUNCTION CROWD=30", other_thread=True, note="a thread of function NULL, whose argument is a lock that others sleep for")
none("goes-on", "E", "GOES_ON", flags="-O0", note="an idle section was overrun on the way to the pointer that is used")
