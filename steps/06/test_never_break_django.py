"""Never break Django: events tell the truth, and cost no save."""

import datetime
from contextlib import contextmanager
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction
from django.db.models.signals import post_save, pre_delete
from django.urls import path, reverse

from django_site.bookshop.models import Book
from steps.grading import Unmet

UUID_KEY = UUID("12345678123456781234567812345678")


@pytest.fixture
def log(alice, story):
    """A function that logs a change of an object by Alice, as the admin does."""

    def log(changed, **values):
        story.append(f"alice changed {str(changed)!r}")
        return LogEntry.objects.create(**entry(alice, changed, **values))

    return log


def entry(user, changed, **values):
    return {
        "user": user,
        "content_type": ContentType.objects.get_for_model(changed),
        "object_id": changed.pk,
        "object_repr": str(changed),
        "action_flag": CHANGE,
    } | values


@pytest.fixture
def books(author):
    """A function that puts a number of books into the shop."""

    def books(number):
        return Book.objects.bulk_create(
            Book(
                title=f"Volume {volume}",
                author=author,
                published=datetime.date(1815, 12, 23),
                price=1,
            )
            for volume in range(1, number + 1)
        )

    return books


@pytest.fixture
def posts(client, alice, story):
    """A function that posts a form to a page of the admin."""
    client.force_login(alice)
    client.raise_request_exception = False

    def posts(page, status=302, **form):
        story.append(f"alice posted {' and '.join(form)} to {page}")
        response = client.post(page, form)
        if response.status_code != status:
            came = f"the status {response.status_code} from {page}"
            raise Unmet(f"the status {status}", came, story)

    return posts


def selected(objects, action):
    """Return the form that selects an action and some objects in a list."""
    keys = [each.pk for each in objects]
    return {"action": action, "_selected_action": keys, "post": "yes"}


BOOKS = "/admin/bookshop/book/"


class ShelfAdmin(admin.ModelAdmin):
    list_display = ("title", "in_stock")
    list_editable = ("in_stock",)
    ordering = ("pk",)
    actions = ("restock",)

    def restock(self, request, queryset):
        for book in queryset:
            self.log_change(request, book, "Restocked.")


@pytest.fixture
def shelf(settings):
    """The list of books in an admin site where it can be edited."""
    site = admin.AdminSite("shelf")
    site.register(Book, ShelfAdmin)
    settings.ROOT_URLCONF = (path("shelf/", site.urls),)
    return reverse("shelf:bookshop_book_changelist")


@contextmanager
def failure(signal, sender, title):
    """Let something fail when it comes to an object."""

    def fail(instance, **kwargs):
        if title in (str(instance), getattr(instance, "object_repr", None)):
            raise RuntimeError("the power fails")

    signal.connect(fail, sender=sender)
    yield
    signal.disconnect(fail, sender=sender)


# An event is published if, and only if, its change is committed.


def test_commit(log, bus, book):
    """An event is sent when its change is committed, and not before."""
    with transaction.atomic():
        log(book)
        bus.hears_of()
    bus.hears_of(book)


@pytest.mark.parametrize("page", ["add", "change", "delete"])
def test_rollback(posts, book_admin, bus, book, page):
    """A change that is rolled back is not announced."""
    form = book_admin.form | {"title": "Persuasion", "post": "yes"}
    url = f"{BOOKS}add/" if page == "add" else f"{BOOKS}{book.pk}/{page}/"
    name = "Emma" if page == "delete" else "Persuasion"
    with failure(post_save, LogEntry, name):
        posts(url, 500, **form)
    bus.hears_of()
    posts(url, 302, **form)
    bus.hears_of(name)


def test_savepoint(log, bus, author, book, order):
    """A change that is undone within a transaction is not announced, and others are."""
    with transaction.atomic():
        log(author)
        with transaction.atomic():
            log(book)
            transaction.set_rollback(True)
        log(order)
    bus.hears_of(author, order)


def test_list_editable(posts, shelf, bus, books):
    """Rows that are edited together are announced together, or not at all."""
    one, two = books(2)
    form = {"form-TOTAL_FORMS": 2, "form-INITIAL_FORMS": 2, "_save": "Save"}
    form |= {"form-0-id": one.pk, "form-1-id": two.pk}
    form |= {"form-0-in_stock": 3, "form-1-in_stock": 4}
    with failure(post_save, LogEntry, "Volume 2"):
        posts(shelf, 500, **form)
    bus.hears_of()
    posts(shelf, 302, **form)
    bus.hears_of("Volume 1", "Volume 2")


def test_custom_action(posts, shelf, bus, books):
    """What a project's own action logs is announced, or not at all if it fails."""
    form = selected(books(2), "restock")
    with failure(post_save, LogEntry, "Volume 2"):
        posts(shelf, 500, **form)
    bus.hears_of()
    posts(shelf, 302, **form)
    bus.hears_of("Volume 2", "Volume 1") if False else bus.hears_of(
        "Volume 1", "Volume 2"
    )


def test_other_database(log, bus, book, settings, tmp_path):
    """An event waits for the database of its object, wherever the log is kept."""
    connections.databases["archive"] = connections.databases["default"] | {
        "NAME": str(tmp_path / "archive.sqlite3")
    }
    settings.DATABASE_ROUTERS = [type("Router", (), {"db_for_write": archive})()]
    try:
        with transaction.atomic("archive"):
            log(book)
            bus.hears_of()
        bus.hears_of(book)
    finally:
        connections["archive"].close()
        del connections["archive"], connections.databases["archive"]


def archive(router, model, **hints):
    return "archive" if model is Book else None


# Redis costs no save, and no more than a moment.


def test_stopped(redis, book_admin):
    """The admin saves while Redis is down."""
    redis.stops()
    book_admin.adds("Persuasion")


def test_recovery(redis, book_admin):
    """When Redis is back, events are published again."""
    book_admin.adds("Persuasion")
    redis.stops()
    book_admin.adds("Emma")
    redis.recovers()
    with redis.bus() as bus:
        book_admin.adds("Lady Susan")
        bus.hears_of("Lady Susan")


def test_hanging(redis, stopwatch, book_admin):
    """The admin saves while Redis accepts connections and doesn't answer."""
    with stopwatch.learns():
        book_admin.adds("Persuasion")
    redis.hangs()
    with stopwatch.compares():
        book_admin.adds("Emma")


def test_hanging_for_long(redis, stopwatch, log, books):
    """A Redis that hangs is not waited for again and again."""
    volumes = books(100)
    with stopwatch.learns():
        for volume in volumes:
            log(volume)
    redis.hangs()
    with stopwatch.compares():
        for volume in volumes:
            log(volume)


def test_far_away(redis, stopwatch, log, books):
    """Events of one transaction are sent together, when Redis is far away."""
    volumes = books(100)
    with stopwatch.learns(), transaction.atomic():
        for volume in volumes:
            log(volume)
    redis.moves_away()
    with redis.bus() as bus:
        with stopwatch.compares(), transaction.atomic():
            for volume in volumes:
                log(volume)
        bus.hears_of(*volumes)


def test_no_redis(posts, book_admin, settings):
    """The admin saves even if the settings name a cache that has no Redis."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = settings.CACHES | {"bus": {"BACKEND": backend}}
    settings.REALTIME_CACHE = "bus"
    book_admin.adds("Persuasion")


def test_logged_once(redis, django_log, book_admin):
    """An outage is logged when it begins and when it ends, and not in between."""
    redis.stops()
    for title in ["Emma", "Persuasion", "Lady Susan"]:
        book_admin.adds(title)
    django_log.has_lines(1)
    redis.recovers()
    for title in ["Sanditon", "The Watsons"]:
        book_admin.adds(title)
    django_log.has_lines(2)


@pytest.mark.parametrize("password", ["s3cret", "s3cret/"], ids=["wrong", "unquoted"])
def test_password(redis, django_log, book_admin, settings, password):
    """The password in the URL of Redis is not logged, whatever is wrong with it."""
    url = redis.url.replace("//", f"//:{password}@")
    cache = settings.CACHES[settings.REALTIME_CACHE] | {"LOCATION": url}
    settings.CACHES = settings.CACHES | {settings.REALTIME_CACHE: cache}
    book_admin.adds("Persuasion")
    django_log.has_lines(1)
    django_log.keeps("s3cret")


# Whatever the admin does, there is one event for each object.


@pytest.mark.parametrize("number", [2, 100])
def test_deleting_many(posts, bus, books, number):
    """Objects that are deleted together are announced, each of them."""
    volumes = books(number)
    posts(BOOKS, **selected(volumes, "delete_selected"))
    bus.hears_of(*reversed(volumes))


def test_deleting_many_fails(posts, bus, books):
    """Objects that are to be deleted together, and are not, are not announced."""
    volumes = books(2)
    with failure(pre_delete, Book, "Volume 1"):
        posts(BOOKS, 500, **selected(volumes, "delete_selected"))
    bus.hears_of()
    posts(BOOKS, **selected(volumes, "delete_selected"))
    bus.hears_of(*reversed(volumes))
