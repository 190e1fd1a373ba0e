"""The page in a real browser, on a real site and a real server."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    WebSocket,
    expect,
    sync_playwright,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests import chromium, pages
from tests.live import Live, code_folders_with, running

expect.set_options(timeout=6_000)

SILENCE = 46_000  # milliseconds, after which a link is dead
WATCH = """
addEventListener("securitypolicyviolation", (violation) =>
  console.error(`violated: ${violation.violatedDirective} ${violation.blockedURI}`));
"""
UNLUCKY = "Math.random = () => 0.999;"  # each wait is as long as it may be
PAGE_GOES = "dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))"
PAGE_COMES_BACK = PAGE_GOES.replace("pagehide", "pageshow")
CONTRASTS = """() => {
  const channel = (value) =>
    value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = (colour) => {
    const [red, green, blue] = colour.match(/[0-9.]+/g).map((n) => channel(n / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const background = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? background(element.parentElement) : colour;
  };
  const hasText = (element) => element.checkVisibility() && [...element.childNodes]
    .some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  return [...document.body.querySelectorAll("*")].filter(hasText).map((element) => {
    const one = luminance(getComputedStyle(element).color);
    const other = luminance(background(element));
    const [dark, light] = [one, other].sort();
    return [element.textContent, (light + 0.05) / (dark + 0.05)];
  });
}"""
STRUCTURE = """
- banner:
  - heading "Live events" [level=1]
  - status: Live
  - paragraph:
    - text: You are
    - strong: bob
  - navigation "Site":
    - link "Admin"
- main:
  - heading "Newest first" [level=2]
  - log "Newest first":
    - list:
      - listitem:
        - heading "Emma" [level=3]
        - time: 03:04:05
        - paragraph: Changed Title.
        - paragraph: book, by alice
"""

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>" + "M" * 100
EVENT = {
    "type": "event",
    "model": "book",
    "object": "Emma",
    "message": "Changed Title.",
    "timestamp": "2026-01-02T03:04:05.678901+00:00",
    "user": "alice",
    "content_type_id": 1,
    "object_id": "1",
}

OpenFeed = Callable[..., "Feed"]
LogIn = Callable[..., BrowserContext]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test where the page is new and at the end, or on the code of --code."""
    if "system" in metafunc.fixturenames:
        code = metafunc.config.option.code
        first, *_, last = code_folders_with("client.js")
        folders = [code] if code else [first, last]
        metafunc.parametrize("system", folders, indirect=True, scope="module")


@pytest.fixture(scope="module")
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    """The site and the server of a code folder."""
    with running(request.param, tmp_path_factory.mktemp("live")) as system:
        yield system


@pytest.fixture
def live(system: Live) -> Live:
    """The site and the server, whatever the test before did to them."""
    system.server.start()
    return system


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that runs for all tests."""
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def log_in(browser: Browser, live: Live) -> Iterator[LogIn]:
    """A function that gives a user a browser of their own, where they are logged in."""
    contexts = []

    def log_in(username: str, **options: Any) -> BrowserContext:
        cookies = live.sessions.get(username)
        context = browser.new_context(storage_state=cookies, locale="en-GB", **options)
        contexts.append(context)
        if not cookies:
            page = context.new_page()
            pages.log_in(page, live.url, username)
            page.close()
            live.sessions[username] = context.storage_state()
        return context

    yield log_in
    for context in contexts:
        context.close()


class Feed:
    """The page, and what it asks of the site and of the server."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.state = page.get_by_role("status")
        self.items = page.get_by_role("log").get_by_role("listitem")
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.sockets: list[WebSocket] = []
        page.on("pageerror", lambda error: self.complaints.append(f"raised: {error}"))
        page.on("dialog", self.dismiss)
        page.on("console", lambda message: self.hear(message.text))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("websocket", self.see)

    def dismiss(self, dialog: Any) -> None:
        self.complaints.append(f"showed: {dialog.message}")
        dialog.dismiss()

    def see(self, socket: WebSocket) -> None:
        self.requests.append(socket.url)
        self.sockets.append(socket)

    def hear(self, text: str) -> None:
        if text.startswith("violated"):
            self.complaints.append(text)

    def requested(self, ending: str) -> int:
        """Return how many addresses had this ending, but for a query."""
        paths = [address.partition("?")[0] for address in self.requests]
        return sum(path.endswith(ending) for path in paths)

    def stop_the_clock(self) -> float:
        """Stop the page's clock a moment from now; return what it shows, in seconds."""
        moment: float = self.page.evaluate("Date.now() / 1000 + 1")
        self.page.clock.pause_at(moment)
        return moment

    def waits(self, seconds: int) -> None:
        """Expect the page to wait so long before the next try, by its stopped clock."""
        self.is_waiting()
        before = self.requested("/token/")
        self.page.clock.fast_forward(seconds * 1000 - 100)
        self.is_waiting()
        assert before == self.requested("/token/")
        with self.page.expect_request("**/token/"):
            self.page.clock.fast_forward(100)

    def is_connecting(self) -> None:
        expect(self.state).to_have_text("Connecting …")

    def is_live(self) -> None:
        expect(self.state).to_have_text("Live")

    def is_waiting(self) -> None:
        expect(self.state).to_have_text(re.compile(r"Next try at \d"))

    def is_refused(self) -> None:
        expect(self.state).to_have_text(re.compile("not allowed"))

    def shows(self, *objects: str) -> None:
        """Expect events about these objects, newest first, and no others."""
        expect(self.items.get_by_role("heading")).to_have_text([*objects])


@pytest.fixture
def open_feed(log_in: LogIn, live: Live) -> Iterator[OpenFeed]:
    """A function that opens the page for a user, and waits until it is live.

    In no test may the page violate its policy, raise an error, or show a dialog.
    """
    feeds = []

    def open_feed(username: str, *scripts: str, **options: Any) -> Feed:
        page = log_in(username, **options).new_page()
        feed = Feed(page, f"{live.url}/realtime/")
        feeds.append(feed)
        for script in [WATCH, *scripts]:
            page.add_init_script(script)
        page.clock.install()
        page.goto(feed.address)
        feed.is_live()
        return feed

    yield open_feed
    for feed in feeds:
        assert [] == feed.complaints


@pytest.fixture
def change(log_in: LogIn, live: Live) -> Callable[..., None]:
    """A function that changes something in the admin, as alice does."""
    admin = log_in("alice").new_page()

    def change(model: str, name: str, field: str, value: str) -> None:
        pages.change(admin, live.url, model, name, field, value)

    return change


@contextmanager
def stand_in(
    live: Live, behaviour: Callable[[ServerConnection], None]
) -> Iterator[None]:
    """Put a server of another behaviour in the place of the server."""
    live.server.kill()
    with serve(behaviour, "localhost", live.port) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()


def saying(*messages: dict[str, Any]) -> Callable[[ServerConnection], None]:
    """Return the behaviour of a server that says all this, and then nothing."""

    def behaviour(websocket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            websocket.recv()
            for message in [{"type": "ready"}, *messages]:
                websocket.send(json.dumps(message))
            websocket.recv()

    return behaviour


# What happens in the admin


def test_who_sees_what(open_feed: OpenFeed, change: Callable[..., None]) -> None:
    """While alice works in the admin, bob sees books, and carol sees orders."""
    bob, carol = open_feed("bob"), open_feed("carol")
    change("book", "Emma", "In stock", "77")
    bob.shows("Emma")
    change("order", "Hannah Fischer", "Quantity", "7")
    carol.shows("7 x Jane Eyre for Hannah Fischer")
    change("book", "Villette", "In stock", "78")
    bob.shows("Villette", "Emma")
    item = bob.items.first
    for text in ["book", "Changed In stock.", "alice"]:
        expect(item).to_contain_text(text)
    expect(bob.page.get_by_role("banner")).to_contain_text("You are bob.")


def test_text_is_text(open_feed: OpenFeed, change: Callable[..., None]) -> None:
    """An object that is named like a script is shown by its name."""
    feed = open_feed("alice")
    change("author", "Mary Shelley", "Name", HOSTILE[:100])
    feed.shows(HOSTILE[:100])
    assert 0 == feed.items.locator("script, img").count()
    change("author", "script", "Name", "Mary Shelley")
    feed.shows("Mary Shelley", HOSTILE[:100])


def test_everything_is_text(open_feed: OpenFeed, live: Live) -> None:
    """Whatever an event says is shown as it is, and does nothing."""
    feed = open_feed("bob")
    hostile = {key: HOSTILE for key in EVENT if key != "type"} | {"type": "event"}
    with stand_in(live, saying(hostile, EVENT)):
        feed.shows("Emma", HOSTILE)
        assert 0 == feed.items.locator("script, img").count()
        feed.page.close()


def test_deletion(open_feed: OpenFeed, live: Live) -> None:
    """An event without a message is a deletion, and the page says so."""
    feed = open_feed("bob")
    with stand_in(live, saying(EVENT | {"message": ""})):
        expect(feed.items).to_contain_text("Deleted.")
        feed.page.close()


def test_a_hundred_events(open_feed: OpenFeed, live: Live) -> None:
    """The page keeps the hundred newest events."""
    feed = open_feed("bob")
    events = [EVENT | {"object": f"Volume {number}"} for number in range(1, 106)]
    with stand_in(live, saying(*events)):
        feed.shows(*(f"Volume {number}" for number in range(105, 5, -1)))
        feed.page.close()


# The connection


def test_server_killed(
    open_feed: OpenFeed, live: Live, change: Callable[..., None]
) -> None:
    """When the server is gone, the page waits for it, and hears on from then."""
    feed = open_feed("bob")
    live.server.kill()
    feed.is_waiting()
    live.server.start()
    feed.is_live()
    change("book", "Emma", "In stock", "80")
    feed.shows("Emma")
    assert feed.requested("/token/") > 0


def test_session_over(open_feed: OpenFeed, live: Live) -> None:
    """When the session is over, the page says so, and asks for nothing any more."""
    feed = open_feed("dave")
    pages.log_out(feed.page.context.new_page(), live.url)
    del live.sessions["dave"]
    live.server.kill()
    live.server.start()
    feed.is_refused()
    assert 1 == feed.requested("/token/")
    feed.requests.clear()
    feed.page.clock.fast_forward("10:00")
    feed.page.evaluate("dispatchEvent(new Event('online'))")
    feed.page.wait_for_timeout(500)
    feed.is_refused()
    assert [] == feed.requests
    feed.page.get_by_role("link", name="Log in again").click()
    expect(feed.page.get_by_label("Username:")).to_be_visible()


def test_server_in_trouble(open_feed: OpenFeed, live: Live) -> None:
    """A server that closes every connection is not besieged."""
    feed = open_feed("bob")
    feed.requests.clear()
    with stand_in(live, lambda websocket: websocket.close()):
        with feed.page.expect_websocket():
            pass  # the first try
        feed.page.wait_for_timeout(2000)
        tries = feed.requested(f":{live.port}/")
        assert 1 <= tries <= 8
        assert tries <= feed.requested("/token/")
        feed.page.close()


def test_open_is_not_ready(open_feed: OpenFeed, live: Live) -> None:
    """Waits grow as long as no connection is ready, though each can be opened."""
    feed = open_feed("bob", UNLUCKY)
    feed.stop_the_clock()
    with stand_in(live, lambda websocket: websocket.close()):
        for seconds in [1, 2, 4, 8]:
            feed.waits(seconds)
        feed.page.close()


def test_dead_link(open_feed: OpenFeed, live: Live) -> None:
    """When nothing comes from the server, the page connects anew."""
    feed = open_feed("bob")
    live.server.freeze()
    feed.page.clock.fast_forward(SILENCE)
    feed.is_waiting()
    live.server.kill()
    live.server.start()
    feed.is_live()


def test_sleep(open_feed: OpenFeed, live: Live) -> None:
    """When the computer wakes up, the page doesn't trust a link that was silent."""
    feed = open_feed("bob")
    now = feed.stop_the_clock()
    live.server.freeze()
    feed.page.clock.set_system_time(now + SILENCE / 1000)  # which runs no timers
    feed.is_live()
    feed.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    feed.is_connecting()
    live.server.kill()


def test_backoff(open_feed: OpenFeed, live: Live) -> None:
    """Each wait may be twice the one before, up to a minute, until all is well."""
    feed = open_feed("bob", UNLUCKY)
    feed.stop_the_clock()
    live.server.kill()
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60]:
        feed.waits(seconds)
    live.server.start()
    feed.waits(60)
    feed.is_live()
    live.server.kill()
    feed.waits(1)


def test_online(open_feed: OpenFeed, live: Live) -> None:
    """When the network comes back, the page doesn't wait any longer."""
    feed = open_feed("bob")
    feed.stop_the_clock()
    live.server.kill()
    feed.is_waiting()
    live.server.start()
    feed.page.context.set_offline(True)
    feed.is_waiting()
    feed.page.context.set_offline(False)
    feed.is_live()


def test_page_goes(open_feed: OpenFeed) -> None:
    """A page that goes closes its connection; it connects anew if it comes back."""
    feed = open_feed("bob")
    feed.page.evaluate(PAGE_GOES)
    feed.sockets[-1].wait_for_event("close")
    feed.page.evaluate(PAGE_COMES_BACK)
    feed.is_live()
    assert [True, False] == [socket.is_closed() for socket in feed.sockets]
    feed.page.goto("about:blank")
    feed.page.go_back()
    feed.is_live()


# For everyone


def test_structure(open_feed: OpenFeed, live: Live) -> None:
    """A screen reader finds landmarks, headings, the state, a log and its list."""
    feed = open_feed("bob")
    with stand_in(live, saying(EVENT)):
        feed.shows("Emma")
        expect(feed.page.locator("body")).to_match_aria_snapshot(STRUCTURE)
        time = feed.items.locator("time")
        expect(time).to_have_attribute("datetime", EVENT["timestamp"])
        assert "en" == feed.page.locator("html").get_attribute("lang")
        feed.page.close()


def test_keyboard(open_feed: OpenFeed) -> None:
    """Whoever uses the keyboard gets everywhere, and sees where they are."""
    feed = open_feed("bob")
    feed.page.keyboard.press("Tab")
    admin = feed.page.get_by_role("link", name="Admin")
    expect(admin).to_be_focused()
    expect(admin).to_have_css("outline-style", "solid")
    feed.page.keyboard.press("Enter")
    expect(feed.page.get_by_text("Site administration")).to_be_visible()


@pytest.mark.parametrize("width", [320, 1280])
def test_width(open_feed: OpenFeed, live: Live, width: int) -> None:
    """The page fits on a phone and on a desk, whatever an event says."""
    feed = open_feed("bob", viewport={"width": width, "height": 640})
    with stand_in(live, saying(EVENT | {"object": HOSTILE, "message": HOSTILE})):
        feed.shows(HOSTILE)
        assert width == feed.page.evaluate("document.documentElement.scrollWidth")
    feed.is_waiting()
    assert width == feed.page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(open_feed: OpenFeed, live: Live, scheme: str) -> None:
    """All text stands out from its background, by light and by dark (WCAG 2, AA)."""
    feed = open_feed("bob", color_scheme=scheme, reduced_motion="reduce")
    with stand_in(live, saying(EVENT)):
        feed.shows("Emma")
        feed.page.evaluate("document.getElementById('login').hidden = false")
        for state in ["connecting", "live", "waiting", "refused"]:
            feed.state.evaluate(f"(element) => element.dataset.state = '{state}'")
            contrasts = feed.page.evaluate(CONTRASTS)
            assert len(contrasts) >= 10
            assert [] == [text for text, contrast in contrasts if contrast < 4.5]
        feed.page.close()


@pytest.mark.parametrize(
    ("motion", "animation"), [("no-preference", "arrive"), ("reduce", "none")]
)
def test_motion(open_feed: OpenFeed, live: Live, motion: str, animation: str) -> None:
    """Nothing moves for those who asked for that."""
    feed = open_feed("bob", reduced_motion=motion)
    with stand_in(live, saying(EVENT)):
        expect(feed.items).to_have_css("animation-name", animation)
        feed.page.close()


def test_no_javascript(log_in: LogIn, live: Live) -> None:
    """Without JavaScript, the page says what is missing."""
    log_in("bob")
    page = log_in("bob", java_script_enabled=False).new_page()
    page.goto(f"{live.url}/realtime/")
    expect(page.locator("noscript p")).to_be_visible()
