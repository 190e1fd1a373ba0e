"""Pytest runs in forks of a process that has imported everything, as it would alone."""

import time
from pathlib import Path

import pytest

from tests.demo import alive
from tests.forks import run_pytest

TESTS = """
import os, sys, time

def test_passes(): pass
def test_fails(): print("Hello"); assert not os.environ.get("PYTEST_XDIST_WORKER"), "so"
def test_leaves(): os._exit(7)
def test_stays():
    if not os.fork():
        time.sleep(60)
    print(os.getpgrp(), file=open("group", "w"))
    time.sleep(60)
def test_first(): import firm; assert firm.__file__ == os.path.abspath("firm.py")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with tests, and with a module that they import."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest]\npythonpath = ['.']\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "firm.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "result", "said"),
    [
        ("passes", pytest.ExitCode.OK, "1 passed"),
        ("first", pytest.ExitCode.OK, "1 passed"),
        ("leaves", 7, ""),
        ("none", pytest.ExitCode.USAGE_ERROR, "ERROR: not found: "),
    ],
)
def test_end(folder: Path, name: str, result: int, said: str) -> None:
    """A run ends as it would in a process that was started for it."""
    ended = run_pytest(folder, f"test_some.py::test_{name}")
    assert result == ended.returncode
    assert said in ended.stdout + ended.stderr


def test_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run says comes back; of the run that asks for it, it knows nothing."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw9")
    ended = run_pytest(folder, "test_some.py::test_fails", "-rP")
    assert (pytest.ExitCode.OK, True) == (ended.returncode, "Hello" in ended.stdout)


def test_no_end(folder: Path) -> None:
    """A run that takes too long is ended, with all that it has started."""
    ended = run_pytest(folder, "test_some.py::test_stays", timeout=5)
    assert ended.returncode < 0
    group = int((folder / "group").read_text())
    deadline = time.monotonic() + 5
    while alive(-group):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # until the next look
