"""Processes: how they are started, pinned to a core, measured, and ended."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.live import opens

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 30  # seconds
CPUCLOCK_SCHED = (
    2  # how Linux numbers the clocks of other processes: <linux/posix-timers.h>
)


class Trouble(Exception):
    """Something cannot be measured, and why."""


def cores(available: Collection[int]) -> tuple[int, int, int]:
    """Return the cores for the server, for the load generator, and for Redis."""
    server, *others = sorted(available)
    generator, *others = others or [server]
    return server, generator, others[0] if others else generator


def raise_limits() -> int:
    """Allow this process and its children all open files that they may have."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


class Process:
    """A process on a core of its own."""

    def __init__(self, popen: "subprocess.Popen[Any]", core: int | None) -> None:
        self.popen = popen
        self.pid = popen.pid
        if core is not None:
            os.sched_setaffinity(popen.pid, {core})

    def end(self, patience: float = PATIENCE) -> None:
        """Ask the process to end; if it doesn't, kill it."""
        self.popen.terminate()
        try:
            self.popen.wait(patience)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


@contextmanager
def starting(
    command: list[str],
    environment: Mapping[str, str],
    port: int,
    core: int | None,
    log: Path,
    cwd: Path = ROOT,
) -> Iterator[Process]:
    """Start a process, wait until it listens on a port, and end it in the end."""
    with log.open("w") as output:
        popen = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
    with popen:
        process = Process(popen, core)
        try:
            if not opens(popen, port):
                raise Trouble(f"Nothing listens: {log.read_text()[-500:].strip()}")
            yield process
        finally:
            process.end()


class Helper:
    """A child that obeys: it reads what to do, and replies, in lines of JSON."""

    def __init__(self, popen: "subprocess.Popen[str]", name: str) -> None:
        self.popen = popen
        self.pid = popen.pid
        self.name = name

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Have something done; return the reply."""
        self.tell(do, **arguments)
        return self.answer()

    def tell(self, do: str, **arguments: Any) -> None:
        """Have something done, and don't wait."""
        assert self.popen.stdin is not None
        line = json.dumps({"do": do} | arguments) + "\n"
        try:
            os.write(self.popen.stdin.fileno(), line.encode())
        except BrokenPipeError:
            raise Trouble(f"The {self.name} is gone.") from None

    def answer(self) -> dict[str, Any]:
        """Wait for a reply."""
        assert self.popen.stdout is not None
        if not (line := self.popen.stdout.readline()):
            raise Trouble(f"The {self.name} is gone.")
        reply: dict[str, Any] = json.loads(line)
        return reply


@contextmanager
def helping(
    name: str,
    arguments: list[str],
    environment: Mapping[str, str],
    core: int | None = None,
) -> Iterator[Helper]:
    """Start a child that obeys, and end it in the end."""
    with subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as popen:
        process = Process(popen, core)
        try:
            yield Helper(popen, name)
        finally:
            process.end()


@contextmanager
def generator(core: int | None = None) -> Iterator[Helper]:
    """Start the load generator."""
    arguments = ["tests.bench.generator"]
    with helping("load generator", arguments, os.environ, core) as helper:
        yield helper


def family(pid: int) -> Iterator[int]:
    """Yield a process and all that descend from it."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in file.read_text().split():
            yield from family(int(child))


def end_children() -> None:
    """End all children. One that Ctrl-C met as it was started is known to nobody."""
    _self, *children = family(os.getpid())
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):  # there are no more
        while True:
            os.wait()


def cpu_time(pid: int) -> float:
    """Return the seconds that a process and its children have spent on a core."""
    return sum(
        time.clock_gettime((~member << 3) | CPUCLOCK_SCHED) for member in family(pid)
    )


def memory(pid: int) -> int:
    """Return the bytes of memory that a process and its children occupy."""
    pages = sum(
        int(Path(f"/proc/{member}/statm").read_text().split()[1])
        for member in family(pid)
    )
    return pages * resource.getpagesize()


def descriptors(pid: int) -> int:
    """Return how many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def settled(pid: int, patience: float = PATIENCE) -> bool:
    """Wait until a process does next to nothing; return whether it came to that."""
    pause, little = 0.1, 0.1
    deadline = time.monotonic() + patience
    before, quiet = cpu_time(pid), 0
    while quiet < 3:
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)  # the measure is what it does in this time
        after = cpu_time(pid)
        quiet = quiet + 1 if after - before < little * pause else 0
        before = after
    return True


def available_cores() -> set[int]:
    """Return the cores that this process may use."""
    return os.sched_getaffinity(0)
