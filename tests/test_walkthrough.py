"""The walk-through: a reader who does only what the tutorial says gets to its end."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import sample
from tests.postgres import free_port
from tests.tutorial.__main__ import revised, write_down
from tests.tutorial.browser import Browser
from tests.tutorial.document import Part, read_document
from tests.tutorial.reader import Reader, Stuck
from tests.tutorial.surroundings import (
    ROOT,
    copy_repository,
    environment,
    link_environment,
    surroundings,
)
from tests.tutorial.terminal import Terminal
from tests.tutorial.transcripts import normal

TUTORIAL = read_document((ROOT / "tutorial.md").read_text(encoding="utf-8"))


class Walk:
    """One reader, who reads part after part, and stops when stuck."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.ahead = [part for part in TUTORIAL.parts if part.actions]
        self.stuck_in: str | None = None

    def reach_the_end_of(self, part: Part) -> None:
        """Read on to the end of a part, or tell what was in the way."""
        if self.stuck_in is not None:
            pytest.fail(f"not reached: the reader is stuck in {self.stuck_in}", False)
        while part in self.ahead:
            current = self.ahead.pop(0)
            print(f"\n## {current.title}")
            try:
                self.reader.read(current)
            except Stuck as stuck:
                self.stuck_in = current.title
                pytest.fail(str(stuck), pytrace=False)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """A reader with a fresh copy of the repository."""
    assert [] == TUTORIAL.faults
    with surroundings(), Browser() as browser:
        copy = copy_repository(tmp_path_factory.mktemp("reader"))
        with Reader(copy, environment(), browser, print) as reader:
            yield Walk(reader)


@pytest.mark.parametrize(
    "part",
    [part for part in TUTORIAL.parts if part.actions],
    ids=lambda part: part.title,
)
def test_walk(walk: Walk, part: Part) -> None:
    """A reader who does what this part says sees what it shows, and has its code."""
    walk.reach_the_end_of(part)


# The reader notices what is wrong: tried on a miniature of this repository

Follow = Callable[..., Reader]


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A browser that a test may use."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def follow(tmp_path: Path, browser: Browser) -> Iterator[Follow]:
    """A function that lets a reader follow a text in the miniature repository."""
    readers = []

    def follow(text: str, trusting: bool = False) -> Reader:
        document = read_document(text)
        assert [] == document.faults
        copy = sample.lay_out(tmp_path / "sample", text)
        if not (copy / ".venv").exists():
            link_environment(copy / ".venv")
        reader = Reader(copy, environment(), browser, print, trusting)
        reader.patience = 5
        readers.append(reader)
        for part in document.parts:
            reader.read(part)
        return reader

    yield follow
    for reader in readers:
        reader.__exit__(None, None, None)


def test_sample(follow: Follow) -> None:
    """Reader follows the sample to its end; what a solution does is discarded."""
    reader = follow(sample.TUTORIAL)
    assert not (reader.folder / "mine/realtime/hello.py").exists()
    assert sample.GREETING == (reader.folder / "mine/realtime/greeting.py").read_text()
    assert ["sample"] == [folder.name for folder in reader.folder.parent.iterdir()]


def test_what_came_is_written(follow: Follow) -> None:
    """Outputs that are wrong or left out become what came; times stay as they were."""
    text = sample.TUTORIAL
    for old, new in [
        ("realtime  settings.py\n", ""),
        (">>> 1 + 1\n2\n", ">>> 1 + 1\n3\n4\n"),
        ("Goodbye bob!\n```", "Hello bob!\n```"),
    ]:
        assert old in text
        text = text.replace(old, new)
    reader = follow(text, trusting=True)
    assert sample.TUTORIAL == revised(text, reader.outputs)
