"""A real Redis server for the tests that need one."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.postgres import free_port


@contextmanager
def running_redis() -> Iterator[str]:
    """
    Start an empty Redis server, yield its URL, then stop it.

    It listens on a free port of 127.0.0.1 and keeps nothing. If Redis isn't installed,
    skip the test.

    """
    if (program := shutil.which("redis-server")) is None:
        pytest.skip("Redis isn't installed: apt-get install redis-server")
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    with (
        tempfile.TemporaryDirectory(prefix="redis-") as folder,
        subprocess.Popen(
            [program, *options], cwd=folder, stdout=subprocess.PIPE, text=True
        ) as server,
    ):
        assert server.stdout is not None
        log = ""
        for line in server.stdout:
            log += line
            if "Ready to accept connections" in line:
                break
        else:
            raise RuntimeError(f"Redis didn't start:\n{log}")
        try:
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()
