"""A real PostgreSQL server for the tests that need one."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Debian keeps the programs off the PATH, in a folder for each version.
DEBIAN = Path("/usr/lib/postgresql")


@contextmanager
def running_postgres() -> Iterator[str]:
    """
    Start an empty PostgreSQL server, yield its DATABASE_URL, then stop it.

    It listens on a free port of 127.0.0.1 and keeps its files in a temporary folder.
    If PostgreSQL isn't installed, skip the test.

    """
    programs = find_programs()
    # PostgreSQL refuses to run as root. The Debian package creates this user.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        shutil.chown(folder, user or os.geteuid())

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, "-D", f"{folder}/data", *arguments],
                cwd=folder,
                user=user,
                group=user,
                stdout=subprocess.DEVNULL,
                check=True,
            )

        port = free_port()
        server = f"-p {port} -h 127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run("initdb", "--username=postgres", "--auth=trust", "--no-sync")
        run("pg_ctl", "start", "--wait", "-l", f"{folder}/log", "-o", server)
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "--wait", "-m", "fast")


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs; skip the test if there is none."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).parent
    if found := list(DEBIAN.glob("*/bin")):
        return max(found, key=lambda folder: float(folder.parent.name))
    pytest.skip("PostgreSQL isn't installed: apt-get install postgresql")


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
