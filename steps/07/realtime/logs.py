"""Warnings that clients, or a bus, could cause a thousand times a second."""

import logging
import math
import time
from collections import Counter

from .conf import conf

HELD_BACK: Counter[str] = Counter()
LOGGED_AT: dict[str, float] = {}


def warn(logger: logging.Logger, text: str, *args: object) -> None:
    """Log a warning. If the same text was logged a moment ago, only count it."""
    now = time.monotonic()
    if now - LOGGED_AT.get(text, -math.inf) < conf().log_interval:
        HELD_BACK[text] += 1
        return
    LOGGED_AT[text] = now
    if held := HELD_BACK.pop(text, 0):
        text, args = f"{text} (and %d more before)", (*args, held)
    logger.warning(text, *args)


def is_news(record: logging.LogRecord) -> bool:
    """Tell whether asyncio says more than that it wrote to a client that is gone."""
    return record.msg != "socket.send() raised exception."
