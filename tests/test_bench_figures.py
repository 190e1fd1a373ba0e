"""The figures of a benchmark: how they are kept, summed up and compared."""

import json
from pathlib import Path

import pytest

from tests.bench.figures import FIGURES, Figures, is_bound
from tests.bench.measures import MEASURES


@pytest.fixture
def figures() -> Figures:
    """Figures of two peers."""
    figures = Figures({"cores": 2}, {"final": "this project", "how-to": "the how-to"})
    for value in [300.0, 100.0, 200.0]:
        figures.add("final", "burst", value)
    figures.add("how-to", "burst", 50.0)
    figures.add("final", "memory", 8.0)
    figures.add("how-to", "memory", 16.0)
    return figures


def test_median(figures: Figures) -> None:
    """A figure is the median of its values."""
    assert 200 == figures.median("final", "burst")
    figures.add("final", "burst", 250)
    assert 225 == figures.median("final", "burst")


def test_no_value(figures: Figures) -> None:
    """What was not measured has no median."""
    assert None is figures.median("final", "connects")
    assert None is figures.median("somebody", "burst")


def test_ratio_of_speeds(figures: Figures) -> None:
    """Twice as many is twice as good."""
    assert 4 == figures.ratio("final", "how-to", "burst")
    assert 0.25 == figures.ratio("how-to", "final", "burst")


def test_ratio_of_costs(figures: Figures) -> None:
    """Half as much is twice as good."""
    assert 2 == figures.ratio("final", "how-to", "memory")


def test_no_ratio(figures: Figures) -> None:
    """Nothing is compared with what was not measured, or with nothing."""
    assert None is figures.ratio("final", "how-to", "connects")
    figures.add("final", "connects", 5)
    assert None is figures.ratio("final", "how-to", "connects")
    figures.add("how-to", "connects", 0)
    assert None is figures.ratio("final", "how-to", "connects")


def test_notes(figures: Figures) -> None:
    """A note is kept once, however often it is made."""
    figures.note("final", "burst", "generator-bound")
    figures.note("final", "burst", "generator-bound")
    assert ["generator-bound"] == figures.notes("final", "burst")
    assert [] == figures.notes("final", "memory")


def test_left_out(figures: Figures) -> None:
    """What is left out has a reason."""
    figures.leave_out("node", "all", "Node is not installed")
    assert {"node": {"all": "Node is not installed"}} == figures.left_out


@pytest.mark.parametrize(
    ("cpu", "wall", "bound"), [(0.9, 1, True), (0.89, 1, False), (1, None, False)]
)
def test_generator_bound(cpu: float, wall: float | None, bound: bool) -> None:
    """The generator holds a server up if its core is busy for nine tenths."""
    assert bound == is_bound(cpu, wall)


def test_file(figures: Figures, tmp_path: Path) -> None:
    """What is written to a file is read from it."""
    figures.leave_out("node", "all", "Node is not installed")
    figures.note("final", "burst", "generator-bound")
    figures.write(tmp_path / "figures.json")
    again = Figures.read(tmp_path / "figures.json")
    assert vars(figures) == vars(again)


def test_file_for_people(figures: Figures, tmp_path: Path) -> None:
    """The file holds each value, and the median."""
    figures.write(tmp_path / "figures.json")
    content = json.loads((tmp_path / "figures.json").read_text())
    assert {"cores": 2} == content["machine"]
    burst = content["figures"]["final"]["burst"]
    assert ([300, 100, 200], 200) == (burst["values"], burst["median"])


def test_forget(figures: Figures) -> None:
    """What is measured again is forgotten first, and all else is kept."""
    figures.note("final", "burst", "generator-bound")
    figures.note("final", "memory", "a guess")
    figures.leave_out("final", "everything", "it broke")
    figures.leave_out("final", "unseen", "it sees everything")
    figures.forget(["final"], {"burst"})
    assert {"final": {"memory": [8]}, "how-to": {"burst": [50], "memory": [16]}} == (
        figures.values
    )
    assert {"final": {"memory": ["a guess"]}} == figures.noted
    assert {"final": {"unseen": "it sees everything"}} == figures.left_out
    figures.forget(["final"], {"crowd"})
    assert {"burst": [50], "memory": [16]} == figures.values["how-to"]
    assert ({}, {}, {}) == (
        figures.values["final"],
        figures.noted["final"],
        figures.left_out["final"],
    )


def test_unknown_figure(figures: Figures) -> None:
    """A figure that nobody can explain is an error."""
    with pytest.raises(KeyError):
        figures.add("final", "charm", 1)


@pytest.mark.parametrize("name", FIGURES)
def test_known_figures(name: str) -> None:
    """Each figure has a title and a unit, comes of a measure, and shows a number."""
    figure = FIGURES[name]
    assert figure.measure in MEASURES
    assert figure.title
    assert figure.shown(1234.5678).endswith(figure.unit)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(3_333_333.3, "3,330,000"), (206.4, "206"), (17.34, "17.3"), (0.0123, "0.0123")],
)
def test_digits(value: float, shown: str) -> None:
    """Three digits are shown: there is no more to know."""
    assert f"{shown}/s" == FIGURES["burst"].shown(value)
