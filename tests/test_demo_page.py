"""The page of the demo, in a real browser, as the welcome says to use it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import chromium, pages
from tests.demo import Demo, running
from tests.live import PATIENCE

PASSWORD = "demo"
NOTED = """#!/bin/sh
echo "$1" > "{}"
"""


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """The file in which the browser of the reader notes what it is asked to open."""
    browser = tmp_path / "browser"
    browser.write_text(NOTED.format(tmp_path / "opened"))
    browser.chmod(0o755)
    return tmp_path / "opened"


@pytest.fixture
def demo(opened: Path, tmp_path: Path) -> Iterator[Demo]:
    """The demo on the desktop of a reader who has a browser."""
    desktop = {"DISPLAY": ":0", "BROWSER": f"{opened.parent}/browser %s"}
    with running(f"--database={tmp_path}/demo.sqlite3", **desktop) as demo:
        yield demo


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser in which several users can have pages."""
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        yield browser
        browser.close()


def page_of(username: str, browser: Browser, site: str) -> Page:
    """Return the page of a user who has logged in with a browser of their own."""
    page = browser.new_context().new_page()
    pages.log_in(page, site, username, PASSWORD)
    expect(page.get_by_role("status")).to_have_text("Live")
    return page


def test_page(demo: Demo, opened: Path, browser: Browser) -> None:
    """The browser opens on the page; three users see what they may, while they may."""
    address = demo.finds(r"Page +(http://localhost:\d+/realtime/)")
    assert f"{address}\n" == opened.read_text()
    site = address.removesuffix("/realtime/")
    alice, bob, carol = (
        page_of(name, browser, site) for name in ["alice", "bob", "carol"]
    )
    admin = alice.context.new_page()
    pages.change(admin, site, "order", "Hannah Fischer", "Quantity", "2")
    pages.change(admin, site, "book", "Emma", "Price", "7.99")
    for page, models in [
        (alice, ["book", "order"]),
        (bob, ["book"]),
        (carol, ["order"]),
    ]:
        seen = page.locator("#events [data-field=model]")
        expect(seen).to_have_text(models, timeout=PATIENCE * 1000)
    admin.goto(f"{site}/admin/auth/user/?q=carol")
    admin.locator("#result_list").get_by_role("link", name="carol").click()
    admin.get_by_label("Active").uncheck()
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(carol.get_by_role("status")).to_contain_text("not allowed")
    expect(bob.get_by_role("status")).to_have_text("Live")
