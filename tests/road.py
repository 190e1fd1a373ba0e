"""A copy of this repository whose road has two tiny steps, to go astray on."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent

SETTINGS = "from django_site.settings import *\n"
GREETING = '''\
import pytest


def test_greeting():
    """The greeting is ours."""
    from realtime import server

    assert "Hello" == server.GREETING


@pytest.mark.until("02", "there is a farewell")
def test_no_farewell():
    """There is no farewell yet."""
    from realtime import server

    assert not hasattr(server, "FAREWELL")
'''
FAREWELL = '''\
import pytest


@pytest.mark.parametrize("word", ["Bye"])
def test_farewell(word):
    """The farewell is ours."""
    from realtime import server

    assert word == server.FAREWELL
'''
FILES = {
    "steps/00/settings.py": SETTINGS,
    "steps/00/realtime/__init__.py": "",
    "steps/01/settings.py": SETTINGS,
    "steps/01/realtime/__init__.py": "",
    "steps/01/realtime/server.py": "GREETING = 'Hello'\n",
    "steps/01/test_one.py": GREETING,
    "steps/02/settings.py": SETTINGS,
    "steps/02/realtime/__init__.py": "",
    "steps/02/realtime/server.py": "GREETING = 'Hello'\nFAREWELL = 'Bye'\n",
    "steps/02/test_two.py": FAREWELL,
    "final/settings.py": SETTINGS,
    "final/realtime/__init__.py": "",
    "final/realtime/server.py": "GREETING = 'Hello'\nFAREWELL = 'Bye'\n",
}


def lay(folder: Path) -> Path:
    """Lay the road out in a folder, with the real site and the real tools."""
    shutil.copytree(ROOT / "django_site", folder / "django_site")
    shutil.copytree(ROOT / "steps" / "fixtures", folder / "steps" / "fixtures")
    for pattern in ["pyproject.toml", "steps/*.py", "tests/*.py", "tests/matrix/*.py"]:
        for file in ROOT.glob(pattern):
            copy = folder / file.relative_to(ROOT)
            copy.parent.mkdir(exist_ok=True, parents=True)
            shutil.copy(file, copy)
    for name, text in FILES.items():
        write(folder / name, text)
    return folder


def write(file: Path, text: str) -> None:
    """Write a file, in a folder that may not exist yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def append(file: Path, text: str) -> None:
    """Add two lines of space and some text to a file."""
    file.write_text(f"{file.read_text()}\n\n{text}")
