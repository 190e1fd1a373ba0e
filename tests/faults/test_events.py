"""Events that are malformed, forged or oversized: anybody may have published them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as connect_in_thread

from tests.faults.clients import Connect, joined
from tests.faults.conftest import laboratory, real_redis
from tests.faults.figures import Figures
from tests.faults.lab import PATIENCE, Broken, Lab, Project, Server

# The first eight killed the server of step 04; so may anything else.
MALFORMED = {
    "no JSON": b"Emma was changed",
    "no content type": b'{"model": "book"}',
    "null": b"null",
    "a list": b"[]",
    "unhashable": b'{"content_type_id": []}',
    "no UTF-8": b'{"object": "\xff"}',
    "deep": b"[" * 100_000,
    "empty": b"",
    "not a number": b'{"content_type_id": NaN}',
    "huge number": b'{"content_type_id": %s}' % (b"9" * 5000),
    "an object in its place": b'{"content_type_id": {"a": 1}}',
    "another encoding": '{"content_type_id": 1}'.encode("utf-16"),
    "two keys of a name": b'{"content_type_id": 1, "content_type_id": null}',
    "half": b'{"content_type_id": 1',
    "zeros": b"\0" * 1000,
}
LINE = "A message on the bus is no event"


@pytest.fixture(scope="module")
def shared(
    template: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A laboratory for several tests. In the end, no log tells a token."""
    project = template.copied(tmp_path_factory.mktemp("shared"))
    with real_redis() as redis, laboratory(project, redis) as lab:
        yield lab


@pytest.fixture(scope="module")
def survivor(shared: Lab) -> Server:
    """A server that ought to survive all tests."""
    return shared.serves(REALTIME_LOG_INTERVAL=0.0001)


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
async def test_malformed(
    shared: Lab, survivor: Server, figures: Figures, message: bytes
) -> None:
    """What is no event costs a line in the log; the next event arrives."""
    survivor.start()
    before = survivor.says(LINE)
    async with joined(survivor, shared, "alice") as client:
        shared.publishes(message, shared.event("Emma"))
        try:
            waited = await client.hears("Emma")
        except Broken:
            survivor.kill()  # it may be about to end
            raise
    figures.at_most(1, "until the next event", waited, "s", 10)
    if 1 != (lines := survivor.says(LINE) - before):
        raise Broken("one line in the log", f"{lines}")


async def test_oversized(lab: Lab, connect: Connect, soak: bool) -> None:
    """An event that is too large for everybody is skipped."""
    client = await connect(lab.serves(), max_size=None)
    for size in [65_536, 1_048_576, 64 * 1_048_576 if soak else 8 * 1_048_576]:
        lab.publishes(lab.event("large", message="A" * size), lab.event("Emma"))
        await client.hears("Emma")


async def test_forged(lab: Lab, connect: Connect) -> None:
    """What a server doesn't know of an event is not relayed, not even its type."""
    client = await connect(lab.serves())
    forged = {"type": "ready", "script": "alert(1)", "__proto__": {"admin": True}}
    lab.publishes(lab.event("Emma", **forged))
    await client.hears("Emma")
    if known := {*client.events[0]} & {*forged} - {"type"}:
        raise Broken("an event without forged keys", f"one with {sorted(known)}")
    assert "event" == client.events[0]["type"]


async def test_log(lab: Lab, connect: Connect, soak: bool) -> None:
    """Whoever publishes a lot of rubbish doesn't fill the disk with a log."""
    server = lab.serves()
    client = await connect(server)
    lab.publishes(*[b"rubbish"] * (100_000 if soak else 2000), lab.event("Emma"))
    await client.hears("Emma")
    assert 1 <= server.says(LINE) <= 1 + PATIENCE


# What Hypothesis draws: JSON of any kind, and events of which a part is replaced.
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
KEYS = ["model", "object", "message", "timestamp", "user", "content_type_id"]
PARTS = st.dictionaries(st.sampled_from([*KEYS, "object_id", "type", "id"]), JSON)
PER_EXAMPLE = 25


def hostile(event: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Return a strategy that draws messages: bytes, JSON, and changed events."""
    text = json.dumps(event).encode()
    return st.one_of(
        st.binary(),
        JSON.map(lambda value: json.dumps(value).encode()),
        PARTS.map(lambda parts: json.dumps(event | parts).encode()),
        st.integers(0, len(text)).map(lambda end: text[:end]),
        st.tuples(st.integers(0, len(text) - 1), st.binary(max_size=3)).map(
            lambda change: text[: change[0]] + change[1] + text[change[0] + 1 :]
        ),
    )


def test_hypothesis(lab: Lab, figures: Figures, soak: bool) -> None:
    """However many hostile events Hypothesis draws, the next event arrives."""
    server = lab.serves(REALTIME_LOG_INTERVAL=1)
    drawn, names = 0, {*lab.event("")}

    @settings(
        max_examples=10_000 // PER_EXAMPLE if soak else 20,
        deadline=None,
        database=None,
        derandomize=not soak,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(st.lists(hostile(lab.event("Emma")), min_size=PER_EXAMPLE, max_size=40))
    def attack(messages: list[bytes]) -> None:
        nonlocal drawn
        drawn += len(messages)
        lab.publishes(*messages, lab.event(name := f"after {drawn}"))
        heard: dict[str, Any] = {}
        while heard.get("object") != name:
            heard = json.loads(websocket.recv(timeout=PATIENCE))
            if not {*heard} <= {*names, "type", "id", "last_event_id"}:
                raise Broken("an event without forged keys", "one with some")

    options: dict[str, Any] = {"max_size": None, "proxy": None}
    options["ping_interval"] = (
        None  # pings are random, and Hypothesis wants to be alone
    )
    with connect_in_thread(server.url, **options) as websocket:
        websocket.send(lab.token("alice"))
        with suppress(TimeoutError):  # before step 05, nothing comes
            websocket.recv(timeout=1)
        try:
            attack()
        except ConnectionClosed:
            raise Broken("the next event", "the end of the connection") from None
    figures.note("hostile events drawn", drawn, "events")
    assert drawn >= (10_000 if soak else 400)
    assert server.runs()
