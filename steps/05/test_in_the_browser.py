"""In the browser: a page with a token, and a server that says when it is ready."""

from datetime import timedelta

import time_machine
from django.utils.html import escape

from steps.fixtures.tokens import get_token
from steps.grading import Unmet

PAGE = "/realtime/"
TOKEN = "/realtime/token/"


# What the server says


async def test_ready(join, change, alice, book):
    """Server says that it is ready, and then what happens."""
    client = await join(alice)
    await change(book)
    await client.hears_of(book, type="event")
    client.heard("ready", "event")


async def test_ready_in_time(connect, change, bob, book, slow_database):
    """Server is not ready before it knows what the user may see."""
    slow_database.holds = "content_type"
    client = await connect()
    await client.sends(get_token(bob), "a valid token, and the database is slow")
    await slow_database.is_asked()
    await client.hears_nothing_more()
    client.heard()
    slow_database.answers()
    await client.server.has_registered(1)
    await change(book)
    await client.hears_of(book)
    client.heard("ready", "event")


async def test_ready_for_nobody_else(connect, join, change, alice, book):
    """Server is ready for those whom it lets in, and for nobody else."""
    silent, refused = await connect(), await connect()
    await refused.sends("not a token")
    await refused.is_refused()
    client = await join(alice)
    await change(book)
    await client.hears_of(book)
    await silent.hears_nothing_more()
    client.heard("ready", "event")
    silent.heard()
    refused.heard()


async def test_heartbeat(start_server, connect, join, alice):
    """Server lets everyone who is registered hear its heartbeat."""
    server = await start_server(HEARTBEAT=0.01)
    silent, client = await connect(server), await join(alice, server)
    await client.hears_heartbeats(3)
    await silent.hears_nothing_more()
    silent.heard()


async def test_heart_rate(start_server, story):
    """Server is never silent for more than 20 seconds."""
    server = await start_server()
    if (came := server.module.HEARTBEAT) != 20:
        raise Unmet("a HEARTBEAT of 20 seconds", came, story)


# The page


def test_page(browser_of, is_valid, bob):
    """The page says who the user is, and has a token of theirs."""
    page = browser_of(bob).gets(PAGE)
    page.shows("bob")
    is_valid(page.data("token"), bob)


def test_addresses(browser_of, bob, settings):
    """The page knows where the server is, and where to get more tokens."""
    settings.REALTIME_URL = "wss://events.example.com/"
    page = browser_of(bob).gets(PAGE)
    page.has_data("url", "wss://events.example.com/")
    page.has_data("token-url", TOKEN)


def test_login(browser_of):
    """The page sends those who are not logged in to the login, and back."""
    page = browser_of(None).gets(PAGE, status=302)
    page.has_header("Location", f"/admin/login/?next={PAGE}")


def test_page_is_not_kept(browser_of, bob):
    """Browsers and proxies keep no copy of the page: it has a token in it."""
    browser_of(bob).gets(PAGE).has_header("Cache-Control", "no-store", "private")


def test_names_are_text(browser_of, bob):
    """A user's name is text in the page, whatever it looks like."""
    bob.username = '<img src=x onerror="alert(1)">'
    bob.save()
    page = browser_of(bob).gets(PAGE)
    page.shows(escape(bob.username))
    page.has_no_inline_code()


def test_policy(browser_of, bob, settings):
    """The page runs nothing, and connects to nothing, but what it needs."""
    settings.REALTIME_URL = "wss://events.example.com/"
    browser_of(bob).gets(PAGE).has_header(
        "Content-Security-Policy",
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self' wss://events.example.com/",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )


def test_no_inline_code(browser_of, bob):
    """The page keeps to its own policy: its scripts and styles are files."""
    browser_of(bob).gets(PAGE).has_no_inline_code()


def test_files(browser_of, bob):
    """The site has the files that the page loads."""
    browser_of(bob).gets(PAGE).has_its_files()


# More tokens


def test_fresh_token(browser_of, is_valid, bob):
    """Who has the page open for long gets a fresh token."""
    browser = browser_of(bob)
    browser.gets(PAGE)
    with time_machine.travel(timedelta(minutes=10)):
        is_valid(browser.gets(TOKEN).json("token"), bob)


def test_token_is_not_kept(browser_of, bob):
    """Browsers and proxies keep no copy of a token."""
    browser_of(bob).gets(TOKEN).has_header("Cache-Control", "no-store", "private")


def test_no_token_for_strangers(browser_of):
    """Who is not logged in gets no token, and is told so in JSON."""
    browser_of(None).gets(TOKEN, status=403).json("error")


def test_no_token_after_logout(browser_of, bob):
    """Who logs out gets no more tokens."""
    browser = browser_of(bob)
    browser.gets(TOKEN)
    browser.logs_out()
    browser.gets(TOKEN, status=403)


def test_no_token_for_other_sites(browser_of, bob):
    """Pages of other sites get no token, though the user is logged in here."""
    browser = browser_of(bob)
    browser.gets(TOKEN, **{"Sec-Fetch-Site": "same-origin"})
    browser.gets(TOKEN, status=403, **{"Sec-Fetch-Site": "cross-site"})


def test_no_token_for_neighbours(browser_of, bob):
    """Pages of other hosts of the same domain get no token either."""
    browser = browser_of(bob)
    browser.gets(TOKEN, **{"Sec-Fetch-Site": "same-origin"})
    browser.gets(TOKEN, status=403, **{"Sec-Fetch-Site": "same-site"}).json("error")


def test_token_stays_here(browser_of, bob):
    """No page of another site may read a token, or load it as if it were an image."""
    page = browser_of(bob).gets(TOKEN)
    page.has_header("Cross-Origin-Resource-Policy", "same-origin")
    page.has_no_header("Access-Control-Allow-Origin")


def test_tokens_are_read(browser_of, bob):
    """A token is there to be read: no other method makes sense."""
    browser_of(bob).gets(TOKEN, status=405, method="POST")
