"""The laboratory itself: what it breaks, and that it finds what is broken."""

import pytest

from tests.faults.before import complaints, recorded, rows, tried
from tests.faults.figures import Figure, Figures
from tests.faults.lab import Broken
from tests.faults.soak import bar
from tests.faults.soak import rows as figures_of

# One of each module, the quick ones; `make soak` tries them all.
SAMPLE = [
    "test_admin.py::test_rollback",
    "test_clients.py::test_refusal[binary]",
    "test_events.py::test_forged",
    "test_events.py::test_malformed[null]",
    "test_redis.py::test_kill",
    "test_secrets.py::test_tokens",
    "test_shutdown.py::test_redis_is_down",
    "test_streams.py::test_redis_is_killed_under_load",
]


def test_every_fault_is_recorded() -> None:
    """Of each fault, it is known what becomes of step 04, and why."""
    record = recorded()
    known = [test for kind in record.values() for test in kind]
    assert sorted(rows()) == sorted(known)
    assert all(reason for kind in record.values() for reason in kind.values())


def test_step_04_fails() -> None:
    """The code of step 04 breaks what is promised, for the recorded reasons."""
    tests = [f"tests/faults/{name}" for name in SAMPLE]
    came = tried(tests)
    assert sorted(tests) == sorted(came)
    assert [] == [*complaints(came)]


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
