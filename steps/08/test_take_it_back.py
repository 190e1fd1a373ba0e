"""Take it back: open connections follow what their users may see, and who they are."""

import asyncio
import json
import os
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.signals import user_logged_out
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection, connections, transaction

from steps.fixtures.people import permission
from steps.fixtures.tokens import get_token
from steps.fixtures.viewers import PROMISE, Viewer
from steps.grading import PATIENCE, Unmet


@pytest.fixture
def act(story):
    """A function that does something to the database, in a thread of its own."""

    async def act(told, deed, *args, **kwargs):
        story.append(told)
        await asyncio.to_thread(deed, *args, **kwargs)

    return act


@pytest.fixture
def shop(carol):
    """The order desk, to which Carol belongs, and the buyers, who may view books."""
    buyers = Group.objects.create(pk=1000, name="Buyers")  # which is no user's key
    buyers.permissions.add(permission("view_book"))
    return SimpleNamespace(
        carol=carol,
        desk=Group.objects.get(name="Order desk"),
        buyers=buyers,
        view_book=permission("view_book"),
        change_order=permission("change_order"),
    )


@pytest.fixture
def logs_out(client, story):
    """A function with which a user logs out, in some browser."""

    async def logs_out(user):
        await asyncio.to_thread(client.force_login, user)
        story.append(f"{user} logged out")
        await asyncio.to_thread(client.logout)

    return logs_out


class OwnBackend(BaseBackend):
    """An authentication backend of a project, which does what a test says."""

    judge = staticmethod(lambda user, perm: False)

    def has_perm(self, user_obj, perm, obj=None):
        return self.judge(user_obj, perm)


@pytest.fixture
def backend(settings, monkeypatch):
    """A function that tells an authentication backend how to judge users."""
    path = f"{OwnBackend.__module__}.{OwnBackend.__qualname__}"
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, path]

    def backend(judge):
        monkeypatch.setattr(OwnBackend, "judge", staticmethod(judge))

    return backend


@pytest.fixture(autouse=True)
def quick_hasher(settings):
    """A password is hashed in no time: these tests crack none."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def set_to(user, **values):
    """Change a user as the admin does, with a save of all fields."""
    user = User.objects.get(pk=user.pk)
    for name, value in values.items():
        setattr(user, name, value)
    user.save()


def set_password(user):
    user = User.objects.get(pk=user.pk)
    user.set_password("correct horse")
    user.save()


# What users may see


GIFTS = {
    "permission": lambda shop: shop.carol.user_permissions.add(shop.view_book),
    "from the permission": lambda shop: shop.view_book.user_set.add(shop.carol),
    "group": lambda shop: shop.carol.groups.add(shop.buyers),
    "from the group": lambda shop: shop.buyers.user_set.add(shop.carol),
    "to the group": lambda shop: shop.desk.permissions.add(shop.view_book),
    "permission to a group": lambda shop: shop.view_book.group_set.add(shop.desk),
    "everything": lambda shop: set_to(shop.carol, is_superuser=True),
}

LOSSES = {
    "group": lambda shop: shop.carol.groups.remove(shop.desk),
    "all groups": lambda shop: shop.carol.groups.clear(),
    "other groups": lambda shop: shop.carol.groups.set([shop.buyers]),
    "from the group": lambda shop: shop.desk.user_set.remove(shop.carol),
    "group without members": lambda shop: shop.desk.user_set.clear(),
    "group deleted": lambda shop: shop.desk.delete(),
    "of the group": lambda shop: shop.desk.permissions.remove(shop.change_order),
    "all of the group": lambda shop: shop.desk.permissions.clear(),
    "from a group": lambda shop: shop.change_order.group_set.remove(shop.desk),
    "from all groups": lambda shop: shop.change_order.group_set.clear(),
    "permission deleted": lambda shop: shop.change_order.delete(),
}

OWN_LOSSES = {
    "permission": lambda bob: bob.user_permissions.remove(permission("view_book")),
    "all permissions": lambda bob: bob.user_permissions.clear(),
    "from the user": lambda bob: permission("view_book").user_set.remove(bob),
    "from all users": lambda bob: permission("view_book").user_set.clear(),
}


@pytest.mark.parametrize("deed", GIFTS.values(), ids=GIFTS)
async def test_given(watch, act, shop, book, deed):
    """What a user is given, in any way, they see on their open connections."""
    carol = await watch(shop.carol)
    await carol.sees_nothing_of(book)
    await act("carol came to see books", deed, shop)
    await carol.comes_to_see(book)
    await carol.stays()


@pytest.mark.parametrize("deed", LOSSES.values(), ids=LOSSES)
async def test_taken(watch, act, shop, order, deed):
    """What a group loses, in any way, its members see no more."""
    carol = await watch(shop.carol)
    await carol.comes_to_see(order)
    await act("carol lost sight of orders", deed, shop)
    await carol.ceases_to_see(order)
    await carol.stays()


@pytest.mark.parametrize("deed", OWN_LOSSES.values(), ids=OWN_LOSSES)
async def test_taken_from_user(watch, act, bob, book, deed):
    """What a user loses, in any way, they see no more."""
    viewer = await watch(bob)
    await viewer.comes_to_see(book)
    await act("bob lost sight of books", deed, bob)
    await viewer.ceases_to_see(book)
    await viewer.stays()


async def test_no_superuser(watch, act, dave, book):
    """Who is no superuser any more sees what they may see, and no more."""
    dave.is_superuser = True
    await dave.asave()
    viewer = await watch(dave)
    await viewer.comes_to_see(book)
    await act("dave was made an ordinary user", set_to, dave, is_superuser=False)
    await viewer.ceases_to_see(book)
    await viewer.stays()


async def test_staff(watch, act, backend, dave, order):
    """The backends of the project decide, also on what the staff may see."""
    backend(lambda user, perm: user.is_staff and perm == "bookshop.view_order")
    viewer = await watch(dave)
    await viewer.comes_to_see(order)
    await act("dave left the staff", set_to, dave, is_staff=False)
    await viewer.ceases_to_see(order)
    await viewer.stays()


async def test_new_content_type(join, act, alice):
    """A superuser sees the models that come later, too."""
    client = await join(alice)
    await act("a model was added to the shop", log_review, alice)
    await client.hears_of("A fine book")


def log_review(user):
    review = ContentType.objects.create(app_label="bookshop", model="review")
    log(user, review, object_repr="A fine book")


def log(user, content_type, **values):
    LogEntry.objects.create(
        user=user, content_type=content_type, action_flag=CHANGE, **values
    )


# Who users are


ENDS = {
    "deactivated": (set_to, {"is_active": False}),
    "deleted": (User.delete, {}),
    "another password": (set_password, {}),
}


@pytest.mark.parametrize(("deed", "values"), ENDS.values(), ids=ENDS)
async def test_shut_out(watch, act, bob, carol, deed, values):
    """Who is deactivated, deleted or given another password must log in again."""
    viewer, other = await watch(bob), await watch(carol)
    await act("bob had to log in again", deed, bob, **values)
    await viewer.is_shut_out()
    await other.stays()


async def test_logout(watch, logs_out, bob, carol):
    """Who logs out must log in again, wherever they are connected."""
    one, two, other = await watch(bob), await watch(bob), await watch(carol)
    await logs_out(bob)
    await one.is_shut_out()
    await two.is_shut_out()
    await other.stays()


async def test_logouts_together(watch, act, bob, carol):
    """Those who log out in the same transaction must log in again, all of them.

    They see nothing of what happens in it.
    """

    def log_out(*users):
        with transaction.atomic():
            for user in users:
                user_logged_out.send(sender=User, request=None, user=user)
            log(bob, ContentType.objects.get(model="book"), object_repr="Emma")

    viewers = [await watch(bob), await watch(carol)]
    await act("bob and carol logged out together", log_out, bob, carol)
    for viewer in viewers:
        await viewer.is_shut_out()


# While they connect


@pytest.mark.parametrize(
    "query",
    ['"auth_user_user_permissions"', 'FROM "django_content_type"'],
    ids=["early", "late"],
)
async def test_password_meanwhile(
    watch, connect, act, logs_out, bob, carol, slow_database, query
):
    """Who gets another password while they connect does not come in."""
    slow_database.holds = "no query yet"
    witness = await watch(carol)
    slow_database.holds = query
    client = await connect(witness.clients[0].server)
    await client.sends(get_token(bob), "a valid token of bob")
    await slow_database.is_asked()
    await act("bob got another password", set_password, bob)
    await logs_out(carol)
    await witness.is_shut_out()  # so the server has heard of bob, too
    slow_database.answers()
    await Viewer(bob, [client]).is_shut_out()


async def test_group_meanwhile(watch, backend, carol, order):
    """What a user loses while they connect, they do not see."""

    def lose(user, perm):
        backend(lambda user, perm: False)
        carol.groups.clear()

    backend(lose)
    viewer = await watch(carol)
    await viewer.ceases_to_see(order)
    await viewer.stays()


async def test_logout_meanwhile(watch, connect, logs_out, bob, slow_database):
    """Who logs out while they connect does not come in."""
    slow_database.holds = "no query yet"
    witness = await watch(bob)
    slow_database.holds = '"auth_user_user_permissions"'
    client = await connect(witness.clients[0].server)
    await client.sends(get_token(bob), "a valid token of bob")
    await slow_database.is_asked()
    await logs_out(bob)
    await witness.is_shut_out()
    slow_database.answers()
    await Viewer(bob, [client]).is_shut_out()


# What Django says, and when


def test_commit(bob, notices):
    """Servers hear of a change when it is committed, and never if it is not."""
    with transaction.atomic():
        set_to(bob, is_active=False)
        notices.hears(0)
    notices.hears(1)
    with transaction.atomic():
        set_to(bob, is_active=True)
        transaction.set_rollback(True)
    notices.hears(0)


def test_users_elsewhere(second_database, notices, story):
    """Servers hear of a change when it is committed in the database of the users."""
    models = [ContentType, Permission, Group, User]
    alias = second_database(*models)
    with connections[alias].schema_editor() as editor:
        for model in models:
            editor.create_model(model)
    erin, editors = User.objects.create(username="erin"), Group.objects.create()
    deeds = {
        "erin was saved": erin.save,
        "erin joined a group": lambda: erin.groups.add(editors),
        "a group was deleted": editors.delete,
        "erin logged out": lambda: user_logged_out.send(User, request=None, user=erin),
    }
    for told, deed in deeds.items():
        story.append(told)
        with transaction.atomic(alias):
            deed()
            notices.hears(0)
        notices.hears(1)


def test_login(client, bob, notices):
    """A login is no news: it changes nothing about what a user may see."""
    client.force_login(bob)
    client.logout()
    notices.hears(1)
    client.logout()
    notices.hears(0)


@pytest.mark.parametrize("field", ["is_active", "is_staff", "is_superuser", "password"])
def test_fields(bob, notices, field):
    """A save of one field is news, if access follows from it."""
    bob.save(update_fields=["email"])
    notices.hears(0)
    bob.save(update_fields=[field])
    notices.hears(1)


@pytest.fixture
def crowd(transactional_db):
    """Three hundred users."""
    return User.objects.bulk_create(User(username=f"user{n}") for n in range(300))


def save_all(crowd, shop):
    with transaction.atomic():
        for user in crowd:
            user.save()


def log_all(crowd, shop):
    content_type = ContentType.objects.get_for_model(User)
    with transaction.atomic():
        for user in crowd:
            log(user, content_type)
            user.save()


BURSTS = {
    "a loop": save_all,
    "a logged loop": log_all,
    "a new group": lambda crowd, shop: shop.desk.user_set.add(*crowd),
    "a group": lambda crowd, shop: shop.desk.permissions.add(shop.view_book),
}


@pytest.mark.parametrize("deed", BURSTS.values(), ids=BURSTS)
def test_burst(crowd, shop, notices, deed, story):
    """What happens to hundreds of users at once is one small notice."""
    shop.desk.user_set.set(crowd[:100])
    notices.came()
    story.append("something happened to 300 users at once")
    deed(crowd, shop)
    [notice] = notices.hears(1)
    if len(notice.text) > 1000:
        came = f"{len(notice.text)} bytes"
        raise Unmet("a notice of no more than 1000 bytes", came, story)


def test_secrets(bob, notices, story):
    """Everybody who reads the bus learns which users changed, and nothing else."""
    set_password(bob)
    [notice] = notices.hears(1)
    bob.refresh_from_db()
    for secret in [bob.username, bob.password, bob.get_session_auth_hash()]:
        if secret in notice.text.decode():
            raise Unmet("a notice of a key", notice.text.decode(), story)


# What no signal tells of


def deactivate_all(users):
    User.objects.filter(pk__in=[user.pk for user in users]).update(is_active=False)


def strip(bob):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM auth_user_user_permissions")


async def test_check(watch, act, bob, book, limits):
    """What is changed behind Django's back is found by a check, again and again."""
    limits(CHECK_PERIOD=0.1)
    viewer = await watch(bob)
    await viewer.comes_to_see(book)
    await act("somebody changed a table", strip, bob)
    await viewer.ceases_to_see(book)
    await viewer.stays()


def update(bob, **values):
    User.objects.filter(pk=bob.pk).update(**values)


UPDATES = {
    "deactivated": (update, {"is_active": False}),
    "another password": (update, {"password": "!"}),
    "deleted": (lambda bob: User.objects.filter(pk=bob.pk)._raw_delete("default"), {}),
}


@pytest.mark.parametrize(("deed", "values"), UPDATES.values(), ids=UPDATES)
async def test_check_of_users(
    watch, act, bob, carol, limits, slow_database, deed, values, story
):
    """The check shuts out whom it would not let in.

    However many users there are, it asks about those who are connected.
    """
    slow_database.holds = 'FROM "auth_user"'
    slow_database.answers()
    limits(CHECK_PERIOD=0.1)
    await act("bob lost his permissions", bob.user_permissions.clear)
    viewer, other = await watch(bob), await watch(carol)
    await act("somebody changed a table", deed, bob, **values)
    await viewer.is_shut_out()
    await other.stays()
    if any("WHERE" not in sql for sql, _params in slow_database.held):
        raise Unmet("questions about users who are connected", "one about all", story)


@pytest.mark.parametrize(
    "deed",
    [
        lambda bob: set_to(bob, is_superuser=True),
        lambda bob: bob.user_permissions.add(permission("view_author")),
    ],
    ids=["saved", "permission"],
)
async def test_nobody_else(watch, act, bob, carol, author, deed):
    """What concerns one user has no other user checked: that is left to the period."""
    viewer, other = await watch(bob), await watch(carol)
    await act("somebody changed a table", update, carol, is_active=False)
    await act("bob came to see authors", deed, bob)
    await viewer.comes_to_see(author)
    await other.stays()


async def test_spread(start_server, join, act, limits, story):
    """The check of many is spread over its period."""
    limits(CHECK_PERIOD=0.5)
    server = await start_server()
    users = [await User.objects.acreate(username=f"user{n}") for n in range(5)]
    viewers = [Viewer(user, [await join(user, server)]) for user in users]
    await act("somebody deactivated all", deactivate_all, users)
    ends = await asyncio.gather(*map(end, viewers))
    if max(ends) - min(ends) < 0.1:
        raise Unmet("one after the other", "all at once", story)


async def end(viewer):
    await viewer.is_shut_out()
    return asyncio.get_running_loop().time()


# What it costs


@pytest.fixture
def about_everybody(shop, notices, limits):
    """A notice that asks for a check of everybody, and nothing else does."""
    notices.came()
    shop.desk.permissions.add(shop.view_book)
    [notice] = notices.hears(1)
    limits(CHECK_PERIOD=3600)
    return notice


@pytest.fixture
def members(shop):
    """A function that creates members of the order desk."""

    def members(number):
        users = [User(username=f"{n} of {number}") for n in range(number)]
        users = User.objects.bulk_create(users)
        shop.desk.user_set.add(*users)
        return users

    return members


async def test_queries(join, act, about_everybody, notices, members, queries, story):
    """A check of everybody takes a few queries, however many are connected.

    Then the server rests.
    """
    crowds = [await asyncio.to_thread(members, number) for number in [3, 2, 20]]
    came = []
    for users in crowds:  # at first, there is also the check of a server that starts
        *_, last = [Viewer(user, [await join(user)]) for user in users]
        await act("one of them was deactivated", deactivate_all, [last.user])
        queries.number = 0
        notices.publishes(*about_everybody)
        await last.is_shut_out()
        came.append(queries.number)
    _first, few, many = came
    if few != many:
        raise Unmet(f"{few} queries for all", f"{many} queries", story)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(0.2)  # the measure is what it does in this time
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    if share > 0.3:
        raise Unmet(
            "a server at rest", f"one that works {share:.0%} of the time", story
        )


async def test_batches(
    join, act, about_everybody, notices, members, limits, queries, story
):
    """Many are checked in several batches, which are not too large for a database."""
    limits(CHECK_BATCH=2)
    users = await asyncio.to_thread(members, 5)
    viewers = [Viewer(user, [await join(user)]) for user in users]
    await act("all of them were deactivated", deactivate_all, users)
    queries.number = 0
    notices.publishes(*about_everybody)
    for viewer in viewers:
        await viewer.is_shut_out()
    if queries.number < 9:
        raise Unmet("a few queries for each batch", f"{queries.number} in all", story)


async def test_coalesced(
    watch,
    logs_out,
    act,
    bob,
    carol,
    dave,
    about_everybody,
    notices,
    queries,
    slow_database,
):
    """However many notices come while a check runs, one more check does for all."""
    slow_database.holds = "no query yet"
    viewer, witness = await watch(bob), await watch(dave)
    slow_database.holds = '"auth_user_groups"'
    for _time in range(100):
        notices.publishes(*about_everybody)
    await slow_database.is_asked()
    await logs_out(dave)
    await witness.is_shut_out()  # so the servers have heard of all that was before
    queries.number = 0
    slow_database.answers()
    late = await watch(carol)
    await act("carol was deactivated", set_to, carol, is_active=False)
    await late.is_shut_out(within=PATIENCE)
    if queries.number > 100:
        raise Unmet("at most 100 queries", f"{queries.number} queries", viewer.story)
    await viewer.stays()


async def test_leavers(
    watch, logs_out, act, bob, dave, about_everybody, notices, slow_database
):
    """Who leaves while a check runs spares nobody else."""
    slow_database.holds = "no query yet"
    viewers = [await watch(user) for user in [dave, bob] * 4]
    await act("somebody changed a table", update, bob, is_active=False)
    slow_database.holds = '"auth_user_groups"'
    notices.publishes(*about_everybody)
    await slow_database.is_asked()
    await logs_out(dave)
    for leaver in viewers[::2]:
        await leaver.is_shut_out()
    slow_database.answers()
    for viewer in viewers[1::2]:
        await viewer.is_shut_out()
    for client in viewers[0].clients:
        await client.server.has_registered(1)  # alice, who looks on


# What may fail


async def test_malformed(watch, act, shop, notices, order):
    """A notice that makes no sense is skipped, whoever sent it."""
    carol = await watch(shop.carol)
    notices.came()
    await act("something changed", set_to, shop.carol, is_staff=False)
    [(channel, text)] = notices.hears(1)
    notices.publishes(channel, *GARBAGE, *distorted(json.loads(text)))
    await carol.comes_to_see(order)
    await act("carol lost sight of orders", shop.desk.delete)
    await carol.ceases_to_see(order)
    await carol.stays()


GARBAGE = [b"", b"no JSON", b"null", b"[]", b"{}", b"7", b"\xff", b"[" * 100_000]


def distorted(notice):
    """Return notices in which one value is missing, or of the wrong type."""
    for key in notice:
        yield json.dumps({name: notice[name] for name in notice.keys() - {key}})
        for value in [None, 7, "all", [7], [[]], {}, [{}]]:
            yield json.dumps(notice | {key: value})


async def test_redis_stopped(redis, limits, watch, act, bob, carol):
    """What servers missed while Redis was down, they look up when it is back."""
    limits(CHECK_PERIOD=3600)
    viewer, other = await watch(bob), await watch(carol)
    redis.stops()
    await act("bob was deactivated", set_to, bob, is_active=False)
    await viewer.stays()
    redis.returns()
    await viewer.is_shut_out(within=PATIENCE)
    await other.stays()


async def test_database_down(
    watch, act, failing_database, queries, limits, django_log, bob, carol, story
):
    """While the database is down, everybody stays, and the check is tried again."""
    limits(LOG_INTERVAL=0)
    viewer, other = await watch(bob), await watch(carol)

    def deactivate():
        with transaction.atomic():
            set_to(bob, is_active=False)
            failing_database.fails()

    await act("bob was deactivated", deactivate)
    try:
        start = asyncio.get_running_loop().time()
        await queries.reach(4)
        if asyncio.get_running_loop().time() - start < 0.5:
            raise Unmet("a pause after each failure", "4 at once", story)
        django_log.tells("Access cannot be checked (OperationalError)")
        await viewer.stays()
    finally:
        failing_database.recovers()
    await viewer.is_shut_out(within=PATIENCE)
    await other.stays()


async def test_backend_fails(watch, act, backend, shop, django_log, bob, book):
    """If a backend cannot tell what a user may see, they have to log in again."""
    viewer, carol = await watch(bob), await watch(shop.carol)

    def confused(user, perm):
        if user == bob:
            raise RuntimeError("the directory is confused")

    backend(confused)
    await act("both joined the buyers", shop.buyers.user_set.add, bob, shop.carol)
    await viewer.is_shut_out()
    nobody_knows = f"Nobody knows what user {bob.pk} may see."
    assert nobody_knows in django_log.lines("ERROR")
    await carol.comes_to_see(book)
    await carol.stays()


async def test_backend_waits(watch, act, backend, shop, bob, order):
    """If the database of a backend is down, users stay, and are checked again."""
    viewer, asked = await watch(bob), threading.Event()

    def down(user, perm):
        asked.set()
        raise OperationalError("the directory is down")

    backend(down)
    await act("bob joined the order desk", shop.desk.user_set.add, bob)
    await asyncio.to_thread(asked.wait, PROMISE)
    await viewer.stays()
    backend(lambda user, perm: False)
    await viewer.comes_to_see(order, within=PATIENCE)
    await viewer.stays()


# Users of another model


MODELS = """
from uuid import uuid4

from django.contrib.auth.models import (
    AbstractBaseUser,
    BaseUserManager,
    PermissionsMixin,
)
from django.db import models


class Person(AbstractBaseUser, PermissionsMixin):
    id = models.UUIDField(primary_key=True, default=uuid4)
    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    objects = BaseUserManager()
    USERNAME_FIELD = "email"


class Colleague(Person):
    class Meta:
        proxy = True


class Stranger(AbstractBaseUser):
    email = models.EmailField(unique=True)
    objects = BaseUserManager()
    USERNAME_FIELD = "email"
"""

SETTINGS = """
import os

import dj_database_url
from settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "people"]
AUTH_USER_MODEL = os.environ["USER_MODEL"]
SESAME_PRIMARY_KEY_FIELD = "email"
DATABASES = {"default": dj_database_url.parse(f"sqlite:///{__file__}.db")}
MIGRATION_MODULES = {name.split(".")[-1]: None for name in INSTALLED_APPS}
"""

SCRIPT = """
import asyncio
from contextlib import suppress

import django

django.setup()

from django.core.management import call_command
from people.models import Colleague
from realtime.access import make_token
from realtime.server import running
from websockets.asyncio.client import connect


async def main():
    colleague = await Colleague.objects.acreate(email="erin@example.com")
    async with running("127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with connect(url) as first:
            await first.send(make_token(colleague))
            await first.recv()  # so the server is past the check with which it starts
            async with connect(url) as websocket:
                await websocket.send(make_token(colleague))
                await websocket.recv()
                colleague.is_active = False
                await colleague.asave()
                with suppress(TimeoutError):
                    async with asyncio.timeout(2):
                        await websocket.wait_closed()
                print(websocket.close_code or "still open", flush=True)


call_command("migrate", run_syncdb=True, verbosity=0)
asyncio.run(main())
"""


async def test_user_model(python, tmp_path, story):
    """A project's own users will do, and proxies of them. Without groups, it starts."""
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "models.py").write_text(MODELS)
    (tmp_path / "own_settings.py").write_text(SETTINGS)
    (tmp_path / "own_users.py").write_text(SCRIPT)
    project = {
        "DJANGO_SETTINGS_MODULE": "own_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]),
    }
    colleague = await python(
        str(tmp_path / "own_users.py"), USER_MODEL="people.Person", **project
    )
    strangers = await python(
        *["-c", "import django; django.setup(); print('started')"],
        USER_MODEL="people.Stranger",
        **project,
    )
    await colleague.says("(1008)")
    await strangers.says("(started)")
