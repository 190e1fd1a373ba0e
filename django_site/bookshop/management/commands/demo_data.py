"""Fill the shop with a few books and orders, and create four users."""

import datetime
from argparse import ArgumentParser
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.db.models import QuerySet

from django_site.bookshop.models import Author, Book, Order

AUTHORS = {
    "Charlotte Brontë": "English novelist and poet (1816-1855).",
    "Jane Austen": "English novelist (1775-1817).",
    "Mary Shelley": "English novelist (1797-1851), who wrote Frankenstein at nineteen.",
}

BOOKS = [  # title, author, published, price, in stock
    ("Emma", "Jane Austen", datetime.date(1815, 12, 23), "8.99", 12),
    ("Frankenstein", "Mary Shelley", datetime.date(1818, 1, 1), "7.50", 9),
    ("Jane Eyre", "Charlotte Brontë", datetime.date(1847, 10, 19), "9.99", 4),
    ("Pride and Prejudice", "Jane Austen", datetime.date(1813, 1, 28), "8.99", 20),
    ("Villette", "Charlotte Brontë", datetime.date(1853, 1, 28), "10.50", 0),
]

ORDERS = [  # customer, e-mail address, book, quantity, status
    ("Ruth Adeyemi", "ruth.adeyemi@example.com", "Emma", 1, Order.Status.SHIPPED),
    ("Tomás Pereira", "tomas@example.org", "Frankenstein", 2, Order.Status.PAID),
    ("Hannah Fischer", "h.fischer@example.net", "Jane Eyre", 1, Order.Status.NEW),
    ("Priya Nair", "priya.nair@example.com", "Emma", 3, Order.Status.NEW),
]

GROUPS = {"Order desk": {"view_order", "change_order"}}


class Person(NamedTuple):
    """A user, what the admin shows to them, and what makes it so."""

    username: str
    sees: str
    is_superuser: bool = False
    permissions: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


PEOPLE = [
    Person("alice", "everything: a superuser", is_superuser=True),
    Person("bob", "books, to view", permissions=frozenset({"view_book"})),
    Person("carol", "orders, to view and change", groups=frozenset({"Order desk"})),
    Person("dave", "nothing"),
]


class Command(BaseCommand):
    help = (
        "Fill the bookshop with a few authors, books and orders, and create four "
        "users who see different things in the admin: alice (a superuser), bob (may "
        "view books), carol (may view and change orders) and dave (nothing). Run it "
        "again at any time: what is missing is created, these four users get "
        "this password and these permissions again, all else stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--password",
            default="demo",
            help="the password of all four users (default: demo)",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="run although DEBUG is off, where anyone who reads this could log in",
        )

    def handle(
        self, *, password: str, force: bool, verbosity: int, **options: Any
    ) -> None:
        if not settings.DEBUG and not force:
            raise CommandError(
                "This creates a superuser with a known password, and DEBUG is off. "
                "If you mean it, add --force and a --password of your own."
            )
        tables = connection.introspection
        if set(tables.django_table_names()) - set(tables.table_names()):
            raise CommandError(
                "Tables are missing: run `python -m django migrate` first."
            )
        with transaction.atomic():
            changes = [*fill_shop(), *put_groups(), *put_people(password)]
        if verbosity > 1:
            for change in changes:
                self.stdout.write(f"Created or put right: {change}")
        elif changes:
            self.stdout.write(f"Created or put right: {len(changes)} (-v 2 names them)")
        if not changes:
            self.stdout.write("Nothing to do: all of it is there.")
        self.print_people(password)

    def print_people(self, password: str) -> None:
        """Print a table of who may log in, how, and what they see."""
        width = max(len(password), len("Password"))
        header = f"{'User':5}  {'Password':{width}}  What the admin shows"
        self.stdout.write(f"\n{self.style.MIGRATE_HEADING(header)}")
        for person in PEOPLE:
            username = self.style.SUCCESS(f"{person.username:5}")
            self.stdout.write(f"{username}  {password:{width}}  {person.sees}")


def fill_shop() -> Iterator[str]:
    """Create the authors, books and orders that are missing; yield their names."""
    for name, biography in AUTHORS.items():
        if not Author.objects.filter(name=name).exists():
            yield f"author {Author.objects.create(name=name, biography=biography)}"
    for title, name, published, price, in_stock in BOOKS:
        if not Book.objects.filter(title=title, author__name=name).exists():
            book = Book.objects.create(
                title=title,
                author=Author.objects.filter(name=name).earliest("pk"),
                published=published,
                price=Decimal(price),
                in_stock=in_stock,
            )
            yield f"book {book}"
    for customer, email, title, quantity, status in ORDERS:
        if not Order.objects.filter(customer_email=email, book__title=title).exists():
            order = Order.objects.create(
                customer_name=customer,
                customer_email=email,
                book=Book.objects.filter(title=title).earliest("pk"),
                quantity=quantity,
                status=status,
            )
            yield f"order {order}"


def put_groups() -> Iterator[str]:
    """Give the groups their permissions; yield the names of those that changed."""
    for name, codenames in GROUPS.items():
        group, created = Group.objects.get_or_create(name=name)
        permissions = bookshop_permissions(codenames)
        if created or set(group.permissions.all()) != set(permissions):
            group.permissions.set(permissions)
            yield f"group {group}"


def put_people(password: str) -> Iterator[str]:
    """Make the users as PEOPLE says; yield the names of those that changed."""
    for person in PEOPLE:
        user, _ = User.objects.get_or_create(username=person.username)
        permissions = bookshop_permissions(person.permissions)
        groups = Group.objects.filter(name__in=person.groups)
        if (
            user.is_active
            and user.is_staff
            and user.is_superuser == person.is_superuser
            and user.check_password(password)
            and set(user.user_permissions.all()) == set(permissions)
            and set(user.groups.all()) == set(groups)
        ):
            continue
        user.is_active = user.is_staff = True
        user.is_superuser = person.is_superuser
        user.set_password(password)
        user.save()
        user.user_permissions.set(permissions)
        user.groups.set(groups)
        yield f"user {user}"


def bookshop_permissions(codenames: frozenset[str] | set[str]) -> QuerySet[Permission]:
    """Return the permissions of the bookshop that have these codenames."""
    return Permission.objects.filter(
        content_type__app_label="bookshop", codename__in=codenames
    )
