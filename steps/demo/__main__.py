"""``python -m steps.demo`` runs the demo; ``--help`` says how."""

import asyncio
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from . import Problem, bus, folder, ports, screen
from .options import DATABASE, Options, from_command_line
from .processes import ENDINGS, until_stopped


def main() -> int:
    """Return the exit code: 0 if all is well, or else 1."""
    for number in ENDINGS:
        signal.signal(number, signal.default_int_handler)
    try:
        options = from_command_line()
        if options.token:
            print_token(options.token, options)
            return 0
        done = run(options)
    except KeyboardInterrupt:
        done = False
    except Problem as problem:
        screen.complains(str(problem))
        return 1
    if not done:
        screen.says("Stopped.")
    return 0 if done or not options.auto else 1


def print_token(username: str, options: Options) -> None:
    """Print a token of a user of the demo that runs in another terminal."""
    database = options.database or DATABASE
    if not database.exists():
        raise Problem(
            f"There is no database {folder.shown(database)} yet: "
            "run the demo first, and leave it running."
        )
    folder.use(options.code, database)
    from . import shop

    print(shop.person(username).token())


def run(options: Options) -> bool:
    """Run the demo; return False if somebody stops it."""
    with ExitStack() as stack:
        ports.check(options.site_port, "site", "runserver")
        ports.check(options.server_port, "server", "server")
        given = os.environ.get("REDIS_URL")
        os.environ["REDIS_URL"] = redis = stack.enter_context(bus.running(given))
        database = options.database or DATABASE
        if options.auto and not options.database:
            temporary = stack.enter_context(tempfile.TemporaryDirectory())
            database = Path(temporary) / "demo.sqlite3"
        folder.use(options.code, database)
        from . import shop, stage

        place = f"at {bus.without_password(redis)}" if given else "inside the demo"
        screen.says(f"Starting {folder.shown(options.code)}, with Redis {place} …")
        shop.prepare()
        show = stage.show(options, shop.people(), database, redis)
        return asyncio.run(until_stopped(show)) is True


sys.exit(main())
