"""The outcomes of tests, as a plugin of pytest writes them down."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.outcomes import Outcome, read

ROOT = Path(__file__).parent.parent
SUITE = """
import sys

import pytest

from steps.grading import Unmet

@pytest.fixture
def bad_setup():
    raise ValueError("no resource")

@pytest.fixture
def bad_teardown():
    yield
    raise ValueError("a leak")

def test_pass(): pass
def test_assert(): assert 1 == 2
def test_unmet(): raise Unmet("one", "two", [])
def test_python(): raise ValueError(f"{sys.executable}: not found")
def test_setup(bad_setup): pass
def test_teardown(bad_teardown): pass
def test_both(bad_teardown): raise ValueError("a failure")
def test_fixture(nonsense): pass
def test_skip(): pytest.skip("not today")
@pytest.mark.skip(reason="not today")
def test_skip_mark(): pass
@pytest.mark.xfail(reason="some day")
def test_xfail(): assert False
@pytest.mark.xfail(reason="some day")
def test_xpass(): pass
@pytest.mark.parametrize("n", [1, 2], ids=["one::", "two [/]"])
def test_ids(n): assert n == 1
def test_other(): pass
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What the plugin writes about a suite that has everything."""
    folder = tmp_path_factory.mktemp("outcomes")
    (folder / "pytest.ini").touch()
    (folder / "test_all.py").write_text(SUITE)
    (folder / "test_bad.py").write_text("import nonsense")
    skip = "import pytest; pytest.skip('not today', allow_module_level=True)"
    (folder / "test_skipped.py").write_text(skip)
    options = ["-p", "tests.outcomes", "--outcomes", folder / "outcomes.json"]
    options += ["-k", "not other", "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", *options, folder]
    process = subprocess.run(command, cwd=ROOT, capture_output=True)
    assert pytest.ExitCode.TESTS_FAILED == process.returncode
    return read(folder / "outcomes.json")


@pytest.mark.parametrize(
    ("test", "colour", "reason"),
    [
        ("pass", "green", ""),
        ("assert", "red", "assert 1 == 2"),
        ("unmet", "red", "steps.explaining.Unmet: expected one; came two"),
        ("python", "red", "ValueError: python: not found"),
        ("setup", "red", "ValueError: no resource"),
        ("teardown", "red", "ValueError: a leak"),
        ("both", "red", "ValueError: a failure"),
        ("skip", "skipped", "not today"),
        ("skip_mark", "skipped", "not today"),
        ("xfail", "skipped", "a failure is expected: some day"),
        ("xpass", "skipped", "a failure is expected: some day"),
        ("ids[one::]", "green", ""),
        ("ids[two [/]]", "red", "assert 2 == 1"),
        ("other", "outgrown", ""),
    ],
)
def test_outcome(
    outcomes: dict[str, Outcome], test: str, colour: str, reason: str
) -> None:
    """A test has a colour, and a reason unless it is green."""
    assert Outcome(colour, reason) == outcomes[f"test_all.py::test_{test}"]


@pytest.mark.parametrize(
    ("test", "colour", "reason"),
    [
        ("test_all.py::test_fixture", "red", "fixture 'nonsense' not found"),
        ("test_bad.py", "red", "No module named 'nonsense'"),
        ("test_skipped.py", "skipped", "not today"),
    ],
)
def test_long_reason(
    outcomes: dict[str, Outcome], test: str, colour: str, reason: str
) -> None:
    """A test that cannot start, and a file that cannot be loaded, have a colour too."""
    assert colour == outcomes[test].colour
    assert reason in outcomes[test].reason
