"""The publisher: Django as a peer has it, which makes users and tokens, and publishes.

``python -m tests.bench.publisher KIND`` obeys its parent. The kind says how an event
is published:

- ``pubsub``: on Redis Pub/Sub, as step 04 does, and as Node hears it;
- ``stream``: on a stream of Redis, as ``final/`` does by default;
- ``channels``: to the group of its content type, in the channel layer.
"""

import json
import sys
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import django

django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402
from django.db.models import Model  # noqa: E402
from django.utils import timezone  # noqa: E402
from sesame.utils import get_token  # noqa: E402

from django_site.bookshop.models import Book  # noqa: E402
from tests.bench import frames  # noqa: E402
from tests.bench.obeying import Orders, reply  # noqa: E402

# All of them may see books; what else they may see differs.
AUDIENCES = [
    {"book"},
    {"book", "order"},
    {"book", "author"},
    {"book", "order", "author"},
]

STREAM_LENGTH = 10_000  # entries, about

Event = dict[str, str | int]


def do_prepare(users: int) -> None:
    """Make a database with a shop and some users, unless it is there."""
    call_command("migrate", verbosity=0)
    call_command("demo_data", force=True, stdout=StringIO())
    with transaction.atomic():
        for number in range(users):
            user, created = User.objects.get_or_create(username=f"reader{number}")
            if created:
                models = AUDIENCES[number % len(AUDIENCES)]
                names = [f"view_{model}" for model in models]
                user.user_permissions.set(Permission.objects.filter(codename__in=names))
    reply()


def do_tokens(count: int, users: int, first: int) -> None:
    """Reply tokens for some clients, each of the next user."""
    named = {user.username: user for user in User.objects.all()}
    owners = [named[f"reader{(first + number) % users}"] for number in range(count)]
    reply(tokens=[token_of(owner) for owner in owners])


def token_of(user: User) -> str:
    """Return a token: from step 07 on, those of a code folder have a scope."""
    try:
        from realtime.access import make_token
    except ImportError:
        return str(get_token(user))
    return make_token(user)


def do_publish(
    first: int, count: int, rate: float | None, size: int, visible: bool
) -> None:
    """Publish some events: all at once, or one after the other at some rate."""
    subject = Book.objects.get(title="Emma") if visible else Group.objects.all()[0]
    filling = size - len(json.dumps(event_of(subject, "")))
    numbers = range(first, first + count)
    start, cpu = time.monotonic(), time.process_time()
    if rate is None:
        sent = time.monotonic_ns()
        publish_all(
            subject, [frames.message(number, sent, filling) for number in numbers]
        )
    else:
        for number in numbers:
            due = start + (number - first) / rate
            time.sleep(max(0, due - time.monotonic()))  # the rate is the load
            sent = time.monotonic_ns()
            publish_all(subject, [frames.message(number, sent, filling)])
    reply(wall=time.monotonic() - start, cpu=time.process_time() - cpu)


def event_of(subject: Model, message: str) -> Event:
    """Return an event as step 04 writes it."""
    content_type = ContentType.objects.get_for_model(subject)
    return {
        "model": content_type.name,
        "object": str(subject),
        "message": message,
        "timestamp": timezone.now().isoformat(timespec="microseconds"),
        "user": "",
        "content_type_id": content_type.id,
        "object_id": str(subject.pk),
    }


def publish_on_redis(subject: Model, messages: list[str]) -> None:
    """Publish events on the channel of step 04, or on the stream of that name.

    The commands are those that Django sends. What Django does before, nobody measures:
    it would take its time from the clients, who share the core.
    """
    from django_redis import get_redis_connection

    with get_redis_connection("default").pipeline(transaction=False) as pipeline:
        for message in messages:
            data = json.dumps(event_of(subject, message))
            if kind == "stream":
                pipeline.xadd("events", {"event": data}, maxlen=STREAM_LENGTH)
            else:
                pipeline.publish("events", data)
        pipeline.execute()


def publish_to_group(subject: Model, messages: list[str]) -> None:
    """Publish events to the consumers of Channels that may see the model."""
    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    from tests.bench.peers.channels_site.consumers import group_name

    group = group_name(ContentType.objects.get_for_model(subject).id)
    layer = get_channel_layer()

    async def send() -> None:
        for message in messages:
            text = json.dumps(event_of(subject, message))
            await layer.group_send(group, {"type": "tell", "text": text})

    async_to_sync(send)()


KINDS: dict[str, Callable[[Model, list[str]], None]] = {
    "pubsub": publish_on_redis,
    "stream": publish_on_redis,
    "channels": publish_to_group,
}
ORDERS: dict[str, Callable[..., Any]] = {
    "prepare": do_prepare,
    "tokens": do_tokens,
    "publish": do_publish,
}

if __name__ == "__main__":
    kind = sys.argv[1]
    publish_all = KINDS[kind]
    orders = Orders()
    while not orders.ended:
        for do, arguments in orders.read():
            ORDERS[do](**arguments)
