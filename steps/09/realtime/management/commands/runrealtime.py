"""``manage.py runrealtime`` runs the server until it is told to stop."""

import asyncio
import os
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...access import threads
from ...conf import conf
from ...server import running


class Command(BaseCommand):
    help = "Run the WebSocket server until Ctrl-C, or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="localhost", help="default: %(default)s")
        parser.add_argument(
            "--port", type=int, default=8888, help="0: a free one; default: %(default)s"
        )

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        try:
            asyncio.run(self.serve(host, port))
        except OSError as error:
            raise CommandError(f"Cannot listen on {host}:{port}: {error}") from error
        leave_at_once()

    async def serve(self, host: str, port: int) -> None:
        stop = asyncio.Event()
        for number in [signal.SIGINT, signal.SIGTERM]:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with running(host, port) as server:
            port = server.sockets[0].getsockname()[1]
            self.stdout.write(f"Listening on ws://{host}:{port}/ (Ctrl-C to stop)")
            self.stdout.flush()
            await stop.wait()


def leave_at_once() -> None:
    """Let no thread that waits for the database hold up the end of the process."""
    threads(conf().database_threads).shutdown(wait=False, cancel_futures=True)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(0.1)
            if thread.is_alive():
                os._exit(0)
