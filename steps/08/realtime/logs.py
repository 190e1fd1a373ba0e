"""Warnings that clients, or a bus, could cause a thousand times a second."""

import logging
import time
from collections import Counter

from .conf import conf

HELD_BACK: Counter[str] = Counter()
QUIET_UNTIL: dict[str, float] = {}


def warn(logger: logging.Logger, text: str, *args: object) -> None:
    """Log a warning. If the same text was logged a moment ago, only count it."""
    now = time.monotonic()
    if now < QUIET_UNTIL.get(text, 0):
        HELD_BACK[text] += 1
        return
    QUIET_UNTIL[text] = now + conf().log_interval
    logger.warning(f"{text} (%d more before)", *args, HELD_BACK.pop(text, 0))
