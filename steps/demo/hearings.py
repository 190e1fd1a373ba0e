"""What is heard of an act, and what is wrong with it."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from . import PATIENCE
from .listeners import Event, Listener
from .play import Act


@dataclass(frozen=True)
class Hearing:
    """What a listener heard of an act, and should or should not have heard."""

    listener: Listener
    act: Act
    right: list[Event]
    wrong: list[Event]

    @property
    def missing(self) -> bool:
        """Whether they did not hear of it, although they should."""
        return self.act.model in self.listener.expects and not self.right

    def complaints(self) -> Iterator[str]:
        """Yield what is wrong, in a sentence each."""
        name = self.listener.name
        if self.missing:
            yield f"{name} did not hear that alice {self.act}."
        for event in self.wrong:
            thing = f"the {event.model} {event.object}"
            if event.model in self.listener.expects:
                yield f"{name} heard of {thing} once too often."
            else:
                yield f"{name} heard of {thing}, which {name} may not see."


async def hearings(
    act: Act, listeners: Iterable[Listener], patience: float = PATIENCE
) -> list[Hearing]:
    """Wait for those who should hear of an act; return what each listener heard."""
    heard: dict[Listener, list[Event]] = {listener: [] for listener in listeners}
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            for listener, events in heard.items():
                if act.model in listener.expects:
                    events.append(await listener.inbox.get())
            for listener in heard:
                await listener.settles()
    for listener, events in heard.items():
        while not listener.inbox.empty():
            events.append(listener.inbox.get_nowait())
    return [judged(listener, act, events) for listener, events in heard.items()]


def judged(listener: Listener, act: Act, events: list[Event]) -> Hearing:
    """Tell the event that a listener should hear from those they should not."""
    right: list[Event] = []
    wrong: list[Event] = []
    for event in events:
        is_act = (event.model, event.object) == (act.model, act.object)
        expected = is_act and act.model in listener.expects and not right
        (right if expected else wrong).append(event)
    return Hearing(listener, act, right, wrong)
