"""Who connects, and what they may see: all that needs the database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.contrib.auth.models import (
    AbstractBaseUser,
    AnonymousUser,
    PermissionsMixin,
)
from django.contrib.contenttypes.models import ContentType
from django.db import close_old_connections, connection, reset_queries
from sesame.backends import ModelBackend
from sesame.utils import get_token

from .conf import conf

T = TypeVar("T")

SCOPE = "realtime"  # these tokens open nothing else, and other tokens don't open this


class Access(NamedTuple):
    """A user, and the content types that they may see."""

    user_id: Any
    content_type_ids: set[int]


def make_token(user: AbstractBaseUser | AnonymousUser) -> str:
    """Return a token with which a user can connect."""
    return str(get_token(user, SCOPE))


def get_access(token: str) -> Access | None:
    """Return what the owner of a token may see, or None if it isn't valid.

    django.contrib.auth.authenticate() would show the token to those who want to know
    of failed logins. This is none.
    """
    user = ModelBackend().authenticate(None, token, SCOPE)
    return user and Access(user.pk, get_content_types(user))


def get_content_types(user: PermissionsMixin) -> set[int]:
    """Return the ids of the content types that the user may view or change."""
    return {
        content_type.id
        for content_type in ContentType.objects.all()
        if user.has_perm(f"{content_type.app_label}.view_{content_type.model}")
        or user.has_perm(f"{content_type.app_label}.change_{content_type.model}")
    }


def check_database() -> None:
    """Raise an exception of django.db if the database doesn't answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a function that uses the database, in one of a few threads."""
    loop = asyncio.get_running_loop()
    pool = threads(conf().database_threads)
    return await loop.run_in_executor(pool, as_in_a_request, function, *args)


def as_in_a_request(function: Callable[..., T], *args: Any) -> T:
    """Call a function; before and after, close connections that are broken or old."""
    reset_queries()  # DEBUG remembers what was asked before
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()


@cache
def threads(number: int) -> ThreadPoolExecutor:
    """Return the threads of this process that wait for the database."""
    return ThreadPoolExecutor(number)
