"""What the demo shows on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count, cycle, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.text import Text

from .folder import ROOT

if TYPE_CHECKING:
    from .hearings import Hearing
    from .listeners import Event

console = Console(markup=False, highlight=False, emoji=False)
errors = Console(markup=False, highlight=False, emoji=False, stderr=True)
COLOURS = ["magenta", "cyan", "yellow", "blue"]
DETAIL = "default dim"
WIDTH = 100  # characters at most
RIGHT = Text("✔", style="bold green")
WRONG = Text("✘", style="bold red")


def says(text: str | Text, style: str = "") -> None:
    """Show a text whose lines are not to be broken."""
    console.print(text, style=style, soft_wrap=True)


def succeeds(text: str) -> None:
    says(f"\n✔ {text}", style="bold green")


def complains(text: str) -> None:
    errors.print(text, style="bold red", soft_wrap=True)


def relay(name: str) -> Callable[[str], None]:
    """Return a function that shows a line which the site or the server says."""
    prefix = f"{name:6} │ ", {"site": "cyan", "server": "magenta"}[name]
    return lambda line: says(Text.assemble(prefix, line))


# With a reader


def welcomes(places: Mapping[str, str], people: Iterable[tuple[str, str, str]]) -> None:
    """Show where to go, and as whom."""
    says("")
    for name, place in places.items():
        says(Text.assemble(f"  {name:12}", (place, "bold")))
    says(f"\n  {'Log in as':12}{'Password':10}What the admin shows", style="dim")
    for name, password, sees in people:
        says(Text.assemble((f"  {name:12}", "bold"), f"{password:10}{sees}"))


def listens(*, client: str, token: str) -> None:
    """Show how to listen to the server in a terminal."""
    says(
        "\nLog in as alice. To listen as bob, open another terminal in\n"
        f"{ROOT} and connect to the server:\n"
    )
    says(f"  {client}", style="green")
    says(
        "\nIn one more terminal, get a token for bob. "
        "Send it to the server before it expires:\n"
    )
    says(f"  {token}", style="green")


# By itself


class Mark(NamedTuple):
    """A text with a sign before it."""

    sign: Text
    text: Text


def heads(captions: Mapping[str, str]) -> None:
    """Show who listens, in a column each."""
    says("")
    columns(
        [Mark(Text(" "), Text.assemble((name, "bold"), "\n", (caption, DETAIL)))]
        for name, caption in captions.items()
    )


def greetings(texts: Iterable[str]) -> None:
    """Show how the server greets each user."""
    says("\neach user sends a token", style="bold")
    columns([Mark(RIGHT, Text(text))] for text in texts)


def acts(act: object) -> None:
    """Show what alice did."""
    says(f"\nalice {act}", style="bold")


def hears(hearings: Iterable[Hearing]) -> None:
    """Show what each listener heard of it."""
    columns(marks(hearing) for hearing in hearings)


def marks(hearing: Hearing) -> list[Mark]:
    marks = [Mark(RIGHT, described(event)) for event in hearing.right]
    marks += [Mark(WRONG, described(event)) for event in hearing.wrong]
    if hearing.missing:
        marks.append(Mark(WRONG, Text("nothing")))
    return marks or [Mark(Text("·", style=DETAIL), Text(" "))]


def described(event: Event) -> Text:
    about = f"{event.model}: {event.message}" if event.message else event.model
    return Text.assemble(f"{event.object}\n", (about, DETAIL))


def columns(cells: Iterable[list[Mark]]) -> None:
    """Show lists of marks side by side, each in a colour of its own."""
    cells = list(cells)
    width = min(console.width, WIDTH) // len(cells)
    columns = [lines(marks, width - 1) for marks in cells]
    for row in zip_longest(*columns, fillvalue=Text()):
        line = Text()
        for start, colour, part in zip(
            count(step=width), cycle(COLOURS), row, strict=False
        ):
            line.pad_right(start - len(line))
            line.append(Text(style=colour).append(part))
        line.rstrip()
        says(line)


def lines(marks: list[Mark], width: int) -> Iterator[Text]:
    """Yield the lines of marks, broken so that they fit into a column."""
    for mark in marks:
        sign = Text.assemble(mark.sign, " ")
        for line in mark.text.wrap(console, width - len(sign)):
            yield Text.assemble(sign, line)
            sign = Text(" " * len(sign))
