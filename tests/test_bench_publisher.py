"""The publisher gives the servers what they are measured with."""

from pathlib import Path

from redis import Redis

from tests.bench import processes
from tests.bench.peers import all_peers
from tests.real_redis import running_redis


def test_patience(tmp_path: Path) -> None:
    """It waits for a Redis that takes longer than redis-py would wait."""
    (ours, *_others) = all_peers("final")
    with running_redis() as url, Redis.from_url(url) as redis:
        environment = ours.environment_with(
            f"{url}?socket_timeout=1", tmp_path / "db.sqlite3"
        )
        with processes.helping(
            "publisher", ["tests.bench.publisher", "stream"], environment
        ) as publisher:
            publisher.ask("prepare", users=1)
            redis.client_pause(1500, all=False)
            published = publisher.ask(
                "publish", first=0, count=1, rate=None, size=256, visible=True
            )
    assert published["wall"] > 1
