"""The check of types, and that it notices what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import check
from tests.road import ROOT, append, lay, write


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy remembers of everything that isn't ours."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def road(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this repository, with steps and suites that are tiny."""
    monkeypatch.setenv("MYPY_CACHE_DIR", str(cache))
    return lay(tmp_path)


def test_folders() -> None:
    """Every code folder is checked, but the one to start from, which is empty."""
    folders = check.folders(ROOT)
    assert ["steps/01", "steps/02"] == folders[:2]
    assert "final" == folders[-1]


def test_types(road: Path) -> None:
    """Typed code is no cause for complaint."""
    assert "" == check.types(road, "steps/01")


def test_type_error(road: Path) -> None:
    """A type error is told with its place, in the app and in its settings."""
    write(road / "steps/02/realtime/server.py", "FAREWELL: int = 'Bye'\n")
    append(road / "steps/02/settings.py", "PORT: int = 'eighty'\n")
    complaint = check.types(road, "steps/02")
    assert "steps/02/realtime/server.py:1: error: Incompatible types" in complaint
    assert "steps/02/settings.py:4: error: Incompatible types" in complaint


def test_missing_type(road: Path) -> None:
    """Code without types is a cause for complaint."""
    append(road / "final/realtime/server.py", "def greet(name): ...\n")
    assert "error: Function is missing a type annotation" in check.types(road, "final")


def test_types_of_the_tools(road: Path) -> None:
    """The site and the tools are typed, but the tests needn't be."""
    for name in ["steps/lantern.py", "steps/fixtures/sail.py", "tests/compass.py"]:
        write(road / name, "def turn(): ...\n")
    append(road / "django_site/bookshop/admin.py", "def turn(): ...\n")
    complaint = check.types_of_tools(road)
    for name in [
        "steps/lantern.py",
        "steps/fixtures/sail.py",
        "tests/compass.py",
        "django_site/bookshop/admin.py",
    ]:
        assert f"\n{name}:" in f"\n{complaint}"
    assert "test_" not in complaint


def test_command(road: Path) -> None:
    """The command has a line for each folder, and details of what is wrong."""
    append(road / "steps/02/realtime/server.py", "def greet(name):\n    return 1\n")
    process = subprocess.run(
        [sys.executable, "-m", "tests.check"],
        cwd=road,
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
    )
    results, details = process.stdout.split("\n\n✗ ")
    assert {
        "✓ types of the site and the tools",
        "✓ types of steps/01",
        "✗ types of steps/02",
        "✓ types of final",
    } == set(results.splitlines())
    assert details.startswith("types of steps/02\nsteps/02/realtime/server.py:5: err")
    assert 1 == process.returncode
