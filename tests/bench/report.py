"""The report: tables for a terminal and in Markdown, and plots."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.bench import plots
from tests.bench.figures import FIGURES, Figures, digits

OURS = "final"
NOTHING = "–"
SUMMARY = {
    "burst": "burst",
    "latency": "one event",
    "connects": "connecting",
    "memory": "memory",
}
SIGNS = "¹²³⁴⁵⁶⁷⁸⁹"


class Rows(NamedTuple):
    """A table: the titles of its columns, and its rows, whose first cell is a title."""

    titles: list[str]
    rows: list[list[str]]


def ratios(figures: Figures) -> Rows:
    """Return how many times as good this project is as each of the others."""
    others = [name for name in measured(figures) if name != OURS]
    titles = ["This project is as good as …, times", *names(figures, others)]
    rows = []
    for name, figure in FIGURES.items():
        found = [figures.ratio(OURS, other, name) for other in others]
        if any(found):
            cells = [digits(ratio) if ratio else NOTHING for ratio in found]
            rows.append([figure.title, *cells])
    return Rows(titles, rows)


def medians(figures: Figures, signs: dict[str, str]) -> Rows:
    """Return the figures of all, with signs for the notes."""
    peers = measured(figures)
    rows = []
    for name, figure in FIGURES.items():
        found = [figures.median(peer, name) for peer in peers]
        if any(value is not None for value in found):
            cells = [
                NOTHING
                if value is None
                else " ".join(
                    [
                        figure.shown(value),
                        *(signs[note] for note in figures.notes(peer, name)),
                    ]
                )
                for peer, value in zip(peers, found, strict=True)
            ]
            rows.append([figure.title, *cells])
    return Rows(["", *names(figures, peers)], rows)


def measured(figures: Figures) -> list[str]:
    """Return the peers of whom something is known."""
    return [peer for peer in figures.peers if figures.values.get(peer)]


def names(figures: Figures, peers: list[str]) -> list[str]:
    return [figures.peers[peer] for peer in peers]


def signs_of(figures: Figures) -> dict[str, str]:
    """Return a sign for each note that there is."""
    notes = [
        note
        for noted in figures.noted.values()
        for notes in noted.values()
        for note in notes
    ]
    return dict(zip(dict.fromkeys(notes), SIGNS, strict=False))


def remarks(figures: Figures) -> Iterator[str]:
    """Yield what the signs mean, what was left out, and what ran where."""
    for note, sign in signs_of(figures).items():
        yield f"{sign} {note}"
    for peer, reasons in figures.left_out.items():
        for what, why in reasons.items():
            yield f"{figures.peers[peer]}: {what}: {why}"
    if machine := figures.machine:
        yield (
            f"Medians, measured on {machine['date']}: {machine['processor']}, "
            f"{machine['cores']} cores, {machine['memory']}, {machine['system']}, "
            f"Python {machine['python']}. Figures vary from run to run and from "
            "machine to machine: compare those of one run."
        )
        yield ", ".join(f"{name} {it}" for name, it in machine["versions"].items())


def tables(figures: Figures) -> list[Rows]:
    """Return all tables, the ratios first."""
    found = [ratios(figures), medians(figures, signs_of(figures))]
    return [table for table in found if table.rows]


def markdown(figures: Figures) -> str:
    """Return the report in Markdown."""
    parts = []
    for titles, rows in tables(figures):
        parts.append(in_markdown(Rows(titles, rows)))
    return "\n\n".join([*parts, *remarks(figures)]) + "\n"


def in_markdown(table: Rows) -> str:
    """Return a table in Markdown."""
    rule = ["---", *["---:" for _title in table.titles[1:]]]
    lines = [table.titles, rule, *table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(figures: Figures) -> str:
    """Return a small table, with how many times as good this project is as each."""
    rows = []
    for peer in measured(figures):
        cells = []
        for name in SUMMARY:
            value = figures.median(peer, name)
            cell = NOTHING if value is None else FIGURES[name].shown(value)
            if peer != OURS and (ratio := figures.ratio(OURS, peer, name)):
                cell += f" ({digits(ratio)} ×)"
            cells.append(cell)
        rows.append([figures.peers[peer], *cells])
    return in_markdown(Rows(["", *SUMMARY.values()], rows))


def show(figures: Figures, console: Console) -> None:
    """Show the report in a terminal, which may be narrow."""
    signs = signs_of(figures)
    for name, figure in FIGURES.items():
        table = Table(title=figure.title, title_justify="left", box=None)
        table.add_column("", min_width=24)
        table.add_column("times as good as", justify="right", style="bold")
        table.add_column("measured", justify="right")
        table.add_column("")
        for peer in measured(figures):
            if (value := figures.median(peer, name)) is not None:
                ratio = figures.ratio(OURS, peer, name) if peer != OURS else None
                notes = " ".join(signs[note] for note in figures.notes(peer, name))
                table.add_row(
                    figures.peers[peer],
                    digits(ratio) if ratio else "",
                    figure.shown(value),
                    notes,
                )
        if table.row_count:
            console.print(table)
            console.print()
    for remark in remarks(figures):
        console.print(remark)


def write(figures: Figures, folder: Path) -> None:
    """Write the figures, the report and the plots to a folder."""
    figures.write(folder / "figures.json")
    (folder / "table.md").write_text(markdown(figures))
    (folder / "summary.md").write_text(summary(figures) + "\n")
    plots.draw(figures, folder)
