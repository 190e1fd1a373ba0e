"""A bus on Redis' Pub/Sub: what is said while nobody listens is gone."""

from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from .bus import Arrival, Bus, Gap, Message, read, written
from .conf import conf
from .notices import Notice


class PubSubBus(Bus):
    """Two channels, one for events, and one for notices. Messages have no place."""

    def write(self, pipeline: Any, message: Message) -> None:
        is_notice = isinstance(message, Notice)
        channel = conf().notice_channel if is_notice else conf().channel
        pipeline.publish(channel, written(message))

    async def listen(self, redis: Redis) -> AsyncIterator[Arrival]:
        async with redis.pubsub() as pubsub:
            await pubsub.subscribe(conf().channel, conf().notice_channel)
            while True:
                message = await receive(pubsub)
                if message["data"] == 1:  # the first channel is confirmed
                    yield Arrival(None, Gap())
                if message["type"] == "message":
                    is_notice = message["channel"] != conf().channel.encode()
                    yield Arrival(None, read(message["data"], is_notice))


async def receive(pubsub: PubSub) -> dict[str, Any]:
    """Return what Redis says next. After a while, ask whether it is still there.

    Raise TimeoutError if it doesn't answer: a dead link looks like a silent one.
    """
    message: dict[str, Any] | None
    message = await pubsub.get_message(timeout=conf().ping_interval)
    if message is None:
        await pubsub.ping()
        message = await pubsub.get_message(timeout=conf().ping_timeout)
    if message is None:
        raise TimeoutError
    return message
