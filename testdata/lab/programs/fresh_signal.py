"""The second unseen batch: lock calls that fail by a status (and some crashes near them that are none). Written from what real code
does, without knowledge of the analyzer's code or answers. Twins only where a full dump with all stacks and handles leaves it open."""
from . import unseen

SIGNALS = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", **more):
    unseen.add("fresh", "n-sig-" + source, sets, defines, mechanism, cause, operation, **more)
    SIGNALS["n-" + name] = unseen.UNSEEN.pop("u-fresh")


def closed(name, sets, defines, mechanism="handle-slot-empty", source="close", **more):
    add(name, source, sets, defines, mechanism, "handle-closed", **more)


# ---- closed by other code --------------------------------------------------------------------------------------------------
closed("dbpool", "N", "DBPOOL WAITERS=3", note="a pool closes an idle connection's event twice")
closed("dbpool-thread", "X", "DBPOOL TAKE_THREAD WAITERS=1 CROWD=40", "handle-wrong-type", slot_type="Thread", flags="-O1")
closed("logger", "XO", "LOGGER WAITERS=2", flags="-O1", note="the log file could not be opened anew, its old number is closed once more")
closed("byte-id", "X", "BYTE_ID WAITERS=2 SPIN=200", flags="-Os", note="a handle kept in one byte: another one is closed")
closed("comref", "NE", "COMREF WAITERS=3", note="one Release too many")
closed("workers", "N", "THREADPOOL WAITERS=5 RECURSE CROWD=75", note="a worker's handle is closed when it is detached and when it is joined")
closed("workers-file", "O", "THREADPOOL WAITERS=2 TAKE_FILE", "handle-wrong-type", slot_type="File", flags="-O0")
closed("timers", "E", "TIMERS WAITERS=4 NO_DEBUG", note="a timer that had fired is cancelled")
closed("timers-wait-only", "X", "TIMERS WAITERS=2 TAKE_WAIT_ONLY", "handle-access-denied", slot_type="Event", flags="-Os")
closed("crt-file", "X", "CRT_FILE WAITERS=2 CROWD=25", flags="-O1", note="CloseHandle and _close of one file")
closed("ring", "N", "RING WAITERS=2", flags="-O0", note="the wrong slot of a ring")
closed("watcher", "X", "WATCHER WAITERS=2", source="close2", note="a watcher and its owner both close a process handle")
closed("tls-callback", "X", "TLS_CALLBACK IN_MAPPED WAITERS=3", source="close2", flags="-O1", note="a TLS callback closes what its thread has closed")
closed("at-exit", "X", "AT_EXIT WAITERS=2", source="close2", other_thread=True, note="in an exit handler")
closed("queue-enter", "NO", "QUEUE_ENTER WAITERS=1 LATE=2", source="close2", operation="enter", other_thread=True)
closed("queue-enter-key", "X", "QUEUE_ENTER WAITERS=2 LATE=1 TAKE_KEY CROWD=30", "handle-access-denied", source="close2", operation="enter", other_thread=True, slot_type="Key",
       note="a registry key, which may not be waited for, has the number")
closed("shutdown-delete", "N", "SHUTDOWN_DELETE", source="close2", operation="delete", os=dict(global_flag=0x400000), state=None,
       note="the event was closed before; with FLG_ENABLE_CLOSE_EXCEPTIONS DeleteCriticalSection's own NtClose raises")
closed("plugin-host", "X", "HOST WAITERS=6", source="close2", plugin="n-sig-plugin.c", flags="-O0", note="a plugin closes what it was lent")
closed("goto-cleanup", "O", "GOTO_CLEANUP WAITERS=2", source="plain", note="the cleanup at the end closes a file that was closed before")
closed("pipes", "N", "PIPES WAITERS=4", source="plain", flags="-O1", note="a pipe's end is closed twice")
closed("config", "N", "CONFIG WAITERS=1", source="plain", flags="-Os")
closed("config-token", "X", "CONFIG WAITERS=3 TAKE_TOKEN", "handle-wrong-type", source="plain", slot_type="Token")
closed("generations", "XE", "GENERATIONS WAITERS=2", source="plain", flags="-O0", note="an object is destroyed by an old reference")


def copied(name, sets, defines, mechanism="handle-slot-empty", source="copy", **more):
    add(name, source, sets, defines, mechanism, "copied", **more)


ORIGINAL = dict(of_original=True)

# ---- copied ------------------------------------------------------------------------------------------------------------------
copied("template", "XN", "CONTEXT_TEMPLATE WAITERS=2", source="plain", note="contexts copied from a template share one event")
copied("message", "O", "MESSAGE WAITERS=3", source="plain", flags="-O1", **ORIGINAL)
copied("message-file", "N", "MESSAGE WAITERS=1 TAKE_FILE", "handle-wrong-type", source="plain", slot_type="File", flags="-O0", **ORIGINAL)
copied("return-struct", "E", "RETURN_STRUCT WAITERS=1", source="plain", operation="enter", other_thread=True, flags="-O0")


def over(name, sets, defines, mechanism, **more):
    add(name, "over", sets, defines, mechanism, "corrupted", **more)


CLOSED = dict(twin="handle-closed")

# ---- written over ------------------------------------------------------------------------------------------------------------
over("text-field", "XN", "TEXT_FIELD", "handle-implausible", flags="-O1", note="an address too long for its field, while nobody holds the lock")
over("wide-field", "X", "WIDE_FIELD CROWD=60", "handle-implausible", flags="-Os", note="the same in 16-bit characters")
over("wide-field-woa", "W", "WIDE_FIELD NO_DEBUG", "handle-implausible", flags="-O0")
over("histogram", "N", "HISTOGRAM WAITERS=3", "handle-slot-empty", note="LockSemaphore counted up, 0x540 times")
over("digits", "X", "DIGITS WAITERS=2 SPIN=1000", "handle-implausible", flags="-O1", note="zeros are written from the end of a buffer, too many")
over("network-words", "NX", "NETWORK_WORDS WAITERS=2 CROWD=50", "handle-slot-empty", note="the two bytes of LockSemaphore exchanged")
over("toggle", "XE", "TOGGLE=0x800 WAITERS=4", "handle-slot-empty", flags="-Os", note="bit 11 of LockSemaphore")
over("quiet-stray", "XO", "QUIET_STRAY=0x1C8", "handle-slot-empty", operation="enter", other_thread=True, note="nobody had waited before: there never was an event", **CLOSED)
over("quiet-pointer", "N", "QUIET_STRAY=cache VISITED_BEFORE", "handle-implausible", operation="enter", other_thread=True, flags="-O0")
over("pixels", "W", "PIXELS WAITERS=2", "handle-implausible")
over("last-change", "N", "LAST_CHANGE IN_MAPPED WAITERS=1 NO_DEBUG", "handle-implausible", flags="-O1", note="a FILETIME")
over("one-byte-on", "N", "ONE_BYTE_ON WAITERS=6", "handle-slot-empty", note="bytes moved by one")
over("wrong-cast", "X", "WRONG_CAST WAITERS=2", "handle-implausible", flags="-O0")
over("pairs", "X", "PAIRS WAITERS=3", "handle-implausible", note="pairs of numbers from in front, over the counts too")
over("stripes", "X", "STRIPES WAITERS=1", "handle-slot-empty", flags="-Os", note="the same number in the LockSemaphore of eight sections")
over("length-stored", "W", "LENGTH=0x2A4 IN_STATIC WAITERS=2", "handle-slot-empty", note="LockSemaphore was -1, and is a small number")
over("handle-stored", "XN", "HANDLE_STORED=1 IN_STATIC_ARRAY WAITERS=2", "handle-wrong-type", slot_type="File", note="another open handle's value; those who wait do it for the right one")
over("handle-stored-enter", "E", "HANDLE_STORED=2", "handle-access-denied", operation="enter", other_thread=True, slot_type="Key", **CLOSED)
over("counted", "W", "COUNTED", "not-owner", twin="not-owner", note="LockCount counted up once")

# ---- copied, in C++ ------------------------------------------------------------------------------------------------------------
copied("rehash", "XN", "REHASH WAITERS=2", note="a hash table grew while an entry was locked")
copied("moved", "X", "MOVED WAITERS=1 CROWD=70", flags="-O1")
copied("moved-no-debug", "E", "MOVED WAITERS=3 NO_DEBUG", flags="-Os", note="those who wait do it in the original")
copied("shared-state", "X", "SHARED_STATE WAITERS=2 NO_DEBUG", twin="handle-closed", **ORIGINAL)
copied("shared-state-debug", "N", "SHARED_STATE WAITERS=4", flags="-O1", **ORIGINAL)
copied("spliced", "X", "SPLICED WAITERS=2", flags="-O0", note="copied from the stack, where it was destroyed")
copied("sorted", "N", "SORTED WAITERS=2")
copied("reloaded", "XN", "RELOADED WAITERS=2 CROWD=35", operation="enter", other_thread=True, flags="-Os")


def deleted(name, sets, defines, mechanism="section-zeroed", operation="leave", **more):
    more.setdefault("state", "zero" if mechanism == "section-zeroed" else None)
    add(name, "del", sets, defines, mechanism, "deleted", operation, **dict(dict(code=unseen.INVALID, handle_unknown=True, absent=False), **more))


# ---- deleted meanwhile -----------------------------------------------------------------------------------------------------------
deleted("channel", "NE", "WAITERS=2")
deleted("channel-static", "O", "WAITERS=4 IN_STATIC_CHANNEL RECURSE", flags="-O1")
deleted("channel-again", "X", "WAITERS=1 OPENED_AGAIN CROWD=40", "handle-slot-empty", note="deleted and initialised again")
deleted("channel-freed", "X", "WAITERS=2 FREED", "handle-slot-empty", flags="-Os", twin="memory-released", note="deleted and freed; the block holds a text now")
deleted("channel-number", "N", "WAITERS=2 NUMBER_TAKEN", code=unseen.WRONG_TYPE, flags="-O0", note="deleted, and the event's number given to a mutex")
deleted("channel-enter", "XO", "IN_ENTER WAITERS=2", operation="enter", other_thread=True)
deleted("channel-enter-static", "E", "IN_ENTER WAITERS=1 IN_STATIC_CHANNEL NO_DEBUG", operation="enter", other_thread=True, flags="-O1")


def raw(name, sets, defines, mechanism, cause="never-initialized", operation="leave", **more):
    add(name, "raw", sets, defines, mechanism, cause, operation, **more)


# ---- never made ------------------------------------------------------------------------------------------------------------------
# In heap memory or a pool, what lies there can also be what came after a section that was deleted; in static storage and on a live
# stack it cannot. Written over after it was made it would have a debug record, but for the sets without.
raw("raw-item", "XO", "RAW_ITEM=24", "handle-implausible", operation="enter", twin="memory-released", note="a list's item: the wait for a pointer fails", in_set={"x86-old": dict(note="a list's item; the old algorithm waits as well")})
raw("raw-distances", "XN", "RAW_DISTANCES", "handle-implausible", flags="-O1", note="0x7F in every byte of a static area")
raw("raw-buffer", "W", "RAW_BUFFER", "handle-implausible", twin="corrupted", note="a pool's block with old text")
raw("raw-buffer-events", "E", "RAW_BUFFER CROWD=30", "handle-implausible", flags="-Os", twin="memory-released", note="a pool's block with old text")
raw("raw-cleanup", "NO", "RAW_CLEANUP", "handle-slot-empty", flags="-O0", twin="memory-released", note="neither made nor entered: numbers")
raw("raw-local", "X", "RAW_LOCAL", "handle-implausible", flags="-O0", note="a local of the function that leaves; the text of another lay there")
raw("raw-fill", "N", "RAW_FILL=0xAF", "handle-implausible", twin="memory-released")

# ---- no longer -------------------------------------------------------------------------------------------------------------------
raw("gone-text", "XN", "GONE_TEXT", "handle-implausible", "memory-released", other_thread=True, twin="corrupted", note="freed without a Delete; the block holds a request")
raw("gone-item", "NX", "GONE_ITEM", "handle-implausible", "memory-released", "enter", other_thread=True, flags="-O1", twin="never-initialized", note="deleted and given back; a list's item")
raw("gone-item-old", "O", "GONE_ITEM", "handle-implausible", "memory-released", "enter", other_thread=True, flags="-Os", twin="never-initialized")
raw("gone-frame", "X", "GONE_FRAME", "handle-implausible", "memory-released", other_thread=True, flags="-O0", note="a local of a function that has returned")
raw("gone-arena", "XE", "GONE_ARENA WAITERS=2", "handle-implausible", "memory-released", twin="corrupted", note="an arena was reset while its object was locked")

# ---- another object ----------------------------------------------------------------------------------------------------------------
raw("wrong-class", "XN", "WRONG_CLASS", "handle-implausible", "bad-pointer", note="a static object of another class")
raw("wrong-index", "X", "WRONG_INDEX", "handle-implausible", "bad-pointer", flags="-O1", twin="never-initialized", note="one behind the table")


def share(name, sets, defines, mechanism="handle-slot-empty", operation="leave", **more):
    add(name, "share", sets, defines, mechanism, "cross-process", operation, **more)


# ---- two processes: those who wait, or the owner, are not in this one ---------------------------------------------------------------
share("shared-ring", "XN", "WAITERS=1", note="the other process waits")
share("shared-ring-number", "E", "WAITERS=2 NUMBERS_IN_USE", "handle-wrong-type", slot_type="Mutant", flags="-O1", note="the other process waits; its event's number is a mutex here")
share("shared-ring-enter", "XO", "WAITERS=1 CONSUMER_OWNS", operation="enter", flags="-O0", note="the other process owns it")


def stranger(name, sets, defines, **more):
    add(name, "own", sets, defines, "not-owner", "not-owner", other_thread=True, state=None, **more)  # the owner may have entered again


# ---- left by another than the owner ------------------------------------------------------------------------------------------------
stranger("failed-try", "XW", "FAILED_TRY", note="left although TryEnter had failed")
stranger("guard-twice", "N", "GUARD_TWICE CROWD=45", flags="-O1", note="a guard unlocks twice")
stranger("completion", "XE", "COMPLETION", flags="-Os", note="left by the thread that completes the request")
stranger("goto-done", "NX", "GOTO_DONE", flags="-O0", note="left without having entered")


def none(name, sets, defines, code=unseen.ACCESS, **more):
    add(name, "none", sets, defines, "unknown", "none", None, code=code, direct_import=True, **more)


# ---- no lock failure -----------------------------------------------------------------------------------------------------------------
none("close-in-guard", "XN", "CLOSE_IN_GUARD WAITERS=3", unseen.INVALID, os=dict(global_flag=0x400000), note="CloseHandle raises, while others wait for a lock")
none("event-class", "XO", "EVENT_CLASS=free_a_slot()", unseen.INVALID, flags="-O1", note="a class of the program's own raises what NtSetEvent answered")
none("event-class-type", "N", "EVENT_CLASS=CreateMutexA(NULL,FALSE,NULL) CROWD=40", unseen.WRONG_TYPE, note="the same with a handle of another type")
none("raised-by-check", "X", "RAISED_BY_CHECK", unseen.NOT_OWNED, flags="-Os", note="the program's own check raises STATUS_RESOURCE_NOT_OWNED")
none("null-callback", "N", "NULL_CALLBACK WAITERS=4", flags="-O0")
none("own-spin", "XW", "OWN_SPIN", note="the program itself reads a section whose memory is gone")
none("break-under-lock", "E", "BREAK_UNDER_LOCK WAITERS=2", 0x80000003, flags="-O1")
none("broken-and-freed", "X", "BROKEN_AND_FREED WAITERS=2", note="a section's event was closed, but the crash is in RtlFreeHeap")
none("thrown-in-guard", "N", "THROWN_IN_GUARD WAITERS=1", 0xE06D7363)
none("copy-loop", "O", "COPY_LOOP WAITERS=2", flags="-O1")
none("reader", "W", "WORKER WAITERS=2", other_thread=True, flags="-O0")
