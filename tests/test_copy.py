"""final/realtime works in a project that has never heard of this repository."""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.browsing import Browser
from tests.newest import newest_python
from tests.real_redis import running_redis
from tests.tutorial.readme import blocks

FINAL = Path(__file__).parent.parent / "final"

PEOPLE = """
from django.contrib.auth.models import Permission, User
User.objects.create_superuser("alice", password="demo")
bob = User.objects.create_user("bob")
bob.user_permissions.add(Permission.objects.get(codename="view_group"))
"""

TOKEN = """
from django.contrib.auth.models import User
from {app}.access import make_token
print(make_token(User.objects.get(username="bob")))
"""

PAGE = """
from django.contrib.auth.models import User
from django.template import RequestContext, Template
from django.test import RequestFactory
request = RequestFactory().get("/")
request.user = User.objects.get(username="bob")
print(Template("{% load realtime %}{% realtime %}").render(RequestContext(request)))
"""

SHARED = """
from django.conf import settings
print(f"SECRET_KEY = {settings.SECRET_KEY!r}")
print(f"DATABASES['default']['NAME'] = {str(settings.DATABASES['default']['NAME'])!r}")
"""

SLIM = """
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "realtime"]
MIDDLEWARE = []
TEMPLATES = []
ROOT_URLCONF = None
"""


class Project:
    """A brand-new Django project, outside the repository."""

    def __init__(self, python: Path, folder: Path, name: str, redis_url: str) -> None:
        self.python = python
        self.folder = folder
        self.settings = folder / name / "settings.py"
        self.environment = {
            "DJANGO_SETTINGS_MODULE": f"{name}.settings",
            "PATH": os.environ["PATH"],
            "PYTHONUNBUFFERED": "1",
            "REDIS_URL": redis_url,
        }
        folder.mkdir()
        startproject = [python, "-m", "django", "startproject", name, "."]
        subprocess.run(startproject, cwd=folder, check=True)

    def takes_app(self, name: str) -> None:
        """Copy final/realtime into the project, under the given name."""
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(FINAL / "realtime", self.folder / name, ignore=ignore)

    def takes_settings(self, text: str) -> None:
        """Add some lines at the end of the settings."""
        with self.settings.open("a") as file:
            file.write(f"\n{text}")

    def takes_pages(self, app: str) -> None:
        """Add the line of final/urls.py with the pages of the app."""
        [line] = re.findall(r".*realtime\.urls.*", (FINAL / "urls.py").read_text())
        with self.settings.with_name("urls.py").open("a") as file:
            line = line.replace("realtime.urls", f"{app}.urls")
            file.write(f"\nfrom django.urls import include\nurlpatterns += [{line}]\n")

    def runs(self, *args: str) -> str:
        """Run Python in the project; return what it prints."""
        return subprocess.run(
            [self.python, *args],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def executes(self, code: str) -> str:
        """Execute code as in a shell of Django; return what it prints."""
        return self.runs("-c", f"import django; django.setup()\n{code}").strip()

    @contextmanager
    def running(self, *args: str) -> Iterator[str]:
        """Run a server of the project; yield the URL that it prints first."""
        with subprocess.Popen(
            [self.python, *args],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as server:
            assert server.stdout is not None
            try:
                output = ""
                for line in server.stdout:
                    output += line
                    if url := re.search(r"(ws|http)://\S+/", line):
                        yield url[0]
                        break
                else:
                    pytest.fail(f"{args} printed no URL, but:\n{output}")
            finally:
                server.send_signal(signal.SIGINT)
                print(server.stdout.read())


def lines_to_paste(app: str = "realtime", *without: str) -> str:
    """
    Return the lines of final/settings.py, as a person adds them to another project.

    The imports from the settings of our site go, and so do the names that they give to
    what the project has under its own: INSTALLED_APPS. A project has a ROOT_URLCONF.

    """
    text = (FINAL / "settings.py").read_text()
    lines = text.splitlines()
    names = {"realtime": app}
    for node in reversed(ast.parse(text).body):
        match node:
            case ast.ImportFrom(module="django_site.settings", names=aliases):
                names |= {alias.asname: alias.name for alias in aliases if alias.asname}
            case ast.Assign(targets=[ast.Name(id=name)]) if name in {
                "ROOT_URLCONF",
                *without,
            }:
                pass
            case _:
                continue
        del lines[node.lineno - 1 : node.end_lineno]
    return re.sub(r"\w+", lambda word: names.get(word[0], word[0]), "\n".join(lines))


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """The URL of a real Redis server."""
    with running_redis() as url:
        yield url


@pytest.fixture(scope="module", params=["pinned", "newest"])
def python(request: pytest.FixtureRequest) -> Path:
    """The Python of an environment with the pinned, or the newest, Django."""
    return Path(sys.executable) if request.param == "pinned" else newest_python()


@pytest.fixture
def shop(python: Path, tmp_path: Path, redis_url: str) -> Project:
    """A new project."""
    return Project(python, tmp_path / "shop", "shop", redis_url)


@pytest.fixture
def slim(python: Path, tmp_path: Path, redis_url: str) -> Project:
    """Another new project, to run the server alone."""
    return Project(python, tmp_path / "slim", "slim", redis_url)


def alice_in_the_admin(site: str) -> Browser:
    """Return a browser in which Alice has logged in to the admin."""
    browser = Browser(site.rstrip("/"))
    login = {"username": "alice", "password": "demo"}
    assert "/admin/" == browser.submits("/admin/login/?next=/admin/", **login)
    return browser


def hears_of_a_group(token: str, socket_url: str, browser: Browser) -> None:
    """Expect an event, over a socket, about a group that is added in the admin."""
    with connect(socket_url, proxy=None) as websocket:
        websocket.send(token)
        assert "ready" == json.loads(websocket.recv(timeout=10))["type"]
        path = browser.submits("/admin/auth/group/add/", name="Editors")
        assert "/admin/auth/group/" == path
        event = json.loads(websocket.recv(timeout=10))
    assert ("group", "Editors", "alice", "Added.") == (
        event["model"],
        event["object"],
        event["user"],
        event["message"],
    )


@pytest.mark.parametrize("app", ["realtime", "live"])
def test_copy(shop: Project, app: str) -> None:
    """A new project takes the app, under its own name or another, and has events."""
    shop.takes_app(app)
    shop.takes_settings(lines_to_paste(app))
    shop.takes_pages(app)
    shop.runs("manage.py", "migrate", "--verbosity=0")
    shop.executes(PEOPLE)
    with (
        shop.running("manage.py", "runserver", "--noreload", "127.0.0.1:0") as site,
        shop.running("manage.py", "runrealtime", "--port", "0") as socket_url,
    ):
        alice = alice_in_the_admin(site)
        assert "You are <strong>alice</strong>" in alice.reads("/realtime/")
        hears_of_a_group(shop.executes(TOKEN.format(app=app)), socket_url, alice)
        page = shop.executes(PAGE)
        [script] = re.findall('src="(.+?)"', page)
        assert "new Connection" in alice.reads(script)
        assert "data-after=" in page  # from the bus, which is found by its default


@pytest.mark.parametrize("app", ["realtime", "live"])
def test_checks_and_tests(shop: Project, app: str) -> None:
    """A new project has nothing to complain of, and passes the tests of the README."""
    shop.takes_app(app)
    shop.takes_settings(lines_to_paste(app))
    shop.takes_pages(app)
    shop.runs("manage.py", "check", "--fail-level=INFO")
    [tests] = blocks("Test", "python")
    tests = tests.replace("from realtime.", f"from {app}.")
    (shop.folder / "tests.py").write_text(tests)
    shop.environment["REDIS_URL"] = "redis://localhost:1/0"  # where nobody listens
    names = re.findall(r"^class (\w+)", tests, re.MULTILINE)
    shop.runs("manage.py", "test", *(f"tests.{name}" for name in names))


def test_slim_project(shop: Project, slim: Project) -> None:
    """The server runs in a slim project, which shares the database and the key."""
    shop.takes_app("realtime")
    shop.takes_settings(lines_to_paste())
    shop.runs("manage.py", "migrate", "--verbosity=0")
    shop.executes(PEOPLE)
    slim.takes_app("realtime")
    slim.takes_settings(SLIM + shop.executes(SHARED))
    slim.takes_settings(lines_to_paste("realtime", "INSTALLED_APPS"))
    slim.runs("manage.py", "check", "--fail-level=INFO")
    with (
        shop.running("manage.py", "runserver", "--noreload", "127.0.0.1:0") as site,
        slim.running("manage.py", "runrealtime", "--port", "0") as socket_url,
    ):
        token = shop.executes(TOKEN.format(app="realtime"))
        hears_of_a_group(token, socket_url, alice_in_the_admin(site))


def test_missing_redis_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Redis, a test is skipped and says how to install it."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.skip.Exception, match="apt-get install redis-server"):
        with running_redis():
            pass
