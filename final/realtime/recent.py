"""The last messages that a server has heard, for those who were away for a moment."""

import asyncio
import json
from collections import OrderedDict
from itertools import takewhile
from typing import NamedTuple

from . import frames
from .bus import Arrival
from .conf import conf


class Entry(NamedTuple):
    """A message on the bus: its id, and, if it is an event, what clients are sent."""

    id: str | None
    content_type_id: int | None = None
    text: str = ""
    frame: bytes = b""  # of the text

    @classmethod
    def of(cls, arrival: Arrival) -> "Entry":
        """Return the entry for a message that has arrived."""
        id, event = arrival
        if not isinstance(event, dict):
            return cls(id)
        place = {} if id is None else {"id": id}
        text = json.dumps({"type": "event"} | place | event)
        return cls(id, int(event["content_type_id"]), text, frames.text(text))


class Recent:
    """The last entries, in their order, and older ones that were asked for again."""

    def __init__(self) -> None:
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.older: OrderedDict[str, Entry] = OrderedDict()  # by the id before each
        self.last_id: str | None = None
        self.more = asyncio.Event()

    def begin(self, id: str | None) -> None:
        """Forget everything, and begin with an entry whose id may be known."""
        self.entries.clear()
        self.older.clear()
        self.last_id = None
        self.add(Entry(id))

    def add(self, entry: Entry) -> None:
        """Remember an entry, if it has an id, and tell those who wait for more."""
        if entry.id is None:
            return
        self.entries[entry.id] = entry
        self.last_id = entry.id
        if len(self.entries) > conf().recent:
            self.entries.popitem(last=False)
        self.more.set()
        self.more = asyncio.Event()

    def since(self, after: str) -> list[Entry] | None:
        """Return the entries after an id, or None if that isn't among them."""
        if after not in self.entries:
            return None
        newer = takewhile(lambda id: id != after, reversed(self.entries))
        return [self.entries[id] for id in newer][::-1]

    def remember(self, after: str, page: list[Entry]) -> None:
        """Remember what the bus has told of the time after an id: others will ask."""
        for entry in page:
            if after in self.entries:
                return
            self.older[after] = entry
            if len(self.older) > conf().recent:
                self.older.popitem(last=False)
            after = str(entry.id)

    def page(self, after: str) -> list[Entry]:
        """Return the next entries after an id, as far as they are remembered."""
        page: list[Entry] = []
        while after in self.older and len(page) < conf().page_size:
            page.append(self.older[after])
            after = str(page[-1].id)
        return page
