"""How far the code of mine/ has come."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .folders import MINE, ROOT
from .results import step_of

GRADED = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}


class Ungradable(Exception):
    """pytest can't run the suites on mine/; the message is what it says."""


class Standing:
    """What the suites say about mine/, each until its first failure."""

    def __init__(self) -> None:
        self.failed: dict[str, tuple[str, list[str]]] = {}  # a test, and what it says
        self.ended: set[str] = set()  # steps that have tests of what has ended since
        self.level = ""  # the step to which the code has come

    @property
    def current(self) -> str | None:
        """The step to work on: the first that isn't green."""
        return min(self.failed, default=None)

    @property
    def arguments(self) -> list[str]:
        """What pytest needs to run the current suite, at the level of mine/."""
        suite = f"steps/{self.current}"
        if self.current not in self.ended:
            return [suite]
        level = f"steps/{self.level}"
        return [suite, level, f"--deselect={level}"]

    def add(self, result: list[Any]) -> None:
        """Take a result of steps.desk.results into account."""
        match result:
            case ["failed", test, told]:
                self.failed[step_of(test)] = (test, told)
            case ["ended", test]:
                self.ended.add(step_of(test))
            case ["level", level]:
                self.level = level


def find_standing(report: Callable[[str], None]) -> Standing:
    """Return how far mine/ has come; report what has run, test by test.

    If pytest can't run the suites, raise Ungradable.
    """
    standing = Standing()
    for result in results():
        standing.add(result)
        report(result[1])
    return standing


def results() -> Iterator[list[Any]]:
    """Run the suites on mine/; yield each result as soon as it is there."""
    reading, writing = os.pipe()
    with open(reading) as lines, tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, "-m", "pytest", "steps", "--code", str(MINE)]
        process = subprocess.Popen(
            [*command, "-p", "steps.desk.results", f"--results={writing}"],
            cwd=ROOT,
            pass_fds=[writing],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        os.close(writing)
        try:
            yield from map(json.loads, lines)
            process.wait()
        except BaseException:
            process.kill()
            raise
        if process.returncode not in GRADED:
            output.seek(0)
            raise Ungradable(f"mine/ cannot be graded:\n\n{output.read().strip()}")
