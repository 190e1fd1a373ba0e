"""Run the current suite whenever a file of mine/ changes."""

import subprocess
import sys

from watchfiles import watch

from . import progress
from .folders import MINE, ROOT
from .standing import Standing, Ungradable

CLEAR_SCREEN = "\x1b[H\x1b[2J"


def run() -> None:
    """Run suites until every step is green, or until Ctrl-C."""
    standing: Standing | None = None
    while True:
        changes = watch(MINE, rust_timeout=100, yield_on_timeout=True)
        next(changes)  # It watches now: no change goes unnoticed from here on.
        if standing is None or passes(standing):
            standing = show_progress()
            if standing and not standing.current:
                return
        print("\nWatching mine/ for changes. Ctrl-C ends it.", flush=True)
        next(filter(None, changes))
        if sys.stdout.isatty():
            print(end=CLEAR_SCREEN, flush=True)


def passes(standing: Standing) -> bool:
    """Run the current suite until its first failure; return whether there is none."""
    arguments = [*standing.arguments, "--code", "mine"]
    print(f"pytest {' '.join(arguments)}\n", flush=True)
    command = [sys.executable, "-m", "pytest", *arguments, "--exitfirst"]
    return subprocess.run(command, cwd=ROOT).returncode == 0


def show_progress() -> Standing | None:
    """Show the progress and return the standing, if mine/ can be graded."""
    try:
        return progress.show()
    except Ungradable as ungradable:
        print(ungradable)
        return None
