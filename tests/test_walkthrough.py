"""The walk-through: a reader who does only what the tutorial says gets to its end."""

from collections.abc import Iterator

import pytest

from tests.tutorial.browser import Browser
from tests.tutorial.document import Part, read_document
from tests.tutorial.reader import Reader, Stuck
from tests.tutorial.surroundings import (
    ROOT,
    copy_repository,
    environment,
    surroundings,
)

TUTORIAL = read_document((ROOT / "tutorial.md").read_text(encoding="utf-8"))


class Walk:
    """One reader, who reads part after part, and stops when stuck."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.ahead = [part for part in TUTORIAL.parts if part.actions]
        self.stuck_in: str | None = None

    def to_the_end_of(self, part: Part) -> str | None:
        """Read on to the end of a part; return what is in the way, if something is."""
        if self.stuck_in is not None:
            return f"not reached: the reader is stuck in {self.stuck_in}"
        while part in self.ahead:
            current = self.ahead.pop(0)
            print(f"\n## {current.title}")
            self.stuck_in = current.title
            try:
                self.reader.read(current)
            except Stuck as stuck:
                return str(stuck)
            self.stuck_in = None
        return None


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """A reader with a fresh copy of the repository."""
    copy = copy_repository(tmp_path_factory.mktemp("reader"))
    with (
        surroundings(),
        Browser() as browser,
        Reader(copy, environment(), browser, print) as reader,
    ):
        yield Walk(reader)


@pytest.mark.parametrize(
    "part",
    [part for part in TUTORIAL.parts if part.actions],
    ids=lambda part: part.title,
)
def test_part(walk: Walk, part: Part) -> None:
    """A reader who does what this part says sees what it shows, and has its code."""
    if complaint := walk.to_the_end_of(part):
        pytest.fail(complaint, pytrace=False)
