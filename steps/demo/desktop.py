"""The reader's own browser."""

import os
import sys
import webbrowser


def shows(url: str) -> None:
    """Open a page in the reader's browser, where there is a screen for it."""
    screens = {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
    if screens or sys.platform in {"darwin", "win32"}:
        webbrowser.open(url)
