"""The sixth batch: lifetimes. See sixth.py; the programs are w-cNAME."""
from . import sixth, unseen

PLUGIN = dict(plugin="w-life-plugin.c")
OTHER = dict(other_thread=True)
NEVER, CORRUPTED, BAD = (dict(twin=t) for t in ("never-initialized", "corrupted", "bad-pointer"))


def add(name, source, sets, defines, mechanism, cause, operation="enter", **more):
    sixth.add("c" + name, "life-" + source, sets, defines + " CALL=" + unseen.CALLS[operation], mechanism, cause, operation, **more)


def late(name, source, sets, defines, mechanism="section-zeroed", operation="enter", **more):
    add(name, source, sets, defines, mechanism, "deleted", operation, **more)


# ---- deleted at the end: an access violation ---------------------------------------------------------------------------------
late("journal", "exit", "X", "STATIC_ORDER", options="-fno-threadsafe-statics", note="static; a function's static goes before a global that was made earlier")
late("services", "exit", "N", "STOP_ORDER CROWD=25", flags="-O1", note="static; stopped in the order of their start")
late("audio", "exit", "W", "AUDIO_THREAD", **OTHER, note="static; the device's callback comes until it is closed")
late("tick", "exit", "N", "TIMER_QUEUE", flags="-Os", **OTHER, note="static; a timer of the thread pool")
late("finalizer", "exit", "E", "FINALIZER CROWD=40", **OTHER, note="heap; finalized as they come")
late("pool-item", "exit", "X", "POOL_ITEM", flags="-O0", note="the block is free; a global's destructor gives an item back")
late("thread-detach", "exit", "E", "THREAD_DETACH", **OTHER, **PLUGIN, note="static, in a DLL; its DllMain notes the thread's end")
late("two-users", "exit", "X", "TWO_USERS CROWD=15", flags="-O1", **PLUGIN, note="static, in a DLL that the first user stops for both")

# ---- deleted, and somebody comes: an access violation ------------------------------------------------------------------------------
late("addon", "late", "N", "CALLBACK_DELETES", note="the block is free; RecursionCount is -1, a Leave came first")
late("peers", "late", "X", "REFERENCES CROWD=30 NO_DEBUG", flags="-Os", **NEVER, note="static, the entry of a table; what came before, the other end has decided")
late("reconnect", "late", "W", "RECONNECT", flags="-O1", note="heap, zeroed by its owner before")
late("watcher", "late", "X", "STOP_TIMEOUT SPIN=1000", **OTHER, note="the block is free")
late("printer", "late", "O", "BASE_DESTRUCTOR", flags="-O0", note="the destructors' frames are live")
late("view", "late", "O", "WINDOW_MESSAGES CROWD=20", **NEVER, note="static; what came before, the user has decided")
late("request", "late", "E", "WORK_ITEM", flags="-O1", **OTHER, note="static; a thread of the pool")
late("optional", "late", "N", "OPTIONAL_VALUE", flags="-O0", **OTHER, note="thread-local storage")
late("cursor", "late", "X", "DOUBLE_DELETE", "debug-info-invalid", "delete", note="freed twice; the block is a text in between")
late("broker", "late", "E", "REOPENING CROWD=10", **OTHER, note="static; the thread that deleted will initialise again")
late("download", "late", "W", "CAPTURED", flags="-Os", note="heap")


def race(name, sets, defines, mechanism="section-zeroed", operation="leave", **more):
    more.setdefault("state", "zero" if mechanism == "section-zeroed" else None)
    more.setdefault("handle_unknown", True)
    late(name, "race", sets, defines, mechanism, operation, **dict(dict(code=unseen.INVALID, absent=False), **more))


# ---- deleted meanwhile: a status -----------------------------------------------------------------------------------------------------
race("monitor", "X", "STACK_MONITOR WAITERS=1", **OTHER, note="on main's stack; main has gone on by what the lock protects")
race("hang-up", "E", "OF_A_SESSION ZEROED_ANEW WAITERS=2 CROWD=20", flags="-O1", note="the block is free and out again, zeroed")
race("hang-up-codes", "N", "OF_A_SESSION WAITERS=1 NO_DEBUG", "handle-slot-empty", note="the block has a table of numbers")
race("room", "O", "JOINING WAITERS=1", operation="enter", **OTHER, note="a Delete overtakes an Enter")
race("mailbox", "X", "MAILBOX TAKE_SEMAPHORE WAITERS=3", "handle-wrong-type", code=unseen.WRONG_TYPE, slot_type="Semaphore", handle_unknown=False, flags="-Os", note="a semaphore has the event's number")

# ---- in C -------------------------------------------------------------------------------------------------------------------------------
late("conn", "plain", "N", "HASHED", flags="-Os", note="static, the entry of a table that is reached by a hash")
late("exit-order", "plain", "X", "EXIT_ORDER", flags="-O1", note="heap; exit functions, the wrong way round")


def gone(name, source, sets, defines, operation="enter", mechanism="section-unreadable", **more):
    more.setdefault("state", "gone" if mechanism == "section-unreadable" else None)
    add(name, source, sets, defines, mechanism, "memory-released", operation, **more)


def reused(name, source, sets, defines, operation="enter", mechanism="debug-info-invalid", **more):
    gone(name, source, sets, defines, operation, mechanism, **more)


gone("channels", "plain", "X", "GROWN", flags="-O1", note="a large block has moved")
gone("timer-pool", "plain", "N", "POOL_FIRST", "delete", flags="-O0", note="HeapDestroy before the Delete")
reused("job", "plain", "O", "JSON_BLOCK", note="the block is a text")
gone("segment", "plain", "N", "SEGMENT", "try-enter", flags="-Os", note="VirtualFree")

# ---- blocks that have other data: an access violation ----------------------------------------------------------------------------------
reused("tile", "block", "N", "PIXELS", flags="-O1", note="pixels")
reused("document", "block", "X", "WIDE_TEXT CROWD=20", **OTHER, note="16-bit text")
reused("sensor", "block", "E", "DOUBLES", note="doubles")
reused("door", "block", "X", "OTHER_CLASS", flags="-O0", note="another object: DebugInfo is its table of functions")
reused("encoder", "block", "W", "ZEROED", mechanism="section-zeroed", note="zeroed")
reused("lane", "block", "X", "FREED_FILL=0xFEEEFEEE FREED_NAME=12 FREED_LINKS=4 BY_WORKER", flags="-Os", **OTHER, note="the debug heap's fill for free blocks")
reused("lane-junk", "block", "N", "FREED_FILL=0x5A5A5A5A FREED_NAME=20 FREED_LINKS=0 CROWD=30", note="an allocator's fill for free blocks")
reused("lane-debug", "block", "W", "FREED_FILL=0xDDDDDDDD FREED_NAME=40 FREED_LINKS=4", "delete", flags="-O1", note="the debug CRT's fill for free blocks")
reused("plugins", "block", "W", "INTEGERS CROWD=15", **OTHER, note="integers")
reused("folder", "block", "N", "TIMES", "delete", flags="-O0", note="times of files")

# ---- pages that are gone, or others: an access violation ---------------------------------------------------------------------------------
gone("export", "pages", "X", "VIEW_UNDER_LOCK WAITERS=2", "leave", flags="-O1", **OTHER, note="a view, under its own lock, with waiters")
gone("ring", "pages", "W", "RING_SEGMENT CROWD=10", **OTHER, note="decommitted")
gone("spell", "pages", "X", "UNLOADED INSIDE SPIN=1500", "leave", unloaded="plugin.dll", **OTHER, **PLUGIN, note="in a DLL that is unloaded while a thread is in its lock")
gone("codec", "pages", "O", "UNLOADED CROWD=15", flags="-O1", unloaded="plugin.dll", **OTHER, **PLUGIN, note="in a DLL that is unloaded")
gone("outbox", "pages", "E", "DEAD_STACK", flags="-Os", note="the stack of a thread that has ended")
reused("counters", "pages", "E", "REMAPPED", mechanism="section-zeroed", note="another view at the same place, zero")
reused("schedule", "pages", "N", "FILE_THERE", flags="-O1", note="a file's view at the same place")
gone("catalogue", "pages", "W", "VIEW_OWNER", "delete", flags="-O0", note="a view; destructors in the wrong order")

# ---- arenas, pools, frames: an access violation -------------------------------------------------------------------------------------------
reused("light", "pool", "N", "MATRICES CROWD=25 NO_DEBUG", note="floats, in a static arena")
reused("progress", "pool", "X", "DETACHED", flags="-O0", **OTHER, note="a local of a function that has returned, text in another's live frame")
reused("observer", "pool", "O", "RESIDUE", flags="-O1", **OTHER, note="a local of a function that has returned, below the stack pointer")
reused("accounts-list", "pool", "E", "VECTOR NO_DEBUG", flags="-Os", note="a vector has grown, its old block is a text")
reused("scratch", "pool", "W", "SCRATCH CROWD=20", **OTHER, note="16-bit text, in an arena")
reused("weekdays", "pool", "N", "COMPACTED", "delete", flags="-O1", note="a compaction, texts are where the object was")
reused("pooled", "pool", "X", "POOLED", flags="-Os", note="a pool's block is another structure")
reused("import", "pool", "O", "CLEANUP_LIST", "delete", note="a local of a function that has returned, doubles in another's live frame")


def signalled(name, sets, defines, mechanism, operation="leave", **more):
    add(name, "signal", sets, defines, mechanism, "memory-released", operation, **more)


# ---- what gets through to the event: a status ------------------------------------------------------------------------------------------------
signalled("socket", "X", "QUARANTINE=0xEFEFEFEF CROWD=30 NO_DEBUG", "handle-implausible", flags="-O1", note="an allocator's fill for free blocks")
signalled("socket-woa", "W", "QUARANTINE=0xDFDFDFDF", "handle-implausible", note="another's")
signalled("cell", "N", "IDENTIFIERS", "handle-slot-empty", **OTHER, note="integers")
signalled("chunk", "E", "CHUNK", "handle-implausible", flags="-O0", note="a text")
signalled("tally", "O", "TALLY", "handle-slot-empty", flags="-O1", note="the thread that is in it has freed it; a table of counts")
signalled("brush", "X", "LIST_NODE", "handle-implausible", "enter", **OTHER, note="a list's node")
signalled("track", "E", "SIZES CROWD=60 SPIN=4000", "handle-slot-empty", flags="-Os", note="sizes")
signalled("voice", "N", "SAMPLES", "handle-implausible", note="16-bit samples, in a static arena")
