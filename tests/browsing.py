"""A browser of a few lines, to use the admin of a site that runs for real."""

import re
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import (
    BaseHandler,
    HTTPCookieProcessor,
    ProxyHandler,
    Request,
    build_opener,
)


class Browser:
    """A browser in which somebody uses the admin."""

    def __init__(self, site: str, *handlers: BaseHandler) -> None:
        self.site = site
        cookies = HTTPCookieProcessor(CookieJar())
        self.opener = build_opener(cookies, ProxyHandler({}), *handlers)

    def reads(self, path: str) -> str:
        """Return the HTML of a page."""
        with self.opener.open(f"{self.site}{path}") as response:
            return str(response.read().decode())

    def submits(self, path: str, form_on: str = "", **form: str | list[str]) -> str:
        """Fill in the form of a page and submit it; return where that leads to.

        The form may be on another page than the one it is sent to.
        """
        page = self.reads(form_on or path)
        token = re.findall('name="csrfmiddlewaretoken" value="(.+?)"', page)[-1]
        data = urlencode(form | {"csrfmiddlewaretoken": token}, doseq=True).encode()
        # Over HTTPS, Django asks which page of the site the form was on.
        request = Request(f"{self.site}{path}", data, {"Referer": self.site})
        with self.opener.open(request) as response:
            return str(response.url.removeprefix(self.site))
