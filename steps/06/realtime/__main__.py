"""``python -m realtime`` runs the server until Ctrl-C."""

import argparse
import asyncio
import contextlib

import django

django.setup()  # before anything that needs the settings or the models

from .server import running  # noqa: E402


async def main(port: int) -> None:
    async with running(port=port) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"Listening on ws://localhost:{port}/ (Ctrl-C to stop)", flush=True)
        await server.serve_forever()


parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=__doc__)
parser.add_argument("--port", type=int, default=8888, help="default: %(default)s")
with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main(parser.parse_args().port))
