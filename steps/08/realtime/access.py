"""Who connects, and what they may see: all that needs the database."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple, TypeVar

import django.db
from django.contrib.auth import get_user_model
from django.contrib.auth.models import (
    AbstractBaseUser,
    AnonymousUser,
    Group,
    PermissionsMixin,
)
from django.contrib.contenttypes.models import ContentType
from django.db import close_old_connections, connection, reset_queries
from sesame.backends import ModelBackend
from sesame.utils import get_token

from .conf import conf

logger = logging.getLogger("realtime.access")

T = TypeVar("T")

SCOPE = "realtime"  # these tokens open nothing else, and other tokens don't open this

Fingerprint = tuple[object, ...]  # of what the permissions of a user follow from


class Access(NamedTuple):
    """A user, the content types that they may see, and what that follows from."""

    user_id: Any
    content_type_ids: Container[int]
    session_hash: str
    fingerprint: Fingerprint


class Everything(Container[int]):
    """The content types that superusers may see, those to come included."""

    def __contains__(self, content_type_id: object) -> bool:
        return True


def make_token(user: AbstractBaseUser | AnonymousUser) -> str:
    """Return a token with which a user can connect."""
    return str(get_token(user, SCOPE))


def get_access(token: str) -> Access | None:
    """Return what the owner of a token may see, or None if it isn't valid.

    django.contrib.auth.authenticate() would show the token to those who want to know
    of failed logins. This is none.
    """
    user = ModelBackend().authenticate(None, token, SCOPE)
    return user and look_up(user, get_fingerprints([user])[user.pk])


def look_up(user: Any, fingerprint: Fingerprint) -> Access:
    """Return the access of a user whose fingerprint was taken before."""
    session_hash = user.get_session_auth_hash()
    return Access(user.pk, get_content_types(user), session_hash, fingerprint)


def get_fingerprints(users: Collection[Any]) -> dict[Any, Fingerprint]:
    """Return, by their keys, what is different if the permissions of users are.

    However many users they are, this takes three queries.
    """
    keys = [user.pk for user in users]
    rows = get_user_model()._default_manager.filter(pk__in=keys)
    permissions = sets(rows.values_list("pk", "user_permissions"))
    groups = sets(rows.values_list("pk", "groups"))
    joined = Group.objects.filter(pk__in=set().union(*groups.values()))
    shared = sets(joined.values_list("pk", "permissions"))
    return {
        user.pk: (
            user.is_staff,
            user.is_superuser,
            permissions[user.pk],
            {group: shared[group] for group in groups[user.pk]},
        )
        for user in users
    }


def sets(pairs: Iterable[tuple[Any, Any]]) -> defaultdict[Any, set[Any]]:
    """Return for each key the set of its values."""
    found = defaultdict(set)
    for key, value in pairs:
        found[key].add(value)
    return found


def renew(accesses: Collection[Access]) -> list[Access | None]:
    """Return what has become of each access: None if its user has to log in again.

    A few queries tell who has changed. Only those users are looked up.
    """
    keys = {access.user_id for access in accesses}
    users = get_user_model()._default_manager.in_bulk(keys)
    fingerprints = get_fingerprints(users.values())
    return [renewed(access, users, fingerprints) for access in accesses]


def renewed(
    access: Access, users: dict[Any, Any], fingerprints: dict[Any, Fingerprint]
) -> Access | None:
    user = users.get(access.user_id)
    if user is None or not user.is_active:
        return None
    if user.get_session_auth_hash() != access.session_hash:
        return None
    if fingerprints[user.pk] == access.fingerprint:
        return access
    try:
        return look_up(user, fingerprints[user.pk])
    except django.db.Error:
        raise
    except Exception:
        logger.exception("Nobody knows what user %s may see.", user.pk)
        return None


def get_content_types(user: PermissionsMixin) -> Container[int]:
    """Return the ids of the content types that the user may view or change."""
    if user.is_superuser:
        return Everything()
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
