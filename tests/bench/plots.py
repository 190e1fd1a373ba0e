"""The plots: one for each question that a reader has."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")  # it needs no screen

from matplotlib.figure import Figure as Plot

from tests.bench.figures import FIGURES, Figures

OURS, OTHERS = "#2d7d46", "#9aa5b1"
PLOTS = {  # file: the title, the figure, and whether it spans powers of ten
    "deliveries.png": ("Deliveries per CPU second, in a burst", "burst", True),
    "latency.png": ("One event, until the last client has it", "latency", False),
    "memory.png": ("Resident memory per connection", "memory", False),
}


def draw(figures: Figures, folder: Path) -> None:
    """Draw all plots of what was measured."""
    for name, (title, figure, is_wide) in PLOTS.items():
        values = {
            peer: value
            for peer in figures.peers
            if (value := figures.median(peer, figure)) is not None
        }
        if values:
            draw_bars(figures, title, figure, values, is_wide, folder / name)


def draw_bars(
    figures: Figures,
    title: str,
    figure: str,
    values: dict[str, float],
    is_wide: bool,
    file: Path,
) -> None:
    """Draw a bar for each peer, and write its value beside it."""
    plot = Plot(figsize=(8, 0.6 + 0.42 * len(values)), layout="constrained")
    axes = plot.subplots()
    bars = axes.barh(
        [figures.peers[peer] for peer in values],
        [*values.values()],
        color=[OURS if peer == "final" else OTHERS for peer in values],
        log=is_wide,
    )
    shown = [FIGURES[figure].shown(value) for value in values.values()]
    axes.bar_label(bars, shown, padding=4)
    axes.invert_yaxis()  # the first on top
    axes.margins(x=0.25 if is_wide else 0.15)
    axes.set_title(title + (" (each line is ten times the last)" if is_wide else ""))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
    if is_wide:
        axes.xaxis.grid(color="#dddddd")
        axes.set_axisbelow(True)
    plot.savefig(file, dpi=120)
