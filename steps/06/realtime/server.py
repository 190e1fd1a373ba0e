"""A WebSocket server that tells users what happens to the models they may see."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from django.conf import settings
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from sesame.utils import get_user
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve

from .access import get_content_types

CONNECTIONS: dict[ServerConnection, set[int]] = {}
HEARTBEAT = 20  # seconds


async def handler(websocket: ServerConnection) -> None:
    """Register the connection of a user whose token is the first message.

    Without a valid token, close the connection with code 1011.
    """
    token = await websocket.recv()
    user = await asyncio.to_thread(get_user, token)
    if user is None:
        await websocket.close(1011, "authentication failed")
        return
    CONNECTIONS[websocket] = await asyncio.to_thread(get_content_types, user)
    try:
        tell([websocket], "ready")
        await websocket.wait_closed()
    finally:
        del CONNECTIONS[websocket]


async def process_events(pubsub: PubSub) -> None:
    """Send each event that arrives on the bus to the users who may see its model."""
    async for message in pubsub.listen():
        if message["type"] == "message":
            event = json.loads(message["data"])
            recipients = [
                websocket
                for websocket, content_type_ids in CONNECTIONS.items()
                if event["content_type_id"] in content_type_ids
            ]
            tell(recipients, "event", **event)


async def send_heartbeats() -> None:
    """Send every registered connection a sign of life, again and again."""
    while True:
        await asyncio.sleep(HEARTBEAT)
        tell(CONNECTIONS, "ping")


def tell(websockets: Iterable[ServerConnection], kind: str, /, **content: Any) -> None:
    """Send a message to some connections, as JSON."""
    broadcast(websockets, json.dumps({"type": kind} | content))


@asynccontextmanager
async def running(host: str = "localhost", port: int = 8888) -> AsyncIterator[Server]:
    """Run the server on ``host`` and ``port`` as long as the context lasts."""
    redis = Redis.from_url(settings.CACHES[settings.REALTIME_CACHE]["LOCATION"])
    async with redis, redis.pubsub() as pubsub:
        await pubsub.subscribe("events")
        await pubsub.get_message(timeout=None)  # Redis confirms the subscription
        async with serve(handler, host, port) as server, asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(process_events(pubsub))
            heart = tasks.create_task(send_heartbeats())
            yield server
            listener.cancel()
            heart.cancel()
