"""The code folder that the demo runs."""

import os
import sys
from pathlib import Path
from urllib.parse import quote

import django

from . import Problem

ROOT = Path(__file__).parent.parent.parent
SERVER = "realtime/server.py"
COMMAND = "realtime/management/commands/runrealtime.py"
STEPS = sorted(path.name for path in ROOT.glob("steps/[0-9][0-9]") if path.name > "00")


def find(given: str) -> Path:
    """Return the path of a code folder that has a server; else raise Problem."""
    folder = Path(given).resolve()
    if not (folder / "settings.py").is_file():
        folders = [
            f"steps/{step}" for step in STEPS if has_server(ROOT / "steps" / step)
        ]
        raise Problem(
            f"{given} is not a code folder: it has no settings.py. These are: "
            f"{', '.join(folders)}, final. `make start` lays out one of your own."
        )
    if not has_server(folder):
        raise Problem(
            f"{given} has no server yet: chapter 01 of the tutorial writes {SERVER}."
        )
    return folder


def has_server(folder: Path) -> bool:
    return (folder / SERVER).is_file()


def server(folder: Path) -> list[str]:
    """Return the module that runs the server: from step 07 on, a command of Django."""
    if (folder / COMMAND).is_file():
        return ["django", "runrealtime"]
    return ["realtime"]


def step_reached(folder: Path) -> str:
    """Return the step which the code has reached: its number, or else the last one."""
    return folder.name if folder.parent == ROOT / "steps" else STEPS[-1]


def use(folder: Path, database: Path) -> None:
    """Set up Django with this code and this database, here and in child processes.

    What the reader's environment says about Django is for the reader's own site.

    Raise Problem if Django cannot load the code.
    """
    for name in [name for name in os.environ if name.startswith("DJANGO_")]:
        del os.environ[name]
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    os.environ["DJANGO_RUNSERVER_HIDE_WARNING"] = "true"
    os.environ["DATABASE_URL"] = f"sqlite:///{quote(str(database.absolute()))}"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT)])
    sys.path.insert(0, str(folder))
    try:
        django.setup()
    except Exception as error:
        raise Problem(
            f"Django cannot start with {shown(folder / 'settings.py')}: {error!r}"
        ) from error


def shown(path: Path) -> str:
    """Return a path as a reader in the repository would type it."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
