"""Who connects, and what they may see: all that needs the database."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple, TypeVar

import django.db
import sesame.settings
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


Known = Mapping[Any, Access]  # of users, by their keys


class Everything(Container[int]):
    """The content types that superusers may see, those to come included."""

    def __contains__(self, content_type_id: object) -> bool:
        return True


EVERYTHING = Everything()


def make_token(user: AbstractBaseUser | AnonymousUser) -> str:
    """Return a token with which a user can connect."""
    return str(get_token(user, SCOPE))


class Tokens(ModelBackend):  # type: ignore[misc]
    """Tokens that are verified together: one query finds all their users.

    django.contrib.auth.authenticate() would show them to those who want to know of
    failed logins. This is none.
    """

    def __init__(self, tokens: Collection[str]) -> None:
        self.asked: set[Any] = set()
        self.users: dict[Any, Any] = {}
        for token in tokens:
            self.owner_of(token)  # nobody yet, but we learn who it would be
        field = sesame.settings.PRIMARY_KEY_FIELD
        manager = get_user_model()._default_manager
        self.users = manager.in_bulk(self.asked, field_name=field)

    def owner_of(self, token: str) -> Any:
        """Return the user whose token it is, or None if it isn't valid."""
        return self.authenticate(None, token, SCOPE)

    def get_user(self, key: Any) -> Any:
        """Return the user with a key, if there is one who may log in."""
        self.asked.add(key)
        user = self.users.get(key)
        return user if user and self.user_can_authenticate(user) else None


def get_accesses(tokens: Collection[str], known: Known) -> list[Access | None]:
    """Return what the owners of tokens may see, or None for each that isn't valid.

    However many tokens they are, this takes a few queries, and then a few for each user
    who isn't known, or has changed.
    """
    verified = Tokens(tokens)
    owners = [verified.owner_of(token) for token in tokens]
    users = {user.pk: user for user in owners if user}
    fingerprints = get_fingerprints(users.values())
    accesses = {
        key: look_up(user, fingerprints[key], known.get(key))
        for key, user in users.items()
    }
    return [user and accesses[user.pk] for user in owners]


def look_up(user: Any, fingerprint: Fingerprint, known: Access | None) -> Access:
    """Return the access of a user whose fingerprint was taken before.

    If it is the same as in an access that is known, so is what they may see.
    """
    session_hash = user.get_session_auth_hash()
    if known and (session_hash, fingerprint) == (known.session_hash, known.fingerprint):
        return known
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
            frozenset(permissions[user.pk]),
            frozenset((group, frozenset(shared[group])) for group in groups[user.pk]),
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
    distinct = {*accesses}  # connections of a user share theirs
    keys = {access.user_id for access in distinct}
    users = get_user_model()._default_manager.in_bulk(keys)
    fingerprints = get_fingerprints(users.values())
    news = {access: renewed(access, users, fingerprints) for access in distinct}
    return [news[access] for access in accesses]


def renewed(
    access: Access, users: dict[Any, Any], fingerprints: dict[Any, Fingerprint]
) -> Access | None:
    user = users.get(access.user_id)
    if user is None or not user.is_active:
        return None
    if user.get_session_auth_hash() != access.session_hash:
        return None
    try:
        return look_up(user, fingerprints[user.pk], access)
    except django.db.Error:
        raise
    except Exception:
        logger.exception("Nobody knows what user %s may see.", user.pk)
        return None


def get_content_types(user: PermissionsMixin) -> Container[int]:
    """Return the ids of the content types that the user may view or change."""
    if user.is_superuser:
        return EVERYTHING
    return frozenset(
        content_type.id
        for content_type in ContentType.objects.all()
        if user.has_perm(f"{content_type.app_label}.view_{content_type.model}")
        or user.has_perm(f"{content_type.app_label}.change_{content_type.model}")
    )


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
