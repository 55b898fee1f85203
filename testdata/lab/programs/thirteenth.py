"""Of batches that were written to be looked at (h-l*, j-l*, j-x*, j-y*): the crashes that showed a fault of csdump's which no other dump shows."""
from . import unseen

PROGRAMS = {}


def add(name, source, set_letter, defines, mechanism, cause, operation, static=True, **more):
    unseen.add("thirteenth", source, set_letter, defines, mechanism, cause, operation, **more)
    entry = dict(unseen.UNSEEN.pop("u-thirteenth"))
    entry.setdefault("kinds", ("full",))
    if not static:
        entry["flags"] = [flag for flag in entry["flags"] if flag != "-static"]
    PROGRAMS[name] = entry


add("h-lkeepalive", "h-life-net", "X", "KEEPALIVE", "handle-implausible", "memory-released", "enter", flags="-O0", handle_unknown=False, absent=False,
    note="the heap block is a request's: strings, with pointers that are good; a timer comes late")
add("j-lcodec", "j-life-codec", "X", "CODEC", "debug-info-invalid", "memory-released", "enter", static=False, flags="-O2", plugin="j-life-plugin.c",
    unloaded="decoder-1.dll", note="a DLL was unloaded, another copy loaded there, whose static data holds tables")
add("j-lpages", "j-life-file", "W", "PAGES CROWD=15", "section-zeroed", "memory-released", "enter", flags="-Os",
    note="pages were released and reserved again for a bitmap")
add("j-lpool", "j-life-late", "O", "POOL CROWD=10", "section-zeroed", "deleted", "enter", other_thread=True,
    note="a static pool's slot, free; a timer's thread had taken it out")
add("j-lview", "j-life-file", "W", "VIEW", "debug-info-invalid", "memory-released", "enter", static=False, kinds=("wer",), wer=dict(handles=True, keep_imports=True),
    note="another window of the file is mapped at the same place: pixels")
add("j-xcensus", "j-odd-census", "N", "", "debug-info-invalid", "cross-process", "enter", flags="-O2",
    note="a shared data segment; DebugInfo is an address in the other process's heap")
add("j-xproto", "j-odd-proto", "W", "", "debug-info-invalid", "copied", "delete", flags="-O0",
    note="clones of a prototype whose section was contended before; the second Delete")
add("j-ydscp", "j-rare1", "X", "", "not-owner", "corrupted", "leave", static=False, other_thread=True,
    note="heap; a counter at an index past its table hits LockCount while the lock is owned")
add("j-yspawn", "j-rare7", "N", "", "debug-info-invalid", "bad-pointer", "enter", static=False, other_thread=True, flags="-O0",
    note="the address of the pointer, on main's stack: a request's text")
PROGRAMS["j-zteardown"] = dict(
    sets=["x86-old"], mechanism="unknown", cause="none", code=0xC0000008, os=dict(global_flag=0x400000), kinds=("full",), always_handles=True,
    source="j-odd-teardown", flags=["-O2"], note="CloseHandle raises over the remains of a Delete that closed an event")
