"""The report of a benchmark: tables for a terminal and in Markdown, and plots."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench import report
from tests.bench.figures import Figures


@pytest.fixture
def figures() -> Figures:
    """Figures of three peers, one of which could not be measured."""
    machine = {
        "date": "2026-01-31",
        "processor": "A processor",
        "cores": 2,
        "memory": "24 GiB",
        "system": "Linux 6.1",
        "python": "3.13.1",
        "versions": {"websockets": "17.4", "redis-server": "7.0.15"},
    }
    titles = {"final": "this project", "how-to": "the how-to", "node": "Node, ws"}
    figures = Figures(machine, titles)
    figures.add("final", "burst", 3_000_000)
    figures.add("how-to", "burst", 100_000)
    figures.add("final", "latency", 10)
    figures.add("how-to", "latency", 8)
    figures.add("how-to", "sustained_200", 12_900)
    figures.note("how-to", "sustained_200", "not all delivered in time")
    figures.leave_out("node", "everything", "node is not installed: apt install nodejs")
    figures.leave_out(
        "how-to", "flood", "it doesn't keep up with 1,000 events a second"
    )
    return figures


def rows(markdown: str) -> list[list[str]]:
    """Return the cells of all rows of all tables."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_ratios_come_first(figures: Figures) -> None:
    """The first table says how many times as good this project is as each peer."""
    title, *_others = rows(report.markdown(figures))
    assert ["This project is as good as …, times", "the how-to"] == title


def test_ratios(figures: Figures) -> None:
    """A ratio has two digits, or three if it is large."""
    ratios = rows(report.markdown(figures))
    assert ["Burst deliveries per CPU second", "30"] in ratios
    assert ["One event, until the last client has it", "0.8"] in ratios


def test_figures(figures: Figures) -> None:
    """The second table has the medians, and says what was not measured."""
    table = rows(report.markdown(figures))
    assert ["", "this project", "the how-to"] in table
    assert ["Burst deliveries per CPU second", "3,000,000/s", "100,000/s"] in table
    assert ["200 events a second: p99", "–", "12,900 ms ¹"] in table


def test_notes(figures: Figures) -> None:
    """What is to be known about a figure is said below."""
    assert "¹ not all delivered in time" in report.markdown(figures)


def test_left_out(figures: Figures) -> None:
    """What is left out is said, and why."""
    text = report.markdown(figures)
    assert "Node, ws: everything: node is not installed: apt install nodejs" in text
    assert "the how-to: flood: it doesn't keep up with 1,000 events a second" in text


def test_machine(figures: Figures) -> None:
    """The machine is described, and the versions of all that ran."""
    text = report.markdown(figures)
    for word in ["A processor", "2 cores", "24 GiB", "2026-01-31", "websockets 17.4"]:
        assert word in text


def test_nothing_to_compare(figures: Figures) -> None:
    """Without this project, there are no ratios."""
    del figures.values["final"]
    assert "times" not in report.markdown(figures)


def test_summary(figures: Figures) -> None:
    """The summary has a row for each peer: what was measured, and the ratio."""
    table = rows(report.summary(figures))
    assert ["", "burst", "one event", "connecting", "memory"] == table[0]
    assert ["this project", "3,000,000/s", "10 ms", "–", "–"] in table
    assert ["the how-to", "100,000/s (30 ×)", "8 ms (0.8 ×)", "–", "–"] in table


def test_terminal(figures: Figures) -> None:
    """The terminal shows the same, however narrow it is."""
    console = Console(file=StringIO(), width=80, record=True)
    report.show(figures, console)
    text = console.export_text()
    for word in ["30", "3,000,000/s", "12,900 ms  ¹", "Node, ws: everything"]:
        assert word in text


def test_files(figures: Figures, tmp_path: Path) -> None:
    """Everything is written to a folder: the figures, the table, and the plots."""
    report.write(figures, tmp_path)
    assert {
        *["deliveries.png", "figures.json", "latency.png", "summary.md", "table.md"]
    } == {file.name for file in tmp_path.iterdir()}
    for plot in tmp_path.glob("*.png"):
        assert plot.read_bytes().startswith(b"\x89PNG")


def test_no_plot_of_nothing(figures: Figures, tmp_path: Path) -> None:
    """There is no plot of what was not measured."""
    figures.values = {"final": {"memory": [8.0]}}
    report.write(figures, tmp_path)
    assert ["figures.json", "memory.png", "summary.md", "table.md"] == sorted(
        file.name for file in tmp_path.iterdir()
    )
