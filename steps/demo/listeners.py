"""Those who listen to events: the users, and a subscriber of the bus."""

import asyncio
import json
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import NamedTuple, NoReturn

from redis.asyncio.client import PubSub
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from . import HungUp, Problem

LEAVING = {CloseCode.GOING_AWAY, CloseCode.ABNORMAL_CLOSURE, CloseCode.SERVICE_RESTART}
REHEARSAL = " (rehearsal)"  # marks the names of objects whose events don't count


class Event(NamedTuple):
    """What an event says, as far as the demo shows it."""

    model: str
    object: str
    message: str


class Listener(ABC):
    """Somebody who listens to events, and expects those about some models."""

    def __init__(self, name: str, caption: str, expects: frozenset[str]) -> None:
        self.name = name
        self.caption = caption
        self.expects = expects
        self.inbox: asyncio.Queue[Event] = asyncio.Queue()
        self.hears = asyncio.Event()  # anything at all

    @abstractmethod
    async def listens(self) -> NoReturn:
        """Receive what comes; raise Problem when nothing more can come."""

    @abstractmethod
    async def settles(self) -> None:
        """Wait until everything has arrived that was sent before."""

    def receives(self, payload: str | bytes) -> None:
        """Put an event in the inbox; raise Problem if the payload makes no sense."""
        self.hears.set()
        try:
            content = json.loads(payload)
        except ValueError:
            content = None
        match content:
            case {"model": str(model), "object": str(name), "message": str(message)}:
                if REHEARSAL not in name:
                    self.inbox.put_nowait(Event(model, name, message))
            case {"type": _}:  # "ready", for one
                pass
            case _:
                raise Problem(f"{self.name} received {payload!r}, which is no event.")


class User(Listener):
    """A user with a WebSocket connection."""

    def __init__(
        self,
        name: str,
        caption: str,
        expects: frozenset[str],
        websocket: ClientConnection,
    ) -> None:
        super().__init__(name, caption, expects)
        self.websocket = websocket

    async def listens(self) -> NoReturn:
        with suppress(ConnectionClosed):
            while True:
                self.receives(await self.websocket.recv())
        code, reason = self.websocket.close_code, self.websocket.close_reason
        kind = HungUp if code in LEAVING else Problem
        raise kind(f"The server closed the connection of {self.name}: {code} {reason}.")

    async def settles(self) -> None:
        # The answer to a ping comes after all that was sent before it.
        with suppress(ConnectionClosed):
            answer = await self.websocket.ping()
            await answer


class Subscriber(Listener):
    """A subscriber of the bus."""

    def __init__(
        self, name: str, caption: str, expects: frozenset[str], pubsub: PubSub
    ) -> None:
        super().__init__(name, caption, expects)
        self.pubsub = pubsub
        self.answered = asyncio.Event()

    async def listens(self) -> NoReturn:
        async for message in self.pubsub.listen():
            if message["type"] == "message":
                self.receives(message["data"])
            elif message["type"] == "pong":
                self.answered.set()
        raise Problem(f"{self.name} ended the subscription.")

    async def settles(self) -> None:
        self.answered.clear()
        await self.pubsub.ping()
        await self.answered.wait()
