"""The seventh batch, written over: a live section is hit by something else's write."""
from . import seventh


def over(name, source, sets, defines, mechanism, operation="leave", **more):
    seventh.add("g" + name, "over-" + source, sets, defines, mechanism, "corrupted", operation, **more)


def fault(name, source, sets, defines, operation="enter", mechanism="debug-info-invalid", **more):
    over(name, source, sets, defines, mechanism, operation, **more)


LATE = dict(operation="enter", other_thread=True)

# ---- an index, a length, a format ------------------------------------------------------------------------------------------------
over("columns", "index", "X", "GRIDS WAITERS=2", "handle-implausible", flags="-O1", note="colors, at index -1 behind the lock")
over("bom", "plain", "O", "BYTE_ORDER_MARK WAITERS=1", "handle-slot-empty", note="LockSemaphore and SpinCount are counted up by 37")
over("trace", "plain", "X", "LINE_END WAITERS=3", "handle-slot-empty", flags="-Os", note="one byte, a line feed, far behind a text")
fault("outline", "index", "N", "OUTLINE CROWD=20", note="floats over DebugInfo and LockCount")
fault("zoom", "index", "X", "ZOOM_LEVELS", operation="delete", flags="-O0", note="a double over DebugInfo")
fault("rows", "index", "N", "SELECTION LATE WAITERS=1", other_thread=True, note="a bit of DebugInfo")
fault("weight", "plain", "W", "DOUBLE_FORMAT WAITERS=0", other_thread=True, flags="-O1", note="the upper half of a double over half of DebugInfo")

# ---- the address of an object that is gone ---------------------------------------------------------------------------------------------
over("token", "stale", "X", "REFERENCE BY_GUARD", "not-owner", note="LockCount is counted down once while the section is owned")
over("basket", "stale", "X", "VECTOR WAITERS=2 RECURSE SPIN=4000", "handle-implausible", note="heap pointers over OwningThread, LockSemaphore and SpinCount")
over("sprite", "stale", "E", "POSITION WAITERS=1 BY_VIRTUAL", "handle-implausible", flags="-O1", note="two floats")
over("peak", "stale", "N", "PEAK WAITERS=3 BY_LAMBDA", "handle-implausible", flags="-Os", note="a float is computed with, in LockSemaphore")
over("result", "stale", "E", "RESULT LATE WAITERS=1 CROWD=25", "handle-implausible", **LATE, note="an HRESULT, before anybody waited")
over("peer", "stale", "X", "PEER IDLE STRICT_DELETE WAITERS=1", "handle-implausible", operation="delete", os=dict(global_flag=0x400000),
     note="a sockaddr_in over LockSemaphore and SpinCount; Delete, under FLG_ENABLE_CLOSE_EXCEPTIONS")
fault("jobs", "stale", "N", "UNLINK", operation="delete", flags="-O0", note="DebugInfo is the address of a list's head")
fault("links", "stale", "X", "LINKS", operation="delete", record_hit=True, note="the debug record's links are NULL")

# ---- a size ------------------------------------------------------------------------------------------------------------------------------
over("tiles", "size", "W", "STRIDE CROWD=10", "handle-implausible", flags="-O1", note="pixels over the end of one object and the whole next one; Enter passes by chance")
fault("scan", "size", "N", "TOTALS", mechanism="section-zeroed", flags="-Os", note="the whole structure is cleared")
fault("voice", "size", "E", "SILENCE", note="one byte's value over the section and what follows it")
fault("status", "size", "X", "STATUS_BLOCK LATE WAITERS=1", other_thread=True, plugin="x-over-plugin.c", note="a time, two counts and a pointer, up to OwningThread")
fault("tracks", "size", "O", "SAMPLES", flags="-O0", twin="memory-released",
      note="16-bit samples over the block from its first byte to its last; the debug record is alive")
fault("packet", "size", "W", "PACKET CROWD=15", flags="-Os", note="a packet's bytes over the section and what follows it")

# ---- later, and past its place ---------------------------------------------------------------------------------------------------------
over("inbox", "late", "W", "RECEIVED WAITERS=2", "handle-implausible", flags="-O0", note="a count of bytes over the lower half of LockSemaphore, by another thread; on the stack")
over("latency", "late", "N", "LATENCIES WAITERS=2 BY_CALLBACK", "handle-implausible", note="a double, at index -1 behind the lock, by another thread")
over("reader", "late", "E", "STREAM_POSITION WAITERS=1", "handle-wrong-type", slot_type="File", flags="-O1", note="LockSemaphore is counted up by 4: the next handle")
over("digits", "late", "O", "GROUPED LATE WAITERS=1", "handle-implausible", **LATE, note="digits from behind, before anybody waited")
fault("caption", "late", "N", "CAPTION", flags="-O1", note="16-bit text over the section")
