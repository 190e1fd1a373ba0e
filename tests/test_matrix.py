"""The matrix: every cell of it is explained, and it notices what is not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import matrix
from tests.matrix import ROOT, Cell, Verdict
from tests.outcomes import Outcome
from tests.road import append, lay, write


@pytest.fixture(scope="module")
def verdicts() -> dict[Cell, Verdict]:
    """The verdict on each cell of the matrix of this repository."""
    return dict(matrix.judged(ROOT, matrix.recorded(ROOT)))


@pytest.mark.parametrize("cell", matrix.cells(ROOT), ids=str)
def test_cell(cell: Cell, verdicts: dict[Cell, Verdict]) -> None:
    """Every test of the suite does on the code what it should."""
    assert [] == verdicts[cell].complaints


def test_no_reason_is_left_over() -> None:
    """No reason is recorded for a suite that doesn't exist."""
    assert [] == matrix.left_over(ROOT, matrix.recorded(ROOT))


# What is complained about


@pytest.mark.parametrize(
    ("colours", "outcome", "complaints"),
    [
        (["red"], Outcome("red", "so"), []),
        (["red"], Outcome("green"), ["test is green, not red"]),
        (["red"], Outcome("skipped", "so"), ["test is skipped, not red: so"]),
        (["red"], Outcome("outgrown"), ["test is outgrown, not red"]),
        (["green"], Outcome("green"), []),
        (["green"], Outcome("red", "so"), ["test is red, not green: so"]),
        (["green"], Outcome("skipped", "so"), ["test is skipped, not green: so"]),
        (["green"], Outcome("outgrown"), ["test is outgrown, not green"]),
        (["green", "outgrown"], Outcome("green"), []),
        (["green", "outgrown"], Outcome("outgrown"), []),
        (["green", "outgrown"], Outcome("red", "so"), ["test is red, not green: so"]),
    ],
)
def test_wrong_colour(
    colours: list[str], outcome: Outcome, complaints: list[str]
) -> None:
    """A test that doesn't have a colour that it may have is complained about."""
    assert complaints == [*matrix.wrong(colours, {"test": outcome})]


@pytest.mark.parametrize(
    ("outcome", "recorded", "complaints"),
    [
        (Outcome("red", "so"), {"test": "so"}, []),
        (
            Outcome("red", "so"),
            {},
            ["test is red for a reason that is not recorded: so"],
        ),
        (
            Outcome("red", "so"),
            {"test": "thus"},
            ["test is red for another reason than recorded: so (recorded: thus)"],
        ),
        (
            Outcome("red", "so\nand so"),
            {"test": "so\nand so"},
            ["test needs several lines to say why it is red: so\nand so"],
        ),
        (
            Outcome("red", "so"),
            {"test": "so", "gone": "so"},
            ["gone is recorded, and there is no such test"],
        ),
    ],
)
def test_different_reason(
    outcome: Outcome, recorded: dict[str, str], complaints: list[str]
) -> None:
    """A red test whose reason isn't the recorded one is complained about."""
    assert complaints == [*matrix.different({"test": outcome}, recorded)]


# A road of two steps, to go astray on

NO_SERVER = "realtime/server.py is not written yet: chapter 01 asks for it"
NO_FAREWELL = (
    "FAREWELL in realtime/server.py is not written yet: chapter 02 asks for it"
)
RECORDED = f"""\
# Why each test fails before its chapter is read, written by
# python -m tests.matrix --record

["steps/01/test_one.py"]
test_greeting = "{NO_SERVER}"
test_no_farewell = "{NO_SERVER}"

["steps/02/test_two.py"]
"test_farewell[Bye]" = "{NO_FAREWELL}"
"""
EARLY = "def test_early(): pass\n"
LATE = "def test_late(): raise ValueError('again')\n"
HALF_RUN = """
import sys

def greet() -> None:
    print(GREETING)

GREETING, FAREWELL = "Hello", ""
if sys.platform:
    FAREWELL = "Bye"
"""
OTHER_PROCESS = """
import os, subprocess, sys

def test_main():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "realtime"]
    assert b"Hello\\n" == subprocess.check_output(command, env=environment)
"""
NOT_ON_PUBSUB = """
import importlib.util

def test_bus(pytestconfig):
    if pytestconfig.option.bus:
        from realtime import pubsub
        assert "realtime.pubsub.PubSubBus" != pytestconfig.option.bus
    elif importlib.util.find_spec("realtime.streams"):
        from realtime import streams
"""
ENDING = "def test_ending(): __import__('os')._exit(7)\n"


@pytest.fixture
def road(tmp_path: Path) -> Path:
    """A copy of this repository, with steps and suites that are tiny."""
    write(tmp_path / "tests/reasons.toml", RECORDED)
    return lay(tmp_path)


def unexplained(road: Path) -> dict[str, str]:
    """Return the complaints of the cells that have any."""
    verdicts = matrix.judged(road, matrix.recorded(road))
    return {
        str(cell): "; ".join(verdict.complaints)
        for cell, verdict in verdicts
        if verdict.complaints
    }


def test_suite_without_code(road: Path) -> None:
    """A suite without a code folder of its own grades final/."""
    write(road / "steps/03/test_end.py", "def test_end(): assert False")
    cells = [str(cell) for cell in matrix.cells(road) if cell.suite == "03"]
    assert ["suite 03 on steps/02", "suite 03 on final"] == cells


def test_wrong_suite(road: Path) -> None:
    """A test that passes too early, or fails too late, makes an unexplained cell."""
    append(road / "steps/02/test_two.py", EARLY + LATE)
    test = "steps/02/test_two.py::test"
    assert {
        "suite 02 on steps/01": f"{test}_early is green, not red; "
        f"{test}_late is red for a reason that is not recorded: ValueError: again",
        "suite 02 on steps/02": f"{test}_late is red, not green: ValueError: again",
        "suite 02 on final": f"{test}_late is red, not green: ValueError: again",
    } == unexplained(road)


def test_code_that_forgets(road: Path) -> None:
    """Code that forgets what an earlier step taught is an unexplained cell."""
    write(road / "steps/02/realtime/server.py", "FAREWELL = 'Bye'\n")
    [(cell, complaint)] = unexplained(road).items()
    assert "suite 01 on steps/02" == cell
    assert "test_greeting is red, not green: GREETING in realtime/server" in complaint


def test_broken_code(road: Path) -> None:
    """Code on which pytest cannot start is an unexplained cell, in pytest's words."""
    write(road / "steps/01/settings.py", "1 / 0")
    complaints = unexplained(road)
    of_no_lines = complaints.pop("lines of steps/01")
    assert "server.py       1      1     0%" in of_no_lines
    assert {"suite 01 on steps/01", "suite 02 on steps/01"} == set(complaints)
    for complaint in complaints.values():
        assert complaint.startswith("no test ran: pytest ended with 4\nERROR: Dj")
        assert "ZeroDivisionError" in complaint


def test_end_without_outcomes(road: Path) -> None:
    """A test that takes pytest down makes an unexplained cell of every suite there."""
    append(road / "steps/02/test_two.py", ENDING)
    assert {
        "suite 02 on steps/01": "no test ran: pytest ended with 7",
        "suite 01 on steps/02": "no test ran: pytest ended with 7",
        "suite 02 on steps/02": "no test ran: pytest ended with 7",
        "suite 01 on final": "no test ran: pytest ended with 7",
        "suite 02 on final": "no test ran: pytest ended with 7",
    } == unexplained(road)


# Lines


@pytest.fixture
def complaint(road: Path) -> Callable[[str], str]:
    """A function that returns what is wrong with the lines of some code."""

    def complaint(code: str) -> str:
        cells = [
            cell
            for cell in matrix.cells(road)
            if cell.code == code and cell.colours != ("red",)
        ]
        *_, (_cell, _came, said) = matrix.run(road, cells)
        return said

    return complaint


def test_line_that_is_not_run(road: Path, complaint: Callable[[str], str]) -> None:
    """A line that no suite up to the step runs is told, and a branch too."""
    write(road / "steps/02/realtime/server.py", HALF_RUN)
    assert "5, 8->exit" in complaint("02")
    assert "steps/02/realtime/server.py" in complaint("02")


def test_line_that_another_process_runs(
    road: Path, complaint: Callable[[str], str]
) -> None:
    """A line that runs in a process of its own is run."""
    write(road / "steps/02/realtime/__main__.py", "print('Hello')\n")
    assert "__main__" in complaint("02")
    write(road / "steps/02/test_main.py", OTHER_PROCESS)
    assert "" == complaint("02")


def test_line_that_a_later_suite_runs(
    road: Path, complaint: Callable[[str], str]
) -> None:
    """What only the suite of a later step runs doesn't count."""
    write(road / "steps/01/realtime/farewell.py", "FAREWELL = 'Bye'\n")
    write(road / "steps/02/test_more.py", "def test(): from realtime import farewell\n")
    assert "steps/01/realtime/farewell.py" in complaint("01")


# Two buses


def test_two_buses(road: Path) -> None:
    """Code that can use Pub/Sub, too, must be green with it; both run its lines."""
    write(road / "final/realtime/streams.py", "NAME = 'Streams'\n")
    write(road / "final/realtime/pubsub.py", "NAME = 'Pub/Sub'\n")
    append(road / "steps/02/test_two.py", NOT_ON_PUBSUB)
    complaints = unexplained(road)
    assert "test_bus is red, not green" in complaints["suite 02 on final with Pub/Sub"]
    assert not {"suite 02 on final", "lines of final"} & set(complaints)


# As a command


def run(road: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command on the road."""
    command = [sys.executable, "-m", "tests.matrix", *options]
    wide = os.environ | {"COLUMNS": "120"}
    return subprocess.run(command, cwd=road, env=wide, capture_output=True, text=True)


def test_record(road: Path) -> None:
    """--record writes the reasons to a file that a person can read."""
    file = road / "tests/reasons.toml"
    file.unlink()
    process = run(road, "--record")
    assert (0, "") == (process.returncode, process.stderr)
    assert process.stdout.startswith("3 reasons ")
    assert RECORDED == file.read_text()


def test_explained_table(road: Path) -> None:
    """The table has a row for each suite and a column for each code."""
    process = run(road)
    assert (0, "") == (process.returncode, process.stderr)
    assert [
        "Each suite on the code of each step",
        "suite 00 01 02 final",
        "01 ✓ 2 red ✓ 2 green ✓ 1 green ✓ 1 green",
        "1 outgrown 1 outgrown",
        "02 ✓ 1 red ✓ 1 green ✓ 1 green",
        "lines ✓ ✓ ✓",
        "Every cell is explained.",
    ] == [" ".join(line.split()) for line in process.stdout.splitlines()]


def test_unexplained_table(road: Path) -> None:
    """An unexplained cell is marked and detailed; so is a reason that is left over."""
    append(road / "tests/reasons.toml", '["steps/09/test_gone.py"]\ntest = "so"\n')
    append(road / "steps/02/test_two.py", EARLY)
    process = run(road)
    assert 1 == process.returncode
    assert "✗ 1 green" in process.stdout
    early = "steps/02/test_two.py::test_early is green, not red"
    gone = "steps/09/test_gone.py::test is recorded, and there is no such suite"
    assert [f"suite 02 on steps/01: {early}", f"tests/reasons.toml: {gone}"] == (
        process.stdout.splitlines()[-2:]
    )


def test_nothing_recorded(road: Path) -> None:
    """Without a file of reasons, the command says how to write it."""
    (road / "tests/reasons.toml").unlink()
    process = run(road)
    assert "python -m tests.matrix --record" in process.stderr
    assert 2 == process.returncode


def test_help() -> None:
    """--help says what the colours mean."""
    output = run(ROOT, "--help").stdout
    for word in ["--record", "red", "green", "outgrown", "skipped", "reasons.toml"]:
        assert word in output
