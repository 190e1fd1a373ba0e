"""Redis has a user for each side that may do what it must, and nothing else."""

import re

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from tests.browsing import Browser
from tests.faults.clients import Connect
from tests.faults.lab import Lab
from tests.live import PASSWORD, ROOT
from tests.real_redis import RealRedis

README = (ROOT / "final" / "README.md").read_text()
BLOCKS = re.findall(r"```redis\n(.*?)```", README, re.DOTALL)
RULES = {
    bus: rules.splitlines()
    for bus, rules in zip(["StreamBus", "PubSubBus"], BLOCKS, strict=True)
}
BUSES = {
    "StreamBus": "realtime.streams.StreamBus",
    "PubSubBus": "realtime.pubsub.PubSubBus",
}


@pytest.fixture(params=RULES)
def bus(request: pytest.FixtureRequest, redis: RealRedis) -> str:
    """The name of a bus; Redis has the users for it, and lets nobody else in."""
    name = str(request.param)
    with Redis.from_url(redis.url) as admin:
        for rule in RULES[name]:
            admin.execute_command(*rule.split())
        admin.execute_command("ACL", "SETUSER", "default", "resetpass", ">of-admin")
    return name


def url_of(user: str, redis: RealRedis, database: int = 1) -> str:
    return f"redis://{user}:secret-of-{user}@127.0.0.1:{redis.port}/{database}"


async def test_everything_works(
    lab: Lab, redis: RealRedis, bus: str, connect: Connect
) -> None:
    """With no more than these rights, events arrive, also after an interruption."""
    path = {"REALTIME_BUS": BUSES[bus], "REALTIME_PING_INTERVAL": 0.2}
    server = lab.serves(REDIS_URL=url_of("server", redis), **path)
    site = lab.opens_site(REDIS_URL=url_of("django", redis), **path)
    client = await connect(server)
    browser = Browser(site)
    login = {"username": "alice", "password": PASSWORD}
    browser.submits("/admin/login/?next=/admin/", **login)
    browser.submits("/admin/auth/group/add/", name="Editors")
    await client.hears("Editors")
    assert "You are <strong>alice</strong>" in browser.reads("/realtime/")
    with Redis(port=redis.port, password="of-admin") as admin:
        admin.client_kill_filter(_type="normal", skipme=True)
        admin.client_kill_filter(_type="pubsub")
        admin.config_resetstat()
        await client.stays()
        while bus == "PubSubBus" and "cmdstat_ping" not in admin.info("commandstats"):
            await client.stays()  # until the server is subscribed, and has asked
        browser.submits("/admin/auth/group/add/", name="Readers")
        await client.expects(lambda: "Readers" in client.names, "an event")
        denied = {entry["object"] for entry in admin.acl_log()}
    # Redis 7.2 and newer have this command, which redis-py can do without.
    assert denied <= {"client|setinfo"}
    assert 0 == server.says("NoPermission")


FORBIDDEN = [
    "GET other",
    "SET events x",
    "SET other x",
    "DEL events",
    "FLUSHALL",
    "CONFIG GET *",
    "KEYS *",
    "EVAL return 0",
    "ACL WHOAMI",
    "CLIENT LIST",
    "MONITOR",
    "SHUTDOWN",
    "XADD other * event x",
    "XRANGE other - +",
    "XREVRANGE other + -",
    "XREAD STREAMS other 0",
    "XTRIM events MAXLEN 0",
    "XDEL events 0-1",
    "PUBLISH other x",
    "SUBSCRIBE other",
    "PSUBSCRIBE *",
]
# One side may not do what only the other must.
APART = {
    ("StreamBus", "django"): ["XRANGE events - +", "XREAD STREAMS events 0"],
    ("StreamBus", "server"): [],
    ("PubSubBus", "django"): ["SUBSCRIBE events", "XADD events * event x"],
    ("PubSubBus", "server"): ["PUBLISH events x", "XADD events * event x"],
}


@pytest.mark.parametrize("user", ["django", "server"])
def test_nothing_else(redis: RealRedis, bus: str, user: str) -> None:
    """Whatever else somebody tries who has a password of these, Redis refuses it."""
    for command in FORBIDDEN + APART[bus, user]:
        with Redis.from_url(url_of(user, redis)) as thief:
            words = re.split(" ", command)
            with pytest.raises(NoPermissionError):
                thief.execute_command(*words)
