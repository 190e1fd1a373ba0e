"""The newest Django on Python 3.13 runs what the pinned one runs."""

import subprocess
from pathlib import Path

import pytest

from tests.newest import ROOT, newest_python


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python of the newest environment."""
    return newest_python()


def test_versions(python: Path) -> None:
    """Python is 3.13 or newer, and Django is newer than the pinned 5.2."""
    code = (
        "import django, sys\n"
        "assert (3, 13) <= sys.version_info\n"
        "assert (6, 0) <= django.VERSION"
    )
    subprocess.run([python, "-c", code], check=True)


@pytest.mark.parametrize("code", [[], ["--code", "final"]], ids=["steps", "final"])
def test_suites(python: Path, code: list[str]) -> None:
    """Every suite passes, on its own step and on final/, without a warning."""
    grading = subprocess.run(
        [python, "-m", "pytest", "steps", *code, "-p", "no:cacheprovider"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert 0 == grading.returncode, grading.stdout
