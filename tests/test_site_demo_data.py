"""The demo data: a small shop, and four users who see different things."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client, override_settings

from django_site.bookshop.models import Author, Book, Order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def development() -> Iterator[None]:
    """Run with DEBUG on, as in development, and with a quick password hasher."""
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(DEBUG=True, PASSWORD_HASHERS=hashers):
        yield


def demo_data(*arguments: str) -> str:
    """Run the command; return what it prints."""
    output = io.StringIO()
    call_command("demo_data", *arguments, stdout=output, no_color=True)
    return output.getvalue()


def everything() -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table."""
    return {
        model._meta.db_table: list(model._default_manager.values_list().order_by("pk"))
        for model in apps.get_models(include_auto_created=True)
    }


def update(user: User, **values: bool) -> None:
    """Write these values of the user to the database."""
    User.objects.filter(pk=user.pk).update(**values)


def rights(username: str) -> tuple[bool, set[str]]:
    """Return whether the user may log in to the admin, and all their permissions."""
    user = User.objects.get(username=username)
    return user.is_active and user.is_staff, user.get_all_permissions()


def test_shop_is_filled() -> None:
    """The shop has a few authors, books and orders."""
    demo_data()
    assert 3 == Author.objects.count()
    assert 5 == Book.objects.count()
    assert 4 == Order.objects.count()


@pytest.mark.parametrize(
    ("username", "allowed"),
    [
        (
            "alice",
            {
                f"{model}/{page}"
                for model in [
                    "bookshop/author",
                    "bookshop/book",
                    "bookshop/order",
                    "auth/user",
                    "auth/group",
                ]
                for page in ["list", "save", "add", "delete"]
            },
        ),
        ("bob", {"bookshop/book/list"}),
        ("carol", {"bookshop/order/list", "bookshop/order/save"}),
        ("dave", set()),
    ],
)
def test_user_sees_what_is_promised(
    client: Client, username: str, allowed: set[str]
) -> None:
    """Each user may open precisely the admin pages that the table promises."""
    demo_data()
    assert client.login(username=username, password="demo")
    assert 200 == client.get("/admin/").status_code
    opened = set()
    for model in [Author, Book, Order, User, Group]:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        item = model._default_manager.earliest("pk")
        if client.get(f"/admin/{name}/").status_code == 200:
            opened.add(f"{name}/list")
        # An empty form is refused with an explanation to those who may save it.
        if client.post(f"/admin/{name}/{item.pk}/change/").status_code == 200:
            opened.add(f"{name}/save")
        if client.get(f"/admin/{name}/add/").status_code == 200:
            opened.add(f"{name}/add")
        if client.get(f"/admin/{name}/{item.pk}/delete/").status_code == 200:
            opened.add(f"{name}/delete")
    assert allowed == opened


def test_carol_ships_an_order(client: Client) -> None:
    """Carol changes the status of an order, though she may not see books."""
    demo_data()
    order = Order.objects.filter(status="new").earliest("pk")
    client.login(username="carol", password="demo")
    client.post(
        f"/admin/bookshop/order/{order.pk}/change/",
        {
            "customer_name": order.customer_name,
            "customer_email": order.customer_email,
            "book": order.book_id,
            "quantity": order.quantity,
            "status": "shipped",
        },
    )
    order.refresh_from_db()
    assert "shipped" == order.status


def test_carol_has_her_permissions_from_a_group() -> None:
    """Carol may change orders because she works at the order desk."""
    demo_data()
    carol = User.objects.get(username="carol")
    assert ["Order desk"] == [group.name for group in carol.groups.all()]
    assert 0 == carol.user_permissions.count()


def test_table_of_users_is_printed() -> None:
    """The command prints who may log in, how, and what they see."""
    lines = demo_data().splitlines()
    start = lines.index("User   Password  What the admin shows")
    assert [
        "alice  demo      everything: a superuser",
        "bob    demo      books, to view",
        "carol  demo      orders, to view and change",
        "dave   demo      nothing",
    ] == lines[start + 1 : start + 5]


def test_first_run_counts_what_it_creates() -> None:
    """The first run says how much it created, and names each thing when asked to."""
    with transaction.atomic():
        count = re.search(r"Created or put right: (\d+)", demo_data())
        transaction.set_rollback(True)
    names = re.findall(r"Created or put right: (\D.+)", demo_data("--verbosity", "2"))
    assert count is not None
    assert int(count[1]) == len(names)
    assert {"book Emma", "user alice"} < set(names)


def test_second_run_changes_nothing() -> None:
    """The second run changes nothing and says so."""
    demo_data()
    before = everything()
    assert "Nothing to do" in demo_data()
    assert before == everything()


def test_second_run_puts_back_what_is_missing() -> None:
    """What was deleted or edited since is put back, and named."""
    demo_data()
    Order.objects.all().delete()
    Book.objects.filter(title="Emma").delete()
    Group.objects.get(name="Order desk").permissions.clear()
    output = demo_data("--verbosity", "2")
    assert 5 == Book.objects.count()
    assert 4 == Order.objects.count()
    assert User.objects.get(username="carol").has_perm("bookshop.change_order")
    assert "book Emma" in output
    assert "group Order desk" in output
    assert "author" not in output


@pytest.mark.parametrize(
    ("username", "edit"),
    [
        ("alice", lambda user: update(user, is_superuser=False)),
        ("bob", lambda user: update(user, is_active=False)),
        ("bob", lambda user: update(user, is_staff=False)),
        ("bob", lambda user: user.user_permissions.clear()),
        ("carol", lambda user: user.groups.clear()),
        ("dave", lambda user: user.groups.set(Group.objects.all())),
        ("dave", lambda user: user.user_permissions.set(Permission.objects.all())),
        ("dave", lambda user: update(user, is_superuser=True)),
    ],
)
def test_second_run_puts_a_user_back(
    username: str, edit: Callable[[User], object]
) -> None:
    """A user whose rights were edited since has the promised ones again."""
    demo_data()
    before = rights(username)
    edit(User.objects.get(username=username))
    assert before != rights(username)
    assert f"user {username}" in demo_data("--verbosity", "2")
    assert before == rights(username)


def test_second_order_of_a_customer_does_no_harm() -> None:
    """A customer who orders the same book again doesn't stop the command."""
    demo_data()
    order = Order.objects.earliest("pk")
    order.pk = None
    order.save(force_insert=True)
    assert "Nothing to do" in demo_data()


def test_password_is_chosen(client: Client) -> None:
    """--password chooses the password of all four users, also for a second run."""
    demo_data()
    assert "correct horse" in demo_data("--password", "correct horse")
    for username in ["alice", "bob", "carol", "dave"]:
        assert not client.login(username=username, password="demo")
        assert client.login(username=username, password="correct horse")


@override_settings(DEBUG=False)
def test_refused_when_debug_is_off() -> None:
    """The command refuses to create users with a known password in production."""
    with pytest.raises(CommandError, match="DEBUG is off") as error:
        demo_data()
    assert "--force" in str(error.value)
    assert 0 == User.objects.count()


@override_settings(DEBUG=False)
def test_forced_when_debug_is_off() -> None:
    """--force runs the command with DEBUG off."""
    demo_data("--force")
    assert 4 == User.objects.count()


def test_missing_tables_are_explained(tmp_path: Path) -> None:
    """Without tables, one sentence says what to run first."""
    command = subprocess.run(
        [sys.executable, "-m", "django", "demo_data"],
        env={**os.environ, "DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite3"},
        capture_output=True,
        text=True,
    )
    assert (
        "CommandError: Tables are missing: run `python -m django migrate` first.\n"
    ) == command.stderr
    assert 1 == command.returncode


def test_help_teaches() -> None:
    """--help says what is created, for whom, and what the options do."""
    command = subprocess.run(
        [sys.executable, "-m", "django", "demo_data", "--help"],
        capture_output=True,
        text=True,
    )
    for word in ["alice", "bob", "carol", "dave", "--password", "--force", "DEBUG"]:
        assert word in command.stdout
