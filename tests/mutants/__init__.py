"""Change the code of the steps in small ways, and see whether the suites notice.

Each change makes a *mutant*. The suites of the step and of those before it are run on
it, and one of their tests should fail: the mutant is *killed*. A mutant that passes
every test *survives*. Either a test is missing, or the change makes no difference that
matters; tests/mutants.toml lists those survivors, each with the reason.

A mutant that was killed in one step is not run again in the next one, as long as the
file is the same, and the test that killed it has not been outgrown. What survived in
one step is run only by the suite that is new in the next one. The tests that run the
line that changes come first, and among them the one that killed the same mutant before,
in this step or in the last one, and those that killed a mutant near by: one of them is
likely to fail. What is changed about Pub/Sub is run on that bus.

It takes hours. What is found is kept in .mutants_cache/, and holds as long as nothing
changes on which it depends, so a run that was interrupted goes on where it was.
"""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from math import inf
from pathlib import Path
from typing import NamedTuple, Self

import pytest
import tomli_w
from coverage import CoverageData
from rich.progress import Progress

from tests import outcomes
from tests.forks import at_once, run_pytest
from tests.matrix import PUBSUB, codes, folder, suites
from tests.mutations import Mutation, mutations
from tests.outcomes import GREEN, RED, Outcome

ROOT = Path(__file__).parent.parent.parent
ENOUGH = 90  # per cent of the mutants of each step must be killed
TIMEOUT = 180  # seconds; a mutant that takes longer is killed
CACHE = ROOT / ".mutants_cache"
PUBSUB_FILE = "realtime/pubsub.py"  # its code runs with that bus alone


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


class Kills:
    """The tests that have killed mutants so far, and where."""

    def __init__(self) -> None:
        self.same: dict[tuple[str, str, str], str] = {}
        self.lines: defaultdict[tuple[str, str], list[int]] = defaultdict(list)

    def add(self, mutant: Mutant, test: str) -> None:
        self.same[mutant.change] = test
        self.lines[test, mutant.file].append(mutant.mutation.line)

    def likeliest_first(self, mutant: Mutant, tests: list[str]) -> list[str]:
        """Return tests, those first that killed this mutant, or one near it."""

        def distance(test: str) -> float:
            lines = self.lines.get((test, mutant.file), [])
            return min(
                (abs(mutant.mutation.line - line) for line in lines), default=inf
            )

        nearest = sorted(tests, key=distance)
        if (same := self.same.get(mutant.change)) is None:
            return nearest
        return [same, *(test for test in nearest if test != same)]


def killer(
    root: Path,
    code: str,
    mutant: Mutant,
    tests: Sequence[str],
    reach: Reach,
    kills: Kills,
) -> str | None:
    """Return which of some tests a mutant fails, or None if it survives them all."""
    lines = reach.get(mutant.file, {})
    line = max((line for line in lines if line <= mutant.mutation.line), default=0)
    reaching = [test for test in lines.get(line, []) if test in tests]
    near = kills.likeliest_first(mutant, reaching)
    others = [test for test in tests if test not in near]
    for chosen in filter(None, [near, others]):
        came = graded(root, code, mutant, chosen)
        if not came:
            return NOTHING_STARTS
        if red := [test for test in came if came[test].colour == RED]:
            kills.add(mutant, red[0])
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
        bus = []
        if mutant:
            (copy / mutant.file).write_text(mutant.mutation.text)
            if mutant.file == PUBSUB_FILE:
                bus = ["--bus", PUBSUB]
        ended = run_pytest(
            root,
            *["-x", "-p", "no:cacheprovider", "-p", "tests.outcomes"],
            *[f"--outcomes={file}", f"--code={copy}", *bus, *tests],
            timeout=TIMEOUT,
        )
        ended_well = ended.returncode in (
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
        )
        return outcomes.read(file) if ended_well else {}


class Memory:
    """What was found of the mutants of a step, and what it depends on."""

    def __init__(self, root: Path, code: str) -> None:
        self.code = code
        self.fingerprint = fingerprint_of(root, code)
        CACHE.mkdir(exist_ok=True)
        self.database = sqlite3.connect(
            CACHE / "verdicts.sqlite3", isolation_level=None
        )
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS verdict"
            " (code, mutant, killer, fingerprint, PRIMARY KEY (code, mutant))"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.database.close()

    def known(self, found: list[Mutant]) -> dict[Mutant, str | None]:
        """Return the killers of those mutants that have been judged."""
        return self.select(found, holds=True)

    def outdated(self, found: list[Mutant]) -> dict[Mutant, str | None]:
        """Return the killers of those that were judged before something changed."""
        return self.select(found, holds=False)

    def select(self, found: list[Mutant], holds: bool) -> dict[Mutant, str | None]:
        killers = dict(
            self.database.execute(
                "SELECT mutant, killer FROM verdict"
                " WHERE code = ? AND (fingerprint = ?) = ?",
                (self.code, self.fingerprint, holds),
            )
        )
        keys = {one: digest(one.file, one.mutation.text) for one in found}
        return {one: killers[keys[one]] for one in found if keys[one] in killers}

    def add(self, mutant: Mutant, killer: str | None) -> None:
        key = digest(mutant.file, mutant.mutation.text)
        self.database.execute(
            "INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?)",
            (self.code, key, killer, self.fingerprint),
        )


def fingerprint_of(root: Path, code: str) -> str:
    """Return a digest of all that a verdict on the mutants of a step depends on."""
    folders = [root / folder(code), root / "steps", root / "django_site"]
    found = {file.relative_to(root) for each in folders for file in each.rglob("*.py")}
    # Digits sort before letters: "10" < "final".
    later = {file for file in found if file.parts[1].isdigit() and file.parts[1] > code}
    pins = Path(".ci", "pins.txt")
    return digest(
        *((root / file).read_text() for file in [*sorted(found - later), pins])
    )


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


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
    suites_before: list[str] = []
    if earlier := [code for code in codes(root) if code < chosen[0]]:
        with Memory(root, earlier[-1]) as memory:
            before = memory.known(mutants(root, earlier[-1]))
        suites_before = so_far(root, earlier[-1])
    for code in chosen:
        came = graded(root, code, None, so_far(root, code))
        red = [
            f"{test} ({came[test].reason})" for test in came if came[test].colour == RED
        ]
        if not came or red:
            raise ValueError(
                f"{folder(code)} does not pass the suites as it is: "
                + (", ".join(red) or NOTHING_STARTS)
            )
        tests = [test for test in came if came[test].colour == GREEN]
        old = tuple(f"{suite}/" for suite in suites_before)
        new_tests = [test for test in tests if not test.startswith(old)]
        survived = {one.change for one, test in before.items() if test is None}
        found, reached, kills = mutants(root, code), reach(root, code), Kills()
        with Memory(root, code) as memory, ThreadPoolExecutor(2 * at_once()) as pool:
            killers = {
                one: before[one]
                for one in found
                if before.get(one) in [*tests, NOTHING_STARTS]
            }
            killers |= memory.known(found)
            for one, test in (before | memory.outdated(found) | killers).items():
                if test in tests:
                    kills.add(one, test)
            for one, test in killers.items():
                memory.add(one, test)
            unknown = [mutant for mutant in found if mutant not in killers]
            task = progress.add_task(folder(code), total=len(unknown))
            futures = {
                pool.submit(
                    killer,
                    root,
                    code,
                    one,
                    new_tests if one.change in survived else tests,
                    reached,
                    kills,
                ): one
                for one in unknown
            }
            try:
                for future in as_completed(futures):
                    one, killers[one] = futures[future], future.result()
                    memory.add(one, killers[one])
                    progress.advance(task)
            finally:
                pool.shutdown(cancel_futures=True)
        before = {mutant: killers[mutant] for mutant in found}
        suites_before = so_far(root, code)
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
