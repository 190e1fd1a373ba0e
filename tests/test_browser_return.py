"""What the page shows in a real browser when it comes back, or comes late."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from redis import Redis

from tests.live import Live, code_folders_with
from tests.test_browser import (
    Feed,
    LogIn,
    OpenFeed,
    browser,
    change,
    live,
    log_in,
    open_feed,
    system,
)

__all__ = ["browser", "change", "live", "log_in", "open_feed", "system"]  # the fixtures

GAP = "Events may be missing here."


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on all code folders that keep history, or on that of --code."""
    if "system" in metafunc.fixturenames:
        code = metafunc.config.option.code
        folders = [code] if code else code_folders_with("streams.py")
        metafunc.parametrize("system", folders, indirect=True, scope="module")


def start_again(live: Live, feed: Feed) -> None:
    """Start the server; let the page try at once, however long its wait is by now."""
    live.server.start()
    feed.page.evaluate("dispatchEvent(new Event('online'))")
    feed.is_live()


def test_server_killed(
    open_feed: OpenFeed, live: Live, change: Callable[..., None]
) -> None:
    """What happens while the server is gone is shown when it is back, and only then."""
    feed = open_feed("bob")
    change("book", "Emma", "In stock", "91")
    feed.shows("Emma")
    for number in ["92", "93"]:
        live.server.kill()
        feed.is_waiting()
        change("order", "Hannah Fischer", "Quantity", number)
        change("book", "Villette", "In stock", number)
        start_again(live, feed)
    feed.shows("Villette", "Villette", "Emma")
    address = re.compile(rf"ws://localhost:{live.port}/\?after=\d+-\d+")
    assert [] == [each.url for each in feed.sockets if not address.fullmatch(each.url)]


def test_page_comes_late(
    log_in: LogIn, live: Live, change: Callable[..., None]
) -> None:
    """What happens after the page was made is shown, though it connects later."""
    page = log_in("bob").new_page()
    feed = Feed(page, f"{live.url}/realtime/")
    change("book", "Emma", "In stock", "94")
    live.server.kill()
    page.goto(feed.address)
    feed.is_waiting()
    change("book", "Villette", "In stock", "94")
    start_again(live, feed)
    feed.shows("Villette")
    assert [] == feed.complaints


def test_gap(open_feed: OpenFeed, live: Live, change: Callable[..., None]) -> None:
    """When nobody knows what was missed, the page says so, once, where it is."""
    feed = open_feed("bob")
    change("book", "Emma", "In stock", "95")
    feed.shows("Emma")
    with Redis.from_url(live.site.environment["REDIS_URL"]) as redis:
        redis.delete("events")
    expect(feed.items.first).to_have_text(GAP)
    live.server.kill()
    feed.is_waiting()
    start_again(live, feed)
    change("book", "Villette", "In stock", "95")
    feed.shows("Villette", "Emma")
    expect(feed.items).to_have_count(3)
    expect(feed.items.nth(1)).to_have_text(GAP)
