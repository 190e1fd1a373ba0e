from django.apps import AppConfig, apps


class RealtimeConfig(AppConfig):
    name = __package__  # a folder by any other name will do

    def ready(self) -> None:
        """Hear of all that changes users, and of the log entries of the admin.

        A project that only runs the server needs no admin.
        """
        from . import revocations

        revocations.connect()
        if not apps.is_installed("django.contrib.admin"):
            return
        from django.contrib.admin.models import LogEntryManager

        from .signals import LogEntryQuerySet

        LogEntryManager._queryset_class = LogEntryQuerySet  # type: ignore[attr-defined]
