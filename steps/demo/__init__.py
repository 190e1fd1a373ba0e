"""The demo: the site, the server and the bus between them, in one command."""

from collections.abc import Mapping, Sequence

PATIENCE = 10  # seconds; what takes longer does not come


class Problem(Exception):
    """What keeps the demo from going on, in words for the reader."""


class HungUp(Problem):
    """A connection that ended because the process at its other end does, perhaps."""


def listed(names: Sequence[str]) -> str:
    """Return names as prose has them: alice, bob and carol; or nothing."""
    *others, last = names or ["nothing"]
    return f"{', '.join(others)} and {last}" if others else last


def at_step(step: str, texts: Mapping[str, str]) -> str:
    """Return the text of this step, or of the last one before it that has a text."""
    return texts[max(number for number in texts if number <= step)]
