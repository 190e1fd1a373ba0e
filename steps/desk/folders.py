"""Where things are: the steps, their suites, their code, and the learner's folder."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "steps"
MINE = ROOT / "mine"


class Misuse(Exception):
    """What was asked for can't be done; the message says why, and what to do."""


def steps() -> list[str]:
    """Return the numbers of the steps: 01, 02 …"""
    return sorted({suite.parent.name for suite in STEPS.glob("[0-9][0-9]/test_*.py")})


def suite(step: str) -> list[Path]:
    """Return the files of a step's suite."""
    return sorted((STEPS / step).glob("test_*.py"))


def title(step: str) -> str:
    """Return the title of a step: the words with which its suite begins."""
    words = ast.get_docstring(ast.parse(suite(step)[0].read_text())) or ""
    return re.split(r"(?<=\?)|:", words)[0]


def code(step: str) -> Path:
    """Return the code folder of a step; a suite that has none grades final/."""
    folder = STEPS / step
    return folder if (folder / "settings.py").exists() else ROOT / "final"


def code_before(step: str) -> Path:
    """Return the code folder where a step starts: where the step before it ends."""
    numbers = ["00", *steps()]
    return code(numbers[numbers.index(step) - 1])


def files(folder: Path) -> set[str]:
    """Return the files of a code folder, without the suite beside it."""
    return {
        path.relative_to(folder).as_posix()
        for path in [
            folder / "settings.py",
            folder / "urls.py",
            *folder.glob("realtime/**/*"),
        ]
        if path.is_file() and path.suffix != ".pyc"
    }


def shown(path: Path) -> str:
    """Return how to write a path for somebody who is in the repository's folder."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
    return f"{name}/" if path.is_dir() else name


def require_mine() -> None:
    """Raise Misuse unless mine/ is there."""
    if not (MINE / "settings.py").exists():
        raise Misuse("There is no code folder mine/ yet: `make start` lays it out.")
