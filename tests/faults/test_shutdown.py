"""The server is told to end, at the worst of times: it ends, and says goodbye."""

import asyncio
import sqlite3
import time
from contextlib import closing

from tests.faults.clients import Client, Connect, opened, raw
from tests.faults.figures import Figures
from tests.faults.lab import Broken, Lab, Server
from tests.faults.readers import stalled
from tests.real_redis import RealRedis


async def ends(server: Server, clients: list[Client], figures: Figures) -> None:
    """Expect the server to end in time, and its healthy clients to be told."""
    start = time.monotonic()
    code = await asyncio.to_thread(server.terminates)
    seconds = time.monotonic() - start
    if code != 0:
        raise Broken("the exit code 0", f"{code}")
    for client in clients:
        await client.is_closed(1012)
    figures.at_most(5, "until the server ended", seconds, "s", 2)
    if server.says("Traceback"):
        raise Broken("no traceback in the log", "one")


async def test_sigterm(
    lab: Lab, connect: Connect, figures: Figures, soak: bool
) -> None:
    """Everybody is told to come back, and the server ends within five seconds."""
    server = lab.serves()
    names = [f"user{number}" for number in range(200 if soak else 30)]
    clients = [await connect(server, name) for name in names]
    await ends(server, clients, figures)


async def test_stalled(lab: Lab, connect: Connect, figures: Figures) -> None:
    """Clients that don't read don't hold the server up."""
    server = lab.serves(REALTIME_MAX_UNREAD=100_000_000)
    client = await connect(server)
    async with stalled(server, lab, "bob") as _deaf:
        events = [lab.event(f"{number}", message="A" * 8000) for number in range(1500)]
        lab.publishes(*events)
        await client.hears(*(event["object"] for event in events))
        await ends(server, [client], figures)


async def test_redis_is_down(
    lab: Lab, redis: RealRedis, connect: Connect, figures: Figures
) -> None:
    """A server that looks for Redis ends as any other does."""
    server = lab.serves()
    client = await connect(server)
    redis.kill()
    await client.stays()
    await ends(server, [client], figures)


async def test_authentication(lab: Lab, connect: Connect, figures: Figures) -> None:
    """A database that doesn't answer, in the middle of it, doesn't hold it up."""
    server = lab.serves()
    client = await connect(server)
    file = lab.project.folder / "db.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        database.execute("BEGIN EXCLUSIVE")
        late = await opened(server, lab)
        await late.websocket.send(lab.token("bob"))
        await late.stays()
        await ends(server, [client, late], figures)


async def test_handshake(lab: Lab, connect: Connect, figures: Figures) -> None:
    """Clients that are about to connect don't hold it up."""
    server = lab.serves()
    client = await connect(server)
    half = await raw(server.port, extensions=None)
    half.transport.write(b"GET / HTTP/1.1\r\n")
    await client.stays()
    await ends(server, [client], figures)
    half.transport.abort()
