#!/usr/bin/env python3
"""A small minidump reader that asserts what the labels promise. `check.py` alone checks every kept dump."""
import struct
import subprocess
import sys
from pathlib import Path


class Dump:
    def __init__(self, data):
        self.data = data
        magic, _, count, directory = struct.unpack_from("<IIII", data)
        assert magic == 0x504D444D, "no minidump"
        self.streams = {}
        for i in range(count):
            kind, size, rva = struct.unpack_from("<III", data, directory + 12 * i)
            assert rva + size <= len(data), "stream %d out of bounds" % kind
            self.streams[kind] = (rva, size)
        self.arch = struct.unpack_from("<H", data, self.streams[7][0])[0]
        self.memory = self._memory()

    def _memory(self):
        out = []
        if 9 in self.streams:
            rva, _ = self.streams[9]
            count, at = struct.unpack_from("<QQ", self.data, rva)
            for i in range(count):
                base, size = struct.unpack_from("<QQ", self.data, rva + 16 + 16 * i)
                assert at + size <= len(self.data), "memory out of bounds"
                out.append((base, size, at))
                at += size
            assert at == len(self.data)
        else:
            rva, _ = self.streams[5]
            for i in range(struct.unpack_from("<I", self.data, rva)[0]):
                base, size, at = struct.unpack_from("<QII", self.data, rva + 4 + 16 * i)
                assert at + size <= len(self.data), "memory out of bounds"
                out.append((base, size, at))
        out.sort()
        for (a, n, _), (b, _, _) in zip(out, out[1:]):
            assert a + n <= b, "memory overlaps"
        return out

    def read(self, address, size):
        for base, length, at in self.memory:
            if base <= address and address + size <= base + length:
                return self.data[at + address - base:at + address - base + size]
        return None

    def exception(self):
        rva, _ = self.streams[6]
        thread, _, code, flags, chain, address, count = struct.unpack_from("<IIIIQQI", self.data, rva)
        size, context = struct.unpack_from("<II", self.data, rva + 160)
        assert context + size <= len(self.data)
        return thread, code, address, self.data[context:context + size]

    def threads(self):
        rva, _ = self.streams[3]
        out = []
        for i in range(struct.unpack_from("<I", self.data, rva)[0]):
            tid, _, _, _, teb, low, size, stack, csize, context = struct.unpack_from("<IIIIQQIIII", self.data, rva + 4 + 48 * i)
            assert stack + size <= len(self.data) and context + csize <= len(self.data)
            out.append((tid, low, size, stack))
        return out

    def modules(self):
        rva, _ = self.streams[4]
        out = []
        for i in range(struct.unpack_from("<I", self.data, rva)[0]):
            base, size, _, _, name = struct.unpack_from("<QIIII", self.data, rva + 4 + 108 * i)
            length = struct.unpack_from("<I", self.data, name)[0]
            out.append((base, size, self.data[name + 4:name + 4 + length].decode("utf-16-le")))
        return out

    def handles(self):
        if 12 not in self.streams:
            return None
        rva, _ = self.streams[12]
        header, size, count, _ = struct.unpack_from("<IIII", self.data, rva)
        out = {}
        for i in range(count):
            value, kind, name = struct.unpack_from("<QII", self.data, rva + header + size * i)
            out[value] = (self.string(kind), self.string(name))
        return out

    def unloaded(self):
        rva, _ = self.streams[14]
        header, size, count = struct.unpack_from("<III", self.data, rva)
        return [self.string(struct.unpack_from("<I", self.data, rva + header + size * i + 20)[0]) for i in range(count)]

    def string(self, rva):
        if not rva:
            return ""
        length = struct.unpack_from("<I", self.data, rva)[0]
        return self.data[rva + 4:rva + 4 + length].decode("utf-16-le")

    wow64 = False

    @property
    def x64(self):
        """The side that is checked."""
        return self.arch == 9 and not self.wow64

    def stack_pointer(self, thread, address, context):
        """Of the exception; under WoW64 (see wow64.py) from the x64 context, the CPU area or the dispatcher's copy."""
        if not self.wow64:
            return struct.unpack_from("<Q" if self.x64 else "<I", context, 0x98 if self.x64 else 0xC4)[0]
        if struct.unpack_from("<H", context, 0x38)[0] == 0x23:
            assert struct.unpack_from("<Q", context, 0xF8)[0] == address, "rip"
            return struct.unpack_from("<Q", context, 0x98)[0]
        rva, _ = self.streams[3]
        threads = [struct.unpack_from("<I12xQ", self.data, rva + 4 + 48 * i) for i in range(struct.unpack_from("<I", self.data, rva)[0])]
        teb = dict(threads)[thread]
        assert struct.unpack("<I", self.read(teb + 0x2018, 4))[0] == teb + 0x2000, "no 32-bit TEB"
        area = struct.unpack("<Q", self.read(teb + 0x1488, 8))[0] + 4
        high, low = struct.unpack("<II", self.read(teb + 0x2004, 8))
        places = [area] + [at for at in range(low & -16, high, 4) if (self.read(at + 0xB8, 4) or b"") == struct.pack("<I", address)]
        for at in places:
            flags, eip, esp = (struct.unpack("<I", self.read(at + o, 4) or bytes(4))[0] for o in (0, 0xB8, 0xC4))
            if flags == 0x1002F and eip == address:
                return esp
        raise AssertionError("no 32-bit context")

    def section(self, address):
        x64 = self.x64
        data = self.read(address, 0x28 if x64 else 0x18)
        if data is None:
            return None
        names = ("debug_info", "lock_count", "recursion_count", "owning_thread", "lock_semaphore", "spin_count")
        return dict(zip(names, struct.unpack("<QiiQQQ" if x64 else "<IiiIII", data)), bytes=data)


# Functions of the lock DLL that belong to one operation.
PARTS = {"RtlLeaveCriticalSection": "leave", "RtlpUnWaitCriticalSection": "leave", "RtlpNotOwnerCriticalSection": "leave", "RtlEnterCriticalSection": "enter",
         "RtlpWaitOnCriticalSection": "enter", "RtlpWaitForCriticalSection": "enter", "RtlTryEnterCriticalSection": "try-enter", "RtlDeleteCriticalSection": "delete"}


def exports(dump, base):
    """The exports of a 32-bit image, by address; None where the dump does not hold them."""
    def word(address, size=4):
        data = dump.read(address, size)
        return data and int.from_bytes(data, "little")

    header = word(base + 0x3C)
    directory = header and word(base + header + 0x78)
    if not directory or word(base + directory + 24) is None:
        return None
    out = []
    names, functions, ordinals = (base + word(base + directory + offset) for offset in (32, 28, 36))
    for i in range(word(base + directory + 24)):
        at, index = word(names + 4 * i), word(ordinals + 2 * i, 2)
        if at is None or index is None or word(functions + 4 * index) is None:
            return None
        text = next((dump.read(base + at, size) for size in range(60, 0, -1) if dump.read(base + at, size)), b"")
        out.append((base + word(functions + 4 * index), text.split(b"\0")[0].decode()))
    return sorted(out)


def raised_in(dump):
    """The operation that the exception of a 32-bit dump was raised in, by the instruction pointer alone, "other" for another function: every function of the lock DLL
    that raises, or that a lock's fault can be in, is exported. The raiser that the kernel returns to is left by its frame pointer. None: the dump lacks the exports."""
    _, code, _, context = dump.exception()
    base, size = next((base, size) for base, size, path in dump.modules() if path.lower().endswith("\\ntdll.dll"))
    table = exports(dump, base)
    if table is None:
        return None

    def function(address, is_fault=False):
        below = [name for at, name in table if at < address or is_fault and at == address]
        return below[-1] if below and base <= address < base + size else None

    frame_pointer, address = struct.unpack_from("<II", context, 0xB4)
    name = function(address, is_fault=code == 0xC0000005)  # else behind a call
    if name == "KiRaiseUserExceptionDispatcher":
        name = function(int.from_bytes(dump.read(frame_pointer + 4, 4) or b"", "little"))
    return PARTS.get(name, "other")


def check_operation(dump, label):
    """A label that the run contradicts is withdrawn, and only such a one. Whether the dump says which function raised (x64: verify.py, by unwinding)."""
    raised = raised_in(dump) if label["arch"] == "x86" and not label.get("wow64") else None
    if raised is None or raised == "other" and label.get("operation"):
        return False  # (a nested record, a lock that is left by other code)
    contradicted = raised not in ("other", label.get("operation"))
    assert not contradicted or "withdrawn" in label, "raised in %s, labelled %s" % (raised, label.get("operation"))
    assert contradicted or "withdrawn" not in label, "withdrawn, but nothing contradicts it"
    return True


def check(data, label, program):
    """Whether the dump could be held to where its exception was raised, too."""
    dump = Dump(data)
    dump.wow64 = label.get("wow64", False)
    thread, code, address, context = dump.exception()
    assert "0x%08X" % code == label["code"], "code 0x%08X" % code
    if "code" in program:
        wanted = expected(label, program)["code"]
        assert code == wanted, "code 0x%08X instead of 0x%08X" % (code, wanted)
    assert "0x%x" % thread == label["thread"]
    assert any(t[0] == thread for t in dump.threads())
    check_names(dump, label)
    check_kind(dump, label)
    is_held = check_operation(dump, label)
    sp = dump.stack_pointer(thread, address, context)
    check_stack(dump, label, sp, expected(label, program).get("other_thread"))
    if "unloaded" in program and 14 in dump.streams:
        assert program["unloaded"] in dump.unloaded(), dump.unloaded()
    if "section" in label:
        check_section(dump, label, program, int(label["section"], 16))
    check_handles(dump, label, program)
    return is_held


def check_names(dump, label):
    names = [m[2].lower() for m in dump.modules()]
    assert "c:\\windows\\system32\\ntdll.dll" in names, names
    folder = "syswow64" if dump.wow64 else "system32"
    assert "c:\\windows\\%s\\ntdll.dll" % folder in names, names
    assert "c:\\windows\\%s\\kernel32.dll" % folder in names, names
    for word in (b"wine", b"cslab"):
        for text in (word, b"".join(bytes((c, 0)) for c in word)):
            at = dump.data.lower().find(text)
            assert at < 0, "%s in the dump: %r" % (word.decode(), dump.data[max(0, at - 40):at + 60])


# streams that a kind has, streams that it has not
KIND_STREAMS = {"full": ({9, 16, 17}, {5}), "code": ({5, 12, 18}, {9}), "wer": ({5}, {9, 16}), "normal": ({5}, {9, 12, 16}), "crashpad": ({5, 12, 16, 0x43500001}, {9, 17}),
                "breakpad": ({5, 0x47670001}, {9, 12, 16, 17}), "procdump-ma": ({9, 11, 12, 16, 17}, {5}), "wer-heap": ({5, 12, 16, 17}, {9})}


def check_kind(dump, label):
    present, absent = KIND_STREAMS[label["kind"]]
    assert present <= set(dump.streams) and not absent & set(dump.streams), "streams %r" % sorted(dump.streams)
    if label["kind"] in ("crashpad", "wer-heap"):
        base = next(base for base, _, path in dump.modules() if path.lower().endswith("\\ntdll.dll"))
        assert dump.read(base, 2) is None, "ntdll's headers"
    if label["kind"] == "crashpad":
        assert not any(name for _, name in dump.handles().values()), "object names"


def expected(label, program):
    return dict(program, **program.get("in_set", {}).get(label["set"], {}))


def check_stack(dump, label, sp, other_thread):
    assert dump.read(sp, 64), "no stack at the exception"
    pack = struct.pack("<Q" if dump.x64 else "<I", int(label["main_returns_to"], 16))
    holder = next(m for m in dump.memory if m[0] <= sp < m[0] + m[1])
    assert other_thread or pack in dump.data[holder[2] + sp - holder[0]:holder[2] + holder[1]], "main's return address is not on the stack"


def check_section(dump, label, program, address):
    state = expected(label, program).get("state")
    section = dump.section(address)
    if state in ("gone", "null"):
        assert section is None, "the section's memory should be gone"
        return
    if label["kind"] in ("full", "procdump-ma"):
        assert section, "section bytes missing"
    if not section:
        return
    if state == "signal":
        assert section["recursion_count"] == 0 and section["owning_thread"] == 0, section
        assert section["lock_count"] >= 0 if label["algorithm"] == "old" else section["lock_count"] & 3 == 1, section
        assert section["lock_semaphore"] not in (0, 2**32 - 1, 2**64 - 1), section
        assert "0x%x" % section["lock_semaphore"] == label["handle"], section
    if state == "free":
        assert section["owning_thread"] == 0 and section["lock_count"] & 1, section
    if state == "zero":
        assert not any(section["bytes"]), section


def check_handles(dump, label, program):
    handles = dump.handles()
    assert (handles is not None) == label["handles"]
    if handles is None or label["handle"] == "unknown":
        return
    handle = int(label["handle"], 16) & ~3
    if program.get("absent"):
        assert handle not in handles, "the slot is not empty: %r" % (handles[handle],)
    if "slot_type" in program:
        assert handles.get(handle, ("",))[0] == program["slot_type"], handles.get(handle)


def main():
    sys.path.insert(0, str(Path(__file__).parent))
    import build
    bad = held = 0
    for entry in build.load_labels():
        if entry["arch"] == "arm64":
            continue  # the emulator's truth is asserted in tests/unwind.rs
        path = Path(__file__).parent.parent / entry["file"]
        data = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
        try:
            held += check(data, entry, build.PROGRAMS[entry["program"]])
        except AssertionError as error:
            bad += 1
            print("%s: %s" % (entry["file"], error))
    print("checked, %d bad; %d held to where their exception was raised" % (bad, held))
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
