"""A pytest plugin that finds how far some code has come, and tells another process.

All suites run, each until its first failure. The code has come as far as the last suite
in which a test passes, since on the code of all steps before, the first test of it
fails. If the first failure is in a later suite than that, it has come to that one.

A behaviour may end with a later step. Whether it has ended is not known until then, so
its tests run last.
"""

import json
import os
from functools import cached_property
from pathlib import Path

import pytest

from steps.grading import LEVEL, Explanation


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--results", type=int, help="the file descriptor to write to")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take over from steps.grading the decision which tests to leave out."""
    del config.stash[LEVEL]
    config.pluginmanager.register(Results(config.option.results))


class Results:
    """What is known so far. Each result is told as a line of JSON."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.order: dict[str, int] = {}
        self.passed: set[str] = set()  # steps with a test that passed
        self.failed: dict[str, str] = {}  # the first test of a step that failed

    @cached_property
    def level(self) -> str:
        """The step to which the code has come. To be asked when it can be known."""
        level = max([*self.passed, min(self.failed, default="")])
        self.tell("level", level)
        return level

    def tell(self, *result: object) -> None:
        os.write(self.descriptor, f"{json.dumps(result)}\n".encode())

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.order = {item.nodeid: place for place, item in enumerate(items)}
        items.sort(key=lambda item: end(item) is not None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        # Whether a behaviour has ended, and whether a step has failed, is known only
        # while the tests run. What need not run counts neither way: it is skipped.
        if (step := end(item)) is not None and step <= self.level:
            self.tell("ended", item.nodeid)
            pytest.skip(f"the behaviour ended with step {step}")
        first = self.failed.get(step_of(item.nodeid))
        if first and self.order[first] < self.order[item.nodeid]:
            pytest.skip(f"{first} failed")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed[step_of(report.nodeid)] = report.nodeid
            self.tell("failed", report.nodeid, told(report))
        elif report.passed and report.when == "call":
            self.passed.add(step_of(report.nodeid))
            self.tell("passed", report.nodeid)


def end(item: pytest.Item) -> str | None:
    """Return the step with which the behaviour that a test asks for ends, if any."""
    marker = item.get_closest_marker("until")
    return marker.args[0] if marker else None


def step_of(test: str) -> str:
    """Return the step to which a test belongs, such as steps/03/test_x.py::test_y."""
    return Path(test.partition("::")[0]).parent.name


def told(report: pytest.TestReport) -> list[str]:
    """Return what there is to say about a failure, line by line."""
    if isinstance(report.longrepr, Explanation):
        return report.longrepr.lines
    crash = getattr(report.longrepr, "reprcrash", None)
    message = crash.message if crash else report.longreprtext
    return [
        f"Came:     {message.splitlines()[0]}",
        f"Read:     chapter {step_of(report.nodeid)} of tutorial.md",
    ]
