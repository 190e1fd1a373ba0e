"""Fixtures: the laboratory, and what is measured in it."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.faults.clients import Client, Connect, opened
from tests.faults.figures import FIGURE, Figure, Figures
from tests.faults.lab import Broken, Lab, Project, Server, sqlite
from tests.faults.proxy import Proxy
from tests.real_redis import RealRedis

KEEPS = ["--appendonly", "yes", "--appendfsync", "always"]  # what it has confirmed
MEASURED = pytest.StashKey[list[Figure]]()


def pytest_configure(config: pytest.Config) -> None:
    measured: list[Figure] = []
    config.stash[MEASURED] = measured
    config.pluginmanager.register(Collector(measured))


class Collector:
    """Collects what tests measure, also in other processes."""

    def __init__(self, measured: list[Figure]) -> None:
        self.measured = measured

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == FIGURE and isinstance(value, list):
                    self.measured.append(Figure(*value))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was measured, and write it to a file."""
    measured = config.stash[MEASURED]
    if measured:
        terminalreporter.section("figures")
    for figure in measured:
        terminalreporter.line(str(figure))
    if file := config.option.figures:
        rows = [figure._asdict() for figure in measured]
        Path(file).write_text(json.dumps(rows, indent=1))


@pytest.fixture(scope="session")
def template(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project in which there are people, to be copied by each test."""
    folder = tmp_path_factory.mktemp("template")
    python = request.config.option.lab_python or sys.executable
    project = Project(request.config.option.on, python, folder, sqlite(folder))
    project.settle()
    return project


@pytest.fixture
def redis() -> Iterator[RealRedis]:
    """A real Redis server of the test's own, which keeps what it has confirmed."""
    with real_redis() as redis:
        yield redis


@contextmanager
def real_redis() -> Iterator[RealRedis]:
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        redis = RealRedis(Path(folder), *KEEPS)
        redis.start()
        try:
            yield redis
        finally:
            redis.kill()


@pytest.fixture
def lab(template: Project, redis: RealRedis, tmp_path: Path) -> Iterator[Lab]:
    """A laboratory with a database of its own. In the end, no log tells a token."""
    with laboratory(template.copied(tmp_path), redis) as lab:
        yield lab


@contextmanager
def laboratory(project: Project, redis: RealRedis) -> Iterator[Lab]:
    """A laboratory, as long as the context lasts. In the end, no log tells a token."""
    lab = Lab(project, redis.url)
    try:
        yield lab
    finally:
        lab.closes()
    for _log in lab.leaks():
        raise Broken("logs without tokens", "a token in a log")


@pytest.fixture
async def connect(lab: Lab) -> AsyncIterator[Connect]:
    """A function that connects a client to a server: ``connect(server, "alice")``."""
    clients: list[Client] = []

    async def connect(
        server: Server, user: str | None = "alice", **options: Any
    ) -> Client:
        client = await opened(server, lab, **options)
        clients.append(client)
        if user is not None:
            await client.joins(user)
        return client

    yield connect
    await asyncio.gather(*(client.vanishes() for client in clients))


@pytest.fixture
async def proxy(redis: RealRedis) -> AsyncIterator[Proxy]:
    """A link to Redis that may be cut, slow, or dead without a word."""
    async with Proxy(redis.port) as proxy:
        yield proxy


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether the faults are tried in their full size."""
    return bool(request.config.option.soak)


@pytest.fixture
def figures(request: pytest.FixtureRequest, soak: bool) -> Figures:
    """What is measured in this test."""
    properties = request.node.user_properties
    return Figures(request.node.name, request.config.option.on, soak, properties)
