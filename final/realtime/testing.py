"""What a project needs to test its notifications. It takes no Redis.

class OrderTests(TestCase):
    def test_payment(self):
        with captured_events() as events:
            self.order.pay()
        self.assertEqual(["Paid."], [event["message"] for event in events])
"""

import asyncio
import importlib.util
import json
import socket
from asyncio import AbstractEventLoop, timeout
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from types import ModuleType
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, transaction
from django.test import TestCase, override_settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .access import make_token
from .bus import Arrival, Bus, Event, Gap, Message, bus_of_django, read, written
from .conf import conf
from .notices import Notice

PATIENCE = 5  # seconds; what takes longer is not coming

SAID: list[Arrival] = []
LISTENERS: dict[asyncio.Event, AbstractEventLoop] = {}


class MemoryBus(Bus):
    """A bus within this process; all share it whose ``REALTIME_BUS`` it is."""

    def send(self, messages: Collection[Message]) -> None:
        for message in messages:
            self.write(None, message)
        for more, loop in LISTENERS.items():
            loop.call_soon_threadsafe(more.set)

    def write(self, redis: Any, message: Message) -> None:
        content = read(written(message).encode(), isinstance(message, Notice))
        SAID.append(Arrival(f"{len(SAID) + 1}-0", content))

    def newest(self) -> str:
        return SAID[-1].id or "" if SAID else "0-0"

    async def messages(self) -> AsyncIterator[Arrival]:
        async for arrival in self.listen(None):
            self.active.set()
            yield arrival

    async def listen(self, redis: Any) -> AsyncIterator[Arrival]:
        place, more = len(SAID), asyncio.Event()
        LISTENERS[more] = asyncio.get_running_loop()
        try:
            yield Arrival(self.newest(), Gap())
            while True:
                more.clear()
                for arrival in SAID[place:]:
                    yield arrival
                    place += 1
                await more.wait()
        finally:
            del LISTENERS[more]


def in_memory() -> override_settings:
    """Put a bus in memory in the place of the project's own."""
    return override_settings(REALTIME_BUS=f"{__name__}.MemoryBus")


@contextmanager
def captured_events(using: str = DEFAULT_DB_ALIAS) -> Iterator[list[Event]]:
    """Collect the events of a block of code; at its end, they are in the list."""
    events: list[Event] = []
    start = len(SAID)
    with in_memory(), committed(using):
        yield events
    contents = [arrival.content for arrival in SAID[start:]]
    events += [content for content in contents if isinstance(content, dict)]


@contextmanager
def committed(using: str) -> Iterator[None]:
    """Do what is to be done on commit: a test case of Django never commits."""
    with TestCase.captureOnCommitCallbacks(using=using, execute=True):
        # What follows joins no messages that wait for the commit already.
        transaction.on_commit(lambda: None, using=using)
        yield


class Client:
    """A client of a user, as a browser is one."""

    def __init__(self, websocket: ClientConnection, server: ModuleType) -> None:
        self.websocket = websocket
        self.server = server
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.reader = asyncio.create_task(self.read())

    async def read(self) -> None:
        with suppress(ConnectionClosed):  # what the test expects next will tell
            async for message in self.websocket:
                self.inbox.put_nowait(json.loads(message))

    async def hears(self, kind: str = "event") -> dict[str, Any]:
        """Return the next message of a type; raise TimeoutError if none comes."""
        async with timeout(PATIENCE):
            while True:
                message = await self.inbox.get()
                if message["type"] == kind:
                    return message

    async def hears_nothing(self) -> None:
        """Raise AssertionError if an event came, of all that have been published."""
        async with timeout(PATIENCE):
            while self.server.RECENT.last_id != bus_of_django(conf().bus).newest():
                await asyncio.sleep(0.001)
            await (await self.websocket.ping())
        while not self.inbox.empty():
            message = self.inbox.get_nowait()
            assert message["type"] != "event", message

    def stops_reading(self) -> None:
        """Read nothing any more, as a computer does that is put to sleep."""
        self.websocket.transport.pause_reading()


@asynccontextmanager
async def connected(*users: Any) -> AsyncIterator[list[Client]]:
    """Run a server on a bus in memory, and connect users, each with a client.

    Its threads have database connections of their own: it takes a TransactionTestCase.
    """
    failure = None
    async with AsyncExitStack() as stack:
        stack.enter_context(in_memory())
        module = new_server()
        running = await stack.enter_async_context(module.running("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
        origin = next((each for each in conf().origins or [] if each), None)
        clients = []
        for user in users:
            connection = connect(url, origin=origin, proxy=None)
            websocket = await stack.enter_async_context(connection)
            stack.callback(websocket.transport.resume_reading)
            await websocket.send(make_token(user))
            client = Client(websocket, module)
            await client.hears("ready")
            clients.append(client)
        try:
            yield clients
        except Exception as error:
            failure = error
    if failure:  # as it is: the tasks of the server would make a group of it
        raise failure


def new_server() -> ModuleType:
    """Return a server with globals of its own, as another process has them."""
    spec = importlib.util.find_spec(f"{__package__}.server")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def redis_down(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Let nobody listen where Redis should be; a block of code is to work all the same.

    Its events are lost at its end, when a transaction would be committed.
    """
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with redis_at(nobody, using):
            yield


@contextmanager
def redis_hanging(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Let somebody listen where Redis should be, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener, redis_at(listener, using):
        yield


@contextmanager
def redis_at(place: socket.socket, using: str) -> Iterator[None]:
    alias = conf().cache
    url = f"redis://127.0.0.1:{place.getsockname()[1]}/0"
    cache = settings.CACHES[alias] | {"LOCATION": url}
    bus_of_django.cache_clear()  # it may know that Redis failed, or works
    with (
        override_settings(CACHES=settings.CACHES | {alias: cache}),
        committed(using),
    ):
        yield
    bus_of_django.cache_clear()
