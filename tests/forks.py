"""Run pytest in processes of their own, without the second that each takes to start.

A server process of multiprocessing imports once what most of the suites need, and forks
for each run. (A program that uses it should be a package's __main__: any other one is
imported again in each process.)
"""

import multiprocessing
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

# Not pytest's plugins, and not our own modules: pytest rewrites the asserts in them.
IMPORTED = [
    "_pytest.terminal",
    "_pytest.python",
    "django.contrib.admin.options",
    "django.core.management",
    "django.db.backends.sqlite3.base",
    "django.test.runner",
    "fakeredis",
    "redis.asyncio",
    "websockets.asyncio.client",
    "websockets.asyncio.server",
]

server = multiprocessing.get_context("forkserver")
server.set_forkserver_preload(IMPORTED)


class Ended(NamedTuple):
    """How a process ended, as subprocess tells it, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def environment() -> dict[str, str]:
    """Return the environment without what a run of pytest has put there."""
    return {name: value for name, value in os.environ.items() if "PYTEST" not in name}


def at_once() -> int:
    """Return how many processes to run at once: other workers of xdist do so, too."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1, (os.cpu_count() or 1) // workers)


def run_pytest(
    root: Path,
    *args: str,
    env: dict[str, str] | None = None,
    timeout: float | None = None,
) -> Ended:
    """Run pytest in a folder; after some seconds, end it and all that it started."""
    with tempfile.TemporaryDirectory() as temporary:
        files = Path(temporary) / "stdout", Path(temporary) / "stderr"
        process = server.Process(
            target=be_pytest, args=(root, args, env or environment(), files)
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None and process.pid:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        return Ended(process.exitcode or 0, *[file.read_text() for file in files])


def be_pytest(
    root: Path, args: tuple[str, ...], env: dict[str, str], files: tuple[Path, Path]
) -> None:
    """Run pytest in this process, and end it."""
    os.setsid()  # a group of its own, to be ended with all that it starts
    for stream, file in zip([sys.stdout, sys.stderr], files, strict=True):
        with file.open("w") as opened:
            os.dup2(opened.fileno(), stream.fileno())
    os.chdir(root)
    os.environ.clear()
    os.environ.update(env)
    sys.exit(pytest.main([*args]))
