"""With Streams, nothing is lost and nothing comes twice, whatever is killed."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis, RedisError

from tests.faults.figures import Figures
from tests.faults.lab import PATIENCE, Broken, Lab, Server
from tests.faults.proxy import Proxy
from tests.faults.readers import Follower, followers
from tests.real_redis import RealRedis


class Publisher:
    """Publishes numbered events in a thread of its own; each is confirmed, once."""

    def __init__(self, lab: Lab, rate: float) -> None:
        self.lab = lab
        self.rate = rate
        self.number = 0  # of events that are confirmed
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.publish)

    def publish(self) -> None:
        while not self.stopping.wait(1 / self.rate):
            with suppress(RedisError):
                if not self.is_there(self.number):  # it may be, though we were cut off
                    self.lab.publishes(self.lab.event(f"n{self.number}"))
                self.number += 1

    def is_there(self, number: int) -> bool:
        """Tell whether the last event on the bus has this number."""
        if not self.lab.has_stream:
            return False
        with Redis.from_url(self.lab.redis) as redis:
            entries: Any = redis.xrevrange("events", count=20)
        for _id, fields in entries:
            if event := fields.get(b"event"):
                return bool(json.loads(event)["object"] == f"n{number}")
        return False


@contextmanager
def publishing(lab: Lab, rate: float) -> Iterator[Publisher]:
    """Publish at a rate, as long as the context lasts."""
    publisher = Publisher(lab, rate)
    publisher.thread.start()
    try:
        yield publisher
    finally:
        publisher.stopping.set()
        publisher.thread.join()


async def reaches(publisher: Publisher, number: int) -> None:
    """Wait until a number of events more are confirmed."""
    goal = publisher.number + number
    async with asyncio.timeout(6 * PATIENCE):
        while publisher.number < goal:
            await asyncio.sleep(0.01)  # until the next look


async def all_have(clients: list[Follower], number: int, patience: float) -> None:
    """Expect all clients to have heard of all numbers, each once and in order."""
    end = time.monotonic() + patience
    what = "every event, once and in order"
    for client in clients:
        while len(client.numbers) < number:
            if time.monotonic() > end:
                raise Broken(what, "fewer")
            await asyncio.sleep(0.05)  # until the next look
        if [*client.numbers] != [*range(number)]:
            raise Broken(what, "others")
        if client.resyncs:
            raise Broken(what, "the advice to reload")


async def test_redis_is_killed_under_load(
    lab: Lab, redis: RealRedis, figures: Figures, soak: bool
) -> None:
    """Redis is killed again and again: every client ends with every event, once."""
    servers = [lab.serves(), lab.serves()]
    many, times = (50, 10) if soak else (6, 3)
    async with followers([each.port for each in servers], lab, many) as clients:
        with publishing(lab, 200) as publisher:
            for _time in range(times):
                await reaches(publisher, 50)
                redis.kill()
                redis.start()
            await reaches(publisher, 50)
        await all_have(clients, publisher.number, 3 * PATIENCE)
        if lost := sum(client.comings - 1 for client in clients):
            raise Broken("connections that stay open", f"{lost} that were lost")
    figures.note("events while Redis was killed", publisher.number, "events each")


async def test_one_of_three_is_killed(lab: Lab, figures: Figures, soak: bool) -> None:
    """The clients of a killed server go on at another, and no other client notices."""
    servers = [lab.serves() for _server in range(3)]
    many = 60 if soak else 9
    async with Proxy(*(server.port for server in servers)) as balancer:
        async with followers([balancer.port], lab, many) as clients:
            with publishing(lab, 200) as publisher:
                await reaches(publisher, 50)
                servers[0].kill()
                moved = await come_back(clients, many // 3)
                await reaches(publisher, 50)
            await all_have(clients, publisher.number, 3 * PATIENCE)
            if (came := sum(client.comings > 1 for client in clients)) != many // 3:
                raise Broken("the clients of one server to notice", f"{came} clients")
    figures.at_most(1, "until they were live on another server", moved, "s", 10)


async def come_back(clients: list[Follower], number: int) -> float:
    """Wait until a number of clients were away; return the longest time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while sum(bool(client.away) for client in clients) < number:
                await asyncio.sleep(0.01)  # until the next look
    times = [seconds for client in clients for seconds in client.away]
    if len(times) < number:
        raise Broken("the clients to be live on another server", "fewer")
    return max(times)


async def test_burst(lab: Lab, redis: RealRedis, figures: Figures, soak: bool) -> None:
    """A burst is delivered; whoever is cut off catches up; no server dies of it.

    Redis cuts a subscriber off that is far behind: at 32 MiB, unless that is changed.
    """
    many, number, size, limit = (100, 120_000, 300, 8) if soak else (10, 4000, 3000, 1)
    with Redis.from_url(redis.url) as admin:
        admin.config_set("client-output-buffer-limit", f"pubsub {limit}mb {limit}mb 1")
    server: Server = lab.serves()
    burst = [lab.event(f"n{each}", message="A" * size) for each in range(number)]
    async with followers([server.port], lab, many) as clients:
        start = time.monotonic()
        await asyncio.to_thread(lab.publishes, *burst)
        await all_have(
            clients, number, 1200 if soak and lab.has_stream else 3 * PATIENCE
        )
        seconds = time.monotonic() - start
        comings = sum(client.comings - 1 for client in clients)
    if not server.runs():
        raise Broken("a server that survives a burst", "a dead one")
    figures.note("until all had the burst", seconds, "s")
    figures.note("times that a client was shed, and came back", comings, "times")
