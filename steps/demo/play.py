"""The play: what alice does in the admin."""

from collections.abc import AsyncGenerator
from typing import NamedTuple

from .browser import Browser


class Act(NamedTuple):
    """What alice did, to an object of which model, which the admin calls what."""

    verb: str
    model: str
    object: str

    def __str__(self) -> str:
        return f"{self.verb} the {self.model} {self.object}"


async def acts(browser: Browser, mark: str = "") -> AsyncGenerator[Act]:
    """Do one thing after another in the admin; yield each one when it is done.

    What is added is deleted in the end. The mark becomes a part of all names.
    """
    author = {
        "name": f"Bram Stoker{mark}",
        "biography": "Irish author (1847-1912).",
        "books-TOTAL_FORMS": 0,  # the page of an author has a table of books
        "books-INITIAL_FORMS": 0,
    }
    author_key = await browser.adds("author", author)
    yield Act("adds", "author", f"Bram Stoker{mark}")

    book = {
        "title": f"Dracula{mark}",
        "author": author_key,
        "published": "1897-05-26",
        "price": "9.50",
        "in_stock": 3,
    }
    book_key = await browser.adds("book", book)
    yield Act("adds", "book", f"Dracula{mark}")
    await browser.changes("book", book_key, book | {"price": "8.50"})
    yield Act("changes", "book", f"Dracula{mark}")

    order = {
        "customer_name": "Ada",
        "customer_email": "ada@example.com",
        "book": book_key,
        "quantity": 1,
        "status": "new",
    }
    order_key = await browser.adds("order", order)
    yield Act("adds", "order", f"1 x Dracula{mark} for Ada")
    await browser.changes("order", order_key, order | {"status": "shipped"})
    yield Act("changes", "order", f"1 x Dracula{mark} for Ada")

    await browser.deletes("order", order_key)
    yield Act("deletes", "order", f"1 x Dracula{mark} for Ada")
    await browser.deletes("book", book_key)
    yield Act("deletes", "book", f"Dracula{mark}")
    await browser.deletes("author", author_key)
    yield Act("deletes", "author", f"Bram Stoker{mark}")
