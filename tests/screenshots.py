"""Take the pictures of the page: real events, on the pages of real users."""

import argparse
import base64
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import chromium
from tests.live import ROOT, code_folders_with, running
from tests.pages import change, log_in

FOLDER = ROOT / "steps" / "pictures"
GAP = 16  # pixels between pages that are shown side by side

PICTURES: dict[str, dict[str, Any]] = {
    "feed.png": {"viewport": {"width": 720, "height": 700}},
    "feed-phone.png": {
        "viewport": {"width": 360, "height": 700},
        "color_scheme": "dark",
        "device_scale_factor": 2,
    },
}

SIDE_BY_SIDE = "users.png"
USERS = {  # and how many of the changes each may see
    "alice": 4,
    "bob": 2,
    "carol": 1,
}
EACH = {"width": 320, "height": 620}

CHANGES = [  # model, object, field, new value
    ("author", "Mary Shelley", "Biography", "The author of Frankenstein."),
    ("order", "Hannah Fischer", "Quantity", "2"),
    ("book", "Jane Eyre", "In stock", "3"),
    ("book", "Emma", "Price", "7.99"),
]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.screenshots", description=__doc__
    )
    parser.add_argument(
        "--code", default="final", help="the code folder (default: final)"
    )
    parser.add_argument(
        "--to", type=Path, default=FOLDER, help="a folder (default: steps/pictures)"
    )
    options = parser.parse_args()
    if options.code not in code_folders_with("client.js"):
        print(f"There is no page in {options.code}.", file=sys.stderr)
        return 1
    options.to.mkdir(exist_ok=True)
    for picture in taken(options.code, options.to):
        print(picture)
    return 0


def taken(code: str, folder: Path) -> Iterator[Path]:
    """Take the pictures; yield the files."""
    with (
        tempfile.TemporaryDirectory() as data,
        running(code, Path(data)) as live,
        sync_playwright() as playwright,
    ):
        browser = chromium.launch(playwright)
        admin = browser.new_page()
        log_in(admin, live.url, "alice")
        pages = {
            name: opened(browser, live.url, "alice", **options)
            for name, options in PICTURES.items()
        }
        users = {name: opened(browser, live.url, name, viewport=EACH) for name in USERS}
        for step in CHANGES:
            change(admin, live.url, *step)
        for name, page in pages.items():
            yield save(folder / name, photograph(page, len(CHANGES)))
        photographs = [photograph(page, USERS[name]) for name, page in users.items()]
        yield save(folder / SIDE_BY_SIDE, side_by_side(browser, photographs))
        browser.close()


def opened(browser: Browser, url: str, username: str, **options: Any) -> Page:
    """Return the page of a user, which is live."""
    page = browser.new_page(locale="en-GB", **options)
    log_in(page, url, username)
    expect(page.get_by_role("status")).to_have_text("Live")
    return page


def photograph(page: Page, events: int) -> bytes:
    """Return a picture of the page when it shows so many events."""
    expect(page.get_by_role("listitem")).to_have_count(events)
    return page.screenshot(animations="disabled")


def side_by_side(browser: Browser, pictures: Iterable[bytes]) -> bytes:
    """Return one picture of several, from left to right."""
    images = [
        f'<img src="data:image/png;base64,{base64.b64encode(picture).decode()}">'
        for picture in pictures
    ]
    page = browser.new_page()
    style = f"display: inline-flex; gap: {GAP}px; background: silver"
    page.set_content(f'<div style="{style}">{"".join(images)}</div>')
    return page.locator("div").screenshot()


def save(file: Path, picture: bytes) -> Path:
    file.write_bytes(picture)
    return file


if __name__ == "__main__":
    sys.exit(main())
