"""Put a code folder at mine/, and lose nothing of what was there."""

import shutil
import sys
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from .folders import MINE, ROOT, Misuse, code, code_before, files, shown

LAID_OUT = """\
Here is mine/, a folder for your own code:

  mine/settings.py   the settings of the site, to which you will add your own
  mine/realtime/     a package, empty so far: it will be your app and its server

Tell each terminal where things are:

  source {venv}/bin/activate
  export DJANGO_SETTINGS_MODULE=settings PYTHONPATH=mine

Make a database with books, orders and users in it:

  python -m django migrate
  python -m django demo_data

Then read chapter 01 of tutorial.md, which begins with a suite that fails:

  pytest steps/01 --code mine
"""

LEFT_ALONE = """\
mine/ is there already, and was left alone. To go on with it:

  make progress           which steps your code passes, and what is next
  make watch              run the current suite whenever you save a file
  make catch-up STEP=03   put mine/ where a chapter starts, and keep what you have
"""

CAUGHT_UP = """\
mine/ is where chapter {step} starts: it equals {source}
Read chapter {step} of tutorial.md, which begins with a suite that fails:

  pytest steps/{step} --code mine
"""


def start() -> None:
    """Lay out mine/ for the first chapter, or say how to go on with it."""
    if not MINE.exists():
        lay_out(code("00"))
        print(LAID_OUT.format(venv=shown(Path(sys.prefix)).rstrip("/")), end="")
    elif (MINE / "settings.py").exists():
        print(LEFT_ALONE, end="")
    else:
        raise Misuse(
            "mine/ has no settings.py, so it is no code folder: "
            "give it another name, then run `make start` again."
        )


def catch_up(step: str, *, yes: bool) -> None:
    """Put mine/ where a step starts, after asking; keep what was there."""
    source = code_before(step)
    kept = None
    if MINE.exists():
        if not (yes or sys.stdin.isatty()):
            raise Misuse(
                "catch-up asks before it touches mine/, and nobody can answer here: "
                "add --yes (or YES=1 after make) if you mean it."
            )
        now = datetime.now()
        kept = MINE.with_name(f"mine-before-catch-up-{now:%Y-%m-%d-%H%M%S-%f}")
        print(f"mine/ will be put where chapter {step} starts: {shown(source)}")
        print(f"What is in it now will be kept: {kept.name}/")
        if not (yes or agreed()):
            print("Nothing was changed.")
            return
    lay_out(source, kept)
    print(CAUGHT_UP.format(step=step, source=shown(source)), end="")


def agreed() -> bool:
    """Ask whether to go on; anything but yes is a no."""
    try:
        return input("Go on? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False


def lay_out(source: Path, kept: Path | None = None) -> None:
    """Make mine/ a copy of a code folder; give the mine/ of before another name."""
    with TemporaryDirectory(prefix="mine-", dir=ROOT) as folder:
        new = Path(folder) / "mine"
        for name in files(source):
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, new / name)
        if kept:
            MINE.rename(kept)
        new.rename(MINE)
