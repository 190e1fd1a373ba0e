"""Every action in the admin becomes an event on Redis."""

import json
from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db.models.signals import post_save
from django.dispatch import receiver
from django_redis import get_redis_connection


@receiver(post_save, sender=LogEntry)
def publish_event(instance: LogEntry, **kwargs: Any) -> None:
    """Publish a log entry of the admin, as JSON, on the channel ``events``."""
    assert instance.content_type is not None  # the admin always sets it
    event = {
        "model": instance.content_type.name,
        "object": instance.object_repr,
        "message": instance.get_change_message(),
        "timestamp": instance.action_time.isoformat(),
        "user": str(instance.user),
        "content_type_id": instance.content_type_id,
        "object_id": instance.object_id,
    }
    redis = get_redis_connection(settings.REALTIME_CACHE)
    redis.publish("events", json.dumps(event))
