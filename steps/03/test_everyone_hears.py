"""Everyone hears: the server sends each event to all who are authenticated."""

import asyncio
from secrets import token_hex

import pytest

from django_site.bookshop.models import Book


async def test_everyone(join, change, alice, bob, book):
    """Everyone who is authenticated hears of an event, once."""
    clients = [await join(alice), await join(bob)]
    await change(book)
    for client in clients:
        await client.hears_of(book)
        await client.hears_nothing_more()


async def test_two_browsers(join, change, alice, book):
    """A user with two connections hears of an event on both."""
    clients = [await join(alice), await join(alice)]
    await change(book)
    for client in clients:
        await client.hears_of(book)


async def test_order(join, change, alice, bob):
    """Events arrive in the order in which they happened."""
    clients = [await join(alice), await join(bob)]
    books = [Book(pk=number, title=f"Volume {number}") for number in range(1, 21)]
    for book in books:
        await change(book)
    for client in clients:
        for book in books:
            await client.hears_of(book)
        await client.hears_nothing_more()


async def test_same_event(join, change, bus, alice, book):
    """What arrives is what was published."""
    client = await join(alice)
    await change(book)
    await client.hears_of(book, **bus.hears_one_event())


async def test_no_token_yet(connect, join, change, alice, book):
    """A client that has not sent a token hears nothing."""
    silent, client = await connect(), await join(alice)
    await change(book)
    await client.hears_of(book)
    await silent.hears_nothing_more()


async def test_refused(connect, join, change, alice, book):
    """A client that was refused hears nothing: the server does not register it."""
    refused, client = await connect(), await join(alice)
    await refused.sends("not a token")
    await refused.is_refused()
    await change(book)
    await client.hears_of(book)
    await client.server.has_registered(1)


async def test_leaving(join, change, alice, bob, book):
    """Server forgets a client that leaves, and the others hear on."""
    client, leaving = await join(alice), await join(bob)
    await leaving.leaves()
    await change(book)
    await client.hears_of(book)
    await client.server.has_registered(1)


async def test_vanishing(join, change, alice, bob):
    """Server forgets a client that vanishes among events, and the others miss none."""
    client, vanishing = await join(alice), await join(bob)
    books = [Book(pk=number, title=f"Volume {number}") for number in range(1, 11)]
    for book in books:
        await change(book)
        if book.pk == 5:
            await vanishing.vanishes()
    for book in books:
        await client.hears_of(book)
    await client.server.has_registered(1)


async def test_slow_reader(join, change, bus, alice, bob, book):
    """A client that stops reading keeps nobody waiting."""
    client, stalled = await join(alice), await join(bob)
    stalled.stops_reading()
    await change(book)
    event = bus.hears_one_event()
    bus.repeats(event, 20, message=token_hex(20_000))
    for _event in range(21):
        await client.hears_of(book)


@pytest.mark.until("07", "from step 07 on, clients connect first, and then it is ready")
async def test_subscribed_first(start_server, slow_bus):
    """Server is subscribed to the bus before the first client can connect."""
    starting = asyncio.create_task(start_server())
    await slow_bus.holds_up(starting)
    slow_bus.confirms()
    await starting
