"""The seventh batch: locks that were deleted, and locks whose memory was given back. See seventh.py."""
from . import seventh, unseen

PLUGIN = dict(plugin="x-life-plugin.c")


def late(name, sets, defines, source="life-after", **more):
    seventh.add(name, source, sets, defines, "section-zeroed", "deleted", "enter", **more)


# ---- deleted: an access violation in Enter -----------------------------------------------------------------------------------
late("flogger", "X", "LOGGER", note="static; another static's destructor logs")
late("fclock", "E", "CLOCK CROWD=18", other_thread=True, flags="-O1", note="static; a pool's thread was not waited for")
late("ffinalizer", "N", "FINALIZER", other_thread=True, note="finalized in any order; the block is free")
late("fkeyboard", "W", "GLOBALS", flags="-Os", note="static, in a DLL that was told to end", **PLUGIN)
late("fport", "X", "CLOSE_TWICE SPIN=400", note="stack; close() and the destructor")
late("fdownload", "E", "DELEGATE", flags="-O1", note="a callback deleted the object it was called from; the block is free")
late("fremote", "N", "REMOTE_FREE CROWD=35", flags="-Os", note="thread-local storage of a thread that still runs")
late("fring", "O", "RING", other_thread=True, note="in a mapping that both ends see")
late("fjobs", "O", "LOCAL_JOB CROWD=12", other_thread=True, flags="-O0", note="a local, its frame is live")
late("fheartbeat", "X", "HEARTBEAT", other_thread=True, note="a timer's callback was under way; the block is free")
late("flocking", "N", "LOCKING_CALLBACK", "life-plain", other_thread=True, flags="-O1", note="a heap table that still stands; a callback comes late")


def race(name, sets, defines, **more):
    seventh.add(name, "life-race", sets, defines, "section-zeroed", "deleted", code=unseen.INVALID, handle_unknown=True, absent=False, state="zero", **more)


# ---- deleted meanwhile: a status ---------------------------------------------------------------------------------------------
race("fmonitor", "X", "MONITOR WAITERS=1", other_thread=True, note="on the stack of the one that waited")
race("fconnection", "E", "CONNECTION WAITERS=3", flags="-O1", note="the last reference; the block is free")


def gone(name, sets, defines, operation="enter", mechanism="section-unreadable", source="life-pages", **more):
    more.setdefault("state", "gone" if mechanism == "section-unreadable" else None)
    seventh.add(name, source, sets, defines, mechanism, "memory-released", operation, **more)


# ---- in C ---------------------------------------------------------------------------------------------------------------------
gone("fcameras", "N", "GROWN_TABLE", "delete", source="life-plain", note="a large table has moved")
gone("fpacket", "W", "PACKET_POOL", "delete", "debug-info-invalid", "life-plain", flags="-Os", note="a pool's slot holds a packet; the pool's own fields say so")
UNLOADED = dict(PLUGIN, unloaded="plugin.dll")
# ---- pages that are gone: an access violation --------------------------------------------------------------------------------
gone("fsubject", "X", "PAGE_HEAP CROWD=24", other_thread=True, flags="-O1", note="a debugging heap decommits freed blocks")
gone("fcodec", "W", "CODEC", other_thread=True, note="in an unloaded DLL, another thread comes", **UNLOADED)
gone("fskin", "E", "SKIN", "leave", flags="-Os", note="in an unloaded DLL, unloaded under the lock", **UNLOADED)
gone("fscan", "O", "WORKER_STACK", flags="-O0", note="on the stack of a thread that has ended")
gone("ffiber", "N", "FIBER", note="on a deleted coroutine's stack")
gone("fscript", "X", "SCRIPT", "leave", note="HeapDestroy, under its own guard")
gone("fcache", "W", "CACHE", other_thread=True, flags="-O0", note="an unmapped view; there is a larger one")
gone("fswap", "X", "SWAP_CHAIN SPIN=100", "try-enter", flags="-O1", note="VirtualFree of a frame's buffer")


def block(name, sets, defines, operation="enter", mechanism="debug-info-invalid", **more):
    gone(name, sets, defines, operation, mechanism, "life-blocks", **more)


# ---- memory that is something else's: an access violation, or a status in Leave -------------------------------------------------
block("fcompletion", "X", "COMPLETION", flags="-O0", oracle=False, note="a local of a function that has returned, in another's live frame; an APC comes")
block("farena", "N", "ARENA CROWD=20", flags="-O1", note="an arena began again, it holds lines of a log; a table points to them")
block("fslab", "E", "SLAB", "leave", "handle-implausible", state="signal", note="released under its own guard; a slab's block is a buffer in a queue")
block("fjob", "O", "DEBUG_HEAP", other_thread=True, flags="-O0", note="FEEEFEEE, the debug heap's fill")
block("ftexture", "X", "TEXTURE CROWD=16", mechanism="section-zeroed", note="the heap block is another's, cleared first")
block("fpanel", "N", "DELETE_THIS WAITERS=2", "leave", "handle-implausible", state="signal", note="freed under its own lock; the block's new owner has written parts of it")
block("freference", "E", "REFERENCE", "leave", "handle-implausible", state="signal", flags="-Os", note="the block of an array before it grew is a path's, in 16-bit text")
block("fstatistics", "N", "THREAD_DATA", note="0x5A, an allocator's fill for freed memory")
block("finode", "W", "POISON", "leave", "handle-implausible", state="signal", flags="-O1", note="0x6B and A5 at the end, an allocator's poison for freed memory")
