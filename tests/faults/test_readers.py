"""Clients that read slowly or not at all are cut off, and nobody else suffers."""

import array
import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from redis import Redis

from tests.faults.clients import Raw
from tests.faults.figures import Figures
from tests.faults.lab import PATIENCE, Broken, Lab, Server
from tests.real_redis import RealRedis

MIB = 1024 * 1024
NAME = re.compile(rb'"object": ?"n(\d+)')
LONGEST = 40  # characters of what NAME matches


class Reader(Raw):
    """A client that notes which numbers it hears of, and when; it reads very fast."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = array.array("L")
        self.times = array.array("d")
        self.ready = asyncio.Event()
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        if not self.upgraded.is_set():
            super().data_received(data)
            return
        text = self.rest + data
        if not self.ready.is_set() and (b"ready" in text or b"probe" in text):
            self.ready.set()
        now, last = time.monotonic(), 0
        for match in NAME.finditer(text):
            if match.end() == len(text):
                break  # perhaps there are more digits to come
            self.numbers.append(int(match[1]))
            self.times.append(now)
            last = match.end()
        self.rest = text[max(last, len(text) - LONGEST) :]


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
                while not client.ready.is_set():
                    if not lab.greets:
                        lab.publishes(lab.event("probe"))
                    await asyncio.sleep(0.01)  # until the next look
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


class Watch:
    """What is seen of a server, and of what the kernel holds for stalled clients."""

    def __init__(self, server: Server, deaf: list[Reader], heard: Reader) -> None:
        self.server = server
        self.heard = heard
        self.ports = [client.transport.get_extra_info("sockname")[1] for client in deaf]
        self.memory: list[int] = []
        self.passed: dict[int, float] = {}  # the limit: when, by port
        self.evicted: dict[int, float] = {}

    async def goes_on(self, size: int, limit: int) -> None:
        """Look again and again, until the task is cancelled."""
        while True:
            self.memory.append(self.server.memory())
            now, sockets = time.monotonic(), kernel_sockets(self.server.port)
            sent = len(self.heard.numbers) * size
            for port in self.ports:
                state, sending, _ = sockets.get((self.server.port, port), ("", 0, 0))
                _, _, waiting = sockets.get((port, self.server.port), ("", 0, 0))
                if sent - sending - waiting > limit:
                    self.passed.setdefault(port, now)
                if state != ESTABLISHED:
                    self.evicted.setdefault(port, now)
            await asyncio.sleep(0.05)  # until the next look

    def delays(self) -> list[float]:
        """Return how many seconds after the limit each client was cut off."""
        if missing := len(self.ports) - len(self.evicted):
            raise Broken("stalled readers cut off", f"{missing} that stayed")
        return [
            max(0, when - self.passed.get(port, when))
            for port, when in self.evicted.items()
        ]


ESTABLISHED = "01"


def kernel_sockets(port: int) -> dict[tuple[int, int], tuple[str, int, int]]:
    """Return what the kernel knows of the connections of a port, by both ports.

    That is the state, how many bytes are to be sent, and how many wait to be read.
    """
    found = {}
    for line in re.findall(rf".*:{port:04X} .*", Path("/proc/net/tcp").read_text()):
        _, local, remote, state, queues, *_ = line.split()
        ports = int(local.split(":")[1], 16), int(remote.split(":")[1], 16)
        sending, waiting = queues.split(":")
        found[ports] = state, int(sending, 16), int(waiting, 16)
    return found


NOISE = 0.01  # seconds; delays below that tell nothing


async def test_stalled_readers(lab: Lab, figures: Figures, soak: bool) -> None:
    """Who doesn't read is cut off at a limit; memory is bounded, and nobody is slower.

    In full size, 10 of 100 clients stall, and 200,000 messages are on the way.
    """
    many, few, number, rate = (90, 10, 2000, 100) if soak else (18, 2, 1500, 400)
    size, limit = 6000, MIB
    server = lab.serves(REALTIME_MAX_UNREAD=limit)
    healthy = [f"user{at}" for at in range(many)]
    deaf = [f"user{at}" for at in range(many, many + few)]
    async with readers(server, lab, healthy) as clients:
        usual = await publish(lab, number, rate, size)
        await all_hear(clients, number, 60)
        before = median(p99(client, usual) for client in clients)
    async with readers(server, lab, healthy) as clients:
        async with stalled(server, lab, *deaf) as sleepers:
            watch = Watch(server, sleepers, clients[0])
            least = server.memory()
            watching = asyncio.create_task(watch.goes_on(size, limit))
            slower = await publish(lab, number, rate, size)
            await all_hear(clients, number, 60)
            watching.cancel()
            after = median(p99(client, slower) for client in clients)
            delays = watch.delays()
    figures.at_most(1, "until a stalled reader is cut off", max(delays), "s", 5)
    most = max(watch.memory) - least
    figures.at_most(20, "memory while readers stall", most / MIB, "MiB")
    ratio = after / max(before, NOISE)
    figures.at_most(1.5, "p99 of the others, in times the usual", ratio, "x", 4)


async def test_burst(lab: Lab, redis: RealRedis, figures: Figures, soak: bool) -> None:
    """A burst is delivered, or shed; then everybody hears again.

    In the quick form, Redis cuts subscribers off at 1 MiB, as it does at 32 otherwise.
    """
    many, number = (100, 120_000) if soak else (10, 4000)
    server = lab.serves()
    if not soak:
        with Redis.from_url(redis.url) as admin:
            admin.config_set("client-output-buffer-limit", "pubsub 1mb 1mb 1")
    async with readers(server, lab, [f"user{at}" for at in range(many)]) as clients:
        burst = [numbered(lab, each, 200) for each in range(number)]
        await asyncio.to_thread(lab.publishes, *burst)
        last, probing = number, time.monotonic()
        while not all(last in client.numbers[-100:] for client in clients):
            if not server.runs():
                raise Broken("a server that survives a burst", "a dead one")
            for client in clients:
                if client.lost.is_set():
                    raise Broken("clients that stay", "one that was cut off")
            if time.monotonic() - probing > 6 * PATIENCE:
                raise Broken("events after the burst", "none")
            await asyncio.to_thread(lab.publishes, numbered(lab, last))
            await asyncio.sleep(0.1)  # until the next look
        heard = sum(len(client.numbers) for client in clients)
    figures.note("events delivered of the burst", heard / many, "events each")
