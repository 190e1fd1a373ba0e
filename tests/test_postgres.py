"""The server of final/ with a real PostgreSQL: it may fail, and is never overrun."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from steps.ports import free_port
from tests.live import ROOT, Process
from tests.postgres import running_postgres
from tests.real_redis import running_redis

THREADS = 4
SETTINGS = """
from settings import *
DATABASES["default"] |= {options}
REALTIME_DATABASE_THREADS = 4
REALTIME_MAX_PER_USER = 300
"""
TOKEN = """
from django.contrib.auth.models import User
from realtime.access import make_token
alice, _created = User.objects.get_or_create(username="alice", is_superuser=True)
print(make_token(alice))
"""


class Laboratory:
    """A server, its Redis and its PostgreSQL."""

    def __init__(self, postgres: str, redis: str, folder: Path, options: str) -> None:
        (folder / "laboratory.py").write_text(SETTINGS.format(options=options))
        self.port = free_port()
        self.environment = os.environ | {
            "DATABASE_URL": postgres,
            "DJANGO_SETTINGS_MODULE": "laboratory",
            "PYTHONPATH": os.pathsep.join([f"{ROOT}/final", f"{ROOT}", f"{folder}"]),
            "REDIS_URL": f"{redis}/0",
        }
        # Autocommit, as a database can't be altered in a transaction.
        self.postgres = psycopg.connect(f"{postgres[:-8]}template1", autocommit=True)
        self.django("migrate", "--verbosity=0")
        self.token = self.django("shell", "--verbosity=0", "--command", TOKEN)
        runrealtime = ["-m", "django", "runrealtime", "--port", f"{self.port}"]
        log = folder / "server.log"
        self.server = Process(runrealtime, self.environment, self.port, log)

    def django(self, *args: str) -> str:
        """Run a command of Django, and return what it prints."""
        return subprocess.check_output(
            [sys.executable, "-m", "django", *args],
            cwd=ROOT,
            env=self.environment,
            text=True,
        ).strip()

    def connections(self) -> int:
        """Return how many connections to the site's database there are."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres'"
        row = self.postgres.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def restarts(self) -> None:
        """Cut all connections to the site's database, as a restart does."""
        self.postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'postgres'"
        )

    def accepts(self, connections: bool) -> None:
        """Let PostgreSQL accept connections to the site's database, or refuse them."""
        self.postgres.execute(
            f"ALTER DATABASE postgres ALLOW_CONNECTIONS {connections}"
        )

    async def answer(self, websocket: ClientConnection) -> str | int | None:
        """Send the token; return the type of the answer, or the close code."""
        await websocket.send(self.token)
        try:
            return str(json.loads(await websocket.recv())["type"])
        except ConnectionClosed:
            return websocket.close_code

    async def connects(self) -> str | int | None:
        """Connect, send the token, and return the answer as answer() does."""
        async with connect(f"ws://localhost:{self.port}/") as websocket:
            return await self.answer(websocket)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a database of a real PostgreSQL server."""
    with running_postgres() as url:
        yield url


@pytest.fixture(
    params=["{}", "{'CONN_MAX_AGE': None, 'CONN_HEALTH_CHECKS': True}"],
    ids=["closed", "kept"],
)
def laboratory(
    request: pytest.FixtureRequest, postgres: str, tmp_path: Path
) -> Iterator[Laboratory]:
    """A server whose connections to the database are closed after use, or kept."""
    with running_redis() as redis:
        laboratory = Laboratory(postgres, redis, tmp_path, request.param)
        with laboratory.postgres:
            laboratory.server.start()
            yield laboratory
            laboratory.server.kill()


async def test_restart(laboratory: Laboratory) -> None:
    """After a restart of PostgreSQL, the very next user gets in, and all the others."""
    assert ["ready"] * 8 == await asyncio.gather(
        *(laboratory.connects() for _user in range(8))
    )
    laboratory.restarts()
    for _user in range(8):
        assert "ready" == await laboratory.connects()


async def test_down(laboratory: Laboratory) -> None:
    """While PostgreSQL is down, users are to come back later; then they get in."""
    async with connect(f"ws://localhost:{laboratory.port}/") as websocket:
        assert "ready" == await laboratory.answer(websocket)
        laboratory.accepts(connections=False)
        laboratory.restarts()
        assert 1013 == await laboratory.connects()
        laboratory.accepts(connections=True)
        assert "ready" == await laboratory.connects()
        await (await websocket.ping())


async def test_many(laboratory: Laboratory) -> None:
    """Hundreds of users cost a few connections to PostgreSQL, and none afterwards."""
    most = 0

    async def count() -> None:
        nonlocal most
        while True:
            most = max(most, laboratory.connections())
            await asyncio.sleep(0.01)

    counting = asyncio.create_task(count())
    answers = await asyncio.gather(*(laboratory.connects() for _user in range(200)))
    counting.cancel()
    assert ["ready"] * 200 == answers
    # A connection that was closed still counts until its process has ended.
    assert 1 <= most <= 2 * THREADS
    laboratory.server.kill()
    while laboratory.connections():
        await asyncio.sleep(0.01)
