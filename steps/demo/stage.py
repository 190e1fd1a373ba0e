"""The site and the server, side by side. Import this when Django is set up."""

import asyncio
import os
import shlex
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from . import HungUp, at_step, bus, desktop, folder, screen, shop
from .auto import Scene, perform
from .options import Options
from .processes import GRACE, Child, first, running
from .shop import Person

WHAT_FOLLOWS = {
    "01": "The server greets bob.",
    "02": "The server greets bob. What alice does in the admin arrives on Redis:\n"
    "redis-cli -u {redis} subscribe events",
    "03": "From then on, bob hears of everything that alice does in the admin.",
    "04": "From then on, bob hears of what alice does in the admin, if he may see it.",
    "05": "Open the page as alice. Open it in a private window as bob, and in another\n"
    "browser as carol. Change something in the admin: who may see it does, at once.",
    "08": "Open the page as alice. Open it in a private window as bob, and in another\n"
    "browser as carol. Change something in the admin: who may see it does, at once.\n"
    "Then take bob's permission away there, or make carol inactive.",
}


async def show(
    options: Options, people: list[Person], database: Path, redis: str
) -> bool:
    """Run the site and the server until somebody stops them, or alice is done.

    Return True. Raise Problem if one of them ends by itself, or alice is not heard of
    as she should.
    """
    command = server_command(options.code, options.server_port)
    async with running("server", *command) as server:
        server_url = await server.says(r"Listening on (ws://\S+/)")
        os.environ["REALTIME_URL"] = server_url  # where the pages of the site connect
        async with running("site", *site_command(options.site_port)) as site:
            site_url = await site.says(r"server at (http://\S+/)")
            await site.says("(Quit)")  # with Ctrl-C; its greeting ends with that
            scene = Scene(site_url, server_url, redis, options.step)
            if options.auto:
                await play(site, server, perform(scene, people))
            else:
                welcome(options, scene, people, database)
                await first(
                    site.runs(screen.relay("site")),
                    server.runs(screen.relay("server")),
                )
    return True


async def play(
    site: Child, server: Child, performance: Coroutine[Any, Any, None]
) -> None:
    """Wait until alice is done; raise Problem if she or one of the two fails."""

    def run(child: Child) -> Coroutine[Any, Any, None]:
        return child.runs(child.words.append)

    try:
        await first(run(site), run(server), performance)
    except HungUp:
        # Who hangs up may be about to end, and then says why.
        await first(run(site), run(server), asyncio.sleep(GRACE))
        raise


def site_command(port: int) -> list[str]:
    return ["-m", "django", "runserver", "--noreload", f"localhost:{port}"]


def server_command(code: Path, port: int) -> list[str]:
    return ["-m", *folder.server(code), "--port", f"{port}"]


def welcome(
    options: Options, scene: Scene, people: list[Person], database: Path
) -> None:
    redis = bus.without_password(scene.redis)
    places = {
        "Site": f"{scene.site}admin/",
        "Server": scene.server,
        "Redis": redis,
        "Database": f"{folder.shown(database)} (only the demo uses it)",
    }
    rows = [(person.name, shop.PASSWORD, person.promise) for person in people]
    what_follows = at_step(scene.step, WHAT_FOLLOWS).format(redis=redis)
    if scene.step >= "05":
        page = f"{scene.site}realtime/"
        screen.welcomes({"Page": page} | places, rows)
        screen.says(f"\n{what_follows}")
        desktop.shows(page)
    else:
        python = folder.shown(Path(sys.executable))
        token = [python, "-m", "steps.demo", "--code", folder.shown(options.code)]
        if options.database:
            token.append(f"--database={options.database.absolute()}")
        screen.welcomes(places, rows)
        screen.listens(
            client=shlex.join([python, "-m", "websockets", scene.server]),
            token=shlex.join([*token, "--token", "bob"]),
        )
        screen.says(f"\n{what_follows}")
    screen.says("\nCtrl-C stops all.\n")
