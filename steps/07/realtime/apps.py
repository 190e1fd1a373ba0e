from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = __package__  # a folder by any other name will do

    def ready(self) -> None:
        """Hear of the log entries of the admin, also when they are written in bulk."""
        from django.contrib.admin.models import LogEntryManager

        from .signals import LogEntryQuerySet

        LogEntryManager._queryset_class = LogEntryQuerySet  # type: ignore[attr-defined]
