"""Never break Django: events tell the truth, and cost no save."""

import datetime
from contextlib import contextmanager
from uuid import UUID

import pytest
import time_machine
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.models.signals import post_save, pre_delete
from django.test.utils import CaptureQueriesContext, isolate_apps
from django.urls import path, reverse
from django.utils.translation import gettext_lazy, override

from django_site.bookshop.models import Book
from steps.fixtures.blame import expecting
from steps.grading import Unmet

UUID_KEY = UUID("12345678123456781234567812345678")


@pytest.fixture
def log(alice, story):
    """A function that logs a change of an object by Alice, as the admin does."""

    def log(changed, **values):
        story.append(f"alice changed {str(changed)!r}")
        with expecting("the log entry to be saved", story):
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
def posts(calm_browser, alice, story):
    """A function that posts a form to a page of the admin."""
    calm_browser.force_login(alice)

    def posts(page, status=302, language="en-gb", **form):
        story.append(f"alice posted {form} to {page}")
        response = calm_browser.post(page, form, headers={"Accept-Language": language})
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


def test_savepoint(log, bus, alice, author, book, order):
    """A change that is undone within a transaction is not announced, and others are."""
    with transaction.atomic():
        transaction.on_commit(lambda: None)  # a project may have hooks of its own
        log(author)
        with transaction.atomic():
            log(book)
            transaction.set_rollback(True)
        with transaction.atomic():
            log(order)
        log(alice)
    bus.hears_of(author, order, alice)


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
    bus.hears_of("Volume 1", "Volume 2")


def test_other_database(log, bus, book, second_database):
    """An event waits for the database of its object, wherever the log is kept."""
    with transaction.atomic(second_database(Book)):
        log(book)
        bus.hears_of()
    bus.hears_of(book)


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


def test_hanging_for_long(redis, stopwatch, django_log, book_admin):
    """A Redis that hangs is not waited for again and again, and all loss is counted."""
    titles = [f"Volume {number}" for number in range(1, 6)]
    with stopwatch.learns():
        for title in titles:
            book_admin.adds(title)
    redis.hangs()
    with stopwatch.compares():
        for title in titles:
            book_admin.adds(title)
    redis.recovers()
    book_admin.adds("Emma")
    django_log.tells("5 events")


def test_far_away(redis, stopwatch, log, books):
    """Events of one transaction are sent together, when Redis is far away."""
    volumes = books(20)
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
        redis.stays_down()
    django_log.has_lines(1)
    django_log.tells("Error")
    redis.recovers()
    for title in ["Sanditon", "The Watsons"]:
        book_admin.adds(title)
    django_log.has_lines(2)
    django_log.tells("3 events")


@pytest.mark.parametrize("password", ["s3cret", "s3cret/"], ids=["wrong", "unquoted"])
def test_password(redis, django_log, book_admin, settings, password):
    """The password in the URL of Redis is not logged, whatever is wrong with it."""
    redis.refuses()
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
    bus.hears_of(*sorted(volumes, key=str))


def test_deleting_many_fails(posts, bus, books):
    """Objects that are to be deleted together, and are not, are not announced."""
    volumes = books(2)
    with failure(pre_delete, Book, "Volume 1"):
        posts(BOOKS, 500, **selected(volumes, "delete_selected"))
    bus.hears_of()
    posts(BOOKS, **selected(volumes, "delete_selected"))
    bus.hears_of(*sorted(volumes, key=str))


def test_bulk(alice, bus, django_log, books, story):
    """Log entries that are written in bulk are announced, and no migration is needed.

    A migration may write log entries, too. They have no methods, and are no news.
    """
    entries = [entry(alice, volume) for volume in books(2)]
    past = MigrationLoader(connection).project_state().apps.get_model("admin.LogEntry")
    past.objects.bulk_create(past(**in_the_past(values)) for values in entries)
    django_log.has_lines(0)
    try:
        call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    except SystemExit:
        raise Unmet("no migration to be needed", "one that is", story) from None
    written = LogEntry.objects.bulk_create(LogEntry(**values) for values in entries)
    bus.hears_of("Volume 1", "Volume 2")
    assert ["Volume 1", "Volume 2"] == [each.object_repr for each in written]


def in_the_past(values):
    """Return values for a model of a migration, which relates to other such models."""
    keys = {f"{name}_id": values[name].pk for name in ["user", "content_type"]}
    return {
        name: values[name] for name in values.keys() - {"user", "content_type"}
    } | keys


def test_queries(posts, bus, books, story):
    """Announcing many objects takes no more queries than announcing a few."""
    came = []
    for number in [2, 2, 20]:  # at first, Django also looks up content types
        volumes = books(number)
        form = selected(volumes, "delete_selected")
        with CaptureQueriesContext(connection) as queries:
            posts(BOOKS, **form)
        bus.hears_of(*sorted(volumes, key=str))
        came.append(len(queries))
    _first, few, many = came
    if few != many:
        raise Unmet(f"{few} queries", f"{many} queries", story)


def test_fixture(log, bus, book, author, tmp_path):
    """Log entries that are loaded from a fixture are no news."""
    fixture = tmp_path / "log.json"
    fixture.write_text(serializers.serialize("json", [log(book)]))
    bus.hears_of(book)
    LogEntry.objects.all().delete()
    call_command("loaddata", fixture, verbosity=0)
    bus.hears_of()


def test_saved_again(log, bus, book):
    """A log entry that is saved again is no news."""
    again = log(book)
    again.save()
    bus.hears_of(book)


# An event is the same, whoever acts and whatever they act on.


@pytest.mark.parametrize(
    ("key", "text"),
    [(5, "5"), (UUID_KEY, str(UUID_KEY)), (None, "")],
    ids=["integer", "UUID", "none"],
)
def test_keys(log, bus, book, key, text):
    """An event gives the key of its object as text, whatever it is."""
    log(book, object_id=key)
    bus.hears_one_event(object_id=text)


def test_no_content_type(log, bus, django_log, book, author):
    """A log entry that is about no model is saved, and nobody hears of it."""
    log(book, content_type=None)
    log(author)
    bus.hears_of(author)
    django_log.has_lines(0)


def test_strange_message(log, bus, django_log, book, author):
    """A log entry that Django itself cannot read is saved, and only logged."""
    strange = log(book, change_message='["changed"]')
    log(author)
    bus.hears_of(author)
    django_log.has_lines(1)
    django_log.tells(f"{strange.pk}")


def test_deleting_oneself(posts, alice, bob, bus):
    """Users who delete themselves among others are still named."""
    posts("/admin/auth/user/", **selected([alice, bob], "delete_selected"))
    events = bus.hears_of("alice", "bob")
    assert ["alice", "alice"] == [event["user"] for event in events]


def test_language(posts, bus, author, settings):
    """An event is in the language of the site, and not in that of who acted."""
    locale = "django.middleware.locale.LocaleMiddleware"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, locale]
    form = {"name": "Jane Austen", "biography": "", "books-0-title": "Emma"}
    form |= {"books-TOTAL_FORMS": 1, "books-INITIAL_FORMS": 0}
    form |= {"books-0-published": "1815-12-23", "books-0-price": 8}
    form |= {"books-0-in_stock": 1}
    posts(f"/admin/bookshop/author/{author.pk}/change/", language="fr", **form)
    bus.hears_one_event(message="Added book “Emma”.")
    posts("/admin/auth/group/add/", language="fr", name="Order desk")
    bus.hears_one_event(model="group", message="Added.")
    settings.LANGUAGE_CODE = "fr"
    posts("/admin/auth/group/add/", name="Warehouse")
    bus.hears_one_event(model="groupe", message="Ajout.")


# A project's own code can publish events, too.


@pytest.fixture
def publish(story):
    """The function with which a project publishes an event about an object."""
    from realtime.events import publish

    def told(subject, message, **options):
        story.append(f"somebody called publish() with {str(subject)!r}, {message!r}")
        publish(subject, message, **options)

    return told


def test_publish(publish, bus, order, bob):
    """A project publishes an event about any object, in one line."""
    publish(order, "Paid.", user=bob)
    bus.hears_one_event(
        model="order",
        object=str(order),
        message="Paid.",
        user="bob",
        content_type_id=ContentType.objects.get_for_model(order).pk,
        object_id=str(order.pk),
    )


@time_machine.travel("2026-01-01T12:00Z", tick=False)
def test_publish_time(publish, bus, order):
    """What a project publishes happens now, and needs no user."""
    publish(order, "Paid.")
    bus.hears_one_event(user="", timestamp="2026-01-01T12:00:00+00:00")


def test_publish_rollback(publish, bus, book, second_database):
    """What a project publishes is sent if its transaction is committed."""
    archive = second_database(Book)
    with transaction.atomic(archive):
        publish(book, "Paid.")
        transaction.set_rollback(True, archive)
    with transaction.atomic(archive):
        publish(book, "Sold.")
        bus.hears_of()
    bus.hears_of(book)


def test_publish_stopped(publish, redis, order):
    """What a project publishes is lost while Redis is down, without an exception."""
    redis.stops()
    publish(order, "Paid.")


def test_publish_language(publish, bus, order, settings):
    """What a project publishes is in the language of the site."""
    settings.LANGUAGE_CODE = "fr"
    with override("de"):
        publish(order, gettext_lazy("Change"))
    bus.hears_one_event(message="Modification")


@isolate_apps("django_site.bookshop")
def test_publish_proxy(publish, bus, book):
    """An event about an object of a proxy model names that model."""

    class Novel(Book):
        class Meta:
            app_label = "bookshop"
            proxy = True

    novel = Novel.objects.get(pk=book.pk)
    publish(novel, "Sold.")
    bus.hears_one_event(model="novel")
