"""The results that are kept in the repository, and what the tutorial says of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import report
from tests.bench.figures import FIGURES, Figures
from tests.bench.peers import all_peers
from tests.bench.plots import PLOTS
from tests.tutorial.pages import Page, pictures

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "tests" / "bench" / "results"


@pytest.fixture(scope="module")
def figures() -> Figures:
    """The figures that are kept."""
    return Figures.read(RESULTS / "figures.json")


@pytest.fixture(scope="module")
def section() -> str:
    """What the tutorial says about what it costs."""
    text = (ROOT / "tutorial.md").read_text()
    _before, _title, after = text.partition("\n## What it costs\n")
    section, _title, _after = after.partition("\n## ")
    assert section
    return section


def test_every_peer(figures: Figures) -> None:
    """Every peer was measured: none is left out."""
    assert [peer.name for peer in all_peers("final")] == report.measured(figures)


def test_every_figure(figures: Figures) -> None:
    """Every figure of this project was measured."""
    assert {*FIGURES} == {*figures.values["final"]}


def test_every_delivery(figures: Figures) -> None:
    """This project has delivered everything."""
    notes = {name: figures.notes("final", name) for name in FIGURES}
    assert {} == {
        name: noted
        for name, noted in notes.items()
        if any(note.startswith("not all") for note in noted)
    }


def test_tables(figures: Figures) -> None:
    """The tables are those of the figures."""
    assert report.markdown(figures) == (RESULTS / "table.md").read_text()
    assert report.summary(figures) == (RESULTS / "summary.md").read_text().strip()


def test_plots() -> None:
    """Every plot is there, and no other."""
    assert {*PLOTS} == {file.name for file in RESULTS.glob("*.png")}


def test_plots_are_shown(section: str) -> None:
    """The tutorial shows the plots, and says in words what is in them."""
    shown = {
        (ROOT / source).resolve(): alternative
        for _line, source, alternative in pictures(Page(ROOT, "tutorial.md"))
    }
    for name in PLOTS:
        assert len(shown[RESULTS / name].split()) > 5


def test_summary_is_shown(figures: Figures, section: str) -> None:
    """The tutorial shows the summary, figure by figure."""
    assert report.summary(figures) in section


def test_machine_is_named(figures: Figures, section: str) -> None:
    """The tutorial says on what machine, and with what, it was measured."""
    words = " ".join(section.split())
    for word in [figures.machine["processor"], figures.machine["memory"]]:
        assert word in words
    assert f"Python {figures.machine['python']}" in words


def test_numbers_were_measured(figures: Figures, section: str) -> None:
    """Every number with a unit in the section is one that was measured."""
    known = {
        FIGURES[name].shown(value)
        for peer in figures.peers
        for name in FIGURES
        if (value := figures.median(peer, name)) is not None
    } | {
        f"{report.digits(ratio)} ×"
        for peer in figures.peers
        for name in FIGURES
        if (ratio := figures.ratio("final", peer, name))
    }
    units = "|".join(re.escape(figure.unit.strip()) for figure in FIGURES.values())
    said = re.findall(rf"[\d.,]*\d ?(?:{units})(?!\w)", " ".join(section.split()))
    assert said
    assert [] == [number for number in said if number not in known]


def test_model_is_shown() -> None:
    """The tutorial shows what the model says, fed with the figures that are kept."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.bench.scale"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    said = "\n".join(line.rstrip() for line in run.stdout.splitlines())
    assert (
        f"$ python -m tests.bench.scale\n{said}\n```"
        in (ROOT / "tutorial.md").read_text()
    )
