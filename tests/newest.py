"""An environment with Python 3.13 and the newest release of everything."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
VENV = ".venv-python3.13"
PYENV = Path.home() / ".pyenv" / "versions"


def newest_python() -> Path:
    """
    Return the Python of .venv-python3.13, after `make` has set it up if necessary.

    If Python 3.13 isn't installed, skip the test.

    """
    python = find_python()
    variables = [f"VENV={VENV}", "PINS=", f"PYTHON={python}"]
    environment = {
        name: value for name, value in os.environ.items() if "MAKE" not in name
    }
    with (ROOT / "Makefile").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time
        subprocess.run(
            ["make", f"{VENV}/ready", *variables],
            cwd=ROOT,
            env=environment,
            check=True,
        )
    return ROOT / VENV / "bin" / "python"


def find_python() -> Path:
    """Return Python 3.13; skip the test if there is none."""
    for found in [shutil.which("python3.13"), *PYENV.glob("3.13*/bin/python3.13")]:
        if found and works(Path(found)):
            return Path(found)
    pytest.skip("Python 3.13 isn't installed: pyenv install 3.13")


def works(python: Path) -> bool:
    """Return whether the program runs: pyenv puts stand-ins on the PATH."""
    return subprocess.run([python, "--version"], capture_output=True).returncode == 0
