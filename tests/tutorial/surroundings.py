"""What surrounds the reader: a copy of the repository, and what the tutorial needs."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TextIO

from .files import Wrong

ROOT = Path(__file__).parents[2]
LOCK = Path(tempfile.gettempdir()) / "tutorial-walk-through.lock"
PORTS = [8000, 8888]  # the ports that the prose names
REDIS_PORT = 6379
OTHER_WALK = 300  # seconds that another walk-through may take
PATIENCE = 10  # seconds


def copy_repository(folder: Path) -> Path:
    """Copy the files that git doesn't ignore, as they are now, and return the copy.

    Its environment is the running one, so that `make` finds it ready: to install it
    again would take a minute and prove nothing about the tutorial.
    """
    copy = folder / ROOT.name
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    for name in names.stdout.decode().rstrip("\0").split("\0"):
        if (ROOT / name).is_file():  # it may be deleted, and not committed yet
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    link_environment(copy / ".venv")
    return copy


def link_environment(folder: Path) -> None:
    """Lay out a virtual environment whose content is that of the running one."""
    folder.mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != "ready":
            (folder / entry.name).symlink_to(entry)
    (folder / "ready").touch()  # newer than what it is made from


def environment() -> dict[str, str]:
    """Return the environment variables of a reader who has only logged in."""
    ours = Path(sys.prefix)
    path = os.environ["PATH"].split(os.pathsep)
    return {
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join(
            entry for entry in path if not Path(entry).is_relative_to(ours)
        ),
        # The prompt stays `$` when the environment is activated.
        "VIRTUAL_ENV_DISABLE_PROMPT": "1",
        # Colours are not compared, and readers may have them on or off.
        "NO_COLOR": "1",
    }


@contextmanager
def surroundings() -> Iterator[None]:
    """Provide what the tutorial needs: its ports, and Redis, while nobody else walks.

    If a port stays taken or Redis doesn't start, raise Wrong.
    """
    with LOCK.open("a") as lock:
        if not is_locked(lock):
            print(
                "Another walk-through is under way: waiting for its end …", flush=True
            )
        wait(
            lambda: is_locked(lock),
            OTHER_WALK,
            f"another walk-through holds {LOCK} for {OTHER_WALK} seconds",
        )
        for port in PORTS:
            complaint = f"the tutorial needs port {port}, and something listens there"
            wait(partial(is_free, port), PATIENCE, complaint)
        with redis():
            yield


@contextmanager
def redis() -> Iterator[None]:
    """Start a Redis server where readers are asked to have one, if none is there."""
    if answers(REDIS_PORT):
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(REDIS_PORT), "--save", "", "--dir"]
        server = subprocess.Popen([*command, folder], stdout=subprocess.DEVNULL)
        try:
            complaint = f"redis-server does not start on port {REDIS_PORT}"
            wait(lambda: answers(REDIS_PORT), PATIENCE, complaint)
            yield
        finally:
            server.terminate()
            server.wait(PATIENCE)


def wait(condition: Callable[[], bool], patience: float, complaint: str) -> None:
    """Wait until a condition is met; raise Wrong when patience is lost."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise Wrong(complaint)
        time.sleep(0.05)


def is_locked(file: TextIO) -> bool:
    """Lock a file, and tell whether that was possible."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(port: int) -> bool:
    return not answers(port)


def answers(port: int) -> bool:
    """Tell whether something listens on a port of this machine."""
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True
