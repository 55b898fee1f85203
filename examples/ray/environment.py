"""Ray for this script: what the interpreter has, else a virtual environment of the pinned requirements."""

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# One retry, so that a machine without network says so within seconds.
PIP = ["-m", "pip", "--disable-pip-version-check", "--quiet", "--retries", "1", "--timeout", "15"]


class Unavailable(Exception):
    """Ray cannot be had on this machine; the message says why."""


def enter() -> None:
    """Returns when Ray can be imported; where it must be installed first, starts the program again with it.

    Raises `Unavailable`.
    """
    if importlib.util.find_spec("ray") is not None:
        return
    python = install(_folder())
    os.execv(python, [python, *sys.argv])


def install(folder: Path) -> str:
    """The interpreter of the environment in `folder`, which is made unless it is complete.

    Raises `Unavailable`.
    """
    python = folder / "bin" / "python"
    complete = folder / "complete"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                venv.create(folder, with_pip=True, symlinks=True)
                _pip(str(python))
                complete.touch()
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"cannot install Ray in {folder}: {error}") from error
    return str(python)


def _pip(python: str) -> None:
    """Installs the requirements; what pip says at the end is the reason when it fails."""
    command = [python, *PIP, "install", "--only-binary", ":all:", "-r", str(REQUIREMENTS)]
    run = subprocess.run(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False
    )
    if run.returncode != 0:
        said = run.stderr.strip().splitlines() or [f"pip ended with {run.returncode}"]
        raise Unavailable(f"pip cannot install Ray: {said[-1]}")


def _folder() -> Path:
    """One environment per interpreter and requirements, in `CSDUMP_RAY_CACHE` or the user's cache."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("CSDUMP_RAY_CACHE") or user / "csdump") / f"ray-{key}"
