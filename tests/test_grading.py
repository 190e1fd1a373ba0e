"""The grading of a code folder, and what a failure says to a learner."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakeredis import TcpFakeServer

from steps.ports import free_port
from tests.forks import Ended as Run
from tests.forks import run_pytest
from tests.road import SETTINGS, append, lay, write

Grade = Callable[..., Run]


@pytest.fixture
def road(tmp_path: Path) -> Path:
    """A copy of this repository, with steps and suites that are tiny."""
    lay(tmp_path)
    write(tmp_path / "mine/settings.py", SETTINGS)
    write(tmp_path / "mine/realtime/__init__.py", "")
    return tmp_path


@pytest.fixture
def grade(road: Path) -> Grade:
    """A function that runs pytest on the road, as a learner does."""

    def grade(*args: str, folder: Path = road, **environment: str) -> Run:
        run = run_pytest(folder, *args, env=clean_environment() | environment)
        for word in ["Traceback", "INTERNALERROR", "_pytest/"]:
            assert word not in run.stdout + run.stderr
        return run

    return grade


def clean_environment() -> dict[str, str]:
    """Return the environment without what tests put there, and wide enough."""
    ours = ("PYTEST", "DJANGO", "CI", "REDIS_URL")
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(ours)
    }
    return inherited | {"COLUMNS": "200"}


def summary(run: Run) -> str:
    """Return the last line, without the time that the tests took."""
    return run.stdout.splitlines()[-1].partition(" in ")[0]


def told(run: Run) -> list[str]:
    """Return the names of the steps and how many tests came out how."""
    lines = (line.partition(" in ")[0] for line in run.stdout.splitlines())
    words = ("pytest ", *"123456789")
    return [line for line in lines if line.startswith(words)]


def shortened(text: str) -> str:
    """Return a text in which lines across the terminal are short."""
    return re.sub(r"([=_-]){4,}", r"\1\1\1\1", text)


def reasons(run: Run) -> list[str]:
    """Return the reasons of the failures, as the summary at the end tells them."""
    lines = [line.partition(" - ") for line in run.stdout.splitlines()]
    return [reason for test, _, reason in lines if test.startswith("FAILED ")]


def error(run: Run) -> str:
    """Return what pytest says when it cannot be used in this way."""
    assert (pytest.ExitCode.USAGE_ERROR, "") == (run.returncode, run.stdout)
    return run.stderr.strip()


# Which code


def test_code_of_the_step(grade: Grade) -> None:
    """A suite grades the code of its own step, unless told otherwise."""
    assert "2 passed" == summary(grade("steps/01"))


def test_code_of_the_learner(grade: Grade, road: Path) -> None:
    """--code names the folder to grade, seen from where the learner is."""
    write(road / "mine/realtime/server.py", "GREETING = 'Hello'")
    assert "2 passed" == summary(grade("steps/01", "--code", "mine"))
    mine = road / "mine"
    assert "2 passed" == summary(grade("../steps/01", "--code", ".", folder=mine))


def test_code_of_a_suite_without_code(grade: Grade, road: Path) -> None:
    """A suite without a code folder of its own grades final/."""
    suite = "def test(): from realtime.server import FAREWELL\n"
    write(road / "steps/03/test_end.py", suite)
    assert "1 passed" == summary(grade("steps/03"))


def test_start_folder(grade: Grade) -> None:
    """The folder to start from has no suite; the message says which is the first."""
    run = grade("steps/00")
    assert "steps/00 has no suite. The first is that of steps/01." in error(run)
    assert pytest.ExitCode.USAGE_ERROR == run.returncode


def test_whatever_the_shell_says(grade: Grade) -> None:
    """The variables that chapters export for Django don't change what is graded."""
    exported = {"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": "mine"}
    assert "1 passed" == summary(grade("steps/02", **exported))
    exported = {"DJANGO_SETTINGS_MODULE": "nonsense"}
    assert "1 passed" == summary(grade("steps/02", **exported))


def test_whose_code(grade: Grade) -> None:
    """The first line says whose code is graded, and how to have one's own graded."""
    assert "Grading final\n" in grade("steps/01", "--code", "final").stdout
    hint = "Grading steps/01 (--code mine grades yours)\n"
    assert hint in grade("steps/01").stdout


def test_tests_of_ones_own(grade: Grade, road: Path) -> None:
    """Tests in the code folder can be run together with a suite, and its fixtures."""
    own = road / "mine" / "test_own.py"
    own.write_text("def test_own(story):\n    assert [] == story\n")
    run = grade("steps/01", "mine/test_own.py", "--code", "mine")
    assert "2 failed, 1 passed" == summary(run)


def test_failure_of_ones_own(grade: Grade, road: Path) -> None:
    """A test of the learner's own is in no chapter, so its failure sends to none."""
    own = """
from steps.grading import Unmet

def test_unmet(): raise Unmet("an answer", "nothing", [])
def test_wrong(): assert False
def test_missing(): from realtime import nothing
"""
    write(road / "mine/test_own.py", own)
    run = grade("steps/01", "mine/test_own.py", "--code", "mine", "-k", "own")
    assert "3 failed, 2 deselected" == summary(run)
    assert "tutorial.md" not in run.stdout
    assert "realtime/nothing.py is not written yet: mine/test_own.py asks for it" in (
        reasons(run)
    )


def test_no_folder(grade: Grade) -> None:
    """A folder that doesn't exist is not a code folder."""
    assert (
        "ERROR: nonsense is not a code folder: it has no settings.py. "
        "`make start` lays out a folder for you, called mine."
    ) == error(grade("steps/01", "--code", "nonsense"))


def test_no_app(grade: Grade) -> None:
    """A folder without the Django app is not a code folder."""
    assert "django_site is not a code folder: it has no realtime/." in error(
        grade("steps/01", "--code", "django_site")
    )


@pytest.mark.parametrize("args", [[], ["mine/test_own.py"], ["tests/test_own.py"]])
def test_no_suite(grade: Grade, road: Path, args: list[str]) -> None:
    """--code without a suite that should grade it is a mistake."""
    for arg in args:
        write(road / arg, "def test_own(): pass\n")
    message = error(grade(*args, "--code", "mine"))
    assert (
        "name the suites that are to grade it: pytest steps/01 --code mine" in message
    )
    assert "pytest steps/01 mine/test_mine.py --code mine -k test_mine" in message


def test_code_in_a_browser(grade: Grade, road: Path) -> None:
    """The tests of the page in a browser grade the code that --code names, too."""
    suite = "def test(request): assert 'mine' == request.config.option.code\n"
    write(road / "tests/test_browser.py", suite)
    run = grade("tests/test_browser.py::test", "--code", "mine")
    assert "1 passed" == summary(run)


@pytest.mark.parametrize("args", [["."], ["steps", "tests"], ["tests", "steps/01"]])
def test_suites_and_other_tests(grade: Grade, args: list[str]) -> None:
    """Suites and the tests of the repository cannot be run in one go."""
    assert "run them apart: pytest steps, pytest tests" in error(grade(*args))


# What is not written yet


MISSING = {
    "from realtime import access": "realtime/access.py",
    "import realtime.access": "realtime/access.py",
    "from realtime.access import sees": "realtime/access.py",
    "from realtime import server; server.run()": "run in realtime/server.py",
    "from realtime.server import run": "run in realtime/server.py",
    "import realtime; realtime.VERSION": "VERSION in realtime/__init__.py",
    "from django.conf import settings; settings.BUS": "BUS in settings.py",
}


def test_not_written(grade: Grade, road: Path) -> None:
    """What a suite misses is not written yet, and its chapter asks for it."""
    tests = [f"def test_{n}(): {line}\n" for n, line in enumerate(MISSING)]
    write(road / "steps/02/test_more.py", "".join(tests))
    assert [
        f"{missing} is not written yet: chapter 02 asks for it"
        for missing in MISSING.values()
    ] == reasons(grade("steps/02/test_more.py"))


def test_not_written_by_the_learner(grade: Grade, road: Path) -> None:
    """What the learner's own code misses is asked for by that code, not a chapter."""
    for name, line in enumerate(MISSING):
        write(road / f"mine/realtime/part_{name}.py", line)
    write(road / "mine/realtime/server.py", "")
    tests = [
        f"def test_{name}(): from realtime import part_{name}\n"
        for name in range(len(MISSING))
    ]
    write(road / "steps/02/test_more.py", "".join(tests))
    *modules, _settings = [
        f"{missing} is not written yet: realtime/part_{name}.py:1 asks for it"
        for name, missing in enumerate(MISSING.values())
    ]
    assert [
        *modules,
        "BUS in settings.py is not written yet: chapter 02 asks for it",
    ] == reasons(grade("steps/02/test_more.py", "--code", "mine"))


def test_circular_import(grade: Grade, road: Path) -> None:
    """A circular import is an error in the learner's code, and is shown."""
    write(road / "mine/realtime/server.py", "from realtime.hub import Hub")
    write(road / "mine/realtime/hub.py", "from realtime.server import GREETING")
    run = grade("steps/01", "--code", "mine", "-k", "test_greeting")
    assert "mine/realtime/hub.py:1: ImportError" in run.stdout
    assert "most likely due to a circular import" in reasons(run)[0]


# What a failure says


def test_story(grade: Grade, road: Path) -> None:
    """A failure tells what was asked, done, expected, what came, and what to read."""
    suite = '''
from steps.grading import Unmet


def test_story(story):
    """Server listens.

    It has to.
    """
    story.append("somebody called")
    story.append("somebody called again")
    raise Unmet("an answer", "nothing", story)
'''
    write(road / "steps/02/test_story.py", suite)
    assert (
        "____ test_story ____\n"
        "Asked:    Server listens.\n"
        "Done:     somebody called\n"
        "          somebody called again\n"
        "Expected: an answer\n"
        "Came:     nothing\n"
        "Where:    steps/02/test_story.py:12: "
        'raise Unmet("an answer", "nothing", story)\n'
        "Read:     chapter 02 of tutorial.md\n"
        "==== short test summary info ====\n"
        "FAILED steps/02/test_story.py::test_story"
        " - expected an answer; came nothing\n"
    ) in shortened(grade("steps/02").stdout)


def test_line_of_a_failure(grade: Grade, road: Path) -> None:
    """--tb=line shows the reason, and nothing of ours."""
    assert "\nrealtime/server.py is not written yet: chapter 01 asks for it\n" in (
        grade("steps/01", "--code", "mine", "--tb=line", "-k", "test_greeting").stdout
    )


def test_failure_in_another_process(grade: Grade) -> None:
    """pytest-xdist shows the same explanation."""
    run = grade("steps/01", "--code", "mine", "-n", "1", "-k", "test_greeting")
    assert "Read:     chapter 01 of tutorial.md\n" in run.stdout
    assert "1 failed" == summary(run)


def test_failure_in_a_fixture(grade: Grade, road: Path) -> None:
    """What is not met in a fixture is a failure, not an error."""
    suite = """
import pytest
from steps.grading import Unmet

@pytest.fixture
def client():
    raise Unmet("a client", "nobody", [])

def test_client(client): pass
"""
    write(road / "steps/02/test_fixture.py", suite)
    run = grade("steps/02/test_fixture.py")
    assert ["expected a client; came nobody"] == reasons(run)
    assert "1 failed" == summary(run)
    assert "Where:    steps/02/test_fixture.py:7: raise Unmet(" in run.stdout


def test_plain_assertion(grade: Grade, road: Path) -> None:
    """A failure that we have no words for is shown by pytest, with what to read."""
    write(road / "mine/realtime/server.py", "GREETING = 'Hi'")
    run = grade("steps/01", "--code", "mine")
    assert "assert 'Hello' == 'Hi'" in run.stdout
    assert (
        "---- What to read ----\n"
        "chapter 01 of tutorial.md\n"
        "==== short test summary info ====\n"
    ) in shortened(run.stdout)


# Outgrown tests


@pytest.mark.parametrize(
    ("args", "tests"),
    [
        (["steps/01"], "2 passed"),
        (["steps/01", "--code", "steps/02"], "1 passed, 1 deselected"),
        (["steps/01", "--code", "final"], "1 passed, 1 deselected"),
        (["steps/01", "--code", "mine"], "1 failed, 1 passed"),
        (["steps", "--code", "mine"], "2 passed, 1 deselected"),
        (["steps", "--code", "steps/01"], "1 failed, 2 passed"),
    ],
)
def test_until(grade: Grade, road: Path, args: list[str], tests: str) -> None:
    """A test of a behaviour that ends is for the code before that step alone.

    A learner's folder is as far as the suites that grade it.
    """
    last = (road / "final/realtime/server.py").read_text()
    write(road / "mine/realtime/server.py", last)
    assert tests == summary(grade(*args))


# The whole road


def test_each_step(grade: Grade) -> None:
    """Each step is graded in a process of its own, one after the other."""
    run = grade("steps")
    assert pytest.ExitCode.OK == run.returncode
    assert ["pytest steps/01", "2 passed", "pytest steps/02", "1 passed"] == told(run)


def test_steps_by_name(grade: Grade, road: Path) -> None:
    """Of each step, only the tests that are named are run, from any folder."""
    test = "01/test_one.py::test_greeting"
    run = grade(test, "02", folder=road / "steps")
    assert ["pytest steps/01", "1 passed", "pytest steps/02", "1 passed"] == told(run)


def test_steps_of_the_current_folder(grade: Grade, road: Path) -> None:
    """In the folder of the steps, pytest grades them all."""
    run = grade(folder=road / "steps")
    assert ["pytest steps/01", "2 passed", "pytest steps/02", "1 passed"] == told(run)


def test_worst_exit_code(grade: Grade, road: Path) -> None:
    """The exit code is the worst of all steps."""
    append(road / "steps/01/test_one.py", "def test_wrong(): assert False")
    assert pytest.ExitCode.TESTS_FAILED == grade("steps").returncode
    write(road / "steps/02/settings.py", "nonsense")
    assert pytest.ExitCode.USAGE_ERROR == grade("steps").returncode


def test_first_failure(grade: Grade, road: Path) -> None:
    """-x stops at the first failure, also of the steps."""
    append(road / "steps/01/test_one.py", "def test_wrong(): assert False")
    run = grade("steps", "-x")
    assert ["pytest steps/01", "1 failed, 2 passed"] == told(run)
    assert pytest.ExitCode.TESTS_FAILED == run.returncode


@pytest.mark.parametrize(
    ("options", "one", "two"),
    [
        (["-k", "greeting or Bye"], "1 passed, 1 deselected", "1 passed"),
        (["-m", "until"], "1 passed, 1 deselected", "1 deselected"),
        (["--maxfail", "1", "-k", "steps"], "2 passed", "1 passed"),
    ],
)
def test_options(grade: Grade, options: list[str], one: str, two: str) -> None:
    """Options go to each step with their values; a step without tests is no harm."""
    run = grade("steps", *options)
    assert ["pytest steps/01", one, "pytest steps/02", two] == told(run)
    assert pytest.ExitCode.OK == run.returncode


def test_no_tests(grade: Grade) -> None:
    """When no step has such a test, the exit code says so."""
    assert (
        pytest.ExitCode.NO_TESTS_COLLECTED
        == grade("steps", "-k", "nonsense").returncode
    )


@pytest.mark.parametrize(
    "args",
    [["steps/01", "-k", "test_greeting"], ["steps/01/test_one.py::test_greeting"]],
)
def test_one_test(grade: Grade, args: list[str]) -> None:
    """One test can be chosen, whatever code it grades."""
    assert summary(grade(*args, "--code", "final")).startswith("1 passed")


def test_ctrl_c(road: Path) -> None:
    """Ctrl-C ends the steps, without a complaint."""
    suite = "def test(): print('asleep', flush=True); __import__('time').sleep(60)"
    write(road / "steps/01/test_sleep.py", suite)
    process = subprocess.Popen(
        [Path(sys.executable).with_name("pytest"), "steps", "-s", "-k", "test_sleep"],
        cwd=road,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    while "asleep" not in process.stdout.readline():
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate()
    assert pytest.ExitCode.INTERRUPTED == process.returncode
    assert "" == errors
    assert "pytest steps/02" not in output


# Redis


@pytest.fixture
def redis() -> Iterator[str]:
    """The URL of a Redis server."""
    with TcpFakeServer(("127.0.0.1", 0)) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(("path", "database"), [("", "/0"), ("/", "/0"), ("/3", "/3")])
def test_given_redis(
    grade: Grade, road: Path, redis: str, path: str, database: str
) -> None:
    """--redis names the server to use, and perhaps the database."""
    suite = (
        f"import os\ndef test(): assert {redis + database!r} == os.environ['REDIS_URL']"
    )
    write(road / "steps/02/test_redis.py", suite)
    run = grade("steps/02/test_redis.py", "--redis", redis + path)
    assert pytest.ExitCode.OK == run.returncode


def test_redis_that_does_not_answer(grade: Grade) -> None:
    """A Redis server that cannot be reached is named, with what to do."""
    url = f"redis://127.0.0.1:{free_port()}"
    message = error(grade("steps/01", "--redis", url))
    assert message.startswith(f"ERROR: No Redis server answers at {url} (")
    assert "Connection refused" in message
    assert "`redis-server`" in message


def test_redis_that_is_no_url(grade: Grade) -> None:
    """What isn't the URL of a Redis server is named too."""
    message = error(grade("steps/01", "--redis", "nonsense"))
    assert message.startswith("ERROR: No Redis server answers at nonsense (")


# Code on which Django cannot start

INSTALLED = SETTINGS + 'INSTALLED_APPS = [*INSTALLED_APPS, "realtime"]\n'
APP = """from django.apps import AppConfig

class RealtimeConfig(AppConfig):
    name = "realtime"

    def ready(self):
        from . import signals
"""
CANNOT = "ERROR: Django cannot start with mine/settings.py"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"settings.py": "\n\nPORT = 80 / 0\n"},
            f"{CANNOT}: ZeroDivisionError: division by zero\n"
            "at mine/settings.py:3: PORT = 80 / 0",
        ),
        (
            {"settings.py": "from django_site.setings import *\n"},
            f"{CANNOT}: ModuleNotFoundError: No module named 'django_site.setings'\n"
            "at mine/settings.py:1: from django_site.setings import *",
        ),
        (
            {"settings.py": SETTINGS + "INSTALLED_APPS = ['nonsense']"},
            f"{CANNOT}: ModuleNotFoundError: No module named 'nonsense'",
        ),
        (
            {"settings.py": INSTALLED, "realtime/apps.py": APP},
            f"{CANNOT}: realtime/signals.py is not written yet\n"
            "at mine/realtime/apps.py:7: from . import signals",
        ),
        (
            {"settings.py": INSTALLED, "realtime/apps.py": APP.replace("name", "nom")},
            f"{CANNOT}: django.core.exceptions.ImproperlyConfigured: "
            "'realtime' must supply a name attribute.",
        ),
    ],
)
def test_broken_code(
    grade: Grade, road: Path, files: dict[str, str], message: str
) -> None:
    """Code on which Django cannot start is named in one message, down to the line."""
    for name, text in files.items():
        write(road / "mine" / name, text)
    assert message == error(grade("steps/01", "--code", "mine"))


def test_syntax_error(grade: Grade, road: Path) -> None:
    """A syntax error is shown where it is, and who imports the module."""
    write(road / "mine/settings.py", INSTALLED)
    write(road / "mine/realtime/apps.py", APP)
    write(road / "mine/realtime/signals.py", "\nif True\n    pass\n")
    message = error(grade("steps/01", "--code", "mine"))
    assert message.startswith(f"{CANNOT}: File ")
    assert (
        'mine/realtime/signals.py", line 2\n'
        "    if True\n"
        "           ^\n"
        "SyntaxError: expected ':'\n"
        "at mine/realtime/apps.py:7: from . import signals"
    ) in message
