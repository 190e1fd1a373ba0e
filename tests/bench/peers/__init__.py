"""The peers: who does the same work, and how each is run as in production."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.bench.processes import ROOT, Trouble

HERE = Path(__file__).parent
NODE = HERE / "node"
SECRET_KEY = "only-for-the-benchmark-0123456789-abcdefghijklmnopqrstuvwxyz"
PATIENCE = 300  # seconds to install packages

LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}
SERVERS = {
    "uvicorn": ["uvicorn", "--host=127.0.0.1", "--port={port}", "--log-level=warning"],
    "daphne": ["daphne", "-b", "127.0.0.1", "-p", "{port}", "-v", "0"],
}


@dataclass(frozen=True)
class Peer:
    """A server, and how it is run and fed."""

    name: str
    title: str
    command: list[str]  # where {port} stands for the port
    publishes: str  # a kind of the publisher
    code: str = "steps/04"  # where the publisher finds its settings
    environment: dict[str, str] = field(default_factory=dict)
    greets: bool = True  # so its clients know when they are registered
    knows_users: bool = True  # so what it does for a connection can be compared
    prepare: Callable[[], None] = lambda: None  # raises Trouble if something is missing

    def environment_with(self, redis: str, database: Path) -> dict[str, str]:
        """Return the environment of the server, and of the publisher."""
        return (
            {
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("DJANGO_", "REALTIME_", "COV_"))
            }
            | {
                "DATABASE_URL": f"sqlite:///{database}",
                "DJANGO_DEBUG": "0",
                "DJANGO_SECRET_KEY": SECRET_KEY,
                "DJANGO_SETTINGS_MODULE": "settings",
                "PYTHONPATH": os.pathsep.join([str(ROOT / self.code), str(ROOT)]),
                "REDIS_URL": redis,
            }
            | self.environment
        )


def all_peers(code: str) -> list[Peer]:
    """Return this project, which is in a code folder, and all its peers.

    A machine has its moods: the closest are measured one after the other.
    """
    channels = [channels_peer(server, layer) for server in SERVERS for layer in LAYERS]
    return [
        code_peer("final", code),
        *unacquainted(),
        code_peer("how-to", "steps/04"),
        *channels,
    ]


def code_peer(name: str, code: str) -> Peer:
    """Return the server of a code folder."""
    is_command = (ROOT / code / "realtime" / "management").is_dir()  # from step 07 on
    has_stream = (ROOT / code / "realtime" / "streams.py").is_file()  # from step 09 on
    says_ready = (ROOT / code / "realtime" / "urls.py").is_file()  # from step 05 on
    module = (
        ["django", "runrealtime", "--host=127.0.0.1"] if is_command else ["realtime"]
    )
    return Peer(
        name=name,
        title=f"this project ({code})" if name == "final" else f"the how-to ({code})",
        command=[sys.executable, "-m", *module, "--port={port}"],
        publishes="stream" if has_stream else "pubsub",
        code=code,
        greets=says_ready,
    )


def channels_peer(server: str, layer: str) -> Peer:
    """Return Channels under a server, with a channel layer."""
    return Peer(
        name=f"channels-{server}-{layer}",
        title=f"Channels, {server}, {layer}",
        command=[
            *[sys.executable, "-m", *SERVERS[server]],
            "tests.bench.peers.channels_site.asgi:application",
        ],
        publishes="channels",
        environment={
            "DJANGO_SETTINGS_MODULE": "tests.bench.peers.channels_site.settings",
            "PYTHONPATH": str(ROOT),
            "CHANNEL_LAYER": LAYERS[layer],
        },
        prepare=lambda: require_packages("channels", "channels_redis", server),
    )


def unacquainted() -> list[Peer]:
    """Return the peers that know no users."""
    return [
        Peer(
            name="bare",
            title="the bare limit",
            command=[sys.executable, str(HERE / "bare.py"), "{port}"],
            publishes="pubsub",
            knows_users=False,
        ),
        Peer(
            name="node",
            title="Node, ws",
            command=["node", str(NODE / "server.js"), "{port}"],
            publishes="pubsub",
            knows_users=False,
            prepare=install_node_packages,
        ),
    ]


def require_packages(*names: str) -> None:
    """Raise Trouble if Python packages are missing."""
    for name in names:
        try:
            version(name)
        except PackageNotFoundError:
            raise Trouble(f"{name} is not installed: make bench installs it") from None


def install_node_packages() -> None:
    """Install what package-lock.json names, once; raise Trouble if it can't be done."""
    for program in ["node", "npm"]:
        if shutil.which(program) is None:
            raise Trouble(f"{program} is not installed: apt install nodejs npm")
    lock, installed = (
        NODE / "package-lock.json",
        NODE / "node_modules/.package-lock.json",
    )
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    try:
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"],
            cwd=NODE,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise Trouble(f"npm ci failed: {error.stderr[-300:].strip()}") from error
    except subprocess.TimeoutExpired as error:
        raise Trouble(f"npm ci took more than {PATIENCE} seconds") from error
