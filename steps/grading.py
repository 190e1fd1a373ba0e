"""A pytest plugin that grades a code folder with the suites of the steps.

A *code folder* holds ``settings.py`` and ``realtime/``. ``--code`` names the one to
grade: put first on ``sys.path``, it is imported as any Django project would be. When
something fails, the report says in plain words what was done, what was expected, what
came, and which chapter of the tutorial explains it.
"""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import django
import pytest
from django.conf import LazySettings

STEPS = Path(__file__).parent
LAST_STEP = max(folder.name for folder in STEPS.glob("[0-9][0-9]"))


PATIENCE = 5  # seconds; what takes longer is not coming
TOO_LATE = f"nothing within {PATIENCE} seconds"

Story = list[str]


@pytest.fixture
def story() -> Story:
    """What was done in this test so far, act by act, for a failure to tell."""
    return []


class Unmet(AssertionError):
    """An expectation that the graded code does not meet.

    ``expected`` and ``came`` are nouns; ``story`` tells what was done before.
    """

    def __init__(self, expected: object, came: object, story: Story) -> None:
        super().__init__(f"expected {expected}; came {came}")
        self.expected = str(expected)
        self.came = str(came)
        self.story = story


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Keep pytest-django from setting up the project that the shell may name."""
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("steps", "grading the steps of the tutorial")
    group.addoption(
        "--code",
        metavar="FOLDER",
        help="the code folder to grade: mine, final, steps/03 … "
        "(default: the folder of the suite)",
    )
    group.addoption(
        "--redis",
        metavar="URL",
        help="a Redis server to use, such as redis://localhost:6379 "
        "(default: one in memory, started and stopped by the suite)",
    )


def suites_named(config: pytest.Config) -> list[str]:
    """Return the numbers of the steps whose suites the command line names."""
    steps: set[str] = set()
    for arg in config.args:
        path = (config.invocation_params.dir / arg.partition("::")[0]).resolve()
        if path == STEPS:
            steps |= {folder.parent.name for folder in STEPS.glob("[0-9]*/test_*.py")}
        elif path.is_relative_to(STEPS):
            steps.add(path.relative_to(STEPS).parts[0])
    return sorted(steps)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Grade each step in a process of its own: Django is configured once a process."""
    steps = suites_named(config)
    if config.option.code or len(steps) < 2 or config.option.help:
        return None
    options = [arg for arg in config.invocation_params.args if arg not in config.args]
    worst = 0
    for step in steps:
        print(f"\npytest steps/{step}", flush=True)
        command = [sys.executable, "-m", "pytest", f"{STEPS / step}", *options]
        worst = max(worst, subprocess.run(command, cwd=config.rootpath).returncode)
    return worst


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        'until(step, reason): the behaviour ends where this step begins: "03", say',
    )
    if config.option.help or not (steps := suites_named(config)):
        return
    folder = code_folder(config, steps)
    # A numbered folder and final/ say how far their code has come. A learner's
    # folder is taken to have come as far as the suites that are to grade it.
    config.stash[CODE] = folder
    config.stash[LEVEL] = {"final": LAST_STEP}.get(folder.name, steps[-1])
    if folder.parent == STEPS:
        config.stash[LEVEL] = folder.name
    sys.path.insert(0, str(folder))
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    os.environ["REDIS_URL"] = redis_url(config)
    try:
        django.setup()
    except Exception as exception:
        missing = not_written(exception)
        complaint = f"{missing} is not written yet" if missing else repr(exception)
        raise pytest.UsageError(
            f"Django cannot start with {shown(folder)}/settings.py: {complaint}"
        ) from exception
    # Their imports need the models, so they could not be loaded earlier.
    for name in ["people", "database", "bus", "sockets", "commands", "outages"]:
        config.pluginmanager.import_plugin(f"steps.fixtures.{name}")


CODE = pytest.StashKey[Path]()
LEVEL = pytest.StashKey[str]()


def code_folder(config: pytest.Config, steps: list[str]) -> Path:
    """Return the folder to grade, or explain what a code folder is."""
    given = config.option.code or STEPS / steps[-1]
    folder = (config.invocation_params.dir / given).resolve()
    if not (folder / "settings.py").is_file():
        raise pytest.UsageError(
            f"{given} is not a code folder: it has no settings.py. "
            f"`make start` lays out a folder for you, called mine."
        )
    return folder


def redis_url(config: pytest.Config) -> str:
    """Return the URL of the given Redis server, or of one started in memory."""
    if url := config.option.redis:
        check_redis(url)
        return f"{url.rstrip('/')}/0" if urlsplit(url).path in ("", "/") else str(url)

    from threading import Thread

    from fakeredis import TcpFakeServer

    server = TcpFakeServer(("127.0.0.1", 0))
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    config.add_cleanup(server.server_close)
    config.add_cleanup(server.shutdown)
    return f"redis://127.0.0.1:{server.server_address[1]}/0"


def check_redis(url: str) -> None:
    from redis import Redis, RedisError

    try:
        with Redis.from_url(url, socket_connect_timeout=2) as redis:
            redis.ping()
    except (RedisError, ValueError) as error:
        raise pytest.UsageError(
            f"No Redis server answers at {url} ({error}). Start one with "
            "`redis-server`, or leave --redis out to use one in memory."
        ) from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    if CODE not in config.stash:
        return []
    bus = config.option.redis or "in memory"
    return [f"grading: {shown(config.stash[CODE])}, Redis: {bus}"]


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the tests of behaviours that the graded code has outgrown."""
    if LEVEL not in config.stash:
        return
    outgrown = [item for item in items if ends_before(item, config.stash[LEVEL])]
    config.hook.pytest_deselected(items=outgrown)
    items[:] = [item for item in items if item not in outgrown]


def ends_before(item: pytest.Item, level: str) -> bool:
    marker = item.get_closest_marker("until")
    return marker is not None and marker.args[0] <= level


# What a failure says


class Explanation:
    """A failure in plain words, in the place of a traceback."""

    def __init__(self, reason: str, lines: list[str]) -> None:
        self.lines = lines
        self.reprcrash = SimpleNamespace(message=reason)  # for pytest's short summary

    def toterminal(self, terminal: Any) -> None:
        for line in self.lines:
            terminal.line(line)

    def __str__(self) -> str:
        return "\n".join(self.lines)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Explain a failure, and say which chapter to read."""
    report = yield
    if report.failed and call.excinfo is not None and CODE in item.config.stash:
        explanation = explain(item, call.excinfo)
        if explanation is not None:
            report.longrepr = explanation
        else:
            report.sections.append(("What to read", f"{chapter(item)} of tutorial.md"))
    return report


def explain(
    item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]
) -> Explanation | None:
    """Return why a test failed, if it is for one of the reasons that we foresee."""
    error = excinfo.value
    if isinstance(error, Unmet):
        reason, answer = str(error), [("Expected", error.expected)]
        answer += [("Came", error.came)]
        story = error.story
    elif missing := not_written(error):
        reason = f"{missing} is not written yet: {chapter(item)} asks for it"
        answer, story = [("Came", reason)], []
    else:
        return None
    doc = item.obj.__doc__ if isinstance(item, pytest.Function) else None
    rows = [("Asked", first_line(doc)), *(("Done", act) for act in story), *answer]
    rows += [
        ("Where", location(item, excinfo)),
        ("Read", f"{chapter(item)} of tutorial.md"),
    ]
    labels = [label for label, _ in rows]
    return Explanation(
        reason,
        [
            f"{f'{label}:' if label != before else '':<10}{text}"
            for before, (label, text) in zip(["", *labels], rows, strict=False)
        ],
    )


def not_written(error: BaseException) -> str | None:
    """Return the name of the part of the graded code that is missing, if one is."""
    match error:
        case AttributeError(obj=ModuleType(__name__=module), name=name):
            return f"{name} in {source(module)}" if is_graded(module) else None
        case AttributeError(obj=LazySettings(), name=name):
            return f"{name} in settings.py"
        case ModuleNotFoundError(name=str(module)) if is_graded(module):
            return source(module)
        case ImportError(name=str(module), msg=message) if is_graded(module):
            name = message.split("'")[1]  # cannot import name '…' from '…'
            if module == "realtime":
                return source(f"realtime.{name}")
            return f"{name} in {source(module)}"
    return None


def is_graded(module: str) -> bool:
    return module.partition(".")[0] == "realtime"


def source(module: str) -> str:
    return module.replace(".", "/") + ".py"


def location(item: pytest.Item, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    """Return the file, the number and the text of the test's line that failed."""
    for entry in reversed(excinfo.traceback):
        if entry.path == item.path:
            line = str(entry.statement).strip().splitlines()[0]
            return f"{shown(item.path)}:{entry.lineno + 1}: {line}"
    return shown(item.path)


def chapter(item: pytest.Item) -> str:
    return f"chapter {item.path.parent.name}"


def shown(path: Path) -> str:
    return os.path.relpath(path, STEPS.parent)


def first_line(text: str | None) -> str:
    return next(iter((text or "").strip().splitlines()), "")


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count a failure in a fixture as a failure like any other."""
    if report.failed and isinstance(report.longrepr, Explanation):
        return "failed", "F", "FAILED"
    return None
