"""A bus on a stream of Redis: it keeps the last messages, and each has an id."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from math import ceil
from typing import Any

from django_redis import get_redis_connection
from redis import RedisError
from redis.asyncio import Redis

from .bus import (
    Arrival,
    Bus,
    BusFails,
    Gap,
    Message,
    connection,
    primary,
    read,
    written,
)
from .conf import conf
from .notices import Notice

ID = re.compile("[0-9]{1,19}-[0-9]{1,19}")  # no number is too large for Redis
BEGINNING = Notice(everybody=True)  # so that no stream is empty

Fields = dict[bytes, bytes]


class StreamBus(Bus):
    """One stream for events and notices: together, they keep their order."""

    redis: Any
    last_id = ""  # of what a server has heard

    def write(self, redis: Any, message: Message) -> Any:
        field = "notice" if isinstance(message, Notice) else "event"
        fields = {field: written(message)}
        return redis.xadd(conf().channel, fields, maxlen=conf().stream_length)

    def newest(self) -> str | None:
        """Any page may ask: if Redis fails, leave it alone, as send() does."""
        start = time.monotonic()
        if start < max(self.pause_end, self.rest_end):
            return None
        try:
            redis = get_redis_connection(conf().cache)
            entries = redis.xrevrange(conf().channel, count=1)
            newest = entries[0][0] if entries else self.write(redis, BEGINNING)
        except (RedisError, ValueError):
            end = time.monotonic()
            self.rest_end = end + 10 * (end - start)
            return None
        return str(newest.decode())

    async def listen(self, redis: Redis) -> AsyncIterator[Arrival]:
        self.redis = redis
        begins = True
        while True:
            entries = await self.entries(self.last_id)
            if entries is None:
                self.last_id = await self.position()
                yield Arrival(self.last_id, Gap())
            elif begins:  # Django may have lost a notice, though we miss none
                yield Arrival(None, Notice(everybody=True))
            begins = False
            for id, fields in entries or []:
                self.last_id = id.decode()
                yield Arrival(self.last_id, understood(fields))
            await asyncio.sleep(0)  # this is passed on first; then ask what came since
            if not entries:
                await self.more(self.last_id)

    async def position(self) -> str:
        """Return the id of the last entry. If there is none, make one.

        A replica takes nothing: it hears of what is given to the primary.
        """
        while not (entries := await self.redis.xrevrange(conf().channel, count=1)):
            if conf().listen_url:
                async with connection(primary()) as redis:
                    await self.write(redis, BEGINNING)
            else:
                await self.write(self.redis, BEGINNING)
            await self.more("0-0")
        return str(entries[0][0].decode())

    async def more(self, after: str) -> None:
        """Wait a moment for what comes after an id."""
        wait = min(conf().ping_interval, conf().ping_timeout / 2)
        await self.redis.xread(
            {conf().channel: after}, count=1, block=ceil(1000 * wait)
        )

    async def history(self, after: str) -> list[Arrival] | None:
        try:
            entries = await self.entries(after)
        except (RedisError, OSError) as error:
            raise BusFails from error
        if entries is None:
            return None
        return [Arrival(id.decode(), understood(fields)) for id, fields in entries]

    async def entries(self, after: str) -> list[tuple[bytes, Fields]] | None:
        """Return the next entries after one, or None if that one isn't there."""
        if not ID.fullmatch(after):
            return None
        count = conf().page_size + 1
        entries = await self.redis.xrange(conf().channel, after, count=count)
        if not entries or entries[0][0] != after.encode():
            return None
        return list(entries[1:])


def understood(fields: Fields) -> Message | None:
    """Return what an entry of the stream says, or None if it makes no sense."""
    if b"notice" in fields:
        return read(fields[b"notice"], is_notice=True)
    return read(fields.get(b"event", b""), is_notice=False)
