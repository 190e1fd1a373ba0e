"""The faults on the code of step 04: it must fail, for the reasons that are recorded.

``python -m tests.faults.before --record`` writes them to tests/faults/reasons.toml.
"""

import argparse
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import tomli_w

from tests import outcomes
from tests.forks import environment
from tests.matrix import different
from tests.outcomes import GREEN, OUTGROWN, Outcome

ROOT = Path(__file__).parent.parent.parent
REASONS = Path(__file__).with_name("reasons.toml")
BEFORE = "steps/04"
TITLE = """\
# What becomes of each fault on the code of step 04, written by
# python -m tests.faults.before --record
# "red": why it fails. "holds" and "apart" are written by hand: what step 04 keeps
# already, and what it cannot be put through.
"""


def recorded() -> dict[str, dict[str, str]]:
    return tomllib.loads(REASONS.read_text())


def tried(tests: list[str], *options: str) -> dict[str, Outcome]:
    """Try tests on the code of step 04; return what became of each."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcomes.json"
        subprocess.run(
            [
                *[sys.executable, "-m", "pytest", *tests, "--on", BEFORE, *options],
                *["-p", "no:cacheprovider", "-p", "tests.outcomes"],
                *["--numprocesses", "2", "--dist", "loadfile"],  # most of them wait
                *["--outcomes", str(file)],
                # What fails leaves things open, which is told when they are found.
                *["-W", "ignore::pytest.PytestUnraisableExceptionWarning"],
            ],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        came = outcomes.read(file)
    return {
        test: Outcome(colour, reason.splitlines()[0].removeprefix(PREFIX))
        if reason
        else Outcome(colour)
        for test, (colour, reason) in came.items()
        if colour != OUTGROWN
    }


PREFIX = "tests.faults.lab.Broken: "


def rows() -> list[str]:
    """Return the ids of all tests that break something."""
    files = [str(file) for file in Path(__file__).parent.glob("test_*.py")]
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", *files, "--collect-only"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    lines = [line for line in listing.stdout.splitlines() if "::" in line]
    about = ("laboratory", "promises", "step_04", "versions")  # not on the code alone
    return [
        line for line in lines if not any(f"test_{name}.py" in line for name in about)
    ]


def complaints(came: dict[str, Outcome]) -> Iterator[str]:
    """Complain about what became of tests, where it is not what is recorded."""
    record = recorded()
    reds = {test: why for test, why in record["red"].items() if test in came}
    yield from different(came, reds)
    for test, (colour, _reason) in came.items():
        if colour == GREEN and test not in record["holds"]:
            yield f"{test} passes on {BEFORE}, which is not recorded"


def put_through() -> list[str]:
    """Return the tests that step 04 can be put through."""
    return [test for test in rows() if test not in recorded()["apart"]]


def record() -> int:
    """Write down why each test fails; return how many do."""
    known = recorded()
    came = tried(put_through())
    known["red"] = {
        test: reason for test, (colour, reason) in came.items() if colour != GREEN
    }
    holds = [test for test, (colour, _reason) in came.items() if colour == GREEN]
    known["holds"] = {test: known["holds"].get(test, "") for test in holds}
    REASONS.write_text(f"{TITLE}\n{tomli_w.dumps(known)}")
    return len(known["red"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.faults.before")
    parser.add_argument("--record", action="store_true", required=True)
    parser.parse_args()
    print(f"{record()} reasons are recorded in {REASONS.name}: review them.")
