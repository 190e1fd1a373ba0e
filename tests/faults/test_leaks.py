"""Clients come and go, tens of thousands of them: nothing of them stays behind."""

import asyncio

from tests.faults.clients import Raw, raw
from tests.faults.figures import Figures
from tests.faults.lab import PATIENCE, Broken, Lab, Server

MIB = 1024 * 1024
AT_ONCE = 50


async def come_and_go(server: Server, lab: Lab, times: int) -> None:
    """Connect and disconnect a number of times, in four different ways."""
    tokens = [lab.token(f"user{at}").encode() for at in range(100)]

    async def visit(number: int) -> None:
        client = await raw(server.port, extensions=None if number % 4 == 0 else "")
        if number % 4 == 1:
            client.sends(b"not a token")
        elif number % 4 > 1:
            client.sends(tokens[number // 4 % 100])
            if lab.greets:
                await greeted(client)
            for _word in range(20 if number % 4 == 3 else 0):
                client.sends(b"anybody there?")
        client.transport.abort()
        await client.lost.wait()

    for start in range(0, times, AT_ONCE):
        await asyncio.gather(*map(visit, range(start, start + AT_ONCE)))


async def greeted(client: Raw) -> None:
    while b"ready" not in client.received and not client.lost.is_set():
        await asyncio.sleep(0.005)  # until the next look


async def is_back(server: Server, descriptors: int) -> None:
    """Expect a server to have no more files and sockets open than before."""
    for _look in range(10 * PATIENCE):
        if server.descriptors() <= descriptors:
            return
        await asyncio.sleep(0.1)  # until the next look
    raise Broken("descriptors back where they were", "more")


async def test_come_and_go(lab: Lab, figures: Figures, soak: bool) -> None:
    """After all have gone, descriptors and memory are back where they were."""
    server = lab.serves()
    descriptors = server.descriptors()
    # Until pools are filled, and the garbage collector has had something to do.
    await come_and_go(server, lab, 10_000 if soak else 1000)
    await is_back(server, descriptors + 8)  # of connections to the database
    descriptors, memory = server.descriptors(), server.memory()
    await come_and_go(server, lab, 100_000 if soak else 3000)
    await is_back(server, descriptors)
    grown = max(0, server.memory() - memory) / MIB
    figures.at_most(5, "memory after all have gone", grown, "MiB")
