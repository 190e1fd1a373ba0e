"""Whatever changes who a user is, or what they may see, is told to the servers."""

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model, user_logged_out
from django.contrib.auth.models import AbstractBaseUser, Group, Permission
from django.db import router
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save

from .events import send_on_commit
from .notices import Notice

FIELDS = {"is_active", "is_staff", "is_superuser", "password"}


def connect() -> None:
    """Hear of all that changes users, groups and permissions, also by their proxies."""
    User: Any = get_user_model()
    user_logged_out.connect(notify_of_logout)
    for model in apps.get_models():
        if issubclass(model, User):
            post_save.connect(notify_of_user, sender=model)
            post_delete.connect(notify_of_deleted_user, sender=model)
        elif issubclass(model, Group | Permission):
            post_delete.connect(notify_of_everybody, sender=model)
    for field in [User.groups, User.user_permissions]:
        m2m_changed.connect(notify_of_related, sender=field.through)
    m2m_changed.connect(notify_of_everybody, sender=Group.permissions.through)


def notify_of_user(
    instance: Model,
    created: bool,
    update_fields: Collection[str] | None,
    using: str,
    **kwargs: Any,
) -> None:
    """Name a user who was changed, unless by a login, say, which changes nothing."""
    if not created and (update_fields is None or FIELDS & {*update_fields}):
        check(using, {instance.pk})


def notify_of_deleted_user(instance: Model, using: str, **kwargs: Any) -> None:
    check(using, {instance.pk})


def notify_of_related(
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: set[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    """Name the users who were given, or who lost, a group or a permission."""
    if action.startswith("post_"):
        check(using, pk_set if reverse else {instance.pk})


def notify_of_everybody(using: str, **kwargs: Any) -> None:
    """Ask for everybody to be looked at: it may be about thousands."""
    check(using, None)


def notify_of_logout(user: AbstractBaseUser | None, **kwargs: Any) -> None:
    if user is not None:
        notice = Notice(logged_out={str(user.pk)})
        send_on_commit(notice, router.db_for_write(type(user)))


def check(using: str, users: set[Any] | None) -> None:
    """Have the access of users checked, by their keys; None stands for everybody."""
    notice = Notice(everybody=True)
    if users is not None:
        notice = Notice()
        notice.update(Notice({str(user) for user in users}))
    send_on_commit(notice, using)
