"""A real Redis server for the tests that need one."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steps.ports import free_port


class RealRedis:
    """A Redis server that can be killed, frozen for a while, and started again.

    It listens on a free port of 127.0.0.1. With ``--appendonly yes`` and
    ``--appendfsync always`` among the options, it keeps what it has confirmed.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        if (program := shutil.which("redis-server")) is None:
            pytest.skip("Redis isn't installed: apt-get install redis-server")
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        address = ["--bind", "127.0.0.1", "--port", str(self.port)]
        self.command = [program, *address, "--save", "", *options]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        self.process = subprocess.Popen(
            self.command, cwd=self.folder, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        log = ""
        for line in self.process.stdout:
            log += line
            if "Ready to accept connections" in line:
                return
        raise RuntimeError(f"Redis didn't start:\n{log}")

    def freeze(self) -> None:
        """Let it accept connections, as the kernel does that for it, and not answer."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the server at once, as a power cut does; it may be down already."""
        if self.process is not None:
            assert self.process.stdout is not None
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None


@contextmanager
def running_redis() -> Iterator[str]:
    """
    Start an empty Redis server, yield its URL, then stop it.

    It keeps nothing. If Redis isn't installed, skip the test.

    """
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        redis = RealRedis(Path(folder))
        try:
            redis.start()
            yield redis.url
        finally:
            redis.kill()
