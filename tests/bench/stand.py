"""A test stand: one peer's server, a publisher, and a crowd of clients."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steps.ports import free_port
from tests.bench import processes
from tests.bench.figures import is_bound
from tests.bench.peers import Peer
from tests.bench.processes import Helper, Process, Trouble, cpu_time, settled

USERS = 100  # who share the connections
PER_USER = 20  # connections at most: what final/ allows
SLICE = 500  # clients that connect with tokens of the same moment
EVENT_SIZE = 256  # bytes, of the JSON that is published


@dataclass(frozen=True)
class Place:
    """Where a benchmark takes place."""

    redis: Process
    redis_url: str
    crowd: Helper
    database: Path
    logs: Path
    cores: tuple[int, int, int]


@dataclass(frozen=True)
class Result:
    """What has come of some events."""

    expected: int
    received: int
    disorder: int
    lost: int
    p50: float | None
    p99: float | None
    max: float | None
    cpu: float  # of the server
    is_bound: bool  # by the load generator

    @property
    def is_complete(self) -> bool:
        """Whether every client got every event once, in order."""
        return self.received == self.expected and not self.disorder and not self.lost


class Stand:
    """One peer at work."""

    def __init__(self, place: Place, peer: Peer) -> None:
        self.place = place
        self.peer = peer
        self.environment = peer.environment_with(place.redis_url, place.database)
        self.resources = ExitStack()
        self.number = 0  # of the next event
        self.clients = 0
        self.publisher = self.resources.enter_context(
            processes.helping(
                "publisher",
                ["tests.bench.publisher", peer.publishes],
                self.environment,
                place.cores[1],
            )
        )

    def prepare(self, clients: int) -> None:
        """Make a database with users enough for some clients."""
        self.publisher.ask("prepare", users=users_for(clients))

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the server, with no client yet."""
        self.port = free_port()
        command = [part.format(port=self.port) for part in self.peer.command]
        log = self.place.logs / f"{self.peer.name}.log"
        with processes.starting(
            command, self.environment, self.port, self.place.cores[0], log
        ) as server:
            self.server = server
            self.settle()
            try:
                yield
            finally:
                self.leave()

    def settle(self) -> None:
        """Wait until the server has nothing left to do."""
        if not settled(self.server.pid):
            raise Trouble("The server never comes to rest.")

    def connect(self, clients: int, users: int = USERS, **options: Any) -> None:
        """Connect more clients, until the server has registered them all."""
        while clients > 0:
            tokens = self.publisher.ask(
                "tokens", count=min(clients, SLICE), users=users, first=self.clients
            )["tokens"]
            reply = self.place.crowd.ask(
                "connect",
                port=self.port,
                path="/",
                tokens=tokens,
                greeted=self.peer.greets,
                **options,
            )
            if reply["failed"]:
                raise Trouble(f"{reply['failed']} of {len(tokens)} clients failed.")
            if not self.peer.greets:
                self.settle()
            clients -= len(tokens)
            self.clients += len(tokens)
        self.settle()

    def leave(self) -> None:
        """Let all clients leave."""
        self.place.crowd.ask("close")
        self.clients = 0

    def probe(self) -> None:
        """Make sure that all clients get events."""
        result = self.publish(1, seconds=30)
        if not result.is_complete:
            raise Trouble(f"{result.received} of {result.expected} clients are there.")

    def publish(
        self,
        count: int,
        rate: float | None = None,
        size: int = EVENT_SIZE,
        seconds: float = 60,
        visible: bool = True,
    ) -> Result:
        """Publish events, and wait until all clients have got them, or for a while.

        Without a rate, publish them all at once.
        """
        place, first = self.place, self.number
        self.number += count
        load, cpu = cpu_time(place.redis.pid), cpu_time(self.server.pid)
        place.crowd.ask(
            "collect", first=first, count=count if visible else 0, seconds=seconds
        )
        self.publisher.tell(
            "publish", first=first, count=count, rate=rate, size=size, visible=visible
        )
        came = place.crowd.answer()
        published = self.publisher.answer()
        self.is_at_rest = settled(self.server.pid, patience=5)
        load = cpu_time(place.redis.pid) - load + came["cpu"] + published["cpu"]
        return Result(
            expected=came["expected"],
            received=came["received"],
            disorder=came["disorder"],
            lost=came["lost"],
            p50=came["p50"],
            p99=came["p99"],
            max=came["max"],
            cpu=cpu_time(self.server.pid) - cpu,
            is_bound=is_bound(load, came["wall"]),
        )


def users_for(clients: int) -> int:
    """Return how many users it takes for some clients."""
    return max(USERS, math.ceil(clients / PER_USER))


class Watch:
    """Looks at a process again and again: its memory, and what it has open."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.memory = self.start_memory = processes.memory(pid)
        self.descriptors = processes.descriptors(pid)
        self.closed_after: float | None = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look)

    def __enter__(self) -> "Watch":
        self.thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.ended.set()
        self.thread.join()

    def look(self) -> None:
        start = time.monotonic()
        while not self.ended.wait(0.05):
            self.memory = max(self.memory, processes.memory(self.pid))
            if (
                self.closed_after is None
                and processes.descriptors(self.pid) < self.descriptors
            ):
                self.closed_after = time.monotonic() - start
