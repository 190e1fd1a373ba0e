"""Grade every step with every suite, and show it as a table.

A suite must be red, test by test, on the code that its chapter starts from: every test
fails, for the reason that tests/reasons.toml records. It must be green on the code of
its own step, and on all that comes later, but for the tests that later steps declare
outgrown (@pytest.mark.until). No test may be skipped. Where the code can use two buses,
it must be green on both. Together, the suites up to a step run every line of its code.
"""

import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple, TypeVar

import tomli_w

from tests import outcomes
from tests.forks import at_once, environment, run_pytest
from tests.outcomes import GREEN, OUTGROWN, RED, SKIPPED, Outcome

T = TypeVar("T")

ROOT = Path(__file__).parent.parent.parent
RECORD = "python -m tests.matrix --record"
PUBSUB = "realtime.pubsub.PubSubBus"  # from step 09 on, the bus that is not the default
LINES = "lines"  # the row that tells whether the suites run every line


class Cell(NamedTuple):
    """A suite, the code that it is run on, and the colours that its tests may have."""

    suite: str
    code: str
    colours: tuple[str, ...]
    bus: str | None = None  # the class of the bus, if it isn't the default

    @property
    def column(self) -> str:
        return f"{self.code} Pub/Sub" if self.bus else self.code

    def __str__(self) -> str:
        if self.suite == LINES:
            return f"lines of {folder(self.code)}"
        on = f"suite {self.suite} on {folder(self.code)}"
        return f"{on} with Pub/Sub" if self.bus else on


class Verdict(NamedTuple):
    """What came out in a cell, in short, and what is wrong with it."""

    short: str
    complaints: list[str]

    def __str__(self) -> str:
        return f"{'✗' if self.complaints else '✓'} {self.short}".strip()


def suites(root: Path) -> list[str]:
    """Return the numbers of the steps that have a suite."""
    return sorted({file.parent.name for file in root.glob("steps/[0-9]*/test_*.py")})


def codes(root: Path) -> list[str]:
    """Return the code folders in the order of the road: the numbers, and ``final``."""
    files = root.glob("steps/[0-9]*/settings.py")
    return [*sorted(file.parent.name for file in files), "final"]


def folder(code: str) -> str:
    return code if code == "final" else f"steps/{code}"


def cells(root: Path) -> list[Cell]:
    """Return every cell of the matrix that must be explained."""
    found = []
    for suite in suites(root):
        # Digits sort before letters: "10" < "final".
        before = [code for code in codes(root) if code < suite]
        own, *later = [code for code in codes(root) if code >= suite]
        found.append(Cell(suite, before[-1], (RED,)))
        found.append(Cell(suite, own, (GREEN,)))
        found += [Cell(suite, code, (GREEN, OUTGROWN)) for code in later]
        found += [
            Cell(suite, code, (GREEN, OUTGROWN), PUBSUB)
            for code in [own, *later]
            if (root / folder(code) / "realtime/pubsub.py").exists()
        ]
    green = {cell.code for cell in found if GREEN in cell.colours}
    return found + [Cell(LINES, code, (GREEN,)) for code in sorted(green)]


def recorded(root: Path) -> dict[str, str]:
    """Return the recorded reason why each test is red before its chapter is read."""
    files = tomllib.loads((root / "tests" / "reasons.toml").read_text())
    return {
        f"{file}::{test}": reason
        for file, reasons in files.items()
        for test, reason in reasons.items()
    }


def record(root: Path) -> int:
    """Write down why each test is red; return how many are."""
    files: dict[str, dict[str, str]] = {}
    red = [cell for cell in cells(root) if RED in cell.colours]
    for _cell, came, _said in sorted(graded(root, red)):
        for test, (colour, reason) in came.items():
            if colour == RED:
                file, _, name = test.partition("::")
                files.setdefault(file, {})[name] = reason
    title = f"# Why each test fails before its chapter is read, written by\n# {RECORD}"
    text = f"{title}\n\n{tomli_w.dumps(files)}"
    (root / "tests" / "reasons.toml").write_text(text)
    return sum(map(len, files.values()))


def suite_of(test: str) -> str:
    """Return the number of the step in the id of a test."""
    return Path(test).parts[1]


def of_suite(suite: str, tests: dict[str, T]) -> dict[str, T]:
    """Return what is said about the tests of one suite."""
    return {test: said for test, said in tests.items() if suite_of(test) == suite}


def left_over(root: Path, reasons: Iterable[str]) -> list[str]:
    """Return the tests with a recorded reason whose suite doesn't exist."""
    return [test for test in reasons if suite_of(test) not in suites(root)]


def judged(root: Path, reasons: dict[str, str]) -> Iterator[tuple[Cell, Verdict]]:
    """Judge every cell of the matrix; yield each verdict as soon as it is known."""
    for cell, came, said in graded(root, cells(root)):
        counts = Counter(colour for colour, _reason in came.values())
        colours = [GREEN, RED, SKIPPED, OUTGROWN]
        short = ", ".join(f"{counts[name]} {name}" for name in colours if counts[name])
        complaints = [*wrong(cell.colours, came)]
        if RED in cell.colours:
            complaints += different(came, of_suite(cell.suite, reasons))
        yield cell, Verdict(short, [said] if said else complaints)


def wrong(colours: Sequence[str], came: dict[str, Outcome]) -> Iterator[str]:
    """Complain about tests that don't have one of these colours."""
    for test, (colour, reason) in came.items():
        if colour not in colours:
            yield f"{test} is {colour}, not {colours[0]}{reason and f': {reason}'}"


def different(came: dict[str, Outcome], reasons: dict[str, str]) -> Iterator[str]:
    """Complain about red tests and recorded reasons that don't match."""
    for test, (colour, reason) in came.items():
        if colour == RED:
            if "\n" in reason:
                yield f"{test} needs several lines to say why it is red: {reason}"
            elif test not in reasons:
                yield f"{test} is red for a reason that is not recorded: {reason}"
            elif reason != reasons[test]:
                why = f"{reason} (recorded: {reasons[test]})"
                yield f"{test} is red for another reason than recorded: {why}"
    for test in reasons:
        if test not in came:
            yield f"{test} is recorded, and there is no such test"


Grades = tuple[Cell, dict[str, Outcome], str]


def graded(root: Path, cells: list[Cell]) -> Iterator[Grades]:
    """Grade cells on all cores; yield the outcomes of each, and a complaint or "".

    Cells that should be green on the same code share a run, as they do for a reader
    who grades the road so far.
    """
    runs: dict[tuple[str, bool], list[Cell]] = {}
    for cell in cells:
        runs.setdefault((cell.code, RED in cell.colours), []).append(cell)
    # The later a step, the longer its suite: the last runs to end are short ones.
    longest_first = sorted(runs.values(), key=lambda cells: cells[-1], reverse=True)
    with ThreadPoolExecutor(at_once()) as pool:
        futures = [pool.submit(run, root, cells) for cells in longest_first]
        for future in as_completed(futures):
            yield from future.result()


def run(root: Path, cells: list[Cell]) -> list[Grades]:
    """Run the suites of some cells on the code that they share, once for each bus."""
    grades: list[Grades] = []
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "outcomes.json"
        for bus in dict.fromkeys(cell.bus for cell in cells):
            together = [
                cell for cell in cells if cell.bus == bus and cell.suite != LINES
            ]
            file.unlink(missing_ok=True)
            ended = run_pytest(
                root,
                *["-p", "no:cacheprovider", "-p", "tests.outcomes"],
                *["--outcomes", str(file), "--continue-on-collection-errors"],
                *[f"--cov={folder(cells[0].code)}/realtime", "--cov-append"],
                *["--cov-report=", "--cov-fail-under=0"],
                *["--code", folder(cells[0].code)],
                *(["--bus", bus] if bus else []),
                *[f"steps/{cell.suite}" for cell in together],
                env=environment() | {"COVERAGE_FILE": f"{temporary}/coverage"},
            )
            came = outcomes.read(file) if file.exists() else {}
            words = ended.stderr.strip().splitlines()[-5:]
            end = f"no test ran: pytest ended with {ended.returncode}"
            said = "" if came else "\n".join([end, *words])
            grades += [(cell, of_suite(cell.suite, came), said) for cell in together]
        if cells[-1].suite == LINES:
            grades.append((cells[-1], {}, lines_that_are_not_run(root, temporary)))
    return grades


def lines_that_are_not_run(root: Path, temporary: str) -> str:
    """Return which lines, and branches, of the code no test has run."""
    process = subprocess.run(
        [sys.executable, "-m", "coverage", "report"],
        cwd=root,
        env=os.environ | {"COVERAGE_FILE": f"{temporary}/coverage"},
        capture_output=True,
        text=True,
    )
    return process.stdout + process.stderr if process.returncode else ""
