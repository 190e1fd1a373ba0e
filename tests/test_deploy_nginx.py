"""final/deploy/nginx.conf: a real nginx in front of a real site and real servers."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from steps.ports import free_port
from tests.browsing import Browser
from tests.live import PASSWORD, ROOT, Live, Process, running
from tests.nginx import SITE, Nginx, adapted, running_nginx
from tests.tutorial.readme import blocks

HEARTBEAT = 0.2  # seconds, in the place of 20
IDLE = 1  # second, in the place of 60, until nginx closes a silent connection


class Deployment:
    """A site and two servers behind nginx."""

    def __init__(self, live: Live, second: Process, nginx: Nginx) -> None:
        self.live = live
        self.servers = [live.server, second]
        self.nginx = nginx
        self.browser = Browser(nginx.https, HTTPSHandler(context=nginx.context))
        form = {"username": "alice", "password": PASSWORD}
        assert "/admin/" == self.browser.submits("/admin/login/?next=/admin/", **form)

    def token(self) -> str:
        """Return a fresh token of Alice's."""
        return str(json.loads(self.browser.reads("/realtime/token/"))["token"])

    @contextmanager
    def connected(self) -> Iterator[ClientConnection]:
        """Connect from a page of Alice's, as long as the context lasts."""
        with self.connect(self.nginx.https) as websocket:
            websocket.send(self.token())
            assert "ready" == json.loads(websocket.recv(timeout=20))["type"]
            yield websocket

    def connect(self, origin: str | None) -> AbstractContextManager[ClientConnection]:
        return connect(
            self.nginx.wss,
            origin=origin,  # type: ignore[arg-type]
            ssl=self.nginx.context,
            proxy=None,
        )


def opener(nginx: Nginx) -> OpenerDirector:
    return build_opener(HTTPSHandler(context=nginx.context), ProxyHandler({}))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """final/ with the settings for production, behind nginx; its clocks run faster."""
    https = free_port()
    code = tmp_path_factory.mktemp("code") / "final"
    shutil.copytree(ROOT / "final", code)
    [production] = blocks("Deploy", "python")
    with (code / "settings.py").open("a") as settings:
        settings.write(on_this_machine(production, https))
    server = code / "realtime" / "server.py"
    changes = {r"^HEARTBEAT = 20\b": f"HEARTBEAT = {HEARTBEAT}"}
    server.write_text(adapted(server.read_text(), changes))
    folder = tmp_path_factory.mktemp("live")
    with running(str(code), folder) as live:
        second = another(live, folder)
        with running_nginx(
            tmp_path_factory.mktemp("nginx"),
            https,
            live.site.port,
            [live.port, second.port],
            {r"proxy_read_timeout \d+s;": f"proxy_read_timeout {IDLE}s;"},
        ) as nginx:
            try:
                second.start()
                yield Deployment(live, second, nginx)
            finally:
                second.kill()


def on_this_machine(settings: str, https: int) -> str:
    """Return the settings for production for a site on a port of this machine."""
    changes = {
        r'ALLOWED_HOSTS = \["example.com"\]': 'ALLOWED_HOSTS = ["localhost"]',
        r"//example.com": f"//localhost:{https}",
    }
    return adapted(settings, changes)


def another(live: Live, folder: Path) -> Process:
    """Return one more server like that of a running site, on a port of its own."""
    port, (*arguments, _port) = free_port(), live.server.arguments
    environment = live.server.environment
    return Process([*arguments, f"{port}"], environment, port, folder / "second.log")


def test_event(deployment: Deployment) -> None:
    """Alice logs in over HTTPS; her page hears over WSS what she does in the admin."""
    page = deployment.browser.reads("/realtime/")
    assert f'data-url="{deployment.nginx.wss}"' in page
    with deployment.connected() as websocket:
        path = "/admin/auth/group/add/"
        assert "/admin/auth/group/" == deployment.browser.submits(path, name="Editors")
        messages = iter(lambda: json.loads(websocket.recv(timeout=20)), None)
        event = next(each for each in messages if each["type"] == "event")
    assert ("group", "Editors") == (event["model"], event["object"])


def test_http(deployment: Deployment) -> None:
    """Who comes over HTTP is sent to HTTPS."""
    with pytest.raises(HTTPError) as info:
        refusing_to_follow().open(f"{deployment.nginx.http}/realtime/?next=1")
    info.value.close()
    assert 301 == info.value.code
    assert (
        f"{deployment.nginx.https}/realtime/?next=1" == info.value.headers["Location"]
    )


def test_other_origins(deployment: Deployment) -> None:
    """Pages of another site, and programs without one, are refused."""
    for origin in ["https://evil.example", deployment.nginx.http, None]:
        with pytest.raises(InvalidStatus) as info:
            deployment.connect(origin).__enter__()
        assert 403 == info.value.response.status_code


@pytest.mark.parametrize("path", ["healthz", "readyz", "metrics", "anything"])
@pytest.mark.parametrize("folder", ["/", "/live/"])
def test_other_paths(deployment: Deployment, folder: str, path: str) -> None:
    """The server is reached by its one path; its probes are for the machine alone."""
    with pytest.raises(HTTPError) as info:
        opener(deployment.nginx).open(f"{deployment.nginx.https}{folder}{path}")
    info.value.close()
    assert 404 == info.value.code  # from Django: a server would say 200, or 426


def test_silence(deployment: Deployment) -> None:
    """A connection on which nothing happens outlives nginx' patience: a heart beats."""
    with deployment.connected() as websocket:
        start = time.monotonic()
        while time.monotonic() < start + 2.5 * IDLE:
            assert "ping" == json.loads(websocket.recv(timeout=20))["type"]


def test_patience() -> None:
    """nginx waits for more than two heartbeats, as the files are."""
    [patience] = re.findall(r"proxy_read_timeout (\d+)s;", SITE.read_text())
    server = (ROOT / "final" / "realtime" / "server.py").read_text()
    [heartbeat] = re.findall(r"^HEARTBEAT = (\d+)", server, re.MULTILINE)
    assert int(patience) > 2 * int(heartbeat)


def test_dead_server(deployment: Deployment) -> None:
    """When a server dies, its clients know, and find the other one; then both serve."""
    try:
        with deployment.connected() as one, deployment.connected() as other:
            deployment.servers[0].kill()
            with deployment.connected():
                pass
            ended = [websocket for websocket in [one, other] if is_over(websocket)]
            assert 1 == len(ended)
    finally:
        deployment.servers[0].start()


def is_over(websocket: ClientConnection) -> bool:
    """Return whether a connection ends before its next heartbeats."""
    try:
        for _heartbeat in range(3):
            websocket.recv(timeout=20)
    except ConnectionClosed:
        return True
    return False


def test_forwarded(deployment: Deployment) -> None:
    """The site is told who asks, and how, and no client can lie about that."""
    heard: list[dict[str, str]] = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(dict(self.headers))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    deployment.live.site.kill()
    with HTTPServer(("127.0.0.1", deployment.live.site.port), Site) as site:
        thread = Thread(target=site.handle_request)
        thread.start()
        lies = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "http"}
        request = Request(deployment.nginx.https, headers=lies)
        opener(deployment.nginx).open(request)
        thread.join()
    deployment.live.site.start()
    [headers] = heard
    assert ("127.0.0.1", "https", deployment.nginx.https.removeprefix("https://")) == (
        headers["X-Forwarded-For"],
        headers["X-Forwarded-Proto"],
        headers["Host"],
    )


def test_log(deployment: Deployment) -> None:
    """Nothing in what nginx logs is a token."""
    token = deployment.token()
    with deployment.connect(deployment.nginx.https) as websocket:
        websocket.send(token)
        websocket.recv(timeout=20)
    logs = deployment.nginx.log.read_text()
    logs += deployment.nginx.log.with_name("access.log").read_text()
    assert "GET /live/" in logs
    assert token not in logs


class Stay(HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


def refusing_to_follow() -> OpenerDirector:
    return build_opener(ProxyHandler({}), Stay)


def test_unix_socket(deployment: Deployment, tmp_path: Path) -> None:
    """nginx reaches a server on a Unix socket, too."""
    path, live = tmp_path / "1.sock", deployment.live
    server = subprocess.Popen(
        [sys.executable, *live.server.arguments[:-2], "--unix", path],
        cwd=ROOT,
        env=live.server.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    upstream = {r"server 127.0.0.1:1;": f"server unix:{path};"}
    https, site = free_port(), live.site.port
    with server, running_nginx(tmp_path, https, site, [1], upstream) as nginx:
        assert server.stdout is not None
        assert f"{path}" in server.stdout.readline()
        try:
            origin = deployment.nginx.https  # as the settings name it
            with connect(
                nginx.wss,
                origin=Origin(origin),
                ssl=nginx.context,
                proxy=None,
            ) as websocket:
                websocket.send(deployment.token())
                assert "ready" == json.loads(websocket.recv(timeout=20))["type"]
        finally:
            server.terminate()
