"""The bus between the site and the server: a Redis server."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from fakeredis import TcpFakeServer
from redis import Redis, RedisError

from . import Problem

TIMEOUT = 3  # seconds; a Redis server that is there answers at once


@contextmanager
def running(url: str | None) -> Iterator[str]:
    """Yield the URL of the Redis server at ``url``, or of one inside the demo.

    Raise Problem if no Redis server answers at ``url``.
    """
    if url:
        check(url)
        yield url
        return
    server = TcpFakeServer(("127.0.0.1", 0))
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{server.server_address[1]}/0"
    finally:
        server.shutdown()
        server.server_close()


def check(url: str) -> None:
    timeouts = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT}
    try:
        with Redis.from_url(url, **timeouts) as redis:
            redis.ping()
    except (RedisError, ValueError) as error:
        raise Problem(
            f"No Redis server answers at REDIS_URL, {without_password(url)} ({error}). "
            "Start one with `redis-server`, or leave REDIS_URL out to use the one "
            "inside the demo."
        ) from error


def without_password(url: str) -> str:
    return re.sub(r"//.*@", "//", url)
