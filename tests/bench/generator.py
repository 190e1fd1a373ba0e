"""The load generator: one process with thousands of clients, which obeys its parent.

It must be faster than any server. In a broadcast, most clients read the same bytes, so
what they say is found out once: for the others, comparing the bytes will do.

It is one process for all, and comes to each client in its turn. A client of its own
would wake at once, so an event has arrived when the kernel has it: SO_TIMESTAMPNS, see
Documentation/networking/timestamping.rst in the sources of Linux. If two writes wait
together, their time is that of the second.
"""

import gc
import select
import socket
import struct
import time
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy

from tests.bench import frames
from tests.bench.obeying import Orders, reply

READ_SIZE = 65_536  # what is larger, malloc() would get from the kernel each time
HEAD_SIZE = 192  # what precedes the number of an event, and the number
AT_ONCE = 50  # handshakes
STALLED_BUFFER = 4_096
TIMEOUT = 10  # seconds for a handshake

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python knows no name for it
TIME = struct.Struct("qq")  # struct timespec: seconds and nanoseconds since 1970
TIME_SIZE = socket.CMSG_SPACE(TIME.size)

HANDSHAKE, GREETING, OPEN = range(3)


class Client:
    """A connection, and what it has heard."""

    __slots__ = ("expected", "rest", "socket", "stage", "stalled", "token")

    def __init__(self, port: int, token: str, stalled: bool) -> None:
        self.socket = socket.socket()
        if stalled:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_BUFFER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(("127.0.0.1", port))
        self.token = token
        self.stalled = stalled
        self.stage = HANDSHAKE
        self.rest = b""
        self.expected = 0  # the number of the next event


class Batch:
    """The same bytes, which many clients got, and when they got them."""

    def __init__(self, data: bytes, first: int, count: int) -> None:
        self.data = data
        scan = frames.scan(data)
        marks = [mark for mark in scan.marks if first <= mark[0] < first + count]
        numbers = [number for number, _sent in marks]
        self.sent = [sent for _number, sent in marks]
        self.size = len(marks)
        self.first = numbers[0] if numbers else 0
        self.next = numbers[-1] + 1 if numbers else 0
        self.gaps = sum(before + 1 != after for before, after in pairwise(numbers))
        self.greetings = scan.greetings
        self.pings = scan.pings
        self.is_closing = scan.close_code is not None
        self.rest = scan.rest
        self.arrivals = array("q")


class Crowd:
    """All clients."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.orders = Orders()
        self.poll.register(self.orders.descriptor, select.EPOLLIN)
        self.clients: dict[int, Client] = {}
        self.listening = 0  # clients that are open and not stalled
        self.waiting: deque[str] = deque()
        self.beginning: set[int] = set()
        self.is_connecting = False
        self.deadline: float | None = None
        self.collect_nothing()

    def run(self) -> None:
        """Obey, and hear what servers say, until the parent is gone."""
        while True:
            wait = None if self.deadline is None else self.deadline - time.monotonic()
            for descriptor, _event in self.poll.poll(wait and max(0, wait), 2_048):
                if client := self.clients.get(descriptor):
                    self.hear(client)
                elif descriptor == self.orders.descriptor and not self.obey():
                    return
            self.check()

    def obey(self) -> bool:
        """Do what the parent wants; return whether there is one."""
        for do, arguments in self.orders.read():
            getattr(self, f"do_{do}")(**arguments)
        return not self.orders.ended

    # Connecting

    def do_connect(
        self,
        port: int,
        path: str,
        tokens: list[str],
        greeted: bool,
        stalled: bool = False,
    ) -> None:
        """Connect one client for each token; reply when all are open, or failed."""
        self.port, self.greeted, self.stalled = port, greeted, stalled
        self.request = frames.handshake(port, path)
        self.waiting.extend(tokens)
        self.opened = self.failed = 0
        self.is_connecting = True
        self.deadline = time.monotonic() + TIMEOUT

    def begin(self) -> None:
        """Begin as many handshakes as may go on at once."""
        while self.waiting and len(self.beginning) < AT_ONCE:
            try:
                client = Client(self.port, self.waiting.popleft(), self.stalled)
                client.socket.sendall(self.request)
            except OSError:
                self.failed += 1
                continue
            client.socket.setblocking(False)
            descriptor = client.socket.fileno()
            self.clients[descriptor] = client
            self.beginning.add(descriptor)
            self.poll.register(descriptor, select.EPOLLIN)

    def proceed(self, client: Client, batch: Batch | None = None) -> None:
        """Take a handshake one stage further."""
        if client.stage == HANDSHAKE:
            head, end, client.rest = client.rest.partition(b"\r\n\r\n")
            if not end:
                client.rest = head
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self.lose(client)
                return
            client.socket.send(frames.masked(client.token.encode(), frames.TEXT))
            client.stage = GREETING
        if client.stage == GREETING and (
            not self.greeted or (batch and batch.greetings)
        ):
            client.stage = OPEN
            client.expected = self.first
            self.beginning.discard(client.socket.fileno())
            self.opened += 1
            self.deadline = time.monotonic() + TIMEOUT
            if client.stalled:
                self.poll.unregister(client.socket)
            else:
                self.listening += 1

    def lose(self, client: Client) -> None:
        """Close the connection of a client."""
        descriptor = client.socket.fileno()
        del self.clients[descriptor]
        client.socket.close()
        if descriptor in self.beginning:
            self.beginning.discard(descriptor)
            self.failed += 1
        elif not client.stalled:
            self.listening -= 1
            self.lost += 1

    def do_close(self) -> None:
        """Close all connections."""
        for client in [*self.clients.values()]:
            self.lose(client)
        reply()

    # Collecting

    def do_collect(self, first: int, count: int, seconds: float) -> None:
        """Count the events with some numbers; reply now, and when all have come."""
        self.collect_nothing()
        self.first, self.count = first, count
        for client in self.clients.values():
            client.expected = first
        self.wanted = self.listening * count
        self.deadline = time.monotonic() + seconds
        reply()
        self.cpu = time.process_time()

    def collect_nothing(self) -> None:
        self.first = self.count = self.wanted = 0
        self.received = self.disorder = self.lost = 0
        self.recent: dict[tuple[int, bytes], Batch] = {}
        self.last = Batch(b"", 0, 0)
        self.batches: list[tuple[Sequence[int], Sequence[int]]] = []

    def hear(self, client: Client) -> None:
        """Read what a client is sent."""
        try:
            data, notes, *_ = client.socket.recvmsg(READ_SIZE, TIME_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.lose(client)
            return
        if client.rest:
            data = client.rest + data
        if client.stage == HANDSHAKE:
            client.rest = data
            self.proceed(client)
            if not (data := client.rest) or client.stage == HANDSHAKE:
                return
        batch = self.last
        if batch.data != data:
            batch = self.last = self.understood(data)
        client.rest = batch.rest
        if batch.size:
            batch.arrivals.append(arrival(notes))
            self.received += batch.size
            if batch.gaps or batch.first != client.expected:
                self.disorder += max(1, batch.gaps)
            client.expected = batch.next
        if client.stage == GREETING:
            self.proceed(client, batch)
        for content in batch.pings:
            client.socket.send(frames.masked(content, frames.PONG))
        if batch.is_closing:
            self.lose(client)

    def understood(self, data: bytes) -> Batch:
        """Return what some bytes say, and remember it for a while."""
        key = len(data), data[:HEAD_SIZE]
        batch = self.recent.get(key)
        if batch is not None and batch.data == data:
            return batch
        if len(self.recent) > 256:
            self.recent.clear()
        batch = self.recent[key] = Batch(data, self.first, self.count)
        if batch.size:
            self.batches.append((batch.sent, batch.arrivals))
        return batch

    def check(self) -> None:
        """Reply if what the parent waits for has come to its end."""
        if self.is_connecting:
            self.begin()
            if self.is_late():
                for descriptor in [*self.beginning]:
                    self.lose(self.clients[descriptor])
                self.failed += len(self.waiting)
                self.waiting.clear()
            if not self.beginning and not self.waiting:
                self.is_connecting, self.deadline = False, None
                reply(open=self.opened, failed=self.failed)
        elif self.deadline is not None and (
            self.received >= self.wanted or self.is_late()
        ):
            self.deadline = None
            self.report(time.process_time() - self.cpu)

    def is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def report(self, cpu: float) -> None:
        """Reply what has come."""
        sent = [sent[0] for sent, _arrivals in self.batches]
        last = [arrivals[-1] for _sent, arrivals in self.batches]
        reply(
            expected=self.wanted,
            received=self.received,
            disorder=self.disorder,
            lost=self.lost,
            cpu=cpu,
            wall=(max(last) - min(sent)) / 1e9 if sent else None,
            **latencies(self.batches),
        )
        self.collect_nothing()


def arrival(notes: list[tuple[int, int, bytes]]) -> int:
    """Return when the kernel got some bytes, in nanoseconds since 1970.

    It begins to look at the clock a moment after the first socket has asked for it.
    """
    if not notes:
        return time.time_ns()
    seconds, nanoseconds = TIME.unpack(notes[0][2])
    return int(1_000_000_000 * seconds + nanoseconds)


def latencies(
    batches: Iterable[tuple[Sequence[int], Sequence[int]]],
) -> dict[str, Any]:
    """Return percentiles, in seconds, of how long each event took to each client.

    A batch is when its events were sent, and when clients got all of them at once.
    """
    parts = [
        (numpy.array(arrivals)[:, None] - numpy.array(sent)[None, :]).ravel()
        for sent, arrivals in batches
    ]
    if not parts:
        return {"p50": None, "p99": None, "max": None}
    all_of_them = numpy.concatenate(parts) / 1e9
    p50, p99, maximum = numpy.quantile(
        all_of_them, [0.5, 0.99, 1], method="inverted_cdf"
    )
    return {"p50": float(p50), "p99": float(p99), "max": float(maximum)}


if __name__ == "__main__":
    gc.disable()  # there are no cycles here, and no time
    Crowd().run()
