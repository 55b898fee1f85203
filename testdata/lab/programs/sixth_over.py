"""The sixth batch: sections that something else writes into. See sixth.py."""
from . import sixth

STRICT = dict(os=dict(global_flag=0x400000))
LATE = dict(operation="enter", other_thread=True)


def over(name, source, sets, defines, mechanism, operation="leave", **more):
    if operation in ("delete", "try-enter"):
        defines += " CALL=" + sixth.unseen.CALLS[operation]
    if "OWNED" in defines.split():
        more["other_thread"] = True
    sixth.add("b" + name, "over-" + source, sets, defines, mechanism, "corrupted", operation, **more)


# ---- one field, through the address of a block that has been given back: a status ----------------------------------------------
over("meter", "slot", "X", "METER WAITERS=2 CROWD=30", "handle-implausible", note="a double")
over("color", "slot", "X", "COLOR WAITERS=1 SPIN=4000 BY_GUARD NAME=20", "handle-slot-empty", flags="-O1", note="a color, four bytes")
over("stamp", "slot", "O", "STAMP WAITERS=2 NAME=5", "handle-implausible", flags="-O0", note="the time")
over("tail", "slot", "X", "TAIL WAITERS=3 RECURSE NAME=33", "handle-implausible", note="the address of a new list entry")
over("opened", "slot", "X", "OPENED WAITERS=2 CROWD=15 NAME=12", "handle-wrong-type", slot_type="File", flags="-Os", note="a file's handle")
over("key", "slot", "N", "KEY BEFORE_ANYBODY WAITERS=1", "handle-access-denied", slot_type="Key", flags="-O1", note="a registry key's handle; nobody had waited before", **LATE)
over("unit", "slot", "O", "UNIT BEFORE_ANYBODY WAITERS=1 CROWD=20 NAME=26", "handle-implausible", note="text; nobody had waited before", **LATE)
over("guest", "slot", "N", "GUEST WAITERS=4 BY_VIRTUAL NAME=60", "handle-implausible", note="16-bit text, SpinCount too")
over("toggle", "slot", "N", "TOGGLE WAITERS=1 NO_DEBUG NAME=47", "handle-slot-empty", flags="-O0", note="bit 15 is flipped")
over("port", "slot", "E", "PORT WAITERS=2 BY_LAMBDA NAME=114", "handle-slot-empty", note="two bytes are swapped")
over("width", "slot", "X", "WIDTH=200 BEFORE_ANYBODY NO_DEBUG WAITERS=1 CROWD=25", "handle-slot-empty", twin="handle-closed",
     note="a small multiple of four, nobody had waited before, no debug record", **LATE)
over("line", "slot", "E", "WIDTH=695 BEFORE_ANYBODY WAITERS=1 NAME=15", "handle-slot-empty", flags="-O1", note="a small odd number, nobody had waited before", **LATE)
over("serial", "slot", "X", "SERIAL=60000 STRICT_DELETE", "handle-slot-empty", operation="delete", state=None, flags="-O0",
     note="Delete, under FLG_ENABLE_CLOSE_EXCEPTIONS", **STRICT)
over("object", "slot", "N", "REFERENCES ALONE CROWD=12", "not-owner", twin="not-owner", note="LockCount is counted up, nobody waits")
over("machine", "slot", "X", "STATE=5 ALONE BY_VIRTUAL NAME=6", "not-owner", flags="-O1", note="LockCount is a small positive number")
over("selected", "slot", "W", "SELECTED WAITERS=2 NAME=80", "not-owner", flags="-O0", note="a bit is set in LockCount, two sleep")

# ---- from behind: a status ---------------------------------------------------------------------------------------------------------
over("gain", "behind", "N", "GAIN WAITERS=2 SPIN=100", "handle-slot-empty", note="two elements below the first are tripled")
over("limits", "behind", "N", "LIMITS IN_TABLE WAITERS=1", "handle-slot-empty", flags="-O0", note="a small number in LockSemaphore and SpinCount")
over("justify", "behind", "E", "JUSTIFY WAITERS=3 BY_GUARD", "handle-implausible", flags="-Os", note="blanks, from the end")
over("digits", "behind", "W", "DIGITS WAITERS=2 CROWD=20", "handle-implausible", note="digits, from the end; half of LockSemaphore")
over("matrix", "behind", "X", "MATRIX WAITERS=2 IN_TABLE", "handle-implausible", note="a row of floats below the first")
over("pixels", "behind", "E", "PIXELS WAITERS=1", "handle-implausible", flags="-O1", note="two rows of pixels below the first")
over("center", "behind", "O", "CENTER WAITERS=2 RECURSE", "handle-implausible", note="a title that begins too early")

# ---- late: a status ------------------------------------------------------------------------------------------------------------------
over("address", "late", "W", "FROM_LENGTH IN_STACK WAITERS=2", "handle-implausible", flags="-O0", note="a receiver's length, by another thread, to a stack")
over("bytes", "late", "N", "TRANSFERRED IN_STACK WAITERS=1 CROWD=18", "handle-slot-empty", note="a count of bytes, by another thread, to a stack")
over("aborted", "late", "O", "RESULT WAITERS=2 IN_STATIC_ARRAY BY_CALLBACK", "handle-implausible", flags="-O1", note="a result code, by another thread")
over("feed", "late", "X", "PENDING WAITERS=2", "handle-implausible", flags="-O1", note="the status of a pending read, by the system")

# ---- the whole section, or its middle: a status ----------------------------------------------------------------------------------------
over("contact", "through", "X", "CONTACT", "handle-implausible", note="16-bit text from its own field, not up to the end")
over("account", "through", "W", "SCRAMBLE BY_LAMBDA", "handle-implausible", flags="-Os", note="the whole object is exclusive-ored")
over("tickets", "through", "E", "SEQUENCE CROWD=10", "handle-implausible", flags="-O1", note="integers from its own table, in static storage")
over("picture", "through", "W", "PICTURE", "handle-implausible", twin="memory-released", note="a file's bytes over the whole block; this system keeps no record")
over("download", "through", "E", "PACKED_VIEW WAITERS=2", "handle-implausible", note="two bytes inside LockSemaphore, by another packing")
over("entry", "plain", "N", "ENTRY_KEY", "handle-implausible", flags="-O1", note="text from its own field, over the whole section")


def hit(name, source, sets, defines, operation="enter", mechanism="debug-info-invalid", **more):
    over(name, source, sets, defines, mechanism, operation, **more)


# ---- DebugInfo, one value: an access violation -----------------------------------------------------------------------------------------
hit("sender", "head", "X", "FILE_HANDLE OWNED WAITERS=2 CROWD=20 IN_MAPPED", flags="-O1", note="a file's handle, others sleep")
hit("call", "head", "N", "INVALID OWNED WAITERS=0 HOST=60", note="a negative result")
hit("listbox", "head", "E", "UPPER_HALF OWNED WAITERS=1 HOST=100", flags="-O0", note="the upper half is an index")
hit("printers", "head", "E", "NODE", operation="delete", note="the address of a list's node")
hit("counted", "head", "W", "REFERENCES OWNED WAITERS=0 IN_STATIC_ARRAY", note="the lower half was -1 and is counted up")
hit("cursor", "head", "W", "NO_CURRENT OWNED WAITERS=2 HOST=156", flags="-Os", note="NULL, others sleep")
hit("hook", "head", "N", "HOOK OWNED WAITERS=0 IN_DLL", plugin="k-plugin.c", note="a function's address; the section is a DLL's")
hit("message", "head", "N", "NETWORK_ORDER OWNED WAITERS=2 SPIN=4000 HOST=92", flags="-O1", note="the bytes of DebugInfo are swapped")
hit("transfer", "head", "X", "BYTES_SENT OWNED WAITERS=0 HOST=20", flags="-Os", note="the lower half is the upper half of a count")
hit("pool", "plain", "O", "LIST_HEAD WAITERS=2", other_thread=True, note="NULL, others sleep")

# ---- from in front: an access violation ---------------------------------------------------------------------------------------------------
hit("person", "into", "X", "PHONE OWNED WAITERS=1", note="eight characters of text")
hit("frame", "into", "N", "CAPTION", operation="delete", flags="-O0", note="16-bit text")
hit("levels", "into", "E", "LEVELS CROWD=14", flags="-O1", note="three integers")
hit("doorbell", "into", "W", "RING", note="a message: DebugInfo up to RecursionCount")
hit("element", "into", "N", "TAG", flags="-Os", note="16-bit text from its own field: DebugInfo up to RecursionCount")
hit("folder", "into", "O", "COMPOSE", flags="-O1", note="a path, on the stack: DebugInfo and LockCount")
hit("nesting", "into", "E", "NESTING", operation="delete", note="integers, in thread-local storage")
hit("typing", "into", "X", "ONE_MORE", note="all is moved on by one byte")
hit("users", "plain", "O", "PARENT", operation="delete", flags="-O1", note="the address of a structure, by an index one too high")
hit("adapters", "plain", "X", "HARDWARE_ADDRESS", operation="delete", flags="-O0", note="six bytes")

# ---- the whole object, the block, the neighbours: an access violation ------------------------------------------------------------------------
hit("session", "wipe", "X", "RESET", mechanism="section-zeroed", twin="memory-released", note="the whole block is cleared")
hit("logout", "wipe", "W", "RESET CROWD=16", mechanism="section-zeroed", flags="-O1", twin="never-initialized", note="the whole block is cleared; this system keeps no record")
hit("record", "wipe", "X", "BLANKS", flags="-O0", twin="memory-released", note="the whole block is blanks")
hit("options", "wipe", "O", "OPTIONS", mechanism="section-zeroed", note="cleared from the middle of the object on, into the next one")
hit("sector", "wipe", "E", "SECTOR", flags="-Os", note="a file's bytes over several objects")
hit("servers", "plain", "N", "RELOAD", mechanism="section-zeroed", note="a static table is cleared with its locks, and filled anew")
hit("received", "plain", "X", "WIDE_COUNT", mechanism="section-zeroed", flags="-Os", note="twice the buffer's size is cleared")
hit("worker", "near", "X", "NEIGHBOUR=8", operation="delete", note="text through a heap block's border")
hit("workers", "near", "N", "NEIGHBOUR=4 OWNED WAITERS=1", flags="-O1", note="text through a heap block's border, another sleeps")
hit("notice", "near", "N", "RECORD", operation="delete", record_hit=True, note="text through a heap block's border into the debug record")
hit("hits", "near", "E", "COUNTER", operation="delete", record_hit=True, flags="-O1", note="a number in the debug record")
