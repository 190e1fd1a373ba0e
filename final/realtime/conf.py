"""The settings of this app: what they mean, and their defaults.

In ``settings.py``, they are called ``REALTIME_CACHE``, ``REALTIME_CHANNEL`` and so on.
Sizes are in bytes, times in seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver


@dataclass(frozen=True)
class Conf:
    # The bus
    cache: str = "default"  # the alias of the cache whose Redis carries the events
    listen_url: str = ""  # of the Redis that servers listen to, if it is another
    bus: str = f"{__package__}.streams.StreamBus"  # or .pubsub.PubSubBus
    channel: str = "events"  # the key of the stream; with Pub/Sub, a channel
    notice_channel: str = "notices"  # with Pub/Sub: where Django tells of users
    stream_length: int = 10_000  # messages that Redis keeps, or some more
    page_size: int = 100  # messages that are read at once
    recent: int = 1_000  # messages that a server remembers, and as many older ones
    max_event_size: int = 65_536  # what is larger is skipped
    ping_interval: float = 10  # without a word from Redis, until we ask
    ping_timeout: float = 5  # without an answer, until we give the connection up
    longest_wait: float = 1  # between two attempts to listen

    # Who may connect
    url: str = "ws://localhost:8888/"  # where browsers find the server
    origins: Sequence[Any] | None = None  # of pages; with None in it, no page is needed
    token_timeout: float = 10  # from the connection to the token, and to its check
    max_strangers: int = 500  # connections that have not sent a token yet
    max_waiting: int = 10_000  # connections whose token waits to be verified
    max_per_user: int = 20  # connections
    database_threads: int = 4  # each has a connection to the database
    check_period: float = 60  # in which the access of everybody is checked
    check_batch: int = 500  # connections that are looked up together

    # Who comes back
    page_timeout: float = 20  # for a client to read a page of what it missed
    max_replays: int = 50  # pages on their way; others wait for their turn

    # What connections may cost
    max_message_size: int = 4_096  # from a client; a token has about 50
    max_input: int = 16_384  # from a client, between two heartbeats
    max_unread: int = 1_048_576  # to a client, of what it has not read yet
    shutdown_time: float = 2  # to say goodbye to everybody
    log_interval: float = 10  # between two warnings of a kind


@cache
def conf() -> Conf:
    """Return the settings."""
    names = {field.name: f"REALTIME_{field.name.upper()}" for field in fields(Conf)}
    return Conf(
        **{
            name: getattr(settings, setting)
            for name, setting in names.items()
            if hasattr(settings, setting)
        }
    )


@receiver(setting_changed)
def read_again(**kwargs: Any) -> None:
    """Take notice when a test overrides a setting."""
    conf.cache_clear()
