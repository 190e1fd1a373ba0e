"""The bus, which carries events and notices from Django to the servers: both ends."""

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django_redis import get_redis_connection
from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from .conf import conf
from .logs import warn
from .notices import Notice

logger = logging.getLogger("realtime.bus")

Event = dict[str, str | int]
Message = Event | Notice

# All that a server reads of an event, and passes on.
FIELDS: dict[str, type] = {
    "model": str,
    "object": str,
    "message": str,
    "timestamp": str,
    "user": str,
    "content_type_id": int,
    "object_id": str,
}
NOTICE_FIELDS: dict[str, type] = {"users": list, "logged_out": list, "everybody": bool}

SHORTEST_WAIT = 0.05  # seconds


class Bus:
    """The end where Django sends messages, and how Redis is."""

    def __init__(self) -> None:
        self.lost = 0  # events, since Redis failed
        self.pause_end = 0.0

    def send(self, messages: Collection[Message]) -> None:
        """Send messages, or lose them if Redis fails.

        Then leave it alone, for ten times as long as it took to fail.
        """
        start = time.monotonic()
        if start < self.pause_end:
            self.lost += len(messages)
            return
        try:
            redis = get_redis_connection(conf().cache)
            with redis.pipeline(transaction=False) as pipeline:
                for message in messages:
                    pipeline.publish(*addressed(message))
                pipeline.execute()
        except (RedisError, ValueError) as error:  # ValueError: an unreadable URL
            if not self.lost:
                # The error's text is left out, as it may quote a part of the URL.
                name = type(error).__name__
                logger.warning("Redis fails (%s): events are lost.", name)
            self.lost += len(messages)
            end = time.monotonic()
            self.pause_end = end + 10 * (end - start)
        else:
            if self.lost:
                logger.warning("Redis works again: %d events were lost.", self.lost)
                self.lost, self.pause_end = 0, 0.0


BUS = Bus()


class Subscription:
    """The end where a server hears of events. It outlives its connection to Redis."""

    def __init__(self) -> None:
        self.active = asyncio.Event()
        self.lost = False

    async def messages(self) -> AsyncIterator[Message]:
        """Yield what arrives, for ever: if Redis is lost, subscribe again.

        Nobody knows what was missed, so each subscription begins with a notice.
        """
        wait = SHORTEST_WAIT
        while True:
            try:
                async with connection() as redis, redis.pubsub() as pubsub:
                    await pubsub.subscribe(conf().channel, conf().notice_channel)
                    while True:
                        message = await receive(pubsub)
                        if message["data"] == 1:  # the first channel is confirmed
                            self.begins()
                            wait = SHORTEST_WAIT
                            yield Notice(everybody=True)
                        if message["type"] == "message" and (content := read(message)):
                            yield content
            except (RedisError, OSError) as error:
                self.ends(error)
            await asyncio.sleep(random.uniform(0, min(wait, conf().longest_wait)))
            wait *= 2

    def begins(self) -> None:
        if self.lost:
            logger.warning("Redis is back: events arrive again.")
        else:
            logger.info("Subscribed to the channel %r of Redis.", conf().channel)
        self.lost = False
        self.active.set()

    def ends(self, error: Exception) -> None:
        if not self.lost:
            name = type(error).__name__
            logger.warning("Redis is lost (%s): no events arrive.", name)
        self.lost = True
        self.active.clear()


def connection() -> Redis:
    """Return a connection to Redis that does nothing behind our back."""
    return Redis.from_url(
        settings.CACHES[conf().cache]["LOCATION"],
        socket_connect_timeout=conf().ping_timeout,
        socket_timeout=conf().ping_timeout,
        retry=Retry(NoBackoff(), 0),
    )


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


def addressed(message: Message) -> tuple[str, str]:
    """Return the channel for a message, and what to publish there."""
    if isinstance(message, Notice):
        return conf().notice_channel, json.dumps(asdict(message), default=sorted)
    return conf().channel, json.dumps(message)


def read(message: dict[str, Any]) -> Message | None:
    """Return the event or the notice in a message, with the keys that we know.

    Anybody may have sent it. If it is neither, log why, and return None.
    """
    data, is_notice = message["data"], message["channel"] != conf().channel.encode()
    fields = NOTICE_FIELDS if is_notice else FIELDS
    try:
        if len(data) > conf().max_event_size:
            raise ValueError("too large")
        values = json.loads(data)
        if not isinstance(values, dict):
            raise ValueError("no JSON object")
        for name, kind in fields.items():
            if type(values.get(name)) is not kind:
                raise ValueError(f"no {name}, or not of the type {kind.__name__}")
    except (ValueError, RecursionError) as error:
        # What json says may quote the message.
        reason = error if type(error) is ValueError else "no JSON"
        warn(logger, "A message on the bus is no event (%s).", reason)
        return None
    if is_notice:
        users, logged_out = map(str, values["users"]), map(str, values["logged_out"])
        return Notice({*users}, {*logged_out}, values["everybody"])
    return {name: values[name] for name in FIELDS}
