"""The fourth batch, unseen: lock calls that fail by a status, and crashes near them that are none. Written as a sample of what goes wrong
in the field, without knowledge of the analyzer. A twin stands only where a full dump with handles, memory map and all stacks leaves it open."""
from . import unseen

SIGNALS = {}


def add(name, source, sets, defines, mechanism, cause, operation="leave", **more):
    unseen.add("fourth", "k-" + source, sets, defines, mechanism, cause, operation, **more)
    SIGNALS["k-" + name] = unseen.UNSEEN.pop("u-fourth")


def closed(name, sets, defines, mechanism="handle-slot-empty", source="close", **more):
    add(name, source, sets, defines, mechanism, "handle-closed", **more)


LIBRARY = dict(plugin="k-plugin.c")
LATE = dict(operation="enter", other_thread=True)
STRICT = dict(operation="delete", twin="corrupted", state=None, os=dict(global_flag=0x400000))

# ---- closed by other code --------------------------------------------------------------------------------------------------
closed("spooler", "X", "SPOOLER WAITERS=2 CROWD=40", flags="-O1", note="an error path and its caller both close a file")
closed("spooler-file", "XN", "SPOOLER TAKE_FILE WAITERS=1", "handle-wrong-type", slot_type="File")
closed("settings", "XO", "SETTINGS WAITERS=3", note="a registry key's variable keeps its value")
closed("settings-key", "X", 'SETTINGS NEXT_KEY="Software" WAITERS=2 CROWD=25', "handle-wrong-type", slot_type="Key", flags="-Os")
closed("connections", "X", "FREE_LIST WAITERS=1 SPIN=4000", flags="-O0", note="one connection is in a pool twice")
closed("connections-late", "N", "FREE_LIST WAITERS=2 LATE", **LATE, note="the next thread's wait fails")
closed("decoder", "XN", "DECODER WAITERS=2", **LIBRARY, note="a library closes the file that it was lent")
closed("decoder-late", "X", "DECODER LATE WAITERS=1 CROWD=60", flags="-O1", **LATE, **LIBRARY)
closed("library-end", "E", "LIBRARY_CLOSES WAITERS=4", **LIBRARY, note="a library closes late what the host has closed")
closed("library-end-denied", "X", "LIBRARY_CLOSES IN_STATIC TAKE_SYNCHRONIZE_ONLY WAITERS=3 BY_GUARD", "handle-access-denied", slot_type="Event", flags="-Os", **LIBRARY)
closed("sounds", "X", "COPIED_OWNER WAITERS=6 NO_DEBUG", flags="-O1", note="an owner is copied, both destructors close")
closed("sounds-thread", "O", "COPIED_OWNER TAKE_THREAD WAITERS=2", "handle-wrong-type", slot_type="Thread")
closed("overlapped", "XO", "OVERLAPPED_EVENT WAITERS=2", flags="-O1", note="a request is cancelled and completed")
closed("lockdown", "X", "LOCKDOWN IN_STACK WAITERS=5 CROWD=80", note="numbers of handles that are some seconds old")
closed("lockdown-delete", "X", "LOCKDOWN IN_STATIC_ARRAY IDLE STRICT_DELETE WAITERS=1", note="Delete, under FLG_ENABLE_CLOSE_EXCEPTIONS", **STRICT)
closed("downloads", "E", "OWN_WRAPPER WAITERS=2 RECURSE", flags="-O0", note="two unique owners")
closed("downloads-mutex", "X", "OWN_WRAPPER TAKE_MUTEX WAITERS=1", "handle-wrong-type", slot_type="Mutant")
closed("client-number", "X", "CLIENT_NUMBER WAITERS=2 RECURSE SPIN=1500", flags="-Os", note="the number is another process's")
closed("resume", "N", "POWER_RESUME WAITERS=3 CROWD=30", flags="-O0")
closed("resume-semaphore", "X", "POWER_RESUME TAKE_SEMAPHORE WAITERS=1", "handle-wrong-type", slot_type="Semaphore", flags="-O1")
closed("fences", "X", "FENCE_GARBAGE WAITERS=2", note="in the dead lists of two frames")
closed("fences-delete", "X", "FENCE_GARBAGE IDLE STRICT_DELETE WAITERS=2", flags="-O1", **STRICT)
closed("at-exit", "E", "AT_EXIT BY_LAMBDA IN_STATIC WAITERS=2", note="in an exit handler", other_thread=True)
closed("restart", "X", "RESTART WAITERS=2", source="close2", flags="-O1", note="a thread is joined twice")
closed("pipe-ends", "N", "PIPE_ENDS WAITERS=1", source="close2", flags="-O0")
closed("wrong-null", "X", "WRONG_NULL WAITERS=4", source="close2", note="the wrong variable is set to NULL")
closed("rows", "O", "TABLE_ROW WAITERS=3", source="close2", flags="-Os")


def over(name, sets, defines, mechanism, source="over", **more):
    add(name, source, sets, defines, mechanism, "corrupted", **more)


CLOSED = dict(twin="handle-closed")

# ---- written over while others sleep on the true event ---------------------------------------------------------------------
over("particle", "X", "STALE_PARTICLE WAITERS=2", "handle-implausible", flags="-O1", note="floats, through a pointer to a freed object")
over("bytes-sent", "XN", "STATISTICS=0x2000 WAITERS=3 CROWD=30", "handle-slot-empty", note="a size is added to LockSemaphore")
over("slash", "X", "SLASH WAITERS=1", "handle-slot-empty", flags="-O0", note="one character, into LockSemaphore")
over("blur", "NW", "BLUR WAITERS=2", "handle-implausible", note="pixels, from behind")
over("unlinked", "X", "UNLINK WAITERS=4 NO_DEBUG", "handle-implausible", note="a list's pointer")
over("checksum", "W", "CRC_BEHIND WAITERS=2", "handle-implausible", flags="-O0", note="eight bytes in front of a packet")
over("font-size", "X", "WRONG_MEMBER=0x960 WAITERS=2 SPIN=4000", "handle-slot-empty", flags="-O1", note="a wrong cast")
over("ram", "X", "BAD_RAM=33 IN_STATIC_ARRAY WAITERS=2", "handle-implausible", note="bit 33")
over("counted", "X", "STRAY_COUNT IN_MAPPED WAITERS=2", "not-owner", note="LockCount is one too high, others sleep")
over("counted-idle", "E", "STRAY_COUNT WAITERS=0", "not-owner", flags="-Os", twin="not-owner", note="LockCount is one too high, nobody sleeps")
over("resized", "X", "BEFORE_ANYBODY=0x4C0 WAITERS=1", "handle-slot-empty", operation="enter", other_thread=True, note="nobody had waited before", **CLOSED)
over("resized-odd", "N", "BEFORE_ANYBODY=30011 IN_TLS WAITERS=2", "handle-slot-empty", operation="enter", other_thread=True, flags="-O0", note="no multiple of four")

# ---- written over while nobody waits ---------------------------------------------------------------------------------------
over("long-path", "X", "LONG_PATH CROWD=20", "handle-implausible", source="over2", flags="-O1", note="a path; it begins in its own buffer")
over("device-name", "XN", "WIDE_NAME", "handle-implausible", source="over2", note="16-bit text", in_set={"x86-new": dict(mechanism="handle-slot-empty")})
over("rectangle", "W", "FILL_RECTANGLE=0xFF3366CB", "handle-implausible", source="over2", flags="-Os", twin="memory-released", note="a colour; the rows in front have it too")
over("coordinates", "X", "TEXTURE_COORDINATES", "handle-implausible", source="over2", note="floats")
over("packet", "N", "PACKET", "handle-implausible", source="over2", flags="-O0", note="a packet's length is believed")
over("history", "E", "HISTORY_TABLE", "handle-implausible", source="over2", note="16-bit samples")


def deleted(name, sets, defines, mechanism="section-zeroed", operation="leave", **more):
    more.setdefault("state", "zero" if mechanism == "section-zeroed" else None)
    add(name, "del", sets, defines, mechanism, "deleted", operation, **dict(dict(code=unseen.INVALID, handle_unknown=True, absent=False), **more))


# ---- deleted meanwhile -----------------------------------------------------------------------------------------------------
deleted("view-closed", "X", "WAITERS=2", note="a destructor overtakes a Leave")
deleted("view-closed-enter", "N", "ASKING WAITERS=1", operation="enter", other_thread=True, flags="-O1", note="and an Enter")
deleted("view-taken", "X", "TAKE_MUTEX WAITERS=3", code=unseen.WRONG_TYPE, flags="-Os", note="a mutex takes the event's number")
deleted("view-freed", "E", "TAB_CLOSED WAITERS=1 CROWD=30", flags="-O0", state=None, note="the block is the heap's again")
deleted("view-page", "X", "PAGE_GONE WAITERS=2", "handle-slot-empty", state="gone", twin="memory-released", note="the pages are gone, too")
deleted("view-next", "XO", "NEXT_OBJECT WAITERS=2", "handle-slot-empty", flags="-O1", note="the next object is in its place, with a lock of its own")


def raw(name, sets, defines, cause, operation="leave", mechanism="handle-implausible", **more):
    add(name, "raw", sets, defines, mechanism, cause, operation, **more)


# ---- never made ------------------------------------------------------------------------------------------------------------
raw("pool-fill", "X", "POOL_FILL=0xAB", "never-initialized", note="a fill for new blocks; the object's other fields are right")
raw("pool-fill-woa", "W", "POOL_FILL=0xBB CROWD=20", "never-initialized", flags="-O0", twin="corrupted", note="an allocator's own fill, on a system that keeps no record")
raw("camera", "XN", "FAILED_INIT", "never-initialized", flags="-O1", note="a constructor stopped early; old text")
raw("leftover", "X", "STACK_LEFTOVER", "never-initialized", flags="-O0", note="a local, with what was on the stack")

# ---- no longer -------------------------------------------------------------------------------------------------------------
raw("freed-player", "XN", "FREED_PLAYER", "memory-released", twin="corrupted", note="the block is a text now")
raw("late-job", "X", "ARENA_RESET CROWD=15", "memory-released", twin="corrupted", other_thread=True, flags="-O1", note="an arena was reset")
raw("codec", "N", "UNLOADED_CODEC", "memory-released", plugin="k-plugin.c", unloaded="plugin.dll", flags="-Os", note="a buffer where a DLL was")
raw("returned-local", "X", "RETURNED_LOCAL", "memory-released", flags="-O0", note="in a live frame of another function")
raw("view-replaced", "E", "VIEW_REPLACED", "memory-released", twin="corrupted", note="another view at the address")

# ---- another object ----------------------------------------------------------------------------------------------------------
raw("wrong-base", "XN", "WRONG_BASE", "bad-pointer", flags="-O1", twin="never-initialized", note="the object's name")
raw("scaled-twice", "W", "INDEX_IN_BYTES", "bad-pointer", twin="never-initialized", note="behind the table of locks", mechanism="handle-slot-empty")


def copied(name, sets, defines, mechanism="handle-slot-empty", **more):
    add(name, "copy", sets, defines, mechanism, "copied", **more)


ORIGINAL = dict(of_original=True)

# ---- copied ------------------------------------------------------------------------------------------------------------------
copied("emplaced", "XN", "EMPLACE WAITERS=2", note="a vector grows while one of its elements is locked")
copied("emplaced-file", "E", "EMPLACE TAKE_FILE WAITERS=1 CROWD=30", "handle-wrong-type", slot_type="File", flags="-O0")
copied("cloned", "X", "CLONED_CONFIG WAITERS=3", flags="-O1", note="a clone is destroyed", **ORIGINAL)
copied("cloned-bare", "N", "CLONED_CONFIG NO_DEBUG WAITERS=1", twin="handle-closed", note="as k-cloned, without a debug record that the Delete could have spoilt", **ORIGINAL)
copied("saved-world", "X", "SAVE_STATE WAITERS=2", flags="-Os", note="saved bytes are loaded after the lock was deleted and made again", **ORIGINAL)
copied("captured", "O", "CAPTURED WAITERS=2", note="a lambda has a copy", **ORIGINAL)
copied("swapped", "X", "SWAP_ENTRIES WAITERS=2", flags="-O1", note="entries change places, the one that moved is deleted, and put back by an undo", rolled_back=True, **ORIGINAL)

# ---- two processes -----------------------------------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (("capture", "X", "WAITERS=2", dict(note="threads of the other process wait")),
                                      ("capture-owned", "N", "OWNED_THERE WAITERS=1", dict(operation="enter", flags="-O1", note="the other process has it, and its own wait")),
                                      ("capture-xp", "O", "WAITERS=1 CROWD=20", dict(flags="-O0"))):
    add(_name, "share", _sets, _defines, "handle-slot-empty", "cross-process", **_more)

# ---- left by another than the owner ------------------------------------------------------------------------------------------
for _name, _sets, _defines, _more in (("error-path", "X", "ERROR_PATH", dict(flags="-O1")), ("busy", "N", "BUSY", {}), ("dialog-closed", "W", "UI_RELEASES", dict(flags="-O0")),
                                      ("completion", "X", "COMPLETION CROWD=25", dict(flags="-Os"))):
    add(_name, "own", _sets, _defines, "not-owner", "not-owner", other_thread=True, **dict(_more, state=None))


def none(name, sets, defines, code=unseen.ACCESS, **more):
    add(name, "none", sets, defines, "unknown", "none", None, code=code, direct_import=True, **more)


# ---- no lock failure ---------------------------------------------------------------------------------------------------------
none("none-close", "XN", "CLOSE_UNDER_LOCK WAITERS=2", unseen.INVALID, os=dict(global_flag=0x400000), note="CloseHandle raises, the lock is sound")
none("none-close-after", "X", "CLOSE_AFTER_LEAVE WAITERS=0", unseen.INVALID, os=dict(global_flag=0x400000), flags="-O1", note="NtClose raises, after a Leave")
none("none-safe-handle", "X", "SAFE_HANDLE=0xC0000008 CROWD=20 WAITERS=0", unseen.INVALID, note="a class of the program's raises")
none("none-gate", "N", "OWN_GATE=CreateSemaphoreA(NULL,0,1,NULL) WAITERS=0", unseen.WRONG_TYPE, flags="-O0", note="the program's own gate raises")
none("none-mutex-class", "W", "MUTEX_CLASS WAITERS=0", unseen.NOT_OWNED, note="the program's own check raises")
none("none-copy", "XO", "COPY_UNDER_LOCK WAITERS=3", flags="-O1", note="a stale pointer under a lock")
none("none-destructor", "X", "OWN_DESTRUCTOR WAITERS=0", flags="-O0")
none("none-broken-nearby", "E", "BROKEN_EVENT_NEARBY WAITERS=1", note="a lock is broken, but nobody has met it")
