"""Every action in the admin becomes an event."""

import logging
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import router
from django.db.models import QuerySet, prefetch_related_objects
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import translation

from .events import describe, send_on_commit

logger = logging.getLogger("realtime.signals")


@receiver(post_save, sender=LogEntry)
def publish_entry(instance: LogEntry, created: bool, raw: bool, **kwargs: Any) -> None:
    """Publish a new log entry of the admin, unless it comes from a fixture."""
    if created and not raw:
        publish_entries([instance])


class LogEntryQuerySet(QuerySet[LogEntry]):
    """Log entries that are published when they are written in bulk.

    Django sends no signal then. The admin does so when it deletes several objects.
    """

    def bulk_create(
        self, objs: Iterable[LogEntry], *args: Any, **kwargs: Any
    ) -> list[LogEntry]:
        entries = super().bulk_create(objs, *args, **kwargs)
        if self.model is LogEntry:  # and not what a migration takes for it
            publish_entries(entries)
        return entries


def publish_entries(entries: list[LogEntry]) -> None:
    """Publish log entries; one that makes no sense costs an event, and no save."""
    prefetch_related_objects(entries, "content_type", "user")
    with translation.override(settings.LANGUAGE_CODE):
        for entry in entries:
            try:
                publish_described(entry)
            except Exception:
                logger.exception("Log entry %s is not published.", entry.pk)


def publish_described(entry: LogEntry) -> None:
    """Publish a log entry, if it is about an object of a model."""
    if (content_type := entry.content_type) is None:
        return  # so there is nobody who may see it
    event = describe(
        content_type,
        entry.object_id,
        entry.object_repr,
        entry.get_change_message(),
        entry.user,
        entry.action_time,
    )
    model = content_type.model_class() or LogEntry
    send_on_commit(event, router.db_for_write(model))
