"""What the command line asks for."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from . import __doc__ as summary
from . import folder, ports

DATABASE = folder.ROOT / "django_site" / "demo.sqlite3"
EPILOG = f"""\
environment:
  REDIS_URL    a Redis server to use as the bus, such as redis://localhost:6379
               (default: one inside the demo)

examples:
  make demo                                run final/
  make demo CODE=steps/03                  run another code folder
  make demo CODE=mine STEP=03              run yours, which has reached step 03
  make demo REDIS_URL=redis://localhost    run on a real Redis server
  make demo SITE_PORT=8001                 run when port 8000 is taken
  make demo AUTO=1                         show what each user hears, and check it

The demo keeps its users and books in {folder.shown(DATABASE)}, which it shares
with nobody, and restores them when it starts. Delete the file to start afresh.
"""


@dataclass(frozen=True)
class Options:
    code: Path
    step: str
    auto: bool
    token: str | None
    site_port: int
    server_port: int
    database: Path | None


def from_command_line() -> Options:
    """Return what the command line asks for; raise Problem if it cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m steps.demo",
        description=summary,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--code",
        metavar="FOLDER",
        default="final",
        help="the code folder to run: mine, steps/03 … (default: final)",
    )
    parser.add_argument(
        "--step",
        choices=folder.STEPS,
        help="the step that the code has reached "
        "(default: the number of its folder, or else the last step)",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--auto",
        action="store_true",
        help="let alice work in the admin by herself, show what each user hears of "
        "it, and exit with 0 if that is right, or else with 1",
    )
    what.add_argument(
        "--token",
        metavar="USER",
        help="print a token for a user of the demo that runs in another terminal",
    )
    for name, usual in [("site", 8000), ("server", 8888)]:
        parser.add_argument(
            f"--{name}-port",
            metavar="PORT",
            type=ports.port,
            help=f"the port of the {name}, where 0 is any free one "
            f"(default: {usual}; with --auto: 0)",
        )
    parser.add_argument(
        "--database",
        metavar="FILE",
        type=Path,
        help="the SQLite file of the demo "
        f"(default: {folder.shown(DATABASE)}; with --auto: a temporary one)",
    )
    given = parser.parse_args()
    code = folder.find(given.code)
    site_port, server_port = (0, 0) if given.auto else (8000, 8888)
    return Options(
        code=code,
        step=given.step or folder.step_reached(code),
        auto=given.auto,
        token=given.token,
        site_port=site_port if given.site_port is None else given.site_port,
        server_port=server_port if given.server_port is None else given.server_port,
        database=given.database,
    )
