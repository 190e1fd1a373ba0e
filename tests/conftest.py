"""The tests of this folder run in the site of django_site/. In CI, all of them do."""

import os
from collections.abc import Generator
from typing import TypeVar

import django
import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

LONGEST = ["walkthrough", "mistakes", "matrix", "newest", "browser", "mutants"]

os.environ["DJANGO_SETTINGS_MODULE"] = "django_site.settings"
django.setup()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults", "breaking things on purpose")
    add = group.addoption
    add("--on", metavar="FOLDER", default="final", help="the code folder to break")
    add("--lab-python", metavar="PROGRAM", help="the Python that runs this code")
    add("--soak", action="store_true", help="break it in full size")
    add("--figures", metavar="FILE", help="the file to write figures to, as JSON")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest, so that nobody waits for them."""
    order = {f"test_{name}.py": -at for at, name in enumerate(reversed(LONGEST), 1)}
    items.sort(key=lambda item: order.get(item.path.name, 0))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    """Judge the outcome of a test."""
    return strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    """Judge the outcome of loading a module."""
    return strict((yield))


def strict(report: Report) -> Report:
    """In CI, turn what is skipped into a failure: the machine lacks something."""
    if os.environ.get("CI") and isinstance(report.longrepr, tuple):
        _file, _line, reason = report.longrepr  # only what is skipped has these three
        why = reason.removeprefix("Skipped: ")
        report.outcome = "failed"
        report.longrepr = f"nothing may be skipped in CI: {why}"
    return report
