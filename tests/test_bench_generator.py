"""The load generator of the benchmark: a process with a crowd of clients."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, broadcast, serve

from tests.bench import frames
from tests.bench.generator import TIME, arrival, latencies
from tests.bench.processes import Helper, generator

EVENT_SIZE = 100


class SmallServer:
    """A server that greets every client, and broadcasts what the test wants."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []
        self.connections: set[ServerConnection] = set()

    async def handler(self, websocket: ServerConnection) -> None:
        self.heard.append(await websocket.recv())
        await websocket.send('{"type": "ready"}')
        self.connections.add(websocket)
        try:
            await websocket.wait_closed()
        finally:
            self.connections.remove(websocket)

    def send(self, *numbers: int) -> None:
        """Send an event to everybody."""
        for number in numbers:
            event = frames.message(number, EVENT_SIZE).encode()
            text = frames.dated(event, time.time_ns()).decode()
            broadcast(self.connections, text)


class Stage:
    """A server, and a crowd that is told what to do in a thread."""

    def __init__(self, server: SmallServer, port: int, helper: Helper) -> None:
        self.server = server
        self.port = port
        self.helper = helper

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        return await asyncio.to_thread(self.helper.ask, do, **arguments)

    async def connect(self, clients: int, **arguments: Any) -> dict[str, Any]:
        tokens = [f"token {number}" for number in range(clients)]
        usual = {"port": self.port, "path": "/", "tokens": tokens, "greeted": True}
        return await self.ask("connect", **usual | arguments)

    async def collect(
        self, send: Callable[[], None], **arguments: Any
    ) -> dict[str, Any]:
        usual = {"first": 0, "count": 1, "seconds": 5}
        assert {} == await self.ask("collect", **usual | arguments)
        send()
        return await asyncio.to_thread(self.helper.answer)


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Stage]:
    server = SmallServer()
    async with serve(server.handler, "127.0.0.1", 0, **options) as listening:
        port = listening.sockets[0].getsockname()[1]
        with generator() as helper:
            yield Stage(server, port, helper)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A server and a crowd."""
    async with running() as stage:
        yield stage


async def test_connect(stage: Stage) -> None:
    """Every client sends its token, and is open when it is greeted."""
    assert {"open": 60, "failed": 0} == await stage.connect(60)
    assert {f"token {number}" for number in range(60)} == {*stage.server.heard}
    assert 60 == len(stage.server.connections)


async def test_nobody_listens(stage: Stage) -> None:
    """Clients that find no server have failed."""
    assert {"open": 0, "failed": 3} == await stage.connect(3, port=1)


async def test_refused() -> None:
    """Clients that are refused have failed."""

    def refuse(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(503, "full")

    async with running(process_request=refuse) as stage:
        assert {"open": 0, "failed": 3} == await stage.connect(3)


async def test_collect(stage: Stage) -> None:
    """Every event that every client gets is counted, and how long it took."""
    await stage.connect(10)
    result = await stage.collect(lambda: stage.server.send(4, 5, 6), first=4, count=3)
    assert (30, 30) == (result["expected"], result["received"])
    assert 0 == result["disorder"]
    assert 0 < result["p50"] <= result["p99"] <= result["max"] < result["wall"] + 1e-9
    assert 0 < result["cpu"]


async def test_its_own_delay(stage: Stage) -> None:
    """An event that has arrived may wait for the generator: that counts for nothing."""
    await stage.connect(2)
    pause, pid = 0.5, stage.helper.pid

    def send() -> None:
        os.kill(pid, signal.SIGSTOP)
        stage.server.send(0)
        asyncio.get_running_loop().call_later(pause, os.kill, pid, signal.SIGCONT)

    result = await stage.collect(send)
    assert 2 == result["received"]
    assert result["max"] < pause / 2


def test_arrival() -> None:
    """Bytes arrive when the kernel says so, or now if it says nothing."""
    assert 7_000_000_009 == arrival([(0, 0, TIME.pack(7, 9))])
    assert time.time_ns() <= arrival([]) <= time.time_ns()


@pytest.mark.parametrize(
    "numbers", [(0, 0, 1), (1, 0), (0, 2)], ids=["twice", "not in order", "a gap"]
)
async def test_disorder(stage: Stage, numbers: tuple[int, ...]) -> None:
    """Events that come twice, not in order, or with a gap, are noticed."""
    await stage.connect(2)
    result = await stage.collect(
        lambda: stage.server.send(*numbers), count=3, seconds=0.5
    )
    assert 2 <= result["disorder"]


async def test_missing(stage: Stage) -> None:
    """What doesn't arrive in time is missing."""
    await stage.connect(2)
    result = await stage.collect(lambda: stage.server.send(0), count=2, seconds=0.2)
    assert (4, 2) == (result["expected"], result["received"])


async def test_nothing_arrives(stage: Stage) -> None:
    """If nothing arrives, nobody knows how long it takes."""
    await stage.connect(2)
    result = await stage.collect(lambda: None, seconds=0.1)
    assert (0, None) == (result["received"], result["p99"])


async def test_late(stage: Stage) -> None:
    """An event of an earlier collection counts no more."""
    await stage.connect(2)
    result = await stage.collect(lambda: stage.server.send(1, 2), first=2)
    assert (2, 2) == (result["expected"], result["received"])
    assert 0 == result["disorder"]


async def test_pings_are_answered() -> None:
    """A client answers pings, and stays connected."""
    async with running(ping_interval=0.05, ping_timeout=0.5) as stage:
        await stage.connect(2)
        result = await stage.collect(lambda: None, seconds=1)
        assert (0, 2) == (result["lost"], len(stage.server.connections))


async def test_lost(stage: Stage) -> None:
    """Clients that the server closes are counted."""
    await stage.connect(3)
    connection, *_others = stage.server.connections

    def send() -> None:
        stage.server.send(0)
        connection.transport.abort()

    result = await stage.collect(send, count=2, seconds=0.5)
    assert 1 == result["lost"]


async def test_stalled(stage: Stage) -> None:
    """A stalled client reads nothing, and nothing is expected of it."""
    await stage.connect(1)
    await stage.connect(1, stalled=True)
    result = await stage.collect(lambda: stage.server.send(0))
    assert (1, 1) == (result["expected"], result["received"])
    assert 2 == len(stage.server.connections)


async def test_close(stage: Stage) -> None:
    """The crowd leaves, and another may come."""
    await stage.connect(3)
    assert {} == await stage.ask("close")
    assert {"open": 2, "failed": 0} == await stage.connect(2)
    result = await stage.collect(lambda: stage.server.send(0))
    assert 2 == result["received"]


def test_latencies() -> None:
    """Percentiles are over all deliveries, each of one event to one client."""
    assert {"p50": 2e-9, "p99": 3e-9, "max": 3e-9} == latencies(
        [([10, 11], [12, 13]), ([0], [1])]
    )


def test_no_latencies() -> None:
    """Without deliveries there are no percentiles."""
    assert {"p50": None, "p99": None, "max": None} == latencies([])
