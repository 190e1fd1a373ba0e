"""Clients that keep to no rule: each gets the documented refusal, and costs little."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from tests.faults.clients import Connect, Raw, frame, raw
from tests.faults.figures import Figures
from tests.faults.lab import PATIENCE, Broken, Lab, Server

KIB, MIB = 1024, 1024 * 1024


async def drip(client: Raw, data: bytes) -> None:
    """Send one byte after the other, as long as the server takes them."""
    for byte in data:
        if client.lost.is_set():
            return
        client.transport.write(bytes([byte]))
        await asyncio.sleep(0.05)  # slower than any deadline


async def silence(client: Raw, token: str) -> None:
    """Connect, and say nothing."""


async def dripping(client: Raw, token: str) -> None:
    """Send a token that never comes to its end."""
    await drip(client, frame(token.encode())[:-1])


async def binary(client: Raw, token: str) -> None:
    """Send a token as bytes."""
    client.sends(token.encode(), opcode=2)


async def mebibyte(client: Raw, token: str) -> None:
    """Send a megabyte in the place of a token."""
    client.sends(b"A" * MIB)


async def bomb(client: Raw, token: str) -> None:
    """Send a few bytes that would be a megabyte when they are decompressed."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = deflate.compress(b"A" * MIB) + deflate.flush(zlib.Z_SYNC_FLUSH)
    client.transport.write(frame(data[:-4], rsv1=True))


async def fragments(client: Raw, token: str) -> None:
    """Send a message that has no end."""
    client.sends(b"A" * 10, fin=False)
    for _fragment in range(3000):
        client.sends(b"A" * 10, opcode=0, fin=False)
        if client.lost.is_set():
            return


async def unmasked(client: Raw, token: str) -> None:
    """Send what only servers may send."""
    client.transport.write(b"\x81\x05token")


async def reserved(client: Raw, token: str) -> None:
    """Send a frame of a kind that doesn't exist."""
    client.sends(b"", opcode=5)


async def garbage(client: Raw, token: str) -> None:
    """Send text that is no UTF-8."""
    client.sends(b"\xff\xfe\xfd")


async def flood(client: Raw, token: str) -> None:
    """Get in, and then talk without end."""
    client.sends(token.encode())
    while not client.lost.is_set() and client.transport.get_write_buffer_size() < MIB:
        client.sends(b"A" * 1000)
        await asyncio.sleep(0)


Attack = Callable[[Raw, str], Awaitable[None]]
REFUSALS: dict[Attack, str] = {
    silence: "1008 no token in time",
    dripping: "1008 no token in time",
    binary: "1008 authentication failed",
    mebibyte: "1009 frame with 1048576 bytes exceeds limit of 4096 bytes",
    bomb: "1002 reserved bits must be 0",
    unmasked: "1002 incorrect masking",
    reserved: "1002 invalid opcode",
    garbage: "1007 invalid start byte at position 0",
    fragments: "1009 ",
    flood: "1006",
}


@pytest.mark.parametrize(
    ("attack", "refusal"), REFUSALS.items(), ids=[each.__name__ for each in REFUSALS]
)
async def test_refusal(lab: Lab, attack: Attack, refusal: str) -> None:
    """A client that breaks a rule gets the documented refusal, and no traceback."""
    server = lab.serves(REALTIME_TOKEN_TIMEOUT=1)
    client = await raw(server.port, "permessage-deflate" if attack is bomb else "")
    await attack(client, lab.token("alice"))
    came = await client.ends()
    client.transport.abort()
    if not came.startswith(refusal):
        raise Broken(f"the end of the connection with {refusal}", came)
    if server.says("Traceback"):
        raise Broken("no traceback in the log", "one")


async def test_slow_handshake(lab: Lab) -> None:
    """A client that doesn't come to the end of its first request is cut off."""
    server = lab.serves(REALTIME_TOKEN_TIMEOUT=1)
    client = await raw(server.port, extensions=None)
    await drip(client, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 100)
    if (came := await client.ends()) != "1006":
        raise Broken("the connection cut off", came)


@pytest.fixture
async def held() -> AsyncIterator[list[Raw]]:
    """Clients that are held open until the end of the test."""
    clients: list[Raw] = []
    yield clients
    for client in clients:
        client.transport.abort()
    await asyncio.gather(*(client.lost.wait() for client in clients))


async def test_one_token(lab: Lab, held: list[Raw]) -> None:
    """Five hundred connections with one token: twenty of them get in."""
    server = lab.serves()
    held += [await raw(server.port) for _client in range(500)]
    token = lab.token("alice").encode()
    for client in held:
        client.sends(token)
    ends = [asyncio.create_task(client.ends(6 * PATIENCE)) for client in held]
    done: set[asyncio.Task[str]] = set()
    news, waiting = {*ends[:1]}, {*ends}
    while news and waiting:  # until nothing happens any more
        news, waiting = await asyncio.wait(
            waiting, timeout=PATIENCE / 2, return_when="FIRST_COMPLETED"
        )
        done |= news
    for end in waiting:
        end.cancel()
    came = [end.result() for end in done].count("1013 too many connections")
    if came != 480:
        raise Broken("480 of 500 connections refused with 1013", f"{came}")


async def settled(server: Server) -> int:
    """Return how much memory a server has when that no longer changes."""
    before, now = 0, server.memory()
    while abs(now - before) > 64 * KIB:
        await asyncio.sleep(0.2)  # it may be at work
        before, now = now, server.memory()
    return now


def squeezed(size: int) -> bytes:
    """Return a number of bytes as they are compressed in the beginning of a message."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    return deflate.compress(b"A" * size) + deflate.flush(zlib.Z_SYNC_FLUSH)


async def begins_message(server: Server, size: int) -> Raw:
    """Return a client that sends no end of a message; compressed, if it may be."""
    client = await raw(server.port, "permessage-deflate")
    if b"permessage-deflate" in client.head:
        client.transport.write(frame(squeezed(size), fin=False, rsv1=True))
    else:
        client.sends(b"A" * min(size, 4000), fin=False)  # no more than is allowed
    return client


async def test_memory_of_strangers(lab: Lab, held: list[Raw], figures: Figures) -> None:
    """A connection without a token costs no more than 20 KiB."""
    server = lab.serves(REALTIME_TOKEN_TIMEOUT=60)
    for _warming_up in range(20):
        (await begins_message(server, 10)).transport.abort()
    before = await settled(server)
    held += [await begins_message(server, 10) for _client in range(400)]
    each = (await settled(server) - before) / len(held)
    figures.at_most(20, "memory of a stranger", each / KIB, "KiB")


async def test_memory_of_hostile_clients(
    lab: Lab, held: list[Raw], figures: Figures
) -> None:
    """A hundred clients that send fragments without an end cost no more than 5 MiB."""
    server = lab.serves(REALTIME_TOKEN_TIMEOUT=60)
    for _warming_up in range(20):
        (await begins_message(server, 10)).transport.abort()
    before = await settled(server)
    for _client in range(50):
        held.append(await begins_message(server, 900 * KIB))
        held.append(client := await raw(server.port))
        for number in range(97):
            client.sends(b"A" * KIB, opcode=0 if number else 1, fin=False)
    came = (await settled(server) - before) / MIB
    figures.at_most(5, "memory of 100 hostile clients", came, "MiB")


async def test_crowd(
    lab: Lab, connect: Connect, held: list[Raw], figures: Figures, soak: bool
) -> None:
    """Thousands of connections are held open, and a real user gets in all the same.

    The server may have as many files open as is usual: 1,024.
    """
    server = lab.serves()
    server.may_open(1024)
    with suppress(TimeoutError):
        for _client in range(5000 if soak else 1500):
            async with asyncio.timeout(PATIENCE):  # a full server takes no more
                held.append(await raw(server.port, extensions=None))
            held[-1].upgrade()
    figures.note("connections held open", len(held), "connections")
    try:
        async with asyncio.timeout(20):
            user = await connect(server, open_timeout=None)
            lab.publishes(lab.event("Emma"))
            waited = await user.hears("Emma")
    except TimeoutError:
        raise Broken("a user who gets in", "nothing within 20 seconds") from None
    figures.at_most(1, "an event for the user in the crowd", waited, "s", 5)
