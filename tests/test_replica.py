"""A server listens to a replica of a real Redis, to whose primary Django writes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from tests.real_redis import running_redis

ROOT = Path(__file__).parent.parent
SCRIPT = """
import asyncio, json, os
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from realtime.access import make_token
from realtime.events import publish
from realtime.server import running
from websockets.asyncio.client import connect

alice = User.objects.create(username="alice", is_superuser=True)
token = make_token(alice)

async def main():
    async with running("127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/") as websocket:
            await websocket.send(token)
            ready = json.loads(await websocket.recv())
            await asyncio.to_thread(publish, alice, "Said to the primary.")
            event = json.loads(await websocket.recv())
    print(ready["type"], event["message"])

asyncio.run(main())
"""


@pytest.fixture
def replicated() -> Iterator[tuple[str, str]]:
    """The URLs of a Redis, and of its replica, which are both empty."""
    with ExitStack() as stack:
        primary = stack.enter_context(running_redis())
        replica = stack.enter_context(running_redis())
        host, port = primary.removeprefix("redis://").split(":")
        with Redis.from_url(replica) as redis:
            redis.replicaof(host, port)
        yield primary, replica


def test_replica(replicated: tuple[str, str], tmp_path: Path) -> None:
    """What Django writes to the primary, a server hears from the replica."""
    primary, replica = replicated
    (tmp_path / "replica.py").write_text(
        f"from settings import *\nREALTIME_LISTEN_URL = {replica + '/1'!r}\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "replica",
            "PYTHONPATH": os.pathsep.join([str(tmp_path), f"{ROOT}/final", str(ROOT)]),
            "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
            "REDIS_URL": f"{primary}/1",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "ready Said to the primary.\n" == process.stdout, process.stderr
