"""What a failure says: the part of steps.grading that speaks to the learner.

An expectation of ours that isn't met, and a part of the code that isn't written yet,
are told in plain words in the place of a traceback: what was asked and done, what was
expected, what came, and which chapter to read. Anything else is shown by pytest.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from traceback import extract_tb, walk_tb
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from django.conf import Settings

ROOT = Path(__file__).parent.parent

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Explain a failure, and say which chapter to read."""
    report = yield
    if report.failed and call.excinfo is not None:
        explanation = explain(item, call.excinfo.value)
        if explanation is not None:
            # Whatever has a method toterminal() will do.
            report.longrepr = explanation  # type: ignore[assignment]
            report.sections.clear()  # the log would say the same at great length
        elif number := chapter(item):
            report.sections.append(("What to read", f"{number} of tutorial.md"))
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count a failure in a fixture as a failure like any other."""
    if report.failed and isinstance(report.longrepr, Explanation):
        return "failed", "F", "FAILED"
    return None


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


def explain(item: pytest.Item, error: BaseException) -> Explanation | None:
    """Return why a test failed, if it is for one of the reasons that we foresee."""
    if isinstance(error, Unmet):
        reason = str(error)
        rows = [("Done", act) for act in error.story]
        rows += [("Expected", error.expected), ("Came", error.came)]
    elif missing := not_written(error):
        asker = own_line(error) or chapter(item) or shown(item.path)
        reason = f"{missing} is not written yet: {asker} asks for it"
        rows = [("Came", reason)]
    else:
        return None
    doc = item.obj.__doc__ if isinstance(item, pytest.Function) else None
    asked = ("Asked", first_line(doc))
    where = ("Where", last_line(error, item.path) or shown(item.path))
    read = [("Read", f"{number} of tutorial.md")] if (number := chapter(item)) else []
    return Explanation(reason, [*table([asked, *rows, where, *read])])


def table(rows: list[tuple[str, str]]) -> Iterator[str]:
    """Return lines of labels and texts; a label isn't repeated."""
    before = ""
    for label, text in rows:
        yield f"{f'{label}:' if label != before else '':<10}{text}"
        before = label


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
    module = frame.f_globals.get("__name__", "")
    return f"{source(module)}:{number}" if is_graded(module) else None


def last_line(error: BaseException, place: Path) -> str | None:
    """Return the last line in a file or folder that led to an error."""
    for frame in reversed(extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(place):
            return f"{shown(path)}:{frame.lineno}: {frame.line}"
    return None


def chapter(item: pytest.Item) -> str | None:
    """Return the chapter of a test, or None if it is the learner's own."""
    folder = item.path.parent.name
    return f"chapter {folder}" if folder.isdecimal() else None


def shown(path: Path) -> str:
    return os.path.relpath(path, ROOT)


def first_line(text: str | None) -> str:
    return next(iter((text or "").strip().splitlines()), "")
