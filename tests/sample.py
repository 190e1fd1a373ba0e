"""A miniature of this repository, on which the tutorial's tools are tested."""

from pathlib import Path

TUTORIAL = (Path(__file__).parent / "sample.md").read_text(encoding="utf-8")

GREETING = """\
def greet(name):
    return f"Hello {name}!"
"""

SUITE = """\
def test_greeting():
    from realtime.greeting import greet

    assert "Hello alice!" == greet("alice")
"""

CONFTEST = """\
import sys


def pytest_addoption(parser):
    parser.addoption("--code")


def pytest_configure(config):
    sys.path.insert(0, config.option.code)
"""

PYPROJECT = """\
[tool.pytest]
addopts = ["-q", "-p", "no:asyncio", "-p", "no:django", "--import-mode=importlib"]
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": "# Read me\n\nThe [first chapter](tutorial.md#01-hello).\n",
    "tutorial.md": TUTORIAL,
    "steps/conftest.py": CONFTEST,
    "steps/pictures/hello.png": "",
    "steps/00/settings.py": "DEBUG = True\n",
    "steps/00/realtime/__init__.py": "",
    "steps/01/settings.py": "DEBUG = True\nGREETING = True\n",
    "steps/01/test_hello.py": SUITE,
    "steps/01/realtime/__init__.py": "",
    "steps/01/realtime/greeting.py": GREETING,
    "final/realtime/greeting.py": GREETING,
}


def lay_out(folder: Path, tutorial: str = TUTORIAL) -> Path:
    """Write the miniature to a folder, with this tutorial; return the folder."""
    for name, text in (FILES | {"tutorial.md": tutorial}).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder
