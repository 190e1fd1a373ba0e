from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = __package__  # a folder by any other name will do

    def ready(self) -> None:
        """Hear of what the admin logs, also in bulk, and of all that changes users."""
        from django.contrib.admin.models import LogEntryManager
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import PermissionsMixin

        from . import revocations
        from .signals import LogEntryQuerySet

        LogEntryManager._queryset_class = LogEntryQuerySet  # type: ignore[attr-defined]
        if issubclass(get_user_model(), PermissionsMixin):
            revocations.connect()
