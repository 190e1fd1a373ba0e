"""All that changes who users are, or what they may see, becomes a notice."""

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model, user_logged_out
from django.contrib.auth.models import (
    AbstractBaseUser,
    Group,
    Permission,
    PermissionsMixin,
)
from django.db import router
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save

from .events import send_on_commit
from .notices import Notice

FIELDS = {"is_active", "is_staff", "is_superuser", "password"}


def connect() -> None:
    """Hear of changes of users, groups and permissions, also through proxy models."""
    User: Any = get_user_model()
    if not issubclass(User, PermissionsMixin):
        return  # so nobody may see anything
    user_logged_out.connect(notify_of_logout)
    for model in apps.get_models():
        if issubclass(model, User):
            post_save.connect(notify_of_user, sender=model)
            post_delete.connect(notify_of_user, sender=model)
        elif issubclass(model, Group | Permission):
            post_delete.connect(notify_of_everybody, sender=model)
    for field in [User.groups, User.user_permissions]:
        m2m_changed.connect(notify_of_users, sender=field.through)
    m2m_changed.connect(notify_of_everybody, sender=Group.permissions.through)


def notify_of_user(
    instance: Model,
    using: str,
    created: bool = False,
    update_fields: Collection[str] | None = None,
    **kwargs: Any,
) -> None:
    """Have a user checked who was deleted or changed; a login changes nothing."""
    if not created and (update_fields is None or FIELDS & {*update_fields}):
        notify({instance.pk}, using)


def notify_of_users(
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: set[Any] | None,
    using: str,
    **kwargs: Any,
) -> None:
    """Have the users checked who were given, or who lost, a group or a permission."""
    if action.startswith("post_"):
        notify(pk_set if reverse else {instance.pk}, using)


def notify_of_everybody(using: str, **kwargs: Any) -> None:
    """Have everybody checked: a group may have thousands of members."""
    notify(None, using)


def notify_of_logout(user: AbstractBaseUser | None, **kwargs: Any) -> None:
    """Have the connections of a user closed; nobody is a user, too."""
    if user is not None:
        notice = Notice(logged_out={str(user.pk)})
        send_on_commit(notice, router.db_for_write(type(user)))


def notify(users: set[Any] | None, using: str) -> None:
    """Have some users checked, by their keys, or everybody if it is None."""
    notice = Notice(everybody=users is None)
    notice.update(Notice({str(user) for user in users or ()}))
    send_on_commit(notice, using)
