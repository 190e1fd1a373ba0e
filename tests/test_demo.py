"""The demo: the site, the server and the bus in one command, as a reader runs it."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest

from steps.demo import processes
from tests.demo import (
    CODE_FOLDERS,
    FREE_PORTS,
    ROOT,
    Demo,
    alive,
    complaint,
    copy_of_step_04,
    environment,
    make,
    run,
    running,
)

# What is asked for


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


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


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The --database of the demo, which the tests share as its runs do."""
    return f"--database={tmp_path_factory.mktemp('demo')}/demo.sqlite3"


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


def test_child_that_does_not_start(database: str, tmp_path: Path) -> None:
    """When the server dies at its start, the demo reports its last words."""
    copy = copy_of_step_04(tmp_path / "copy")
    (copy / "realtime" / "access.py").write_text("raise RuntimeError('no access')\n")
    process = run("--code", str(copy), *FREE_PORTS, database)
    assert 1 == process.returncode
    assert "server │ RuntimeError: no access\n" in process.stdout
    assert "The server ended by itself, with exit code 1.\n" == process.stderr


# The end of a process


IGNORES_CTRL_C = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("ready (pid)", flush=True)
time.sleep(60)
"""
HAS_SUCH_A_CHILD = f"""
import signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
subprocess.run([sys.executable, "-c", {IGNORES_CTRL_C!r}])
"""


async def test_what_a_process_started_ends_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the site or the server started is ended with them, willing or not."""
    monkeypatch.setattr(processes, "GRACE", 0.1)
    async with asyncio.timeout(20):
        async with processes.running("site", "-c", HAS_SUCH_A_CHILD) as site:
            await site.says("ready (.*)")
        # Its output ends when the last process that writes it does.
        assert site.process.stdout is not None
        assert site.process.stdout.at_eof()
    assert -signal.SIGINT == site.process.returncode


async def test_stop_at_the_end() -> None:
    """A process that doesn't end on Ctrl-C is killed if the demo is stopped then."""
    async with asyncio.timeout(20):
        async with AsyncExitStack() as stack:
            site = await stack.enter_async_context(
                processes.running("site", "-c", IGNORES_CTRL_C)
            )
            await site.says("ready (.*)")
            end = asyncio.create_task(stack.pop_all().aclose())
            await asyncio.sleep(0)  # it begins
            end.cancel()
            with pytest.raises(asyncio.CancelledError):
                await end
        assert -signal.SIGKILL == await site.process.wait()
