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
from traceback import extract_tb, format_exception_only, walk_tb
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import django
import pytest
from django.conf import Settings

STEPS = Path(__file__).parent
FINAL = STEPS.parent / "final"
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


APART = (
    "Suites and other tests need Django to be configured in different ways; "
    "run them apart: pytest steps, pytest tests"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("steps", "grading the steps of the tutorial")
    group.addoption(
        "--code",
        metavar="FOLDER",
        help="the code folder to grade: mine, final, steps/03 … "
        "(default: the folder of the suite, or else final)",
    )
    group.addoption(
        "--redis",
        metavar="URL",
        help="a Redis server to use, such as redis://localhost:6379 "
        "(default: one in memory, started and stopped by the suite)",
    )


def suites_named(config: pytest.Config) -> dict[str, list[str]]:
    """Return the steps whose suites the command line names, each with these names."""
    named: dict[str, list[str]] = {}
    elsewhere = False
    for arg in config.args:
        path = (config.invocation_params.dir / arg.partition("::")[0]).resolve()
        elsewhere |= not path.is_relative_to(STEPS)
        if STEPS.is_relative_to(path):
            for suite in STEPS.glob("[0-9]*/test_*.py"):
                named[suite.parent.name] = [str(suite.parent)]
        elif path.is_relative_to(STEPS):
            named.setdefault(path.relative_to(STEPS).parts[0], []).append(arg)
    if elsewhere and named:
        raise pytest.UsageError(APART)
    return dict(sorted(named.items()))


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Grade each step in a process of its own: Django is configured once a process."""
    named = suites_named(config)
    if config.option.code or len(named) < 2 or config.option.help:
        return None
    options = [*config.invocation_params.args]
    for arg in config.option.file_or_dir:
        options.remove(arg)
    results = set()
    for step, names in named.items():
        print(f"\npytest steps/{step}", flush=True)
        command = [sys.executable, "-m", "pytest", *names, *options]
        try:
            process = subprocess.run(command, cwd=config.invocation_params.dir)
        except KeyboardInterrupt:
            return pytest.ExitCode.INTERRUPTED
        results.add(process.returncode)
        if process.returncode and config.option.maxfail == 1:
            break
    none = pytest.ExitCode.NO_TESTS_COLLECTED
    return max(results - {none}, default=none)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        'until(step, reason): the behaviour ends where this step begins: "03", say',
    )
    if config.option.help:
        return
    if steps := [*suites_named(config)]:
        grade(config, steps)
    elif config.option.code:
        raise pytest.UsageError(
            "--code names the code to grade; name the suites that are to grade it: "
            f"pytest steps/01 --code {config.option.code}"
        )


def grade(config: pytest.Config, steps: list[str]) -> None:
    """Set the code folder up as a Django project that the suites are run in."""
    folder = code_folder(config, steps)
    config.stash[CODE] = folder
    config.stash[LEVEL] = level(folder, steps)
    sys.path.insert(0, str(folder))
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    os.environ["REDIS_URL"] = redis_url(config)
    try:
        django.setup()
    except Exception as error:
        missing = not_written(error)
        said = "".join(format_exception_only(error)).strip()
        line = last_line(error, folder)
        raise pytest.UsageError(
            f"Django cannot start with {shown(folder)}/settings.py: "
            + (f"{missing} is not written yet" if missing else said)
            + (f"\nat {line}" if line else "")
        ) from error
    # Their imports need the models, so they could not be loaded earlier.
    for name in ["people", "database", "bus", "sockets", "commands", "outages"]:
        config.pluginmanager.import_plugin(f"steps.fixtures.{name}")


CODE = pytest.StashKey[Path]()
LEVEL = pytest.StashKey[str]()


def code_folder(config: pytest.Config, steps: list[str]) -> Path:
    """Return the folder to grade, or explain what a code folder is."""
    own = STEPS / steps[-1]
    if not config.option.code:
        return own if (own / "settings.py").exists() else FINAL
    folder: Path = (config.invocation_params.dir / config.option.code).resolve()
    for name in ["settings.py", "realtime/"]:
        if not (folder / name).exists():
            raise pytest.UsageError(
                f"{config.option.code} is not a code folder: it has no {name}. "
                "`make start` lays out a folder for you, called mine."
            )
    return folder


def level(folder: Path, steps: list[str]) -> str:
    """Return the step that the code in a folder has come to.

    Numbered folders and final/ say so themselves. A learner's folder is taken to have
    come as far as the suites that are to grade it.
    """
    if folder.parent == STEPS:
        return folder.name
    return LAST_STEP if folder == FINAL else steps[-1]


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


class Reason(NamedTuple):
    """Why a test failed, as pytest's short summary shows it."""

    message: str

    def __str__(self) -> str:
        return self.message


class Explanation:
    """A failure in plain words, in the place of a traceback."""

    def __init__(self, reason: str, lines: list[str]) -> None:
        self.reprcrash = Reason(reason)
        self.lines = lines

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
        explanation = explain(item, call.excinfo.value)
        if explanation is not None:
            # Whatever has a method toterminal() will do.
            report.longrepr = explanation  # type: ignore[assignment]
        else:
            report.sections.append(("What to read", f"{chapter(item)} of tutorial.md"))
    return report


def explain(item: pytest.Item, error: BaseException) -> Explanation | None:
    """Return why a test failed, if it is for one of the reasons that we foresee."""
    if isinstance(error, Unmet):
        reason, answer = str(error), [("Expected", error.expected)]
        answer += [("Came", error.came)]
        story = error.story
    elif missing := not_written(error):
        asker = own_line(error) or chapter(item)
        reason = f"{missing} is not written yet: {asker} asks for it"
        answer, story = [("Came", reason)], []
    else:
        return None
    doc = item.obj.__doc__ if isinstance(item, pytest.Function) else None
    rows = [("Asked", first_line(doc)), *(("Done", act) for act in story), *answer]
    rows += [
        ("Where", last_line(error, item.path) or shown(item.path)),
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
    if "partially initialized" in str(error):
        return None  # it is there, but modules import each other in a circle
    match error:
        case AttributeError(obj=ModuleType(__name__=module), name=name):
            return f"{name} in {source(module)}" if is_graded(module) else None
        case AttributeError(obj=Settings(), name=name):
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
    package = "/__init__" if module == "realtime" else ""
    return f"{module.replace('.', '/')}{package}.py"


def own_line(error: BaseException) -> str | None:
    """Return the file and the number of the line of the graded code that failed.

    Return None if what failed is a line of ours, or of a library.
    """
    *_, (frame, number) = walk_tb(error.__traceback__)
    module = frame.f_globals["__name__"]
    return f"{source(module)}:{number}" if is_graded(module) else None


def last_line(error: BaseException, place: Path) -> str | None:
    """Return the last line in a file or folder that led to an error."""
    for frame in reversed(extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(place):
            return f"{shown(path)}:{frame.lineno}: {frame.line}"
    return None


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
