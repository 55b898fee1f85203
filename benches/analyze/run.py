#!/usr/bin/env python3
"""Measures `csdump analyze --format json` against `minidump-stackwalk --json` on the same dumps.

    python3 benches/analyze/run.py [--runs N] [--quick] [--only TEXT] [--dumps FOLDER] [--output FILE]

Builds csdump (release), installs the peer with cargo into target/bench when it is not there, makes the big dumps in a
temporary folder, and prints a Markdown table: median wall time of N runs, alternating between the two programs after a
warm-up, median CPU time (steadier on a busy machine), and the largest peak of resident memory. Needs Python 3.9, cargo, and `zstd` (or Python 3.14) for testdata's
dumps; what is not there is left out and named. PEER=FILE takes another peer. docs/performance.md keeps a table with the machine it is from.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

import full_dump

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / "target" / "bench"
PEER, PEER_VERSION = "minidump-stackwalk", "0.27.0"
# Dumps of the repository, from each kind and algorithm.
LAB = [
    "closed-x86-old-normal", "closed-x64-new-normal", "closed-x64-new-wer", "closed-x64-woa-events-wer",
    "closed-x86-new-full", "av-elsewhere-x64-new-full", "closed-x64-new-full", "registers-x64-new-full",
]
BIG_SOURCE = "closed-x64-new-full"
BIG_SIZES = [64 << 20, 512 << 20, 4 << 30]
# design.md 6.
MEMORY_BUDGET_MIB = 64
# Free disk that the 4 GB dump must leave, in case the file system has no sparse files.
DISK_RESERVE = 8 << 30


def note(text):
    print(text, file=sys.stderr, flush=True)


def build():
    """Paths of csdump, of the peer and of the measuring program."""
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    BENCH.mkdir(parents=True, exist_ok=True)
    peer = pathlib.Path(os.environ.get("PEER", BENCH / "bin" / PEER))
    if not peer.exists():
        note(f"installing {PEER} {PEER_VERSION}")
        install = ["cargo", "install", PEER, "--version", PEER_VERSION, "--locked", "--root", BENCH]
        subprocess.run(install, check=True)
    measure = BENCH / "measure"
    source = ROOT / "benches" / "analyze" / "measure.rs"
    subprocess.run(["rustc", "--edition", "2024", "-O", source, "-o", measure], check=True)
    return ROOT / "target" / "release" / "csdump", peer, measure


def unpack(packed, folder):
    """The dump in a .zst of testdata, as a file of its own; None without a decompressor."""
    target = folder / packed.stem
    if target.exists():
        return target
    if shutil.which("zstd"):
        subprocess.run(["zstd", "-dqf", packed, "-o", target], check=True)
        return target
    try:
        from compression import zstd
    except ImportError:
        return None
    target.write_bytes(zstd.decompress(packed.read_bytes()))
    return target


def lab_dumps(folder):
    for name in LAB:
        packed = ROOT / "testdata" / "dumps" / f"{name}.dmp.zst"
        plain = unpack(packed, folder) if packed.exists() else None
        if plain is None:
            note(f"left out: {name}: " + ("no zstd to unpack it" if packed.exists() else "not in testdata"))
        else:
            yield plain.name, plain, plain
            yield packed.name, packed, None


def shared_dumps(folder):
    if not folder.is_dir():
        note(f"left out: the shared real dumps: no folder {folder}")
        return
    for path in folder.rglob("*.dmp"):
        yield f"{path.parent.name}/{path.name}", path, path


def big_dumps(folder, sizes):
    packed = ROOT / "testdata" / "dumps" / f"{BIG_SOURCE}.dmp.zst"
    source = unpack(packed, folder) if packed.exists() else None
    if source is None:
        note("left out: the big dumps: their source cannot be unpacked")
        return
    for size in sizes:
        if shutil.disk_usage(folder).free < size + DISK_RESERVE:
            note(f"left out: a full dump of {human(size)}: not enough free disk")
            continue
        target = folder / f"full-{size >> 20}m.dmp"
        full_dump.enlarge(source, target, size)
        yield f"made: full, {human(size)}", target, target


def human(size):
    for unit, shift in (("GB", 30), ("MB", 20), ("KB", 10)):
        if size >> shift:
            return f"{size / (1 << shift):.3g} {unit}"
    return f"{size} B"


class Runs:
    """The runs of one program on one dump."""

    def __init__(self, measure, command):
        self.command = [measure, *command]
        self.times, self.cpu, self.peaks, self.codes = [], [], [], set()

    def once(self, keep):
        answer = subprocess.run(self.command, stdout=subprocess.PIPE, check=True).stdout.split()
        if keep:
            self.times.append(int(answer[0]) / 1e6)
            self.cpu.append(int(answer[1]) / 1e6)
            self.peaks.append(int(answer[2]) / 1024)
            self.codes.add(int(answer[3]))

    @property
    def time(self):
        return statistics.median(self.times)

    @property
    def peak(self):
        return max(self.peaks)

    def failure(self, good):
        """What went wrong, in words; an empty text when nothing did."""
        bad = sorted(self.codes - good)
        return ", ".join(f"signal {-code}" if code < 0 else f"exit {code}" for code in bad)


def compare(programs, dump, peer_dump, runs):
    """The cells of one row, and whether both budgets hold there."""
    csdump, peer, measure = programs
    ours = Runs(measure, [csdump, "analyze", "--format", "json", dump])
    theirs = Runs(measure, [peer, "--json", peer_dump]) if peer_dump else None
    pair = [one for one in (ours, theirs) if one]
    for turn in range(-2, runs):
        for one in pair:
            one.once(keep=turn >= 0)
    notes = []
    if failed := ours.failure({0, 1}):
        notes.append(f"csdump: {failed}")
    if theirs and (failed := theirs.failure({0})):
        notes.append(f"peer: {failed}")
    holds = ours.peak <= MEMORY_BUDGET_MIB and (theirs is None or ours.time <= theirs.time)
    cells = [f"{ours.time:.2f}"]
    cells.append(f"{theirs.time:.2f}" if theirs else "")
    cells.append(f"{ours.time / theirs.time:.2f}" if theirs else "")
    cells.append(f"{statistics.median(ours.cpu):.2f}")
    cells.append(f"{statistics.median(theirs.cpu):.2f}" if theirs else "")
    cells.append(f"{ours.peak:.1f}")
    cells.append(f"{theirs.peak:.1f}" if theirs else "")
    cells += ["yes" if holds else "**no**", "; ".join(notes)]
    return cells, holds


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=31, help="runs of each program on each dump (31)")
    parser.add_argument("--quick", action="store_true", help="no dump above 64 MB")
    shared = ROOT.parent / "shared" / "dumps"
    parser.add_argument("--dumps", type=pathlib.Path, default=shared, help="a folder of real dumps (../shared/dumps)")
    parser.add_argument("--only", default="", help="only dumps whose name contains this")
    parser.add_argument("--output", type=pathlib.Path, help="where the table goes; standard output otherwise")
    return parser.parse_args()


def main():
    options = arguments()
    programs = build()
    rows, missed = [], []
    with tempfile.TemporaryDirectory(prefix="csdump-bench-") as name:
        folder = pathlib.Path(name)
        sizes = BIG_SIZES[:1] if options.quick else BIG_SIZES
        dumps = [*shared_dumps(options.dumps), *lab_dumps(folder), *big_dumps(folder, sizes)]
        dumps = [dump for dump in dumps if options.only in dump[0]]
        for title, dump, peer_dump in sorted(dumps, key=lambda item: item[1].stat().st_size):
            note(title)
            cells, holds = compare(programs, dump, peer_dump, options.runs)
            rows.append([title, human(dump.stat().st_size), *cells])
            if not holds:
                missed.append(title)
    head = ["dump", "size", "csdump ms", "peer ms", "ratio", "csdump CPU ms", "peer CPU ms", "csdump MiB", "peer MiB",
            "budgets hold", "note"]
    align = ["---", *["--:"] * 8, "---", "---"]
    table = "".join(f"| {' | '.join(row)} |\n" for row in [head, align, *rows])
    print(table, end="", file=open(options.output, "w") if options.output else sys.stdout)
    note(f"{len(rows)} dumps; budgets missed on {len(missed)}" + "".join(f"\n  {title}" for title in missed))


if __name__ == "__main__":
    main()
