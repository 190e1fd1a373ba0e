"""A real PostgreSQL server for the tests that need one."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steps.ports import free_port

# Debian keeps the programs off the PATH, in a folder for each version.
DEBIAN = Path("/usr/lib/postgresql")


class Postgres:
    """An empty PostgreSQL server, which can be stopped and started again.

    It listens on a free port of 127.0.0.1 and keeps its files in a folder.
    """

    def __init__(self, folder: Path) -> None:
        self.programs = find_programs()
        self.folder = folder
        # PostgreSQL refuses to run as root. The Debian package creates this user.
        self.user = "postgres" if os.geteuid() == 0 else None
        shutil.chown(folder, self.user or os.geteuid())
        port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{port}/postgres"
        self.options = f"-p {port} -h 127.0.0.1 -c unix_socket_directories=''"
        self.run("initdb", "--username=postgres", "--auth=trust", "--no-sync")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the files of this server."""
        subprocess.run(
            [self.programs / program, "-D", f"{self.folder}/data", *arguments],
            cwd=self.folder,
            user=self.user,
            group=self.user,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = ["-l", f"{self.folder}/log", "-o", f"{self.options} -c fsync=off"]
        self.run("pg_ctl", "start", "--wait", *options)

    def stop(self) -> None:
        """Cut all connections, and stop the server."""
        self.run("pg_ctl", "stop", "--wait", "-m", "fast")


@contextmanager
def running_postgres() -> Iterator[str]:
    """
    Start an empty PostgreSQL server, yield its DATABASE_URL, then stop it.

    If PostgreSQL isn't installed, skip the test.

    """
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        postgres = Postgres(Path(folder))
        postgres.start()
        try:
            yield postgres.url
        finally:
            postgres.stop()


def find_programs() -> Path:
    """Return the folder of PostgreSQL's programs; skip the test if there is none."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).parent
    if found := list(DEBIAN.glob("*/bin")):
        return max(found, key=lambda folder: float(folder.parent.name))
    pytest.skip("PostgreSQL isn't installed: apt-get install postgresql")
