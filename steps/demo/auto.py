"""The demo by itself: who hears what, and is it what they should hear?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import NamedTuple

import aiohttp
from redis.asyncio import Redis

from . import PATIENCE, Problem, at_step, listed, screen, shop
from .browser import Browser
from .greetings import connected, greeting
from .hearings import hearings
from .listeners import REHEARSAL, Listener, Subscriber, User
from .play import acts
from .processes import first
from .shop import Person

VERDICTS = {
    "01": "The server greeted each user by name. Step 02 adds events.",
    "02": "Each of the {} changes is one event on Redis. Step 03 sends it to users.",
    "03": "Each of the {} changes reached everyone. Step 04 asks who may see it.",
    "04": "Each of the {} changes reached those who may see it, and nobody else.",
}


class Scene(NamedTuple):
    """Where everything is, and the step that its code has reached."""

    site: str
    server: str
    redis: str
    step: str


async def perform(scene: Scene, people: list[Person]) -> None:
    """Let alice work in the admin, and show who hears of it.

    Raise Problem if it isn't who should.
    """
    if scene.step < "03":
        screen.heads({person.name: person.may for person in people})
        screen.greetings([await greeting(person, scene.server) for person in people])
    changes = await play(scene, people) if scene.step > "01" else 0
    screen.succeeds(at_step(scene.step, VERDICTS).format(changes))


async def play(scene: Scene, people: list[Person]) -> int:
    """Show who hears of each change; return how many there are."""
    timeout = aiohttp.ClientTimeout(PATIENCE)
    async with (
        audience(scene, people) as listeners,
        aiohttp.ClientSession(scene.site, timeout=timeout) as session,
    ):
        return await first(
            *(listener.listens() for listener in listeners),
            changes(Browser(session), listeners),
        )


@asynccontextmanager
async def audience(scene: Scene, people: list[Person]) -> AsyncIterator[list[Listener]]:
    """Connect those who listen: the users, or a subscriber of the bus in step 02."""
    async with AsyncExitStack() as stack:
        if scene.step < "03":
            redis = await stack.enter_async_context(Redis.from_url(scene.redis))
            pubsub = await stack.enter_async_context(redis.pubsub())
            await pubsub.subscribe("events")
            await pubsub.get_message(timeout=PATIENCE)  # Redis confirms it
            yield [Subscriber("Redis", "channel events", shop.MODELS, pubsub)]
            return
        listeners: list[Listener] = []
        for person in people:
            websocket = await stack.enter_async_context(connected(person, scene.server))
            expects = person.sees if scene.step > "03" else shop.MODELS
            listeners.append(User(person.name, person.may, expects, websocket))
        yield listeners


async def changes(browser: Browser, listeners: list[Listener]) -> int:
    """Let alice make her changes, and show who hears of them; return how many.

    Raise Problem if somebody hears too little or too much.
    """
    await browser.logs_in("alice", shop.PASSWORD)
    await rehearse(browser, listeners)
    screen.heads({listener.name: listener.caption for listener in listeners})
    complaints: list[str] = []
    done = 0
    async with aclosing(acts(browser)) as performance:
        async for act in performance:
            done += 1
            screen.acts(act)
            heard = await hearings(act, listeners)
            screen.hears(heard)
            for hearing in heard:
                complaints += hearing.complaints()
            if any(hearing.missing for hearing in heard):
                break  # or else each act would take all our patience
    if complaints:
        raise Problem("\n".join(complaints))
    return done


async def rehearse(browser: Browser, listeners: list[Listener]) -> None:
    """Let alice work until the server has let in everyone who may hear of it."""
    try:
        async with asyncio.timeout(PATIENCE):
            while absent := [
                each for each in listeners if each.expects and not each.hears.is_set()
            ]:
                async for _ in acts(browser, REHEARSAL):
                    pass
    except TimeoutError:
        names = listed([listener.name for listener in absent])
        raise Problem(f"{names} heard nothing within {PATIENCE} seconds.") from None
