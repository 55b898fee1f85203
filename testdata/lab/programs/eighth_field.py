"""The eighth batch: a handle closed, copies, other processes, wrong owners, no lock failure."""
from . import eighth, unseen

INVALID, NOT_OWNED, ACCESS = unseen.INVALID, unseen.NOT_OWNED, unseen.ACCESS
LATE = dict(operation="enter", other_thread=True)


def closed(name, sets, defines, mechanism="handle-slot-empty", source="field-close", **more):
    eighth.add(name, source, sets, defines, mechanism, "handle-closed", **more)


# ---- closed by other code ------------------------------------------------------------------------------------------------
closed("ethreads", "X", "THREAD_TABLE WAITERS=2 SPIN=1500", note="a thread closes its own handle, who started it, too")
closed("emoved", "E", "MOVED WAITERS=3 BY_VIRTUAL", flags="-O1", note="a move constructor leaves the old owner its handle")
closed("elaunch", "E", "LAUNCH IN_STACK WAITERS=1 CROWD=35", flags="-Os", note="a guard's handle is returned")
closed("estoppable", "N", "STOPPABLE WAITERS=3", note="as after _endthread")
closed("esocket", "O", "BASE_CLOSES WAITERS=2 RECURSE", flags="-O1", note="derived class and base class")
closed("erequest", "X", "RECYCLED_REQUEST WAITERS=4 NO_DEBUG BY_GUARD", flags="-O0", twin="copied", note="a pooled request, not cleared")
closed("eoverlap", "O", "OVERLAPPED_EVENT WAITERS=1", source="field-c", flags="-O2", note="an OVERLAPPED was copied")
closed("esave", "N", "SAVE WAITERS=2 BY_LAMBDA CROWD=18", "handle-wrong-type", slot_type="File", flags="-O0", note="then the log is opened")
closed("ekeys", "E", "KEYS IN_TLS WAITERS=2", "handle-wrong-type", slot_type="Key", flags="-O1", note="then another key is opened")
closed("ewatch", "N", "STOP_EVENT IN_STATIC WAITERS=2 CROWD=60", "handle-access-denied", slot_type="Event", flags="-Os", note="then an event is opened to wait only")
closed("efolder", "X", "CHANGE_WATCH LATE IN_STATIC_ARRAY WAITERS=1", flags="-O2", note="the next thread's wait fails", **LATE)
closed("eshutdown", "X", "SHUTDOWN IDLE STRICT_DELETE WAITERS=1", operation="delete", twin="corrupted", state=None, os=dict(global_flag=0x400000),
       note="Delete, under FLG_ENABLE_CLOSE_EXCEPTIONS")


def copied(name, sets, defines, mechanism="handle-slot-empty", operation="leave", source="field-copy", **more):
    eighth.add(name, source, sets, defines, mechanism, "copied", operation, **more)


# ---- copied ----------------------------------------------------------------------------------------------------------------
copied("ecompact", "X", "COMPACTED WAITERS=3", flags="-O1", note="entries are moved down, the last one is destroyed")
copied("einsert", "X", "INSERTED WAITERS=2", operation="enter", other_thread=True, flags="-O0", note="a parameter is stored and destroyed")
copied("edevices", "N", "FOR_EACH WAITERS=2 RECURSE", of_original=True, note="a loop over copies")
copied("efont", "N", "TO_FRONT TAKE_SEMAPHORE WAITERS=1 BY_GUARD", "handle-wrong-type", slot_type="Semaphore", flags="-Os", note="moved to the front through a local")
copied("esession", "E", "ADOPTED WAITERS=4", source="field-c", flags="-Os", note="a structure is assigned, the other freed")
copied("estore", "O", "FRESH_LOCK CROWD=25", "debug-info-invalid", "delete", flags="-O1", note="a fresh lock is assigned")
copied("eoptions", "W", "DEFAULTS", "debug-info-invalid", "delete", of_original=True, flags="-O2", note="the defaults are assigned; both are destroyed")

# ---- two processes -----------------------------------------------------------------------------------------------------------
eighth.add("espool", "field-share", "O", "CROWD=12", "handle-slot-empty", "cross-process", "enter", flags="-O1", twin="handle-closed", note="a thread of the other process waits")

# ---- left by another than the owner --------------------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (("ebrief", "X", "GIVES_UP CROWD=20", dict(flags="-O1", twin="corrupted")), ("econsole", "N", "UNLOCKED_INSIDE", dict(flags="-O2", twin="corrupted")),
                                      ("elines", "W", "ERROR_PATH", dict(flags="-Os"))):
    eighth.add(_name, "field-own", _sets, _defines, "not-owner", "not-owner", other_thread=True, **dict(_more, state=None))


def none(name, sets, defines, code=ACCESS, **more):
    eighth.add(name, "field-none", sets, defines if "WAITERS=" in defines else defines + " WAITERS=0", "unknown", "none", None, code=code, direct_import=True, **more)


# ---- no lock failure -------------------------------------------------------------------------------------------------------------
none("eworker", "E", "WORKER_OBJECT WAITERS=1", INVALID, os=dict(global_flag=0x400000), flags="-O1", note="CloseHandle raises, the lock is held and wanted")
none("esignal", "N", "FAILED_CALL WAITERS=2", INVALID, flags="-O0", note="the program's own check raises")
none("emonitor", "W", "MONITOR CROWD=15", NOT_OWNED, note="the program's own monitor raises")
none("echecksum", "X", "PAST_THE_BUFFER", other_thread=True, flags="-O1", note="a worker reads past a buffer, main sleeps in Enter")
none("elink", "W", "AFTER_LEAVE WAITERS=2", note="a member of NULL, after a Leave")
