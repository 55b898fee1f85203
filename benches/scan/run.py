#!/usr/bin/env python3
"""Measures `csdump scan` on a corpus of dumps, 95 % of which are no lock failure.

    python3 benches/scan/run.py [--files N] [--sample N] [--output FILE]

Builds csdump and the baseline (release), makes the corpus of hard links in a temporary folder from testdata's dumps and the shared
ones where they are, and prints Markdown tables: dumps per second of csdump, of a shell loop and of `xargs -P` over
minidump-stackwalk (on an even sample of the same files); the cost of a dump, by what it is, against reading header, directory,
exception and module list with the minidump crate; peak memory by number of files; throughput by jobs. Needs
Python 3.9, cargo, zstd. PEER=FILE names minidump-stackwalk; else it is installed as benches/analyze/run.py does.
docs/performance.md keeps the tables with the machine they are from.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "dumps"
PEER, PEER_VERSION = "minidump-stackwalk", "0.27.0"
BENCH = ROOT / "target" / "bench"
# One in so many files is a lock failure, and one in so many looks like one.
FAILURE_EVERY = 20
ALIKE_EVERY = 20
# Dumps that are no lock failure and that a glance is enough for; that are none, but raised what a lock failure raises; that are one.
OTHERS = ["av-elsewhere-x*"]
ALIKE = ["h-none-*", "close-strict-*", "av-in-ntdll-*"]
FAILURES = ["closed-*", "recycled-x*", "corrupted-*", "null-pointer-*"]


def note(text):
    print(text, file=sys.stderr, flush=True)


def build():
    """Paths of csdump, of the baseline and of the peer."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--bin", "csdump", "--example", "scan_baseline"], cwd=ROOT, check=True)
    peer = pathlib.Path(os.environ.get("PEER", BENCH / "bin" / PEER))
    if not peer.exists():
        note(f"installing {PEER} {PEER_VERSION}")
        subprocess.run(["cargo", "install", PEER, "--version", PEER_VERSION, "--locked", "--root", BENCH], check=True)
    release = ROOT / "target" / "release"
    return release / "csdump", release / "examples" / "scan_baseline", peer


def unpacked(patterns, folder):
    """The dumps of testdata that match, as files of their own."""
    folder.mkdir()
    files = []
    for pattern in patterns:
        for packed in sorted((ROOT / "testdata" / "dumps").glob(pattern + ".dmp.zst")):
            target = folder / packed.stem
            if not target.exists():
                subprocess.run(["zstd", "-dqf", packed, "-o", target], check=True)
                files.append(target)
    return files


def link_all(sources, count, folder, prefix):
    """`count` hard links to the sources in turn, some in each subfolder; a copy of each source where links run out."""
    paths = []
    for index in range(count):
        source = sources[index % len(sources)]
        path = folder / f"{prefix}{index // 500:03}" / f"{index:06}-{source.name}"
        path.parent.mkdir(exist_ok=True)
        os.link(source, path)
        paths.append(path)
    return paths


def corpus(count, folder):
    """The files of the corpus by what they are, and the number of real dumps among them."""
    others = unpacked(OTHERS, folder / "others-source")
    real = [path for path in sorted(SHARED.rglob("*.dmp")) if "win7-code" not in path.parts]
    for path in real:
        target = folder / "others-source" / f"{path.parent.name}-{path.name}"
        target.write_bytes(path.read_bytes())
        others.append(target)
    alike = unpacked(ALIKE, folder / "alike-source")
    failures = unpacked(FAILURES, folder / "failures-source")
    made = folder / "corpus"
    made.mkdir()
    few, some = count // FAILURE_EVERY, count // ALIKE_EVERY
    return {
        "others": link_all(others, count - few - some, made, "other"),
        "alike": link_all(alike, some, made, "alike"),
        "failures": link_all(failures, few, made, "lock"),
    }, len(real)


def timed(command, stdin=None, env=None):
    """(wall seconds, CPU seconds, peak memory in MiB) of a command."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) not in (0, 1, 123):
        raise SystemExit(f"{command[:3]} ended with {os.waitstatus_to_exitcode(status)}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def best(runs, *arguments, **more):
    """The fastest of some runs, after one to warm the page cache."""
    timed(*arguments, **more)
    return min(timed(*arguments, **more) for _ in range(runs))


def listed(paths, folder, name):
    target = folder / name
    target.write_text("".join(f"{path}\n" for path in paths))
    return target


def scan(csdump, files, jobs):
    return [csdump, "scan", "--quiet", "--format", "jsonl", "--jobs", jobs, "--files-from", files]


def throughput(tools, paths, folder, sample):
    """Dumps per second of csdump and of the two ways over the peer."""
    csdump, _, peer = tools
    everything = listed(paths, folder, "everything")
    few = paths[:: max(1, len(paths) // sample)]
    some = listed(few, folder, "sample")
    rows = []
    for jobs in (1, 2):
        wall, cpu, memory = best(3, scan(csdump, everything, jobs))
        rows.append((f"csdump scan --jobs {jobs}", len(paths), wall, cpu, memory))
    loop = f'while read -r dump; do "{peer}" --json "$dump" >/dev/null 2>&1; done < "{some}"'
    rows.append(("shell loop over minidump-stackwalk --json", len(few), *timed(["sh", "-c", loop])))
    spread = f'xargs -a "{some}" -P 2 -n 1 sh -c \'"{peer}" --json "$0" >/dev/null 2>&1; true\''
    rows.append(("xargs -P 2 over the same", len(few), *timed(["sh", "-c", spread])))
    return rows


def by_kind(tools, files, folder):
    """Of each kind of file: csdump on one core, and the baseline on the same files."""
    csdump, baseline, _ = tools
    costs = {}
    for kind, paths in files.items():
        names = listed(paths, folder, kind)

        def base():
            with open(names) as stdin:
                return timed([baseline], stdin=stdin)

        ours = best(5, scan(csdump, names, 1))
        base()
        costs[kind] = len(paths), ours, min(base() for _ in range(5))
    return costs


def memory(tools, paths, folder):
    rows = []
    for count in (100, 1000, len(paths)):
        files = listed(paths[:: max(1, len(paths) // count)][:count], folder, f"first-{count}")
        rows.append((count, best(1, scan(tools[0], files, 2))[2]))
    return rows


def report(results, out):
    rows, costs, memories, real = results
    base = {name: files / wall for name, files, wall, _, _ in rows}
    total = sum(count for count, _, _ in costs.values())
    out.append(f"{total} files: {costs['failures'][0]} lock failures, {costs['alike'][0]} that raised what one raises; {real} different real dumps among the others.\n")
    out.append("| what | files | seconds | dumps per second | CPU seconds | peak MiB |\n|---|---|---|---|---|---|")
    out += [f"| {name} | {files} | {wall:.2f} | {files / wall:.0f} | {cpu:.2f} | {peak:.1f} |" for name, files, wall, cpu, peak in rows]
    speed = base["csdump scan --jobs 2"]
    out.append("\n| csdump scan --jobs 2 against | times as fast | budget |\n|---|---|---|")
    out.append(f"| shell loop over minidump-stackwalk --json | {speed / base['shell loop over minidump-stackwalk --json']:.0f} | 20 |")
    out.append(f"| xargs -P 2 over the same | {speed / base['xargs -P 2 over the same']:.0f} | 5 |")
    out.append("\n| dumps | files | csdump, microseconds of CPU | header, directory, exception, modules by the minidump crate | ratio | budget |\n|---|---|---|---|---|---|")
    names = {"others": "passed over at a glance", "alike": "no failure, but analysed", "failures": "lock failures"}
    for kind, (count, ours, theirs) in costs.items():
        budget = "3" if kind == "others" else ""
        out.append(f"| {names[kind]} | {count} | {ours[1] / count * 1e6:.0f} | {theirs[1] / count * 1e6:.0f} | {ours[1] / theirs[1]:.1f} | {budget} |")
    out.append("\n| files | peak MiB |\n|---|---|")
    out += [f"| {count} | {peak:.1f} |" for count, peak in memories]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--sample", type=int, default=400)
    parser.add_argument("--output", type=pathlib.Path)
    options = parser.parse_args()
    tools = build()
    with tempfile.TemporaryDirectory(prefix="csdump-scan-") as name:
        folder = pathlib.Path(name)
        files, real = corpus(options.files, folder)
        paths = sorted((path for some in files.values() for path in some), key=lambda path: path.name)
        note(f"{len(paths)} files")
        rows = throughput(tools, paths, folder, options.sample)
        results = rows, by_kind(tools, files, folder), memory(tools, paths, folder), real
        lines = []
        report(results, lines)
    text = "\n".join(lines) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text)


if __name__ == "__main__":
    main()
