"""Tests of the scan on Ray: the shards by themselves, and a job on two nodes that loses a worker and a node.

CSDUMP names the program; the dumps are the lab's. Where Ray cannot be installed, its test is skipped and says why.
"""

import contextlib
import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import environment
import shards

HERE = Path(__file__).resolve().parent
LAB = HERE.parent.parent / "testdata" / "dumps"
CSDUMP = os.environ.get("CSDUMP") or shutil.which("csdump") or "csdump"
# Longest wait for anything, on a busy machine.
PATIENCE = 120
no_ray = ""


def lab() -> list[bytes]:
    """The lab's dumps, and a file that is not there."""
    return [*sorted(os.fsencode(path) for path in LAB.glob("*.dmp*")), b"/nowhere/at all.dmp"]


def single_machine(paths: list[bytes]) -> tuple[int, list[bytes]]:
    """Exit code and lines of one csdump."""
    command = [CSDUMP, "scan", "--sort", "--quiet", "--files-from", "-", "--format", "jsonl"]
    run = subprocess.run(command, input=b"\n".join(paths), stdout=subprocess.PIPE, check=False)
    return run.returncode, run.stdout.splitlines()


def script(folder: Path, name: str, text: str) -> str:
    """A program in place of csdump."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


class Folder(unittest.TestCase):
    """A test with a folder of its own; a short path, for Ray's sockets."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="csr", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)


class Shards(Folder):
    """What needs no Ray."""

    def test_lists_are_read_as_csdump_reads_them(self) -> None:
        def paths(text: bytes, null: bool) -> list[bytes]:
            return list(shards.read_paths(io.BytesIO(text), null))

        self.assertEqual(paths(b"/a\r\n\n/b c", False), [b"/a", b"/b c"])
        self.assertEqual(paths(b"/a\nb\0/c\r\0", True), [b"/a\nb", b"/c\r"])
        with self.assertRaisesRegex(ValueError, "b.dmp: a path that does not begin with /"):
            paths(b"/a\nb.dmp\n", False)

    def test_a_list_longer_than_a_chunk_stays_whole(self) -> None:
        names = [b"/dumps/%d.dmp" % number for number in range(200_000)]
        self.assertGreater(len(b"\n".join(names)), 2 * shards.CHUNK)
        cut = list(shards.cut(shards.read_paths(io.BytesIO(b"\n".join(names)), False), 30_000))
        self.assertEqual([len(shard) for shard in cut], [30_000] * 6 + [20_000])
        self.assertEqual([name for shard in cut for name in shard], names)

    def test_a_name_stands_for_all_that_the_lines_depend_on(self) -> None:
        recipe = shards.Recipe("csdump", ("--hash",), "csdump 1")
        names = {
            shards.shard_name(0, [b"/a", b"/b"], recipe),
            shards.shard_name(0, [b"/a/b"], recipe),
            shards.shard_name(0, [b"/a", b"/b"], shards.Recipe("csdump", (), "csdump 1")),
            shards.shard_name(0, [b"/a", b"/b"], shards.Recipe("csdump", ("--hash",), "csdump 2")),
        }
        self.assertEqual(len(names), 4)
        moved = shards.Recipe("/opt/csdump", ("--hash",), "csdump 1")
        self.assertIn(shards.shard_name(0, [b"/a", b"/b"], moved), names)

    def test_merged_shards_are_one_scan(self) -> None:
        for paths in (lab()[::40], lab()[:-1:40], []):
            files = []
            for number, shard in enumerate(shards.cut(iter(paths), 4)):
                files.append(self.folder / f"{number}")
                shards.scan_shard(shards.Recipe(CSDUMP), shard, 1, str(files[-1]))
            code, lines = single_machine(paths)
            results = self.folder / "results.jsonl"
            self.assertEqual(shards.merge(CSDUMP, files, results), code)
            self.assertEqual(results.read_bytes().splitlines(), lines)

    def test_no_file_without_a_whole_scan(self) -> None:
        ends = {
            "kill -KILL $$": "ended with -9",
            "exit 3": "ended with 3",
            "exit 1": "wrote nothing",
            """echo '{"type":"rep'; exit 1""": "break off",
            """echo '{"type":"report"}'; exit 0""": "without a summary",
            """printf '{"type":"summary"}'; exit 0""": "without a summary",
            """echo '{"type":"summary","interrupted":true}'; exit 2""": "interrupted",
        }
        for text, reason in ends.items():
            recipe = shards.Recipe(script(self.folder, "fake", text))
            out = self.folder / "out"
            out.mkdir(exist_ok=True)
            with self.assertRaisesRegex(shards.ScanFailed, reason):
                shards.scan_shard(recipe, [b"/a"], 1, str(out / "shard"))
            self.assertEqual(list(out.iterdir()), [], text)


class Cluster(Folder):
    """Two Ray nodes on this machine, one core each."""

    def setUp(self) -> None:
        super().setUp()
        if no_ray:
            self.skipTest(no_ray)
        # Ray's secret of the cluster stays in the test's folder, and nothing is sent anywhere.
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(self.folder / "token")
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        from ray.cluster_utils import Cluster as RayCluster

        self.cluster = RayCluster()
        self.addCleanup(self.cluster.shutdown)
        node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
        # Ray notes the cluster's address there, and does not make the folder when its own is elsewhere.
        Path("/tmp/ray").mkdir(exist_ok=True)
        self.cluster.add_node(**node, temp_dir=str(self.folder / "ray"))
        self.lost = self.cluster.add_node(num_cpus=1, object_store_memory=80 << 20)

    def test_a_lost_worker_and_a_lost_node_change_nothing(self) -> None:
        paths = lab()
        job = self._start(paths, self._holding_csdump())
        # First a worker, in the middle of a shard; then, when the second node has one, all of that node.
        os.kill(self._held("worker", job), signal.SIGKILL)
        self._held("node", job)
        self.cluster.remove_node(self.lost, allow_graceful=False)
        done = len(self._shards())
        _, said = job.communicate(timeout=PATIENCE)
        code, lines = single_machine(paths)
        self.assertEqual(job.returncode, code, said)
        self.assertIn("0 failed", said)
        self.assertLess(done, len(self._shards()), "the node was lost at the end, not in the middle")
        self._compare((self.folder / "out/results.jsonl").read_bytes().splitlines(), lines)
        self._goes_on(paths)

    def _goes_on(self, paths: list[bytes]) -> None:
        """A second run scans only what is missing."""
        before = (self.folder / "out/results.jsonl").read_bytes()
        self._shards()[3].unlink()
        _, said = self._start(paths, CSDUMP).communicate(timeout=PATIENCE)
        self.assertIn(": 1 scanned, 0 failed", said)
        self.assertEqual((self.folder / "out/results.jsonl").read_bytes(), before)

    def _compare(self, merged: list[bytes], single: list[bytes]) -> None:
        """Line by line; lines are long."""
        self.assertEqual(len(merged), len(single))
        for number, (one, other) in enumerate(zip(merged, single, strict=True)):
            self.assertTrue(one == other, f"line {number}: {one[:300]!r} and {other[:300]!r}")
        self.assertEqual(json.loads(merged[-1])["type"], "summary")

    def _start(self, paths: list[bytes], csdump: str) -> "subprocess.Popen[str]":
        listing = self.folder / "list"
        listing.write_bytes(b"\n".join(paths))
        command = [sys.executable, str(HERE / "scan_on_ray.py"), "--address", self.cluster.address]
        command += ["--csdump", csdump, "--files-from", str(listing), "--shard-size", "25"]
        command += ["--output", str(self.folder / "out")]
        job = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(job.kill)
        return job

    def _holding_csdump(self) -> str:
        """A csdump that, once on each node and some shards in, waits to be killed."""
        lost = self.lost.all_processes["raylet"][0].process.pid
        here = shlex.quote(str(self.folder))
        return script(
            self.folder,
            "csdump",
            f"""
            hold() {{
                mkdir {here}/$1.once 2>/dev/null || return
                echo $PPID $$ > {here}/$1.tmp && mv {here}/$1.tmp {here}/$1
                exec sleep {PATIENCE}
            }}
            parent=$(cut -d' ' -f4 /proc/$PPID/stat)
            shards=$(ls {here}/out/shards 2>/dev/null | grep -c 'jsonl$')
            if [ "$1" = scan ] && [ "$shards" -ge 3 ]; then
                if [ "$parent" = {lost} ]; then [ ! -e {here}/worker ] || hold node; else hold worker; fi
            fi
            exec {shlex.quote(str(Path(CSDUMP).resolve()))} "$@"
            """,
        )

    def _held(self, name: str, job: "subprocess.Popen[str]") -> int:
        """Waits until a csdump is held; the process of its worker."""
        path = self.folder / name
        wait_for(lambda: path.exists() or job.poll() is not None, f"no csdump was held as {name}")
        if not path.exists():
            self.fail(f"the job ended too early: {job.communicate()[1]}")
        worker, csdump = map(int, path.read_text().split())
        self.addCleanup(end, csdump)
        return worker

    def _shards(self) -> list[Path]:
        return sorted((self.folder / "out/shards").glob("*.jsonl"))


def end(process: int) -> None:
    """Ends what a killed worker has left behind."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def wait_for(condition: Callable[[], Any], problem: str) -> None:
    """Until the condition holds, but not for ever."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(problem)
        time.sleep(0.02)


def main() -> None:
    """Goes on inside Ray's environment where there is one."""
    global no_ray
    try:
        environment.enter()
    except environment.Unavailable as error:
        no_ray = str(error)
        print(f"skipped: {no_ray}")
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
