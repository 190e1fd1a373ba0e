"""An environment with the oldest redis-py that is supported."""

import fcntl
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv-oldest"


def oldest_redis() -> str:
    """Return the oldest version of redis-py that pyproject.toml allows."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    [line] = [each for each in groups["run"] if each.startswith("redis>=")]
    match = re.match(r"redis>=([\d.]+)", line)
    assert match is not None
    return match[1]


def oldest_python() -> Path:
    """Return the Python of .venv-oldest, after it has been set up if necessary.

    Everything else there is pinned, as it is in .venv.
    """
    version, ready = oldest_redis(), VENV / "ready"
    pins = (ROOT / ".ci/pins.txt").read_text()
    others = re.sub(r"(?m)^redis==.*$", f"redis=={version}", pins)
    with (ROOT / "Makefile").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time
        if not ready.exists() or ready.read_text() != others:
            make = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(VENV)]
            subprocess.run(make, check=True)
            constraints = VENV / "constraints.txt"
            constraints.write_text(others)
            pip = [sys.executable, "-m", "pip", "--python", str(VENV / "bin/python")]
            what = ["--group", "run", "--constraint", str(constraints)]
            subprocess.run([*pip, "install", "--quiet", *what], cwd=ROOT, check=True)
            ready.write_text(others)
    return VENV / "bin" / "python"
