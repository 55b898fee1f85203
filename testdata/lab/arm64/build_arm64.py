#!/usr/bin/env python3
"""Compiles the ARM64 stand-ins and programs, executes them in an emulator up to their crash, and writes the dumps."""
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
import build as lab  # noqa: E402
import check  # noqa: E402
import dumpwriter  # noqa: E402
import emulator  # noqa: E402

WORK = Path(os.environ.get("LAB_WORK", "/tmp/lab")) / "arm64"
DUMPS = HERE.parent.parent / "dumps"
OS = dict(major=10, minor=0, build=22631, service_pack=0, revision=2861, cpus=8)
COMPILE = ["clang", "--target=aarch64-pc-windows-msvc", "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fno-ident", "-funwind-tables", "-Wall", "-Wno-unused-function",
           "-Wno-unknown-attributes", "-Wno-ignored-attributes", "-I", HERE / "include", "-I", HERE.parent / "lockdll"]
NTDLL = ["RtlInitializeCriticalSection", "RtlInitializeCriticalSectionEx", "RtlInitializeCriticalSectionAndSpinCount", "RtlEnterCriticalSection",
         "RtlTryEnterCriticalSection", "RtlLeaveCriticalSection", "RtlDeleteCriticalSection", "RtlpWaitOnCriticalSection", "RtlpUnWaitCriticalSection",
         "RtlpNotOwnerCriticalSection", "RtlRaiseStatus", "RtlRaiseException", "RtlCaptureContext", "RtlAllocateHeap", "RtlFreeHeap", "RtlWaitOnAddress",
         "RtlWakeAddressSingle", "KiRaiseUserExceptionDispatcher", "RtlDispatchException", "NtSetEvent", "NtWaitForSingleObject", "NtClose", "NtCreateEvent",
         "NtRaiseException", "NtDelayExecution", "NtWaitForAlertByThreadId", "NtAlertThreadByThreadId", "RtlUserThreadStart", "LdrInitialize",
         "Kernel32ThreadInitThunk,DATA", "LdrpLoaderLock=loader_lock,DATA", "FastPebLock=peb_lock,DATA", "ZwSetEvent=NtSetEvent"]
KERNEL = ["CloseHandle", "CreateThread", "CreateFileW", "VirtualAlloc", "VirtualFree", "MapViewOfFile", "Sleep", "BaseThreadInitThunk"]
FORWARDED = ["InitializeCriticalSection", "EnterCriticalSection", "TryEnterCriticalSection", "LeaveCriticalSection", "DeleteCriticalSection"]
EVENTS, WOA = dict(name="arm64-woa-events", compat=0x400000), dict(name="arm64-woa", compat=0)
INVALID, MISMATCH, ACCESS, NOT_OWNED = 0xC0000008, 0xC0000024, 0xC0000005, 0xC0000264


def leave(mechanism, cause, code=INVALID, state="signal", **more):
    return dict(dict(operation="leave", mechanism=mechanism, cause=cause, code=code, state=state, flags=["-O2", "-fno-omit-frame-pointer"], set=EVENTS), **more)


# flags: compiler options; lse: atomics in one instruction; the rest as in ../programs.
PROGRAMS = {
    "a64-closed": leave("handle-slot-empty", "handle-closed", absent=True, note="global section, Leave through its import slot"),
    "a64-closed-member": leave("handle-slot-empty", "handle-closed", absent=True, source="member", flags=["-O2", "-fno-omit-frame-pointer", "-DTHUNKS"], lse=True,
                               note="heap member, its address in a saved register; Leave through a thunk"),
    "a64-closed-local": leave("handle-slot-empty", "handle-closed", absent=True, source="local", flags=["-O1", "-DTHUNKS"],
                              note="section on main's stack, a frame of 12 KB in between"),
    "a64-closed-o0": leave("handle-slot-empty", "handle-closed", absent=True, source="member", flags=["-O0"], note="as a64-closed-member at -O0: every value on the stack"),
    "a64-registers": leave("handle-slot-empty", "handle-closed", absent=True, source="registers", flags=["-O2", "-fomit-frame-pointer"],
                           note="frames that save up to ten registers and floating point; no frame records"),
    "a64-recycled": leave("handle-wrong-type", "handle-closed", code=MISMATCH, slot_type="File", source="recycled", flags=["-Os", "-fno-omit-frame-pointer"]),
    "a64-corrupted-stray": leave("handle-implausible", "corrupted", absent=True, source="stray", flags=["-O1"], set=WOA),
    "a64-never-initialized": leave("handle-implausible", "never-initialized", source="never", set=WOA),
    "a64-enter-deleted": leave("section-zeroed", "deleted", code=ACCESS, state=None, operation="enter", source="enter_deleted", flags=["-O0", "-DTHUNKS"], set=WOA,
                               twin="never-initialized", handle_unknown=True, note="the bytes cannot tell a deleted section from one that was never initialised"),
    "a64-memory-released": leave("section-unreadable", "memory-released", code=ACCESS, state="gone", source="released", set=WOA, handle_unknown=True),
    "a64-copied": leave("handle-slot-empty", "copied", absent=True, source="copied"),
    "a64-null": leave("pointer-invalid", "bad-pointer", code=ACCESS, state="null", source="null", set=WOA, lse=True, handle_unknown=True, note="the argument is NULL"),
    "a64-cross-process": leave("handle-slot-empty", "cross-process", absent=True, source="shared", twin="handle-closed"),
    "a64-not-owner": leave("not-owner", "not-owner", code=NOT_OWNED, state="free", source="not_owner", set=WOA, handle_unknown=True, other_thread=True),
    "a64-av-elsewhere": dict(mechanism="unknown", cause="none", code=ACCESS, source="elsewhere", flags=["-O2"], set=WOA,
                             note="a stale return address into RtlLeaveCriticalSection lies on the stack"),
    "a64-close-strict": dict(mechanism="unknown", cause="none", code=INVALID, source="close_strict", flags=["-O2", "-DTHUNKS"], set=WOA,
                             note="CloseHandle with FLG_ENABLE_CLOSE_EXCEPTIONS, no lock failure"),
}


def run(command):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError("%s\n%s%s" % (" ".join(map(str, command)), result.stdout, result.stderr))
    if result.stderr:
        print(result.stderr, file=sys.stderr)


def compile_one(source, target, flags):
    run([*COMPILE, *flags, "-c", source, "-o", target])
    return target


def build_image(out, name, base, objects, exports=(), libraries=(), entry=None):
    command = ["lld-link", "/nologo", "/machine:arm64", "/nodefaultlib", "/base:0x%x" % base, "/timestamp:1700000000", "/out:%s" % (out / name)]
    command += ["/dll", "/noentry", "/implib:%s" % (out / (name + ".lib"))] if entry is None else ["/entry:" + entry, "/subsystem:console"]
    run(command + ["/export:" + e for e in exports] + list(objects) + list(libraries))
    return (out / name).read_bytes()


def build_system(out, lse):
    march = ["-march=armv8.1-a"] if lse else []
    kind = "lse" if lse else "plain"
    folder = out / kind
    folder.mkdir(parents=True, exist_ok=True)
    objects = [compile_one(HERE / "ntdll.c", folder / "ntdll.obj", ["-O2", "-fno-omit-frame-pointer", "-Wno-unused-parameter", "-Wno-infinite-recursion"] + march), compile_one(HERE / "stubs.S", folder / "stubs.obj", [])]
    ntdll = build_image(folder, "ntdll.dll", 0x7FFB5A2E0000, objects, NTDLL)
    objects = [compile_one(HERE / "kernel32.c", folder / "kernel32.obj", ["-O2", "-fno-omit-frame-pointer"]), compile_one(HERE / "kernel32.S", folder / "services.obj", [])]
    forwards = ["%s=NTDLL.Rtl%s" % (name, name) for name in FORWARDED] + ["HeapAlloc=NTDLL.RtlAllocateHeap", "HeapFree=NTDLL.RtlFreeHeap"]
    kernel = build_image(folder, "KERNEL32.dll", 0x7FFB58C10000, objects, KERNEL + forwards, [folder / "ntdll.dll.lib"])
    return folder, [("C:\\Windows\\System32\\ntdll.dll", ntdll), ("C:\\Windows\\System32\\KERNEL32.dll", kernel)]


def execute(name, program):
    folder, files = build_system(WORK, program.get("lse", False))
    source = program.get("source", name[4:])
    target = compile_one(HERE / "programs.c", WORK / (name + ".obj"), program["flags"] + ["-DPROGRAM_" + source])
    chkstk = compile_one(HERE / "chkstk.S", WORK / "chkstk.obj", [])
    exe = build_image(WORK, name + ".exe", 0x140000000, [target, chkstk], (), [folder / "KERNEL32.dll.lib"], "mainCRTStartup")
    files = files + [("C:\\Program Files\\Contoso\\arm64\\%s.exe" % name, exe)]
    process = emulator.Process(files, program["set"]["compat"])
    ntdll, kernel = process.by_name["ntdll.dll"].exports(), process.by_name["kernel32.dll"].exports()
    process.memory.write(ntdll["Kernel32ThreadInitThunk"], struct.pack("<Q", kernel["BaseThreadInitThunk"]))
    program_image = process.modules[-1]
    process.run(program_image.base + program_image.entry)
    return process


class Snapshot(dumpwriter.Snapshot):
    """The emulated process as dumpwriter wants it."""

    def __init__(self, process):
        self.arch, self.memory = emulator.Arch(), dumpwriter.Memory()
        self.info, self.threads, self.modules, self.handles, self.notes, self.unloaded = [], [], [], [], [], []
        for base, size, kind, protection in sorted(process.memory.regions):
            self.memory.add(base, process.memory.read(base, size))
            self.info.append([base, base, protection, size, emulator.COMMIT, protection, kind])
        for module in process.modules[-1:] + process.modules[:-1]:
            self.modules.append(dict(base=module.base, path=module.path))
        for thread in process.threads:
            if thread.is_done:
                continue
            context = process.context if thread is process.crashed else emulator.context_of(thread)
            self.threads.append(dict(id=thread.id, teb=thread.teb, start=thread.start, context=bytearray(context), stack=(thread.high - emulator.STACK_COMMIT, thread.high)))
        for handle, entry in sorted(process.handles.items()):
            if entry:
                self.handles.append(dict(handle=handle, attributes=0, access=entry["access"], count=1, pointers=32769, event=(1, 0) if entry["type"] == "Event" else None,
                                         type=entry["type"], name=entry["name"]))
        self.thread_id, self.record, self.context = process.crashed.id, process.record, bytearray(process.context)
        self.peb, self.pid, self.own_file = emulator.PEB, 0x2F38, 0
        self.section, self.handle = process.section, process.handle
        self.truth = emulator.truth(process)


def main_return(process):
    """Where main returns to: behind the call in mainCRTStartup, the program's outermost frame."""
    program = process.modules[-1]
    inside = [call for call in process.calls if program.base <= call[0] < program.base + program.size]
    return inside[0][0] if inside else 0


def variants(name):
    turn = sum(map(ord, name)) + (name == "a64-memory-released")
    return {"full": dict(handles=True, wide=turn % 2 == 0, event_info=turn % 3 == 0),
            "wer": dict(handles=turn % 4 != 3, wide=turn % 2 == 1, event_info=False, keep_imports=turn % 2 == 0),
            "normal": dict(handles=False)}


def label(name, program, kind, how, snap, process, dump):
    naming = {"full": "ntdll-exports", "wer": "caller-imports" if how.get("keep_imports") else "none", "normal": "none"}[kind]
    has_section = program.get("state") in ("gone", "null") or bool(snap.section and dump.read(snap.section, 0x28))
    one = program["set"]["name"]
    entry = dict(file="dumps/%s-%s-%s.dmp.zst" % (name, one, kind), program=name, set=one, arch="arm64", algorithm="woa", os="10.0.%d" % OS["build"], kind=kind,
                 handles=how["handles"])
    if program.get("operation"):
        entry["operation"] = program["operation"]
    entry.update(code="0x%08X" % snap.code, mechanism=program["mechanism"], cause=program["cause"])
    if snap.section:
        entry["section"] = "0x%x" % snap.section
    entry["handle"] = "0x%x" % snap.handle if snap.handle and not program.get("handle_unknown") else "unknown"
    is_lock = program["cause"] != "none"
    entry.update(thread="0x%x" % snap.thread_id, naming=naming, evidence=bool(is_lock and how["handles"] and has_section and naming != "none"),
                 truth="dumps/truth/%s-%s.json" % (name, one), main_returns_to="0x%x" % main_return(process))
    entry["main_return_slot"] = "0x%x" % dumpwriter.find_on_stacks(snap, main_return(process))
    for key in ("twin", "note"):
        if program.get(key):
            entry[key] = program[key]
    return entry


class Dump(check.Dump):
    """check.Dump with the ARM64 layout, which is that of x64."""

    def section(self, address):
        arch, self.arch = self.arch, 9
        try:
            return super().section(address)
        finally:
            self.arch = arch


def verify(data, entry, program):
    """What ../check.py asserts of the others."""
    dump = Dump(data)
    thread, code, _, context = dump.exception()
    assert dump.arch == 12 and len(context) == emulator.CONTEXT_SIZE
    assert "0x%08X" % code == entry["code"] and code == program["code"], "code 0x%08X" % code
    assert "0x%x" % thread == entry["thread"] and any(t[0] == thread for t in dump.threads())
    sp, = struct.unpack_from("<Q", context, 0x100)
    assert dump.read(sp, 64), "no stack at the exception"
    if "section" in entry:
        check.check_section(dump, entry, dict(program, in_set={}), int(entry["section"], 16))
    check.check_handles(dump, entry, program)


def wer_ranges(snap, keep_imports, original=dumpwriter.wer_ranges):
    """The linker of these images puts the import tables into .rdata, that of the others into a data section."""
    ranges = original(snap, keep_imports)
    image = dumpwriter.Image(snap.memory, snap.modules[0]["base"])
    for name, rva, size, _ in image.sections:
        if name == ".rdata" and keep_imports:
            ranges.add(image.base + rva, image.base + rva + size)
    return ranges


dumpwriter.wer_ranges = wer_ranges


def set_architecture(data):
    """dumpwriter knows two architectures: PROCESSOR_ARCHITECTURE_ARM64 is 12, and has no CPUID."""
    data = bytearray(data)
    rva, _ = check.Dump(bytes(data)).streams[7]
    struct.pack_into("<HHH", data, rva, 12, 0xD49, 1)
    return bytes(data)


def write_truth(name, one, process, frames):
    lines = []
    for frame in frames:
        module = next((m for m in process.modules if m.base <= frame["pc"] < m.base + m.size), None)
        fields = dict(module=module.path.rsplit("\\", 1)[1] if module else "")
        fields.update((key, "0x%x" % value) for key, value in frame.items())
        lines.append("  " + json.dumps(fields))
    (DUMPS / "truth" / ("%s-%s.json" % (name, one))).write_text("[\n" + ",\n".join(lines) + "\n]\n")


def make(name):
    program = PROGRAMS[name]
    process = execute(name, program)
    snap = Snapshot(process)
    labels = []
    for kind, how in variants(name).items():
        data = set_architecture(dumpwriter.write_dump(snap, OS, kind, **how))
        entry = label(name, program, kind, how, snap, process, Dump(data))
        verify(data, entry, program)
        path = HERE.parent.parent / entry["file"]
        subprocess.run(["zstd", "-19", "-q", "-f", "-o", path], input=data, check=True)
        print("%s %d -> %d" % (path.name, len(data), path.stat().st_size), flush=True)
        labels.append(entry)
    write_truth(name, program["set"]["name"], process, snap.truth)
    return labels


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or PROGRAMS:
        lab.save_labels(make(name))


if __name__ == "__main__":
    main()
