"""The site and the server, side by side. Import this when Django is set up."""

import asyncio
import shlex
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from . import HungUp, at_step, bus, folder, screen, shop
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
}


async def show(
    options: Options, people: list[Person], database: Path, redis: str
) -> bool:
    """Run the site and the server until somebody stops them, or alice is done.

    Return True. Raise Problem if one of them ends by itself, or alice is not heard of
    as she should.
    """
    async with (
        running("site", *site_command(options.site_port)) as site,
        running("server", *server_command(options.code, options.server_port)) as server,
    ):
        site_url = await site.says(r"server at (http://\S+/)")
        await site.says("(Quit)")  # with Ctrl-C; it is the last line of its greeting
        server_url = await server.says(r"Listening on (ws://\S+/)")
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
    python = folder.shown(Path(sys.executable))
    token = [python, "-m", "steps.demo", "--code", folder.shown(options.code)]
    if options.database:
        token.append(f"--database={options.database.absolute()}")
    redis = bus.without_password(scene.redis)
    screen.welcomes(
        places={
            "Site": f"{scene.site}admin/",
            "Server": scene.server,
            "Redis": redis,
            "Database": f"{folder.shown(database)} (only the demo uses it)",
        },
        people=[(person.name, shop.PASSWORD, person.promise) for person in people],
        client=shlex.join([python, "-m", "websockets", scene.server]),
        token=shlex.join([*token, "--token", "bob"]),
        what_follows=at_step(scene.step, WHAT_FOLLOWS).format(redis=redis),
    )
