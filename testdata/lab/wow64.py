#!/usr/bin/env python3
"""Turns kept x86 dumps of the lab into what a 64-bit writer writes of the same process under WoW64.

    wow64.py            all of PLAN, with their labels
    wow64.py closed     one program

The crash stays the source's: its 32-bit memory, exception record, registers and handles are copied. What is put around
them follows the bytes of a real dump (llvm-lldb/fizzbuzz_wow64.dmp, Windows 7 SP1); README.md lists it, field by field.
"""
import os
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import build  # noqa: E402
import check  # noqa: E402
import dumpwriter  # noqa: E402

SOURCE_SET = "x86-new"
PAGE = 0x1000
COMMIT, FREE, PRIVATE, IMAGE = 0x1000, 0x10000, 0x20000, 0x1000000
READ_WRITE, READ_ONLY = 4, 2
# form: how the writer came by the exception's 32-bit registers
PLAN = [
    ("memory-released", "full", "cs23"), ("null-pointer", "full", "cs23"), ("enter-zeroed", "wer", "cs23"),
    ("av-elsewhere", "wer", "cs23"), ("closed", "wer", "cs23"), ("not-owner", "wer", "cs23"),
    ("closed", "full", "cpu-area"), ("corrupted-stray", "full", "cpu-area"), ("never-initialized", "full", "cpu-area"),
    ("copied", "full", "cpu-area"), ("recycled", "wer", "cpu-area"), ("close-strict", "wer", "cpu-area"),
    ("deleted-race", "full", "stack"), ("recycled-noaccess", "wer", "stack"),
]
# name, base, size: where the real dump has them
WOW64_CPU = 0x75540000
NTDLL64 = 0x77AE0000
WOW64 = 0x755B0000
MODULES64 = [("ntdll.dll", NTDLL64, 0x1AA000), ("wow64.dll", WOW64, 0x3F000), ("wow64win.dll", 0x75550000, 0x5C000), ("wow64cpu.dll", WOW64_CPU, 0x8000)]
STACKS64 = 0x30000000
STACK64_SIZE = 0x4000
CONTEXT32_SIZE = 0x2CC
EDI, EBP, EIP, CS, EFLAGS, ESP, SS = 0x9C, 0xB4, 0xB8, 0xBC, 0xC0, 0xC4, 0xC8


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


class Memory:
    """Disjoint runs of bytes; a later write wins."""

    def __init__(self, dump):
        self.runs = {base: dump.data[at:at + size] for base, size, at in dump.memory}

    def write(self, address, data):
        end = address + len(data)
        for base, run in sorted(self.runs.items()):
            stop = base + len(run)
            if base < end and address < stop:
                del self.runs[base]
                if base < address:
                    self.runs[base] = run[:address - base]
                if end < stop:
                    self.runs[end] = run[end - base:]
        self.runs[address] = bytes(data)

    def joined(self):
        out = []
        for base, run in sorted(self.runs.items()):
            if out and out[-1][0] + len(out[-1][1]) == base:
                out[-1] = (out[-1][0], out[-1][1] + run)
            else:
                out.append((base, run))
        return out


class Thread:
    def __init__(self, dump, entry, index):
        self.entry = bytearray(entry)
        self.id, self.teb32 = u32(entry, 0), u32(entry, 16)
        size, rva = struct.unpack_from("<II", entry, 40)
        assert size == CONTEXT32_SIZE
        self.context32 = bytearray(dump.data[rva:rva + size])
        self.teb64 = self.teb32 - 0x2000
        self.stack64 = STACKS64 + index * 0x40000  # lowest address
        self.cpu_area = self.stack64 + STACK64_SIZE - 0x2E0  # as in the real dump: 0x2E0 below the end, and StackBase


def full_context32(context):
    """ContextFlags and segment registers as WoW64 keeps them."""
    out = bytearray(context)
    struct.pack_into("<I", out, 0, 0x1002F)
    struct.pack_into("<IIII", out, 0x8C, 0x2B, 0x53, 0x2B, 0x2B)  # gs fs es ds
    struct.pack_into("<I", out, CS, 0x23)
    struct.pack_into("<I", out, SS, 0x2B)
    return out


def context64(cs, **registers):
    names = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip".split()
    out = bytearray(1232)
    struct.pack_into("<I", out, 0x30, 0x10001F)
    struct.pack_into("<6HI", out, 0x38, cs, 0x2B, 0x2B, 0x53, 0x2B, 0x2B, registers.pop("flags", 0x246))
    for name, value in registers.items():
        struct.pack_into("<Q", out, 0x78 + 8 * names.index(name), value)
    return out


def in_32_bit_code(context):
    """The registers of the kernel's trap frame when the thread was in 32-bit code."""
    edi, esi, ebx, edx, ecx, eax, ebp, eip, _, flags, esp = struct.unpack_from("<11I", context, EDI)
    return context64(0x23, rdi=edi, rsi=esi, rbx=ebx, rdx=edx, rcx=ecx, rax=eax, rbp=ebp, rip=eip, rsp=esp, flags=flags)


def in_64_bit_code(thread, rip):
    """The registers of a thread in a system call: the real dump has the TEB in r12, the CPU area in r13."""
    return context64(0x33, rip=rip, rsp=thread.stack64 + STACK64_SIZE - 0x800, rbp=u32(thread.context32, EBP), r12=thread.teb64,
                     r13=thread.cpu_area, r15=WOW64_CPU + 0x2450)


def stale(thread, threads):
    """What the CPU area holds of a thread that has run on since its last system call: that call's return."""
    context = bytearray(thread.context32)
    other = next((t for t in threads if t is not thread), None)
    struct.pack_into("<I", context, EIP, u32(other.context32, EIP) if other else u32(context, EIP) + 1)
    struct.pack_into("<I", context, ESP, below(context))
    return context


def below(context):
    """Where the frame of a raise or a dispatcher lies."""
    return u32(context, ESP) - 0x900 & -16


def header64(size):
    """The headers of a 64-bit image without sections."""
    out = bytearray(0x400)
    out[:2] = b"MZ"
    struct.pack_into("<I", out, 0x3C, 0x80)
    struct.pack_into("<4sHHIIIHH", out, 0x80, b"PE\0\0", 0x8664, 0, 0x4CE7B000, 0, 0, 240, 0x2022)
    struct.pack_into("<H", out, 0x98, 0x20B)
    struct.pack_into("<II", out, 0x98 + 32, PAGE, 0x200)
    struct.pack_into("<II", out, 0x98 + 56, size, 0x400)
    struct.pack_into("<I", out, 0x98 + 108, 16)
    return out


class Converter:
    def __init__(self, data, kind, form):
        self.dump, self.kind, self.form = check.Dump(data), kind, form
        self.memory = Memory(self.dump)
        self.crashed, _, self.address, _ = self.dump.exception()
        rva, _ = self.dump.streams[3]
        self.threads = [Thread(self.dump, data[rva + 4 + 48 * i:rva + 52 + 48 * i], i) for i in range(u32(data, rva))]
        self.thread = next(t for t in self.threads if t.id == self.crashed)
        self.peb32 = u32(self.dump.read(self.threads[0].teb32 + 0x30, 4), 0)
        self.peb64 = self.peb32 - PAGE  # Wine leaves that page empty
        self.added = []  # (address, size, kind, protection)

    def add(self, address, data, kind=PRIVATE, protection=READ_WRITE):
        size = (len(data) + (address & PAGE - 1) + PAGE - 1) & -PAGE
        self.added.append((address & -PAGE, size, kind, protection))
        self.memory.write(address, data)

    def run(self):
        for module in self.dump.modules():
            for _, base, size in MODULES64:
                assert module[0] + module[1] <= base or base + size <= module[0], module
        self.put_peb64()
        for thread in self.threads:
            self.put_thread(thread)
        if self.form == "stack":
            self.put_dispatch_frame()
        if self.kind == "full":
            for _, base, size in MODULES64:
                self.add(base, header64(size), IMAGE, READ_ONLY)
        return self.written()

    # ---- memory

    def put_peb64(self):
        assert not any(any(self.dump.read(at, 8) or b"") for at in range(self.peb64, self.peb32, 8)), "the page of PEB64 is in use"
        peb32 = self.dump.read(self.peb32, 0x400)
        out = bytearray(PAGE)
        struct.pack_into("<Q", out, 0x10, u32(peb32, 0x08))  # ImageBaseAddress
        struct.pack_into("<Q", out, 0x38, NTDLL64 + 0x134300)  # FastPebLock
        struct.pack_into("<I", out, 0xB8, u32(peb32, 0x64))  # NumberOfProcessors
        struct.pack_into("<I", out, 0xBC, u32(peb32, 0x68))  # NtGlobalFlag
        struct.pack_into("<Q", out, 0x110, NTDLL64 + 0x134490)  # LoaderLock
        out[0x118:0x124] = peb32[0xA4:0xB0]  # OSMajorVersion .. OSCSDVersion
        out[0x2C8:0x2D0] = peb32[0x1D8:0x1E0]  # AppCompatFlags
        self.add(self.peb64, out)

    def put_thread(self, thread):
        teb = bytearray(0x2000)
        process = u32(self.dump.read(thread.teb32 + 0x20, 4), 0)
        for offset, value in ((0, thread.teb32), (8, thread.cpu_area), (0x10, thread.stack64), (0x30, thread.teb64), (0x40, process), (0x48, thread.id),
                              (0x60, self.peb64), (0x1478, thread.stack64 - 0x3C000), (0x1480 + 8, thread.cpu_area)):
            struct.pack_into("<Q", teb, offset, value)
        self.add(thread.teb64, teb)
        self.memory.write(thread.teb32 + 0xC0, struct.pack("<I", WOW64_CPU + 0x2320))  # WOW32Reserved
        if self.dump.read(thread.teb32 + 0xF70, 4):
            self.memory.write(thread.teb32 + 0xF70, struct.pack("<I", thread.teb64))  # GdiBatchCount
        kept = thread.context32
        if thread is self.thread and self.form != "cpu-area":
            kept = stale(thread, self.threads)
        stack = bytearray(STACK64_SIZE)
        at = thread.cpu_area - thread.stack64 + 4
        stack[at:at + CONTEXT32_SIZE] = full_context32(kept)
        # a small dump holds the stack from rsp on, and what lies behind it to the end of the pages
        low = 0 if self.kind == "full" else STACK64_SIZE - 0x800
        self.add(thread.stack64 + low, stack[low:])

    def put_dispatch_frame(self):
        """What KiUserExceptionDispatcher is given: pointers to record and CONTEXT, then both, below the stack pointer. The
        CPU area's own context is of the system call that raised it, whose stack pointer is here."""
        esp, at = u32(self.thread.context32, ESP), below(self.thread.context32)
        rva, _ = self.dump.streams[6]
        code, flags, chain, address, count = struct.unpack_from("<IIQQI", self.dump.data, rva + 8)
        parameters = struct.unpack_from("<15Q", self.dump.data, rva + 40)
        record = struct.pack("<5I15I", code, flags, chain, address, count, *parameters)
        frame = struct.pack("<II", at + 8, at + 8 + len(record)) + record + bytes(full_context32(self.thread.context32))
        self.memory.write(at, frame)
        stack = self.dump.read(at, 4)
        if stack is None:  # a small dump: the stack reaches down to the dispatcher's frame
            self.memory.write(at + len(frame), bytes(esp - at - len(frame)))

    # ---- the file

    def written(self):
        dump, writer = self.dump, dumpwriter.Writer()
        full = self.kind == "full"
        end = struct.unpack_from("<Q", dump.data, dump.streams[9][0] + 8)[0] if full else len(dump.data)
        writer.data += dump.data[:end]  # all that other streams point to; the old lists stay as dead bytes
        rva, size = dump.streams[7]
        system = bytearray(dump.data[rva:rva + size])
        struct.pack_into("<H", system, 0, 9)  # PROCESSOR_ARCHITECTURE_AMD64
        writer.stream(7, system)
        writer.stream(4, self.module_list(writer))
        if 16 in dump.streams:
            writer.stream(16, self.memory_info())
        regions = self.memory.joined()
        rvas = [] if full else [writer.append(data) for _, data in regions]
        writer.stream(3, self.thread_list(writer, regions, rvas))
        writer.stream(6, self.exception())
        if full:
            rva = len(writer.data) + (-len(writer.data) % 4) + 16 + 16 * len(regions)
            writer.stream(9, struct.pack("<QQ", len(regions), rva) + b"".join(struct.pack("<QQ", a, len(d)) for a, d in regions))
            writer.data += b"".join(data for _, data in regions)
        else:
            writer.stream(5, struct.pack("<I", len(regions)) + b"".join(struct.pack("<QII", a, len(d), r) for (a, d), r in zip(regions, rvas)))
        self.directory(writer)
        return bytes(writer.data)

    def directory(self, writer):
        new = {kind: (size, rva) for kind, size, rva in writer.streams}
        count, at = struct.unpack_from("<II", self.dump.data, 8)
        for i in range(count):
            kind = u32(writer.data, at + 12 * i)
            if kind in new:
                struct.pack_into("<II", writer.data, at + 12 * i + 4, *new.pop(kind))
        assert not new, new

    def module_list(self, writer):
        rva, _ = self.dump.streams[4]
        count = u32(self.dump.data, rva)
        entries = [bytearray(self.dump.data[rva + 4 + 108 * i:rva + 112 + 108 * i]) for i in range(count)]
        names = [name for _, _, name in self.dump.modules()]
        version = bytes(next(e for e, n in zip(entries, names) if n.lower().endswith("\\ntdll.dll"))[24:76])
        own = []
        for name, base, size in MODULES64:
            path = writer.string("C:\\Windows\\System32\\" + name)
            own.append(struct.pack("<QIIII", base, size, 0, 0x4CE7B000, path) + version + bytes(32))
        for entry, name in zip(entries, names):
            if name.lower().startswith("c:\\windows\\system32\\"):
                struct.pack_into("<I", entry, 20, writer.string("C:\\Windows\\SysWOW64\\" + name.rsplit("\\", 1)[1]))
        # the program stands in both sides' lists
        return struct.pack("<I", len(own) + 1 + count) + bytes(entries[0]) + b"".join(own) + b"".join(map(bytes, entries))

    def thread_list(self, writer, regions, rvas):
        out = struct.pack("<I", len(self.threads))
        for thread in self.threads:
            entry = thread.entry
            context = in_64_bit_code(thread, WOW64_CPU + 0x2E09)
            if thread is self.thread:
                context = in_32_bit_code(thread.context32) if self.form == "cs23" else in_64_bit_code(thread, WOW64 + 0x10000)
            self.exception_context = writer.append(context, 16) if thread is self.thread else getattr(self, "exception_context", 0)
            place = self.exception_context if thread is self.thread else writer.append(context, 16)
            low, size = struct.unpack_from("<QI", entry, 24)
            rva = 0
            for (address, data), region_rva in zip(regions, rvas):
                if address <= low < address + len(data):
                    rva = region_rva + low - address
            # the stack is the 32-bit one here too: so has the real dump
            struct.pack_into("<QQIIII", entry, 16, thread.teb64, low, size, rva, len(context), place)
            out += bytes(entry)
        return out

    def exception(self):
        rva, size = self.dump.streams[6]
        out = bytearray(self.dump.data[rva:rva + size])
        struct.pack_into("<II", out, 160, 1232, self.exception_context)
        return out

    def memory_info(self):
        rva, _ = self.dump.streams[16]
        header, size, count = struct.unpack_from("<IIQ", self.dump.data, rva)
        entries = [list(struct.unpack_from("<QQIIQIIII", self.dump.data, rva + header + size * i)) for i in range(count)]
        for address, length, kind, protection in self.added:
            entries = splice(entries, address, length, kind, protection)
        return struct.pack("<IIQ", 16, 48, len(entries)) + b"".join(struct.pack("<QQIIQIIII", *e) for e in entries)


def splice(entries, address, length, kind, protection):
    """The memory map with one more committed range, where it said free."""
    out, end = [], address + length
    for entry in entries:
        base, size, state = entry[0], entry[4], entry[5]
        if base >= end or base + size <= address or state == COMMIT:
            out.append(entry)
            continue
        for low, high in ((base, min(address, base + size)), (max(end, base), base + size)):
            if low < high:
                out.append([low, entry[1] if state != FREE else 0, *entry[2:4], high - low, *entry[5:]])
    if not any(e[0] < end and address < e[0] + e[4] and e[5] == COMMIT for e in out):
        out.append([address, address, protection, 0, length, COMMIT, protection, kind, 0])
    return sorted(out)


def convert(program, kind, form):
    source = next(e for e in build.load_labels() if (e["program"], e["set"], e["kind"]) == (program, SOURCE_SET, kind))
    data = subprocess.run(["zstd", "-dcq", HERE.parent / source["file"]], capture_output=True, check=True).stdout
    made = Converter(data, kind, form).run()
    name = "wow64-" + form
    entry = {}
    for key, value in source.items():
        entry[key] = value
        if key == "arch":
            entry["wow64"] = True
    entry.update(file="dumps/%s-%s-%s.dmp.zst" % (program, name, kind), set=name)
    check.check(made, entry, build.PROGRAMS[program])
    path = HERE.parent / entry["file"]
    subprocess.run(["zstd", os.environ.get("LAB_ZSTD", "-19"), "-q", "-f", "-o", path], input=made, check=True)
    print("%s %d -> %d" % (path.name, len(made), path.stat().st_size), flush=True)
    return entry


def main():
    build.save_labels([convert(*one) for one in PLAN if one[0] in (sys.argv[1:] or [one[0]])])


if __name__ == "__main__":
    main()
