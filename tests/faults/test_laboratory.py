"""The laboratory itself: what it breaks, and that it finds what is broken."""

import pytest

from tests.faults.figures import Figure, Figures
from tests.faults.lab import Broken
from tests.faults.soak import bar
from tests.faults.soak import rows as figures_of


def test_broken_promise() -> None:
    """A figure that is above the promise is noted, and breaks it."""
    noted: list[tuple[str, object]] = []
    figures = Figures("test_memory", "final", True, noted)
    with pytest.raises(Broken, match="expected memory: 5 MiB at most; came more"):
        figures.at_most(5, "memory", 6, "MiB", busy=10)
    figure = Figure("final", "test_memory", "memory", 6, "MiB", 5)
    assert [("figure", [*figure])] == noted


def test_busy_machine() -> None:
    """In the quick form, a time may be a number of times what is promised."""
    figures = Figures("test_delay", "final", False, [])
    figures.at_most(1, "an event", 3, "s", busy=5)
    with pytest.raises(Broken):
        figures.at_most(1, "an event", 6, "s", busy=5)


def test_worst_figures() -> None:
    """Of several figures of a kind, the worst is shown, and which promise it breaks."""
    figures = [
        Figure(code, "test", "delay", came, "s", 1)
        for code, came in [("final", 0.5), ("final", 0.7), ("steps/04", 3)]
    ]
    [row] = figures_of(figures)
    assert {"final": 0.7, "steps/04": 3} == row.came
    assert "green" == bar(0.7, 1).style
    assert "red" == bar(3, 1).style
