"""A real PostgreSQL restarts, is down, or is slow."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from tests.faults.clients import Client, opened
from tests.faults.conftest import laboratory
from tests.faults.figures import Figures
from tests.faults.lab import Broken, Lab, Project, Server
from tests.faults.proxy import Proxy
from tests.postgres import Postgres
from tests.real_redis import RealRedis

THREADS = 4  # REALTIME_DATABASE_THREADS, unless it is set


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL server."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        postgres = Postgres(Path(folder))
        postgres.start()
        yield postgres
        postgres.stop()


@pytest.fixture(scope="module")
def settled(
    template: Project, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """A project with people in PostgreSQL."""
    folder = tmp_path_factory.mktemp("postgres")
    project = Project(template.code, template.python, folder, postgres.url)
    project.settle()
    return project


@pytest.fixture
def lab(settled: Project, redis: RealRedis, tmp_path: Path) -> Iterator[Lab]:
    """A laboratory whose database is PostgreSQL. In the end, no log tells a token."""
    project = Project(settled.code, settled.python, tmp_path, settled.database)
    project.tokens, project.content_types = settled.tokens, settled.content_types
    with laboratory(project, redis) as lab:
        yield lab


async def answer(server: Server, lab: Lab, user: str) -> str:
    """Return how a server answers the token of a user."""
    client = await opened(server, lab)
    try:
        await client.joins(user)
        return "ready"
    except (Broken, ConnectionClosed):
        return str(client.websocket.close_code or "nothing")
    finally:
        await client.vanishes()


async def all_get(expected: str, server: Server, lab: Lab, number: int) -> None:
    """Expect the same answer for a number of users."""
    users = [f"user{at}" for at in range(number)]
    answers = Counter(
        await asyncio.gather(*(answer(server, lab, user) for user in users))
    )
    if answers.keys() != {expected}:
        came = ", ".join(sorted(answers.keys() - {expected}))
        raise Broken(f"{expected} for everybody", came)


async def test_restart(lab: Lab, postgres: Postgres) -> None:
    """After a restart of PostgreSQL, the next user gets in, and all others."""
    server = lab.serves()
    await all_get("ready", server, lab, 8)
    postgres.stop()
    postgres.start()
    for _user in range(8):
        await all_get("ready", server, lab, 1)


async def test_down(lab: Lab, postgres: Postgres) -> None:
    """While PostgreSQL is down, users are to come back later; then they get in."""
    server = lab.serves()
    client: Client = await opened(server, lab)
    await client.joins("alice")
    postgres.stop()
    try:
        await all_get("1013", server, lab, 8)
        await client.stays()
    finally:
        postgres.start()
    await all_get("ready", server, lab, 1)
    lab.publishes(lab.event("Emma"))
    await client.hears("Emma")
    await client.vanishes()


async def test_slow(lab: Lab, postgres: Postgres, figures: Figures) -> None:
    """However many users come while PostgreSQL is slow, few connections to it do."""
    port = int(postgres.url.rpartition(":")[2].partition("/")[0])
    async with Proxy(port) as proxy:
        proxy.latency = 0.02
        slow = postgres.url.replace(f":{port}/", f":{proxy.port}/")
        server = await asyncio.to_thread(lab.serves, DATABASE_URL=slow)
        url = postgres.url.removesuffix("postgres") + "template1"
        most = 0

        async def count(watcher: psycopg.AsyncConnection) -> None:
            nonlocal most
            while True:
                rows = await watcher.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres'"
                )
                most = max(most, (await rows.fetchone() or [0])[0])
                await asyncio.sleep(0.02)  # until the next look

        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as each:
            counting = asyncio.create_task(count(each))
            await all_get("ready", server, lab, 16)
            counting.cancel()
            await asyncio.wait({counting})
    figures.at_most(THREADS, "connections to PostgreSQL", most, "connections", 2)


async def test_hung(lab: Lab, postgres: Postgres) -> None:
    """While PostgreSQL doesn't answer, users are to come back later; then they get in.

    Nobody is held for longer than the deadline for the token.
    """
    server = lab.serves(REALTIME_TOKEN_TIMEOUT=1)
    await all_get("ready", server, lab, 1)
    with psycopg.connect(postgres.url) as hog:
        hog.execute("LOCK TABLE auth_user")
        await all_get("1013", server, lab, 8)
        hog.rollback()
    await all_get("ready", server, lab, 8)
