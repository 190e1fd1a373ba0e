"""Change the code of the steps in small ways, and see whether the suites notice.

Each change makes a *mutant*. The suites of the step and of those before it are run on
it, and one of their tests should fail: the mutant is *killed*. A mutant that passes
every test *survives*. Either a test is missing, or the change makes no difference that
matters; tests/mutants.toml lists those survivors, each with the reason.

A mutant that was killed in one step is not run again in the next one, as long as the
file is the same, and the test that killed it has not been outgrown. The tests that run
the line that changes come first: one of them is likely to fail.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import pytest
import tomli_w
from coverage import CoverageData
from rich.progress import Progress

from tests import outcomes
from tests.forks import at_once, run_pytest
from tests.matrix import folder, suites
from tests.mutations import Mutation, mutations
from tests.outcomes import GREEN, RED, Outcome

ROOT = Path(__file__).parent.parent.parent
ENOUGH = 90  # per cent of the mutants of each step must be killed
TIMEOUT = 180  # seconds; a mutant that takes longer is killed


class Mutant(NamedTuple):
    """A file of a code folder with one change."""

    file: str
    mutation: Mutation

    @property
    def change(self) -> tuple[str, str, str]:
        """The file, the lines that change, and what they become."""
        return self.file, self.mutation.before, self.mutation.after


class Survivor(NamedTuple):
    """What tests/mutants.toml says about a mutant that is left alive."""

    file: str
    before: str
    after: str
    since: str  # the first step in which it lives
    reason: str
    until: str | None = None  # the step in which it doesn't live any more

    @property
    def change(self) -> tuple[str, str, str]:
        return self.file, self.before, self.after

    def lives_in(self, code: str) -> bool:
        # Digits sort before letters: "10" < "final".
        return self.since <= code and (self.until is None or code < self.until)


def mutants(root: Path, code: str) -> list[Mutant]:
    """Return all mutants of the app in a code folder."""
    base = root / folder(code)
    return [
        Mutant(str(path.relative_to(base)), mutation)
        for path in sorted(base.glob("realtime/*.py"))
        for mutation in mutations(path.read_text())
    ]


def survivors(root: Path) -> list[Survivor]:
    """Return the survivors that tests/mutants.toml explains."""
    entries = tomllib.loads((root / "tests" / "mutants.toml").read_text())
    return [Survivor(**entry) for entry in entries["survivor"]]


Reach = dict[str, dict[int, list[str]]]  # which tests run a line of a file


def reach(root: Path, code: str) -> Reach:
    """Return the tests that run each line of an app, in the process of the tests.

    What is run before the first test begins is run by a test without a name.
    """
    with tempfile.TemporaryDirectory() as temporary:
        data = CoverageData(f"{temporary}/coverage")
        subprocess.run(
            [
                *[sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
                *[f"--cov={folder(code)}/realtime", "--cov-context=test"],
                *["--cov-report=", "--cov-fail-under=0", f"--code={folder(code)}"],
                *so_far(root, code),
            ],
            cwd=root,
            env=os.environ | {"COVERAGE_FILE": data.data_filename()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        data.read()
        return {
            str(Path(file).relative_to(root / folder(code))): {
                line: sorted({name.partition("|")[0] for name in names}, reverse=True)
                for line, names in data.contexts_by_lineno(file).items()
            }
            for file in data.measured_files()
        }


def so_far(root: Path, code: str) -> list[str]:
    """Return the suites that ask for some code, the newest first."""
    return [f"steps/{suite}" for suite in suites(root) if suite <= code][::-1]


NOTHING_STARTS = "the suites, which do not start, or do not end"


def killer(root: Path, code: str, mutant: Mutant, reach: Reach) -> str | None:
    """Return the test that a mutant fails, or None if it survives them all."""
    lines = reach.get(mutant.file, {})
    line = max((line for line in lines if line <= mutant.mutation.line), default=0)
    near = [test for test in lines.get(line, []) if test]
    for tests in [near, so_far(root, code)] if near else [so_far(root, code)]:
        came = graded(root, code, mutant, tests)
        if not came:
            return NOTHING_STARTS
        if red := [test for test in came if came[test].colour == RED]:
            return red[0]
    return None


def graded(
    root: Path, code: str, mutant: Mutant | None, tests: list[str]
) -> dict[str, Outcome]:
    """Grade a copy of some code with some tests, up to the first failure."""
    with tempfile.TemporaryDirectory() as temporary:
        copy, file = Path(temporary) / "code", Path(temporary) / "outcomes.json"
        unused = shutil.ignore_patterns("test_*", "__pycache__")
        shutil.copytree(root / folder(code), copy, ignore=unused)
        if mutant:
            (copy / mutant.file).write_text(mutant.mutation.text)
        ended = run_pytest(
            root,
            *["-x", "-p", "no:cacheprovider", "-p", "tests.outcomes"],
            *[f"--outcomes={file}", f"--code={copy}", *tests],
            timeout=TIMEOUT,
        )
        ended_well = ended.returncode in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
        )
        return outcomes.read(file) if ended_well else {}


class Verdict(NamedTuple):
    """What became of the mutants of a step."""

    code: str
    killers: dict[Mutant, str | None]
    run: int  # how many were run, and not known from the step before

    @property
    def alive(self) -> list[Mutant]:
        return [mutant for mutant, test in self.killers.items() if test is None]

    @property
    def score(self) -> int:
        """How many per cent were killed, rounded down."""
        total = len(self.killers)
        return 100 * (total - len(self.alive)) // total if total else 100


def judged(root: Path, chosen: list[str], progress: Progress) -> Iterator[Verdict]:
    """Judge the mutants of some steps, one step after the other, on all cores.

    Raise ValueError if the suites are not even green on the code as it is.
    """
    before: dict[Mutant, str | None] = {}
    for code in chosen:
        came = graded(root, code, None, so_far(root, code))
        if not came or any(outcome.colour == RED for outcome in came.values()):
            raise ValueError(f"{folder(code)} does not pass the suites as it is")
        tests = {NOTHING_STARTS, *(test for test in came if came[test].colour == GREEN)}
        found = mutants(root, code)
        killers = {one: before[one] for one in found if before.get(one) in tests}
        unknown = [mutant for mutant in found if mutant not in killers]
        reached = reach(root, code)
        task = progress.add_task(folder(code), total=len(unknown))
        with ThreadPoolExecutor(2 * at_once()) as pool:
            futures = {
                pool.submit(killer, root, code, one, reached): one for one in unknown
            }
            try:
                for future in as_completed(futures):
                    killers[futures[future]] = future.result()
                    progress.advance(task)
            finally:
                pool.shutdown(cancel_futures=True)
        before = {mutant: killers[mutant] for mutant in found}
        yield Verdict(code, before, len(unknown))


def complaints(verdict: Verdict, explained: list[Survivor]) -> Iterator[str]:
    """Yield what is wrong with a step: survivors, explanations, the score."""
    listed = {one.change for one in explained if one.lives_in(verdict.code)}
    alive = {mutant.change for mutant in verdict.alive}
    for change in sorted(alive - listed):
        yield f"survives, and nothing says why:\n{shown(change)}"
    for change in sorted(listed - alive):
        yield f"is explained, but doesn't survive any more:\n{shown(change)}"
    if verdict.score < ENOUGH:
        yield f"only {verdict.score} % of the mutants are killed, not {ENOUGH} %"


def shown(change: tuple[str, str, str]) -> str:
    """Return a change as tests/mutants.toml writes it."""
    return tomli_w.dumps(dict(zip(Survivor._fields, change, strict=False)))
