"""The third batch, unseen: lock calls that fail by a status, and crashes near them that are none. Written from what real code does, without
knowledge of the analyzer. A twin stands only where a full dump with handles and all stacks leaves the other cause open."""
from . import unseen

SIGNALS = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", **more):
    unseen.add("third", "m-sig-" + source, sets, defines, mechanism, cause, operation, **more)
    SIGNALS["m-" + name] = unseen.UNSEEN.pop("u-third")


def closed(name, sets, defines, mechanism="handle-slot-empty", source="close", **more):
    add(name, source, sets, defines, mechanism, "handle-closed", **more)


# ---- closed by other code --------------------------------------------------------------------------------------------------
closed("dialog", "X", "EVENT_LOOP WAITERS=2", flags="-O1", note="a message closes a device that the message before has closed")
closed("dialog-semaphore", "N", "EVENT_LOOP TAKE_SEMAPHORE WAITERS=4 CROWD=35", "handle-wrong-type", slot_type="Semaphore", flags="-Os")
closed("service", "XO", "SERVICE WAITERS=3 SPIN=300", note="STOP and SHUTDOWN both release")
closed("folder", "E", "DIR_WATCH WAITERS=1 CROWD=20", flags="-O0", note="a change notification is ended and closed")
closed("folder-timer", "X", "DIR_WATCH TAKE_TIMER WAITERS=5", "handle-wrong-type", slot_type="Timer")
closed("lru", "X", "LRU WAITERS=2", flags="-Os", note="an entry is in the list of a cache twice")
closed("holders", "N", "TWO_OWNERS WAITERS=6 RECURSE", note="two counted holders of one raw pointer")
closed("holders-query", "X", "TWO_OWNERS TAKE_QUERY_ONLY WAITERS=2 CROWD=65", "handle-access-denied", slot_type="Event", flags="-O1")
closed("transfer", "X", "STATE_MACHINE IN_STACK WAITERS=2", note="the state after an error closes once more")
closed("transfer-dll", "N", "STATE_MACHINE IN_DLL WAITERS=1", plugin="plugin.c", flags="-O0")
closed("voices", "E", "VOICES WAITERS=3 NO_DEBUG", note="a voice that was stolen ends")
closed("voices-mapping", "O", "VOICES TAKE_MAPPING WAITERS=2", "handle-wrong-type", slot_type="Section")
closed("undo", "X", "UNDO WAITERS=4", flags="-O0", note="a file is closed by undo, and by undo again")
closed("undo-process", "N", "UNDO TAKE_PROCESS WAITERS=2", "handle-wrong-type", slot_type="Process", flags="-O1")
closed("variant", "X", "UNION_VALUE IN_STATIC_ARRAY WAITERS=1 SPIN=4000 CROWD=110", note="a number is taken for a handle")
closed("request", "X", "REQUEST WAITERS=3 CROWD=15", flags="-Os", note="the section lies on another thread's stack")
closed("request-query", "N", "REQUEST TAKE_QUERY_ONLY WAITERS=1", "handle-access-denied", slot_type="Event", flags="-O0")
closed("lookup", "XE", "LOOKUP_ENTER WAITERS=1 LATE=3", operation="enter", other_thread=True, flags="-O1")
closed("lookup-number", "O", "LOOKUP_ENTER WAITERS=2 LATE=1", operation="enter", other_thread=True)
closed("hangups", "XO", "HANGUPS WAITERS=2", source="plain", flags="-O1", note="a session that has ended is found idle")
closed("hangups-job", "N", "HANGUPS TAKE_JOB WAITERS=3", "handle-wrong-type", source="plain", slot_type="Job", flags="-O0")
closed("compacted", "X", "COMPACTED TAKE_DIRECTORY WAITERS=2", "handle-wrong-type", source="plain", slot_type="File")
closed("per-cpu", "N", "PER_CPU WAITERS=3", source="plain", flags="-Os")
closed("handed-over", "X", "HANDED_OVER WAITERS=2", source="plain", operation="enter", other_thread=True,
       note="what was the completion event is set once more and closed: a waiter wakes, and cannot wait again")
closed("sign-lost", "E", "SIGN_LOST WAITERS=5", source="plain", flags="-O1")


def copied(name, sets, defines, mechanism="handle-slot-empty", source="copy", **more):
    add(name, source, sets, defines, mechanism, "copied", **more)


ORIGINAL = dict(of_original=True)

# ---- copied ------------------------------------------------------------------------------------------------------------------
copied("reallocated", "X", "REALLOCATED WAITERS=2", source="plain", note="a table has an entry three times; one of them is deleted", **ORIGINAL)
copied("shifted", "N", "SHIFTED WAITERS=3", source="plain", flags="-Os", note="the elements of an array move up, the last place is deleted")


def over(name, sets, defines, mechanism, source="over", **more):
    add(name, source, sets, defines, mechanism, "corrupted", **more)


CLOSED = dict(twin="handle-closed")
LATE = dict(source="over2", operation="enter", other_thread=True)

# ---- written over while others wait: they are parked on the event that the section had --------------------------------------------
over("erased-word", "X", "ERASED_WORD SPIN=4000 WAITERS=2", "handle-slot-empty", note="words behind move down: the spin count is LockSemaphore now")
over("transposed", "N", "TRANSPOSED WAITERS=3", "handle-implausible", flags="-O1", note="a float, in four bytes of LockSemaphore")
over("mixed", "X", "MIXED WAITERS=1 CROWD=30", "handle-slot-empty", note="a sample is added to LockSemaphore")
over("decrypted", "W", "DECRYPTED WAITERS=2", "handle-implausible", flags="-Os", note="LockSemaphore and SpinCount are XORed with a key")
over("shift-register", "X", "SHIFT_REGISTER=3 IN_MAPPED WAITERS=4", "handle-slot-empty", note="LockSemaphore shifted by three bits")
over("bytes-left", "X", "BYTES_LEFT IN_STATIC WAITERS=2 RECURSE", "handle-implausible", flags="-O0", note="LockSemaphore below zero")
over("packed-ticks", "N", "PACKED_TICKS WAITERS=1", "handle-implausible", note="four bytes from the middle of LockSemaphore on")
over("list-head", "X", "LIST_HEAD WAITERS=6", "handle-implausible", flags="-O1", note="two pointers to LockSemaphore itself")
over("hook", "W", "HOOK WAITERS=2", "handle-implausible", flags="-O0", note="a function's address")
over("empty-back", "E", "EMPTY_BACK WAITERS=3", "handle-implausible", note="a text and its length")
over("rgb", "XO", "PIXEL_ROW WAITERS=2", "handle-implausible", flags="-O1", note="bytes from behind, all but the lowest of LockSemaphore", in_set={"x86-old": dict(note="bytes from behind, the upper half of LockSemaphore")})
over("header-bits", "XO", "HEADER_BITS IN_STATIC_ARRAY WAITERS=2", "handle-slot-empty", flags="-O0", note="a bit field, over the lowest byte")
over("middle-endian", "N", "MIDDLE_ENDIAN WAITERS=4", "handle-slot-empty", note="halves of LockSemaphore exchanged")
over("sifted", "N", "SIFTED WAITERS=2 CROWD=50", "handle-slot-empty", flags="-Os", note="a key")
over("cancelled", "XW", "CANCELLED=1 WAITERS=2", "not-owner", note="LockCount is -1 although others wait")
over("worker-stored", "XO", "WORKER_STORED=1 WAITERS=3", "handle-wrong-type", slot_type="Thread", note="another open handle; those who wait do it for the right one")
over("event-stored", "E", "WORKER_STORED=2 WAITERS=1 NO_DEBUG", "handle-access-denied", slot_type="Event", flags="-O1")

# ---- written over while nobody waits -----------------------------------------------------------------------------------------------
over("run-length", "NW", "RUN_LENGTH", "handle-implausible", source="over2", note="a static object: never made, it would be zero")
over("options", "X", "OPTIONS", "handle-implausible", source="over2", flags="-O1", note="a protocol's option is longer than its field")
over("wrong-sizeof", "X", "WRONG_SIZEOF CROWD=25", "handle-implausible", source="over2", flags="-O0", twin="memory-released", note="memset of the whole for the part: every byte of the block is foreign")
over("corners", "XW", "CORNERS", "handle-implausible", source="over2", note="four doubles, one corner too many")
over("capacity", "XO", "CAPACITY=0x3A0 WAITERS=1", "handle-slot-empty", note="nobody had waited before: there never was an event", **LATE, **CLOSED)
over("progress", "N", "PROGRESS VISITED IN_STATIC_ARRAY WAITERS=2", "handle-implausible", flags="-O1", **LATE)
over("date", "E", "DUE_DATE WAITERS=2", "handle-slot-empty", note="a year, not of the handles' multiple", **LATE)
over("guests", "X", "GUESTS=0x2E8 WAITERS=2 CROWD=20", "handle-slot-empty", flags="-O1", note="a section on another thread's stack", **LATE, **CLOSED)
over("node-stored", "X", "NODE_STORED IN_TLS WAITERS=1", "handle-implausible", flags="-Os", **LATE)

# ---- copied, in C++ ----------------------------------------------------------------------------------------------------------------
copied("coroutine", "X", "COROUTINE WAITERS=2", note="a coroutine's frame is copied into a bigger one")
copied("coroutine-mutex", "N", "COROUTINE TAKE_MUTEX WAITERS=1 CROWD=45", "handle-wrong-type", slot_type="Mutant", flags="-O1")
copied("exchanged", "E", "EXCHANGED WAITERS=3", flags="-O0", note="swap by a temporary")
copied("by-value-loop", "NO", "BY_VALUE_LOOP WAITERS=2", flags="-O1", note="a loop makes a copy of each element", **ORIGINAL)
copied("by-value-loop-bare", "X", "BY_VALUE_LOOP WAITERS=2 NO_DEBUG", twin="handle-closed", note="the copy is gone, the original has no debug record that its Delete could have spoilt", **ORIGINAL)
copied("thread-context", "X", "THREAD_CONTEXT WAITERS=4", flags="-Os", note="a thread destroys its copy at its end", **ORIGINAL)
copied("rolled-back", "E", "ROLLED_BACK WAITERS=1", operation="enter", other_thread=True, rolled_back=True, twin="corrupted", note="an undo record has the bytes of the lock that was", **ORIGINAL)
copied("prototype", "N", "PROTOTYPE WAITERS=2 CROWD=20", operation="enter", other_thread=True, note="of two clones one is destroyed", **ORIGINAL)


def deleted(name, sets, defines, mechanism="section-zeroed", operation="leave", **more):
    more.setdefault("state", "zero" if mechanism == "section-zeroed" else None)
    add(name, "del", sets, defines, mechanism, "deleted", operation, **dict(dict(code=unseen.INVALID, handle_unknown=True, absent=False), **more))


# ---- deleted meanwhile -----------------------------------------------------------------------------------------------------------
deleted("reaped", "NX", "WAITERS=1", flags="-Os", note="a reaper's Delete overtakes a Leave")
deleted("reaped-seeking", "E", "SEEKING WAITERS=2 ON_HEAP", operation="enter", other_thread=True, note="and an Enter")
deleted("reaped-again", "O", "MADE_AGAIN WAITERS=3", "handle-slot-empty", flags="-O1", note="deleted and initialised again")
deleted("reaped-poisoned", "X", "POISONED WAITERS=2 ON_HEAP", "handle-slot-empty", twin="memory-released", note="deleted, and filled by operator delete")
deleted("reaped-number", "X", "CHANGED_HANDS WAITERS=2 CROWD=55", code=unseen.WRONG_TYPE, flags="-O0", note="deleted, and the event's number given to a section object")


def raw(name, sets, defines, mechanism, cause="never-initialized", operation="leave", **more):
    add(name, "raw", sets, defines, mechanism, cause, operation, **more)


# ---- never made ------------------------------------------------------------------------------------------------------------------
# There is no debug record for the address. Where all around is foreign too, the pointer can be wrong as well; where the object's own
# fields are right, or a live function's frame has it, it cannot.
raw("raw-union", "XN", "RAW_UNION", "handle-implausible", flags="-O1", twin="bad-pointer", note="a static variant's path, taken for a lock")
raw("raw-file", "X", "RAW_FILE", "handle-implausible", twin="bad-pointer", note="records of a mapped file")
raw("raw-object", "X", "RAW_OBJECT CROWD=25", "handle-implausible", flags="-Os", note="the object's other fields are right")
raw("raw-object-woa", "W", "RAW_OBJECT", "handle-implausible", flags="-O0")
raw("raw-stack", "X", "RAW_STACK", "handle-implausible", flags="-O0", note="a table of doubles was on the stack there")
raw("raw-waited", "XO", "RAW_WAITED", "handle-implausible", operation="enter", twin="memory-released", note="a file's record: the wait for a pointer fails")
raw("raw-singleton", "E", "RAW_SINGLETON=0xBF", "handle-implausible", other_thread=True, twin="memory-released", flags="-O1", note="used before its lock was made")

# ---- no longer -------------------------------------------------------------------------------------------------------------------
raw("gone-pool", "N", "GONE_POOL WAITERS=2", "handle-implausible", "memory-released", twin="corrupted", note="a session's block is a picture now, its waiters still wait")
raw("gone-grown", "N", "GONE_GROWN", "handle-implausible", "memory-released", other_thread=True, flags="-O1", twin="never-initialized", note="deleted; numbers of a table")
raw("gone-dll", "X", "GONE_DLL", "handle-implausible", "memory-released", plugin="plugin.c", unloaded="plugin.dll", note="a buffer where an unloaded plugin was")
raw("gone-view", "X", "GONE_VIEW", "handle-implausible", "memory-released", flags="-Os", twin="corrupted", note="another view at the same address")
raw("gone-local", "X", "GONE_LOCAL", "handle-implausible", "memory-released", flags="-O0", twin="corrupted", note="a local of a function that has returned, where a live one has its table")
raw("gone-strings", "E", "GONE_STRINGS", "handle-implausible", "memory-released", twin="corrupted", note="the end of a block that shrank")

# ---- another object ----------------------------------------------------------------------------------------------------------------
raw("wrong-indirection", "X", "WRONG_INDIRECTION", "handle-implausible", "bad-pointer", flags="-O1", note="the address of the pointer to the lock")
raw("wrong-offset", "X", "WRONG_OFFSET", "handle-implausible", "bad-pointer", twin="never-initialized", note="numbers in front of the lock")
raw("wrong-unit", "N", "WRONG_UNIT", "handle-implausible", "bad-pointer", flags="-Os", twin="never-initialized", note="an object's text, the lock is behind it")


def share(name, sets, defines, operation="leave", **more):
    add(name, "share", sets, defines, "handle-slot-empty", "cross-process", operation, **more)


# ---- two processes -------------------------------------------------------------------------------------------------------------------
share("shared-log", "N", "WAITERS=3", flags="-O1", note="the other process waits")
share("shared-log-left", "X", "EVENT_LEFT_BEHIND WAITERS=2", operation="enter", other_thread=True, note="the event went with the process that made it; threads of this one wait first")


def stranger(name, sets, defines, **more):
    add(name, "own", sets, defines, "not-owner", "not-owner", other_thread=True, state=None, **more)  # the owner may have entered again


# ---- left by another than the owner ------------------------------------------------------------------------------------------------
stranger("copied-code", "X", "WRONG_ONE", note="one is entered, another left")
stranger("resumed-elsewhere", "W", "RESUMED_ELSEWHERE", flags="-O0", note="a task goes on on another thread")
stranger("deferred", "X", "DEFERRED CROWD=35", flags="-Os", note="a clean-up of the last request")
stranger("own-depth", "E", "OWN_DEPTH", flags="-O1", note="a depth that all threads share")


def none(name, sets, defines, code=unseen.ACCESS, **more):
    add(name, "none", sets, defines, "unknown", "none", None, code=code, direct_import=True, **more)


# ---- no lock failure -----------------------------------------------------------------------------------------------------------------
none("own-lock", "X", "OWN_SEMAPHORE=free_a_slot() WAITERS=1", unseen.INVALID, flags="-O1", note="a lock of the program's own, with like fields")
none("own-lock-denied", "E", "OWN_SEMAPHORE=CreateFileMappingA(INVALID_HANDLE_VALUE,NULL,PAGE_READWRITE,0,64,NULL) WAITERS=2", unseen.DENIED)
none("required", "N", "REQUIRED=0xC0000022 WAITERS=3", unseen.DENIED, note="the program's own check raises, under a lock")
none("close-twice", "X", "CLOSE_TWICE WAITERS=2", unseen.INVALID, os=dict(global_flag=0x400000), note="CloseHandle raises; a lock is broken as well")
none("broken-link", "X", "BROKEN_LINK WAITERS=1", note="text over a list's node with its lock, but the walk crashes")
none("in-callback", "XO", "IN_CALLBACK WAITERS=2", flags="-O0")
none("owner-check", "W", "OWNER_CHECK WAITERS=2", 0x80000003)
none("thread-dies", "E", "THREAD_DIES WAITERS=1", other_thread=True, flags="-O1")
none("freed-twice", "N", "FREED_TWICE WAITERS=1", flags="-Os", note="RtlFreeHeap reads through a wild pointer, after a proper Delete")
