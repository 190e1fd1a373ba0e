"""A pytest plugin that grades a code folder with the suites of the steps.

A *code folder* holds ``settings.py`` and ``realtime/``. ``--code`` names the one to
grade: put first on ``sys.path``, it is imported as any Django project would be.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from traceback import format_exception_only
from urllib.parse import urlsplit

import django
import pytest

from steps import explaining
from steps.explaining import (
    Explanation,
    Story,
    Unmet,
    is_graded,
    last_line,
    not_written,
    shown,
    source,
)

# What the suites and their fixtures import from here.
__all__ = [
    "PATIENCE",
    "TOO_LATE",
    "Explanation",
    "Story",
    "Unmet",
    "is_graded",
    "not_written",
    "source",
]

STEPS = Path(__file__).parent
FINAL = STEPS.parent / "final"
LAST_STEP = max(folder.name for folder in STEPS.glob("[0-9][0-9]"))

PATIENCE = 5  # seconds; what takes longer is not coming
TOO_LATE = f"nothing within {PATIENCE} seconds"

CODE = pytest.StashKey[Path]()
LEVEL = pytest.StashKey[str]()

APART = (
    "Suites and other tests need Django to be configured in different ways; "
    "run them apart: pytest steps, pytest tests. For tests of your own beside a suite, "
    "name your folder: pytest steps/01 mine/test_mine.py --code mine"
)


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
        "(default: the folder of the suite, or else final)",
    )
    group.addoption(
        "--redis",
        metavar="URL",
        help="a Redis server to use, such as redis://localhost:6379 "
        "(default: one in memory, started and stopped by the suite)",
    )
    group.addoption(
        "--bus",
        metavar="CLASS",
        help="the bus to grade, such as realtime.pubsub.PubSubBus, from step 09 on "
        "(default: the one that the code has chosen)",
    )


def suites_named(config: pytest.Config) -> dict[str, list[str]]:
    """Return the steps whose suites the command line names, each with these names."""
    named: dict[str, list[str]] = {}
    elsewhere = False
    for arg, path in zip(config.args, paths_named(config), strict=True):
        elsewhere |= not path.is_relative_to(STEPS)
        if STEPS.is_relative_to(path):
            for suite in STEPS.glob("[0-9]*/test_*.py"):
                named[suite.parent.name] = [str(suite.parent)]
        elif path.is_relative_to(STEPS):
            named.setdefault(path.relative_to(STEPS).parts[0], []).append(arg)
    if elsewhere and named and not config.option.code:
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
        if process.returncode and config.option.maxfail == 1:  # -x: stop at a failure
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
    elif config.option.code and not all(map(is_in_a_browser, paths_named(config))):
        run = f"pytest steps/01 --code {config.option.code}"
        own = f"pytest steps/01 mine/test_mine.py --code {config.option.code}"
        raise pytest.UsageError(
            "--code names the code to grade; name the suites that are to grade it: "
            f"{run}. Run a test of your own beside a suite: {own} -k test_mine"
        )


def paths_named(config: pytest.Config) -> Iterator[Path]:
    """Yield what the command line names, as paths."""
    for arg in config.args:
        yield (config.invocation_params.dir / arg.partition("::")[0]).resolve()


def is_in_a_browser(path: Path) -> bool:
    """Tell whether the tests in a file grade the page of --code in a real browser."""
    return path.match("tests/test_browser*.py")


def grade(config: pytest.Config, steps: list[str]) -> None:
    """Set the code folder up as a Django project that the suites are run in."""
    have_suites = {suite.parent.name for suite in STEPS.glob("[0-9]*/test_*.py")}
    for step in steps:
        if (STEPS / step).is_dir() and step.isdigit() and step not in have_suites:
            first = min(have_suites)
            raise pytest.UsageError(
                f"steps/{step} has no suite. The first is that of steps/{first}."
            )
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
    config.pluginmanager.register(explaining)
    # Their imports need the models, so they could not be loaded earlier.
    for name in [
        "people",
        "database",
        "bus",
        "sockets",
        "commands",
        "pages",
        "outages",
        "faults",
        "viewers",
        "crowds",
        "returns",
    ]:
        config.pluginmanager.import_plugin(f"steps.fixtures.{name}")


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

    from steps.memory import MemoryRedis, serve

    server = MemoryRedis(("127.0.0.1", 0))
    serve(server)
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


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Say whose code is graded: tests that pass on other code say nothing of yours."""
    if CODE in session.config.stash:
        folder = shown(session.config.stash[CODE])
        hint = "" if session.config.option.code else " (--code mine grades yours)"
        terminal = session.config.get_terminal_writer()
        terminal.line(f"Grading {folder}{hint}")


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
