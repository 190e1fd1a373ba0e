"""The command line of the benchmark."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.measures import MEASURES
from tests.bench.options import ROOT, Options, from_command_line
from tests.bench.peers import all_peers

PEERS = [peer.name for peer in all_peers("final")]


def parsed(*arguments: str) -> Options:
    return from_command_line([*arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the last line that says why some arguments make no sense."""
    with pytest.raises(SystemExit, match="2"):
        parsed(*arguments)
    return capsys.readouterr().err.splitlines()[-1]


def test_everything() -> None:
    """By default, all measures are taken of all peers, with 1,000 clients."""
    options = parsed()
    assert PEERS == [peer.name for peer in options.peers]
    assert {*MEASURES} == options.measures
    assert (1_000, 5_000) == (options.work.clients, options.work.crowd)
    assert ROOT / "bench-results" == options.out


def test_only_a_peer() -> None:
    """Peers can be chosen; they keep their order."""
    options = parsed("--only", "bare", "final")
    assert ["final", "bare"] == [peer.name for peer in options.peers]
    assert {*MEASURES} == options.measures


def test_only_a_measure() -> None:
    """Measures can be chosen, and peers beside them."""
    options = parsed("--only", "burst", "node")
    assert ["node"] == [peer.name for peer in options.peers]
    assert {"burst"} == options.measures


def test_only_all_of_channels() -> None:
    """The beginning of a name is enough."""
    options = parsed("--only", "channels")
    assert [name for name in PEERS if name.startswith("channels")] == [
        peer.name for peer in options.peers
    ]


def test_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """What is neither a peer nor a measure is refused, and the choice is shown."""
    error = refused(capsys, "--only", "nonsense")
    assert "nonsense" in error
    assert "how-to" in error
    assert "burst" in error


def test_quick() -> None:
    """A quick run has fewer clients, and takes less time."""
    quick, full = parsed("--quick").work, parsed().work
    assert quick.clients < full.clients
    assert quick.seconds < full.seconds
    assert quick.repetitions < full.repetitions


def test_clients() -> None:
    """The number of clients can be chosen; the crowd has five times as many."""
    work = parsed("--clients", "2_000").work
    assert (2_000, 10_000) == (work.clients, work.crowd)


@pytest.mark.parametrize("number", ["9", "many", "1000000"])
def test_bad_number_of_clients(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer than ten clients, or more than there can be, are refused."""
    assert "--clients" in refused(capsys, "--clients", number)


def test_out(tmp_path: Path) -> None:
    """The folder of the results can be chosen."""
    assert tmp_path == parsed("--out", str(tmp_path)).out


def test_add(tmp_path: Path) -> None:
    """A run may add to what an earlier one has measured; by default, it doesn't."""
    assert not parsed().add
    assert parsed("--add").add


def test_code() -> None:
    """Another code folder can stand for this project."""
    assert "steps/08" == parsed("--code", "steps/08").peers[0].code


def test_code_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without a server is refused."""
    assert "steps/00" in refused(capsys, "--code", "steps/00")


def test_help_teaches() -> None:
    """--help names every measure and every peer, and gives examples."""
    said = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [] == [
        name for name in [*MEASURES, *PEERS, "make bench"] if name not in said
    ]
