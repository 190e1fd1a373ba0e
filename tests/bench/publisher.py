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
from functools import cache, partial
from io import StringIO
from itertools import islice
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

PATIENCE = 60  # seconds; redis-py gives up after 5, and a busy machine may take longer

Event = dict[str, str | int]
Publish = Callable[[int], None]  # publishes the next so many of some events
Prepare = Callable[[Model, list[str]], Publish]


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
    prepare: Prepare,
    first: int,
    count: int,
    rate: float | None,
    size: int,
    visible: bool,
) -> None:
    """Publish some events: all at once, or one after the other at some rate."""
    subject = Book.objects.get(title="Emma") if visible else Group.objects.all()[0]
    filling = size - len(json.dumps(event_of(subject, "")))
    messages = [frames.message(first + number, filling) for number in range(count)]
    publish = prepare(subject, messages)
    start, cpu = time.monotonic(), time.process_time()
    if rate is None:
        publish(count)
    else:
        for number in range(count):
            due = start + number / rate
            time.sleep(max(0, due - time.monotonic()))  # the rate is the load
            publish(1)
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


def on_redis(command: list[str], subject: Model, messages: list[str]) -> Publish:
    """Return what gives events to Redis with a command, as Django does.

    They are packed beforehand, all but the time, or that would take its time from the
    clients, who share the core.
    """
    connection = redis_connection()
    packed = [
        b"".join(
            connection.pack_command(*command, json.dumps(event_of(subject, message)))
        )
        for message in messages
    ]
    waiting = iter(packed)

    def publish(count: int) -> None:
        sent = time.time_ns()
        connection.send_packed_command(
            [frames.dated(data, sent) for data in islice(waiting, count)]
        )
        for _ in range(count):
            connection.read_response(timeout=PATIENCE)

    return publish


@cache
def redis_connection() -> Any:
    from django_redis import get_redis_connection

    return get_redis_connection("default").connection_pool.get_connection()


def to_group(subject: Model, messages: list[str]) -> Publish:
    """Return what publishes to the consumers of Channels that may see the model."""
    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    from tests.bench.peers.channels_site.consumers import group_name

    group = group_name(ContentType.objects.get_for_model(subject).id)
    layer = get_channel_layer()
    waiting = (json.dumps(event_of(subject, message)).encode() for message in messages)

    async def send(count: int) -> None:
        sent = time.time_ns()
        for data in islice(waiting, count):
            text = frames.dated(data, sent).decode()
            await layer.group_send(group, {"type": "tell", "text": text})

    return async_to_sync(send)


STREAM = ["XADD", "events", "MAXLEN", "~", "10000", "*", "event"]
KINDS: dict[str, Prepare] = {
    "pubsub": partial(on_redis, ["PUBLISH", "events"]),
    "stream": partial(on_redis, STREAM),
    "channels": to_group,
}

if __name__ == "__main__":
    ORDERS: dict[str, Callable[..., Any]] = {
        "prepare": do_prepare,
        "tokens": do_tokens,
        "publish": partial(do_publish, KINDS[sys.argv[1]]),
    }
    orders = Orders()
    while not orders.ended:
        for do, arguments in orders.read():
            ORDERS[do](**arguments)
