"""Only those who may: events reach the users who may view or change the model."""

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_site.bookshop.models import Author, Book, Order
from steps.fixtures.people import permission
from steps.grading import Unmet


@pytest.fixture
def sees(story):
    """A function that expects a user to see some models of the shop, and no others."""

    def sees(user, *models):
        from realtime.access import get_content_types

        story.append(f"get_content_types() was asked about {user}")
        visible = get_content_types(User.objects.get(pk=user.pk))
        shop = ContentType.objects.get_for_models(Author, Book, Order)
        came = [model for model, type_ in shop.items() if type_.pk in visible]
        if set(came) != set(models):
            raise Unmet(names(models), names(came), story)

    return sees


def names(models):
    names = " and ".join(model.__name__ for model in models)
    return f"the content type id of {names}" if names else "no content type id"


def test_view_permission(sees, bob):
    """A user who may view a model sees its events."""
    sees(bob, Book)


def test_change_permission(sees, dave):
    """A user who may change a model sees its events."""
    dave.user_permissions.add(permission("change_author"))
    sees(dave, Author)


def test_group(sees, carol):
    """A user sees what the groups to which they belong may see."""
    sees(carol, Order)


def test_superuser(sees, alice):
    """A superuser sees everything."""
    sees(alice, Author, Book, Order)


def test_no_permission(sees, dave):
    """A user without permissions sees nothing."""
    sees(dave)


def test_other_permissions(sees, dave):
    """Permission to add or to delete is no permission to see."""
    dave.user_permissions.add(permission("add_book"), permission("delete_book"))
    sees(dave)


def test_queries(bob, story):
    """Three queries tell what a user may see, however many models there are."""
    from realtime.access import get_content_types

    story.append("get_content_types() was asked about bob")
    bob = User.objects.get(pk=bob.pk)
    with CaptureQueriesContext(connection) as queries:
        get_content_types(bob)
    if len(queries) != 3:
        raise Unmet("3 queries", f"{len(queries)} queries", story)


async def test_filter(join, change, alice, bob, carol, dave, book, order):
    """Each client hears of the events that its user may see, and of no others."""
    clients = {user: await join(user) for user in [alice, bob, carol, dave]}
    await change(order)
    await change(book)
    await clients[alice].hears_of(order)
    await clients[alice].hears_of(book)
    await clients[bob].hears_of(book)
    await clients[carol].hears_of(order)
    for client in clients.values():
        await client.hears_nothing_more()


@pytest.mark.until("08", "from step 08 on, open connections follow the permissions")
async def test_looked_up_once(join, change, alice, bob, book, order):
    """What a user may see is looked up when they connect, and not again."""
    before, witness = await join(bob), await join(alice)
    await bob.user_permissions.aadd(
        await Permission.objects.aget(codename="view_order")
    )
    after = await join(bob)
    await change(order)
    await witness.hears_of(order)
    await after.hears_of(order)
    await before.hears_nothing_more()


async def test_several_servers(start_server, join, change, alice, bob, carol, book):
    """Servers that share one Redis each serve their own clients."""
    one, other = await start_server(), await start_server()
    alice_there, bob_here = await join(alice, other), await join(bob, one)
    carol_here, carol_there = await join(carol, one), await join(carol, other)
    await change(book)
    await alice_there.hears_of(book)
    await bob_here.hears_of(book)
    for client in [alice_there, bob_here, carol_here, carol_there]:
        await client.hears_nothing_more()
