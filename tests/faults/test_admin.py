"""People use the admin while Redis fails: every save is saved, none is announced twice.

What is rolled back is never announced, and what is deleted in bulk is, one by one.
"""

import asyncio
import time
from urllib.error import HTTPError

import pytest
from redis import Redis

from tests.browsing import Browser
from tests.faults.clients import Connect
from tests.faults.figures import Figures
from tests.faults.lab import PATIENCE, Broken, Lab
from tests.live import PASSWORD
from tests.real_redis import RealRedis


class Admin:
    """The admin, where Alice is logged in."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.added = 0
        self.browser = Browser(lab.opens_site())
        login = {"username": "alice", "password": PASSWORD}
        self.browser.submits("/admin/login/?next=/admin/", **login)

    def adds(self) -> float:
        """Add a group; expect the admin to go on; return how long that took."""
        self.added += 1
        start = time.monotonic()
        try:
            name = f"Group {self.added}"
            path = self.browser.submits("/admin/auth/group/add/", name=name)
        except HTTPError as error:
            error.close()
            raise Broken("the admin to save and go on", f"{error.code}") from None
        assert "/admin/auth/group/" == path
        return time.monotonic() - start

    def deletes(self, *keys: str) -> None:
        """Delete several authors at once, with the action for that."""
        path = self.browser.submits(
            "/admin/bookshop/author/",
            action="delete_selected",
            _selected_action=[*keys],
            post="yes",
        )
        assert "/admin/bookshop/author/" == path

    def saved(self) -> int:
        """Return how many of the groups are in the database."""
        groups = "Group.objects.filter(name__startswith='Group ')"
        query = "from django.contrib.auth.models import Group"
        return int(self.lab.executes(f"{query}; print({groups}.count())"))


@pytest.fixture
def admin(lab: Lab) -> Admin:
    """The admin of a running site."""
    return Admin(lab)


def usual(admin: Admin) -> float:
    """Return how long the admin takes to add a group; the first one takes longer."""
    return min([admin.adds() for _time in range(3)][1:])


@pytest.mark.parametrize("fault", ["down", "hung", "out of memory"])
async def test_redis_fails(
    lab: Lab,
    redis: RealRedis,
    admin: Admin,
    connect: Connect,
    figures: Figures,
    fault: str,
) -> None:
    """Everything is saved, at most half a second late; then events arrive again."""
    client = await connect(lab.serves(), "alice")
    before = usual(admin)
    await client.hears("Group 1", "Group 2", "Group 3")
    if fault == "down":
        redis.kill()
    elif fault == "hung":
        redis.freeze()
    else:
        with Redis.from_url(redis.url) as busy:
            busy.config_set("maxmemory", 1)
    slowest = max(admin.adds() for _time in range(4))
    assert 7 == admin.saved()
    late = max(0, slowest - before)
    figures.at_most(0.5, "the admin's delay", late, "s", 5)
    if fault == "hung":
        redis.thaw()
    elif fault == "down":
        redis.start()
    else:
        with Redis.from_url(redis.url) as busy:
            busy.config_set("maxmemory", 0)
    end = time.monotonic() + 2 * PATIENCE
    while not client.names or client.names[-1] != f"Group {admin.added}":
        if time.monotonic() > end:
            raise Broken("events again", f"none within {2 * PATIENCE} seconds")
        await asyncio.to_thread(admin.adds)  # Django leaves Redis alone for a while
        await asyncio.sleep(0.1)
        await client.stays()


ROLLBACK = """
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django_site.bookshop.models import Author

def add(name):
    author = Author.objects.create(name=name)
    LogEntry.objects.create(
        user=User.objects.get(username="alice"), object_id=author.pk,
        content_type=ContentType.objects.get_for_model(Author), object_repr=name,
        action_flag=ADDITION, change_message="Added.",
    )

try:
    with transaction.atomic():
        add("phantom")
        raise RuntimeError
except RuntimeError:
    with transaction.atomic():
        add("Mary Shelley")
"""


async def test_rollback(lab: Lab, connect: Connect) -> None:
    """What is rolled back is not announced."""
    client = await connect(lab.serves(), "alice")
    lab.executes(ROLLBACK)
    await client.hears("Mary Shelley")


AUTHORS = """
from django_site.bookshop.models import Author
authors = [Author(name=f"Author {{at:03}}") for at in range({number})]
print(*(author.pk for author in Author.objects.bulk_create(authors)))
"""


@pytest.mark.parametrize("number", [1, 2, 100])
async def test_delete_selected(
    lab: Lab, admin: Admin, connect: Connect, number: int
) -> None:
    """Each of the objects that are deleted together is announced, once."""
    client = await connect(lab.serves(), "alice")
    keys = lab.executes(AUTHORS.format(number=number)).split()
    admin.deletes(*keys)
    await client.expects(lambda: len(client.names) >= number, f"{number} events")
    await client.stays()  # more would be here by now
    expected = [f"Author {at:03}" for at in range(number)]
    if sorted(client.names) != expected:
        raise Broken(f"{number} events", "others")
