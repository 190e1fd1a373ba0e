"""A page of a project that contains ``{% realtime %}``, in a real browser."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.live import ROOT, Live, running
from tests.test_browser import WATCH, LogIn, browser, change, live, log_in

__all__ = ["browser", "change", "live", "log_in"]  # the fixtures

URLS = """
from django.conf import settings
from django.shortcuts import render

def page(request):
    response = render(request, "page.html")
    response["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self'; connect-src 'self' "
        + settings.REALTIME_URL
    )
    return response

urlpatterns.append(path("page/", page))
"""
PAGE = """{% load realtime static %}<!doctype html>
<title>A page of the project</title>
{% realtime %}
<script type="module" src="{% static 'page.js' %}"></script>
<ul></ul>
"""
SCRIPT = """
document.addEventListener("realtime:event", ({ detail }) => {
  const item = document.createElement("li");
  item.textContent = `${detail.object}: ${detail.message}`;
  document.querySelector("ul").append(item);
});
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A project with a page of its own, under a policy that allows no inline code."""
    code = tmp_path_factory.mktemp("project") / "final"
    shutil.copytree(ROOT / "final", code)
    with (code / "urls.py").open("a") as urls:
        urls.write(URLS)
    (code / "realtime/templates/page.html").write_text(PAGE)
    (code / "realtime/static/page.js").write_text(SCRIPT)
    with running(str(code), tmp_path_factory.mktemp("live")) as system:
        yield system


def test_page(log_in: LogIn, live: Live, change: Callable[..., None]) -> None:
    """Scripts of the page hear what happens; its token is the only one it needs."""
    page = log_in("bob").new_page()
    said: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(f"violated: {error}"))
    page.on("request", lambda request: requests.append(request.url))
    page.add_init_script(WATCH)
    page.goto(f"{live.url}/page/")
    expect(page.locator("html")).to_have_attribute("data-realtime", "live")
    change("book", "Emma", "In stock", "79")
    expect(page.get_by_role("listitem")).to_have_text("Emma: Changed In stock.")
    assert not [url for url in requests if "token" in url]
    live.server.kill()
    expect(page.locator("html")).to_have_attribute("data-realtime", "waiting")
    assert [] == [text for text in said if text.startswith("violated")]


def test_page_of_nobody(browser: Browser, live: Live) -> None:
    """Where nobody is logged in, the page connects to nothing."""
    page = browser.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{live.url}/page/")
    expect(page.locator("ul")).to_have_count(1)
    assert [f"{live.url}/page/", f"{live.url}/static/page.js"] == requests
    page.close()
