"""What a user may see is taken back: by a signal at once, and else within a period."""

import asyncio
import time
from contextlib import suppress
from itertools import count

import pytest

from tests.browsing import Browser
from tests.faults.clients import Client, Connect
from tests.faults.figures import Figures
from tests.faults.lab import PATIENCE, Broken, Lab
from tests.live import PASSWORD

ORM = """
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
bob, carol = (User.objects.get(username=name) for name in ["bob", "carol"])
view = Permission.objects.get(codename="view_book")
"""
PERIOD = 2  # seconds

# By signal: the user, what is done, and whether the connection is closed.
REVOCATIONS = {
    "a permission": ("bob", "bob.user_permissions.remove(view)", False),
    "a group's permission": (
        "carol",
        "carol.groups.get().permissions.remove(view)",
        False,
    ),
    "deactivated": ("bob", "bob.is_active = False; bob.save()", True),
    "password": ("bob", "bob.set_password('another one'); bob.save()", True),
}
# Behind the back of the signals.
BOB = "WHERE username = 'bob'"
SQL = {
    "a permission": ("bob", "DELETE FROM auth_user_user_permissions", False),
    "a group's permission": ("carol", "DELETE FROM auth_group_permissions", False),
    "deactivated": ("bob", f"UPDATE auth_user SET is_active = false {BOB}", True),
    "password": ("bob", f"UPDATE auth_user SET password = 'x' {BOB}", True),
}


async def revoke(lab: Lab, code: str) -> float:
    """Execute code in another process; return when it was done."""
    done = "; import time; print(time.time())"
    return float(await asyncio.to_thread(lab.executes, f"{ORM}{code}{done}"))


async def is_revoked(
    clients: list[Client], witnesses: list[Client], lab: Lab, code: str, closed: bool
) -> float:
    """Revoke what clients may see, while events are published again and again.

    Return within how many seconds that had its effect. The witnesses, on the same
    servers, hear every event: when they do, the clients do, or don't.
    """
    revoking = asyncio.create_task(revoke(lab, code))
    end = time.monotonic() + 3 * PATIENCE
    for number in count():
        probe = f"probe {number}"
        lab.publishes(lab.event("probe", object_id=probe))
        for witness in witnesses:
            heard = lambda: witness.last_probe == probe  # noqa: B023, E731
            await witness.expects(heard, "a probe")
        for client in clients:
            with suppress(Broken):  # it may be about to be closed
                await client.stays()  # after the event, if there is one for it
        deaf = all(client.closed or client.last_probe != probe for client in clients)
        if deaf and revoking.done():
            break
        await asyncio.sleep(0.05)  # a client that says much is cut off
        if time.monotonic() > end:
            raise Broken("no events any more", f"some for {3 * PATIENCE} seconds")
    done = await revoking
    if closed:
        for client in clients:
            await client.is_closed(1008, "no longer authenticated")
    for client in clients:
        if client.closed != closed:
            raise Broken("a connection that stays open", "one that was closed")
    return max(
        0,
        *(client.closed_at - done for client in clients if closed),
        *(client.heard_at - done for client in clients),
    )


@pytest.mark.parametrize(
    ("user", "code", "closed"), REVOCATIONS.values(), ids=REVOCATIONS
)
async def test_by_signal(
    lab: Lab, connect: Connect, figures: Figures, user: str, code: str, closed: bool
) -> None:
    """A revocation in another process takes effect on every server in two seconds."""
    servers = [lab.serves(), lab.serves()]
    witnesses = [await connect(server, "alice") for server in servers]
    clients = [await connect(server, user) for server in servers]
    seconds = await is_revoked(clients, witnesses, lab, code, closed)
    figures.at_most(2, "until it was taken back", seconds, "s", 5)


async def test_logout(lab: Lab, connect: Connect, figures: Figures) -> None:
    """Who logs out on the site is no longer connected, on any server."""
    browser = Browser(lab.opens_site())
    login = {"username": "alice", "password": PASSWORD}
    browser.submits("/admin/login/?next=/admin/", **login)
    clients = [await connect(lab.serves(), "alice") for _server in range(2)]
    browser.submits("/admin/logout/", form_on="/admin/")
    done = time.time()
    for client in clients:
        await client.is_closed(1008, "no longer authenticated")
        late = max(0, client.closed_at - done)
        figures.at_most(2, "until it was taken back", late, "s", 5)


@pytest.mark.parametrize(("user", "sql", "closed"), SQL.values(), ids=SQL)
async def test_behind_its_back(
    lab: Lab, connect: Connect, figures: Figures, user: str, sql: str, closed: bool
) -> None:
    """What no signal tells of takes effect within the period of the checks."""
    server = lab.serves(REALTIME_CHECK_PERIOD=PERIOD)
    witness, client = await connect(server, "alice"), await connect(server, user)
    code = f"connection.cursor().execute({sql!r})"
    seconds = await is_revoked([client], [witness], lab, code, closed)
    figures.at_most(PERIOD, "until it was noticed", seconds, "s", 3)
