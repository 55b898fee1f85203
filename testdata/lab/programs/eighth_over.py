"""The eighth batch: written over."""
from . import eighth

LATE = dict(operation="enter", other_thread=True)


def over(name, source, sets, defines, mechanism="handle-implausible", operation="leave", **more):
    eighth.add(name, "over-" + source, sets, defines, mechanism, "corrupted", operation, **more)


# ---- a table beside it -------------------------------------------------------------------------------------------------------
over("gledger", "near", "X", "LEDGER WAITERS=2 NO_DEBUG", note="-1 is taken out: the first entry lies over LockSemaphore and SpinCount")
over("gmenu", "near", "N", "MENU WAITERS=2 BY_CALLBACK", "handle-slot-empty", flags="-Os", note="two bytes, an index in bytes")
over("gbook", "near", "X", "BOOK WAITERS=3 CROWD=20", "handle-wrong-type", slot_type="File", flags="-O1", note="open files' handles move down over LockSemaphore and SpinCount")
over("gmixer", "near", "W", "MIXER WAITERS=2 BY_GUARD", flags="-O1", note="floats from behind, over LockSemaphore and SpinCount")
over("gpacket", "near", "N", "PACKET WAITERS=1", note="a checksum and a length, before anybody waited", **LATE)
over("gboard", "near", "E", "BOARD WAITERS=3", "handle-slot-empty", flags="-O0", note="one byte inside LockSemaphore")
over("gseat", "near", "N", "SEATS WAITERS=1 CROWD=30", "handle-slot-empty", flags="-O0", note="one bit; nobody waited at that time", **LATE)
over("gchart", "near", "N", "CHART", "debug-info-invalid", "enter", note="all fields move on by one")
over("gmachine", "near", "N", "MACHINE CROWD=15", "debug-info-invalid", "delete", flags="-O1", note="integers from behind, over the section and what lies in front of it")

# ---- an old address ----------------------------------------------------------------------------------------------------------
over("gscroll", "stale", "O", "SCROLL WAITERS=1", note="a rectangle is moved: LockSemaphore, SpinCount and two fields behind")
over("gstopper", "stale", "E", "STOPPER WAITERS=2 BY_LAMBDA", "handle-access-denied", slot_type="Event", flags="-Os", note="the handle of an event that may only be waited for")
over("ganswer", "stale", "X", "ANSWER WAITERS=2 SPIN=400", "handle-slot-empty", flags="-O1", note="another thread writes a length to a stack")
over("gshown", "stale", "W", "SHOWN WAITERS=2 BY_VIRTUAL CROWD=15", "not-owner", note="one byte of LockCount, others sleep")
over("gretries", "stale", "E", "RETRIES CROWD=25", "debug-info-invalid", "delete", note="the upper half of DebugInfo")
over("gtoken", "stale", "N", "TOKENS", "debug-info-invalid", "delete", record_hit=True, note="not the section, but its debug record, on the heap")
over("gdecoder", "stale", "E", "DECODER", "debug-info-invalid", "enter", flags="-O1", twin="memory-released", note="another thread fills the whole block")

# ---- too long ----------------------------------------------------------------------------------------------------------------
over("gview", "long", "X", "VIEW", flags="-O1", note="16-bit text from its own field; Enter passes by chance")
over("gtile", "long", "E", "PIXELS CROWD=10", twin="memory-released", note="pixels, the whole block; Enter passes by chance")
over("gjob", "long", "X", "JOBS", "debug-info-invalid", "delete", flags="-O0", note="text, out of the heap block in front")
over("gmessage", "long", "W", "LAST_ERROR", "debug-info-invalid", "enter", flags="-Os", note="text over DebugInfo and LockCount, in thread-local storage")
over("gsettings", "long", "X", "SETTINGS CROWD=20", "section-zeroed", "enter", note="cleared by the size of a larger structure")
over("goptions", "long", "X", "OPTIONS", "debug-info-invalid", "enter", plugin="y-over-plugin.c", note="a library's larger structure")

# ---- in C --------------------------------------------------------------------------------------------------------------------
over("gmeter", "plain", "O", "DIGITS WAITERS=2", note="digits from behind, over SpinCount and three bytes of LockSemaphore")
over("gdevices", "plain", "O", "BUCKETS", "debug-info-invalid", "delete", flags="-O0", note="a list's node lies in DebugInfo")
over("gstreet", "plain", "X", "STREET", "debug-info-invalid", "enter", flags="-Os", note="text over DebugInfo, its end in LockCount")
over("gslot", "plain", "W", "SLOT", "section-zeroed", "enter", flags="-O1", twin="never-initialized", note="the whole object is cleared; this system keeps no record")
