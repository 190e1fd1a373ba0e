"""The demo, as a reader runs it: a process, and what it says."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEMO = [sys.executable, "-m", "steps.demo"]
STEPS = sorted(path.parent.parent.name for path in ROOT.glob("steps/*/*/server.py"))
CODE_FOLDERS = [*(f"steps/{step}" for step in STEPS), "final"]
FREE_PORTS = ["--site-port", "0", "--server-port", "0"]


def environment(**variables: str) -> dict[str, str]:
    """Return the environment without what this test run says about Django and Redis.

    The browser in it is one that shows nothing.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DJANGO_")
        and name not in {"DATABASE_URL", "REDIS_URL", "PYTHONPATH"}
    }
    return inherited | {"BROWSER": "true"} | variables


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the demo until it ends by itself, in two minutes at most."""
    with subprocess.Popen(
        [*DEMO, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        bound = threading.Timer(120, process.terminate)
        bound.start()
        stdout, stderr = process.communicate()
        bound.cancel()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def complaint(*arguments: str, **variables: str) -> str:
    """Run the demo, which refuses; return its one sentence."""
    process = run(*arguments, **variables)
    assert 1 == process.returncode
    assert "" == process.stdout
    assert 1 == process.stderr.count("\n")
    return process.stderr


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with the virtual environment of the tests, as it is."""
    command = ["make", "--no-print-directory", f"VENV={sys.prefix}"]
    return subprocess.run(
        [*command, f"--old-file={sys.prefix}/ready", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )


class Demo:
    """The demo while it runs, and what it said when it was ready."""

    def __init__(self, process: subprocess.Popen[str], ready: str) -> None:
        self.process = process
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if ready in line:
                break
        self.welcome = "".join(lines)

    def finds(self, pattern: str) -> str:
        """Return what the welcome says in the place of the group."""
        match = re.search(pattern, self.welcome)
        assert match is not None, self.welcome
        return match[1]

    def ends(self) -> str:
        """Wait until the demo ends; return what it said since it was ready."""
        output, _ = self.process.communicate(timeout=20)
        return output

    def children(self) -> dict[int, str]:
        """Return the process numbers and command lines of the site and the server."""
        table = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True
        ).stdout
        rows = [line.split(maxsplit=2) for line in table.splitlines()]
        parent = str(self.process.pid)
        return {int(pid): args for pid, ppid, args in rows if ppid == parent}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def running(*arguments: str, ready: str = "Ctrl-C", **variables: str) -> Iterator[Demo]:
    """Run the demo on free ports until the context ends."""
    with subprocess.Popen(
        [*DEMO, *FREE_PORTS, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        bound = threading.Timer(120, process.terminate)
        bound.start()
        try:
            yield Demo(process, ready)
        finally:
            bound.cancel()
            process.terminate()


def copy_of_step_04(folder: Path) -> Path:
    """Copy the code of step 04 to a folder, for a test to change; return the folder."""
    return shutil.copytree(ROOT / "steps" / "04", folder)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file, where it must be."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
