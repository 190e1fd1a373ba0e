"""Redis fails, and the code runs with the oldest and the newest of what it needs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.newest import ROOT, newest_python
from tests.oldest import oldest_python, oldest_redis

VERSIONS = "import django, redis, sys; print(redis.__version__, django.VERSION[:2])"
NAMES = "kill or restart or half_open or one_of_three or everything"


def versions(python: Path) -> str:
    return subprocess.check_output([python, "-c", VERSIONS], text=True).strip()


def test_oldest() -> None:
    """The oldest environment has the oldest redis-py, and Django 5.2."""
    assert f"{oldest_redis()} (5, 2)" == versions(oldest_python())


def test_newest() -> None:
    """The newest environment has a redis-py and a Django of today."""
    redis, django = versions(newest_python()).split(" ", 1)
    assert (8, 0) <= tuple(map(int, redis.split(".")[:2]))
    assert django >= "(6, 0)"


@pytest.mark.parametrize("python", [oldest_python, newest_python])
def test_redis_fails(python: Callable[[], Path], soak: bool) -> None:
    """What is promised about Redis is kept with these versions, too."""
    files = ["test_redis", "test_streams", "test_privileges"]
    trying = subprocess.run(
        [
            *[sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
            *(f"tests/faults/{name}.py" for name in files),
            *["--lab-python", str(python()), "-k", "not burst" if soak else NAMES],
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert 0 == trying.returncode, trying.stdout
