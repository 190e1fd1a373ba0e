"""Take the pictures of the tutorial: the real page, and real events in it."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.live import ROOT, Live, code_folders_with, running
from tests.pages import change, log_in
from tests.tutorial.browser import ARGUMENTS

FOLDER = ROOT / "steps" / "pictures"

PICTURES: dict[str, dict[str, Any]] = {
    "feed.png": {"viewport": {"width": 720, "height": 700}},
    "feed-phone.png": {
        "viewport": {"width": 360, "height": 700},
        "color_scheme": "dark",
        "device_scale_factor": 2,
    },
}

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
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        admin = browser.new_page()
        log_in(admin, live.url, "alice")
        pages = {name: opened(browser, live, PICTURES[name]) for name in PICTURES}
        for step in CHANGES:
            change(admin, live.url, *step)
        for name, page in pages.items():
            expect(page.get_by_role("listitem")).to_have_count(len(CHANGES))
            picture = folder / name
            page.screenshot(path=picture, animations="disabled")
            yield picture
        browser.close()


def opened(browser: Browser, live: Live, options: dict[str, Any]) -> Page:
    """Return alice's page, which is live."""
    page = browser.new_page(locale="en-GB", **options)
    log_in(page, live.url, "alice")
    expect(page.get_by_role("status")).to_have_text("Live")
    return page


if __name__ == "__main__":
    sys.exit(main())
