#!/usr/bin/env python3
"""Runs some of the lab's programs a second time, loaded at another address, and keeps the dumps in ../dumps/rerun.

    rerun.py

The dumps show that two runs of one bug have one signature (tests/scan/grouping.rs). Their labels would be those of the
first run but for every address, so that labels.toml does not list them. Needs what build.py needs.
"""
import os
import subprocess

import build
import dumpwriter

PROGRAMS = ["closed", "recycled", "corrupted-stray", "corrupted-underrun", "memory-released", "copied"]
SETS = ["x64-new", "x86-new"]
IMAGE_BASE = {"x64": "0x160000000", "x86": "0x6400000"}
OUT = build.DUMPS / "rerun"


def run_elsewhere(name, set_name):
    """The snapshot of a run at another image base, with an environment that moves stack and heap."""
    arch = build.SETS[set_name]["arch"]
    linked = build.compiler_line

    def moved(*arguments, **more):
        return linked(*arguments, **more) + ["-Wl,--image-base,%s" % IMAGE_BASE[arch]]

    build.compiler_line = moved
    try:
        folder = build.build_program(name, set_name)
    finally:
        build.compiler_line = linked
    os.environ["LAB_PADDING"] = "x" * 3000
    return build.run_with_patience(name, set_name, folder)


def keep(name, set_name):
    """Writes the dumps of a second run."""
    snap = dumpwriter.Snapshot(run_elsewhere(name, set_name), dumpwriter.Arch(build.SETS[set_name]["arch"] == "x64"))
    system = build.SETS[set_name]["os"]
    dumpwriter.disguise(snap, system)
    for kind, how in build.variants(name, set_name).items():
        path = OUT / ("%s-%s-%s.dmp.zst" % (name, set_name, kind))
        dump = dumpwriter.write_dump(snap, system, kind, **how)
        subprocess.run(["zstd", "-19", "-q", "-f", "-o", path], input=dump, check=True)
        print(path.name, path.stat().st_size, flush=True)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    build.WORK.mkdir(parents=True, exist_ok=True)
    for set_name in SETS:
        build.prepare_prefix(build.SETS[set_name]["arch"])
        build.build_set(set_name)
        for name in PROGRAMS:
            keep(name, set_name)


if __name__ == "__main__":
    main()
