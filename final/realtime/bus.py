"""The bus, which carries events and notices from Django to the servers."""

import asyncio
import json
import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection
from dataclasses import asdict
from functools import cache
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string
from django_redis import get_redis_connection
from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from . import metrics
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


class Gap:
    """Nobody knows what was said before: something may have been missed."""


class Arrival(NamedTuple):
    """What a server reads: its place on the bus, if that has any, and what it says."""

    id: str | None
    content: Message | Gap | None  # None is what makes no sense


class BusFails(Exception):
    """The bus cannot tell what was said before. It may be able to later."""


class Bus(ABC):
    """A bus on Redis. Django holds one end of it, and each server another."""

    def __init__(self) -> None:
        self.lost = 0  # events, since Redis failed in Django
        self.pause_end = 0.0
        self.rest_end = 0.0  # of pages, which ask for the place of the last message
        self.active = asyncio.Event()  # set while a server hears what is said
        self.redis_lost = False

    # Django's end

    @abstractmethod
    def write(self, pipeline: Any, message: Message) -> None:
        """Put a message on the bus."""

    def newest(self) -> str | None:
        """Return the place of the last message, or None if that isn't known."""
        return None

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
                    self.write(pipeline, message)
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
            self.rest_end = 0.0
            if self.lost:
                logger.warning("Redis works again: %d events were lost.", self.lost)
                self.lost, self.pause_end = 0, 0.0

    # A server's end

    @abstractmethod
    def listen(self, redis: Redis) -> AsyncIterator[Arrival]:
        """Yield what arrives, until Redis fails. Begin with a gap, or a notice."""

    async def history(self, after: str) -> list[Arrival] | None:
        """Return the next messages after a place, or None if it is not known.

        Raise BusFails if Redis does.
        """
        return None

    async def messages(self) -> AsyncIterator[Arrival]:
        """Yield what arrives, for ever: if Redis is lost, listen again."""
        wait = SHORTEST_WAIT
        while True:
            try:
                async with connection(conf().listen_url or primary()) as redis:
                    async for arrival in self.listen(redis):
                        self.begins()
                        wait = SHORTEST_WAIT
                        yield arrival
            except (RedisError, OSError) as error:
                self.ends(error)
            await asyncio.sleep(random.uniform(0, min(wait, conf().longest_wait)))
            wait *= 2

    def begins(self) -> None:
        if self.active.is_set():
            return
        if self.redis_lost:
            logger.warning("Redis is back: events arrive again.")
            metrics.RECONNECTS.inc()
        else:
            logger.info("Listening to %r on Redis.", conf().channel)
        self.redis_lost = False
        self.active.set()

    def ends(self, error: Exception) -> None:
        if not self.redis_lost:
            name = type(error).__name__
            logger.warning("Redis is lost (%s): no events arrive.", name)
        self.redis_lost = True
        self.active.clear()


def new_bus() -> Bus:
    """Return a bus of the class that the settings name, for a server of its own."""
    bus: Bus = import_string(conf().bus)()
    return bus


@cache
def bus_of_django(path: str) -> Bus:
    """Return the bus that all of this process share to send messages."""
    return new_bus()


def primary() -> str:
    """Return the URL of the Redis that Django writes to."""
    return str(settings.CACHES[conf().cache]["LOCATION"])


def connection(url: str) -> Redis:
    """Return a connection to Redis that does nothing behind our back."""
    return Redis.from_url(
        url,
        socket_connect_timeout=conf().ping_timeout,
        socket_timeout=conf().ping_timeout,
        retry=Retry(NoBackoff(), 0),
    )


def written(message: Message) -> str:
    """Return what to put on the bus for a message."""
    if isinstance(message, Notice):
        return json.dumps(asdict(message), default=sorted)
    return json.dumps(message)


def read(data: bytes, is_notice: bool) -> Message | None:
    """Return the event or the notice in what came, with the keys that we know.

    Anybody may have sent it. If it is neither, log why, and return None.
    """
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
