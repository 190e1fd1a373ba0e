"""Fast and wide: what happens costs little, however many hear of it."""

import asyncio
import json
import signal
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path

import pytest
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from websockets.asyncio.client import connect as open_websocket
from websockets.asyncio.client import unix_connect
from websockets.asyncio.server import broadcast
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from steps.fixtures.blame import expecting
from steps.fixtures.crowds import calls
from steps.fixtures.tokens import get_token
from steps.grading import PATIENCE, Unmet

# What happens, and how it is told


async def test_burst(join, writes, volumes, alice, bob, story):
    """What happens at once, each client is told in a write or two, and in order."""
    clients = [await join(user) for user in [alice, bob, alice, bob]]
    for client in clients:
        await client.is_told("ready")
    counted = writes(clients[0].server)
    names = volumes(80)
    for client in clients:
        for name in names:
            await client.hears_of(name)
    if max(counted.values()) > 8:
        raise Unmet("80 events in a few writes to each client", "more", story)


async def test_serialised_once(join, serialised, volumes, alice, bob, event, story):
    """What is the same for everybody is made once, and keeps its order."""
    clients = [await join(user) for user in [alice, bob, alice, bob]]
    for client in clients:
        await client.is_told("ready")
    serialised.clear()
    [name] = volumes(1)
    for client in clients:
        await client.hears_of(name)
    if len(serialised) != 1:
        raise Unmet("one frame", f"{len(serialised)} frames", story)

    from realtime import frames
    from realtime.bus import Arrival
    from realtime.recent import Entry

    hub = clients[0].server.module.HUB
    hub.publish(Entry.of(Arrival("1-1", event)))
    hub.tell(frames.told("resync"))
    await clients[0].hears_of("Emma")
    await clients[0].is_told("resync")
    if clients[0].types[-1] != "resync":
        raise Unmet("the event, and then the message to all", "it comes late", story)


async def test_hidden(join, limits, volumes, bob, dave, order, story):
    """What nobody may see costs the same, however many are connected."""
    limits(CHECK_PERIOD=3600)
    witness = await join(bob)
    hidden = (await ContentType.objects.aget(model="order")).pk
    costs = []
    for crowd in [2, 18]:
        for client in [await join(dave) for _ in range(crowd)]:
            await client.is_told("ready")
        with calls() as counted:
            volumes(20, content_type_id=hidden)
            [name] = volumes(1)
            await witness.hears_of(name)
        costs.append(counted.total())
    few, many = costs
    if many - few > 18:
        raise Unmet("as many calls with 21 connections as with 3", "more", story)


MESSAGES = {
    "empty": "",
    "short": "A" * 125,
    "longer": "A" * 126,
    "long": "A" * 65_535,
    "very long": "A" * 65_536,
    "accents": "é" * 63,
    "emoji": "\N{GRINNING FACE}" * 20_000,
}


@pytest.fixture
def written(monkeypatch):
    """A function that notes what is written to a connection, in the place of that."""

    def written(connection):
        data = []
        monkeypatch.setattr(connection.transport, "write", data.append)
        return data

    return written


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
async def test_frame(join, written, alice, story, message):
    """Our frame of a message is what broadcast() writes, byte by byte."""
    from realtime import frames

    client = await join(alice)
    [connection] = client.server.module.CONNECTIONS
    data = written(connection)
    broadcast([connection], message)
    expected = b"".join(data)
    if (came := frames.text(message)) != expected:
        raise Unmet(f"the frame {expected[:20]!r}…", f"{came[:20]!r}…", story)


async def test_closing(connect, join, written, alice, bob, story):
    """Nothing is written to those who are leaving: broadcast() does so, too.

    To those who come after them, it is.
    """
    from realtime import frames, hub

    client = await connect()
    await client.sends(get_token(alice), "a valid token of alice")
    await client.is_told("ready")
    [connection] = client.server.module.CONNECTIONS
    other = await join(bob, client.server)
    [last] = {*client.server.module.CONNECTIONS} - {connection}
    client.stops_reading()
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    data = written(connection)
    broadcast([connection], "Emma was changed")
    hub.write([connection, last], frames.told("resync"))
    await other.is_told("resync")
    client.websocket.transport.resume_reading()
    await closing
    if data:
        raise Unmet("nothing after the close frame", f"{data}", story)


async def test_gone(start_server, join, raw_client, alice, bob):
    """Who doesn't answer is cut off, and nobody else."""
    server = await start_server(HEARTBEAT=0.02)
    client = await join(alice, server)
    await raw_client(server, bob)
    await server.has_registered(1)
    await client.hears_heartbeats(client.types.count("ping") + 3)
    await client.hears_nothing_more()


async def test_tasks(join, alice, story):
    """A connection costs one task, and no more: it waits for what the client says."""
    client = await join(alice)
    [connection] = client.server.module.CONNECTIONS
    frames = [task.get_coro().cr_frame for task in asyncio.all_tasks()]
    tasks = [
        frame.f_code.co_qualname
        for frame in frames
        if connection in frame.f_locals.values()
        and frame.f_globals["__name__"].startswith("websockets.")
    ]
    if len(tasks) != 1:
        raise Unmet("one task", ", ".join(sorted(tasks)), story)


# Who comes, and how many at once


async def test_storm(connect, limits, queries, alice, bob, carol, story, slow_database):
    """Many who come at once are looked up in a few queries."""
    limits(CHECK_BATCH=20)
    users = [alice, *[bob, carol] * 14]
    tokens = [get_token(user) for user in users]
    clients = [await connect() for _user in users]
    for client, token in zip(clients, tokens, strict=True):
        await client.sends(token, "a valid token")
        await client.hears_nothing_more()
    await slow_database.is_asked()
    queries.number = 0
    slow_database.answers()
    await clients[0].server.has_registered(len(clients))
    if queries.number > 40:
        raise Unmet("at most 40 queries for 29 clients", "more", story)
    asked = [
        sql for sql, _params in slow_database.held if 'FROM "auth_user" WHERE' in sql
    ]
    if len(asked) < 3:
        raise Unmet("no more than 20 to be looked up together", "more", story)


async def test_known(join, limits, change, alice, bob, book, story, slow_database):
    """What a user may see is looked up once, and again when it has changed.

    It is forgotten when they have left.
    """
    limits(CHECK_PERIOD=3600)
    slow_database.holds = 'FROM "django_content_type"'
    slow_database.answers()
    first = await join(bob)
    slow_database.held.clear()
    second = await join(bob)
    if slow_database.held:
        raise Unmet("no question about what is known", "one", story)
    story.append("somebody changed a table")
    await bob.user_permissions.through.objects.all().adelete()
    witness, late = await join(alice), await join(bob)
    await change(book)
    await witness.hears_of(book)
    await first.hears_of(book)  # whose turn to be checked hasn't come
    await late.hears_nothing_more()
    for client in [first, second, witness, late]:
        await client.leaves()
    await first.server.has_registered(0)
    hub = first.server.module.HUB
    if hub.of_user or hub.known or hub.audiences or any(hub.viewers.values()):
        raise Unmet("nobody to be remembered", "some who have left", story)


async def test_long_away(
    link, kept, join, come_back, limits, volumes, monkeypatch, alice, event, story
):
    """What many missed is read from Redis once; what Redis loses is forgotten.

    What happens while they are told is told once, too.
    """
    from realtime.bus import Arrival

    limits(RECENT=30, PAGE_SIZE=10, PING_TIMEOUT=0.5)
    client = await join(alice)
    await client.is_live()
    place = client.place
    await alice.asave()  # which is a notice, and for servers alone
    missed = volumes(50)
    await hears_all(client, missed)
    before = link.requests
    for _client in range(15):
        await hears_all(await come_back(alice, place, client.server), missed)
    if link.requests > before + 40:
        raise Unmet("no questions to Redis for each of 15 clients", "some", story)
    missed += volumes(100)
    for _client in range(2):
        before = link.requests
        await hears_all(await come_back(alice, place, client.server), missed)
    if link.requests < before + 10:
        raise Unmet("no more to be remembered than may be", "all", story)
    kept.is_lost()
    await client.is_told("resync")
    late = await come_back(alice, place, client.server)
    await late.is_live("resync")
    server, place_of = client.server.module, client.server.module.place_of

    def place_among_events(websocket):  # in the turn in which the client goes live
        newest = "9999999999999-0"  # milliseconds: in the year 2286
        server.relay(server.Entry.of(Arrival(newest, event)))
        return place_of(websocket)

    monkeypatch.setattr(server, "place_of", place_among_events)
    latest = await come_back(alice, late.place, client.server)
    await latest.is_live("event")
    await latest.hears_of("Emma")
    await latest.hears_nothing_more()


async def hears_all(client, names):
    """Expect events about all of these things next, in this order."""
    for name in names:
        await client.hears_of(name)


class Moody(BaseBackend):
    """A backend of the project that fails when it is asked about some."""

    def has_perm(self, user, permission, obj=None):
        if user.username == "carol":
            raise RuntimeError("no permissions for carol today")
        return False


async def test_together(connect, settings, alice, bob, carol, story, slow_database):
    """Those who come together are asked about together; who fails, fails alone."""
    backend = f"{__name__}.Moody"
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, backend]
    slow_database.holds = 'FROM "auth_user" WHERE'
    clients = [await connect() for _user in range(3)]
    for client, user in zip(clients, [alice, bob, carol], strict=True):
        await client.sends(get_token(user), f"a valid token of {user}")
        await client.hears_nothing_more()
    await slow_database.is_asked()
    slow_database.answers()
    await clients[2].is_closed(1011)
    await clients[0].server.has_registered(2)
    asked = [params for _sql, params in slow_database.held]
    if not any({bob.pk, carol.pk} <= {*params} for params in asked):
        raise Unmet("one question about bob and carol", "one about each", story)
    await clients[0].hears_nothing_more()
    if clients[0].server.module.NEWCOMERS:
        raise Unmet("nobody to wait any more", "one", story)


async def test_waiting(connect, limits, alice, bob, slow_database):
    """Who would wait behind too many is sent away, and who waits for too long."""
    limits(MAX_WAITING=1, TOKEN_TIMEOUT=60)
    second, third = await connect(), await connect()
    limits(TOKEN_TIMEOUT=0.5)
    first = await connect()
    await first.sends(get_token(alice), "a valid token of alice")
    await slow_database.is_asked()
    await second.sends(get_token(bob), "a valid token of bob")
    await second.is_closed(1013, "try again later")
    await first.is_closed(1013, "try again later")
    slow_database.holds = "nothing"  # but what it has held so far
    await third.sends(get_token(bob), "a valid token of bob")
    await third.server.has_registered(1)
    slow_database.answers()


async def test_strangers_wait(
    connect, join, limits, scrape, alice, bob, story, slow_database
):
    """Who has sent a token is not pushed out by those who say nothing.

    Who is refused is, if they don't leave.
    """
    limits(MAX_STRANGERS=1)
    client = await connect()
    await client.sends(get_token(alice), "a valid token of alice")
    await slow_database.is_asked()
    for _stranger in range(3):
        waiting = await connect()
    slow_database.answers()
    await client.is_told("ready")
    limits(MAX_WAITING=1)
    slow_database.is_slow_again()
    await waiting.sends(get_token(bob), "a valid token of bob")
    await slow_database.is_asked()
    late = await connect()
    await late.sends(get_token(bob), "a valid token of bob")
    await late.is_closed(1013, "try again later")
    if (await scrape(client.server))["realtime_strangers"] < 1:
        raise Unmet("one who waits to be counted", "none", story)
    slow_database.answers()
    await waiting.is_told("ready")
    refused = await connect()
    refused.stops_reading()
    [connection] = refused.server.module.STRANGERS
    await refused.sends("not a token", "what is not a token")
    with expecting("who has no token to be refused", story):
        async with asyncio.timeout(PATIENCE):
            while connection.state is State.OPEN:
                await asyncio.sleep(0.001)
    if client.server.module.NEWCOMERS:
        raise Unmet("nobody to wait any more", "who was refused", story)
    await join(bob)
    if connection.state is not State.CLOSED:
        raise Unmet("who was refused to be pushed out", "them to stay", story)


# Several processes


RUN = ["-m", "django", "runrealtime"]


async def test_reuse_port(python, unused_tcp_port, story):
    """Several processes share a port; when one ends, the others serve."""
    command = [*RUN, "--reuse-port", "--port", f"{unused_tcp_port}"]
    servers = [await python(*command), await python(*command)]
    for server in servers:
        await server.says(r"Listening on (ws://localhost:\d+/)")
    url = f"ws://localhost:{unused_tcp_port}/"
    clients = [await open_websocket(url) for _client in range(30)]
    await servers[0].ends_on(signal.SIGTERM)
    ends = [await has_ended(client) for client in clients]
    if len({*ends}) != 2:
        raise Unmet("clients at both servers", "all at one", story)
    async with open_websocket(url) as client:
        await client.send("not a token")
        await client.wait_closed()
    assert 1008 == client.close_code
    for each in clients:
        await each.close()
    await servers[1].ends_on(signal.SIGTERM)


async def has_ended(client):
    """Tell whether a connection was closed, or answers."""
    with suppress(ConnectionClosed):
        await (await client.ping())
    return client.close_code == 1012


async def test_unix(python, tmp_path, monkeypatch, story):
    """``runrealtime`` listens on a Unix socket, also where one was left behind."""
    monkeypatch.chdir(tmp_path)
    path = Path("realtime.sock")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    server = await python(*RUN, "--unix", str(path))
    await server.says(r"Listening on unix:(.*) \(")
    if (mode := stat.S_IMODE(path.stat().st_mode)) != 0o660:
        raise Unmet("a socket for owner and group", f"the mode {mode:o}", story)
    second = await python(*RUN, "--unix", str(path))
    await second.says("(CommandError: Cannot listen on .*another server)")
    await second.ends(1)
    async with unix_connect(str(path)) as client:
        await server.ends_on(signal.SIGTERM)
        await client.wait_closed()
    assert 1012 == client.close_code


COLLECTOR = """
import atexit, gc
from django.core.management import execute_from_command_line

def tell():
    how = "seldom" if gc.get_threshold()[0] > 2000 else "often"
    print(f"It looks {how}, and leaves {gc.get_freeze_count()} objects alone.")

atexit.register(tell)
execute_from_command_line(["manage.py", "runrealtime", "--port", "0"])
"""


async def test_collector(python):
    """Python's garbage collector looks seldom, and not at what was there before."""
    server = await python("-c", COLLECTOR)
    await server.says("(Listening)")
    server.process.send_signal(signal.SIGTERM)
    await server.says(r"It looks seldom, and leaves (\d{5,}) objects alone")
    await server.ends(0)


async def test_help(python):
    """``runrealtime --help`` explains how several of them work together."""
    command = await python(*RUN, "--help")
    await command.shows("--reuse-port", "cores", "--unix PATH", "Unix socket")


async def test_listen_url(other_redis, kept, connect, limits, alice, event):
    """A server may listen to another Redis than Django talks to: a replica."""
    limits(LISTEN_URL=other_redis.url)
    kept.is_lost()
    client = await connect()
    await client.sends(get_token(alice), "a valid token of alice")
    async with asyncio.timeout(PATIENCE):
        while not kept.length():  # the server begins the stream, where Django writes
            await asyncio.sleep(0.001)
    other_redis.publishes(json.dumps(event | {"object": "Before"}).encode())
    await client.is_told("ready")
    other_redis.publishes(json.dumps(event).encode())
    await client.hears_of("Emma")


# Numbers


@pytest.mark.usefixtures("stream")
async def test_numbers(scrape, connect, join, volumes, alice, bob, story):
    """Server counts what happens, whom it told, and how long that took."""
    client, other = await join(alice), await join(bob)
    before = await scrape(client.server)
    late = await join(alice)
    await connect()
    for each in [client, other, late]:
        await each.is_told("ready")
    start = time.time()
    [name] = volumes(1)
    for each in [client, other, late]:
        await each.hears_of(name)
    after = await scrape(client.server)
    took = time.time() - start
    after.have_grown(
        before,
        realtime_connections=1,
        realtime_strangers=1,
        realtime_events_total=1,
        realtime_deliveries_total=3,
        realtime_lag_seconds_count=1,
    )
    lag = after["realtime_lag_seconds_sum"] - before["realtime_lag_seconds_sum"]
    if not 0 < lag <= took:
        raise Unmet("a lag that is a part of the time", f"{lag} s of {took} s", story)


async def test_numbers_of_trouble(redis, channel, scrape, connect, join, limits, event):
    """Server counts whom it refused or cut off, and how often Redis came back."""
    limits(MAX_INPUT=300)
    alice = await User.objects.aget(username="alice")
    refused, flood = await connect(), await join(alice)
    before = await scrape(refused.server)
    await refused.sends("not a token")
    await refused.is_closed(1008, "authentication failed")
    await flood.sends("A" * 400)
    await flood.is_closed(1006)
    client = await join(alice)
    redis.stops()
    redis.returns()
    await channel.reaches(client, event)
    after = await scrape(client.server)
    after.have_grown(
        before,
        realtime_refusals_total=1,
        realtime_cut_off_total=1,
        realtime_redis_reconnects_total=1,
    )
    for sample in ['refusals_total{code="1008"}', 'cut_off_total{reason="A client']:
        if sample not in after.text:
            raise Unmet(sample, "none", client.story)
    try:
        async with asyncio.timeout(PATIENCE):
            while after["realtime_checks_total"] <= before["realtime_checks_total"]:
                await asyncio.sleep(0.05)  # until the next look
                after = await scrape(client.server)
    except TimeoutError:
        raise Unmet("checks when Redis is back", "none", client.story) from None


async def test_numbers_only(scrape, join, volumes, bob, story):
    """Numbers are no secret: they name nobody, and nothing that happened."""
    client = await join(bob)
    [name] = volumes(1)
    await client.hears_of(name)
    numbers = await scrape(client.server)
    for secret in [bob.username, "Volume", "book"]:
        if secret in numbers.text:
            raise Unmet("numbers without names", f"{secret!r} in them", story)
