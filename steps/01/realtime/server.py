"""A WebSocket server that greets users who prove who they are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sesame.utils import get_user
from websockets.asyncio.server import Server, ServerConnection, serve


async def handler(websocket: ServerConnection) -> None:
    """Greet the user whose token is the first message.

    Without a valid token, close the connection with code 1011.
    """
    token = await websocket.recv()
    user = await asyncio.to_thread(get_user, token)
    if user is None:
        await websocket.close(1011, "authentication failed")
        return
    await websocket.send(f"Hello {user}!")


@asynccontextmanager
async def running(host: str = "localhost", port: int = 8888) -> AsyncIterator[Server]:
    """Run the server on ``host`` and ``port`` as long as the context lasts."""
    async with serve(handler, host, port) as server:
        yield server
