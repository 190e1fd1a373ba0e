"""What is measured in the laboratory: figures beside what is promised."""

from dataclasses import dataclass
from typing import NamedTuple

from tests.faults.lab import Broken

FIGURE = "figure"


class Figure(NamedTuple):
    """Something that was measured, and the most that is promised."""

    code: str
    test: str
    what: str
    came: float
    unit: str
    promised: float | None

    def __str__(self) -> str:
        promise = "" if self.promised is None else f" (promised: {self.promised:g})"
        return f"{self.test}: {self.what}: {self.came:.4g} {self.unit}{promise}"


@dataclass
class Figures:
    """The figures of one test."""

    test: str
    code: str
    soak: bool
    properties: list[tuple[str, object]]  # of the test: they are reported with it

    def add(self, figure: Figure) -> None:
        self.properties.append((FIGURE, [*figure]))

    def note(self, what: str, came: float, unit: str) -> None:
        """Note what nothing is promised about."""
        self.add(Figure(self.code, self.test, what, came, unit, None))

    def at_most(
        self, promised: float, what: str, came: float, unit: str, busy: float = 1
    ) -> None:
        """Expect a figure to be no more than is promised.

        Times are promised for a machine that has nothing else to do: on a busy one, as
        in ``make test``, they may take a number of times as long.
        """
        figure = Figure(self.code, self.test, what, came, unit, promised)
        self.add(figure)
        if came > promised * (1 if self.soak else busy):
            raise Broken(f"{what}: {promised:g} {unit} at most", "more")
