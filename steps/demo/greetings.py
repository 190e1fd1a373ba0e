"""Greetings: what the server says to a user, in the first steps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from . import PATIENCE, Problem
from .shop import Person


@asynccontextmanager
async def connected(person: Person, server: str) -> AsyncIterator[ClientConnection]:
    """Connect a user to the server and send their token; raise Problem if we can't."""
    try:
        websocket = await connect(server, open_timeout=PATIENCE)
    except (OSError, WebSocketException) as error:
        raise Problem(f"The server does not let us connect: {error!r}") from error
    async with websocket:
        await websocket.send(person.token())
        yield websocket


async def greeting(person: Person, server: str) -> str:
    """Return how the server greets a user; raise Problem if it isn't by name."""
    async with connected(person, server) as websocket:
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await websocket.recv()
        except (ConnectionClosed, TimeoutError) as error:
            raise Problem(
                f"The server does not greet {person.name}: {error!r}"
            ) from error
    if answer != f"Hello {person.name}!":
        raise Problem(f"The server says {answer!r} to {person.name}.")
    return answer
