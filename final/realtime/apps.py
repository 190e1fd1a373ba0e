from django.apps import AppConfig, apps


class RealtimeConfig(AppConfig):
    name = __package__  # a folder by any other name will do

    def ready(self) -> None:
        """Check the settings; hear of changes of users, and of what the admin logs.

        A project that only runs the server needs no admin.
        """
        from . import revocations, system_checks

        system_checks.register()
        revocations.connect()
        if not apps.is_installed("django.contrib.admin"):
            return
        from django.contrib.admin.models import LogEntryManager

        from .signals import LogEntryQuerySet

        LogEntryManager._queryset_class = LogEntryQuerySet  # type: ignore[attr-defined]
