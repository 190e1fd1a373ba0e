"""final/deploy/Containerfile: all of it that can be tried without a container engine.

The image is not built here. What it copies, installs and runs is tried one by one.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from steps.ports import free_port
from tests.live import PATIENCE, ROOT, Live, opens, running

DEPLOY = ROOT / "final" / "deploy"


@pytest.fixture
def lines() -> dict[str, list[str]]:
    """What each instruction of the file says, by its name."""
    lines: dict[str, list[str]] = {}
    with (DEPLOY / "Containerfile").open("rb") as file:
        for line in DockerfileParser(fileobj=file).structure:
            lines.setdefault(line["instruction"], []).append(line["value"])
    return lines


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of a project that has taken the app and its files."""
    shutil.copytree(ROOT / "final", tmp_path, dirs_exist_ok=True)
    shutil.copy(DEPLOY / "requirements.txt", tmp_path)
    (tmp_path / "manage.py").write_text(
        "from django.core.management import execute_from_command_line as execute\n"
        "import sys\n\n"
        "execute(sys.argv)\n"
    )
    return tmp_path


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A site of final/ and its Redis."""
    with running("final", tmp_path_factory.mktemp("live")) as live:
        yield live


def test_instructions(lines: dict[str, list[str]]) -> None:
    """The file has an instruction of each kind, and begins with FROM."""
    first, *others = [name for name in lines if name != "COMMENT"]
    assert "FROM" == first
    assert {"WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "CMD"} <= {*others}


def test_python(lines: dict[str, list[str]]) -> None:
    """The image has the newer Python of those with which the copy is tried."""
    assert ["docker.io/library/python:3.13-slim"] == lines["FROM"]
    assert "3.13" in (ROOT / "tests" / "newest.py").read_text()


def test_sources(lines: dict[str, list[str]], project: Path) -> None:
    """All that is copied into the image is in the project."""
    for value in lines["COPY"]:
        *sources, _target = value.split()
        for source in sources:
            assert (project / source).exists()
    assert "requirements.txt" in lines["RUN"][0]


def test_requirements() -> None:
    """What is installed is what this repository tries, as far as the app needs it."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    text = (DEPLOY / "requirements.txt").read_text()
    needed = [line for line in text.splitlines() if not line.startswith("#")]
    of_the_site = ["dj-database-url", "psycopg"]
    assert needed == [
        need for need in groups["run"] if not need.startswith(tuple(of_the_site))
    ]


def test_user(lines: dict[str, list[str]]) -> None:
    """The server is no superuser in its container."""
    assert ["nobody"] == lines["USER"]


def test_commands(lines: dict[str, list[str]], project: Path, live: Live) -> None:
    """The command is a server; it is healthy as long as it has Redis, and ends well."""
    port = free_port()
    command, probe = (
        on_this_machine(json.loads(lines[name][0].removeprefix("CMD ")), port)
        for name in ["CMD", "HEALTHCHECK"]
    )
    environment = live.server.environment
    with subprocess.Popen(command, cwd=project, env=environment) as process:
        assert opens(process, port)
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(probe, env=environment, capture_output=True).returncode:
            assert time.monotonic() < deadline
        process.send_signal(getattr(signal, lines["STOPSIGNAL"][0]))
        assert 0 == process.wait(PATIENCE)
    assert subprocess.run(probe, env=environment, capture_output=True).returncode


def on_this_machine(command: list[str], port: int) -> list[str]:
    """Return a command with our Python, for a port of this machine alone."""
    assert "python" == command[0]
    words = [word.replace("8888", f"{port}") for word in command[1:]]
    return [sys.executable, *(word.replace("0.0.0.0", "127.0.0.1") for word in words)]
