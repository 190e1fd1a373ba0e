"""``manage.py runrealtime`` runs the server until it is told to stop."""

import asyncio
import gc
import os
import signal
import socket
import threading
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...access import threads
from ...conf import conf
from ...server import running

LOOK_AFTER = 50_000  # new objects, until the garbage collector looks at them


class Command(BaseCommand):
    help = "Run the WebSocket server until Ctrl-C, or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="localhost", help="default: %(default)s")
        parser.add_argument(
            "--port", type=int, default=8888, help="0: a free one; default: %(default)s"
        )
        parser.add_argument(
            "--reuse-port",
            action="store_true",
            help="share the port: run this as often as the machine has cores",
        )
        parser.add_argument(
            "--unix",
            metavar="PATH",
            help="listen on a Unix socket instead, for its owner and group",
        )

    def handle(self, **options: Any) -> None:
        gc.freeze()  # what is there now will stay
        gc.set_threshold(LOOK_AFTER)
        try:
            asyncio.run(self.serve(**options))
        except OSError as error:
            place = options["unix"] or f"{options['host']}:{options['port']}"
            raise CommandError(f"Cannot listen on {place}: {error}") from error
        leave_at_once()

    async def serve(
        self, host: str, port: int, reuse_port: bool, unix: str | None, **options: Any
    ) -> None:
        stop = asyncio.Event()
        for number in [signal.SIGINT, signal.SIGTERM]:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        if unix is not None:
            refuse_to_replace(unix)
        async with running(host, port, reuse_port=reuse_port, unix=unix) as server:
            if unix is None:
                port = server.sockets[0].getsockname()[1]
                place = f"ws://{host}:{port}/"
            else:
                os.chmod(unix, 0o660)
                place = f"unix:{unix}"
            self.stdout.write(f"Listening on {place} (Ctrl-C to stop)")
            self.stdout.flush()
            await stop.wait()


def refuse_to_replace(path: str) -> None:
    """Raise OSError if a server listens there. A socket that was left behind is none.

    asyncio removes either of them.
    """
    with socket.socket(socket.AF_UNIX) as client:
        with suppress(FileNotFoundError, ConnectionRefusedError):
            client.connect(path)
            raise OSError("another server listens there")


def leave_at_once() -> None:
    """Let no thread that waits for the database hold up the end of the process."""
    threads(conf().database_threads).shutdown(wait=False, cancel_futures=True)
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join(0.1)
            if thread.is_alive():
                os._exit(0)
