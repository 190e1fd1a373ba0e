"""Never fall over: whatever clients, Redis and the database do, the server serves."""

import asyncio
import gc
import json
import logging
import os
import signal
import sqlite3
import sys
from contextlib import closing, suppress

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.contrib.contenttypes.models import ContentType
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from sesame import tokens_v1
from sesame.utils import get_token as get_login_token
from sesame.utils import get_user as get_user_to_log_in
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from steps.fixtures.faults import answer
from steps.fixtures.tokens import get_token
from steps.grading import PATIENCE, Unmet

# Who gets in


WRONG = {
    "words": "not a token",
    "none": "",
    "accent": "é",
    "zero": "\0",
    "long": "A" * 4000,
}


@pytest.mark.parametrize("token", WRONG.values(), ids=WRONG)
async def test_refused(connect, token):
    """Server closes the connection of those who are not authenticated with 1008."""
    client = await connect()
    await client.sends(token)
    await client.is_closed(1008, "authentication failed")


async def test_binary(connect, alice, server_log):
    """Server takes tokens that are text, and no others."""
    client = await connect()
    await client.sends(get_token(alice).encode(), "a valid token of alice, as bytes")
    await client.is_closed(1008, "authentication failed")
    server_log.tells_of_no_error()


async def test_login_token(connect, alice):
    """A token that logs a user in to the site does not open a connection."""
    client = await connect()
    await client.sends(get_login_token(alice), "a token of alice for logging in")
    await client.is_closed(1008, "authentication failed")


def test_own_scope(browser_of, bob, story):
    """A token that opens a connection does not log a user in to the site."""
    token = browser_of(bob).gets("/realtime/token/").json("token")
    if get_user_to_log_in(token):
        raise Unmet("a token that is for connections only", "one for logins", story)


async def test_old_token(connect, alice, server_log):
    """A token in django-sesame's old format, which has no scopes, is none."""
    client = await connect()
    await client.sends(tokens_v1.create_token(alice), "a token in the old format")
    await client.is_closed(1008, "authentication failed")
    server_log.tells_of_no_error()


async def test_no_token(connect, limits):
    """Server waits for the token, but not for ever."""
    limits(TOKEN_TIMEOUT=0.25)
    client = await connect()
    await client.is_closed(1008, "no token in time")


async def test_strangers(channel, connect, join, limits, django_log, alice, event):
    """However many connect and say nothing, those who have a token get in."""
    limits(MAX_STRANGERS=3, LOG_INTERVAL=0)
    earlier = [await connect() for _ in range(5)]
    client = await join(alice)
    later = [await connect() for _ in range(3)]
    channel.publishes(json.dumps(event).encode())
    await client.hears_of("Emma")
    for pushed_out in earlier:
        await pushed_out.is_closed(1006)
    for silent in later:
        await silent.hears_nothing_more()
    django_log.warns(5, "too many strangers")


async def test_too_many(connect, join, limits, alice, bob):
    """A user has as many connections as they may have, and no more."""
    limits(MAX_PER_USER=2)
    first = await join(alice)
    await join(alice)
    third = await connect()
    await third.sends(get_token(alice), "a valid token of alice")
    await third.is_closed(1013, "too many connections")
    await (await join(bob)).is_told("ready")
    await first.leaves()
    await first.server.has_registered(2)
    await join(alice)


async def test_origins(connect, limits, server_log, story):
    """Server talks to the pages of the sites that it knows."""
    limits(ORIGINS=["https://shop.example"])
    client = await connect(origin="https://shop.example")
    with pytest.raises(InvalidStatus) as refusal:
        async with open_websocket(client.server.url, origin="https://evil.example"):
            raise Unmet("the page of another site to be refused", "no refusal", story)
    assert 403 == refusal.value.response.status_code
    await client.server.stop()
    server_log.tells_of_no_error()


async def test_secrets(connect, django_log, alice, story):
    """Tokens are not logged, and not told to those who ask about failed logins."""
    told = []

    def learn(credentials, **kwargs):
        told.append(credentials)

    user_login_failed.connect(learn)
    try:
        quiet = logging.getLogger("quiet")
        quiet.setLevel(logging.CRITICAL)
        valid, refused = await connect(logger=quiet), await connect(logger=quiet)
        token = get_token(alice)
        wrong = token.swapcase()
        await valid.sends(token, "a valid token of alice")
        await valid.server.has_registered(1)
        await refused.sends(wrong, "a wrong token")
        await refused.is_closed(1008, "authentication failed")
    finally:
        user_login_failed.disconnect(learn)
    django_log.keeps(token, "tokens")
    django_log.keeps(wrong, "tokens")
    if told:
        raise Unmet("a token that stays a secret", f"{told} told", story)


async def test_our_fault(connect, django_log, settings, bob):
    """An error of our own closes a connection with 1011, and no other."""
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Broken"]
    client = await connect()
    await client.sends(get_token(bob), "a valid token of bob")
    await client.is_closed(1011)
    django_log.has_error("A connection failed.")


class Broken(ModelBackend):
    """A backend of the project that fails when it is asked for permissions."""

    def has_perm(self, user, permission, obj=None):
        raise RuntimeError("no permissions today")


# What clients may do


PING = b"\x89\x80\0\0\0\0"  # masked and empty: RFC 6455, sections 5.2 and 5.5.2


async def test_large_message(connect):
    """Server takes no messages that are larger than a token can be."""
    client = await connect()
    await client.sends("A" * 5000, "a message of 5,000 characters")
    await client.is_closed(1009, "frame with 5000 bytes exceeds limit of 4096 bytes")


async def test_no_compression(connect, story):
    """Server spends no memory on compression, which a bomb could abuse."""
    client = await connect()
    if client.websocket.protocol.extensions:
        raise Unmet("a connection without compression", "one with it", story)


async def test_chatter(join, alice):
    """Server notices that a client leaves, though it has said a lot before."""
    client = await join(alice)
    for _message in range(40):
        await client.websocket.send("anybody there?")
    await client.leaves()
    await client.server.has_registered(0)


async def test_flood(start_server, join, limits, server_log, django_log, alice):
    """Server cuts off who says much at once; who says little may do so for long."""
    limits(MAX_INPUT=300, LOG_INTERVAL=0)
    newcomer = await join(alice)
    await newcomer.sends("A" * 100, "100 characters")
    await newcomer.hears_nothing_more()
    client = await join(alice, await start_server(HEARTBEAT=0.01))
    for _minute in range(5):
        await client.sends("A" * 100, "100 characters")
        await client.hears_heartbeats(client.types.count("ping") + 2)
    await client.hears_nothing_more()
    await client.sends("A" * 300, "300 characters")
    await client.is_closed(1006)
    django_log.warns(1, "sent too much")
    server_log.tells_of_no_error()


async def test_fragments(connect, story):
    """A message that never ends is cut off before it takes much memory."""
    client = await connect()

    async def fragments():
        for _fragment in range(10_000):
            yield ""
            await asyncio.sleep(0)

    async def send():
        with suppress(ConnectionClosed):
            await client.websocket.send(fragments())

    story.append("a client sent a message in 10,000 empty fragments")
    sending = asyncio.create_task(send())
    await client.is_closed(1006)
    await sending


async def test_pings(join, alice, story):
    """Server cuts off who sends pings, and doesn't read the answers."""
    client = await join(alice)
    client.stops_reading()
    story.append("the client sent 3,000 pings")
    for _ping in range(3000):
        client.websocket.transport.write(PING)
    await client.server.has_registered(0)


async def test_lost_pongs(join, django_log, alice, story):
    """Who sends pings, and doesn't wait for the answers, doesn't fill the log."""
    client = await join(alice)
    story.append("the client sent 2,000 pings")
    client.websocket.transport.write(2000 * PING)
    await client.vanishes()
    await client.server.has_registered(0)
    django_log.keeps("socket.send()", "a warning for each answer")
    logging.getLogger("asyncio").warning("Something else went wrong.")
    if "Something else" not in django_log.caplog.text:
        raise Unmet("a log with all else that asyncio says", "one without it", story)


async def test_stalled(channel, join, limits, alice, bob, event):
    """Server cuts off who doesn't read, and nobody else, however much happens."""
    limits(MAX_UNREAD=100_000)
    client, stalled = await join(alice), await join(bob)
    stalled.stops_reading()
    await channel.bursts(event, 500, 6000)
    for _event in range(500):
        await client.hears_of("Emma")
    await client.server.has_registered(1)
    await client.hears_nothing_more()


# What comes on the bus

HOSTILE = {
    "empty": b"",
    "no JSON": b"Emma was changed",
    "no UTF-8": b'{"object": "\xff"}',
    "null": b"null",
    "a list": b"[]",
    "deep": b"[" * 60_000,
    "no content type": b'{"model": "book"}',
    "unhashable": b'{"content_type_id": []}',
    "not a number": b'{"content_type_id": NaN}',
    "huge number": b'{"content_type_id": %s}' % (b"9" * 5000),
}


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE)
async def test_hostile(channel, join, django_log, limits, alice, event, message):
    """A message that is no event is skipped, and one line says so."""
    limits(LOG_INTERVAL=0)
    client = await join(alice)
    channel.publishes(message, "what is no event")
    channel.publishes(json.dumps(event).encode())
    await client.hears_of("Emma")
    django_log.warns(1, "no event")


@pytest.mark.parametrize("key", ["model", "message", "content_type_id", "object_id"])
async def test_incomplete(channel, join, django_log, limits, alice, event, key):
    """An event without one of its keys, or with a strange value, is skipped."""
    limits(LOG_INTERVAL=0)
    await ContentType.objects.aget_or_create(pk=1)  # what True would be taken for
    client = await join(alice)
    for value in [["x"], None, True]:
        forged = event | {"object": "forged", key: value}
        channel.publishes(json.dumps(forged).encode(), f"{key}: {value}")
    channel.publishes(json.dumps(event).encode())
    await client.hears_of("Emma")
    django_log.warns(3, f"no {key}")


async def test_forged(channel, join, alice, event):
    """What we don't know of an event is not passed on, not even its type."""
    client = await join(alice)
    forged = event | {"type": "ready", "script": "alert(1)"}
    channel.publishes(json.dumps(forged).encode(), "an event with more keys")
    came = json.loads(await client.gets("an event about 'Emma'"))
    came.pop("id", None)  # from step 09 on, the bus gives each event one
    assert {"type": "event"} | event == came


async def test_large_event(channel, join, limits, alice, event):
    """An event that is too large for everybody is skipped."""
    limits(MAX_EVENT_SIZE=1000)
    client = await join(alice)
    large = event | {"object": "Volumes", "message": "A" * 1000}
    channel.publishes(json.dumps(large).encode(), "a large event")
    channel.publishes(json.dumps(event).encode())
    await client.hears_of("Emma")


async def test_log_is_quiet(channel, join, django_log, limits, alice, event):
    """Whoever publishes a lot of rubbish doesn't fill the disk with our log."""
    client = await join(alice)
    for seconds, times in [(0, 1), (60, 9), (0, 1), (0, 1)]:
        limits(LOG_INTERVAL=seconds)
        for _time in range(times):
            channel.publishes(b"rubbish", "rubbish")
        channel.publishes(json.dumps(event).encode())
        await client.hears_of("Emma")
    django_log.warns(3, "no event (no JSON).")
    django_log.warns(1, "(no JSON). (and 9 more before)")
    assert django_log.lines("WARNING")[-1].endswith("(no JSON).")


async def test_channel(join, limits, bus, change, alice, book, event):
    """Projects that share a Redis have channels of their own."""
    limits(CHANNEL="shop:events")
    client = await join(alice)
    bus.repeats(event, 1, object="Walden")
    await change(book)
    await client.hears_of(book)
    await client.hears_nothing_more()


# When Redis fails


async def test_redis_restarts(redis, channel, join, probe, alice, event):
    """Clients stay connected while Redis restarts, and then hear events again."""
    client = await join(alice)
    await probe(client.server, "/readyz", 200)
    redis.stops()
    await client.hears_nothing_more()
    await probe(client.server, "/readyz", 503)
    redis.returns()
    await channel.reaches(client, event)
    await probe(client.server, "/readyz", 200)


async def test_redis_breaks_off(link, channel, join, limits, alice, event):
    """Server tells a link to Redis that is dead from one that is silent."""
    limits(PING_INTERVAL=0.02, PING_TIMEOUT=0.25)
    client = await join(alice)
    await link.carries(10)
    channel.publishes(json.dumps(event).encode())
    await client.hears_of("Emma")
    assert 1 == link.connections
    link.breaks()
    await channel.reaches(client, event)


async def test_redis_comes_late(redis, channel, connect, probe, limits, alice, event):
    """Server starts without Redis, and is ready when it is subscribed."""
    limits(DATABASE_THREADS=1)
    redis.stops()
    client, stranger = await connect(), await connect()
    await client.sends(get_token(alice), "a valid token of alice")
    await stranger.sends("not a token")
    await stranger.is_closed(1008, "authentication failed")  # so alice is known, too
    await probe(client.server, "/healthz", 200, "alive")
    await probe(client.server, "/readyz", 503, "Redis is lost")
    await client.hears_nothing_more()
    client.heard()
    redis.returns()
    await channel.reaches(client, event)
    assert "ready" == client.types[0]


async def test_redis_does_not_come(redis, connect, limits, alice):
    """Server sends those away who would wait for Redis for too long."""
    limits(TOKEN_TIMEOUT=0.2)
    redis.stops()
    client = await connect()
    await client.sends(get_token(alice), "a valid token of alice")
    await client.is_closed(1013, "try again later")


async def test_redis_is_away_for_long(
    redis, channel, join, limits, probe, django_log, alice, event
):
    """Server tries again and again, and says once each time that Redis is lost."""
    limits(LONGEST_WAIT=0.001)
    client = await join(alice)
    for losses in 1, 2:
        redis.stops()
        await probe(client.server, "/readyz", 503)
        for _time in range(100):
            await (await client.websocket.ping())
        redis.returns()
        await channel.reaches(client, event)
        django_log.warns(losses, "Redis is lost (ConnectionError)")
        django_log.warns(losses, "Redis is back")


async def test_redis_has_peace(
    redis, link, join, start_server, limits, probe, alice, story
):
    """Server asks little of Redis, when nothing happens and when Redis is lost."""
    limits(LONGEST_WAIT=60)
    client = await join(alice, await start_server(HEARTBEAT=0.02))
    await probe(client.server, "/readyz", 200)
    before = link.requests
    await client.hears_heartbeats(client.types.count("ping") + 10)
    if (came := link.requests - before) > 5:
        raise Unmet("no question, as nothing happens", f"{came} questions", story)
    redis.stops()
    await probe(client.server, "/readyz", 503)
    before = link.connections
    await client.hears_heartbeats(client.types.count("ping") + 50)
    if (came := link.connections - before) > 20:
        raise Unmet("attempts less and less often", f"{came} in a second", story)


# When the database fails


async def test_database_fails(
    failing_database, join, connect, limits, probe, django_log, alice, bob
):
    """A database that fails is no wrong token, and the server survives it."""
    limits(LOG_INTERVAL=0)
    client = await join(alice)
    await probe(client.server, "/readyz", 200, "ready")
    failing_database.fails()
    late = await connect()
    await late.sends(get_token(bob), "a valid token of bob")
    await late.is_closed(1013, "try again later")
    django_log.warns(1, "The database fails (OperationalError)")
    await probe(client.server, "/readyz", 503, "the database fails")
    await probe(client.server, "/healthz", 200)
    failing_database.recovers()
    await join(bob)
    await probe(client.server, "/readyz", 200)


async def test_database_connections(connect, limits, alice, slow_database, story):
    """However many users and probes come at once, few database connections do."""
    limits(DATABASE_THREADS=2)
    opened = set()  # of Django's wrappers: each has one connection at a time

    def count(connection, **kwargs):
        opened.add(connection)

    clients = [await connect() for _client in range(10)]
    server, token = clients[0].server, get_token(alice)
    connection_created.connect(count)
    try:
        probes = [asyncio.create_task(answer(server, "/readyz")) for _ in clients]
        for client in clients:
            await client.sends(token, "a valid token of alice")
            await client.hears_nothing_more()
        slow_database.answers()
        await server.has_registered(10)
        await asyncio.gather(*probes)
    finally:
        connection_created.disconnect(count)
    if len(opened) > 2:
        raise Unmet("no more than 2 connections to the database", "more", story)


async def test_queries(join, limits, settings, alice, story):
    """With DEBUG, Django remembers queries: those of the last user, not of all."""
    limits(DATABASE_THREADS=1)
    settings.DEBUG = True
    for _user in range(10):
        await join(alice)
    if remembered_queries() > 10:
        raise Unmet("the queries about the last user", "more", story)


def remembered_queries():
    """Return how many queries all connections to the database remember."""
    return sum(
        len(each.queries_log)
        for each in gc.get_objects()
        if issubclass(type(each), BaseDatabaseWrapper)  # isinstance() wakes proxies
    )


async def test_database_is_slow(connect, limits, alice, bob, slow_database, story):
    """Database is not asked about those who have left while they waited for it."""
    limits(DATABASE_THREADS=1)
    users = [alice, bob, alice]
    tokens = [get_token(user) for user in users]
    clients = [await connect() for _user in users]
    for user, token, client in zip(users, tokens, clients, strict=True):
        await client.sends(token, f"a valid token of {user}, and the database is slow")
        await client.hears_nothing_more()
    await slow_database.is_asked()
    await clients[1].leaves()
    await clients[2].hears_nothing_more()
    slow_database.answers()
    await clients[0].server.has_registered(2)
    for sql, params in slow_database.held:
        if 'FROM "auth_user" WHERE' in sql and bob.pk in params:
            raise Unmet("no question about bob, who had left", "one", story)


# How it ends


async def test_goodbye(connect, join, alice):
    """Server says goodbye to everybody before it ends: they may come back soon."""
    stranger, client = await connect(), await join(alice)
    await client.server.stop()
    await client.is_closed(1012)
    await stranger.is_closed(1012)


async def test_goodbye_to_many(connect, limits, story):
    """Server says goodbye to one after the other, so that not all come back at once."""
    limits(SHUTDOWN_TIME=0.5)
    clients = [await connect() for _ in range(20)]
    stopping = asyncio.create_task(clients[0].server.stop())
    ends = await asyncio.gather(*map(end, clients))
    await stopping
    if max(ends) - min(ends) < 0.1:
        raise Unmet("one goodbye after the other", "all at once", story)


async def end(client):
    """Return when the server says goodbye to a client."""
    await client.gets("the connection closed with 1012")
    return asyncio.get_running_loop().time()


async def test_goodbye_to_the_stalled(channel, join, limits, alice, bob, event):
    """Server ends in time, though a client doesn't read that it does."""
    limits(SHUTDOWN_TIME=0.2, MAX_UNREAD=10_000_000)
    client, stalled = await join(alice), await join(bob)
    stalled.stops_reading()
    await channel.bursts(event, 500, 6000)
    for _event in range(500):
        await client.hears_of("Emma")
    await client.server.stop()
    await client.is_closed(1012)


async def test_not_ready_any_more(join, limits, probe, alice, bob, slow_database):
    """Server that ends is not ready, though nothing else is wrong with it."""
    limits(SHUTDOWN_TIME=PATIENCE)
    slow_database.holds = "nothing"
    client, stalled = await join(alice), await join(bob)
    await probe(client.server, "/readyz", 200)
    slow_database.holds = ""
    asking = asyncio.create_task(probe(client.server, "/readyz", 503, "shutting down"))
    await slow_database.is_asked()
    stalled.stops_reading()  # so the goodbye lasts until the probe is answered
    stopping = asyncio.create_task(client.server.stop())
    await client.is_closed(1012)
    slow_database.answers()
    await asking
    stalled.reads_on()
    await stopping


async def test_command(python, unused_tcp_port):
    """``runrealtime`` says where it listens, serves, and ends on Ctrl-C."""
    command = ["-m", "django", "runrealtime", "--port", f"{unused_tcp_port}"]
    server = await python(*command)
    port = await server.says(r"Listening on ws://localhost:(\d+)/")
    assert str(unused_tcp_port) == port
    async with open_websocket(f"ws://localhost:{port}/") as websocket:
        await websocket.send("not a token")
        await websocket.wait_closed()
    assert 1008 == websocket.close_code
    await server.ends_on_ctrl_c()


async def test_help(python):
    """``runrealtime --help`` explains the command."""
    command = await python("-m", "django", "runrealtime", "--help")
    await command.shows(
        "runrealtime [-h] [--host HOST] [--port PORT]", "localhost", "8888"
    )


async def test_port_is_taken(python, connect):
    """``runrealtime`` says so if it cannot listen, in one line."""
    client = await connect()
    port = client.server.url.rstrip("/").rpartition(":")[2]
    command = ["-m", "django", "runrealtime", "--host", "127.0.0.1", "--port", port]
    server = await python(*command)
    await server.says(rf"(CommandError: Cannot listen on 127.0.0.1:{port}: .*in use)")
    await server.ends(1)


async def test_sigterm(python):
    """``runrealtime`` says goodbye to everybody when the machine is to stop."""
    server = await python("-m", "django", "runrealtime", "--port", "0")
    port = await server.says(r"Listening on ws://localhost:(\d+)/")
    async with open_websocket(f"ws://localhost:{port}/") as websocket:
        await server.ends_on(signal.SIGTERM)
        await websocket.wait_closed()
    assert 1012 == websocket.close_code


async def test_sigterm_and_no_database(python, alice, tmp_path):
    """``runrealtime`` ends in time, though the database doesn't answer."""
    file = tmp_path / "db.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        database.execute("BEGIN EXCLUSIVE")
        server = await python(
            *["-m", "django", "runrealtime", "--port", "0"],
            DATABASE_URL=f"sqlite:///{file}?timeout=60",
        )
        port = await server.says(r"Listening on ws://localhost:(\d+)/")
        async with open_websocket(f"ws://localhost:{port}/") as websocket:
            await websocket.send(get_token(alice))
            await (await websocket.ping())
            await server.ends_on(signal.SIGTERM)
            await websocket.wait_closed()
    assert 1012 == websocket.close_code


async def test_no_admin(python, tmp_path):
    """``runrealtime`` runs in a project that has little more than the users."""
    apps = ["django.contrib.auth", "django.contrib.contenttypes", "realtime"]
    slim = f"from settings import *\nINSTALLED_APPS = {apps}\nMIDDLEWARE = []\n"
    (tmp_path / "slim.py").write_text(f"{slim}TEMPLATES = []\nROOT_URLCONF = None\n")
    server = await python(
        *["-m", "django", "runrealtime", "--port", "0"],
        DJANGO_SETTINGS_MODULE="slim",
        PYTHONPATH=os.pathsep.join([*sys.path, str(tmp_path)]),
    )
    await server.says(r"(Listening on ws://localhost:\d+/)")
    await server.ends_on(signal.SIGTERM)


def test_no_settings(settings, story):
    """Every setting has a default, and no limit is left out by it."""
    from realtime.conf import Conf

    conf = Conf()
    unlimited = [name for name, value in vars(conf).items() if value is None]
    if unlimited != ["origins"]:
        raise Unmet("a default for all but origins", f"none for {unlimited}", story)
    assert conf.url.startswith("ws://")
    assert conf.cache in settings.CACHES
