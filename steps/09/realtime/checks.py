"""Who stays connected, and what they may see from now on."""

import asyncio
import logging
import math
from collections.abc import Iterable
from itertools import islice
from typing import Any

from .access import Access, in_thread, renew
from .conf import conf
from .logs import warn
from .notices import Notice

logger = logging.getLogger("realtime.checks")

PARTS = 10  # of a period
PAUSE = 1  # second after a failure


class Checks:
    """The connections of a server, and which of them are due for a check.

    However often somebody asks, each is due once, and one check runs at a time.
    """

    def __init__(self, connections: dict[Any, Access]) -> None:
        self.connections = connections  # first those whose last check is longest ago
        self.due: set[Any] = set()
        self.asked = asyncio.Event()

    def heed(self, notice: Notice, connections: Iterable[Any]) -> None:
        """Close those of users who have logged out; ask for checks of others."""
        for connection in connections:
            user = str(self.connections[connection].user_id)
            if user in notice.logged_out:
                self.close(connection)
            elif notice.everybody or user in notice.users:
                self.ask([connection])

    def ask(self, connections: Iterable[Any]) -> None:
        """Ask for a check of some connections."""
        self.due.update(connections)
        self.asked.set()

    async def repeat(self) -> None:
        """Ask for a check of everybody in each period, part by part, for ever."""
        while True:
            await asyncio.sleep(conf().check_period / PARTS)
            self.ask(islice(self.connections, math.ceil(len(self.connections) / PARTS)))

    async def run(self) -> None:
        """Check what is due, batch by batch, for ever."""
        while True:
            await self.asked.wait()
            batch = [*islice(self.due, conf().check_batch)]
            self.due.difference_update(batch)
            if not self.due:
                self.asked.clear()
            batch = [each for each in batch if each in self.connections]
            accesses = [self.connections[each] for each in batch]
            try:
                renewed = await in_thread(renew, accesses)
            except Exception as error:
                warn(logger, "Access cannot be checked (%s).", type(error).__name__)
                self.ask(batch)
                await asyncio.sleep(PAUSE)
                continue
            for connection, access in zip(batch, renewed, strict=True):
                if connection not in self.connections:
                    continue  # it was closed in the meantime
                if access is None:
                    self.close(connection)
                else:
                    del self.connections[connection]
                    self.connections[connection] = access

    def close(self, connection: Any) -> None:
        """Let no event through any more, and let the handler close the connection."""
        user_id = self.connections.pop(connection).user_id
        connection.session.reschedule(0)
        logger.info("User %s has to log in again.", user_id)
