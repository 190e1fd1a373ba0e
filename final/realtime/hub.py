"""The hub: who is connected, and how what happens reaches all who may see it."""

import asyncio
from collections import defaultdict
from collections.abc import Container, Iterable
from typing import Any

from websockets.protocol import State

from . import metrics
from .access import EVERYTHING, Access
from .conf import conf
from .notices import Notice
from .recent import Entry

Visible = Container[int]  # the ids of content types


class Hub:
    """All connections. Those that are live, and may see the same, are an audience.

    What happens in one turn of the event loop, an audience is told in one write. So the
    busier it gets, the less each event costs.
    """

    def __init__(self) -> None:
        self.connections: dict[Any, Access] = {}  # those that joined last are last
        self.of_user: defaultdict[str, set[Any]] = defaultdict(set)
        self.known: dict[Any, Access] = {}  # of each user who is connected
        self.audiences: defaultdict[Visible, set[Any]] = defaultdict(set)
        self.viewers: defaultdict[int, set[Visible]] = defaultdict(set)
        self.entries: list[Entry] = []  # of this turn
        self.size = 0  # of these entries

    def join(self, connection: Any, access: Access) -> None:
        """Remember a connection and, if it is live, tell it what its user may see."""
        self.leave(connection)
        self.connections[connection] = access
        self.of_user[str(access.user_id)].add(connection)
        self.known[access.user_id] = access
        if connection.live:
            visible = access.content_type_ids
            if visible not in self.audiences:
                for content_type_id in listed(visible):
                    self.viewers[content_type_id].add(visible)
            self.audiences[visible].add(connection)

    def leave(self, connection: Any) -> None:
        """Forget a connection, if it is not forgotten already."""
        if (access := self.connections.pop(connection, None)) is None:
            return
        user, visible = str(access.user_id), access.content_type_ids
        self.of_user[user].remove(connection)
        if not self.of_user[user]:
            del self.of_user[user], self.known[access.user_id]
        if connection in self.audiences.get(visible, ()):
            self.audiences[visible].remove(connection)
            if not self.audiences[visible]:
                del self.audiences[visible]
                for content_type_id in listed(visible):
                    self.viewers[content_type_id].remove(visible)

    def concerned(self, notice: Notice) -> list[Any]:
        """Return the connections of the users whom a notice is about."""
        if notice.everybody:
            return [*self.connections]
        users = notice.users | notice.logged_out
        return [each for user in users for each in self.of_user.get(user, ())]

    def publish(self, entry: Entry) -> None:
        """Tell all who may see an event, at the end of this turn of the event loop."""
        if not self.who_sees(entry):
            return
        if not self.entries:
            asyncio.get_running_loop().call_soon(self.flush)
        self.entries.append(entry)
        self.size += len(entry.frame)

    def who_sees(self, entry: Entry) -> set[Visible]:
        """Return the audiences that may see an event."""
        audiences = {*self.viewers.get(entry.content_type_id or 0, ())}
        if EVERYTHING in self.audiences:
            audiences.add(EVERYTHING)
        return audiences

    def flush(self) -> None:
        """Tell each audience in one write what has happened."""
        shares: defaultdict[Visible, list[bytes]] = defaultdict(list)
        for entry in self.entries:
            for visible in self.who_sees(entry):
                shares[visible].append(entry.frame)
        if self.entries and self.entries[0].id:
            metrics.observe_lag(self.entries[0].id)
        self.entries, self.size = [], 0
        for visible, share in shares.items():
            audience = self.audiences[visible]
            metrics.DELIVERIES.inc(len(share) * len(audience))
            write(audience, b"".join(share))

    def tell(self, data: bytes) -> None:
        """Write frames to all who are live, after what has happened so far."""
        self.flush()
        write([each for each in self.connections if each.live], data)


def listed(visible: Visible) -> Iterable[int]:
    """Return the ids by which the hub finds an audience; superusers need none."""
    return visible if isinstance(visible, frozenset) else ()


def write(connections: Iterable[Any], data: bytes) -> None:
    """Write frames to all connections that are open; cut those off who don't read."""
    most = conf().max_unread
    for connection in [*connections]:  # some leave in the meantime
        if connection.state is not State.OPEN:
            continue
        if connection.transport.get_write_buffer_size() > most:
            connection.cut_off("A client does not read what it is sent")
        else:
            connection.transport.write(data)
