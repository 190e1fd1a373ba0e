"""A browser, with which somebody works in the admin of the shop."""

from collections.abc import Mapping
from pathlib import PurePosixPath

import aiohttp

from . import HungUp, Problem

Form = Mapping[str, object]


class Browser:
    """A browser that fills in the forms of the admin and sends them."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def logs_in(self, username: str, password: str) -> None:
        credentials = {"username": username, "password": password}
        await self.submits("/admin/login/?next=/admin/", credentials)

    async def adds(self, model: str, form: Form) -> str:
        """Add an object of the shop; return its primary key."""
        # This button of the form leads to the page of the new object.
        stay = {"_continue": "Save and continue editing"}
        page = await self.submits(f"/admin/bookshop/{model}/add/", {**form, **stay})
        return PurePosixPath(page).parent.name  # from /admin/bookshop/book/1/change/

    async def changes(self, model: str, key: str, form: Form) -> None:
        await self.submits(f"/admin/bookshop/{model}/{key}/change/", form)

    async def deletes(self, model: str, key: str) -> None:
        confirmation = {"post": "yes"}
        await self.submits(f"/admin/bookshop/{model}/{key}/delete/", confirmation)

    async def submits(self, path: str, form: Form) -> str:
        """Open a page and send its form; return the path of the page that follows.

        Raise Problem if the admin doesn't take the form.
        """
        try:
            async with self.session.get(path) as page:
                page.raise_for_status()
                form = {**form, "csrfmiddlewaretoken": page.cookies["csrftoken"].value}
            async with self.session.post(
                path, data=form, allow_redirects=False
            ) as answer:
                answer.raise_for_status()
                return answer.headers["Location"]
        except aiohttp.ClientResponseError as error:
            raise Problem(f"The admin answered {error.status} to {path}.") from error
        except KeyError as error:
            raise Problem(f"The admin did not take the form of {path}.") from error
        except TimeoutError as error:
            raise Problem(f"The admin did not answer to {path} in time.") from error
        except aiohttp.ClientError as error:
            raise HungUp(f"The admin did not answer to {path}: {error!r}") from error
