"""A real browser: one page of Chromium, used as a person uses it."""

import re
import time
from types import TracebackType
from typing import Self

from playwright.sync_api import (
    ConsoleMessage,
    Error,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from tests import chromium

from .files import Wrong
from .terminal import QUIET

PATIENCE = 30.0  # seconds


class Browser:
    """A browser with one page, which is opened when it is first needed."""

    def __init__(self) -> None:
        self.playwright = sync_playwright()
        self.page: Page | None = None
        self.patience = PATIENCE
        self.console: list[str] = []
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.page is not None and self.page.context.browser is not None:
            self.page.context.browser.close()
            self.playwright.__exit__()

    def start(self) -> Page:
        """Return the page; start Chromium first if it doesn't run yet."""
        if self.page is None:
            self.page = chromium.launch(self.playwright.__enter__()).new_page()
            self.page.on("console", self.hear)
        self.page.set_default_timeout(self.patience * 1000)
        return self.page

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "log":
            self.console += message.text.splitlines()
        elif message.type == "error":
            self.errors.append(message.text)

    def do(self, verb: str, codes: tuple[str, ...]) -> None:
        """Do what an instruction says; if it cannot be done, raise Wrong."""
        page = self.start()
        try:
            match verb:
                case "open":
                    page.goto(codes[0])
                case "type":
                    field(page, codes[1]).fill(codes[0])
                case "select":
                    field(page, codes[1]).select_option(label=codes[0])
                case "click":
                    button(page, codes[0]).click()
                    page.wait_for_load_state()
                case "check":
                    body = page.locator("body")
                    expect(body).to_contain_text(codes[0], timeout=self.patience * 1000)
        except (Error, AssertionError) as error:
            raise Wrong(
                f"{error}\nThe page is {page.url} and says:\n{said(page)}"
            ) from (error)

    def paste(self, script: str) -> None:
        """Run a script as the console of the developer tools does."""
        page = self.start()
        self.console.clear()
        self.errors.clear()
        session = page.context.new_cdp_session(page)
        result = session.send(
            "Runtime.evaluate",
            {"expression": script, "replMode": True, "includeCommandLineAPI": True},
        )
        session.detach()
        if details := result.get("exceptionDetails"):
            exception = details.get("exception", {})
            raise Wrong(exception.get("description", details["text"]))

    def logged(self, count: int) -> list[str]:
        """Return what the console logged since the last call.

        Wait until it has a number of lines, and until nothing more comes.
        """
        page = self.start()
        deadline = time.monotonic() + self.patience
        while len(self.console) < count and time.monotonic() < deadline:
            page.wait_for_timeout(50)
        before = -1
        while before < len(self.console) and time.monotonic() < deadline:
            before = len(self.console)
            page.wait_for_timeout(QUIET * 1000)
        lines = self.console.copy()
        self.console.clear()
        return lines


def field(page: Page, label: str) -> Locator:
    """Return the field with this label; a colon may follow the label."""
    return page.get_by_label(re.compile(rf"^\s*{re.escape(label)}:?\s*$"))


def button(page: Page, name: str) -> Locator:
    """Return the button or the link with this name."""
    link = page.get_by_role("link", name=name, exact=True)
    return page.get_by_role("button", name=name, exact=True).or_(link)


def said(page: Page) -> str:
    return page.locator("body").inner_text()[:2000]
