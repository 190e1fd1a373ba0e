"""Clients: users who keep to the rules, and others who don't."""

import asyncio
import base64
import json
import os
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis import RedisError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.faults.lab import PATIENCE, Broken, Lab, Server

PROBE = "probe"
QUEUE = 100_000  # messages


class Client:
    """A user's client, which keeps all that it is told."""

    def __init__(self, websocket: ClientConnection, lab: Lab) -> None:
        self.websocket = websocket
        self.lab = lab
        self.types: list[str | None] = []
        self.events: list[dict[str, Any]] = []
        self.names: list[str] = []  # of what the events are about, without probes
        self.probes = 0
        self.heard_at = 0.0  # the last probe
        self.closed_at = 0.0
        self.last_probe = ""
        self.closed = False
        self.reader = asyncio.create_task(self.read())

    async def read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self.websocket:
                message = json.loads(text)
                self.types.append(message.get("type"))
                if "object" not in message:
                    continue
                if message["object"] == PROBE:
                    self.probes += 1
                    self.last_probe = message["object_id"]
                    self.heard_at = time.time()
                else:
                    self.events.append(message)
                    self.names.append(message["object"])
        await self.websocket.wait_closed()
        self.closed, self.closed_at = True, time.time()

    async def joins(self, user: str) -> None:
        """Send a token, and wait until the server has registered the connection.

        Before step 05, no server says so: events are published until one arrives.
        """
        await self.websocket.send(self.lab.token(user))
        end = time.monotonic() + 2 * PATIENCE
        while "ready" not in self.types and not self.probes:
            if time.monotonic() > end:
                raise Broken("a way in", f"none within {2 * PATIENCE} seconds")
            if not self.lab.greets:
                self.lab.publishes(self.lab.event(PROBE))
            await self.expects(lambda: bool(self.types), "a way in", 0.05, True)

    async def hears(self, *names: str) -> float:
        """Expect to have heard of these things, and no others; return the seconds."""
        start = time.monotonic()

        def complete() -> bool:
            return len(self.names) >= len(names)

        what = f"an event about {names[-1]!r}"
        await self.expects(complete, what)
        if self.names != [*names]:
            raise Broken(what, f"one about {self.names[-1]!r}")
        self.names.clear()
        return time.monotonic() - start

    async def hears_again(self) -> float:
        """Publish probes until one arrives; return how many seconds that took."""
        start, before = time.monotonic(), self.probes
        while self.probes == before:
            with suppress(RedisError):  # it may be on its way
                await asyncio.to_thread(self.lab.publishes, self.lab.event(PROBE))
            arrived = lambda: self.probes > before  # noqa: E731
            await self.expects(arrived, "events again", 0.02, True)
            if time.monotonic() - start > 3 * PATIENCE:
                raise Broken("events again", f"none within {3 * PATIENCE} seconds")
        return time.monotonic() - start

    async def is_closed(self, code: int, reason: str = "") -> None:
        """Expect the server to close the connection, with a code."""
        what = f"the connection closed with {code} {reason}".rstrip()
        await asyncio.wait({self.reader}, timeout=PATIENCE)
        came = closing(self.websocket) if self.closed else "an open connection"
        if came != what:
            raise Broken(what, came)

    async def stays(self) -> None:
        """Expect the connection to be open, and the server to answer on it."""
        answer = None
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                answer = await (await self.websocket.ping())
        if answer is None:
            came = closing(self.websocket) if self.closed else "silence"
            raise Broken("a connection that stays open", came)

    async def expects(
        self,
        condition: Callable[[], bool],
        what: str,
        patience: float = PATIENCE,
        may_fail: bool = False,
    ) -> None:
        """Wait until a condition holds, as long as the connection is open."""
        end = time.monotonic() + patience
        while not condition():
            if self.closed:
                raise Broken(what, closing(self.websocket))
            if time.monotonic() > end:
                if may_fail:
                    return
                raise Broken(what, f"nothing within {patience} seconds")
            await asyncio.sleep(0.002)  # until the next look

    async def vanishes(self) -> None:
        """Cut the connection without a word."""
        self.websocket.transport.abort()
        await self.reader


def closing(websocket: ClientConnection) -> str:
    code, reason = websocket.close_code, websocket.close_reason or ""
    return f"the connection closed with {code} {reason}".rstrip()


async def opened(server: Server, lab: Lab, **options: Any) -> Client:
    """Return a client that is connected, and has sent nothing."""
    options = {"compression": None, "max_queue": QUEUE, "proxy": None} | options
    return Client(await connect(server.url, **options), lab)


@asynccontextmanager
async def joined(server: Server, lab: Lab, user: str) -> AsyncIterator[Client]:
    """A client of a user, as long as the context lasts."""
    client = await opened(server, lab)
    try:
        await client.joins(user)
        yield client
    finally:
        await client.vanishes()


class Raw(asyncio.Protocol):
    """A client that speaks WebSocket byte by byte, and keeps to no rule."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.head = b""
        self.upgraded = asyncio.Event()
        self.lost = asyncio.Event()
        self.transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        if self.upgraded.is_set():
            for opcode, payload in frames(data):
                if opcode == 9:  # who answers pings is not taken for dead
                    self.sends(payload, opcode=10)
        if not self.upgraded.is_set() and b"\r\n\r\n" in self.received:
            head, _, rest = self.received.partition(b"\r\n\r\n")
            self.head, self.received = bytes(head), bytearray(rest)
            self.upgraded.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        self.upgraded.set()

    def upgrade(self, extensions: str = "", path: str = "/") -> None:
        """Ask the server to speak WebSocket."""
        key = base64.b64encode(os.urandom(16)).decode()
        offer = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
        self.transport.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n{offer}\r\n".encode()
        )

    def sends(self, data: bytes, opcode: int = 1, fin: bool = True) -> None:
        """Send a frame."""
        self.transport.write(frame(data, opcode, fin))

    async def ends(self, patience: float = PATIENCE) -> str:
        """Return how the server ended the connection."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            for opcode, payload in frames(self.received):
                if opcode == 8:
                    self.transport.abort()
                    return f"{int.from_bytes(payload[:2])} {payload[2:].decode()}"
            if self.lost.is_set():
                return "1006"
            await asyncio.sleep(0.005)  # until the next look
        return f"nothing within {patience} seconds"


async def raw(port: int, extensions: str | None = "") -> Raw:
    """Return a raw client; it has upgraded unless ``extensions`` is None."""
    loop = asyncio.get_running_loop()
    _transport, client = await loop.create_connection(Raw, "127.0.0.1", port)
    if extensions is not None:
        client.upgrade(extensions)
        await client.upgraded.wait()
    return client


def frame(data: bytes, opcode: int = 1, fin: bool = True, rsv1: bool = False) -> bytes:
    """Return a frame of a client; its mask is made of zeros."""
    first = opcode | fin << 7 | rsv1 << 6
    if len(data) < 126:
        head = struct.pack("!BB", first, 0x80 | len(data))
    elif len(data) < 65536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(data))
    return head + bytes(4) + data


def frames(data: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    """Yield the opcode and the payload of each complete frame of a server."""
    at = 0
    while len(data) >= at + 2:
        length, head = data[at + 1] & 127, 2
        if length == 126:
            length, head = int.from_bytes(data[at + 2 : at + 4]), 4
        elif length == 127:
            length, head = int.from_bytes(data[at + 2 : at + 10]), 10
        if len(data) < at + head + length:
            return
        yield data[at] & 15, bytes(data[at + head : at + head + length])
        at += head + length


Connect = Callable[..., Awaitable[Client]]
