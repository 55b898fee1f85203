"""The seventh batch: never made, and no section's address."""
from . import seventh


def raw(name, source, sets, defines, mechanism="section-zeroed", operation="enter", **more):
    seventh.add(name, "unmade-" + source, sets, defines, mechanism, "never-initialized", operation, **more)


# ---- never made ---------------------------------------------------------------------------------------------------------------------
raw("hmodules", "zero", "X", "MODULE_ORDER", note="static; modules are started in the wrong order")
raw("honce", "zero", "N", "ONCE_EARLY CROWD=20", flags="-O1", note="static; the thread that will make it is on its way")
raw("hcompat", "zero", "O", "FUNCTION_NAME", flags="-O0", note="a zeroed local; the function that makes it is not found")
raw("hpool", "zero", "E", "MORE_WORKERS CROWD=15", flags="-Os", note="zeroed heap; five of eight in a table are made")
raw("hscratch", "zero", "N", "OTHER_THREAD", other_thread=True, note="thread-local; only main's is made")
raw("hshm", "zero", "O", "NOT_THE_FIRST CROWD=10", flags="-O1", note="shared memory; whoever made that has not made the lock")
raw("htitle", "dirty", "X", "TITLE CROWD=25", "debug-info-invalid", flags="-O1", note="heap, with an earlier text; the other fields are set")
raw("hdocument", "dirty", "W", "DOCUMENT", "debug-info-invalid", note="heap; a copy constructor forgets it; an allocator's fill")
raw("hplaylist", "dirty", "X", "PLAYLIST", "handle-implausible", "leave", flags="-Os", note="heap, with an earlier text")
raw("hcram", "plain", "E", "CRAM", flags="-O1", note="zeroed heap; made only with threads")
raw("hpcap", "plain", "W", "PCAP", flags="-Os", note="static; DllMain of a library that is linked statically")
raw("hsetup", "plain", "N", "SETUP", "debug-info-invalid", "delete", flags="-O0", note="a local; an error path deletes what was not made")
raw("hplugin", "host", "X", "CROWD=30", plugin="x-unmade-plugin.c", flags="-O1", note="static, in a DLL whose start function is not found")


def pointer(name, source, sets, defines, mechanism="pointer-invalid", operation="enter", **more):
    more.setdefault("state", "gone" if mechanism == "pointer-invalid" else None)
    seventh.add(name, "unmade-" + source, sets, defines, mechanism, "bad-pointer", operation, **more)


# ---- no section's address -------------------------------------------------------------------------------------------------------------
pointer("hsession", "pointer", "X", "SESSION CROWD=20", flags="-O1", note="a member of NULL, by a guard")
pointer("hgifview", "pointer", "E", "VIEW CROWD=10", note="32 bits of a pointer")
pointer("hcombo", "pointer", "O", "COMBO", operation="try-enter", flags="-Os", note="a number where an address is expected")
pointer("htimer", "pointer", "E", "TIMER", flags="-O1", note="a freed entry's pointer, which is text")
pointer("hlookup", "pointer", "N", "LOOKUP", flags="-O0", note="an unset local, which is text")
pointer("hmmap", "pointer", "W", "MAP_FAILS CROWD=25", note="a member of -1, in a lambda")
pointer("hworker", "pointer", "O", "JOB", other_thread=True, flags="-O1", note="a parameter in a frame that has returned; its pointer is text")
pointer("hpeer", "plain", "N", "PEER", operation="leave", flags="-O1", note="a member of NULL; the pointer was set to NULL while locked")
pointer("hport", "plain", "X", "PORT", operation="delete", note="a mutex's handle")
pointer("hcleanup", "plain", "E", "CLEANUP", operation="delete", flags="-Os", note="a member of NULL, in the cleanup after a failure")
pointer("hroutes", "beside", "X", "ROUTES CROWD=15", "debug-info-invalid", note="behind a table: text")
pointer("hsink", "beside", "W", "SINK", "debug-info-invalid", flags="-O1", note="another base's address: 16 bytes behind the lock")
pointer("hslots", "beside", "N", "SLOTS", "handle-slot-empty", "leave", flags="-O0", note="before a table: port numbers")
