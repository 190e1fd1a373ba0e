"""A code folder that runs for real: its site and its server, in processes, on Redis."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakeredis import TcpFakeServer

from steps.ports import free_port

ROOT = Path(__file__).parent.parent
PATIENCE = 20  # seconds
PASSWORD = "correct horse"


def code_folders_with(name: str) -> list[str]:
    """Return the code folders in which there is a file of this name."""
    folders = [*sorted(ROOT.glob("steps/[0-9][0-9]")), ROOT / "final"]
    return [
        folder.relative_to(ROOT).as_posix()
        for folder in folders
        if any(folder.rglob(name))
    ]


class Process:
    """A process that can be killed, stopped for a while, and started again."""

    def __init__(
        self, arguments: list[str], environment: dict[str, str], port: int, log: Path
    ) -> None:
        self.arguments = arguments
        self.environment = environment
        self.port = port
        self.log = log
        self.python = sys.executable
        self.frozen = False
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, unless it runs; wait until it listens on its port."""
        if self.frozen or (self.process and self.process.poll() is not None):
            self.kill()
        if self.process is None:
            with self.log.open("a") as log:
                self.process = subprocess.Popen(
                    [self.python, *self.arguments],
                    cwd=ROOT,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )
        if not opens(self.process, self.port):
            said = self.log.read_text()
            raise RuntimeError(f"Nothing listens on port {self.port}: {said}")

    def kill(self) -> None:
        """End the process at once, as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
            self.process = None
            self.frozen = False

    def freeze(self) -> None:
        """Stop the process, and keep its connections open: nothing moves on them."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        self.frozen = True


def listens(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True


def opens(process: subprocess.Popen[Any], port: int) -> bool:
    """Wait until a process listens on a port; return whether it does, and in time."""
    deadline = time.monotonic() + PATIENCE
    while not listens(port):
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.02)  # until the next look: a port tells nobody that it opens
    return True


class Live:
    """A running site and server."""

    def __init__(self, code: str, folder: Path, redis: str) -> None:
        site, server = free_port(), free_port()
        self.url = f"http://localhost:{site}"
        self.port = server
        self.sessions: dict[str, Any] = {}  # the browsers' cookies, by user name
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("DJANGO_")
        } | {
            "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT / code), str(ROOT)]),
            "REALTIME_URL": f"ws://localhost:{server}/",
            "REDIS_URL": redis,
        }
        for command in [["migrate"], ["demo_data", "--password", PASSWORD]]:
            subprocess.run(
                [sys.executable, "-m", "django", *command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        is_command = (ROOT / code / "realtime/management").is_dir()  # from step 07 on
        module = ["django", "runrealtime"] if is_command else ["realtime"]
        runserver = ["-m", "django", "runserver", "--noreload", f"localhost:{site}"]
        self.site = Process(runserver, environment, site, folder / "site.log")
        self.server = Process(
            ["-m", *module, "--port", f"{server}"],
            environment,
            server,
            folder / "server.log",
        )


@contextmanager
def running(code: str, folder: Path) -> Iterator[Live]:
    """Run the site and the server of a code folder; keep their data in a folder."""
    redis = TcpFakeServer(("127.0.0.1", 0))
    redis.daemon_threads = True
    threading.Thread(target=redis.serve_forever, args=[0.01], daemon=True).start()
    live = Live(code, folder, f"redis://127.0.0.1:{redis.server_address[1]}/0")
    try:
        live.site.start()
        live.server.start()
        yield live
    finally:
        live.server.kill()
        live.site.kill()
        redis.shutdown()
        redis.server_close()
