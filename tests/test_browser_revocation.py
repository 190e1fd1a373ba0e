"""What becomes of the page in a real browser when its user's access is taken back."""

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import pages
from tests.live import PASSWORD, ROOT, Live, code_folders_with
from tests.test_browser import (
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

BOOKS = "Permission.objects.get(codename='view_book')"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test on all code folders that take access back, or on that of --code."""
    if "system" in metafunc.fixturenames:
        code = metafunc.config.option.code
        folders = [code] if code else code_folders_with("revocations.py")
        metafunc.parametrize("system", folders, indirect=True, scope="module")


def run_in_shell(live: Live, statement: str) -> None:
    """Run a statement in Django's shell, where all models are imported."""
    subprocess.run(
        [sys.executable, "-m", "django", "shell", "--verbosity", "0", "-c", statement],
        cwd=ROOT,
        env=live.site.environment,
        check=True,
    )


def tick(page: Page, live: Live, username: str, box: str, ticked: bool) -> None:
    """Tick a box of a user in the admin, or clear it."""
    page.goto(f"{live.url}/admin/auth/user/")
    page.get_by_role("link", name=username, exact=True).click()
    page.get_by_label(box, exact=True).set_checked(ticked)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def test_permission(
    open_feed: OpenFeed, live: Live, change: Callable[..., None]
) -> None:
    """While bob may not view books, his page stays live and shows none."""
    bob, carol = open_feed("bob"), open_feed("carol")
    run_in_shell(live, "User.objects.get(username='bob').user_permissions.clear()")
    change("book", "Emma", "In stock", "81")
    change("order", "Hannah Fischer", "Quantity", "8")
    carol.shows("8 x Jane Eyre for Hannah Fischer")
    bob.shows()
    run_in_shell(
        live, f"User.objects.get(username='bob').user_permissions.add({BOOKS})"
    )
    change("book", "Villette", "In stock", "82")
    bob.shows("Villette")
    assert [0, 1] == [bob.requested("/token/"), len(bob.sockets)]


def test_logout(
    browser: Browser, open_feed: OpenFeed, live: Live, change: Callable[..., None]
) -> None:
    """Who logs out elsewhere stays logged in here: the page comes back by itself."""
    feed = open_feed("bob")
    elsewhere = browser.new_context(locale="en-GB").new_page()
    pages.log_in(elsewhere, live.url, "bob")
    with feed.page.expect_request("**/token/"):
        pages.log_out(elsewhere, live.url)
    feed.is_live()
    change("book", "Emma", "In stock", "83")
    feed.shows("Emma")
    elsewhere.context.close()


def test_deactivated(open_feed: OpenFeed, log_in: LogIn, live: Live) -> None:
    """Who is deactivated in the admin is told so by their page, at once."""
    feed, admin = open_feed("dave"), log_in("alice").new_page()
    try:
        tick(admin, live, "dave", "Active", False)
        feed.is_refused()
        assert 1 == feed.requested("/token/")
    finally:
        tick(admin, live, "dave", "Active", True)


def test_password(browser: Browser, open_feed: OpenFeed, live: Live) -> None:
    """Who changes their password stays logged in there, and nowhere else."""
    feed = open_feed("carol")
    here = browser.new_context(locale="en-GB").new_page()
    pages.log_in(here, live.url, "carol")
    state = here.get_by_role("status")
    expect(state).to_have_text("Live")
    form = here.context.new_page()
    form.goto(f"{live.url}/admin/password_change/")
    form.get_by_label("Old password:").fill(PASSWORD)
    form.get_by_label("New password:").fill("battery staple")
    form.get_by_label("New password confirmation:").fill("battery staple")
    with here.expect_request("**/token/"):
        form.get_by_role("button", name=re.compile("Change my password")).click()
    expect(state).to_have_text("Live")
    feed.is_refused()
    here.context.close()
    del live.sessions["carol"]
    run_in_shell(live, CAROLS_PASSWORD)


CAROLS_PASSWORD = f"""
carol = User.objects.get(username="carol")
carol.set_password({PASSWORD!r})
carol.save()
"""
