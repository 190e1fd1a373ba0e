"""Ready to copy: the app tells what a project lacks, and is used in one line of it."""

import asyncio
import re
from contextlib import suppress
from datetime import timedelta
from types import ModuleType

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core import checks
from django.db import transaction
from django.http import HttpResponse
from django.template import Context, Template, engines
from django.template.backends.django import get_installed_libraries
from django.urls import include, path

from django_site.bookshop.models import Author
from steps.fixtures.blame import expecting
from steps.fixtures.pages import Page
from steps.grading import PATIENCE, Unmet

TAG = "realtime"  # manage.py check --tag realtime


# What `manage.py check` tells


class SystemChecks:
    """What Django's system checks tell of the app."""

    def __init__(self, settings, story):
        self.settings = settings
        self.story = story

    def given(self, **values):
        """Change settings; one that is to be left out is ``...``."""
        for name, value in values.items():
            if value is ...:
                self.story.append(f"{name} was left out of the settings")
                delattr(self.settings, name)
            else:
                self.story.append(f"{name} was set to {value!r}")
                setattr(self.settings, name, value)

    def tell(self, *expected, deploy=False):
        """Expect messages with these ids, and no others."""
        self.story.append(f"somebody ran manage.py check{' --deploy' * deploy}")
        if TAG not in checks.registry.registry.tags_available(deploy):
            raise Unmet(f"system checks with the tag {TAG!r}", "none", self.story)
        came = checks.run_checks(tags=[TAG], include_deployment_checks=deploy)
        ids = sorted(message.id for message in came)
        if ids != sorted(f"realtime.{number}" for number in expected):
            raise Unmet(f"the messages {[*expected]}", f"{ids}", self.story)
        for message in came:
            if not message.msg or not message.hint:
                raise Unmet("words and a hint", f"none with {message.id}", self.story)
        self.words = " ".join(f"{message.msg} {message.hint}" for message in came)

    def say(self, words):
        """Expect some words in what they have just told."""
        if words not in self.words:
            raise Unmet(f"{words!r} in the message", f"{self.words!r}", self.story)

    def hide(self, password):
        """Expect a password not to be in what they have just told."""
        if password in self.words:
            raise Unmet("a message without the password", self.words, self.story)


@pytest.fixture
def system_checks(settings, story):
    """What ``manage.py check`` tells of the app, with the settings of the code."""
    return SystemChecks(settings, story)


def test_good_settings(system_checks):
    """The settings of the code need no message."""
    system_checks.tell()


def test_good_settings_for_production(system_checks):
    """A site that is served over HTTPS, and names its origins, needs no message."""
    system_checks.given(
        REALTIME_URL="wss://example.com/live/",
        REALTIME_ORIGINS=["https://example.com", re.compile("https://[a-z]+[.]test")],
        SECURE_SSL_REDIRECT=True,
    )
    system_checks.tell(deploy=True)


def test_unknown_setting(system_checks):
    """A setting whose name is misspelt would be ignored: the right one is told."""
    system_checks.given(REALTIME_ORIGIN=["https://example.com"])
    system_checks.tell("E001")
    system_checks.say("no setting REALTIME_ORIGIN. Did you mean REALTIME_ORIGINS?")


def test_setting_of_another_app(system_checks):
    """A setting that resembles none of ours is told, too, and none is proposed."""
    system_checks.given(REALTIME_XYZZY=1)
    system_checks.tell("E001")
    system_checks.say("no setting REALTIME_XYZZY. Leave it out.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REALTIME_MAX_PER_USER", "20"),
        ("REALTIME_MAX_PER_USER", 2.5),
        ("REALTIME_MAX_PER_USER", True),
        ("REALTIME_TOKEN_TIMEOUT", timedelta(seconds=10)),
        ("REALTIME_CHANNEL", b"events"),
        ("REALTIME_CHANNEL", None),
    ],
)
def test_wrong_type(system_checks, name, value):
    """A value of the wrong type is told, and which type is right."""
    system_checks.given(**{name: value})
    system_checks.tell("E002")
    kind = type(value).__name__
    system_checks.say(f"{name} is a {kind}. It has to be of the type ")


@pytest.mark.parametrize("value", [0, -1])
def test_not_positive(system_checks, value):
    """A number that isn't above zero is told."""
    system_checks.given(REALTIME_CHECK_PERIOD=value, REALTIME_MAX_STRANGERS=value)
    system_checks.tell("E003", "E003")
    for name in ["REALTIME_CHECK_PERIOD", "REALTIME_MAX_STRANGERS"]:
        system_checks.say(f"{name} is {value}. It has to be greater than 0.")


def test_whole_number_of_seconds(system_checks):
    """A time may be a whole number, or a fraction."""
    system_checks.given(REALTIME_PING_TIMEOUT=3, REALTIME_LONGEST_WAIT=0.5)
    system_checks.tell()


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "example.com:8888", "/live/", "ws://", "ws://a.test/#b"],
)
def test_address(system_checks, url):
    """Browsers must be able to connect to the address of the server."""
    system_checks.given(REALTIME_URL=url)
    system_checks.tell("E004")
    system_checks.say("REALTIME_URL is no address of a WebSocket server. It has to ")


@pytest.mark.parametrize(
    "origins",
    [
        "https://example.com",
        ["example.com"],
        ["https://example.com/"],
        ["https://Example.com"],
        [b"https://example.com"],
        {"https://example.com": True},
    ],
)
def test_origins(system_checks, origins):
    """An origin that no browser sends is told."""
    system_checks.given(REALTIME_ORIGINS=origins)
    system_checks.tell("E005")
    system_checks.say(f"REALTIME_ORIGINS is {origins!r}. It has to be a list")
    system_checks.say("a scheme and a host in small letters")


def test_origins_of_programs(system_checks):
    """None among the origins lets those in who have no page, and is no mistake."""
    system_checks.given(REALTIME_ORIGINS=("http://localhost:8000", None))
    system_checks.tell()


def test_no_such_cache(system_checks):
    """A cache that there is not is told."""
    system_checks.given(REALTIME_CACHE="evnets")
    system_checks.tell("E006")
    system_checks.say("'evnets'")
    system_checks.say(". Name one of CACHES.")


def test_cache_that_cannot_be_imported(system_checks, settings):
    """A backend that there is not is told."""
    cache = settings.CACHES["default"] | {"BACKEND": "django_redis.RedisCache"}
    system_checks.given(CACHES={"default": cache})
    system_checks.tell("E006")


@pytest.mark.parametrize(
    "backend", ["locmem.LocMemCache", "redis.RedisCache", "dummy.DummyCache"]
)
def test_wrong_cache(system_checks, backend):
    """A cache that is not django-redis' is told, Django's own for Redis included."""
    backend = f"django.core.cache.backends.{backend}"
    cache = {"BACKEND": backend, "LOCATION": "redis://localhost:6379/1"}
    system_checks.given(CACHES={"default": cache})
    system_checks.tell("E007")
    kind = backend.rpartition(".")[2]
    system_checks.say(f"The cache 'default' is a {kind}. Let its BACKEND be ")


@pytest.mark.parametrize(
    "location",
    ["localhost:6379", "redis://:secret@localhost:64o9/1", ["redis://a", "redis://b"]],
)
def test_wrong_location(system_checks, settings, location):
    """An address of Redis that isn't one is told, and not repeated: it has secrets."""
    cache = settings.CACHES["default"] | {"LOCATION": location}
    system_checks.given(CACHES={"default": cache})
    system_checks.tell("E008")
    system_checks.hide("secret")


def test_password_beside_the_location(system_checks, settings):
    """A password that the server would not find is told, and not repeated."""
    cache = settings.CACHES["default"]
    options = cache["OPTIONS"] | {"PASSWORD": "secret"}
    system_checks.given(CACHES={"default": cache | {"OPTIONS": options}})
    system_checks.tell("E008")
    system_checks.hide("secret")


def test_wrong_listen_url(system_checks):
    """The address of another Redis for the servers has to be one."""
    system_checks.given(REALTIME_LISTEN_URL="replica:6379")
    system_checks.tell("E008")
    system_checks.say("as Django does ('default'). LOCATION, or REALTIME_LISTEN_URL, ")
    system_checks.say("with the password in it")


def test_listen_url(system_checks, settings):
    """Servers that listen elsewhere need not find what only Django knows."""
    cache = settings.CACHES["default"]
    options = cache["OPTIONS"] | {"PASSWORD": "secret"}
    system_checks.given(
        CACHES={"default": cache | {"OPTIONS": options}},
        REALTIME_LISTEN_URL="redis://:secret@replica:6379/1",
    )
    system_checks.tell()


@pytest.mark.parametrize("name", ["SOCKET_TIMEOUT", "SOCKET_CONNECT_TIMEOUT"])
def test_no_timeout(system_checks, settings, name):
    """Without a timeout, a Redis that hangs holds requests up: that is told."""
    cache = {**settings.CACHES["default"]}
    options = {key: value for key, value in cache["OPTIONS"].items() if key != name}
    system_checks.given(CACHES={"default": cache | {"OPTIONS": options}})
    system_checks.tell("W001")
    system_checks.say(f"The cache 'default' has no {name}. A Redis that hangs would ")
    del cache["OPTIONS"]
    system_checks.given(CACHES={"default": cache})
    system_checks.tell("W001")
    system_checks.say("has no SOCKET_CONNECT_TIMEOUT and no SOCKET_TIMEOUT.")


@pytest.mark.parametrize("bus", ["realtime.NoBus", "nowhere.Bus", "realtime.conf.Conf"])
def test_wrong_bus(system_checks, bus):
    """A bus that cannot be imported, or is none, is told."""
    system_checks.given(REALTIME_BUS=bus)
    system_checks.tell("E011")
    system_checks.say(f"REALTIME_BUS is {bus!r}. It has to be the dotted path ")


def test_bus_without_redis(system_checks):
    """A bus of another kind needs no cache of django-redis."""
    system_checks.given(
        REALTIME_BUS="realtime.testing.MemoryBus",
        CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
    )
    system_checks.tell()


def test_tokens_for_ever(system_checks):
    """Tokens that never expire are told."""
    system_checks.given(SESAME_MAX_AGE=None)  # as if it were left out
    system_checks.tell("E009")
    system_checks.say("Tokens are valid for ever. Set SESAME_MAX_AGE = 30")


def test_old_tokens(system_checks):
    """The old format of tokens, which knows no scopes, is told."""
    both = ["sesame.tokens_v2", "sesame.tokens_v1"]  # as if it were left out
    system_checks.given(SESAME_TOKENS=both)
    system_checks.tell("E010")
    system_checks.say("which knows no scopes. Set SESAME_TOKENS = ")


@pytest.mark.parametrize(
    "secure", ["SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"]
)
def test_plain_address_of_a_secure_site(system_checks, secure):
    """A page that came over HTTPS may not open ws://: that is told."""
    system_checks.given(**{secure: True})
    system_checks.tell("W002")
    system_checks.say("REALTIME_URL begins with ws://. Browsers refuse that: ")


def test_any_origin(system_checks):
    """In production, a server that answers the pages of all sites is told."""
    system_checks.given(REALTIME_URL="wss://example.com/")
    system_checks.tell("W003", deploy=True)
    system_checks.say("lets pages of all sites connect. Set REALTIME_ORIGINS")
    system_checks.tell()


def test_users_without_permissions(system_checks, monkeypatch):
    """A model of users that knows no permissions is told: nobody would see anything."""
    from django.contrib.auth.base_user import AbstractBaseUser

    from realtime import system_checks as module

    monkeypatch.setattr(module, "get_user_model", lambda: AbstractBaseUser)
    system_checks.tell("W004")
    system_checks.say("nobody may see any event. Let the model of users inherit ")


def test_pages_left_out(system_checks):
    """A project without the pages of the app is told: no page gets a token."""
    system_checks.given(ROOT_URLCONF="django_site.urls")
    system_checks.tell("W005")
    system_checks.say('No page can get a token. Add path("realtime/", include(')


def test_no_admin(system_checks, settings):
    """A project without the admin is told what becomes an event there."""
    system_checks.given(**without_admin(settings))
    system_checks.tell("I001")
    system_checks.say("nothing becomes an event by itself. Call publish() of ")


def without_admin(settings):
    """Return the settings of a project that has the pages of the app, and no admin."""
    apps = [app for app in settings.INSTALLED_APPS if app != "django.contrib.admin"]
    urls = ModuleType("urls")
    urls.urlpatterns = [path("realtime/", include("realtime.urls"))]
    return {"INSTALLED_APPS": apps, "ROOT_URLCONF": urls}


def test_page_without_admin(browser_of, bob, settings):
    """The page of the app needs no admin: without one, it has no link to it."""
    for name, value in without_admin(settings).items():
        setattr(settings, name, value)
    browser_of(bob).gets("/realtime/").shows("bob")


@pytest.mark.parametrize("urls", [..., None])
def test_server_alone(system_checks, settings, urls):
    """A project that has no pages, and only runs the server, needs none of that."""
    apps = [app for app in settings.INSTALLED_APPS if app != "django.contrib.admin"]
    system_checks.given(INSTALLED_APPS=apps, ROOT_URLCONF=urls)
    system_checks.tell()


# `{% realtime %}` in a template


@pytest.fixture
def page_of(rf, story):
    """A function that renders the tag in the page of a user, or of nobody."""

    def page_of(user, /, **context):
        if "realtime" not in get_installed_libraries():
            raise Unmet("a library of template tags called realtime", "none", story)
        request = rf.get("/")
        request.user = user or AnonymousUser()
        story.append(f"a page of {user} contained {{% realtime %}}")
        template = engines["django"].from_string("{% load realtime %}{% realtime %}")
        return Page(HttpResponse(template.render(context, request)), story)

    return page_of


def test_tag(page_of, is_valid, bob, settings):
    """The tag gives a page of the project a token, the addresses, and the client."""
    settings.REALTIME_URL = "wss://example.com/live/"
    page = page_of(bob)
    is_valid(page.data("token"), bob)
    page.has_data("url", "wss://example.com/live/")
    page.has_data("token-url", "/realtime/token/")
    page.shows('type="module"')
    page.has_its_files()


@pytest.mark.usefixtures("stream")
def test_tag_knows_the_place(page_of, bob, book):
    """The page knows what was the last event when it was made."""
    from realtime.events import publish

    before = page_of(bob).data("after")
    publish(book, "Sold.")
    if (after := page_of(bob).data("after")) == before:
        raise Unmet("another place after another event", after, [])


@pytest.mark.usefixtures("stream")
def test_tag_while_redis_hangs(page_of, bob, stopwatch):
    """While Redis hangs, one page may wait for it, and those after it don't."""
    page_of(bob)
    from realtime.testing import redis_hanging

    with redis_hanging():
        with stopwatch.learns():
            page_of(bob).lacks_data("after")
        with stopwatch.compares():
            for _page in range(8):
                page_of(bob).lacks_data("after")


def test_tag_has_no_inline_code(page_of, bob):
    """The tag needs no exception from a policy that forbids inline code."""
    page_of(bob).has_no_inline_code()


def test_tag_for_nobody(page_of, story):
    """Where nobody is logged in, the tag leaves no trace."""
    if html := page_of(None).html.strip():
        raise Unmet("nothing", html, story)


def test_tag_without_request(page_of, bob, story):
    """In a template that knows no request, such as a mail, the tag leaves no trace."""
    page_of(bob)
    html = Template("{% load realtime %}{% realtime %}").render(Context())
    if html.strip():
        raise Unmet("nothing", html, story)


def test_tag_about_another(page_of, is_valid, bob, carol):
    """A page that shows another user has a token of the one who looks at it."""
    is_valid(page_of(bob, user=carol, object=carol).data("token"), bob)


def test_tag_escapes(page_of, bob, settings):
    """What the settings contain can't break out of the tag."""
    settings.REALTIME_URL = 'ws://localhost/"><script>alert(1)</script>'
    page = page_of(bob)
    page.has_data("url", settings.REALTIME_URL)
    page.has_no_inline_code()


# What a project tests its notifications with


@pytest.fixture
def testing():
    """The module with which a project tests its notifications."""
    from realtime import testing

    return testing


def test_captured_events(testing, alice, book, bus, story):
    """What a project publishes in a block of code is collected, and goes nowhere."""
    from realtime.events import publish

    with testing.captured_events() as events:
        publish(book, "Sold.", user=alice)
        publish(book, "Sold out.", user=alice)
    came = [(event["object"], event["message"], event["user"]) for event in events]
    if came != [("Emma", "Sold.", "alice"), ("Emma", "Sold out.", "alice")]:
        raise Unmet("both events", came, story)
    bus.hears_of()


@pytest.mark.django_db
def test_captured_in_a_test_case(testing, django_log, story):
    """In a test case of Django, whose transaction never ends, it is the same.

    What was done before in the test is no part of it. Redis fails there, too.
    """
    from realtime.events import publish

    author = Author.objects.create(name="Mary Shelley")
    publish(author, "Found.")
    for message in ["Read.", "Read again."]:
        with testing.captured_events() as events:
            publish(author, message)
        if [event["message"] for event in events] != [message]:
            raise Unmet(f"an event that says {message!r}", events, story)
    with testing.redis_down():
        publish(author, "Lent.")
    django_log.warns(1, "events are lost")


def test_captured_and_rolled_back(testing, book, story):
    """What is rolled back within the block is not collected."""
    from realtime.events import publish

    with testing.captured_events() as events:
        with suppress(ZeroDivisionError), transaction.atomic():
            publish(book, "Sold.")
            raise ZeroDivisionError
    if events:
        raise Unmet("no events", events, story)


def test_captured_notices(testing, bob, story):
    """That a user changes is no event."""
    with testing.captured_events() as events:
        bob.save()
    if events:
        raise Unmet("no events", events, story)


async def test_connected(testing, bob, carol, book, change, bus, story):
    """A test connects users to a server, and learns who hears of what.

    A project needs no Redis for it.
    """
    async with testing.connected(bob, carol) as [bobs, carols]:
        for _event in range(3):
            await change(book)
            event = await bobs.hears()
            if event["object"] != "Emma":
                raise Unmet("an event about 'Emma'", event, story)
        await bobs.hears_nothing()
        await carols.hears_nothing()
        await bob.adelete()
        with expecting("a connection to close whose user is deleted", story):
            async with asyncio.timeout(PATIENCE):
                await bobs.websocket.wait_closed()
    bus.hears_of()


async def test_connected_hears_something(testing, monkeypatch, bob, book, change):
    """A test that expects a user to hear nothing fails if they do, or the reverse."""

    async def expect_nothing():
        async with testing.connected(bob) as [client]:
            with monkeypatch.context() as patch:
                patch.setattr(testing, "PATIENCE", 0.05)
                with pytest.raises(TimeoutError):
                    await client.hears()
            await change(book)
            await client.hears_nothing()

    with pytest.raises(AssertionError, match="Emma"):
        await expect_nothing()


async def test_connected_waits(testing, bob, event):
    """An event that is still on its way is one that they hear."""
    from realtime.bus import bus_of_django
    from realtime.conf import conf

    async with testing.connected(bob) as [client]:
        bus_of_django(conf().bus).send([event])
        with pytest.raises(AssertionError, match="Emma"):
            await client.hears_nothing()


async def test_connected_passes_over(testing, bob, book, change, story):
    """A client passes over signs of life, and whatever else is no event."""
    async with testing.connected(bob) as [client]:
        client.inbox.put_nowait({"type": "ping"})
        await change(book)
        if (event := await client.hears())["object"] != "Emma":
            raise Unmet("an event about 'Emma'", event, story)


async def test_connected_from_a_page(testing, bob, settings, story):
    """The server may be choosy about origins: clients come from one of them."""
    settings.REALTIME_ORIGINS = [None, "https://example.com"]
    async with testing.connected(bob) as [client]:
        came = client.websocket.request.headers["Origin"]
    if came != "https://example.com":
        raise Unmet("a client with an origin", came, story)


async def test_stalled(testing, bob, book, limits, story):
    """A client that stops reading is cut off, and a test can see that."""
    from realtime.events import publish

    limits(MAX_UNREAD=10_000)
    async with testing.connected(bob) as [client]:
        client.stops_reading()
        story.append("bob stopped reading, and many events came")
        async with asyncio.timeout(4 * PATIENCE):
            while client.server.CONNECTIONS:
                await asyncio.to_thread(publish, book, 10_000 * "Sold. ")


FAULTS = {
    "redis_down": "(ConnectionError): events are lost",
    "redis_hanging": "(TimeoutError): events are lost",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_redis_fails(testing, book, bus, django_log, fault):
    """Without Redis, what a project does works; later, its events arrive again."""
    from realtime.events import publish

    with getattr(testing, fault)():
        publish(book, "Sold.")
    django_log.warns(1, FAULTS[fault])
    bus.hears_of()
    publish(book, "Sold again.")
    bus.hears_of(book)
