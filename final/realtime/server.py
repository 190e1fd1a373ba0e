"""A WebSocket server that tells users what happens to the models they may see."""

import asyncio
import logging
from asyncio import BaseTransport, TaskGroup, timeout
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qs

import django.db
from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from . import frames, metrics
from .access import Access, check_database, in_thread
from .bus import BusFails, Gap, new_bus
from .checks import Checks
from .conf import conf
from .door import Door
from .hub import Hub, write
from .logs import is_news, warn
from .notices import Notice
from .recent import Entry, Recent

logger = logging.getLogger("realtime.server")

HUB = Hub()
CONNECTIONS = HUB.connections
STRANGERS: dict["Connection", None] = {}  # no token yet; the oldest first
NEWCOMERS: dict["Connection", Notice] = {}  # with a token, and what they missed since
BUS = new_bus()
RECENT = Recent()
REPLAYS = asyncio.Semaphore(conf().max_replays)
DOOR = Door(HUB.known)
CHECKS = Checks(HUB)
HEARTBEAT = 20  # seconds
SILENCE = 2  # heartbeats without an answer, until a client is taken for gone


class Connection(ServerConnection):
    """A connection, which is a stranger until its user is known."""

    received = 0  # bytes since the last heartbeat
    silence = 0  # heartbeats
    live = False  # until it has been told what it missed
    deadline: asyncio.Timeout | None = None
    session: asyncio.Timeout  # ends when the user has to log in again
    missed: Notice  # all notices since the token came, until it is verified

    def connection_made(self, transport: BaseTransport) -> None:
        """Push the oldest stranger out if there are too many."""
        super().connection_made(transport)
        STRANGERS[self] = None
        while len(STRANGERS) > conf().max_strangers:
            next(iter(STRANGERS)).cut_off("There are too many strangers")

    def data_received(self, data: bytes) -> None:
        """Cut the connection off if too much comes in."""
        super().data_received(data)
        self.received += len(data)
        if self.received > conf().max_input and not self.protocol.close_expected():
            self.cut_off("A client sent too much")

    def cut_off(self, reason: str) -> None:
        """End the connection without a word, and send it nothing any more."""
        warn(logger, f"{reason}: it was cut off.")
        metrics.CUT_OFF.labels(reason).inc()
        self.forget()
        self.transport.abort()

    def forget(self) -> None:
        """Take it off all lists of connections that there are."""
        HUB.leave(self)
        STRANGERS.pop(self, None)
        NEWCOMERS.pop(self, None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Don't wait for the database any longer, if the handler does."""
        super().connection_lost(exc)
        self.forget()
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
                CHECKS.heed(websocket.missed, [websocket])
                await go_live(websocket)
                while True:  # read what they say, or we never hear them leave
                    async for _part in websocket.recv_streaming():
                        pass
        except TimeoutError:
            raise Refused(1008, "no longer authenticated") from None
        finally:
            HUB.leave(websocket)
    except Refused as refusal:
        code, reason = refusal.args
        metrics.REFUSALS.labels(code).inc()
        if websocket in NEWCOMERS:
            del NEWCOMERS[websocket]
            STRANGERS[websocket] = None  # which is pushed out if it doesn't leave
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
            if len(NEWCOMERS) >= conf().max_waiting:
                raise refusal
            STRANGERS.pop(websocket, None)
            NEWCOMERS[websocket] = websocket.missed = Notice()
            token = "".join(part for part in parts if isinstance(part, str))
            access = await DOOR.verify(token)
            if access is None:
                raise Refused(1008, "authentication failed")
            await BUS.active.wait()
    except TimeoutError:
        raise refusal from None
    except django.db.Error as error:
        warn(logger, "The database fails (%s).", type(error).__name__)
        raise refusal from None
    finally:
        websocket.deadline = None
    return access


def register(websocket: Connection, access: Access) -> None:
    """Let a connection hear what happens; raise Refused if its user has too many."""
    if len(HUB.of_user.get(str(access.user_id), ())) >= conf().max_per_user:
        raise Refused(1013, "too many connections")
    HUB.join(websocket, access)
    NEWCOMERS.pop(websocket, None)
    websocket.received = 0
    logger.info("User %s connected.", access.user_id)


async def go_live(websocket: Connection) -> None:
    """Send a client what it missed, and let it hear what happens from now on."""
    missed: list[Entry] | None = []
    if (after := place_of(websocket)) is not None:
        missed = await catch_up(websocket, after)
    # Nothing is awaited from here on, so nothing happens in between.
    HUB.flush()  # or what is known to have happened would be told again
    told = [entry.frame for entry in missed or [] if may_see(websocket, entry)]
    if missed is None:
        told.append(frames.told("resync", last_event_id=RECENT.last_id))
    told.append(frames.told("ready", last_event_id=RECENT.last_id))
    write([websocket], b"".join(told))
    websocket.live = True
    if access := CONNECTIONS.get(websocket):
        HUB.join(websocket, access)


def place_of(websocket: ServerConnection) -> str | None:
    """Return the id up to which a client has heard, if there is one in the URL."""
    assert websocket.request is not None
    query = websocket.request.path.partition("?")[2]
    match parse_qs(query, keep_blank_values=True).get("after"):
        case None:
            return None
        case [after]:
            return after
        case _:
            return ""  # which is the id of nothing


async def catch_up(websocket: Connection, after: str) -> list[Entry] | None:
    """Send a client what it missed, page by page; return the rest when it is small.

    Return None if nobody knows what it missed.
    """
    try:
        async with timeout(None) as websocket.deadline:  # which ends if the client goes
            while (missed := RECENT.since(after)) is None or is_large(missed):
                async with REPLAYS, timeout(conf().page_timeout):
                    if missed is None and (missed := await history(after)) is None:
                        return None
                    for entry in missed[: conf().page_size]:
                        if may_see(websocket, entry):
                            await websocket.send(entry.text)
                        after = str(entry.id)
                    await asyncio.sleep(0)  # others get a turn
    except (BusFails, TimeoutError):
        raise Refused(1013, "try again later") from None
    finally:
        websocket.deadline = None
    return missed


async def history(after: str) -> list[Entry] | None:
    """Return the next entries after an id, or None; ask the bus for them once."""
    if page := RECENT.page(after):
        return page
    if (arrivals := await BUS.history(after)) is None:
        return None
    if not arrivals and RECENT.since(after) is None:
        await RECENT.more.wait()  # the client was at a server that is faster than ours
    page = [*map(Entry.of, arrivals)]
    RECENT.remember(after, page)
    return page


def is_large(entries: list[Entry]) -> bool:
    """Tell whether these are too many to be sent without waiting for the client."""
    return sum(len(entry.text) for entry in entries) > conf().max_unread / 2


def may_see(websocket: Connection, entry: Entry) -> bool:
    """Tell whether an entry is an event that the user may see, as of now."""
    access = CONNECTIONS.get(websocket)
    if access is None or not entry.text:
        return False
    return entry.content_type_id in access.content_type_ids


async def process_messages() -> None:
    """Pass on the events that arrive on the bus, and heed the notices."""
    async for arrival in BUS.messages():
        content = arrival.content
        if isinstance(content, Gap):
            RECENT.begin(arrival.id)
            HUB.tell(frames.told("resync", last_event_id=arrival.id))
            content = Notice(everybody=True)
        else:
            relay(Entry.of(arrival))
        if isinstance(content, Notice):
            for missed in NEWCOMERS.values():
                missed.update(content)
            CHECKS.heed(content, HUB.concerned(content))
        if HUB.size > conf().max_unread / 20:
            await asyncio.sleep(0)  # so that others get a turn, and time to read


def relay(entry: Entry) -> None:
    """Remember an entry, and tell those who may see it if it is an event."""
    RECENT.add(entry)
    if entry.frame:
        metrics.EVENTS.inc()
        HUB.publish(entry)


async def send_heartbeats() -> None:
    """Send everybody a sign of life, and expect one, again and again.

    Clients answer a Ping by themselves (RFC 6455, section 5.5.2): who doesn't is gone.
    """
    while True:
        await asyncio.sleep(HEARTBEAT)
        for websocket in [*CONNECTIONS]:
            websocket.silence = 0 if websocket.received else websocket.silence + 1
            websocket.received = 0
            if websocket.silence > SILENCE:
                websocket.cut_off("A client is gone")
        HUB.tell(frames.told("ping", last_event_id=RECENT.last_id) + frames.PING)
        late = [each for each in CONNECTIONS if not each.live]
        write(late, frames.told("ping") + frames.PING)


async def answer_probe(
    websocket: ServerConnection, request: Request
) -> Response | None:
    """Answer those who ask over HTTP whether the server is alive, ready, and busy."""
    if request.path == "/healthz":
        return websocket.respond(HTTPStatus.OK, "alive\n")
    if request.path == "/readyz":
        if trouble := await trouble_of(websocket.server):
            return websocket.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"{trouble}\n")
        return websocket.respond(HTTPStatus.OK, "ready\n")
    if request.path == "/metrics":
        metrics.CONNECTIONS.set(len(CONNECTIONS))
        metrics.STRANGERS.set(len(STRANGERS) + len(NEWCOMERS))
        return websocket.respond(HTTPStatus.OK, metrics.exposed())
    return None


async def trouble_of(server: Server) -> str:
    """Return why a server is not ready, or an empty string if it is."""
    if not BUS.active.is_set():
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
async def running(
    host: str = "localhost",
    port: int = 8888,
    *,
    reuse_port: bool = False,
    unix: str | None = None,
) -> AsyncIterator[Server]:
    """Run the server on ``host`` and ``port`` as long as the context lasts.

    It may share the port with other processes, or listen on a Unix socket instead.
    """
    silent = logging.getLogger("realtime.websockets")
    silent.setLevel(logging.CRITICAL)  # it would log every frame, tokens included
    logging.getLogger("asyncio").addFilter(is_news)
    if unix is None:
        listen = partial(serve, host=host, port=port, reuse_port=reuse_port)
    else:
        listen = partial(unix_serve, path=unix)
    async with (
        listen(
            handler,  # type: ignore[arg-type]  # its connections are ours
            create_connection=Connection,
            process_request=answer_probe,
            origins=conf().origins,
            compression=None,
            max_size=conf().max_message_size,
            open_timeout=conf().token_timeout,
            ping_interval=None,  # one heart beats for all
            logger=silent,
        ) as server,
        TaskGroup() as tasks,
    ):
        jobs = [
            tasks.create_task(job)
            for job in [
                process_messages(),
                send_heartbeats(),
                DOOR.run(),
                CHECKS.run(),
                CHECKS.repeat(),
            ]
        ]
        try:
            yield server
        finally:
            await say_goodbye(server)
            await end(*jobs)
