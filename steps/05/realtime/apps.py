from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = __package__  # a folder by any other name will do

    def ready(self) -> None:
        """Connect the signal receivers."""
        from . import signals  # noqa: F401
