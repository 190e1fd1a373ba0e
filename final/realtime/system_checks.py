"""What ``manage.py check`` tells: settings that would not do what they seem to."""

import re
from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, get_type_hints
from urllib.parse import urlsplit

import sesame.settings
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import PermissionsMixin
from django.core import checks
from django.core.cache import InvalidCacheBackendError, caches
from django.core.checks import CheckMessage, Error, Info, Warning
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string
from django_redis.cache import RedisCache
from redis import ConnectionPool

from .bus import Bus
from .conf import Conf, conf

Messages = Iterator[CheckMessage]

TYPES: dict[Any, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float)}
ORIGIN = re.compile(r"[a-z]+://[^/?#\sA-Z]+")  # as browsers write it


def register() -> None:
    """Have Django ask for all checks; ``--tag realtime`` asks for these alone."""
    for check in [names, values, addresses, bus, tokens, users, pages]:
        checks.register(check, "realtime")
    checks.register(strangers, "realtime", deploy=True)


def names(**kwargs: Any) -> Messages:
    """Tell of settings that nothing reads."""
    known = [field.name.upper() for field in fields(Conf)]
    for setting in dir(settings):
        name = setting.removeprefix("REALTIME_")
        if setting.startswith("REALTIME_") and name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"Did you mean REALTIME_{close[0]}?" if close else "Leave it out."
            yield Error(
                f"There is no setting {setting}.", hint=hint, id="realtime.E001"
            )


def values(**kwargs: Any) -> Messages:
    """Tell of values of the wrong type, and of numbers that are too small."""
    for name, kind in get_type_hints(Conf).items():
        value, setting = getattr(conf(), name), f"REALTIME_{name.upper()}"
        if kind not in TYPES:
            continue  # addresses() looks at it
        if type(value) not in TYPES[kind]:
            yield Error(
                f"{setting} is a {type(value).__name__}.",
                hint=f"It has to be of the type {kind.__name__}.",
                id="realtime.E002",
            )
        elif kind is not str and value <= 0:
            yield Error(
                f"{setting} is {value}.",
                hint="It has to be greater than 0.",
                id="realtime.E003",
            )


def addresses(**kwargs: Any) -> Messages:
    """Tell of a server that browsers don't find, and of pages that it doesn't know."""
    parts = urlsplit(str(conf().url))
    if parts.scheme not in {"ws", "wss"} or not parts.hostname or parts.fragment:
        yield Error(
            "REALTIME_URL is no address of a WebSocket server.",
            hint='It has to begin with "wss://" or "ws://", and to have no "#".',
            id="realtime.E004",
        )
    https = ["SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"]
    if parts.scheme == "ws" and any(getattr(settings, name) for name in https):
        yield Warning(
            "The site is served over HTTPS, and REALTIME_URL begins with ws://.",
            hint="Browsers refuse that: let it begin with wss://.",
            id="realtime.W002",
        )
    origins = conf().origins
    listed = origins if isinstance(origins, list | tuple) else [origins]
    wrong = [origin for origin in listed if not is_origin(origin)]
    if wrong or isinstance(origins, str):
        yield Error(
            f"REALTIME_ORIGINS is {origins!r}.",
            hint='It has to be a list, such as ["https://example.com"]: a scheme and a '
            "host in small letters, and no slash at the end; or regular expressions.",
            id="realtime.E005",
        )


def is_origin(value: object) -> bool:
    """Return whether a browser, or a program that is no browser, may send this."""
    if isinstance(value, str):
        return ORIGIN.fullmatch(value) is not None
    return value is None or isinstance(value, re.Pattern)


def bus(**kwargs: Any) -> Messages:
    """Tell of a bus that is none, or that does not lead both its ends to Redis."""
    try:
        kind = import_string(str(conf().bus))
    except ImportError:
        kind = None
    if not (isinstance(kind, type) and issubclass(kind, Bus)):
        yield Error(
            f"REALTIME_BUS is {conf().bus!r}.",
            hint="It has to be the dotted path of a class that inherits Bus.",
            id="realtime.E011",
        )
    elif kind.send is Bus.send:  # or it knows another way than the cache
        yield from cache()


def cache() -> Messages:
    alias = str(conf().cache)
    try:
        backend = caches[alias]
    except InvalidCacheBackendError as error:
        yield Error(
            f"REALTIME_CACHE names no cache that works: {error}",
            hint="Name one of CACHES.",
            id="realtime.E006",
        )
        return
    if not isinstance(backend, RedisCache):
        yield Error(
            f"The cache {alias!r} is a {type(backend).__name__}.",
            hint='Let its BACKEND be "django_redis.cache.RedisCache".',
            id="realtime.E007",
        )
        return
    options = settings.CACHES[alias].get("OPTIONS", {})
    location = conf().listen_url or settings.CACHES[alias].get("LOCATION")
    hidden = "PASSWORD" in options and not conf().listen_url
    if not is_redis(location) or hidden:
        yield Error(
            f"The server cannot connect to Redis as Django does ({alias!r}).",
            hint="LOCATION, or REALTIME_LISTEN_URL, has to be one address, with the "
            "password in it: redis://:password@localhost:6379/1",
            id="realtime.E008",
        )
    timeouts = {"SOCKET_CONNECT_TIMEOUT", "SOCKET_TIMEOUT"}
    if missing := timeouts - options.keys():
        yield Warning(
            f"The cache {alias!r} has no {' and no '.join(sorted(missing))}.",
            hint="A Redis that hangs would hold requests up. Set both in its OPTIONS.",
            id="realtime.W001",
        )


def is_redis(location: object) -> bool:
    """Return whether something is the URL of a Redis server."""
    if not isinstance(location, str):
        return False
    try:
        ConnectionPool.from_url(location)  # which connects to nothing yet
    except ValueError:
        return False
    return True


def tokens(**kwargs: Any) -> Messages:
    """Tell of tokens that are valid for ever, or for anything."""
    if sesame.settings.MAX_AGE is None:
        yield Error(
            "Tokens are valid for ever.",
            hint="Set SESAME_MAX_AGE = 30 (seconds): a page uses its token at once.",
            id="realtime.E009",
        )
    if "sesame.tokens_v1" in {module.__name__ for module in sesame.settings.TOKENS}:
        yield Error(
            "Tokens may have the old format, which knows no scopes.",
            hint='Set SESAME_TOKENS = ["sesame.tokens_v2"].',
            id="realtime.E010",
        )


def users(**kwargs: Any) -> Messages:
    """Tell of users who may see nothing."""
    if not issubclass(get_user_model(), PermissionsMixin):
        yield Warning(
            "Users have no permissions, so nobody may see any event.",
            hint="Let the model of users inherit PermissionsMixin.",
            id="realtime.W004",
        )


def pages(**kwargs: Any) -> Messages:
    """Tell what a project with pages lacks; one that only runs the server has none."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    try:
        reverse("realtime:token")
    except NoReverseMatch:
        yield Warning(
            "No page can get a token.",
            hint='Add path("realtime/", include("realtime.urls")) to the URLs.',
            id="realtime.W005",
        )
    if not apps.is_installed("django.contrib.admin"):
        yield Info(
            "Without the admin, nothing becomes an event by itself.",
            hint="Call publish() of realtime.events, or install django.contrib.admin.",
            id="realtime.I001",
        )


def strangers(**kwargs: Any) -> Messages:
    """Tell, before the site goes public, if the server answers the pages of others."""
    if conf().origins is None:
        yield Warning(
            "The server lets pages of all sites connect.",
            hint='Set REALTIME_ORIGINS, such as ["https://example.com"].',
            id="realtime.W003",
        )
