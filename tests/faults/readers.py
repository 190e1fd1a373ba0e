"""Clients that read very fast: what they hear is numbered."""

import array
import asyncio
import random
import re
import time
from asyncio import FIRST_COMPLETED
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis import RedisError

from tests.faults.clients import Raw
from tests.faults.lab import PATIENCE, USERS, Broken, Lab, Server

NAME = re.compile(rb'"object": ?"n(\d+)')
ID = re.compile(rb'"(?:last_event_)?id": ?"(\d+-\d+)"')
LONGEST = 200  # bytes, from an id to the number
CLOSE = b"\x88"  # how a close frame begins: no text of ours contains that byte
PING = b"\x89\x00"


class Reader(Raw):
    """A client that notes which numbers it hears of, and when; it reads very fast."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = array.array("L")
        self.times = array.array("d")
        self.last_id = b""
        self.resyncs = 0
        self.ready = asyncio.Event()
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        if not self.upgraded.is_set():
            super().data_received(data)
            return
        if data.startswith(CLOSE):
            self.transport.abort()
            return
        if PING in data:  # who answers pings is not taken for dead
            self.sends(b"", opcode=10)
        text = self.rest + data
        if not self.ready.is_set() and (b"ready" in text or b"probe" in text):
            self.ready.set()
            self.place(text, text.find(b"}", text.find(b"ready")))
        self.resyncs += data.count(b'"resync"')
        now, last = time.monotonic(), 0
        for match in NAME.finditer(text):
            if match.end() == len(text):
                break  # perhaps there are more digits to come
            self.numbers.append(int(match[1]))
            self.times.append(now)
            last = match.end()
        self.place(text, last)
        self.rest = text[max(last, len(text) - LONGEST) :]

    def place(self, text: bytes, end: int) -> None:
        """Remember the last id in a part of what came, if there is one."""
        if ids := ID.findall(text, max(0, end - LONGEST - 10_000), end):
            self.last_id = ids[-1]


@asynccontextmanager
async def readers(
    server: Server, lab: Lab, users: list[str]
) -> AsyncIterator[list[Reader]]:
    """Readers of some users, which are registered, as long as the context lasts."""
    loop = asyncio.get_running_loop()
    clients: list[Reader] = []
    try:
        for user in users:
            _transport, client = await loop.create_connection(
                Reader, "127.0.0.1", server.port
            )
            clients.append(client)
            client.upgrade()
            await client.upgraded.wait()
            client.sends(lab.token(user).encode())
        async with asyncio.timeout(6 * PATIENCE):
            for client in clients:
                await registered(client, lab)
        yield clients
    finally:
        for client in clients:
            client.transport.abort()
        await asyncio.gather(*(client.lost.wait() for client in clients))


@asynccontextmanager
async def stalled(server: Server, lab: Lab, *users: str) -> AsyncIterator[list[Reader]]:
    """Clients that have got in, and read nothing from then on."""
    async with readers(server, lab, [*users]) as clients:
        for client in clients:
            client.transport.pause_reading()
        yield clients


def numbered(lab: Lab, number: int, size: int = 0) -> dict[str, Any]:
    return lab.event(f"n{number}", message="A" * size)


async def publish(lab: Lab, number: int, rate: float, size: int) -> list[float]:
    """Publish events at a steady rate; return when each was published."""
    published = []
    start = time.monotonic()
    for each in range(number):
        while (wait := start + each / rate - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        published.append(time.monotonic())
        await asyncio.to_thread(lab.publishes, numbered(lab, each, size))
    return published


def p99(client: Reader, published: list[float]) -> float:
    """Return within how many seconds a client heard of 99 of 100 events."""
    times = zip(client.numbers, client.times, strict=True)
    delays = sorted(came - published[number] for number, came in times)
    return delays[int(len(delays) * 0.99)]


async def all_hear(clients: list[Reader], number: int, patience: float) -> None:
    """Expect all clients to hear of all numbers in their order, each once."""
    end = time.monotonic() + patience
    expected = array.array("L", range(number))
    for client in clients:
        while len(client.numbers) < number:
            if client.lost.is_set():
                raise Broken(f"{number} events", "the end of the connection")
            if time.monotonic() > end:
                raise Broken(f"{number} events", "fewer")
            await asyncio.sleep(0.05)  # until the next look
        if client.numbers != expected:
            raise Broken(f"{number} events, each once and in order", "others")


Waits = tuple[float, float]  # between two attempts, at first and at last, in seconds


class Follower:
    """A user's reader that comes back, like client.js, to where it was."""

    def __init__(self, port: int, lab: Lab, user: str, waits: Waits) -> None:
        self.waits = waits
        self.port = port
        self.lab = lab
        self.user = user
        self.numbers = array.array("L")
        self.last_id = b""
        self.resyncs = 0
        self.comings = 0
        self.away: list[float] = []  # seconds between two connections
        self.ready = asyncio.Event()
        self.task = asyncio.create_task(self.follow())

    async def follow(self) -> None:
        """Connect again whenever the connection is lost; wait longer each time."""
        loop, lost_at = asyncio.get_running_loop(), 0.0
        shortest, longest = self.waits
        wait = shortest
        while True:
            with suppress(OSError):
                reader = Reader()
                reader.numbers, reader.last_id = self.numbers, self.last_id
                make = lambda: reader  # noqa: B023, E731
                await loop.create_connection(make, "127.0.0.1", self.port)
                after = f"?after={self.last_id.decode()}" if self.last_id else ""
                reader.upgrade(path=f"/{after}")
                await reader.upgraded.wait()
                reader.sends(self.lab.token(self.user).encode())
                try:
                    if await registered(reader, self.lab):
                        wait = shortest
                        self.comings += 1
                        if lost_at:
                            self.away.append(time.monotonic() - lost_at)
                        self.ready.set()
                    await reader.lost.wait()
                finally:
                    reader.transport.abort()
                    self.last_id = reader.last_id
                    self.resyncs += reader.resyncs
                lost_at = time.monotonic()
            await asyncio.sleep(random.uniform(0, min(wait, longest)))  # full jitter
            wait *= 2

    async def leaves(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


async def registered(reader: Reader, lab: Lab) -> bool:
    """Wait until a reader is registered, or its connection is lost."""
    ends = [asyncio.ensure_future(each.wait()) for each in (reader.ready, reader.lost)]
    try:
        # Where nothing greets a client, it is a probe that tells.
        often = None if lab.greets else 0.01
        while not (
            await asyncio.wait(ends, timeout=often, return_when=FIRST_COMPLETED)
        )[0]:
            with suppress(RedisError):
                lab.publishes(lab.event("probe"))
    finally:
        for end in ends:
            end.cancel()
    return reader.ready.is_set()


@asynccontextmanager
async def followers(
    ports: list[int],
    lab: Lab,
    number: int,
    users: list[str] | None = None,
    waits: Waits = (0.05, 1),
) -> AsyncIterator[list[Follower]]:
    """Followers of users in turn, at ports in turn, as long as the context lasts."""
    users = users or [f"user{at}" for at in range(USERS)]
    clients = [
        Follower(ports[at % len(ports)], lab, users[at % len(users)], waits)
        for at in range(number)
    ]
    try:
        async with asyncio.timeout(6 * PATIENCE + number / 50):
            for client in clients:
                await client.ready.wait()
        yield clients
    finally:
        await asyncio.gather(*(client.leaves() for client in clients))
