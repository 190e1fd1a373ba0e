"""The newest Django on Python 3.13 runs what the pinned one runs."""

import subprocess
from pathlib import Path

import pytest

from tests import newest
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


def test_missing_python_skips_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Python 3.13, a test is skipped and says how to install it."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(newest, "PYENV", tmp_path)
    with pytest.raises(pytest.skip.Exception, match=r"pyenv install 3\.13"):
        newest.find_python()


def test_stand_in_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The python3.13 that pyenv puts on the PATH need not run."""
    stand_in = tmp_path / "shims/python3.13"
    python = tmp_path / "versions/3.13.0/bin/python3.13"
    for program, code in [(stand_in, 127), (python, 0)]:
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\nexit {code}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent))
    monkeypatch.setattr(newest, "PYENV", tmp_path / "versions")
    assert python == newest.find_python()
