"""Clients that read slowly or not at all are cut off, and nobody else suffers."""

import asyncio
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.faults.figures import Figures
from tests.faults.lab import Broken, Lab, Server
from tests.faults.readers import Reader, all_hear, p99, publish, readers, stalled

MIB = 1024 * 1024


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
            now = time.monotonic()
            sockets = await asyncio.to_thread(kernel_sockets, self.server.port)
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
    lines = Path("/proc/net/tcp").read_text().splitlines()
    for line in [line for line in lines if f":{port:04X} " in line]:
        _, local, remote, state, queues, *_ = line.split()
        ports = int(local.split(":")[1], 16), int(remote.split(":")[1], 16)
        sending, waiting = queues.split(":")
        found[ports] = state, int(sending, 16), int(waiting, 16)
    return found


LIMIT = MIB  # of what a client has not read yet
NOISE = 0.01  # seconds; delays below that tell nothing


class Load(NamedTuple):
    """Events that are published at a steady rate."""

    number: int
    rate: float  # per second
    size: int  # bytes


async def under(load: Load, clients: list[Reader], watch: Watch, lab: Lab) -> float:
    """Publish while a watch goes on; return the median of what the clients' p99 are."""
    watching = asyncio.create_task(watch.goes_on(load.size, LIMIT))
    published = await publish(lab, *load)
    await all_hear(clients, load.number, 60)
    watching.cancel()
    return median(p99(client, published) for client in clients)


async def test_stalled_readers(lab: Lab, figures: Figures, soak: bool) -> None:
    """Who doesn't read is cut off at a limit; memory is bounded, and nobody is slower.

    In full size, 10 of 100 clients stall, and 200,000 messages are on the way.
    """
    many, few = (90, 10) if soak else (18, 2)
    load = Load(2000, 100, 6000) if soak else Load(1500, 400, 6000)
    server = lab.serves(REALTIME_MAX_UNREAD=LIMIT)
    healthy = [f"user{at}" for at in range(many)]
    deaf = [f"user{at}" for at in range(many, many + few)]
    async with readers(server, lab, healthy) as clients:
        before = await under(load, clients, Watch(server, [], clients[0]), lab)
    async with readers(server, lab, healthy) as clients:
        async with stalled(server, lab, *deaf) as sleepers:
            watch = Watch(server, sleepers, clients[0])
            least = server.memory()
            after = await under(load, clients, watch, lab)
            delays = watch.delays()
    figures.at_most(1, "until a stalled reader is cut off", max(delays), "s", 5)
    most = max(watch.memory) - least
    figures.at_most(20, "memory while readers stall", most / MIB, "MiB")
    ratio = after / max(before, NOISE)
    figures.at_most(1.5, "p99 of the others, in times the usual", ratio, "x", 10)
