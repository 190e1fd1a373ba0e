"""Who connects, and what they may see: all that needs the database."""

import asyncio
import logging
from collections.abc import Callable, Collection, Container
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple, TypeVar

import django.db
from django.contrib.auth import get_user_model
from django.contrib.auth.models import (
    AbstractBaseUser,
    AnonymousUser,
    PermissionsMixin,
)
from django.contrib.contenttypes.models import ContentType
from django.db import close_old_connections, connection
from django.db.models import prefetch_related_objects
from sesame.backends import ModelBackend
from sesame.utils import get_token

from .conf import conf

logger = logging.getLogger("realtime.access")

T = TypeVar("T")

SCOPE = "realtime"  # these tokens open nothing else, and other tokens don't open this
RELATED = ["user_permissions", "groups__permissions"]  # what a fingerprint reads


class Access(NamedTuple):
    """A user, the content types that they may see, and what that follows from."""

    user_id: Any
    content_type_ids: Container[int]
    session_hash: str
    fingerprint: tuple[object, ...]


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
    return user and look_up(user)


def look_up(user: Any) -> Access:
    """Return the access of a user. What it follows from is read before all else."""
    prefetch_related_objects([user], *RELATED)
    session_hash, fingerprint = user.get_session_auth_hash(), get_fingerprint(user)
    return Access(user.pk, get_content_types(user), session_hash, fingerprint)


def get_fingerprint(user: Any) -> tuple[object, ...]:
    """Return what changes if the permissions of a user do."""
    return (
        user.is_staff,
        user.is_superuser,
        {permission.pk for permission in user.user_permissions.all()},
        {
            group.pk: {permission.pk for permission in group.permissions.all()}
            for group in user.groups.all()
        },
    )


def renew(accesses: Collection[Access]) -> list[Access | None]:
    """Return what has become of each access: None if its user has to log in again.

    A few queries tell who has changed. Only those users are looked up.
    """
    ids = {access.user_id for access in accesses}
    users = get_user_model()._default_manager.filter(pk__in=ids)
    found = {user.pk: user for user in users.prefetch_related(*RELATED)}
    return [renewed(access, found.get(access.user_id)) for access in accesses]


def renewed(access: Access, user: Any) -> Access | None:
    if user is None or not user.is_active:
        return None
    if user.get_session_auth_hash() != access.session_hash:
        return None
    if get_fingerprint(user) == access.fingerprint:
        return access
    try:
        return look_up(user)
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
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()


@cache
def threads(number: int) -> ThreadPoolExecutor:
    """Return the threads of this process that wait for the database."""
    return ThreadPoolExecutor(number)
