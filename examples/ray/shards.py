"""A list of dumps cut in shards, each scanned by csdump into a file of its own, and all put together again.

Nothing in here knows Ray: whatever can call `scan_shard` on another machine can be the engine.
"""

import hashlib
import json
import mmap
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20
# As the shell and csdump understand them: found, none found, an error in some file.
EXIT_CODES = (0, 1, 2)


class ScanFailed(Exception):
    """csdump came to no end: no results, whatever it wrote."""


@dataclass(frozen=True)
class Recipe:
    """How each shard is scanned."""

    csdump: str
    """The program, by a path that is the same on all machines."""
    options: tuple[str, ...] = ()
    """More options of `csdump scan`."""
    version: str = ""
    """What the program calls itself: results of two versions are never mixed."""


def read_paths(listing: BufferedIOBase, null: bool) -> Iterator[bytes]:
    """The paths of a list, as they come in, split as `csdump scan --files-from` does.

    Raises `ValueError` for a relative path, which other machines would not find.
    """
    separator = b"\0" if null else b"\n"
    for path in _split(listing, separator):
        path = path if null else path.removesuffix(b"\r")
        if path and not os.path.isabs(path):
            raise ValueError(f"{os.fsdecode(path)}: a path that does not begin with /")
        if path:
            yield path


def _split(listing: BufferedIOBase, separator: bytes) -> Iterator[bytes]:
    rest = b""
    while chunk := listing.read1(CHUNK):
        *whole, rest = (rest + chunk).split(separator)
        yield from whole
    yield rest


def cut(paths: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    """The paths, `size` at a time."""
    while shard := list(islice(paths, size)):
        yield shard


def shard_name(number: int, paths: list[bytes], recipe: Recipe) -> str:
    """The name of a shard's file: its place in the order, and a hash of everything that its lines depend on."""
    parts = [recipe.version.encode(), *map(os.fsencode, recipe.options), b"", *paths]
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    return f"shard-{number:08}-{key}.jsonl"


def version_of(csdump: str) -> str:
    """What `csdump --version` prints. Raises `ScanFailed` where that is no csdump."""
    try:
        run = subprocess.run([csdump, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ScanFailed(f"cannot run csdump: {error}") from error
    return run.stdout.strip()


def scan_shard(recipe: Recipe, paths: list[bytes], jobs: int, target: str) -> None:
    """Scans `paths`; `target` gets their lines, in their order and without the summary.

    The file is there as a whole or not at all, so that a second attempt, even at the same time, does no harm.
    Raises `ScanFailed`, and `OSError` where the file cannot be written.
    """
    command = [recipe.csdump, "scan", "--files-from", "-", "--null", "--sort", "--quiet"]
    command += ["--format", "jsonl", "--jobs", str(jobs), *recipe.options]
    part = f"{target}.{uuid.uuid4().hex}.tmp"
    try:
        with open(part, "xb+") as lines:
            _run(command, lines, b"\0".join(paths))
            lines.truncate(_summary_at(lines))
            os.fsync(lines.fileno())
        os.replace(part, target)
    finally:
        Path(part).unlink(missing_ok=True)


def _run(command: list[str], output: BinaryIO | None = None, listing: bytes = b"") -> int:
    """Runs csdump; its exit code. Raises `ScanFailed` when it did not end by itself."""
    run = subprocess.run(command, input=listing, stdout=output, stderr=subprocess.PIPE, check=False)
    if run.returncode not in EXIT_CODES:
        said = run.stderr[-400:].decode(errors="replace").strip()
        raise ScanFailed(f"csdump ended with {run.returncode}: {said}")
    return run.returncode


def _summary_at(lines: BinaryIO) -> int:
    """Where the last line of a scan's results begins. Raises `ScanFailed` unless it is the summary of a whole scan."""
    size = lines.seek(0, os.SEEK_END)
    if size == 0:
        raise ScanFailed("csdump wrote nothing")
    with mmap.mmap(lines.fileno(), 0, access=mmap.ACCESS_READ) as text:
        start = text.rfind(b"\n", 0, size - 1) + 1
        last = text[start:]
    try:
        summary = json.loads(last)
    except ValueError as error:
        raise ScanFailed(f"csdump's results break off: {error}") from error
    if not last.endswith(b"\n") or summary.get("type") != "summary":
        raise ScanFailed("csdump's results end without a summary")
    if summary.get("interrupted"):
        raise ScanFailed("csdump was interrupted")
    return start


def merge(csdump: str, shards: Iterable[Path], results: Path) -> int:
    """Puts the shards together, lets csdump sum them up, and moves the whole to `results`; returns csdump's exit code.

    csdump resumes the lines with nothing more to scan: it adds up what is there and appends the summary.
    Raises `ScanFailed` and `OSError`.
    """
    part = results.with_name(results.name + ".tmp")
    _concatenate(shards, part)
    command = [csdump, "scan", "--resume", str(part), "--files-from", "-", "--format", "jsonl"]
    code = _run([*command, "--quiet"])
    with open(part, "rb") as lines:
        _summary_at(lines)
    os.replace(part, results)
    return code


def _concatenate(shards: Iterable[Path], target: Path) -> None:
    with open(target, "wb") as whole:
        for shard in shards:
            with open(shard, "rb") as lines:
                shutil.copyfileobj(lines, whole, CHUNK)
