"""The dumps of other producers: Crashpad, Breakpad, ProcDump -ma and WER's heap dump, from the same snapshot.

What each holds was read off real ones (google/breakpad's tiny-exe-with-cet-xsave.dmp and null_read_av.dmp, rust-minidump's
stability-report.dmp), off Crashpad's public sources and off the documentation of MiniDumpWriteDump and WerReportAddDump.
"""
import struct

import dumpwriter as dw
from dumpwriter import Image, Ranges, Writer

KINDS = ("full", "wer", "normal", "crashpad", "breakpad", "procdump-ma", "wer-heap")
FULL_MEMORY = ("full", "procdump-ma")
WINDOW_BEFORE, WINDOW, NO_ADDRESS = 128, 512, 0x10000  # Crashpad's capture_memory.cc


def write_dump(snap, os, kind, handles, **how):
    if kind in dw.FLAGS:
        return dw.write_dump(snap, os, kind, handles, **how)
    return {"crashpad": crashpad, "breakpad": breakpad, "procdump-ma": procdump, "wer-heap": wer_heap}[kind](snap, os, handles, **how)


def variants(turn, kind):
    """Which dumps have a handle stream, and with which descriptors."""
    return {
        "code": dict(handles=True, wide=turn % 2 == 0, event_info=turn % 4 == 0),
        "full": dict(handles=turn % 5 != 0, wide=turn % 2 == 0, event_info=turn % 4 == 0),
        "wer": dict(handles=turn % 4 != 3, wide=turn % 2 == 1, event_info=False, keep_imports=turn % 3 == 1),
        "normal": dict(handles=False),
        "crashpad": dict(handles=True),
        "breakpad": dict(handles=False),
        "procdump-ma": dict(handles=True, event_info=turn % 2 == 0),
        "wer-heap": dict(handles=True, event_info=turn % 3 == 0),
    }[kind]


# ---- Crashpad ------------------------------------------------------------------------------------------------------------

PEB_SIZE, TEB_SIZE = {8: 0x354, 4: 0x230}, {8: 0x1788, 4: 0xF98}
LDR_ENTRY_SIZE = {8: 0x84, 4: 0x48}  # up to TimeDateStamp


def crashpad(snap, os, handles):
    """Whole stacks, TEBs, PEB with the loader's lists and the loader lock, 512 bytes around what registers point to. No
    object names, no code but at instruction pointers, nothing of ntdll's image."""
    writer = Writer()
    writer.data += b"\0" * (32 + 12 * 12)
    regions = dw.collect(snap, crashpad_ranges(snap))
    rvas = [writer.append(data, 16) for _, data in regions]
    writer.stream(7, dw.system_info(writer, snap, os))
    writer.stream(15, long_misc_info(snap, "Windows NT %d.%d.%d.%d" % (os["major"], os["minor"], os["build"], os["revision"]),
                                     "crashpad.%s,0.8.0,win" % ("amd64" if snap.arch.ptr == 8 else "x86")))
    writer.stream(3, thread_list(writer, snap, regions, rvas, priorities=True, whole=True))
    thread_names(writer, snap)
    writer.stream(6, dw.exception_stream(snap))
    writer.stream(4, dw.module_list(writer, snap, os))
    if snap.unloaded:
        writer.stream(14, dw.unloaded_list(writer, snap))
    writer.stream(0x43500001, crashpad_info(snap))
    writer.stream(16, dw.memory_info(snap))
    if handles:
        writer.stream(12, unnamed_handles(writer, snap))
    writer.stream(5, memory_list(regions, rvas))
    return finish(writer, 0)


def crashpad_ranges(snap):
    a, ranges = snap.arch, Ranges()
    for thread in snap.threads:
        ranges.add(*thread["stack"])
        ranges.add(thread["teb"], thread["teb"] + TEB_SIZE[a.ptr])
        context = snap.context if thread["id"] == snap.thread_id else thread["context"]
        for offset in a.all_registers + (a.ip,):
            value = struct.unpack_from(a.word, context, offset)[0]
            if offset != a.sp and NO_ADDRESS <= value <= 256 ** a.ptr - 1 - NO_ADDRESS:
                ranges.add(value - WINDOW_BEFORE, value - WINDOW_BEFORE + WINDOW)
    ranges.add(snap.peb, snap.peb + PEB_SIZE[a.ptr])
    loader_ranges(snap, ranges)
    lock_ranges(snap, ranges)
    for module in snap.modules:
        if dw.is_reporter(module):
            image = Image(snap.memory, module["base"])
            ranges.remove(image.base, image.base + image.size)
    return ranges


def loader_ranges(snap, ranges):
    """PEB_LDR_DATA and the entries of its load order with their names; the process parameters."""
    a, m = snap.arch, snap.memory
    loader = m.unpack(a.word, snap.peb + 3 * a.ptr)
    ranges.add(loader, loader + (0x58 if a.ptr == 8 else 0x30))
    head = loader + (0x10 if a.ptr == 8 else 0x0C)
    at = m.unpack(a.word, head)
    for _ in snap.modules:
        if not at or at == head:
            break
        ranges.add(at, at + LDR_ENTRY_SIZE[a.ptr])
        for name in (9, 11):  # FullDllName, BaseDllName
            size, text = m.unpack("<H", at + name * a.ptr), m.unpack(a.word, at + (name + 1) * a.ptr)
            ranges.add(text, text + size + 2)
        at = m.unpack(a.word, at)
    parameters = m.unpack(a.word, snap.peb + 4 * a.ptr)
    ranges.add(parameters, parameters + (0x408 if a.ptr == 8 else 0x298))


def lock_ranges(snap, ranges):
    a, m = snap.arch, snap.memory
    lock = m.unpack(a.word, snap.peb + a.peb["loader"])
    ranges.add(lock, lock + a.section["size"])
    record = m.unpack(a.word, lock)
    if record not in (0, None, 256 ** a.ptr - 1):
        ranges.add(record, record + (0x30 if a.ptr == 8 else 0x20))


def crashpad_info(snap):
    report, client = bytes(range(0x41, 0x51)), bytes(range(0x61, 0x71))
    return struct.pack("<I", 1) + report + client + b"\0" * 28


def unnamed_handles(writer, snap):
    out = b""
    for h in snap.handles:
        out += struct.pack("<QIIIIII", h["handle"], writer.string(h["type"]) if h["type"] else 0, 0, h["attributes"], h["access"], h["count"], h["pointers"])
    return struct.pack("<IIII", 16, 32, len(snap.handles), 0) + out


# ---- Breakpad ------------------------------------------------------------------------------------------------------------


def breakpad(snap, os, handles):
    """MiniDumpNormal: stacks and 256 bytes at each thread's instruction pointer; Breakpad's own stream says which
    thread crashed and which asked for the dump. No TEB, no PEB, no handles."""
    assert not handles
    writer, ranges, a = Writer(), Ranges(), snap.arch
    writer.data += b"\0" * (32 + 12 * 10)
    for thread in snap.threads:
        ranges.add(*dw.live_stack(snap, thread))
        context = snap.context if thread["id"] == snap.thread_id else thread["context"]
        ip = struct.unpack_from(a.word, context, a.ip)[0]
        ranges.add(ip - 128, ip + 128)
    regions = dw.collect(snap, ranges)
    half = len(regions) // 2
    regions = regions[half:] + regions[:half]
    writer.stream(7, dw.system_info(writer, snap, os))
    writer.stream(15, dw.misc_info(snap, 1700000000) if os["major"] < 6 else long_misc_info(snap, "", ""))
    rvas = [writer.append(data, 1) for _, data in regions]
    writer.stream(0x47670001, struct.pack("<III", 3, snap.thread_id, snap.thread_id))
    writer.stream(3, thread_list(writer, snap, regions, rvas))
    writer.stream(4, dw.module_list(writer, snap, os))
    writer.stream(5, memory_list(regions, rvas))
    writer.stream(6, dw.exception_stream(snap))
    if os["major"] >= 10:
        system_memory_and_counters(writer)
    return finish(writer, 0, unused=1)


# ---- ProcDump ------------------------------------------------------------------------------------------------------------


def procdump(snap, os, handles, event_info=False):
    """procdump -ma -e: full memory (here: as the kind "full"), object information with the handles, a comment."""
    writer = Writer()
    writer.data += b"\0" * (32 + 12 * 16)
    regions = dw.collect(snap, thin_full_ranges(snap))
    writer.stream(7, dw.system_info(writer, snap, os))
    writer.stream(15, dw.misc_info(snap, 1700000000) if os["major"] < 6 else long_misc_info(snap, "", ""))
    writer.stream(4, dw.module_list(writer, snap, os))
    if handles:
        writer.stream(12, dw.handle_stream(writer, snap, os["major"] >= 6, event_info))
    dw.extra_streams(writer, snap)
    text = "\n*** procdump.exe  -accepteula -ma -e %d\n*** Unhandled exception: %s" % (snap.pid, exception_name(snap.code))
    writer.stream(11, text.encode("utf-16-le") + b"\0\0")
    if os["major"] >= 10:
        system_memory_and_counters(writer)
    dw.memory_stream(writer, snap, regions, True)
    return finish(writer, 0x461826 if os["major"] >= 10 else 0x61826)


def thin_full_ranges(snap):
    """As the kind "full", without the images that no stack points into: nobody unwinds through them."""
    ranges, words = dw.full_ranges(snap), set(dw.stack_words(snap, whole=False))
    for module in snap.modules:
        image = Image(snap.memory, module["base"])
        if not dw.is_own(module) and not any(image.base <= word < image.base + image.size for word in words):
            ranges.remove(image.base + image.header_size, image.base + image.size)
    return ranges


def exception_name(code):
    names = {0xC0000005: "ACCESS_VIOLATION", 0xC0000008: "INVALID_HANDLE", 0x80000003: "BREAKPOINT", 0xE06D7363: "msc"}
    return "%08X%s" % (code, "." + names[code] if code in names else "")


# ---- WER -----------------------------------------------------------------------------------------------------------------


def wer_heap(snap, os, handles, event_info=False):
    """WerDumpTypeHeapDump: private memory and writable data of the modules; no code, no headers, no shared memory."""
    writer, ranges = Writer(), dw.normal_ranges(snap, code=False)
    writer.data += b"\0" * (32 + 12 * 16)
    for base, alloc, aprot, size, state, prot, kind in snap.info:
        if state == dw.MEM_COMMIT and kind == dw.MEM_PRIVATE and prot & dw.WRITABLE and size <= 0x400000:
            ranges.add(base, base + size)
    imports = []
    for module, name, low, high in dw.data_sections(snap):
        if name == ".idata":  # read-only with Microsoft's linker
            imports.append((low, (high + dw.PAGE - 1) & -dw.PAGE))
        elif high - low < (0x8000 if dw.is_own(module) else 0x2000):
            ranges.add(low, high)
    for low, high in imports:
        ranges.remove(low, high)
    regions = dw.collect(snap, ranges)
    writer.stream(7, dw.system_info(writer, snap, os))
    writer.stream(15, long_misc_info(snap, "", ""))
    writer.stream(4, dw.module_list(writer, snap, os))
    if handles:
        writer.stream(12, dw.handle_stream(writer, snap, True, event_info))
    dw.extra_streams(writer, snap)
    if os["major"] >= 10:
        system_memory_and_counters(writer)
    dw.memory_stream(writer, snap, regions, False)
    return finish(writer, 0x51B25 if handles else 0x51B21)


# ---- shared --------------------------------------------------------------------------------------------------------------


def long_misc_info(snap, build, debug_build, when=1700000000):
    """MINIDUMP_MISC_INFO_4, without build strings MINIDUMP_MISC_INFO_3."""
    out = struct.pack("<IIIIII", 832 if build else 232, 0x147 if build else 0x47, snap.pid, when - 60, 1, 0) + struct.pack("<5I", 2803, 2803, 0, 0, 0)
    out = out.ljust(232, b"\0")
    return out + build.encode("utf-16-le").ljust(520, b"\0") + debug_build.encode("utf-16-le").ljust(80, b"\0") if build else out


def thread_list(writer, snap, regions, rvas, priorities=False, whole=False):
    out = struct.pack("<I", len(snap.threads))
    for thread in snap.threads:
        low, high = thread["stack"] if whole else dw.live_stack(snap, thread)
        rva = next((r + low - address for (address, data), r in zip(regions, rvas) if address <= low < address + len(data)), 0)
        thread["context_rva"] = writer.append(thread["context"], 16)
        out += struct.pack("<IIIIQQIIII", thread["id"], 0, 0 if priorities else 0x20, 8 if priorities else 0, thread["teb"], low, high - low, rva,
                           len(thread["context"]), thread["context_rva"])
    return out


def thread_names(writer, snap):
    names = [(value, text) for kind, value, text in snap.notes if kind == 2 and any(t["id"] == value for t in snap.threads)]
    if names:
        writer.stream(24, struct.pack("<I", len(names)) + b"".join(struct.pack("<IQ", tid, writer.string(text)) for tid, text in names))


def memory_list(regions, rvas):
    return struct.pack("<I", len(regions)) + b"".join(struct.pack("<QII", address, len(data), rva) for (address, data), rva in zip(regions, rvas))


def system_memory_and_counters(writer):
    """SystemMemoryInfo and ProcessVmCounters, which newer writers add to every dump; here only their sizes are true."""
    writer.stream(21, struct.pack("<HH", 1, 1).ljust(492, b"\0"))
    writer.stream(22, struct.pack("<HH", 1, 0).ljust(152, b"\0"))


def finish(writer, flags, unused=0, when=1700000000):
    count = len(writer.streams)
    struct.pack_into("<IIIIIIQ", writer.data, 0, 0x504D444D, 0xA793, count + unused, 32, 0, when, flags)
    for i, (kind, size, rva) in enumerate(writer.streams):
        struct.pack_into("<III", writer.data, 32 + 12 * i, kind, size, rva)
    return bytes(writer.data)
