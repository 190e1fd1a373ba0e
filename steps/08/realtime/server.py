"""A WebSocket server that tells users what happens to the models they may see."""

import asyncio
import json
import logging
from asyncio import BaseTransport, TaskGroup, timeout
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

import django.db
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from .access import Access, check_database, get_access, in_thread
from .bus import Event, Subscription
from .checks import Checks
from .conf import conf
from .logs import is_news, warn
from .notices import Notice

logger = logging.getLogger("realtime.server")

CONNECTIONS: dict["Connection", Access] = {}
STRANGERS: dict["Connection", None] = {}  # the oldest first
SUBSCRIPTION = Subscription()
CHECKS = Checks(CONNECTIONS)
HEARTBEAT = 20  # seconds


class Connection(ServerConnection):
    """A connection, which is a stranger until its user is known."""

    received = 0  # bytes since the last heartbeat
    deadline: asyncio.Timeout | None = None
    session: asyncio.Timeout  # ends when the user has to log in again

    def connection_made(self, transport: BaseTransport) -> None:
        """Push the oldest stranger out if there are too many."""
        super().connection_made(transport)
        self.missed = Notice()  # all notices while it is a stranger
        STRANGERS[self] = None
        if len(STRANGERS) > conf().max_strangers:
            warn(logger, "There are too many strangers: one was pushed out.")
            oldest = next(iter(STRANGERS))
            del STRANGERS[oldest]
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Cut the connection off if too much comes in."""
        super().data_received(data)
        self.received += len(data)
        if self.received > conf().max_input and not self.protocol.close_expected():
            warn(logger, "A client sent too much: it was cut off.")
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Don't wait for the database any longer, if the handler does."""
        super().connection_lost(exc)
        STRANGERS.pop(self, None)
        if self.deadline and not self.deadline.expired():
            self.deadline.reschedule(0)


class Refused(Exception):
    """A client isn't let in: a close code, and the reason."""


async def handler(websocket: Connection) -> None:
    """Let a user in whose token is the first message; then tell them what happens."""
    try:
        access = await authenticate(websocket)
        register(websocket, access)
        try:
            async with timeout(None) as websocket.session:
                tell([websocket], "ready")
                CHECKS.heed(websocket.missed, [websocket])
                while True:  # read what they say, or we never hear them leave
                    async for _part in websocket.recv_streaming():
                        pass
        except TimeoutError:
            raise Refused(1008, "no longer authenticated") from None
        finally:
            CONNECTIONS.pop(websocket, None)
    except Refused as refusal:
        code, reason = refusal.args
        await websocket.close(code, reason)
    except ConnectionClosed:
        pass
    except Exception:
        logger.exception("A connection failed.")
        await websocket.close(1011)


async def authenticate(websocket: Connection) -> Access:
    """Return what the user may see whose token is the first message.

    Raise Refused if there is no valid token, or if Redis or the database fail.
    """
    refusal = Refused(1008, "no token in time")
    try:
        async with timeout(conf().token_timeout) as websocket.deadline:
            parts = [part async for part in websocket.recv_streaming()]
            refusal = Refused(1013, "try again later")
            token = "".join(part for part in parts if isinstance(part, str))
            access = await in_thread(get_access, token)
            if access is None:
                raise Refused(1008, "authentication failed")
            await SUBSCRIPTION.active.wait()
    except TimeoutError:
        raise refusal from None
    except django.db.Error as error:
        warn(logger, "The database fails (%s).", type(error).__name__)
        raise refusal from None
    finally:
        websocket.deadline = None
    return access


def register(websocket: Connection, access: Access) -> None:
    """Remember a connection; raise Refused if its user has too many."""
    users = [other.user_id for other in CONNECTIONS.values()]
    if users.count(access.user_id) >= conf().max_per_user:
        raise Refused(1013, "too many connections")
    CONNECTIONS[websocket] = access
    STRANGERS.pop(websocket, None)
    websocket.received = 0
    logger.info("User %s connected.", access.user_id)


async def process_messages() -> None:
    """Relay the events that arrive on the bus, and heed the notices."""
    async for message in SUBSCRIPTION.messages():
        if isinstance(message, Notice):
            for stranger in STRANGERS:
                stranger.missed.update(message)
            CHECKS.heed(message, [*CONNECTIONS])
        else:
            relay(message)
        await asyncio.sleep(0)  # however many messages there are, others get a turn


def relay(event: Event) -> None:
    """Send an event to the users who may see its model."""
    recipients = [
        websocket
        for websocket, access in CONNECTIONS.items()
        if event["content_type_id"] in access.content_type_ids
    ]
    tell(recipients, "event", **event)


async def send_heartbeats() -> None:
    """Send every registered connection a sign of life, again and again."""
    while True:
        await asyncio.sleep(HEARTBEAT)
        tell(CONNECTIONS, "ping")
        for websocket in CONNECTIONS:
            websocket.received = 0


def tell(websockets: Iterable[ServerConnection], kind: str, /, **content: Any) -> None:
    """Send a message to some connections, as JSON; cut those off who don't read."""
    websockets = [*websockets]
    broadcast(websockets, json.dumps({"type": kind} | content))
    for websocket in websockets:
        if websocket.transport.get_write_buffer_size() > conf().max_unread:
            warn(logger, "A client does not read what it is sent: it was cut off.")
            websocket.transport.abort()


async def answer_probe(
    websocket: ServerConnection, request: Request
) -> Response | None:
    """Answer those who ask over HTTP whether the server is alive, and ready."""
    if request.path == "/healthz":
        return websocket.respond(HTTPStatus.OK, "alive\n")
    if request.path == "/readyz":
        if trouble := await trouble_of(websocket.server):
            return websocket.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"{trouble}\n")
        return websocket.respond(HTTPStatus.OK, "ready\n")
    return None


async def trouble_of(server: Server) -> str:
    """Return why a server is not ready, or an empty string if it is."""
    if not SUBSCRIPTION.active.is_set():
        return "Redis is lost"
    try:
        await in_thread(check_database)
    except django.db.Error:
        return "the database fails"
    return "" if server.is_serving() else "shutting down"


async def say_goodbye(server: Server) -> None:
    """Let nobody in, and send everybody away: one by one, and in a bounded time."""
    server.close(close_connections=False)
    connections = server.connections
    pause = min(0.01, conf().shutdown_time / 2 / (len(connections) or 1))
    with suppress(TimeoutError):
        async with timeout(conf().shutdown_time), TaskGroup() as tasks:
            for websocket in connections:
                tasks.create_task(websocket.close(1012))
                await asyncio.sleep(pause)
    for websocket in [*server.all_connections, *STRANGERS]:
        websocket.transport.abort()


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they end: in Python 3.11, wait_for() may overlook it."""
    for task in tasks:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)


@asynccontextmanager
async def running(host: str = "localhost", port: int = 8888) -> AsyncIterator[Server]:
    """Run the server on ``host`` and ``port`` as long as the context lasts."""
    silent = logging.getLogger("realtime.websockets")
    silent.setLevel(logging.CRITICAL)  # it would log every frame, tokens included
    logging.getLogger("asyncio").addFilter(is_news)
    async with (
        serve(
            handler,  # type: ignore[arg-type]  # its connections are ours
            host,
            port,
            create_connection=Connection,
            process_request=answer_probe,
            origins=conf().origins,
            compression=None,
            max_size=conf().max_message_size,
            open_timeout=conf().token_timeout,
            logger=silent,
        ) as server,
        TaskGroup() as tasks,
    ):
        listener = tasks.create_task(process_messages())
        heart = tasks.create_task(send_heartbeats())
        checker = tasks.create_task(CHECKS.run())
        clock = tasks.create_task(CHECKS.repeat())
        try:
            yield server
        finally:
            await say_goodbye(server)
            await end(listener, heart, checker, clock)
