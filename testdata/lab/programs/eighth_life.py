"""The eighth batch: deleted, given back."""
from . import eighth, unseen

NEVER, CORRUPTED, POINTER = (dict(twin=t) for t in ("never-initialized", "corrupted", "bad-pointer"))


def ended(name, sets, defines, operation="enter", mechanism="section-zeroed", source="life-end", **more):
    eighth.add(name, source, sets, defines, mechanism, "deleted", operation, **more)


# ---- deleted: an access violation ------------------------------------------------------------------------------------------
ended("fregistry", "X", "REGISTRY", note="an exit function, then a static's destructor", **NEVER)
ended("fpool", "N", "POOL CROWD=35", other_thread=True, flags="-O1", note="a destructor that deletes first and waits for its thread then")
ended("fplayer", "X", "PLAYER", flags="-Os", note="closed in its own callback")
ended("ftimer", "E", "TIMER", other_thread=True, note="a timer that was not waited for", **NEVER)
ended("flistener", "W", "LISTENER CROWD=20", flags="-O1", note="a walk over a copy of a list", **NEVER)
ended("fstatistics", "W", "THREAD_STORE", flags="-O0", note="in a thread's local storage", **NEVER)
ended("fhost", "X", "HOST", plugin="k-plugin.c", note="in a library that was shut down, but is loaded yet", **NEVER)
ended("fspan", "N", "SPAN", other_thread=True, note="the block is a zeroed object of another class", **NEVER)
ended("fnetlib", "N", "TEXT_AFTER NETLIB", operation="delete", mechanism="debug-info-invalid", flags="-Os", note="destroyed twice, a text between", **NEVER)
ended("fmodule", "O", "SECOND", source="life-plain", flags="-O1", note="a cleanup for each user, in C", **NEVER)

RACE = dict(code=unseen.INVALID, absent=False, handle_unknown=True, state="zero", source="life-over")
# ---- deleted meanwhile: a status -------------------------------------------------------------------------------------------
ended("fgate", "X", "GATE WAITERS=1", operation="leave", other_thread=True, **RACE, note="on the stack of the one who waits")
ended("freferences", "E", "REFERENCES WAITERS=2", operation="leave", flags="-Os", **RACE, note="the last reference; the block is zeroed")
ended("fmailbox", "N", "MAILBOX CROWD=20", flags="-O0", **RACE, note="before the sender slept")


def gone(name, sets, defines, operation="enter", mechanism="section-unreadable", source="life-gone", **more):
    more.setdefault("state", "gone" if mechanism == "section-unreadable" else None)
    eighth.add(name, source, sets, defines + " CALL=" + unseen.CALLS[operation], mechanism, "memory-released", operation, **more)


# ---- given back, in C ------------------------------------------------------------------------------------------------------
gone("fbig", "O", "BIG", operation="delete", source="life-plain", flags="-Os", note="a large heap block")
gone("fplugins", "N", "PLUG", operation="delete", source="life-plain", flags="-O1", plugin="k-plugin.c", unloaded="plugin.dll", note="in an unloaded DLL")
gone("fsegment", "O", "SEGMENT", operation="try-enter", source="life-plain", other_thread=True, note="VirtualFree, another thread comes")
gone("farena", "W", "ARENA", source="life-plain", note="decommitted; had been waited for")

# ---- given back: no memory any more ----------------------------------------------------------------------------------------
gone("fcodec", "X", "CODEC CROWD=20", operation="leave", flags="-O1", plugin="k-plugin.c", unloaded="plugin.dll", note="a DLL that is unloaded under its own lock")
gone("fprogress", "X", "OTHERS_STACK", flags="-O0", note="on the stack of a thread that has ended")
gone("fwindow", "X", "OWN_PAGE SPIN=1000", operation="leave", note="a page of its own, destroyed under its guard")
gone("fconfig", "N", "TWO_VIEWS", flags="-O0", other_thread=True, note="an unmapped view")
gone("fcoroutine", "W", "FIBER", flags="-Os", note="on a fiber's stack", **POINTER)
gone("ftab", "E", "OWN_HEAP CROWD=30", operation="try-enter", other_thread=True, flags="-O1", note="HeapDestroy")
gone("frows", "E", "GROWS", operation="leave", note="a table that grew")
gone("fpage", "W", "MAPPED_ANEW", mechanism="section-zeroed", flags="-O1", note="another part of the file at the same address", **NEVER)


def reused(name, sets, defines, **more):
    gone(name, sets, defines, source="life-reuse", **dict(dict(mechanism="debug-info-invalid"), **more))


# ---- given back: used again, or filled ---------------------------------------------------------------------------------------
reused("fthumbnails", "N", "JOB FILL=0xFEEEFEEE", other_thread=True, note="filled as freed")
reused("fuploads", "O", "JOB FILL=0xDDDDDDDD CROWD=15", other_thread=True, flags="-O1", note="filled as freed")
reused("fconnection", "X", "CONNECTION FILL=0xDFDFDFDF", operation="leave", mechanism="handle-implausible", code=unseen.INVALID, handle_unknown=True, state=None,
       note="filled as freed, by which the Enter passed")
reused("fcurve", "X", "WIDGET", other_thread=True, note="the block is another class's object, at work")
reused("ftransfer", "X", "FRAME", other_thread=True, flags="-O0", note="a local of a function that has returned, in another's live frame")
reused("fbuffer", "N", "MESSAGE WAITERS=2", operation="leave", mechanism="handle-implausible", note="the block is a message", **CORRUPTED)
reused("fworker", "E", "ENTRY WAITERS=1 NO_DEBUG CROWD=20", operation="leave", mechanism="handle-implausible", flags="-Os", note="the slot is another record's", **CORRUPTED)
