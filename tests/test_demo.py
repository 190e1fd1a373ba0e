"""The demo: the site, the server and the bus in one command, as a reader runs it."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.request import urlopen
from xml.etree import ElementTree

import pytest
from redis import Redis

from steps.demo import Problem, listeners
from steps.demo.hearings import hearings
from steps.demo.listeners import Event
from steps.demo.play import Act
from tests.real_redis import running_redis

ROOT = Path(__file__).parent.parent
DEMO = [sys.executable, "-m", "steps.demo"]
STEPS = sorted(path.parent.parent.name for path in ROOT.glob("steps/*/*/server.py"))
CODE_FOLDERS = [*(f"steps/{step}" for step in STEPS), "final"]
FREE_PORTS = ["--site-port", "0", "--server-port", "0"]


def environment(**variables: str) -> dict[str, str]:
    """Return the environment without what this test run says about Django and Redis."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("DJANGO_")
        and name not in {"DATABASE_URL", "REDIS_URL", "PYTHONPATH"}
    }
    return inherited | variables


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the demo until it ends by itself, in two minutes at most."""
    with subprocess.Popen(
        [*DEMO, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        bound = threading.Timer(120, process.terminate)
        bound.start()
        stdout, stderr = process.communicate()
        bound.cancel()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def complaint(*arguments: str, **variables: str) -> str:
    """Run the demo, which refuses; return its one sentence."""
    process = run(*arguments, **variables)
    assert 1 == process.returncode
    assert "" == process.stdout
    assert 1 == process.stderr.count("\n")
    return process.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


# What is asked for


def test_help_teaches() -> None:
    """--help says what runs, and how to choose code, ports and database."""
    process = run("--help")
    assert 0 == process.returncode
    for word in [
        "site",
        "server",
        "--code",
        "--auto",
        "--token",
        "--site-port",
        "--server-port",
        "REDIS_URL",
        "django_site/demo.sqlite3",
        "make demo CODE=steps/03",
    ]:
        assert word in process.stdout


def test_start_folder_has_no_server() -> None:
    """The start folder of the tutorial gets one sentence: it has no server."""
    assert (
        "steps/00 has no server yet: chapter 01 of the tutorial writes "
        "realtime/server.py.\n"
    ) == complaint("--code", "steps/00")


@pytest.mark.parametrize("folder", ["django_site/bookshop", "nowhere"])
def test_no_code_folder(folder: str) -> None:
    """What is no code folder gets one sentence, which names the code folders."""
    assert (
        f"{folder} is not a code folder: it has no settings.py. "
        f"These are: {', '.join(CODE_FOLDERS)}. "
        "`make start` lays out one of your own.\n"
    ) == complaint("--code", folder)


def test_no_such_step() -> None:
    """--step takes the number of a step."""
    process = run("--step", "77")
    assert 2 == process.returncode
    assert "--step" in process.stderr
    assert "'01'" in process.stderr


def test_port_of_the_site_is_taken(taken_port: int) -> None:
    """A taken port of the site gets one sentence: which, by whom, what to do."""
    assert (
        f"Port {taken_port} is taken, perhaps by another demo or runserver. Stop it, "
        "or choose another port for the site: SITE_PORT=… after `make demo` "
        "(--site-port).\n"
    ) == complaint("--site-port", str(taken_port))


def test_port_of_the_server_is_taken(taken_port: int) -> None:
    """A taken port of the server gets one sentence: which, by whom, what to do."""
    assert (
        f"Port {taken_port} is taken, perhaps by another demo or server. Stop it, "
        "or choose another port for the server: SERVER_PORT=… after `make demo` "
        "(--server-port).\n"
    ) == complaint("--site-port", "0", "--server-port", str(taken_port))


def test_no_port() -> None:
    """A number that is not a port is refused."""
    process = run("--server-port", "65536")
    assert 2 == process.returncode
    assert "--server-port: 65536 is not a port (0 to 65535)" in process.stderr


def test_no_redis_answers() -> None:
    """A REDIS_URL where nothing answers gets one sentence, without the password."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    sentence = complaint(
        *("--site-port", "0", "--server-port", "0"),
        REDIS_URL=f"redis://user:secret@127.0.0.1:{port}/1",
    )
    assert f"at REDIS_URL, redis://127.0.0.1:{port}/1 (" in sentence
    assert "redis-server" in sentence
    assert "secret" not in sentence


def test_no_redis_url() -> None:
    """A REDIS_URL that isn't one gets one sentence."""
    sentence = complaint("--site-port", "0", "--server-port", "0", REDIS_URL="6379")
    assert "REDIS_URL" in sentence
    assert "redis://" in sentence


def test_settings_that_fail(tmp_path: Path) -> None:
    """Settings that Django cannot load get one sentence with the reason."""
    shutil.copytree(ROOT / "final", tmp_path / "mine")
    (tmp_path / "mine" / "settings.py").write_text("import nonsense\n")
    sentence = complaint("--code", str(tmp_path / "mine"), *FREE_PORTS)
    assert "mine/settings.py" in sentence
    assert "No module named 'nonsense'" in sentence


def test_unusable_database(tmp_path: Path) -> None:
    """A file that is no database gets one sentence, which says what to do."""
    database = tmp_path / "demo.sqlite3"
    database.write_text("nonsense, and enough of it to be told from a new file\n" * 9)
    process = run(*FREE_PORTS, f"--database={database}")
    assert 1 == process.returncode
    assert (
        f"The database {database} cannot be used (file is not a database). "
        "Delete it, and run the demo again.\n"
    ) == process.stderr


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make with the virtual environment of the tests, as it is."""
    return subprocess.run(
        ["make", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/ready", *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )


def options_of_make(*variables: str) -> list[str]:
    """Return with which options ``make demo`` would run Python."""
    command = make("--dry-run", "demo", *variables).stdout.replace("\\\n", "")
    return shlex.split(command)[1:]


def test_make_demo() -> None:
    """``make demo`` runs final/ on the usual ports."""
    assert ["-m", "steps.demo", "--code", "final"] == options_of_make()


def test_make_demo_with_variables() -> None:
    """The variables of ``make demo`` are the options of the demo."""
    variables = ["CODE=mine", "STEP=03", "AUTO=1", "SITE_PORT=1", "SERVER_PORT=2"]
    command = "-m steps.demo --code mine --step 03 --auto --site-port 1 --server-port 2"
    assert command.split() == options_of_make(*variables)


def test_make_demo_on_redis() -> None:
    """The variable REDIS_URL of ``make demo`` is that of the environment."""
    process = make("demo", "SITE_PORT=0", "SERVER_PORT=0", "REDIS_URL=redis:6379")
    assert "at REDIS_URL, redis:6379" in process.stderr


# Run until Ctrl-C


class Demo:
    """The demo while it runs, and what it said when it was ready."""

    def __init__(self, process: subprocess.Popen[str], ready: str) -> None:
        self.process = process
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if ready in line:
                break
        self.welcome = "".join(lines)

    def finds(self, pattern: str) -> str:
        """Return what the welcome says in the place of the group."""
        match = re.search(pattern, self.welcome)
        assert match is not None, self.welcome
        return match[1]

    def ends(self) -> str:
        """Wait until the demo ends; return what it said since it was ready."""
        output, _ = self.process.communicate(timeout=20)
        return output

    def children(self) -> dict[int, str]:
        """Return the process numbers and command lines of the site and the server."""
        table = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True
        ).stdout
        rows = [line.split(maxsplit=2) for line in table.splitlines()]
        parent = str(self.process.pid)
        return {int(pid): args for pid, ppid, args in rows if ppid == parent}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def running(*arguments: str, ready: str = "Ctrl-C", **variables: str) -> Iterator[Demo]:
    """Run the demo on free ports until the context ends."""
    with subprocess.Popen(
        [*DEMO, *FREE_PORTS, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        bound = threading.Timer(120, process.terminate)
        bound.start()
        try:
            yield Demo(process, ready)
        finally:
            bound.cancel()
            process.terminate()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The --database of the demo, which the tests share as its runs do."""
    return f"--database={tmp_path_factory.mktemp('demo')}/demo.sqlite3"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code of step 04, for a test to change."""
    return shutil.copytree(ROOT / "steps" / "04", tmp_path / "copy")


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file, where it must be."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def demo(database: str) -> Iterator[Demo]:
    """The demo of step 01, in a shell in which the reader chose a site of their own."""
    mine = {
        "DATABASE_URL": "sqlite:////mine.sqlite3",
        "DJANGO_SECRET_KEY": "mine",
        "DJANGO_DEBUG": "0",
    }
    with running("--code", "steps/01", database, **mine) as demo:
        yield demo


def test_welcome(demo: Demo, database: str) -> None:
    """The welcome says where to go, as whom, and what each user sees."""
    with urlopen(demo.finds(r"(http://localhost:\d+/admin/)")) as page:
        assert "Log in" in page.read().decode()
    assert database == "--database=" + demo.finds(r"Database +(\S+)")
    for row in [
        r"alice +demo +(everything)",
        r"bob +demo +(books)",
        r"carol +demo +(orders)",
        r"dave +demo +(nothing)",
    ]:
        demo.finds(row)


def test_token_and_client(demo: Demo) -> None:
    """The two commands which are printed let the reader talk to the server."""
    token = subprocess.run(
        demo.finds(r"(\S+python\S* -m steps.demo .*--token \w+.*)"),
        shell=True,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert "" == token.stderr
    with subprocess.Popen(
        shlex.split(demo.finds(r"(\S+python\S* -m websockets ws://.*)")),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(token.stdout)
        client.stdin.flush()
        said = client.stdout.read()
    assert "Hello bob!" in said
    assert "1000" in said


def test_token_of_nobody(demo: Demo, database: str) -> None:
    """A token of somebody who is not a user of the demo is refused in a sentence."""
    assert (
        "The demo has no user eve. It has alice, bob, carol and dave.\n"
    ) == complaint("--code", "steps/01", database, "--token", "eve")


def test_token_before_the_demo_ran(tmp_path: Path) -> None:
    """A token is refused in a sentence as long as there is no database."""
    database = f"--database={tmp_path}/demo.sqlite3"
    assert (
        f"There is no database {tmp_path}/demo.sqlite3 yet: "
        "run the demo first, and leave it running.\n"
    ) == complaint(database, "--token", "bob")


@pytest.mark.parametrize(
    "signals",
    [[signal.SIGINT], [signal.SIGTERM, signal.SIGHUP]],
    ids=["Ctrl-C", "shutdown"],
)
def test_stop(database: str, signals: list[signal.Signals]) -> None:
    """Ctrl-C and its kin end the site and the server, and the demo exits with 0."""
    with running(database) as demo:
        children = demo.children()
        assert 2 == len(children)
        with urlopen(demo.finds(r"(http://localhost:\d+/admin/)")):
            pass
        for number in signals:
            demo.process.send_signal(number)
        assert re.fullmatch(r'site   │ .*"GET /admin/.*\nStopped.\n', demo.ends(), re.S)
        assert 0 == demo.process.returncode
        assert [] == [pid for pid in children if alive(pid)]


def test_child_that_dies(database: str) -> None:
    """When the server dies, the demo says so, ends the site and exits with 1."""
    with running(database) as demo:
        children = demo.children()
        [server] = [pid for pid in children if "runserver" not in children[pid]]
        os.kill(server, signal.SIGKILL)
        assert "The server ended by itself, killed by SIGKILL.\n" in demo.ends()
        assert 1 == demo.process.returncode
        assert [] == [pid for pid in children if alive(pid)]


def test_child_that_does_not_start(database: str, copy: Path) -> None:
    """When the server dies at its start, the demo reports its last words."""
    (copy / "realtime" / "access.py").write_text("raise RuntimeError('no access')\n")
    process = run("--code", str(copy), *FREE_PORTS, database)
    assert 1 == process.returncode
    assert "server │ RuntimeError: no access\n" in process.stdout
    assert "The server ended by itself, with exit code 1.\n" == process.stderr


# Run by itself

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
    for folder in CODE_FOLDERS[3:]:
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


@pytest.mark.parametrize("folder", ["steps/02", "final"])
def test_real_redis(real_redis: str, database: str, folder: str) -> None:
    """The demo runs by itself on the Redis server that REDIS_URL names."""
    with Redis.from_url(real_redis) as redis:
        redis.config_resetstat()
        output = said(auto("--code", folder, database, REDIS_URL=real_redis))
        assert f"with Redis at {real_redis}" in output
        assert "✔ Each of the 8 changes" in output
        assert redis.info("commandstats")["cmdstat_publish"]["calls"] >= 8


def test_expectation_comes_from_permissions(copy: Path, database: str) -> None:
    """What each user should hear of is what Django says they may see."""
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
        ["The server closed the connection of alice: 1011 authentication failed."],
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
        folder = shutil.copytree(ROOT / "steps" / "04", tmp_path / name)
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
    """The picture that ``make screenshots`` makes in another folder."""
    folder = tmp_path_factory.mktemp("pictures")
    process = make("screenshots", f"PICTURES={folder}")
    assert (0, "") == (process.returncode, process.stderr)
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
