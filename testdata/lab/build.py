#!/usr/bin/env python3
"""Builds the lab's programs, runs them under Wine, writes the dumps and labels.toml.

    build.py                     everything
    build.py closed recycled     these programs only (the labels of the others are kept)
    build.py --set x64-new ...   one set only
    build.py --again ...         only the dumps, from the snapshots of the last run (kept in $LAB_WORK/snapshots)

Needs Debian's mingw-w64 (both architectures), wine64, zstd, and for x86 a 32-bit system in /opt/i386 (see README.md).
"""
import argparse
import fcntl
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import check  # noqa: E402
import dumpwriter  # noqa: E402
import producers  # noqa: E402
import verify  # noqa: E402
from programs import PROGRAMS, SETS, kinds_of, split_of  # noqa: E402

DUMPS = HERE.parent / "dumps"
LABELS = HERE.parent / "labels.toml"
WORK = Path(os.environ.get("LAB_WORK", "/tmp/lab"))
CHROOT = Path("/opt/i386")
X86_PREFIX = os.environ.get("LAB_PREFIX32", "p32")  # in /root of the 32-bit system
PREFIX = {"x64": WORK / "prefix64", "x86": CHROOT / "root" / X86_PREFIX}
TARGET = {"x64": "x86_64-w64-mingw32-", "x86": "i686-w64-mingw32-"}

FLAGS = ["-Wall", "-Wextra", "-Wno-cast-function-type", "-Wno-unused-parameter", "-Wno-array-bounds", "-fno-ident", "-s", "-Wl,--build-id", "-Wl,--no-insert-timestamp"]
LOCK_FLAGS = ["-O2", "-fno-reorder-blocks-and-partition", "-nostartfiles", "-nodefaultlibs", "-shared"]

# name, bytes of arguments (x86 decoration)
FORWARDED = [("InitializeCriticalSection", 4), ("EnterCriticalSection", 4), ("TryEnterCriticalSection", 4), ("LeaveCriticalSection", 4), ("DeleteCriticalSection", 4)]
KERNEL_OWN = [("InitializeCriticalSectionEx", 12, "LabInitializeEx"), ("InitializeCriticalSectionAndSpinCount", 8, "LabInitializeAndSpinCount"),
              ("CloseHandle", 4, "LabCloseHandle")]
# The traced sets have handle tracing, and frame pointers, as Windows' own DLLs: the kernel walks by them on x86.
FRAME_POINTERS = ["-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer", "-fno-optimize-sibling-calls"]
TRACE_FLAGS = ["-DTRACE", *FRAME_POINTERS]
KERNEL_TRACED = [("CreateEventA", 16, "LabCreateEventA"), ("CreateFileA", 28, "LabCreateFileA")]
LOCK_EXPORTS = [("RtlInitializeCriticalSection", 4), ("RtlInitializeCriticalSectionEx", 12), ("RtlInitializeCriticalSectionAndSpinCount", 8),
                ("RtlEnterCriticalSection", 4), ("RtlTryEnterCriticalSection", 4), ("RtlLeaveCriticalSection", 4), ("RtlDeleteCriticalSection", 4),
                ("RtlRaiseStatus", 4), ("RtlpUnWaitCriticalSection", 4), ("RtlpNotOwnerCriticalSection", 4), ("NtSetEvent", 8),
                ("NtWaitForSingleObject", 12), ("NtClose", 4), ("NtCreateEvent", 20), ("RtlFreeHeap", 12), ("KiRaiseUserExceptionDispatcher", 4), ("RtlDispatchException", 4)]


def run(command, **more):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if result.returncode:
        raise RuntimeError("%s\n%s%s" % (" ".join(map(str, command)), result.stdout, result.stderr))
    return result.stdout


def tool(arch, name):
    return TARGET[arch] + name


def decorated(arch, name, size):
    return "%s@%d" % (name, size) if arch == "x86" else name


# ---- the DLLs --------------------------------------------------------------------------------------------------------


def build_lock_dll(arch, algorithm, out, more):
    wait = "RtlpWaitForCriticalSection" if algorithm == "old" else "RtlpWaitOnCriticalSection"
    lines = ["LIBRARY cslab.dll", "EXPORTS"]
    lines += ["    %s = %s" % (name, decorated(arch, name, size)) for name, size in LOCK_EXPORTS + [(wait, 4)]]
    if algorithm != "old":
        lines.append("    ZwSetEvent = %s" % decorated(arch, "NtSetEvent", 8))
    lines += ["    LdrpLoaderLock = loader_lock DATA", "    FastPebLock = peb_lock DATA"]
    definition = out / "cslab.def"
    definition.write_text("\n".join(lines) + "\n")
    source = HERE / "lockdll"
    entry = "-Wl,-e,_DllMain@12" if arch == "x86" else "-Wl,-e,DllMain"
    run([tool(arch, "gcc"), *LOCK_FLAGS, *more, *FLAGS, "-o", out / "cslab.dll", source / "stubs.S", source / "lock_common.c", source / ("lock_%s.c" % algorithm),
         definition, entry, "-Wl,--kill-at", "-lkernel32", "-lntdll", "-lgcc"])
    import_library(arch, out, "cslab", [(n, s) for n, s in LOCK_EXPORTS])


def import_library(arch, out, name, functions):
    definition = out / ("lib%s.def" % name)
    definition.write_text("LIBRARY %s.dll\nEXPORTS\n" % name + "".join("    %s\n" % decorated(arch, n, s) for n, s in functions))
    run([tool(arch, "dlltool"), "-k", "-d", definition, "-l", out / ("lib%s.a" % name)])


def build_kernel_dll(arch, out, more):
    own = KERNEL_OWN + (KERNEL_TRACED if more else [])
    lines = ["LIBRARY cslabk32.dll", "EXPORTS"]
    lines += ["    %s = cslab.Rtl%s" % (name, name) for name, _ in FORWARDED] + ["    HeapFree = cslab.RtlFreeHeap"]
    lines += ["    %s = %s" % (name, decorated(arch, function, size)) for name, size, function in own]
    definition = out / "cslabk32.def"
    definition.write_text("\n".join(lines) + "\n")
    entry = "-Wl,-e,_DllMain@12" if arch == "x86" else "-Wl,-e,DllMain"
    run([tool(arch, "gcc"), *LOCK_FLAGS, *more, *FLAGS, "-o", out / "cslabk32.dll", HERE / "kernel/kernel.c", definition, entry, "-Wl,--kill-at",
         "-L%s" % out, "-lcslab", "-lkernel32", "-lgcc"])
    import_library(arch, out, "cslabk32", FORWARDED + [(n, s) for n, s, _ in own] + [("HeapFree", 12)])


def build_reporter(arch, out):
    run([tool(arch, "gcc"), "-O2", "-shared", *FLAGS, "-o", out / "reporter.dll", HERE / "reporter/reporter.c", "-lntdll", "-Wl,--out-implib,%s" % (out / "libreporter.a")])


def build_verifier(arch, out):
    """The look-alikes of Application Verifier's modules."""
    source = HERE / "verifier"
    flags = ["-O2", "-fno-omit-frame-pointer"] if arch == "x86" else ["-O2"]
    for name, libraries in (("vrfcore", []), ("verifier", []), ("vfbasics", ["-lvrfcore", "-lverifier", "-lcslab"])):
        run([tool(arch, "gcc"), *flags, "-shared", *FLAGS, "-o", out / (name + ".dll"), source / (name + ".c"), "-L%s" % out, *libraries,
             "-Wl,--out-implib,%s" % (out / ("lib%s.a" % name))])


def build_set(name):
    arch, algorithm = SETS[name]["arch"], SETS[name]["algorithm"]
    out = WORK / "build" / name
    out.mkdir(parents=True, exist_ok=True)
    more = TRACE_FLAGS if SETS[name].get("trace") else []
    build_lock_dll(arch, algorithm, out, more)
    build_kernel_dll(arch, out, more)
    build_reporter(arch, out)
    build_verifier(arch, out)


# ---- the programs ----------------------------------------------------------------------------------------------------


def compiler_line(program, arch, out, source, target, extra=()):
    compiler = "g++" if source.suffix == ".cpp" else "gcc"
    flags = program.get("flags", ["-O2"]) + (["-fno-exceptions", "-fno-rtti", "-static-libgcc"] if compiler == "g++" else [])
    libraries = ["-lcslab"] if program.get("direct_import") else []
    return [tool(arch, compiler), *flags, *FLAGS, "-Wl,--stack,0x40000", "-I", HERE / "reporter", "-I", HERE / "programs", "-o", target, source, *extra,
            "-L%s" % out, *libraries, "-lcslabk32", "-lreporter"]


def build_program(name, set_name):
    program, arch = PROGRAMS[name], SETS[set_name]["arch"]
    out = WORK / "build" / set_name
    folder = out / name
    folder.mkdir(exist_ok=True)
    source = next((HERE / "programs").glob(program.get("source", name) + ".c*"))
    extra = program.get("defines", []) + (["-DLAB_OLD"] if SETS[set_name]["algorithm"] == "old" else [])
    extra += [HERE / "programs" / program["extra"]] if "extra" in program else []
    extra += FRAME_POINTERS if SETS[set_name].get("trace") else []
    run(compiler_line(program, arch, out, source, folder / (name + ".exe"), extra))
    if "plugin" in program:
        run(compiler_line(program, arch, out, HERE / "programs" / program["plugin"], folder / "plugin.dll", ["-shared"]))
    verifier = ("verifier.dll", "vrfcore.dll", "vfbasics.dll") if program.get("verifier") else ()
    for dll in ("cslab.dll", "cslabk32.dll", "reporter.dll", *verifier):
        shutil.copy(out / dll, folder)
    return folder


def run_program(name, set_name, folder):
    arch = SETS[set_name]["arch"]
    inside = "Program Files/Contoso/%s" % set_name
    place = PREFIX[arch] / "drive_c" / inside / name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place)
    environment = dict(os.environ, WINEDEBUG="-all", WINEDLLOVERRIDES="mscoree,mshtml=", LAB_COMPAT=hex(SETS[set_name]["os"].get("compat", 0)))
    if PROGRAMS[name].get("strict"):
        environment["LAB_STRICT"] = "1"
    # no pipes: the services Wine starts would keep them open
    quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    command = ["wine", name + ".exe"]
    if arch == "x64":
        environment["WINEPREFIX"] = str(PREFIX["x64"])
        result = subprocess.run(command, cwd=place, env=environment, timeout=60, **quiet)
    else:
        where = "/" + str(place.relative_to(CHROOT))
        shell = "cd '%s' && WINEPREFIX=/root/%s exec wine %s.exe" % (where, X86_PREFIX, name)
        result = subprocess.run(["chroot", CHROOT, "/bin/sh", "-c", shell], env=environment, timeout=60, **quiet)
    snapshot = place / "snapshot.bin"
    if not snapshot.exists():
        raise RuntimeError("%s/%s: no snapshot (exit %d)" % (name, set_name, result.returncode))
    data = snapshot.read_bytes()
    snapshot.unlink()
    if not data:
        raise RuntimeError("%s/%s: the program did not crash (exit %d)" % (name, set_name, result.returncode))
    return data


# ---- dumps and labels ------------------------------------------------------------------------------------------------


def label(name, set_name, kind, handles, keep_imports, snap, dump):
    program, one = PROGRAMS[name], SETS[set_name]
    expected = dict(program, **program.get("in_set", {}).get(set_name, {}))
    x64 = one["arch"] == "x64"
    naming = "none"
    if kind in producers.FULL_MEMORY + ("code",):
        naming = "ntdll-exports" if x64 else "caller-imports"
    elif keep_imports:
        naming = "caller-imports"
    naming = expected.get("naming", {}).get(kind, naming)
    names_frames = naming == "caller-imports" or naming == "ntdll-exports" and x64  # x86 has no unwind data
    has_section = expected.get("state") in ("gone", "null") or bool(snap.section and dump.section(snap.section))
    entry = dict(file="dumps/%s-%s-%s.dmp.zst" % (name, set_name, kind), program=name, split=split_of(name), set=set_name, arch=one["arch"], algorithm=one["algorithm"],
                 os="%d.%d.%d" % (one["os"]["major"], one["os"]["minor"], one["os"]["build"]), kind=kind, handles=handles)
    if expected.get("operation"):
        entry["operation"] = expected["operation"]
    entry.update(code="0x%08X" % snap.code)
    if expected.get("inner"):
        entry["inner_code"] = "0x%08X" % expected["inner"]
    entry.update(mechanism=expected["mechanism"], cause=expected["cause"])
    if snap.section:
        entry["section"] = "0x%x" % snap.section
    entry["handle"] = "0x%x" % snap.handle if snap.handle and not expected.get("handle_unknown") else "unknown"
    entry.update(thread="0x%x" % snap.thread_id, naming=naming, evidence=bool(handles and has_section and names_frames))
    if snap.truth and PROGRAMS[name].get("oracle", True):
        entry["truth"] = "dumps/truth/%s-%s.json" % (name, set_name)
    entry["main_returns_to"] = "0x%x" % snap.main_returns_to
    entry["main_return_slot"] = "0x%x" % dumpwriter.find_on_stacks(snap, snap.main_returns_to)
    if snap.trace and closer(snap):
        entry["closer"] = closer(snap)
    if expected.get("twin"):
        entry["twin"] = expected["twin"]
    if expected.get("note"):
        entry["note"] = expected["note"]
    if expected.get("withdrawn"):
        entry["withdrawn"] = expected["withdrawn"]
    return entry


def closer(snap):
    """The program's or plugin's code that closed the handle last, by the trace as it was recorded, oldest first."""
    for entry in reversed(snap.trace):
        handle, _, _, operation, _, depth = struct.unpack_from("<QIIIII", entry)
        if handle != snap.handle or operation != 2:
            continue
        for address in struct.unpack_from("<%dQ" % depth, entry, 0x20):
            for module in snap.modules:
                image = dumpwriter.Image(snap.memory, module["base"])
                if image.base <= address < image.base + image.size and "\\contoso\\" in module["path"].lower():
                    return "%s+0x%x" % (module["path"].rsplit("\\", 1)[1], address - image.base)
    return None


def write_truth(name, set_name, snap):
    spans = [(m["base"], m["base"] + dumpwriter.Image(snap.memory, m["base"]).size, m["path"].rsplit("\\", 1)[1]) for m in snap.modules]
    lines = []
    for frame in snap.truth:
        low, _, module = next((s for s in spans if s[0] <= frame["rip"] < s[1]), (0, 0, ""))
        fields = ['"module": "%s"' % module, '"offset": "0x%x"' % (frame["rip"] - low)] + ['"%s": "0x%x"' % item for item in frame.items()]
        lines.append("  {" + ", ".join(fields) + "}")
    (DUMPS / "truth").mkdir(parents=True, exist_ok=True)
    (DUMPS / "truth" / ("%s-%s.json" % (name, set_name))).write_text("[\n" + ",\n".join(lines) + "\n]\n")


def variants(name, set_name):
    """The dumps of one crash, and how each is written."""
    turn = sum(map(ord, name + set_name))
    out = {kind: producers.variants(turn, kind) for kind in kinds_of(name, set_name)}
    if "full" in out and PROGRAMS[name].get("always_handles"):
        out["full"]["handles"] = True
    if SETS[set_name].get("trace"):
        for kind, how in out.items():
            how.update(handles=True, newest_first=turn % 2 == (1 if kind == "wer" else 0))
    if name.startswith(("v-", "n-", "m-", "k-", "q-", "w-", "x-", "y-", "g-")) and "wer" in out:  # these are there for what the bytes say: they have to be in
        out["wer"].update(handles=True, keep_imports=True)
    if "wer" in out:
        out["wer"].update(PROGRAMS[name].get("wer", {}))
    return out


def run_with_patience(name, set_name, folder):
    """Now and then a program ends at once under Wine, without a trace of having run."""
    for attempt in range(3):
        try:
            return run_program(name, set_name, folder)
        except (RuntimeError, subprocess.TimeoutExpired):
            if attempt == 2:
                raise


def take_snapshot(name, set_name, again):
    kept = WORK / "snapshots" / ("%s-%s.bin" % (name, set_name))
    if not again or not kept.exists():
        folder = build_program(name, set_name)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(run_with_patience(name, set_name, folder))
    return kept.read_bytes()


def make(name, set_name, again):
    data = take_snapshot(name, set_name, again)
    snap = dumpwriter.Snapshot(data, dumpwriter.Arch(SETS[set_name]["arch"] == "x64"))
    system = dict(SETS[set_name]["os"], **PROGRAMS[name].get("os", {}))
    dumpwriter.disguise(snap, system)
    verify.verify(snap, check.expected(dict(set=set_name), PROGRAMS[name]))
    labels = []
    for kind, how in variants(name, set_name).items():
        if kind == "full" and set_name not in PROGRAMS[name].get("full_in", SETS):
            continue
        dump = producers.write_dump(snap, system, kind, **how)
        entry = label(name, set_name, kind, how["handles"], how.get("keep_imports", False), snap, check.Dump(dump))
        check.check(dump, entry, PROGRAMS[name])
        path = HERE.parent / entry["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["zstd", os.environ.get("LAB_ZSTD", "-19"), "-q", "-f", "-o", path], input=dump, check=True)
        print("%s %d -> %d" % (path.name, len(dump), path.stat().st_size), flush=True)
        labels.append(entry)
    if snap.truth and PROGRAMS[name].get("oracle", True):  # Wine's unwinder ends where the kernel has put an APC on the stack
        write_truth(name, set_name, snap)
    return labels


def toml_value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return '"%s"' % str(value).replace("\\", "\\\\").replace('"', '\\"')


def load_labels():
    if not LABELS.exists():
        return []
    entries = []
    for block in LABELS.read_text().split("[[dump]]")[1:]:
        entry = {}
        for key, text in re.findall(r"^(\w+) = (.*)$", block, re.M):
            entry[key] = text == "true" if text in ("true", "false") else text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        entries.append(entry)
    return entries


def save_labels(new):
    with open(Path(tempfile.gettempdir()) / "csdump-lab-labels.lock", "w") as lock:  # two builds may run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        merge_labels(new)


def merge_labels(new):
    keep = {e["file"]: e for e in load_labels() if e["program"] in PROGRAMS or e["arch"] == "arm64"}  # those are arm64/build_arm64.py's
    keep.update({e["file"]: e for e in new})
    keep = {file: dict(file=e["file"], program=e["program"], split=split_of(e["program"]), **{k: v for k, v in e.items() if k not in ("file", "program", "split")})
            for file, e in keep.items()}  # entries of older builds have no split
    text = "# Generated by lab/build.py. One entry per dump; the fields are explained in lab/README.md.\n"
    for file in sorted(keep):
        text += "\n[[dump]]\n" + "".join("%s = %s\n" % (k, toml_value(v)) for k, v in keep[file].items())
    LABELS.write_text(text)


def prepare_prefix(arch):
    if (PREFIX[arch] / "drive_c").exists():
        return
    if arch == "x64":
        run(["wineboot", "-i"], env=dict(os.environ, WINEPREFIX=str(PREFIX["x64"]), WINEDEBUG="-all", WINEARCH="win64"))
    else:
        run(["chroot", CHROOT, "/bin/sh", "-c", "WINEPREFIX=/root/%s WINEDEBUG=-all wineboot -i" % X86_PREFIX])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="*")
    parser.add_argument("--set", action="append", choices=sorted(SETS))
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    jobs = [(name, set_name) for name in options.program or PROGRAMS for set_name in PROGRAMS[name]["sets"] if set_name in (options.set or SETS)]
    for set_name in sorted({s for _, s in jobs}):
        prepare_prefix(SETS[set_name]["arch"])
        build_set(set_name)
    failed = []

    def attempt(job):
        try:
            entries = make(*job, options.again)
            save_labels(entries)  # now, so that an interrupted build keeps what it has
            return entries
        except (RuntimeError, AssertionError, ValueError, OSError, subprocess.SubprocessError, struct.error, KeyError) as error:
            failed.append("%s-%s: %s %s" % (*job, type(error).__name__, error))
            print("FAILED", failed[-1], flush=True)
            return []

    with ThreadPoolExecutor(int(os.environ.get("LAB_JOBS", "3"))) as pool:
        list(pool.map(attempt, jobs))
    if failed:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
