"""The sixth batch: see sixth.py. Handles closed by others, copies, two processes, strangers that leave, and crashes that are none of a lock."""
from . import sixth, unseen

LATE = dict(operation="enter", other_thread=True)
CLOSE_RAISES = dict(os=dict(global_flag=0x400000))


def closed(name, source, sets, defines, mechanism="handle-slot-empty", **more):
    sixth.add("a" + name, "close-" + source, sets, defines, mechanism, "handle-closed", **more)


TAKEN = "handle-wrong-type"
# ---- closed by other code: descriptors of the C library ------------------------------------------------------------------
closed("runner", "fd", "X", "RUNNER WAITERS=2 CROWD=25", note="fclose() has closed the pipe, the runner's cleanup closes it again")
closed("runner-key", "fd", "N", "RUNNER TAKE_KEY WAITERS=1", TAKEN, slot_type="Key", flags="-O1")
closed("streams", "fd", "X", "TWO_STREAMS WAITERS=3 SPIN=4000", flags="-Os", note="two streams over one handle")
closed("archive", "fd", "E", "ARCHIVE IN_TLS WAITERS=1 BY_GUARD", note="CloseHandle(_get_osfhandle(fd)), then _close(fd)")
closed("archive-late", "fd", "N", "ARCHIVE LATE IN_DLL WAITERS=1 CROWD=40", **LATE, flags="-O0", plugin="k-plugin.c", note="the next one's wait fails, another sleeps already")

# ---- two owners -----------------------------------------------------------------------------------------------------------
closed("socket", "owner", "X", "SOCKET_BASE WAITERS=1 RECURSE", flags="-O0", note="close() and the base class's destructor")
closed("socket-late", "owner", "E", "SOCKET_BASE LATE WAITERS=2", **LATE, note="the next one's wait fails, others sleep already")
closed("launcher", "owner", "N", "MOVED WAITERS=2 BY_LAMBDA", note="a moved-from object has kept the handle")
closed("launcher-file", "owner", "X", "MOVED TAKE_FILE WAITERS=4", TAKEN, slot_type="File", flags="-O1")
closed("pipe", "owner", "X", "ASYNC_PIPE WAITERS=2 BY_GUARD CROWD=60", flags="-O1", note="the destructor and a service")
closed("status-text", "owner", "N", "STOPPABLE WAITERS=3 BY_VIRTUAL", flags="-O0", note="stop() and the base class's destructor")
closed("poll-set", "owner", "E", "POLLSET WAITERS=5 NO_DEBUG", flags="-Os", note="a manager closes what is others'")
closed("latency", "owner", "N", "LATENCY WAITERS=1 SPIN=1500 NO_DEBUG", note="a swap chain's waitable object, whose handle is not the caller's")
closed("update", "owner", "O", "SCOPE WAITERS=2", flags="-Os", note="an error path and the scope's end")

# ---- threads ----------------------------------------------------------------------------------------------------------------
closed("miner", "thread", "X", "BEGINTHREAD WAITERS=2", flags="-O1", note="_beginthread's thread closes its handle itself")
closed("pop", "thread", "N", "THREAD_POP WAITERS=2 BY_CALLBACK CROWD=20", note="a thread closes its own handle, the owner of the list too")
closed("pop-late", "thread", "O", "THREAD_POP LATE WAITERS=1", **LATE, flags="-O1", note="the next one's wait fails, another sleeps already")
closed("port", "thread", "E", "PORT IN_TLS WAITERS=2 RECURSE CROWD=15", flags="-O0", note="the reading thread closes, in thread-local storage")
closed("port-thread", "thread", "X", "PORT TAKE_THREAD WAITERS=2", TAKEN, slot_type="Thread", note="the reading thread closes")

# ---- processes --------------------------------------------------------------------------------------------------------------
closed("wrapper", "process", "N", "WRAPPERS WAITERS=1 SPIN=500", flags="-Os", note="wrappers returned as copies")
closed("endgame", "process", "X", "ENDGAME WAITERS=6", note="at the exit and at the close")
closed("attach", "process", "E", "ATTACH TAKE_SYNCHRONIZE_ONLY WAITERS=2", "handle-access-denied", slot_type="Event", flags="-O1", note="the token of the session before")

# ---- numbers ----------------------------------------------------------------------------------------------------------------
closed("request", "number", "N", "HEAP_REUSE WAITERS=2 CROWD=30", flags="-O1", note="an uncleared block has the last owner's handle")
closed("thread-id", "number", "X", "THREAD_ID WAITERS=3", note="an id instead of a handle")
closed("test-run", "number", "E", "SWEEP IN_STACK WAITERS=2 NO_DEBUG BY_LAMBDA", twin="copied",
       note="a harness closes what it takes for leaked; no debug record that the Delete of a copy would have spoilt, and no code in the dump")
closed("test-run-delete", "number", "X", "SWEEP IN_STATIC_ARRAY IDLE STRICT_DELETE WAITERS=1", operation="delete", state=None, flags="-O1", **CLOSE_RAISES,
       note="Delete, under FLG_ENABLE_CLOSE_EXCEPTIONS; the record says that there was an event, and none of a section is left open")

# ---- in C -------------------------------------------------------------------------------------------------------------------
closed("job", "plain", "X", "PIPE_ENDS WAITERS=2", flags="-O1", note="an early close and the one at the end")
closed("session", "plain", "N", "SESSION_COPY WAITERS=4 SPIN=3000", note="an assigned structure")
closed("appearance", "plain", "O", "KEY_BOTH WAITERS=3", flags="-O0", note="a list of handles and RegCloseKey")
closed("sound", "plain", "E", "SOUND WAITERS=2", plugin="w-close-plugin.c", flags="-Os", note="a library that is stopped, then unloaded")


def copied(name, sets, defines, mechanism="handle-slot-empty", operation="leave", source="copy", **more):
    sixth.add("a" + name, "close-" + source, sets, defines, mechanism, "copied", operation, **more)


ORIGINAL = dict(of_original=True)
# ---- copied ---------------------------------------------------------------------------------------------------------------
copied("mutex", "X", "FACTORY WAITERS=1", flags="-O1", note="a returned local was destroyed; another thread's wait on the copy fails", **LATE)
copied("worker", "X", "THREAD_ARGUMENT WAITERS=1 CROWD=20", note="a thread's argument by value; the local was destroyed", **LATE)
copied("logger", "X", "PARAMETER WAITERS=2 BY_GUARD", flags="-O0", note="a parameter is destroyed, the original fails", **ORIGINAL)
copied("moved-session", "X", "MOVE_ASSIGNED WAITERS=3", flags="-Os", note="a defaulted move assignment; the old block has a text")
copied("map", "N", "MAP_INSERT", "debug-info-invalid", "delete", flags="-O1", note="a temporary was destroyed; all goes well until the Delete")
copied("ring", "N", "QUEUE_POP WAITERS=2 CROWD=15", note="a job is copied out; its place has a new lock")
copied("vector-file", "N", "VECTOR TAKE_FILE WAITERS=1", "handle-wrong-type", slot_type="File", note="a vector grows")
copied("vector", "E", "VECTOR WAITERS=2 BY_LAMBDA", flags="-Os", note="a vector grows")
copied("players", "O", "SWAP_REMOVE WAITERS=2 BY_VIRTUAL", flags="-O0", note="the last element takes a removed one's place")
copied("accounts", "O", "LOOP_BY_VALUE WAITERS=1", note="a loop by value; the original's next waiter fails", **LATE, **ORIGINAL)
copied("detach", "O", "CONNECTION WAITERS=3", source="plain", flags="-O1", note="in C; a local copy, its place in the table is closed")
copied("profile", "E", "ASSIGNED NO_DEBUG WAITERS=1", twin="handle-closed",
       note="operator=; the one assigned to is destroyed, the original fails; no debug record, and no code in the dump", **ORIGINAL)
copied("clone", "W", "CLONE WAITERS=1", "debug-info-invalid", "delete", flags="-O1", note="both are destroyed")
copied("commit", "W", "COMMIT WAITERS=1 CROWD=10", "debug-info-invalid", "delete", flags="-Os", note="both are destroyed; static")

# ---- two processes ----------------------------------------------------------------------------------------------------------
sixth.add("aviewer", "close-share", "O", "VIEWER WAITERS=1", "handle-slot-empty", "cross-process", "enter", note="the helper owns the lock, the event is its")
sixth.add("arecorder", "close-share", "X", "RECORDER WAITERS=2", "handle-wrong-type", "cross-process", slot_type="Process", flags="-O1",
          note="the helper's threads wait; here the number is the helper's own handle")
sixth.add("apreview", "close-share", "W", "PREVIEW WAITERS=1", "debug-info-invalid", "cross-process", "delete", flags="-Os",
          note="the debug record is the helper's")

# ---- left by a thread that does not own it --------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (
        ("console", "W", "CLOSE_TWICE", dict(flags="-O1", note="a double unlock")),
        ("allocate", "N", "EARLY_FAIL NO_DEBUG", dict(note="a check before the lock, and a label that unlocks")),
        ("try-guard", "X", "TRY_IGNORED", dict(flags="-O0", note="TryEnter's answer is not looked at")),
        ("tabs", "E", "WRONG_OBJECT CROWD=25", dict(note="another object's lock")),
        ("unlocker", "N", "UNLOCK_AROUND", dict(flags="-Os", twin="corrupted", note="an unlock around a callback; all fields are those of a free lock, and no code in the dump")),
        ("handover", "W", "HANDOVER CROWD=10", dict(note="the lock as a signal"))):
    sixth.add("a" + _name, "close-own", _sets, _defines, "not-owner", "not-owner", other_thread=True, **dict(_more, state=None))


def none(name, sets, defines, code=unseen.ACCESS, **more):
    sixth.add("a" + name, "close-none", sets, defines if "WAITERS=" in defines else defines + " WAITERS=0", "unknown", "none", None, code=code, direct_import=True, **more)


# ---- no lock failure --------------------------------------------------------------------------------------------------------
none("search", "X", "FIND_HANDLE WAITERS=2", unseen.INVALID, flags="-O1", note="CloseHandle of a search raises, the lock is held and wanted", **CLOSE_RAISES)
none("watch-point", "N", "WATCH_POINT CROWD=20", unseen.INVALID, note="a destructor's CloseHandle raises, just after a Leave", **CLOSE_RAISES)
none("plugin-thread", "O", "POP_AT_EXIT", unseen.INVALID, flags="-O0", other_thread=True, note="a thread's CloseHandle raises, main sleeps in Enter", **CLOSE_RAISES)
none("exit-task", "W", "EXIT_HANDLER", unseen.INVALID, note="at exit, when the lock is deleted already", **CLOSE_RAISES)
none("service-pipe", "E", "PIPE_SERVICE WAITERS=3", unseen.INVALID, flags="-Os", note="NtClose raises in a destructor, others sleep", **CLOSE_RAISES)
none("safe-handle", "W", "HANDLE_CHECK=0xC0000008", unseen.INVALID, flags="-O1", note="a wrapper of the program's own raises it")
none("denied", "X", "HANDLE_CHECK=0xC0000022 CROWD=15", unseen.DENIED, flags="-O0", note="a wrapper of the program's own raises it")
none("native", "W", "NATIVE_CHECK=CreateSemaphoreA(NULL,0,4,NULL) WAITERS=2", unseen.WRONG_TYPE, note="NtSetEvent, called directly, and the program's own check")
none("frame", "X", "COPY_FROM_GONE WAITERS=2", flags="-O1", note="memory that was given back is read, under a lock")
none("level", "N", "IN_LIBRARY", plugin="w-close-plugin.c", note="a library reads from NULL, under a guard")
none("listener", "W", "DEAD_OBJECT", flags="-Os", note="a virtual call after a Leave")
none("link", "W", "WORKER_FAULTS CROWD=10", flags="-O0", other_thread=True, note="a member of NULL in a worker, main sleeps in Enter")
none("name", "E", "FREE_TEXT WAITERS=1", note="RtlFreeHeap of a bad pointer, under a lock that is wanted")
