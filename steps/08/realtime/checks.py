"""Checks of who may still be connected, and what they may see."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import Any

from .access import Access, check, in_thread
from .conf import conf
from .logs import warn

logger = logging.getLogger("realtime.checks")

BATCH = 500  # connections that are checked together
PARTS = 10  # of a period
PAUSE = 1  # second after a failure


class Checks:
    """The connections that are due for a check.

    However often somebody asks, a connection is due once, and one check runs at a time.
    """

    def __init__(self, connections: dict[Any, Access]) -> None:
        self.connections = connections  # whose last check is longest ago comes first
        self.due: set[Any] = set()
        self.asked = asyncio.Event()

    def ask(self, connections: Iterable[Any]) -> None:
        """Ask for a check of some connections."""
        self.due.update(connections)
        self.asked.set()

    async def repeat(self) -> None:
        """Ask for a check of everybody in each period, part by part, for ever."""
        while True:
            await asyncio.sleep(conf().check_period / PARTS)
            self.ask(islice(self.connections, math.ceil(len(self.connections) / PARTS)))

    async def ended(self) -> AsyncIterator[Any]:
        """Check what is due, for ever; yield the connections that have to be closed."""
        while True:
            await self.asked.wait()
            batch = [*islice(self.due, BATCH)]
            self.due.difference_update(batch)
            if not self.due:
                self.asked.clear()
            before = {
                each: self.connections[each]
                for each in batch
                if each in self.connections
            }
            try:
                after = await in_thread(check, [*before.values()])
            except Exception as error:
                name = type(error).__name__
                warn(logger, "Access can't be checked (%s): it stays as it is.", name)
                self.ask(before)
                await asyncio.sleep(PAUSE)
                continue
            for connection, access in zip(before, after, strict=True):
                if self.connections.pop(connection, None) is None:
                    continue  # it was closed in the meantime
                if access is None:
                    yield connection
                else:
                    self.connections[connection] = access
