"""In CI, a skipped test is a failure that says what to install."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What conftest.py must turn into failures: every way in which a test may not run.
SUITE = """
import pytest

def test_skip():
    pytest.skip("Redis isn't installed: apt-get install redis-server")

@pytest.mark.skip(reason="not today")
def test_mark():
    pass

@pytest.mark.xfail(reason="some day")
def test_xfail():
    assert False

def test_pass():
    pass
"""
MODULE = "import pytest; pytest.skip('no module today', allow_module_level=True)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of tests, some of which are skipped, with our conftest.py."""
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "test_skipping.py").write_text(SUITE)
    (tmp_path / "test_module.py").write_text(MODULE)
    return tmp_path


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in os.environ if name != "CI"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--continue-on-collection-errors", folder],
        cwd=ROOT,
        env=inherited | environment,
        capture_output=True,
        text=True,
    )


def test_skip_on_a_machine_of_ours(folder: Path) -> None:
    """Outside CI, a test may be skipped."""
    process = run(folder)
    assert "1 passed, 3 skipped, 1 xfailed" in process.stdout
    assert pytest.ExitCode.OK == process.returncode


def test_empty_variable(folder: Path) -> None:
    """An empty CI is as good as none."""
    assert pytest.ExitCode.OK == run(folder, CI="").returncode


def test_skip_in_ci(folder: Path) -> None:
    """In CI, a skipped test or module fails, and says why it was skipped."""
    process = run(folder, CI="true")
    for reason in [
        "Redis isn't installed: apt-get install redis-server",
        "not today",
        "no module today",
    ]:
        assert f"nothing may be skipped in CI: {reason}\n" in process.stdout
    assert "1 failed, 1 passed, 1 xfailed, 2 errors" in process.stdout
    assert pytest.ExitCode.TESTS_FAILED == process.returncode
