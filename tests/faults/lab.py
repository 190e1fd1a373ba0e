"""The laboratory: a code folder's site and servers, in processes, to be broken."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis import Redis

from steps.ports import free_port
from tests.live import PASSWORD, ROOT, Process

PATIENCE = 10  # seconds; what takes longer is not coming

# Everything is logged, and tokens live as long as a test does.
SETTINGS = """\
from settings import *

SESAME_MAX_AGE = 3600
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {"log": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "DEBUG", "handlers": ["log"]},
    "loggers": {"django.db": {"level": "DEBUG"}},
}
"""
USERS = 250
READERS = 100  # who see books, and nothing else
PEOPLE = f"""
import json
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from steps.fixtures.tokens import get_token

books = Permission.objects.get(codename="view_book")
desk = Group.objects.create(name="Book desk")
desk.permissions.add(books)
User.objects.create_superuser("alice", password={PASSWORD!r})
User.objects.create_user("bob", password={PASSWORD!r}).user_permissions.add(books)
User.objects.create_user("carol").groups.add(desk)
User.objects.create_user("dave")
User.objects.bulk_create(
    User(username=f"user{{number}}", is_superuser=True) for number in range({USERS})
)
User.objects.bulk_create(
    User(username=f"reader{{number}}") for number in range({READERS})
)
desk.user_set.add(*User.objects.filter(username__startswith="reader"))
print(json.dumps({{
    "tokens": {{user.username: get_token(user) for user in User.objects.all()}},
    "content_types": {{each.model: each.pk for each in ContentType.objects.all()}},
}}))
"""


class Broken(AssertionError):
    """A promise that the code does not keep: what was expected, and what came."""

    def __init__(self, expected: str, came: str) -> None:
        super().__init__(f"expected {expected}; came {came}")


class Server(Process):
    """A server of the code folder."""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def url(self) -> str:
        return f"ws://localhost:{self.port}/"

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def memory(self) -> int:
        """Return how many bytes of memory the process has of its own."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        private = re.findall(r"^(?:Private_\w+|Swap): +(\d+) kB$", rollup, re.M)
        return 1024 * sum(map(int, private))

    def descriptors(self) -> int:
        """Return how many files and sockets the process has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def may_open(self, number: int) -> None:
        """Limit the files and sockets that the process may have open."""
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (number, number))

    def says(self, words: str) -> int:
        """Return in how many lines of the log these words are."""
        return sum(words in line for line in self.log.read_text().splitlines())

    def terminates(self) -> int | str:
        """Send SIGTERM; return the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return f"nothing within {PATIENCE} seconds"


class Project:
    """A code folder with a database in which there are people, and their tokens."""

    def __init__(self, code: str, python: str, folder: Path, database: str) -> None:
        self.code = code
        self.python = python
        self.folder = folder
        self.database = database
        self.tokens: dict[str, str] = {}
        self.content_types: dict[str, int] = {}

    def environment(self, **variables: str) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "PYTEST_", "REDIS_"))
        }
        path = [str(self.folder), str(ROOT / self.code), str(ROOT)]
        return inherited | {
            "DATABASE_URL": self.database,
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": os.pathsep.join(path),
            **variables,
        }

    def runs(self, *arguments: str, **variables: str) -> str:
        """Run Python in the project; return what it prints."""
        process = subprocess.run(
            [self.python, *arguments],
            cwd=ROOT,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
        )
        if process.returncode:
            raise RuntimeError(process.stderr)
        return process.stdout.strip()

    def executes(self, code: str, **variables: str) -> str:
        """Execute code as in a shell of Django; return what it prints."""
        return self.runs("-c", f"import django; django.setup()\n{code}", **variables)

    def settle(self) -> None:
        """Make the tables, and the people."""
        self.runs("-m", "django", "migrate", "--verbosity=0")
        people = json.loads(self.executes(PEOPLE))
        self.tokens, self.content_types = people["tokens"], people["content_types"]

    def copied(self, folder: Path) -> "Project":
        """Return a copy of a project whose database is an SQLite file."""
        shutil.copy(self.folder / "db.sqlite3", folder)
        copy = Project(self.code, self.python, folder, sqlite(folder))
        copy.tokens, copy.content_types = self.tokens, self.content_types
        return copy


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder}/db.sqlite3"


class Lab:
    """A project, and its processes on a Redis server."""

    def __init__(self, project: Project, redis: str) -> None:
        self.project = project
        self.redis = f"{redis}/0"
        self.processes: list[Process] = []
        self.issued: set[str] = set()
        app = ROOT / project.code / "realtime"
        self.greets = (app / "views.py").exists()  # from step 05 on
        self.has_stream = (app / "streams.py").exists()  # from step 09 on

    def token(self, user: str) -> str:
        """Return a token of a user, which must be in no log from now on."""
        token = self.project.tokens[user]
        self.issued.add(token)
        return token

    def process(
        self,
        kind: type[Process],
        arguments: list[str],
        port: int,
        settings: dict[str, object],
        **variables: str,
    ) -> Process:
        """Start a process of the project with some settings more."""
        name = f"lab_{len(self.processes)}"
        lines = [f"{name} = {value!r}\n" for name, value in settings.items()]
        folder = self.project.folder
        (folder / f"{name}.py").write_text(SETTINGS + "".join(lines))
        environment = self.project.environment(
            **{"REDIS_URL": self.redis, "DJANGO_SETTINGS_MODULE": name} | variables
        )
        process = kind(arguments, environment, port, folder / f"{name}.log")
        process.python = self.project.python
        self.processes.append(process)
        process.start()
        return process

    def serves(self, port: int | None = None, **settings: object) -> Server:
        """Start a server. ``REDIS_URL``, or another URL, names another way to go."""
        port = port or free_port()
        is_command = (ROOT / self.project.code / "realtime/management").is_dir()
        module = ["django", "runrealtime"] if is_command else ["realtime"]  # step 07
        ways = {name for name in settings if name in ("REDIS_URL", "DATABASE_URL")}
        url = {name: str(settings.pop(name)) for name in ways}
        arguments = ["-m", *module, "--port", f"{port}"]
        server = self.process(Server, arguments, port, settings, **url)
        assert isinstance(server, Server)
        return server

    def opens_site(self, **settings: object) -> str:
        """Start the site; return its URL."""
        port = free_port()
        address = f"localhost:{port}"
        arguments = ["-m", "django", "runserver", "--noreload", address]
        url = {key: str(settings.pop(key)) for key in ["REDIS_URL"] if key in settings}
        self.process(Process, arguments, port, settings, **url)
        return f"http://{address}"

    def executes(self, code: str) -> str:
        """Execute code in the project, as a worker or a shell does."""
        return self.project.executes(code, REDIS_URL=self.redis)

    def closes(self) -> None:
        """End all processes."""
        for process in self.processes:
            process.kill()

    def leaks(self) -> Iterator[str]:
        """Yield the logs that tell a token, or the end of one."""
        for process in self.processes:
            text = process.log.read_text()
            if any(token[-16:] in text for token in self.issued):
                yield process.log.name

    def event(self, name: str, model: str = "book", **changes: Any) -> dict[str, Any]:
        """Return an event about a thing, as it is published."""
        return {
            "model": model,
            "object": name,
            "message": "Changed.",
            "timestamp": "2026-01-01T12:00:00+00:00",
            "user": "alice",
            "content_type_id": self.project.content_types[model],
            "object_id": "1",
        } | changes

    def publishes(self, *messages: dict[str, Any] | bytes) -> None:
        """Publish events, or what is none, as Redis' clients do."""
        with Redis.from_url(self.redis) as redis, redis.pipeline(False) as pipeline:
            for message in messages:
                is_event = isinstance(message, dict)
                data = json.dumps(message) if is_event else message
                if self.has_stream:
                    pipeline.xadd("events", {"event": data})
                else:
                    pipeline.publish("events", data)
            pipeline.execute()
