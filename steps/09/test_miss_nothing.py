"""Miss nothing: who comes back hears what happened, or that nobody knows it."""

import asyncio
import json

import pytest
from django.db import transaction

from steps.fixtures.people import permission
from steps.grading import PATIENCE, Unmet

pytestmark = pytest.mark.usefixtures("stream")


@pytest.fixture
def act(story):
    """A function that does something to the database, in a thread of its own."""

    async def act(told, deed, *args):
        story.append(told)
        await asyncio.to_thread(deed, *args)

    return act


async def hears_all(client, names):
    """Expect events about all of these things next, in this order."""
    for name in names:
        await client.hears_of(name)


async def hears_much(client, volumes):
    """Let 300 large events come, which a client reads; return their names."""
    names = []
    for _time in range(30):
        names += (ten := volumes(10, message="A" * 5_000))
        await hears_all(client, ten)
    return names


# Who comes back


async def test_place(join, change, alice, book, story):
    """Each event has an id, and who comes learns that of the last one."""
    client = await join(alice)
    await client.is_live()
    before = client.place
    await change(book)
    await client.hears_of(book)
    late = await join(alice)
    await late.is_live()
    if not before < client.place == late.place:
        came = f"{before!r}, then {client.place!r}, and {late.place!r} for who came"
        raise Unmet("ids that grow, the same for everybody", came, story)


async def test_missed(join, come_back, change, alice, book, order):
    """Who comes back receives what happened, in order, and then what happens."""
    client, witness = await join(alice), await join(alice)
    await change(book)
    await client.hears_of(book)
    await client.leaves()
    for thing in [order, book]:
        await change(thing)
    for thing in [book, order, book]:
        await witness.hears_of(thing)
    back = await come_back(alice, client.place, client.server)
    await back.hears_of(order)
    await back.hears_of(book)
    await change(order)
    await back.hears_of(order)
    back.heard("event", "event", "ready", "event")


async def test_not_missed(join, come_back, change, alice, book):
    """Who missed nothing receives nothing, wherever they come back to."""
    client = await join(alice)
    await client.is_live()
    await client.leaves()
    for server in [client.server, None]:
        back = await come_back(alice, client.place, server)
        await back.is_live()
        await back.hears_nothing_more()


async def test_restart(join, start_server, come_back, volumes, alice):
    """A server knows what happened before it was started."""
    client = await join(alice)
    await client.is_live()
    await client.server.stop()
    missed = volumes(3)
    back = await come_back(alice, client.place, await start_server())
    await hears_all(back, missed)
    await back.is_live(*["event"] * 3)


async def test_filter(join, come_back, change, bob, alice, book, order, author):
    """Who comes back receives what they may see, and nothing else."""
    client = await join(bob)
    await client.is_live()
    await client.leaves()
    for thing in [order, book, author]:
        await change(thing)
    back = await come_back(bob, client.place, client.server)
    await back.hears_of(book)
    await back.is_live("event")
    await back.hears_nothing_more()


async def test_permission_now(join, come_back, act, change, bob, book, order):
    """What somebody may see is decided when they come back, not when it happened."""
    client = await join(bob)
    await client.is_live()
    await client.leaves()
    await change(book)
    await change(order)
    await act("bob came to see orders instead of books", see_orders, bob)
    back = await come_back(bob, client.place, client.server)
    await back.hears_of(order)
    await back.is_live("event")


def see_orders(bob):
    bob.user_permissions.set([permission("change_order")])


async def test_revoked_meanwhile(
    join, come_back, watch, act, limits, volumes, bob, book, story
):
    """Who loses a permission while they are told what they missed is told no more."""
    limits(MAX_UNREAD=100_000)
    client = await join(bob)
    await client.is_live()
    place = client.place
    await hears_much(client, volumes)
    viewer = await watch(bob, client.server)
    back = await come_back(bob, place, client.server)
    await back.hears_of("Volume 1")
    back.stops_reading()
    await act("bob lost sight of books", bob.user_permissions.clear)
    await viewer.ceases_to_see(book, within=PATIENCE)
    back.reads_on()
    await back.is_told("ready")
    if (came := back.types.count("event")) > 200:
        raise Unmet("the events that were on their way", f"{came} events", story)


async def test_idle(start_server, join, change, bob, order, story):
    """Who sees nothing for long learns how far things have come, and keeps up."""
    client = await join(bob, await start_server(HEARTBEAT=0.01))
    await client.is_told("ready")
    before = client.place
    await change(order)
    try:
        async with asyncio.timeout(PATIENCE):
            while client.place == before:
                await asyncio.sleep(0.001)
    except TimeoutError:
        raise Unmet("a heartbeat with another id", "none", story) from None


# Who comes while much happens


async def test_storm(join, come_back, limits, volumes, alice):
    """However much happens while they come, all receive each event once, in order."""
    limits(RECENT=20, PAGE_SIZE=10)
    client = await join(alice)
    await client.is_live()
    place = client.place
    names = volumes(100)
    back = []
    for _client in range(10):
        back.append(await come_back(alice, place, client.server))
        names += volumes(30)
    for each in [client, *back]:
        await hears_all(each, names)
        await each.hears_nothing_more()


async def test_many(link, join, come_back, limits, volumes, alice, story):
    """Many who come back after a moment are told from memory: Redis isn't asked.

    The server has read it before, page by page.
    """
    limits(PAGE_SIZE=1)
    client = await join(alice)
    await client.is_live()
    place, before = client.place, link.requests
    missed = volumes(10)
    await hears_all(client, missed)
    if (came := link.requests - before) < 10:
        raise Unmet("a question for each of 10 pages", f"{came} questions", story)
    before = link.requests
    for _client in range(15):
        back = await come_back(alice, place, client.server)
        await hears_all(back, missed)
    if (came := link.requests - before) > 10:
        raise Unmet("no question to Redis for each of 15 clients", f"{came}", story)


async def test_much(join, come_back, limits, volumes, alice):
    """Who missed more than may be on its way to them receives it by and by."""
    limits(MAX_UNREAD=100_000)
    client = await join(alice)
    await client.is_live()
    place = client.place
    missed = await hears_much(client, volumes)
    back = await come_back(alice, place, client.server)
    await hears_all(back, missed)
    await back.is_live(*["event"] * 300)


async def test_stalled(join, come_back, limits, volumes, alice, bob):
    """Who doesn't read what they missed is sent away, and keeps nobody waiting."""
    limits(MAX_UNREAD=100_000, MAX_REPLAYS=1, PAGE_TIMEOUT=0.5)
    client = await join(alice)
    await client.is_live()
    place = client.place
    missed = await hears_much(client, volumes)
    stalled = await come_back(bob, place, client.server)
    await stalled.hears_of("Volume 1")
    stalled.stops_reading()
    back = await come_back(alice, place, client.server)
    await hears_all(back, missed)
    await back.server.has_registered(2)


async def test_waiting(
    link, start_server, join, come_back, limits, volumes, alice, bob, story
):
    """Who waits to be told what they missed hears a sign of life."""
    limits(RECENT=1)
    client = await join(alice, await start_server(HEARTBEAT=0.01))
    await client.is_told("ready")
    place = client.place
    await hears_all(client, volumes(2))
    link.falls_silent()
    back = await come_back(bob, place, client.server)
    await back.hears_heartbeats(1)
    if (first := back.types[0]) != "ping":
        raise Unmet("heartbeats before all else", f"first a message {first!r}", story)


async def test_ahead(
    redis, request, join, come_back, limits, start_server, volumes, alice
):
    """Who comes from a server that is faster hears nothing twice."""
    limits(PING_TIMEOUT=0.5)
    client = await join(alice)
    link = request.getfixturevalue("link")
    slower = await start_server()
    await (await join(alice, slower)).is_live()
    link.breaks()
    await hears_all(client, volumes(3))
    back = await come_back(alice, client.place, slower)
    await back.is_live()
    await hears_all(back, volumes(3))
    await back.hears_nothing_more()


# What nobody knows


UNKNOWN = {
    "nothing": "",
    "words": "yesterday",
    "one number": "1",
    "beginning": "0-0",
    "past": "1-1",
    "future": "9999999999999-0",
    "huge": f"{2**64}-0",
    "huger": f"{10**30}-{10**30}",
    "negative": "-1-1",
    "first": "-",
    "last": "+",
    "new": "$",
    "zero": "0\0-0",
    "other digits": "\N{ARABIC-INDIC DIGIT ONE}-1",
    "leading zero": "01-1",
    "two": ["1-1", "2-2"],
    "long": "1" * 3000,
}


@pytest.mark.parametrize("after", UNKNOWN.values(), ids=UNKNOWN)
async def test_unknown(come_back, channel, server_log, alice, event, after):
    """Who comes back after what nobody knows is told so, and hears what happens."""
    client = await come_back(alice, after)
    await client.is_live("resync")
    channel.publishes(json.dumps(event).encode())
    await client.hears_of("Emma")
    await client.leaves()
    await client.server.has_registered(0)
    server_log.tells_of_no_error()


async def test_trimmed(kept, join, start_server, come_back, volumes, alice):
    """Who was away for longer than history goes back is told so."""
    client = await join(alice)
    await client.is_live()
    await client.leaves()
    volumes(5)
    kept.is_trimmed(4)
    server = await start_server()
    back = await come_back(alice, client.place, server)
    await back.is_live("resync")
    again = await come_back(alice, back.place, server)
    await again.is_live()


async def test_lost(kept, join, come_back, limits, volumes, alice):
    """If Redis loses its data, those who are there are told so, and those who come."""
    limits(PING_TIMEOUT=0.1)
    client, other = await join(alice), await join(alice)
    await client.is_live()
    await other.leaves()
    kept.is_lost()
    await client.is_told("resync")
    for _time in range(2):
        back = await come_back(alice, client.place, client.server)
        await back.is_live()
        await hears_all(client, volumes(3))
    late = await come_back(alice, other.place, client.server)
    await late.is_live("resync")


async def test_empty(kept, join, come_back, volumes, alice):
    """Also who comes before anything has ever happened misses nothing."""
    kept.is_lost()
    client = await join(alice)
    await client.is_live()
    await client.leaves()
    missed = volumes(2)
    back = await come_back(alice, client.place, client.server)
    await hears_all(back, missed)
    await back.is_live("event", "event")


async def test_redis_fails(redis, join, come_back, limits, volumes, alice):
    """If Redis fails while a client is told what it missed, it has to come back."""
    limits(RECENT=1)
    client = await join(alice)
    await client.is_live()
    place = client.place
    await hears_much(client, volumes)
    back = await come_back(alice, place, client.server)
    await back.hears_of("Volume 1")
    back.stops_reading()
    redis.stops()
    back.reads_on()
    await back.is_closed_in_the_end(1013, "try again later")


async def test_nonsense(join, come_back, channel, change, alice, book):
    """What makes no sense is skipped in history, too."""
    client = await join(alice)
    await client.is_live()
    await client.leaves()
    channel.publishes(b"no event", "what is no event")
    channel.publishes(b"", "what has another name", place="gossip")
    await change(book)
    back = await come_back(alice, client.place)
    await back.hears_of(book)
    await back.is_live("event")


# What Redis keeps


def test_length(kept, limits, bob, story):
    """Redis keeps as many messages as the settings say, and not many more."""
    from realtime.events import publish

    limits(STREAM_LENGTH=100)
    with transaction.atomic():
        for _time in range(500):
            publish(bob, "Changed.")
    if not 100 <= kept.length() <= 300:
        raise Unmet("100 messages, or a few more", f"{kept.length()}", story)


async def test_cut_off(link, join, limits, volumes, alice):
    """Who stays connected misses nothing while its server is cut off from Redis."""
    limits(PING_TIMEOUT=0.2)
    client = await join(alice)
    await client.is_live()
    await hears_all(client, volumes(2))
    link.breaks()
    await hears_all(client, volumes(200))
    await client.hears_nothing_more()
    client.heard("ready", *["event"] * 202)


async def test_logout_kept(link, watch, channel, limits, bob, carol):
    """A server that is cut off hears later who has logged out."""
    limits(PING_TIMEOUT=0.2)
    viewer, other = await watch(bob), await watch(carol)
    link.breaks()
    notice = {"users": [], "logged_out": [str(bob.pk)], "everybody": False}
    channel.publishes(json.dumps(notice).encode(), "that bob has logged out", "notice")
    await viewer.is_shut_out(within=PATIENCE)
    await other.stays()


async def test_redis_restarts(
    redis, join, watch, act, come_back, limits, volumes, alice, carol
):
    """If Redis comes back with its data, nothing is missed.

    What Django could not say meanwhile is looked up.
    """
    limits(CHECK_PERIOD=3600)
    client, other = await join(alice), await join(alice)
    [first] = volumes(1)
    await client.hears_of(first)
    await other.hears_of(first)
    viewer = await watch(carol, client.server)
    await other.leaves()
    redis.stops()
    await act("carol was deactivated", deactivate, carol)
    redis.returns_with_its_data()
    missed = volumes(3)
    await hears_all(client, missed)
    client.heard("ready", *["event"] * 4)
    back = await come_back(alice, other.place, client.server)
    await hears_all(back, missed)
    await back.is_live(*["event"] * 3)
    await viewer.is_shut_out(within=PATIENCE)


def deactivate(user):
    user.is_active = False
    user.save()


# Both buses


@pytest.mark.usefixtures("any_bus")
async def test_redis_returns_empty(redis, channel, join, alice, event):
    """If Redis comes back without its data, those who are connected are told so."""
    client = await join(alice)
    await client.is_live()
    redis.stops()
    redis.returns()
    await client.is_told("resync")
    await channel.reaches(client, event)
    if client.types.count("resync") != 1:
        raise Unmet("one resync", f"{client.types}", client.story)


@pytest.mark.parametrize("after", ["", "1-1"])
async def test_no_history(settings, come_back, change, alice, book, after):
    """On Pub/Sub, nobody knows what was missed: who comes back is told so."""
    settings.REALTIME_BUS = "realtime.pubsub.PubSubBus"
    client = await come_back(alice, after)
    await client.is_live("resync")
    await change(book)
    await client.hears_of(book)


# The page


async def test_page(browser_of, come_back, change, bob, book):
    """What happens between the making of a page and its connection is not missed."""
    page = await asyncio.to_thread(open_page, browser_of, bob)
    await change(book)
    back = await come_back(bob, page.data("after"))
    await back.hears_of(book)
    await back.is_live("event")


async def test_first_page(kept, browser_of, come_back, bob, story):
    """There is a place to come back to before anything has ever happened.

    It is made once: later pages say nothing on the bus.
    """
    kept.is_lost()
    page = await asyncio.to_thread(open_page, browser_of, bob)
    back = await come_back(bob, page.data("after"))
    await back.is_live()
    await asyncio.to_thread(open_page, browser_of, bob)
    if (came := kept.length()) != 1:
        raise Unmet("one message on the bus", f"{came}", story)


def open_page(browser_of, user):
    return browser_of(user).gets("/realtime/")


def test_page_without_redis(redis, browser_of, stopwatch, bob):
    """The page is there while Redis is not, and soon."""
    browser = browser_of(bob)
    with stopwatch.learns():
        browser.gets("/realtime/").data("after")
    redis.hangs()
    with stopwatch.compares():
        browser.gets("/realtime/").lacks_data("after")
    browser.gets("/realtime/").lacks_data("after")


def test_pages_after_a_failure(redis, browser_of, book_admin, stopwatch, bob):
    """Where a save has just waited for Redis in vain, the pages after it don't."""
    browser = browser_of(bob)
    with stopwatch.learns():
        for _page in range(8):
            browser.gets("/realtime/").data("after")
    redis.hangs()
    book_admin.adds("Emma")
    with stopwatch.compares():
        for _page in range(8):
            browser.gets("/realtime/").lacks_data("after")
