"""Django speaks: every action in the admin becomes an event on the bus."""

import os

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType

from django_site.bookshop.models import Book


def test_adding(book_admin, bus):
    """Adding an object in the admin publishes one event."""
    book_admin.adds("Persuasion")
    bus.hears_one_event(object="Persuasion", message="Added.")


def test_changing(book_admin, bus, book):
    """Changing an object in the admin publishes one event."""
    book_admin.renames(book, "Emma: a Novel")
    bus.hears_one_event(object="Emma: a Novel", message="Changed Title.")


def test_deleting(book_admin, bus, book):
    """Deleting an object in the admin publishes one event."""
    book_admin.deletes(book)
    bus.hears_one_event(object="Emma", message="")


def test_what_and_who(book_admin, bus):
    """An event says what happened to which object of which model, and who did it."""
    book = book_admin.adds("Persuasion")
    event = bus.hears_one_event(
        model="book",
        object="Persuasion",
        message="Added.",
        user="alice",
        content_type_id=ContentType.objects.get_for_model(Book).pk,
    )
    assert str(book.pk) == str(event["object_id"])


def test_when(book_admin, bus):
    """An event says when it happened, in the format of ISO 8601."""
    book_admin.adds("Persuasion")
    action_time = LogEntry.objects.get().action_time
    bus.hears_one_event(timestamp=action_time.isoformat())


@pytest.mark.parametrize(
    "title",
    [
        "Les Misérables",
        "紅樓夢",
        "\N{ARABIC LETTER ALEF}\N{RIGHT-TO-LEFT OVERRIDE}\N{MUSICAL SYMBOL G CLEF}",
        "\"quotes\" and 'apostrophes', \\backslash, <script>, {braces}, %s",
    ],
    ids=["French", "Chinese", "right to left", "code"],
)
def test_text(book_admin, bus, title):
    """Text of any kind is the same when it arrives."""
    book_admin.adds(title)
    bus.hears_one_event(object=title)


def test_saves_elsewhere(book_admin, bus, book):
    """Saving an object outside the admin publishes nothing, as it logs nothing."""
    book.save()
    book_admin.renames(book, "Emma: a Novel")
    bus.hears_one_event(object="Emma: a Novel")


def test_cache_alias(book_admin, bus, settings):
    """Events take the Redis connection of the cache that the settings name."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "bus": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": os.environ["REDIS_URL"],
        },
    }
    settings.REALTIME_CACHE = "bus"
    book_admin.adds("Persuasion")
    bus.hears_one_event(object="Persuasion")
