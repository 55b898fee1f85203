"""What a run really did, against what its label says: by the reporter's record of the act and by the frames of the crash."""
import struct

import dumpwriter as dw

OPERATIONS = {"RtlLeaveCriticalSection": "leave", "RtlpUnWaitCriticalSection": "leave", "RtlpNotOwnerCriticalSection": "leave", "RtlEnterCriticalSection": "enter",
              "RtlpWaitOnCriticalSection": "enter", "RtlpWaitForCriticalSection": "enter", "RtlTryEnterCriticalSection": "try-enter", "RtlDeleteCriticalSection": "delete"}
LARGEST_HANDLE = 0x04000000


def verify(snap, expected):
    """Only programs that call reporter_act have a record to verify against."""
    if not expected.get("verified"):
        return
    # Of x86 frames, stale return addresses are all there is where nothing failed: there, check.py holds the dump to where the exception was raised.
    assert operation(snap) == expected.get("operation") or expected["cause"] == "none" and snap.arch.ptr == 4, "operation %s instead of %s" % (operation(snap), expected.get("operation"))
    assert snap.code == expected["code"], "code 0x%08X" % snap.code
    if expected["cause"] == "none":
        assert not snap.acts, snap.acts
        return
    acts = [a for a in snap.acts if a["cause"] == expected["cause"]]
    assert acts, "no record of the act: %r" % snap.acts
    CHECKS[expected["cause"]](snap, acts[-1], expected)
    check_mechanism(snap, expected)


# ---- the operation -------------------------------------------------------------------------------------------------------


def exports(snap):
    m, base = snap.memory, dw.find_module(snap, "ntdll.dll")["base"]
    directory = base + dw.Image(m, base).directories[0][0]
    names, functions, ordinals = (m.unpack("<I", directory + o) for o in (32, 28, 36))
    out = []
    for i in range(m.unpack("<I", directory + 24)):
        text = m.read(base + m.unpack("<I", base + names + 4 * i), 40).split(b"\0")[0].decode()
        out.append((base + m.unpack("<I", base + functions + 4 * m.unpack("<H", base + ordinals + 2 * i)), text))
    return base, dw.Image(m, base).size, sorted(out)


def operation(snap):
    """The lock function nearest to the crash: by unwinding (x64), by return addresses on the stack (x86)."""
    base, size, table = exports(snap)
    a = snap.arch
    if a.ptr == 8:
        addresses = [frame["rip"] for frame in snap.truth]
    else:
        low, high = dw.live_stack(snap, next(t for t in snap.threads if t["id"] == snap.thread_id))
        words = struct.unpack("<%dI" % min(64, (high - low) // 4), snap.memory.read(low, min(256, (high - low) // 4 * 4)))
        addresses = [struct.unpack_from(a.word, snap.context, a.ip)[0]] + [w for w in words if is_return(snap, w)]
    inside = False
    for address in addresses:
        if not base <= address < base + size:
            if inside or a.ptr == 8 and address != addresses[0]:
                return None  # the program's own frame comes first
            if a.ptr == 4 and not is_system(snap, address):
                return None
            continue
        inside = True
        name = next((n for at, n in reversed(table) if at <= address), "")
        if name in OPERATIONS:
            return OPERATIONS[name]
    return None


def is_return(snap, address):
    code = snap.memory.read(address - 6, 6) if any(dw.is_own(m) and m["base"] <= address - 6 < m["base"] + dw.Image(snap.memory, m["base"]).size for m in snap.modules) else None
    return bool(code) and (code[1] == 0xE8 or code[0] == 0xFF and code[1] == 0x15 or code[4] == 0xFF and code[5] >= 0xD0)


def is_system(snap, address):
    return not any(dw.is_own(m) and m["base"] <= address < m["base"] + dw.Image(snap.memory, m["base"]).size for m in snap.modules)


# ---- the causes ----------------------------------------------------------------------------------------------------------


def fields(snap, raw):
    return dict(zip(("debug_info", "lock_count", "recursion_count", "owning_thread", "lock_semaphore", "spin_count"),
                    struct.unpack("<QiiQQQ" if snap.arch.ptr == 8 else "<IiiIII", raw)))


def now(snap):
    return snap.memory.read(snap.section, snap.arch.section["size"])


def holder(snap, handle):
    return next((h["type"] for h in snap.handles if h["handle"] == handle & ~3), None)


def is_initialized(snap, act):
    """The section has a debug record that points back, or says that it has none."""
    debug_info = fields(snap, act["bytes"])["debug_info"]
    if debug_info == 256 ** snap.arch.ptr - 1:
        return True
    return bool(debug_info) and snap.memory.unpack(snap.arch.word, debug_info + snap.arch.ptr) == act["section"]


def handle_closed(snap, act, expected):
    assert act["is_event"], "LockSemaphore was no event before the act"
    section = now(snap)
    assert section, "no section"
    assert expected["operation"] == "delete" or fields(snap, section)["lock_semaphore"] == act["handle"], "LockSemaphore changed"
    assert fields(snap, section)["debug_info"] == fields(snap, act["bytes"])["debug_info"], "the section changed"
    assert holder(snap, act["handle"]) != "Event" or expected["code"] == 0xC0000022, "the handle is still open"


def corrupted(snap, act, expected):
    section = now(snap)
    if expected.get("record_hit"):
        return
    before, after = fields(snap, act["bytes"]), fields(snap, section)
    changed = [k for k in ("debug_info", "lock_semaphore", "spin_count") if before[k] != after[k]]
    assert changed or expected["code"] == 0xC0000264, "nothing changed: %r %r" % (before, after)


def never_initialized(snap, act, expected):
    assert not is_initialized(snap, act), "it has a debug record"


def deleted(snap, act, expected):
    assert fields(snap, act["bytes"])["debug_info"], "it was no section before"  # its record is gone now
    section = now(snap)
    assert section is None or fields(snap, section)["debug_info"] != fields(snap, act["bytes"])["debug_info"], "it was not deleted"


def memory_released(snap, act, expected):
    assert act["readable"], "the memory was gone before"
    section = now(snap)
    assert (section is None) == (expected.get("state") == "gone"), "readable: %s" % (section is not None)


def copied(snap, act, expected):
    assert act["readable"]
    section = now(snap)
    assert section, "no section"
    assert expected.get("of_original") or act["section"] != snap.section, "the section is the original"
    assert expected.get("rolled_back") or fields(snap, section)["lock_semaphore"] == act["handle"] or expected["operation"] == "delete", "other bytes"


def nothing(snap, act, expected):
    pass


def cross_process(snap, act, expected):
    assert fields(snap, act["bytes"])["lock_count"] != -1 or act["handle"], "nobody else used it"


def not_owner(snap, act, expected):
    owner = fields(snap, act["bytes"])["owning_thread"]
    assert owner and owner != act["thread"], "the thread owns it"
    assert any(t["id"] == act["thread"] for t in snap.threads), "the stranger is gone"


CHECKS = {"handle-closed": handle_closed, "corrupted": corrupted, "never-initialized": never_initialized, "deleted": deleted, "memory-released": memory_released,
          "copied": copied, "bad-pointer": nothing, "cross-process": cross_process, "not-owner": not_owner}


def fault_address(snap):
    """ExceptionInformation[1] of an access violation."""
    return struct.unpack_from("<Q", snap.record, 40)[0] if snap.arch.ptr == 8 else struct.unpack_from("<I", snap.record, 24)[0]


def check_fault(snap, expected):
    """An access violation is where its mechanism says; -1 is what a non-canonical address leaves."""
    mechanism, fault, size = expected["mechanism"], fault_address(snap), snap.arch.section["size"]
    if mechanism in ("section-unreadable", "pointer-invalid"):
        assert snap.section <= fault < snap.section + size or snap.section >> 47 not in (0, 0x1FFFF), "fault at 0x%x" % fault
    elif mechanism == "section-zeroed":
        assert fault < 0x30, "fault at 0x%x" % fault
    elif mechanism == "debug-info-invalid":
        debug_info = fields(snap, now(snap))["debug_info"]
        link = snap.memory.unpack(snap.arch.word, debug_info + 3 * snap.arch.ptr)  # Blink, which Delete writes through
        near = [debug_info] + ([link] if expected["operation"] == "delete" and link is not None else [])
        assert any(at <= fault < at + 0x30 or at >> 47 not in (0, 0x1FFFF) for at in near), "fault at 0x%x, near %r" % (fault, near)


def check_mechanism(snap, expected):
    mechanism, section = expected["mechanism"], now(snap)
    if snap.code == 0xC0000005:
        check_fault(snap, expected)
    if mechanism in ("handle-slot-empty", "handle-implausible"):
        assert snap.code == 0xC0000008
        assert section is None or any(section), "the section is zeroed"
        if snap.handle and not expected.get("handle_unknown"):
            assert holder(snap, snap.handle) is None, "the slot holds %s" % holder(snap, snap.handle)
            plausible = snap.handle < LARGEST_HANDLE and not snap.memory.find(snap.handle)
            assert plausible == (mechanism == "handle-slot-empty"), "handle 0x%x" % snap.handle
    elif mechanism == "section-zeroed":
        # a contended Enter has counted itself and made its event already
        debug_info = fields(snap, section)["debug_info"]
        assert debug_info == 0 and fields(snap, section)["owning_thread"] == 0, fields(snap, section)
    elif mechanism == "section-unreadable":
        assert section is None and snap.code == 0xC0000005
    elif mechanism == "debug-info-invalid":
        assert section and snap.code == 0xC0000005
    elif mechanism == "handle-wrong-type":
        assert snap.code == 0xC0000024 and holder(snap, snap.handle) not in (None, "Event"), holder(snap, snap.handle)
    elif mechanism == "handle-access-denied":
        assert snap.code == 0xC0000022 and holder(snap, snap.handle)
    elif mechanism == "not-owner":
        assert snap.code == 0xC0000264
