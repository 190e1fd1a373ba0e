"""What an event says, and when it is sent."""

from datetime import datetime

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import router, transaction
from django.db.models import Model
from django.utils import timezone, translation

from .bus import Event, Message, bus_of_django
from .conf import conf
from .notices import Notice


def publish(subject: Model, message: object, user: object = "") -> None:
    """Publish an event about an object: ``publish(order, "Paid.", user=request.user)``.

    It is sent when the transaction is committed, and never if that is rolled back.
    If Redis fails, it is lost, and no exception is raised.
    """
    content_type = ContentType.objects.get_for_model(subject, for_concrete_model=False)
    with translation.override(settings.LANGUAGE_CODE):
        event = describe(
            content_type, subject.pk, str(subject), str(message), user, timezone.now()
        )
    send_on_commit(event, router.db_for_write(type(subject), instance=subject))


def describe(
    content_type: ContentType,
    object_id: object,
    name: str,
    message: str,
    user: object,
    when: datetime,
) -> Event:
    """Return an event, in the language that is active."""
    return {
        "model": content_type.name,
        "object": name,
        "message": message,
        "timestamp": when.isoformat(),
        "user": str(user),
        "content_type_id": content_type.id,
        "object_id": "" if object_id is None else str(object_id),
    }


class Batch(list[Message]):
    """Messages of one transaction, which are sent together, with one notice at most."""

    def add(self, message: Message) -> None:
        if not isinstance(message, Notice):
            self.append(message)
        elif isinstance(self[0], Notice):
            self[0].update(message)
        else:
            self.insert(0, message)

    def send(self) -> None:
        bus_of_django(conf().bus).send(self)


def send_on_commit(message: Message, using: str) -> None:
    """Send a message when the current transaction of a database is committed.

    A savepoint that is rolled back takes its messages with it: it has its own batches.
    """
    connection = transaction.get_connection(using)
    for savepoints, hook, *_ in connection.run_on_commit[-1:]:
        batch = getattr(hook, "__self__", None)
        if isinstance(batch, Batch) and savepoints == set(connection.savepoint_ids):
            batch.add(message)
            return
    transaction.on_commit(Batch([message]).send, using=using, robust=True)
