#!/usr/bin/env python3
"""Runs `csdump scan` over a list of paths on a Ray cluster.

    find /share/dumps -name '*.dmp' | scan_on_ray.py --output /share/scan-1

The list is cut in shards; each is a task that runs csdump and writes the shard's lines to the output folder. Lost
workers' shards are scanned again, and a second call with the same folder scans only what is missing. At the end
OUTPUT/results.jsonl is what `csdump scan --sort --files-from - --format jsonl` would have written on one machine.
Exit codes are csdump's: 0 failures found, 1 none, 2 an error.
"""

import argparse
import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import environment
import shards
from shards import Recipe, ScanFailed

# Tasks waiting per core: enough that none is idle and that an autoscaler sees the demand, few enough for the
# driver's memory.
TASKS_PER_CORE = 4
ERROR = 2


def arguments() -> argparse.Namespace:
    """The command line."""
    summary, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, help="folder for the results, shared by all machines")
    add("--files-from", default="-", help="the list of absolute paths; - is standard input")
    add("--null", "-0", action="store_true", help="paths end in NUL, not in a line end")
    add("--csdump", default="csdump", help="the program, at the same place on all machines")
    add("--address", help="the cluster; without it one is started on this machine, for this run")
    add("--shard-size", type=_positive, default=1000, help="paths per task (1000)")
    add("--jobs", type=_positive, default=1, help="cores per task, and csdump's --jobs (1)")
    add("--retries", type=int, default=5, help="how often a lost shard is scanned again (5)")
    add("options", nargs="*", metavar="-- OPTION", help="more options of csdump scan, as --hash")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it must be at least 1")
    return number


class Driver:
    """Hands shards out and waits for them. Ray is there only now: `environment.enter` may have had to install it."""

    def __init__(self, recipe: Recipe, jobs: int, retries: int) -> None:
        import ray.cloudpickle

        # The other machines do not have this folder: the code goes along with the task.
        ray.cloudpickle.register_pickle_by_value(shards)
        # A lost worker or machine is retried by Ray; an exception (csdump killed, a share that hiccups) on request.
        decorate = ray.remote(num_cpus=jobs, max_retries=retries, retry_exceptions=True)
        self.task = decorate(shards.scan_shard)
        self.recipe = recipe
        self.jobs = jobs
        self.pending: dict[Any, Path] = {}
        self.scanned = 0
        self.failed: list[str] = []

    def submit(self, paths: list[bytes], target: Path) -> None:
        """Hands a shard out; waits first where many are."""
        while len(self.pending) >= self._room():
            self._take_one()
        self.pending[self.task.remote(self.recipe, paths, self.jobs, str(target))] = target

    def finish(self) -> None:
        """Waits for all shards."""
        while self.pending:
            self._take_one()

    def _room(self) -> int:
        import ray

        cores = ray.cluster_resources().get("CPU", 1)
        return max(16, int(TASKS_PER_CORE * cores / self.jobs))

    def _take_one(self) -> None:
        """One shard that failed for good does not stop the others."""
        import ray

        done, _ = ray.wait(list(self.pending), num_returns=1)
        target = self.pending.pop(done[0])
        try:
            ray.get(done[0])
            self.scanned += 1
        except ray.exceptions.RayError as error:
            reason = getattr(error, "cause", None) or error
            self.failed.append(f"{target.name}: {reason}")


def scan(args: argparse.Namespace) -> int:
    """Scans all shards that are not there yet, and merges. Raises `ScanFailed`, `ValueError` and `OSError`."""
    # Workers have other working folders.
    csdump = os.path.abspath(args.csdump) if os.sep in args.csdump else args.csdump
    recipe = Recipe(csdump, tuple(args.options), shards.version_of(csdump))
    folder = args.output.resolve() / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(args.output), _listing(args.files_from) as listing, _connected(args.address):
        driver = Driver(recipe, args.jobs, args.retries)
        files = []
        for paths in shards.cut(shards.read_paths(listing, args.null), args.shard_size):
            files.append(folder / shards.shard_name(len(files), paths, recipe))
            if not files[-1].exists():
                driver.submit(paths, files[-1])
        driver.finish()
        for part in folder.glob("*.tmp"):
            # Of workers that were killed.
            part.unlink(missing_ok=True)
        _say(f"{len(files)} shards: {driver.scanned} scanned, {len(driver.failed)} failed")
        if driver.failed:
            raise ScanFailed("nothing merged; " + "; ".join(driver.failed[:10]))
        return shards.merge(csdump, files, args.output / "results.jsonl")


@contextlib.contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Two runs would take each other's parts away."""
    with open(output / "lock", "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ScanFailed(f"{output}: another run is writing to it") from error
        yield


def _listing(source: str) -> contextlib.AbstractContextManager[BufferedIOBase]:
    return contextlib.nullcontext(sys.stdin.buffer) if source == "-" else open(source, "rb")


@contextlib.contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    try:
        yield ray.init(address=address or "local", include_dashboard=None if address else False)
    finally:
        ray.shutdown()


def _say(text: str) -> None:
    print(f"scan_on_ray: {text}", file=sys.stderr)


def main() -> int:
    """Scans; the exit code."""
    args = arguments()
    try:
        environment.enter()
        return scan(args)
    except KeyboardInterrupt:
        _say("broken off; the same command goes on from here")
    except (environment.Unavailable, ScanFailed, ValueError, ConnectionError, OSError) as error:
        _say(str(error))
    return ERROR


if __name__ == "__main__":
    sys.exit(main())
