"""Chromium: the browser with which the pages are tried and pictured."""

import shutil

from playwright.sync_api import Browser, Playwright

ARGUMENTS = [
    "--no-sandbox",
    "--headless=new",
    "--disable-background-networking",
    "--disable-gpu",
]


def launch(playwright: Playwright) -> Browser:
    """Start the browser that is installed; raise FileNotFoundError if there is none."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise FileNotFoundError("There is no Chromium: apt-get install chromium")
    return playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
