"""The shop, as Django in this process sees it. Import this when Django is set up."""

import io
from typing import NamedTuple

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, connection

from django_site.bookshop.management.commands.demo_data import PEOPLE
from steps.fixtures.tokens import get_token

from . import Problem, listed

MODELS = frozenset({"author", "book", "order"})
PASSWORD = "demo"


class Person(NamedTuple):
    """A user of the demo, what is promised to them, and the models they may see."""

    user: User
    promise: str
    sees: frozenset[str]

    @property
    def name(self) -> str:
        return self.user.username

    @property
    def may(self) -> str:
        """What they may see, in words."""
        if self.sees == MODELS:
            return "may see everything"
        return f"may see {listed(sorted(f'{model}s' for model in self.sees))}"

    def token(self) -> str:
        """Return a new token, which proves to the server who they are."""
        return get_token(self.user)


def prepare() -> None:
    """Create the tables and the demo data, as far as they are missing.

    Raise Problem if the database doesn't let us.
    """
    try:
        call_command("migrate", verbosity=0)
        call_command("demo_data", password=PASSWORD, stdout=io.StringIO())
    except DatabaseError as error:
        name = connection.settings_dict["NAME"]
        raise Problem(
            f"The database {name} cannot be used ({error}). "
            "Delete it, and run the demo again."
        ) from error


def people() -> list[Person]:
    """Return the users of the demo; Django's permissions say what each may see."""
    promises = {person.username: person.sees for person in PEOPLE}
    users = User.objects.in_bulk(list(promises), field_name="username")
    return [
        Person(users[name], promise, visible_to(users[name]))
        for name, promise in promises.items()
        if name in users
    ]


def visible_to(user: User) -> frozenset[str]:
    """Return the models of the shop that the user may view or change."""
    return frozenset(
        model
        for model in MODELS
        if user.has_perm(f"bookshop.view_{model}")
        or user.has_perm(f"bookshop.change_{model}")
    )


def person(name: str) -> Person:
    """Return the user of the demo with this name; raise Problem if there is none."""
    everyone = {person.name: person for person in people()}
    if name not in everyone:
        raise Problem(f"The demo has no user {name}. It has {listed([*everyone])}.")
    return everyone[name]
