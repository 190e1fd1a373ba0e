"""Redis fails: no client is disconnected, and all hear again when it is back."""

import asyncio
import time
from collections.abc import Callable

import pytest
from redis import Redis

from tests.faults.clients import Client, Connect
from tests.faults.figures import Figures
from tests.faults.lab import Broken, Lab, Server
from tests.faults.proxy import Proxy
from tests.real_redis import RealRedis

OUTAGE = 60  # seconds


async def hear_again(clients: list[Client]) -> float:
    """Publish until all clients hear again; return how many seconds that took."""
    return max(await asyncio.gather(*(client.hears_again() for client in clients)))


async def stay(clients: list[Client]) -> None:
    await asyncio.gather(*(client.stays() for client in clients))


async def serves_over(proxy: Proxy, lab: Lab, **settings: object) -> Server:
    """Start a server whose way to Redis is a link, which is carried meanwhile."""
    url = f"{proxy.url}/0"
    return await asyncio.to_thread(lab.serves, REDIS_URL=url, **settings)


async def test_kill(
    lab: Lab, redis: RealRedis, connect: Connect, figures: Figures
) -> None:
    """Connections that Redis cuts are made again within a second."""
    server = lab.serves()
    clients = [await connect(server), await connect(server, "bob")]
    with Redis.from_url(redis.url) as admin:
        for kind in ["pubsub", "normal"]:
            admin.client_kill_filter(_type=kind, skipme=True)
            waited = await hear_again(clients)
            figures.at_most(1, f"events again after CLIENT KILL {kind}", waited, "s", 5)
    await stay(clients)


async def test_restart(
    lab: Lab, redis: RealRedis, connect: Connect, figures: Figures
) -> None:
    """After a restart of Redis, events arrive within two seconds."""
    server = lab.serves()
    clients = [await connect(server), await connect(server, "bob")]
    redis.kill()
    redis.start()
    waited = await hear_again(clients)
    figures.at_most(2, "events again after a restart", waited, "s", 5)
    await stay(clients)


async def test_outage(
    lab: Lab, redis: RealRedis, connect: Connect, figures: Figures, soak: bool
) -> None:
    """While Redis is down, clients stay; events arrive within two seconds after it."""
    server = lab.serves()
    clients = [await connect(server), await connect(server, "bob")]
    redis.kill()
    end = time.monotonic() + (OUTAGE if soak else 3)
    while time.monotonic() < end:
        await stay(clients)
        await asyncio.sleep(0.2)  # the outage lasts
    redis.start()
    waited = await hear_again(clients)
    figures.at_most(2, "events again after an outage", waited, "s", 5)
    await stay(clients)
    assert 1 == server.says("Redis is lost")
    assert 1 == server.says("Redis is back")


async def test_half_open(
    lab: Lab, proxy: Proxy, connect: Connect, figures: Figures, soak: bool
) -> None:
    """A link that is dead, and tells nobody, is noticed within 30 seconds."""
    limits = {"REALTIME_PING_INTERVAL": 1, "REALTIME_PING_TIMEOUT": 1}
    server = await serves_over(proxy, lab, **({} if soak else limits))
    client = await connect(server)
    proxy.dies()
    start = time.monotonic()
    await client.expects(
        lambda: bool(server.says("Redis is lost")), "a warning", 40 if soak else 15
    )
    noticed = time.monotonic() - start
    figures.at_most(30 if soak else 2, "until a dead link is noticed", noticed, "s", 5)
    proxy.revives()
    figures.at_most(2, "events again over the link", await client.hears_again(), "s", 5)
    await client.stays()


async def test_slow(lab: Lab, proxy: Proxy, connect: Connect) -> None:
    """A Redis that is slow to answer is not taken for a dead one."""
    limits = {"REALTIME_PING_INTERVAL": 0.2, "REALTIME_PING_TIMEOUT": 4}
    server = await serves_over(proxy, lab, **limits)
    client = await connect(server)
    proxy.latency = 0.5
    for number in range(3):
        lab.publishes(lab.event(f"Emma {number}"))
        await client.hears(f"Emma {number}")
    await client.stays()
    assert 0 == server.says("Redis is lost")


Act = Callable[[Redis], object]
REFUSALS: dict[str, tuple[Act, Act]] = {
    "out of memory": (
        lambda redis: redis.config_set("maxmemory", 1),
        lambda redis: redis.config_set("maxmemory", 0),
    ),
    "read-only": (
        lambda redis: redis.replicaof("127.0.0.1", 1),
        lambda redis: redis.replicaof("NO", "ONE"),
    ),
    "wrong password": (
        lambda redis: redis.acl_setuser("default", enabled=True, passwords=["+no"]),
        lambda redis: redis.acl_setuser("default", enabled=True, nopass=True),
    ),
}


@pytest.mark.parametrize(("starts", "ends"), REFUSALS.values(), ids=REFUSALS)
async def test_refusal(
    lab: Lab,
    redis: RealRedis,
    connect: Connect,
    figures: Figures,
    starts: Act,
    ends: Act,
) -> None:
    """A Redis that refuses commands costs no connection; then events arrive again."""
    server = lab.serves()
    clients = [await connect(server), await connect(server, "bob")]
    with Redis.from_url(redis.url) as admin:
        starts(admin)
        admin.client_kill_filter(_type="pubsub")
        admin.client_kill_filter(_type="normal", skipme=True)
        for _time in range(5):
            await stay(clients)
            await asyncio.sleep(0.1)  # it goes on to refuse
        ends(admin)
    waited = await hear_again(clients)
    figures.at_most(2, "events again after refusals", waited, "s", 5)
    await stay(clients)
    assert server.runs()


async def test_killed_again_and_again(
    lab: Lab, redis: RealRedis, connect: Connect, soak: bool
) -> None:
    """However often Redis is killed and started, the clients stay and hear again."""
    server = lab.serves()
    clients = [await connect(server), await connect(server, "bob")]
    for _time in range(10 if soak else 3):
        redis.kill()
        redis.start()
        await hear_again(clients)
        await stay(clients)


@pytest.mark.parametrize("fault", ["kill", "restart"])
async def test_gaps_of_pubsub(
    lab: Lab, redis: RealRedis, connect: Connect, fault: str
) -> None:
    """With Pub/Sub, every possible gap is announced, to everybody and once."""
    lab.has_stream = False
    server = lab.serves(REALTIME_BUS="realtime.pubsub.PubSubBus")
    clients = [await connect(server), await connect(server, "bob")]
    for time_ in range(1, 4):
        if fault == "kill":
            with Redis.from_url(redis.url) as admin:
                admin.client_kill_filter(_type="pubsub")
        else:
            redis.kill()
            redis.start()
        await hear_again(clients)
        for client in clients:
            announced = lambda: client.types.count("resync") >= time_  # noqa: B023, E731
            await client.expects(announced, "an announcement of each gap")
    await hear_again(clients)
    for client in clients:
        if (came := client.types.count("resync")) != 3:
            raise Broken("one announcement of each gap", f"{came} of 3 gaps")
