"""The admin of the bookshop, as it is before anything is live."""

import datetime
from decimal import Decimal

import pytest
from django.db.models import Model
from django.forms import model_to_dict
from django.test import Client
from django.urls import reverse

from django_site.bookshop.models import Author, Book, Order

# What the page of an author posts when it shows no books.
NO_BOOKS = {"books-TOTAL_FORMS": 0, "books-INITIAL_FORMS": 0}

EDITS = [
    (Author, "name", "Mary Shelley"),
    (Book, "title", "Persuasion"),
    (Order, "status", "shipped"),
]


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    """A shop with one author, one book and one order."""
    author = Author.objects.create(name="Jane Austen", biography="English novelist.")
    book = Book.objects.create(
        title="Emma",
        author=author,
        published=datetime.date(1815, 12, 23),
        price=Decimal("8.99"),
        in_stock=3,
    )
    Order.objects.create(
        customer_name="Ruth Adeyemi",
        customer_email="ruth@example.com",
        book=book,
        quantity=2,
    )


def admin_url(model: type[Model], view: str, *args: object) -> str:
    return reverse(f"admin:bookshop_{model._meta.model_name}_{view}", args=args)


def test_home_page_leads_to_the_admin(client: Client) -> None:
    """The home page redirects to the admin."""
    response = client.get("/")
    assert (302, "/admin/") == (response.status_code, response["Location"])


def test_admin_asks_to_log_in(client: Client) -> None:
    """The admin sends a visitor who isn't logged in to its login page."""
    response = client.get("/admin/")
    assert "/admin/login/?next=/admin/" == response["Location"]


@pytest.mark.parametrize(("model", "field", "value"), EDITS)
def test_add(admin_client: Client, model: type[Model], field: str, value: str) -> None:
    """The admin adds an object."""
    form = model_to_dict(model._default_manager.get()) | {field: value}
    response = admin_client.post(admin_url(model, "add"), form | NO_BOOKS)
    assert 302 == response.status_code
    assert 2 == model._default_manager.count()
    assert 1 == model._default_manager.filter(**{field: value}).count()


@pytest.mark.parametrize(("model", "field", "value"), EDITS)
def test_change(
    admin_client: Client, model: type[Model], field: str, value: str
) -> None:
    """The admin changes an object."""
    item = model._default_manager.get()
    form = model_to_dict(item) | {field: value}
    response = admin_client.post(admin_url(model, "change", item.pk), form | NO_BOOKS)
    assert 302 == response.status_code
    item.refresh_from_db()
    assert value == getattr(item, field)


def test_delete(admin_client: Client) -> None:
    """The admin deletes an order, then its book, then its author."""
    for model in [Order, Book, Author]:
        url = admin_url(model, "delete", model._default_manager.get().pk)
        response = admin_client.post(url, {"post": "yes"})
        assert 302 == response.status_code
        assert 0 == model._default_manager.count()


@pytest.mark.parametrize("model", [Author, Book])
def test_delete_is_refused_while_needed(
    admin_client: Client, model: type[Model]
) -> None:
    """The admin refuses to delete the author of a book and the book of an order."""
    url = admin_url(model, "delete", model._default_manager.get().pk)
    admin_client.post(url, {"post": "yes"})
    assert 1 == model._default_manager.count()


def test_author_is_saved_with_books(admin_client: Client) -> None:
    """The page of an author adds books to the author."""
    author = Author.objects.get()
    form = model_to_dict(author) | {
        "books-TOTAL_FORMS": 1,
        "books-INITIAL_FORMS": 0,
        "books-0-title": "Persuasion",
        "books-0-published": "1817-12-20",
        "books-0-price": "7.99",
        "books-0-in_stock": "5",
    }
    admin_client.post(admin_url(Author, "change", author.pk), form)
    assert ["Emma", "Persuasion"] == [book.title for book in author.books.all()]


def test_order_for_no_copies_is_refused(admin_client: Client) -> None:
    """The admin refuses an order for zero copies."""
    form = model_to_dict(Order.objects.get()) | {"quantity": 0}
    response = admin_client.post(admin_url(Order, "add"), form)
    assert {"quantity"} == set(response.context["adminform"].errors)
    assert 1 == Order.objects.count()


@pytest.mark.parametrize(
    ("model", "words"),
    [(Author, "austen"), (Book, "austen"), (Order, "emma")],
)
def test_search(admin_client: Client, model: type[Model], words: str) -> None:
    """The admin finds authors by name, books by author, orders by book."""
    for query, found in [(words, 1), ("nobody", 0)]:
        response = admin_client.get(admin_url(model, "changelist"), {"q": query})
        assert found == response.context["cl"].result_count


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("Jane Austen", Author),
        ("Emma", Book),
        ("2 x Emma for Ruth Adeyemi", Order),
    ],
)
def test_text_of_an_object(text: str, model: type[Model]) -> None:
    """Objects call themselves what a bookseller would call them."""
    assert text == str(model._default_manager.get())
