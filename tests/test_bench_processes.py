"""The benchmark starts processes, pins them to a core, and measures them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps.ports import free_port
from tests.bench.processes import (
    PATIENCE,
    ROOT,
    Process,
    Trouble,
    cores,
    cpu_time,
    descriptors,
    generator,
    memory,
    settled,
    starting,
)

READY = "import socket, sys; s = socket.create_server(('127.0.0.1', {port})); "


@pytest.fixture
def port() -> int:
    return free_port()


def python(code: str, port: int) -> list[str]:
    return [sys.executable, "-c", READY.format(port=port) + code]


@pytest.fixture
def idle(port: int, tmp_path: Path) -> Iterator[Process]:
    """A process that listens, holds 50 MB and two files, and does nothing."""
    code = "x = b'x' * 50_000_000; f = open('/dev/null'); sys.stdin.read()"
    command = python(f"{code}", port)
    with starting(command, dict(os.environ), port, core=0, log=tmp_path / "log") as it:
        yield it


def test_cores() -> None:
    """The server has a core for itself if there are two, and the rest has another."""
    assert (3, 5, 7) == cores({7, 5, 3})
    assert (3, 5, 5) == cores({5, 3})
    assert (3, 3, 3) == cores({3})


def test_helper_that_dies() -> None:
    """A child that has died is told from one that is slow."""
    with generator() as helper:
        helper.popen.kill()
        helper.popen.wait()
        with pytest.raises(Trouble, match="The load generator is gone"):
            helper.tell("close")
        with pytest.raises(Trouble, match="The load generator is gone"):
            helper.answer()


def test_pinned(idle: Process) -> None:
    """A process is pinned to the core that it is given."""
    assert {0} == os.sched_getaffinity(idle.pid)


def test_memory(idle: Process) -> None:
    """The resident memory is in bytes."""
    settled(idle.pid)
    assert 50_000_000 < memory(idle.pid) < 150_000_000


def test_descriptors(idle: Process) -> None:
    """The open files of a process are counted."""
    settled(idle.pid)
    assert 5 == descriptors(idle.pid)  # the standard ones, a socket and a file


def test_cpu_time() -> None:
    """The time of a process is known to the microsecond, and is what it says."""
    before = cpu_time(os.getpid()), time.process_time()
    sum(range(100_000))
    after = cpu_time(os.getpid()), time.process_time()
    assert after[0] - before[0] == pytest.approx(after[1] - before[1], abs=0.001)


def test_cpu_time_of_children() -> None:
    """What the children of a process do counts, as long as they live."""
    code = "sum(range(1_000_000)); print('done', flush=True); input()"
    script = (
        "import subprocess, sys; "
        f"subprocess.run([sys.executable, '-c', {code!r}]); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text()
        alone = cpu_time(int(children))
        assert alone > 0
        assert cpu_time(parent.pid) > alone
        parent.communicate(b"\n\n")


def test_settled_waits(tmp_path: Path, port: int) -> None:
    """A process has settled when it does nothing more."""
    code = (
        "import time; end = time.process_time() + 0.5\n"
        "while time.process_time() < end: pass\n"
        "open('done', 'w').close(); sys.stdin.read()"
    )
    with starting(
        python(code, port), dict(os.environ), port, 0, tmp_path / "log", cwd=tmp_path
    ) as process:
        assert settled(process.pid)
        assert (tmp_path / "done").exists()


def test_never_settled(tmp_path: Path, port: int) -> None:
    """A process that goes on and on has not settled, and nobody waits for ever."""
    command = python("\nwhile True: pass", port)
    with starting(command, dict(os.environ), port, 0, tmp_path / "log") as process:
        assert not settled(process.pid, patience=0.5)


def test_process_that_dies(tmp_path: Path, port: int) -> None:
    """A process that dies before it listens tells why."""
    command = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with (
        pytest.raises(Trouble, match="no such thing"),
        starting(command, dict(os.environ), port, 0, tmp_path / "log"),
    ):
        pass


def test_end(idle: Process) -> None:
    """A process is ended by its number, even if it doesn't want to."""
    idle.end()
    with pytest.raises(ProcessLookupError):
        os.kill(idle.pid, 0)


def test_stubborn(tmp_path: Path, port: int) -> None:
    """A process that ignores a polite word is killed."""
    code = "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
    command = python(code + "sys.stdin.read(); signal.pause()", port)
    with starting(command, dict(os.environ), port, 0, tmp_path / "log") as process:
        process.end(patience=0.2)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


ORPHAN = """
from subprocess import Popen
from tests.bench.processes import end_children
print(Popen(["sleep", "60"]).pid)
end_children()
"""


def test_child_that_nobody_knows() -> None:
    """Whatever the benchmark has started ends with it, started in whatever moment."""
    command = [sys.executable, "-c", ORPHAN]
    pid = subprocess.check_output(command, cwd=ROOT, text=True, timeout=PATIENCE)
    assert not Path(f"/proc/{pid.strip()}").exists()
