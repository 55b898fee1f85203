"""The eighth batch: never made, no section's address."""
from . import eighth

DELETED = dict(twin="deleted")


def unmade(name, source, sets, defines, mechanism="section-zeroed", operation="enter", **more):
    eighth.add(name, "unmade-" + source, sets, defines, mechanism, "never-initialized", operation, **more)


# ---- somebody comes too early ------------------------------------------------------------------------------------------------
unmade("hfilter", "early", "N", "EARLY_STATIC", flags="-O1", note="static, before main: a constructor of another global")
unmade("honce", "early", "W", "ONCE_RACE", other_thread=True, note="static; the thread that makes it is at it")
unmade("hsampler", "early", "E", "BASE_REGISTERS CROWD=15", "handle-implausible", other_thread=True, flags="-O1", note="a node's fields; the constructor is at it")
unmade("hcodec", "early", "E", "DLL_INIT", flags="-Os", plugin="y-unmade-codec.c", note="static, in a DLL", **DELETED)
unmade("hthread-state", "early", "X", "FRESH_THREAD CROWD=20", flags="-O0", other_thread=True, note="thread-local, of a new thread", **DELETED)

# ---- nobody makes it -----------------------------------------------------------------------------------------------------------
unmade("hstrings", "forgot", "X", "UNUSED_INIT", note="static, C", **DELETED)
unmade("hmonitor", "forgot", "X", "STATIC_INITIALIZER", "debug-info-invalid", other_thread=True, note="an initialiser of fields; it fails when somebody has to wait")
unmade("hstream", "forgot", "O", "FAILED_OPEN", "debug-info-invalid", "delete", flags="-Os", note="an old path; the failed open is at it")
unmade("htable", "forgot", "X", "SHORT_TABLE", "debug-info-invalid", "delete", flags="-O1", note="old pixels, behind six deleted ones")
unmade("hpool", "forgot", "N", "POOL_GROWS", note="an arena's slot", **DELETED)
unmade("hmerge", "fields", "N", "LOCAL_MERGE", "debug-info-invalid", flags="-O0", note="a local, with pointers to constants")
unmade("htemplate", "fields", "W", "SECOND_CONSTRUCTOR", "handle-implausible", "leave", note="old text, right fields around")
unmade("hmixer", "fields", "E", "NEW_FILL CROWD=10", "debug-info-invalid", flags="-O1", other_thread=True, note="a fill for new blocks; another thread has it, one has to wait")


def pointer(name, source, sets, defines, operation="enter", mechanism="pointer-invalid", **more):
    more.setdefault("state", "gone" if mechanism == "pointer-invalid" else None)
    eighth.add(name, "unmade-" + source, sets, defines, mechanism, "bad-pointer", operation, **more)


# ---- no object ----------------------------------------------------------------------------------------------------------------------
pointer("hdocument", "null", "X", "NO_DOCUMENT", flags="-O1", note="a member of NULL")
pointer("hsession", "null", "N", "RESET_UNDER_GUARD", "leave", note="a member of NULL, under its own guard")
pointer("hmessage", "null", "X", "MESSAGE_ID CROWD=30", "try-enter", flags="-Os", note="a number for an object")
pointer("hconnection", "null", "E", "FREED_OWNER", "leave", note="a fill out of a freed owner")
pointer("himage", "null", "X", "UNSET_LOCAL", "delete", flags="-O0", note="an unset local, two numbers")
pointer("hheader", "null", "X", "MAP_FAILED", flags="-O1", note="-1 and an offset")
pointer("happ", "handed", "W", "NO_LOCK_YET", flags="-O1", state="null", other_thread=True, note="NULL, after a cleanup")

# ---- another thing ---------------------------------------------------------------------------------------------------------------------
pointer("hpeer", "object", "E", "INT_RESULT CROWD=20", flags="-O1", note="32 bits of a pointer, with their sign")
pointer("hclients", "object", "N", "EMPTY_LIST", mechanism="debug-info-invalid", note="the head of an empty list")
pointer("hlanes", "object", "N", "COUNTED_FROM_ONE CROWD=15", mechanism="debug-info-invalid", flags="-Os", note="behind the last element: constants")
pointer("hlogger", "object", "W", "WRONG_CONTEXT", "leave", "handle-implausible", state="signal", flags="-O1", twin="memory-released", note="a logger, on the heap")
pointer("hlock-pointer", "handed", "O", "POINTER_TO_POINTER", mechanism="handle-slot-empty", flags="-O0", note="the pointer's own address: DebugInfo is the lock's address, LockSemaphore a port")
pointer("hrecord", "object", "O", "TEXT_NODE", "delete", note="16-bit text as pointer, out of a freed node")
