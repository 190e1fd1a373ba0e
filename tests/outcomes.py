"""A pytest plugin that writes what became of each test to a file, as JSON.

``pytest -p tests.outcomes --outcomes FILE`` writes an object with the id of each test,
and as its value a pair: the outcome, and the reason why it isn't green.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

PORT = re.compile(r"(127\.0\.0\.1'?(?::|, ))\d{4,5}")
GREEN, RED, SKIPPED, OUTGROWN = "green", "red", "skipped", "outgrown"


class Outcome(NamedTuple):
    """What became of a test, and why, unless it is green."""

    colour: str
    reason: str = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    help = "the file to write the outcome of each test to, as JSON"
    parser.addoption("--outcomes", metavar="FILE", type=Path, help=help)


def pytest_configure(config: pytest.Config) -> None:
    if config.option.outcomes:
        config.pluginmanager.register(Writer(config.option.outcomes))


class Writer:
    """Collects the outcomes, and writes them at the end."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.outcomes: dict[str, Outcome] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed:
            self.outcomes[report.nodeid] = outcome(report)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            self.outcomes[item.nodeid] = Outcome(OUTGROWN)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what goes wrong first: the setup, the call or the teardown."""
        before = self.outcomes.get(report.nodeid, Outcome(GREEN))
        if before.colour == GREEN:
            self.outcomes[report.nodeid] = outcome(report)

    def pytest_sessionfinish(self) -> None:
        self.file.write_text(json.dumps(self.outcomes))


def outcome(report: pytest.CollectReport | pytest.TestReport) -> Outcome:
    # pytest calls a failure that is expected a skip, too. Neither is a green test.
    if hasattr(report, "wasxfail"):
        return Outcome(SKIPPED, f"a failure is expected: {report.wasxfail}")
    if report.passed:
        return Outcome(GREEN)
    if isinstance(report.longrepr, tuple):
        _path, _line, reason = report.longrepr
        return Outcome(SKIPPED, reason.removeprefix("Skipped: "))
    crash = getattr(report.longrepr, "reprcrash", None)
    reason = crash.message if crash else str(report.longrepr)
    # What depends on the machine: where Python is, and which ports are free.
    return Outcome(RED, PORT.sub(r"\1…", reason.replace(sys.executable, "python")))


def read(file: Path) -> dict[str, Outcome]:
    """Return the outcomes in a file that this plugin wrote."""
    pairs = json.loads(file.read_text())
    return {test: Outcome(*pair) for test, pair in pairs.items()}
