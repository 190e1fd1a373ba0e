"""The figures: how they are kept, summed up and compared."""

import json
from collections.abc import Collection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

FULL = 0.9  # of a core


class Figure(NamedTuple):
    """What a number means."""

    measure: str  # that it comes of
    title: str
    unit: str
    more_is_better: bool = False

    def shown(self, value: float) -> str:
        """Return a value with three digits, and its unit."""
        return f"{digits(value)}{self.unit}"


FIGURES = {
    "burst": Figure(
        "burst", "Burst deliveries per CPU second", "/s", more_is_better=True
    ),
    "latency": Figure("latency", "One event, until the last client has it", " ms"),
    "latency_crowd": Figure("crowd", "The same, with five times the clients", " ms"),
    "sustained_200": Figure("sustained", "200 events a second: p99", " ms"),
    "sustained_200_p50": Figure("sustained", "200 events a second: median", " ms"),
    "sustained_1000": Figure("sustained", "1,000 events a second: p99", " ms"),
    "sustained_1000_p50": Figure("sustained", "1,000 events a second: median", " ms"),
    "connects": Figure(
        "connects",
        "Connect, authenticate, permissions, per CPU second",
        "/s",
        more_is_better=True,
    ),
    "memory": Figure("crowd", "Resident memory per connection", " KiB"),
    "unseen_few": Figure(
        "crowd", "An event nobody may see, 10 connections: CPU", " µs"
    ),
    "unseen": Figure("crowd", "The same, with all clients connected: CPU", " µs"),
    "unseen_crowd": Figure(
        "crowd", "The same, with five times the clients: CPU", " µs"
    ),
    "stalled": Figure(
        "stalled", "A stalled client: p99 of the others, against before", " ×"
    ),
    "stalled_memory": Figure("stalled", "A stalled client: memory grows by", " MiB"),
    "stalled_eviction": Figure("stalled", "A stalled client: evicted after", " s"),
    "flood": Figure(
        "flood", "The same at 1,000 events a second: p99 of the others", " ×"
    ),
    "flood_memory": Figure(
        "flood", "The same at 1,000 events a second: memory", " MiB"
    ),
    "flood_eviction": Figure(
        "flood", "The same at 1,000 events a second: evicted", " s"
    ),
}


class Figures:
    """All that a run has measured."""

    def __init__(self, machine: dict[str, Any], peers: dict[str, str]) -> None:
        self.machine = machine
        self.peers = peers  # their titles, by their names
        self.values: dict[str, dict[str, list[float]]] = {}
        self.noted: dict[str, dict[str, list[str]]] = {}
        self.left_out: dict[str, dict[str, str]] = {}

    def add(self, peer: str, figure: str, value: float) -> None:
        """Keep what one repetition has measured."""
        FIGURES[figure]
        self.values.setdefault(peer, {}).setdefault(figure, []).append(value)

    def note(self, peer: str, figure: str, note: str) -> None:
        """Keep what is to be known about a figure."""
        notes = self.noted.setdefault(peer, {}).setdefault(figure, [])
        if note not in notes:
            notes.append(note)

    def notes(self, peer: str, figure: str) -> list[str]:
        """Return what is to be known about a figure."""
        return self.noted.get(peer, {}).get(figure, [])

    def leave_out(self, peer: str, what: str, why: str) -> None:
        """Keep why something is not measured."""
        self.left_out.setdefault(peer, {})[what] = why

    def forget(self, peers: Collection[str], measures: Collection[str]) -> None:
        """Forget what some measures of some peers have told."""
        old = {name for name in FIGURES if FIGURES[name].measure in measures}
        old |= {*measures, "everything"}
        for known in (self.values, self.noted, self.left_out):
            for peer in peers:
                for name in old:
                    known.get(peer, {}).pop(name, None)

    def median(self, peer: str, figure: str) -> float | None:
        """Return the median of a figure, or None if it was not measured."""
        values = self.values.get(peer, {}).get(figure)
        return median(values) if values else None

    def ratio(self, peer: str, other: str, figure: str) -> float | None:
        """Return how many times as good a peer is as another."""
        mine, theirs = self.median(peer, figure), self.median(other, figure)
        if not mine or not theirs:
            return None
        return mine / theirs if FIGURES[figure].more_is_better else theirs / mine

    def write(self, file: Path) -> None:
        """Write everything to a file."""
        figures = {
            peer: {
                figure: {"median": median(values), "values": values}
                | ({"notes": notes} if (notes := self.notes(peer, figure)) else {})
                for figure, values in figures.items()
            }
            for peer, figures in self.values.items()
        }
        content = {
            "machine": self.machine,
            "peers": self.peers,
            "figures": figures,
            "left_out": self.left_out,
        }
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, file: Path) -> "Figures":
        """Return what was written to a file."""
        content = json.loads(file.read_text())
        figures = cls(content["machine"], content["peers"])
        figures.left_out = content["left_out"]
        for peer, measured in content["figures"].items():
            for name, figure in measured.items():
                for value in figure["values"]:
                    figures.add(peer, name, value)
                for note in figure.get("notes", []):
                    figures.note(peer, name, note)
        return figures


def digits(value: float) -> str:
    """Return a number with three digits: there is no more to know."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def is_bound(cpu: float, wall: float | None) -> bool:
    """Tell whether the core of the load generator was full, so that it set the pace."""
    return wall is not None and cpu >= FULL * wall
