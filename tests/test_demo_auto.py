"""The demo by itself: it tells what is right from what is not, and is pictured."""

import asyncio
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, NoReturn
from xml.etree import ElementTree

import pytest
from redis import Redis

from steps.demo import Problem, listeners
from steps.demo.hearings import hearings
from steps.demo.listeners import Event
from steps.demo.play import Act
from tests.demo import CODE_FOLDERS, ROOT, copy_of_step_04, edit, run, running
from tests.real_redis import running_redis

PEOPLE = ["alice", "bob", "carol", "dave"]

# What alice does, and which of her models it is about.
ACTS = {
    "alice adds the author Bram Stoker": "author",
    "alice adds the book Dracula": "book",
    "alice changes the book Dracula": "book",
    "alice adds the order 1 x Dracula for Ada": "order",
    "alice changes the order 1 x Dracula for Ada": "order",
    "alice deletes the order 1 x Dracula for Ada": "order",
    "alice deletes the book Dracula": "book",
    "alice deletes the author Bram Stoker": "author",
}


def auto(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the demo by itself, in a terminal of 100 columns."""
    return run("--auto", *arguments, COLUMNS="100", **variables)


def autos(
    folders: list[str], *arguments: str, **variables: str
) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run the demo by itself with each code folder, a few at a time."""
    with ThreadPoolExecutor(3) as pool:
        processes = pool.map(
            lambda folder: auto("--code", folder, *arguments, **variables), folders
        )
        return dict(zip(folders, processes, strict=True))


def said(process: subprocess.CompletedProcess[str]) -> str:
    """Return what a run that ended well said."""
    assert (0, "") == (process.returncode, process.stderr), process.stdout
    return process.stdout


def heard(output: str, names: list[str]) -> dict[str, list[str]]:
    """Return under whose names there is a tick, for each act."""
    lines = output.splitlines()
    header = next(line for line in lines if line.split() == names)
    ticks: dict[str, list[str]] = {}
    for line in lines[lines.index(header) :]:
        if line.startswith("alice "):
            ticks[line] = []
        elif ticks and not line.startswith("✔ Each"):
            ticks[[*ticks][-1]] += [
                name for name in names if line[header.index(name) - 2 :].startswith("✔")
            ]
    return ticks


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The --database of the demo, which the tests share as its runs do."""
    return f"--database={tmp_path_factory.mktemp('demo')}/demo.sqlite3"


@pytest.fixture(scope="module")
def shows() -> dict[str, subprocess.CompletedProcess[str]]:
    """The demo by itself with every code folder."""
    return autos(CODE_FOLDERS)


def test_greetings(shows: dict[str, subprocess.CompletedProcess[str]]) -> None:
    """With steps 01 and 02, the server greets each user by name."""
    for step in ["01", "02"]:
        output = said(shows[f"steps/{step}"])
        for name in PEOPLE:
            assert f"Hello {name}!" in output
    assert "✔ The server greeted each user by name." in said(shows["steps/01"])


def test_events_on_redis(shows: dict[str, subprocess.CompletedProcess[str]]) -> None:
    """With step 02, each change is an event on Redis."""
    output = said(shows["steps/02"])
    assert {act: ["Redis"] for act in ACTS} == heard(output, ["Redis"])
    assert "✔ Each of the 8 changes is one event on Redis." in output


def test_everyone_hears(shows: dict[str, subprocess.CompletedProcess[str]]) -> None:
    """With step 03, everyone hears of everything."""
    output = said(shows["steps/03"])
    assert {act: PEOPLE for act in ACTS} == heard(output, PEOPLE)
    assert "✔ Each of the 8 changes reached everyone." in output


MAY_SEE = {"author": ["alice"], "book": ["alice", "bob"], "order": ["alice", "carol"]}


def test_those_who_may(shows: dict[str, subprocess.CompletedProcess[str]]) -> None:
    """From step 04 on, users hear of what they may see, and of nothing else."""
    for folder in set(CODE_FOLDERS) - {"steps/01", "steps/02", "steps/03"}:
        output = said(shows[folder])
        assert {act: MAY_SEE[model] for act, model in ACTS.items()} == heard(
            output, PEOPLE
        )
        assert "✔ Each of the 8 changes reached those who may see it" in output


def test_message_of_an_event(
    shows: dict[str, subprocess.CompletedProcess[str]],
) -> None:
    """What is shown is the event: the object, the model and the message."""
    output = said(shows["final"])
    assert "Dracula" in output
    assert "book: Changed Price." in output
    assert "order: Changed Status." in output


@pytest.fixture(scope="module")
def real_redis() -> Iterator[str]:
    """The URL of a real Redis server."""
    with running_redis() as url:
        yield url


@pytest.mark.parametrize(
    ("folder", "command"), [("steps/02", "publish"), ("final", "xadd")]
)
def test_real_redis(real_redis: str, database: str, folder: str, command: str) -> None:
    """The demo runs by itself on the Redis server that REDIS_URL names."""
    with Redis.from_url(real_redis) as redis:
        redis.config_resetstat()
        output = said(auto("--code", folder, database, REDIS_URL=real_redis))
        assert f"with Redis at {real_redis}" in output
        assert "✔ Each of the 8 changes" in output
        assert redis.info("commandstats")[f"cmdstat_{command}"]["calls"] >= 8


def test_expectation_comes_from_permissions(tmp_path: Path, database: str) -> None:
    """What each user should hear of is what Django says they may see."""
    copy = copy_of_step_04(tmp_path / "copy")
    with (copy / "settings.py").open("a") as settings:
        settings.write("AUTHENTICATION_BACKENDS.append('generous.Backend')\n")
    (copy / "generous.py").write_text(
        "from django.contrib.auth.backends import BaseBackend\n\n"
        "class Backend(BaseBackend):\n"
        "    def has_perm(self, user, perm, obj=None):\n"
        "        return (user.username, perm) == ('dave', 'bookshop.view_author')\n"
    )
    output = said(auto("--code", str(copy), database))
    for act, names in heard(output, PEOPLE).items():
        assert ("dave" in names) == ("author" in act)


class Mistake(NamedTuple):
    """A mistake in a copy of step 04, and words that its failure must contain."""

    file: str
    old: str
    new: str
    words: list[str]


MISTAKES = {
    "no filter": Mistake(
        "server.py",
        "if content_type_id in content_type_ids",
        "",
        [
            "bob heard of the author Bram Stoker, which bob may not see.",
            "bob heard of the order 1 x Dracula for Ada, which bob may not see.",
            "carol heard of the book Dracula, which carol may not see.",
            "dave heard of the book Dracula, which dave may not see.",
        ],
    ),
    "no delivery": Mistake(
        "server.py",
        "broadcast(recipients, payload)",
        "pass",
        ["alice, bob and carol heard nothing within 10 seconds."],
    ),
    "nobody is let in": Mistake(
        "server.py",
        "if user is None",
        "if user",
        ["The server closed the connection of ", ": 1011 authentication failed."],
    ),
    "dies of an event": Mistake(
        "server.py",
        "payload = message[",
        "payload = nonsense[",
        ["server │", "NameError", "The server ended by itself, with exit code 1."],
    ),
    "save fails": Mistake(
        "signals.py",
        "redis.publish",
        "redis.publicise",
        ["The admin answered 500 to ", "AttributeError"],
    ),
}


def test_mistakes(tmp_path: Path) -> None:
    """The demo by itself exits with 1 on a mistake, and says what is wrong."""
    folders = {}
    for name, mistake in MISTAKES.items():
        folder = copy_of_step_04(tmp_path / name)
        edit(folder / "realtime" / mistake.file, mistake.old, mistake.new)
        folders[str(folder)] = mistake
    for code, process in autos([*folders]).items():
        assert 1 == process.returncode, code
        assert "Traceback" not in process.stderr
        for words in folders[code].words:
            assert words in process.stdout + process.stderr


def test_step_that_code_has_reached(tmp_path: Path, database: str) -> None:
    """--step says how far the code in a folder without a number has come."""
    mine = str(shutil.copytree(ROOT / "steps" / "01", tmp_path / "mine"))
    assert "greeted" in said(auto("--code", mine, "--step", "01", database))


def test_stop_by_itself(database: str) -> None:
    """The demo by itself, when it is stopped before its verdict, exits with 1."""
    with running("--auto", database, ready="Starting") as demo:
        demo.process.send_signal(signal.SIGTERM)
        assert demo.ends().endswith("Stopped.\n")
        assert 1 == demo.process.returncode


# The picture of README.md

PICTURE = ROOT / "steps" / "pictures" / "demo.svg"


def text(picture: Path) -> list[str]:
    """Return the lines that an SVG file shows, title first, without empty ones."""
    lines: dict[str, str] = {}
    for element in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text"):
        y = element.get("y", "")
        x = round(float(element.get("x", "0")) / 12.2)
        lines[y] = f"{lines.get(y, ''):{x}}{element.text}"
    shown = [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines.values()]
    return [line.rstrip() for line in shown if line.strip()]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The picture, taken again in another folder."""
    folder = tmp_path_factory.mktemp("pictures")
    command = [sys.executable, "-m", "steps.demo.picture", folder]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder / "demo.svg"


def test_picture_shows_what_the_demo_prints(
    picture: Path, shows: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    """The picture shows the command, and what it prints."""
    lines = ["$ make demo AUTO=1", *said(shows["final"]).splitlines()]
    assert [line for line in lines if line] == text(picture)[1:]


def test_picture_is_new(picture: Path) -> None:
    """The picture in the repository is the one which ``make screenshots`` makes."""
    assert text(picture) == text(PICTURE)


def test_picture_needs_nothing_else(picture: Path) -> None:
    """The picture names no file that a browser would have to load."""
    assert "url(http" not in picture.read_text().replace('"', "")


def test_picture_is_coloured(picture: Path) -> None:
    """The picture has the colours of a terminal."""
    assert len(set(re.findall(r"fill: (#\w+)", picture.read_text()))) >= 5


# The judge


BOOK = Act("changes", "book", "Dracula")
ABOUT_BOOK = Event("book", "Dracula", "Changed Price.")
ABOUT_ORDER = Event("order", "1 x Dracula for Ada", "Added.")


class Listener(listeners.Listener):
    """A listener without a connection."""

    async def listens(self) -> NoReturn:
        raise NotImplementedError

    async def settles(self) -> None:
        pass


@pytest.fixture
def bob() -> Listener:
    """A listener who expects events about books."""
    return Listener("bob", "may see books", frozenset({"book"}))


@pytest.mark.parametrize(
    ("events", "complaints"),
    [
        ([ABOUT_BOOK], []),
        ([], ["bob did not hear that alice changes the book Dracula."]),
        ([ABOUT_BOOK] * 2, ["bob heard of the book Dracula once too often."]),
        (
            [ABOUT_ORDER, ABOUT_BOOK],
            ["bob heard of the order 1 x Dracula for Ada, which bob may not see."],
        ),
        (
            [ABOUT_BOOK._replace(object="Emma")],
            [
                "bob did not hear that alice changes the book Dracula.",
                "bob heard of the book Emma once too often.",
            ],
        ),
    ],
    ids=["right", "missing", "twice", "forbidden", "another"],
)
async def test_judgement(
    bob: Listener, events: list[Event], complaints: list[str]
) -> None:
    """What somebody heard of an act is compared with what they should hear."""
    for event in events:
        bob.receives(json.dumps(event._asdict()))
    [hearing] = await hearings(BOOK, [bob], patience=0.01)
    assert complaints == list(hearing.complaints())


async def test_nothing_to_hear(bob: Listener) -> None:
    """Who should not hear of an act is not waited for."""
    order = Act("adds", "order", ABOUT_ORDER.object)
    async with asyncio.timeout(1):
        [hearing] = await hearings(order, [bob], patience=60)
    assert [] == list(hearing.complaints())


@pytest.mark.parametrize("kind", [{}, {"type": "event", "id": "1-0"}])
def test_event(bob: Listener, kind: dict[str, str]) -> None:
    """An event may have a type and an id."""
    bob.receives(json.dumps({**kind, **ABOUT_BOOK._asdict()}))
    assert ABOUT_BOOK == bob.inbox.get_nowait()


@pytest.mark.parametrize("kind", ["ready", "resync"])
def test_no_event(bob: Listener, kind: str) -> None:
    """A message of another type is no event, but shows that the server is there."""
    bob.receives(json.dumps({"type": kind}))
    assert bob.hears.is_set()
    assert bob.inbox.empty()


@pytest.mark.parametrize("payload", ["Hello bob!", "[]", "null", '{"object": "Emma"}'])
def test_nonsense(bob: Listener, payload: str) -> None:
    """A message that makes no sense is named."""
    with pytest.raises(Problem) as raised:
        bob.receives(payload)
    assert f"bob received {payload!r}, which is no event." == str(raised.value)
